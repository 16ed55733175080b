#include "node/stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "node/clock.h"
#include "node/height.h"
#include "node/releases.h"
#include "node/ring.h"
#include "sluice/error.h"

#define COMMANDS    16384u
#define PARTS_TURN  4u      /* parts that one reader gets before the next one's turn */
#define BLOCKED_US  5000u   /* a full link is looked at again after so long, ... */
#define BLOCKED_MAX 100000u /* ... growing to this */
#define SCRATCH     (SLU_PART_BYTES + SLU_ENTRY_HEAD_BYTES + SLU_TX_BYTES_MAX_CAP)

struct reader {
    struct slu_client *client; /* held; NULL: the slot is free */
    uint64_t request_id, rollup, to;
    bool every, releases;
    bool begun;                   /* a part of this height was sent */
    uint64_t told, covered;       /* with releases: they were sent below, the certificate is of */
    uint64_t height;              /* the next one to send ... */
    uint32_t chunk;               /* ... from this chunk ... */
    size_t offset;                /* ... and this byte of its entries on */
    uint64_t look_us, blocked_us; /* when to look again; 0: whenever there is something */
};

enum command_kind { ADD, CANCEL };

struct command {
    enum command_kind kind;
    struct slu_client *client; /* held */
    uint64_t request_id, rollup, from, to;
    bool every, releases;
};

struct slu_stream {
    struct slu_metrics *metrics;
    struct slu_height_cache *heights;
    struct slu_release_cache *releases;
    struct slu_ring commands;
    void (*failed)(void *context, const char *words);
    void *context;
    struct slu_disk *disk;
    _Atomic uint64_t open, certified, lowest;
    _Atomic uint32_t readers_open; /* slots in use or asked for */
    _Atomic bool asleep;
    bool broken;
    uint32_t count; /* slots that may be in use: 0..count-1 */
    struct reader readers[SLU_READERS_MAX];
    uint8_t scratch[SCRATCH];
    uint8_t proof[SLU_HEIGHT_PROOF_BYTES_MAX];
    pthread_t thread;
};

/* Up to where readers see. */
static uint64_t highest(struct slu_stream *s, bool releases)
{
    return releases ? atomic_load(&s->certified) : atomic_load(&s->open);
}

/* ---- one reader ---- */

static void reader_end(struct slu_stream *s, struct reader *r)
{
    atomic_fetch_sub(&r->client->subscriptions, 1);
    slu_client_release(r->client);
    memset(r, 0, sizeof *r);
    while (s->count > 0 && s->readers[s->count - 1].client == NULL)
        s->count--;
    atomic_fetch_sub(&s->readers_open, 1);
    slu_metrics_sub(s->metrics, SLU_METRIC_SUBSCRIBERS, 1);
}

static void end_below(struct slu_stream *s, struct reader *r)
{
    slu_metrics_add(s->metrics, SLU_METRIC_REQUEST_BELOW, 1);
    slu_client_error(r->client, r->request_id, "below_retention",
                     "the height is no longer retained", atomic_load(&s->lowest));
    reader_end(s, r);
}

/* What was promised is not there, and that is no failure of the disk. */
static void end_uncovered(struct slu_stream *s, struct reader *r)
{
    slu_client_error(r->client, r->request_id, "no_certificate",
                     "no certificate covers the next height", atomic_load(&s->lowest));
    reader_end(s, r);
}

static void end_well(struct slu_stream *s, struct reader *r)
{
    Slu__Client__End end = SLU__CLIENT__END__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    reply.id = r->request_id;
    reply.body_case = SLU__CLIENT__REPLY__BODY_END;
    reply.end = &end;
    slu_client_reply(r->client, &reply);
    reader_end(s, r);
}

/* Copies matching entries of a chunk; false when the part is full before the chunk's end. */
static bool take_entries(struct reader *r, const struct slu_chunk *chunk, uint8_t *out,
                         size_t *out_len, uint32_t *entries)
{
    if (r->rollup == 0 && r->offset == 0 && *out_len + chunk->len <= SLU_PART_BYTES) {
        memcpy(out + *out_len, chunk->bytes, chunk->len);
        *out_len += chunk->len;
        *entries += chunk->entries;
        return true;
    }
    while (r->offset < chunk->len) {
        const uint8_t *at = chunk->bytes + r->offset;
        struct slu_reader cursor = slu_reader_of(at, chunk->len - r->offset);
        struct slu_entry entry;
        SLU_CHECK(slu_entry_next(&cursor, &entry)); /* node/height made it */
        size_t len = (size_t)(cursor.at - at);
        if (r->rollup == 0 || slu_entry_is_for(&entry, r->rollup)) {
            if (*out_len > 0 && *out_len + len > SLU_PART_BYTES)
                return false;
            memcpy(out + *out_len, at, len);
            *out_len += len;
            (*entries)++;
        }
        r->offset += len;
    }
    return true;
}

