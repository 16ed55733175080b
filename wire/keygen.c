#include "wire/keygen.h"

#include <string.h>

#include "crypto/hash.h"
#include "sluice/error.h"

const char *slu_keygen_phase_name(enum slu_keygen_phase phase)
{
    static const char *const names[SLU_KEYGEN_PHASES] = {"deal", "complaint", "ready"};
    return (unsigned)phase < SLU_KEYGEN_PHASES ? names[phase] : "unknown";
}

static bool length_fits(enum slu_keygen_phase phase, size_t len)
{
    switch (phase) {
    case SLU_KEYGEN_DEAL: /* what k the attempt has is not known here */
        return len > 0 && len <= SLU_DKG_DEALING_BYTES_MAX;
    case SLU_KEYGEN_COMPLAINT:
        return len == SLU_DKG_COMPLAINT_BYTES;
    case SLU_KEYGEN_READY:
        return len == 32;
    case SLU_KEYGEN_PHASES:
        break;
    }
    return false;
}

int slu_keygen_read(struct slu_keygen_entry *out, const struct slu_genesis *g,
                    const uint8_t *envelope, size_t len)
{
    struct slu_reader r = slu_reader_of(envelope, len);
    struct slu_tx tx;
    if (len > SLU_KEYGEN_BYTES_MAX)
        return SLU_ERR_LIMIT;
    if (!slu_tx_read(&r, &tx) || !slu_reader_done(&r) || tx.rollup != 0 ||
        tx.kind != SLU_TX_KEYGEN || tx.valid_until_ms == UINT64_MAX ||
        tx.body_len < SLU_KEYGEN_HEAD_BYTES + 64u)
        return SLU_ERR_MALFORMED;
    r = slu_reader_of(tx.body, tx.body_len - 64u);
    uint8_t version = slu_read_u8(&r), phase = slu_read_u8(&r);
    if (version != SLU_KEYGEN_VERSION || phase >= SLU_KEYGEN_PHASES)
        return SLU_ERR_MALFORMED;
    out->phase = (enum slu_keygen_phase)phase;
    out->node = slu_read_u16(&r);
    out->sid32 = slu_read_bytes(&r, 32);
    out->dealer = out->phase == SLU_KEYGEN_COMPLAINT ? slu_read_u16(&r) : 0;
    out->content = r.at;
    out->content_len = slu_reader_left(&r);
    if (r.failed || !length_fits(out->phase, out->content_len))
        return SLU_ERR_MALFORMED;
    if (out->node >= g->n || out->dealer >= g->n)
        return SLU_ERR_MISMATCH;
    out->signature64 = tx.body + tx.body_len - 64u;
    out->valid_until_ms = tx.valid_until_ms;
    slu_tx_id(out->id, g, &tx);
    slu_hash_of(out->digest, "keygen", g->chain_id, envelope, len - 64u);
    return SLU_OK;
}

/* All but the signature; `digest32` is what that is over. */
static void write_unsigned(struct slu_writer *w, uint8_t digest32[32], const struct slu_genesis *g,
                           enum slu_keygen_phase phase, uint16_t node, const uint8_t sid32[32],
                           uint64_t valid_until_ms, uint16_t dealer, const uint8_t *content,
                           size_t content_len)
{
    bool complaint = phase == SLU_KEYGEN_COMPLAINT;
    const uint8_t *envelope = w->at;
    size_t body_len = SLU_KEYGEN_HEAD_BYTES + (complaint ? 2u : 0u) + content_len + 64u;
    slu_write_u64(w, 0);
    slu_write_u64(w, valid_until_ms);
    slu_write_u8(w, SLU_TX_KEYGEN);
    slu_write_u32(w, (uint32_t)body_len);
    slu_write_u8(w, SLU_KEYGEN_VERSION);
    slu_write_u8(w, (uint8_t)phase);
    slu_write_u16(w, node);
    slu_write_bytes(w, sid32, 32);
    if (complaint)
        slu_write_u16(w, dealer);
    slu_write_bytes(w, content, content_len);
    SLU_CHECK(!w->failed);
    slu_hash_of(digest32, "keygen", g->chain_id, envelope, (size_t)(w->at - envelope));
}

void slu_keygen_ready_digest(uint8_t digest32[32], const struct slu_genesis *g, uint16_t node,
                             const uint8_t sid32[32], uint64_t valid_until_ms,
                             const uint8_t ready32[32])
{
    uint8_t bytes[SLU_TX_HEAD_BYTES + SLU_KEYGEN_HEAD_BYTES + 32];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    write_unsigned(&w, digest32, g, SLU_KEYGEN_READY, node, sid32, valid_until_ms, 0, ready32, 32);
}

int slu_keygen_write(struct slu_writer *w, const struct slu_genesis *g, enum slu_keygen_phase phase,
                     uint16_t node, const uint8_t sid32[32], uint64_t valid_until_ms,
                     uint16_t dealer, const uint8_t *content, size_t content_len,
                     const struct slu_signer *signer)
{
    uint8_t digest[32], signature[64];
    write_unsigned(w, digest, g, phase, node, sid32, valid_until_ms, dealer, content, content_len);
    int rc = signer->sign(signer->context, signature, SLU_ROLE_KEYGEN, 0, digest);
    if (!rc)
        slu_write_bytes(w, signature, 64);
    SLU_CHECK(!w->failed);
    return rc;
}
