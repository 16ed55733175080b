#include "wire/vote.h"

#include <sodium.h>

#include "crypto/hash.h"
#include "sluice/error.h"

static const char *const roles[SLU_VOTE_KINDS] = {"notarize", "nullify", "finalize"};

void slu_vote_digest(uint8_t digest32[32], const struct slu_genesis *g, enum slu_vote_kind kind,
                     uint64_t view, const uint8_t block32[32])
{
    uint8_t bytes[4 + 8 + 32];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u32(&w, 0);
    slu_write_u64(&w, view);
    slu_write_bytes(&w, block32, 32);
    slu_hash_of(digest32, roles[kind], g->chain_id, bytes, sizeof bytes);
}

enum slu_role slu_vote_role(enum slu_vote_kind kind)
{
    if (kind == SLU_NOTARIZE)
        return SLU_ROLE_NOTARIZE;
    return kind == SLU_NULLIFY ? SLU_ROLE_NULLIFY : SLU_ROLE_FINALIZE;
}

/* The fields that votes and certificates share, in order: epoch, kind, view. */
static int check_head(uint32_t epoch, uint8_t kind, uint64_t view, const uint8_t block32[32])
{
    if (epoch != 0)
        return SLU_ERR_MISMATCH;
    if (kind >= SLU_VOTE_KINDS || view == 0 || view == UINT64_MAX)
        return SLU_ERR_MALFORMED;
    if ((kind == SLU_NULLIFY) != (bool)sodium_is_zero(block32, 32))
        return SLU_ERR_MALFORMED;
    return SLU_OK;
}

void slu_vote_write(struct slu_writer *w, const struct slu_vote *v)
{
    slu_write_u32(w, v->epoch);
    slu_write_u8(w, v->kind);
    slu_write_u64(w, v->view);
    slu_write_u16(w, v->node);
    slu_write_bytes(w, v->block, 32);
    slu_write_bytes(w, v->signature, 64);
}

int slu_vote_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_vote *v)
{
    v->epoch = slu_read_u32(r);
    v->kind = slu_read_u8(r);
    v->view = slu_read_u64(r);
    v->node = slu_read_u16(r);
    slu_read_copy(r, v->block, 32);
    slu_read_copy(r, v->signature, 64);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    int rc = check_head(v->epoch, v->kind, v->view, v->block);
    if (rc)
        return rc;
    if (v->node >= g->n)
        return SLU_ERR_MISMATCH;
    slu_vote_digest(v->digest, g, (enum slu_vote_kind)v->kind, v->view, v->block);
    return SLU_OK;
}

void slu_cert_write(struct slu_writer *w, const struct slu_cert *c)
{
    slu_write_u32(w, c->epoch);
    slu_write_u8(w, c->kind);
    slu_write_u64(w, c->view);
    slu_write_bytes(w, c->block, 32);
    slu_write_u16(w, c->count);
    for (uint16_t i = 0; i < c->count; i++) {
        slu_write_u16(w, c->votes[i].node);
        slu_write_bytes(w, c->votes[i].signature, 64);
    }
}

int slu_cert_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_cert *c)
{
    c->epoch = slu_read_u32(r);
    c->kind = slu_read_u8(r);
    c->view = slu_read_u64(r);
    slu_read_copy(r, c->block, 32);
    c->count = slu_read_u16(r);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    int rc = check_head(c->epoch, c->kind, c->view, c->block);
    if (rc)
        return rc;
    if (c->count != slu_genesis_q(g))
        return SLU_ERR_MALFORMED;
    for (uint16_t i = 0; i < c->count; i++) {
        c->votes[i].node = slu_read_u16(r);
        slu_read_copy(r, c->votes[i].signature, 64);
        if (r->failed || c->votes[i].node >= g->n ||
            (i > 0 && c->votes[i].node <= c->votes[i - 1].node))
            return SLU_ERR_MALFORMED;
    }
    slu_vote_digest(c->digest, g, (enum slu_vote_kind)c->kind, c->view, c->block);
    return SLU_OK;
}
