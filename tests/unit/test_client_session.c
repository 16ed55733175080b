/* The commands against a stub node over real links: what they print and how they end when the node
 * answers, dies in the middle, skips a height, forgets, or is not there. */
#include <pthread.h>
#include <sodium.h>

#include "base/bytes.h"
#include "client/command.h"
#include "client/stage.h"
#include "tests/unit/stub_node.h"

#define WAIT_MS 60000u /* for what comes sooner or later */

/* ---- the stub ---- */

enum memory {
    KNOWS,   /* answers queries with final */
    FORGETS, /* answers unknown, stream time far ahead */
    DROPS,   /* answers dropped, expired */
};

struct stub {
    struct stub_door door;
    uint64_t lowest, tip;   /* heights there are */
    uint64_t die_in;        /* sends half of this height, then closes; once */
    uint64_t skip;          /* leaves this height out */
    uint64_t die_on_submit; /* closes at this submission, counted from 1; once */
    enum memory memory;
    uint64_t lost_id; /* FORGETS: the transaction with this number is in no height */
    _Atomic uint64_t submits, txs, links;
};

/* Transaction `number` has its number as id; height h holds the numbers 3h, 3h+1, 3h+2. */
static void make_id(uint8_t id32[32], uint64_t number)
{
    memset(id32, 0, 32);
    struct slu_writer w = slu_writer_of(id32, 32);
    slu_write_u64(&w, number);
}

static uint64_t number_of(const uint8_t *id32)
{
    struct slu_reader r = slu_reader_of(id32, 32);
    return slu_read_u64(&r);
}

static void send_part(struct stub *stub, struct slu_link *link, uint64_t id, uint64_t height,
                      uint32_t first, uint32_t count, bool more)
{
    uint8_t bytes[512], block[32] = {(uint8_t)height}, id32[32];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    uint32_t written = 0;
    for (uint32_t i = first; i < first + count; i++) {
        if (stub->memory == FORGETS && 3 * height + i == stub->lost_id)
            continue;
        make_id(id32, 3 * height + i);
        slu_write_u32(&w, i);
        slu_write_u64(&w, 7);
        slu_write_u64(&w, 9); /* valid_until */
        slu_write_bytes(&w, id32, 32);
        slu_write_u8(&w, 0);
        slu_write_u32(&w, 1);
        slu_write_u8(&w, (uint8_t)height);
        written++;
    }
    Slu__Client__Height part = SLU__CLIENT__HEIGHT__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    part.height = height;
    part.time_ms = 1000 + height;
    part.block = (ProtobufCBinaryData){.len = 32, .data = block};
    part.rollup = 7;
    part.count = written;
    part.entries = (ProtobufCBinaryData){.len = slu_writer_len(&w), .data = bytes};
    part.more = more;
    reply.body_case = SLU__CLIENT__REPLY__BODY_HEIGHT;
    reply.height = &part;
    send_reply(link, &reply, id);
}

static void on_subscribe(struct stub *stub, struct slu_link *link, uint64_t id,
                         const Slu__Client__Subscribe *subscribe)
{
    uint64_t from = subscribe->from_height ? subscribe->from_height : stub->tip;
    uint64_t to =
        subscribe->to_height && subscribe->to_height < stub->tip ? subscribe->to_height : stub->tip;
    if (from < stub->lowest) {
        send_error(link, id, "below_retention", "words", stub->lowest);
        return;
    }
    for (uint64_t height = from; height <= to; height++) {
        if (height == stub->skip)
            continue;
        bool die = height == stub->die_in;
        /* Even heights come in two parts. */
        if (height % 2 == 0 || die)
            send_part(stub, link, id, height, 0, 2, true);
        if (die) {
            stub->die_in = 0;
            while (slu_link_queued_bytes(link) > 0)
                usleep(1000);
            slu_link_close(link);
            return;
        }
        if (height % 2 == 0)
            send_part(stub, link, id, height, 2, 1, false);
        else
            send_part(stub, link, id, height, 0, 3, false);
    }
}

