/* Merkle trees and the spaces of a height (wire/merkle.h, wire/space.h): every shape up to 70
 * leaves against the definition written down as recursion, every proof of what is there and what is
 * not, and every doctored one refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/lanes.h"
#include "sluice/error.h"
#include "tests/unit/draw.h"
#include "wire/merkle.h"
#include "wire/space.h"

#define LEAVES 70u

static const uint8_t chain[32] = {0xc4};
static uint8_t leaves[LEAVES][32];

static int set_up(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return -1;
    draw(leaves, sizeof leaves);
    return 0;
}

/* ---- the definition ---- */

static void naive_root(uint8_t out32[32], const uint8_t (*of)[32], uint32_t count)
{
    uint8_t both[64];
    uint32_t left = 1;
    if (count == 1) {
        memcpy(out32, of[0], 32);
        return;
    }
    while (left * 2 < count)
        left *= 2;
    naive_root(both, of, left);
    naive_root(both + 32, of + left, count - left);
    slu_hash_of(out32, "node", chain, both, 64);
}

/* The entries of `rollup` among the items, and the space over all of them, the slow way. */
struct naive {
    uint64_t rollups[LEAVES];
    struct slu_space_leaf lists[LEAVES];
    uint32_t count;
    uint8_t root[32];
};

static void naive_space(struct naive *n, const struct slu_space_item *items, uint32_t count)
{
    uint8_t sorted[LEAVES][32], top[LEAVES][32], bytes[44];
    *n = (struct naive){.count = 0};
    for (uint64_t rollup = 0; rollup < 1000; rollup++) {
        uint32_t found = 0;
        for (uint32_t i = 0; i < count; i++)
            if (items[i].rollup == rollup)
                memcpy(sorted[found++], items[i].leaf, 32);
        if (found == 0)
            continue;
        struct slu_space_leaf *list = &n->lists[n->count];
        *list = (struct slu_space_leaf){.rollup = rollup, .count = found};
        naive_root(list->root, (const uint8_t(*)[32])sorted, found);
        struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
        slu_write_u64(&w, rollup);
        slu_write_u32(&w, found);
        slu_write_bytes(&w, list->root, 32);
        slu_hash_of(top[n->count++], "rollup", chain, bytes, sizeof bytes);
    }
    if (n->count == 0)
        return;
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    uint8_t tree32[32];
    naive_root(tree32, (const uint8_t(*)[32])top, n->count);
    slu_write_u32(&w, n->count);
    slu_write_bytes(&w, tree32, 32);
    slu_hash_of(n->root, "space", chain, bytes, 36);
}

/* ---- trees ---- */

static void test_roots(void **state)
{
    (void)state;
    uint8_t root32[32], wanted32[32];
    for (uint32_t count = 1; count <= LEAVES; count++) {
        slu_merkle_root(root32, chain, (const uint8_t(*)[32])leaves, count);
        naive_root(wanted32, (const uint8_t(*)[32])leaves, count);
        assert_memory_equal(root32, wanted32, 32);
    }
}

static void check_tree_proof(uint32_t count, uint32_t first, uint32_t shown)
{
    uint8_t proof[SLU_MERKLE_PROOF_MAX * 32], root32[32], got32[32];
    struct slu_writer w = slu_writer_of(proof, sizeof proof);
    slu_merkle_root(root32, chain, (const uint8_t(*)[32])leaves, count);
    slu_merkle_prove(&w, chain, (const uint8_t(*)[32])leaves, count, first, shown);
    assert_false(w.failed);
    size_t len = slu_writer_len(&w);
    assert_int_equal(slu_merkle_hashes(count, first, shown) * 32, len);
    struct slu_reader r = slu_reader_of(proof, len);
    assert_true(slu_merkle_replay(got32, chain, (const uint8_t(*)[32])(leaves + first), count,
                                  first, shown, &r));
    assert_true(slu_reader_done(&r));
    assert_memory_equal(got32, root32, 32);
    if (len > 0) { /* a hash short */
        r = slu_reader_of(proof, len - 1);
        assert_false(slu_merkle_replay(got32, chain, (const uint8_t(*)[32])(leaves + first), count,
                                       first, shown, &r));
    }
    /* At any other place, or in a tree of another size, the same hashes give another root. */
    for (uint32_t other = 0; other + shown <= count; other++) {
        r = slu_reader_of(proof, len);
        if (other != first &&
            slu_merkle_replay(got32, chain, (const uint8_t(*)[32])(leaves + first), count, other,
                              shown, &r))
            assert_memory_not_equal(got32, root32, 32);
    }
}

