/* The Byzantine nodes. They share what they know, sign with their own keys only, choose their
 * delays, and see everything that was ever sent (world.h); each habit's strength is drawn per seed.
 *
 * byz.c: what they know and how they speak; puppet.c: nodes without a core, flood.c: and their
 * inbox; cheat.c: and the key generation; share_lies.c: and shares; release_lies.c: and releases;
 * twist.c: nodes with one. */
#ifndef SLU_SIM_BYZ_H
#define SLU_SIM_BYZ_H

#include "tests/sim/sim.h"

enum byz_habit {
    BYZ_FORKS,       /* two batches at one lane position */
    BYZ_ACKS,        /* acks of anything, on every fork */
    BYZ_VOTES,       /* Notarize, Nullify and Finalize of the same views, to some */
    BYZ_RELEASES,    /* certificates shown late and to some */
    BYZ_ANSWERS,     /* answers fetches */
    BYZ_LIES,        /* ... with something else */
    BYZ_UNBACKED,    /* reports of tips that are not certified */
    BYZ_TWO_REPORTS, /* two reports for one view */
    BYZ_TWO_PROPOSALS,
    BYZ_OLD_PARENT, /* proposes over an older notarized block when it can */
    BYZ_SILENT_LEADER,
    BYZ_TO_LEADER, /* reports and lane certificates to the leader only */
    BYZ_WRONG_BLOCK,
    BYZ_WITHHOLDS,   /* twisted cores: sends to some only */
    BYZ_CONTRADICTS, /* twisted cores: signs the opposite as well */
    BYZ_FLOODS,      /* takes forced items of its own, and shows them to some; cheats in key generation */
    BYZ_HABITS
};

#define BYZ_PACKETS    128u
#define BYZ_VIEWS      256u
#define BYZ_CANDIDATES 4u

struct byz_votes {
    uint8_t block[32];
    uint64_t voters;
    uint8_t signatures[SIM_NODES_MAX][64];
};

struct byz_view {
    uint64_t view;
    struct byz_votes nullify, notarize[BYZ_CANDIDATES], finalize[BYZ_CANDIDATES];
};

struct byz {
    struct sim_packet *packets[BYZ_PACKETS]; /* heard lately, for replays */
    uint32_t packet_count;
    struct byz_view *views; /* BYZ_VIEWS, by view */
    uint64_t top_view;
    uint64_t reported[SIM_NODES_MAX], proposed[SIM_NODES_MAX];
    uint32_t tips[SIM_NODES_MAX][8]; /* own batches in the world, newest last */
    uint32_t tip_count[SIM_NODES_MAX];
    uint32_t made;
};

bool byz_does(struct sim *sim, enum byz_habit habit);
/** A random set of honest nodes, never empty when there are any. */
uint64_t byz_some(struct sim *sim);
uint64_t byz_honest(const struct sim *sim);
uint64_t byz_delay(struct sim *sim);
/** Encodes and sends `m` as `node` to each of `to`. */
void byz_say(struct sim *sim, uint16_t node, struct slu_message *m, uint64_t to);
void byz_vote(struct sim *sim, uint16_t node, enum slu_vote_kind kind, uint64_t view,
              const uint8_t block32[32], uint64_t to);
/** A certificate from the votes heard and all Byzantine ones. */
bool byz_cert(struct sim *sim, enum slu_vote_kind kind, uint64_t view, const uint8_t block32[32],
              struct slu_cert *out);
bool byz_formable(struct sim *sim, const struct world_batch *batch);
void byz_replay(struct sim *sim, uint16_t node, uint8_t kind, uint64_t to);

/** Relays of forced items that this node took, with true postage or without, to some. */
void puppet_flood(struct sim *sim, uint16_t node, struct slu_message *m);
/** Holds of anything, also with a false length, to some or to the next leader. */
void puppet_hold(struct sim *sim, uint16_t node, struct slu_message *m);
/** Adds inbox items to a report, certified or not. */
void puppet_list(struct sim *sim, struct slu_report *report);
/** Deals, complains and is ready, well or not. */
void puppet_cheat(struct sim *sim, uint16_t node, struct slu_message *m);
/** Wrong shares of what is due at a height. */
void puppet_shares(struct sim *sim, uint16_t node, struct slu_message *m, uint64_t height,
                   uint64_t to);
/** Shares of heights to come. */
void puppet_flood_shares(struct sim *sim, uint16_t node, struct slu_message *m);
/** Signatures of releases, right and wrong; certificates out of turn. */
void puppet_releases(struct sim *sim, uint16_t node, struct slu_message *m);
void puppet_tick(struct sim *sim, uint16_t node);
void puppet_hear(struct sim *sim, uint16_t node, uint16_t from, const struct slu_message *m);

#endif
