/* Arithmetic modulo p = 2^255 - 19, the field of edwards25519, for PUBLIC data: points and proofs
 * that everybody sees. Secrets stay with libsodium, but for own shares: crypto/lanes_secret.c
 * relies on it that mul, square, add, sub, neg, is_zero, is_negative, equal and write have no
 * branch and no address that depends on an element.
 *
 * An element is five limbs of radix 2^51, so that a product of two limbs fits into 128 bits with
 * room for sums, and a carry out of the top comes back times 19.
 *
 *     value = l0 + 2^51 l1 + 2^102 l2 + 2^153 l3 + 2^204 l4
 *
 * Limbs may be loose, which saves carries; who may be how loose:
 *
 *     reduced   < 2^51 + 2^17        results of mul, square and everything that ends in one
 *     sum       < 2^52 + 2^18        add of two reduced
 *     loose     < 2^54               what mul and square take
 *
 * `sub` takes a subtrahend below 2^53 - 76 and its result is at most its first operand + 2^53: of
 * sums and of one difference a product may be taken, of a difference of differences not.
 *
 * Everything is inline here: points are all products, and a call costs a tenth of one. */
#ifndef SLU_CRYPTO_FIELD_H
#define SLU_CRYPTO_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slu_fe {
    uint64_t limb[5];
};

__extension__ typedef unsigned __int128 slu_u128;

#define SLU_FE_MASK ((UINT64_C(1) << 51) - 1)

static inline void slu_fe_add(struct slu_fe *out, const struct slu_fe *a, const struct slu_fe *b)
{
    for (int i = 0; i < 5; i++)
        out->limb[i] = a->limb[i] + b->limb[i];
}

/* a - b + 4p, limb by limb. */
static inline void slu_fe_sub(struct slu_fe *out, const struct slu_fe *a, const struct slu_fe *b)
{
    out->limb[0] = a->limb[0] + ((UINT64_C(1) << 53) - 76) - b->limb[0];
    for (int i = 1; i < 5; i++)
        out->limb[i] = a->limb[i] + ((UINT64_C(1) << 53) - 4) - b->limb[i];
}

/* What a column carries: its bits above 51. In two halves, since a double-word shift is slow. */
static inline uint64_t slu_fe_column_carry(slu_u128 column)
{
    return (uint64_t)(column >> 64) << 13 | (uint64_t)column >> 51;
}

/* Ends a product: columns below 2^115 to reduced limbs. Two passes of carries that do not wait for
 * each other: after the first, limbs are below 2^64, the carries of the second below 2^13. */
static inline void slu_fe_carry_wide(struct slu_fe *out, slu_u128 c0, slu_u128 c1, slu_u128 c2,
                                     slu_u128 c3, slu_u128 c4)
{
    uint64_t l0 = ((uint64_t)c0 & SLU_FE_MASK) + 19 * slu_fe_column_carry(c4);
    uint64_t l1 = ((uint64_t)c1 & SLU_FE_MASK) + slu_fe_column_carry(c0);
    uint64_t l2 = ((uint64_t)c2 & SLU_FE_MASK) + slu_fe_column_carry(c1);
    uint64_t l3 = ((uint64_t)c3 & SLU_FE_MASK) + slu_fe_column_carry(c2);
    uint64_t l4 = ((uint64_t)c4 & SLU_FE_MASK) + slu_fe_column_carry(c3);
    out->limb[0] = (l0 & SLU_FE_MASK) + 19 * (l4 >> 51);
    out->limb[1] = (l1 & SLU_FE_MASK) + (l0 >> 51);
    out->limb[2] = (l2 & SLU_FE_MASK) + (l1 >> 51);
    out->limb[3] = (l3 & SLU_FE_MASK) + (l2 >> 51);
    out->limb[4] = (l4 & SLU_FE_MASK) + (l3 >> 51);
}

/** a * b. Operands loose, result reduced; `out` may be an operand. */
static inline void slu_fe_mul(struct slu_fe *out, const struct slu_fe *a, const struct slu_fe *b)
{
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3],
                   a4 = a->limb[4];
    const uint64_t b0 = b->limb[0], b1 = b->limb[1], b2 = b->limb[2], b3 = b->limb[3],
                   b4 = b->limb[4];
    const uint64_t b1x = 19 * b1, b2x = 19 * b2, b3x = 19 * b3, b4x = 19 * b4;
