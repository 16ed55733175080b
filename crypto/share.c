#include "crypto/share.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/lanes.h"
#include "crypto/ristretto.h"

struct slu_share_work {
    struct slu_msm_work *msm;
    uint32_t chunk_max;
    uint8_t all[32];
    uint8_t weights[][32]; /* chunk_max */
};

static size_t head_bytes(uint32_t chunk_max)
{
    return (sizeof(struct slu_share_work) + 32 * (size_t)chunk_max + 15u) / 16u * 16u;
}

size_t slu_share_work_bytes(uint32_t chunk_max)
{
    return head_bytes(chunk_max) + slu_msm_work_bytes(chunk_max);
}

struct slu_share_work *slu_share_work_init(void *memory, uint32_t chunk_max)
{
    struct slu_share_work *work = memory;
    work->chunk_max = chunk_max;
    work->msm = slu_msm_work_init((uint8_t *)memory + head_bytes(chunk_max), chunk_max);
    return work;
}

struct slu_share_work *slu_share_work_new(void)
{
    void *memory = malloc(slu_share_work_bytes(SLU_SHARE_CHUNK_MAX));
    return memory ? slu_share_work_init(memory, SLU_SHARE_CHUNK_MAX) : NULL;
}

void slu_share_work_free(struct slu_share_work *work)
{
    free(work);
}

/* Up to four as libsodium has them: a product that is the identity is refused there, too. */
static void compute_four(uint8_t (*d32)[32], const uint8_t x_i32[32], const uint8_t (*r32)[32],
                         size_t count)
{
    const uint8_t *encodings[SLU_LANES];
    uint8_t products[SLU_LANES][32];
    struct slu_point points[SLU_LANES];
    bool ok[SLU_LANES];
    for (size_t i = 0; i < SLU_LANES; i++)
        encodings[i] = r32[i < count ? i : 0];
    slu_ristretto_read_many(ok, points, encodings, SLU_LANES);
    for (size_t i = 0; i < SLU_LANES; i++)
        SLU_CHECK(ok[i]);
    slu_lanes_shares(products, points, x_i32);
    for (size_t i = 0; i < count; i++)
        SLU_CHECK(!sodium_is_zero(products[i], 32));
    memcpy(d32, products, 32 * count);
}

void slu_shares_compute(uint8_t (*d32)[32], const uint8_t x_i32[32], const uint8_t (*r32)[32],
                        size_t count)
{
    for (size_t done = 0; done < count;) {
        const size_t left = count - done, run = left < SLU_LANES ? left : SLU_LANES;
        if (run > 1 && slu_lanes_on()) /* alone, libsodium's takes less */
            compute_four(d32 + done, x_i32, r32 + done, run);
        else
            for (size_t i = done; i < done + run; i++)
                SLU_CHECK(!crypto_scalarmult_ristretto255(d32[i], x_i32, r32[i]));
        done += run;
    }
}

bool slu_shares_read(struct slu_point *d, const uint8_t (*d32)[32], size_t count)
{
    enum { RUN = 16 };
    for (size_t done = 0; done < count;) {
        const size_t run = count - done < RUN ? count - done : RUN;
        const uint8_t *encodings[RUN];
        bool ok[RUN];
        for (size_t i = 0; i < run; i++)
            encodings[i] = d32[done + i];
        slu_ristretto_read_many(ok, &d[done], encodings, run);
        for (size_t i = 0; i < run; i++, done++)
            if (!ok[i])
                return false;
    }
    return true;
}

