#include "client/receipts.h"

#include <string.h>

#include "crypto/keyguard.h"

#define ANSWER_MS 5000u

bool slu_receipt_ok(const struct slu_receipt *receipt, const struct slu_genesis *genesis)
{
    uint8_t digest[32];
    if (receipt->node >= genesis->n)
        return false;
    slu_receipt_digest(digest, genesis, receipt);
    return slu_signature_ok(genesis->nodes[receipt->node].public32, digest, receipt->signature);
}

/* Without a genesis the number of nodes is not known: reading checks the index against it. */
static bool read_receipt(struct slu_receipt *out, const ProtobufCBinaryData *bytes)
{
    struct slu_reader r = slu_reader_of(bytes->data, bytes->len);
    out->node = slu_read_u16(&r);
    slu_read_copy(&r, out->id, 32);
    out->time_ms = slu_read_u64(&r);
    out->height = slu_read_u64(&r);
    slu_read_copy(&r, out->signature, 64);
    return slu_reader_done(&r) && out->node < SLU_NODES_MAX;
}

bool slu_receipts_add(struct slu_receipts *receipts, const Slu__Client__ForceReply *reply,
                      const uint8_t id32[32], const struct slu_genesis *genesis)
{
    struct slu_receipt receipt;
    if (!read_receipt(&receipt, &reply->receipt) || memcmp(receipt.id, id32, 32) != 0 ||
        receipts->count == SLU_NODES_MAX)
        return false;
    for (uint16_t i = 0; i < receipts->count; i++)
        if (receipts->items[i].node == receipt.node)
            return false;
    if (genesis && !slu_receipt_ok(&receipt, genesis))
        return false;
    receipts->items[receipts->count++] = receipt;
    return true;
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
