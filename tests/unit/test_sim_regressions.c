/* The regression cases of the protocol, each known to have broken some design, as directed runs of
 * the simulator. All of its invariants are checked in each; a case adds what it is about.
 *
 *     a cut without digests, an equivocating owner   test_equivocating_owner
 *     one lost ack vector                            test_one_lost_ack_vector
 *     a block that needs bodies to be computed       test_blocks_need_no_bodies
 *     a fetch pinned to one dead node                test_fetch_pinned_to_a_dead_node
 *     a shortened timer while the leader waits for
 *       the heartbeat                                test_leader_that_waits_for_the_heartbeat_...
 *     skipping on silence in an idle chain           test_idle_chain_skips_nobody
 *     N not durable with Finalize, crash before
 *       relay                                        test_n_is_durable_with_finalize,
 *                                                    test_certificates_are_relayed
 *     proposal not durable, all who saw it restart   test_all_who_saw_the_proposal_restart
 *     a quorum that crashes after writing Nullify
 *       and never re-tallies it                      test_quorum_crashes_after_writing_nullify
 *     Finalize signed on resend for a view already
 *       timed out                                    test_no_finalize_after_a_timeout
 *     vote flags pruned too early                    test_vote_flags_outlive_final_views,
 *                                                    test_vote_records_outlive_pruning
 *     one side holding N(v), the other Z(v)          test_one_side_holds_n_the_other_z
 *     one certificate answering many requests        test_certificates_answer_in_proportion
 *     divergence under pruning                       test_no_divergence_under_pruning
 *     a stream that skips a block on an error        unit/test_node_stream.c
 *     a forced id without a certificate              test_inbox_guards.c: test_f_plus_one_holds_certify
 *     an old id listed again                         test_inbox_guards.c: test_an_old_id_listed_again */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/state.h"
#include "tests/sim/byz.h"
#include "tests/unit/scene.h"

/* ---- lanes ---- */

static void test_equivocating_owner(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct scene scene = {0};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.roles[seed % 4] = SIM_PUPPET;
        plan.byz_permille[BYZ_FORKS] = plan.byz_permille[BYZ_ACKS] = 900;
        plan.byz_permille[BYZ_ANSWERS] = 500;
        struct sim *sim = scene_begin(&scene, &plan, NULL);
        sim_run_until(sim, 2900);
        assert_true(sim->result.counts[SIM_N_FORKS] > 5);
        scene_end_ok(&scene);
    }
}

static bool lose_late_acks(void *context, struct sim *sim, const struct sim_packet *packet,
                           uint16_t to, uint64_t *delay_ms)
{
    struct scene *scene = context;
    (void)to;
    (void)delay_ms;
    if (kind_of(packet) != SLU_MSG_ACKS || sim->now_ms < 350 || sim->now_ms > 480)
        return true;
    scene->dropped++;
    return false;
}

static void test_one_lost_ack_vector(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct scene scene = {0};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.calm_ms = 0;
        plan.roles[3] = SIM_SILENT; /* so that every other ack is needed */
        plan.load_until_ms = 400;   /* and nothing new brings them along */
        plan.load_every_ms = 10;
        scene_begin(&scene, &plan, lose_late_acks);
        scene_end_ok(&scene);
        assert_true(scene.dropped > 0);
    }
}

static bool no_bodies_for_2(void *context, struct sim *sim, const struct sim_packet *packet,
                            uint16_t to, uint64_t *delay_ms)
{
    (void)context;
    (void)delay_ms;
    return kind_of(packet) != SLU_MSG_BATCH || to != 2 || sim->now_ms >= 1500;
}

static void test_blocks_need_no_bodies(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    scene_plan(&plan, 1, 4);
    struct sim *sim = scene_begin(&scene, &plan, no_bodies_for_2);
    sim_run_until(sim, 1450);
    const struct slu_core_stats *stats = stats_of(&scene, 2);
    assert_true(stats->votes_sent[SLU_NOTARIZE] > 8);
    assert_int_equal(stats->votes_sent[SLU_NULLIFY], 0);
    assert_true(stats->final_height > stats->delivered_height + 3);
    scene_end_ok(&scene);
}

static bool no_first_bodies_for_0(void *context, struct sim *sim, const struct sim_packet *packet,
                                  uint16_t to, uint64_t *delay_ms)
{
    struct scene *scene = context;
    (void)sim;
    (void)delay_ms;
    bool own =
        kind_of(packet) == SLU_MSG_BATCH && packet->message->batch.header.lane == packet->from;
    if (!own || to != 0 || packet->from == 3)
        return true;
    scene->dropped++;
    return false;
}

