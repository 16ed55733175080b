/* sim: runs seeds of the simulator (tests/sim/sim.h). With --behaviour, f nodes of every run
 * deviate like that (byzantine/behaviour.h; the option may be given several times). Exit 0: all
 * held; 1: a violation, with its seed and trace, or a behaviour that never did anything; 2: usage.
 */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define JOBS_MAX 64u

struct totals {
    uint64_t runs, views, blocks, delivered, dropped, accepted, events, sim_ms, nullified;
    uint64_t forced, skipped, evidence;
    uint64_t counts[SIM_N_COUNTS];
    uint64_t slowest_us, slowest_seed;
    uint64_t seed; /* being run */
    uint16_t nodes;
    bool failed;
};

struct options {
    uint64_t from, to; /* to: one past the last */
    uint16_t nodes;    /* 0: cycle */
    unsigned jobs;
    double time_limit_s;
    bool verbose, trace, check_determinism;
    struct slu_behaviours behaviours;
    char behaviour_words[512]; /* the options as given, for the replay line */
};

static struct totals *shared; /* one per job */
static struct sim *running;
static struct totals *mine;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *behaviour_words = "";

static void report_failure(uint64_t seed, const struct sim *sim)
{
    const struct sim_result *r = &sim->result;
    printf("\n");
    sim_trace_print(sim, stdout, 200);
    printf("\n");
    sim_state_print(sim, stdout);
    printf("\nseed %lu, %u nodes, at %lu ms: INVARIANT %d violated: %s\n"
           "replay: sim --seeds %lu --nodes %u%s --trace\n",
           seed, sim->plan.n, sim->now_ms, r->invariant, r->what, seed, sim->plan.n,
           behaviour_words);
    fflush(stdout);
}

/* A failed SLU_CHECK or a wild access inside a core is a violation like any other. */
static void on_signal(int number)
{
    if (running) {
        running->result.ok = false;
        running->result.invariant = 0;
        snprintf(running->result.what, sizeof running->result.what, "signal %d in a core", number);
        report_failure(mine->seed, running);
    }
    mine->failed = true;
    _exit(1);
}

static void add_up(struct totals *t, const struct sim_result *r, uint64_t seed, uint64_t us)
{
    t->runs++;
    t->views += r->views;
    t->blocks += r->blocks;
    t->delivered += r->delivered;
    t->dropped += r->dropped;
    t->accepted += r->accepted;
    t->forced += r->forced;
    t->skipped += r->skipped;
    t->evidence += r->evidence;
    t->events += r->events;
    t->sim_ms += r->ms;
    t->nullified += r->nullified;
    for (int i = 0; i < SIM_N_COUNTS; i++)
        t->counts[i] += r->counts[i];
    if (us > t->slowest_us) {
        t->slowest_us = us;
        t->slowest_seed = seed;
    }
}

static bool run_one(const struct options *o, struct totals *t, uint64_t seed, uint16_t nodes)
{
    struct sim_plan plan;
    double start = now_s();
    t->seed = seed;
    t->nodes = nodes;
    sim_plan_draw(&plan, seed, nodes);
    if (o->behaviours.set)
        sim_plan_deviate(&plan, &o->behaviours);
    struct sim *sim = running = sim_new(&plan, o->trace ? stdout : NULL);
    struct sim_result r = *sim_run(sim);
    if (!r.ok)
        report_failure(seed, sim);
    running = NULL;
    sim_free(sim);
    add_up(t, &r, seed, (uint64_t)((now_s() - start) * 1e6));
    if (o->verbose)
        printf("seed %lu nodes %u: %s hash %016lx, %lu ms, %lu views, %lu blocks, %lu delivered, "
               "%.0f us\n",
               seed, nodes, r.ok ? "ok" : "FAILED", r.hash, r.ms, r.views, r.blocks, r.delivered,
               (now_s() - start) * 1e6);
    if (r.ok && o->check_determinism) {
        sim = running = sim_new(&plan, NULL);
        struct sim_result again = *sim_run(sim);
        running = NULL;
        sim_free(sim);
        if (again.hash != r.hash) {
            printf("seed %lu, %u nodes: NOT DETERMINISTIC: %016lx, then %016lx\n", seed, nodes,
                   r.hash, again.hash);
            return false;
        }
    }
    return r.ok;
}

static uint16_t nodes_of(const struct options *o, uint64_t seed)
{
    static const uint16_t cycle[] = {4, 7, 5, 10, 1};
    return o->nodes ? o->nodes : cycle[seed % 5];
}

static int run_job(const struct options *o, unsigned job)
{
    double start = now_s(), said = start;
    mine = &shared[job];
    signal(SIGABRT, on_signal);
    signal(SIGSEGV, on_signal);
    for (uint64_t seed = o->from + job; seed < o->to; seed += o->jobs) {
        if (o->time_limit_s > 0 && now_s() - start > o->time_limit_s)
            break;
        if (!run_one(o, mine, seed, nodes_of(o, seed))) {
            mine->failed = true;
            return 1;
        }
        for (unsigned i = 0; i < o->jobs; i++)
            if (shared[i].failed)
                return 0;
        if (job == 0 && !o->verbose && now_s() - said > 10) {
            said = now_s();
            printf("... seed %lu, %.0f s\n", seed, said - start);
            fflush(stdout);
        }
    }
    return 0;
}

