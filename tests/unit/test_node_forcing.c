/* Forced transactions, receipts, terms and evidence between a client and the core (node/forcing).
 * The core is played by the test (gateway_stage.h). */
#include "tests/unit/gateway_stage.h"
#include "wire/evidence.h"

#define NOW_MS   ((uint64_t)STAGE_HEIGHTS * STEP_MS)
#define SLOTS    1024u
#define BODY     "a forced one"
#define BODY_LEN 12u

static uint8_t block32[32];

static ProtobufCBinaryData envelope_of(uint8_t *bytes, size_t cap, uint64_t rollup,
                                       uint64_t valid_until_ms, uint8_t kind)
{
    struct slu_writer w = slu_writer_of(bytes, cap);
    slu_tx_write(&w, rollup, valid_until_ms, kind, (const uint8_t *)BODY, BODY_LEN);
    assert_false(w.failed);
    return (ProtobufCBinaryData){slu_writer_len(&w), bytes};
}

static uint64_t force(struct slu_session *session, ProtobufCBinaryData envelope, size_t block_len)
{
    Slu__Client__Force body = SLU__CLIENT__FORCE__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    memset(block32, 0xb1, 32);
    body.envelope = envelope;
    body.height = 98;
    body.block = (ProtobufCBinaryData){block_len, block32};
    body.nonce = 1234567;
    request.body_case = SLU__CLIENT__REQUEST__BODY_FORCE;
    request.force = &body;
    assert_int_equal(slu_session_send(session, &request), 0);
    return request.id;
}

static uint64_t force_good(struct slu_session *session)
{
    uint8_t bytes[128];
    return force(session, envelope_of(bytes, sizeof bytes, 7, NOW_MS + 2000, SLU_TX_PLAIN), 32);
}

static uint64_t ask_receipt(struct slu_session *session, uint8_t *id, size_t len)
{
    Slu__Client__ReceiptQuery body = SLU__CLIENT__RECEIPT_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    body.id = (ProtobufCBinaryData){len, id};
    request.body_case = SLU__CLIENT__REQUEST__BODY_RECEIPT;
    request.receipt = &body;
    assert_int_equal(slu_session_send(session, &request), 0);
    return request.id;
}

static struct slu_taken taken_of(uint8_t status, bool has_receipt)
{
    struct slu_taken taken = {.status = status, .has_receipt = has_receipt};
    memset(taken.id, 0x1d, 32);
    if (has_receipt) {
        taken.receipt = (struct slu_receipt){.node = 1, .time_ms = 77, .height = 5};
        memcpy(taken.receipt.id, taken.id, 32);
        memset(taken.receipt.signature, 0x51, 64);
    }
    return taken;
}

/* The core's word on the next event; returns the event's token. */
static uint64_t answer_next(struct stage *stage, enum slu_event_kind kind,
                            const struct slu_taken *taken)
{
    struct slu_input *input = stage_next(kind);
    uint64_t token =
        kind == SLU_EVENT_FORCE ? input->event.force.token : input->event.receipt.token;
    slu_gateway_taken(stage->gateway, token, taken);
    stage_done(input);
    return token;
}

static Slu__Client__Reply *answer(struct slu_session *session, uint64_t id)
{
    Slu__Client__Reply *reply = stage_reply(session, id);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_FORCE);
    return reply;
}

static void expect_refused(struct slu_session *session, uint64_t id, const char *reason)
{
    Slu__Client__Reply *reply = answer(session, id);
    assert_false(reply->force->accepted);
    assert_false(reply->force->known);
    assert_string_equal(reply->force->reason, reason);
    assert_int_equal(reply->force->receipt.len, 0);
    slu_reply_free(reply);
}

/* ---- forcing ---- */

