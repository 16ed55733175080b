/* What a Byzantine node without a core says of releases: the true one, or another, of heights long
 * past, of the newest and of some to come; and a certificate that somebody has, out of turn. */
#include <string.h>

#include "tests/sim/byz.h"

#define BELOW 24u
#define ABOVE 80u

static struct sim_rng *rng(struct sim *sim)
{
    return &sim->byz_rng;
}

static void spoil(struct sim *sim, struct slu_release *r)
{
    uint8_t *const fields[] = {r->block, r->previous, r->ordered, r->opened, r->state};
    unsigned field = (unsigned)sim_rng_below(rng(sim), 6);
    if (field < 5)
        fields[field][sim_rng_below(rng(sim), 32)] ^= (uint8_t)(1u << sim_rng_below(rng(sim), 8));
    else
        r->time_ms++;
}

static void sign_some(struct sim *sim, uint16_t node, struct slu_message *m)
{
    uint64_t top = sim->oracle.released, height = top + ABOVE;
    struct slu_release *r = &m->release.release;
    height -= sim_rng_below(rng(sim), ABOVE + BELOW);
    if (height > top && sim_rng_chance(rng(sim), 700))
        height = top;
    uint64_t known = height > top ? top : height;
    if (height > top + ABOVE || known == 0)
        return; /* wrapped: the run is young */
    struct slu_reader reader = slu_reader_of(sim->oracle.heights[known].release, SLU_RELEASE_BYTES);
    if (slu_release_read(&reader, sim->genesis.chain_id, r))
        return;
    r->height = height;
    if (sim_rng_chance(rng(sim), 700))
        spoil(sim, r);
    slu_release_digest(r, sim->genesis.chain_id);
    m->kind = SLU_MSG_RELEASE;
    m->release.node = node;
    sim_sign(sim, node, m->release.signature, r->digest);
    sim->result.counts[SIM_N_RELEASE_LIES]++;
    byz_say(sim, node, m, byz_some(sim));
}

static void show_certificate(struct sim *sim, uint16_t node, struct slu_message *m)
{
    const struct sim_node *other = &sim->nodes[sim_rng_below(rng(sim), sim->plan.n)];
    uint32_t count = other->disk.counts[SLU_REC_RELEASE_CERT];
    if (count == 0)
        return;
    const struct sim_record *record =
        &other->disk.records[SLU_REC_RELEASE_CERT][sim_rng_below(rng(sim), count)];
    struct slu_reader reader = slu_reader_of(record->value, record->len);
    if (slu_release_cert_read(&reader, &sim->genesis, &m->release_cert))
        return;
    m->kind = SLU_MSG_RELEASE_CERT;
    byz_say(sim, node, m, byz_some(sim));
}

void puppet_releases(struct sim *sim, uint16_t node, struct slu_message *m)
{
    if (byz_does(sim, BYZ_LIES))
        sign_some(sim, node, m);
    if (byz_does(sim, BYZ_RELEASES) && sim_rng_chance(rng(sim), 200))
        show_certificate(sim, node, m);
}
