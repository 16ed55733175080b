/* An entry of the stream as it travels to readers (proto/client.proto, Height.entries):
 *
 *     index u32 | rollup u64 | valid_until u64 | id 32 | kind u8 | len u32 | payload
 *
 * Of what is an envelope the fields are the envelope's, so that a reader can make it again and with
 * it the id. What a sealed entry contained follows as an entry of its own, of the rollup inside,
 * under the id that was ordered (docs/PROTOCOL.md clause 7.11). A bundle, sealed or not, is of
 * rollup 0 and goes whole to the readers of each leg's rollup (clause 5.4). */
#ifndef SLU_WIRE_ENTRY_H
#define SLU_WIRE_ENTRY_H

#include "base/bytes.h"
#include "base/check.h"
#include "sluice/bundle.h"

/* kind: the envelope's (enum slu_tx_kind), + FORCED when it came out of the queue; or one that no
 * envelope has, whose valid_until is 0. */
#define SLU_ENTRY_FORCED   128u
#define SLU_ENTRY_EVIDENCE 64u /* of rollup 0 */
#define SLU_ENTRY_KEYGEN   65u /* of rollup 0; an envelope all the same, with its valid_until */
#define SLU_ENTRY_OPENED   66u /* payload: wire/opening.h */
#define SLU_ENTRY_VOID                                                                             \
    67u /* of rollup 0; payload: slu_void u8, then the place of wire/opening.h                     \
         */

struct slu_entry {
    uint32_t index; /* place in the height's whole list */
    uint64_t rollup, valid_until_ms;
    const uint8_t *id32; /* in place, as the payload */
    uint8_t kind;
    const uint8_t *payload;
    uint32_t payload_len;
};

#define SLU_ENTRY_HEAD_BYTES 57u

/** What stands before `payload_len` bytes of payload. */
void slu_entry_head_write(struct slu_writer *w, const struct slu_entry *entry);
/** Reads the next entry at the cursor. False at the end, or when the bytes do not hold one
 * (reader->failed). */
bool slu_entry_next(struct slu_reader *reader, struct slu_entry *entry);

/** The legs of a bundle, ordered as one or opened. Errors: MALFORMED (it is none). */
SLU_MUST_USE int slu_entry_bundle(struct slu_bundle *bundle, const struct slu_entry *entry);
/** The rollups in whose lists it stands (wire/space.h), each once; how many. A bundle that is none
 * came out of the queue past more than f liars, and is rollup 0's. */
size_t slu_entry_rollups(const struct slu_entry *entry, uint64_t rollups[SLU_BUNDLE_LEGS_MAX]);
/** Whether readers of `rollup` (not 0) get it: its own, or a leg's. */
bool slu_entry_is_for(const struct slu_entry *entry, uint64_t rollup);

#endif