static void the_core_gets_what_was_sent(void **state)
{
    struct stage *stage = *state;
    uint8_t bytes[128];
    ProtobufCBinaryData envelope = envelope_of(bytes, sizeof bytes, 7, NOW_MS + 2000, SLU_TX_PLAIN);
    uint64_t id = force(stage->session, envelope, 32);
    struct slu_input *input = stage_next(SLU_EVENT_FORCE);
    const struct slu_event *event = &input->event;
    assert_int_equal(event->force.bytes, envelope.len);
    assert_memory_equal(event->force.envelope, envelope.data, envelope.len);
    assert_true(event->force.postage.height == 98 && event->force.postage.nonce == 1234567);
    assert_memory_equal(event->force.postage.block, block32, 32);
    stage_silence(stage->session, id, 50); /* nothing is said before the core does */
    struct slu_taken taken = taken_of(SLU_ADMIT_ACCEPTED, true);
    slu_gateway_taken(stage->gateway, event->force.token, &taken);
    stage_done(input);
    Slu__Client__Reply *reply = answer(stage->session, id);
    uint8_t receipt[SLU_RECEIPT_BYTES];
    struct slu_writer w = slu_writer_of(receipt, sizeof receipt);
    slu_receipt_write(&w, &taken.receipt);
    assert_true(reply->force->accepted && !reply->force->known);
    assert_string_equal(reply->force->reason, "");
    assert_int_equal(reply->force->id.len, 32);
    assert_memory_equal(reply->force->id.data, taken.id, 32);
    assert_int_equal(reply->force->receipt.len, sizeof receipt);
    assert_memory_equal(reply->force->receipt.data, receipt, sizeof receipt);
    slu_reply_free(reply);
}

/* What was there before counts as accepted; once nobody needs to hold it there is no receipt. */
static void known_is_accepted(void **state)
{
    struct stage *stage = *state;
    for (int held = 0; held < 2; held++) {
        struct slu_taken taken = taken_of(SLU_ADMIT_KNOWN, held);
        uint64_t id = force_good(stage->session);
        answer_next(stage, SLU_EVENT_FORCE, &taken);
        Slu__Client__Reply *reply = answer(stage->session, id);
        assert_true(reply->force->accepted && reply->force->known);
        assert_int_equal(reply->force->receipt.len, held ? SLU_RECEIPT_BYTES : 0);
        slu_reply_free(reply);
    }
}

