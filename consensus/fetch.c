/* Asking for what is missing, and answering from memory (clauses 2.7, 3.9). Never on the voting
 * path: nothing here blocks, everything is asked again of somebody else after a while. */
#include <string.h>

#include "consensus/state.h"

#define BATCHES_PER_FETCH 64u

static uint64_t retry_ms(const struct slu_core *c)
{
    uint64_t twice = UINT64_C(2) * c->g->params.delta_ms;
    return twice > 10 ? twice : 10;
}

static uint64_t others_mask(const struct slu_core *c)
{
    uint64_t all = c->n == 64 ? UINT64_MAX : (UINT64_C(1) << c->n) - 1;
    return all & ~(UINT64_C(1) << c->self);
}

/* Some other node, of `candidates` where possible, drawn anew each time: several requests that shared
 * a rotation could fall into step with it and each ask the same node for ever. */
static uint16_t pick_peer(struct slu_core *c, uint64_t candidates)
{
    candidates &= others_mask(c);
    if (!candidates)
        candidates = others_mask(c);
    if (!candidates)
        return c->self;
    uint64_t skip = slu_random(c) % (uint64_t)__builtin_popcountll(candidates);
    while (skip-- > 0)
        candidates &= candidates - 1;
    return (uint16_t)__builtin_ctzll(candidates);
}

static void send_fetch(struct slu_core *c, uint16_t to, const struct slu_fetch *fetch)
{
    if (to == c->self)
        return;
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_FETCH;
    m->fetch = *fetch;
    slu_fx_send(c, to, m);
    c->stats.fetches_sent++;
    uint64_t again = c->now_ms + retry_ms(c);
    if (c->fetch_again_ms == 0 || again < c->fetch_again_ms)
        c->fetch_again_ms = again;
}

void slu_fetch_want(struct slu_core *c, enum slu_fetch_what what, uint16_t lane, uint64_t from,
                    uint64_t until, const uint8_t *digest32, uint64_t preferred)
{
    struct slu_fetch fetch = {.what = (uint8_t)what, .lane = lane, .from = from, .to = until};
    if (digest32)
        memcpy(fetch.digest, digest32, 32);
    struct slu_small_want *slot = &c->wants[0];
    for (uint32_t i = 0; i < SLU_SMALL_WANTS; i++) {
        struct slu_small_want *at = &c->wants[i];
        if (at->tries && at->fetch.what == what && at->fetch.lane == lane &&
            at->fetch.from == from && at->fetch.to == until &&
            slu_digest_is(at->fetch.digest, fetch.digest)) {
            if (c->now_ms < at->sent_ms + retry_ms(c))
                return;
            slot = at;
            break;
        }
        if (!at->tries || (slot->tries && at->sent_ms < slot->sent_ms))
            slot = at; /* a free one, or the oldest */
    }
    if (slot->tries && c->now_ms < slot->sent_ms + retry_ms(c)) {
        /* Everything in the table is fresh: this one waits for its turn, or it would be a storm. */
        if (c->fetch_again_ms == 0 || slot->sent_ms + retry_ms(c) < c->fetch_again_ms)
            c->fetch_again_ms = slot->sent_ms + retry_ms(c);
        return;
    }
    bool again = slot->tries && slot->fetch.what == what &&
                 slu_digest_is(slot->fetch.digest, fetch.digest) && slot->fetch.from == from;
    slot->tries = again ? slot->tries + 1 : 1;
    slot->fetch = fetch;
    slot->sent_ms = c->now_ms;
    if (again)
        c->stats.fetch_retries++;
    /* Every second try goes beyond the preferred, so that one dead or lying node pins nothing. */
    send_fetch(c, pick_peer(c, slot->tries % 2 ? preferred : UINT64_MAX), &fetch);
}

/* ---- lanes: headers at once, bodies a little later (they are usually on their way) ---- */

void slu_fetch_headers(struct slu_core *c, uint16_t index, const struct slu_tip *tip,
                       uint64_t preferred)
{
    const struct slu_lane *lane = &c->lanes[index];
    uint64_t from = lane->pool[lane->certified].h.position + 1;
    if (tip->position < from)
        return; /* beside the certified chain: no honest node can have it certified */
    slu_fetch_want(c, SLU_FETCH_HEADERS, index, from, tip->position, tip->digest, preferred);
}

