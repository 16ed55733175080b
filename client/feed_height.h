/* A verified height as programs get it (sluice/feed.h), out of its bytes. One thread. */
#ifndef SLU_CLIENT_FEED_HEIGHT_H
#define SLU_CLIENT_FEED_HEIGHT_H

#include "client/heights.h"
#include "sluice/feed.h"

/** Zero to start with; free `entries`. */
struct slu_feed_made {
    struct slu_feed_height height;
    struct slu_feed_entry *entries;
    size_t cap;
};

/** Fills `made->height`, whose payloads point into `heights`. Errors: MEMORY. */
SLU_MUST_USE int slu_feed_make(struct slu_feed_made *made, const struct slu_heights *heights,
                               const uint8_t release32[32]);

#endif
