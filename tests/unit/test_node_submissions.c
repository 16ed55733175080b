/* From a client's Submit to its reply (node/submissions): accepted is said when it is durable and
 * not before, and every refusal has its reason. The core is played by the test (gateway_stage.h).
 */
#include "node/submissions.h"
#include "tests/unit/gateway_stage.h"
#include "wire/bundle.h"

#define MANY 600u

static ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static uint64_t submit(struct slu_session *session, uint64_t rollup, const char *const *texts,
                       size_t count)
{
    ProtobufCBinaryData payloads[16];
    Slu__Client__Submit body = SLU__CLIENT__SUBMIT__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    assert_in_range(count, 0, 16);
    for (size_t i = 0; i < count; i++)
        payloads[i] = bytes_of(texts[i]);
    body.rollup = rollup;
    body.n_payloads = count;
    body.payloads = payloads;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBMIT;
    request.submit = &body;
    assert_int_equal(slu_session_send(session, &request), 0);
    return request.id;
}

/* Ids as the core makes them, one status each. */
static void admit(struct stage *stage, const struct slu_input *input, const uint8_t *statuses,
                  uint64_t position)
{
    struct slu_admission items[16] = {0};
    struct slu_reader r = slu_reader_of(input->event.submit.envelopes, input->event.submit.bytes);
    for (uint32_t i = 0; i < input->event.submit.count; i++) {
        struct slu_tx tx;
        assert_true(slu_tx_read(&r, &tx));
        slu_tx_id(items[i].id, &stage->genesis, &tx);
        items[i].status = statuses[i];
        items[i].position = position;
    }
    assert_true(slu_reader_done(&r));
    slu_gateway_admitted(stage->gateway, input->event.submit.token, items,
                         input->event.submit.count, position);
}

static void durable(struct stage *stage, uint64_t position)
{
    slu_gateway_durable(stage->gateway, position);
    slu_gateway_flushed(stage->gateway);
}

static Slu__Client__Reply *answer(struct slu_session *session, uint64_t id, size_t results)
{
    Slu__Client__Reply *reply = stage_reply(session, id);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_SUBMIT);
    assert_int_equal(reply->submit->n_results, results);
    return reply;
}

static void accepted_means_durable(void **state)
{
    struct stage *stage = *state;
    static const char *const texts[] = {"one", "two"};
    static const uint8_t statuses[] = {SLU_ADMIT_ACCEPTED, SLU_ADMIT_ACCEPTED};
    uint64_t id = submit(stage->session, 7, texts, 2);
    struct slu_input *input = stage_next(SLU_EVENT_SUBMIT);
    assert_int_equal(input->event.submit.count, 2);
    admit(stage, input, statuses, 9);
    stage_done(input);
    stage_silence(stage->session, id, 100);
    durable(stage, 8);
    stage_silence(stage->session, id, 100);
    durable(stage, 9);
    Slu__Client__Reply *reply = answer(stage->session, id, 2);
    uint64_t until = slu_valid_until(&stage->genesis.params, STAGE_HEIGHTS * STEP_MS, 0);
    assert_true(reply->submit->valid_until_ms == until);
    assert_true(reply->submit->height == STAGE_HEIGHTS);
    for (size_t i = 0; i < 2; i++) {
        uint8_t envelope[64], want[32];
        struct slu_writer w = slu_writer_of(envelope, sizeof envelope);
        slu_tx_write(&w, 7, until, SLU_TX_PLAIN, (const uint8_t *)texts[i], 3);
        struct slu_tx tx = {.bytes = envelope, .bytes_len = (uint32_t)slu_writer_len(&w)};
        slu_tx_id(want, &stage->genesis, &tx);
        assert_true(reply->submit->results[i]->accepted);
        assert_int_equal(reply->submit->results[i]->id.len, 32);
        assert_memory_equal(reply->submit->results[i]->id.data, want, 32);
    }
    slu_reply_free(reply);
    assert_int_equal(slu_metrics_get(&stage->metrics, SLU_METRIC_TX_ACCEPTED), 2);
}

/* Replies come in the order of their positions, those of one batch together. */
static void one_sync_answers_all_below_it(void **state)
{
    struct stage *stage = *state;
    static const char *const texts[] = {"x"};
    static const uint8_t accepted[] = {SLU_ADMIT_ACCEPTED};
    uint64_t ids[3];
    for (uint64_t i = 0; i < 3; i++) {
        ids[i] = submit(stage->session, 1 + i, texts, 1);
        struct slu_input *input = stage_next(SLU_EVENT_SUBMIT);
        admit(stage, input, accepted, 6 + i);
        stage_done(input);
    }
    durable(stage, 7);
    slu_reply_free(answer(stage->session, ids[0], 1));
    slu_reply_free(answer(stage->session, ids[1], 1));
    stage_silence(stage->session, ids[2], 100);
    durable(stage, 8);
    slu_reply_free(answer(stage->session, ids[2], 1));
}

