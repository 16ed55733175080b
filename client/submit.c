/* `sluice submit`: transactions in, one JSON line each out. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "client/command.h"
#include "client/force.h"
#include "client/hex_lines.h"
#include "client/history.h"
#include "client/session.h"
#include "client/stage.h"
#include "client/tracker.h"
#include "sluice/error.h"

static const char usage[] =
    "usage: sluice submit --node URL[,URL...] --rollup R --hex FILE|- [--wait]\n"
    "                     [--valid-for SECONDS]\n"
    "\n"
    "Submits each line of FILE (0x-hex) as a transaction and prints one JSON line for each, in "
    "order:\n"
    "  {\"id\",\"status\":\"accepted\"|\"refused\",\"reason\"}\n"
    "  with --wait also \"outcome\":\"ordered\"|\"expired\"|\"dropped\"|\"unknown\", and "
    "\"height\" and\n"
    "  \"index\" when ordered.\n"
    "Accepted means durable at that node. What a lost connection leaves without an answer is "
    "printed\n"
    "as refused with reason connection_lost; it may be ordered all the same.\n"
    "\n"
    "  --node URL,...       where to submit; the next one when it dies\n"
    "  --rollup R           for which rollup\n"
    "  --hex FILE|-         transactions, one per line; - is standard input\n"
    "  --wait               wait until each accepted one has an outcome\n"
    "  --valid-for SECONDS  how long it may take to be ordered [as long as the chain allows]\n"
    "  --forced             through the queue that nobody can leave out: submit --forced --help\n"
    "  --give-up S          seconds without any node until outcomes are \"unknown\" [60]\n"
    "\n"
    "Exit: 0 all accepted (and ordered), 1 no node, 2 some not.\n";

#define CHUNK_TXS        1024u
#define CHUNK_BYTES      (256u * 1024u)
#define SUBMITS_MAX      8u
#define QUERIES_MAX      4u
#define UNDECIDED_MAX    262144u /* rows held; reading waits for the oldest */
#define QUERY_WAIT_MS    250u
#define IDLE_MS          50u
#define ANSWER_MS        30000u /* a submit unanswered for so long: the connection counts as lost */
#define OVERDUE_MS       1000u  /* stream time past valid_until after which "not found" counts */
#define FALLBACK_MS      120000u /* the same by our own clock, when the node tells no stream time */
#define FIRST_GIVE_UP_MS 2000u

_Static_assert(CHUNK_BYTES + SLU_TX_BYTES_MAX_CAP + 16u * CHUNK_TXS < SLU_FRAME_BYTES_MAX,
               "a chunk fits into a frame");

struct options {
    struct slu_urls urls;
    const char *hex;
    uint64_t rollup, valid_for_s, give_up_s;
    bool has_rollup, wait;
};

struct open_submit {
    uint64_t request; /* 0: free */
    uint64_t row;     /* first of `count` */
    size_t count;
};

struct open_query {
    uint64_t request; /* 0: free */
    size_t count;
    uint64_t rows[SLU_QUERY_IDS_MAX];
};

struct submitter {
    struct options *options;
    struct slu_session *session;
    struct slu_tracker tracker;
    struct slu_hex_lines lines;
    bool input_over;
    struct open_submit submits[SUBMITS_MAX];
    struct open_query queries[QUERIES_MAX];
    uint64_t next_query_row;
    uint64_t query_not_before_ms;
    uint64_t answer_ms; /* when something was last answered, or nothing was open */
    uint64_t settle_not_before_ms;
    size_t overdue;
    bool no_node;
    bool broken; /* this side cannot go on: words are out */
    /* The chunk being read, or, with a count, waiting to be sent. */
    uint64_t pending_row;
    size_t pending_count;
    ProtobufCBinaryData payloads[CHUNK_TXS];
    uint8_t bytes[CHUNK_BYTES + SLU_TX_BYTES_MAX_CAP];
};

/* ---- sending ---- */

static size_t submits_open(const struct submitter *s)
{
    size_t open = 0;
    for (size_t i = 0; i < SUBMITS_MAX; i++)
        open += s->submits[i].request != 0;
    return open;
}

