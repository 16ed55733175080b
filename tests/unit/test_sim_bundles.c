/* Bundles in directed runs: out of an owner's lane that has no rules, out of the queue, and sealed
 * (docs/PROTOCOL.md clause 5.4). That one is delivered whole at one place or not at all, and what a
 * sealed one opens to, is held against the simulator's own reading of their bytes at every step. */
#include "tests/sim/bundle.h"
#include "tests/unit/sealed_scene.h"

/* The body of a bundle with a leg for each rollup, in `w`. */
static void write_bundle(struct slu_writer *w, uint64_t until_ms, uint64_t envelope_rollup,
                         const uint64_t *rollups, uint8_t count, uint8_t said, uint32_t payload,
                         uint32_t left_over)
{
    static uint8_t tag;
    uint8_t body[512];
    struct slu_writer b = slu_writer_of(body, sizeof body);
    slu_write_u8(&b, said);
    for (uint8_t i = 0; i < count; i++) {
        slu_write_u64(&b, rollups[i]);
        slu_write_u32(&b, payload);
        for (uint32_t k = 0; k < payload; k++)
            slu_write_u8(&b, tag);
    }
    for (uint32_t i = 0; i < left_over; i++)
        slu_write_u8(&b, 0);
    tag++;
    assert_false(b.failed);
    slu_tx_write(w, envelope_rollup, until_ms, SLU_TX_BUNDLE, body, (uint32_t)slu_writer_len(&b));
}

/* Good ones and bad ones in turn in one batch of node 3's. */
static void test_a_lane_without_rules(void **state)
{
    (void)state;
    static const uint64_t good[] = {1, 2, 7, 1}, unknown[] = {1, 2, 99}, none[] = {1, 0},
                          strict[] = {7, SIM_STRICT_ROLLUP, 1},
                          many[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const struct {
        const uint64_t *rollups;
        uint8_t count, said;
        uint32_t payload, left_over;
        uint64_t envelope_rollup;
        uint8_t drop;
    } cases[] = {
        {good, 4, 4, 9, 0, 0, SLU_DROP_NONE},   {good, 1, 1, 9, 0, 0, SLU_DROP_BUNDLE},
        {good, 2, 2, 9, 0, 0, SLU_DROP_NONE},   {many, 17, 17, 3, 0, 0, SLU_DROP_BUNDLE},
        {many, 16, 16, 3, 0, 0, SLU_DROP_NONE}, {good, 2, 3, 9, 0, 0, SLU_DROP_BUNDLE},
        {good, 3, 2, 9, 0, 0, SLU_DROP_BUNDLE}, {good, 2, 2, 0, 0, 0, SLU_DROP_BUNDLE},
        {good, 2, 2, 1, 1, 0, SLU_DROP_BUNDLE}, {good, 2, 2, 1, 0, 0, SLU_DROP_NONE},
        {good, 2, 2, 9, 0, 1, SLU_DROP_ROLLUP}, {unknown, 3, 3, 9, 0, 0, SLU_DROP_ROLLUP},
        {none, 2, 2, 9, 0, 0, SLU_DROP_ROLLUP}, {strict, 3, 3, 9, 0, 0, SLU_DROP_SEALED_ONLY},
        {good, 0, 0, 9, 0, 0, SLU_DROP_BUNDLE}, {good, 3, 3, 5, 0, 0, SLU_DROP_NONE},
    };
    const uint32_t txs = sizeof cases / sizeof *cases;
    struct scene scene = {0};
    struct sim_plan plan;
    uint64_t want[SLU_DROP_COUNT] = {0};
    scene_plan(&plan, 21, 4);
    plan.bundle_permille = 1; /* the chain has the strict rollup */
    plan.load_every_ms = 0;
    plan.forced_permille = 0;
    plan.params.batch_bytes_max = 4096;
    plan.roles[3] = SIM_SILENT;
    struct sim *sim = scene_begin(&scene, &plan, NULL);
    sim_run_until(sim, 500);
    static uint8_t payload[4096];
    struct slu_writer w = slu_writer_of(payload, sizeof payload);
    for (uint32_t i = 0; i < txs; i++) {
        write_bundle(&w, stream_ms(&scene) + 3900, cases[i].envelope_rollup, cases[i].rollups,
                     cases[i].count, cases[i].said, cases[i].payload, cases[i].left_over);
        want[cases[i].drop]++;
    }
    assert_false(w.failed);
    struct slu_message *m = &sim->scratch;
    struct slu_batch_header *h = &m->batch.header;
    m->kind = SLU_MSG_BATCH;
    m->batch.payload = payload;
    *h = (struct slu_batch_header){.lane = 3, .position = 1, .txs = txs};
    h->payload_bytes = (uint32_t)slu_writer_len(&w);
    h->made_at_ms = sim->now_ms;
    slu_payload_digest(h->payload_digest, &sim->genesis, payload, h->payload_bytes);
    slu_batch_header_digest(h, &sim->genesis);
    sim_sign(sim, 3, h->signature, h->digest);
    byz_say(sim, 3, m, byz_honest(sim));
    sim_run_until(sim, sim->now_ms + 1000);
    const struct slu_core_stats *stats = stats_of(&scene, 0);
    assert_int_equal(stats->txs_delivered, want[SLU_DROP_NONE]);
    for (int drop = SLU_DROP_NONE + 1; drop < SLU_DROP_COUNT; drop++)
        assert_int_equal(stats->txs_dropped[drop], want[drop]);
    assert_int_equal(count(&scene, SIM_N_BUNDLES), want[SLU_DROP_NONE]);
    assert_int_equal(count(&scene, SIM_N_BUNDLES_BAD), txs - want[SLU_DROP_NONE]);
    scene_end_ok(&scene);
}

/* Every client's, also twice and through the queue, with a liar that floods it with bad ones. */
static void test_clients_and_a_flood(void **state)
{
    (void)state;
    uint64_t forced = 0, bad = 0, delivered = 0;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct scene scene = {0};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.bundle_permille = 600;
        plan.odd_permille = 150;
        plan.forced_permille = 400;
        plan.load_every_ms = 30;
        plan.roles[seed % 4] = SIM_PUPPET;
        for (uint32_t i = 0; i < 16; i++)
            plan.byz_permille[i] = 500;
        struct sim *sim = scene_begin(&scene, &plan, NULL);
        sim_run_until(sim, 2900);
        delivered += count(&scene, SIM_N_BUNDLES);
        forced += count(&scene, SIM_N_BUNDLES_FORCED);
        bad += count(&scene, SIM_N_BUNDLES_BAD);
        scene_end_ok(&scene);
    }
    assert_true(delivered > 100);
    assert_true(forced > 50);
    assert_true(bad > 2);
}

