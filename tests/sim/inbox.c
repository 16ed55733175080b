#include "tests/sim/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

/* ---- items ---- */

struct world_item *world_item(struct world *world, const struct slu_inbox_tuple *tuple)
{
    uint8_t digest[32];
    slu_inbox_tuple_digest(digest, &world->sim->genesis, tuple);
    uint32_t at = sim_table_get(&world->item_at, digest);
    if (at == SIM_NONE) {
        world->items =
            sim_grow(world->items, &world->item_cap, world->item_count, sizeof *world->items);
        at = world->item_count++;
        world->items[at] = (struct world_item){.tuple = *tuple};
        sim_table_put(&world->item_at, digest, at);
    }
    return &world->items[at];
}

void world_see_relay(struct world *world, const struct slu_relay *relay)
{
    struct sim *sim = world->sim;
    struct world_item *item = world_item(world, &relay->tuple);
    if (relay->kind == SLU_INBOX_EVIDENCE && sim_is_honest(sim, relay->tuple.offender))
        sim_violation(sim, 14, "evidence of %s names the honest node %u",
                      slu_offence_name((enum slu_offence)relay->tuple.offence),
                      relay->tuple.offender);
    if (item->content)
        return;
    item->postage = relay->postage;
    item->content = sim_alloc(relay->tuple.bytes);
    memcpy(item->content, relay->content, relay->tuple.bytes);
}

void world_see_holds(struct world *world, const struct slu_holds *holds)
{
    for (uint16_t i = 0; i < holds->count; i++)
        world_item(world, &holds->items[i].tuple);
}

void world_hold(struct world *world, uint16_t node, const struct slu_inbox_tuple *tuple)
{
    world_item(world, tuple)->holders |= UINT64_C(1) << node;
}

bool world_item_certifiable(struct world *world, const struct slu_inbox_tuple *tuple, uint64_t more)
{
    uint64_t holders =
        world_item(world, tuple)->holders | world->sim->byzantine | world->sim->wiped | more;
    return __builtin_popcountll(holders) > (int)slu_genesis_f(&world->sim->genesis);
}

/* ---- the queue, computed plainly: by looking at every ancestor ---- */

/* The position of an id in a block's list, or SIM_NONE. */
static uint32_t in_list(const struct slu_block *block, const uint8_t id32[32])
{
    for (uint32_t i = 0; i < block->queued_count; i++)
        if (!memcmp(block->queued + (size_t)i * SLU_INBOX_TUPLE_BYTES, id32, 16))
            return i;
    return SIM_NONE;
}

static bool is_remembered(const struct sim *sim, const struct slu_block *ancestor,
                          const struct slu_block *block)
{
    return ancestor->time_ms + sim->genesis.params.dedup_window_ms >= block->time_ms ||
           ancestor->tail.height > block->height;
}

/* Looks through the ancestors: whether one queued the id, and how many ids are remembered. */
static bool look_back(struct world *world, const struct slu_block *parent,
                      const struct slu_block *block, const uint8_t id32[32], bool *queued,
                      uint64_t *remembered)
{
    *queued = false;
    *remembered = 0;
    for (const struct slu_block *a = parent; a->height > 0;) {
        if (!is_remembered(world->sim, a, block))
            return true;
        *queued |= in_list(a, id32) != SIM_NONE;
        for (uint32_t i = 0; i < a->queued_count; i++)
            *remembered += a->queued[(size_t)i * SLU_INBOX_TUPLE_BYTES + 32] != SLU_INBOX_EVIDENCE;
        a = world_block(world, a->parent);
        if (!a)
            return false;
    }
    return true;
}

static int by_bytes(const void *x, const void *y)
{
    return memcmp(x, y, SLU_INBOX_TUPLE_BYTES);
}

static void book(const struct sim *sim, struct slu_block *block, uint32_t bytes)
{
    uint64_t lowest = block->height + sim->genesis.params.forced_delay;
    uint32_t cost = bytes + 48;
    if (block->tail.height < lowest)
        block->tail = (struct slu_queue_tail){.height = lowest};
    if (block->tail.bytes + cost > sim->genesis.params.forced_bytes_per_block)
        block->tail = (struct slu_queue_tail){.height = block->tail.height + 1};
    block->tail.bytes += cost;
}

/* Whether this tuple goes into the list. False in `known`: cannot be told. */
static bool is_taken(struct world *world, const struct slu_block *parent, struct slu_block *out,
                     const struct slu_inbox_tuple *t, uint64_t *forced, bool *known)
{
    const struct slu_params *p = &world->sim->genesis.params;
    if (t->kind == SLU_INBOX_EVIDENCE) {
        uint64_t bit = UINT64_C(1) << t->offender;
        if (out->evident[t->offence] & bit)
            return false;
        out->evident[t->offence] |= bit;
        return true;
    }
    if (t->valid_until_ms < out->time_ms || t->valid_until_ms > out->time_ms + p->dedup_window_ms)
        return false;
    bool queued;
    uint64_t remembered;
    *known &= look_back(world, parent, out, t->id, &queued, &remembered);
    if (queued || remembered + *forced >= p->inbox_ids_max)
        return false;
    ++*forced;
    book(world->sim, out, t->bytes);
    return true;
}

bool world_queue(struct world *world, const struct slu_block *parent,
                 const struct slu_report *const *reports, uint16_t count, struct slu_block *out)
{
    uint32_t all = 0;
    uint64_t forced = 0;
    bool known = true;
    out->tail = parent->tail;
    memcpy(out->evident, parent->evident, sizeof out->evident);
    for (uint16_t i = 0; i < count; i++)
        all += reports[i]->inbox_count;
    free(world->list);
    free(world->sorted);
    world->list = sim_alloc((size_t)all * SLU_INBOX_TUPLE_BYTES);
    uint8_t *sorted = world->sorted = sim_alloc((size_t)all * SLU_INBOX_TUPLE_BYTES);
    all = 0;
    for (uint16_t i = 0; i < count; i++) {
        memcpy(sorted + (size_t)all * SLU_INBOX_TUPLE_BYTES, reports[i]->inbox,
               (size_t)reports[i]->inbox_count * SLU_INBOX_TUPLE_BYTES);
        all += reports[i]->inbox_count;
    }
    if (all)
        qsort(sorted, all, SLU_INBOX_TUPLE_BYTES, by_bytes);
    out->queued = world->list;
    for (uint32_t i = 0; i < all; i++) {
        const uint8_t *each = sorted + (size_t)i * SLU_INBOX_TUPLE_BYTES;
        struct slu_inbox_tuple t;
        slu_inbox_tuple_at(each, 0, &t);
        if ((i > 0 && !memcmp(each - SLU_INBOX_TUPLE_BYTES, each, 16)) ||
            !is_taken(world, parent, out, &t, &forced, &known))
            continue;
        memcpy(world->list + (size_t)out->queued_count++ * SLU_INBOX_TUPLE_BYTES, each,
               SLU_INBOX_TUPLE_BYTES);
    }
    return known;
}
