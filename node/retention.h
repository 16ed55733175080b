/* Pruning: what is older than the retention, by stream time, is deleted in small steps off the hot
 * path (docs/STORAGE.md clause 5).
 *
 *     every few seconds: heights whose time is more than retention_ms behind the stream's, at most
 *     some hundred a step: everything that is filed under its height, and of each lane the batches
 *     below the cut of the highest of them; then RocksDB is asked for the space.
 *
 * Never pruned: heights that are not open and certified and the newest SLU_HEIGHTS_KEPT of those
 * that are, the dedup window (a restart reads it back), and the batch at each lane's cut (the next
 * one's parent). What waits to be opened (CALENDAR, DUE) is the core's, which deletes it itself. */
#ifndef SLU_NODE_RETENTION_H
#define SLU_NODE_RETENTION_H

#include "node/metrics.h"
#include "node/runtime.h"
#include "node/store.h"
#include "node/stream.h"

#define SLU_HEIGHTS_KEPT 8u

/** Where pruning stands; zeroed at first. */
struct slu_pruner {
    struct slu_disk *disk;
    const struct slu_genesis *genesis;
    uint64_t retention_ms;
    uint64_t lane_from[SLU_NODES_MAX]; /* batches below are deleted already */
};

/** The lowest retained height; 0 when nothing is delivered. Errors: IO, CORRUPT. */
SLU_MUST_USE int slu_prune_lowest(struct slu_disk_view *view, uint64_t *lowest);

/** One step: deletes up to `heights_max` heights that are due, given that `open` is the newest that
 * is open and covered by a certificate, and `stream_ms` the stream's time. `about` (may be NULL)
 * hears the new lowest height before anything is deleted. *pruned: how many. Errors: IO, CORRUPT.
 */
SLU_MUST_USE int slu_prune_step(struct slu_pruner *pruner, struct slu_disk_view *view,
                                uint64_t open, uint64_t stream_ms, uint32_t heights_max,
                                void (*about)(void *context, uint64_t lowest), void *context,
                                uint32_t *pruned);
/** Gives the space of everything pruned so far back. Takes its time. */
void slu_prune_reclaim(struct slu_pruner *pruner, uint64_t lowest);

struct slu_retention;

/** Starts the thread. Errors: MEMORY, IO. */
SLU_MUST_USE int slu_retention_start(struct slu_retention **retention, struct slu_disk *disk,
                                     const struct slu_genesis *genesis, uint64_t retention_ms,
                                     struct slu_runtime *runtime, struct slu_stream *stream,
                                     struct slu_metrics *metrics,
                                     void (*failed)(void *context, const char *words),
                                     void *context);
/** NULL is allowed. */
void slu_retention_stop(struct slu_retention *retention);

#endif
