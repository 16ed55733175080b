#include "wire/evidence.h"

#include <string.h>

#include "crypto/hash.h"
#include "sluice/error.h"

const char *slu_offence_name(enum slu_offence offence)
{
    switch (offence) {
    case SLU_TWO_BATCHES:
        return "two_batches";
    case SLU_TWO_NOTARIZE:
        return "two_notarize";
    case SLU_NULLIFY_FINALIZE:
        return "nullify_and_finalize";
    case SLU_OFFENCES:
        break;
    }
    return "unknown";
}

/* ---- writing ---- */

static void write_head(struct slu_writer *w, enum slu_offence offence, uint16_t offender)
{
    slu_write_u8(w, (uint8_t)offence);
    slu_write_u16(w, offender);
}

void slu_evidence_two_batches(struct slu_writer *w, const struct slu_batch_header *a,
                              const struct slu_batch_header *b)
{
    bool in_order = memcmp(a->digest, b->digest, 32) < 0;
    write_head(w, SLU_TWO_BATCHES, a->lane);
    slu_batch_header_write(w, in_order ? a : b);
    slu_batch_header_write(w, in_order ? b : a);
}

void slu_evidence_two_notarize(struct slu_writer *w, uint16_t node, uint64_t view,
                               const uint8_t block_a32[32], const uint8_t signature_a64[64],
                               const uint8_t block_b32[32], const uint8_t signature_b64[64])
{
    bool in_order = memcmp(block_a32, block_b32, 32) < 0;
    write_head(w, SLU_TWO_NOTARIZE, node);
    slu_write_u64(w, view);
    slu_write_bytes(w, in_order ? block_a32 : block_b32, 32);
    slu_write_bytes(w, in_order ? signature_a64 : signature_b64, 64);
    slu_write_bytes(w, in_order ? block_b32 : block_a32, 32);
    slu_write_bytes(w, in_order ? signature_b64 : signature_a64, 64);
}

void slu_evidence_nullify_finalize(struct slu_writer *w, uint16_t node, uint64_t view,
                                   const uint8_t nullify64[64], const uint8_t block32[32],
                                   const uint8_t finalize64[64])
{
    write_head(w, SLU_NULLIFY_FINALIZE, node);
    slu_write_u64(w, view);
    slu_write_bytes(w, nullify64, 64);
    slu_write_bytes(w, block32, 32);
    slu_write_bytes(w, finalize64, 64);
}

/* ---- reading ---- */

/* The two signed digests with their signatures. */
struct pair {
    uint8_t digests[2][32];
    uint8_t signatures[2][64];
};

static int read_batches(struct slu_reader *r, const struct slu_genesis *g, struct slu_evidence *out,
                        struct pair *pair)
{
    struct slu_batch_header h[2];
    for (int i = 0; i < 2; i++) {
        int rc = slu_batch_header_read(r, g, &h[i]);
        if (rc)
            return rc;
        memcpy(pair->digests[i], h[i].digest, 32);
        memcpy(pair->signatures[i], h[i].signature, 64);
    }
    out->at = h[0].position;
    if (h[0].lane != out->offender || h[1].lane != h[0].lane || h[1].position != h[0].position ||
        h[1].incarnation != h[0].incarnation)
        return SLU_ERR_MALFORMED;
    return memcmp(h[0].digest, h[1].digest, 32) < 0 ? SLU_OK : SLU_ERR_MALFORMED;
}

static int read_votes(struct slu_reader *r, const struct slu_genesis *g, struct slu_evidence *out,
                      struct pair *pair)
{
    static const uint8_t none[32];
    uint8_t blocks[2][32];
    bool notarize = out->offence == SLU_TWO_NOTARIZE;
    out->at = slu_read_u64(r);
    if (notarize)
        slu_read_copy(r, blocks[0], 32);
    else
        memcpy(blocks[0], none, 32);
    slu_read_copy(r, pair->signatures[0], 64);
    slu_read_copy(r, blocks[1], 32);
    slu_read_copy(r, pair->signatures[1], 64);
    if (r->failed || out->at == 0 || !memcmp(blocks[1], none, 32))
        return SLU_ERR_MALFORMED;
    if (notarize && (!memcmp(blocks[0], none, 32) || memcmp(blocks[0], blocks[1], 32) >= 0))
        return SLU_ERR_MALFORMED;
    slu_vote_digest(pair->digests[0], g, notarize ? SLU_NOTARIZE : SLU_NULLIFY, out->at, blocks[0]);
    slu_vote_digest(pair->digests[1], g, notarize ? SLU_NOTARIZE : SLU_FINALIZE, out->at,
                    blocks[1]);
    return SLU_OK;
}

static int read_all(struct slu_evidence *out, const struct slu_genesis *g, const uint8_t *bytes,
                    size_t len, struct pair *pair)
{
    if (len > SLU_EVIDENCE_BYTES_MAX)
        return SLU_ERR_LIMIT;
    struct slu_reader r = slu_reader_of(bytes, len);
    uint8_t offence = slu_read_u8(&r);
    out->offender = slu_read_u16(&r);
    if (r.failed || offence >= SLU_OFFENCES)
        return SLU_ERR_MALFORMED;
    if (out->offender >= g->n)
        return SLU_ERR_MISMATCH;
    out->offence = (enum slu_offence)offence;
    int rc = out->offence == SLU_TWO_BATCHES ? read_batches(&r, g, out, pair)
                                             : read_votes(&r, g, out, pair);
    if (rc)
        return rc;
    if (!slu_reader_done(&r))
        return SLU_ERR_MALFORMED;
    slu_hash_of(out->id, "evidence", g->chain_id, bytes, len);
    return SLU_OK;
}

int slu_evidence_read(struct slu_evidence *out, const struct slu_genesis *g, const uint8_t *bytes,
                      size_t len)
{
    struct pair pair;
    return read_all(out, g, bytes, len, &pair);
}

int slu_evidence_check(struct slu_evidence *out, const struct slu_genesis *g, const uint8_t *bytes,
                       size_t len, const struct slu_verifier *verifier)
{
    struct pair pair;
    int rc = read_all(out, g, bytes, len, &pair);
    for (int i = 0; !rc && i < 2; i++)
        if (!verifier->verify(verifier->context, out->offender, pair.digests[i],
                              pair.signatures[i]))
            rc = SLU_ERR_SIGNATURE;
    return rc;
}
