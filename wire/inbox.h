/* The inbox: forced transactions and evidence on their way into the queue (docs/PROTOCOL.md clause
 * 6).
 *
 *     client -> taker: checks, stores, RELAYs to all
 *                 each holder: stores, signs HOLD of the item's tuple
 *                      f+1 HOLDs of one tuple = a certificate  -> reports -> a block queues it
 *
 * The *tuple* is all that others need to know of an item to queue it: blocks and reports carry
 * tuples, never bodies. All holders sign the same digest, so that a certificate is f+1 signatures
 * that anybody can check. A forced transaction's id is its transaction id; what pays for it is its
 * *postage*. */
#ifndef SLU_WIRE_INBOX_H
#define SLU_WIRE_INBOX_H

#include "base/bytes.h"
#include "wire/genesis.h"

enum slu_inbox_kind {
    SLU_INBOX_FORCED = 1,
    SLU_INBOX_EVIDENCE = 2,
    SLU_INBOX_KEYGEN = 3, /* a node's message of the key generation (wire/keygen.h) */
};

/** What a forced transaction is, in its tuple's `offence`. */
enum slu_forced_content {
    SLU_FORCED_PLAIN = 0,
    SLU_FORCED_SEALED = 1,
    SLU_FORCED_LOCKED = 2, /* sealed, with an unlock */
};

#define SLU_VALID_FOR_EVER UINT64_MAX /* valid_until of evidence */

struct slu_inbox_tuple {
    uint8_t id[32];
    uint8_t kind;      /* slu_inbox_kind */
    uint8_t offence;   /* slu_offence (wire/evidence.h), slu_keygen_phase or slu_forced_content */
    uint16_t offender; /* or the node whose message it is; 0 when forced */
    uint32_t bytes;    /* of the content: one envelope, or evidence */
    uint64_t valid_until_ms;
};

#define SLU_INBOX_TUPLE_BYTES 48u

void slu_inbox_tuple_write(struct slu_writer *w, const struct slu_inbox_tuple *tuple);
/** Reads and checks one (kinds, bounds, fields that must be zero). Errors: MALFORMED, MISMATCH. */
SLU_MUST_USE int slu_inbox_tuple_read(struct slu_reader *r, const struct slu_genesis *g,
                                      struct slu_inbox_tuple *tuple);
/** The index-th of a list of canonical tuples that was checked before. */
void slu_inbox_tuple_at(const uint8_t *list, uint32_t index, struct slu_inbox_tuple *tuple);
/** What a HOLD signs. */
void slu_inbox_tuple_digest(uint8_t digest32[32], const struct slu_genesis *g,
                            const struct slu_inbox_tuple *tuple);
bool slu_inbox_tuple_same(const struct slu_inbox_tuple *a, const struct slu_inbox_tuple *b);

/** Reads `u16 count`, then count tuples in place: ids strictly rising by their first 16 bytes.
 * `list` points into the reader's buffer. Errors: MALFORMED, MISMATCH, LIMIT (more than `max`). */
SLU_MUST_USE int slu_inbox_list_read(struct slu_reader *r, const struct slu_genesis *g,
                                     uint32_t max, const uint8_t **list, uint16_t *count);
/** Tuples in one report, so that the list of a block of q reports stays within
 * SLU_QUEUED_BYTES_MAX. */
uint32_t slu_inbox_per_report(const struct slu_genesis *g);
/** Tuples in one block: q reports of them. */
uint32_t slu_inbox_per_block(const struct slu_genesis *g);

/* ---- postage: work over (chain id, id, a final block's digest) ---- */

struct slu_postage {
    uint64_t height; /* of the named block */
    uint8_t block[32];
    uint64_t nonce;
};

/** The work (expected hashes) that an item of `bytes` costs when `booked_bytes` of the queue are
 * taken: postage_base for each begun KiB, times 1 + booked_bytes / forced_bytes_per_block. Never 0.
 */
uint64_t slu_postage_price(const struct slu_genesis *g, uint64_t booked_bytes, uint32_t bytes);
/** Whether `postage` holds at least `work` for the item. */
bool slu_postage_pays(const struct slu_genesis *g, const uint8_t id32[32],
                      const struct slu_postage *postage, uint64_t work);
