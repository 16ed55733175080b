/* Commitments of proofs and multiples of a key: four sums, each with its own table and its own
 * digits. Public data: addresses depend on it. */
#include "base/check.h"
#include "crypto/lanes.h"
#include "crypto/point_lanes.h"

#if defined(__x86_64__)

#define DIGITS 33 /* of 4 bits: 128 bits and a carry */
#define TABLE  8

/* Lane i of vector i. */
SLU_AVX2_INLINE __m256i of_each(__m256i v0, __m256i v1, __m256i v2, __m256i v3)
{
    return _mm256_blend_epi32(_mm256_blend_epi32(v0, v1, 0x0c), _mm256_blend_epi32(v2, v3, 0xc0),
                              0xf0);
}

static void recode(int8_t digits[DIGITS], const uint8_t scalar16[16])
{
    unsigned carry = 0;
    for (int i = 0; i < 16; i++) {
        unsigned sum = scalar16[i] + 0x88u + carry;
        digits[2 * i] = (int8_t)((int)(sum & 15) - 8);
        digits[2 * i + 1] = (int8_t)((int)(sum >> 4 & 15) - 8);
        carry = sum >> 8;
    }
    digits[DIGITS - 1] = (int8_t)carry;
}

/* Each lane minus its own multiple. */
SLU_AVX2_INLINE void subtract(struct slu_point4 *sum, const struct slu_packed4 multiples[TABLE + 1],
                              const int8_t digit[SLU_LANES])
{
    const struct slu_packed4 *at[4];
    struct slu_packed4 packed;
    struct slu_cached4 term;
    for (int i = 0; i < 4; i++)
        at[i] = &multiples[digit[i] < 0 ? -digit[i] : digit[i]];
    for (int part = 0; part < 4; part++)
#pragma GCC unroll 5
        for (int i = 0; i < 5; i++)
            packed.pair[part][i] = of_each(at[0]->pair[part][i], at[1]->pair[part][i],
                                           at[2]->pair[part][i], at[3]->pair[part][i]);
    slu_point4_unpack(&term, &packed);
    slu_point4_negate_cached(&term, _mm256_set_epi64x(-(digit[3] > 0), -(digit[2] > 0),
                                                      -(digit[1] > 0), -(digit[0] > 0)));
    slu_point4_add(sum, sum, &term);
}

static SLU_AVX2 void minus_images(struct slu_point4 *sum, const struct slu_point *images,
                                  const uint8_t *const e16[SLU_LANES])
{
    const struct slu_point *from[4] = {&images[0], &images[1], &images[2], &images[3]};
    struct slu_packed4 multiples[TABLE + 1];
    struct slu_cached4 once, cached;
    struct slu_point4 multiple;
    int8_t digits[SLU_LANES][DIGITS];
    slu_point4_identity(sum);
    slu_point4_cache(&cached, sum);
    slu_point4_pack(&multiples[0], &cached);
    slu_point4_load(&multiple, from);
    slu_point4_cache(&once, &multiple);
    slu_point4_pack(&multiples[1], &once);
    for (unsigned m = 2; m <= TABLE; m++) {
        slu_point4_add(&multiple, &multiple, &once);
        slu_point4_cache(&cached, &multiple);
        slu_point4_pack(&multiples[m], &cached);
    }
    for (unsigned i = 0; i < SLU_LANES; i++)
        recode(digits[i], e16[i]);
    for (unsigned place = DIGITS; place-- > 0;) {
        const int8_t digit[SLU_LANES] = {digits[0][place], digits[1][place], digits[2][place],
                                         digits[3][place]};
        if (place + 1 < DIGITS)
            slu_point4_double(sum, sum, 4);
        subtract(sum, multiples, digit);
    }
}

/* Five limbs of each lane's element; those of tables are not carried: up to 5 units. */
SLU_AVX2_INLINE void read_limbs(struct slu_fe4 *out, const struct slu_fe *const in[SLU_LANES])
{
    const __m256i low = slu_all4((1u << 26) - 1);
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) {
        __m256i limb = _mm256_set_epi64x((long long)in[3]->limb[i], (long long)in[2]->limb[i],
                                         (long long)in[1]->limb[i], (long long)in[0]->limb[i]);
        out->limb[2 * i] = _mm256_and_si256(limb, low);
        out->limb[2 * i + 1] = _mm256_srli_epi64(limb, 26);
    }
}

