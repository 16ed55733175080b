/* The fences in front of votes and acks that other rules usually keep anybody from reaching: called
 * directly, on a core in the middle of a run. A core that loses one of them still behaves, until it
 * does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/state.h"
#include "tests/sim/sim.h"

static const uint8_t some_block[32] = {7, 7, 7};

struct stage {
    struct sim *sim;
    struct slu_core *core;
    struct slu_view_slot *slot; /* of the current view, in which nothing is signed yet */
};

static struct stage set_of(uint16_t n)
{
    struct sim_plan plan;
    sim_plan_quiet(&plan, 1, n);
    struct stage stage = {.sim = sim_new(&plan, NULL)};
    sim_run_until(stage.sim, 300);
    assert_true(stage.sim->result.ok);
    stage.core = stage.sim->nodes[0].core;
    stage.slot = slu_view_slot(stage.core, stage.core->final_view + 40);
    assert_non_null(stage.slot);
    stage.core->fx = stage.sim->effects;
    slu_effects_reset(stage.sim->effects);
    return stage;
}

static struct stage set(void)
{
    return set_of(4);
}

/* Votes that the core wrote since set(). */
static uint32_t written(const struct stage *stage)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stage->sim->effects->count; i++)
        count += stage->sim->effects->items[i].kind == SLU_EFFECT_PERSIST &&
                 stage->sim->effects->items[i].persist.key.kind == SLU_REC_VOTE;
    return count;
}

static void strike(struct stage *stage)
{
    sim_free(stage->sim);
}

static void hold_n(struct stage *stage)
{
    for (uint16_t j = 1; j < 4; j++) {
        struct slu_vote_slot *vote = &stage->slot->votes[SLU_NOTARIZE][j];
        vote->present = true;
        memcpy(vote->block, some_block, 32);
    }
    stage->slot->certified[SLU_NOTARIZE] = true;
    memcpy(stage->slot->notarized, some_block, 32);
}

static void test_nullify(void **state)
{
    (void)state;
    struct stage stage = set();
    slu_vote_nullify(stage.core, stage.slot->view);
    assert_int_equal(written(&stage), 1);
    slu_vote_nullify(stage.core, stage.slot->view); /* once */
    assert_int_equal(written(&stage), 1);
    strike(&stage);
    stage = set();
    stage.slot->own[SLU_FINALIZE] = true;
    slu_vote_nullify(stage.core, stage.slot->view);
    assert_int_equal(written(&stage), 0);
    strike(&stage);
}

static void test_finalize(void **state)
{
    (void)state;
    struct stage stage = set();
    slu_vote_finalize(stage.core, stage.slot); /* without N */
    assert_int_equal(written(&stage), 0);
    hold_n(&stage);
    stage.slot->own[SLU_NULLIFY] = true;
    slu_vote_finalize(stage.core, stage.slot);
    assert_int_equal(written(&stage), 0);
    stage.slot->own[SLU_NULLIFY] = false;
    slu_vote_finalize(stage.core, stage.slot);
    assert_int_equal(written(&stage), 1);
    slu_vote_finalize(stage.core, stage.slot); /* once */
    assert_int_equal(written(&stage), 1);
    strike(&stage);
}

static void test_allowed(void **state)
{
    (void)state;
    struct stage stage = set();
    struct slu_core *c = stage.core;
    uint64_t view = stage.slot->view;
    assert_true(slu_vote_allowed(c, view));
    assert_false(slu_vote_allowed(c, c->final_view));
    c->vote_floor = view;
    assert_false(slu_vote_allowed(c, view));
    assert_true(slu_vote_allowed(c, view + 1));
    slu_vote_nullify(c, view);
    hold_n(&stage);
    slu_vote_finalize(c, stage.slot);
    assert_int_equal(written(&stage), 0);
    c->vote_floor = 0;
    c->rejoining = true;
    assert_false(slu_vote_allowed(c, view));
    c->rejoining = false;
    c->started = false;
    assert_false(slu_vote_allowed(c, view));
    strike(&stage);
}

/* The floor of a node that lost its disk counts on its peers to show the view that they voted in:
 * one that is not back there after a restart does not answer yet (clause 8.2). */
