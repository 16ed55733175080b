#include "client/stage.h"

#include <string.h>

const char *slu_stage_name(uint32_t stage, const char *reason)
{
    static const char *const names[] = {"unknown", "accepted", "certified",      "ordered", "final",
                                        "dropped", "held",     "held_certified", "queued"};
    if (stage >= sizeof names / sizeof *names)
        return "unknown";
    if (stage == SLU_CLIENT_DROPPED && !strcmp(reason, "expired"))
        return "expired";
    return names[stage];
}
