/* The synced mark: a file of our own beside RocksDB's that says how far the data directory was
 * synced, so that damage can be told from the torn tail that a crash leaves (docs/STORAGE.md 4).
 *
 * RocksDB alone cannot tell: a flipped bit in a length of its newest log block looks to it like a
 * write that a crash cut short, and it opens without a word and without the records behind it.
 *
 *      write k, synced ──▶ slu_mark_advance: checksum the new bytes of the log and of the MANIFEST
 *                          ──▶ one of two slots of `synced` (fdatasync every SLU_MARK_SYNC_MS)
 *
 *      at open: every marked byte must still be there with the marked checksum, else CORRUPT;
 *               bytes behind the marked ones are a torn tail, which RocksDB may cut off.
 *
 * A slot: "SLUMARK1" | generation u64 | write u64 | manifest number u64, bytes u64, crc u32 |
 * count u32 | count x (log number u64, bytes u64, crc u32) | crc32c u32 of all before it. One slot
 * is written until it is synced, then the other, so that a torn one leaves the last synced one.
 *
 * Not syncing the mark with every write halves the syncs of a node. What it costs: the mark is
 * exact after any death of the process; after a loss of power it may lag by SLU_MARK_SYNC_MS under
 * load, so damage to just those last writes, in that same loss of power, would pass for a torn
 * tail.
 *
 * Thread: the one that writes; the caller serialises. */
#ifndef SLU_NODE_MARK_H
#define SLU_NODE_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define SLU_MARK_SYNC_MS  50u /* the mark itself is synced at most this often */
#define SLU_MARK_LOGS_MAX 64u /* live log files that are remembered; the oldest are left out */

struct slu_mark;

/** Opens or misses `dir`/synced and checks every byte that it vouches for. To be called before
 * RocksDB opens. `present` is false in a directory that has no mark yet. `why` (cap bytes) gets the
 * words on failure. Errors: CORRUPT (names the file), IO, MEMORY. */
SLU_MUST_USE int slu_mark_open(struct slu_mark **mark, const char *dir, bool *present, char *why,
                               size_t why_cap);
/** The number of the last write that was acknowledged; 0 without a mark. */
uint64_t slu_mark_write(const struct slu_mark *mark);
/** After RocksDB has opened: forgets the old log files, starts on the new ones, and makes the first
 * durable mark. `write` is the newest write that RocksDB has. Errors: IO. */
SLU_MUST_USE int slu_mark_restart(struct slu_mark *mark, uint64_t write, char *why, size_t why_cap);
/** After each synced write `write`. Errors: IO. */
SLU_MUST_USE int slu_mark_advance(struct slu_mark *mark, uint64_t write, char *why, size_t why_cap);
/** NULL is allowed. */
void slu_mark_close(struct slu_mark *mark);

/** CRC-32C (Castagnoli) of `data` appended to what `crc` covers; start with 0. */
uint32_t slu_crc32c(uint32_t crc, const void *data, size_t len);

#endif
