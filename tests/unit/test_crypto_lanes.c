/* Four at once (crypto/lanes.h) against one at a time, libsodium and libdecaf, with the edges of
 * each range, in every lane. What is above (elements, shares, sealed bodies) is tested both ways in
 * its own files. Where the machine has no lanes, there is nothing to test. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <decaf/point_255.h>
#include <sodium.h>

#include "crypto/lanes.h"
#include "crypto/point_lanes.h"
#include "crypto/ristretto.h"
#include "tests/unit/draw.h"

/* An element by one of its four points, and with a Z that is not 1. */
static void draw_element(struct slu_point *out, uint8_t bytes32[32], unsigned turns)
{
    static const uint8_t quarter[32] = {0}; /* y = 0: a point of order 4 */
    uint8_t wide[64];
    struct slu_point torsion;
    assert_true(slu_point_read_ed25519(&torsion, quarter));
    draw(wide, sizeof wide);
    crypto_core_ristretto255_from_hash(bytes32, wide);
    assert_true(slu_ristretto_read(out, bytes32));
    for (unsigned i = 0; i < turns; i++)
        slu_point_sum(out, out, &torsion);
}

/* Scalars below l at whose digits recodings turn. */
static const char *const edge_scalars[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0700000000000000000000000000000000000000000000000000000000000000",
    "0800000000000000000000000000000000000000000000000000000000000000",
    "0900000000000000000000000000000000000000000000000000000000000000",
    "f800000000000000000000000000000000000000000000000000000000000000",
    "ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", /* l - 1 */
    "e5d3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", /* l - 8 */
    "f6e97a2e8d31092c6bce7b51ef7c6f0a00000000000000000000000000000008", /* (l - 1) / 2 */
    "0000000000000000000000000000000000000000000000000000000000000010", /* 2^252 */
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff0f",
    "7777777777777777777777777777777777777777777777777777777777777707",
    "8888888888888888888888888888888888888888888888888888888888888808",
    "0808080808080808080808080808080808080808080808080808080808080808",
    "8080808080808080808080808080808080808080808080808080808080808000",
};
enum { EDGES = sizeof edge_scalars / sizeof *edge_scalars };

static void take_scalar(uint8_t scalar32[32], unsigned i)
{
    if (i < EDGES)
        assert_int_equal(sodium_hex2bin(scalar32, 32, edge_scalars[i], 64, NULL, NULL, NULL), 0);
    else
        draw_scalar(scalar32);
}

/* scalar * element; libsodium refuses where that is the identity, which is 32 zeros. */
static void sodium_multiply(uint8_t out32[32], const uint8_t scalar32[32],
                            const uint8_t element32[32])
{
    if (crypto_scalarmult_ristretto255(out32, scalar32, element32))
        memset(out32, 0, 32);
}

static void decaf_multiply(uint8_t out32[32], const uint8_t scalar32[32],
                           const uint8_t element32[32])
{
    decaf_255_point_t point;
    decaf_255_scalar_t scalar;
    assert_int_equal(decaf_255_point_decode(point, element32, DECAF_FALSE), DECAF_SUCCESS);
    assert_int_equal(decaf_255_scalar_decode(scalar, scalar32), DECAF_SUCCESS);
    decaf_255_point_scalarmul(point, point, scalar);
    decaf_255_point_encode(out32, point);
}

#if defined(__x86_64__)

/* An element of `units`, limbs at their highest for some i, and the same in 51-bit limbs. */
static SLU_AVX2 void draw_units(struct slu_fe4 *out, struct slu_fe same[4], unsigned units,
                                unsigned i)
{
    static const struct slu_fe shift = {{UINT64_C(1) << 26}};
    uint64_t limbs[10][4];
    struct slu_fe high[4];
    draw(limbs, sizeof limbs);
    for (unsigned l = 0; l < 10; l++) {
        const uint64_t max = (uint64_t)units * (UINT64_C(1) << (l % 2 ? 25 : 26)) * 1001 / 1000;
        for (unsigned lane = 0; lane < 4; lane++) {
            limbs[l][lane] %= max + 1;
            if ((i + lane) % 4 == 1)
                limbs[l][lane] = max;
            if ((i + lane) % 8 == 2)
                limbs[l][lane] = 0;
            (l % 2 ? high : same)[lane].limb[l / 2] = limbs[l][lane];
        }
        out->limb[l] = _mm256_loadu_si256((const __m256i *)limbs[l]);
    }
    for (unsigned lane = 0; lane < 4; lane++) {
        slu_fe_mul(&high[lane], &high[lane], &shift);
        slu_fe_add(&same[lane], &same[lane], &high[lane]);
    }
}

