/* The gateway's door (node/gateway): requests of clients that misbehave harm their own connection
 * and no other. Over real links (gateway_stage.h); submissions, queries and streams have tests of
 * their own. */
#include "tests/unit/gateway_stage.h"

/* A client that sends whatever frame it likes. */
struct raw {
    struct slu_link *link;
    pthread_mutex_t gate; /* held: it does not read */
    _Atomic uint32_t replies, errors, downs;
    _Atomic uint64_t error_id;
    char code[32];
};

static void raw_up(void *context, struct slu_link *link)
{
    (void)context;
    (void)link;
}

static void raw_frame(void *context, struct slu_link *link, const uint8_t *data, size_t len)
{
    struct raw *raw = context;
    (void)link;
    Slu__Client__Reply *reply = slu_reply_unpack(data, len, SLU_REPLY_MEMORY_MAX);
    pthread_mutex_lock(&raw->gate);
    if (reply != NULL && reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR) {
        snprintf(raw->code, sizeof raw->code, "%s", reply->error->code);
        raw->error_id = reply->id;
        raw->errors++;
    }
    raw->replies++;
    pthread_mutex_unlock(&raw->gate);
    slu_reply_free(reply);
}

static void raw_down(void *context, struct slu_link *link, int error, const char *reason)
{
    (void)link;
    (void)error;
    (void)reason;
    ((struct raw *)context)->downs++;
}

static struct raw *raw_open(struct stage *stage)
{
    struct raw *raw = calloc(1, sizeof *raw);
    struct slu_link_config config = slu_link_config_default();
    struct slu_link_handler handler = {
        .context = raw, .up = raw_up, .frame = raw_frame, .down = raw_down};
    char why[512];
    pthread_mutex_init(&raw->gate, NULL);
    assert_int_equal(slu_link_connect(&raw->link, stage->node.client_listen_url, &config, &handler,
                                      STAGE_WAIT_MS, why, sizeof why),
                     0);
    return raw;
}

static void raw_close(struct raw *raw)
{
    slu_link_close_wait(raw->link);
    slu_link_release(raw->link);
    pthread_mutex_destroy(&raw->gate);
    free(raw);
}

static void until(_Atomic uint32_t *value, uint32_t want)
{
    for (uint32_t i = 0; i < STAGE_WAIT_MS && *value != want; i++)
        usleep(1000);
    assert_int_equal(*value, want);
}

static uint64_t ask_status(struct slu_session *session)
{
    Slu__Client__StatusQuery body = SLU__CLIENT__STATUS_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    request.body_case = SLU__CLIENT__REQUEST__BODY_STATUS;
    request.status = &body;
    assert_int_equal(slu_session_send(session, &request), 0);
    return request.id;
}

static void expect_status(struct slu_session *session)
{
    Slu__Client__Reply *reply = stage_reply(session, ask_status(session));
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_STATUS);
    assert_string_equal(reply->status->json, "{\"node\":0}");
    slu_reply_free(reply);
}

/* Garbage, a request of nothing, a field that nobody knows, a length that goes beyond the frame. */
static void a_bad_frame_is_told_so_and_closed(void **state)
{
    struct stage *stage = *state;
    static const uint8_t frames[][8] = {
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
        {0x08, 0x05},
        {0x7a, 0x02, 1, 2},
        {0x12, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1},
    };
    static const size_t lens[] = {8, 2, 4, 8};
    for (size_t i = 0; i < 4; i++) {
        struct raw *raw = raw_open(stage);
        assert_int_equal(slu_link_send(raw->link, frames[i], lens[i], NULL, 0), 0);
        until(&raw->downs, 1);
        assert_int_equal(raw->errors, 1); /* it could read why */
        assert_string_equal(raw->code, "malformed");
        assert_true(raw->error_id == 0);
        raw_close(raw);
        expect_status(stage->session);
    }
    assert_int_equal(slu_metrics_get(&stage->metrics, SLU_METRIC_REQUEST_MALFORMED), 4);
}

/* More bad clients at once than may linger over their last reply. */
static void a_crowd_of_bad_clients(void **state)
{
    struct stage *stage = *state;
    static struct raw *crowd[100];
    static const uint8_t garbage[] = {0xff, 0xee};
    for (size_t i = 0; i < 100; i++)
        crowd[i] = raw_open(stage);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(slu_link_send(crowd[i]->link, garbage, sizeof garbage, NULL, 0), 0);
    expect_status(stage->session);
    for (size_t i = 0; i < 100; i++) {
        until(&crowd[i]->downs, 1);
        raw_close(crowd[i]);
    }
    stage_until(stage, SLU_METRIC_CLIENTS, 1);
    expect_status(stage->session);
}

