/* Sealed transactions: sealing, validity, opening; every refusal of docs/CRYPTO.md clauses 4 and 6,
 * and the attacks that they name. Shares and their proofs: test_crypto_share.c. */
#include "tests/unit/sealed_case.h"

static struct sealed one, other;

/* Every k-subset gives one S, and fewer or other shares give none. */
static void test_every_subset(void **state)
{
    (void)state;
    static const uint16_t sizes[][2] = {{1, 1}, {4, 3}, {4, 2}, {7, 5}, {7, 3}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct committee c;
        uint8_t d32[NODES_MAX][32], s32[32], first32[32];
        struct slu_point d[NODES_MAX];
        unsigned opened = 0;
        make_committee(&c, sizes[i][0], sizes[i][1]);
        seal(&one, &c);
        make_shares(&c, &one, d32, d);
        for (unsigned subset = 1; subset < 1u << c.n; subset++) {
            unsigned members = (unsigned)__builtin_popcount(subset);
            enum slu_void result = open_with(&c, &one, d, subset, s32);
            assert_int_equal(result, members >= c.k ? SLU_OPENED : SLU_VOID_TAG);
            if (result == SLU_OPENED && !opened++)
                memcpy(first32, s32, 32);
            if (result == SLU_OPENED)
                assert_memory_equal(s32, first32, 32);
        }
        assert_true(opened > 0);
        slu_opening_key_free(c.opening);
    }
}

static void expect_coefficients(const uint16_t *nodes, uint16_t k, uint16_t n, const int *expected)
{
    struct slu_coefficients c;
    assert_int_equal(slu_coefficients_of(&c, nodes, k, n), 0);
    for (uint16_t i = 0; i < k; i++) {
        uint8_t scalar[32], product[32];
        slu_scalar_of(scalar, (uint64_t)abs(expected[i]));
        crypto_core_ristretto255_scalar_mul(product, c.scalar[i], c.common[0]);
        assert_memory_equal(product, scalar, 32);
        assert_true(c.bits <= 7 && c.common_bits <= 7);
        assert_int_equal(c.negative[i], expected[i] < 0);
    }
}