static void test_fetch_pinned_to_a_dead_node(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    scene_plan(&plan, 2, 4);
    plan.roles[3] = SIM_PUPPET; /* acks everything, answers nothing */
    plan.byz_permille[BYZ_ACKS] = 900;
    scene_begin(&scene, &plan, no_first_bodies_for_0);
    scene_end_ok(&scene);
    assert_true(scene.dropped > 10);
}

/* ---- timers ---- */

/* Three things that are wanted at once, of three others: each is asked of all of them in the end.
 */
static void test_fetches_do_not_fall_into_step(void **state)
{
    (void)state;
    struct sim_plan plan;
    sim_plan_quiet(&plan, 1, 4);
    struct sim *sim = sim_new(&plan, NULL);
    sim_run_until(sim, 300);
    struct slu_core *core = sim->nodes[0].core;
    uint64_t asked[3] = {0};
    for (uint32_t round = 0; round < 60; round++) {
        core->fx = sim->effects;
        core->now_ms += 1000;
        for (uint8_t want = 0; want < 3; want++) {
            uint8_t digest[32] = {want, 0xee};
            slu_effects_reset(sim->effects);
            slu_fetch_want(core, SLU_FETCH_BLOCK, 0, 0, 0, digest, UINT64_MAX);
            assert_int_equal(sim->effects->count, 1);
            asked[want] |= UINT64_C(1) << sim->effects->items[0].send.to;
        }
    }
    for (uint32_t want = 0; want < 3; want++)
        assert_int_equal(asked[want], 0xe);
    slu_effects_reset(sim->effects);
    sim_free(sim);
}

static void test_leader_that_waits_for_the_heartbeat_is_not_timed_out(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 7; n += 3) {
        struct scene scene = {0};
        struct sim_plan plan;
        sim_plan_quiet(&plan, 3, (uint16_t)n);
        plan.load_every_ms = 0;
        plan.style = SIM_SLOWEST;
        plan.params.heartbeat_ms = 600; /* above 8 delta */
        plan.params.heartbeat_idle_ms = 1900;
        plan.run_until_ms = 12000;
        plan.give_up_ms = 20000;
        struct sim *sim = scene_begin(&scene, &plan, NULL);
        sim_run_until(sim, 11900);
        assert_true(stats_of(&scene, 0)->final_height >= 4);
        for (uint16_t i = 0; i < n; i++)
            assert_int_equal(stats_of(&scene, i)->votes_sent[SLU_NULLIFY], 0);
        scene_end_ok(&scene);
    }
}

static void test_idle_chain_skips_nobody(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    sim_plan_quiet(&plan, 4, 10);
    plan.load_every_ms = 0;
    plan.params.heartbeat_ms = plan.params.heartbeat_idle_ms = 900;
    plan.params.skip_ms = 901;
    plan.run_until_ms = 20000;
    plan.give_up_ms = 30000;
    struct sim *sim = scene_begin(&scene, &plan, NULL);
    sim_run_until(sim, 19900);
    for (uint16_t i = 0; i < 10; i++)
        assert_int_equal(stats_of(&scene, i)->views_skipped, 0);
    scene_end_ok(&scene);
}

/* ---- votes and crashes ---- */

/* The model's directed case: N(v) forms at `a` alone, from the votes of a, the leader b and the
 * Byzantine x; a writes Finalize(v) and crashes before anything leaves it; b and c time out. Only a
 * can show N(v), and it may not nullify v: it must have it after its restart. */
static bool n_forms_at_a(void *context, struct sim *sim, const struct sim_packet *packet,
                         uint16_t to, uint64_t *delay_ms)
{
    struct scene *scene = context;
    const struct slu_message *m = packet->message;
    (void)delay_ms;
    if (sim->now_ms >= scene->fixed_ms)
        return true;
    if (m->kind == SLU_MSG_PROPOSAL && m->proposal.view == scene->view) {
        if (to == scene->a && !scene->held) {
            scene->held = true;
            sim->plan.snipes[0] = (struct sim_snipe){.node = scene->a,
                                                     .vote = SLU_FINALIZE,
                                                     .count = 1,
                                                     .down_ms = 1500,
                                                     .when = SIM_AFTER_SYNC};
            sim->plan.snipe_count = 1;
            scene->fixed_ms = sim->now_ms + 1400;
            byz_vote(sim, scene->x, SLU_NOTARIZE, scene->view, m->proposal.block,
                     UINT64_C(1) << scene->a);
        }
        return to == scene->a;
    }
    bool about = (m->kind == SLU_MSG_VOTE && m->vote.view == scene->view) ||
                 (m->kind == SLU_MSG_CERT && m->cert.view == scene->view);
    bool notarize = m->kind == SLU_MSG_VOTE && m->vote.kind == SLU_NOTARIZE;
    return !about || !notarize || to == scene->a;
}

