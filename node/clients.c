#include "node/clients.h"

#include <stdlib.h>

#include "node/admission.h"
#include "sluice/error.h"

#define UNREAD_REQUESTS_MAX                                                                        \
    (256u * 1024u) /* bytes of requests that one client may have waiting                           \
                    */

struct slu_client *slu_client_new(struct slu_link *link, struct slu_metrics *metrics)
{
    struct slu_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    slu_flow_init(&c->flow, slu_link_hold(link), UNREAD_REQUESTS_MAX);
    c->metrics = metrics;
    c->address = slu_admission_address(slu_link_remote(link));
    atomic_init(&c->references, 1);
    atomic_init(&c->gone, false);
    return c;
}

struct slu_client *slu_client_hold(struct slu_client *client)
{
    atomic_fetch_add(&client->references, 1);
    return client;
}

void slu_client_release(struct slu_client *client)
{
    if (atomic_fetch_sub(&client->references, 1) != 1)
        return;
    slu_link_release(client->flow.link);
    free(client);
}

size_t slu_client_reply(struct slu_client *client, const Slu__Client__Reply *reply)
{
    size_t len = 0;
    if (atomic_load(&client->gone))
        return 0;
    uint8_t *frame = slu_reply_pack(reply, &len);
    int error =
        frame == NULL ? SLU_ERR_MEMORY : slu_link_send(client->flow.link, frame, len, NULL, 0);
    free(frame);
    if (error == 0)
        return len;
    if (error != SLU_ERR_CLOSED) {
        slu_metrics_add(client->metrics, SLU_METRIC_CLIENT_SLOW, 1);
        slu_link_close(client->flow.link);
    }
    return 0;
}

void slu_client_error(struct slu_client *client, uint64_t id, const char *code, const char *text,
                      uint64_t lowest_height)
{
    Slu__Client__Error error = SLU__CLIENT__ERROR__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    error.code = (char *)(uintptr_t)code;
    error.text = (char *)(uintptr_t)text;
    error.lowest_height = lowest_height;
    reply.id = id;
    reply.body_case = SLU__CLIENT__REPLY__BODY_ERROR;
    reply.error = &error;
    slu_client_reply(client, &reply);
}
