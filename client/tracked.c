#include "client/tracked.h"

#include <stdlib.h>
#include <string.h>

void slu_tracked_end(struct slu_tracked *row, enum slu_fate fate, const char *reason)
{
    free(row->reason);
    row->reason = reason && *reason ? strdup(reason) : NULL;
    row->fate = fate;
}