static void test_n_is_durable_with_finalize(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct scene scene = {.view = 5 + seed % 4, .fixed_ms = UINT64_MAX};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        scene.b = (uint16_t)(scene.view % 4);
        scene.a = (uint16_t)(scene.view + 1) % 4;
        scene.c = (uint16_t)(scene.view + 2) % 4;
        scene.x = (uint16_t)(scene.view + 3) % 4;
        plan.roles[scene.x] = SIM_SILENT;
        plan.calm_ms = plan.load_until_ms = 4000;
        plan.run_until_ms = 5000;
        plan.give_up_ms = 15000;
        plan.lost_in_flight_permille = 0;
        plan.tear_permille = 0;
        struct sim *sim = scene_begin(&scene, &plan, n_forms_at_a);
        sim_run_until(sim, 2500);
        assert_true(scene.held);
        scene_end_ok(&scene);
    }
}

/* N(v) forms at `a` alone again, but a lives: it relays N at once, so that nobody times out. */
static bool votes_reach_a_only(void *context, struct sim *sim, const struct sim_packet *packet,
                               uint16_t to, uint64_t *delay_ms)
{
    struct scene *scene = context;
    const struct slu_message *m = packet->message;
    (void)delay_ms;
    if (m->kind == SLU_MSG_PROPOSAL && m->proposal.view == scene->view && !scene->held) {
        scene->held = true;
        byz_vote(sim, scene->x, SLU_NOTARIZE, scene->view, m->proposal.block,
                 UINT64_C(1) << scene->a);
    }
    return m->kind != SLU_MSG_VOTE || m->vote.view != scene->view || m->vote.kind != SLU_NOTARIZE ||
           to == scene->a;
}

/* When each of a and c left the view. */
static void note_leaving(void *context, struct sim *sim)
{
    struct scene *scene = context;
    for (uint16_t i = 0; i < 4; i++)
        if (sim->nodes[i].core && !scene->left_ms[i] &&
            slu_core_stats(sim->nodes[i].core)->view > scene->view)
            scene->left_ms[i] = sim->now_ms;
}

static void test_certificates_are_relayed(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct scene scene = {.view = 5 + seed % 4};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        scene.a = (uint16_t)(scene.view + 1) % 4;
        scene.x = (uint16_t)(scene.view + 3) % 4;
        plan.roles[scene.x] = SIM_SILENT;
        struct sim *sim = scene_begin(&scene, &plan, votes_reach_a_only);
        sim->hooks.tick = note_leaving;
        scene_end_ok(&scene);
        assert_true(scene.held);
        for (uint16_t i = 0; i < 4; i++)
            assert_true(i == scene.x || scene.left_ms[i] <= scene.left_ms[scene.a] + 50);
    }
}

/* Everybody crashes right after writing the vote; nothing of it left. */
static void crash_all(struct sim_plan *plan, uint8_t vote, enum sim_crash_when when)
{
    for (uint16_t i = 0; i < plan->n; i++)
        if (plan->roles[i] == SIM_HONEST)
            plan->snipes[plan->snipe_count++] = (struct sim_snipe){.node = i,
                                                                   .vote = vote,
                                                                   .count = 1,
                                                                   .after_ms = 700,
                                                                   .down_ms = 50u + 30u * i,
                                                                   .when = when};
}

static void test_all_who_saw_the_proposal_restart(void **state)
{
    (void)state;
    static const uint8_t votes[] = {SLU_NOTARIZE, SLU_FINALIZE};
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct scene scene = {0};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        if (seed % 3 == 0)
            plan.roles[3] = SIM_SILENT;
        crash_all(&plan, votes[seed % 2], seed % 4 < 2 ? SIM_AFTER_SYNC : SIM_AMID_EFFECTS);
        struct sim *sim = scene_begin(&scene, &plan, NULL);
        sim_run_until(sim, 1500);
        assert_true(sim->result.counts[SIM_N_CRASHES] >= 3);
        scene_end_ok(&scene);
    }
}

