/* Views: entering, timers, proposing, and the checks before a Notarize (clause 3). */
#include <string.h>

#include "consensus/state.h"

uint16_t slu_view_leader(const struct slu_core *c, uint64_t view)
{
    return (uint16_t)(view % c->n);
}

struct slu_view_slot *slu_view_peek(const struct slu_core *c, uint64_t view)
{
    struct slu_view_slot *slot = &c->views[view % SLU_VIEW_WINDOW];
    return view > c->final_view && slot->view == view ? slot : NULL;
}

struct slu_view_slot *slu_view_slot(struct slu_core *c, uint64_t view)
{
    if (view <= c->final_view || view - c->final_view >= SLU_VIEW_WINDOW)
        return NULL;
    struct slu_view_slot *slot = &c->views[view % SLU_VIEW_WINDOW];
    if (slot->view == view)
        return slot;
    slot->view = view;
    for (int kind = 0; kind < SLU_VOTE_KINDS; kind++) {
        memset(slot->votes[kind], 0, c->n * sizeof *slot->votes[kind]);
        slot->certified[kind] = slot->own[kind] = false;
    }
    slot->has_proposal = slot->refused = slot->to_relay = false;
    return slot;
}

/* ---- timers ---- */

/* Grows by half per standstill window, up to the cap of the genesis. */
static uint64_t grown(const struct slu_core *c, uint64_t base_ms)
{
    uint64_t cap = c->g->params.timer_cap_ms > base_ms ? c->g->params.timer_cap_ms : base_ms;
    uint64_t value = base_ms;
    for (uint32_t i = 0; i < c->growth_steps && value < cap; i++)
        value += value / 2;
    return value < cap ? value : cap;
}

bool slu_view_is_moving(const struct slu_core *c)
{
    uint64_t soon = UINT64_C(2) * c->g->params.batch_linger_ms;
    return c->view_took_ms <= soon && c->now_ms - c->entered_ms <= soon;
}

static uint64_t silence_ms(const struct slu_core *c, uint16_t node)
{
    return node == c->self ? 0 : c->now_ms - c->heard_ms[node];
}

/* Whether node j comes before `leader` among those whose turns are skipped: slashed ones first, then
 * the longest silent. */
static bool skipped_before(const struct slu_core *c, uint16_t j, uint16_t leader)
{
    /* Not bool: gcc 12 with -fsanitize=undefined finds two equal bits unequal. */
    uint64_t j_slashed = c->slashed >> j & 1, slashed = c->slashed >> leader & 1;
    if (j_slashed != slashed)
        return j_slashed == 1;
    uint64_t other = silence_ms(c, j), silent = silence_ms(c, leader);
    if (slashed || other == silent)
        return j < leader;
    return other > silent;
}

/* Whether `leader`'s turn is skipped: it is slashed or silent, and fewer than f are more so. */
static bool is_skipped(const struct slu_core *c, uint16_t leader)
{
    if (!(c->slashed >> leader & 1) && silence_ms(c, leader) < c->g->params.skip_ms)
        return false;
    uint16_t before = 0;
    for (uint16_t j = 0; j < c->n; j++)
        before += (uint16_t)(j != leader && skipped_before(c, j, leader));
    return before < c->f;
}

static void shorten(struct slu_core *c)
{
    if (c->shortened || slu_report_count(c, c->view, true, false) < c->q)
        return;
    c->shortened = true;
    uint64_t at = c->now_ms + grown(c, UINT64_C(8) * c->g->params.delta_ms);
    if (at < c->view_deadline_ms)
        c->view_deadline_ms = at;
}

void slu_view_reports_changed(struct slu_core *c)
{
    shorten(c);
    slu_view_progress(c);
}

