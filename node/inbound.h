/* Frames of peers on their way to the core: decoded, bounded and signature-checked on the thread
 * that read them, so that the core sees nothing hostile.
 *
 *     link ─ frame ─▶ slu_inbound_frame: unpack, read, verify ─▶ the core's ring
 *          ─ rested ─▶ slu_runtime_run: a turn over all of it
 *
 * The links of different peers are read on different threads of nng, so checking runs on as many
 * cores as there are; one peer's frames stay in order. Nothing is dropped for load: while too much
 * of a link waits for the core, the link is not read (node/flow.h), and the shares of all links
 * together fit the core's ring. What does not decode or verify is counted and dropped; the link
 * stays, since the peer's key proved who sent it. */
#ifndef SLU_NODE_INBOUND_H
#define SLU_NODE_INBOUND_H

#include "node/flow.h"
#include "node/runtime.h"
#include "wire/genesis.h"

struct slu_inbound;

/** `genesis`, `runtime` and `metrics` must outlive it. Errors: MEMORY. */
SLU_MUST_USE int slu_inbound_new(struct slu_inbound **inbound, const struct slu_genesis *genesis,
                                 struct slu_runtime *runtime, struct slu_metrics *metrics);
/** Bytes of one link that may wait for the core before the link is paused. */
size_t slu_inbound_share(const struct slu_inbound *inbound);
/** Checks one frame of peer `from` and queues its message for the core. From link handlers; `flow`
 * must live until `released` is called, once the core is done with the frame, on any thread. */
void slu_inbound_frame(struct slu_inbound *inbound, uint16_t from, struct slu_flow *flow,
                       void (*released)(struct slu_flow *flow), const uint8_t *data, size_t len);
/** After the links have ended and the runtime has given back its inputs. NULL is allowed. */
void slu_inbound_free(struct slu_inbound *inbound);

#endif
