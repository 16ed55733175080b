#include "consensus/calendar.h"

#include "base/check.h"
#include "wire/tx.h"

#define FAR_PART 32u /* of the horizon: beyond it, half of a queue's part is closed */
/** The shortest envelope of a sealed entry. */
#define SEALED_BYTES_MIN                                                                           \
    (SLU_TX_HEAD_BYTES + SLU_SEAL_HEAD_BYTES + SLU_SEAL_PROVEN_BYTES + SLU_SEAL_TAG_BYTES +        \
     SLU_RHO_BYTES + 128u)

/* ---- parts ---- */

uint16_t slu_due_queue(const struct slu_genesis *g, uint16_t lane, uint8_t unlock_kind)
{
    if (lane == SLU_LANE_FORCED)
        return 0;
    return (uint16_t)(1u + lane + (unlock_kind == SLU_UNLOCK_NONE ? g->n : 0u));
}

static uint16_t queue_count(const struct slu_genesis *g)
{
    return (uint16_t)(1u + 2u * g->n);
}

/* A queue's part of something, in quarters: forced 1, lanes' locked ones `locked`, others the rest. */
static uint64_t part(const struct slu_genesis *g, uint64_t whole, uint16_t queue, unsigned locked)
{
    if (queue == 0)
        return whole / 4u;
    return whole / 4u * (queue <= g->n ? locked : 3u - locked) / g->n;
}

uint32_t slu_due_budget(const struct slu_genesis *g, uint16_t queue)
{
    return (uint32_t)part(g, g->params.due_bytes_per_block, queue, 1);
}

size_t slu_due_bytes_max(const struct slu_genesis *g)
{
    return slu_genesis_due_bytes_max(g);
}

size_t slu_due_count_max(const struct slu_genesis *g)
{
    return ((size_t)g->params.due_bytes_per_block + g->params.forced_bytes_per_block) /
               SEALED_BYTES_MIN +
           queue_count(g);
}

bool slu_unlock_reached(uint8_t unlock_kind, uint64_t unlock, uint64_t height, uint64_t time_ms)
{
    return unlock_kind == SLU_UNLOCK_NONE ||
           (unlock_kind == SLU_UNLOCK_HEIGHT ? height : time_ms) >= unlock;
}

unsigned slu_unlock_distance(const struct slu_genesis *g, uint8_t unlock_kind, uint64_t unlock,
                             uint64_t height, uint64_t time_ms)
{
    if (slu_unlock_reached(unlock_kind, unlock, height, time_ms))
        return 0;
    bool by_height = unlock_kind == SLU_UNLOCK_HEIGHT;
    uint64_t ahead = unlock - (by_height ? height : time_ms);
    uint64_t horizon = g->params.unlock_horizon_ms / (by_height ? g->params.heartbeat_idle_ms : 1u);
    return ahead > horizon ? 3u : ahead > horizon / FAR_PART ? 2u : 1u;
}

/* ---- memory ---- */

static uint64_t share_of(const struct slu_genesis *g, uint16_t queue)
{
    return part(g, g->params.calendar_bytes_max, queue, 2);
}

static uint32_t places_of(const struct slu_genesis *g, uint16_t queue)
{
    return (uint32_t)(share_of(g, queue) / SLU_CALENDAR_ENTRY_BYTES);
}

static uint32_t cap_of(const struct slu_genesis *g)
{
    uint32_t all = 0;
    for (uint16_t queue = 0; g->params.sealing && queue < queue_count(g); queue++)
        all += places_of(g, queue);
    return all;
}

size_t slu_calendar_bytes(const struct slu_genesis *g)
{
    return cap_of(g) * (sizeof(struct slu_sealed_entry) + 4u * sizeof(uint32_t)) +
           queue_count(g) * (sizeof(struct slu_due_queue) + 16u) + 8u * 16u;
}

static void *take(struct slu_arena *arena, size_t bytes)
{
    void *at = slu_arena_take(arena, bytes);
    SLU_CHECK(at);
    return at;
}

void slu_calendar_init(struct slu_calendar *cal, struct slu_arena *arena,
                       const struct slu_genesis *g)
{
    cal->cap = cap_of(g);
    cal->n = g->n;
    cal->queue_count = queue_count(g);
    cal->pool = take(arena, cal->cap * sizeof *cal->pool);
    cal->free_places = take(arena, cal->cap * sizeof(uint32_t));
    cal->by_height.places = take(arena, cal->cap * sizeof(uint32_t));
    cal->by_time.places = take(arena, cal->cap * sizeof(uint32_t));
    cal->queues = take(arena, cal->queue_count * sizeof *cal->queues);
    for (uint16_t queue = 0; g->params.sealing && queue < cal->queue_count; queue++) {
        cal->queues[queue].share_bytes = share_of(g, queue);
        cal->queues[queue].due.places = take(arena, places_of(g, queue) * sizeof(uint32_t));
    }
}

