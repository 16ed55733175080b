/* Where transactions are (node/queries): asked of the core until each has a definite outcome or the
 * wait is over, then of the store. The core is played by the test (gateway_stage.h). */
#include "tests/unit/gateway_stage.h"
#include "tests/unit/queued_store.h"

static uint64_t query_for(struct slu_session *session, uint8_t (*ids)[32], size_t count,
                          uint32_t wait_ms, bool queueing)
{
    ProtobufCBinaryData list[16];
    Slu__Client__TxQuery body = SLU__CLIENT__TX_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    assert_in_range(count, 0, 16);
    for (size_t i = 0; i < count; i++)
        list[i] = (ProtobufCBinaryData){32, ids[i]};
    body.n_ids = count;
    body.ids = list;
    body.wait_ms = wait_ms;
    body.queueing = queueing;
    request.body_case = SLU__CLIENT__REQUEST__BODY_QUERY;
    request.query = &body;
    assert_int_equal(slu_session_send(session, &request), 0);
    return request.id;
}

static uint64_t query(struct slu_session *session, uint8_t (*ids)[32], size_t count,
                      uint32_t wait_ms)
{
    return query_for(session, ids, count, wait_ms, false);
}

/* Answers the next QUERY event: every id of it is at `stage_of_tx`. Returns how many it asked for.
 */
static uint32_t answer_next(struct stage *stage, uint8_t stage_of_tx)
{
    struct slu_tx_status items[16] = {0};
    struct slu_input *input = stage_next(SLU_EVENT_QUERY);
    uint32_t count = input->event.query.count;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(items[i].id, input->event.query.ids + 32u * i, 32);
        items[i].stage = stage_of_tx;
        items[i].height = 40;
        items[i].index = 3 + i;
        items[i].drop = SLU_DROP_EXPIRED;
    }
    slu_gateway_answer(stage->gateway, input->event.query.token, items, count);
    stage_done(input);
    return count;
}

static Slu__Client__Reply *statuses(struct slu_session *session, uint64_t id, size_t count)
{
    Slu__Client__Reply *reply = stage_reply(session, id);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_QUERY);
    assert_int_equal(reply->query->n_statuses, count);
    assert_true(reply->query->height == STAGE_HEIGHTS);
    assert_true(reply->query->stream_ms == STAGE_HEIGHTS * STEP_MS);
    return reply;
}

static void definite_is_answered_at_once(void **state)
{
    struct stage *stage = *state;
    uint8_t ids[2][32] = {{1}, {2}};
    uint64_t id = query(stage->session, ids, 2, 60000);
    assert_int_equal(answer_next(stage, SLU_STAGE_FINAL), 2);
    Slu__Client__Reply *reply = statuses(stage->session, id, 2);
    for (size_t i = 0; i < 2; i++) {
        const Slu__Client__TxStatus *s = reply->query->statuses[i];
        assert_memory_equal(s->id.data, ids[i], 32);
        assert_true(s->stage == SLU_STAGE_FINAL && s->height == 40 && s->index == 3 + i);
        assert_string_equal(s->reason, "");
    }
    slu_reply_free(reply);
    id = query(stage->session, ids, 1, 60000);
    answer_next(stage, SLU_STAGE_DROPPED);
    reply = statuses(stage->session, id, 1);
    assert_string_equal(reply->query->statuses[0]->reason, "expired");
    slu_reply_free(reply);
}

