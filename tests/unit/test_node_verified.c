/* node/verified: what was verified is known again, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <string.h>

#include "node/verified.h"

static struct slu_genesis genesis;
static struct slu_metrics metrics;

static void only_what_was_verified_is_known(void **state)
{
    (void)state;
    uint8_t secret[2][crypto_sign_SECRETKEYBYTES], digest[32], signature[2][64];
    assert_true(sodium_init() >= 0);
    genesis.n = 2;
    memset(digest, 9, sizeof digest);
    for (int i = 0; i < 2; i++) {
        uint8_t seed[32];
        memset(seed, i + 1, sizeof seed);
        crypto_sign_seed_keypair(genesis.nodes[i].public32, secret[i], seed);
        crypto_sign_detached(signature[i], NULL, digest, sizeof digest, secret[i]);
    }
    struct slu_verified *verified = slu_verified_new(&genesis, &metrics);
    struct slu_verifier v = slu_verified_verifier(verified);
    for (int round = 0; round < 3; round++) {
        for (uint16_t i = 0; i < 2; i++)
            assert_true(v.verify(v.context, i, digest, signature[i]));
        /* Another's signature, another digest, a changed signature, no such node. */
        assert_false(v.verify(v.context, 0, digest, signature[1]));
        assert_false(v.verify(v.context, 2, digest, signature[1]));
        for (unsigned at = 0; at < 64; at++) {
            uint8_t changed_digest[32], changed[64];
            memcpy(changed_digest, digest, 32);
            memcpy(changed, signature[0], 64);
            changed_digest[at % 32] ^= 1;
            changed[at] ^= 0x40;
            assert_false(v.verify(v.context, 0, changed_digest, signature[0]));
            assert_false(v.verify(v.context, 0, digest, changed));
        }
    }
    assert_int_equal(slu_metrics_get(&metrics, SLU_METRIC_SIGNATURES_KNOWN), 4);
    slu_verified_free(verified);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_what_was_verified_is_known)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
