/* Votes and certificates (docs/PROTOCOL.md clause 3.1). A vote signs (kind, view, block); all
 * voters of one certificate sign the same digest. A certificate is q votes of one kind and view. */
#ifndef SLU_WIRE_VOTE_H
#define SLU_WIRE_VOTE_H

#include "base/bytes.h"
#include "crypto/keyguard.h"
#include "wire/genesis.h"

enum slu_vote_kind {
    SLU_NOTARIZE = 0,
    SLU_NULLIFY = 1, /* block is zero */
    SLU_FINALIZE = 2,
    SLU_VOTE_KINDS = 3
};

struct slu_vote {
    uint32_t epoch;
    uint8_t kind;
    uint64_t view; /* >= 1 */
    uint16_t node;
    uint8_t block[32];
    uint8_t signature[64];
    uint8_t digest[32]; /* derived: what is signed */
};

struct slu_vote_signature {
    uint16_t node;
    uint8_t signature[64];
};

struct slu_cert {
    uint32_t epoch;
    uint8_t kind;
    uint64_t view;
    uint8_t block[32];
    uint16_t count; /* exactly q, nodes strictly rising */
    struct slu_vote_signature votes[SLU_NODES_MAX];
    uint8_t digest[32]; /* derived: what each vote signs */
};

#define SLU_VOTE_BYTES     (4u + 1u + 8u + 2u + 32u + 64u)
#define SLU_CERT_BYTES_MAX (4u + 1u + 8u + 32u + 2u + SLU_NODES_MAX * 66u)

/** What a vote of this kind, view and block signs. */
void slu_vote_digest(uint8_t digest32[32], const struct slu_genesis *g, enum slu_vote_kind kind,
                     uint64_t view, const uint8_t block32[32]);
enum slu_role slu_vote_role(enum slu_vote_kind kind);
void slu_vote_write(struct slu_writer *w, const struct slu_vote *vote);
SLU_MUST_USE int slu_vote_read(struct slu_reader *r, const struct slu_genesis *g,
                               struct slu_vote *vote);
void slu_cert_write(struct slu_writer *w, const struct slu_cert *cert);
SLU_MUST_USE int slu_cert_read(struct slu_reader *r, const struct slu_genesis *g,
                               struct slu_cert *cert);

#endif
