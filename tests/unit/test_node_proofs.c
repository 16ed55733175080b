/* Proofs for clients (node/proofs, node/queries): a proof once an entry is final and certified,
 * whether the core or only the store knows where it is; otherwise the reason. The core is played by
 * the test (gateway_stage.h); what a proof says is test_node_prover's. */
#include "tests/unit/gateway_stage.h"
#include "tests/unit/released_store.h"
#include "wire/proof.h"

#define CERTIFIED 60u
#define HEIGHT    40u
#define LANE      1u
#define TX        2u
#define INDEX     (LIVE + TX) /* of that one */

static int set(void **state)
{
    if (stage_set(state) != 0)
        return -1;
    struct stage *stage = *state;
    memset(released, 0, sizeof released);
    slu_disk_begin(stage->disk);
    for (uint64_t height = STAGE_LOWEST; height <= STAGE_HEIGHTS; height++)
        put_released(stage->disk, &stage->genesis, height);
    put_cert(stage->disk, &stage->genesis, 44);
    put_cert(stage->disk, &stage->genesis, CERTIFIED);
    assert_int_equal(slu_disk_commit(stage->disk), 0);
    return 0;
}

static uint64_t ask_at(struct stage *stage, const uint8_t *id, size_t len, uint64_t height)
{
    Slu__Client__ProofQuery body = SLU__CLIENT__PROOF_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    body.id = (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)id};
    body.height = height;
    request.body_case = SLU__CLIENT__REQUEST__BODY_PROOF;
    request.proof = &body;
    assert_int_equal(slu_session_send(stage->session, &request), 0);
    return request.id;
}

static uint64_t ask(struct stage *stage, const uint8_t *id, size_t len)
{
    return ask_at(stage, id, len, 0);
}

/* Asks for an id of which the core says this. */
static Slu__Client__Reply *asked(struct stage *stage, const uint8_t id32[32],
                                 enum slu_tx_stage where, uint64_t height, uint32_t index)
{
    uint64_t id = ask(stage, id32, 32);
    struct slu_input *input = stage_next(SLU_EVENT_QUERY);
    struct slu_tx_status item = {.stage = (uint8_t)where, .height = height, .index = index};
    assert_int_equal(input->event.query.count, 1);
    assert_memory_equal(input->event.query.ids, id32, 32);
    memcpy(item.id, id32, 32);
    slu_gateway_answer(stage->gateway, input->event.query.token, &item, 1);
    stage_done(input);
    Slu__Client__Reply *reply = stage_reply(stage->session, id);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_PROOF);
    return reply;
}

static void expect_reason(struct stage *stage, enum slu_tx_stage where, uint64_t height,
                          const char *reason)
{
    uint8_t id[32] = {1};
    Slu__Client__Reply *reply = asked(stage, id, where, height, 0);
    assert_string_equal(reply->proof->reason, reason);
    assert_int_equal(reply->proof->proof.len, 0);
    slu_reply_free(reply);
}

static void expect_proof(const struct stage *stage, Slu__Client__Reply *reply)
{
    struct slu_proof proof;
    uint8_t body[64];
    size_t len = body_of(body, HEIGHT, LANE, TX);
    assert_string_equal(reply->proof->reason, "");
    assert_int_equal(slu_proof_read(&proof, reply->proof->proof.data, reply->proof->proof.len),
                     SLU_PROOF_GOOD);
    assert_memory_equal(proof.chain_id32, stage->genesis.chain_id, 32);
    assert_true(proof.ordered.height == HEIGHT && proof.ordered.entry.index == INDEX);
    assert_int_equal(proof.ordered.entry.payload_len, len);
    assert_memory_equal(proof.ordered.entry.payload, body, len);
    assert_true(slu_proof_list_rollup(&proof.ordered) == rollup_of(TX));
    assert_int_equal(proof.runs, 1);
    assert_true(proof.run[0].first == HEIGHT && proof.run[0].count == 5); /* up to 44 */
    slu_reply_free(reply);
}

