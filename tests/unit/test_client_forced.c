/* The commands around forced transactions against nodes that lie: absurd terms, receipts that are
 * none, broken frames, places that contradict themselves. Each ends soon, with words and the exit
 * code that its help names, and a liar does not keep a transaction from an honest taker. */
#include <jansson.h>
#include <sodium.h>
#include <sys/stat.h>
#include <time.h>

#include "base/bytes.h"
#include "client/command.h"
#include "client/stage.h"
#include "config/genesis_json.h"
#include "tests/sim/seal_keys.h"
#include "tests/unit/stub_node.h"
#include "wire/evidence.h"
#include "wire/inbox.h"
#include "wire/tx.h"

#define NODES 4u

static struct slu_genesis genesis, foreign; /* foreign: the same nodes, another chain */
static struct slu_keyguard *guards[NODES];
static char root[64], genesis_path[128];

/* ---- the stub ---- */

/* The honest nodes' stream time. */
static uint64_t wall_ms(void)
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
    size_t block_len;
    bool holds_nothing; /* to receipt queries */
    bool refuses, known;
    const char *reason;
    enum receipt_kind receipt;
    enum frame_kind terms_as, force_as, receipt_as, query_as, evidence_as;
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
    struct stub_door door;
    _Atomic uint32_t forces, asked;
};

/* Sends something else than the reply, when it is to. True: done. */
static bool instead(struct slu_link *link, uint64_t id, enum frame_kind kind)
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

static void on_terms(struct liar *liar, struct slu_link *link, uint64_t id)
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

static size_t make_receipt(const struct liar *liar, uint8_t *bytes, size_t cap,
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
    uint16_t signer = (uint16_t)(liar->node + (liar->receipt == OTHER_KEY)) % NODES;
    assert_int_equal(
        slu_keyguard_sign(guards[signer], receipt.signature, SLU_ROLE_RECEIPT, 0, digest), 0);
    slu_receipt_write(&w, &receipt);
    if (liar->receipt == CUT_RECEIPT)
        return slu_writer_len(&w) - 1;
    return slu_writer_len(&w) + (liar->receipt == LONG_RECEIPT);
}

static void answer_force(const struct liar *liar, struct slu_link *link, uint64_t id,
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

/* An honest taker refuses what is out of time, as every node would. */
static void on_force(struct liar *liar, struct slu_link *link, uint64_t id,
                     const Slu__Client__Force *force)
{
    struct slu_reader r = slu_reader_of(force->envelope.data, force->envelope.len);
    struct slu_tx tx;
    uint8_t id32[32];
    uint64_t now_ms = wall_ms();
    liar->forces++;
    assert_true(slu_tx_read(&r, &tx) && slu_reader_done(&r));
    slu_tx_id(id32, &genesis, &tx);
    bool in_time = tx.valid_until_ms > now_ms && tx.valid_until_ms < now_ms + 30000;
    answer_force(liar, link, id, id32, in_time && !liar->refuses);
}

static void on_query(const struct liar *liar, struct slu_link *link, uint64_t id,
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

static void on_evidence(const struct liar *liar, struct slu_link *link, uint64_t id)
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

static void on_status(const struct liar *liar, struct slu_link *link, uint64_t id)
{
    Slu__Client__StatusReply body = SLU__CLIENT__STATUS_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    body.json = (char *)(uintptr_t)(liar->status ? liar->status : "{\"peers\":[{},{},{}]}");
    reply.body_case = SLU__CLIENT__REPLY__BODY_STATUS;
    reply.status = &body;
    send_reply(link, &reply, id);
}

static void on_frame(void *context, struct slu_link *link, const uint8_t *data, size_t len)
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
    default:
        on_status(liar, link, id);
        break;
    }
    slu_request_free(request);
}

/* An honest node, to be spoilt. */
static struct liar honest(uint16_t node)
{
    return (struct liar){.node = node, .work = 100, .block_len = 32, .place = {.count = 1}};
}

static const char *start(struct liar *liar)
{
    struct slu_link_handler handler = {.context = liar, .frame = on_frame};
    stub_open(&liar->door, genesis.chain_id, &handler);
    return slu_listener_url(liar->door.listener);
}

static const char *start_both(struct liar *a, struct liar *b)
{
    static char urls[300];
    const char *first = start(a);
    snprintf(urls, sizeof urls, "%s,%s", first, start(b));
    return urls;
}

/* ---- set up ---- */

