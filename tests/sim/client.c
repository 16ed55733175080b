/* The clients: random submissions and queries at every honest node, and the account of what was
 * accepted: it must end delivered or dropped for a reason (docs/PROTOCOL.md clause 5.2). */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/bundle.h"
#include "tests/sim/inbox.h"
#include "tests/sim/sealed.h"
#include "tests/sim/sim.h"

#define RECENT_MAX 64u
#define BUNDLE_ODD 300u /* permille */

struct accepted {
    uint16_t node;
    uint8_t id[32];
    uint64_t position;
    bool said;  /* the client was told */
    bool void_; /* the node crashed before it was told */
};

struct client {
    struct sim_rng *rng;
    uint64_t next_token, next_tx;
    struct accepted *accepted;
    uint32_t count, cap;
    uint32_t settled; /* all before have an outcome */
    uint64_t said;
    struct {
        uint8_t bytes[SLU_TX_HEAD_BYTES + 1024];
        uint32_t len;
    } recent[RECENT_MAX];
    uint32_t recent_count;
};

struct client *client_new(struct sim *sim)
{
    struct client *client = sim_alloc(sizeof *client);
    client->rng = &sim->load_rng;
    return client;
}

void client_free(struct client *client)
{
    free(client->accepted);
    free(client);
}

uint64_t client_accepted(const struct sim *sim)
{
    return sim->client->said;
}

/* ---- load ---- */

static void write_tx(struct sim *sim, struct slu_writer *w, uint64_t stream_ms)
{
    static const uint64_t rollups[] = {1, 2, 7};
    struct client *client = sim->client;
    struct sim_rng *r = client->rng;
    uint64_t window = sim->genesis.params.dedup_window_ms;
    uint64_t rollup = rollups[sim_rng_below(r, 3)];
    uint64_t until = stream_ms + sim_rng_range(r, window / 2, window);
    uint8_t kind = SLU_TX_PLAIN, body[2048];
    uint32_t len =
        sim_rng_u32(r, 16, sim->plan.load_body_max < 1003 ? sim->plan.load_body_max : 1003);
    if (sim_rng_chance(r, sim->plan.odd_permille)) {
        sim->result.counts[SIM_N_ODD_TXS]++;
        switch (sim_rng_below(r, 7)) {
        case 0:
            rollup = 99;
            break;
        case 1:
            until = stream_ms > 10 ? stream_ms - sim_rng_below(r, 10) : 0;
            break;
        case 2:
            until = stream_ms + window * 2;
            break;
        case 3:
            kind = (uint8_t)sim_rng_range(r, 1, 9);
            break;
        case 4:
            until = stream_ms + sim_rng_below(r, 200); /* may expire on the way */
            break;
        case 5:
            len = 0;
            break;
        default: /* the same one again, perhaps elsewhere */
            if (client->recent_count) {
                uint32_t kept =
                    client->recent_count < RECENT_MAX ? client->recent_count : RECENT_MAX;
                uint64_t pick = sim_rng_below(r, kept);
                slu_write_bytes(w, client->recent[pick].bytes, client->recent[pick].len);
                return;
            }
        }
    }
    uint8_t *at = w->at;
    client->next_tx++;
    memset(body, (int)(client->next_tx & 255), sizeof body);
    memcpy(body, &client->next_tx, 8);
    if (sim_rng_chance(&sim->bundle_rng, sim->plan.bundle_permille))
        sim_bundle_write(&sim->bundle_rng, w, until,
                         sim->genesis.params.tx_bytes_max - SLU_TX_HEAD_BYTES, client->next_tx,
                         BUNDLE_ODD);
    else
        slu_tx_write(w, rollup, until, kind, body, len);
    uint32_t slot = client->recent_count++ % RECENT_MAX;
    client->recent[slot].len = (uint32_t)(w->at - at);
    memcpy(client->recent[slot].bytes, at, client->recent[slot].len);
}

