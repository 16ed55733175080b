/* Sealing a transaction so that only k nodes together can open it: TDH2 with a re-encryption check,
 * docs/CRYPTO.md clause 4. This is the client's half, and what both halves share; crypto/sealed.h
 * checks and opens. Keys, unlocks and openings are the types of sluice/seal.h.
 *
 *     M = rollup, payload, zeros up to a bucket          rho = 32 random bytes
 *     r = H_s(key, label, rho, M)    R = rG    R' = rG'   S = rY   (G': the second generator)
 *     c = AEAD(H(S, R, label), rho | M)          (e, z) proves R and R' have one r, and binds c
 *
 *     body of the envelope = version | suite | key_id | unlock kind | unlock | R | R' | e | z | c
 *
 * Constant time in r, s and rho. Any thread. */
#ifndef SLU_CRYPTO_SEAL_H
#define SLU_CRYPTO_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/limits.h"
#include "crypto/scalar.h"
#include "sluice/seal.h"

#define SLU_SEAL_VERSION      1u
#define SLU_SEAL_SUITE        1u
#define SLU_RHO_BYTES         32u
#define SLU_SEAL_TAG_BYTES    16u
#define SLU_SEAL_HEAD_BYTES   43u  /* version .. unlock */
#define SLU_SEAL_PROVEN_BYTES 112u /* R, R', e, z */
#define SLU_SEALED_FORM_BYTES 13u  /* kind, rollup, length: M before its payload */
/** rho and M, as they are inside c. */
#define SLU_SEALED_PLAIN_MAX (SLU_RHO_BYTES + SLU_SEALED_MESSAGE_BYTES_MAX)
/** A whole sealed body. */
#define SLU_SEALED_BYTES_MAX                                                                       \
    (SLU_SEAL_HEAD_BYTES + SLU_SEAL_PROVEN_BYTES + SLU_SEAL_TAG_BYTES + SLU_SEALED_PLAIN_MAX)

/** docs/CRYPTO.md clause 4.1. */
struct slu_label {
    uint8_t unlock_kind; /* enum slu_unlock */
    uint64_t unlock;
    uint64_t valid_until_ms;
    uint32_t body_bytes; /* of c */
};

/** key_id of the key `y32` that the key generation `sid32` made (docs/CRYPTO.md clause 3.3). */
void slu_seal_key_id(uint8_t key_id32[32], const uint8_t chain_id32[32], const uint8_t y32[32],
                     const uint8_t sid32[32]);
/** The second generator (docs/CRYPTO.md clause 1.1). */
void slu_seal_second_generator(uint8_t element32[32]);

/** The bucket for a payload, as bytes of M (docs/CRYPTO.md clause 4.2); 0 when it is too long for
 * any. */
uint32_t slu_seal_bucket(size_t payload_len);
/** Whether a bucket has `bytes` bytes. */
bool slu_seal_is_bucket(size_t bytes);

/** Seals `payload` for `rollup` into `body`, which has room for `body_cap` bytes; writes
 * SLU_SEAL_HEAD_BYTES + SLU_SEAL_PROVEN_BYTES + 48 + bucket bytes and says how many. `seed64` are
 * 64 secret random bytes, used for this and nothing else; the first 32 are rho. Errors: LIMIT (too
 * long for a bucket, or for `body_cap`), MALFORMED (an unknown unlock kind, an unlock without a
 * kind, a key that is no element). */
SLU_MUST_USE int slu_seal(uint8_t *body, size_t body_cap, size_t *body_len,
                          const struct slu_seal_key *key, enum slu_unlock unlock_kind,
                          uint64_t unlock, uint64_t valid_until_ms, uint64_t rollup,
                          const uint8_t *payload, size_t payload_len, const uint8_t seed64[64]);

/** docs/CRYPTO.md clause 6.4: seals again what an opening shows, to compare the outcome with what was
 * ordered. No invalid body comes out of it: where (e, z) proves nothing, another proof comes out. Room
 * and errors as for slu_seal, and MALFORMED for a z that is no scalar. `opening->key_id` is not looked
 * at. */
SLU_MUST_USE int slu_seal_again(uint8_t *body, size_t body_cap, size_t *body_len,
                                const struct slu_seal_key *key,
                                const struct slu_seal_opening *opening);

/* ---- shared with crypto/sealed.h ---- */

/** A body half done, rho | M standing where c will, with the scalars that it takes. */
struct slu_seal_half {
    uint8_t *proven; /* R, R', e, z, then c */
    size_t plain_len, len;
    uint8_t lh[32], r[32], s[32];
};
/** What the curve is needed for: r G, r times the second generator, r Y, and s times both
 * generators. */
struct slu_seal_multiples {
    uint8_t r[32], r_bar[32], shared[32], w[32], w_bar[32];
};
/** slu_seal_again up to the multiples, and from there. The key must be one. */
SLU_MUST_USE int slu_seal_again_begin(struct slu_seal_half *half, uint8_t *body, size_t body_cap,
                                      const struct slu_seal_key *key,
                                      const struct slu_seal_opening *opening);
void slu_seal_end(const struct slu_seal_half *half, const struct slu_seal_key *key,
                  const struct slu_seal_multiples *multiples);

/** lh (docs/CRYPTO.md clause 4.1). */
void slu_label_hash(uint8_t lh32[32], const struct slu_seal_key *key,
                    const struct slu_label *label);
/** r and K (docs/CRYPTO.md clause 4.3). `message` is M with its padding. */
void slu_seal_scalar(uint8_t r32[32], const struct slu_seal_key *key, const uint8_t lh32[32],
                     const uint8_t rho32[32], const uint8_t *message, size_t message_len);
void slu_seal_body_key(uint8_t k32[32], const struct slu_seal_key *key, const uint8_t s32[32],
                       const uint8_t r32[32], const uint8_t lh32[32]);
/** e (docs/CRYPTO.md clause 4.4) from the two commitments. */
void slu_seal_challenge(uint8_t e32[32], const struct slu_seal_key *key, const uint8_t lh32[32],
                        const uint8_t *c, size_t c_len, const uint8_t r32[32],
                        const uint8_t r_bar32[32], const uint8_t w32[32],
                        const uint8_t w_bar32[32]);

#endif
