/* Twins, enumerated: a Byzantine node is two copies of a correct one with one key, and the network
 * is cut in two differently in each of the first views (Bano et al., "Twins: BFT Systems Made
 * Robust", 2021). Whatever a node can do that equivocates, forgets or answers twice comes out of
 * such a pair. Here leaders rotate, so that who is the pair decides which of the views it leads.
 *
 *     view 1   {0 1 3 | 2 3'}      view 2   {0 3 | 1 2 3'}      view 3   {0 1 2 3 3'}   then healed
 *
 * A schedule is the sides in VIEWS views: one bit per copy, copy 0 always on side 0. Schedules that
 * differ only in the names of the pair are one. All of them are `schedules()` runs; a test takes
 * every STRIDE-th, and the whole list goes through when SLU_TWINS_ALL is in the environment. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/scene.h"

#define NODES   4u
#define COPIES  (NODES + 1u)
#define VIEWS   3u
#define SIDES   16u /* 2^(COPIES - 1) */
#define HEAL_MS 400u
#define STRIDE  29u

struct schedule {
    uint16_t pair;
    uint32_t sides[VIEWS];
    uint64_t cut;
};

static uint64_t schedules(void)
{
    return (uint64_t)NODES * SIDES * SIDES * SIDES;
}

/* The same sides with the copies of the pair exchanged, copy 0 on side 0 again. */
static uint32_t exchanged(uint32_t sides, uint16_t pair)
{
    uint32_t one = sides >> pair & 1, two = sides >> NODES & 1;
    sides &= ~(1u << pair | 1u << NODES);
    sides |= two << pair | one << NODES;
    return sides & 1 ? ~sides & ((1u << COPIES) - 1) : sides;
}

/* False for one that is another schedule with the pair's names exchanged. */
static bool schedule_of(uint64_t number, struct schedule *s)
{
    *s = (struct schedule){.pair = (uint16_t)(number % NODES)};
    number /= NODES;
    int order = 0;
    for (uint32_t i = 0; i < VIEWS; i++, number /= SIDES) {
        s->sides[i] = (uint32_t)(number % SIDES) << 1;
        uint32_t other = exchanged(s->sides[i], s->pair);
        if (order == 0 && other != s->sides[i])
            order = other < s->sides[i] ? -1 : 1;
    }
    return order >= 0;
}

static bool on_the_same_side(void *context, struct sim *sim, const struct sim_packet *packet,
                             uint16_t instance)
{
    struct schedule *s = context;
    const struct slu_core *core = sim->nodes[instance].core;
    uint64_t view = view_of(packet->message);
    if (sim->now_ms >= HEAL_MS || !core)
        return true;
    if (view == 0)
        view = slu_core_stats(core)->view;
    if (view < 1 || view > VIEWS)
        return true;
    uint32_t sides = s->sides[view - 1];
    bool same = (sides >> instance & 1) == (sides >> packet->instance & 1);
    s->cut += !same;
    return same;
}

static void run_schedule(uint64_t number, struct schedule *s)
{
    struct sim_plan plan;
    sim_plan_quiet(&plan, number, NODES);
    plan.faultless = false;
    plan.roles[s->pair] = SIM_TWINS;
    plan.params.delta_ms = 10;
    plan.params.heartbeat_ms = plan.params.heartbeat_idle_ms = 20;
    plan.params.resend_ms = 40;
    plan.params.standstill_ms = 150;
    plan.params.timer_cap_ms = 300;
    plan.load_every_ms = 40;
    plan.calm_ms = HEAL_MS;
    plan.load_until_ms = plan.run_until_ms = HEAL_MS + 50;
    plan.give_up_ms = HEAL_MS + 4 * sim_plan_patience_ms(&plan);
    struct scene scene = {0};
    struct sim *sim = scene_begin(&scene, &plan, NULL);
    sim->hooks.context = s;
    sim->hooks.arrives = on_the_same_side;
    const struct sim_result *result = sim_run(sim);
    if (!result->ok)
        print_error("schedule %lu: pair %u, sides %x %x %x\n", number, s->pair, s->sides[0],
                    s->sides[1], s->sides[2]);
    scene_end_ok(&scene);
}

static void test_enumerated_schedules(void **state)
{
    (void)state;
    uint64_t stride = getenv("SLU_TWINS_ALL") ? 1 : STRIDE, runs = 0, cut = 0;
    for (uint64_t number = 0; number < schedules(); number += stride) {
        struct schedule s;
        if (!schedule_of(number, &s))
            continue;
        run_schedule(number, &s);
        runs++;
        cut += s.cut > 0;
    }
    print_message("%lu schedules, %lu of them cut something\n", runs, cut);
    assert_true(runs > schedules() / stride / 3 && cut > runs * 9 / 10);
}

/* What is left out really is the same. */
static void test_pairs_are_symmetric(void **state)
{
    (void)state;
    uint64_t kept = 0;
    for (uint64_t number = 0; number < schedules(); number++) {
        struct schedule s;
        kept += schedule_of(number, &s);
        for (uint32_t i = 0; i < VIEWS; i++) {
            uint32_t other = exchanged(s.sides[i], s.pair);
            assert_false(other & 1);
            assert_int_equal(exchanged(other, s.pair), s.sides[i]);
        }
    }
    assert_in_range(kept, schedules() / 2, schedules() * 3 / 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs_are_symmetric),
        cmocka_unit_test(test_enumerated_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