static void test_coefficients(void **state)
{
    (void)state;
    expect_coefficients((const uint16_t[]){0}, 1, 1, (const int[]){1});
    expect_coefficients((const uint16_t[]){0, 1, 2}, 3, 4, (const int[]){18, -18, 6});
    expect_coefficients((const uint16_t[]){0, 1, 3}, 3, 4, (const int[]){16, -12, 2});
    expect_coefficients((const uint16_t[]){0, 2, 3}, 3, 4, (const int[]){12, -12, 6});
    expect_coefficients((const uint16_t[]){3, 2, 1}, 3, 4, (const int[]){18, -48, 36});
    expect_coefficients((const uint16_t[]){0, 6}, 2, 7, (const int[]){840, -120});
    struct slu_coefficients c;
    assert_true(slu_coefficients_of(&c, (const uint16_t[]){0, 1, 0}, 3, 4) < 0);
    assert_true(slu_coefficients_of(&c, (const uint16_t[]){0, 4}, 2, 4) < 0);
    assert_true(slu_coefficients_of(&c, (const uint16_t[]){0}, 0, 4) < 0);
    assert_true(slu_coefficients_of(&c, (const uint16_t[]){0, 1}, 2, 1) < 0);
    assert_true(slu_coefficients_of(&c, (const uint16_t[]){0}, 1, SLU_NODES_MAX + 1) < 0);
    uint16_t all[SLU_NODES_MAX]; /* also where the integers pass l */
    for (uint16_t n = 1; n <= SLU_NODES_MAX; n++) {
        all[n - 1] = (uint16_t)(n - 1);
        assert_int_equal(slu_coefficients_of(&c, all, n, n), 0);
        uint8_t sum[32] = {0}, delta[32]; /* of a constant polynomial: the sum of all is (n-1)! */
        for (uint16_t i = 0; i < n; i++) {
            if (c.negative[i])
                crypto_core_ristretto255_scalar_sub(sum, sum, c.scalar[i]);
            else
                crypto_core_ristretto255_scalar_add(sum, sum, c.scalar[i]);
        }
        slu_share_divisor_inverse(delta, n);
        crypto_core_ristretto255_scalar_mul(sum, sum, c.common[0]);
        crypto_core_ristretto255_scalar_mul(sum, sum, delta);
        slu_scalar_of(delta, 1);
        assert_memory_equal(sum, delta, 32);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    struct committee c;
    make_committee(&c, 4, 3);
    static uint8_t big[SLU_SEALED_MESSAGE_BYTES_MAX];
    static const size_t sizes[] = {0, 1, 115, 116, 179, 180, 1000, 65523, 65524, 98291};
    uint8_t seed[64], d32[NODES_MAX][32];
    struct slu_point d[NODES_MAX];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        draw(seed, sizeof seed);
        draw(big, sizes[i]);
        assert_int_equal(slu_seal(one.body, sizeof one.body, &one.len, &c.key, SLU_UNLOCK_NONE, 0,
                                  UNTIL, 3, big, sizes[i], seed),
                         0);
        assert_true(check(&one, &c, UNTIL));
        assert_int_equal(one.view.c_len, slu_seal_bucket(sizes[i]) + 48);
        make_shares(&c, &one, d32, d);
        static uint8_t plain[SLU_SEALED_PLAIN_MAX];
        struct slu_coefficients coefficients;
        struct slu_sealed_message message;
        struct slu_point s;
        assert_int_equal(slu_coefficients_of(&coefficients, (const uint16_t[]){0, 1, 2}, 3, 4), 0);
        slu_combine(&s, &coefficients, d);
        assert_int_equal(slu_sealed_open(c.opening, plain, &message, &one.view, &one.checked, &s),
                         SLU_OPENED);
        assert_int_equal(message.payload_len, sizes[i]);
        assert_memory_equal(message.payload, big, sizes[i]);
    }
    size_t len;
    assert_true(slu_seal(one.body, sizeof one.body, &len, &c.key, SLU_UNLOCK_NONE, 0, UNTIL, 3, big,
                         98292, seed) < 0);
    assert_true(
        slu_seal(one.body, 300, &len, &c.key, SLU_UNLOCK_NONE, 0, UNTIL, 3, big, 100, seed) < 0);
    assert_true(slu_seal(one.body, sizeof one.body, &len, &c.key, SLU_UNLOCK_NONE, 1, UNTIL, 3, big,
                         100, seed) < 0);
    c.key.y[31] |= 0x80;
    assert_true(slu_seal(one.body, sizeof one.body, &len, &c.key, SLU_UNLOCK_NONE, 0, UNTIL, 3, big,
                         100, seed) < 0);
    assert_null(slu_opening_key_new(&c.key));
    assert_int_equal(slu_seal_bucket(115), 128);
    assert_int_equal(slu_seal_bucket(116), 192);
    assert_int_equal(slu_seal_bucket(98291), 98304);
    assert_int_equal(slu_seal_bucket(98292), 0);
    slu_opening_key_free(c.opening);
}

/* Every bit of the body, its length, and what is outside of it but in the label. */
static void test_refused_changes(void **state)
{
    (void)state;
    struct committee c, d;
    make_committee(&c, 4, 3);
    make_committee(&d, 4, 3);
    seal(&one, &c);
    for (size_t byte = 0; byte < one.len; byte++) {
        uint8_t bit = (uint8_t)(1u << byte % 8);
        one.body[byte] ^= bit;
        assert_false(check(&one, &c, UNTIL));
        one.body[byte] ^= bit;
    }
    for (size_t cut = 1; cut <= one.len; cut += cut < 64 ? 1 : 13) {
        one.len -= cut;
        assert_false(check(&one, &c, UNTIL));
        one.len += cut;
    }
    one.len++;
    assert_false(check(&one, &c, UNTIL));
    one.len += 63; /* the length of the next bucket */
    assert_false(check(&one, &c, UNTIL));
    one.len -= 64;
    assert_false(check(&one, &c, UNTIL + 1));
    assert_false(check(&one, &d, UNTIL));
    memcpy(one.body + 2, d.key.key_id, 32); /* under the other's key id */
    assert_false(check(&one, &d, UNTIL));
    memcpy(one.body + 2, c.key.key_id, 32);
    assert_true(check(&one, &c, UNTIL));
    /* The same key on another chain, and another Y under the same id. */
    struct slu_seal_key changed = c.key;
    changed.chain_id[0] ^= 1;
    struct committee elsewhere = c;
    elsewhere.opening = slu_opening_key_new(&changed);
    assert_false(check(&one, &elsewhere, UNTIL));
    slu_opening_key_free(elsewhere.opening);
    changed = c.key;
    memcpy(changed.y, d.key.y, 32);
    elsewhere.opening = slu_opening_key_new(&changed);
    assert_false(check(&one, &elsewhere, UNTIL));
    slu_opening_key_free(elsewhere.opening);
    slu_opening_key_free(c.opening);
    slu_opening_key_free(d.opening);
}

