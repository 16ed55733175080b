/* The simulator: n real cores over a fake network, disk and clock, in one thread. A plan is a run;
 * a seed is a plan; the same plan twice gives the same trace hash.
 *
 *     plan -> sim_new -> sim_run -> result: ok, or the first violated invariant with its trace
 *              |
 *       events by (time, number):  packet, wake, sync, timer, crash, restart, load, check ...
 *              |
 *       node.c (a core, its inbox, its turns and disk)   byz*.c (who lies)
 *              |                                              |
 *              +------ net.c (delay, loss, partition) --------+
 *              |
 *       world.c, oracle.c, client.c: what must hold (docs/PROTOCOL.md clause 10)
 *
 * Tests may hook in: a filter on every packet, and a call every tick. */
#ifndef SLU_SIM_SIM_H
#define SLU_SIM_SIM_H

#include <stdio.h>

#include "byzantine/deviant.h"
#include "consensus/core.h"
#include "tests/sim/disk.h"
#include "tests/sim/net.h"
#include "tests/sim/oracle.h"
#include "tests/sim/plan.h"
#include "tests/sim/world.h"

#define SIM_INSTANCES_MAX (SIM_NODES_MAX + 6u)
#define SIM_INBOX_MAX     65536u
#define SIM_BURST_MAX     8u

/* ---- what happened, for people and for the hash ---- */

enum sim_trace_kind {
    SIM_T_SEND,
    SIM_T_RECEIVE,
    SIM_T_LOSE,
    SIM_T_SIGN,
    SIM_T_SYNC,
    SIM_T_CRASH,
    SIM_T_RESTART,
    SIM_T_WIPE,
    SIM_T_DELIVER,
    SIM_T_PEER_UP,
    SIM_T_SUBMIT,
    SIM_T_ACCEPT,
    SIM_T_FAULT,
    SIM_T_VIEW,
    SIM_T_KINDS
};

struct sim_trace {
    uint64_t time_ms;
    uint64_t number; /* view, position or height */
    uint16_t node, peer;
    uint8_t kind;
    uint8_t what; /* message kind, vote kind */
    uint8_t tag[8];
};

#define SIM_TRACE_MAX 16384u

enum sim_count {
    SIM_N_LOST,
    SIM_N_LATE,
    SIM_N_DUPLICATED,
    SIM_N_PARTITIONED,
    SIM_N_CRASHES,
    SIM_N_TORN,
    SIM_N_WIPES,
    SIM_N_PAUSES,
    SIM_N_CLOCK_JUMPS,
    SIM_N_FORGED_MESSAGES,
    SIM_N_FORKS,
    SIM_N_DOUBLE_VOTES,
    SIM_N_BAD_REPORTS,
    SIM_N_DOUBLE_PROPOSALS,
    SIM_N_WITHHELD,
    SIM_N_REPLAYS,
    SIM_N_WRONG_ANSWERS,
    SIM_N_ODD_TXS,
    SIM_N_FORCED,
    SIM_N_FLOODS,
    SIM_N_DEVIATIONS,
    SIM_N_CHEATS,
    SIM_N_KEYS,       /* k of the key in force at the end */
    SIM_N_SEALED,     /* given to nodes */
    SIM_N_WAITED,     /* in the calendar */
    SIM_N_SPILLED,    /* due, but without room at a height: entries times heights */
    SIM_N_ON_THE_DOT, /* due at exactly their unlock */
    SIM_N_OPENED,
    SIM_N_VOID,
    SIM_N_SHARE_LIES,
    SIM_N_RELEASE_LIES,
    SIM_N_BUNDLES,        /* delivered out of lanes ... */
    SIM_N_BUNDLES_FORCED, /* ... and out of the queue */
    SIM_N_BUNDLES_BAD,    /* dropped or void for what is inside */
    SIM_N_BUNDLES_OPENED,
    SIM_N_COUNTS
};

/* ---- nodes ---- */

