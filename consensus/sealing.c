#include "consensus/sealing.h"

#include <string.h>

#include "consensus/keygen.h"
#include "consensus/opener.h"
#include "consensus/state.h"
#include "sluice/error.h"

/* ---- what makes one valid ---- */

static bool read_body(const struct slu_tx *tx, struct slu_sealed *out)
{
    return slu_sealed_read(out, tx->body, tx->body_len, tx->valid_until_ms) == SLU_OK;
}

static bool proof_holds(struct slu_core *c, struct slu_sealing_found *found)
{
    slu_fx_work(c, 1);
    return slu_sealed_valid(c->keygen->keys[found->key].opening, &found->checked, &found->sealed);
}

/* All but room and proof. */
static enum slu_drop check(const struct slu_core *c, const struct slu_tx *tx, uint64_t height,
                           uint64_t time_ms, struct slu_sealing_found *out)
{
    if (!read_body(tx, &out->sealed))
        return SLU_DROP_SEALING;
    const struct slu_label *label = &out->sealed.label;
    out->key = slu_keygen_find(c, out->sealed.key_id32);
    out->distance = slu_unlock_distance(c->g, label->unlock_kind, label->unlock, height, time_ms);
    if (!slu_keygen_counts(c, out->key, height, time_ms))
        return SLU_DROP_SEAL_KEY;
    return out->distance > 2 ? SLU_DROP_UNLOCK : SLU_DROP_NONE;
}

/* A margin is left for what is on its way, so that what is accepted finds room. */
enum slu_drop slu_sealing_admit(struct slu_core *c, const struct slu_tx *tx, uint16_t lane)
{
    struct slu_sealing_found found;
    enum slu_drop drop = check(c, tx, c->delivered.height + 1, c->delivered.time_ms, &found);
    if (drop != SLU_DROP_NONE)
        return drop;
    uint16_t queue = slu_due_queue(c->g, lane, found.sealed.label.unlock_kind);
    uint64_t margin = c->calendar.queues[queue].share_bytes / (found.distance > 1 ? 8u : 4u);
    if (!slu_calendar_has_room(&c->calendar, queue, tx->bytes_len, margin, found.distance > 1))
        return SLU_DROP_CALENDAR_FULL;
    return proof_holds(c, &found) ? SLU_DROP_NONE : SLU_DROP_SEALING;
}

/* The horizon is the taker's business: nodes differ for a moment, and a refused hold is not asked for
 * again. A taker without rules gets one horizon more, so that nothing takes up the calendar for ever. */
static bool is_within_two(const struct slu_core *c, const struct slu_label *label)
{
    uint64_t horizon_ms = c->g->params.unlock_horizon_ms;
    uint64_t height = c->delivered.height + horizon_ms / c->g->params.heartbeat_idle_ms;
    return slu_unlock_distance(c->g, label->unlock_kind, label->unlock, height,
                               c->delivered.time_ms + horizon_ms) <= 2;
}

bool slu_sealing_provable(struct slu_core *c, const struct slu_tx *tx)
{
    struct slu_sealing_found found;
    if (!read_body(tx, &found.sealed) || !is_within_two(c, &found.sealed.label))
        return false;
    found.key = slu_keygen_find(c, found.sealed.key_id32);
    return found.key >= 0 && proof_holds(c, &found);
}

/* ---- many proofs at once ---- */

/* Whether a sealed transaction will come to its proof, as far as is known before its turn. */
static bool needs_proof(const struct slu_core *c, const struct slu_tx *tx,
                        struct slu_sealing_ahead *ahead, int *key)
{
    struct slu_sealing_found found;
    uint8_t id[32];
    if (tx->kind != SLU_TX_SEALED ||
        check(c, tx, slu_opener_height(c), slu_opener_time_ms(c), &found) != SLU_DROP_NONE)
        return false;
    slu_tx_id(id, c->g, tx);
    ahead->sealed = found.sealed;
    *key = found.key;
    return !slu_idset_find(&c->dedup, id);
}