#define SLU_P(x, y) ((slu_u128)(x) * (y))
    slu_u128 c0 = SLU_P(a0, b0) + SLU_P(a1, b4x) + SLU_P(a2, b3x) + SLU_P(a3, b2x) + SLU_P(a4, b1x);
    slu_u128 c1 = SLU_P(a0, b1) + SLU_P(a1, b0) + SLU_P(a2, b4x) + SLU_P(a3, b3x) + SLU_P(a4, b2x);
    slu_u128 c2 = SLU_P(a0, b2) + SLU_P(a1, b1) + SLU_P(a2, b0) + SLU_P(a3, b4x) + SLU_P(a4, b3x);
    slu_u128 c3 = SLU_P(a0, b3) + SLU_P(a1, b2) + SLU_P(a2, b1) + SLU_P(a3, b0) + SLU_P(a4, b4x);
    slu_u128 c4 = SLU_P(a0, b4) + SLU_P(a1, b3) + SLU_P(a2, b2) + SLU_P(a3, b1) + SLU_P(a4, b0);
    slu_fe_carry_wide(out, c0, c1, c2, c3, c4);
}

/** a * a, as mul. */
static inline void slu_fe_square(struct slu_fe *out, const struct slu_fe *a)
{
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3],
                   a4 = a->limb[4];
    const uint64_t d0 = 2 * a0, d1 = 2 * a1, d2 = 2 * a2, a3x = 19 * a3, a4x = 19 * a4;
    slu_u128 c0 = SLU_P(a0, a0) + SLU_P(d1, a4x) + SLU_P(d2, a3x);
    slu_u128 c1 = SLU_P(d0, a1) + SLU_P(d2, a4x) + SLU_P(a3, a3x);
    slu_u128 c2 = SLU_P(d0, a2) + SLU_P(a1, a1) + SLU_P(2 * a3, a4x);
    slu_u128 c3 = SLU_P(d0, a3) + SLU_P(d1, a2) + SLU_P(a4, a4x);
    slu_u128 c4 = SLU_P(d0, a4) + SLU_P(d1, a3) + SLU_P(a2, a2);
#undef SLU_P
    slu_fe_carry_wide(out, c0, c1, c2, c3, c4);
}

/** 0, 1 and the curve's constants. */
extern const struct slu_fe slu_fe_zero, slu_fe_one;
extern const struct slu_fe slu_fe_d, slu_fe_2d;      /* d = -121665/121666 */
extern const struct slu_fe slu_fe_sqrt_m1;           /* the even root of -1 */
extern const struct slu_fe slu_fe_invsqrt_a_minus_d; /* the even root of 1/(-1 - d) */

/** -a. `a` below 2^53 - 76. */
void slu_fe_neg(struct slu_fe *out, const struct slu_fe *a);
/** The value modulo 2^255 of 32 little-endian bytes, p and above included; bit 255 is ignored. */
void slu_fe_read(struct slu_fe *out, const uint8_t bytes32[32]);
/** The canonical 32 bytes, below p. Takes loose limbs. */
void slu_fe_write(uint8_t bytes32[32], const struct slu_fe *a);
/** Whether `bytes32`, bit 255 ignored, is below p. */
bool slu_fe_canonical(const uint8_t bytes32[32]);
bool slu_fe_is_zero(const struct slu_fe *a);
/** Whether the canonical value is odd, which RFC 8032 and RFC 9496 call negative. */
bool slu_fe_is_negative(const struct slu_fe *a);
/** a or -a, whichever is even. `a` reduced. */
void slu_fe_abs(struct slu_fe *out, const struct slu_fe *a);
/** `a` loose, `b` below 2^53 - 76. */
bool slu_fe_equal(const struct slu_fe *a, const struct slu_fe *b);
/** 1/a, and 0 for 0. */
void slu_fe_invert(struct slu_fe *out, const struct slu_fe *a);
/** Inverts `count` elements in place with one inversion and 3 products each (Montgomery's trick);
 * `scratch` has `count` elements. None may be zero. */
void slu_fe_invert_all(struct slu_fe *elements, struct slu_fe *scratch, size_t count);
/** RFC 9496 section 4.2, SQRT_RATIO_M1: true and the even root of u/v when it is a square (0 for
 * u = 0); false and the even root of sqrt(-1) u/v when not, 0 for v = 0. `u` reduced, `v` loose. */
bool slu_fe_sqrt_ratio(struct slu_fe *out, const struct slu_fe *u, const struct slu_fe *v);
/** The same of `count` pairs, side by side where crypto/lanes.h can; square[i] is what it returns.
 */
void slu_fe_sqrt_ratio_many(bool *square, struct slu_fe *out, const struct slu_fe *u,
                            const struct slu_fe *v, size_t count);

#endif
