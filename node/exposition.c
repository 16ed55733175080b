#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/clock.h"
#include "node/survey.h"

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(FILE *out, const char *name, const char *type, const char *help, uint64_t value)
{
    head(out, name, type, help);
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void own_table(FILE *out, struct slu_metrics *m)
{
    for (unsigned i = 0; i < SLU_METRICS; i++) {
        const struct slu_metric_row *row = slu_metric_row((enum slu_metric)i);
        if (i == 0 || strcmp(slu_metric_row((enum slu_metric)(i - 1))->name, row->name) != 0)
            head(out, row->name, row->type, row->help);
        uint64_t value = slu_metrics_get(m, (enum slu_metric)i);
        if (row->labels[0] == '\0')
            fprintf(out, "%s %" PRIu64 "\n", row->name, value);
        else
            fprintf(out, "%s{%s} %" PRIu64 "\n", row->name, row->labels, value);
    }
}

static void histograms(FILE *out, struct slu_metrics *m)
{
    for (unsigned h = 0; h < SLU_HISTOGRAMS; h++) {
        const struct slu_metric_row *row = slu_histogram_row((enum slu_histogram)h);
        uint64_t sum = 0;
        double bound_s = SLU_HISTOGRAM_FIRST_US * 1e-6;
        head(out, row->name, row->type, row->help);
        for (unsigned b = 0; b + 1 < SLU_HISTOGRAM_BUCKETS; b++, bound_s *= 2) {
            sum += atomic_load(&m->histograms[h].buckets[b]);
            fprintf(out, "%s_bucket{le=\"%.6g\"} %" PRIu64 "\n", row->name, bound_s, sum);
        }
        sum += atomic_load(&m->histograms[h].buckets[SLU_HISTOGRAM_BUCKETS - 1]);
        fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", row->name, sum);
        fprintf(out, "%s_sum %.6f\n", row->name,
                (double)atomic_load(&m->histograms[h].sum_us) * 1e-6);
        fprintf(out, "%s_count %" PRIu64 "\n", row->name, sum);
    }
}

static void core(FILE *out, const struct slu_survey *s, const struct slu_core_view *view)
{
    const struct slu_core_stats *c = &view->stats;
    struct slu_place place = slu_gateway_place(s->gateway);
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } rows[] = {
        {"sluice_height", "gauge", "Last delivered height.", place.height},
        {"sluice_opened_height", "gauge", "Height up to which readers see.", c->opened_height},
        {"sluice_released_height", "gauge", "Height of this node's newest release.",
         c->released_height},
        {"sluice_certified_height", "gauge", "Height up to which releases are certified.",
         c->certified_height},
        {"sluice_releases_signed_total", "counter", "Releases signed.", c->releases_signed},
        {"sluice_final_height", "gauge", "Last final height known.", c->final_height},
        {"sluice_view", "gauge", "Current view.", c->view},
        {"sluice_final_view", "gauge", "Last final view.", c->final_view},
        {"sluice_stream_time_ms", "gauge", "Stream time in milliseconds.", place.stream_ms},
        {"sluice_ordering", "gauge", "1 when the delivered height rose lately.",
         slu_survey_ordering(s, view)},
        {"sluice_rejoining", "gauge", "1 while the node holds back its votes.", view->rejoining},
        {"sluice_views_notarized_total", "counter", "Views notarized.", c->views_notarized},
        {"sluice_views_nullified_total", "counter", "Views nullified.", c->views_nullified},
        {"sluice_views_skipped_total", "counter", "Views of silent leaders skipped.",
         c->views_skipped},
        {"sluice_blocks_proposed_total", "counter", "Blocks proposed.", c->blocks_proposed},
        {"sluice_blocks_final_total", "counter", "Blocks final.", c->blocks_final},
        {"sluice_blocks_empty_total", "counter", "Delivered blocks without batches.",
         c->blocks_empty},
        {"sluice_batches_made_total", "counter", "Own batches made.", c->batches_made},
        {"sluice_batches_held_total", "counter", "Batches stored.", c->batches_held},
        {"sluice_batches_adopted_total", "counter", "Batches of another chain adopted.",
         c->batches_adopted},
        {"sluice_batches_refused_total", "counter", "Batches refused.", c->batches_refused},
        {"sluice_headers_dropped_total", "counter", "Batch headers dropped for want of a place.",
         c->headers_dropped},
        {"sluice_ack_vectors_sent_total", "counter", "Ack vectors sent.", c->acks_sent},
        {"sluice_reports_sent_total", "counter", "Reports sent.", c->reports_sent},
        {"sluice_fetches_sent_total", "counter", "Fetches sent.", c->fetches_sent},
        {"sluice_fetches_served_total", "counter", "Fetches answered from memory.",
         c->fetches_served},
        {"sluice_fetch_retries_total", "counter", "Fetches sent again.", c->fetch_retries},
        {"sluice_txs_admitted_total", "counter", "Transactions taken into the own lane.",
         c->txs_admitted},
        {"sluice_txs_known_total", "counter", "Submissions of ids known already.", c->txs_known},
        {"sluice_txs_delivered_total", "counter", "Entries delivered.", c->txs_delivered},
        {"sluice_delivered_bytes_total", "counter", "Payload bytes delivered.", c->bytes_delivered},
        {"sluice_equivocations_total", "counter", "Contradicting signatures seen.",
         c->equivocations_seen},
        {"sluice_own_pending_txs", "gauge", "Own transactions not delivered yet.",
         c->own_pending_txs},
        {"sluice_own_pending_bytes", "gauge", "Bytes of the own lane not committed yet.",
         c->own_pending_bytes},
        {"sluice_dedup_entries", "gauge", "Ids remembered in the dedup window.", c->dedup_entries},
        {"sluice_freezes_signed_total", "counter", "Lanes frozen for rejoining nodes.",
         c->freezes_signed},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        single(out, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
    head(out, "sluice_votes_sent_total", "counter", "Votes sent.");
    fprintf(out, "sluice_votes_sent_total{kind=\"notarize\"} %" PRIu64 "\n",
            c->votes_sent[SLU_NOTARIZE]);
    fprintf(out, "sluice_votes_sent_total{kind=\"nullify\"} %" PRIu64 "\n",
            c->votes_sent[SLU_NULLIFY]);
    fprintf(out, "sluice_votes_sent_total{kind=\"finalize\"} %" PRIu64 "\n",
            c->votes_sent[SLU_FINALIZE]);
    head(out, "sluice_txs_dropped_total", "counter", "Transactions dropped when ordered.");
    for (unsigned i = 1; i < SLU_DROP_COUNT; i++)
        fprintf(out, "sluice_txs_dropped_total{reason=\"%s\"} %" PRIu64 "\n",
                slu_drop_name((enum slu_drop)i), c->txs_dropped[i]);
}

static void sealed(FILE *out, const struct slu_core_stats *c)
{
    head(out, "sluice_sealed_total", "counter", "Sealed entries, by what became of them.");
    fprintf(out, "sluice_sealed_total{outcome=\"ordered\"} %" PRIu64 "\n", c->sealed_ordered);
    fprintf(out, "sluice_sealed_total{outcome=\"opened\"} %" PRIu64 "\n", c->sealed_opened);
    fprintf(out, "sluice_sealed_total{outcome=\"void\"} %" PRIu64 "\n", c->sealed_void);
    single(out, "sluice_calendar_entries", "gauge", "Sealed entries that wait.",
           c->calendar_entries);
    single(out, "sluice_calendar_bytes", "gauge", "Bytes of sealed entries that wait.",
           c->calendar_bytes);
    single(out, "sluice_shares_sent_total", "counter", "Messages of shares sent.", c->shares_sent);
    head(out, "sluice_shares_refused_total", "counter", "Messages of shares that did not count.");
    fprintf(out, "sluice_shares_refused_total{reason=\"unusable\"} %" PRIu64 "\n",
            c->shares_refused);
    fprintf(out, "sluice_shares_refused_total{reason=\"wrong\"} %" PRIu64 "\n", c->shares_wrong);
}

static void per_node(FILE *out, const struct slu_survey *s, const struct slu_core_view *view)
{
    head(out, "sluice_lane_certified", "gauge", "Highest certified position of a lane.");
    for (uint16_t i = 0; i < s->genesis->n; i++)
        fprintf(out, "sluice_lane_certified{lane=\"%u\"} %" PRIu64 "\n", (unsigned)i,
                view->lanes[i].certified.position);
    head(out, "sluice_lane_window_bytes", "gauge", "Bytes held above a lane's committed cut.");
    for (uint16_t i = 0; i < s->genesis->n; i++)
        fprintf(out, "sluice_lane_window_bytes{lane=\"%u\"} %" PRIu64 "\n", (unsigned)i,
                view->lanes[i].window_bytes);
    head(out, "sluice_peer_connected", "gauge", "1 while a link to the peer is up.");
    for (uint16_t i = 0; i < s->genesis->n; i++) {
        struct slu_peer_status status;
        if (i == s->self)
            continue;
        slu_peers_status(s->peers, i, &status);
        fprintf(out, "sluice_peer_connected{peer=\"%u\"} %d\n", (unsigned)i, status.connected);
    }
}

static void queues(FILE *out, const struct slu_survey *s)
{
    const struct {
        const char *name;
        struct slu_ring_fill fill;
    } rows[] = {{"core", slu_runtime_fill(s->runtime)},
                {"history", slu_history_fill(s->history)},
                {"gateway", slu_gateway_fill(s->gateway)}};
    head(out, "sluice_queue_items", "gauge", "Items waiting in a queue.");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fprintf(out, "sluice_queue_items{queue=\"%s\"} %u\n", rows[i].name, rows[i].fill.items);
    head(out, "sluice_queue_bytes", "gauge", "Bytes waiting in a queue.");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fprintf(out, "sluice_queue_bytes{queue=\"%s\"} %zu\n", rows[i].name, rows[i].fill.bytes);
    head(out, "sluice_queue_refused_total", "counter", "Items that met a full queue.");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fprintf(out, "sluice_queue_refused_total{queue=\"%s\"} %" PRIu64 "\n", rows[i].name,
                rows[i].fill.refused);
}

static void links(FILE *out, const struct slu_survey *s)
{
    struct slu_link_stats stats[2];
    static const char *const side[2] = {"peers", "clients"};
    slu_link_counters_read(s->peer_links, &stats[0]);
    slu_link_counters_read(s->client_links, &stats[1]);
#define LINK_ROW(name, type, help, field)                                                          \
    head(out, name, type, help);                                                                   \
    for (int i = 0; i < 2; i++)                                                                    \
        fprintf(out, name "{side=\"%s\"} %" PRIu64 "\n", side[i], stats[i].field);
    LINK_ROW("sluice_links_open", "gauge", "Connections, handshakes included.", links_open)
    LINK_ROW("sluice_links_up_total", "counter", "Links that passed the handshake.", handshakes_ok)
    LINK_ROW("sluice_link_received_bytes_total", "counter", "Bytes received.", bytes_in)
    LINK_ROW("sluice_link_sent_bytes_total", "counter", "Bytes sent.", bytes_out)
    LINK_ROW("sluice_link_received_frames_total", "counter", "Frames received.", frames_in)
    LINK_ROW("sluice_link_sent_frames_total", "counter", "Frames sent.", frames_out)
    LINK_ROW("sluice_link_refused_rate_total", "counter",
             "Connections of addresses with too many failed handshakes.", refused_rate)
    LINK_ROW("sluice_link_refused_full_total", "counter", "Connections beyond a bound.",
             refused_full)
    LINK_ROW("sluice_link_bad_records_total", "counter", "Links dropped for a bad record.",
             bad_records)
    LINK_ROW("sluice_link_idle_drops_total", "counter", "Links dropped for silence.", idle_drops)
#undef LINK_ROW
    head(out, "sluice_handshakes_failed_total", "counter", "Failed handshakes, by reason.");
    for (int i = 0; i < 2; i++) {
        for (unsigned f = 0; f < SLU_LINK_FAILS; f++)
            fprintf(out, "sluice_handshakes_failed_total{side=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
                    side[i], slu_link_fail_name((enum slu_link_fail)f),
                    stats[i].handshakes_failed[f]);
    }
}

/* Resident bytes and processor time, under the names that Prometheus' own libraries use. */
static void process(FILE *out)
{
    unsigned long long size = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    struct timespec cpu;
    if (statm != NULL) {
        if (fscanf(statm, "%llu %llu", &size, &resident) != 2)
            resident = 0;
        fclose(statm);
    }
    single(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
           (uint64_t)resident * 4096u);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    head(out, "process_cpu_seconds_total", "counter", "User and system CPU time in seconds.");
    fprintf(out, "process_cpu_seconds_total %lld.%03ld\n", (long long)cpu.tv_sec,
            cpu.tv_nsec / 1000000);
}

char *slu_survey_metrics(const struct slu_survey *s, size_t *len)
{
    char *text = NULL;
    struct slu_disk_usage usage;
    struct slu_core_view *view = malloc(sizeof *view);
    FILE *out = view == NULL ? NULL : open_memstream(&text, len);
    if (out == NULL) {
        free(view);
        return NULL;
    }
    slu_runtime_view(s->runtime, view);
    core(out, s, view);
    sealed(out, &view->stats);
    per_node(out, s, view);
    own_table(out, s->metrics);
    histograms(out, s->metrics);
    queues(out, s);
    links(out, s);
    slu_disk_usage_read(s->disk, &usage);
    single(out, "sluice_store_memory_bytes", "gauge", "Memory of the store.", usage.memory_bytes);
    single(out, "sluice_store_file_bytes", "gauge", "Table and blob files of the store.",
           usage.file_bytes);
    single(out, "sluice_uptime_seconds", "gauge", "Since the node started.",
           (slu_monotonic_ms() - s->started_ms) / 1000u);
    process(out);
    free(view);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
