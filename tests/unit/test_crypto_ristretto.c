/* Elements and scalars from outside: the vectors of RFC 9496, the traps of libsodium 1.0.18, the
 * same verdict as libdecaf; and sums of multiples against both libraries. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <decaf/point_255.h>
#include <sodium.h>

#include "base/bytes.h"
#include "crypto/lanes.h"
#include "crypto/msm.h"
#include "crypto/ristretto.h"
#include "crypto/scalar.h"
#include "tests/unit/draw.h"

static void draw_element(struct slu_point *out, uint8_t bytes32[32])
{
    uint8_t wide[64];
    draw(wide, sizeof wide);
    crypto_core_ristretto255_from_hash(bytes32, wide);
    assert_true(slu_ristretto_read(out, bytes32));
}

static void from_hex(uint8_t bytes32[32], const char *hex)
{
    assert_int_equal(strlen(hex), 64);
    assert_int_equal(slu_hex_decode(bytes32, hex, 64), 0);
}

static void assert_encodes(const struct slu_point *p, const uint8_t bytes32[32])
{
    uint8_t ours[32];
    slu_ristretto_write(ours, p);
    assert_memory_equal(ours, bytes32, 32);
}

static bool decaf_reads(const uint8_t bytes32[32])
{
    decaf_255_point_t point;
    return decaf_255_point_decode(point, bytes32, DECAF_FALSE) == DECAF_SUCCESS;
}

/* RFC 9496 appendix A.1: multiples of the generator. */
static void test_rfc9496_multiples(void **state)
{
    (void)state;
    static const char *const multiples[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
        "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
        "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
        "da80862773358b466ffadfe0b3293ab3d9fd53c5ea6c955358f568322daf6a57",
        "e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e",
    };
    struct slu_point p = slu_point_identity, read;
    for (size_t i = 0; i < sizeof multiples / sizeof *multiples; i++) {
        uint8_t bytes[32];
        from_hex(bytes, multiples[i]);
        assert_encodes(&p, bytes);
        assert_int_equal(slu_ristretto_read(&read, bytes), i != 0); /* never the identity */
        assert_true(i == 0 || slu_ristretto_equal(&read, &p));
        slu_point_sum(&p, &p, &slu_point_base);
    }
}

/* RFC 9496 appendix A.2. */
static void test_rfc9496_invalid(void **state)
{
    (void)state;
    static const char *const invalid[] = {
        /* not canonical */
        "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        /* negative */
        "0100000000000000000000000000000000000000000000000000000000000000",
        "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
        "c34c4e1826e5d403b78e246e88aa051c36ccf0aafebffe137d148a2bf9104562",
        "c940e5a4404157cfb1628b108db051a8d439e1a421394ec4ebccb9ec92a8ac78",
        "47cfc5497c53dc8e61c91d17fd626ffb1c49e2bca94eed052281b510b1117a24",
        "f1c6165d33367351b0da8f6e4511010c68174a03b6581212c71c0e1d026c3c72",
        "87260f7a2f12495118360f02c26a470f450dadf34a413d21042b43b9d93e1309",
        /* x^2 is not a square */
        "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
        "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
        "de6a7b00deadc788eb6b6c8d20c0ae96c2f2019078fa604fee5b87d6e989ad7b",
        "bcab477be20861e01e4a0e295284146a510150d9817763caf1a6f4b422d67042",
        "2a292df7e32cababbd9de088d1d1abec9fc0440f637ed2fba145094dc14bea08",
        "f4a9e534fc0d216c44b218fa0c42d99635a0127ee2e53c712f70609649fdff22",
        "8268436f8c4126196cf64b3c7ddbda90746a378625f9813dd9b8457077256731",
        "2810e5cbc2cc4d4eece54f61c6f69758e289aa7ab440b3cbeaa21995c2f4232b",
        /* s = -1, for which y = 0 */
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        uint8_t bytes[32];
        struct slu_point p;
        from_hex(bytes, invalid[i]);
        assert_false(slu_ristretto_read(&p, bytes));
        assert_false(decaf_reads(bytes));
    }
}

/* What libsodium 1.0.18 accepts and we must not: bit 255, and the identity. */
static void test_traps_of_points(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 32; i++) {
        uint8_t bytes[32], high[32], scalar[32] = {3}, one[32], two[32];
        struct slu_point p;
        draw_element(&p, bytes);
        memcpy(high, bytes, 32);
        high[31] |= 0x80;
        assert_int_equal(crypto_scalarmult_ristretto255(one, scalar, bytes), 0);
        assert_int_equal(crypto_scalarmult_ristretto255(two, scalar, high), 0); /* the trap */
        assert_memory_equal(one, two, 32);
        assert_false(slu_ristretto_read(&p, high));
        assert_false(decaf_reads(high));
    }
    static const uint8_t identity[32];
    struct slu_point p;
    assert_int_equal(crypto_core_ristretto255_is_valid_point(identity), 1); /* the trap */
    assert_false(slu_ristretto_read(&p, identity));
}