static void test_freeze_waits_for_the_voted_view(void **state)
{
    (void)state;
    struct stage stage = set();
    struct slu_core *c = stage.core;
    struct slu_rejoin rejoin = {.node = 2, .nonce = {1}};
    c->voted_view = c->view + 1;
    slu_rejoin_on_request(c, &rejoin, 2);
    assert_int_equal(stage.sim->effects->count, 0);
    c->voted_view = c->view;
    slu_rejoin_on_request(c, &rejoin, 2);
    assert_true(stage.sim->effects->count > 0);
    /* Votes raise it, and a restart finds it again. */
    slu_vote_nullify(c, stage.slot->view);
    assert_int_equal(c->voted_view, stage.slot->view);
    c->voted_view = 0;
    struct slu_vote vote = {.kind = SLU_NULLIFY, .view = stage.slot->view};
    slu_vote_restore(c, &vote);
    assert_int_equal(c->voted_view, stage.slot->view);
    strike(&stage);
}

static void freeze_as(struct slu_core *c, uint16_t node, uint32_t incarnation)
{
    struct slu_freeze freeze = {.node = node, .lane = c->self, .incarnation = incarnation};
    memcpy(freeze.nonce, c->rejoin_nonce, 32);
    slu_rejoin_on_freeze(c, &freeze);
}

/* An incarnation that one peer alone named is not used before q stand by it. */
static void test_q_peers_stand_by_an_incarnation(void **state)
{
    (void)state;
    struct stage stage = set();
    struct slu_core *c = stage.core;
    c->rejoining = true;
    freeze_as(c, 3, SLU_INCARNATION_MAX + 1); /* nobody believes that */
    freeze_as(c, 1, 1);
    freeze_as(c, 2, 1);
    freeze_as(c, 3, 9);
    assert_true(c->rejoining);
    assert_int_equal(c->rejoin_as, 9);
    freeze_as(c, 1, 9);
    freeze_as(c, 1, 9);
    freeze_as(c, 3, 10); /* it is fixed by now */
    assert_true(c->rejoining);
    freeze_as(c, 2, 9);
    assert_false(c->rejoining);
    assert_int_equal(c->incarnation, 9);
    strike(&stage);
    stage = set(); /* what a peer does about it */
    struct slu_rejoin rejoin = {.node = 2, .nonce = {1}};
    slu_rejoin_on_request(stage.core, &rejoin, 2);
    assert_int_equal(stage.core->lanes[2].frozen_below, 1);
    slu_rejoin_on_request(stage.core, &rejoin, 2); /* the same again */
    assert_int_equal(stage.core->lanes[2].frozen_below, 1);
    rejoin.incarnation = 9;
    slu_rejoin_on_request(stage.core, &rejoin, 2);
    assert_int_equal(stage.core->lanes[2].frozen_below, 9);
    assert_true(stage.sim->effects->promises);
    strike(&stage);
}

/* Restoring a vote sets the flag and the tally. */
static void test_restore(void **state)
{
    (void)state;
    for (int kind = 0; kind < SLU_VOTE_KINDS; kind++) {
        struct stage stage = set();
        struct slu_vote vote = {.kind = (uint8_t)kind, .view = stage.slot->view, .node = 0};
        if (kind != SLU_NULLIFY)
            memcpy(vote.block, some_block, 32);
        memset(vote.signature, 9, 64);
        slu_vote_restore(stage.core, &vote);
        assert_true(stage.slot->own[kind]);
        assert_true(stage.slot->votes[kind][0].present);
        assert_memory_equal(stage.slot->votes[kind][0].signature, vote.signature, 64);
        strike(&stage);
    }
}

/* Proposals that are invalid for good: over another block than the final one, below it, or over one
 * that lost against the notarized one. */
static void propose(struct stage *stage, uint64_t parent_view, const uint8_t parent32[32])
{
    struct slu_core *c = stage->core;
    struct slu_proposal *p = &stage->slot->proposal;
    c->view = stage->slot->view;
    c->view_deadline_ms = UINT64_MAX;
    memset(p, 0, sizeof *p);
    p->view = c->view;
    p->node = slu_view_leader(c, c->view);
    p->parent_view = parent_view;
    memcpy(p->parent, parent32, 32);
    memcpy(p->block, some_block, 32);
    p->count = c->q;
    stage->slot->has_proposal = true;
    slu_view_progress(c);
    slu_view_run(c);
}

