/* What a Byzantine node without a core does to the inbox. */
#include <string.h>

#include "tests/sim/bundle.h"
#include "tests/sim/byz.h"
#include "tests/sim/inbox.h"
#include "tests/sim/sealed.h"

#define FLOOD_MAX 40u

static struct sim_rng *rng(struct sim *sim)
{
    return &sim->byz_rng;
}

/* One forced item of its own; every fifth without the work. */
static void take_one(struct sim *sim, uint16_t node, struct slu_message *m,
                     const struct slu_block *named, uint64_t to)
{
    static uint8_t envelope[4096];
    uint8_t body[100] = {0xb2, (uint8_t)node};
    struct slu_relay *relay = &m->relay;
    struct slu_writer w = slu_writer_of(envelope, sizeof envelope);
    sim->byz->made++;
    memcpy(body + 4, &sim->byz->made, 4);
    slu_tx_write(&w, 1,
                 named->time_ms + sim_rng_below(rng(sim), sim->genesis.params.dedup_window_ms),
                 SLU_TX_PLAIN, body, sim_rng_u32(rng(sim), 8, sizeof body));
    if (sim_rng_chance(&sim->bundle_rng, sim->plan.bundle_permille)) {
        w = slu_writer_of(envelope, sizeof envelope);
        sim_bundle_write(&sim->bundle_rng, &w,
                         named->time_ms +
                             sim_rng_below(rng(sim), sim->genesis.params.dedup_window_ms),
                         SIM_BUNDLE_MIN + 100, sim->byz->made | UINT64_C(0xb2) << 56, 600);
    }
    if (sim->sealed->key_count && sim->sealed->count < 400 && sim_rng_chance(rng(sim), 200)) {
        const struct sealed_item *item =
            sealed_draw(sim, rng(sim), named->height, named->time_ms, false);
        if (!item)
            return;
        w = slu_writer_of(envelope, sizeof envelope);
        slu_write_bytes(&w, item->envelope, item->bytes);
    }
    m->kind = SLU_MSG_RELAY;
    *relay = (struct slu_relay){.taker = node, .kind = SLU_INBOX_FORCED};
    if (slu_relay_derive(relay, &sim->genesis, envelope, slu_writer_len(&w)))
        return; /* a bundle so wrong that no message can carry it */
    relay->postage.height = named->height;
    memcpy(relay->postage.block, named->digest, 32);
    uint64_t price = slu_postage_price(&sim->genesis,
                                       slu_queue_booked(&sim->genesis, &named->tail, named->height),
                                       relay->tuple.bytes);
    if (sim_rng_chance(rng(sim), 800) &&
        !slu_postage_mine(&sim->genesis, relay->tuple.id, &relay->postage, price, 100000))
        return;
    slu_relay_digest(relay, &sim->genesis);
    sim_sign(sim, node, relay->signature, relay->digest);
    byz_say(sim, node, m, to);
}

void puppet_flood(struct sim *sim, uint16_t node, struct slu_message *m)
{
    if (sim->world.item_count > 3000)
        return;
    /* An old block is cheap. */
    uint64_t back = sim_rng_below(rng(sim), 20);
    uint64_t height = sim->oracle.top > back ? sim->oracle.top - back : 0;
    if (height == 0)
        return;
    const struct slu_block named = sim->world.blocks[sim->oracle.heights[height].block];
    uint32_t count = sim_rng_u32(rng(sim), 1, FLOOD_MAX);
    sim->result.counts[SIM_N_FLOODS]++;
    for (uint32_t i = 0; i < count; i++)
        take_one(sim, node, m, &named,
                 sim_rng_chance(rng(sim), 500) ? byz_some(sim) : byz_honest(sim));
}

static const struct world_item *recent_item(struct sim *sim)
{
    uint32_t count = sim->world.item_count, window = count < 60 ? count : 60;
    return count ? &sim->world.items[count - 1 - sim_rng_below(rng(sim), window)] : NULL;
}

void puppet_hold(struct sim *sim, uint16_t node, struct slu_message *m)
{
    m->kind = SLU_MSG_HOLDS;
    m->holds.count = 0;
    uint32_t count = sim_rng_u32(rng(sim), 1, 12);
    for (uint32_t i = 0; i < count; i++) {
        const struct world_item *item = recent_item(sim);
        if (!item)
            return;
        struct slu_hold *hold = &m->holds.items[m->holds.count++];
        hold->tuple = item->tuple;
        hold->node = node;
        if (item->tuple.kind == SLU_INBOX_FORCED && sim_rng_chance(rng(sim), 200))
            hold->tuple.bytes = 30; /* of no such item */
        slu_inbox_tuple_digest(hold->digest, &sim->genesis, &hold->tuple);
        sim_sign(sim, node, hold->signature, hold->digest);
    }
    uint64_t leader = UINT64_C(1) << (sim->byz->top_view + 1) % sim->plan.n;
    byz_say(sim, node, m, byz_does(sim, BYZ_TO_LEADER) ? leader : byz_some(sim));
}

/* Inserts by id; one of each prefix. */
static void insert(struct slu_report *report, const struct slu_inbox_tuple *tuple)
{
    uint8_t bytes[SLU_INBOX_TUPLE_BYTES];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_inbox_tuple_write(&w, tuple);
    uint32_t at = 0;
    while (at < report->inbox_count &&
           memcmp(report->inbox + (size_t)at * sizeof bytes, bytes, 16) < 0)
        at++;
    uint8_t *place = report->inbox + (size_t)at * sizeof bytes;
    if (at < report->inbox_count && !memcmp(place, bytes, 16))
        return;
    memmove(place + sizeof bytes, place, (size_t)(report->inbox_count - at) * sizeof bytes);
    memcpy(place, bytes, sizeof bytes);
    report->inbox_count++;
}

void puppet_list(struct sim *sim, struct slu_report *report)
{
    uint32_t count = sim_rng_u32(rng(sim), 0, 12);
    bool unbacked = byz_does(sim, BYZ_UNBACKED) && sim_rng_chance(rng(sim), 200);
    for (uint32_t i = 0; i < count; i++) {
        const struct world_item *item = recent_item(sim);
        /* It can show a certificate with its own hold and those of honest nodes. */
        if (item && (unbacked || world_item_certifiable(&sim->world, &item->tuple, 0)))
            insert(report, &item->tuple);
    }
}
