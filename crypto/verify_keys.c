#include "crypto/verify_keys.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/fixed_base.h"
#include "crypto/lanes.h"
#include "crypto/scalar.h"

#define KEY_WINDOW_BITS  6u
#define BASE_WINDOW_BITS 8u
#define ITEMS_AT_ONCE    32u

struct key {
    uint8_t public32[32];
    struct slu_fixed_base *minus_a; /* NULL: a key that refuses everything */
};

struct slu_verify_keys {
    struct slu_fixed_base *base;
    uint16_t count;
    struct key keys[];
};

/* The canonical y of the eight points whose order divides 8: 1 and -1 (orders 1, 2), 0 (order 4)
 * and the two roots of d y^4 + 2 y^2 = 1 (order 8). */
static const uint8_t small_order_y[5][32] = {
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

static bool small_order(const uint8_t y32[32])
{
    for (size_t i = 0; i < sizeof small_order_y / sizeof *small_order_y; i++)
        if (!memcmp(y32, small_order_y[i], 31) && (y32[31] & 0x7f) == small_order_y[i][31])
            return true;
    return false;
}

static int make_key(struct key *key, const uint8_t public32[32])
{
    struct slu_point a;
    memcpy(key->public32, public32, 32);
    if (!slu_fe_canonical(public32) || small_order(public32) ||
        !slu_point_read_ed25519(&a, public32))
        return 0;
    slu_point_neg(&a, &a);
    key->minus_a = slu_fixed_base_new(&a, KEY_WINDOW_BITS);
    return key->minus_a ? 0 : -1;
}

struct slu_verify_keys *slu_verify_keys_new(const uint8_t (*public32)[32], uint16_t count)
{
    struct slu_verify_keys *keys = calloc(1, sizeof *keys + count * sizeof *keys->keys);
    if (!keys)
        return NULL;
    keys->base = slu_fixed_base_new(&slu_point_base, BASE_WINDOW_BITS);
    bool made = keys->base != NULL;
    for (; made && keys->count < count; keys->count++)
        made = make_key(&keys->keys[keys->count], public32[keys->count]) == 0;
    if (made)
        return keys;
    slu_verify_keys_free(keys);
    return NULL;
}

void slu_verify_keys_free(struct slu_verify_keys *keys)
{
    if (!keys)
        return;
    slu_fixed_base_free(keys->base);
    for (uint16_t i = 0; i < keys->count; i++)
        slu_fixed_base_free(keys->keys[i].minus_a);
    free(keys);
}

/* R' of the equation; false when key, R or s are refused before it. */
static bool expected_r(struct slu_point *out, const struct slu_verify_keys *keys, uint16_t index,
                       const uint8_t *message, size_t message_len, const uint8_t signature64[64])
{
    const uint8_t *s32 = signature64 + 32;
    if (index >= keys->count || !keys->keys[index].minus_a || !slu_scalar_canonical(s32) ||
        small_order(signature64))
        return false;
    const struct key *key = &keys->keys[index];
    struct slu_fixed_digits s_digits, h_digits;
    slu_fixed_base_digits(&s_digits, keys->base, s32);

    crypto_hash_sha512_state state;
    uint8_t h64[64], h32[32];
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, signature64, 32);
    crypto_hash_sha512_update(&state, key->public32, 32);
    crypto_hash_sha512_update(&state, message, message_len);
    crypto_hash_sha512_final(&state, h64);
    crypto_core_ed25519_scalar_reduce(h32, h64);
    slu_fixed_base_digits(&h_digits, key->minus_a, h32);

    if (slu_lanes_on()) {
        slu_lanes_fixed_sum(out, keys->base, &s_digits, key->minus_a, &h_digits);
        return true;
    }
    *out = slu_point_identity;
    slu_fixed_base_add(out, keys->base, &s_digits);
    slu_fixed_base_add(out, key->minus_a, &h_digits);
    return true;
}

bool slu_verify_keys_message_ok(const struct slu_verify_keys *keys, uint16_t index,
                                const uint8_t *message, size_t message_len,
                                const uint8_t signature64[64])
{
    struct slu_point r;
    uint8_t r32[32];
    if (!expected_r(&r, keys, index, message, message_len, signature64))
        return false;
    slu_point_write_ed25519(r32, &r);
    return !memcmp(r32, signature64, 32);
}

bool slu_verify_keys_ok(const struct slu_verify_keys *keys, uint16_t index,
                        const uint8_t digest32[32], const uint8_t signature64[64])
{
    return slu_verify_keys_message_ok(keys, index, digest32, 32, signature64);
}

void slu_verify_keys_all(const struct slu_verify_keys *keys, bool *ok,
                         const struct slu_verify_item *items, size_t count)
{
    struct slu_point r[ITEMS_AT_ONCE];
    struct slu_fe inverses[ITEMS_AT_ONCE], scratch[ITEMS_AT_ONCE];
    for (size_t done = 0; done < count;) {
        size_t run = count - done < ITEMS_AT_ONCE ? count - done : ITEMS_AT_ONCE;
        for (size_t i = 0; i < run; i++) {
            const struct slu_verify_item *item = &items[done + i];
            ok[done + i] =
                expected_r(&r[i], keys, item->index, item->digest32, 32, item->signature64);
            inverses[i] = ok[done + i] ? r[i].z : slu_fe_one;
        }
        slu_fe_invert_all(inverses, scratch, run);
        for (size_t i = 0; i < run; i++) {
            uint8_t r32[32];
            if (!ok[done + i])
                continue;
            slu_point_write_ed25519_by(r32, &r[i], &inverses[i]);
            ok[done + i] = !memcmp(r32, items[done + i].signature64, 32);
        }
        done += run;
    }
}
