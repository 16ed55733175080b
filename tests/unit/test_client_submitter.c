/* slu_submitter_submit as an application uses it: what is taken in the end, under which id, and how
 * often. */
#include "sluice/client.h" /* first: it stands alone */

#include "crypto/sealed.h"
#include "tests/unit/clerk.h"

/* Trying ends after so long, of which one try takes some ms. */
#define ENDS_MS 1500u

/* ---- submitting ---- */

static void test_plain(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(2, 0);
    struct slu_submission item = plain("text");
    struct slu_tx tx;
    uint8_t id32[32];
    accepted(s, &item);
    assert_false(item.known);
    struct slu_reader r = slu_reader_of(clerks[0].last, clerks[0].last_len);
    assert_true(slu_tx_read(&r, &tx) && slu_reader_done(&r));
    assert_int_equal(tx.rollup, 7);
    assert_int_equal(tx.kind, SLU_TX_PLAIN);
    assert_memory_equal(tx.body, "text", 4);
    assert_int_equal(tx.body_len, 4);
    assert_true(tx.valid_until_ms % 1000 == 0);
    assert_in_range(tx.valid_until_ms, STREAM_MS + 5000, STREAM_MS + 7000);
    slu_tx_id(id32, &genesis, &tx);
    assert_memory_equal(id32, item.id32, 32);
    assert_int_equal(clerks[1].given, 0);
    struct slu_outcome outcome = outcome_of(s, &item);
    assert_int_equal(outcome.kind, SLU_OUTCOME_ORDERED);
    assert_int_equal(outcome.height, 40);
    assert_int_equal(outcome.index, 2);
    assert_string_equal(trouble, "");
    slu_submitter_close(s);
}

/* More than one request holds, with a bad one among them. */
static void test_list(void **state)
{
    (void)state;
    enum { COUNT = 2100 };
    struct slu_submitter *s = open_for(1, 0);
    struct slu_submission *items = calloc(COUNT, sizeof *items);
    struct slu_outcome *outcomes = calloc(COUNT, sizeof *outcomes);
    uint32_t(*texts)[100] = calloc(COUNT, sizeof *texts);
    for (uint32_t i = 0; i < COUNT; i++) {
        texts[i][0] = i;
        items[i] = (struct slu_submission){
            .rollup = 7, .payload = (const uint8_t *)texts[i], .payload_len = sizeof *texts};
    }
    items[1500].payload_len = 0;
    assert_int_equal(slu_submitter_submit(s, items, COUNT, why, sizeof why), 0);
    assert_int_equal(clerks[0].taken_count, COUNT - 1);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(items[i].state,
                         i == 1500 ? SLU_SUBMISSION_REFUSED : SLU_SUBMISSION_ACCEPTED);
        memcpy(outcomes[i].id32, items[i].id32, 32);
    }
    assert_string_equal(items[1500].reason, "size");
    outcomes[1500].kind = SLU_OUTCOME_DROPPED;
    assert_int_equal(slu_submitter_wait(s, outcomes, COUNT, LONG_MS, why, sizeof why), 0);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(outcomes[i].kind, i == 1500 ? SLU_OUTCOME_DROPPED : SLU_OUTCOME_ORDERED);
    assert_int_equal(clerks[0].asked, 3);
    free(items);
    free(outcomes);
    free(texts);
    slu_submitter_close(s);
}

static void refused_here(struct slu_submission item, const char *reason)
{
    struct slu_submitter *s = open_for(1, 0);
    assert_int_equal(slu_submitter_submit(s, &item, 1, why, sizeof why), 0);
    assert_int_equal(item.state, SLU_SUBMISSION_REFUSED);
    assert_string_equal(item.reason, reason);
    assert_int_equal(clerks[0].given, 0);
    slu_submitter_close(s);
}

