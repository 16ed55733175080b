/* The fences of inbox and queue, called directly on a core in the middle of a run: what is refused,
 * what certifies, what a block queues and what it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/state.h"
#include "tests/sim/sim.h"

struct stage {
    struct sim *sim;
    struct slu_core *core;
    uint8_t envelopes[600][64]; /* contents stay valid */
    uint32_t made;
};

static struct stage *set(void)
{
    struct sim_plan plan;
    sim_plan_quiet(&plan, 1, 4);
    plan.params.postage_base = 64;
    plan.params.inbox_items_max = 64; /* a share of 16 */
    struct stage *stage = calloc(1, sizeof *stage);
    stage->sim = sim_new(&plan, NULL);
    sim_run_until(stage->sim, 400);
    assert_true(stage->sim->result.ok);
    stage->core = stage->sim->nodes[0].core;
    stage->core->fx = stage->sim->effects;
    slu_effects_reset(stage->sim->effects);
    return stage;
}

static void strike(struct stage *stage)
{
    sim_free(stage->sim);
    free(stage);
}

/* A relay of node `taker` that pays at the delivered block. */
static struct slu_relay relay_until(struct stage *stage, uint16_t taker, uint64_t rollup,
                                    uint64_t valid_until_ms)
{
    struct slu_core *c = stage->core;
    struct slu_relay r = {.kind = SLU_INBOX_FORCED, .taker = taker};
    uint8_t *bytes = stage->envelopes[stage->made % 600], body[8];
    struct slu_writer w = slu_writer_of(bytes, 64);
    stage->made++;
    memcpy(body, &stage->made, 4);
    memset(body + 4, 7, 4);
    slu_tx_write(&w, rollup, valid_until_ms, SLU_TX_PLAIN, body, sizeof body);
    assert_int_equal(slu_relay_derive(&r, c->g, bytes, slu_writer_len(&w)), 0);
    struct slu_inbox_status status;
    slu_core_inbox_status(c, &status);
    r.postage = status.block;
    assert_true(slu_postage_mine(
        c->g, r.tuple.id, &r.postage,
        slu_postage_price(c->g, status.booked_bytes + status.unqueued_bytes, r.tuple.bytes),
        1000000));
    return r;
}

static struct slu_relay relay_of(struct stage *stage, uint16_t taker, uint64_t rollup)
{
    return relay_until(stage, taker, rollup, stage->core->head.time_ms + 2000);
}

static bool held(const struct stage *stage, const struct slu_relay *relay)
{
    const struct slu_inbox_entry *entry = slu_inbox_find(stage->core, relay->tuple.id);
    return entry && entry->held;
}

static void hear_hold(struct stage *stage, const struct slu_inbox_tuple *tuple, uint16_t node)
{
    struct slu_holds *holds = calloc(1, sizeof *holds);
    holds->count = 1;
    holds->items[0].tuple = *tuple;
    holds->items[0].node = node;
    slu_inbox_on_holds(stage->core, holds);
    free(holds);
}

static void test_what_is_taken_in(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_relay good = relay_of(stage, 1, 1);
    slu_inbox_on_relay(stage->core, &good);
    assert_true(held(stage, &good));
    assert_true(stage->sim->effects->promises); /* it is signed for only once it is durable */
    struct slu_relay poor = relay_of(stage, 1, 1);
    do
        poor.postage.nonce++;
    while (slu_postage_pays(stage->core->g, poor.tuple.id, &poor.postage, 64));
    slu_inbox_on_relay(stage->core, &poor);
    assert_false(held(stage, &poor));
    struct slu_relay unknown = relay_of(stage, 1, 1);
    unknown.postage.height += 1000;
    slu_inbox_on_relay(stage->core, &unknown);
    assert_false(held(stage, &unknown));
    unknown.postage.height -= 1000;
    unknown.postage.block[0] ^= 1; /* a block that is not */
    slu_inbox_on_relay(stage->core, &unknown);
    assert_false(held(stage, &unknown));
    struct slu_relay foreign = relay_of(stage, 1, 99); /* a rollup that is not */
    slu_inbox_on_relay(stage->core, &foreign);
    assert_false(held(stage, &foreign));
    struct slu_relay late = relay_of(stage, 1, 1);
    late.tuple.valid_until_ms = stage->core->head.time_ms - 1;
    slu_inbox_on_relay(stage->core, &late);
    assert_false(held(stage, &late));
    strike(stage);
}

