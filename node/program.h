/* The program sluiced, but for who stands at its core's door (node/door.h). */
#ifndef SLU_NODE_PROGRAM_H
#define SLU_NODE_PROGRAM_H

#include "node/door.h"

/** Runs one node until SIGTERM or SIGINT; `door` NULL: nobody. Returns the exit code. */
int slu_sluiced_main(int argc, char **argv, const struct slu_door *door);

#endif
