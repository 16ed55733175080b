/* Sealed entries in directed runs: every kind, boundaries of unlocks, heights that spill, forced
 * ones without room, two keys (docs/PROTOCOL.md clauses 7.5 to 7.7). What must be opened, and
 * where, is the simulator's invariant 10: every run here is held to it at every step. */
#include "tests/unit/sealed_scene.h"

/* ---- each kind ---- */

static void test_every_kind(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {1, 4, 7};
    for (size_t i = 0; i < 3; i++) {
        struct scene scene = {0};
        struct sim_plan plan;
        plan_of(&plan, 1, sizes[i]);
        begin(&scene, &plan);
        for (int kind = SEALED_GOOD; kind <= SEALED_NO_KEY; kind++) {
            if (kind == SEALED_BUNDLE)
                continue; /* test_sim_bundles.c */
            give(&scene, 0, (enum sealed_kind)kind, SLU_UNLOCK_NONE, 0, false);
            give(&scene, 0, (enum sealed_kind)kind, SLU_UNLOCK_NONE, 0, true);
        }
        sim_run_until(scene.sim, 3900);
        const struct slu_core_stats *stats = stats_of(&scene, (uint16_t)(plan.n - 1));
        assert_int_equal(count(&scene, SIM_N_OPENED), 2);
        assert_int_equal(count(&scene, SIM_N_VOID), 8);
        assert_int_equal(stats->sealed_ordered, 10);
        assert_int_equal(stats->sealed_opened, 2);
        assert_int_equal(stats->sealed_void, 8);
        assert_int_equal(stats->shares_wrong, 0);
        assert_int_equal(stats_of(&scene, 0)->txs_refused[SLU_DROP_SEALING], 1);
        assert_int_equal(stats_of(&scene, 0)->txs_refused[SLU_DROP_SEAL_KEY], 1);
        scene_end_ok(&scene);
    }
}

/* ---- where it is due ---- */

/* An unlock for every millisecond of a while, and for every height: one of them falls on each
 * block's own time, one just before it and one just behind. */
static void test_boundaries(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    plan_of(&plan, 6, 4);
    plan.load_until_ms = 3500;
    struct sim *sim = begin(&scene, &plan);
    sim_run_until(sim, 1200);
    uint64_t from_ms = stream_ms(&scene), top = sim->oracle.top;
    for (uint64_t i = 0; i < 250; i++)
        give(&scene, (uint16_t)(i % 4), SEALED_GOOD, SLU_UNLOCK_TIME, from_ms + 150 + i, false);
    for (uint64_t i = 0; i < 24; i++)
        give(&scene, (uint16_t)(i % 4), SEALED_GOOD, SLU_UNLOCK_HEIGHT, top + i, i % 8 == 1);
    sim_run_until(sim, 3900);
    uint32_t before = 0, at = 0, after = 0;
    for (uint64_t h = top; h <= sim->oracle.top; h++)
        for (uint32_t i = 0; i < sim->oracle.heights[h].due_count; i++) {
            const struct sealed_item *item = sealed_find(sim, sim->oracle.heights[h].dues[i].id);
            uint64_t unlock, t = sim->oracle.heights[h].time_ms;
            memcpy(&unlock, item->envelope + SLU_TX_HEAD_BYTES + 35, 8);
            before += unlock == t - 1;
            at += unlock == t;
            after += h > 1 && unlock == sim->oracle.heights[h - 1].time_ms + 1;
        }
    assert_in_range(before, 4, 60); /* blocks in that while */
    assert_in_range(at, 4, 60);
    assert_in_range(after, 4, 60);
    assert_int_equal(count(&scene, SIM_N_OPENED), 274);
    scene_end_ok(&scene);
}

/* Heights that open one entry of a lane each: what one lane is given at once takes many, in the
 * order in which it was ordered, and no other lane's waits for it. */
