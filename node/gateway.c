#include "node/gateway.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "node/audits.h"
#include "node/clock.h"
#include "node/committee.h"
#include "node/forcing.h"
#include "node/log.h"
#include "node/queries.h"
#include "node/submissions.h"
#include "sluice/error.h"

/* Frames may fill a quarter of the slots; answers of the core always find room, since there are
 * fewer submissions and queries than the rest. */
#define RING_ITEMS    16384u
#define RING_BYTES    (96u * 1024u * 1024u)
#define FRAME_PERCENT 25u
/* What a frame counts beside its bytes: the smallest ones of one client must not take all slots. */
#define FRAME_BYTES   1024u
#define BURST         64u
#define LEAVING_MAX   64u
#define LEAVING_US    20000u
#define LEAVING_TRIES 25u     /* half a second to read the last reply */
#define MEASURE_US    250000u /* a delivery wakes nobody; at the latest then it is looked at */

enum kind { FRAME, GONE, ADMITTED, TAKEN, ANSWER, LOOKED_UP };

struct item {
    enum kind kind;
    struct slu_client *client; /* FRAME, GONE: held */
    uint64_t token, position;
    uint32_t count;
    size_t len;
    _Alignas(16) uint8_t data[]; /* the frame, or the core's items */
};

struct slu_gateway {
    struct slu_gateway_config config;
    struct slu_ring ring;
    struct slu_listener *listener;
    struct slu_admission_control *admission;
    struct slu_submissions *submissions;
    struct slu_forcing *forcing;
    struct slu_committee *committee;
    struct slu_queries *queries;
    struct slu_lookup *lookup;
    struct slu_proofs *proofs;
    struct slu_audits *audits;
    struct slu_place place; /* the thread's copy */
    /* Clients that get to read their last reply before they are closed. */
    struct {
        struct slu_client *client; /* held */
        unsigned tries;
    } leaving[LEAVING_MAX];
    uint32_t leaving_count;
    _Atomic uint64_t height, stream_ms, durable, own_delivered, own_delivered_us;
    _Atomic bool waits; /* for DURABLE */
    _Atomic bool left;  /* an answer in the ring waits for DURABLE */
    _Atomic bool news;
    _Atomic uint32_t submissions_open, queries_open;
    pthread_t thread;
};

/* ---- handlers, on nng's threads ---- */

static struct item *item_new(enum kind kind, const void *data, size_t len)
{
    struct item *item = malloc(sizeof *item + len);
    if (item == NULL)
        return NULL;
    memset(item, 0, sizeof *item);
    item->kind = kind;
    item->len = len;
    if (len > 0)
        memcpy(item->data, data, len);
    return item;
}

static void on_up(void *context, struct slu_link *link)
{
    struct slu_gateway *g = context;
    struct slu_client *client = slu_client_new(link, g->config.metrics);
    slu_link_set_user(link, client);
    if (client == NULL)
        slu_link_close(link);
    else
        slu_metrics_add(g->config.metrics, SLU_METRIC_CLIENTS, 1);
}

static void on_frame(void *context, struct slu_link *link, const uint8_t *data, size_t len)
{
    struct slu_gateway *g = context;
    struct slu_client *client = slu_link_user(link);
    struct item *item = client == NULL ? NULL : item_new(FRAME, data, len);
    if (item != NULL) {
        item->client = slu_client_hold(client);
        slu_flow_add(&client->flow, FRAME_BYTES + len);
        if (slu_ring_put(&g->ring, item, len, FRAME_PERCENT) == 0)
            return;
        slu_client_release(client);
        free(item);
    }
    slu_metrics_add(g->config.metrics, SLU_METRIC_CLIENT_FLOOD, 1);
    slu_link_close(link);
}

