/* From a block to its entries (clauses 4.1, 4.2, 6.5): made again, and compared with the record. */
#include <string.h>

#include "audit/state.h"
#include "sluice/error.h"
#include "wire/entry.h"
#include "wire/evidence.h"
#include "wire/keygen.h"

#define OUTCOME_DROPPED UINT32_C(0x80000000)

/* ---- what is made ---- */

static int note_id(struct slu_audit *a, const uint8_t id32[32], uint32_t outcome)
{
    uint8_t bytes[36];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_bytes(&w, id32, 32);
    slu_write_u32(&w, outcome);
    return audit_bytes_add(&a->ids, bytes, sizeof bytes);
}

static int note_drop(struct slu_audit *a, uint32_t batch, uint32_t tx, uint8_t reason)
{
    uint8_t bytes[SLU_DELIVERED_DROP_BYTES];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u32(&w, batch);
    slu_write_u32(&w, tx);
    slu_write_u8(&w, reason);
    return audit_bytes_add(&a->drops, bytes, sizeof bytes);
}

static int remember(struct slu_audit *a, const uint8_t id32[32])
{
    if (!slu_idset_add(&a->dedup, id32, a->height, a->entries, (uint32_t)a->block.time_ms))
        return audit_fault(a, SLU_AUDIT_IDS, "more ids than the window holds");
    return SLU_OK;
}

static void expire(struct slu_audit *a)
{
    const struct slu_idset_entry *oldest;
    while ((oldest = slu_idset_oldest(&a->dedup)) != NULL &&
           (uint32_t)((uint32_t)a->block.time_ms - oldest->c) > a->g->params.dedup_window_ms)
        slu_idset_pop(&a->dedup);
}

/* ---- out of the queue ---- */

/* The content of an item, checked against its tuple; the store's until its next call. */
static int read_item(struct slu_audit *a, const struct slu_inbox_tuple *t, const uint8_t **content,
                     size_t *len)
{
    const uint8_t *value;
    int rc = audit_get(a->store, SLU_REC_INBOX, t->valid_until_ms, 0, t->id, &value, len);
    if (rc == SLU_ERR_NOT_FOUND)
        return audit_fault(a, SLU_AUDIT_FORCED, "the content of an item is missing");
    if (rc)
        return rc;
    struct slu_relay relay = {.kind = t->kind};
    if (*len < SLU_RELAY_BYTES ||
        slu_relay_derive(&relay, a->g, value + SLU_RELAY_BYTES, *len - SLU_RELAY_BYTES))
        return audit_fault(a, SLU_AUDIT_FORCED, "the content of an item is malformed");
    if (!slu_inbox_tuple_same(&relay.tuple, t))
        return audit_fault(a, SLU_AUDIT_FORCED, "the content of an item is another one's");
    *content = value + SLU_RELAY_BYTES;
    *len -= SLU_RELAY_BYTES;
    return SLU_OK;
}

static int deliver_evidence(struct slu_audit *a, const struct slu_inbox_tuple *t, uint32_t index,
                            const uint8_t *content, size_t len)
{
    struct slu_evidence found;
    if (slu_evidence_check(&found, a->g, content, len, &a->verifier))
        return audit_fault(a, SLU_AUDIT_EVIDENCE, "evidence against node %u proves nothing",
                           t->offender);
    if (found.offender != t->offender || (uint8_t)found.offence != t->offence)
        return audit_fault(a, SLU_AUDIT_EVIDENCE, "evidence against node %u is against another",
                           t->offender);
    audit_count(a, SLU_AUDIT_EVIDENCE, 1, true);
    return audit_entry(a, index, SLU_ENTRY_EVIDENCE, t->id, NULL);
}

static int deliver_content(struct slu_audit *a, const struct slu_inbox_tuple *t, uint32_t index)
{
    const uint8_t *content = NULL;
    size_t len = 0;
    struct slu_tx tx;
    int rc = read_item(a, t, &content, &len);
    if (rc)
        return rc;
    if (t->kind == SLU_INBOX_EVIDENCE)
        return deliver_evidence(a, t, index, content, len);
    struct slu_reader r = slu_reader_of(content, len);
    if (!slu_tx_read(&r, &tx))
        return audit_fault(a, SLU_AUDIT_FORCED, "the content of an item is no envelope");
    if (t->kind == SLU_INBOX_KEYGEN) {
        slu_key_replay_deliver(a->replay, a->height, content, len);
        return audit_entry(a, index, SLU_ENTRY_KEYGEN, t->id, &tx);
    }
    rc = audit_entry(a, index, (uint8_t)(tx.kind | SLU_ENTRY_FORCED), t->id, &tx);
    if (rc || t->offence == SLU_FORCED_PLAIN)
        return rc;
    return audit_sealed_forced(a, &tx, t->id, index);
}