static void send_part(struct slu_stream *s, struct reader *r, const struct slu_height *height,
                      size_t len, uint32_t entries, size_t proof_len, bool more)
{
    Slu__Client__Height part = SLU__CLIENT__HEIGHT__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    part.height = height->height;
    part.time_ms = height->time_ms;
    part.block = (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)height->block};
    part.rollup = r->rollup;
    part.count = entries;
    part.entries = (ProtobufCBinaryData){len, s->scratch};
    part.more = more;
    part.proof = (ProtobufCBinaryData){proof_len, s->proof};
    reply.id = r->request_id;
    reply.body_case = SLU__CLIENT__REPLY__BODY_HEIGHT;
    reply.height = &part;
    slu_client_reply(r->client, &reply);
    slu_metrics_add(s->metrics, SLU_METRIC_STREAM_BYTES, len);
    if (!more)
        slu_metrics_add(s->metrics, SLU_METRIC_STREAM_HEIGHTS, 1);
}

/* Sends the next releases, with the last of a run its certificate. Errors: of the store; NOT_FOUND:
 * no certificate covers them. */
static int send_run(struct slu_stream *s, struct reader *r)
{
    Slu__Client__Releases releases = SLU__CLIENT__RELEASES__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    struct slu_run run;
    int error = slu_release_cache_run(s->releases, r->told > r->height ? r->told : r->height, &run);
    if (error != 0)
        return error;
    releases.releases = (ProtobufCBinaryData){run.releases_len, (uint8_t *)(uintptr_t)run.releases};
    releases.certificate =
        (ProtobufCBinaryData){run.certificate_len, (uint8_t *)(uintptr_t)run.certificate};
    reply.id = r->request_id;
    reply.body_case = SLU__CLIENT__REPLY__BODY_RELEASES;
    reply.releases = &releases;
    slu_client_reply(r->client, &reply);
    r->told = run.end;
    if (run.certificate != NULL) {
        r->covered = run.end;
        slu_metrics_add(s->metrics, SLU_METRIC_STREAM_RUNS, 1);
    }
    return 0;
}

/* Of a rollup's list in both spaces; who reads every rollup's entries needs none. */
static int make_proof(struct slu_stream *s, const struct reader *r, size_t *len)
{
    struct slu_writer w = slu_writer_of(s->proof, sizeof s->proof);
    int error = 0;
    if (r->releases && r->rollup != 0)
        error = slu_release_cache_prove(s->releases, r->height, SLU_SPACE_ORDERED, r->rollup, &w);
    if (r->releases && r->rollup != 0 && error == 0)
        error = slu_release_cache_prove(s->releases, r->height, SLU_SPACE_OPENED, r->rollup, &w);
    SLU_CHECK(!w.failed);
    *len = slu_writer_len(&w);
    return error;
}

/* Sends the next part of the reader's height and moves the cursor. Errors: of the store. */
static int next_part(struct slu_stream *s, struct reader *r)
{
    struct slu_height height;
    size_t len = 0, proof_len = 0;
    uint32_t entries = 0;
    bool more = false;
    int error = slu_height_cache_get(s->heights, r->height, &height);
    while (error == 0 && !more && r->chunk < height.chunk_count) {
        struct slu_chunk chunk;
        error = slu_height_cache_chunk(s->heights, r->height, r->chunk, &chunk);
        if (error != 0)
            break;
        more = !take_entries(r, &chunk, s->scratch, &len, &entries);
        if (!more) {
            r->chunk++;
            r->offset = 0;
        }
    }
    if (error == 0 && !more)
        error = make_proof(s, r, &proof_len);
    if (error != 0)
        return error;
    if (more || entries > 0 || r->begun || r->every)
        send_part(s, r, &height, len, entries, proof_len, more);
    r->begun = more;
    if (!more) {
        r->height++;
        r->chunk = 0;
        r->offset = 0;
    }
    return 0;
}

static void store_failed(struct slu_stream *s, int error)
{
    const char *words = slu_disk_failure(s->disk);
    s->broken = true;
    s->failed(s->context, words[0] != '\0' ? words : slu_strerror(error));
}

/* The next thing that this reader gets. False: it is not there any more, or failed. */
static bool send_next(struct slu_stream *s, struct reader *r)
{
    bool run = r->releases && r->height > r->covered;
    int error = run ? send_run(s, r) : next_part(s, r);
    if (error == 0)
        return true;
    if (r->height < atomic_load(&s->lowest))
        end_below(s, r); /* pruned under our hands */
    else if (run && error == SLU_ERR_NOT_FOUND)
        end_uncovered(s, r);
    else
        store_failed(s, error);
    return false;
}

