/* Event lists against slu_core_step: four nodes of the simulator, one of them Byzantine, driven by
 * the input: what it says, when, and which packets of the others are lost or late. Every invariant
 * of the simulator must hold.
 *
 *     input: (operation u8 | operands)*, see act() */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/byz.h"
#include "tests/sim/inbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIAR 3u

struct script {
    struct slu_reader in;
    uint8_t fate[4][4]; /* of a link's packets: 0 on time, else see packet() */
    uint64_t resume_ms;
};

static bool packet(void *context, struct sim *sim, const struct sim_packet *p, uint16_t to,
                   uint64_t *delay_ms)
{
    struct script *script = context;
    uint8_t fate = script->fate[p->from & 3][to & 3];
    if (p->from == LIAR || sim->now_ms >= sim->plan.calm_ms)
        return true;
    if (fate >= 250)
        return false;
    *delay_ms += fate;
    return true;
}

static bool is_over(const struct script *s)
{
    return s->in.failed || slu_reader_left(&s->in) == 0;
}

static uint64_t small(struct script *s, uint64_t bound)
{
    return slu_read_u8(&s->in) % bound;
}

/* Some digest that exists, or one that does not. */
static void pick_digest(struct script *s, struct sim *sim, uint8_t digest32[32], bool batch)
{
    const struct world *world = &sim->world;
    uint8_t at = slu_read_u8(&s->in);
    memset(digest32, at, 32);
    if (batch && at < 200 && world->batch_count)
        memcpy(digest32,
               world->batches[world->batch_count - 1 - at % world->batch_count].header.digest, 32);
    if (!batch && at < 200 && world->proposal_count)
        memcpy(
            digest32,
            world->proposals[world->proposal_count - 1 - at % world->proposal_count].proposal.block,
            32);
}

static uint64_t pick_view(struct script *s, const struct sim *sim)
{
    uint64_t top = sim->world.view_top, at = small(s, 16);
    return at < 14 ? (top + 3 > at ? top + 3 - at : 1) : at * 1000;
}

static void say_tips(struct script *s, struct sim *sim, struct slu_lane_tip *tips, uint16_t *count)
{
    for (uint16_t l = 0; l < 4; l++) {
        if (small(s, 4) == 0)
            continue;
        struct slu_lane_tip *tip = &tips[(*count)++];
        tip->lane = l;
        pick_digest(s, sim, tip->tip.digest, true);
        const struct world_batch *batch = world_batch(&sim->world, tip->tip.digest);
        tip->tip.position = batch ? batch->header.position : 1 + small(s, 250);
    }
}

static void say(struct script *s, struct sim *sim)
{
    struct slu_message *m = calloc(1, sizeof *m);
    SLU_CHECK(m);
    uint64_t to = 1 + small(s, 7);
    switch (small(s, 8)) {
    case 0: {
        uint8_t block[32];
        pick_digest(s, sim, block, false);
        block[0] |= 1; /* never all zero */
        byz_vote(sim, LIAR, (enum slu_vote_kind)small(s, 3), pick_view(s, sim), block, to);
        break;
    }
    case 1:
        m->kind = SLU_MSG_ACKS;
        m->acks.node = LIAR;
        say_tips(s, sim, m->acks.acks, &m->acks.count);
        slu_ack_vector_digest(&m->acks, &sim->genesis);
        sim_sign(sim, LIAR, m->acks.signature, m->acks.digest);
        byz_say(sim, LIAR, m, to);
        break;
    case 2:
        m->kind = SLU_MSG_REPORT;
        m->report.node = LIAR;
        m->report.view = pick_view(s, sim);
        m->report.clock_ms = slu_read_u64(&s->in);
        m->report.released = small(s, 255);
        say_tips(s, sim, m->report.tips, &m->report.count);
        puppet_list(sim, &m->report);
        slu_report_digest(&m->report, &sim->genesis);
        sim_sign(sim, LIAR, m->report.signature, m->report.digest);
        byz_say(sim, LIAR, m, to);
        break;
    case 3:
        m->kind = SLU_MSG_FETCH;
        m->fetch.what = (uint8_t)small(s, SLU_FETCH_KINDS);
        m->fetch.lane = (uint16_t)small(s, 4);
        m->fetch.from = 1 + small(s, 255);
        m->fetch.to = m->fetch.from + small(s, 255);
        pick_digest(s, sim, m->fetch.digest, m->fetch.what <= SLU_FETCH_LANE_CERT);
        byz_say(sim, LIAR, m, to);
        break;
    case 4:
        puppet_tick(sim, LIAR);
        break;
    case 5:
        puppet_flood(sim, LIAR, m);
        break;
    case 6:
        puppet_hold(sim, LIAR, m);
        break;
    default:
        m->kind = SLU_MSG_REJOIN;
        m->rejoin.node = (uint16_t)small(s, 4);
        memset(m->rejoin.nonce, (int)small(s, 3), 32);
        byz_say(sim, LIAR, m, to);
        break;
    }
    free(m);
}

