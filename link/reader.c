/* The reading half of a link: one holder of rx_busy at a time reads, opens records, and delivers
 * their frames: nng's callback, or, between nodes, a thread of the link's own from the end of the
 * handshake on. That spares each message the way through nng's poller (link/socket.c) and through
 * its task queue, whose threads contend for one lock: measured, six futex calls a message. The
 * buffer is small while little comes, doubles when reads fill it or when at least half of what it
 * holds is one unfinished record, and is given back when nothing comes for SLU_LINK_TRIM_MS. */
#include <stdlib.h>
#include <string.h>

#include "link/group.h"

#define BUFFER_SMALL 2048u
#define BUFFER_BULK  (256u * 1024u) /* grows to this because much comes ... */
#define READ_AHEAD   (64u * 1024u)  /* ... and past it only for one record and so much more */

static void read_some(struct slu_link *link, uint8_t *into, size_t cap)
{
    nng_iov iov = {.iov_buf = into, .iov_len = cap};
    pthread_mutex_lock(&link->mutex);
    if (link->closed) {
        slu_link_rest(link, &link->rx_busy);
        return;
    }
    pthread_mutex_unlock(&link->mutex);
    nng_aio *aio = link->threaded ? link->rx_own : link->rx;
    slu_link_hold(link); /* the callback may run, and end the link, before recv returns */
    link->rx_asked = cap;
    nng_aio_set_iov(aio, 1, &iov);
    nng_stream_recv(link->stream, aio);
    if (link->closed)
        nng_aio_abort(aio, NNG_ECLOSED);
    slu_link_release(link);
}

static void give_up(struct slu_link *link)
{
    pthread_mutex_lock(&link->mutex);
    slu_link_rest(link, &link->rx_busy);
}

/* ---- handshake ---- */

static void send_handshake(struct slu_link *link)
{
    struct slu_handshake *hs = link->hs;
    if (hs->out_len == 0)
        return;
    pthread_mutex_lock(&link->mutex);
    SLU_CHECK(link->hs_out_len + hs->out_len <= sizeof link->hs_out);
    memcpy(link->hs_out + link->hs_out_len, hs->out, hs->out_len);
    link->hs_out_len += hs->out_len;
    hs->out_len = 0;
    bool write = slu_link_wake_writer(link);
    pthread_mutex_unlock(&link->mutex);
    if (write)
        slu_link_write(link);
}

static void handshake_failed(struct slu_link *link)
{
    struct slu_handshake *hs = link->hs;
    if (hs->out_len == 0) {
        slu_link_fail_with(link, hs->error, hs->fail, "%s", hs->reason);
        give_up(link);
        return;
    }
    pthread_mutex_lock(&link->mutex);
    link->lingering = true;
    link->error = hs->error;
    link->fail = hs->fail;
    memcpy(link->reason, hs->reason, sizeof link->reason);
    link->begun_ms = nng_clock();
    pthread_mutex_unlock(&link->mutex);
    send_handshake(link);
    read_some(link, link->small, sizeof link->small);
}

/* False: the link was closed meanwhile. */
static bool become_up(struct slu_link *link)
{
    struct slu_link_group *group = link->group;
    struct slu_handshake *hs = link->hs;
    pthread_mutex_lock(&link->mutex);
    bool up = !link->closed;
    if (up) {
        link->rx_stream = hs->rx;
        link->tx_stream = hs->tx;
        link->peer = hs->peer;
        memcpy(link->peer_public32, hs->peer_public32, 32);
        memcpy(link->chain_id32, hs->chain_id32, 32);
        link->read_ms = link->wrote_ms = nng_clock();
        link->up = true;
        atomic_fetch_add(&group->counters->handshakes_ok, 1);
        atomic_fetch_add(&group->counters->links_up, 1);
    }
    link->hs = NULL;
    link->rx_filled = false;
    pthread_mutex_unlock(&link->mutex);
    slu_handshake_wipe(hs);
    free(hs);
    return up;
}

static void announce(struct slu_link *link)
{
    struct slu_link_group *group = link->group;
    pthread_mutex_lock(&group->mutex);
    struct slu_link_hooks hooks = group->hooks;
    pthread_mutex_unlock(&group->mutex);
    if (hooks.opened != NULL && !hooks.opened(hooks.owner, link))
        slu_link_close(link);
    else if (group->handler.up != NULL)
        group->handler.up(group->handler.context, link);
    pthread_mutex_lock(&group->mutex);
    link->announced = true;
    pthread_cond_broadcast(&group->changed);
    pthread_mutex_unlock(&group->mutex);
}

static void read_records(struct slu_link *link);
static void go_on(struct slu_link *link, nng_aio *aio);

