#include "node/program.h"

#include <getopt.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/streams.h"
#include "node/daemon.h"
#include "node/log.h"
#include "node/version.h"

#define EXIT_CLEAN   0
#define EXIT_FAILED  1 /* while running */
#define EXIT_REFUSED 2 /* did not start */

static const char usage[] =
    "usage: sluiced --config FILE\n"
    "\n"
    "Runs one node until SIGTERM or SIGINT. `sluice genesis` writes config\n"
    "files that explain every field.\n"
    "\n"
    "  --config FILE  the node's config\n"
    "  --version      print the version\n"
    "\n"
    "Exit: 0 stopped, 1 failed while running, 2 did not start.\n";

static const char *parse(int argc, char **argv, int *code)
{
    static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
                                          {"version", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    const char *path = NULL;
    int option;
    *code = EXIT_REFUSED;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'c') {
            path = optarg;
        } else if (option == 'v') {
            printf("sluiced %s\n", slu_version);
            *code = EXIT_CLEAN;
            return NULL;
        } else {
            fputs(usage, option == 'h' ? stdout : stderr);
            *code = option == 'h' ? EXIT_CLEAN : EXIT_REFUSED;
            return NULL;
        }
    }
    if (path == NULL || optind < argc) {
        fputs(usage, stderr);
        return NULL;
    }
    return path;
}

/* Sleeps until a signal or a failure; true for a failure. */
static bool wait_for_end(int signals, int failure)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = failure, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) <= 0)
            continue;
        if (fds[1].revents != 0)
            return true;
        if (fds[0].revents != 0)
            return false;
    }
}

int slu_sluiced_main(int argc, char **argv, const struct slu_door *door)
{
    char why[1024];
    int code;
    slu_streams_hold();
    const char *path = parse(argc, argv, &code);
    if (path == NULL)
        return code;
    /* Few arenas: buffers are allocated on one thread and freed on another. */
    mallopt(M_ARENA_MAX, 2);
    /* Set, so that they do not grow: freed buffers go back to the system. */
    mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, 8 * 1024 * 1024);
    signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    struct slu_daemon *daemon;
    if (signals < 0 || sodium_init() < 0) {
        fputs("sluiced: no signals or no randomness from the system\n", stderr);
        return EXIT_REFUSED;
    }
    if (slu_daemon_start(&daemon, path, door, why, sizeof why) != 0) {
        fprintf(stderr, "sluiced: %s\n", why);
        return EXIT_REFUSED;
    }
    bool failed = wait_for_end(signals, slu_daemon_failure_fd(daemon));
    if (failed)
        slu_log(SLU_LOG_ERROR, "event=failed reason=\"%s\"", slu_daemon_failure(daemon));
    else
        slu_log(SLU_LOG_INFO, "event=stopping");
    slu_daemon_stop(daemon);
    slu_log(SLU_LOG_INFO, "event=stopped");
    return failed ? EXIT_FAILED : EXIT_CLEAN;
}
