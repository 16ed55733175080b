/* Client links, and how to answer on them. A client is kept alive by whoever still owes it an
 * answer; once its link is down answers go nowhere.
 *
 * Replies are never waited for: a client that lets its link's queue fill up with them is closed and
 * counted. (Subscriptions look at the queue first and never get there.) Any thread, unless said. */
#ifndef SLU_NODE_CLIENTS_H
#define SLU_NODE_CLIENTS_H

#include <stdatomic.h>

#include "node/flow.h"
#include "node/metrics.h"
#include "proto/codec.h"

/** How far this node has delivered, as its answers say. The gateway's thread owns it. */
struct slu_place {
    uint64_t height, stream_ms;
};

struct slu_client {
    struct slu_flow flow; /* flow.link is held */
    struct slu_metrics *metrics;
    uint64_t address; /* slu_admission_address */
    _Atomic uint32_t subscriptions;
    _Atomic uint32_t references;
    _Atomic bool gone;
};

/** With one reference, for a link that is up. NULL when memory is refused. */
struct slu_client *slu_client_new(struct slu_link *link, struct slu_metrics *metrics);
struct slu_client *slu_client_hold(struct slu_client *client);
void slu_client_release(struct slu_client *client);

/** Packs and sends; what cannot be sent closes the link. Returns the packed bytes, 0 when not sent.
 */
size_t slu_client_reply(struct slu_client *client, const Slu__Client__Reply *reply);
/** Ends request `id` with an error; `lowest_height` with below_retention. */
void slu_client_error(struct slu_client *client, uint64_t id, const char *code, const char *text,
                      uint64_t lowest_height);

#endif