static void end_rows(struct submitter *s, uint64_t row, size_t count, enum slu_fate fate,
                     const char *reason)
{
    for (size_t i = 0; i < count; i++)
        slu_tracked_end(slu_tracker_at(&s->tracker, row + i), fate, reason);
}

/* Reads lines into the chunk until it is full, the input pauses or a bad line comes between. */
static size_t read_chunk(struct submitter *s, uint64_t *first)
{
    size_t count = 0, used = 0;
    *first = s->tracker.back;
    while (count < CHUNK_TXS && used < CHUNK_BYTES && slu_hex_lines_ready(&s->lines)) {
        char reason[SLU_HEX_REASON_BYTES];
        size_t len;
        int rc = slu_hex_lines_next(&s->lines, s->bytes + used, SLU_TX_BYTES_MAX_CAP, &len, reason);
        if (rc == SLU_ERR_IO || rc == SLU_ERR_MEMORY)
            slu_complain("submit", 0, "%s: %s", s->options->hex, slu_strerror(rc));
        s->broken = s->broken || rc == SLU_ERR_IO || rc == SLU_ERR_MEMORY;
        s->input_over = s->broken || rc == 0;
        if (s->input_over)
            break;
        uint64_t row = slu_tracker_add(&s->tracker);
        if (row == UINT64_MAX) {
            slu_complain("submit", 0, "%s", slu_strerror(SLU_ERR_MEMORY));
            s->broken = s->input_over = true;
            break;
        }
        if (rc < 0) {
            slu_tracked_end(slu_tracker_at(&s->tracker, row), SLU_FATE_REFUSED, reason);
            break;
        }
        s->payloads[count++] = (ProtobufCBinaryData){.len = len, .data = s->bytes + used};
        used += len;
    }
    return count;
}

/* What surely was not sent stays pending, for the next connection. */
static bool send_pending(struct submitter *s)
{
    uint64_t first = s->pending_row;
    size_t count = s->pending_count;
    Slu__Client__Submit submit = SLU__CLIENT__SUBMIT__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    submit.rollup = s->options->rollup;
    submit.n_payloads = count;
    submit.payloads = s->payloads;
    submit.valid_for_ms = (uint32_t)s->options->valid_for_s * 1000u;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBMIT;
    request.submit = &submit;
    if (submits_open(s) == 0)
        s->answer_ms = slu_now_ms();
    int rc = slu_session_send(s->session, &request);
    if (rc == SLU_ERR_CLOSED || rc == SLU_ERR_TIMEOUT)
        return false;
    s->pending_count = 0;
    if (rc)
        end_rows(s, first, count, SLU_FATE_REFUSED, slu_strerror(rc));
    for (size_t i = 0; i < SUBMITS_MAX && !rc; i++) {
        if (s->submits[i].request)
            continue;
        s->submits[i] = (struct open_submit){request.id, first, count};
        break;
    }
    return true;
}

static void feed(struct submitter *s)
{
    while (submits_open(s) < SUBMITS_MAX) {
        if (s->pending_count == 0) {
            if (s->input_over || s->tracker.back - s->tracker.front >= UNDECIDED_MAX ||
                !slu_hex_lines_ready(&s->lines))
                return;
            s->pending_count = read_chunk(s, &s->pending_row);
        }
        if (s->pending_count > 0 && !send_pending(s))
            return;
    }
}

