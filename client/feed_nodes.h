/* The nodes that a feed may read from: who is next, who lied, who lets its reader wait
 * (docs/PROTOCOL.md clause 8.8). Pure; the reader's clock comes in as numbers.
 *
 *     GOOD ──▶ STALE (let its reader wait too long) ──▶ GOOD, when another one showed a young
 * height └────▶ LIAR, FOREIGN (another chain)            for ever
 *
 * A height that is older than max_age, while its reader waits, is what a node looks like that
 * withholds what it has. What it let its reader wait adds up until it shows a young height; half of
 * the time by which its heights went on is taken off, so that one that catches up is not taken for
 * one that withholds, and who keeps a fixed distance is found out. */
#ifndef SLU_CLIENT_FEED_NODES_H
#define SLU_CLIENT_FEED_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/urls.h"

enum slu_standing { SLU_NODE_GOOD, SLU_NODE_STALE, SLU_NODE_LIAR, SLU_NODE_FOREIGN };

struct slu_feed_nodes {
    struct slu_urls urls; /* `current`: the one in use */
    enum slu_standing standing[SLU_URLS_MAX];
    uint64_t waited_ms[SLU_URLS_MAX]; /* for each, less what was taken off */
    uint64_t max_age_ms;              /* UINT64_MAX: nobody is stale */
    uint64_t newest_ms;               /* time of the newest height, of whomever; 0: none */
};

const char *slu_feed_nodes_url(const struct slu_feed_nodes *nodes);
/** How many are GOOD. */
size_t slu_feed_nodes_good(const struct slu_feed_nodes *nodes);
/** Whether any has this standing. */
bool slu_feed_nodes_any(const struct slu_feed_nodes *nodes, enum slu_standing standing);
/** Moves on to the next GOOD one behind the current, which may be the current again. False: there
 * is none. */
bool slu_feed_nodes_next(struct slu_feed_nodes *nodes);
/** The current one gets this standing. */
void slu_feed_nodes_mark(struct slu_feed_nodes *nodes, enum slu_standing standing);

/** The current one let its reader wait for so long. */
void slu_feed_nodes_waited(struct slu_feed_nodes *nodes, uint64_t ms);
/** The current one showed a height of stream time `time_ms`; `now_ms` is the reader's clock. */
void slu_feed_nodes_showed(struct slu_feed_nodes *nodes, uint64_t time_ms, uint64_t now_ms);
/** For how many ms more the current one may let its reader wait; 0: it is stale. */
uint64_t slu_feed_nodes_patience(const struct slu_feed_nodes *nodes, uint64_t now_ms);

#endif
