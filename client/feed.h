/* What the library has of a feed beside sluice/feed.h: one that believes its nodes (`sluice
 * subscribe` without --genesis), and heights as they came. */
#ifndef SLU_CLIENT_FEED_H
#define SLU_CLIENT_FEED_H

#include "client/heights.h"
#include "sluice/feed.h"
#include "wire/genesis.h"

/** As slu_feed_open. `genesis` is NULL for one that checks order and gaps only: then max_age_ms
 * means nothing, and the first node says which chain it is. */
SLU_MUST_USE int slu_feed_new(struct slu_feed **feed, const struct slu_genesis *genesis,
                              const char *const *urls, size_t url_count,
                              const struct slu_feed_options *options, char *why, size_t why_cap);

/** As slu_feed_next; the height is in slu_feed_heights. */
SLU_MUST_USE int slu_feed_step(struct slu_feed *feed, uint32_t timeout_ms);
/** The height that the last successful step gave, until the next one. */
const struct slu_heights *slu_feed_heights(const struct slu_feed *feed);
/** The chain of the nodes; zero before the first connection of one that believes. */
const uint8_t *slu_feed_chain_id32(const struct slu_feed *feed);

#endif