static void every_refusal_has_its_reason(void **state)
{
    struct stage *stage = *state;
    static const struct {
        uint8_t status;
        const char *reason;
    } cases[] = {
        {SLU_ADMIT_POSTAGE, "postage"},
        {SLU_ADMIT_INBOX_FULL, "inbox_full"},
        {SLU_ADMIT_BEHIND, "catching_up"},
        {SLU_ADMIT_LANE_FULL, "lane_full"},
        {SLU_ADMIT_DROP + SLU_DROP_EXPIRED, "expired"},
        {SLU_ADMIT_DROP + SLU_DROP_DUPLICATE, "duplicate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slu_taken taken = taken_of(cases[i].status, false);
        uint64_t id = force_good(stage->session);
        answer_next(stage, SLU_EVENT_FORCE, &taken);
        expect_refused(stage->session, id, cases[i].reason);
    }
}

static void the_price_is_told(void **state)
{
    struct stage *stage = *state;
    struct slu_taken taken = taken_of(SLU_ADMIT_POSTAGE, false);
    taken.work_needed = 987654321;
    uint64_t id = force_good(stage->session);
    answer_next(stage, SLU_EVENT_FORCE, &taken);
    Slu__Client__Reply *reply = answer(stage->session, id);
    assert_true(reply->force->work == 987654321);
    slu_reply_free(reply);
}

/* What cannot be right never reaches the core. */
static void bad_forces_stay_outside(void **state)
{
    struct stage *stage = *state;
    static const struct {
        uint64_t rollup, valid_until_ms;
        uint8_t kind;
        int more; /* bytes than the envelope has */
        size_t block_len;
        const char *reason;
    } cases[] = {
        {7, NOW_MS + 2000, SLU_TX_PLAIN, 1, 32, "malformed"},
        {7, NOW_MS + 2000, SLU_TX_PLAIN, -1, 32, "malformed"},
        {7, NOW_MS + 2000, SLU_TX_PLAIN, 0, 31, "malformed"},
        {7, NOW_MS + 2000, SLU_TX_PLAIN, 0, 0, "malformed"},
        {7, NOW_MS - 1, SLU_TX_PLAIN, 0, 32, "expired"},
        {7, UINT64_MAX, SLU_TX_PLAIN, 0, 32, "valid_until_too_far"},
        {0, NOW_MS + 2000, SLU_TX_PLAIN, 0, 32, "unknown_rollup"},
        {7, NOW_MS + 2000, 200, 0, 32, "unknown_kind"},
        {7, NOW_MS + 2000, SLU_TX_BUNDLE, 0, 32, "unknown_rollup"},
        {0, NOW_MS + 2000, SLU_TX_BUNDLE, 0, 32, "bundle"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[128] = {0};
        ProtobufCBinaryData envelope = envelope_of(bytes, sizeof bytes, cases[i].rollup,
                                                   cases[i].valid_until_ms, cases[i].kind);
        envelope.len = (size_t)((ptrdiff_t)envelope.len + cases[i].more);
        expect_refused(stage->session, force(stage->session, envelope, cases[i].block_len),
                       cases[i].reason);
    }
    expect_refused(stage->session, force(stage->session, (ProtobufCBinaryData){0, NULL}, 32),
                   "malformed");
    assert_null(stage_next_within(50));
}

/* Of a node that deviates: in sluiced nobody stands at the door. */
static void a_client_that_is_turned_away(void **state)
{
    struct stage *stage = *state;
    stage_core.turned_away = true;
    expect_refused(stage->session, force_good(stage->session), "rate_client");
    assert_null(stage_next_within(50));
}

/* ---- receipts ---- */

static void receipts_are_asked_of_the_core(void **state)
{
    struct stage *stage = *state;
    uint8_t wanted[32];
    struct slu_taken taken = taken_of(SLU_ADMIT_ACCEPTED, true);
    memset(wanted, 0x1d, 32);
    uint64_t id = ask_receipt(stage->session, wanted, 32);
    struct slu_input *input = stage_next(SLU_EVENT_RECEIPT);
    assert_memory_equal(input->event.receipt.id, wanted, 32);
    slu_gateway_taken(stage->gateway, input->event.receipt.token, &taken);
    stage_done(input);
    Slu__Client__Reply *reply = answer(stage->session, id);
    assert_true(reply->force->accepted);
    assert_int_equal(reply->force->receipt.len, SLU_RECEIPT_BYTES);
    slu_reply_free(reply);
    taken = taken_of(SLU_ADMIT_UNKNOWN, false);
    id = ask_receipt(stage->session, wanted, 32);
    answer_next(stage, SLU_EVENT_RECEIPT, &taken);
    expect_refused(stage->session, id, "unknown");
    expect_refused(stage->session, ask_receipt(stage->session, wanted, 31), "malformed");
    expect_refused(stage->session, ask_receipt(stage->session, wanted, 0), "malformed");
    assert_null(stage_next_within(50));
}

/* ---- terms ---- */

static Slu__Client__Reply *terms(struct slu_session *session, uint32_t bytes)
{
    Slu__Client__TermsQuery body = SLU__CLIENT__TERMS_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    body.bytes = bytes;
    request.body_case = SLU__CLIENT__REQUEST__BODY_TERMS;
    request.terms = &body;
    assert_int_equal(slu_session_send(session, &request), 0);
    Slu__Client__Reply *reply = stage_reply(session, request.id);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_TERMS);
    return reply;
}

/* postage_base for each begun KiB, times 1 + what is booked and taken / forced_bytes_per_block. */
static void terms_are_the_newest_status(void **state)
{
    struct stage *stage = *state;
    const struct slu_params *p = &stage->genesis.params;
    struct slu_inbox_status *inbox = &stage_core.view.inbox;
    static const uint32_t kib[][2] = {{1, 1}, {1024, 1}, {1025, 2}, {131072, 128}};
    inbox->block.height = 91;
    memset(inbox->block.block, 0x91, 32);
    inbox->block_time_ms = 91000;
    inbox->booked_bytes = 2 * p->forced_bytes_per_block;
    inbox->unqueued_bytes = p->forced_bytes_per_block;
    inbox->queued_items = 12;
    inbox->unqueued_items = 3;
    for (size_t i = 0; i < sizeof kib / sizeof kib[0]; i++) {
        Slu__Client__Reply *reply = terms(stage->session, kib[i][0]);
        const Slu__Client__Terms *t = reply->terms;
        assert_true(t->work == (uint64_t)p->postage_base * kib[i][1] * 4);
        assert_true(t->height == 91 && t->block_time_ms == 91000);
        assert_int_equal(t->block.len, 32);
        assert_memory_equal(t->block.data, inbox->block.block, 32);
        assert_true(t->queued_items == 12 && t->unqueued_items == 3);
        assert_true(t->booked_bytes == inbox->booked_bytes);
        slu_reply_free(reply);
    }
    assert_null(stage_next_within(20)); /* the core is not asked */
}

/* ---- evidence ---- */

static void put_item(struct stage *stage, uint64_t valid_until_ms, uint8_t name, size_t len)
{
    uint8_t relay[SLU_RELAY_BYTES] = {0}, content[SLU_EVIDENCE_BYTES_MAX + 1];
    struct slu_record_key key = {.kind = SLU_REC_INBOX, .a = valid_until_ms, .digest = {name}};
    memset(content, name, sizeof content);
    slu_disk_begin(stage->disk);
    slu_disk_put(stage->disk, &key, relay, sizeof relay, content, len);
    assert_int_equal(slu_disk_commit(stage->disk), 0);
}

static Slu__Client__Reply *evidence_from(struct slu_session *session, uint32_t skip)
{
    Slu__Client__EvidenceQuery body = SLU__CLIENT__EVIDENCE_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    request.body_case = SLU__CLIENT__REQUEST__BODY_EVIDENCE;
    request.evidence = &body;
    body.skip = skip;
    assert_int_equal(slu_session_send(session, &request), 0);
    return stage_reply(session, request.id);
}

static Slu__Client__Reply *evidence(struct slu_session *session)
{
    return evidence_from(session, 0);
}

/* Evidence and nothing else of the inbox, each without what it was relayed with. */
static void evidence_is_read_from_the_store(void **state)
{
    struct stage *stage = *state;
    Slu__Client__Reply *reply = evidence(stage->session);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_EVIDENCE);
    assert_int_equal(reply->evidence->n_items, 0);
    slu_reply_free(reply);
    put_item(stage, 5000, 1, 40); /* a forced transaction */
    put_item(stage, SLU_VALID_FOR_EVER, 2, 100);
    put_item(stage, SLU_VALID_FOR_EVER, 3, SLU_EVIDENCE_BYTES_MAX);
    reply = evidence(stage->session);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_EVIDENCE);
    assert_int_equal(reply->evidence->n_items, 2);
    for (uint8_t i = 0; i < 2; i++) {
        const ProtobufCBinaryData *item = &reply->evidence->items[i];
        assert_int_equal(item->len, i == 0 ? 100 : SLU_EVIDENCE_BYTES_MAX);
        for (size_t at = 0; at < item->len; at++)
            assert_int_equal(item->data[at], 2 + i);
    }
    slu_reply_free(reply);
}

