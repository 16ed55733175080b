#include "node/prover_places.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/opened.h"
#include "consensus/release_record.h"
#include "crypto/hash.h"
#include "node/height.h"
#include "node/prover.h"
#include "node/releases.h"
#include "sluice/error.h"
#include "wire/bundle.h"
#include "wire/merkle.h"
#include "wire/space.h"
#include "wire/tx.h"

#define SHOWN_BYTES_MAX (SLU_SPACE_PROOF_BYTES_MAX + 4u + SLU_MERKLE_PROOF_MAX * 32u)
#define FOUND           1 /* ends a scan */

/* One list's leaves, and where the entry is among them. */
struct list {
    uint64_t rollup;
    uint8_t (*leaves)[32];
    uint32_t count, cap;
    uint32_t position;
};

/* What a place points to. */
struct kept {
    uint8_t id[32], shown[SHOWN_BYTES_MAX];
    uint8_t *payload; /* malloc'd */
};

struct slu_places {
    const struct slu_genesis *genesis;
    struct slu_disk_view *view;
    struct slu_height_cache *heights;
    struct slu_release_cache *releases;
    struct list list;
    struct kept ordered, opened;
};

struct slu_places *slu_places_new(struct slu_disk *disk, const struct slu_genesis *genesis,
                                  struct slu_metrics *metrics)
{
    struct slu_places *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->genesis = genesis;
    p->view = slu_disk_view_new(disk);
    p->heights = slu_height_cache_new(disk, metrics);
    p->releases = slu_release_cache_new(disk, genesis, metrics);
    if (p->view == NULL || p->heights == NULL || p->releases == NULL) {
        slu_places_free(p);
        return NULL;
    }
    return p;
}

void slu_places_free(struct slu_places *places)
{
    if (places == NULL)
        return;
    free(places->list.leaves);
    free(places->ordered.payload);
    free(places->opened.payload);
    slu_release_cache_free(places->releases);
    slu_height_cache_free(places->heights);
    slu_disk_view_free(places->view);
    free(places);
}

/* ---- lists ---- */

static bool has_leg(const uint8_t *body, size_t len, uint64_t rollup)
{
    struct slu_bundle bundle;
    return slu_bundle_read(&bundle, body, len) == 0 && slu_bundle_has(&bundle, rollup);
}

/* In whose list a bundle is shown: `wanted`, when that is one of its legs. */
static uint64_t list_of(const uint8_t *body, size_t len, uint64_t wanted)
{
    struct slu_bundle bundle;
    if (slu_bundle_read(&bundle, body, len) != 0)
        return 0;
    return slu_bundle_has(&bundle, wanted) ? wanted : bundle.legs[0].rollup;
}

/* Whether an entry stands in the list of `rollup`. */
static bool stands_in(uint64_t rollup, const struct slu_entry *e)
{
    if ((e->kind & ~SLU_ENTRY_FORCED) == SLU_TX_BUNDLE)
        return has_leg(e->payload, e->payload_len, rollup);
    return e->rollup == rollup;
}

static int add_leaf(struct list *list, const uint8_t leaf32[32])
{
    if (list->count == list->cap) {
        uint32_t cap = list->cap == 0 ? 1024 : 2 * list->cap;
        uint8_t(*leaves)[32] = realloc(list->leaves, (size_t)cap * 32);
        if (leaves == NULL)
            return SLU_ERR_MEMORY;
        list->leaves = leaves;
        list->cap = cap;
    }
    memcpy(list->leaves[list->count++], leaf32, 32);
    return 0;
}

static int keep_payload(struct kept *kept, uint8_t **at, size_t len)
{
    free(kept->payload);
    *at = kept->payload = malloc(len + 1);
    return *at == NULL ? SLU_ERR_MEMORY : 0;
}

/* The list in its space, and the entry in the list. */
static int show(struct slu_places *p, enum slu_space_kind kind, struct kept *kept,
                struct slu_proof_place *place)
{
    const struct list *list = &p->list;
    struct slu_writer w = slu_writer_of(kept->shown, sizeof kept->shown);
    int error = slu_release_cache_prove(p->releases, place->height, kind, list->rollup, &w);
    if (error != 0)
        return error;
    slu_write_u32(&w, list->position);
    slu_merkle_prove(&w, p->genesis->chain_id, (const uint8_t(*)[32])list->leaves, list->count,
                     list->position, 1);
    SLU_CHECK(!w.failed);
    place->shown = kept->shown;
    place->shown_len = slu_writer_len(&w);
    return 0;
}

/* ---- what was ordered ---- */

/* Calls `visit` for everything that was ordered at a height, until it returns something else than
 * 0. */
