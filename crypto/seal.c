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

static bool is_key(const struct slu_seal_key *key)
{
    struct slu_point y;
    return slu_ristretto_read(&y, key->y);
}

static int lay_out(struct slu_seal_half *out, uint8_t *body, size_t body_cap,
                   const struct slu_seal_key *key, const struct content *content)
{
    if (content->unlock_kind > SLU_UNLOCK_TIME ||
        (content->unlock_kind == SLU_UNLOCK_NONE && content->unlock))
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

/* False only where r is zero. */
static bool multiply(struct slu_seal_multiples *out, const struct slu_seal_half *half,
                     const struct slu_seal_key *key)
{
    uint8_t bar[32];
    slu_seal_second_generator(bar);
    return !crypto_scalarmult_ristretto255_base(out->r, half->r) &&
           !crypto_scalarmult_ristretto255(out->r_bar, half->r, bar) &&
           !crypto_scalarmult_ristretto255(out->shared, half->r, key->y) &&
           commit(out->w, out->w_bar, bar, half->s);
}

void slu_seal_end(const struct slu_seal_half *half, const struct slu_seal_key *key,
                  const struct slu_seal_multiples *m)
{
    static const uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
    uint8_t k[32], e[32], z[32];
    uint8_t *out = half->proven, *c = out + SLU_SEAL_PROVEN_BYTES;
    const size_t c_len = half->plain_len + SLU_SEAL_TAG_BYTES;
    memcpy(out, m->r, 32);
    memcpy(out + 32, m->r_bar, 32);
    slu_seal_body_key(k, key, m->shared, out, half->lh);
    crypto_aead_xchacha20poly1305_ietf_encrypt(c, NULL, c, half->plain_len, half->lh, 32, NULL,
                                               nonce, k);
    slu_seal_challenge(e, key, half->lh, c, c_len, out, out + 32, m->w, m->w_bar);
    crypto_core_ristretto255_scalar_mul(z, e, half->r);
    crypto_core_ristretto255_scalar_add(z, z, half->s);
    memcpy(out + 64, e, SLU_CHALLENGE_BYTES);
    memcpy(out + 64 + SLU_CHALLENGE_BYTES, z, 32);
    sodium_memzero(k, sizeof k);
}

/* Ends what lay_out began. */
static int finish(struct slu_seal_half *half, const struct slu_seal_key *key, size_t *body_len)
{
    struct slu_seal_multiples multiples;
    bool made = multiply(&multiples, half, key);
    if (made) {
        slu_seal_end(half, key, &multiples);
        *body_len = half->len;
    } else {
        sodium_memzero(half->proven, half->len - SLU_SEAL_HEAD_BYTES);
    }
    sodium_memzero(&multiples, sizeof multiples);
    sodium_memzero(half, sizeof *half);
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
    struct slu_seal_half half;
    struct slu_hash hash;
    int rc = is_key(key) ? lay_out(&half, body, body_cap, key, &content) : SLU_ERR_MALFORMED;
    if (rc)
        return rc;
    slu_hash_begin_wide(&hash, "seal-nonce", key->chain_id);
    slu_hash_add(&hash, seed64, 64);
    slu_hash_add(&hash, half.r, 32);
    slu_hash_end_scalar(&hash, half.s);
    sodium_memzero(&hash, sizeof hash);
    return finish(&half, key, body_len);
}

int slu_seal_again_begin(struct slu_seal_half *half, uint8_t *body, size_t body_cap,
                         const struct slu_seal_key *key, const struct slu_seal_opening *opening)
{
    const struct content content = {.unlock_kind = opening->unlock_kind,
                                    .unlock = opening->unlock,
                                    .valid_until_ms = opening->valid_until_ms,
                                    .rollup = opening->rollup,
                                    .payload = opening->payload,
                                    .payload_len = opening->payload_len,
                                    .rho32 = opening->rho};
    uint8_t e[32] = {0};
    if (!slu_scalar_canonical(opening->z))
        return SLU_ERR_MALFORMED;
    int rc = lay_out(half, body, body_cap, key, &content);
    if (rc)
        return rc;
    memcpy(e, opening->e, SLU_CHALLENGE_BYTES);
    crypto_core_ristretto255_scalar_mul(half->s, e, half->r);
    crypto_core_ristretto255_scalar_sub(half->s, opening->z, half->s);
    return SLU_OK;
}

int slu_seal_again(uint8_t *body, size_t body_cap, size_t *body_len, const struct slu_seal_key *key,
                   const struct slu_seal_opening *opening)
{
    struct slu_seal_half half;
    int rc =
        is_key(key) ? slu_seal_again_begin(&half, body, body_cap, key, opening) : SLU_ERR_MALFORMED;
    return rc ? rc : finish(&half, key, body_len);
}