/* What this node admitted itself it has checked: it is pending, and in no lane but its own. */
static bool is_own(const struct slu_core *c, uint16_t lane, const struct slu_tx *tx)
{
    uint8_t id[32];
    if (lane != c->self)
        return false;
    slu_tx_id(id, c->g, tx);
    return slu_idset_find(&c->pending, id) != NULL;
}

/* The proofs of the places in `todo`, all of one key. */
static void check_together(struct slu_core *c, int key, const uint32_t *todo, size_t count)
{
    struct slu_sealing_ahead *ahead = c->sealing.ahead;
    struct slu_sealed sealed[SLU_SEALING_AHEAD] = {{.c_len = 0}};
    struct slu_sealed_checked checked[SLU_SEALING_AHEAD];
    bool holds[SLU_SEALING_AHEAD];
    for (size_t i = 0; i < count; i++)
        sealed[i] = ahead[todo[i]].sealed;
    slu_sealed_valid_many(c->keygen->keys[key].opening, holds, checked, sealed, count);
    for (size_t i = 0; i < count; i++) {
        ahead[todo[i]].holds = holds[i];
        ahead[todo[i]].checked = checked[i];
    }
    slu_fx_work(c, (uint32_t)(count + 1) / 2);
}

void slu_sealing_look_ahead(struct slu_core *c, uint16_t lane, const struct slu_tx *txs,
                            uint32_t count)
{
    struct slu_sealing_ahead *ahead = c->sealing.ahead;
    uint32_t todo[SLU_SEALING_AHEAD];
    size_t todo_count = 0;
    int common = -1;
    for (uint32_t i = 0; i < SLU_SEALING_AHEAD; i++)
        ahead[i].envelope = NULL;
    for (uint32_t i = 0; i < count && !(c->sealing.invalid >> lane & 1); i++) {
        int key;
        if (!needs_proof(c, &txs[i], &ahead[i], &key))
            continue;
        if (is_own(c, lane, &txs[i])) {
            slu_sealed_recall(c->keygen->keys[key].opening, &ahead[i].checked, &ahead[i].sealed);
            ahead[i].holds = true;
        } else if (common < 0 || common == key) {
            common = key;
            todo[todo_count++] = i;
        } else {
            continue; /* of another key: alone, in its turn */
        }
        ahead[i].envelope = txs[i].bytes;
    }
    if (todo_count > 0)
        check_together(c, common, todo, todo_count);
}

/* Whether its proof holds, by what was found ahead or else now. */
static bool is_proven(struct slu_core *c, const struct slu_tx *tx, struct slu_sealing_found *found)
{
    for (uint32_t i = 0; i < SLU_SEALING_AHEAD; i++)
        if (c->sealing.ahead[i].envelope == tx->bytes) {
            found->checked = c->sealing.ahead[i].checked;
            return c->sealing.ahead[i].holds;
        }
    return proof_holds(c, found);
}

/* ---- due, or waiting ---- */

void slu_sealing_begin(struct slu_core *c, uint64_t height, uint64_t time_ms)
{
    for (uint16_t queue = 0; queue < c->calendar.queue_count; queue++)
        c->sealing.budget[queue] = slu_due_budget(c->g, queue);
    c->sealing.queue = 0;
    c->sealing.invalid = 0;
    c->sealing.forced_taken = 0;
    slu_calendar_advance(&c->calendar, c->g, height, time_ms);
}

/* Whether a height still opens `bytes` more of a queue; one entry always fits. */
static bool spend(struct slu_core *c, uint16_t queue, uint32_t bytes)
{
    uint32_t *budget = &c->sealing.budget[queue];
    if (bytes > *budget && *budget != slu_due_budget(c->g, queue))
        return false;
    *budget -= bytes < *budget ? bytes : *budget;
    return true;
}

