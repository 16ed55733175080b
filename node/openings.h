/* What was due at a height, as readers get it (docs/PROTOCOL.md clause 7.11): the OPENED record,
 * held against the dues of the delivered record, entry by entry.
 *
 *     dues of DELIVERED ─┐
 *     OPENED ────────────┴─▶ the same indexes and ids, places where ordered ─▶ entries
 * (wire/entry.h)
 *
 * One height's record is held at a time, about slu_genesis_due_bytes_max at most: the chunks of a
 * height are built one after another. One thread. */
#ifndef SLU_NODE_OPENINGS_H
#define SLU_NODE_OPENINGS_H

#include "consensus/order.h"
#include "node/store.h"

struct slu_openings;

/** NULL when memory is refused. */
struct slu_openings *slu_openings_new(struct slu_disk *disk);
/** NULL is allowed. */
void slu_openings_free(struct slu_openings *openings);

/** Reads what was opened at `height`, whose record lists `dues`. What follows is about it. Errors:
 * CORRUPT (also when there is none: heights are read only once they are open), IO, MEMORY. */
SLU_MUST_USE int slu_openings_load(struct slu_openings *openings, uint64_t height,
                                   const struct slu_delivered_due *dues, uint32_t due_count);
/** Bytes of the entries of dues first .. end-1. */
size_t slu_openings_bytes(const struct slu_openings *openings, uint32_t first, uint32_t end);
/** Writes the entry of one due. */
void slu_openings_write(const struct slu_openings *openings, uint32_t due, struct slu_writer *w);

#endif
