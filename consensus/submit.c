/* Own transactions: admission into the open batch, closing it, and telling where an id is. */
#include <string.h>

#include "consensus/state.h"
#include "sluice/error.h"

static struct slu_lane *own_lane(const struct slu_core *c)
{
    return &c->lanes[c->self];
}

/* The own chain's tip: what the next batch extends. */
static const struct slu_batch_header *own_tip(const struct slu_core *c)
{
    const struct slu_lane *lane = own_lane(c);
    return &lane->pool[lane->mine].h;
}

static bool lane_has_room(const struct slu_core *c, uint32_t bytes)
{
    const struct slu_lane *lane = own_lane(c);
    const struct slu_params *p = &c->g->params;
    if (c->rejoining || c->lane_closed || !c->started)
        return false;
    /* One full batch is kept free for what is open already. */
    return lane->window_bytes + c->open_bytes + bytes + p->batch_bytes_max / 2 <=
               p->lane_window_bytes &&
           own_tip(c)->position + 2 <= lane->committed.position + p->lane_window_batches &&
           c->pending.count < c->pending.cap;
}

/* While delivery lags, the node's stream time is old, and what it accepted by it would be expired.
 */
static bool is_behind(const struct slu_core *c)
{
    return c->head.height > c->delivered.height + c->g->params.release_lag_max;
}

static void close_batch(struct slu_core *c)
{
    const struct slu_batch_header *tip = own_tip(c);
    uint8_t *payload = slu_fx_take(c, c->open_bytes);
    memcpy(payload, c->open_payload, c->open_bytes);
    struct slu_batch batch = {.payload = payload};
    struct slu_batch_header *h = &batch.header;
    h->epoch = 0;
    h->lane = c->self;
    h->incarnation = c->incarnation;
    h->position = tip->position + 1;
    memcpy(h->parent, tip->digest, 32);
    slu_payload_digest(h->payload_digest, c->g, payload, c->open_bytes);
    h->payload_bytes = c->open_bytes;
    h->txs = c->open_txs;
    h->made_at_ms = c->clock_ms;
    slu_batch_header_digest(h, c->g);
    SLU_CHECK(!c->signer.sign(c->signer.context, h->signature, SLU_ROLE_BATCH, 0, h->digest));
    c->open_bytes = c->open_txs = 0;
    slu_lane_on_batch(c, &batch, true);
    if (!slu_digest_is(own_tip(c)->digest, h->digest)) {
        /* Somebody else signs for this lane (a copied key): make nothing more of it. */
        c->lane_closed = true;
        slu_fx_trace(c, "event=own_lane_forked position=%llu", (unsigned long long)h->position);
    }
    slu_fx_send_batch(c, SLU_TO_ALL, h, payload);
    slu_fx_add(c, SLU_EFFECT_DURABLE)->durable_position = h->position;
    c->fx->promises = true;
    c->stats.batches_made++;
}

static uint8_t admit(struct slu_core *c, const struct slu_tx *tx, struct slu_admission *out)
{
    slu_tx_id(out->id, c->g, tx);
    out->position = 0;
    const struct slu_idset_entry *known = slu_idset_find(&c->pending, out->id);
    if (known) {
        out->position = known->a;
        return SLU_ADMIT_KNOWN;
    }
    if (slu_idset_find(&c->dedup, out->id))
        return SLU_ADMIT_KNOWN;
    enum slu_drop drop = slu_tx_check(c->g, tx, c->delivered.time_ms);
    if (drop == SLU_DROP_NONE && tx->kind == SLU_TX_SEALED)
        drop = slu_sealing_admit(c, tx, c->self);
    if (drop != SLU_DROP_NONE) {
        c->stats.txs_refused[drop]++;
        return (uint8_t)(SLU_ADMIT_DROP + drop);
    }
    if (is_behind(c))
        return SLU_ADMIT_BEHIND;
    if (!lane_has_room(c, tx->bytes_len)) {
        c->stats.txs_refused_lane_full++;
        return SLU_ADMIT_LANE_FULL;
    }
    if (c->open_bytes + tx->bytes_len > c->g->params.batch_bytes_max ||
        c->open_txs == slu_genesis_lane_quota_txs(c->g))
        close_batch(c);
    if (c->open_txs == 0)
        c->opened_ms = c->now_ms;
    memcpy(c->open_payload + c->open_bytes, tx->bytes, tx->bytes_len);
    c->open_bytes += tx->bytes_len;
    c->open_txs++;
    out->position = own_tip(c)->position + 1;
    SLU_CHECK(slu_idset_add(&c->pending, out->id, out->position, 0, 0));
    return SLU_ADMIT_ACCEPTED;
}

void slu_submit(struct slu_core *c, const struct slu_event *event)
{
    SLU_CHECK(event->submit.count >= 1 && event->submit.count <= SLU_SUBMIT_TXS_MAX);
    struct slu_reader r = slu_reader_of(event->submit.envelopes, event->submit.bytes);
    uint64_t highest = 0;
    size_t bytes = event->submit.count * sizeof(struct slu_admission);
    struct slu_admission *items = (struct slu_admission *)slu_fx_take(c, bytes);
    for (uint32_t i = 0; i < event->submit.count; i++) {
        struct slu_tx tx;
        SLU_CHECK(slu_tx_read(&r, &tx)); /* the gateway checked the form */
        items[i].status = admit(c, &tx, &items[i]);
        if (items[i].position > highest)
            highest = items[i].position;
        c->stats.txs_admitted += items[i].status == SLU_ADMIT_ACCEPTED;
        c->stats.txs_known += items[i].status == SLU_ADMIT_KNOWN;
    }
    struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_ADMITTED);
    fx->admitted.token = event->submit.token;
    fx->admitted.items = items;
    fx->admitted.count = event->submit.count;
    fx->admitted.position = highest;
}

