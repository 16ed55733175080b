/* A committee of made-up keys and the link configs of its nodes and clients, for tests of link/. */
#ifndef SLU_TESTS_UNIT_LINK_KEYS_H
#define SLU_TESTS_UNIT_LINK_KEYS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <string.h>

#include "link/link.h"

#define NODES 4

static uint8_t publics[NODES][32];
static struct slu_keyguard *guards[NODES];
static bool reader_threads; /* whether links are read by threads of their own */

static inline int make_keys(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return -1;
    for (int i = 0; i < NODES; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1)};
        guards[i] = slu_keyguard_new(seed);
        slu_keyguard_public(guards[i], publics[i]);
    }
    return 0;
}

static inline int free_keys(void **state)
{
    (void)state;
    for (int i = 0; i < NODES; i++)
        slu_keyguard_free(guards[i]);
    return 0;
}

static inline struct slu_link_config node_config(uint16_t node)
{
    struct slu_link_config config = slu_link_config_default();
    config.role = SLU_LINK_AS_NODE;
    memset(config.chain_id32, 7, 32);
    config.node = node;
    memcpy(config.public32, publics[node], 32);
    config.signer = slu_keyguard_signer(guards[node]);
    config.peers = (const uint8_t(*)[32])publics;
    config.peers_count = NODES;
    config.reader_threads = reader_threads;
    return config;
}

static inline struct slu_link_config client_config(void)
{
    return slu_link_config_default();
}

#endif