static void on_down(void *context, struct slu_link *link, int error, const char *reason)
{
    struct slu_gateway *g = context;
    struct slu_client *client = slu_link_user(link);
    (void)error;
    (void)reason;
    if (client == NULL)
        return;
    slu_metrics_sub(g->config.metrics, SLU_METRIC_CLIENTS, 1);
    atomic_store(&client->gone, true);
    if (atomic_load(&client->subscriptions) > 0) {
        struct item *item = item_new(GONE, NULL, 0);
        if (item != NULL) {
            item->client = slu_client_hold(client);
            if (slu_ring_put(&g->ring, item, 0, 100) != 0) {
                slu_client_release(client); /* the stream finds out by itself */
                free(item);
            }
        }
    }
    slu_client_release(client);
}

/* ---- requests ---- */

static void answer_status(struct slu_gateway *g, struct slu_client *client, uint64_t id)
{
    Slu__Client__StatusReply status = SLU__CLIENT__STATUS_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    char *json = g->config.status(g->config.context);
    if (json == NULL) {
        slu_client_error(client, id, "busy", "out of memory", 0);
        return;
    }
    status.json = json;
    reply.id = id;
    reply.body_case = SLU__CLIENT__REPLY__BODY_STATUS;
    reply.status = &status;
    slu_client_reply(client, &reply);
    free(json);
}

static void refuse_frame(struct slu_gateway *g, struct slu_client *client)
{
    slu_metrics_add(g->config.metrics, SLU_METRIC_REQUEST_MALFORMED, 1);
    slu_client_error(client, 0, "malformed", "a frame that is no request", 0);
    slu_link_pause_reading(client->flow.link);
    if (g->leaving_count == LEAVING_MAX) {
        slu_link_close(client->flow.link);
        return;
    }
    g->leaving[g->leaving_count].client = slu_client_hold(client);
    g->leaving[g->leaving_count++].tries = 0;
}

/* Closes who has read the last reply or has had the time to; true while some are left. */
static bool close_leaving(struct slu_gateway *g, bool now)
{
    for (uint32_t i = 0; i < g->leaving_count;) {
        struct slu_client *client = g->leaving[i].client;
        bool sent = slu_link_queued_bytes(client->flow.link) == 0 && g->leaving[i].tries > 0;
        if (!now && !sent && ++g->leaving[i].tries < LEAVING_TRIES) {
            i++;
            continue;
        }
        slu_link_close(client->flow.link);
        slu_client_release(client);
        g->leaving[i] = g->leaving[--g->leaving_count];
    }
    return g->leaving_count > 0;
}

static void take_frame(struct slu_gateway *g, struct slu_client *client, const struct item *item)
{
    struct slu_metrics *m = g->config.metrics;
    if (atomic_load(&client->gone))
        return;
    Slu__Client__Request *request =
        slu_request_unpack(item->data, item->len, SLU_REQUEST_MEMORY_MAX);
    if (request == NULL) {
        refuse_frame(g, client);
        return;
    }
    switch (request->body_case) {
    case SLU__CLIENT__REQUEST__BODY_SUBMIT:
        slu_metrics_add(m, SLU_METRIC_REQUEST_SUBMIT, 1);
        slu_submissions_take(g->submissions, client, request->id, request->submit);
        break;
    case SLU__CLIENT__REQUEST__BODY_QUERY:
        slu_metrics_add(m, SLU_METRIC_REQUEST_QUERY, 1);
        slu_queries_take(g->queries, client, request->id, request->query);
        break;
    case SLU__CLIENT__REQUEST__BODY_SUBSCRIBE:
        slu_metrics_add(m, SLU_METRIC_REQUEST_SUBSCRIBE, 1);
        slu_stream_add(g->config.stream, client, request->id, request->subscribe);
        break;
    case SLU__CLIENT__REQUEST__BODY_STATUS:
        slu_metrics_add(m, SLU_METRIC_REQUEST_STATUS, 1);
        answer_status(g, client, request->id);
        break;
    case SLU__CLIENT__REQUEST__BODY_FORCE:
        slu_metrics_add(m, SLU_METRIC_REQUEST_FORCE, 1);
        slu_forcing_take(g->forcing, client, request->id, request->force);
        break;
    case SLU__CLIENT__REQUEST__BODY_RECEIPT:
        slu_metrics_add(m, SLU_METRIC_REQUEST_RECEIPT, 1);
        slu_forcing_receipt(g->forcing, client, request->id, request->receipt);
        break;
    case SLU__CLIENT__REQUEST__BODY_TERMS:
        slu_metrics_add(m, SLU_METRIC_REQUEST_TERMS, 1);
        slu_forcing_terms(g->forcing, client, request->id, request->terms);
        break;
    case SLU__CLIENT__REQUEST__BODY_EVIDENCE:
        slu_metrics_add(m, SLU_METRIC_REQUEST_EVIDENCE, 1);
        slu_forcing_evidence(g->forcing, client, request->id, request->evidence);
        break;
    case SLU__CLIENT__REQUEST__BODY_KEY:
        slu_metrics_add(m, SLU_METRIC_REQUEST_KEY, 1);
        slu_committee_answer(g->committee, client, request->id, request->key);
        break;
    case SLU__CLIENT__REQUEST__BODY_PROOF:
        slu_metrics_add(m, SLU_METRIC_REQUEST_PROOF, 1);
        slu_queries_prove(g->queries, client, request->id, request->proof);
        break;
    case SLU__CLIENT__REQUEST__BODY_AUDIT:
        slu_metrics_add(m, SLU_METRIC_REQUEST_AUDIT, 1);
        slu_audits_put(g->audits, client, request->id, request->audit);
        break;
    case SLU__CLIENT__REQUEST__BODY_CANCEL:
        if (request->cancel->request != 0)
            slu_stream_cancel(g->config.stream, client, request->cancel->request);
        break;
    case SLU__CLIENT__REQUEST__BODY__NOT_SET:
    default: /* the generated enum has a value for its own size */
        refuse_frame(g, client);
        break;
    }
    slu_request_free(request);
}

