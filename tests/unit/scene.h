/* A scene: one directed run of the simulator with a script, for the tests that stage a case instead
 * of drawing it. A test fills a plan with scene_plan, begins with a rule for packets, looks in
 * where it likes, and ends with scene_end_ok: the run must go to its end with every invariant kept.
 */
#ifndef SLU_TESTS_UNIT_SCENE_H
#define SLU_TESTS_UNIT_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/sim.h"

struct scene {
    struct sim *sim;
    uint64_t view; /* the view that the scene is about */
    uint16_t a, b, c, x;
    uint32_t seen, dropped;
    uint64_t fixed_ms; /* when the network became good again */
    uint64_t left_ms[4];
    bool held;
    uint32_t payload_len; /* of what is sealed; 0: it does not matter */
};

typedef bool packet_rule(void *context, struct sim *sim, const struct sim_packet *packet,
                         uint16_t to, uint64_t *delay_ms);

/* A quiet run in which something breaks until `calm_ms`. */
static inline void scene_plan(struct sim_plan *plan, uint64_t seed, uint16_t n)
{
    sim_plan_quiet(plan, seed, n);
    plan->faultless = false;
    plan->calm_ms = 1500;
    plan->load_until_ms = 2500;
    plan->run_until_ms = 3000;
    plan->give_up_ms = plan->run_until_ms + 2 * sim_plan_patience_ms(plan);
}

/* Node `node` deviates so (byzantine/behaviour.h). */
static inline void scene_deviant(struct sim_plan *plan, uint16_t node, const char *behaviour)
{
    plan->roles[node] = SIM_DEVIANT;
    assert_int_equal(slu_behaviours_set(&plan->behaviours[node], behaviour, "yes"), 0);
}

/* f of them do: low ones, whose shares and signatures are taken first. */
static inline void scene_deviants(struct sim_plan *plan, const char *behaviour)
{
    for (uint16_t i = 0; i < (plan->n - 1) / 3; i++)
        scene_deviant(plan, (uint16_t)(1 + 2 * i), behaviour);
}

static inline struct sim *scene_begin(struct scene *scene, const struct sim_plan *plan,
                                      packet_rule *packet)
{
    scene->sim = sim_new(plan, NULL);
    scene->sim->hooks.context = scene;
    scene->sim->hooks.packet = packet;
    return scene->sim;
}

static inline void scene_end_ok(struct scene *scene)
{
    const struct sim_result *result = sim_run(scene->sim);
    if (!result->ok) {
        sim_trace_print(scene->sim, stderr, 100);
        sim_state_print(scene->sim, stderr);
        print_error("seed %lu, invariant %d at %lu ms: %s\n", scene->sim->plan.seed,
                    result->invariant, scene->sim->now_ms, result->what);
    }
    assert_true(result->ok);
    sim_free(scene->sim);
}

static inline const struct slu_core_stats *stats_of(const struct scene *scene, uint16_t node)
{
    return slu_core_stats(scene->sim->nodes[node].core);
}

static inline enum slu_message_kind kind_of(const struct sim_packet *packet)
{
    return packet->message->kind;
}

/** The view that a message is about; 0 for those that are about none. */
static inline uint64_t view_of(const struct slu_message *m)
{
    switch (m->kind) {
    case SLU_MSG_VOTE:
        return m->vote.view;
    case SLU_MSG_CERT:
        return m->cert.view;
    case SLU_MSG_PROPOSAL:
        return m->proposal.view;
    case SLU_MSG_REPORT:
        return m->report.view;
    case SLU_MSG_BLOCKS:
        return m->blocks.has_cert ? m->blocks.cert.view : 0;
    case SLU_MSG_BATCH:
    case SLU_MSG_ACKS:
    case SLU_MSG_HEADERS:
    case SLU_MSG_FETCH:
    case SLU_MSG_REJOIN:
    case SLU_MSG_FREEZE:
    case SLU_MSG_RELAY:
    case SLU_MSG_HOLDS:
    case SLU_MSG_SHARES:
    case SLU_MSG_RELEASE:
    case SLU_MSG_RELEASE_CERT:
    case SLU_MSG_KINDS:
        break;
    }
    return 0;
}

/** Whether a message is, or is about, an F. */
static inline bool is_final(const struct slu_message *m)
{
    return (m->kind == SLU_MSG_VOTE && m->vote.kind == SLU_FINALIZE) ||
           (m->kind == SLU_MSG_CERT && m->cert.kind == SLU_FINALIZE) ||
           (m->kind == SLU_MSG_BLOCKS && m->blocks.has_cert);
}

#endif