/* Returns whether the runs did what they are for. */
static bool summary(const struct options *o, double seconds)
{
    struct totals t = {0};
    for (unsigned j = 0; j < o->jobs; j++) {
        const struct totals *s = &shared[j];
        t.runs += s->runs, t.views += s->views, t.blocks += s->blocks;
        t.delivered += s->delivered, t.dropped += s->dropped, t.accepted += s->accepted;
        t.forced += s->forced, t.skipped += s->skipped, t.evidence += s->evidence;
        t.events += s->events, t.sim_ms += s->sim_ms, t.nullified += s->nullified;
        for (int i = 0; i < SIM_N_COUNTS; i++)
            t.counts[i] += s->counts[i];
        if (s->slowest_us > t.slowest_us) {
            t.slowest_us = s->slowest_us;
            t.slowest_seed = s->slowest_seed;
        }
    }
    printf("%lu runs, %.0f s of simulated time: %lu views (%lu nullified), %lu blocks, %lu entries "
           "delivered, %lu dropped, %lu accepted, %lu events\n"
           "out of the queue: %lu forced, %lu delivered before, %lu evidence\nfaults:",
           t.runs, (double)t.sim_ms / 1e3, t.views, t.nullified, t.blocks, t.delivered, t.dropped,
           t.accepted, t.events, t.forced, t.skipped, t.evidence);
    for (int i = 0; i < SIM_N_COUNTS; i++)
        printf(" %s %lu", sim_count_name((enum sim_count)i), t.counts[i]);
    printf("\n%.1f s, %.0f runs/s, slowest seed %lu with %.0f ms\n", seconds,
           (double)t.runs / seconds, t.slowest_seed, (double)t.slowest_us / 1e3);
    return !o->behaviours.set || t.counts[SIM_N_DEVIATIONS] > 0;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: sim [--seeds A[..B]] [--nodes N] [--jobs K] [--time-limit SECONDS] [--verbose] "
            "[--trace] [--check-determinism] [--behaviour NAME[=VALUE]]...\nbehaviours:");
    for (int i = 0; i < SLU_BEHAVIOURS; i++)
        fprintf(stderr, " %s", slu_behaviour_name((enum slu_behaviour)i));
    fputc('\n', stderr);
    return 2;
}

/* NAME or NAME=VALUE; those that need a value have one here. */
static int add_behaviour(struct options *o, const char *word)
{
    char name[64];
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    size_t words = strlen(o->behaviour_words);
    if (len >= sizeof name)
        return -1;
    memcpy(name, word, len);
    name[len] = '\0';
    const char *value = equals ? equals + 1 : "yes";
    if (!equals && !strcmp(name, slu_behaviour_name(SLU_REFUSE_ROLLUP)))
        value = "7";
    if (!equals && !strcmp(name, slu_behaviour_name(SLU_REFUSE_CLIENT)))
        value = "client-1";
    if (!equals && !strcmp(name, slu_behaviour_name(SLU_DELAY_MS)))
        value = "200";
    snprintf(o->behaviour_words + words, sizeof o->behaviour_words - words, " --behaviour %s",
             word);
    behaviour_words = o->behaviour_words;
    return slu_behaviours_set(&o->behaviours, name, value);
}

static int parse(struct options *o, int argc, char **argv)
{
    static const struct option known[] = {{"seeds", 1, NULL, 's'},
                                          {"nodes", 1, NULL, 'n'},
                                          {"jobs", 1, NULL, 'j'},
                                          {"time-limit", 1, NULL, 'l'},
                                          {"verbose", 0, NULL, 'v'},
                                          {"trace", 0, NULL, 't'},
                                          {"check-determinism", 0, NULL, 'd'},
                                          {"behaviour", 1, NULL, 'b'},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        char *rest = NULL;
        if (option == 's') {
            o->from = strtoull(optarg, &rest, 10);
            o->to = o->from + 1;
            if (!strncmp(rest, "..", 2))
                o->to = strtoull(rest + 2, &rest, 10) + 1;
        } else if (option == 'n') {
            o->nodes = (uint16_t)strtoul(optarg, &rest, 10);
        } else if (option == 'j') {
            o->jobs = (unsigned)strtoul(optarg, &rest, 10);
        } else if (option == 'l') {
            o->time_limit_s = strtod(optarg, &rest);
        } else if (option == 'b') {
            if (add_behaviour(o, optarg))
                return -1;
        } else if (option == 'v') {
            o->verbose = true;
        } else if (option == 't') {
            o->trace = true;
        } else if (option == 'd') {
            o->check_determinism = true;
        } else {
            return -1;
        }
        if (rest && *rest)
            return -1;
    }
    bool ok = optind == argc && o->from < o->to && o->nodes <= SIM_NODES_MAX && o->jobs >= 1 &&
              o->jobs <= JOBS_MAX;
    return ok ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct options o = {.from = 0, .to = 2000, .jobs = 1};
    if (parse(&o, argc, argv))
        return usage();
    size_t bytes = o.jobs * sizeof *shared;
    shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    SLU_CHECK(shared != MAP_FAILED);
    double start = now_s();
    int failed = 0;
    if (o.jobs == 1) {
        failed = run_job(&o, 0);
    } else {
        for (unsigned j = 0; j < o.jobs; j++) {
            pid_t child = fork();
            SLU_CHECK(child >= 0);
            if (child == 0) {
                int rc = run_job(&o, j);
                fflush(stdout);
                _exit(rc);
            }
        }
        int status;
        while (wait(&status) > 0)
            failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    if (!summary(&o, now_s() - start) && !failed) {
        printf("nobody deviated: the runs show nothing\n");
        failed = 1;
    }
    return failed ? 1 : 0;
}
