/* The own shares: one secret scalar, four public points. */
#include <sodium.h>

#include "crypto/lanes.h"
#include "crypto/point_lanes.h"

#if defined(__x86_64__)

#define DIGITS 64
#define TABLE  8 /* multiples 1 .. 8 */

/* 256 bits as 64 digits of -8 .. 7: 8 is added to each place, and taken off again after the carries
 * have run. */
static void recode(uint8_t plus8[DIGITS], const uint8_t scalar32[32])
{
    unsigned carry = 0;
    for (int i = 0; i < 32; i++) {
        unsigned sum = scalar32[i] + 0x88u + carry;
        plus8[2 * i] = (uint8_t)(sum & 15);
        plus8[2 * i + 1] = (uint8_t)(sum >> 4 & 15);
        carry = sum >> 8;
    }
}

/* All multiples are read and all but one masked out, so that neither an address nor a branch tells
 * the digit. */
SLU_AVX2_INLINE void pick(struct slu_cached4 *out, const struct slu_packed4 multiples[TABLE + 1],
                          unsigned plus8)
{
    const __m256i digit = _mm256_sub_epi64(slu_all4(plus8), slu_all4(8));
    const __m256i negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), digit);
    const __m256i size = _mm256_sub_epi64(_mm256_xor_si256(digit, negative), negative);
    struct slu_packed4 sum;
    for (int part = 0; part < 4; part++) {
        __m256i pairs[5];
#pragma GCC unroll 5
        for (int i = 0; i < 5; i++)
            pairs[i] = _mm256_setzero_si256();
        for (unsigned m = 0; m <= TABLE; m++) {
            const __m256i mask = _mm256_cmpeq_epi64(size, slu_all4(m));
#pragma GCC unroll 5
            for (int i = 0; i < 5; i++)
                pairs[i] =
                    _mm256_or_si256(pairs[i], _mm256_and_si256(multiples[m].pair[part][i], mask));
        }
#pragma GCC unroll 5
        for (int i = 0; i < 5; i++)
            sum.pair[part][i] = pairs[i];
    }
    slu_point4_unpack(out, &sum);
    slu_point4_negate_cached(out, negative);
}

static SLU_AVX2 void multiply(struct slu_point out[SLU_LANES],
                              const struct slu_point points[SLU_LANES], const uint8_t scalar32[32])
{
    const struct slu_point *from[4] = {&points[0], &points[1], &points[2], &points[3]};
    struct slu_point *to[4] = {&out[0], &out[1], &out[2], &out[3]};
    struct slu_packed4 multiples[TABLE + 1];
    struct slu_cached4 once, picked;
    struct slu_point4 sum;
    uint8_t plus8[DIGITS];
    slu_point4_identity(&sum);
    slu_point4_cache(&once, &sum);
    slu_point4_pack(&multiples[0], &once);
    slu_point4_load(&sum, from);
    slu_point4_cache(&once, &sum);
    slu_point4_pack(&multiples[1], &once);
    for (unsigned m = 2; m <= TABLE; m++) {
        slu_point4_add(&sum, &sum, &once);
        slu_point4_cache(&picked, &sum);
        slu_point4_pack(&multiples[m], &picked);
    }
    recode(plus8, scalar32);
    slu_point4_identity(&sum);
    for (unsigned place = DIGITS; place-- > 0;) {
        if (place + 1 < DIGITS)
            slu_point4_double(&sum, &sum, 4);
        pick(&picked, multiples, plus8[place]);
        slu_point4_add(&sum, &sum, &picked);
    }
    slu_point4_store(to, &sum);
    sodium_memzero(plus8, sizeof plus8);
    sodium_memzero(&picked, sizeof picked);
    sodium_memzero(&sum, sizeof sum);
}

/* ---- encoding, as slu_ristretto_write, without its branches ---- */

/* All bits or none, of a truth that the compiler must not learn. */
static uint64_t mask_of(bool truth)
{
    uint64_t mask = -(uint64_t)truth;
    __asm__("" : "+r"(mask));
    return mask;
}

