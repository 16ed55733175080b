/* A lane: one direction of one connection, and what its link does to the bytes in it. No I/O and no
 * clock: bytes and the time come in, bytes that have arrived come out.
 *
 *     recv ─▶ space/filled ─▶ [ piece | piece | piece ] ─▶ due/passed ─▶ send
 *                               each with the time at which it arrives
 *
 * First in, first out: a piece that is late holds up all behind it, as in TCP, whose receiver gets
 * a stream in order. So a piece's time needs no look at those before it.
 *
 * Rate: pieces leave one after another, each taking its bytes / rate; connections of a link share
 * it. Delay: a piece arrives delay + uniform(0..jitter) after it left, jitter drawn once for each
 * read. Loss: a piece is a segment of at most 1,448 bytes, and is lost with the given chance. A
 * lost one arrives a retransmission later:
 *   - by the timer, 200 ms + 2 * delay after it would have (Linux' least timeout over a round
 * trip);
 *   - sooner when three more segments leave behind it, the third at time t: at t + 3 * delay, which
 *     is that one's way, that of the third duplicate ACK back, and that of the retransmission.
 * A retransmission may be lost, too: then the timer runs again, doubled; after five losses in a row
 * it passes, so that a segment is at most 31 timeouts late. Not modelled: lost ACKs, and a
 * congestion window that shrinks (give a rate for that). Cut: nothing comes out, whatever its time;
 * once healed, what is due comes at once, where a real connection would wait for its next
 * retransmission.
 *
 * What is held is bounded: RELAY_WINDOW_BYTES_MAX, or with a rate what leaves in 2 * delay + 250 ms
 * (at least RELAY_WINDOW_BYTES_MIN), and RELAY_PIECES_MAX pieces. A full lane has no room, its
 * source is not read, and TCP pushes back. */
#ifndef SLU_RELAY_LANE_H
#define SLU_RELAY_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_SEGMENT_BYTES    1448u
#define RELAY_WINDOW_BYTES_MAX (4u << 20) /* the largest send buffer that Linux takes by itself */
#define RELAY_WINDOW_BYTES_MIN (8u << 10)
#define RELAY_BLOCK_BYTES      (64u << 10)
#define RELAY_PIECES_MAX       4096u /* a power of two */

/** One direction of a pair of nodes. */
struct relay_link {
    uint64_t delay_us;
    uint64_t jitter_us;
    uint32_t loss_ppm;
    uint64_t rate; /* bytes per second; 0: as fast as it goes */
    bool cut;
    uint64_t free_us;      /* with a rate: when the next piece may leave */
    uint64_t bytes_passed; /* since the start, on all its connections */
};

/** What comes behind a lane's last byte. */
enum relay_end { RELAY_OPEN, RELAY_FIN, RELAY_RST };

struct relay_piece {
    uint64_t due_us;
    uint32_t bytes;
    bool timed; /* lost, and comes by the timer unless enough follows */
};

struct relay_block;

struct relay_lane {
    struct relay_link *link;
    uint64_t *random; /* state of the draws */
    struct relay_block *head, *tail;
    size_t held; /* bytes */
    size_t first, count;
    enum relay_end end;
    uint64_t end_due_us;
    struct relay_piece pieces[RELAY_PIECES_MAX]; /* ring */
};

void relay_lane_init(struct relay_lane *lane, struct relay_link *link, uint64_t *random);
/** Drops what is held. The end stays. */
void relay_lane_drop(struct relay_lane *lane);

/** Whether bytes may come in: there is room, and no end yet. */
bool relay_lane_takes(const struct relay_lane *lane);
/** Where bytes may come in, `*len` at least 1; only while it takes. Valid until the next call. */
uint8_t *relay_lane_space(struct relay_lane *lane, size_t *len);
/** `len` bytes were put there. */
void relay_lane_filled(struct relay_lane *lane, size_t len, uint64_t now_us);
/** Nothing more comes in; the end arrives as a piece would. RST may follow FIN, even one that
 * passed. */
void relay_lane_finish(struct relay_lane *lane, enum relay_end end, uint64_t now_us);

/** The next bytes that have arrived; `*len` is 0 when there are none now. */
const uint8_t *relay_lane_due(const struct relay_lane *lane, uint64_t now_us, size_t *len);
/** `len` of these were passed on. */
void relay_lane_passed(struct relay_lane *lane, size_t len);
/** The end, once it has arrived behind all bytes; RELAY_OPEN before. */
enum relay_end relay_lane_ended(const struct relay_lane *lane, uint64_t now_us);
/** When the next bytes or the end arrive; UINT64_MAX: not by waiting. */
uint64_t relay_lane_next_us(const struct relay_lane *lane);

#endif
