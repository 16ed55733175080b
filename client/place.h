/* Asking a node where one transaction is. */
#ifndef SLU_CLIENT_PLACE_H
#define SLU_CLIENT_PLACE_H

#include "client/session.h"

/** The node's reply with one status for `id32`, waiting at most `wait_ms` for a definite one; free
 * it with slu_reply_free. NULL: no such answer came. */
Slu__Client__Reply *slu_place_ask(struct slu_session *session, uint8_t id32[32], uint32_t wait_ms);

#define SLU_PLACE_WORDS 96u

/** Whether no honest node says this (docs/PROTOCOL.md clause 6.5): an entry is delivered at the
 * height that was fixed for it, after the one that queued it. `why` has words then. */
bool slu_place_contradicts(const Slu__Client__TxStatus *status, char why[SLU_PLACE_WORDS]);

#endif
