#include "consensus/serve.h"

#include <string.h>

#include "sluice/error.h"
#include "wire/message.h"

#define RUNS_MAX 8u /* messages of final blocks per fetch */
#define ENOUGH   1  /* a visitor's way to say stop; not an error */

/* Records that go out one message each, until it is enough. */
struct series {
    slu_serve_sink sink;
    void *sink_context;
    size_t sent_bytes;
    uint32_t sent;
};

/* A run of consecutive final blocks up to height `until`. It ends with the last block that has its
 * own F, if any has. */
struct run {
    const struct slu_genesis *genesis;
    uint64_t next_height, until;
    uint16_t count;        /* blocks in the body so far */
    uint16_t whole_count;  /* of them up to the last with a certificate */
    size_t len, whole_len; /* of the body, the same */
    size_t lists_len;
    bool full; /* another block would not fit into one message */
    size_t cert_len;
    uint8_t cert[SLU_CERT_BYTES_MAX];
    uint8_t body[SLU_MESSAGE_BYTES_MAX];
};

static int visit_batch(void *context, const struct slu_record_key *key, const uint8_t *value,
                       size_t len)
{
    struct series *b = context;
    (void)key;
    if (len < SLU_SIGNED_HEADER_BYTES)
        return SLU_ERR_CORRUPT;
    b->sink(b->sink_context, SLU_MSG_BATCH, value, SLU_SIGNED_HEADER_BYTES,
            value + SLU_SIGNED_HEADER_BYTES, len - SLU_SIGNED_HEADER_BYTES);
    b->sent_bytes += len;
    return b->sent_bytes >= SLU_SERVE_BYTES_MAX ? ENOUGH : SLU_OK;
}

/* A FINAL record is block | u8 has_cert | cert. Errors: CORRUPT. */
static int read_final(const struct slu_genesis *genesis, const uint8_t *value, size_t len,
                      struct slu_block *block, size_t *block_bytes, bool *has_cert)
{
    struct slu_reader r = slu_reader_of(value, len);
    if (slu_block_read(&r, genesis, block))
        return SLU_ERR_CORRUPT;
    *block_bytes = (size_t)(r.at - value);
    *has_cert = slu_read_u8(&r) == 1;
    return r.failed || slu_reader_left(&r) > SLU_CERT_BYTES_MAX ? SLU_ERR_CORRUPT : SLU_OK;
}

/* The message has all blocks first. */
static int visit_final(void *context, const struct slu_record_key *key, const uint8_t *value,
                       size_t len)
{
    struct run *run = context;
    struct slu_block block;
    size_t bytes;
    bool has_cert;
    if (key->a != run->next_height)
        return ENOUGH; /* a hole: pruned, or never held */
    if (read_final(run->genesis, value, len, &block, &bytes, &has_cert))
        return SLU_ERR_CORRUPT;
    run->full = slu_block_list_bytes(&block) > SLU_BLOCK_LISTS_BYTES - run->lists_len;
    if (run->full)
        return ENOUGH;
    run->lists_len += slu_block_list_bytes(&block);
    memcpy(run->body + run->len, value, bytes);
    run->len += bytes;
    run->count++;
    run->next_height++;
    if (has_cert) {
        run->whole_count = run->count;
        run->whole_len = run->len;
        run->cert_len = len - bytes - 1;
        memcpy(run->cert, value + bytes + 1, run->cert_len);
    }
    run->full = run->count == SLU_BLOCKS_PER_MESSAGE_MAX;
    return run->full || key->a == run->until ? ENOUGH : SLU_OK;
}

/* The next height whose block has its own F. */
struct search {
    const struct slu_genesis *genesis;
    uint64_t next_height, found; /* 0: none */
    uint32_t left;
};

