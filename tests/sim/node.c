/* One node: a core with its inbox, its clock and its lives. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sluice/error.h"
#include "tests/sim/inbox.h"
#include "tests/sim/keygen.h"
#include "tests/sim/seal_keys.h"
#include "tests/sim/sim.h"

#define TURNS_IN_FLIGHT_MAX 64u
#define TURNS_PER_MS_MAX    5000u

void sim_item_release(struct sim_item *item)
{
    free(item->bytes);
    sim_packet_release(item->packet);
    *item = (struct sim_item){0};
}

static void wake_at(struct sim_node *node, uint64_t time_ms)
{
    if (node->wake_set)
        return;
    node->wake_set = true;
    if (time_ms < node->paused_until_ms)
        time_ms = node->paused_until_ms;
    sim_at(node->sim, time_ms,
           &(struct sim_event){.kind = SIM_EV_WAKE, .node = node->instance, .life = node->life});
}

static void grow_inbox(struct sim_node *node)
{
    uint32_t cap = node->inbox_cap ? node->inbox_cap * 2 : 64;
    struct sim_item *grown = sim_alloc(cap * sizeof *grown);
    for (uint32_t i = 0; i < node->inbox_count; i++)
        grown[i] = node->inbox[(node->inbox_head + i) % node->inbox_cap];
    free(node->inbox);
    node->inbox = grown;
    node->inbox_cap = cap;
    node->inbox_head = 0;
}

void sim_node_put(struct sim_node *node, struct sim_item *item)
{
    if (!node->up || node->inbox_count == SIM_INBOX_MAX) {
        sim_item_release(item);
        return;
    }
    if (node->inbox_count == node->inbox_cap)
        grow_inbox(node);
    node->inbox[(node->inbox_head + node->inbox_count++) % node->inbox_cap] = *item;
    wake_at(node, node->sim->now_ms + (sim_rng_chance(&node->sim->node_rng, 100) ? 1 : 0));
}

/* ---- lives ---- */

static uint64_t wall_ms(const struct sim_node *node)
{
    int64_t at = (int64_t)(node->sim->genesis.created_ms + node->sim->now_ms) + node->skew_ms;
    return at > 1 ? (uint64_t)at : 1;
}

