/* Reading delivered records, in place. */
#include "consensus/order.h"

#include "sluice/error.h"

int slu_delivered_open(struct slu_delivered *record, const uint8_t *bytes, size_t len)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    slu_read_copy(&r, record->block, 32);
    record->height = slu_read_u64(&r);
    record->time_ms = slu_read_u64(&r);
    record->entries = slu_read_u32(&r);
    record->inbox_count = slu_read_u32(&r);
    record->batch_count = slu_read_u32(&r);
    record->drop_count = slu_read_u32(&r);
    record->due_count = slu_read_u32(&r);
    size_t inbox = (size_t)record->inbox_count * SLU_DELIVERED_INBOX_BYTES;
    size_t batches = (size_t)record->batch_count * SLU_DELIVERED_BATCH_BYTES;
    size_t drops = (size_t)record->drop_count * SLU_DELIVERED_DROP_BYTES;
    size_t dues = (size_t)record->due_count * SLU_DELIVERED_DUE_BYTES;
    if (r.failed || slu_reader_left(&r) != inbox + batches + drops + dues)
        return SLU_ERR_MALFORMED;
    record->inbox = slu_reader_of(r.at, inbox);
    record->batches = slu_reader_of(r.at + inbox, batches);
    record->drops = slu_reader_of(r.at + inbox + batches, drops);
    record->dues = slu_reader_of(r.at + inbox + batches + drops, dues);
    return SLU_OK;
}

void slu_delivered_next_inbox(struct slu_delivered *record, struct slu_delivered_inbox *item)
{
    const uint8_t *tuple = slu_read_bytes(&record->inbox, SLU_INBOX_TUPLE_BYTES);
    SLU_CHECK(tuple);
    slu_inbox_tuple_at(tuple, 0, &item->tuple);
    item->outcome = slu_read_u8(&record->inbox);
}

void slu_delivered_next_batch(struct slu_delivered *record, struct slu_delivered_batch *batch)
{
    batch->lane = slu_read_u16(&record->batches);
    batch->position = slu_read_u64(&record->batches);
    slu_read_copy(&record->batches, batch->digest, 32);
    batch->txs = slu_read_u32(&record->batches);
}

void slu_delivered_next_drop(struct slu_delivered *record, struct slu_delivered_drop *drop)
{
    drop->batch = slu_read_u32(&record->drops);
    drop->tx = slu_read_u32(&record->drops);
    drop->reason = slu_read_u8(&record->drops);
}

void slu_delivered_next_due(struct slu_delivered *record, struct slu_delivered_due *due)
{
    slu_read_copy(&record->dues, due->id, 32);
    due->ordered_height = slu_read_u64(&record->dues);
    due->ordered_index = slu_read_u32(&record->dues);
    due->index = slu_read_u32(&record->dues);
}