/* The next item of the record must be this one. */
static int deliver_item(struct slu_audit *a, const struct slu_inbox_tuple *t, bool done)
{
    struct slu_delivered_inbox item;
    uint8_t outcome = done ? SLU_DROP_DUPLICATE : SLU_DROP_NONE;
    bool locked = t->kind == SLU_INBOX_FORCED && t->offence == SLU_FORCED_LOCKED;
    if (a->delivered.inbox_count == 0)
        return audit_fault(a, SLU_AUDIT_FORCED, "an item that is due does not come");
    a->delivered.inbox_count--;
    slu_delivered_next_inbox(&a->delivered, &item);
    if (!slu_inbox_tuple_same(&item.tuple, t))
        return audit_fault(a, SLU_AUDIT_FORCED, "another item comes than the one that is due");
    if (!done && a->dedup.count == a->dedup.cap)
        outcome = SLU_DROP_WINDOW_FULL;
    if (outcome == SLU_DROP_NONE && locked && a->whole && !audit_sealed_keep_forced(a, t->bytes))
        outcome = SLU_DROP_CALENDAR_FULL;
    bool unknown = (!a->dedup_known && item.outcome == SLU_DROP_DUPLICATE) ||
                   (!a->whole && item.outcome == SLU_DROP_CALENDAR_FULL);
    if (outcome == SLU_DROP_NONE && unknown) {
        audit_skip(a, SLU_AUDIT_FORCED, 1);
        outcome = item.outcome;
    }
    if (outcome != item.outcome)
        return audit_fault(a, SLU_AUDIT_FORCED, "an item is %s, it should be %s",
                           item.outcome ? slu_drop_name((enum slu_drop)item.outcome) : "delivered",
                           outcome ? slu_drop_name((enum slu_drop)outcome) : "delivered");
    audit_count(a, SLU_AUDIT_FORCED, 1, a->queue_known);
    if (outcome == SLU_DROP_DUPLICATE)
        return SLU_OK;
    if (outcome != SLU_DROP_NONE)
        return note_id(a, t->id, OUTCOME_DROPPED | outcome);
    int rc = remember(a, t->id);
    return rc ? rc : note_id(a, t->id, a->entries++);
}

/* What this block queued and was delivered before. */
static int mark_known(struct slu_audit *a)
{
    int rc = SLU_OK;
    uint64_t first = a->ring_top;
    while (first > a->ring_first && audit_queued_at(a, first - 1)->height == a->height)
        first--;
    for (uint64_t i = first; i < a->ring_top && !rc; i++) {
        struct audit_queued *entry = audit_queued_at(a, i);
        if (!slu_idset_find(&a->dedup, entry->tuple.id))
            continue;
        entry->done = true;
        rc = note_id(a, entry->tuple.id, OUTCOME_DROPPED | SLU_DROP_DUPLICATE);
    }
    return rc;
}

static int deliver_evidences(struct slu_audit *a)
{
    struct slu_inbox_tuple t;
    int rc = SLU_OK;
    for (uint32_t i = 0; i < a->block.queued_count && !rc; i++) {
        slu_inbox_tuple_at(a->block.queued, i, &t);
        if (t.kind == SLU_INBOX_EVIDENCE)
            rc = deliver_item(a, &t, false);
    }
    return rc;
}

/* In two passes, as indexes are given before contents are read: what is due has its index and room
 * in the calendar by its tuple alone. */
static int deliver_inbox(struct slu_audit *a)
{
    struct slu_delivered before = a->delivered;
    int rc = mark_known(a);
    if (!rc)
        rc = deliver_evidences(a);
    for (uint64_t i = a->ring_first; i < a->ring_top && !rc; i++) {
        struct audit_queued *entry = audit_queued_at(a, i);
        if (entry->due != a->height)
            continue;
        bool done = entry->done || slu_idset_find(&a->dedup, entry->tuple.id);
        rc = deliver_item(a, &entry->tuple, done);
    }
    if (!rc && a->delivered.inbox_count > 0)
        return audit_fault(a, SLU_AUDIT_FORCED, "an item comes that is not due");
    uint32_t index = 0;
    for (uint32_t i = 0; i < before.inbox_count && !rc; i++) {
        struct slu_delivered_inbox item;
        slu_delivered_next_inbox(&before, &item);
        if (item.outcome == SLU_DROP_NONE)
            rc = deliver_content(a, &item.tuple, index++);
    }
    return rc;
}

