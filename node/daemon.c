#include "node/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/node_keys.h"
#include "consensus/order.h"
#include "crypto/dkg.h"
#include "node/clock.h"
#include "node/commit.h"
#include "node/descriptors.h"
#include "node/http.h"
#include "node/log.h"
#include "node/retention.h"
#include "node/survey.h"
#include "node/version.h"
#include "sluice/error.h"

struct slu_daemon {
    struct slu_node_config config;
    const struct slu_door *door; /* NULL: nobody */
    struct slu_genesis genesis;
    struct slu_metrics metrics;
    struct slu_link_counters peer_links, client_links;
    struct slu_keyguard *guard;
    struct slu_seal_secrets *seal; /* sodium_malloc: not swapped, not dumped, zeroed */
    struct slu_disk *disk;
    void *core_memory;
    size_t core_bytes;
    struct slu_core *core;
    struct slu_runtime *runtime;
    struct slu_inbound *inbound;
    struct slu_peers *peers;
    struct slu_history *history;
    struct slu_stream *stream;
    struct slu_gateway *gateway;
    struct slu_commit *commit;
    struct slu_retention *retention;
    struct slu_http *http;
    struct slu_survey survey;
    atomic_bool at_once;    /* the turn is carried out by the core's runner */
    uint8_t *send_buffer;   /* of whoever executes effects */
    uint64_t own_delivered; /* the same: of the DELIVERED record just written */
    int failure_fd;
    pthread_mutex_t failing;
    char failure[1024];
};

static void on_failed(void *context, const char *words)
{
    struct slu_daemon *d = context;
    pthread_mutex_lock(&d->failing);
    if (d->failure[0] == '\0')
        snprintf(d->failure, sizeof d->failure, "%s", words);
    pthread_mutex_unlock(&d->failing);
    uint64_t one = 1;
    ssize_t written = write(d->failure_fd, &one, sizeof one);
    (void)written; /* the counter cannot overflow */
}

/* ---- effects, on the thread that carries out the turn ---- */

static void note_own_position(struct slu_daemon *d, const struct slu_effect *effect)
{
    struct slu_delivered record;
    SLU_CHECK(slu_delivered_open(&record, effect->persist.value, effect->persist.value_len) == 0);
    d->own_delivered = 0;
    for (uint32_t i = 0; i < record.batch_count; i++) {
        struct slu_delivered_batch batch;
        slu_delivered_next_batch(&record, &batch);
        if (batch.lane == d->config.index && batch.position > d->own_delivered)
            d->own_delivered = batch.position;
    }
}

/* This node computed another state than the others did from the same chain: its memory or disk is
 * damaged, or its program is another one. It must not serve or sign any more. */
static void on_diverged(struct slu_daemon *d, const struct slu_release *mine,
                        const struct slu_release *theirs)
{
    char digests[4][65];
    slu_hex_encode(digests[0], mine->digest, 32);
    slu_hex_encode(digests[1], theirs->digest, 32);
    slu_hex_encode(digests[2], mine->state, 32);
    slu_hex_encode(digests[3], theirs->state, 32);
    slu_log(SLU_LOG_ERROR,
            "event=diverged height=%llu release=%s their_release=%s state=%s their_state=%s",
            (unsigned long long)mine->height, digests[0], digests[1], digests[2], digests[3]);
    on_failed(d,
              "the other nodes released another state at this height: this node's data is damaged");
}

