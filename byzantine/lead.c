/* A leader that chooses. A block is computed from the reports that a proposal names, so a leader's
 * freedom is which reports it heard and what its own says. Both are used here without the core:
 *
 *   worst_quorum          the reports of others for an own view are held back until there is a
 * choice, and the core gets the lowest q-1; its own is replaced by an empty one
 *   equivocate_proposals  the same block from another own report, to some
 *
 * In both cases the block is the core's with what the other own report changes. That needs no
 * headers: a cut that the core clamped stays where it is unless the remaining reports end below it.
 */
#include <string.h>

#include "byzantine/state.h"

/* ---- what the core made ---- */

void slu_dv_note_block(struct slu_deviant *d, const struct slu_block *block)
{
    uint32_t place = d->block_count++ % SLU_KEPT_BLOCKS;
    d->blocks[place] = *block;
    d->blocks[place].queued = d->lists[place];
    if (block->queued_count > SLU_KEPT_TUPLES)
        memset(d->blocks[place].digest, 0, 32);
    else if (block->queued_count > 0)
        memcpy(d->lists[place], block->queued, slu_block_list_bytes(block));
}

/* A NOTARIZE record is vote | proposal | q reports | block, a FINALIZE record is vote | cert |
 * u8 has_block | block (docs/STORAGE.md). */
void slu_dv_note_record(struct slu_deviant *d, const struct slu_effect *persist)
{
    const struct slu_record_key *key = &persist->persist.key;
    if (key->kind != SLU_REC_VOTE || key->b == SLU_NULLIFY)
        return;
    struct slu_reader r = slu_reader_of(persist->persist.value, persist->persist.value_len);
    struct slu_message *m = &d->said;
    struct slu_block block;
    SLU_CHECK(!slu_vote_read(&r, d->g, &m->vote));
    if (key->b == SLU_NOTARIZE) {
        SLU_CHECK(!slu_proposal_read(&r, d->g, &m->proposal));
        for (uint16_t i = 0; i < d->q; i++)
            SLU_CHECK(!slu_report_read(&r, d->g, &m->report));
    } else {
        SLU_CHECK(!slu_cert_read(&r, d->g, &m->cert));
        if (slu_read_u8(&r) == 0)
            return;
    }
    SLU_CHECK(!slu_block_read(&r, d->g, &block));
    slu_dv_note_block(d, &block);
}

static const struct slu_block *find_block(const struct slu_deviant *d, const uint8_t digest32[32])
{
    for (uint32_t i = 0; i < SLU_KEPT_BLOCKS && i < d->block_count; i++)
        if (!memcmp(d->blocks[i].digest, digest32, 32))
            return &d->blocks[i];
    return NULL;
}

/* ---- holding reports back ---- */

bool slu_dv_hold_report(struct slu_deviant *d, const struct slu_report *report)
{
    struct slu_held_reports *held = &d->reports;
    uint64_t view = slu_core_stats(d->core)->view;
    if (!slu_dv_leads(d, report->view) || report->node == d->self || report->view < view ||
        report->view > view + d->n || report->view < held->view)
        return false;
    if (report->view > held->view) {
        held->view = report->view;
        held->first_ms = d->now_ms;
        held->present = 0;
        held->fed = false;
    }
    if (!held->fed && !(held->present >> report->node & 1)) {
        held->present |= UINT64_C(1) << report->node;
        slu_report_copy(&held->items[report->node], report);
    }
    return true;
}

static uint64_t patience_ms(const struct slu_deviant *d)
{
    return UINT64_C(2) * d->g->params.delta_ms;
}

uint64_t slu_dv_feed_deadline(const struct slu_deviant *d)
{
    const struct slu_held_reports *held = &d->reports;
    uint64_t at = held->first_ms + patience_ms(d);
    return held->view && !held->fed && d->now_ms < at ? at : UINT64_MAX;
}

static uint64_t height_of(const struct slu_report *report)
{
    uint64_t sum = 0;
    for (uint16_t i = 0; i < report->count; i++)
        sum += report->tips[i].tip.position;
    return sum;
}

static uint16_t lowest_of(const struct slu_held_reports *held, uint16_t n, uint64_t candidates)
{
    uint16_t lowest = n;
    for (uint16_t j = 0; j < n; j++)
        if (candidates >> j & 1 &&
            (lowest == n || height_of(&held->items[j]) < height_of(&held->items[lowest])))
            lowest = j;
    return lowest;
}

