/* A real gateway on a stage: its thread, its ring, stream, lookup and store, and clients over real
 * links. What the test plays is the core behind it: this header has the one function through which
 * the gateway reaches the core, so that a test sees every event, refuses it, and answers when it
 * likes.
 *
 *     slu_session ── ipc ──▶ gateway ──▶ slu_runtime_push (here) ──▶ stage_next()
 *                              ▲                                        │
 *                              └── slu_gateway_admitted, _answer ... ◀──┘ the test
 *
 * The store holds STAGE_HEIGHTS delivered heights (prepared_store.h). */
#ifndef SLU_TESTS_UNIT_GATEWAY_STAGE_H
#define SLU_TESTS_UNIT_GATEWAY_STAGE_H

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "client/session.h"
#include "config/node_config.h"
#include "node/gateway.h"
#include "tests/unit/prepared_store.h"
#include "wire/key_cert.h"

#define STAGE_HEIGHTS 100u
#define STAGE_LOWEST  11u
#define STAGE_EVENTS  8192u
#define STAGE_WAIT_MS 30000u /* for what comes sooner or later: a busy machine may stand still */

struct stage {
    struct slu_genesis genesis;
    struct slu_node_config node;
    struct slu_keyguard *guard;
    struct slu_metrics metrics;
    struct slu_link_counters counters;
    struct slu_disk *disk;
    struct slu_stream *stream;
    struct slu_gateway *gateway;
    struct slu_session *session;
    char root[64];
    _Atomic uint32_t failed; /* calls of the stream's `failed` */
};

/* ---- the core that the test plays ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct slu_input *items[STAGE_EVENTS];
    uint32_t count, taken;
    bool busy;        /* refuses whatever comes */
    bool turned_away; /* by whoever stands at the door */
    struct slu_core_view view;
    uint16_t key_count;
    size_t key_len[2];
    uint8_t keys[2][SLU_KEY_CERT_BYTES_MAX];
} stage_core = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

int slu_runtime_push(struct slu_runtime *runtime, struct slu_input *input, unsigned percent)
{
    (void)runtime;
    assert_in_range(percent, 1, 50); /* clients leave half of the core's ring to peers */
    pthread_mutex_lock(&stage_core.lock);
    bool refused = stage_core.busy || stage_core.count == STAGE_EVENTS;
    if (!refused)
        stage_core.items[stage_core.count++] = input;
    pthread_cond_signal(&stage_core.changed);
    pthread_mutex_unlock(&stage_core.lock);
    return refused ? SLU_ERR_BUSY : SLU_OK;
}

/* How many events came so far. */
static inline uint32_t stage_waiting(void)
{
    pthread_mutex_lock(&stage_core.lock);
    uint32_t count = stage_core.count;
    pthread_mutex_unlock(&stage_core.lock);
    return count;
}

/* The test takes the events when it likes. */
void slu_runtime_run(struct slu_runtime *runtime)
{
    (void)runtime;
}

void slu_runtime_view(struct slu_runtime *runtime, struct slu_core_view *view)
{
    (void)runtime;
    *view = stage_core.view;
}

size_t slu_runtime_key_cert(struct slu_runtime *runtime, uint16_t number, uint8_t *out)
{
    (void)runtime;
    pthread_mutex_lock(&stage_core.lock);
    size_t len = number < stage_core.key_count ? stage_core.key_len[number] : 0;
    if (len > 0)
        memcpy(out, stage_core.keys[number], len);
    pthread_mutex_unlock(&stage_core.lock);
    return len;
}

static inline bool stage_refuses(void *context, const char *remote)
{
    (void)context;
    (void)remote;
    return stage_core.turned_away;
}

static const struct slu_door stage_door = {.refuses = stage_refuses};

static inline void stage_busy(bool busy)
{
    pthread_mutex_lock(&stage_core.lock);
    stage_core.busy = busy;
    pthread_mutex_unlock(&stage_core.lock);
}

static inline struct timespec stage_deadline(uint32_t wait_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    uint64_t ns = (uint64_t)at.tv_nsec + wait_ms * UINT64_C(1000000);
    at.tv_sec += (time_t)(ns / 1000000000u);
    at.tv_nsec = (long)(ns % 1000000000u);
    return at;
}