enum sim_item_kind {
    SIM_ITEM_START,
    SIM_ITEM_PACKET,
    SIM_ITEM_PEER_UP,
    SIM_ITEM_SUBMIT,
    SIM_ITEM_FORCE,
    SIM_ITEM_QUERY,
    SIM_ITEM_BODY,
    SIM_ITEM_TIMER
};

struct sim_item {
    enum sim_item_kind kind;
    uint16_t from;
    uint64_t number; /* token or tag */
    uint8_t *bytes;  /* owned: envelopes, ids, record */
    size_t bytes_len;
    uint32_t count;
    struct slu_postage postage;
    struct sim_packet *packet; /* owned reference */
};

/* One effect of a turn that waits for its sync. */
struct sim_out {
    enum slu_effect_kind kind;
    uint16_t to;
    struct sim_packet *packet;
    struct slu_fetch fetch;
    struct slu_record_key from, until;
    uint64_t number; /* tag, token, position or height */
    uint8_t *items;  /* admissions, statuses */
    uint32_t count;
};

struct sim_signed {
    uint64_t turn;
    uint64_t view;
    enum slu_vote_kind kind;
    uint8_t digest[32];
};

/* A record that was written but not synced yet: in the disk already, undone when a crash loses it.
 */
struct sim_soft {
    struct sim_record record;
    struct sim_record before; /* what it replaced; value NULL: nothing */
};

struct sim_turn {
    uint64_t number;
    bool promises; /* needs its sync before it is executed */
    struct sim_record *records;
    uint32_t record_count;
    struct sim_out *outs;
    uint32_t out_count;
    struct sim_turn *next;
};

/* What one node signed in one view and what of it is durable: survives every crash. */
struct sim_ledger_view {
    bool has[SLU_VOTE_KINDS];
    uint8_t digest[SLU_VOTE_KINDS][32];
    bool record[SLU_VOTE_KINDS];
};

struct sim_node {
    struct sim *sim;
    uint16_t id;       /* node number; twins share it */
    uint16_t instance; /* index in sim->nodes */
    enum sim_role role;
    struct slu_seal_secrets seal;
    bool up, wiped;
    bool started_once; /* something of it was durable once: no longer its first start */
    uint32_t life;     /* grows with each crash: older events are dropped */
    struct slu_core *core;
    size_t core_bytes;
    struct slu_deviant *deviant; /* at the core's door; NULL: nobody */
    size_t deviant_bytes;
    struct sim_disk disk;
    struct sim_item *inbox; /* a ring that grows up to SIM_INBOX_MAX */
    uint32_t inbox_head, inbox_count, inbox_cap;
    bool wake_set;
    struct sim_turn *turns, *turns_last; /* not written yet */
    struct sim_soft *soft;               /* written, not synced yet, in order */
    uint32_t soft_count, soft_cap;
    uint32_t turn_count;
    bool syncing;
    uint64_t disk_free_ms;
    uint64_t timer_ms, timer_token; /* outstanding timer */
    uint64_t mono_ms;               /* added to the simulator's time in this life */
    int64_t skew_ms;
    uint64_t paused_until_ms;
    /* books of an honest node */
    struct sim_ledger_view *ledger;
    uint32_t ledger_cap;
    struct sim_signed *signing; /* signed, not durable yet */
    uint32_t signing_count, signing_cap;
    struct sim_table acked;  /* batch digests with a durable ACK record */
    struct sim_table items;  /* ids of inbox items with a durable record */
    struct sim_table stored; /* batch digests with a durable BATCH record */
    struct sim_table ack_at; /* (lane, position) -> number of the digest acked there */
    uint64_t delivered;      /* highest height with a durable record */
    uint64_t view_seen, durable_position;
    uint64_t turns_this_ms, this_ms;
    uint64_t syncs;
    struct slu_release diverged[2]; /* its own and the others', once it stopped for it */
};

struct sim_event;
struct client;
struct forced;
struct byz;
struct keygen_seen;
struct sealed;

