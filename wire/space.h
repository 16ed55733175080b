/* The spaces of a height: which rollups have entries, and which (docs/PROTOCOL.md clause 8.5).
 *
 *     entries of one rollup, in order ──▶ list: their Merkle tree ─┐ one leaf
 *     every rollup that has any, rising ───────────────────────────┴▶ space: the tree of these
 *
 *     entry leaf   H("entry", index u32 | kind u8 | id 32 [| H("content", payload)])
 *     rollup leaf  H("rollup", rollup u64 | count u32 | list root 32)
 *     space        H("space", rollups u32 | tree root 32); 32 zero bytes when nobody has any
 *
 * So one proof shows a rollup's complete list or that it has none. An id is the hash of all that an
 * entry is; what was opened, or did not open, is another statement about an id, and has its content
 * in its leaf. A height has two spaces, of what was ordered and of what was opened there. */
#ifndef SLU_WIRE_SPACE_H
#define SLU_WIRE_SPACE_H

#include "base/bytes.h"
#include "base/check.h"
#include "wire/entry.h"

struct slu_space_leaf {
    uint64_t rollup;
    uint32_t count; /* entries, at least 1 */
    uint8_t root[32];
};

#define SLU_SPACE_LEAF_BYTES 44u

/** `content32` is NULL but for what was opened or is void: then H("content", payload as readers get
 * it).
 */
void slu_entry_leaf(uint8_t leaf32[32], const uint8_t chain_id32[32], uint32_t index, uint8_t kind,
                    const uint8_t id32[32], const uint8_t *content32);

/** The leaves of entries without content, many in less time. */
void slu_entry_leaves(uint8_t (*leaves32)[32], const uint8_t chain_id32[32],
                      const struct slu_entry *entries, size_t count);

void slu_space_leaf_write(struct slu_writer *w, const struct slu_space_leaf *leaf);
void slu_space_leaf_read(struct slu_reader *r, struct slu_space_leaf *leaf);

/** The root of a whole space; `scratch` is `count` digests. */
void slu_space_root(uint8_t root32[32], const uint8_t chain_id32[32],
                    const struct slu_space_leaf *leaves, uint32_t count, uint8_t (*scratch)[32]);

/* A proof: rollups u32 | first u32 | shown u8 | shown x leaf | hashes. Shown is the rollup's own
 * leaf; or, where there is none, the two that would stand beside it, or the outermost one. */
#define SLU_SPACE_PROOF_BYTES_MAX (9u + 2u * SLU_SPACE_LEAF_BYTES + 64u * 32u)

/** Appends the proof of `rollup`, present or not. `scratch` as above. */
void slu_space_prove(struct slu_writer *w, const uint8_t chain_id32[32],
                     const struct slu_space_leaf *leaves, uint32_t count, uint64_t rollup,
                     uint8_t (*scratch)[32]);

/** Fills the tree over a space's leaves, to prove many rollups: slu_merkle_nodes(count) digests. */
void slu_space_keep(uint8_t (*nodes)[32], const uint8_t chain_id32[32],
                    const struct slu_space_leaf *leaves, uint32_t count);
/** The same proof as slu_space_prove, without a hash. */
void slu_space_prove_kept(struct slu_writer *w, const struct slu_space_leaf *leaves,
                          const uint8_t (*nodes)[32], uint32_t count, uint64_t rollup);

/** Reads a proof at the cursor and checks it against the root. `found->count` is 0: the rollup has
 * no entries. Errors: MALFORMED, MISMATCH (it proves something else). */
SLU_MUST_USE int slu_space_check(struct slu_reader *proof, const uint8_t chain_id32[32],
                                 const uint8_t root32[32], uint64_t rollup,
                                 struct slu_space_leaf *found);

/* ---- making the leaves of a height ---- */

struct slu_space_item {
    uint64_t rollup;
    uint8_t leaf[32];
};

/** Collects entries in their order, for any rollups. Memory is the caller's: slu_space_maker_bytes.
 */
struct slu_space_maker {
    struct slu_space_item *items;
    struct slu_space_leaf *leaves; /* by rollup once finished, then of `rollups` */
    uint8_t (*sorted)[32]; /* entry leaves, rollup by rollup; scratch for proofs and roots */
    uint32_t *starts;      /* of each rollup's in `sorted` */
    uint32_t *table;       /* rollup -> its place in `leaves` + 1 */
    uint32_t count, cap, rollups, table_mask;
};

size_t slu_space_maker_bytes(uint32_t cap);
/** `memory`, zeroed, of slu_space_maker_bytes(cap), aligned for uint64_t. */
void slu_space_maker_init(struct slu_space_maker *maker, void *memory, uint32_t cap);
/** The next entry of `rollup`. False: full. */
bool slu_space_add(struct slu_space_maker *maker, uint64_t rollup, const uint8_t leaf32[32]);
/** Sets `rollups`, their `leaves` rising, and gives the root. Empties it of items for the next
 * height; `leaves` stay until then. */
void slu_space_finish(struct slu_space_maker *maker, const uint8_t chain_id32[32],
                      uint8_t root32[32]);

#endif
