/* Forced transactions of clients, receipts of what is held, the terms to pay, and the evidence that
 * there is (docs/PROTOCOL.md clauses 6.6, 6.7, 8.1).
 *
 *     Force, ReceiptQuery ─▶ FORCE, RECEIPT event ─▶ TAKEN(token), after the sync ─▶ ForceReply
 *     TermsQuery ─▶ the core's newest inbox status            EvidenceQuery ─▶ the store
 *
 * No token bucket: postage is the price, and the inbox has bounds of its own. Bounded by requests
 * on their way; beyond that "busy", as when the core's ring is more than half full. The gateway's
 * thread. */
#ifndef SLU_NODE_FORCING_H
#define SLU_NODE_FORCING_H

#include "node/clients.h"
#include "node/door.h"
#include "node/runtime.h"
#include "node/store.h"

struct slu_forcing;

/** NULL when memory is refused. `door` may be NULL. What it is given must outlive it. */
struct slu_forcing *slu_forcing_new(const struct slu_genesis *genesis, struct slu_runtime *runtime,
                                    struct slu_disk *disk, const struct slu_door *door,
                                    const struct slu_place *place);
void slu_forcing_free(struct slu_forcing *forcing);

/** Take a client's request; the reply comes now or later. */
void slu_forcing_take(struct slu_forcing *forcing, struct slu_client *client, uint64_t request_id,
                      const Slu__Client__Force *force);
void slu_forcing_receipt(struct slu_forcing *forcing, struct slu_client *client,
                         uint64_t request_id, const Slu__Client__ReceiptQuery *query);
void slu_forcing_terms(struct slu_forcing *forcing, struct slu_client *client, uint64_t request_id,
                       const Slu__Client__TermsQuery *query);
/** One item of each (offender, offence), the one of the lowest id; as many as fit one frame. */
void slu_forcing_evidence(struct slu_forcing *forcing, struct slu_client *client,
                          uint64_t request_id, const Slu__Client__EvidenceQuery *query);
/** What the core says to a FORCE or RECEIPT event. */
void slu_forcing_taken(struct slu_forcing *forcing, uint64_t token, const struct slu_taken *taken);
/** How many are on their way. */
uint32_t slu_forcing_count(const struct slu_forcing *forcing);

#endif
