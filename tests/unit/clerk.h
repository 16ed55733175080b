/* Three nodes of the made-up committee that keep the books of what they were given, over real
 * links, and take, refuse, hang up, fall silent, forget or lie as a test likes; and a submitter of
 * sluice/client.h for them. */
#ifndef SLU_TESTS_UNIT_CLERK_H
#define SLU_TESTS_UNIT_CLERK_H

#include <pthread.h>

#include "client/chain.h"
#include "client/stage.h"
#include "sluice/client.h"
#include "tests/unit/committee_key.h"
#include "tests/unit/stub_node.h"
#include "wire/tx.h"

#define CLERKS    3u
#define TAKEN_MAX 4096u
#define STREAM_MS UINT64_C(1700000000000)

enum manner { TAKES, REFUSES, REFUSES_TWICE, HANGS_UP, SILENT, OTHER_ID, TOO_FEW };

struct clerk {
    struct stub_door door;
    pthread_mutex_t lock; /* a client may come back before its last link has ended */
    enum manner submits, queries;
    const char *reason;
    uint64_t stream_ms, height;
    bool rests;              /* its height does not grow */
    bool forgets;            /* what it took */
    _Atomic bool holds_back; /* its answers to questions, until it is set back */
    uint32_t stage;          /* of what it took; 0: final */
    const char *drop;
    const uint8_t *certificate;
    size_t certificate_len;
    bool ends_early; /* its stream stops before the end until it is set back */
    struct slu_link *reader;
    uint64_t reader_id;
    _Atomic uint32_t subscribed;
    bool told_ordered; /* its stream has `told32` at height 3, index 5 */
    uint8_t told32[32];
    uint8_t taken[TAKEN_MAX][32];
    uint8_t
        last[SLU_TX_HEAD_BYTES + SLU_TX_BYTES_MAX_CAP]; /* the last envelope that it was given */
    size_t last_len;
    _Atomic uint32_t taken_count, given, asked;
};

static struct clerk clerks[CLERKS];
static struct slu_chain chain;
static struct certified_key good;
static char trouble[1024], why[256];

/* Of the submitters that are opened. Long, as a busy machine may stand still for seconds: a test
 * that waits for their end makes them short. */
#define LONG_MS 20000u
static uint32_t answer_ms = LONG_MS, give_up_ms = LONG_MS;

static inline bool has_taken(const struct clerk *c, const uint8_t id32[32])
{
    for (uint32_t i = 0; i < c->taken_count; i++)
        if (!memcmp(c->taken[i], id32, 32))
            return true;
    return false;
}

static inline bool does_otherwise(enum manner manner, struct slu_link *link)
{
    if (manner == HANGS_UP)
        slu_link_close(link);
    return manner == HANGS_UP || manner == SILENT;
}

static inline void on_submit(struct clerk *c, struct slu_link *link, uint64_t id,
                             const Slu__Client__Submit *submit)
{
    static uint8_t ids[CLERKS][1024][32];
    Slu__Client__TxResult items[1024], *list[1024];
    Slu__Client__SubmitReply body = SLU__CLIENT__SUBMIT_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    uint8_t(*own)[32] = ids[c - clerks];
    assert_int_equal(submit->n_payloads, 0);
    for (size_t i = 0; i < submit->n_envelopes; i++) {
        const ProtobufCBinaryData *envelope = &submit->envelopes[i];
        memcpy(c->last, envelope->data, envelope->len);
        c->last_len = envelope->len;
        c->given++;
        slu_tx_id_of(own[i], genesis.chain_id, envelope->data, envelope->len);
        slu__client__tx_result__init(&items[i]);
        items[i].known = has_taken(c, own[i]);
        items[i].accepted = c->submits != REFUSES && (c->submits != REFUSES_TWICE || c->given > 2);
        items[i].reason = (char *)(uintptr_t)(items[i].accepted ? "" : c->reason);
        if (items[i].accepted && !items[i].known)
            memcpy(c->taken[c->taken_count++], own[i], 32);
        own[i][0] ^= c->submits == OTHER_ID;
        items[i].id = (ProtobufCBinaryData){32, own[i]};
        list[i] = &items[i];
    }
    if (does_otherwise(c->submits, link))
        return;
    body.n_results = submit->n_envelopes - (c->submits == TOO_FEW);
    body.results = list;
    body.height = c->height;
    reply.body_case = SLU__CLIENT__REPLY__BODY_SUBMIT;
    reply.submit = &body;
    send_reply(link, &reply, id);
}

