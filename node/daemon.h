/* A whole node: its store, its core and the threads around it, started and stopped in order.
 *
 *   clients ─▶ gateway ─┐                                  ┌─▶ peers ─▶ other nodes
 *   peers ─▶ inbound ───┼─▶ runtime (core) ─▶ commit ──────┼─▶ gateway, stream ─▶ clients
 *            history ───┘                     (store)      └─▶ history
 *
 * Stopping: nobody is let in any more, what the core has taken is finished, synced and sent, the
 * store is closed. */
#ifndef SLU_NODE_DAEMON_H
#define SLU_NODE_DAEMON_H

#include "node/door.h"

struct slu_daemon;

/** Loads the config file, genesis and keys, opens the store and starts everything. `door` may be
 * NULL and must outlive the daemon. `why` (cap bytes) gets one line naming the file and field,
 * address or directory on failure. Errors: those of config/, link/, node/store; nothing is left
 * running. */
SLU_MUST_USE int slu_daemon_start(struct slu_daemon **daemon, const char *config_path,
                                  const struct slu_door *door, char *why, size_t why_cap);
/** A file descriptor that becomes readable when the node cannot go on (a failing or damaged disk).
 */
int slu_daemon_failure_fd(const struct slu_daemon *daemon);
/** One line about it. */
const char *slu_daemon_failure(struct slu_daemon *daemon);
/** Stops everything, frees. */
void slu_daemon_stop(struct slu_daemon *daemon);

#endif