static SLU_AVX2 void assert_same(const struct slu_fe4 *ours, const struct slu_fe expected[4])
{
    uint64_t limbs[10][4];
    struct slu_fe out[4];
    struct slu_fe *to[4] = {&out[0], &out[1], &out[2], &out[3]};
    slu_fe4_store(to, ours);
    memcpy(limbs, ours->limb, sizeof limbs);
    for (unsigned lane = 0; lane < 4; lane++) {
        assert_true(slu_fe_equal(&expected[lane], &out[lane])); /* the first may be loose */
        for (unsigned l = 0; l < 5; l++)
            assert_true(out[lane].limb[l] < (UINT64_C(1) << 51) + (UINT64_C(1) << 17));
        for (unsigned l = 0; l < 10; l++) /* 1 unit */
            assert_true(limbs[l][lane] <= (UINT64_C(1) << (l % 2 ? 25 : 26)) * 1001 / 1000);
    }
}

static SLU_AVX2 void test_field(void **state)
{
    (void)state;
    static const struct {
        unsigned a, b;
    } units[] = {{1, 1}, {8, 3}, {12, 2}, {24, 1}, {3, 3}, {0, 3}};
    if (!slu_lanes_on())
        skip();
    for (unsigned i = 0; i < 600; i++) {
        struct slu_fe4 a, b, out;
        struct slu_fe a1[4], b1[4], expected[4];
        const unsigned u = i % 6;
        draw_units(&a, a1, units[u].a, i);
        draw_units(&b, b1, units[u].b, i / 4);
        slu_fe4_mul(&out, &a, &b);
        for (unsigned lane = 0; lane < 4; lane++)
            slu_fe_mul(&expected[lane], &a1[lane], &b1[lane]);
        assert_same(&out, expected);
        draw_units(&a, a1, 1 + i % 2, i);
        slu_fe4_square(&out, &a);
        for (unsigned lane = 0; lane < 4; lane++)
            slu_fe_square(&expected[lane], &a1[lane]);
        assert_same(&out, expected);
        draw_units(&a, a1, 1, i); /* (a - b) b and (a + b) a, unreduced between */
        draw_units(&b, b1, 1, i / 4);
        slu_fe4_sub(&out, &a, &b);
        slu_fe4_mul(&out, &out, &b);
        for (unsigned lane = 0; lane < 4; lane++) {
            slu_fe_sub(&expected[lane], &a1[lane], &b1[lane]);
            slu_fe_mul(&expected[lane], &expected[lane], &b1[lane]);
        }
        assert_same(&out, expected);
        slu_fe4_add(&out, &a, &b);
        slu_fe4_mul(&out, &out, &a);
        for (unsigned lane = 0; lane < 4; lane++) {
            slu_fe_add(&expected[lane], &a1[lane], &b1[lane]);
            slu_fe_mul(&expected[lane], &expected[lane], &a1[lane]);
        }
        assert_same(&out, expected);
    }
}

/* Limbs as loose as crypto/field.h allows come in reduced. */
static SLU_AVX2 void test_load(void **state)
{
    (void)state;
    if (!slu_lanes_on())
        skip();
    for (unsigned i = 0; i < 200; i++) {
        struct slu_fe in[4];
        const struct slu_fe *from[4] = {&in[0], &in[1], &in[2], &in[3]};
        struct slu_fe4 out;
        draw(in, sizeof in);
        for (unsigned lane = 0; lane < 4; lane++)
            for (unsigned l = 0; l < 5; l++) {
                in[lane].limb[l] &= (UINT64_C(1) << 54) - 1;
                if ((i + lane) % 3 == 0)
                    in[lane].limb[l] = (UINT64_C(1) << 54) - 1;
            }
        slu_fe4_load(&out, from);
        assert_same(&out, in);
    }
}

#endif

/* Roots of u/v by fours, by fewer, and one at a time: 0, 1, p - 1, what is not reduced. */
static void test_roots(void **state)
{
    (void)state;
    enum { MANY = 23 };
    for (unsigned i = 0; i < 100; i++) {
        struct slu_fe u[MANY], v[MANY], roots[MANY];
        bool square[MANY];
        for (unsigned j = 0; j < MANY; j++) {
            uint8_t bytes[32];
            draw(bytes, 32);
            if ((i + j) % 5 == 1)
                memset(bytes, 0, 32);
            if ((i + j) % 5 == 2)
                memset(bytes, 0xff, 32);
            if ((i + j) % 5 < 3)
                bytes[0] = (uint8_t)(bytes[0] + i + j); /* around 0, around p */
            slu_fe_read(&v[j], bytes);
            draw(bytes, 32);
            slu_fe_read(&u[j], bytes);
            if (j % 2)
                u[j] = slu_fe_one;
            if (j % 7 == 3)
                for (unsigned l = 0; l < 5; l++)
                    v[j].limb[l] = (UINT64_C(1) << 54) - 1 - l;
        }
        slu_fe_sqrt_ratio_many(square, roots, u, v, i % (MANY + 1));
        for (unsigned j = 0; j < i % (MANY + 1); j++) {
            struct slu_fe root;
            assert_int_equal(square[j], slu_fe_sqrt_ratio(&root, &u[j], &v[j]));
            assert_true(slu_fe_equal(&root, &roots[j]));
        }
    }
}

