#include "wire/entry.h"

#include "sluice/error.h"
#include "wire/opening.h"
#include "wire/tx.h"

void slu_entry_head_write(struct slu_writer *w, const struct slu_entry *entry)
{
    slu_write_u32(w, entry->index);
    slu_write_u64(w, entry->rollup);
    slu_write_u64(w, entry->valid_until_ms);
    slu_write_bytes(w, entry->id32, 32);
    slu_write_u8(w, entry->kind);
    slu_write_u32(w, entry->payload_len);
}

bool slu_entry_next(struct slu_reader *reader, struct slu_entry *entry)
{
    if (slu_reader_left(reader) == 0)
        return false;
    entry->index = slu_read_u32(reader);
    entry->rollup = slu_read_u64(reader);
    entry->valid_until_ms = slu_read_u64(reader);
    entry->id32 = slu_read_bytes(reader, 32);
    entry->kind = slu_read_u8(reader);
    entry->payload_len = slu_read_u32(reader);
    entry->payload = slu_read_bytes(reader, entry->payload_len);
    return !reader->failed;
}

int slu_entry_bundle(struct slu_bundle *bundle, const struct slu_entry *entry)
{
    struct slu_opening opening;
    bundle->count = 0;
    if (entry->rollup != 0)
        return SLU_ERR_MALFORMED;
    if (entry->kind == SLU_ENTRY_OPENED)
        return slu_opening_read(&opening, entry->payload, entry->payload_len, true)
                   ? SLU_ERR_MALFORMED
                   : slu_bundle_read(bundle, opening.payload, opening.payload_len);
    return (entry->kind & ~SLU_ENTRY_FORCED) == SLU_TX_BUNDLE
               ? slu_bundle_read(bundle, entry->payload, entry->payload_len)
               : SLU_ERR_MALFORMED;
}

size_t slu_entry_rollups(const struct slu_entry *entry, uint64_t rollups[SLU_BUNDLE_LEGS_MAX])
{
    struct slu_bundle bundle;
    if (slu_entry_bundle(&bundle, entry) == SLU_OK)
        return slu_bundle_rollups(&bundle, rollups);
    rollups[0] = entry->rollup;
    return 1;
}

bool slu_entry_is_for(const struct slu_entry *entry, uint64_t rollup)
{
    struct slu_bundle bundle;
    if (entry->rollup != 0)
        return entry->rollup == rollup;
    return !slu_entry_bundle(&bundle, entry) && slu_bundle_has(&bundle, rollup);
}
