#include "node/height.h"

#include <stdlib.h>
#include <string.h>

#include "sluice/error.h"
#include "wire/tx.h"

#define OUTCOME_DROPPED UINT32_C(0x80000000) /* docs/STORAGE.md clause 1.2 */
#define IDS_ENTRY_BYTES 36u

/* A batch of a height: where it is, and where its entries and drops begin. */
struct part {
    struct slu_delivered_batch ref;
    uint32_t first_entry, first_drop;
};

struct cached_height {
    struct slu_height head;        /* height 0: free */
    struct slu_inbox_tuple *items; /* entries out of the queue */
    uint32_t item_count;
    struct part *parts;
    struct slu_delivered_drop *drops;
    uint32_t drop_count;
    uint8_t *ids; /* entries x 32 */
};

struct cached_chunk {
    uint64_t height; /* 0: free */
    uint32_t index;
    uint32_t entries;
    uint8_t *bytes;
    size_t len;
};

struct slu_height_cache {
    struct slu_disk_view *view;
    struct slu_metrics *metrics;
    struct cached_height heights[SLU_HEIGHTS_CACHED];
    struct cached_chunk chunks[SLU_CHUNKS_CACHED];
    size_t chunk_bytes;
    uint32_t evict_next;
};

struct slu_height_cache *slu_height_cache_new(struct slu_disk *disk, struct slu_metrics *metrics)
{
    struct slu_height_cache *h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->metrics = metrics;
    h->view = slu_disk_view_new(disk);
    if (h->view == NULL) {
        free(h);
        return NULL;
    }
    return h;
}

static void drop_height(struct cached_height *c)
{
    free(c->items);
    free(c->parts);
    free(c->drops);
    free(c->ids);
    memset(c, 0, sizeof *c);
}

static void drop_chunk(struct slu_height_cache *h, struct cached_chunk *c)
{
    h->chunk_bytes -= c->len;
    free(c->bytes);
    memset(c, 0, sizeof *c);
}

void slu_height_cache_free(struct slu_height_cache *heights)
{
    if (heights == NULL)
        return;
    for (uint32_t i = 0; i < SLU_HEIGHTS_CACHED; i++)
        drop_height(&heights->heights[i]);
    for (uint32_t i = 0; i < SLU_CHUNKS_CACHED; i++)
        drop_chunk(heights, &heights->chunks[i]);
    slu_disk_view_free(heights->view);
    free(heights);
}

/* ---- heights ---- */

static int get(struct slu_height_cache *h, const struct slu_record_key *key, const uint8_t **value,
               size_t *len)
{
    const struct slu_store *store = slu_disk_view_store(h->view);
    return store->get(store->context, key, value, len);
}

/* Spreads the record's batches and drops out; the entries of a batch are its transactions less its
 * drops. */
static int fill_parts(struct cached_height *c, struct slu_delivered *record)
{
    uint32_t drop = 0;
    uint64_t entry = 0;
    for (uint32_t i = 0; i < record->inbox_count; i++) {
        struct slu_delivered_inbox item;
        slu_delivered_next_inbox(record, &item);
        if (item.outcome == SLU_DROP_NONE)
            c->items[c->item_count++] = item.tuple;
    }
    entry = c->item_count; /* they come before all batches */
    for (uint32_t i = 0; i < record->drop_count; i++)
        slu_delivered_next_drop(record, &c->drops[i]);
    c->drop_count = record->drop_count;
    for (uint32_t i = 0; i < record->batch_count; i++) {
        struct part *part = &c->parts[i];
        slu_delivered_next_batch(record, &part->ref);
        part->first_entry = (uint32_t)entry;
        part->first_drop = drop;
        entry += part->ref.txs;
        while (drop < record->drop_count && c->drops[drop].batch == i) {
            drop++;
            entry--;
        }
        if (entry > record->entries)
            return SLU_ERR_CORRUPT;
    }
    return drop == record->drop_count && entry == record->entries ? 0 : SLU_ERR_CORRUPT;
}

/* The ids of the delivered entries stand in the IDS record in entry order. */
static int fill_ids(struct slu_height_cache *h, struct cached_height *c)
{
    struct slu_record_key key = {.kind = SLU_REC_IDS, .a = c->head.height};
    const uint8_t *value;
    size_t len;
    if (c->head.entries == 0)
        return 0;
    int error = get(h, &key, &value, &len);
    if (error != 0)
        return error;
    struct slu_reader r = slu_reader_of(value, len);
    uint32_t count = slu_read_u32(&r), entry = 0;
    if (r.failed || slu_reader_left(&r) != (size_t)count * IDS_ENTRY_BYTES)
        return SLU_ERR_CORRUPT;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *id = slu_read_bytes(&r, 32);
        uint32_t outcome = slu_read_u32(&r);
        if ((outcome & OUTCOME_DROPPED) != 0)
            continue;
        if (entry == c->head.entries || outcome != entry)
            return SLU_ERR_CORRUPT;
        memcpy(c->ids + (size_t)entry++ * 32, id, 32);
    }
    return entry == c->head.entries ? 0 : SLU_ERR_CORRUPT;
}

