/* A node that lies to whoever forces a transaction or asks about one, or breaks: a link of the
 * client protocol (stub_node.h) whose answers a test chooses, and what the command printed then. */
#ifndef SLU_TESTS_UNIT_LIAR_H
#define SLU_TESTS_UNIT_LIAR_H

#include <jansson.h>
#include <sodium.h>
#include <sys/stat.h>
#include <time.h>

#include "base/bytes.h"
#include "client/command.h"
#include "client/stage.h"
#include "config/genesis_json.h"
#include "tests/unit/committee_key.h"
#include "tests/unit/stub_node.h"
#include "wire/evidence.h"
#include "wire/inbox.h"
#include "wire/tx.h"

static struct slu_genesis foreign; /* the committee's nodes on another chain */
static char root[64], genesis_path[128];

/* ---- the stub ---- */

/* The honest nodes' stream time. */
static inline uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

enum receipt_kind {
    GOOD_RECEIPT,
    NO_RECEIPT,
    OTHER_ID,
    OTHER_KEY,
    OTHER_CHAIN,
    NO_SUCH_NODE,
    CUT_RECEIPT,
    LONG_RECEIPT,
};

enum frame_kind { REPLY, GARBAGE, EMPTY, OTHER_BODY, ERROR_BODY, HANG_UP, SILENCE };

struct liar {
    uint16_t node; /* that its receipts are of */
    uint64_t work, time_ms;
    bool lies_about_time; /* its time_ms; else it is now */
    uint64_t behind_ms;   /* its stream has fallen so far behind since it told the time */
    size_t block_len;
    bool holds_nothing; /* to receipt queries */
    bool refuses, known;
    const char *reason;
    enum receipt_kind receipt;
    enum frame_kind terms_as, force_as, receipt_as, query_as, evidence_as, key_as;
    struct slu_client_place {
        uint32_t stage;
        uint64_t height, queued, due;
        bool forced, other_id;
        uint32_t count;
    } place;
    uint32_t items; /* pieces of evidence */
    const uint8_t *item;
    size_t item_len;
    const char *status;
    const uint8_t *certificate; /* with its length; NULL: it knows no key */
    size_t certificate_len;
    uint64_t height;       /* that it says with its key */
    bool takes_other;      /* submissions: says another id than it was given */
    uint8_t forced_id[32]; /* the last one */
    struct stub_door door;
    _Atomic uint32_t forces, asked, submits;
};

/* The last envelope that any of them was given, forced or not. */
static uint8_t given[SLU_TX_HEAD_BYTES + SLU_TX_BYTES_MAX_CAP];
static size_t given_len;

/* Sends something else than the reply, when it is to. True: done. */
static inline bool instead(struct slu_link *link, uint64_t id, enum frame_kind kind)
{
    static const uint8_t garbage[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0x80};
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    Slu__Client__End end = SLU__CLIENT__END__INIT;
    switch (kind) {
    case REPLY:
        return false;
    case GARBAGE:
        assert_int_equal(slu_link_send(link, garbage, sizeof garbage, NULL, 0), 0);
        break;
    case EMPTY:
        send_reply(link, &reply, id);
        break;
    case OTHER_BODY:
        reply.body_case = SLU__CLIENT__REPLY__BODY_END;
        reply.end = &end;
        send_reply(link, &reply, id);
        break;
    case ERROR_BODY:
        send_error(link, id, "busy", "\x1b[2Jwords\r\n\x07", 0);
        break;
    case HANG_UP:
        slu_link_close(link);
        break;
    case SILENCE:
        break;
    }
    return true;
}

static inline void on_terms(struct liar *liar, struct slu_link *link, uint64_t id)
{
    uint8_t block[64] = {7};
    Slu__Client__Terms terms = SLU__CLIENT__TERMS__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    terms.height = 5;
    terms.block = (ProtobufCBinaryData){liar->block_len, block};
    terms.block_time_ms = liar->lies_about_time ? liar->time_ms : wall_ms();
    terms.work = liar->work;
    reply.body_case = SLU__CLIENT__REPLY__BODY_TERMS;
    reply.terms = &terms;
    send_reply(link, &reply, id);
}

static inline size_t make_receipt(const struct liar *liar, uint8_t *bytes, size_t cap,
                                  const uint8_t id32[32])
{
    struct slu_receipt receipt = {.node = liar->node, .time_ms = 6000, .height = 5};
    struct slu_writer w = slu_writer_of(bytes, cap);
    uint8_t digest[32];
    if (liar->receipt == NO_RECEIPT)
        return 0;
    memcpy(receipt.id, id32, 32);
    receipt.id[31] ^= liar->receipt == OTHER_ID;
    if (liar->receipt == NO_SUCH_NODE)
        receipt.node = 60000;
    slu_receipt_digest(digest, liar->receipt == OTHER_CHAIN ? &foreign : &genesis, &receipt);
    uint16_t signer = (uint16_t)(liar->node + (liar->receipt == OTHER_KEY)) % COMMITTEE;
    assert_int_equal(
        slu_keyguard_sign(guards[signer], receipt.signature, SLU_ROLE_RECEIPT, 0, digest), 0);
    slu_receipt_write(&w, &receipt);
    if (liar->receipt == CUT_RECEIPT)
        return slu_writer_len(&w) - 1;
    return slu_writer_len(&w) + (liar->receipt == LONG_RECEIPT);
}

