#include "audit/void.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "crypto/lagrange.h"
#include "crypto/share.h"
#include "sluice/error.h"
#include "wire/opening.h"
#include "wire/shares.h"

/* The dues of one key that one SHARES message is about. */
struct chunk {
    int key;
    uint32_t first, count;
    struct audit_due *dues[SLU_SHARES_MAX];
    struct audit_bytes envelopes[SLU_SHARES_MAX]; /* of the voids */
    struct slu_sealed sealed[SLU_SHARES_MAX];     /* the same */
    uint8_t ids[SLU_SHARES_MAX][32], r32[SLU_SHARES_MAX][32], list[32];
    struct slu_point r[SLU_SHARES_MAX];
    uint16_t nodes[SLU_NODES_MAX], have; /* whose shares are good */
    struct slu_point d[SLU_NODES_MAX][SLU_SHARES_MAX];
};

static bool is_void(const struct audit_due *due)
{
    return due->outcome != SLU_OPENED && !due->invalid;
}

/* Reads the sealed body of what is void, for its key and R. NOT_FOUND: it is not among the records.
 */
static int learn(struct slu_audit *a, struct audit_due *due, struct audit_bytes *envelope,
                 struct slu_sealed *sealed)
{
    struct slu_tx tx;
    uint8_t id[32];
    int rc = audit_find_envelope(a, due->e.height, due->e.index, envelope);
    if (rc)
        return rc;
    struct slu_reader r = slu_reader_of(envelope->at, envelope->len);
    if (!slu_tx_read(&r, &tx) || slu_sealed_read(sealed, tx.body, tx.body_len, tx.valid_until_ms))
        return SLU_ERR_NOT_FOUND;
    slu_tx_id(id, a->g, &tx);
    if (!audit_same(id, due->e.id))
        return SLU_ERR_NOT_FOUND;
    due->key = slu_key_replay_find(a->replay, sealed->key_id32);
    memcpy(due->r32, sealed->r32, 32);
    due->has_r = true;
    return due->key < 0 ? SLU_ERR_NOT_FOUND : SLU_OK;
}

/* One node's message for the chunk, when its store has it and it is good. */
static int take_shares(struct slu_audit *a, struct chunk *c, const struct slu_store *store,
                       struct slu_share_work *work)
{
    const struct slu_key_cert *cert = slu_key_replay_cert(a->replay, c->key);
    const uint8_t *value;
    size_t len;
    struct slu_signed_shares s;
    int rc = audit_get(store, SLU_REC_SHARES, a->height, (uint64_t)c->key << 32 | c->first, NULL,
                       &value, &len);
    if (rc)
        return rc == SLU_ERR_NOT_FOUND ? SLU_OK : rc;
    struct slu_reader r = slu_reader_of(value, len);
    if (slu_signed_shares_read(&r, a->g, &s) || s.count != c->count || s.first != c->first ||
        s.height != a->height || !audit_same(s.block, a->block.digest) ||
        !audit_same(s.key_id, cert->key.key_id) || !audit_same(s.y_i, cert->key.y_i[s.node]) ||
        !audit_same(s.list, c->list) ||
        !a->verifier.verify(a->verifier.context, s.node, s.digest, s.signature))
        return SLU_OK; /* not shares of this: of no use */
    for (uint16_t i = 0; i < c->have; i++)
        if (c->nodes[i] == s.node)
            return SLU_OK;
    const struct slu_seal_key *public =
        slu_opening_key_public(slu_key_replay_opening(a->replay, c->key));
    struct slu_share_chunk statement =
        slu_signed_shares_chunk(&s, public, (const uint8_t(*)[32])c->r32, c->r);
    if (slu_shares_read(c->d[c->have], (const uint8_t(*)[32])s.d, s.count) &&
        slu_chunk_good(work, &statement, (const uint8_t(*)[32])s.d, c->d[c->have], s.proof))
        c->nodes[c->have++] = s.node;
    return SLU_OK;
}

