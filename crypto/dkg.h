/* Key generation without a dealer, as pure functions over messages whose order the stream decides
 * (docs/CRYPTO.md clause 7).
 *
 *     every node deals ─▶ nodes whose share is bad complain ─▶ all judge ─▶ surviving dealers
 *       slu_dkg_deal        slu_dkg_complain                     slu_dkg_judge     │
 *                                                                                  ▼
 *     slu_dkg_result: Y, every Y_i, key_id, the READY hash       slu_dkg_share: x_i
 *
 * Nodes are 0 .. n-1 and stand at the points 1 .. n. A dealing comes from a durable seed, so that a
 * node that crashed deals the same again. Secrets (seed, p, shares) are used in constant time and
 * zeroed; everything else is public. Any thread, no allocation. */
#ifndef SLU_CRYPTO_DKG_H
#define SLU_CRYPTO_DKG_H

#include "base/check.h"
#include "base/limits.h"
#include "crypto/proof.h"

#define SLU_DKG_SHARE_BYTES      48u /* a scalar and its tag */
#define SLU_DKG_DEAL_PROOF_BYTES 80u
#define SLU_DKG_COMPLAINT_BYTES  (32u + SLU_PROOF_BYTES)
/** commitments 32 k | E 32 | encrypted shares 48 n | proof 80 */
#define SLU_DKG_DEALING_BYTES_MAX                                                                  \
    (32u * SLU_NODES_MAX + 32u + SLU_DKG_SHARE_BYTES * SLU_NODES_MAX + SLU_DKG_DEAL_PROOF_BYTES)

/** One attempt at a key. */
struct slu_dkg {
    uint8_t chain_id[32];
    uint8_t sid[32];
    uint16_t n, k;
    uint8_t p[SLU_NODES_MAX][32]; /* the nodes' encryption keys */
};

/** A well-formed dealing, in place. */
struct slu_dkg_dealing {
    const uint8_t (*commitments32)[32]; /* k */
    const uint8_t *e32;
    const uint8_t (*shares48)[SLU_DKG_SHARE_BYTES]; /* n */
};

/** What a node keeps secret, in memory that is not swapped and is zeroed: the scalar p of its
 * encryption key P, and the durable seed that p and all its dealings come from. */
struct slu_seal_secrets {
    uint8_t p32[32];
    uint8_t seed32[32];
};

/** The public outcome. */
struct slu_dkg_key {
    uint8_t y[32];
    uint8_t key_id[32];
    uint8_t ready[32];
    uint8_t y_i[SLU_NODES_MAX][32];
};

enum slu_dkg_verdict {
    SLU_DKG_COMPLAINT_INVALID, /* its proof does not hold: it counts for nothing */
    SLU_DKG_DEALER_AT_FAULT,
    SLU_DKG_COMPLAINER_AT_FAULT, /* the share was good */
};

/** An encryption key from its seed: p (secret) and P. */
void slu_dkg_node_key(uint8_t p_secret32[32], uint8_t p32[32], const uint8_t seed32[32]);
/** docs/CRYPTO.md clause 7.1: proof that the owner of the signing key `public32` holds P's secret.
 */
void slu_dkg_possession_make(uint8_t proof48[SLU_PROOF_BYTES], const uint8_t p_secret32[32],
                             const uint8_t p32[32], const uint8_t public32[32]);
bool slu_dkg_possession_ok(const uint8_t proof48[SLU_PROOF_BYTES], const uint8_t p32[32],
                           const uint8_t public32[32]);

/** Starts attempt `attempt` of `epoch` among the owners of `p32`; sets the sid. Errors: MALFORMED
 * (k not in 1..n, n above SLU_NODES_MAX, a P that is no element). */
SLU_MUST_USE int slu_dkg_begin(struct slu_dkg *dkg, const uint8_t chain_id32[32], uint64_t epoch,
                               uint32_t attempt, uint16_t n, uint16_t k, const uint8_t (*p32)[32]);

/** How long a dealing of this attempt is. */
size_t slu_dkg_dealing_bytes(const struct slu_dkg *dkg);
/** docs/CRYPTO.md clause 7.2: node `dealer`'s dealing from its seed, slu_dkg_dealing_bytes long.
 * The proof draws fresh randomness; commitments and shares are the same every time. */
void slu_dkg_deal(uint8_t *dealing, const struct slu_dkg *dkg, uint16_t dealer,
                  const uint8_t seed32[32]);
/** docs/CRYPTO.md clause 7.3: reads and checks `dealer`'s dealing. Errors: MALFORMED. */
SLU_MUST_USE int slu_dkg_dealing_read(struct slu_dkg_dealing *out, const struct slu_dkg *dkg,
                                      uint16_t dealer, const uint8_t *bytes, size_t len);

/** Decrypts node `node`'s share of a well-formed dealing. False when it is bad: complain. */
bool slu_dkg_share_open(uint8_t share32[32], const struct slu_dkg *dkg,
                        const struct slu_dkg_dealing *dealing, uint16_t dealer, uint16_t node,
                        const uint8_t p_secret32[32]);
/** docs/CRYPTO.md clause 7.4. The complaint lays this one share open and nothing else. */
void slu_dkg_complain(uint8_t complaint80[SLU_DKG_COMPLAINT_BYTES], const struct slu_dkg *dkg,
                      const struct slu_dkg_dealing *dealing, uint16_t dealer, uint16_t node,
                      const uint8_t p_secret32[32]);
enum slu_dkg_verdict slu_dkg_judge(const struct slu_dkg *dkg, const struct slu_dkg_dealing *dealing,
                                   uint16_t dealer, uint16_t node,
                                   const uint8_t complaint80[SLU_DKG_COMPLAINT_BYTES]);

/** docs/CRYPTO.md clause 7.5: the key of the dealers in the set `dealers` (bit j: dealer j), whose
 * dealings stand in `dealings` at their index. Errors: MALFORMED (an empty set, a dealer above n,
 * or a sum that is the identity, which nobody can bring about). */
SLU_MUST_USE int slu_dkg_result(struct slu_dkg_key *out, const struct slu_dkg *dkg,
                                uint64_t dealers, const struct slu_dkg_dealing *dealings);
/** key_id and the READY hash of what `dealers` made, from y and every y_i, which are set. */
void slu_dkg_name(struct slu_dkg_key *key, const struct slu_dkg *dkg, uint64_t dealers);
/** x_i from node i's opened shares of the same dealers, `shares32` at the dealer's index. */
void slu_dkg_share(uint8_t x_i32[32], const struct slu_dkg *dkg, uint64_t dealers,
                   const uint8_t (*shares32)[32]);

#endif
