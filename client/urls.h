/* A list of nodes' client URLs, and which of them is in use. Prints nothing. */
#ifndef SLU_CLIENT_URLS_H
#define SLU_CLIENT_URLS_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define SLU_URLS_MAX   64u
#define SLU_CONNECT_MS 3000u /* for one attempt */

struct slu_urls {
    char text[SLU_URLS_MAX * 130u];
    size_t used; /* of the text */
    const char *at[SLU_URLS_MAX];
    size_t count;
    size_t current;
    uint32_t connect_ms;       /* for one attempt; 0: SLU_CONNECT_MS */
    uint32_t answer_ms;        /* of the sessions that are opened (client/session.h) */
    uint64_t until_ms;         /* monotonic: no attempt goes on past it; 0: they may */
    const uint8_t *chain_id32; /* NULL: of any chain */
};

/** Appends `len` bytes of text as a URL; one without a scheme gets tcp://. Errors: LIMIT (empty,
 * too long, or one too many), after which the list is as it was. */
SLU_MUST_USE int slu_urls_add(struct slu_urls *urls, const char *text, size_t len);

struct slu_session;

/** Opens a session to the current URL or, failing that, to each of the others, again and again
 * until `give_up_ms` are over (every URL is tried once at least, while `until_ms` allows). NULL:
 * none answered; `why` has the last reason, if there was an attempt. */
struct slu_session *slu_urls_open(struct slu_urls *urls, uint32_t give_up_ms, char *why,
                                  size_t why_cap);

#endif
