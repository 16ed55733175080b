/* The key generation under the simulator: fresh bytes that are the same in every replay, and the
 * check that all nodes see the same generation (invariant 10). */
#ifndef SIM_KEYGEN_H
#define SIM_KEYGEN_H

#include "tests/sim/sim.h"

struct keygen_seen;

struct keygen_seen *keygen_new(uint64_t seed);
void keygen_free(struct keygen_seen *seen);
/** Compares where the node's key generation stands with what others said of that height. */
void keygen_look(struct sim_node *node);

#endif
