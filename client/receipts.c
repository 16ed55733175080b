#include "client/receipts.h"

#include <string.h>

#include "client/outline.h"
#include "crypto/keyguard.h"
#include "sluice/error.h"

#define ANSWER_MS 5000u

bool slu_receipt_ok(const struct slu_receipt *receipt, const struct slu_genesis *genesis)
{
    uint8_t digest[32];
    if (receipt->node >= genesis->n)
        return false;
    slu_receipt_digest(digest, genesis, receipt);
    return slu_signature_ok(genesis->nodes[receipt->node].public32, digest, receipt->signature);
}

int slu_receipts_add(struct slu_receipts *receipts, const Slu__Client__ForceReply *reply,
                     const uint8_t id32[32], const struct slu_genesis *genesis)
{
    static struct slu_genesis outline;
    static const uint8_t any_chain[32];
    struct slu_receipt receipt;
    struct slu_reader r = slu_reader_of(reply->receipt.data, reply->receipt.len);
    if (reply->receipt.len == 0)
        return SLU_ERR_NOT_FOUND;
    slu_outline(&outline, any_chain);
    int rc = slu_receipt_read(&r, genesis ? genesis : &outline, &receipt);
    if (rc || !slu_reader_done(&r))
        return rc ? rc : SLU_ERR_MALFORMED;
    if (memcmp(receipt.id, id32, 32) != 0)
        return SLU_ERR_MISMATCH;
    if (genesis && !slu_receipt_ok(&receipt, genesis))
        return SLU_ERR_SIGNATURE;
    for (uint16_t i = 0; i < receipts->count; i++)
        if (receipts->items[i].node == receipt.node)
            return SLU_OK;
    receipts->items[receipts->count++] = receipt;
    return SLU_OK;
}

void slu_receipt_json(struct slu_text *text, const struct slu_receipt *receipt)
{
    uint8_t bytes[SLU_RECEIPT_BYTES];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_receipt_write(&w, receipt);
    slu_text_add(text, "{\"node\":");
    slu_text_add_number(text, receipt->node);
    slu_text_add(text, ",\"time_ms\":");
    slu_text_add_number(text, receipt->time_ms);
    slu_text_add(text, ",\"height\":");
    slu_text_add_number(text, receipt->height);
    slu_text_add(text, ",\"bytes\":\"0x");
    slu_text_add_hex(text, bytes, slu_writer_len(&w));
    slu_text_add(text, "\"}");
}

Slu__Client__Reply *slu_receipt_ask(struct slu_session *session, uint8_t id32[32])
{
    Slu__Client__ReceiptQuery query = SLU__CLIENT__RECEIPT_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    Slu__Client__Reply *reply;
    query.id = (ProtobufCBinaryData){32, id32};
    request.body_case = SLU__CLIENT__REQUEST__BODY_RECEIPT;
    request.receipt = &query;
    if (slu_session_call(session, &request, &reply, ANSWER_MS))
        return NULL;
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_FORCE)
        return reply;
    slu_reply_free(reply);
    return NULL;
}
