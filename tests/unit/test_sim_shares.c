/* Shares in directed runs: finality that is held up, crashes between delivery and opening, all
 * nodes restarted with timelocks pending, nodes that catch up, shares that are withheld or wrong,
 * or do not get through (docs/PROTOCOL.md clauses 7.8 to 7.10). That no share leaves early, and
 * that openings are the same, is the simulator's invariant 10: every run here is held to it at
 * every step. */
#include "tests/unit/sealed_scene.h"

/* ---- no share before its block is final ---- */

/* Blocks go on being proposed, but no F gets through: what is sealed stays closed, no share is even
 * made, until it does. The same with two of four cut off. */
static void test_finality_held_up(void **state)
{
    (void)state;
    for (int cut = 0; cut < 2; cut++) {
        struct scene scene = {0};
        struct sim_plan plan;
        plan_of(&plan, 2, 4);
        plan.calm_ms = 3500;
        plan.load_until_ms = 4000;
        plan.run_until_ms = 5000;
        plan.give_up_ms = plan.run_until_ms + 2 * sim_plan_patience_ms(&plan);
        if (cut)
            plan.partitions[plan.partition_count++] =
                (struct sim_partition){.from_ms = 1500, .to_ms = 3000, .side = 12};
        struct sim *sim = begin(&scene, &plan);
        sim_run_until(sim, 1600);
        scene.held = !cut;
        give(&scene, 0, SEALED_GOOD, SLU_UNLOCK_NONE, 0, false);
        give(&scene, 1, SEALED_GOOD, SLU_UNLOCK_NONE, 0, true);
        sim_run_until(sim, 2900);
        for (uint16_t i = 0; i < 4; i++)
            assert_int_equal(stats_of(&scene, i)->shares_sent, 0);
        scene.held = false;
        sim_run_until(sim, 4900);
        for (uint16_t i = 0; i < 4; i++)
            assert_int_equal(stats_of(&scene, i)->sealed_opened, 2);
        scene_end_ok(&scene);
    }
}

/* ---- restarts ---- */

/* A node goes down at every moment between giving and opening, and comes back. */
static void test_crash_at_any_point(void **state)
{
    (void)state;
    for (uint64_t at = 1000; at < 1240; at += 12) {
        struct scene scene = {0};
        struct sim_plan plan;
        plan_of(&plan, at, 4);
        plan.crashes[plan.crash_count++] = (struct sim_crash){
            .node = (uint16_t)(at / 12 % 4), .at_ms = at, .up_ms = at + 60 + at % 5 * 10};
        plan.calm_ms = 1600;
        plan.load_until_ms = 1800;
        plan.run_until_ms = 2000;
        plan.tear_permille = 500;
        plan.lost_forget_permille = 500;
        struct sim *sim = begin(&scene, &plan);
        for (int k = 0; k < 10; k++) {
            uint16_t node = (uint16_t)(k % 4);
            sim_run_until(sim, 1000 + (uint64_t)k * 25);
            if (!sim->nodes[node].up)
                continue;
            give(&scene, node, (enum sealed_kind)(k % 5), SLU_UNLOCK_NONE, 0, k == 3);
            give(&scene, node, SEALED_GOOD, SLU_UNLOCK_TIME, stream_ms(&scene) + 40u * (unsigned)k,
                 k == 5);
        }
        scene_end_ok(&scene);
    }
}

/* Shares do not get through, all nodes go down with dues in flight and timelocks pending, and come
 * back: all of it opens. */
