/* Deviants do what they are for: one of four deviates in a run of the simulator, what it sends is
 * looked at, and every invariant holds all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "byzantine/state.h"
#include "consensus/state.h"
#include "sluice/error.h"
#include "tests/sim/byz.h"
#include "wire/bundle.h"

#define LIAR     1u
#define VIEWS    512u
#define BATCHES  1024u
#define DELAY_MS 120u

/* What was seen of the liar. */
struct seen {
    uint32_t batch_digest[BATCHES][4]; /* by position and receiver: start of the digest */
    uint32_t ack_digest[BATCHES][4];
    uint8_t block[VIEWS][4][32]; /* proposed, by view and receiver */
    bool proposed[VIEWS][4];
    uint8_t notarized[VIEWS][2][32];
    uint32_t notarized_count[VIEWS];
    bool nullified[VIEWS], finalized[VIEWS];
    uint32_t proposals, own_tips, early, wide, tainted;
    uint64_t sent;
};

static uint32_t start_of(const uint8_t digest32[32])
{
    uint32_t word;
    memcpy(&word, digest32, 4);
    return word;
}

static void see_vote(struct seen *s, enum slu_vote_kind kind, uint64_t view, const uint8_t *block)
{
    if (view >= VIEWS)
        return;
    s->nullified[view] |= kind == SLU_NULLIFY;
    s->finalized[view] |= kind == SLU_FINALIZE;
    for (uint32_t i = 0; kind == SLU_NOTARIZE && i < s->notarized_count[view]; i++)
        if (!memcmp(s->notarized[view][i], block, 32))
            return;
    if (kind == SLU_NOTARIZE && s->notarized_count[view] < 2)
        memcpy(s->notarized[view][s->notarized_count[view]++], block, 32);
}

static bool carries(const struct world_batch *batch, uint64_t rollup)
{
    struct slu_reader r = slu_reader_of(batch->payload, batch->header.payload_bytes);
    struct slu_tx tx;
    for (uint32_t i = 0; batch->payload && i < batch->header.txs && slu_tx_read(&r, &tx); i++) {
        struct slu_bundle bundle = {.count = 0};
        bool read = tx.kind == SLU_TX_BUNDLE && !slu_bundle_read(&bundle, tx.body, tx.body_len);
        if (tx.rollup == rollup || (read && slu_bundle_has(&bundle, rollup)))
            return true;
    }
    return false;
}

static void see_proposal(struct seen *s, struct sim *sim, const struct slu_proposal *p, uint16_t to)
{
    see_vote(s, SLU_NOTARIZE, p->view, p->block);
    if (p->view >= VIEWS || s->proposed[p->view][to])
        return;
    s->proposed[p->view][to] = true;
    memcpy(s->block[p->view][to], p->block, 32);
    s->proposals++;
    for (uint16_t i = 0; i < p->count; i++)
        if (p->reports[i].node == LIAR) {
            const struct slu_report *own = world_report(&sim->world, p->reports[i].digest);
            s->own_tips += own ? own->count : 1000;
        }
}

static void see_tips(struct seen *s, struct sim *sim, const struct slu_lane_tip *tips,
                     uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        const struct world_batch *batch = world_batch(&sim->world, tips[i].tip.digest);
        s->tainted += tips[i].lane != LIAR && batch && carries(batch, 7);
    }
}

