/* Reports: making mine, holding others', and knowing which of them I can back with certificates. */
#include <string.h>

#include "consensus/state.h"

static struct slu_report_view *view_of(struct slu_core *c, uint64_t view)
{
    struct slu_report_view *at = &c->reports[view % SLU_REPORT_VIEWS];
    if (at->view != view) {
        for (uint32_t i = 0; i < c->n * SLU_REPORTS_PER_NODE; i++)
            at->slots[i].present = at->slots[i].verified = false;
        at->view = view;
    }
    return at;
}

static const struct slu_report_view *peek_view(const struct slu_core *c, uint64_t view)
{
    const struct slu_report_view *at = &c->reports[view % SLU_REPORT_VIEWS];
    return at->view == view ? at : NULL;
}

/* Whether each tip and each inbox item is certified to me. Tips at or below the committed cut and
 * items that a final block queued change no block that can still be computed. */
static bool backed(const struct slu_core *c, const struct slu_report *report)
{
    for (uint16_t i = 0; i < report->count; i++) {
        const struct slu_lane *lane = &c->lanes[report->tips[i].lane];
        const struct slu_tip *tip = &report->tips[i].tip;
        if (tip->position <= lane->committed.position)
            continue;
        uint32_t place = slu_lane_find(lane, tip->digest);
        if (place == SLU_NONE || !lane->pool[place].certified ||
            lane->pool[place].h.position != tip->position)
            return false;
    }
    struct slu_inbox_tuple tuple;
    for (uint16_t i = 0; i < report->inbox_count; i++) {
        slu_inbox_tuple_at(report->inbox, i, &tuple);
        if (!slu_inbox_backed(c, &tuple))
            return false;
    }
    return true;
}

struct slu_report_slot *slu_report_find(struct slu_core *c, uint64_t view, uint16_t node,
                                        const uint8_t digest32[32])
{
    struct slu_report_view *at = &c->reports[view % SLU_REPORT_VIEWS];
    for (uint32_t k = 0; at->view == view && k < SLU_REPORTS_PER_NODE; k++) {
        struct slu_report_slot *slot = &at->slots[node * SLU_REPORTS_PER_NODE + k];
        if (slot->present && slu_digest_is(slot->report.digest, digest32))
            return slot;
    }
    return NULL;
}

struct slu_report_slot *slu_report_any(struct slu_core *c, uint64_t view, uint16_t node,
                                       bool verified)
{
    struct slu_report_view *at = &c->reports[view % SLU_REPORT_VIEWS];
    for (uint32_t k = 0; at->view == view && k < SLU_REPORTS_PER_NODE; k++) {
        struct slu_report_slot *slot = &at->slots[node * SLU_REPORTS_PER_NODE + k];
        if (slot->present && (slot->verified || !verified))
            return slot;
    }
    return NULL;
}

uint32_t slu_report_count(const struct slu_core *c, uint64_t view, bool verified, bool others)
{
    const struct slu_report_view *at = peek_view(c, view);
    uint32_t count = 0;
    for (uint16_t j = 0; at && j < c->n; j++) {
        if (others && j == c->self)
            continue;
        for (uint32_t k = 0; k < SLU_REPORTS_PER_NODE; k++) {
            const struct slu_report_slot *slot = &at->slots[j * SLU_REPORTS_PER_NODE + k];
            if (slot->present && (slot->verified || !verified)) {
                count++;
                break;
            }
        }
    }
    return count;
}

/* Whether the proposal of its view names exactly this report. */
bool slu_report_is_wanted(struct slu_core *c, const struct slu_report *report)
{
    const struct slu_view_slot *slot = slu_view_peek(c, report->view);
    if (!slot || !slot->has_proposal)
        return false;
    for (uint16_t i = 0; i < slot->proposal.count; i++)
        if (slot->proposal.reports[i].node == report->node)
            return slu_digest_is(slot->proposal.reports[i].digest, report->digest);
    return false;
}

/* A node's first report counts; a second place is for one that a proposal names instead. */
static struct slu_report_slot *place_for(struct slu_core *c, const struct slu_report *report,
                                         bool wanted)
{
    struct slu_report_view *at = view_of(c, report->view);
    struct slu_report_slot *slots = &at->slots[report->node * SLU_REPORTS_PER_NODE];
    if (!slots[0].present)
        return &slots[0];
    if (!slots[1].present || wanted)
        return &slots[1];
    return NULL;
}

void slu_report_on_report(struct slu_core *c, const struct slu_report *report, bool wanted)
{
    if (report->view <= c->final_view || report->view + 1 < c->view ||
        report->view > c->view + SLU_REPORT_VIEWS / 2)
        return;
    if (slu_report_find(c, report->view, report->node, report->digest))
        return;
    struct slu_report_slot *slot = place_for(c, report, wanted);
    if (!slot)
        return;
    slu_report_copy(&slot->report, report);
    slot->present = true;
    slot->verified = backed(c, report);
    if (report->view == c->view) {
        slu_report_maybe(c);
        slu_view_reports_changed(c);
    }
}

