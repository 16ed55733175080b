/* Many sealed bodies, shares and openings at once: the same verdicts and points as one at a time
 * and without lanes, whatever stands beside, for any count. */
#include "tests/unit/sealed_case.h"

enum { POOL = 16, MANY = 21 };

static struct sealed pool[POOL];

/* Bodies that are good, and with every way to be wrong that has a way of its own through the code.
 */
static void fill_pool(const struct committee *c)
{
    for (unsigned i = 0; i < POOL; i++) {
        struct sealed *s = &pool[i];
        uint8_t *proven = s->body + SLU_SEAL_HEAD_BYTES;
        seal(s, c);
        switch (i) {
        case 1:
            s->body[2 + 5] ^= 1;
            break; /* another key */
        case 3:
            proven[31] |= 0x80;
            break; /* R */
        case 4:
            memset(proven, 0, 32);
            break; /* the identity */
        case 5:
            proven[32] |= 1;
            break; /* R', negative */
        case 6:
            proven[64] ^= 1;
            break; /* e */
        case 8:
            proven[80] ^= 1;
            break; /* z */
        case 9:
            memset(proven + 80, 0xff, 32);
            break; /* z above l */
        case 10:
            proven[112 + 3] ^= 1;
            break; /* c */
        case 11:
            memcpy(proven + 32, proven, 32);
            break; /* R' = R */
        case 13:
            memset(proven + 64, 0, 16);
            break;
        case 14:
            memset(proven + 64, 0xff, 16);
            break;
        default:
            break;
        }
        assert_int_equal(slu_sealed_read(&s->view, s->body, s->len, UNTIL), 0);
    }
}

static void test_valid(void **state)
{
    (void)state;
    struct committee c;
    unsigned good = 0;
    make_committee(&c, 4, 3);
    fill_pool(&c);
    const bool lanes = slu_lanes_on();
    for (unsigned i = 0; i < 120; i++) {
        struct slu_sealed sealed[MANY];
        struct slu_sealed_checked checked[MANY], alone;
        bool ok[MANY];
        const unsigned count = i % (MANY + 1);
        for (unsigned j = 0; j < count; j++)
            sealed[j] = pool[(j * (1 + i / 40) + i) % POOL].view;
        slu_sealed_valid_many(c.opening, ok, checked, sealed, count);
        slu_lanes_turn_off(true);
        for (unsigned j = 0; j < count; j++) {
            assert_int_equal(ok[j], slu_sealed_valid(c.opening, &alone, &sealed[j]));
            good += ok[j];
            if (!ok[j])
                continue;
            assert_true(slu_ristretto_equal(&checked[j].r, &alone.r));
            assert_true(slu_fe_equal(&checked[j].r.z, &slu_fe_one));
            assert_memory_equal(checked[j].lh, alone.lh, 32);
        }
        slu_lanes_turn_off(!lanes);
    }
    assert_in_range(good, 300, 600);
    slu_opening_key_free(c.opening);
}

/* Opens, tag, seed and form in turn, S from the shares of the first three of four nodes. */
static void fill_opening_pool(const struct committee *c)
{
    static uint8_t plain[4096];
    for (unsigned i = 0; i < POOL; i++) {
        size_t len = make_plain(plain, 128);
        draw(plain, 32);
        if (i % 4 == 3)
            plain[len - 1] = 1;
        seal_raw(&pool[i], c, plain, len, i % 8 == 2 ? c->key.y : NULL, i % 8 == 1);
    }
}

