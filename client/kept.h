/* Envelopes that were made or given away and whose outcome is not known yet, by id: what is sent
 * again is the same bytes, so that it is the same transaction.
 *
 *     made ─▶ [kept] ─▶ outcome known, or nobody can order it any more: gone
 *
 * Bounded by whoever adds (bytes). One thread. */
#ifndef SLU_CLIENT_KEPT_H
#define SLU_CLIENT_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "client/tracked.h"

struct slu_kept {
    struct slu_kept *next; /* of its bucket */
    uint8_t id32[32];
    uint64_t rollup; /* in whose stream it will stand */
    uint64_t valid_until_ms;
    uint64_t from_height;   /* delivered at the node that took it; 0: none did */
    uint64_t not_before_ms; /* monotonic: given again not before then */
    bool maybe_taken;       /* a node accepted it, or did not answer */
    bool known;             /* that node had it already */
    enum slu_fate fate;     /* ORDERED or EXPIRED: a search of the history has found it so */
    uint64_t height;        /* ordered there, */
    uint32_t index;         /* and at this index */
    uint32_t len;
    uint8_t envelope[];
};

struct slu_kept_table {
    struct slu_kept **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
    size_t bytes; /* with what each entry costs beside its envelope */
};

/** What keeping an envelope of `len` bytes costs. */
size_t slu_kept_cost(size_t len);
/** NULL: not there. */
struct slu_kept *slu_kept_find(const struct slu_kept_table *table, const uint8_t id32[32]);
/** The entry of `id32`: the one that is there, or a new one with a copy of the envelope. NULL:
 * memory is refused. Valid until it is removed. */
struct slu_kept *slu_kept_add(struct slu_kept_table *table, const uint8_t id32[32],
                              const uint8_t *envelope, size_t len);
void slu_kept_remove(struct slu_kept_table *table, struct slu_kept *kept);
/** Removes all that is valid until before `stream_ms`. */
void slu_kept_sweep(struct slu_kept_table *table, uint64_t stream_ms);
void slu_kept_free(struct slu_kept_table *table);

#endif