static inline void on_query(struct clerk *c, struct slu_link *link, uint64_t id,
                            const Slu__Client__TxQuery *query)
{
    static Slu__Client__TxStatus items[1024], *list[1024];
    Slu__Client__TxReply body = SLU__CLIENT__TX_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    c->asked += query->n_ids > 0;
    c->height += !c->rests;
    if (query->n_ids > 0 && does_otherwise(c->queries, link))
        return;
    for (size_t i = 0; i < query->n_ids; i++) {
        slu__client__tx_status__init(&items[i]);
        items[i].id = query->ids[i];
        list[i] = &items[i];
        if (c->forgets || !has_taken(c, query->ids[i].data))
            continue;
        items[i].stage = c->stage ? c->stage : SLU_CLIENT_FINAL;
        items[i].height = 40;
        items[i].index = 2;
        items[i].reason = (char *)(uintptr_t)(c->drop ? c->drop : "");
    }
    if (query->n_ids > 0)
        usleep(2000); /* as one that waits a little for something definite */
    while (query->n_ids > 0 && c->holds_back)
        usleep(1000);
    body.n_statuses = query->n_ids;
    body.statuses = list;
    body.stream_ms = c->stream_ms;
    body.height = c->height;
    reply.body_case = SLU__CLIENT__REPLY__BODY_QUERY;
    reply.query = &body;
    send_reply(link, &reply, id);
}

static inline void on_key(struct clerk *c, struct slu_link *link, uint64_t id)
{
    Slu__Client__KeyReply body = SLU__CLIENT__KEY_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    if (c->certificate)
        body.certificate =
            (ProtobufCBinaryData){c->certificate_len, (uint8_t *)(uintptr_t)c->certificate};
    body.stream_ms = c->stream_ms;
    body.height = c->height;
    reply.body_case = SLU__CLIENT__REPLY__BODY_KEY;
    reply.key = &body;
    send_reply(link, &reply, id);
}

/* Five heights: the last is past everything. */
static inline void tell_stream(struct clerk *c, struct slu_link *link, uint64_t id, uint64_t from,
                               uint64_t to)
{
    for (uint64_t height = from; height <= to; height++) {
        uint8_t bytes[128], block[32] = {(uint8_t)height};
        struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
        Slu__Client__Height part = SLU__CLIENT__HEIGHT__INIT;
        Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
        if (height == 3 && c->told_ordered) {
            slu_write_u32(&w, 5);
            slu_write_u64(&w, 7);
            slu_write_u64(&w, 9); /* valid_until */
            slu_write_bytes(&w, c->told32, 32);
            slu_write_u8(&w, 0);
            slu_write_u32(&w, 1);
            slu_write_u8(&w, 1);
            part.count = 1;
        }
        part.height = height;
        part.time_ms = height < 5 ? STREAM_MS + height : c->stream_ms;
        part.block = (ProtobufCBinaryData){32, block};
        part.rollup = 7;
        part.entries = (ProtobufCBinaryData){slu_writer_len(&w), bytes};
        reply.body_case = SLU__CLIENT__REPLY__BODY_HEIGHT;
        reply.height = &part;
        send_reply(link, &reply, id);
    }
}

static inline void on_subscribe(struct clerk *c, struct slu_link *link, uint64_t id, uint64_t from)
{
    c->subscribed++;
    tell_stream(c, link, id, from, c->ends_early ? 4 : 5);
    c->reader = c->ends_early ? slu_link_hold(link) : NULL;
    c->reader_id = id;
}

/* The rest of a stream that ended early. */
static inline void tell_the_rest(struct clerk *c)
{
    tell_stream(c, c->reader, c->reader_id, 5, 5);
    slu_link_release(c->reader);
}