/* `other` instead of what `out` holds, where the mask is set. */
static void replace(struct slu_fe *out, const struct slu_fe *other, uint64_t mask)
{
    for (int i = 0; i < 5; i++)
        out->limb[i] ^= (out->limb[i] ^ other->limb[i]) & mask;
}

struct encoding {
    struct slu_fe u1, u2, v, v3; /* (Z+Y)(Z-Y), XY, u1 u2^2 and its cube */
};

static void begin_encoding(struct encoding *out, struct slu_fe *v7, const struct slu_point *a)
{
    struct slu_fe t;
    slu_fe_add(&out->u1, &a->z, &a->y);
    slu_fe_sub(&t, &a->z, &a->y);
    slu_fe_mul(&out->u1, &out->u1, &t);
    slu_fe_mul(&out->u2, &a->x, &a->y);
    slu_fe_square(&t, &out->u2);
    slu_fe_mul(&out->v, &t, &out->u1);
    slu_fe_square(&t, &out->v);
    slu_fe_mul(&out->v3, &t, &out->v);
    slu_fe_square(&t, &out->v3);
    slu_fe_mul(v7, &t, &out->v);
}

/* `power` is v7^((p-5)/8). v is a square, so that v3 * power is its inverse's root, or sqrt(-1)
 * times that. */
static void end_encoding(uint8_t bytes32[32], const struct encoding *in, const struct slu_fe *power,
                         const struct slu_point *a)
{
    struct slu_fe root, t, other, den1, den2, z_inverse, x = a->x, y = a->y, s;
    slu_fe_mul(&root, &in->v3, power);
    slu_fe_square(&t, &root);
    slu_fe_mul(&t, &t, &in->v);
    slu_fe_mul(&other, &root, &slu_fe_sqrt_m1);
    replace(&root, &other, mask_of(!slu_fe_equal(&t, &slu_fe_one)));
    slu_fe_mul(&den1, &root, &in->u1);
    slu_fe_mul(&den2, &root, &in->u2);
    slu_fe_mul(&z_inverse, &den1, &den2);
    slu_fe_mul(&z_inverse, &z_inverse, &a->t);
    slu_fe_mul(&t, &a->t, &z_inverse);
    const uint64_t turned = mask_of(slu_fe_is_negative(&t));
    slu_fe_mul(&other, &a->y, &slu_fe_sqrt_m1);
    replace(&x, &other, turned);
    slu_fe_mul(&other, &a->x, &slu_fe_sqrt_m1);
    replace(&y, &other, turned);
    slu_fe_mul(&other, &den1, &slu_fe_invsqrt_a_minus_d);
    replace(&den2, &other, turned);
    slu_fe_mul(&t, &x, &z_inverse);
    slu_fe_neg(&other, &y);
    replace(&y, &other, mask_of(slu_fe_is_negative(&t)));
    slu_fe_sub(&s, &a->z, &y);
    slu_fe_mul(&s, &s, &den2);
    slu_fe_neg(&other, &s);
    replace(&s, &other, mask_of(slu_fe_is_negative(&s)));
    slu_fe_write(bytes32, &s);
}

void slu_lanes_shares(uint8_t (*out32)[32], const struct slu_point points[SLU_LANES],
                      const uint8_t scalar32[32])
{
    struct slu_point products[SLU_LANES];
    struct encoding encodings[SLU_LANES];
    struct slu_fe powers[SLU_LANES];
    multiply(products, points, scalar32);
    for (unsigned i = 0; i < SLU_LANES; i++)
        begin_encoding(&encodings[i], &powers[i], &products[i]);
    slu_lanes_power(powers, powers);
    for (unsigned i = 0; i < SLU_LANES; i++)
        end_encoding(out32[i], &encodings[i], &powers[i], &products[i]);
    sodium_memzero(products, sizeof products);
    sodium_memzero(encodings, sizeof encodings);
    sodium_memzero(powers, sizeof powers);
}

#endif
