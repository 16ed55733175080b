#include "tests/sim/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void *sim_alloc(size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);
    SLU_CHECK(memory);
    return memory;
}

void *sim_grow(void *array, uint32_t *cap, uint32_t count, size_t size)
{
    if (count < *cap)
        return array;
    uint32_t grown = *cap ? *cap * 2 : 64;
    while (grown <= count)
        grown *= 2;
    char *bytes = realloc(array, grown * size);
    SLU_CHECK(bytes);
    memset(bytes + *cap * size, 0, (grown - *cap) * size);
    *cap = grown;
    return bytes;
}

static uint32_t slot_of(const struct sim_table *table, const uint8_t key32[32])
{
    uint64_t hash;
    memcpy(&hash, key32, 8);
    uint64_t tail;
    memcpy(&tail, key32 + 24, 8);
    hash = (hash ^ (tail << 1)) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(hash >> 32) & (table->cap - 1);
    while (table->rows[at].value != SIM_NONE && memcmp(table->rows[at].key, key32, 32) != 0)
        at = (at + 1) & (table->cap - 1);
    return at;
}

uint32_t sim_table_get(const struct sim_table *table, const uint8_t key32[32])
{
    return table->cap ? table->rows[slot_of(table, key32)].value : SIM_NONE;
}

static void grow(struct sim_table *table)
{
    struct sim_table bigger = {.cap = table->cap ? table->cap * 2 : 64, .count = table->count};
    bigger.rows = malloc(bigger.cap * sizeof *bigger.rows);
    SLU_CHECK(bigger.rows);
    for (uint32_t i = 0; i < bigger.cap; i++)
        bigger.rows[i].value = SIM_NONE;
    for (uint32_t i = 0; i < table->cap; i++)
        if (table->rows[i].value != SIM_NONE)
            bigger.rows[slot_of(&bigger, table->rows[i].key)] = table->rows[i];
    free(table->rows);
    *table = bigger;
}

void sim_table_put(struct sim_table *table, const uint8_t key32[32], uint32_t value)
{
    if (table->count * 2 >= table->cap)
        grow(table);
    struct sim_table_row *row = &table->rows[slot_of(table, key32)];
    if (row->value == SIM_NONE) {
        memcpy(row->key, key32, 32);
        table->count++;
    }
    row->value = value;
}

void sim_table_free(struct sim_table *table)
{
    free(table->rows);
    *table = (struct sim_table){0};
}
