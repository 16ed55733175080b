/* Our arithmetic of field and group against libsodium's, which computes in constant time and by
 * other formulas: sums, differences, multiples, encodings, with the edges of each range. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "crypto/fixed_base.h"
#include "crypto/group.h"
#include "tests/unit/draw.h"

static void draw_point(struct slu_point *out, uint8_t bytes32[32])
{
    uint8_t scalar[32];
    draw_scalar(scalar);
    crypto_scalarmult_ed25519_base_noclamp(bytes32, scalar);
    assert_true(slu_point_read_ed25519(out, bytes32));
}

static void assert_encodes(const struct slu_point *p, const uint8_t bytes32[32])
{
    uint8_t ours[32];
    slu_point_write_ed25519(ours, p);
    assert_memory_equal(ours, bytes32, 32);
}

/* Elements whose limbs are as loose as the header allows. */
static void draw_loose(struct slu_fe *out, unsigned i)
{
    draw(out, sizeof *out);
    for (int l = 0; l < 5; l++) {
        out->limb[l] &= (UINT64_C(1) << 54) - 1;
        if (i & 1)
            out->limb[l] = (UINT64_C(1) << 54) - 1 - (out->limb[l] & 3);
    }
}

static void test_field_laws(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct slu_fe a, b, c, left, right, t;
        draw_loose(&a, i);
        draw_loose(&b, i >> 1);
        draw_loose(&c, i >> 2);
        slu_fe_mul(&t, &a, &b); /* (ab)c = a(bc) */
        slu_fe_mul(&left, &t, &c);
        slu_fe_mul(&t, &b, &c);
        slu_fe_mul(&right, &a, &t);
        assert_true(slu_fe_equal(&left, &right));
        slu_fe_square(&left, &a);
        slu_fe_mul(&right, &a, &a);
        assert_true(slu_fe_equal(&left, &right));
        slu_fe_mul(&a, &a, &slu_fe_one);
        slu_fe_mul(&b, &b, &slu_fe_one);
        slu_fe_add(&t, &a, &b); /* (a + b)(a - b) = aa - bb */
        slu_fe_sub(&left, &a, &b);
        slu_fe_mul(&left, &left, &t);
        slu_fe_square(&t, &b);
        slu_fe_sub(&right, &right, &t);
        assert_true(slu_fe_equal(&right, &left));
        slu_fe_invert(&t, &a);
        slu_fe_mul(&t, &t, &a);
        assert_true(slu_fe_equal(&t, &slu_fe_one));
    }
    struct slu_fe zero;
    slu_fe_invert(&zero, &slu_fe_zero);
    assert_true(slu_fe_is_zero(&zero));
}

/* The bytes of 0, 1, p - 1 and of what is not canonical. */
static void test_field_bytes(void **state)
{
    (void)state;
    for (unsigned low = 0; low < 256; low++) {
        uint8_t bytes[32], back[32];
        struct slu_fe a;
        memset(bytes, 0xff, 32);
        bytes[0] = (uint8_t)low;
        bytes[31] = 0x7f;
        assert_int_equal(slu_fe_canonical(bytes), low < 0xed);
        slu_fe_read(&a, bytes);
        slu_fe_write(back, &a);
        if (low >= 0xed) {
            memset(bytes, 0, 32);
            bytes[0] = (uint8_t)(low - 0xed);
        }
        assert_memory_equal(back, bytes, 32);
        assert_int_equal(slu_fe_is_negative(&a), bytes[0] & 1);
        assert_int_equal(slu_fe_is_zero(&a), low == 0xed);
        bytes[31] |= 0x80;
        slu_fe_read(&a, bytes);
        slu_fe_write(bytes, &a);
        assert_memory_equal(back, bytes, 32);
        draw(bytes, 32);
        bytes[31] &= 0x7f;
        slu_fe_read(&a, bytes);
        slu_fe_write(back, &a);
        assert_memory_equal(back, bytes, 32);
    }
}

static void test_constants(void **state)
{
    (void)state;
    struct slu_fe t, u;
    static const uint8_t n121665[32] = {0x41, 0xdb, 0x01}, n121666[32] = {0x42, 0xdb, 0x01};
    slu_fe_read(&t, n121666);
    slu_fe_mul(&t, &t, &slu_fe_d);
    slu_fe_read(&u, n121665);
    slu_fe_add(&t, &t, &u);
    assert_true(slu_fe_is_zero(&t));
    slu_fe_add(&t, &slu_fe_d, &slu_fe_d);
    assert_true(slu_fe_equal(&t, &slu_fe_2d));
    slu_fe_square(&t, &slu_fe_sqrt_m1);
    slu_fe_add(&t, &t, &slu_fe_one);
    assert_true(slu_fe_is_zero(&t));
    assert_false(slu_fe_is_negative(&slu_fe_sqrt_m1));
    slu_fe_square(&t, &slu_fe_invsqrt_a_minus_d);
    slu_fe_add(&u, &slu_fe_d, &slu_fe_one);
    slu_fe_mul(&t, &t, &u);
    slu_fe_add(&t, &t, &slu_fe_one);
    assert_true(slu_fe_is_zero(&t));
    static const uint8_t one[32] = {1};
    uint8_t base[32];
    crypto_scalarmult_ed25519_base_noclamp(base, one);
    assert_encodes(&slu_point_base, base);
}

