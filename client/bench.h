/* What `sluice bench` was asked and what it found: shared by the run (bench.c), the pacing of the
 * submissions (pacer.c) and the report (bench_report.c). */
#ifndef SLU_CLIENT_BENCH_H
#define SLU_CLIENT_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "client/command.h"
#include "client/meter.h"

#define SLU_BENCH_SUBMITTERS_MAX 64u
#define SLU_BENCH_NODES_MAX      64u

struct slu_bench_options {
    struct slu_urls nodes;
    struct slu_urls reader;
    const char *hex, *pid_dir, *json;
    const char *genesis; /* of a sealed load: what the committee's key is checked with */
    bool sealed;
    uint64_t rate;        /* tx/s; 0: closed loop */
    uint64_t outstanding; /* of a closed loop */
    uint64_t size, submitters, rollup, seconds, warmup, drain;
};

/** A process whose CPU time and memory are watched. */
struct slu_bench_process {
    char name[32];
    int pid;
    bool gone;
    uint64_t cpu_from_ms, cpu_to_ms;
    uint64_t rss_bytes_max;
};

struct slu_bench_result {
    double seconds; /* measured */
    uint64_t sent;
    uint64_t unanswered; /* sent, never answered */
    uint64_t submitters_lost;
    struct slu_meter_counts counts;
    size_t process_count;
    struct slu_bench_process processes[SLU_BENCH_NODES_MAX + 1]; /* the last: bench itself */
};

/** Prints the table that people read. */
void slu_bench_print(const struct slu_bench_options *options, const struct slu_bench_result *result,
                     const struct slu_histogram *latency_us);
/** Writes the same as one JSON object to options->json; "-" is standard output. False after a
 * complaint. */
SLU_MUST_USE bool slu_bench_write_json(const struct slu_bench_options *options,
                                       const struct slu_bench_result *result,
                                       const struct slu_histogram *latency_us);

#endif
