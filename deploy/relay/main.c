/* sluice-relay: carries TCP between nodes, and makes their links bad when told to (control.h). What
 * a bad link does stands in lane.h, what becomes of connections in carrier.h. */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/streams.h"
#include "deploy/relay/command.h"
#include "deploy/relay/control.h"

#define EVENTS_MAX 64
#define TICK_US    250u /* arrivals are rounded up to it, so that many share one wake-up */
#define PAIRS_MAX  (RELAY_NODES_MAX * (RELAY_NODES_MAX - 1) / 2)
#define PAIR_FORM  "I:J:LISTENPORT:TARGETHOST:TARGETPORT"

static const char usage[] =
    "usage: sluice-relay --listen HOST --control HOST:PORT --pair " PAIR_FORM "... [--seed N]\n"
    "\n"
    "Carries what node I sends to node J and back, for each pair: listens on LISTENPORT of the\n"
    "--listen address, where I dials, and dials TARGETHOST:TARGETPORT, where J listens. Names of\n"
    "hosts are looked up once, at the start. Prints \"ready\" when it listens; ends on SIGTERM.\n"
    "The control port takes lines: link I J [delay_ms=D] [jitter_ms=D] [loss=PERCENT]\n"
    "[rate=BYTES_PER_S], cut I J, heal I J, reset I J, clear, show.\n"
    "--seed: of the draws of jitter and loss [1].\n";

__attribute__((noreturn, format(printf, 1, 2))) static void refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("sluice-relay: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

static struct sockaddr_in address_of(const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    uint64_t number;
    if (!relay_integer(port, 65535, &number) || number == 0)
        refuse("not a port: %s", port);
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0)
        refuse("host %s: %s", host, gai_strerror(error));
    struct sockaddr_in address;
    memcpy(&address, found->ai_addr, sizeof address);
    freeaddrinfo(found);
    return address;
}

/* Splits `text` at its colons; whether there are just `count` fields, none empty. */
static bool split(char *text, char *fields[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fields[i] = strsep(&text, ":");
        if (fields[i] == NULL || fields[i][0] == '\0')
            return false;
    }
    return text == NULL;
}

static void add_pair(struct relay_carrier *carrier, const char *listen, const char *pair_text)
{
    char text[256], *fields[5];
    uint64_t i, j;
    if (snprintf(text, sizeof text, "%s", pair_text) >= (int)sizeof text ||
        !split(text, fields, 5) || !relay_integer(fields[0], RELAY_NODES_MAX - 1, &i) ||
        !relay_integer(fields[1], RELAY_NODES_MAX - 1, &j) || i == j)
        refuse("--pair %s: not " PAIR_FORM, pair_text);
    if (relay_carrier_find(carrier, (unsigned)i, (unsigned)j, NULL) != NULL)
        refuse("--pair %s: these two nodes have a pair already", pair_text);
    carrier->pairs[carrier->pairs_len++] = (struct relay_pair){
        .nodes = {(unsigned)i, (unsigned)j},
        .listen = address_of(listen, fields[2]),
        .target = address_of(fields[3], fields[4]),
    };
}

struct options {
    const char *listen;
    const char *pairs[PAIRS_MAX];
    size_t pairs_len;
    struct sockaddr_in control;
    uint64_t seed;
};

static void read_control(struct options *options, const char *argument)
{
    char text[256], *fields[2];
    if (snprintf(text, sizeof text, "%s", argument) >= (int)sizeof text || !split(text, fields, 2))
        refuse("--control %s: not HOST:PORT", argument);
    options->control = address_of(fields[0], fields[1]);
}

