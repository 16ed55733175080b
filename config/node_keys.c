#include "config/node_keys.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "config/key_file.h"
#include "crypto/dkg.h"
#include "sluice/error.h"

bool slu_node_sign_seed_ok(const uint8_t sign32[32], const struct slu_genesis *genesis,
                           uint16_t node)
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES], public32[32];
    crypto_sign_seed_keypair(public32, secret, sign32);
    sodium_memzero(secret, sizeof secret);
    return !memcmp(public32, genesis->nodes[node].public32, 32);
}

bool slu_node_seal_seed_ok(const uint8_t seal32[32], const struct slu_genesis *genesis,
                           uint16_t node)
{
    uint8_t p_secret[32], p32[32];
    slu_dkg_node_key(p_secret, p32, seal32);
    sodium_memzero(p_secret, sizeof p_secret);
    return !memcmp(p32, genesis->nodes[node].seal_public32, 32);
}

static int not_its_key(const char *path, const char *words, const struct slu_node_config *config,
                       char *why, size_t why_cap)
{
    snprintf(why, why_cap, "%s: %s of node %u (node.index) in %s", path, words,
             (unsigned)config->index, config->genesis_path);
    return SLU_ERR_CONFIG;
}

int slu_node_seeds_load(struct slu_node_seeds *seeds, const struct slu_node_config *config,
                        const struct slu_genesis *genesis, char *why, size_t why_cap)
{
    sodium_memzero(seeds, sizeof *seeds);
    int rc = slu_key_file_load(seeds->sign32, config->key_path, why, why_cap);
    if (!rc && !slu_node_sign_seed_ok(seeds->sign32, genesis, config->index))
        rc = not_its_key(config->key_path, "node.key: not the key", config, why, why_cap);
    if (!rc)
        rc = slu_key_file_load(seeds->seal32, config->seal_key_path, why, why_cap);
    if (!rc && !slu_node_seal_seed_ok(seeds->seal32, genesis, config->index))
        rc = not_its_key(config->seal_key_path, "node.seal_key: not the encryption key", config,
                         why, why_cap);
    if (rc)
        sodium_memzero(seeds, sizeof *seeds);
    return rc;
}
