/* An entry in its list, and its list in the height's space: the places of a proof (wire/proof.h),
 * from the store. Private to node/prover.
 *
 *     the height's entries ─▶ those of one list ─▶ leaves ─▶ hashes beside the entry's
 *     node/releases ─▶ the list's leaf in the space, hashes beside it
 *
 * What a place points to is valid until the same function's next call. One thread. */
#ifndef SLU_NODE_PROVER_PLACES_H
#define SLU_NODE_PROVER_PLACES_H

#include "consensus/core.h"
#include "node/metrics.h"
#include "node/store.h"
#include "wire/proof.h"

struct slu_places;

struct slu_places *slu_places_new(struct slu_disk *disk, const struct slu_genesis *genesis,
                                  struct slu_metrics *metrics);
void slu_places_free(struct slu_places *places);

/** Where the entry of `status` stands among what was ordered, whole. A bundle is shown in the list
 * of `rollup`, or of its first leg's when it has none for that. Errors: NOT_FOUND (pruned),
 * MISMATCH (SLU_PROVER_ANY_INDEX: it is not at that height), CORRUPT, IO, MEMORY. */
SLU_MUST_USE int slu_places_ordered(struct slu_places *places, const struct slu_tx_status *status,
                                    uint64_t rollup, struct slu_proof_place *place);
/** Where a sealed one of `ordered` was opened or found void, up to height `top`; of a bundle as
 * above. Errors: NOT_FOUND
 * (not there, or not within SLU_PROVER_BYTES_MAX), CORRUPT, IO, MEMORY. */
SLU_MUST_USE int slu_places_opened(struct slu_places *places, const struct slu_tx_status *status,
                                   uint64_t rollup, const struct slu_proof_place *ordered,
                                   uint64_t top, struct slu_proof_place *place);

#endif
