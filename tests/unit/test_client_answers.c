/* `sluice receipt`, `evidence` and `verify` against nodes and files that lie: places that
 * contradict themselves, receipts and evidence that are none. Each ends soon, with words and the
 * exit code that its help names. */
#include "tests/unit/liar.h"
#include "wire/proof.h"

/* ---- where it is ---- */

static const struct {
    struct slu_client_place place;
    const char *words;
} contradictions[] = {
    {{SLU_CLIENT_FINAL, 9, 7, 8, true, false, 1}, "delivered at 9"},
    {{SLU_CLIENT_FINAL, 9, 9, 9, true, false, 1}, "due at 9"},
    {{SLU_CLIENT_FINAL, 9, 7, 0, true, false, 1}, "due at 0"},
    {{SLU_CLIENT_QUEUED, 0, 9, 7, true, false, 1}, "due at 7"},
    {{SLU_CLIENT_QUEUED, 0, 0, 7, true, false, 1}, "due at 7"},
    {{SLU_CLIENT_QUEUED, 0, 0, 0, true, false, 1}, "queued"},
};

static void test_a_place_that_contradicts_itself(void **state)
{
    (void)state;
    char id[65];
    memset(id, 'a', 64);
    id[64] = '\0';
    for (size_t i = 0; i < sizeof contradictions / sizeof *contradictions; i++) {
        struct liar a = honest(0);
        const char *url = start(&a);
        a.place = contradictions[i].place;
        a.holds_nothing = true;
        assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 3);
        check_text();
        complains("contradicts itself");
        complains(contradictions[i].words);
        a.holds_nothing = false;
        assert_int_equal(submit(url, "--wait"), 3);
        complains("contradicts itself");
        stub_close(&a.door);
    }
}

static void test_receipt_of_an_honest_node(void **state)
{
    (void)state;
    char id[65];
    struct liar a = honest(2);
    const char *url = start(&a);
    memset(id, 'b', 64);
    id[64] = '\0';
    a.place = (struct slu_client_place){SLU_CLIENT_FINAL, 9, 7, 9, true, false, 1};
    a.holds_nothing = true;
    assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 0);
    expect("\"state\":\"final\",\"certified\":true,\"queued_at\":7,\"due_height\":9,"
           "\"delivered_at\":9,\"index\":0}");
    a.place = (struct slu_client_place){SLU_CLIENT_FINAL, 6, 7, 9, false, false, 1}; /* by a lane */
    assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 0);
    a.place = (struct slu_client_place){SLU_CLIENT_HELD, 0, 0, 0, true, false, 1};
    a.holds_nothing = false;
    assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 0);
    expect("\"state\":\"held\",\"certified\":false,\"receipt\":{\"node\":2,");
    assert_int_equal(run(slu_command_receipt, "receipt", id, id, id, "--node", url, NULL), 0);
    check_text();
    assert_int_equal(lines_with("\"state\":\"held\""), 3);
    assert_int_equal(run(slu_command_receipt, "receipt", id, "12", "--node", url, NULL), 2);
    assert_int_equal(lines_with("state"), 0);
    a.place.stage = SLU_CLIENT_UNKNOWN;
    assert_int_equal(run(slu_command_receipt, "receipt", id, id, "--node", url, NULL), 2);
    assert_int_equal(lines_with("\"state\":\"unknown\""), 2);
    stub_close(&a.door);
}

/* Without the genesis a signature says nothing, but an id does. */
static void test_receipt_with_a_bad_receipt(void **state)
{
    (void)state;
    static const enum receipt_kind kinds[] = {OTHER_ID, CUT_RECEIPT, LONG_RECEIPT, NO_SUCH_NODE};
    char id[65];
    memset(id, 'c', 64);
    id[64] = '\0';
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct liar a = honest(0);
        const char *url = start(&a);
        a.place.stage = SLU_CLIENT_HELD;
        a.receipt = kinds[i];
        assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 3);
        check_text();
        complains("receipt is not good");
        stub_close(&a.door);
    }
}

static void test_receipt_of_a_broken_node(void **state)
{
    (void)state;
    char id[65];
    memset(id, 'd', 64);
    id[64] = '\0';
    for (enum frame_kind kind = GARBAGE; kind <= HANG_UP; kind++) {
        struct liar a = honest(0);
        const char *url = start(&a);
        a.query_as = kind;
        assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 1);
        complains("no answer");
        a.query_as = REPLY;
        a.place.stage = SLU_CLIENT_HELD; /* known, and no receipt */
        a.receipt_as = kind;
        assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 0);
        check_text();
        stub_close(&a.door);
    }
    for (int i = 0; i < 3; i++) { /* about another one; none; two */
        struct liar a = honest(0);
        const char *url = start(&a);
        a.place.other_id = i == 0;
        a.place.count = i == 0 ? 1 : i == 1 ? 0 : 2;
        assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 1);
        stub_close(&a.door);
    }
}

/* ---- evidence ---- */

static size_t two_notarize(uint8_t *bytes, const struct slu_genesis *of, uint16_t offender)
{
    struct slu_writer w = slu_writer_of(bytes, SLU_EVIDENCE_BYTES_MAX);
    uint8_t blocks[2][32] = {{1}, {2}}, signatures[2][64];
    for (int i = 0; i < 2; i++) {
        uint8_t digest[32];
        slu_vote_digest(digest, of, SLU_NOTARIZE, 12, blocks[i]);
        assert_int_equal(
            slu_keyguard_sign(guards[offender], signatures[i], SLU_ROLE_BATCH, 0, digest), 0);
    }
    slu_evidence_two_notarize(&w, offender, 12, blocks[0], signatures[0], blocks[1], signatures[1]);
    return slu_writer_len(&w);
}

