/* Bundles: the body's form and what is refused of it, what a leg's rollup must be, and who gets the
 * entry (docs/PROTOCOL.md clause 5.4). */
#include "sluice/bundle.h" /* first: it stands alone */

#include "sluice/error.h"
#include "tests/sim/bundle.h"
#include "tests/unit/committee.h"
#include "wire/bundle.h"
#include "wire/entry.h"
#include "wire/inbox.h"
#include "wire/opening.h"
#include "wire/tx.h"

#define NOW UINT64_C(1000)

static const uint8_t payload[] = "what a leg holds";

static struct slu_bundle bundle_of(const uint64_t *rollups, size_t count)
{
    struct slu_bundle bundle = {.count = count};
    for (size_t i = 0; i < count; i++)
        bundle.legs[i] = (struct slu_bundle_leg){rollups[i], payload + i, 1 + i % 3};
    return bundle;
}

static size_t body_of(uint8_t *body, size_t cap, const uint64_t *rollups, size_t count)
{
    struct slu_bundle bundle = bundle_of(rollups, count);
    size_t len;
    assert_int_equal(slu_bundle_body(body, cap, &len, &bundle), 0);
    return len;
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    uint64_t rollups[SLU_BUNDLE_LEGS_MAX];
    for (size_t count = SLU_BUNDLE_LEGS_MIN; count <= SLU_BUNDLE_LEGS_MAX; count++) {
        uint8_t body[512], again[512];
        struct slu_bundle out;
        size_t len, again_len;
        for (size_t i = 0; i < count; i++)
            rollups[i] = i % 2 ? 1 + i : SLU_ROLLUP_ID_MAX - i;
        len = body_of(body, sizeof body, rollups, count);
        assert_int_equal(slu_bundle_read(&out, body, len), 0);
        assert_int_equal(out.count, count);
        for (size_t i = 0; i < count; i++) {
            assert_true(out.legs[i].rollup == rollups[i]);
            assert_int_equal(out.legs[i].payload_len, 1 + i % 3);
            assert_memory_equal(out.legs[i].payload, payload + i, 1 + i % 3);
        }
        assert_int_equal(slu_bundle_body(again, sizeof again, &again_len, &out), 0);
        assert_int_equal(again_len, len);
        assert_memory_equal(again, body, len);
        assert_int_equal(slu_bundle_body(again, len, &again_len, &out), 0);
        assert_int_equal(slu_bundle_body(again, len - 1, &again_len, &out), SLU_ERR_LIMIT);
        /* No part of it, and nothing more. */
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(slu_bundle_read(&out, body, cut), SLU_ERR_MALFORMED);
            assert_int_equal(out.count, 0);
        }
        body[len] = 0;
        assert_int_equal(slu_bundle_read(&out, body, len + 1), SLU_ERR_MALFORMED);
    }
}

static void test_counts_and_lengths(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 17, 255};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        uint8_t body[1 + 255 * 13] = {(uint8_t)counts[i]};
        for (size_t leg = 0; leg < counts[i]; leg++) {
            body[1 + 13 * leg] = 5;
            body[1 + 13 * leg + 8] = 1;
        }
        struct slu_bundle out;
        assert_int_equal(slu_bundle_read(&out, body, 1 + counts[i] * 13), SLU_ERR_MALFORMED);
    }
    static const uint64_t two[] = {5, 6};
    uint8_t body[64];
    size_t len = body_of(body, sizeof body, two, 2);
    struct slu_bundle out;
    assert_int_equal(len, 1 + 2 * 12 + 1 + 2);
    body[9] = 0; /* the first payload is empty, and its byte the second leg's */
    assert_int_equal(slu_bundle_read(&out, body, len), SLU_ERR_MALFORMED);
    const uint8_t empty[] = {2, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                             6, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9};
    assert_int_equal(slu_bundle_read(&out, empty, sizeof empty), SLU_ERR_MALFORMED);
    body[9] = 1;
    body[12] = 0xff; /* of 4 GB */
    assert_int_equal(slu_bundle_read(&out, body, len), SLU_ERR_MALFORMED);
}

