/* `--forced`: the way past a node that will not take a transaction, or a leader that leaves it out
 * (docs/PROTOCOL.md clause 6).
 *
 *     terms ─▶ envelope ─▶ work for the postage ─▶ Force ─▶ receipts of f+1 nodes ─▶ (wait) where
 */
#ifndef SLU_CLIENT_FORCE_H
#define SLU_CLIENT_FORCE_H

#include "client/submit_options.h"

/** Forces all payloads, one after another; returns an exit code. */
int slu_force(struct slu_submit_options *options);

#endif