struct sim_hooks {
    void *context;
    /** May change the delay; false loses the packet. */
    bool (*packet)(void *context, struct sim *sim, const struct sim_packet *packet, uint16_t to,
                   uint64_t *delay_ms);
    /** Whether a packet reaches this copy of its receiver. NULL: each. */
    bool (*arrives)(void *context, struct sim *sim, const struct sim_packet *packet,
                    uint16_t instance);
    /** An honest node signed a vote. */
    void (*vote)(void *context, struct sim *sim, uint16_t node, enum slu_vote_kind kind,
                 uint64_t view);
    /** Every 10 ms. */
    void (*tick)(void *context, struct sim *sim);
};

struct sim_result {
    bool ok;
    int invariant;
    char what[256];
    uint64_t hash;
    uint64_t ms, events, views, blocks, delivered, dropped, accepted;
    uint64_t forced, skipped, evidence; /* out of the queue */
    uint64_t nullified;
    uint64_t counts[SIM_N_COUNTS];
    uint64_t disk_peak_bytes;
};

struct sim {
    struct sim_plan plan;
    struct slu_genesis genesis;
    struct sim_hooks hooks;
    uint64_t now_ms;
    struct sim_event *heap;
    uint32_t heap_count, heap_cap;
    uint64_t event_number;
    struct sim_rng net_rng, node_rng, byz_rng, load_rng, inbox_rng, bundle_rng;
    struct sim_node nodes[SIM_INSTANCES_MAX];
    uint16_t instances;
    uint64_t byzantine;             /* set of nodes */
    uint64_t wiped;                 /* set of nodes that lose their disk at some time */
    uint8_t (*bias)[SIM_NODES_MAX]; /* styles by link and kind */
    uint64_t fifo_ms[SIM_NODES_MAX][SIM_NODES_MAX];
    struct slu_verifier verifier;
    struct slu_effects *effects;
    void *effects_memory;
    struct slu_message scratch;
    uint8_t *encode_buffer;
    struct world world;
    struct oracle oracle;
    struct client *client;
    struct forced *forced;
    struct keygen_seen *keygen;
    struct sealed *sealed;
    struct byz *byz;
    struct sim_trace *trace;
    uint64_t trace_count;
    uint64_t hash;
    FILE *trace_out; /* everything as it happens, or NULL */
    uint64_t last_final_ms, last_final_height;
    uint64_t sent_by_kind[SLU_MSG_KINDS];
    uint64_t deviations; /* of lives that ended, and at admission */
    uint64_t settled_height; /* the top once all else was settled: to be certified everywhere; 0: not yet */
    bool done;
    struct sim_result result;
};

/* ---- sim.c ---- */

/** Builds a run. `trace_out` may be NULL. Free with sim_free. */
struct sim *sim_new(const struct sim_plan *plan, FILE *trace_out);
void sim_free(struct sim *sim);
/** Runs to its end or to the first violation. */
const struct sim_result *sim_run(struct sim *sim);
/** Runs until `until_ms`, to its end or to the first violation. */
const struct sim_result *sim_run_until(struct sim *sim, uint64_t until_ms);
/** The newest `max` trace lines. */
void sim_trace_print(const struct sim *sim, FILE *out, uint64_t max);
/** Where every node is. */
void sim_state_print(const struct sim *sim, FILE *out);
const char *sim_count_name(enum sim_count count);

