#include "consensus/release_record.h"

#include <string.h>

#include "consensus/opener.h"
#include "consensus/release.h"
#include "consensus/state.h"
#include "sluice/error.h"

/* ---- reading ---- */

static int open_leaves(struct slu_reader *r, uint32_t *count, struct slu_reader *leaves)
{
    *count = slu_read_u32(r);
    *leaves = *r;
    if (r->failed || slu_reader_left(r) != (size_t)*count * SLU_SPACE_LEAF_BYTES)
        return SLU_ERR_MALFORMED;
    return SLU_OK;
}

int slu_space_record_open(struct slu_space_record *out, const uint8_t *bytes, size_t len)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    out->time_ms = slu_read_u64(&r);
    out->block32 = slu_read_bytes(&r, 32);
    out->parts = slu_read_bytes(&r, (size_t)SLU_STATE_PARTS * 32);
    out->ordered32 = slu_read_bytes(&r, 32);
    return open_leaves(&r, &out->count, &out->leaves);
}

int slu_release_record_open(struct slu_release_record *out, const uint8_t chain_id32[32],
                            const uint8_t *bytes, size_t len)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    int rc = slu_release_read(&r, chain_id32, &out->release);
    return rc ? rc : open_leaves(&r, &out->count, &out->leaves);
}

/* ---- writing ---- */

static void write_leaves(struct slu_writer *w, const struct slu_space_maker *space, uint32_t count)
{
    slu_write_u32(w, count);
    for (uint32_t i = 0; i < count; i++)
        slu_space_leaf_write(w, &space->leaves[i]);
}

static void persist(struct slu_core *c, enum slu_record_kind kind, uint64_t height,
                    const struct slu_writer *w)
{
    struct slu_record_key key = {.kind = kind, .a = height};
    SLU_CHECK(!w->failed && w->at == w->end);
    slu_fx_persist(c, &key, w->start, slu_writer_len(w), NULL, 0);
}

void slu_release_persist_space(struct slu_core *c, const struct slu_release *waiting)
{
    const struct slu_space_maker *space = &c->releases.ordered;
    size_t len = SLU_SPACE_RECORD_HEAD_BYTES + (size_t)space->rollups * SLU_SPACE_LEAF_BYTES;
    struct slu_writer w = slu_writer_of(slu_fx_take(c, len), len);
    slu_write_u64(&w, waiting->time_ms);
    slu_write_bytes(&w, waiting->block, 32);
    slu_write_bytes(&w, c->releases.parts, sizeof c->releases.parts);
    slu_write_bytes(&w, waiting->ordered, 32);
    write_leaves(&w, space, space->rollups);
    persist(c, SLU_REC_SPACE, waiting->height, &w);
}

void slu_release_persist(struct slu_core *c, const struct slu_release *release, bool with_opened)
{
    const struct slu_space_maker *space = &c->releases.opened;
    uint32_t count = with_opened ? space->rollups : 0;
    size_t len = SLU_RELEASE_BYTES + 4u + (size_t)count * SLU_SPACE_LEAF_BYTES;
    struct slu_writer w = slu_writer_of(slu_fx_take(c, len), len);
    slu_release_write(&w, release);
    write_leaves(&w, space, count);
    persist(c, SLU_REC_RELEASE, release->height, &w);
}

void slu_release_persist_cert(struct slu_core *c, const struct slu_release_cert *cert)
{
    size_t len = slu_release_cert_bytes(c->g);
    struct slu_writer w = slu_writer_of(slu_fx_take(c, len), len);
    slu_release_cert_write(&w, cert);
    persist(c, SLU_REC_RELEASE_CERT, cert->release.height, &w);
}

/* ---- boot ---- */

static int get(const struct slu_store *store, enum slu_record_kind kind, uint64_t height,
               const uint8_t **value, size_t *len)
{
    struct slu_record_key key = {.kind = kind, .a = height};
    return store->get(store->context, &key, value, len);
}

static int boot_space(struct slu_core *c, const struct slu_store *store, uint64_t height)
{
    struct slu_releases *s = &c->releases;
    struct slu_release *waiting = &s->waiting[height % SLU_OPENING_HEIGHTS];
    struct slu_space_record record;
    const uint8_t *value;
    size_t len;
    int rc = get(store, SLU_REC_SPACE, height, &value, &len);
    if (rc || slu_space_record_open(&record, value, len))
        return rc == SLU_ERR_IO ? rc : SLU_ERR_CORRUPT;
    *waiting = (struct slu_release){.height = height, .time_ms = record.time_ms};
    memcpy(waiting->block, record.block32, 32);
    memcpy(waiting->ordered, record.ordered32, 32);
    memcpy(s->parts, record.parts, sizeof s->parts);
    slu_state_digest(waiting->state, c->g->chain_id, (const uint8_t(*)[32])s->parts);
    return SLU_OK;
}

static int boot_made(struct slu_core *c, const struct slu_store *store, uint64_t height)
{
    struct slu_release_record record;
    const uint8_t *value;
    size_t len;
    int rc = get(store, SLU_REC_RELEASE, height, &value, &len);
    if (rc)
        return rc;
    if (slu_release_record_open(&record, c->g->chain_id, value, len) ||
        record.release.height != height)
        return SLU_ERR_CORRUPT;
    c->releases.made[height % SLU_RELEASES_KEPT] = record.release;
    return SLU_OK;
}

/* Of the open heights the last ones may lack theirs: a turn that was torn off. */
static int boot_top(struct slu_core *c, const struct slu_store *store, uint64_t open)
{
    struct slu_releases *s = &c->releases;
    int rc = SLU_ERR_NOT_FOUND;
    s->top = open;
    while (s->top > 0 && open - s->top < SLU_OPENING_HEIGHTS &&
           (rc = boot_made(c, store, s->top)) == SLU_ERR_NOT_FOUND)
        s->top--;
    if (s->top == 0)
        return SLU_OK;
    for (uint64_t h = s->top - 1; !rc && h > 0 && s->top - h < SLU_RELEASES_KEPT / 2; h--)
        rc = boot_made(c, store, h);
    if (rc == SLU_ERR_NOT_FOUND && s->made[s->top % SLU_RELEASES_KEPT].height == s->top)
        return SLU_OK; /* pruned further down */
    return rc == SLU_ERR_NOT_FOUND ? SLU_ERR_CORRUPT : rc;
}

static int boot_cert(struct slu_core *c, const struct slu_store *store)
{
    struct slu_releases *s = &c->releases;
    struct slu_record_key key;
    const uint8_t *value;
    size_t len;
    int rc = store->last(store->context, SLU_REC_RELEASE_CERT, &key, &value, &len);
    if (rc)
        return rc == SLU_ERR_NOT_FOUND ? SLU_OK : rc;
    struct slu_reader r = slu_reader_of(value, len);
    if (slu_release_cert_read(&r, c->g, &s->cert) || !slu_reader_done(&r) ||
        s->cert.release.height != key.a)
        return SLU_ERR_CORRUPT;
    s->certified = key.a;
    return SLU_OK;
}

int slu_release_boot(struct slu_core *c, const struct slu_store *store)
{
    uint64_t open = slu_opener_height_open(c);
    int rc = boot_top(c, store, open);
    if (!rc)
        rc = boot_cert(c, store);
    for (uint64_t h = c->releases.top + 1; !rc && h <= c->delivered.height; h++)
        rc = boot_space(c, store, h);
    if (!rc && c->delivered.height > 0 && c->releases.top >= c->delivered.height)
        rc = boot_space(c, store, c->delivered.height); /* for its parts */
    return rc;
}
