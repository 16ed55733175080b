/* Envelopes: what is refused and dropped without any state (docs/PROTOCOL.md clauses 5 and 7.5),
 * what a forced one's tuple says of it, and the parameters that sealed ones depend on. */
#include "crypto/seal.h"
#include "sluice/error.h"
#include "tests/unit/committee.h"
#include "wire/inbox.h"
#include "wire/tx.h"

#define NOW UINT64_C(1000)

static uint8_t body[SLU_TX_BYTES_MAX_CAP + 1], bytes[sizeof body + SLU_TX_HEAD_BYTES];

/* A chain with two rollups in its table, of which the second takes sealed ones only. */
static struct slu_genesis with_table(void)
{
    struct slu_genesis g = genesis;
    g.open_rollups = false;
    g.rollup_count = 2;
    g.rollups[0] = (struct slu_genesis_rollup){.id = 5, .name = "five", .rate_share = 1};
    g.rollups[1] =
        (struct slu_genesis_rollup){.id = 10, .name = "ten", .rate_share = 1, .sealed_only = true};
    return g;
}

static size_t envelope(uint64_t rollup, uint64_t until_ms, uint8_t kind, size_t len)
{
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_tx_write(&w, rollup, until_ms, kind, body, (uint32_t)len);
    assert_false(w.failed);
    return slu_writer_len(&w);
}

static enum slu_drop judge(const struct slu_genesis *g, size_t len, uint64_t now_ms)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    struct slu_tx tx;
    assert_true(slu_tx_read(&r, &tx));
    assert_true(slu_reader_done(&r));
    return slu_tx_check(g, &tx, now_ms);
}

static void test_plain_ones(void **state)
{
    (void)state;
    static const struct {
        uint64_t rollup, until;
        uint8_t kind;
        uint32_t len;
        enum slu_drop drop;
    } cases[] = {
        {5, 1000, SLU_TX_PLAIN, 1, SLU_DROP_NONE},
        {5, 999, SLU_TX_PLAIN, 1, SLU_DROP_EXPIRED},
        {5, 31000, SLU_TX_PLAIN, 1, SLU_DROP_NONE},
        {5, 31001, SLU_TX_PLAIN, 1, SLU_DROP_TOO_FAR},
        {6, 1000, SLU_TX_PLAIN, 1, SLU_DROP_ROLLUP},
        {0, 1000, SLU_TX_PLAIN, 1, SLU_DROP_ROLLUP},
        {10, 1000, SLU_TX_PLAIN, 1, SLU_DROP_SEALED_ONLY},
        {5, 1000, SLU_TX_BUNDLE, 1, SLU_DROP_ROLLUP}, /* what it is for stands inside */
        {0, 1000, SLU_TX_BUNDLE, 1, SLU_DROP_BUNDLE},
        {0, 1000, SLU_TX_KEYGEN, 1, SLU_DROP_KIND},
        {5, 1000, 200, 1, SLU_DROP_KIND},
        {5, 1000, SLU_TX_PLAIN, 0, SLU_DROP_SIZE},
        {5, 1000, SLU_TX_PLAIN, SLU_TX_BYTES_MAX_CAP - SLU_TX_HEAD_BYTES, SLU_DROP_NONE},
        {5, 1000, SLU_TX_PLAIN, SLU_TX_BYTES_MAX_CAP - SLU_TX_HEAD_BYTES + 1, SLU_DROP_SIZE},
    };
    struct slu_genesis g = with_table();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = envelope(cases[i].rollup, cases[i].until, cases[i].kind, cases[i].len);
        assert_int_equal(judge(&g, len, NOW), cases[i].drop);
        struct slu_reader r = slu_reader_of(bytes, len - 1);
        struct slu_tx tx;
        assert_false(slu_tx_read(&r, &tx));
    }
    g.open_rollups = true; /* the table's flags count all the same */
    assert_int_equal(judge(&g, envelope(6, NOW, SLU_TX_PLAIN, 1), NOW), SLU_DROP_NONE);
    assert_int_equal(judge(&g, envelope(10, NOW, SLU_TX_PLAIN, 1), NOW), SLU_DROP_SEALED_ONLY);
}