/* What is sealed for rollup 0 opens when it is a bundle whose rollups there are, one that takes
 * sealed ones only among them; else it is void. */
static void test_sealed(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {1, 4};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene = {.payload_len = 200};
        struct sim_plan plan;
        uint32_t strict = 0;
        plan_of(&plan, 2, sizes[i]);
        plan.bundle_permille = 1;
        begin(&scene, &plan);
        for (uint32_t k = 0; k < 90; k++) {
            const struct sealed_item *item =
                give(&scene, (uint16_t)(k % plan.n), SEALED_BUNDLE,
                     k % 3 == 0 ? SLU_UNLOCK_TIME : SLU_UNLOCK_NONE,
                     k % 3 == 0 ? stream_ms(&scene) + 200 : 0, k % 5 == 0);
            uint8_t plain =
                sim_bundle_judge(&scene.sim->genesis, item->payload, item->payload_len, false);
            strict += plain == SLU_DROP_SEALED_ONLY;
            sim_run_until(scene.sim, scene.sim->now_ms + 20);
        }
        sim_run_until(scene.sim, 3900);
        uint64_t opened = count(&scene, SIM_N_BUNDLES_OPENED),
                 bad = count(&scene, SIM_N_BUNDLES_BAD);
        assert_int_equal(opened + bad, 90);
        assert_true(opened > 30 && bad > 20 && strict > 0);
        assert_int_equal(stats_of(&scene, 0)->sealed_opened, opened);
        assert_int_equal(stats_of(&scene, 0)->sealed_void, bad);
        scene_end_ok(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lane_without_rules),
        cmocka_unit_test(test_clients_and_a_flood),
        cmocka_unit_test(test_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