/* The status of a FORCE through this node, valid until `valid_until_ms`. */
static uint8_t force_until(struct stage *stage, uint64_t valid_until_ms)
{
    struct slu_relay r = relay_until(stage, 0, 1, valid_until_ms);
    struct slu_event event = {.kind = SLU_EVENT_FORCE};
    event.force.envelope = r.content;
    event.force.bytes = r.tuple.bytes;
    event.force.postage = r.postage;
    slu_effects_reset(stage->sim->effects);
    slu_inbox_force(stage->core, &event);
    const struct slu_effects *fx = stage->sim->effects;
    for (uint32_t i = 0; i < fx->count; i++)
        if (fx->items[i].kind == SLU_EFFECT_TAKEN)
            return fx->items[i].taken.taken->status;
    fail();
    return 0;
}

/* A client counts from the newest final block's time; delivery may lag behind it. */
static void test_valid_until_counts_from_the_final_block(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    c->head.time_ms = c->delivered.time_ms + 800;
    uint64_t latest = c->head.time_ms + c->g->params.dedup_window_ms;
    assert_int_equal(force_until(stage, latest), SLU_ADMIT_ACCEPTED);
    assert_int_equal(force_until(stage, latest + 1), SLU_ADMIT_DROP + SLU_DROP_TOO_FAR);
    assert_int_equal(force_until(stage, c->head.time_ms), SLU_ADMIT_ACCEPTED);
    assert_int_equal(force_until(stage, c->head.time_ms - 1), SLU_ADMIT_DROP + SLU_DROP_EXPIRED);
    strike(stage);
}

static void test_a_takers_share(void **state)
{
    (void)state;
    struct stage *stage = set();
    uint32_t share = stage->core->g->params.inbox_items_max / 4;
    for (uint32_t i = 0; i < share + 3; i++) {
        struct slu_relay r = relay_of(stage, 2, 1);
        slu_inbox_on_relay(stage->core, &r);
        assert_int_equal(held(stage, &r), i < share);
    }
    struct slu_relay other = relay_of(stage, 1, 1); /* another's share is its own */
    slu_inbox_on_relay(stage->core, &other);
    assert_true(held(stage, &other));
    struct slu_relay more = relay_of(stage, 2, 1); /* vouched for by f+1: taken in all the same */
    hear_hold(stage, &more.tuple, 1);
    slu_inbox_on_relay(stage->core, &more);
    assert_false(held(stage, &more));
    hear_hold(stage, &more.tuple, 3);
    slu_inbox_on_relay(stage->core, &more);
    assert_true(held(stage, &more));
    strike(stage);
}

static void test_f_plus_one_holds_certify(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_relay r = relay_of(stage, 1, 1);
    struct slu_inbox_tuple false_tuple = r.tuple;
    false_tuple.bytes++;
    hear_hold(stage, &r.tuple, 1);
    hear_hold(stage, &r.tuple, 1);     /* the same again */
    hear_hold(stage, &false_tuple, 2); /* of another tuple */
    assert_false(slu_inbox_backed(stage->core, &r.tuple));
    hear_hold(stage, &r.tuple, 3);
    assert_true(slu_inbox_backed(stage->core, &r.tuple));
    assert_false(slu_inbox_backed(stage->core, &false_tuple));
    strike(stage);
}