/* ---- heaps: the least on top ---- */

static bool before(const struct slu_calendar *cal, const struct slu_heap *heap, uint32_t a,
                   uint32_t b)
{
    const struct slu_sealed_entry *x = &cal->pool[a], *y = &cal->pool[b];
    bool waits = heap == &cal->by_height || heap == &cal->by_time;
    if (waits && x->unlock != y->unlock)
        return x->unlock < y->unlock;
    return x->height != y->height ? x->height < y->height : x->index < y->index;
}

static void heap_push(const struct slu_calendar *cal, struct slu_heap *heap, uint32_t place)
{
    uint32_t at = heap->count++;
    while (at > 0 && before(cal, heap, place, heap->places[(at - 1) / 2])) {
        heap->places[at] = heap->places[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->places[at] = place;
}

static uint32_t heap_pop(const struct slu_calendar *cal, struct slu_heap *heap)
{
    uint32_t top = heap->places[0], last = heap->places[--heap->count], at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            before(cal, heap, heap->places[child + 1], heap->places[child]))
            child++;
        if (!before(cal, heap, heap->places[child], last))
            break;
        heap->places[at] = heap->places[child];
        at = child;
    }
    heap->places[at] = last;
    return top;
}

/* ---- entries ---- */

uint64_t slu_calendar_cost(uint32_t bytes)
{
    return bytes > SLU_CALENDAR_ENTRY_BYTES ? bytes : SLU_CALENDAR_ENTRY_BYTES;
}

bool slu_calendar_has_room(const struct slu_calendar *cal, uint16_t queue, uint32_t bytes,
                           uint64_t taken, bool far)
{
    const struct slu_due_queue *q = &cal->queues[queue];
    return q->used_bytes + taken + slu_calendar_cost(bytes) <= q->share_bytes / (far ? 2u : 1u);
}

void slu_calendar_add(struct slu_calendar *cal, const struct slu_genesis *g,
                      const struct slu_sealed_entry *entry, bool due)
{
    struct slu_due_queue *queue = &cal->queues[slu_due_queue(g, entry->lane, entry->unlock_kind)];
    queue->used_bytes += slu_calendar_cost(entry->bytes);
    SLU_CHECK(queue->used_bytes <= queue->share_bytes);
    uint32_t place = cal->free_count ? cal->free_places[--cal->free_count] : cal->fresh++;
    cal->pool[place] = *entry;
    cal->bytes += entry->bytes;
    cal->count++;
    heap_push(cal,
              due                                            ? &queue->due
              : entry->unlock_kind == SLU_UNLOCK_HEIGHT ? &cal->by_height
                                                        : &cal->by_time,
              place);
}

static void advance(struct slu_calendar *cal, const struct slu_genesis *g, struct slu_heap *heap,
                    uint64_t now)
{
    while (heap->count > 0 && cal->pool[heap->places[0]].unlock <= now) {
        uint32_t place = heap_pop(cal, heap);
        const struct slu_sealed_entry *entry = &cal->pool[place];
        heap_push(cal, &cal->queues[slu_due_queue(g, entry->lane, entry->unlock_kind)].due, place);
    }
}

void slu_calendar_advance(struct slu_calendar *cal, const struct slu_genesis *g, uint64_t height,
                          uint64_t time_ms)
{
    advance(cal, g, &cal->by_height, height);
    advance(cal, g, &cal->by_time, time_ms);
}

const struct slu_sealed_entry *slu_calendar_next(const struct slu_calendar *cal, uint16_t queue)
{
    const struct slu_heap *heap = &cal->queues[queue].due;
    return heap->count ? &cal->pool[heap->places[0]] : NULL;
}

void slu_calendar_pop(struct slu_calendar *cal, uint16_t queue)
{
    SLU_CHECK(cal->queues[queue].due.count > 0);
    uint32_t place = heap_pop(cal, &cal->queues[queue].due);
    const struct slu_sealed_entry *entry = &cal->pool[place];
    cal->queues[queue].used_bytes -= slu_calendar_cost(entry->bytes);
    cal->bytes -= entry->bytes;
    cal->count--;
    cal->free_places[cal->free_count++] = place;
}

uint64_t slu_calendar_next_ms(const struct slu_calendar *cal)
{
    return cal->by_time.count ? cal->pool[cal->by_time.places[0]].unlock : UINT64_MAX;
}

bool slu_calendar_spills(const struct slu_calendar *cal)
{
    for (uint16_t queue = 0; cal->count > 0 && queue < cal->queue_count; queue++)
        if (cal->queues[queue].due.count > 0)
            return true;
    return false;
}
