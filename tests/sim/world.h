/* What an onlooker who sees everything knows: every header, report, proposal and block ever made
 * and every vote and ack that honest nodes signed. The invariants of docs/PROTOCOL.md clause 10
 * about votes (2..6) and certificates (8) are checked here. */
#ifndef SLU_SIM_WORLD_H
#define SLU_SIM_WORLD_H

#include "tests/sim/net.h"
#include "tests/sim/table.h"

struct world_batch {
    struct slu_batch_header header;
    uint8_t *payload; /* NULL until seen */
    uint32_t parent;  /* SIM_NONE: not seen */
    uint64_t ackers;  /* honest nodes whose acks cover it */
    bool certifiable;
    bool sent; /* it left some node: others may know it */
};

/* A proposal of a view, with what must come out of it when everything is known. */
struct world_proposal {
    struct slu_proposal proposal;
    uint32_t next;      /* of the same view + 1, or 0 */
    uint32_t next_same; /* of the same block, or SIM_NONE */
    bool sent;          /* it left its maker: others may know it */
    bool computed;
    bool right; /* the block is what is computed */
};

struct world_report {
    struct slu_report report;
    bool sent;
};

#define WORLD_CANDIDATES 8u

struct world_candidate {
    uint8_t digest[32]; /* of the vote */
    uint64_t voters;
};

struct world_view {
    struct world_candidate notarize[WORLD_CANDIDATES], finalize[WORLD_CANDIDATES];
    uint64_t nullify;
    uint32_t proposals; /* first one, or 0: none (index + 1) */
};

struct world_item; /* tests/sim/inbox.h */

struct world {
    struct sim *sim;
    struct world_item *items;
    uint32_t item_count, item_cap;
    struct sim_table item_at; /* by the tuple's digest */
    uint8_t *list, *sorted;   /* of the block that was computed last */
    struct world_batch *batches;
    uint32_t batch_count, batch_cap;
    struct sim_table batch_at;
    struct world_report *reports;
    uint32_t report_count, report_cap;
    struct sim_table report_at;
    struct world_proposal *proposals;
    uint32_t proposal_count, proposal_cap;
    struct sim_table proposal_at; /* by block digest */
    struct slu_block *blocks;
    uint32_t block_count, block_cap;
    struct sim_table block_at;
    struct world_view *views;
    uint32_t view_cap;
    uint64_t view_top;
    struct sim_table certified_at; /* by (lane, position): the batch */
    struct sim_table final_at;     /* digests of blocks that may be delivered */
};

void world_init(struct world *world, struct sim *sim);
void world_free(struct world *world);

/** Takes note of what a message shows: at first for the checks only, once `sent` for the Byzantine
 * nodes as well (a turn that a crash swallows must not reach them). */
void world_see(struct world *world, const struct slu_message *message, bool sent);
void world_see_payload(struct world *world, const struct slu_batch_header *header,
                       const uint8_t *payload);
/** The same of a Notarize record. */
void world_see_notarize(struct world *world, const uint8_t *record, size_t len);

struct world_batch *world_batch(struct world *world, const uint8_t digest32[32]);
const struct slu_report *world_report(const struct world *world, const uint8_t digest32[32]);
/** A proposal of this block, one that is right if there is any; NULL: nobody proposed it. */
struct world_proposal *world_proposal(struct world *world, const uint8_t block32[32]);
const struct slu_block *world_block(const struct world *world, const uint8_t digest32[32]);
struct world_view *world_view(struct world *world, uint64_t view);

/** An honest node's vote became durable. */
void world_vote(struct world *world, uint16_t node, enum slu_vote_kind kind, uint64_t view,
                const uint8_t digest32[32]);
/** Whether q votes can exist: `more` votes beside the durable honest ones and all Byzantine ones.
 */
bool world_certifiable(struct world *world, enum slu_vote_kind kind, uint64_t view,
                       const uint8_t block32[32], uint64_t more);
/** An honest node signed a Notarize: invariants 2, 6 and the rule of the computed block. */
void world_check_notarize(struct world *world, uint16_t node, uint64_t view,
                          const uint8_t digest32[32]);
/** An honest node's ack left it. */
void world_ack(struct world *world, uint16_t node, const struct slu_lane_tip *ack);

/** The block that `proposal` must have, from what the world knows. False: something is unknown. */
bool world_compute(struct world *world, const struct slu_proposal *proposal, struct slu_block *out);
/** Walks down a lane from `digest32` to `position`; SIM_NONE when the chain is not known. */
uint32_t world_ancestor(struct world *world, const uint8_t digest32[32], uint64_t position);

#endif
