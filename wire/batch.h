/* Batches: the links of a lane (docs/PROTOCOL.md clause 2.1). The owner signs the header's digest;
 * the payload follows the header and is bound by its digest.
 *
 *     lane 2:   [1 | parent 0] <- [2 | parent] <- [3 | parent] ...
 *
 * `incarnation` starts at 0 and grows by one each time the owner lost its disk (clause 3.13); along
 * a chain it never falls. */
#ifndef SLU_WIRE_BATCH_H
#define SLU_WIRE_BATCH_H

#include "base/bytes.h"
#include "wire/genesis.h"

#define SLU_BATCH_HEADER_BYTES (4u + 2u + 4u + 8u + 32u + 32u + 4u + 4u + 8u)
#define SLU_SIGNED_HEADER_BYTES (SLU_BATCH_HEADER_BYTES + SLU_SIGNATURE_BYTES)

/** A place in a lane. Position 0 with a zero digest is before the first batch. */
struct slu_tip {
    uint64_t position;
    uint8_t digest[32];
};

struct slu_batch_header {
    uint32_t epoch; /* of the committee; 0 for now */
    uint16_t lane;
    uint32_t incarnation;
    uint64_t position; /* 1, 2, ... */
    uint8_t parent[32];
    uint8_t payload_digest[32];
    uint32_t payload_bytes; /* 1..batch_bytes_max */
    uint32_t txs;           /* 1..lane quota of transactions */
    uint64_t made_at_ms;    /* the owner's clock; information only */
    uint8_t signature[64];
    uint8_t digest[32]; /* derived from the fields before signature */
};

/** Writes the signed form: canonical header, then signature. */
void slu_batch_header_write(struct slu_writer *w, const struct slu_batch_header *h);
/** Reads the signed form, derives digest, checks the genesis' bounds; not the signature. */
SLU_MUST_USE int slu_batch_header_read(struct slu_reader *r, const struct slu_genesis *g,
                                       struct slu_batch_header *h);
/** Sets h->digest from the other fields. */
void slu_batch_header_digest(struct slu_batch_header *h, const struct slu_genesis *g);
void slu_payload_digest(uint8_t digest32[32], const struct slu_genesis *g, const uint8_t *payload,
                        size_t len);

#endif
