/* Releases in directed runs: signatures that are wrong, withheld or lost, nodes that were away or
 * lost their disk, and nodes whose state is damaged (docs/PROTOCOL.md clauses 8.4 to 8.7). That
 * every release is the right one, and that a run ends only when every honest node has every
 * certificate, is the simulator's own (tests/sim/oracle_release.h). */
#include <string.h>

#include "consensus/state.h"
#include "sluice/error.h"
#include "tests/sim/inbox.h"
#include "tests/sim/oracle_release.h"
#include "tests/unit/scene.h"

static bool is_signature(const struct sim_packet *packet)
{
    return kind_of(packet) == SLU_MSG_RELEASE;
}

static bool is_certificate(const struct sim_packet *packet)
{
    return kind_of(packet) == SLU_MSG_RELEASE_CERT;
}

/* While scene.held: of releases, only what node scene.a signed reaches the nodes in the set
 * scene.view (scene.a = n: nothing), and no certificate unless scene.seen. */
static bool rule(void *context, struct sim *sim, const struct sim_packet *packet, uint16_t to,
                 uint64_t *delay_ms)
{
    const struct scene *scene = context;
    (void)sim;
    (void)delay_ms;
    if (!scene->held || !(scene->view >> to & 1))
        return true;
    if (is_signature(packet))
        return packet->message->release.node == scene->a;
    return !is_certificate(packet) || scene->seen;
}

static void plan_for(struct sim_plan *plan, uint64_t seed, uint16_t n, uint64_t until_ms)
{
    scene_plan(plan, seed, n);
    plan->load_until_ms = until_ms - 500;
    plan->run_until_ms = until_ms;
    plan->give_up_ms = plan->run_until_ms + 2 * sim_plan_patience_ms(plan);
}

/* ---- liars and the silent ---- */

static struct sim *run_deviants(struct scene *scene, uint16_t n, uint64_t seed, const char *name)
{
    struct sim_plan plan;
    plan_for(&plan, seed, n, 3000);
    scene_deviants(&plan, name);
    struct sim *sim = scene_begin(scene, &plan, rule);
    sim_run_until(sim, 2900);
    assert_true(sim->result.ok);
    return sim;
}

static const struct world_item *evidence_of(const struct sim *sim, uint16_t node)
{
    for (uint32_t i = 0; i < sim->world.item_count; i++) {
        const struct world_item *item = &sim->world.items[i];
        if (item->tuple.kind == SLU_INBOX_EVIDENCE && item->tuple.offence == SLU_WRONG_RELEASE &&
            item->tuple.offender == node && item->content)
            return item;
    }
    return NULL;
}

static void is_proof(const struct sim *sim, const struct world_item *item, uint16_t node)
{
    static uint8_t bytes[SLU_EVIDENCE_BYTES_MAX];
    static struct slu_genesis outline;
    struct slu_evidence found, said;
    uint32_t len = item->tuple.bytes;
    const struct slu_verifier *verifier = &sim->verifier;
    memcpy(bytes, item->content, len);
    assert_int_equal(slu_evidence_check(&found, &sim->genesis, bytes, len, verifier), SLU_OK);
    assert_int_equal(found.offender, node);
    assert_int_equal(found.offence, SLU_WRONG_RELEASE);
    for (uint32_t at = 0; at < len; at++) {
        bytes[at] ^= 1;
        assert_int_not_equal(slu_evidence_check(&said, &sim->genesis, bytes, len, verifier),
                             SLU_OK);
        bytes[at] ^= 1;
        assert_int_not_equal(slu_evidence_check(&said, &sim->genesis, bytes, at, verifier), SLU_OK);
    }
    /* Who knows of the chain its id only. */
    outline = sim->genesis;
    outline.n = SLU_NODES_MAX;
    memset(outline.nodes, 0, sizeof outline.nodes);
    assert_int_equal(slu_evidence_outline(&said, &outline, bytes, len), SLU_OK);
    assert_int_equal(said.offender, node);
    assert_memory_equal(said.id, found.id, 32);
    assert_true(said.at >= found.at && said.at - found.at <= SLU_RELEASES_BELOW_MAX);
}

