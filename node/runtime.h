/* Who steps the core. One thread at a time has it, but not always the same one: whoever brings
 * input and finds the core idle runs it there and then, which saves waking another thread on every
 * hop of every message. The core's own thread does what nobody else can: timers, and sustained
 * load.
 *
 *     links (checked frames) ─┐                  ┌─ slu_runtime_run: free? a few turns at once
 *     gateway (clients)      ─┼─ push ─▶ ring ─▶ ┤
 *     history (bodies)       ─┘                  └─ the core's thread: deadlines, and what is left
 *
 *     turn: slu_core_step ... TURN ─▶ commit: here and now, or on its thread (node/commit.h)
 *
 * Rules: who has pushed calls slu_runtime_run before it waits for anything. A runner stops after
 * RUN_TURNS turns, so that no thread of others is kept; then the core's thread has it.
 * Full ring: history waits, links are paused before it comes to that (node/inbound.h), the gateway
 * refuses "busy" above half. No free turn: inputs gather, and the next turn is larger: that is the
 * group commit. Ownership: an input belongs to the runtime from push on, until the effects of its
 * turn were executed; then its `free` is called, on whichever thread that is. */
#ifndef SLU_NODE_RUNTIME_H
#define SLU_NODE_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "node/door.h"
#include "node/metrics.h"
#include "node/ring.h"

struct slu_input {
    struct slu_event event; /* times are set by the runtime */
    size_t bytes;           /* of memory that it holds */
    void (*free)(struct slu_input *input);
};

#define SLU_TURN_INPUTS_MAX 512u

/* One turn on its way through the commit thread. */
struct slu_turn {
    struct slu_effects *effects;
    uint32_t input_count;
    struct slu_input *inputs[SLU_TURN_INPUTS_MAX];
    uint64_t began_us;
};

/** What others may know of the core, as of at most SLU_VIEW_OF_CORE_MS ago. */
#define SLU_VIEW_OF_CORE_MS 100u
struct slu_core_view {
    struct slu_core_stats stats;
    struct slu_lane_status lanes[SLU_NODES_MAX];
    uint64_t heard_ms_ago[SLU_NODES_MAX]; /* at `taken_ms`; UINT64_MAX: never */
    uint64_t taken_ms;                    /* monotonic */
    uint64_t progress_ms;                 /* monotonic: when the delivered height last rose */
    bool rejoining;
    struct slu_inbox_status inbox;
    struct slu_keygen_status keygen;
};

struct slu_runtime;

struct slu_runtime_config {
    struct slu_core *core;
    const struct slu_door *door; /* NULL: nobody */
    uint16_t nodes;
    struct slu_metrics *metrics;
    /** Takes a turn with effects, on the thread that runs the core. Given back with
     * slu_runtime_turn_done. `pressed`: more waits for the core, so that it should not wait here.
     */
    void (*execute)(void *context, struct slu_turn *turn, bool pressed);
    void *context;
};

/** Errors: MEMORY. */
SLU_MUST_USE int slu_runtime_new(struct slu_runtime **runtime,
                                 const struct slu_runtime_config *config);
/** Starts the thread with a START event. Errors: IO. */
SLU_MUST_USE int slu_runtime_start(struct slu_runtime *runtime);
/** Takes no further input, finishes what is queued, ends the thread. */
void slu_runtime_stop(struct slu_runtime *runtime);
/** After stop, and after the commit thread has ended. */
void slu_runtime_free(struct slu_runtime *runtime);

/** Queues an input when the ring is at most `percent` full; slu_runtime_run follows. Any thread. On
 * failure the input stays the caller's. Errors: BUSY, CLOSED. */
SLU_MUST_USE int slu_runtime_push(struct slu_runtime *runtime, struct slu_input *input,
                                  unsigned percent);
/** Queues an input, waiting for room; not for link handlers nor the commit thread. Errors: CLOSED.
 */
SLU_MUST_USE int slu_runtime_push_wait(struct slu_runtime *runtime, struct slu_input *input);
/** Runs the core on what is queued, unless another thread has it and thereby does so. May take the
 * time of a few turns and their syncs. Any thread but one that executes effects. */
void slu_runtime_run(struct slu_runtime *runtime);

/** All effects of `turn` are executed: frees its inputs and takes it back. The thread that did. */
void slu_runtime_turn_done(struct slu_runtime *runtime, struct slu_turn *turn);

/** Copies the newest view of the core. Any thread. */
void slu_runtime_view(struct slu_runtime *runtime, struct slu_core_view *view);
/** Certificate `number` of the committee's keys, as slu_core_key_cert has it, into `out` of
 * SLU_KEY_CERT_BYTES_MAX; as of a view of the core. Returns how many bytes, 0: there is none yet.
 * Any thread. */
size_t slu_runtime_key_cert(struct slu_runtime *runtime, uint16_t number, uint8_t *out);
struct slu_ring_fill slu_runtime_fill(struct slu_runtime *runtime);

#endif
