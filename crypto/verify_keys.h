/* Ed25519 verification for a known set of keys, several times as fast as libsodium's: every key
 * gets a table of its multiples once, so that a check is additions only, no doublings, and decodes
 * no point.
 *
 *     s < l, R and A good       refused as libsodium refuses
 *     h  = SHA-512(R | A | m) mod l
 *     R' = s B + h (-A)         B's table and A's table (crypto/fixed_base.h), four entries at a
 *                               time where the machine can (crypto/lanes.h)
 *     accept when the encoding of R' is R, byte for byte
 *
 * All nodes must agree on every signature, so this accepts and refuses exactly what
 * crypto_sign_verify_detached of libsodium 1.0.18 does: no cofactor; s not below l, a key that is
 * not canonical, not on the curve or of small order, and an R of small order are refused; a key of
 * mixed order is not. tests/unit/test_crypto_verify_keys.c and tests/fuzz/fuzz_verify_keys.c
 * compare the two.
 *
 * Memory: about 165 KB per key and 0.5 MB for B's table. Making it takes about 2 ms per key. All is
 * public data; a set is immutable after it was made and may be used from any thread. */
#ifndef SLU_CRYPTO_VERIFY_KEYS_H
#define SLU_CRYPTO_VERIFY_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slu_verify_keys;

struct slu_verify_item {
    const uint8_t *digest32;
    const uint8_t *signature64;
    uint16_t index;
};

/** A set of `count` keys. A key that libsodium would refuse is kept, and refuses every signature.
 * NULL when memory is refused. */
struct slu_verify_keys *slu_verify_keys_new(const uint8_t (*public32)[32], uint16_t count);
void slu_verify_keys_free(struct slu_verify_keys *keys);

/** Whether `signature64` is that of key `index` over the 32 bytes `digest32`. An index that is not
 * in the set: false. */
bool slu_verify_keys_ok(const struct slu_verify_keys *keys, uint16_t index,
                        const uint8_t digest32[32], const uint8_t signature64[64]);

/** The same over a message of any length. */
bool slu_verify_keys_message_ok(const struct slu_verify_keys *keys, uint16_t index,
                                const uint8_t *message, size_t message_len,
                                const uint8_t signature64[64]);

/** ok[i] = slu_verify_keys_ok of item i; saves a fifth of each by sharing an inversion. Any count.
 */
void slu_verify_keys_all(const struct slu_verify_keys *keys, bool *ok,
                         const struct slu_verify_item *items, size_t count);

#endif
