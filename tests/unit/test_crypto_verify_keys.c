/* Ed25519 over a known set of keys: the vectors of RFC 8032, and the same verdict as libsodium on
 * good signatures, flipped bits and everything that an attacker can choose: points of small and of
 * mixed order, encodings that are not canonical, scalars that are not reduced. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/bytes.h"
#include "crypto/group.h"
#include "crypto/lanes.h"
#include "crypto/verify_keys.h"
#include "tests/unit/draw.h"

/* Both verdicts on one signature, which must be the same; says which. */
static bool verdict(const struct slu_verify_keys *keys, uint16_t index, const uint8_t public32[32],
                    const uint8_t digest32[32], const uint8_t signature64[64])
{
    bool ours = slu_verify_keys_ok(keys, index, digest32, signature64), all;
    bool theirs = !crypto_sign_verify_detached(signature64, digest32, 32, public32);
    struct slu_verify_item item = {
        .index = index, .digest32 = digest32, .signature64 = signature64};
    slu_verify_keys_all(keys, &all, &item, 1);
    assert_int_equal(ours, theirs);
    assert_int_equal(all, theirs);
    return ours;
}

static void test_rfc8032(void **state)
{
    (void)state;
    static const struct {
        const char *public_hex, *message_hex, *signature_hex;
    } vectors[] = {
        {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
         "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
        {"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
         "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
         "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
         "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t public32[1][32], message[64] = {0}, signature[64];
        size_t len = strlen(vectors[i].message_hex) / 2;
        assert_int_equal(slu_hex_decode(public32[0], vectors[i].public_hex, 64), 0);
        assert_int_equal(slu_hex_decode(message, vectors[i].message_hex, 2 * len), 0);
        assert_int_equal(slu_hex_decode(signature, vectors[i].signature_hex, 128), 0);
        struct slu_verify_keys *keys = slu_verify_keys_new((const uint8_t(*)[32])public32, 1);
        assert_true(slu_verify_keys_message_ok(keys, 0, message, len, signature));
        assert_false(slu_verify_keys_message_ok(keys, 1, message, len, signature));
        message[0] ^= 1;
        assert_false(slu_verify_keys_message_ok(keys, 0, message, len ? len : 1, signature));
        slu_verify_keys_free(keys);
    }
}

#define KEYS 4u

struct signers {
    uint8_t public32[KEYS][32];
    uint8_t secret64[KEYS][64];
    struct slu_verify_keys *keys;
};

static void make_signers(struct signers *s)
{
    for (size_t i = 0; i < KEYS; i++) {
        uint8_t seed[32];
        draw(seed, 32);
        crypto_sign_seed_keypair(s->public32[i], s->secret64[i], seed);
    }
    s->keys = slu_verify_keys_new((const uint8_t(*)[32])s->public32, KEYS);
    assert_non_null(s->keys);
}

static void test_good_and_flipped(void **state)
{
    (void)state;
    struct signers s;
    make_signers(&s);
    for (uint16_t i = 0; i < KEYS; i++) {
        uint8_t digest[32], signature[64];
        draw(digest, 32);
        crypto_sign_detached(signature, NULL, digest, 32, s.secret64[i]);
        assert_true(verdict(s.keys, i, s.public32[i], digest, signature));
        assert_false(verdict(s.keys, i ^ 1, s.public32[i ^ 1], digest, signature));
        for (size_t bit = 0; bit < 512; bit++) {
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(verdict(s.keys, i, s.public32[i], digest, signature));
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        digest[31] ^= 0x80;
        assert_false(verdict(s.keys, i, s.public32[i], digest, signature));
    }
    assert_false(slu_verify_keys_ok(s.keys, KEYS, s.public32[0], s.secret64[0]));
    slu_verify_keys_free(s.keys);
}

/* A batch longer than one run, good and bad mixed. */
static void test_batch(void **state)
{
    (void)state;
    enum { COUNT = 75 };
    struct signers s;
    make_signers(&s);
    uint8_t digests[COUNT][32], signatures[COUNT][64];
    struct slu_verify_item items[COUNT];
    bool ok[COUNT];
    for (uint16_t i = 0; i < COUNT; i++) {
        draw(digests[i], 32);
        crypto_sign_detached(signatures[i], NULL, digests[i], 32, s.secret64[i % KEYS]);
        if (i % 3 == 0)
            signatures[i][i % 64] ^= 4;
        items[i] = (struct slu_verify_item){.index = i % 11 == 5 ? KEYS : i % KEYS,
                                            .digest32 = digests[i],
                                            .signature64 = signatures[i]};
    }
    slu_verify_keys_all(s.keys, ok, items, COUNT);
    for (uint16_t i = 0; i < COUNT; i++)
        assert_int_equal(ok[i], i % 3 != 0 && i % 11 != 5);
    slu_verify_keys_all(s.keys, ok, items, 0);
    slu_verify_keys_free(s.keys);
}

/* s + l is another name of s, which must not count. */
static void test_scalar_not_reduced(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    struct signers s;
    make_signers(&s);
    uint8_t digest[32], signature[64];
    draw(digest, 32);
    crypto_sign_detached(signature, NULL, digest, 32, s.secret64[0]);
    for (int times = 0; times < 14; times++) {
        assert_int_equal(verdict(s.keys, 0, s.public32[0], digest, signature), times == 0);
        sodium_add(signature + 32, order, 32);
    }
    memset(signature + 32, 0, 32);
    assert_false(verdict(s.keys, 0, s.public32[0], digest, signature));
    memcpy(signature + 32, order, 32);
    assert_false(verdict(s.keys, 0, s.public32[0], digest, signature));
    slu_verify_keys_free(s.keys);
}

/* A generator of the eight points of small order: l times any point outside of the main subgroup.
 */
static void make_torsion(struct slu_point torsion[8])
{
    struct slu_point p;
    uint8_t y[32] = {3};
    while (!slu_point_read_ed25519(&p, y))
        y[0]++;
    /* l = 2^252 + c: the low half bit by bit, then the top. */
    static const char low[] = "14def9dea2f79cd65812631a5cf5d3ed";
    uint8_t c[16];
    assert_int_equal(slu_hex_decode(c, low, 32), 0);
    struct slu_point sum = slu_point_identity, top;
    for (int i = 0; i < 128; i++) {
        slu_point_double(&sum, &sum, 1);
        if (c[i / 8] >> (7 - i % 8) & 1)
            slu_point_sum(&sum, &sum, &p);
    }
    slu_point_double(&top, &p, 252);
    slu_point_sum(&sum, &sum, &top);
    torsion[0] = slu_point_identity;
    for (int i = 1; i < 8; i++)
        slu_point_sum(&torsion[i], &torsion[i - 1], &sum);
    uint8_t four[32];
    slu_point_write_ed25519(four, &torsion[4]);
    assert_int_equal(four[0], 0xec); /* -1: the generator has order 8 */
}

/* Keys with a part of small order are accepted by libsodium, and whether a signature verifies then
 * hangs on h modulo 8: the two must agree on each. */
static void test_mixed_order(void **state)
{
    (void)state;
    struct slu_point torsion[8];
    make_torsion(torsion);
    unsigned accepted = 0, refused = 0;
    for (unsigned part = 0; part < 8; part++) {
        uint8_t a32[32], r32[32], public32[1][32], rb[32];
        struct slu_point point;
        draw_scalar(a32);
        crypto_scalarmult_ed25519_base_noclamp(public32[0], a32);
        assert_true(slu_point_read_ed25519(&point, public32[0]));
        slu_point_sum(&point, &point, &torsion[part]);
        slu_point_write_ed25519(public32[0], &point);
        struct slu_verify_keys *keys = slu_verify_keys_new((const uint8_t(*)[32])public32, 1);
        for (unsigned i = 0; i < 256; i++) {
            uint8_t digest[32], signature[64], h[64];
            draw(digest, 32);
            draw_scalar(r32);
            crypto_scalarmult_ed25519_base_noclamp(rb, r32);
            assert_true(slu_point_read_ed25519(&point, rb));
            slu_point_sum(&point, &point, &torsion[i % 8]);
            slu_point_write_ed25519(signature, &point);
            crypto_hash_sha512_state hash;
            crypto_hash_sha512_init(&hash);
            crypto_hash_sha512_update(&hash, signature, 32);
            crypto_hash_sha512_update(&hash, public32[0], 32);
            crypto_hash_sha512_update(&hash, digest, 32);
            crypto_hash_sha512_final(&hash, h);
            crypto_core_ed25519_scalar_reduce(h, h);
            crypto_core_ed25519_scalar_mul(signature + 32, h, a32);
            crypto_core_ed25519_scalar_add(signature + 32, signature + 32, r32);
            bool ok = verdict(keys, 0, public32[0], digest, signature);
            accepted += ok;
            refused += !ok;
        }
        slu_verify_keys_free(keys);
    }
    assert_in_range(accepted, 100, 700);
    assert_in_range(refused, 1000, 2048);
}

/* An R of small order: with s = h a the equation has R' = 0, which the R of order 1 would fit. */
static void test_small_order_r(void **state)
{
    (void)state;
    struct slu_point torsion[8];
    make_torsion(torsion);
    struct signers s;
    uint8_t a32[32], digest[32], signature[64], h[64];
    draw_scalar(a32);
    crypto_scalarmult_ed25519_base_noclamp(s.public32[0], a32);
    s.keys = slu_verify_keys_new((const uint8_t(*)[32])s.public32, 1);
    for (unsigned i = 0; i < 16; i++) {
        draw(digest, 32);
        slu_point_write_ed25519(signature, &torsion[i % 8]);
        signature[31] ^= (uint8_t)(i / 8 << 7);
        crypto_hash_sha512_state hash;
        crypto_hash_sha512_init(&hash);
        crypto_hash_sha512_update(&hash, signature, 32);
        crypto_hash_sha512_update(&hash, s.public32[0], 32);
        crypto_hash_sha512_update(&hash, digest, 32);
        crypto_hash_sha512_final(&hash, h);
        crypto_core_ed25519_scalar_reduce(h, h);
        crypto_core_ed25519_scalar_mul(signature + 32, h, a32);
        assert_false(verdict(s.keys, 0, s.public32[0], digest, signature));
    }
    slu_verify_keys_free(s.keys);
}

/* Keys of small order, off the curve, and the encodings p .. 2^255 - 1 with either sign. A key that
 * is refused must refuse what would fit it: for A of small order, R = s B for every h that 8
 * divides. */
static void test_bad_keys(void **state)
{
    (void)state;
    struct slu_point torsion[8];
    make_torsion(torsion);
    uint8_t public32[16 + 38 + 64][32];
    uint16_t count = 0;
    for (unsigned i = 0; i < 16; i++, count++) {
        slu_point_write_ed25519(public32[count], &torsion[i % 8]);
        public32[count][31] ^= (uint8_t)(i / 8 << 7);
    }
    for (unsigned i = 0; i < 38; i++, count++) {
        memset(public32[count], 0xff, 32);
        public32[count][0] = (uint8_t)(0xed + i / 2);
        public32[count][31] = i % 2 ? 0xff : 0x7f;
    }
    for (unsigned i = 0; i < 64; i++, count++)
        draw(public32[count], 32); /* every other one is off the curve */
    struct slu_verify_keys *keys = slu_verify_keys_new((const uint8_t(*)[32])public32, count);
    for (uint16_t i = 0; i < count; i++) {
        for (unsigned tries = 0; tries < 16; tries++) {
            uint8_t digest[32], signature[64];
            draw(digest, 32);
            draw_scalar(signature + 32);
            crypto_scalarmult_ed25519_base_noclamp(signature, signature + 32);
            assert_false(verdict(keys, i, public32[i], digest, signature));
        }
    }
    slu_verify_keys_free(keys);
}

/* Arbitrary bytes, and halves of good signatures put together. */
static void test_arbitrary(void **state)
{
    (void)state;
    struct signers s;
    make_signers(&s);
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t digest[32], signature[64], other[64];
        draw(digest, 32);
        draw(signature, 64);
        if (i % 4 == 1)
            signature[63] &= 0x0f;
        else if (i % 4)
            crypto_sign_detached(signature, NULL, digest, 32, s.secret64[i % KEYS]);
        if (i % 4 == 2) {
            crypto_sign_detached(other, NULL, other, 32, s.secret64[i % KEYS]);
            memcpy(signature + (i % 8 < 4 ? 0 : 32), other, 32);
        }
        bool ok = verdict(s.keys, i % KEYS, s.public32[i % KEYS], digest, signature);
        assert_int_equal(ok, i % 4 == 3);
    }
    slu_verify_keys_free(s.keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc8032),     cmocka_unit_test(test_good_and_flipped),
        cmocka_unit_test(test_batch),       cmocka_unit_test(test_scalar_not_reduced),
        cmocka_unit_test(test_mixed_order), cmocka_unit_test(test_small_order_r),
        cmocka_unit_test(test_bad_keys),    cmocka_unit_test(test_arbitrary),
    };
    if (sodium_init() < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    slu_lanes_turn_off(true);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
