/* The writing half of a link: one holder of tx_busy at a time seals the next record, outside of all
 * locks, and hands it to the stream. */
#include "link/group.h"

bool slu_link_wake_writer(struct slu_link *link)
{
    if (link->tx_busy || link->closed)
        return false;
    link->tx_busy = true;
    link->tx_kicked = true;
    slu_link_hold(link);
    return true;
}

static void write_some(struct slu_link *link)
{
    nng_iov iov = {.iov_buf = (void *)(uintptr_t)link->tx_at, .iov_len = link->tx_left};
    slu_link_hold(link); /* the callback may run, and end the link, before send returns */
    nng_aio_set_iov(link->tx, 1, &iov);
    nng_stream_send(link->stream, link->tx);
    if (link->closed)
        nng_aio_abort(link->tx, NNG_ECLOSED);
    slu_link_release(link);
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

static void write_next(struct slu_link *link)
{
    const struct slu_link_handler *handler = &link->group->handler;
    pthread_mutex_lock(&link->mutex);
    while (!link->closed && settle(link)) {
        pthread_mutex_unlock(&link->mutex);
        if (handler->drained != NULL)
            handler->drained(handler->context, link);
        pthread_mutex_lock(&link->mutex);
    }
    enum next next = link->closed ? NEXT_NONE : choose(link);
    if (next == NEXT_NONE) {
        slu_link_rest(link, &link->tx_busy);
        return;
    }
    pthread_mutex_unlock(&link->mutex);
    if (next != NEXT_BYTES)
        seal(link, next);
    write_some(link);
}

void slu_link_tx_callback(void *argument)
{
    struct slu_link *link = argument;
    if (link->tx_kicked) {
        link->tx_kicked = false;
    } else {
        int rv = nng_aio_result(link->tx);
        size_t count = rv == 0 ? nng_aio_count(link->tx) : 0;
        if (rv != 0)
            slu_link_fail_with(link, SLU_ERR_CLOSED, SLU_LINK_FAIL_CLOSED, "write: %s",
                               nng_strerror(rv));
        link->tx_at += count;
        link->tx_left -= count;
        link->wrote_ms = nng_clock();
        atomic_fetch_add_explicit(&link->group->counters->bytes_out, count, memory_order_relaxed);
    }
    if (link->tx_left > 0 && !link->closed)
        write_some(link);
    else
        write_next(link);
}