static inline void answer_force(const struct liar *liar, struct slu_link *link, uint64_t id,
                                const uint8_t id32[32], bool accepted)
{
    uint8_t bytes[SLU_RECEIPT_BYTES + 1] = {0};
    Slu__Client__ForceReply body = SLU__CLIENT__FORCE_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    body.accepted = accepted;
    body.known = accepted && liar->known;
    body.reason = (char *)(uintptr_t)(accepted ? "" : liar->reason ? liar->reason : "unknown");
    body.work = liar->work;
    if (accepted)
        body.receipt = (ProtobufCBinaryData){make_receipt(liar, bytes, sizeof bytes, id32), bytes};
    reply.body_case = SLU__CLIENT__REPLY__BODY_FORCE;
    reply.force = &body;
    send_reply(link, &reply, id);
}

static inline void keep_given(ProtobufCBinaryData envelope)
{
    memcpy(given, envelope.data, envelope.len);
    given_len = envelope.len;
}

/* An honest taker refuses what is out of time, as every node would. */
static inline void on_force(struct liar *liar, struct slu_link *link, uint64_t id,
                            const Slu__Client__Force *force)
{
    struct slu_reader r = slu_reader_of(force->envelope.data, force->envelope.len);
    struct slu_tx tx;
    uint8_t id32[32];
    uint64_t now_ms = wall_ms() - liar->behind_ms;
    liar->forces++;
    assert_true(slu_tx_read(&r, &tx) && slu_reader_done(&r));
    keep_given(force->envelope);
    slu_tx_id(id32, &genesis, &tx);
    memcpy(liar->forced_id, id32, 32);
    bool in_time = tx.valid_until_ms > now_ms && tx.valid_until_ms < now_ms + 30000;
    answer_force(liar, link, id, id32, in_time && !liar->refuses);
}

static inline void on_query(const struct liar *liar, struct slu_link *link, uint64_t id,
                            const Slu__Client__TxQuery *query)
{
    Slu__Client__TxStatus status = SLU__CLIENT__TX_STATUS__INIT, *statuses[] = {&status, &status};
    Slu__Client__TxReply body = SLU__CLIENT__TX_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    uint8_t id32[32];
    memcpy(id32, query->ids[0].data, 32);
    id32[0] ^= liar->place.other_id;
    status.id = (ProtobufCBinaryData){32, id32};
    status.stage = liar->place.stage;
    status.height = liar->place.height;
    status.queued_height = liar->place.queued;
    status.due_height = liar->place.due;
    status.forced = liar->place.forced;
    body.n_statuses = liar->place.count;
    body.statuses = statuses;
    reply.body_case = SLU__CLIENT__REPLY__BODY_QUERY;
    reply.query = &body;
    send_reply(link, &reply, id);
}

static inline void on_evidence(const struct liar *liar, struct slu_link *link, uint64_t id)
{
    Slu__Client__EvidenceReply body = SLU__CLIENT__EVIDENCE_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    body.n_items = liar->items;
    body.items = calloc(liar->items + 1, sizeof *body.items);
    for (uint32_t i = 0; i < liar->items; i++)
        body.items[i] = (ProtobufCBinaryData){liar->item_len, (uint8_t *)(uintptr_t)liar->item};
    reply.body_case = SLU__CLIENT__REPLY__BODY_EVIDENCE;
    reply.evidence = &body;
    send_reply(link, &reply, id);
    free(body.items);
}

static inline void on_status(const struct liar *liar, struct slu_link *link, uint64_t id)
{
    Slu__Client__StatusReply body = SLU__CLIENT__STATUS_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    body.json = (char *)(uintptr_t)(liar->status ? liar->status : "{\"peers\":[{},{},{}]}");
    reply.body_case = SLU__CLIENT__REPLY__BODY_STATUS;
    reply.status = &body;
    send_reply(link, &reply, id);
}

static inline void on_key(const struct liar *liar, struct slu_link *link, uint64_t id)
{
    Slu__Client__KeyReply body = SLU__CLIENT__KEY_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    if (liar->certificate)
        body.certificate =
            (ProtobufCBinaryData){liar->certificate_len, (uint8_t *)(uintptr_t)liar->certificate};
    body.stream_ms = liar->lies_about_time ? liar->time_ms : wall_ms();
    body.height = liar->height;
    reply.body_case = SLU__CLIENT__REPLY__BODY_KEY;
    reply.key = &body;
    send_reply(link, &reply, id);
}