/** The next event that the gateway gave to the core; NULL when none comes within `wait_ms`. The
 * caller's, until stage_done. */
static inline struct slu_input *stage_next_within(uint32_t wait_ms)
{
    struct timespec until = stage_deadline(wait_ms);
    struct slu_input *input = NULL;
    pthread_mutex_lock(&stage_core.lock);
    while (stage_core.taken == stage_core.count &&
           pthread_cond_timedwait(&stage_core.changed, &stage_core.lock, &until) == 0)
        ;
    if (stage_core.taken < stage_core.count)
        input = stage_core.items[stage_core.taken++];
    pthread_mutex_unlock(&stage_core.lock);
    return input;
}

static inline struct slu_input *stage_next(enum slu_event_kind kind)
{
    struct slu_input *input = stage_next_within(STAGE_WAIT_MS);
    assert_non_null(input);
    assert_int_equal(input->event.kind, kind);
    return input;
}

static inline void stage_done(struct slu_input *input)
{
    input->free(input);
}

/* ---- setting and striking ---- */

static inline void stage_failed(void *context, const char *words)
{
    struct stage *stage = context;
    assert_true(words[0] != '\0');
    stage->failed++;
}

/* Held by a test: the gateway's thread stands still at the next status request. */
static pthread_mutex_t stage_gate = PTHREAD_MUTEX_INITIALIZER;

static inline char *stage_status(void *context)
{
    (void)context;
    pthread_mutex_lock(&stage_gate);
    pthread_mutex_unlock(&stage_gate);
    return strdup("{\"node\":0}");
}

static inline struct slu_session *stage_open(const struct stage *stage)
{
    struct slu_session *session;
    char why[512];
    struct slu_session_config config = {.url = stage->node.client_listen_url,
                                        .timeout_ms = STAGE_WAIT_MS};
    int rc = slu_session_open(&session, &config, why, sizeof why);
    if (rc)
        print_error("%s\n", why);
    assert_int_equal(rc, 0);
    return session;
}

static inline void stage_limits(struct slu_node_config *node)
{
    struct slu_bucket_config wide = {1000000, 1000000}, wide_bytes = {1u << 30, 1u << 30};
    node->client_tx = node->rollup_tx = wide;
    node->client_bytes = node->rollup_bytes = wide_bytes;
    node->sealed_tx = wide;
    node->sealed_bytes = wide_bytes;
    node->clients_max = 256;
    node->clients_per_address_max = 256;
    node->link_queue_bytes_max = 8u << 20;
    node->handshake_ms = 5000;
    node->fail_burst = 20;
    node->fail_per_minute = 30;
}

static inline void stage_fill(struct stage *stage)
{
    char dir[128], why[512];
    struct slu_disk_identity identity = {.node = 0};
    snprintf(dir, sizeof dir, "%s/data", stage->root);
    assert_int_equal(slu_disk_open(&stage->disk, dir, &identity, why, sizeof why), 0);
    slu_disk_begin(stage->disk);
    for (uint64_t height = STAGE_LOWEST; height <= STAGE_HEIGHTS; height++)
        put_delivered(stage->disk, height);
    assert_int_equal(slu_disk_commit(stage->disk), 0);
}

