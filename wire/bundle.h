/* Bundles as nodes judge them (docs/PROTOCOL.md clause 5.4). The body's form, and what writes and
 * reads it, is sluice/bundle.h: implemented here. */
#ifndef SLU_WIRE_BUNDLE_H
#define SLU_WIRE_BUNDLE_H

#include "sluice/bundle.h"
#include "wire/genesis.h"

#define SLU_BUNDLE_LEG_HEAD_BYTES 12u /* rollup, length */

/** Whether the chain knows the rollup of every leg. */
bool slu_bundle_known(const struct slu_genesis *genesis, const struct slu_bundle *bundle);

#endif
