#include "client/place.h"

#define ANSWER_MS 10000u

Slu__Client__Reply *slu_place_ask(struct slu_session *session, uint8_t id32[32], uint32_t wait_ms)
{
    ProtobufCBinaryData id = {.len = 32, .data = id32};
    Slu__Client__TxQuery query = SLU__CLIENT__TX_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    Slu__Client__Reply *reply;
    query.n_ids = 1;
    query.ids = &id;
    query.wait_ms = wait_ms;
    query.queueing = true;
    request.body_case = SLU__CLIENT__REQUEST__BODY_QUERY;
    request.query = &query;
    if (slu_session_call(session, &request, &reply, wait_ms + ANSWER_MS))
        return NULL;
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_QUERY && reply->query->n_statuses == 1)
        return reply;
    slu_reply_free(reply);
    return NULL;
}
