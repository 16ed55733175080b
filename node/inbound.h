/* Frames of peers on their way to the core: decoded, bounded and signature-checked by worker
 * threads, so that the core's thread does no such work and sees nothing hostile.
 *
 *     link ─ slu_inbound_frame ─▶ worker's ring ─▶ unpack, read, verify ─▶ slu_runtime_push_wait
 *            (copies, pauses the link over its share)
 *
 * All frames of a peer go to one worker, so they stay in order. Nothing is dropped for load: while
 * too much of a link waits, the link is not read (node/flow.h). What does not decode or verify is
 * counted and dropped; the link stays, since the peer's key proved who sent it. */
#ifndef SLU_NODE_INBOUND_H
#define SLU_NODE_INBOUND_H

#include "node/flow.h"
#include "node/runtime.h"
#include "wire/genesis.h"

struct slu_inbound;

#define SLU_INBOUND_WORKERS_MAX 8u

/** Starts `workers` threads. Errors: MEMORY, IO. */
SLU_MUST_USE int slu_inbound_start(struct slu_inbound **inbound, const struct slu_genesis *genesis,
                                   struct slu_runtime *runtime, struct slu_metrics *metrics,
                                   unsigned workers);
/** Bytes of one link that may wait before the link is paused. */
size_t slu_inbound_share(const struct slu_inbound *inbound);
/** Copies one frame of peer `from`. From link handlers; `flow` lives until slu_inbound_done says
 * so: `released` is called once the frame is dealt with. */
void slu_inbound_frame(struct slu_inbound *inbound, uint16_t from, struct slu_flow *flow,
                       void (*released)(struct slu_flow *flow), const uint8_t *data, size_t len);
/** Ends the threads; frames not yet dealt with are dropped. After the runtime has stopped. */
void slu_inbound_stop(struct slu_inbound *inbound);
struct slu_ring_fill slu_inbound_fill(struct slu_inbound *inbound);

#endif
