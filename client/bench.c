/* `sluice bench`: an open-loop load, measured at a subscriber of another node. */
#include "client/bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "client/load.h"
#include "client/pacer.h"
#include "client/procfs.h"
#include "client/sealing_options.h"
#include "client/session.h"
#include "config/genesis_json.h"
#include "sluice/error.h"

static const char usage[] =
    "usage: sluice bench --nodes URL[,URL...] [OPTION]...\n"
    "\n"
    "Submits payloads at a fixed rate, whatever the nodes do, reads them back in order at another\n"
    "node, and tells delivered tx/s, latency from each payload's intended send time to its "
    "arrival\n"
    "at the reader, and CPU and memory of the nodes.\n"
    "\n"
    "  --nodes URL,...   where to submit\n"
    "  --reader URL      where to read [the last of --nodes]\n"
    "  --rate N          tx/s; 0: as fast as delivered, with --outstanding in between [1000]\n"
    "  --outstanding N   for --rate 0 [20000]\n"
    "  --size BYTES      of a payload, at least 32 [256]\n"
    "  --hex FILE        payloads from FILE (0x-hex lines) plus 32 bytes each, instead of --size\n"
    "  --submitters K    connections, round-robin over the nodes [one per node]\n"
    "  --rollup R        for which rollup [1]\n"
    "  --sealed          seals every payload; latency is then up to its opening ...\n"
    "  --genesis FILE    ... with the committee's key, checked with this genesis\n"
    "  --seconds S       measured [10]\n"
    "  --warmup S        before that [2]\n"
    "  --drain S         longest wait for the rest, after that [10]\n"
    "  --pid-dir D       read the nodes' pids from D/node-I/pid ...\n"
    "  --pids P,...      ... or take these\n"
    "  --json FILE       the result as JSON, too; - is standard output\n"
    "\n"
    "Exit: 0 measured, all answered, everything accepted delivered once; 1 no node; 2 not so.\n";

#define SECOND_NS       UINT64_C(1000000000)
#define FIRST_HEIGHT_MS 10000u

struct bench {
    struct slu_bench_options options;
    struct slu_load load;
    struct slu_meter meter;
    struct slu_pacer pacer;
    struct slu_genesis genesis;
    struct slu_sealing sealing;
    struct slu_bench_result result;
};

/* ---- watching processes ---- */

static void add_process(struct slu_bench_result *result, const char *name, int pid)
{
    if (result->process_count > SLU_BENCH_NODES_MAX)
        return;
    struct slu_bench_process *process = &result->processes[result->process_count++];
    *process = (struct slu_bench_process){.pid = pid};
    snprintf(process->name, sizeof process->name, "%s", name);
}

static bool add_pids(struct bench *bench, const char *pids)
{
    char name[32], text[16];
    for (size_t i = 0; pids && *pids; i++) {
        uint64_t pid;
        size_t len = strcspn(pids, ",");
        snprintf(text, sizeof text, "%.*s", (int)(len < sizeof text ? len : sizeof text - 1), pids);
        if (i == SLU_BENCH_NODES_MAX ||
            !slu_argument_number("bench", "--pids", text, 1, INT32_MAX, &pid))
            return false;
        snprintf(name, sizeof name, "process %zu", i);
        add_process(&bench->result, name, (int)pid);
        pids += len + (pids[len] == ',');
    }
    for (unsigned i = 0; bench->options.pid_dir && i < SLU_BENCH_NODES_MAX; i++) {
        char path[4096];
        int pid;
        snprintf(path, sizeof path, "%s/node-%u/pid", bench->options.pid_dir, i);
        if (!slu_proc_pid_file(path, &pid))
            continue;
        snprintf(name, sizeof name, "node %u", i);
        add_process(&bench->result, name, pid);
    }
    if (bench->options.pid_dir && bench->result.process_count == 0) {
        slu_complain("bench", 0, "--pid-dir: no %s/node-I/pid", bench->options.pid_dir);
        return false;
    }
    add_process(&bench->result, "bench", (int)getpid());
    return true;
}

