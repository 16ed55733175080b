/* Writes turns in order, synced when one promises something, then executes their other effects in
 * order.
 *
 *     core ─▶ nothing under way? write, effects, turn back to the core, all on the core's runner
 *          ─▶ else a queue, and on a thread of its own: all queued turns in one write ─▶ effects of
 *             turn 1, 2, ... ─▶ turns back to the core
 *
 * A small turn is done sooner, and with less work, where it was made than by waking another thread;
 * under load the thread lets the core go on while the disk works, and one sync serves many turns.
 *
 * No vote, ack or own batch leaves the node before its turn and all before it are durable
 * (docs/PROTOCOL.md clause 3.6, docs/STORAGE.md clause 3). The queue holds every turn there is, so
 * it is never full. A failed write stops everything here for good: the node cannot promise anything
 * more. */
#ifndef SLU_NODE_COMMIT_H
#define SLU_NODE_COMMIT_H

#include "node/metrics.h"
#include "node/runtime.h"
#include "node/store.h"

struct slu_commit;

struct slu_commit_config {
    struct slu_disk *disk;
    struct slu_metrics *metrics;
    /** Executes one effect other than PERSIST and FORGET, or looks at a DELIVERED record that is
     * written now. One thread at a time, as the next three; must not block. */
    void (*effect)(void *context, const struct slu_effect *effect);
    /** The effects of a group of turns are all executed. */
    void (*flushed)(void *context);
    /** Gives a turn back. */
    void (*done)(void *context, struct slu_turn *turn);
    /** A write failed: nothing more will be executed. */
    void (*failed)(void *context, const char *words);
    void *context;
};

/** Starts the thread. Errors: MEMORY, IO. */
SLU_MUST_USE int slu_commit_start(struct slu_commit **commit,
                                  const struct slu_commit_config *config);
/** Whether no turn is under way and this one is small. The thread that runs the core, as the next
 * two. */
bool slu_commit_idle(struct slu_commit *commit, const struct slu_turn *turn);
/** Carries out a turn on the calling thread; slu_commit_idle said so. */
void slu_commit_now(struct slu_commit *commit, struct slu_turn *turn);
/** Queues a turn for the thread here. */
void slu_commit_put(struct slu_commit *commit, struct slu_turn *turn);
/** Executes what is queued, ends the thread, frees. NULL is allowed. */
void slu_commit_stop(struct slu_commit *commit);

#endif
