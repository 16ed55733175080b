/* ristretto255 (RFC 9496): the group of prime order l in which sealing happens, as encodings of
 * points of edwards25519. Every element that comes from outside enters through here
 * (docs/CRYPTO.md clause 2.1), scalars through crypto/scalar.h: libsodium 1.0.18 also takes
 * encodings with bit 255 set and the identity, and another version would refuse them, which would
 * split the chain.
 *
 * Four points of the curve stand for one element, so that elements are compared with
 * slu_ristretto_equal only. Public data: variable time. Any thread. */
#ifndef SLU_CRYPTO_RISTRETTO_H
#define SLU_CRYPTO_RISTRETTO_H

#include "crypto/group.h"

/** docs/CRYPTO.md clause 2.1: reads the one encoding of an element that is not the identity, with Z
 * = 1. False for anything else, and then `out` is undefined. */
bool slu_ristretto_read(struct slu_point *out, const uint8_t bytes32[32]);
/** The encoding of the element that `a` stands for. */
void slu_ristretto_write(uint8_t bytes32[32], const struct slu_point *a);
/** Both of `count` at once, which is cheaper by the dozen; ok[i] is what slu_ristretto_read says.
 */
void slu_ristretto_read_many(bool *ok, struct slu_point *out, const uint8_t *const *encodings32,
                             size_t count);
void slu_ristretto_write_many(uint8_t (*out32)[32], const struct slu_point *points, size_t count);
bool slu_ristretto_equal(const struct slu_point *a, const struct slu_point *b);

#endif
