/* `sluice submit --sealed`, forced and not: what the node gets, what the command says, and nodes
 * that give a key which is none. */
#include "client/sealing.h"
#include "crypto/sealed.h"
#include "tests/unit/liar.h"

static struct certified_key good;

static int set_up_keys(void **state)
{
    if (set_up(state) != 0)
        return -1;
    certify(&good, &genesis, 1, 3);
    return 0;
}

static struct liar keyed(uint16_t node)
{
    struct liar liar = honest(node);
    liar.certificate = good.bytes;
    liar.certificate_len = good.len;
    liar.height = 1000;
    return liar;
}

#define VALID_MS 20000u

static uint64_t began_ms; /* the last command */

/* One transaction, with options up to NULL. */
static int seal_with(const char *urls, const char *a, const char *b, const char *c, const char *d)
{
    const char *path = hex_file(1, "");
    began_ms = wall_ms();
    int code = run(slu_command_submit, "submit", "--sealed", "--node", urls, "--rollup", "7",
                   "--hex", path, "--genesis", genesis_path, "--valid-for", "20", a, b, c, d, NULL);
    unlink(path);
    check_text();
    return code;
}

static int seal(const char *url)
{
    return seal_with(url, NULL, NULL, NULL, NULL);
}

/* What the node was given is sealed to the key, for whom it should be, and the line has its id. */
static void check_given(enum slu_unlock kind, uint64_t unlock)
{
    struct slu_reader r = slu_reader_of(given, given_len);
    struct slu_opening_key *tables = slu_opening_key_new(&good.key);
    struct slu_sealed sealed;
    struct slu_sealed_checked checked;
    struct slu_tx tx;
    uint8_t id[32];
    char hex[65];
    assert_true(slu_tx_read(&r, &tx) && slu_reader_done(&r));
    assert_int_equal(tx.rollup, 0);
    assert_int_equal(tx.kind, SLU_TX_SEALED);
    assert_true(tx.valid_until_ms % 1000 == 0);
    assert_in_range(tx.valid_until_ms, began_ms + VALID_MS, wall_ms() + VALID_MS + 1000);
    assert_int_equal(slu_sealed_read(&sealed, tx.body, tx.body_len, tx.valid_until_ms), 0);
    assert_true(slu_sealed_valid(tables, &checked, &sealed));
    assert_int_equal(sealed.label.unlock_kind, kind);
    if (unlock)
        assert_int_equal(sealed.label.unlock, unlock);
    slu_opening_key_free(tables);
    slu_tx_id_of(id, genesis.chain_id, given, given_len);
    slu_hex_encode(hex, id, 32);
    expect(hex);
}

static void test_honest(void **state)
{
    (void)state;
    struct liar a = keyed(0);
    const char *url = start(&a);
    char at[32], want[64];
    assert_int_equal(seal(url), 0);
    expect("\"status\":\"accepted\",\"reason\":\"\",\"sealed\":true,\"unlock\":null}");
    check_given(SLU_UNLOCK_NONE, 0);
    assert_int_equal(seal_with(url, "--unlock-height", "1234", NULL, NULL), 0);
    expect("\"sealed\":true,\"unlock\":{\"height\":1234}}");
    check_given(SLU_UNLOCK_HEIGHT, 1234);
    snprintf(at, sizeof at, "%llu", (unsigned long long)wall_ms() + 60000);
    snprintf(want, sizeof want, "\"unlock\":{\"time_ms\":%s}}", at);
    assert_int_equal(seal_with(url, "--unlock-at", at, NULL, NULL), 0);
    expect(want);
    check_given(SLU_UNLOCK_TIME, strtoull(at, NULL, 10));
    assert_int_equal(seal_with(url, "--unlock-in", "60", NULL, NULL), 0);
    check_given(SLU_UNLOCK_TIME, 0);
    uint64_t unlock = strtoull(strstr(output, "time_ms\":") + 9, NULL, 10);
    assert_in_range(unlock, began_ms + 59000, wall_ms() + 60000);
    assert_int_equal(a.submits, 4);
    a.place = (struct slu_client_place){SLU_CLIENT_FINAL, 9, 0, 0, false, false, 1};
    assert_int_equal(seal_with(url, "--wait", NULL, NULL, NULL), 0);
    expect("\"unlock\":null,\"outcome\":\"ordered\",\"height\":9,\"index\":0}");
    a.refuses = true;
    a.reason = "seal_key";
    assert_int_equal(seal(url), 2);
    expect("\"status\":\"refused\",\"reason\":\"seal_key\",\"sealed\":true");
    stub_close(&a.door);
}

