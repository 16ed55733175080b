/* The state of the key generation (keygen.c, keygen_record.c). Private to consensus/. All but what
 * is marked as this node's own is a function of the delivered heights. */
#ifndef SLU_CONSENSUS_KEYGEN_H
#define SLU_CONSENSUS_KEYGEN_H

#include "consensus/core.h"
#include "crypto/dkg.h"
#include "crypto/sealed.h"
#include "wire/key_cert.h"

/** A key that is in force from a height on. */
struct slu_committee_key {
    struct slu_key_cert cert;
    uint64_t from_height;
    uint64_t from_ms; /* stream time of the block that ended the key generation */
    struct slu_opening_key *opening; /* its tables */
    void *memory;                    /* of the same */
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
    struct slu_ready_signature signed_ready[SLU_NODES_MAX]; /* of those in `ready` */
    uint64_t complained[SLU_NODES_MAX]; /* by complainer: the dealers */
    uint8_t (*dealings)[SLU_DKG_DEALING_BYTES_MAX]; /* n, by dealer */
    struct slu_dkg_dealing read[SLU_NODES_MAX];     /* the same, read */
    bool has_result;
    struct slu_dkg_key result;
    bool changed; /* since it was last written */
    bool between; /* something of the height after `height` was counted */

    uint64_t looked_at, good;          /* this node's own: shares that were opened, and were good */
    uint8_t shares[SLU_NODES_MAX][32]; /* the same; secret */

    struct slu_committee_key *keys; /* in order of their heights, thresholds rising */
    uint16_t key_count, key_cap;
};

/** The newest key in force, or NULL. */
static inline struct slu_committee_key *slu_keygen_newest(const struct slu_keygen *kg)
{
    return kg->key_count ? &kg->keys[kg->key_count - 1] : NULL;
}
/** The number of the key `key_id32`; -1: there is none. */
int slu_keygen_find(const struct slu_core *c, const uint8_t key_id32[32]);
/** Whether new entries may be sealed to key `number` in a block of this height and time (clause 7.5). */
bool slu_keygen_counts(const struct slu_core *c, int number, uint64_t height, uint64_t time_ms);

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
/** Works out x_i of a key that was just made or read, if this node's shares are good. */
void slu_keygen_own_share(struct slu_core *c, struct slu_committee_key *key);
/** Sets up the tables of a key whose certificate is there, and counts it. */
void slu_keygen_add_key(struct slu_core *c);
void slu_keygen_persist(struct slu_core *c);
void slu_keygen_persist_key(struct slu_core *c);
/** At boot, once the delivered height is known. Errors: CORRUPT, IO. */
SLU_MUST_USE int slu_keygen_boot(struct slu_core *c, const struct slu_store *store);

#endif
