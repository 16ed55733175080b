#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "deploy/relay/carrier.h"

#define NEAR           0u
#define FAR            1u
#define OTHER_FILES    64u /* descriptors beside those of connections and listeners */
#define ACCEPTS_A_TURN 64u

struct end {
    struct relay_source source;
    struct relay_connection *connection;
    uint32_t watched;
    bool full; /* takes no bytes until epoll says so; for FAR also: is not connected yet */
    bool dead; /* takes and gives no bytes any more */
    bool told; /* that nothing more comes for it */
};

struct relay_connection {
    struct relay_connection *next, *previous;
    struct relay_pair *pair;
    enum { WAITS, DIALS, CARRIES, CLOSED } state;
    struct end ends[2];
    struct relay_lane lanes[2]; /* lanes[k] goes from ends[k] to the other end */
};

int relay_listen(const struct sockaddr_in *address)
{
    const int one = 1, receive = RELAY_RECEIVE_BYTES;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive) == 0 &&
        bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 && listen(fd, 128) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

void relay_watch(int epoll, struct relay_source *source, uint32_t *watched, uint32_t events)
{
    if (events == *watched)
        return;
    struct epoll_event event = {.events = events, .data.ptr = source};
    int how = events == 0 ? EPOLL_CTL_DEL : *watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    SLU_CHECK(epoll_ctl(epoll, how, source->fd, &event) == 0);
    *watched = events;
}