/* A node that says an earlier time than it is cannot have anything opened before it was to be. */
static void test_early_time(void **state)
{
    (void)state;
    static const char *const modes[] = {NULL, "--forced"};
    struct liar a = keyed(0);
    const char *url = start(&a);
    a.lies_about_time = true;
    for (int mode = 0; mode < 2; mode++) {
        a.time_ms = wall_ms() - 2000;
        uint64_t began = wall_ms();
        assert_int_equal(seal_with(url, "--unlock-in", "2", modes[mode], NULL), 0);
        uint64_t unlock = strtoull(strstr(output, "time_ms\":") + 9, NULL, 10);
        assert_in_range(unlock, began + 2000, wall_ms() + 2000);
    }
    stub_close(&a.door);
}

/* An unlock that is behind is taken, but not without a word: seconds in place of milliseconds. */
static void test_passed(void **state)
{
    (void)state;
    struct liar a = keyed(0);
    const char *url = start(&a);
    char past[32], ahead[32];
    snprintf(past, sizeof past, "%llu", (unsigned long long)wall_ms() / 1000);
    snprintf(ahead, sizeof ahead, "%llu", (unsigned long long)wall_ms() + 60000);
    const struct {
        const char *option, *value;
        bool passed;
    } cases[] = {
        {"--unlock-height", "1000", true}, {"--unlock-height", "1001", false},
        {"--unlock-at", past, true},       {"--unlock-at", ahead, false},
        {"--unlock-in", "0", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(seal_with(url, cases[i].option, cases[i].value, NULL, NULL), 0);
        assert_int_equal(strstr(complaints, "is reached already") != NULL, cases[i].passed);
    }
    stub_close(&a.door);
}

/* Nodes do not see for whom it is; the genesis that is at hand tells. */
static void test_unknown_rollup(void **state)
{
    (void)state;
    static struct slu_genesis table;
    static const char *const modes[] = {NULL, "--forced"};
    struct liar a = keyed(0);
    const char *url = start(&a), *path = hex_file(1, "");
    char table_path[sizeof root + 16], why[256];
    table = genesis;
    table.open_rollups = false;
    table.rollup_count = 1;
    table.rollups[0] = (struct slu_genesis_rollup){.id = 8, .name = "eight", .rate_share = 1};
    assert_int_equal(slu_genesis_seal(&table, why, sizeof why), 0);
    snprintf(table_path, sizeof table_path, "%s/table.json", root);
    assert_int_equal(slu_genesis_save(&table, table_path, why, sizeof why), 0);
    for (int mode = 0; mode < 2; mode++) {
        for (int known = 0; known < 2; known++) {
            (void)run(slu_command_submit, "submit", "--sealed", "--node", url, "--rollup",
                      known ? "8" : "7", "--hex", path, "--genesis", table_path, "--valid-for", "1",
                      modes[mode], NULL);
            assert_int_equal(strstr(complaints, "knows no such rollup") == NULL, known);
            (void)run(slu_command_bundle, "bundle", "--sealed", "--node", url, "--leg", "8:00",
                      "--leg", known ? "8:01" : "7:01", "--genesis", table_path, "--valid-for", "1",
                      modes[mode], NULL);
            assert_int_equal(strstr(complaints, "knows no such rollup") == NULL, known);
        }
    }
    unlink(path);
    stub_close(&a.door);
}

/* Many at once fill several frames, and each is another transaction. */
static void test_many(void **state)
{
    (void)state;
    struct liar a = keyed(0);
    const char *path = hex_file(3000, "");
    assert_int_equal(run(slu_command_submit, "submit", "--sealed", "--node", start(&a), "--rollup",
                         "7", "--hex", path, "--genesis", genesis_path, NULL),
                     0);
    unlink(path);
    check_text();
    assert_int_equal(lines_with("\"status\":\"accepted\""), 3000);
    stub_close(&a.door);
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    struct liar a = keyed(0);
    const char *url = start(&a);
    assert_int_equal(seal_with(url, "--unlock-in", "1", "--unlock-height", "5"), 2);
    complains("one unlock is enough");
    assert_int_equal(seal_with(url, "--unlock-height", "0", NULL, NULL), 2);
    complains("--unlock-height");
    const char *path = hex_file(1, "");
    static const char *const forced[] = {NULL, "--forced"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run(slu_command_submit, "submit", "--node", url, "--rollup", "7", "--hex",
                             path, "--genesis", genesis_path, "--unlock-in", "9", forced[i], NULL),
                         2);
        complains("are for --sealed");
        assert_int_equal(run(slu_command_submit, "submit", "--node", url, "--rollup", "7", "--hex",
                             path, "--sealed", forced[i], NULL),
                         2);
        complains("needs --genesis FILE");
        assert_int_equal(run(slu_command_submit, "submit", "--node", url, "--rollup", "7", "--hex",
                             path, "--sealed", "--genesis", root, forced[i], NULL),
                         2);
        complains("--genesis: ");
    }
    unlink(path);
    assert_int_equal(a.submits + a.forces, 0);
    stub_close(&a.door);
}

