#include "client/submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "client/command.h"
#include "client/force.h"
#include "client/history.h"
#include "client/session.h"
#include "client/stage.h"
#include "client/tracker.h"
#include "config/genesis_json.h"
#include "sluice/error.h"
#include "wire/tx.h"

#define CHUNK_TXS        1024u
#define CHUNK_BYTES      (256u * 1024u)
#define SUBMITS_MAX      8u
#define QUERIES_MAX      4u
#define UNDECIDED_MAX    262144u /* rows held; reading waits for the oldest */
#define QUERY_WAIT_MS    250u
#define IDLE_MS          50u
#define ALONE_MS         30000u  /* as stall_ms of the options, when there is no other node */
#define OVERDUE_MS       1000u   /* stream time past valid_until after which "not found" counts */
#define FALLBACK_MS      120000u /* the same by our own clock, when the node tells no stream time */
#define FIRST_GIVE_UP_MS 2000u

_Static_assert(CHUNK_BYTES + SLU_TX_BYTES_MAX_CAP + 16u * CHUNK_TXS < SLU_FRAME_BYTES_MAX,
               "a chunk fits into a frame");

/* An envelope is 224 bytes more than its bucket, which is at most 128 + 3/2 of the payload. */
#define SEALED_BYTES (CHUNK_TXS * 352u + (CHUNK_BYTES + SLU_SEAL_PAYLOAD_BYTES_MAX) * 3u / 2u)

_Static_assert(SEALED_BYTES + 16u * CHUNK_TXS < SLU_FRAME_BYTES_MAX, "so does a sealed one");

struct open_submit {
    uint64_t request; /* 0: free */
    uint64_t row;     /* first of `count` */
    size_t count;
    uint64_t valid_until_ms; /* of sealed ones; else the node says */
};

struct open_query {
    uint64_t request; /* 0: free */
    size_t count;
    uint64_t rows[SLU_QUERY_IDS_MAX];
};

struct submitter {
    struct slu_submit_options *options;
    struct slu_session *session;
    struct slu_tracker tracker;
    bool input_over;
    struct open_submit submits[SUBMITS_MAX];
    struct open_query queries[QUERIES_MAX];
    uint64_t next_query_row;
    uint64_t query_not_before_ms;
    uint64_t answer_ms; /* when something was last answered, or asked with nothing open */
    uint64_t settle_not_before_ms;
    size_t overdue;
    bool no_node;
    bool broken;         /* this side cannot go on: words are out */
    int unfit;           /* why this node cannot be sealed with: an error of slu_sealing_refresh */
    size_t unfit_nodes;  /* in a row */
    const char *stopped; /* none could: the reason */
    int code;            /* a node lied */
    /* The chunk being read, or, with a count, waiting to be sent. */
    uint64_t pending_row;
    size_t pending_count;
    ProtobufCBinaryData payloads[CHUNK_TXS];
    uint8_t bytes[CHUNK_BYTES + SLU_TX_BYTES_MAX_CAP];
    size_t line_max;
    /* The same sealed, made anew whenever it is to be sent. */
    ProtobufCBinaryData envelopes[CHUNK_TXS];
    uint8_t sealed[SEALED_BYTES];
    struct slu_genesis genesis;
};

/* ---- sending ---- */

static bool owes(const struct submitter *s)
{
    bool open = false;
    for (size_t i = 0; i < SUBMITS_MAX; i++)
        open = open || s->submits[i].request != 0;
    for (size_t i = 0; i < QUERIES_MAX; i++)
        open = open || s->queries[i].request != 0;
    return open;
}