static void on_effect(void *context, const struct slu_effect *e)
{
    static struct slu_log_limit trace_lines = SLU_LOG_LIMIT(120);
    struct slu_daemon *d = context;
    switch (e->kind) {
    case SLU_EFFECT_PERSIST:
        note_own_position(d, e);
        break;
    case SLU_EFFECT_FORGET:
        break;
    case SLU_EFFECT_SEND:
        slu_peers_send(d->peers, d->send_buffer, e->send.to, e->send.message_kind, e->send.body,
                       e->send.body_len, e->send.payload, e->send.payload_len);
        break;
    case SLU_EFFECT_SERVE:
        slu_history_serve(d->history, e->serve.to, &e->serve.fetch);
        break;
    case SLU_EFFECT_READ:
        slu_history_read(d->history, e->read.tag, &e->read.key, d->at_once);
        break;
    case SLU_EFFECT_ADMITTED:
        slu_gateway_admitted(d->gateway, e->admitted.token, e->admitted.items, e->admitted.count,
                             e->admitted.position);
        break;
    case SLU_EFFECT_TAKEN:
        slu_gateway_taken(d->gateway, e->taken.token, e->taken.taken);
        break;
    case SLU_EFFECT_DURABLE:
        slu_gateway_durable(d->gateway, e->durable_position);
        break;
    case SLU_EFFECT_ANSWER:
        slu_gateway_answer(d->gateway, e->answer.token, e->answer.items, e->answer.count);
        break;
    case SLU_EFFECT_DELIVERED:
        slu_gateway_delivered(d->gateway, e->delivered.height, e->delivered.time_ms,
                              d->own_delivered);
        break;
    case SLU_EFFECT_OPENED:
        slu_stream_opened(d->stream, e->opened.height);
        break;
    case SLU_EFFECT_RELEASED:
        slu_stream_certified(d->stream, e->released_height);
        break;
    case SLU_EFFECT_DIVERGED:
        on_diverged(d, &e->diverged.mine, &e->diverged.theirs);
        break;
    case SLU_EFFECT_TRACE:
        slu_log_limited(&trace_lines, SLU_LOG_INFO, "%s", e->trace.text);
        break;
    }
}

static void on_flushed(void *context)
{
    struct slu_daemon *d = context;
    slu_peers_flush(d->peers);
    slu_gateway_flushed(d->gateway);
}

static void on_done(void *context, struct slu_turn *turn)
{
    struct slu_daemon *d = context;
    slu_runtime_turn_done(d->runtime, turn);
}

static void on_turn(void *context, struct slu_turn *turn, bool pressed)
{
    struct slu_daemon *d = context;
    d->at_once = !pressed && slu_commit_idle(d->commit, turn);
    if (d->at_once)
        slu_commit_now(d->commit, turn);
    else
        slu_commit_put(d->commit, turn);
}

static char *on_status(void *context)
{
    struct slu_daemon *d = context;
    return slu_survey_status(&d->survey);
}

/* ---- starting ---- */

static void share_descriptors(struct slu_node_config *config)
{
    uint64_t limit = slu_descriptors_raise();
    uint32_t clients = slu_descriptors_for_clients(limit, config->clients_max);
    if (clients < config->clients_max)
        slu_log(SLU_LOG_WARN,
                "event=few_descriptors limit=%llu clients_max=%u configured=%u hint=\"raise the "
                "limit of open files\"",
                (unsigned long long)limit, clients, config->clients_max);
    config->clients_max = clients;
}

static int load_keys(struct slu_daemon *d, char *why, size_t why_cap)
{
    struct slu_node_seeds seeds;
    uint8_t p32[32];
    int error = slu_node_seeds_load(&seeds, &d->config, &d->genesis, why, why_cap);
    if (error != 0)
        return error;
    d->guard = slu_keyguard_new(seeds.sign32);
    d->seal = sodium_malloc(sizeof *d->seal);
    if (d->seal != NULL) {
        memcpy(d->seal->seed32, seeds.seal32, 32);
        slu_dkg_node_key(d->seal->p32, p32, d->seal->seed32);
    }
    if (d->door != NULL)
        error = d->door->key(d->door->context, seeds.sign32);
    sodium_memzero(&seeds, sizeof seeds);
    if (d->guard == NULL || d->seal == NULL || error != 0) {
        snprintf(why, why_cap, "%s: %s", d->config.key_path, slu_strerror(SLU_ERR_MEMORY));
        return SLU_ERR_MEMORY;
    }
    return 0;
}

