/* What the core wants read from the store, on a thread of its own, so that neither the core nor the
 * commit thread waits for a disk:
 *
 *     READ effect  ─▶ queue ─▶ the record ─▶ BODY event, in the order of the READs
 *                  ─▶ or at once, while nothing is queued and the core's runner has the time
 *     SERVE effect ─▶ queue ─▶ slu_serve ─▶ the asking peer's link
 *
 * READs are bounded by the core and never dropped; SERVEs beyond a few per peer, or for a link that
 * does not keep up, are dropped and counted: the peer asks again, or another node. A batch that was
 * durable and cannot be read means a damaged store: `failed` is called and the thread stops. */
#ifndef SLU_NODE_HISTORY_H
#define SLU_NODE_HISTORY_H

#include "node/peers.h"
#include "node/runtime.h"
#include "node/store.h"

struct slu_history;

struct slu_history_config {
    const struct slu_genesis *genesis;
    struct slu_disk *disk;
    struct slu_runtime *runtime;
    struct slu_peers *peers;
    struct slu_metrics *metrics;
    void (*failed)(void *context, const char *words);
    void *context;
};

/** Starts the thread. Errors: MEMORY, IO. */
SLU_MUST_USE int slu_history_start(struct slu_history **history,
                                   const struct slu_history_config *config);
/** A READ: queued, or with `now` done at once if no other READ is under way. The thread that
 * carries out the turn. */
void slu_history_read(struct slu_history *history, uint64_t tag, const struct slu_record_key *key,
                      bool now);
/** Queues a SERVE. The thread that carries out the turn. */
void slu_history_serve(struct slu_history *history, uint16_t to, const struct slu_fetch *fetch);
/** Ends the thread, frees. After the commit thread has ended. NULL is allowed. */
void slu_history_stop(struct slu_history *history);
struct slu_ring_fill slu_history_fill(struct slu_history *history);

#endif