static void every_refusal_has_its_reason(void **state)
{
    struct stage *stage = *state;
    static const struct {
        uint8_t status;
        const char *reason;
        bool known;
    } cases[] = {
        {SLU_ADMIT_ACCEPTED, NULL, false},
        {SLU_ADMIT_KNOWN, NULL, true},
        {SLU_ADMIT_LANE_FULL, "lane_full", false},
        {SLU_ADMIT_BEHIND, "catching_up", false},
        {SLU_ADMIT_DROP + SLU_DROP_EXPIRED, "expired", false},
        {SLU_ADMIT_DROP + SLU_DROP_DUPLICATE, "duplicate", false},
    };
    static const char *const texts[] = {"a", "b", "c", "d", "e", "f"};
    uint8_t statuses[6];
    for (size_t i = 0; i < 6; i++)
        statuses[i] = cases[i].status;
    uint64_t id = submit(stage->session, 7, texts, 6);
    struct slu_input *input = stage_next(SLU_EVENT_SUBMIT);
    admit(stage, input, statuses, 3); /* durable before it was said */
    stage_done(input);
    Slu__Client__Reply *reply = answer(stage->session, id, 6);
    for (size_t i = 0; i < 6; i++) {
        const Slu__Client__TxResult *r = reply->submit->results[i];
        assert_int_equal(r->accepted, cases[i].reason == NULL);
        assert_int_equal(r->known, cases[i].known);
        assert_string_equal(r->reason, cases[i].reason ? cases[i].reason : "");
    }
    slu_reply_free(reply);
    assert_int_equal(slu_metrics_get(&stage->metrics, SLU_METRIC_TX_LANE_FULL), 1);
    assert_int_equal(slu_metrics_get(&stage->metrics, SLU_METRIC_TX_BEHIND), 1);
    assert_int_equal(slu_metrics_get(&stage->metrics, SLU_METRIC_TX_FORM), 2);
}

/* What cannot be right never reaches the core; what is right of the same request does. */
static void bad_payloads_stay_outside(void **state)
{
    struct stage *stage = *state;
    static const char *const texts[] = {"", "good", ""};
    static const uint8_t accepted[] = {SLU_ADMIT_ACCEPTED};
    uint64_t id = submit(stage->session, 7, texts, 3);
    struct slu_input *input = stage_next(SLU_EVENT_SUBMIT);
    assert_int_equal(input->event.submit.count, 1);
    admit(stage, input, accepted, 1);
    stage_done(input);
    Slu__Client__Reply *reply = answer(stage->session, id, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(reply->submit->results[i]->accepted, i == 1);
        assert_string_equal(reply->submit->results[i]->reason, i == 1 ? "" : "size");
    }
    slu_reply_free(reply);
    id = submit(stage->session, 0, texts + 1, 1); /* for none: it should be a bundle */
    reply = answer(stage->session, id, 1);
    assert_string_equal(reply->submit->results[0]->reason, "bundle");
    slu_reply_free(reply);
    id = submit(stage->session, 7, texts, 0);
    stage_error(stage->session, id, "malformed");
    assert_null(stage_next_within(50));
}

