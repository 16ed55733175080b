/* The key generation in directed runs: the good case, a node that is away, a dealer that cheats,
 * one that complains falsely, a crash at each step, a better key after a fallback (docs/PROTOCOL.md
 * clauses 7.1 to 7.4, docs/CRYPTO.md clause 7). That all nodes agree at every height is the
 * simulator's invariant 10. */
#include <string.h>

#include "consensus/state.h"
#include "crypto/ristretto.h"
#include "tests/sim/byz.h"
#include "tests/sim/seal_keys.h"
#include "tests/unit/scene.h"

static bool pass(void *context, struct sim *sim, const struct sim_packet *packet, uint16_t to,
                 uint64_t *delay_ms)
{
    (void)context;
    (void)sim;
    (void)packet;
    (void)to;
    (void)delay_ms;
    return true;
}

static void plan_of(struct sim_plan *plan, uint64_t seed, uint16_t n)
{
    scene_plan(plan, seed, n);
    plan->params.sealing = 1;
    plan->params.keygen_window_ms = 500;
    plan->params.keygen_retry_ms = 100000;
    plan->run_until_ms = 4000;
    plan->give_up_ms = plan->run_until_ms + 2 * sim_plan_patience_ms(plan);
}

static struct slu_keygen_status status_of(const struct scene *scene, uint16_t node)
{
    struct slu_keygen_status status;
    slu_core_keygen_status(scene->sim->nodes[node].core, &status);
    return status;
}

/* x_i G = Y_i, and any k shares give the same S for a ciphertext's R. */
static void assert_share_fits(const struct scene *scene, uint16_t node)
{
    const struct slu_committee_key *key =
        slu_keygen_newest(scene->sim->nodes[node].core->keygen);
    uint8_t y_i[32];
    assert_true(key->has_share);
    assert_int_equal(crypto_scalarmult_ristretto255_base(y_i, key->x32), 0);
    assert_memory_equal(y_i, key->cert.key.y_i[node], 32);
}

static void test_all_well(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {1, 4, 7, 10};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct scene scene = {0};
        struct sim_plan plan;
        uint16_t n = sizes[i], f = (uint16_t)((n - 1) / 3);
        plan_of(&plan, 1, n);
        sim_run_until(scene_begin(&scene, &plan, pass), 2000);
        for (uint16_t node = 0; node < n; node++) {
            struct slu_keygen_status status = status_of(&scene, node);
            assert_true(status.has_key);
            assert_int_equal(status.attempt, 1);
            assert_int_equal(status.key_k, n - f);
            assert_int_equal(__builtin_popcountll(status.key_dealers), n);
            assert_share_fits(&scene, node);
        }
        scene_end_ok(&scene);
    }
}

/* One node of four is away from the start: the first attempt wants all four, the second three. */
static void test_falls_back_when_one_is_away(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    plan_of(&plan, 2, 4);
    plan.roles[3] = SIM_SILENT;
    sim_run_until(scene_begin(&scene, &plan, pass), 3900);
    struct slu_keygen_status status = status_of(&scene, 0);
    assert_true(status.has_key);
    assert_int_equal(status.attempt, 2);
    assert_int_equal(status.key_k, 2);
    assert_int_equal(status.key_dealers, 7);
    assert_share_fits(&scene, 1);
    scene_end_ok(&scene);
}

/* It comes back: the fallback key is replaced by one of the full threshold. */
static void test_better_key_when_all_are_back(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    plan_of(&plan, 3, 4);
    plan.params.keygen_retry_ms = 1500;
    plan.partitions[plan.partition_count++] =
        (struct sim_partition){.from_ms = 0, .to_ms = 4000, .side = 8};
    plan.calm_ms = 4100;
    plan.load_until_ms = 6000; /* also without load */
    plan.run_until_ms = 12000;
    plan.give_up_ms = plan.run_until_ms + 2 * sim_plan_patience_ms(&plan);
    sim_run_until(scene_begin(&scene, &plan, pass), 3900);
    struct slu_keygen_status status = status_of(&scene, 0);
    assert_true(status.has_key);
    assert_int_equal(status.key_k, 2);
    sim_run_until(scene.sim, 11900);
    for (uint16_t node = 0; node < 4; node++) {
        status = status_of(&scene, node);
        assert_int_equal(status.key_k, 3);
        assert_in_range(__builtin_popcountll(status.key_dealers), 3, 4);
        assert_share_fits(&scene, node);
    }
    scene_end_ok(&scene);
}

