/* A Byzantine node with a real core: it follows the protocol but for what it sends. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/byz.h"

/* Beside its own vote, the one that contradicts it. */
static void contradict(struct sim_node *node, const struct slu_vote *vote)
{
    struct sim *sim = node->sim;
    sim->result.counts[SIM_N_DOUBLE_VOTES]++;
    if (vote->kind != SLU_NULLIFY) {
        byz_vote(sim, node->id, SLU_NULLIFY, vote->view, vote->block, byz_some(sim));
        if (vote->kind == SLU_NOTARIZE)
            byz_vote(sim, node->id, SLU_FINALIZE, vote->view, vote->block, byz_some(sim));
        return;
    }
    uint32_t at = world_view(&sim->world, vote->view)->proposals;
    if (at) {
        uint8_t block[32];
        memcpy(block, sim->world.proposals[at - 1].proposal.block, 32);
        byz_vote(sim, node->id, SLU_NOTARIZE, vote->view, block, byz_some(sim));
        byz_vote(sim, node->id, SLU_FINALIZE, vote->view, block, byz_some(sim));
    }
}

static bool is_withheld(const struct slu_message *m)
{
    return m->kind == SLU_MSG_VOTE || m->kind == SLU_MSG_CERT || m->kind == SLU_MSG_BATCH ||
           m->kind == SLU_MSG_ACKS || m->kind == SLU_MSG_REPORT || m->kind == SLU_MSG_PROPOSAL;
}

void byz_twist(struct sim_node *node, struct sim_packet *packet, uint16_t to)
{
    struct sim *sim = node->sim;
    const struct slu_message *m = packet->message;
    uint64_t targets = to == SLU_TO_ALL ? ~(UINT64_C(1) << node->id) : UINT64_C(1) << to;
    targets &= (UINT64_C(1) << sim->plan.n) - 1;
    if (m->kind == SLU_MSG_VOTE && m->vote.node == node->id && byz_does(sim, BYZ_CONTRADICTS))
        contradict(node, &m->vote);
    if (m->kind == SLU_MSG_CERT && byz_does(sim, BYZ_TO_LEADER)) {
        targets &= UINT64_C(1) << (m->cert.view + 1) % sim->plan.n;
        sim->result.counts[SIM_N_WITHHELD]++;
    } else if (is_withheld(m) && byz_does(sim, BYZ_WITHHOLDS)) {
        targets &= byz_some(sim);
        sim->result.counts[SIM_N_WITHHELD]++;
    }
    for (uint16_t i = 0; i < sim->plan.n; i++)
        if (targets >> i & 1)
            sim_net_send_after(sim, packet, i, byz_delay(sim));
}