/* Takes whole envelopes; payloads only for rollup 0, whose ids are then made up. */
static inline void on_submit(struct liar *liar, struct slu_link *link, uint64_t id,
                             const Slu__Client__Submit *submit)
{
    static uint8_t ids[1024][32];
    static Slu__Client__TxResult items[1024], *list[1024];
    Slu__Client__SubmitReply body = SLU__CLIENT__SUBMIT_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    bool whole = submit->n_payloads == 0;
    size_t count = whole ? submit->n_envelopes : submit->n_payloads;
    assert_true(whole || submit->rollup == 0);
    liar->submits++;
    for (size_t i = 0; i < count; i++) {
        keep_given(whole ? submit->envelopes[i] : submit->payloads[i]);
        slu_tx_id_of(ids[i], genesis.chain_id, given, given_len);
        ids[i][0] ^= liar->takes_other;
        slu__client__tx_result__init(&items[i]);
        items[i].id = (ProtobufCBinaryData){32, ids[i]};
        items[i].accepted = !liar->refuses;
        items[i].reason = (char *)(uintptr_t)(liar->refuses ? liar->reason : "");
        list[i] = &items[i];
    }
    body.n_results = count;
    body.results = list;
    body.height = liar->height;
    reply.body_case = SLU__CLIENT__REPLY__BODY_SUBMIT;
    reply.submit = &body;
    send_reply(link, &reply, id);
}

static inline void on_frame(void *context, struct slu_link *link, const uint8_t *data, size_t len)
{
    struct liar *liar = context;
    Slu__Client__Request *request = slu_request_unpack(data, len, SLU_REQUEST_MEMORY_MAX);
    assert_non_null(request);
    uint64_t id = request->id;
    switch (request->body_case) {
    case SLU__CLIENT__REQUEST__BODY_TERMS:
        if (!instead(link, id, liar->terms_as))
            on_terms(liar, link, id);
        break;
    case SLU__CLIENT__REQUEST__BODY_FORCE:
        if (!instead(link, id, liar->force_as))
            on_force(liar, link, id, request->force);
        break;
    case SLU__CLIENT__REQUEST__BODY_RECEIPT:
        liar->asked++;
        if (!instead(link, id, liar->receipt_as))
            answer_force(liar, link, id, request->receipt->id.data, !liar->holds_nothing);
        break;
    case SLU__CLIENT__REQUEST__BODY_QUERY:
        if (!instead(link, id, liar->query_as))
            on_query(liar, link, id, request->query);
        break;
    case SLU__CLIENT__REQUEST__BODY_EVIDENCE:
        if (!instead(link, id, liar->evidence_as))
            on_evidence(liar, link, id);
        break;
    case SLU__CLIENT__REQUEST__BODY_KEY:
        if (!instead(link, id, liar->key_as))
            on_key(liar, link, id);
        break;
    case SLU__CLIENT__REQUEST__BODY_SUBMIT:
        on_submit(liar, link, id, request->submit);
        break;
    default:
        on_status(liar, link, id);
        break;
    }
    slu_request_free(request);
}

/* An honest node, to be spoilt. */
static inline struct liar honest(uint16_t node)
{
    return (struct liar){.node = node, .work = 100, .block_len = 32, .place = {.count = 1}};
}

static inline const char *start(struct liar *liar)
{
    struct slu_link_handler handler = {.context = liar, .frame = on_frame};
    stub_open(&liar->door, genesis.chain_id, &handler);
    return slu_listener_url(liar->door.listener);
}

static inline const char *start_both(struct liar *a, struct liar *b)
{
    static char urls[300];
    const char *first = start(a);
    snprintf(urls, sizeof urls, "%s,%s", first, start(b));
    return urls;
}

/* ---- set up ---- */

static inline int set_up(void **state)
{
    char why[200];
    strcpy(root, "/tmp/slu_forced_XXXXXX");
    if (make_committee(state) != 0 || mkdtemp(root) == NULL)
        return -1;
    foreign = genesis;
    strcpy(foreign.name, "foreign");
    snprintf(genesis_path, sizeof genesis_path, "%s/genesis.json", root);
    if (slu_genesis_seal(&foreign, why, sizeof why) != 0)
        return -1;
    return slu_genesis_save(&genesis, genesis_path, why, sizeof why);
}

static inline int tear_down(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return free_committee(state) + system(command);
}

/* Every line of standard output is a JSON object; complaints have no control characters. */
static inline void check_text(void)
{
    for (char *line = output; *line;) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        json_t *root_object = json_loadb(line, (size_t)(end - line), JSON_DECODE_INT_AS_REAL, NULL);
        assert_true(json_is_object(root_object));
        json_decref(root_object);
        line = end + 1;
    }
    for (const char *at = complaints; *at; at++)
        assert_true(*at == '\n' || (unsigned char)*at >= 0x20);
}

static inline int submit(const char *urls, const char *more)
{
    const char *path = hex_file(1, "");
    int code = run(slu_command_submit, "submit", "--forced", "--node", urls, "--rollup", "7",
                   "--hex", path, "--valid-for", "20", "--genesis", genesis_path, more, NULL);
    unlink(path);
    check_text();
    return code;
}

static inline void expect(const char *words)
{
    if (!strstr(output, words))
        print_error("'%s' is not in: %s\n", words, output);
    assert_non_null(strstr(output, words));
}

static inline void complains(const char *words)
{
    if (!strstr(complaints, words))
        print_error("'%s' is not in: %s\n", words, complaints);
    assert_non_null(strstr(complaints, words));
}

#endif