/* ---- a node that cheats ---- */

static int sign_as(void *context, uint8_t signature64[64], enum slu_role role, uint64_t view,
                   const uint8_t digest32[32])
{
    struct scene *scene = context;
    (void)role;
    (void)view;
    sim_sign(scene->sim, scene->x, signature64, digest32);
    return 0;
}

/* Node x, which has no core, says something in the key generation. */
static void say(struct scene *scene, enum slu_keygen_phase phase, const struct slu_dkg *dkg,
                uint16_t dealer, const uint8_t *content, size_t len)
{
    static uint8_t envelope[SLU_KEYGEN_BYTES_MAX];
    struct sim *sim = scene->sim;
    struct slu_signer signer = {.context = scene, .sign = sign_as};
    struct slu_writer w = slu_writer_of(envelope, sizeof envelope);
    struct slu_message *m = &sim->scratch;
    uint64_t until = sim->world.blocks[sim->oracle.heights[sim->oracle.top].block].time_ms +
                     sim->genesis.params.dedup_window_ms - 100;
    assert_int_equal(slu_keygen_write(&w, &sim->genesis, phase, scene->x, dkg->sid, until, dealer,
                                      content, len, &signer),
                     0);
    m->kind = SLU_MSG_RELAY;
    m->relay = (struct slu_relay){.taker = scene->x, .kind = SLU_INBOX_KEYGEN};
    assert_int_equal(slu_relay_derive(&m->relay, &sim->genesis, envelope, slu_writer_len(&w)), 0);
    slu_relay_digest(&m->relay, &sim->genesis);
    sim_sign(sim, scene->x, m->relay.signature, m->relay.digest);
    byz_say(sim, scene->x, m, byz_honest(sim));
}

static const struct slu_dkg *attempt_of(const struct scene *scene)
{
    return &scene->sim->nodes[0].core->keygen->dkg;
}

static void run_to_dealing(struct scene *scene)
{
    uint64_t at = 40; /* every node is up by then */
    do
        sim_run_until(scene->sim, at += 5);
    while (status_of(scene, 0).phase != SLU_KEYGEN_DEALING);
}

/* A dealing whose share for node 0 is sealed to another key: node 0 complains, the dealer is out.
 */
static void test_cheating_dealer_is_out(void **state)
{
    (void)state;
    struct scene scene = {.x = 3};
    struct sim_plan plan;
    static uint8_t dealing[SLU_DKG_DEALING_BYTES_MAX];
    plan_of(&plan, 4, 4);
    plan.roles[3] = SIM_PUPPET;
    memset(plan.byz_permille, 0, sizeof plan.byz_permille);
    struct sim *sim = scene_begin(&scene, &plan, pass);
    run_to_dealing(&scene);
    struct slu_dkg wrong = *attempt_of(&scene);
    struct slu_seal_secrets secrets;
    uint8_t p32[32];
    memcpy(wrong.p[0], wrong.p[1], 32);
    sim_seal_secrets(&secrets, p32, 3);
    slu_dkg_deal(dealing, &wrong, 3, secrets.seed32);
    say(&scene, SLU_KEYGEN_DEAL, &wrong, 0, dealing, slu_dkg_dealing_bytes(&wrong));
    for (uint64_t at = sim->now_ms; status_of(&scene, 0).out == 0 && at < 2000; at += 5)
        sim_run_until(sim, at);
    struct slu_keygen_status status = status_of(&scene, 0);
    assert_int_equal(status.dealt, 15);
    assert_int_equal(status.out, 8);
    sim_run_until(sim, 3900);
    status = status_of(&scene, 1);
    assert_true(status.has_key); /* of the second attempt: three READYs are not enough for k = 3 */
    assert_int_equal(status.key_k, 2);
    assert_int_equal(status.key_dealers, 7);
    scene_end_ok(&scene);
}

/* The share was good: the complaint puts nobody out but shows who lies. One without a proof, one of
 * another attempt and a READY for something else count for nothing. */
