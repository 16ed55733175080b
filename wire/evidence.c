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
    case SLU_WRONG_SHARE:
        return "wrong_share";
    case SLU_WRONG_RELEASE:
        return "wrong_release";
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

void slu_evidence_wrong_share(struct slu_writer *w, const struct slu_genesis *g,
                              const struct slu_key_cert *cert,
                              const struct slu_signed_shares *shares, const uint8_t ids_hash32[32],
                              const uint8_t (*r32)[32])
{
    write_head(w, SLU_WRONG_SHARE, shares->node);
    slu_write_u64(w, shares->height);
    slu_key_cert_write(w, g, cert);
    slu_write_bytes(w, shares->block, 32);
    slu_write_bytes(w, ids_hash32, 32);
    slu_write_u32(w, shares->first);
    slu_write_u16(w, shares->count);
    slu_write_bytes(w, r32, 32 * (size_t)shares->count);
    slu_write_bytes(w, shares->d, 32 * (size_t)shares->count);
    slu_write_bytes(w, shares->proof, SLU_PROOF_BYTES);
    slu_write_bytes(w, shares->signature, 64);
}

void slu_evidence_wrong_release(struct slu_writer *w, const struct slu_release_cert *cert,
                                const struct slu_release *const *below, uint8_t count,
                                const struct slu_signed_release *message)
{
    write_head(w, SLU_WRONG_RELEASE, message->node);
    slu_release_cert_write(w, cert);
    slu_write_u8(w, count);
    for (uint8_t i = 0; i < count; i++)
        slu_release_write(w, below[i]);
    slu_release_write(w, &message->release);
    slu_write_bytes(w, message->signature, 64);
}

/* ---- reading ---- */

/* A wrong share, unfolded. */
struct wrong {
    struct slu_key_cert cert;
    struct slu_signed_shares shares;
    uint8_t r[SLU_SHARES_MAX][32];
};

static int read_wrong(struct slu_reader *r, const struct slu_genesis *g, struct slu_evidence *out,
                      struct wrong *wrong)
{
    struct slu_signed_shares *s = &wrong->shares;
    uint8_t ids_hash[32];
    *s = (struct slu_signed_shares){.node = out->offender};
    out->at = s->height = slu_read_u64(r);
    int rc = slu_key_cert_read(r, g, &wrong->cert);
    if (rc)
        return rc;
    slu_read_copy(r, s->block, 32);
    slu_read_copy(r, ids_hash, 32);
    s->first = slu_read_u32(r);
    s->count = slu_read_u16(r);
    if (r->failed || s->height == 0 || s->count == 0)
        return SLU_ERR_MALFORMED;
    if (s->count > SLU_SHARES_MAX)
        return SLU_ERR_LIMIT;
    slu_read_copy(r, wrong->r, 32 * (size_t)s->count);
    slu_read_copy(r, s->d, 32 * (size_t)s->count);
    slu_read_copy(r, s->proof, SLU_PROOF_BYTES);
    slu_read_copy(r, s->signature, 64);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    memcpy(s->key_id, wrong->cert.key.key_id, 32);
    memcpy(s->y_i, wrong->cert.key.y_i[s->node], 32);
    slu_shares_list(s->list, g, ids_hash, (const uint8_t(*)[32])wrong->r, s->count);
    slu_signed_shares_digest(s, g);
    return SLU_OK;
}

/* The certificate shows the Y_i that the offender signed; the shares must be wrong for it. */
static int check_wrong(const struct wrong *wrong, const struct slu_genesis *g,
                       const struct slu_verifier *verifier)
{
    const struct slu_signed_shares *s = &wrong->shares;
    _Alignas(16) uint8_t memory[SLU_SHARE_WORK_SMALL_BYTES];
    struct slu_point r[SLU_SHARES_MAX], d[SLU_SHARES_MAX];
    struct slu_seal_key key;
    if (!slu_shares_read(r, (const uint8_t(*)[32])wrong->r, s->count))
        return SLU_ERR_MALFORMED; /* no honest node signs such a list */
    if (slu_key_cert_check(&wrong->cert, g, verifier) ||
        !verifier->verify(verifier->context, s->node, s->digest, s->signature))
        return SLU_ERR_SIGNATURE;
    if (!slu_shares_read(d, s->d, s->count))
        return SLU_OK; /* no group elements: wrong */
    memcpy(key.chain_id, g->chain_id, 32);
    memcpy(key.key_id, wrong->cert.key.key_id, 32);
    memcpy(key.y, wrong->cert.key.y, 32);
    struct slu_share_chunk chunk =
        slu_signed_shares_chunk(s, &key, (const uint8_t(*)[32])wrong->r, r);
    SLU_CHECK(slu_share_work_bytes(SLU_SHARES_MAX) <= sizeof memory);
    return slu_chunk_good(slu_share_work_init(memory, SLU_SHARES_MAX), &chunk, s->d, d, s->proof)
               ? SLU_ERR_MALFORMED
               : SLU_OK;
}

