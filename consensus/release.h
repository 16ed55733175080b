/* Releases (docs/PROTOCOL.md clauses 8.4 to 8.7): of each height that is open here, what a reader
 * may take for final; signing them, and gathering a quorum's signatures. Private to consensus/.
 *
 *     order ─▶ entry .. entry, delivered ─▶ SPACE record, waits until the height is open
 *     opener ────▶ opened, advance ─▶ RELEASE record ─▶ my signature to all ─┐
 *     others' signatures, a certificate that was asked for ──────────────────┴▶ certified
 *
 * What a release says is a function of the chain, so a node whose own is contradicted by f+1
 * others, or by a certificate, is damaged: it says so (SLU_EFFECT_DIVERGED) and must stop. */
#ifndef SLU_CONSENSUS_RELEASE_H
#define SLU_CONSENSUS_RELEASE_H

#include "consensus/core.h"
#include "consensus/opened.h"
#include "consensus/store.h"
#include "wire/block.h"
#include "wire/release.h"
#include "wire/space.h"

#define SLU_RELEASES_KEPT 128u /* my own, the newest ... */
#define SLU_RELEASE_AHEAD 64u  /* ... and others' signatures of so many heights above */

#define SLU_RELEASE_ENTRIES 16u /* at once */

struct slu_releases {
    struct slu_space_maker ordered, opened;
    uint8_t parts[SLU_STATE_PARTS][32];              /* of the delivered height */
    struct slu_release waiting[SLU_OPENING_HEIGHTS]; /* by height: delivered, not released yet */
    struct slu_release made[SLU_RELEASES_KEPT];      /* the same of my own */
    uint64_t top;                                    /* my newest; 0: none */
    uint64_t spoke;                                  /* the newest that I signed since the start */
    uint64_t certified;                              /* the highest certificate that is held */
    struct slu_release_cert cert;                    /* the same */
    struct slu_release_cert ahead;                   /* of a height above my newest ... */
    bool has_ahead;                                  /* ... if so */
    struct slu_signed_release *votes; /* [node * SLU_RELEASE_AHEAD + height % SLU_RELEASE_AHEAD] */
    uint64_t resend_ms, ask_ms;       /* when, while my newest is not certified */
    uint64_t accepted_ms;             /* when a certificate came last, or the start */
    bool diverged;
};

size_t slu_releases_bytes(const struct slu_genesis *g);
struct slu_arena;
void slu_releases_init(struct slu_core *c, struct slu_arena *arena);

/** The next entries of the height that is being delivered, in order of their index, at most
 * SLU_RELEASE_ENTRIES; of each its index, kind as readers get it, id, rollup and payload. */
void slu_release_entries(struct slu_core *c, const struct slu_entry *entries, size_t count);
/** The same of one; `tx` is NULL for evidence. */
void slu_release_entry(struct slu_core *c, uint32_t index, uint8_t kind, const uint8_t id32[32],
                       const struct slu_tx *tx);
/** All of the block is delivered, with these records: computes the state, writes the SPACE record,
 * which comes before the one that makes the height exist. */
void slu_release_delivered(struct slu_core *c, const struct slu_block *block, const uint8_t *ids,
                           size_t ids_len, const uint8_t *drops, size_t drops_len);
/** The part of the state that is the key generation's. */
void slu_release_keys_digest(const struct slu_core *c, uint8_t digest32[32]);
/** An entry of what the next height opens, in order of its index. */
void slu_release_outcome(struct slu_core *c, const struct slu_opened *opened);
/** The next height is open, with something that was due at it: its entries are in `opened`. */
void slu_release_opened(struct slu_core *c, uint64_t height);
/** Heights up to `open` are: those that had nothing due are released. */
void slu_release_advance(struct slu_core *c, uint64_t open);

void slu_release_on_signature(struct slu_core *c, const struct slu_signed_release *message);
void slu_release_on_cert(struct slu_core *c, const struct slu_release_cert *cert);
/** Signs, resends, asks. */
void slu_release_turn(struct slu_core *c);
uint64_t slu_release_deadline(const struct slu_core *c);
void slu_release_send_own(struct slu_core *c, uint16_t to);

/** At boot, once it is known what is delivered and open. Errors: CORRUPT, IO. */
SLU_MUST_USE int slu_release_boot(struct slu_core *c, const struct slu_store *store);

/* between release.c and release_record.c */
void slu_release_persist_space(struct slu_core *c, const struct slu_release *waiting);
void slu_release_persist(struct slu_core *c, const struct slu_release *release, bool with_opened);
void slu_release_persist_cert(struct slu_core *c, const struct slu_release_cert *cert);

#endif