/* ---- the thread ---- */

static void handle(struct slu_gateway *g, struct item *item)
{
    switch (item->kind) {
    case FRAME:
        take_frame(g, item->client, item);
        slu_flow_done(&item->client->flow, FRAME_BYTES + item->len);
        break;
    case GONE:
        slu_stream_cancel(g->config.stream, item->client, 0);
        break;
    case ADMITTED:
        slu_submissions_admitted(g->submissions, item->token,
                                 (const struct slu_admission *)(const void *)item->data,
                                 item->count, item->position);
        break;
    case TAKEN:
        slu_forcing_taken(g->forcing, item->token,
                          (const struct slu_taken *)(const void *)item->data);
        break;
    case ANSWER:
        slu_queries_answered(g->queries, item->token,
                             (const struct slu_tx_status *)(const void *)item->data, item->count);
        break;
    case LOOKED_UP:
        slu_queries_looked_up(g->queries, item->token);
        break;
    }
    if (item->client != NULL)
        slu_client_release(item->client);
    free(item);
}

static void look_around(struct slu_gateway *g)
{
    g->place.height = atomic_load(&g->height);
    g->place.stream_ms = atomic_load(&g->stream_ms);
    slu_submissions_durable(g->submissions, atomic_load(&g->durable));
    uint64_t delivered = atomic_load(&g->own_delivered);
    slu_submissions_delivered(g->submissions, delivered, atomic_load(&g->own_delivered_us));
}

static uint64_t no_later(uint64_t until_us, uint64_t from_now_us)
{
    uint64_t at_us = slu_now_us() + from_now_us;
    return until_us < at_us ? until_us : at_us;
}

static void *gateway_thread(void *context)
{
    struct slu_gateway *g = context;
    void *items[BURST];
    uint64_t until_us = UINT64_MAX;
    for (;;) {
        uint32_t count = slu_ring_take(&g->ring, items, BURST, SIZE_MAX, until_us);
        if (count == 0 && slu_ring_closed(&g->ring))
            return NULL;
        look_around(g);
        for (uint32_t i = 0; i < count; i++)
            handle(g, items[i]);
        until_us = slu_queries_tick(g->queries);
        slu_runtime_run(g->config.runtime);
        if (g->leaving_count > 0 && close_leaving(g, false))
            until_us = no_later(until_us, LEAVING_US);
        if (slu_submissions_measuring(g->submissions))
            until_us = no_later(until_us, MEASURE_US);
        atomic_store(&g->submissions_open, slu_submissions_count(g->submissions));
        atomic_store(&g->queries_open, slu_queries_count(g->queries));
        atomic_store(&g->waits, slu_submissions_waiting(g->submissions));
        /* What came while `waits` was still off woke nobody. */
        look_around(g);
    }
}

