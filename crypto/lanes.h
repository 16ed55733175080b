/* Four results for the price of less than two: what a batch of ciphertexts needs, computed side by
 * side in the lanes of vector registers (AVX2). Only where slu_lanes_on says so may anything else
 * here be called: callers have a way without, which gives the same results, and choose.
 *
 *     roots of crypto/field.c ─▶ slu_lanes_power
 *     slu_shares_compute      ─▶ slu_lanes_shares
 *     slu_fixed_sums          ─▶ slu_lanes_fixed      z B_i - e P_i, B_i with a table
 *     signatures of known keys ─▶ slu_lanes_fixed_sum
 *     slu_combine_many        ─▶ slu_lanes_msm        four sums with the same scalars
 *     slu_msm_many            ─▶ slu_lanes_windows    four windows of one sum
 *
 * Why: docs/CRYPTO.md clause 8.4. Any thread; no allocation. Lanes never mix, so that a lane nobody
 * needs may hold anything; by custom a repetition of lane 0. */
#ifndef SLU_CRYPTO_LANES_H
#define SLU_CRYPTO_LANES_H

#include "crypto/fixed_base.h"
#include "crypto/group.h"
#include "crypto/msm.h"

#define SLU_LANES 4u

/** Whether this machine has what it takes, and nobody has turned it off. */
bool slu_lanes_on(void);
/** For tests and measurements of the other way; before there are threads. */
void slu_lanes_turn_off(bool off);

/** a^((p-5)/8) of four elements, in constant time. `a` loose; `out` may be `a`. */
void slu_lanes_power(struct slu_fe out[SLU_LANES], const struct slu_fe a[SLU_LANES]);

/** The encodings of scalar * points[i]. Constant time in `scalar32` (below l): no branch and no
 * address depends on it or on what is computed with it, up to the encodings, which are public. */
void slu_lanes_shares(uint8_t (*out32)[32], const struct slu_point points[SLU_LANES],
                      const uint8_t scalar32[32]);

/** z[i] * bases[i] - e[i] * images[i], e of 16 bytes; without images only the first term. */
void slu_lanes_fixed(struct slu_point out[SLU_LANES],
                     const struct slu_fixed_base *const bases[SLU_LANES],
                     const uint8_t *const z32[SLU_LANES], const uint8_t *const e16[SLU_LANES],
                     const struct slu_point *images);

/** The sum of what both tables add for their digits. */
void slu_lanes_fixed_sum(struct slu_point *out, const struct slu_fixed_base *a,
                         const struct slu_fixed_digits *a_digits, const struct slu_fixed_base *b,
                         const struct slu_fixed_digits *b_digits);

/** out[lane] = sum of scalars[i] * points[i][lane] over `count` terms, at most SLU_MSM_RUN_MAX, of
 * scalars below 2^bits. */
void slu_lanes_msm(struct slu_point out[SLU_LANES], const struct slu_point (*points)[SLU_LANES],
                   const uint8_t (*scalars32)[32], size_t count, unsigned bits);

/** What slu_msm_many computes window by window, for windows first .. first + lanes - 1 of the same
 * terms: out[lane] = sum of digit * point. Window bits are at most SLU_LANES_WINDOW_BITS_MAX; those
 * for `count` terms are slu_lanes_window_bits. */
#define SLU_LANES_WINDOW_BITS_MAX 7u
unsigned slu_lanes_window_bits(size_t count);
void slu_lanes_windows(struct slu_point out[SLU_LANES], const struct slu_msm_term *terms,
                       size_t count, unsigned window_bits, unsigned first, unsigned lanes);

#endif
