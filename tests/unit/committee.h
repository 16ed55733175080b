/* A committee of four made-up nodes: its genesis, their signing keys, and a verifier of their
 * signatures. make_committee and free_committee are cmocka's set-up and tear-down of a group. */
#ifndef SLU_TESTS_UNIT_COMMITTEE_H
#define SLU_TESTS_UNIT_COMMITTEE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "crypto/keyguard.h"
#include "tests/sim/seal_keys.h"

#define COMMITTEE 4u

static struct slu_genesis genesis;
static struct slu_keyguard *guards[COMMITTEE];

static inline int make_committee(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return -1;
    memset(&genesis, 0, sizeof genesis);
    genesis.version = SLU_PROTOCOL_VERSION;
    strcpy(genesis.name, "committee");
    genesis.n = COMMITTEE;
    genesis.open_rollups = true;
    for (uint16_t i = 0; i < COMMITTEE; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1)};
        guards[i] = slu_keyguard_new(seed);
        slu_keyguard_public(guards[i], genesis.nodes[i].public32);
        snprintf(genesis.nodes[i].address, sizeof genesis.nodes[i].address, "tcp://127.0.0.1:%d",
                 7000 + i);
    }
    sim_seal_keys(&genesis);
    slu_params_defaults(&genesis.params);
    char why[200];
    return slu_genesis_seal(&genesis, why, sizeof why);
}

static inline int free_committee(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < COMMITTEE; i++)
        slu_keyguard_free(guards[i]);
    return 0;
}

static inline bool is_signed_by(void *context, uint16_t node, const uint8_t digest32[32],
                                const uint8_t signature64[64])
{
    (void)context;
    return slu_signature_ok(genesis.nodes[node].public32, digest32, signature64);
}

static const struct slu_verifier verifier = {.verify = is_signed_by};

#endif
