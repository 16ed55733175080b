/* The places of a lane's headers: a tree, an index by digest, and what goes when all are taken
 * (clause 2.3). */
#include <string.h>

#include "consensus/state.h"

/* What never goes, whatever the owner and up to f others make: at most three chains above the
 * committed cut (mine, and those that more than f nodes acked: each node stands by one), and one
 * window of history. */
static uint32_t pool_size(const struct slu_genesis *g)
{
    return g->params.lane_window_batches * 4 + 64;
}

static uint32_t bucket_count(const struct slu_genesis *g)
{
    uint32_t count = 64;
    while (count < pool_size(g))
        count *= 2;
    return count;
}

size_t slu_pool_bytes(const struct slu_genesis *g)
{
    return (size_t)pool_size(g) * sizeof(struct slu_header) +
           (size_t)bucket_count(g) * sizeof(uint32_t) + 32;
}

void slu_pool_init(const struct slu_genesis *g, struct slu_lane *lane, struct slu_arena *arena)
{
    uint32_t size = pool_size(g), buckets = bucket_count(g);
    lane->pool = slu_arena_take(arena, size * sizeof *lane->pool);
    lane->buckets = slu_arena_take(arena, buckets * sizeof *lane->buckets);
    SLU_CHECK(lane->pool && lane->buckets);
    lane->bucket_mask = buckets - 1;
    for (uint32_t i = 0; i < buckets; i++)
        lane->buckets[i] = SLU_NONE;
    lane->free_list = SLU_NONE;
    for (uint32_t i = size; i-- > 0;) {
        lane->pool[i].hash_next = lane->free_list;
        lane->free_list = i;
    }
}

static uint32_t *bucket_of(const struct slu_lane *lane, const uint8_t digest32[32])
{
    uint32_t word;
    memcpy(&word, digest32, sizeof word);
    return &lane->buckets[word & lane->bucket_mask];
}

uint32_t slu_lane_find(const struct slu_lane *lane, const uint8_t digest32[32])
{
    uint32_t at = *bucket_of(lane, digest32);
    while (at != SLU_NONE && !slu_digest_is(lane->pool[at].h.digest, digest32))
        at = lane->pool[at].hash_next;
    return at;
}

/* ---- the tree ---- */

void slu_pool_unlink(struct slu_lane *lane, uint32_t place)
{
    struct slu_header *node = &lane->pool[place];
    if (node->parent == SLU_NONE)
        return;
    uint32_t *at = &lane->pool[node->parent].first_child;
    while (*at != place)
        at = &lane->pool[*at].next_sibling;
    *at = node->next_sibling;
    node->parent = SLU_NONE;
    node->next_sibling = SLU_NONE;
}

void slu_pool_link(struct slu_lane *lane, uint32_t place, uint32_t parent)
{
    struct slu_header *node = &lane->pool[place];
    node->parent = parent;
    /* At the end: the first that came stays the first. */
    uint32_t *at = &lane->pool[parent].first_child;
    while (*at != SLU_NONE)
        at = &lane->pool[*at].next_sibling;
    *at = place;
    node->next_sibling = SLU_NONE;
}

size_t slu_pool_window_cost(const struct slu_lane *lane, const struct slu_header *node)
{
    bool counts = node->held && node->known && node->h.position > lane->committed.position;
    return counts ? node->h.payload_bytes + SLU_SIGNED_HEADER_BYTES : 0;
}

uint64_t slu_pool_recount(const struct slu_genesis *g, const struct slu_lane *lane)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < pool_size(g); i++)
        bytes += slu_pool_window_cost(lane, &lane->pool[i]);
    return bytes;
}

uint64_t slu_pool_left_behind(const struct slu_genesis *g, const struct slu_lane *lane,
                              uint32_t place)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < pool_size(g); i++)
        if (lane->pool[i].h.position <= lane->pool[place].h.position && i != place &&
            !slu_lane_descends(lane, place, i))
            bytes += slu_pool_window_cost(lane, &lane->pool[i]);
    return bytes;
}

static void free_node(struct slu_lane *lane, uint32_t place)
{
    struct slu_header *node = &lane->pool[place];
    SLU_CHECK(node->first_child == SLU_NONE);
    lane->window_bytes -= slu_pool_window_cost(lane, node);
    slu_pool_unlink(lane, place);
    uint32_t *at = bucket_of(lane, node->h.digest);
    while (*at != place)
        at = &lane->pool[*at].hash_next;
    *at = node->hash_next;
    node->hash_next = lane->free_list;
    node->known = node->held = node->whole = node->certified = false;
    node->h.position = 0;
    node->support = 0;
    lane->free_list = place;
    lane->used--;
}

