#include "link/link.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/group.h"

/* ---- references ---- */

struct slu_link *slu_link_hold(struct slu_link *link)
{
    atomic_fetch_add(&link->references, 1);
    return link;
}

static void link_free(struct slu_link *link)
{
    struct slu_link_group *group = link->group;
    if (link->stream != NULL)
        nng_stream_free(link->stream);
    if (link->rx != NULL)
        nng_aio_reap(link->rx);
    if (link->rx_own != NULL)
        nng_aio_reap(link->rx_own);
    if (link->tx != NULL)
        nng_aio_reap(link->tx);
    if (link->tx_now != NULL)
        nng_aio_reap(link->tx_now);
    if (link->hs != NULL) {
        slu_handshake_wipe(link->hs);
        free(link->hs);
    }
    sodium_memzero(&link->rx_stream, sizeof link->rx_stream);
    sodium_memzero(&link->tx_stream, sizeof link->tx_stream);
    free(link->flying);
    slu_queue_clear(&link->queue);
    free(link->buffer);
    pthread_cond_destroy(&link->rx_wanted);
    pthread_mutex_destroy(&link->mutex);
    free(link);
    slu_link_group_release(group);
}

void slu_link_release(struct slu_link *link)
{
    if (link != NULL && atomic_fetch_sub(&link->references, 1) == 1)
        link_free(link);
}

/* ---- the end ---- */

static void count_end(struct slu_link *link)
{
    struct slu_link_counters *counters = link->group->counters;
    atomic_fetch_sub(&counters->links_open, 1);
    if (link->up)
        atomic_fetch_sub(&counters->links_up, 1);
    else
        atomic_fetch_add(&counters->handshakes_failed[link->fail], 1);
}

/* Everything that stands on the link is idle, and stays so. */
static void finish(struct slu_link *link)
{
    struct slu_link_group *group = link->group;
    bool was_up = link->up;
    count_end(link);
    nng_stream_close(link->stream);
    if (was_up && group->handler.down != NULL)
        group->handler.down(group->handler.context, link, link->error, link->reason);
    pthread_mutex_lock(&group->mutex);
    struct slu_link_hooks hooks = group->hooks;
    pthread_mutex_unlock(&group->mutex);
    if (hooks.ended != NULL)
        hooks.ended(hooks.owner, link, was_up, link->error, link->reason);
    pthread_mutex_lock(&group->mutex);
    /* Whose place was needed did nothing wrong. */
    if (!was_up && link->error != SLU_ERR_LIMIT && group->limiter != NULL)
        slu_limiter_charge(group->limiter, link->address, nng_clock());
    if (link->previous != NULL)
        link->previous->next = link->next;
    else
        group->first = link->next;
    if (link->next != NULL)
        link->next->previous = link->previous;
    else
        group->last = link->previous;
    group->links--;
    link->ended = true;
    pthread_cond_broadcast(&group->changed);
    pthread_mutex_unlock(&group->mutex);
    slu_link_release(link); /* the group's */
}

void slu_link_rest(struct slu_link *link, bool *busy)
{
    *busy = false;
    bool end = link->closed && !link->rx_busy && !link->tx_busy && !link->finished;
    if (end)
        link->finished = true;
    pthread_mutex_unlock(&link->mutex);
    if (end)
        finish(link);
    slu_link_release(link);
}

void slu_link_kick(nng_aio *aio)
{
    if (nng_aio_begin(aio))
        nng_aio_finish(aio, 0);
}

/* Marks the link closed; link.mutex is held. False when it was already. */
static bool mark_closed(struct slu_link *link, int error, enum slu_link_fail fail,
                        const char *reason, bool *kick_rx)
{
    *kick_rx = false;
    if (link->closed)
        return false;
    link->closed = true;
    if (!link->lingering) {
        link->error = error;
        link->fail = fail;
        snprintf(link->reason, sizeof link->reason, "%s", reason);
    }
    if (link->rx_parked) {
        link->rx_parked = false;
        link->rx_busy = true;
        link->rx_kicked = true;
        slu_link_hold(link);
        *kick_rx = true;
    }
    pthread_cond_signal(&link->rx_wanted);
    return true;
}