static void test_checked_here(void **state)
{
    (void)state;
    struct slu_submission item = plain("text");
    item.rollup = 0;
    refused_here(item, "rollup");
    item = plain("");
    refused_here(item, "size");
    item = plain("no envelope");
    item.kind = SLU_SUBMIT_ENVELOPE;
    refused_here(item, "malformed");
    item = plain("text");
    item.kind = (enum slu_submission_kind)3;
    refused_here(item, "kind");
    item = plain("text");
    item.has_id = true;
    refused_here(item, "not_kept");
    chain.genesis.params.sealing = 0;
    item = plain("text");
    item.kind = SLU_SUBMIT_SEALED;
    refused_here(item, "no_key");
    chain.genesis = genesis;
}

/* What one node does not take the next one gets, the very same envelope. */
static void goes_to_the_next(enum manner manner, const char *reason, const char *words)
{
    struct slu_submitter *s = open_for(2, 0);
    struct slu_submission item = plain("text");
    clerks[0].submits = manner;
    clerks[0].reason = reason;
    accepted(s, &item);
    assert_int_equal(clerks[0].given, 1);
    assert_int_equal(clerks[1].given, 1);
    assert_int_equal(clerks[0].last_len, clerks[1].last_len);
    assert_memory_equal(clerks[0].last, clerks[1].last, clerks[0].last_len);
    troubles(words);
    assert_int_equal(outcome_of(s, &item).kind, SLU_OUTCOME_ORDERED);
    slu_submitter_close(s);
}

static void test_refused_by_one(void **state)
{
    (void)state;
    goes_to_the_next(REFUSES, "lane_full", "it refuses: lane_full");
}

static void test_catching_up(void **state)
{
    (void)state;
    goes_to_the_next(REFUSES, "catching_up", "it refuses: catching_up");
}

static void test_hangs_up(void **state)
{
    (void)state;
    goes_to_the_next(HANGS_UP, NULL, "");
}

static void test_silent(void **state)
{
    (void)state;
    answer_ms = 2500;
    goes_to_the_next(SILENT, NULL, "timed out");
}

static void test_takes_another(void **state)
{
    (void)state;
    goes_to_the_next(OTHER_ID, NULL, "took another transaction");
}

static void test_answers_too_little(void **state)
{
    (void)state;
    goes_to_the_next(TOO_FEW, NULL, "none to what was asked");
}

static void test_refused_by_all(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(3, 0);
    struct slu_submission item = plain("text");
    for (size_t i = 0; i < CLERKS; i++) {
        clerks[i].submits = REFUSES;
        clerks[i].reason = "a\x1b[2Jword";
    }
    assert_int_equal(slu_submitter_submit(s, &item, 1, why, sizeof why), 0);
    assert_int_equal(item.state, SLU_SUBMISSION_REFUSED);
    assert_string_equal(item.reason, "a?[2Jword");
    for (size_t i = 0; i < CLERKS; i++)
        assert_int_equal(clerks[i].given, 1);
    slu_submitter_close(s);
}

/* What passes is tried again, for as long as there is time. */
static void test_full_everywhere(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(2, 0);
    struct slu_submission item = plain("text");
    clerks[0].submits = clerks[1].submits = REFUSES_TWICE;
    clerks[0].reason = clerks[1].reason = "lane_full";
    accepted(s, &item);
    assert_int_equal(clerks[0].given, 3);
    slu_submitter_close(s);
    give_up_ms = ENDS_MS;
    s = open_for(2, 0);
    item = plain("more");
    clerks[0].submits = clerks[1].submits = REFUSES;
    clerks[0].given = 0;
    assert_int_equal(slu_submitter_submit(s, &item, 1, why, sizeof why), 0);
    assert_int_equal(item.state, SLU_SUBMISSION_REFUSED);
    assert_string_equal(item.reason, "lane_full");
    assert_in_range(clerks[0].given, 1, ENDS_MS / 50);
    slu_submitter_close(s);
}

