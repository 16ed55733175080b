/* Subscriptions: the ordered stream of open heights (docs/PROTOCOL.md clause 7.10), filtered by
 * rollup, to any number of readers, from any retained height on; history and live through the same
 * path.
 *
 *     OPENED ────▶ slu_stream_opened ────┐
 *     RELEASED ──▶ slu_stream_certified ─┤
 *     Subscribe ─▶ slu_stream_add ───────┼─▶ thread: for each reader whose link has room, the next
 *     Cancel, link down ─────────────────┘   parts of up to SLU_PART_BYTES from node/height
 *
 * A reader that verifies (Subscribe.releases) gets certified heights only: before those of a run
 * the run's releases, with each height the proof of its rollup's list (node/releases).
 *
 * A reader is a cursor and nothing else: its bytes wait in the store, not in memory. While its link
 * holds more than SLU_READER_QUEUE_BYTES unsent, it is left alone, so a slow reader slows only
 * itself. Readers are bounded in all and per client; beyond that "busy". */
#ifndef SLU_NODE_STREAM_H
#define SLU_NODE_STREAM_H

#include "node/clients.h"
#include "node/store.h"

#define SLU_PART_BYTES         (256u * 1024u)
#define SLU_READER_QUEUE_BYTES (512u * 1024u)
#define SLU_READERS_MAX        2048u
#define SLU_READERS_PER_CLIENT 16u

struct slu_stream;

struct slu_stream_config {
    struct slu_disk *disk;
    const struct slu_genesis *genesis; /* must outlive the stream */
    struct slu_metrics *metrics;
    uint64_t lowest;    /* lowest retained height; 0: none yet */
    uint64_t open;      /* highest that readers may see */
    uint64_t certified; /* highest that has a certificate */
    void (*failed)(void *context, const char *words);
    void *context;
};

/** Starts the thread. Errors: MEMORY, IO. */
SLU_MUST_USE int slu_stream_start(struct slu_stream **stream,
                                  const struct slu_stream_config *config);
/** Ends the thread, frees. After the links have ended. NULL is allowed. */
void slu_stream_stop(struct slu_stream *stream);

/** Every height up to `height` is open, and what was opened is written. Any thread. */
void slu_stream_opened(struct slu_stream *stream, uint64_t height);
/** The releases of all heights up to `height` are certified. Any thread. */
void slu_stream_certified(struct slu_stream *stream, uint64_t height);
/** Heights below `lowest` are about to be pruned. Any thread. */
void slu_stream_pruned(struct slu_stream *stream, uint64_t lowest);

/** Starts a subscription (0: errors go to the client as replies). The gateway's thread. */
void slu_stream_add(struct slu_stream *stream, struct slu_client *client, uint64_t request_id,
                    const Slu__Client__Subscribe *subscribe);
/** Ends subscription `request_id` of `client`, or with 0 all of that client. The gateway's thread.
 */
void slu_stream_cancel(struct slu_stream *stream, struct slu_client *client, uint64_t request_id);

#endif
