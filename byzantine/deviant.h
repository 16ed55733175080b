/* A deviating node: the real core, and somebody at its door who changes what goes in and what comes
 * out. The core itself is never touched, so whatever it still does is what an honest node does; the
 * deviation has the node's key without any fence around it.
 *
 *       event ──▶ before ──▶ slu_core_step ──▶ the turn's effects ──▶ after (at TURN) ──▶ effects
 *                 a censored submission,                              narrowed, doubled,
 *                 a fetch that it answers itself,                     contradicted, re-signed,
 *                 a report that it holds back                         held for delay_ms
 *
 * Used by the daemon of a Byzantine build (tests/byzantine) and by the simulator (tests/sim), which
 * runs the very same code. Pure like the core: no I/O, clock, thread or heap; its randomness comes
 * from a seed. PERSIST and READ effects pass as they are: a deviating node does not harm its own
 * disk.
 *
 * Bounds: what it adds to a turn must fit into it, what it delays must fit into the memory that it
 * was given; what does not is not sent, and counted. Thread: the core's. */
#ifndef SLU_BYZANTINE_DEVIANT_H
#define SLU_BYZANTINE_DEVIANT_H

#include "byzantine/behaviour.h"
#include "consensus/core.h"

struct slu_deviant;

struct slu_deviant_config {
    const struct slu_genesis *genesis; /* must outlive the deviant */
    uint16_t self;
    struct slu_behaviours behaviours;
    struct slu_signer signer; /* signs whatever it is given; never a keyguard's */
    struct slu_core *core;    /* booted; stepped by the deviant from then on */
    uint64_t seed;
};

struct slu_deviant_stats {
    uint64_t acts[SLU_BEHAVIOURS]; /* how often each behaviour did something */
    uint64_t lost;                 /* messages that did not fit */
};

/** Bytes of memory that a deviant of this genesis needs (virtual; touched as it fills). */
size_t slu_deviant_bytes(const struct slu_genesis *genesis);
/** Builds one in `memory` of slu_deviant_bytes, zeroed by the caller. */
struct slu_deviant *slu_deviant_init(void *memory, const struct slu_deviant_config *config);

/** In place of slu_core_step, with the same contract. */
void slu_deviant_step(struct slu_deviant *deviant, const struct slu_event *event,
                      struct slu_effects *effects);

const struct slu_deviant_stats *slu_deviant_stats(const struct slu_deviant *deviant);

#endif