static void close_because(struct slu_link *link, int error, enum slu_link_fail fail,
                          const char *reason)
{
    bool kick_rx = false;
    slu_link_hold(link);
    pthread_mutex_lock(&link->mutex);
    bool mine = mark_closed(link, error, fail, reason, &kick_rx);
    pthread_mutex_unlock(&link->mutex);
    if (mine) {
        /* The aborts are for operations that began on a stream that nng had closed by itself. */
        nng_stream_close(link->stream);
        nng_aio_abort(link->rx, NNG_ECLOSED);
        nng_aio_abort(link->rx_own, NNG_ECLOSED);
        nng_aio_abort(link->tx, NNG_ECLOSED);
    }
    if (kick_rx)
        slu_link_kick_reader(link);
    slu_link_release(link);
}

void slu_link_fail_with(struct slu_link *link, int error, enum slu_link_fail fail,
                        const char *format, ...)
{
    char reason[SLU_LINK_REASON_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    close_because(link, error, fail, reason);
}

void slu_link_close(struct slu_link *link)
{
    close_because(link, 0, SLU_LINK_FAIL_CLOSED, "closed here");
}

void slu_link_close_wait(struct slu_link *link)
{
    struct slu_link_group *group = link->group;
    slu_link_close(link);
    pthread_mutex_lock(&group->mutex);
    while (!link->ended)
        pthread_cond_wait(&group->changed, &group->mutex);
    pthread_mutex_unlock(&group->mutex);
}

/* ---- the beginning ---- */

static struct slu_link *link_new(struct slu_link_group *group, nng_stream *stream, bool dialed)
{
    struct slu_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        nng_stream_free(stream);
        return NULL;
    }
    atomic_fetch_add(&group->references, 1);
    atomic_store(&link->references, 1);
    link->group = group;
    link->stream = stream;
    link->dialed = dialed;
    link->peer = SLU_LINK_CLIENT;
    link->fail = SLU_LINK_FAIL_CLOSED;
    link->queue.bytes_max = group->config.queue_bytes_max;
    link->begun_ms = nng_clock();
    pthread_mutex_init(&link->mutex, NULL);
    pthread_cond_init(&link->rx_wanted, NULL);
    link->hs = calloc(1, sizeof *link->hs);
    if (link->hs == NULL || nng_aio_alloc(&link->rx, slu_link_rx_callback, link) != 0 ||
        nng_aio_alloc(&link->tx, slu_link_tx_callback, link) != 0 ||
        nng_aio_alloc(&link->rx_own, NULL, NULL) != 0 ||
        nng_aio_alloc(&link->tx_now, NULL, NULL) != 0) {
        slu_link_release(link);
        return NULL;
    }
    (void)slu_link_address(stream, link->address, link->remote);
    slu_handshake_begin(link->hs, &group->config, dialed);
    return link;
}

int slu_link_start(struct slu_link_group *group, nng_stream *stream, bool dialed)
{
    struct slu_link *link = link_new(group, stream, dialed);
    if (link == NULL)
        return SLU_ERR_MEMORY;
    pthread_mutex_lock(&group->mutex);
    if (group->stopping) {
        pthread_mutex_unlock(&group->mutex);
        slu_link_release(link);
        return SLU_ERR_CLOSED;
    }
    link->rx_busy = true;
    link->rx_kicked = true;
    slu_link_hold(link);
    link->next = group->first;
    if (link->next != NULL)
        link->next->previous = link;
    else
        group->last = link;
    group->first = link;
    group->links++;
    atomic_fetch_add(&group->counters->links_open, 1);
    pthread_mutex_unlock(&group->mutex);
    slu_link_kick(link->rx);
    return 0;
}

/* ---- the clock ---- */

static bool passed(uint64_t now_ms, uint64_t since_ms, uint64_t span_ms)
{
    return now_ms >= since_ms && now_ms - since_ms >= span_ms;
}

static void tick_up(struct slu_link *link, uint64_t now_ms)
{
    const struct slu_link_config *config = &link->group->config;
    bool client = !link->dialed && link->peer == SLU_LINK_CLIENT;
    uint32_t keepalive_ms = client ? config->client_keepalive_ms : config->keepalive_ms;
    uint32_t idle_ms = client ? config->client_idle_timeout_ms : config->idle_timeout_ms;
    bool write = false;
    pthread_mutex_lock(&link->mutex);
    if (!link->tx_busy && keepalive_ms > 0 && passed(now_ms, link->wrote_ms, keepalive_ms)) {
        link->keepalive_due = true;
        write = slu_link_wake_writer(link);
    }
    if (!link->tx_busy && passed(now_ms, link->wrote_ms, SLU_LINK_TRIM_MS))
        slu_queue_trim(&link->queue);
    pthread_mutex_unlock(&link->mutex);
    if (write) {
        link->tx_kicked = true; /* group.mutex is held: not the place to encrypt */
        slu_link_kick(link->tx);
    }
    if (link->paused)
        return;
    if (idle_ms > 0 && passed(now_ms, link->read_ms, idle_ms)) {
        atomic_fetch_add(&link->group->counters->idle_drops, 1);
        slu_link_fail_with(link, SLU_ERR_TIMEOUT, SLU_LINK_FAIL_TIMEOUT, "nothing heard for %u ms",
                           idle_ms);
    } else if (link->roomy && passed(now_ms, link->read_ms, SLU_LINK_TRIM_MS)) {
        nng_aio_abort(link->threaded ? link->rx_own : link->rx, NNG_EAGAIN);
    }
}