void slu_view_enter(struct slu_core *c, uint64_t view)
{
    if (view <= c->view)
        return;
    if (view - c->final_view >= SLU_VIEW_WINDOW) {
        c->stats.window_full_views++;
        return;
    }
    c->view_took_ms = c->now_ms - c->entered_ms;
    c->view = view;
    c->entered_ms = c->now_ms;
    c->shortened = false;
    const struct slu_block *base = slu_chain_best(c);
    uint64_t heartbeat = base ? slu_heartbeat_ms(c->g, base) : c->g->params.heartbeat_idle_ms;
    c->heartbeat_due_ms = c->now_ms + heartbeat;
    c->view_deadline_ms = c->now_ms + grown(c, heartbeat + UINT64_C(8) * c->g->params.delta_ms);
    if (is_skipped(c, slu_view_leader(c, view))) {
        c->view_deadline_ms = c->now_ms;
        c->stats.views_skipped++;
    }
    shorten(c);
    slu_view_progress(c);
}

void slu_view_finalized(struct slu_core *c)
{
    c->last_final_ms = c->now_ms;
    if (c->growth_steps > 0)
        c->growth_steps--;
}

static void resend(struct slu_core *c)
{
    c->resend_due_ms = c->now_ms + c->g->params.resend_ms;
    slu_ack_send_full(c, SLU_TO_ALL);
    slu_inbox_resend(c);
    if (c->view == c->resend_view) {
        slu_vote_send_own(c, SLU_TO_ALL, c->view);
        if (c->reported_view == c->view) {
            struct slu_message *m = c->scratch;
            m->kind = SLU_MSG_REPORT;
            slu_report_copy(&m->report, &c->own_report);
            slu_fx_send(c, SLU_TO_ALL, m);
        }
        slu_vote_send_entry(c, SLU_TO_ALL);
    }
    c->resend_view = c->view;
    if (c->now_ms - c->last_final_ms >= c->g->params.standstill_ms) {
        c->last_final_ms = c->now_ms; /* one step per standstill window */
        if (grown(c, UINT64_C(8) * c->g->params.delta_ms) < c->g->params.timer_cap_ms)
            c->growth_steps++; /* no further: the first finalization must shrink them again */
        slu_vote_resend_above_final(c, SLU_TO_ALL);
    }
}

void slu_view_tick(struct slu_core *c)
{
    if (!c->started)
        return;
    if (c->now_ms >= c->view_deadline_ms)
        slu_vote_nullify(c, c->view);
    slu_report_maybe(c);
    slu_vote_relay_tick(c);
    if (c->now_ms >= c->resend_due_ms)
        resend(c);
}

uint64_t slu_view_deadline(const struct slu_core *c)
{
    uint64_t at = c->resend_due_ms;
    if (c->relay_due_ms && c->relay_due_ms < at)
        at = c->relay_due_ms;
    const struct slu_view_slot *slot = slu_view_peek(c, c->view);
    bool voted = slot && (slot->own[SLU_NULLIFY] || slot->own[SLU_FINALIZE]);
    if (!voted && slu_vote_allowed(c, c->view) && c->view_deadline_ms < at)
        at = c->view_deadline_ms;
    if (c->reported_view < c->view && c->heartbeat_due_ms < at)
        at = c->heartbeat_due_ms;
    return at;
}

/* ---- proposing ---- */

bool slu_view_parent(struct slu_core *c, uint64_t view, uint64_t *parent_view, uint8_t digest32[32])
{
    for (uint64_t u = view - 1;; u--) {
        if (u == c->final_view) {
            *parent_view = u;
            memcpy(digest32, c->wants_head ? c->want_head.block : c->head.digest, 32);
            return true;
        }
        const struct slu_view_slot *slot = slu_view_peek(c, u);
        if (slot && slot->certified[SLU_NOTARIZE]) {
            *parent_view = u;
            memcpy(digest32, slot->notarized, 32);
            return true;
        }
        if (!slot || !slot->certified[SLU_NULLIFY]) {
            slu_fetch_want(c, SLU_FETCH_VIEWS, 0, u, view - 1, NULL, UINT64_MAX);
            return false;
        }
    }
}

