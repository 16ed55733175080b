/* A copy of a node's two keys in one text file, for `sluice backup-keys` and `sluice restore-keys`:
 *
 *     sluice-keys 1
 *     chain_id <64 hex digits>
 *     node 2
 *     node_key <64 hex digits>
 *     seal_key <64 hex digits>
 *     checksum <64 hex digits>    over all before it; against damage, it authenticates nothing
 *
 * It is as secret as the keys (config/private_file.h). */
#ifndef SLU_CONFIG_KEY_BACKUP_H
#define SLU_CONFIG_KEY_BACKUP_H

#include "config/node_keys.h"

struct slu_key_backup {
    uint8_t chain_id[32];
    uint16_t node;
    struct slu_node_seeds seeds;
};

/** Writes a new file. Errors: EXISTS, IO. */
SLU_MUST_USE int slu_key_backup_create(const struct slu_key_backup *backup, const char *path,
                                       char *why, size_t why_cap);

/** Reads one; whose it is, is the caller's to check. The caller zeroes `backup` after use; on
 * failure it is zero and `why` is one line naming the file. Errors: IO, REFUSED (mode or owner),
 * CONFIG (another file, or damaged). */
SLU_MUST_USE int slu_key_backup_load(struct slu_key_backup *backup, const char *path, char *why,
                                     size_t why_cap);

#endif
