/* Sealing transactions so that nobody can read them before their place is final, and checking what
 * was opened: without any node, and without trust in one.
 *
 *     genesis.json ──▶ slu_chain_load ──▶ chain ─┐
 *     certificate, from any node ────────────────┴▶ slu_seal_key_certified ──▶ key
 *
 *     key, unlock, valid_until, rollup, payload ──▶ slu_seal_envelope ──▶ envelope, id ──▶ any node
 *     id, and what the stream shows for it ──▶ slu_seal_opening_check
 *
 * The committee's key is made by its nodes together (docs/PROTOCOL.md clauses 7.1 to 7.4); k of
 * them, and no fewer, open what was sealed to it, once its place is final and its unlock is
 * reached. Nodes see of an envelope its key, unlock, valid_until and rough size. The certificate
 * proves with the genesis alone that the committee made the key, so it does not matter who hands it
 * out.
 *
 * Errors are those of sluice/error.h. Any thread: nothing here keeps state. All buffers are the
 * caller's, and nothing of theirs is kept. */
#ifndef SLUICE_SEAL_H
#define SLUICE_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/chain.h"
#include "sluice/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A payload has at most so many bytes: the largest size that a sealed transaction is padded to. */
#define SLU_SEAL_PAYLOAD_BYTES_MAX 98291u
/** A whole envelope, at most. */
#define SLU_SEAL_ENVELOPE_BYTES_MAX 98528u

/** When an entry is opened that is in the stream already. */
enum slu_unlock {
    SLU_UNLOCK_NONE = 0,   /* where it is ordered */
    SLU_UNLOCK_HEIGHT = 1, /* not below this height */
    SLU_UNLOCK_TIME = 2,   /* not before this stream time in ms */
};

/** A committee's key. Plain: copy it, store it. */
struct slu_seal_key {
    uint8_t chain_id[32];
    uint8_t key_id[32];
    uint8_t y[32]; /* an element of ristretto255 */
};

/** Checks the certificate of a key (docs/PROTOCOL.md clause 7.12, as nodes hand it out) and reads
 * the key out of it. An older key than the newest passes: for new envelopes take the newest that
 * nodes have. Errors, after which `key` is zero: MALFORMED, MISMATCH (of another chain or
 * committee), SIGNATURE, MEMORY. */
SLU_MUST_USE int slu_seal_key_certified(struct slu_seal_key *key, const struct slu_chain *chain,
                                        const uint8_t *certificate, size_t len);

/** How long the envelope of a payload will be; 0: the payload is too long. */
size_t slu_seal_envelope_bytes(size_t payload_len);

/** Seals `payload` for `rollup`, or for rollup 0 a bundle's body (sluice/bundle.h), into a complete
 * envelope, `*len` bytes of `cap`, and gives its id: what nodes take as any other envelope, forced
 * too. `unlock` is a height or a stream time in ms, 0 with SLU_UNLOCK_NONE; how far ahead it may be
 * is the chain's `unlock_horizon_ms`. `valid_until_ms`: stream time after which it is not ordered
 * any more, at most the chain's `dedup_window_ms` ahead. Draws fresh randomness: sealed twice is
 * two transactions, so whoever sends it again sends the same envelope again. Errors, after which
 * the envelope is zero: LIMIT (the payload is too long; `cap` is too small), MALFORMED (a rollup
 * above 2^53-1, or 0 and no bundle; an unknown unlock, a key that is none). */
SLU_MUST_USE int slu_seal_envelope(uint8_t *envelope, size_t cap, size_t *len, uint8_t id32[32],
                                   const struct slu_seal_key *key, enum slu_unlock unlock_kind,
                                   uint64_t unlock, uint64_t valid_until_ms, uint64_t rollup,
                                   const uint8_t *payload, size_t payload_len);

/** What the stream shows of a sealed transaction that was opened. */
struct slu_seal_opening {
    uint8_t key_id[32];
    enum slu_unlock unlock_kind;
    uint64_t unlock;
    uint64_t valid_until_ms;
    uint8_t e[16], z[32], rho[32];
    uint64_t rollup; /* 0: the payload is a bundle's body (sluice/bundle.h) */
    const uint8_t *payload;
    size_t payload_len;
};

/** Whether the transaction `id32` contained exactly this, by sealing it again: the id is the hash
 * of the whole envelope, and there is one envelope only that this can have come from. That the
 * entry was ordered, where, and that it was due, is the stream's to show. Errors: MISMATCH (it did
 * not, or the key is another one), MEMORY. */
SLU_MUST_USE int slu_seal_opening_check(const struct slu_seal_key *key,
                                        const struct slu_seal_opening *opening,
                                        const uint8_t id32[32]);

#ifdef __cplusplus
}
#endif

#endif