static bool asks_for_views(const struct stage *stage)
{
    const struct slu_effects *fx = stage->sim->effects;
    for (uint32_t i = 0; i < fx->count; i++)
        if (fx->items[i].kind == SLU_EFFECT_SEND &&
            fx->items[i].send.message_kind == SLU_MSG_FETCH &&
            fx->items[i].send.body[0] == SLU_FETCH_VIEWS)
            return true;
    return false;
}

static void test_ancestry(void **state)
{
    (void)state;
    static const uint8_t other[32] = {8};
    struct stage stage = set();
    propose(&stage, stage.core->final_view, other);
    assert_true(stage.slot->refused);
    strike(&stage);
    stage = set();
    propose(&stage, stage.core->final_view - 1, other);
    assert_true(stage.slot->refused);
    strike(&stage);
    stage = set();
    struct slu_view_slot *between = slu_view_slot(stage.core, stage.slot->view - 1);
    between->certified[SLU_NOTARIZE] = true;
    memcpy(between->notarized, some_block, 32);
    propose(&stage, between->view, other);
    assert_true(stage.slot->refused);
    strike(&stage);
    /* Over the final block, but the views between are not nullified: wait, and ask. */
    stage = set();
    for (uint64_t u = stage.core->final_view + 1; u < stage.slot->view; u++)
        assert_non_null(slu_view_slot(stage.core, u));
    propose(&stage, stage.core->final_view, stage.core->head.digest);
    assert_false(stage.slot->refused);
    assert_true(asks_for_views(&stage));
    assert_int_equal(written(&stage), 0);
    strike(&stage);
    /* Over a block whose N is not here. */
    stage = set();
    assert_non_null(slu_view_slot(stage.core, stage.slot->view - 1));
    propose(&stage, stage.slot->view - 1, other);
    assert_false(stage.slot->refused);
    assert_true(asks_for_views(&stage));
    strike(&stage);
}

/* ---- acks ---- */

/* A batch of lane 3 over `parent`, told to the core; its place in the lane, SLU_NONE: refused. */
static uint32_t try_batch(struct stage *stage, uint32_t parent, uint8_t fill)
{
    struct slu_lane *lane = &stage->core->lanes[3];
    uint8_t payload[40];
    memset(payload, fill, sizeof payload);
    struct slu_batch batch = {.payload = payload};
    struct slu_batch_header *h = &batch.header;
    h->lane = 3;
    h->position = lane->pool[parent].h.position + 1;
    memcpy(h->parent, lane->pool[parent].h.digest, 32);
    slu_payload_digest(h->payload_digest, stage->core->g, payload, sizeof payload);
    h->payload_bytes = sizeof payload;
    h->txs = 1;
    slu_batch_header_digest(h, stage->core->g);
    slu_lane_on_batch(stage->core, &batch, false);
    return slu_lane_find(lane, h->digest);
}

/* The same, which must be taken. */
static uint32_t add_batch(struct stage *stage, uint32_t parent, uint8_t fill)
{
    uint32_t place = try_batch(stage, parent, fill);
    assert_true(place != SLU_NONE);
    return place;
}

static void ack_header(struct stage *stage, uint16_t node, const struct slu_batch_header *h)
{
    struct slu_ack_vector vector = {.node = node, .count = 1};
    vector.acks[0].lane = 3;
    vector.acks[0].tip.position = h->position;
    memcpy(vector.acks[0].tip.digest, h->digest, 32);
    slu_ack_on_vector(stage->core, &vector);
}

static void ack(struct stage *stage, uint16_t node, uint32_t place)
{
    ack_header(stage, node, &stage->core->lanes[3].pool[place].h);
}

/* An ack on another fork takes back what it supported before, unless that is certified. */
static void test_acks_of_one_node_support_one_fork(void **state)
{
    (void)state;
    struct stage stage = set();
    struct slu_lane *lane = &stage.core->lanes[3];
    uint32_t base = lane->mine;
    uint32_t left = add_batch(&stage, base, 1), right = add_batch(&stage, base, 2);
    uint32_t right_child = add_batch(&stage, right, 3);
    ack(&stage, 1, left);
    assert_int_equal(lane->pool[left].support & 2, 2);
    ack(&stage, 1, right_child); /* higher, on the other fork */
    assert_int_equal(lane->pool[left].support & 2, 0);
    assert_int_equal(lane->pool[right].support & 2, 2);
    assert_int_equal(lane->pool[right_child].support & 2, 2);
    ack(&stage, 2, left); /* two of three needed are on the right, one on the left */
    ack(&stage, 2, right_child);
    assert_false(lane->pool[left].certified);
    ack(&stage, 3, right_child);
    assert_true(lane->pool[right].certified);
    assert_false(lane->pool[left].certified);
    strike(&stage);
}