/* Before a request is sent: the time that it has for an answer begins, unless another one waits. */
static void begin_owing(struct submitter *s)
{
    if (!owes(s))
        s->answer_ms = slu_now_ms();
}

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
    while (count < CHUNK_TXS && used < CHUNK_BYTES && slu_payloads_ready(&s->options->payloads)) {
        char reason[SLU_HEX_REASON_BYTES];
        size_t len;
        int rc =
            slu_payloads_next(&s->options->payloads, s->bytes + used, s->line_max, &len, reason);
        if (rc == SLU_ERR_IO || rc == SLU_ERR_MEMORY)
            slu_complain(s->options->command, 0, "%s: %s", s->options->payloads.name,
                         slu_strerror(rc));
        s->broken = s->broken || rc == SLU_ERR_IO || rc == SLU_ERR_MEMORY;
        s->input_over = s->broken || rc == 0;
        if (s->input_over)
            break;
        uint64_t row = slu_tracker_add(&s->tracker);
        if (row == UINT64_MAX) {
            slu_complain(s->options->command, 0, "%s", slu_strerror(SLU_ERR_MEMORY));
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

/* Seals the pending chunk as of now. False: not with this node. */
static bool seal_pending(struct submitter *s, uint64_t *valid_until_ms)
{
    struct slu_sealing *sealing = &s->options->sealing;
    const struct slu_urls *urls = &s->options->urls;
    char why[256];
    size_t used = 0, len = 0;
    int rc = slu_sealing_refresh(sealing, s->session, why, sizeof why);
    slu_sealing_warn(sealing);
    if (rc) {
        slu_complain(s->options->command, 0, "%s: %s", urls->at[urls->current], why);
        s->unfit = rc;
        return false;
    }
    s->unfit_nodes = 0;
    uint64_t stream_ms = slu_sealing_stream_ms(sealing);
    *valid_until_ms =
        slu_valid_until(&s->genesis.params, stream_ms, (uint32_t)s->options->valid_for_s * 1000u);
    for (size_t i = 0; i < s->pending_count; i++) {
        struct slu_tracked *row = slu_tracker_at(&s->tracker, s->pending_row + i);
        rc = slu_sealing_envelope(sealing, s->sealed + used, sizeof s->sealed - used, &len,
                                  row->id32, &row->unlock, stream_ms, *valid_until_ms,
                                  s->options->rollup, s->payloads[i].data, s->payloads[i].len);
        SLU_CHECK(rc == SLU_OK); /* lines are as short as they must be */
        row->has_id = row->sealed = true;
        row->unlock_kind = (uint8_t)sealing->unlock_kind;
        s->envelopes[i] = (ProtobufCBinaryData){.len = len, .data = s->sealed + used};
        used += len;
    }
    return true;
}

/* What surely was not sent stays pending, for the next connection. */
static bool send_pending(struct submitter *s)
{
    uint64_t first = s->pending_row, valid_until_ms = 0;
    size_t count = s->pending_count;
    bool sealed = s->options->sealing.on;
    if (sealed && !seal_pending(s, &valid_until_ms))
        return false;
    Slu__Client__Submit submit = SLU__CLIENT__SUBMIT__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    submit.rollup = s->options->rollup;
    submit.n_payloads = sealed ? 0 : count;
    submit.payloads = s->payloads;
    submit.n_envelopes = sealed ? count : 0;
    submit.envelopes = s->envelopes;
    submit.valid_for_ms = (uint32_t)s->options->valid_for_s * 1000u;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBMIT;
    request.submit = &submit;
    begin_owing(s);
    int rc = slu_session_send(s->session, &request);
    if (rc == SLU_ERR_CLOSED || rc == SLU_ERR_TIMEOUT)
        return false;
    s->pending_count = 0;
    if (rc)
        end_rows(s, first, count, SLU_FATE_REFUSED, slu_strerror(rc));
    for (size_t i = 0; i < SUBMITS_MAX && !rc; i++) {
        if (s->submits[i].request)
            continue;
        s->submits[i] = (struct open_submit){request.id, first, count, valid_until_ms};
        break;
    }
    return true;
}

static void feed(struct submitter *s)
{
    while (submits_open(s) < SUBMITS_MAX) {
        if (s->pending_count == 0) {
            if (s->input_over || s->tracker.back - s->tracker.front >= UNDECIDED_MAX ||
                !slu_payloads_ready(&s->options->payloads))
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
    begin_owing(s);
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
        if (result && result->id.len == 32 && row->sealed &&
            memcmp(row->id32, result->id.data, 32) != 0) {
            s->code =
                slu_complain(s->options->command, SLU_EXIT_LIE, "%s: took another transaction",
                             s->options->urls.at[s->options->urls.current]);
            slu_tracked_end(row, SLU_FATE_REFUSED, "other_id");
            continue;
        }
        if (result && result->id.len == 32) {
            memcpy(row->id32, result->id.data, 32);
            row->has_id = true;
        }
        if (!result || !result->accepted || result->id.len != 32) {
            slu_tracked_end(row, SLU_FATE_REFUSED,
                            result && *result->reason ? result->reason : "no reason given");
            continue;
        }
        row->fate = SLU_FATE_ACCEPTED;
        row->accepted = true;
        row->known = result->known;
        row->valid_until_ms = row->sealed ? open->valid_until_ms : reply->valid_until_ms;
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

static void leave(struct submitter *s)
{
    slu_session_close(s->session);
    lose(s);
    s->session = NULL;
    if (!slu_tracker_print(&s->tracker, stdout))
        s->broken = true;
}

static void reconnect(struct submitter *s, bool first)
{
    char why[256];
    if (s->session) {
        slu_session_reason(s->session, why, sizeof why);
        slu_complain(s->options->command, 0, "connection lost: %s", *why ? why : "no answer");
        leave(s);
        if (s->input_over && s->tracker.front == s->tracker.back)
            return;
    }
    uint32_t give_up_ms = first ? FIRST_GIVE_UP_MS : (uint32_t)s->options->give_up_s * 1000u;
    s->session = slu_urls_open(&s->options->urls, give_up_ms, why, sizeof why);
    s->answer_ms = slu_now_ms();
    if (s->session)
        return;
    slu_complain(s->options->command, 0, "no node: %s", why);
    s->no_node = true;
}

/* On to the next node, since this one cannot be sealed with; until all were tried in a row, or it
 * is no node's fault. */
static void change_node(struct submitter *s)
{
    struct slu_urls *urls = &s->options->urls;
    int why = s->unfit;
    bool lied = slu_committee_key_lied(why);
    s->unfit = 0;
    if (lied)
        s->code = SLU_EXIT_LIE;
    leave(s);
    urls->current = (urls->current + 1) % urls->count;
    if (why != SLU_ERR_LIMIT && ++s->unfit_nodes < urls->count) {
        reconnect(s, false);
        return;
    }
    s->stopped = slu_sealing_reason(why);
    s->no_node = !lied && why != SLU_ERR_NOT_FOUND && why != SLU_ERR_LIMIT;
}

/* Looks in the history for what the node no longer knows. */
static void settle(struct submitter *s)
{
    const struct slu_urls *urls = &s->options->urls;
    if (s->overdue == 0 || slu_now_ms() < s->settle_not_before_ms)
        return;
    struct slu_tracked **rows = calloc(s->tracker.back - s->tracker.front, sizeof *rows);
    size_t count = 0;
    for (uint64_t i = s->tracker.front; rows && i < s->tracker.back; i++) {
        struct slu_tracked *row = slu_tracker_at(&s->tracker, i);
        if (row->overdue && slu_tracker_undecided(&s->tracker, row))
            rows[count++] = row;
    }
    int rc = rows ? slu_history_settle(rows, count, urls->at[urls->current],
                                       s->options->sealing.on ? 0 : s->options->rollup)
                  : SLU_ERR_MEMORY;
    s->overdue = rows ? 0 : s->overdue;
    for (size_t i = 0; i < count; i++) {
        if (rc == SLU_ERR_NOT_FOUND && rows[i]->fate == SLU_FATE_ACCEPTED)
            slu_tracked_end(rows[i], SLU_FATE_UNKNOWN, "below_retention");
        s->overdue += rows[i]->fate == SLU_FATE_ACCEPTED;
    }
    free(rows);
    if (s->overdue > 0)
        s->settle_not_before_ms = slu_now_ms() + 1000u;
}

/* Whether the node has owed an answer for too long: it hangs, or is cut off, with the connection
 * open. On to the next one. */
static bool is_silent(struct submitter *s)
{
    struct slu_urls *urls = &s->options->urls;
    if (!owes(s) ||
        slu_now_ms() - s->answer_ms <= (urls->count > 1 ? s->options->stall_ms : ALONE_MS))
        return false;
    urls->current = (urls->current + 1) % urls->count;
    return true;
}

static void step(struct submitter *s)
{
    feed(s);
    if (s->unfit) {
        change_node(s);
        return;
    }
    if (s->options->wait)
        ask(s);
    bool input_waits = !s->input_over && submits_open(s) < SUBMITS_MAX;
    Slu__Client__Reply *reply;
    int rc = slu_session_receive(s->session, SLU_SESSION_ANY, &reply, input_waits ? 5 : IDLE_MS);
    if (rc == SLU_OK) {
        on_reply(s, reply);
        slu_reply_free(reply);
    }
    if ((rc && rc != SLU_ERR_TIMEOUT) || is_silent(s))
        reconnect(s, false);
    else
        settle(s);
    if (!slu_tracker_print(&s->tracker, stdout) && !s->broken) {
        slu_complain(s->options->command, 0, "standard output cannot be written");
        s->broken = true;
    }
}

/* Everything still open when there is no node to go on with, the unread input included. */
static void give_up(struct submitter *s)
{
    const char *reason = s->stopped ? s->stopped : "no_node";
    for (uint64_t i = s->tracker.front; i < s->tracker.back; i++) {
        struct slu_tracked *row = slu_tracker_at(&s->tracker, i);
        if (row->fate == SLU_FATE_SENT)
            slu_tracked_end(row, SLU_FATE_REFUSED, reason);
        else if (row->fate == SLU_FATE_ACCEPTED)
            slu_tracked_end(row, SLU_FATE_UNKNOWN, reason);
    }
    while (!s->input_over && !s->broken && slu_tracker_print(&s->tracker, stdout)) {
        uint64_t first;
        size_t count = read_chunk(s, &first);
        end_rows(s, first, count, SLU_FATE_REFUSED, reason);
    }
    s->broken = !slu_tracker_print(&s->tracker, stdout) || s->broken;
}

/* What --sealed needs before anything is read. */
static bool prepare(struct submitter *s)
{
    char why[512];
    s->line_max = SLU_TX_BYTES_MAX_CAP;
    if (!s->options->sealing.on)
        return true;
    if (slu_genesis_load(&s->genesis, s->options->genesis_path, why, sizeof why)) {
        slu_complain(s->options->command, 0, "--genesis: %s", why);
        return false;
    }
    slu_submit_warn(s->options, &s->genesis);
    s->line_max = slu_sealing_payload_max(&s->genesis);
    return slu_sealing_use(&s->options->sealing, &s->genesis);
}

int slu_submit_lines(struct slu_submit_options *options)
{
    static struct submitter s;
    if (options->forced)
        return slu_force(options);
    s = (struct submitter){.options = options, .tracker = {.wait = options->wait}};
    if (!prepare(&s))
        return SLU_EXIT_NOT_ALL;
    reconnect(&s, true);
    while (s.session && !s.broken &&
           !(s.input_over && submits_open(&s) == 0 && s.tracker.front == s.tracker.back))
        step(&s);
    if (s.no_node || s.stopped)
        give_up(&s);
    slu_session_close(s.session);
    uint64_t bad = s.tracker.refused + s.tracker.not_ordered;
    slu_tracker_free(&s.tracker);
    return s.code                  ? s.code
           : s.broken || s.no_node ? SLU_EXIT_NO_NODE
           : bad                   ? SLU_EXIT_NOT_ALL
                                   : SLU_EXIT_OK;
}
