/* The form in which entries travel to readers (proto/client.proto, Height.entries):
 *
 *     index u32 | rollup u64 | id 32 | kind u8 | len u32 | payload
 *
 * kind: the envelope's, + SLU_ENTRY_FORCED when it came out of the queue; or one of those below,
 * which no envelope has. What a sealed entry contained follows as an entry of its own, of the
 * rollup inside, under the id that was ordered (docs/PROTOCOL.md clause 7.11). A bundle, sealed or
 * not, is of rollup 0 and goes whole to the readers of each leg's rollup (clause 5.4). */
#ifndef SLU_NODE_ENTRY_H
#define SLU_NODE_ENTRY_H

#include "base/bytes.h"

#define SLU_ENTRY_HEAD_BYTES 49u

#define SLU_ENTRY_FORCED   128u
#define SLU_ENTRY_EVIDENCE 64u
#define SLU_ENTRY_KEYGEN   65u
#define SLU_ENTRY_OPENED   66u /* payload: wire/opening.h */
#define SLU_ENTRY_VOID     67u /* of rollup 0; payload: slu_void u8, then the place of wire/opening.h \
                                */

/** What stands before `len` bytes of payload. */
static inline void slu_entry_head_write(struct slu_writer *w, uint32_t index, uint64_t rollup,
                                        const uint8_t id32[32], uint8_t kind, uint32_t len)
{
    slu_write_u32(w, index);
    slu_write_u64(w, rollup);
    slu_write_bytes(w, id32, 32);
    slu_write_u8(w, kind);
    slu_write_u32(w, len);
}

/** Whether readers of `rollup` (not 0) get an entry that is of `of`. */
bool slu_entry_is_for(uint64_t rollup, uint64_t of, uint8_t kind, const uint8_t *payload,
                      size_t len);

#endif
