/* Acks: counting them into certificates, making my own vector, and showing a certificate. */
#include <string.h>

#include "consensus/state.h"
#include "sluice/error.h"

static struct slu_ack_state *state_of(struct slu_ack_state *table, const struct slu_core *c,
                                      uint16_t sender, uint16_t lane)
{
    return &table[(size_t)sender * c->n + lane];
}

static struct slu_ack_slot *slot_at(const struct slu_core *c, uint16_t sender, uint32_t slot)
{
    return &c->ack_slots[(size_t)sender * c->ack_slots_each + slot];
}

static void set_state(struct slu_core *c, uint16_t sender, struct slu_ack_state *state,
                      const struct slu_tip *tip, uint32_t slot)
{
    if (slot != SLU_NONE)
        slot_at(c, sender, slot)->references++;
    if (state->slot != SLU_NONE)
        slot_at(c, sender, state->slot)->references--;
    state->slot = slot;
    state->tip = *tip;
}

static void clear_state(struct slu_core *c, uint16_t sender, struct slu_ack_state *state)
{
    struct slu_tip none = slu_tip_zero();
    set_state(c, sender, state, &none, SLU_NONE);
}

/* Each (sender, lane) refers to at most two vectors, so a free slot is always there. */
static uint32_t keep_vector(struct slu_core *c, const struct slu_ack_vector *vector)
{
    for (uint32_t i = 0; i < c->ack_slots_each; i++) {
        struct slu_ack_slot *slot = slot_at(c, vector->node, i);
        if (slot->references == 0) {
            slot->vector = *vector;
            return i;
        }
    }
    SLU_CHECK(!"an ack slot is free");
    return SLU_NONE;
}

/* Takes back what `sender` acked on a chain that it left. False when it had acked something
 * certified there: an honest node never leaves a certified chain, so the new ack is ignored. */
static bool leave_chain(struct slu_core *c, struct slu_lane *lane, uint16_t sender, uint32_t old,
                        uint32_t now)
{
    uint64_t bit = UINT64_C(1) << sender;
    uint32_t common = now;
    for (uint32_t at = old; at != SLU_NONE; at = lane->pool[at].parent) {
        while (common != SLU_NONE && lane->pool[common].h.position > lane->pool[at].h.position)
            common = lane->pool[common].parent;
        if (common == at)
            break;
        if (lane->pool[at].certified) {
            c->stats.equivocations_seen++;
            return false;
        }
    }
    common = now;
    for (uint32_t at = old; at != SLU_NONE; at = lane->pool[at].parent) {
        while (common != SLU_NONE && lane->pool[common].h.position > lane->pool[at].h.position)
            common = lane->pool[common].parent;
        if (common == at)
            break;
        lane->pool[at].support &= ~bit;
    }
    return true;
}

/* Counts an ack of a known header: it covers every position below on its chain (clause 2.5). */
static void apply(struct slu_core *c, uint16_t sender, uint16_t index, uint32_t slot,
                  uint32_t place)
{
    struct slu_lane *lane = &c->lanes[index];
    struct slu_ack_state *applied = state_of(c->applied, c, sender, index);
    if (applied->slot != SLU_NONE) {
        uint32_t old = slu_lane_find(lane, applied->tip.digest);
        if (old != SLU_NONE && slu_lane_descends(lane, old, place))
            return; /* covered by what I know already */
        if (old != SLU_NONE && !leave_chain(c, lane, sender, old, place))
            return;
    }
    struct slu_tip tip = {.position = lane->pool[place].h.position};
    memcpy(tip.digest, lane->pool[place].h.digest, 32);
    set_state(c, sender, applied, &tip, slot);
    uint64_t bit = UINT64_C(1) << sender;
    uint32_t newly = SLU_NONE;
    for (uint32_t at = place; at != SLU_NONE && !(lane->pool[at].support & bit);
         at = lane->pool[at].parent) {
        struct slu_header *node = &lane->pool[at];
        if (node->h.position <= lane->committed.position)
            break;
        node->support |= bit;
        if (!node->certified && __builtin_popcountll(node->support) >= (int)c->q) {
            node->certified = true;
            if (newly == SLU_NONE)
                newly = at;
        }
    }
    if (newly != SLU_NONE)
        slu_lane_certified(c, index, newly);
}

