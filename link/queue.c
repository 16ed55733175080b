#include "link/queue.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/error.h"

static struct slu_chunk *new_chunk(struct slu_queue *queue, size_t need)
{
    bool at_rest = queue->head == NULL && queue->in_flight == 0;
    size_t cap = at_rest ? SLU_CHUNK_SMALL_BYTES : SLU_RECORD_COALESCE_MAX;
    if (cap < need)
        cap = need;
    struct slu_chunk *chunk = queue->spare;
    if (chunk != NULL && chunk->cap >= cap) {
        queue->spare = NULL;
    } else {
        chunk = malloc(sizeof *chunk + SLU_RECORD_WIRE_MIN + cap);
        if (chunk == NULL)
            return NULL;
        chunk->cap = cap;
    }
    chunk->next = NULL;
    chunk->len = 0;
    chunk->frames = 0;
    if (queue->tail != NULL)
        queue->tail->next = chunk;
    else
        queue->head = chunk;
    queue->tail = chunk;
    return chunk;
}

int slu_queue_append(struct slu_queue *queue, const void *head, size_t head_len, const void *body,
                     size_t body_len)
{
    size_t len = head_len + body_len;
    size_t need = SLU_RECORD_FRAME_HEAD + len;
    if (queue->bytes + need > queue->bytes_max)
        return SLU_ERR_BUSY;
    struct slu_chunk *chunk = queue->tail;
    /* A spare may be larger than the coalescing bound: it bounds the record, not the chunk. */
    if (chunk == NULL || chunk->cap - chunk->len < need ||
        (chunk->len > 0 && chunk->len + need > SLU_RECORD_COALESCE_MAX))
        chunk = new_chunk(queue, need);
    if (chunk == NULL)
        return SLU_ERR_MEMORY;
    uint8_t *at = chunk->wire + SLU_RECORD_HEAD + chunk->len;
    slu_record_put_length(at, len);
    at += SLU_RECORD_FRAME_HEAD;
    if (head_len > 0)
        memcpy(at, head, head_len);
    if (body_len > 0)
        memcpy(at + head_len, body, body_len);
    chunk->len += need;
    chunk->frames++;
    queue->bytes += need;
    return 0;
}

struct slu_chunk *slu_queue_take(struct slu_queue *queue)
{
    struct slu_chunk *chunk = queue->head;
    if (chunk == NULL)
        return NULL;
    queue->head = chunk->next;
    if (queue->head == NULL)
        queue->tail = NULL;
    queue->in_flight++;
    return chunk;
}

void slu_queue_give_back(struct slu_queue *queue, struct slu_chunk *chunk)
{
    SLU_CHECK(queue->in_flight > 0 && queue->bytes >= chunk->len);
    queue->in_flight--;
    queue->bytes -= chunk->len;
    struct slu_chunk *drop = chunk;
    if (queue->spare == NULL || queue->spare->cap < chunk->cap) {
        drop = queue->spare;
        queue->spare = chunk;
    }
    free(drop);
}

void slu_queue_trim(struct slu_queue *queue)
{
    free(queue->spare);
    queue->spare = NULL;
}

void slu_queue_clear(struct slu_queue *queue)
{
    struct slu_chunk *chunk = slu_queue_take(queue);
    while (chunk != NULL) {
        free(chunk);
        chunk = slu_queue_take(queue);
    }
    slu_queue_trim(queue);
    queue->bytes = 0;
    queue->in_flight = 0;
}
