/* A map from 32-byte digests to numbers, growing as needed: the simulator's books. */
#ifndef SLU_SIM_TABLE_H
#define SLU_SIM_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define SIM_NONE UINT32_MAX

struct sim_table_row {
    uint8_t key[32];
    uint32_t value; /* SIM_NONE: free */
};

struct sim_table {
    struct sim_table_row *rows;
    uint32_t cap; /* 0 or a power of two */
    uint32_t count;
};

/** The value of `key32`, or SIM_NONE. */
uint32_t sim_table_get(const struct sim_table *table, const uint8_t key32[32]);
/** Sets or replaces. */
void sim_table_put(struct sim_table *table, const uint8_t key32[32], uint32_t value);
void sim_table_free(struct sim_table *table);

/** `*array` of elements of `size` bytes, grown so that index `count` exists; new room is zeroed. */
void *sim_grow(void *array, uint32_t *cap, uint32_t count, size_t size);
void *sim_alloc(size_t bytes);

#endif
