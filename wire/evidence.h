/* Evidence: signatures of one node that no honest node makes (docs/PROTOCOL.md
 * clause 8.1). It proves itself with the genesis alone.
 *
 *     offence u8 | offender u16 |
 *       two batches:          signed header, signed header     one lane, incarnation and position
 *       two Notarize:         view u64, (block 32, signature 64) twice
 *       Nullify and Finalize: view u64, Nullify's signature 64, block 32, Finalize's signature 64
 *       wrong share:          height u64, certificate of the key (wire/key_cert.h), block 32,
 *                             hash of the ids 32, first u32, count u16, count R 32, count D 32,
 *                             proof 48, signature 64: a SHARES message, whose proof does not hold
 *       wrong release:        certificate (wire/release.h), count u8, count releases below its
 *                             own, going down, then a release of the height of the last one (of
 *                             the certificate's, when there are none) that is another, signature 64
 *
 * Of two equal things the one of the lower digest comes first, so that two signatures make one
 * piece of evidence. Its id is the hash of these bytes. */
#ifndef SLU_WIRE_EVIDENCE_H
#define SLU_WIRE_EVIDENCE_H

#include "crypto/keyguard.h"
#include "wire/batch.h"
#include "wire/inbox.h"
#include "wire/key_cert.h"
#include "wire/release.h"
#include "wire/shares.h"
#include "wire/vote.h"

enum slu_offence {
    SLU_TWO_BATCHES = 0,
    SLU_TWO_NOTARIZE = 1,
    SLU_NULLIFY_FINALIZE = 2,
    SLU_WRONG_SHARE = 3,
    SLU_WRONG_RELEASE = 4,
    SLU_OFFENCES = 5
};

#define SLU_EVIDENCE_BYTES_MAX                                                                     \
    (3u + SLU_KEY_CERT_BYTES_MAX + 8u + 32u + 32u + 4u + 2u + 64u * SLU_SHARES_MAX +               \
     SLU_PROOF_BYTES + 64u)

/** An offence's word in JSON and metrics: "two_batches", ... Static storage. */
const char *slu_offence_name(enum slu_offence offence);

/** Writes evidence; the writer gets at most SLU_EVIDENCE_BYTES_MAX. */
void slu_evidence_two_batches(struct slu_writer *w, const struct slu_batch_header *a,
                              const struct slu_batch_header *b);
/** Two Notarize of one node and view. */
void slu_evidence_two_notarize(struct slu_writer *w, uint16_t node, uint64_t view,
                               const uint8_t block_a32[32], const uint8_t signature_a64[64],
                               const uint8_t block_b32[32], const uint8_t signature_b64[64]);
void slu_evidence_nullify_finalize(struct slu_writer *w, uint16_t node, uint64_t view,
                                   const uint8_t nullify64[64], const uint8_t block32[32],
                                   const uint8_t finalize64[64]);

/** A SHARES message for the list of these `count` R, whose ids hash to `ids_hash32`, under the key
 * of `cert`. */
void slu_evidence_wrong_share(struct slu_writer *w, const struct slu_genesis *g,
                              const struct slu_key_cert *cert,
                              const struct slu_signed_shares *shares, const uint8_t ids_hash32[32],
                              const uint8_t (*r32)[32]);

#define SLU_RELEASES_BELOW_MAX                                                                     \
    7u /* in evidence: releases below the certified one */

/** `message` signs another release than `cert` proves; `below` are the `count` releases under the
 * certified one, highest first, down to the height of `message`. */
void slu_evidence_wrong_release(struct slu_writer *w, const struct slu_release_cert *cert,
                                const struct slu_release *const *below, uint8_t count,
                                const struct slu_signed_release *message);

struct slu_evidence {
    enum slu_offence offence;
    uint16_t offender;
    uint64_t at; /* lane position, view or height */
    uint8_t id[32];
};

/** Reads evidence and checks everything but its signatures. Errors: MALFORMED, MISMATCH, LIMIT. */
SLU_MUST_USE int slu_evidence_read(struct slu_evidence *out, const struct slu_genesis *g,
                                   const uint8_t *bytes, size_t len);
/** What evidence says of itself, for who knows of the chain no more than its id and wide bounds
 * (client/outline.h): as slu_evidence_read, but of a wrong share only what stands before the
 * certificate, which the committee's keys are needed to read, and of a wrong release the height of
 * its certificate. Errors: MALFORMED, MISMATCH, LIMIT. */
SLU_MUST_USE int slu_evidence_outline(struct slu_evidence *out, const struct slu_genesis *outline,
                                      const uint8_t *bytes, size_t len);
/** As slu_evidence_read, and what is signed. Pure: what `sluice verify` runs offline. Errors: also
 * SIGNATURE.
 */
SLU_MUST_USE int slu_evidence_check(struct slu_evidence *out, const struct slu_genesis *g,
                                    const uint8_t *bytes, size_t len,
                                    const struct slu_verifier *verifier);

#endif
