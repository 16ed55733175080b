#include "client/place.h"

#include <stdio.h>
#include <string.h>

#include "client/stage.h"
#include "sluice/error.h"

static bool answers(const Slu__Client__TxReply *reply, const ProtobufCBinaryData *ids, size_t count)
{
    bool ok = reply->n_statuses == count;
    for (size_t i = 0; ok && i < count; i++)
        ok = reply->statuses[i]->id.len == 32 &&
             memcmp(reply->statuses[i]->id.data, ids[i].data, 32) == 0;
    return ok;
}

int slu_places_ask(struct slu_session *session, Slu__Client__Reply **reply,
                   const ProtobufCBinaryData *ids, size_t count, uint32_t wait_ms, bool queueing)
{
    Slu__Client__TxQuery query = SLU__CLIENT__TX_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    query.n_ids = count;
    query.ids = (ProtobufCBinaryData *)(uintptr_t)ids;
    query.wait_ms = wait_ms;
    query.queueing = queueing;
    request.body_case = SLU__CLIENT__REQUEST__BODY_QUERY;
    request.query = &query;
    int rc = slu_session_call(session, &request, reply, wait_ms + slu_session_answer_ms(session));
    if (rc)
        return rc;
    if ((*reply)->body_case == SLU__CLIENT__REPLY__BODY_ERROR)
        rc = SLU_ERR_REFUSED;
    else if ((*reply)->body_case != SLU__CLIENT__REPLY__BODY_QUERY ||
             !answers((*reply)->query, ids, count))
        rc = SLU_ERR_MALFORMED;
    if (rc)
        slu_reply_free(*reply);
    return rc;
}

Slu__Client__Reply *slu_place_ask(struct slu_session *session, uint8_t id32[32], uint32_t wait_ms)
{
    ProtobufCBinaryData id = {.len = 32, .data = id32};
    Slu__Client__Reply *reply;
    return slu_places_ask(session, &reply, &id, 1, wait_ms, true) ? NULL : reply;
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
