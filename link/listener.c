#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/group.h"

#define ACCEPT_BACKOFF_MS 50 /* after an accept that failed: EMFILE, ECONNABORTED, ... */
#define URL_BYTES         256u
#define ENDING_MAX        64u /* links over links_max that were told to go and have not gone yet */

struct slu_listener {
    struct slu_link_group *group;
    nng_stream_listener *stream;
    nng_aio *accept;
    bool pausing; /* the aio sleeps after an error */
    uint16_t port;
    char url[URL_BYTES];
};

/* Closes the oldest link that has not shown who it is; false: there is none. group.mutex is held.
 */
static bool make_place(struct slu_link_group *group)
{
    for (struct slu_link *link = group->last; link != NULL; link = link->previous) {
        pthread_mutex_lock(&link->mutex);
        bool handshake = !link->up && !link->closed;
        pthread_mutex_unlock(&link->mutex);
        if (handshake) {
            slu_link_fail_with(link, SLU_ERR_LIMIT, SLU_LINK_FAIL_CLOSED, "its place was needed");
            return true;
        }
    }
    return false;
}

/* Whether this connection may stay; counts it, or whose place it takes, if not. */
static bool admit(struct slu_listener *listener, nng_stream *stream)
{
    struct slu_link_group *group = listener->group;
    const struct slu_link_config *config = &group->config;
    uint8_t key[SLU_LIMITER_KEY_BYTES];
    char text[SLU_LINK_REMOTE_BYTES];
    enum slu_link_place place = slu_link_address(stream, key, text);
    bool spared = place == SLU_LINK_NEAR && !config->limit_loopback;
    if (place == SLU_LINK_GONE) {
        atomic_fetch_add(&group->counters->handshakes_failed[SLU_LINK_FAIL_CLOSED], 1);
        return false;
    }
    uint32_t same = 0;
    pthread_mutex_lock(&group->mutex);
    bool allowed = spared || slu_limiter_allows(group->limiter, key, nng_clock());
    bool crowded = group->links >= config->links_max;
    for (struct slu_link *link = group->first; !spared && link != NULL; link = link->next)
        same += memcmp(link->address, key, sizeof key) == 0;
    bool full = !spared && same >= config->links_per_address_max;
    if (allowed && !full && crowded)
        full = group->links >= config->links_max + ENDING_MAX || !make_place(group);
    pthread_mutex_unlock(&group->mutex);
    if (!allowed)
        atomic_fetch_add(&group->counters->refused_rate, 1);
    else if (full || crowded)
        atomic_fetch_add(&group->counters->refused_full, 1);
    return allowed && !full;
}

static bool is_stopping(struct slu_link_group *group)
{
    pthread_mutex_lock(&group->mutex);
    bool stopping = group->stopping;
    pthread_mutex_unlock(&group->mutex);
    return stopping;
}

static void accepted(struct slu_listener *listener, nng_stream *stream)
{
    if (!admit(listener, stream))
        nng_stream_free(stream);
    else if (slu_link_start(listener->group, stream, false) == SLU_ERR_MEMORY)
        atomic_fetch_add(&listener->group->counters->accept_errors, 1);
}

static void accept_callback(void *argument)
{
    struct slu_listener *listener = argument;
    struct slu_link_group *group = listener->group;
    int rv = nng_aio_result(listener->accept);
    bool slept = listener->pausing;
    listener->pausing = false;
    if (rv == 0 && !slept)
        accepted(listener, nng_aio_get_output(listener->accept, 0));
    if (is_stopping(group)) {
        slu_link_group_clear_busy(group);
        return;
    }
    if (rv != 0 && !slept) {
        atomic_fetch_add(&group->counters->accept_errors, 1);
        listener->pausing = true;
        nng_sleep_aio(ACCEPT_BACKOFF_MS, listener->accept);
    } else {
        nng_stream_listener_accept(listener->stream, listener->accept);
    }
    /* stop() may have closed the listener just before the accept above began. */
    if (is_stopping(group))
        nng_aio_abort(listener->accept, NNG_ECLOSED);
}

static void find_url(struct slu_listener *listener, const char *url)
{
    int port = 0;
    const char *colon = strrchr(url, ':');
    memcpy(listener->url, url, strlen(url) + 1);
    if (strncmp(url, "tcp", 3) != 0 || colon == NULL ||
        nng_stream_listener_get_int(listener->stream, NNG_OPT_TCP_BOUND_PORT, &port) != 0)
        return;
    listener->port = (uint16_t)port;
    snprintf(listener->url, sizeof listener->url, "%.*s:%d", (int)(colon - url), url, port);
}

static int open_listener(struct slu_listener *listener, const char *url, char *reason_text,
                         size_t cap)
{
    int rv = nng_stream_listener_alloc(&listener->stream, url);
    bool bad_url = rv != 0 && rv != NNG_ENOMEM;
    if (rv == 0)
        rv = nng_aio_alloc(&listener->accept, accept_callback, listener);
    if (rv == 0) {
        (void)nng_stream_listener_set_bool(listener->stream, NNG_OPT_TCP_NODELAY, true);
        (void)nng_stream_listener_set_bool(listener->stream, NNG_OPT_TCP_KEEPALIVE, true);
        rv = nng_stream_listener_listen(listener->stream);
    }
    if (rv == 0)
        return 0;
    snprintf(reason_text, cap, "%s: %s", url,
             rv == NNG_EADDRINUSE ? "address in use" : nng_strerror(rv));
    if (rv == NNG_ENOMEM)
        return SLU_ERR_MEMORY;
    return bad_url ? SLU_ERR_CONFIG : SLU_ERR_IO;
}

static void free_listener(struct slu_listener *listener)
{
    if (listener->accept != NULL)
        nng_aio_free(listener->accept);
    if (listener->stream != NULL)
        nng_stream_listener_free(listener->stream);
    if (listener->group != NULL)
        slu_link_group_release(listener->group);
    free(listener);
}

int slu_listener_start(struct slu_listener **out, const char *url,
                       const struct slu_link_config *config, const struct slu_link_handler *handler,
                       char *reason_text, size_t cap)
{
    static const struct slu_link_hooks no_hooks;
    if (config->role != SLU_LINK_AS_NODE || strlen(url) >= URL_BYTES - 8) {
        snprintf(reason_text, cap, "%s: only nodes listen, on URLs of bounded length", url);
        return SLU_ERR_CONFIG;
    }
    snprintf(reason_text, cap, "out of memory");
    struct slu_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return SLU_ERR_MEMORY;
    int rc = open_listener(listener, url, reason_text, cap);
    if (rc == 0)
        rc = slu_link_group_new(&listener->group, config, handler, &no_hooks, true, reason_text,
                                cap);
    if (rc != 0) {
        free_listener(listener);
        return rc;
    }
    find_url(listener, url);
    SLU_CHECK(slu_link_group_set_busy(listener->group));
    nng_stream_listener_accept(listener->stream, listener->accept);
    *out = listener;
    return 0;
}

const char *slu_listener_url(const struct slu_listener *listener)
{
    return listener->url;
}

uint16_t slu_listener_port(const struct slu_listener *listener)
{
    return listener->port;
}

void slu_listener_stop(struct slu_listener *listener)
{
    if (listener == NULL)
        return;
    slu_link_group_stop(listener->group);
    nng_stream_listener_close(listener->stream);
    nng_aio_abort(listener->accept, NNG_ECLOSED);
    slu_link_group_wait(listener->group);
    free_listener(listener);
}