static void test_traps_of_scalars(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    uint8_t scalar[32], element[32], one[32], two[32];
    struct slu_point p;
    draw_element(&p, element);
    draw_scalar(scalar);
    assert_true(slu_scalar_canonical(scalar));
    assert_int_equal(crypto_scalarmult_ristretto255(one, scalar, element), 0);
    sodium_add(scalar, order, 32);
    assert_int_equal(crypto_scalarmult_ristretto255(two, scalar, element), 0); /* the trap */
    assert_memory_equal(one, two, 32);
    assert_false(slu_scalar_canonical(scalar));
    assert_false(slu_scalar_canonical(order));
    memcpy(scalar, order, 32);
    for (unsigned i = 0; i < 32; i++) {
        if (!order[i])
            continue;
        scalar[i]--;
        assert_true(slu_scalar_canonical(scalar));
        scalar[i] += 2;
        assert_false(slu_scalar_canonical(scalar));
        scalar[i]--;
    }
    memset(scalar, 0xff, 32);
    assert_false(slu_scalar_canonical(scalar));
    memset(scalar, 0, 32);
    assert_true(slu_scalar_canonical(scalar));
}

/* Any bytes: the verdict of libdecaf, and what is read is written back. */
static void test_any_bytes(void **state)
{
    (void)state;
    unsigned valid = 0;
    for (unsigned i = 0; i < 4000; i++) {
        uint8_t bytes[32];
        struct slu_point p;
        draw(bytes, 32);
        if (i % 2) {
            bytes[0] &= 0xfe;
            bytes[31] &= 0x7f;
        }
        bool ours = slu_ristretto_read(&p, bytes);
        assert_int_equal(ours, decaf_reads(bytes));
        if (ours)
            assert_encodes(&p, bytes);
        valid += ours;
    }
    assert_in_range(valid, 300, 1200);
}

/* Many at once: the verdicts and encodings of one at a time, whatever stands beside. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 37 };
    for (unsigned i = 0; i < 200; i++) {
        uint8_t bytes[MANY][32], back[MANY][32];
        const uint8_t *encodings[MANY];
        struct slu_point read[MANY];
        bool ok[MANY];
        const unsigned count = i % (MANY + 1);
        for (unsigned j = 0; j < count; j++) {
            struct slu_point p;
            encodings[j] = bytes[j];
            draw(bytes[j], 32);
            if ((i + j) % 3)
                draw_element(&p, bytes[j]);
            if ((i + j) % 11 == 1)
                memset(bytes[j], 0, 32);
            if ((i + j) % 11 == 2)
                bytes[j][31] |= 0x80;
            if ((i + j) % 11 == 3)
                memset(bytes[j], 0xff, 32);
            if ((i + j) % 22 == 3) {
                bytes[j][0] = (uint8_t)(0xec + i % 4); /* p - 1 and around */
                bytes[j][31] = 0x7f;
            }
        }
        slu_ristretto_read_many(ok, read, encodings, count);
        for (unsigned j = 0; j < count; j++) {
            struct slu_point p;
            assert_int_equal(ok[j], decaf_reads(bytes[j]));
            assert_int_equal(ok[j], slu_ristretto_read(&p, bytes[j]));
            if (!ok[j])
                read[j] = slu_point_identity;
            for (unsigned turn = 0; turn < (i + j) % 4; turn++) { /* another point of it, Z not 1 */
                static const uint8_t quarter[32] = {0};
                assert_true(slu_point_read_ed25519(&p, quarter));
                slu_point_sum(&read[j], &read[j], &p);
            }
        }
        slu_ristretto_write_many(back, read, count);
        for (unsigned j = 0; j < count; j++) {
            if (!ok[j])
                memset(bytes[j], 0, 32);
            assert_memory_equal(back[j], bytes[j], 32);
            assert_encodes(&read[j], bytes[j]);
        }
    }
}

