/* A bump allocator over memory that the caller owns: no free, only reset. The core carves its
 * tables out of one at start; an event-loop turn collects its bytes in another.
 * Full: slu_arena_take returns NULL (the caller decides: at start that is a bug, later a refusal). */
#ifndef SLU_BASE_ARENA_H
#define SLU_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct slu_arena {
    uint8_t *base;
    size_t cap_bytes;
    size_t used_bytes;
};

struct slu_arena slu_arena_of(void *memory, size_t cap_bytes);
/** `bytes` of 16-byte aligned memory, not zeroed, valid until reset; NULL when full. */
void *slu_arena_take(struct slu_arena *arena, size_t bytes);
void slu_arena_reset(struct slu_arena *arena);

#endif
