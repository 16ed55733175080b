/* Where a transaction went that the core no longer remembers: a search through the IDS records of
 * older heights, newest first; of forced ones also through what came out of the queue at each
 * height, which reaches much further back, and for where they were queued (node/queueing.h). On a
 * thread of its own, one query at a time.
 *
 * Bounded by the bytes and the heights that each search looks at; what is not found by then stays
 * unknown. A few queries wait; beyond that BUSY. */
#ifndef SLU_NODE_LOOKUP_H
#define SLU_NODE_LOOKUP_H

#include "consensus/core.h"
#include "node/store.h"

#define SLU_LOOKUP_BYTES_MAX   (64u * 1024u * 1024u)
#define SLU_LOOKUP_HEIGHTS_MAX 100000u

struct slu_lookup;

/** Starts the thread; `done` is called on it with each token whose statuses were looked up.
 * `genesis` must outlive it.
 * Errors: MEMORY, IO. */
SLU_MUST_USE int slu_lookup_start(struct slu_lookup **lookup, struct slu_disk *disk,
                                  const struct slu_genesis *genesis,
                                  void (*done)(void *context, uint64_t token), void *context);
/** Whether there is something to look for: an unknown id or, with `queueing`, where a final one
 * that came out of the queue was queued. */
bool slu_lookup_wants(const struct slu_tx_status *status, bool queueing);
/** Looks for every status that slu_lookup_wants, from height `from` down, and fills in what it
 * finds. The statuses belong to the lookup until `done`. Errors: BUSY. */
SLU_MUST_USE int slu_lookup_put(struct slu_lookup *lookup, uint64_t token,
                                struct slu_tx_status *statuses, uint32_t count, uint64_t from,
                                bool queueing);
/** Ends the thread, frees. NULL is allowed. */
void slu_lookup_stop(struct slu_lookup *lookup);

#endif
