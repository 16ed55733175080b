#include "node/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "node/store_state.h"
#include "sluice/error.h"

#define WHY_BYTES 768u
#define ROOM_MIN  (UINT64_C(8) << 20) /* of free disk, to open */

const char *const slu_disk_families[SLU_FAMILIES] = {"default", "batch", "vote", "calendar"};

/* ---- failures ---- */

void slu_disk_fail(struct slu_disk *d, const char *what, const char *words)
{
    pthread_mutex_lock(&d->failing);
    if (d->failure[0] == '\0')
        snprintf(d->failure, sizeof d->failure, "%s: %s: %s", d->dir, what, words);
    pthread_mutex_unlock(&d->failing);
}

const char *slu_disk_failure(struct slu_disk *disk)
{
    pthread_mutex_lock(&disk->failing);
    pthread_mutex_unlock(&disk->failing); /* written once, then constant */
    return disk->failure;
}

int slu_disk_rocks_error(struct slu_disk *d, const char *what, char *words)
{
    int error = strncmp(words, "Corruption", 10) == 0 ? SLU_ERR_CORRUPT : SLU_ERR_IO;
    if (strstr(words, "No such file") != NULL)
        error = SLU_ERR_CORRUPT;
    char doing[64];
    snprintf(doing, sizeof doing, "%s%s", error == SLU_ERR_CORRUPT ? "damaged: " : "", what);
    slu_disk_fail(d, doing, words);
    rocksdb_free(words);
    return error;
}

/* ---- opening ---- */

int slu_disk_own_get(struct slu_disk *d, uint64_t which, uint8_t *value, size_t value_len)
{
    struct slu_record_key key = {.kind = (enum slu_record_kind)0, .a = which};
    char bytes[SLU_KEY_BYTES_MAX];
    char *error = NULL;
    size_t found_len = 0;
    size_t key_len = slu_key_write(bytes, &key);
    rocksdb_readoptions_t *read = rocksdb_readoptions_create();
    char *found = rocksdb_get_cf(d->db, read, d->families[SLU_FAMILY_DEFAULT], bytes, key_len,
                                 &found_len, &error);
    rocksdb_readoptions_destroy(read);
    if (error != NULL)
        return slu_disk_rocks_error(d, "reading", error);
    if (found == NULL)
        return SLU_ERR_NOT_FOUND;
    bool fits = found_len == value_len;
    if (fits)
        memcpy(value, found, value_len);
    rocksdb_free(found);
    return fits ? 0 : SLU_ERR_CORRUPT;
}

static void own_put(struct slu_disk *d, uint64_t which, const uint8_t *value, size_t value_len)
{
    struct slu_record_key key = {.kind = (enum slu_record_kind)0, .a = which};
    char bytes[SLU_KEY_BYTES_MAX];
    size_t key_len = slu_key_write(bytes, &key);
    rocksdb_writebatch_put_cf(d->batch, d->families[SLU_FAMILY_DEFAULT], bytes, key_len,
                              (const char *)value, value_len);
}

static int check_identity(struct slu_disk *d, const struct slu_disk_identity *identity, char *why,
                          size_t why_cap)
{
    uint8_t bytes[SLU_IDENTITY_BYTES];
    int error = slu_disk_own_get(d, SLU_OWN_IDENTITY, bytes, sizeof bytes);
    if (error == SLU_ERR_NOT_FOUND) {
        snprintf(why, why_cap, "%s: damaged: the identity record is missing", d->dir);
        return SLU_ERR_CORRUPT;
    }
    if (error != 0)
        return error;
    struct slu_reader r = slu_reader_of(bytes, sizeof bytes);
    uint32_t format = slu_read_u32(&r);
    const uint8_t *chain = slu_read_bytes(&r, 32);
    uint16_t node = slu_read_u16(&r);
    if (format != SLU_DISK_FORMAT)
        snprintf(why, why_cap, "%s: data directory of format %u, this program writes %u", d->dir,
                 format, SLU_DISK_FORMAT);
    else if (memcmp(chain, identity->chain_id, 32) != 0)
        snprintf(why, why_cap, "%s: data directory of another chain", d->dir);
    else if (node != identity->node)
        snprintf(why, why_cap, "%s: data directory of node %u, this is node %u", d->dir,
                 (unsigned)node, (unsigned)identity->node);
    else
        return 0;
    return SLU_ERR_MISMATCH;
}

