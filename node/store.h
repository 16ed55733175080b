/* The node's disk: RocksDB, through its C API, behind the records of consensus/store.h, with one
 * synced write per call and a check at open that nothing synced is missing (docs/STORAGE.md).
 *
 *     column family   records                       why apart
 *     default         STATE FINAL DELIVERED IDS     read while running, pruned by height
 *                     INBOX SHARES OPENED, our own
 *     batch           BATCH (values in blob files)  bodies are written once, never moved
 *     vote            VOTE ACK DUE                  forgotten all the time, read at start only
 *     calendar        CALENDAR                      one is kept for weeks, the next for a second: in a
 *                                                   blob file it would keep all the others' bytes
 *
 *     key = kind u8 | a u64 big-endian | b u64 big-endian [| digest 32: BATCH and INBOX]
 *
 * One write-ahead log serves all of them, so a write is atomic, and what it puts and forgets happens in
 * the order in which it was told. Each write also carries its number in
 * a record of our own; the synced mark (node/mark.h) remembers the last one outside of RocksDB.
 *
 * Threads: writing (begin .. commit) by one thread at a time, it takes a lock; views are for one
 * thread each and may be used while another writes. */
#ifndef SLU_NODE_STORE_H
#define SLU_NODE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consensus/store.h"

#define SLU_DISK_FORMAT 3u

struct slu_disk;

struct slu_disk_identity {
    uint8_t chain_id[32];
    uint16_t node;
};

/** Opens the data directory `dir`, making it (0700) and its identity record when it is new.
 * `why` (cap bytes) gets one line naming the directory or file on failure.
 * Errors: MISMATCH (another chain, node or format), CORRUPT (damage: something synced is missing or
 * changed), BUSY (in use by another process), IO (less than 8 MiB of free disk, too), MEMORY. */
SLU_MUST_USE int slu_disk_open(struct slu_disk **disk, const char *dir,
                               const struct slu_disk_identity *identity, char *why, size_t why_cap);
/** Opens the data directory of a node that does not run, or a copy of one, for reading only; nothing in it is
 * changed, and the synced mark is not looked at. Only views of it may be used. `node` gets whose it is.
 * Errors: BUSY (its node is running), MISMATCH (another chain or format), CORRUPT, IO, MEMORY. */
SLU_MUST_USE int slu_disk_open_stopped(struct slu_disk **disk, const char *dir,
                                       const uint8_t chain_id32[32], uint16_t *node, char *why,
                                       size_t why_cap);
/** Whether no record was there at open. */
bool slu_disk_empty(const struct slu_disk *disk);
/** Remembers durably that this empty directory may be a node's first start ever, so that the marker
 * file that says so can be deleted before the core has written anything. Errors: IO. */
SLU_MUST_USE int slu_disk_grant_first_start(struct slu_disk *disk);
/** Whether it is remembered. Errors: IO, CORRUPT. */
SLU_MUST_USE int slu_disk_first_start(struct slu_disk *disk, bool *granted);
/** No view may be in use any more. NULL is allowed. */
void slu_disk_close(struct slu_disk *disk);

/* ---- writing ---- */

/** Starts a write; takes the writer's lock until commit. */
void slu_disk_begin(struct slu_disk *disk);
/** Adds a record: value, then payload (may be NULL) right behind it. Both are copied. */
void slu_disk_put(struct slu_disk *disk, const struct slu_record_key *key, const void *value,
                  size_t value_len, const void *payload, size_t payload_len);
/** Deletes the records of [from, to), those of this very write that came before included. A range of
 * more than one possible key costs every later read of its column family something until the next flush:
 * not for what is read while running and forgotten all the time. */
void slu_disk_forget(struct slu_disk *disk, const struct slu_record_key *from,
                     const struct slu_record_key *to);
/** Bytes gathered since begin, for bounding a write. */
size_t slu_disk_gathered(const struct slu_disk *disk);
/** Writes and syncs all of it atomically, with everything written before, then marks it; ends the
 * write either way. After a failure the disk takes no further write. Errors: IO, CORRUPT;
 * slu_disk_failure has the words. */
SLU_MUST_USE int slu_disk_commit(struct slu_disk *disk);
/** The same without the sync: readable at once, safe from the death of the process, durable with
 * the next slu_disk_commit; a loss of power may take it, never without what was written after it.
 */
SLU_MUST_USE int slu_disk_write(struct slu_disk *disk);
/** One line about the last failure of a write or of any view's read; "" without one. */
const char *slu_disk_failure(struct slu_disk *disk);

/** Asks RocksDB to give back the space of deleted records of [from, to): drops whole files,
 * compacts the rest. Blocks for its duration; not for a hot path. */
void slu_disk_reclaim(struct slu_disk *disk, const struct slu_record_key *from,
                      const struct slu_record_key *to);

/* ---- reading ---- */

struct slu_disk_view;

/** A reader for one thread. NULL when memory is refused. */
struct slu_disk_view *slu_disk_view_new(struct slu_disk *disk);
void slu_disk_view_free(struct slu_disk_view *view);
/** The view as consensus/ knows it; lives as long as the view. */
const struct slu_store *slu_disk_view_store(const struct slu_disk_view *view);
/** The least record of `kind`, as slu_store.last. Errors: NOT_FOUND, IO, CORRUPT. */
SLU_MUST_USE int slu_disk_view_first(struct slu_disk_view *view, enum slu_record_kind kind,
                                     struct slu_record_key *key, const uint8_t **value,
                                     size_t *value_len);

/** RocksDB's own memory (memtables, caches, readers) and the bytes of its live files. */
struct slu_disk_usage {
    uint64_t memory_bytes;
    uint64_t file_bytes;
};
void slu_disk_usage_read(struct slu_disk *disk, struct slu_disk_usage *usage);

#endif