static void test_false_complaints(void **state)
{
    (void)state;
    struct scene scene = {.x = 3};
    struct sim_plan plan;
    static uint8_t dealing[SLU_DKG_DEALING_BYTES_MAX];
    uint8_t complaint[SLU_DKG_COMPLAINT_BYTES], p32[32], nothing[32] = {1};
    struct slu_seal_secrets secrets;
    plan_of(&plan, 5, 4);
    plan.params.keygen_window_ms = 3000; /* node 3's messages take their time */
    plan.run_until_ms = 6000;
    plan.give_up_ms = plan.run_until_ms + 2 * sim_plan_patience_ms(&plan);
    plan.roles[3] = SIM_PUPPET;
    memset(plan.byz_permille, 0, sizeof plan.byz_permille);
    struct sim *sim = scene_begin(&scene, &plan, pass);
    run_to_dealing(&scene);
    sim_seal_secrets(&secrets, p32, 3);
    struct slu_dkg dkg = *attempt_of(&scene);
    slu_dkg_deal(dealing, &dkg, 3, secrets.seed32);
    say(&scene, SLU_KEYGEN_DEAL, &dkg, 0, dealing, slu_dkg_dealing_bytes(&dkg));
    for (uint64_t at = sim->now_ms; status_of(&scene, 0).phase != SLU_KEYGEN_SETTLING; at += 5)
        sim_run_until(sim, at);
    const struct slu_keygen *kg = sim->nodes[0].core->keygen;
    memset(complaint, 7, sizeof complaint);
    say(&scene, SLU_KEYGEN_COMPLAINT, &dkg, 1, complaint, sizeof complaint);
    say(&scene, SLU_KEYGEN_READY, &dkg, 0, nothing, sizeof nothing);
    slu_dkg_complain(complaint, &dkg, &kg->read[2], 2, 3, secrets.p32);
    say(&scene, SLU_KEYGEN_COMPLAINT, &dkg, 2, complaint, sizeof complaint);
    for (uint64_t at = sim->now_ms; kg->liars == 0 && at < 3000; at += 5)
        sim_run_until(sim, at);
    assert_int_equal(kg->liars, 8);
    assert_int_equal(kg->out, 0);
    assert_int_equal(kg->complained[3], 4);
    assert_int_equal(kg->ready & 8, 0);
    uint8_t ready[32];
    memcpy(ready, kg->result.ready, 32);
    say(&scene, SLU_KEYGEN_READY, &dkg, 0, ready, sizeof ready);
    sim_run_until(sim, sim->now_ms + 1500);
    struct slu_keygen_status status = status_of(&scene, 0);
    assert_true(status.has_key); /* four READYs: the first attempt's key */
    assert_int_equal(status.key_k, 3);
    assert_int_equal(status.key_dealers, 15);
    scene_end_ok(&scene);
}

/* ---- crashes ---- */

/* A node goes down at every moment of the generation, and comes back: the key comes all the same.
 */
static void test_crash_at_any_point(void **state)
{
    (void)state;
    for (uint64_t at = 5; at < 300; at += 12) {
        struct scene scene = {0};
        struct sim_plan plan;
        plan_of(&plan, at, 4);
        plan.crashes[plan.crash_count++] = (struct sim_crash){
            .node = (uint16_t)(at % 4), .at_ms = at, .up_ms = at + 60 + at % 5 * 10};
        plan.calm_ms = 600;
        sim_run_until(scene_begin(&scene, &plan, pass), 3900);
        for (uint16_t node = 0; node < 4; node++) {
            assert_true(status_of(&scene, node).has_key);
            assert_share_fits(&scene, node);
        }
        scene_end_ok(&scene);
    }
}

/* Drawn seed 461 of one node: a turn is torn off between a key's record and the one that says where the
 * generation stands. The height comes again, and the key was there twice. */
static void test_torn_behind_its_key(void **state)
{
    (void)state;
    struct sim_plan plan;
    sim_plan_draw(&plan, 461, 1);
    struct sim *sim = sim_new(&plan, NULL);
    assert_true(sim_run(sim)->ok);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_well),
        cmocka_unit_test(test_falls_back_when_one_is_away),
        cmocka_unit_test(test_better_key_when_all_are_back),
        cmocka_unit_test(test_cheating_dealer_is_out),
        cmocka_unit_test(test_false_complaints),
        cmocka_unit_test(test_crash_at_any_point),
        cmocka_unit_test(test_torn_behind_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
