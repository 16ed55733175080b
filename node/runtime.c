#include "node/runtime.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "node/clock.h"
#include "sluice/error.h"
#include "wire/key_cert.h"

#define RING_ITEMS  8192u
#define RING_BYTES  (48u * 1024u * 1024u) /* the shares of all links, and clients */
#define TURNS       4u
#define RUN_TURNS   8u                   /* in one call of slu_runtime_run */
#define PRESSED     64u                  /* inputs that wait: no time to sync here */
#define TURN_BYTES  (2u * 1024u * 1024u) /* of inputs that one turn keeps alive */
#define BURST_ITEMS 256u
#define KEYS_MAX    SLU_NODES_MAX /* each has a larger k than the one before */

struct slu_runtime {
    struct slu_runtime_config config;
    struct slu_ring inbox;
    struct slu_ring idle; /* turns that are free */
    struct slu_turn *turns[TURNS];
    pthread_t thread;
    bool started;

    pthread_mutex_t owner; /* held by whoever steps the core; covers up to the next mark */
    bool running;          /* between START and the end */
    struct slu_turn *turn; /* the one being filled; NULL: none taken yet */
    uint64_t deadline_ms;
    bool idle_turn; /* the last turn had no effects */
    uint64_t published_ms, progress_ms, progress_height;
    uint64_t bell_us; /* what the bell is set to */
    int bell;         /* a timer that wakes the core's thread; set by whoever ended a turn */