/* Puts a deviant at the door of a core that has booted. */
static void add_deviant(struct sim_node *node)
{
    struct sim *sim = node->sim;
    if (!node->deviant_bytes)
        node->deviant_bytes = slu_deviant_bytes(&sim->genesis);
    void *memory = mmap(NULL, node->deviant_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    SLU_CHECK(memory != MAP_FAILED);
    struct slu_deviant_config config = {
        .genesis = &sim->genesis,
        .self = node->id,
        .behaviours = sim->plan.behaviours[node->id],
        .signer = sim_signer(node),
        .core = node->core,
        .seed = sim_rng_next(&sim->byz_rng),
    };
    node->deviant = slu_deviant_init(memory, &config);
}

uint64_t sim_node_deviations(const struct sim_node *node)
{
    uint64_t acts = 0;
    for (int i = 0; node->deviant && i < SLU_BEHAVIOURS; i++)
        acts += slu_deviant_stats(node->deviant)->acts[i];
    return acts;
}

static void end_core(struct sim_node *node)
{
    if (node->deviant)
        munmap(node->deviant, node->deviant_bytes);
    if (node->core)
        munmap(node->core, node->core_bytes);
    node->deviant = NULL;
    node->core = NULL;
}

void sim_node_boot(struct sim_node *node)
{
    struct sim *sim = node->sim;
    SLU_CHECK(!node->up);
    if (!node->core_bytes)
        node->core_bytes = slu_core_bytes(&sim->genesis);
    void *memory = mmap(NULL, node->core_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    SLU_CHECK(memory != MAP_FAILED);
    uint8_t p32[32];
    sim_seal_secrets(&node->seal, p32, node->id);
    struct slu_core_config config = {
        .genesis = &sim->genesis,
        .self = node->id,
        .signer = sim_signer(node),
        .seed = sim_rng_next(&sim->node_rng),
        .seal = &node->seal,
    };
    node->core = slu_core_init(memory, &config);
    SLU_CHECK((void *)node->core == memory);
    struct slu_store store = sim_disk_store(&node->disk);
    int rc = slu_core_boot(node->core, &store, !node->started_once);
    if (rc)
        sim_violation(sim, 12, "node %u cannot boot: %s", node->id, slu_strerror(rc));
    if (node->role == SIM_DEVIANT)
        add_deviant(node);
    if (node->life > 0)
        sim_note(sim, SIM_T_RESTART, node->instance, 0, 0, 0, NULL);
    node->up = true;
    node->mono_ms = sim_rng_below(&sim->node_rng, 1000000);
    node->timer_ms = UINT64_MAX;
    node->disk_free_ms = sim->now_ms;
    node->durable_position = 0;
    node->view_seen = 0;
    sim_node_put(node, &(struct sim_item){.kind = SIM_ITEM_START});
    sim_node_links(node);
}

void sim_node_links(struct sim_node *node)
{
    struct sim *sim = node->sim;
    for (uint16_t i = 0; i < sim->plan.n; i++) {
        if (i == node->id)
            continue;
        uint64_t at = sim->now_ms + sim_rng_range(&sim->net_rng, 1, 2u * sim->plan.params.delta_ms);
        sim_at(sim, at, &(struct sim_event){.kind = SIM_EV_PEER_UP, .node = i, .peer = node->id});
        sim_at(sim, at, &(struct sim_event){.kind = SIM_EV_PEER_UP, .node = node->id, .peer = i});
    }
}

static void drop_inbox(struct sim_node *node)
{
    for (uint32_t i = 0; i < node->inbox_count; i++)
        sim_item_release(&node->inbox[(node->inbox_head + i) % node->inbox_cap]);
    node->inbox_head = node->inbox_count = 0;
}

/* What the node sent a moment ago and what is still in its socket buffers may die with it. */
static void drop_in_flight(struct sim_node *node)
{
    struct sim *sim = node->sim;
    if (!sim_rng_chance(&sim->net_rng, sim->plan.lost_in_flight_permille))
        return;
    uint32_t permille = sim_rng_chance(&sim->net_rng, 500) ? 500 : 1000;
    for (uint32_t i = 0; i < sim->heap_count; i++) {
        struct sim_event *e = &sim->heap[i];
        if (e->kind == SIM_EV_PACKET && e->packet && e->peer == node->id &&
            sim_rng_chance(&sim->net_rng, permille)) {
            sim_packet_release(e->packet);
            e->packet = NULL;
        }
    }
}

void sim_node_crash(struct sim_node *node, bool wipe)
{
    struct sim *sim = node->sim;
    if (!node->up)
        return;
    sim_note(sim, wipe ? SIM_T_WIPE : SIM_T_CRASH, node->instance, 0, 0, node->syncs, NULL);
    sim->result.counts[wipe ? SIM_N_WIPES : SIM_N_CRASHES]++;
    node->up = false;
    node->life++;
    node->wake_set = false;
    drop_inbox(node);
    drop_in_flight(node);
    sim_turns_drop(node, sim_rng_chance(&sim->node_rng, sim->plan.tear_permille));
    sim_ledger_crashed(node);
    if (node->role == SIM_HONEST) {
        client_crashed(sim, node, wipe);
        forced_crashed(sim, node, wipe);
    }
    sim->deviations += sim_node_deviations(node);
    end_core(node);
    if (wipe) {
        sim_disk_wipe(&node->disk);
        node->wiped = true;
        node->delivered = 0;
    }
}

void sim_node_release(struct sim_node *node)
{
    drop_inbox(node);
    sim_turns_drop(node, false);
    end_core(node);
    sim_disk_wipe(&node->disk);
    free(node->soft);
    free(node->inbox);
    free(node->ledger);
    free(node->signing);
    sim_table_free(&node->acked);
    sim_table_free(&node->stored);
    sim_table_free(&node->items);
    sim_table_free(&node->ack_at);
}

/* ---- steps ---- */

static void step_core(struct sim_node *node, const struct slu_event *event)
{
    if (node->deviant)
        slu_deviant_step(node->deviant, event, node->sim->effects);
    else
        slu_core_step(node->core, event, node->sim->effects);
}

/* Whether the deviant's admission turns the client of this submission away. */
static bool is_turned_away(struct sim_node *node, const struct sim_item *item)
{
    char client[32];
    snprintf(client, sizeof client, "client-%u:%u", (unsigned)(item->number % 4), item->count);
    if (!node->deviant || item->kind != SIM_ITEM_SUBMIT ||
        !slu_behaviours_refuse_client(&node->sim->plan.behaviours[node->id], client))
        return false;
    node->sim->deviations++;
    return true;
}

static void step(struct sim_node *node, const struct sim_item *item)
{
    struct sim *sim = node->sim;
    struct slu_event e = {
        .now_ms = sim->now_ms + node->mono_ms, .clock_ms = wall_ms(node), .from = item->from};
    if (is_turned_away(node, item))
        return;
    switch (item->kind) {
    case SIM_ITEM_START:
        e.kind = SLU_EVENT_START;
        break;
    case SIM_ITEM_PACKET:
        e.kind = SLU_EVENT_MESSAGE;
        e.message = item->packet->message;
        sim_note(sim, SIM_T_RECEIVE, node->instance, item->from,
                 (uint8_t)item->packet->message->kind, item->packet->signer_view,
                 item->packet->tag);
        break;
    case SIM_ITEM_PEER_UP:
        e.kind = SLU_EVENT_PEER_UP;
        sim_note(sim, SIM_T_PEER_UP, node->instance, item->from, 0, 0, NULL);
        break;
    case SIM_ITEM_SUBMIT:
        e.kind = SLU_EVENT_SUBMIT;
        e.submit.token = item->number;
        e.submit.envelopes = item->bytes;
        e.submit.bytes = item->bytes_len;
        e.submit.count = item->count;
        break;
    case SIM_ITEM_FORCE:
        e.kind = SLU_EVENT_FORCE;
        e.force.token = item->number;
        e.force.envelope = item->bytes;
        e.force.bytes = item->bytes_len;
        e.force.postage = item->postage;
        break;
    case SIM_ITEM_QUERY:
        e.kind = SLU_EVENT_QUERY;
        e.query.token = item->number;
        e.query.ids = item->bytes;
        e.query.count = item->count;
        break;
    case SIM_ITEM_BODY:
        e.kind = SLU_EVENT_BODY;
        e.body.tag = item->number;
        e.body.record = item->bytes;
        e.body.bytes = item->bytes_len;
        break;
    case SIM_ITEM_TIMER:
        e.kind = SLU_EVENT_TIMER;
        break;
    }
    step_core(node, &e);
}

static void end_turn(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct slu_effects *fx = sim->effects;
    struct slu_event e = {
        .kind = SLU_EVENT_TURN, .now_ms = sim->now_ms + node->mono_ms, .clock_ms = wall_ms(node)};
    step_core(node, &e);
    keygen_look(node);
    sim_turn_queue(node, fx);
    uint64_t deadline = fx->deadline_ms;
    slu_effects_reset(fx);
    if (deadline == UINT64_MAX)
        return;
    deadline = deadline > node->mono_ms ? deadline - node->mono_ms : 0;
    if (deadline < sim->now_ms)
        deadline = sim->now_ms;
    if (deadline >= node->timer_ms && node->timer_ms >= sim->now_ms)
        return; /* the one that is set comes first */
    node->timer_ms = deadline;
    sim_at(sim, deadline + (sim_rng_chance(&sim->node_rng, 100) ? 1 : 0),
           &(struct sim_event){.kind = SIM_EV_TIMER,
                               .node = node->instance,
                               .life = node->life,
                               .value = ++node->timer_token});
}

static void observe(struct sim_node *node)
{
    struct sim *sim = node->sim;
    const struct slu_core_stats *stats = slu_core_stats(node->core);
    if (stats->view != node->view_seen) {
        if (stats->view < node->view_seen)
            sim_violation(sim, 6, "node %u goes back to view %lu", node->id, stats->view);
        node->view_seen = stats->view;
        sim_note(sim, SIM_T_VIEW, node->instance, 0, 0, stats->view, NULL);
    }
    if (node->role == SIM_HONEST && stats->final_height > sim->last_final_height) {
        sim->last_final_height = stats->final_height;
        sim->last_final_ms = sim->now_ms;
    }
}

void sim_node_wake(struct sim_node *node)
{
    struct sim *sim = node->sim;
    node->wake_set = false;
    if (node->paused_until_ms > sim->now_ms) {
        wake_at(node, node->paused_until_ms);
        return;
    }
    if (node->turn_count >= TURNS_IN_FLIGHT_MAX) {
        wake_at(node, sim->now_ms + 1);
        return;
    }
    if (node->this_ms != sim->now_ms) {
        node->this_ms = sim->now_ms;
        node->turns_this_ms = 0;
    }
    if (++node->turns_this_ms > TURNS_PER_MS_MAX) {
        sim_violation(sim, 12, "node %u does not come to rest", node->id);
        return;
    }
    struct sim_item burst[SIM_BURST_MAX];
    uint32_t count = 0, want = (uint32_t)sim_rng_range(&sim->node_rng, 1, sim->plan.burst_max);
    while (count < want && count < SIM_BURST_MAX && node->inbox_count > 0 &&
           !sim->effects->nearly_full) {
        burst[count] = node->inbox[node->inbox_head];
        node->inbox_head = (node->inbox_head + 1) % node->inbox_cap;
        node->inbox_count--;
        step(node, &burst[count++]);
    }
    end_turn(node);
    for (uint32_t i = 0; i < count; i++)
        sim_item_release(&burst[i]);
    observe(node);
    if (node->inbox_count > 0)
        wake_at(node, sim->now_ms);
}

void sim_node_timer(struct sim_node *node, uint64_t token)
{
    if (token != node->timer_token)
        return;
    node->timer_ms = UINT64_MAX;
    sim_node_put(node, &(struct sim_item){.kind = SIM_ITEM_TIMER});
}
