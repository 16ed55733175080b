/* What became of each submitted transaction, in the order of the input: rows enter at the back when
 * a line is read and leave at the front, printed, once they are definite.
 *
 *     front ─▶ [definite][definite][undecided][definite][in flight] ◀─ back
 *              printed and gone     held until it is decided
 */
#ifndef SLU_CLIENT_TRACKER_H
#define SLU_CLIENT_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "client/text.h"
#include "client/tracked.h"

struct slu_tracker {
    bool wait;                              /* rows are definite only with an outcome */
    uint64_t front, back;                   /* row numbers: [front, back) is held */
    struct slu_tracked *rows;               /* ring; row i at i mod cap */
    size_t cap;                             /* a power of two */
    uint64_t refused, ordered, not_ordered; /* of those printed */
    struct slu_text text;
};

/** Adds a row and returns its number; UINT64_MAX when memory is refused. */
uint64_t slu_tracker_add(struct slu_tracker *tracker);
/** Row `row` of [front, back); valid until the next add. */
struct slu_tracked *slu_tracker_at(struct slu_tracker *tracker, uint64_t row);
/** Whether the row waits for an outcome: accepted, and outcomes are wanted. */
bool slu_tracker_undecided(const struct slu_tracker *tracker, const struct slu_tracked *row);
/** Prints what is definite at the front as JSON lines to `file` and lets it go. False: cannot. */
SLU_MUST_USE bool slu_tracker_print(struct slu_tracker *tracker, FILE *file);
void slu_tracker_free(struct slu_tracker *tracker);

#endif
