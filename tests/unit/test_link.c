/* link/: whole links over loopback, once with nng's callbacks as readers and once with a thread per
 * link, as between nodes. */
#include "tests/unit/link_keys.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "link/handshake.h"
#include "link/record.h"

#if defined(__SANITIZE_THREAD__)
/* nng frees its streams behind reference counts that the sanitizer does not see. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:pthread_mutex_destroy\n";
}
#endif

/* For what comes sooner or later: long, since a busy machine may stand still for seconds. */
#define WAIT_MS 60000

struct seen {
    pthread_mutex_t mutex;
    int ups;
    int downs;
    int attempts; /* downs without a link */
    int drained;
    uint64_t frames;
    uint64_t bytes;
    uint64_t disorder; /* frames that were not the next number */
    uint64_t next;
    uint64_t pause_after; /* pause when so many frames came; 0 never */
    bool echo;
    int error;
    char reason[SLU_LINK_REASON_BYTES];
    struct slu_link *link; /* the newest, held */
};

static void seen_up(void *context, struct slu_link *link)
{
    struct seen *seen = context;
    pthread_mutex_lock(&seen->mutex);
    struct slu_link *before = seen->link;
    seen->link = slu_link_hold(link);
    seen->ups++;
    seen->next = 0;
    pthread_mutex_unlock(&seen->mutex);
    slu_link_release(before);
}

static void seen_frame(void *context, struct slu_link *link, const uint8_t *data, size_t len)
{
    struct seen *seen = context;
    uint64_t number = 0;
    if (len >= sizeof number)
        memcpy(&number, data, sizeof number);
    pthread_mutex_lock(&seen->mutex);
    seen->disorder += number != seen->next++;
    seen->bytes += len;
    bool pause = ++seen->frames == seen->pause_after;
    bool echo = seen->echo;
    pthread_mutex_unlock(&seen->mutex);
    if (pause)
        slu_link_pause_reading(link);
    if (echo)
        (void)!slu_link_send(link, data, len, NULL, 0);
}

static void seen_drained(void *context, struct slu_link *link)
{
    struct seen *seen = context;
    (void)link;
    pthread_mutex_lock(&seen->mutex);
    seen->drained++;
    pthread_mutex_unlock(&seen->mutex);
}

static void seen_down(void *context, struct slu_link *link, int error, const char *reason)
{
    struct seen *seen = context;
    pthread_mutex_lock(&seen->mutex);
    if (link != NULL)
        seen->downs++;
    else
        seen->attempts++;
    seen->error = error;
    snprintf(seen->reason, sizeof seen->reason, "%s", reason);
    pthread_mutex_unlock(&seen->mutex);
}

static struct seen *new_seen(void)
{
    struct seen *seen = calloc(1, sizeof *seen);
    assert_non_null(seen);
    pthread_mutex_init(&seen->mutex, NULL);
    return seen;
}

static void free_seen(struct seen *seen)
{
    slu_link_release(seen->link);
    pthread_mutex_destroy(&seen->mutex);
    free(seen);
}

static struct slu_link_handler handler_of(struct seen *seen)
{
    return (struct slu_link_handler){.context = seen,
                                     .up = seen_up,
                                     .frame = seen_frame,
                                     .drained = seen_drained,
                                     .down = seen_down};
}

