#include "client/place.h"

#include <stdio.h>
#include <string.h>

#include "client/stage.h"

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
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_QUERY && reply->query->n_statuses == 1 &&
        reply->query->statuses[0]->id.len == 32 &&
        memcmp(reply->query->statuses[0]->id.data, id32, 32) == 0)
        return reply;
    slu_reply_free(reply);
    return NULL;
}

bool slu_place_contradicts(const Slu__Client__TxStatus *status, char why[SLU_PLACE_WORDS])
{
    unsigned long long queued = status->queued_height, due = status->due_height;
    bool out_of_queue = status->stage == SLU_CLIENT_FINAL && status->forced;
    if (status->stage == SLU_CLIENT_QUEUED && queued == 0 && due == 0)
        snprintf(why, SLU_PLACE_WORDS, "queued, at no height");
    else if (queued == 0 ? due != 0 : due <= queued)
        snprintf(why, SLU_PLACE_WORDS, "queued at %llu, due at %llu", queued, due);
    else if (out_of_queue && queued != 0 && status->height != due)
        snprintf(why, SLU_PLACE_WORDS, "due at %llu, delivered at %llu", due,
                 (unsigned long long)status->height);
    else
        return false;
    return true;
}