void slu_dv_feed_reports(struct slu_deviant *d)
{
    struct slu_held_reports *held = &d->reports;
    uint16_t count = (uint16_t)__builtin_popcountll(held->present);
    if (!held->view || held->fed || held->view != slu_core_stats(d->core)->view ||
        count + 1 < d->q || (count + 1 < d->n && slu_dv_feed_deadline(d) != UINT64_MAX))
        return;
    held->fed = true;
    if (count + 1 > d->q)
        slu_dv_act(d, SLU_WORST_QUORUM);
    struct slu_message *m = &d->said;
    uint64_t left = held->present;
    for (uint16_t i = 0; i + 1 < d->q; i++) {
        uint16_t j = lowest_of(held, d->n, left);
        left &= ~(UINT64_C(1) << j);
        m->kind = SLU_MSG_REPORT;
        slu_report_copy(&m->report, &held->items[j]);
        struct slu_event e = {.kind = SLU_EVENT_MESSAGE,
                              .now_ms = d->now_ms,
                              .clock_ms = d->clock_ms,
                              .from = j,
                              .message = m};
        slu_core_step(d->core, &e, d->fx);
    }
}

/* ---- the other proposal ---- */

static bool is_named(const struct slu_deviant *d, const struct slu_proposal *p,
                     const uint8_t *tuple)
{
    for (uint16_t i = 0; i < p->count; i++) {
        const struct slu_report *r = &d->reports.items[p->reports[i].node];
        if (p->reports[i].node == d->self)
            continue;
        for (uint16_t k = 0; k < r->inbox_count; k++)
            if (!memcmp(r->inbox + (size_t)k * SLU_INBOX_TUPLE_BYTES, tuple, SLU_INBOX_TUPLE_BYTES))
                return true;
    }
    return false;
}

/* What the block queues without the own report. */
static void shorter_list(struct slu_deviant *d, const struct slu_proposal *p,
                         const struct slu_block *parent, struct slu_block *block)
{
    const uint8_t *all = block->queued;
    uint16_t count = block->queued_count;
    struct slu_inbox_tuple t;
    block->queued = d->variant_list;
    block->queued_count = 0;
    block->tail = parent->tail;
    memcpy(block->evident, parent->evident, sizeof block->evident);
    for (uint16_t i = 0; i < count; i++) {
        const uint8_t *each = all + (size_t)i * SLU_INBOX_TUPLE_BYTES;
        if (!is_named(d, p, each))
            continue;
        slu_inbox_tuple_at(each, 0, &t);
        if (t.kind == SLU_INBOX_EVIDENCE)
            block->evident[t.offence] |= UINT64_C(1) << t.offender;
        else
            slu_queue_book(d->g, &block->tail, block->height, t.bytes);
        memcpy(d->variant_list + (size_t)block->queued_count++ * SLU_INBOX_TUPLE_BYTES, each,
               SLU_INBOX_TUPLE_BYTES);
    }
}

/* The cut without the own report: no higher than the others' tips. False: something is not known.
 */
static bool lower_cut(struct slu_deviant *d, const struct slu_proposal *p, struct slu_block *block)
{
    const struct slu_held_reports *held = &d->reports;
    const struct slu_block *parent = find_block(d, block->parent);
    bool moved = false;
    if (!parent || held->view != p->view)
        return false;
    for (uint16_t l = 0; l < d->n; l++) {
        struct slu_tip top = parent->cut[l];
        for (uint16_t i = 0; i < p->count; i++) {
            const struct slu_report *r = &held->items[p->reports[i].node];
            if (p->reports[i].node == d->self)
                continue;
            if (memcmp(r->digest, p->reports[i].digest, 32))
                return false;
            for (uint16_t k = 0; k < r->count; k++)
                if (r->tips[k].lane == l && r->tips[k].tip.position > top.position)
                    top = r->tips[k].tip;
        }
        if (block->cut[l].position > top.position)
            block->cut[l] = top;
        moved |= block->cut[l].position > parent->cut[l].position;
    }
    shorter_list(d, p, parent, block);
    moved |= block->queued_count > 0 || block->tail.height >= block->height;
    block->idle_run = moved ? 0 : parent->idle_run + 1;
    return true;
}

