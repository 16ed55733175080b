/* What the core needs of a disk: an ordered map of records, read at boot and when a peer asks for
 * history. The daemon implements it over RocksDB (node/store), the simulator over its fake disk.
 * Record contents are canonical bytes; docs/STORAGE.md lists them. */
#ifndef SLU_CONSENSUS_STORE_H
#define SLU_CONSENSUS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

enum slu_record_kind {
    SLU_REC_STATE = 1,     /* a: slu_state_slot, b: lane or 0 */
    SLU_REC_FINAL = 2,     /* a: height; block, u8 has_cert, F cert */
    SLU_REC_BATCH = 3,     /* a: lane, b: position, digest; signed header, then payload */
    SLU_REC_ACK = 4,       /* a: lane, b: position; the digest that I acked there */
    SLU_REC_VOTE = 5,      /* a: view, b: vote kind; the vote and what justifies it */
    SLU_REC_DELIVERED = 6, /* a: height; the delivered record (consensus/order.h) */
    SLU_REC_IDS = 7,       /* a: height; u32 count, then count of (id32, u32 outcome) */
    SLU_REC_INBOX = 8,     /* a: valid_until, b: 0, digest: the item's id; RELAY body, then content */
    SLU_REC_CALENDAR = 9,  /* a, b: ordered at height and index; u16 owner lane, the envelope */
    SLU_REC_DUE = 10,      /* a, b: to be opened at height and index; where ordered, the envelope */
    SLU_REC_SHARES = 11,   /* a: height, b: first; my own SHARES message */
    SLU_REC_OPENED = 12,   /* a: height; what was due at it (consensus/opened.h) */
    SLU_REC_SPACE = 13,    /* a: height; what a release will say of a delivered height (release_record.h) */
    SLU_REC_RELEASE = 14,  /* a: height; the release, and the space of what was opened */
    SLU_REC_RELEASE_CERT = 15, /* a: height; its certificate, where there is one of just this height */
    SLU_REC_REPORTS = 16,  /* a: height; the q reports that its block was computed from, where known */
    SLU_REC_KINDS = 17
};

/** Whether keys of this kind have their digest. */
static inline bool slu_record_has_digest(enum slu_record_kind kind)
{
    return kind == SLU_REC_BATCH || kind == SLU_REC_INBOX;
}

enum slu_state_slot {
    SLU_STATE_HEAD = 0,     /* the last final block and its F */
    SLU_STATE_REJOIN = 1,   /* of a node that lost its disk: u64 vote floor, u32 incarnation,
                                * u8 own lane open */
    SLU_STATE_FREEZE = 2,   /* b: lane; u32 incarnation below which I ack nothing, nonce32 */
    SLU_STATE_STARTED = 3,  /* written by the first start: this disk has the node's whole history */
    SLU_STATE_KEYGEN = 4,   /* the key generation, as of a delivered height */
    SLU_STATE_KEY = 5,      /* b: number; a committee key, with its certificate and dealings */
};

/** Records sort by (kind, a, b, digest). `digest` is zero for every kind but BATCH and INBOX. */
struct slu_record_key {
    enum slu_record_kind kind;
    uint64_t a;
    uint64_t b;
    uint8_t digest[32];
};

struct slu_store {
    void *context;
    /** Reads one record into memory of the store, valid until its next call. Errors: NOT_FOUND, IO,
     * CORRUPT. */
    int (*get)(void *context, const struct slu_record_key *key, const uint8_t **value,
               size_t *value_len);
    /** Calls `visit` for each record with from <= key < to, in order, until it returns non-zero,
     * which is then returned. key and value are valid during the call. Errors: IO, CORRUPT. */
    int (*scan)(void *context, const struct slu_record_key *from, const struct slu_record_key *to,
                int (*visit)(void *visitor, const struct slu_record_key *key,
                             const uint8_t *value, size_t value_len),
                void *visitor);
    /** The greatest record of `kind`, as get. */
    int (*last)(void *context, enum slu_record_kind kind, struct slu_record_key *key,
                const uint8_t **value, size_t *value_len);
};

#endif
