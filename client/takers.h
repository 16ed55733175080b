/* The nodes that a forced transaction may be given to, by URL: any of them may lie, be of another
 * chain, or say nothing at all.
 *
 * A connection is opened when it is first needed and again when it broke; who is of another chain
 * or does not answer in time is left alone from then on. One thread. */
#ifndef SLU_CLIENT_TAKERS_H
#define SLU_CLIENT_TAKERS_H

#include "client/session.h"
#include "client/urls.h"

struct slu_takers {
    const char *command; /* the subcommand, for words */
    struct slu_urls urls;
    uint8_t chain_id[32]; /* with has_chain: the only chain that is talked to */
    bool has_chain, has_time;
    bool left[SLU_URLS_MAX]; /* alone */
    struct slu_session *sessions[SLU_URLS_MAX];
    uint64_t ahead_ms; /* stream time ahead of the monotonic clock, modulo 2^64 */
};

/** A live session to URL `i`; NULL: there is none. Complains once about a foreign chain. */
struct slu_session *slu_takers_session(struct slu_takers *takers, size_t i);

/** What node `i` wants for an envelope of `bytes`, to be freed with slu_reply_free. NULL: no
 * answer, or one that cannot be terms: a price of nothing, no block. */
Slu__Client__Reply *slu_takers_terms(struct slu_takers *takers, size_t i, uint32_t bytes);

/** Stream time now: the middle of what all nodes and, beside a second one, the own clock say when
 * first asked, so that one liar cannot make a transaction that honest nodes refuse as out of time.
 */
uint64_t slu_takers_time(struct slu_takers *takers);

void slu_takers_close(struct slu_takers *takers);

#endif
