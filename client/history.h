/* Looks for transactions in the delivered stream itself: the last word on ids that a node no longer
 * remembers. A search reads the stream of one rollup from before where the first of them was taken,
 * until stream time has passed the last valid_until: by then each has been delivered or never will
 * be. It can be left and gone on with, so that who searches is not bound to it for its whole
 * length. One thread. */
#ifndef SLU_CLIENT_HISTORY_H
#define SLU_CLIENT_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "client/tracked.h"

struct slu_history;

/** A search for `count` rows that are accepted and overdue, at the node with this URL; sorts the
 * list, which stays the caller's and must outlive the search, as must `url`. `rollup` 0: they are
 * sealed ones, whose commitments are entries of rollup 0 (of what opens there is another entry,
 * which says nothing about where it was ordered). NULL: memory is refused. */
struct slu_history *slu_history_new(struct slu_tracked **rows, size_t count, const char *url,
                                    uint64_t rollup);
/** Goes on until every row is settled: ordered with its place, or expired (0); or until monotonic
 * time `until_ms` (1: there is more). On failure, which ends the search, rows not found yet stay
 * accepted. Errors: NOT_FOUND (the history no longer reaches back so far), those of a session,
 * MALFORMED, TIMEOUT (the next height did not come). */
SLU_MUST_USE int slu_history_go_on(struct slu_history *history, uint64_t until_ms);
/** NULL is allowed. */
void slu_history_free(struct slu_history *history);

/** A whole search at once. Errors: MEMORY, those of slu_history_go_on. */
SLU_MUST_USE int slu_history_settle(struct slu_tracked **rows, size_t count, const char *url,
                                    uint64_t rollup);

#endif