static uint8_t *status_request(size_t *len)
{
    Slu__Client__StatusQuery body = SLU__CLIENT__STATUS_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    request.id = 1;
    request.body_case = SLU__CLIENT__REQUEST__BODY_STATUS;
    request.status = &body;
    return slu_request_pack(&request, len);
}

/* Requests of a few bytes, far more than the gateway keeps: they wait on their own link, and leave
 * the gateway's ring to others. */
static void small_requests_leave_room_to_others(void **state)
{
    struct stage *stage = *state;
    struct raw *raw = raw_open(stage);
    size_t len;
    uint8_t *frame = status_request(&len);
    pthread_mutex_lock(&stage_gate);
    for (uint32_t sent = 0; sent < 20000;) {
        int rc = slu_link_send(raw->link, frame, len, NULL, 0);
        assert_true(rc == 0 || rc == SLU_ERR_BUSY);
        sent += rc == 0;
        if (rc == SLU_ERR_BUSY)
            usleep(200);
    }
    usleep(200000);
    uint64_t id = ask_status(stage->session);
    usleep(50000);
    pthread_mutex_unlock(&stage_gate);
    slu_reply_free(stage_reply(stage->session, id));
    until(&raw->replies, 20000);
    assert_int_equal(slu_metrics_get(&stage->metrics, SLU_METRIC_CLIENT_FLOOD), 0);
    raw_close(raw);
    free(frame);
}

/* Whoever asks on and on and reads nothing is closed, since replies do not wait; nobody else is. */
static void unread_replies_close_their_client(void **state)
{
    struct stage *stage = *state;
    size_t len;
    uint8_t *frame = status_request(&len);
    struct raw *raw = raw_open(stage);
    pthread_mutex_lock(&raw->gate);
    bool closed = false;
    for (uint32_t sent = 0; sent < 4000000 && !closed;) {
        int rc = slu_link_send(raw->link, frame, len, NULL, 0);
        closed =
            rc == SLU_ERR_CLOSED || slu_metrics_get(&stage->metrics, SLU_METRIC_CLIENT_SLOW) > 0;
        sent += rc == 0;
        if (rc == SLU_ERR_BUSY)
            usleep(200);
    }
    pthread_mutex_unlock(&raw->gate);
    assert_true(closed);
    until(&raw->downs, 1);
    raw_close(raw);
    free(frame);
    assert_int_equal(slu_metrics_get(&stage->metrics, SLU_METRIC_CLIENT_SLOW), 1);
    stage_until(stage, SLU_METRIC_CLIENTS, 1);
    expect_status(stage->session);
}

/* Unless there is none: its client may have left too early to be heard. */
static void admit_one(struct stage *stage, struct slu_input *input, uint64_t position)
{
    struct slu_admission item = {.status = SLU_ADMIT_ACCEPTED, .position = position};
    if (input == NULL)
        return;
    slu_gateway_admitted(stage->gateway, input->event.submit.token, &item, 1, position);
    slu_gateway_durable(stage->gateway, position);
    slu_gateway_flushed(stage->gateway);
    stage_done(input);
}

/* Clients come and go with requests under way. */
static void requests_under_way_survive_their_client(void **state)
{
    struct stage *stage = *state;
    ProtobufCBinaryData payload = {3, (uint8_t *)(uintptr_t) "one"};
    Slu__Client__Submit body = SLU__CLIENT__SUBMIT__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    body.rollup = 7;
    body.n_payloads = 1;
    body.payloads = &payload;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBMIT;
    request.submit = &body;
    for (uint32_t i = 0; i < 50; i++) {
        struct slu_session *session = stage_open(stage);
        assert_int_equal(slu_session_send(session, &request), 0);
        struct slu_input *input = i % 2 ? stage_next(SLU_EVENT_SUBMIT) : NULL;
        slu_session_close(session);
        admit_one(stage, input != NULL ? input : stage_next_within(100), 6 + i);
    }
    stage_until(stage, SLU_METRIC_CLIENTS, 1);
    expect_status(stage->session);
    uint32_t submissions = 1, queries;
    for (uint32_t i = 0; i < STAGE_WAIT_MS && submissions > 0; i++) {
        admit_one(stage, stage_next_within(1), 56 + i); /* one that came late to the core */
        slu_gateway_open(stage->gateway, &submissions, &queries);
    }
    assert_int_equal(submissions, 0);
}

static void what_is_delivered_is_known(void **state)
{
    struct stage *stage = *state;
    slu_gateway_delivered(stage->gateway, 250, 250000, 0);
    struct slu_place place = slu_gateway_place(stage->gateway);
    assert_true(place.height == 250 && place.stream_ms == 250000);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, stage_set, stage_strike)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(a_bad_frame_is_told_so_and_closed),       STAGED(a_crowd_of_bad_clients),
        STAGED(small_requests_leave_room_to_others),     STAGED(unread_replies_close_their_client),
        STAGED(requests_under_way_survive_their_client), STAGED(what_is_delivered_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
