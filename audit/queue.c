/* What blocks queue, and for which height (clauses 6.4, 6.5). */
#include <string.h>

#include "audit/state.h"
#include "sluice/error.h"

struct audit_queued *audit_queued_at(const struct slu_audit *a, uint64_t number)
{
    return &a->ring[number % a->ring_cap];
}

struct audit_queued *audit_queued_find(const struct slu_audit *a, const uint8_t id32[32])
{
    const struct slu_idset_entry *found = slu_idset_find(&a->ring_ids, id32);
    return found ? audit_queued_at(a, found->a) : NULL;
}

static bool counts(const struct slu_audit *a, const struct audit_queued *entry)
{
    return slu_queued_counts(a->g, entry->time_ms, entry->tail_height, &a->block);
}

/* Forgets what was delivered and counts no more for this block. */
void audit_queue_trim(struct slu_audit *a)
{
    while (a->ring_first < a->ring_top) {
        const struct audit_queued *entry = audit_queued_at(a, a->ring_first);
        if (entry->due >= a->block.height || counts(a, entry))
            return;
        const struct slu_idset_entry *oldest = slu_idset_oldest(&a->ring_ids);
        if (oldest && oldest->a == a->ring_first)
            slu_idset_pop(&a->ring_ids);
        a->ring_first++;
    }
}

/* How many forced ids a block may still queue. */
static uint64_t room(const struct slu_audit *a)
{
    uint64_t used = 0;
    for (uint64_t i = a->ring_first; i < a->ring_top; i++)
        used += counts(a, audit_queued_at(a, i));
    return used < a->g->params.inbox_ids_max ? a->g->params.inbox_ids_max - used : 0;
}

/* Whether an ancestor queued it, or it may have been queued below the range. */
static bool was_queued(const struct slu_audit *a, const uint8_t id32[32])
{
    const struct audit_queued *entry = audit_queued_find(a, id32);
    return entry && counts(a, entry);
}

static bool is_listed(const struct slu_block *block, const struct slu_inbox_tuple *tuple)
{
    struct slu_inbox_tuple each;
    for (uint32_t i = 0; i < block->queued_count; i++) {
        slu_inbox_tuple_at(block->queued, i, &each);
        if (slu_inbox_tuple_same(&each, tuple))
            return true;
    }
    return false;
}

/* By the reports: the same list, made again. */
static int compare_list(struct slu_audit *a)
{
    uint16_t cursors[SLU_NODES_MAX] = {0};
    uint64_t evident[SLU_OFFENCES], left = room(a), unknown = 0;
    struct slu_inbox_tuple t;
    uint8_t bytes[SLU_INBOX_TUPLE_BYTES];
    memcpy(evident, a->parent.evident, sizeof evident);
    a->work_list.len = 0;
    while (slu_reports_next_tuple(a->g, a->named, cursors, &t)) {
        if (!slu_tuple_in_time(a->g, &t, a->block.time_ms))
            continue;
        if (t.kind == SLU_INBOX_EVIDENCE) {
            uint64_t bit = UINT64_C(1) << t.offender;
            if (evident[t.offence] & bit)
                continue;
            evident[t.offence] |= bit;
        } else {
            if (left == 0 || was_queued(a, t.id))
                continue;
            if (!a->queue_known && !is_listed(&a->block, &t)) {
                unknown++; /* it may have been queued below the range */
                continue;
            }
            left--;
        }
        struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
        slu_inbox_tuple_write(&w, &t);
        int rc = audit_bytes_add(&a->work_list, bytes, sizeof bytes);
        if (rc)
            return rc;
    }
    audit_skip(a, SLU_AUDIT_QUEUE, unknown);
    size_t len = slu_block_list_bytes(&a->block);
    if (a->work_list.len != len || (len && memcmp(a->work_list.at, a->block.queued, len) != 0))
        return audit_fault(a, SLU_AUDIT_QUEUE, "it queues %u items, by its reports it is %zu%s",
                           a->block.queued_count, a->work_list.len / SLU_INBOX_TUPLE_BYTES,
                           a->work_list.len == len ? " others" : "");
    return SLU_OK;
}