/* Every own batch is certified: nothing to wait for (clause 2.2). */
static bool lane_idle(const struct slu_core *c)
{
    const struct slu_lane *lane = own_lane(c);
    return lane->pool[lane->certified].h.position >= own_tip(c)->position;
}

void slu_submit_turn(struct slu_core *c)
{
    if (c->open_txs == 0 || c->lane_closed || c->rejoining)
        return;
    bool now = slu_view_is_moving(c) ? c->fx->promises : lane_idle(c);
    if (now || c->now_ms >= c->opened_ms + c->g->params.batch_linger_ms)
        close_batch(c);
}

uint64_t slu_submit_deadline(const struct slu_core *c)
{
    return c->open_txs ? c->opened_ms + c->g->params.batch_linger_ms : UINT64_MAX;
}

void slu_own_delivered(struct slu_core *c, uint64_t position)
{
    const struct slu_idset_entry *oldest;
    while ((oldest = slu_idset_oldest(&c->pending)) != NULL && oldest->a <= position)
        slu_idset_pop(&c->pending);
}

/* ---- where is a transaction ---- */

/* Which height queued an id, and for which, as far as that is remembered. */
static const struct slu_queued *tell_queueing(const struct slu_core *c, const uint8_t id32[32],
                                              struct slu_tx_status *out)
{
    const struct slu_queued *queued = slu_queue_find(c, id32);
    if (!queued || !slu_digest_is(queued->id, id32))
        return NULL;
    out->queued = queued->height;
    out->due = queued->due;
    return queued;
}

/* Where an inbox item is while it is not delivered. False: it is none. */
static bool locate_inbox(const struct slu_core *c, const uint8_t id32[32],
                         struct slu_tx_status *out)
{
    const struct slu_queued *queued = tell_queueing(c, id32, out);
    const struct slu_inbox_entry *entry = slu_inbox_find(c, id32);
    if (queued && queued->due > c->delivered.height) {
        out->stage = SLU_STAGE_QUEUED;
        out->forced = queued->kind == SLU_INBOX_FORCED;
        return true;
    }
    if (!entry || !entry->held)
        return false;
    out->stage = entry->certified ? SLU_STAGE_HELD_CERTIFIED : SLU_STAGE_HELD;
    out->forced = entry->tuple.kind == SLU_INBOX_FORCED;
    return true;
}

static void locate(const struct slu_core *c, const uint8_t id32[32], struct slu_tx_status *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->id, id32, 32);
    const struct slu_idset_entry *found = slu_idset_find(&c->dedup, id32);
    if (found && found->a > c->delivered.height) {
        out->stage = SLU_STAGE_ORDERED; /* its height is being delivered */
        return;
    }
    if (found) {
        out->stage = SLU_STAGE_FINAL;
        out->height = found->a;
        out->index = found->b;
        const struct slu_queued *queued = tell_queueing(c, id32, out);
        out->forced = queued && queued->kind == SLU_INBOX_FORCED && queued->due == found->a &&
                      !queued->done;
        return;
    }
    if (locate_inbox(c, id32, out))
        return;
    found = slu_idset_find(&c->pending, id32);
    if (found) {
        const struct slu_lane *lane = own_lane(c);
        if (found->a <= lane->committed.position)
            out->stage = SLU_STAGE_ORDERED;
        else if (found->a <= lane->pool[lane->certified].h.position)
            out->stage = SLU_STAGE_CERTIFIED;
        else
            out->stage = SLU_STAGE_ACCEPTED;
        return;
    }
    found = slu_idset_find(&c->dropped, id32);
    if (found && found->a <= c->delivered.height) {
        out->stage = SLU_STAGE_DROPPED;
        out->height = found->a;
        out->drop = (uint8_t)found->b;
    }
}

void slu_query(struct slu_core *c, const struct slu_event *event)
{
    SLU_CHECK(event->query.count >= 1 && event->query.count <= SLU_QUERY_IDS_MAX);
    struct slu_tx_status *items =
        (struct slu_tx_status *)slu_fx_take(c, event->query.count * sizeof *items);
    for (uint32_t i = 0; i < event->query.count; i++)
        locate(c, event->query.ids + (size_t)i * 32, &items[i]);
    struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_ANSWER);
    fx->answer.token = event->query.token;
    fx->answer.items = items;
    fx->answer.count = event->query.count;
}

/* At boot: transactions of an own batch that is not delivered yet are pending again. */
void slu_submit_restore(struct slu_core *c, const struct slu_batch_header *h,
                        const uint8_t *payload)
{
    struct slu_reader r = slu_reader_of(payload, h->payload_bytes);
    struct slu_tx tx;
    for (uint32_t i = 0; i < h->txs && slu_tx_read(&r, &tx); i++) {
        uint8_t id[32];
        slu_tx_id(id, c->g, &tx);
        if (!slu_idset_find(&c->pending, id) && !slu_idset_add(&c->pending, id, h->position, 0, 0))
            return; /* full: these are still ordered, only their stage is not told */
    }
    if (h->incarnation > c->incarnation)
        c->incarnation = h->incarnation;
}
