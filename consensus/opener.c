/* What is in flight, from delivery to the OPENED record; opening.c does the work in between. */
#include "consensus/opener.h"

#include <string.h>

#include "consensus/keygen.h"
#include "consensus/opened.h"
#include "consensus/state.h"
#include "sluice/error.h"
#include "wire/opening.h"

#define AHEAD       4u  /* heights full of dues that fit into the ring */
#define PLACE_BYTES 14u /* before the envelope in a DUE record: owner, where it was ordered */

static uint64_t due_cap(const struct slu_genesis *g)
{
    return g->params.sealing ? AHEAD * (uint64_t)slu_due_count_max(g) : 1u;
}

static size_t bytes_cap(const struct slu_genesis *g)
{
    return g->params.sealing ? AHEAD * slu_due_bytes_max(g) : 0u;
}

size_t slu_opener_bytes(const struct slu_genesis *g)
{
    uint64_t cap = due_cap(g);
    return cap * (sizeof(struct slu_due) + sizeof(struct slu_due_chunk) + sizeof(uint64_t)) +
           bytes_cap(g) + slu_idset_bytes((uint32_t)(2 * cap)) + slu_share_pool_bytes(g) +
           slu_share_work_bytes(SLU_SHARES_MAX) +
           (2u * SLU_SHARES_MAX + (size_t)g->n * SLU_OPEN_TOGETHER) * sizeof(struct slu_point) +
           (size_t)SLU_OPEN_TOGETHER * SLU_SEALED_PLAIN_MAX + 13u * 16u;
}

static void *take(struct slu_arena *arena, size_t bytes)
{
    void *at = slu_arena_take(arena, bytes);
    SLU_CHECK(at);
    return at;
}

void slu_opener_init(struct slu_core *c, struct slu_arena *arena)
{
    struct slu_opener *o = &c->opener;
    o->due_cap = due_cap(c->g);
    SLU_CHECK(8192u + slu_due_count_max(c->g) <= SLU_TURN_EFFECTS_MAX); /* slu_opener_opened */
    o->dues = take(arena, o->due_cap * sizeof *o->dues);
    o->chunks = take(arena, o->due_cap * sizeof *o->chunks);
    o->members = take(arena, o->due_cap * sizeof *o->members);
    o->bytes_cap = bytes_cap(c->g);
    o->bytes = take(arena, o->bytes_cap);
    slu_idset_init(&o->ids, arena, (uint32_t)(2 * o->due_cap), c->random);
    slu_share_pool_init(&o->pool, arena, c->g);
    o->work =
        slu_share_work_init(take(arena, slu_share_work_bytes(SLU_SHARES_MAX)), SLU_SHARES_MAX);
    o->points = take(arena, SLU_SHARES_MAX * sizeof *o->points);
    o->others = take(arena, SLU_SHARES_MAX * sizeof *o->others);
    o->decoded = take(arena, (size_t)c->n * SLU_OPEN_TOGETHER * sizeof *o->decoded);
    o->plain = take(arena, (size_t)SLU_OPEN_TOGETHER * SLU_SEALED_PLAIN_MAX);
}

/* ---- places ---- */

struct slu_due *slu_due_at(const struct slu_core *c, uint64_t number)
{
    return &c->opener.dues[number % c->opener.due_cap];
}

struct slu_due_chunk *slu_chunk_at(const struct slu_core *c, uint64_t number)
{
    return &c->opener.chunks[number % c->opener.due_cap];
}

struct slu_due_height *slu_height_at(const struct slu_core *c, uint64_t number)
{
    return (struct slu_due_height *)(uintptr_t)&c->opener.heights[number % SLU_OPENING_HEIGHTS];
}

struct slu_due *slu_member_at(const struct slu_core *c, const struct slu_due_chunk *chunk,
                              uint32_t m)
{
    return slu_due_at(c, c->opener.members[(chunk->members + m) % c->opener.due_cap]);
}