/* Bit 255, the identity, z at least l, R' and c of another ciphertext. */
static void test_refused_encodings(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    struct committee c;
    make_committee(&c, 4, 3);
    seal(&one, &c);
    seal(&other, &c);
    uint8_t *r = one.body + SLU_SEAL_HEAD_BYTES, *z = r + 80, saved[32];
    for (unsigned which = 0; which < 2; which++) {
        uint8_t *element = r + which * 32;
        memcpy(saved, element, 32);
        element[31] |= 0x80;
        assert_false(check(&one, &c, UNTIL));
        memset(element, 0, 32);
        assert_false(check(&one, &c, UNTIL));
        memcpy(element, other.view.r32 + which * 32, 32);
        assert_false(check(&one, &c, UNTIL));
        memcpy(element, saved, 32);
    }
    memcpy(saved, z, 32);
    sodium_add(z, order, 32);
    assert_false(check(&one, &c, UNTIL));
    memcpy(z, saved, 32);
    assert_true(check(&one, &c, UNTIL));
    memcpy(r + SLU_SEAL_PROVEN_BYTES, other.view.c, other.view.c_len);
    assert_false(check(&one, &c, UNTIL));
    slu_opening_key_free(c.opening);
}

/* Somebody who does not know r moves a ciphertext: R + delta G with z + e delta, a R with a z. */
static void test_refused_relations(void **state)
{
    (void)state;
    struct committee c;
    make_committee(&c, 4, 3);
    seal(&one, &c);
    uint8_t delta[32], moved[32], bar[32], e[32] = {0};
    uint8_t *r = one.body + SLU_SEAL_HEAD_BYTES, *z = r + 80;
    memcpy(&other, &one, sizeof one);
    draw_scalar(delta);
    slu_seal_second_generator(bar);
    memcpy(e, r + 64, 16);
    crypto_scalarmult_ristretto255_base(moved, delta);
    crypto_core_ristretto255_add(r, r, moved);
    assert_false(crypto_scalarmult_ristretto255(moved, delta, bar));
    crypto_core_ristretto255_add(r + 32, r + 32, moved);
    crypto_core_ristretto255_scalar_mul(moved, e, delta);
    crypto_core_ristretto255_scalar_add(z, z, moved); /* now W and W' are the same as before */
    assert_false(check(&one, &c, UNTIL));
    memcpy(&one, &other, sizeof one);
    assert_false(crypto_scalarmult_ristretto255(r, delta, r));
    assert_false(crypto_scalarmult_ristretto255(r + 32, delta, r + 32));
    crypto_core_ristretto255_scalar_mul(z, z, delta);
    assert_false(check(&one, &c, UNTIL));
    assert_false(check(&one, &c, UNTIL + 1));
    slu_opening_key_free(c.opening);
}

/* ---- void ---- */

static enum slu_void open_all(const struct committee *c, const struct sealed *s)
{
    uint8_t d32[NODES_MAX][32], s32[32];
    struct slu_point d[NODES_MAX];
    make_shares(c, s, d32, d);
    enum slu_void first = open_with(c, s, d, 7, s32);
    for (unsigned subset = 0; subset < 16; subset++)
        if (__builtin_popcount(subset) >= 3)
            assert_int_equal(open_with(c, s, d, subset, s32), first);
    return first;
}

static void test_void_reasons(void **state)
{
    (void)state;
    struct committee c;
    static uint8_t plain[4096];
    make_committee(&c, 4, 3);
    size_t len = make_plain(plain, 128);
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_int_equal(open_all(&c, &one), SLU_OPENED);
    seal_raw(&one, &c, plain, len, NULL, true);
    assert_int_equal(open_all(&c, &one), SLU_VOID_TAG);
    plain[len - 1] = 1; /* padding */
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_int_equal(open_all(&c, &one), SLU_VOID_FORM);
    len = make_plain(plain, 192); /* a larger bucket than it needs */
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_int_equal(open_all(&c, &one), SLU_VOID_FORM);
    len = make_plain(plain, 128);
    plain[32] = 1; /* kind */
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_int_equal(open_all(&c, &one), SLU_VOID_FORM);
    len = make_plain(plain, 128);
    plain[32 + 9] = 116; /* longer than there is */
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_int_equal(open_all(&c, &one), SLU_VOID_FORM);
    memset(plain + 32 + 9, 0xff, 4);
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_int_equal(open_all(&c, &one), SLU_VOID_FORM);
    slu_opening_key_free(c.opening);
}

/* A client and node 3 together: the client encrypts under S + delta, node 3 adds to its share what
 * makes its quorums arrive there. With the tag alone those quorums would accept and the others not.
 * By the rule of docs/CRYPTO.md clause 6.3 every order of arrival ends in the same void. */
