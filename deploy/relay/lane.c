#include <stdlib.h>

#include "base/check.h"
#include "deploy/relay/lane.h"

#define TIMEOUT_US        200000u
#define LOSSES_MAX        5u /* in a row, of one segment */
#define DUPLICATE_ACKS    3u
#define QUEUED_US         250000u /* of a rate, beside a round trip */
#define PIECES_OF_A_BLOCK (RELAY_BLOCK_BYTES / RELAY_SEGMENT_BYTES + 1u)

struct relay_block {
    struct relay_block *next;
    size_t start, end;
    uint8_t bytes[RELAY_BLOCK_BYTES];
};

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static struct relay_piece *piece_at(struct relay_lane *lane, size_t index)
{
    return &lane->pieces[(lane->first + index) % RELAY_PIECES_MAX];
}

static size_t window(const struct relay_link *link)
{
    if (link->rate == 0)
        return RELAY_WINDOW_BYTES_MAX;
    uint64_t bytes = link->rate * (2 * link->delay_us + QUEUED_US) / 1000000u;
    if (bytes > RELAY_WINDOW_BYTES_MAX)
        return RELAY_WINDOW_BYTES_MAX;
    return bytes < RELAY_WINDOW_BYTES_MIN ? RELAY_WINDOW_BYTES_MIN : (size_t)bytes;
}

void relay_lane_init(struct relay_lane *lane, struct relay_link *link, uint64_t *random)
{
    lane->link = link;
    lane->random = random;
    lane->head = lane->tail = NULL;
    lane->held = lane->first = lane->count = 0;
    lane->end = RELAY_OPEN;
    lane->end_due_us = 0;
}

static void drop_block(struct relay_lane *lane)
{
    struct relay_block *block = lane->head;
    lane->head = block->next;
    if (lane->head == NULL)
        lane->tail = NULL;
    free(block);
}

void relay_lane_drop(struct relay_lane *lane)
{
    while (lane->head != NULL)
        drop_block(lane);
    lane->held = lane->first = lane->count = 0;
}

bool relay_lane_takes(const struct relay_lane *lane)
{
    return lane->end == RELAY_OPEN && lane->held < window(lane->link) &&
           lane->count + PIECES_OF_A_BLOCK <= RELAY_PIECES_MAX;
}

uint8_t *relay_lane_space(struct relay_lane *lane, size_t *len)
{
    if (lane->tail == NULL || lane->tail->end == RELAY_BLOCK_BYTES) {
        struct relay_block *block = malloc(sizeof *block);
        SLU_CHECK(block != NULL);
        block->next = NULL;
        block->start = block->end = 0;
        if (lane->tail != NULL)
            lane->tail->next = block;
        else
            lane->head = block;
        lane->tail = block;
    }
    size_t left = RELAY_BLOCK_BYTES - lane->tail->end, room = window(lane->link) - lane->held;
    *len = left < room ? left : room;
    return lane->tail->bytes + lane->tail->end;
}

static uint64_t leaves_us(struct relay_link *link, size_t bytes, uint64_t now_us)
{
    if (link->rate == 0)
        return now_us;
    uint64_t start_us = link->free_us > now_us ? link->free_us : now_us;
    link->free_us = start_us + bytes * UINT64_C(1000000) / link->rate;
    return link->free_us;
}

static unsigned losses(struct relay_lane *lane)
{
    unsigned lost = 0;
    while (lane->link->loss_ppm > 0 && lost < LOSSES_MAX &&
           draw(lane->random) % 1000000u < lane->link->loss_ppm)
        lost++;
    return lost;
}

static void append(struct relay_lane *lane, size_t bytes, uint64_t left_us, uint64_t jitter_us)
{
    const struct relay_link *link = lane->link;
    unsigned lost = losses(lane);
    uint64_t timers = (UINT64_C(1) << lost) - 1; /* 1 + 2 + 4 + ... */
    *piece_at(lane, lane->count) = (struct relay_piece){
        .due_us = left_us + link->delay_us + jitter_us + timers * (TIMEOUT_US + 2 * link->delay_us),
        .bytes = (uint32_t)bytes,
        .timed = lost == 1,
    };
    lane->count++;
    if (lane->count <= DUPLICATE_ACKS)
        return;
    struct relay_piece *before = piece_at(lane, lane->count - 1 - DUPLICATE_ACKS);
    uint64_t sooner_us = left_us + 3 * link->delay_us;
    if (before->timed && sooner_us < before->due_us)
        before->due_us = sooner_us;
    before->timed = false;
}

static uint64_t jitter(struct relay_lane *lane)
{
    return lane->link->jitter_us == 0 ? 0 : draw(lane->random) % (lane->link->jitter_us + 1);
}

void relay_lane_filled(struct relay_lane *lane, size_t len, uint64_t now_us)
{
    struct relay_link *link = lane->link;
    uint64_t jitter_us = jitter(lane);
    size_t most = link->loss_ppm > 0 || link->rate > 0 ? RELAY_SEGMENT_BYTES : len;
    lane->tail->end += len;
    lane->held += len;
    while (len > 0) {
        size_t bytes = len < most ? len : most;
        append(lane, bytes, leaves_us(link, bytes, now_us), jitter_us);
        len -= bytes;
    }
}

void relay_lane_finish(struct relay_lane *lane, enum relay_end end, uint64_t now_us)
{
    lane->end = end;
    lane->end_due_us = now_us + lane->link->delay_us + jitter(lane);
}

const uint8_t *relay_lane_due(const struct relay_lane *lane, uint64_t now_us, size_t *len)
{
    *len = 0;
    if (lane->link->cut || lane->head == NULL)
        return NULL;
    size_t block = lane->head->end - lane->head->start;
    for (size_t i = 0; i < lane->count && *len < block; i++) {
        const struct relay_piece *piece = &lane->pieces[(lane->first + i) % RELAY_PIECES_MAX];
        if (piece->due_us > now_us)
            break;
        *len += piece->bytes;
    }
    if (*len > block)
        *len = block;
    return lane->head->bytes + lane->head->start;
}

void relay_lane_passed(struct relay_lane *lane, size_t len)
{
    lane->link->bytes_passed += len;
    lane->held -= len;
    lane->head->start += len;
    if (lane->head->start == lane->head->end)
        drop_block(lane);
    while (len > 0) {
        struct relay_piece *piece = piece_at(lane, 0);
        uint32_t bytes = len < piece->bytes ? (uint32_t)len : piece->bytes;
        piece->bytes -= bytes;
        len -= bytes;
        if (piece->bytes == 0) {
            lane->first = (lane->first + 1) % RELAY_PIECES_MAX;
            lane->count--;
        }
    }
}

enum relay_end relay_lane_ended(const struct relay_lane *lane, uint64_t now_us)
{
    bool arrived = !lane->link->cut && lane->count == 0 && lane->end_due_us <= now_us;
    return arrived ? lane->end : RELAY_OPEN;
}

uint64_t relay_lane_next_us(const struct relay_lane *lane)
{
    if (lane->link->cut)
        return UINT64_MAX;
    if (lane->count > 0)
        return lane->pieces[lane->first].due_us;
    return lane->end != RELAY_OPEN ? lane->end_due_us : UINT64_MAX;
}
