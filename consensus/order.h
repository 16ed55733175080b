/* From final blocks to entries (docs/PROTOCOL.md clause 4). Each height's delivered record refers to
 * batches instead of copying them; a reader walks the batches in order and leaves out the dropped
 * transactions. `index` of an entry is its place among the height's entries that were *not* dropped.
 *
 *     block 32 | height u64 | time_ms u64 | entries u32 | items u32 | batches u32 | drops u32 | dues u32
 *     items   x ( tuple 48 | outcome u8 )                   out of the inbox: evidence, then forced
 *     batches x ( lane u16 | position u64 | digest 32 | txs u32 )
 *     drops   x ( batch u32 | tx u32 | reason u8 )              sorted by (batch, tx)
 *     dues    x ( id 32 | height u64 | index u32 | index u32 )  where ordered; the index here, rising
 *
 * Order inside a height: evidence that this block queued, by id; forced entries that are due, in the
 * order of the queue; of these the ones with outcome 0 are entries, the others (an id that was
 * delivered before its height) are not. Their contents are INBOX records, found by valid_until and id
 * of the tuple; evidence is an entry of rollup 0. Then openings of sealed entries that waited: dues that
 * were ordered at a lower height (docs/PROTOCOL.md clause 7.7). Then lanes round-robin starting with lane (height mod n), one batch each, lowest
 * position first; inside a batch its own order. */
#ifndef SLU_CONSENSUS_ORDER_H
#define SLU_CONSENSUS_ORDER_H

#include "base/bytes.h"
#include "wire/batch.h"
#include "wire/inbox.h"

struct slu_delivered_batch {
    uint16_t lane;
    uint64_t position;
    uint8_t digest[32];
    uint32_t txs;
};

struct slu_delivered_drop {
    uint32_t batch; /* index into the record's batches */
    uint32_t tx;    /* index inside the batch */
    uint8_t reason; /* slu_drop */
};

/* A sealed entry that this height opens (consensus/opened.h has what was in it). */
struct slu_delivered_due {
    uint8_t id[32];
    uint64_t ordered_height;
    uint32_t ordered_index;
    uint32_t index; /* the same when it was ordered here, else one of its own */
};

struct slu_delivered_inbox {
    struct slu_inbox_tuple tuple;
    uint8_t outcome; /* slu_drop; 0: an entry of this height */
};

struct slu_delivered {
    uint8_t block[32];
    uint64_t height;
    uint64_t time_ms;
    uint32_t entries;
    uint32_t inbox_count;
    uint32_t batch_count;
    uint32_t drop_count;
    uint32_t due_count;
    struct slu_reader inbox;   /* at the first item */
    struct slu_reader batches; /* at the first batch */
    struct slu_reader drops;   /* at the first drop */
    struct slu_reader dues;    /* at the first due */
};

/** Opens a delivered record in place (lifetime of `bytes`); the counts are checked against its
 * length. Errors: MALFORMED. */
SLU_MUST_USE int slu_delivered_open(struct slu_delivered *record, const uint8_t *bytes, size_t len);
/** The next item, batch or drop; call at most inbox_count, batch_count, drop_count and due_count times. */
void slu_delivered_next_inbox(struct slu_delivered *record, struct slu_delivered_inbox *item);
void slu_delivered_next_batch(struct slu_delivered *record, struct slu_delivered_batch *batch);
void slu_delivered_next_drop(struct slu_delivered *record, struct slu_delivered_drop *drop);

void slu_delivered_next_due(struct slu_delivered *record, struct slu_delivered_due *due);

#define SLU_DELIVERED_HEAD_BYTES  68u
#define SLU_DELIVERED_INBOX_BYTES (SLU_INBOX_TUPLE_BYTES + 1u)
#define SLU_DELIVERED_BATCH_BYTES 46u
#define SLU_DELIVERED_DROP_BYTES  9u
#define SLU_DELIVERED_DUE_BYTES   48u

#endif