static bool lose_proposal(void *context, struct sim *sim, const struct sim_packet *packet,
                          uint16_t to, uint64_t *delay_ms)
{
    struct scene *scene = context;
    const struct slu_message *m = packet->message;
    (void)to;
    (void)delay_ms;
    (void)sim;
    return m->kind != SLU_MSG_PROPOSAL || m->proposal.view != scene->view;
}

static void test_quorum_crashes_after_writing_nullify(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct scene scene = {.view = 10 + seed % 4};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.calm_ms = 2000;
        crash_all(&plan, SLU_NULLIFY, seed % 2 ? SIM_AFTER_SYNC : SIM_AMID_EFFECTS);
        for (uint32_t i = 0; i < plan.snipe_count; i++)
            plan.snipes[i].after_ms = 0;
        struct sim *sim = scene_begin(&scene, &plan, lose_proposal);
        sim_run_until(sim, 2500);
        assert_true(sim->result.counts[SIM_N_CRASHES] >= 3);
        scene_end_ok(&scene);
    }
}

/* N(v) reaches node a only once it has nullified v: it must not sign Finalize(v) then, not when it
 * resends and not when it restarts (invariant 3). */
static bool n_comes_late(void *context, struct sim *sim, const struct sim_packet *packet,
                         uint16_t to, uint64_t *delay_ms)
{
    struct scene *scene = context;
    (void)delay_ms;
    uint64_t view = kind_of(packet) == SLU_MSG_REPORT ? 0 : view_of(packet->message);
    if (to != scene->a || view < scene->view)
        return true;
    if (sim->nodes[scene->a].core && stats_of(scene, scene->a)->votes_sent[SLU_NULLIFY] > 0)
        scene->held = true;
    scene->seen += scene->held;
    return scene->held || sim->now_ms > 1500;
}

static void test_no_finalize_after_a_timeout(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct scene scene = {.view = 8, .a = (uint16_t)(seed % 4)};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.crashes[plan.crash_count++] =
            (struct sim_crash){.node = scene.a, .at_ms = 1600, .up_ms = 1700};
        struct sim *sim = scene_begin(&scene, &plan, n_comes_late);
        sim_run_until(sim, 1550);
        assert_true(stats_of(&scene, scene.a)->votes_sent[SLU_NULLIFY] > 0);
        assert_true(scene.seen > 0);
        scene_end_ok(&scene);
    }
}

/* A node that lags hears old views again after others finalised far beyond: its flags still hold.
 */
static void test_vote_flags_outlive_final_views(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct scene scene = {0};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.partitions[0] = (struct sim_partition){
            .from_ms = 400, .to_ms = 1300, .side = 1u << (seed % 4), .hold = true};
        plan.partition_count = 1;
        plan.roles[(seed + 1) % 4] = SIM_PUPPET; /* replays */
        for (uint32_t i = 0; i < BYZ_HABITS; i++)
            plan.byz_permille[i] = i == BYZ_RELEASES || i == BYZ_VOTES ? 900 : 0;
        plan.crashes[plan.crash_count++] =
            (struct sim_crash){.node = (uint16_t)(seed % 4), .at_ms = 1350, .up_ms = 1400};
        scene_begin(&scene, &plan, NULL);
        scene_end_ok(&scene);
    }
}

/* Vote records are deleted every 256 final views, and only up to the final one. Node a votes on
 * while F(257) is late, then hears of nothing else: it deletes, times out, loses its memory, and
 * comes back alone into a view in which it voted. */
#define PRUNES_AT 257u

static bool f_comes_late_and_alone(void *context, struct sim *sim, const struct sim_packet *packet,
                                   uint16_t to, uint64_t *delay_ms)
{
    struct scene *scene = context;
    const struct slu_message *m = packet->message;
    if (to != scene->a || sim->now_ms >= scene->fixed_ms)
        return true;
    if (!scene->held && m->kind == SLU_MSG_VOTE && is_final(m) && view_of(m) == PRUNES_AT) {
        if (!scene->left_ms[0])
            scene->left_ms[0] = sim->now_ms;
        *delay_ms = 70;
        return true;
    }
    bool about_late = is_final(m) && view_of(m) + 7 >= PRUNES_AT;
    bool alone = scene->left_ms[0] && sim->now_ms > scene->left_ms[0] + 50;
    return !scene->held && !about_late && !alone;
}

