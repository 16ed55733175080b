/* Entries as they come, into lists by rollup: a counting sort, since a height has many entries of
 * few rollups. No heap, and the same result whatever the hash table's order. */
#include <string.h>

#include "wire/merkle.h"
#include "wire/space.h"

static uint32_t table_size(uint32_t cap)
{
    uint32_t size = 16;
    while (size < 2 * cap)
        size *= 2;
    return size;
}

size_t slu_space_maker_bytes(uint32_t cap)
{
    return (size_t)cap * (sizeof(struct slu_space_item) + sizeof(struct slu_space_leaf) + 32 + 4) +
           (size_t)table_size(cap) * 4;
}

void slu_space_maker_init(struct slu_space_maker *maker, void *memory, uint32_t cap)
{
    struct slu_space_item *items = memory;
    struct slu_space_leaf *leaves = (struct slu_space_leaf *)(void *)(items + cap);
    uint8_t(*sorted)[32] = (uint8_t(*)[32])(void *)(leaves + cap);
    uint32_t *starts = (uint32_t *)(void *)(sorted + cap);
    *maker = (struct slu_space_maker){.items = items,
                                      .leaves = leaves,
                                      .sorted = sorted,
                                      .starts = starts,
                                      .table = starts + cap,
                                      .cap = cap,
                                      .table_mask = table_size(cap) - 1};
}

bool slu_space_add(struct slu_space_maker *maker, uint64_t rollup, const uint8_t leaf32[32])
{
    if (maker->count == maker->cap)
        return false;
    struct slu_space_item *item = &maker->items[maker->count++];
    item->rollup = rollup;
    memcpy(item->leaf, leaf32, 32);
    return true;
}

/* The slot of `rollup` in the table, or the free one where it belongs. */
static uint32_t *slot_of(const struct slu_space_maker *m, uint64_t rollup)
{
    uint64_t mixed = rollup * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(mixed >> 32) & m->table_mask;
    while (m->table[at] != 0 && m->leaves[m->table[at] - 1].rollup != rollup)
        at = (at + 1) & m->table_mask;
    return &m->table[at];
}

static void sift(struct slu_space_leaf *leaves, uint32_t at, uint32_t count)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= count)
            return;
        if (child + 1 < count && leaves[child].rollup < leaves[child + 1].rollup)
            child++;
        if (leaves[at].rollup >= leaves[child].rollup)
            return;
        struct slu_space_leaf moved = leaves[at];
        leaves[at] = leaves[child];
        leaves[child] = moved;
        at = child;
    }
}

/* By rollup, rising: a heap, in place. */
static void sort_leaves(struct slu_space_leaf *leaves, uint32_t count)
{
    for (uint32_t at = count / 2; at-- > 0;)
        sift(leaves, at, count);
    for (uint32_t end = count; end-- > 1;) {
        struct slu_space_leaf most = leaves[0];
        leaves[0] = leaves[end];
        leaves[end] = most;
        sift(leaves, 0, end);
    }
}

static void count_rollups(struct slu_space_maker *m)
{
    m->rollups = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t *slot = slot_of(m, m->items[i].rollup);
        if (*slot == 0) {
            m->leaves[m->rollups] = (struct slu_space_leaf){.rollup = m->items[i].rollup};
            *slot = ++m->rollups;
        }
        m->leaves[*slot - 1].count++;
    }
}

/* Only what was used is cleared: a height of three entries must not pay for a table of many. */
static void clear_table(struct slu_space_maker *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        uint64_t mixed = m->items[i].rollup * UINT64_C(0x9e3779b97f4a7c15);
        for (uint32_t at = (uint32_t)(mixed >> 32) & m->table_mask; m->table[at] != 0;
             at = (at + 1) & m->table_mask)
            m->table[at] = 0;
    }
}

static void index_leaves(struct slu_space_maker *m)
{
    uint32_t start = 0;
    clear_table(m);
    for (uint32_t i = 0; i < m->rollups; i++) {
        *slot_of(m, m->leaves[i].rollup) = i + 1;
        m->starts[i] = start;
        start += m->leaves[i].count;
    }
}

void slu_space_finish(struct slu_space_maker *maker, const uint8_t chain_id32[32],
                      uint8_t root32[32])
{
    struct slu_space_maker *m = maker;
    count_rollups(m);
    sort_leaves(m->leaves, m->rollups);
    index_leaves(m);
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t at = *slot_of(m, m->items[i].rollup) - 1;
        memcpy(m->sorted[m->starts[at]++], m->items[i].leaf, 32);
    }
    for (uint32_t i = 0; i < m->rollups; i++)
        slu_merkle_root(m->leaves[i].root, chain_id32,
                        (const uint8_t(*)[32])(m->sorted + m->starts[i] - m->leaves[i].count),
                        m->leaves[i].count);
    clear_table(m);
    m->count = 0;
    slu_space_root(root32, chain_id32, m->leaves, m->rollups, m->sorted);
}
