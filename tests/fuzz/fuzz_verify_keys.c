/* Ed25519 over a known key: the same verdict as libsodium, whatever the bytes are.
 *
 *     input: mode u8 | key seed or key 32 | digest 32 | r 32 | s 32 | mask u8 | masked bytes (at,
 * value)
 *
 * mode bit 0: the key is the input's bytes instead of a good one from the seed; bit 1: the
 * signature is (r, s) instead of a good one; bits 2 and 3: A, R get a point of small order added;
 * bits 4..7: which one. Then bytes of the signature are changed. */
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "crypto/verify_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Points whose order divides 8, as libsodium's addition takes them. */
static const uint8_t small_order[8][32] = {
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0},
    {[31] = 0x80},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x85},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0xfa},
};

static void reduce(uint8_t scalar32[32], const uint8_t bytes32[32])
{
    uint8_t wide[64] = {0};
    memcpy(wide, bytes32, 32);
    crypto_core_ed25519_scalar_reduce(scalar32, wide);
}

/* s = r + h a for what is in R, A and the digest now. */
static void answer(uint8_t signature64[64], const uint8_t public32[32], const uint8_t digest32[32],
                   const uint8_t r32[32], const uint8_t a32[32])
{
    crypto_hash_sha512_state hash;
    uint8_t h[64];
    crypto_hash_sha512_init(&hash);
    crypto_hash_sha512_update(&hash, signature64, 32);
    crypto_hash_sha512_update(&hash, public32, 32);
    crypto_hash_sha512_update(&hash, digest32, 32);
    crypto_hash_sha512_final(&hash, h);
    crypto_core_ed25519_scalar_reduce(h, h);
    crypto_core_ed25519_scalar_mul(signature64 + 32, h, a32);
    crypto_core_ed25519_scalar_add(signature64 + 32, signature64 + 32, r32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SLU_CHECK(sodium_init() >= 0);
    uint8_t public32[1][32], digest[32], r[32], s[32], signature[64], a[32];
    struct slu_reader in = slu_reader_of(data, size);
    uint8_t mode = slu_read_u8(&in);
    slu_read_copy(&in, public32[0], 32);
    slu_read_copy(&in, digest, 32);
    slu_read_copy(&in, r, 32);
    slu_read_copy(&in, s, 32);
    if (in.failed)
        return 0;
    memcpy(signature, r, 32);
    memcpy(signature + 32, s, 32);
    reduce(a, public32[0]);
    if (!(mode & 1) && crypto_scalarmult_ed25519_base_noclamp(public32[0], a))
        return 0;
    if (mode & 4)
        (void)crypto_core_ed25519_add(public32[0], public32[0], small_order[mode >> 4 & 7]);
    if (!(mode & 2)) {
        reduce(r, r);
        if (crypto_scalarmult_ed25519_base_noclamp(signature, r))
            return 0;
        if (mode & 8)
            (void)crypto_core_ed25519_add(signature, signature, small_order[mode >> 5 & 7]);
        answer(signature, public32[0], digest, r, a);
    }
    while (slu_reader_left(&in) >= 2) {
        uint8_t at = slu_read_u8(&in) % 64;
        signature[at] = slu_read_u8(&in);
    }
    struct slu_verify_keys *keys = slu_verify_keys_new((const uint8_t(*)[32])public32, 1);
    SLU_CHECK(keys);
    struct slu_verify_item item = {.digest32 = digest, .signature64 = signature};
    bool theirs = !crypto_sign_verify_detached(signature, digest, 32, public32[0]), all;
    SLU_CHECK(slu_verify_keys_ok(keys, 0, digest, signature) == theirs);
    slu_verify_keys_all(keys, &all, &item, 1);
    SLU_CHECK(all == theirs);
    slu_verify_keys_free(keys);
    return 0;
}
