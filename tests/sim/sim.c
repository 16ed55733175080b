#include "tests/sim/audit.h"
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/inbox.h"
#include "tests/sim/keygen.h"
#include "tests/sim/oracle_release.h"
#include "tests/sim/sealed.h"

#define CHECK_EVERY_MS 20u
#define ENCODE_BYTES   (SLU_MESSAGE_BYTES_MAX + SLU_BATCH_BYTES_MAX_CAP)
#define EVENTS_MAX     20000000u

/* ---- the queue of events ---- */

static bool before(const struct sim_event *x, const struct sim_event *y)
{
    return x->time_ms < y->time_ms || (x->time_ms == y->time_ms && x->number < y->number);
}

void sim_at(struct sim *sim, uint64_t time_ms, const struct sim_event *event)
{
    sim->heap = sim_grow(sim->heap, &sim->heap_cap, sim->heap_count, sizeof *sim->heap);
    uint32_t at = sim->heap_count++;
    sim->heap[at] = *event;
    sim->heap[at].time_ms = time_ms;
    sim->heap[at].number = ++sim->event_number;
    while (at > 0 && before(&sim->heap[at], &sim->heap[(at - 1) / 2])) {
        struct sim_event swap = sim->heap[at];
        sim->heap[at] = sim->heap[(at - 1) / 2];
        sim->heap[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
}

static struct sim_event take_event(struct sim *sim)
{
    struct sim_event first = sim->heap[0];
    sim->heap[0] = sim->heap[--sim->heap_count];
    for (uint32_t at = 0;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < sim->heap_count; child++)
            if (before(&sim->heap[child], &sim->heap[least]))
                least = child;
        if (least == at)
            return first;
        struct sim_event swap = sim->heap[at];
        sim->heap[at] = sim->heap[least];
        sim->heap[least] = swap;
        at = least;
    }
}

/* ---- verdict ---- */

void sim_violation(struct sim *sim, int invariant, const char *format, ...)
{
    if (!sim->result.ok)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(sim->result.what, sizeof sim->result.what, format, args);
    va_end(args);
    sim->result.ok = false;
    sim->result.invariant = invariant;
    sim->done = true;
}

static void check_bounds(struct sim *sim, struct sim_node *node)
{
    const struct slu_params *p = &sim->genesis.params;
    const struct slu_core_stats *stats = slu_core_stats(node->core);
    if (stats->dedup_entries >
        p->dedup_entries_max + p->inbox_ids_max + SLU_OFFENCES * sim->plan.n)
        sim_violation(sim, 12, "node %u remembers %lu ids", node->id, stats->dedup_entries);
    if (stats->window_full_views > 0)
        sim_violation(sim, 12, "node %u ran out of views", node->id);
    if (stats->delivered_height > stats->final_height)
        sim_violation(sim, 9, "node %u delivered height %lu above its final %lu", node->id,
                      stats->delivered_height, stats->final_height);
    for (uint16_t l = 0; l < sim->plan.n; l++) {
        struct slu_lane_status lane;
        slu_core_lane_status(node->core, l, &lane);
        uint64_t per_batch = p->batch_bytes_max + SLU_SIGNED_HEADER_BYTES;
        uint64_t bound = 2u * (p->lane_window_bytes + p->lane_window_batches * per_batch);
        if (lane.window_bytes > bound)
            sim_violation(sim, 12, "node %u holds %lu bytes of lane %u", node->id,
                          lane.window_bytes, l);
    }
}

static bool is_settled(const struct sim *sim)
{
    for (uint16_t i = 0; i < sim->instances; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (node->role != SIM_HONEST)
            continue;
        if (!node->up || slu_core_rejoining(node->core))
            return false;
        const struct slu_core_stats *stats = slu_core_stats(node->core);
        if ((stats->own_pending_txs > 0 && !node->wiped) ||
            stats->delivered_height + 3 < sim->oracle.top ||
            stats->opened_height < sim->oracle.last_due)
            return false;
    }
    return true;
}

/* Every height that was there once all else was settled is certified on every honest node, which has
 * every release and certificate below, too: also one that was away or lost its disk (clause 8.6). */
static bool is_certified(struct sim *sim)
{
    if (sim->settled_height == 0)
        sim->settled_height = sim->oracle.top;
    for (uint16_t i = 0; i < sim->instances; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (node->role == SIM_HONEST &&
            (slu_core_stats(node->core)->certified_height < sim->settled_height ||
             !oracle_release_whole(&sim->oracle, node, false)))
            return false;
    }
    return true;
}

/* Why the run does not end, for the violation's text. */
static void complain(struct sim *sim)
{
    client_open(sim, true);
    forced_open(sim, true);
    for (uint16_t i = 0; i < sim->instances; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (node->role != SIM_HONEST)
            continue;
        if (!node->up) {
            sim_violation(sim, 12, "node %u is down", node->id);
            return;
        }
        const struct slu_core_stats *s = slu_core_stats(node->core);
        if (slu_core_rejoining(node->core))
            sim_violation(sim, 12, "node %u does not get back from its lost disk", node->id);
        if (s->own_pending_txs > 0 && !node->wiped)
            sim_violation(sim, 12, "node %u still has %lu own transactions to deliver", node->id,
                          s->own_pending_txs);
        if (s->delivered_height + 3 < sim->oracle.top)
            sim_violation(sim, 12, "node %u delivered only height %lu of %lu (final %lu)", node->id,
                          s->delivered_height, sim->oracle.top, s->final_height);
        if (s->certified_height < sim->settled_height)
            sim_violation(sim, 12, "node %u has certificates up to height %lu of %lu (released %lu)",
                          node->id, s->certified_height, sim->settled_height, s->released_height);
        oracle_release_whole(&sim->oracle, node, true);
        if (s->opened_height < sim->oracle.last_due)
            sim_violation(sim, 12, "node %u opened only height %lu of %lu (delivered %lu)", node->id,
                          s->opened_height, sim->oracle.last_due, s->delivered_height);
    }
    sim_violation(sim, 12, "the run does not end");
}

/* Whether forced entries are booked for heights to come: they take as long as these heights do,
 * which nothing bounds but that blocks become final (clauses 6.5, 10.12). */
static bool is_draining(const struct sim *sim)
{
    const struct oracle *oracle = &sim->oracle;
    return oracle->top > 0 &&
           sim->world.blocks[oracle->heights[oracle->top].block].tail.height > oracle->top;
}

static void check(struct sim *sim)
{
    const struct sim_plan *plan = &sim->plan;
    for (uint16_t i = 0; i < sim->instances; i++)
        if (sim->nodes[i].role == SIM_HONEST && sim->nodes[i].up)
            check_bounds(sim, &sim->nodes[i]);
    if (is_draining(sim) && plan->give_up_ms < sim->now_ms + sim_plan_patience_ms(plan))
        sim->plan.give_up_ms = sim->now_ms + sim_plan_patience_ms(plan);
    uint64_t since = sim->last_final_ms > plan->calm_ms ? sim->last_final_ms : plan->calm_ms;
    if (sim->now_ms > since + sim_plan_patience_ms(plan))
        sim_violation(sim, 12, "no final block since %lu ms (height %lu)", sim->last_final_ms,
                      sim->last_final_height);
    if (sim->now_ms >= plan->run_until_ms && client_open(sim, false) == 0 && forced_open(sim, false) == 0 &&
        is_settled(sim) && is_certified(sim))
        sim->done = true;
    else if (sim->now_ms >= plan->give_up_ms)
        complain(sim);
    sim_at(sim, sim->now_ms + CHECK_EVERY_MS, &(struct sim_event){.kind = SIM_EV_CHECK});
}

/* ---- events ---- */

static void packet_arrives(struct sim *sim, struct sim_event *e)
{
    struct sim_packet *packet = e->packet;
    if (!packet)
        return;
    bool wanted = packet->valid;
    for (uint16_t i = 0; i < sim->instances && wanted; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->id != e->node || !node->up)
            continue;
        if (sim->hooks.arrives && !sim->hooks.arrives(sim->hooks.context, sim, packet, i))
            continue;
        if (!sim_is_honest(sim, node->id))
            byz_receive(sim, node, packet);
        if (!node->core)
            continue;
        packet->references++;
        sim_node_put(
            node, &(struct sim_item){.kind = SIM_ITEM_PACKET, .from = e->peer, .packet = packet});
    }
    sim_packet_release(packet);
}

