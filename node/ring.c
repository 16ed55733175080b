#include "node/ring.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sluice/error.h"

int slu_ring_init(struct slu_ring *ring, uint32_t cap, size_t bytes_cap)
{
    pthread_condattr_t attributes;
    memset(ring, 0, sizeof *ring);
    ring->slots = calloc(cap, sizeof *ring->slots);
    if (ring->slots == NULL)
        return SLU_ERR_MEMORY;
    ring->cap = cap;
    ring->bytes_cap = bytes_cap;
    pthread_mutex_init(&ring->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&ring->filled, &attributes);
    pthread_cond_init(&ring->emptied, &attributes);
    pthread_condattr_destroy(&attributes);
    return 0;
}

void slu_ring_destroy(struct slu_ring *ring)
{
    if (ring->slots == NULL)
        return;
    pthread_cond_destroy(&ring->filled);
    pthread_cond_destroy(&ring->emptied);
    pthread_mutex_destroy(&ring->lock);
    free(ring->slots);
    ring->slots = NULL;
}

static bool has_room(const struct slu_ring *ring, size_t bytes, unsigned percent)
{
    if (ring->count == 0)
        return true;
    return ring->count < (uint64_t)ring->cap * percent / 100u &&
           ring->bytes + bytes <= ring->bytes_cap / 100u * percent;
}

/* With the lock held. */
static void append(struct slu_ring *ring, void *item, size_t bytes)
{
    ring->slots[(ring->first + ring->count) % ring->cap] = (struct slu_ring_slot){item, bytes};
    ring->count++;
    ring->bytes += bytes;
}

/* Gives up the lock, then wakes the taker if it sleeps: woken before, it would wait for the lock.
 */
static void unlock_and_wake(struct slu_ring *ring)
{
    bool wake = ring->taker_waiting;
    ring->taker_waiting = false;
    pthread_mutex_unlock(&ring->lock);
    if (wake)
        pthread_cond_signal(&ring->filled);
}

static int put(struct slu_ring *ring, void *item, size_t bytes, unsigned percent, bool wake)
{
    int error = 0;
    pthread_mutex_lock(&ring->lock);
    if (ring->closed) {
        error = SLU_ERR_CLOSED;
    } else if (!has_room(ring, bytes, percent)) {
        ring->refused++;
        error = SLU_ERR_BUSY;
    } else {
        append(ring, item, bytes);
    }
    if (error == 0 && wake)
        unlock_and_wake(ring);
    else
        pthread_mutex_unlock(&ring->lock);
    return error;
}

int slu_ring_put(struct slu_ring *ring, void *item, size_t bytes, unsigned percent)
{
    return put(ring, item, bytes, percent, true);
}

int slu_ring_leave(struct slu_ring *ring, void *item, size_t bytes)
{
    return put(ring, item, bytes, 100, false);
}

int slu_ring_put_wait(struct slu_ring *ring, void *item, size_t bytes)
{
    int error = 0;
    pthread_mutex_lock(&ring->lock);
    while (!ring->closed && !has_room(ring, bytes, 100)) {
        ring->putters_waiting++;
        pthread_cond_wait(&ring->emptied, &ring->lock);
        ring->putters_waiting--;
    }
    if (ring->closed) {
        error = SLU_ERR_CLOSED;
        pthread_mutex_unlock(&ring->lock);
    } else {
        append(ring, item, bytes);
        unlock_and_wake(ring);
    }
    return error;
}

/* With the lock held: sleeps until something is there. */
static void wait_filled(struct slu_ring *ring, uint64_t until_us)
{
    struct timespec until = {.tv_sec = (time_t)(until_us / 1000000u),
                             .tv_nsec = (long)(until_us % 1000000u) * 1000};
    while (ring->count == 0 && !ring->woken && !ring->closed) {
        ring->taker_waiting = true;
        int late = until_us == UINT64_MAX
                       ? pthread_cond_wait(&ring->filled, &ring->lock)
                       : pthread_cond_timedwait(&ring->filled, &ring->lock, &until);
        ring->taker_waiting = false;
        if (late != 0)
            return;
    }
}

uint32_t slu_ring_take(struct slu_ring *ring, void **items, uint32_t max, size_t max_bytes,
                       uint64_t until_us)
{
    uint32_t taken = 0;
    size_t bytes = 0;
    pthread_mutex_lock(&ring->lock);
    wait_filled(ring, until_us);
    ring->woken = false;
    while (taken < max && ring->count > 0) {
        const struct slu_ring_slot *slot = &ring->slots[ring->first];
        if (taken > 0 && bytes + slot->bytes > max_bytes)
            break;
        items[taken++] = slot->item;
        bytes += slot->bytes;
        ring->first = (ring->first + 1) % ring->cap;
        ring->count--;
    }
    ring->bytes -= bytes;
    if (taken > 0 && ring->putters_waiting > 0)
        pthread_cond_broadcast(&ring->emptied);
    pthread_mutex_unlock(&ring->lock);
    return taken;
}

void slu_ring_wake(struct slu_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->woken = true;
    unlock_and_wake(ring);
}

void slu_ring_close(struct slu_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->closed = true;
    pthread_cond_broadcast(&ring->filled);
    pthread_cond_broadcast(&ring->emptied);
    pthread_mutex_unlock(&ring->lock);
}

bool slu_ring_closed(struct slu_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    bool closed = ring->closed;
    pthread_mutex_unlock(&ring->lock);
    return closed;
}

struct slu_ring_fill slu_ring_fill(struct slu_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    struct slu_ring_fill fill = {.items = ring->count,
                                 .items_cap = ring->cap,
                                 .bytes = ring->bytes,
                                 .bytes_cap = ring->bytes_cap,
                                 .refused = ring->refused};
    pthread_mutex_unlock(&ring->lock);
    return fill;
}
