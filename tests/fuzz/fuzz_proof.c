/* Proof files: what reads is written as the same bytes, and claims something; what is checked ends
 * in a verdict. The chain is the made-up one of tests/vectors, so that the corpus, which is its
 * proofs, holds; every signature passes, or nothing but the signatures would ever be fuzzed.
 *
 *     input: a proof file */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "tests/sim/seal_keys.h"
#include "wire/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool accept_all(void *context, uint16_t node, const uint8_t digest32[32],
                       const uint8_t signature64[64])
{
    (void)context;
    (void)digest32;
    (void)signature64;
    return node < SLU_NODES_MAX;
}

static void make_genesis(struct slu_genesis *g)
{
    char why[200];
    SLU_CHECK(sodium_init() >= 0);
    g->version = SLU_PROTOCOL_VERSION;
    strcpy(g->name, "committee");
    g->n = 4;
    g->open_rollups = true;
    for (uint16_t i = 0; i < g->n; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1)};
        struct slu_keyguard *guard = slu_keyguard_new(seed);
        slu_keyguard_public(guard, g->nodes[i].public32);
        slu_keyguard_free(guard);
        snprintf(g->nodes[i].address, sizeof g->nodes[i].address, "tcp://127.0.0.1:%d", 7000 + i);
    }
    sim_seal_keys(g);
    slu_params_defaults(&g->params);
    SLU_CHECK(!slu_genesis_seal(g, why, sizeof why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct slu_genesis genesis;
    static uint8_t scratch[SLU_PROOF_SCRATCH_BYTES], again[SLU_PROOF_BYTES_MAX];
    const struct slu_verifier verifier = {.verify = accept_all};
    struct slu_proof proof;
    struct slu_proof_facts facts;
    if (!genesis.n)
        make_genesis(&genesis);
    if (slu_proof_read(&proof, data, size))
        return 0;
    struct slu_writer w = slu_writer_of(again, sizeof again);
    slu_proof_write(&w, &proof);
    SLU_CHECK(!w.failed && slu_writer_len(&w) == size && !memcmp(again, data, size));
    slu_proof_claims(&facts, &proof);
    SLU_CHECK(facts.height > 0 && facts.certified >= facts.height && facts.payload_len < size);
    enum slu_proof_fault fault = slu_proof_check(&proof, &genesis, &verifier, scratch);
    SLU_CHECK(fault < SLU_PROOF_FAULTS);
    return 0;
}
