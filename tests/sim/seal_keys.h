/* Encryption keys for the nodes of made-up chains: fixed seeds, and proofs of possession without
 * fresh randomness, so that the chain id, and with it every run, is the same each time. */
#ifndef SIM_SEAL_KEYS_H
#define SIM_SEAL_KEYS_H

#include "crypto/dkg.h"
#include "wire/genesis.h"

/** What node `node` of every such chain keeps secret, and the P that stands in its genesis. */
void sim_seal_secrets(struct slu_seal_secrets *secrets, uint8_t p32[32], uint16_t node);

/** Gives each of genesis->nodes, whose `public32` are set, seal_public32 and seal_proof48. Keys are
 * made once per process: one thread. */
void sim_seal_keys(struct slu_genesis *genesis);

#endif