static void test_spills(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    plan_of(&plan, 7, 4);
    plan.params.due_bytes_per_block = 4096; /* 512 bytes of a lane's without an unlock */
    struct sim *sim = begin(&scene, &plan);
    sim_run_until(sim, 1200);
    for (uint64_t i = 0; i < 24; i++)
        give(&scene, 1, SEALED_GOOD, i % 3 ? SLU_UNLOCK_NONE : SLU_UNLOCK_HEIGHT, i % 3 ? 0 : 1,
             false);
    sim_run_until(sim, 1350);
    assert_true(stats_of(&scene, 3)->calendar_entries > 0);
    give(&scene, 2, SEALED_GOOD, SLU_UNLOCK_NONE, 0, false);
    sim_run_until(sim, 3900);
    assert_true(count(&scene, SIM_N_SPILLED) > 24);
    assert_int_equal(count(&scene, SIM_N_OPENED), 25);
    uint32_t heights = 0;
    for (uint64_t h = 1; h <= sim->oracle.top; h++)
        heights += sim->oracle.heights[h].due_count > 0;
    assert_true(heights >= 14);
    scene_end_ok(&scene);
}

/* What has room in a height does not overtake what had none, though it is shorter. */
static void test_nobody_overtakes(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    plan_of(&plan, 16, 4);
    plan.params.due_bytes_per_block =
        8192; /* two short ones of a lane's, or a long one and no more */
    plan.load_until_ms = 3500;
    struct sim *sim = begin(&scene, &plan);
    for (uint32_t i = 0; i < 60; i++) {
        sim_run_until(sim, 1200 + 6 * i);
        scene.payload_len = i % 3 ? 300 : 20;
        give(&scene, 1, SEALED_GOOD, SLU_UNLOCK_NONE, 0, false);
    }
    sim_run_until(sim, 3900);
    assert_true(count(&scene, SIM_N_SPILLED) > 60);
    uint64_t place = 0; /* of the last one opened */
    for (uint64_t h = 1; h <= sim->oracle.top; h++)
        for (uint32_t i = 0; i < sim->oracle.heights[h].due_count; i++) {
            const struct oracle_due *due = &sim->oracle.heights[h].dues[i];
            assert_true((due->height << 32 | due->ordered_index) > place);
            place = due->height << 32 | due->ordered_index;
        }
    assert_int_equal(count(&scene, SIM_N_OPENED), 60);
    scene_end_ok(&scene);
}

/* ---- forced ones without room ---- */

static struct slu_tx_status status_of(struct scene *scene, uint16_t node, const uint8_t id32[32])
{
    struct sim *sim = scene->sim;
    struct slu_event e = {.kind = SLU_EVENT_QUERY,
                          .now_ms = sim->now_ms,
                          .clock_ms = sim->genesis.created_ms + sim->now_ms};
    struct slu_tx_status status = {0};
    e.query.ids = id32;
    e.query.count = 1;
    slu_core_step(sim->nodes[node].core, &e, sim->effects);
    for (uint32_t i = 0; i < sim->effects->count; i++)
        if (sim->effects->items[i].kind == SLU_EFFECT_ANSWER)
            status = sim->effects->items[i].answer.items[0];
    slu_effects_reset(sim->effects);
    return status;
}

/* More are taken than the calendar has room for: who comes too late is dropped, and whoever asks is
 * told so, also after a restart. */
static void test_forced_without_room(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    plan_of(&plan, 13, 4);
    plan.params.calendar_bytes_max = 20 * 1024; /* five of forced ones */
    plan.load_until_ms = 3900;
    plan.crashes[plan.crash_count++] = (struct sim_crash){.node = 2, .at_ms = 2000, .up_ms = 2100};
    plan.calm_ms = 2300;
    struct sim *sim = begin(&scene, &plan);
    uint8_t ids[8][32];
    sim_run_until(sim, 1200);
    for (int i = 0; i < 8; i++)
        memcpy(ids[i],
               give(&scene, (uint16_t)(i % 4), SEALED_GOOD, SLU_UNLOCK_TIME,
                    stream_ms(&scene) + 2000, true)
                   ->id,
               32);
    sim_run_until(sim, 2500);
    uint32_t dropped = 0, final = 0;
    for (int i = 0; i < 8; i++) {
        struct slu_tx_status here = status_of(&scene, 0, ids[i]),
                             there = status_of(&scene, 2, ids[i]);
        dropped += here.stage == SLU_STAGE_DROPPED && here.drop == SLU_DROP_CALENDAR_FULL;
        final += here.stage == SLU_STAGE_FINAL;
        assert_int_equal(here.stage, there.stage);
        assert_int_equal(here.height, there.height);
    }
    assert_int_equal(final, 5);
    assert_int_equal(dropped, 3);
    scene_end_ok(&scene);
}