static bool packet(void *context, struct sim *sim, const struct sim_packet *p, uint16_t to,
                   uint64_t *delay_ms)
{
    struct seen *s = context;
    const struct slu_message *m = p->message;
    (void)delay_ms;
    if (p->from != LIAR)
        return true;
    s->sent++;
    if (m->kind == SLU_MSG_BATCH && m->batch.header.lane == LIAR &&
        m->batch.header.position < BATCHES) {
        uint64_t age = sim->genesis.created_ms + sim->now_ms - m->batch.header.made_at_ms;
        s->early += age < DELAY_MS;
        s->batch_digest[m->batch.header.position][to] = start_of(m->batch.header.digest);
    } else if (m->kind == SLU_MSG_ACKS && m->acks.node == LIAR) {
        for (uint16_t i = 0; i < m->acks.count; i++)
            if (m->acks.acks[i].lane == LIAR && m->acks.acks[i].tip.position < BATCHES)
                s->ack_digest[m->acks.acks[i].tip.position][to] =
                    start_of(m->acks.acks[i].tip.digest);
        see_tips(s, sim, m->acks.acks, m->acks.count);
        uint64_t view = slu_core_stats(sim->nodes[LIAR].core)->view;
        s->wide += to != view % 4 && to != (view + 1) % 4 && to != (view + 3) % 4;
    } else if (m->kind == SLU_MSG_REPORT && m->report.node == LIAR && m->report.view % 4 != LIAR) {
        see_tips(s, sim, m->report.tips, m->report.count);
    } else if (m->kind == SLU_MSG_PROPOSAL && m->proposal.node == LIAR) {
        see_proposal(s, sim, &m->proposal, to);
    } else if (m->kind == SLU_MSG_VOTE && m->vote.node == LIAR) {
        see_vote(s, (enum slu_vote_kind)m->vote.kind, m->vote.view, m->vote.block);
    }
    return true;
}

static void quiet_plan(struct sim_plan *plan, uint64_t seed, const char *name, const char *value)
{
    sim_plan_quiet(plan, seed, 4);
    plan->faultless = false;
    plan->roles[LIAR] = SIM_DEVIANT;
    plan->load_every_ms = 30;
    plan->load_until_ms = 3000;
    plan->run_until_ms = 3500;
    plan->give_up_ms = plan->run_until_ms + 3 * sim_plan_patience_ms(plan);
    assert_int_equal(slu_behaviours_set(&plan->behaviours[LIAR], name, value), SLU_OK);
}

static uint32_t bundle_permille; /* of what is submitted in the next runs */

/* Runs with one liar of this behaviour; the run is left for the caller to look at and free. */
static struct sim *run(struct seen *seen, uint64_t seed, const char *name, const char *value,
                       uint32_t drop_permille)
{
    struct sim_plan plan;
    quiet_plan(&plan, seed, name, value);
    plan.drop_permille = drop_permille;
    plan.bundle_permille = bundle_permille;
    plan.wild_ms = plan.calm_ms = drop_permille ? 1500 : 0;
    memset(seen, 0, sizeof *seen);
    struct sim *sim = sim_new(&plan, NULL);
    sim->hooks.context = seen;
    sim->hooks.packet = packet;
    const struct sim_result *result = sim_run(sim);
    if (!result->ok)
        print_error("%s, seed %lu, invariant %d: %s\n", name, seed, result->invariant,
                    result->what);
    assert_true(result->ok);
    assert_true(result->blocks > 10);
    return sim;
}

static struct seen seen;

static void test_names(void **state)
{
    (void)state;
    struct slu_behaviours b = {0};
    assert_int_equal(slu_behaviours_set(&b, "be_nice", "yes"), SLU_ERR_NOT_FOUND);
    assert_int_equal(slu_behaviours_set(&b, "vote_twice", "no"), SLU_ERR_CONFIG);
    assert_int_equal(slu_behaviours_set(&b, "refuse_rollup", "0"), SLU_ERR_CONFIG);
    assert_int_equal(slu_behaviours_set(&b, "refuse_rollup", "7x"), SLU_ERR_CONFIG);
    assert_int_equal(slu_behaviours_set(&b, "refuse_rollup", "9007199254740992"), SLU_ERR_CONFIG);
    assert_int_equal(slu_behaviours_set(&b, "delay_ms", "60001"), SLU_ERR_CONFIG);
    assert_int_equal(slu_behaviours_set(&b, "delay_ms", ""), SLU_ERR_CONFIG);
    assert_int_equal(slu_behaviours_set(&b, "refuse_client", ""), SLU_ERR_CONFIG);
    assert_int_equal(b.set, 0);
    for (int i = 0; i < SLU_BEHAVIOURS; i++) {
        const char *value = i == SLU_REFUSE_ROLLUP || i == SLU_DELAY_MS ? "9"
                            : i == SLU_REFUSE_CLIENT                    ? "127.0.0.2"
                                                                        : "yes";
        assert_int_equal(slu_behaviours_set(&b, slu_behaviour_name((enum slu_behaviour)i), value),
                         SLU_OK);
        assert_true(slu_behaves(&b, (enum slu_behaviour)i));
    }
    assert_int_equal(b.rollup, 9);
    assert_int_equal(b.delay_ms, 9);
    assert_true(slu_behaviours_refuse_client(&b, "127.0.0.2:4711"));
    assert_true(slu_behaviours_refuse_client(&b, "127.0.0.2"));
    assert_false(slu_behaviours_refuse_client(&b, "127.0.0.21:4711"));
    assert_false(slu_behaviours_refuse_client(&b, "127.0.0.1:4711"));
    b.set = 0;
    assert_false(slu_behaviours_refuse_client(&b, "127.0.0.2:4711"));
}

