/* Signatures of the simulator: a keyed 8-byte hash of the digest, spread over 64 bytes. Nobody in a
 * run can make another node's, since all code signs through here with its own number. */
#include <string.h>

#include "sluice/error.h"
#include "tests/sim/sim.h"

void sim_sign(const struct sim *sim, uint16_t node, uint8_t signature64[64],
              const uint8_t digest32[32])
{
    uint64_t words[4], hash = sim_mix(sim->plan.seed ^ (node + UINT64_C(1)) << 32);
    memcpy(words, digest32, 32);
    for (int i = 0; i < 4; i++)
        hash = sim_mix(hash ^ words[i]);
    for (size_t i = 0; i < 8; i++) {
        memcpy(signature64 + 8 * i, &hash, 8);
        hash += UINT64_C(0x9e3779b97f4a7c15);
    }
}

static bool verify(void *context, uint16_t node, const uint8_t digest32[32],
                   const uint8_t signature64[64])
{
    uint8_t want[64];
    sim_sign(context, node, want, digest32);
    return !memcmp(want, signature64, 64);
}

struct slu_verifier sim_verifier(struct sim *sim)
{
    return (struct slu_verifier){.context = sim, .verify = verify};
}

static int sign(void *context, uint8_t signature64[64], enum slu_role role, uint64_t view,
                const uint8_t digest32[32])
{
    struct sim_node *node = context;
    if (role >= SLU_ROLE_NOTARIZE && role <= SLU_ROLE_FINALIZE) {
        enum slu_vote_kind kind = role == SLU_ROLE_NOTARIZE  ? SLU_NOTARIZE
                                  : role == SLU_ROLE_NULLIFY ? SLU_NULLIFY
                                                             : SLU_FINALIZE;
        sim_note(node->sim, SIM_T_SIGN, node->instance, node->id, (uint8_t)kind, view, digest32);
        if (node->role == SIM_HONEST)
            sim_ledger_signs(node, kind, view, digest32);
        if (node->sim->hooks.vote)
            node->sim->hooks.vote(node->sim->hooks.context, node->sim, node->id, kind, view);
    }
    sim_sign(node->sim, node->id, signature64, digest32);
    return SLU_OK;
}

struct slu_signer sim_signer(struct sim_node *node)
{
    return (struct slu_signer){.context = node, .sign = sign};
}