static void test_tree_proofs(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= LEAVES; count++)
        for (uint32_t first = 0; first < count; first++)
            for (uint32_t shown = 1; shown <= 2 && first + shown <= count; shown++)
                check_tree_proof(count, first, shown);
}

static void test_no_such_places(void **state)
{
    (void)state;
    static const uint32_t wrong[][3] = {{0, 0, 1},          {5, 5, 1}, {5, 4, 2},
                                        {5, 0, 0},          {5, 0, 6}, {5, UINT32_MAX, 1},
                                        {5, 1, UINT32_MAX}, {1, 1, 1}};
    uint8_t got32[32];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct slu_reader r = slu_reader_of(leaves, sizeof leaves);
        assert_int_equal(slu_merkle_hashes(wrong[i][0], wrong[i][1], wrong[i][2]), UINT32_MAX);
        assert_false(slu_merkle_replay(got32, chain, (const uint8_t(*)[32])leaves, wrong[i][0],
                                       wrong[i][1], wrong[i][2], &r));
    }
    /* The largest counts that bytes can name end, and do not pass a proof's bound. */
    assert_in_range(slu_merkle_hashes(UINT32_MAX, 0, 1), 31, 32);
    assert_in_range(slu_merkle_hashes(UINT32_MAX, UINT32_MAX / 2, 2), 1, SLU_MERKLE_PROOF_MAX);
    assert_in_range(slu_merkle_hashes(UINT32_MAX, UINT32_MAX - 1, 1), 1, 32);
}

/* ---- spaces ---- */

static struct slu_space_leaf lists[LEAVES];
static uint8_t scratch[LEAVES][32];

/* Rollups 3, 6, 9, ...: between any two there is room. */
static void make_lists(void)
{
    for (uint32_t i = 0; i < LEAVES; i++) {
        lists[i] = (struct slu_space_leaf){.rollup = 3u * (i + 1u), .count = i + 1};
        draw(lists[i].root, 32);
    }
}

static size_t prove(uint8_t *proof, uint32_t count, uint64_t rollup)
{
    struct slu_writer w = slu_writer_of(proof, SLU_SPACE_PROOF_BYTES_MAX);
    slu_space_prove(&w, chain, lists, count, rollup, scratch);
    assert_false(w.failed);
    return slu_writer_len(&w);
}

static int check(const uint8_t *proof, size_t len, const uint8_t root32[32], uint64_t rollup,
                 struct slu_space_leaf *found)
{
    struct slu_reader r = slu_reader_of(proof, len);
    int rc = slu_space_check(&r, chain, root32, rollup, found);
    return rc ? rc : slu_reader_done(&r) ? SLU_OK : SLU_ERR_MALFORMED;
}

static void test_space_proofs(void **state)
{
    (void)state;
    uint8_t proof[SLU_SPACE_PROOF_BYTES_MAX], root32[32];
    struct slu_space_leaf found;
    make_lists();
    for (uint32_t count = 0; count <= LEAVES; count++) {
        slu_space_root(root32, chain, lists, count, scratch);
        for (uint64_t rollup = 0; rollup <= 3u * count + 4u; rollup++) {
            bool here = count > 0 && rollup > 0 && rollup % 3 == 0 && rollup <= 3u * count;
            size_t len = prove(proof, count, rollup);
            assert_int_equal(check(proof, len, root32, rollup, &found), 0);
            assert_int_equal(found.rollup, rollup);
            assert_int_equal(found.count, here ? rollup / 3 : 0);
            if (here)
                assert_memory_equal(found.root, lists[rollup / 3 - 1].root, 32);
            /* It says nothing of any rollup that is there and is not shown. */
            for (uint64_t other = 3; other <= 3u * count; other += 3)
                if (other != rollup && check(proof, len, root32, other, &found) == 0)
                    assert_int_equal(found.count, other / 3);
        }
    }
}

