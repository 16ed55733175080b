/* Releases of the heights of a prepared store, as a node leaves them: SPACE and RELEASE of each,
 * and certificates where a test wants them. The trees are those of the entries; signatures are made
 * up, since nobody here checks them. Records are put into a write that the caller has begun. */
#ifndef SLU_TESTS_UNIT_RELEASED_STORE_H
#define SLU_TESTS_UNIT_RELEASED_STORE_H

#include <stdlib.h>

#include "consensus/release_record.h"
#include "tests/unit/prepared_store.h"
#include "wire/entry.h"

#define RELEASED_MAX    2048u
#define OPENED_ROLLUP_A 5u /* what is opened at every tenth height is of these two rollups */
#define OPENED_ROLLUP_B 9u

static struct slu_release released[RELEASED_MAX]; /* by height */

static inline void put_leaves(struct slu_writer *w, const struct slu_space_maker *maker)
{
    slu_write_u32(w, maker->rollups);
    for (uint32_t i = 0; i < maker->rollups; i++)
        slu_space_leaf_write(w, &maker->leaves[i]);
}

static inline struct slu_space_maker *new_maker(uint32_t cap)
{
    struct slu_space_maker *maker = calloc(1, sizeof *maker + slu_space_maker_bytes(cap) + 8);
    assert_non_null(maker);
    slu_space_maker_init(maker, maker + 1, cap);
    return maker;
}

/* The entries of put_delivered. */
static inline void add_ordered(struct slu_space_maker *maker, const uint8_t chain_id32[32],
                               uint64_t height)
{
    uint32_t index = 0;
    for (uint32_t lane = 0; lane < BATCHES; lane++) {
        for (uint32_t tx = 0; tx < TXS; tx++) {
            uint8_t id[32], leaf[32];
            if (tx == 3 || tx == 7)
                continue;
            name_of(id, height, lane, tx);
            slu_entry_leaf(leaf, chain_id32, index++, SLU_TX_PLAIN, id, NULL);
            assert_true(slu_space_add(maker, rollup_of(tx), leaf));
        }
    }
}

static inline void add_opened(struct slu_space_maker *maker, uint64_t height)
{
    uint8_t leaf[32];
    memset(leaf, (int)height, 32);
    assert_true(slu_space_add(maker, OPENED_ROLLUP_B, leaf));
    assert_true(slu_space_add(maker, OPENED_ROLLUP_A, leaf));
}

/* Heights rise by one from the first on; that one's `previous` is zero. */
static inline void put_released(struct slu_disk *disk, const struct slu_genesis *genesis,
                                uint64_t height)
{
    struct slu_release *r = &released[height];
    struct slu_space_maker *ordered = new_maker(64), *opened = new_maker(64);
    static uint8_t bytes[4096], parts[SLU_STATE_PARTS * 32];
    *r = (struct slu_release){.height = height, .time_ms = height * STEP_MS};
    memset(r->block, (int)height, 32);
    memcpy(r->previous, released[height - 1].digest, 32);
    memset(r->state, 0x55, 32);
    add_ordered(ordered, genesis->chain_id, height);
    slu_space_finish(ordered, genesis->chain_id, r->ordered);
    if (height % 10 == 0)
        add_opened(opened, height);
    slu_space_finish(opened, genesis->chain_id, r->opened);
    slu_release_digest(r, genesis->chain_id);
    struct slu_record_key key = {.kind = SLU_REC_SPACE, .a = height};
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u64(&w, r->time_ms);
    slu_write_bytes(&w, r->block, 32);
    slu_write_bytes(&w, parts, sizeof parts);
    slu_write_bytes(&w, r->ordered, 32);
    put_leaves(&w, ordered);
    assert_false(w.failed);
    slu_disk_put(disk, &key, bytes, slu_writer_len(&w), NULL, 0);
    key.kind = SLU_REC_RELEASE;
    w = slu_writer_of(bytes, sizeof bytes);
    slu_release_write(&w, r);
    put_leaves(&w, opened);
    assert_false(w.failed);
    slu_disk_put(disk, &key, bytes, slu_writer_len(&w), NULL, 0);
    free(ordered);
    free(opened);
}

/* The certificate of a released height, into `out`; returns its bytes. */
static inline size_t released_cert(uint8_t out[SLU_RELEASE_CERT_BYTES_MAX],
                                   const struct slu_genesis *genesis, uint64_t height)
{
    struct slu_release_cert cert = {.release = released[height], .count = slu_genesis_q(genesis)};
    struct slu_writer w = slu_writer_of(out, SLU_RELEASE_CERT_BYTES_MAX);
    for (uint16_t i = 0; i < cert.count; i++) {
        cert.signers[i].node = i;
        memset(cert.signers[i].signature, (int)height + i, 64);
    }
    slu_release_cert_write(&w, &cert);
    assert_false(w.failed);
    return slu_writer_len(&w);
}

static inline void put_cert(struct slu_disk *disk, const struct slu_genesis *genesis,
                            uint64_t height)
{
    uint8_t bytes[SLU_RELEASE_CERT_BYTES_MAX];
    size_t len = released_cert(bytes, genesis, height);
    struct slu_record_key key = {.kind = SLU_REC_RELEASE_CERT, .a = height};
    slu_disk_put(disk, &key, bytes, len, NULL, 0);
}

#endif