void slu_link_tick(struct slu_link *link, uint64_t now_ms)
{
    uint32_t handshake_ms = link->group->config.handshake_ms;
    pthread_mutex_lock(&link->mutex);
    bool up = link->up;
    bool lingering = link->lingering;
    bool closed = link->closed;
    pthread_mutex_unlock(&link->mutex);
    if (closed)
        return;
    if (up)
        tick_up(link, now_ms);
    else if (lingering && passed(now_ms, link->begun_ms, SLU_LINK_LINGER_MS))
        slu_link_close(link);
    else if (!lingering && passed(now_ms, link->begun_ms, handshake_ms))
        slu_link_fail_with(link, SLU_ERR_TIMEOUT, SLU_LINK_FAIL_TIMEOUT,
                           "no handshake within %u ms", handshake_ms);
}

/* ---- what the owner asks ---- */

int slu_link_append(struct slu_link *link, const void *head, size_t head_len, const void *body,
                    size_t body_len)
{
    if (head_len > SLU_FRAME_BYTES_MAX || body_len > SLU_FRAME_BYTES_MAX - head_len ||
        head_len + body_len == 0)
        return SLU_ERR_LIMIT;
    int rc = SLU_ERR_CLOSED;
    pthread_mutex_lock(&link->mutex);
    if (link->up && !link->closed) {
        rc = slu_queue_append(&link->queue, head, head_len, body, body_len);
        if (rc == SLU_ERR_BUSY)
            link->want_drained = true;
    }
    pthread_mutex_unlock(&link->mutex);
    if (rc == SLU_ERR_BUSY)
        atomic_fetch_add_explicit(&link->group->counters->busy_drops, 1, memory_order_relaxed);
    return rc;
}

void slu_link_flush(struct slu_link *link)
{
    pthread_mutex_lock(&link->mutex);
    bool write = link->up && link->queue.head != NULL && slu_link_wake_writer(link);
    pthread_mutex_unlock(&link->mutex);
    if (write)
        slu_link_write(link);
}

int slu_link_send(struct slu_link *link, const void *head, size_t head_len, const void *body,
                  size_t body_len)
{
    int rc = slu_link_append(link, head, head_len, body, body_len);
    if (rc == 0 || rc == SLU_ERR_BUSY)
        slu_link_flush(link);
    return rc;
}

size_t slu_link_queued_bytes(struct slu_link *link)
{
    pthread_mutex_lock(&link->mutex);
    size_t bytes = link->queue.bytes;
    pthread_mutex_unlock(&link->mutex);
    return bytes;
}

void slu_link_pause_reading(struct slu_link *link)
{
    pthread_mutex_lock(&link->mutex);
    link->paused = true;
    pthread_mutex_unlock(&link->mutex);
}

void slu_link_resume_reading(struct slu_link *link)
{
    bool kick = false;
    pthread_mutex_lock(&link->mutex);
    if (link->paused)
        link->read_ms = nng_clock();
    link->paused = false;
    if (link->rx_parked) {
        link->rx_parked = false;
        link->rx_busy = true;
        link->rx_kicked = true;
        slu_link_hold(link);
        kick = true;
    }
    pthread_mutex_unlock(&link->mutex);
    if (kick)
        slu_link_kick_reader(link);
}

void slu_link_set_user(struct slu_link *link, void *user)
{
    atomic_store(&link->user, user);
}

void *slu_link_user(struct slu_link *link)
{
    return atomic_load(&link->user);
}

uint16_t slu_link_peer(const struct slu_link *link)
{
    return link->peer;
}

const uint8_t *slu_link_peer_public32(const struct slu_link *link)
{
    return link->peer_public32;
}

const uint8_t *slu_link_chain_id32(const struct slu_link *link)
{
    return link->chain_id32;
}

const char *slu_link_remote(const struct slu_link *link)
{
    return link->remote;
}

bool slu_link_dialed(const struct slu_link *link)
{
    return link->dialed;
}