/* Room for one height more, whatever is due at it. */
bool slu_opener_has_room(const struct slu_core *c, uint64_t height)
{
    const struct slu_opener *o = &c->opener;
    if (o->height_first == o->height_top)
        return true;
    return height < slu_height_at(c, o->height_first)->height + SLU_OPENING_HEIGHTS &&
           o->due_top - o->due_first + slu_due_count_max(c->g) <= o->due_cap &&
           o->bytes_used + 2 * slu_due_bytes_max(c->g) <= o->bytes_cap;
}

/* Memory for an envelope; what is skipped at the ring's end counts as its own. */
static uint8_t *take_bytes(struct slu_opener *o, uint32_t bytes)
{
    if (o->bytes_head + bytes > o->bytes_cap) {
        o->bytes_used += o->bytes_cap - o->bytes_head;
        o->bytes_head = 0;
    }
    SLU_CHECK(o->bytes_used + bytes <= o->bytes_cap);
    uint8_t *at = o->bytes + o->bytes_head;
    o->bytes_head += bytes;
    o->bytes_used += bytes;
    return at;
}

static void give_bytes(struct slu_opener *o, const struct slu_due *due)
{
    size_t at = (size_t)(due->envelope - o->bytes);
    if (at < o->bytes_tail) { /* this one began anew at the front */
        o->bytes_used -= o->bytes_cap - o->bytes_tail;
        o->bytes_tail = 0;
    }
    o->bytes_used -= due->e.bytes;
    o->bytes_tail += due->e.bytes;
}

/* ---- a height is delivered ---- */

void slu_opener_begin(struct slu_core *c, const struct slu_block *block)
{
    struct slu_opener *o = &c->opener;
    o->now = (struct slu_due_height){
        .height = block->height, .first = o->due_top, .first_chunk = o->chunk_top};
    memcpy(o->now.block, block->digest, 32);
    o->now_ms = block->time_ms;
}

uint64_t slu_opener_height(const struct slu_core *c)
{
    return c->opener.now.height;
}

uint64_t slu_opener_time_ms(const struct slu_core *c)
{
    return c->opener.now_ms;
}

uint32_t slu_opener_count(const struct slu_core *c)
{
    return c->opener.now.count;
}

const struct slu_due *slu_opener_due(const struct slu_core *c, uint32_t at)
{
    return slu_due_at(c, c->opener.now.first + at);
}

static void persist_due(struct slu_core *c, const struct slu_sealed_entry *entry, uint32_t index,
                        const struct slu_tx *tx)
{
    struct slu_record_key key = {.kind = SLU_REC_DUE, .a = c->opener.now.height, .b = index};
    struct slu_writer w = slu_writer_of(slu_fx_take(c, PLACE_BYTES), PLACE_BYTES);
    slu_write_u16(&w, entry->lane);
    slu_write_u64(&w, entry->height);
    slu_write_u32(&w, entry->index);
    slu_fx_persist(c, &key, w.start, PLACE_BYTES, tx->bytes, tx->bytes_len);
}

static void add(struct slu_core *c, const struct slu_sealed_entry *entry, uint32_t index,
                const uint8_t *envelope, int key, const struct slu_sealed_checked *checked)
{
    struct slu_opener *o = &c->opener;
    struct slu_due *due = slu_due_at(c, o->due_top++);
    o->now.count++;
    memset(due, 0, sizeof *due);
    due->e = *entry;
    due->index = index;
    due->key = key;
    due->envelope = take_bytes(o, entry->bytes);
    memcpy(due->envelope, envelope, entry->bytes);
    SLU_CHECK(slu_idset_add(&o->ids, entry->id, o->now.height, index, 0));
    if (key < 0) {
        due->state = SLU_DUE_DONE;
        due->outcome = SLU_VOID_INVALID;
        return;
    }
    struct slu_reader r = slu_reader_of(due->envelope, entry->bytes);
    struct slu_tx tx;
    SLU_CHECK(slu_tx_read(&r, &tx) &&
              !slu_sealed_read(&due->sealed, tx.body, tx.body_len, tx.valid_until_ms));
    due->checked = *checked;
}

