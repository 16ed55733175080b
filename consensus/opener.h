/* Delivered heights whose sealed entries are being opened (docs/PROTOCOL.md clauses 7.8 to 7.10).
 * Private to consensus/.
 *
 *     order ─▶ begin, add .. add, close ─▶ [height][height]..   in flight, lowest first
 *                                              │ opening.c: own shares out, others' combined
 *                                              ▼
 *                                          OPENED record, and readers may see the height
 *
 * Envelopes lie in a ring until their height is open; what opened lies over its ciphertext. */
#ifndef SLU_CONSENSUS_OPENER_H
#define SLU_CONSENSUS_OPENER_H

#include "consensus/idset.h"
#include "consensus/sealing.h"
#include "consensus/share_pool.h"
#include "crypto/lagrange.h"

#define SLU_OPEN_TOGETHER 16u /* ciphertexts that are combined and opened at once */

enum slu_due_state {
    SLU_DUE_CLOSED = 0,
    SLU_DUE_DONE = 1, /* opened, or void for good: `outcome` */
};

/** A sealed entry that is due. */
struct slu_due {
    struct slu_sealed_entry e;
    uint32_t index; /* at the height that opens it */
    int key;        /* its number; -1: not valid */
    uint8_t state, outcome; /* slu_due_state, slu_void */
    uint64_t rollup;        /* of what opened */
    uint32_t payload_len;   /* the same; rho and payload stand where the ciphertext was */
    uint8_t *envelope;      /* e.bytes, in the ring */
    struct slu_sealed sealed; /* into it */
    struct slu_sealed_checked checked;
    uint8_t own_d[32]; /* my share */
};

/** Up to SLU_SHARES_MAX dues of one height and key. */
struct slu_due_chunk {
    int key;
    uint32_t first, count; /* among those of the height and key */
    uint64_t members;      /* number of its first place in the ring of members */
    uint8_t ids_hash[32], list[32];
    bool own;              /* my shares are computed, sent and kept */
    bool done;
    uint64_t have;         /* nodes whose shares of it are in the pool, as far as is known */
    uint64_t quorum;       /* whose shares the pass under way combines ... */
    uint32_t next;         /* ... from which member on ... */
    uint64_t gone;         /* ... while nothing was given up in the pool */
    bool failed;           /* something did not open in this pass */
    uint64_t good, bad;    /* nodes whose proof was checked */
};

/** A height in flight. */
struct slu_due_height {
    uint64_t height;
    uint8_t block[32];
    uint64_t first; /* number of its first due */
    uint32_t count;
    uint64_t first_chunk; /* number */
    uint32_t chunk_count, chunks_done, chunks_own;
    uint64_t ask_ms; /* when missing shares are asked for (next) */
};

struct slu_opener {
    struct slu_due *dues;          /* ring of due_cap, by number */
    struct slu_due_chunk *chunks;  /* the same */
    uint64_t *members;             /* the same: numbers of dues, by chunk */
    struct slu_due_height heights[SLU_OPENING_HEIGHTS]; /* ring, by number */
    uint64_t due_cap;
    uint64_t due_first, due_top, chunk_first, chunk_top, member_top, height_first, height_top;
    uint8_t *bytes; /* ring of envelopes, none across its end */
    size_t bytes_cap, bytes_head, bytes_tail, bytes_used;
    struct slu_idset ids;        /* of what is in flight; a: height, b: index */
    uint64_t stale;              /* at boot: the first so many are open already */
    struct slu_due_height now;   /* the height that is being delivered */
    uint64_t now_ms;
    uint64_t told;               /* readers were told up to here */
    uint64_t liars;              /* nodes with a share that was proven wrong: left out */
    bool wanted;                 /* there is more to do than a turn had room for */
    struct slu_share_pool pool;
    struct slu_share_work *work;
    struct slu_coefficients coefficients; /* of ... */
    uint64_t coefficients_of;             /* ... this quorum ... */
    uint16_t coefficients_k;              /* ... and k; 0: none */
    struct slu_point *points;             /* SLU_SHARES_MAX, scratch */
    struct slu_point *others;             /* the same */
    struct slu_point *decoded;            /* SLU_OPEN_TOGETHER of each node */
    uint8_t *plain;                       /* scratch for SLU_OPEN_TOGETHER openings */
};

size_t slu_opener_bytes(const struct slu_genesis *g);
void slu_opener_init(struct slu_core *c, struct slu_arena *arena);
/** Whether another height may be delivered ahead of what is open. */
bool slu_opener_has_room(const struct slu_core *c, uint64_t height);
void slu_opener_begin(struct slu_core *c, const struct slu_block *block);
/** Height and stream time of the one that is being delivered. */
uint64_t slu_opener_height(const struct slu_core *c);
uint64_t slu_opener_time_ms(const struct slu_core *c);
/** An entry that is due at this height, at `index`, rising; `found` is NULL for one that is not valid.
 * `tx` lies in memory that outlives the turn, for its DUE record. */
void slu_opener_add(struct slu_core *c, const struct slu_sealed_entry *entry, uint32_t index,
                    const struct slu_tx *tx, const struct slu_sealing_found *found);
/** All of the height is delivered. */
void slu_opener_close(struct slu_core *c);
/** Dues of the height that is being delivered, 0 .. count-1. */
uint32_t slu_opener_count(const struct slu_core *c);
const struct slu_due *slu_opener_due(const struct slu_core *c, uint32_t at);
/** All up to here is open. */
uint64_t slu_opener_height_open(const struct slu_core *c);

/* between opener.c and opening.c */
struct slu_due *slu_due_at(const struct slu_core *c, uint64_t number);
struct slu_due_chunk *slu_chunk_at(const struct slu_core *c, uint64_t number);
struct slu_due_height *slu_height_at(const struct slu_core *c, uint64_t number);
/** The m-th of a chunk. */
struct slu_due *slu_member_at(const struct slu_core *c, const struct slu_due_chunk *chunk,
                              uint32_t m);
/** The lowest height in flight is all open: writes its record and lets go of it. */
void slu_opener_opened(struct slu_core *c);
/** Tells readers up to where all is open. */
void slu_opener_tell(struct slu_core *c);

/** opening.c: computes, combines, opens, asks, as much as this turn has room for. */
void slu_opening_run(struct slu_core *c);
void slu_opening_on_shares(struct slu_core *c, const struct slu_signed_shares *shares);
/** A height is in flight from now on: shares of it that came before count. */
void slu_opening_look(struct slu_core *c, const struct slu_due_height *height);
uint64_t slu_opening_deadline(const struct slu_core *c);

/** At boot, once delivered height and keys are known, before slu_sealing_boot: what is in flight.
 * Errors: CORRUPT, IO. */
SLU_MUST_USE int slu_opener_boot(struct slu_core *c, const struct slu_store *store);
/** After it. */
void slu_opener_booted(struct slu_core *c);

#endif
