#include "node/flow.h"

void slu_flow_init(struct slu_flow *flow, struct slu_link *link, size_t high_bytes)
{
    flow->link = link;
    flow->high_bytes = high_bytes;
    atomic_init(&flow->queued, 0);
    atomic_init(&flow->paused, false);
}

/* Whoever turns `paused` off resumes; both sides look after their own change, so one of them sees
 * the other's. */
static void resume_if_low(struct slu_flow *flow)
{
    if (atomic_load(&flow->queued) <= flow->high_bytes / 2 && atomic_exchange(&flow->paused, false))
        slu_link_resume_reading(flow->link);
}

void slu_flow_add(struct slu_flow *flow, size_t bytes)
{
    if (atomic_fetch_add(&flow->queued, bytes) + bytes <= flow->high_bytes)
        return;
    slu_link_pause_reading(flow->link);
    atomic_store(&flow->paused, true);
    resume_if_low(flow);
}

void slu_flow_done(struct slu_flow *flow, size_t bytes)
{
    atomic_fetch_sub(&flow->queued, bytes);
    if (atomic_load(&flow->paused))
        resume_if_low(flow);
}
