/* Sealed traffic: clients that seal, well or not, and the book of what each sealed envelope
 * contains, by id: whoever made it knows, so that openings are worked out without any share
 * (docs/PROTOCOL.md clauses 7.5 to 7.11). sealed.c: clients and the book; sealed_make.c: one
 * envelope; oracle_sealed.c: what every height must open. */
#ifndef SLU_SIM_SEALED_H
#define SLU_SIM_SEALED_H

#include "crypto/sealed.h"
#include "tests/sim/sim.h"

#define SEALED_KEYS_MAX 8u

/* What an envelope is like. Of those above SEALED_BUNDLE the proof does not hold, or the key is
 * none. */
enum sealed_kind {
    SEALED_GOOD,
    SEALED_TAG,    /* a valid proof over bytes that do not open */
    SEALED_SEED,   /* opens, but rho and M do not seal to it */
    SEALED_FORM,   /* opens to what is no message */
    SEALED_ROLLUP, /* a message for a rollup that the genesis does not have */
    SEALED_BUNDLE, /* of rollup 0: a bundle, or what is none (bundle.h) */
    SEALED_UNPROVEN,
    SEALED_NO_KEY,
    SEALED_KINDS
};

struct sealed_key {
    struct slu_seal_key key;
    uint64_t from_height;
};

/* An envelope that somebody made. */
struct sealed_item {
    uint8_t id[32];
    enum sealed_kind kind;
    uint64_t rollup;
    uint32_t payload_len, bytes;
    uint8_t rho[32];
    uint8_t *payload;
    uint8_t *envelope;
};

struct sealed {
    struct sim_rng rng;
    struct sealed_item *items;
    uint32_t count, cap;
    struct sim_table item_at;                /* by id */
    struct sealed_key keys[SEALED_KEYS_MAX]; /* as they came into force */
    uint32_t key_count;
    uint64_t made, token;
};

/** What is to be sealed. */
struct sealed_wish {
    enum sealed_kind kind;
    uint32_t key; /* its number in the book */
    uint8_t unlock_kind;
    uint64_t unlock, valid_until_ms;
    uint32_t payload_len;
};

struct sealed *sealed_new(const struct sim *sim);
void sealed_free(struct sealed *sealed);
/** A key came into force, as an honest node says; the keys come in order. */
void sealed_key(struct sim *sim, const struct slu_keygen_status *status);
/** Seals what is wished, notes it in the book; valid until the next one. */
const struct sealed_item *sealed_make(struct sim *sim, const struct sealed_wish *wish);
/** What somebody without a rule would seal, or a plain client (`well`): drawn. NULL: no key yet, or
 * no room for any. */
const struct sealed_item *sealed_draw(struct sim *sim, struct sim_rng *rng, uint64_t height,
                                      uint64_t stream_ms, bool well);
/** A client at this node. */
void sealed_load(struct sim *sim, struct sim_node *node);
/** Hands a node an envelope for its lane, or forces it. */
void sealed_give(struct sim *sim, struct sim_node *node, const struct sealed_item *item,
                 bool force);
/** What an id contains; NULL: nobody made it. */
const struct sealed_item *sealed_find(const struct sim *sim, const uint8_t id32[32]);
/** The number of a key that is in force at `height`, SIM_NONE: of none. */
uint32_t sealed_key_number(const struct sim *sim, const uint8_t key_id32[32], uint64_t height);

#endif