static void take_ack(struct slu_core *c, uint16_t sender, uint32_t slot,
                     const struct slu_lane_tip *ack)
{
    struct slu_lane *lane = &c->lanes[ack->lane];
    const struct slu_tip *tip = &ack->tip;
    if (sender == c->self && tip->position > lane->acked.position)
        lane->acked = *tip; /* said before my disk was lost: never ack another digest there */
    if (tip->position <= lane->committed.position ||
        tip->position > lane->committed.position + 2 * c->g->params.lane_window_batches)
        return;
    uint32_t place = slu_lane_find(lane, tip->digest);
    if (place != SLU_NONE && lane->pool[place].known) {
        if (lane->pool[place].h.position == tip->position)
            apply(c, sender, ack->lane, slot, place);
        return;
    }
    /* The newest one waits: a false ack of a far position must not keep a true one out. */
    struct slu_ack_state *waiting = state_of(c->waiting, c, sender, ack->lane);
    if (!slu_digest_is(waiting->tip.digest, tip->digest))
        set_state(c, sender, waiting, tip, slot);
}

static void after_acks(struct slu_core *c)
{
    slu_report_recheck(c);
    slu_report_maybe(c);
    slu_view_progress(c);
}

void slu_ack_on_vector(struct slu_core *c, const struct slu_ack_vector *vector)
{
    uint32_t slot = keep_vector(c, vector);
    slot_at(c, vector->node, slot)->references++; /* while it is being read */
    for (uint16_t i = 0; i < vector->count; i++)
        take_ack(c, vector->node, slot, &vector->acks[i]);
    slot_at(c, vector->node, slot)->references--;
    after_acks(c);
}

void slu_ack_header_known(struct slu_core *c, uint16_t index, uint32_t place)
{
    const struct slu_lane *lane = &c->lanes[index];
    bool any = false;
    for (uint16_t j = 0; j < c->n; j++) {
        struct slu_ack_state *waiting = state_of(c->waiting, c, j, index);
        if (waiting->slot == SLU_NONE ||
            !slu_digest_is(waiting->tip.digest, lane->pool[place].h.digest))
            continue;
        if (waiting->tip.position == lane->pool[place].h.position)
            apply(c, j, index, waiting->slot, place);
        clear_state(c, j, waiting);
        any = true;
    }
    if (any)
        after_acks(c);
}

/* Called when the committed cut passed `up_to`: older acks say nothing any more. */
void slu_ack_forget(struct slu_core *c, uint16_t index, uint64_t up_to)
{
    for (uint16_t j = 0; j < c->n; j++) {
        struct slu_ack_state *waiting = state_of(c->waiting, c, j, index);
        if (waiting->slot != SLU_NONE && waiting->tip.position <= up_to)
            clear_state(c, j, waiting);
    }
}

void slu_ack_retreat(struct slu_core *c, uint16_t index, uint32_t place)
{
    const struct slu_lane *lane = &c->lanes[index];
    const struct slu_header *node = &lane->pool[place];
    for (uint16_t j = 0; node->support && node->parent != SLU_NONE && j < c->n; j++) {
        struct slu_ack_state *applied = state_of(c->applied, c, j, index);
        if (applied->slot == SLU_NONE || !slu_digest_is(applied->tip.digest, node->h.digest))
            continue;
        applied->tip.position--;
        memcpy(applied->tip.digest, lane->pool[node->parent].h.digest, 32);
    }
}

/* ---- my own ---- */

static void sign_vector(struct slu_core *c, struct slu_ack_vector *vector)
{
    vector->node = c->self;
    slu_ack_vector_digest(vector, c->g);
    SLU_CHECK(
        !c->signer.sign(c->signer.context, vector->signature, SLU_ROLE_ACKS, 0, vector->digest));
}