static void sample(struct slu_bench_result *result, bool first)
{
    for (size_t i = 0; i < result->process_count; i++) {
        struct slu_bench_process *process = &result->processes[i];
        uint64_t cpu_ms, rss_bytes;
        if (!slu_proc_cpu_ms(process->pid, &cpu_ms) ||
            !slu_proc_rss_bytes(process->pid, &rss_bytes)) {
            process->gone = true;
            continue;
        }
        if (first)
            process->cpu_from_ms = cpu_ms;
        process->cpu_to_ms = cpu_ms;
        if (rss_bytes > process->rss_bytes_max)
            process->rss_bytes_max = rss_bytes;
    }
}

/* ---- the run ---- */

static void sleep_until(uint64_t at_ns)
{
    struct timespec at = {.tv_sec = (time_t)(at_ns / SECOND_NS),
                          .tv_nsec = (long)(at_ns % SECOND_NS)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        continue;
}

/* Subscribes and waits for a first height: the load starts when the reader reads. */
static struct slu_session *open_reader(struct bench *bench)
{
    struct slu_session_config config = {
        .url = bench->options.reader.at[0],
        .timeout_ms = SLU_CONNECT_MS,
        .on_reply = slu_meter_on_height,
        .context = &bench->meter,
    };
    struct slu_session *session;
    char why[256] = "no height came";
    if (slu_session_open(&session, &config, why, sizeof why)) {
        slu_complain("bench", 0, "no node: %s", why);
        return NULL;
    }
    Slu__Client__Subscribe subscribe = SLU__CLIENT__SUBSCRIBE__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    subscribe.rollup = bench->options.rollup;
    subscribe.every_height = true;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &subscribe;
    uint64_t end_ms = slu_now_ms() + FIRST_HEIGHT_MS;
    bool ok = slu_session_send(session, &request) == SLU_OK;
    struct slu_meter_counts counts = slu_meter_read(&bench->meter);
    while (ok && counts.height == 0 && !counts.reader_failed && slu_now_ms() < end_ms &&
           !slu_session_is_down(session)) {
        sleep_until(slu_now_ns() + 5000000u);
        counts = slu_meter_read(&bench->meter);
    }
    if (counts.height > 0)
        return session;
    if (counts.reader_failed)
        snprintf(why, sizeof why, "%s", counts.failure);
    slu_complain("bench", 0, "%s: %s", config.url, why);
    slu_session_close(session);
    return NULL;
}

static bool reader_ok(struct bench *bench, struct slu_session *reader)
{
    struct slu_meter_counts counts = slu_meter_read(&bench->meter);
    char why[256] = "";
    if (counts.reader_failed)
        snprintf(why, sizeof why, "%s", counts.failure);
    else if (slu_session_is_down(reader))
        slu_session_reason(reader, why, sizeof why);
    if (*why)
        slu_complain("bench", 0, "the reader is lost: %s", why);
    return !*why;
}

/* Sends until the window is over, sampling the processes every second. */
static bool run_load(struct bench *bench, struct slu_session *reader)
{
    const struct slu_bench_options *o = &bench->options;
    uint64_t start_ns = slu_now_ns() + 50000000u;
    uint64_t from_ns = start_ns + o->warmup * SECOND_NS;
    uint64_t to_ns = from_ns + o->seconds * SECOND_NS;
    pthread_mutex_lock(&bench->meter.lock);
    bench->meter.from_ns = from_ns;
    bench->meter.to_ns = to_ns;
    pthread_mutex_unlock(&bench->meter.lock);
    bench->pacer.start_ns = bench->pacer.moved_ns = start_ns;
    bench->pacer.end_ns = to_ns;
    uint64_t sample_ns = from_ns, wake_ns = start_ns;
    while (wake_ns < to_ns) {
        sleep_until(wake_ns);
        uint64_t now_ns = slu_now_ns();
        if (now_ns >= sample_ns) {
            sample(&bench->result, sample_ns == from_ns);
            sample_ns += SECOND_NS;
            if (!reader_ok(bench, reader))
                return false;
        }
        if (slu_pacer_lost(&bench->pacer) == bench->pacer.count)
            return slu_complain("bench", 0, "every submitter is lost");
        wake_ns = slu_pacer_step(&bench->pacer, now_ns);
    }
    sleep_until(to_ns);
    sample(&bench->result, false);
    bench->result.seconds = (double)o->seconds;
    slu_pacer_step(&bench->pacer, slu_now_ns());
    return true;
}

static void drain(struct bench *bench, struct slu_session *reader)
{
    uint64_t end_ns = slu_now_ns() + bench->options.drain * SECOND_NS;
    struct slu_meter_counts counts;
    for (;;) {
        if (bench->options.rate > 0)
            slu_pacer_step(&bench->pacer, slu_now_ns());
        counts = slu_meter_read(&bench->meter);
        bool answered = counts.accepted + counts.refused >= bench->pacer.next;
        bool done = answered && counts.delivered >= counts.accepted;
        if (done || slu_now_ns() >= end_ns || slu_session_is_down(reader))
            break;
        sleep_until(slu_now_ns() + 5000000u);
    }
    bench->result.counts = counts;
    bench->result.sent = bench->pacer.next;
    bench->result.submitters_lost = slu_pacer_lost(&bench->pacer);
    uint64_t answered = counts.accepted + counts.refused;
    bench->result.unanswered = bench->pacer.next > answered ? bench->pacer.next - answered : 0;
}

/* The committee's key, from the first node; false after a complaint. */
static bool get_key(struct bench *bench)
{
    struct slu_session_config config = {.url = bench->options.nodes.at[0],
                                        .timeout_ms = SLU_CONNECT_MS};
    struct slu_session *session;
    char why[256];
    if (slu_genesis_load(&bench->genesis, bench->options.genesis, why, sizeof why)) {
        slu_complain("bench", 0, "--genesis: %s", why);
        return false;
    }
    bench->sealing.command = "bench";
    bench->sealing.on = true;
    if (!slu_sealing_use(&bench->sealing, &bench->genesis))
        return false;
    if (slu_session_open(&session, &config, why, sizeof why)) {
        slu_complain("bench", 0, "no node: %s", why);
        return false;
    }
    int rc = slu_sealing_refresh(&bench->sealing, session, why, sizeof why);
    slu_sealing_warn(&bench->sealing);
    slu_session_close(session);
    if (rc)
        slu_complain("bench", 0, "%s: %s", config.url, why);
    return rc == SLU_OK;
}

static int measure(struct bench *bench)
{
    if (bench->options.sealed && !get_key(bench))
        return SLU_EXIT_NO_NODE;
    struct slu_session *reader = open_reader(bench);
    if (!reader)
        return SLU_EXIT_NO_NODE;
    int code = SLU_EXIT_NO_NODE;
    if (slu_pacer_open(&bench->pacer, &bench->options, &bench->load,
                       bench->options.sealed ? &bench->sealing : NULL, &bench->meter) &&
        run_load(bench, reader)) {
        drain(bench, reader);
        const struct slu_meter_counts *counts = &bench->result.counts;
        code = counts->delivered >= counts->accepted && counts->twice == 0 &&
                       bench->result.unanswered == 0
                   ? SLU_EXIT_OK
                   : SLU_EXIT_NOT_ALL;
    }
    slu_pacer_close(&bench->pacer);
    slu_session_close(reader);
    if (code == SLU_EXIT_NO_NODE)
        return code;
    bool only_json = bench->options.json && !strcmp(bench->options.json, "-");
    if (!only_json)
        slu_bench_print(&bench->options, &bench->result, &bench->meter.latency_us);
    if (bench->options.json &&
        !slu_bench_write_json(&bench->options, &bench->result, &bench->meter.latency_us))
        return SLU_EXIT_NOT_ALL;
    return code;
}

/* ---- arguments ---- */

/* The options that are numbers: their ranges, and where they go. */
static const struct {
    const char *name;
    uint64_t low, high;
    size_t offset;
} numbers[] = {
    {"rate", 0, 10000000, offsetof(struct slu_bench_options, rate)},
    {"outstanding", 1, 10000000, offsetof(struct slu_bench_options, outstanding)},
    {"size", SLU_LOAD_TAIL_BYTES, SLU_TX_BYTES_MAX_CAP, offsetof(struct slu_bench_options, size)},
    {"submitters", 1, SLU_BENCH_SUBMITTERS_MAX, offsetof(struct slu_bench_options, submitters)},
    {"rollup", 1, SLU_ROLLUP_ID_MAX, offsetof(struct slu_bench_options, rollup)},
    {"seconds", 1, 86400, offsetof(struct slu_bench_options, seconds)},
    {"warmup", 0, 86400, offsetof(struct slu_bench_options, warmup)},
    {"drain", 0, 86400, offsetof(struct slu_bench_options, drain)},
};

#define NUMBERS       (sizeof numbers / sizeof *numbers)
#define OPTION_NUMBER 256 /* + index into numbers */

static bool parse(int argc, char **argv, struct bench *bench, int *code)
{
    struct slu_bench_options *o = &bench->options;
    struct option longs[NUMBERS + 10] = {
        {"nodes", required_argument, NULL, 'n'}, {"reader", required_argument, NULL, 'r'},
        {"hex", required_argument, NULL, 'x'},   {"pid-dir", required_argument, NULL, 'd'},
        {"pids", required_argument, NULL, 'p'},  {"json", required_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},        {"sealed", no_argument, NULL, 's'},
        {"genesis", required_argument, NULL, 'g'},
    };
    const char *pids = NULL;
    bool ok = true;
    int option;
    for (size_t i = 0; i < NUMBERS; i++)
        longs[9 + i] =
            (struct option){numbers[i].name, required_argument, NULL, OPTION_NUMBER + (int)i};
    *code = SLU_EXIT_NOT_ALL;
    while (ok && (option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'n')
            ok = slu_argument_urls("bench", "--nodes", optarg, &o->nodes);
        else if (option == 'r')
            ok = slu_argument_urls("bench", "--reader", optarg, &o->reader);
        else if (option == 'x')
            o->hex = optarg;
        else if (option == 'd')
            o->pid_dir = optarg;
        else if (option == 'p')
            pids = optarg;
        else if (option == 'j')
            o->json = optarg;
        else if (option == 's')
            o->sealed = true;
        else if (option == 'g')
            o->genesis = optarg;
        else if (option >= OPTION_NUMBER) {
            size_t i = (size_t)(option - OPTION_NUMBER);
            char name[32];
            snprintf(name, sizeof name, "--%s", numbers[i].name);
            ok = slu_argument_number("bench", name, optarg, numbers[i].low, numbers[i].high,
                                     (uint64_t *)(void *)((char *)o + numbers[i].offset));
        } else {
            fputs(usage, option == 'h' ? stdout : stderr);
            *code = option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
            return false;
        }
    }
    if (ok && (o->nodes.count == 0 || optind < argc)) {
        slu_complain("bench", 0, "needs --nodes URL[,URL...]");
        ok = false;
    }
    if (ok && o->sealed != (o->genesis != NULL)) {
        slu_complain("bench", 0, "--sealed and --genesis FILE belong together");
        ok = false;
    }
    return ok && add_pids(bench, pids);
}

int slu_command_bench(int argc, char **argv)
{
    static struct bench bench;
    struct slu_bench_options *o = &bench.options;
    memset(&bench, 0, sizeof bench);
    *o = (struct slu_bench_options){.rate = 1000,
                                    .outstanding = 20000,
                                    .size = 256,
                                    .rollup = 1,
                                    .seconds = 10,
                                    .warmup = 2,
                                    .drain = 10};
    char why[512];
    int code;
    if (!parse(argc, argv, &bench, &code))
        return code;
    if (o->reader.count == 0 &&
        !slu_argument_urls("bench", "--nodes", o->nodes.at[o->nodes.count - 1], &o->reader))
        return SLU_EXIT_NOT_ALL;
    if (o->submitters == 0)
        o->submitters = o->nodes.count;
    int rc = o->hex ? slu_load_of_file(&bench.load, o->hex, why, sizeof why)
                    : slu_load_of_size(&bench.load, (size_t)o->size);
    if (rc)
        return slu_complain("bench", SLU_EXIT_NOT_ALL, "%s", o->hex ? why : slu_strerror(rc));
    slu_meter_init(&bench.meter, &bench.load);
    code = measure(&bench);
    slu_meter_free(&bench.meter);
    slu_load_free(&bench.load);
    return code;
}