/* q verified reports, my own among them, in node order. Which others rotates with the view. */
static bool pick_reports(struct slu_core *c, uint64_t view, const struct slu_report **out)
{
    const struct slu_report *by_node[SLU_NODES_MAX] = {NULL};
    struct slu_report_slot *mine = slu_report_any(c, view, c->self, true);
    if (!mine)
        return false;
    by_node[c->self] = &mine->report;
    uint16_t count = 1;
    for (uint16_t k = 0; k < c->n && count < c->q; k++) {
        uint16_t j = (uint16_t)((view + k) % c->n);
        struct slu_report_slot *slot = j == c->self ? NULL : slu_report_any(c, view, j, true);
        if (!slot)
            continue;
        by_node[j] = &slot->report;
        count++;
    }
    if (count < c->q)
        return false;
    uint16_t at = 0;
    for (uint16_t j = 0; j < c->n; j++)
        if (by_node[j])
            out[at++] = by_node[j];
    return true;
}

#define HOLDS_ASKED_AT_ONCE 32u

static void want_holds(struct slu_core *c, const struct slu_report *report, uint64_t who)
{
    struct slu_inbox_tuple tuple;
    uint32_t left = HOLDS_ASKED_AT_ONCE;
    for (uint16_t i = 0; i < report->inbox_count && left > 0; i++) {
        slu_inbox_tuple_at(report->inbox, i, &tuple);
        if (slu_inbox_backed(c, &tuple))
            continue;
        uint8_t digest[32];
        slu_inbox_tuple_digest(digest, c->g, &tuple);
        struct slu_reader r = slu_reader_of(tuple.id, 16);
        uint64_t first = slu_read_u64(&r), second = slu_read_u64(&r);
        slu_fetch_want(c, SLU_FETCH_HOLDS, 0, first, second, digest, who);
        left--;
    }
}

/* Asks for what backs a report: from its maker and from the proposer, who must hold it. */
static void want_backing(struct slu_core *c, const struct slu_report *report, uint16_t proposer)
{
    uint64_t who = UINT64_C(1) << report->node | UINT64_C(1) << proposer;
    for (uint16_t i = 0; i < report->count; i++) {
        const struct slu_lane_tip *at = &report->tips[i];
        const struct slu_lane *lane = &c->lanes[at->lane];
        uint32_t place = slu_lane_find(lane, at->tip.digest);
        if (at->tip.position <= lane->committed.position ||
            (place != SLU_NONE && lane->pool[place].certified))
            continue;
        slu_fetch_want(c, SLU_FETCH_LANE_CERT, at->lane, 0, at->tip.position, at->tip.digest, who);
        if (place == SLU_NONE || !lane->pool[place].known)
            slu_fetch_headers(c, at->lane, &at->tip, who);
        for (uint16_t j = 0; j < c->n; j++) {
            /* Its certificate may be made of acks further up, of headers that I lack. */
            const struct slu_ack_state *waiting = &c->waiting[(size_t)j * c->n + at->lane];
            if (waiting->slot != SLU_NONE)
                slu_fetch_headers(c, at->lane, &waiting->tip, who);
        }
    }
    want_holds(c, report, who);
}

/* Too few reports are backed: asks for the certificates of the others, after Δ, since they are
 * usually on their way. */
static void back_reports(struct slu_core *c, uint64_t view)
{
    if (!slu_fetch_patience(c, c->entered_ms))
        return;
    for (uint16_t j = 0; j < c->n; j++) {
        const struct slu_report_slot *slot = slu_report_any(c, view, j, false);
        if (slot && !slot->verified)
            want_backing(c, &slot->report, j);
    }
}

static void fill_proposal(struct slu_core *c, struct slu_view_slot *slot, uint64_t parent_view,
                          const struct slu_block *block, const struct slu_report *const *reports)
{
    struct slu_proposal *p = &slot->proposal;
    memset(p, 0, sizeof *p);
    p->view = slot->view;
    p->node = c->self;
    p->parent_view = parent_view;
    memcpy(p->parent, block->parent, 32);
    memcpy(p->block, block->digest, 32);
    p->count = c->q;
    for (uint16_t i = 0; i < c->q; i++) {
        p->reports[i].node = reports[i]->node;
        memcpy(p->reports[i].digest, reports[i]->digest, 32);
    }
    uint8_t digest[32];
    slu_vote_digest(digest, c->g, SLU_NOTARIZE, p->view, p->block);
    SLU_CHECK(!c->signer.sign(c->signer.context, p->notarize, SLU_ROLE_NOTARIZE, p->view, digest));
    slu_proposal_digest(p, c->g);
    SLU_CHECK(
        !c->signer.sign(c->signer.context, p->signature, SLU_ROLE_PROPOSAL, p->view, p->digest));
    slot->has_proposal = true;
}

