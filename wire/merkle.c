#include "wire/merkle.h"

#include <string.h>

#include "base/check.h"
#include "crypto/hash.h"
#include "crypto/hash_many.h"

#define SMALL 64u /* leaves of a tree that is made level by level */

struct tree {
    const uint8_t *chain_id32;
    uint8_t bytes[SLU_HASH_PREFIX_MAX + 64]; /* what is hashed for a node, its prefix ready */
    size_t prefix;
    const uint8_t (*leaves)[32]; /* from `first` on where only those are known */
    uint32_t first, end;         /* leaves that are shown */
    uint32_t kept;               /* not 0: of so many leaves, and all above them stands behind */
};

static struct tree tree_of(const uint8_t chain_id32[32], const uint8_t (*leaves)[32],
                           uint32_t first, uint32_t end)
{
    struct tree t = {.chain_id32 = chain_id32, .leaves = leaves, .first = first, .end = end};
    t.prefix = slu_hash_prefix(t.bytes, "node", chain_id32);
    return t;
}

static void join(struct tree *t, uint8_t out32[32], const uint8_t left32[32],
                 const uint8_t right32[32])
{
    memcpy(t->bytes + t->prefix, left32, 32);
    memcpy(t->bytes + t->prefix + 32, right32, 32);
    slu_hash_flat(out32, t->bytes, t->prefix + 64);
}

/* The leaves of the left subtree of n >= 2. */
static uint32_t left_of(uint32_t n)
{
    uint32_t left = 1;
    while (left < n - left)
        left *= 2;
    return left;
}

/* Where the root of n leaves from `at` on is kept. */
static size_t place_of(uint32_t count, uint32_t at, uint32_t n)
{
    size_t start = 0;
    for (uint32_t width = 1; width < n; width *= 2) {
        start += count;
        count = count / 2 + count % 2;
        at /= 2;
    }
    return start + at;
}

/* The level above `n` nodes: by twos, a last odd one as it is. `above` may be `below`. */
static void join_level(const uint8_t chain_id32[32], uint8_t (*above)[32],
                       const uint8_t (*below)[32], uint32_t n)
{
    struct slu_hash_input pairs[SMALL / 2];
    for (uint32_t at = 0; at < n / 2;) {
        uint32_t count = n / 2 - at < SMALL / 2 ? n / 2 - at : SMALL / 2;
        for (uint32_t i = 0; i < count; i++)
            pairs[i] = (struct slu_hash_input){below[2 * (at + i)], 64};
        slu_hash_many(above + at, "node", chain_id32, pairs, count);
        at += count;
    }
    if (n % 2 == 1)
        memmove(above[n / 2], below[n - 1], 32);
}

static void small_root(const struct tree *t, uint8_t out32[32], uint32_t at, uint32_t n)
{
    uint8_t level[SMALL][32];
    memcpy(level, t->leaves[at], n * (size_t)32);
    for (; n > 1; n = n / 2 + n % 2)
        join_level(t->chain_id32, level, (const uint8_t(*)[32])level, n);
    memcpy(out32, level[0], 32);
}

static void root_of(struct tree *t, uint8_t out32[32], uint32_t at, uint32_t n)
{
    uint8_t left32[32], right32[32];
    if (t->kept > 0) {
        memcpy(out32, t->leaves[place_of(t->kept, at, n)], 32);
        return;
    }
    if (n <= SMALL) {
        small_root(t, out32, at, n);
        return;
    }
    uint32_t left = left_of(n);
    root_of(t, left32, at, left);
    root_of(t, right32, at + left, n - left);
    join(t, out32, left32, right32);
}

void slu_merkle_root(uint8_t root32[32], const uint8_t chain_id32[32], const uint8_t (*leaves)[32],
                     uint32_t count)
{
    struct tree t = tree_of(chain_id32, leaves, 0, count);
    SLU_CHECK(count > 0);
    root_of(&t, root32, 0, count);
}

static bool is_beside(const struct tree *t, uint32_t at, uint32_t n)
{
    return at + n <= t->first || at >= t->end;
}

static void prove(struct tree *t, struct slu_writer *w, uint32_t at, uint32_t n)
{
    uint8_t root32[32];
    if (is_beside(t, at, n)) {
        root_of(t, root32, at, n);
        slu_write_bytes(w, root32, 32);
    } else if (n > 1) {
        uint32_t left = left_of(n);
        prove(t, w, at, left);
        prove(t, w, at + left, n - left);
    }
}

void slu_merkle_prove(struct slu_writer *w, const uint8_t chain_id32[32],
                      const uint8_t (*leaves)[32], uint32_t count, uint32_t first, uint32_t shown)
{
    struct tree t = tree_of(chain_id32, leaves, first, first + shown);
    SLU_CHECK(shown > 0 && first < count && shown <= count - first);
    prove(&t, w, 0, count);
}

static uint32_t hashes_of(const struct tree *t, uint32_t at, uint32_t n)
{
    if (is_beside(t, at, n))
        return 1;
    if (n == 1)
        return 0;
    uint32_t left = left_of(n);
    return hashes_of(t, at, left) + hashes_of(t, at + left, n - left);
}

uint32_t slu_merkle_hashes(uint32_t count, uint32_t first, uint32_t shown)
{
    if (shown == 0 || first >= count || shown > count - first)
        return UINT32_MAX;
    struct tree t = {.first = first, .end = first + shown};
    return hashes_of(&t, 0, count);
}

size_t slu_merkle_nodes(uint32_t count)
{
    size_t nodes = count;
    while (count > 1) {
        count = count / 2 + count % 2;
        nodes += count;
    }
    return nodes;
}

void slu_merkle_fill(uint8_t (*nodes)[32], const uint8_t chain_id32[32], uint32_t count)
{
    for (; count > 1; count = count / 2 + count % 2) {
        join_level(chain_id32, nodes + count, (const uint8_t(*)[32])nodes, count);
        nodes += count;
    }
}

void slu_merkle_prove_kept(struct slu_writer *w, const uint8_t (*nodes)[32], uint32_t count,
                           uint32_t first, uint32_t shown)
{
    struct tree t = {.leaves = nodes, .first = first, .end = first + shown, .kept = count};
    SLU_CHECK(shown > 0 && first < count && shown <= count - first);
    prove(&t, w, 0, count);
}

static void replay(struct tree *t, uint8_t out32[32], uint32_t at, uint32_t n,
                   struct slu_reader *hashes)
{
    uint8_t left32[32], right32[32];
    if (is_beside(t, at, n)) {
        slu_read_copy(hashes, out32, 32);
    } else if (n == 1) {
        memcpy(out32, t->leaves[at - t->first], 32);
    } else {
        uint32_t left = left_of(n);
        replay(t, left32, at, left, hashes);
        replay(t, right32, at + left, n - left, hashes);
        join(t, out32, left32, right32);
    }
}

bool slu_merkle_replay(uint8_t root32[32], const uint8_t chain_id32[32],
                       const uint8_t (*leaves)[32], uint32_t count, uint32_t first, uint32_t shown,
                       struct slu_reader *hashes)
{
    if (shown == 0 || first >= count || shown > count - first)
        return false;
    struct tree t = tree_of(chain_id32, leaves, first, first + shown);
    replay(&t, root32, 0, count, hashes);
    return !hashes->failed;
}
