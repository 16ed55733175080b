#include "node/height.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/order.h"
#include "node/openings.h"
#include "sluice/error.h"
#include "wire/tx.h"

#define OUTCOME_DROPPED UINT32_C(0x80000000) /* docs/STORAGE.md clause 1.2 */
#define IDS_ENTRY_BYTES 36u

/* A batch of a height: where it is, and where its entries, drops and dues begin. */
struct part {
    struct slu_delivered_batch ref;
    uint32_t first_entry, first_drop, first_due, end_due;
};

struct cached_height {
    struct slu_height head;        /* height 0: free */
    struct slu_inbox_tuple *items; /* entries out of the queue */
    uint32_t item_count;
    struct part *parts;
    struct slu_delivered_drop *drops;
    uint32_t drop_count;
    struct slu_delivered_due *dues; /* of items, then what waited, then of batches */
    uint32_t due_count, item_dues, waited;
    uint8_t *ids; /* indexes x 32 */
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
    struct slu_openings *openings;
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
    h->openings = slu_openings_new(disk);
    if (h->view == NULL || h->openings == NULL) {
        slu_height_cache_free(h);
        return NULL;
    }
    return h;
}

static void drop_height(struct cached_height *c)
{
    free(c->items);
    free(c->parts);
    free(c->drops);
    free(c->dues);
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
    slu_openings_free(heights->openings);
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

static void fill_items(struct cached_height *c, struct slu_delivered *record)
{
    for (uint32_t i = 0; i < record->inbox_count; i++) {
        struct slu_delivered_inbox item;
        slu_delivered_next_inbox(record, &item);
        if (item.outcome == SLU_DROP_NONE)
            c->items[c->item_count++] = item.tuple;
    }
}

/* Dues rise by their index. Those of lower heights have the indexes behind the items; since no two
 * are the same, the others are commitments of this height. */
static int fill_dues(struct cached_height *c, struct slu_delivered *record)
{
    c->due_count = record->due_count;
    for (uint32_t i = 0; i < c->due_count; i++) {
        struct slu_delivered_due *due = &c->dues[i];
        slu_delivered_next_due(record, due);
        bool waited = due->ordered_height < record->height;
        uint64_t at = waited ? (uint64_t)c->item_count + c->waited : due->ordered_index;
        if (due->ordered_height < 1 || due->ordered_height > record->height || due->index != at ||
            due->index >= record->entries || (i > 0 && due->index <= due[-1].index))
            return SLU_ERR_CORRUPT;
        c->item_dues += due->index < c->item_count;
        c->waited += waited;
    }
    return 0;
}

/* Spreads the record's batches and drops out; the entries of a batch are its transactions less its
 * drops. */
static int fill_parts(struct cached_height *c, struct slu_delivered *record)
{
    uint32_t drop = 0, due = c->item_dues + c->waited;
    uint64_t entry = (uint64_t)c->item_count + c->waited; /* they come before all batches */
    for (uint32_t i = 0; i < record->drop_count; i++)
        slu_delivered_next_drop(record, &c->drops[i]);
    c->drop_count = record->drop_count;
    for (uint32_t i = 0; i < record->batch_count; i++) {
        struct part *part = &c->parts[i];
        slu_delivered_next_batch(record, &part->ref);
        part->first_entry = (uint32_t)entry;
        part->first_drop = drop;
        part->first_due = due;
        entry += part->ref.txs;
        while (drop < record->drop_count && c->drops[drop].batch == i) {
            drop++;
            entry--;
        }
        if (entry > record->entries)
            return SLU_ERR_CORRUPT;
        while (due < c->due_count && c->dues[due].index < entry)
            due++;
        part->end_due = due;
    }
    return drop == record->drop_count && entry == record->entries ? 0 : SLU_ERR_CORRUPT;
}

/* What waited has its id from the dues; a commitment's must be the one that is opened. */
static int fill_due_ids(struct cached_height *c)
{
    for (uint32_t i = 0; i < c->due_count; i++) {
        const struct slu_delivered_due *due = &c->dues[i];
        uint8_t *id = c->ids + (size_t)due->index * 32;
        if (due->ordered_height < c->head.height)
            memcpy(id, due->id, 32);
        else if (memcmp(id, due->id, 32) != 0)
            return SLU_ERR_CORRUPT;
    }
    return 0;
}

/* The ids of the delivered entries stand in the IDS record in entry order. */
static int fill_ids(struct slu_height_cache *h, struct cached_height *c)
{
    struct slu_record_key key = {.kind = SLU_REC_IDS, .a = c->head.height};
    const uint8_t *value;
    size_t len;
    if (c->head.indexes == c->waited)
        return fill_due_ids(c); /* nothing was ordered */
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
        if (entry == c->item_count)
            entry += c->waited;
        if (entry == c->head.indexes || outcome != entry)
            return SLU_ERR_CORRUPT;
        memcpy(c->ids + (size_t)entry++ * 32, id, 32);
    }
    if (entry == c->item_count)
        entry += c->waited;
    return entry == c->head.indexes ? fill_due_ids(c) : SLU_ERR_CORRUPT;
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
        (struct slu_height){.height = height, .time_ms = record.time_ms, .indexes = record.entries};
    memcpy(c->head.block, record.block, 32);
    c->items = calloc(record.inbox_count + 1u, sizeof *c->items);
    c->parts = calloc(record.batch_count + 1u, sizeof *c->parts);
    c->drops = calloc(record.drop_count + 1u, sizeof *c->drops);
    c->dues = calloc(record.due_count + 1u, sizeof *c->dues);
    c->ids = malloc((size_t)record.entries * 32 + 1);
    if (c->items == NULL || c->parts == NULL || c->drops == NULL || c->dues == NULL ||
        c->ids == NULL)
        return SLU_ERR_MEMORY;
    fill_items(c, &record); /* all of it before the record's memory is used again */
    error = fill_dues(c, &record);
    if (error == 0)
        error = fill_parts(c, &record);
    c->head.chunk_count = record.batch_count + (c->item_count > 0) + (c->waited > 0);
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
                        uint8_t kind, const struct slu_tx *tx)
{
    struct slu_entry head = {.index = entry,
                             .rollup = tx->rollup,
                             .valid_until_ms = tx->valid_until_ms,
                             .id32 = c->ids + (size_t)entry * 32,
                             .kind = kind,
                             .payload_len = tx->body_len};
    slu_entry_head_write(w, &head);
    slu_write_bytes(w, tx->body, tx->body_len);
}

