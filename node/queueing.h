/* Where a delivered forced entry was queued, and the height that its queueing fixed: computed anew
 * from the stored blocks, whatever the core remembers (docs/PROTOCOL.md clauses 6.4, 6.5).
 *
 *     DELIVERED of its height: did it come out of the queue?
 *     FINAL from there down: the block that lists its id ─▶ its parent's tail, booked item by item
 *
 * Pure over slu_store. */
#ifndef SLU_NODE_QUEUEING_H
#define SLU_NODE_QUEUEING_H

#include "consensus/store.h"
#include "wire/genesis.h"

struct slu_queueing {
    bool forced;     /* it came out of the queue */
    uint64_t queued; /* the height that queued it; 0: pruned, or not found within the bytes */
    uint64_t due;    /* with `queued`: its delivery height, as the blocks say */
};

/** Of the entry `id32` that was delivered at `height`. Reads at most *bytes_left and takes what it
 * read off it. What is not in the store is no error. Errors: IO, CORRUPT. */
SLU_MUST_USE int slu_queueing_find(struct slu_queueing *found, const struct slu_store *store,
                                   const struct slu_genesis *genesis, uint64_t height,
                                   const uint8_t id32[32], size_t *bytes_left);

#endif