static void test_what_cannot_be_written(void **state)
{
    (void)state;
    static const uint64_t two[] = {5, 6};
    uint8_t body[64];
    size_t len;
    struct slu_bundle bundle = bundle_of(two, 2);
    for (size_t count = 0; count < 20; count++) {
        bundle.count = count;
        if (count != 2)
            assert_true(slu_bundle_body(body, sizeof body, &len, &bundle) < 0);
    }
    bundle = bundle_of(two, 2);
    bundle.legs[1].rollup = 0;
    assert_int_equal(slu_bundle_body(body, sizeof body, &len, &bundle), SLU_ERR_MALFORMED);
    bundle.legs[1].rollup = SLU_ROLLUP_ID_MAX + 1;
    assert_int_equal(slu_bundle_body(body, sizeof body, &len, &bundle), SLU_ERR_MALFORMED);
    bundle = bundle_of(two, 2);
    bundle.legs[0].payload_len = 0;
    assert_int_equal(slu_bundle_body(body, sizeof body, &len, &bundle), SLU_ERR_MALFORMED);
    bundle.legs[0].payload_len = (size_t)UINT32_MAX + 1;
    assert_int_equal(slu_bundle_body(body, sizeof body, &len, &bundle), SLU_ERR_LIMIT);
}

static void test_rollups_of_legs(void **state)
{
    (void)state;
    static const uint64_t legs[] = {9, 2, 9, 700, 2, 1, 9};
    static const uint64_t want[] = {1, 2, 9, 700};
    uint64_t rollups[SLU_BUNDLE_LEGS_MAX];
    struct slu_bundle bundle = bundle_of(legs, 7);
    assert_int_equal(slu_bundle_rollups(&bundle, rollups), 4);
    assert_memory_equal(rollups, want, sizeof want);
    for (size_t i = 0; i < 4; i++)
        assert_true(slu_bundle_has(&bundle, want[i]));
    assert_false(slu_bundle_has(&bundle, 3));
    assert_false(slu_bundle_has(&bundle, 0));
}

/* A chain with three rollups in its table, of which the last takes sealed ones only. */
static struct slu_genesis with_table(void)
{
    struct slu_genesis g = genesis;
    g.open_rollups = false;
    g.rollup_count = 3;
    g.rollups[0] = (struct slu_genesis_rollup){.id = 5, .rate_share = 1};
    g.rollups[1] = (struct slu_genesis_rollup){.id = 6, .rate_share = 1};
    g.rollups[2] = (struct slu_genesis_rollup){.id = 10, .rate_share = 1, .sealed_only = true};
    return g;
}

static uint8_t envelope[SLU_TX_BYTES_MAX_CAP + 64];

static struct slu_tx tx_of(uint64_t rollup, const uint8_t *body, size_t len)
{
    struct slu_writer w = slu_writer_of(envelope, sizeof envelope);
    struct slu_tx tx;
    slu_tx_write(&w, rollup, NOW, SLU_TX_BUNDLE, body, (uint32_t)len);
    struct slu_reader r = slu_reader_of(envelope, slu_writer_len(&w));
    assert_true(slu_tx_read(&r, &tx));
    return tx;
}

