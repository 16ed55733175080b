/* Opening a data directory that no node has, for reading only. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "node/store_state.h"
#include "sluice/error.h"

/* RocksDB reads a database that another process writes to, and finds half of it: its lock says so,
 * but reading does not ask for it. */
static int check_lock(const char *dir, char *why, size_t why_cap)
{
    char path[4096];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int len = snprintf(path, sizeof path, "%s/LOCK", dir);
    if (len < 0 || (size_t)len >= sizeof path)
        return SLU_ERR_IO;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(why, why_cap, "%s: no data directory: %s", dir, strerror(errno));
        return SLU_ERR_IO;
    }
    int rc = fcntl(fd, F_GETLK, &lock);
    close(fd);
    if (rc == 0 && lock.l_type == F_UNLCK)
        return SLU_OK;
    snprintf(why, why_cap,
             "%s: its node is running; ask the node, or stop it, or take a copy made while it was "
             "stopped",
             dir);
    return SLU_ERR_BUSY;
}

static int open_rocks(struct slu_disk *d, char *why, size_t why_cap)
{
    const rocksdb_options_t *options[SLU_FAMILIES];
    char *words = NULL;
    for (int i = 0; i < SLU_FAMILIES; i++)
        options[i] = slu_disk_settings_family(d->settings, (unsigned)i);
    d->db = rocksdb_open_for_read_only_column_families(slu_disk_settings_db(d->settings, false),
                                                       d->dir, SLU_FAMILIES, slu_disk_families,
                                                       options, d->families, 0, &words);
    if (words == NULL)
        return SLU_OK;
    snprintf(why, why_cap, "%s: %s", d->dir, words);
    rocksdb_free(words);
    return SLU_ERR_CORRUPT;
}

static int check_identity(struct slu_disk *d, const uint8_t chain_id32[32], uint16_t *node,
                          char *why, size_t why_cap)
{
    uint8_t bytes[SLU_IDENTITY_BYTES];
    int rc = slu_disk_own_get(d, SLU_OWN_IDENTITY, bytes, sizeof bytes);
    if (rc) {
        snprintf(why, why_cap, "%s: no node's data directory", d->dir);
        return rc == SLU_ERR_NOT_FOUND ? SLU_ERR_CORRUPT : rc;
    }
    struct slu_reader r = slu_reader_of(bytes, sizeof bytes);
    uint32_t format = slu_read_u32(&r);
    const uint8_t *chain = slu_read_bytes(&r, 32);
    *node = slu_read_u16(&r);
    if (format == SLU_DISK_FORMAT && memcmp(chain, chain_id32, 32) == 0)
        return SLU_OK;
    if (format != SLU_DISK_FORMAT)
        snprintf(why, why_cap, "%s: data directory of format %u, this program reads %u", d->dir,
                 format, SLU_DISK_FORMAT);
    else
        snprintf(why, why_cap, "%s: data directory of another chain", d->dir);
    return SLU_ERR_MISMATCH;
}

int slu_disk_open_stopped(struct slu_disk **disk, const char *dir, const uint8_t chain_id32[32],
                          uint16_t *node, char *why, size_t why_cap)
{
    why[0] = '\0';
    int rc = check_lock(dir, why, why_cap);
    if (rc)
        return rc;
    struct slu_disk *d = slu_disk_new(dir);
    if (d == NULL)
        return SLU_ERR_MEMORY;
    rc = open_rocks(d, why, why_cap);
    if (!rc)
        rc = check_identity(d, chain_id32, node, why, why_cap);
    if (rc) {
        slu_disk_close(d);
        return rc;
    }
    *disk = d;
    return SLU_OK;
}