static void peer_up(struct sim *sim, const struct sim_event *e)
{
    for (uint16_t i = 0; i < sim->instances; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->id == e->node && node->core)
            sim_node_put(node, &(struct sim_item){.kind = SIM_ITEM_PEER_UP, .from = e->peer});
    }
}

/* The last disturbance is over: every link comes up again. */
static void calm(struct sim *sim)
{
    for (uint16_t i = 0; i < sim->instances; i++)
        if (sim->nodes[i].up)
            sim_node_links(&sim->nodes[i]);
}

/* Every wall clock jumps ahead: as after a long stall, stream time has to catch up. */
static void leap(struct sim *sim)
{
    for (uint16_t i = 0; i < sim->instances; i++)
        sim->nodes[i].skew_ms += sim->plan.leap_ms;
    sim->result.counts[SIM_N_CLOCK_JUMPS]++;
}

static void handle(struct sim *sim, struct sim_event *e)
{
    struct sim_node *node = &sim->nodes[e->node];
    bool stale = e->life != node->life || !node->up;
    switch (e->kind) {
    case SIM_EV_PACKET:
        packet_arrives(sim, e);
        break;
    case SIM_EV_WAKE:
        if (!stale)
            sim_node_wake(node);
        break;
    case SIM_EV_SYNC:
        if (!stale)
            sim_node_synced(node);
        break;
    case SIM_EV_TIMER:
        if (!stale)
            sim_node_timer(node, e->value);
        break;
    case SIM_EV_CRASH:
        if (node->up) {
            sim_node_crash(node, e->value & 1);
            sim_at(sim, e->value >> 1,
                   &(struct sim_event){.kind = SIM_EV_RESTART, .node = e->node});
        }
        break;
    case SIM_EV_RESTART:
        if (!node->up)
            sim_node_boot(node);
        break;
    case SIM_EV_PEER_UP:
        peer_up(sim, e);
        break;
    case SIM_EV_LOAD:
        client_load(sim, e->node);
        break;
    case SIM_EV_BYZ:
        byz_tick(sim, e->node);
        break;
    case SIM_EV_PAUSE:
        node->paused_until_ms = e->value;
        sim->result.counts[SIM_N_PAUSES]++;
        sim_note(sim, SIM_T_FAULT, node->instance, 0, 0, e->value, NULL);
        break;
    case SIM_EV_LEAP:
        leap(sim);
        break;
    case SIM_EV_CALM:
        calm(sim);
        break;
    case SIM_EV_CHECK:
        check(sim);
        break;
    case SIM_EV_TICK:
        sim->hooks.tick(sim->hooks.context, sim);
        sim_at(sim, sim->now_ms + 10, &(struct sim_event){.kind = SIM_EV_TICK});
        break;
    case SIM_EV_BODY:
        break;
    }
}