/* Asks for the next rows that wait for an outcome, if a query is free. */
static void ask(struct submitter *s)
{
    struct open_query *query = NULL;
    for (size_t i = 0; i < QUERIES_MAX && !query; i++)
        query = s->queries[i].request ? NULL : &s->queries[i];
    if (!query || slu_now_ms() < s->query_not_before_ms)
        return;
    static ProtobufCBinaryData ids[SLU_QUERY_IDS_MAX];
    query->count = 0;
    if (s->next_query_row < s->tracker.front || s->next_query_row >= s->tracker.back)
        s->next_query_row = s->tracker.front;
    uint64_t held = s->tracker.back - s->tracker.front;
    for (uint64_t i = 0; i < held && query->count < SLU_QUERY_IDS_MAX; i++) {
        uint64_t number = s->next_query_row;
        struct slu_tracked *row = slu_tracker_at(&s->tracker, number);
        if (++s->next_query_row == s->tracker.back)
            s->next_query_row = s->tracker.front;
        if (!slu_tracker_undecided(&s->tracker, row) || row->asked || row->overdue)
            continue;
        row->asked = true;
        ids[query->count] = (ProtobufCBinaryData){.len = 32, .data = row->id32};
        query->rows[query->count++] = number;
    }
    if (query->count == 0)
        return;
    Slu__Client__TxQuery body = SLU__CLIENT__TX_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    body.n_ids = query->count;
    body.ids = ids;
    body.wait_ms = QUERY_WAIT_MS;
    request.body_case = SLU__CLIENT__REQUEST__BODY_QUERY;
    request.query = &body;
    if (slu_session_send(s->session, &request) == SLU_OK)
        query->request = request.id;
    else
        for (size_t i = 0; i < query->count; i++)
            slu_tracker_at(&s->tracker, query->rows[i])->asked = false;
}

/* ---- answers ---- */

static void on_results(struct submitter *s, const struct open_submit *open,
                       const Slu__Client__SubmitReply *reply)
{
    for (size_t i = 0; i < open->count; i++) {
        struct slu_tracked *row = slu_tracker_at(&s->tracker, open->row + i);
        const Slu__Client__TxResult *result = i < reply->n_results ? reply->results[i] : NULL;
        if (result && result->id.len == 32) {
            memcpy(row->id32, result->id.data, 32);
            row->has_id = true;
        }
        if (!result || !result->accepted || !row->has_id) {
            slu_tracked_end(row, SLU_FATE_REFUSED,
                            result && *result->reason ? result->reason : "no reason given");
            continue;
        }
        row->fate = SLU_FATE_ACCEPTED;
        row->known = result->known;
        row->valid_until_ms = reply->valid_until_ms;
        row->from_height = reply->height;
        row->accepted_ms = slu_now_ms();
    }
}

/* "Not found" is an answer only when nothing can order it any more. */
static void on_not_found(struct submitter *s, struct slu_tracked *row, uint64_t stream_ms)
{
    bool late = row->valid_until_ms && stream_ms ? stream_ms > row->valid_until_ms + OVERDUE_MS
                                                 : slu_now_ms() - row->accepted_ms > FALLBACK_MS;
    if (!late)
        return;
    if (!row->valid_until_ms)
        row->valid_until_ms = stream_ms;
    row->overdue = true;
    s->overdue++;
}

/* Returns whether anything became definite. */
static bool on_statuses(struct submitter *s, struct open_query *query,
                        const Slu__Client__TxReply *reply)
{
    bool moved = false;
    for (size_t i = 0; i < query->count; i++) {
        struct slu_tracked *row = slu_tracker_at(&s->tracker, query->rows[i]);
        row->asked = false;
        const Slu__Client__TxStatus *status = i < reply->n_statuses ? reply->statuses[i] : NULL;
        if (!status || status->id.len != 32 || memcmp(status->id.data, row->id32, 32))
            continue;
        if (status->stage == SLU_CLIENT_FINAL) {
            row->height = status->height;
            row->index = status->index;
            slu_tracked_end(row, SLU_FATE_ORDERED, NULL);
        } else if (status->stage == SLU_CLIENT_DROPPED) {
            bool expired = !strcmp(status->reason, "expired");
            slu_tracked_end(row, expired ? SLU_FATE_EXPIRED : SLU_FATE_DROPPED, status->reason);
        } else {
            if (status->stage == SLU_CLIENT_UNKNOWN)
                on_not_found(s, row, reply->stream_ms);
            continue;
        }
        moved = true;
    }
    return moved;
}

static struct open_submit *submit_of(struct submitter *s, uint64_t request)
{
    for (size_t i = 0; i < SUBMITS_MAX; i++)
        if (s->submits[i].request == request)
            return &s->submits[i];
    return NULL;
}

static struct open_query *query_of(struct submitter *s, uint64_t request)
{
    for (size_t i = 0; i < QUERIES_MAX; i++)
        if (s->queries[i].request == request)
            return &s->queries[i];
    return NULL;
}

