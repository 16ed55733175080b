/* The keyguard: the only holder of a node's signing key. The core asks it to sign digests by role
 * through a small table of functions, so that the simulator can sign cheaply with the same core.
 *
 * The real guard refuses what can never be right: two different Notarize in one view, Nullify and
 * Finalize of one view, a Notarize after a Nullify. That is a second fence behind the core's own
 * rules, kept in memory for the newest SLU_GUARD_VIEWS views; the durable vote log is the first. */
#ifndef SLU_CRYPTO_KEYGUARD_H
#define SLU_CRYPTO_KEYGUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

enum slu_role {
    SLU_ROLE_BATCH,
    SLU_ROLE_ACKS,
    SLU_ROLE_REPORT,
    SLU_ROLE_PROPOSAL,
    SLU_ROLE_NOTARIZE,
    SLU_ROLE_NULLIFY,
    SLU_ROLE_FINALIZE,
    SLU_ROLE_FREEZE,
    SLU_ROLE_RELAY,   /* an inbox item that this node took */
    SLU_ROLE_HOLD,    /* an inbox item that it holds */
    SLU_ROLE_RECEIPT, /* the same, to a client */
    SLU_ROLE_KEYGEN,  /* a message of the key generation */
    SLU_ROLE_SHARES,  /* decryption shares of a final block */
    SLU_ROLE_RELEASE,
    SLU_ROLE_LINK,
};

struct slu_signer {
    void *context;
    /** Signs `digest32` for `role`; `view` matters to votes only. Errors: REFUSED. */
    int (*sign)(void *context, uint8_t signature64[64], enum slu_role role, uint64_t view,
                const uint8_t digest32[32]);
};

struct slu_verifier {
    void *context;
    /** Whether `signature64` is node `node`'s over `digest32`. Any thread that owns `context`. */
    bool (*verify)(void *context, uint16_t node, const uint8_t digest32[32],
                   const uint8_t signature64[64]);
};

struct slu_keyguard;

/** Takes the 32-byte Ed25519 seed in `seed32` (the caller zeroes its copy). Locked memory.
 * NULL when memory is refused. */
struct slu_keyguard *slu_keyguard_new(const uint8_t seed32[32]);
void slu_keyguard_free(struct slu_keyguard *guard);
void slu_keyguard_public(const struct slu_keyguard *guard, uint8_t public32[32]);
/** Signs; errors: REFUSED. One thread at a time per guard (it takes a lock). */
SLU_MUST_USE int slu_keyguard_sign(struct slu_keyguard *guard, uint8_t signature64[64],
                                   enum slu_role role, uint64_t view, const uint8_t digest32[32]);
struct slu_signer slu_keyguard_signer(struct slu_keyguard *guard);

/** Plain Ed25519 check of a digest. */
bool slu_signature_ok(const uint8_t public32[32], const uint8_t digest32[32],
                      const uint8_t signature64[64]);

#endif
