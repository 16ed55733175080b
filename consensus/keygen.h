/* The state of the key generation (keygen.c, keygen_record.c). Private to consensus/. All but what
 * is marked as this node's own is a function of the delivered heights. */
#ifndef SLU_CONSENSUS_KEYGEN_H
#define SLU_CONSENSUS_KEYGEN_H

#include "consensus/core.h"
#include "crypto/dkg.h"
#include "wire/keygen.h"

/** A key that is in force from a height on. */
struct slu_committee_key {
    uint32_t attempt;
    uint16_t k;
    uint64_t dealers;
    uint64_t from_height; /* 0: there is none */
    struct slu_dkg_key public;
    bool has_share;  /* this node's own */
    uint8_t x32[32]; /* the same; secret */
};

struct slu_keygen {
    uint64_t height; /* applied up to */
    enum slu_keygen_state phase;
    uint32_t attempt;
    struct slu_dkg dkg;
    uint64_t began_ms, closed_ms;       /* stream time: of the attempt, of its dealings' end */
    uint64_t dealt, out, liars, ready;  /* sets of nodes */
    uint64_t complained[SLU_NODES_MAX]; /* by complainer: the dealers */
    uint8_t (*dealings)[SLU_DKG_DEALING_BYTES_MAX]; /* n, by dealer */
    struct slu_dkg_dealing read[SLU_NODES_MAX];     /* the same, read */
    bool has_result;
    struct slu_dkg_key result;
    bool changed; /* since it was last written */
    bool between; /* something of the height after `height` was counted */

    uint64_t looked_at, good;          /* this node's own: shares that were opened, and were good */
    uint8_t shares[SLU_NODES_MAX][32]; /* the same; secret */

    struct slu_committee_key key; /* the newest */
};

size_t slu_keygen_bytes(const struct slu_genesis *g);
struct slu_arena;
void slu_keygen_init(struct slu_core *c, struct slu_arena *arena);
/** A delivered message of the key generation, of `height`. */
void slu_keygen_deliver(struct slu_core *c, uint64_t height, const uint8_t *envelope, size_t len);
/** All of `height` is delivered: the windows, and the record, before the one that ends the height.
 */
void slu_keygen_height_done(struct slu_core *c, uint64_t height, uint64_t time_ms);
/** Whether a message of another node's counts as things stand here. */
bool slu_keygen_may_hold(const struct slu_core *c, const uint8_t *envelope, size_t len);
/** Deals, complains or says READY when it is time. After a height, and at the start. */
void slu_keygen_speak(struct slu_core *c);

void slu_keygen_status(const struct slu_core *c, struct slu_keygen_status *status);

/* between keygen.c and keygen_record.c */
void slu_keygen_begin(struct slu_core *c, uint32_t attempt, uint16_t k, uint64_t time_ms);
/** Works out x_i of the newest key, if this node's shares are good. */
void slu_keygen_own_share(struct slu_core *c);
void slu_keygen_persist(struct slu_core *c);
void slu_keygen_persist_key(struct slu_core *c);
/** At boot, once the delivered height is known. Errors: CORRUPT, IO. */
SLU_MUST_USE int slu_keygen_boot(struct slu_core *c, const struct slu_store *store);

#endif