static int visit_search(void *context, const struct slu_record_key *key, const uint8_t *value,
                        size_t len)
{
    struct search *search = context;
    struct slu_block block;
    size_t bytes;
    bool has_cert;
    if (key->a != search->next_height || search->left == 0)
        return ENOUGH;
    if (read_final(search->genesis, value, len, &block, &bytes, &has_cert))
        return SLU_ERR_CORRUPT;
    search->next_height++;
    search->left--;
    if (!has_cert)
        return SLU_OK;
    search->found = key->a;
    return ENOUGH;
}

static int scan_finals(const struct slu_store *store, uint64_t height,
                       int (*visit)(void *, const struct slu_record_key *, const uint8_t *, size_t),
                       void *context)
{
    struct slu_record_key from = {.kind = SLU_REC_FINAL, .a = height};
    struct slu_record_key to = {.kind = SLU_REC_FINAL, .a = UINT64_MAX};
    return store->scan(store->context, &from, &to, visit, context);
}

static int read_run(const struct slu_store *store, struct run *run, uint64_t height, uint64_t until)
{
    run->next_height = height;
    run->until = until;
    run->count = run->whole_count = 0;
    run->len = run->whole_len = 2;
    run->lists_len = 0;
    run->full = false;
    int rc = scan_finals(store, height, visit_final, run);
    return rc < 0 ? rc : SLU_OK;
}

/* As many of the last blocks up to `to` as fit one message. */
static int read_run_below(const struct slu_store *store, struct run *run, uint64_t from,
                          uint64_t to)
{
    for (uint64_t count = SLU_BLOCKS_PER_MESSAGE_MAX; count > 0; count /= 2) {
        uint64_t first = to - from >= count ? to - count + 1 : from;
        int rc = read_run(store, run, first, to);
        if (rc || run->next_height == to + 1)
            return rc;
    }
    return SLU_OK;
}

static void send_run(struct run *run, bool with_cert, slu_serve_sink sink, void *sink_context)
{
    uint16_t count = with_cert ? run->whole_count : run->count;
    struct slu_writer w = slu_writer_of(run->body, sizeof run->body);
    slu_write_u16(&w, count);
    w.at = run->body + (with_cert ? run->whole_len : run->len);
    slu_write_u8(&w, with_cert);
    if (with_cert)
        slu_write_bytes(&w, run->cert, run->cert_len);
    SLU_CHECK(!w.failed);
    sink(sink_context, SLU_MSG_BLOCKS, run->body, slu_writer_len(&w), NULL, 0);
}

/* No F within one message: the last of the blocks up to the next F, which it proves from there
 * downwards (clause 3.14). */
static int serve_far_end(const struct slu_store *store, struct run *run, slu_serve_sink sink,
                         void *sink_context)
{
    struct search search = {
        .genesis = run->genesis, .next_height = run->next_height, .left = SLU_FINAL_BLOCKS};
    int rc = scan_finals(store, run->next_height, visit_search, &search);
    if (rc < 0 || !search.found)
        return rc < 0 ? rc : SLU_OK;
    rc = read_run_below(store, run, 1, search.found);
    if (!rc && run->whole_count > 0 && run->next_height == search.found + 1)
        send_run(run, true, sink, sink_context);
    return rc;
}

static int serve_finals(const struct slu_store *store, const struct slu_genesis *genesis,
                        uint64_t height, slu_serve_sink sink, void *sink_context)
{
    static _Thread_local struct run run; /* large */
    run.genesis = genesis;
    for (uint32_t i = 0; i < RUNS_MAX; i++) {
        int rc = read_run(store, &run, height, UINT64_MAX);
        if (rc)
            return rc;
        if (run.whole_count == 0)
            return run.full ? serve_far_end(store, &run, sink, sink_context) : SLU_OK;
        send_run(&run, true, sink, sink_context);
        height += run.whole_count;
    }
    return SLU_OK;
}

