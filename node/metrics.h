/* What the daemon counts about itself, in one table of Prometheus names. Names are never changed
 * once released. The core's own counters (slu_core_stats), the links' and the queues' are added
 * when the page is rendered (node/exposition.h). Any thread; relaxed atomics. */
#ifndef SLU_NODE_METRICS_H
#define SLU_NODE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

/* X(ENUM, name, labels, type, help); rows of one name stand together. */
#define SLU_METRIC_TABLE(X)                                                                        \
    X(TURNS, "sluice_turns_total", "", "counter", "Event-loop turns of the core.")                 \
    X(COMMITS, "sluice_commits_total", "", "counter", "Writes of the store.")                      \
    X(COMMIT_BYTES, "sluice_commit_bytes_total", "", "counter", "Bytes of records written.")       \
    X(PEER_FRAMES, "sluice_peer_frames_total", "", "counter", "Frames from peers.")                \
    X(PEER_BAD_FORM, "sluice_peer_refused_total", "reason=\"malformed\"", "counter",               \
      "Frames from peers that were refused.")                                                      \
    X(PEER_BAD_SIGNATURE, "sluice_peer_refused_total", "reason=\"signature\"", "counter", "")      \
    X(SIGNATURES_CHECKED, "sluice_signatures_checked_total", "", "counter",                        \
      "Ed25519 signatures verified.")                                                              \
    X(SIGNATURES_KNOWN, "sluice_signatures_known_total", "", "counter",                            \
      "Signatures that had been verified before.")                                                 \
    X(SENT, "sluice_messages_sent_total", "", "counter", "Messages queued to a peer's link.")      \
    X(SEND_BUSY, "sluice_messages_unsent_total", "reason=\"queue_full\"", "counter",               \
      "Messages not sent; the protocol repeats what matters.")                                     \
    X(SEND_DOWN, "sluice_messages_unsent_total", "reason=\"no_link\"", "counter", "")              \
    X(SERVED, "sluice_fetches_from_store_total", "", "counter",                                    \
      "Fetches of peers answered from the store.")                                                 \
    X(SERVE_DROPPED, "sluice_fetches_dropped_total", "", "counter",                                \
      "Fetches of peers dropped because too many waited.")                                         \
    X(BODIES_READ, "sluice_bodies_read_total", "", "counter", "Batches read back for delivery.")   \
    X(CLIENTS, "sluice_clients", "", "gauge", "Client links that are up.")                         \
    X(SUBSCRIBERS, "sluice_subscribers", "", "gauge", "Open subscriptions.")                       \
    X(REQUEST_SUBMIT, "sluice_requests_total", "kind=\"submit\"", "counter",                       \
      "Requests of clients.")                                                                      \
    X(REQUEST_QUERY, "sluice_requests_total", "kind=\"query\"", "counter", "")                     \
    X(REQUEST_FORCE, "sluice_requests_total", "kind=\"force\"", "counter", "")                     \
    X(REQUEST_RECEIPT, "sluice_requests_total", "kind=\"receipt\"", "counter", "")                 \
    X(REQUEST_TERMS, "sluice_requests_total", "kind=\"terms\"", "counter", "")                     \
    X(REQUEST_EVIDENCE, "sluice_requests_total", "kind=\"evidence\"", "counter", "")               \
    X(REQUEST_KEY, "sluice_requests_total", "kind=\"key\"", "counter", "")                         \
    X(REQUEST_PROOF, "sluice_requests_total", "kind=\"proof\"", "counter", "")                     \
    X(REQUEST_AUDIT, "sluice_requests_total", "kind=\"audit\"", "counter", "")                     \
    X(REQUEST_SUBSCRIBE, "sluice_requests_total", "kind=\"subscribe\"", "counter", "")             \
    X(REQUEST_STATUS, "sluice_requests_total", "kind=\"status\"", "counter", "")                   \
    X(REQUEST_MALFORMED, "sluice_requests_refused_total", "reason=\"malformed\"", "counter",       \
      "Requests of clients that were refused as a whole.")                                         \
    X(REQUEST_BUSY, "sluice_requests_refused_total", "reason=\"busy\"", "counter", "")             \
    X(REQUEST_BELOW, "sluice_requests_refused_total", "reason=\"below_retention\"", "counter", "") \
    X(CLIENT_SLOW, "sluice_clients_closed_total", "reason=\"unread_replies\"", "counter",          \
      "Client links closed by this node.")                                                         \
    X(CLIENT_FLOOD, "sluice_clients_closed_total", "reason=\"requests_full\"", "counter", "")      \
    X(TX_ACCEPTED, "sluice_txs_accepted_total", "", "counter",                                     \
      "Transactions that clients were told are accepted.")                                         \
    X(TX_RATE_CLIENT, "sluice_txs_refused_total", "reason=\"rate_client\"", "counter",             \
      "Transactions refused to clients, by reason.")                                               \
    X(TX_RATE_ROLLUP, "sluice_txs_refused_total", "reason=\"rate_rollup\"", "counter", "")         \
    X(TX_RATE_SEALED, "sluice_txs_refused_total", "reason=\"rate_sealed\"", "counter", "")         \
    X(TX_LANE_FULL, "sluice_txs_refused_total", "reason=\"lane_full\"", "counter", "")             \
    X(TX_BEHIND, "sluice_txs_refused_total", "reason=\"catching_up\"", "counter", "")              \
    X(TX_FORM, "sluice_txs_refused_total", "reason=\"form\"", "counter", "")                       \
    X(TX_BUSY, "sluice_txs_refused_total", "reason=\"busy\"", "counter", "")                       \
    X(STREAM_HEIGHTS, "sluice_stream_heights_total", "", "counter",                                \
      "Heights sent to subscribers, over all of them.")                                            \
    X(STREAM_BYTES, "sluice_stream_bytes_total", "", "counter", "Bytes of entries sent.")          \
    X(STREAM_RUNS, "sluice_stream_runs_total", "", "counter",                                      \
      "Runs of releases sent to subscribers, over all of them.")                                   \
    X(STREAM_RUN_LOADS, "sluice_stream_runs_read_total", "", "counter",                            \
      "Runs of releases read from the store for subscribers.")                                     \
    X(STREAM_SPACE_LOADS, "sluice_stream_spaces_read_total", "", "counter",                        \
      "Heights whose proofs were read from the store for subscribers.")                            \
    X(STREAM_LOADS, "sluice_stream_batches_read_total", "", "counter",                             \
      "Batches read from the store for subscribers.")                                              \
    X(PRUNED_HEIGHTS, "sluice_pruned_heights_total", "", "counter", "Heights pruned.")             \
    X(LOWEST_HEIGHT, "sluice_lowest_height", "", "gauge", "Lowest height that is retained.")