static void test_equivocate_batches(void **state)
{
    (void)state;
    uint32_t forked = 0, acked = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct sim *sim = run(&seen, seed, "equivocate_batches", "yes", 0);
        for (uint32_t p = 0; p < BATCHES; p++) {
            const uint32_t *b = seen.batch_digest[p], *a = seen.ack_digest[p];
            forked += b[0] && b[2] && b[3] && (b[0] != b[2] || b[0] != b[3]);
            acked += a[0] && a[2] && a[3] && (a[0] != a[2] || a[0] != a[3]);
        }
        sim_free(sim);
    }
    assert_true(forked >= 10);
    assert_true(acked >= 5);
}

/* ---- who acked one chain, sees the other final and comes back from a crash then ---- */

struct dead_end {
    bool crashed;
};

/* Node 0 cannot deliver before the network is good: it lacks what node 2 ordered. */
static bool hold_up_0(void *context, struct sim *sim, const struct sim_packet *p, uint16_t to,
                      uint64_t *delay_ms)
{
    (void)context;
    (void)delay_ms;
    bool lacks = to == 0 && p->message->kind == SLU_MSG_BATCH && p->message->batch.header.lane == 2;
    return !lacks || sim->now_ms >= sim->plan.calm_ms;
}

static void crash_in_dead_end(void *context, struct sim *sim)
{
    struct dead_end *end = context;
    const struct slu_core *core = sim->nodes[0].core;
    if (!core || end->crashed)
        return;
    const struct slu_lane *lane = &core->lanes[LIAR];
    uint32_t acked = slu_lane_find(lane, lane->acked.digest);
    uint32_t committed = slu_lane_find(lane, lane->committed.digest);
    if (lane->committed.position <= lane->delivered.position ||
        lane->acked.position <= lane->committed.position || acked == SLU_NONE ||
        slu_lane_descends(lane, acked, committed))
        return;
    end->crashed = true;
    sim_at(sim, sim->now_ms + 1,
           &(struct sim_event){.kind = SIM_EV_CRASH, .node = 0, .value = (sim->now_ms + 2) << 1});
}

static void test_crash_in_a_dead_end(void **state)
{
    (void)state;
    uint32_t crashed = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct sim_plan plan;
        struct dead_end end = {0};
        quiet_plan(&plan, seed, "equivocate_batches", "yes");
        plan.calm_ms = 2000;
        struct sim *sim = sim_new(&plan, NULL);
        sim->hooks.context = &end;
        sim->hooks.packet = hold_up_0;
        sim->hooks.tick = crash_in_dead_end;
        const struct sim_result *result = sim_run(sim);
        if (!result->ok)
            print_error("seed %lu, invariant %d: %s\n", seed, result->invariant, result->what);
        assert_true(result->ok);
        crashed += end.crashed;
        sim_free(sim);
    }
    assert_true(crashed >= 2);
}

