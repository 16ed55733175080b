#include "consensus/serve.h"

#include <string.h>

#include "sluice/error.h"
#include "wire/message.h"

#define RUNS_MAX 8u /* messages of final blocks per fetch */
#define ENOUGH   1  /* a visitor's way to say stop; not an error */

struct batches {
    slu_serve_sink sink;
    void *sink_context;
    size_t sent_bytes;
};

/* A run of consecutive final blocks. The message ends with the last block that has its own F. */
struct run {
    const struct slu_genesis *genesis;
    uint64_t next_height;
    uint16_t count;            /* blocks in the body so far */
    uint16_t whole_count;      /* of them up to the last with a certificate */
    size_t len, whole_len;     /* of the body, the same */
    size_t lists_len;
    size_t cert_len;
    uint8_t cert[SLU_CERT_BYTES_MAX];
    uint8_t body[SLU_MESSAGE_BYTES_MAX];
};

static int visit_batch(void *context, const struct slu_record_key *key, const uint8_t *value,
                       size_t len)
{
    struct batches *b = context;
    (void)key;
    if (len < SLU_SIGNED_HEADER_BYTES)
        return SLU_ERR_CORRUPT;
    b->sink(b->sink_context, SLU_MSG_BATCH, value, SLU_SIGNED_HEADER_BYTES,
            value + SLU_SIGNED_HEADER_BYTES, len - SLU_SIGNED_HEADER_BYTES);
    b->sent_bytes += len;
    return b->sent_bytes >= SLU_SERVE_BYTES_MAX ? ENOUGH : SLU_OK;
}

/* A FINAL record is block | u8 has_cert | cert; the message has all blocks first. */
static int visit_final(void *context, const struct slu_record_key *key, const uint8_t *value,
                       size_t len)
{
    struct run *run = context;
    struct slu_reader r = slu_reader_of(value, len);
    struct slu_block block;
    if (key->a != run->next_height)
        return ENOUGH; /* a hole: pruned, or never held */
    if (slu_block_read(&r, run->genesis, &block))
        return SLU_ERR_CORRUPT;
    size_t bytes = (size_t)(r.at - value), list = slu_block_list_bytes(&block);
    uint8_t has_cert = slu_read_u8(&r);
    if (r.failed || slu_reader_left(&r) > sizeof run->cert)
        return SLU_ERR_CORRUPT;
    if (list > SLU_BLOCK_LISTS_BYTES - run->lists_len)
        return ENOUGH; /* the next message goes on */
    run->lists_len += list;
    memcpy(run->body + run->len, value, bytes);
    run->len += bytes;
    run->count++;
    run->next_height++;
    if (has_cert == 1) {
        run->whole_count = run->count;
        run->whole_len = run->len;
        run->cert_len = slu_reader_left(&r);
        memcpy(run->cert, r.at, run->cert_len);
    }
    return run->count == SLU_BLOCKS_PER_MESSAGE_MAX ? ENOUGH : SLU_OK;
}

static int serve_run(const struct slu_store *store, struct run *run, uint64_t height,
                     slu_serve_sink sink, void *sink_context)
{
    run->next_height = height;
    run->count = run->whole_count = 0;
    run->len = run->whole_len = 2;
    run->lists_len = 0;
    struct slu_record_key from = {.kind = SLU_REC_FINAL, .a = height};
    struct slu_record_key to = {.kind = SLU_REC_FINAL, .a = UINT64_MAX};
    int rc = store->scan(store->context, &from, &to, visit_final, run);
    if (rc < 0 || run->whole_count == 0)
        return rc < 0 ? rc : SLU_OK;
    struct slu_writer w = slu_writer_of(run->body, sizeof run->body);
    slu_write_u16(&w, run->whole_count);
    w.at = run->body + run->whole_len;
    slu_write_u8(&w, 1);
    slu_write_bytes(&w, run->cert, run->cert_len);
    SLU_CHECK(!w.failed);
    sink(sink_context, SLU_MSG_BLOCKS, run->body, slu_writer_len(&w), NULL, 0);
    return SLU_OK;
}

static int serve_finals(const struct slu_store *store, const struct slu_genesis *genesis,
                        uint64_t height, slu_serve_sink sink, void *sink_context)
{
    static _Thread_local struct run run;
    int rc = SLU_OK;
    run.genesis = genesis;
    run.whole_count = 1;
    for (uint32_t i = 0; i < RUNS_MAX && !rc && run.whole_count > 0; i++) {
        rc = serve_run(store, &run, height, sink, sink_context);
        height += run.whole_count;
    }
    return rc;
}

static int serve_item(const struct slu_store *store, const struct slu_fetch *fetch,
                      slu_serve_sink sink, void *sink_context)
{
    struct slu_record_key key = {.kind = SLU_REC_INBOX, .a = fetch->from};
    const uint8_t *value;
    size_t len;
    memcpy(key.digest, fetch->digest, 32);
    int rc = store->get(store->context, &key, &value, &len);
    if (rc)
        return rc == SLU_ERR_NOT_FOUND ? SLU_OK : rc;
    if (len < SLU_RELAY_BYTES)
        return SLU_ERR_CORRUPT;
    sink(sink_context, SLU_MSG_RELAY, value, SLU_RELAY_BYTES, value + SLU_RELAY_BYTES,
         len - SLU_RELAY_BYTES);
    return SLU_OK;
}

int slu_serve(const struct slu_store *store, const struct slu_genesis *genesis,
              const struct slu_fetch *fetch, slu_serve_sink sink, void *sink_context)
{
    if (fetch->what == SLU_FETCH_FINALS)
        return serve_finals(store, genesis, fetch->from, sink, sink_context);
    if (fetch->what == SLU_FETCH_ITEM)
        return serve_item(store, fetch, sink, sink_context);
    if (fetch->what != SLU_FETCH_BATCHES)
        return SLU_OK;
    /* All forks of a position are sent: the asker's chain of digests picks. */
    struct batches batches = {.sink = sink, .sink_context = sink_context};
    struct slu_record_key from = {.kind = SLU_REC_BATCH, .a = fetch->lane, .b = fetch->from};
    struct slu_record_key to = {.kind = SLU_REC_BATCH, .a = fetch->lane, .b = fetch->to};
    if (fetch->to == UINT64_MAX || fetch->to - fetch->from >= SLU_LANE_WINDOW_BATCHES_CAP)
        to.b = fetch->from + SLU_LANE_WINDOW_BATCHES_CAP;
    to.b++;
    int rc = store->scan(store->context, &from, &to, visit_batch, &batches);
    return rc < 0 ? rc : SLU_OK;
}