static void ask(struct sim *sim, struct sim_node *node)
{
    struct client *client = sim->client;
    uint32_t count = sim_rng_u32(client->rng, 1, 4);
    struct sim_item item = {.kind = SIM_ITEM_QUERY, .number = ++client->next_token, .count = count};
    item.bytes_len = count * 32u;
    item.bytes = sim_alloc(item.bytes_len);
    for (uint32_t i = 0; i < count; i++) {
        if (client->count && sim_rng_chance(client->rng, 900))
            memcpy(item.bytes + 32u * i,
                   client->accepted[sim_rng_below(client->rng, client->count)].id, 32);
        else
            memset(item.bytes + 32u * i, (int)sim_rng_below(client->rng, 256), 32);
    }
    sim_node_put(node, &item);
}

void client_load(struct sim *sim, uint16_t instance)
{
    struct sim_node *node = &sim->nodes[instance];
    struct client *client = sim->client;
    struct sim_rng *r = client->rng;
    if (sim->now_ms >= sim->plan.load_until_ms)
        return;
    sim_at(sim, sim->now_ms + sim_rng_range(r, 1, 2u * sim->plan.load_every_ms),
           &(struct sim_event){.kind = SIM_EV_LOAD, .node = instance});
    if (!node->up || !node->core)
        return;
    if (sim_rng_chance(r, sim->plan.clock_jump_permille)) {
        node->skew_ms += (int64_t)sim_rng_below(r, 801) - 400;
        sim->result.counts[SIM_N_CLOCK_JUMPS]++;
    }
    if (sim_rng_chance(&sim->inbox_rng, sim->plan.forced_permille))
        forced_load(sim, node);
    if (sim->plan.sealed_permille && sim_rng_chance(&sim->sealed->rng, sim->plan.sealed_permille))
        sealed_load(sim, node);
    uint64_t stream_ms = slu_core_stats(node->core)->stream_time_ms;
    if (stream_ms < sim->genesis.created_ms)
        stream_ms = sim->genesis.created_ms;
    uint32_t count = sim_rng_u32(r, 1, sim->plan.load_txs_max);
    size_t cap = count * (SLU_TX_HEAD_BYTES + 1024u);
    struct sim_item item = {
        .kind = SIM_ITEM_SUBMIT, .number = ++client->next_token, .count = count};
    item.bytes = sim_alloc(cap);
    struct slu_writer w = slu_writer_of(item.bytes, cap);
    for (uint32_t i = 0; i < count; i++)
        write_tx(sim, &w, stream_ms);
    SLU_CHECK(!w.failed);
    item.bytes_len = slu_writer_len(&w);
    sim_note(sim, SIM_T_SUBMIT, instance, 0, 0, item.number, NULL);
    sim_node_put(node, &item);
    if (sim_rng_chance(r, 200))
        ask(sim, node);
}

/* ---- what became of it ---- */

static void say(struct sim *sim, struct accepted *a)
{
    if (a->said)
        return;
    a->said = true;
    sim->client->said++;
    sim_note(sim, SIM_T_ACCEPT, a->node, 0, 0, a->position, a->id);
}

void client_admitted(struct sim *sim, struct sim_node *node, const struct sim_out *out)
{
    struct client *client = sim->client;
    for (uint32_t i = 0; i < out->count; i++) {
        struct slu_admission item;
        memcpy(&item, out->items + i * sizeof item, sizeof item);
        if (item.status != SLU_ADMIT_ACCEPTED)
            continue;
        client->accepted =
            sim_grow(client->accepted, &client->cap, client->count, sizeof *client->accepted);
        struct accepted *a = &client->accepted[client->count++];
        *a = (struct accepted){.node = node->id, .position = item.position};
        memcpy(a->id, item.id, 32);
        if (item.position <= node->durable_position)
            say(sim, a);
    }
}

void client_durable(struct sim *sim, struct sim_node *node, uint64_t position)
{
    struct client *client = sim->client;
    node->durable_position = position;
    for (uint32_t i = client->settled; i < client->count; i++) {
        struct accepted *a = &client->accepted[i];
        if (a->node == node->id && !a->void_ && a->position <= position)
            say(sim, a);
    }
}

