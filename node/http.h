/* The HTTP port: /metrics for Prometheus and /healthz for whoever restarts or balances. Not for the
 * open internet. libmicrohttpd, with one thread and few connections at a time; GET and HEAD only.
 *
 *     GET /metrics   200, the page of slu_survey_metrics
 *     GET /healthz   200 "ok" while the node orders, 503 "not ordering" or "rejoining" otherwise */
#ifndef SLU_NODE_HTTP_H
#define SLU_NODE_HTTP_H

#include "node/survey.h"

struct slu_http;

/** Listens on host:port until stopped. `why` names them. Errors: IO, CONFIG (no such host), MEMORY.
 */
SLU_MUST_USE int slu_http_start(struct slu_http **http, const char *host, uint16_t port,
                                const struct slu_survey *survey, char *why, size_t why_cap);
/** NULL is allowed. */
void slu_http_stop(struct slu_http *http);

#endif
