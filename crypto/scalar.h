/* Scalars modulo l, the order of ristretto255: 32 bytes, little-endian, below l. They are added and
 * multiplied with libsodium's constant-time crypto_core_ristretto255_scalar_*; here is how they
 * come about: from outside, from integers, from hashes. Any thread. */
#ifndef SLU_CRYPTO_SCALAR_H
#define SLU_CRYPTO_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/hash.h"

/** H128 of docs/CRYPTO.md clause 1.2 is this long. */
#define SLU_CHALLENGE_BYTES 16u
#define SLU_CHALLENGE_BITS  (8u * SLU_CHALLENGE_BYTES)

/** docs/CRYPTO.md clause 2.2: whether `scalar32` is below l. Variable time. */
bool slu_scalar_canonical(const uint8_t scalar32[32]);
void slu_scalar_of(uint8_t scalar32[32], uint64_t value);

/** Ends a hash that was begun with slu_hash_begin_wide: H_s and H128 of docs/CRYPTO.md clause 1.2.
 */
void slu_hash_end_scalar(struct slu_hash *hash, uint8_t scalar32[32]);
void slu_hash_end_challenge(struct slu_hash *hash, uint8_t scalar32[32]);

#endif
