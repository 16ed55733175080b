/* `sluice bundle`: what the node gets and what is refused before; and `sluice subscribe` where
 * bundles are: what it prints of them, and nodes that show one that was not sealed so. */
#include "crypto/sealed.h"
#include "tests/unit/sealed_teller.h"
#include "wire/bundle.h"

static struct certified_key key;
static uint8_t body[64];
static size_t body_len;

static int set_up_keys(void **state)
{
    static const struct slu_bundle bundle = {
        .count = 2, .legs = {{9, (const uint8_t *)"left", 4}, {8, (const uint8_t *)"right", 5}}};
    if (set_up(state) != 0)
        return -1;
    certify(&key, &genesis, 1, 3);
    certify(&first, &genesis, 1, 2);
    certify(&newest, &genesis, 2, 3);
    return slu_bundle_body(body, sizeof body, &body_len, &bundle);
}

static struct liar keyed(void)
{
    struct liar liar = honest(0);
    liar.certificate = key.bytes;
    liar.certificate_len = key.len;
    liar.height = 1000;
    return liar;
}

/* 9:left and 8:right, with options up to NULL. */
static int bundle(const char *url, const char *a, const char *b, const char *c)
{
    int code = run(slu_command_bundle, "bundle", "--leg", "9:6c656674", "--node", url, "--leg",
                   "8:0x7269676874", "--genesis", genesis_path, a, b, c, NULL);
    check_text();
    return code;
}

/* ---- giving one ---- */

/* The node makes the envelope. */
static void test_plain(void **state)
{
    (void)state;
    struct liar a = honest(0);
    const char *url = start(&a);
    assert_int_equal(bundle(url, NULL, NULL, NULL), 0);
    expect("\"status\":\"accepted\",\"reason\":\"\"}");
    assert_int_equal(given_len, body_len);
    assert_memory_equal(given, body, body_len);
    a.place = (struct slu_client_place){SLU_CLIENT_FINAL, 9, 0, 0, false, false, 1};
    assert_int_equal(bundle(url, "--wait", NULL, NULL), 0);
    expect("\"outcome\":\"ordered\",\"height\":9,\"index\":0}");
    a.refuses = true;
    a.reason = "sealed_only";
    assert_int_equal(bundle(url, NULL, NULL, NULL), 2);
    expect("\"status\":\"refused\",\"reason\":\"sealed_only\"");
    stub_close(&a.door);
}

static struct slu_tx given_tx(void)
{
    struct slu_reader r = slu_reader_of(given, given_len);
    struct slu_tx tx;
    assert_true(slu_tx_read(&r, &tx) && slu_reader_done(&r));
    assert_true(tx.rollup == 0);
    return tx;
}

static void test_forced(void **state)
{
    (void)state;
    struct liar a = honest(0);
    assert_int_equal(bundle(start(&a), "--forced", "--receipts", "1"), 0);
    expect("\"receipts\":[{\"node\":0,");
    struct slu_tx tx = given_tx();
    assert_int_equal(tx.kind, SLU_TX_BUNDLE);
    assert_int_equal(tx.body_len, body_len);
    assert_memory_equal(tx.body, body, body_len);
    assert_int_equal(a.forces, 1);
    stub_close(&a.door);
}

/* What is inside only its opening tells; its key, unlock and size can be seen. */
static void test_sealed(void **state)
{
    (void)state;
    for (int forced = 0; forced < 2; forced++) {
        struct liar a = keyed();
        struct slu_sealed sealed;
        assert_int_equal(bundle(start(&a), "--sealed", forced ? "--forced" : NULL,
                                forced ? "--unlock-height=1234" : NULL),
                         0);
        expect("\"sealed\":true,\"unlock\":");
        struct slu_tx tx = given_tx();
        assert_int_equal(tx.kind, SLU_TX_SEALED);
        assert_int_equal(slu_sealed_read(&sealed, tx.body, tx.body_len, tx.valid_until_ms), 0);
        assert_memory_equal(sealed.key_id32, key.key.key_id, 32);
        assert_int_equal(tx.bytes_len, slu_seal_envelope_bytes(body_len));
        assert_int_equal(sealed.label.unlock, forced ? 1234 : 0);
        stub_close(&a.door);
    }
}

static void refused(const char *words, const char *a, const char *b, const char *c, const char *d)
{
    assert_int_equal(
        run(slu_command_bundle, "bundle", "--node", "tcp://127.0.0.1:1", a, b, c, d, NULL), 2);
    complains(words);
    complains("sluice bundle: ");
    assert_string_equal(output, "");
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    static char huge[2 * SLU_TX_BYTES_MAX_CAP + 16];
    refused("needs --leg R:HEX, twice at least", NULL, NULL, NULL, NULL);
    refused("needs --leg R:HEX, twice at least", "--leg", "1:00", NULL, NULL);
    refused("'7' is not R:HEX", "--leg", "1:00", "--leg", "7");
    refused("'7:' is not R: and pairs of hex digits", "--leg", "7:", NULL, NULL);
    refused("'7:0x' is not R: and pairs", "--leg", "7:0x", NULL, NULL);
    refused("'7:abc' is not R: and pairs", "--leg", "7:abc", NULL, NULL);
    refused("'7:xy' is not R: and pairs", "--leg", "7:xy", NULL, NULL);
    refused("--leg: '' is not a whole number", "--leg", ":00", NULL, NULL);
    refused("--leg: 0 is not in 1..9007199254740991", "--leg", "0:00", NULL, NULL);
    refused("--leg: 9007199254740992 is not in", "--leg", "9007199254740992:00", NULL, NULL);
    refused("is not R:HEX", "--leg", "0000000000000000000000000000000001:00", NULL, NULL);
    memset(huge, '0', sizeof huge - 1);
    memcpy(huge, "1:", 2);
    refused("--leg: more than 131072 bytes in all", "--leg", huge, NULL, NULL);
    refused("--sealed needs --genesis FILE", "--leg=1:00", "--leg=2:00", "--sealed", NULL);
    refused("are for --sealed", "--leg=1:00", "--leg=2:00", "--unlock-in=1", NULL);
    refused("--receipts is for --forced", "--leg=1:00", "--leg=2:00", "--receipts=1", NULL);
    refused("--give-up is not for --forced", "--leg=1:00", "--leg=2:00", "--forced", "--give-up=1");
    char *legs[40] = {"bundle", "--node", "tcp://127.0.0.1:1"};
    for (int i = 0; i < 17; i++)
        legs[3 + i] = "--leg=1:00";
    optind = 0;
    assert_int_equal(slu_command_bundle(20, legs), 2);
    assert_int_equal(run(slu_command_bundle, "bundle", "--help", NULL), 0);
    expect("usage: sluice bundle --leg");
}

