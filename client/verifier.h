/* What a reader knows for certain of a stream, with the genesis alone (docs/PROTOCOL.md
 * clause 8.8). Pure: bytes in, a verdict out; no network, no clock.
 *
 *     Releases ─▶ slu_feed_verifier_releases ─▶ a run: each release names the one below, q nodes
 * signed the last Height   ─▶ slu_feed_verifier_height   ─▶ is it the next release's, with all of
 * its entries and no others? slu_feed_verifier_accept   ─▶ the next one is due
 *
 * The first release may be of any height: what is below it is not this reader's business. From then
 * on each must name the one that was accepted last, whichever server shows it, so that all servers
 * show one chain or are found out. One thread. */
#ifndef SLU_CLIENT_VERIFIER_H
#define SLU_CLIENT_VERIFIER_H

#include "base/check.h"
#include "client/heights.h"
#include "wire/genesis.h"
#include "wire/release.h"

#define SLU_VERIFIER_WHY_BYTES 256u

struct slu_feed_verifier;

/** For a reader of `rollup` (0: all) from the height `from` on (0: whichever comes first). The
 * genesis must outlive it. NULL when memory is refused. */
struct slu_feed_verifier *slu_feed_verifier_new(const struct slu_genesis *genesis, uint64_t rollup,
                                                uint64_t from);
/** NULL is allowed. */
void slu_feed_verifier_free(struct slu_feed_verifier *verifier);

/** Another server goes on: what the last one announced is forgotten, what was accepted is not. */
void slu_feed_verifier_restart(struct slu_feed_verifier *verifier);

/** Takes a run, or a part of one: its releases but the last back to back, and with the last part
 * the certificate of the last one; it is empty with others. A run has at most SLU_RELEASE_RUN_MAX
 * heights. Errors, with words in `why`: MISMATCH (no honest node shows this), MEMORY. */
SLU_MUST_USE int slu_feed_verifier_releases(struct slu_feed_verifier *verifier,
                                            const uint8_t *releases, size_t releases_len,
                                            const uint8_t *certificate, size_t certificate_len,
                                            char why[SLU_VERIFIER_WHY_BYTES]);

/** Checks a whole height. Errors, with words in `why`: MISMATCH (no honest node shows this),
 * MEMORY. */
SLU_MUST_USE int slu_feed_verifier_height(struct slu_feed_verifier *verifier,
                                          const struct slu_heights *heights, const uint8_t *proof,
                                          size_t proof_len, char why[SLU_VERIFIER_WHY_BYTES]);
/** The height that was just checked is the reader's; returns its release, valid until the next
 * call. */
const struct slu_release *slu_feed_verifier_accept(struct slu_feed_verifier *verifier);

#endif
