/* Proofs of knowledge of a logarithm (Schnorr), and that two have the same (Chaum-Pedersen):
 * docs/CRYPTO.md clause 1.4.
 *
 *     make    W = tG  [V = tR]          c = H128(context, W [, V])      z = t + cx      proof = c |
 * z check   W = zG - cX  [V = zR - cD]     the same c?
 *
 * The caller puts everything that the statement is about into the context, a wide hash that is
 * begun and not ended: X, and R and D where there are any. */
#ifndef SLU_CRYPTO_PROOF_H
#define SLU_CRYPTO_PROOF_H

#include "crypto/group.h"
#include "crypto/scalar.h"

#define SLU_PROOF_BYTES 48u

/** Proves knowledge of the secret `x32`, and with `base32` (an element; else NULL) that it is the
 * logarithm there as well. Constant time in `x32`; draws random bytes. */
void slu_proof_make(uint8_t proof48[SLU_PROOF_BYTES], const struct slu_hash *context,
                    const uint8_t x32[32], const uint8_t *base32);
/** Checks a proof for `image` = x G and, unless NULL, `base_image` = x `base`. Any thread. */
bool slu_proof_ok(const uint8_t proof48[SLU_PROOF_BYTES], const struct slu_hash *context,
                  const struct slu_point *image, const struct slu_point *base,
                  const struct slu_point *base_image);

/** The two halves, for proofs with other statements: a nonce from secret, context and fresh random
 * bytes; and the encoding of z base - c image. */
void slu_proof_nonce(uint8_t t32[32], const struct slu_hash *context, const uint8_t *secret,
                     size_t secret_len);
void slu_proof_commitment(uint8_t w32[32], const uint8_t z32[32], const struct slu_point *base,
                          const uint8_t c32[32], const struct slu_point *image);

#endif
