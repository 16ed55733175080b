#include <stdlib.h>
#include <string.h>

#include "node/store_state.h"
#include "sluice/error.h"

struct slu_disk_view {
    struct slu_disk *disk;
    rocksdb_readoptions_t *read;
    rocksdb_pinnableslice_t *pinned;
    rocksdb_iterator_t *iterator; /* of the last `last` or `first`, which its value points into */
    struct slu_store store;
};

static void view_drop(struct slu_disk_view *v)
{
    if (v->pinned != NULL)
        rocksdb_pinnableslice_destroy(v->pinned);
    if (v->iterator != NULL)
        rocksdb_iter_destroy(v->iterator);
    v->pinned = NULL;
    v->iterator = NULL;
}

static int view_get(void *context, const struct slu_record_key *key, const uint8_t **value,
                    size_t *value_len)
{
    struct slu_disk_view *v = context;
    char bytes[SLU_KEY_BYTES_MAX];
    char *words = NULL;
    size_t key_len = slu_key_write(bytes, key);
    view_drop(v);
    v->pinned =
        rocksdb_get_pinned_cf(v->disk->db, v->read, v->disk->families[slu_disk_family(key->kind)],
                              bytes, key_len, &words);
    if (words != NULL)
        return slu_disk_rocks_error(v->disk, "reading", words);
    if (v->pinned == NULL)
        return SLU_ERR_NOT_FOUND;
    *value = (const uint8_t *)rocksdb_pinnableslice_value(v->pinned, value_len);
    return 0;
}

static int iterator_status(struct slu_disk *d, rocksdb_iterator_t *it)
{
    char *words = NULL;
    rocksdb_iter_get_error(it, &words);
    return words == NULL ? 0 : slu_disk_rocks_error(d, "scanning", words);
}

/* Points at the record under the iterator. NOT_FOUND: it is at its end. */
static int iterator_at(struct slu_disk *d, rocksdb_iterator_t *it, struct slu_record_key *key,
                       const uint8_t **value, size_t *value_len)
{
    size_t key_len;
    if (!rocksdb_iter_valid(it)) {
        int error = iterator_status(d, it);
        return error != 0 ? error : SLU_ERR_NOT_FOUND;
    }
    const char *bytes = rocksdb_iter_key(it, &key_len);
    if (!slu_key_read(key, bytes, key_len)) {
        slu_disk_fail(d, "scanning", "a key that is none of ours");
        return SLU_ERR_CORRUPT;
    }
    *value = (const uint8_t *)rocksdb_iter_value(it, value_len);
    return 0;
}

static int scan_kind(struct slu_disk_view *v, const struct slu_record_key *lo,
                     const struct slu_record_key *hi,
                     int (*visit)(void *, const struct slu_record_key *, const uint8_t *, size_t),
                     void *visitor)
{
    char lo_bytes[SLU_KEY_BYTES_MAX], hi_bytes[SLU_KEY_BYTES_MAX];
    size_t lo_len = slu_key_write(lo_bytes, lo), hi_len = slu_key_write(hi_bytes, hi);
    rocksdb_readoptions_t *read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(read, 1);
    rocksdb_readoptions_set_fill_cache(read, 0);
    rocksdb_readoptions_set_iterate_upper_bound(read, hi_bytes, hi_len);
    rocksdb_iterator_t *it =
        rocksdb_create_iterator_cf(v->disk->db, read, v->disk->families[slu_disk_family(lo->kind)]);
    int error = 0;
    rocksdb_iter_seek(it, lo_bytes, lo_len);
    while (error == 0) {
        struct slu_record_key key;
        const uint8_t *value;
        size_t value_len;
        error = iterator_at(v->disk, it, &key, &value, &value_len);
        if (error != 0) /* at its end, or failed: not to be moved any more */
            break;
        error = visit(visitor, &key, value, value_len);
        if (error == 0)
            rocksdb_iter_next(it);
    }
    if (error == SLU_ERR_NOT_FOUND && !rocksdb_iter_valid(it))
        error = 0;
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(read);
    return error;
}