/* The first leg that is not good says why; and then nothing of it is taken. */
static void test_every_leg_is_checked(void **state)
{
    (void)state;
    static const struct {
        uint64_t rollups[3];
        enum slu_drop drop;
        bool known;
    } cases[] = {
        {{5, 6, 5}, SLU_DROP_NONE, true},         {{7, 6, 5}, SLU_DROP_ROLLUP, false},
        {{5, 7, 5}, SLU_DROP_ROLLUP, false},      {{5, 6, 7}, SLU_DROP_ROLLUP, false},
        {{5, 6, 10}, SLU_DROP_SEALED_ONLY, true}, {{10, 7, 5}, SLU_DROP_SEALED_ONLY, false},
        {{7, 10, 5}, SLU_DROP_ROLLUP, false},
    };
    struct slu_genesis g = with_table();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t body[128];
        size_t len = body_of(body, sizeof body, cases[i].rollups, 3);
        struct slu_tx tx = tx_of(0, body, len);
        struct slu_bundle bundle;
        assert_int_equal(slu_tx_check(&g, &tx, NOW), cases[i].drop);
        assert_int_equal(slu_bundle_read(&bundle, body, len), 0);
        assert_int_equal(slu_bundle_known(&g, &bundle), cases[i].known);
        tx = tx_of(5, body, len);
        assert_int_equal(slu_tx_check(&g, &tx, NOW), SLU_DROP_ROLLUP);
        tx = tx_of(0, body, len - 1);
        assert_int_equal(slu_tx_check(&g, &tx, NOW), SLU_DROP_BUNDLE);
        tx = tx_of(0, body, len);
        assert_int_equal(slu_tx_check(&g, &tx, NOW + 1),
                         cases[i].drop ? cases[i].drop : SLU_DROP_EXPIRED);
    }
    g.open_rollups = true;
    uint8_t body[128];
    static const uint64_t none[] = {5, 0}, high[] = {5, 6};
    struct slu_bundle bundle = bundle_of(high, 2);
    size_t len;
    assert_int_equal(slu_bundle_body(body, sizeof body, &len, &bundle), 0);
    body[1] = (uint8_t)none[1]; /* rollup 0, which can be written by nobody else */
    struct slu_tx tx = tx_of(0, body, len);
    assert_int_equal(slu_tx_check(&g, &tx, NOW), SLU_DROP_ROLLUP);
    body[1] = 5;
    body[8] = 1; /* 2^56 and more */
    tx = tx_of(0, body, len);
    assert_int_equal(slu_tx_check(&g, &tx, NOW), SLU_DROP_ROLLUP);
}

/* As long as the chain's transactions may be, and not a byte more. */
static void test_size(void **state)
{
    (void)state;
    static uint8_t body[SLU_TX_BYTES_MAX_CAP];
    const size_t room = genesis.params.tx_bytes_max - SLU_TX_HEAD_BYTES;
    struct slu_bundle bundle = {.count = 2};
    for (size_t more = 0; more < 2; more++) {
        size_t len, half = room - 1 - 2 * SLU_BUNDLE_LEG_HEAD_BYTES - 1 + more;
        static uint8_t filler[SLU_TX_BYTES_MAX_CAP];
        bundle.legs[0] = (struct slu_bundle_leg){5, filler, half};
        bundle.legs[1] = (struct slu_bundle_leg){6, filler, 1};
        assert_int_equal(slu_bundle_body(body, sizeof body, &len, &bundle), 0);
        struct slu_tx tx = tx_of(0, body, len);
        assert_int_equal(slu_tx_check(&genesis, &tx, NOW), more ? SLU_DROP_SIZE : SLU_DROP_NONE);
    }
}

/* Its tuple says that the core has nothing to open. */
static void test_a_forced_one_is_plain(void **state)
{
    (void)state;
    static const uint64_t two[] = {5, 6};
    uint8_t body[64];
    struct slu_tx tx = tx_of(0, body, body_of(body, sizeof body, two, 2));
    struct slu_relay relay = {.kind = SLU_INBOX_FORCED};
    assert_int_equal(slu_relay_derive(&relay, &genesis, tx.bytes, tx.bytes_len), 0);
    assert_int_equal(relay.tuple.offence, SLU_FORCED_PLAIN);
}