static int each_ordered(struct slu_places *p, uint64_t at,
                        int (*visit)(struct slu_places *p, const struct slu_entry *entry,
                                     struct slu_proof_place *place),
                        struct slu_proof_place *place)
{
    struct slu_height height;
    int error = slu_height_cache_get(p->heights, at, &height);
    for (uint32_t i = 0; error == 0 && i < height.chunk_count; i++) {
        struct slu_chunk chunk;
        struct slu_entry entry;
        error = slu_height_cache_chunk(p->heights, at, i, &chunk);
        if (error != 0)
            break;
        struct slu_reader r = slu_reader_of(chunk.bytes, chunk.len);
        while (error == 0 && slu_entry_next(&r, &entry)) {
            if (entry.kind != SLU_ENTRY_OPENED && entry.kind != SLU_ENTRY_VOID)
                error = visit(p, &entry, place);
        }
    }
    return error;
}

/* Copies the entry of this index, or of this id: chunks do not last. */
static int find(struct slu_places *p, const struct slu_entry *entry, struct slu_proof_place *place)
{
    struct slu_entry *e = &place->entry;
    uint8_t *payload;
    bool any = e->index == SLU_PROVER_ANY_INDEX, same = !memcmp(entry->id32, p->ordered.id, 32);
    if (any ? !same : entry->index != e->index)
        return 0;
    if (!same)
        return SLU_ERR_CORRUPT;
    int error = keep_payload(&p->ordered, &payload, entry->payload_len);
    if (error != 0)
        return error;
    *e = *entry;
    e->id32 = p->ordered.id;
    e->payload = memcpy(payload, entry->payload, entry->payload_len);
    return FOUND;
}

static int gather(struct slu_places *p, const struct slu_entry *entry,
                  struct slu_proof_place *place)
{
    uint8_t leaf32[32];
    if (!stands_in(p->list.rollup, entry))
        return 0;
    if (entry->index == place->entry.index)
        p->list.position = p->list.count;
    slu_entry_leaf(leaf32, p->genesis->chain_id, entry->index, entry->kind, entry->id32, NULL);
    return add_leaf(&p->list, leaf32);
}

int slu_places_ordered(struct slu_places *p, const struct slu_tx_status *status, uint64_t rollup,
                       struct slu_proof_place *place)
{
    *place = (struct slu_proof_place){.height = status->height, .entry.index = status->index};
    memcpy(p->ordered.id, status->id, 32);
    int error = each_ordered(p, status->height, find, place);
    if (error == 0)
        error = status->index == SLU_PROVER_ANY_INDEX ? SLU_ERR_MISMATCH : SLU_ERR_CORRUPT;
    if (error != FOUND)
        return error;
    p->list.rollup = place->entry.rollup;
    if ((place->entry.kind & ~SLU_ENTRY_FORCED) == SLU_TX_BUNDLE)
        p->list.rollup = list_of(place->entry.payload, place->entry.payload_len, rollup);
    p->list.count = 0;
    error = each_ordered(p, status->height, gather, place);
    return error != 0 ? error : show(p, SLU_SPACE_ORDERED, &p->ordered, place);
}

/* ---- what was opened ---- */

struct search {
    struct slu_places *p;
    const struct slu_tx_status *status;
    uint64_t rollup;
    struct slu_proof_place *place;
    size_t bytes_left;
};

/* Whether this is the opening of what was ordered at the place of `status`. */
static bool opens(const struct slu_opened *item, const struct slu_tx_status *status,
                  struct slu_opening *opening)
{
    return memcmp(item->id32, status->id, 32) == 0 &&
           slu_opening_read(opening, item->opening, item->opening_len,
                            item->outcome == SLU_OPENED) == 0 &&
           opening->height == status->height && opening->index == status->index;
}

static int keep_opened(struct slu_places *p, const struct slu_opened *item,
                       struct slu_proof_place *place)
{
    bool is_void = item->outcome != SLU_OPENED;
    uint8_t *payload;
    int error = keep_payload(&p->opened, &payload, item->opening_len + 1u);
    if (error != 0)
        return error;
    if (is_void)
        payload[0] = item->outcome;
    memcpy(payload + is_void, item->opening, item->opening_len);
    memcpy(p->opened.id, item->id32, 32);
    place->entry = (struct slu_entry){.index = item->index,
                                      .rollup = item->rollup,
                                      .id32 = p->opened.id,
                                      .kind = is_void ? SLU_ENTRY_VOID : SLU_ENTRY_OPENED,
                                      .payload = payload,
                                      .payload_len = item->opening_len + is_void};
    return 0;
}

/* Whether something that was opened stands in the list of `rollup`: a bundle is of rollup 0. */
static bool opened_in(uint64_t rollup, const struct slu_opened *item)
{
    struct slu_opening opening;
    if (item->outcome != SLU_OPENED || item->rollup != 0)
        return item->rollup == rollup;
    return slu_opening_read(&opening, item->opening, item->opening_len, true) == 0 &&
           has_leg(opening.payload, opening.payload_len, rollup);
}

