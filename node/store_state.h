/* The inside of node/store: what its writing half (store.c), its reading half (store_read.c) and
 * the opening of a stopped node's (store_stopped.c) share. Private to these files. */
#ifndef SLU_NODE_STORE_STATE_H
#define SLU_NODE_STORE_STATE_H

#include <pthread.h>
#include <rocksdb/c.h>

#include "base/limits.h"
#include "node/mark.h"
#include "node/store.h"
#include "node/store_options.h"

#define SLU_KEY_BYTES_MAX      49u
#define SLU_DISK_FAILURE_BYTES 2048u

enum slu_disk_family {
    SLU_FAMILY_DEFAULT,
    SLU_FAMILY_BATCH,
    SLU_FAMILY_VOTE,
    SLU_FAMILY_CALENDAR,
    SLU_FAMILIES
};

struct slu_disk {
    char *dir;
    rocksdb_t *db;
    rocksdb_column_family_handle_t *families[SLU_FAMILIES];
    struct slu_disk_settings *settings;
    rocksdb_writeoptions_t *unsynced;
    rocksdb_writeoptions_t *synced;
    struct slu_mark *mark;
    bool empty;
    uint64_t next_write;
    size_t gathered;
    rocksdb_writebatch_t *batch;
    /* Up to where VOTE and ACK records of a lane were forgotten: keeps ranges disjoint, since
     * overlapping range deletions cost RocksDB time and space squared in their number. */
    uint64_t votes_forgotten;
    uint64_t acks_forgotten[SLU_NODES_MAX];
    pthread_mutex_t writer;
    pthread_mutex_t failing;
    char failure[SLU_DISK_FAILURE_BYTES];
};

/* ---- what is shared of opening (store.c) ---- */

/* Records of our own, under kind 0. */
#define SLU_OWN_IDENTITY 0u /* format u32 | chain id 32 | node u16 */
#define SLU_OWN_WRITE    1u
#define SLU_OWN_FIRST    2u

#define SLU_IDENTITY_BYTES (4u + 32u + 2u)

extern const char *const slu_disk_families[SLU_FAMILIES]; /* their names */

/** One with nothing open yet, to be closed with slu_disk_close. NULL when memory is refused. */
struct slu_disk *slu_disk_new(const char *dir);
/** Errors: NOT_FOUND, CORRUPT (of another length), IO. */
int slu_disk_own_get(struct slu_disk *disk, uint64_t which, uint8_t *value, size_t value_len);

/* ---- keys (store_key.c) ---- */

enum slu_disk_family slu_disk_family(enum slu_record_kind kind);
void slu_put_be64(uint8_t *at, uint64_t value);
uint64_t slu_get_be64(const uint8_t *at);
size_t slu_key_write(char out[SLU_KEY_BYTES_MAX], const struct slu_record_key *key);
/** False when the bytes are no key of a record. */
bool slu_key_read(struct slu_record_key *key, const char *in, size_t len);
int slu_key_compare(const struct slu_record_key *x, const struct slu_record_key *y);
/** Whether [from, to) can hold no key but `from`. */
bool slu_key_single(const struct slu_record_key *from, const struct slu_record_key *to);
/** The part of [from, to) whose kind is `kind`; false when there is none. */
bool slu_key_part(struct slu_record_key *lo, struct slu_record_key *hi, unsigned kind,
                  const struct slu_record_key *from, const struct slu_record_key *to);

/* ---- failures (store.c) ---- */

/** Keeps the first failure's words. Any thread. */
void slu_disk_fail(struct slu_disk *disk, const char *what, const char *words);
/** Takes RocksDB's words, frees them, and says which error they mean. */
int slu_disk_rocks_error(struct slu_disk *disk, const char *what, char *words);

#endif