/* ---- a thread of the link's own ---- */

static void *reader_thread(void *argument)
{
    struct slu_link *link = argument;
    struct slu_link_group *group = link->group;
    link->socket = slu_link_socket(link->stream);
    read_records(link);
    for (;;) {
        pthread_mutex_lock(&link->mutex);
        while (!link->rx_busy && !link->closed)
            pthread_cond_wait(&link->rx_wanted, &link->mutex);
        bool over = !link->rx_busy;
        bool kicked = link->rx_kicked;
        pthread_mutex_unlock(&link->mutex);
        if (over)
            break;
        if (!kicked)
            nng_aio_wait(link->rx_own);
        go_on(link, link->rx_own);
    }
    pthread_mutex_lock(&group->mutex);
    group->readers--;
    pthread_cond_broadcast(&group->changed);
    pthread_mutex_unlock(&group->mutex);
    slu_link_release(link);
    return NULL;
}

/* Hands rx_busy to a new thread; false: the callback goes on. */
static bool start_thread(struct slu_link *link)
{
    struct slu_link_group *group = link->group;
    pthread_t thread;
    if (!group->config.reader_threads)
        return false;
    pthread_mutex_lock(&group->mutex);
    group->readers++;
    pthread_mutex_unlock(&group->mutex);
    slu_link_hold(link);
    link->threaded = true;
    if (pthread_create(&thread, NULL, reader_thread, link) == 0) {
        pthread_setname_np(thread, "peer");
        pthread_detach(thread);
        return true;
    }
    pthread_mutex_lock(&group->mutex);
    group->readers--;
    pthread_mutex_unlock(&group->mutex);
    link->threaded = false;
    slu_link_release(link);
    return false;
}

void slu_link_kick_reader(struct slu_link *link)
{
    if (!link->threaded) {
        slu_link_kick(link->rx);
        return;
    }
    pthread_mutex_lock(&link->mutex);
    pthread_cond_signal(&link->rx_wanted);
    pthread_mutex_unlock(&link->mutex);
}

static void read_handshake(struct slu_link *link, size_t count)
{
    struct slu_handshake *hs = link->hs;
    if (link->lingering) {
        read_some(link, link->small, sizeof link->small);
        return;
    }
    if (slu_handshake_feed(hs, link->small, count) != 0) {
        handshake_failed(link);
        return;
    }
    send_handshake(link);
    if (hs->state != SLU_HS_DONE) {
        read_some(link, link->small, slu_handshake_wants(hs));
    } else if (become_up(link)) {
        announce(link);
        if (!start_thread(link))
            read_records(link);
    } else {
        give_up(link);
    }
}

/* ---- records ---- */

static size_t record_wants(const struct slu_link *link)
{
    size_t whole = 4;
    if (link->end - link->at >= 4 && slu_record_length(&whole, link->buffer + link->at) != 0)
        whole = 4; /* refused by open_next before it comes here */
    return whole;
}

/* Makes room behind the unread bytes. False: no memory. */
static bool make_room(struct slu_link *link, size_t want)
{
    size_t have = link->end - link->at;
    size_t cap = link->buffer_cap > 0 ? link->buffer_cap : BUFFER_SMALL;
    if (link->rx_filled && cap < BUFFER_BULK)
        cap *= 2;
    else if (cap < want + 4 && have * 2 >= cap)
        cap = cap * 2 < want + READ_AHEAD ? cap * 2 : want + READ_AHEAD;
    if (link->at > 0 && have > 0)
        memmove(link->buffer, link->buffer + link->at, have);
    link->at = 0;
    link->end = have;
    if (cap <= link->buffer_cap)
        return true;
    uint8_t *buffer = realloc(link->buffer, cap);
    if (buffer == NULL)
        return false;
    link->buffer = buffer;
    link->buffer_cap = cap;
    link->roomy = cap > BUFFER_SMALL;
    return true;
}

static void read_more(struct slu_link *link)
{
    size_t want = record_wants(link);
    if (!make_room(link, want)) {
        slu_link_fail_with(link, SLU_ERR_MEMORY, SLU_LINK_FAIL_INTERNAL, "out of memory");
        give_up(link);
        return;
    }
    size_t room = link->buffer_cap - link->end;
    size_t missing = want - link->end;
    if (room > BUFFER_BULK && room > missing + READ_AHEAD)
        room = missing + READ_AHEAD > BUFFER_BULK ? missing + READ_AHEAD : BUFFER_BULK;
    read_some(link, link->buffer + link->end, room);
}

static void bad_record(struct slu_link *link, int error, const char *what)
{
    atomic_fetch_add(&link->group->counters->bad_records, 1);
    slu_link_fail_with(link, error, SLU_LINK_FAIL_MALFORMED, "%s", what);
}

