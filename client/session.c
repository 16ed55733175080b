#include "client/session.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "link/link.h"
#include "sluice/error.h"

#define ANSWER_MS 10000u
#define RETRY_MS  50u /* a full send queue is looked at again after so long at the latest */

struct arrived {
    struct arrived *next;
    Slu__Client__Reply *reply;
    size_t bytes; /* of its frame */
};

struct slu_session {
    struct slu_session_config config;
    struct slu_link *link;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct arrived *first;
    struct arrived **last; /* where the next one is hung */
    size_t queued_bytes;
    bool paused;
    bool down;
    uint64_t drains; /* how often the send queue has drained */
    uint64_t until_ms;
    uint64_t next_id;
    char reason[SLU_LINK_REASON_BYTES + 64];
};

static uint64_t read_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

uint64_t slu_now_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

uint64_t slu_clock_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

static struct timespec until(uint64_t at_ms)
{
    return (struct timespec){.tv_sec = (time_t)(at_ms / 1000u),
                             .tv_nsec = (long)(at_ms % 1000u) * 1000000L};
}

/* ---- on nng's threads ---- */

/* With the lock held: the end of the session, with the first reason that was given. */
static void go_down(struct slu_session *session, const char *reason)
{
    session->down = true;
    if (!session->reason[0])
        snprintf(session->reason, sizeof session->reason, "%s", reason);
    pthread_cond_broadcast(&session->changed);
}

/* A reply with id 0 concerns the connection: it ends, and an error's words are the reason. */
static void end_by_reply(struct slu_session *session, struct slu_link *link,
                         const Slu__Client__Reply *reply)
{
    char words[SLU_LINK_REASON_BYTES];
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR)
        snprintf(words, sizeof words, "%s: %s", reply->error->code, reply->error->text);
    else
        snprintf(words, sizeof words, "the node sent a reply to no request");
    pthread_mutex_lock(&session->lock);
    go_down(session, words);
    pthread_mutex_unlock(&session->lock);
    slu_link_close(link);
}

/* Pauses with the lock held, so that pausing here and resuming in take() cannot cross. The link
 * holds no lock of its own while it calls a handler. */
static void enqueue(struct slu_session *session, struct slu_link *link, struct arrived *arrived)
{
    pthread_mutex_lock(&session->lock);
    *session->last = arrived;
    session->last = &arrived->next;
    session->queued_bytes += arrived->bytes;
    if (session->queued_bytes > SLU_SESSION_QUEUE_BYTES && !session->paused) {
        session->paused = true;
        slu_link_pause_reading(link);
    }
    pthread_cond_broadcast(&session->changed);
    pthread_mutex_unlock(&session->lock);
}

static void on_frame(void *context, struct slu_link *link, const uint8_t *data, size_t len)
{
    struct slu_session *session = context;
    Slu__Client__Reply *reply = slu_reply_unpack(data, len, SLU_REPLY_MEMORY_MAX);
    struct arrived *arrived = NULL;
    if (reply && reply->id == 0) {
        end_by_reply(session, link, reply);
        slu_reply_free(reply);
        return;
    }
    if (reply && session->config.on_reply) {
        session->config.on_reply(session->config.context, reply);
        slu_reply_free(reply);
        return;
    }
    if (reply)
        arrived = malloc(sizeof *arrived);
    if (!arrived) {
        pthread_mutex_lock(&session->lock);
        go_down(session, reply ? "out of memory" : "the node sent a malformed reply");
        pthread_mutex_unlock(&session->lock);
        slu_reply_free(reply);
        slu_link_close(link);
        return;
    }
    *arrived = (struct arrived){.reply = reply, .bytes = len};
    enqueue(session, link, arrived);
}

static void on_drained(void *context, struct slu_link *link)
{
    struct slu_session *session = context;
    (void)link;
    pthread_mutex_lock(&session->lock);
    session->drains++;
    pthread_cond_broadcast(&session->changed);
    pthread_mutex_unlock(&session->lock);
}

static void on_down(void *context, struct slu_link *link, int error, const char *reason)
{
    struct slu_session *session = context;
    (void)link;
    pthread_mutex_lock(&session->lock);
    go_down(session, reason && *reason ? reason : slu_strerror(error ? error : SLU_ERR_CLOSED));
    pthread_mutex_unlock(&session->lock);
}

/* ---- opening and closing ---- */

