#include "node/peers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/log.h"
#include "sluice/error.h"

#define FLUSH_BYTES (64u * 1024u)

/* A link that is up. Lives until it is down and none of its frames is on its way. */
struct peer_link {
    struct slu_flow flow; /* first: frames know their peer_link by it */
    _Atomic uint32_t references;
    uint16_t node;
    bool unflushed; /* the table's lock */
};

struct slu_peers {
    struct slu_peers_config config;
    uint8_t keys[SLU_NODES_MAX][32];
    pthread_mutex_t lock;
    struct peer_link *links[SLU_NODES_MAX];
    struct slu_listener *listener;
    struct slu_dialer *dialers[SLU_NODES_MAX];
};

static struct slu_log_limit link_lines = SLU_LOG_LIMIT(60);

static void link_release(struct peer_link *p)
{
    if (atomic_fetch_sub(&p->references, 1) == 1) {
        slu_link_release(p->flow.link);
        free(p);
    }
}

static void frame_released(struct slu_flow *flow)
{
    link_release((struct peer_link *)flow);
}

/* ---- handlers, on nng's threads ---- */

static void input_free(struct slu_input *input)
{
    free(input);
}

static void tell_core(struct slu_peers *peers, uint16_t node)
{
    struct slu_input *input = calloc(1, sizeof *input);
    if (input == NULL)
        return;
    input->event = (struct slu_event){.kind = SLU_EVENT_PEER_UP, .from = node};
    input->free = input_free;
    if (slu_runtime_push(peers->config.runtime, input, 100) != 0)
        free(input); /* the protocol's own resending does without */
    slu_runtime_run(peers->config.runtime);
}

static void on_up(void *context, struct slu_link *link)
{
    struct slu_peers *peers = context;
    uint16_t node = slu_link_peer(link), self = peers->config.self;
    struct peer_link *p = NULL;
    slu_link_set_user(link, NULL);
    if (node < peers->config.genesis->n && slu_link_dialed(link) == (node > self))
        p = calloc(1, sizeof *p);
    if (p == NULL) {
        slu_link_close(link);
        return;
    }
    slu_flow_init(&p->flow, slu_link_hold(link), slu_inbound_share(peers->config.inbound));
    atomic_init(&p->references, 2); /* the table's and the link's */
    p->node = node;
    slu_link_set_user(link, p);
    pthread_mutex_lock(&peers->lock);
    struct peer_link *old = peers->links[node];
    peers->links[node] = p;
    pthread_mutex_unlock(&peers->lock);
    if (old != NULL) {
        slu_link_close(old->flow.link);
        link_release(old);
    }
    slu_log_limited(&link_lines, SLU_LOG_INFO, "event=peer_up peer=%u remote=%s", (unsigned)node,
                    slu_link_remote(link));
    tell_core(peers, node);
}

static void on_frame(void *context, struct slu_link *link, const uint8_t *data, size_t len)
{
    struct slu_peers *peers = context;
    struct peer_link *p = slu_link_user(link);
    if (p == NULL)
        return;
    atomic_fetch_add(&p->references, 1);
    slu_inbound_frame(peers->config.inbound, p->node, &p->flow, frame_released, data, len);
}

static void on_rested(void *context, struct slu_link *link)
{
    struct slu_peers *peers = context;
    (void)link;
    slu_runtime_run(peers->config.runtime);
}

static void on_down(void *context, struct slu_link *link, int error, const char *reason)
{
    struct slu_peers *peers = context;
    struct peer_link *p = link == NULL ? NULL : slu_link_user(link);
    if (p == NULL) {
        if (error != 0)
            slu_log_limited(&link_lines, SLU_LOG_DEBUG, "event=peer_dial_failed reason=\"%s\"",
                            reason);
        return;
    }
    bool current;
    pthread_mutex_lock(&peers->lock);
    current = peers->links[p->node] == p;
    if (current)
        peers->links[p->node] = NULL;
    pthread_mutex_unlock(&peers->lock);
    if (current && error != 0)
        slu_log_limited(&link_lines, SLU_LOG_INFO, "event=peer_down peer=%u reason=\"%s\"",
                        (unsigned)p->node, reason);
    if (current)
        link_release(p);
    link_release(p);
}

/* ---- starting and stopping ---- */

int slu_peers_new(struct slu_peers **peers, const struct slu_peers_config *config)
{
    struct slu_peers *p = calloc(1, sizeof *p);
    if (p == NULL)
        return SLU_ERR_MEMORY;
    p->config = *config;
    for (uint16_t i = 0; i < config->genesis->n; i++)
        memcpy(p->keys[i], config->genesis->nodes[i].public32, 32);
    pthread_mutex_init(&p->lock, NULL);
    *peers = p;
    return 0;
}

