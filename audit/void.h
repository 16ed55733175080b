/* Whether what did not open could not be opened (docs/CRYPTO.md clause 6.3). Private to audit/. */
#ifndef SLU_AUDIT_VOID_H
#define SLU_AUDIT_VOID_H

#include "audit/state.h"

/** The voids among the height's dues, whose outcomes are known: opens them with the shares of k
 * nodes, where the stores have so many. */
int audit_voids(struct slu_audit *a);

/** The envelope of the entry that was ordered at a height and index, out of the records: into
 * `out`. Errors: NOT_FOUND (a record that it takes is not there), IO, CORRUPT, MEMORY. */
SLU_MUST_USE int audit_find_envelope(struct slu_audit *a, uint64_t height, uint32_t index,
                                     struct audit_bytes *out);

#endif