static void lookup_done(void *context, uint64_t token)
{
    struct slu_gateway *g = context;
    struct item *item = item_new(LOOKED_UP, NULL, 0);
    SLU_CHECK(item != NULL);
    item->token = token;
    if (slu_ring_put(&g->ring, item, 0, 100) != 0)
        free(item); /* closed: the query is freed with the others */
}

static void gateway_free(struct slu_gateway *g)
{
    void *item;
    while (g->ring.slots != NULL && slu_ring_take(&g->ring, &item, 1, SIZE_MAX, 0) == 1) {
        struct item *left = item;
        if (left->client != NULL)
            slu_client_release(left->client);
        free(left);
    }
    close_leaving(g, true);
    slu_lookup_stop(g->lookup);
    slu_proofs_stop(g->proofs);
    slu_audits_stop(g->audits);
    slu_queries_free(g->queries);
    slu_submissions_free(g->submissions);
    slu_forcing_free(g->forcing);
    slu_committee_free(g->committee);
    slu_admission_free(g->admission);
    slu_ring_destroy(&g->ring);
    free(g);
}

int slu_gateway_start(struct slu_gateway **gateway, const struct slu_gateway_config *config,
                      uint64_t height, uint64_t stream_ms, uint64_t durable)
{
    struct slu_gateway *g = calloc(1, sizeof *g);
    if (g == NULL)
        return SLU_ERR_MEMORY;
    g->config = *config;
    g->place = (struct slu_place){height, stream_ms};
    atomic_init(&g->height, height);
    atomic_init(&g->stream_ms, stream_ms);
    atomic_init(&g->durable, durable);
    g->admission = slu_admission_new(config->node, config->genesis);
    g->queries = slu_queries_new(config->runtime, &g->place, config->metrics);
    g->forcing =
        slu_forcing_new(config->genesis, config->runtime, config->disk, config->door, &g->place);
    g->committee = slu_committee_new(config->genesis, config->runtime, &g->place);
    if (g->admission != NULL)
        g->submissions = slu_submissions_new(config->genesis, config->runtime, g->admission,
                                             config->door, &g->place, config->metrics);
    int error = slu_ring_init(&g->ring, RING_ITEMS, RING_BYTES);
    if (error == 0 && (g->queries == NULL || g->submissions == NULL || g->forcing == NULL ||
                       g->committee == NULL))
        error = SLU_ERR_MEMORY;
    if (error == 0)
        error = slu_lookup_start(&g->lookup, config->disk, config->genesis, lookup_done, g);
    if (error == 0)
        error = slu_proofs_start(&g->proofs, config->disk, config->genesis, config->metrics);
    if (error == 0)
        error = slu_audits_start(&g->audits, config->disk);
    if (error == 0) {
        slu_queries_use(g->queries, g->lookup, g->proofs);
        slu_submissions_durable(g->submissions, durable);
        if (pthread_create(&g->thread, NULL, gateway_thread, g) != 0)
            error = SLU_ERR_IO;
    }
    if (error != 0) {
        gateway_free(g);
        return error;
    }
    pthread_setname_np(g->thread, "gateway");
    *gateway = g;
    return 0;
}