static void test_different_quorums(void **state)
{
    (void)state;
    struct committee c;
    static uint8_t plain[4096];
    make_committee(&c, 4, 3);
    size_t len = make_plain(plain, 128);
    uint8_t t[32], step[32], delta[32], scalar[32], d32[NODES_MAX][32], s32[32];
    struct slu_point d[NODES_MAX];
    draw_scalar(t);
    crypto_scalarmult_ristretto255_base(step, t);
    slu_scalar_of(scalar, 2); /* the coefficient of node 3 with {0, 1} */
    assert_false(crypto_scalarmult_ristretto255(delta, scalar, step));
    seal_raw(&one, &c, plain, len, delta, false);
    make_shares(&c, &one, d32, d);
    crypto_core_ristretto255_add(d32[3], d32[3], step);
    assert_true(slu_ristretto_read(&d[3], d32[3]));
    assert_int_equal(open_with(&c, &one, d, 8 | 2 | 1, s32), SLU_VOID_SEED); /* the tag passes */
    assert_int_equal(open_with(&c, &one, d, 4 | 2 | 1, s32), SLU_VOID_TAG);

    struct slu_share_work *work = slu_share_work_new();
    for (unsigned first = 0; first < 16; first++) {
        if (__builtin_popcount(first) != 3)
            continue;
        enum slu_void result = open_with(&c, &one, d, first, s32);
        assert_false(slu_open_settled(result, false));
        unsigned good = 0;
        for (uint16_t i = 0; i < 4; i++) {
            uint8_t proof[SLU_PROOF_BYTES];
            struct slu_share_chunk chunk = {.key = &c.key,
                                      .block32 = t,
                                      .ids32 = t,
                                      .count = 1,
                                      .r32 = (const uint8_t(*)[32])one.view.r32,
                                      .r = &one.checked.r,
                                      .node = i,
                                      .y_i32 = c.y_i[i]};
            slu_chunk_prove(work, proof, &chunk, (const uint8_t(*)[32]) & d32[i], c.x[i]);
            if (slu_chunk_good(work, &chunk, (const uint8_t(*)[32]) & d32[i], &d[i], proof))
                good |= 1u << i;
        }
        assert_int_equal(good, 7);
        result = open_with(&c, &one, d, good, s32);
        assert_true(slu_open_settled(result, true));
        assert_int_equal(result, SLU_VOID_TAG);
    }
    slu_share_work_free(work);
    assert_false(is_opening(&c, &one, plain, 9, payload, sizeof payload));
    slu_opening_key_free(c.opening);
}

/* A server that shows content for a void entry: R is that of rho and M, only c is not. */
static void test_content_for_void(void **state)
{
    (void)state;
    struct committee c;
    static uint8_t plain[4096];
    make_committee(&c, 4, 3);
    size_t len = make_plain(plain, 128);
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_true(is_opening(&c, &one, plain, 9, payload, sizeof payload));
    assert_false(is_opening(&c, &one, plain, 8, payload, sizeof payload));
    assert_false(is_opening(&c, &one, plain, 9, payload, sizeof payload - 1));
    assert_false(is_opening(&c, &one, plain, 9, plain, 4000));
    plain[0] ^= 1;
    assert_false(is_opening(&c, &one, plain, 9, payload, sizeof payload));
    plain[0] ^= 1;
    uint8_t same_r[32];
    memcpy(same_r, one.view.r32, 32);
    seal_raw(&one, &c, plain, len, NULL, true);
    assert_memory_equal(one.view.r32, same_r, 32);
    assert_int_equal(open_all(&c, &one), SLU_VOID_TAG);
    assert_false(is_opening(&c, &one, plain, 9, payload, sizeof payload));
    plain[len - 1] = 1; /* M with padding that is not zero opens, but is void */
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_false(is_opening(&c, &one, plain, 9, payload, sizeof payload));
    slu_opening_key_free(c.opening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_subset),
        cmocka_unit_test(test_coefficients),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_refused_changes),
        cmocka_unit_test(test_refused_encodings),
        cmocka_unit_test(test_refused_relations),
        cmocka_unit_test(test_void_reasons),
        cmocka_unit_test(test_different_quorums),
        cmocka_unit_test(test_content_for_void),
    };
    if (sodium_init() < 0 || cmocka_run_group_tests_name("as it comes", tests, NULL, NULL))
        return 1;
    slu_lanes_turn_off(true);
    return cmocka_run_group_tests_name("without lanes", tests, NULL, NULL);
}
