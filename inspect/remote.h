/* A running node's records, asked for over its client address, as a store: what an audit reads next is asked
 * for ahead, a few heights at once. What the node shows may be wrong; that is the audit's to find. */
#ifndef SLU_INSPECT_REMOTE_H
#define SLU_INSPECT_REMOTE_H

#include "client/command.h"
#include "consensus/store.h"

struct slu_remote;

/** `urls` must outlive it; a node that dies is replaced by the next. NULL: memory is refused, or none answers;
 * `why` gets one line. */
struct slu_remote *slu_remote_open(struct slu_urls *urls, const uint8_t chain_id32[32], char *why,
                                   size_t why_cap);
void slu_remote_close(struct slu_remote *remote);
/** Only for slu_audit_range and audits: `scan` gives the lowest height, `last` the highest. */
struct slu_store slu_remote_store(struct slu_remote *remote);
/** The last reason for an IO error. */
const char *slu_remote_why(const struct slu_remote *remote);

#endif