static void persist_ack(struct slu_core *c, uint16_t lane, const struct slu_tip *tip)
{
    struct slu_record_key key = {.kind = SLU_REC_ACK, .a = lane, .b = tip->position};
    uint8_t *digest = slu_fx_take(c, 32); /* `tip` moves on before the turn is executed */
    memcpy(digest, tip->digest, 32);
    slu_fx_persist(c, &key, digest, 32, NULL, 0);
}

/* While views follow one another, acks wait for the next Notarize (slu_vote_notarize sends them),
 * whose sync and record they share. Else the tick grows with the time that views take, up to five
 * times: under load, acks that are more frequent than the reports that use them only cost
 * signatures. */
static uint64_t tick_due_ms(const struct slu_core *c)
{
    uint64_t tick = c->g->params.ack_tick_ms, half = c->view_took_ms / 2;
    if (slu_view_is_moving(c))
        tick = 5 * tick;
    else if (half > tick)
        tick = half < 5 * tick ? half : 5 * tick;
    return c->last_ack_ms + tick;
}

void slu_ack_send_new(struct slu_core *c)
{
    bool dirty = false;
    for (uint16_t l = 0; l < c->n; l++)
        dirty |= c->lanes[l].ack_dirty;
    if (!dirty || !c->started)
        return;
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_ACKS;
    m->acks.epoch = 0;
    m->acks.count = 0;
    for (uint16_t l = 0; l < c->n; l++) {
        struct slu_lane *lane = &c->lanes[l];
        if (!lane->ack_dirty)
            continue;
        lane->ack_dirty = false;
        m->acks.acks[m->acks.count].lane = l;
        m->acks.acks[m->acks.count++].tip = lane->acked;
        persist_ack(c, l, &lane->acked);
    }
    c->last_ack_ms = c->now_ms;
    sign_vector(c, &m->acks);
    slu_fx_send(c, SLU_TO_ALL, m);
    c->stats.acks_sent++;
    struct slu_ack_vector own = m->acks; /* scratch may be used while it is counted */
    slu_ack_on_vector(c, &own);
}

void slu_ack_turn(struct slu_core *c)
{
    if (c->last_ack_ms == 0 || c->now_ms >= tick_due_ms(c))
        slu_ack_send_new(c);
}

uint64_t slu_ack_deadline(const struct slu_core *c)
{
    for (uint16_t l = 0; l < c->n; l++)
        if (c->lanes[l].ack_dirty)
            return tick_due_ms(c);
    return UINT64_MAX;
}

/* The full vector of what is acked above the committed cuts (clause 2.4): on connecting and when
 * nothing moves. All of it was durable when it was first sent. */
void slu_ack_send_full(struct slu_core *c, uint16_t to)
{
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_ACKS;
    m->acks.epoch = 0;
    m->acks.count = 0;
    for (uint16_t l = 0; l < c->n; l++) {
        const struct slu_lane *lane = &c->lanes[l];
        if (lane->acked.position <= lane->committed.position || lane->ack_dirty)
            continue;
        m->acks.acks[m->acks.count].lane = l;
        m->acks.acks[m->acks.count++].tip = lane->acked;
    }
    if (m->acks.count == 0)
        return;
    sign_vector(c, &m->acks);
    slu_fx_send(c, to, m);
}

/* Shows that (fetch->to, digest) is certified: the vectors of all who support it. The headers that
 * link unequal positions are asked for by SLU_FETCH_HEADERS. */
void slu_ack_serve(struct slu_core *c, uint16_t to, const struct slu_fetch *fetch)
{
    const struct slu_lane *lane = &c->lanes[fetch->lane];
    uint32_t place = slu_lane_find(lane, fetch->digest);
    if (place == SLU_NONE || !lane->pool[place].certified)
        return;
    for (uint16_t j = 0; j < c->n; j++) {
        const struct slu_ack_state *applied = state_of(c->applied, c, j, fetch->lane);
        if (applied->slot == SLU_NONE || !(lane->pool[place].support >> j & 1))
            continue;
        struct slu_message *m = c->scratch;
        m->kind = SLU_MSG_ACKS;
        m->acks = slot_at(c, j, applied->slot)->vector;
        slu_fx_send(c, to, m);
    }
}
