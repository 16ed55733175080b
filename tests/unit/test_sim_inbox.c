/* Forced transactions in directed runs: censors, certificates that only a leader was shown, a taker
 * that crashes, an idle chain, a flood; and evidence of each offence (docs/PROTOCOL.md clauses 6,
 * 8). Every run is held to the invariants, 11 and 14 among them. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/byz.h"
#include "tests/sim/inbox.h"
#include "tests/unit/scene.h"

static void force(struct sim *sim, uint16_t node, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        forced_load(sim, &sim->nodes[node]);
}

/* The same transaction through the inbox and through a lane. */
static void force_twice(struct sim *sim, uint16_t node)
{
    struct sim_node *taker = &sim->nodes[node], *lane = &sim->nodes[(node + 1) % sim->plan.n];
    uint32_t before = taker->inbox_count;
    force(sim, node, 1);
    if (taker->inbox_count == before || !lane->core)
        return;
    const struct sim_item *given =
        &taker->inbox[(taker->inbox_head + taker->inbox_count - 1) % taker->inbox_cap];
    if (given->kind != SIM_ITEM_FORCE)
        return;
    struct sim_item item = {.kind = SIM_ITEM_SUBMIT,
                            .number = given->number | UINT64_C(1) << 61,
                            .bytes_len = given->bytes_len,
                            .count = 1};
    item.bytes = sim_alloc(item.bytes_len);
    memcpy(item.bytes, given->bytes, item.bytes_len);
    sim_node_put(lane, &item);
}

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

/* f nodes that say nothing of anything forced: what an honest node took is queued and delivered. */
static void test_censors(void **state)
{
    (void)state;
    for (uint16_t n = 4; n <= 7; n += 3) {
        struct scene scene = {0};
        struct sim_plan plan;
        scene_plan(&plan, 1, n);
        for (uint16_t i = 0; i < (n - 1) / 3; i++)
            scene_deviant(&plan, (uint16_t)(n - 1 - i), "refuse_forced");
        struct sim *sim = scene_begin(&scene, &plan, pass);
        for (uint64_t at = 300; at < 1500; at += 100) {
            sim_run_until(sim, at);
            force(sim, 0, 2);
        }
        sim_run_until(sim, 2600);
        assert_true(sim->oracle.forced + sim->oracle.skipped >= 20);
        scene_end_ok(&scene);
    }
}

/* Own holds reach the next two leaders only. */
static bool to_leaders_only(void *context, struct sim *sim, const struct sim_packet *packet,
                            uint16_t to, uint64_t *delay_ms)
{
    struct scene *scene = context;
    const struct slu_message *m = packet->message;
    (void)delay_ms;
    if (m->kind == SLU_MSG_FETCH && m->fetch.what == SLU_FETCH_HOLDS)
        scene->seen++;
    if (m->kind != SLU_MSG_HOLDS || m->holds.items[0].node != packet->from)
        return true;
    uint64_t view = stats_of(scene, packet->from)->view;
    bool leads = view % sim->plan.n == to || (view + 1) % sim->plan.n == to;
    scene->dropped += !leads;
    return leads;
}

static void test_certificates_shown_to_leaders_only(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    scene_plan(&plan, 2, 4);
    struct sim *sim = scene_begin(&scene, &plan, to_leaders_only);
    for (uint64_t at = 300; at < 1500; at += 60) {
        sim_run_until(sim, at);
        force(sim, (uint16_t)(at / 60 % 4), 1);
    }
    sim_run_until(sim, 2600);
    assert_true(sim->oracle.forced + sim->oracle.skipped >= 18);
    assert_true(scene.dropped > 0 && scene.seen > 0);
    scene_end_ok(&scene);
}

/* Every own hold is lost until `fixed_ms`; no link comes up again. */
static bool holds_lost(void *context, struct sim *sim, const struct sim_packet *packet, uint16_t to,
                       uint64_t *delay_ms)
{
    struct scene *scene = context;
    (void)to;
    (void)delay_ms;
    if (packet->message->kind != SLU_MSG_HOLDS || sim->now_ms >= scene->fixed_ms)
        return true;
    scene->dropped++;
    return false;
}