static size_t longest(unsigned offence)
{
    const size_t quorum = SLU_NODES_MAX - (SLU_NODES_MAX - 1) / 3;
    if (offence == SLU_WRONG_SHARE)
        return SLU_EVIDENCE_BYTES_MAX;
    if (offence == SLU_WRONG_RELEASE)
        return 3u + SLU_RELEASE_BYTES + 2u + quorum * 66u + 1u +
               (SLU_RELEASES_BELOW_MAX + 1u) * SLU_RELEASE_BYTES + 64u;
    return 3u + 2u * SLU_SIGNED_HEADER_BYTES;
}

/* As much as there can be: of every node something of each offence, two of some, the longest that
 * there are. */
static void all_evidence_comes_in_frames(void **state)
{
    struct stage *stage = *state;
    static uint8_t relay[SLU_RELAY_BYTES], content[SLU_EVIDENCE_BYTES_MAX];
    slu_disk_begin(stage->disk);
    for (uint32_t i = 0; i < SLU_NODES_MAX * SLU_OFFENCES; i++) {
        size_t len = longest(i % SLU_OFFENCES);
        for (uint8_t second = 0; second < 2; second++) {
            struct slu_record_key key = {.kind = SLU_REC_INBOX, .a = SLU_VALID_FOR_EVER};
            key.digest[0] = (uint8_t)(i >> 8);
            key.digest[1] = (uint8_t)i;
            key.digest[2] = second;
            content[0] = (uint8_t)(i % SLU_OFFENCES);
            content[1] = (uint8_t)(i / SLU_OFFENCES);
            content[3] = second;
            slu_disk_put(stage->disk, &key, relay, sizeof relay, content, len);
        }
    }
    assert_int_equal(slu_disk_commit(stage->disk), 0);
    uint32_t total = 0, frames = 0;
    for (bool more = true; more; frames++) {
        Slu__Client__Reply *reply = evidence_from(stage->session, total);
        assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_EVIDENCE);
        for (uint32_t i = 0; i < reply->evidence->n_items; i++, total++) {
            const ProtobufCBinaryData *item = &reply->evidence->items[i];
            assert_int_equal(item->data[0], total % SLU_OFFENCES);
            assert_int_equal(item->data[1], total / SLU_OFFENCES);
            assert_int_equal(item->data[3], 0);
            assert_int_equal(item->len, longest(item->data[0]));
        }
        more = reply->evidence->more;
        slu_reply_free(reply);
    }
    assert_int_equal(total, SLU_NODES_MAX * SLU_OFFENCES);
    assert_int_equal(frames, 2);
}