bool slu_fetch_is_wanted(const struct slu_core *c, enum slu_fetch_what what,
                         const uint8_t digest32[32])
{
    for (uint32_t i = 0; i < SLU_SMALL_WANTS; i++)
        if (c->wants[i].tries && c->wants[i].fetch.what == what &&
            slu_digest_is(c->wants[i].fetch.digest, digest32))
            return true;
    return false;
}

/* Whether the lane's part of the final block `block` after `before` is held. */
static bool lane_part_held(struct slu_core *c, uint16_t index, const struct slu_block *before,
                           const struct slu_block *block)
{
    const struct slu_lane *lane = &c->lanes[index];
    const struct slu_tip *from = &before->cut[index], *to = &block->cut[index];
    if (to->position <= from->position)
        return true;
    uint32_t tip = slu_lane_find(lane, to->digest);
    if (tip == SLU_NONE)
        return false;
    uint32_t count = slu_lane_path(c, lane, tip, from->position, from->digest, c->path);
    if (count == SLU_NONE)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!lane->pool[c->path[i]].held)
            return false;
    return true;
}

/* What delivery lacks of a lane: the first final block whose part is not whole. */
static bool history_need(struct slu_core *c, uint16_t index, struct slu_fetch *need)
{
    struct slu_lane *lane = &c->lanes[index];
    if (lane->whole_height < c->delivered.height)
        lane->whole_height = c->delivered.height;
    while (lane->whole_height < c->finals_top) {
        const struct slu_block *before = lane->whole_height == c->delivered.height
                                             ? &c->delivered
                                             : slu_chain_final_at(c, lane->whole_height);
        const struct slu_block *block = slu_chain_final_at(c, lane->whole_height + 1);
        if (!lane_part_held(c, index, before, block)) {
            uint64_t room = slu_pool_history_top(c, lane);
            struct slu_tip lacking;
            if (lane->from_tip && block->cut[index].position <= room &&
                slu_lane_lacks(c, index, &block->cut[index], &lacking)) {
                need->from = need->to = lacking.position;
                memcpy(need->digest, lacking.digest, 32);
                return true;
            }
            /* Window after window, again from the first: which of them lacks something is not known
             * before the headers are. */
            uint64_t base = before->cut[index].position + 1;
            uint64_t from = base + (uint64_t)lane->history_window * BATCHES_PER_FETCH;
            if (from > block->cut[index].position) {
                lane->history_window = 0;
                from = base;
            }
            need->from = from;
            need->to = from + BATCHES_PER_FETCH - 1;
            const struct slu_tip *top = &slu_chain_final_at(c, c->finals_top)->cut[index];
            if (need->to > top->position)
                need->to = top->position;
            if (need->to > room)
                need->to = room;
            return need->to >= need->from;
        }
        lane->history_window = 0;
        lane->whole_height++;
    }
    return false;
}

/* The body range that leads to a header that I know but do not hold. */
static bool range_to(const struct slu_core *c, uint16_t index, uint32_t target,
                     struct slu_fetch *need)
{
    const struct slu_lane *lane = &c->lanes[index];
    uint32_t at = target;
    while (at != SLU_NONE && !slu_lane_usable(lane, at))
        at = lane->pool[at].parent;
    if (at == SLU_NONE || at == target)
        return false;
    need->from = lane->pool[at].h.position + 1;
    need->to = lane->pool[target].h.position;
    memcpy(need->digest, lane->pool[target].h.digest, 32);
    return true;
}

/* What node j acked and I lack: one that I know the header of, or one that I never heard of. */
static bool lacks_ack_of(const struct slu_core *c, uint16_t index, uint16_t j,
                         struct slu_fetch *need)
{
    const struct slu_lane *lane = &c->lanes[index];
    const struct slu_ack_state *applied = &c->applied[(size_t)j * c->n + index];
    const struct slu_ack_state *waiting = &c->waiting[(size_t)j * c->n + index];
    if (applied->slot != SLU_NONE && applied->tip.position > lane->committed.position) {
        uint32_t place = slu_lane_find(lane, applied->tip.digest);
        if (place != SLU_NONE && range_to(c, index, place, need))
            return true;
    }
    uint64_t have = lane->pool[lane->mine].h.position;
    if (waiting->slot == SLU_NONE || waiting->tip.position <= lane->committed.position ||
        waiting->tip.position > lane->committed.position + c->g->params.lane_window_batches)
        return false;
    if (have >= waiting->tip.position)
        have = lane->committed.position; /* mine is another chain */
    need->from = have + 1;
    need->to = waiting->tip.position;
    memcpy(need->digest, waiting->tip.digest, 32);
    return true;
}