static struct slu_batch_header header_of(const struct stage *stage,
                                         const struct slu_batch_header *parent, uint32_t fill)
{
    struct slu_batch_header h = {
        .lane = 3, .position = parent->position + 1, .payload_bytes = 1, .txs = 1};
    memcpy(h.parent, parent->digest, 32);
    memcpy(h.payload_digest, &fill, sizeof fill);
    slu_batch_header_digest(&h, stage->core->g);
    return h;
}

/* A header of lane 3 over the one with `parent`'s digest, told to the core. */
static struct slu_batch_header add_header(struct stage *stage,
                                          const struct slu_batch_header *parent, uint32_t fill)
{
    struct slu_headers *headers = calloc(1, sizeof *headers);
    headers->count = 1;
    headers->items[0] = header_of(stage, parent, fill);
    struct slu_batch_header added = headers->items[0];
    slu_lane_on_headers(stage->core, headers);
    free(headers);
    return added;
}

/* The same, after the nodes of a set acked it. */
static struct slu_batch_header add_next(struct stage *stage, const struct slu_batch_header *parent,
                                        uint32_t fill, uint64_t ackers)
{
    struct slu_batch_header h = header_of(stage, parent, fill);
    for (uint16_t j = 0; j < stage->core->n; j++)
        if (ackers >> j & 1)
            ack_header(stage, j, &h);
    return add_header(stage, parent, fill);
}

/* An owner fills a lane's pool with a tree of headers. What makes room for the next
 * one must not take the place of its parent away, or the tree would close to a ring. */
static void test_full_pool_keeps_the_parent(void **state)
{
    (void)state;
    enum { TREE = 1500 };
    struct stage stage = set();
    struct slu_lane *lane = &stage.core->lanes[3];
    struct slu_batch_header *tree = calloc(TREE, sizeof *tree);
    uint32_t count = 1;
    tree[0] = lane->pool[lane->mine].h;
    for (; count < TREE && lane->free_list != SLU_NONE; count++) {
        tree[count] = add_header(&stage, &tree[(count - 1) / 2], count);
        slu_effects_reset(stage.sim->effects);
    }
    assert_true(lane->free_list == SLU_NONE);
    const struct slu_batch_header *leaf = &tree[count - 1];
    struct slu_batch_header next = add_header(&stage, leaf, TREE);
    uint32_t place = slu_lane_find(lane, next.digest), parent = slu_lane_find(lane, leaf->digest);
    assert_true(place != SLU_NONE && parent != SLU_NONE);
    assert_int_equal(lane->pool[place].parent, parent);
    assert_true(slu_lane_descends(lane, place, lane->mine));
    free(tree);
    strike(&stage);
}

/* A node that is behind is sent a tree of batches that nobody ordered, and new cuts all the while:
 * there is always a place for a cut's tip. */
static void test_cuts_find_a_place_beside_junk(void **state)
{
    (void)state;
    enum { TREE = 1500 };
    struct stage stage = set();
    struct slu_lane *lane = &stage.core->lanes[3];
    uint32_t *tree = calloc(TREE, sizeof *tree), count = 1;
    struct slu_tip cut = {.position = lane->pool[lane->mine].h.position + 60};
    tree[0] = lane->mine;
    for (uint32_t i = 0; i < 1000; i++) { /* each cut is known by its tip only */
        cut.position += i > 0;
        memset(cut.digest, 0xcc, 32);
        memcpy(cut.digest, &i, sizeof i);
        slu_lane_commit(stage.core, 3, &cut);
        uint32_t parent = tree[(count - 1) / 2];
        uint32_t place = count < TREE ? try_batch(&stage, parent, (uint8_t)(count % 2)) : SLU_NONE;
        if (place != SLU_NONE)
            tree[count++] = place;
        slu_effects_reset(stage.sim->effects);
    }
    assert_true(count > 3 * 64);
    free(tree);
    strike(&stage);
}