static int set_up(void **state)
{
    (void)state;
    char why[200];
    strcpy(root, "/tmp/slu_forced_XXXXXX");
    if (sodium_init() < 0 || mkdtemp(root) == NULL)
        return -1;
    genesis.version = SLU_PROTOCOL_VERSION;
    strcpy(genesis.name, "forced");
    genesis.n = NODES;
    genesis.open_rollups = true;
    for (uint16_t i = 0; i < NODES; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1)};
        guards[i] = slu_keyguard_new(seed);
        slu_keyguard_public(guards[i], genesis.nodes[i].public32);
        snprintf(genesis.nodes[i].address, sizeof genesis.nodes[i].address, "tcp://127.0.0.1:%d",
                 7000 + i);
    }
    sim_seal_keys(&genesis);
    slu_params_defaults(&genesis.params);
    foreign = genesis;
    strcpy(foreign.name, "foreign");
    snprintf(genesis_path, sizeof genesis_path, "%s/genesis.json", root);
    if (slu_genesis_seal(&genesis, why, sizeof why) || slu_genesis_seal(&foreign, why, sizeof why))
        return -1;
    return slu_genesis_save(&genesis, genesis_path, why, sizeof why);
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    for (uint16_t i = 0; i < NODES; i++)
        slu_keyguard_free(guards[i]);
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

/* Every line of standard output is a JSON object; complaints have no control characters. */
static void check_text(void)
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

static int submit(const char *urls, const char *more)
{
    const char *path = hex_file(1, "");
    int code = run(slu_command_submit, "submit", "--forced", "--node", urls, "--rollup", "7",
                   "--hex", path, "--valid-for", "3", "--genesis", genesis_path, more, NULL);
    unlink(path);
    check_text();
    return code;
}

static void expect(const char *words)
{
    if (!strstr(output, words))
        print_error("'%s' is not in: %s\n", words, output);
    assert_non_null(strstr(output, words));
}

static void complains(const char *words)
{
    if (!strstr(complaints, words))
        print_error("'%s' is not in: %s\n", words, complaints);
    assert_non_null(strstr(complaints, words));
}

/* ---- submit --forced ---- */

static void test_honest_nodes(void **state)
{
    (void)state;
    struct liar a = honest(0), b = honest(1);
    a.place = (struct slu_client_place){SLU_CLIENT_FINAL, 9, 7, 9, true, false, 1};
    assert_int_equal(submit(start_both(&a, &b), "--wait"), 0);
    expect("\"status\":\"accepted\"");
    expect("\"node\":0");
    expect("\"node\":1");
    expect("\"outcome\":\"ordered\",\"height\":9,\"index\":0,\"due_height\":9}");
    assert_int_equal(a.forces + b.forces, 1);
    stub_close(&a.door);
    stub_close(&b.door);
}

/* A price that nobody can pay, or none: the next taker is asked, no work is done for it. */
static void test_absurd_prices(void **state)
{
    (void)state;
    static const uint64_t prices[] = {UINT64_MAX, UINT64_MAX / 2, UINT64_C(1) << 40, 0};
    for (size_t i = 0; i < sizeof prices / sizeof *prices; i++) {
        struct liar a = honest(0), b = honest(1);
        uint64_t began = slu_now_ms();
        a.work = prices[i];
        a.holds_nothing = true;
        assert_int_equal(submit(start_both(&a, &b), NULL), 0);
        expect("\"status\":\"accepted\"");
        assert_int_equal(a.forces, 0);
        assert_int_equal(b.forces, 1);
        assert_int_equal(submit(slu_listener_url(a.door.listener), NULL), prices[i] ? 2 : 1);
        expect(prices[i] ? "\"reason\":\"price\"" : "\"reason\":\"no_answer\"");
        assert_true(slu_now_ms() - began < 4000);
        stub_close(&a.door);
        stub_close(&b.door);
    }
}

/* A taker that always wants more is asked a few times only. */
static void test_a_taker_that_is_never_paid(void **state)
{
    (void)state;
    struct liar a = honest(0);
    a.refuses = true;
    a.reason = "postage";
    assert_int_equal(submit(start(&a), NULL), 2);
    expect("\"reason\":\"postage\"");
    assert_in_range(a.forces, 1, 8);
    stub_close(&a.door);
}

