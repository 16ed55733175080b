#include "node/retention.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/order.h"
#include "node/clock.h"
#include "node/log.h"
#include "sluice/error.h"
#include "wire/block.h"

#define PERIOD_S        3
#define MARGIN_MS       1000u
#define STEP_HEIGHTS    512u
#define STEPS_PERIOD    64u
#define RECLAIM_HEIGHTS 20000u /* pruned between two reclaims, ... */
#define RECLAIM_MS      60000u /* ... or so long after something was pruned */

/* What goes with its height. */
static const enum slu_record_kind by_height[] = {
    SLU_REC_FINAL, SLU_REC_DELIVERED, SLU_REC_IDS,          SLU_REC_SHARES, SLU_REC_OPENED,
    SLU_REC_SPACE, SLU_REC_RELEASE,   SLU_REC_RELEASE_CERT, SLU_REC_REPORTS};

int slu_prune_lowest(struct slu_disk_view *view, uint64_t *lowest)
{
    struct slu_record_key key;
    const uint8_t *value;
    size_t len;
    int error = slu_disk_view_first(view, SLU_REC_DELIVERED, &key, &value, &len);
    *lowest = error == 0 ? key.a : 0;
    return error == SLU_ERR_NOT_FOUND ? 0 : error;
}

static int time_of(const struct slu_store *store, uint64_t height, uint64_t *time_ms)
{
    struct slu_record_key key = {.kind = SLU_REC_DELIVERED, .a = height};
    struct slu_delivered record;
    const uint8_t *value;
    size_t len;
    int error = store->get(store->context, &key, &value, &len);
    if (error != 0)
        return error;
    if (slu_delivered_open(&record, value, len) != 0)
        return SLU_ERR_CORRUPT;
    *time_ms = record.time_ms;
    return 0;
}

/* The lowest height to keep: at most `heights_max` above `lowest`. */
static int find_keep(const struct slu_pruner *p, const struct slu_store *store, uint64_t lowest,
                     uint64_t open, uint64_t stream_ms, uint32_t heights_max, uint64_t *keep)
{
    uint64_t window_ms = (uint64_t)p->genesis->params.dedup_window_ms + MARGIN_MS;
    uint64_t kept_ms = p->retention_ms > window_ms ? p->retention_ms : window_ms;
    *keep = lowest;
    while (*keep < lowest + heights_max && *keep + SLU_HEIGHTS_KEPT < open) {
        uint64_t time_ms;
        int error = time_of(store, *keep + 1, &time_ms); /* a restart needs the one before, too */
        if (error != 0)
            return error == SLU_ERR_NOT_FOUND ? SLU_ERR_CORRUPT : error;
        if (time_ms + kept_ms >= stream_ms)
            break;
        ++*keep;
    }
    return 0;
}

static int read_cut(const struct slu_pruner *p, const struct slu_store *store, uint64_t height,
                    struct slu_block *block)
{
    struct slu_record_key key = {.kind = SLU_REC_FINAL, .a = height};
    const uint8_t *value;
    size_t len;
    int error = store->get(store->context, &key, &value, &len);
    if (error != 0)
        return error == SLU_ERR_NOT_FOUND ? SLU_ERR_CORRUPT : error;
    struct slu_reader r = slu_reader_of(value, len);
    return slu_block_read(&r, p->genesis, block) == 0 ? 0 : SLU_ERR_CORRUPT;
}

static void forget_below(struct slu_disk *disk, enum slu_record_kind kind, uint64_t from,
                         uint64_t to)
{
    struct slu_record_key lo = {.kind = kind, .a = from}, hi = {.kind = kind, .a = to};
    slu_disk_forget(disk, &lo, &hi);
}

int slu_prune_step(struct slu_pruner *pruner, struct slu_disk_view *view, uint64_t open,
                   uint64_t stream_ms, uint32_t heights_max,
                   void (*about)(void *context, uint64_t lowest), void *context, uint32_t *pruned)
{
    const struct slu_store *store = slu_disk_view_store(view);
    struct slu_block block;
    uint64_t lowest, keep;
    *pruned = 0;
    int error = slu_prune_lowest(view, &lowest);
    if (error != 0 || lowest == 0)
        return error;
    error = find_keep(pruner, store, lowest, open, stream_ms, heights_max, &keep);
    if (error != 0 || keep == lowest)
        return error;
    error = read_cut(pruner, store, keep - 1, &block);
    if (error != 0)
        return error;
    if (block.tail.height >= open)
        return 0; /* what it queued is still to be delivered: all of it in a later step */
    if (about != NULL)
        about(context, keep);
    slu_disk_begin(pruner->disk);
    for (size_t i = 0; i < sizeof by_height / sizeof by_height[0]; i++)
        forget_below(pruner->disk, by_height[i], lowest, keep);
    for (uint16_t lane = 0; lane < block.n; lane++) {
        struct slu_record_key lo = {.kind = SLU_REC_BATCH, .a = lane, .b = pruner->lane_from[lane]};
        struct slu_record_key hi = {
            .kind = SLU_REC_BATCH, .a = lane, .b = block.cut[lane].position};
        if (lo.b >= hi.b)
            continue;
        slu_disk_forget(pruner->disk, &lo, &hi);
        pruner->lane_from[lane] = hi.b;
    }
    /* Whatever was queued by later blocks was still valid then. */
    forget_below(pruner->disk, SLU_REC_INBOX, 0, block.time_ms);
    error = slu_disk_commit(pruner->disk);
    *pruned = error == 0 ? (uint32_t)(keep - lowest) : 0;
    return error;
}

