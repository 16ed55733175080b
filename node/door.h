/* Who stands between the daemon and its core. In sluiced nobody does: the pointer to this table is
 * NULL, and the core is stepped as it is. A program that is built for tests (tests/byzantine) may
 * put somebody there, so that node/ itself holds nothing that deviates.
 *
 *     config section ─▶ set    key file ─▶ key    booted core ─▶ attach    then:   step, refuses */
#ifndef SLU_NODE_DOOR_H
#define SLU_NODE_DOOR_H

#include "config/node_config.h"
#include "consensus/core.h"

struct slu_door {
    void *context; /* first argument of every function */
    struct slu_config_section section;
    /** The node's signing seed, valid during the call. Errors: MEMORY. */
    int (*key)(void *context, const uint8_t seed32[32]);
    /** The core is booted and not stepped yet. Both outlive the runtime. Errors: MEMORY. */
    int (*attach)(void *context, const struct slu_genesis *genesis, uint16_t self,
                  struct slu_core *core);
    /** In place of slu_core_step. The thread that has the core. */
    void (*step)(void *context, const struct slu_event *event, struct slu_effects *effects);
    /** Whether the client at `remote` ("HOST:PORT") is told that it is over its rate. The gateway's
     * thread. */
    bool (*refuses)(void *context, const char *remote);
};

#endif
