/* The certificate of a committee key (docs/PROTOCOL.md clause 7.12): the outcome of a key generation,
 * and the signatures of exactly k+f READYs for it. It proves itself with the genesis alone.
 *
 *     attempt u32 | k u16 | dealers u64 | Y 32 | n x Y_i 32 | count u16 |
 *     count x ( node u16 | valid_until u64 | signature 64 )          nodes rising
 *
 * A READY's signature is over its whole envelope (wire/keygen.h), which follows from these. */
#ifndef SLU_WIRE_KEY_CERT_H
#define SLU_WIRE_KEY_CERT_H

#include "wire/keygen.h"

struct slu_ready_signature {
    uint16_t node;
    uint64_t valid_until_ms; /* of the READY's envelope */
    uint8_t signature[64];
};

struct slu_key_cert {
    uint32_t attempt;
    uint16_t k;
    uint64_t dealers; /* set of nodes */
    struct slu_dkg_key key; /* y and y_i; key_id and ready are derived */
    uint8_t sid[32];        /* derived */
    uint16_t count;
    struct slu_ready_signature signers[SLU_NODES_MAX];
};

#define SLU_KEY_CERT_BYTES_MAX                                                                     \
    (4u + 2u + 8u + 32u + 32u * SLU_NODES_MAX + 2u + (2u + 8u + 64u) * SLU_NODES_MAX)

/** What it takes on this chain. */
size_t slu_key_cert_bytes(const struct slu_genesis *g, uint16_t k);
void slu_key_cert_write(struct slu_writer *w, const struct slu_genesis *g,
                        const struct slu_key_cert *cert);
/** Reads one at the cursor; derives sid, key_id and ready. Errors: MALFORMED, MISMATCH. */
SLU_MUST_USE int slu_key_cert_read(struct slu_reader *r, const struct slu_genesis *g,
                                   struct slu_key_cert *cert);
/** Checks all READY signatures. Errors: SIGNATURE. */
SLU_MUST_USE int slu_key_cert_check(const struct slu_key_cert *cert, const struct slu_genesis *g,
                                    const struct slu_verifier *verifier);

#endif