/* The last blocks of from..to: the asker knows the digest of the one at `to`. */
static int serve_below(const struct slu_store *store, const struct slu_genesis *genesis,
                       uint64_t from, uint64_t to, slu_serve_sink sink, void *sink_context)
{
    static _Thread_local struct run run; /* large */
    if (from > to)
        return SLU_OK;
    run.genesis = genesis;
    int rc = read_run_below(store, &run, from, to);
    if (!rc && run.count > 0 && run.next_height == to + 1)
        send_run(&run, false, sink, sink_context);
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

static int visit_shares(void *context, const struct slu_record_key *key, const uint8_t *value,
                        size_t len)
{
    struct series *b = context;
    (void)key;
    b->sink(b->sink_context, SLU_MSG_SHARES, value, len, NULL, 0);
    b->sent_bytes += len;
    return b->sent_bytes >= SLU_SERVE_BYTES_MAX ? ENOUGH : SLU_OK;
}

/* This node's own shares of the heights from..to. */
static int serve_shares(const struct slu_store *store, const struct slu_fetch *fetch,
                        slu_serve_sink sink, void *sink_context)
{
    struct series batches = {.sink = sink, .sink_context = sink_context};
    struct slu_record_key from = {.kind = SLU_REC_SHARES, .a = fetch->from};
    struct slu_record_key to = {.kind = SLU_REC_SHARES, .a = fetch->to};
    if (fetch->to < fetch->from || fetch->to - fetch->from >= SLU_OPENING_HEIGHTS)
        to.a = fetch->from + SLU_OPENING_HEIGHTS - 1;
    to.a++;
    int rc = store->scan(store->context, &from, &to, visit_shares, &batches);
    return rc < 0 ? rc : SLU_OK;
}

static int visit_cert(void *context, const struct slu_record_key *key, const uint8_t *value,
                      size_t len)
{
    struct series *b = context;
    (void)key;
    b->sink(b->sink_context, SLU_MSG_RELEASE_CERT, value, len, NULL, 0);
    return ++b->sent == SLU_RELEASES_SERVED ? ENOUGH : SLU_OK;
}

/* The lowest certificates of releases at `from` and above. */
static int serve_release(const struct slu_store *store, const struct slu_fetch *fetch,
                         slu_serve_sink sink, void *sink_context)
{
    struct series certs = {.sink = sink, .sink_context = sink_context};
    struct slu_record_key from = {.kind = SLU_REC_RELEASE_CERT, .a = fetch->from};
    struct slu_record_key to = {.kind = SLU_REC_RELEASE_CERT, .a = UINT64_MAX};
    int rc = store->scan(store->context, &from, &to, visit_cert, &certs);
    return rc < 0 ? rc : SLU_OK;
}

int slu_serve(const struct slu_store *store, const struct slu_genesis *genesis,
              const struct slu_fetch *fetch, slu_serve_sink sink, void *sink_context)
{
    if (fetch->what == SLU_FETCH_FINALS)
        return fetch->to ? serve_below(store, genesis, fetch->from, fetch->to, sink, sink_context)
                         : serve_finals(store, genesis, fetch->from, sink, sink_context);
    if (fetch->what == SLU_FETCH_ITEM)
        return serve_item(store, fetch, sink, sink_context);
    if (fetch->what == SLU_FETCH_SHARES)
        return serve_shares(store, fetch, sink, sink_context);
    if (fetch->what == SLU_FETCH_RELEASES)
        return serve_release(store, fetch, sink, sink_context);
    if (fetch->what != SLU_FETCH_BATCHES)
        return SLU_OK;
    /* All forks of a position are sent: the asker's chain of digests picks. */
    struct series batches = {.sink = sink, .sink_context = sink_context};
    struct slu_record_key from = {.kind = SLU_REC_BATCH, .a = fetch->lane, .b = fetch->from};
    struct slu_record_key to = {.kind = SLU_REC_BATCH, .a = fetch->lane, .b = fetch->to};
    if (fetch->to == UINT64_MAX || fetch->to - fetch->from >= SLU_LANE_WINDOW_BATCHES_CAP)
        to.b = fetch->from + SLU_LANE_WINDOW_BATCHES_CAP;
    to.b++;
    int rc = store->scan(store->context, &from, &to, visit_batch, &batches);
    return rc < 0 ? rc : SLU_OK;
}
