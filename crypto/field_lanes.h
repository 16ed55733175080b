/* Four elements of the field at once, one in each 64-bit lane of AVX2's registers. Only for
 * what is behind crypto/lanes.h; who wants four results goes there.
 *
 * AVX2 multiplies 32 bits by 32, so that an element is ten limbs here, of 26 and 25 bits in turn:
 *
 *     value = l0 + 2^26 l1 + 2^51 l2 + 2^77 l3 + 2^102 l4 + ... + 2^230 l9
 *
 * How loose limbs may be is counted in units: an element of u units has limbs of at most u * 2^26
 * (even) and u * 2^25 (odd), and a thousandth more.
 *
 *     1 unit      what slu_fe4_carry leaves, and so every product
 *     a + b       the units of both
 *     a - b       the units of a, and 2; b has at most 1
 *     a * b       the units of both multiplied are at most 24, those of b at most 3: a column is
 *                 at most 125 * 2^52 for 1 by 1, and 19 times a limb of b has 32 bits
 *
 * No branch and no address depends on an element: secrets may be multiplied (docs/CRYPTO.md clause
 * 8.4). */
#ifndef SLU_CRYPTO_FIELD_LANES_H
#define SLU_CRYPTO_FIELD_LANES_H

#include <immintrin.h>

#include "crypto/field.h"

/* Functions with this run only where slu_lanes_on says so; what they call is compiled into them. */
#define SLU_AVX2        __attribute__((target("avx2")))
#define SLU_AVX2_INLINE static inline __attribute__((target("avx2"), always_inline))

struct slu_fe4 {
    __m256i limb[10];
};

/* Keeps a column's sum where it is: left to itself, gcc 12 makes all products of an element first
 * and spills them, which takes half as long again. */
#define SLU_HERE(vector) __asm__("" : "+x"(vector))

/* What is not carried yet. */
struct slu_columns4 {
    __m256i column[10];
};

SLU_AVX2_INLINE __m256i slu_all4(uint64_t value)
{
    return _mm256_set1_epi64x((long long)value);
}

SLU_AVX2_INLINE void slu_fe4_add(struct slu_fe4 *out, const struct slu_fe4 *a,
                                 const struct slu_fe4 *b)
{
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++)
        out->limb[i] = _mm256_add_epi64(a->limb[i], b->limb[i]);
}

/* a - b + 2p. */
SLU_AVX2_INLINE void slu_fe4_sub(struct slu_fe4 *out, const struct slu_fe4 *a,
                                 const struct slu_fe4 *b)
{
    const __m256i even = slu_all4((1u << 27) - 2), odd = slu_all4((1u << 26) - 2);
    out->limb[0] =
        _mm256_sub_epi64(_mm256_add_epi64(a->limb[0], slu_all4((1u << 27) - 38)), b->limb[0]);
#pragma GCC unroll 9
    for (int i = 1; i < 10; i++)
        out->limb[i] =
            _mm256_sub_epi64(_mm256_add_epi64(a->limb[i], i % 2 ? odd : even), b->limb[i]);
}

/* The bits of `from` above its width go to `to`. */
SLU_AVX2_INLINE void slu_carry4(__m256i *to, __m256i *from, int bits)
{
    *to = _mm256_add_epi64(*to, _mm256_srli_epi64(*from, bits));
    *from = _mm256_and_si256(*from, slu_all4((UINT64_C(1) << bits) - 1));
}

/* Columns of any 64 bits to 1 unit: two chains at a time, 0 to 4 and 4 to 9, then around. */
SLU_AVX2_INLINE void slu_fe4_carry(struct slu_fe4 *out, const struct slu_columns4 *columns)
{
    __m256i l[10];
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++)
        l[i] = columns->column[i];
    slu_carry4(&l[1], &l[0], 26);
    slu_carry4(&l[5], &l[4], 26);
    slu_carry4(&l[2], &l[1], 25);
    slu_carry4(&l[6], &l[5], 25);
    slu_carry4(&l[3], &l[2], 26);
    slu_carry4(&l[7], &l[6], 26);
    slu_carry4(&l[4], &l[3], 25);
    slu_carry4(&l[8], &l[7], 25);
    slu_carry4(&l[5], &l[4], 26);
    slu_carry4(&l[9], &l[8], 26);
    __m256i top = _mm256_srli_epi64(l[9], 25); /* below 2^39: times 19 by shifts */
    l[9] = _mm256_and_si256(l[9], slu_all4((1u << 25) - 1));
    l[0] = _mm256_add_epi64(_mm256_add_epi64(l[0], top),
                            _mm256_add_epi64(_mm256_slli_epi64(top, 1), _mm256_slli_epi64(top, 4)));
    slu_carry4(&l[1], &l[0], 26);
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++)
        out->limb[i] = l[i];
}

