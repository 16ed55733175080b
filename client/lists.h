/* The lists of a height, made again from its entries, against the roots in its release
 * (docs/PROTOCOL.md clauses 8.5 and 8.8). Pure: bytes in, a verdict out.
 *
 *     entries ─▶ the id of each, from all that it is ─▶ leaves ─┬─ of one rollup: its two lists ◀─
 * proofs └─ of all: both spaces
 *
 * For one rollup a proof says for each space how many entries the rollup has and what their root
 * is; what is shown must be these and nothing else. For all rollups (0) there is nothing to prove:
 * everybody's entries together must give the roots. Either way a server can neither leave out nor
 * add, move or change anything. Memory grows to what the largest height took. One thread. */
#ifndef SLU_CLIENT_LISTS_H
#define SLU_CLIENT_LISTS_H

#include "base/check.h"
#include "client/heights.h"
#include "wire/genesis.h"
#include "wire/release.h"

#define SLU_LISTS_WHY_BYTES 160u

struct slu_lists;

/** For a reader of `rollup`; 0: of all. NULL when memory is refused. */
struct slu_lists *slu_lists_new(const uint8_t chain_id32[32], uint64_t rollup);
/** NULL is allowed. */
void slu_lists_free(struct slu_lists *lists);

/** Whether the entries of a whole height are those of its release. `proof` is the proof in what was
 * ordered, then in what was opened; empty for all rollups. `why` says what is wrong, without the
 * height. Errors: MISMATCH (no honest node shows this), MEMORY. */
SLU_MUST_USE int slu_lists_check(struct slu_lists *lists, const struct slu_heights *heights,
                                 const struct slu_release *release, const uint8_t *proof,
                                 size_t proof_len, char why[SLU_LISTS_WHY_BYTES]);

#endif
