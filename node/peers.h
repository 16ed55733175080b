/* Links between the nodes: exactly one per pair, authenticated and encrypted (link/link.h).
 *
 *     node i dials every j > i and lets in every j < i; a newer link of a peer replaces the older
 *
 *     inbound:   link ─▶ node/inbound ─▶ core
 *     outbound:  SEND effects ─▶ slu_peers_send ─▶ the link's bounded queue ─▶ slu_peers_flush
 *
 * No link, or a full queue: the message is dropped and counted; the protocol repeats what matters
 * (docs/PROTOCOL.md clauses 2.4, 3.10). */
#ifndef SLU_NODE_PEERS_H
#define SLU_NODE_PEERS_H

#include "config/node_config.h"
#include "crypto/keyguard.h"
#include "link/link.h"
#include "node/inbound.h"
#include "node/runtime.h"
#include "proto/codec.h"

struct slu_peers;

struct slu_peers_config {
    const struct slu_genesis *genesis;
    uint16_t self;
    struct slu_signer signer; /* for the handshakes */
    const char *listen_url;
    char (*urls)[SLU_URL_BYTES_MAX]; /* where each node is dialled; only read */
    uint32_t queue_bytes_max, handshake_ms, fail_burst, fail_per_minute;
    struct slu_inbound *inbound;
    struct slu_runtime *runtime;
    struct slu_metrics *metrics;
    struct slu_link_counters *counters;
};

/** Prepares, so that effects can be executed; nothing is dialed yet. Errors: MEMORY. */
SLU_MUST_USE int slu_peers_new(struct slu_peers **peers, const struct slu_peers_config *config);
/** Listens and dials. `why` names the URL. Errors: CONFIG, IO, MEMORY. */
SLU_MUST_USE int slu_peers_start(struct slu_peers *peers, char *why, size_t why_cap);
/** Ends every link and waits for their handlers. */
void slu_peers_stop(struct slu_peers *peers);
/** After stop, and after the threads that send have ended. NULL is allowed. */
void slu_peers_free(struct slu_peers *peers);

#define SLU_PEER_BUFFER_BYTES (SLU_FRAME_BYTES_MAX + 1024u)

/** Queues one message to `to`, or to all with SLU_TO_ALL, for the next flush. `buffer` of
 * SLU_PEER_BUFFER_BYTES is the calling thread's. Any thread. */
void slu_peers_send(struct slu_peers *peers, uint8_t *buffer, uint16_t to, uint8_t kind,
                    const uint8_t *body, size_t body_len, const uint8_t *payload,
                    size_t payload_len);
/** Begins to write what was queued, by anyone, since the last flush. Any thread. */
void slu_peers_flush(struct slu_peers *peers);
/** Whether at least half of the queue of `to`'s link is free. */
bool slu_peers_has_room(struct slu_peers *peers, uint16_t to);

struct slu_peer_status {
    bool connected;
    char remote[SLU_LINK_REMOTE_BYTES];
    size_t queued_bytes;
};
void slu_peers_status(struct slu_peers *peers, uint16_t node, struct slu_peer_status *status);

#endif