void slu_opener_add(struct slu_core *c, const struct slu_sealed_entry *entry, uint32_t index,
                    const struct slu_tx *tx, const struct slu_sealing_found *found)
{
    persist_due(c, entry, index, tx);
    add(c, entry, index, tx->bytes, found ? found->key : -1, found ? &found->checked : NULL);
}

/* The chunk's lists of ids and R (docs/CRYPTO.md clause 5.2). */
static void make_list(struct slu_core *c, struct slu_due_chunk *chunk)
{
    uint8_t ids[SLU_SHARES_MAX][32], r[SLU_SHARES_MAX][32];
    for (uint32_t m = 0; m < chunk->count; m++) {
        const struct slu_due *due = slu_member_at(c, chunk, m);
        memcpy(ids[m], due->e.id, 32);
        memcpy(r[m], due->sealed.r32, 32);
    }
    slu_shares_ids(chunk->ids_hash, c->g, (const uint8_t(*)[32])ids, chunk->count);
    slu_shares_list(chunk->list, c->g, chunk->ids_hash, (const uint8_t(*)[32])r, chunk->count);
}

static void make_chunks_of(struct slu_core *c, int key)
{
    struct slu_opener *o = &c->opener;
    struct slu_due_chunk *chunk = NULL;
    uint32_t place = 0;
    for (uint32_t i = 0; i < o->now.count; i++) {
        if (slu_due_at(c, o->now.first + i)->key != key)
            continue;
        if (place % SLU_SHARES_MAX == 0) {
            chunk = slu_chunk_at(c, o->chunk_top++);
            *chunk = (struct slu_due_chunk){.key = key, .first = place, .members = o->member_top};
            o->now.chunk_count++;
        }
        SLU_CHECK(chunk);
        o->members[o->member_top++ % o->due_cap] = o->now.first + i;
        chunk->count++;
        place++;
    }
}

static void close_height(struct slu_core *c)
{
    struct slu_opener *o = &c->opener;
    if (o->now.count == 0)
        return;
    for (int key = 0; key < c->keygen->key_count; key++)
        make_chunks_of(c, key);
    for (uint32_t i = 0; i < o->now.chunk_count; i++)
        make_list(c, slu_chunk_at(c, o->now.first_chunk + i));
    SLU_CHECK(o->height_top - o->height_first < SLU_OPENING_HEIGHTS);
    *slu_height_at(c, o->height_top++) = o->now;
    slu_opening_look(c, &o->now);
    o->wanted = true;
}

void slu_opener_close(struct slu_core *c)
{
    /* Far below the head others opened it long ago: ask at once. */
    bool behind = c->head.height > c->opener.now.height + 8;
    c->opener.now.ask_ms = c->now_ms + (behind ? 0u : 2u * c->g->params.delta_ms);
    close_height(c);
    slu_opener_tell(c);
}

/* ---- a height is open ---- */

uint64_t slu_opener_height_open(const struct slu_core *c)
{
    const struct slu_opener *o = &c->opener;
    return o->height_first == o->height_top ? c->delivered.height
                                            : slu_height_at(c, o->height_first)->height - 1;
}

static void tell(struct slu_core *c, uint32_t opened, uint32_t voids)
{
    struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_OPENED);
    c->opener.told = slu_opener_height_open(c);
    slu_release_advance(c, c->opener.told);
    fx->opened.height = c->opener.told;
    fx->opened.opened = opened;
    fx->opened.voids = voids;
}

void slu_opener_tell(struct slu_core *c)
{
    if (slu_opener_height_open(c) > c->opener.told)
        tell(c, 0, 0);
}

static size_t record_bytes(const struct slu_core *c, const struct slu_due_height *h)
{
    size_t len = 4;
    for (uint32_t i = 0; i < h->count; i++) {
        const struct slu_due *due = slu_due_at(c, h->first + i);
        len += SLU_OPENED_HEAD_BYTES + (due->outcome == SLU_OPENED
                                            ? SLU_OPENING_HEAD_BYTES + due->payload_len
                                            : SLU_OPENING_PLACE_BYTES);
    }
    return len;
}