/* What a liar says the time is does not make a transaction that the others refuse. */
static void test_absurd_times(void **state)
{
    (void)state;
    static const uint64_t times[] = {0, 1, UINT64_MAX, UINT64_MAX - 3000};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct liar a = honest(0), b = honest(1);
        a.time_ms = times[i];
        a.lies_about_time = true;
        a.refuses = true;
        a.holds_nothing = true;
        assert_int_equal(submit(start_both(&a, &b), NULL), 0);
        expect("\"status\":\"accepted\"");
        assert_int_equal(b.forces, 1);
        stub_close(&a.door);
        stub_close(&b.door);
    }
}

static void test_terms_that_are_none(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 31, 33, 64};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct liar a = honest(0);
        a.block_len = lens[i];
        assert_int_equal(submit(start(&a), NULL), 1);
        expect("\"status\":\"refused\",\"reason\":\"no_answer\"");
        assert_int_equal(a.forces, 0);
        stub_close(&a.door);
    }
}

/* A receipt that is none is said, and does not count: the next taker gets the transaction. */
static void test_bad_receipts(void **state)
{
    (void)state;
    static const struct {
        enum receipt_kind kind;
        const char *words;
    } cases[] = {
        {OTHER_ID, "its receipt is not good"},    {OTHER_KEY, "its receipt is not good"},
        {OTHER_CHAIN, "its receipt is not good"}, {NO_SUCH_NODE, "its receipt is not good"},
        {CUT_RECEIPT, "its receipt is not good"}, {LONG_RECEIPT, "its receipt is not good"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct liar a = honest(0), b = honest(1);
        a.receipt = cases[i].kind;
        b.holds_nothing = true; /* until it is given to it */
        assert_int_equal(submit(start_both(&a, &b), NULL), 3);
        complains(cases[i].words);
        expect("\"status\":\"accepted\"");
        expect("\"receipts\":[{\"node\":1,");
        assert_int_equal(b.forces, 1);
        stub_close(&a.door);
        stub_close(&b.door);
    }
}

/* A taker that says yes, signs, and keeps it to itself: f+1 must hold it, so another one gets it.
 */
static void test_a_taker_that_tells_nobody(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct liar a = honest(0), b = honest(1);
        a.known = known;
        a.receipt = known ? NO_RECEIPT : GOOD_RECEIPT;
        b.holds_nothing = true;
        assert_int_equal(submit(start_both(&a, &b), NULL), 0);
        expect("\"status\":\"accepted\",\"reason\":\"\"");
        expect("\"node\":1");
        assert_int_equal(a.forces, 1);
        assert_int_equal(b.forces, 1);
        stub_close(&a.door);
        stub_close(&b.door);
    }
}

/* Nor is it lost when the second one refuses; then it is said that nobody else holds it. */
static void test_accepted_stays_accepted(void **state)
{
    (void)state;
    struct liar a = honest(0), b = honest(1);
    b.holds_nothing = true;
    b.refuses = true;
    b.reason = "inbox_full";
    assert_int_equal(submit(start_both(&a, &b), NULL), 0);
    expect("\"status\":\"accepted\",\"reason\":\"\"");
    complains("1 of 2 receipts");
    stub_close(&a.door);
    stub_close(&b.door);
}

/* Frames that are none, replies that are another's, a line that goes dead. */
static void test_broken_takers(void **state)
{
    (void)state;
    for (int where = 0; where < 3; where++)
        for (enum frame_kind kind = GARBAGE; kind <= HANG_UP; kind++) {
            struct liar a = honest(0), b = honest(1);
            a.terms_as = where == 0 ? kind : REPLY;
            a.force_as = where == 1 ? kind : REPLY;
            a.receipt_as = where == 2 ? kind : REPLY;
            assert_int_equal(submit(where == 2 ? start_both(&b, &a) : start_both(&a, &b), NULL), 0);
            expect("\"status\":\"accepted\"");
            assert_int_equal(b.forces, 1);
            stub_close(&b.door);
            stub_close(&a.door);
        }
}

/* Alone, such a node is no node. */
static void test_a_broken_taker_alone(void **state)
{
    (void)state;
    for (enum frame_kind kind = GARBAGE; kind <= HANG_UP; kind++) {
        struct liar a = honest(0);
        a.terms_as = kind;
        assert_int_equal(submit(start(&a), NULL), 1);
        expect("\"status\":\"refused\"");
        stub_close(&a.door);
    }
}

/* One that never answers costs its timeout. */
static void test_a_silent_taker(void **state)
{
    (void)state;
    struct liar a = honest(0), b = honest(1);
    uint64_t began = slu_now_ms();
    a.terms_as = a.receipt_as = SILENCE;
    assert_int_equal(submit(start_both(&a, &b), NULL), 0);
    expect("\"status\":\"accepted\"");
    complains("1 of 2 receipts");
    assert_true(slu_now_ms() - began < 30000);
    stub_close(&a.door);
    stub_close(&b.door);
}

