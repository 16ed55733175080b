#include "crypto/proof.h"

#include <string.h>

#include "base/check.h"
#include "crypto/msm.h"
#include "crypto/ristretto.h"

void slu_proof_nonce(uint8_t t32[32], const struct slu_hash *context, const uint8_t *secret,
                     size_t secret_len)
{
    static const uint8_t no_chain[32]; /* the context has it */
    struct slu_hash copy = *context, hash;
    uint8_t context64[64], fresh[32];
    slu_hash_end_wide(&copy, context64);
    randombytes_buf(fresh, sizeof fresh);
    slu_hash_begin_wide(&hash, "proof-nonce", no_chain);
    slu_hash_add(&hash, secret, secret_len);
    slu_hash_add(&hash, context64, sizeof context64);
    slu_hash_add(&hash, fresh, sizeof fresh);
    slu_hash_end_scalar(&hash, t32);
    sodium_memzero(&hash, sizeof hash);
    sodium_memzero(fresh, sizeof fresh);
}

void slu_proof_commitment(uint8_t w32[32], const uint8_t z32[32], const struct slu_point *base,
                          const uint8_t c32[32], const struct slu_point *image)
{
    struct slu_point terms[2] = {*base}, sum;
    uint8_t scalars[2][32];
    slu_point_neg(&terms[1], image);
    memcpy(scalars[0], z32, 32);
    memcpy(scalars[1], c32, 32);
    slu_msm(&sum, terms, (const uint8_t(*)[32])scalars, 2, 253);
    slu_ristretto_write(w32, &sum);
}

void slu_proof_make(uint8_t proof48[SLU_PROOF_BYTES], const struct slu_hash *context,
                    const uint8_t x32[32], const uint8_t *base32)
{
    struct slu_hash hash = *context;
    uint8_t t[32], commitment[32], c[32], z[32];
    slu_proof_nonce(t, context, x32, 32);
    SLU_CHECK(!crypto_scalarmult_ristretto255_base(commitment, t)); /* t = 0: never */
    slu_hash_add(&hash, commitment, 32);
    if (base32) {
        SLU_CHECK(!crypto_scalarmult_ristretto255(commitment, t, base32));
        slu_hash_add(&hash, commitment, 32);
    }
    slu_hash_end_challenge(&hash, c);
    crypto_core_ristretto255_scalar_mul(z, c, x32);
    crypto_core_ristretto255_scalar_add(z, z, t);
    memcpy(proof48, c, SLU_CHALLENGE_BYTES);
    memcpy(proof48 + SLU_CHALLENGE_BYTES, z, 32);
    sodium_memzero(t, sizeof t);
}

bool slu_proof_ok(const uint8_t proof48[SLU_PROOF_BYTES], const struct slu_hash *context,
                  const struct slu_point *image, const struct slu_point *base,
                  const struct slu_point *base_image)
{
    struct slu_hash hash = *context;
    const uint8_t *z32 = proof48 + SLU_CHALLENGE_BYTES;
    uint8_t c[32] = {0}, again[32], commitment[32];
    if (!slu_scalar_canonical(z32))
        return false;
    memcpy(c, proof48, SLU_CHALLENGE_BYTES);
    slu_proof_commitment(commitment, z32, &slu_point_base, c, image);
    slu_hash_add(&hash, commitment, 32);
    if (base) {
        slu_proof_commitment(commitment, z32, base, c, base_image);
        slu_hash_add(&hash, commitment, 32);
    }
    slu_hash_end_challenge(&hash, again);
    return !memcmp(c, again, 32);
}
