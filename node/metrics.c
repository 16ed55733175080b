#include "node/metrics.h"

#define METRIC_ROW(id, name, labels, type, help) {name, labels, type, help},
static const struct slu_metric_row rows[SLU_METRICS] = {SLU_METRIC_TABLE(METRIC_ROW)};

static const struct slu_metric_row histogram_rows[SLU_HISTOGRAMS] = {
    [SLU_HISTOGRAM_SYNC] = {"sluice_sync_seconds", "", "histogram",
                            "Time of a synced write of the store."},
    [SLU_HISTOGRAM_TURN] = {"sluice_turn_seconds", "", "histogram", "Time of a turn in the core."},
    [SLU_HISTOGRAM_DELIVER] = {"sluice_deliver_seconds", "", "histogram",
                               "From a submission to its delivery at this node."},
};

const struct slu_metric_row *slu_metric_row(enum slu_metric metric)
{
    return &rows[metric];
}

const struct slu_metric_row *slu_histogram_row(enum slu_histogram histogram)
{
    return &histogram_rows[histogram];
}

void slu_metrics_observe(struct slu_metrics *m, enum slu_histogram histogram, uint64_t us)
{
    unsigned bucket = 0;
    uint64_t bound = SLU_HISTOGRAM_FIRST_US;
    while (bucket + 1 < SLU_HISTOGRAM_BUCKETS && us > bound) {
        bound *= 2;
        bucket++;
    }
    atomic_fetch_add_explicit(&m->histograms[histogram].buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->histograms[histogram].sum_us, us, memory_order_relaxed);
}