void slu_prune_reclaim(struct slu_pruner *pruner, uint64_t lowest)
{
    for (uint16_t lane = 0; lane < pruner->genesis->n; lane++) {
        struct slu_record_key lo = {.kind = SLU_REC_BATCH, .a = lane};
        struct slu_record_key hi = {.kind = SLU_REC_BATCH, .a = lane, .b = pruner->lane_from[lane]};
        if (hi.b > 0)
            slu_disk_reclaim(pruner->disk, &lo, &hi);
    }
    for (size_t i = 0; i < sizeof by_height / sizeof by_height[0]; i++) {
        struct slu_record_key lo = {.kind = by_height[i]}, hi = {.kind = by_height[i], .a = lowest};
        slu_disk_reclaim(pruner->disk, &lo, &hi);
    }
}

/* ---- the thread ---- */

struct slu_retention {
    struct slu_pruner pruner;
    struct slu_disk_view *view;
    struct slu_runtime *runtime;
    struct slu_stream *stream;
    struct slu_metrics *metrics;
    void (*failed)(void *context, const char *words);
    void *context;
    struct slu_core_view core;
    uint64_t lowest, unreclaimed, reclaimed_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
};

static void about_to(void *context, uint64_t lowest)
{
    struct slu_retention *r = context;
    r->lowest = lowest;
    slu_stream_pruned(r->stream, lowest);
    slu_metrics_set(r->metrics, SLU_METRIC_LOWEST_HEIGHT, lowest);
}

static bool sleep_period(struct slu_retention *r)
{
    uint64_t until_us = slu_now_us() + (uint64_t)PERIOD_S * 1000000u;
    struct timespec until = {.tv_sec = (time_t)(until_us / 1000000u),
                             .tv_nsec = (long)(until_us % 1000000u) * 1000};
    pthread_mutex_lock(&r->lock);
    int late = 0;
    while (!r->stopping && late == 0)
        late = pthread_cond_timedwait(&r->changed, &r->lock, &until);
    bool stopping = r->stopping;
    pthread_mutex_unlock(&r->lock);
    return !stopping;
}

static bool prune(struct slu_retention *r)
{
    const struct slu_core_stats *stats = &r->core.stats;
    uint64_t settled = stats->certified_height < stats->opened_height ? stats->certified_height
                                                                      : stats->opened_height;
    for (unsigned step = 0; step < STEPS_PERIOD; step++) {
        uint32_t pruned;
        int error = slu_prune_step(&r->pruner, r->view, settled, stats->stream_time_ms,
                                   STEP_HEIGHTS, about_to, r, &pruned);
        if (error != 0) {
            const char *words = slu_disk_failure(r->pruner.disk);
            r->failed(r->context, words[0] != '\0' ? words : slu_strerror(error));
            return false;
        }
        slu_metrics_add(r->metrics, SLU_METRIC_PRUNED_HEIGHTS, pruned);
        r->unreclaimed += pruned;
        if (pruned < STEP_HEIGHTS)
            return true;
    }
    return true;
}

static void *retention_thread(void *context)
{
    struct slu_retention *r = context;
    r->reclaimed_ms = slu_monotonic_ms();
    while (sleep_period(r)) {
        slu_runtime_view(r->runtime, &r->core);
        if (r->lowest == 0 && slu_prune_lowest(r->view, &r->lowest) == 0 && r->lowest > 0)
            about_to(r, r->lowest);
        if (!prune(r))
            break;
        uint64_t now_ms = slu_monotonic_ms();
        if (r->unreclaimed >= RECLAIM_HEIGHTS ||
            (r->unreclaimed > 0 && now_ms - r->reclaimed_ms >= RECLAIM_MS)) {
            slu_log(SLU_LOG_DEBUG, "event=reclaim heights=%llu lowest=%llu",
                    (unsigned long long)r->unreclaimed, (unsigned long long)r->lowest);
            slu_prune_reclaim(&r->pruner, r->lowest);
            r->unreclaimed = 0;
            r->reclaimed_ms = slu_monotonic_ms();
        }
    }
    return NULL;
}

int slu_retention_start(struct slu_retention **retention, struct slu_disk *disk,
                        const struct slu_genesis *genesis, uint64_t retention_ms,
                        struct slu_runtime *runtime, struct slu_stream *stream,
                        struct slu_metrics *metrics,
                        void (*failed)(void *context, const char *words), void *context)
{
    pthread_condattr_t attributes;
    struct slu_retention *r = calloc(1, sizeof *r);
    if (r == NULL)
        return SLU_ERR_MEMORY;
    r->pruner = (struct slu_pruner){.disk = disk, .genesis = genesis, .retention_ms = retention_ms};
    r->view = slu_disk_view_new(disk);
    r->runtime = runtime;
    r->stream = stream;
    r->metrics = metrics;
    r->failed = failed;
    r->context = context;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (r->view == NULL || pthread_create(&r->thread, NULL, retention_thread, r) != 0) {
        slu_disk_view_free(r->view);
        free(r);
        return SLU_ERR_MEMORY;
    }
    pthread_setname_np(r->thread, "retention");
    *retention = r;
    return 0;
}

void slu_retention_stop(struct slu_retention *retention)
{
    if (retention == NULL)
        return;
    pthread_mutex_lock(&retention->lock);
    retention->stopping = true;
    pthread_cond_signal(&retention->changed);
    pthread_mutex_unlock(&retention->lock);
    pthread_join(retention->thread, NULL);
    pthread_cond_destroy(&retention->changed);
    pthread_mutex_destroy(&retention->lock);
    slu_disk_view_free(retention->view);
    free(retention);
}
