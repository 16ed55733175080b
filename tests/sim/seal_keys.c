#include "tests/sim/seal_keys.h"

#include <string.h>

#include "base/check.h"

/* As slu_dkg_possession_make, but for the nonce. */
static void prove(uint8_t proof48[SLU_PROOF_BYTES], const uint8_t p_secret32[32],
                  const uint8_t p32[32], const uint8_t public32[32])
{
    static const uint8_t no_chain[32];
    struct slu_hash hash;
    uint8_t t[32], commitment[32], c[32], z[32];
    slu_hash_begin_wide(&hash, "sim-seal-nonce", no_chain);
    slu_hash_add(&hash, p_secret32, 32);
    slu_hash_add(&hash, public32, 32);
    slu_hash_end_scalar(&hash, t);
    SLU_CHECK(!crypto_scalarmult_ristretto255_base(commitment, t));
    slu_hash_begin_wide(&hash, "dkg-possession", no_chain);
    slu_hash_add(&hash, public32, 32);
    slu_hash_add(&hash, p32, 32);
    slu_hash_add(&hash, commitment, 32);
    slu_hash_end_challenge(&hash, c);
    crypto_core_ristretto255_scalar_mul(z, c, p_secret32);
    crypto_core_ristretto255_scalar_add(z, z, t);
    memcpy(proof48, c, SLU_CHALLENGE_BYTES);
    memcpy(proof48 + SLU_CHALLENGE_BYTES, z, 32);
}

void sim_seal_secrets(struct slu_seal_secrets *secrets, uint8_t p32[32], uint16_t node)
{
    memset(secrets->seed32, 0x5e, 32);
    secrets->seed32[0] = (uint8_t)node;
    slu_dkg_node_key(secrets->p32, p32, secrets->seed32);
}

void sim_seal_keys(struct slu_genesis *genesis)
{
    static struct {
        bool made;
        uint8_t public32[32], p32[32], proof48[SLU_PROOF_BYTES];
    } cache[SLU_NODES_MAX];
    for (uint16_t i = 0; i < genesis->n; i++) {
        struct slu_genesis_node *node = &genesis->nodes[i];
        if (!cache[i].made || memcmp(cache[i].public32, node->public32, 32)) {
            struct slu_seal_secrets secrets;
            sim_seal_secrets(&secrets, cache[i].p32, i);
            prove(cache[i].proof48, secrets.p32, cache[i].p32, node->public32);
            memcpy(cache[i].public32, node->public32, 32);
            cache[i].made = true;
        }
        memcpy(node->seal_public32, cache[i].p32, 32);
        memcpy(node->seal_proof48, cache[i].proof48, SLU_PROOF_BYTES);
    }
}