static void test_no_key_yet(void **state)
{
    (void)state;
    struct liar a = keyed(0), b = keyed(1);
    a.certificate = NULL;
    const char *urls = start_both(&a, &b), *url = slu_listener_url(a.door.listener);
    assert_int_equal(seal(url), 2);
    complains("the committee has no key yet");
    expect("{\"id\":null,\"status\":\"refused\",\"reason\":\"no_key\"}");
    assert_int_equal(seal_with(url, "--forced", NULL, NULL, NULL), 2);
    complains("the committee has no key yet");
    expect("\"reason\":\"no_key\"");
    assert_int_equal(a.submits + a.forces, 0);
    assert_int_equal(seal(urls), 0); /* it may only be behind */
    assert_int_equal(b.submits, 1);
    assert_int_equal(seal_with(urls, "--forced", NULL, NULL, NULL), 0);
    assert_true(a.forces + b.forces == 1);
    stub_close(&a.door);
    stub_close(&b.door);
}

/* The genesis' horizon is 30 days and 2,592,000 heights; the present is 1000, and what the node
 * says. */
static void test_horizon(void **state)
{
    (void)state;
    static const char *const modes[] = {NULL, "--forced"};
    struct liar a = keyed(0);
    const char *url = start(&a);
    a.time_ms = 5000;
    a.lies_about_time = true;
    const struct {
        const char *option, *value;
        bool within;
    } cases[] = {
        {"--unlock-height", "2593000", true}, {"--unlock-height", "2593001", false},
        {"--unlock-at", "2592005000", true},  {"--unlock-at", "2592005001", false},
        {"--unlock-in", "2592000", true},     {"--unlock-in", "2592001", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int mode = 0; mode < 2; mode++) {
            uint32_t before = a.submits + a.forces;
            int code = seal_with(url, cases[i].option, cases[i].value, modes[mode], NULL);
            if (!cases[i].within) {
                assert_int_equal(code, 2);
                complains("beyond the horizon");
                expect("\"reason\":\"unlock\"");
            }
            assert_int_equal(a.submits + a.forces > before, cases[i].within);
        }
    }
    stub_close(&a.door);
}

static void test_sizes(void **state)
{
    (void)state;
    static const char *const modes[] = {NULL, "--forced"};
    struct liar a = keyed(0);
    const char *url = start(&a);
    for (size_t len = SLU_SEAL_PAYLOAD_BYTES_MAX; len <= SLU_SEAL_PAYLOAD_BYTES_MAX + 1; len++) {
        char *line = malloc(2 * len + 4);
        memset(line, 'a', 2 * len + 2);
        memcpy(line, "0x", 2);
        strcpy(line + 2 + 2 * len, "\n");
        const char *path = hex_file(0, line);
        for (int mode = 0; mode < 2; mode++) {
            bool fits = len == SLU_SEAL_PAYLOAD_BYTES_MAX;
            assert_int_equal(run(slu_command_submit, "submit", "--sealed", "--node", url,
                                 "--rollup", "7", "--hex", path, "--genesis", genesis_path,
                                 "--valid-for", "20", modes[mode], NULL),
                             fits ? 0 : 2);
            expect(fits ? "\"sealed\":true" : "line 1: more than 98291 bytes");
        }
        unlink(path);
        free(line);
    }
    stub_close(&a.door);
}

/* A chain whose nodes make no key. */
static void test_chain_without_key(void **state)
{
    (void)state;
    char path[160], why[200];
    struct slu_genesis bare = genesis;
    bare.params.sealing = 0;
    assert_int_equal(slu_genesis_seal(&bare, why, sizeof why), 0);
    snprintf(path, sizeof path, "%s/bare.json", root);
    assert_int_equal(slu_genesis_save(&bare, path, why, sizeof why), 0);
    struct liar a = keyed(0);
    const char *url = start(&a), *hex = hex_file(1, "");
    static const char *const modes[] = {NULL, "--forced"};
    for (int mode = 0; mode < 2; mode++) {
        assert_int_equal(run(slu_command_submit, "submit", "--sealed", "--node", url, "--rollup",
                             "7", "--hex", hex, "--genesis", path, modes[mode], NULL),
                         2);
        complains("this chain has no committee key");
    }
    unlink(hex);
    stub_close(&a.door);
}

/* ---- liars ---- */

/* A key that is not the committee's is said, nothing is sealed to it, and the next node is asked.
 */