/* A taker without rules: an unlock that never comes is not held by honest nodes, so it cannot take
 * up the calendar for ever. */
static void test_forced_beyond_the_horizon(void **state)
{
    (void)state;
    struct scene scene = {.x = 3};
    struct sim_plan plan;
    plan_of(&plan, 14, 4);
    plan.roles[3] = SIM_PUPPET;
    memset(plan.byz_permille, 0, sizeof plan.byz_permille);
    plan.load_until_ms = 4500;
    plan.run_until_ms = 5000;
    plan.give_up_ms = plan.run_until_ms + 2 * sim_plan_patience_ms(&plan);
    struct sim *sim = begin(&scene, &plan);
    sim_run_until(sim, sim->now_ms + 200);
    static const uint64_t far[] = {20, 1000, UINT64_C(1) << 50};
    for (size_t i = 0; i < 3; i++) {
        struct sealed_wish wish = {.unlock_kind = SLU_UNLOCK_HEIGHT,
                                   .unlock = sim->oracle.top + far[i],
                                   .valid_until_ms = stream_ms(&scene) + 3000};
        const struct sealed_item *item = sealed_make(sim, &wish);
        const struct slu_block *named =
            &sim->world.blocks[sim->oracle.heights[sim->oracle.top].block];
        struct slu_message *m = &sim->scratch;
        struct slu_relay *relay = &m->relay;
        m->kind = SLU_MSG_RELAY;
        *relay = (struct slu_relay){.taker = 3, .kind = SLU_INBOX_FORCED};
        assert_int_equal(slu_relay_derive(relay, &sim->genesis, item->envelope, item->bytes), 0);
        relay->postage.height = named->height;
        memcpy(relay->postage.block, named->digest, 32);
        assert_true(
            slu_postage_mine(&sim->genesis, relay->tuple.id, &relay->postage, 50000, 10000000));
        slu_relay_digest(relay, &sim->genesis);
        sim_sign(sim, 3, relay->signature, relay->digest);
        byz_say(sim, 3, m, byz_honest(sim));
    }
    uint64_t until = sim->now_ms + 1000;
    sim_run_until(sim, until);
    assert_int_equal(stats_of(&scene, 0)->sealed_ordered, 1);
    scene_end_ok(&scene);
}

/* ---- an owner without rules ---- */

/* Its batch has good ones before and behind two without a valid proof: the first of these is
 * checked, what is behind it is dropped unchecked, in this block only. A plain one is not meant. */
static void test_owner_without_rules(void **state)
{
    (void)state;
    static const enum sealed_kind kinds[] = {SEALED_GOOD,     SEALED_NO_KEY, SEALED_TAG,
                                             SEALED_UNPROVEN, SEALED_NO_KEY, SEALED_UNPROVEN,
                                             SEALED_GOOD};
    struct scene scene = {0};
    struct sim_plan plan;
    plan_of(&plan, 15, 4);
    plan.params.batch_bytes_max = 4096;
    plan.roles[3] = SIM_SILENT;
    plan.load_until_ms = 4500;
    plan.run_until_ms = 5000;
    plan.give_up_ms = plan.run_until_ms + 2 * sim_plan_patience_ms(&plan);
    struct sim *sim = begin(&scene, &plan);
    static uint8_t payload[4096];
    struct slu_writer w = slu_writer_of(payload, sizeof payload);
    struct sealed_wish wish = {.valid_until_ms = stream_ms(&scene) + 3900};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        wish.kind = kinds[i];
        const struct sealed_item *item = sealed_make(sim, &wish);
        slu_write_bytes(&w, item->envelope, item->bytes);
    }
    assert_false(w.failed);
    struct slu_message *m = &sim->scratch;
    struct slu_batch_header *h = &m->batch.header;
    m->kind = SLU_MSG_BATCH;
    m->batch.payload = payload;
    *h = (struct slu_batch_header){.lane = 3, .position = 1, .txs = sizeof kinds / sizeof *kinds};
    h->payload_bytes = (uint32_t)slu_writer_len(&w);
    h->made_at_ms = sim->now_ms;
    slu_payload_digest(h->payload_digest, &sim->genesis, payload, h->payload_bytes);
    slu_batch_header_digest(h, &sim->genesis);
    sim_sign(sim, 3, h->signature, h->digest);
    byz_say(sim, 3, m, byz_honest(sim));
    sim_run_until(sim, sim->now_ms + 1000);
    const struct slu_core_stats *stats = stats_of(&scene, 0);
    assert_int_equal(stats->sealed_ordered, 2);
    assert_int_equal(stats->txs_dropped[SLU_DROP_SEAL_KEY], 2);
    assert_int_equal(stats->txs_dropped[SLU_DROP_SEALING], 1);
    assert_int_equal(stats->txs_dropped[SLU_DROP_LANE_SEALING], 2);
    scene_end_ok(&scene);
}