static void test_all_restart(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct scene scene = {0};
        struct sim_plan plan;
        plan_of(&plan, seed, 4);
        for (uint16_t i = 0; i < 4; i++)
            plan.crashes[plan.crash_count++] =
                (struct sim_crash){.node = i, .at_ms = 1500 + i * seed, .up_ms = 1700 + i * 30u};
        plan.calm_ms = 1900;
        plan.tear_permille = 500;
        plan.lost_forget_permille = 500;
        plan.load_until_ms = 4000;
        plan.run_until_ms = 5000;
        plan.give_up_ms = plan.run_until_ms + 2 * sim_plan_patience_ms(&plan);
        struct sim *sim = begin(&scene, &plan);
        sim_run_until(sim, 1100);
        give(&scene, 3, SEALED_GOOD, SLU_UNLOCK_NONE, 0, false);
        sim_run_until(sim, 1200);
        scene.seen = seed % 2; /* every other time */
        for (uint16_t i = 0; i < 12; i++) {
            uint16_t node = (uint16_t)(i % 4);
            sim_run_until(sim, 1200 + i * 10u);
            give(&scene, node, (enum sealed_kind)(i % 5), SLU_UNLOCK_NONE, 0, i == 7);
            give(&scene, node, SEALED_GOOD, SLU_UNLOCK_TIME, stream_ms(&scene) + 100u + i * 80u,
                 i == 5);
            give(&scene, node, SEALED_GOOD, SLU_UNLOCK_HEIGHT, sim->oracle.top + 4u * i, i == 6);
        }
        sim_run_until(sim, 1490);
        if (scene.seen)
            assert_true(stats_of(&scene, 0)->opened_height < sim->oracle.last_due);
        assert_true(stats_of(&scene, 0)->calendar_entries > 0);
        sim_run_until(sim, 1800);
        scene.seen = 0;
        sim_run_until(sim, 4900);
        assert_int_equal(stats_of(&scene, 0)->calendar_entries, 0);
        assert_true(count(&scene, SIM_N_OPENED) >= 20);
        scene_end_ok(&scene);
    }
}

/* One node is away for a long time, or loses its disk; it opens everything from the first height
 * on.
 */
static void test_catches_up(void **state)
{
    (void)state;
    for (int wipe = 0; wipe < 2; wipe++) {
        struct scene scene = {0};
        struct sim_plan plan;
        plan_of(&plan, 5, 4);
        plan.crashes[plan.crash_count++] =
            (struct sim_crash){.node = 2, .at_ms = 1200, .up_ms = 3000, .wipe = wipe};
        plan.calm_ms = 3200;
        plan.load_until_ms = 4000;
        plan.run_until_ms = 6000;
        plan.give_up_ms = plan.run_until_ms + 2 * sim_plan_patience_ms(&plan);
        struct sim *sim = begin(&scene, &plan);
        for (unsigned i = 0; i < 60; i++) {
            sim_run_until(sim, 1000 + 30 * i);
            give(&scene, i % 2, (enum sealed_kind)(i % 5), SLU_UNLOCK_NONE, 0, i % 9 == 4);
            if (i % 4 == 0)
                give(&scene, 3, SEALED_GOOD, SLU_UNLOCK_TIME, stream_ms(&scene) + 700, false);
        }
        sim_run_until(sim, 5900);
        assert_true(sim->oracle.last_due > 40);
        assert_true(stats_of(&scene, 2)->opened_height >= sim->oracle.last_due);
        scene_end_ok(&scene);
    }
}

/* ---- much at once ---- */

/* One height opens more than one message of shares holds, in several runs of each node's, with a
 * liar among them, while nodes go down: by the laws of slices, chunk by chunk. */
static void test_many_at_one_height(void **state)
{
    (void)state;
    for (int crash = 0; crash < 2; crash++) {
        struct scene scene = {0};
        struct sim_plan plan;
        plan_of(&plan, 11, 4);
        plan.params.due_bytes_per_block = 1024 * 1024;
        plan.params.entries_per_block_max = 4096;
        scene_deviant(&plan, 1, "lie_shares");
        plan.load_until_ms = 3500;
        for (uint16_t i = 2; crash && i < 4; i++)
            plan.crashes[plan.crash_count++] =
                (struct sim_crash){.node = i, .at_ms = 2060 + 37u * i, .up_ms = 2300 + 40u * i};
        plan.calm_ms = 2500;
        struct sim *sim = begin(&scene, &plan);
        sim_run_until(sim, 1200);
        uint64_t unlock = stream_ms(&scene) + 900;
        for (uint32_t i = 0; i < 300; i++) {
            sim_run_until(sim, 1200 + 2 * i);
            give(&scene, i % 2 ? 0 : 3, (enum sealed_kind)(i % 5), SLU_UNLOCK_TIME, unlock, false);
        }
        sim_run_until(sim, 3900);
        uint32_t most = 0;
        for (uint64_t h = 1; h <= sim->oracle.top; h++)
            if (sim->oracle.heights[h].due_count > most)
                most = sim->oracle.heights[h].due_count;
        assert_true(most > 4 * SLU_SHARES_MAX);
        assert_int_equal(count(&scene, SIM_N_OPENED), 60);
        assert_int_equal(count(&scene, SIM_N_VOID), 240);
        scene_end_ok(&scene);
    }
}

/* No shares get through for a long time: delivery runs ahead by so many heights, then it waits,
 * then the cuts do; a restart there opens nothing twice. When shares come, all of it opens. */