#define SLU_METRIC_ENUM(id, name, labels, type, help) SLU_METRIC_##id,
enum slu_metric { SLU_METRIC_TABLE(SLU_METRIC_ENUM) SLU_METRICS };
#undef SLU_METRIC_ENUM

enum slu_histogram {
    SLU_HISTOGRAM_SYNC,    /* one synced write, mark included */
    SLU_HISTOGRAM_TURN,    /* a turn's time in the core */
    SLU_HISTOGRAM_DELIVER, /* own batch: admitted to delivered at this node */
    SLU_HISTOGRAMS
};

/* Upper bounds: 50 us doubled, 19 times (13 s); then infinity. */
#define SLU_HISTOGRAM_BUCKETS  20u
#define SLU_HISTOGRAM_FIRST_US 50u

struct slu_metrics {
    _Atomic uint64_t values[SLU_METRICS];
    struct {
        _Atomic uint64_t buckets[SLU_HISTOGRAM_BUCKETS];
        _Atomic uint64_t sum_us;
    } histograms[SLU_HISTOGRAMS];
};

struct slu_metric_row {
    const char *name, *labels, *type, *help;
};

/** The table's row of `metric`. Static storage. */
const struct slu_metric_row *slu_metric_row(enum slu_metric metric);
/** A histogram's name (in seconds) and help. */
const struct slu_metric_row *slu_histogram_row(enum slu_histogram histogram);

static inline void slu_metrics_add(struct slu_metrics *m, enum slu_metric metric, uint64_t by)
{
    atomic_fetch_add_explicit(&m->values[metric], by, memory_order_relaxed);
}

static inline void slu_metrics_sub(struct slu_metrics *m, enum slu_metric metric, uint64_t by)
{
    atomic_fetch_sub_explicit(&m->values[metric], by, memory_order_relaxed);
}

static inline void slu_metrics_set(struct slu_metrics *m, enum slu_metric metric, uint64_t to)
{
    atomic_store_explicit(&m->values[metric], to, memory_order_relaxed);
}

static inline uint64_t slu_metrics_get(struct slu_metrics *m, enum slu_metric metric)
{
    return atomic_load_explicit(&m->values[metric], memory_order_relaxed);
}

void slu_metrics_observe(struct slu_metrics *m, enum slu_histogram histogram, uint64_t us);

#endif
