/* Keys of the made-up committee (committee.h) with their certificates, as its nodes would have made
 * them. What the shares of such a key are is nobody's business here: nothing is opened with it. */
#ifndef SLU_TESTS_UNIT_COMMITTEE_KEY_H
#define SLU_TESTS_UNIT_COMMITTEE_KEY_H

#include "sluice/seal.h"
#include "tests/unit/committee.h"
#include "wire/key_cert.h"

struct certified_key {
    struct slu_key_cert cert;
    struct slu_seal_key key;
    uint8_t bytes[SLU_KEY_CERT_BYTES_MAX];
    size_t len;
};

static inline void write_certificate(struct certified_key *k, const struct slu_genesis *of)
{
    struct slu_writer w = slu_writer_of(k->bytes, sizeof k->bytes);
    slu_key_cert_write(&w, of, &k->cert);
    k->len = slu_writer_len(&w);
}

static inline void draw_element(uint8_t element32[32], uint8_t tag)
{
    uint8_t wide[64], scalar[32], seed[32] = {tag, 0x4b};
    randombytes_buf_deterministic(wide, sizeof wide, seed);
    crypto_core_ristretto255_scalar_reduce(scalar, wide);
    assert_int_equal(crypto_scalarmult_ristretto255_base(element32, scalar), 0);
}

/** The key that attempt `attempt` made on the chain `of`, for k shares of all nodes' dealings. */
static inline void certify(struct certified_key *k, const struct slu_genesis *of, uint32_t attempt,
                           uint16_t shares)
{
    struct slu_dkg dkg;
    uint8_t p32[SLU_NODES_MAX][32];
    *k = (struct certified_key){.cert = {.attempt = attempt, .k = shares, .dealers = 15}};
    for (uint16_t i = 0; i < of->n; i++) {
        memcpy(p32[i], of->nodes[i].seal_public32, 32);
        draw_element(k->cert.key.y_i[i], (uint8_t)(16 * attempt + i));
    }
    draw_element(k->cert.key.y, (uint8_t)(16 * attempt + 15));
    assert_int_equal(
        slu_dkg_begin(&dkg, of->chain_id, 0, attempt, of->n, shares, (const uint8_t(*)[32])p32), 0);
    memcpy(k->cert.sid, dkg.sid, 32);
    slu_dkg_name(&k->cert.key, &dkg, k->cert.dealers);
    k->cert.count = (uint16_t)(shares + slu_genesis_f(of));
    for (uint16_t i = 0; i < k->cert.count; i++) {
        struct slu_ready_signature *signer = &k->cert.signers[i];
        uint8_t digest[32];
        *signer = (struct slu_ready_signature){.node = i, .valid_until_ms = 30000};
        slu_keygen_ready_digest(digest, of, i, dkg.sid, signer->valid_until_ms, k->cert.key.ready);
        assert_int_equal(
            slu_keyguard_sign(guards[i], signer->signature, SLU_ROLE_RECEIPT, 0, digest), 0);
    }
    memcpy(k->key.chain_id, of->chain_id, 32);
    memcpy(k->key.key_id, k->cert.key.key_id, 32);
    memcpy(k->key.y, k->cert.key.y, 32);
    write_certificate(k, of);
}

#endif