static void on_reply(struct submitter *s, const Slu__Client__Reply *reply)
{
    struct open_submit *submit = submit_of(s, reply->id);
    struct open_query *query = query_of(s, reply->id);
    s->answer_ms = slu_now_ms();
    if (submit) {
        if (reply->body_case == SLU__CLIENT__REPLY__BODY_SUBMIT)
            on_results(s, submit, reply->submit);
        else if (reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR)
            end_rows(s, submit->row, submit->count, SLU_FATE_REFUSED, reply->error->code);
        else
            end_rows(s, submit->row, submit->count, SLU_FATE_REFUSED, "malformed_reply");
        submit->request = 0;
    } else if (query) {
        bool moved = false;
        if (reply->body_case == SLU__CLIENT__REPLY__BODY_QUERY)
            moved = on_statuses(s, query, reply->query);
        for (size_t i = 0; i < query->count; i++)
            slu_tracker_at(&s->tracker, query->rows[i])->asked = false;
        if (!moved)
            s->query_not_before_ms = slu_now_ms() + IDLE_MS;
        query->request = 0;
    }
}

/* ---- the loop ---- */

/* What was in flight is lost: no promise was heard for it, and it may be ordered all the same. */
static void lose(struct submitter *s)
{
    enum slu_fate fate = s->tracker.wait ? SLU_FATE_UNKNOWN : SLU_FATE_REFUSED;
    for (size_t i = 0; i < SUBMITS_MAX; i++) {
        if (s->submits[i].request)
            end_rows(s, s->submits[i].row, s->submits[i].count, fate, "connection_lost");
        s->submits[i].request = 0;
    }
    for (size_t i = 0; i < QUERIES_MAX; i++)
        s->queries[i].request = 0;
    for (uint64_t row = s->tracker.front; row < s->tracker.back; row++)
        slu_tracker_at(&s->tracker, row)->asked = false;
}

static void reconnect(struct submitter *s)
{
    char why[256];
    bool first = s->session == NULL;
    if (!first) {
        slu_session_reason(s->session, why, sizeof why);
        slu_complain("submit", 0, "connection lost: %s", *why ? why : "no answer");
        slu_session_close(s->session);
        lose(s);
        s->session = NULL;
        if (!slu_tracker_print(&s->tracker, stdout))
            s->broken = true;
        if (s->input_over && s->tracker.front == s->tracker.back)
            return;
    }
    uint32_t give_up_ms = first ? FIRST_GIVE_UP_MS : (uint32_t)s->options->give_up_s * 1000u;
    s->session = slu_urls_open(&s->options->urls, give_up_ms, why, sizeof why);
    s->answer_ms = slu_now_ms();
    if (s->session)
        return;
    slu_complain("submit", 0, "no node: %s", why);
    s->no_node = true;
}

/* Looks in the history for what the node no longer knows. */
static void settle(struct submitter *s)
{
    const struct slu_urls *urls = &s->options->urls;
    if (s->overdue == 0 || slu_now_ms() < s->settle_not_before_ms)
        return;
    int rc = slu_history_settle(&s->tracker, urls->at[urls->current], s->options->rollup);
    s->overdue = 0;
    for (uint64_t i = s->tracker.front; i < s->tracker.back; i++) {
        struct slu_tracked *row = slu_tracker_at(&s->tracker, i);
        if (!row->overdue || !slu_tracker_undecided(&s->tracker, row))
            continue;
        if (rc == SLU_ERR_NOT_FOUND)
            slu_tracked_end(row, SLU_FATE_UNKNOWN, "below_retention");
        else
            s->overdue++;
    }
    if (s->overdue > 0)
        s->settle_not_before_ms = slu_now_ms() + 1000u;
}

static void step(struct submitter *s)
{
    feed(s);
    if (s->options->wait)
        ask(s);
    bool input_waits = !s->input_over && submits_open(s) < SUBMITS_MAX;
    Slu__Client__Reply *reply;
    int rc = slu_session_receive(s->session, SLU_SESSION_ANY, &reply, input_waits ? 5 : IDLE_MS);
    if (rc == SLU_OK) {
        on_reply(s, reply);
        slu_reply_free(reply);
    }
    bool silent = submits_open(s) > 0 && slu_now_ms() - s->answer_ms > ANSWER_MS;
    if ((rc && rc != SLU_ERR_TIMEOUT) || silent)
        reconnect(s);
    else
        settle(s);
    if (!slu_tracker_print(&s->tracker, stdout) && !s->broken) {
        slu_complain("submit", 0, "standard output cannot be written");
        s->broken = true;
    }
}

