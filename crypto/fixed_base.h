/* Multiples of one point by a table, for PUBLIC scalars: no doublings, one mixed addition per
 * window.
 *
 * A scalar below 2^253 is written in signed digits of w bits; entry j of window i is (j+1) 2^(w i)
 * P:
 *
 *     s P = sum over i of digit_i 2^(w i) P,     |digit_i| <= 2^(w-1)
 *
 *     w           5     6     7     8
 *     additions  51    43    37    32
 *     bytes     98k  165k  284k  492k
 *
 * Digits are made before the sum is, so that the processor fetches the entries of a table that is
 * larger than its near caches while other work goes on.
 *
 * A table is immutable after it was made: any thread. */
#ifndef SLU_CRYPTO_FIXED_BASE_H
#define SLU_CRYPTO_FIXED_BASE_H

#include "crypto/group.h"

#define SLU_WINDOW_BITS_MIN 5u
#define SLU_WINDOW_BITS_MAX 8u
#define SLU_WINDOWS_MAX     51u

struct slu_fixed_base;

struct slu_fixed_digits {
    int16_t digit[SLU_WINDOWS_MAX];
};

/** The table of `base`, any point of the curve, with windows of `window_bits` (SLU_WINDOW_BITS_MIN
 * .. MAX). Takes about a millisecond. NULL when memory is refused. */
struct slu_fixed_base *slu_fixed_base_new(const struct slu_point *base, unsigned window_bits);
void slu_fixed_base_free(struct slu_fixed_base *table);
/** What a table of `window_bits` takes. */
size_t slu_fixed_base_bytes(unsigned window_bits);
/** The same in memory of slu_fixed_base_bytes that the caller owns (16-byte aligned). */
struct slu_fixed_base *slu_fixed_base_init(void *memory, const struct slu_point *base,
                                           unsigned window_bits);

/** The digits of `scalar32` (little-endian, below 2^253) for `table`; starts fetching its entries.
 */
void slu_fixed_base_digits(struct slu_fixed_digits *out, const struct slu_fixed_base *table,
                           const uint8_t scalar32[32]);
/** sum += digits P. */
void slu_fixed_base_add(struct slu_point *sum, const struct slu_fixed_base *table,
                        const struct slu_fixed_digits *digits);

/** A table as crypto/lanes.h reads it: (j+1) 2^(w i) P is entries[i * half + j]. */
struct slu_fixed_entries {
    const struct slu_niels *entries;
    unsigned windows;
    size_t half;
};
struct slu_fixed_entries slu_fixed_base_entries(const struct slu_fixed_base *table);

#endif
