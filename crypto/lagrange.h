/* Combination of shares: docs/CRYPTO.md clauses 3.2 and 6.1. The coefficients depend only on which
 * k nodes the shares come from, so that they are made once and serve for every ciphertext of a
 * block.
 *
 *     S = sum over the k nodes of coefficient_i D_i,    coefficient_i = (n-1)! prod j / (j - i)
 *
 * Shares are held divided by (n-1)!, which makes the coefficients small integers. Most of their
 * bits they have in common: S is summed with what is left of them and multiplied once by the rest.
 * At n = 31 some 40 of 147 bits are left. Any thread. */
#ifndef SLU_CRYPTO_LAGRANGE_H
#define SLU_CRYPTO_LAGRANGE_H

#include <stdint.h>

#include "base/check.h"
#include "base/limits.h"
#include "crypto/group.h"

struct slu_coefficients {
    uint16_t k;
    unsigned bits;                     /* the longest of the next */
    uint8_t scalar[SLU_NODES_MAX][32]; /* a coefficient divided by what is common to all */
    bool negative[SLU_NODES_MAX];      /* the share is subtracted */
    unsigned common_bits;
    uint8_t common[1][32];
};

/** Coefficients for shares of `nodes` (k different indexes below n, in any order).
 * Errors: MALFORMED for anything else; k 0 or n above SLU_NODES_MAX included. */
SLU_MUST_USE int slu_coefficients_of(struct slu_coefficients *out, const uint16_t *nodes,
                                     uint16_t k, uint16_t n);
/** S from the shares of the nodes, in the order of `nodes`. */
void slu_combine(struct slu_point *out, const struct slu_coefficients *coefficients,
                 const struct slu_point *shares);
/** The same for `count` ciphertexts: shares[i] are those of the i-th node, in the ciphertexts'
 * order. By fours where crypto/lanes.h can. */
void slu_combine_many(struct slu_point *out, const struct slu_coefficients *coefficients,
                      const struct slu_point *const *shares, size_t count);

/** 1/(n-1)! modulo l, by which shares are divided when they are made. */
void slu_share_divisor_inverse(uint8_t scalar32[32], uint16_t n);

#endif
