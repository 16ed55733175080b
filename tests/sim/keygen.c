#include "tests/sim/keygen.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sealed.h"

struct keygen_seen {
    uint8_t (*digests)[32]; /* by height; zero: not seen */
    uint32_t count, cap;
};

/* ---- fresh bytes ---- */

static struct sim_rng fresh;

static const char *fresh_name(void)
{
    return "simulator";
}

static void fresh_bytes(void *const out, const size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)sim_rng_next(&fresh);
}

static uint32_t fresh_word(void)
{
    return (uint32_t)sim_rng_next(&fresh);
}

/* What proofs draw (crypto/proof.h) comes from the seed: a replay is exact to the bit. */
static void fix_fresh_bytes(uint64_t seed)
{
    static randombytes_implementation implementation = {
        .implementation_name = fresh_name, .random = fresh_word, .buf = fresh_bytes};
    fresh = sim_rng_of(seed, UINT64_C(0x6b657967656e));
    randombytes_set_implementation(&implementation);
}

/* ---- agreement ---- */

struct keygen_seen *keygen_new(uint64_t seed)
{
    fix_fresh_bytes(seed);
    return sim_alloc(sizeof(struct keygen_seen));
}

void keygen_free(struct keygen_seen *seen)
{
    if (seen)
        free(seen->digests);
    free(seen);
}

/* Everything but what is the node's own. */
static void digest_of(uint8_t digest32[32], const struct slu_keygen_status *s)
{
    uint8_t bytes[160];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u8(&w, (uint8_t)s->phase);
    slu_write_u32(&w, s->attempt);
    slu_write_u16(&w, s->k);
    slu_write_u64(&w, s->dealt);
    slu_write_u64(&w, s->out);
    slu_write_u64(&w, s->ready);
    slu_write_u8(&w, s->has_key);
    slu_write_u16(&w, s->key_k);
    slu_write_u64(&w, s->key_dealers);
    slu_write_u64(&w, s->key_from_height);
    slu_write_bytes(&w, s->key_id, 32);
    slu_write_bytes(&w, s->y, 32);
    SLU_CHECK(!w.failed);
    crypto_generichash(digest32, 32, bytes, slu_writer_len(&w), NULL, 0);
}

void keygen_look(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct keygen_seen *seen = sim->keygen;
    struct slu_keygen_status status;
    uint8_t digest[32];
    if (!sim->genesis.params.sealing || node->role != SIM_HONEST)
        return;
    slu_core_keygen_status(node->core, &status);
    if (status.between)
        return;
    sealed_key(sim, &status);
    while (seen->count <= status.height) {
        seen->digests = sim_grow(seen->digests, &seen->cap, seen->count, sizeof *seen->digests);
        memset(seen->digests[seen->count++], 0, 32);
    }
    digest_of(digest, &status);
    uint8_t *before = seen->digests[status.height];
    if (sodium_is_zero(before, 32))
        memcpy(before, digest, 32);
    else if (memcmp(before, digest, 32))
        sim_violation(sim, 10, "node %u has another key generation at height %lu", node->id,
                      status.height);
    /* A key is in force only if k and f more nodes said that they can open. */
    if (status.has_key && __builtin_popcountll(status.key_dealers) < slu_genesis_q(&sim->genesis))
        sim_violation(sim, 10, "a key of too few dealers");
    sim->result.counts[SIM_N_KEYS] = status.has_key ? status.key_k : 0;
}