/* Everybody certifies everything, and liars are in evidence that proves itself: nobody else is. */
static void test_lies_are_evidence(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {4, 7};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene = {0};
        struct sim *sim = run_deviants(&scene, sizes[i], 9, "lie_releases");
        const struct slu_block *top =
            &sim->world.blocks[sim->oracle.heights[sim->oracle.top].block];
        assert_int_equal(top->evident[SLU_WRONG_RELEASE], sim->byzantine);
        for (uint16_t node = 0; node < sizes[i]; node++) {
            const struct world_item *item = evidence_of(sim, node);
            assert_int_equal(item != NULL, !sim_is_honest(sim, node));
            if (item)
                is_proof(sim, item, node);
        }
        scene_end_ok(&scene);
    }
}

static void test_withheld(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {4, 7};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene = {0};
        struct sim *sim = run_deviants(&scene, sizes[i], 8, "withhold_releases");
        assert_true(sim_node_deviations(&sim->nodes[1]) >= 20);
        for (uint16_t node = 0; node < sizes[i]; node += 2)
            assert_in_range(stats_of(&scene, node)->released_height -
                                stats_of(&scene, node)->certified_height,
                            0, SLU_RELEASE_RUN);
        scene_end_ok(&scene);
    }
}

/* ---- away, and all of them stopped ---- */

static void test_catches_up(void **state)
{
    (void)state;
    for (int wipe = 0; wipe < 2; wipe++) {
        struct scene scene = {0};
        struct sim_plan plan;
        plan_for(&plan, 5, 4, 12000);
        plan.crashes[plan.crash_count++] =
            (struct sim_crash){.node = 2, .at_ms = 1200, .up_ms = 7000, .wipe = wipe};
        plan.calm_ms = 7200;
        struct sim *sim = scene_begin(&scene, &plan, rule);
        sim_run_until(sim, 6900);
        uint64_t missed = stats_of(&scene, 0)->certified_height;
        assert_true(missed > 2 * SLU_RELEASES_SERVED);
        sim_run_until(sim, 11900);
        assert_true(sim->result.ok);
        assert_true(stats_of(&scene, 2)->certified_height > missed);
        assert_true(oracle_release_whole(&sim->oracle, &sim->nodes[2], true));
        /* Its runs are as short as those of the others: certificates come lowest first. */
        struct slu_record_key key = {.kind = SLU_REC_RELEASE_CERT};
        uint64_t last = 0;
        for (key.a = 1; key.a <= missed; key.a++) {
            if (!sim_disk_find(&sim->nodes[2].disk, &key))
                continue;
            assert_in_range(key.a - last, 1, 4 * SLU_RELEASE_RUN);
            last = key.a;
        }
        scene_end_ok(&scene);
    }
}

/* No signature gets through for far more heights than are kept of others'; in every other run all
 * nodes then go down. When signatures pass again everything is certified. */
static void test_none_get_through(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct scene scene = {0};
        struct sim_plan plan;
        plan_for(&plan, 6, 4, 9000);
        plan.calm_ms = 7000;
        for (uint16_t i = 0; restart && i < 4; i++)
            plan.crashes[plan.crash_count++] =
                (struct sim_crash){.node = i, .at_ms = 6000, .up_ms = 6100 + 20u * i};
        struct sim *sim = scene_begin(&scene, &plan, rule);
        scene.view = 15;
        scene.a = 4;
        sim_run_until(sim, 1000);
        scene.held = true;
        uint64_t certified = stats_of(&scene, 0)->certified_height;
        sim_run_until(sim, 5900);
        assert_in_range(stats_of(&scene, 0)->certified_height, certified, certified + 1);
        assert_true(stats_of(&scene, 0)->released_height > certified + 2 * SLU_RELEASE_AHEAD);
        sim_run_until(sim, 6800);
        scene.held = false;
        sim_run_until(sim, 8000);
        assert_true(sim->result.ok);
        assert_true(stats_of(&scene, 0)->certified_height > certified + 2 * SLU_RELEASE_AHEAD);
        scene_end_ok(&scene);
    }
}

/* ---- damaged nodes ---- */

#define DAMAGED 2u

/* A bit of the state that its core has flips: of the ids, which every later state hangs on. */
static void damage(struct sim *sim, uint16_t node)
{
    sim->nodes[node].core->releases.parts[SLU_STATE_IDS][5] ^= 4;
}

static void has_stopped(const struct sim *sim, uint16_t node)
{
    const struct slu_release *mine = &sim->nodes[node].diverged[0];
    const struct slu_release *theirs = &sim->nodes[node].diverged[1];
    struct slu_reader r =
        slu_reader_of(sim->oracle.heights[mine->height].release, SLU_RELEASE_BYTES);
    struct slu_release right;
    assert_false(sim->nodes[node].up);
    assert_true(mine->height > 0);
    assert_int_equal(slu_release_read(&r, sim->genesis.chain_id, &right), 0);
    assert_memory_equal(theirs->digest, right.digest, 32);
    assert_memory_not_equal(mine->digest, right.digest, 32);
}

