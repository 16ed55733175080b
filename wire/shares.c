#include "wire/shares.h"

#include <string.h>

#include "crypto/hash.h"
#include "sluice/error.h"

void slu_shares_ids(uint8_t ids_hash32[32], const struct slu_genesis *g, const uint8_t (*ids32)[32],
                    size_t count)
{
    slu_hash_of(ids_hash32, "share-ids", g->chain_id, ids32, 32 * count);
}

void slu_shares_list(uint8_t list32[32], const struct slu_genesis *g, const uint8_t ids_hash32[32],
                     const uint8_t (*r32)[32], size_t count)
{
    struct slu_hash hash;
    slu_hash_begin(&hash, "share-list", g->chain_id);
    slu_hash_add(&hash, ids_hash32, 32);
    slu_hash_add(&hash, r32, 32 * count);
    slu_hash_end(&hash, list32);
}

static void write_unsigned(struct slu_writer *w, const struct slu_signed_shares *s)
{
    slu_write_u16(w, s->node);
    slu_write_u64(w, s->generation);
    slu_write_u64(w, s->height);
    slu_write_bytes(w, s->block, 32);
    slu_write_bytes(w, s->key_id, 32);
    slu_write_bytes(w, s->y_i, 32);
    slu_write_bytes(w, s->list, 32);
    slu_write_u32(w, s->first);
    slu_write_u16(w, s->count);
    slu_write_bytes(w, s->d, 32 * (size_t)s->count);
    slu_write_bytes(w, s->proof, SLU_PROOF_BYTES);
}

struct slu_share_chunk slu_signed_shares_chunk(const struct slu_signed_shares *s,
                                               const struct slu_seal_key *key,
                                               const uint8_t (*r32)[32], const struct slu_point *r)
{
    return (struct slu_share_chunk){.key = key,
                                    .generation = s->generation,
                                    .height = s->height,
                                    .block32 = s->block,
                                    .ids32 = s->list,
                                    .first = s->first,
                                    .count = s->count,
                                    .r32 = r32,
                                    .r = r,
                                    .node = s->node,
                                    .y_i32 = s->y_i};
}

void slu_signed_shares_digest(struct slu_signed_shares *s, const struct slu_genesis *g)
{
    uint8_t bytes[SLU_SHARES_BYTES_MAX];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    write_unsigned(&w, s);
    slu_hash_of(s->digest, "shares", g->chain_id, bytes, slu_writer_len(&w));
}

void slu_signed_shares_write(struct slu_writer *w, const struct slu_signed_shares *s)
{
    write_unsigned(w, s);
    slu_write_bytes(w, s->signature, 64);
}

int slu_signed_shares_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_signed_shares *s)
{
    s->node = slu_read_u16(r);
    s->generation = slu_read_u64(r);
    s->height = slu_read_u64(r);
    slu_read_copy(r, s->block, 32);
    slu_read_copy(r, s->key_id, 32);
    slu_read_copy(r, s->y_i, 32);
    slu_read_copy(r, s->list, 32);
    s->first = slu_read_u32(r);
    s->count = slu_read_u16(r);
    if (r->failed || s->count == 0)
        return SLU_ERR_MALFORMED;
    if (s->count > SLU_SHARES_MAX)
        return SLU_ERR_LIMIT;
    slu_read_copy(r, s->d, 32 * (size_t)s->count);
    slu_read_copy(r, s->proof, SLU_PROOF_BYTES);
    slu_read_copy(r, s->signature, 64);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    if (s->node >= g->n || s->generation != 0)
        return SLU_ERR_MISMATCH;
    slu_signed_shares_digest(s, g);
    return SLU_OK;
}
