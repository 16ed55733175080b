/* File descriptors, shared out: whoever connects takes none that the node itself needs.
 *
 * A process may have so many open, files and connections together. Were they all connections, the
 * store could open no file, and would stop the node. So the limit is raised as far as the system
 * lets it, and clients get what is left beside the store's files, the peers and the rest. */
#ifndef SLU_NODE_DESCRIPTORS_H
#define SLU_NODE_DESCRIPTORS_H

#include <stdint.h>

/** What the node needs for itself: 256 tables and bodies' files (node/store_options.c), 320 links
 * of peers (node/peers.c), 2 x 64 that were told to go (link/listener.c), HTTP (node/http.c), logs,
 * timers, nng. */
#define SLU_DESCRIPTORS_OWN 832u
/** Clients that are let in even so, where the limit is lower than that. */
#define SLU_DESCRIPTORS_CLIENTS_MIN 32u

/** Raises this process's limit to what it may have, and returns it. */
uint64_t slu_descriptors_raise(void);
/** How many of `wanted` clients fit under `limit`. */
uint32_t slu_descriptors_for_clients(uint64_t limit, uint32_t wanted);

#endif