static void write_due(struct slu_writer *w, const struct slu_due *due)
{
    bool opened = due->outcome == SLU_OPENED;
    struct slu_opening opening = {.height = due->e.height, .index = due->e.index};
    if (opened) {
        opening.key_id32 = due->sealed.key_id32;
        opening.unlock_kind = due->sealed.label.unlock_kind;
        opening.unlock = due->sealed.label.unlock;
        opening.valid_until_ms = due->sealed.label.valid_until_ms;
        opening.e16 = due->sealed.e16;
        opening.z32 = due->sealed.z32;
        opening.rho32 = due->sealed.c;
        opening.payload = due->sealed.c + SLU_RHO_BYTES;
        opening.payload_len = due->payload_len;
    }
    slu_write_u32(w, due->index);
    slu_write_bytes(w, due->e.id, 32);
    slu_write_u8(w, due->outcome);
    slu_write_u64(w, opened ? due->rollup : 0);
    slu_write_u32(w, opened ? SLU_OPENING_HEAD_BYTES + due->payload_len : SLU_OPENING_PLACE_BYTES);
    slu_opening_write(w, &opening, opened);
}

/* The height's release, from its OPENED record. */
static void release(struct slu_core *c, const struct slu_due_height *h, const uint8_t *record,
                    size_t len)
{
    struct slu_reader r;
    struct slu_opened opened;
    uint32_t count;
    SLU_CHECK(!slu_opened_open(&r, record, len, &count));
    for (uint32_t i = 0; i < count; i++) {
        SLU_CHECK(!slu_opened_next(&r, &opened));
        slu_release_outcome(c, &opened);
    }
    slu_release_opened(c, h->height);
}

/* Release, record, and then what is deleted for it: of what a torn write leaves, a restart sees
 * that the height is open, and that what is open is released. */
void slu_opener_opened(struct slu_core *c)
{
    struct slu_opener *o = &c->opener;
    struct slu_due_height *h = slu_height_at(c, o->height_first);
    size_t len = record_bytes(c, h);
    uint32_t opened = 0;
    struct slu_writer w = slu_writer_of(slu_fx_take(c, len), len);
    slu_write_u32(&w, h->count);
    for (uint32_t i = 0; i < h->count; i++) {
        const struct slu_due *due = slu_due_at(c, h->first + i);
        write_due(&w, due);
        opened += due->outcome == SLU_OPENED;
    }
    SLU_CHECK(!w.failed && w.at == w.end);
    release(c, h, w.start, len);
    struct slu_record_key key = {.kind = SLU_REC_OPENED, .a = h->height};
    slu_fx_persist(c, &key, w.start, len, NULL, 0);
    for (uint32_t i = 0; i < h->count; i++) {
        const struct slu_due *due = slu_due_at(c, h->first + i);
        struct slu_record_key from = {
            .kind = SLU_REC_CALENDAR, .a = due->e.height, .b = due->e.index};
        struct slu_record_key to = {
            .kind = SLU_REC_CALENDAR, .a = due->e.height, .b = due->e.index + UINT64_C(1)};
        if (due->e.height < h->height)
            slu_fx_forget(c, &from, &to);
        give_bytes(o, due);
        slu_idset_pop(&o->ids);
    }
    struct slu_record_key from = {.kind = SLU_REC_DUE, .a = h->height};
    struct slu_record_key to = {.kind = SLU_REC_DUE, .a = h->height + 1};
    slu_fx_forget(c, &from, &to);
    slu_share_pool_forget(&o->pool, c->n, h->height);
    o->due_first += h->count;
    o->chunk_first += h->chunk_count;
    o->height_first++;
    c->stats.sealed_opened += opened;
    c->stats.sealed_void += h->count - opened;
    tell(c, opened, h->count - opened);
    c->order_wanted = true; /* delivery may have waited for the room */
}

/* ---- boot ---- */

struct boot {
    struct slu_core *core;
    const struct slu_store *store;
    bool open; /* the height under the cursor has its OPENED record */
};

static int get(const struct slu_store *store, enum slu_record_kind kind, uint64_t a,
               const uint8_t **value, size_t *len)
{
    struct slu_record_key key = {.kind = kind, .a = a};
    return store->get(store->context, &key, value, len);
}

