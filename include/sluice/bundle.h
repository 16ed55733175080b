/* Bundles: transactions for several rollups at one position of the stream, or at none
 * (docs/PROTOCOL.md clause 5.4).
 *
 *     legs ──▶ slu_bundle_body ──▶ body ──▶ slu_seal_envelope, for rollup 0 (sluice/seal.h)
 *     an entry of kind bundle, or one opened for rollup 0 ──▶ slu_bundle_read ──▶ legs
 *
 *     body: count u8 | count x ( rollup u64 | length u32 | payload ), little-endian
 *
 * A rollup that is in one of the legs sees the whole body, under one height, index and id, so it
 * knows that its siblings are there. Several legs may be of one rollup; legs keep their order.
 *
 * Stand-alone: needs sluice/error.h only; link the client library. Any thread: nothing here keeps
 * state. All buffers are the caller's; what is read points into them. */
#ifndef SLUICE_BUNDLE_H
#define SLUICE_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/error.h"

#define SLU_BUNDLE_LEGS_MIN 2u
#define SLU_BUNDLE_LEGS_MAX 16u

struct slu_bundle_leg {
    uint64_t rollup; /* 1..2^53-1 */
    const uint8_t *payload;
    size_t payload_len; /* at least 1 */
};

struct slu_bundle {
    size_t count; /* SLU_BUNDLE_LEGS_MIN..SLU_BUNDLE_LEGS_MAX */
    struct slu_bundle_leg legs[SLU_BUNDLE_LEGS_MAX];
};

/** Writes the body, `*len` bytes of `cap`. How long one may be is the chain's `tx_bytes_max`, and
 * sealed SLU_SEAL_PAYLOAD_BYTES_MAX. Errors: LIMIT (`cap` is too small), MALFORMED (too few legs or
 * too many, a rollup outside 1..2^53-1, an empty payload). */
SLU_MUST_USE int slu_bundle_body(uint8_t *body, size_t cap, size_t *len,
                                 const struct slu_bundle *bundle);

/** Reads a body, in place. Whether the rollups exist is the chain's to say. Errors, after which
 * `bundle` has no legs: MALFORMED (too few legs or too many, an empty payload, bytes that are
 * missing or left over). */
SLU_MUST_USE int slu_bundle_read(struct slu_bundle *bundle, const uint8_t *body, size_t len);

/** Whether a leg is for `rollup`. */
bool slu_bundle_has(const struct slu_bundle *bundle, uint64_t rollup);
/** The rollups of the legs, each once, rising; returns how many. */
size_t slu_bundle_rollups(const struct slu_bundle *bundle, uint64_t rollups[SLU_BUNDLE_LEGS_MAX]);

#endif
