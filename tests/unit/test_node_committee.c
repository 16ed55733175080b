/* What a node says of the committee's keys (node/committee), newest and old ones. The core is
 * played by the test (gateway_stage.h). */
#include "tests/unit/gateway_stage.h"

static uint8_t key_ids[2][32];

static void put_element(uint8_t element32[32], uint8_t tag)
{
    uint8_t scalar[32] = {tag};
    assert_int_equal(crypto_scalarmult_ristretto255_base(element32, scalar), 0);
}

/* The core gets one more key; nobody here looks at its signatures. */
static void add_key(const struct stage *stage)
{
    static struct slu_key_cert cert;
    const struct slu_genesis *g = &stage->genesis;
    uint16_t number = stage_core.key_count, k = (uint16_t)(number + 1);
    struct slu_writer w = slu_writer_of(stage_core.keys[number], SLU_KEY_CERT_BYTES_MAX);
    cert = (struct slu_key_cert){.attempt = k, .k = k, .dealers = 3, .count = k};
    put_element(cert.key.y, (uint8_t)(10 * k));
    for (uint16_t i = 0; i < g->n; i++)
        put_element(cert.key.y_i[i], (uint8_t)(10 * k + 1 + i));
    for (uint16_t i = 0; i < k; i++)
        cert.signers[i].node = i;
    slu_key_cert_write(&w, g, &cert);
    struct slu_reader r = slu_reader_of(stage_core.keys[number], slu_writer_len(&w));
    assert_int_equal(slu_key_cert_read(&r, g, &cert), 0);
    memcpy(key_ids[number], cert.key.key_id, 32);
    pthread_mutex_lock(&stage_core.lock);
    stage_core.key_len[number] = slu_writer_len(&w);
    stage_core.key_count++;
    pthread_mutex_unlock(&stage_core.lock);
}

static uint64_t ask(struct slu_session *session, uint8_t *key_id, size_t len)
{
    Slu__Client__KeyQuery body = SLU__CLIENT__KEY_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    body.key_id = (ProtobufCBinaryData){len, key_id};
    request.body_case = SLU__CLIENT__REQUEST__BODY_KEY;
    request.key = &body;
    assert_int_equal(slu_session_send(session, &request), 0);
    return request.id;
}

/* The answer is certificate `number`; none with -1. */
static void expect_key(struct stage *stage, uint8_t *key_id, size_t len, int number)
{
    Slu__Client__Reply *reply = stage_reply(stage->session, ask(stage->session, key_id, len));
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_KEY);
    assert_int_equal(reply->key->height, STAGE_HEIGHTS);
    assert_int_equal(reply->key->stream_ms, STAGE_HEIGHTS * STEP_MS);
    assert_int_equal(reply->key->certificate.len, number < 0 ? 0 : stage_core.key_len[number]);
    if (number >= 0)
        assert_memory_equal(reply->key->certificate.data, stage_core.keys[number],
                            stage_core.key_len[number]);
    slu_reply_free(reply);
}

static void test_keys(void **state)
{
    struct stage *stage = *state;
    uint8_t unknown[32] = {1};
    expect_key(stage, NULL, 0, -1);
    add_key(stage);
    expect_key(stage, NULL, 0, 0);
    expect_key(stage, key_ids[0], 32, 0);
    add_key(stage);
    expect_key(stage, key_ids[0], 32, 0);
    expect_key(stage, key_ids[1], 32, 1);
    expect_key(stage, NULL, 0, 1);
    expect_key(stage, unknown, 32, -1);
    assert_int_equal(slu_metrics_get(&stage->metrics, SLU_METRIC_REQUEST_KEY), 7);
}

static void test_ids_of_other_lengths(void **state)
{
    struct stage *stage = *state;
    uint8_t id[64] = {1};
    static const size_t lens[] = {1, 31, 33, 64};
    add_key(stage);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
        (void)stage_error(stage->session, ask(stage->session, id, lens[i]), "malformed");
    expect_key(stage, NULL, 0, 0); /* and the connection is as good as before */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys, stage_set, stage_strike),
        cmocka_unit_test_setup_teardown(test_ids_of_other_lengths, stage_set, stage_strike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
