/* Carries the connections of pairs of nodes, one thread, on epoll.
 *
 *     node i ──dials──▶ listener of pair i:j ──▶ connection ──dials──▶ node j
 *     NEAR end ── lane by links[0], i -> j ─▶ FAR end
 *              ◀─ lane by links[1], j -> i ──
 *
 * A connection is taken at once; node j is dialed unless i -> j is cut, else once it is healed, and
 * a dialer that has gone by then was never there. (TCP's own handshake takes no delay.) If j cannot
 * be reached the connection is reset. An end that closes or dies is a part of the stream: it goes
 * through the lane behind all bytes, waits where they wait, and then closes or resets the other
 * end. What goes to an end that died is not read any more. At most RELAY_CONNECTIONS_MAX
 * connections, or what the descriptors allow; one more is reset.
 *
 * Bounds, per lane: lane.h's, and RELAY_RECEIVE_BYTES asked of the kernel before it. */
#ifndef SLU_RELAY_CARRIER_H
#define SLU_RELAY_CARRIER_H

#include <netinet/in.h>

#include "deploy/relay/lane.h"

#define RELAY_NODES_MAX       64u
#define RELAY_CONNECTIONS_MAX 1024u
#define RELAY_RECEIVE_BYTES   (256 << 10)

/** What epoll watches: `data.ptr` is one of these. */
struct relay_source {
    void (*ready)(struct relay_source *source, uint32_t events, uint64_t now_us);
    int fd;
};

struct relay_connection;

struct relay_pair {
    struct relay_source listener;
    struct relay_carrier *carrier;
    unsigned nodes[2]; /* who dials, who is dialed */
    struct sockaddr_in listen, target;
    struct relay_link links[2];
    unsigned connections;
};

struct relay_carrier {
    int epoll;
    uint64_t random;
    struct relay_pair *pairs;
    size_t pairs_len;
    struct relay_connection *connections; /* list */
    size_t connections_len, connections_max;
};

/** Listens for every pair. -1 and errno, `*failed` the pair, when it cannot. */
int relay_carrier_listen(struct relay_carrier *carrier, const struct relay_pair **failed);
/** Closes and frees all. */
void relay_carrier_close(struct relay_carrier *carrier);
/** Passes on what has arrived, after every batch of events. Returns when the next will; UINT64_MAX:
 * nothing waits for time. */
uint64_t relay_carrier_turn(struct relay_carrier *carrier, uint64_t now_us);

/** The direction a -> b, and its pair when asked for; NULL: no such pair. */
struct relay_link *relay_carrier_find(struct relay_carrier *carrier, unsigned a, unsigned b,
                                      struct relay_pair **pair);
/** Resets all connections of a pair; how many. */
unsigned relay_carrier_reset(struct relay_pair *pair);
/** Bytes that the direction links[index] of a pair holds now. */
uint64_t relay_carrier_held(const struct relay_pair *pair, unsigned index);

/** Has epoll watch a source for `events` in place of `*watched`, which becomes `events`; 0: for
 * nothing, not even a hang-up. */
void relay_watch(int epoll, struct relay_source *source, uint32_t *watched, uint32_t events);
/** A socket that listens; -1 and errno. */
int relay_listen(const struct sockaddr_in *address);

#endif
