/* How RocksDB is set up: one set of options per column family of node/store.h, with one small block
 * cache between them. The reasons stand beside the values in store_options.c. */
#ifndef SLU_NODE_STORE_OPTIONS_H
#define SLU_NODE_STORE_OPTIONS_H

#include <rocksdb/c.h>
#include <stdbool.h>

struct slu_disk_settings;

/** NULL when memory is refused. Must outlive the database. */
struct slu_disk_settings *slu_disk_settings_new(void);
void slu_disk_settings_free(struct slu_disk_settings *settings);
/** The database's options; `create`: make it when it is missing. */
const rocksdb_options_t *slu_disk_settings_db(struct slu_disk_settings *settings, bool create);
/** Of an slu_disk_family. */
const rocksdb_options_t *slu_disk_settings_family(const struct slu_disk_settings *settings,
                                                  unsigned family);

#endif
