/* Makes proofs to hand on (wire/proof.h, docs/PROTOCOL.md clause 8.9) from what the store has of an
 * entry that is delivered.
 *
 *     DELIVERED, IDS, BATCH .. ─▶ the height's entries ─▶ the entry, its list ─┐
 *     SPACE, RELEASE ─▶ its list's place in the space ─────────────────────────┤
 *     OPENED ─▶ where a sealed one was opened, the same there; its key ────────┼─▶ proof
 *     FINAL ─▶ of a forced one the block that queued it, and that one's parent ┤
 *     RELEASE, RELEASE_CERT ─▶ the runs that show these heights ───────────────┘
 *
 * One proof costs the reading of its height, and of a sealed one that waited the openings of the
 * heights since its unlock, at most SLU_PROVER_BYTES_MAX of them. One thread. */
#ifndef SLU_NODE_PROVER_H
#define SLU_NODE_PROVER_H

#include "consensus/core.h"
#include "node/metrics.h"
#include "node/store.h"

#define SLU_PROVER_BYTES_MAX (64u * 1024u * 1024u)

/** Index of an entry of which only the height is known. */
#define SLU_PROVER_ANY_INDEX UINT32_MAX

struct slu_prover;

/** `genesis` must outlive it. NULL when memory is refused. */
struct slu_prover *slu_prover_new(struct slu_disk *disk, const struct slu_genesis *genesis,
                                  struct slu_metrics *metrics);
/** NULL is allowed. */
void slu_prover_free(struct slu_prover *prover);

/** The proof of the entry that `status` (FINAL) says the place of, or with SLU_PROVER_ANY_INDEX the
 * height of; valid until the next call. A
 * bundle is shown in the list of `rollup`, when that is one of its legs. What of its queueing and
 * opening is not to be had is left out. Errors: REFUSED (its height is not certified here yet),
 * NOT_FOUND (pruned), MISMATCH (only its height was known, and it is not there), LIMIT (too long:
 * no certificate is near), CORRUPT, IO, MEMORY. */
SLU_MUST_USE int slu_prover_make(struct slu_prover *prover, const struct slu_tx_status *status,
                                 uint64_t rollup, const uint8_t **bytes, size_t *len);

#endif
