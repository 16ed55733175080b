/* What is on disk of releases. Reading it is for whoever serves readers, too.
 *
 *     SPACE    time u64 | block 32 | SLU_STATE_PARTS x 32 | ordered 32 | count u32 | count x leaf
 *     RELEASE  release | count u32 | count x leaf           the leaves of what was opened
 *
 * A leaf is a rollup's (wire/space.h); they rise by rollup. */
#ifndef SLU_CONSENSUS_RELEASE_RECORD_H
#define SLU_CONSENSUS_RELEASE_RECORD_H

#include "wire/release.h"
#include "wire/space.h"

struct slu_space_record {
    uint64_t time_ms;
    const uint8_t *block32, *ordered32, *parts; /* in place */
    uint32_t count;
    struct slu_reader leaves; /* at the first: slu_space_leaf_read, `count` times */
};

#define SLU_SPACE_RECORD_HEAD_BYTES (8u + 32u + SLU_STATE_PARTS * 32u + 32u + 4u)

/** Opens a SPACE record in place. Errors: MALFORMED. */
SLU_MUST_USE int slu_space_record_open(struct slu_space_record *out, const uint8_t *bytes,
                                       size_t len);

struct slu_release_record {
    struct slu_release release;
    uint32_t count;
    struct slu_reader leaves;
};

/** The same of a RELEASE record. Errors: MALFORMED. */
SLU_MUST_USE int slu_release_record_open(struct slu_release_record *out,
                                         const uint8_t chain_id32[32], const uint8_t *bytes,
                                         size_t len);

#endif
