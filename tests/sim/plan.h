/* What a run does, drawn from its seed or written by a test: the chain's parameters, the network's
 * manners, the faults and when they happen, who is Byzantine and how, the load. All times are
 * simulator milliseconds. From `calm_ms` on the network keeps its bound and nothing else breaks
 * (Byzantine nodes go on): from there progress is required. */
#ifndef SLU_SIM_PLAN_H
#define SLU_SIM_PLAN_H

#include "byzantine/behaviour.h"
#include "tests/sim/rng.h"
#include "wire/genesis.h"

#define SIM_NODES_MAX 16u

enum sim_style {
    SIM_FAST,    /* 1..delta/5 */
    SIM_UNIFORM, /* 1..delta */
    SIM_SLOWEST, /* always delta */
    SIM_BY_LINK, /* each link is either fast or at its bound, changing now and then */
    SIM_BY_KIND, /* the same per (receiver, message kind) */
    SIM_STYLES
};

enum sim_role {
    SIM_HONEST,
    SIM_PUPPET, /* speaks the wire format and has no core: forks, double votes, unbacked reports ...
                 */
    SIM_TWISTED, /* a real core whose effects are withheld, narrowed, doubled or contradicted */
    SIM_TWINS,   /* two real cores with one key */
    SIM_SILENT,
    SIM_DEVIANT, /* a real core behind byzantine/deviant.h, as in a Byzantine build of the daemon */
    SIM_DAMAGED, /* a real core that means well, whose state a test breaks; never drawn */
};

enum sim_crash_when {
    SIM_BEFORE_SYNC,  /* what is not synced is lost, or a prefix of it survives */
    SIM_AFTER_SYNC,   /* durable, but nothing of the turn left the node */
    SIM_AMID_EFFECTS, /* a prefix of the turn's effects left the node */
};

struct sim_crash {
    uint16_t node;
    uint64_t at_ms;
    uint64_t up_ms;
    bool wipe; /* comes back with an empty disk */
};

/* Crashes a node around the sync that makes something durable: the count-th one that carries a vote
 * of `vote` (SLU_VOTE_KINDS: any sync) from `after_ms` on. */
struct sim_snipe {
    uint16_t node;
    uint8_t vote;
    uint32_t count;
    uint64_t after_ms;
    uint64_t down_ms;
    enum sim_crash_when when;
};

struct sim_partition {
    uint64_t from_ms, to_ms;
    uint64_t side; /* set of nodes */
    bool one_way;  /* only what leaves `side` is cut */
    bool hold;     /* held back until it heals instead of lost */
};

struct sim_pause {
    uint16_t node;
    uint64_t from_ms, to_ms;
};

#define SIM_FAULTS_MAX 8u

struct sim_plan {
    uint64_t seed;
    uint16_t n;
    struct slu_params params;
    bool open_rollups;

    enum sim_style style;
    uint64_t wild_ms; /* until then the network may lose and delay */
    uint32_t drop_permille, late_permille;
    uint32_t duplicate_permille;
    bool fifo;
    bool reconnects; /* lossy links say PEER_UP now and then */

    struct sim_crash crashes[SIM_FAULTS_MAX];
    struct sim_snipe snipes[SIM_FAULTS_MAX];
    struct sim_partition partitions[SIM_FAULTS_MAX];
    struct sim_pause pauses[SIM_FAULTS_MAX];
    uint32_t crash_count, snipe_count, partition_count, pause_count;
    uint32_t sync_ms_max; /* longest sync */
    uint32_t tear_permille, lost_forget_permille, lost_in_flight_permille;

    enum sim_role roles[SIM_NODES_MAX];
    struct slu_behaviours behaviours[SIM_NODES_MAX]; /* of SIM_DEVIANT nodes */
    uint32_t byz_permille[16];                       /* habits, see byz.h */
    int64_t skew_ms[SIM_NODES_MAX];
    uint32_t clock_jump_permille; /* per submission */
    uint64_t leap_at_ms;          /* all clocks jump ahead by leap_ms; 0: never */
    int64_t leap_ms;

    uint32_t load_every_ms; /* between one node's submissions; 0: no load */
    uint32_t load_txs_max, load_body_max;
    uint32_t odd_permille; /* invalid, expired or repeated transactions */
    uint32_t forced_permille; /* of submissions: a forced transaction beside them */
    uint32_t sealed_permille; /* of submissions: a sealed transaction beside them, now and then ... */
    uint32_t sealed_burst;    /* ... so many of them at once */
    uint32_t sealed_max;      /* all of them in a run */
    uint32_t sealed_forced_permille; /* of them are forced */
    uint32_t bundle_permille; /* of plain, forced and sealed transactions are bundles; 0: the chain
                               * has no rollup that takes sealed ones only */
    uint32_t burst_max;    /* events in one turn */

    uint64_t calm_ms;
    uint64_t load_until_ms;
    uint64_t run_until_ms; /* at least; then until all is ordered */
    uint64_t give_up_ms;   /* everything must be ordered by then */
    bool faultless;        /* no fault at all: stricter checks */
};

/** Draws a plan: n of 1..SIM_NODES_MAX, everything else from the seed. */
void sim_plan_draw(struct sim_plan *plan, uint64_t seed, uint16_t n);
/** Makes f nodes of a drawn plan deviants with these behaviours, and all others honest. */
void sim_plan_deviate(struct sim_plan *plan, const struct slu_behaviours *behaviours);
/** A quiet run of n honest nodes on a fast network: what tests start from. */
void sim_plan_quiet(struct sim_plan *plan, uint64_t seed, uint16_t n);
/** Longest time without a new final block that is still progress, after calm_ms. */
uint64_t sim_plan_patience_ms(const struct sim_plan *plan);
/** The genesis of a plan, sealed. */
void sim_plan_genesis(const struct sim_plan *plan, struct slu_genesis *genesis);

#endif
