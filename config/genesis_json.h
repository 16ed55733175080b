/* The genesis as people write it: JSON. What is hashed is its canonical binary form
 * (wire/genesis.h), so that spaces, order and comments of tools in the JSON mean nothing.
 *
 *     { "name": "demo", "version": 1, "created_ms": 1767225600000,
 *       "nodes": [ { "public_key": "<64 hex digits>", "address": "tcp://127.0.0.1:7600",
 *                    "seal_key": "<64 hex digits>", "seal_proof": "<96 hex digits>", "stake": 1 } ],
 *       "rollups": "open",    or [ { "id": 1, "name": "alpha", "sealed_only": false,
 *                                    "ethereum_chain_id": 10, "rate_share": 1 } ],
 *       "parameters": { "heartbeat_ms": 250 } }
 *
 * Optional: `created_ms` (0), `parameters` and each name in it (docs/PROTOCOL.md clause 9), and in
 * a node its `stake` (1), in a rollup everything but `id` and `name`. Names that are not known and names given twice are
 * refused: a misspelt parameter must not silently be the default. */
#ifndef SLU_CONFIG_GENESIS_JSON_H
#define SLU_CONFIG_GENESIS_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "wire/genesis.h"

#define SLU_GENESIS_FILE_BYTES_MAX (1024u * 1024u)

/** Loads, checks and seals (chain_id is set). On failure `why` is one line that names the file and
 * the field, or line and column of a syntax error, and `genesis` is unspecified.
 * Errors: IO (cannot be read), LIMIT (file too large), CONFIG, MISMATCH (version), MEMORY. */
SLU_MUST_USE int slu_genesis_load(struct slu_genesis *genesis, const char *path, char *why,
                                  size_t why_cap);

/** The same from `len` bytes of text; `label` stands for the file in `why`. */
SLU_MUST_USE int slu_genesis_parse(struct slu_genesis *genesis, const char *label, const char *text,
                                   size_t len, char *why, size_t why_cap);

/** Writes a new file with every parameter spelt out, and syncs it. Errors: EXISTS, IO, MEMORY. */
SLU_MUST_USE int slu_genesis_save(const struct slu_genesis *genesis, const char *path, char *why,
                                  size_t why_cap);

/** Sets the parameter called `name`. Errors: NOT_FOUND (no such parameter), LIMIT (does not fit its
 * width); bounds are checked by slu_genesis_seal. */
SLU_MUST_USE int slu_params_set(struct slu_params *params, const char *name, uint64_t value);

#endif
