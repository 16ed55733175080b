#include "node/openings.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/opened.h"
#include "sluice/error.h"
#include "wire/entry.h"
#include "wire/bundle.h"
#include "wire/opening.h"

struct slu_openings {
    struct slu_disk_view *view; /* nothing else reads by it: the record stays where it is */
    uint64_t height;            /* 0: none */
    struct slu_opened *items;
};

struct slu_openings *slu_openings_new(struct slu_disk *disk)
{
    struct slu_openings *o = calloc(1, sizeof *o);
    if (o == NULL)
        return NULL;
    o->view = slu_disk_view_new(disk);
    if (o->view == NULL) {
        free(o);
        return NULL;
    }
    return o;
}

void slu_openings_free(struct slu_openings *openings)
{
    if (openings == NULL)
        return;
    free(openings->items);
    slu_disk_view_free(openings->view);
    free(openings);
}

/* Void ones are of no rollup; what was opened for none is a bundle. */
static bool is_of(uint64_t rollup, bool opened, const struct slu_opening *opening)
{
    struct slu_bundle bundle;
    if (!opened || rollup != 0)
        return opened ? rollup <= SLU_ROLLUP_ID_MAX : rollup == 0;
    return slu_bundle_read(&bundle, opening->payload, opening->payload_len) == 0;
}

/* Whether what was opened is what was due. */
static bool answers(const struct slu_opened *item, const struct slu_delivered_due *due)
{
    bool opened = item->outcome == SLU_OPENED;
    struct slu_opening opening;
    if (item->index != due->index || memcmp(item->id32, due->id, 32) != 0 ||
        item->outcome > SLU_VOID_INVALID ||
        slu_opening_read(&opening, item->opening, item->opening_len, opened) != 0)
        return false;
    return is_of(item->rollup, opened, &opening) && opening.height == due->ordered_height &&
           opening.index == due->ordered_index;
}

static int read_items(struct slu_opened *items, struct slu_reader *record,
                      const struct slu_delivered_due *dues, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (slu_opened_next(record, &items[i]) != 0 || !answers(&items[i], &dues[i]))
            return SLU_ERR_CORRUPT;
    }
    return slu_reader_done(record) ? 0 : SLU_ERR_CORRUPT;
}

int slu_openings_load(struct slu_openings *o, uint64_t height, const struct slu_delivered_due *dues,
                      uint32_t due_count)
{
    const struct slu_store *store = slu_disk_view_store(o->view);
    struct slu_record_key key = {.kind = SLU_REC_OPENED, .a = height};
    struct slu_reader record;
    const uint8_t *value;
    size_t len;
    uint32_t count;
    if (o->height == height)
        return 0;
    free(o->items);
    o->items = NULL;
    o->height = 0;
    int error = store->get(store->context, &key, &value, &len);
    if (error != 0)
        return error == SLU_ERR_NOT_FOUND ? SLU_ERR_CORRUPT : error;
    if (slu_opened_open(&record, value, len, &count) != 0 || count != due_count)
        return SLU_ERR_CORRUPT;
    o->items = calloc(count + 1u, sizeof *o->items);
    if (o->items == NULL)
        return SLU_ERR_MEMORY;
    error = read_items(o->items, &record, dues, count);
    if (error == 0)
        o->height = height;
    return error;
}

static uint32_t payload_len(const struct slu_opened *item)
{
    return item->opening_len + (item->outcome == SLU_OPENED ? 0 : 1);
}

size_t slu_openings_bytes(const struct slu_openings *openings, uint32_t first, uint32_t end)
{
    size_t bytes = 0;
    for (uint32_t i = first; i < end; i++)
        bytes += SLU_ENTRY_HEAD_BYTES + payload_len(&openings->items[i]);
    return bytes;
}

void slu_openings_write(const struct slu_openings *openings, uint32_t due, struct slu_writer *w)
{
    const struct slu_opened *item = &openings->items[due];
    bool opened = item->outcome == SLU_OPENED;
    struct slu_entry head = {.index = item->index,
                             .rollup = item->rollup,
                             .id32 = item->id32,
                             .kind = opened ? SLU_ENTRY_OPENED : SLU_ENTRY_VOID,
                             .payload_len = payload_len(item)};
    slu_entry_head_write(w, &head);
    if (!opened)
        slu_write_u8(w, item->outcome);
    slu_write_bytes(w, item->opening, item->opening_len);
}
