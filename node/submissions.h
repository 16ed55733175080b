/* Submissions on their way: from a client's request to its reply, which says "accepted" only once
 * the own batches that carry its transactions are durable.
 *
 *     request ─▶ admission, envelopes ─▶ SUBMIT event ─▶ ADMITTED(token) ─▶ DURABLE(position) ─▶
 * reply
 *
 * Bounded by submissions and by transactions in all; beyond that every transaction of a request is
 * refused with "busy", as it is when the core's ring is more than half full. The gateway's thread.
 */
#ifndef SLU_NODE_SUBMISSIONS_H
#define SLU_NODE_SUBMISSIONS_H

#include "node/admission.h"
#include "node/clients.h"
#include "node/runtime.h"

struct slu_submissions;

/** NULL when memory is refused. `door` may be NULL. What it is given must outlive it. */
struct slu_submissions *
slu_submissions_new(const struct slu_genesis *genesis, struct slu_runtime *runtime,
                    struct slu_admission_control *admission, const struct slu_door *door,
                    const struct slu_place *place, struct slu_metrics *metrics);
void slu_submissions_free(struct slu_submissions *submissions);

/** Takes a client's request; the reply comes now or later. */
void slu_submissions_take(struct slu_submissions *submissions, struct slu_client *client,
                          uint64_t request_id, const Slu__Client__Submit *submit);
/** What the core says to a SUBMIT event. */
void slu_submissions_admitted(struct slu_submissions *submissions, uint64_t token,
                              const struct slu_admission *items, uint32_t count, uint64_t position);
/** Own batches up to `position` are durable. */
void slu_submissions_durable(struct slu_submissions *submissions, uint64_t position);
/** Own batches up to `position` are delivered here, the last of them at `at_us`: measures. */
void slu_submissions_delivered(struct slu_submissions *submissions, uint64_t position,
                               uint64_t at_us);
/** Whether any waits for DURABLE. */
bool slu_submissions_waiting(const struct slu_submissions *submissions);
/** Whether a delivery is to be measured. */
bool slu_submissions_measuring(const struct slu_submissions *submissions);
/** How many are on their way. */
uint32_t slu_submissions_count(const struct slu_submissions *submissions);

#endif
