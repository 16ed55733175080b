/* Queries for the place of transactions, until each id has a definite outcome or the wait is over.
 *
 *     request ─▶ QUERY event ─▶ ANSWER ─▶ all definite, or late?  ── no ─▶ ask again in 50 ms
 *                                          └ yes ─▶ what the core forgot: node/lookup ─▶ reply
 *
 * Bounded by queries and by ids in all; beyond that "busy". The gateway's thread. */
#ifndef SLU_NODE_QUERIES_H
#define SLU_NODE_QUERIES_H

#include "node/clients.h"
#include "node/lookup.h"
#include "node/proofs.h"
#include "node/runtime.h"

struct slu_queries;

/** NULL when memory is refused. */
struct slu_queries *slu_queries_new(struct slu_runtime *runtime, const struct slu_place *place,
                                    struct slu_metrics *metrics);
/** The lookup for ids that the core does not know, and who makes proofs of what is found. Set before
 * the first request. */
void slu_queries_use(struct slu_queries *queries, struct slu_lookup *lookup,
                     struct slu_proofs *proofs);
/** After both have stopped. NULL is allowed. */
void slu_queries_free(struct slu_queries *queries);

/** Takes a client's request. */
void slu_queries_take(struct slu_queries *queries, struct slu_client *client, uint64_t request_id,
                      const Slu__Client__TxQuery *query);
/** The same for a proof, without waiting. */
void slu_queries_prove(struct slu_queries *queries, struct slu_client *client, uint64_t request_id,
                       const Slu__Client__ProofQuery *request);
/** What the core says to a QUERY event. */
void slu_queries_answered(struct slu_queries *queries, uint64_t token,
                          const struct slu_tx_status *items, uint32_t count);
/** The lookup of `token` is done. */
void slu_queries_looked_up(struct slu_queries *queries, uint64_t token);
/** Asks again what is due; returns when to be called next (monotonic us, UINT64_MAX: never). */
uint64_t slu_queries_tick(struct slu_queries *queries);
uint32_t slu_queries_count(const struct slu_queries *queries);

#endif
