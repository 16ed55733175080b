#include "base/arena.h"

struct slu_arena slu_arena_of(void *memory, size_t cap_bytes)
{
    return (struct slu_arena){.base = memory, .cap_bytes = cap_bytes, .used_bytes = 0};
}

void *slu_arena_take(struct slu_arena *arena, size_t bytes)
{
    size_t rounded;
    if (__builtin_add_overflow(bytes, (size_t)15, &rounded))
        return NULL;
    rounded &= ~(size_t)15;
    if (rounded > arena->cap_bytes - arena->used_bytes)
        return NULL;
    void *at = arena->base + arena->used_bytes;
    arena->used_bytes += rounded;
    return at;
}

void slu_arena_reset(struct slu_arena *arena)
{
    arena->used_bytes = 0;
}
