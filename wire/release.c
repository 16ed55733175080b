#include "wire/release.h"

#include <string.h>

#include "crypto/hash.h"
#include "sluice/error.h"

void slu_state_digest(uint8_t digest32[32], const uint8_t chain_id32[32],
                      const uint8_t (*parts)[32])
{
    slu_hash_of(digest32, "state", chain_id32, parts, (size_t)SLU_STATE_PARTS * 32);
}

void slu_release_digest(struct slu_release *release, const uint8_t chain_id32[32])
{
    uint8_t bytes[SLU_RELEASE_BYTES];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_release_write(&w, release);
    slu_hash_of(release->digest, "release", chain_id32, bytes, sizeof bytes);
}

void slu_release_write(struct slu_writer *w, const struct slu_release *release)
{
    slu_write_u64(w, release->height);
    slu_write_u64(w, release->time_ms);
    slu_write_bytes(w, release->block, 32);
    slu_write_bytes(w, release->previous, 32);
    slu_write_bytes(w, release->ordered, 32);
    slu_write_bytes(w, release->opened, 32);
    slu_write_bytes(w, release->state, 32);
}

int slu_release_read(struct slu_reader *r, const uint8_t chain_id32[32],
                     struct slu_release *release)
{
    release->height = slu_read_u64(r);
    release->time_ms = slu_read_u64(r);
    slu_read_copy(r, release->block, 32);
    slu_read_copy(r, release->previous, 32);
    slu_read_copy(r, release->ordered, 32);
    slu_read_copy(r, release->opened, 32);
    slu_read_copy(r, release->state, 32);
    if (r->failed || release->height == 0 || release->height > INT64_MAX)
        return SLU_ERR_MALFORMED;
    slu_release_digest(release, chain_id32);
    return SLU_OK;
}

void slu_signed_release_write(struct slu_writer *w, const struct slu_signed_release *message)
{
    slu_write_u16(w, message->node);
    slu_release_write(w, &message->release);
    slu_write_bytes(w, message->signature, 64);
}

int slu_signed_release_read(struct slu_reader *r, const struct slu_genesis *g,
                            struct slu_signed_release *message)
{
    message->node = slu_read_u16(r);
    int rc = slu_release_read(r, g->chain_id, &message->release);
    slu_read_copy(r, message->signature, 64);
    if (rc || r->failed)
        return SLU_ERR_MALFORMED;
    return message->node < g->n ? SLU_OK : SLU_ERR_MISMATCH;
}

size_t slu_release_cert_bytes(const struct slu_genesis *g)
{
    return SLU_RELEASE_BYTES + 2u + slu_genesis_q(g) * 66u;
}

void slu_release_cert_write(struct slu_writer *w, const struct slu_release_cert *cert)
{
    slu_release_write(w, &cert->release);
    slu_write_u16(w, cert->count);
    for (uint16_t i = 0; i < cert->count; i++) {
        slu_write_u16(w, cert->signers[i].node);
        slu_write_bytes(w, cert->signers[i].signature, 64);
    }
}

int slu_release_cert_read(struct slu_reader *r, const struct slu_genesis *g,
                          struct slu_release_cert *cert)
{
    int rc = slu_release_read(r, g->chain_id, &cert->release);
    cert->count = slu_read_u16(r);
    if (rc || r->failed || cert->count != slu_genesis_q(g))
        return SLU_ERR_MALFORMED;
    for (uint16_t i = 0; i < cert->count; i++) {
        cert->signers[i].node = slu_read_u16(r);
        slu_read_copy(r, cert->signers[i].signature, 64);
        if (r->failed || cert->signers[i].node >= g->n ||
            (i > 0 && cert->signers[i].node <= cert->signers[i - 1].node))
            return SLU_ERR_MALFORMED;
    }
    return SLU_OK;
}

int slu_release_cert_verify(const struct slu_release_cert *cert,
                            const struct slu_verifier *verifier)
{
    for (uint16_t i = 0; i < cert->count; i++)
        if (!verifier->verify(verifier->context, cert->signers[i].node, cert->release.digest,
                              cert->signers[i].signature))
            return SLU_ERR_SIGNATURE;
    return SLU_OK;
}
