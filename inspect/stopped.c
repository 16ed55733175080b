#include "inspect/stopped.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/error.h"

static int open_one(struct slu_stopped *nodes, const char *dir, const struct slu_genesis *genesis,
                    char *why, size_t why_cap)
{
    uint16_t node;
    size_t at = nodes->count;
    if (at == SLU_NODES_MAX) {
        snprintf(why, why_cap, "more directories than a committee has nodes");
        return SLU_ERR_LIMIT;
    }
    int rc = slu_disk_open_stopped(&nodes->disks[at], dir, genesis->chain_id, &node, why, why_cap);
    if (rc)
        return rc;
    nodes->count++;
    nodes->views[at] = slu_disk_view_new(nodes->disks[at]);
    if (!nodes->views[at])
        return SLU_ERR_MEMORY;
    nodes->stores[at] = slu_disk_view_store(nodes->views[at]);
    return SLU_OK;
}

int slu_stopped_open(struct slu_stopped *nodes, const char *dirs, const struct slu_genesis *genesis,
                     char *why, size_t why_cap)
{
    *nodes = (struct slu_stopped){.count = 0};
    char *words = strdup(dirs), *rest = NULL;
    int rc = words ? SLU_OK : SLU_ERR_MEMORY;
    snprintf(why, why_cap, "%s", slu_strerror(SLU_ERR_MEMORY));
    for (char *dir = rc ? NULL : strtok_r(words, ",", &rest); dir && !rc;
         dir = strtok_r(NULL, ",", &rest))
        rc = open_one(nodes, dir, genesis, why, why_cap);
    if (!rc && nodes->count == 0) {
        snprintf(why, why_cap, "needs a directory");
        rc = SLU_ERR_CONFIG;
    }
    free(words);
    return rc;
}

void slu_stopped_close(struct slu_stopped *nodes)
{
    for (size_t i = 0; i < nodes->count; i++) {
        slu_disk_view_free(nodes->views[i]);
        slu_disk_close(nodes->disks[i]);
    }
}
