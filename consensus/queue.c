/* The queue: which inbox items a block queues, and when they are delivered (clauses 6.4, 6.5). All
 * of it is a function of the chain of blocks. */
#include <string.h>

#include "consensus/block.h"
#include "consensus/state.h"

#define ID_PREFIX_BYTES 16u /* clause 4.2: ids are told apart by these */
#define ASKED_AHEAD     64u /* entries, of final heights above the one that is to be delivered */

static uint32_t ring_cap(const struct slu_genesis *g)
{
    /* What is remembered at the final block, as much again while delivery lags, and one block more.
     */
    return 2 * g->params.inbox_ids_max + slu_inbox_per_block(g);
}

size_t slu_queue_bytes(const struct slu_genesis *g)
{
    return (size_t)ring_cap(g) * sizeof(struct slu_queued) + slu_idset_bytes(ring_cap(g)) +
           (size_t)SLU_OFFENCES * g->n * sizeof(struct slu_offence_slot) +
           SLU_POSTAGE_BLOCKS * sizeof(struct slu_named) +
           (size_t)slu_inbox_per_block(g) * SLU_INBOX_TUPLE_BYTES + 256;
}

void slu_queue_init(struct slu_core *c, struct slu_arena *arena)
{
    struct slu_queue *q = &c->queue;
    q->cap = ring_cap(c->g);
    q->ring = slu_arena_take(arena, (size_t)q->cap * sizeof *q->ring);
    slu_idset_init(&q->ids, arena, q->cap, slu_random(c));
    q->offences = slu_arena_take(arena, (size_t)SLU_OFFENCES * c->n * sizeof *q->offences);
    q->named = slu_arena_take(arena, SLU_POSTAGE_BLOCKS * sizeof *q->named);
    q->work_list = slu_arena_take(arena, (size_t)slu_inbox_per_block(c->g) * SLU_INBOX_TUPLE_BYTES);
    SLU_CHECK(q->ring && q->offences && q->named && q->work_list);
}

/* ---- what is remembered ---- */

static struct slu_queued *at(const struct slu_queue *q, uint64_t number)
{
    return &q->ring[number % q->cap];
}

struct slu_queued *slu_queue_find(const struct slu_core *c, const uint8_t id32[32])
{
    const struct slu_queue *q = &c->queue;
    const struct slu_idset_entry *found = q->top > q->first ? slu_idset_find(&q->ids, id32) : NULL;
    return found ? at(q, found->a) : NULL;
}

struct slu_offence_slot *slu_queue_offence(const struct slu_core *c, uint8_t offence,
                                           uint16_t offender)
{
    return &c->queue.offences[(size_t)offence * c->n + offender];
}

bool slu_queued_counts(const struct slu_genesis *g, uint64_t queued_ms, uint64_t tail_height,
                       const struct slu_block *block)
{
    return queued_ms + g->params.dedup_window_ms >= block->time_ms || tail_height > block->height;
}

static bool counts(const struct slu_core *c, uint64_t queued_ms, uint64_t tail_height,
                   const struct slu_block *block)
{
    return slu_queued_counts(c->g, queued_ms, tail_height, block);
}

/* How many entries of the ring count for `block`. */
static uint64_t counting(const struct slu_core *c, const struct slu_block *block)
{
    const struct slu_queue *q = &c->queue;
    uint64_t low = q->first, high = q->top;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (counts(c, at(q, mid)->time_ms, at(q, mid)->tail_height, block))
            high = mid;
        else
            low = mid + 1;
    }
    return q->top - low;
}