static void nap(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static uint64_t look(struct seen *seen, const void *field, size_t size)
{
    uint64_t value = 0;
    int narrow = 0;
    pthread_mutex_lock(&seen->mutex);
    if (size == sizeof narrow) {
        memcpy(&narrow, field, sizeof narrow);
        value = (uint64_t)narrow;
    } else {
        memcpy(&value, field, sizeof value);
    }
    pthread_mutex_unlock(&seen->mutex);
    return value;
}
#define LOOK(seen, field) look(seen, &(seen)->field, sizeof(seen)->field)

/* Waits until `expression` holds. */
#define AWAIT(expression)                                                                          \
    do {                                                                                           \
        for (int left = WAIT_MS; !(expression) && left > 0; left -= 2)                             \
            nap(2);                                                                                \
        assert_true(expression);                                                                   \
    } while (0)

static struct slu_listener *listen_on(const char *url, const struct slu_link_config *config,
                                      struct seen *seen)
{
    struct slu_listener *listener = NULL;
    struct slu_link_handler handler = handler_of(seen);
    char reason[256] = "";
    int rc = slu_listener_start(&listener, url, config, &handler, reason, sizeof reason);
    if (rc != 0)
        fail_msg("%s", reason);
    return listener;
}

static struct slu_dialer *dial(const char *url, const struct slu_link_config *config,
                               struct seen *seen)
{
    struct slu_dialer *dialer = NULL;
    struct slu_link_handler handler = handler_of(seen);
    char reason[256] = "";
    int rc = slu_dialer_start(&dialer, url, config, &handler, reason, sizeof reason);
    if (rc != 0)
        fail_msg("%s", reason);
    return dialer;
}

static int connect_to(struct slu_link **link, const char *url, const struct slu_link_config *config,
                      struct seen *seen, char reason[256])
{
    struct slu_link_handler handler = handler_of(seen);
    return slu_link_connect(link, url, config, &handler, WAIT_MS, reason, 256);
}

static int raw_connect(const struct slu_listener *listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(slu_listener_port(listener)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* A socket of its own port, which it does not listen at yet, and the port's URL. */
static int raw_bound(char *url, size_t cap)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(url, cap, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

/* Whether the other side closes within the waiting time. */
static bool raw_closed(int fd)
{
    char byte[256];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, WAIT_MS) > 0) {
        if (read(fd, byte, sizeof byte) <= 0)
            return true;
    }
    return false;
}

static void raw_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static void send_numbers(struct slu_link *link, uint64_t from, uint64_t count, size_t len)
{
    static const uint8_t zeros[SLU_FRAME_BYTES_MAX];
    for (uint64_t i = from; i < from + count; i++) {
        int rc = slu_link_send(link, &i, sizeof i, zeros, len - sizeof i);
        for (int left = WAIT_MS; rc == SLU_ERR_BUSY && left > 0; left--) {
            nap(1);
            rc = slu_link_send(link, &i, sizeof i, zeros, len - sizeof i);
        }
        assert_int_equal(rc, 0);
    }
}

static void peer_and_client_over(const char *url)
{
    struct slu_link_counters counters;
    memset(&counters, 0, sizeof counters);
    struct slu_link_config server = node_config(0);
    struct slu_link_config peer = node_config(1);
    struct slu_link_config client = client_config();
    server.counters = &counters;
    struct seen *at_server = new_seen();
    struct seen *at_peer = new_seen();
    struct seen *at_client = new_seen();
    struct slu_listener *listener = listen_on(url, &server, at_server);
    struct slu_dialer *dialer = dial(slu_listener_url(listener), &peer, at_peer);
    AWAIT(LOOK(at_server, ups) == 1 && LOOK(at_peer, ups) == 1);
    assert_int_equal(slu_link_peer(at_server->link), 1);
    assert_int_equal(slu_link_peer(at_peer->link), 0);
    assert_true(slu_link_dialed(at_peer->link));

    send_numbers(at_peer->link, 0, 20000, 40);
    send_numbers(at_peer->link, 20000, 10, SLU_FRAME_BYTES_MAX);
    send_numbers(at_peer->link, 20010, 100, 9000);
    AWAIT(LOOK(at_server, frames) == 20110);
    assert_int_equal(LOOK(at_server, disorder), 0);

    char reason[256];
    struct slu_link *link = NULL;
    at_server->echo = true;
    int rc = connect_to(&link, slu_listener_url(listener), &client, at_client, reason);
    if (rc != 0)
        fail_msg("%s", reason);
    assert_memory_equal(slu_link_chain_id32(link), server.chain_id32, 32);
    assert_memory_equal(slu_link_peer_public32(link), publics[0], 32);
    send_numbers(link, 0, 1000, 64);
    AWAIT(LOOK(at_client, frames) == 1000);
    assert_int_equal(LOOK(at_client, disorder), 0);
    assert_int_equal(slu_link_peer(at_server->link), SLU_LINK_CLIENT);
    slu_link_close_wait(link);
    assert_int_equal(slu_link_send(link, "x", 1, NULL, 0), SLU_ERR_CLOSED);
    assert_int_equal(LOOK(at_client, downs), 1);
    slu_link_release(link);
    AWAIT(LOOK(at_server, downs) == 1);

    assert_int_equal(slu_link_send(at_peer->link, "", 0, NULL, 0), SLU_ERR_LIMIT);
    assert_int_equal(slu_link_send(at_peer->link, "x", 1, "y", SLU_FRAME_BYTES_MAX), SLU_ERR_LIMIT);
    struct slu_link_stats stats;
    AWAIT(atomic_load(&counters.frames_in) == 21110); /* counted when they were handled */
    slu_link_counters_read(&counters, &stats);
    assert_int_equal(stats.handshakes_ok, 2);
    assert_int_equal(stats.links_up, 1);
    slu_listener_stop(listener); /* with a live link */
    assert_int_equal(LOOK(at_server, downs), 2);
    slu_dialer_stop(dialer);
    slu_link_counters_read(&counters, &stats);
    assert_int_equal(stats.links_open, 0);
    assert_int_equal(stats.links_up, 0);
    free_seen(at_server);
    free_seen(at_peer);
    free_seen(at_client);
}

static void test_links_tcp(void **state)
{
    (void)state;
    peer_and_client_over("tcp://127.0.0.1:0");
}

static void test_links_ipc(void **state)
{
    (void)state;
    char url[64];
    snprintf(url, sizeof url, "ipc:///tmp/slu-test-link-%d", (int)getpid());
    peer_and_client_over(url);
    unlink(url + strlen("ipc://"));
}

static void test_connect_refused(void **state)
{
    (void)state;
    struct slu_link_config server = node_config(0);
    struct slu_link_config client = client_config();
    struct seen *at_server = new_seen();
    struct seen *at_client = new_seen();
    struct slu_link *link = NULL;
    char reason[256];
    server.version = 2;
    struct slu_listener *listener = listen_on("tcp://127.0.0.1:0", &server, at_server);
    char url[256];
    snprintf(url, sizeof url, "%s", slu_listener_url(listener));
    assert_int_equal(connect_to(&link, url, &client, at_client, reason), SLU_ERR_MISMATCH);
    assert_non_null(strstr(reason, "server speaks protocol version 2, this client 1"));

    struct slu_listener *second = NULL;
    struct slu_link_handler handler = handler_of(at_server);
    assert_int_equal(slu_listener_start(&second, url, &server, &handler, reason, sizeof reason),
                     SLU_ERR_IO);
    assert_non_null(strstr(reason, "address in use"));
    assert_int_equal(
        slu_listener_start(&second, "nonsense", &server, &handler, reason, sizeof reason),
        SLU_ERR_CONFIG);
    slu_listener_stop(listener);
    int fd = raw_bound(url, sizeof url); /* and nobody listens there */
    assert_int_equal(connect_to(&link, url, &client, at_client, reason), SLU_ERR_IO);
    assert_int_equal(connect_to(&link, "nonsense", &client, at_client, reason), SLU_ERR_CONFIG);
    assert_int_equal(at_client->ups + at_client->downs, 0);

    /* A server that accepts and says nothing. */
    assert_int_equal(listen(fd, 1), 0);
    handler = handler_of(at_client);
    assert_int_equal(slu_link_connect(&link, url, &client, &handler, 100, reason, sizeof reason),
                     SLU_ERR_TIMEOUT);
    close(fd);
    free_seen(at_server);
    free_seen(at_client);
}

static uint64_t fails(struct slu_link_counters *counters, enum slu_link_fail fail)
{
    return atomic_load(&counters->handshakes_failed[fail]);
}

static void test_hostile_bytes(void **state)
{
    (void)state;
    struct slu_link_counters counters;
    memset(&counters, 0, sizeof counters);
    struct slu_link_config server = node_config(0);
    server.counters = &counters;
    server.handshake_ms = WAIT_MS;
    struct seen *seen = new_seen();
    struct slu_listener *listener = listen_on("tcp://127.0.0.1:0", &server, seen);
    server.handshake_ms = 300;
    struct slu_listener *impatient = listen_on("tcp://127.0.0.1:0", &server, seen);

    int fd = raw_connect(listener); /* garbage */
    assert_int_equal(write(fd, "GET / HTTP/1.0\r\n\r\n", 18), 18);
    assert_true(raw_closed(fd));
    close(fd);
    AWAIT(fails(&counters, SLU_LINK_FAIL_MALFORMED) == 1);

    struct slu_handshake hs; /* half a hello, then close */
    struct slu_link_config client = client_config();
    slu_handshake_begin(&hs, &client, true);
    fd = raw_connect(listener);
    assert_int_equal(write(fd, hs.out, 40), 40);
    close(fd);
    AWAIT(fails(&counters, SLU_LINK_FAIL_CLOSED) == 1);

    fd = raw_connect(impatient); /* half a hello, then silence */
    assert_int_equal(write(fd, hs.out, 40), 40);
    assert_true(raw_closed(fd));
    close(fd);
    AWAIT(fails(&counters, SLU_LINK_FAIL_TIMEOUT) == 1);
    slu_listener_stop(impatient);

    /* A whole handshake by hand, then a length of 2^32-1, a wrong record, half a record. */
    for (int what = 0; what < 3; what++) {
        fd = raw_connect(listener);
        slu_handshake_begin(&hs, &client, true);
        while (hs.state != SLU_HS_DONE) {
            uint8_t in[256];
            assert_int_equal(write(fd, hs.out, hs.out_len), hs.out_len);
            hs.out_len = 0;
            ssize_t n = read(fd, in, slu_handshake_wants(&hs));
            assert_true(n > 0);
            assert_int_equal(slu_handshake_feed(&hs, in, (size_t)n), 0);
        }
        AWAIT(LOOK(seen, ups) == (uint64_t)what + 1);
        uint8_t wire[SLU_RECORD_WIRE_MIN + 12];
        memcpy(wire + SLU_RECORD_HEAD, "\x08\0\0\0abcdefgh", 12);
        assert_int_equal(slu_record_seal(&hs.tx, wire, 12), sizeof wire);
        if (what == 0)
            memset(wire, 0xff, 4);
        if (what == 1)
            wire[10] ^= 1;
        size_t len = what == 2 ? 20 : sizeof wire;
        assert_int_equal(write(fd, wire, len), len);
        if (what == 2)
            raw_reset(fd);
        else
            assert_true(raw_closed(fd));
        AWAIT(LOOK(seen, downs) == (uint64_t)what + 1);
        if (what == 0)
            assert_string_equal(seen->reason, "record length out of range");
        if (what == 1)
            assert_string_equal(seen->reason, "record does not verify");
        if (what != 2)
            close(fd);
    }
    assert_int_equal(atomic_load(&counters.bad_records), 2);
    assert_int_equal(LOOK(seen, frames), 0);
    slu_listener_stop(listener);
    free_seen(seen);
}

static void test_busy_drained_pause(void **state)
{
    (void)state;
    struct slu_link_counters counters;
    memset(&counters, 0, sizeof counters);
    struct slu_link_config server = node_config(0);
    struct slu_link_config peer = node_config(1);
    peer.queue_bytes_max = 2u * SLU_FRAME_BYTES_MAX;
    peer.counters = &counters;
    struct seen *at_server = new_seen();
    struct seen *at_peer = new_seen();
    at_server->pause_after = 5;
    struct slu_listener *listener = listen_on("tcp://127.0.0.1:0", &server, at_server);
    struct slu_dialer *dialer = dial(slu_listener_url(listener), &peer, at_peer);
    AWAIT(LOOK(at_peer, ups) == 1);
    static uint8_t body[100000];
    uint64_t sent = 0;
    int rc = 0, drained = 0;
    for (int i = 0; i < 2000; i++) { /* until the socket and then the queue are full */
        memcpy(body, &sent, sizeof sent);
        rc = slu_link_send(at_peer->link, body, sizeof body, NULL, 0);
        if (rc == SLU_ERR_BUSY) {
            nap(20);
            drained = (int)LOOK(at_peer, drained); /* whatever comes after the last BUSY counts */
            rc = slu_link_send(at_peer->link, body, sizeof body, NULL, 0);
            if (rc == SLU_ERR_BUSY)
                break;
        }
        assert_int_equal(rc, 0);
        sent++;
    }
    assert_int_equal(rc, SLU_ERR_BUSY);
    assert_true(slu_link_queued_bytes(at_peer->link) <= peer.queue_bytes_max);
    assert_true(atomic_load(&counters.busy_drops) > 0);
    AWAIT(LOOK(at_server, frames) == 5);
    nap(50);
    assert_int_equal(LOOK(at_server, frames), 5);
    slu_link_resume_reading(at_server->link);
    AWAIT(LOOK(at_server, frames) == sent);
    AWAIT((int)LOOK(at_peer, drained) > drained);
    assert_int_equal(LOOK(at_server, disorder), 0);
    AWAIT(slu_link_queued_bytes(at_peer->link) == 0);

    /* A paused link can be closed, and stopped. */
    slu_link_pause_reading(at_server->link);
    send_numbers(at_peer->link, sent, 10, 100);
    nap(20);
    slu_link_close(at_server->link);
    AWAIT(LOOK(at_server, downs) == 1);
    AWAIT(LOOK(at_peer, ups) == 2);
    AWAIT(LOOK(at_server, ups) == 2);
    slu_link_pause_reading(at_server->link);
    slu_dialer_stop(dialer);
    slu_listener_stop(listener);
    assert_int_equal(at_server->ups, at_server->downs);
    assert_int_equal(at_peer->ups, at_peer->downs);
    free_seen(at_server);
    free_seen(at_peer);
}

/* How long one side may have heard nothing, by what it counts: never less than it was, and more
 * only by how late it was looked at. */
struct silence {
    struct slu_link_counters counters;
    uint64_t bytes;
    uint64_t unheard_ms; /* when the newest bytes had not come yet, for sure */
    uint64_t looked_ms;
};

static uint64_t silent_ms(struct silence *s)
{
    uint64_t now_ms = nng_clock(), bytes = atomic_load(&s->counters.bytes_in);
    uint64_t silent = now_ms - s->unheard_ms;
    if (bytes != s->bytes)
        s->unheard_ms = s->looked_ms;
    s->bytes = bytes;
    s->looked_ms = now_ms;
    return silent;
}

/* Until a link has stood for 2 s without a frame. It goes down only when one side has heard nothing
 * for `idle_ms`, which takes a machine that stands still, since empty records are sent meanwhile.
 */
static void await_steady(struct seen *at_peer, struct silence sides[2], uint64_t idle_ms)
{
    uint64_t began_ms = nng_clock(), longest_ms = 0;
    int downs = 0;
    while (nng_clock() - began_ms < 2000) {
        nap(10);
        int downs_now =
            (int)LOOK(at_peer, downs); /* before the silence, which is then no shorter */
        for (int i = 0; i < 2; i++) {
            uint64_t silent = silent_ms(&sides[i]);
            longest_ms = silent > longest_ms ? silent : longest_ms;
        }
        if (downs_now == downs)
            continue;
        assert_true(longest_ms >= idle_ms);
        AWAIT(LOOK(at_peer, ups) > LOOK(at_peer, downs));
        downs = (int)LOOK(at_peer, downs);
        longest_ms = 0;
        began_ms = nng_clock();
    }
}

static void test_redial_and_keepalive(void **state)
{
    (void)state;
    static struct silence sides[2];
    struct slu_link_config server = node_config(0);
    struct slu_link_config peer = node_config(1);
    memset(sides, 0, sizeof sides);
    peer.keepalive_ms = server.keepalive_ms = 50;
    peer.idle_timeout_ms = server.idle_timeout_ms = 1200;
    server.counters = &sides[0].counters;
    peer.counters = &sides[1].counters;
    for (int i = 0; i < 2; i++)
        sides[i].unheard_ms = sides[i].looked_ms = nng_clock();
    struct seen *at_server = new_seen();
    struct seen *at_peer = new_seen();
    struct slu_listener *listener = listen_on("tcp://127.0.0.1:0", &server, at_server);
    char url[256];
    snprintf(url, sizeof url, "%s", slu_listener_url(listener));
    struct slu_dialer *dialer = dial(url, &peer, at_peer);
    AWAIT(LOOK(at_peer, ups) >= 1);
    await_steady(at_peer, sides, peer.idle_timeout_ms);
    slu_listener_stop(listener);
    AWAIT(LOOK(at_peer, downs) == LOOK(at_peer, ups));
    int attempts = (int)LOOK(at_peer, attempts), ups = (int)LOOK(at_peer, ups);
    AWAIT((int)LOOK(at_peer, attempts) > attempts);
    server.keepalive_ms = 0; /* now the server falls silent */
    listener = listen_on(url, &server, at_server);
    AWAIT((int)LOOK(at_peer, ups) >= ups + 1);
    AWAIT((int)LOOK(at_peer, downs) >= ups + 1);
    AWAIT((int)LOOK(at_peer, ups) >= ups + 2);
    slu_dialer_stop(dialer);
    slu_listener_stop(listener);
    free_seen(at_server);
    free_seen(at_peer);
}

/* Who is away is called more often than who refuses us. */
static void test_redial_away_and_refused(void **state)
{
    (void)state;
    struct slu_link_config server = node_config(0);
    struct slu_link_config peer = node_config(1);
    struct slu_link_config stranger = node_config(1);
    stranger.chain_id32[0] ^= 1;
    struct seen *at_server = new_seen();
    struct seen *at_refused = new_seen();
    struct seen *at_away = new_seen();
    struct slu_listener *listener = listen_on("tcp://127.0.0.1:0", &server, at_server);
    struct slu_dialer *refused = dial(slu_listener_url(listener), &stranger, at_refused);
    struct slu_dialer *away = dial("ipc:///nonexistent/sluice", &peer, at_away);
    AWAIT(LOOK(at_refused, attempts) == 7); /* six waits that double: 1.6 to 3.2 s */
    assert_true(LOOK(at_away, attempts) > 8);
    slu_dialer_stop(refused);
    slu_dialer_stop(away);
    slu_listener_stop(listener);
    free_seen(at_server);
    free_seen(at_refused);
    free_seen(at_away);
}

static void test_resets_then_a_good_one(void **state)
{
    (void)state;
    struct slu_link_counters counters;
    memset(&counters, 0, sizeof counters);
    struct slu_link_config server = node_config(0);
    server.counters = &counters;
    struct seen *at_server = new_seen();
    struct seen *at_client = new_seen();
    struct slu_listener *listener = listen_on("tcp://127.0.0.1:0", &server, at_server);
    for (int i = 0; i < 300; i++) {
        int fd = raw_connect(listener);
        if (i % 3 == 1)
            (void)!write(fd, "SLNK", 4);
        raw_reset(fd);
    }
    struct slu_link *link = NULL;
    struct slu_link_config client = client_config();
    char reason[256];
    int rc = connect_to(&link, slu_listener_url(listener), &client, at_client, reason);
    if (rc != 0)
        fail_msg("%s", reason);
    send_numbers(link, 0, 10, 20);
    AWAIT(LOOK(at_server, frames) == 10);
    AWAIT(atomic_load(&counters.links_open) == 1);
    slu_link_close_wait(link);
    slu_link_release(link);
    slu_listener_stop(listener);

    /* With the limit on, such an address is soon refused. */
    server.limit_loopback = true;
    server.fail_burst = 5;
    server.fail_per_minute = 1;
    listener = listen_on("tcp://127.0.0.1:0", &server, at_server);
    for (int i = 0; i < 40 && atomic_load(&counters.refused_rate) == 0; i++) {
        int fd = raw_connect(listener); /* one that is gone before it is accepted has no address */
        AWAIT(atomic_load(&counters.links_open) + atomic_load(&counters.refused_rate) > 0);
        raw_reset(fd);
        AWAIT(atomic_load(&counters.links_open) == 0);
    }
    assert_int_equal(atomic_load(&counters.refused_rate), 1);
    assert_int_not_equal(connect_to(&link, slu_listener_url(listener), &client, at_client, reason),
                         0);
    slu_listener_stop(listener);
    free_seen(at_server);
    free_seen(at_client);
}

static void test_idle_crowd(void **state)
{
    (void)state;
    enum { CROWD = 500 };
    static int fds[CROWD];
    struct slu_link_counters counters;
    memset(&counters, 0, sizeof counters);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < 4096 && limit.rlim_max >= 4096) {
        limit.rlim_cur = 4096;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    struct slu_link_config server = node_config(0);
    server.counters = &counters;
    server.links_max = CROWD + 1;
    server.handshake_ms = WAIT_MS; /* nobody goes for it before all have come */
    struct seen *at_server = new_seen();
    struct seen *at_client = new_seen();
    struct slu_listener *listener = listen_on("tcp://127.0.0.1:0", &server, at_server);
    for (int i = 0; i < CROWD; i++)
        fds[i] = raw_connect(listener);
    AWAIT(atomic_load(&counters.links_open) == CROWD);
    struct slu_link *link = NULL;
    struct slu_link_config client = client_config();
    char reason[256];
    int rc = connect_to(&link, slu_listener_url(listener), &client, at_client, reason);
    if (rc != 0)
        fail_msg("%s", reason);
    send_numbers(link, 0, 1000, 100);
    AWAIT(LOOK(at_server, frames) == 1000);
    /* One too many: whoever came first and still says nothing makes room, not the newcomer. */
    struct slu_link *late = NULL;
    rc = connect_to(&late, slu_listener_url(listener), &client, at_client, reason);
    if (rc != 0)
        fail_msg("%s", reason);
    assert_true(raw_closed(fds[0]));
    assert_int_equal(atomic_load(&counters.refused_full), 1);
    AWAIT(atomic_load(&counters.links_open) == CROWD + 1);
    slu_listener_stop(listener); /* with all of them */
    slu_link_close_wait(late);
    slu_link_release(late);
    for (int i = 0; i < CROWD; i++)
        close(fds[i]);
    slu_link_close_wait(link);
    slu_link_release(link);
    free_seen(at_server);
    free_seen(at_client);
}

static void test_full_of_links(void **state)
{
    (void)state;
    enum { PLACES = 3 };
    struct slu_link_counters counters;
    memset(&counters, 0, sizeof counters);
    struct slu_link_config server = node_config(0);
    server.counters = &counters;
    server.links_max = PLACES;
    struct slu_link_config client = client_config();
    struct seen *at_server = new_seen();
    struct seen *at_client = new_seen();
    struct slu_listener *listener = listen_on("tcp://127.0.0.1:0", &server, at_server);
    struct slu_link *links[PLACES];
    char reason[256];
    for (int i = 0; i < PLACES; i++) {
        if (connect_to(&links[i], slu_listener_url(listener), &client, at_client, reason) != 0)
            fail_msg("%s", reason);
    }
    AWAIT(atomic_load(&counters.links_up) == PLACES);
    int fd = raw_connect(listener); /* nobody who has shown who it is goes for it */
    assert_true(raw_closed(fd));
    close(fd);
    assert_int_equal(atomic_load(&counters.refused_full), 1);
    assert_int_equal(atomic_load(&counters.links_up), PLACES);
    slu_listener_stop(listener);
    for (int i = 0; i < PLACES; i++) {
        slu_link_close_wait(links[i]);
        slu_link_release(links[i]);
    }
    free_seen(at_server);
    free_seen(at_client);
}

static void test_stop_start_storm(void **state)
{
    (void)state;
    struct slu_link_config server = node_config(0);
    struct slu_link_config peer = node_config(1);
    struct seen *at_server = new_seen();
    struct seen *at_peer = new_seen();
    at_server->echo = true;
    for (int i = 0; i < 30; i++) {
        struct slu_listener *listener = listen_on("tcp://127.0.0.1:0", &server, at_server);
        struct slu_dialer *dialer = dial(slu_listener_url(listener), &peer, at_peer);
        if (i % 3 > 0) {
            AWAIT(LOOK(at_peer, ups) > LOOK(at_peer, downs));
            for (int k = 0; k < 50; k++)
                (void)!slu_link_send(at_peer->link, "abcdefgh", 8, NULL, 0);
        }
        if (i % 2 == 0)
            slu_dialer_stop(dialer);
        slu_listener_stop(listener);
        if (i % 2 == 1)
            slu_dialer_stop(dialer);
        assert_int_equal(at_server->ups, at_server->downs);
        assert_int_equal(at_peer->ups, at_peer->downs);
    }
    free_seen(at_server);
    free_seen(at_peer);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links_tcp),
        cmocka_unit_test(test_links_ipc),
        cmocka_unit_test(test_connect_refused),
        cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_busy_drained_pause),
        cmocka_unit_test(test_redial_and_keepalive),
        cmocka_unit_test(test_redial_away_and_refused),
        cmocka_unit_test(test_resets_then_a_good_one),
        cmocka_unit_test(test_idle_crowd),
        cmocka_unit_test(test_full_of_links),
        cmocka_unit_test(test_stop_start_storm),
    };
    int failed = cmocka_run_group_tests_name("callbacks", tests, make_keys, free_keys);
    reader_threads = true;
    return failed + cmocka_run_group_tests_name("reader threads", tests, make_keys, free_keys);
}