/* The columns of a * b: limbs that are both odd stand half a bit too high each, so that their
 * product counts twice; what passes 2^255 comes back times 19. */
SLU_AVX2_INLINE void slu_fe4_product(struct slu_columns4 *out, const struct slu_fe4 *a,
                                     const struct slu_fe4 *b)
{
    __m256i b19[10], sum[10];
#pragma GCC unroll 9
    for (int i = 1; i < 10; i++)
        b19[i] = _mm256_mul_epu32(b->limb[i], slu_all4(19));
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++) {
        const __m256i x = a->limb[i], twice = i % 2 ? _mm256_add_epi64(x, x) : x;
#pragma GCC unroll 10
        for (int j = 0; j < 10; j++) {
            __m256i term = _mm256_mul_epu32(j % 2 ? twice : x, i + j < 10 ? b->limb[j] : b19[j]);
            sum[(i + j) % 10] = i ? _mm256_add_epi64(sum[(i + j) % 10], term) : term;
            SLU_HERE(sum[(i + j) % 10]);
        }
    }
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++)
        out->column[i] = sum[i];
}

SLU_AVX2_INLINE void slu_fe4_square_columns(struct slu_columns4 *out, const struct slu_fe4 *a)
{
    __m256i a19[10], sum[10];
#pragma GCC unroll 5
    for (int i = 5; i < 10; i++)
        a19[i] = _mm256_mul_epu32(a->limb[i], slu_all4(19));
#pragma GCC unroll 10
    for (int k = 0; k < 10; k++)
        sum[k] = _mm256_setzero_si256();
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++) {
        const __m256i x = a->limb[i], x2 = _mm256_add_epi64(x, x), x4 = _mm256_add_epi64(x2, x2);
#pragma GCC unroll 10
        for (int j = i; j < 10; j++) {
            __m256i left = i == j ? (i % 2 ? x2 : x) : i % 2 && j % 2 ? x4 : x2;
            __m256i term = _mm256_mul_epu32(left, i + j < 10 ? a->limb[j] : a19[j]);
            sum[(i + j) % 10] = _mm256_add_epi64(sum[(i + j) % 10], term);
            SLU_HERE(sum[(i + j) % 10]);
        }
    }
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++)
        out->column[i] = sum[i];
}

SLU_AVX2_INLINE void slu_fe4_mul(struct slu_fe4 *out, const struct slu_fe4 *a,
                                 const struct slu_fe4 *b)
{
    struct slu_columns4 columns;
    slu_fe4_product(&columns, a, b);
    slu_fe4_carry(out, &columns);
}

SLU_AVX2_INLINE void slu_fe4_square(struct slu_fe4 *out, const struct slu_fe4 *a)
{
    struct slu_columns4 columns;
    slu_fe4_square_columns(&columns, a);
    slu_fe4_carry(out, &columns);
}

/* Four elements of crypto/field.h, as loose as mul takes them. */
SLU_AVX2_INLINE void slu_fe4_load(struct slu_fe4 *out, const struct slu_fe *const in[4])
{
    const __m256i low = slu_all4((1u << 26) - 1);
    struct slu_columns4 columns;
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) {
        __m256i limb = _mm256_set_epi64x((long long)in[3]->limb[i], (long long)in[2]->limb[i],
                                         (long long)in[1]->limb[i], (long long)in[0]->limb[i]);
        columns.column[2 * i] = _mm256_and_si256(limb, low);
        columns.column[2 * i + 1] = _mm256_srli_epi64(limb, 26);
    }
    slu_fe4_carry(out, &columns);
}

/* Back, reduced; `a` has 1 unit. */
SLU_AVX2_INLINE void slu_fe4_store(struct slu_fe *const out[4], const struct slu_fe4 *a)
{
    uint64_t limbs[5][4];
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        _mm256_storeu_si256(
            (__m256i *)limbs[i],
            _mm256_add_epi64(a->limb[2 * i], _mm256_slli_epi64(a->limb[2 * i + 1], 26)));
    for (int lane = 0; lane < 4; lane++) {
        uint64_t carry = 0;
        for (int i = 0; i < 5; i++) {
            uint64_t limb = limbs[i][lane] + carry;
            out[lane]->limb[i] = limb & SLU_FE_MASK;
            carry = limb >> 51;
        }
        out[lane]->limb[0] += 19 * carry;
    }
}

#endif