static void sign_report(struct slu_deviant *d, struct slu_report *r)
{
    slu_report_digest(r, d->g);
    slu_dv_sign(d, r->signature, SLU_ROLE_REPORT, r->view, r->digest);
}

/* Makes the variant of the core's proposal `p`; false when too little is known for a valid one. */
static bool make_variant(struct slu_deviant *d, const struct slu_proposal *p)
{
    struct slu_variant *v = &d->variant;
    const struct slu_block *core_block = find_block(d, p->block);
    if (!core_block || d->own_report.view != p->view)
        return false;
    struct slu_block block = *core_block;
    slu_report_copy(&v->report, &d->own_report);
    v->proposal = *p;
    v->targets = slu_dv_does(d, SLU_EQUIVOCATE_PROPOSALS) ? slu_dv_some(d) : slu_dv_others(d);
    if (slu_dv_does(d, SLU_WORST_QUORUM)) {
        if (!lower_cut(d, p, &block))
            return false;
        v->report.count = 0;
        v->report.inbox_count = 0;
    } else {
        v->report.released = v->report.released > 0 ? v->report.released - 1 : 1;
    }
    sign_report(d, &v->report);
    for (uint16_t i = 0; i < p->count; i++)
        if (p->reports[i].node == d->self)
            memcpy(v->proposal.reports[i].digest, v->report.digest, 32);
    slu_reports_digest(block.reports, d->g, v->proposal.reports, p->count);
    slu_block_digest(&block, d->g);
    memcpy(v->proposal.block, block.digest, 32);
    uint8_t digest[32];
    slu_vote_digest(digest, d->g, SLU_NOTARIZE, p->view, block.digest);
    slu_dv_sign(d, v->proposal.notarize, SLU_ROLE_NOTARIZE, p->view, digest);
    slu_proposal_digest(&v->proposal, d->g);
    slu_dv_sign(d, v->proposal.signature, SLU_ROLE_PROPOSAL, p->view, v->proposal.digest);
    slu_dv_note_block(d, &block);
    slu_dv_note_candidate(d, p->view, block.digest);
    v->view = p->view;
    return true;
}

static void say_report(struct slu_deviant *d, const struct slu_report *report, uint64_t targets)
{
    struct slu_message *m = &d->said;
    m->kind = SLU_MSG_REPORT;
    slu_report_copy(&m->report, report);
    slu_dv_say(d, targets, m);
}

/* An own report of an own view: with worst_quorum nobody sees it before the proposal is made. */
void slu_dv_report(struct slu_deviant *d, const struct slu_report *report, uint64_t targets)
{
    slu_report_copy(&d->own_report, report);
    if (d->variant.view == report->view) {
        say_report(d, &d->variant.report, targets & d->variant.targets);
        say_report(d, report, targets & ~d->variant.targets);
    } else if (!slu_dv_does(d, SLU_WORST_QUORUM)) {
        say_report(d, report, targets);
    }
}

bool slu_dv_hides_vote(const struct slu_deviant *d, const struct slu_message *m)
{
    return m->kind == SLU_MSG_VOTE && m->vote.node == d->self && m->vote.kind == SLU_NOTARIZE &&
           m->vote.view == d->variant.view && !slu_dv_does(d, SLU_EQUIVOCATE_PROPOSALS);
}

void slu_dv_proposal(struct slu_deviant *d, const struct slu_proposal *proposal, uint64_t targets)
{
    struct slu_message *m = &d->said;
    bool known = d->variant.view == proposal->view;
    bool made = known || make_variant(d, proposal);
    uint64_t other = made ? targets & d->variant.targets : 0;
    if (!known && d->own_report.view == proposal->view) {
        if (made)
            say_report(d, &d->variant.report, other);
        if (slu_dv_does(d, SLU_WORST_QUORUM))
            say_report(d, &d->own_report, targets & ~other);
    }
    if (made && !known)
        slu_dv_act(d, slu_dv_does(d, SLU_EQUIVOCATE_PROPOSALS) ? SLU_EQUIVOCATE_PROPOSALS
                                                               : SLU_WORST_QUORUM);
    m->kind = SLU_MSG_PROPOSAL;
    m->proposal = *proposal;
    slu_dv_say(d, targets & ~other, m);
    if (made) {
        m->proposal = d->variant.proposal;
        slu_dv_say(d, other, m);
    }
}