static void test_strays_are_bounded_per_node(void **state)
{
    (void)state;
    struct stage *stage = set();
    for (uint32_t i = 0; i < SLU_INBOX_STRAYS_MAX + 20; i++) {
        struct slu_inbox_tuple t = {.id = {(uint8_t)i, 9},
                                    .kind = SLU_INBOX_FORCED,
                                    .bytes = 50,
                                    .valid_until_ms = stage->core->head.time_ms + 1000};
        hear_hold(stage, &t, 3);
    }
    assert_int_equal(stage->core->inbox.count, SLU_INBOX_STRAYS_MAX);
    struct slu_inbox_tuple t = {.id = {1, 1},
                                .kind = SLU_INBOX_FORCED,
                                .bytes = 50,
                                .valid_until_ms = stage->core->head.time_ms + 1000};
    hear_hold(stage, &t, 2); /* another's room is its own */
    assert_int_equal(stage->core->inbox.count, SLU_INBOX_STRAYS_MAX + 1);
    strike(stage);
}

/* ---- what a block queues ---- */

static struct slu_inbox_tuple forced(const struct stage *stage, uint8_t fill, uint64_t ahead_ms)
{
    struct slu_inbox_tuple t = {.kind = SLU_INBOX_FORCED,
                                .bytes = 100,
                                .valid_until_ms = stage->core->head.time_ms + ahead_ms};
    memset(t.id, fill, 32);
    return t;
}

static void name(struct slu_report *report, const struct slu_inbox_tuple *tuple)
{
    struct slu_writer w =
        slu_writer_of(report->inbox + (size_t)report->inbox_count++ * SLU_INBOX_TUPLE_BYTES,
                      SLU_INBOX_TUPLE_BYTES);
    slu_inbox_tuple_write(&w, tuple);
}

/* The list of a block over `parent` at its time + 100, from q reports. */
static bool compute(struct stage *stage, const struct slu_block *parent, struct slu_report *reports,
                    struct slu_block *out)
{
    const struct slu_report *list[3] = {&reports[0], &reports[1], &reports[2]};
    memset(out, 0, sizeof *out);
    out->view = parent->view + 1;
    out->height = parent->height + 1;
    out->time_ms = parent->time_ms + 100;
    return slu_queue_compute(stage->core, out, parent, list);
}

static void test_every_id_of_any_report_in_time(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    struct slu_report *reports = calloc(3, sizeof *reports);
    struct slu_block block;
    struct slu_inbox_tuple a = forced(stage, 1, 1000), b = forced(stage, 2, 99),
                           d = forced(stage, 3, 1000), e = forced(stage, 4, 4101), t;
    name(&reports[0], &a);
    name(&reports[0], &b); /* expired by then */
    name(&reports[1], &a);
    name(&reports[2], &d);
    name(&reports[2], &e); /* farther ahead than the window */
    assert_true(compute(stage, &c->head, reports, &block));
    assert_int_equal(block.queued_count, 2);
    slu_inbox_tuple_at(block.queued, 0, &t);
    assert_true(slu_inbox_tuple_same(&t, &a));
    slu_inbox_tuple_at(block.queued, 1, &t);
    assert_true(slu_inbox_tuple_same(&t, &d));
    assert_int_equal(block.tail.height, block.height + c->g->params.forced_delay);
    assert_int_equal(block.tail.bytes, 2 * slu_queue_cost(100));
    free(reports);
    strike(stage);
}

static void test_an_old_id_listed_again(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    struct slu_report *reports = calloc(3, sizeof *reports);
    struct slu_block first, second;
    uint8_t list[SLU_INBOX_TUPLE_BYTES];
    struct slu_inbox_tuple a = forced(stage, 1, 3000);
    name(&reports[1], &a);
    assert_true(compute(stage, &c->head, reports, &first));
    assert_int_equal(first.queued_count, 1);
    /* Over a block that queued it and is not final yet ... */
    memcpy(list, first.queued, sizeof list);
    first.queued = list;
    first.view = c->head.view + 1;
    memcpy(first.parent, c->head.digest, 32);
    memset(first.digest, 0x77, 32);
    slu_chain_add(c, &first);
    const struct slu_block *pending = slu_chain_find(c, first.digest);
    assert_non_null(pending);
    assert_true(compute(stage, pending, reports, &second));
    assert_int_equal(second.queued_count, 0);
    assert_true(slu_queue_pending_has(c, pending, a.id));
    /* ... and over one that is. */
    slu_queue_push(c, &first, &c->head.tail);
    assert_true(compute(stage, &c->head, reports, &second));
    assert_int_equal(second.queued_count, 0);
    assert_true(slu_inbox_backed(c, &a)); /* no certificate is asked for it any more */
    c->finals_top--;                      /* a list below the head is missing: no judgement */
    assert_false(compute(stage, &c->head, reports, &second));
    c->finals_top++;
    free(reports);
    strike(stage);
}

