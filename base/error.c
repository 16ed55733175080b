#include "sluice/error.h"

const char *slu_strerror(int error)
{
    switch (error) {
    case SLU_OK:
        return "ok";
    case SLU_ERR_MALFORMED:
        return "malformed bytes";
    case SLU_ERR_SIGNATURE:
        return "bad signature";
    case SLU_ERR_MISMATCH:
        return "belongs to another chain, epoch or version";
    case SLU_ERR_LIMIT:
        return "over a limit";
    case SLU_ERR_IO:
        return "input/output error";
    case SLU_ERR_CORRUPT:
        return "stored data is damaged";
    case SLU_ERR_NOT_FOUND:
        return "not found";
    case SLU_ERR_MEMORY:
        return "out of memory";
    case SLU_ERR_CLOSED:
        return "closed";
    case SLU_ERR_TIMEOUT:
        return "timed out";
    case SLU_ERR_BUSY:
        return "busy";
    case SLU_ERR_CONFIG:
        return "bad configuration";
    case SLU_ERR_EXISTS:
        return "already exists";
    case SLU_ERR_REFUSED:
        return "refused";
    case SLU_ERR_LIE:
        return "a node's lie";
    default:
        return "unknown error";
    }
}
