/* A session: one connection of a client to a node, over link/, speaking proto/client.proto.
 *
 *     slu_session_send ──▶ link ──▶ node ──▶ link ──▶ unpack ──▶ bounded queue ──▶ _receive
 *     (blocks when full)                       (nng thread)      or config.on_reply
 *
 * Many requests may be open; a reply carries its request's id, and _receive can wait for the
 * replies of one request while others queue up. When more than SLU_SESSION_QUEUE_BYTES of replies
 * wait, the session stops reading: a slow user meets a full socket, and the node slows this
 * subscriber only.
 *
 * When the connection ends, replies that had arrived can still be received; then CLOSED, for ever:
 * reconnecting is opening another session. Threads: one thread uses a session, except that
 * _send may be called from any. */
#ifndef SLU_CLIENT_SESSION_H
#define SLU_CLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "proto/codec.h"

#define SLU_SESSION_QUEUE_BYTES (16u * 1024u * 1024u) /* of reply frames waiting to be received */
#define SLU_SESSION_ANY         0u                    /* slu_session_receive: of any request */

struct slu_session;

struct slu_session_config {
    const char *url;
    uint32_t timeout_ms; /* for connecting, and for _send on a full queue */
    uint32_t answer_ms;  /* how long users of the session wait for an answer; 0: 10 s */
    /** When set, replies are handed over on an nng thread as they come instead of being queued; the
     * reply is valid during the call. Must not block. */
    void (*on_reply)(void *context, const Slu__Client__Reply *reply);
    void *context;
};

/** Connects as an anonymous client, to whatever chain the node is of. On failure `why` is one line
 * with the URL. Errors: those of slu_link_connect. */
SLU_MUST_USE int slu_session_open(struct slu_session **session,
                                  const struct slu_session_config *config, char *why,
                                  size_t why_cap);
/** Closes and frees; NULL is allowed. Replies that the caller holds stay valid. */
void slu_session_close(struct slu_session *session);

/** Gives `request` the next id of this session and sends it. Errors: LIMIT (larger than a frame),
 * TIMEOUT (the queue stayed full), CLOSED, MEMORY. */
SLU_MUST_USE int slu_session_send(struct slu_session *session, Slu__Client__Request *request);

/** As slu_session_send, but gives BUSY at once when the queue is full. */
SLU_MUST_USE int slu_session_try_send(struct slu_session *session, Slu__Client__Request *request);

/** Waits for the next reply to request `id`, or to any with SLU_SESSION_ANY; free it with
 * slu_reply_free. Who waits for one request while the replies of others fill the queue waits in
 * vain. Errors: TIMEOUT, CLOSED (slu_session_reason has words). */
SLU_MUST_USE int slu_session_receive(struct slu_session *session, uint64_t id,
                                     Slu__Client__Reply **reply, uint32_t timeout_ms);

/** Sends and waits for one reply. Errors: of both. */
SLU_MUST_USE int slu_session_call(struct slu_session *session, Slu__Client__Request *request,
                                  Slu__Client__Reply **reply, uint32_t timeout_ms);

/** No call over the session waits past monotonic time `until_ms`, whatever its own timeout; 0: they
 * may. What ends so ends with TIMEOUT. */
void slu_session_until(struct slu_session *session, uint64_t until_ms);

bool slu_session_is_down(struct slu_session *session);
/** Why the session is down, one line; "" while it is up. Copied into `why`. */
void slu_session_reason(struct slu_session *session, char *why, size_t why_cap);
/** How long to wait for an answer over this session. */
uint32_t slu_session_answer_ms(const struct slu_session *session);
/** The chain of the node on the other side. */
const uint8_t *slu_session_chain_id32(const struct slu_session *session);

/** Monotonic time in ms. */
uint64_t slu_now_ms(void);
/** What this machine's clock says, in ms since 1970. */
uint64_t slu_clock_ms(void);

#endif