static int view_scan(void *context, const struct slu_record_key *from,
                     const struct slu_record_key *to,
                     int (*visit)(void *visitor, const struct slu_record_key *key,
                                  const uint8_t *value, size_t value_len),
                     void *visitor)
{
    for (unsigned kind = 1; kind < SLU_REC_KINDS; kind++) {
        struct slu_record_key lo, hi;
        if (!slu_key_part(&lo, &hi, kind, from, to))
            continue;
        int error = scan_kind(context, &lo, &hi, visit, visitor);
        if (error != 0)
            return error;
    }
    return 0;
}

static int view_edge(struct slu_disk_view *v, enum slu_record_kind kind, bool last,
                     struct slu_record_key *key, const uint8_t **value, size_t *value_len)
{
    uint8_t prefix = (uint8_t)kind, next = (uint8_t)(kind + 1);
    char from, to;
    memcpy(&from, &prefix, 1);
    memcpy(&to, &next, 1);
    view_drop(v);
    v->iterator =
        rocksdb_create_iterator_cf(v->disk->db, v->read, v->disk->families[slu_disk_family(kind)]);
    if (last)
        rocksdb_iter_seek_for_prev(v->iterator, &to, 1);
    else
        rocksdb_iter_seek(v->iterator, &from, 1);
    if (rocksdb_iter_valid(v->iterator)) {
        size_t key_len;
        const char *bytes = rocksdb_iter_key(v->iterator, &key_len);
        if (key_len == 0 || memcmp(bytes, &from, 1) != 0)
            return SLU_ERR_NOT_FOUND;
    }
    return iterator_at(v->disk, v->iterator, key, value, value_len);
}

static int view_last(void *context, enum slu_record_kind kind, struct slu_record_key *key,
                     const uint8_t **value, size_t *value_len)
{
    return view_edge(context, kind, true, key, value, value_len);
}

int slu_disk_view_first(struct slu_disk_view *view, enum slu_record_kind kind,
                        struct slu_record_key *key, const uint8_t **value, size_t *value_len)
{
    return view_edge(view, kind, false, key, value, value_len);
}

struct slu_disk_view *slu_disk_view_new(struct slu_disk *disk)
{
    struct slu_disk_view *v = calloc(1, sizeof *v);
    if (v == NULL)
        return NULL;
    v->disk = disk;
    v->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(v->read, 1);
    v->store =
        (struct slu_store){.context = v, .get = view_get, .scan = view_scan, .last = view_last};
    return v;
}

void slu_disk_view_free(struct slu_disk_view *view)
{
    if (view == NULL)
        return;
    view_drop(view);
    rocksdb_readoptions_destroy(view->read);
    free(view);
}

const struct slu_store *slu_disk_view_store(const struct slu_disk_view *view)
{
    return &view->store;
}

void slu_disk_usage_read(struct slu_disk *disk, struct slu_disk_usage *usage)
{
    static const char *const memory[] = {"rocksdb.cur-size-all-mem-tables",
                                         "rocksdb.estimate-table-readers-mem",
                                         "rocksdb.block-cache-usage"};
    static const char *const files[] = {"rocksdb.total-sst-files-size",
                                        "rocksdb.total-blob-file-size"};
    memset(usage, 0, sizeof *usage);
    for (int f = 0; f < SLU_FAMILIES; f++) {
        uint64_t value;
        for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
            if (i == 2 && f > 0)
                continue; /* one cache for all */
            if (rocksdb_property_int_cf(disk->db, disk->families[f], memory[i], &value) == 0)
                usage->memory_bytes += value;
        }
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
            if (rocksdb_property_int_cf(disk->db, disk->families[f], files[i], &value) == 0)
                usage->file_bytes += value;
        }
    }
}
