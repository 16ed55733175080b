/* Lanes: the header tree of each owner, what I hold of it, and the chain that I ack. */
#include <string.h>

#include "consensus/state.h"

size_t slu_lane_bytes(const struct slu_genesis *g)
{
    return slu_pool_bytes(g) + SLU_ORPHANS_MAX * sizeof(struct slu_batch_header) + 32;
}

/* What is known to be ordered, by place and digest only: certified. SLU_NONE: there is no place. */
static uint32_t take_ordered(struct slu_core *c, uint16_t index, const struct slu_tip *tip,
                             uint32_t keep)
{
    struct slu_lane *lane = &c->lanes[index];
    uint32_t place = slu_lane_find(lane, tip->digest);
    if (place == SLU_NONE) {
        place = slu_pool_take(c, index, tip->digest, keep, true);
        if (place == SLU_NONE)
            return SLU_NONE;
        lane->pool[place].h.position = tip->position;
    }
    lane->pool[place].certified = true;
    return place;
}

static uint32_t take_cut_node(struct slu_core *c, uint16_t index, const struct slu_tip *tip)
{
    uint32_t place = take_ordered(c, index, tip, SLU_NONE);
    SLU_CHECK(place != SLU_NONE); /* see pool_size */
    return place;
}

void slu_lane_init(struct slu_core *c, uint16_t index, struct slu_arena *arena)
{
    struct slu_lane *lane = &c->lanes[index];
    slu_pool_init(c->g, lane, arena);
    lane->orphans = slu_arena_take(arena, SLU_ORPHANS_MAX * sizeof *lane->orphans);
    SLU_CHECK(lane->orphans);
    struct slu_tip zero = slu_tip_zero();
    lane->mine = lane->certified = take_cut_node(c, index, &zero);
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
                             uint32_t parent, bool vouched)
{
    struct slu_lane *lane = &c->lanes[index];
    uint32_t place = slu_lane_find(lane, h->digest);
    if (place == SLU_NONE) {
        place = slu_pool_take(c, index, h->digest, parent, vouched);
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
    slu_pool_link(lane, place, parent);
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

/* What speaks for a header that is new. */
enum claim {
    UNASKED,
    WAITED, /* somebody acked it, or it was asked for: it is taken even beside forks */
    VOUCHED /* more than f nodes acked it: it is taken even when all places are taken */
};

static enum claim claim_of(const struct slu_core *c, uint16_t index, const uint8_t digest32[32])
{
    uint32_t ackers = 0;
    for (uint16_t j = 0; j < c->n; j++) {
        const struct slu_ack_state *w = &c->waiting[j * c->n + index];
        ackers += w->slot != SLU_NONE && slu_digest_is(w->tip.digest, digest32);
    }
    if (ackers > c->f)
        return VOUCHED;
    return ackers > 0 || slu_fetch_is_wanted(c, SLU_FETCH_HEADERS, digest32) ||
                   slu_digest_is(c->lanes[index].bodies.to.digest, digest32)
               ? WAITED
               : UNASKED;
}

/* The place of a header whose parent is known, inserted when new; SLU_NONE when it is refused. */
static uint32_t place_header(struct slu_core *c, const struct slu_batch_header *h, enum claim claim)
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
        (children(lane, parent) >= 2 && claim == UNASKED && place == SLU_NONE)) {
        c->stats.batches_refused++;
        return SLU_NONE;
    }
    return insert_known(c, h->lane, h, parent, claim == VOUCHED);
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
    lane->window_bytes += slu_pool_window_cost(lane, node);
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
        if (orphan->position == 0 || !slu_digest_is(orphan->parent, lane->pool[place].h.digest))
            continue;
        struct slu_batch_header h = *orphan;
        orphan->position = 0;
        uint32_t child = place_header(c, &h, UNASKED);
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
        batch->header.position > lane->committed.position + c->g->params.lane_window_batches ||
        !fits_window(c, lane, &batch->header, false))
        return;
    for (uint32_t i = 0; i < SLU_ORPHANS_MAX; i++)
        if (slu_digest_is(lane->orphans[i].digest, batch->header.digest))
            return; /* here already, or placed before */
    lane->orphans[lane->orphan_count++ % SLU_ORPHANS_MAX] = batch->header;
    persist_batch(c, batch);
}

bool slu_lane_lacks(struct slu_core *c, uint16_t index, const struct slu_tip *tip,
                    struct slu_tip *lacking)
{
    const struct slu_lane *lane = &c->lanes[index];
    uint32_t at = take_ordered(c, index, tip, SLU_NONE);
    while (at != SLU_NONE && lane->pool[at].known && lane->pool[at].held)
        at = lane->pool[at].parent;
    if (at == SLU_NONE || lane->pool[at].h.position <= lane->delivered.position)
        return false;
    lacking->position = lane->pool[at].h.position;
    memcpy(lacking->digest, lane->pool[at].h.digest, 32);
    return true;
}

/* The parent of what is ordered is ordered, too. */
static uint32_t expect_parent(struct slu_core *c, const struct slu_batch_header *h, uint32_t place)
{
    const struct slu_lane *lane = &c->lanes[h->lane];
    if (place == SLU_NONE || !lane->pool[place].certified ||
        h->position > lane->committed.position || h->position <= lane->delivered.position + 1)
        return SLU_NONE;
    struct slu_tip tip = {.position = h->position - 1};
    memcpy(tip.digest, h->parent, 32);
    return take_ordered(c, h->lane, &tip, place);
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
    if (parent == SLU_NONE)
        parent = expect_parent(c, h, place);
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
    place = place_header(c, h, own ? VOUCHED : claim_of(c, h->lane, h->digest));
    if (place == SLU_NONE) {
        lane->from_tip |= h->position <= lane->committed.position;
        return;
    }
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
    enum claim claim = claim_of(c, index, headers->items[headers->count - 1].digest);
    for (uint16_t i = 0; i < headers->count; i++) {
        const struct slu_batch_header *h = &headers->items[i];
        uint32_t place = slu_lane_find(lane, h->digest);
        if (place != SLU_NONE && lane->pool[place].known)
            continue;
        if (h->position <= lane->committed.position)
            continue;
        place = place_header(c, h, claim);
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
    if (h->position <= lane->delivered.position ||
        (h->position <= lane->committed.position && h->position > slu_pool_history_top(c, lane)))
        return;
    uint32_t place = place_header(c, h, WAITED);
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
    uint32_t place = take_cut_node(c, index, tip), at = place;
    while (at != SLU_NONE && lane->pool[at].h.position > lane->committed.position) {
        lane->window_bytes -= slu_pool_window_cost(lane, &lane->pool[at]);
        at = lane->pool[at].parent;
    }
    /* Forks that ended at or below the cut still count: they go when the cut is delivered. */
    if (at != SLU_NONE && lane->forked)
        lane->window_bytes -= slu_pool_left_behind(c->g, lane, place);
    lane->committed = *tip;
    if (at == SLU_NONE) /* not linked to what I have (catching up) */
        lane->window_bytes = slu_pool_recount(c->g, lane);
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
    uint32_t root = take_cut_node(c, index, tip);
    slu_pool_unlink(lane, root);
    lane->delivered = *tip;
    lane->from_tip = false;
    if (lane->committed.position < tip->position)
        slu_lane_commit(c, index, tip);
    if (old != SLU_NONE && old != root)
        slu_pool_free_tree(lane, old);
    SLU_CHECK(lane->pool[lane->mine].h.position >= tip->position);
    SLU_CHECK(lane->pool[lane->certified].h.position >= tip->position);
}
