/* An entry's envelope, by where it was ordered. */
#include <string.h>

#include "audit/void.h"
#include "sluice/error.h"

/* Of the items, the index-th that is an entry; NOT_FOUND moves *index past them. */
static int in_inbox(struct slu_audit *a, struct slu_delivered *record, uint32_t *index,
                    struct audit_bytes *out)
{
    struct slu_delivered_inbox item;
    const uint8_t *value;
    size_t len;
    for (uint32_t i = 0; i < record->inbox_count; i++) {
        slu_delivered_next_inbox(record, &item);
        if (item.outcome != SLU_DROP_NONE || (*index)-- > 0)
            continue;
        int rc = audit_get(a->store, SLU_REC_INBOX, item.tuple.valid_until_ms, 0, item.tuple.id,
                           &value, &len);
        if (rc || len < SLU_RELAY_BYTES)
            return rc ? rc : SLU_ERR_NOT_FOUND;
        rc = audit_bytes_set(out, value + SLU_RELAY_BYTES, len - SLU_RELAY_BYTES);
        return rc ? rc : 1;
    }
    return SLU_OK;
}

static int in_batch(struct slu_audit *a, const struct slu_delivered_batch *ref, uint32_t number,
                    struct slu_delivered *record, struct slu_delivered_drop *drop, uint32_t *index,
                    struct audit_bytes *out)
{
    const uint8_t *value;
    size_t len;
    struct slu_tx tx;
    int rc =
        audit_get(a->store, SLU_REC_BATCH, ref->lane, ref->position, ref->digest, &value, &len);
    if (rc)
        return rc;
    struct slu_reader r = slu_reader_of(value, len);
    if (!slu_read_bytes(&r, SLU_SIGNED_HEADER_BYTES))
        return SLU_ERR_NOT_FOUND;
    for (uint32_t i = 0; i < ref->txs && slu_tx_read(&r, &tx); i++) {
        if (drop->batch == number && drop->tx == i) {
            drop->batch = UINT32_MAX;
            if (record->drop_count > 0) {
                record->drop_count--;
                slu_delivered_next_drop(record, drop);
            }
            continue;
        }
        if ((*index)-- == 0) {
            rc = audit_bytes_set(out, tx.bytes, tx.bytes_len);
            return rc ? rc : 1;
        }
    }
    return SLU_OK;
}

int audit_find_envelope(struct slu_audit *a, uint64_t height, uint32_t index,
                        struct audit_bytes *out)
{
    const uint8_t *value;
    size_t len;
    struct audit_bytes copy = {.at = NULL};
    struct slu_delivered record;
    struct slu_delivered_due due;
    struct slu_delivered_batch ref;
    struct slu_delivered_drop drop = {.batch = UINT32_MAX};
    int rc = audit_get(a->store, SLU_REC_DELIVERED, height, 0, NULL, &value, &len);
    if (!rc)
        rc = audit_bytes_set(&copy, value, len);
    if (!rc && slu_delivered_open(&record, copy.at, copy.len))
        rc = SLU_ERR_NOT_FOUND;
    if (!rc)
        rc = in_inbox(a, &record, &index, out);
    for (uint32_t i = 0; !rc && i < record.due_count; i++) {
        slu_delivered_next_due(&record, &due);
        index -= due.ordered_height < height;
    }
    if (!rc && record.drop_count > 0) {
        record.drop_count--;
        slu_delivered_next_drop(&record, &drop);
    }
    for (uint32_t i = 0; !rc && i < record.batch_count; i++) {
        slu_delivered_next_batch(&record, &ref);
        rc = in_batch(a, &ref, i, &record, &drop, &index, out);
    }
    audit_bytes_free(&copy);
    return rc == 1 ? SLU_OK : rc == SLU_OK ? SLU_ERR_NOT_FOUND : rc;
}
