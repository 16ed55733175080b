/* Delivered heights as subscribers read them: the delivered record, the ids, and batch by batch the
 * entries in the form in which they travel (proto/client.proto, Height.entries):
 *
 *     index u32 | rollup u64 | id 32 | kind u8 | len u32 | payload
 *
 * kind: the envelope's, + SLU_ENTRY_FORCED when it came out of the queue; SLU_ENTRY_EVIDENCE.
 *
 * Read from the store through a small cache, so that many subscribers at the head of the stream
 * cost one read. Bounded: SLU_HEIGHTS_CACHED heights, SLU_CHUNKS_CACHED batches, and their bytes;
 * what is returned is valid until the next call. One thread. */
#ifndef SLU_NODE_HEIGHT_H
#define SLU_NODE_HEIGHT_H

#include "consensus/order.h"
#include "node/metrics.h"
#include "node/store.h"

#define SLU_HEIGHTS_CACHED     32u
#define SLU_CHUNKS_CACHED      256u
#define SLU_CHUNK_BYTES_CACHED (12u * 1024u * 1024u)

#define SLU_ENTRY_HEAD_BYTES 49u
#define SLU_ENTRY_FORCED     128u
#define SLU_ENTRY_EVIDENCE   64u
#define SLU_ENTRY_KEYGEN     65u

struct slu_height {
    uint64_t height, time_ms;
    uint8_t block[32];
    uint32_t chunk_count;
    uint32_t entries;
};

/** Entries that are stored together: what came out of the queue first, then, batch by batch, what
 * was not dropped. */
struct slu_chunk {
    const uint8_t *bytes;
    size_t len;
    uint32_t entries;
};

struct slu_height_cache;

/** NULL when memory is refused. */
struct slu_height_cache *slu_height_cache_new(struct slu_disk *disk, struct slu_metrics *metrics);
void slu_height_cache_free(struct slu_height_cache *heights);

/** A delivered height. Errors: NOT_FOUND (not delivered, or pruned), CORRUPT, IO, MEMORY. */
SLU_MUST_USE int slu_height_cache_get(struct slu_height_cache *heights, uint64_t height,
                                      struct slu_height *found);
/** Chunk `index` (0 .. chunk_count-1) of a height. Errors: as slu_height_cache_get. */
SLU_MUST_USE int slu_height_cache_chunk(struct slu_height_cache *heights, uint64_t height,
                                        uint32_t index, struct slu_chunk *chunk);

#endif