/* `all` and the weights of docs/CRYPTO.md clause 5.2. */
static void make_weights(struct slu_share_work *work, const struct slu_share_chunk *chunk,
                         const uint8_t (*d32)[32])
{
    const uint8_t *chain_id32 = chunk->key->chain_id;
    uint8_t numbers[8 + 2 + 8 + 4 + 4];
    struct slu_writer w = slu_writer_of(numbers, sizeof numbers);
    slu_write_u64(&w, chunk->generation);
    slu_write_u16(&w, chunk->node);
    slu_write_u64(&w, chunk->height);
    slu_write_u32(&w, chunk->first);
    slu_write_u32(&w, chunk->count);
    struct slu_hash hash;
    slu_hash_begin(&hash, "share-all", chain_id32);
    slu_hash_add(&hash, chunk->key->key_id, 32);
    slu_hash_add(&hash, numbers, sizeof numbers);
    slu_hash_add(&hash, chunk->block32, 32);
    slu_hash_add(&hash, chunk->ids32, 32);
    slu_hash_add(&hash, chunk->y_i32, 32);
    slu_hash_add(&hash, chunk->r32, 32 * (size_t)chunk->count);
    slu_hash_add(&hash, d32, 32 * (size_t)chunk->count);
    slu_hash_end(&hash, work->all);
    for (uint32_t j = 0; j < chunk->count; j += 4) {
        uint8_t four[64], number[4];
        struct slu_writer n = slu_writer_of(number, sizeof number);
        slu_write_u32(&n, j / 4);
        slu_hash_begin_wide(&hash, "share-weight", chain_id32);
        slu_hash_add(&hash, work->all, 32);
        slu_hash_add(&hash, number, sizeof number);
        slu_hash_end_wide(&hash, four);
        for (uint32_t i = j; i < j + 4 && i < chunk->count; i++) {
            memset(work->weights[i], 0, 32);
            memcpy(work->weights[i], four + (size_t)SLU_CHALLENGE_BYTES * (i - j),
                   SLU_CHALLENGE_BYTES);
        }
    }
}

static void weigh(struct slu_share_work *work, struct slu_point *sum, uint8_t sum32[32],
                  const struct slu_point *points, uint32_t count)
{
    slu_msm_many(work->msm, sum, points, (const uint8_t(*)[32])work->weights, count,
                 SLU_CHALLENGE_BITS);
    slu_ristretto_write(sum32, sum);
}

static void proof_context(struct slu_hash *hash, const struct slu_share_work *work,
                          const struct slu_share_chunk *chunk, const uint8_t r_star32[32],
                          const uint8_t d_star32[32])
{
    slu_hash_begin_wide(hash, "share-proof", chunk->key->chain_id);
    slu_hash_add(hash, work->all, 32);
    slu_hash_add(hash, r_star32, 32);
    slu_hash_add(hash, d_star32, 32);
}

void slu_chunk_prove(struct slu_share_work *work, uint8_t proof48[SLU_PROOF_BYTES],
                     const struct slu_share_chunk *chunk, const uint8_t (*d32)[32],
                     const uint8_t x_i32[32])
{
    SLU_CHECK(chunk->count >= 1 && chunk->count <= work->chunk_max);
    struct slu_point r_star;
    uint8_t r_star32[32], d_star32[32];
    struct slu_hash context;
    make_weights(work, chunk, d32);
    weigh(work, &r_star, r_star32, chunk->r, chunk->count);
    SLU_CHECK(!crypto_scalarmult_ristretto255(d_star32, x_i32, r_star32));
    proof_context(&context, work, chunk, r_star32, d_star32);
    slu_proof_make(proof48, &context, x_i32, r_star32);
}

bool slu_chunk_good(struct slu_share_work *work, const struct slu_share_chunk *chunk,
                    const uint8_t (*d32)[32], const struct slu_point *d,
                    const uint8_t proof48[SLU_PROOF_BYTES])
{
    struct slu_point y_i, r_star, d_star;
    uint8_t r_star32[32], d_star32[32];
    struct slu_hash context;
    if (chunk->count < 1 || chunk->count > work->chunk_max ||
        !slu_ristretto_read(&y_i, chunk->y_i32))
        return false;
    make_weights(work, chunk, d32);
    weigh(work, &r_star, r_star32, chunk->r, chunk->count);
    weigh(work, &d_star, d_star32, d, chunk->count);
    proof_context(&context, work, chunk, r_star32, d_star32);
    return slu_proof_ok(proof48, &context, &y_i, &r_star, &d_star);
}