static void try_propose(struct slu_core *c)
{
    uint64_t view = c->view, parent_view;
    if (view == 0 || slu_view_leader(c, view) != c->self || !slu_vote_allowed(c, view))
        return;
    struct slu_view_slot *slot = slu_view_slot(c, view);
    if (!slot || slot->has_proposal || slot->own[SLU_NOTARIZE] || slot->own[SLU_NULLIFY] ||
        slot->own[SLU_FINALIZE])
        return;
    const struct slu_report *reports[SLU_NODES_MAX];
    uint8_t parent[32];
    if (!pick_reports(c, view, reports)) {
        back_reports(c, view);
        return;
    }
    if (!slu_view_parent(c, view, &parent_view, parent))
        return;
    const struct slu_block *base = slu_chain_find(c, parent);
    if (!base) {
        slu_fetch_want(c, SLU_FETCH_BLOCK, 0, 0, 0, parent, UINT64_MAX);
        return;
    }
    if (!slu_block_compute(c, &c->work_block, base, view, reports))
        return; /* headers on their way */
    slu_chain_add(c, &c->work_block);
    c->stats.blocks_proposed++;
    fill_proposal(c, slot, parent_view, &c->work_block, reports);
    slu_vote_notarize(c, slot, &c->work_block, reports);
}

/* ---- checking a proposal ---- */

void slu_view_on_proposal(struct slu_core *c, const struct slu_proposal *proposal)
{
    if (proposal->view > c->view + SLU_REPORT_VIEWS / 2)
        return;
    struct slu_view_slot *slot = slu_view_slot(c, proposal->view);
    if (!slot)
        return;
    if (slot->has_proposal) {
        if (!slu_digest_is(slot->proposal.digest, proposal->digest)) {
            c->stats.equivocations_seen++;
            slu_vote_tally(c, slot, SLU_NOTARIZE, proposal->node, proposal->block,
                           proposal->notarize); /* evidence, when it is for another block */
        }
        return;
    }
    slot->proposal = *proposal;
    slot->has_proposal = true;
    slu_vote_tally(c, slot, SLU_NOTARIZE, proposal->node, proposal->block, proposal->notarize);
    slu_view_progress(c);
}

enum readiness { WAIT, READY, NEVER };

/* Do I hold N of the parent and Z of every view between? */
static enum readiness check_ancestry(struct slu_core *c, const struct slu_proposal *p)
{
    if (p->parent_view < c->final_view)
        return NEVER; /* would skip a final view */
    if (p->parent_view == c->final_view) {
        const uint8_t *head = c->wants_head ? c->want_head.block : c->head.digest;
        if (!slu_digest_is(head, p->parent))
            return NEVER;
    } else {
        const struct slu_view_slot *parent = slu_view_peek(c, p->parent_view);
        bool notarized = parent && parent->certified[SLU_NOTARIZE];
        if (notarized && !slu_digest_is(parent->notarized, p->parent))
            return NEVER;
        if (!notarized) {
            slu_fetch_want(c, SLU_FETCH_VIEWS, 0, p->parent_view, p->view - 1, NULL,
                           UINT64_C(1) << p->node);
            return WAIT;
        }
    }
    for (uint64_t u = p->parent_view + 1; u < p->view; u++) {
        const struct slu_view_slot *between = slu_view_peek(c, u);
        if (!between || !between->certified[SLU_NULLIFY]) {
            slu_fetch_want(c, SLU_FETCH_VIEWS, 0, u, p->view - 1, NULL, UINT64_C(1) << p->node);
            return WAIT;
        }
    }
    return READY;
}

