/* Raw records for audits (docs/PROTOCOL.md clause 8.10): looked up on a thread of its own, one query at a
 * time, so that an audit takes no more of the node than one reader of old heights.
 *
 *     AuditQuery {keys} ─▶ ring ─▶ thread: a view of the store ─▶ AuditReply {records}, one frame
 *
 * A few wait; beyond that "busy". */
#ifndef SLU_NODE_AUDITS_H
#define SLU_NODE_AUDITS_H

#include "node/clients.h"
#include "node/store.h"

#define SLU_AUDITS_WAITING_MAX 16u
#define SLU_AUDIT_KEYS_MAX     256u            /* in one query */
#define SLU_AUDIT_KEY_BYTES    49u             /* kind u8 | a u64 | b u64 | digest 32 */
#define SLU_AUDIT_BYTES_MAX    (768u * 1024u)  /* of values in one reply: a frame */

struct slu_audits;

/** Starts the thread. Errors: MEMORY, IO. */
SLU_MUST_USE int slu_audits_start(struct slu_audits **audits, struct slu_disk *disk);
/** Takes a client's request. Any thread. */
void slu_audits_put(struct slu_audits *audits, struct slu_client *client, uint64_t request_id,
                    const Slu__Client__AuditQuery *query);
/** Ends the thread, frees. NULL is allowed. */
void slu_audits_stop(struct slu_audits *audits);

#endif
