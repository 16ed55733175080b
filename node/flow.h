/* Backpressure of one link: its frames wait in a ring of ours, and while too many bytes of it wait,
 * it is not read. The other side then meets a full socket and its own bounded queue.
 *
 *     handler.frame ── slu_flow_add ──▶ ring ──▶ worker ── slu_flow_done
 *                       over `high`: pause              under half: resume */
#ifndef SLU_NODE_FLOW_H
#define SLU_NODE_FLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "link/link.h"

struct slu_flow {
    struct slu_link *link;
    size_t high_bytes;
    _Atomic size_t queued;
    _Atomic bool paused;
};

void slu_flow_init(struct slu_flow *flow, struct slu_link *link, size_t high_bytes);
/** From the link's frame handler, after `bytes` were queued. */
void slu_flow_add(struct slu_flow *flow, size_t bytes);
/** From the worker, when `bytes` have been dealt with. */
void slu_flow_done(struct slu_flow *flow, size_t bytes);

#endif
