/* The client API: requests of client links, answered by one thread that owns admission, the
 * submissions and the queries.
 *
 *     link ─ frame ─▶ ring ─▶ thread ─▶ Submit ─▶ node/submissions    Subscribe ─▶ node/stream
 *            (copied; paused           TxQuery ─▶ node/queries        Status    ─▶ node/status
 *             over 256 KiB,            ProofQuery ─▶ the same         KeyQuery  ─▶ node/committee
 *             1 KiB each added)             ▲      ─▶ node/proofs
 *                                           │
 *     commit: ADMITTED DURABLE ANSWER ────┘  (never refused: bounded by what is on its way)
 *
 * Full ring: a client that still manages to send is closed and counted. Whatever clients send harms
 * their own connection only; a frame that does not parse gets an error reply with id 0 and the
 * connection is closed. */
#ifndef SLU_NODE_GATEWAY_H
#define SLU_NODE_GATEWAY_H

#include "node/lookup.h"
#include "node/runtime.h"
#include "node/stream.h"

struct slu_gateway;

struct slu_gateway_config {
    const struct slu_genesis *genesis;
    const struct slu_node_config *node;
    const struct slu_door *door; /* NULL: nobody */
    uint16_t self;
    struct slu_signer signer;
    struct slu_runtime *runtime;
    struct slu_stream *stream;
    struct slu_disk *disk; /* for lookups */
    struct slu_metrics *metrics;
    struct slu_link_counters *counters;
    /** Status as JSON text, to be freed with free(). The gateway's thread. */
    char *(*status)(void *context);
    void *context;
};

/** Starts the thread, so that effects can be executed; nobody can connect yet. `height` and
 * `stream_ms`: of the last delivered block, `durable`: the own lane's last durable position.
 * Errors: MEMORY, IO. */
SLU_MUST_USE int slu_gateway_start(struct slu_gateway **gateway,
                                   const struct slu_gateway_config *config, uint64_t height,
                                   uint64_t stream_ms, uint64_t durable);
/** Listens for clients. `why` names the URL. Errors: CONFIG, IO, MEMORY. */
SLU_MUST_USE int slu_gateway_listen(struct slu_gateway *gateway, char *why, size_t why_cap);
/** Ends every client link, and waits for their handlers. */
void slu_gateway_close(struct slu_gateway *gateway);
/** Ends the thread, frees. After the commit thread has ended. NULL is allowed. */
void slu_gateway_stop(struct slu_gateway *gateway);

/* ---- effects; the thread that carries out the turn ---- */

void slu_gateway_admitted(struct slu_gateway *gateway, uint64_t token,
                          const struct slu_admission *items, uint32_t count, uint64_t position);
void slu_gateway_taken(struct slu_gateway *gateway, uint64_t token, const struct slu_taken *taken);
void slu_gateway_durable(struct slu_gateway *gateway, uint64_t position);
void slu_gateway_answer(struct slu_gateway *gateway, uint64_t token,
                        const struct slu_tx_status *items, uint32_t count);
/** A height is delivered; `own_position`: the highest of this node's batches in it, 0 if none. */
void slu_gateway_delivered(struct slu_gateway *gateway, uint64_t height, uint64_t stream_ms,
                           uint64_t own_position);
/** The effects of a group of turns are executed: wakes the thread once, if need be. */
void slu_gateway_flushed(struct slu_gateway *gateway);

struct slu_ring_fill slu_gateway_fill(struct slu_gateway *gateway);
/** What is delivered and durable at this moment. Any thread. */
struct slu_place slu_gateway_place(struct slu_gateway *gateway);
/** Submissions and queries on their way. Any thread. */
void slu_gateway_open(struct slu_gateway *gateway, uint32_t *submissions, uint32_t *queries);

#endif
