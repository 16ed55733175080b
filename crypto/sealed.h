/* Sealed bodies as a node sees them: read, check, open (docs/CRYPTO.md clauses 4.5 to 6.3). What
 * somebody else opened is checked by crypto/seal.h.
 *
 *     slu_sealed_read ─▶ slu_sealed_valid (at admission and delivery) ─▶ the block is final ─▶
 *     shares (crypto/share.h) ─▶ slu_combine (crypto/lagrange.h) ─▶ slu_sealed_open
 *                                                      anybody: slu_sealed_again, without shares
 *
 * All of it is public data once it may run: variable time but for the cipher. Any thread. */
#ifndef SLU_CRYPTO_SEALED_H
#define SLU_CRYPTO_SEALED_H

#include "crypto/group.h"
#include "crypto/seal.h"

/** A sealed body, in place. */
struct slu_sealed {
    struct slu_label label;
    const uint8_t *key_id32;
    const uint8_t *r32, *r_bar32, *e16, *z32;
    const uint8_t *c;
    size_t c_len;
};

/** What of a valid one is needed again. */
struct slu_sealed_checked {
    struct slu_point r; /* Z = 1 */
    uint8_t lh[32];
};

/** Why an entry has no content. Numbers are part of what is released: never renumbered. */
enum slu_void {
    SLU_OPENED = 0,
    SLU_VOID_TAG = 1,     /* c does not open under S */
    SLU_VOID_SEED = 2,    /* rho and M do not give this R and S */
    SLU_VOID_FORM = 3,    /* M is not a message, or what it holds for rollup 0 not a bundle */
    SLU_VOID_ROLLUP = 4,  /* a message for a rollup that the chain does not have */
    SLU_VOID_INVALID = 5, /* no valid sealing: out of the queue, past more than f liars */
};

/** M, in place. */
struct slu_sealed_message {
    uint64_t rollup; /* any: whether it means something is the chain's to say */
    const uint8_t *payload;
    uint32_t payload_len;
};

/** docs/CRYPTO.md clause 4.5 and the parts of 4.6 that need no arithmetic. Errors: MALFORMED. */
SLU_MUST_USE int slu_sealed_read(struct slu_sealed *out, const uint8_t *body, size_t body_len,
                                 uint64_t valid_until_ms);

/** A node's tables for one key: the generators and Y, 0.9 MB. Immutable: any thread. */
struct slu_opening_key;
/** In memory of slu_opening_key_bytes that the caller owns (16-byte aligned); takes 3 ms. NULL when
 * the key's Y is no element. */
struct slu_opening_key *slu_opening_key_init(void *memory, const struct slu_seal_key *key);
size_t slu_opening_key_bytes(void);
/** The same in fresh memory. NULL also when memory is refused. */
struct slu_opening_key *slu_opening_key_new(const struct slu_seal_key *key);
void slu_opening_key_free(struct slu_opening_key *key);
const struct slu_seal_key *slu_opening_key_public(const struct slu_opening_key *key);

/** The arithmetic of docs/CRYPTO.md clause 4.6. */
bool slu_sealed_valid(const struct slu_opening_key *key, struct slu_sealed_checked *out,
                      const struct slu_sealed *sealed);
/** The same of `count` bodies: ok[i] is what slu_sealed_valid says of sealed[i]. Cheaper than one
 * by one, where crypto/lanes.h is on also for two. */
void slu_sealed_valid_many(const struct slu_opening_key *key, bool *ok,
                           struct slu_sealed_checked *out, const struct slu_sealed *sealed,
                           size_t count);

/** What slu_sealed_valid found of one that it accepted before, again, without the proof. */
void slu_sealed_recall(const struct slu_opening_key *key, struct slu_sealed_checked *out,
                       const struct slu_sealed *sealed);

/** docs/CRYPTO.md clause 6.2: opens with S = `s`. `plain` has room for c_len - 16 bytes and holds
 * rho | M afterwards; `message` points into it, and is set when the result is SLU_OPENED only. */
enum slu_void slu_sealed_open(const struct slu_opening_key *key, uint8_t *plain,
                              struct slu_sealed_message *message, const struct slu_sealed *sealed,
                              const struct slu_sealed_checked *checked, const struct slu_point *s);
/** What slu_sealed_open takes and gives. */
struct slu_sealed_opening {
    const struct slu_sealed *sealed;
    const struct slu_sealed_checked *checked;
    const struct slu_point *s;
    uint8_t *plain;
    struct slu_sealed_message message;
    enum slu_void result;
};
/** slu_sealed_open of each of `count`, for less. */
void slu_sealed_open_many(const struct slu_opening_key *key, struct slu_sealed_opening *openings,
                          size_t count);

/** slu_seal_again (crypto/seal.h) by the key's tables, for some five times less: nothing in an
 * opening is secret. */
SLU_MUST_USE int slu_sealed_again(const struct slu_opening_key *key, uint8_t *body, size_t body_cap,
                                  size_t *body_len, const struct slu_seal_opening *opening);

/** docs/CRYPTO.md clause 6.3: whether `result` is final, given that the shares' proofs were checked
 * or not. When it is not: check them, and open again with k good ones. */
bool slu_open_settled(enum slu_void result, bool shares_good);

/** docs/CRYPTO.md clause 4.2: whether `bytes` are a message. Errors: MALFORMED. */
SLU_MUST_USE int slu_sealed_message_read(struct slu_sealed_message *out, const uint8_t *bytes,
                                         size_t len);

#endif
