/* Bundles (docs/PROTOCOL.md clause 5.4) as clients and liars make them, good and wrong in one
 * point, and what must become of one, worked out from its bytes without wire/bundle.h. */
#ifndef SLU_SIM_BUNDLE_H
#define SLU_SIM_BUNDLE_H

#include "base/bytes.h"
#include "tests/sim/rng.h"
#include "wire/genesis.h"
#include "wire/tx.h"

#define SIM_STRICT_ROLLUP 5u    /* in the genesis of runs with bundles: takes sealed ones only */
#define SIM_BUNDLE_MIN    35u   /* a body has at least so many bytes ... */
#define SIM_BUNDLE_MAX    1003u /* ... and at most so many */

/** Draws a body of at most `cap` bytes (SIM_BUNDLE_MIN..SIM_BUNDLE_MAX) and returns its length;
 * every `odd_permille`-th is wrong. `number` tells it from all others. */
uint32_t sim_bundle_draw(struct sim_rng *r, uint8_t *body, uint32_t cap, uint64_t number,
                         uint32_t odd_permille);
/** The same in an envelope, which is of rollup 0 unless that is what is wrong. */
void sim_bundle_write(struct sim_rng *r, struct slu_writer *w, uint64_t valid_until_ms,
                      uint32_t cap, uint64_t number, uint32_t odd_permille);
/** Why a body is dropped, or void when it was `sealed`: SLU_DROP_NONE, _BUNDLE (its form), _ROLLUP,
 * and, not sealed, _SEALED_ONLY. */
uint8_t sim_bundle_judge(const struct slu_genesis *g, const uint8_t *body, size_t len, bool sealed);

#endif