/* The cursor comes to another height: is it open already, and whose block is it? */
static int boot_height(struct boot *boot, uint64_t height)
{
    struct slu_core *c = boot->core;
    const uint8_t *value;
    size_t len;
    close_height(c);
    c->opener.now = (struct slu_due_height){
        .height = height, .first = c->opener.due_top, .first_chunk = c->opener.chunk_top};
    int rc = get(boot->store, SLU_REC_OPENED, height, &value, &len);
    boot->open = rc == SLU_OK;
    if (rc != SLU_ERR_NOT_FOUND)
        return rc;
    rc = get(boot->store, SLU_REC_DELIVERED, height, &value, &len);
    if (rc || len < 32)
        return rc == SLU_ERR_IO ? rc : SLU_ERR_CORRUPT;
    memcpy(c->opener.now.block, value, 32);
    return SLU_OK;
}

static int read_due(struct boot *boot, const struct slu_record_key *key, const uint8_t *value,
                    size_t len)
{
    struct slu_core *c = boot->core;
    struct slu_opener *o = &c->opener;
    struct slu_reader r = slu_reader_of(value, len);
    struct slu_sealed_entry entry = {.lane = slu_read_u16(&r)};
    struct slu_sealed sealed;
    struct slu_sealed_checked checked;
    struct slu_tx tx;
    entry.height = slu_read_u64(&r);
    entry.index = slu_read_u32(&r);
    if (!slu_tx_read(&r, &tx) || !slu_reader_done(&r) ||
        slu_sealed_read(&sealed, tx.body, tx.body_len, tx.valid_until_ms) || key->b > UINT32_MAX ||
        o->due_top - o->due_first == o->due_cap || o->bytes_used + tx.bytes_len > o->bytes_cap ||
        o->ids.count == o->ids.cap)
        return SLU_ERR_CORRUPT;
    entry.bytes = tx.bytes_len;
    entry.unlock_kind = sealed.label.unlock_kind;
    entry.unlock = sealed.label.unlock;
    slu_tx_id(entry.id, c->g, &tx);
    if (boot->open) { /* a leftover: only so that its calendar record counts for nothing */
        o->stale++;
        return slu_idset_add(&o->ids, entry.id, key->a, (uint32_t)key->b, 0) ? SLU_OK
                                                                             : SLU_ERR_CORRUPT;
    }
    int number = slu_keygen_find(c, sealed.key_id32);
    if (number >= 0 && !slu_sealed_valid(c->keygen->keys[number].opening, &checked, &sealed))
        number = -1;
    add(c, &entry, (uint32_t)key->b, tx.bytes, number, &checked);
    return SLU_OK;
}

static int visit(void *context, const struct slu_record_key *key, const uint8_t *value, size_t len)
{
    struct boot *boot = context;
    int rc = SLU_OK;
    if (key->a != boot->core->opener.now.height) {
        /* The store's memory is one record's. */
        static _Thread_local uint8_t copy[PLACE_BYTES + SLU_TX_BYTES_MAX_CAP];
        struct slu_record_key at = *key;
        if (len > sizeof copy)
            return SLU_ERR_CORRUPT;
        memcpy(copy, value, len);
        rc = boot_height(boot, at.a);
        return rc ? rc : read_due(boot, &at, copy, len);
    }
    return read_due(boot, key, value, len);
}

int slu_opener_boot(struct slu_core *c, const struct slu_store *store)
{
    struct boot boot = {.core = c, .store = store};
    struct slu_record_key from = {.kind = SLU_REC_DUE};
    struct slu_record_key to = {.kind = SLU_REC_DUE, .a = c->delivered.height + 1};
    int rc = store->scan(store->context, &from, &to, visit, &boot);
    if (!rc)
        close_height(c);
    c->opener.now.count = 0;
    return rc;
}

void slu_opener_booted(struct slu_core *c)
{
    for (; c->opener.stale > 0; c->opener.stale--)
        slu_idset_pop(&c->opener.ids);
    c->opener.told = slu_opener_height_open(c);
}
