/* Sums of multiples, s_0 P_0 + s_1 P_1 + ..., for PUBLIC points and scalars, in variable time.
 *
 *     slu_msm        Straus: all terms share the doublings; each has its odd multiples and a digit
 *                    at few places (width-w NAF). For a few terms.
 *     slu_msm_many   Pippenger: per window of c bits each point goes into the bucket of its digit,
 * and the buckets are summed with their weights. One addition per term and window, for hundreds of
 * terms.
 *
 * Scalars are little-endian and below 2^bits with bits <= 253; short ones cost less. Results are
 * right for any points of the curve. No allocation but the workspace; any thread, one per
 * workspace. */
#ifndef SLU_CRYPTO_MSM_H
#define SLU_CRYPTO_MSM_H

#include "crypto/group.h"

/** The longest slu_msm that shares one run of doublings; longer ones take several. */
#define SLU_MSM_RUN_MAX 32u

/** out = the sum of `count` terms; 0 terms: the identity. `out` may be one of the points. */
void slu_msm(struct slu_point *out, const struct slu_point *points, const uint8_t (*scalars32)[32],
             size_t count, unsigned bits);

/** How slu_msm and crypto/lanes.h write scalars: digits are 0 or odd, below 2^(width-1) in size,
 * and width - 1 zeroes follow each. The width is that for scalars below 2^bits. */
#define SLU_NAF_DIGITS    256u
#define SLU_NAF_WIDTH_MAX 5u
#define SLU_NAF_ODD_MAX   (1u << (SLU_NAF_WIDTH_MAX - 2)) /* odd multiples per point */
unsigned slu_naf_width(unsigned bits);
/** Returns how many digits there are. */
unsigned slu_naf(int8_t digits[SLU_NAF_DIGITS], const uint8_t scalar32[32], unsigned width);

/** A term as slu_msm_many and crypto/lanes.h read it. Half a window is added to the scalar at every
 * window, so that digits need no carries. */
struct slu_msm_term {
    struct slu_niels point;
    uint64_t scalar[5];
};
/** -2^(window_bits-1) .. 2^(window_bits-1) - 1. */
static inline int slu_msm_digit(const struct slu_msm_term *term, unsigned window_bits,
                                unsigned window)
{
    unsigned at = window * window_bits, word = at / 64, shift = at % 64;
    uint64_t value = term->scalar[word] >> shift;
    if (shift + window_bits > 64)
        value |= term->scalar[word + 1] << (64 - shift);
    return (int)(value & ((UINT64_C(1) << window_bits) - 1)) - (1 << (window_bits - 1));
}

struct slu_msm_work;
/** Room for slu_msm_many of up to `terms_max` terms (160 bytes each). NULL when memory is refused.
 */
struct slu_msm_work *slu_msm_work_new(size_t terms_max);
/** The same in memory of slu_msm_work_bytes that the caller owns (16-byte aligned). */
struct slu_msm_work *slu_msm_work_init(void *memory, size_t terms_max);
size_t slu_msm_work_bytes(size_t terms_max);
void slu_msm_work_free(struct slu_msm_work *work);
/** As slu_msm, at most `terms_max` terms; few terms go to slu_msm. Points must have Z = 1, as
 * slu_ristretto_read leaves them. */
void slu_msm_many(struct slu_msm_work *work, struct slu_point *out, const struct slu_point *points,
                  const uint8_t (*scalars32)[32], size_t count, unsigned bits);

#endif
