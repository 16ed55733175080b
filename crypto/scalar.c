#include "crypto/scalar.h"

#include <string.h>

bool slu_scalar_canonical(const uint8_t scalar32[32])
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    for (int i = 31; i >= 0; i--)
        if (scalar32[i] != order[i])
            return scalar32[i] < order[i];
    return false;
}

void slu_scalar_of(uint8_t scalar32[32], uint64_t value)
{
    memset(scalar32, 0, 32);
    for (int i = 0; i < 8; i++)
        scalar32[i] = (uint8_t)(value >> 8 * i);
}

void slu_hash_end_scalar(struct slu_hash *hash, uint8_t scalar32[32])
{
    uint8_t wide[64];
    slu_hash_end_wide(hash, wide);
    crypto_core_ristretto255_scalar_reduce(scalar32, wide);
    sodium_memzero(wide, sizeof wide);
}

void slu_hash_end_challenge(struct slu_hash *hash, uint8_t scalar32[32])
{
    uint8_t wide[64];
    slu_hash_end_wide(hash, wide);
    memset(scalar32, 0, 32);
    memcpy(scalar32, wide, SLU_CHALLENGE_BYTES);
}