static void test_evidence_that_is_none(void **state)
{
    (void)state;
    uint8_t good[SLU_EVIDENCE_BYTES_MAX + 1] = {0}, noise[SLU_EVIDENCE_BYTES_MAX + 1];
    size_t len = two_notarize(good, &genesis, 2);
    memset(noise, 0xa5, sizeof noise);
    const struct {
        const uint8_t *item;
        size_t len;
        uint32_t items;
        int code;
    } cases[] = {
        {good, len, 1, 0},     {good, len, 0, 0},   {good, len - 1, 1, 3},
        {good, len + 1, 1, 3}, {noise, 100, 1, 3},  {noise, sizeof noise, 1, 3},
        {noise, 0, 1, 3},      {noise, 1, 5000, 3},
    };
    char dir[128];
    snprintf(dir, sizeof dir, "%s/evidence", root);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct liar a = honest(0);
        a.item = cases[i].item;
        a.item_len = cases[i].len;
        a.items = cases[i].items;
        assert_int_equal(
            run(slu_command_evidence, "evidence", "--node", start(&a), "--dir", dir, NULL),
            cases[i].code);
        check_text();
        if (cases[i].code == 3)
            complains("is none");
        assert_int_equal(lines_with("two_notarize"), i == 0);
        stub_close(&a.door);
    }
}

static void test_evidence_of_a_broken_node(void **state)
{
    (void)state;
    for (enum frame_kind kind = GARBAGE; kind <= HANG_UP; kind++) {
        struct liar a = honest(0);
        a.evidence_as = kind;
        assert_int_equal(run(slu_command_evidence, "evidence", "--node", start(&a), NULL),
                         kind == ERROR_BODY ? 2 : 1);
        check_text();
        assert_true(complaints[0] != '\0');
        stub_close(&a.door);
    }
}

/* ---- verify ---- */

static int verify(const uint8_t *bytes, size_t len)
{
    char path[128];
    snprintf(path, sizeof path, "%s/proof", root);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
    int code = run(slu_command_verify, "verify", path, "--genesis", genesis_path, NULL);
    check_text();
    return code;
}

static void test_verify_receipts(void **state)
{
    (void)state;
    static const enum receipt_kind kinds[] = {OTHER_KEY, OTHER_CHAIN, NO_SUCH_NODE, CUT_RECEIPT,
                                              LONG_RECEIPT};
    uint8_t bytes[SLU_RECEIPT_BYTES + 1] = {0}, id32[32] = {5};
    struct liar a = honest(3);
    assert_int_equal(verify(bytes, make_receipt(&a, bytes, sizeof bytes, id32)), 0);
    expect("\"valid\":true,\"what\":\"receipt\"");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        a.receipt = kinds[i];
        assert_int_equal(verify(bytes, make_receipt(&a, bytes, sizeof bytes, id32)), 3);
        expect("\"valid\":false");
        expect("\"reason\":\"");
    }
}

static void test_verify_evidence(void **state)
{
    (void)state;
    uint8_t bytes[SLU_EVIDENCE_BYTES_MAX + 1] = {0};
    size_t len = two_notarize(bytes, &genesis, 1);
    assert_int_equal(verify(bytes, len), 0);
    expect("\"valid\":true,\"what\":\"evidence\"");
    for (size_t i = 0; i < len; i++) { /* each byte counts */
        bytes[i] ^= 1;
        assert_int_equal(verify(bytes, len), 3);
        bytes[i] ^= 1;
    }
    for (size_t cut = 1; cut < len; cut += 7)
        assert_int_equal(verify(bytes, cut), 3);
    assert_int_equal(verify(bytes, len + 1), 3);
    len = two_notarize(bytes, &foreign, 1);
    assert_int_equal(verify(bytes, len), 3);
}

static void test_verify_what_is_neither(void **state)
{
    (void)state;
    enum { LONGEST = 2 * SLU_PROOF_BYTES_MAX + 1024 }; /* that a file may be */
    static uint8_t noise[LONGEST + 1];
    static const char *const texts[] = {
        "0x",   "0x00", "{\"bytes\":\"0x00\"}", "{\"bytes\":7}", "[]", "{\"bytes\":\"0x0\"}",
        "words"};
    randombytes_buf_deterministic(noise, sizeof noise, (const uint8_t[32]){1});
    for (size_t len = 1; len <= LONGEST; len += len < 300 ? 1 : 30011)
        assert_int_equal(verify(noise, len), 3);
    assert_int_equal(verify(noise, LONGEST), 3);
    assert_int_equal(verify(noise, LONGEST + 1), 2);
    complains("too long");
    assert_int_equal(verify(noise, 0), 2);
    complains("empty");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(verify((const uint8_t *)texts[i], strlen(texts[i])), 3);
    assert_int_equal(run(slu_command_verify, "verify", root, "--genesis", genesis_path, NULL), 2);
    assert_int_equal(run(slu_command_verify, "verify", genesis_path, "--genesis", root, NULL), 2);
    assert_int_equal(run(slu_command_verify, "verify", "/nowhere", "--genesis", genesis_path, NULL),
                     2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_place_that_contradicts_itself),
        cmocka_unit_test(test_receipt_of_an_honest_node),
        cmocka_unit_test(test_receipt_with_a_bad_receipt),
        cmocka_unit_test(test_receipt_of_a_broken_node),
        cmocka_unit_test(test_evidence_that_is_none),
        cmocka_unit_test(test_evidence_of_a_broken_node),
        cmocka_unit_test(test_verify_receipts),
        cmocka_unit_test(test_verify_evidence),
        cmocka_unit_test(test_verify_what_is_neither),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
