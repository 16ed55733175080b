#include "node/releases.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/release_record.h"
#include "sluice/error.h"
#include "wire/merkle.h"

#define FOUND 1 /* ends a scan */

struct cached_run {
    uint64_t from, end;   /* 0: free */
    uint8_t *releases;    /* of from .. end-1 */
    uint8_t *certificate; /* of `end`, or NULL */
    size_t certificate_len;
};

/* One of a height's two spaces, with the whole tree over its leaves. */
struct space {
    struct slu_space_leaf *leaves;
    uint8_t (*nodes)[32];
    uint32_t count;
};

struct cached_spaces {
    uint64_t height; /* 0: free */
    struct space ordered, opened;
    size_t bytes;
};

struct slu_release_cache {
    struct slu_disk_view *view;
    const struct slu_genesis *genesis;
    struct slu_metrics *metrics;
    struct cached_run runs[SLU_RUNS_CACHED];
    struct cached_spaces spaces[SLU_SPACES_CACHED];
    size_t space_bytes;
    uint32_t next_run, evict_next;
};

struct slu_release_cache *slu_release_cache_new(struct slu_disk *disk,
                                                const struct slu_genesis *genesis,
                                                struct slu_metrics *metrics)
{
    struct slu_release_cache *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->genesis = genesis;
    c->metrics = metrics;
    c->view = slu_disk_view_new(disk);
    if (c->view == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

static void drop_run(struct cached_run *run)
{
    free(run->releases);
    free(run->certificate);
    memset(run, 0, sizeof *run);
}

static void drop_space(struct space *space)
{
    free(space->leaves);
    free(space->nodes);
}

static void drop_spaces(struct slu_release_cache *c, struct cached_spaces *s)
{
    c->space_bytes -= s->bytes;
    drop_space(&s->ordered);
    drop_space(&s->opened);
    memset(s, 0, sizeof *s);
}

void slu_release_cache_free(struct slu_release_cache *releases)
{
    if (releases == NULL)
        return;
    for (uint32_t i = 0; i < SLU_RUNS_CACHED; i++)
        drop_run(&releases->runs[i]);
    for (uint32_t i = 0; i < SLU_SPACES_CACHED; i++)
        drop_spaces(releases, &releases->spaces[i]);
    slu_disk_view_free(releases->view);
    free(releases);
}

/* ---- runs ---- */

static int scan(struct slu_release_cache *c, enum slu_record_kind kind, uint64_t from, uint64_t end,
                int (*visit)(void *, const struct slu_record_key *, const uint8_t *, size_t),
                void *visitor)
{
    const struct slu_store *store = slu_disk_view_store(c->view);
    struct slu_record_key lo = {.kind = kind, .a = from}, hi = {.kind = kind, .a = end};
    return store->scan(store->context, &lo, &hi, visit, visitor);
}

/* Takes the certificate, unless its run is too long to be whole. */
static int visit_cert(void *context, const struct slu_record_key *key, const uint8_t *value,
                      size_t len)
{
    struct cached_run *run = context;
    bool whole = key->a - run->from <= SLU_RELEASES_PER_MESSAGE;
    run->end = whole ? key->a : run->from + SLU_RELEASES_PER_MESSAGE;
    if (!whole)
        return FOUND;
    run->certificate = malloc(len + 1);
    if (run->certificate == NULL)
        return SLU_ERR_MEMORY;
    memcpy(run->certificate, value, len);
    run->certificate_len = len;
    return FOUND;
}

struct gathering {
    const struct cached_run *run;
    uint64_t next; /* height */
};

/* The release stands first in its record. */
static int visit_release(void *context, const struct slu_record_key *key, const uint8_t *value,
                         size_t len)
{
    struct gathering *g = context;
    if (key->a != g->next)
        return SLU_ERR_NOT_FOUND;
    if (len < SLU_RELEASE_BYTES)
        return SLU_ERR_CORRUPT;
    memcpy(g->run->releases + (g->next++ - g->run->from) * SLU_RELEASE_BYTES, value,
           SLU_RELEASE_BYTES);
    return 0;
}

static int load_run(struct slu_release_cache *c, uint64_t from, struct cached_run *run)
{
    run->from = from;
    slu_metrics_add(c->metrics, SLU_METRIC_STREAM_RUN_LOADS, 1);
    int error = scan(c, SLU_REC_RELEASE_CERT, from, from + SLU_RELEASE_RUN_MAX, visit_cert, run);
    if (error != FOUND)
        return error != 0 ? error : SLU_ERR_NOT_FOUND;
    if (run->certificate != NULL && run->certificate_len != slu_release_cert_bytes(c->genesis))
        return SLU_ERR_CORRUPT;
    run->releases = malloc((size_t)(run->end - from) * SLU_RELEASE_BYTES + 1);
    if (run->releases == NULL)
        return SLU_ERR_MEMORY;
    struct gathering g = {.run = run, .next = from};
    error = scan(c, SLU_REC_RELEASE, from, run->end, visit_release, &g);
    return error == 0 && g.next != run->end ? SLU_ERR_NOT_FOUND : error;
}

static bool covers(const struct cached_run *run, uint64_t height)
{
    return run->from > 0 && run->from <= height &&
           (height < run->end || (height == run->end && run->certificate != NULL));
}

/* One that is kept is right for good: certificates come in rising order, none below another. */
static int find_run(struct slu_release_cache *c, uint64_t from, const struct cached_run **found)
{
    for (uint32_t i = 0; i < SLU_RUNS_CACHED; i++) {
        *found = &c->runs[i];
        if (covers(&c->runs[i], from))
            return 0;
    }
    struct cached_run *run = &c->runs[c->next_run++ % SLU_RUNS_CACHED];
    drop_run(run);
    int error = load_run(c, from, run);
    if (error != 0)
        drop_run(run);
    *found = run;
    return error;
}

int slu_release_cache_run(struct slu_release_cache *releases, uint64_t from, struct slu_run *run)
{
    const struct cached_run *found;
    int error = from == 0 ? SLU_ERR_NOT_FOUND : find_run(releases, from, &found);
    if (error != 0)
        return error;
    *run = (struct slu_run){.end = found->end,
                            .releases = found->releases + (from - found->from) * SLU_RELEASE_BYTES,
                            .releases_len = (size_t)(found->end - from) * SLU_RELEASE_BYTES,
                            .certificate = found->certificate,
                            .certificate_len = found->certificate_len};
    return 0;
}

/* ---- spaces ---- */

static int get(struct slu_release_cache *c, enum slu_record_kind kind, uint64_t height,
               const uint8_t **value, size_t *len)
{
    const struct slu_store *store = slu_disk_view_store(c->view);
    struct slu_record_key key = {.kind = kind, .a = height};
    return store->get(store->context, &key, value, len);
}

/* Takes the leaves out of a record, and hashes the tree over them; its bytes are added to *bytes.
 */
static int load_space(struct slu_release_cache *c, struct slu_reader leaves, uint32_t count,
                      struct space *space, size_t *bytes)
{
    size_t nodes = slu_merkle_nodes(count);
    space->leaves = calloc(count + 1u, sizeof *space->leaves);
    space->nodes = malloc(nodes * 32 + 1);
    if (space->leaves == NULL || space->nodes == NULL)
        return SLU_ERR_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        slu_space_leaf_read(&leaves, &space->leaves[i]);
        if (i > 0 && space->leaves[i].rollup <= space->leaves[i - 1].rollup)
            return SLU_ERR_CORRUPT;
    }
    space->count = count;
    slu_space_keep(space->nodes, c->genesis->chain_id, space->leaves, count);
    *bytes += count * sizeof *space->leaves + nodes * 32;
    return leaves.failed ? SLU_ERR_CORRUPT : 0;
}

static int load_spaces(struct slu_release_cache *c, uint64_t height, struct cached_spaces *s)
{
    struct slu_release_record release;
    struct slu_space_record space;
    const uint8_t *value;
    size_t len, bytes = 0;
    slu_metrics_add(c->metrics, SLU_METRIC_STREAM_SPACE_LOADS, 1);
    int error = get(c, SLU_REC_RELEASE, height, &value, &len);
    if (error != 0)
        return error;
    if (slu_release_record_open(&release, c->genesis->chain_id, value, len) != 0 ||
        release.release.height != height)
        return SLU_ERR_CORRUPT;
    error = load_space(c, release.leaves, release.count, &s->opened, &bytes);
    if (error == 0)
        error = get(c, SLU_REC_SPACE, height, &value, &len);
    if (error != 0)
        return error;
    if (slu_space_record_open(&space, value, len) != 0)
        return SLU_ERR_CORRUPT;
    error = load_space(c, space.leaves, space.count, &s->ordered, &bytes);
    if (error != 0)
        return error;
    s->height = height;
    s->bytes = bytes;
    c->space_bytes += bytes;
    return 0;
}

static void evict(struct slu_release_cache *c, const struct cached_spaces *keep)
{
    while (c->space_bytes > SLU_SPACES_BYTES_CACHED && c->space_bytes > keep->bytes) {
        struct cached_spaces *s = &c->spaces[c->evict_next++ % SLU_SPACES_CACHED];
        if (s != keep)
            drop_spaces(c, s);
    }
}

int slu_release_cache_prove(struct slu_release_cache *releases, uint64_t height,
                            enum slu_space_kind kind, uint64_t rollup, struct slu_writer *w)
{
    struct cached_spaces *s = &releases->spaces[height % SLU_SPACES_CACHED];
    if (s->height != height || height == 0) {
        drop_spaces(releases, s);
        int error = load_spaces(releases, height, s);
        if (error != 0) {
            drop_spaces(releases, s);
            return error;
        }
        evict(releases, s);
    }
    const struct space *space = kind == SLU_SPACE_OPENED ? &s->opened : &s->ordered;
    slu_space_prove_kept(w, space->leaves, (const uint8_t(*)[32])space->nodes, space->count,
                         rollup);
    return 0;
}
