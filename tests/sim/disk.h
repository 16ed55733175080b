/* The fake disk of one node: an ordered map of records behind struct slu_store. What is in it is
 * durable; what a crash may lose or tear is kept outside, in the turns that are not synced yet
 * (tests/sim/node.c). Deletions are lazy like a real store's: they become durable with the next
 * sync. */
#ifndef SLU_SIM_DISK_H
#define SLU_SIM_DISK_H

#include "consensus/store.h"

struct sim_record {
    struct slu_record_key key;
    size_t len;
    uint8_t *value;
};

struct sim_forget {
    struct slu_record_key from, to;
};

struct sim_disk {
    struct sim_record *records[SLU_REC_KINDS]; /* sorted by key */
    uint32_t counts[SLU_REC_KINDS], caps[SLU_REC_KINDS];
    struct sim_forget *forgets; /* executed, not durable yet */
    uint32_t forget_count, forget_cap;
    uint64_t bytes;
    uint64_t bytes_peak;
};

void sim_disk_put(struct sim_disk *disk, const struct slu_record_key *key, const uint8_t *value,
                  size_t len);
void sim_disk_remove(struct sim_disk *disk, const struct slu_record_key *key);
/** Notes a deletion; it happens with the next sim_disk_settle. */
void sim_disk_forget(struct sim_disk *disk, const struct slu_record_key *from,
                     const struct slu_record_key *to);
/** Carries out the noted deletions (`keep`: forgets that they were asked for, as a crash may). */
void sim_disk_settle(struct sim_disk *disk, bool keep);
const struct sim_record *sim_disk_find(const struct sim_disk *disk,
                                       const struct slu_record_key *key);
void sim_disk_wipe(struct sim_disk *disk);
void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from);
struct slu_store sim_disk_store(struct sim_disk *disk);

#endif
