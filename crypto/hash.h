/* BLAKE2b-256 with domain separation. Everything that Sluice hashes or signs starts with the tag
 * "sluice/1/" role and the 32-byte chain id, so that bytes made for one purpose or one chain mean
 * nothing for another (docs/PROTOCOL.md clause 1.4).
 *
 *     digest = BLAKE2b-256( len(tag) as u8 | "sluice/1/" role | chain_id32 | parts ... ) */
#ifndef SLU_CRYPTO_HASH_H
#define SLU_CRYPTO_HASH_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

struct slu_hash {
    crypto_generichash_state state;
};

/** Starts a hash for `role` (at most 32 characters) on the chain `chain_id32`. */
void slu_hash_begin(struct slu_hash *hash, const char *role, const uint8_t chain_id32[32]);
void slu_hash_add(struct slu_hash *hash, const void *data, size_t len);
void slu_hash_end(struct slu_hash *hash, uint8_t digest32[32]);

/** The same with 64 bytes of output, for what becomes a scalar (crypto/scalar.h). */
void slu_hash_begin_wide(struct slu_hash *hash, const char *role, const uint8_t chain_id32[32]);
void slu_hash_end_wide(struct slu_hash *hash, uint8_t digest64[64]);

/** begin, add and end in one call over one buffer. */
void slu_hash_of(uint8_t digest32[32], const char *role, const uint8_t chain_id32[32],
                 const void *data, size_t len);

/* Short inputs by the thousand (the leaves of trees): the prefix is copied instead of streamed, and
 * all of it is one buffer, which hashes twice as fast. */
#define SLU_HASH_PREFIX_MAX (1u + 9u + 32u + 32u)
/** Writes what slu_hash_begin hashes first and returns its length; the input follows behind it. */
size_t slu_hash_prefix(uint8_t out[SLU_HASH_PREFIX_MAX], const char *role,
                       const uint8_t chain_id32[32]);
/** The digest of prefix and input together. */
void slu_hash_flat(uint8_t digest32[32], const uint8_t *bytes, size_t len);

#endif
