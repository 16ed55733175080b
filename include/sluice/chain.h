/* A chain, as its genesis says: what everything else here is checked with. Who has the genesis
 * needs to trust no node.
 *
 *     genesis.json ──▶ slu_chain_load ──▶ chain ──┬──▶ sluice/seal.h     keys, sealing, openings
 *                                                 └──▶ sluice/client.h   submitting
 *
 * Errors are those of sluice/error.h. Any thread: a loaded chain never changes, and everything that
 * takes one only reads it. The caller owns it, and frees it after what was opened with it. */
#ifndef SLUICE_CHAIN_H
#define SLUICE_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A name in the genesis, with its terminating zero, has at most so many bytes. */
#define SLU_CHAIN_NAME_BYTES 65u

struct slu_chain;

/** Loads and checks genesis.json. On failure `why` is one line that names the file and what is
 * wrong with it. Errors: IO, LIMIT, CONFIG, MISMATCH (another version of the protocol), MEMORY. */
SLU_MUST_USE int slu_chain_load(struct slu_chain **chain, const char *genesis_path, char *why,
                                size_t why_cap);
/** NULL is allowed. */
void slu_chain_free(struct slu_chain *chain);

/** The 32 bytes that name the chain: the hash of its genesis. As long as the chain lives. */
const uint8_t *slu_chain_id(const struct slu_chain *chain);
/** Printable. As long as the chain lives. */
const char *slu_chain_name(const struct slu_chain *chain);
/** How many nodes it has: n, of which (n - 1) / 3 may be malicious. */
uint16_t slu_chain_nodes(const struct slu_chain *chain);
/** Whether its nodes make a key to which transactions can be sealed. */
bool slu_chain_seals(const struct slu_chain *chain);
/** The longest payload of one transaction, sealed or plain; 0: none fits. */
size_t slu_chain_payload_bytes_max(const struct slu_chain *chain, bool sealed);

/** What the genesis says of a rollup. */
struct slu_chain_rollup {
    uint64_t id;
    char name[SLU_CHAIN_NAME_BYTES]; /* "": it is open to any rollup, and names none of this id */
    bool sealed_only;                /* its plain transactions are dropped */
    uint64_t ethereum_chain_id;      /* 0: none */
};

/** Whether the chain orders transactions of the rollup `id`, and what it says of it. Errors:
 * NOT_FOUND. */
SLU_MUST_USE int slu_chain_rollup(const struct slu_chain *chain, uint64_t id,
                                  struct slu_chain_rollup *rollup);
/** The rollup that the genesis calls `name`. Errors: NOT_FOUND. */
SLU_MUST_USE int slu_chain_rollup_named(const struct slu_chain *chain, const char *name,
                                        struct slu_chain_rollup *rollup);

#ifdef __cplusplus
}
#endif

#endif
