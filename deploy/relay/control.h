/* The control port: a line in, an answer out. I and J are nodes of one pair, in either order; what
 * is said of I J holds for the bytes from I to J only.
 *
 *     link I J [delay_ms=D] [jitter_ms=D] [loss=PERCENT] [rate=BYTES_PER_S]
 *                   what is not named stays; 0 is off; for bytes read from now on
 *     cut I J       holds back all from I to J, the end of a connection, too; and new connections,
 *                   if I is who dials
 *     heal I J      lets it flow on
 *     reset I J     resets the connections between I and J, both ways
 *     clear         all links as at first; connections stay
 *     show          each direction
 *
 * Numbers may have a fraction, and are at most 60,000 ms, 100 %, 1e10 bytes/s.
 * Answers: "ok" and what is so now, or "error" and what is wrong, when nothing has changed. "show"
 * answers "ok N" and N lines more. A line has at most RELAY_LINE_MAX bytes; one that is longer, or
 * more than RELAY_CONTROLS_MAX connections, is answered with an error and closed. Answers that
 * nobody reads hold up the commands behind them, not the links. */
#ifndef SLU_RELAY_CONTROL_H
#define SLU_RELAY_CONTROL_H

#include "deploy/relay/carrier.h"

#define RELAY_LINE_MAX     256u
#define RELAY_CONTROLS_MAX 16u

struct relay_controller;

struct relay_control {
    struct relay_source listener;
    struct relay_carrier *carrier;
    struct relay_controller *controllers; /* list */
    unsigned controllers_len;
};

/** Listens; -1 and errno. */
int relay_control_listen(struct relay_control *control, struct relay_carrier *carrier,
                         const struct sockaddr_in *address);
/** Frees connections that have ended, after every batch of events. */
void relay_control_turn(struct relay_control *control);
void relay_control_close(struct relay_control *control);

#endif