/* Gives a reader its next parts; true when it could go on at once. */
static bool serve(struct slu_stream *s, struct reader *r, uint64_t now_us)
{
    if (atomic_load(&r->client->gone)) {
        reader_end(s, r);
        return false;
    }
    if (r->look_us > now_us)
        return false;
    for (unsigned parts = 0; parts < PARTS_TURN; parts++) {
        if (r->to > 0 && r->height > r->to) {
            end_well(s, r);
            return false;
        }
        if (r->height > highest(s, r->releases)) {
            r->look_us = r->blocked_us = 0;
            return false;
        }
        if (r->height < atomic_load(&s->lowest)) {
            end_below(s, r);
            return false;
        }
        if (slu_link_queued_bytes(r->client->flow.link) > SLU_READER_QUEUE_BYTES) {
            r->blocked_us = r->blocked_us == 0 ? BLOCKED_US : r->blocked_us * 2;
            r->blocked_us = r->blocked_us < BLOCKED_MAX ? r->blocked_us : BLOCKED_MAX;
            r->look_us = now_us + r->blocked_us;
            return false;
        }
        if (!send_next(s, r))
            return false;
        r->blocked_us = 0;
    }
    return true;
}

/* ---- the thread ---- */

static void execute(struct slu_stream *s, struct command *command)
{
    struct reader *free_slot = NULL;
    for (uint32_t i = 0; i < SLU_READERS_MAX; i++) {
        struct reader *r = &s->readers[i];
        if (command->kind == ADD && r->client == NULL) {
            free_slot = r;
            break;
        }
        if (command->kind == CANCEL && r->client == command->client &&
            (command->request_id == 0 || r->request_id == command->request_id))
            reader_end(s, r);
    }
    if (command->kind == CANCEL) {
        slu_client_release(command->client);
        return;
    }
    SLU_CHECK(free_slot != NULL); /* readers_open bounds them */
    *free_slot = (struct reader){.client = command->client,
                                 .request_id = command->request_id,
                                 .rollup = command->rollup,
                                 .height = command->from,
                                 .to = command->to,
                                 .every = command->every,
                                 .releases = command->releases};
    if (free_slot->height == 0)
        free_slot->height = highest(s, command->releases) + 1;
    if ((uint32_t)(free_slot - s->readers) >= s->count)
        s->count = (uint32_t)(free_slot - s->readers) + 1;
}

/* One round over the readers; returns when the next is due. */
static uint64_t serve_all(struct slu_stream *s)
{
    uint64_t now_us = slu_now_us(), next_us = UINT64_MAX;
    bool again = false;
    for (uint32_t i = 0; i < s->count && !s->broken; i++) {
        struct reader *r = &s->readers[i];
        if (r->client == NULL)
            continue;
        again = serve(s, r, now_us) || again;
        if (r->client != NULL && r->look_us > now_us && r->look_us < next_us)
            next_us = r->look_us;
    }
    return again ? 0 : next_us;
}

static void *stream_thread(void *context)
{
    struct slu_stream *s = context;
    void *items[64];
    uint64_t until_us = UINT64_MAX, open = 0, certified = 0;
    for (;;) {
        /* A height that came after the last round began saw nobody asleep. */
        atomic_store(&s->asleep, true);
        if (atomic_load(&s->open) != open || atomic_load(&s->certified) != certified)
            until_us = 0;
        uint32_t count = slu_ring_take(&s->commands, items, 64, SIZE_MAX, until_us);
        atomic_store(&s->asleep, false);
        if (count == 0 && slu_ring_closed(&s->commands))
            return NULL;
        for (uint32_t i = 0; i < count; i++) {
            execute(s, items[i]);
            free(items[i]);
        }
        open = atomic_load(&s->open);
        certified = atomic_load(&s->certified);
        until_us = serve_all(s);
    }
}

static void stream_free(struct slu_stream *s)
{
    slu_ring_destroy(&s->commands);
    slu_height_cache_free(s->heights);
    slu_release_cache_free(s->releases);
    free(s);
}

