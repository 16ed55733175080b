/* A node that was away: what it has to fetch is larger than one answer (docs/PROTOCOL.md clauses
 * 2.7, 3.14). */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/scene.h"

/* The most batches of one lane in one final block above `height`. */
static uint64_t longest_part(const struct sim *sim, uint64_t height)
{
    uint64_t longest = 0;
    for (uint64_t h = height + 1; h <= sim->oracle.top; h++) {
        const struct slu_block *block = &sim->world.blocks[sim->oracle.heights[h].block];
        const struct slu_block *parent = world_block(&sim->world, block->parent);
        for (uint16_t l = 0; parent && l < sim->plan.n; l++) {
            uint64_t batches = block->cut[l].position - parent->cut[l].position;
            longest = batches > longest ? batches : longest;
        }
    }
    return longest;
}

/* One answer to a fetch of batches covers 64 positions: a block may hold more of one lane. */
static void test_block_with_more_batches_than_one_fetch(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct scene scene = {0};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.style = SIM_SLOWEST; /* long views */
        plan.params.batch_bytes_max = 1024;
        plan.params.lane_quota_bytes = 512 * 1024;
        plan.params.lane_window_bytes = 1024 * 1024;
        plan.params.lane_window_batches = 1024;
        plan.params.entries_per_block_max = 8192;
        plan.params.dedup_entries_max = 65536;
        plan.load_every_ms = 8;
        plan.load_txs_max = 30;
        plan.load_body_max = 400;
        plan.crashes[plan.crash_count++] =
            (struct sim_crash){.node = (uint16_t)seed, .at_ms = 400, .up_ms = 1500};
        struct sim *sim = scene_begin(&scene, &plan, NULL);
        sim_run_until(sim, 400);
        uint64_t left_at = sim->oracle.top;
        sim_run_until(sim, 1490);
        assert_true(longest_part(sim, left_at) > 64 + 16);
        scene_end_ok(&scene);
    }
}

/* ---- a stretch of the chain without an F ---- */

#define STRETCH 190u

/* Answers a node's question for the part below a gap before anybody else does, with a block that
 * never was. */
static void answer_falsely(struct sim *sim, uint16_t asker, const struct slu_fetch *fetch)
{
    struct slu_message *m = sim_alloc(sizeof *m);
    m->kind = SLU_MSG_BLOCKS;
    m->blocks.count = 1;
    m->blocks.items[0] = (struct slu_block){
        .view = fetch->to, .height = fetch->to, .n = sim->plan.n, .time_ms = sim->now_ms};
    uint16_t liar = (uint16_t)((asker + 1u) % sim->plan.n);
    struct sim_packet *packet = sim_packet_of(sim, liar, m);
    assert_true(packet->valid);
    sim_net_send_after(sim, packet, asker, 0);
    sim_packet_release(packet);
    free(m);
}

/* From view `view` on N forms and F does not, until STRETCH views later. */
static bool no_finals_for_long(void *context, struct sim *sim, const struct sim_packet *packet,
                               uint16_t to, uint64_t *delay_ms)
{
    struct scene *scene = context;
    const struct slu_message *m = packet->message;
    uint64_t view = view_of(m);
    (void)to;
    (void)delay_ms;
    if (m->kind == SLU_MSG_FETCH && m->fetch.what == SLU_FETCH_FINALS && m->fetch.to) {
        scene->seen++;
        answer_falsely(sim, packet->from, &m->fetch);
    }
    bool lost = is_final(m) && view >= scene->view && view < scene->view + STRETCH;
    scene->dropped += lost;
    return !lost;
}