static inline int stage_set(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    uint8_t seed[32] = {7};
    char why[512];
    assert_int_not_equal(sodium_init(), -1);
    stage->guard = slu_keyguard_new(seed);
    assert_int_equal(make_genesis(&stage->genesis), 0);
    slu_keyguard_public(stage->guard, stage->genesis.nodes[0].public32);
    strcpy(stage->root, "/tmp/slu_stage_XXXXXX");
    assert_non_null(mkdtemp(stage->root));
    stage_limits(&stage->node);
    snprintf(stage->node.client_listen_url, sizeof stage->node.client_listen_url, "ipc://%s/door",
             stage->root);
    stage_fill(stage);
    stage_core.count = stage_core.taken = 0;
    stage_core.busy = stage_core.turned_away = false;
    memset(&stage_core.view, 0, sizeof stage_core.view);
    stage_core.key_count = 0;
    struct slu_stream_config stream = {.disk = stage->disk,
                                       .genesis = &stage->genesis,
                                       .metrics = &stage->metrics,
                                       .lowest = STAGE_LOWEST,
                                       .open = STAGE_HEIGHTS,
                                       .failed = stage_failed,
                                       .context = stage};
    assert_int_equal(slu_stream_start(&stage->stream, &stream), 0);
    struct slu_gateway_config config = {.genesis = &stage->genesis,
                                        .node = &stage->node,
                                        .signer = slu_keyguard_signer(stage->guard),
                                        .stream = stage->stream,
                                        .disk = stage->disk,
                                        .door = &stage_door,
                                        .metrics = &stage->metrics,
                                        .counters = &stage->counters,
                                        .status = stage_status};
    assert_int_equal(
        slu_gateway_start(&stage->gateway, &config, STAGE_HEIGHTS, STAGE_HEIGHTS * STEP_MS, 5), 0);
    int rc = slu_gateway_listen(stage->gateway, why, sizeof why);
    if (rc)
        print_error("%s\n", why);
    assert_int_equal(rc, 0);
    stage->session = stage_open(stage);
    *state = stage;
    return 0;
}

static inline int stage_strike(void **state)
{
    struct stage *stage = *state;
    char command[128];
    slu_session_close(stage->session);
    slu_gateway_close(stage->gateway);
    slu_gateway_stop(stage->gateway);
    slu_stream_stop(stage->stream);
    while (stage_core.taken < stage_core.count)
        stage_done(stage_core.items[stage_core.taken++]);
    slu_disk_close(stage->disk);
    slu_keyguard_free(stage->guard);
    snprintf(command, sizeof command, "rm -rf %s", stage->root);
    free(stage);
    return system(command);
}

/* ---- talking ---- */

/** The next reply to request `id` (0: to any); the caller's. */
static inline Slu__Client__Reply *stage_reply(struct slu_session *session, uint64_t id)
{
    Slu__Client__Reply *reply = NULL;
    assert_int_equal(slu_session_receive(session, id, &reply, STAGE_WAIT_MS), 0);
    return reply;
}

/** The next reply is the error `code`; returns its lowest height. */
static inline uint64_t stage_error(struct slu_session *session, uint64_t id, const char *code)
{
    Slu__Client__Reply *reply = stage_reply(session, id);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_ERROR);
    assert_string_equal(reply->error->code, code);
    uint64_t lowest = reply->error->lowest_height;
    slu_reply_free(reply);
    return lowest;
}

/** Nothing comes for a while. */
static inline void stage_silence(struct slu_session *session, uint64_t id, uint32_t wait_ms)
{
    Slu__Client__Reply *reply = NULL;
    assert_int_equal(slu_session_receive(session, id, &reply, wait_ms), SLU_ERR_TIMEOUT);
}

/** Waits until the subscriptions of its session stand where they are to, at the head for one: the
 * stream's thread takes them in turn, and has served one behind them. */
static inline void stage_placed(struct stage *stage)
{
    Slu__Client__Subscribe body = SLU__CLIENT__SUBSCRIBE__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    body.from_height = body.to_height = STAGE_HEIGHTS;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &body;
    assert_int_equal(slu_session_send(stage->session, &request), 0);
    for (bool end = false; !end;) {
        Slu__Client__Reply *reply = stage_reply(stage->session, request.id);
        assert_int_not_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_ERROR);
        end = reply->body_case == SLU__CLIENT__REPLY__BODY_END;
        slu_reply_free(reply);
    }
}

/** Waits until `value` of the metrics is `want`. */
static inline void stage_until(struct stage *stage, enum slu_metric metric, uint64_t want)
{
    for (uint32_t i = 0; i < STAGE_WAIT_MS && slu_metrics_get(&stage->metrics, metric) != want; i++)
        usleep(1000);
    assert_int_equal(slu_metrics_get(&stage->metrics, metric), want);
}

#endif