/* Without reports: nothing is queued that may not be. */
static int check_list(struct slu_audit *a)
{
    struct slu_inbox_tuple t;
    for (uint32_t i = 0; i < a->block.queued_count; i++) {
        slu_inbox_tuple_at(a->block.queued, i, &t);
        if (!slu_tuple_in_time(a->g, &t, a->block.time_ms) ||
            (t.kind != SLU_INBOX_EVIDENCE && was_queued(a, t.id)))
            return audit_fault(a, SLU_AUDIT_QUEUE, "item %u was queued before, or is not in time",
                               i);
    }
    return SLU_OK;
}

/* What follows from the list: the tail, the offenders, whether the block is idle. */
static int check_totals(struct slu_audit *a)
{
    const struct slu_block *block = &a->block, *parent = &a->parent;
    struct slu_queue_tail tail = parent->tail;
    uint64_t evident[SLU_OFFENCES];
    struct slu_inbox_tuple t;
    memcpy(evident, parent->evident, sizeof evident);
    for (uint32_t i = 0; i < block->queued_count; i++) {
        slu_inbox_tuple_at(block->queued, i, &t);
        if (t.kind != SLU_INBOX_EVIDENCE)
            slu_queue_book(a->g, &tail, block->height, t.bytes);
        else
            evident[t.offence] |= UINT64_C(1) << t.offender;
    }
    if (tail.height != block->tail.height || tail.bytes != block->tail.bytes)
        return audit_fault(a, SLU_AUDIT_QUEUE,
                           "the queue ends at height %llu, by its items at %llu",
                           (unsigned long long)block->tail.height, (unsigned long long)tail.height);
    if (memcmp(evident, block->evident, sizeof evident) != 0)
        return audit_fault(a, SLU_AUDIT_QUEUE, "it names other offenders than its evidence");
    bool moved = block->queued_count > 0 || tail.height >= block->height;
    for (uint16_t l = 0; l < a->n; l++)
        moved |= block->cut[l].position > parent->cut[l].position;
    if (block->idle_run != (moved ? 0 : parent->idle_run + 1))
        return audit_fault(a, SLU_AUDIT_CHAIN, "its count of idle blocks is wrong");
    return SLU_OK;
}

int audit_queue_push(struct slu_audit *a, const struct slu_block *block,
                     const struct slu_queue_tail *before)
{
    struct slu_queue_tail tail = *before;
    struct slu_inbox_tuple t;
    for (uint32_t i = 0; i < block->queued_count; i++) {
        slu_inbox_tuple_at(block->queued, i, &t);
        if (t.kind == SLU_INBOX_EVIDENCE)
            continue;
        uint64_t due = slu_queue_book(a->g, &tail, block->height, t.bytes);
        if (a->ring_top - a->ring_first == a->ring_cap)
            return audit_fault(a, SLU_AUDIT_QUEUE, "more is queued than the chain remembers");
        *audit_queued_at(a, a->ring_top) = (struct audit_queued){.tuple = t,
                                                                 .due = due,
                                                                 .height = block->height,
                                                                 .time_ms = block->time_ms,
                                                                 .tail_height = block->tail.height};
        if (!slu_idset_find(&a->ring_ids, t.id) &&
            !slu_idset_add(&a->ring_ids, t.id, a->ring_top, 0, 0))
            return audit_fault(a, SLU_AUDIT_QUEUE, "more is queued than the chain remembers");
        a->ring_top++;
    }
    return SLU_OK;
}

int audit_queue(struct slu_audit *a)
{
    audit_queue_trim(a);
    int rc = a->has_reports ? compare_list(a) : check_list(a);
    if (!rc)
        rc = check_totals(a);
    if (!rc)
        rc = audit_queue_push(a, &a->block, &a->parent.tail);
    if (rc)
        return rc;
    if (a->has_reports)
        audit_count(a, SLU_AUDIT_QUEUE, a->block.queued_count, a->queue_known);
    else
        audit_skip(a, SLU_AUDIT_QUEUE, a->block.queued_count);
    return SLU_OK;
}
