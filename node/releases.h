/* What verifying readers get beside the entries (docs/PROTOCOL.md clauses 8.5, 8.6): runs of
 * releases with their certificate, and where each height has a rollup's entries, or that it has
 * none.
 *
 *     RELEASE, RELEASE_CERT ─▶ run: releases up to the lowest certificate at or above a height
 *     SPACE, RELEASE ─▶ leaves ─▶ both trees of a height, kept ─▶ proof of any rollup
 *
 * Read from the store through a small cache, so that many readers at the head cost one read of a
 * run and one hashing of a height's leaves, whatever rollups they follow. Bounded: SLU_RUNS_CACHED
 * runs, SLU_SPACES_CACHED heights, and their bytes. What is returned is valid until the next call.
 * One thread. */
#ifndef SLU_NODE_RELEASES_H
#define SLU_NODE_RELEASES_H

#include "node/metrics.h"
#include "node/store.h"
#include "wire/genesis.h"
#include "wire/space.h"

#define SLU_RUNS_CACHED         16u
#define SLU_SPACES_CACHED       32u
#define SLU_SPACES_BYTES_CACHED (8u * 1024u * 1024u)
/** Two of wire/space.h, the ordered and the opened. */
#define SLU_HEIGHT_PROOF_BYTES_MAX (2u * SLU_SPACE_PROOF_BYTES_MAX)

/** A run, or as much of one as goes into a message. */
struct slu_run {
    uint64_t end;            /* the first height that is not among the releases */
    const uint8_t *releases; /* of the heights below it, back to back */
    size_t releases_len;
    const uint8_t *certificate; /* of `end`; NULL: the run goes on */
    size_t certificate_len;
};

struct slu_release_cache;

/** `genesis` must outlive it. NULL when memory is refused. */
struct slu_release_cache *slu_release_cache_new(struct slu_disk *disk,
                                                const struct slu_genesis *genesis,
                                                struct slu_metrics *metrics);
/** NULL is allowed. */
void slu_release_cache_free(struct slu_release_cache *releases);

/** The releases from `from` on up to the lowest certificate at or above it, at most
 * SLU_RELEASES_PER_MESSAGE of them. Errors: NOT_FOUND (no certificate within SLU_RELEASE_RUN_MAX
 * heights, or a release of them is pruned), CORRUPT, IO, MEMORY. */
SLU_MUST_USE int slu_release_cache_run(struct slu_release_cache *releases, uint64_t from,
                                       struct slu_run *run);
enum slu_space_kind {
    SLU_SPACE_ORDERED,
    SLU_SPACE_OPENED,
};

/** Appends the proof of `rollup` in one of the two spaces of a released height. Errors: NOT_FOUND
 * (not released, or pruned), CORRUPT, IO, MEMORY. */
SLU_MUST_USE int slu_release_cache_prove(struct slu_release_cache *releases, uint64_t height,
                                         enum slu_space_kind kind, uint64_t rollup,
                                         struct slu_writer *w);

#endif