/* Both proposals of a view are what must be computed from the reports that they name. */
static void test_equivocate_proposals(void **state)
{
    (void)state;
    uint32_t doubled = 0;
    struct sim *sim = run(&seen, 2, "equivocate_proposals", "yes", 0);
    for (uint32_t v = 0; v < VIEWS; v++) {
        const uint8_t(*b)[32] = (const uint8_t(*)[32])seen.block[v];
        if (!seen.proposed[v][0] || !seen.proposed[v][2] || !seen.proposed[v][3])
            continue;
        uint16_t other = memcmp(b[0], b[2], 32) ? 2 : 3;
        assert_true(memcmp(b[0], b[other], 32));
        assert_true(world_proposal(&sim->world, b[0])->right);
        assert_true(world_proposal(&sim->world, b[other])->right);
        assert_int_equal(seen.notarized_count[v], 2);
        doubled++;
    }
    /* Two proposals carry two Notarize: evidence of the first, and its turns are skipped from then on. */
    assert_true(doubled >= 1);
    assert_int_equal(sim->oracle.evidence, 1);
    struct slu_inbox_status status;
    slu_core_inbox_status(sim->nodes[0].core, &status);
    assert_int_equal(status.slashed, UINT64_C(1) << LIAR);
    sim_free(sim);
}

static void test_worst_quorum(void **state)
{
    (void)state;
    uint32_t accepted = 0;
    struct sim *sim = run(&seen, 3, "worst_quorum", "yes", 0);
    assert_true(seen.proposals > 9);
    assert_int_equal(seen.own_tips, 0); /* its own report says nothing */
    for (uint32_t v = 0; v < VIEWS; v++)
        for (uint16_t to = 0; to < 4; to++)
            if (seen.proposed[v][to])
                assert_true(world_proposal(&sim->world, seen.block[v][to])->right);
    for (uint32_t v = LIAR; v < VIEWS; v += 4)
        if (seen.proposed[v][0])
            accepted += sim_table_get(&sim->world.final_at, seen.block[v][0]) != SIM_NONE;
    assert_true(accepted > 3);
    sim_free(sim);
}

static void test_vote_twice(void **state)
{
    (void)state;
    uint32_t notarized = 0, both = 0;
    struct sim *sim = run(&seen, 4, "vote_twice", "yes", 0);
    for (uint32_t v = 0; v < VIEWS; v++) {
        notarized += seen.notarized_count[v] == 2;
        both += seen.nullified[v] && seen.finalized[v];
    }
    assert_true(notarized > 5);
    assert_true(both > 5);
    sim_free(sim);
}

static void test_silent_leader(void **state)
{
    (void)state;
    struct sim *sim = run(&seen, 5, "silent_leader", "yes", 0);
    assert_int_equal(seen.proposals, 0);
    for (uint32_t v = LIAR; v < VIEWS; v += 4)
        assert_int_equal(seen.notarized_count[v], 0);
    assert_true(seen.sent > 0);
    sim_free(sim);
}

static void test_delay(void **state)
{
    (void)state;
    struct sim *sim = run(&seen, 6, "delay_ms", "120", 0);
    uint32_t batches = 0;
    for (uint32_t p = 0; p < BATCHES; p++)
        batches += seen.batch_digest[p][0] != 0;
    assert_true(batches > 5);
    assert_int_equal(seen.early, 0);
    assert_int_equal(slu_deviant_stats(sim->nodes[LIAR].deviant)->lost, 0);
    sim_free(sim);
}

static void test_certificates_to_leader(void **state)
{
    (void)state;
    struct sim *sim = run(&seen, 7, "certificates_to_leader", "yes", 0);
    uint32_t acks = 0;
    for (uint32_t p = 0; p < BATCHES; p++)
        acks += seen.ack_digest[p][0] || seen.ack_digest[p][2] || seen.ack_digest[p][3];
    assert_true(acks > 5);
    assert_int_equal(seen.wide, 0);
    sim_free(sim);
}

