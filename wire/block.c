#include "wire/block.h"

#include <sodium.h>
#include <string.h>

#include "crypto/hash.h"
#include "sluice/error.h"

static void write_fixed(struct slu_writer *w, const struct slu_block *b)
{
    slu_write_u32(w, b->epoch);
    slu_write_u64(w, b->view);
    slu_write_u64(w, b->height);
    slu_write_bytes(w, b->parent, 32);
    slu_write_u64(w, b->time_ms);
    slu_write_u32(w, b->idle_run);
    slu_write_u16(w, b->n);
    for (uint16_t i = 0; i < b->n; i++) {
        slu_write_u64(w, b->cut[i].position);
        slu_write_bytes(w, b->cut[i].digest, 32);
    }
    slu_write_u64(w, b->tail.height);
    slu_write_u32(w, b->tail.bytes);
    for (int i = 0; i < SLU_OFFENCES; i++)
        slu_write_u64(w, b->evident[i]);
    slu_write_bytes(w, b->reports, 32);
    slu_write_u16(w, b->queued_count);
}

size_t slu_block_bytes(const struct slu_block *block)
{
    return SLU_BLOCK_BYTES_MAX - (SLU_NODES_MAX - block->n) * 40u + slu_block_list_bytes(block);
}

uint64_t slu_block_slashed(const struct slu_block *block)
{
    uint64_t all = 0;
    for (int i = 0; i < SLU_OFFENCES; i++)
        all |= block->evident[i];
    return all;
}

void slu_block_write(struct slu_writer *w, const struct slu_block *b)
{
    write_fixed(w, b);
    slu_write_bytes(w, b->queued, slu_block_list_bytes(b));
}

void slu_block_digest(struct slu_block *block, const struct slu_genesis *g)
{
    uint8_t bytes[SLU_BLOCK_BYTES_MAX];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    write_fixed(&w, block);
    SLU_CHECK(!w.failed);
    struct slu_hash hash;
    slu_hash_begin(&hash, "block", g->chain_id);
    slu_hash_add(&hash, bytes, slu_writer_len(&w));
    slu_hash_add(&hash, block->queued, slu_block_list_bytes(block));
    slu_hash_end(&hash, block->digest);
}

int slu_block_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_block *b)
{
    b->epoch = slu_read_u32(r);
    b->view = slu_read_u64(r);
    b->height = slu_read_u64(r);
    slu_read_copy(r, b->parent, 32);
    b->time_ms = slu_read_u64(r);
    b->idle_run = slu_read_u32(r);
    b->n = slu_read_u16(r);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    if (b->epoch != 0 || b->n != g->n)
        return SLU_ERR_MISMATCH;
    for (uint16_t i = 0; i < b->n; i++) {
        b->cut[i].position = slu_read_u64(r);
        slu_read_copy(r, b->cut[i].digest, 32);
        if ((b->cut[i].position == 0) != (bool)sodium_is_zero(b->cut[i].digest, 32))
            return SLU_ERR_MALFORMED;
    }
    b->tail.height = slu_read_u64(r);
    b->tail.bytes = slu_read_u32(r);
    uint64_t nodes = g->n == 64 ? UINT64_MAX : (UINT64_C(1) << g->n) - 1;
    for (int i = 0; i < SLU_OFFENCES; i++) {
        b->evident[i] = slu_read_u64(r);
        if (b->evident[i] & ~nodes)
            return SLU_ERR_MALFORMED;
    }
    slu_read_copy(r, b->reports, 32);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    int rc = slu_inbox_list_read(r, g, slu_inbox_per_block(g), &b->queued, &b->queued_count);
    if (rc)
        return rc;
    slu_block_digest(b, g);
    return SLU_OK;
}

void slu_block_genesis(struct slu_block *block, const struct slu_genesis *g)
{
    memset(block, 0, sizeof *block);
    block->n = g->n;
    block->time_ms = g->created_ms;
    slu_block_digest(block, g);
}

static void write_unsigned(struct slu_writer *w, const struct slu_proposal *p)
{
    slu_write_u32(w, p->epoch);
    slu_write_u64(w, p->view);
    slu_write_u16(w, p->node);
    slu_write_u64(w, p->parent_view);
    slu_write_bytes(w, p->parent, 32);
    slu_write_bytes(w, p->block, 32);
    slu_write_u16(w, p->count);
    for (uint16_t i = 0; i < p->count; i++) {
        slu_write_u16(w, p->reports[i].node);
        slu_write_bytes(w, p->reports[i].digest, 32);
    }
    slu_write_bytes(w, p->notarize, 64);
}

void slu_proposal_digest(struct slu_proposal *proposal, const struct slu_genesis *g)
{
    uint8_t bytes[SLU_PROPOSAL_BYTES_MAX];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    write_unsigned(&w, proposal);
    SLU_CHECK(!w.failed);
    slu_hash_of(proposal->digest, "proposal", g->chain_id, bytes, slu_writer_len(&w));
}

void slu_proposal_write(struct slu_writer *w, const struct slu_proposal *proposal)
{
    write_unsigned(w, proposal);
    slu_write_bytes(w, proposal->signature, 64);
}

int slu_proposal_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_proposal *p)
{
    p->epoch = slu_read_u32(r);
    p->view = slu_read_u64(r);
    p->node = slu_read_u16(r);
    p->parent_view = slu_read_u64(r);
    slu_read_copy(r, p->parent, 32);
    slu_read_copy(r, p->block, 32);
    p->count = slu_read_u16(r);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    if (p->epoch != 0 || p->node >= g->n || p->view % g->n != p->node)
        return SLU_ERR_MISMATCH;
    if (p->count != slu_genesis_q(g) || p->parent_view >= p->view)
        return SLU_ERR_MALFORMED;
    for (uint16_t i = 0; i < p->count; i++) {
        p->reports[i].node = slu_read_u16(r);
        slu_read_copy(r, p->reports[i].digest, 32);
        if (r->failed || p->reports[i].node >= g->n ||
            (i > 0 && p->reports[i].node <= p->reports[i - 1].node))
            return SLU_ERR_MALFORMED;
    }
    slu_read_copy(r, p->notarize, 64);
    slu_read_copy(r, p->signature, 64);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    slu_proposal_digest(p, g);
    return SLU_OK;
}

void slu_reports_digest(uint8_t digest32[32], const struct slu_genesis *g,
                        const struct slu_report_ref *reports, uint16_t count)
{
    struct slu_hash hash;
    slu_hash_begin(&hash, "reports", g->chain_id);
    for (uint16_t i = 0; i < count; i++)
        slu_hash_add(&hash, reports[i].digest, 32);
    slu_hash_end(&hash, digest32);
}