/* ---- two keys ---- */

/* A fallback key, then a better one: what was sealed to the first, and waits, still opens; both
 * count for a window; after it, the first is refused. */
static void test_two_keys(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    plan_of(&plan, 3, 4);
    plan.params.keygen_retry_ms = 1500;
    plan.params.dedup_window_ms = 2000;
    plan.params.postage_age_ms = 1000;
    plan.partitions[plan.partition_count++] =
        (struct sim_partition){.from_ms = 0, .to_ms = 3500, .side = 8};
    plan.calm_ms = 3600;
    plan.load_until_ms = 12000;
    plan.run_until_ms = 14000;
    plan.give_up_ms = plan.run_until_ms + 2 * sim_plan_patience_ms(&plan);
    struct sim *sim = scene_begin(&scene, &plan, rule);
    for (uint64_t at = 100; sim->sealed->key_count == 0 && at < 3400; at += 20)
        sim_run_until(sim, at);
    assert_int_equal(sim->sealed->key_count, 1);
    sim_run_until(sim, sim->now_ms + 100); /* the others have it, too */
    struct sealed_wish wish = {.payload_len = 20, .unlock_kind = SLU_UNLOCK_TIME};
    uint32_t waiting = 0;
    for (; sim->sealed->key_count == 1 && !sim->done; waiting++) {
        wish.valid_until_ms = stream_ms(&scene) + 1900;
        wish.unlock = stream_ms(&scene) + 5000;
        wish.kind = (enum sealed_kind)(waiting % 5);
        sealed_give(sim, &sim->nodes[waiting % 3], sealed_make(sim, &wish), waiting % 5 == 2);
        sim_run_until(sim, sim->now_ms + 200);
    }
    assert_int_equal(sim->sealed->key_count, 2);
    uint64_t since = stream_ms(&scene);
    wish.kind = SEALED_GOOD;
    for (wish.key = 0; wish.key < 2; wish.key++) {
        wish.valid_until_ms = since + 1900;
        sealed_give(sim, &sim->nodes[3], sealed_make(sim, &wish), false);
    }
    sim_run_until(sim, sim->now_ms + 500);
    assert_int_equal(stats_of(&scene, 3)->txs_refused[SLU_DROP_SEAL_KEY], 0);
    sim_run_until(sim, sim->now_ms + 2000);
    wish.key = 0;
    wish.valid_until_ms = stream_ms(&scene) + 1900;
    sealed_give(sim, &sim->nodes[3], sealed_make(sim, &wish), false);
    sim_run_until(sim, 13900);
    assert_int_equal(stats_of(&scene, 3)->txs_refused[SLU_DROP_SEAL_KEY], 1);
    assert_int_equal(count(&scene, SIM_N_OPENED) + count(&scene, SIM_N_VOID), waiting + 2);
    assert_int_equal(stats_of(&scene, 0)->calendar_entries, 0);
    scene_end_ok(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_spills),
        cmocka_unit_test(test_nobody_overtakes),
        cmocka_unit_test(test_forced_without_room),
        cmocka_unit_test(test_forced_beyond_the_horizon),
        cmocka_unit_test(test_owner_without_rules),
        cmocka_unit_test(test_two_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
