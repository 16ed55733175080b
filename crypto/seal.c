#include "crypto/seal.h"

#include <string.h>

#include "base/bytes.h"
#include "crypto/ristretto.h"
#include "sluice/error.h"

void slu_seal_key_id(uint8_t key_id32[32], const uint8_t chain_id32[32], const uint8_t y32[32],
                     const uint8_t sid32[32])
{
    struct slu_hash hash;
    slu_hash_begin(&hash, "key-id", chain_id32);
    slu_hash_add(&hash, y32, 32);
    slu_hash_add(&hash, sid32, 32);
    slu_hash_end(&hash, key_id32);
}

void slu_seal_second_generator(uint8_t element32[32])
{
    static const char name[] = "sluice/1/tdh2/gbar";
    uint8_t wide[64];
    crypto_hash_sha512(wide, (const uint8_t *)name, sizeof name - 1);
    crypto_core_ristretto255_from_hash(element32, wide);
}

uint32_t slu_seal_bucket(size_t payload_len)
{
    if (payload_len > SLU_SEALED_MESSAGE_BYTES_MAX - SLU_SEALED_FORM_BYTES)
        return 0;
    size_t bytes = payload_len + SLU_SEALED_FORM_BYTES;
    for (uint32_t bucket = 128;; bucket *= 2) {
        if (bytes <= bucket)
            return bucket;
        if (bytes <= bucket + bucket / 2)
            return bucket + bucket / 2;
    }
}

bool slu_seal_is_bucket(size_t bytes)
{
    return bytes >= SLU_SEALED_FORM_BYTES && bytes <= SLU_SEALED_MESSAGE_BYTES_MAX &&
           slu_seal_bucket(bytes - SLU_SEALED_FORM_BYTES) == bytes;
}

void slu_label_hash(uint8_t lh32[32], const struct slu_seal_key *key, const struct slu_label *label)
{
    uint8_t bytes[2 + 32 + 32 + 1 + 8 + 8 + 4];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u8(&w, SLU_SEAL_VERSION);
    slu_write_u8(&w, SLU_SEAL_SUITE);
    slu_write_bytes(&w, key->chain_id, 32);
    slu_write_bytes(&w, key->key_id, 32);
    slu_write_u8(&w, label->unlock_kind);
    slu_write_u64(&w, label->unlock);
    slu_write_u64(&w, label->valid_until_ms);
    slu_write_u32(&w, label->body_bytes);
    slu_hash_of(lh32, "seal-label", key->chain_id, bytes, slu_writer_len(&w));
}

void slu_seal_scalar(uint8_t r32[32], const struct slu_seal_key *key, const uint8_t lh32[32],
                     const uint8_t rho32[32], const uint8_t *message, size_t message_len)
{
    uint8_t message32[32];
    struct slu_hash hash;
    slu_hash_of(message32, "seal-message", key->chain_id, message, message_len);
    slu_hash_begin_wide(&hash, "seal-r", key->chain_id);
    slu_hash_add(&hash, key->key_id, 32);
    slu_hash_add(&hash, lh32, 32);
    slu_hash_add(&hash, rho32, 32);
    slu_hash_add(&hash, message32, 32);
    slu_hash_end_scalar(&hash, r32);
    sodium_memzero(&hash, sizeof hash);
}

void slu_seal_body_key(uint8_t k32[32], const struct slu_seal_key *key, const uint8_t s32[32],
                       const uint8_t r32[32], const uint8_t lh32[32])
{
    struct slu_hash hash;
    slu_hash_begin(&hash, "seal-key", key->chain_id);
    slu_hash_add(&hash, s32, 32);
    slu_hash_add(&hash, r32, 32);
    slu_hash_add(&hash, lh32, 32);
    slu_hash_add(&hash, key->key_id, 32);
    slu_hash_end(&hash, k32);
    sodium_memzero(&hash, sizeof hash);
}