void slu_pool_free_tree(struct slu_lane *lane, uint32_t root)
{
    uint32_t at = root;
    for (;;) {
        while (lane->pool[at].first_child != SLU_NONE)
            at = lane->pool[at].first_child;
        uint32_t parent = lane->pool[at].parent;
        free_node(lane, at);
        if (at == root)
            return;
        at = parent;
    }
}

/* ---- when all places are taken ---- */

/* What goes, in this order. */
enum sacrifice {
    NEEDLESS,    /* above the cut acked by nobody; below it farther than delivery needs it soon */
    REFETCHABLE, /* history that no cut is known to contain */
    LITTLE_ACKED /* what at most f nodes acked: nobody honest needs to be among them */
};

uint64_t slu_pool_history_top(const struct slu_core *c, const struct slu_lane *lane)
{
    return lane->delivered.position + c->g->params.lane_window_batches;
}

static bool may_go(const struct slu_core *c, const struct slu_lane *lane, uint32_t at,
                   uint32_t keep, enum sacrifice which)
{
    const struct slu_header *node = &lane->pool[at];
    uint64_t position = node->h.position;
    if (position <= lane->delivered.position || node->first_child != SLU_NONE || at == keep ||
        at == lane->mine || slu_digest_is(node->h.digest, lane->committed.digest))
        return false;
    if (position > lane->committed.position)
        return !node->certified &&
               __builtin_popcountll(node->support) <= (which == LITTLE_ACKED ? (int)c->f : 0);
    return position > slu_pool_history_top(c, lane) || (which >= REFETCHABLE && !node->certified);
}

static void drop_leaves(struct slu_core *c, uint16_t index, uint32_t keep, enum sacrifice which)
{
    struct slu_lane *lane = &c->lanes[index];
    for (uint32_t i = 0; i < pool_size(c->g); i++)
        for (uint32_t at = i; at != SLU_NONE && may_go(c, lane, at, keep, which);) {
            uint32_t parent = lane->pool[at].parent;
            slu_ack_retreat(c, index, at);
            free_node(lane, at);
            c->stats.headers_dropped++;
            at = parent;
        }
    lane->whole_height = 0; /* to be looked through again */
    lane->from_tip |= which >= REFETCHABLE;
}

/* A lag of more than a window: what lies between the history that is kept and the committed cut is
 * given up, until delivery comes near. Of the cut only its tip stays, as after a jump to it. */
static void cut_off(struct slu_core *c, struct slu_lane *lane, uint32_t keep)
{
    uint32_t tip = slu_lane_find(lane, lane->committed.digest), low = SLU_NONE;
    for (uint32_t at = lane->pool[tip].parent;
         at != SLU_NONE && lane->pool[at].h.position > slu_pool_history_top(c, lane);
         at = lane->pool[at].parent)
        low = at;
    if (low == SLU_NONE)
        return;
    slu_pool_unlink(lane, tip);
    lane->pool[tip].known = lane->pool[tip].held = lane->pool[tip].whole = false;
    if (slu_lane_descends(lane, keep, low) || slu_lane_descends(lane, lane->mine, low) ||
        slu_lane_descends(lane, lane->certified, low))
        return; /* none of them builds on what is cut off, unless more than f nodes lie */
    uint32_t used = lane->used;
    slu_pool_free_tree(lane, low);
    c->stats.headers_dropped += used - lane->used;
}

uint32_t slu_pool_take(struct slu_core *c, uint16_t index, const uint8_t digest32[32],
                       uint32_t keep, bool ordered)
{
    struct slu_lane *lane = &c->lanes[index];
    enum sacrifice last = ordered ? LITTLE_ACKED : REFETCHABLE;
    for (enum sacrifice which = NEEDLESS; lane->free_list == SLU_NONE && which <= last; which++) {
        drop_leaves(c, index, keep, which);
        if (lane->free_list == SLU_NONE && which == NEEDLESS)
            cut_off(c, lane, keep);
    }
    if (lane->free_list == SLU_NONE)
        return SLU_NONE;
    uint32_t place = lane->free_list;
    struct slu_header *node = &lane->pool[place];
    lane->free_list = node->hash_next;
    memset(node, 0, sizeof *node);
    node->parent = node->first_child = node->next_sibling = SLU_NONE;
    memcpy(node->h.digest, digest32, 32);
    uint32_t *bucket = bucket_of(lane, digest32);
    node->hash_next = *bucket;
    *bucket = place;
    lane->used++;
    return place;
}