/* Seals a few bytes for rollup 10 into `body`. */
static size_t sealed_body(enum slu_unlock kind, uint64_t unlock, uint64_t until_ms)
{
    struct slu_seal_key key = {.key_id = {1}};
    const uint8_t secret[32] = {3}, seed64[64] = {9};
    size_t len;
    memcpy(key.chain_id, genesis.chain_id, 32);
    assert_int_equal(crypto_scalarmult_ristretto255_base(key.y, secret), 0);
    assert_int_equal(slu_seal(body, sizeof body, &len, &key, kind, unlock, until_ms, 10,
                              (const uint8_t *)"hello", 5, seed64),
                     0);
    return len;
}

static void test_sealed_ones(void **state)
{
    (void)state;
    const struct slu_genesis g = with_table();
    const uint64_t horizon = g.params.unlock_horizon_ms;
    const struct {
        uint64_t rollup, until, unlock;
        enum slu_unlock kind;
        enum slu_drop drop;
    } cases[] = {
        {0, 1000, 0, SLU_UNLOCK_NONE, SLU_DROP_NONE},
        {10, 1000, 0, SLU_UNLOCK_NONE, SLU_DROP_ROLLUP}, /* what is inside is not told outside */
        {0, 999, 0, SLU_UNLOCK_NONE, SLU_DROP_EXPIRED},
        {0, 31000, 0, SLU_UNLOCK_NONE, SLU_DROP_NONE},
        {0, 31001, 0, SLU_UNLOCK_NONE, SLU_DROP_TOO_FAR},
        {0, 1000, 0, SLU_UNLOCK_TIME, SLU_DROP_NONE}, /* past: it is due where it is ordered */
        {0, 1000, NOW + horizon, SLU_UNLOCK_TIME, SLU_DROP_NONE},
        {0, 1000, NOW + horizon + 1, SLU_UNLOCK_TIME, SLU_DROP_UNLOCK},
        {0, 1000, UINT64_MAX, SLU_UNLOCK_TIME, SLU_DROP_UNLOCK},
        {0, 1000, UINT64_MAX, SLU_UNLOCK_HEIGHT, SLU_DROP_NONE}, /* heights are the core's */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = sealed_body(cases[i].kind, cases[i].unlock, cases[i].until);
        len = envelope(cases[i].rollup, cases[i].until, SLU_TX_SEALED, len);
        assert_int_equal(judge(&g, len, NOW), cases[i].drop);
    }
}

static void test_a_chain_without_a_key_knows_no_sealed_ones(void **state)
{
    (void)state;
    struct slu_genesis g = with_table();
    g.params.sealing = 0;
    size_t len = envelope(0, NOW, SLU_TX_SEALED, sealed_body(SLU_UNLOCK_NONE, 0, NOW));
    assert_int_equal(judge(&g, len, NOW), SLU_DROP_KIND);
    struct slu_relay relay = {.kind = SLU_INBOX_FORCED};
    assert_int_equal(slu_relay_derive(&relay, &g, bytes, len), 0);
    assert_int_equal(relay.tuple.offence, SLU_FORCED_PLAIN); /* a tuple that reads back */
}

static void test_forms_of_sealed_bodies(void **state)
{
    (void)state;
    const struct slu_genesis g = with_table();
    size_t len = sealed_body(SLU_UNLOCK_NONE, 0, NOW);
    for (size_t cut = 0; cut < len; cut++)
        if (cut > 0)
            assert_int_equal(judge(&g, envelope(0, NOW, SLU_TX_SEALED, cut), NOW),
                             SLU_DROP_SEALING);
    assert_int_equal(judge(&g, envelope(0, NOW, SLU_TX_SEALED, len + 1), NOW), SLU_DROP_SEALING);
    static const size_t heads[] = {0, 1, 34, 35}; /* version, suite, unlock kind, unlock */
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        body[heads[i]] ^= 0x40;
        assert_int_equal(judge(&g, envelope(0, NOW, SLU_TX_SEALED, len), NOW), SLU_DROP_SEALING);
        body[heads[i]] ^= 0x40;
    }
    assert_int_equal(judge(&g, envelope(0, NOW, SLU_TX_SEALED, len), NOW), SLU_DROP_NONE);
}