/* An id that a lane delivered before a block queues it is noted with that block's ids: when a
 * restart comes, the height that delivered it may be out of the window. */
static void test_a_queued_id_that_was_delivered_before(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    for (uint64_t at = 401; c->finals_top != c->delivered.height || c->dedup.count == 0; at++) {
        assert_true(at < 1000);
        sim_run_until(stage->sim, at);
    }
    c->fx = stage->sim->effects;
    slu_effects_reset(stage->sim->effects);
    const struct oracle *oracle = &stage->sim->oracle; /* it may be ahead of this node */
    const struct oracle_outcome *o = &oracle->outcomes[oracle->outcome_count - 1];
    while (!slu_idset_find(&c->dedup, o->id))
        assert_true(o-- > oracle->outcomes);
    struct slu_inbox_tuple t = forced(stage, 1, 2000);
    uint8_t list[SLU_INBOX_TUPLE_BYTES];
    struct slu_writer w = slu_writer_of(list, sizeof list);
    memcpy(t.id, o->id, 32);
    slu_inbox_tuple_write(&w, &t);
    struct slu_block block = c->delivered;
    memcpy(block.parent, c->delivered.digest, 32);
    block.height++;
    block.time_ms++;
    block.queued = list;
    block.queued_count = 1;
    slu_queue_book(c->g, &block.tail, block.height, t.bytes);
    slu_block_digest(&block, c->g);
    slu_chain_restore_final(c, &block);
    assert_int_equal(c->finals_top, block.height);
    slu_order_progress(c);
    assert_int_equal(c->delivered.height, block.height);
    struct slu_queued *entry = slu_queue_find(c, t.id);
    assert_true(entry && entry->done);
    const struct slu_effects *fx = stage->sim->effects;
    entry->done = false;
    for (uint32_t i = 0; i < fx->count; i++)
        if (fx->items[i].kind == SLU_EFFECT_PERSIST && fx->items[i].persist.key.kind == SLU_REC_IDS)
            assert_int_equal(slu_order_restore_ids(c, &block, false, fx->items[i].persist.value,
                                                   fx->items[i].persist.value_len),
                             0);
    assert_true(entry->done);
    strike(stage);
}

static void test_evidence_once_per_offence(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    struct slu_report *reports = calloc(3, sizeof *reports);
    struct slu_block block;
    struct slu_inbox_tuple low = {.kind = SLU_INBOX_EVIDENCE,
                                  .offence = SLU_TWO_NOTARIZE,
                                  .offender = 2,
                                  .bytes = 203,
                                  .valid_until_ms = SLU_VALID_FOR_EVER},
                           high = low, t;
    memset(low.id, 1, 32);
    memset(high.id, 2, 32);
    name(&reports[0], &high);
    name(&reports[2], &low);
    assert_true(compute(stage, &c->head, reports, &block));
    assert_int_equal(block.queued_count, 1);
    slu_inbox_tuple_at(block.queued, 0, &t);
    assert_true(slu_inbox_tuple_same(&t, &low));
    assert_int_equal(block.evident[SLU_TWO_NOTARIZE], 4);
    assert_int_equal(block.tail.height, c->head.tail.height); /* it takes nobody's height */
    struct slu_block parent = c->head;
    parent.evident[SLU_TWO_NOTARIZE] = 4;
    assert_true(compute(stage, &parent, reports, &block));
    assert_int_equal(block.queued_count, 0);
    free(reports);
    strike(stage);
}

