/* The simulator itself, and sweeps: a crash at every sync of a small run, before it (with and
 * without a torn tail), after it, and amid what it lets out; twins at n = 4; the same seed twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/order.h"
#include "tests/sim/sim.h"

static struct sim_result run_plan(const struct sim_plan *plan)
{
    struct sim *sim = sim_new(plan, NULL);
    struct sim_result result = *sim_run(sim);
    if (!result.ok) {
        sim_trace_print(sim, stderr, 100);
        sim_state_print(sim, stderr);
        print_error("seed %lu, %u nodes, invariant %d at %lu ms: %s\n", plan->seed, plan->n,
                    result.invariant, sim->now_ms, result.what);
    }
    sim_free(sim);
    return result;
}

static void test_same_seed_same_run(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {1, 4, 5, 7, 10};
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct sim_plan plan;
        sim_plan_draw(&plan, seed, sizes[seed % 5]);
        struct sim_result first = run_plan(&plan), second = run_plan(&plan);
        assert_true(first.ok);
        assert_true(first.hash == second.hash);
        assert_int_equal(first.events, second.events);
        plan.seed++;
        assert_true(run_plan(&plan).hash != first.hash);
    }
}

/* Crashes node k mod n around the k-th sync of a run that is short but has everything in it. */
static uint64_t sweep(uint16_t n, enum sim_crash_when when, uint32_t tear_permille, uint32_t last)
{
    uint64_t crashes = 0;
    for (uint32_t k = 1; k <= last; k++) {
        struct sim_plan plan;
        sim_plan_quiet(&plan, k, n);
        plan.faultless = false;
        plan.load_every_ms = 20;
        plan.load_until_ms = 500;
        plan.run_until_ms = 700;
        plan.give_up_ms = 20000;
        plan.tear_permille = tear_permille;
        plan.lost_in_flight_permille = k % 2 ? 1000 : 0;
        plan.snipes[plan.snipe_count++] = (struct sim_snipe){.node = (uint16_t)(k % n),
                                                             .vote = SLU_VOTE_KINDS,
                                                             .count = k,
                                                             .down_ms = 30,
                                                             .when = when};
        struct sim_result result = run_plan(&plan);
        assert_true(result.ok);
        crashes += result.counts[SIM_N_CRASHES];
    }
    return crashes;
}

static void test_crash_at_every_sync(void **state)
{
    (void)state;
    assert_true(sweep(4, SIM_BEFORE_SYNC, 0, 60) >= 50);
    assert_true(sweep(4, SIM_BEFORE_SYNC, 1000, 60) >= 50);
    assert_true(sweep(4, SIM_AFTER_SYNC, 0, 60) >= 50);
    assert_true(sweep(4, SIM_AMID_EFFECTS, 0, 60) >= 50);
}

static void test_lone_node_crashes_at_every_sync(void **state)
{
    (void)state;
    assert_true(sweep(1, SIM_BEFORE_SYNC, 1000, 40) >= 30);
    assert_true(sweep(1, SIM_AFTER_SYNC, 0, 40) >= 30);
    assert_true(sweep(1, SIM_AMID_EFFECTS, 0, 40) >= 30);
}

static void test_everybody_crashes_again_and_again(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct sim_plan plan;
        sim_plan_quiet(&plan, seed, 4);
        plan.faultless = false;
        plan.tear_permille = 500;
        plan.lost_in_flight_permille = 500;
        for (uint16_t i = 0; i < 8; i++)
            plan.crashes[plan.crash_count++] =
                (struct sim_crash){.node = i % 4,
                                   .at_ms = 400 + (i / 4) * 800u,
                                   .up_ms = 500 + (i / 4) * 800u + 20u * i};
        plan.calm_ms = 1500;
        plan.give_up_ms = 30000;
        struct sim_result result = run_plan(&plan);
        assert_true(result.ok);
        assert_int_equal(result.counts[SIM_N_CRASHES], 8);
    }
}

/* A node that lost its disk comes back, votes again, and orders again. */
static void test_lost_disk_comes_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct sim_plan plan;
        sim_plan_quiet(&plan, seed, seed % 2 ? 7 : 4);
        plan.faultless = false;
        plan.crashes[plan.crash_count++] = (struct sim_crash){
            .node = (uint16_t)(seed % 4), .at_ms = 300 + 37 * seed, .up_ms = 700, .wipe = true};
        plan.lost_in_flight_permille = 500;
        plan.calm_ms = 700;
        plan.load_until_ms = 5000;
        plan.run_until_ms = 6000;
        plan.give_up_ms = 30000;
        struct sim *sim = sim_new(&plan, NULL);
        const struct sim_result *result = sim_run(sim);
        if (!result->ok)
            print_error("seed %lu: invariant %d: %s\n", seed, result->invariant, result->what);
        assert_true(result->ok);
        const struct slu_core_stats *stats = slu_core_stats(sim->nodes[seed % 4].core);
        assert_true(stats->votes_sent[SLU_NOTARIZE] > 0);
        assert_true(stats->batches_made > 0);
        sim_free(sim);
    }
}