static void test_shares(void **state)
{
    (void)state;
    if (!slu_lanes_on())
        skip();
    for (unsigned i = 0; i < 60 + EDGES; i++) {
        struct slu_point points[SLU_LANES];
        uint8_t encodings[SLU_LANES][32], products[SLU_LANES][32], expected[32], x[32];
        take_scalar(x, i);
        for (unsigned lane = 0; lane < SLU_LANES; lane++)
            draw_element(&points[lane], encodings[lane], (i + lane) % 4);
        if (i % 5 == 0) { /* the generator in each lane, and the identity beside it */
            points[i % 4] = slu_point_base;
            slu_ristretto_write(encodings[i % 4], &slu_point_base);
            points[(i + 1) % 4] = slu_point_identity;
            memset(encodings[(i + 1) % 4], 0, 32);
        }
        slu_lanes_shares(products, points, x);
        for (unsigned lane = 0; lane < SLU_LANES; lane++) {
            sodium_multiply(expected, x, encodings[lane]);
            assert_memory_equal(products[lane], expected, 32);
            if (sodium_is_zero(encodings[lane], 32))
                continue;
            decaf_multiply(expected, x, encodings[lane]);
            assert_memory_equal(products[lane], expected, 32);
        }
    }
}

/* z B - e P, and z B. */
static void check_fixed(const struct slu_fixed_base *const tables[SLU_LANES],
                        const uint8_t bases[SLU_LANES][32], unsigned i)
{
    struct slu_point images[SLU_LANES], sums[SLU_LANES];
    uint8_t encodings[SLU_LANES][32], z[SLU_LANES][32], e[SLU_LANES][32], ours[SLU_LANES][32];
    const uint8_t *z_of[SLU_LANES], *e_of[SLU_LANES];
    for (unsigned lane = 0; lane < SLU_LANES; lane++) {
        draw_element(&images[lane], encodings[lane], (i / 4 + lane) % 4);
        take_scalar(z[lane], (i + lane) % (2 * EDGES));
        take_scalar(e[lane], (i / EDGES + lane) % (2 * EDGES));
        memset(e[lane] + 16, 0, 16);
        if ((i + lane) % 7 == 0)
            memset(e[lane], 0xff, 16);
        z_of[lane] = z[lane];
        e_of[lane] = e[lane];
    }
    if (i % 3 == 0) { /* the image is the base, and the sum small or nothing */
        assert_true(slu_ristretto_read(&images[i % 4], bases[i % 4]));
        memcpy(encodings[i % 4], bases[i % 4], 32);
        memcpy(z[i % 4], e[i % 4], 32);
    }
    slu_lanes_fixed(sums, tables, z_of, e_of, images);
    slu_ristretto_write_many(ours, sums, SLU_LANES);
    for (unsigned lane = 0; lane < SLU_LANES; lane++) {
        uint8_t expected[32], term[32];
        sodium_multiply(expected, z[lane], bases[lane]);
        sodium_multiply(term, e[lane], encodings[lane]);
        assert_int_equal(crypto_core_ristretto255_sub(expected, expected, term), 0);
        assert_memory_equal(ours[lane], expected, 32);
    }
    slu_lanes_fixed(sums, tables, z_of, NULL, NULL);
    slu_ristretto_write_many(ours, sums, SLU_LANES);
    for (unsigned lane = 0; lane < SLU_LANES; lane++) {
        uint8_t expected[32];
        sodium_multiply(expected, z[lane], bases[lane]);
        assert_memory_equal(ours[lane], expected, 32);
        decaf_multiply(expected, z[lane], bases[lane]);
        assert_memory_equal(ours[lane], expected, 32);
    }
}

static void test_fixed(void **state)
{
    (void)state;
    if (!slu_lanes_on())
        skip();
    for (unsigned bits = SLU_WINDOW_BITS_MIN; bits <= SLU_WINDOW_BITS_MAX; bits++) {
        const struct slu_fixed_base *tables[SLU_LANES];
        struct slu_fixed_base *made[2];
        uint8_t bases[SLU_LANES][32];
        for (unsigned t = 0; t < 2; t++) {
            struct slu_point base;
            draw_element(&base, bases[t], t);
            memcpy(bases[t + 2], bases[t], 32);
            made[t] = slu_fixed_base_new(&base, bits);
            assert_non_null(made[t]);
            tables[t] = tables[t + 2] = made[t];
        }
        for (unsigned i = 0; i < 120; i++)
            check_fixed(tables, (const uint8_t(*)[32])bases, i);
        slu_fixed_base_free(made[0]);
        slu_fixed_base_free(made[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
        cmocka_unit_test(test_field),
        cmocka_unit_test(test_load),
#endif
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_fixed),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
