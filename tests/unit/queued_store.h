/* Blocks that queued forced entries, and the heights that delivered them, as records of a store:
 * for tests of what reads them back. Records are put into a write that the caller has begun. */
#ifndef SLU_TESTS_UNIT_QUEUED_STORE_H
#define SLU_TESTS_UNIT_QUEUED_STORE_H

#include "tests/unit/prepared_store.h"

struct queued_item {
    uint8_t name;    /* of its id; rising within a block */
    uint32_t bytes;  /* of its envelope */
    uint8_t outcome; /* slu_drop, where it is delivered */
    bool evidence;
};

static inline void queued_id(uint8_t id32[32], uint8_t name)
{
    memset(id32, 0xf0, 32);
    id32[0] = name;
}

static inline struct slu_inbox_tuple queued_tuple(const struct queued_item *item)
{
    struct slu_inbox_tuple tuple = {
        .kind = item->evidence ? SLU_INBOX_EVIDENCE : SLU_INBOX_FORCED,
        .bytes = item->bytes,
        .valid_until_ms = item->evidence ? SLU_VALID_FOR_EVER : 1000000,
    };
    queued_id(tuple.id, item->name);
    return tuple;
}

/** FINAL of `height`: it queued `items`, and the queue's tail is then as given. */
static inline void put_queuing_block(struct slu_disk *disk, uint64_t height,
                                     struct slu_queue_tail tail, const struct queued_item *items,
                                     uint16_t count)
{
    static uint8_t record[SLU_BLOCK_BYTES_MAX + 4096], list[4096];
    static struct slu_block block;
    struct slu_writer w = slu_writer_of(record, sizeof record);
    struct slu_writer l = slu_writer_of(list, sizeof list);
    memset(&block, 0, sizeof block);
    block.view = block.height = height;
    block.time_ms = height * STEP_MS;
    block.n = BATCHES;
    block.tail = tail;
    for (uint16_t lane = 0; lane < BATCHES; lane++) {
        block.cut[lane].position = height;
        name_of(block.cut[lane].digest, height, lane, 99);
    }
    for (uint16_t i = 0; i < count; i++) {
        struct slu_inbox_tuple tuple = queued_tuple(&items[i]);
        slu_inbox_tuple_write(&l, &tuple);
    }
    block.queued = list;
    block.queued_count = count;
    slu_block_write(&w, &block);
    slu_write_u8(&w, 0);
    assert_false(w.failed || l.failed);
    struct slu_record_key key = {.kind = SLU_REC_FINAL, .a = height};
    slu_disk_put(disk, &key, record, slu_writer_len(&w), NULL, 0);
}

/** DELIVERED of `height`: these came out of the queue, and nothing else. */
static inline void put_out_of_queue(struct slu_disk *disk, uint64_t height,
                                    const struct queued_item *items, uint32_t count)
{
    uint8_t record[1024], block[32] = {0};
    struct slu_writer w = slu_writer_of(record, sizeof record);
    slu_write_bytes(&w, block, 32);
    slu_write_u64(&w, height);
    slu_write_u64(&w, height * STEP_MS);
    slu_write_u32(&w, count);
    slu_write_u32(&w, count);
    for (int none = 0; none < 3; none++) /* batches, drops, dues */
        slu_write_u32(&w, 0);
    for (uint32_t i = 0; i < count; i++) {
        struct slu_inbox_tuple tuple = queued_tuple(&items[i]);
        slu_inbox_tuple_write(&w, &tuple);
        slu_write_u8(&w, items[i].outcome);
    }
    assert_false(w.failed);
    struct slu_record_key key = {.kind = SLU_REC_DELIVERED, .a = height};
    slu_disk_put(disk, &key, record, slu_writer_len(&w), NULL, 0);
}

#endif