static void test_twins_at_four(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct sim_plan plan;
        sim_plan_draw(&plan, seed, 4);
        plan.faultless = false;
        for (uint16_t i = 0; i < 4; i++)
            plan.roles[i] = SIM_HONEST;
        plan.roles[seed % 4] = SIM_TWINS;
        for (uint32_t i = 0; i < plan.crash_count; i++)
            plan.crashes[i].wipe = false;
        plan.give_up_ms = plan.run_until_ms + 3 * sim_plan_patience_ms(&plan);
        assert_true(run_plan(&plan).ok);
    }
}

/* ---- the checks see what they are for ---- */

static struct sim *quiet_run(void)
{
    struct sim_plan plan;
    sim_plan_quiet(&plan, 1, 4);
    struct sim *sim = sim_new(&plan, NULL);
    assert_true(sim_run(sim)->ok);
    assert_true(sim->oracle.top > 3);
    return sim;
}

static void test_oracle_sees_a_changed_record(void **state)
{
    (void)state;
    struct sim *sim = quiet_run();
    struct oracle_height *height = &sim->oracle.heights[2];
    oracle_delivered(&sim->oracle, 0, 2, height->record, height->record_len);
    assert_true(sim->result.ok);
    uint8_t *changed = malloc(height->record_len);
    assert_non_null(changed);
    memcpy(changed, height->record, height->record_len);
    changed[45] ^= 1; /* of the time */
    oracle_delivered(&sim->oracle, 0, 2, changed, height->record_len);
    assert_false(sim->result.ok);
    assert_int_equal(sim->result.invariant, 1);
    free(changed);
    sim_free(sim);
}

static void test_oracle_sees_a_gap(void **state)
{
    (void)state;
    struct sim *sim = quiet_run();
    struct oracle_height *height = &sim->oracle.heights[sim->oracle.top];
    height->record[32] = (uint8_t)(sim->oracle.top + 2);
    oracle_delivered(&sim->oracle, 0, sim->oracle.top + 2, height->record, height->record_len);
    assert_false(sim->result.ok);
    sim_free(sim);
}

static void test_ledger_sees_double_votes(void **state)
{
    (void)state;
    static const uint8_t block[32] = {1}, other[32] = {2};
    static const struct {
        enum slu_vote_kind first, second;
        int invariant;
    } cases[] = {{SLU_NOTARIZE, SLU_NOTARIZE, 4},
                 {SLU_NULLIFY, SLU_NOTARIZE, 4},
                 {SLU_NULLIFY, SLU_FINALIZE, 3},
                 {SLU_FINALIZE, SLU_NULLIFY, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim *sim = quiet_run();
        sim_ledger_signs(&sim->nodes[0], cases[i].first, 5000, block);
        assert_true(sim->result.ok);
        sim_ledger_signs(&sim->nodes[0], cases[i].second, 5000, other);
        assert_false(sim->result.ok);
        assert_int_equal(sim->result.invariant, cases[i].invariant);
        sim_free(sim);
    }
}

static void test_world_sees_conflicting_certificates(void **state)
{
    (void)state;
    static const uint8_t block[32] = {1}, other[32] = {2};
    struct sim *sim = quiet_run();
    for (uint16_t i = 0; i < 3; i++)
        world_vote(&sim->world, i, SLU_NOTARIZE, 5000, block);
    assert_true(sim->result.ok);
    for (uint16_t i = 1; i < 4; i++)
        world_vote(&sim->world, i, SLU_NOTARIZE, 5000, other);
    assert_int_equal(sim->result.invariant, 2);
    sim_free(sim);
    sim = quiet_run();
    for (uint16_t i = 0; i < 3; i++)
        world_vote(&sim->world, i, SLU_FINALIZE, 5000, block);
    for (uint16_t i = 1; i < 4; i++)
        world_vote(&sim->world, i, SLU_NULLIFY, 5000, block);
    assert_int_equal(sim->result.invariant, 5);
    sim_free(sim);
}

static void test_undurable_vote_is_seen(void **state)
{
    (void)state;
    struct sim *sim = quiet_run();
    struct slu_message *m = sim_alloc(sizeof *m);
    m->kind = SLU_MSG_VOTE;
    m->vote = (struct slu_vote){.kind = SLU_NULLIFY, .view = 5000, .node = 0};
    slu_vote_digest(m->vote.digest, &sim->genesis, SLU_NULLIFY, 5000, m->vote.block);
    sim_ledger_leaves(&sim->nodes[1], m); /* another node's: not its business */
    assert_true(sim->result.ok);
    sim_ledger_leaves(&sim->nodes[0], m);
    assert_int_equal(sim->result.invariant, 7);
    free(m);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_run),
        cmocka_unit_test(test_crash_at_every_sync),
        cmocka_unit_test(test_lone_node_crashes_at_every_sync),
        cmocka_unit_test(test_everybody_crashes_again_and_again),
        cmocka_unit_test(test_lost_disk_comes_back),
        cmocka_unit_test(test_twins_at_four),
        cmocka_unit_test(test_oracle_sees_a_changed_record),
        cmocka_unit_test(test_oracle_sees_a_gap),
        cmocka_unit_test(test_ledger_sees_double_votes),
        cmocka_unit_test(test_world_sees_conflicting_certificates),
        cmocka_unit_test(test_undurable_vote_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