/* Opens the next whole record. False: there is none, or the link is closed now. */
static bool open_next(struct slu_link *link)
{
    struct slu_link_counters *counters = link->group->counters;
    size_t have = link->end - link->at;
    size_t wire_len = 0;
    uint8_t *text = NULL;
    size_t text_len = 0;
    if (have < 4)
        return false;
    if (slu_record_length(&wire_len, link->buffer + link->at) != 0) {
        bad_record(link, SLU_ERR_MALFORMED, "record length out of range");
        return false;
    }
    if (have < wire_len)
        return false;
    if (slu_record_open(&link->rx_stream, &text, &text_len, link->buffer + link->at, wire_len) !=
        0) {
        bad_record(link, SLU_ERR_SIGNATURE, "record does not verify");
        return false;
    }
    link->at += wire_len;
    link->text = text;
    link->text_end = text + text_len;
    atomic_fetch_add_explicit(&counters->records_in, 1, memory_order_relaxed);
    return true;
}

static void deliver(struct slu_link *link)
{
    const struct slu_link_handler *handler = &link->group->handler;
    uint64_t frames = 0;
    while (link->text < link->text_end && !link->paused && !link->closed) {
        const uint8_t *frame = NULL;
        size_t len = 0;
        if (slu_record_frame(&frame, &len, &link->text, link->text_end) != 0) {
            bad_record(link, SLU_ERR_MALFORMED, "frame length out of range");
            break;
        }
        frames++;
        if (handler->frame != NULL)
            handler->frame(handler->context, link, frame, len);
    }
    link->unrested |= frames > 0;
    atomic_fetch_add_explicit(&link->group->counters->frames_in, frames, memory_order_relaxed);
}

/* Every frame that has come is delivered. */
static void rested(struct slu_link *link)
{
    const struct slu_link_handler *handler = &link->group->handler;
    if (link->unrested && handler->rested != NULL)
        handler->rested(handler->context, link);
    link->unrested = false;
}

/* Gives up rx_busy until resume, if reading is still paused. */
static bool park(struct slu_link *link)
{
    rested(link);
    pthread_mutex_lock(&link->mutex);
    if (!link->paused || link->closed) {
        pthread_mutex_unlock(&link->mutex);
        return false;
    }
    link->rx_parked = true;
    slu_link_rest(link, &link->rx_busy);
    return true;
}

static void trim(struct slu_link *link)
{
    if (link->at < link->end || link->text < link->text_end)
        return;
    free(link->buffer);
    link->buffer = NULL;
    link->buffer_cap = link->at = link->end = 0;
    link->text = link->text_end = NULL;
    link->roomy = false;
}

/* The reader thread waits here for the next bytes, and gives a big buffer back meanwhile. */
static void wait_for_bytes(struct slu_link *link)
{
    if (!link->threaded || link->socket < 0)
        return;
    if (link->roomy && !slu_link_readable(link->socket, SLU_LINK_TRIM_MS))
        trim(link);
    (void)slu_link_readable(link->socket, -1);
}

static void read_records(struct slu_link *link)
{
    while (!link->closed) {
        if (link->paused) {
            if (park(link))
                return;
        } else if (link->text < link->text_end) {
            deliver(link);
        } else if (!open_next(link)) {
            if (link->closed)
                break;
            rested(link);
            wait_for_bytes(link);
            read_more(link);
            return;
        }
    }
    rested(link); /* what came before the end counts */
    give_up(link);
}

/* The aio is done, or the reader was kicked. */
static void go_on(struct slu_link *link, nng_aio *aio)
{
    size_t count = 0;
    if (link->rx_kicked) {
        link->rx_kicked = false;
    } else {
        int rv = nng_aio_result(aio);
        if (rv == NNG_EAGAIN && !link->closed) {
            trim(link);
        } else if (rv != 0) {
            slu_link_fail_with(link, SLU_ERR_CLOSED, SLU_LINK_FAIL_CLOSED, "%s",
                               rv == NNG_ECLOSED || rv == NNG_ECONNSHUT ? "closed by the other side"
                                                                        : nng_strerror(rv));
            give_up(link);
            return;
        }
        count = rv == 0 ? nng_aio_count(aio) : 0;
        link->rx_filled = count == link->rx_asked;
        if (count > 0)
            link->read_ms = nng_clock();
        atomic_fetch_add_explicit(&link->group->counters->bytes_in, count, memory_order_relaxed);
    }
    if (link->hs != NULL) {
        read_handshake(link, count);
    } else {
        link->end += count;
        read_records(link);
    }
}

void slu_link_rx_callback(void *argument)
{
    struct slu_link *link = argument;
    go_on(link, link->rx);
}