/* Deletes the marker for good: it must never be there for a second, empty directory. */
static int consume_marker(const char *path, char *why, size_t why_cap)
{
    char copy[SLU_PATH_BYTES_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool gone = fd >= 0 && unlink(path) == 0 && fsync(fd) == 0;
    if (!gone)
        snprintf(why, why_cap, "%s: node.first_start: cannot be deleted: %s", path,
                 strerror(errno));
    if (fd >= 0)
        close(fd);
    return gone ? 0 : SLU_ERR_IO;
}

static int open_store(struct slu_daemon *d, bool *first_start, char *why, size_t why_cap)
{
    struct slu_disk_identity identity = {.node = d->config.index};
    const char *marker = d->config.first_start_path;
    memcpy(identity.chain_id, d->genesis.chain_id, 32);
    int error = slu_disk_open(&d->disk, d->config.data_dir, &identity, why, why_cap);
    if (error != 0)
        return error;
    bool marked = marker[0] != '\0' && access(marker, F_OK) == 0;
    if (marked && slu_disk_empty(d->disk))
        error = slu_disk_grant_first_start(d->disk);
    if (error == 0 && marked)
        error = consume_marker(marker, why, why_cap);
    if (error == 0)
        error = slu_disk_first_start(d->disk, first_start);
    if (error != 0 && why[0] == '\0')
        snprintf(why, why_cap, "%s", slu_disk_failure(d->disk));
    *first_start = *first_start && slu_disk_empty(d->disk);
    return error;
}

static int start_core(struct slu_daemon *d, bool first_start, char *why, size_t why_cap)
{
    struct slu_core_config config = {.genesis = &d->genesis,
                                     .self = d->config.index,
                                     .signer = slu_keyguard_signer(d->guard),
                                     .seal = d->seal};
    randombytes_buf(&config.seed, sizeof config.seed);
    d->core_bytes = slu_core_bytes(&d->genesis);
    d->core_memory = mmap(NULL, d->core_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (d->core_memory == MAP_FAILED) {
        d->core_memory = NULL;
        snprintf(why, why_cap, "%zu bytes of memory for the core are refused", d->core_bytes);
        return SLU_ERR_MEMORY;
    }
    d->core = slu_core_init(d->core_memory, &config);
    struct slu_disk_view *view = slu_disk_view_new(d->disk);
    if (view == NULL)
        return SLU_ERR_MEMORY;
    int error = slu_core_boot(d->core, slu_disk_view_store(view), first_start);
    slu_disk_view_free(view);
    const char *failure = slu_disk_failure(d->disk);
    if (error != 0 && failure[0] != '\0')
        snprintf(why, why_cap, "%s", failure);
    else if (error != 0)
        snprintf(why, why_cap, "%s: damaged: a record does not parse", d->config.data_dir);
    if (error == 0 && d->door != NULL)
        error = d->door->attach(d->door->context, &d->genesis, d->config.index, d->core);
    return error;
}

/* Everything that takes the core's inputs and outputs; nobody can reach the node yet. */
static int start_rooms(struct slu_daemon *d)
{
    struct slu_lane_status own;
    const struct slu_core_stats *stats = slu_core_stats(d->core);
    uint64_t height = stats->delivered_height, stream_ms = stats->stream_time_ms, lowest = 0;
    slu_core_lane_status(d->core, d->config.index, &own);
    struct slu_runtime_config runtime = {.core = d->core,
                                         .door = d->door,
                                         .nodes = d->genesis.n,
                                         .metrics = &d->metrics,
                                         .execute = on_turn,
                                         .context = d};
    struct slu_peers_config peers = {.genesis = &d->genesis,
                                     .self = d->config.index,
                                     .signer = slu_keyguard_signer(d->guard),
                                     .listen_url = d->config.peer_listen_url,
                                     .urls = d->config.peer_urls,
                                     .queue_bytes_max = d->config.link_queue_bytes_max,
                                     .handshake_ms = d->config.handshake_ms,
                                     .fail_burst = d->config.fail_burst,
                                     .fail_per_minute = d->config.fail_per_minute,
                                     .metrics = &d->metrics,
                                     .counters = &d->peer_links};
    struct slu_disk_view *view = slu_disk_view_new(d->disk);
    int error = view == NULL ? SLU_ERR_MEMORY : slu_prune_lowest(view, &lowest);
    slu_disk_view_free(view);
    slu_metrics_set(&d->metrics, SLU_METRIC_LOWEST_HEIGHT, lowest);
    if (error == 0)
        error = slu_runtime_new(&d->runtime, &runtime);
    if (error == 0)
        error = slu_inbound_new(&d->inbound, &d->genesis, d->runtime, &d->metrics);
    peers.inbound = d->inbound;
    peers.runtime = d->runtime;
    if (error == 0)
        error = slu_peers_new(&d->peers, &peers);
    struct slu_history_config history = {.genesis = &d->genesis,
                                         .disk = d->disk,
                                         .runtime = d->runtime,
                                         .peers = d->peers,
                                         .metrics = &d->metrics,
                                         .failed = on_failed,
                                         .context = d};
    struct slu_stream_config stream = {.disk = d->disk,
                                       .genesis = &d->genesis,
                                       .metrics = &d->metrics,
                                       .lowest = lowest,
                                       .open = stats->opened_height,
                                       .certified = stats->certified_height,
                                       .failed = on_failed,
                                       .context = d};
    if (error == 0)
        error = slu_history_start(&d->history, &history);
    if (error == 0)
        error = slu_stream_start(&d->stream, &stream);
    struct slu_gateway_config gateway = {.genesis = &d->genesis,
                                         .node = &d->config,
                                         .door = d->door,
                                         .self = d->config.index,
                                         .signer = slu_keyguard_signer(d->guard),
                                         .runtime = d->runtime,
                                         .stream = d->stream,
                                         .disk = d->disk,
                                         .metrics = &d->metrics,
                                         .counters = &d->client_links,
                                         .status = on_status,
                                         .context = d};
    if (error == 0)
        error = slu_gateway_start(&d->gateway, &gateway, height, stream_ms, own.acked.position);
    struct slu_commit_config commit = {.disk = d->disk,
                                       .metrics = &d->metrics,
                                       .effect = on_effect,
                                       .flushed = on_flushed,
                                       .done = on_done,
                                       .failed = on_failed,
                                       .context = d};
    if (error == 0)
        error = slu_commit_start(&d->commit, &commit);
    return error;
}

/* Puts the config file and its field before what is wrong with a listening address. */
static int in_field(int error, const char *config_path, const char *field, char *why,
                    size_t why_cap)
{
    if (error != 0) {
        char words[1024];
        snprintf(words, sizeof words, "%s: %s: %s", config_path, field, why);
        snprintf(why, why_cap, "%s", words);
    }
    return error;
}

/* Opens the doors, then lets the core begin: a port in use is found before any vote. */
static int open_doors(struct slu_daemon *d, const char *config_path, char *why, size_t why_cap)
{
    d->survey = (struct slu_survey){.genesis = &d->genesis,
                                    .self = d->config.index,
                                    .started_ms = slu_monotonic_ms(),
                                    .runtime = d->runtime,
                                    .history = d->history,
                                    .peers = d->peers,
                                    .gateway = d->gateway,
                                    .disk = d->disk,
                                    .metrics = &d->metrics,
                                    .peer_links = &d->peer_links,
                                    .client_links = &d->client_links};
    int error = slu_http_start(&d->http, d->config.http_host, d->config.http_port, &d->survey, why,
                               why_cap);
    error = in_field(error, config_path, "listen.http", why, why_cap);
    if (error == 0)
        error = in_field(slu_peers_start(d->peers, why, why_cap), config_path, "listen.peers", why,
                         why_cap);
    if (error == 0)
        error = in_field(slu_gateway_listen(d->gateway, why, why_cap), config_path,
                         "listen.clients", why, why_cap);
    if (error == 0)
        error = slu_runtime_start(d->runtime);
    if (error == 0)
        error = slu_retention_start(&d->retention, d->disk, &d->genesis, d->config.retention_ms,
                                    d->runtime, d->stream, &d->metrics, on_failed, d);
    return error;
}

int slu_daemon_start(struct slu_daemon **daemon, const char *config_path,
                     const struct slu_door *door, char *why, size_t why_cap)
{
    bool first_start = false;
    struct slu_daemon *d = calloc(1, sizeof *d);
    why[0] = '\0';
    if (d == NULL)
        return SLU_ERR_MEMORY;
    d->door = door;
    pthread_mutex_init(&d->failing, NULL);
    d->failure_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    d->send_buffer = malloc(SLU_PEER_BUFFER_BYTES);
    int error = d->send_buffer == NULL || d->failure_fd < 0 ? SLU_ERR_MEMORY : 0;
    if (error == 0)
        error = slu_node_config_load(&d->config, &d->genesis, config_path,
                                     door != NULL ? &door->section : NULL, why, why_cap);
    slu_log_set_level(error == 0 ? d->config.log_level : SLU_LOG_INFO);
    if (error == 0)
        share_descriptors(&d->config);
    if (error == 0)
        error = load_keys(d, why, why_cap);
    if (error == 0)
        error = open_store(d, &first_start, why, why_cap);
    if (error == 0)
        error = start_core(d, first_start, why, why_cap);
    if (error == 0)
        error = start_rooms(d);
    if (error == 0)
        error = open_doors(d, config_path, why, why_cap);
    if (error == SLU_ERR_CORRUPT)
        slu_log(SLU_LOG_ERROR,
                "event=store_damaged hint=\"move the directory away and start again: the node "
                "rejoins by the rule for a lost disk\"");
    if (error != 0) {
        if (why[0] == '\0')
            snprintf(why, why_cap, "%s: %s", config_path, slu_strerror(error));
        slu_daemon_stop(d);
        return error;
    }
    slu_log(SLU_LOG_INFO,
            "event=started chain=%s node=%u nodes=%u version=%s height=%llu first_start=%d "
            "rejoining=%d",
            d->genesis.name, (unsigned)d->config.index, (unsigned)d->genesis.n, slu_version,
            (unsigned long long)slu_metrics_get(&d->metrics, SLU_METRIC_LOWEST_HEIGHT), first_start,
            slu_core_rejoining(d->core));
    *daemon = d;
    return 0;
}

int slu_daemon_failure_fd(const struct slu_daemon *daemon)
{
    return daemon->failure_fd;
}

const char *slu_daemon_failure(struct slu_daemon *daemon)
{
    pthread_mutex_lock(&daemon->failing);
    pthread_mutex_unlock(&daemon->failing); /* written once, then constant */
    return daemon->failure;
}

/* ---- stopping ---- */

void slu_daemon_stop(struct slu_daemon *d)
{
    slu_http_stop(d->http);
    slu_retention_stop(d->retention);
    if (d->gateway != NULL)
        slu_gateway_close(d->gateway);
    if (d->peers != NULL)
        slu_peers_stop(d->peers);
    if (d->runtime != NULL)
        slu_runtime_stop(d->runtime);
    slu_commit_stop(d->commit);
    slu_history_stop(d->history);
    slu_gateway_stop(d->gateway);
    slu_stream_stop(d->stream);
    slu_inbound_free(d->inbound);
    slu_peers_free(d->peers);
    slu_runtime_free(d->runtime);
    slu_disk_close(d->disk);
    if (d->core_memory != NULL)
        munmap(d->core_memory, d->core_bytes);
    slu_keyguard_free(d->guard);
    sodium_free(d->seal);
    if (d->failure_fd >= 0)
        close(d->failure_fd);
    pthread_mutex_destroy(&d->failing);
    free(d->send_buffer);
    free(d);
}
