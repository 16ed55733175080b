/* The stages of a transaction as TxStatus of proto/client.proto numbers them. */
#ifndef SLU_CLIENT_STAGE_H
#define SLU_CLIENT_STAGE_H

#include <stdint.h>

enum slu_client_stage {
    SLU_CLIENT_UNKNOWN = 0,
    SLU_CLIENT_ACCEPTED = 1,
    SLU_CLIENT_CERTIFIED = 2,
    SLU_CLIENT_ORDERED = 3,
    SLU_CLIENT_FINAL = 4,
    SLU_CLIENT_DROPPED = 5,
    SLU_CLIENT_HELD = 6, /* forced, on its way into the queue ... */
    SLU_CLIENT_HELD_CERTIFIED = 7,
    SLU_CLIENT_QUEUED = 8, /* ... and in it: due_height is fixed */
};

/** A stage's word; a transaction dropped for being late is "expired". Static storage. */
const char *slu_stage_name(uint32_t stage, const char *reason);

#endif