/* Forks of a whole window each, of at most f ackers each, take all places. What more than f nodes acked
 * is placed beside them, and so is a cut. */
static void test_places_beside_forks_of_few_ackers(void **state)
{
    (void)state;
    struct stage stage = set_of(16);
    struct slu_core *c = stage.core;
    struct slu_lane *lane = &c->lanes[3];
    uint32_t base = lane->certified;
    uint64_t top = lane->committed.position + c->g->params.lane_window_batches;
    for (uint16_t j = 8; j < 16; j++) {
        struct slu_batch_header h = lane->pool[base].h;
        for (uint32_t i = 0; h.position < top && lane->free_list != SLU_NONE; i++)
            h = add_next(&stage, &h, (uint32_t)j << 16 | i, UINT64_C(1) << j);
        slu_effects_reset(stage.sim->effects);
    }
    assert_true(lane->free_list == SLU_NONE);
    assert_int_equal(c->stats.headers_dropped, 0);
    struct slu_batch_header next = add_next(&stage, &lane->pool[base].h, 1, 0x1f);
    assert_true(slu_lane_find(lane, next.digest) == SLU_NONE);
    assert_int_equal(c->stats.headers_dropped, 0);
    next = add_next(&stage, &lane->pool[base].h, 2, 0x3f);
    assert_true(slu_lane_find(lane, next.digest) != SLU_NONE);
    assert_true(c->stats.headers_dropped > 0);
    for (uint16_t j = 8; j < 16; j++) { /* the ack of what went counts for what is left below it */
        const struct slu_ack_state *applied = &c->applied[j * c->n + 3];
        uint32_t place = slu_lane_find(lane, applied->tip.digest);
        assert_true(place != SLU_NONE && lane->pool[place].h.position == applied->tip.position);
    }
    struct slu_tip cut = {.position = next.position + 1, .digest = {0xcc}};
    slu_lane_commit(c, 3, &cut);
    assert_true(slu_lane_find(lane, cut.digest) == lane->mine);
    strike(&stage);
}

static void commit(struct stage *stage, const struct slu_batch_header *h)
{
    struct slu_tip cut = {.position = h->position};
    memcpy(cut.digest, h->digest, 32);
    slu_lane_commit(stage->core, 3, &cut);
    slu_effects_reset(stage->sim->effects);
}

/* Delivery lags behind the cut by more than a window. What lies between goes when places are short,
 * with the fork of an acker who left the lane's chain there. */
static void test_a_lag_makes_place(void **state)
{
    (void)state;
    struct stage stage = set();
    struct slu_lane *lane = &stage.core->lanes[3];
    struct slu_batch_header h = lane->pool[lane->certified].h, fork = h, other;
    for (uint32_t i = 0; lane->used < 300; i++) {
        fork = h;
        h = add_next(&stage, &h, i, 0);
        if (lane->used < 300)
            commit(&stage, &h);
    }
    for (uint32_t i = 0; i < 5; i++)
        fork = add_next(&stage, &fork, 1000 + i, 2);
    commit(&stage, &h);
    other = h;
    for (uint32_t i = 0; lane->free_list != SLU_NONE; i++)
        other = add_next(&stage, &other, 2000 + i, 4);
    assert_int_equal(stage.core->stats.headers_dropped, 0);
    struct slu_batch_header next = add_next(&stage, &h, 3000, 0);
    assert_true(slu_lane_find(lane, next.digest) != SLU_NONE);
    assert_true(slu_lane_find(lane, other.digest) != SLU_NONE);
    assert_true(slu_lane_find(lane, fork.digest) == SLU_NONE);
    assert_true(lane->used < 4 * 64);
    strike(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nullify),
        cmocka_unit_test(test_finalize),
        cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_ancestry),
        cmocka_unit_test(test_acks_of_one_node_support_one_fork),
        cmocka_unit_test(test_full_pool_keeps_the_parent),
        cmocka_unit_test(test_cuts_find_a_place_beside_junk),
        cmocka_unit_test(test_places_beside_forks_of_few_ackers),
        cmocka_unit_test(test_a_lag_makes_place),
        cmocka_unit_test(test_freeze_waits_for_the_voted_view),
        cmocka_unit_test(test_q_peers_stand_by_an_incarnation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