/* Certificates came in: look again at what could not be backed. */
void slu_report_recheck(struct slu_core *c)
{
    bool changed = false;
    for (uint64_t view = c->view; view <= c->view + 1; view++) {
        struct slu_report_view *at = &c->reports[view % SLU_REPORT_VIEWS];
        for (uint32_t i = 0; at->view == view && i < c->n * SLU_REPORTS_PER_NODE; i++) {
            struct slu_report_slot *slot = &at->slots[i];
            if (slot->present && !slot->verified && backed(c, &slot->report)) {
                slot->verified = true;
                changed = true;
            }
        }
    }
    if (changed)
        slu_view_reports_changed(c);
}

/* ---- my own ---- */

bool slu_report_has_new(const struct slu_core *c, const struct slu_block *base)
{
    if (!base)
        return false;
    if (base->height > c->delivered.height + c->g->params.release_lag_max)
        return false; /* delivery lags: the cuts stay, so nothing can be ordered */
    for (uint16_t l = 0; l < c->n; l++) {
        const struct slu_lane *lane = &c->lanes[l];
        if (lane->pool[lane->certified].h.position > base->cut[l].position)
            return true;
    }
    if (base->tail.height > base->height || slu_inbox_has_new(c, base))
        return true; /* forced entries are due at the heights to come, or wait to be queued */
    if (slu_sealing_has_new(c, base))
        return true;
    return base->height > 0 && c->clock_ms > base->time_ms + 5000;
}

void slu_report_make(struct slu_core *c, uint64_t view)
{
    if (c->reported_view >= view || !c->started)
        return;
    struct slu_report *r = &c->own_report;
    r->epoch = 0;
    r->view = view;
    r->node = c->self;
    r->released = c->delivered.height;
    r->clock_ms = c->clock_ms;
    r->count = 0;
    slu_inbox_report(c, slu_chain_best(c), r);
    for (uint16_t l = 0; l < c->n; l++) {
        const struct slu_lane *lane = &c->lanes[l];
        const struct slu_batch_header *tip = &lane->pool[lane->certified].h;
        if (tip->position <= lane->committed.position)
            continue;
        r->tips[r->count].lane = l;
        r->tips[r->count].tip.position = tip->position;
        memcpy(r->tips[r->count].tip.digest, tip->digest, 32);
        r->count++;
    }
    slu_report_digest(r, c->g);
    SLU_CHECK(!c->signer.sign(c->signer.context, r->signature, SLU_ROLE_REPORT, view, r->digest));
    c->reported_view = view;
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_REPORT;
    slu_report_copy(&m->report, r);
    slu_fx_send(c, SLU_TO_ALL, m);
    c->stats.reports_sent++;
    slu_report_on_report(c, r, false);
}

/* The times to report for the current view (clause 3.2): something new, f+1 others did, or the
 * heartbeat. The leader waits until it can propose with it, so that its report is the freshest. */
void slu_report_maybe(struct slu_core *c)
{
    if (!c->started || c->view == 0 || c->reported_view >= c->view)
        return;
    uint32_t others = slu_report_count(c, c->view, false, true);
    bool leads = slu_view_leader(c, c->view) == c->self;
    bool due = c->now_ms >= c->heartbeat_due_ms;
    if (leads && !due) {
        if (slu_report_count(c, c->view, true, true) + 1 >= c->q &&
            (others > c->f || slu_report_has_new(c, slu_chain_best(c)))) {
            slu_ack_send_new(c); /* so that they count for the tips that it is about to name */
            slu_report_make(c, c->view);
        }
        return;
    }
    if (due || others > c->f || slu_report_has_new(c, slu_chain_best(c)))
        slu_report_make(c, c->view);
}

/* At boot: a report that my durable Notarize names, so that others can still be served with it. */
void slu_report_restore(struct slu_core *c, const struct slu_report *report)
{
    struct slu_report_slot *slot = place_for(c, report, true);
    slu_report_copy(&slot->report, report);
    slot->present = true;
    slot->verified = backed(c, report);
}

/* With the reports anybody can compute the block again (`sluice audit`). Who fetched it has none.
 */
void slu_report_persist(struct slu_core *c, const struct slu_block *block)
{
    /* The view is final by now: its slot is there until another needs the place. */
    const struct slu_view_slot *slot = &c->views[block->view % SLU_VIEW_WINDOW];
    const struct slu_report *reports[SLU_NODES_MAX];
    size_t len = 2;
    if (slot->view != block->view || !slot->has_proposal || !slu_digest_is(slot->proposal.block, block->digest))
        return;
    for (uint16_t i = 0; i < slot->proposal.count; i++) {
        const struct slu_report_ref *ref = &slot->proposal.reports[i];
        const struct slu_report_slot *found =
            slu_report_find(c, block->view, ref->node, ref->digest);
        if (!found)
            return;
        reports[i] = &found->report;
        len += slu_report_bytes(&found->report);
    }
    struct slu_writer w = slu_writer_of(slu_fx_take(c, len), len);
    slu_write_u16(&w, slot->proposal.count);
    for (uint16_t i = 0; i < slot->proposal.count; i++)
        slu_report_write(&w, reports[i]);
    SLU_CHECK(!w.failed && w.at == w.end);
    struct slu_record_key key = {.kind = SLU_REC_REPORTS, .a = block->height};
    slu_fx_persist(c, &key, w.start, len, NULL, 0);
}
