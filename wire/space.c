#include "wire/space.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/hash_many.h"
#include "sluice/error.h"
#include "wire/merkle.h"

#define LEAF_HEAD_BYTES 37u
#define AT_ONCE         16u

static void leaf_head_write(struct slu_writer *w, uint32_t index, uint8_t kind,
                            const uint8_t id32[32])
{
    slu_write_u32(w, index);
    slu_write_u8(w, kind);
    slu_write_bytes(w, id32, 32);
}

void slu_entry_leaf(uint8_t leaf32[32], const uint8_t chain_id32[32], uint32_t index, uint8_t kind,
                    const uint8_t id32[32], const uint8_t *content32)
{
    uint8_t bytes[SLU_HASH_PREFIX_MAX + LEAF_HEAD_BYTES + 32];
    size_t prefix = slu_hash_prefix(bytes, "entry", chain_id32);
    struct slu_writer w = slu_writer_of(bytes + prefix, sizeof bytes - prefix);
    leaf_head_write(&w, index, kind, id32);
    if (content32)
        slu_write_bytes(&w, content32, 32);
    slu_hash_flat(leaf32, bytes, prefix + slu_writer_len(&w));
}

void slu_entry_leaves(uint8_t (*leaves32)[32], const uint8_t chain_id32[32],
                      const struct slu_entry *entries, size_t count)
{
    uint8_t heads[AT_ONCE][LEAF_HEAD_BYTES];
    struct slu_hash_input inputs[AT_ONCE];
    for (size_t done = 0; done < count;) {
        size_t some = count - done < AT_ONCE ? count - done : AT_ONCE;
        for (size_t i = 0; i < some; i++) {
            const struct slu_entry *entry = &entries[done + i];
            struct slu_writer w = slu_writer_of(heads[i], LEAF_HEAD_BYTES);
            leaf_head_write(&w, entry->index, entry->kind, entry->id32);
            inputs[i] = (struct slu_hash_input){heads[i], LEAF_HEAD_BYTES};
        }
        slu_hash_many(leaves32 + done, "entry", chain_id32, inputs, some);
        done += some;
    }
}

void slu_space_leaf_write(struct slu_writer *w, const struct slu_space_leaf *leaf)
{
    slu_write_u64(w, leaf->rollup);
    slu_write_u32(w, leaf->count);
    slu_write_bytes(w, leaf->root, 32);
}

void slu_space_leaf_read(struct slu_reader *r, struct slu_space_leaf *leaf)
{
    leaf->rollup = slu_read_u64(r);
    leaf->count = slu_read_u32(r);
    slu_read_copy(r, leaf->root, 32);
}

static void leaf_hash(uint8_t out32[32], const uint8_t chain_id32[32],
                      const struct slu_space_leaf *leaf)
{
    uint8_t bytes[SLU_HASH_PREFIX_MAX + SLU_SPACE_LEAF_BYTES];
    size_t prefix = slu_hash_prefix(bytes, "rollup", chain_id32);
    struct slu_writer w = slu_writer_of(bytes + prefix, SLU_SPACE_LEAF_BYTES);
    slu_space_leaf_write(&w, leaf);
    slu_hash_flat(out32, bytes, prefix + SLU_SPACE_LEAF_BYTES);
}

static void seal_root(uint8_t root32[32], const uint8_t chain_id32[32], uint32_t count,
                      const uint8_t tree32[32])
{
    uint8_t bytes[4 + 32];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u32(&w, count);
    slu_write_bytes(&w, tree32, 32);
    slu_hash_of(root32, "space", chain_id32, bytes, sizeof bytes);
}

static void hash_leaves(uint8_t (*scratch)[32], const uint8_t chain_id32[32],
                        const struct slu_space_leaf *leaves, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        leaf_hash(scratch[i], chain_id32, &leaves[i]);
}

void slu_space_root(uint8_t root32[32], const uint8_t chain_id32[32],
                    const struct slu_space_leaf *leaves, uint32_t count, uint8_t (*scratch)[32])
{
    memset(root32, 0, 32);
    if (count == 0)
        return;
    uint8_t tree32[32];
    hash_leaves(scratch, chain_id32, leaves, count);
    slu_merkle_root(tree32, chain_id32, (const uint8_t(*)[32])scratch, count);
    seal_root(root32, chain_id32, count, tree32);
}