static enum readiness check_reports(struct slu_core *c, const struct slu_proposal *p,
                                    const struct slu_report **reports)
{
    enum readiness ready = READY;
    for (uint16_t i = 0; i < p->count; i++) {
        struct slu_report_slot *slot =
            slu_report_find(c, p->view, p->reports[i].node, p->reports[i].digest);
        if (!slot) {
            slu_fetch_want(c, SLU_FETCH_REPORT, 0, p->view, p->reports[i].node,
                           p->reports[i].digest, UINT64_C(1) << p->node);
            ready = WAIT;
            continue;
        }
        if (!slot->verified) {
            want_backing(c, &slot->report, p->node);
            ready = WAIT;
        }
        reports[i] = &slot->report;
    }
    return ready;
}

static void refuse(struct slu_core *c, struct slu_view_slot *slot, const char *why)
{
    slot->refused = true;
    slu_fx_trace(c, "event=proposal_refused view=%llu leader=%u why=%s",
                 (unsigned long long)slot->view, slot->proposal.node, why);
    slu_vote_nullify(c, slot->view);
}

/* f+1 nodes voted for a proposal that did not reach me: one of them is honest and has it. */
static void want_proposal(struct slu_core *c, const struct slu_view_slot *slot)
{
    uint64_t voters = 0;
    for (uint16_t j = 0; j < c->n; j++)
        if (slot->votes[SLU_NOTARIZE][j].present)
            voters |= UINT64_C(1) << j;
    if (__builtin_popcountll(voters) > (int)c->f && c->n > 1)
        slu_fetch_want(c, SLU_FETCH_PROPOSAL, 0, slot->view, 0, NULL, voters);
}

static void try_notarize(struct slu_core *c)
{
    struct slu_view_slot *slot = slu_view_peek(c, c->view);
    if (!slot || slot->refused || !slu_vote_allowed(c, c->view) || slot->own[SLU_NOTARIZE] ||
        slot->own[SLU_NULLIFY] || slot->own[SLU_FINALIZE])
        return;
    if (!slot->has_proposal) {
        want_proposal(c, slot);
        return;
    }
    const struct slu_proposal *p = &slot->proposal;
    enum readiness ancestry = check_ancestry(c, p);
    if (ancestry == NEVER) {
        refuse(c, slot, "ancestry");
        return;
    }
    const struct slu_report *reports[SLU_NODES_MAX];
    enum readiness backed = check_reports(c, p, reports);
    const struct slu_block *parent = slu_chain_find(c, p->parent);
    if (!parent)
        slu_fetch_want(c, SLU_FETCH_BLOCK, 0, 0, 0, p->parent, UINT64_C(1) << p->node);
    if (ancestry != READY || backed != READY || !parent)
        return;
    if (!slu_block_compute(c, &c->work_block, parent, p->view, reports))
        return;
    if (!slu_digest_is(c->work_block.digest, p->block)) {
        refuse(c, slot, "computed_otherwise");
        return;
    }
    slu_chain_add(c, &c->work_block);
    slu_vote_notarize(c, slot, &c->work_block, reports);
}

void slu_view_progress(struct slu_core *c)
{
    c->progress_wanted = true;
}

void slu_view_run(struct slu_core *c)
{
    while (c->progress_wanted) {
        c->progress_wanted = false;
        if (!c->started)
            return;
        slu_report_maybe(c);
        try_propose(c);
        try_notarize(c);
    }
}

/* After boot: into the highest view that what I hold lets me enter. */
void slu_view_restart(struct slu_core *c)
{
    uint64_t view = c->final_view + 1;
    for (uint64_t u = view; u < c->final_view + SLU_VIEW_WINDOW - 1; u++) {
        const struct slu_view_slot *slot = slu_view_peek(c, u);
        if (slot && (slot->certified[SLU_NOTARIZE] || slot->certified[SLU_NULLIFY]))
            view = u + 1;
    }
    c->last_final_ms = c->now_ms;
    c->resend_due_ms = c->now_ms + c->g->params.resend_ms;
    slu_view_enter(c, view);
}
