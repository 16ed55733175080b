#include "node/history.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/serve.h"
#include "node/ring.h"
#include "sluice/error.h"

#define QUEUE_ITEMS     2048u
#define SERVE_PERCENT   50u /* the rest of the queue is for READs */
#define SERVES_PER_PEER 8u
#define READ_PERCENT    50u /* of the core's ring, for bodies that are read at once */

struct job {
    bool serve;
    uint16_t to;
    struct slu_fetch fetch;
    uint64_t tag;
    struct slu_record_key key;
};

/* A BODY event: the record lies behind it. */
struct body {
    struct slu_input input;
    uint8_t bytes[];
};

struct slu_history {
    struct slu_history_config config;
    struct slu_ring queue;
    struct slu_disk_view *view;
    struct slu_disk_view *view_now; /* of whoever carries out turns */
    _Atomic uint32_t reads;         /* queued or under way */
    uint8_t *buffer;                /* SLU_PEER_BUFFER_BYTES */
    _Atomic uint32_t serves[SLU_NODES_MAX];
    uint16_t serving; /* the peer that the sink sends to */
    pthread_t thread;
    atomic_bool failed;
};

static void body_free(struct slu_input *input)
{
    free(input);
}

/* Reads a body for the core; NULL: the disk failed, or memory did. */
static struct body *read_body(struct slu_history *h, struct slu_disk_view *view, uint64_t tag,
                              const struct slu_record_key *key)
{
    const struct slu_store *store = slu_disk_view_store(view);
    const uint8_t *value;
    size_t len;
    int error = store->get(store->context, key, &value, &len);
    struct body *body = error == 0 ? malloc(sizeof *body + len) : NULL;
    if (body == NULL) {
        atomic_store(&h->failed, true);
        h->config.failed(h->config.context, error == 0 ? slu_strerror(SLU_ERR_MEMORY)
                                            : error == SLU_ERR_NOT_FOUND
                                                ? "a record that was stored is missing"
                                                : slu_disk_failure(h->config.disk));
        return NULL;
    }
    memcpy(body->bytes, value, len);
    body->input = (struct slu_input){
        .event = {.kind = SLU_EVENT_BODY}, .bytes = sizeof *body + len, .free = body_free};
    body->input.event.body.tag = tag;
    body->input.event.body.record = body->bytes;
    body->input.event.body.bytes = len;
    slu_metrics_add(h->config.metrics, SLU_METRIC_BODIES_READ, 1);
    return body;
}

static void read_queued(struct slu_history *h, const struct job *job)
{
    struct body *body = read_body(h, h->view, job->tag, &job->key);
    if (body != NULL && slu_runtime_push_wait(h->config.runtime, &body->input) != 0)
        free(body);
    atomic_fetch_sub(&h->reads, 1);
}

/* False: there is no room in the core's ring, so it goes through the queue. */
static bool read_now(struct slu_history *h, uint64_t tag, const struct slu_record_key *key)
{
    struct body *body = read_body(h, h->view_now, tag, key);
    if (body == NULL || slu_runtime_push(h->config.runtime, &body->input, READ_PERCENT) == 0)
        return true;
    free(body);
    return false;
}

static void sink(void *context, uint8_t message_kind, const uint8_t *body, size_t body_len,
                 const uint8_t *payload, size_t payload_len)
{
    struct slu_history *h = context;
    slu_peers_send(h->config.peers, h->buffer, h->serving, message_kind, body, body_len, payload,
                   payload_len);
}

static void serve(struct slu_history *h, const struct job *job)
{
    atomic_fetch_sub(&h->serves[job->to], 1);
    if (!slu_peers_has_room(h->config.peers, job->to)) {
        slu_metrics_add(h->config.metrics, SLU_METRIC_SERVE_DROPPED, 1);
        return;
    }
    h->serving = job->to;
    int error = slu_serve(slu_disk_view_store(h->view), h->config.genesis, &job->fetch, sink, h);
    slu_peers_flush(h->config.peers);
    slu_metrics_add(h->config.metrics, SLU_METRIC_SERVED, 1);
    if (error == SLU_ERR_CORRUPT || error == SLU_ERR_IO) {
        atomic_store(&h->failed, true);
        h->config.failed(h->config.context, slu_disk_failure(h->config.disk));
    }
}