static struct slu_session *session_new(const struct slu_session_config *config)
{
    struct slu_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->config = *config;
    session->last = &session->first;
    session->next_id = 1;
    pthread_condattr_t attributes;
    pthread_mutex_init(&session->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&session->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return session;
}

static void session_free(struct slu_session *session)
{
    for (struct arrived *at = session->first; at;) {
        struct arrived *next = at->next;
        slu_reply_free(at->reply);
        free(at);
        at = next;
    }
    pthread_cond_destroy(&session->changed);
    pthread_mutex_destroy(&session->lock);
    free(session);
}

int slu_session_open(struct slu_session **out, const struct slu_session_config *config, char *why,
                     size_t why_cap)
{
    struct slu_session *session = session_new(config);
    if (!session) {
        snprintf(why, why_cap, "%s: %s", config->url, slu_strerror(SLU_ERR_MEMORY));
        return SLU_ERR_MEMORY;
    }
    struct slu_link_config link_config = slu_link_config_default();
    struct slu_link_handler handler = {
        .context = session, .frame = on_frame, .drained = on_drained, .down = on_down};
    char words[SLU_LINK_REASON_BYTES] = "";
    int rc = slu_link_connect(&session->link, config->url, &link_config, &handler,
                              config->timeout_ms, words, sizeof words);
    if (rc) {
        if (strstr(words, config->url))
            snprintf(why, why_cap, "%s", words);
        else
            snprintf(why, why_cap, "%s: %s", config->url, *words ? words : slu_strerror(rc));
        session_free(session);
        return rc;
    }
    *out = session;
    return SLU_OK;
}

void slu_session_close(struct slu_session *session)
{
    if (!session)
        return;
    slu_link_close_wait(session->link);
    slu_link_release(session->link);
    session_free(session);
}

/* ---- requests and replies ---- */

static uint64_t end_of_wait(const struct slu_session *session, uint32_t timeout_ms)
{
    uint64_t end_ms = slu_now_ms() + timeout_ms;
    return session->until_ms && session->until_ms < end_ms ? session->until_ms : end_ms;
}

static int send_packed(struct slu_session *session, const uint8_t *frame, size_t len, bool wait)
{
    uint64_t give_up_ms = end_of_wait(session, session->config.timeout_ms);
    for (;;) {
        pthread_mutex_lock(&session->lock);
        uint64_t drains = session->drains;
        pthread_mutex_unlock(&session->lock);
        int rc = slu_link_send(session->link, frame, len, NULL, 0);
        if (rc != SLU_ERR_BUSY || !wait)
            return rc;
        uint64_t now_ms = slu_now_ms();
        if (now_ms >= give_up_ms)
            return SLU_ERR_TIMEOUT;
        struct timespec at = until(now_ms + RETRY_MS < give_up_ms ? now_ms + RETRY_MS : give_up_ms);
        pthread_mutex_lock(&session->lock);
        while (session->drains == drains && !session->down)
            if (pthread_cond_timedwait(&session->changed, &session->lock, &at))
                break;
        pthread_mutex_unlock(&session->lock);
    }
}

static int send_request(struct slu_session *session, Slu__Client__Request *request, bool wait)
{
    pthread_mutex_lock(&session->lock);
    bool down = session->down;
    request->id = session->next_id++;
    pthread_mutex_unlock(&session->lock);
    if (down)
        return SLU_ERR_CLOSED;
    size_t len = 0;
    uint8_t *frame = slu_request_pack(request, &len);
    if (!frame)
        return SLU_ERR_MEMORY;
    int rc = send_packed(session, frame, len, wait);
    free(frame);
    return rc;
}

int slu_session_send(struct slu_session *session, Slu__Client__Request *request)
{
    return send_request(session, request, true);
}

int slu_session_try_send(struct slu_session *session, Slu__Client__Request *request)
{
    return send_request(session, request, false);
}

/* With the lock held: takes the first waiting reply to `id` off the queue; NULL: none. */
static Slu__Client__Reply *take(struct slu_session *session, uint64_t id)
{
    struct arrived **at = &session->first;
    while (*at && id != SLU_SESSION_ANY && (*at)->reply->id != id)
        at = &(*at)->next;
    struct arrived *found = *at;
    if (!found)
        return NULL;
    *at = found->next;
    if (!*at)
        session->last = at;
    session->queued_bytes -= found->bytes;
    if (session->paused && session->queued_bytes < SLU_SESSION_QUEUE_BYTES / 2) {
        session->paused = false;
        slu_link_resume_reading(session->link);
    }
    Slu__Client__Reply *reply = found->reply;
    free(found);
    return reply;
}

int slu_session_receive(struct slu_session *session, uint64_t id, Slu__Client__Reply **reply,
                        uint32_t timeout_ms)
{
    struct timespec at = until(end_of_wait(session, timeout_ms));
    int rc = SLU_OK;
    pthread_mutex_lock(&session->lock);
    while (!(*reply = take(session, id))) {
        if (session->down) {
            rc = SLU_ERR_CLOSED;
            break;
        }
        if (pthread_cond_timedwait(&session->changed, &session->lock, &at)) {
            *reply = take(session, id);
            rc = *reply ? SLU_OK : SLU_ERR_TIMEOUT;
            break;
        }
    }
    pthread_mutex_unlock(&session->lock);
    return rc;
}

int slu_session_call(struct slu_session *session, Slu__Client__Request *request,
                     Slu__Client__Reply **reply, uint32_t timeout_ms)
{
    int rc = slu_session_send(session, request);
    return rc ? rc : slu_session_receive(session, request->id, reply, timeout_ms);
}

void slu_session_until(struct slu_session *session, uint64_t until_ms)
{
    session->until_ms = until_ms;
}

bool slu_session_is_down(struct slu_session *session)
{
    pthread_mutex_lock(&session->lock);
    bool down = session->down;
    pthread_mutex_unlock(&session->lock);
    return down;
}

void slu_session_reason(struct slu_session *session, char *why, size_t why_cap)
{
    pthread_mutex_lock(&session->lock);
    snprintf(why, why_cap, "%s", session->reason);
    pthread_mutex_unlock(&session->lock);
}

uint32_t slu_session_answer_ms(const struct slu_session *session)
{
    return session->config.answer_ms ? session->config.answer_ms : ANSWER_MS;
}

const uint8_t *slu_session_chain_id32(const struct slu_session *session)
{
    return slu_link_chain_id32(session->link);
}