/* Everything still open when no node answers any more, the unread input included. */
static void give_up(struct submitter *s)
{
    for (uint64_t i = s->tracker.front; i < s->tracker.back; i++) {
        struct slu_tracked *row = slu_tracker_at(&s->tracker, i);
        if (row->fate == SLU_FATE_SENT)
            slu_tracked_end(row, SLU_FATE_REFUSED, "no_node");
        else if (row->fate == SLU_FATE_ACCEPTED)
            slu_tracked_end(row, SLU_FATE_UNKNOWN, "no_node");
    }
    while (!s->input_over && !s->broken && slu_tracker_print(&s->tracker, stdout)) {
        uint64_t first;
        size_t count = read_chunk(s, &first);
        end_rows(s, first, count, SLU_FATE_REFUSED, "no_node");
    }
    s->broken = !slu_tracker_print(&s->tracker, stdout) || s->broken;
}

static bool parse(int argc, char **argv, struct options *o, int *code)
{
    static const struct option longs[] = {
        {"node", required_argument, NULL, 'n'},
        {"rollup", required_argument, NULL, 'r'},
        {"hex", required_argument, NULL, 'x'},
        {"wait", no_argument, NULL, 'w'},
        {"valid-for", required_argument, NULL, 'v'},
        {"give-up", required_argument, NULL, 'g'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool ok = true;
    int option;
    *code = SLU_EXIT_NOT_ALL;
    while (ok && (option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'n')
            ok = slu_argument_urls("submit", "--node", optarg, &o->urls);
        else if (option == 'r')
            o->has_rollup = ok =
                slu_argument_number("submit", "--rollup", optarg, 1, SLU_ROLLUP_ID_MAX, &o->rollup);
        else if (option == 'x')
            o->hex = optarg;
        else if (option == 'w')
            o->wait = true;
        else if (option == 'v')
            ok = slu_argument_number("submit", "--valid-for", optarg, 1, SLU_WINDOW_MS_CAP / 1000u,
                                     &o->valid_for_s);
        else if (option == 'g')
            ok = slu_argument_number("submit", "--give-up", optarg, 0, 1000000, &o->give_up_s);
        else {
            fputs(usage, option == 'h' ? stdout : stderr);
            *code = option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
            return false;
        }
    }
    if (ok && (optind < argc || o->urls.count == 0 || !o->has_rollup || !o->hex)) {
        slu_complain("submit", 0, "needs --node URL, --rollup R and --hex FILE");
        ok = false;
    }
    return ok;
}

int slu_command_submit(int argc, char **argv)
{
    static struct submitter s;
    static struct options options;
    int code;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--forced"))
            return slu_submit_forced(argc, argv);
    options = (struct options){.give_up_s = 60};
    s = (struct submitter){0};
    if (!parse(argc, argv, &options, &code))
        return code;
    s.options = &options;
    s.tracker.wait = options.wait;
    bool standard = !strcmp(options.hex, "-");
    s.lines.fd = standard ? STDIN_FILENO : open(options.hex, O_RDONLY | O_CLOEXEC);
    if (s.lines.fd < 0)
        return slu_complain("submit", SLU_EXIT_NOT_ALL, "--hex: %s: %s", options.hex,
                            strerror(errno));
    reconnect(&s);
    while (s.session && !s.broken &&
           !(s.input_over && submits_open(&s) == 0 && s.tracker.front == s.tracker.back))
        step(&s);
    if (s.no_node)
        give_up(&s);
    slu_session_close(s.session);
    uint64_t bad = s.tracker.refused + s.tracker.not_ordered;
    slu_hex_lines_end(&s.lines);
    slu_tracker_free(&s.tracker);
    if (!standard)
        close(s.lines.fd);
    return s.broken || s.no_node ? SLU_EXIT_NO_NODE : bad ? SLU_EXIT_NOT_ALL : SLU_EXIT_OK;
}