/* A node of another chain gets nothing. */
static void test_one_chain_only(void **state)
{
    (void)state;
    struct liar a = honest(0), b = honest(1);
    struct slu_link_handler handler = {.context = &b, .frame = on_frame};
    char urls[300];
    const char *first = start(&a);
    stub_open(&b.door, foreign.chain_id, &handler);
    snprintf(urls, sizeof urls, "%s,%s", first, slu_listener_url(b.door.listener));
    a.refuses = true;
    a.reason = "inbox_full";
    assert_int_equal(submit(urls, NULL), 2);
    expect("\"reason\":\"inbox_full\"");
    complains("another chain");
    assert_int_equal(b.forces + b.asked, 0);
    stub_close(&a.door);
    stub_close(&b.door);
}

/* Words of a node are not obeyed by a terminal or a parser. */
static void test_odd_words(void **state)
{
    (void)state;
    static const char *const words[] = {
        "\x1b[31m\"quoted\"\\ \n and \xff\xfe, which is longer than any reason that there is, much",
        "{\"peers\":", "{\"peers\":7}", "[[[[[[[[[[[[[[[["};
    for (size_t i = 0; i < 4; i++) {
        struct liar a = honest(0);
        a.refuses = true;
        a.reason = words[i];
        a.status = words[i];
        const char *path = hex_file(1, "");
        assert_int_equal(run(slu_command_submit, "submit", "--forced", "--node", start(&a),
                             "--rollup", "7", "--hex", path, NULL),
                         2);
        check_text();
        expect("\"status\":\"refused\"");
        unlink(path);
        stub_close(&a.door);
    }
}

/* ---- where it is ---- */

static const struct {
    struct slu_client_place place;
    const char *words;
} contradictions[] = {
    {{SLU_CLIENT_FINAL, 9, 7, 8, true, false, 1}, "delivered at 9"},
    {{SLU_CLIENT_FINAL, 9, 9, 9, true, false, 1}, "due at 9"},
    {{SLU_CLIENT_FINAL, 9, 7, 0, true, false, 1}, "due at 0"},
    {{SLU_CLIENT_QUEUED, 0, 9, 7, true, false, 1}, "due at 7"},
    {{SLU_CLIENT_QUEUED, 0, 0, 7, true, false, 1}, "due at 7"},
    {{SLU_CLIENT_QUEUED, 0, 0, 0, true, false, 1}, "queued"},
};

static void test_a_place_that_contradicts_itself(void **state)
{
    (void)state;
    char id[65];
    memset(id, 'a', 64);
    id[64] = '\0';
    for (size_t i = 0; i < sizeof contradictions / sizeof *contradictions; i++) {
        struct liar a = honest(0);
        const char *url = start(&a);
        a.place = contradictions[i].place;
        a.holds_nothing = true;
        assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 3);
        check_text();
        complains("contradicts itself");
        complains(contradictions[i].words);
        a.holds_nothing = false;
        assert_int_equal(submit(url, "--wait"), 3);
        complains("contradicts itself");
        stub_close(&a.door);
    }
}

static void test_receipt_of_an_honest_node(void **state)
{
    (void)state;
    char id[65];
    struct liar a = honest(2);
    const char *url = start(&a);
    memset(id, 'b', 64);
    id[64] = '\0';
    a.place = (struct slu_client_place){SLU_CLIENT_FINAL, 9, 7, 9, true, false, 1};
    a.holds_nothing = true;
    assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 0);
    expect("\"state\":\"final\",\"certified\":true,\"queued_at\":7,\"due_height\":9,"
           "\"delivered_at\":9,\"index\":0}");
    a.place = (struct slu_client_place){SLU_CLIENT_FINAL, 6, 7, 9, false, false, 1}; /* by a lane */
    assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 0);
    a.place = (struct slu_client_place){SLU_CLIENT_HELD, 0, 0, 0, true, false, 1};
    a.holds_nothing = false;
    assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 0);
    expect("\"state\":\"held\",\"certified\":false,\"receipt\":{\"node\":2,");
    assert_int_equal(run(slu_command_receipt, "receipt", id, id, id, "--node", url, NULL), 0);
    check_text();
    assert_int_equal(lines_with("\"state\":\"held\""), 3);
    assert_int_equal(run(slu_command_receipt, "receipt", id, "12", "--node", url, NULL), 2);
    assert_int_equal(lines_with("state"), 0);
    a.place.stage = SLU_CLIENT_UNKNOWN;
    assert_int_equal(run(slu_command_receipt, "receipt", id, id, "--node", url, NULL), 2);
    assert_int_equal(lines_with("\"state\":\"unknown\""), 2);
    stub_close(&a.door);
}

