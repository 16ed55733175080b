#include "client/committee_key.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/keyguard.h"
#include "sluice/error.h"
#include "wire/key_cert.h"

bool slu_committee_signed(void *context, uint16_t node, const uint8_t digest32[32],
                          const uint8_t signature64[64])
{
    const struct slu_genesis *genesis = context;
    return node < genesis->n &&
           slu_signature_ok(genesis->nodes[node].public32, digest32, signature64);
}

int slu_committee_key_read(struct slu_seal_key *key, uint16_t *k, const struct slu_genesis *genesis,
                           const uint8_t *certificate, size_t len)
{
    const struct slu_verifier verifier = {.context = (void *)(uintptr_t)genesis,
                                          .verify = slu_committee_signed};
    struct slu_reader r = slu_reader_of(certificate, len);
    struct slu_key_cert *cert = malloc(sizeof *cert);
    memset(key, 0, sizeof *key);
    int rc = cert ? slu_key_cert_read(&r, genesis, cert) : SLU_ERR_MEMORY;
    if (!rc && !slu_reader_done(&r))
        rc = SLU_ERR_MALFORMED;
    if (!rc)
        rc = slu_key_cert_check(cert, genesis, &verifier);
    if (!rc) {
        memcpy(key->chain_id, genesis->chain_id, 32);
        memcpy(key->key_id, cert->key.key_id, 32);
        memcpy(key->y, cert->key.y, 32);
        if (k)
            *k = cert->k;
    }
    free(cert);
    return rc;
}

static int take(struct slu_key_answer *out, const Slu__Client__Reply *reply,
                const struct slu_genesis *genesis, const uint8_t *key_id32)
{
    if (reply->body_case != SLU__CLIENT__REPLY__BODY_KEY)
        return SLU_ERR_REFUSED;
    const Slu__Client__KeyReply *body = reply->key;
    out->stream_ms = body->stream_ms;
    out->height = body->height;
    if (body->certificate.len == 0)
        return SLU_ERR_NOT_FOUND;
    int rc = slu_committee_key_read(&out->key, &out->k, genesis, body->certificate.data,
                                    body->certificate.len);
    if (!rc && key_id32 && memcmp(out->key.key_id, key_id32, 32) != 0)
        rc = SLU_ERR_MISMATCH;
    return rc;
}

int slu_committee_key_ask(struct slu_key_answer *out, struct slu_session *session,
                          const struct slu_genesis *genesis, const uint8_t *key_id32)
{
    Slu__Client__KeyQuery query = SLU__CLIENT__KEY_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    Slu__Client__Reply *reply;
    memset(out, 0, sizeof *out);
    if (key_id32)
        query.key_id = (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)key_id32};
    request.body_case = SLU__CLIENT__REQUEST__BODY_KEY;
    request.key = &query;
    int rc = slu_session_call(session, &request, &reply, slu_session_answer_ms(session));
    if (rc)
        return rc;
    rc = take(out, reply, genesis, key_id32);
    slu_reply_free(reply);
    return rc;
}

bool slu_committee_key_lied(int error)
{
    return error == SLU_ERR_MALFORMED || error == SLU_ERR_MISMATCH || error == SLU_ERR_SIGNATURE;
}
