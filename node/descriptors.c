#include "node/descriptors.h"

#include <sys/resource.h>

uint64_t slu_descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        limit.rlim_cur = raised.rlim_cur;
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

uint32_t slu_descriptors_for_clients(uint64_t limit, uint32_t wanted)
{
    uint64_t room = limit > SLU_DESCRIPTORS_OWN ? limit - SLU_DESCRIPTORS_OWN : 0;
    if (room < SLU_DESCRIPTORS_CLIENTS_MIN)
        room = SLU_DESCRIPTORS_CLIENTS_MIN;
    return wanted < room ? wanted : (uint32_t)room;
}
