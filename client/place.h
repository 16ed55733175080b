/* Asking a node where transactions are, and how far it is itself. */
#ifndef SLU_CLIENT_PLACE_H
#define SLU_CLIENT_PLACE_H

#include "client/session.h"

/** The node's reply with one status for `id32`, waiting at most `wait_ms` for a definite one; free
 * it with slu_reply_free. NULL: no such answer came. */
Slu__Client__Reply *slu_place_ask(struct slu_session *session, uint8_t id32[32], uint32_t wait_ms);

/** The same of a list of at most SLU_QUERY_IDS_MAX, one status each in its order; waits at most
 * `wait_ms` for all to be definite. None: how far the node is, at once. What only a search of the
 * node's blocks finds about forced ones is there with `queueing` only. Errors: those of a session;
 * REFUSED (an error reply), MALFORMED (no answer to this). */
SLU_MUST_USE int slu_places_ask(struct slu_session *session, Slu__Client__Reply **reply,
                                const ProtobufCBinaryData *ids, size_t count, uint32_t wait_ms,
                                bool queueing);

#define SLU_PLACE_WORDS 96u

/** Whether no honest node says this (docs/PROTOCOL.md clause 6.5): an entry is delivered at the
 * height that was fixed for it, after the one that queued it. `why` has words then. */
bool slu_place_contradicts(const Slu__Client__TxStatus *status, char why[SLU_PLACE_WORDS]);

#endif
