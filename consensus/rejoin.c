/* The rule for a lost disk (clause 3.13). A node without its history may have signed anything
 * before.
 *
 *     lost node                         every peer
 *        | ---- REJOIN(nonce) ----------> |  from now on acks nothing of the lane below incarnation k
 *        | <--- entry certificate ------- |  (durable first)
 *        | <--- FREEZE(k, highest ack) -- |
 *        | ---- REJOIN(nonce, max k) ---> |  to those who said less: they raise theirs
 *
 * With q freezes at the highest k of the first q: it votes only above the highest view that it could
 * enter, plus one; whatever of its old lane could ever be certified is at or below the highest ack
 * among them, so it continues its lane from there, with batches of incarnation k. */
#include <string.h>

#include "consensus/state.h"

void slu_rejoin_start(struct slu_core *c)
{
    for (size_t i = 0; i < sizeof c->rejoin_nonce; i += 8) {
        uint64_t word = slu_random(c) ^ c->clock_ms;
        memcpy(c->rejoin_nonce + i, &word, 8);
    }
    c->lane_closed = true;
    c->rejoin_due_ms = c->now_ms;
    slu_fx_trace(c, "event=rejoin_started node=%u", c->self);
}

void slu_rejoin_tick(struct slu_core *c)
{
    if (!c->rejoining || c->now_ms < c->rejoin_due_ms)
        return;
    c->rejoin_due_ms = c->now_ms + c->g->params.resend_ms;
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_REJOIN;
    m->rejoin.node = c->self;
    m->rejoin.incarnation = c->rejoin_as;
    memcpy(m->rejoin.nonce, c->rejoin_nonce, 32);
    for (uint16_t j = 0; j < c->n; j++)
        if (j != c->self && (!(c->froze >> j & 1) || c->froze_as[j] < c->rejoin_as))
            slu_fx_send(c, j, m);
}

uint64_t slu_rejoin_deadline(const struct slu_core *c)
{
    if (c->rejoining)
        return c->rejoin_due_ms;
    return c->lane_closed && c->lane_open_ms ? c->lane_open_ms : UINT64_MAX;
}

static uint32_t next_incarnation(const struct slu_lane *lane)
{
    uint32_t seen = lane->pool[lane->mine].h.incarnation;
    if (lane->pool[lane->certified].h.incarnation > seen)
        seen = lane->pool[lane->certified].h.incarnation;
    return (seen > lane->frozen_below ? seen : lane->frozen_below) + 1;
}

void slu_rejoin_on_request(struct slu_core *c, const struct slu_rejoin *rejoin, uint16_t from)
{
    if (rejoin->node != from || from == c->self || c->rejoining || c->view < c->voted_view)
        return; /* after a restart: it asks again, when I can show the view that I was in */
    struct slu_lane *lane = &c->lanes[from];
    bool known = slu_digest_is(lane->frozen_nonce, rejoin->nonce);
    if (!known || lane->frozen_below < rejoin->incarnation) {
        lane->frozen_below = known ? rejoin->incarnation : next_incarnation(lane);
        memcpy(lane->frozen_nonce, rejoin->nonce, 32);
        struct slu_writer w = slu_writer_of(slu_fx_take(c, 36), 36);
        slu_write_u32(&w, lane->frozen_below);
        slu_write_bytes(&w, lane->frozen_nonce, 32);
        struct slu_record_key key = {.kind = SLU_REC_STATE, .a = SLU_STATE_FREEZE, .b = from};
        slu_fx_persist(c, &key, w.start, 36, NULL, 0);
        c->stats.freezes_signed++;
    }
    slu_vote_send_entry(c, from);
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_FREEZE;
    m->freeze = (struct slu_freeze){
        .node = c->self, .lane = from, .incarnation = lane->frozen_below, .tip = lane->acked};
    if (lane->committed.position > lane->acked.position)
        m->freeze.tip = lane->committed;
    memcpy(m->freeze.nonce, rejoin->nonce, 32);
    slu_freeze_digest(&m->freeze, c->g);
    SLU_CHECK(!c->signer.sign(c->signer.context, m->freeze.signature, SLU_ROLE_FREEZE, 0,
                              m->freeze.digest));
    slu_fx_send(c, from, m);
    slu_ack_send_full(c, from);
}

