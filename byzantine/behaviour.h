/* The behaviours of a deviating node, by name: a row each of the section [byzantine] in the config
 * of a Byzantine build, and what `sim --behaviour` takes. Several may be set at once.
 *
 *     [byzantine]
 *     equivocate_batches = yes
 *     delay_ms = 300
 *
 * Pure data; any thread once it is filled. */
#ifndef SLU_BYZANTINE_BEHAVIOUR_H
#define SLU_BYZANTINE_BEHAVIOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

enum slu_behaviour {
    SLU_REFUSE_ROLLUP,      /* = ID: takes none of its transactions, vouches for no lane with one */
    SLU_REFUSE_CLIENT,      /* = ADDRESS: says that it is over its rate */
    SLU_REFUSE_FORCED,      /* says nothing about inbox items: neither relays, holds nor reports them */
    SLU_EQUIVOCATE_BATCHES, /* two batches at each own position, and acks of both */
    SLU_EQUIVOCATE_PROPOSALS,   /* two valid proposals in each own view */
    SLU_WORST_QUORUM,           /* proposes on the lowest reports that it can get, its own empty */
    SLU_SILENT_LEADER,          /* says nothing in its own views */
    SLU_DELAY_MS,               /* = X: everything that it sends leaves X ms late */
    SLU_CERTIFICATES_TO_LEADER, /* acks and certificates reach the leader only */
    SLU_VOTE_TWICE,             /* two Notarize in a view; Nullify together with Finalize */
    SLU_GARBAGE_ANSWERS,        /* answers fetches with what is broken, or another thing */
    SLU_STALE_ANSWERS,          /* answers fetches with old things; reports and status are old */
    SLU_WITHHOLD_SHARES,        /* neither sends nor serves its decryption shares */
    SLU_LIE_SHARES,             /* sends and serves wrong ones, signed */
    SLU_WITHHOLD_RELEASES,      /* neither signs releases nor serves certificates of them */
    SLU_LIE_RELEASES,           /* signs others: at every height, at some, or to some nodes */
    SLU_BEHAVIOURS
};

#define SLU_REFUSED_CLIENT_BYTES_MAX 64u
#define SLU_DEVIANT_DELAY_MS_MAX     60000u

struct slu_behaviours {
    uint32_t set; /* bits by slu_behaviour */
    uint64_t rollup;
    uint32_t delay_ms;
    char client[SLU_REFUSED_CLIENT_BYTES_MAX];
};

static inline bool slu_behaves(const struct slu_behaviours *behaviours, enum slu_behaviour which)
{
    return behaviours->set >> which & 1;
}

/** The name of a behaviour: "equivocate_batches". Static storage. */
const char *slu_behaviour_name(enum slu_behaviour behaviour);

/** Adds a behaviour. `value`: a rollup's id, an address, ms, or "yes" for those without one.
 * Errors: NOT_FOUND (no such name), CONFIG (not a value of it). */
SLU_MUST_USE int slu_behaviours_set(struct slu_behaviours *behaviours, const char *name,
                                    const char *value);

/** Whether the client at `remote` ("HOST:PORT" or "HOST") is refused. */
bool slu_behaviours_refuse_client(const struct slu_behaviours *behaviours, const char *remote);

#endif