static int gather_opened(struct slu_places *p, struct slu_reader record, uint32_t count,
                         uint32_t index)
{
    const uint8_t *chain_id = p->genesis->chain_id;
    struct slu_opened item;
    p->list.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t leaf32[32], content32[32];
        struct slu_hash hash;
        if (slu_opened_next(&record, &item) != 0)
            return SLU_ERR_CORRUPT;
        bool is_void = item.outcome != SLU_OPENED;
        if (!opened_in(p->list.rollup, &item))
            continue;
        if (item.index == index)
            p->list.position = p->list.count;
        slu_hash_begin(&hash, "content", chain_id);
        if (is_void)
            slu_hash_add(&hash, &item.outcome, 1);
        slu_hash_add(&hash, item.opening, item.opening_len);
        slu_hash_end(&hash, content32);
        slu_entry_leaf(leaf32, chain_id, item.index, is_void ? SLU_ENTRY_VOID : SLU_ENTRY_OPENED,
                       item.id32, content32);
        int error = add_leaf(&p->list, leaf32);
        if (error != 0)
            return error;
    }
    return 0;
}

static int visit_opened(void *context, const struct slu_record_key *key, const uint8_t *value,
                        size_t len)
{
    struct search *s = context;
    struct slu_reader record;
    struct slu_opened item;
    struct slu_opening opening;
    uint32_t count;
    if (len > s->bytes_left)
        return SLU_ERR_NOT_FOUND;
    s->bytes_left -= len;
    if (slu_opened_open(&record, value, len, &count) != 0)
        return SLU_ERR_CORRUPT;
    struct slu_reader first = record;
    for (uint32_t i = 0; i < count; i++) {
        if (slu_opened_next(&record, &item) != 0)
            return SLU_ERR_CORRUPT;
        if (!opens(&item, s->status, &opening))
            continue;
        s->place->height = key->a;
        s->p->list.rollup = item.rollup;
        if (item.outcome == SLU_OPENED && item.rollup == 0)
            s->p->list.rollup = list_of(opening.payload, opening.payload_len, s->rollup);
        int error = keep_opened(s->p, &item, s->place);
        if (error == 0)
            error = gather_opened(s->p, first, count, item.index);
        return error != 0 ? error : FOUND;
    }
    return 0;
}

static int time_of(struct slu_places *p, uint64_t height, uint64_t *time_ms)
{
    const struct slu_store *store = slu_disk_view_store(p->view);
    struct slu_record_key key = {.kind = SLU_REC_RELEASE, .a = height};
    struct slu_release_record record;
    const uint8_t *value;
    size_t len;
    int error = store->get(store->context, &key, &value, &len);
    if (error == 0 && slu_release_record_open(&record, p->genesis->chain_id, value, len) != 0)
        error = SLU_ERR_CORRUPT;
    if (error == 0)
        *time_ms = record.release.time_ms;
    return error;
}

/* The lowest height, from the one of `ordered` to above `top`, at which its unlock lets it open. */
static int first_height(struct slu_places *p, const struct slu_proof_place *ordered, uint64_t top,
                        uint64_t *first)
{
    const struct slu_entry *e = &ordered->entry;
    struct slu_sealed sealed;
    *first = ordered->height;
    if (slu_sealed_read(&sealed, e->payload, e->payload_len, e->valid_until_ms) != 0)
        return 0; /* a void one */
    if (sealed.label.unlock_kind == SLU_UNLOCK_HEIGHT && sealed.label.unlock > *first)
        *first = sealed.label.unlock;
    if (sealed.label.unlock_kind != SLU_UNLOCK_TIME)
        return 0;
    uint64_t end = top + 1;
    while (*first < end) {
        uint64_t middle = *first + (end - *first) / 2, time_ms;
        int error = time_of(p, middle, &time_ms);
        if (error != 0)
            return error;
        if (time_ms < sealed.label.unlock)
            *first = middle + 1;
        else
            end = middle;
    }
    return 0;
}

int slu_places_opened(struct slu_places *p, const struct slu_tx_status *status, uint64_t rollup,
                      const struct slu_proof_place *ordered, uint64_t top,
                      struct slu_proof_place *place)
{
    const struct slu_store *store = slu_disk_view_store(p->view);
    struct slu_record_key from = {.kind = SLU_REC_OPENED};
    struct slu_record_key to = {.kind = SLU_REC_OPENED, .a = top + 1};
    struct search search = {.p = p,
                            .status = status,
                            .rollup = rollup,
                            .place = place,
                            .bytes_left = SLU_PROVER_BYTES_MAX};
    memset(place, 0, sizeof *place);
    int error = first_height(p, ordered, top, &from.a);
    if (error != 0)
        return error;
    if (from.a > top)
        return SLU_ERR_NOT_FOUND;
    error = store->scan(store->context, &from, &to, visit_opened, &search);
    if (error != FOUND)
        return error != 0 ? error : SLU_ERR_NOT_FOUND;
    return show(p, SLU_SPACE_OPENED, &p->opened, place);
}