/* Accepts all but payloads that begin with 0xff. */
static void on_submit(struct stub *stub, struct slu_link *link, uint64_t id,
                      const Slu__Client__Submit *submit)
{
    if (++stub->submits == stub->die_on_submit) {
        slu_link_close(link);
        return;
    }
    size_t count = submit->n_payloads;
    Slu__Client__TxResult *results = calloc(count, sizeof *results);
    Slu__Client__TxResult **pointers = calloc(count, sizeof *pointers);
    uint8_t(*ids)[32] = calloc(count, 32);
    for (size_t i = 0; i < count; i++) {
        slu__client__tx_result__init(&results[i]);
        pointers[i] = &results[i];
        results[i].accepted = submit->payloads[i].data[0] != 0xff;
        if (results[i].accepted) {
            make_id(ids[i], stub->txs++);
            results[i].id = (ProtobufCBinaryData){.len = 32, .data = ids[i]};
        } else {
            results[i].reason = (char *)"rate_client";
        }
    }
    Slu__Client__SubmitReply body = SLU__CLIENT__SUBMIT_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    body.n_results = count;
    body.results = pointers;
    body.valid_until_ms = 1010;
    body.height = 1;
    reply.body_case = SLU__CLIENT__REPLY__BODY_SUBMIT;
    reply.submit = &body;
    send_reply(link, &reply, id);
    free(ids);
    free(pointers);
    free(results);
}

static void on_query(struct stub *stub, struct slu_link *link, uint64_t id,
                     const Slu__Client__TxQuery *query)
{
    size_t count = query->n_ids;
    Slu__Client__TxStatus *statuses = calloc(count + 1, sizeof *statuses);
    Slu__Client__TxStatus **pointers = calloc(count + 1, sizeof *pointers);
    for (size_t i = 0; i < count; i++) {
        slu__client__tx_status__init(&statuses[i]);
        pointers[i] = &statuses[i];
        statuses[i].id = query->ids[i];
        if (stub->memory == KNOWS) {
            statuses[i].stage = SLU_CLIENT_FINAL;
            statuses[i].height = number_of(query->ids[i].data) / 3;
            statuses[i].index = (uint32_t)(number_of(query->ids[i].data) % 3);
        } else if (stub->memory == DROPS) {
            statuses[i].stage = SLU_CLIENT_DROPPED;
            statuses[i].reason = (char *)"expired";
        }
    }
    Slu__Client__TxReply body = SLU__CLIENT__TX_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    body.n_statuses = count;
    body.statuses = pointers;
    body.stream_ms = 1000000;
    reply.body_case = SLU__CLIENT__REPLY__BODY_QUERY;
    reply.query = &body;
    send_reply(link, &reply, id);
    free(pointers);
    free(statuses);
}

static void on_frame(void *context, struct slu_link *link, const uint8_t *data, size_t len)
{
    struct stub *stub = context;
    Slu__Client__Request *request = slu_request_unpack(data, len, SLU_REQUEST_MEMORY_MAX);
    assert_non_null(request);
    if (request->body_case == SLU__CLIENT__REQUEST__BODY_SUBSCRIBE)
        on_subscribe(stub, link, request->id, request->subscribe);
    else if (request->body_case == SLU__CLIENT__REQUEST__BODY_SUBMIT)
        on_submit(stub, link, request->id, request->submit);
    else if (request->body_case == SLU__CLIENT__REQUEST__BODY_QUERY)
        on_query(stub, link, request->id, request->query);
    else
        send_error(link, request->id, "malformed", "words", 0);
    slu_request_free(request);
}

static void on_up(void *context, struct slu_link *link)
{
    (void)link;
    ((struct stub *)context)->links++;
}

static void stub_start(struct stub *stub, uint8_t chain)
{
    uint8_t chain_id[32] = {chain};
    struct slu_link_handler handler = {.context = stub, .up = on_up, .frame = on_frame};
    stub_open(&stub->door, chain_id, &handler);
}

