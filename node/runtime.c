#include "node/runtime.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "node/clock.h"
#include "sluice/error.h"

#define RING_ITEMS  8192u
#define RING_BYTES  (16u * 1024u * 1024u)
#define TURNS       4u
#define TURN_BYTES  (2u * 1024u * 1024u) /* of inputs that one turn keeps alive */
#define BURST_ITEMS 256u

struct slu_runtime {
    struct slu_runtime_config config;
    struct slu_ring inbox;
    struct slu_ring idle; /* turns that are free */
    struct slu_turn *turns[TURNS];
    pthread_t thread;
    bool started;
    uint64_t deadline_ms;
    bool idle_turn; /* the last turn had no effects */
    uint64_t published_ms, progress_ms, progress_height;
    pthread_mutex_t view_lock;
    struct slu_core_view view;
};

static struct slu_turn *turn_new(void)
{
    struct slu_turn *turn = calloc(1, sizeof *turn);
    struct slu_effects *effects = calloc(1, sizeof *effects);
    void *arena = mmap(NULL, SLU_TURN_BYTES_MAX, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (turn == NULL || effects == NULL || arena == MAP_FAILED) {
        free(turn);
        free(effects);
        if (arena != MAP_FAILED)
            munmap(arena, SLU_TURN_BYTES_MAX);
        return NULL;
    }
    turn->effects = effects;
    slu_effects_init(effects, arena);
    return turn;
}

static void turn_free(struct slu_turn *turn)
{
    if (turn == NULL)
        return;
    munmap(turn->effects->bytes.base, SLU_TURN_BYTES_MAX);
    free(turn->effects);
    free(turn);
}

int slu_runtime_new(struct slu_runtime **runtime, const struct slu_runtime_config *config)
{
    struct slu_runtime *rt = calloc(1, sizeof *rt);
    if (rt == NULL)
        return SLU_ERR_MEMORY;
    rt->config = *config;
    rt->deadline_ms = UINT64_MAX;
    pthread_mutex_init(&rt->view_lock, NULL);
    int error = slu_ring_init(&rt->inbox, RING_ITEMS, RING_BYTES);
    if (error == 0)
        error = slu_ring_init(&rt->idle, TURNS, SIZE_MAX);
    for (unsigned i = 0; i < TURNS && error == 0; i++) {
        rt->turns[i] = turn_new();
        error =
            rt->turns[i] == NULL ? SLU_ERR_MEMORY : slu_ring_put(&rt->idle, rt->turns[i], 0, 100);
    }
    if (error != 0) {
        slu_runtime_free(rt);
        return error;
    }
    *runtime = rt;
    return 0;
}

void slu_runtime_free(struct slu_runtime *runtime)
{
    if (runtime == NULL)
        return;
    for (unsigned i = 0; i < TURNS; i++)
        turn_free(runtime->turns[i]);
    slu_ring_destroy(&runtime->inbox);
    slu_ring_destroy(&runtime->idle);
    pthread_mutex_destroy(&runtime->view_lock);
    free(runtime);
}

/* ---- turns ---- */

static void free_inputs(struct slu_turn *turn)
{
    for (uint32_t i = 0; i < turn->input_count; i++)
        turn->inputs[i]->free(turn->inputs[i]);
    turn->input_count = 0;
}

void slu_runtime_turn_done(struct slu_runtime *rt, struct slu_turn *turn)
{
    free_inputs(turn);
    slu_effects_reset(turn->effects);
    SLU_CHECK(slu_ring_put(&rt->idle, turn, 0, 100) == 0);
}

static struct slu_turn *next_turn(struct slu_runtime *rt)
{
    void *item = NULL;
    while (slu_ring_take(&rt->idle, &item, 1, SIZE_MAX, UINT64_MAX) == 0)
        ; /* never closed: the commit thread outlives this one */
    return item;
}

static void step(struct slu_runtime *rt, struct slu_turn *turn, struct slu_event *event)
{
    event->now_ms = slu_monotonic_ms();
    event->clock_ms = slu_wall_ms();
    slu_core_step(rt->config.core, event, turn->effects);
}

static void publish(struct slu_runtime *rt, uint64_t now_ms)
{
    const struct slu_core_stats *stats = slu_core_stats(rt->config.core);
    if (stats->delivered_height > rt->progress_height || rt->published_ms == 0) {
        rt->progress_height = stats->delivered_height;
        rt->progress_ms = stats->delivered_height > 0 ? now_ms : 0;
    }
    rt->published_ms = now_ms;
    pthread_mutex_lock(&rt->view_lock);
    struct slu_core_view *view = &rt->view;
    view->stats = *stats;
    view->taken_ms = now_ms;
    view->progress_ms = rt->progress_ms;
    view->rejoining = slu_core_rejoining(rt->config.core);
    for (uint16_t i = 0; i < rt->config.nodes; i++) {
        slu_core_lane_status(rt->config.core, i, &view->lanes[i]);
        view->heard_ms_ago[i] = slu_core_heard_ms_ago(rt->config.core, i, now_ms);
    }
    pthread_mutex_unlock(&rt->view_lock);
}

/* Ends the turn and hands it on; returns the turn to use next, or NULL when it was handed on. */
static struct slu_turn *end_turn(struct slu_runtime *rt, struct slu_turn *turn)
{
    struct slu_event event = {.kind = SLU_EVENT_TURN};
    step(rt, turn, &event);
    rt->deadline_ms = turn->effects->deadline_ms;
    slu_metrics_add(rt->config.metrics, SLU_METRIC_TURNS, 1);
    slu_metrics_observe(rt->config.metrics, SLU_HISTOGRAM_TURN, slu_now_us() - turn->began_us);
    uint64_t now_ms = slu_monotonic_ms();
    const struct slu_core_stats *stats = slu_core_stats(rt->config.core);
    if (now_ms - rt->published_ms >= SLU_VIEW_OF_CORE_MS ||
        stats->delivered_height != rt->view.stats.delivered_height ||
        stats->final_height != rt->view.stats.final_height)
        publish(rt, now_ms);
    rt->idle_turn = turn->effects->count == 0;
    if (!rt->idle_turn) {
        rt->config.execute(rt->config.context, turn);
        return NULL;
    }
    free_inputs(turn);
    slu_effects_reset(turn->effects);
    return turn;
}

/* When to wake without input. A deadline that stays past without effects must not spin. */
static uint64_t wake_us(const struct slu_runtime *rt)
{
    if (rt->deadline_ms == UINT64_MAX)
        return UINT64_MAX;
    uint64_t now_ms = slu_monotonic_ms();
    uint64_t at_ms = rt->deadline_ms;
    if (at_ms <= now_ms)
        at_ms = rt->idle_turn ? now_ms + 1 : now_ms;
    return at_ms * 1000u;
}

static void *core_thread(void *context)
{
    struct slu_runtime *rt = context;
    void *burst[BURST_ITEMS];
    struct slu_turn *turn = next_turn(rt);
    struct slu_event event = {.kind = SLU_EVENT_START};
    turn->began_us = slu_now_us();
    step(rt, turn, &event);
    turn = end_turn(rt, turn);
    for (;;) {
        if (turn == NULL)
            turn = next_turn(rt);
        uint32_t count = slu_ring_take(&rt->inbox, burst, BURST_ITEMS, TURN_BYTES, wake_us(rt));
        if (count == 0 && slu_ring_closed(&rt->inbox))
            break;
        turn->began_us = slu_now_us();
        for (uint32_t i = 0; i < count; i++) {
            struct slu_input *input = burst[i];
            turn->inputs[turn->input_count++] = input;
            step(rt, turn, &input->event);
            if (turn->effects->nearly_full && i + 1 < count) {
                turn = end_turn(rt, turn);
                if (turn == NULL)
                    turn = next_turn(rt);
                turn->began_us = slu_now_us();
            }
        }
        if (count == 0) {
            event = (struct slu_event){.kind = SLU_EVENT_TIMER};
            step(rt, turn, &event);
        }
        turn = end_turn(rt, turn);
    }
    return NULL;
}

int slu_runtime_start(struct slu_runtime *runtime)
{
    publish(runtime, slu_monotonic_ms());
    if (pthread_create(&runtime->thread, NULL, core_thread, runtime) != 0)
        return SLU_ERR_IO;
    pthread_setname_np(runtime->thread, "core");
    runtime->started = true;
    return 0;
}

void slu_runtime_stop(struct slu_runtime *runtime)
{
    slu_ring_close(&runtime->inbox);
    if (runtime->started)
        pthread_join(runtime->thread, NULL);
    runtime->started = false;
}

int slu_runtime_push(struct slu_runtime *runtime, struct slu_input *input, unsigned percent)
{
    return slu_ring_put(&runtime->inbox, input, input->bytes, percent);
}

int slu_runtime_push_wait(struct slu_runtime *runtime, struct slu_input *input)
{
    return slu_ring_put_wait(&runtime->inbox, input, input->bytes);
}

void slu_runtime_view(struct slu_runtime *runtime, struct slu_core_view *view)
{
    pthread_mutex_lock(&runtime->view_lock);
    *view = runtime->view;
    pthread_mutex_unlock(&runtime->view_lock);
}

struct slu_ring_fill slu_runtime_fill(struct slu_runtime *runtime)
{
    return slu_ring_fill(&runtime->inbox);
}