/* ---- reading them ---- */

#define LEGS                                                                                       \
    "\"legs\":[{\"rollup\":9,\"payload\":\"0x6c656674\"},{\"rollup\":8,\"payload\":"               \
    "\"0x7269676874\"}]}"

static void test_what_is_printed(void **state)
{
    (void)state;
    struct teller t = {0};
    struct sealed_tx sealed;
    seal_bytes(&sealed, &first.key, 1, SLU_UNLOCK_HEIGHT, 6, 0, body, body_len);
    struct told *told = tell_height(&t.story, 5);
    tell_envelope(told, 0, 0, SLU_TX_BUNDLE, SLU_TX_BUNDLE | 128, body, body_len);
    tell_sealed(told, 1, &sealed, 0);
    tell_envelope(told, 2, 0, SLU_TX_BUNDLE, SLU_TX_BUNDLE, body, body_len);
    tell_envelope(told, 3, 0, SLU_TX_BUNDLE, SLU_TX_BUNDLE | 128, body, body_len - 1);
    (void)tell_height(&t.story, 6);
    tell_opening(tell_height(&t.story, 7), 0, 0, sealed.id, &sealed.opening);
    const char *url = open_signed(&t);
    assert_int_equal(subscribe(url, true), 0);
    expect("{\"index\":0,\"rollup\":0,\"id\":\"");
    expect("\",\"kind\":\"bundle\",\"forced\":true," LEGS);
    expect("\",\"kind\":\"bundle\"," LEGS);
    expect("\",\"kind\":\"bundle\",\"forced\":true,\"payload\":\"0x02"); /* what is none */
    expect("\",\"kind\":\"opened\",\"ordered\":{\"height\":5,\"index\":1},");
    expect("\"," LEGS "]}\n");
    stub_close(&t.door);
}

/* At height 7 there stands an opening which is a lie. */
static void lies(const struct sealed_tx *tx, const struct slu_opening *opening, const char *words)
{
    struct teller t = {0};
    tell_sealed(tell_height(&t.story, 5), 1, tx, 0);
    (void)tell_height(&t.story, 6);
    tell_opening(tell_height(&t.story, 7), 0, 0, tx->id, opening);
    assert_int_equal(subscribe(open_signed(&t), true), 3);
    complains(words);
    assert_int_equal(lines_with("{\"height\":7,\"time_ms\""), 0);
    stub_close(&t.door);
}

static void test_liars(void **state)
{
    (void)state;
    struct sealed_tx tx;
    uint8_t other[sizeof body];
    seal_bytes(&tx, &first.key, 1, SLU_UNLOCK_HEIGHT, 6, 0, body, body_len);
    struct slu_opening changed = tx.opening;
    memcpy(other, body, body_len);
    changed.payload = other;
    for (size_t i = 0; i < body_len; i++) {
        struct slu_bundle still;
        other[i] ^= 1;
        if (slu_bundle_read(&still, other, body_len) == 0)
            lies(&tx, &changed,
                 slu_bundle_known(&genesis, &still)
                     ? "this is not what was sealed"
                     : "it is for a rollup that the chain does not have");
        other[i] ^= 1;
    }
    /* A leg for a rollup that there is not: it is void, and shown open. */
    memset(other + 1, 0xff, 8);
    seal_bytes(&tx, &first.key, 2, SLU_UNLOCK_NONE, 0, 0, other, body_len);
    lies(&tx, &tx.opening, "it is for a rollup that the chain does not have");
}

/* What is shown for rollup 0 and is no bundle breaks the rules of the stream. */
static void test_no_bundle(void **state)
{
    (void)state;
    struct sealed_tx tx;
    struct teller t = {0};
    seal_bytes(&tx, &first.key, 1, SLU_UNLOCK_NONE, 0, 0, body, body_len - 1);
    tell_sealed(tell_height(&t.story, 5), 1, &tx, 0);
    tell_opening(tell_height(&t.story, 6), 0, 0, tx.id, &tx.opening);
    (void)tell_height(&t.story, 7);
    assert_int_equal(subscribe(open_door(&t), false), 2);
    complains("an opening that is none");
    stub_close(&t.door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),           cmocka_unit_test(test_forced),
        cmocka_unit_test(test_sealed),          cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_what_is_printed), cmocka_unit_test(test_liars),
        cmocka_unit_test(test_no_bundle),
    };
    return cmocka_run_group_tests(tests, set_up_keys, tear_down);
}
