/* The bounded send queue of a link: frames are laid out where they will be sealed.
 *
 *     head ─▶ chunk ─▶ chunk ─▶ tail          a chunk becomes one record:
 *                               ▲ append      [ 5 | frame frame frame ... | 16 ]
 *
 * A frame goes behind the last one if its chunk has room, else into a new chunk: a small one while
 * little is queued, SLU_RECORD_COALESCE_MAX under load, or one just large enough. The bound counts
 * frames with their 4 bytes; chunks that could not be filled may take up to twice that memory.
 * Not thread safe: the link's lock covers it. */
#ifndef SLU_LINK_QUEUE_H
#define SLU_LINK_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "link/record.h"

#define SLU_CHUNK_SMALL_BYTES 2048u /* text of the first chunk of a link at rest */

struct slu_chunk {
    struct slu_chunk *next;
    size_t cap; /* bytes of text that fit */
    size_t len; /* bytes of text in it */
    size_t frames;
    uint8_t wire[];
};

struct slu_queue {
    struct slu_chunk *head;
    struct slu_chunk *tail;
    struct slu_chunk *spare; /* one kept for reuse */
    size_t bytes;            /* text in the queue and in flight */
    size_t bytes_max;
    size_t in_flight; /* chunks taken and not given back */
};

/** Appends the frame head|body. Errors: BUSY, MEMORY. */
SLU_MUST_USE int slu_queue_append(struct slu_queue *queue, const void *head, size_t head_len,
                                  const void *body, size_t body_len);
/** Takes the first chunk; the caller seals and sends it, then gives it back. NULL when empty. */
struct slu_chunk *slu_queue_take(struct slu_queue *queue);
void slu_queue_give_back(struct slu_queue *queue, struct slu_chunk *chunk);
/** Frees the spare chunk. */
void slu_queue_trim(struct slu_queue *queue);
/** Frees everything. */
void slu_queue_clear(struct slu_queue *queue);

#endif
