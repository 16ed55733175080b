#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/group.h"

#define STEADY_MS 1000u /* a link that was up so long brings the backoff back to its start */

struct slu_dialer {
    struct slu_link_group *group;
    nng_stream_dialer *stream;
    nng_aio *aio; /* sleeps or dials while group.busy */
    bool sleeping;
    bool refused; /* the last attempt was heard, and ended by the other side or by us */
    uint32_t backoff_ms;
    _Atomic uint64_t up_ms;
};

static bool is_stopping(struct slu_link_group *group)
{
    pthread_mutex_lock(&group->mutex);
    bool stopping = group->stopping;
    pthread_mutex_unlock(&group->mutex);
    return stopping;
}

/* Begins the next operation of the aio; busy is set. */
static void begin(struct slu_dialer *dialer, bool sleep)
{
    struct slu_link_group *group = dialer->group;
    dialer->sleeping = sleep;
    if (sleep) {
        uint32_t most = dialer->refused ? SLU_LINK_BACKOFF_REFUSED_MS : SLU_LINK_BACKOFF_AWAY_MS;
        if (dialer->backoff_ms > most)
            dialer->backoff_ms = most;
        uint32_t half = dialer->backoff_ms / 2;
        uint32_t wait_ms = half + randombytes_uniform(half + 1);
        dialer->backoff_ms *= 2;
        nng_aio_set_timeout(dialer->aio, NNG_DURATION_INFINITE);
        nng_sleep_aio((nng_duration)wait_ms, dialer->aio);
    } else {
        nng_aio_set_timeout(dialer->aio, (nng_duration)group->config.handshake_ms);
        nng_stream_dialer_dial(dialer->stream, dialer->aio);
    }
}

/* Begins, and sees to it that a stop meanwhile is not missed. The aio lives until stop has seen
 * busy cleared, so the abort comes while busy is still ours or does nothing. */
static void begin_unless_stopping(struct slu_dialer *dialer, bool sleep)
{
    struct slu_link_group *group = dialer->group;
    pthread_mutex_lock(&group->mutex);
    bool stopping = group->stopping;
    if (stopping) {
        group->busy = false;
        pthread_cond_broadcast(&group->changed);
    } else {
        begin(dialer, sleep); /* under the lock: stop's abort comes after it */
    }
    pthread_mutex_unlock(&group->mutex);
}

static void attempt_failed(struct slu_dialer *dialer, int error, const char *reason)
{
    const struct slu_link_handler *handler = &dialer->group->handler;
    if (handler->down != NULL && !is_stopping(dialer->group))
        handler->down(handler->context, NULL, error, reason);
}

static void dialer_callback(void *argument)
{
    struct slu_dialer *dialer = argument;
    struct slu_link_group *group = dialer->group;
    int rv = nng_aio_result(dialer->aio);
    if (dialer->sleeping) {
        begin_unless_stopping(dialer, false);
        return;
    }
    if (rv != 0) {
        dialer->refused = false;
        attempt_failed(dialer, rv == NNG_ETIMEDOUT ? SLU_ERR_TIMEOUT : SLU_ERR_IO,
                       nng_strerror(rv));
        begin_unless_stopping(dialer, true);
        return;
    }
    /* The link's end begins the next operation, so busy is given up before the link starts. */
    nng_stream *stream = nng_aio_get_output(dialer->aio, 0);
    pthread_mutex_lock(&group->mutex);
    group->links++; /* keeps stop waiting until the link itself is counted */
    group->busy = false;
    pthread_mutex_unlock(&group->mutex);
    int rc = slu_link_start(group, stream, true);
    if (rc == SLU_ERR_MEMORY && slu_link_group_set_busy(group)) {
        attempt_failed(dialer, rc, "out of memory");
        begin_unless_stopping(dialer, true);
    }
    pthread_mutex_lock(&group->mutex);
    group->links--;
    pthread_cond_broadcast(&group->changed);
    pthread_mutex_unlock(&group->mutex);
}

static bool on_opened(void *owner, struct slu_link *link)
{
    (void)link;
    struct slu_dialer *dialer = owner;
    dialer->up_ms = nng_clock();
    return true;
}

static void on_ended(void *owner, struct slu_link *link, bool was_up, int error, const char *reason)
{
    (void)link;
    struct slu_dialer *dialer = owner;
    /* Closed without a word is a proxy whose node is away, or a node that has no place or stops. */
    dialer->refused = was_up || (error != 0 && error != SLU_ERR_CLOSED);
    if (!was_up)
        attempt_failed(dialer, error != 0 ? error : SLU_ERR_CLOSED, reason);
    else if (nng_clock() - dialer->up_ms >= STEADY_MS)
        dialer->backoff_ms = SLU_LINK_BACKOFF_MIN_MS;
    if (slu_link_group_set_busy(dialer->group))
        begin_unless_stopping(dialer, true);
}

static void free_dialer(struct slu_dialer *dialer)
{
    if (dialer->aio != NULL)
        nng_aio_free(dialer->aio);
    if (dialer->stream != NULL)
        nng_stream_dialer_free(dialer->stream);
    if (dialer->group != NULL)
        slu_link_group_release(dialer->group);
    free(dialer);
}

int slu_dialer_start(struct slu_dialer **out, const char *url, const struct slu_link_config *config,
                     const struct slu_link_handler *handler, char *reason_text, size_t cap)
{
    snprintf(reason_text, cap, "out of memory");
    struct slu_dialer *dialer = calloc(1, sizeof *dialer);
    if (dialer == NULL)
        return SLU_ERR_MEMORY;
    struct slu_link_hooks hooks = {.owner = dialer, .opened = on_opened, .ended = on_ended};
    dialer->backoff_ms = SLU_LINK_BACKOFF_MIN_MS;
    int rc = slu_link_group_new(&dialer->group, config, handler, &hooks, false, reason_text, cap);
    int rv = rc != 0 ? 0 : nng_stream_dialer_alloc(&dialer->stream, url);
    if (rc == 0 && rv == 0)
        rv = nng_aio_alloc(&dialer->aio, dialer_callback, dialer);
    if (rv != 0) {
        rc = rv == NNG_ENOMEM ? SLU_ERR_MEMORY : SLU_ERR_CONFIG;
        snprintf(reason_text, cap, "%s: %s", url, nng_strerror(rv));
    }
    if (rc != 0) {
        if (dialer->group != NULL) {
            slu_link_group_stop(dialer->group);
            slu_link_group_wait(dialer->group);
        }
        free_dialer(dialer);
        return rc;
    }
    (void)nng_stream_dialer_set_bool(dialer->stream, NNG_OPT_TCP_NODELAY, true);
    (void)nng_stream_dialer_set_bool(dialer->stream, NNG_OPT_TCP_KEEPALIVE, true);
    SLU_CHECK(slu_link_group_set_busy(dialer->group));
    begin_unless_stopping(dialer, false);
    *out = dialer;
    return 0;
}

void slu_dialer_stop(struct slu_dialer *dialer)
{
    if (dialer == NULL)
        return;
    slu_link_group_stop(dialer->group);
    nng_stream_dialer_close(dialer->stream);
    nng_aio_abort(dialer->aio, NNG_ECLOSED);
    slu_link_group_wait(dialer->group);
    free_dialer(dialer);
}
