/* What became of one submitted transaction. */
#ifndef SLU_CLIENT_TRACKED_H
#define SLU_CLIENT_TRACKED_H

#include <stdbool.h>
#include <stdint.h>

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

/** Sets a fate with its reason (copied; NULL or "": none). */
void slu_tracked_end(struct slu_tracked *row, enum slu_fate fate, const char *reason);

#endif
