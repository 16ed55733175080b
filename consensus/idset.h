/* A bounded first-in-first-out set of transaction ids with a value each: what the dedup window and
 * the own pending transactions are made of. Open addressing over a ring, no heap; the hash is keyed,
 * so that nobody can choose ids that collide.
 *
 *     add -> [oldest ........ newest] -> oldest is dropped by slu_idset_pop      index: hash -> place */
#ifndef SLU_CONSENSUS_IDSET_H
#define SLU_CONSENSUS_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"

/** Ids are told apart by their first 16 bytes (clause 4.2): two ids that share them take 2^64 work to
 * make, and only cost their maker one of the two. It keeps a full window in memory. */
#define SLU_IDSET_KEY_BYTES 16u

struct slu_idset_entry {
    uint8_t id[SLU_IDSET_KEY_BYTES];
    uint64_t a; /* meaning is the owner's */
    uint32_t b;
    uint32_t c;
};

struct slu_idset {
    struct slu_idset_entry *ring;
    uint32_t cap;
    uint32_t count;
    uint32_t head; /* place of the oldest */
    uint32_t *slots; /* place + 1, or 0 */
    uint32_t slot_mask;
    uint8_t key[16];
};

/** Memory for `cap` entries (cap at most 2^30). */
size_t slu_idset_bytes(uint32_t cap);
/** Builds an empty set; memory from `arena`, which must be zeroed. */
void slu_idset_init(struct slu_idset *set, struct slu_arena *arena, uint32_t cap, uint64_t seed);
/** The entry of an id, or NULL. Valid until the next add or pop. */
struct slu_idset_entry *slu_idset_find(const struct slu_idset *set, const uint8_t id32[32]);
/** Appends an id that is not in the set. False when full. */
bool slu_idset_add(struct slu_idset *set, const uint8_t id32[32], uint64_t a, uint32_t b,
                   uint32_t c);
/** The oldest entry, or NULL. */
const struct slu_idset_entry *slu_idset_oldest(const struct slu_idset *set);
/** Removes the oldest entry; there must be one. */
void slu_idset_pop(struct slu_idset *set);

#endif
