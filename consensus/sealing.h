/* Sealed entries on their way into a height's dues (docs/PROTOCOL.md clauses 7.5 to 7.7): what makes
 * one valid, and whether it is due where it is ordered or waits in the calendar. Private to consensus/.
 * A function of the delivered heights. */
#ifndef SLU_CONSENSUS_SEALING_H
#define SLU_CONSENSUS_SEALING_H

#include "consensus/calendar.h"
#include "consensus/core.h"
#include "consensus/store.h"
#include "crypto/sealed.h"
#include "wire/block.h"
#include "wire/tx.h"

#define SLU_WAITING_HEAD_BYTES 2u /* before the envelope in a CALENDAR record: its owner lane */

#define SLU_SEALING_AHEAD 16u /* transactions of a batch whose proofs are checked together */

/* A sealed transaction of the batch under the cursor whose proof was looked at. */
struct slu_sealing_ahead {
    const uint8_t *envelope; /* NULL: none */
    bool holds;
    struct slu_sealed sealed;
    struct slu_sealed_checked checked;
};

/* Of the height that is being delivered. */
struct slu_sealing {
    uint32_t budget[SLU_DUE_QUEUES_MAX]; /* bytes that it may still open, by queue */
    uint16_t queue;                      /* the next one whose waiting entries are taken */
    uint64_t invalid;                    /* lanes that had an invalid sealing in it */
    uint64_t forced_taken;               /* of the calendar, by forced ones that are still to be read */
    struct slu_sealing_ahead ahead[SLU_SEALING_AHEAD];
};

/** What a check finds of a valid one. */
struct slu_sealing_found {
    struct slu_sealed sealed;
    struct slu_sealed_checked checked;
    int key;
    unsigned distance; /* slu_unlock_distance */
};

/** For an owner, or a taker (SLU_LANE_FORCED): whether it accepts a sealed envelope now. */
enum slu_drop slu_sealing_admit(struct slu_core *c, const struct slu_tx *tx, uint16_t lane);
/** For a holder: whether it is sealed to a key of this chain, its unlock within two horizons, and its
 * proof holds. */
bool slu_sealing_provable(struct slu_core *c, const struct slu_tx *tx);

/** The height begins: what waits and is due now gets its budget first. */
void slu_sealing_begin(struct slu_core *c, uint64_t height, uint64_t time_ms);
/** The next of what waited and is due at this height: taken out of the calendar. False: no more. */
bool slu_sealing_next(struct slu_core *c, struct slu_sealed_entry *out);
/** The next transactions of a lane's batch, up to SLU_SEALING_AHEAD: checks the proofs of the sealed ones
 * among them together, which costs less. */
void slu_sealing_look_ahead(struct slu_core *c, uint16_t lane, const struct slu_tx *txs,
                            uint32_t count);
/** A lane's sealed entry in its turn: with NONE it is an entry at `index`, and due or waiting. `tx` lies
 * in memory that outlives the turn. */
enum slu_drop slu_sealing_order(struct slu_core *c, uint16_t lane, const struct slu_tx *tx,
                                const uint8_t id32[32], uint32_t index);
/** Whether a forced sealed entry that comes out of the queue at this height has room should it have to
 * wait; if so, that is kept for it. */
bool slu_sealing_keep_forced(struct slu_core *c, uint32_t bytes);
/** One out of the queue, an entry at `index` in any case; its room was kept. */
void slu_sealing_order_forced(struct slu_core *c, const struct slu_tx *tx, const uint8_t id32[32],
                              uint32_t index);

/** One that waited, read back: it is due now, its opening is an entry at `index`. */
void slu_sealing_due(struct slu_core *c, const struct slu_sealed_entry *entry,
                     const struct slu_tx *tx, uint32_t index);

/** Whether a block above `base` would open something now: a reason to report (clause 3.2). */
bool slu_sealing_has_new(const struct slu_core *c, const struct slu_block *base);
/** When stream time reaches the next unlock, by this node's clock; monotonic; UINT64_MAX: never. */
uint64_t slu_sealing_deadline(const struct slu_core *c);
/** At boot, once the delivered height is known: what waits. Errors: CORRUPT, IO. */
SLU_MUST_USE int slu_sealing_boot(struct slu_core *c, const struct slu_store *store);

#endif