/* An envelope that is too old for the next node's time is made anew, since nobody has it. */
static void test_expired_at_one(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(2, 0);
    struct slu_submission item = plain("text");
    clerks[0].submits = REFUSES;
    clerks[0].reason = "expired";
    clerks[1].stream_ms = STREAM_MS + 60000;
    accepted(s, &item);
    assert_int_not_equal(memcmp(clerks[0].last, clerks[1].last, clerks[0].last_len), 0);
    assert_true(has_taken(&clerks[1], item.id32));
    slu_submitter_close(s);
}

/* With no answer at all it stays open, and is the same transaction when it is submitted again. */
static void test_no_answer(void **state)
{
    (void)state;
    give_up_ms = ENDS_MS;
    struct slu_submitter *s = open_for(2, 0);
    struct slu_submission item = plain("text");
    uint8_t id32[32];
    clerks[0].submits = clerks[1].submits = HANGS_UP;
    assert_int_equal(slu_submitter_submit(s, &item, 1, why, sizeof why), SLU_ERR_CLOSED);
    assert_int_equal(item.state, SLU_SUBMISSION_OPEN);
    assert_true(item.has_id);
    memcpy(id32, item.id32, 32);
    clerks[0].submits = clerks[1].submits = TAKES;
    clerks[0].stream_ms = clerks[1].stream_ms = STREAM_MS + 3000;
    uint32_t took = clerks[0].taken_count + clerks[1].taken_count;
    assert_in_range(took, 1, 2);
    accepted(s, &item);
    assert_int_equal(item.known, clerks[0].taken_count + clerks[1].taken_count == took);
    assert_memory_equal(item.id32, id32, 32);
    assert_true(clerks[0].taken_count <= 1 && clerks[1].taken_count <= 1);
    slu_submitter_close(s);
}

/* One may have it, the others do not want it: nobody can say that it was refused. */
static void test_one_may_have_it(void **state)
{
    (void)state;
    give_up_ms = ENDS_MS;
    struct slu_submitter *s = open_for(2, 0);
    struct slu_submission item = plain("text");
    clerks[0].submits = HANGS_UP;
    clerks[1].submits = REFUSES;
    clerks[1].reason = "expired";
    assert_int_equal(slu_submitter_submit(s, &item, 1, why, sizeof why), SLU_ERR_CLOSED);
    assert_int_equal(item.state, SLU_SUBMISSION_OPEN);
    assert_memory_equal(clerks[0].last, clerks[1].last, clerks[0].last_len);
    slu_submitter_close(s);
}

static void test_too_much_kept(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(1, 1000);
    static const uint8_t text[800];
    struct slu_submission items[2] = {{.rollup = 7, .payload = text, .payload_len = 700},
                                      {.rollup = 7, .payload = text, .payload_len = 600}};
    assert_int_equal(slu_submitter_submit(s, items, 2, why, sizeof why), SLU_ERR_BUSY);
    assert_int_equal(clerks[0].given, 0);
    accepted(s, &items[0]);
    assert_int_equal(slu_submitter_submit(s, &items[1], 1, why, sizeof why), SLU_ERR_BUSY);
    assert_int_equal(outcome_of(s, &items[0]).kind, SLU_OUTCOME_ORDERED);
    accepted(s, &items[1]);
    slu_submitter_close(s);
}

/* ---- sealing ---- */

static void check_sealed(const struct clerk *c, enum slu_unlock kind, uint64_t unlock)
{
    struct slu_reader r = slu_reader_of(c->last, c->last_len);
    struct slu_opening_key *tables = slu_opening_key_new(&good.key);
    struct slu_sealed sealed;
    struct slu_sealed_checked checked;
    struct slu_tx tx;
    assert_true(slu_tx_read(&r, &tx) && slu_reader_done(&r));
    assert_int_equal(tx.rollup, 0);
    assert_int_equal(slu_sealed_read(&sealed, tx.body, tx.body_len, tx.valid_until_ms), 0);
    assert_true(slu_sealed_valid(tables, &checked, &sealed));
    assert_int_equal(sealed.label.unlock_kind, kind);
    assert_int_equal(sealed.label.unlock, unlock);
    slu_opening_key_free(tables);
}

