/* Releases: what a reader may take for final, signed by a quorum (docs/PROTOCOL.md clauses 8.4
 * to 8.7).
 *
 *     release 1 ◀─ previous ─ release 2 ◀─ ... ◀─ release h ◀─ q signatures
 *
 * A release of every height says what was ordered and opened there, and the state that follows from
 * it. Each names the one before, so that one certificate covers all below it: a *run* is what lies
 * between two certificates, at most SLU_RELEASE_RUN_MAX heights of it. */
#ifndef SLU_WIRE_RELEASE_H
#define SLU_WIRE_RELEASE_H

#include "base/bytes.h"
#include "crypto/keyguard.h"
#include "wire/genesis.h"

struct slu_release {
    uint64_t height, time_ms;
    uint8_t block[32];
    uint8_t previous[32]; /* digest of the release below; zero at height 1 */
    uint8_t ordered[32];  /* root of the space of what is ordered here (wire/space.h) ... */
    uint8_t opened[32];   /* ... and of what is opened here */
    uint8_t state[32];    /* slu_state_digest */
    uint8_t digest[32];   /* derived: what is signed */
};

#define SLU_RELEASE_BYTES 176u

/* What a node's state is made of, part by part, once a height is delivered: a function of the chain
 * (docs/PROTOCOL.md clause 8.4). */
enum slu_state_part {
    SLU_STATE_CUT = 0,
    SLU_STATE_QUEUE = 1,
    SLU_STATE_CALENDAR = 2,
    SLU_STATE_IDS = 3,
    SLU_STATE_KEYS = 4,
    SLU_STATE_SLASHED = 5,
    SLU_STATE_PARTS = 6
};

void slu_state_digest(uint8_t digest32[32], const uint8_t chain_id32[32],
                      const uint8_t (*parts)[32]);

void slu_release_digest(struct slu_release *release, const uint8_t chain_id32[32]);
void slu_release_write(struct slu_writer *w, const struct slu_release *release);
/** Reads one and derives its digest. Errors: MALFORMED. */
SLU_MUST_USE int slu_release_read(struct slu_reader *r, const uint8_t chain_id32[32],
                                  struct slu_release *release);

/** RELEASE: a node's signature of a release. */
struct slu_signed_release {
    uint16_t node;
    struct slu_release release;
    uint8_t signature[64];
};

#define SLU_SIGNED_RELEASE_BYTES (2u + SLU_RELEASE_BYTES + 64u)

void slu_signed_release_write(struct slu_writer *w, const struct slu_signed_release *message);
SLU_MUST_USE int slu_signed_release_read(struct slu_reader *r, const struct slu_genesis *g,
                                         struct slu_signed_release *message);

struct slu_release_signature {
    uint16_t node;
    uint8_t signature[64];
};

/** Exactly q signatures of one release, nodes strictly rising. */
struct slu_release_cert {
    struct slu_release release;
    uint16_t count;
    struct slu_release_signature signers[SLU_NODES_MAX];
};

#define SLU_RELEASE_CERT_BYTES_MAX (SLU_RELEASE_BYTES + 2u + SLU_NODES_MAX * 66u)

/** What one takes on this chain. */
size_t slu_release_cert_bytes(const struct slu_genesis *g);
void slu_release_cert_write(struct slu_writer *w, const struct slu_release_cert *cert);
SLU_MUST_USE int slu_release_cert_read(struct slu_reader *r, const struct slu_genesis *g,
                                       struct slu_release_cert *cert);
/** Checks its q signatures. Errors: SIGNATURE. */
SLU_MUST_USE int slu_release_cert_verify(const struct slu_release_cert *cert,
                                         const struct slu_verifier *verifier);

#endif
