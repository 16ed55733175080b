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

enum slu_fate {
    SLU_FATE_SENT,     /* no answer yet */
    SLU_FATE_REFUSED,  /* definite */
    SLU_FATE_ACCEPTED, /* definite without --wait */
    SLU_FATE_ORDERED,  /* this and the rest: definite */
    SLU_FATE_EXPIRED,
    SLU_FATE_DROPPED,
    SLU_FATE_UNKNOWN,
};

struct slu_tracked {
    uint8_t id32[32];
    bool has_id;
    bool accepted;       /* the node has said so */
    bool known;          /* accepted because the id was there already */
    bool sealed;         /* the id is known from the start, and this: */
    uint8_t unlock_kind; /* slu_unlock */
    uint64_t unlock;
    bool asked;   /* in an open query */
    bool overdue; /* not found though its validity has passed: looked for in the history */
    enum slu_fate fate;
    char *reason;            /* owned; NULL: none */
    uint64_t valid_until_ms; /* stream time; 0: the node did not say */
    uint64_t accepted_ms;    /* monotonic, when the answer came */
    uint64_t from_height;    /* delivered at the node when it accepted */
    uint64_t height;
    uint32_t index;
};

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
/** Sets a fate with its reason (copied; NULL or "": none). */
void slu_tracked_end(struct slu_tracked *row, enum slu_fate fate, const char *reason);
/** Whether the row waits for an outcome: accepted, and outcomes are wanted. */
bool slu_tracker_undecided(const struct slu_tracker *tracker, const struct slu_tracked *row);
/** Prints what is definite at the front as JSON lines to `file` and lets it go. False: cannot. */
SLU_MUST_USE bool slu_tracker_print(struct slu_tracker *tracker, FILE *file);
void slu_tracker_free(struct slu_tracker *tracker);

#endif