static void stub_stop(struct stub *stub)
{
    stub_close(&stub->door);
}

/* What `subscribe` must print for the heights from..to. */
static void expect_heights(uint64_t from, uint64_t to)
{
    static char expected[1 << 20];
    size_t at = 0;
    for (uint64_t height = from; height <= to; height++) {
        uint8_t block[32] = {(uint8_t)height}, id32[32];
        char hex[65];
        slu_hex_encode(hex, block, 32);
        at += (size_t)sprintf(expected + at,
                              "{\"height\":%d,\"time_ms\":%d,\"block\":\"%s\",\"rollup\":7,"
                              "\"entries\":[",
                              (int)height, (int)height + 1000, hex);
        for (unsigned i = 0; i < 3; i++) {
            make_id(id32, 3 * height + i);
            slu_hex_encode(hex, id32, 32);
            at += (size_t)sprintf(expected + at,
                                  "%s{\"index\":%u,\"id\":\"%s\",\"kind\":\"plain\","
                                  "\"payload\":\"0x%02x\"}",
                                  i ? "," : "", i, hex, (unsigned)height);
        }
        at += (size_t)sprintf(expected + at, "]}\n");
    }
    assert_string_equal(output, expected);
}

static const char *urls_of(struct stub *a, struct stub *b)
{
    static char urls[300];
    snprintf(urls, sizeof urls, "%s,%s", slu_listener_url(a->door.listener),
             slu_listener_url(b->door.listener));
    return urls;
}

/* ---- subscribe ---- */

static void test_subscribe(void **state)
{
    (void)state;
    struct stub stub = {.lowest = 1, .tip = 100};
    stub_start(&stub, 1);
    const char *url = slu_listener_url(stub.door.listener);
    assert_int_equal(run(slu_command_subscribe, "subscribe", "--node", url, "--rollup", "7",
                         "--from", "3", "--to", "60", NULL),
                     0);
    expect_heights(3, 60);
    stub.lowest = 10;
    assert_int_equal(run(slu_command_subscribe, "subscribe", "--node", url, "--rollup", "7",
                         "--from", "3", "--to", "60", NULL),
                     2);
    assert_string_equal(output, "");
    assert_int_equal(run(slu_command_subscribe, "subscribe", "--node", url, "--rollup", "7",
                         "--from", "61", "--to", "60", NULL),
                     2);
    stub_stop(&stub);
}

static void test_subscribe_falls_over(void **state)
{
    (void)state;
    struct stub a = {.lowest = 1, .tip = 100, .die_in = 20};
    struct stub b = {.lowest = 1, .tip = 100, .skip = 40};
    stub_start(&a, 1);
    stub_start(&b, 1);
    /* a dies in the middle of 20, b leaves out 40, a goes on. */
    assert_int_equal(run(slu_command_subscribe, "subscribe", "--node", urls_of(&a, &b), "--rollup",
                         "7", "--from", "1", "--to", "80", NULL),
                     0);
    expect_heights(1, 80);
    assert_int_equal(a.links, 2);
    assert_int_equal(b.links, 1);
    /* A lone node that leaves heights out is given up. */
    assert_int_equal(run(slu_command_subscribe, "subscribe", "--node",
                         slu_listener_url(b.door.listener), "--rollup", "7", "--from", "30", "--to",
                         "80", NULL),
                     2);
    expect_heights(30, 39);
    stub_stop(&a);
    /* a is gone altogether. */
    char urls[300];
    snprintf(urls, sizeof urls, "tcp://127.0.0.1:1,%s", slu_listener_url(b.door.listener));
    assert_int_equal(run(slu_command_subscribe, "subscribe", "--node", urls, "--rollup", "7",
                         "--from", "50", "--to", "55", NULL),
                     0);
    expect_heights(50, 55);
    stub_stop(&b);
}