static void evidence_that_is_too_long_is_an_error(void **state)
{
    struct stage *stage = *state;
    put_item(stage, SLU_VALID_FOR_EVER, 2, SLU_EVIDENCE_BYTES_MAX + 1);
    Slu__Client__Reply *reply = evidence(stage->session);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_ERROR);
    slu_reply_free(reply);
}

/* ---- bounds ---- */

static void a_full_core_refuses_busy(void **state)
{
    struct stage *stage = *state;
    uint8_t wanted[32] = {1};
    struct slu_taken taken = taken_of(SLU_ADMIT_ACCEPTED, true);
    stage_busy(true);
    expect_refused(stage->session, force_good(stage->session), "busy");
    expect_refused(stage->session, ask_receipt(stage->session, wanted, 32), "busy");
    stage_busy(false);
    uint64_t id = force_good(stage->session);
    answer_next(stage, SLU_EVENT_FORCE, &taken);
    slu_reply_free(answer(stage->session, id));
}

/* So many are on their way at once and no more, from however many clients; then there is room
 * again, also for those whose clients have left. */
static void bounded_in_all(void **state)
{
    struct stage *stage = *state;
    uint8_t wanted[32] = {1};
    struct slu_taken taken = taken_of(SLU_ADMIT_ACCEPTED, true);
    struct slu_session *other = stage_open(stage);
    for (uint32_t i = 0; i < SLOTS; i++)
        ask_receipt(other, wanted, 32);
    for (uint32_t i = 0; i < STAGE_WAIT_MS && stage_waiting() < SLOTS; i++)
        usleep(1000);
    expect_refused(stage->session, force_good(stage->session), "busy");
    slu_session_close(other);
    stage_until(stage, SLU_METRIC_CLIENTS, 1);
    for (uint32_t i = 0; i < SLOTS; i++)
        answer_next(stage, SLU_EVENT_RECEIPT, &taken);
    for (uint32_t i = 0; i < SLOTS; i++)
        ask_receipt(stage->session, wanted, 32);
    for (uint32_t i = 0; i < SLOTS; i++)
        answer_next(stage, SLU_EVENT_RECEIPT, &taken);
    for (uint32_t i = 0; i < SLOTS; i++)
        slu_reply_free(answer(stage->session, 0));
}

/* A token that was answered means nothing any more, whoever has its place now. */
static void an_old_token_is_nobodys(void **state)
{
    struct stage *stage = *state;
    struct slu_taken taken = taken_of(SLU_ADMIT_ACCEPTED, true);
    uint64_t id = force_good(stage->session);
    uint64_t token = answer_next(stage, SLU_EVENT_FORCE, &taken);
    slu_reply_free(answer(stage->session, id));
    id = force_good(stage->session);
    struct slu_input *input = stage_next(SLU_EVENT_FORCE);
    slu_gateway_taken(stage->gateway, token, &taken);
    stage_silence(stage->session, id, 50);
    slu_gateway_taken(stage->gateway, input->event.force.token, &taken);
    stage_done(input);
    slu_reply_free(answer(stage->session, id));
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, stage_set, stage_strike)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(the_core_gets_what_was_sent),
        STAGED(known_is_accepted),
        STAGED(every_refusal_has_its_reason),
        STAGED(the_price_is_told),
        STAGED(bad_forces_stay_outside),
        STAGED(a_client_that_is_turned_away),
        STAGED(receipts_are_asked_of_the_core),
        STAGED(terms_are_the_newest_status),
        STAGED(evidence_is_read_from_the_store),
        STAGED(all_evidence_comes_in_frames),
        STAGED(evidence_that_is_too_long_is_an_error),
        STAGED(a_full_core_refuses_busy),
        STAGED(bounded_in_all),
        STAGED(an_old_token_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