static bool is_running(const struct sim *sim, uint16_t node)
{
    return sim->nodes[node].up && sim->nodes[node].diverged[0].height == 0;
}

static struct sim *begin_damaged(struct scene *scene, uint16_t n)
{
    struct sim_plan plan;
    plan_for(&plan, 7, n, 4000);
    for (uint16_t i = 0; i < (n - 1) / 3; i++)
        plan.roles[DAMAGED + i] = SIM_DAMAGED;
    struct sim *sim = scene_begin(scene, &plan, rule);
    scene->view = UINT64_C(1) << DAMAGED;
    scene->a = n;
    sim_run_until(sim, 1000);
    assert_true(sim->result.ok);
    for (uint16_t i = 0; i < n; i++)
        assert_true(is_running(sim, i));
    return sim;
}

/* f of them, all damaged in the same way, stop when f+1 others contradict them, and stop nobody. */
static void test_contradicted(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {4, 7};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene = {0};
        struct sim *sim = begin_damaged(&scene, sizes[i]);
        for (uint16_t k = 0; k < (sizes[i] - 1) / 3; k++)
            damage(sim, (uint16_t)(DAMAGED + k));
        sim_run_until(sim, 1500);
        assert_true(sim->result.ok);
        for (uint16_t k = 0; k < sizes[i]; k++) {
            if (sim->nodes[k].role == SIM_DAMAGED)
                has_stopped(sim, k);
            else
                assert_true(is_running(sim, k));
        }
        scene_end_ok(&scene);
    }
}

/* One word against its own, be it a true one, is what a liar could say. With a second it stops; or
 * with a certificate that it asked for, though no signature gets through. */
static void test_contradicted_by_f(void **state)
{
    (void)state;
    for (int certificate = 0; certificate < 2; certificate++) {
        struct scene scene = {0};
        struct sim *sim = begin_damaged(&scene, 4);
        scene.held = true;
        scene.a = 0;
        damage(sim, DAMAGED);
        uint64_t certified = stats_of(&scene, DAMAGED)->certified_height;
        sim_run_until(sim, 2000);
        assert_true(is_running(sim, DAMAGED));
        assert_true(stats_of(&scene, DAMAGED)->certified_height <= certified + 1);
        assert_true(stats_of(&scene, DAMAGED)->released_height > certified + SLU_RELEASE_RUN);
        scene.held = certificate;
        scene.seen = 1;
        scene.a = 4;
        sim_run_until(sim, 2500);
        assert_true(sim->result.ok);
        has_stopped(sim, DAMAGED);
        scene_end_ok(&scene);
    }
}

/* What its disk says of its state, or of its last release, is not what it wrote. */
static void test_damaged_on_disk(void **state)
{
    (void)state;
    static const struct {
        enum slu_record_kind kind;
        size_t at;
    } cases[] = {{SLU_REC_SPACE, 8 + 32 + 32 * SLU_STATE_IDS + 5}, {SLU_REC_RELEASE, 144 + 5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene scene = {0};
        struct sim_plan plan;
        plan_for(&plan, 7, 4, 4000);
        plan.roles[DAMAGED] = SIM_DAMAGED;
        plan.crashes[plan.crash_count++] =
            (struct sim_crash){.node = DAMAGED, .at_ms = 1200, .up_ms = 1300};
        struct sim *sim = scene_begin(&scene, &plan, rule);
        sim_run_until(sim, 1250);
        const struct sim_disk *disk = &sim->nodes[DAMAGED].disk;
        assert_true(disk->counts[cases[i].kind] > 0);
        disk->records[cases[i].kind][disk->counts[cases[i].kind] - 1].value[cases[i].at] ^= 4;
        sim_run_until(sim, 2500);
        assert_true(sim->result.ok);
        has_stopped(sim, DAMAGED);
        for (uint16_t k = 0; k < 4; k++)
            assert_int_equal(is_running(sim, k), k != DAMAGED);
        scene_end_ok(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lies_are_evidence), cmocka_unit_test(test_withheld),
        cmocka_unit_test(test_catches_up),        cmocka_unit_test(test_none_get_through),
        cmocka_unit_test(test_contradicted),      cmocka_unit_test(test_contradicted_by_f),
        cmocka_unit_test(test_damaged_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
