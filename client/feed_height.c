#include "client/feed_height.h"

#include <stdlib.h>
#include <string.h>

#include "sluice/error.h"
#include "wire/opening.h"
#include "wire/tx.h"

static enum slu_feed_kind kind_of(uint8_t kind)
{
    switch (kind) {
    case SLU_ENTRY_EVIDENCE:
        return SLU_FEED_EVIDENCE;
    case SLU_ENTRY_KEYGEN:
        return SLU_FEED_KEYGEN;
    case SLU_ENTRY_OPENED:
        return SLU_FEED_OPENED;
    case SLU_ENTRY_VOID:
        return SLU_FEED_VOID;
    case SLU_TX_PLAIN:
    case SLU_TX_PLAIN | SLU_ENTRY_FORCED:
        return SLU_FEED_PLAIN;
    case SLU_TX_BUNDLE:
    case SLU_TX_BUNDLE | SLU_ENTRY_FORCED:
        return SLU_FEED_BUNDLE;
    case SLU_TX_SEALED:
    case SLU_TX_SEALED | SLU_ENTRY_FORCED:
        return SLU_FEED_SEALED;
    default:
        return SLU_FEED_UNKNOWN;
    }
}

/* Of what opened, or did not: what travels is not what the rollup gets. */
static void unfold(struct slu_feed_entry *out, const struct slu_entry *entry)
{
    struct slu_opening opening;
    size_t is_void = out->kind == SLU_FEED_VOID;
    SLU_CHECK(!slu_opening_read(&opening, entry->payload + is_void, entry->payload_len - is_void,
                                !is_void)); /* slu_heights_add did */
    out->ordered_height = opening.height;
    out->ordered_index = opening.index;
    out->payload = is_void ? NULL : opening.payload;
    out->payload_len = is_void ? 0 : opening.payload_len;
    out->valid_until_ms = is_void ? 0 : opening.valid_until_ms;
    if (is_void)
        out->reason = slu_void_name((enum slu_void)entry->payload[0]);
}

static void make_entry(struct slu_feed_entry *out, const struct slu_entry *entry, uint64_t height)
{
    *out = (struct slu_feed_entry){.rollup = entry->rollup,
                                   .index = entry->index,
                                   .kind = kind_of(entry->kind),
                                   .payload = entry->payload,
                                   .payload_len = entry->payload_len,
                                   .valid_until_ms = entry->valid_until_ms,
                                   .ordered_height = height,
                                   .ordered_index = entry->index,
                                   .reason = ""};
    out->forced = (entry->kind & SLU_ENTRY_FORCED) != 0;
    memcpy(out->id, entry->id32, 32);
    if (out->kind == SLU_FEED_OPENED || out->kind == SLU_FEED_VOID)
        unfold(out, entry);
}

int slu_feed_make(struct slu_feed_made *made, const struct slu_heights *heights,
                  const uint8_t release32[32])
{
    struct slu_reader reader = slu_reader_of(heights->bytes, heights->len);
    struct slu_entry entry;
    size_t count = 0;
    if (heights->count > made->cap) {
        struct slu_feed_entry *grown = realloc(made->entries, heights->count * sizeof *grown);
        if (!grown)
            return SLU_ERR_MEMORY;
        made->entries = grown;
        made->cap = heights->count;
    }
    while (slu_entry_next(&reader, &entry))
        make_entry(&made->entries[count++], &entry, heights->height);
    made->height = (struct slu_feed_height){.height = heights->height,
                                            .time_ms = heights->time_ms,
                                            .count = count,
                                            .entries = made->entries};
    memcpy(made->height.block, heights->block32, 32);
    memcpy(made->height.release, release32, 32);
    return SLU_OK;
}