static void test_who_gets_the_entry(void **state)
{
    (void)state;
    static const uint64_t legs[] = {9, 2, 9};
    static const uint8_t fill[32] = {1};
    uint8_t body[128], opened[512];
    size_t len = body_of(body, sizeof body, legs, 3);
    struct slu_opening opening = {.height = 1,
                                  .key_id32 = fill,
                                  .e16 = fill,
                                  .z32 = fill,
                                  .rho32 = fill,
                                  .payload = body,
                                  .payload_len = (uint32_t)len};
    struct slu_writer w = slu_writer_of(opened, sizeof opened);
    slu_opening_write(&w, &opening, true);
    const size_t opened_len = slu_writer_len(&w);
    const struct {
        uint64_t reader, of;
        uint8_t kind;
        const uint8_t *payload;
        size_t len;
        bool gets;
    } cases[] = {
        {9, 0, SLU_TX_BUNDLE, body, len, true},
        {2, 0, SLU_TX_BUNDLE, body, len, true},
        {3, 0, SLU_TX_BUNDLE, body, len, false},
        {9, 0, SLU_TX_BUNDLE | SLU_ENTRY_FORCED, body, len, true},
        {3, 0, SLU_TX_BUNDLE | SLU_ENTRY_FORCED, body, len, false},
        {9, 0, SLU_TX_BUNDLE | SLU_ENTRY_FORCED, body, len - 1, false}, /* past more than f liars */
        {9, 0, SLU_ENTRY_OPENED, opened, opened_len, true},
        {3, 0, SLU_ENTRY_OPENED, opened, opened_len, false},
        {9, 9, SLU_ENTRY_OPENED, opened, opened_len, true},
        {2, 9, SLU_ENTRY_OPENED, opened, opened_len, false}, /* a payload that looks like one */
        {9, 0, SLU_TX_SEALED, body, len, false},
        {9, 0, SLU_ENTRY_VOID, body, len, false},
        {9, 0, SLU_ENTRY_KEYGEN, body, len, false},
        {9, 0, SLU_ENTRY_EVIDENCE, body, len, false},
        {9, 9, SLU_TX_PLAIN, body, len, true},
        {2, 9, SLU_TX_PLAIN, body, len, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slu_entry entry = {.rollup = cases[i].of,
                                  .kind = cases[i].kind,
                                  .payload = cases[i].payload,
                                  .payload_len = (uint32_t)cases[i].len};
        if (slu_entry_is_for(&entry, cases[i].reader) != cases[i].gets)
            fail_msg("case %zu", i);
    }
}

/* The simulator's clients make both sorts, and its judge, which knows nothing of wire/, agrees. */
static void test_drawn_ones_are_judged_alike(void **state)
{
    (void)state;
    const struct slu_genesis g = with_table();
    struct slu_genesis sim = g;
    struct sim_rng rng = sim_rng_of(1, 1);
    uint32_t seen[SLU_DROP_COUNT] = {0}, most = 0;
    static const uint64_t ids[] = {1, 2, SIM_STRICT_ROLLUP, 7};
    sim.rollup_count = 4;
    for (uint16_t i = 0; i < 4; i++)
        sim.rollups[i] = (struct slu_genesis_rollup){
            .id = ids[i], .rate_share = 1, .sealed_only = ids[i] == SIM_STRICT_ROLLUP};
    for (uint64_t number = 0; number < 20000; number++) {
        uint8_t body[SIM_BUNDLE_MAX];
        uint32_t cap = sim_rng_u32(&rng, SIM_BUNDLE_MIN, SIM_BUNDLE_MAX);
        uint32_t len = sim_bundle_draw(&rng, body, cap, number, 500);
        struct slu_bundle bundle;
        struct slu_tx tx = tx_of(0, body, len);
        assert_true(len <= cap);
        enum slu_drop drop = slu_tx_check(&sim, &tx, NOW);
        assert_int_equal(drop, sim_bundle_judge(&sim, body, len, false));
        bool formed = slu_bundle_read(&bundle, body, len) == 0;
        uint8_t inside = sim_bundle_judge(&sim, body, len, true);
        assert_int_equal(formed, inside != SLU_DROP_BUNDLE);
        if (formed)
            assert_int_equal(slu_bundle_known(&sim, &bundle), inside == SLU_DROP_NONE);
        seen[drop]++;
        most += bundle.count == SLU_BUNDLE_LEGS_MAX;
    }
    assert_true(seen[SLU_DROP_NONE] > 8000 && seen[SLU_DROP_BUNDLE] > 1000 && most > 20);
    assert_true(seen[SLU_DROP_ROLLUP] > 500 && seen[SLU_DROP_SEALED_ONLY] > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_counts_and_lengths),
        cmocka_unit_test(test_what_cannot_be_written),
        cmocka_unit_test(test_rollups_of_legs),
        cmocka_unit_test(test_every_leg_is_checked),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_a_forced_one_is_plain),
        cmocka_unit_test(test_who_gets_the_entry),
        cmocka_unit_test(test_drawn_ones_are_judged_alike),
    };
    return cmocka_run_group_tests(tests, make_committee, free_committee);
}