static int load_height(struct slu_height_cache *h, uint64_t height, struct cached_height *c)
{
    struct slu_record_key key = {.kind = SLU_REC_DELIVERED, .a = height};
    struct slu_delivered record;
    const uint8_t *value;
    size_t len;
    int error = get(h, &key, &value, &len);
    if (error != 0)
        return error;
    if (slu_delivered_open(&record, value, len) != 0 || record.height != height)
        return SLU_ERR_CORRUPT;
    c->head =
        (struct slu_height){.height = height, .time_ms = record.time_ms, .entries = record.entries};
    memcpy(c->head.block, record.block, 32);
    c->items = calloc(record.inbox_count + 1u, sizeof *c->items);
    c->parts = calloc(record.batch_count + 1u, sizeof *c->parts);
    c->drops = calloc(record.drop_count + 1u, sizeof *c->drops);
    c->ids = malloc((size_t)record.entries * 32 + 1);
    if (c->items == NULL || c->parts == NULL || c->drops == NULL || c->ids == NULL)
        return SLU_ERR_MEMORY;
    error = fill_parts(c, &record); /* before the record's memory is used again */
    c->head.chunk_count = record.batch_count + (c->item_count > 0);
    return error != 0 ? error : fill_ids(h, c);
}

static int height_of(struct slu_height_cache *h, uint64_t height, struct cached_height **found)
{
    struct cached_height *c = &h->heights[height % SLU_HEIGHTS_CACHED];
    if (c->head.height != height || height == 0) {
        drop_height(c);
        int error = load_height(h, height, c);
        if (error != 0) {
            drop_height(c);
            return error;
        }
    }
    *found = c;
    return 0;
}

int slu_height_cache_get(struct slu_height_cache *heights, uint64_t height,
                         struct slu_height *found)
{
    struct cached_height *c;
    int error = height_of(heights, height, &c);
    if (error == 0)
        *found = c->head;
    return error;
}

/* ---- chunks ---- */

static bool is_dropped(const struct cached_height *c, uint32_t batch, uint32_t tx, uint32_t *drop)
{
    if (*drop >= c->drop_count || c->drops[*drop].batch != batch || c->drops[*drop].tx != tx)
        return false;
    (*drop)++;
    return true;
}

static void write_entry(struct slu_writer *w, const struct cached_height *c, uint32_t entry,
                        uint64_t rollup, uint8_t kind, const uint8_t *payload, uint32_t len)
{
    slu_write_u32(w, entry);
    slu_write_u64(w, rollup);
    slu_write_bytes(w, c->ids + (size_t)entry * 32, 32);
    slu_write_u8(w, kind);
    slu_write_u32(w, len);
    slu_write_bytes(w, payload, len);
}

static int load_item(struct slu_height_cache *h, const struct cached_height *c, uint32_t entry,
                     struct slu_writer *w)
{
    const struct slu_inbox_tuple *tuple = &c->items[entry];
    struct slu_record_key key = {.kind = SLU_REC_INBOX, .a = tuple->valid_until_ms};
    const uint8_t *value;
    size_t len;
    memcpy(key.digest, tuple->id, 32);
    int error = get(h, &key, &value, &len);
    if (error != 0)
        return error;
    if (len != (size_t)SLU_RELAY_BYTES + tuple->bytes || entry >= c->head.entries)
        return SLU_ERR_CORRUPT;
    struct slu_reader r = slu_reader_of(value + SLU_RELAY_BYTES, tuple->bytes);
    struct slu_tx tx;
    if (tuple->kind == SLU_INBOX_EVIDENCE)
        write_entry(w, c, entry, 0, SLU_ENTRY_EVIDENCE, r.at, tuple->bytes);
    else if (!slu_tx_read(&r, &tx))
        return SLU_ERR_CORRUPT;
    else if (tuple->kind == SLU_INBOX_KEYGEN)
        write_entry(w, c, entry, 0, SLU_ENTRY_KEYGEN, tx.body, tx.body_len);
    else
        write_entry(w, c, entry, tx.rollup, (uint8_t)(tx.kind | SLU_ENTRY_FORCED), tx.body,
                    tx.body_len);
    return w->failed ? SLU_ERR_CORRUPT : 0;
}