static void test_sealed(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(2, 0);
    struct slu_submission item = plain("secret");
    item.kind = SLU_SUBMIT_SEALED;
    accepted(s, &item);
    check_sealed(&clerks[0], SLU_UNLOCK_NONE, 0);
    item = plain("secret");
    item.kind = SLU_SUBMIT_SEALED;
    item.unlock_kind = SLU_UNLOCK_TIME;
    item.unlock = STREAM_MS + 90000;
    accepted(s, &item);
    check_sealed(&clerks[0], SLU_UNLOCK_TIME, STREAM_MS + 90000);
    item = plain("secret");
    item.kind = SLU_SUBMIT_SEALED;
    item.unlock_kind = SLU_UNLOCK_TIME;
    item.unlock = STREAM_MS * 2;
    assert_int_equal(slu_submitter_submit(s, &item, 1, why, sizeof why), 0);
    assert_int_equal(item.state, SLU_SUBMISSION_REFUSED);
    assert_string_equal(item.reason, "unlock");
    slu_submitter_close(s);
}

static void test_false_key(void **state)
{
    (void)state;
    static struct certified_key bad;
    struct slu_submitter *s = open_for(2, 0);
    struct slu_submission item = plain("secret");
    bad = good;
    bad.bytes[bad.len - 1] ^= 1;
    clerks[0].certificate = bad.bytes;
    item.kind = SLU_SUBMIT_SEALED;
    accepted(s, &item);
    troubles("the key that it gave is not the committee's");
    assert_int_equal(clerks[0].given, 0);
    check_sealed(&clerks[1], SLU_UNLOCK_NONE, 0);
    slu_submitter_close(s);
}

static void test_no_key(void **state)
{
    (void)state;
    give_up_ms = ENDS_MS;
    struct slu_submitter *s = open_for(1, 0);
    struct slu_submission item = plain("secret");
    clerks[0].certificate = NULL;
    item.kind = SLU_SUBMIT_SEALED;
    assert_int_equal(slu_submitter_submit(s, &item, 1, why, sizeof why), 0);
    assert_int_equal(item.state, SLU_SUBMISSION_REFUSED);
    assert_string_equal(item.reason, "no_key");
    slu_submitter_close(s);
}

static void test_own_envelope(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(1, 0);
    static uint8_t envelope[2048];
    struct slu_submission item = {.kind = SLU_SUBMIT_ENVELOPE, .payload = envelope};
    uint8_t id32[32];
    assert_int_equal(slu_seal_envelope(envelope, sizeof envelope, &item.payload_len, id32,
                                       &good.key, SLU_UNLOCK_NONE, 0, STREAM_MS + 10000, 7,
                                       (const uint8_t *)"secret", 6),
                     0);
    accepted(s, &item);
    assert_memory_equal(item.id32, id32, 32);
    assert_memory_equal(clerks[0].last, envelope, item.payload_len);
    slu_submitter_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plain),
        TEST(test_list),
        TEST(test_checked_here),
        TEST(test_refused_by_one),
        TEST(test_catching_up),
        TEST(test_hangs_up),
        TEST(test_silent),
        TEST(test_takes_another),
        TEST(test_answers_too_little),
        TEST(test_refused_by_all),
        TEST(test_full_everywhere),
        TEST(test_expired_at_one),
        TEST(test_no_answer),
        TEST(test_one_may_have_it),
        TEST(test_too_much_kept),
        TEST(test_sealed),
        TEST(test_false_key),
        TEST(test_no_key),
        TEST(test_own_envelope),
    };
    return cmocka_run_group_tests(tests, set_up_once, free_committee);
}
