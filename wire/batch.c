#include "wire/batch.h"

#include "crypto/hash.h"
#include "sluice/error.h"

static void write_unsigned(struct slu_writer *w, const struct slu_batch_header *h)
{
    slu_write_u32(w, h->epoch);
    slu_write_u16(w, h->lane);
    slu_write_u32(w, h->incarnation);
    slu_write_u64(w, h->position);
    slu_write_bytes(w, h->parent, 32);
    slu_write_bytes(w, h->payload_digest, 32);
    slu_write_u32(w, h->payload_bytes);
    slu_write_u32(w, h->txs);
    slu_write_u64(w, h->made_at_ms);
}

void slu_batch_header_write(struct slu_writer *w, const struct slu_batch_header *h)
{
    write_unsigned(w, h);
    slu_write_bytes(w, h->signature, 64);
}

void slu_batch_header_digest(struct slu_batch_header *h, const struct slu_genesis *g)
{
    uint8_t bytes[SLU_BATCH_HEADER_BYTES];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    write_unsigned(&w, h);
    SLU_CHECK(!w.failed && w.at == w.end);
    slu_hash_of(h->digest, "batch", g->chain_id, bytes, sizeof bytes);
}

int slu_batch_header_read(struct slu_reader *r, const struct slu_genesis *g,
                          struct slu_batch_header *h)
{
    h->epoch = slu_read_u32(r);
    h->lane = slu_read_u16(r);
    h->incarnation = slu_read_u32(r);
    h->position = slu_read_u64(r);
    slu_read_copy(r, h->parent, 32);
    slu_read_copy(r, h->payload_digest, 32);
    h->payload_bytes = slu_read_u32(r);
    h->txs = slu_read_u32(r);
    h->made_at_ms = slu_read_u64(r);
    slu_read_copy(r, h->signature, 64);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    if (h->epoch != 0 || h->lane >= g->n)
        return SLU_ERR_MISMATCH;
    if (h->position == 0 || h->position == UINT64_MAX)
        return SLU_ERR_MALFORMED;
    if (h->payload_bytes == 0 || h->payload_bytes > g->params.batch_bytes_max || h->txs == 0 ||
        h->txs > slu_genesis_lane_quota_txs(g))
        return SLU_ERR_LIMIT;
    slu_batch_header_digest(h, g);
    return SLU_OK;
}

void slu_payload_digest(uint8_t digest32[32], const struct slu_genesis *g, const uint8_t *payload,
                        size_t len)
{
    slu_hash_of(digest32, "payload", g->chain_id, payload, len);
}