/* ---- lanes ---- */

/* What the record says became of a transaction: 0, or why it was dropped. */
static uint8_t shown_drop(struct slu_audit *a, uint32_t batch, uint32_t tx)
{
    if (!a->has_drop && a->delivered.drop_count > 0) {
        struct slu_delivered_drop drop;
        a->delivered.drop_count--;
        slu_delivered_next_drop(&a->delivered, &drop);
        a->drop_batch = drop.batch;
        a->drop_tx = drop.tx;
        a->drop_reason = drop.reason;
        a->has_drop = true;
    }
    if (!a->has_drop || a->drop_batch != batch || a->drop_tx != tx)
        return SLU_DROP_NONE;
    a->has_drop = false;
    return a->drop_reason;
}

static int compare_drop(struct slu_audit *a, uint32_t batch, uint32_t tx, uint8_t shown,
                        uint8_t right)
{
    bool of_ids = shown == SLU_DROP_DUPLICATE || right == SLU_DROP_DUPLICATE;
    if (shown == right)
        return SLU_OK;
    return audit_fault(a, of_ids ? SLU_AUDIT_IDS : SLU_AUDIT_ORDER,
                       "transaction %u of batch %u is %s, it should be %s", tx, batch,
                       shown ? slu_drop_name((enum slu_drop)shown) : "delivered",
                       right ? slu_drop_name((enum slu_drop)right) : "delivered");
}

static int deliver_tx(struct slu_audit *a, uint32_t batch, uint16_t lane, uint32_t index,
                      const struct slu_tx *tx)
{
    uint8_t id[32], shown = shown_drop(a, batch, index);
    slu_tx_id(id, a->g, tx);
    enum slu_drop reason = slu_tx_check(a->g, tx, a->block.time_ms);
    int rc = SLU_OK;
    if (reason == SLU_DROP_NONE && slu_idset_find(&a->dedup, id))
        reason = SLU_DROP_DUPLICATE;
    if (reason == SLU_DROP_NONE && a->dedup.count >= a->g->params.dedup_entries_max)
        reason = SLU_DROP_WINDOW_FULL;
    if (reason == SLU_DROP_NONE && !a->dedup_known &&
        (shown == SLU_DROP_DUPLICATE || shown == SLU_DROP_WINDOW_FULL)) {
        audit_skip(a, SLU_AUDIT_IDS, 1);
        reason = (enum slu_drop)shown;
    }
    if (reason == SLU_DROP_NONE && tx->kind == SLU_TX_SEALED)
        rc = audit_sealed_judge(a, lane, tx, id, shown, &reason);
    if (!rc)
        rc = compare_drop(a, batch, index, shown, (uint8_t)reason);
    if (rc)
        return rc;
    if (reason != SLU_DROP_NONE) {
        rc = note_drop(a, batch, index, (uint8_t)reason);
        return rc || reason == SLU_DROP_DUPLICATE
                   ? rc
                   : note_id(a, id, OUTCOME_DROPPED | (uint32_t)reason);
    }
    rc = remember(a, id);
    if (rc)
        return rc;
    struct audit_queued *queued = audit_queued_find(a, id);
    if (queued && audit_same(queued->tuple.id, id))
        queued->done = true;
    rc = audit_entry(a, a->entries, tx->kind, id, tx);
    return rc ? rc : note_id(a, id, a->entries++);
}

