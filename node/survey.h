/* Everything that status and metrics look at, gathered by the daemon. All of it is read through
 * functions that any thread may call. */
#ifndef SLU_NODE_SURVEY_H
#define SLU_NODE_SURVEY_H

#include "node/gateway.h"
#include "node/history.h"
#include "node/inbound.h"
#include "node/peers.h"

struct slu_survey {
    const struct slu_genesis *genesis;
    uint16_t self;
    uint64_t started_ms; /* monotonic */
    struct slu_runtime *runtime;
    struct slu_history *history;
    struct slu_peers *peers;
    struct slu_gateway *gateway;
    struct slu_disk *disk;
    struct slu_metrics *metrics;
    struct slu_link_counters *peer_links, *client_links;
};

/** Whether the delivered height rose within the time that an idle chain's block may take. */
bool slu_survey_ordering(const struct slu_survey *survey, const struct slu_core_view *view);

/** The node's status as one JSON object; free with free(). NULL when memory is refused. */
char *slu_survey_status(const struct slu_survey *survey);

/** The Prometheus page (text format 0.0.4); free with free(). NULL when memory is refused. */
char *slu_survey_metrics(const struct slu_survey *survey, size_t *len);

#endif
