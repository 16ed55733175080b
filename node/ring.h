/* A bounded queue of pointers between threads: many put, one takes, a burst at a time.
 *
 * Bounded twice: by items and by the bytes that they stand for. Full: SLU_ERR_BUSY, and the
 * caller's business (each user's header says what then). The taker is woken only when it sleeps, so
 * that a busy one costs its putters no system call. A mutex is held for a few instructions at a
 * time; at the rates of a node (tens of thousands of items a second) nothing cleverer was
 * measurable. */
#ifndef SLU_NODE_RING_H
#define SLU_NODE_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct slu_ring_slot {
    void *item;
    size_t bytes;
};

struct slu_ring {
    pthread_mutex_t lock;
    pthread_cond_t filled;  /* the taker waits */
    pthread_cond_t emptied; /* putters wait */
    struct slu_ring_slot *slots;
    uint32_t cap, first, count;
    size_t bytes_cap, bytes;
    uint32_t putters_waiting;
    bool taker_waiting, woken, closed;
    uint64_t refused; /* puts that met a full ring; read with slu_ring_fill */
};

/** Room for `cap` items and `bytes_cap` bytes (one item of any size fits into an empty ring).
 * Errors: MEMORY. */
SLU_MUST_USE int slu_ring_init(struct slu_ring *ring, uint32_t cap, size_t bytes_cap);
/** The ring must be empty of what needs freeing. */
void slu_ring_destroy(struct slu_ring *ring);

/** Puts one item if the ring is at most `percent` (1..100) full by items and by bytes.
 * Errors: BUSY, CLOSED. Any thread. */
SLU_MUST_USE int slu_ring_put(struct slu_ring *ring, void *item, size_t bytes, unsigned percent);
/** Puts one item without waking the taker, who finds it when something else wakes it: for what is of
 * no use before that. Errors: BUSY, CLOSED. Any thread. */
SLU_MUST_USE int slu_ring_leave(struct slu_ring *ring, void *item, size_t bytes);
/** Puts one item, waiting for room. Errors: CLOSED. */
SLU_MUST_USE int slu_ring_put_wait(struct slu_ring *ring, void *item, size_t bytes);
/** Takes up to `max` items of up to `max_bytes` (but at least one), waiting until `until_us`
 * (monotonic, UINT64_MAX: for ever). 0: nothing came in time, slu_ring_wake was called, or the ring
 * is closed and empty. One thread. */
uint32_t slu_ring_take(struct slu_ring *ring, void **items, uint32_t max, size_t max_bytes,
                       uint64_t until_us);
/** Makes the taker's current or next wait end early. Any thread. */
void slu_ring_wake(struct slu_ring *ring);
/** Refuses further puts; what is in can still be taken. */
void slu_ring_close(struct slu_ring *ring);
bool slu_ring_closed(struct slu_ring *ring);

struct slu_ring_fill {
    uint32_t items, items_cap;
    size_t bytes, bytes_cap;
    uint64_t refused;
};
struct slu_ring_fill slu_ring_fill(struct slu_ring *ring);

#endif
