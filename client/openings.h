/* Checks what the stream shows as the content of sealed transactions, with the genesis alone
 * (docs/PROTOCOL.md clause 7.11): by sealing it again under a key that the committee certified.
 * What cannot be seen without shares is that something void would have opened. One thread. */
#ifndef SLU_CLIENT_OPENINGS_H
#define SLU_CLIENT_OPENINGS_H

#include "client/committee_key.h"
#include "client/heights.h"
#include "crypto/sealed.h"

#define SLU_OPENINGS_WHY_BYTES 160u

/** Zero but for the genesis to start with. */
struct slu_openings {
    const struct slu_genesis *genesis;
    uint16_t count;
    struct slu_opening_key *keys[SLU_NODES_MAX]; /* certified; there can be no more */
};

/** Frees the keys. */
void slu_openings_forget(struct slu_openings *openings);

/** Checks the opened entries of a whole height. A key that is not known yet is asked for at `url`,
 * on a connection of its own: on the subscription's its answer would wait behind heights. `why`
 * says which entry and what is wrong. Errors: MISMATCH (no honest node shows this), those of a
 * session (the key could not be had), MEMORY. */
SLU_MUST_USE int slu_openings_check(struct slu_openings *openings,
                                    const struct slu_heights *heights, const char *url,
                                    char why[SLU_OPENINGS_WHY_BYTES]);

#endif