static void test_subscribe_one_chain_only(void **state)
{
    (void)state;
    struct stub a = {.lowest = 1, .tip = 30, .die_in = 20};
    struct stub b = {.lowest = 1, .tip = 30};
    stub_start(&a, 1);
    stub_start(&b, 2);
    assert_int_equal(run(slu_command_subscribe, "subscribe", "--node", urls_of(&a, &b), "--rollup",
                         "7", "--from", "1", "--to", "25", NULL),
                     0);
    expect_heights(1, 25);
    assert_int_equal(a.links, 2);
    stub_stop(&a);
    stub_stop(&b);
}

/* ---- submit ---- */

static void test_submit(void **state)
{
    (void)state;
    struct stub stub = {.lowest = 1, .tip = 2000};
    stub_start(&stub, 1);
    const char *url = slu_listener_url(stub.door.listener);
    const char *path = hex_file(5000, "");
    assert_int_equal(
        run(slu_command_submit, "submit", "--node", url, "--rollup", "7", "--hex", path, NULL), 0);
    assert_int_equal(lines_with("\"status\":\"accepted\",\"reason\":\"\"}\n"), 5000);
    unlink(path);
    stub.txs = 3;
    path = hex_file(3000, "0xff\nzz\n0x01\n");
    assert_int_equal(run(slu_command_submit, "submit", "--node", url, "--rollup", "7", "--hex",
                         path, "--wait", NULL),
                     2);
    assert_int_equal(lines_with("\"outcome\":\"ordered\""), 3001);
    assert_int_equal(lines_with("{\"id\":null,\"status\":\"refused\",\"reason\":\"rate_client\"}"),
                     1);
    assert_int_equal(lines_with("\"status\":\"refused\",\"reason\":\"line 3002: "), 1);
    assert_int_equal(lines_with("\"height\":1,\"index\":0}"), 1);
    unlink(path);
    stub.memory = DROPS;
    path = hex_file(10, "");
    assert_int_equal(run(slu_command_submit, "submit", "--node", url, "--rollup", "7", "--hex",
                         path, "--wait", NULL),
                     2);
    assert_int_equal(lines_with("\"reason\":\"expired\",\"outcome\":\"expired\"}"), 10);
    unlink(path);
    stub_stop(&stub);
}

/* A node that no longer knows the ids: the stream itself decides, ordered or expired. */
static void test_submit_settles_by_history(void **state)
{
    (void)state;
    struct stub stub = {.lowest = 1, .tip = 2000, .memory = FORGETS, .lost_id = 8, .txs = 3};
    stub_start(&stub, 1);
    const char *path = hex_file(20, "");
    assert_int_equal(run(slu_command_submit, "submit", "--node",
                         slu_listener_url(stub.door.listener), "--rollup", "7", "--hex", path,
                         "--wait", NULL),
                     2);
    assert_int_equal(lines_with("\"outcome\":\"ordered\""), 19);
    assert_int_equal(lines_with("\"outcome\":\"expired\""), 1);
    assert_int_equal(lines_with("\"outcome\":\"ordered\",\"height\":7,\"index\":1}"), 1);
    assert_non_null(strstr(output, "{\"id\":\"08000000"));
    unlink(path);
    stub_stop(&stub);
}

static void test_submit_connection_lost(void **state)
{
    (void)state;
    struct stub stub = {.lowest = 1, .tip = 2000, .die_on_submit = 3};
    stub_start(&stub, 1);
    const char *path = hex_file(20000, "");
    assert_int_equal(run(slu_command_submit, "submit", "--node",
                         slu_listener_url(stub.door.listener), "--rollup", "7", "--hex", path,
                         NULL),
                     2);
    size_t accepted = lines_with("\"status\":\"accepted\"");
    size_t lost = lines_with("\"reason\":\"connection_lost\"");
    assert_int_equal(accepted + lost, 20000);
    assert_true(lost >= 1024 && lost <= 8 * 1024);
    /* What was surely not sent went out over the second connection. */
    assert_true(accepted >= 20000 - 8 * 1024);
    assert_int_equal(stub.links, 2);
    unlink(path);
    stub_stop(&stub);
}