static int write_identity(struct slu_disk *d, const struct slu_disk_identity *identity)
{
    uint8_t bytes[SLU_IDENTITY_BYTES];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u32(&w, SLU_DISK_FORMAT);
    slu_write_bytes(&w, identity->chain_id, 32);
    slu_write_u16(&w, identity->node);
    slu_disk_begin(d);
    own_put(d, SLU_OWN_IDENTITY, bytes, sizeof bytes);
    return slu_disk_commit(d);
}

/* Opens RocksDB itself. `marked`: there is a database that must be found. */
static int open_rocks(struct slu_disk *d, bool marked, char *why, size_t why_cap)
{
    char *words = NULL;
    const rocksdb_options_t *options[SLU_FAMILIES];
    for (int i = 0; i < SLU_FAMILIES; i++)
        options[i] = slu_disk_settings_family(d->settings, (unsigned)i);
    d->db = rocksdb_open_column_families(slu_disk_settings_db(d->settings, !marked), d->dir,
                                         SLU_FAMILIES, slu_disk_families, options, d->families, &words);
    if (words == NULL)
        return 0;
    int error = SLU_ERR_CORRUPT;
    if (strstr(words, "While lock file") != NULL || strstr(words, "lock hold by") != NULL)
        error = SLU_ERR_BUSY;
    else if (strstr(words, "No space left") != NULL || strstr(words, "ermission denied") != NULL ||
             strstr(words, "Too many open files") != NULL)
        error = SLU_ERR_IO;
    if (error == SLU_ERR_BUSY)
        snprintf(why, why_cap, "%s: data directory is in use by another process", d->dir);
    else
        snprintf(why, why_cap, "%s: %s%s", d->dir, error == SLU_ERR_CORRUPT ? "damaged: " : "",
                 words);
    rocksdb_free(words);
    return error;
}

static int read_write_number(struct slu_disk *d, uint64_t *number)
{
    uint8_t bytes[8];
    int error = slu_disk_own_get(d, SLU_OWN_WRITE, bytes, sizeof bytes);
    *number = error == 0 ? slu_get_be64(bytes) : 0;
    return error == SLU_ERR_NOT_FOUND ? 0 : error;
}

/* Nothing but records of our own in any family? */
static bool is_empty(struct slu_disk *d)
{
    rocksdb_readoptions_t *read = rocksdb_readoptions_create();
    bool empty = true;
    for (int i = 0; i < SLU_FAMILIES && empty; i++) {
        rocksdb_iterator_t *it = rocksdb_create_iterator_cf(d->db, read, d->families[i]);
        const char first = 1;
        rocksdb_iter_seek(it, &first, 1);
        empty = !rocksdb_iter_valid(it);
        rocksdb_iter_destroy(it);
    }
    rocksdb_readoptions_destroy(read);
    return empty;
}

static int open_database(struct slu_disk *d, const struct slu_disk_identity *identity, char *why,
                         size_t why_cap)
{
    bool marked = false;
    uint64_t newest = 0;
    int error = slu_mark_open(&d->mark, d->dir, &marked, why, why_cap);
    if (error != 0)
        return error;
    error = open_rocks(d, marked, why, why_cap);
    if (error != 0)
        return error;
    error = read_write_number(d, &newest);
    if (error != 0)
        return error;
    if (newest < slu_mark_write(d->mark)) {
        snprintf(why, why_cap,
                 "%s: damaged: write %" PRIu64 " was synced, but only %" PRIu64 " are left", d->dir,
                 slu_mark_write(d->mark), newest);
        return SLU_ERR_CORRUPT;
    }
    if (!marked && newest > 1) { /* 1: the identity, before its mark */
        snprintf(why, why_cap, "%s/synced: damaged: missing", d->dir);
        return SLU_ERR_CORRUPT;
    }
    d->next_write = newest + 1;
    if (newest > 0) {
        error = check_identity(d, identity, why, why_cap);
        if (error != 0)
            return error;
    }
    d->empty = is_empty(d);
    error = slu_mark_restart(d->mark, newest, why, why_cap);
    if (error == 0 && newest == 0)
        error = write_identity(d, identity);
    return error;
}

/* RocksDB can end the process by an assertion when it makes a database on a full disk, and what a
 * node does first is write. */