static void test_holds_are_said_again(void **state)
{
    (void)state;
    struct scene scene = {.fixed_ms = 900};
    struct sim_plan plan;
    scene_plan(&plan, 8, 4);
    struct sim *sim = scene_begin(&scene, &plan, holds_lost);
    sim_run_until(sim, 600);
    force(sim, 1, 1);
    sim_run_until(sim, 890);
    assert_int_equal(sim->oracle.queued_count, 0);
    sim_run_until(sim, plan.calm_ms - 10);
    assert_int_equal(sim->oracle.forced, 1);
    assert_true(scene.dropped > 0);
    scene_end_ok(&scene);
}

/* Durable, and nothing of it left the node: said again after the restart. */
static void test_taker_crashes_before_the_relay(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    scene_plan(&plan, 3, 4);
    plan.load_every_ms = 0;
    plan.snipes[plan.snipe_count++] = (struct sim_snipe){.node = 0,
                                                         .vote = SLU_VOTE_KINDS,
                                                         .count = 1,
                                                         .after_ms = 600,
                                                         .down_ms = 200,
                                                         .when = SIM_AFTER_SYNC};
    struct sim *sim = scene_begin(&scene, &plan, pass);
    sim_run_until(sim, 600);
    while (!sim->nodes[0].items.count && sim->now_ms < 1400) {
        if (sim->nodes[0].up)
            force(sim, 0, 1);
        sim_run_until(sim, sim->now_ms + 3);
    }
    assert_int_equal(sim->result.counts[SIM_N_CRASHES], 1);
    sim_run_until(sim, 2500);
    assert_true(sim->oracle.forced >= 1);
    scene_end_ok(&scene);
}

static void test_an_idle_chain_does_not_wait_for_heartbeats(void **state)
{
    (void)state;
    struct sim_plan plan;
    sim_plan_quiet(&plan, 4, 4);
    plan.load_every_ms = 0;
    plan.params.heartbeat_ms = 300;
    plan.params.heartbeat_idle_ms = 1000;
    plan.params.skip_ms = 3000;
    plan.params.forced_delay = 3;
    plan.run_until_ms = 8000;
    plan.give_up_ms = 20000;
    struct sim *sim = sim_new(&plan, NULL);
    sim_run_until(sim, 4000);
    uint64_t before = sim->oracle.top;
    assert_true(before < 10);
    force(sim, 1, 1);
    sim_run_until(sim,
                  4400); /* a queueing block and three more, without a heartbeat between them */
    assert_int_equal(sim->oracle.forced, 1);
    assert_true(sim->oracle.top >= before + 4);
    uint64_t after = sim->oracle.top;
    sim_run_until(sim, 5800); /* and it is idle again */
    assert_true(sim->oracle.top <= after + 6);
    assert_true(sim_run(sim)->ok);
    sim_free(sim);
}

/* A flood at one node raises the price and fills the queue; one victim at another node gets its
 * height all the same, and keeps it. */
static void test_a_flood_and_one_victim(void **state)
{
    (void)state;
    struct sim_plan plan;
    sim_plan_quiet(&plan, 5, 4);
    plan.params.dedup_window_ms = 6000;
    plan.params.inbox_items_max = 4096;
    plan.params.tx_bytes_max = 128;
    plan.load_body_max = 80;
    plan.params.postage_base = 1;
    plan.run_until_ms = 5000;
    plan.give_up_ms = 30000;
    struct sim *sim = sim_new(&plan, NULL);
    sim_run_until(sim, 500);
    struct slu_inbox_status cheap, dear;
    slu_core_inbox_status(sim->nodes[1].core, &cheap);
    force(sim, 0, 900); /* at the price of the first: most are refused, the node asks for more */
    for (uint32_t i = 0; i < 300; i++) {
        sim_run_until(sim, 500 + i);
        force(sim, 0, 2);
    }
    force(sim, 1, 1);
    slu_core_inbox_status(sim->nodes[1].core, &dear);
    assert_int_equal(cheap.booked_bytes, 0);
    assert_true(dear.booked_bytes > 10000);
    assert_true(slu_postage_price(&sim->genesis, dear.booked_bytes, 100) >
                2 * slu_postage_price(&sim->genesis, 0, 100));
    sim_run_until(sim, 5000);
    assert_true(sim->oracle.forced > 300);
    assert_true(sim_run(sim)->ok);
    sim_free(sim);
}