static uint64_t longest_stretch(const struct sim_disk *disk, const struct slu_genesis *genesis)
{
    uint64_t longest = 0, run = 0;
    for (uint32_t i = 0; i < disk->counts[SLU_REC_FINAL]; i++) {
        const struct sim_record *record = &disk->records[SLU_REC_FINAL][i];
        struct slu_reader r = slu_reader_of(record->value, record->len);
        struct slu_block block;
        assert_int_equal(slu_block_read(&r, genesis, &block), 0);
        run = slu_read_u8(&r) ? 0 : run + 1;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/* A message of final blocks holds 64, and ends with one that has its own F: further apart, they are
 * shown from the F downwards, and only what the part above names is taken. */
static void test_finals_further_apart_than_one_message(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct scene scene = {.view = 10};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.params.delta_ms = 20;
        plan.params.heartbeat_ms = plan.params.heartbeat_idle_ms = 20;
        plan.params.standstill_ms = 60000;
        plan.params.skip_ms = 300; /* the one that is away costs no timers */
        plan.load_every_ms = 30;
        plan.calm_ms = 6000;
        plan.load_until_ms = 6500;
        plan.run_until_ms = 7000;
        plan.give_up_ms = 20000;
        plan.crashes[plan.crash_count++] =
            (struct sim_crash){.node = (uint16_t)seed, .at_ms = 50, .up_ms = 6000};
        struct sim *sim = scene_begin(&scene, &plan, no_finals_for_long);
        sim_run_until(sim, 5990);
        assert_true(scene.dropped > STRETCH);
        assert_true(longest_stretch(&sim->nodes[(seed + 1) % 4].disk, &sim->genesis) > 2 * 64);
        scene_end_ok(&scene);
        assert_in_range(scene.seen, 1, 10); /* the liar held nobody up */
    }
}

/* ---- a lag longer than what a lane has places for ---- */

#define LATE 0u /* the node that lags */

/* Of one lane the node that lags gets nothing: it goes on taking in the others', and delivers none. */
static bool no_bodies_of_lane_1(void *context, struct sim *sim, const struct sim_packet *packet,
                                uint16_t to, uint64_t *delay_ms)
{
    const struct scene *scene = context;
    (void)delay_ms;
    return to != LATE || sim->now_ms >= scene->fixed_ms || kind_of(packet) != SLU_MSG_BATCH ||
           packet->message->batch.header.lane != 1;
}

static void test_a_lag_longer_than_the_pool(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct scene scene = {.fixed_ms = 6000};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.params.lane_window_batches = seed % 2 ? 8 : 16;
        plan.fifo = true; /* like any link: what comes in disorder is asked for again */
        plan.load_every_ms = 10;
        plan.calm_ms = 6000;
        plan.load_until_ms = seed < 2 ? 6500 : 5500; /* with and without something new after it */
        plan.run_until_ms = 7000;
        plan.give_up_ms = 30000;
        struct sim *sim = scene_begin(&scene, &plan, no_bodies_of_lane_1);
        sim_run_until(sim, 5990);
        struct slu_lane_status lane;
        slu_core_lane_status(sim->nodes[LATE].core, 2, &lane);
        uint64_t delivered = sim->oracle.heights[stats_of(&scene, LATE)->delivered_height].time_ms;
        assert_true(delivered < sim->genesis.created_ms + 500);
        assert_true(lane.committed.position > 2 * (4 * plan.params.lane_window_batches + 64));
        assert_true(stats_of(&scene, LATE)->headers_dropped > 0);
        sim_node_crash(&sim->nodes[LATE], false); /* nor does a restart fill the places with the lag */
        sim_at(sim, 5995, &(struct sim_event){.kind = SIM_EV_RESTART, .node = LATE});
        sim_run_until(sim, 5999);
        assert_int_equal(stats_of(&scene, LATE)->headers_dropped, 0);
        scene_end_ok(&scene);
    }
}

/* ---- an owner that fills the places of its own batches with others ---- */

#define OWNER 1u

/* Two first batches that nobody else ever saw, to node 0 only. */
static void send_other_firsts(struct sim *sim)
{
    for (uint8_t i = 0; i < 2; i++) {
        uint8_t payload[64] = {0xee, i};
        struct slu_message *m = sim_alloc(sizeof *m);
        struct slu_batch_header *h = &m->batch.header;
        m->kind = SLU_MSG_BATCH;
        m->batch.payload = payload;
        *h = (struct slu_batch_header){
            .lane = OWNER, .position = 1, .txs = 1, .payload_bytes = sizeof payload};
        slu_payload_digest(h->payload_digest, &sim->genesis, payload, sizeof payload);
        slu_batch_header_digest(h, &sim->genesis);
        sim_sign(sim, OWNER, h->signature, h->digest);
        struct sim_packet *packet = sim_packet_of(sim, OWNER, m);
        assert_true(packet->valid);
        sim_net_send_after(sim, packet, 0, 1);
        sim_packet_release(packet);
        free(m);
    }
}

static void when_0_is_back(void *context, struct sim *sim)
{
    struct scene *scene = context;
    const struct sim_node *node = &sim->nodes[0];
    if (sim->now_ms < 1500 || !node->up || scene->held)
        return;
    assert_int_equal(slu_core_stats(node->core)->delivered_height, 0);
    scene->held = true;
    send_other_firsts(sim);
}

/* Of a final block a node knows the tip of each lane, and going down from there tells what is to be
 * taken, whatever else its owner made. */
static void test_history_beside_other_batches(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct scene scene = {0};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.roles[OWNER] = SIM_DEVIANT; /* of no behaviour but this one */
        plan.load_every_ms = 15;
        plan.crashes[plan.crash_count++] =
            (struct sim_crash){.node = 0, .at_ms = 35, .up_ms = 1500};
        struct sim *sim = scene_begin(&scene, &plan, NULL);
        sim->hooks.tick = when_0_is_back;
        sim_run_until(sim, 1600);
        assert_true(scene.held);
        scene_end_ok(&scene);
    }
}

/* Drawn seed 470 of ten nodes: key generation has an item at every height, some nodes lack those of
 * many. One height a round trip, they never caught up, and the key never came. */
static void test_an_item_at_every_height(void **state)
{
    (void)state;
    struct sim_plan plan;
    sim_plan_draw(&plan, 470, 10);
    struct sim *sim = sim_new(&plan, NULL);
    const struct sim_result *result = sim_run(sim);
    assert_true(result->ok);
    assert_true(result->ms < 60000);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_with_more_batches_than_one_fetch),
        cmocka_unit_test(test_finals_further_apart_than_one_message),
        cmocka_unit_test(test_a_lag_longer_than_the_pool),
        cmocka_unit_test(test_history_beside_other_batches),
        cmocka_unit_test(test_an_item_at_every_height),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