/* Without the genesis a signature says nothing, but an id does. */
static void test_receipt_with_a_bad_receipt(void **state)
{
    (void)state;
    static const enum receipt_kind kinds[] = {OTHER_ID, CUT_RECEIPT, LONG_RECEIPT, NO_SUCH_NODE};
    char id[65];
    memset(id, 'c', 64);
    id[64] = '\0';
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct liar a = honest(0);
        const char *url = start(&a);
        a.place.stage = SLU_CLIENT_HELD;
        a.receipt = kinds[i];
        assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 3);
        check_text();
        complains("receipt is not good");
        stub_close(&a.door);
    }
}

static void test_receipt_of_a_broken_node(void **state)
{
    (void)state;
    char id[65];
    memset(id, 'd', 64);
    id[64] = '\0';
    for (enum frame_kind kind = GARBAGE; kind <= HANG_UP; kind++) {
        struct liar a = honest(0);
        const char *url = start(&a);
        a.query_as = kind;
        assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 1);
        complains("no answer");
        a.query_as = REPLY;
        a.place.stage = SLU_CLIENT_HELD; /* known, and no receipt */
        a.receipt_as = kind;
        assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 0);
        check_text();
        stub_close(&a.door);
    }
    for (int i = 0; i < 3; i++) { /* about another one; none; two */
        struct liar a = honest(0);
        const char *url = start(&a);
        a.place.other_id = i == 0;
        a.place.count = i == 0 ? 1 : i == 1 ? 0 : 2;
        assert_int_equal(run(slu_command_receipt, "receipt", id, "--node", url, NULL), 1);
        stub_close(&a.door);
    }
}

/* ---- evidence ---- */

static size_t two_notarize(uint8_t *bytes, const struct slu_genesis *of, uint16_t offender)
{
    struct slu_writer w = slu_writer_of(bytes, SLU_EVIDENCE_BYTES_MAX);
    uint8_t blocks[2][32] = {{1}, {2}}, signatures[2][64];
    for (int i = 0; i < 2; i++) {
        uint8_t digest[32];
        slu_vote_digest(digest, of, SLU_NOTARIZE, 12, blocks[i]);
        assert_int_equal(
            slu_keyguard_sign(guards[offender], signatures[i], SLU_ROLE_BATCH, 0, digest), 0);
    }
    slu_evidence_two_notarize(&w, offender, 12, blocks[0], signatures[0], blocks[1], signatures[1]);
    return slu_writer_len(&w);
}

static void test_evidence_that_is_none(void **state)
{
    (void)state;
    uint8_t good[SLU_EVIDENCE_BYTES_MAX + 1] = {0}, noise[SLU_EVIDENCE_BYTES_MAX + 1];
    size_t len = two_notarize(good, &genesis, 2);
    memset(noise, 0xa5, sizeof noise);
    const struct {
        const uint8_t *item;
        size_t len;
        uint32_t items;
        int code;
    } cases[] = {
        {good, len, 1, 0},     {good, len, 0, 0},   {good, len - 1, 1, 3},
        {good, len + 1, 1, 3}, {noise, 100, 1, 3},  {noise, sizeof noise, 1, 3},
        {noise, 0, 1, 3},      {noise, 1, 5000, 3},
    };
    char dir[128];
    snprintf(dir, sizeof dir, "%s/evidence", root);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct liar a = honest(0);
        a.item = cases[i].item;
        a.item_len = cases[i].len;
        a.items = cases[i].items;
        assert_int_equal(
            run(slu_command_evidence, "evidence", "--node", start(&a), "--dir", dir, NULL),
            cases[i].code);
        check_text();
        if (cases[i].code == 3)
            complains("is none");
        assert_int_equal(lines_with("two_notarize"), i == 0);
        stub_close(&a.door);
    }
}

static void test_evidence_of_a_broken_node(void **state)
{
    (void)state;
    for (enum frame_kind kind = GARBAGE; kind <= HANG_UP; kind++) {
        struct liar a = honest(0);
        a.evidence_as = kind;
        assert_int_equal(run(slu_command_evidence, "evidence", "--node", start(&a), NULL),
                         kind == ERROR_BODY ? 2 : 1);
        check_text();
        assert_true(complaints[0] != '\0');
        stub_close(&a.door);
    }
}

