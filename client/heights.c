#include "client/heights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/error.h"
#include "wire/opening.h"
#include "wire/tx.h"

const char *slu_entry_kind_name(uint8_t kind)
{
    if (kind == SLU_ENTRY_EVIDENCE)
        return "evidence";
    if (kind == SLU_ENTRY_KEYGEN)
        return "keygen";
    if (kind == SLU_ENTRY_OPENED)
        return "opened";
    if (kind == SLU_ENTRY_VOID)
        return "void";
    kind &= (uint8_t)~SLU_ENTRY_FORCED;
    return kind == SLU_TX_PLAIN    ? "plain"
           : kind == SLU_TX_BUNDLE ? "bundle"
           : kind == SLU_TX_SEALED ? "sealed"
                                   : "unknown";
}

static int refuse(struct slu_heights *heights, int error, const char *words, uint64_t height)
{
    snprintf(heights->why, sizeof heights->why, "height %llu: %s", (unsigned long long)height,
             words);
    return error;
}

static int check_first(struct slu_heights *heights, const Slu__Client__Height *part)
{
    if (heights->expected && part->height != heights->expected) {
        snprintf(heights->why, sizeof heights->why, "height %llu came where %llu was due",
                 (unsigned long long)part->height, (unsigned long long)heights->expected);
        return SLU_ERR_MALFORMED;
    }
    if (part->height == 0 || part->block.len != 32)
        return refuse(heights, SLU_ERR_MALFORMED, "no height or no block digest", part->height);
    if (heights->last_time_ms && part->time_ms <= heights->last_time_ms)
        return refuse(heights, SLU_ERR_MALFORMED, "its time is not above its parent's",
                      part->height);
    return SLU_OK;
}

/* Opened and void entries say where they were ordered: lower, or here, and then at their own index.
 * Void ones are of rollup 0, and of what opened bundles are. */
static bool is_placed(const struct slu_entry *entry, uint64_t height)
{
    struct slu_opening opening;
    struct slu_bundle bundle;
    bool is_void = entry->kind == SLU_ENTRY_VOID;
    if (!is_void && entry->kind != SLU_ENTRY_OPENED)
        return true;
    if (is_void ? entry->payload_len == 0 || entry->rollup != 0
                : entry->rollup == 0 && slu_entry_bundle(&bundle, entry))
        return false;
    if (slu_opening_read(&opening, entry->payload + is_void, entry->payload_len - is_void,
                         !is_void) != 0)
        return false;
    return opening.height > 0 &&
           (opening.height < height || (opening.height == height && opening.index == entry->index));
}

/* Indexes rise; but what is due where it was ordered follows its commitment at the same one. */
static bool is_next(const struct slu_heights *heights, const struct slu_entry *entry)
{
    bool outcome = entry->kind == SLU_ENTRY_OPENED || entry->kind == SLU_ENTRY_VOID;
    return entry->index > heights->last_index ||
           (entry->index == heights->last_index && outcome && heights->last_sealed &&
            !memcmp(entry->id32, heights->last_id32, 32));
}

/* The entries must parse, be as many as told, and be in order. */
static int check_entries(struct slu_heights *heights, const Slu__Client__Height *part)
{
    struct slu_reader reader = slu_reader_of(part->entries.data, part->entries.len);
    struct slu_entry entry;
    uint32_t count = 0;
    while (slu_entry_next(&reader, &entry)) {
        if (heights->count + count > 0 && !is_next(heights, &entry))
            return refuse(heights, SLU_ERR_MALFORMED, "entries are out of order", part->height);
        if (!is_placed(&entry, part->height))
            return refuse(heights, SLU_ERR_MALFORMED, "an opening that is none", part->height);
        heights->last_index = entry.index;
        heights->last_sealed = (entry.kind & ~SLU_ENTRY_FORCED) == SLU_TX_SEALED;
        memcpy(heights->last_id32, entry.id32, 32);
        count++;
    }
    if (reader.failed || count != part->count)
        return refuse(heights, SLU_ERR_MALFORMED, "entries do not parse", part->height);
    return SLU_OK;
}

static size_t bytes_max(const struct slu_heights *heights)
{
    return heights->bound.bytes ? heights->bound.bytes : SLU_HEIGHT_BYTES_MAX;
}

static int check_size(struct slu_heights *heights, const Slu__Client__Height *part)
{
    uint32_t most = heights->bound.entries;
    if (part->entries.len > bytes_max(heights) - heights->len) {
        snprintf(heights->why, sizeof heights->why,
                 "height %llu: more than the %zu bytes that a height can have",
                 (unsigned long long)part->height, bytes_max(heights));
        return SLU_ERR_LIMIT;
    }
    if (most && part->count > most - heights->count) {
        snprintf(heights->why, sizeof heights->why,
                 "height %llu: more than the %u entries that a height can have",
                 (unsigned long long)part->height, most);
        return SLU_ERR_LIMIT;
    }
    return SLU_OK;
}

static int append(struct slu_heights *heights, const Slu__Client__Height *part)
{
    size_t need = heights->len + part->entries.len;
    if (need > heights->cap) {
        size_t cap = heights->cap ? heights->cap : 65536;
        while (cap < need)
            cap *= 2;
        if (cap > bytes_max(heights))
            cap = bytes_max(heights);
        uint8_t *bytes = realloc(heights->bytes, cap);
        if (!bytes)
            return refuse(heights, SLU_ERR_MEMORY, "out of memory", part->height);
        heights->bytes = bytes;
        heights->cap = cap;
    }
    if (part->entries.len > 0)
        memcpy(heights->bytes + heights->len, part->entries.data, part->entries.len);
    heights->len = need;
    heights->count += part->count;
    return SLU_OK;
}

int slu_heights_add(struct slu_heights *heights, const Slu__Client__Height *part)
{
    int rc = SLU_OK;
    if (!heights->open) {
        rc = check_first(heights, part);
        if (rc)
            return rc;
        heights->height = part->height;
        heights->time_ms = part->time_ms;
        memcpy(heights->block32, part->block.data, 32);
        heights->rollup = part->rollup;
        heights->count = 0;
        heights->len = 0;
        heights->last_index = 0;
    } else if (part->height != heights->height || part->time_ms != heights->time_ms ||
               part->block.len != 32 || memcmp(part->block.data, heights->block32, 32)) {
        return refuse(heights, SLU_ERR_MALFORMED, "a part of another height came in between",
                      heights->height);
    }
    rc = check_size(heights, part);
    if (!rc)
        rc = check_entries(heights, part);
    if (!rc)
        rc = append(heights, part);
    if (rc)
        return rc;
    heights->open = part->more;
    if (part->more)
        return 0;
    heights->expected = heights->height + 1;
    heights->parent_time_ms = heights->last_time_ms;
    heights->last_time_ms = heights->time_ms;
    return 1;
}

void slu_heights_again(struct slu_heights *heights)
{
    heights->expected = heights->height;
    heights->last_time_ms = heights->parent_time_ms;
}

void slu_heights_restart(struct slu_heights *heights)
{
    heights->open = false;
}

void slu_heights_free(struct slu_heights *heights)
{
    free(heights->bytes);
    *heights = (struct slu_heights){0};
}
