/* Flips one bit of a record in a stopped node's store, with its checksums right: what a damaged
 * memory or another program would have written. For scenarios that show what comes of it.
 *
 *     doctor DATA_DIR CHAIN_ID NODE KIND BYTE        the last record of that kind
 * (consensus/store.h) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "node/store.h"

static int flip(struct slu_disk *disk, enum slu_record_kind kind, size_t at)
{
    struct slu_disk_view *view = slu_disk_view_new(disk);
    const struct slu_store *store = slu_disk_view_store(view);
    struct slu_record_key key;
    const uint8_t *value;
    size_t len;
    int error = store->last(store->context, kind, &key, &value, &len);
    if (error == 0 && at < len) {
        uint8_t *doctored = malloc(len);
        memcpy(doctored, value, len);
        doctored[at] ^= 0x10;
        slu_disk_begin(disk);
        slu_disk_put(disk, &key, doctored, len, NULL, 0);
        error = slu_disk_commit(disk);
        printf("%llu\n", (unsigned long long)key.a);
        free(doctored);
    }
    slu_disk_view_free(view);
    return error;
}

int main(int argc, char **argv)
{
    struct slu_disk_identity identity;
    struct slu_disk *disk;
    char why[512];
    if (argc != 6 || strlen(argv[2]) != 64 || slu_hex_decode(identity.chain_id, argv[2], 64) != 0)
        return 2;
    identity.node = (uint16_t)strtoul(argv[3], NULL, 10);
    if (slu_disk_open(&disk, argv[1], &identity, why, sizeof why) != 0) {
        fprintf(stderr, "doctor: %s\n", why);
        return 1;
    }
    int error =
        flip(disk, (enum slu_record_kind)strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10));
    slu_disk_close(disk);
    return error != 0;
}
