/* slu_link_connect: one link, and a thread that waits for it. The waiter owns the dialing; once the
 * link is up it lets go of it, and the group lives on with the link alone. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "link/group.h"

struct connector {
    struct slu_link_group *group;
    nng_stream_dialer *stream;
    nng_aio *aio;
    /* group.mutex */
    bool given_up;
    bool over;
    struct slu_link *link;
    int error;
    char reason[SLU_LINK_REASON_BYTES];
};

static void end_with(struct connector *connector, int error, const char *reason)
{
    pthread_mutex_lock(&connector->group->mutex);
    if (!connector->over) {
        connector->over = true;
        connector->error = error;
        snprintf(connector->reason, sizeof connector->reason, "%s", reason);
    }
    pthread_cond_broadcast(&connector->group->changed);
    pthread_mutex_unlock(&connector->group->mutex);
}

static void dialed(void *argument)
{
    struct connector *connector = argument;
    struct slu_link_group *group = connector->group;
    int rv = nng_aio_result(connector->aio);
    int rc = 0;
    if (rv != 0)
        end_with(connector, rv == NNG_ETIMEDOUT ? SLU_ERR_TIMEOUT : SLU_ERR_IO, nng_strerror(rv));
    else
        rc = slu_link_start(group, nng_aio_get_output(connector->aio, 0), true);
    if (rc != 0)
        end_with(connector, rc, slu_strerror(rc));
    slu_link_group_clear_busy(group);
}

static bool on_opened(void *owner, struct slu_link *link)
{
    struct connector *connector = owner;
    pthread_mutex_lock(&connector->group->mutex);
    bool wanted = !connector->given_up;
    if (wanted)
        connector->link = slu_link_hold(link);
    pthread_mutex_unlock(&connector->group->mutex);
    return wanted;
}

static void on_ended(void *owner, struct slu_link *link, bool was_up, int error, const char *reason)
{
    (void)link;
    if (!was_up)
        end_with(owner, error != 0 ? error : SLU_ERR_CLOSED, reason);
}

static struct timespec deadline_after(uint32_t timeout_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* Waits for the outcome and says what it is, in connector->link or error and reason. */
static void await(struct connector *connector, uint32_t timeout_ms)
{
    struct slu_link_group *group = connector->group;
    struct timespec deadline = deadline_after(timeout_ms);
    int rc = 0;
    pthread_mutex_lock(&group->mutex);
    while (connector->link == NULL && !connector->over && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&group->changed, &group->mutex, &deadline);
    if (connector->link == NULL) {
        connector->given_up = true;
        if (!connector->over) {
            connector->over = true;
            connector->error = SLU_ERR_TIMEOUT;
            snprintf(connector->reason, sizeof connector->reason, "no answer within %u ms",
                     timeout_ms);
        }
    } else {
        while (!connector->link->announced || group->busy)
            pthread_cond_wait(&group->changed, &group->mutex);
        group->stopping = true; /* the clock ends with the link */
        memset(&group->hooks, 0, sizeof group->hooks);
    }
    pthread_mutex_unlock(&group->mutex);
}

static void abandon(struct connector *connector)
{
    slu_link_group_stop(connector->group);
    if (connector->stream != NULL)
        nng_stream_dialer_close(connector->stream);
    if (connector->aio != NULL)
        nng_aio_abort(connector->aio, NNG_ECLOSED);
    slu_link_group_wait(connector->group);
}

static int start(struct connector *connector, const char *url, uint32_t timeout_ms)
{
    int rv = nng_stream_dialer_alloc(&connector->stream, url);
    if (rv == 0)
        rv = nng_aio_alloc(&connector->aio, dialed, connector);
    if (rv != 0) {
        snprintf(connector->reason, sizeof connector->reason, "%s", nng_strerror(rv));
        return rv == NNG_ENOMEM ? SLU_ERR_MEMORY : SLU_ERR_CONFIG;
    }
    (void)nng_stream_dialer_set_bool(connector->stream, NNG_OPT_TCP_NODELAY, true);
    (void)nng_stream_dialer_set_bool(connector->stream, NNG_OPT_TCP_KEEPALIVE, true);
    SLU_CHECK(slu_link_group_set_busy(connector->group));
    nng_aio_set_timeout(connector->aio,
                        (nng_duration)(timeout_ms > 0x7fffffffu ? 0x7fffffffu : timeout_ms));
    nng_stream_dialer_dial(connector->stream, connector->aio);
    return 0;
}

int slu_link_connect(struct slu_link **out, const char *url, const struct slu_link_config *config,
                     const struct slu_link_handler *handler, uint32_t timeout_ms, char *reason_text,
                     size_t cap)
{
    struct connector connector = {0};
    struct slu_link_hooks hooks = {.owner = &connector, .opened = on_opened, .ended = on_ended};
    int rc = slu_link_group_new(&connector.group, config, handler, &hooks, false, reason_text, cap);
    if (rc != 0)
        return rc;
    rc = start(&connector, url, timeout_ms);
    if (rc == 0) {
        await(&connector, timeout_ms);
        rc = connector.link != NULL ? 0 : connector.error;
    }
    if (rc != 0) {
        abandon(&connector);
        snprintf(reason_text, cap, "%s: %s", url, connector.reason);
    } else {
        *out = connector.link;
    }
    if (connector.aio != NULL)
        nng_aio_free(connector.aio);
    if (connector.stream != NULL)
        nng_stream_dialer_free(connector.stream);
    slu_link_group_release(connector.group);
    return rc;
}
