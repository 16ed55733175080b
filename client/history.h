/* Looks for transactions in the delivered stream itself: the last word on ids that a node no longer
 * remembers. Reads rollup `rollup` from height `from` until stream time has passed `until_ms`; by
 * then every id with an earlier valid_until has been delivered or never will be. */
#ifndef SLU_CLIENT_HISTORY_H
#define SLU_CLIENT_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "client/tracked.h"

/** Settles `count` rows that are accepted and overdue, each: ordered with its place, or expired;
 * sorts the list. `rollup` 0: they are sealed ones, whose commitments are entries of rollup 0 (of
 * what opens there is another entry, which says nothing about where it was ordered). On failure
 * rows not found yet stay accepted. Errors: NOT_FOUND (the history no longer reaches back so far),
 * those of a session, MALFORMED, TIMEOUT. */
SLU_MUST_USE int slu_history_settle(struct slu_tracked **rows, size_t count, const char *url,
                                    uint64_t rollup);

#endif