static bool list_has(const struct slu_block *block, const uint8_t id32[32])
{
    uint32_t low = 0, high = block->queued_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order =
            memcmp(block->queued + (size_t)mid * SLU_INBOX_TUPLE_BYTES, id32, ID_PREFIX_BYTES);
        if (order == 0)
            return true;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

bool slu_queue_pending_has(const struct slu_core *c, const struct slu_block *base,
                           const uint8_t id32[32])
{
    while (base && base->view > c->head.view) {
        if (list_has(base, id32))
            return true;
        base = slu_chain_find(c, base->parent);
    }
    return false;
}

static uint32_t forced_in(const struct slu_block *block)
{
    uint32_t count = 0;
    struct slu_inbox_tuple tuple;
    for (uint32_t i = 0; i < block->queued_count; i++) {
        slu_inbox_tuple_at(block->queued, i, &tuple);
        count += tuple.kind != SLU_INBOX_EVIDENCE;
    }
    return count;
}

/* ---- the list of a block ---- */

/* The pending ancestors that queued something, from `parent` down to the final block. */
struct ancestry {
    const struct slu_block *blocks[SLU_PENDING_BLOCKS];
    uint32_t count;
    uint64_t room; /* forced ids that may still be queued */
};

/* Collects what `block`'s ancestors queued. False while something of it is missing. */
static bool gather(struct slu_core *c, const struct slu_block *parent,
                   const struct slu_block *block, struct ancestry *out)
{
    uint64_t used = counting(c, block);
    out->count = 0;
    if (!slu_chain_queue_known(c))
        return false;
    for (const struct slu_block *a = parent; a->view > c->head.view;) {
        if (a->queued_count > 0 && counts(c, a->time_ms, a->tail.height, block)) {
            out->blocks[out->count++] = a;
            used += forced_in(a);
        }
        const struct slu_block *next = slu_chain_find(c, a->parent);
        if (!next) {
            slu_fetch_want(c, SLU_FETCH_BLOCK, 0, 0, 0, a->parent, UINT64_MAX);
            return false;
        }
        a = next;
    }
    out->room = used < c->g->params.inbox_ids_max ? c->g->params.inbox_ids_max - used : 0;
    return true;
}

static bool was_queued(const struct slu_core *c, const struct ancestry *ancestry,
                       const struct slu_block *block, const uint8_t id32[32])
{
    const struct slu_queued *entry = slu_queue_find(c, id32);
    if (entry && counts(c, entry->time_ms, entry->tail_height, block))
        return true;
    for (uint32_t i = 0; i < ancestry->count; i++)
        if (list_has(ancestry->blocks[i], id32))
            return true;
    return false;
}

bool slu_reports_next_tuple(const struct slu_genesis *g, const struct slu_report *const *reports,
                            uint16_t *cursors, struct slu_inbox_tuple *out)
{
    const uint8_t *best = NULL;
    uint16_t q = slu_genesis_q(g);
    for (uint16_t i = 0; i < q; i++) {
        const uint8_t *each = reports[i]->inbox + (size_t)cursors[i] * SLU_INBOX_TUPLE_BYTES;
        if (cursors[i] < reports[i]->inbox_count &&
            (!best || memcmp(each, best, SLU_INBOX_TUPLE_BYTES) < 0))
            best = each;
    }
    if (!best)
        return false;
    slu_inbox_tuple_at(best, 0, out);
    for (uint16_t i = 0; i < q; i++)
        if (cursors[i] < reports[i]->inbox_count &&
            !memcmp(reports[i]->inbox + (size_t)cursors[i] * SLU_INBOX_TUPLE_BYTES, out->id,
                    ID_PREFIX_BYTES))
            cursors[i]++;
    return true;
}

bool slu_tuple_in_time(const struct slu_genesis *g, const struct slu_inbox_tuple *t,
                       uint64_t time_ms)
{
    return t->kind == SLU_INBOX_EVIDENCE ||
           (t->valid_until_ms >= time_ms &&
            t->valid_until_ms - time_ms <= g->params.dedup_window_ms);
}

bool slu_queue_compute(struct slu_core *c, struct slu_block *out, const struct slu_block *parent,
                       const struct slu_report *const *reports)
{
    uint16_t cursors[SLU_NODES_MAX] = {0};
    struct ancestry ancestry = {.room = 0};
    struct slu_inbox_tuple t;
    bool gathered = false;
    out->tail = parent->tail;
    memcpy(out->evident, parent->evident, sizeof out->evident);
    out->queued = c->queue.work_list;
    struct slu_writer w = slu_writer_of(c->queue.work_list,
                                        (size_t)slu_inbox_per_block(c->g) * SLU_INBOX_TUPLE_BYTES);
    while (slu_reports_next_tuple(c->g, reports, cursors, &t)) {
        if (!slu_tuple_in_time(c->g, &t, out->time_ms))
            continue;
        if (t.kind == SLU_INBOX_EVIDENCE) {
            uint64_t bit = UINT64_C(1) << t.offender;
            if (out->evident[t.offence] & bit)
                continue;
            out->evident[t.offence] |= bit;
        } else {
            if (!gathered && !gather(c, parent, out, &ancestry))
                return false;
            gathered = true;
            if (ancestry.room == 0 || was_queued(c, &ancestry, out, t.id))
                continue;
            ancestry.room--;
            slu_queue_book(c->g, &out->tail, out->height, t.bytes);
        }
        slu_inbox_tuple_write(&w, &t);
        out->queued_count++;
    }
    SLU_CHECK(!w.failed);
    return true;
}

/* ---- final blocks ---- */

bool slu_queue_has_room(const struct slu_core *c, const struct slu_block *block)
{
    return c->queue.cap - (c->queue.top - c->queue.first) >= block->queued_count;
}

static void push_forced(struct slu_core *c, const struct slu_block *block,
                        const struct slu_inbox_tuple *t, uint64_t due)
{
    struct slu_queue *q = &c->queue;
    struct slu_queued *entry = at(q, q->top);
    *entry = (struct slu_queued){
        .due = due,
        .valid_until_ms = t->valid_until_ms,
        .height = block->height,
        .time_ms = block->time_ms,
        .tail_height = block->tail.height,
        .bytes = t->bytes,
        .node = t->offender,
        .kind = t->kind,
        .phase = t->offence,
    };
    memcpy(entry->id, t->id, 32);
    slu_inbox_queued(c, t, &entry->held, &entry->holders);
    /* An entry whose id could be queued again was forgotten before, or the block is not what it is.
     */
    if (!slu_idset_find(&q->ids, t->id))
        SLU_CHECK(slu_idset_add(&q->ids, t->id, q->top, 0, 0));
    q->top++;
    c->stats.forced_queued += t->kind == SLU_INBOX_FORCED;
}

static void push_evidence(struct slu_core *c, const struct slu_block *block,
                          const struct slu_inbox_tuple *t)
{
    struct slu_offence_slot *slot = slu_queue_offence(c, t->offence, t->offender);
    slot->tuple = *t;
    slot->height = block->height;
    slu_inbox_queued(c, t, &slot->held, &slot->holders);
    c->stats.evidence_queued++;
}

void slu_queue_push(struct slu_core *c, const struct slu_block *block,
                    const struct slu_queue_tail *before)
{
    struct slu_queue_tail tail = *before;
    struct slu_named *named = &c->queue.named[block->height % SLU_POSTAGE_BLOCKS];
    struct slu_inbox_tuple t;
    SLU_CHECK(named->height < block->height); /* counted twice, it would spoil all later blocks */
    for (uint32_t i = 0; i < block->queued_count; i++) {
        slu_inbox_tuple_at(block->queued, i, &t);
        if (t.kind == SLU_INBOX_EVIDENCE)
            push_evidence(c, block, &t);
        else
            push_forced(c, block, &t, slu_queue_book(c->g, &tail, block->height, t.bytes));
    }
    named->height = block->height;
    named->time_ms = block->time_ms;
    named->booked_bytes = slu_queue_booked(c->g, &block->tail, block->height);
    memcpy(named->digest, block->digest, 32);
}

const struct slu_named *slu_queue_named(const struct slu_core *c, uint64_t height,
                                        const uint8_t digest32[32])
{
    const struct slu_named *named = &c->queue.named[height % SLU_POSTAGE_BLOCKS];
    return height > 0 && named->height == height && slu_digest_is(named->digest, digest32) ? named
                                                                                           : NULL;
}

/* ---- delivery ---- */

static bool want_item(struct slu_core *c, bool held, const uint8_t id32[32],
                      uint64_t valid_until_ms, uint64_t holders)
{
    if (!held)
        slu_fetch_want(c, SLU_FETCH_ITEM, 0, valid_until_ms, 0, id32,
                       holders ? holders : UINT64_MAX);
    return held;
}

bool slu_queue_ready(struct slu_core *c, uint64_t height)
{
    struct slu_queue *q = &c->queue;
    bool ready = true;
    /* Items of the final heights above are asked for along with it: one height a round trip would not
     * catch up with a chain that has one at every height. */
    for (uint64_t i = q->due; i < q->top; i++) {
        const struct slu_queued *entry = at(q, i);
        if (entry->due > height && (entry->due > c->head.height || i >= q->due + ASKED_AHEAD))
            break;
        bool held =
            want_item(c, entry->held, entry->id, entry->valid_until_ms, entry->holders);
        ready &= held || entry->due > height;
    }
    for (size_t i = 0; c->slashed && i < (size_t)SLU_OFFENCES * c->n; i++)
        if (q->offences[i].height == height)
            ready &= want_item(c, q->offences[i].held, q->offences[i].tuple.id, SLU_VALID_FOR_EVER,
                               q->offences[i].holders);
    return ready;
}

void slu_queue_mark_done(struct slu_core *c, const uint8_t id32[32])
{
    struct slu_queued *entry = c->queue.due < c->queue.top ? slu_queue_find(c, id32) : NULL;
    if (entry && slu_digest_is(entry->id, id32))
        entry->done = true;
}

void slu_queue_restore_done(struct slu_core *c, const uint8_t id32[32], uint64_t height)
{
    struct slu_queued *entry = slu_queue_find(c, id32);
    if (entry && slu_digest_is(entry->id, id32) && height < entry->due)
        entry->done = true;
}

uint64_t slu_queue_of_height(const struct slu_core *c, uint64_t height)
{
    const struct slu_queue *q = &c->queue;
    uint64_t low = q->first, high = q->top;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (at(q, mid)->height >= height)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

bool slu_queue_remembers(const struct slu_core *c, const struct slu_block *block,
                         const struct slu_block *delivered)
{
    return counts(c, block->time_ms, block->tail.height, delivered);
}

void slu_queue_delivered(struct slu_core *c)
{
    struct slu_queue *q = &c->queue;
    while (q->due < q->top && at(q, q->due)->due <= c->delivered.height)
        q->due++;
    while (q->first < q->due &&
           !counts(c, at(q, q->first)->time_ms, at(q, q->first)->tail_height, &c->delivered)) {
        const struct slu_idset_entry *oldest = slu_idset_oldest(&q->ids);
        if (oldest && oldest->a == q->first)
            slu_idset_pop(&q->ids);
        q->first++;
    }
}
