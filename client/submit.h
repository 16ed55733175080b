/* Transactions in, one JSON line each out: what `sluice submit` and `sluice bundle` do once they
 * know what they are told. */
#ifndef SLU_CLIENT_SUBMIT_H
#define SLU_CLIENT_SUBMIT_H

#include "client/submit_options.h"

/** Submits all payloads, or forces them (force.h); returns an exit code. */
int slu_submit_lines(struct slu_submit_options *options);

#endif