static void act(struct script *s, struct sim *sim)
{
    switch (small(s, 9)) {
    case 0:
    case 1:
    case 2:
        say(s, sim);
        break;
    case 8: {
        struct sim_node *node = &sim->nodes[small(s, 3)];
        if (node->up && node->core)
            forced_load(sim, node);
        break;
    }
    case 3:
    case 4: {
        uint64_t link = small(s, 16);
        s->fate[link / 4][link % 4] = slu_read_u8(&s->in);
        break;
    }
    case 5: {
        struct sim_node *node = &sim->nodes[small(s, 3)];
        if (node->up) {
            sim_node_crash(node, false);
            sim_at(sim, sim->now_ms + 1 + small(s, 255),
                   &(struct sim_event){.kind = SIM_EV_RESTART, .node = node->instance});
        }
        break;
    }
    default:
        s->resume_ms = sim->now_ms + small(s, 128);
        break;
    }
}

/* Until the input ends, the network is as bad as it says; then it is calm. */
static void tick(void *context, struct sim *sim)
{
    struct script *s = context;
    for (uint32_t i = 0; i < 40 && sim->now_ms >= s->resume_ms && !is_over(s); i++)
        act(s, sim);
    if (is_over(s) && sim->plan.calm_ms == UINT64_MAX / 4) {
        sim->plan.calm_ms = sim->now_ms + 300;
        sim->plan.run_until_ms = sim->now_ms + 600;
        sim->plan.load_until_ms = sim->now_ms + 300;
        sim->plan.give_up_ms = sim->now_ms + 300 + 3 * sim_plan_patience_ms(&sim->plan);
        sim_at(sim, sim->plan.calm_ms, &(struct sim_event){.kind = SIM_EV_CALM});
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_plan plan;
    if (size > 768)
        return 0;
    sim_plan_quiet(&plan, size ? data[0] : 0, 4);
    plan.faultless = false;
    plan.bundle_permille = 300;
    plan.roles[LIAR] = SIM_SILENT;
    plan.tear_permille = 500;
    plan.lost_forget_permille = 500;
    plan.byz_permille[BYZ_FORKS] = plan.byz_permille[BYZ_VOTES] = 500;
    plan.byz_permille[BYZ_UNBACKED] = plan.byz_permille[BYZ_TWO_PROPOSALS] = 500;
    plan.calm_ms = plan.run_until_ms = plan.give_up_ms = plan.load_until_ms = UINT64_MAX / 4;
    struct script script = {.in = slu_reader_of(data, size)};
    struct sim *sim = sim_new(&plan, NULL);
    sim->hooks.context = &script;
    sim->hooks.packet = packet;
    sim->hooks.tick = tick;
    const struct sim_result *result = sim_run(sim);
    if (!result->ok) {
        sim_trace_print(sim, stderr, 200);
        fprintf(stderr, "invariant %d at %lu ms: %s\n", result->invariant, sim->now_ms,
                result->what);
        abort();
    }
    sim_free(sim);
    return 0;
}
