#include "wire/key_cert.h"

#include <string.h>

#include "crypto/ristretto.h"
#include "sluice/error.h"

size_t slu_key_cert_bytes(const struct slu_genesis *g, uint16_t k)
{
    return 4u + 2u + 8u + 32u + 32u * (size_t)g->n + 2u + (2u + 8u + 64u) * (size_t)(k + slu_genesis_f(g));
}

void slu_key_cert_write(struct slu_writer *w, const struct slu_genesis *g,
                        const struct slu_key_cert *cert)
{
    slu_write_u32(w, cert->attempt);
    slu_write_u16(w, cert->k);
    slu_write_u64(w, cert->dealers);
    slu_write_bytes(w, cert->key.y, 32);
    slu_write_bytes(w, cert->key.y_i, 32 * (size_t)g->n);
    slu_write_u16(w, cert->count);
    for (uint16_t i = 0; i < cert->count; i++) {
        slu_write_u16(w, cert->signers[i].node);
        slu_write_u64(w, cert->signers[i].valid_until_ms);
        slu_write_bytes(w, cert->signers[i].signature, 64);
    }
}

/* sid, key_id and the READY hash, as the attempt that the certificate names has them. */
static int derive(struct slu_key_cert *cert, const struct slu_genesis *g)
{
    struct slu_dkg dkg;
    struct slu_point point;
    uint8_t p32[SLU_NODES_MAX][32];
    for (uint16_t j = 0; j < g->n; j++) {
        memcpy(p32[j], g->nodes[j].seal_public32, 32);
        if (!slu_ristretto_read(&point, cert->key.y_i[j]))
            return SLU_ERR_MALFORMED;
    }
    if (!slu_ristretto_read(&point, cert->key.y) ||
        slu_dkg_begin(&dkg, g->chain_id, 0, cert->attempt, g->n, cert->k,
                      (const uint8_t(*)[32])p32))
        return SLU_ERR_MALFORMED;
    memcpy(cert->sid, dkg.sid, 32);
    slu_dkg_name(&cert->key, &dkg, cert->dealers);
    return SLU_OK;
}

int slu_key_cert_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_key_cert *cert)
{
    uint64_t nodes = g->n == 64 ? UINT64_MAX : (UINT64_C(1) << g->n) - 1;
    memset(&cert->key, 0, sizeof cert->key);
    cert->attempt = slu_read_u32(r);
    cert->k = slu_read_u16(r);
    cert->dealers = slu_read_u64(r);
    slu_read_copy(r, cert->key.y, 32);
    slu_read_copy(r, cert->key.y_i, 32 * (size_t)g->n);
    cert->count = slu_read_u16(r);
    if (r->failed || cert->dealers == 0 || cert->dealers & ~nodes)
        return SLU_ERR_MALFORMED;
    if (cert->k < slu_genesis_seal_threshold_min(g) || cert->k > slu_genesis_seal_threshold(g) ||
        cert->count != cert->k + slu_genesis_f(g))
        return SLU_ERR_MISMATCH;
    for (uint16_t i = 0; i < cert->count; i++) {
        struct slu_ready_signature *signer = &cert->signers[i];
        signer->node = slu_read_u16(r);
        signer->valid_until_ms = slu_read_u64(r);
        slu_read_copy(r, signer->signature, 64);
        if (r->failed || signer->node >= g->n || (i > 0 && signer->node <= signer[-1].node))
            return SLU_ERR_MALFORMED;
    }
    return derive(cert, g);
}

int slu_key_cert_check(const struct slu_key_cert *cert, const struct slu_genesis *g,
                       const struct slu_verifier *verifier)
{
    for (uint16_t i = 0; i < cert->count; i++) {
        const struct slu_ready_signature *signer = &cert->signers[i];
        uint8_t digest[32];
        slu_keygen_ready_digest(digest, g, signer->node, cert->sid, signer->valid_until_ms,
                                cert->key.ready);
        if (!verifier->verify(verifier->context, signer->node, digest, signer->signature))
            return SLU_ERR_SIGNATURE;
    }
    return SLU_OK;
}
