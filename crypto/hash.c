#include "crypto/hash.h"

#include <string.h>

#include "base/check.h"

static const char domain[] = "sluice/1/";

static void begin(struct slu_hash *hash, const char *role, const uint8_t chain_id32[32],
                  size_t digest_bytes)
{
    size_t role_len = strlen(role);
    SLU_CHECK(role_len <= 32);
    uint8_t tag_len = (uint8_t)(sizeof domain - 1 + role_len);
    crypto_generichash_init(&hash->state, NULL, 0, digest_bytes);
    slu_hash_add(hash, &tag_len, 1);
    slu_hash_add(hash, domain, sizeof domain - 1);
    slu_hash_add(hash, role, role_len);
    slu_hash_add(hash, chain_id32, 32);
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
