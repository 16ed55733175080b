#include "node/queueing.h"

#include <string.h>

#include "consensus/order.h"
#include "sluice/error.h"
#include "wire/block.h"
#include "wire/tx.h"

struct search {
    const struct slu_store *store;
    const struct slu_genesis *genesis;
    size_t *bytes_left;
};

/* NOT_FOUND also when the bytes are used up. */
static int get(struct search *s, enum slu_record_kind kind, uint64_t height, const uint8_t **value,
               size_t *len)
{
    struct slu_record_key key = {.kind = kind, .a = height};
    int error = s->store->get(s->store->context, &key, value, len);
    if (error != 0)
        return error;
    if (*len > *s->bytes_left) {
        *s->bytes_left = 0;
        return SLU_ERR_NOT_FOUND;
    }
    *s->bytes_left -= *len;
    return 0;
}

/* The block's list lies in the store's memory: until the next get. */
static int get_block(struct search *s, uint64_t height, struct slu_block *block)
{
    const uint8_t *value;
    size_t len;
    if (height == 0) {
        slu_block_genesis(block, s->genesis);
        return 0;
    }
    int error = get(s, SLU_REC_FINAL, height, &value, &len);
    if (error != 0)
        return error;
    struct slu_reader r = slu_reader_of(value, len);
    return slu_block_read(&r, s->genesis, block) == 0 ? 0 : SLU_ERR_CORRUPT;
}

static int out_of_queue(struct search *s, uint64_t height, const uint8_t id32[32], bool *forced)
{
    struct slu_delivered record;
    struct slu_delivered_inbox item;
    const uint8_t *value;
    size_t len;
    int error = get(s, SLU_REC_DELIVERED, height, &value, &len);
    if (error != 0)
        return error;
    if (slu_delivered_open(&record, value, len) != 0)
        return SLU_ERR_CORRUPT;
    for (uint32_t i = 0; i < record.inbox_count && !*forced; i++) {
        slu_delivered_next_inbox(&record, &item);
        *forced = item.tuple.kind == SLU_INBOX_FORCED && item.outcome == SLU_DROP_NONE &&
                  memcmp(item.tuple.id, id32, 32) == 0;
    }
    return 0;
}

static bool lists(const struct slu_block *block, const uint8_t id32[32])
{
    struct slu_inbox_tuple tuple;
    for (uint32_t i = 0; i < block->queued_count; i++) {
        slu_inbox_tuple_at(block->queued, i, &tuple);
        if (memcmp(tuple.id, id32, 32) == 0)
            return true;
    }
    return false;
}

/* Books the block's items behind its parent's tail, up to this one. */
static uint64_t book(const struct slu_genesis *genesis, const struct slu_block *block,
                     struct slu_queue_tail tail, const uint8_t id32[32])
{
    struct slu_inbox_tuple tuple;
    for (uint32_t i = 0; i < block->queued_count; i++) {
        slu_inbox_tuple_at(block->queued, i, &tuple);
        if (tuple.kind == SLU_INBOX_EVIDENCE)
            continue;
        uint64_t due = slu_queue_book(genesis, &tail, block->height, tuple.bytes);
        if (memcmp(tuple.id, id32, 32) == 0)
            return due;
    }
    return 0;
}

static int find(struct search *s, uint64_t height, const uint8_t id32[32],
                struct slu_queueing *found)
{
    struct slu_block block;
    struct slu_queue_tail before;
    int error = out_of_queue(s, height, id32, &found->forced);
    if (error != 0 || !found->forced)
        return error;
    for (uint64_t queued = height - 1; queued > 0; queued--) {
        error = get_block(s, queued, &block);
        if (error != 0)
            return error;
        if (block.tail.height < height)
            return 0; /* the tail never falls: nothing up to here was queued for `height` */
        if (!lists(&block, id32))
            continue;
        error = get_block(s, queued - 1, &block);
        before = block.tail;
        if (error == 0)
            error = get_block(s, queued, &block);
        if (error != 0)
            return error;
        found->queued = queued;
        found->due = book(s->genesis, &block, before, id32);
        return 0;
    }
    return 0;
}

int slu_queueing_find(struct slu_queueing *found, const struct slu_store *store,
                      const struct slu_genesis *genesis, uint64_t height, const uint8_t id32[32],
                      size_t *bytes_left)
{
    struct search search = {.store = store, .genesis = genesis, .bytes_left = bytes_left};
    *found = (struct slu_queueing){.forced = false};
    int error = find(&search, height, id32, found);
    return error == SLU_ERR_NOT_FOUND ? 0 : error;
}
