/* The messages between nodes: one kind byte (carried by the envelope of proto/) and a canonical
 * body. Decoding bounds everything; slu_message_verify checks every signature, so that the core
 * sees only what its signer really said. */
#ifndef SLU_WIRE_MESSAGE_H
#define SLU_WIRE_MESSAGE_H

#include "crypto/keyguard.h"
#include "wire/ack.h"
#include "wire/batch.h"
#include "wire/block.h"
#include "wire/fetch.h"
#include "wire/inbox.h"
#include "wire/release.h"
#include "wire/report.h"
#include "wire/shares.h"
#include "wire/vote.h"

enum slu_message_kind {
    SLU_MSG_BATCH = 1,   /* signed header; the payload travels beside the body */
    SLU_MSG_ACKS = 2,
    SLU_MSG_REPORT = 3,
    SLU_MSG_PROPOSAL = 4,
    SLU_MSG_VOTE = 5,
    SLU_MSG_CERT = 6,
    SLU_MSG_HEADERS = 7, /* u16 count, signed headers of one lane, positions rising by one */
    SLU_MSG_BLOCKS = 8,  /* u16 count, blocks, heights rising by one; u8 has_cert, F of the last */
    SLU_MSG_FETCH = 9,
    SLU_MSG_REJOIN = 10,
    SLU_MSG_FREEZE = 11,
    SLU_MSG_RELAY = 12,  /* an inbox item; its content travels beside the body */
    SLU_MSG_HOLDS = 13,
    SLU_MSG_SHARES = 14, /* decryption shares of what is due at a final height */
    SLU_MSG_RELEASE = 15,      /* a node's signature of a release */
    SLU_MSG_RELEASE_CERT = 16, /* a quorum's */
    SLU_MSG_KINDS = 17
};

struct slu_batch {
    struct slu_batch_header header;
    const uint8_t *payload; /* header.payload_bytes of them; the buffer's lifetime */
};

struct slu_headers {
    uint16_t count;
    struct slu_batch_header items[SLU_HEADERS_PER_MESSAGE_MAX];
};

struct slu_blocks {
    uint16_t count;
    bool has_cert;
    struct slu_cert cert;
    struct slu_block items[SLU_BLOCKS_PER_MESSAGE_MAX]; /* their lists lie in `lists` once read */
    uint8_t lists[SLU_BLOCK_LISTS_BYTES];
};

struct slu_message {
    enum slu_message_kind kind;
    union {
        struct slu_batch batch;
        struct slu_ack_vector acks;
        struct slu_report report;
        struct slu_proposal proposal;
        struct slu_vote vote;
        struct slu_cert cert;
        struct slu_headers headers;
        struct slu_blocks blocks;
        struct slu_fetch fetch;
        struct slu_rejoin rejoin;
        struct slu_freeze freeze;
        struct slu_relay relay;
        struct slu_holds holds;
        struct slu_signed_shares shares;
        struct slu_signed_release release;
        struct slu_release_cert release_cert;
    };
};

/** Longest body of any kind (without a payload). */
#define SLU_MESSAGE_BYTES_MAX                                                                      \
    (2u + SLU_BLOCKS_PER_MESSAGE_MAX * SLU_BLOCK_BYTES_MAX + SLU_BLOCK_LISTS_BYTES + 1u +          \
     SLU_CERT_BYTES_MAX)

/** Bytes that a decoded message of `kind` takes: most kinds are far smaller than the union, so a
 * message is kept in an allocation of just this size. */
size_t slu_message_size(enum slu_message_kind kind);

/** A kind's word in logs and metrics. Static storage. */
const char *slu_message_name(enum slu_message_kind kind);

/** Appends the canonical body of `message` (without a payload). */
void slu_message_write(struct slu_writer *w, const struct slu_message *message);

/** Decodes one message; `payload` belongs to BATCH (its payload) and RELAY (the item) and must be empty
 * for every other kind. It is checked against what the body says. Nothing points into `body`; a
 * batch's payload and an item's content point into `payload`, blocks' lists into `message` itself (so
 * that a BLOCKS message cannot be copied as a struct). Errors: MALFORMED, MISMATCH, LIMIT. */
SLU_MUST_USE int slu_message_read(struct slu_message *message, const struct slu_genesis *genesis,
                                  uint8_t kind, const uint8_t *body, size_t body_len,
                                  const uint8_t *payload, size_t payload_len);

/** Checks every signature in a decoded message. Errors: SIGNATURE. */
SLU_MUST_USE int slu_message_verify(const struct slu_message *message,
                                    const struct slu_genesis *genesis,
                                    const struct slu_verifier *verifier);

/** Checks a certificate's q signatures. Errors: SIGNATURE. */
SLU_MUST_USE int slu_cert_verify(const struct slu_cert *cert, const struct slu_verifier *verifier);

#endif