/* Writes what a proof of `rollup` shows; *shown of them from the place that is returned. */
static uint32_t write_shown(struct slu_writer *w, const struct slu_space_leaf *leaves,
                            uint32_t count, uint64_t rollup, uint32_t *shown)
{
    uint32_t at = 0, end = count;
    while (at < end) {
        uint32_t middle = at + (end - at) / 2;
        if (leaves[middle].rollup < rollup)
            at = middle + 1;
        else
            end = middle;
    }
    *shown = count > 0;
    if (at == count || leaves[at].rollup != rollup) { /* absent: who stands beside it */
        *shown += at > 0 && at < count;
        at -= at > 0;
    }
    slu_write_u32(w, count);
    slu_write_u32(w, at);
    slu_write_u8(w, (uint8_t)*shown);
    for (uint32_t i = 0; i < *shown; i++)
        slu_space_leaf_write(w, &leaves[at + i]);
    return at;
}

void slu_space_prove(struct slu_writer *w, const uint8_t chain_id32[32],
                     const struct slu_space_leaf *leaves, uint32_t count, uint64_t rollup,
                     uint8_t (*scratch)[32])
{
    uint32_t shown, at = write_shown(w, leaves, count, rollup, &shown);
    if (count == 0)
        return;
    hash_leaves(scratch, chain_id32, leaves, count);
    slu_merkle_prove(w, chain_id32, (const uint8_t(*)[32])scratch, count, at, shown);
}

void slu_space_keep(uint8_t (*nodes)[32], const uint8_t chain_id32[32],
                    const struct slu_space_leaf *leaves, uint32_t count)
{
    hash_leaves(nodes, chain_id32, leaves, count);
    slu_merkle_fill(nodes, chain_id32, count);
}

void slu_space_prove_kept(struct slu_writer *w, const struct slu_space_leaf *leaves,
                          const uint8_t (*nodes)[32], uint32_t count, uint64_t rollup)
{
    uint32_t shown, at = write_shown(w, leaves, count, rollup, &shown);
    if (count > 0)
        slu_merkle_prove_kept(w, nodes, count, at, shown);
}

/* Whether the leaves shown settle `rollup`: its own, or those that leave no room for it. */
static bool settles(const struct slu_space_leaf *shown, uint8_t count, uint32_t first,
                    uint32_t rollups, uint64_t rollup)
{
    if (count == 2)
        return shown[0].rollup < rollup && rollup < shown[1].rollup;
    return shown[0].rollup == rollup || (first == 0 && rollup < shown[0].rollup) ||
           (first == rollups - 1 && rollup > shown[0].rollup);
}

int slu_space_check(struct slu_reader *proof, const uint8_t chain_id32[32],
                    const uint8_t root32[32], uint64_t rollup, struct slu_space_leaf *found)
{
    static const uint8_t zero32[32];
    struct slu_space_leaf shown[2] = {0};
    uint8_t hashes[2][32], tree32[32], sum32[32];
    uint32_t rollups = slu_read_u32(proof), first = slu_read_u32(proof);
    uint8_t count = slu_read_u8(proof);
    *found = (struct slu_space_leaf){.rollup = rollup};
    if (proof->failed || count > 2 || (count == 0) != (rollups == 0) || (count == 0 && first != 0))
        return SLU_ERR_MALFORMED;
    if (count == 0)
        return memcmp(root32, zero32, 32) == 0 ? SLU_OK : SLU_ERR_MISMATCH;
    for (uint8_t i = 0; i < count; i++) {
        slu_space_leaf_read(proof, &shown[i]);
        leaf_hash(hashes[i], chain_id32, &shown[i]);
    }
    if (!slu_merkle_replay(tree32, chain_id32, (const uint8_t(*)[32])hashes, rollups, first, count,
                           proof))
        return SLU_ERR_MALFORMED;
    seal_root(sum32, chain_id32, rollups, tree32);
    if (memcmp(sum32, root32, 32) != 0 || !settles(shown, count, first, rollups, rollup))
        return SLU_ERR_MISMATCH;
    if (shown[0].rollup == rollup)
        *found = shown[0];
    return SLU_OK;
}
