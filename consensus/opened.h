/* What was due at a height, once all of it is opened or void (docs/PROTOCOL.md clauses 7.9
 * to 7.11): the OPENED record. A height without anything due has none. Reading it is for whoever
 * serves it.
 *
 *     count u32 | count x ( index u32 | id 32 | outcome u8 | rollup u64 | len u32 | opening )
 *
 * index: of the entry at this height, rising: the commitment's own, or, of what waited, one of its
 * own (consensus/order.h). outcome: slu_void, 0: opened. rollup: 0 of void ones and of bundles
 * (docs/PROTOCOL.md clause 5.4). opening: wire/opening.h. */
#ifndef SLU_CONSENSUS_OPENED_H
#define SLU_CONSENSUS_OPENED_H

#include "base/bytes.h"
#include "base/check.h"

struct slu_opened {
    uint32_t index;
    const uint8_t *id32;
    uint8_t outcome; /* slu_void */
    uint64_t rollup;
    const uint8_t *opening;
    uint32_t opening_len;
};

#define SLU_OPENED_HEAD_BYTES 49u

/** Opens a record in place. Errors: MALFORMED. */
SLU_MUST_USE int slu_opened_open(struct slu_reader *record, const uint8_t *bytes, size_t len,
                                 uint32_t *count);
/** The next one; at most `count` times. Errors: MALFORMED. */
SLU_MUST_USE int slu_opened_next(struct slu_reader *record, struct slu_opened *out);

#endif