/* Asks where the newest entries of the queue are; the simulator holds the answer to the blocks. */
static void ask_newest(struct sim *sim, uint16_t node, uint32_t most)
{
    uint32_t queued = sim->oracle.queued_count, count = queued < most ? queued : most;
    struct sim_item item = {
        .kind = SIM_ITEM_QUERY, .number = 1, .count = count, .bytes_len = count * 32u};
    if (count == 0 || !sim->nodes[node].up)
        return;
    item.bytes = sim_alloc(item.bytes_len);
    for (uint32_t i = 0; i < count; i++)
        memcpy(item.bytes + 32u * i, sim->oracle.queued[queued - 1 - i].tuple.id, 32);
    sim_node_put(&sim->nodes[node], &item);
}

/* What nodes say of where an entry was queued and for which height is so before its delivery and
 * after it, over restarts. */
static void test_queueings_are_told(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    scene_plan(&plan, 40, 4);
    plan.params.postage_base = 1;
    plan.params.forced_bytes_per_block = 1072;
    plan.params.dedup_window_ms = 4000;
    plan.load_every_ms = 100;
    plan.calm_ms = 2500;
    struct sim *sim = scene_begin(&scene, &plan, pass);
    for (uint64_t at = 500; at < 2400; at += 20) {
        uint16_t node = (uint16_t)(at / 20 % 4);
        sim_run_until(sim, at);
        if (at < 1300 && at % 80 == 0)
            force_twice(sim, node);
        else if (at < 1300)
            force(sim, node, 1);
        ask_newest(sim, node, 40);
        if (at % 200 == 0) {
            sim_node_crash(&sim->nodes[node], false);
            sim_at(sim, at + 10, &(struct sim_event){.kind = SIM_EV_RESTART, .node = node});
        }
    }
    assert_true(sim->oracle.forced > 10 && sim->oracle.skipped > 0);
    assert_true(sim->oracle.told > 500);
    scene_end_ok(&scene);
}

/* A queue longer than the dedup window, ids that lanes delivered meanwhile or just before they were
 * queued, and restarts: each is delivered once, by everybody. */
static void test_a_long_queue_and_restarts(void **state)
{
    (void)state;
    uint64_t skipped = 0;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct scene scene = {0};
        struct sim_plan plan;
        scene_plan(&plan, 20 + seed, 4);
        plan.style = SIM_SLOWEST;
        plan.params.delta_ms = 30;
        plan.params.dedup_window_ms = 1000;
        plan.params.postage_base = 1;
        plan.params.forced_bytes_per_block = 1072;
        plan.load_every_ms = 100;
        plan.calm_ms = 5500;
        plan.load_until_ms = 1500;
        plan.run_until_ms = 7000;
        plan.give_up_ms = 40000;
        struct sim *sim = scene_begin(&scene, &plan, pass);
        for (uint64_t at = 500; at < 1100; at += 20) {
            sim_run_until(sim, at);
            force_twice(sim, (uint16_t)(at / 20 % 4));
        }
        for (uint64_t at = 1600; at < 5400; at += 40) { /* at every stage of the queue */
            sim_run_until(sim, at);
            struct sim_node *node = &sim->nodes[at / 40 % 4];
            sim_node_crash(node, false);
            sim_at(sim, at + 5, &(struct sim_event){.kind = SIM_EV_RESTART, .node = node->id});
        }
        sim_run_until(sim, 6900);
        skipped += sim->oracle.skipped;
        scene_end_ok(&scene);
    }
    assert_true(skipped > 10);
}

/* The first final block on the disk that queued something, and the record before it, which has its
 * F. */
static struct sim_record *find_queueing(struct sim_node *node, struct slu_block *block)
{
    const struct sim_disk *disk = &node->disk;
    for (uint32_t i = 1; i < disk->counts[SLU_REC_FINAL]; i++) {
        struct sim_record *record = &disk->records[SLU_REC_FINAL][i];
        struct slu_reader r = slu_reader_of(record->value, record->len);
        assert_int_equal(slu_block_read(&r, &node->sim->genesis, block), 0);
        if (block->queued_count > 0)
            return record;
    }
    return NULL;
}

/* What is left of a turn in which two blocks became final, torn off after the first of them: that
 * one's record, which has no F of its own, above the old head. Returns its height. */
