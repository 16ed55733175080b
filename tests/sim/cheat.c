/* What a Byzantine node without a core does in the key generation: deals well or with a bad share
 * for somebody, twice and differently, complains of anybody, is ready for anything. */
#include <string.h>

#include "tests/sim/byz.h"
#include "tests/sim/seal_keys.h"
#include "wire/keygen.h"

struct cheat {
    struct sim *sim;
    uint16_t node;
};

static struct sim_rng *rng(struct sim *sim)
{
    return &sim->byz_rng;
}

static int sign(void *context, uint8_t signature64[64], enum slu_role role, uint64_t view,
                const uint8_t digest32[32])
{
    const struct cheat *cheat = context;
    (void)role;
    (void)view;
    sim_sign(cheat->sim, cheat->node, signature64, digest32);
    return 0;
}

static void say(struct cheat *cheat, struct slu_message *m, enum slu_keygen_phase phase,
                const struct slu_dkg *dkg, uint16_t dealer, const uint8_t *content, size_t len)
{
    static uint8_t envelope[SLU_KEYGEN_BYTES_MAX];
    struct sim *sim = cheat->sim;
    struct slu_signer signer = {.context = cheat, .sign = sign};
    struct slu_writer w = slu_writer_of(envelope, sizeof envelope);
    uint64_t until = sim->genesis.created_ms + sim->now_ms +
                     sim_rng_below(rng(sim), sim->genesis.params.dedup_window_ms);
    SLU_CHECK(!slu_keygen_write(&w, &sim->genesis, phase, cheat->node, dkg->sid, until, dealer,
                                content, len, &signer));
    m->kind = SLU_MSG_RELAY;
    m->relay = (struct slu_relay){.taker = cheat->node, .kind = SLU_INBOX_KEYGEN};
    SLU_CHECK(!slu_relay_derive(&m->relay, &sim->genesis, envelope, slu_writer_len(&w)));
    slu_relay_digest(&m->relay, &sim->genesis);
    sim_sign(sim, cheat->node, m->relay.signature, m->relay.digest);
    byz_say(sim, cheat->node, m, sim_rng_chance(rng(sim), 400) ? byz_some(sim) : byz_honest(sim));
}

/* The attempt that an honest node is in; false: none is. */
static bool attempt_of(struct sim *sim, struct slu_dkg *dkg)
{
    uint8_t p32[SLU_NODES_MAX][32];
    struct slu_keygen_status status;
    const struct sim_node *other = &sim->nodes[sim_rng_below(rng(sim), sim->plan.n)];
    if (!other->up || !other->core || other->role != SIM_HONEST)
        return false;
    slu_core_keygen_status(other->core, &status);
    for (uint16_t j = 0; j < sim->plan.n; j++)
        memcpy(p32[j], sim->genesis.nodes[j].seal_public32, 32);
    return status.attempt > 0 &&
           slu_dkg_begin(dkg, sim->genesis.chain_id, 0, status.attempt, sim->plan.n, status.k,
                         (const uint8_t(*)[32])p32) == 0;
}

static void deal(struct cheat *cheat, struct slu_message *m, const struct slu_dkg *dkg)
{
    static uint8_t dealing[SLU_DKG_DEALING_BYTES_MAX];
    struct sim *sim = cheat->sim;
    struct slu_dkg with = *dkg;
    struct slu_seal_secrets secrets;
    uint8_t p32[32];
    uint16_t victim = (uint16_t)sim_rng_below(rng(sim), sim->plan.n);
    sim_seal_secrets(&secrets, p32, cheat->node);
    if (sim_rng_chance(rng(sim), 400)) /* the victim's share is sealed to somebody else */
        memcpy(with.p[victim], dkg->p[(victim + 1) % sim->plan.n], 32);
    if (sim_rng_chance(rng(sim), 200))
        secrets.seed32[1] ^= 1; /* another polynomial */
    slu_dkg_deal(dealing, &with, cheat->node, secrets.seed32);
    size_t len = slu_dkg_dealing_bytes(dkg);
    if (sim_rng_chance(rng(sim), 100))
        dealing[sim_rng_below(rng(sim), len)] ^= 1;
    say(cheat, m, SLU_KEYGEN_DEAL, dkg, 0, dealing, len);
}

void puppet_cheat(struct sim *sim, uint16_t node, struct slu_message *m)
{
    struct cheat cheat = {.sim = sim, .node = node};
    struct slu_dkg dkg;
    uint8_t bytes[SLU_DKG_COMPLAINT_BYTES];
    if (!sim->genesis.params.sealing || !attempt_of(sim, &dkg))
        return;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)sim_rng_next(rng(sim));
    sim->result.counts[SIM_N_CHEATS]++;
    switch (sim_rng_below(rng(sim), 4)) {
    case 0:
        say(&cheat, m, SLU_KEYGEN_READY, &dkg, 0, bytes, 32);
        return;
    case 1:
        say(&cheat, m, SLU_KEYGEN_COMPLAINT, &dkg, (uint16_t)sim_rng_below(rng(sim), sim->plan.n),
            bytes, sizeof bytes);
        return;
    default:
        deal(&cheat, m, &dkg);
        return;
    }
}