/* What I lack above the committed cut: the certified chain first, then what others acked, drawn anew
 * each time, so that nobody's false ack hides the others'. */
static bool live_need(struct slu_core *c, uint16_t index, struct slu_fetch *need, uint64_t *who)
{
    const struct slu_lane *lane = &c->lanes[index];
    bool found = range_to(c, index, lane->certified, need);
    uint64_t first = found ? 0 : slu_random(c);
    *who = lane->pool[lane->certified].support;
    for (uint16_t k = 0; !found && k < c->n; k++) {
        uint16_t j = (uint16_t)((first + k) % c->n);
        found = j != c->self && lacks_ack_of(c, index, j, need);
        *who = UINT64_C(1) << j;
    }
    if (found && need->to - need->from >= BATCHES_PER_FETCH) {
        need->to = need->from + BATCHES_PER_FETCH - 1;
        memset(need->digest, 0, 32);
    }
    return found;
}

static void lane_tick(struct slu_core *c, uint16_t index)
{
    struct slu_lane *lane = &c->lanes[index];
    struct slu_want *want = &lane->bodies;
    struct slu_fetch need = {.what = SLU_FETCH_BATCHES, .lane = index};
    uint64_t who = UINT64_MAX;
    bool history = history_need(c, index, &need);
    if (!history && !live_need(c, index, &need, &who)) {
        want->active = false;
        want->first_ms = 0;
        return;
    }
    if (!want->first_ms)
        want->first_ms = c->now_ms ? c->now_ms : 1;
    if (!history && !slu_fetch_patience(c, want->first_ms))
        return;
    if (want->active && c->now_ms < want->sent_ms + retry_ms(c))
        return;
    if (want->active)
        c->stats.fetch_retries++;
    if (history)
        lane->history_window++;
    want->active = true;
    want->sent_ms = c->now_ms;
    want->to.position = need.to;
    memcpy(want->to.digest, need.digest, 32);
    bool beyond = slu_random(c) % 3 == 0; /* of those that should have it */
    send_fetch(c, pick_peer(c, beyond ? UINT64_MAX : who), &need);
    if (!history) {
        uint32_t known = slu_lane_find(lane, need.digest);
        if (known == SLU_NONE || !lane->pool[known].known) {
            struct slu_tip tip = {.position = need.to};
            memcpy(tip.digest, need.digest, 32);
            slu_fetch_headers(c, index, &tip, who);
        }
    }
}

void slu_fetch_progress(struct slu_core *c, uint16_t index, uint64_t position)
{
    struct slu_want *want = &c->lanes[index].bodies;
    if (!want->active)
        return;
    want->sent_ms = c->now_ms;
    if (position >= want->to.position) {
        want->active = false; /* the end of what was asked: look for more at this turn's end */
        c->fetch_again_ms = c->now_ms;
    }
}

static void finals_tick(struct slu_core *c)
{
    if (c->head.height <= c->finals_top ||
        c->finals_top - c->delivered.height >= SLU_FINAL_BLOCKS / 2)
        return;
    if (c->finals_fetch_ms && c->now_ms < c->finals_fetch_ms + retry_ms(c))
        return;
    c->finals_fetch_ms = c->now_ms ? c->now_ms : 1;
    struct slu_fetch fetch = {.what = SLU_FETCH_FINALS, .from = c->finals_top + 1};
    if (c->gap_low > c->finals_top + 1) {
        fetch.to = c->gap_low - 1;
        memcpy(fetch.digest, c->gap_parent, 32);
    }
    send_fetch(c, pick_peer(c, UINT64_MAX), &fetch);
    const uint8_t *missing = slu_chain_missing(c);
    if (missing)
        slu_fetch_want(c, SLU_FETCH_BLOCK, 0, 0, 0, missing, UINT64_MAX);
}

/* Whether Δ passed since `since_ms`; else looks again then. */
bool slu_fetch_patience(struct slu_core *c, uint64_t since_ms)
{
    uint64_t at = since_ms + c->g->params.delta_ms;
    if (c->now_ms >= at)
        return true;
    if (c->fetch_again_ms == 0 || at < c->fetch_again_ms)
        c->fetch_again_ms = at;
    return false;
}