static uint64_t tear_before_the_head(struct sim_node *node)
{
    struct slu_block block, parent;
    struct slu_record_key key = {.kind = SLU_REC_STATE, .a = SLU_STATE_HEAD};
    struct sim_record *record = find_queueing(node, &block);
    assert_non_null(record);
    struct slu_reader r = slu_reader_of(record[-1].value, record[-1].len);
    assert_int_equal(slu_block_read(&r, &node->sim->genesis, &parent), 0);
    size_t parent_bytes = (size_t)(r.at - record[-1].value);
    assert_int_equal(slu_read_u8(&r), 1);
    uint8_t *head = sim_alloc(record[-1].len - 1);
    memcpy(head, record[-1].value, parent_bytes);
    memcpy(head + parent_bytes, r.at, slu_reader_left(&r));
    sim_disk_put(&node->disk, &key, head, record[-1].len - 1);
    free(head);
    record->len = slu_block_bytes(&block) + 1;
    record->value[record->len - 1] = 0;
    for (int kind = SLU_REC_FINAL; kind < SLU_REC_KINDS; kind++)
        for (uint32_t i = node->disk.counts[kind]; i-- > 0;) {
            key = node->disk.records[kind][i].key;
            if ((kind == SLU_REC_FINAL && key.a > block.height) ||
                ((kind == SLU_REC_DELIVERED || kind == SLU_REC_IDS) && key.a >= block.height))
                sim_disk_remove(&node->disk, &key);
        }
    return block.height;
}

/* The block becomes final again; what it queued is queued, counted and delivered once. */
static void test_a_final_block_torn_off_before_the_head(void **state)
{
    (void)state;
    struct scene scene = {0};
    struct sim_plan plan;
    scene_plan(&plan, 12, 4);
    struct sim *sim = scene_begin(&scene, &plan, pass);
    for (uint64_t at = 300; at <= 900; at += 50) {
        sim_run_until(sim, at);
        force(sim, 0, 1);
    }
    struct sim_node *node = &sim->nodes[2];
    sim_node_crash(node, false);
    uint64_t height = tear_before_the_head(node);
    sim_at(sim, 905, &(struct sim_event){.kind = SIM_EV_RESTART, .node = 2});
    sim_run_until(sim, 1400);
    assert_true(stats_of(&scene, 2)->delivered_height > height);
    assert_int_equal(stats_of(&scene, 2)->forced_skipped, 0);
    scene_end_ok(&scene);
}

/* ---- evidence ---- */

static void test_each_offence_is_delivered(void **state)
{
    (void)state;
    static const struct {
        const char *behaviour;
        uint32_t offences; /* bits that may be found */
    } cases[] = {
        {"equivocate_batches", 1u << SLU_TWO_BATCHES},
        {"equivocate_proposals", 1u << SLU_TWO_NOTARIZE},
        {"vote_twice", 1u << SLU_TWO_NOTARIZE | 1u << SLU_NULLIFY_FINALIZE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene scene = {0};
        struct sim_plan plan;
        scene_plan(&plan, 6 + i, 4);
        scene_deviant(&plan, 3, cases[i].behaviour);
        struct sim *sim = scene_begin(&scene, &plan, pass);
        sim_run_until(sim, 2500);
        assert_true(sim->oracle.evidence >= 1);
        const struct slu_block *top =
            &sim->world.blocks[sim->oracle.heights[sim->oracle.top].block];
        for (uint32_t o = 0; o < SLU_OFFENCES; o++)
            assert_true(top->evident[o] == 0 ||
                        (top->evident[o] == 8 && (cases[i].offences >> o & 1)));
        assert_int_equal(slu_block_slashed(top), 8);
        /* Its lane is left behind, its turns are skipped. */
        struct slu_lane_status lane;
        slu_core_lane_status(sim->nodes[0].core, 3, &lane);
        uint64_t committed = lane.committed.position;
        sim_run_until(sim, 2900);
        slu_core_lane_status(sim->nodes[0].core, 3, &lane);
        assert_int_equal(lane.committed.position, committed);
        assert_true(stats_of(&scene, 0)->views_skipped > 0);
        scene_end_ok(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_censors),
        cmocka_unit_test(test_certificates_shown_to_leaders_only),
        cmocka_unit_test(test_holds_are_said_again),
        cmocka_unit_test(test_taker_crashes_before_the_relay),
        cmocka_unit_test(test_an_idle_chain_does_not_wait_for_heartbeats),
        cmocka_unit_test(test_a_flood_and_one_victim),
        cmocka_unit_test(test_queueings_are_told),
        cmocka_unit_test(test_a_long_queue_and_restarts),
        cmocka_unit_test(test_a_final_block_torn_off_before_the_head),
        cmocka_unit_test(test_each_offence_is_delivered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