bool slu_sealing_next(struct slu_core *c, struct slu_sealed_entry *out)
{
    for (uint16_t *queue = &c->sealing.queue; *queue < c->calendar.queue_count; ++*queue) {
        const struct slu_sealed_entry *next = slu_calendar_next(&c->calendar, *queue);
        if (!next || !spend(c, *queue, next->bytes))
            continue;
        *out = *next;
        slu_calendar_pop(&c->calendar, *queue);
        return true;
    }
    return false;
}

static void wait(struct slu_core *c, const struct slu_sealed_entry *entry, const struct slu_tx *tx,
                 bool due)
{
    struct slu_record_key key = {.kind = SLU_REC_CALENDAR, .a = entry->height, .b = entry->index};
    struct slu_writer w = slu_writer_of(slu_fx_take(c, SLU_WAITING_HEAD_BYTES), SLU_WAITING_HEAD_BYTES);
    slu_write_u16(&w, entry->lane);
    slu_fx_persist(c, &key, w.start, SLU_WAITING_HEAD_BYTES, tx->bytes, tx->bytes_len);
    slu_calendar_add(&c->calendar, c->g, entry, due);
}

static struct slu_sealed_entry entry_of(const struct slu_core *c, uint16_t lane,
                                        const struct slu_tx *tx, const struct slu_label *label,
                                        const uint8_t id32[32], uint32_t index)
{
    struct slu_sealed_entry entry = {.height = slu_opener_height(c),
                                     .index = index,
                                     .bytes = tx->bytes_len,
                                     .lane = lane,
                                     .unlock_kind = label->unlock_kind,
                                     .unlock = label->unlock};
    memcpy(entry.id, id32, 32);
    return entry;
}

enum slu_drop slu_sealing_order(struct slu_core *c, uint16_t lane, const struct slu_tx *tx,
                                const uint8_t id32[32], uint32_t index)
{
    struct slu_sealing_found found;
    uint64_t bit = UINT64_C(1) << lane;
    enum slu_drop drop = check(c, tx, slu_opener_height(c), slu_opener_time_ms(c), &found);
    if (drop != SLU_DROP_NONE)
        return drop;
    uint16_t queue = slu_due_queue(c->g, lane, found.sealed.label.unlock_kind);
    uint32_t before = c->sealing.budget[queue];
    bool due = found.distance == 0 && !slu_calendar_next(&c->calendar, queue) &&
               spend(c, queue, tx->bytes_len);
    if (!due && !slu_calendar_has_room(&c->calendar, queue, tx->bytes_len, 0, found.distance > 1))
        return SLU_DROP_CALENDAR_FULL;
    if (c->sealing.invalid & bit || !is_proven(c, tx, &found)) {
        drop = c->sealing.invalid & bit ? SLU_DROP_LANE_SEALING : SLU_DROP_SEALING;
        c->sealing.invalid |= bit;
        c->sealing.budget[queue] = before;
        return drop;
    }
    struct slu_sealed_entry entry = entry_of(c, lane, tx, &found.sealed.label, id32, index);
    if (due)
        slu_opener_add(c, &entry, index, tx, &found);
    else
        wait(c, &entry, tx, found.distance == 0);
    c->stats.sealed_ordered++;
    return SLU_DROP_NONE;
}

bool slu_sealing_keep_forced(struct slu_core *c, uint32_t bytes)
{
    if (!slu_calendar_has_room(&c->calendar, 0, bytes, c->sealing.forced_taken, false))
        return false;
    c->sealing.forced_taken += slu_calendar_cost(bytes);
    return true;
}

void slu_sealing_order_forced(struct slu_core *c, const struct slu_tx *tx, const uint8_t id32[32],
                              uint32_t index)
{
    struct slu_sealing_found found = {.key = -1};
    uint64_t height = slu_opener_height(c), time_ms = slu_opener_time_ms(c);
    bool valid = read_body(tx, &found.sealed);
    if (valid)
        found.key = slu_keygen_find(c, found.sealed.key_id32);
    valid = found.key >= 0 && proof_holds(c, &found);
    struct slu_sealed_entry entry =
        entry_of(c, SLU_LANE_FORCED, tx, &found.sealed.label, id32, index);
    c->stats.sealed_ordered++;
    if (!valid) /* one of its f+1 holders was honest, so it is; should it not be, all agree */
        slu_opener_add(c, &entry, index, tx, NULL);
    else if (slu_unlock_reached(entry.unlock_kind, entry.unlock, height, time_ms))
        slu_opener_add(c, &entry, index, tx, &found);
    else
        wait(c, &entry, tx, false);
}