static void test_sums(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        uint8_t a32[32], b32[32], expected[32];
        struct slu_point a, b, sum;
        struct slu_cached cached;
        struct slu_niels niels;
        struct slu_fe scratch[2];
        draw_point(&a, a32);
        draw_point(&b, b32);
        slu_point_double(&a, &a, 1 + i % 3); /* so that Z is not 1 */
        slu_point_write_ed25519(a32, &a);
        slu_point_cache(&cached, &b);
        slu_point_niels(&niels, &b, 1, scratch);
        crypto_core_ed25519_add(expected, a32, b32);
        slu_point_add(&sum, &a, &cached);
        assert_encodes(&sum, expected);
        slu_point_add_niels(&sum, &a, &niels);
        assert_encodes(&sum, expected);
        slu_point_sum(&sum, &a, &b);
        assert_encodes(&sum, expected);
        crypto_core_ed25519_sub(expected, a32, b32);
        slu_point_sub(&sum, &a, &cached);
        assert_encodes(&sum, expected);
        slu_point_sub_niels(&sum, &a, &niels);
        assert_encodes(&sum, expected);
        slu_point_neg(&b, &b);
        slu_point_sum(&sum, &a, &b);
        assert_encodes(&sum, expected);
        crypto_core_ed25519_add(expected, a32, a32);
        slu_point_double(&sum, &a, 1);
        assert_encodes(&sum, expected);
        slu_point_sum(&sum, &a, &a); /* complete: doubling by the addition */
        assert_encodes(&sum, expected);
        slu_point_neg(&b, &a);
        slu_point_sum(&sum, &a, &b);
        slu_point_write_ed25519(expected, &slu_point_identity);
        assert_encodes(&sum, expected);
        slu_point_sum(&sum, &slu_point_identity, &a);
        assert_encodes(&sum, a32);
    }
}

static void test_fixed_base(void **state)
{
    (void)state;
    static const uint8_t order_minus_1[32] = {0xec, 0xd3, 0xf5, 0x5c, 0x1a,       0x63,
                                              0x12, 0x58, 0xd6, 0x9c, 0xf7,       0xa2,
                                              0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    for (unsigned bits = SLU_WINDOW_BITS_MIN; bits <= SLU_WINDOW_BITS_MAX; bits++) {
        uint8_t point32[32], scalar[32], expected[32];
        struct slu_point point;
        draw_point(&point, point32);
        struct slu_fixed_base *table = slu_fixed_base_new(&point, bits);
        assert_non_null(table);
        for (unsigned i = 0; i < 300; i++) {
            struct slu_fixed_digits digits;
            struct slu_point sum = slu_point_identity;
            if (i < 253) {
                memset(scalar, 0, 32); /* every bit alone */
                scalar[i / 8] = (uint8_t)(1 << i % 8);
            } else {
                draw_scalar(scalar);
            }
            if (i == 253)
                memcpy(scalar, order_minus_1, 32);
            slu_fixed_base_digits(&digits, table, scalar);
            slu_fixed_base_add(&sum, table, &digits);
            assert_int_equal(crypto_scalarmult_ed25519_noclamp(expected, scalar, point32), 0);
            assert_encodes(&sum, expected);
            slu_fixed_base_add(&sum, table, &digits); /* adds to what is there */
            crypto_core_ed25519_add(expected, expected, expected);
            assert_encodes(&sum, expected);
        }
        slu_fixed_base_free(table);
    }
}

/* Which encodings are of a point: libsodium says it for the canonical ones of full order. */
static void test_read_point(void **state)
{
    (void)state;
    unsigned on_curve = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t bytes[32], sum[32];
        struct slu_point p;
        draw(bytes, 32);
        if (!slu_fe_canonical(bytes))
            continue;
        bool ours = slu_point_read_ed25519(&p, bytes);
        assert_int_equal(ours, !crypto_core_ed25519_add(sum, bytes, bytes));
        on_curve += ours;
        if (ours)
            assert_encodes(&p, bytes);
    }
    assert_in_range(on_curve, 400, 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_field_laws), cmocka_unit_test(test_field_bytes),
        cmocka_unit_test(test_constants),  cmocka_unit_test(test_sums),
        cmocka_unit_test(test_fixed_base), cmocka_unit_test(test_read_point),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
