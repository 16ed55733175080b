/* Other nodes' SHARES messages until their height is open (docs/PROTOCOL.md clause 7.8): a bounded
 * number of each node's, lower heights first, so that nobody can displace what is needed next. */
#ifndef SLU_CONSENSUS_SHARE_POOL_H
#define SLU_CONSENSUS_SHARE_POOL_H

#include "base/arena.h"
#include "wire/shares.h"

/* Where a message belongs; height 0: free. */
struct slu_share_place {
    uint64_t height;
    uint64_t key; /* the first bytes of its key's id */
    uint32_t first;
};

struct slu_share_pool {
    struct slu_share_place *places;  /* `each` of every node */
    struct slu_signed_shares *slots; /* the same */
    uint32_t each;
    uint64_t gone; /* messages that were given up before their height was open */
};

size_t slu_share_pool_bytes(const struct slu_genesis *g);
void slu_share_pool_init(struct slu_share_pool *pool, struct slu_arena *arena,
                         const struct slu_genesis *g);
/** Keeps a message, unless one for its place is there, or all places have lower ones. */
bool slu_share_pool_put(struct slu_share_pool *pool, const struct slu_signed_shares *shares);
/** A node's message for a place, or NULL. Valid until the next put. */
const struct slu_signed_shares *slu_share_pool_find(const struct slu_share_pool *pool,
                                                    uint16_t node, uint64_t height,
                                                    const uint8_t key_id32[32], uint32_t first);
void slu_share_pool_drop(struct slu_share_pool *pool, uint16_t node, uint64_t height,
                         const uint8_t key_id32[32], uint32_t first);
/** Forgets all up to `height`. */
void slu_share_pool_forget(struct slu_share_pool *pool, uint16_t n, uint64_t height);

#endif