/* Runs at the end of each turn. */
void slu_fetch_tick(struct slu_core *c)
{
    if (!c->started || c->n == 1)
        return;
    if (c->wants_head)
        slu_fetch_want(c, SLU_FETCH_BLOCK, 0, 0, 0, c->want_head.block, UINT64_MAX);
    finals_tick(c);
    for (uint16_t l = 0; l < c->n; l++)
        lane_tick(c, l);
    if (c->inbox.missing > 0)
        slu_inbox_fetch(c);
    if (c->fetch_again_ms && c->now_ms >= c->fetch_again_ms) {
        c->fetch_again_ms = 0;
        c->order_wanted |= c->queue.due < c->queue.top || c->slashed;
        slu_view_progress(c); /* whoever still lacks something asks again */
    }
}

uint64_t slu_fetch_deadline(const struct slu_core *c)
{
    return c->fetch_again_ms ? c->fetch_again_ms : UINT64_MAX;
}

/* ---- answering ---- */

static void serve_headers(struct slu_core *c, uint16_t to, const struct slu_fetch *fetch)
{
    const struct slu_lane *lane = &c->lanes[fetch->lane];
    uint32_t at = slu_lane_find(lane, fetch->digest), count = 0;
    while (at != SLU_NONE && lane->pool[at].known && lane->pool[at].h.position >= fetch->from &&
           count < c->g->params.lane_window_batches) {
        c->path[count++] = at;
        at = lane->pool[at].parent;
    }
    if (count == 0 || lane->pool[c->path[count - 1]].h.position != fetch->from)
        return;
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_HEADERS;
    m->headers.count = 0;
    while (count > 0 && m->headers.count < SLU_HEADERS_PER_MESSAGE_MAX)
        m->headers.items[m->headers.count++] = lane->pool[c->path[--count]].h;
    slu_fx_send(c, to, m);
}

static void serve_report(struct slu_core *c, uint16_t to, uint64_t view, uint16_t node,
                         const uint8_t digest32[32])
{
    struct slu_report_slot *slot = slu_report_find(c, view, node, digest32);
    if (!slot)
        return;
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_REPORT;
    slu_report_copy(&m->report, &slot->report);
    slu_fx_send(c, to, m);
}

static void serve_proposal(struct slu_core *c, uint16_t to, uint64_t view)
{
    const struct slu_view_slot *slot = slu_view_peek(c, view);
    if (!slot || !slot->has_proposal)
        return;
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_PROPOSAL;
    m->proposal = slot->proposal;
    slu_fx_send(c, to, m);
    for (uint16_t i = 0; i < slot->proposal.count; i++)
        serve_report(c, to, view, slot->proposal.reports[i].node, slot->proposal.reports[i].digest);
}

void slu_fetch_on_request(struct slu_core *c, const struct slu_fetch *fetch, uint16_t from)
{
    c->stats.fetches_served++;
    switch ((enum slu_fetch_what)fetch->what) {
    case SLU_FETCH_BATCHES:
    case SLU_FETCH_ITEM:
    case SLU_FETCH_SHARES:
    case SLU_FETCH_RELEASES:
    case SLU_FETCH_FINALS: {
        struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_SERVE);
        fx->serve.to = from;
        fx->serve.fetch = *fetch;
        return;
    }
    case SLU_FETCH_HEADERS:
        serve_headers(c, from, fetch);
        return;
    case SLU_FETCH_LANE_CERT:
        if (fetch->to <= c->lanes[fetch->lane].committed.position)
            slu_vote_send_entry(c, from); /* the asker is behind: the final view settles it */
        else
            slu_ack_serve(c, from, fetch);
        return;
    case SLU_FETCH_REPORT:
        if (fetch->to < c->n)
            serve_report(c, from, fetch->from, (uint16_t)fetch->to, fetch->digest);
        return;
    case SLU_FETCH_PROPOSAL:
        serve_proposal(c, from, fetch->from);
        return;
    case SLU_FETCH_VIEWS:
        slu_vote_serve_views(c, from, fetch);
        return;
    case SLU_FETCH_BLOCK:
        slu_chain_serve_block(c, from, fetch);
        return;
    case SLU_FETCH_HOLDS:
        slu_inbox_serve(c, from, fetch);
        return;
    case SLU_FETCH_KINDS:
        return;
    }
}
