/* Merkle trees over digests, in the shape of RFC 9162 section 2.1: of n leaves the left subtree has
 * the largest power of two below n. A proof shows a run of neighbouring leaves: the hashes of the
 * subtrees beside it, from the left to the right; how many there are follows from the counts, so a
 * proof has one form only. The number of leaves is not in the root: what commits to a root commits
 * to it, too (wire/space.h). */
#ifndef SLU_WIRE_MERKLE_H
#define SLU_WIRE_MERKLE_H

#include "base/bytes.h"

/** Hashes in a proof of one leaf or two neighbours, at most. */
#define SLU_MERKLE_PROOF_MAX 64u

/** The root of `count` >= 1 leaves: H("node", left | right) upwards; of one, the leaf itself. */
void slu_merkle_root(uint8_t root32[32], const uint8_t chain_id32[32], const uint8_t (*leaves)[32],
                     uint32_t count);

/** Appends the proof that leaves first .. first+shown-1 of `count` are what they are; shown >= 1.
 */
void slu_merkle_prove(struct slu_writer *w, const uint8_t chain_id32[32],
                      const uint8_t (*leaves)[32], uint32_t count, uint32_t first, uint32_t shown);

/** How many hashes that proof has; UINT32_MAX: these places are not in such a tree. */
uint32_t slu_merkle_hashes(uint32_t count, uint32_t first, uint32_t shown);

/* A tree that is kept whole, for many proofs: the leaves, then each level above them, a last odd node
 * going up as it is. */

/** Digests in all of a tree of `count` leaves. */
size_t slu_merkle_nodes(uint32_t count);
/** Fills in what lies above the leaves, which are the first `count` of `nodes`. */
void slu_merkle_fill(uint8_t (*nodes)[32], const uint8_t chain_id32[32], uint32_t count);
/** The same proof as slu_merkle_prove, without a hash. */
void slu_merkle_prove_kept(struct slu_writer *w, const uint8_t (*nodes)[32], uint32_t count,
                           uint32_t first, uint32_t shown);

/** The root that `shown` leaves from `first` on have in a tree of `count`, with the hashes at the
 * cursor. False: these places are not in such a tree, or hashes are missing. */
bool slu_merkle_replay(uint8_t root32[32], const uint8_t chain_id32[32],
                       const uint8_t (*leaves)[32], uint32_t count, uint32_t first, uint32_t shown,
                       struct slu_reader *hashes);

#endif