int slu_gateway_listen(struct slu_gateway *gateway, char *why, size_t why_cap)
{
    const struct slu_node_config *node = gateway->config.node;
    const struct slu_genesis *genesis = gateway->config.genesis;
    struct slu_link_config config = slu_link_config_default();
    config.role = SLU_LINK_AS_NODE;
    config.version = (uint16_t)genesis->version;
    memcpy(config.chain_id32, genesis->chain_id, 32);
    config.node = gateway->config.self;
    memcpy(config.public32, genesis->nodes[config.node].public32, 32);
    config.signer = gateway->config.signer;
    config.handshake_ms = node->handshake_ms;
    config.queue_bytes_max = node->link_queue_bytes_max;
    config.links_max = node->clients_max;
    config.links_per_address_max = node->clients_per_address_max;
    config.fail_burst = node->fail_burst;
    config.fail_per_minute = node->fail_per_minute;
    config.counters = gateway->config.counters;
    struct slu_link_handler handler = {
        .context = gateway, .up = on_up, .frame = on_frame, .down = on_down};
    return slu_listener_start(&gateway->listener, node->client_listen_url, &config, &handler, why,
                              why_cap);
}

void slu_gateway_close(struct slu_gateway *gateway)
{
    slu_listener_stop(gateway->listener);
    gateway->listener = NULL;
}

void slu_gateway_stop(struct slu_gateway *gateway)
{
    if (gateway == NULL)
        return;
    slu_ring_close(&gateway->ring);
    pthread_join(gateway->thread, NULL);
    gateway_free(gateway);
}

/* ---- effects, on the thread that carries out the turn ---- */

static void put_answer(struct slu_gateway *g, struct item *item)
{
    SLU_CHECK(item != NULL);
    /* Closed only after the commit thread has ended; full never (see RING_ITEMS). */
    SLU_CHECK(slu_ring_put(&g->ring, item, 0, 100) == 0);
}

void slu_gateway_admitted(struct slu_gateway *gateway, uint64_t token,
                          const struct slu_admission *items, uint32_t count, uint64_t position)
{
    struct item *item = item_new(ADMITTED, items, count * sizeof *items);
    SLU_CHECK(item != NULL);
    item->token = token;
    item->count = count;
    item->position = position;
    if (position <= atomic_load(&gateway->durable)) {
        put_answer(gateway, item);
        return;
    }
    /* The client hears nothing before DURABLE comes, which wakes the thread. */
    atomic_store(&gateway->left, true);
    SLU_CHECK(slu_ring_leave(&gateway->ring, item, 0) == 0);
}

void slu_gateway_taken(struct slu_gateway *gateway, uint64_t token, const struct slu_taken *taken)
{
    struct item *item = item_new(TAKEN, taken, sizeof *taken);
    SLU_CHECK(item != NULL);
    item->token = token;
    put_answer(gateway, item);
}

void slu_gateway_answer(struct slu_gateway *gateway, uint64_t token,
                        const struct slu_tx_status *items, uint32_t count)
{
    struct item *item = item_new(ANSWER, items, count * sizeof *items);
    SLU_CHECK(item != NULL);
    item->token = token;
    item->count = count;
    put_answer(gateway, item);
}

void slu_gateway_durable(struct slu_gateway *gateway, uint64_t position)
{
    atomic_store(&gateway->durable, position);
    atomic_store(&gateway->news, true);
}

void slu_gateway_delivered(struct slu_gateway *gateway, uint64_t height, uint64_t stream_ms,
                           uint64_t own_position)
{
    atomic_store(&gateway->height, height);
    atomic_store(&gateway->stream_ms, stream_ms);
    if (own_position > 0) {
        atomic_store(&gateway->own_delivered_us, slu_now_us());
        atomic_store(&gateway->own_delivered, own_position);
    }
}

void slu_gateway_flushed(struct slu_gateway *gateway)
{
    if (atomic_exchange(&gateway->news, false) &&
        (atomic_exchange(&gateway->left, false) || atomic_load(&gateway->waits)))
        slu_ring_wake(&gateway->ring);
}

struct slu_ring_fill slu_gateway_fill(struct slu_gateway *gateway)
{
    return slu_ring_fill(&gateway->ring);
}

struct slu_place slu_gateway_place(struct slu_gateway *gateway)
{
    return (struct slu_place){atomic_load(&gateway->height), atomic_load(&gateway->stream_ms)};
}

void slu_gateway_open(struct slu_gateway *gateway, uint32_t *submissions, uint32_t *queries)
{
    *submissions = atomic_load(&gateway->submissions_open);
    *queries = atomic_load(&gateway->queries_open);
}
