/* The data directories of stopped nodes, for reading. */
#ifndef SLU_INSPECT_STOPPED_H
#define SLU_INSPECT_STOPPED_H

#include "base/limits.h"
#include "node/store.h"
#include "wire/genesis.h"

struct slu_stopped {
    struct slu_disk *disks[SLU_NODES_MAX];
    struct slu_disk_view *views[SLU_NODES_MAX];
    const struct slu_store *stores[SLU_NODES_MAX];
    size_t count;
};

/** Opens "DIR[,DIR...]". To be closed after an error, too. `why` gets one line. Errors: as
 * slu_disk_open_stopped, LIMIT (too many). */
SLU_MUST_USE int slu_stopped_open(struct slu_stopped *nodes, const char *dirs,
                                  const struct slu_genesis *genesis, char *why, size_t why_cap);
void slu_stopped_close(struct slu_stopped *nodes);

#endif