static void test_open(void **state)
{
    (void)state;
    static const uint16_t nodes[] = {0, 1, 2};
    static struct slu_point d[3][POOL];
    static uint8_t plain[2][MANY][512];
    struct committee c;
    struct slu_coefficients coefficients;
    struct slu_point s[POOL];
    unsigned seen[4] = {0};
    make_committee(&c, 4, 3);
    fill_opening_pool(&c);
    for (unsigned i = 0; i < POOL; i++) {
        uint8_t d32[4][32];
        struct slu_point all[4];
        make_shares(&c, &pool[i], d32, all);
        for (unsigned node = 0; node < 3; node++)
            d[node][i] = all[node];
        if (i % 8 == 6) /* a wrong share: S is another */
            d[1][i] = all[0];
    }
    const struct slu_point *const shares[] = {d[0], d[1], d[2]};
    assert_int_equal(slu_coefficients_of(&coefficients, nodes, 3, 4), 0);
    slu_combine_many(s, &coefficients, shares, POOL);
    struct slu_point y;
    assert_true(slu_ristretto_read(&y, c.key.y));
    for (unsigned i = 2; i < POOL; i += 8)
        slu_point_sum(&s[i], &s[i], &y); /* what it was sealed under */
    const bool lanes = slu_lanes_on();
    for (unsigned i = 0; i < 100; i++) {
        struct slu_sealed_opening openings[MANY];
        const unsigned count = i % (MANY + 1);
        for (unsigned j = 0; j < count; j++) {
            const unsigned at = (j * (1 + i / 40) + i) % POOL;
            openings[j] = (struct slu_sealed_opening){.sealed = &pool[at].view,
                                                      .checked = &pool[at].checked,
                                                      .s = &s[at],
                                                      .plain = plain[0][j]};
        }
        slu_sealed_open_many(c.opening, openings, count);
        slu_lanes_turn_off(true);
        for (unsigned j = 0; j < count; j++) {
            struct slu_sealed_opening *of = &openings[j];
            struct slu_sealed_message message;
            assert_int_equal(of->result, slu_sealed_open(c.opening, plain[1][j], &message,
                                                         of->sealed, of->checked, of->s));
            seen[of->result]++;
            if (of->result != SLU_OPENED)
                continue;
            assert_memory_equal(plain[0][j], plain[1][j], of->sealed->c_len - 16);
            assert_ptr_equal(of->message.payload - plain[0][j], message.payload - plain[1][j]);
            assert_int_equal(of->message.payload_len, message.payload_len);
            assert_int_equal(of->message.rollup, message.rollup);
        }
        slu_lanes_turn_off(!lanes);
    }
    for (unsigned result = 0; result < 4; result++)
        assert_true(seen[result] > 50);
    slu_opening_key_free(c.opening);
}

/* Any k of n, the most there may be included: against libsodium, coefficient by coefficient. */
static void check_combine(uint16_t n, uint16_t k, unsigned count)
{
    static struct slu_point d[SLU_NODES_MAX][MANY];
    static uint8_t d32[SLU_NODES_MAX][MANY][32];
    const struct slu_point *shares[SLU_NODES_MAX];
    struct slu_coefficients coefficients;
    struct slu_point out[MANY], each[SLU_NODES_MAX], alone;
    uint16_t nodes[SLU_NODES_MAX];
    for (uint16_t i = 0; i < k; i++) {
        nodes[i] = (uint16_t)(n - 1 - i);
        shares[i] = d[i];
        for (unsigned j = 0; j < count; j++) {
            uint8_t wide[64];
            draw(wide, 64);
            crypto_core_ristretto255_from_hash(d32[i][j], wide);
            assert_true(slu_ristretto_read(&d[i][j], d32[i][j]));
        }
    }
    assert_int_equal(slu_coefficients_of(&coefficients, nodes, k, n), 0);
    slu_combine_many(out, &coefficients, shares, count);
    for (unsigned j = 0; j < count; j++) {
        uint8_t sum[32] = {0}, term[32];
        for (uint16_t i = 0; i < k; i++) {
            each[i] = d[i][j];
            assert_int_equal(
                crypto_scalarmult_ristretto255(term, coefficients.scalar[i], d32[i][j]), 0);
            assert_int_equal(coefficients.negative[i]
                                 ? crypto_core_ristretto255_sub(sum, sum, term)
                                 : crypto_core_ristretto255_add(sum, sum, term),
                             0);
        }
        assert_int_equal(crypto_scalarmult_ristretto255(sum, coefficients.common[0], sum), 0);
        slu_ristretto_write(term, &out[j]);
        assert_memory_equal(term, sum, 32);
        slu_combine(&alone, &coefficients, each);
        assert_true(slu_ristretto_equal(&alone, &out[j]));
    }
}

static void test_combine(void **state)
{
    (void)state;
    for (unsigned count = 0; count <= 9; count++)
        check_combine(4, 3, count);
    check_combine(1, 1, 5);
    check_combine(2, 2, 5);
    check_combine(7, 5, 7);
    check_combine(16, 11, 4);
    check_combine(31, 21, 6);
    check_combine(SLU_NODES_MAX, 32, 3);
    check_combine(SLU_NODES_MAX, 33, 4);
    check_combine(SLU_NODES_MAX, SLU_NODES_MAX, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_combine),
    };
    if (sodium_init() < 0 || cmocka_run_group_tests_name("as it comes", tests, NULL, NULL))
        return 1;
    slu_lanes_turn_off(true);
    return cmocka_run_group_tests_name("without lanes", tests, NULL, NULL);
}