/* The core knows from the tuple alone whether a queued entry will be opened. */
static void test_a_forced_tuple_says_whether_it_is_sealed(void **state)
{
    (void)state;
    for (unsigned content = SLU_FORCED_PLAIN; content <= SLU_FORCED_LOCKED; content++) {
        struct slu_relay relay = {.kind = SLU_INBOX_FORCED};
        size_t body_len = content == SLU_FORCED_LOCKED
                              ? sealed_body(SLU_UNLOCK_HEIGHT, 5, NOW)
                              : sealed_body(SLU_UNLOCK_NONE, 0, NOW);
        size_t len = content == SLU_FORCED_PLAIN ? envelope(5, NOW, SLU_TX_PLAIN, 1)
                                                 : envelope(0, NOW, SLU_TX_SEALED, body_len);
        assert_int_equal(slu_relay_derive(&relay, &genesis, bytes, len), 0);
        assert_int_equal(relay.tuple.offence, content);
        assert_int_equal(relay.tuple.offender, 0);
        uint8_t tuple[SLU_INBOX_TUPLE_BYTES];
        struct slu_genesis unsealing = genesis;
        unsealing.params.sealing = 0;
        struct slu_inbox_tuple out;
        for (unsigned form = 0; form < 4; form++) {
            relay.tuple.offence = (uint8_t)form;
            struct slu_writer w = slu_writer_of(tuple, sizeof tuple);
            slu_inbox_tuple_write(&w, &relay.tuple);
            struct slu_reader r = slu_reader_of(tuple, sizeof tuple);
            assert_int_equal(slu_inbox_tuple_read(&r, &genesis, &out),
                             form <= SLU_FORCED_LOCKED ? 0 : SLU_ERR_MALFORMED);
            r = slu_reader_of(tuple, sizeof tuple);
            assert_int_equal(slu_inbox_tuple_read(&r, &unsealing, &out),
                             form == SLU_FORCED_PLAIN ? 0 : SLU_ERR_MALFORMED);
        }
    }
}

static void expect_params(const struct slu_params *params, const char *words)
{
    struct slu_genesis g = genesis;
    char why[200] = "";
    g.params = *params;
    int rc = slu_genesis_seal(&g, why, sizeof why);
    assert_int_equal(rc, words ? SLU_ERR_CONFIG : 0);
    if (words && !strstr(why, words))
        fail_msg("\"%s\" instead of \"%s\"", why, words);
}

static void test_parameters_of_sealing(void **state)
{
    (void)state;
    struct slu_params p = genesis.params;
    p.due_bytes_per_block = 4 * p.tx_bytes_max;
    expect_params(&p, NULL);
    p.due_bytes_per_block--;
    expect_params(&p, "due_bytes_per_block: smaller than four times tx_bytes_max");
    p.sealing = 0; /* nothing is ever due */
    expect_params(&p, NULL);
    p.due_bytes_per_block = SLU_DUE_BYTES_CAP + 1;
    expect_params(&p, "due_bytes_per_block: 4194305 is not in 1024..4194304");
    p = genesis.params;
    p.unlock_horizon_ms = 999;
    expect_params(&p, "unlock_horizon_ms: 999 is not in 1000..");
    p.unlock_horizon_ms = SLU_UNLOCK_HORIZON_MS_CAP;
    expect_params(&p, NULL);
    p.unlock_horizon_ms++;
    expect_params(&p, "unlock_horizon_ms");
    p = genesis.params;
    p.calendar_bytes_max = 4 * (COMMITTEE + 1) * (uint64_t)p.tx_bytes_max;
    expect_params(&p, NULL);
    p.calendar_bytes_max--;
    expect_params(&p, "calendar_bytes_max: 2621439 is not in 2621440..17179869184");
    p.calendar_bytes_max = SLU_CALENDAR_CAP + 1;
    expect_params(&p, "calendar_bytes_max");
    p.tx_bytes_max = 64; /* what waits counts a KiB at least */
    p.calendar_bytes_max = 4 * (COMMITTEE + 1) * UINT64_C(1024) - 1;
    expect_params(&p, "calendar_bytes_max: 20479 is not in 20480..");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_ones),
        cmocka_unit_test(test_sealed_ones),
        cmocka_unit_test(test_a_chain_without_a_key_knows_no_sealed_ones),
        cmocka_unit_test(test_forms_of_sealed_bodies),
        cmocka_unit_test(test_a_forced_tuple_says_whether_it_is_sealed),
        cmocka_unit_test(test_parameters_of_sealing),
    };
    return cmocka_run_group_tests(tests, make_committee, free_committee);
}
