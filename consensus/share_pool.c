#include "consensus/share_pool.h"

#include <string.h>

#include "consensus/calendar.h"

/* Twice what one height can bring, at least: the lowest one always fits. */
static uint32_t slots_each(const struct slu_genesis *g)
{
    return SLU_SHARE_SLOTS + 2u * (uint32_t)(slu_due_count_max(g) / SLU_SHARES_MAX);
}

size_t slu_share_pool_bytes(const struct slu_genesis *g)
{
    if (!g->params.sealing)
        return 0;
    return (size_t)g->n * slots_each(g) *
               (sizeof(struct slu_share_place) + sizeof(struct slu_signed_shares)) +
           32u;
}

void slu_share_pool_init(struct slu_share_pool *pool, struct slu_arena *arena,
                         const struct slu_genesis *g)
{
    if (!g->params.sealing)
        return;
    pool->each = slots_each(g);
    pool->places = slu_arena_take(arena, (size_t)g->n * pool->each * sizeof *pool->places);
    pool->slots = slu_arena_take(arena, (size_t)g->n * pool->each * sizeof *pool->slots);
    SLU_CHECK(pool->places && pool->slots);
}

static struct slu_share_place place_of(uint64_t height, const uint8_t key_id32[32], uint32_t first)
{
    struct slu_share_place place = {.height = height, .first = first};
    memcpy(&place.key, key_id32, sizeof place.key);
    return place;
}

static bool is_above(const struct slu_share_place *a, const struct slu_share_place *b)
{
    return a->height != b->height ? a->height > b->height : a->first > b->first;
}

/* The index of a node's message for a place; `each`: there is none. */
static uint32_t find(const struct slu_share_pool *pool, uint16_t node, struct slu_share_place what)
{
    const struct slu_share_place *places = pool->places + (size_t)node * pool->each;
    uint32_t i = 0;
    while (i < pool->each && (places[i].height != what.height || places[i].first != what.first ||
                              places[i].key != what.key))
        i++;
    return i;
}

bool slu_share_pool_put(struct slu_share_pool *pool, const struct slu_signed_shares *shares)
{
    struct slu_share_place *places = pool->places + (size_t)shares->node * pool->each;
    struct slu_share_place what = place_of(shares->height, shares->key_id, shares->first);
    uint32_t best = 0;
    if (find(pool, shares->node, what) < pool->each)
        return false;
    for (uint32_t i = 0; i < pool->each && places[best].height; i++)
        if (places[i].height == 0 || is_above(&places[i], &places[best]))
            best = i;
    if (places[best].height && !is_above(&places[best], &what))
        return false;
    pool->gone += places[best].height != 0;
    places[best] = what;
    pool->slots[(size_t)shares->node * pool->each + best] = *shares;
    return true;
}

const struct slu_signed_shares *slu_share_pool_find(const struct slu_share_pool *pool,
                                                    uint16_t node, uint64_t height,
                                                    const uint8_t key_id32[32], uint32_t first)
{
    uint32_t at = find(pool, node, place_of(height, key_id32, first));
    return at < pool->each ? &pool->slots[(size_t)node * pool->each + at] : NULL;
}

void slu_share_pool_drop(struct slu_share_pool *pool, uint16_t node, uint64_t height,
                         const uint8_t key_id32[32], uint32_t first)
{
    uint32_t at = find(pool, node, place_of(height, key_id32, first));
    if (at == pool->each)
        return;
    pool->places[(size_t)node * pool->each + at].height = 0;
    pool->gone++;
}

void slu_share_pool_forget(struct slu_share_pool *pool, uint16_t n, uint64_t height)
{
    for (size_t i = 0; i < (size_t)n * pool->each; i++)
        if (pool->places[i].height <= height)
            pool->places[i].height = 0;
}