static void test_openings_stand_still(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct scene scene = {0};
        struct sim_plan plan;
        plan_of(&plan, 12, 4);
        plan.params.unlock_horizon_ms = 60000;
        plan.calm_ms = 9000;
        plan.load_until_ms = 11000;
        plan.run_until_ms = 12000;
        plan.give_up_ms = plan.run_until_ms + 4 * sim_plan_patience_ms(&plan);
        for (uint16_t i = 0; restart && i < 4; i++)
            plan.crashes[plan.crash_count++] =
                (struct sim_crash){.node = i, .at_ms = 7000, .up_ms = 7100 + 50u * i};
        struct sim *sim = begin(&scene, &plan);
        scene.seen = 1;
        for (uint32_t i = 0; i < 100; i++) {
            sim_run_until(sim, 1200 + 40 * i);
            give(&scene, (uint16_t)(i % 4), SEALED_GOOD, SLU_UNLOCK_NONE, 0, false);
        }
        sim_run_until(sim, 6900);
        const struct slu_core_stats *stats = stats_of(&scene, 0);
        assert_true(stats->opened_height < sim->oracle.top);
        assert_in_range(stats->delivered_height - stats->opened_height, SLU_OPENING_HEIGHTS - 4,
                        SLU_OPENING_HEIGHTS);
        assert_true(stats->final_height > stats->delivered_height);
        sim_run_until(sim, 8800);
        scene.seen = 0;
        scene_end_ok(&scene);
    }
}

/* ---- shares that are kept, or wrong ---- */

/* f of n deviate: everything opens, and no honest node is in evidence (the simulator's invariant
 * 14). */
static struct sim *run_deviants(struct scene *scene, uint16_t n, uint64_t seed, const char *name)
{
    struct sim_plan plan;
    plan_of(&plan, seed, n);
    plan.load_until_ms = 3500;
    plan.calm_ms = 0;
    scene_deviants(&plan, name);
    struct sim *sim = begin(scene, &plan);
    for (unsigned i = 0; i < 30; i++) {
        sim_run_until(sim, 1200 + 50 * i);
        give(scene, i % 2 ? 0 : 2, (enum sealed_kind)(i % 5), SLU_UNLOCK_NONE, 0, i % 9 == 4);
    }
    sim_run_until(sim, 3900);
    assert_int_equal(stats_of(scene, 0)->sealed_opened, count(scene, SIM_N_OPENED));
    assert_int_equal(count(scene, SIM_N_OPENED), 6);
    assert_int_equal(count(scene, SIM_N_VOID), 24);
    return sim;
}

static void test_withheld(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {4, 7};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene = {0};
        run_deviants(&scene, sizes[i], 8, "withhold_shares");
        assert_true(sim_node_deviations(&scene.sim->nodes[1]) >= 20);
        assert_int_equal(stats_of(&scene, 0)->shares_wrong, 0);
        assert_true(stats_of(&scene, 0)->fetches_sent > 0);
        scene_end_ok(&scene);
    }
}

static const struct world_item *evidence_of(const struct sim *sim, uint16_t node)
{
    for (uint32_t i = 0; i < sim->world.item_count; i++) {
        const struct world_item *item = &sim->world.items[i];
        if (item->tuple.kind == SLU_INBOX_EVIDENCE && item->tuple.offence == SLU_WRONG_SHARE &&
            item->tuple.offender == node && item->content)
            return item;
    }
    return NULL;
}

/* The liar is found, left out, and in evidence that proves itself; any byte of it changed, it does
 * not.
 */
static void test_wrong_shares_are_evidence(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {4, 7};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene = {0};
        struct sim *sim = run_deviants(&scene, sizes[i], 9, "lie_shares");
        uint64_t evident =
            sim->world.blocks[sim->oracle.heights[sim->oracle.top].block].evident[SLU_WRONG_SHARE];
        assert_int_equal(evident, sim->byzantine);
        assert_true(sim->oracle.evidence >= 1);
        const struct world_item *item = evidence_of(sim, 1);
        assert_non_null(item);
        struct slu_evidence found;
        uint32_t len = item->tuple.bytes;
        assert_int_equal(
            slu_evidence_check(&found, &sim->genesis, item->content, len, &sim->verifier), SLU_OK);
        assert_int_equal(found.offender, 1);
        assert_int_equal(found.offence, SLU_WRONG_SHARE);
        static uint8_t bytes[SLU_EVIDENCE_BYTES_MAX];
        memcpy(bytes, item->content, len);
        for (uint32_t at = 0; at < len; at++) {
            bytes[at] ^= 1;
            int rc = slu_evidence_check(&found, &sim->genesis, bytes, len, &sim->verifier);
            if (!rc)
                print_error("byte %u of %u may be changed\n", at, len);
            assert_int_not_equal(rc, SLU_OK);
            bytes[at] ^= 1;
        }
        scene_end_ok(&scene);
    }
}