static inline void on_frame(void *context, struct slu_link *link, const uint8_t *data, size_t len)
{
    struct clerk *c = context;
    Slu__Client__Request *request = slu_request_unpack(data, len, SLU_REQUEST_MEMORY_MAX);
    assert_non_null(request);
    pthread_mutex_lock(&c->lock);
    if (request->body_case == SLU__CLIENT__REQUEST__BODY_SUBMIT)
        on_submit(c, link, request->id, request->submit);
    else if (request->body_case == SLU__CLIENT__REQUEST__BODY_QUERY)
        on_query(c, link, request->id, request->query);
    else if (request->body_case == SLU__CLIENT__REQUEST__BODY_KEY)
        on_key(c, link, request->id);
    else if (request->body_case == SLU__CLIENT__REQUEST__BODY_SUBSCRIBE)
        on_subscribe(c, link, request->id, request->subscribe->from_height);
    else
        fail_msg("request %d", (int)request->body_case);
    pthread_mutex_unlock(&c->lock);
    slu_request_free(request);
}

/* ---- set up ---- */

static inline int set_up_once(void **state)
{
    if (make_committee(state) != 0)
        return -1;
    chain.genesis = genesis;
    certify(&good, &genesis, 1, 3);
    return 0;
}

static inline int set_up(void **state)
{
    (void)state;
    memset(clerks, 0, sizeof clerks);
    *trouble = *why = '\0';
    for (size_t i = 0; i < CLERKS; i++) {
        struct slu_link_handler handler = {.context = &clerks[i], .frame = on_frame};
        pthread_mutex_init(&clerks[i].lock, NULL);
        clerks[i].stream_ms = STREAM_MS;
        clerks[i].height = 10;
        clerks[i].certificate = good.bytes;
        clerks[i].certificate_len = good.len;
        stub_open(&clerks[i].door, genesis.chain_id, &handler);
    }
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLERKS; i++)
        stub_close(&clerks[i].door);
    answer_ms = give_up_ms = LONG_MS;
    return 0;
}

static inline void on_trouble(void *context, const char *url, const char *words)
{
    size_t used = strlen(trouble);
    assert_ptr_equal(context, clerks);
    snprintf(trouble + used, sizeof trouble - used, "%s: %s\n", url, words);
}

/* A submitter for the first `count` clerks. */
static inline struct slu_submitter *open_for(size_t count, size_t kept_bytes_max)
{
    struct slu_submitter_options options = {.answer_ms = answer_ms,
                                            .give_up_ms = give_up_ms,
                                            .valid_for_ms = 5000,
                                            .kept_bytes_max = kept_bytes_max,
                                            .on_trouble = on_trouble,
                                            .context = clerks};
    const char *urls[CLERKS];
    struct slu_submitter *s;
    for (size_t i = 0; i < count; i++)
        urls[i] = slu_listener_url(clerks[i].door.listener);
    if (slu_submitter_open(&s, &chain, urls, count, &options, why, sizeof why))
        fail_msg("%s", why);
    return s;
}

static inline struct slu_submission plain(const char *text)
{
    return (struct slu_submission){
        .rollup = 7, .payload = (const uint8_t *)text, .payload_len = strlen(text)};
}

static inline void accepted(struct slu_submitter *s, struct slu_submission *item)
{
    if (slu_submitter_submit(s, item, 1, why, sizeof why))
        fail_msg("%s", why);
    assert_string_equal(item->reason, "");
    assert_int_equal(item->state, SLU_SUBMISSION_ACCEPTED);
    assert_true(item->has_id);
}

static inline struct slu_outcome outcome_of(struct slu_submitter *s,
                                            const struct slu_submission *item)
{
    struct slu_outcome outcome = {0};
    memcpy(outcome.id32, item->id32, 32);
    int rc = slu_submitter_wait(s, &outcome, 1, LONG_MS, why, sizeof why);
    if (rc)
        fail_msg("%d: %s; %s", rc, why, trouble);
    return outcome;
}

static inline void troubles(const char *words)
{
    if (!strstr(trouble, words))
        fail_msg("'%s' is not in: %s", words, trouble);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
