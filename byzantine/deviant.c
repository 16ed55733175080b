/* The door: what happens before the core and after it. */
#include "byzantine/deviant.h"

#include <string.h>

#include "byzantine/state.h"

static size_t held_bytes(const struct slu_genesis *g)
{
    return 4u * (size_t)g->params.lane_window_bytes + SLU_TURN_BYTES_MAX;
}

size_t slu_deviant_bytes(const struct slu_genesis *g)
{
    return sizeof(struct slu_deviant) + SLU_HELD_SENDS * sizeof(struct slu_held_send) +
           g->n * sizeof(struct slu_report) + held_bytes(g) + 64;
}

static void *take(struct slu_arena *arena, size_t bytes)
{
    void *at = slu_arena_take(arena, bytes);
    SLU_CHECK(at);
    return at;
}

struct slu_deviant *slu_deviant_init(void *memory, const struct slu_deviant_config *config)
{
    struct slu_arena arena = slu_arena_of(memory, slu_deviant_bytes(config->genesis));
    struct slu_deviant *d = take(&arena, sizeof *d);
    struct slu_block genesis;
    d->g = config->genesis;
    d->n = config->genesis->n;
    d->self = config->self;
    d->q = slu_genesis_q(config->genesis);
    d->behaviours = config->behaviours;
    d->signer = config->signer;
    d->core = config->core;
    d->random = config->seed;
    d->held = take(&arena, SLU_HELD_SENDS * sizeof *d->held);
    d->reports.items = take(&arena, d->n * sizeof *d->reports.items);
    d->held_cap = held_bytes(d->g);
    d->held_bytes = take(&arena, d->held_cap);
    slu_block_genesis(&genesis, d->g);
    slu_dv_note_block(d, &genesis);
    return d;
}

const struct slu_deviant_stats *slu_deviant_stats(const struct slu_deviant *deviant)
{
    return &deviant->stats;
}

/* ---- before the core ---- */

/* Whether the message stays at the door. */
static bool stops(struct slu_deviant *d, const struct slu_message *m, uint16_t from)
{
    switch (m->kind) {
    case SLU_MSG_FETCH:
        if (slu_dv_keeps_silent(d, m)) {
            slu_dv_act(d, SLU_SILENT_LEADER);
            return true;
        }
        return slu_dv_answer(d, &m->fetch, from);
    case SLU_MSG_REPORT:
        return slu_dv_does(d, SLU_WORST_QUORUM) && slu_dv_hold_report(d, &m->report);
    case SLU_MSG_BATCH:
        if (slu_dv_does(d, SLU_REFUSE_ROLLUP))
            slu_dv_look_for_rollup(d, &m->batch);
        return false;
    case SLU_MSG_PROPOSAL:
        slu_dv_note_candidate(d, m->proposal.view, m->proposal.block);
        return false;
    case SLU_MSG_VOTE:
        if (m->vote.kind == SLU_NOTARIZE)
            slu_dv_note_candidate(d, m->vote.view, m->vote.block);
        return false;
    case SLU_MSG_ACKS:
    case SLU_MSG_CERT:
    case SLU_MSG_HEADERS:
    case SLU_MSG_BLOCKS:
    case SLU_MSG_REJOIN:
    case SLU_MSG_FREEZE:
    case SLU_MSG_RELAY:
    case SLU_MSG_HOLDS:
    case SLU_MSG_SHARES:
    case SLU_MSG_RELEASE:
    case SLU_MSG_RELEASE_CERT:
    case SLU_MSG_KINDS:
        break;
    }
    return false;
}

/* ---- after the core ---- */

/* Decodes what is looked at; the kind is KINDS for what passes unread. */
static void decode(struct slu_deviant *d, const struct slu_effect *e)
{
    struct slu_message *m = &d->heard;
    uint8_t kind = e->send.message_kind;
    m->kind = SLU_MSG_KINDS;
    if (kind == SLU_MSG_BATCH) {
        struct slu_reader r = slu_reader_of(e->send.body, e->send.body_len);
        SLU_CHECK(!slu_batch_header_read(&r, d->g, &m->batch.header));
        m->batch.payload = e->send.payload;
        m->kind = SLU_MSG_BATCH;
    } else if (kind == SLU_MSG_RELAY) {
        SLU_CHECK(!slu_message_read(m, d->g, kind, e->send.body, e->send.body_len, e->send.payload,
                                    e->send.payload_len));
    } else if (kind != SLU_MSG_HEADERS && kind != SLU_MSG_BLOCKS) {
        SLU_CHECK(!slu_message_read(m, d->g, kind, e->send.body, e->send.body_len, NULL, 0));
    }
}