/* A wrong release, unfolded. */
struct contradiction {
    struct slu_release_cert cert;
    struct slu_signed_release message;
};

static int read_contradiction(struct slu_reader *r, const struct slu_genesis *g,
                              struct slu_evidence *out, struct contradiction *found)
{
    struct slu_release certified;
    int rc = slu_release_cert_read(r, g, &found->cert);
    uint8_t count = slu_read_u8(r);
    if (rc || r->failed || count > SLU_RELEASES_BELOW_MAX)
        return SLU_ERR_MALFORMED;
    certified = found->cert.release;
    for (uint8_t i = 0; i < count; i++) {
        uint8_t previous32[32];
        memcpy(previous32, certified.previous, 32);
        if (slu_release_read(r, g->chain_id, &certified) ||
            memcmp(certified.digest, previous32, 32) != 0)
            return SLU_ERR_MALFORMED;
    }
    found->message.node = out->offender;
    rc = slu_release_read(r, g->chain_id, &found->message.release);
    slu_read_copy(r, found->message.signature, 64);
    if (rc || r->failed || found->message.release.height != certified.height ||
        memcmp(found->message.release.digest, certified.digest, 32) == 0)
        return SLU_ERR_MALFORMED;
    out->at = certified.height;
    return SLU_OK;
}

static int check_contradiction(const struct contradiction *found,
                               const struct slu_verifier *verifier)
{
    const struct slu_signed_release *m = &found->message;
    if (!verifier->verify(verifier->context, m->node, m->release.digest, m->signature))
        return SLU_ERR_SIGNATURE;
    return slu_release_cert_verify(&found->cert, verifier);
}

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

/* What it is made of, by its offence. */
union content {
    struct pair pair;
    struct wrong wrong;
    struct contradiction contradiction;
};

static int read_content(struct slu_reader *r, const struct slu_genesis *g, struct slu_evidence *out,
                        union content *content)
{
    switch (out->offence) {
    case SLU_WRONG_SHARE:
        return read_wrong(r, g, out, &content->wrong);
    case SLU_WRONG_RELEASE:
        return read_contradiction(r, g, out, &content->contradiction);
    case SLU_TWO_BATCHES:
        return read_batches(r, g, out, &content->pair);
    case SLU_TWO_NOTARIZE:
    case SLU_NULLIFY_FINALIZE:
        return read_votes(r, g, out, &content->pair);
    case SLU_OFFENCES:
        break;
    }
    return SLU_ERR_MALFORMED;
}

static int read_all(struct slu_evidence *out, const struct slu_genesis *g, const uint8_t *bytes,
                    size_t len, union content *content)
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
    int rc = read_content(&r, g, out, content);
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
    union content content;
    return read_all(out, g, bytes, len, &content);
}

int slu_evidence_outline(struct slu_evidence *out, const struct slu_genesis *outline,
                         const uint8_t *bytes, size_t len)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    if (len > SLU_EVIDENCE_BYTES_MAX)
        return SLU_ERR_LIMIT;
    uint8_t offence = slu_read_u8(&r);
    if (offence != SLU_WRONG_SHARE && offence != SLU_WRONG_RELEASE)
        return slu_evidence_read(out, outline, bytes, len);
    out->offence = (enum slu_offence)offence;
    out->offender = slu_read_u16(&r);
    out->at = slu_read_u64(&r); /* of a wrong release, that of its certificate */
    if (r.failed || out->at == 0)
        return SLU_ERR_MALFORMED;
    if (out->offender >= outline->n)
        return SLU_ERR_MISMATCH;
    slu_hash_of(out->id, "evidence", outline->chain_id, bytes, len);
    return SLU_OK;
}

int slu_evidence_check(struct slu_evidence *out, const struct slu_genesis *g, const uint8_t *bytes,
                       size_t len, const struct slu_verifier *verifier)
{
    union content content;
    int rc = read_all(out, g, bytes, len, &content);
    if (!rc && out->offence == SLU_WRONG_SHARE)
        return check_wrong(&content.wrong, g, verifier);
    if (!rc && out->offence == SLU_WRONG_RELEASE)
        return check_contradiction(&content.contradiction, verifier);
    for (int i = 0; !rc && i < 2; i++)
        if (!verifier->verify(verifier->context, out->offender, content.pair.digests[i],
                              content.pair.signatures[i]))
            rc = SLU_ERR_SIGNATURE;
    return rc;
}
