/* A store with delivered heights in it, as a node of a chain of two leaves it: two batches at each
 * height, of ten transactions each, of which one was a duplicate and one had expired. For tests of
 * what reads it. Records are put into a write that the caller has begun. */
#ifndef SLU_TESTS_UNIT_PREPARED_STORE_H
#define SLU_TESTS_UNIT_PREPARED_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "consensus/order.h"
#include "node/store.h"
#include "tests/sim/seal_keys.h"
#include "wire/block.h"
#include "wire/tx.h"

#define TXS     10u /* of a batch; tx 3 is a duplicate, tx 7 is expired */
#define LIVE    8u
#define BATCHES 2u /* of a height: lanes 0 and 1, one each */
#define STEP_MS 1000u
#define DROPPED UINT32_C(0x80000000)

/* Made-up ids and digests: nobody here hashes. */
static inline void name_of(uint8_t out[32], uint64_t a, uint64_t b, uint64_t c)
{
    struct slu_writer w = slu_writer_of(out, 32);
    memset(out, 0x77, 32);
    slu_write_u64(&w, a * 1000003u + c);
    slu_write_u64(&w, b);
}

static inline uint64_t rollup_of(uint32_t tx)
{
    return 1 + tx % 3;
}

static inline size_t body_of(uint8_t *out, uint64_t height, uint32_t lane, uint32_t tx)
{
    return (size_t)snprintf((char *)out, 64, "height %llu lane %u tx %u",
                            (unsigned long long)height, lane, tx);
}

static inline void put_batch(struct slu_disk *disk, uint64_t height, uint16_t lane,
                             const uint8_t digest[32])
{
    uint8_t header[SLU_SIGNED_HEADER_BYTES] = {0}, payload[4096], body[64];
    struct slu_record_key key = {.kind = SLU_REC_BATCH, .a = lane, .b = height};
    struct slu_writer w = slu_writer_of(payload, sizeof payload);
    memcpy(key.digest, digest, 32);
    for (uint32_t tx = 0; tx < TXS; tx++) {
        size_t len = body_of(body, height, lane, tx);
        slu_tx_write(&w, rollup_of(tx), 5, SLU_TX_PLAIN, body, (uint32_t)len);
    }
    slu_disk_put(disk, &key, header, sizeof header, payload, slu_writer_len(&w));
}

static inline void put_delivered(struct slu_disk *disk, uint64_t height)
{
    uint8_t record[1024], ids[2048], digest[32];
    struct slu_writer w = slu_writer_of(record, sizeof record);
    struct slu_writer i = slu_writer_of(ids, sizeof ids);
    memset(digest, (int)height, 32);
    slu_write_bytes(&w, digest, 32);
    slu_write_u64(&w, height);
    slu_write_u64(&w, height * STEP_MS);
    slu_write_u32(&w, BATCHES * LIVE);
    slu_write_u32(&w, 0); /* nothing out of the queue */
    slu_write_u32(&w, BATCHES);
    slu_write_u32(&w, BATCHES * (TXS - LIVE));
    slu_write_u32(&w, 0); /* nothing is due */
    for (uint16_t lane = 0; lane < BATCHES; lane++) {
        name_of(digest, height, lane, 99);
        slu_write_u16(&w, lane);
        slu_write_u64(&w, height);
        slu_write_bytes(&w, digest, 32);
        slu_write_u32(&w, TXS);
        put_batch(disk, height, lane, digest);
    }
    slu_write_u32(&i, BATCHES * (LIVE + 1));
    for (uint32_t lane = 0, index = 0; lane < BATCHES; lane++) {
        slu_write_u32(&w, lane);
        slu_write_u32(&w, 3);
        slu_write_u8(&w, SLU_DROP_DUPLICATE);
        slu_write_u32(&w, lane);
        slu_write_u32(&w, 7);
        slu_write_u8(&w, SLU_DROP_EXPIRED);
        for (uint32_t tx = 0; tx < TXS; tx++) {
            uint8_t id[32];
            name_of(id, height, lane, tx);
            if (tx == 3)
                continue;
            slu_write_bytes(&i, id, 32);
            slu_write_u32(&i, tx == 7 ? DROPPED | SLU_DROP_EXPIRED : index++);
        }
    }
    struct slu_record_key key = {.kind = SLU_REC_DELIVERED, .a = height};
    assert_false(w.failed || i.failed);
    slu_disk_put(disk, &key, record, slu_writer_len(&w), NULL, 0);
    key.kind = SLU_REC_IDS;
    slu_disk_put(disk, &key, ids, slu_writer_len(&i), NULL, 0);
}

static inline void put_final_with_tail(struct slu_disk *disk, uint64_t height, uint64_t tail_height)
{
    static uint8_t record[SLU_BLOCK_BYTES_MAX + 1];
    static struct slu_block block;
    struct slu_writer w = slu_writer_of(record, sizeof record);
    memset(&block, 0, sizeof block);
    block.view = block.height = height;
    block.time_ms = height * STEP_MS;
    block.n = BATCHES;
    block.tail.height = tail_height;
    for (uint16_t lane = 0; lane < BATCHES; lane++) {
        block.cut[lane].position = height;
        name_of(block.cut[lane].digest, height, lane, 99);
    }
    slu_block_write(&w, &block);
    slu_write_u8(&w, 0);
    struct slu_record_key key = {.kind = SLU_REC_FINAL, .a = height};
    slu_disk_put(disk, &key, record, slu_writer_len(&w), NULL, 0);
}

static inline void put_final(struct slu_disk *disk, uint64_t height)
{
    put_final_with_tail(disk, height, 0);
}

/** A sealed genesis of two nodes that knows any rollup. */
static inline int make_genesis(struct slu_genesis *genesis)
{
    char why[200];
    genesis->version = SLU_PROTOCOL_VERSION;
    strcpy(genesis->name, "heights");
    genesis->n = 2;
    for (uint16_t i = 0; i < 2; i++) {
        memset(genesis->nodes[i].public32, 0x10 + i, 32);
        snprintf(genesis->nodes[i].address, sizeof genesis->nodes[i].address, "tcp://127.0.0.1:%d",
                 7000 + i);
    }
    sim_seal_keys(genesis);
    genesis->open_rollups = true;
    slu_params_defaults(&genesis->params);
    return slu_genesis_seal(genesis, why, sizeof why);
}

#endif
