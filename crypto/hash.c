#include "crypto/hash.h"

#include <string.h>

#include "base/check.h"

static const char domain[] = "sluice/1/";

size_t slu_hash_prefix(uint8_t out[SLU_HASH_PREFIX_MAX], const char *role,
                       const uint8_t chain_id32[32])
{
    size_t role_len = strlen(role), tag_len = sizeof domain - 1 + role_len;
    SLU_CHECK(role_len <= 32);
    out[0] = (uint8_t)tag_len;
    memcpy(out + 1, domain, sizeof domain - 1);
    memcpy(out + sizeof domain, role, role_len);
    memcpy(out + 1 + tag_len, chain_id32, 32);
    return 1 + tag_len + 32;
}

void slu_hash_flat(uint8_t digest32[32], const uint8_t *bytes, size_t len)
{
    crypto_generichash(digest32, 32, bytes, len, NULL, 0);
}

static void begin(struct slu_hash *hash, const char *role, const uint8_t chain_id32[32],
                  size_t digest_bytes)
{
    uint8_t prefix[SLU_HASH_PREFIX_MAX];
    crypto_generichash_init(&hash->state, NULL, 0, digest_bytes);
    slu_hash_add(hash, prefix, slu_hash_prefix(prefix, role, chain_id32));
}

void slu_hash_begin(struct slu_hash *hash, const char *role, const uint8_t chain_id32[32])
{
    begin(hash, role, chain_id32, 32);
}

void slu_hash_begin_wide(struct slu_hash *hash, const char *role, const uint8_t chain_id32[32])
{
    begin(hash, role, chain_id32, 64);
}

void slu_hash_add(struct slu_hash *hash, const void *data, size_t len)
{
    crypto_generichash_update(&hash->state, data, len);
}

void slu_hash_end(struct slu_hash *hash, uint8_t digest32[32])
{
    crypto_generichash_final(&hash->state, digest32, 32);
}

void slu_hash_end_wide(struct slu_hash *hash, uint8_t digest64[64])
{
    crypto_generichash_final(&hash->state, digest64, 64);
}

void slu_hash_of(uint8_t digest32[32], const char *role, const uint8_t chain_id32[32],
                 const void *data, size_t len)
{
    struct slu_hash hash;
    slu_hash_begin(&hash, role, chain_id32);
    slu_hash_add(&hash, data, len);
    slu_hash_end(&hash, digest32);
}
