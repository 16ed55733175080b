/* proto/codec: round trips, every truncation, and bombs against the memory caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "proto/codec.h"
#include "sluice/error.h"

static void test_peer_round_trip(void **state)
{
    (void)state;
    uint8_t body[300], payload[5000], frame[sizeof body + sizeof payload + SLU_PEER_PACK_SLACK];
    static uint8_t memory[sizeof frame + 1024];
    memset(body, 0xb0, sizeof body);
    memset(payload, 0x9a, sizeof payload);
    for (size_t body_len = 0; body_len <= sizeof body; body_len += 50) {
        size_t payload_len = body_len % 100 ? sizeof payload : 0;
        size_t len = slu_peer_pack(frame, sizeof frame, 200, body, body_len, payload, payload_len);
        assert_true(len <= body_len + payload_len + SLU_PEER_PACK_SLACK);
        struct slu_peer_envelope found;
        assert_int_equal(slu_peer_unpack(&found, memory, len + 1024, frame, len), SLU_OK);
        assert_int_equal(found.kind, 200);
        assert_int_equal(found.body_len, body_len);
        assert_int_equal(found.payload_len, payload_len);
        if (body_len)
            assert_memory_equal(found.body, body, body_len);
        if (payload_len)
            assert_memory_equal(found.payload, payload, payload_len);
    }
}

/* A cut frame may be the shorter form of another message, but never reads outside itself. */
static void test_peer_truncation(void **state)
{
    (void)state;
    uint8_t body[100], payload[200], frame[sizeof body + sizeof payload + SLU_PEER_PACK_SLACK];
    memset(body, 1, sizeof body);
    memset(payload, 2, sizeof payload);
    size_t len = slu_peer_pack(frame, sizeof frame, 3, body, sizeof body, payload, sizeof payload);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut + 1);
        void *memory = malloc(cut + 1024);
        struct slu_peer_envelope found;
        memcpy(exact, frame, cut);
        int rc = slu_peer_unpack(&found, memory, cut + 1024, exact, cut);
        if (rc == SLU_OK)
            assert_true(found.payload_len == 0);
        else
            assert_int_equal(rc, SLU_ERR_MALFORMED);
        free(memory);
        free(exact);
    }
}

static void test_peer_refusals(void **state)
{
    (void)state;
    uint8_t memory[2048];
    struct slu_peer_envelope found;
    static const uint8_t wide_kind[] = {0x08, 0x80, 0x02};
    static const uint8_t unknown_field[] = {0x08, 0x01, 0x20, 0x07};
    assert_int_equal(slu_peer_unpack(&found, memory, sizeof memory, wide_kind, sizeof wide_kind),
                     SLU_ERR_MALFORMED);
    assert_int_equal(
        slu_peer_unpack(&found, memory, sizeof memory, unknown_field, sizeof unknown_field),
        SLU_ERR_MALFORMED);
    uint8_t body[1500], frame[sizeof body + SLU_PEER_PACK_SLACK];
    memset(body, 0, sizeof body);
    size_t len = slu_peer_pack(frame, sizeof frame, 1, body, sizeof body, NULL, 0);
    assert_int_equal(slu_peer_unpack(&found, memory, 1000, frame, len), SLU_ERR_LIMIT);
    /* Unfinished memory at any size is a clean refusal. */
    for (size_t cap = 0; cap < sizeof body; cap += 7)
        assert_true(slu_peer_unpack(&found, memory, cap, frame, len) != SLU_OK);
}

static uint8_t *pack_submit(size_t count, size_t bytes_each, size_t *len)
{
    ProtobufCBinaryData *payloads = calloc(count, sizeof *payloads);
    uint8_t *bytes = malloc(bytes_each);
    memset(bytes, 0x55, bytes_each);
    for (size_t i = 0; i < count; i++)
        payloads[i] = (ProtobufCBinaryData){.len = bytes_each, .data = bytes};
    Slu__Client__Submit submit = SLU__CLIENT__SUBMIT__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    submit.rollup = 7;
    submit.n_payloads = count;
    submit.payloads = payloads;
    request.id = 99;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBMIT;
    request.submit = &submit;
    uint8_t *frame = slu_request_pack(&request, len);
    free(payloads);
    free(bytes);
    return frame;
}

/* Everything that a client may rightly send fits into the cap that the header names. */
static void test_request_round_trip(void **state)
{
    (void)state;
    static const struct {
        size_t count, bytes_each;
    } cases[] = {{0, 1}, {1, 131000}, {16384, 1}, {16384, 40}, {3900, 256}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len;
        uint8_t *frame = pack_submit(cases[i].count, cases[i].bytes_each, &len);
        assert_true(len <= SLU_FRAME_BYTES_MAX);
        Slu__Client__Request *request = slu_request_unpack(frame, len, SLU_REQUEST_MEMORY_MAX);
        assert_non_null(request);
        assert_int_equal(request->id, 99);
        assert_int_equal(request->body_case, SLU__CLIENT__REQUEST__BODY_SUBMIT);
        assert_int_equal(request->submit->n_payloads, cases[i].count);
        for (size_t j = 0; j < cases[i].count; j++) {
            assert_int_equal(request->submit->payloads[j].len, cases[i].bytes_each);
            assert_int_equal(request->submit->payloads[j].data[0], 0x55);
        }
        slu_request_free(request);
        free(frame);
    }
}

