/* The two keys of a node, by the files that its config names, checked against the genesis: the
 * signing key (node.key) and the encryption key (seal.key; docs/CRYPTO.md clause 7.1). */
#ifndef SLU_CONFIG_NODE_KEYS_H
#define SLU_CONFIG_NODE_KEYS_H

#include "config/node_config.h"

struct slu_node_seeds {
    uint8_t sign32[32];
    uint8_t seal32[32];
};

/** Reads both files (config/key_file.h has what is refused). The caller zeroes `seeds` after use;
 * on failure they are zero and `why` is one line naming the file.
 * Errors: IO, REFUSED, CONFIG (no key, or not this node's in the genesis). */
SLU_MUST_USE int slu_node_seeds_load(struct slu_node_seeds *seeds,
                                     const struct slu_node_config *config,
                                     const struct slu_genesis *genesis, char *why, size_t why_cap);

/** Whether each is the key of node `node` in the genesis. */
bool slu_node_sign_seed_ok(const uint8_t sign32[32], const struct slu_genesis *genesis,
                           uint16_t node);
bool slu_node_seal_seed_ok(const uint8_t seal32[32], const struct slu_genesis *genesis,
                           uint16_t node);

#endif
