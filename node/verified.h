/* Signatures that were verified before. A certificate carries votes that mostly arrived on their
 * own already, and every certificate comes from several peers: looking a signature up costs a
 * comparison, checking it some 15 microseconds (crypto/verify_keys.h).
 *
 * A fixed table; each (signer, digest, signature) has one place, and the newest takes it. All three
 * are compared in full, so the table never says yes to anything that was not verified. Any thread:
 * a lock covers the table, not the checking. */
#ifndef SLU_NODE_VERIFIED_H
#define SLU_NODE_VERIFIED_H

#include "crypto/keyguard.h"
#include "node/metrics.h"
#include "wire/genesis.h"

struct slu_verified;

/** NULL when memory is refused. `genesis` and `metrics` must outlive it. */
struct slu_verified *slu_verified_new(const struct slu_genesis *genesis,
                                      struct slu_metrics *metrics);
void slu_verified_free(struct slu_verified *verified);
/** The verifier to hand to slu_message_verify. */
struct slu_verifier slu_verified_verifier(struct slu_verified *verified);

#endif