/* ---- verify ---- */

static int verify(const uint8_t *bytes, size_t len)
{
    char path[128];
    snprintf(path, sizeof path, "%s/proof", root);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
    int code = run(slu_command_verify, "verify", path, "--genesis", genesis_path, NULL);
    check_text();
    return code;
}

static void test_verify_receipts(void **state)
{
    (void)state;
    static const enum receipt_kind kinds[] = {OTHER_KEY, OTHER_CHAIN, NO_SUCH_NODE, CUT_RECEIPT,
                                              LONG_RECEIPT};
    uint8_t bytes[SLU_RECEIPT_BYTES + 1] = {0}, id32[32] = {5};
    struct liar a = honest(3);
    assert_int_equal(verify(bytes, make_receipt(&a, bytes, sizeof bytes, id32)), 0);
    expect("\"valid\":true,\"what\":\"receipt\"");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        a.receipt = kinds[i];
        assert_int_equal(verify(bytes, make_receipt(&a, bytes, sizeof bytes, id32)), 3);
        expect("\"valid\":false");
        expect("\"reason\":\"");
    }
}

static void test_verify_evidence(void **state)
{
    (void)state;
    uint8_t bytes[SLU_EVIDENCE_BYTES_MAX + 1] = {0};
    size_t len = two_notarize(bytes, &genesis, 1);
    assert_int_equal(verify(bytes, len), 0);
    expect("\"valid\":true,\"what\":\"evidence\"");
    for (size_t i = 0; i < len; i++) { /* each byte counts */
        bytes[i] ^= 1;
        assert_int_equal(verify(bytes, len), 3);
        bytes[i] ^= 1;
    }
    for (size_t cut = 1; cut < len; cut += 7)
        assert_int_equal(verify(bytes, cut), 3);
    assert_int_equal(verify(bytes, len + 1), 3);
    len = two_notarize(bytes, &foreign, 1);
    assert_int_equal(verify(bytes, len), 3);
}

static void test_verify_what_is_neither(void **state)
{
    (void)state;
    static uint8_t noise[5000];
    static const char *const texts[] = {
        "0x",   "0x00", "{\"bytes\":\"0x00\"}", "{\"bytes\":7}", "[]", "{\"bytes\":\"0x0\"}",
        "words"};
    randombytes_buf_deterministic(noise, sizeof noise, (const uint8_t[32]){1});
    for (size_t len = 1; len <= 4096; len += len < 300 ? 1 : 501)
        assert_int_equal(verify(noise, len), 3);
    assert_int_equal(verify(noise, 4097), 2);
    complains("too long");
    assert_int_equal(verify(noise, 0), 2);
    complains("empty");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(verify((const uint8_t *)texts[i], strlen(texts[i])), 3);
    assert_int_equal(run(slu_command_verify, "verify", root, "--genesis", genesis_path, NULL), 2);
    assert_int_equal(run(slu_command_verify, "verify", genesis_path, "--genesis", root, NULL), 2);
    assert_int_equal(run(slu_command_verify, "verify", "/nowhere", "--genesis", genesis_path, NULL),
                     2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest_nodes),
        cmocka_unit_test(test_absurd_prices),
        cmocka_unit_test(test_a_taker_that_is_never_paid),
        cmocka_unit_test(test_absurd_times),
        cmocka_unit_test(test_terms_that_are_none),
        cmocka_unit_test(test_bad_receipts),
        cmocka_unit_test(test_a_taker_that_tells_nobody),
        cmocka_unit_test(test_accepted_stays_accepted),
        cmocka_unit_test(test_broken_takers),
        cmocka_unit_test(test_a_broken_taker_alone),
        cmocka_unit_test(test_a_silent_taker),
        cmocka_unit_test(test_one_chain_only),
        cmocka_unit_test(test_odd_words),
        cmocka_unit_test(test_a_place_that_contradicts_itself),
        cmocka_unit_test(test_receipt_of_an_honest_node),
        cmocka_unit_test(test_receipt_with_a_bad_receipt),
        cmocka_unit_test(test_receipt_of_a_broken_node),
        cmocka_unit_test(test_evidence_that_is_none),
        cmocka_unit_test(test_evidence_of_a_broken_node),
        cmocka_unit_test(test_verify_receipts),
        cmocka_unit_test(test_verify_evidence),
        cmocka_unit_test(test_verify_what_is_neither),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