/* ---- a run ---- */

static void add_node(struct sim *sim, uint16_t id, enum sim_role role)
{
    struct sim_node *node = &sim->nodes[sim->instances];
    SLU_CHECK(sim->instances < SIM_INSTANCES_MAX);
    *node = (struct sim_node){.sim = sim, .id = id, .instance = sim->instances, .role = role};
    node->skew_ms = sim->plan.skew_ms[id];
    sim->instances++;
}

static void schedule(struct sim *sim)
{
    const struct sim_plan *plan = &sim->plan;
    for (uint16_t i = 0; i < sim->instances; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->role == SIM_PUPPET || node->role == SIM_SILENT)
            node->up = true;
        else
            sim_at(sim, 1 + sim_rng_below(&sim->node_rng, plan->faultless ? 1 : 30),
                   &(struct sim_event){.kind = SIM_EV_RESTART, .node = i});
        if (!sim_is_honest(sim, node->id))
            sim_at(sim, 20, &(struct sim_event){.kind = SIM_EV_BYZ, .node = i});
        if (plan->load_every_ms && (node->role == SIM_HONEST || node->role == SIM_DEVIANT))
            sim_at(sim, sim_rng_range(&sim->load_rng, 1, plan->load_every_ms * UINT64_C(2)),
                   &(struct sim_event){.kind = SIM_EV_LOAD, .node = i});
    }
    for (uint32_t i = 0; i < plan->crash_count; i++) {
        const struct sim_crash *c = &plan->crashes[i];
        sim_at(sim, c->at_ms,
               &(struct sim_event){
                   .kind = SIM_EV_CRASH, .node = c->node, .value = c->up_ms << 1 | c->wipe});
    }
    for (uint32_t i = 0; i < plan->pause_count; i++)
        sim_at(sim, plan->pauses[i].from_ms,
               &(struct sim_event){.kind = SIM_EV_PAUSE,
                                   .node = plan->pauses[i].node,
                                   .value = plan->pauses[i].to_ms});
    sim_at(sim, plan->calm_ms, &(struct sim_event){.kind = SIM_EV_CALM});
    if (plan->leap_ms)
        sim_at(sim, plan->leap_at_ms, &(struct sim_event){.kind = SIM_EV_LEAP});
    sim_at(sim, CHECK_EVERY_MS, &(struct sim_event){.kind = SIM_EV_CHECK});
    sim_at(sim, 5, &(struct sim_event){.kind = SIM_EV_TICK});
}

