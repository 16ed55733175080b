/* Proofs to hand on, for clients (docs/PROTOCOL.md clause 8.9): once it is known where a
 * transaction is (node/queries), node/prover makes the proof, on a thread of its own, one at a
 * time.
 *
 *     ProofQuery ─▶ node/queries ─▶ final ────▶ thread: node/prover ─▶ ProofReply
 *                   │               └ not so ─▶ the reason       ▲
 *                   └ with a height, which is all that it takes ─┘
 *
 * A few wait; beyond that BUSY. */
#ifndef SLU_NODE_PROOFS_H
#define SLU_NODE_PROOFS_H

#include "consensus/core.h"
#include "node/clients.h"
#include "node/store.h"

#define SLU_PROOFS_WAITING_MAX 64u

struct slu_proofs;

/** Starts the thread. `genesis` must outlive it. Errors: MEMORY, IO. */
SLU_MUST_USE int slu_proofs_start(struct slu_proofs **proofs, struct slu_disk *disk,
                                  const struct slu_genesis *genesis, struct slu_metrics *metrics);
/** Answers request `request_id` with the proof of what `status` says the place of, of a bundle in
 * the list of `rollup`, or with the
 * reason why there is none. Errors: BUSY (nothing is answered). Any thread. */
SLU_MUST_USE int slu_proofs_put(struct slu_proofs *proofs, struct slu_client *client,
                                uint64_t request_id, const struct slu_tx_status *status,
                                uint64_t rollup);
/** Ends the thread, frees. NULL is allowed. */
void slu_proofs_stop(struct slu_proofs *proofs);

#endif