/* A right share is none: the same message with its true D. */
static void test_right_share_is_no_evidence(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    plan_of(&plan, 10, 4);
    struct sim *sim = begin(&scene, &plan);
    sim_run_until(sim, 1200);
    const struct sealed_item *item = give(&scene, 0, SEALED_GOOD, SLU_UNLOCK_NONE, 0, false);
    uint8_t id[1][32], envelope[600], ids_hash[32], r32[1][32], cert_bytes[SLU_KEY_CERT_BYTES_MAX];
    memcpy(id[0], item->id, 32);
    memcpy(envelope, item->envelope, item->bytes);
    struct slu_reader tx_reader = slu_reader_of(envelope, item->bytes);
    struct slu_tx tx;
    struct slu_sealed sealed;
    sim_run_until(sim, 1800);
    assert_true(slu_tx_read(&tx_reader, &tx));
    assert_int_equal(slu_sealed_read(&sealed, tx.body, tx.body_len, tx.valid_until_ms), 0);
    memcpy(r32[0], sealed.r32, 32);
    struct slu_record_key key = {.kind = SLU_REC_SHARES, .a = sim->oracle.last_due};
    const struct sim_record *record = sim_disk_find(&sim->nodes[2].disk, &key);
    assert_non_null(record);
    static struct slu_signed_shares shares;
    struct slu_reader r = slu_reader_of(record->value, record->len);
    assert_int_equal(slu_signed_shares_read(&r, &sim->genesis, &shares), 0);
    static struct slu_key_cert cert;
    r = slu_reader_of(cert_bytes, slu_core_key_cert(sim->nodes[0].core, 0, cert_bytes));
    assert_int_equal(slu_key_cert_read(&r, &sim->genesis, &cert), 0);
    slu_shares_ids(ids_hash, &sim->genesis, (const uint8_t(*)[32])id, 1);
    static uint8_t bytes[SLU_EVIDENCE_BYTES_MAX];
    for (int wrong = 0; wrong < 2; wrong++) {
        if (wrong) {
            memcpy(shares.d[0], shares.y_i, 32);
            slu_signed_shares_digest(&shares, &sim->genesis);
            sim_sign(sim, 2, shares.signature, shares.digest);
        }
        struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
        slu_evidence_wrong_share(&w, &sim->genesis, &cert, &shares, ids_hash,
                                 (const uint8_t(*)[32])r32);
        struct slu_evidence found;
        int rc =
            slu_evidence_check(&found, &sim->genesis, bytes, slu_writer_len(&w), &sim->verifier);
        assert_int_equal(rc == SLU_OK, wrong);
        /* Who knows of the chain its id only reads the same of it. */
        static struct slu_genesis outline;
        outline = sim->genesis;
        outline.n = SLU_NODES_MAX;
        memset(outline.nodes, 0, sizeof outline.nodes);
        struct slu_evidence said;
        assert_int_equal(slu_evidence_outline(&said, &outline, bytes, slu_writer_len(&w)), 0);
        assert_int_equal(said.offence, SLU_WRONG_SHARE);
        assert_int_equal(said.offender, 2);
        assert_int_equal(said.at, shares.height);
        if (wrong)
            assert_memory_equal(said.id, found.id, 32);
        assert_int_equal(slu_evidence_outline(&said, &outline, bytes, 10), SLU_ERR_MALFORMED);
        outline.n = 2;
        assert_int_equal(slu_evidence_outline(&said, &outline, bytes, slu_writer_len(&w)),
                         SLU_ERR_MISMATCH);
    }
    scene_end_ok(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finality_held_up),
        cmocka_unit_test(test_crash_at_any_point),
        cmocka_unit_test(test_all_restart),
        cmocka_unit_test(test_catches_up),
        cmocka_unit_test(test_many_at_one_height),
        cmocka_unit_test(test_openings_stand_still),
        cmocka_unit_test(test_withheld),
        cmocka_unit_test(test_wrong_shares_are_evidence),
        cmocka_unit_test(test_right_share_is_no_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
