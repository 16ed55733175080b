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

/* A run of consecutive final blocks up to height `until`. It ends with the last block that has its
 * own F, if any has. */
struct run {
    size_t block_bytes;
    uint64_t next_height, until;
    uint16_t count;       /* blocks in the body so far */
    uint16_t whole_count; /* of them up to the last with a certificate */
    size_t cert_len;
    uint8_t cert[SLU_CERT_BYTES_MAX];
    uint8_t body[2 + SLU_BLOCKS_PER_MESSAGE_MAX * SLU_BLOCK_BYTES_MAX + 1 + SLU_CERT_BYTES_MAX];
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
    if (key->a != run->next_height)
        return ENOUGH; /* a hole: pruned, or never held */
    if (len < run->block_bytes + 1 || len - run->block_bytes - 1 > sizeof run->cert)
        return SLU_ERR_CORRUPT;
    memcpy(run->body + 2 + run->count * run->block_bytes, value, run->block_bytes);
    run->count++;
    run->next_height++;
    if (value[run->block_bytes] == 1) {
        run->whole_count = run->count;
        run->cert_len = len - run->block_bytes - 1;
        memcpy(run->cert, value + run->block_bytes + 1, run->cert_len);
    }
    return run->count == SLU_BLOCKS_PER_MESSAGE_MAX || key->a == run->until ? ENOUGH : SLU_OK;
}

/* The next height whose block has its own F. */
struct search {
    size_t block_bytes;
    uint64_t next_height, found; /* 0: none */
    uint32_t left;
};

static int visit_search(void *context, const struct slu_record_key *key, const uint8_t *value,
                        size_t len)
{
    struct search *search = context;
    if (key->a != search->next_height || search->left == 0)
        return ENOUGH;
    if (len < search->block_bytes + 1)
        return SLU_ERR_CORRUPT;
    search->next_height++;
    search->left--;
    if (value[search->block_bytes] != 1)
        return SLU_OK;
    search->found = key->a;
    return ENOUGH;
}

static size_t block_bytes(const struct slu_genesis *genesis)
{
    return SLU_BLOCK_BYTES_MAX - (SLU_NODES_MAX - genesis->n) * 40u;
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
    int rc = scan_finals(store, height, visit_final, run);
    return rc < 0 ? rc : SLU_OK;
}

static void send_run(struct run *run, bool with_cert, slu_serve_sink sink, void *sink_context)
{
    uint16_t count = with_cert ? run->whole_count : run->count;
    struct slu_writer w = slu_writer_of(run->body, sizeof run->body);
    slu_write_u16(&w, count);
    w.at += count * run->block_bytes;
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
        .block_bytes = run->block_bytes, .next_height = run->next_height, .left = SLU_FINAL_BLOCKS};
    int rc = scan_finals(store, run->next_height, visit_search, &search);
    if (rc < 0 || !search.found)
        return rc < 0 ? rc : SLU_OK;
    rc = read_run(store, run, search.found - SLU_BLOCKS_PER_MESSAGE_MAX + 1, search.found);
    if (!rc && run->whole_count > 0)
        send_run(run, true, sink, sink_context);
    return rc;
}

static int serve_finals(const struct slu_store *store, const struct slu_genesis *genesis,
                        uint64_t height, slu_serve_sink sink, void *sink_context)
{
    struct run run = {.block_bytes = block_bytes(genesis)};
    for (uint32_t i = 0; i < RUNS_MAX; i++) {
        int rc = read_run(store, &run, height, UINT64_MAX);
        if (rc)
            return rc;
        if (run.whole_count == 0)
            return run.count == SLU_BLOCKS_PER_MESSAGE_MAX
                       ? serve_far_end(store, &run, sink, sink_context)
                       : SLU_OK;
        send_run(&run, true, sink, sink_context);
        height += run.whole_count;
    }
    return SLU_OK;
}

/* The last blocks of from..to: the asker knows the digest of the one at `to`. */
static int serve_below(const struct slu_store *store, const struct slu_genesis *genesis,
                       uint64_t from, uint64_t to, slu_serve_sink sink, void *sink_context)
{
    struct run run = {.block_bytes = block_bytes(genesis)};
    if (from > to)
        return SLU_OK;
    if (to - from >= SLU_BLOCKS_PER_MESSAGE_MAX)
        from = to - SLU_BLOCKS_PER_MESSAGE_MAX + 1;
    int rc = read_run(store, &run, from, to);
    if (!rc && run.count > 0 && run.next_height == to + 1)
        send_run(&run, false, sink, sink_context);
    return rc;
}

int slu_serve(const struct slu_store *store, const struct slu_genesis *genesis,
              const struct slu_fetch *fetch, slu_serve_sink sink, void *sink_context)
{
    if (fetch->what == SLU_FETCH_FINALS)
        return fetch->to ? serve_below(store, genesis, fetch->from, fetch->to, sink, sink_context)
                         : serve_finals(store, genesis, fetch->from, sink, sink_context);
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