static void *history_thread(void *context)
{
    struct slu_history *h = context;
    void *items[32];
    for (;;) {
        uint32_t count = slu_ring_take(&h->queue, items, 32, SIZE_MAX, UINT64_MAX);
        if (count == 0 && slu_ring_closed(&h->queue))
            return NULL;
        for (uint32_t i = 0; i < count; i++) {
            struct job *job = items[i];
            if (!atomic_load(&h->failed) && job->serve)
                serve(h, job);
            else if (!atomic_load(&h->failed))
                read_queued(h, job);
            free(job);
        }
        slu_runtime_run(h->config.runtime);
    }
}

int slu_history_start(struct slu_history **history, const struct slu_history_config *config)
{
    struct slu_history *h = calloc(1, sizeof *h);
    if (h == NULL)
        return SLU_ERR_MEMORY;
    h->config = *config;
    h->view = slu_disk_view_new(config->disk);
    h->view_now = slu_disk_view_new(config->disk);
    h->buffer = malloc(SLU_PEER_BUFFER_BYTES);
    int error = slu_ring_init(&h->queue, QUEUE_ITEMS, SIZE_MAX);
    if (error == 0 && (h->view == NULL || h->view_now == NULL || h->buffer == NULL))
        error = SLU_ERR_MEMORY;
    if (error == 0 && pthread_create(&h->thread, NULL, history_thread, h) != 0)
        error = SLU_ERR_IO;
    if (error != 0) {
        slu_ring_destroy(&h->queue);
        slu_disk_view_free(h->view);
        slu_disk_view_free(h->view_now);
        free(h->buffer);
        free(h);
        return error;
    }
    pthread_setname_np(h->thread, "history");
    *history = h;
    return 0;
}

void slu_history_read(struct slu_history *history, uint64_t tag, const struct slu_record_key *key,
                      bool now)
{
    if (atomic_load(&history->failed))
        return;
    if (now && atomic_load(&history->reads) == 0 && read_now(history, tag, key))
        return;
    struct job *job = malloc(sizeof *job);
    SLU_CHECK(job != NULL);
    atomic_fetch_add(&history->reads, 1);
    *job = (struct job){.tag = tag, .key = *key};
    SLU_CHECK(slu_ring_put(&history->queue, job, 0, 100) ==
              0); /* the core asks for few at a time */
}

void slu_history_serve(struct slu_history *history, uint16_t to, const struct slu_fetch *fetch)
{
    struct job *job = NULL;
    if (to < SLU_NODES_MAX && atomic_load(&history->serves[to]) < SERVES_PER_PEER)
        job = malloc(sizeof *job);
    if (job != NULL) {
        *job = (struct job){.serve = true, .to = to, .fetch = *fetch};
        atomic_fetch_add(&history->serves[to], 1);
        if (slu_ring_put(&history->queue, job, 0, SERVE_PERCENT) == 0)
            return;
        atomic_fetch_sub(&history->serves[to], 1);
    }
    free(job);
    slu_metrics_add(history->config.metrics, SLU_METRIC_SERVE_DROPPED, 1);
}

void slu_history_stop(struct slu_history *history)
{
    if (history == NULL)
        return;
    slu_ring_close(&history->queue);
    pthread_join(history->thread, NULL);
    slu_ring_destroy(&history->queue);
    slu_disk_view_free(history->view);
    slu_disk_view_free(history->view_now);
    free(history->buffer);
    free(history);
}

struct slu_ring_fill slu_history_fill(struct slu_history *history)
{
    return slu_ring_fill(&history->queue);
}
