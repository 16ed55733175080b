/* Bytes and scalars that are drawn, the same in every run, so that a failure comes again. */
#ifndef SLU_TESTS_UNIT_DRAW_H
#define SLU_TESTS_UNIT_DRAW_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

static inline void draw(void *out, size_t len)
{
    static uint8_t state[32];
    sodium_increment(state, sizeof state);
    randombytes_buf_deterministic(out, len, state);
}

/** Below the order of the group. */
static inline void draw_scalar(uint8_t scalar32[32])
{
    uint8_t wide[64];
    draw(wide, sizeof wide);
    crypto_core_ristretto255_scalar_reduce(scalar32, wide);
}

#endif