static int deliver_batch(struct slu_audit *a, uint32_t number, const struct audit_batch *batch)
{
    const struct slu_batch_header *h = &batch->header;
    struct slu_delivered_batch shown;
    if (number >= a->delivered.batch_count)
        return audit_fault(a, SLU_AUDIT_ORDER, "batch %llu of lane %u does not come",
                           (unsigned long long)h->position, h->lane);
    slu_delivered_next_batch(&a->delivered, &shown);
    if (shown.lane != h->lane || shown.position != h->position || shown.txs != h->txs ||
        !audit_same(shown.digest, h->digest))
        return audit_fault(a, SLU_AUDIT_ORDER,
                           "batch %u is %llu of lane %u, it should be %llu of lane %u", number,
                           (unsigned long long)shown.position, shown.lane,
                           (unsigned long long)h->position, h->lane);
    struct slu_reader r = slu_reader_of(a->bodies.at + batch->payload, h->payload_bytes);
    struct slu_tx tx;
    uint32_t at = 0;
    int rc = SLU_OK;
    for (; at < h->txs && !rc && slu_tx_read(&r, &tx); at++)
        rc = deliver_tx(a, number, h->lane, at, &tx);
    for (; at < h->txs && !rc; at++) {
        rc = compare_drop(a, number, at, shown_drop(a, number, at), SLU_DROP_MALFORMED);
        if (!rc)
            rc = note_drop(a, number, at, SLU_DROP_MALFORMED);
    }
    audit_count(a, SLU_AUDIT_ORDER, h->txs, a->whole || a->dedup_known);
    return rc;
}

/* ---- a height ---- */

static int open_record(struct slu_audit *a)
{
    const uint8_t *value;
    size_t len;
    int rc = audit_get(a->store, SLU_REC_DELIVERED, a->height, 0, NULL, &value, &len);
    if (rc == SLU_ERR_NOT_FOUND)
        return audit_fault(a, SLU_AUDIT_ORDER, "what is delivered is missing");
    if (!rc)
        rc = audit_bytes_set(&a->delivered_bytes, value, len);
    if (rc)
        return rc;
    if (slu_delivered_open(&a->delivered, a->delivered_bytes.at, a->delivered_bytes.len))
        return audit_fault(a, SLU_AUDIT_ORDER, "what is delivered is malformed");
    if (a->delivered.height != a->height || a->delivered.time_ms != a->block.time_ms ||
        !audit_same(a->delivered.block, a->block.digest))
        return audit_fault(a, SLU_AUDIT_ORDER, "what is delivered is of another block");
    struct slu_delivered copy = a->delivered;
    void *array = a->shown;
    size_t cap = a->shown_cap;
    rc = audit_grow(&array, &cap, copy.due_count, sizeof *a->shown);
    a->shown = array;
    a->shown_cap = (uint32_t)cap;
    a->shown_count = copy.due_count;
    for (uint32_t i = 0; i < a->shown_count && !rc; i++)
        slu_delivered_next_due(&copy, &a->shown[i]);
    return rc;
}

/* The ids of the height as the store lists them. */
static int compare_ids(struct slu_audit *a)
{
    const uint8_t *value;
    size_t len;
    int rc = audit_get(a->store, SLU_REC_IDS, a->height, 0, NULL, &value, &len);
    if (rc && rc != SLU_ERR_NOT_FOUND)
        return rc;
    struct slu_reader r = slu_reader_of(rc ? NULL : value, rc ? 0 : len);
    uint32_t count = rc ? 0 : slu_read_u32(&r);
    if (r.failed || slu_reader_left(&r) != a->ids.len || count != a->ids.len / 36u ||
        (a->ids.len && memcmp(r.at, a->ids.at, a->ids.len) != 0))
        return audit_fault(a, SLU_AUDIT_IDS, "the list of its ids is not what it delivers");
    audit_count(a, SLU_AUDIT_IDS, count, a->dedup_known);
    return SLU_OK;
}

int audit_deliver(struct slu_audit *a)
{
    int rc = open_record(a);
    a->ids.len = a->drops.len = 0;
    a->entries = 0;
    a->has_drop = false;
    if (rc)
        return rc;
    expire(a);
    audit_sealed_begin(a);
    rc = deliver_inbox(a);
    if (!rc)
        rc = audit_sealed_waited(a);
    for (uint32_t i = 0; i < a->batch_count && !rc; i++)
        rc = deliver_batch(a, i, &a->lane_batches[a->plan[i]]);
    if (rc)
        return rc;
    if (a->delivered.batch_count != a->batch_count)
        return audit_fault(a, SLU_AUDIT_ORDER, "batches come that are not in the cut");
    if (a->has_drop || a->delivered.drop_count > 0)
        return audit_fault(a, SLU_AUDIT_ORDER, "transactions are dropped that are not there");
    rc = audit_sealed_end(a);
    if (rc)
        return rc;
    if (a->delivered.entries != a->entries)
        return audit_fault(a, SLU_AUDIT_ORDER, "it has %u entries, it should be %u",
                           a->delivered.entries, a->entries);
    slu_key_replay_height_done(a->replay, a->height, a->block.time_ms);
    return compare_ids(a);
}