/* Makes room for `bytes` of entries and the openings first .. end-1. */
static int begin_chunk(struct slu_height_cache *h, const struct cached_height *c, size_t bytes,
                       uint32_t first, uint32_t end, struct cached_chunk *chunk,
                       struct slu_writer *w)
{
    if (first < end) {
        int error = slu_openings_load(h->openings, c->head.height, c->dues, c->due_count);
        if (error != 0)
            return error;
        bytes += slu_openings_bytes(h->openings, first, end);
    }
    chunk->bytes = malloc(bytes + 1);
    *w = slu_writer_of(chunk->bytes, bytes);
    return chunk->bytes == NULL ? SLU_ERR_MEMORY : 0;
}

/* The opening of the entry just written, when it is due here. */
static int follow_up(struct slu_height_cache *h, const struct cached_height *c, uint32_t entry,
                     uint8_t kind, uint32_t *due, uint32_t end, struct slu_writer *w)
{
    if (*due == end || c->dues[*due].index != entry)
        return 0;
    if ((kind & ~SLU_ENTRY_FORCED) != SLU_TX_SEALED)
        return SLU_ERR_CORRUPT;
    slu_openings_write(h->openings, (*due)++, w);
    return 0;
}

static int load_item(struct slu_height_cache *h, const struct cached_height *c, uint32_t entry,
                     uint8_t *kind, struct slu_writer *w)
{
    const struct slu_inbox_tuple *tuple = &c->items[entry];
    struct slu_record_key key = {.kind = SLU_REC_INBOX, .a = tuple->valid_until_ms};
    const uint8_t *value;
    size_t len;
    memcpy(key.digest, tuple->id, 32);
    int error = get(h, &key, &value, &len);
    if (error != 0)
        return error;
    if (len != (size_t)SLU_RELAY_BYTES + tuple->bytes || entry >= c->head.indexes)
        return SLU_ERR_CORRUPT;
    struct slu_reader r = slu_reader_of(value + SLU_RELAY_BYTES, tuple->bytes);
    struct slu_tx tx = {.body = r.at, .body_len = tuple->bytes};
    *kind = SLU_ENTRY_EVIDENCE;
    if (tuple->kind == SLU_INBOX_EVIDENCE) {
        write_entry(w, c, entry, *kind, &tx);
        return w->failed ? SLU_ERR_CORRUPT : 0;
    }
    if (!slu_tx_read(&r, &tx))
        return SLU_ERR_CORRUPT;
    bool keygen = tuple->kind == SLU_INBOX_KEYGEN;
    *kind = keygen ? SLU_ENTRY_KEYGEN : (uint8_t)(tx.kind | SLU_ENTRY_FORCED);
    write_entry(w, c, entry, *kind, &tx);
    return w->failed ? SLU_ERR_CORRUPT : 0;
}