static void no_tick(void *context, struct sim *sim)
{
    (void)context;
    (void)sim;
}

struct sim *sim_new(const struct sim_plan *plan, FILE *trace_out)
{
    struct sim *sim = sim_alloc(sizeof *sim);
    sim->plan = *plan;
    sim->trace_out = trace_out;
    sim->result.ok = true;
    sim->hash = plan->seed;
    sim->hooks.tick = no_tick;
    sim_plan_genesis(plan, &sim->genesis);
    sim->net_rng = sim_rng_of(plan->seed, 101);
    sim->node_rng = sim_rng_of(plan->seed, 102);
    sim->byz_rng = sim_rng_of(plan->seed, 103);
    sim->load_rng = sim_rng_of(plan->seed, 104);
    sim->inbox_rng = sim_rng_of(plan->seed, 105);
    sim->bundle_rng = sim_rng_of(plan->seed, 107);
    sim->bias = sim_alloc((SIM_NODES_MAX + SLU_MSG_KINDS) * sizeof *sim->bias);
    sim->verifier = sim_verifier(sim);
    sim->effects = sim_alloc(sizeof *sim->effects);
    sim->effects_memory = sim_alloc(SLU_TURN_BYTES_MAX);
    slu_effects_init(sim->effects, sim->effects_memory);
    sim->encode_buffer = sim_alloc(ENCODE_BYTES);
    sim->trace = sim_alloc(SIM_TRACE_MAX * sizeof *sim->trace);
    for (uint16_t i = 0; i < plan->n; i++)
        if (plan->roles[i] != SIM_HONEST)
            sim->byzantine |= UINT64_C(1) << i;
    for (uint32_t i = 0; i < plan->crash_count; i++)
        if (plan->crashes[i].wipe)
            sim->wiped |= UINT64_C(1) << plan->crashes[i].node;
    for (uint16_t i = 0; i < plan->n; i++)
        add_node(sim, i, plan->roles[i]);
    for (uint16_t i = 0; i < plan->n; i++)
        if (plan->roles[i] == SIM_TWINS)
            add_node(sim, i, SIM_TWINS);
    world_init(&sim->world, sim);
    oracle_init(&sim->oracle, sim);
    sim->client = client_new(sim);
    sim->forced = forced_new();
    sim->keygen = keygen_new(plan->seed);
    sim->sealed = sealed_new(sim);
    sim->byz = byz_new(sim);
    schedule(sim);
    return sim;
}

