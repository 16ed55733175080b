/* The computed block, piece by piece (docs/PROTOCOL.md clauses 3.3 and 6.4): what needs nothing but the
 * genesis, the parent and the q reports. Voters put them together with the headers and the queue that
 * they hold (block.c, queue.c); an audit with those that a store shows (audit/). Pure; any thread. */
#ifndef SLU_CONSENSUS_BLOCK_H
#define SLU_CONSENSUS_BLOCK_H

#include "wire/block.h"
#include "wire/report.h"

/** The stream time of a block on `parent` from these q reports. */
uint64_t slu_block_time(const struct slu_genesis *g, const struct slu_block *parent,
                        const struct slu_report *const *reports);
/** Whether delivery lags so far behind that all cuts stay. */
bool slu_block_frozen(const struct slu_genesis *g, const struct slu_block *parent,
                      const struct slu_report *const *reports);
/** The highest tip of a lane that any report names above position `floor`; NULL when none does. */
const struct slu_tip *slu_block_highest_tip(const struct slu_genesis *g, uint16_t lane,
                                            uint64_t floor,
                                            const struct slu_report *const *reports);

/* What one lane has in a block so far. */
struct slu_lane_part {
    uint64_t bytes, txs;
};

/** Adds the next batch of the lane. False: it is past the quotas, and the cut stays below it. */
bool slu_lane_part_take(struct slu_lane_part *part, const struct slu_genesis *g,
                        uint32_t payload_bytes, uint32_t txs);

/** The lowest id that no cursor passed yet, out of all reports; moves every cursor past it. `cursors`
 * are q, zero at first. False: none is left. */
bool slu_reports_next_tuple(const struct slu_genesis *g, const struct slu_report *const *reports,
                            uint16_t *cursors, struct slu_inbox_tuple *out);
/** Whether a block of this time may queue it. */
bool slu_tuple_in_time(const struct slu_genesis *g, const struct slu_inbox_tuple *tuple,
                       uint64_t time_ms);
/** Whether the ids that an ancestor of this time and tail queued still count for `block`: they could be
 * queued a second time, or are not delivered yet. Rises along the chain, so what counts is a suffix.
 */
bool slu_queued_counts(const struct slu_genesis *g, uint64_t queued_ms, uint64_t tail_height,
                       const struct slu_block *block);

#endif