static void test_the_lowest_evidence_is_taken(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    uint8_t contents[6][SLU_EVIDENCE_BYTES_MAX];
    uint8_t lowest[32];
    memset(lowest, 0xff, 32);
    for (uint8_t i = 0; i < 6; i++) {
        uint8_t a[32] = {1, i}, b[32] = {2, i}, signature[64] = {0};
        struct slu_relay r = {.kind = SLU_INBOX_EVIDENCE, .taker = 1};
        struct slu_writer w = slu_writer_of(contents[i], sizeof contents[i]);
        slu_evidence_two_notarize(&w, 2, 9, a, signature, b, signature);
        assert_int_equal(slu_relay_derive(&r, c->g, contents[i], slu_writer_len(&w)), 0);
        bool lower = memcmp(r.tuple.id, lowest, 32) < 0;
        slu_inbox_on_relay(c, &r);
        assert_int_equal(held(stage, &r), lower);
        if (lower)
            memcpy(lowest, r.tuple.id, 32);
    }
    strike(stage);
}

/* ---- evidence from votes ---- */

static void hear_vote(struct stage *stage, enum slu_vote_kind kind, uint64_t view, uint8_t fill)
{
    struct slu_vote vote = {.kind = (uint8_t)kind, .view = view, .node = 2};
    if (kind != SLU_NULLIFY)
        memset(vote.block, fill, 32);
    memset(vote.signature, fill, 64);
    slu_vote_on_vote(stage->core, &vote, 2);
}

static void test_votes_that_contradict_each_other(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    uint64_t view = c->final_view + 9;
    hear_vote(stage, SLU_NOTARIZE, view, 1);
    hear_vote(stage, SLU_NOTARIZE, view, 1);     /* the same again */
    hear_vote(stage, SLU_NOTARIZE, view + 1, 2); /* of another view */
    hear_vote(stage, SLU_NULLIFY, view, 0);      /* after a Notarize: allowed */
    assert_int_equal(c->stats.evidence_made, 0);
    hear_vote(stage, SLU_NOTARIZE, view, 2);
    assert_int_equal(c->stats.evidence_made, 1);
    hear_vote(stage, SLU_NOTARIZE, view, 3); /* once for all */
    assert_int_equal(c->stats.evidence_made, 1);
    hear_vote(stage, SLU_FINALIZE, view, 1);
    assert_int_equal(c->stats.evidence_made, 2);
    strike(stage);
    stage = set(); /* the other way round */
    view = stage->core->final_view + 9;
    hear_vote(stage, SLU_FINALIZE, view, 1);
    hear_vote(stage, SLU_NULLIFY, view, 0);
    assert_int_equal(stage->core->stats.evidence_made, 1);
    strike(stage);
}

/* A view that is final already: its votes count for nothing, but as evidence. */
static void test_late_votes_that_contradict_each_other(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    uint64_t view = c->final_view;
    hear_vote(stage, SLU_NULLIFY, view, 0);
    hear_vote(stage, SLU_FINALIZE, view, 1); /* whichever of the two it had heard before */
    assert_int_equal(c->stats.evidence_made, 1);
    hear_vote(stage, SLU_NOTARIZE, view, 1);
    hear_vote(stage, SLU_NOTARIZE, view, 2);
    assert_int_equal(c->stats.evidence_made, 2);
    strike(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_taken_in),
        cmocka_unit_test(test_valid_until_counts_from_the_final_block),
        cmocka_unit_test(test_a_takers_share),
        cmocka_unit_test(test_f_plus_one_holds_certify),
        cmocka_unit_test(test_strays_are_bounded_per_node),
        cmocka_unit_test(test_every_id_of_any_report_in_time),
        cmocka_unit_test(test_an_old_id_listed_again),
        cmocka_unit_test(test_a_queued_id_that_was_delivered_before),
        cmocka_unit_test(test_evidence_once_per_offence),
        cmocka_unit_test(test_the_lowest_evidence_is_taken),
        cmocka_unit_test(test_votes_that_contradict_each_other),
        cmocka_unit_test(test_late_votes_that_contradict_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
