#include "client/kept.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 256u

size_t slu_kept_cost(size_t len)
{
    return sizeof(struct slu_kept) + sizeof(struct slu_kept *) + len;
}

/* Ids are hashes already. */
static struct slu_kept **bucket_of(const struct slu_kept_table *table, const uint8_t id32[32])
{
    size_t word;
    memcpy(&word, id32, sizeof word);
    return &table->buckets[word & (table->bucket_count - 1)];
}

struct slu_kept *slu_kept_find(const struct slu_kept_table *table, const uint8_t id32[32])
{
    struct slu_kept *at = table->bucket_count ? *bucket_of(table, id32) : NULL;
    while (at && memcmp(at->id32, id32, 32) != 0)
        at = at->next;
    return at;
}

static void hang(struct slu_kept_table *table, struct slu_kept *kept)
{
    struct slu_kept **bucket = bucket_of(table, kept->id32);
    kept->next = *bucket;
    *bucket = kept;
}

static bool grow(struct slu_kept_table *table)
{
    struct slu_kept_table wider = *table;
    wider.bucket_count = table->bucket_count ? 2 * table->bucket_count : FIRST_BUCKETS;
    wider.buckets = calloc(wider.bucket_count, sizeof *wider.buckets);
    if (!wider.buckets)
        return false;
    for (size_t i = 0; i < table->bucket_count; i++)
        for (struct slu_kept *at = table->buckets[i]; at;) {
            struct slu_kept *next = at->next;
            hang(&wider, at);
            at = next;
        }
    free(table->buckets);
    *table = wider;
    return true;
}

struct slu_kept *slu_kept_add(struct slu_kept_table *table, const uint8_t id32[32],
                              const uint8_t *envelope, size_t len)
{
    struct slu_kept *kept = slu_kept_find(table, id32);
    if (kept)
        return kept;
    if (table->count == table->bucket_count && !grow(table))
        return NULL;
    kept = malloc(sizeof *kept + len);
    if (!kept)
        return NULL;
    *kept = (struct slu_kept){.len = (uint32_t)len};
    memcpy(kept->id32, id32, 32);
    memcpy(kept->envelope, envelope, len);
    hang(table, kept);
    table->count++;
    table->bytes += slu_kept_cost(len);
    return kept;
}

void slu_kept_remove(struct slu_kept_table *table, struct slu_kept *kept)
{
    struct slu_kept **at = bucket_of(table, kept->id32);
    while (*at != kept)
        at = &(*at)->next;
    *at = kept->next;
    table->count--;
    table->bytes -= slu_kept_cost(kept->len);
    free(kept);
}

void slu_kept_sweep(struct slu_kept_table *table, uint64_t stream_ms)
{
    for (size_t i = 0; i < table->bucket_count; i++)
        for (struct slu_kept *at = table->buckets[i]; at;) {
            struct slu_kept *next = at->next;
            if (at->valid_until_ms < stream_ms)
                slu_kept_remove(table, at);
            at = next;
        }
}

void slu_kept_free(struct slu_kept_table *table)
{
    slu_kept_sweep(table, UINT64_MAX);
    SLU_CHECK(table->count == 0);
    free(table->buckets);
    *table = (struct slu_kept_table){0};
}
