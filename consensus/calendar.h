/* The calendar: sealed entries that were ordered and wait for their unlock, or for room among what a
 * height opens (docs/PROTOCOL.md clauses 7.6, 7.7). Contents are CALENDAR records; here is who waits for
 * what. All of it is a function of the delivered heights.
 *
 *     add ─▶ by height ─┐
 *     add ─▶ by time   ─┼─▶ its queue, in order of sealing ─▶ take, as much as a height has room for
 *     add (due already) ┘
 *
 * Queues: 0 is of forced entries, then one per lane for what has an unlock, then one per lane for what
 * has none. Each has its own part of a height and of the memory: nobody can use up another's.
 * A binary heap each; places from one pool. No I/O: sealing.c writes and reads back. */
#ifndef SLU_CONSENSUS_CALENDAR_H
#define SLU_CONSENSUS_CALENDAR_H

#include "base/arena.h"
#include "crypto/seal.h"
#include "wire/genesis.h"

#define SLU_LANE_FORCED UINT16_MAX /* the owner of what came out of the inbox */
#define SLU_DUE_QUEUES_MAX (1u + 2u * SLU_NODES_MAX)

/** A sealed entry. */
struct slu_sealed_entry {
    uint64_t height;     /* ordered at ... */
    uint32_t index;      /* ... */
    uint32_t bytes;      /* of the envelope */
    uint16_t lane;       /* whose, or SLU_LANE_FORCED */
    uint8_t unlock_kind; /* slu_unlock */
    uint64_t unlock;
    uint8_t id[32];
};

struct slu_heap {
    uint32_t *places;
    uint32_t count;
};

struct slu_due_queue {
    struct slu_heap due;
    uint64_t used_bytes; /* of all of its entries that wait, also for their unlock */
    uint64_t share_bytes;
};

struct slu_calendar {
    struct slu_sealed_entry *pool; /* cap */
    uint32_t *free_places;         /* the first `free_count` */
    uint32_t cap, free_count, fresh;
    struct slu_heap by_height, by_time;
    struct slu_due_queue *queues;
    uint16_t queue_count, n;
    uint64_t bytes;
    uint32_t count;
};

/** The queue of an entry. */
uint16_t slu_due_queue(const struct slu_genesis *g, uint16_t lane, uint8_t unlock_kind);
/** Envelope bytes of a queue's that one height opens, if it is more than one entry. */
uint32_t slu_due_budget(const struct slu_genesis *g, uint16_t queue);
/** Envelope bytes that one height opens, at most, and how many entries. */
size_t slu_due_bytes_max(const struct slu_genesis *g);
size_t slu_due_count_max(const struct slu_genesis *g);

/** Whether its unlock is reached at this height and stream time. */
bool slu_unlock_reached(uint8_t unlock_kind, uint64_t unlock, uint64_t height, uint64_t time_ms);
/** How far an unlock may be from this height and time: 0 reached, 1 near, 2 far, 3 beyond the horizon. */
unsigned slu_unlock_distance(const struct slu_genesis *g, uint8_t unlock_kind, uint64_t unlock,
                             uint64_t height, uint64_t time_ms);

size_t slu_calendar_bytes(const struct slu_genesis *g);
void slu_calendar_init(struct slu_calendar *calendar, struct slu_arena *arena,
                       const struct slu_genesis *g);
/** Whether an envelope of `bytes` may wait in this queue, with `taken` bytes kept for others; only half
 * of a queue's part is for those `far` off. */
bool slu_calendar_has_room(const struct slu_calendar *calendar, uint16_t queue, uint32_t bytes,
                           uint64_t taken, bool far);
/** What an envelope of `bytes` counts there. */
uint64_t slu_calendar_cost(uint32_t bytes);
/** Takes in an entry that waits. `due`: its unlock is reached, it waits for room. */
void slu_calendar_add(struct slu_calendar *calendar, const struct slu_genesis *g,
                      const struct slu_sealed_entry *entry, bool due);
/** What is due at this height and time, too, from now on. */
void slu_calendar_advance(struct slu_calendar *calendar, const struct slu_genesis *g,
                          uint64_t height, uint64_t time_ms);
/** The next due one of a queue, or NULL. Valid until the next call. */
const struct slu_sealed_entry *slu_calendar_next(const struct slu_calendar *calendar,
                                                 uint16_t queue);
/** Removes it. */
void slu_calendar_pop(struct slu_calendar *calendar, uint16_t queue);
/** The lowest unlock by time that is not reached; UINT64_MAX: none. */
uint64_t slu_calendar_next_ms(const struct slu_calendar *calendar);
/** Whether something waits for room only. */
bool slu_calendar_spills(const struct slu_calendar *calendar);

#endif
