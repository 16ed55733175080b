/* The inbox as others see it: what reports name, what backs them, what is asked for, and how items
 * leave (clauses 6.3, 6.4). */
#include <string.h>

#include "consensus/state.h"

#define ASKED_AT_ONCE 32u
#define TRIES_MAX     8u /* for an item that is not certified */

bool slu_inbox_backed(const struct slu_core *c, const struct slu_inbox_tuple *tuple)
{
    if (tuple->kind == SLU_INBOX_EVIDENCE) {
        if (c->head.evident[tuple->offence] >> tuple->offender & 1)
            return true;
    } else if (tuple->valid_until_ms < c->head.time_ms || slu_queue_find(c, tuple->id)) {
        return true; /* no block that can still be computed queues it */
    }
    uint32_t place = slu_inbox_place(c, tuple);
    return place != SLU_NONE && c->inbox.pool[place].certified;
}

/* ---- reports ---- */

static bool is_news(const struct slu_core *c, const struct slu_block *base,
                    const struct slu_inbox_tuple *t)
{
    if (t->kind == SLU_INBOX_EVIDENCE)
        return !(base->evident[t->offence] >> t->offender & 1);
    return t->valid_until_ms > base->time_ms && !slu_queue_pending_has(c, base, t->id);
}

/* After a standstill reports name nothing of the inbox until blocks are final again: whatever keeps
 * nodes from backing each other's lists must not keep them from going on (clause 6.4). */
static bool is_silent(const struct slu_core *c)
{
    return c->growth_steps > 0;
}

bool slu_inbox_has_new(const struct slu_core *c, const struct slu_block *base)
{
    const struct slu_inbox *in = &c->inbox;
    if (in->certified == 0 || is_silent(c))
        return false;
    for (uint32_t at = in->oldest; at != SLU_NONE; at = in->pool[at].newer)
        if (in->pool[at].certified && is_news(c, base, &in->pool[at].tuple))
            return true;
    return false;
}

/* Inserts by id; of two with one prefix only the first. */
static void insert(struct slu_report *report, const struct slu_inbox_tuple *tuple)
{
    uint8_t bytes[SLU_INBOX_TUPLE_BYTES];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_inbox_tuple_write(&w, tuple);
    uint32_t low = 0, high = report->inbox_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order = memcmp(report->inbox + (size_t)mid * SLU_INBOX_TUPLE_BYTES, bytes, 16);
        if (order == 0)
            return;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    uint8_t *at = report->inbox + (size_t)low * SLU_INBOX_TUPLE_BYTES;
    memmove(at + SLU_INBOX_TUPLE_BYTES, at,
            (size_t)(report->inbox_count - low) * SLU_INBOX_TUPLE_BYTES);
    memcpy(at, bytes, sizeof bytes);
    report->inbox_count++;
}

void slu_inbox_report(const struct slu_core *c, const struct slu_block *base,
                      struct slu_report *report)
{
    const struct slu_inbox *in = &c->inbox;
    uint32_t max = slu_inbox_per_report(c->g);
    report->inbox_count = 0;
    if (in->certified == 0 || is_silent(c))
        return;
    for (uint32_t at = in->oldest; at != SLU_NONE && report->inbox_count < max;
         at = in->pool[at].newer)
        if (in->pool[at].certified && is_news(c, base, &in->pool[at].tuple))
            insert(report, &in->pool[at].tuple);
}

/* ---- leaving ---- */

void slu_inbox_queued(struct slu_core *c, const struct slu_inbox_tuple *tuple, bool *held,
                      uint64_t *holders)
{
    uint32_t place = slu_inbox_place(c, tuple);
    *held = false;
    *holders = 0;
    if (place != SLU_NONE) {
        *held = c->inbox.pool[place].held;
        *holders = c->inbox.pool[place].holders;
        slu_inbox_drop(c, place);
    }
    /* Other items of the same offence will never be queued. */
    for (uint32_t at = c->inbox.oldest; tuple->kind == SLU_INBOX_EVIDENCE && at != SLU_NONE;) {
        const struct slu_inbox_tuple *t = &c->inbox.pool[at].tuple;
        uint32_t next = c->inbox.pool[at].newer;
        if (t->kind == SLU_INBOX_EVIDENCE && t->offence == tuple->offence &&
            t->offender == tuple->offender)
            slu_inbox_drop(c, at);
        at = next;
    }
}

/* After a commit: what no later block can queue. */
void slu_inbox_expire(struct slu_core *c)
{
    for (uint32_t at = c->inbox.oldest; at != SLU_NONE;) {
        const struct slu_inbox_entry *entry = &c->inbox.pool[at];
        uint32_t next = entry->newer;
        if (entry->tuple.valid_until_ms < c->head.time_ms) {
            c->stats.inbox_expired += entry->held;
            if (entry->held)
                slu_order_note_dropped(c, entry->tuple.id, c->delivered.height, SLU_DROP_EXPIRED);
            slu_inbox_drop(c, at);
        }
        at = next;
    }
}

/* ---- asking ---- */

/* Items that others hold and I lack: after Δ, since their relay is usually on its way. An item that
 * is not certified may be one that I refuse: it is asked for a few times only. */
void slu_inbox_fetch(struct slu_core *c)
{
    uint32_t left = ASKED_AT_ONCE, missing = c->inbox.missing;
    for (uint32_t at = c->inbox.oldest; at != SLU_NONE && left > 0 && missing > 0;
         at = c->inbox.pool[at].newer) {
        struct slu_inbox_entry *entry = &c->inbox.pool[at];
        if (entry->held)
            continue;
        missing--;
        if (!entry->certified && entry->tries >= TRIES_MAX)
            continue;
        left--;
        uint64_t retries = entry->tries < TRIES_MAX ? entry->tries : TRIES_MAX;
        if (!slu_fetch_patience(c, entry->since_ms + 2 * retries * c->g->params.delta_ms))
            continue;
        entry->tries++;
        slu_fetch_want(c, SLU_FETCH_ITEM, 0, entry->tuple.valid_until_ms, 0, entry->tuple.id,
                       entry->holders);
    }
}
