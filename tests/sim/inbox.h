/* The inbox as the onlooker sees it: every item that was ever relayed or held, the list that a
 * block must queue, and the forced transactions that clients gave to honest nodes (docs/PROTOCOL.md
 * clauses 6, 8.1; invariants 11 and 14). */
#ifndef SLU_SIM_INBOX_H
#define SLU_SIM_INBOX_H

#include "consensus/core.h"
#include "tests/sim/world.h"

struct sim_node;
struct sim_out;

struct world_item {
    struct slu_inbox_tuple tuple;
    uint64_t holders; /* honest nodes whose signed hold left them */
    uint8_t *content; /* NULL until seen */
    struct slu_postage postage;
};

/** Takes note of a relay or of holds. Evidence that names an honest node is a violation. */
void world_see_relay(struct world *world, const struct slu_relay *relay);
void world_see_holds(struct world *world, const struct slu_holds *holds);
/** An honest node's hold left it. */
void world_hold(struct world *world, uint16_t node, const struct slu_inbox_tuple *tuple);
struct world_item *world_item(struct world *world, const struct slu_inbox_tuple *tuple);
/** Whether f+1 holds of a tuple can exist, with those of `more`. */
bool world_item_certifiable(struct world *world, const struct slu_inbox_tuple *tuple,
                            uint64_t more);

/** What the block `out` (height, time and parent known) must queue, its tail and its evident sets.
 * The list lies in the world until the next call. False: an ancestor is unknown. */
bool world_queue(struct world *world, const struct slu_block *parent,
                 const struct slu_report *const *reports, uint16_t count, struct slu_block *out);

/* ---- clients that force transactions ---- */

struct forced;

struct forced *forced_new(void);
void forced_free(struct forced *forced);
/** A client mines postage at this node's price and gives it a forced transaction; sometimes also
 * elsewhere, or into a lane. */
void forced_load(struct sim *sim, struct sim_node *node);
/** Forces an envelope at this node, with true postage if that is not too dear. */
bool forced_give(struct sim *sim, struct sim_node *node, const uint8_t *envelope, uint32_t len);
void forced_taken(struct sim *sim, struct sim_node *node, const struct sim_out *out);
void forced_crashed(struct sim *sim, struct sim_node *node, bool wiped);
/** Accepted ones without an outcome; with `complain`, they are violations. */
uint64_t forced_open(struct sim *sim, bool complain);

#endif