SLU_AVX2_INLINE void add_entries(struct slu_point4 *sum,
                                 const struct slu_niels *const entries[SLU_LANES],
                                 const int16_t digit[SLU_LANES])
{
    static const struct slu_niels identity = {.y_plus_x = {{1}}, .y_minus_x = {{1}}};
    const struct slu_fe *plus[SLU_LANES], *minus[SLU_LANES], *product[SLU_LANES];
    for (unsigned i = 0; i < SLU_LANES; i++) {
        const int size = digit[i] < 0 ? -digit[i] : digit[i];
        const struct slu_niels *entry = size ? &entries[i][size - 1] : &identity;
        plus[i] = digit[i] < 0 ? &entry->y_minus_x : &entry->y_plus_x;
        minus[i] = digit[i] < 0 ? &entry->y_plus_x : &entry->y_minus_x;
        product[i] = &entry->xy2d;
    }
    struct slu_niels4 term;
    struct slu_fe4 zero, negated;
    read_limbs(&term.y_plus_x, plus);
    read_limbs(&term.y_minus_x, minus);
    read_limbs(&term.xy2d, product);
    for (int i = 0; i < 10; i++)
        zero.limb[i] = _mm256_setzero_si256();
    slu_fe4_sub(&negated, &zero, &term.xy2d);
    const __m256i mask =
        _mm256_set_epi64x(-(digit[3] < 0), -(digit[2] < 0), -(digit[1] < 0), -(digit[0] < 0));
    for (int i = 0; i < 10; i++)
        term.xy2d.limb[i] = _mm256_blendv_epi8(term.xy2d.limb[i], negated.limb[i], mask);
    slu_point4_add_niels(sum, sum, &term);
}

SLU_AVX2 void slu_lanes_fixed(struct slu_point out[SLU_LANES],
                              const struct slu_fixed_base *const bases[SLU_LANES],
                              const uint8_t *const z32[SLU_LANES],
                              const uint8_t *const e16[SLU_LANES], const struct slu_point *images)
{
    struct slu_point *to[4] = {&out[0], &out[1], &out[2], &out[3]};
    struct slu_fixed_digits digits[SLU_LANES];
    struct slu_fixed_entries tables[SLU_LANES];
    struct slu_point4 sum;
    for (unsigned i = 0; i < SLU_LANES; i++) {
        tables[i] = slu_fixed_base_entries(bases[i]);
        SLU_CHECK(tables[i].windows == tables[0].windows);
        slu_fixed_base_digits(&digits[i], bases[i], z32[i]);
    }
    if (images)
        minus_images(&sum, images, e16);
    else
        slu_point4_identity(&sum);
    for (unsigned window = 0; window < tables[0].windows; window++) {
        const struct slu_niels *entries[SLU_LANES];
        int16_t digit[SLU_LANES];
        for (unsigned i = 0; i < SLU_LANES; i++) {
            entries[i] = tables[i].entries + window * tables[i].half;
            digit[i] = digits[i].digit[window];
        }
        add_entries(&sum, entries, digit);
    }
    slu_point4_store(to, &sum);
}

/* A lane takes every fourth window. */
SLU_AVX2_INLINE void add_windows(struct slu_point4 *sum, const struct slu_fixed_entries *table,
                                 const struct slu_fixed_digits *digits)
{
    for (unsigned window = 0; window < table->windows; window += SLU_LANES) {
        const struct slu_niels *entries[SLU_LANES];
        int16_t digit[SLU_LANES];
        for (unsigned i = 0; i < SLU_LANES; i++) {
            entries[i] = table->entries + (window + i) * table->half;
            digit[i] = window + i < table->windows ? digits->digit[window + i] : 0;
        }
        add_entries(sum, entries, digit);
    }
}

SLU_AVX2 void slu_lanes_fixed_sum(struct slu_point *out, const struct slu_fixed_base *a,
                                  const struct slu_fixed_digits *a_digits,
                                  const struct slu_fixed_base *b,
                                  const struct slu_fixed_digits *b_digits)
{
    const struct slu_fixed_entries a_table = slu_fixed_base_entries(a);
    const struct slu_fixed_entries b_table = slu_fixed_base_entries(b);
    struct slu_point part[SLU_LANES], *to[4] = {&part[0], &part[1], &part[2], &part[3]};
    struct slu_cached cached;
    struct slu_point4 sum;
    slu_point4_identity(&sum);
    add_windows(&sum, &a_table, a_digits);
    add_windows(&sum, &b_table, b_digits);
    slu_point4_store(to, &sum);
    *out = part[0];
    for (unsigned i = 1; i < SLU_LANES; i++) {
        slu_point_cache(&cached, &part[i]);
        slu_point_add(out, out, &cached);
    }
}

#endif
