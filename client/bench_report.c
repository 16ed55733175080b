#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "client/bench.h"

static const double percentiles[] = {50, 99, 99.9};
static const char *const percentile_names[] = {"p50", "p99", "p99.9"};

static double cpu_percent(const struct slu_bench_process *process, double seconds)
{
    uint64_t used_ms = process->cpu_to_ms - process->cpu_from_ms;
    return seconds > 0 ? (double)used_ms / (seconds * 10.0) : 0;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0);
}

static uint64_t missing(const struct slu_meter_counts *counts)
{
    return counts->accepted > counts->delivered ? counts->accepted - counts->delivered : 0;
}

void slu_bench_print(const struct slu_bench_options *o, const struct slu_bench_result *r,
                     const struct slu_histogram *latency_us)
{
    const struct slu_meter_counts *c = &r->counts;
    if (o->rate)
        printf("load       open loop, %llu tx/s", (unsigned long long)o->rate);
    else
        printf("load       closed loop, %llu outstanding", (unsigned long long)o->outstanding);
    if (o->hex)
        printf(", payloads of %s", o->hex);
    else
        printf(", payloads of %llu B", (unsigned long long)o->size);
    if (o->sealed)
        printf(", sealed");
    printf(", %llu submitters on %zu nodes, read at %s\n", (unsigned long long)o->submitters,
           o->nodes.count, o->reader.at[0]);
    printf("measured   %.1f s after %llu s of warmup\n", r->seconds, (unsigned long long)o->warmup);
    printf("delivered  %.0f tx/s, %.1f MB/s\n", (double)c->measured / r->seconds,
           (double)c->measured_bytes / r->seconds / 1e6);
    printf("latency   ");
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
        printf(" %s %.2f ms ", percentile_names[i],
               (double)slu_histogram_percentile(latency_us, percentiles[i]) / 1000.0);
    printf(" max %.2f ms  mean %.2f ms  (%llu samples)\n", (double)latency_us->high / 1000.0,
           slu_histogram_mean(latency_us) / 1000.0, (unsigned long long)latency_us->samples);
    printf("in all     sent %llu, accepted %llu, refused %llu, unanswered %llu, delivered %llu, "
           "missing %llu, twice %llu\n",
           (unsigned long long)r->sent, (unsigned long long)c->accepted,
           (unsigned long long)c->refused, (unsigned long long)r->unanswered,
           (unsigned long long)c->delivered, (unsigned long long)missing(c),
           (unsigned long long)c->twice);
    for (size_t i = 0; i < c->reason_count; i++)
        printf("refused    %s: %llu\n", c->reasons[i].name,
               (unsigned long long)c->reasons[i].count);
    printf("\n%-12s %10s %12s %14s\n", "process", "pid", "CPU %core", "RSS MiB, max");
    for (size_t i = 0; i < r->process_count; i++) {
        const struct slu_bench_process *process = &r->processes[i];
        printf("%-12s %10d %12.1f %14.1f%s\n", process->name, process->pid,
               cpu_percent(process, r->seconds), mib(process->rss_bytes_max),
               process->gone ? "  (died)" : "");
    }
    fflush(stdout);
}

static json_t *latency_json(const struct slu_histogram *latency_us)
{
    json_t *latency = json_object();
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
        json_object_set_new(
            latency, percentile_names[i],
            json_real((double)slu_histogram_percentile(latency_us, percentiles[i]) / 1000.0));
    json_object_set_new(latency, "min", json_real((double)latency_us->low / 1000.0));
    json_object_set_new(latency, "max", json_real((double)latency_us->high / 1000.0));
    json_object_set_new(latency, "mean", json_real(slu_histogram_mean(latency_us) / 1000.0));
    json_object_set_new(latency, "samples", json_integer((json_int_t)latency_us->samples));
    return latency;
}

static json_t *load_json(const struct slu_bench_options *o)
{
    return json_pack("{s:I, s:I, s:I, s:s?, s:I, s:I, s:I, s:I, s:I, s:s, s:b}", "rate",
                     (json_int_t)o->rate, "outstanding",
                     o->rate ? (json_int_t)0 : (json_int_t)o->outstanding, "size",
                     o->hex ? (json_int_t)0 : (json_int_t)o->size, "hex", o->hex, "submitters",
                     (json_int_t)o->submitters, "nodes", (json_int_t)o->nodes.count, "rollup",
                     (json_int_t)o->rollup, "seconds", (json_int_t)o->seconds, "warmup",
                     (json_int_t)o->warmup, "reader", o->reader.at[0], "sealed", o->sealed);
}

static json_t *result_json(const struct slu_bench_options *o, const struct slu_bench_result *r,
                           const struct slu_histogram *latency_us)
{
    const struct slu_meter_counts *c = &r->counts;
    json_t *reasons = json_object();
    for (size_t i = 0; i < c->reason_count; i++)
        json_object_set_new(reasons, c->reasons[i].name,
                            json_integer((json_int_t)c->reasons[i].count));
    json_t *processes = json_array();
    for (size_t i = 0; i < r->process_count; i++) {
        const struct slu_bench_process *process = &r->processes[i];
        json_array_append_new(processes,
                              json_pack("{s:s, s:i, s:f, s:f, s:b}", "name", process->name, "pid",
                                        process->pid, "cpu_percent",
                                        cpu_percent(process, r->seconds), "rss_mib_max",
                                        mib(process->rss_bytes_max), "died", process->gone));
    }
    return json_pack("{s:o, s:f, s:f, s:f, s:o, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:o}",
                     "load", load_json(o), "measured_s", r->seconds, "delivered_tx_per_s",
                     (double)c->measured / r->seconds, "delivered_bytes_per_s",
                     (double)c->measured_bytes / r->seconds, "latency_ms", latency_json(latency_us),
                     "sent", (json_int_t)r->sent, "accepted", (json_int_t)c->accepted, "refused",
                     (json_int_t)c->refused, "refused_by_reason", reasons, "unanswered",
                     (json_int_t)r->unanswered, "delivered", (json_int_t)c->delivered, "missing",
                     (json_int_t)missing(c), "twice", (json_int_t)c->twice, "submitters_lost",
                     (json_int_t)r->submitters_lost, "processes", processes);
}

bool slu_bench_write_json(const struct slu_bench_options *o, const struct slu_bench_result *r,
                          const struct slu_histogram *latency_us)
{
    json_t *root = result_json(o, r, latency_us);
    bool standard = !strcmp(o->json, "-");
    FILE *file = standard ? stdout : fopen(o->json, "we");
    bool ok = root && file &&
              json_dumpf(root, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 &&
              fputc('\n', file) != EOF && fflush(file) == 0;
    if (!ok)
        slu_complain("bench", 0, "--json: %s: %s", o->json, strerror(errno));
    if (file && !standard)
        fclose(file);
    json_decref(root);
    return ok;
}
