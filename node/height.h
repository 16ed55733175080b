/* Open heights as subscribers read them: the delivered record, the ids, and chunk by chunk the
 * entries in the form in which they travel (wire/entry.h), in the order of their index:
 *
 *     out of the queue │ openings of what waited │ batch │ batch │ ...      one chunk each
 *
 * A sealed entry that is due where it was ordered is followed by its opening, of the same index;
 * what waited has indexes of its own. Ids stand in the IDS record, but for those of what waited,
 * which the delivered record's dues have.
 *
 * Read from the store through a small cache, so that many subscribers at the head of the stream
 * cost one read. Bounded: SLU_HEIGHTS_CACHED heights, SLU_CHUNKS_CACHED batches, and their bytes;
 * what is returned is valid until the next call. One thread. */
#ifndef SLU_NODE_HEIGHT_H
#define SLU_NODE_HEIGHT_H

#include "node/metrics.h"
#include "node/store.h"
#include "wire/entry.h"

#define SLU_HEIGHTS_CACHED     32u
#define SLU_CHUNKS_CACHED      256u
#define SLU_CHUNK_BYTES_CACHED (12u * 1024u * 1024u)

struct slu_height {
    uint64_t height, time_ms;
    uint8_t block[32];
    uint32_t chunk_count;
    uint32_t indexes; /* of entries: an opening right behind its commitment has none of its own */
};

/** Entries that are stored together. */
struct slu_chunk {
    const uint8_t *bytes;
    size_t len;
    uint32_t entries; /* openings among them */
};

struct slu_height_cache;

/** NULL when memory is refused. */
struct slu_height_cache *slu_height_cache_new(struct slu_disk *disk, struct slu_metrics *metrics);
void slu_height_cache_free(struct slu_height_cache *heights);

/** A height that is open. Errors: NOT_FOUND (not delivered, or pruned), CORRUPT, IO, MEMORY. */
SLU_MUST_USE int slu_height_cache_get(struct slu_height_cache *heights, uint64_t height,
                                      struct slu_height *found);
/** Chunk `index` (0 .. chunk_count-1) of a height. Errors: as slu_height_cache_get; CORRUPT also
 * when what was due is not opened. */
SLU_MUST_USE int slu_height_cache_chunk(struct slu_height_cache *heights, uint64_t height,
                                        uint32_t index, struct slu_chunk *chunk);

#endif