/* A socket that is closed with this set is reset. */
static void reset_on_close(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* It is freed at the end of the turn: events of the same batch may name it still. */
static void close_connection(struct relay_connection *c, bool reset)
{
    for (unsigned k = NEAR; k <= FAR; k++) {
        if (c->ends[k].source.fd >= 0) {
            if (reset)
                reset_on_close(c->ends[k].source.fd);
            close(c->ends[k].source.fd);
        }
        relay_lane_drop(&c->lanes[k]);
    }
    c->state = CLOSED;
}

static void unlink_connection(struct relay_carrier *carrier, struct relay_connection *c)
{
    if (c->next != NULL)
        c->next->previous = c->previous;
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        carrier->connections = c->next;
    carrier->connections_len--;
    c->pair->connections--;
    free(c);
}

/* The end of ends[k]'s own stream: clean, or it died and no one can be told there. */
static void end_of(struct relay_connection *c, unsigned k, enum relay_end end, uint64_t now_us)
{
    struct end *e = &c->ends[k];
    if (e->dead)
        return;
    relay_lane_finish(&c->lanes[k], end, now_us);
    if (end == RELAY_FIN)
        return;
    e->dead = true;
    c->ends[1 - k].told = false; /* of this it was not */
    relay_lane_drop(&c->lanes[1 - k]);
}

static void read_end(struct relay_connection *c, unsigned k, uint64_t now_us)
{
    size_t len;
    uint8_t *space = relay_lane_space(&c->lanes[k], &len);
    ssize_t got = recv(c->ends[k].source.fd, space, len, 0);
    if (got > 0)
        relay_lane_filled(&c->lanes[k], (size_t)got, now_us);
    else if (got == 0)
        end_of(c, k, RELAY_FIN, now_us);
    else if (errno != EAGAIN && errno != EINTR)
        end_of(c, k, RELAY_RST, now_us);
}

static bool reads(const struct relay_connection *c, unsigned k)
{
    return !c->ends[k].dead && !c->ends[1 - k].dead && relay_lane_takes(&c->lanes[k]);
}

static void end_ready(struct relay_source *source, uint32_t events, uint64_t now_us)
{
    struct end *e = (struct end *)source;
    struct relay_connection *c = e->connection;
    unsigned k = e == &c->ends[FAR] ? FAR : NEAR;
    if (c->state == CLOSED)
        return;
    int error = 0;
    socklen_t len = sizeof error;
    if ((events & EPOLLERR) != 0 &&
        (getsockopt(e->source.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0)) {
        if (c->state == DIALS && k == FAR)
            close_connection(c, true);
        else
            end_of(c, k, RELAY_RST, now_us);
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        e->full = false;
        if (k == FAR)
            c->state = CARRIES;
    }
    if ((events & (EPOLLIN | EPOLLHUP)) != 0 && reads(c, k))
        read_end(c, k, now_us);
}

static void dial(struct relay_connection *c)
{
    const int one = 1, receive = RELAY_RECEIVE_BYTES;
    const struct sockaddr_in *target = &c->pair->target;
    struct end *far = &c->ends[FAR];
    far->source.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (far->source.fd < 0 ||
        setsockopt(far->source.fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive) != 0 ||
        setsockopt(far->source.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        (connect(far->source.fd, (const struct sockaddr *)target, sizeof *target) != 0 &&
         errno != EINPROGRESS)) {
        close_connection(c, true);
        return;
    }
    far->full = true;
    c->state = DIALS;
}

/* Passes on what has arrived in lanes[k]. */
static void pass(struct relay_connection *c, unsigned k, uint64_t now_us)
{
    struct relay_lane *lane = &c->lanes[k];
    struct end *to = &c->ends[1 - k];
    size_t len;
    const uint8_t *bytes;
    while (!to->full && !to->dead && (bytes = relay_lane_due(lane, now_us, &len), len > 0)) {
        ssize_t sent = send(to->source.fd, bytes, len, MSG_NOSIGNAL);
        if (sent > 0)
            relay_lane_passed(lane, (size_t)sent);
        else if (errno == EAGAIN)
            to->full = true;
        else if (errno != EINTR)
            end_of(c, 1 - k, RELAY_RST, now_us);
    }
    enum relay_end end = to->full || to->told ? RELAY_OPEN : relay_lane_ended(lane, now_us);
    if (end == RELAY_OPEN)
        return;
    to->told = true;
    if (end == RELAY_RST)
        close_connection(c, true);
    else if (!to->dead)
        (void)shutdown(to->source.fd, SHUT_WR);
}

static void turn(struct relay_connection *c, uint64_t now_us)
{
    if (c->state == WAITS && (c->lanes[NEAR].end != RELAY_OPEN))
        close_connection(c, false);
    if (c->state == WAITS && !c->pair->links[0].cut)
        dial(c);
    for (unsigned k = NEAR; k <= FAR && c->state == CARRIES; k++)
        pass(c, k, now_us);
    if (c->state == CARRIES && c->ends[NEAR].told && c->ends[FAR].told)
        close_connection(c, false);
}

static void watch(struct relay_connection *c)
{
    for (unsigned k = NEAR; k <= FAR; k++) {
        struct end *e = &c->ends[k];
        bool connected = k == NEAR || c->state == CARRIES;
        uint32_t events = (connected && reads(c, k) ? (uint32_t)EPOLLIN : 0u) |
                          (e->full && !e->dead ? (uint32_t)EPOLLOUT : 0u);
        if (e->source.fd >= 0)
            relay_watch(c->pair->carrier->epoll, &e->source, &e->watched, events);
    }
}

/* When the connection has something to do without an event. */
static uint64_t next_us(const struct relay_connection *c)
{
    uint64_t next_us = UINT64_MAX;
    for (unsigned k = NEAR; k <= FAR && c->state == CARRIES; k++) {
        uint64_t at_us = relay_lane_next_us(&c->lanes[k]);
        if (!c->ends[1 - k].full && !c->ends[1 - k].told && at_us < next_us)
            next_us = at_us;
    }
    return next_us;
}

uint64_t relay_carrier_turn(struct relay_carrier *carrier, uint64_t now_us)
{
    uint64_t first_us = UINT64_MAX;
    struct relay_connection *next;
    for (struct relay_connection *c = carrier->connections; c != NULL; c = next) {
        next = c->next;
        turn(c, now_us);
        if (c->state == CLOSED) {
            unlink_connection(carrier, c);
            continue;
        }
        watch(c);
        uint64_t at_us = next_us(c);
        first_us = at_us < first_us ? at_us : first_us;
    }
    return first_us;
}

static void take(struct relay_pair *pair, int fd)
{
    const int one = 1;
    struct relay_carrier *carrier = pair->carrier;
    struct relay_connection *c = NULL;
    if (carrier->connections_len < carrier->connections_max)
        c = calloc(1, sizeof *c);
    if (c == NULL) {
        reset_on_close(fd);
        close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->pair = pair;
    c->state = WAITS;
    for (unsigned k = NEAR; k <= FAR; k++) {
        c->ends[k].source = (struct relay_source){end_ready, k == NEAR ? fd : -1};
        c->ends[k].connection = c;
        relay_lane_init(&c->lanes[k], &pair->links[k], &carrier->random);
    }
    c->next = carrier->connections;
    if (c->next != NULL)
        c->next->previous = c;
    carrier->connections = c;
    carrier->connections_len++;
    pair->connections++;
}

static void listener_ready(struct relay_source *source, uint32_t events, uint64_t now_us)
{
    (void)events;
    (void)now_us;
    for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        take((struct relay_pair *)source, fd);
    }
}

/* As many connections as there are descriptors for, so that accept never lacks one. */
static size_t connections_max(size_t listeners)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return RELAY_CONNECTIONS_MAX;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    rlim_t other = OTHER_FILES + listeners, max = files.rlim_cur;
    max = max > other ? (max - other) / 2 : 0;
    return max < RELAY_CONNECTIONS_MAX ? (size_t)max : RELAY_CONNECTIONS_MAX;
}

int relay_carrier_listen(struct relay_carrier *carrier, const struct relay_pair **failed)
{
    carrier->connections_max = connections_max(carrier->pairs_len);
    for (size_t i = 0; i < carrier->pairs_len; i++) {
        struct relay_pair *pair = &carrier->pairs[i];
        uint32_t watched = 0;
        *failed = pair;
        pair->carrier = carrier;
        pair->listener = (struct relay_source){listener_ready, relay_listen(&pair->listen)};
        if (pair->listener.fd < 0)
            return -1;
        relay_watch(carrier->epoll, &pair->listener, &watched, EPOLLIN);
    }
    return 0;
}

void relay_carrier_close(struct relay_carrier *carrier)
{
    while (carrier->connections != NULL) {
        if (carrier->connections->state != CLOSED)
            close_connection(carrier->connections, true);
        unlink_connection(carrier, carrier->connections);
    }
    free(carrier->pairs);
}

struct relay_link *relay_carrier_find(struct relay_carrier *carrier, unsigned a, unsigned b,
                                      struct relay_pair **pair)
{
    for (size_t i = 0; i < carrier->pairs_len; i++) {
        struct relay_pair *p = &carrier->pairs[i];
        bool forth = p->nodes[0] == a && p->nodes[1] == b;
        if (!forth && (p->nodes[0] != b || p->nodes[1] != a))
            continue;
        if (pair != NULL)
            *pair = p;
        return &p->links[forth ? 0 : 1];
    }
    return NULL;
}

unsigned relay_carrier_reset(struct relay_pair *pair)
{
    unsigned count = 0;
    for (struct relay_connection *c = pair->carrier->connections; c != NULL; c = c->next) {
        if (c->pair == pair && c->state != CLOSED) {
            close_connection(c, true);
            count++;
        }
    }
    return count;
}

uint64_t relay_carrier_held(const struct relay_pair *pair, unsigned index)
{
    uint64_t held = 0;
    for (const struct relay_connection *c = pair->carrier->connections; c != NULL; c = c->next)
        held += c->pair == pair && c->state != CLOSED ? c->lanes[index].held : 0;
    return held;
}
