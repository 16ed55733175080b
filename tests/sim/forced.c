/* Clients that force transactions: what honest nodes took must be queued and delivered, unless it
 * expired before. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/bundle.h"
#include "tests/sim/inbox.h"
#include "tests/sim/sim.h"

#define BUNDLE_TAG (UINT64_C(0xf0) << 56) /* forced bundles are no lane's */
#define BUNDLE_ODD 200u                   /* permille */

struct forced_tx {
    uint8_t id[32];
    uint64_t valid_until_ms;
    uint16_t node; /* that took it */
    bool given;    /* the node said so, with a receipt */
    bool must;     /* taken when nothing was wrong, with time enough: it must be delivered */
    bool void_;    /* the node's disk died, or it crashed before it said so */
};

struct forced {
    struct forced_tx *txs;
    uint32_t count, cap, settled;
    uint64_t made, token;
};

struct forced *forced_new(void)
{
    return sim_alloc(sizeof(struct forced));
}

void forced_free(struct forced *forced)
{
    free(forced->txs);
    free(forced);
}

/* ---- giving ---- */

static void put(struct sim *sim, struct sim_node *node, const uint8_t *envelope, size_t len,
                const struct slu_postage *postage)
{
    struct sim_item item = {.kind = postage ? SIM_ITEM_FORCE : SIM_ITEM_SUBMIT,
                            .number = ++sim->forced->token | UINT64_C(1) << 62,
                            .bytes_len = len,
                            .count = 1};
    item.bytes = sim_alloc(len);
    memcpy(item.bytes, envelope, len);
    if (postage)
        item.postage = *postage;
    sim_note(sim, SIM_T_SUBMIT, node->instance, 0, 1, item.number, NULL);
    sim_node_put(node, &item);
}

static struct sim_node *other_node(struct sim *sim)
{
    struct sim_node *other = &sim->nodes[sim_rng_below(&sim->inbox_rng, sim->plan.n)];
    return other->up && other->core && other->role == SIM_HONEST ? other : NULL;
}

/* Postage for the price at this node, on the block that it names. */
static bool mine(const struct sim *sim, const struct sim_node *node, const uint8_t id32[32],
                 uint32_t bytes, struct slu_postage *out)
{
    struct slu_inbox_status status;
    slu_core_inbox_status(node->core, &status);
    uint64_t price =
        slu_postage_price(&sim->genesis, status.booked_bytes + status.unqueued_bytes, bytes);
    *out = status.block;
    return slu_postage_mine(&sim->genesis, id32, out, price, 200000);
}

bool forced_give(struct sim *sim, struct sim_node *node, const uint8_t *envelope, uint32_t len)
{
    struct slu_tx tx;
    struct slu_reader reader = slu_reader_of(envelope, len);
    struct slu_postage postage;
    uint8_t id[32];
    SLU_CHECK(slu_tx_read(&reader, &tx));
    slu_tx_id(id, &sim->genesis, &tx);
    if (!mine(sim, node, id, len, &postage))
        return false;
    put(sim, node, envelope, len, &postage);
    return true;
}

void forced_load(struct sim *sim, struct sim_node *node)
{
    struct sim_rng *r = &sim->inbox_rng;
    struct slu_inbox_status status;
    uint8_t envelope[SLU_TX_HEAD_BYTES + 1024], body[1003], id[32];
    slu_core_inbox_status(node->core, &status);
    uint64_t window = sim->genesis.params.dedup_window_ms;
    uint64_t until = status.block_time_ms + sim_rng_range(r, window / 2, window);
    if (sim_rng_chance(r, 50))
        until = status.block_time_ms + sim_rng_below(r, 300); /* may expire unqueued */
    uint32_t cap = sim->genesis.params.tx_bytes_max - SLU_TX_HEAD_BYTES;
    uint32_t len = sim_rng_u32(r, 9, cap < sizeof body ? cap : (uint32_t)sizeof body);
    memset(body, (int)(sim->forced->made & 255), sizeof body);
    sim->forced->made++;
    memcpy(body, &sim->forced->made, 8);
    body[8] = 0xf0;
    struct slu_writer w = slu_writer_of(envelope, sizeof envelope);
    slu_tx_write(&w, sim_rng_chance(r, 20) ? 99 : 1, until, SLU_TX_PLAIN, body, len);
    if (sim_rng_chance(&sim->bundle_rng, sim->plan.bundle_permille)) {
        w = slu_writer_of(envelope, sizeof envelope);
        sim_bundle_write(&sim->bundle_rng, &w, until, cap, sim->forced->made | BUNDLE_TAG,
                         BUNDLE_ODD);
    }
    SLU_CHECK(!w.failed);
    struct slu_tx tx;
    struct slu_reader reader = slu_reader_of(envelope, slu_writer_len(&w));
    SLU_CHECK(slu_tx_read(&reader, &tx));
    slu_tx_id(id, &sim->genesis, &tx);
    if (!mine(sim, node, id, tx.bytes_len, &status.block))
        return;
    put(sim, node, envelope, slu_writer_len(&w), &status.block);
    struct sim_node *other = sim_rng_chance(r, 150) ? other_node(sim) : NULL;
    if (other)
        put(sim, other, envelope, slu_writer_len(&w),
            sim_rng_chance(r, 500) ? &status.block : NULL);
}