    pthread_mutex_t view_lock; /* of all below */
    struct slu_core_view view;
    uint16_t key_count;
    struct {
        size_t len;
        uint8_t bytes[SLU_KEY_CERT_BYTES_MAX];
    } keys[KEYS_MAX];
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
    rt->bell_us = UINT64_MAX;
    rt->bell = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    pthread_mutex_init(&rt->owner, NULL);
    pthread_mutex_init(&rt->view_lock, NULL);
    int error = rt->bell < 0 ? SLU_ERR_IO : slu_ring_init(&rt->inbox, RING_ITEMS, RING_BYTES);
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
    if (runtime->bell >= 0)
        close(runtime->bell);
    pthread_mutex_destroy(&runtime->owner);
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

/* A turn to fill; false: all are on their way through the commit thread and `wait` is not wanted.
 */
static bool next_turn(struct slu_runtime *rt, bool wait)
{
    void *item = NULL;
    if (rt->turn == NULL) {
        /* Never closed: the commit thread outlives every runner. */
        while (slu_ring_take(&rt->idle, &item, 1, SIZE_MAX, wait ? UINT64_MAX : 0) == 0 && wait)
            ;
        rt->turn = item;
    }
    return rt->turn != NULL;
}

static void step(struct slu_runtime *rt, struct slu_turn *turn, struct slu_event *event)
{
    event->now_ms = slu_monotonic_ms();
    event->clock_ms = slu_wall_ms();
    const struct slu_door *door = rt->config.door;
    if (door == NULL)
        slu_core_step(rt->config.core, event, turn->effects);
    else
        door->step(door->context, event, turn->effects);
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
    slu_core_inbox_status(rt->config.core, &view->inbox);
    slu_core_keygen_status(rt->config.core, &view->keygen);
    while (rt->key_count < view->keygen.keys && rt->key_count < KEYS_MAX) {
        uint16_t number = rt->key_count++;
        rt->keys[number].len = slu_core_key_cert(rt->config.core, number, rt->keys[number].bytes);
    }
    for (uint16_t i = 0; i < rt->config.nodes; i++) {
        slu_core_lane_status(rt->config.core, i, &view->lanes[i]);
        view->heard_ms_ago[i] = slu_core_heard_ms_ago(rt->config.core, i, now_ms);
    }
    pthread_mutex_unlock(&rt->view_lock);
}

/* When the core's thread is needed next. A deadline that stays past without effects must not spin.
 */
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

/* Ends the turn and hands it on. */
static void end_turn(struct slu_runtime *rt)
{
    struct slu_turn *turn = rt->turn;
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
    if (rt->idle_turn) {
        free_inputs(turn);
        slu_effects_reset(turn->effects);
        return;
    }
    rt->turn = NULL;
    rt->config.execute(rt->config.context, turn, slu_ring_fill(&rt->inbox).items >= PRESSED);
}

static bool has_input(struct slu_runtime *rt)
{
    return slu_ring_fill(&rt->inbox).items > 0;
}

/* One turn over what is queued, or over a timer that is due; false: nothing to do, or no turn is
 * free. The caller has the core. */
static bool run_turn(struct slu_runtime *rt, bool wait)
{
    void *burst[BURST_ITEMS];
    bool timer = rt->deadline_ms <= slu_monotonic_ms();
    if (!rt->running || (!timer && !has_input(rt)) || !next_turn(rt, wait))
        return false;
    uint32_t count = slu_ring_take(&rt->inbox, burst, BURST_ITEMS, TURN_BYTES, 0);
    rt->turn->began_us = slu_now_us();
    for (uint32_t i = 0; i < count; i++) {
        struct slu_input *input = burst[i];
        rt->turn->inputs[rt->turn->input_count++] = input;
        step(rt, rt->turn, &input->event);
        if (rt->turn->effects->nearly_full && i + 1 < count) {
            end_turn(rt);
            (void)next_turn(rt, true);
            rt->turn->began_us = slu_now_us();
        }
    }
    if (count == 0) {
        struct slu_event event = {.kind = SLU_EVENT_TIMER};
        step(rt, rt->turn, &event);
    }
    end_turn(rt);
    return count > 0 || !rt->idle_turn;
}

/* Sets the bell; the caller has the core, so that the newest word counts. A timer in the kernel:
 * nearly every turn moves the deadline, and a thread that has to be woken to sleep differently
 * costs more than the turn. A relative one: where libfaketime sets the wall clock wrong, for tests,
 * it moves absolute ones of every clock. */
static void set_bell(struct slu_runtime *rt, uint64_t at_us)
{
    if (slu_ring_closed(&rt->inbox))
        at_us = 0;
    if (at_us == rt->bell_us)
        return;
    rt->bell_us = at_us;
    struct itimerspec in = {0}; /* off */
    if (at_us != UINT64_MAX) {
        uint64_t now_us = slu_now_us(), wait_us = at_us > now_us ? at_us - now_us : 0;
        in.it_value.tv_sec = (time_t)(wait_us / 1000000u);
        in.it_value.tv_nsec = (long)(wait_us % 1000000u) * 1000 + (wait_us == 0);
    }
    SLU_CHECK(timerfd_settime(rt->bell, 0, &in, NULL) == 0);
}

/* Something to do at once. The caller has the core. */
static bool wanted(struct slu_runtime *rt)
{
    return has_input(rt) || (!rt->idle_turn && rt->deadline_ms <= slu_monotonic_ms());
}

void slu_runtime_run(struct slu_runtime *rt)
{
    uint32_t turns = 0;
    bool able = true;
    /* Who does not get the core leaves its input to whoever has it, who looks again after letting
     * it go: so nothing is left behind. */
    while (able && has_input(rt) && pthread_mutex_trylock(&rt->owner) == 0) {
        while (able && wanted(rt)) {
            able = turns++ < RUN_TURNS && run_turn(rt, false);
        }
        set_bell(rt, has_input(rt) ? 0 : wake_us(rt));
        pthread_mutex_unlock(&rt->owner);
    }
}

/* ---- the core's thread ---- */

static void sleep_until_wanted(struct slu_runtime *rt)
{
    uint64_t rings;
    ssize_t got = read(rt->bell, &rings, sizeof rings);
    SLU_CHECK(got == sizeof rings || errno == EINTR);
}

static void begin(struct slu_runtime *rt)
{
    struct slu_event event = {.kind = SLU_EVENT_START};
    pthread_mutex_lock(&rt->owner);
    (void)next_turn(rt, true);
    rt->turn->began_us = slu_now_us();
    step(rt, rt->turn, &event);
    end_turn(rt);
    rt->running = true;
    pthread_mutex_unlock(&rt->owner);
}

static void *core_thread(void *context)
{
    struct slu_runtime *rt = context;
    begin(rt);
    for (bool more = true; more;) {
        pthread_mutex_lock(&rt->owner);
        while (run_turn(rt, true))
            ;
        more = !slu_ring_closed(&rt->inbox) || has_input(rt);
        rt->running = more;
        rt->bell_us = UINT64_MAX; /* it may have rung */
        set_bell(rt, wake_us(rt));
        pthread_mutex_unlock(&rt->owner);
        if (more && !has_input(rt))
            sleep_until_wanted(rt);
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
    pthread_mutex_lock(&runtime->owner);
    set_bell(runtime, 0);
    pthread_mutex_unlock(&runtime->owner);
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

size_t slu_runtime_key_cert(struct slu_runtime *runtime, uint16_t number, uint8_t *out)
{
    pthread_mutex_lock(&runtime->view_lock);
    size_t len = number < runtime->key_count ? runtime->keys[number].len : 0;
    memcpy(out, runtime->keys[number < KEYS_MAX ? number : 0].bytes, len);
    pthread_mutex_unlock(&runtime->view_lock);
    return len;
}

struct slu_ring_fill slu_runtime_fill(struct slu_runtime *runtime)
{
    return slu_ring_fill(&runtime->inbox);
}