/* What came out of the queue. */
static int build_items(struct slu_height_cache *h, const struct cached_height *c,
                       struct cached_chunk *chunk)
{
    size_t cap = 0;
    for (uint32_t i = 0; i < c->item_count; i++)
        cap += SLU_ENTRY_HEAD_BYTES + c->items[i].bytes;
    chunk->bytes = malloc(cap + 1);
    if (chunk->bytes == NULL)
        return SLU_ERR_MEMORY;
    struct slu_writer w = slu_writer_of(chunk->bytes, cap);
    for (uint32_t i = 0; i < c->item_count; i++) {
        int error = load_item(h, c, i, &w);
        if (error != 0)
            return error;
    }
    chunk->len = slu_writer_len(&w);
    chunk->entries = c->item_count;
    return 0;
}

static int build_batch(const struct cached_height *c, uint32_t batch, struct slu_reader r,
                       struct cached_chunk *chunk)
{
    const struct part *part = &c->parts[batch];
    size_t cap =
        slu_reader_left(&r) + (size_t)part->ref.txs * (SLU_ENTRY_HEAD_BYTES - SLU_TX_HEAD_BYTES);
    uint32_t drop = part->first_drop, entry = part->first_entry;
    chunk->bytes = malloc(cap + 1);
    if (chunk->bytes == NULL)
        return SLU_ERR_MEMORY;
    struct slu_writer w = slu_writer_of(chunk->bytes, cap);
    for (uint32_t i = 0; i < part->ref.txs; i++) {
        struct slu_tx tx;
        bool whole = slu_tx_read(&r, &tx);
        if (is_dropped(c, batch, i, &drop))
            continue;
        if (!whole || entry >= c->head.entries)
            return SLU_ERR_CORRUPT;
        write_entry(&w, c, entry++, tx.rollup, tx.kind, tx.body, tx.body_len);
    }
    if (w.failed)
        return SLU_ERR_CORRUPT;
    chunk->len = slu_writer_len(&w);
    chunk->entries = entry - part->first_entry;
    return 0;
}

static int load_batch(struct slu_height_cache *h, const struct cached_height *c, uint32_t batch,
                      struct cached_chunk *chunk)
{
    const struct slu_delivered_batch *ref = &c->parts[batch].ref;
    struct slu_record_key key = {.kind = SLU_REC_BATCH, .a = ref->lane, .b = ref->position};
    const uint8_t *value;
    size_t len;
    memcpy(key.digest, ref->digest, 32);
    int error = get(h, &key, &value, &len);
    if (error != 0)
        return error;
    if (len < SLU_SIGNED_HEADER_BYTES)
        return SLU_ERR_CORRUPT;
    return build_batch(
        c, batch, slu_reader_of(value + SLU_SIGNED_HEADER_BYTES, len - SLU_SIGNED_HEADER_BYTES),
        chunk);
}

static int load_chunk(struct slu_height_cache *h, const struct cached_height *c, uint32_t index,
                      struct cached_chunk *chunk)
{
    bool queue = c->item_count > 0;
    slu_metrics_add(h->metrics, SLU_METRIC_STREAM_LOADS, 1);
    int error = queue && index == 0 ? build_items(h, c, chunk)
                                    : load_batch(h, c, index - (queue ? 1u : 0u), chunk);
    if (error != 0) {
        free(chunk->bytes);
        memset(chunk, 0, sizeof *chunk);
        return error;
    }
    chunk->height = c->head.height;
    chunk->index = index;
    h->chunk_bytes += chunk->len;
    return 0;
}

static void evict(struct slu_height_cache *h, const struct cached_chunk *keep)
{
    while (h->chunk_bytes > SLU_CHUNK_BYTES_CACHED) {
        struct cached_chunk *c = &h->chunks[h->evict_next++ % SLU_CHUNKS_CACHED];
        if (c != keep)
            drop_chunk(h, c);
        else if (h->chunk_bytes == c->len)
            return;
    }
}

int slu_height_cache_chunk(struct slu_height_cache *heights, uint64_t height, uint32_t index,
                           struct slu_chunk *chunk)
{
    struct cached_chunk *c = &heights->chunks[(height * 31u + index) % SLU_CHUNKS_CACHED];
    if (c->height != height || c->index != index) {
        struct cached_height *of;
        int error = height_of(heights, height, &of);
        if (error != 0)
            return error;
        if (index >= of->head.chunk_count)
            return SLU_ERR_NOT_FOUND;
        drop_chunk(heights, c);
        error = load_chunk(heights, of, index, c);
        if (error != 0)
            return error;
        evict(heights, c);
    }
    *chunk = (struct slu_chunk){.bytes = c->bytes, .len = c->len, .entries = c->entries};
    return 0;
}
