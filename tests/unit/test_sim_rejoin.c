/* A lost disk at the worst time, as directed runs of the simulator (docs/PROTOCOL.md clause 3.13).
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/scene.h"

/* Node 3's batches are acked but in no block when it loses its disk; it rejoins, but these do not
 * come back before it crashes once more. It may not go on from a lower position then. */
static bool tail_comes_late(void *context, struct sim *sim, const struct sim_packet *packet,
                            uint16_t to, uint64_t *delay_ms)
{
    struct scene *scene = context;
    const struct slu_message *m = packet->message;
    struct slu_lane_status lane;
    (void)delay_ms;
    if (sim->now_ms < 700 || sim->now_ms >= scene->fixed_ms)
        return true;
    if (m->kind == SLU_MSG_PROPOSAL)
        return false;
    if (to != 3 || (m->kind != SLU_MSG_BATCH && m->kind != SLU_MSG_HEADERS))
        return true;
    slu_core_lane_status(sim->nodes[0].core, 3, &lane);
    const struct slu_batch_header *last =
        m->kind == SLU_MSG_BATCH ? &m->batch.header : &m->headers.items[m->headers.count - 1];
    bool late = last->lane == 3 && last->position > lane.committed.position;
    scene->dropped += late;
    return !late;
}

static void test_crash_between_rejoin_and_the_lane(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct scene scene = {.fixed_ms = 2400};
        struct sim_plan plan;
        scene_plan(&plan, seed, 4);
        plan.calm_ms = 2500;
        plan.load_until_ms = 3500;
        plan.run_until_ms = 4000;
        plan.give_up_ms = plan.run_until_ms + 2 * sim_plan_patience_ms(&plan);
        plan.crashes[plan.crash_count++] =
            (struct sim_crash){.node = 3, .at_ms = 900, .up_ms = 1000, .wipe = true};
        plan.crashes[plan.crash_count++] =
            (struct sim_crash){.node = 3, .at_ms = 1600, .up_ms = 1700};
        struct sim *sim = scene_begin(&scene, &plan, tail_comes_late);
        sim_run_until(sim, 1590);
        assert_false(slu_core_rejoining(sim->nodes[3].core));
        scene_end_ok(&scene);
        assert_true(scene.dropped > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_between_rejoin_and_the_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
