/* Envelopes: a transaction as it travels and as it is hashed (docs/PROTOCOL.md clause 5).
 *
 *     rollup u64 | valid_until_ms u64 | kind u8 | body_len u32 | body
 *
 * The id is the hash of the whole envelope: one id, one byte string. A batch payload is a plain
 * concatenation of envelopes.
 *
 * An envelope of rollup 0 is for no rollup by its head: what it is for stands inside. */
#ifndef SLU_WIRE_TX_H
#define SLU_WIRE_TX_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/genesis.h"

#define SLU_TX_HEAD_BYTES 21u

enum slu_tx_kind {
    SLU_TX_PLAIN = 0,
    SLU_TX_BUNDLE = 1, /* of rollup 0: the legs name theirs (wire/bundle.h) */
    SLU_TX_SEALED = 2, /* of rollup 0: rollup and payload are inside (crypto/seal.h) */
    SLU_TX_KEYGEN = 3, /* of rollup 0, out of the inbox only (wire/keygen.h) */
};

struct slu_tx {
    uint64_t rollup;
    uint64_t valid_until_ms; /* stream time */
    uint8_t kind;            /* as found: any value, judged by slu_tx_check */
    uint32_t body_len;
    const uint8_t *body;  /* in place */
    const uint8_t *bytes; /* the whole envelope, in place */
    uint32_t bytes_len;
};

/** Why an entry was refused at admission or dropped at ordering. Numbers are part of the delivered
 * record: never renumbered. */
enum slu_drop {
    SLU_DROP_NONE = 0,
    SLU_DROP_DUPLICATE = 1,      /* its id was delivered within the window */
    SLU_DROP_EXPIRED = 2,        /* valid_until was past when it was ordered */
    SLU_DROP_TOO_FAR = 3,        /* valid_until more than the dedup window ahead */
    SLU_DROP_KIND = 4,           /* a body kind that this version does not know */
    SLU_DROP_ROLLUP = 5,         /* a rollup, or a leg's, that the genesis does not know */
    SLU_DROP_SIZE = 6,           /* over tx_bytes_max, or empty */
    SLU_DROP_MALFORMED = 7,      /* the batch does not parse from here on */
    SLU_DROP_WINDOW_FULL = 8,    /* dedup_entries_max ids are remembered already */
    SLU_DROP_SEALING = 9,        /* a sealed body that is malformed, or whose proof does not hold */
    SLU_DROP_SEAL_KEY = 10,      /* sealed to a key that does not count (any more) */
    SLU_DROP_UNLOCK = 11,        /* its unlock is beyond the horizon */
    SLU_DROP_CALENDAR_FULL = 12, /* the owner's part of the calendar is taken */
    SLU_DROP_SEALED_ONLY = 13,   /* not sealed, for a rollup that takes sealed ones only */
    SLU_DROP_LANE_SEALING = 14,  /* unchecked: its owner had an invalid sealing in this block */
    SLU_DROP_BUNDLE = 15,        /* a bundle's body that is malformed */
    SLU_DROP_COUNT
};

/** A reason's word in JSON and metrics: "duplicate", "expired", ... Static storage. */
const char *slu_drop_name(enum slu_drop drop);

/** Reads one envelope at the cursor. False when the bytes do not hold a whole one. */
bool slu_tx_read(struct slu_reader *reader, struct slu_tx *tx);
/** Appends an envelope. The writer fails when it does not fit. */
void slu_tx_write(struct slu_writer *writer, uint64_t rollup, uint64_t valid_until_ms, uint8_t kind,
                  const uint8_t *body, uint32_t body_len);
/** The valid_until of an envelope that is made now: `stream_ms` + `valid_for_ms` (0: the window
 * less 2 s) rounded up to a whole second, or down to the last one within the dedup window. */
uint64_t slu_valid_until(const struct slu_params *params, uint64_t stream_ms,
                         uint32_t valid_for_ms);
void slu_tx_id(uint8_t id32[32], const struct slu_genesis *genesis, const struct slu_tx *tx);
/** Of many, in less time. */
void slu_tx_ids(uint8_t (*ids32)[32], const struct slu_genesis *genesis, const struct slu_tx *txs,
                size_t count);
/** The same of a whole envelope, for who knows of the chain its id only. */
void slu_tx_id_of(uint8_t id32[32], const uint8_t chain_id32[32], const uint8_t *envelope,
                  size_t len);
/** The rules of clauses 5 and 7.5 that need no state: size, kind, the form of a sealed body or a
 * bundle, rollups, and valid_until and an unlock time against the stream time `now_ms` (past, or
 * too far ahead). Of a sealed one whether its key counts, its proof holds and its unlock height is
 * near is not among them. */
enum slu_drop slu_tx_check(const struct slu_genesis *genesis, const struct slu_tx *tx,
                           uint64_t now_ms);

#endif