static void refuses_certificate(const uint8_t *bytes, size_t len)
{
    static const char *const modes[] = {NULL, "--forced"};
    for (int mode = 0; mode < 2; mode++) {
        struct liar a = keyed(0), b = keyed(1);
        a.certificate = bytes;
        a.certificate_len = len;
        b.holds_nothing = true; /* until it is given to it */
        const char *urls = start_both(&a, &b), *url = slu_listener_url(a.door.listener);
        assert_int_equal(seal_with(url, modes[mode], NULL, NULL, NULL), 3);
        complains("is not the committee's");
        expect("\"reason\":\"false_key\"");
        assert_int_equal(a.submits + a.forces, 0);
        assert_int_equal(seal_with(urls, modes[mode], NULL, NULL, NULL), 3);
        complains("is not the committee's");
        expect("\"status\":\"accepted\"");
        check_given(SLU_UNLOCK_NONE, 0);
        stub_close(&a.door);
        stub_close(&b.door);
    }
}

static void test_false_certificates(void **state)
{
    (void)state;
    /* attempt, k, dealers, Y, a Y_i, count, the first signer's node, valid_until and signature, and
     * the last byte */
    const size_t at[] = {0, 4, 6, 14, 46, 174, 176, 178, 186, good.len - 1};
    uint8_t bytes[SLU_KEY_CERT_BYTES_MAX + 1] = {0};
    memcpy(bytes, good.bytes, good.len);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        bytes[at[i]] ^= 1;
        refuses_certificate(bytes, good.len);
        bytes[at[i]] ^= 1;
    }
    refuses_certificate(bytes, good.len - 1);
    refuses_certificate(bytes, good.len + 1);
    struct certified_key other;
    certify(&other, &foreign, 1, 3);
    refuses_certificate(other.bytes, other.len);
}

static void test_other_id(void **state)
{
    (void)state;
    struct liar a = keyed(0);
    a.takes_other = true;
    assert_int_equal(seal(start(&a)), 3);
    complains("took another transaction");
    expect("\"status\":\"refused\",\"reason\":\"other_id\"");
    stub_close(&a.door);
}

static void test_broken_nodes(void **state)
{
    (void)state;
    for (enum frame_kind kind = GARBAGE; kind <= HANG_UP; kind++) {
        struct liar a = keyed(0), b = keyed(1);
        a.key_as = kind;
        const char *urls = start_both(&a, &b), *url = slu_listener_url(a.door.listener);
        assert_int_equal(seal(url), 1);
        expect("\"reason\":\"no_answer\"");
        assert_int_equal(seal_with(url, "--forced", NULL, NULL, NULL), 1);
        expect("\"reason\":\"no_answer\"");
        assert_int_equal(seal(urls), 0);
        assert_int_equal(a.submits, 0);
        stub_close(&a.door);
        stub_close(&b.door);
    }
}

static void test_forced(void **state)
{
    (void)state;
    struct liar a = keyed(0), b = keyed(1);
    a.place = (struct slu_client_place){SLU_CLIENT_FINAL, 9, 7, 9, true, false, 1};
    assert_int_equal(seal_with(start_both(&a, &b), "--forced", "--unlock-height", "77", "--wait"),
                     0);
    expect("\"sealed\":true,\"unlock\":{\"height\":77},\"work\":");
    expect("\"outcome\":\"ordered\",\"height\":9");
    check_given(SLU_UNLOCK_HEIGHT, 77);
    stub_close(&a.door);
    stub_close(&b.door);
}

/* What the next taker gets is the same transaction: sealed once. */
static void test_forced_at_the_next(void **state)
{
    (void)state;
    struct liar a = keyed(0), b = keyed(1);
    a.refuses = true;
    a.reason = "inbox_full";
    b.holds_nothing = true;
    const char *urls = start_both(&a, &b);
    assert_int_equal(seal_with(slu_listener_url(a.door.listener), "--forced", NULL, NULL, NULL), 2);
    a.holds_nothing = true;
    assert_int_equal(seal_with(urls, "--forced", "--receipts", "1", NULL), 0);
    assert_true(a.forces == 2 && b.forces == 1);
    assert_memory_equal(a.forced_id, b.forced_id, 32);
    check_given(SLU_UNLOCK_NONE, 0);
    stub_close(&a.door);
    stub_close(&b.door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest),
        cmocka_unit_test(test_early_time),
        cmocka_unit_test(test_passed),
        cmocka_unit_test(test_unknown_rollup),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_no_key_yet),
        cmocka_unit_test(test_horizon),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_chain_without_key),
        cmocka_unit_test(test_false_certificates),
        cmocka_unit_test(test_other_id),
        cmocka_unit_test(test_broken_nodes),
        cmocka_unit_test(test_forced),
        cmocka_unit_test(test_forced_at_the_next),
    };
    return cmocka_run_group_tests(tests, set_up_keys, tear_down);
}
