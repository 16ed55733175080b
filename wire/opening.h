/* An opening as readers get it (docs/PROTOCOL.md clause 7.11): what a sealed entry contained, with
 * all that is needed to seal it again, so that anybody can check it against the id that was
 * ordered.
 *
 *     height u64 | index u32 |                                  where its commitment was ordered
 *     key_id 32 | unlock kind u8 | unlock u64 | valid_until u64 | e 16 | z 32 | rho 32 | payload
 *
 * Of a void entry there is only the first line. The rollup travels beside it: 0 of a bundle, whose
 * body the payload is then. */
#ifndef SLU_WIRE_OPENING_H
#define SLU_WIRE_OPENING_H

#include "base/bytes.h"
#include "crypto/sealed.h"
#include "wire/genesis.h"

struct slu_opening {
    uint64_t height;
    uint32_t index;
    /* from here on only of what opened; in place */
    const uint8_t *key_id32, *e16, *z32, *rho32;
    uint8_t unlock_kind; /* slu_unlock */
    uint64_t unlock, valid_until_ms;
    const uint8_t *payload;
    uint32_t payload_len;
};

#define SLU_OPENING_PLACE_BYTES 12u
#define SLU_OPENING_HEAD_BYTES  (SLU_OPENING_PLACE_BYTES + 32u + 1u + 8u + 8u + 16u + 32u + 32u)

/** "tag", "seed", "form", "rollup", "invalid"; "none" of SLU_OPENED. Static storage. */
const char *slu_void_name(enum slu_void reason);

/** What becomes of a sealed entry that contained this: OPENED, or void for a rollup that the chain
 * does not have, or as what is of rollup 0 and no bundle. */
enum slu_void slu_opening_judge(const struct slu_genesis *genesis, uint64_t rollup,
                                const uint8_t *payload, size_t len);

void slu_opening_write(struct slu_writer *w, const struct slu_opening *opening, bool opened);
/** Reads one, in place. Errors: MALFORMED. */
SLU_MUST_USE int slu_opening_read(struct slu_opening *out, const uint8_t *bytes, size_t len,
                                  bool opened);

#endif
