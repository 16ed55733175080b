/* What the lines of control.h do. */
#ifndef SLU_RELAY_COMMAND_H
#define SLU_RELAY_COMMAND_H

#include <stdio.h>

#include "deploy/relay/carrier.h"

/** Does what `line` says, which is taken apart, and writes the answer. */
void relay_command(struct relay_carrier *carrier, char *line, FILE *answer);

/** A number of 0 .. `most`, with a fraction or not, and nothing behind it. False: it is none. */
bool relay_number(const char *text, double most, double *number);
/** The same for an integer. */
bool relay_integer(const char *text, uint64_t most, uint64_t *number);

#endif