static struct slu_link_config link_config(const struct slu_peers *p)
{
    const struct slu_peers_config *c = &p->config;
    struct slu_link_config config = slu_link_config_default();
    config.role = SLU_LINK_AS_NODE;
    config.version = (uint16_t)c->genesis->version;
    memcpy(config.chain_id32, c->genesis->chain_id, 32);
    config.node = c->self;
    memcpy(config.public32, p->keys[c->self], 32);
    config.signer = c->signer;
    config.peers = p->keys;
    config.peers_count = c->genesis->n;
    config.refuse_clients = true;
    config.reader_threads = true;
    config.handshake_ms = c->handshake_ms;
    config.queue_bytes_max = c->queue_bytes_max;
    config.fail_burst = c->fail_burst;
    config.fail_per_minute = c->fail_per_minute;
    config.links_max = 4u * SLU_NODES_MAX;
    config.counters = c->counters;
    return config;
}

int slu_peers_start(struct slu_peers *peers, char *why, size_t why_cap)
{
    const struct slu_genesis *g = peers->config.genesis;
    struct slu_link_config config = link_config(peers);
    struct slu_link_handler handler = {
        .context = peers, .up = on_up, .frame = on_frame, .rested = on_rested, .down = on_down};
    int error = slu_listener_start(&peers->listener, peers->config.listen_url, &config, &handler,
                                   why, why_cap);
    for (uint16_t j = (uint16_t)(peers->config.self + 1); j < g->n && error == 0; j++) {
        config.has_expect = true;
        memcpy(config.expect_public32, peers->keys[j], 32);
        error = slu_dialer_start(&peers->dialers[j], peers->config.urls[j], &config, &handler, why,
                                 why_cap);
    }
    return error;
}

void slu_peers_stop(struct slu_peers *peers)
{
    slu_listener_stop(peers->listener);
    peers->listener = NULL;
    for (uint16_t j = 0; j < SLU_NODES_MAX; j++) {
        slu_dialer_stop(peers->dialers[j]);
        peers->dialers[j] = NULL;
    }
}

void slu_peers_free(struct slu_peers *peers)
{
    if (peers == NULL)
        return;
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

/* ---- sending ---- */

/* With the lock held. */
static void send_one(struct slu_peers *peers, uint16_t to, const uint8_t *frame, size_t len)
{
    struct peer_link *p = peers->links[to];
    int error = p == NULL ? SLU_ERR_CLOSED : slu_link_append(p->flow.link, frame, len, NULL, 0);
    if (p != NULL)
        p->unflushed = true;
    slu_metrics_add(peers->config.metrics,
                    error == 0              ? SLU_METRIC_SENT
                    : error == SLU_ERR_BUSY ? SLU_METRIC_SEND_BUSY
                                            : SLU_METRIC_SEND_DOWN,
                    1);
}

void slu_peers_send(struct slu_peers *peers, uint8_t *buffer, uint16_t to, uint8_t kind,
                    const uint8_t *body, size_t body_len, const uint8_t *payload,
                    size_t payload_len)
{
    uint16_t n = peers->config.genesis->n;
    size_t len =
        slu_peer_pack(buffer, SLU_PEER_BUFFER_BYTES, kind, body, body_len, payload, payload_len);
    pthread_mutex_lock(&peers->lock);
    if (to < n && to != peers->config.self)
        send_one(peers, to, buffer, len);
    for (uint16_t j = 0; j < n && to == SLU_TO_ALL; j++) {
        if (j != peers->config.self)
            send_one(peers, j, buffer, len);
    }
    pthread_mutex_unlock(&peers->lock);
    if (len >= FLUSH_BYTES)
        slu_peers_flush(
            peers); /* long enough to be worth its own record, and its receiver's time */
}

void slu_peers_flush(struct slu_peers *peers)
{
    struct slu_link *links[SLU_NODES_MAX];
    uint32_t count = 0;
    pthread_mutex_lock(&peers->lock);
    for (uint16_t j = 0; j < peers->config.genesis->n; j++) {
        struct peer_link *p = peers->links[j];
        if (p == NULL || !p->unflushed)
            continue;
        p->unflushed = false;
        links[count++] = slu_link_hold(p->flow.link);
    }
    pthread_mutex_unlock(&peers->lock);
    for (uint32_t i = 0; i < count; i++) {
        slu_link_flush(links[i]);
        slu_link_release(links[i]);
    }
}

bool slu_peers_has_room(struct slu_peers *peers, uint16_t to)
{
    bool room = false;
    pthread_mutex_lock(&peers->lock);
    if (to < SLU_NODES_MAX && peers->links[to] != NULL)
        room =
            slu_link_queued_bytes(peers->links[to]->flow.link) < peers->config.queue_bytes_max / 2;
    pthread_mutex_unlock(&peers->lock);
    return room;
}

void slu_peers_status(struct slu_peers *peers, uint16_t node, struct slu_peer_status *status)
{
    memset(status, 0, sizeof *status);
    pthread_mutex_lock(&peers->lock);
    struct peer_link *p = peers->links[node];
    if (p != NULL) {
        status->connected = true;
        status->queued_bytes = slu_link_queued_bytes(p->flow.link);
        snprintf(status->remote, sizeof status->remote, "%s", slu_link_remote(p->flow.link));
    }
    pthread_mutex_unlock(&peers->lock);
}
