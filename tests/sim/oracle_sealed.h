/* What each height orders, lets wait and opens of sealed entries (docs/PROTOCOL.md clauses 7.5
 * to 7.11): a plain reading of the clauses over a list, from what the makers of the envelopes know.
 * Part of the oracle: called height by height, in the order in which a height is delivered. */
#ifndef SLU_SIM_ORACLE_SEALED_H
#define SLU_SIM_ORACLE_SEALED_H

#include "tests/sim/oracle.h"
#include "tests/sim/sealed.h"

struct oracle_sealed *oracle_sealed_new(const struct slu_genesis *genesis);
void oracle_sealed_free(struct oracle_sealed *s);

/** A height begins. */
void oracle_sealed_begin(struct oracle *oracle, const struct slu_block *block);
/** Whether a forced one with an unlock has room, should it wait; then it is kept. */
bool oracle_sealed_keeps(struct oracle *oracle, uint32_t bytes);
/** A forced one that is an entry at `index`. */
void oracle_sealed_forced(struct oracle *oracle, const uint8_t id32[32], uint32_t index);
/** What waited and is due now; returns how many, from `index` on. */
uint32_t oracle_sealed_waited(struct oracle *oracle, uint32_t index);
/** How many wait once all of the height is known, and their bytes. */
uint64_t oracle_sealed_waiting(const struct oracle *oracle, uint64_t *bytes);
/** A lane's, once the rules of clause 4.2 are kept: slu_drop; NONE: it is an entry at `index`. */
uint8_t oracle_sealed_judge(struct oracle *oracle, uint16_t lane, const struct slu_tx *tx,
                            const uint8_t id32[32], uint32_t index);
/** All of the height: its dues and the record of their openings go into `height`. */
void oracle_sealed_end(struct oracle *oracle, struct oracle_height *height);

/** A node wrote an OPENED record. */
void oracle_opened(struct oracle *oracle, struct sim_node *node, uint64_t height,
                   const uint8_t *value, size_t len);
/** A node says that all is open up to a height: it is on its disk. */
void oracle_told(struct oracle *oracle, struct sim_node *node, uint64_t height);
/** The list that these shares of a delivered height must have; false: there is no such run of dues. */
bool oracle_share_list(const struct oracle *oracle, const struct slu_signed_shares *shares,
                       uint8_t list32[32]);
/** A node's shares leave it: they are of a chunk that is due at a final height (invariant 10). */
void oracle_shares(struct oracle *oracle, struct sim_node *node,
                   const struct slu_signed_shares *shares);

#endif