static void test_no_node(void **state)
{
    (void)state;
    const char *path = hex_file(2, "");
    assert_int_equal(run(slu_command_submit, "submit", "--node", "tcp://127.0.0.1:1", "--rollup",
                         "7", "--hex", path, NULL),
                     1);
    assert_int_equal(lines_with("\"status\":\"refused\",\"reason\":\"no_node\"}\n"), 2);
    assert_int_equal(run(slu_command_status, "status", "--node", "127.0.0.1:1", NULL), 1);
    assert_int_equal(run(slu_command_submit, "submit", "--rollup", "7", NULL), 2);
    unlink(path);
}

/* ---- tx ---- */

static void test_tx(void **state)
{
    (void)state;
    struct stub stub = {.lowest = 1, .tip = 10};
    uint8_t id32[32];
    char hex[65], expected[200];
    stub_start(&stub, 1);
    const char *url = slu_listener_url(stub.door.listener);
    make_id(id32, 16);
    slu_hex_encode(hex, id32, 32);
    assert_int_equal(run(slu_command_tx, "tx", hex, "--node", url, NULL), 0);
    snprintf(expected, sizeof expected,
             "{\"id\":\"%s\",\"state\":\"final\",\"height\":5,\"index\":1}\n", hex);
    assert_string_equal(output, expected);
    stub.memory = DROPS;
    assert_int_equal(run(slu_command_tx, "tx", "--node", url, hex, NULL), 0);
    assert_non_null(strstr(output, "\"state\":\"expired\""));
    stub.memory = FORGETS;
    assert_int_equal(run(slu_command_tx, "tx", "--node", url, hex, NULL), 2);
    assert_non_null(strstr(output, "\"state\":\"unknown\""));
    assert_int_equal(run(slu_command_tx, "tx", "--node", url, "12", NULL), 2);
    stub_stop(&stub);
}

/* ---- session ---- */

/* A user that does not receive stops the stream; nothing is lost once it does. */
static void test_slow_user(void **state)
{
    (void)state;
    struct stub stub = {.lowest = 1, .tip = 20000};
    struct slu_session *session;
    char why[256];
    stub_start(&stub, 1);
    struct slu_session_config config = {.url = slu_listener_url(stub.door.listener),
                                        .timeout_ms = WAIT_MS};
    assert_int_equal(slu_session_open(&session, &config, why, sizeof why), SLU_OK);
    Slu__Client__Subscribe subscribe = SLU__CLIENT__SUBSCRIBE__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    subscribe.rollup = 7;
    subscribe.from_height = 1;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &subscribe;
    assert_int_equal(slu_session_send(session, &request), SLU_OK);
    usleep(200000);
    Slu__Client__Reply *reply;
    uint64_t seen = 0;
    while (seen < 20000) {
        assert_int_equal(slu_session_receive(session, request.id, &reply, WAIT_MS), SLU_OK);
        seen += !reply->height->more;
        slu_reply_free(reply);
    }
    assert_int_equal(slu_session_receive(session, SLU_SESSION_ANY, &reply, 10), SLU_ERR_TIMEOUT);
    stub_stop(&stub);
    assert_int_equal(slu_session_receive(session, SLU_SESSION_ANY, &reply, WAIT_MS),
                     SLU_ERR_CLOSED);
    assert_true(slu_session_is_down(session));
    assert_int_equal(slu_session_send(session, &request), SLU_ERR_CLOSED);
    slu_session_close(session);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subscribe),
        cmocka_unit_test(test_subscribe_falls_over),
        cmocka_unit_test(test_subscribe_one_chain_only),
        cmocka_unit_test(test_submit),
        cmocka_unit_test(test_submit_settles_by_history),
        cmocka_unit_test(test_submit_connection_lost),
        cmocka_unit_test(test_no_node),
        cmocka_unit_test(test_tx),
        cmocka_unit_test(test_slow_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