/* It was valid when it was ordered; what is needed of it is worked out again. */
void slu_sealing_due(struct slu_core *c, const struct slu_sealed_entry *entry,
                     const struct slu_tx *tx, uint32_t index)
{
    struct slu_sealing_found found;
    SLU_CHECK(read_body(tx, &found.sealed));
    found.key = slu_keygen_find(c, found.sealed.key_id32);
    SLU_CHECK(found.key >= 0);
    slu_fx_work(c, 1);
    slu_sealed_recall(c->keygen->keys[found.key].opening, &found.checked, &found.sealed);
    slu_opener_add(c, entry, index, tx, &found);
}

/* ---- when blocks are wanted for it ---- */

bool slu_sealing_has_new(const struct slu_core *c, const struct slu_block *base)
{
    uint64_t unlock_ms = slu_calendar_next_ms(&c->calendar);
    bool settled = c->delivered.height == base->height;
    return (settled && slu_calendar_spills(&c->calendar)) ||
           (unlock_ms > base->time_ms && unlock_ms <= c->clock_ms);
}

uint64_t slu_sealing_deadline(const struct slu_core *c)
{
    uint64_t unlock_ms = slu_calendar_next_ms(&c->calendar);
    if (unlock_ms == UINT64_MAX || unlock_ms <= c->clock_ms)
        return UINT64_MAX; /* reached: a report was made, or is made when the view can have one */
    return c->now_ms + (unlock_ms - c->clock_ms);
}

/* ---- boot ---- */

static int visit(void *context, const struct slu_record_key *key, const uint8_t *value, size_t len)
{
    struct slu_core *c = context;
    struct slu_reader r = slu_reader_of(value, len);
    struct slu_tx tx;
    struct slu_sealed sealed;
    uint16_t lane = slu_read_u16(&r);
    if (!slu_tx_read(&r, &tx) || !slu_reader_done(&r) || !read_body(&tx, &sealed) ||
        (lane >= c->n && lane != SLU_LANE_FORCED) || key->b > UINT32_MAX)
        return SLU_ERR_CORRUPT;
    struct slu_sealed_entry entry = {.height = key->a,
                                     .index = (uint32_t)key->b,
                                     .bytes = tx.bytes_len,
                                     .lane = lane,
                                     .unlock_kind = sealed.label.unlock_kind,
                                     .unlock = sealed.label.unlock};
    slu_tx_id(entry.id, c->g, &tx);
    if (slu_idset_find(&c->opener.ids, entry.id))
        return SLU_OK; /* it is due already: its height was delivered, its record not deleted yet */
    uint16_t queue = slu_due_queue(c->g, lane, entry.unlock_kind);
    if (!slu_calendar_has_room(&c->calendar, queue, entry.bytes, 0, false))
        return SLU_ERR_CORRUPT;
    slu_calendar_add(&c->calendar, c->g, &entry,
                     slu_unlock_reached(entry.unlock_kind, entry.unlock, c->delivered.height,
                                        c->delivered.time_ms));
    return SLU_OK;
}

/* Above the delivered height a record is what a torn turn left: the height is delivered again. */
int slu_sealing_boot(struct slu_core *c, const struct slu_store *store)
{
    struct slu_record_key from = {.kind = SLU_REC_CALENDAR};
    struct slu_record_key to = {.kind = SLU_REC_CALENDAR, .a = c->delivered.height + 1};
    return store->scan(store->context, &from, &to, visit, c);
}
