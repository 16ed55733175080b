/* The committee's keys as nodes hand them out, each with the certificate that proves it with the
 * genesis alone (docs/PROTOCOL.md clause 7.12): a node may be silent about a key, but not make one
 * up. */
#ifndef SLU_CLIENT_COMMITTEE_KEY_H
#define SLU_CLIENT_COMMITTEE_KEY_H

#include "client/session.h"
#include "sluice/seal.h"
#include "wire/genesis.h"

/** Reads a certificate and checks it; `k`, if not NULL, gets how many nodes open what is sealed to
 * it. Errors, after which `key` is zero: MALFORMED, MISMATCH, SIGNATURE, MEMORY. */
SLU_MUST_USE int slu_committee_key_read(struct slu_seal_key *key, uint16_t *k,
                                        const struct slu_genesis *genesis,
                                        const uint8_t *certificate, size_t len);

/** A node's answer about a key. */
struct slu_key_answer {
    struct slu_seal_key key;
    uint16_t k;         /* how many nodes open what is sealed to it */
    uint64_t stream_ms; /* of the last height delivered there ... */
    uint64_t height;    /* ... and that height; both also with NOT_FOUND */
};

/** Asks the node of `session` for the key `key_id32`, NULL: its newest. Errors: NOT_FOUND (it has
 * no such key, or none yet), REFUSED (an error reply, or no reply to this), those of a session;
 * MALFORMED, MISMATCH, SIGNATURE: what it gave is no certificate of this chain, or one of another
 * key. */
SLU_MUST_USE int slu_committee_key_ask(struct slu_key_answer *out, struct slu_session *session,
                                       const struct slu_genesis *genesis, const uint8_t *key_id32);
/** Whether an error of slu_committee_key_ask says that the node lied. */
bool slu_committee_key_lied(int error);

/** For a slu_verifier whose context is a genesis: whether `node` of it signed. */
bool slu_committee_signed(void *genesis, uint16_t node, const uint8_t digest32[32],
                          const uint8_t signature64[64]);

#endif