void client_crashed(struct sim *sim, struct sim_node *node, bool wiped)
{
    struct client *client = sim->client;
    for (uint32_t i = client->settled; i < client->count; i++)
        if (client->accepted[i].node == node->id && (wiped || !client->accepted[i].said))
            client->accepted[i].void_ = true; /* a promise ends with the disk */
}

static bool has_outcome(struct sim *sim, const struct accepted *a)
{
    if (a->void_)
        return true;
    return oracle_outcome(&sim->oracle, a->id) != NULL;
}

uint64_t client_open(struct sim *sim, bool complain)
{
    struct client *client = sim->client;
    uint64_t open = 0;
    while (client->settled < client->count && has_outcome(sim, &client->accepted[client->settled]))
        client->settled++;
    for (uint32_t i = client->settled; i < client->count; i++) {
        const struct accepted *a = &client->accepted[i];
        if (has_outcome(sim, a))
            continue;
        open++;
        if (complain)
            sim_violation(sim, 12, "a transaction %s by node %u at position %lu is never ordered",
                          a->said ? "accepted" : "admitted", a->node, a->position);
    }
    return open;
}

/* What is said of a queueing is what the blocks say. */
static void check_queueing(struct sim *sim, struct sim_node *node, const struct slu_tx_status *s)
{
    uint32_t at = sim_table_get(&sim->oracle.queued_at, s->id);
    const struct oracle_queued *q = at == SIM_NONE ? NULL : &sim->oracle.queued[at];
    bool out_of_queue = s->stage == SLU_STAGE_FINAL && s->forced;
    if (s->queued == 0 && !out_of_queue && s->stage != SLU_STAGE_QUEUED)
        return; /* none, or forgotten */
    if (!q || s->queued != q->height || s->due != q->due || (out_of_queue && q->done))
        sim_violation(sim, 11, "node %u says queued at %lu for %lu, it is %lu for %lu", node->id,
                      s->queued, s->due, q ? q->height : 0, q ? q->due : 0);
    sim->oracle.told += out_of_queue;
}

static void check_status(struct sim *sim, struct sim_node *node, const struct slu_tx_status *s)
{
    check_queueing(sim, node, s);
    const struct oracle_outcome *o = oracle_outcome(&sim->oracle, s->id);
    if (s->stage == SLU_STAGE_FINAL || s->stage == SLU_STAGE_DROPPED) {
        uint8_t drop = s->stage == SLU_STAGE_FINAL ? 0 : s->drop;
        if (s->stage == SLU_STAGE_DROPPED && s->drop == SLU_DROP_EXPIRED &&
            sim_table_get(&node->items, s->id) != SIM_NONE)
            return; /* an inbox item that nobody queued in time */
        while (o && (o->height != s->height || o->drop != drop))
            o = o->next ? &sim->oracle.outcomes[o->next - 1] : NULL;
        if (!o || (!drop && o->index != s->index))
            sim_violation(sim, 13, "node %u answers a query with what was not delivered (%lu, %u)",
                          node->id, s->height, s->index);
        return;
    }
    if (s->stage != SLU_STAGE_UNKNOWN)
        return;
    for (uint32_t i = sim->client->settled; i < sim->client->count; i++) {
        const struct accepted *a = &sim->client->accepted[i];
        if (!a->void_ && a->node == node->id && a->said && !memcmp(a->id, s->id, 32) && !o)
            sim_violation(sim, 12, "node %u does not know a transaction that it accepted",
                          node->id);
    }
}

void client_answer(struct sim *sim, struct sim_node *node, const struct sim_out *out)
{
    for (uint32_t i = 0; i < out->count; i++) {
        struct slu_tx_status status;
        memcpy(&status, out->items + i * sizeof status, sizeof status);
        check_status(sim, node, &status);
    }
}