/* Any byte changed, cut off or left over; another count; another height's root. */
static void test_doctored_space_proofs(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 2, 3, 5, 8, 70};
    uint8_t proof[SLU_SPACE_PROOF_BYTES_MAX + 1], root32[32], other32[32] = {1};
    struct slu_space_leaf found;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        uint32_t count = counts[c];
        slu_space_root(root32, chain, lists, count, scratch);
        for (uint64_t rollup = 1; rollup <= 3u * count + 2u; rollup++) {
            size_t len = prove(proof, count, rollup);
            for (size_t at = 0; at < len; at++) {
                for (unsigned bit = 0; bit < 8; bit += 7) {
                    proof[at] ^= (uint8_t)(1u << bit);
                    assert_true(check(proof, len, root32, rollup, &found) < 0);
                    proof[at] ^= (uint8_t)(1u << bit);
                }
            }
            for (size_t cut = 0; cut < len; cut++)
                assert_true(check(proof, cut, root32, rollup, &found) < 0);
            proof[len] = 0;
            assert_true(check(proof, len + 1, root32, rollup, &found) < 0);
            assert_int_equal(check(proof, len, other32, rollup, &found), SLU_ERR_MISMATCH);
            assert_int_equal(check(proof, len, root32, rollup, &found), 0);
        }
    }
}

/* Two leaves that are no neighbours leave room, whatever places they are said to have. */
static void test_withheld_rollup(void **state)
{
    (void)state;
    uint8_t proof[SLU_SPACE_PROOF_BYTES_MAX], root32[32], hashes[LEAVES][32], bytes[44];
    struct slu_space_leaf found;
    slu_space_root(root32, chain, lists, 7, scratch);
    for (uint32_t i = 0; i < 7; i++) {
        struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
        slu_space_leaf_write(&w, &lists[i]);
        slu_hash_of(hashes[i], "rollup", chain, bytes, sizeof bytes);
    }
    for (uint32_t first = 0; first < 6; first++) {
        struct slu_writer w = slu_writer_of(proof, sizeof proof);
        slu_write_u32(&w, 7);
        slu_write_u32(&w, first);
        slu_write_u8(&w, 2);
        slu_space_leaf_write(&w, &lists[2]);
        slu_space_leaf_write(&w, &lists[4]); /* lists[3] is what is withheld */
        slu_merkle_prove(&w, chain, (const uint8_t(*)[32])hashes, 7, first, 2);
        assert_int_equal(check(proof, slu_writer_len(&w), root32, lists[3].rollup, &found),
                         SLU_ERR_MISMATCH);
    }
    /* An inner one shown as the outermost. */
    for (uint32_t i = 0; i < 7; i++) {
        struct slu_writer w = slu_writer_of(proof, sizeof proof);
        slu_write_u32(&w, 7);
        slu_write_u32(&w, i);
        slu_write_u8(&w, 1);
        slu_space_leaf_write(&w, &lists[i]);
        slu_merkle_prove(&w, chain, (const uint8_t(*)[32])hashes, 7, i, 1);
        assert_int_equal(check(proof, slu_writer_len(&w), root32, 1, &found) == 0, i == 0);
        assert_int_equal(check(proof, slu_writer_len(&w), root32, 100, &found) == 0, i == 6);
        assert_int_equal(check(proof, slu_writer_len(&w), root32, lists[i].rollup, &found), 0);
    }
    /* Empty although there is something, and something although it is empty. */
    static const uint8_t empty[9] = {0}, zero32[32] = {0};
    assert_int_equal(check(empty, sizeof empty, root32, 9, &found), SLU_ERR_MISMATCH);
    assert_true(check(proof, prove(proof, 7, 9), zero32, 9, &found) < 0);
    assert_int_equal(check(empty, sizeof empty, zero32, 9, &found), 0);
}

