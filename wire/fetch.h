/* Requests for what is missing, and the rejoin exchange (docs/PROTOCOL.md clauses 2.7, 3.12, 3.13).
 * A fetch is unsigned (links are authenticated); what answers it is verified by itself. */
#ifndef SLU_WIRE_FETCH_H
#define SLU_WIRE_FETCH_H

#include "wire/batch.h"

enum slu_fetch_what {
    SLU_FETCH_BATCHES = 0,  /* lane: positions from..to, `digest` at `to`   -> BATCH each */
    SLU_FETCH_HEADERS = 1,  /* the same, headers only                       -> HEADERS */
    SLU_FETCH_LANE_CERT = 2,/* lane: proof that (to, digest) is certified   -> ACKS each */
    SLU_FETCH_REPORT = 3,   /* view `from`, report `digest`                 -> REPORT */
    SLU_FETCH_PROPOSAL = 4, /* view `from`                                  -> REPORT each, PROPOSAL */
    SLU_FETCH_VIEWS = 5,    /* certificates of views from..to               -> CERT each */
    SLU_FETCH_BLOCK = 6,    /* the block `digest`                           -> BLOCKS (one, no cert) */
    SLU_FETCH_FINALS = 7,   /* final blocks from height `from` on           -> BLOCKS with F cert;
                             * with `to`: the last of from..to, where the asker knows the digest
                             * of `to`                                      -> BLOCKS, no cert */
    SLU_FETCH_ITEM = 8,     /* inbox item `digest` (its id), `from` its valid_until -> RELAY */
    SLU_FETCH_HOLDS = 9,    /* who holds the tuple with digest `digest`, whose id begins with `from`
                             * and `to`                                     -> HOLDS */
    SLU_FETCH_SHARES = 10,  /* your shares of heights from..to              -> SHARES each */
    SLU_FETCH_RELEASES = 11, /* your lowest certificates of height `from` and above -> RELEASE_CERT each */
    SLU_FETCH_KINDS = 12
};

struct slu_fetch {
    uint8_t what;
    uint16_t lane; /* 0 where it has no meaning */
    uint64_t from;
    uint64_t to;
    uint8_t digest[32];
};

#define SLU_FETCH_BYTES (1u + 2u + 8u + 8u + 32u)

void slu_fetch_write(struct slu_writer *w, const struct slu_fetch *fetch);
SLU_MUST_USE int slu_fetch_read(struct slu_reader *r, const struct slu_genesis *g,
                                struct slu_fetch *fetch);

/** "I lost my disk": asks every peer for a freeze of my lane, below `incarnation` at least. */
struct slu_rejoin {
    uint16_t node;
    uint8_t nonce[32];
    uint32_t incarnation; /* 0: not known yet */
};

/** "I ack nothing more of this lane below `incarnation`; the highest I acked is `tip`." Signed.
 * The peer's entry certificate goes before it on the same link. */
struct slu_freeze {
    uint32_t epoch;
    uint16_t node;
    uint16_t lane;
    uint32_t incarnation;
    uint8_t nonce[32];
    struct slu_tip tip; /* position 0: never acked any */
    uint8_t signature[64];
    uint8_t digest[32]; /* derived: what is signed */
};

#define SLU_REJOIN_BYTES (2u + 32u + 4u)
#define SLU_FREEZE_BYTES (4u + 2u + 2u + 4u + 32u + 40u + 64u)

void slu_rejoin_write(struct slu_writer *w, const struct slu_rejoin *rejoin);
SLU_MUST_USE int slu_rejoin_read(struct slu_reader *r, const struct slu_genesis *g,
                                 struct slu_rejoin *rejoin);
void slu_freeze_digest(struct slu_freeze *freeze, const struct slu_genesis *g);
void slu_freeze_write(struct slu_writer *w, const struct slu_freeze *freeze);
SLU_MUST_USE int slu_freeze_read(struct slu_reader *r, const struct slu_genesis *g,
                                 struct slu_freeze *freeze);

#endif
