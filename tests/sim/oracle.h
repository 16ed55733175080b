/* The reference for what is delivered: computes each height's record from the world's knowledge, on
 * its own, and holds every honest node to it byte for byte (invariants 1, 9, 13). */
#ifndef SLU_SIM_ORACLE_H
#define SLU_SIM_ORACLE_H

#include "consensus/store.h"
#include "tests/sim/world.h"

struct oracle_outcome {
    uint8_t id[32];
    uint64_t height;
    uint32_t index; /* of a delivered one */
    uint8_t drop;   /* slu_drop; 0: delivered */
    uint32_t next;  /* older outcome of the same id + 1, or 0 */
};

/* What a final block queued, with its delivery height. */
struct oracle_queued {
    struct slu_inbox_tuple tuple;
    uint64_t height, due; /* that queued it, that delivers it */
    bool done; /* delivered before its height */
};

/* A sealed entry that a height opens. */
struct oracle_due {
    uint8_t id[32];
    uint64_t height; /* ordered at */
    uint32_t ordered_index, index;
    bool on_the_dot; /* its unlock is exactly here */
};

struct oracle_height {
    uint32_t block; /* in the world */
    uint8_t *record;
    size_t record_len;
    uint64_t time_ms;
    uint32_t remembered; /* ids that this height put into the window */
    struct oracle_due *dues;
    uint32_t due_count;
    uint8_t *opened; /* the record of their openings */
    size_t opened_len;
    uint64_t due_before; /* the height below that opened something last */
    uint8_t *space, *release; /* what these records must be (tests/sim/oracle_release.h) */
    size_t space_len, release_len;
};

struct oracle {
    struct sim *sim;
    struct oracle_height *heights; /* by height */
    uint32_t height_cap;
    uint64_t top;
    struct sim_table final_at; /* by height: the block that nodes wrote as final */
    struct oracle_outcome *outcomes;
    uint32_t outcome_count, outcome_cap;
    struct sim_table outcome_at; /* by id: newest */
    struct sim_table window;     /* id -> height that put it there */
    uint64_t window_from;        /* lowest height still in the window */
    uint64_t window_count;
    uint64_t delivered, dropped;
    struct oracle_queued *queued; /* forced ones, in the order of the queue */
    uint32_t queued_count, queued_cap, due_next;
    struct sim_table queued_at; /* by id: newest */
    uint64_t forced, skipped, evidence; /* delivered, delivered before, delivered */
    uint64_t told; /* times that a node said where a delivered one was queued */
    struct oracle_sealed *sealed; /* tests/sim/oracle_sealed.h */
    uint64_t last_due;            /* the last height that opens something */
    struct oracle_releases *releases; /* tests/sim/oracle_release.h */
    uint64_t released;                /* `space` and `release` are whole up to this height */
};

void oracle_init(struct oracle *oracle, struct sim *sim);
void oracle_free(struct oracle *oracle);
/** A node wrote a final block; `value` is its record. */
void oracle_final(struct oracle *oracle, uint16_t node, uint64_t height, const uint8_t *value,
                  size_t len);
/** A node wrote a delivered record. */
void oracle_delivered(struct oracle *oracle, uint16_t node, uint64_t height, const uint8_t *value,
                      size_t len);
/** The newest outcome of an id, or NULL. */
const struct oracle_outcome *oracle_outcome(const struct oracle *oracle, const uint8_t id32[32]);

#endif