/** Tries `tries` nonces from postage->nonce on; true when one pays: postage->nonce is it. Else
 * postage->nonce is where to go on. A client calls it in slices, to show progress and to stop. */
bool slu_postage_mine(const struct slu_genesis *g, const uint8_t id32[32],
                      struct slu_postage *postage, uint64_t work, uint64_t tries);

/* ---- the queue's fill, which every block carries (clause 6.5) ---- */

struct slu_queue_tail {
    uint64_t height; /* the last height that forced entries are booked at; 0: none ever */
    uint32_t bytes;  /* booked there */
};

/** What an item counts in forced_bytes_per_block: its envelope and its place in lists. */
uint32_t slu_queue_cost(uint32_t bytes);
/** The delivery height of an item that the block of `height` queues; moves the tail. */
uint64_t slu_queue_book(const struct slu_genesis *g, struct slu_queue_tail *tail, uint64_t height,
                        uint32_t bytes);
/** Bytes booked ahead of the block of `height`: what its price is computed from. */
uint64_t slu_queue_booked(const struct slu_genesis *g, const struct slu_queue_tail *tail,
                          uint64_t height);

/* ---- messages ---- */

/** RELAY: an item with its taker's signature. The content travels beside, as a batch's payload. */
struct slu_relay {
    uint32_t epoch;
    uint16_t taker;
    uint8_t kind;                 /* slu_inbox_kind */
    struct slu_postage postage;   /* zero unless forced */
    uint8_t signature[64];        /* the taker's, of `digest` */
    struct slu_inbox_tuple tuple; /* derived from the content */
    uint8_t digest[32];           /* derived: over epoch, taker, tuple, postage */
    const uint8_t *content;       /* tuple.bytes of them; the buffer's lifetime */
};

#define SLU_RELAY_BYTES (4u + 2u + 1u + 48u + 64u)

/** Derives tuple from kind and content. Errors: MALFORMED (not exactly one envelope or evidence),
 * LIMIT, MISMATCH. */
SLU_MUST_USE int slu_relay_derive(struct slu_relay *relay, const struct slu_genesis *g,
                                  const uint8_t *content, size_t len);
void slu_relay_digest(struct slu_relay *relay, const struct slu_genesis *g);
void slu_relay_write(struct slu_writer *w, const struct slu_relay *relay);
SLU_MUST_USE int slu_relay_read(struct slu_reader *r, const struct slu_genesis *g,
                                struct slu_relay *relay, const uint8_t *content, size_t len);

/** HOLDS: signed holds, one's own or others' (a certificate that is shown). */
struct slu_hold {
    struct slu_inbox_tuple tuple;
    uint16_t node;
    uint8_t signature[64];
    uint8_t digest[32]; /* derived: what is signed */
};

struct slu_holds {
    uint16_t count;
    struct slu_hold items[SLU_HOLDS_PER_MESSAGE_MAX];
};

#define SLU_HOLD_BYTES      (SLU_INBOX_TUPLE_BYTES + 2u + 64u)
#define SLU_HOLDS_BYTES_MAX (2u + SLU_HOLDS_PER_MESSAGE_MAX * SLU_HOLD_BYTES)

void slu_holds_write(struct slu_writer *w, const struct slu_holds *holds);
SLU_MUST_USE int slu_holds_read(struct slu_reader *r, const struct slu_genesis *g,
                                struct slu_holds *holds);

/** An admission receipt: `node` holds the item durably, at its stream time and delivered height.
 * f+1 of them for one id are a forced receipt. */
struct slu_receipt {
    uint16_t node;
    uint8_t id[32];
    uint64_t time_ms;
    uint64_t height;
    uint8_t signature[64];
};

#define SLU_RECEIPT_BYTES (2u + 32u + 8u + 8u + 64u)

/** What the receipt's signature is over. */
void slu_receipt_digest(uint8_t digest32[32], const struct slu_genesis *g,
                        const struct slu_receipt *receipt);
void slu_receipt_write(struct slu_writer *w, const struct slu_receipt *receipt);
SLU_MUST_USE int slu_receipt_read(struct slu_reader *r, const struct slu_genesis *g,
                                  struct slu_receipt *receipt);

#endif