static bool is_empty(const struct slu_message *m)
{
    return m->kind == SLU_MSG_ACKS && m->acks.count == 0;
}

/* The kinds that a deviation makes anew; false: it goes as it is. */
static bool say_otherwise(struct slu_deviant *d, const struct slu_message *m, uint64_t targets)
{
    bool lies = slu_dv_does(d, SLU_EQUIVOCATE_PROPOSALS) || slu_dv_does(d, SLU_WORST_QUORUM);
    bool forks = slu_dv_does(d, SLU_EQUIVOCATE_BATCHES);
    if (m->kind == SLU_MSG_BATCH && m->batch.header.lane == d->self && forks)
        slu_dv_batch(d, &m->batch, targets);
    else if (m->kind == SLU_MSG_ACKS && m->acks.node == d->self && forks)
        slu_dv_acks(d, &m->acks, targets);
    else if (m->kind == SLU_MSG_REPORT && m->report.node == d->self && lies &&
             slu_dv_leads(d, m->report.view))
        slu_dv_report(d, &m->report, targets);
    else if (m->kind == SLU_MSG_PROPOSAL && m->proposal.node == d->self && lies)
        slu_dv_proposal(d, &m->proposal, targets);
    else if (m->kind == SLU_MSG_RELEASE && m->release.node == d->self &&
             slu_dv_does(d, SLU_LIE_RELEASES))
        slu_dv_missign(d, &m->release, targets);
    else
        return false;
    return true;
}

/* The vote that an own message carries is contradicted, before or after it. */
static void contradict(struct slu_deviant *d, const struct slu_message *m)
{
    if (m->kind == SLU_MSG_VOTE && m->vote.node == d->self)
        slu_dv_contradict(d, (enum slu_vote_kind)m->vote.kind, m->vote.view, m->vote.block);
    else if (m->kind == SLU_MSG_PROPOSAL && m->proposal.node == d->self)
        slu_dv_contradict(d, SLU_NOTARIZE, m->proposal.view, m->proposal.block);
}

static void on_send(struct slu_deviant *d, const struct slu_effect *e)
{
    struct slu_message *m = &d->heard;
    uint64_t targets = e->send.to == SLU_TO_ALL ? slu_dv_others(d) : UINT64_C(1) << e->send.to;
    decode(d, e);
    if (slu_dv_keeps_silent(d, m)) {
        slu_dv_act(d, SLU_SILENT_LEADER);
        return;
    }
    if (m->kind == SLU_MSG_PROPOSAL)
        slu_dv_note_candidate(d, m->proposal.view, m->proposal.block);
    if (slu_dv_refuses_item(d, m) || slu_dv_hides_vote(d, m))
        return;
    if (m->kind != SLU_MSG_KINDS && m->kind != SLU_MSG_BATCH && m->kind != SLU_MSG_RELAY)
        slu_dv_keep(d, m, e->send.body, e->send.body_len);
    bool changed = m->kind == SLU_MSG_REPORT && m->report.node == d->self &&
                   slu_dv_does(d, SLU_STALE_ANSWERS) && slu_dv_age_report(d, &m->report);
    changed |= slu_dv_strip(d, m);
    if (m->kind == SLU_MSG_SHARES && m->shares.node == d->self && slu_dv_does(d, SLU_LIE_SHARES)) {
        slu_dv_lie(d, &m->shares);
        changed = true;
    }
    targets = slu_dv_narrow(d, m, targets);
    if (targets == 0 || (changed && is_empty(m)))
        return;
    bool twice = slu_dv_does(d, SLU_VOTE_TWICE), first = twice && slu_dv_random(d) % 2;
    if (first)
        contradict(d, m);
    if (!say_otherwise(d, m, targets)) {
        if (changed)
            slu_dv_say(d, targets, m);
        else
            slu_dv_emit(d, targets, e->send.message_kind, e->send.body, e->send.body_len,
                        e->send.payload, e->send.payload_len);
    }
    if (twice && !first)
        contradict(d, m);
}