static void of_what_is_certified(void **state)
{
    struct stage *stage = *state;
    uint8_t id[32];
    name_of(id, HEIGHT, LANE, TX);
    expect_proof(stage, asked(stage, id, SLU_STAGE_FINAL, HEIGHT, INDEX));
    expect_proof(stage, asked(stage, id, SLU_STAGE_UNKNOWN, 0, 0)); /* the store knows */
}

/* The core is not asked: nobody has to remember the id. */
static void at_a_known_height(void **state)
{
    struct stage *stage = *state;
    static const struct {
        uint64_t height;
        const char *reason;
    } cases[] = {{HEIGHT, ""},
                 {HEIGHT + 1, "not_there"},
                 {CERTIFIED + 1, "not_certified"},
                 {UINT64_MAX, "not_certified"},
                 {STAGE_LOWEST - 1, "pruned"}};
    uint8_t id[32];
    name_of(id, HEIGHT, LANE, TX);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Slu__Client__Reply *reply =
            stage_reply(stage->session, ask_at(stage, id, 32, cases[i].height));
        assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_PROOF);
        assert_string_equal(reply->proof->reason, cases[i].reason);
        if (i == 0)
            expect_proof(stage, reply);
        else
            slu_reply_free(reply);
    }
    stage_error(stage->session, ask_at(stage, id, 31, HEIGHT), "malformed");
}

static void otherwise_the_reason(void **state)
{
    struct stage *stage = *state;
    static const enum slu_tx_stage early[] = {SLU_STAGE_ACCEPTED, SLU_STAGE_CERTIFIED,
                                              SLU_STAGE_ORDERED,  SLU_STAGE_HELD,
                                              SLU_STAGE_QUEUED,   SLU_STAGE_HELD_CERTIFIED};
    expect_reason(stage, SLU_STAGE_UNKNOWN, 0, "unknown");
    for (size_t i = 0; i < sizeof early / sizeof *early; i++)
        expect_reason(stage, early[i], 0, "not_final");
    expect_reason(stage, SLU_STAGE_DROPPED, 40, "dropped");
    expect_reason(stage, SLU_STAGE_FINAL, CERTIFIED + 1, "not_certified");
    expect_reason(stage, SLU_STAGE_FINAL, STAGE_LOWEST - 1, "pruned");
}

static void only_of_ids(void **state)
{
    struct stage *stage = *state;
    const uint8_t id[33] = {1};
    stage_error(stage->session, ask(stage, id, 31), "malformed");
    stage_error(stage->session, ask(stage, id, 33), "malformed");
    stage_error(stage->session, ask(stage, id, 0), "malformed");
}

/* Who leaves before the proof is made is forgotten; the others get theirs. */
static void a_client_that_leaves_is_forgotten(void **state)
{
    struct stage *stage = *state;
    struct slu_session *other = stage_open(stage);
    struct slu_session *own = stage->session;
    uint8_t id[32];
    name_of(id, HEIGHT, LANE, TX);
    stage->session = other;
    ask(stage, id, 32);
    stage->session = own;
    struct slu_input *input = stage_next(SLU_EVENT_QUERY);
    slu_session_close(other);
    stage_until(stage, SLU_METRIC_CLIENTS, 1);
    struct slu_tx_status item = {.stage = SLU_STAGE_FINAL, .height = HEIGHT, .index = INDEX};
    memcpy(item.id, id, 32);
    slu_gateway_answer(stage->gateway, input->event.query.token, &item, 1);
    stage_done(input);
    expect_proof(stage, asked(stage, id, SLU_STAGE_FINAL, HEIGHT, INDEX));
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set, stage_strike)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(of_what_is_certified),
        STAGED(at_a_known_height),
        STAGED(otherwise_the_reason),
        STAGED(only_of_ids),
        STAGED(a_client_that_leaves_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
