/* Messages of the key generation, as entries of rollup 0 (docs/PROTOCOL.md clause 7, docs/CRYPTO.md
 * clause 7). Each is an envelope that only the inbox carries:
 *
 *     rollup 0 | valid_until | kind SLU_TX_KEYGEN | body:
 *         version u8 | phase u8 | node u16 | sid 32 | content | signature 64
 *
 *     deal:       content = the dealing (crypto/dkg.h)
 *     complaint:  content = dealer u16, the complaint
 *     ready:      content = the READY hash
 *
 * The node signs everything before its signature, envelope head included: nobody can wrap it anew.
 */
#ifndef SLU_WIRE_KEYGEN_H
#define SLU_WIRE_KEYGEN_H

#include "crypto/dkg.h"
#include "crypto/keyguard.h"
#include "wire/tx.h"

#define SLU_KEYGEN_VERSION 1u

enum slu_keygen_phase {
    SLU_KEYGEN_DEAL = 0,
    SLU_KEYGEN_COMPLAINT = 1,
    SLU_KEYGEN_READY = 2,
    SLU_KEYGEN_PHASES = 3
};

#define SLU_KEYGEN_HEAD_BYTES 36u /* version .. sid */
/** A whole envelope of one, at most. */
#define SLU_KEYGEN_BYTES_MAX                                                                       \
    (SLU_TX_HEAD_BYTES + SLU_KEYGEN_HEAD_BYTES + SLU_DKG_DEALING_BYTES_MAX + 64u)

struct slu_keygen_entry {
    enum slu_keygen_phase phase;
    uint16_t node;
    uint16_t dealer; /* of a complaint: whom it is about; else 0 */
    const uint8_t *sid32;
    const uint8_t *content; /* a dealing, the complaint without its dealer, or a hash; in place */
    size_t content_len;
    const uint8_t *signature64;
    uint8_t digest[32]; /* derived: what is signed */
    uint8_t id[32];     /* derived: of the envelope */
    uint64_t valid_until_ms;
};

/** "deal", "complaint", "ready". Static storage. */
const char *slu_keygen_phase_name(enum slu_keygen_phase phase);

/** Reads exactly one envelope of the key generation; contents are checked for their length only.
 * Errors: MALFORMED, LIMIT, MISMATCH (a node that the genesis does not have). */
SLU_MUST_USE int slu_keygen_read(struct slu_keygen_entry *out, const struct slu_genesis *g,
                                 const uint8_t *envelope, size_t len);
/** Writes and signs one; `dealer` counts for complaints only. The writer gets at most
 * SLU_KEYGEN_BYTES_MAX. Errors: REFUSED by the signer. */
SLU_MUST_USE int slu_keygen_write(struct slu_writer *w, const struct slu_genesis *g,
                                  enum slu_keygen_phase phase, uint16_t node,
                                  const uint8_t sid32[32], uint64_t valid_until_ms, uint16_t dealer,
                                  const uint8_t *content, size_t content_len,
                                  const struct slu_signer *signer);

/** What the signature of node `node`'s READY envelope is over. */
void slu_keygen_ready_digest(uint8_t digest32[32], const struct slu_genesis *g, uint16_t node,
                             const uint8_t sid32[32], uint64_t valid_until_ms,
                             const uint8_t ready32[32]);

#endif
