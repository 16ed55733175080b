/* Timers that grow while nothing becomes final, and shrink again (docs/PROTOCOL.md clause 3.4):
 * proposals are lost, so that every view is nullified by its timer, and the time that one node
 * spends in each view is measured. */
#include <stdlib.h>

#include "tests/unit/scene.h"

#define VIEWS_MAX 256u
#define SLACK_MS  120u /* the way of votes and reports, and the tick's resolution */

struct timing {
    struct scene scene;
    uint64_t entered_ms[VIEWS_MAX]; /* of node 0 */
    uint64_t nullified_ms[VIEWS_MAX];
    uint64_t heal_view;  /* proposals arrive again from this view on; 0: not yet */
    uint64_t views_good; /* so many of them */
};

static bool lose_proposals(void *context, struct sim *sim, const struct sim_packet *packet,
                           uint16_t to, uint64_t *delay_ms)
{
    struct timing *t = context;
    const struct slu_message *m = packet->message;
    (void)sim;
    (void)to;
    (void)delay_ms;
    if (m->kind != SLU_MSG_PROPOSAL)
        return true;
    uint64_t view = m->proposal.view;
    return view < 5 ||
           (t->heal_view && view >= t->heal_view && view != t->heal_view + t->views_good);
}

static void note_view(void *context, struct sim *sim)
{
    struct timing *t = context;
    if (!sim->nodes[0].core)
        return;
    uint64_t view = slu_core_stats(sim->nodes[0].core)->view;
    if (view < VIEWS_MAX && !t->entered_ms[view])
        t->entered_ms[view] = sim->now_ms;
}

static void note_nullify(void *context, struct sim *sim, uint16_t node, enum slu_vote_kind kind,
                         uint64_t view)
{
    struct timing *t = context;
    if (node == 0 && kind == SLU_NULLIFY && view < VIEWS_MAX && !t->nullified_ms[view])
        t->nullified_ms[view] = sim->now_ms;
}

static uint64_t timer_of(const struct timing *t, uint64_t view)
{
    assert_in_range(view, 1, VIEWS_MAX - 1);
    assert_true(t->entered_ms[view] > 0 && t->nullified_ms[view] > 0);
    return t->nullified_ms[view] - t->entered_ms[view];
}

/* 8Δ grown by half `steps` times, and no further than the cap. */
static uint64_t grown_ms(const struct slu_params *p, uint32_t steps)
{
    uint64_t value = 8u * p->delta_ms;
    while (steps-- > 0)
        value += value / 2;
    return value < p->timer_cap_ms ? value : p->timer_cap_ms;
}

/* Views that fail for 14 s, then `views_good` good ones, then one that fails again. */
static void run(struct timing *t, uint64_t views_good)
{
    struct sim_plan plan;
    *t = (struct timing){.views_good = views_good};
    scene_plan(&plan, 1, 4);
    plan.load_every_ms = 15;
    plan.load_body_max = 30;
    plan.calm_ms = 15000;
    plan.load_until_ms = plan.run_until_ms = 21000;
    plan.give_up_ms = 30000;
    t->scene.sim = sim_new(&plan, NULL);
    t->scene.sim->hooks = (struct sim_hooks){
        .context = t, .packet = lose_proposals, .vote = note_nullify, .tick = note_view};
    sim_run_until(t->scene.sim, 14500);
    t->heal_view = slu_core_stats(t->scene.sim->nodes[0].core)->view + 1;
    sim_run_until(t->scene.sim, 20500);
}

static void test_timers_grow_up_to_their_cap(void **state)
{
    (void)state;
    struct timing t;
    run(&t, 1);
    const struct slu_params *p = &t.scene.sim->plan.params;
    uint64_t last = t.heal_view - 1, base = 8u * p->delta_ms, grew = 0;
    assert_true(last > 8);
    assert_in_range(timer_of(&t, 6), base - SLACK_MS, base + p->heartbeat_idle_ms + SLACK_MS);
    for (uint64_t view = 7; view < last; view++) {
        uint64_t before = timer_of(&t, view - 1), now = timer_of(&t, view);
        assert_true(now + SLACK_MS >= before);
        assert_true(now <= p->timer_cap_ms + SLACK_MS);
        grew += now > before + SLACK_MS;
    }
    assert_true(grew >= 3); /* in steps, not at once */
    assert_in_range(timer_of(&t, last - 1), p->timer_cap_ms - SLACK_MS, p->timer_cap_ms + SLACK_MS);
    scene_end_ok(&t.scene);
}

/* From the cap down to the base it is four finalizations here, however long the standstill was. */
static void test_timers_shrink_with_each_finalization(void **state)
{
    (void)state;
    for (uint64_t good = 1; good <= 6; good++) {
        struct timing t;
        run(&t, good);
        const struct slu_params *p = &t.scene.sim->plan.params;
        uint64_t view = t.heal_view + good;
        /* It is entered when the view before is notarized, a moment before its finalization. */
        uint32_t least = good < 4 ? 4 - (uint32_t)good : 0,
                 most = good < 5 ? 5 - (uint32_t)good : 0;
        assert_in_range(timer_of(&t, view), grown_ms(p, least) - SLACK_MS,
                        grown_ms(p, most) + SLACK_MS);
        scene_end_ok(&t.scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_grow_up_to_their_cap),
        cmocka_unit_test(test_timers_shrink_with_each_finalization),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