static void crash_after_pruning(void *context, struct sim *sim)
{
    struct scene *scene = context;
    struct sim_node *a = &sim->nodes[scene->a];
    if (scene->held || !a->core || stats_of(scene, scene->a)->final_view < PRUNES_AT)
        return;
    uint32_t view = (uint32_t)stats_of(scene, scene->a)->view;
    if (view >= a->ledger_cap || !a->ledger[view].record[SLU_NULLIFY])
        return; /* this is also the sync that makes the deletion durable */
    for (uint32_t above = PRUNES_AT + 1; above < view; above++)
        scene->dropped += a->ledger[above].record[SLU_FINALIZE];
    scene->held = true;
    scene->fixed_ms = sim->now_ms + 800;
    sim_node_crash(a, false);
    sim_at(sim, sim->now_ms + 20, &(struct sim_event){.kind = SIM_EV_RESTART, .node = scene->a});
}

static void test_vote_records_outlive_pruning(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct scene scene = {.a = (uint16_t)(seed % 4), .fixed_ms = UINT64_MAX};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.params.heartbeat_ms = plan.params.heartbeat_idle_ms = 10;
        plan.params.delta_ms = 10;
        plan.load_every_ms = 30;
        plan.calm_ms = plan.load_until_ms = 6000;
        plan.run_until_ms = 7000;
        plan.give_up_ms = 20000;
        struct sim *sim = scene_begin(&scene, &plan, f_comes_late_and_alone);
        sim->hooks.tick = crash_after_pruning;
        sim_run_until(sim, 5500);
        assert_true(scene.held && scene.fixed_ms < 5500);
        assert_true(scene.dropped > 1); /* Finalize votes above the final view */
        scene_end_ok(&scene);
    }
}

/* The Byzantine x votes Notarize towards a and Nullify towards b and c: a holds N(v), the others
 * Z(v), and each side must take the other's ancestry. */
static bool split_view(void *context, struct sim *sim, const struct sim_packet *packet, uint16_t to,
                       uint64_t *delay_ms)
{
    struct scene *scene = context;
    const struct slu_message *m = packet->message;
    (void)delay_ms;
    if (m->kind == SLU_MSG_PROPOSAL && m->proposal.view == scene->view) {
        if (to == scene->a && !scene->held) {
            static const uint8_t none[32];
            scene->held = true;
            scene->fixed_ms = sim->now_ms + 1000;
            byz_vote(sim, scene->x, SLU_NOTARIZE, scene->view, m->proposal.block,
                     UINT64_C(1) << scene->a);
            byz_vote(sim, scene->x, SLU_NULLIFY, scene->view, none,
                     UINT64_C(1) << scene->b | UINT64_C(1) << scene->c);
        }
        return to == scene->a || sim->now_ms >= scene->fixed_ms;
    }
    bool about =
        (m->kind == SLU_MSG_VOTE && m->vote.view == scene->view && m->vote.kind != SLU_NULLIFY) ||
        (m->kind == SLU_MSG_CERT && m->cert.view == scene->view);
    return !about || to == scene->a || sim->now_ms >= scene->fixed_ms;
}

static void test_one_side_holds_n_the_other_z(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct scene scene = {.view = 5 + seed % 4, .fixed_ms = UINT64_MAX};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        scene.b = (uint16_t)(scene.view % 4);
        scene.a = (uint16_t)((scene.view + 1 + seed / 4) % 4);
        scene.c = (uint16_t)((scene.view + 2 - seed / 4) % 4);
        scene.x = (uint16_t)(scene.view + 3) % 4;
        plan.roles[scene.x] = SIM_SILENT;
        plan.calm_ms = plan.load_until_ms = 4000;
        plan.run_until_ms = 5000;
        plan.give_up_ms = 15000;
        struct sim *sim = scene_begin(&scene, &plan, split_view);
        sim_run_until(sim, 2500);
        assert_true(scene.held);
        scene_end_ok(&scene);
    }
}

/* ---- catching up ---- */

