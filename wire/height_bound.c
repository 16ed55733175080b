#include "wire/height_bound.h"

#include "crypto/seal.h"
#include "wire/entry.h"
#include "wire/evidence.h"
#include "wire/inbox.h"
#include "wire/keygen.h"
#include "wire/opening.h"
#include "wire/tx.h"

/* An entry is longer than the envelope that it is of by so much, ... */
#define MORE_THAN_TX (SLU_ENTRY_HEAD_BYTES - SLU_TX_HEAD_BYTES)
/* ... and than the payload that opened. */
#define MORE_THAN_OPENED (SLU_ENTRY_HEAD_BYTES + SLU_OPENING_HEAD_BYTES)
/* An envelope that seals nothing is longer than that. */
#define SEALED_BYTES_MIN                                                                           \
    (SLU_TX_HEAD_BYTES + SLU_SEALED_BYTES_MAX - SLU_SEALED_MESSAGE_BYTES_MAX +                     \
     SLU_SEALED_FORM_BYTES)

_Static_assert(MORE_THAN_TX <= SLU_INBOX_TUPLE_BYTES, "what the queue counts is no less");

static void add(struct slu_height_bound *bound, size_t entries, size_t bytes)
{
    bound->entries += (uint32_t)entries;
    bound->bytes += bytes;
}

/* What the queue delivers at a height; one item that is larger stands alone. */
static size_t queue_bytes(const struct slu_genesis *g)
{
    size_t one = slu_queue_cost(SLU_KEYGEN_BYTES_MAX);
    return g->params.forced_bytes_per_block > one ? g->params.forced_bytes_per_block : one;
}

struct slu_height_bound slu_height_bound(const struct slu_genesis *g)
{
    const size_t lane_txs = (size_t)g->n * slu_genesis_lane_quota_txs(g);
    const size_t evidence = (size_t)g->n * SLU_OFFENCES;
    struct slu_height_bound bound = {0};
    add(&bound, lane_txs, (size_t)g->n * g->params.lane_quota_bytes + lane_txs * MORE_THAN_TX);
    add(&bound, queue_bytes(g) / slu_queue_cost(SLU_TX_HEAD_BYTES), queue_bytes(g));
    add(&bound, evidence, evidence * (SLU_ENTRY_HEAD_BYTES + SLU_EVIDENCE_BYTES_MAX));
    if (g->params.sealing) {
        size_t due = slu_genesis_due_bytes_max(g), count = due / SEALED_BYTES_MIN;
        add(&bound, count, due + count * MORE_THAN_OPENED);
    }
    return bound;
}