void slu_seal_challenge(uint8_t e32[32], const struct slu_seal_key *key, const uint8_t lh32[32],
                        const uint8_t *c, size_t c_len, const uint8_t r32[32],
                        const uint8_t r_bar32[32], const uint8_t w32[32], const uint8_t w_bar32[32])
{
    uint8_t body32[32];
    struct slu_hash hash;
    slu_hash_of(body32, "seal-body", key->chain_id, c, c_len);
    slu_hash_begin_wide(&hash, "seal-proof", key->chain_id);
    slu_hash_add(&hash, key->key_id, 32);
    slu_hash_add(&hash, key->y, 32);
    slu_hash_add(&hash, lh32, 32);
    slu_hash_add(&hash, body32, 32);
    slu_hash_add(&hash, r32, 32);
    slu_hash_add(&hash, r_bar32, 32);
    slu_hash_add(&hash, w32, 32);
    slu_hash_add(&hash, w_bar32, 32);
    slu_hash_end_challenge(&hash, e32);
}

/* What a body is made of, beside its key and the nonce of its proof. */
struct content {
    enum slu_unlock unlock_kind;
    uint64_t unlock, valid_until_ms, rollup;
    const uint8_t *payload;
    size_t payload_len;
    const uint8_t *rho32;
};

/* A body half done: rho | M stands where c will. */
struct laid_out {
    uint8_t *proven; /* R, R', e, z, then c */
    size_t plain_len, len;
    uint8_t lh[32], r[32];
};

static int lay_out(struct laid_out *out, uint8_t *body, size_t body_cap,
                   const struct slu_seal_key *key, const struct content *content)
{
    struct slu_point y;
    if (content->unlock_kind > SLU_UNLOCK_TIME ||
        (content->unlock_kind == SLU_UNLOCK_NONE && content->unlock) ||
        !slu_ristretto_read(&y, key->y))
        return SLU_ERR_MALFORMED;
    const uint32_t bucket = slu_seal_bucket(content->payload_len);
    out->plain_len = SLU_RHO_BYTES + (size_t)bucket;
    out->len = SLU_SEAL_HEAD_BYTES + SLU_SEAL_PROVEN_BYTES + out->plain_len + SLU_SEAL_TAG_BYTES;
    if (!bucket || out->len > body_cap)
        return SLU_ERR_LIMIT;
    const struct slu_label label = {.unlock_kind = (uint8_t)content->unlock_kind,
                                    .unlock = content->unlock,
                                    .valid_until_ms = content->valid_until_ms,
                                    .body_bytes = (uint32_t)(out->plain_len + SLU_SEAL_TAG_BYTES)};
    slu_label_hash(out->lh, key, &label);
    struct slu_writer w = slu_writer_of(body, body_cap);
    slu_write_u8(&w, SLU_SEAL_VERSION);
    slu_write_u8(&w, SLU_SEAL_SUITE);
    slu_write_bytes(&w, key->key_id, 32);
    slu_write_u8(&w, label.unlock_kind);
    slu_write_u64(&w, label.unlock);
    out->proven = w.at;
    memset(out->proven, 0, out->len - SLU_SEAL_HEAD_BYTES);
    w.at += SLU_SEAL_PROVEN_BYTES;
    const uint8_t *plain = w.at;
    slu_write_bytes(&w, content->rho32, SLU_RHO_BYTES);
    slu_write_u8(&w, 0);
    slu_write_u64(&w, content->rollup);
    slu_write_u32(&w, (uint32_t)content->payload_len);
    slu_write_bytes(&w, content->payload, content->payload_len);
    SLU_CHECK(!w.failed);
    slu_seal_scalar(out->r, key, out->lh, plain, plain + SLU_RHO_BYTES,
                    out->plain_len - SLU_RHO_BYTES);
    return SLU_OK;
}

/* sG and s times `bar`. Nobody draws s = 0, but who follows no rule may have proven with it: then
 * both are the identity, whose encoding is zero and which libsodium does not hand out. */
static bool commit(uint8_t w32[32], uint8_t w_bar32[32], const uint8_t bar32[32],
                   const uint8_t s32[32])
{
    memset(w32, 0, 32);
    memset(w_bar32, 0, 32);
    return sodium_is_zero(s32, 32) || (!crypto_scalarmult_ristretto255_base(w32, s32) &&
                                       !crypto_scalarmult_ristretto255(w_bar32, s32, bar32));
}

