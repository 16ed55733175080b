/* Lanes: the header tree of each owner, what I hold of it, and the chain that I ack. */
#include <string.h>

#include "consensus/state.h"

/* A lane's pool holds the window above the committed cut, as much history while catching up, and
 * room for forks. */
static uint32_t pool_size(const struct slu_genesis *g)
{
    return g->params.lane_window_batches * 3 + 64;
}

static uint32_t bucket_count(const struct slu_genesis *g)
{
    uint32_t count = 64;
    while (count < pool_size(g))
        count *= 2;
    return count;
}

size_t slu_lane_bytes(const struct slu_genesis *g)
{
    return (size_t)pool_size(g) * sizeof(struct slu_header) +
           (size_t)bucket_count(g) * sizeof(uint32_t) +
           SLU_ORPHANS_MAX * sizeof(struct slu_batch_header) + 64;
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

static void unlink_from_parent(struct slu_lane *lane, uint32_t place)
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

static void link_to_parent(struct slu_lane *lane, uint32_t place, uint32_t parent)
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

static size_t window_cost(const struct slu_header *node)
{
    return node->h.payload_bytes + SLU_SIGNED_HEADER_BYTES;
}

static bool counts_in_window(const struct slu_lane *lane, const struct slu_header *node)
{
    return node->held && node->known && node->h.position > lane->committed.position;
}

static void free_node(struct slu_lane *lane, uint32_t place)
{
    struct slu_header *node = &lane->pool[place];
    SLU_CHECK(node->first_child == SLU_NONE);
    if (counts_in_window(lane, node))
        lane->window_bytes -= window_cost(node);
    unlink_from_parent(lane, place);
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

static void free_tree(struct slu_lane *lane, uint32_t root)
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

/* Makes room by dropping leaves that nobody needs: neither certified nor on my chain. */
static void drop_junk(struct slu_core *c, struct slu_lane *lane)
{
    uint32_t size = pool_size(c->g);
    for (uint32_t at = 0; at < size; at++) {
        struct slu_header *node = &lane->pool[at];
        if (node->known && !node->certified && at != lane->mine && !node->support &&
            node->h.position > lane->committed.position &&
            node->first_child == SLU_NONE && node->parent != SLU_NONE)
            free_node(lane, at);
    }
}

static uint32_t take_node(struct slu_core *c, struct slu_lane *lane, const uint8_t digest32[32])
{
    if (lane->free_list == SLU_NONE)
        drop_junk(c, lane);
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

/* A cut's tip of which only place and digest are known: certified, since it was ordered. */
static uint32_t take_cut_node(struct slu_core *c, struct slu_lane *lane, const struct slu_tip *tip)
{
    uint32_t place = slu_lane_find(lane, tip->digest);
    if (place == SLU_NONE) {
        place = take_node(c, lane, tip->digest);
        SLU_CHECK(place != SLU_NONE);
        lane->pool[place].h.position = tip->position;
    }
    lane->pool[place].certified = true;
    return place;
}

void slu_lane_init(struct slu_core *c, struct slu_lane *lane, struct slu_arena *arena)
{
    uint32_t size = pool_size(c->g), buckets = bucket_count(c->g);
    lane->pool = slu_arena_take(arena, size * sizeof *lane->pool);
    lane->buckets = slu_arena_take(arena, buckets * sizeof *lane->buckets);
    lane->orphans = slu_arena_take(arena, SLU_ORPHANS_MAX * sizeof *lane->orphans);
    SLU_CHECK(lane->pool && lane->buckets && lane->orphans);
    lane->bucket_mask = buckets - 1;
    for (uint32_t i = 0; i < buckets; i++)
        lane->buckets[i] = SLU_NONE;
    lane->free_list = SLU_NONE;
    for (uint32_t i = size; i-- > 0;) {
        lane->pool[i].hash_next = lane->free_list;
        lane->free_list = i;
    }
    struct slu_tip zero = slu_tip_zero();
    lane->mine = lane->certified = take_cut_node(c, lane, &zero);
}

bool slu_lane_usable(const struct slu_lane *lane, uint32_t place)
{
    const struct slu_header *node = &lane->pool[place];
    return node->whole || slu_digest_is(node->h.digest, lane->committed.digest) ||
           slu_digest_is(node->h.digest, lane->delivered.digest);
}

uint32_t slu_lane_path(struct slu_core *c, const struct slu_lane *lane, uint32_t place,
                       uint64_t above, const uint8_t above_digest32[32], uint32_t *path)
{
    uint32_t count = 0;
    while (place != SLU_NONE && lane->pool[place].h.position > above) {
        if (!lane->pool[place].known || count == c->g->params.lane_window_batches)
            return SLU_NONE;
        path[count++] = place;
        place = lane->pool[place].parent;
    }
    if (place == SLU_NONE || !slu_digest_is(lane->pool[place].h.digest, above_digest32))
        return SLU_NONE;
    return count;
}

/* Whether `place` is `from` or builds on it. */
bool slu_lane_descends(const struct slu_lane *lane, uint32_t place, uint32_t from)
{
    uint64_t floor = lane->pool[from].h.position;
    while (place != SLU_NONE && lane->pool[place].h.position > floor)
        place = lane->pool[place].parent;
    return place == from;
}

/* ---- my chain ---- */

/* Whether the owner went on from here after it lost its disk: a held descendant is of an
 * incarnation that I may ack. */
static bool leads_to_new(const struct slu_lane *lane, uint32_t place)
{
    for (uint32_t at = lane->pool[place].first_child; at != SLU_NONE;
         at = lane->pool[at].next_sibling)
        if (lane->pool[at].held &&
            (lane->pool[at].h.incarnation >= lane->frozen_below || leads_to_new(lane, at)))
            return true;
    return false;
}

static bool may_ack(const struct slu_core *c, const struct slu_lane *lane, uint32_t place)
{
    const struct slu_header *node = &lane->pool[place];
    if (node->certified)
        return true;
    bool slashed = c->slashed >> (lane - c->lanes) & 1;
    return !lane->equivocated && !slashed &&
           (node->h.incarnation >= lane->frozen_below || leads_to_new(lane, place));
}

void slu_lane_extend(struct slu_core *c, uint16_t index)
{
    struct slu_lane *lane = &c->lanes[index];
    for (;;) {
        uint32_t next = SLU_NONE;
        for (uint32_t at = lane->pool[lane->mine].first_child; at != SLU_NONE;
             at = lane->pool[at].next_sibling) {
            if (!lane->pool[at].whole || !may_ack(c, lane, at))
                continue;
            if (next == SLU_NONE || (lane->pool[at].certified && !lane->pool[next].certified))
                next = at;
        }
        if (next == SLU_NONE)
            return;
        lane->mine = next;
        const struct slu_batch_header *h = &lane->pool[next].h;
        if (h->position > lane->acked.position) {
            lane->acked.position = h->position;
            memcpy(lane->acked.digest, h->digest, 32);
            lane->ack_dirty = true;
        }
    }
}

/* Takes the certified chain as mine when mine is another (clause 2.6). */
static void adopt(struct slu_core *c, uint16_t index)
{
    struct slu_lane *lane = &c->lanes[index];
    uint32_t tip = lane->certified;
    if (slu_lane_descends(lane, lane->mine, tip))
        return;
    uint32_t at = tip;
    while (at != SLU_NONE && !slu_lane_usable(lane, at))
        at = lane->pool[at].parent;
    if (at == SLU_NONE || slu_lane_descends(lane, lane->mine, at))
        return; /* on the same chain, or its bodies are still to come */
    c->stats.batches_adopted++;
    lane->mine = at;
    slu_lane_extend(c, index);
}

void slu_lane_certified(struct slu_core *c, uint16_t index, uint32_t place)
{
    struct slu_lane *lane = &c->lanes[index];
    if (lane->pool[place].h.position > lane->pool[lane->certified].h.position)
        lane->certified = place;
    adopt(c, index);
    slu_lane_extend(c, index);
}

/* ---- arrivals ---- */

static uint32_t insert_known(struct slu_core *c, uint16_t index, const struct slu_batch_header *h,
                             uint32_t parent)
{
    struct slu_lane *lane = &c->lanes[index];
    uint32_t place = slu_lane_find(lane, h->digest);
    if (place == SLU_NONE) {
        place = take_node(c, lane, h->digest);
        if (place == SLU_NONE)
            return SLU_NONE;
    }
    struct slu_header *node = &lane->pool[place];
    node->h = *h;
    node->known = true;
    for (uint32_t at = lane->pool[parent].first_child; at != SLU_NONE;
         at = lane->pool[at].next_sibling) {
        lane->forked = true;
        if (lane->pool[at].h.incarnation == h->incarnation) {
            lane->equivocated = true;
            c->stats.equivocations_seen++;
            if (!lane->has_two) {
                lane->two[0] = lane->pool[at].h;
                lane->two[1] = *h;
                lane->has_two = true; /* evidence, at the end of the turn */
            }
        }
    }
    link_to_parent(lane, place, parent);
    return place;
}

static uint32_t children(const struct slu_lane *lane, uint32_t parent)
{
    uint32_t count = 0;
    for (uint32_t at = lane->pool[parent].first_child; at != SLU_NONE;
         at = lane->pool[at].next_sibling)
        count++;
    return count;
}

/* Whether some node acked exactly this header, so that it must be taken even beside forks. */
static bool is_waited_for(const struct slu_core *c, uint16_t index, const uint8_t digest32[32])
{
    for (uint16_t j = 0; j < c->n; j++) {
        const struct slu_ack_state *w = &c->waiting[j * c->n + index];
        if (w->slot != SLU_NONE && slu_digest_is(w->tip.digest, digest32))
            return true;
    }
    return slu_fetch_is_wanted(c, SLU_FETCH_HEADERS, digest32) ||
           slu_digest_is(c->lanes[index].bodies.to.digest, digest32);
}

/* The place of a header whose parent is known, inserted when new; SLU_NONE when it is refused. */
static uint32_t place_header(struct slu_core *c, const struct slu_batch_header *h, bool waited)
{
    struct slu_lane *lane = &c->lanes[h->lane];
    uint32_t place = slu_lane_find(lane, h->digest);
    if (place != SLU_NONE && lane->pool[place].known)
        return place;
    uint32_t parent = slu_lane_find(lane, h->parent);
    if (parent == SLU_NONE || lane->pool[parent].h.position + 1 != h->position ||
        (lane->pool[parent].known && lane->pool[parent].h.incarnation > h->incarnation))
        return SLU_NONE;
    if (h->position > lane->committed.position + c->g->params.lane_window_batches ||
        (children(lane, parent) >= 2 && !waited && place == SLU_NONE)) {
        c->stats.batches_refused++;
        return SLU_NONE;
    }
    return insert_known(c, h->lane, h, parent);
}

static bool fits_window(const struct slu_core *c, const struct slu_lane *lane,
                        const struct slu_batch_header *h, bool certified)
{
    if (h->position <= lane->committed.position || certified)
        return true; /* history, or wanted by a quorum */
    return lane->window_bytes + h->payload_bytes + SLU_SIGNED_HEADER_BYTES <=
           c->g->params.lane_window_bytes;
}

static void persist_batch(struct slu_core *c, const struct slu_batch *batch)
{
    uint8_t *bytes = slu_fx_take(c, SLU_SIGNED_HEADER_BYTES);
    struct slu_writer w = slu_writer_of(bytes, SLU_SIGNED_HEADER_BYTES);
    slu_batch_header_write(&w, &batch->header);
    struct slu_record_key key = {
        .kind = SLU_REC_BATCH, .a = batch->header.lane, .b = batch->header.position};
    memcpy(key.digest, batch->header.digest, 32);
    slu_fx_persist(c, &key, bytes, SLU_SIGNED_HEADER_BYTES, batch->payload,
                   batch->header.payload_bytes);
}

/* `place` became a base to build on: what is held right above it is whole, and so on up. */
static void spread_whole(struct slu_lane *lane, uint32_t place)
{
    for (uint32_t at = lane->pool[place].first_child; at != SLU_NONE;
         at = lane->pool[at].next_sibling) {
        if (lane->pool[at].held && !lane->pool[at].whole) {
            lane->pool[at].whole = true;
            spread_whole(lane, at);
        }
    }
}

static void hold(struct slu_core *c, uint16_t index, uint32_t place)
{
    struct slu_lane *lane = &c->lanes[index];
    struct slu_header *node = &lane->pool[place];
    node->held = true;
    if (counts_in_window(lane, node))
        lane->window_bytes += window_cost(node);
    c->stats.batches_held++;
    if (node->parent != SLU_NONE && slu_lane_usable(lane, node->parent) && !node->whole) {
        node->whole = true;
        spread_whole(lane, place);
    }
}

/* Places the orphans that the header at `place` is the parent of. */
static void place_orphans(struct slu_core *c, uint16_t index, uint32_t place)
{
    struct slu_lane *lane = &c->lanes[index];
    uint32_t count = lane->orphan_count < SLU_ORPHANS_MAX ? lane->orphan_count : SLU_ORPHANS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        struct slu_batch_header *orphan = &lane->orphans[i];
        if (orphan->position == 0 ||
            !slu_digest_is(orphan->parent, lane->pool[place].h.digest))
            continue;
        struct slu_batch_header h = *orphan;
        orphan->position = 0;
        uint32_t child = place_header(c, &h, false);
        if (child == SLU_NONE)
            continue;
        if (!lane->pool[child].held)
            hold(c, index, child);
        slu_ack_header_known(c, index, child);
        place_orphans(c, index, child);
    }
}

static void keep_orphan(struct slu_core *c, const struct slu_batch *batch)
{
    struct slu_lane *lane = &c->lanes[batch->header.lane];
    if (batch->header.position <= lane->committed.position ||
        batch->header.position >
            lane->committed.position + c->g->params.lane_window_batches ||
        !fits_window(c, lane, &batch->header, false))
        return;
    for (uint32_t i = 0; i < SLU_ORPHANS_MAX; i++)
        if (slu_digest_is(lane->orphans[i].digest, batch->header.digest))
            return; /* here already, or placed before */
    lane->orphans[lane->orphan_count++ % SLU_ORPHANS_MAX] = batch->header;
    persist_batch(c, batch);
}

void slu_lane_on_batch(struct slu_core *c, const struct slu_batch *batch, bool own)
{
    const struct slu_batch_header *h = &batch->header;
    struct slu_lane *lane = &c->lanes[h->lane];
    if (h->position <= lane->delivered.position)
        return;
    uint32_t place = slu_lane_find(lane, h->digest);
    if (place != SLU_NONE && lane->pool[place].held)
        return;
    uint32_t parent = slu_lane_find(lane, h->parent);
    if (parent == SLU_NONE) {
        keep_orphan(c, batch);
        return;
    }
    bool certified = place != SLU_NONE && lane->pool[place].certified;
    if (!own && !fits_window(c, lane, h, certified)) {
        c->stats.batches_refused++;
        return;
    }
    bool was_known = place != SLU_NONE && lane->pool[place].known;
    place = place_header(c, h, own || is_waited_for(c, h->lane, h->digest));
    if (place == SLU_NONE)
        return;
    hold(c, h->lane, place);
    persist_batch(c, batch);
    slu_fetch_progress(c, h->lane, h->position);
    if (!was_known) {
        slu_ack_header_known(c, h->lane, place);
        place_orphans(c, h->lane, place);
    }
    adopt(c, h->lane);
    slu_lane_extend(c, h->lane);
}

void slu_lane_on_headers(struct slu_core *c, const struct slu_headers *headers)
{
    uint16_t index = headers->items[0].lane;
    struct slu_lane *lane = &c->lanes[index];
    bool waited = is_waited_for(c, index, headers->items[headers->count - 1].digest);
    for (uint16_t i = 0; i < headers->count; i++) {
        const struct slu_batch_header *h = &headers->items[i];
        uint32_t place = slu_lane_find(lane, h->digest);
        if (place != SLU_NONE && lane->pool[place].known)
            continue;
        if (h->position <= lane->committed.position)
            continue;
        place = place_header(c, h, waited);
        if (place == SLU_NONE)
            break;
        slu_ack_header_known(c, index, place);
        place_orphans(c, index, place);
    }
    adopt(c, index);
    slu_lane_extend(c, index);
}

/* At boot: a batch that the disk holds; comes in order of position. */
void slu_lane_restore(struct slu_core *c, const struct slu_batch_header *h)
{
    struct slu_lane *lane = &c->lanes[h->lane];
    if (h->position <= lane->delivered.position)
        return;
    uint32_t place = place_header(c, h, true);
    if (place == SLU_NONE)
        return; /* its parent is gone or is still to be fetched: as good as not held */
    if (!lane->pool[place].held)
        hold(c, h->lane, place);
}

/* ---- cuts ---- */

void slu_lane_commit(struct slu_core *c, uint16_t index, const struct slu_tip *tip)
{
    struct slu_lane *lane = &c->lanes[index];
    if (tip->position <= lane->committed.position)
        return;
    uint32_t size = pool_size(c->g);
    uint32_t place = take_cut_node(c, lane, tip);
    uint64_t before = lane->committed.position;
    uint32_t at = place;
    while (at != SLU_NONE && lane->pool[at].h.position > before) {
        if (lane->pool[at].held && lane->pool[at].known)
            lane->window_bytes -= window_cost(&lane->pool[at]);
        at = lane->pool[at].parent;
    }
    lane->committed = *tip;
    if (at == SLU_NONE) {
        /* Not linked to what I have (catching up): count afresh. */
        lane->window_bytes = 0;
        for (uint32_t i = 0; i < size; i++)
            if (counts_in_window(lane, &lane->pool[i]))
                lane->window_bytes += window_cost(&lane->pool[i]);
    } else {
        /* Forks that ended at or below the cut still count: they go when the cut is delivered. */
        for (uint32_t i = 0; lane->forked && i < size; i++)
            if (lane->pool[i].held && lane->pool[i].known && i != place &&
                lane->pool[i].h.position > before && lane->pool[i].h.position <= tip->position &&
                !slu_lane_descends(lane, place, i))
                lane->window_bytes -= window_cost(&lane->pool[i]);
    }
    if (lane->pool[lane->certified].h.position < tip->position)
        lane->certified = place;
    if (!slu_lane_descends(lane, lane->mine, place))
        lane->mine = place;
    slu_ack_forget(c, index, tip->position);
    spread_whole(lane, place);
    adopt(c, index);
    slu_lane_extend(c, index);
}

void slu_lane_delivered(struct slu_core *c, uint16_t index, const struct slu_tip *tip)
{
    struct slu_lane *lane = &c->lanes[index];
    if (tip->position <= lane->delivered.position)
        return;
    uint32_t old = slu_lane_find(lane, lane->delivered.digest);
    uint32_t root = take_cut_node(c, lane, tip);
    unlink_from_parent(lane, root);
    lane->delivered = *tip;
    if (lane->committed.position < tip->position)
        slu_lane_commit(c, index, tip);
    if (old != SLU_NONE && old != root)
        free_tree(lane, old);
    SLU_CHECK(lane->pool[lane->mine].h.position >= tip->position);
    SLU_CHECK(lane->pool[lane->certified].h.position >= tip->position);
}
