/* A scene with a committee key and clients that seal, for the directed runs of sealed entries. */
#ifndef SLU_TESTS_UNIT_SEALED_SCENE_H
#define SLU_TESTS_UNIT_SEALED_SCENE_H

#include <string.h>

#include "sluice/error.h"
#include "tests/sim/byz.h"
#include "tests/sim/inbox.h"
#include "tests/sim/oracle_sealed.h"
#include "tests/unit/scene.h"

/* With scene.held, no F passes; with scene.seen, no shares do. */
static inline bool rule(void *context, struct sim *sim, const struct sim_packet *packet,
                        uint16_t to, uint64_t *delay_ms)
{
    const struct scene *scene = context;
    (void)sim;
    (void)to;
    (void)delay_ms;
    if (scene->held && is_final(packet->message))
        return false;
    return !scene->seen || kind_of(packet) != SLU_MSG_SHARES;
}

static inline void plan_of(struct sim_plan *plan, uint64_t seed, uint16_t n)
{
    scene_plan(plan, seed, n);
    plan->params.sealing = 1;
    plan->params.postage_base = 1; /* always paid: several at once raise the price for each other */
    plan->params.keygen_window_ms = 500;
    plan->params.keygen_retry_ms = 100000;
    plan->params.unlock_horizon_ms = 8000;
    plan->params.due_bytes_per_block = 64 * 1024;
    plan->params.calendar_bytes_max = 4 * 1024 * 1024;
    plan->run_until_ms = 4000;
    plan->give_up_ms = plan->run_until_ms + 2 * sim_plan_patience_ms(plan);
}

/* Runs until the first key is in force everywhere. */
static inline struct sim *begin(struct scene *scene, const struct sim_plan *plan)
{
    struct sim *sim = scene_begin(scene, plan, rule);
    for (bool all = false; !all;) {
        assert_true(sim_run_until(sim, sim->now_ms + 20)->ok);
        assert_false(sim->done);
        all = true;
        for (uint16_t i = 0; i < plan->n; i++) {
            struct slu_keygen_status status = {0};
            if (sim->nodes[i].core)
                slu_core_keygen_status(sim->nodes[i].core, &status);
            all &= status.has_key || plan->roles[i] == SIM_PUPPET || plan->roles[i] == SIM_SILENT;
        }
    }
    return sim;
}

static inline uint64_t stream_ms(const struct scene *scene)
{
    return scene->sim->oracle.heights[scene->sim->oracle.top].time_ms;
}

static inline const struct sealed_item *give(struct scene *scene, uint16_t node,
                                             enum sealed_kind kind, enum slu_unlock unlock_kind,
                                             uint64_t unlock, bool force)
{
    struct sealed_wish wish = {.kind = kind,
                               .key = scene->sim->sealed->key_count - 1,
                               .unlock_kind = (uint8_t)unlock_kind,
                               .unlock = unlock,
                               .valid_until_ms = stream_ms(scene) + 3900,
                               .payload_len = scene->payload_len ? scene->payload_len : 50};
    const struct sealed_item *item = sealed_make(scene->sim, &wish);
    sealed_give(scene->sim, &scene->sim->nodes[node], item, force);
    return item;
}

static inline uint64_t count(const struct scene *scene, enum sim_count which)
{
    return scene->sim->result.counts[which];
}

#endif