/** The first one ends the run. */
void sim_violation(struct sim *sim, int invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sim_note(struct sim *sim, enum sim_trace_kind kind, uint16_t node, uint16_t peer, uint8_t what,
              uint64_t number, const uint8_t *tag8);
static inline bool sim_is_honest(const struct sim *sim, uint16_t node)
{
    return !(sim->byzantine >> node & 1);
}

enum sim_event_kind {
    SIM_EV_PACKET,
    SIM_EV_WAKE,
    SIM_EV_SYNC,
    SIM_EV_TIMER,
    SIM_EV_CRASH,
    SIM_EV_RESTART,
    SIM_EV_BODY,
    SIM_EV_PEER_UP,
    SIM_EV_LOAD,
    SIM_EV_BYZ,
    SIM_EV_CHECK,
    SIM_EV_TICK,
    SIM_EV_CALM,
    SIM_EV_PAUSE,
    SIM_EV_LEAP
};

struct sim_event {
    uint64_t time_ms, number;
    enum sim_event_kind kind;
    uint16_t node; /* instance, or node for PACKET */
    uint16_t peer;
    uint32_t life;
    uint64_t value;
    struct sim_packet *packet;
};

void sim_at(struct sim *sim, uint64_t time_ms, const struct sim_event *event);

/* ---- guard.c: cheap signatures, and the rules on them ---- */

struct slu_signer sim_signer(struct sim_node *node);
struct slu_verifier sim_verifier(struct sim *sim);
/** Signs without any rule, for those who have none. */
void sim_sign(const struct sim *sim, uint16_t node, uint8_t signature64[64],
              const uint8_t digest32[32]);

/* ---- node.c, turn.c ---- */

void sim_node_boot(struct sim_node *node);
void sim_node_crash(struct sim_node *node, bool wipe);
/** Takes what item owns. Drops it when the node is down or its inbox is full. */
void sim_node_put(struct sim_node *node, struct sim_item *item);
void sim_node_wake(struct sim_node *node);
void sim_node_timer(struct sim_node *node, uint64_t token);
void sim_node_synced(struct sim_node *node);
void sim_node_release(struct sim_node *node);
/** How often its deviant acted in this life. */
uint64_t sim_node_deviations(const struct sim_node *node);
void sim_item_release(struct sim_item *item);
/** Copies the effects of the turn that the core just ended and queues it for its sync. */
void sim_turn_queue(struct sim_node *node, const struct slu_effects *effects);
void sim_turns_drop(struct sim_node *node, bool tear);
/** Sends a packet of this node to `to` or SLU_TO_ALL, after the checks on what leaves a node. */
void sim_node_send(struct sim_node *node, struct sim_packet *packet, uint16_t to);
/** The links of a node that came up. */
void sim_node_links(struct sim_node *node);

/* ---- ledger.c: invariant 7 and the books of honest nodes ---- */

void sim_ledger_record(struct sim_node *node, const struct sim_record *record);
void sim_ledger_synced(struct sim_node *node, uint64_t turn);
void sim_ledger_crashed(struct sim_node *node);
/** What leaves an honest node was durable before. */
void sim_ledger_leaves(struct sim_node *node, const struct slu_message *message);
/** Invariants 3 and 4, when a vote is signed. */
void sim_ledger_signs(struct sim_node *node, enum slu_vote_kind kind, uint64_t view,
                      const uint8_t digest32[32]);
/** The votes signed in this turn, checked once its proposals are known. */
void sim_ledger_turn(struct sim_node *node, uint64_t turn);

/* ---- client.c: load, and what became of it ---- */

struct client *client_new(struct sim *sim);
void client_free(struct client *client);
void client_load(struct sim *sim, uint16_t instance);
void client_admitted(struct sim *sim, struct sim_node *node, const struct sim_out *out);
void client_durable(struct sim *sim, struct sim_node *node, uint64_t position);
void client_answer(struct sim *sim, struct sim_node *node, const struct sim_out *out);
void client_crashed(struct sim *sim, struct sim_node *node, bool wiped);
/** Accepted transactions that have no outcome yet; with `complain`, they are violations. */
uint64_t client_open(struct sim *sim, bool complain);
uint64_t client_accepted(const struct sim *sim);

/* ---- byz.c, twist.c ---- */

struct byz *byz_new(struct sim *sim);
void byz_free(struct byz *byz);
void byz_tick(struct sim *sim, uint16_t instance);
void byz_receive(struct sim *sim, struct sim_node *node, const struct sim_packet *packet);
/** What a twisted core sends goes through here instead of to the network. */
void byz_twist(struct sim_node *node, struct sim_packet *packet, uint16_t to);

#endif