/* A node that was away for many views asks for ranges; the answers stay in proportion. */
static void test_certificates_answer_in_proportion(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    scene_plan(&plan, 5, 4);
    plan.params.heartbeat_ms = plan.params.heartbeat_idle_ms = 10;
    plan.params.delta_ms = 10;
    plan.params.resend_ms = 60;
    plan.crashes[plan.crash_count++] = (struct sim_crash){.node = 2, .at_ms = 200, .up_ms = 1500};
    struct sim *sim = scene_begin(&scene, &plan, NULL);
    sim_run_until(sim, 1490);
    uint64_t views = sim->world.view_top, certs = sim->sent_by_kind[SLU_MSG_CERT];
    assert_true(views > 20);
    sim_run_until(sim, 1900);
    uint64_t more = sim->world.view_top - views;
    assert_true(sim->sent_by_kind[SLU_MSG_CERT] - certs < 100 + 6 * views + 80 * more);
    assert_true(stats_of(&scene, 2)->delivered_height + 10 > stats_of(&scene, 0)->delivered_height);
    scene_end_ok(&scene);
}

/* Small windows and restarts: what a node forgets must not change what it delivers. */
/* Views whose block does not reach a node before `fixed_ms`, by node. */
static const uint64_t missed_view[] = {6, 10, 0, 8};

/* Nodes 0 and 3 each miss one block and see the next one final, so that what follows does not
 * connect; node 1 misses a later one. Nobody is served runs meanwhile. Then node 2, who has it all,
 * is gone. */
static bool gaps(void *context, struct sim *sim, const struct sim_packet *packet, uint16_t to,
                 uint64_t *delay_ms)
{
    struct scene *scene = context;
    const struct slu_message *m = packet->message;
    (void)delay_ms;
    if (sim->now_ms >= scene->fixed_ms)
        return packet->from != 2;
    if (to == 2)
        return true;
    bool missed = (m->kind == SLU_MSG_PROPOSAL && m->proposal.view == missed_view[to]) ||
                  (m->kind == SLU_MSG_BLOCKS && m->blocks.items[0].view == missed_view[to]);
    scene->dropped += missed;
    return !missed && (m->kind != SLU_MSG_BLOCKS || !m->blocks.has_cert);
}

static void test_final_blocks_above_a_gap_are_kept(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct scene scene = {.fixed_ms = 1500};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.roles[2] = SIM_DEVIANT; /* of no behaviour: what it does is right until it is gone */
        struct sim *sim = scene_begin(&scene, &plan, gaps);
        sim_run_until(sim, scene.fixed_ms);
        for (uint16_t i = 0; i < 4; i++) {
            assert_true(stats_of(&scene, i)->final_view > 12);
            assert_true(i == 2 || stats_of(&scene, i)->delivered_height < 10);
        }
        scene_end_ok(&scene);
        assert_true(scene.dropped > 0);
    }
}

static void test_no_divergence_under_pruning(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct scene scene = {0};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.params.dedup_window_ms = 1000;
        plan.params.dedup_entries_max = 1024;
        plan.load_txs_max = 12;
        plan.load_every_ms = 30;
        plan.odd_permille = 300;
        plan.load_body_max = 20;
        for (uint16_t i = 0; i < 4; i++)
            plan.crashes[plan.crash_count++] =
                (struct sim_crash){.node = i, .at_ms = 1500 + 900u * i, .up_ms = 1900 + 900u * i};
        plan.calm_ms = 4700;
        plan.load_until_ms = 8000;
        plan.run_until_ms = 8500;
        plan.give_up_ms = 16000;
        scene_begin(&scene, &plan, NULL);
        scene_end_ok(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equivocating_owner),
        cmocka_unit_test(test_one_lost_ack_vector),
        cmocka_unit_test(test_blocks_need_no_bodies),
        cmocka_unit_test(test_fetch_pinned_to_a_dead_node),
        cmocka_unit_test(test_fetches_do_not_fall_into_step),
        cmocka_unit_test(test_leader_that_waits_for_the_heartbeat_is_not_timed_out),
        cmocka_unit_test(test_idle_chain_skips_nobody),
        cmocka_unit_test(test_n_is_durable_with_finalize),
        cmocka_unit_test(test_certificates_are_relayed),
        cmocka_unit_test(test_all_who_saw_the_proposal_restart),
        cmocka_unit_test(test_quorum_crashes_after_writing_nullify),
        cmocka_unit_test(test_no_finalize_after_a_timeout),
        cmocka_unit_test(test_vote_flags_outlive_final_views),
        cmocka_unit_test(test_vote_records_outlive_pruning),
        cmocka_unit_test(test_one_side_holds_n_the_other_z),
        cmocka_unit_test(test_certificates_answer_in_proportion),
        cmocka_unit_test(test_final_blocks_above_a_gap_are_kept),
        cmocka_unit_test(test_no_divergence_under_pruning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
