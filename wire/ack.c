#include "wire/ack.h"

#include "crypto/hash.h"
#include "sluice/error.h"

void slu_lane_tips_write(struct slu_writer *w, const struct slu_lane_tip *tips, uint16_t count)
{
    slu_write_u16(w, count);
    for (uint16_t i = 0; i < count; i++) {
        slu_write_u16(w, tips[i].lane);
        slu_write_u64(w, tips[i].tip.position);
        slu_write_bytes(w, tips[i].tip.digest, 32);
    }
}

int slu_lane_tips_read(struct slu_reader *r, const struct slu_genesis *g,
                       struct slu_lane_tip *tips, uint16_t *count)
{
    *count = slu_read_u16(r);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    if (*count > g->n)
        return SLU_ERR_LIMIT;
    for (uint16_t i = 0; i < *count; i++) {
        tips[i].lane = slu_read_u16(r);
        tips[i].tip.position = slu_read_u64(r);
        slu_read_copy(r, tips[i].tip.digest, 32);
        if (r->failed || tips[i].lane >= g->n || tips[i].tip.position == 0 ||
            (i > 0 && tips[i].lane <= tips[i - 1].lane))
            return SLU_ERR_MALFORMED;
    }
    return SLU_OK;
}

static void write_unsigned(struct slu_writer *w, const struct slu_ack_vector *v)
{
    slu_write_u32(w, v->epoch);
    slu_write_u16(w, v->node);
    slu_lane_tips_write(w, v->acks, v->count);
}

void slu_ack_vector_digest(struct slu_ack_vector *v, const struct slu_genesis *g)
{
    uint8_t bytes[SLU_ACK_VECTOR_BYTES_MAX];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    write_unsigned(&w, v);
    SLU_CHECK(!w.failed);
    slu_hash_of(v->digest, "acks", g->chain_id, bytes, slu_writer_len(&w));
}

void slu_ack_vector_write(struct slu_writer *w, const struct slu_ack_vector *v)
{
    write_unsigned(w, v);
    slu_write_bytes(w, v->signature, 64);
}

int slu_ack_vector_read(struct slu_reader *r, const struct slu_genesis *g,
                        struct slu_ack_vector *v)
{
    v->epoch = slu_read_u32(r);
    v->node = slu_read_u16(r);
    int rc = slu_lane_tips_read(r, g, v->acks, &v->count);
    if (rc)
        return rc;
    slu_read_copy(r, v->signature, 64);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    if (v->epoch != 0 || v->node >= g->n)
        return SLU_ERR_MISMATCH;
    slu_ack_vector_digest(v, g);
    return SLU_OK;
}