/* Only what is still open is asked for again. */
static void asked_again_until_definite(void **state)
{
    struct stage *stage = *state;
    uint8_t ids[3][32] = {{1}, {2}, {3}};
    struct slu_tx_status items[3] = {0};
    uint64_t id = query(stage->session, ids, 3, 60000);
    struct slu_input *input = stage_next(SLU_EVENT_QUERY);
    for (uint32_t i = 0; i < 3; i++) {
        memcpy(items[i].id, ids[i], 32);
        items[i].stage = i == 1 ? SLU_STAGE_FINAL : SLU_STAGE_CERTIFIED;
        items[i].height = 39;
    }
    slu_gateway_answer(stage->gateway, input->event.query.token, items, 3);
    stage_done(input);
    assert_int_equal(answer_next(stage, SLU_STAGE_ORDERED), 2);
    stage_silence(stage->session, id, 20);
    assert_int_equal(answer_next(stage, SLU_STAGE_FINAL), 2);
    Slu__Client__Reply *reply = statuses(stage->session, id, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(reply->query->statuses[i]->height == (i == 1 ? 39 : 40));
    slu_reply_free(reply);
    assert_null(stage_next_within(120)); /* nobody asks on */
}

static void the_wait_ends(void **state)
{
    struct stage *stage = *state;
    uint8_t ids[1][32] = {{9}};
    uint64_t began = slu_now_ms();
    uint64_t id = query(stage->session, ids, 1, 200);
    Slu__Client__Reply *reply = NULL;
    while (slu_session_receive(stage->session, id, &reply, 1) == SLU_ERR_TIMEOUT) {
        struct slu_input *input = stage_next_within(1);
        if (input == NULL)
            continue;
        struct slu_tx_status item = {.id = {9}, .stage = SLU_STAGE_ACCEPTED};
        slu_gateway_answer(stage->gateway, input->event.query.token, &item, 1);
        stage_done(input);
    }
    assert_in_range(slu_now_ms() - began, 200, STAGE_WAIT_MS);
    assert_int_equal(reply->query->statuses[0]->stage, SLU_STAGE_ACCEPTED);
    slu_reply_free(reply);
}

/* A core that is too full to be asked is asked later. */
static void a_full_core_is_asked_later(void **state)
{
    struct stage *stage = *state;
    uint8_t ids[1][32] = {{9}};
    stage_busy(true);
    uint64_t id = query(stage->session, ids, 1, 60000);
    stage_silence(stage->session, id, 120);
    stage_busy(false);
    answer_next(stage, SLU_STAGE_FINAL);
    slu_reply_free(statuses(stage->session, id, 1));
}

/* Answers the next QUERY event: its one id came out of the queue. */
static void answer_forced(struct stage *stage, uint64_t queued, uint64_t due)
{
    struct slu_input *input = stage_next(SLU_EVENT_QUERY);
    struct slu_tx_status item = {
        .stage = SLU_STAGE_FINAL, .forced = due != 0, .height = 40, .queued = queued, .due = due};
    assert_int_equal(input->event.query.count, 1);
    memcpy(item.id, input->event.query.ids, 32);
    slu_gateway_answer(stage->gateway, input->event.query.token, &item, 1);
    stage_done(input);
}

/* The due height is the one that the queueing fixed, whatever height delivered it. */
static void a_queueing_is_told_as_it_is(void **state)
{
    struct stage *stage = *state;
    uint8_t ids[1][32] = {{6}};
    uint64_t id = query(stage->session, ids, 1, 0);
    answer_forced(stage, 35, 39);
    Slu__Client__Reply *reply = statuses(stage->session, id, 1);
    const Slu__Client__TxStatus *s = reply->query->statuses[0];
    assert_true(s->forced && s->height == 40 && s->queued_height == 35 && s->due_height == 39);
    slu_reply_free(reply);
}

/* What the core has forgotten is found in the store. */
static void unknown_is_looked_up(void **state)
{
    struct stage *stage = *state;
    uint8_t ids[3][32];
    name_of(ids[0], 17, 1, 4); /* delivered */
    name_of(ids[1], 18, 0, 7); /* expired */
    memset(ids[2], 0xee, 32);  /* never seen */
    uint64_t id = query(stage->session, ids, 3, 0);
    assert_int_equal(answer_next(stage, SLU_STAGE_UNKNOWN), 3);
    Slu__Client__Reply *reply = statuses(stage->session, id, 3);
    assert_int_equal(reply->query->statuses[0]->stage, SLU_STAGE_FINAL);
    assert_true(reply->query->statuses[0]->height == 17);
    assert_int_equal(reply->query->statuses[1]->stage, SLU_STAGE_DROPPED);
    assert_string_equal(reply->query->statuses[1]->reason, "expired");
    assert_int_equal(reply->query->statuses[2]->stage, SLU_STAGE_UNKNOWN);
    slu_reply_free(reply);
}

/* Where one was queued that the core still knows to be final is in the store, for who asks for it.
 */
static void a_forgotten_queueing_is_looked_up(void **state)
{
    struct stage *stage = *state;
    static const struct queued_item item = {.name = 1, .bytes = 100};
    slu_disk_begin(stage->disk);
    for (uint64_t height = 36; height < 40; height++)
        put_queuing_block(stage->disk, height, (struct slu_queue_tail){40, 8}, &item, height == 37);
    put_out_of_queue(stage->disk, 40, &item, 1);
    assert_int_equal(slu_disk_commit(stage->disk), 0);
    for (int queueing = 0; queueing < 2; queueing++) {
        uint8_t ids[1][32];
        queued_id(ids[0], 1);
        uint64_t id = query_for(stage->session, ids, 1, 0, queueing);
        answer_forced(stage, 0, 0);
        Slu__Client__Reply *reply = statuses(stage->session, id, 1);
        const Slu__Client__TxStatus *s = reply->query->statuses[0];
        assert_true(s->stage == SLU_STAGE_FINAL && s->height == 40);
        assert_int_equal(s->forced, queueing);
        assert_true(s->queued_height == (queueing ? 37 : 0));
        assert_true(s->due_height == (queueing ? 40 : 0));
        slu_reply_free(reply);
    }
}

static void bad_queries_are_refused(void **state)
{
    struct stage *stage = *state;
    uint8_t id32[32] = {1};
    ProtobufCBinaryData ids[SLU_QUERY_IDS_MAX + 1];
    Slu__Client__TxQuery body = SLU__CLIENT__TX_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    for (size_t i = 0; i <= SLU_QUERY_IDS_MAX; i++)
        ids[i] = (ProtobufCBinaryData){32, id32};
    body.ids = ids;
    request.body_case = SLU__CLIENT__REQUEST__BODY_QUERY;
    request.query = &body;
    body.n_ids = SLU_QUERY_IDS_MAX + 1;
    assert_int_equal(slu_session_send(stage->session, &request), 0);
    stage_error(stage->session, request.id, "malformed");
    body.n_ids = 2;
    ids[1].len = 31;
    assert_int_equal(slu_session_send(stage->session, &request), 0);
    stage_error(stage->session, request.id, "malformed");
    body.n_ids = 0; /* only asks how far the node is */
    assert_int_equal(slu_session_send(stage->session, &request), 0);
    slu_reply_free(statuses(stage->session, request.id, 0));
    assert_null(stage_next_within(20));
}

/* 1,024 queries wait at once and no more, from however many clients; then there is room again. */
static void bounded_in_all(void **state)
{
    struct stage *stage = *state;
    uint8_t ids[1][32] = {{5}};
    struct slu_session *other = stage_open(stage);
    uint64_t id = 0;
    for (uint32_t i = 0; i < 1024; i++)
        id = query(stage->session, ids, 1, 0);
    uint32_t submissions, queries = 0;
    for (uint32_t i = 0; i < STAGE_WAIT_MS && queries < 1024; i++, usleep(1000))
        slu_gateway_open(stage->gateway, &submissions, &queries);
    assert_int_equal(queries, 1024);
    stage_error(other, query(other, ids, 1, 0), "busy");
    for (uint32_t i = 0; i < 1024; i++)
        answer_next(stage, SLU_STAGE_FINAL);
    slu_reply_free(statuses(stage->session, id, 1));
    id = query(other, ids, 1, 0);
    answer_next(stage, SLU_STAGE_FINAL);
    slu_reply_free(statuses(other, id, 1));
    slu_session_close(other);
}

/* Whose client has left is asked about once more and then forgotten. */
static void a_client_that_leaves_is_forgotten(void **state)
{
    struct stage *stage = *state;
    uint8_t ids[1][32] = {{5}};
    struct slu_session *other = stage_open(stage);
    query(other, ids, 1, 600000);
    answer_next(stage, SLU_STAGE_ACCEPTED);
    slu_session_close(other);
    stage_until(stage, SLU_METRIC_CLIENTS, 1);
    uint32_t submissions, queries = 1;
    for (uint32_t i = 0; i < STAGE_WAIT_MS && queries > 0; i++) {
        struct slu_input *input = stage_next_within(1);
        struct slu_tx_status item = {.id = {5}, .stage = SLU_STAGE_ACCEPTED};
        if (input != NULL) {
            slu_gateway_answer(stage->gateway, input->event.query.token, &item, 1);
            stage_done(input);
        }
        slu_gateway_open(stage->gateway, &submissions, &queries);
    }
    assert_int_equal(queries, 0);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, stage_set, stage_strike)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(definite_is_answered_at_once),
        STAGED(asked_again_until_definite),
        STAGED(the_wait_ends),
        STAGED(a_full_core_is_asked_later),
        STAGED(a_queueing_is_told_as_it_is),
        STAGED(unknown_is_looked_up),
        STAGED(a_forgotten_queueing_is_looked_up),
        STAGED(bad_queries_are_refused),
        STAGED(bounded_in_all),
        STAGED(a_client_that_leaves_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
