/* Admission receipts (docs/PROTOCOL.md clause 6.7) as the `sluice` command collects and prints
 * them: a node's signed word that it holds a forced transaction. f+1 of them are a forced receipt.
 */
#ifndef SLU_CLIENT_RECEIPTS_H
#define SLU_CLIENT_RECEIPTS_H

#include "client/session.h"
#include "client/text.h"
#include "wire/inbox.h"

struct slu_receipts {
    uint16_t count;
    struct slu_receipt items[SLU_NODES_MAX];
};

/** Adds the receipt of a ForceReply unless its node has one here already. `genesis` NULL: its
 * signature is not checked. Errors: NOT_FOUND (no receipt in it), MALFORMED, MISMATCH (for another
 * id, of a node that is not in the genesis), SIGNATURE. */
SLU_MUST_USE int slu_receipts_add(struct slu_receipts *receipts,
                                  const Slu__Client__ForceReply *reply, const uint8_t id32[32],
                                  const struct slu_genesis *genesis);
/** Whether the receipt is signed by the node that it names. */
bool slu_receipt_ok(const struct slu_receipt *receipt, const struct slu_genesis *genesis);
/** Appends one as a JSON object. */
void slu_receipt_json(struct slu_text *text, const struct slu_receipt *receipt);
/** Asks the node of `session` for its receipt of `id32`. NULL when it does not answer; else the
 * reply, to be freed with slu_reply_free. */
Slu__Client__Reply *slu_receipt_ask(struct slu_session *session, uint8_t id32[32]);

#endif
