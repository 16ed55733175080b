/* Sums with a table (crypto/fixed_base.h), many at once: commitments z B - e P of proofs, and
 * multiples z B. For PUBLIC scalars. Any thread; no allocation. */
#ifndef SLU_CRYPTO_FIXED_SUMS_H
#define SLU_CRYPTO_FIXED_SUMS_H

#include "crypto/fixed_base.h"

struct slu_fixed_sum {
    const struct slu_fixed_base *base; /* B; all of a call have windows of the same size */
    const uint8_t *z32;                /* below 2^253 */
    const uint8_t *e16;
    const struct slu_point *image; /* P; NULL in all of a call for no second term */
};

/** out[i] = z B - e P of sums[i]; by fours where crypto/lanes.h can. */
void slu_fixed_sums(struct slu_point *out, const struct slu_fixed_sum *sums, size_t count);

#endif