/* ---- what became of it ---- */

static bool is_calm(const struct sim *sim)
{
    return sim->now_ms >= sim->plan.calm_ms && sim->plan.leap_ms == 0 &&
           sim->plan.clock_jump_permille == 0 && sim->genesis.params.inbox_ids_max > 64;
}

void forced_taken(struct sim *sim, struct sim_node *node, const struct sim_out *out)
{
    struct forced *f = sim->forced;
    struct slu_taken taken;
    memcpy(&taken, out->items, sizeof taken);
    if (!taken.has_receipt)
        return;
    uint8_t digest[32], want[64];
    slu_receipt_digest(digest, &sim->genesis, &taken.receipt);
    sim_sign(sim, node->id, want, digest);
    if (memcmp(want, taken.receipt.signature, 64) || memcmp(taken.receipt.id, taken.id, 32))
        sim_violation(sim, 11, "node %u gives a wrong receipt", node->id);
    if (sim_table_get(&node->items, taken.id) == SIM_NONE && !node->wiped)
        sim_violation(sim, 7, "node %u gives a receipt for what is not durable", node->id);
    if (taken.status != SLU_ADMIT_ACCEPTED)
        return;
    f->txs = sim_grow(f->txs, &f->cap, f->count, sizeof *f->txs);
    struct forced_tx *tx = &f->txs[f->count++];
    *tx = (struct forced_tx){.node = node->id, .given = true};
    memcpy(tx->id, taken.id, 32);
    for (uint32_t i = 0; i < sim->world.item_count; i++)
        if (!memcmp(sim->world.items[i].tuple.id, tx->id, 32) &&
            sim->world.items[i].tuple.kind == SLU_INBOX_FORCED)
            tx->valid_until_ms = sim->world.items[i].tuple.valid_until_ms;
    /* The receipt's time is that of the last block delivered there: it may lag behind the clocks
     * that the next block is dated by, most of all before the first one. */
    uint64_t time_ms = sim->genesis.created_ms + sim->now_ms;
    time_ms = taken.receipt.time_ms > time_ms ? taken.receipt.time_ms : time_ms;
    tx->must = is_calm(sim) && tx->valid_until_ms > time_ms + sim_plan_patience_ms(&sim->plan) / 2;
    sim->result.counts[SIM_N_FORCED]++;
}

void forced_crashed(struct sim *sim, struct sim_node *node, bool wiped)
{
    for (uint32_t i = sim->forced->settled; wiped && i < sim->forced->count; i++)
        if (sim->forced->txs[i].node == node->id)
            sim->forced->txs[i].void_ = true;
}

static bool has_outcome(struct sim *sim, const struct forced_tx *tx)
{
    if (tx->void_ || oracle_outcome(&sim->oracle, tx->id))
        return true;
    if (sim_table_get(&sim->oracle.queued_at, tx->id) != SIM_NONE)
        return false; /* it has its height */
    const struct oracle_height *top = &sim->oracle.heights[sim->oracle.top];
    if (top->time_ms <= tx->valid_until_ms)
        return false;
    if (tx->must)
        sim_violation(sim, 11, "a forced transaction taken by node %u expired unqueued", tx->node);
    return true;
}

uint64_t forced_open(struct sim *sim, bool complain)
{
    struct forced *f = sim->forced;
    uint64_t open = 0;
    while (f->settled < f->count && has_outcome(sim, &f->txs[f->settled]))
        f->settled++;
    for (uint32_t i = f->settled; i < f->count; i++) {
        if (has_outcome(sim, &f->txs[i]))
            continue;
        open++;
        if (complain)
            sim_violation(sim, 11, "a forced transaction taken by node %u is never delivered",
                          f->txs[i].node);
    }
    return open;
}