void sim_free(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->heap_count; i++)
        if (sim->heap[i].kind == SIM_EV_PACKET)
            sim_packet_release(sim->heap[i].packet);
    for (uint16_t i = 0; i < sim->instances; i++)
        sim_node_release(&sim->nodes[i]);
    byz_free(sim->byz);
    client_free(sim->client);
    forced_free(sim->forced);
    keygen_free(sim->keygen);
    sealed_free(sim->sealed);
    world_free(&sim->world);
    oracle_free(&sim->oracle);
    free(sim->heap);
    free(sim->bias);
    free(sim->effects);
    free(sim->effects_memory);
    free(sim->encode_buffer);
    free(sim->trace);
    free(sim);
}

/* No honest leader's view is lost when nothing is wrong (clause 10.12). */
static void check_faultless(struct sim *sim)
{
    for (uint16_t i = 0; i < sim->plan.n; i++) {
        const struct slu_core_stats *stats =
            sim->nodes[i].core ? slu_core_stats(sim->nodes[i].core) : NULL;
        if (stats && stats->votes_sent[SLU_NULLIFY] > 0)
            sim_violation(sim, 12, "node %u nullified a view of an honest leader", i);
    }
}

static void sum_up(struct sim *sim)
{
    struct sim_result *r = &sim->result;
    if (sim->plan.faultless && r->ok && sim->done)
        check_faultless(sim);
    r->hash = sim->hash;
    r->ms = sim->now_ms;
    r->views = sim->world.view_top;
    r->blocks = sim->oracle.top;
    r->delivered = sim->oracle.delivered;
    r->dropped = sim->oracle.dropped;
    r->accepted = client_accepted(sim);
    r->forced = sim->oracle.forced;
    r->skipped = sim->oracle.skipped;
    r->evidence = sim->oracle.evidence;
    r->nullified = r->disk_peak_bytes = 0;
    r->counts[SIM_N_DEVIATIONS] = sim->deviations;
    for (uint16_t i = 0; i < sim->instances; i++) {
        const struct sim_node *node = &sim->nodes[i];
        r->counts[SIM_N_DEVIATIONS] += sim_node_deviations(node);
        if (node->disk.bytes_peak > r->disk_peak_bytes)
            r->disk_peak_bytes = node->disk.bytes_peak;
        if (node->core && slu_core_stats(node->core)->views_nullified > r->nullified)
            r->nullified = slu_core_stats(node->core)->views_nullified;
    }
}

const struct sim_result *sim_run_until(struct sim *sim, uint64_t until_ms)
{
    while (!sim->done && sim->heap_count > 0 && sim->heap[0].time_ms <= until_ms) {
        struct sim_event e = take_event(sim);
        sim->now_ms = e.time_ms;
        if (++sim->result.events > EVENTS_MAX)
            sim_violation(sim, 12, "too many events");
        handle(sim, &e);
    }
    sum_up(sim);
    return &sim->result;
}

const struct sim_result *sim_run(struct sim *sim)
{
    sim_run_until(sim, UINT64_MAX - 1);
    if (sim->result.ok)
        audit_all(sim);
    return &sim->result;
}