/* A node that stops before its lane is open has lost the freezes and starts over at boot. */
static void persist_rejoin(struct slu_core *c, bool lane_open)
{
    struct slu_writer w =
        slu_writer_of(slu_fx_take(c, SLU_REJOIN_RECORD_BYTES), SLU_REJOIN_RECORD_BYTES);
    slu_write_u64(&w, c->vote_floor);
    slu_write_u32(&w, c->incarnation);
    slu_write_u8(&w, lane_open);
    struct slu_record_key key = {.kind = SLU_REC_STATE, .a = SLU_STATE_REJOIN};
    slu_fx_persist(c, &key, w.start, SLU_REJOIN_RECORD_BYTES, NULL, 0);
}

static void complete(struct slu_core *c)
{
    c->rejoining = false;
    c->incarnation = c->rejoin_as;
    if (c->view + 1 > c->vote_floor)
        c->vote_floor = c->view + 1;
    c->lane_open_ms = c->now_ms + UINT64_C(20) * c->g->params.standstill_ms;
    persist_rejoin(c, false);
    slu_fx_trace(c, "event=rejoined vote_floor=%llu incarnation=%u",
                 (unsigned long long)c->vote_floor, c->incarnation);
    slu_view_progress(c);
}

static uint32_t highest_claim(const struct slu_core *c)
{
    uint32_t highest = 1;
    for (uint16_t j = 0; j < c->n; j++)
        if (c->froze >> j & 1 && c->froze_as[j] > highest)
            highest = c->froze_as[j];
    return highest;
}

void slu_rejoin_on_freeze(struct slu_core *c, const struct slu_freeze *freeze)
{
    if (!c->rejoining || freeze->lane != c->self || freeze->node == c->self ||
        !slu_digest_is(freeze->nonce, c->rejoin_nonce) ||
        freeze->incarnation > SLU_INCARNATION_MAX)
        return;
    c->froze |= UINT64_C(1) << freeze->node;
    c->freezes[freeze->node] = freeze->tip;
    c->froze_as[freeze->node] = freeze->incarnation;
    if ((uint32_t)__builtin_popcountll(c->froze) < c->q)
        return;
    /* The highest of the first q; then q of them must stand by it, durably, or a peer who alone said
     * so could say it again when the disk is lost again, and the lane would fork in one incarnation. */
    if (c->rejoin_as == 0) {
        c->rejoin_as = highest_claim(c);
        c->rejoin_due_ms = c->now_ms;
    }
    uint16_t standing = 0;
    for (uint16_t j = 0; j < c->n; j++)
        standing += (uint16_t)(c->froze >> j & 1 && c->froze_as[j] >= c->rejoin_as);
    if (standing >= c->q)
        complete(c);
}

/* Opens the own lane again once every claimed tip is here. This node is one of the f, so at most
 * f-1 claims can be false; those are dropped after long. Dropping a true one would split the lane:
 * nodes that acked the old chain cannot ack another at the same positions. */
void slu_rejoin_lane(struct slu_core *c)
{
    if (!c->lane_closed || c->rejoining || !c->lane_open_ms)
        return;
    const struct slu_lane *lane = &c->lanes[c->self];
    uint32_t missing = 0;
    for (uint16_t j = 0; j < c->n; j++) {
        const struct slu_tip *tip = &c->freezes[j];
        if (!(c->froze >> j & 1) || tip->position <= lane->committed.position)
            continue;
        uint32_t place = slu_lane_find(lane, tip->digest);
        missing += place == SLU_NONE || !slu_lane_usable(lane, place);
    }
    if (missing > 0 && (missing >= c->f || c->now_ms < c->lane_open_ms))
        return;
    c->lane_closed = false;
    persist_rejoin(c, true);
    slu_fx_trace(c, "event=own_lane_open position=%llu",
                 (unsigned long long)lane->pool[lane->mine].h.position);
}
