/* The writing half of a link: one holder of tx_busy at a time seals the next record, outside of all
 * locks, and hands it to the stream: the sender itself as far as the socket takes it, then nng's
 * callback. */
#include "link/group.h"

bool slu_link_wake_writer(struct slu_link *link)
{
    if (link->tx_busy || link->closed)
        return false;
    link->tx_busy = true;
    slu_link_hold(link);
    return true;
}

static void wrote(struct slu_link *link, size_t count)
{
    link->tx_at += count;
    link->tx_left -= count;
    link->wrote_ms = nng_clock();
    atomic_fetch_add_explicit(&link->group->counters->bytes_out, count, memory_order_relaxed);
}

/* Hands the socket what it takes at once. False: it takes nothing now, or the stream is broken; the
 * callback's aio is for both. An aio without a callback costs no hand-over to nng's task threads;
 * that the socket is full shows by the abort, which does nothing to what is done already. */
static bool write_at_once(struct slu_link *link, nng_iov *iov)
{
    nng_aio_set_iov(link->tx_now, 1, iov);
    nng_stream_send(link->stream, link->tx_now);
    nng_aio_abort(link->tx_now, NNG_EAGAIN);
    nng_aio_wait(link->tx_now);
    if (nng_aio_result(link->tx_now) != 0)
        return false;
    wrote(link, nng_aio_count(link->tx_now));
    return true;
}

/* Writes what stands at tx_at. True: all of it; false: the callback goes on with the rest. */
static bool write_some(struct slu_link *link)
{
    while (link->tx_left > 0) {
        nng_iov iov = {.iov_buf = (void *)(uintptr_t)link->tx_at, .iov_len = link->tx_left};
        if (write_at_once(link, &iov))
            continue;
        slu_link_hold(link); /* the callback may run, and end the link, before send returns */
        nng_aio_set_iov(link->tx, 1, &iov);
        nng_stream_send(link->stream, link->tx);
        if (link->closed)
            nng_aio_abort(link->tx, NNG_ECLOSED);
        slu_link_release(link);
        return false;
    }
    return true;
}

enum next { NEXT_NONE, NEXT_BYTES, NEXT_CHUNK, NEXT_KEEPALIVE };

/* What to write next; link.mutex is held. */
static enum next choose(struct slu_link *link)
{
    if (link->hs_sent < link->hs_out_len) {
        link->tx_at = link->hs_out + link->hs_sent;
        link->tx_left = link->hs_out_len - link->hs_sent;
        link->hs_sent = link->hs_out_len;
        return NEXT_BYTES;
    }
    if (!link->up)
        return NEXT_NONE;
    link->flying = slu_queue_take(&link->queue);
    if (link->flying == NULL && !link->keepalive_due)
        return NEXT_NONE;
    link->keepalive_due = false;
    return link->flying != NULL ? NEXT_CHUNK : NEXT_KEEPALIVE;
}

static void seal(struct slu_link *link, enum next next)
{
    struct slu_link_counters *counters = link->group->counters;
    uint8_t *wire = next == NEXT_CHUNK ? link->flying->wire : link->keepalive;
    size_t len = next == NEXT_CHUNK ? link->flying->len : 0;
    link->tx_left = slu_record_seal(&link->tx_stream, wire, len);
    link->tx_at = wire;
    atomic_fetch_add_explicit(&counters->records_out, 1, memory_order_relaxed);
    if (next == NEXT_CHUNK)
        atomic_fetch_add_explicit(&counters->frames_out, link->flying->frames,
                                  memory_order_relaxed);
}

/* Gives back what was sent; whether the owner is to hear that there is room. link.mutex is held. */
static bool settle(struct slu_link *link)
{
    if (link->flying == NULL)
        return false;
    slu_queue_give_back(&link->queue, link->flying);
    link->flying = NULL;
    bool drained = link->want_drained && link->queue.bytes < link->queue.bytes_max / 2;
    if (drained)
        link->want_drained = false;
    return drained;
}

/* Writes until nothing is queued, the socket is full, or the link is closed. The caller holds
 * tx_busy. `inside`: on an nng thread; only there the owner's functions are called, so elsewhere
 * the callback is made to go on when they are due. */
static void write_on(struct slu_link *link, bool inside)
{
    const struct slu_link_handler *handler = &link->group->handler;
    enum next next;
    do {
        pthread_mutex_lock(&link->mutex);
        if (!inside && (link->closed || link->want_drained)) {
            pthread_mutex_unlock(&link->mutex);
            link->tx_kicked = true;
            slu_link_kick(link->tx);
            return;
        }
        if (!link->closed && settle(link)) {
            pthread_mutex_unlock(&link->mutex);
            if (handler->drained != NULL)
                handler->drained(handler->context, link);
            pthread_mutex_lock(&link->mutex);
        }
        next = link->closed ? NEXT_NONE : choose(link);
        if (next == NEXT_NONE) {
            slu_link_rest(link, &link->tx_busy);
            return;
        }
        pthread_mutex_unlock(&link->mutex);
        if (next != NEXT_BYTES)
            seal(link, next);
    } while (write_some(link));
}

void slu_link_write(struct slu_link *link)
{
    write_on(link, false);
}

void slu_link_tx_callback(void *argument)
{
    struct slu_link *link = argument;
    if (link->tx_kicked) {
        link->tx_kicked = false;
    } else {
        int rv = nng_aio_result(link->tx);
        if (rv != 0)
            slu_link_fail_with(link, SLU_ERR_CLOSED, SLU_LINK_FAIL_CLOSED, "write: %s",
                               nng_strerror(rv));
        wrote(link, rv == 0 ? nng_aio_count(link->tx) : 0);
    }
    if (link->closed || write_some(link))
        write_on(link, true);
}