/* What came out of the queue. */
static int build_items(struct slu_height_cache *h, const struct cached_height *c,
                       struct cached_chunk *chunk)
{
    struct slu_writer w;
    size_t bytes = 0;
    uint32_t due = 0;
    for (uint32_t i = 0; i < c->item_count; i++)
        bytes += SLU_ENTRY_HEAD_BYTES + c->items[i].bytes;
    int error = begin_chunk(h, c, bytes, 0, c->item_dues, chunk, &w);
    for (uint32_t i = 0; i < c->item_count && error == 0; i++) {
        uint8_t kind;
        error = load_item(h, c, i, &kind, &w);
        if (error == 0)
            error = follow_up(h, c, i, kind, &due, c->item_dues, &w);
    }
    if (error != 0)
        return error;
    chunk->len = slu_writer_len(&w);
    chunk->entries = c->item_count + c->item_dues;
    return w.failed || due != c->item_dues ? SLU_ERR_CORRUPT : 0;
}

/* Openings of what was ordered at lower heights. */
static int build_waited(struct slu_height_cache *h, const struct cached_height *c,
                        struct cached_chunk *chunk)
{
    struct slu_writer w;
    uint32_t end = c->item_dues + c->waited;
    int error = begin_chunk(h, c, 0, c->item_dues, end, chunk, &w);
    if (error != 0)
        return error;
    for (uint32_t due = c->item_dues; due < end; due++)
        slu_openings_write(h->openings, due, &w);
    chunk->len = slu_writer_len(&w);
    chunk->entries = c->waited;
    return w.failed ? SLU_ERR_CORRUPT : 0;
}

static int build_batch(struct slu_height_cache *h, const struct cached_height *c, uint32_t batch,
                       struct slu_reader r, struct cached_chunk *chunk)
{
    const struct part *part = &c->parts[batch];
    size_t bytes =
        slu_reader_left(&r) + (size_t)part->ref.txs * (SLU_ENTRY_HEAD_BYTES - SLU_TX_HEAD_BYTES);
    uint32_t drop = part->first_drop, entry = part->first_entry, due = part->first_due;
    struct slu_writer w;
    int error = begin_chunk(h, c, bytes, due, part->end_due, chunk, &w);
    for (uint32_t i = 0; i < part->ref.txs && error == 0; i++) {
        struct slu_tx tx;
        bool whole = slu_tx_read(&r, &tx);
        if (is_dropped(c, batch, i, &drop))
            continue;
        if (!whole || entry >= c->head.indexes)
            return SLU_ERR_CORRUPT;
        write_entry(&w, c, entry, tx.kind, &tx);
        error = follow_up(h, c, entry++, tx.kind, &due, part->end_due, &w);
    }
    if (error != 0)
        return error;
    chunk->len = slu_writer_len(&w);
    chunk->entries = entry - part->first_entry + part->end_due - part->first_due;
    return w.failed || due != part->end_due ? SLU_ERR_CORRUPT : 0;
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
        h, c, batch, slu_reader_of(value + SLU_SIGNED_HEADER_BYTES, len - SLU_SIGNED_HEADER_BYTES),
        chunk);
}

static int build_chunk(struct slu_height_cache *h, const struct cached_height *c, uint32_t index,
                       struct cached_chunk *chunk)
{
    uint32_t items = c->item_count > 0, waited = c->waited > 0;
    if (index < items)
        return build_items(h, c, chunk);
    if (index < items + waited)
        return build_waited(h, c, chunk);
    return load_batch(h, c, index - items - waited, chunk);
}

static int load_chunk(struct slu_height_cache *h, const struct cached_height *c, uint32_t index,
                      struct cached_chunk *chunk)
{
    slu_metrics_add(h->metrics, SLU_METRIC_STREAM_LOADS, 1);
    int error = build_chunk(h, c, index, chunk);
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
