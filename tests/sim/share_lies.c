/* What a Byzantine node without a core says of shares: wrong ones of what is due, of other lists
 * and keys, and of heights to come. It has none of its own. */
#include <sodium.h>
#include <string.h>

#include "tests/sim/byz.h"
#include "tests/sim/oracle_sealed.h"
#include "wire/key_cert.h"

static struct sim_rng *rng(struct sim *sim)
{
    return &sim->byz_rng;
}

static void fill(struct sim *sim, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)sim_rng_next(rng(sim));
}

/* An element, mostly. */
static void draw_element(struct sim *sim, uint8_t out32[32])
{
    uint8_t wide[64];
    fill(sim, wide, sizeof wide);
    crypto_core_ristretto255_from_hash(out32, wide);
    if (sim_rng_chance(rng(sim), 50))
        memset(out32, 0xff, 32);
}

/* Y_i of this node under a key of the book, as an honest node tells it. */
static bool y_of(struct sim *sim, uint16_t node, uint32_t key, uint8_t y32[32])
{
    static uint8_t bytes[SLU_KEY_CERT_BYTES_MAX];
    static struct slu_key_cert cert;
    for (uint16_t i = 0; i < sim->instances; i++) {
        const struct sim_node *other = &sim->nodes[i];
        if (!other->core || other->role != SIM_HONEST)
            continue;
        size_t len = slu_core_key_cert(other->core, (uint16_t)key, bytes);
        struct slu_reader r = slu_reader_of(bytes, len);
        if (!len || slu_key_cert_read(&r, &sim->genesis, &cert))
            continue;
        memcpy(y32, cert.key.y_i[node], 32);
        return true;
    }
    return false;
}

static void say(struct sim *sim, uint16_t node, struct slu_message *m, uint64_t to)
{
    slu_signed_shares_digest(&m->shares, &sim->genesis);
    sim_sign(sim, node, m->shares.signature, m->shares.digest);
    sim->result.counts[SIM_N_SHARE_LIES]++;
    byz_say(sim, node, m, to);
}

void puppet_shares(struct sim *sim, uint16_t node, struct slu_message *m, uint64_t height,
                   uint64_t to)
{
    struct slu_signed_shares *s = &m->shares;
    if (height == 0 || height > sim->oracle.top || sim->oracle.heights[height].due_count == 0)
        return;
    const struct oracle_height *at = &sim->oracle.heights[height];
    uint32_t key = (uint32_t)sim_rng_below(rng(sim), sim->sealed->key_count);
    m->kind = SLU_MSG_SHARES;
    *s = (struct slu_signed_shares){
        .node = node, .height = height, .count = (uint16_t)at->due_count};
    if (s->count > SLU_SHARES_MAX)
        s->count = SLU_SHARES_MAX;
    memcpy(s->block, sim->world.blocks[at->block].digest, 32);
    memcpy(s->key_id, sim->sealed->keys[key].key.key_id, 32);
    if (!y_of(sim, node, key, s->y_i))
        return;
    while (s->count > 0 && !oracle_share_list(&sim->oracle, s, s->list))
        s->count--; /* not all of the height's are of this key */
    if (s->count == 0)
        return;
    for (uint16_t i = 0; i < s->count; i++)
        draw_element(sim, s->d[i]);
    fill(sim, s->proof, sizeof s->proof);
    if (sim_rng_chance(rng(sim), 150))
        s->list[0] ^= 1;
    if (sim_rng_chance(rng(sim), 50))
        s->first = SLU_SHARES_MAX;
    say(sim, node, m, to);
}

void puppet_flood_shares(struct sim *sim, uint16_t node, struct slu_message *m)
{
    struct slu_signed_shares *s = &m->shares;
    uint64_t to = byz_some(sim);
    m->kind = SLU_MSG_SHARES;
    for (uint32_t i = sim_rng_u32(rng(sim), 1, 60); i > 0; i--) {
        *s = (struct slu_signed_shares){.node = node, .count = 1};
        s->height = sim->oracle.top + sim_rng_range(rng(sim), 1, 90);
        s->first = (uint32_t)sim_rng_below(rng(sim), 3) * SLU_SHARES_MAX;
        memcpy(s->key_id, sim->sealed->keys[0].key.key_id, 32);
        draw_element(sim, s->d[0]);
        say(sim, node, m, to);
    }
}
