/* The reference for releases (docs/PROTOCOL.md clauses 8.4 to 8.6, 10.13): what the SPACE and
 * RELEASE records of every height must be, byte for byte, worked out from the oracle's own
 * knowledge of its entries with the plainest Merkle tree there is. Nothing of wire/ that makes or
 * checks releases is used, so that a mistake there is not made here, too.
 *
 *     entry, outcome ... end ─▶ expected SPACE ─▶ with the first node's key part: expected RELEASE
 *
 * Of the key generation's part only equality between nodes is asked: the oracle does not run it. */
#ifndef SLU_SIM_ORACLE_RELEASE_H
#define SLU_SIM_ORACLE_RELEASE_H

#include "consensus/order.h"
#include "tests/sim/oracle.h"

struct sim_node;
struct oracle_releases;

struct oracle_releases *oracle_releases_new(void);
void oracle_releases_free(struct oracle_releases *releases);

/** The next entry of the height under way. `kind` as readers get it; `tx` is NULL for what is of
 * rollup 0 whatever it says: evidence, key generation. */
void oracle_release_entry(struct oracle *oracle, const struct slu_tx *tx, uint32_t index,
                          uint8_t kind, const uint8_t id32[32]);
/** The same of one out of the queue: an envelope that some node's disk has. */
void oracle_release_item(struct oracle *oracle, const struct slu_inbox_tuple *tuple,
                         uint32_t index);
/** What became of an id: its index, or why it was dropped. */
void oracle_release_outcome(struct oracle *oracle, const uint8_t id32[32], uint32_t index,
                            uint8_t drop);
/** What the block queued, when that is due, and whether a lane delivered it before. */
void oracle_release_queued(struct oracle *oracle, const uint8_t id32[32], uint64_t due, bool known);
/** All of the height is known, its dues and openings, too. */
void oracle_release_end(struct oracle *oracle, struct oracle_height *height,
                        const struct slu_block *block, const struct slu_delivered_drop *drops,
                        uint32_t drop_count);

/** A node wrote its DELIVERED record: its SPACE record stands before it. */
void oracle_space(struct oracle *oracle, const struct sim_node *node, uint64_t height);
/** It wrote its RELEASE record. */
void oracle_release(struct oracle *oracle, const struct sim_node *node, uint64_t height,
                    const uint8_t *value, size_t len);
/** It wrote a certificate. */
void oracle_release_cert(struct oracle *oracle, const struct sim_node *node, uint64_t height,
                         const uint8_t *value, size_t len);
/** A node says that heights up to this one are certified. */
void oracle_certified(struct oracle *oracle, const struct sim_node *node, uint64_t height);
/** A signature of its own leaves a node: of what it released. */
void oracle_release_leaves(struct oracle *oracle, const struct sim_node *node,
                           const struct slu_signed_release *message);
/** Whether a node's disk has every release, and certificates that are never further apart than a
 * reader takes; with `complain`, what it lacks is a violation. */
bool oracle_release_whole(struct oracle *oracle, const struct sim_node *node, bool complain);

#endif
