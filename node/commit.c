#include "node/commit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "node/clock.h"
#include "node/ring.h"
#include "sluice/error.h"

#define GROUP_TURNS 8u
#define GROUP_BYTES (8u * 1024u * 1024u)
#define NOW_BYTES   (256u * 1024u) /* of effects: more is worth a thread of its own */

struct slu_commit {
    struct slu_commit_config config;
    struct slu_ring queue;
    pthread_t thread;
    _Atomic uint32_t queued; /* turns with the thread, until they are given back */
    bool failed;             /* whoever has the turns */
};

/* Adds a turn's records to the open write; false when it has none. */
static bool gather(struct slu_disk *disk, const struct slu_effects *effects)
{
    bool any = false;
    for (uint32_t i = 0; i < effects->count; i++) {
        const struct slu_effect *e = &effects->items[i];
        if (e->kind == SLU_EFFECT_PERSIST) {
            slu_disk_put(disk, &e->persist.key, e->persist.value, e->persist.value_len,
                         e->persist.payload, e->persist.payload_len);
            any = true;
        } else if (e->kind == SLU_EFFECT_FORGET) {
            slu_disk_forget(disk, &e->forget.from, &e->forget.to);
            any = true;
        }
    }
    return any;
}

static bool needs_disk(const struct slu_effects *effects)
{
    for (uint32_t i = 0; i < effects->count; i++) {
        enum slu_effect_kind kind = effects->items[i].kind;
        if (kind == SLU_EFFECT_PERSIST || kind == SLU_EFFECT_FORGET)
            return true;
    }
    return false;
}

/* Writes as many of the turns as one write should hold, synced when one of them promises something
 * (consensus/core.h); returns how many. */
static uint32_t write_group(struct slu_commit *c, struct slu_turn **turns, uint32_t count)
{
    uint32_t taken = 0;
    bool any = false;
    for (uint32_t i = 0; i < count && !any; i++)
        any = needs_disk(turns[i]->effects);
    if (!any)
        return count;
    uint64_t began_us = slu_now_us();
    slu_disk_begin(c->config.disk);
    bool sync = false;
    while (taken < count && (taken == 0 || slu_disk_gathered(c->config.disk) < GROUP_BYTES)) {
        sync |= turns[taken]->effects->promises;
        gather(c->config.disk, turns[taken++]->effects);
    }
    size_t bytes = slu_disk_gathered(c->config.disk);
    if ((sync ? slu_disk_commit(c->config.disk) : slu_disk_write(c->config.disk)) != 0) {
        c->failed = true;
        c->config.failed(c->config.context, slu_disk_failure(c->config.disk));
        return 0;
    }
    slu_metrics_add(c->config.metrics, SLU_METRIC_COMMITS, 1);
    slu_metrics_add(c->config.metrics, SLU_METRIC_COMMIT_BYTES, bytes);
    if (sync)
        slu_metrics_observe(c->config.metrics, SLU_HISTOGRAM_SYNC, slu_now_us() - began_us);
    return taken;
}

static void execute(struct slu_commit *c, const struct slu_effects *effects)
{
    for (uint32_t i = 0; i < effects->count; i++) {
        const struct slu_effect *e = &effects->items[i];
        bool written = e->kind == SLU_EFFECT_PERSIST || e->kind == SLU_EFFECT_FORGET;
        if (!written || (e->kind == SLU_EFFECT_PERSIST && e->persist.key.kind == SLU_REC_DELIVERED))
            c->config.effect(c->config.context, e);
    }
}

/* Writes and executes turns, and gives them back. */
static void carry_out(struct slu_commit *c, struct slu_turn **turns, uint32_t count)
{
    for (uint32_t first = 0; first < count;) {
        uint32_t written = c->failed ? 0 : write_group(c, turns + first, count - first);
        for (uint32_t i = 0; i < written; i++)
            execute(c, turns[first + i]->effects);
        if (written > 0)
            c->config.flushed(c->config.context);
        /* After a failure the turns go back unexecuted, so that the core's thread can end. */
        uint32_t back = written > 0 ? written : count - first;
        for (uint32_t i = 0; i < back; i++)
            c->config.done(c->config.context, turns[first + i]);
        first += back;
    }
}

static void *commit_thread(void *context)
{
    struct slu_commit *c = context;
    void *items[GROUP_TURNS];
    for (;;) {
        uint32_t count = slu_ring_take(&c->queue, items, GROUP_TURNS, SIZE_MAX, UINT64_MAX);
        if (count == 0 && slu_ring_closed(&c->queue))
            return NULL;
        struct slu_turn *turns[GROUP_TURNS];
        for (uint32_t i = 0; i < count; i++)
            turns[i] = items[i];
        carry_out(c, turns, count);
        atomic_fetch_sub(&c->queued, count);
    }
}

bool slu_commit_idle(struct slu_commit *commit, const struct slu_turn *turn)
{
    /* Only the caller adds to it, so a zero stays one. */
    return atomic_load(&commit->queued) == 0 && turn->effects->bytes.used_bytes <= NOW_BYTES;
}

void slu_commit_now(struct slu_commit *commit, struct slu_turn *turn)
{
    carry_out(commit, &turn, 1);
}

int slu_commit_start(struct slu_commit **commit, const struct slu_commit_config *config)
{
    struct slu_commit *c = calloc(1, sizeof *c);
    if (c == NULL)
        return SLU_ERR_MEMORY;
    c->config = *config;
    int error = slu_ring_init(&c->queue, GROUP_TURNS, SIZE_MAX);
    if (error == 0 && pthread_create(&c->thread, NULL, commit_thread, c) != 0)
        error = SLU_ERR_IO;
    if (error != 0) {
        slu_ring_destroy(&c->queue);
        free(c);
        return error;
    }
    pthread_setname_np(c->thread, "commit");
    *commit = c;
    return 0;
}

void slu_commit_put(struct slu_commit *commit, struct slu_turn *turn)
{
    atomic_fetch_add(&commit->queued, 1);
    SLU_CHECK(slu_ring_put(&commit->queue, turn, 0, 100) == 0);
}

void slu_commit_stop(struct slu_commit *commit)
{
    if (commit == NULL)
        return;
    slu_ring_close(&commit->queue);
    pthread_join(commit->thread, NULL);
    slu_ring_destroy(&commit->queue);
    free(commit);
}
