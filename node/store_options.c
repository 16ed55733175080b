#include "node/store_options.h"

#include <stdlib.h>

#define KIB ((size_t)1024)
#define MIB (1024u * KIB)

#define FAMILIES 4

struct slu_disk_settings {
    rocksdb_cache_t *cache;
    rocksdb_options_t *db;
    rocksdb_options_t *families[FAMILIES];
};

/* Memory: at most `buffers` of `buffer_bytes` per family before writers wait for a flush. */
static const struct {
    size_t buffer_bytes;
    int buffers;
} memtables[FAMILIES] = {{6 * MIB, 3}, {12 * MIB, 3}, {8 * MIB, 2}, {4 * MIB, 2}};

static void set_log_and_recovery(rocksdb_options_t *o)
{
    /* Up to the first record that does not read: the mark (node/mark.h) has then shown that nothing
     * synced lies behind it. */
    rocksdb_options_set_wal_recovery_mode(o, rocksdb_point_in_time_recovery);
    rocksdb_options_set_paranoid_checks(o, 1);
    rocksdb_options_set_max_total_wal_size(o, 64 * MIB);
    rocksdb_options_set_max_manifest_file_size(o, 16 * MIB);
    rocksdb_options_set_recycle_log_file_num(o, 0);
}

static void set_threads_and_files(rocksdb_options_t *o)
{
    rocksdb_options_set_max_background_jobs(o, 2);
    rocksdb_options_set_max_open_files(o, 256);
    rocksdb_options_set_max_file_opening_threads(o, 1);
    rocksdb_options_set_table_cache_numshardbits(o, 2);
    rocksdb_options_set_bytes_per_sync(o, MIB);
    rocksdb_options_set_allow_mmap_reads(o, 0);
    rocksdb_options_set_allow_mmap_writes(o, 0);
    rocksdb_options_set_is_fd_close_on_exec(o, 1);
    rocksdb_options_set_writable_file_max_buffer_size(o, 256 * KIB);
    rocksdb_options_compaction_readahead_size(o, 256 * KIB);
    /* One writer at a time: nothing to share a write group with. */
    rocksdb_options_set_allow_concurrent_memtable_write(o, 0);
    rocksdb_options_set_enable_write_thread_adaptive_yield(o, 0);
}

static void set_talk(rocksdb_options_t *o)
{
    rocksdb_options_set_info_log_level(o, 2); /* warnings */
    rocksdb_options_set_max_log_file_size(o, MIB);
    rocksdb_options_set_keep_log_file_num(o, 2);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    rocksdb_options_set_stats_persist_period_sec(o, 0);
}

static void set_family(rocksdb_options_t *o, unsigned family, rocksdb_cache_t *cache)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_size(table, 8 * KIB);
    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom(10));
    rocksdb_options_set_block_based_table_factory(o, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_options_set_write_buffer_size(o, memtables[family].buffer_bytes);
    rocksdb_options_set_max_write_buffer_number(o, memtables[family].buffers);
    rocksdb_options_set_target_file_size_base(o, 16 * MIB);
    rocksdb_options_set_compression(o, rocksdb_no_compression);
    /* Bodies and long lists of ids go to blob files, so that compaction moves only their keys. */
    if (family < 2) {
        rocksdb_options_set_enable_blob_files(o, 1);
        rocksdb_options_set_min_blob_size(o, KIB);
        rocksdb_options_set_blob_file_size(o, 32 * MIB);
        rocksdb_options_set_blob_compression_type(o, rocksdb_no_compression);
        /* Never rewritten: what is pruned is the oldest of all, so that blob files become garbage
         * as a whole and are dropped. (Collecting garbage rewrites a quarter of the live ones,
         * too.) */
        rocksdb_options_set_enable_blob_gc(o, 0);
    }
}

/* The MANIFEST lists the logs that were synced and are still needed, and a start without one of
 * them is refused: the mark covers what is in a log, this that it is there. Not in the C functions.
 */
static rocksdb_options_t *verifying_options(void)
{
    rocksdb_options_t *plain = rocksdb_options_create(), *options = rocksdb_options_create();
    char *error = NULL;
    rocksdb_get_options_from_string(plain, "track_and_verify_wals_in_manifest=true", options,
                                    &error);
    rocksdb_options_destroy(plain);
    if (error == NULL)
        return options;
    rocksdb_free(error);
    rocksdb_options_destroy(options);
    return NULL;
}

struct slu_disk_settings *slu_disk_settings_new(void)
{
    struct slu_disk_settings *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->cache = rocksdb_cache_create_lru(8 * MIB);
    s->db = verifying_options();
    if (s->db == NULL) {
        slu_disk_settings_free(s);
        return NULL;
    }
    set_log_and_recovery(s->db);
    set_threads_and_files(s->db);
    set_talk(s->db);
    for (unsigned i = 0; i < FAMILIES; i++) {
        s->families[i] = rocksdb_options_create();
        set_family(s->families[i], i, s->cache);
    }
    return s;
}

const rocksdb_options_t *slu_disk_settings_db(struct slu_disk_settings *settings, bool create)
{
    rocksdb_options_set_create_if_missing(settings->db, create);
    /* A directory of an older format is missing some: it is told by its identity record. */
    rocksdb_options_set_create_missing_column_families(settings->db, true);
    return settings->db;
}

const rocksdb_options_t *slu_disk_settings_family(const struct slu_disk_settings *settings,
                                                  unsigned family)
{
    return settings->families[family];
}

void slu_disk_settings_free(struct slu_disk_settings *settings)
{
    if (settings == NULL)
        return;
    for (unsigned i = 0; i < FAMILIES; i++) {
        if (settings->families[i] != NULL)
            rocksdb_options_destroy(settings->families[i]);
    }
    if (settings->db != NULL)
        rocksdb_options_destroy(settings->db);
    rocksdb_cache_destroy(settings->cache);
    free(settings);
}