/* Entries as they come, height after height in one maker. */
static void test_maker(void **state)
{
    (void)state;
    struct slu_space_maker maker;
    struct slu_space_item items[LEAVES];
    struct naive wanted;
    uint8_t root32[32];
    uint64_t *memory = calloc(1, slu_space_maker_bytes(LEAVES));
    assert_non_null(memory);
    slu_space_maker_init(&maker, memory, LEAVES);
    for (uint32_t round = 0; round < 300; round++) {
        uint8_t drawn[2];
        draw(drawn, sizeof drawn);
        uint32_t count = round <= LEAVES ? round : drawn[0] % (LEAVES + 1), among = 1u + drawn[1];
        for (uint32_t i = 0; i < count; i++) {
            draw(drawn, sizeof drawn);
            items[i].rollup = drawn[0] % among;
            draw(items[i].leaf, 32);
            assert_true(slu_space_add(&maker, items[i].rollup, items[i].leaf));
        }
        naive_space(&wanted, items, count);
        slu_space_finish(&maker, chain, root32);
        assert_memory_equal(root32, wanted.root, 32);
        assert_int_equal(maker.rollups, wanted.count);
        for (uint32_t i = 0; i < wanted.count; i++) {
            assert_int_equal(maker.leaves[i].rollup, wanted.lists[i].rollup);
            assert_int_equal(maker.leaves[i].count, wanted.lists[i].count);
            assert_memory_equal(maker.leaves[i].root, wanted.lists[i].root, 32);
        }
    }
    for (uint32_t i = 0; i < LEAVES; i++)
        assert_true(slu_space_add(&maker, 1, leaves[i]));
    assert_false(slu_space_add(&maker, 1, leaves[0]));
    free(memory);
}

/* Everything of an entry is in its leaf, and a content is another leaf than none. */
static void test_entry_leaves(void **state)
{
    (void)state;
    uint8_t a32[32], b32[32];
    slu_entry_leaf(a32, chain, 5, 66, leaves[0], leaves[1]);
    for (int what = 0; what < 6; what++) {
        uint8_t other[32] = {1};
        slu_entry_leaf(b32, what == 0 ? other : chain, what == 1 ? 6 : 5, what == 2 ? 67 : 66,
                       leaves[what == 3 ? 2 : 0],
                       what == 4   ? leaves[3]
                       : what == 5 ? NULL
                                   : leaves[1]);
        assert_memory_not_equal(a32, b32, 32);
    }
}

static void test_many_entry_leaves(void **state)
{
    (void)state;
    struct slu_entry entries[LEAVES];
    uint8_t got[LEAVES][32], wanted32[32];
    for (uint32_t i = 0; i < LEAVES; i++)
        entries[i] =
            (struct slu_entry){.index = 3 * i, .kind = (uint8_t)(i % 4), .id32 = leaves[i]};
    slu_entry_leaves(got, chain, entries, LEAVES);
    for (uint32_t i = 0; i < LEAVES; i++) {
        slu_entry_leaf(wanted32, chain, 3 * i, (uint8_t)(i % 4), leaves[i], NULL);
        assert_memory_equal(got[i], wanted32, 32);
    }
}

/* Where a tree is kept whole, its top is the root that is made without keeping it. */
static void test_kept_trees(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= LEAVES; count++) {
        uint8_t nodes[3 * LEAVES][32], root32[32];
        memcpy(nodes, leaves, count * sizeof *leaves);
        slu_merkle_fill(nodes, chain, count);
        naive_root(root32, (const uint8_t(*)[32])leaves, count);
        assert_memory_equal(nodes[slu_merkle_nodes(count) - 1], root32, 32);
        assert_memory_equal(nodes, leaves, count * sizeof *leaves);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_tree_proofs),
        cmocka_unit_test(test_no_such_places),
        cmocka_unit_test(test_space_proofs),
        cmocka_unit_test(test_doctored_space_proofs),
        cmocka_unit_test(test_withheld_rollup),
        cmocka_unit_test(test_maker),
        cmocka_unit_test(test_entry_leaves),
        cmocka_unit_test(test_many_entry_leaves),
        cmocka_unit_test(test_kept_trees),
    };
    int failed = cmocka_run_group_tests(tests, set_up, NULL);
    slu_lanes_turn_off(true);
    return failed + cmocka_run_group_tests(tests, set_up, NULL);
}
