/* A second oracle, which knows of a run no more than what lies on the disks at its end: an audit
 * (audit/audit.h) of every honest node. */
#ifndef SLU_SIM_AUDIT_H
#define SLU_SIM_AUDIT_H

#include "tests/sim/sim.h"

/** A rule that does not hold is a violation of invariant 15. */
void audit_all(struct sim *sim);

#endif