static void read_options(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {
        {"listen", required_argument, NULL, 'l'}, {"control", required_argument, NULL, 'c'},
        {"pair", required_argument, NULL, 'p'},   {"seed", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},         {0},
    };
    int option;
    *options = (struct options){.seed = 1};
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            exit(0);
        } else if (option == 'l') {
            options->listen = optarg;
        } else if (option == 'c') {
            read_control(options, optarg);
        } else if (option == 'p') {
            if (options->pairs_len == PAIRS_MAX)
                refuse("more than %u pairs", PAIRS_MAX);
            options->pairs[options->pairs_len++] = optarg;
        } else if (option == 's') {
            if (!relay_integer(optarg, UINT64_MAX, &options->seed))
                refuse("--seed %s: not a number", optarg);
        } else {
            exit(2); /* getopt has said why */
        }
    }
    if (optind < argc)
        refuse("what is %s?", argv[optind]);
    if (options->listen == NULL || options->control.sin_port == 0 || options->pairs_len == 0)
        refuse("needs --listen, --control and a --pair; see --help");
}

static uint64_t now_us(void)
{
    struct timespec t;
    SLU_CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* `*armed_us` is when the timer goes off. */
static void arm(int timer, uint64_t *armed_us, uint64_t next_us)
{
    if (next_us != UINT64_MAX)
        next_us = (next_us / TICK_US + 1) * TICK_US;
    if (next_us == *armed_us)
        return;
    struct itimerspec at = {0};
    if (next_us != UINT64_MAX) {
        at.it_value.tv_sec = (time_t)(next_us / 1000000u);
        at.it_value.tv_nsec = (long)(next_us % 1000000u * 1000u);
    }
    SLU_CHECK(timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL) == 0);
    *armed_us = next_us;
}

static void timer_ready(struct relay_source *source, uint32_t events, uint64_t now)
{
    uint64_t times;
    (void)events;
    (void)now;
    (void)!read(source->fd, &times,
                sizeof times); /* none is there when it was set anew meanwhile */
}

static void run(struct relay_carrier *carrier, struct relay_control *control)
{
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    SLU_CHECK(sigprocmask(SIG_BLOCK, &ending, NULL) == 0);
    struct relay_source end = {NULL, signalfd(-1, &ending, SFD_CLOEXEC)};
    struct relay_source timer = {timer_ready,
                                 timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
    uint32_t end_watched = 0, timer_watched = 0;
    relay_watch(carrier->epoll, &end, &end_watched, EPOLLIN);
    relay_watch(carrier->epoll, &timer, &timer_watched, EPOLLIN);
    uint64_t armed_us = UINT64_MAX;
    puts("ready");
    fflush(stdout);
    while (true) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(carrier->epoll, events, EVENTS_MAX, -1);
        SLU_CHECK(count >= 0 || errno == EINTR);
        uint64_t now = now_us();
        for (int i = 0; i < count; i++) {
            struct relay_source *source = events[i].data.ptr;
            if (source == &end)
                return;
            source->ready(source, events[i].events, now);
        }
        arm(timer.fd, &armed_us, relay_carrier_turn(carrier, now));
        relay_control_turn(control);
    }
}

int main(int argc, char **argv)
{
    struct options options;
    slu_streams_hold();
    read_options(&options, argc, argv);
    struct relay_carrier carrier = {.epoll = epoll_create1(EPOLL_CLOEXEC), .random = options.seed};
    struct relay_control control;
    const struct relay_pair *failed;
    carrier.pairs = calloc(options.pairs_len, sizeof *carrier.pairs);
    SLU_CHECK(carrier.epoll >= 0 && carrier.pairs != NULL);
    for (size_t i = 0; i < options.pairs_len; i++)
        add_pair(&carrier, options.listen, options.pairs[i]);
    if (relay_carrier_listen(&carrier, &failed) != 0)
        refuse("port %u of pair %u:%u: %s", ntohs(failed->listen.sin_port), failed->nodes[0],
               failed->nodes[1], strerror(errno));
    if (relay_control_listen(&control, &carrier, &options.control) != 0)
        refuse("control port %u: %s", ntohs(options.control.sin_port), strerror(errno));
    run(&carrier, &control);
    relay_control_close(&control);
    relay_carrier_close(&carrier);
    return 0;
}