int slu_stream_start(struct slu_stream **stream, const struct slu_stream_config *config)
{
    struct slu_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return SLU_ERR_MEMORY;
    s->metrics = config->metrics;
    s->disk = config->disk;
    s->failed = config->failed;
    s->context = config->context;
    atomic_init(&s->lowest, config->lowest);
    atomic_init(&s->open, config->open);
    atomic_init(&s->certified, config->certified);
    s->heights = slu_height_cache_new(config->disk, config->metrics);
    s->releases = slu_release_cache_new(config->disk, config->genesis, config->metrics);
    int error = slu_ring_init(&s->commands, COMMANDS, SIZE_MAX);
    if (error == 0 && (s->heights == NULL || s->releases == NULL))
        error = SLU_ERR_MEMORY;
    if (error == 0 && pthread_create(&s->thread, NULL, stream_thread, s) != 0)
        error = SLU_ERR_IO;
    if (error != 0) {
        stream_free(s);
        return error;
    }
    pthread_setname_np(s->thread, "stream");
    *stream = s;
    return 0;
}

void slu_stream_stop(struct slu_stream *stream)
{
    void *item;
    if (stream == NULL)
        return;
    slu_ring_close(&stream->commands);
    pthread_join(stream->thread, NULL);
    while (slu_ring_take(&stream->commands, &item, 1, SIZE_MAX, 0) == 1) {
        slu_client_release(((struct command *)item)->client);
        free(item);
    }
    for (uint32_t i = 0; i < SLU_READERS_MAX; i++) {
        if (stream->readers[i].client != NULL)
            slu_client_release(stream->readers[i].client);
    }
    stream_free(stream);
}

static void wake(struct slu_stream *s)
{
    /* Nobody reads, nobody is woken. */
    if (atomic_load(&s->readers_open) > 0 && atomic_load(&s->asleep))
        slu_ring_wake(&s->commands);
}

void slu_stream_opened(struct slu_stream *stream, uint64_t height)
{
    atomic_store(&stream->open, height);
    wake(stream);
}

void slu_stream_certified(struct slu_stream *stream, uint64_t height)
{
    atomic_store(&stream->certified, height);
    wake(stream);
}

void slu_stream_pruned(struct slu_stream *stream, uint64_t lowest)
{
    atomic_store(&stream->lowest, lowest);
}

static bool put(struct slu_stream *s, struct slu_client *client, const struct command *from)
{
    struct command *command = malloc(sizeof *command);
    if (command == NULL)
        return false;
    *command = *from;
    command->client = slu_client_hold(client);
    if (slu_ring_put(&s->commands, command, 0, 100) == 0)
        return true;
    slu_client_release(client);
    free(command);
    return false;
}

void slu_stream_add(struct slu_stream *stream, struct slu_client *client, uint64_t request_id,
                    const Slu__Client__Subscribe *subscribe)
{
    uint64_t from = subscribe->from_height, to = subscribe->to_height;
    uint64_t lowest = atomic_load(&stream->lowest);
    if (subscribe->rollup > SLU_ROLLUP_ID_MAX || (to > 0 && from > to)) {
        slu_metrics_add(stream->metrics, SLU_METRIC_REQUEST_MALFORMED, 1);
        slu_client_error(client, request_id, "malformed",
                         "no such rollup, or from_height above to_height", 0);
        return;
    }
    if (from > 0 && from < lowest) {
        slu_metrics_add(stream->metrics, SLU_METRIC_REQUEST_BELOW, 1);
        slu_client_error(client, request_id, "below_retention", "the height is no longer retained",
                         lowest);
        return;
    }
    bool room = atomic_load(&client->subscriptions) < SLU_READERS_PER_CLIENT;
    if (room && atomic_fetch_add(&stream->readers_open, 1) >= SLU_READERS_MAX) {
        atomic_fetch_sub(&stream->readers_open, 1);
        room = false;
    }
    struct command command = {.kind = ADD,
                              .request_id = request_id,
                              .rollup = subscribe->rollup,
                              .from = from,
                              .to = to,
                              .every = subscribe->every_height || subscribe->releases,
                              .releases = subscribe->releases};
    if (room) {
        atomic_fetch_add(&client->subscriptions, 1);
        slu_metrics_add(stream->metrics, SLU_METRIC_SUBSCRIBERS, 1);
        if (put(stream, client, &command))
            return;
        slu_metrics_sub(stream->metrics, SLU_METRIC_SUBSCRIBERS, 1);
        atomic_fetch_sub(&client->subscriptions, 1);
        atomic_fetch_sub(&stream->readers_open, 1);
    }
    slu_metrics_add(stream->metrics, SLU_METRIC_REQUEST_BUSY, 1);
    slu_client_error(client, request_id, "busy", "too many subscriptions", 0);
}

void slu_stream_cancel(struct slu_stream *stream, struct slu_client *client, uint64_t request_id)
{
    struct command command = {.kind = CANCEL, .request_id = request_id};
    if (atomic_load(&client->subscriptions) > 0 && !put(stream, client, &command))
        slu_link_close(client->flow.link); /* ends them as well */
}
