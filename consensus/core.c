/* The one door: memory, dispatch, the end of a turn. */
#include "consensus/core.h"

#include <string.h>

#include "consensus/state.h"

/* splitmix64 (Steele, Lea, Flood 2014): order of fetches and nonces, nothing that must be secret. */
uint64_t slu_random(struct slu_core *c)
{
    uint64_t z = (c->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

bool slu_digest_is(const uint8_t a[32], const uint8_t b[32])
{
    return memcmp(a, b, 32) == 0;
}

static uint32_t ack_slots_each(const struct slu_genesis *g)
{
    return 2u * g->n + 2u;
}

static uint32_t pending_cap(const struct slu_genesis *g)
{
    /* No more transactions fit into the own window than this, and no more are wanted. */
    uint32_t by_bytes = g->params.lane_window_bytes / SLU_TX_HEAD_BYTES + 1;
    return by_bytes < SLU_OWN_PENDING_MAX ? by_bytes : SLU_OWN_PENDING_MAX;
}

/* Lanes fill dedup_entries_max; the queue has room of its own. */
static uint32_t dedup_cap(const struct slu_genesis *g)
{
    return g->params.dedup_entries_max + g->params.inbox_ids_max + SLU_OFFENCES * g->n;
}

size_t slu_core_bytes(const struct slu_genesis *g)
{
    size_t n = g->n, slack = 64;
    size_t bytes = sizeof(struct slu_core) + slack;
    bytes += slu_idset_bytes(pending_cap(g)) + slu_idset_bytes(dedup_cap(g)) +
             slu_idset_bytes(SLU_DROPPED_IDS_MAX) + 3 * slack;
    bytes += g->params.batch_bytes_max + slack;
    bytes += n * (sizeof(struct slu_lane) + slu_lane_bytes(g) + slack) + slack;
    bytes += n * ack_slots_each(g) * sizeof(struct slu_ack_slot) + slack;
    bytes += 2 * (n * n * sizeof(struct slu_ack_state) + slack);
    bytes += SLU_REPORT_VIEWS * (n * SLU_REPORTS_PER_NODE * sizeof(struct slu_report_slot) + slack);
    bytes += SLU_VIEW_WINDOW * (sizeof(struct slu_view_slot) +
                                SLU_VOTE_KINDS * (n * sizeof(struct slu_vote_slot) + slack)) +
             slack;
    bytes += (SLU_PENDING_BLOCKS + SLU_FINAL_BLOCKS) * sizeof(struct slu_block) + 2 * slack;
    bytes += SLU_PENDING_BLOCKS * sizeof(struct slu_block *) + slack;
    bytes += 2 * SLU_PENDING_LIST_BYTES + SLU_QUEUED_BYTES_MAX + 3 * slack;
    bytes += slu_inbox_bytes(g) + slu_queue_bytes(g) + 2 * slack;
    bytes += slu_order_bytes(g) + slu_keygen_bytes(g) + 9 * slack;
    bytes += slu_calendar_bytes(g) + slu_opener_bytes(g) + slu_releases_bytes(g) + 5 * slack;
    bytes += n * sizeof(struct slu_tip) + slack;
    bytes += sizeof(struct slu_message) + slack;
    bytes += (g->params.lane_window_batches + 1) * sizeof(uint32_t) + slack;
    return bytes;
}

static void *take(struct slu_arena *arena, size_t bytes)
{
    void *at = slu_arena_take(arena, bytes);
    SLU_CHECK(at);
    return at;
}

static void init_tables(struct slu_core *c, struct slu_arena *a)
{
    size_t n = c->n;
    slu_idset_init(&c->pending, a, pending_cap(c->g), slu_random(c));
    slu_idset_init(&c->dedup, a, dedup_cap(c->g), slu_random(c));
    slu_idset_init(&c->dropped, a, SLU_DROPPED_IDS_MAX, slu_random(c));
    c->open_payload = take(a, c->g->params.batch_bytes_max);
    c->ack_slots_each = ack_slots_each(c->g);
    c->ack_slots = take(a, n * c->ack_slots_each * sizeof *c->ack_slots);
    c->applied = take(a, n * n * sizeof *c->applied);
    c->waiting = take(a, n * n * sizeof *c->waiting);
    for (size_t i = 0; i < n * n; i++)
        c->applied[i].slot = c->waiting[i].slot = SLU_NONE;
    for (uint32_t i = 0; i < SLU_REPORT_VIEWS; i++)
        c->reports[i].slots = take(a, n * SLU_REPORTS_PER_NODE * sizeof *c->reports[i].slots);
    c->views = take(a, SLU_VIEW_WINDOW * sizeof *c->views);
    for (uint32_t i = 0; i < SLU_VIEW_WINDOW; i++)
        for (int kind = 0; kind < SLU_VOTE_KINDS; kind++)
            c->views[i].votes[kind] = take(a, n * sizeof *c->views[i].votes[kind]);
    c->blocks = take(a, SLU_PENDING_BLOCKS * sizeof *c->blocks);
    c->block_path = take(a, SLU_PENDING_BLOCKS * sizeof *c->block_path);
    c->finals = take(a, SLU_FINAL_BLOCKS * sizeof *c->finals);
    c->block_lists = take(a, SLU_PENDING_LIST_BYTES);
    c->gap_lists = take(a, SLU_PENDING_LIST_BYTES);
    c->head_list = take(a, SLU_QUEUED_BYTES_MAX);
    slu_inbox_init(c, a);
    slu_queue_init(c, a);
    slu_order_init(c, a);
    slu_keygen_init(c, a);
    slu_calendar_init(&c->calendar, a, c->g);
    slu_opener_init(c, a);
    slu_releases_init(c, a);
    c->freezes = take(a, n * sizeof *c->freezes);
    c->scratch = take(a, sizeof *c->scratch);
    c->path = take(a, (c->g->params.lane_window_batches + 1) * sizeof *c->path);
    c->lanes = take(a, n * sizeof *c->lanes);
    for (uint16_t l = 0; l < c->n; l++)
        slu_lane_init(c, l, a);
}

struct slu_core *slu_core_init(void *memory, const struct slu_core_config *config)
{
    struct slu_arena arena = slu_arena_of(memory, slu_core_bytes(config->genesis));
    struct slu_core *c = take(&arena, sizeof *c);
    c->g = config->genesis;
    c->n = config->genesis->n;
    c->self = config->self;
    c->f = slu_genesis_f(config->genesis);
    c->q = slu_genesis_q(config->genesis);
    c->signer = config->signer;
    c->seal = config->seal;
    c->random = config->seed;
    SLU_CHECK(c->self < c->n);
    init_tables(c, &arena);
    slu_block_genesis(&c->delivered, c->g);
    c->head = c->delivered;
    c->head.queued = c->head_list;
    return c;
}

/* ---- events ---- */

static void heard(struct slu_core *c, uint16_t node)
{
    c->heard_ms[node] = c->now_ms;
    c->heard_ever[node] = true;
}

static void on_message(struct slu_core *c, const struct slu_message *m, uint16_t from)
{
    if (from >= c->n)
        return;
    switch (m->kind) {
    case SLU_MSG_BATCH:
        heard(c, m->batch.header.lane == from ? from : c->self);
        slu_lane_on_batch(c, &m->batch, false);
        return;
    case SLU_MSG_ACKS:
        heard(c, m->acks.node == from ? from : c->self);
        slu_ack_on_vector(c, &m->acks);
        return;
    case SLU_MSG_REPORT:
        heard(c, m->report.node == from ? from : c->self);
        slu_report_on_report(c, &m->report, slu_report_is_wanted(c, &m->report));
        return;
    case SLU_MSG_PROPOSAL:
        heard(c, m->proposal.node == from ? from : c->self);
        slu_view_on_proposal(c, &m->proposal);
        return;
    case SLU_MSG_VOTE:
        heard(c, m->vote.node == from ? from : c->self);
        slu_vote_on_vote(c, &m->vote, from);
        return;
    case SLU_MSG_CERT:
        slu_vote_on_cert(c, &m->cert, from);
        return;
    case SLU_MSG_HEADERS:
        slu_lane_on_headers(c, &m->headers);
        return;
    case SLU_MSG_BLOCKS:
        slu_chain_on_blocks(c, &m->blocks, from);
        return;
    case SLU_MSG_FETCH:
        slu_fetch_on_request(c, &m->fetch, from);
        return;
    case SLU_MSG_REJOIN:
        slu_rejoin_on_request(c, &m->rejoin, from);
        return;
    case SLU_MSG_FREEZE:
        slu_rejoin_on_freeze(c, &m->freeze);
        return;
    case SLU_MSG_RELAY:
        heard(c, m->relay.taker == from ? from : c->self);
        slu_inbox_on_relay(c, &m->relay);
        return;
    case SLU_MSG_HOLDS:
        heard(c, m->holds.items[0].node == from ? from : c->self);
        slu_inbox_on_holds(c, &m->holds);
        return;
    case SLU_MSG_SHARES:
        heard(c, m->shares.node == from ? from : c->self);
        slu_opening_on_shares(c, &m->shares);
        return;
    case SLU_MSG_RELEASE:
        heard(c, m->release.node == from ? from : c->self);
        slu_release_on_signature(c, &m->release);
        return;
    case SLU_MSG_RELEASE_CERT:
        slu_release_on_cert(c, &m->release_cert);
        return;
    case SLU_MSG_KINDS:
        return;
    }
}

static void on_start(struct slu_core *c)
{
    SLU_CHECK(!c->started);
    c->started = true;
    c->releases.accepted_ms = c->now_ms;
    for (uint16_t j = 0; j < c->n; j++)
        c->heard_ms[j] = c->now_ms;
    if (c->first_start) {
        struct slu_record_key key = {.kind = SLU_REC_STATE, .a = SLU_STATE_STARTED};
        slu_fx_persist(c, &key, slu_fx_take(c, 1), 0, NULL, 0);
    }
    if (c->rejoining)
        slu_rejoin_start(c);
    slu_view_restart(c);
    slu_vote_recount(c);
    slu_keygen_speak(c);
    slu_release_advance(c, slu_opener_height_open(c)); /* of a turn that was torn off */
    c->order_wanted = true;
}

/* A link came up: whatever the peer may have missed (clauses 2.4, 3.10). */
static void on_peer_up(struct slu_core *c, uint16_t peer)
{
    if (!c->started || peer >= c->n || peer == c->self)
        return;
    c->heard_ms[peer] = c->now_ms;
    slu_ack_send_full(c, peer);
    slu_inbox_send_all(c, peer);
    slu_vote_resend_above_final(c, peer);
    slu_release_send_own(c, peer);
    if (c->reported_view == c->view && c->view > 0) {
        c->scratch->kind = SLU_MSG_REPORT;
        slu_report_copy(&c->scratch->report, &c->own_report);
        slu_fx_send(c, peer, c->scratch);
    }
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whatever is due now. Runs at a timer and at the end of each turn. */
static void tick(struct slu_core *c)
{
    if (!c->started)
        return;
    slu_rejoin_tick(c);
    slu_rejoin_lane(c);
    slu_submit_turn(c);
    slu_ack_turn(c);
    slu_evidence_turn(c);
    slu_inbox_turn(c);
    slu_view_tick(c);
    slu_fetch_tick(c);
    slu_view_run(c);
    slu_order_progress(c);
    slu_opening_run(c);
    slu_release_turn(c);
}

static void end_turn(struct slu_core *c)
{
    c->fx->turn = ++c->turn;
    uint64_t at = earliest(slu_view_deadline(c), slu_submit_deadline(c));
    at = earliest(at, slu_ack_deadline(c));
    at = earliest(at, slu_fetch_deadline(c));
    at = earliest(at, slu_rejoin_deadline(c));
    at = earliest(at, slu_sealing_deadline(c));
    at = earliest(at, slu_opening_deadline(c));
    at = earliest(at, slu_release_deadline(c));
    if (c->order_wanted)
        at = c->now_ms;
    c->fx->deadline_ms = c->started ? at : UINT64_MAX;
}

void slu_core_step(struct slu_core *c, const struct slu_event *event, struct slu_effects *effects)
{
    c->fx = effects;
    if (event->now_ms > c->now_ms)
        c->now_ms = event->now_ms;
    c->clock_ms = event->clock_ms;
    switch (event->kind) {
    case SLU_EVENT_START:
        on_start(c);
        break;
    case SLU_EVENT_MESSAGE:
        on_message(c, event->message, event->from);
        break;
    case SLU_EVENT_PEER_UP:
        on_peer_up(c, event->from);
        break;
    case SLU_EVENT_SUBMIT:
        slu_submit(c, event);
        break;
    case SLU_EVENT_FORCE:
        slu_inbox_force(c, event);
        break;
    case SLU_EVENT_RECEIPT:
        slu_inbox_receipt(c, event);
        break;
    case SLU_EVENT_QUERY:
        slu_query(c, event);
        break;
    case SLU_EVENT_BODY:
        slu_order_on_body(c, event);
        break;
    case SLU_EVENT_TIMER:
        tick(c);
        break;
    case SLU_EVENT_TURN:
        tick(c);
        end_turn(c);
        break;
    }
    slu_view_run(c);
    if (c->order_wanted && event->kind != SLU_EVENT_TURN)
        slu_order_progress(c);
    c->fx = NULL;
}

/* ---- looking in ---- */

const struct slu_core_stats *slu_core_stats(const struct slu_core *core)
{
    struct slu_core *c = (struct slu_core *)(uintptr_t)core;
    struct slu_core_stats *s = &c->stats;
    s->view = c->view;
    s->final_view = c->final_view;
    s->final_height = c->head.height;
    s->delivered_height = c->delivered.height;
    s->stream_time_ms = c->delivered.time_ms;
    s->own_pending_txs = c->pending.count;
    s->own_pending_bytes = c->lanes[c->self].window_bytes + c->open_bytes;
    s->dedup_entries = c->dedup.count;
    s->opened_height = slu_opener_height_open(c);
    s->released_height = c->releases.top;
    s->certified_height = c->releases.certified;
    s->calendar_entries = c->calendar.count;
    s->calendar_bytes = c->calendar.bytes;
    return s;
}

void slu_core_lane_status(const struct slu_core *c, uint16_t index, struct slu_lane_status *status)
{
    const struct slu_lane *lane = &c->lanes[index];
    const struct slu_batch_header *tip = &lane->pool[lane->certified].h;
    memset(status, 0, sizeof *status);
    status->acked = lane->acked;
    status->certified.position = tip->position;
    memcpy(status->certified.digest, tip->digest, 32);
    status->committed = lane->committed;
    status->window_bytes = lane->window_bytes;
    status->incarnation = lane->pool[lane->mine].h.incarnation;
}

void slu_core_inbox_status(const struct slu_core *c, struct slu_inbox_status *status)
{
    *status = (struct slu_inbox_status){
        .block.height = c->delivered.height,
        .block_time_ms = c->delivered.time_ms,
        .booked_bytes = slu_queue_booked(c->g, &c->delivered.tail, c->delivered.height),
        .unqueued_bytes = c->inbox.shares[c->self].bytes,
        .unqueued_items = c->inbox.count - c->inbox.missing,
        .queued_items = (uint32_t)(c->queue.top - c->queue.due),
        .slashed = c->slashed,
    };
    memcpy(status->block.block, c->delivered.digest, 32);
}

void slu_core_keygen_status(const struct slu_core *core, struct slu_keygen_status *status)
{
    slu_keygen_status(core, status);
}

uint64_t slu_core_heard_ms_ago(const struct slu_core *c, uint16_t node, uint64_t now_ms)
{
    if (node >= c->n || !c->heard_ever[node])
        return UINT64_MAX;
    return now_ms > c->heard_ms[node] ? now_ms - c->heard_ms[node] : 0;
}

bool slu_core_rejoining(const struct slu_core *core)
{
    return core->rejoining;
}