/* Says of every id what was true before it was submitted. */
static void age_answer(struct slu_deviant *d, struct slu_effect *e)
{
    struct slu_tx_status *items = slu_arena_take(&d->fx->bytes, e->answer.count * sizeof *items);
    if (!items)
        return;
    for (uint32_t i = 0; i < e->answer.count; i++) {
        items[i] = (struct slu_tx_status){.stage = SLU_STAGE_UNKNOWN};
        memcpy(items[i].id, e->answer.items[i].id, 32);
    }
    e->answer.items = items;
    slu_dv_act(d, SLU_STALE_ANSWERS);
}

/* What is not sent passes, as it is or aged. */
static void keep(struct slu_deviant *d, struct slu_effect *e)
{
    bool leads = slu_dv_does(d, SLU_EQUIVOCATE_PROPOSALS) || slu_dv_does(d, SLU_WORST_QUORUM);
    if (e->kind == SLU_EFFECT_PERSIST && leads)
        slu_dv_note_record(d, e);
    if (e->kind == SLU_EFFECT_PERSIST && e->persist.key.kind == SLU_REC_SHARES &&
        slu_dv_does(d, SLU_LIE_SHARES))
        slu_dv_lie_on_disk(d, e);
    if (e->kind == SLU_EFFECT_ANSWER && slu_dv_does(d, SLU_STALE_ANSWERS))
        age_answer(d, e);
    struct slu_effect *kept = slu_dv_add(d, e->kind);
    SLU_CHECK(kept);
    *kept = *e;
}

/* First what the node itself must get, which always fits, then what it says, as far as it fits. */
static void end_turn(struct slu_deviant *d)
{
    uint32_t count = d->fx->count;
    bool own[SLU_TURN_EFFECTS_MAX];
    memcpy(d->core_effects, d->fx->items, count * sizeof *d->core_effects);
    memcpy(own, d->own, count * sizeof *own);
    d->fx->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct slu_effect *e = &d->core_effects[i];
        if (own[i])
            d->fx->items[d->fx->count++] = *e;
        else if (e->kind != SLU_EFFECT_SEND && e->kind != SLU_EFFECT_SERVE)
            keep(d, e);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct slu_effect *e = &d->core_effects[i];
        bool speech = e->kind == SLU_EFFECT_SEND || e->kind == SLU_EFFECT_SERVE;
        if (!own[i] && speech && slu_dv_withholds(d, e)) {
            slu_dv_act(d, SLU_WITHHOLD_SHARES);
            continue;
        }
        if (!own[i] && speech && slu_dv_withholds_release(d, e))
            continue;
        if (!own[i] && e->kind == SLU_EFFECT_SEND)
            on_send(d, e);
        else if (!own[i] && e->kind == SLU_EFFECT_SERVE)
            slu_dv_serve(d, e->serve.to, &e->serve.fetch);
    }
    slu_dv_release(d);
    uint64_t feed_ms = slu_dv_feed_deadline(d);
    if (feed_ms < d->fx->deadline_ms)
        d->fx->deadline_ms = feed_ms;
    memset(d->own, 0, sizeof d->own);
}

void slu_deviant_step(struct slu_deviant *d, const struct slu_event *event,
                      struct slu_effects *effects)
{
    d->fx = effects;
    d->now_ms = event->now_ms > d->now_ms ? event->now_ms : d->now_ms;
    d->clock_ms = event->clock_ms;
    if (slu_dv_does(d, SLU_WORST_QUORUM))
        slu_dv_feed_reports(d);
    if (event->kind == SLU_EVENT_SUBMIT && slu_dv_does(d, SLU_REFUSE_ROLLUP))
        slu_dv_submit(d, event);
    else if (event->kind != SLU_EVENT_MESSAGE || !stops(d, event->message, event->from))
        slu_core_step(d->core, event, effects);
    if (event->kind == SLU_EVENT_TURN)
        end_turn(d);
    d->fx = NULL;
}