/* A client's own envelopes: whole, nothing behind, and checked against stream time. */
static void own_envelopes_are_checked(void **state)
{
    struct stage *stage = *state;
    uint8_t bytes[4][128];
    ProtobufCBinaryData list[4];
    static const uint64_t until_ms[] = {STAGE_HEIGHTS * STEP_MS + 2000, STAGE_HEIGHTS * STEP_MS - 1,
                                        UINT64_MAX, STAGE_HEIGHTS * STEP_MS + 2000};
    static const char *const reasons[] = {"", "expired", "valid_until_too_far", "malformed"};
    static const uint8_t accepted[] = {SLU_ADMIT_ACCEPTED};
    for (size_t i = 0; i < 4; i++) {
        struct slu_writer w = slu_writer_of(bytes[i], sizeof bytes[i]);
        slu_tx_write(&w, 7, until_ms[i], SLU_TX_PLAIN, (const uint8_t *)"body", 4);
        list[i] = (ProtobufCBinaryData){slu_writer_len(&w) + (i == 3), bytes[i]};
    }
    Slu__Client__Submit body = SLU__CLIENT__SUBMIT__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    body.n_envelopes = 4;
    body.envelopes = list;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBMIT;
    request.submit = &body;
    assert_int_equal(slu_session_send(stage->session, &request), 0);
    struct slu_input *input = stage_next(SLU_EVENT_SUBMIT);
    assert_int_equal(input->event.submit.bytes, list[0].len);
    assert_memory_equal(input->event.submit.envelopes, bytes[0], list[0].len);
    admit(stage, input, accepted, 1);
    stage_done(input);
    Slu__Client__Reply *reply = answer(stage->session, request.id, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(reply->submit->results[i]->reason, reasons[i]);
    slu_reply_free(reply);
    body.n_payloads = 1; /* both at once */
    body.payloads = list;
    assert_int_equal(slu_session_send(stage->session, &request), 0);
    stage_error(stage->session, request.id, "malformed");
}

/* Sends `count` envelopes in one request. */
static Slu__Client__Reply *send_envelopes(struct stage *stage, const struct slu_writer *envelopes,
                                          size_t count)
{
    ProtobufCBinaryData list[8];
    Slu__Client__Submit body = SLU__CLIENT__SUBMIT__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    assert_in_range(count, 1, 8);
    for (size_t i = 0; i < count; i++)
        list[i] = (ProtobufCBinaryData){slu_writer_len(&envelopes[i]), envelopes[i].start};
    body.n_envelopes = count;
    body.envelopes = list;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBMIT;
    request.submit = &body;
    assert_int_equal(slu_session_send(stage->session, &request), 0);
    return answer(stage->session, request.id, count);
}

/* Sealed ones have a bucket of their own, whatever is inside; what a rollup takes sealed only is
 * refused plain, also when this node would make its envelope. */
static void sealed_ones_and_who_takes_nothing_else(void **state)
{
    static const char *const reasons[] = {"sealing", "unknown_rollup", "sealed_only",
                                          "rate_sealed"};
    struct stage *stage = *state;
    uint8_t bytes[4][512],
        body[43 + 112 + 48 + 128] = {1, 1}; /* a form, and nothing sealed in it */
    struct slu_writer w[4];
    uint64_t until = STAGE_HEIGHTS * STEP_MS + 5000;
    stage->genesis.rollup_count = 1;
    stage->genesis.rollups[0] =
        (struct slu_genesis_rollup){.id = 9, .sealed_only = true, .rate_share = 1};
    stage->node.sealed_tx = (struct slu_bucket_config){1, 0};
    for (size_t i = 0; i < 4; i++)
        w[i] = slu_writer_of(bytes[i], sizeof bytes[i]);
    slu_tx_write(&w[0], 0, until, SLU_TX_SEALED, body, sizeof body - 1);
    slu_tx_write(&w[1], 9, until, SLU_TX_SEALED, body, sizeof body);
    slu_tx_write(&w[2], 9, until, SLU_TX_PLAIN, body, sizeof body);
    slu_tx_write(&w[3], 0, until, SLU_TX_SEALED, body, sizeof body);
    Slu__Client__Reply *reply = send_envelopes(stage, w, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(reply->submit->results[i]->reason, reasons[i]);
    slu_reply_free(reply);
    assert_int_equal(slu_metrics_get(&stage->metrics, SLU_METRIC_TX_RATE_SEALED), 1);
    const char *payload = "plain";
    reply = answer(stage->session, submit(stage->session, 9, &payload, 1), 1);
    assert_string_equal(reply->submit->results[0]->reason, "sealed_only");
    slu_reply_free(reply);
    assert_null(stage_next_within(20)); /* the core is not asked */
}

/* Payloads for rollup 0 are bundles: the node makes their envelopes, like those of others. What is
 * wrong with a leg is the reason, and the buckets of each leg's rollup are asked. */
static void bundles_are_for_rollup_0(void **state)
{
    static const struct {
        uint64_t rollups[2];
        const char *reason;
    } cases[] = {{{7, 8}, ""}, {{7, 6}, "unknown_rollup"}, {{7, 9}, "sealed_only"},
                 {{8, 8}, ""}, {{7, 8}, "rate_rollup"}, /* 8 had its two */
                 {{7, 7}, ""}};
    enum { CASES = sizeof cases / sizeof *cases };
    static const uint8_t accepted[] = {SLU_ADMIT_ACCEPTED, SLU_ADMIT_ACCEPTED, SLU_ADMIT_ACCEPTED};
    struct stage *stage = *state;
    uint8_t bodies[CASES][64];
    ProtobufCBinaryData list[CASES];
    Slu__Client__Submit body = SLU__CLIENT__SUBMIT__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    stage->genesis.open_rollups = false;
    stage->genesis.rollup_count = 3;
    for (uint16_t i = 0; i < 3; i++)
        stage->genesis.rollups[i] =
            (struct slu_genesis_rollup){.id = 7u + i, .sealed_only = i == 2, .rate_share = 1};
    stage->node.rollup_tx = (struct slu_bucket_config){1, 2};
    for (size_t i = 0; i < CASES; i++) {
        const struct slu_bundle bundle = {
            .count = 2,
            .legs = {{cases[i].rollups[0], (const uint8_t *)"left", 4},
                     {cases[i].rollups[1], (const uint8_t *)"right", 1 + i}}};
        list[i].data = bodies[i];
        assert_int_equal(slu_bundle_body(bodies[i], sizeof bodies[i], &list[i].len, &bundle), 0);
    }
    body.n_payloads = CASES;
    body.payloads = list;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBMIT;
    request.submit = &body;
    assert_int_equal(slu_session_send(stage->session, &request), 0);
    struct slu_input *input = stage_next(SLU_EVENT_SUBMIT);
    assert_int_equal(input->event.submit.count, 3);
    struct slu_reader r = slu_reader_of(input->event.submit.envelopes, input->event.submit.bytes);
    for (size_t i = 0; i < CASES; i++) {
        struct slu_tx tx;
        if (*cases[i].reason)
            continue;
        assert_true(slu_tx_read(&r, &tx));
        assert_true(tx.rollup == 0 && tx.kind == SLU_TX_BUNDLE);
        assert_int_equal(tx.body_len, list[i].len);
        assert_memory_equal(tx.body, bodies[i], list[i].len);
    }
    assert_true(slu_reader_done(&r));
    admit(stage, input, accepted, 1);
    stage_done(input);
    durable(stage, 1);
    Slu__Client__Reply *reply = answer(stage->session, request.id, CASES);
    for (size_t i = 0; i < CASES; i++)
        assert_string_equal(reply->submit->results[i]->reason, cases[i].reason);
    slu_reply_free(reply);
}

static void a_full_core_refuses_busy(void **state)
{
    struct stage *stage = *state;
    static const char *const texts[] = {"one", "two"};
    stage_busy(true);
    uint64_t id = submit(stage->session, 7, texts, 2);
    Slu__Client__Reply *reply = answer(stage->session, id, 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(reply->submit->results[i]->reason, "busy");
    slu_reply_free(reply);
    stage_busy(false);
    submit(stage->session, 7, texts, 2);
    stage_done(stage_next(SLU_EVENT_SUBMIT));
    uint32_t submissions, queries;
    slu_gateway_open(stage->gateway, &submissions, &queries);
    assert_int_equal(queries, 0);
}

/* Slots are used again and again; a client that leaves takes nothing along. */
static void slots_come_back(void **state)
{
    struct stage *stage = *state;
    static const char *const texts[] = {"x"};
    static const uint8_t accepted[] = {SLU_ADMIT_ACCEPTED};
    for (uint64_t i = 0; i < MANY; i++) {
        struct slu_session *session = i % 50 == 49 ? stage_open(stage) : stage->session;
        uint64_t id = submit(session, 7, texts, 1);
        struct slu_input *input = stage_next(SLU_EVENT_SUBMIT);
        if (session != stage->session)
            slu_session_close(session);
        admit(stage, input, accepted, 6 + i);
        stage_done(input);
        durable(stage, 6 + i);
        if (session == stage->session)
            slu_reply_free(answer(session, id, 1));
    }
    uint32_t submissions = 1, queries;
    for (uint32_t i = 0; i < STAGE_WAIT_MS && submissions > 0; i++) {
        slu_gateway_open(stage->gateway, &submissions, &queries);
        usleep(1000);
    }
    assert_int_equal(submissions, 0);
}

static void grid_of_valid_until(void **state)
{
    struct slu_params params;
    (void)state;
    slu_params_defaults(&params);
    params.dedup_window_ms = 30000;
    assert_true(slu_valid_until(&params, 1000000, 0) == 1028000);
    assert_true(slu_valid_until(&params, 1000001, 0) == 1029000);
    assert_true(slu_valid_until(&params, 1000999, 1) == 1001000);
    assert_true(slu_valid_until(&params, 1000000, 5000) == 1005000);
    assert_true(slu_valid_until(&params, 1000001, 5000) == 1006000);
    /* Never further ahead than the window, or the core would refuse it. */
    assert_true(slu_valid_until(&params, 1000000, UINT32_MAX) == 1030000);
    assert_true(slu_valid_until(&params, 1000999, 30000) == 1030000);
    params.dedup_window_ms = 1000;
    assert_true(slu_valid_until(&params, 5500, 0) == 6000);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, stage_set, stage_strike)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(accepted_means_durable),
        STAGED(one_sync_answers_all_below_it),
        STAGED(every_refusal_has_its_reason),
        STAGED(bad_payloads_stay_outside),
        STAGED(own_envelopes_are_checked),
        STAGED(sealed_ones_and_who_takes_nothing_else),
        STAGED(bundles_are_for_rollup_0),
        STAGED(a_full_core_refuses_busy),
        STAGED(slots_come_back),
        cmocka_unit_test(grid_of_valid_until),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
