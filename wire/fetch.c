#include "wire/fetch.h"

#include "crypto/hash.h"
#include "sluice/error.h"

void slu_fetch_write(struct slu_writer *w, const struct slu_fetch *f)
{
    slu_write_u8(w, f->what);
    slu_write_u16(w, f->lane);
    slu_write_u64(w, f->from);
    slu_write_u64(w, f->to);
    slu_write_bytes(w, f->digest, 32);
}

int slu_fetch_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_fetch *f)
{
    f->what = slu_read_u8(r);
    f->lane = slu_read_u16(r);
    f->from = slu_read_u64(r);
    f->to = slu_read_u64(r);
    slu_read_copy(r, f->digest, 32);
    if (r->failed || f->what >= SLU_FETCH_KINDS)
        return SLU_ERR_MALFORMED;
    if (f->lane >= g->n)
        return SLU_ERR_MISMATCH;
    bool ranged = f->what == SLU_FETCH_BATCHES || f->what == SLU_FETCH_HEADERS ||
                  f->what == SLU_FETCH_VIEWS;
    if (ranged && (f->from == 0 || f->from > f->to))
        return SLU_ERR_MALFORMED;
    return SLU_OK;
}

void slu_rejoin_write(struct slu_writer *w, const struct slu_rejoin *rejoin)
{
    slu_write_u16(w, rejoin->node);
    slu_write_bytes(w, rejoin->nonce, 32);
    slu_write_u32(w, rejoin->incarnation);
}

int slu_rejoin_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_rejoin *rejoin)
{
    rejoin->node = slu_read_u16(r);
    slu_read_copy(r, rejoin->nonce, 32);
    rejoin->incarnation = slu_read_u32(r);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    return rejoin->node < g->n ? SLU_OK : SLU_ERR_MISMATCH;
}

static void write_unsigned(struct slu_writer *w, const struct slu_freeze *f)
{
    slu_write_u32(w, f->epoch);
    slu_write_u16(w, f->node);
    slu_write_u16(w, f->lane);
    slu_write_u32(w, f->incarnation);
    slu_write_bytes(w, f->nonce, 32);
    slu_write_u64(w, f->tip.position);
    slu_write_bytes(w, f->tip.digest, 32);
}

void slu_freeze_digest(struct slu_freeze *f, const struct slu_genesis *g)
{
    uint8_t bytes[SLU_FREEZE_BYTES];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    write_unsigned(&w, f);
    slu_hash_of(f->digest, "freeze", g->chain_id, bytes, slu_writer_len(&w));
}

void slu_freeze_write(struct slu_writer *w, const struct slu_freeze *f)
{
    write_unsigned(w, f);
    slu_write_bytes(w, f->signature, 64);
}

int slu_freeze_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_freeze *f)
{
    f->epoch = slu_read_u32(r);
    f->node = slu_read_u16(r);
    f->lane = slu_read_u16(r);
    f->incarnation = slu_read_u32(r);
    slu_read_copy(r, f->nonce, 32);
    f->tip.position = slu_read_u64(r);
    slu_read_copy(r, f->tip.digest, 32);
    slu_read_copy(r, f->signature, 64);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    if (f->epoch != 0 || f->node >= g->n || f->lane >= g->n)
        return SLU_ERR_MISMATCH;
    slu_freeze_digest(f, g);
    return SLU_OK;
}
