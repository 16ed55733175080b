/* The reader's side of a subscription: puts the parts of a height together and holds the stream to
 * its promise, each height once, in order, none left out.
 *
 *     Height 7 (more) ─┐
 *     Height 7 (more) ─┼─▶ slu_heights_add ─▶ height 7 whole ─▶ slu_entry_next ...
 *     Height 7        ─┘
 *
 * The client always subscribes to every height (also those without entries for its rollup): only so
 * can it see a gap itself instead of trusting the server's word. */
#ifndef SLU_CLIENT_HEIGHTS_H
#define SLU_CLIENT_HEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "proto/codec.h"
#include "wire/entry.h"
#include "wire/height_bound.h"

/** Entries of one height of any chain, at most: every lane's quota and as much again for what lists
 * add. */
#define SLU_HEIGHT_BYTES_MAX  (2u * SLU_NODES_MAX * SLU_LANE_QUOTA_BYTES_CAP)
#define SLU_HEIGHTS_WHY_BYTES 128u

/** An entry's kind as a word: "plain", "bundle", "sealed", "opened", "void", "evidence", "keygen",
 * "unknown". Static storage. */
const char *slu_entry_kind_name(uint8_t kind);

struct slu_heights {
    struct slu_height_bound bound; /* of the chain; zero: it is not known */
    uint64_t expected; /* the height that must come next; 0: any */
    bool open;         /* parts of `height` have come, the last has not */
    uint64_t height;
    uint64_t time_ms;
    uint8_t block32[32];
    uint64_t rollup;
    uint32_t count; /* entries so far */
    uint64_t last_index;
    uint8_t last_id32[32];
    bool last_sealed; /* the last entry is a commitment: its opening may follow at its index */
    uint64_t last_time_ms, parent_time_ms;
    uint8_t *bytes; /* entries back to back, as in proto/client.proto */
    size_t len;
    size_t cap;
    char why[SLU_HEIGHTS_WHY_BYTES];
};

/** Takes the next part. Returns 1 when the height is whole (its fields and entries stay readable
 * until the next call), 0 when more parts must follow. Errors, with words in `why`: MALFORMED (a
 * gap, a part that does not fit, entries that do not parse or, opened or void ones, do not say
 * where they were ordered), LIMIT (more than `bound`, of which nothing was taken), MEMORY. */
SLU_MUST_USE int slu_heights_add(struct slu_heights *heights, const Slu__Client__Height *part);

/** A whole height shall come again, from whichever server. */
void slu_heights_again(struct slu_heights *heights);
/** Forgets an unfinished height, to go on with another server from `expected`. */
void slu_heights_restart(struct slu_heights *heights);
void slu_heights_free(struct slu_heights *heights);

#endif
