#include "client/feed_nodes.h"

#include <string.h>

const char *slu_feed_nodes_url(const struct slu_feed_nodes *nodes)
{
    return nodes->urls.at[nodes->urls.current];
}

size_t slu_feed_nodes_good(const struct slu_feed_nodes *nodes)
{
    size_t good = 0;
    for (size_t i = 0; i < nodes->urls.count; i++)
        good += nodes->standing[i] == SLU_NODE_GOOD;
    return good;
}

bool slu_feed_nodes_any(const struct slu_feed_nodes *nodes, enum slu_standing standing)
{
    for (size_t i = 0; i < nodes->urls.count; i++)
        if (nodes->standing[i] == standing)
            return true;
    return false;
}

bool slu_feed_nodes_next(struct slu_feed_nodes *nodes)
{
    struct slu_urls *urls = &nodes->urls;
    for (size_t i = 1; i <= urls->count; i++) {
        size_t at = (urls->current + i) % urls->count;
        if (nodes->standing[at] == SLU_NODE_GOOD) {
            urls->current = at;
            return true;
        }
    }
    return false;
}

void slu_feed_nodes_mark(struct slu_feed_nodes *nodes, enum slu_standing standing)
{
    nodes->standing[nodes->urls.current] = standing;
}

void slu_feed_nodes_waited(struct slu_feed_nodes *nodes, uint64_t ms)
{
    nodes->waited_ms[nodes->urls.current] += ms;
}

static uint64_t age(const struct slu_feed_nodes *nodes, uint64_t now_ms)
{
    return now_ms > nodes->newest_ms ? now_ms - nodes->newest_ms : 0;
}

void slu_feed_nodes_showed(struct slu_feed_nodes *nodes, uint64_t time_ms, uint64_t now_ms)
{
    uint64_t *waited_ms = &nodes->waited_ms[nodes->urls.current];
    uint64_t gained_ms = nodes->newest_ms ? (time_ms - nodes->newest_ms) / 2 : 0;
    *waited_ms -= gained_ms < *waited_ms ? gained_ms : *waited_ms;
    nodes->newest_ms = time_ms;
    if (age(nodes, now_ms) >= nodes->max_age_ms)
        return;
    for (size_t i = 0; i < nodes->urls.count; i++) {
        nodes->waited_ms[i] = 0;
        if (nodes->standing[i] == SLU_NODE_STALE)
            nodes->standing[i] = SLU_NODE_GOOD;
    }
}

uint64_t slu_feed_nodes_patience(const struct slu_feed_nodes *nodes, uint64_t now_ms)
{
    uint64_t waited_ms = nodes->waited_ms[nodes->urls.current], age_ms = age(nodes, now_ms);
    uint64_t wait_ms = waited_ms < nodes->max_age_ms ? nodes->max_age_ms - waited_ms : 0;
    uint64_t older_ms = age_ms < nodes->max_age_ms ? nodes->max_age_ms - age_ms : 0;
    return wait_ms > older_ms ? wait_ms : older_ms;
}