static int check_room(const char *dir, char *why, size_t why_cap)
{
    struct statvfs fs;
    if (statvfs(dir, &fs) != 0) {
        snprintf(why, why_cap, "%s: %s", dir, strerror(errno));
        return SLU_ERR_IO;
    }
    uint64_t blocks = geteuid() == 0 ? fs.f_bfree : fs.f_bavail, room = blocks * fs.f_frsize;
    if (room >= ROOM_MIN)
        return 0;
    snprintf(why, why_cap,
             "%s: No space left on device: %" PRIu64 " KiB are free, to start takes %" PRIu64
             " KiB",
             dir, room >> 10, ROOM_MIN >> 10);
    return SLU_ERR_IO;
}

int slu_disk_open(struct slu_disk **disk, const char *dir, const struct slu_disk_identity *identity,
                  char *why, size_t why_cap)
{
    why[0] = '\0';
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        snprintf(why, why_cap, "%s: %s", dir, strerror(errno));
        return SLU_ERR_IO;
    }
    int error = check_room(dir, why, why_cap);
    if (error != 0)
        return error;
    struct slu_disk *d = calloc(1, sizeof *d);
    if (d == NULL)
        return SLU_ERR_MEMORY;
    pthread_mutex_init(&d->writer, NULL);
    pthread_mutex_init(&d->failing, NULL);
    d->dir = strdup(dir);
    d->settings = slu_disk_settings_new();
    d->batch = rocksdb_writebatch_create();
    d->unsynced = rocksdb_writeoptions_create();
    d->synced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(d->synced, 1);
    error = d->dir == NULL || d->settings == NULL ? SLU_ERR_MEMORY : 0;
    if (error == 0)
        error = open_database(d, identity, why, why_cap);
    if (error != 0) {
        if (why[0] == '\0')
            snprintf(why, why_cap, "%s", d->failure[0] != '\0' ? d->failure : slu_strerror(error));
        slu_disk_close(d);
        return error;
    }
    *disk = d;
    return 0;
}

bool slu_disk_empty(const struct slu_disk *disk)
{
    return disk->empty;
}

int slu_disk_grant_first_start(struct slu_disk *disk)
{
    static const uint8_t yes = 1;
    slu_disk_begin(disk);
    own_put(disk, SLU_OWN_FIRST, &yes, 1);
    return slu_disk_commit(disk);
}

int slu_disk_first_start(struct slu_disk *disk, bool *granted)
{
    uint8_t value = 0;
    int error = slu_disk_own_get(disk, SLU_OWN_FIRST, &value, 1);
    *granted = error == 0 && value == 1;
    return error == SLU_ERR_NOT_FOUND ? 0 : error;
}

void slu_disk_close(struct slu_disk *disk)
{
    if (disk == NULL)
        return;
    for (int i = 0; i < SLU_FAMILIES; i++) {
        if (disk->families[i] != NULL)
            rocksdb_column_family_handle_destroy(disk->families[i]);
    }
    if (disk->db != NULL)
        rocksdb_close(disk->db);
    slu_mark_close(disk->mark);
    rocksdb_writebatch_destroy(disk->batch);
    rocksdb_writeoptions_destroy(disk->unsynced);
    rocksdb_writeoptions_destroy(disk->synced);
    slu_disk_settings_free(disk->settings);
    pthread_mutex_destroy(&disk->writer);
    pthread_mutex_destroy(&disk->failing);
    free(disk->dir);
    free(disk);
}

/* ---- writing ---- */

void slu_disk_begin(struct slu_disk *disk)
{
    pthread_mutex_lock(&disk->writer);
    rocksdb_writebatch_clear(disk->batch);
    disk->gathered = 0;
}

void slu_disk_put(struct slu_disk *disk, const struct slu_record_key *key, const void *value,
                  size_t value_len, const void *payload, size_t payload_len)
{
    char bytes[SLU_KEY_BYTES_MAX];
    size_t key_len = slu_key_write(bytes, key);
    const char *keys[] = {bytes};
    const char *values[] = {value, payload};
    const size_t value_lens[] = {value_len, payload_len};
    rocksdb_writebatch_putv_cf(disk->batch, disk->families[slu_disk_family(key->kind)], 1, keys,
                               &key_len, payload == NULL ? 1 : 2, values, value_lens);
    if (key->kind == SLU_REC_VOTE && key->a < disk->votes_forgotten)
        disk->votes_forgotten = key->a;
    if (key->kind == SLU_REC_ACK && key->a < SLU_NODES_MAX && key->b < disk->acks_forgotten[key->a])
        disk->acks_forgotten[key->a] = key->b;
    disk->gathered += key_len + value_len + payload_len;
}