static void test_refuse_rollup(void **state)
{
    (void)state;
    bundle_permille = 500; /* by one of its legs, too */
    struct sim *sim = run(&seen, 8, "refuse_rollup", "7", 0);
    assert_true(seen.sent > 0);
    assert_int_equal(seen.tainted, 0);
    for (uint32_t i = 0; i < sim->world.batch_count; i++)
        if (sim->world.batches[i].header.lane == LIAR)
            assert_false(carries(&sim->world.batches[i], 7));
    sim_free(sim);
    sim = run(&seen, 8, "refuse_rollup", "8", 0); /* and would have named it */
    assert_true(seen.tainted > 0);
    sim_free(sim);
    bundle_permille = 0;
}

static void test_refuse_client(void **state)
{
    (void)state;
    struct sim *sim = run(&seen, 9, "refuse_client", "client-1", 0);
    assert_true(sim->result.counts[SIM_N_DEVIATIONS] > 5);
    sim_free(sim);
}

static void test_bad_answers(void **state)
{
    (void)state;
    static const char *const names[] = {"garbage_answers", "stale_answers"};
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct sim *sim = run(&seen, seed, names[seed % 2], "yes", 300);
        assert_true(sim->result.counts[SIM_N_DEVIATIONS] > 0);
        sim_free(sim);
    }
}

static int sign(void *context, uint8_t signature64[64], enum slu_role role, uint64_t view,
                const uint8_t digest32[32])
{
    (void)context, (void)role, (void)view;
    memcpy(signature64, digest32, 32);
    memcpy(signature64 + 32, digest32, 32);
    return SLU_OK;
}

/* Inbox items are taken out of what it says, and what is left is signed anew. */
static void test_refuse_forced(void **state)
{
    (void)state;
    struct sim_plan plan;
    struct slu_genesis *g = calloc(1, sizeof *g);
    sim_plan_quiet(&plan, 1, 4);
    sim_plan_genesis(&plan, g);
    struct slu_deviant_config config = {.genesis = g, .self = LIAR, .signer = {NULL, sign}};
    assert_int_equal(slu_behaviours_set(&config.behaviours, "refuse_forced", "yes"), SLU_OK);
    struct slu_deviant *d = slu_deviant_init(calloc(1, slu_deviant_bytes(g)), &config);
    struct slu_effects *fx = calloc(1, sizeof *fx);
    slu_effects_init(fx, calloc(1, SLU_TURN_BYTES_MAX));
    d->fx = fx;
    struct slu_message *m = calloc(1, sizeof *m);
    m->kind = SLU_MSG_ACKS;
    m->acks.node = LIAR;
    m->acks.count = 1;
    assert_false(slu_dv_strip(d, m));
    assert_false(slu_dv_refuses_item(d, m));
    m->kind = SLU_MSG_HOLDS;
    m->holds.count = 1;
    m->holds.items[0].node = LIAR;
    assert_true(slu_dv_refuses_item(d, m));
    m->holds.items[0].node = LIAR + 1; /* another's, shown to somebody */
    assert_false(slu_dv_refuses_item(d, m));
    m->kind = SLU_MSG_RELAY;
    m->relay = (struct slu_relay){.taker = LIAR};
    assert_true(slu_dv_refuses_item(d, m));
    m->kind = SLU_MSG_REPORT;
    m->report = (struct slu_report){.node = LIAR, .view = 2, .inbox_count = 1};
    assert_true(slu_dv_strip(d, m));
    assert_int_equal(m->report.inbox_count, 0);
    struct slu_report again = m->report;
    slu_report_digest(&again, g);
    assert_memory_equal(again.digest, m->report.signature, 32);
    m->report.node = LIAR + 1; /* another's words are not its own to change */
    m->report.inbox_count = 1;
    assert_false(slu_dv_strip(d, m));
    free(m);
    free(fx->bytes.base);
    free(fx);
    free(d);
    free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_equivocate_batches),
        cmocka_unit_test(test_crash_in_a_dead_end),
        cmocka_unit_test(test_equivocate_proposals),
        cmocka_unit_test(test_worst_quorum),
        cmocka_unit_test(test_vote_twice),
        cmocka_unit_test(test_silent_leader),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_certificates_to_leader),
        cmocka_unit_test(test_refuse_rollup),
        cmocka_unit_test(test_refuse_client),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_refuse_forced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