static void test_request_truncation_and_caps(void **state)
{
    (void)state;
    size_t len;
    uint8_t *frame = pack_submit(20, 30, &len);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut + 1);
        memcpy(exact, frame, cut);
        Slu__Client__Request *request = slu_request_unpack(exact, cut, SLU_REQUEST_MEMORY_MAX);
        /* Only the ends of whole fields can parse, and then without the submission. */
        if (request)
            assert_int_equal(request->body_case, SLU__CLIENT__REQUEST__BODY__NOT_SET);
        slu_request_free(request);
        free(exact);
    }
    size_t fits = 0;
    for (size_t cap = 0; cap < 8192; cap += 16) {
        Slu__Client__Request *request = slu_request_unpack(frame, len, cap);
        if (!request)
            assert_int_equal(fits, 0);
        fits += request != NULL;
        slu_request_free(request);
    }
    assert_true(fits > 0);
    free(frame);
}

/* A megabyte of empty repeated fields, two bytes each, would unfold to some 60 MiB. */
static void test_bombs(void **state)
{
    (void)state;
    size_t count = 500000, inner = 2 * count;
    uint8_t *frame = malloc(inner + 16);
    size_t len = 0;
    frame[len++] = 0x12; /* Request.submit */
    for (size_t left = inner;; left >>= 7) {
        frame[len++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        if (left <= 0x7f)
            break;
    }
    for (size_t i = 0; i < count; i++) {
        frame[len++] = 0x12; /* Submit.payloads, empty */
        frame[len++] = 0x00;
    }
    assert_null(slu_request_unpack(frame, len, SLU_REQUEST_MEMORY_MAX));
    frame[0] =
        0x1a; /* Request.query: the second field there is wait_ms, a type that does not fit */
    Slu__Client__Request *request = slu_request_unpack(frame, len, SLU_REQUEST_MEMORY_MAX);
    slu_request_free(request);
    /* Results in a reply: nested messages. */
    frame[0] = 0x12;
    for (size_t i = len - inner; i < len; i += 2)
        frame[i] = 0x0a;
    assert_null(slu_reply_unpack(frame, len, SLU_REPLY_MEMORY_MAX));
    free(frame);
}

static void test_unknown_fields_are_refused(void **state)
{
    (void)state;
    static const uint8_t frame[] = {0x08, 0x05, 0x78, 0x01};
    assert_null(slu_request_unpack(frame, sizeof frame, 65536));
    assert_null(slu_reply_unpack(frame, sizeof frame, 65536));
    Slu__Client__Request *request = slu_request_unpack(frame, 2, 65536);
    assert_non_null(request);
    assert_int_equal(request->id, 5);
    slu_request_free(request);
    slu_request_free(NULL);
    slu_reply_free(NULL);
}

/* The largest reply to the largest submission. */
static void test_reply_round_trip(void **state)
{
    (void)state;
    static Slu__Client__TxResult results[SLU_SUBMIT_TXS_MAX];
    static Slu__Client__TxResult *pointers[SLU_SUBMIT_TXS_MAX];
    uint8_t id[32] = {9};
    for (size_t i = 0; i < SLU_SUBMIT_TXS_MAX; i++) {
        slu__client__tx_result__init(&results[i]);
        results[i].id = (ProtobufCBinaryData){.len = sizeof id, .data = id};
        results[i].accepted = i % 2;
        results[i].reason = i % 2 ? (char *)"" : (char *)"lane_full";
        pointers[i] = &results[i];
    }
    Slu__Client__SubmitReply submit = SLU__CLIENT__SUBMIT_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    submit.n_results = SLU_SUBMIT_TXS_MAX;
    submit.results = pointers;
    submit.valid_until_ms = 123;
    reply.id = 4;
    reply.body_case = SLU__CLIENT__REPLY__BODY_SUBMIT;
    reply.submit = &submit;
    size_t len;
    uint8_t *frame = slu_reply_pack(&reply, &len);
    assert_true(len <= SLU_FRAME_BYTES_MAX);
    Slu__Client__Reply *found = slu_reply_unpack(frame, len, SLU_REPLY_MEMORY_MAX);
    assert_non_null(found);
    assert_int_equal(found->submit->n_results, SLU_SUBMIT_TXS_MAX);
    assert_int_equal(found->submit->valid_until_ms, 123);
    assert_string_equal(found->submit->results[2]->reason, "lane_full");
    assert_memory_equal(found->submit->results[3]->id.data, id, sizeof id);
    slu_reply_free(found);
    free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_round_trip),
        cmocka_unit_test(test_peer_truncation),
        cmocka_unit_test(test_peer_refusals),
        cmocka_unit_test(test_request_round_trip),
        cmocka_unit_test(test_request_truncation_and_caps),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_unknown_fields_are_refused),
        cmocka_unit_test(test_reply_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