/* R, R', e, z and c. False only where r is zero. */
static bool encrypt(struct laid_out *body, const struct slu_seal_key *key, const uint8_t s32[32])
{
    static const uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
    uint8_t shared[32], k[32], bar[32], w[32], w_bar[32], e[32], z[32];
    uint8_t *out = body->proven, *c = out + SLU_SEAL_PROVEN_BYTES;
    const size_t c_len = body->plain_len + SLU_SEAL_TAG_BYTES;
    slu_seal_second_generator(bar);
    bool made = !crypto_scalarmult_ristretto255_base(out, body->r) &&
                !crypto_scalarmult_ristretto255(out + 32, body->r, bar) &&
                !crypto_scalarmult_ristretto255(shared, body->r, key->y) &&
                commit(w, w_bar, bar, s32);
    if (made) {
        slu_seal_body_key(k, key, shared, out, body->lh);
        crypto_aead_xchacha20poly1305_ietf_encrypt(c, NULL, c, body->plain_len, body->lh, 32, NULL,
                                                   nonce, k);
        slu_seal_challenge(e, key, body->lh, c, c_len, out, out + 32, w, w_bar);
        crypto_core_ristretto255_scalar_mul(z, e, body->r);
        crypto_core_ristretto255_scalar_add(z, z, s32);
        memcpy(out + 64, e, SLU_CHALLENGE_BYTES);
        memcpy(out + 64 + SLU_CHALLENGE_BYTES, z, 32);
    }
    sodium_memzero(shared, sizeof shared);
    sodium_memzero(k, sizeof k);
    return made;
}

/* Ends what lay_out began. */
static int finish(struct laid_out *body, const struct slu_seal_key *key, uint8_t s32[32],
                  size_t *body_len)
{
    bool made = encrypt(body, key, s32);
    if (made)
        *body_len = body->len;
    else
        sodium_memzero(body->proven, body->len - SLU_SEAL_HEAD_BYTES);
    sodium_memzero(body->r, sizeof body->r);
    sodium_memzero(s32, 32);
    return made ? SLU_OK : SLU_ERR_MALFORMED;
}

int slu_seal(uint8_t *body, size_t body_cap, size_t *body_len, const struct slu_seal_key *key,
             enum slu_unlock unlock_kind, uint64_t unlock, uint64_t valid_until_ms, uint64_t rollup,
             const uint8_t *payload, size_t payload_len, const uint8_t seed64[64])
{
    const struct content content = {.unlock_kind = unlock_kind,
                                    .unlock = unlock,
                                    .valid_until_ms = valid_until_ms,
                                    .rollup = rollup,
                                    .payload = payload,
                                    .payload_len = payload_len,
                                    .rho32 = seed64};
    struct laid_out half;
    struct slu_hash hash;
    uint8_t s[32];
    int rc = lay_out(&half, body, body_cap, key, &content);
    if (rc)
        return rc;
    slu_hash_begin_wide(&hash, "seal-nonce", key->chain_id);
    slu_hash_add(&hash, seed64, 64);
    slu_hash_add(&hash, half.r, 32);
    slu_hash_end_scalar(&hash, s);
    sodium_memzero(&hash, sizeof hash);
    return finish(&half, key, s, body_len);
}

int slu_seal_again(uint8_t *body, size_t body_cap, size_t *body_len, const struct slu_seal_key *key,
                   const struct slu_seal_opening *opening)
{
    const struct content content = {.unlock_kind = opening->unlock_kind,
                                    .unlock = opening->unlock,
                                    .valid_until_ms = opening->valid_until_ms,
                                    .rollup = opening->rollup,
                                    .payload = opening->payload,
                                    .payload_len = opening->payload_len,
                                    .rho32 = opening->rho};
    struct laid_out half;
    uint8_t e[32] = {0}, s[32];
    if (!slu_scalar_canonical(opening->z))
        return SLU_ERR_MALFORMED;
    int rc = lay_out(&half, body, body_cap, key, &content);
    if (rc)
        return rc;
    memcpy(e, opening->e, SLU_CHALLENGE_BYTES);
    crypto_core_ristretto255_scalar_mul(s, e, half.r);
    crypto_core_ristretto255_scalar_sub(s, opening->z, s);
    return finish(&half, key, s, body_len);
}