/* Opens a void with the shares of the first k nodes. */
static int check_void(struct slu_audit *a, const struct chunk *c, uint32_t m,
                      const struct slu_coefficients *coefficients)
{
    struct slu_point shares[SLU_NODES_MAX];
    const struct slu_opening_key *key = slu_key_replay_opening(a->replay, c->key);
    struct slu_sealed_checked checked;
    struct slu_sealed_message message;
    struct slu_point s;
    for (uint16_t i = 0; i < coefficients->k; i++)
        shares[i] = c->d[i][m];
    slu_combine(&s, coefficients, shares);
    slu_sealed_recall(key, &checked, &c->sealed[m]);
    enum slu_void right = slu_sealed_open(key, a->plain, &message, &c->sealed[m], &checked, &s);
    if (right == SLU_OPENED)
        right = slu_opening_judge(a->g, message.rollup, message.payload, message.payload_len);
    if ((uint8_t)right != c->dues[m]->outcome)
        return audit_fault(a, SLU_AUDIT_OPENINGS, "entry %u is shown void, and %s",
                           c->dues[m]->index,
                           right == SLU_OPENED ? "k nodes' shares open it"
                                               : "k nodes' shares give another reason");
    audit_count(a, SLU_AUDIT_OPENINGS, 1, true);
    return SLU_OK;
}

static int check_chunk(struct slu_audit *a, struct chunk *c, struct slu_share_work *work)
{
    struct slu_coefficients coefficients;
    uint16_t k = slu_key_replay_cert(a->replay, c->key)->k;
    uint8_t hash[32];
    uint32_t voids = 0;
    for (uint32_t m = 0; m < c->count; m++) {
        memcpy(c->ids[m], c->dues[m]->e.id, 32);
        memcpy(c->r32[m], c->dues[m]->r32, 32);
        voids += is_void(c->dues[m]);
    }
    slu_shares_ids(hash, a->g, (const uint8_t(*)[32])c->ids, c->count);
    slu_shares_list(c->list, a->g, hash, (const uint8_t(*)[32])c->r32, c->count);
    c->have = 0;
    int rc = slu_shares_read(c->r, (const uint8_t(*)[32])c->r32, c->count)
                 ? take_shares(a, c, a->store, work)
                 : SLU_OK;
    for (size_t i = 0; i < a->other_count && !rc && c->have < k; i++)
        rc = take_shares(a, c, a->others[i], work);
    if (rc)
        return rc;
    if (c->have < k || slu_coefficients_of(&coefficients, c->nodes, k, a->n)) {
        audit_skip(a, SLU_AUDIT_OPENINGS, voids);
        return SLU_OK;
    }
    for (uint32_t m = 0; m < c->count && !rc; m++)
        if (is_void(c->dues[m]))
            rc = check_void(a, c, m, &coefficients);
    return rc;
}

/* The next chunk of the key from the due at *at on. */
static bool next_chunk(struct slu_audit *a, struct chunk *c, int key, uint32_t *at)
{
    c->key = key;
    c->count = 0;
    for (; *at < a->due_count && c->count < SLU_SHARES_MAX; ++*at)
        if (a->dues[*at].key == key && !a->dues[*at].invalid)
            c->dues[c->count++] = &a->dues[*at];
    return c->count > 0;
}

static int check_key(struct slu_audit *a, struct chunk *c, struct slu_share_work *work, int key)
{
    uint32_t at = 0;
    int rc = SLU_OK;
    for (c->first = 0; !rc && next_chunk(a, c, key, &at); c->first += c->count) {
        bool any = false;
        for (uint32_t m = 0; m < c->count && !rc; m++)
            if (is_void(c->dues[m])) {
                any = true;
                rc = learn(a, c->dues[m], &c->envelopes[m], &c->sealed[m]);
            }
        if (any && !rc)
            rc = check_chunk(a, c, work);
    }
    return rc;
}

/* All keys and R must be known first: what is in a chunk follows from them. */
int audit_voids(struct slu_audit *a)
{
    struct chunk *c = calloc(1, sizeof *c);
    struct slu_share_work *work = slu_share_work_new();
    struct slu_sealed unused;
    uint32_t voids = 0;
    int rc = c && work ? SLU_OK : SLU_ERR_MEMORY;
    for (uint32_t i = 0; i < a->due_count && !rc; i++) {
        if (a->dues[i].invalid)
            audit_count(a, SLU_AUDIT_OPENINGS, 1, true);
        if (!is_void(&a->dues[i]))
            continue;
        voids++;
        rc = learn(a, &a->dues[i], &c->envelopes[0], &unused);
    }
    for (int key = 0; key < slu_key_replay_count(a->replay) && !rc; key++)
        rc = check_key(a, c, work, key);
    if (rc == SLU_ERR_NOT_FOUND) {
        audit_skip(a, SLU_AUDIT_OPENINGS, voids);
        rc = SLU_OK;
    }
    for (uint32_t m = 0; c && m < SLU_SHARES_MAX; m++)
        audit_bytes_free(&c->envelopes[m]);
    free(c);
    slu_share_work_free(work);
    return rc;
}