/* The four points of an element are equal and written alike; another element is not equal. */
static void test_cosets(void **state)
{
    (void)state;
    static const uint8_t quarter[32] = {0}; /* y = 0: a point of order 4 */
    struct slu_point torsion, p, other;
    assert_true(slu_point_read_ed25519(&torsion, quarter));
    for (unsigned i = 0; i < 64; i++) {
        uint8_t bytes[32], ignored[32];
        draw_element(&p, bytes);
        draw_element(&other, ignored);
        struct slu_point same = p;
        for (unsigned turn = 0; turn < 4; turn++) {
            slu_point_sum(&same, &same, &torsion);
            assert_true(slu_ristretto_equal(&p, &same));
            assert_encodes(&same, bytes);
            assert_false(slu_ristretto_equal(&other, &same));
        }
        slu_point_neg(&other, &p);
        assert_false(slu_ristretto_equal(&p, &other));
    }
}

enum { TERMS_MAX = 400 };

static struct slu_point points[TERMS_MAX];
static uint8_t encodings[TERMS_MAX][32], scalars[TERMS_MAX][32];

/* The sum by libsodium, term by term. */
static void expect_sum(uint8_t sum32[32], size_t count)
{
    memset(sum32, 0, 32);
    for (size_t i = 0; i < count; i++) {
        uint8_t term[32];
        if (sodium_is_zero(scalars[i], 32))
            continue;
        assert_int_equal(crypto_scalarmult_ristretto255(term, scalars[i], encodings[i]), 0);
        assert_int_equal(crypto_core_ristretto255_add(sum32, sum32, term), 0);
    }
}

static void check_sum(struct slu_msm_work *work, size_t count, unsigned bits)
{
    uint8_t expected[32];
    struct slu_point sum;
    for (size_t i = 0; i < count; i++) {
        draw_element(&points[i], encodings[i]);
        draw_scalar(scalars[i]);
        for (unsigned bit = bits; bit < 256; bit++)
            scalars[i][bit / 8] &= (uint8_t) ~(1 << bit % 8);
        if (i % 7 == 3 && bits < 253)
            for (unsigned bit = 0; bit < bits; bit++) /* all ones: carries to the top */
                scalars[i][bit / 8] |= (uint8_t)(1 << bit % 8);
        if (i % 7 == 5)
            memset(scalars[i], 0, 32);
    }
    expect_sum(expected, count);
    slu_msm(&sum, points, (const uint8_t(*)[32])scalars, count, bits);
    assert_encodes(&sum, expected);
    slu_msm_many(work, &sum, points, (const uint8_t(*)[32])scalars, count, bits);
    assert_encodes(&sum, expected);
}

static void test_sums_of_multiples(void **state)
{
    (void)state;
    struct slu_msm_work *work = slu_msm_work_new(TERMS_MAX);
    assert_non_null(work);
    static const size_t counts[] = {0, 1, 2, 3, 7, 32, 33, 47, 48, 70, 130, 200, 400};
    static const unsigned bits[] = {253, 128, 64, 20, 6};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t b = 0; b < sizeof bits / sizeof *bits; b++)
            check_sum(work, counts[c], bits[b]);
    for (unsigned b = 1; b <= 253; b++) {
        check_sum(work, 3, b);
        if (b % 8 == 0)
            check_sum(work, b % 16 ? 50 : 300, b);
    }
    slu_msm_work_free(work);
}

/* Against libdecaf, whose formulas are others: a P + b Q. */
static void test_sums_against_decaf(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        decaf_255_point_t p, q, r;
        decaf_255_scalar_t a, b;
        uint8_t expected[32];
        struct slu_point sum;
        for (unsigned t = 0; t < 2; t++) {
            draw_element(&points[t], encodings[t]);
            draw_scalar(scalars[t]);
        }
        assert_int_equal(decaf_255_point_decode(p, encodings[0], DECAF_FALSE), DECAF_SUCCESS);
        assert_int_equal(decaf_255_point_decode(q, encodings[1], DECAF_FALSE), DECAF_SUCCESS);
        assert_int_equal(decaf_255_scalar_decode(a, scalars[0]), DECAF_SUCCESS);
        assert_int_equal(decaf_255_scalar_decode(b, scalars[1]), DECAF_SUCCESS);
        decaf_255_point_double_scalarmul(r, p, a, q, b);
        decaf_255_point_encode(expected, r);
        slu_msm(&sum, points, (const uint8_t(*)[32])scalars, 2, 253);
        assert_encodes(&sum, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc9496_multiples),
        cmocka_unit_test(test_rfc9496_invalid),
        cmocka_unit_test(test_traps_of_points),
        cmocka_unit_test(test_traps_of_scalars),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_cosets),
        cmocka_unit_test(test_sums_of_multiples),
        cmocka_unit_test(test_sums_against_decaf),
    };
    if (sodium_init() < 0 || cmocka_run_group_tests_name("as it comes", tests, NULL, NULL))
        return 1;
    slu_lanes_turn_off(true);
    return cmocka_run_group_tests_name("without lanes", tests, NULL, NULL);
}