/* Starts a deletion behind what `known` says is deleted already, and moves that on. */
static void trim_part(uint64_t *known, uint64_t *from, uint64_t to)
{
    if (*from > *known)
        return; /* leaves a gap: not ours to remember */
    *from = *known;
    if (*known < to)
        *known = to;
}

/* Cuts off what was forgotten before. */
static void trim(struct slu_disk *d, struct slu_record_key *from, const struct slu_record_key *to)
{
    bool one_kind = from->kind == to->kind;
    if (one_kind && from->kind == SLU_REC_VOTE && from->b == 0 && to->b == 0)
        trim_part(&d->votes_forgotten, &from->a, to->a);
    if (one_kind && from->kind == SLU_REC_ACK && from->a == to->a && from->a < SLU_NODES_MAX)
        trim_part(&d->acks_forgotten[from->a], &from->b, to->b);
}

void slu_disk_forget(struct slu_disk *disk, const struct slu_record_key *from,
                     const struct slu_record_key *to)
{
    for (unsigned kind = 1; kind < SLU_REC_KINDS; kind++) {
        struct slu_record_key lo, hi;
        char lo_bytes[SLU_KEY_BYTES_MAX], hi_bytes[SLU_KEY_BYTES_MAX];
        if (!slu_key_part(&lo, &hi, kind, from, to))
            continue;
        trim(disk, &lo, &hi);
        if (slu_key_compare(&lo, &hi) >= 0)
            continue;
        size_t lo_len = slu_key_write(lo_bytes, &lo), hi_len = slu_key_write(hi_bytes, &hi);
        rocksdb_column_family_handle_t *family = disk->families[slu_disk_family(lo.kind)];
        /* Every read of a family looks through the ranges that were deleted of it lately. */
        if (slu_key_single(&lo, &hi))
            rocksdb_writebatch_delete_cf(disk->batch, family, lo_bytes, lo_len);
        else
            rocksdb_writebatch_delete_range_cf(disk->batch, family, lo_bytes, lo_len, hi_bytes,
                                               hi_len);
        disk->gathered += lo_len + hi_len;
    }
}

size_t slu_disk_gathered(const struct slu_disk *disk)
{
    return disk->gathered;
}

static int finish_write(struct slu_disk *disk, bool sync)
{
    char why[WHY_BYTES];
    char *words = NULL;
    uint8_t number[8];
    int error = 0;
    slu_put_be64(number, disk->next_write);
    own_put(disk, SLU_OWN_WRITE, number, sizeof number);
    if (disk->failure[0] != '\0') {
        error = SLU_ERR_IO;
    } else {
        rocksdb_write(disk->db, sync ? disk->synced : disk->unsynced, disk->batch, &words);
        if (words != NULL) {
            error = slu_disk_rocks_error(disk, "writing", words);
        } else if (sync && slu_mark_advance(disk->mark, disk->next_write, why, sizeof why) != 0) {
            slu_disk_fail(disk, "marking", why);
            error = SLU_ERR_IO;
        }
    }
    disk->next_write++;
    pthread_mutex_unlock(&disk->writer);
    return error;
}

int slu_disk_commit(struct slu_disk *disk)
{
    return finish_write(disk, true);
}

int slu_disk_write(struct slu_disk *disk)
{
    return finish_write(disk, false);
}

void slu_disk_reclaim(struct slu_disk *disk, const struct slu_record_key *from,
                      const struct slu_record_key *to)
{
    char lo_bytes[SLU_KEY_BYTES_MAX], hi_bytes[SLU_KEY_BYTES_MAX];
    size_t lo_len = slu_key_write(lo_bytes, from), hi_len = slu_key_write(hi_bytes, to);
    rocksdb_column_family_handle_t *family = disk->families[slu_disk_family(from->kind)];
    SLU_CHECK(from->kind == to->kind);
    rocksdb_compact_range_cf(disk->db, family, lo_bytes, lo_len, hi_bytes, hi_len);
}
