/* An audit (docs/PROTOCOL.md clause 8.10): replays what happened, height by height, from the
 * records that some node's store shows, and says rule by rule whether it held. Nothing is taken on
 * trust but the genesis: every record is bound by digests and signatures, or is computed again, so
 * whoever shows the records may lie.
 *
 *     a struct slu_store ─▶ height by height: chain ▶ reports ▶ cuts ▶ clock ▶ queue ▶ forced ▶
 * calendar (a data directory,        ▶ order ▶ ids ▶ evidence ▶ openings ▶ releases a node, the
 * simulator)            └─▶ at the first height at which one does not hold it ends
 *
 * A range that begins above height 1 has a start that cannot be computed: what rules need of
 * earlier heights is read from the records below, as far as these go, and what cannot be known is
 * counted as unchecked. No I/O of its own, no clock, no thread; memory is taken at the start and
 * grows with what one height holds. */
#ifndef SLU_AUDIT_AUDIT_H
#define SLU_AUDIT_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "consensus/store.h"
#include "crypto/keyguard.h"
#include "wire/genesis.h"

enum slu_audit_rule {
    SLU_AUDIT_CHAIN = 0, /* heights, parents, certificates of finality */
    SLU_AUDIT_REPORTS,   /* q reports, signed, the ones that the block names */
    SLU_AUDIT_CUTS,      /* what the reports certify is in the block, up to the quotas */
    SLU_AUDIT_CLOCK,     /* the reports' median, rising */
    SLU_AUDIT_QUEUE,     /* every certified item is queued at once */
    SLU_AUDIT_FORCED,    /* what is queued is delivered at its height */
    SLU_AUDIT_ORDER,     /* every batch once, in order; every transaction, or a reason that holds */
    SLU_AUDIT_IDS,       /* no id twice in a window */
    SLU_AUDIT_CALENDAR,  /* sealed entries are due when they must be */
    SLU_AUDIT_OPENINGS,  /* and opened to what was sealed, or void */
    SLU_AUDIT_RELEASES,  /* what quorums signed of it */
    SLU_AUDIT_EVIDENCE,  /* what is said of offenders is proven */
    SLU_AUDIT_RULES
};

/** "chain", "reports", ...; and what its count counts: "blocks", ... Static storage. */
const char *slu_audit_rule_name(enum slu_audit_rule rule);
const char *slu_audit_rule_counts(enum slu_audit_rule rule);

struct slu_audit_line {
    uint64_t checked;
    uint64_t unchecked; /* for want of a record, or of what was before the range */
    uint64_t from;      /* the lowest height that was checked completely; 0: none */
};

#define SLU_AUDIT_WHY_BYTES 256u

struct slu_audit_report {
    uint64_t from,
        to; /* the heights that were audited: `to` is below what was asked for at a fault */
    struct slu_audit_line lines[SLU_AUDIT_RULES];
    bool held;
    enum slu_audit_rule fault;     /* the first that did not hold ... */
    uint64_t fault_height;         /* ... where ... */
    char why[SLU_AUDIT_WHY_BYTES]; /* ... and in words */
};

struct slu_audit;

/** NULL when memory is refused. `genesis` and the stores must outlive it. `others` (may be NULL)
 * are stores of other nodes: their SHARES show whether what is void is rightly so. `verifier`
 * checks signatures; NULL: by the keys of the genesis. */
struct slu_audit *slu_audit_new(const struct slu_genesis *genesis, const struct slu_store *store,
                                const struct slu_store *const *others, size_t other_count,
                                const struct slu_verifier *verifier);
void slu_audit_free(struct slu_audit *audit);

/** The heights that the store shows in full: from its lowest to the highest that is open there.
 * Errors: NOT_FOUND (none), IO, CORRUPT. */
SLU_MUST_USE int slu_audit_range(const struct slu_store *store, uint64_t *from, uint64_t *to);

/** Audits heights from .. to, once. The report says whether all held. Errors (nothing can be said):
 * IO, CORRUPT of the store itself, MEMORY. */
SLU_MUST_USE int slu_audit_run(struct slu_audit *audit, uint64_t from, uint64_t to,
                               struct slu_audit_report *report);

#endif
