/* Pippenger's buckets for four windows side by side: each lane has buckets of its own, into one of
 * which its digit sends the point that all lanes read. Public data: addresses depend on it. */
#include "base/check.h"
#include "crypto/lanes.h"
#include "crypto/point_lanes.h"

#if defined(__x86_64__)

#define BUCKETS_MAX (1u << (SLU_LANES_WINDOW_BITS_MAX - 1))

/* X, Y, Z, T of one lane, two limbs in 64 bits. Four vectors of one bucket each, turned over, are
 * four vectors of one word each. */
struct bucket {
    uint64_t word[20];
};

struct buckets {
    struct bucket of[SLU_LANES][BUCKETS_MAX + 1]; /* the first takes what digit 0 adds */
};

SLU_AVX2_INLINE void turn_over(__m256i v[4])
{
    const __m256i a = _mm256_unpacklo_epi64(v[0], v[1]), b = _mm256_unpackhi_epi64(v[0], v[1]),
                  c = _mm256_unpacklo_epi64(v[2], v[3]), d = _mm256_unpackhi_epi64(v[2], v[3]);
    v[0] = _mm256_permute2x128_si256(a, c, 0x20);
    v[1] = _mm256_permute2x128_si256(b, d, 0x20);
    v[2] = _mm256_permute2x128_si256(a, c, 0x31);
    v[3] = _mm256_permute2x128_si256(b, d, 0x31);
}

SLU_AVX2_INLINE void load(struct slu_point4 *out, struct bucket *const from[SLU_LANES])
{
    struct slu_fe4 *const coordinates[4] = {&out->x, &out->y, &out->z, &out->t};
#pragma GCC unroll 5
    for (int group = 0; group < 5; group++) {
        __m256i v[4];
#pragma GCC unroll 4
        for (int lane = 0; lane < 4; lane++)
            v[lane] = _mm256_loadu_si256((const __m256i *)&from[lane]->word[4 * group]);
        turn_over(v);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const int word = 4 * group + i;
            struct slu_fe4 *to = coordinates[word / 5];
            to->limb[word % 5 * 2] = _mm256_and_si256(v[i], slu_all4(UINT32_MAX));
            to->limb[word % 5 * 2 + 1] = _mm256_srli_epi64(v[i], 32);
        }
    }
}

SLU_AVX2_INLINE void store(struct bucket *const to[SLU_LANES], const struct slu_point4 *a)
{
    const struct slu_fe4 *const coordinates[4] = {&a->x, &a->y, &a->z, &a->t};
#pragma GCC unroll 5
    for (int group = 0; group < 5; group++) {
        __m256i v[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const int word = 4 * group + i;
            const struct slu_fe4 *from = coordinates[word / 5];
            v[i] = _mm256_or_si256(from->limb[word % 5 * 2],
                                   _mm256_slli_epi64(from->limb[word % 5 * 2 + 1], 32));
        }
        turn_over(v);
#pragma GCC unroll 4
        for (int lane = 0; lane < 4; lane++)
            _mm256_storeu_si256((__m256i *)&to[lane]->word[4 * group], v[lane]);
    }
}

/* One element in all lanes; what is not carried has up to 5 units. */
SLU_AVX2_INLINE void read_limbs(struct slu_fe4 *out, const struct slu_fe *in)
{
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) {
        const __m256i limb = slu_all4(in->limb[i]);
        out->limb[2 * i] = _mm256_and_si256(limb, slu_all4((1u << 26) - 1));
        out->limb[2 * i + 1] = _mm256_srli_epi64(limb, 26);
    }
}

SLU_AVX2_INLINE void read_point(struct slu_niels4 *out, const struct slu_niels *in,
                                __m256i negative)
{
    struct slu_fe4 plus, minus, product, zero, negated;
    read_limbs(&plus, &in->y_plus_x);
    read_limbs(&minus, &in->y_minus_x);
    read_limbs(&product, &in->xy2d);
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++)
        zero.limb[i] = _mm256_setzero_si256();
    slu_fe4_sub(&negated, &zero, &product);
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++) {
        out->y_plus_x.limb[i] = _mm256_blendv_epi8(plus.limb[i], minus.limb[i], negative);
        out->y_minus_x.limb[i] = _mm256_blendv_epi8(minus.limb[i], plus.limb[i], negative);
        out->xy2d.limb[i] = _mm256_blendv_epi8(product.limb[i], negated.limb[i], negative);
    }
}

/* sum of b bucket_b: a running sum from the top, added up. */
static SLU_AVX2 void sum_buckets(struct slu_point4 *sum, struct buckets *buckets, size_t count)
{
    struct slu_point4 running, bucket;
    struct slu_cached4 cached;
    slu_point4_identity(sum);
    slu_point4_identity(&running);
    for (size_t b = count; b > 0; b--) {
        struct bucket *const from[SLU_LANES] = {&buckets->of[0][b], &buckets->of[1][b],
                                                &buckets->of[2][b], &buckets->of[3][b]};
        load(&bucket, from);
        slu_point4_cache(&cached, &bucket);
        slu_point4_add(&running, &running, &cached);
        slu_point4_cache(&cached, &running);
        slu_point4_add(sum, sum, &cached);
    }
}

SLU_AVX2 void slu_lanes_windows(struct slu_point out[SLU_LANES], const struct slu_msm_term *terms,
                                size_t count, unsigned window_bits, unsigned first, unsigned lanes)
{
    SLU_CHECK(window_bits <= SLU_LANES_WINDOW_BITS_MAX);
    const size_t bucket_count = (size_t)1 << (window_bits - 1);
    struct slu_point *to[4] = {&out[0], &out[1], &out[2], &out[3]};
    struct buckets buckets;
    struct slu_point4 sum;
    for (size_t b = 0; b <= bucket_count; b++)
        for (unsigned lane = 0; lane < SLU_LANES; lane++)
            buckets.of[lane][b] = (struct bucket){.word = {[5] = 1, [10] = 1}};
    for (size_t i = 0; i < count; i++) {
        struct bucket *of[SLU_LANES];
        long long negative[SLU_LANES];
        struct slu_niels4 point;
        for (unsigned lane = 0; lane < SLU_LANES; lane++) {
            const int digit =
                lane < lanes ? slu_msm_digit(&terms[i], window_bits, first + lane) : 0;
            negative[lane] = -(digit < 0);
            of[lane] = &buckets.of[lane][digit < 0 ? -digit : digit];
        }
        read_point(&point, &terms[i].point,
                   _mm256_set_epi64x(negative[3], negative[2], negative[1], negative[0]));
        load(&sum, of);
        slu_point4_add_niels(&sum, &sum, &point);
        store(of, &sum);
    }
    sum_buckets(&sum, &buckets, bucket_count);
    slu_point4_store(to, &sum);
}

#endif
