#include "client/force.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/command.h"
#include "client/entry_json.h"
#include "client/hex_lines.h"
#include "client/outline.h"
#include "client/place.h"
#include "client/receipts.h"
#include "client/sealing_options.h"
#include "client/stage.h"
#include "client/takers.h"
#include "config/genesis_json.h"
#include "sluice/error.h"
#include "wire/tx.h"

#define NO_NODE       "no_node"
#define ANSWER_MS     10000u
#define TRIES_MAX     4u /* prices may rise while the work is done */
#define SLICE_TRIES   (UINT64_C(1) << 16)
#define PROGRESS_MS   200u
#define MEASURE_US    50000u
#define RECEIPT_TRIES 100u
#define RECEIPT_MS    10u

struct forcer {
    struct slu_submit_options *options;
    struct slu_genesis genesis; /* whole with --genesis; else what is known without (outline.h) */
    struct slu_takers takers;
    uint64_t hashes_per_s;
    int code; /* of all lines so far */
    struct slu_text text;
    uint8_t envelope[SLU_TX_HEAD_BYTES + SLU_TX_BYTES_MAX_CAP];
};

struct outcome {
    uint8_t id[32];
    bool has_id, reached, accepted, ordered;
    bool unanswered; /* it was sent, and the answer never came: whoever has it may take it */
    uint16_t known;  /* nodes that had it before, and hold it no more */
    char reason[SLU_HEX_REASON_BYTES];
    uint64_t work, valid_until_ms, unlock;
    uint32_t bytes; /* of the envelope; 0: not made yet */
    struct slu_receipts receipts;
};

static const struct slu_genesis *committee(const struct forcer *f)
{
    return f->options->genesis_path ? &f->genesis : NULL;
}

/* ---- the work ---- */

/* CPU time of this process, so that what others do at the moment does not count. */
static uint64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void measure(struct forcer *f)
{
    struct slu_postage postage = {0};
    uint8_t id[32] = {0};
    uint64_t began = cpu_us(), done = 0, took = 0;
    while (took < MEASURE_US) {
        (void)slu_postage_mine(&f->genesis, id, &postage, UINT64_MAX, SLICE_TRIES);
        done += SLICE_TRIES;
        took = cpu_us() - began;
    }
    f->hashes_per_s = done * 1000000u / took;
}

/* False: it would take, or has taken, longer than the transaction is valid. */
static bool mine(struct forcer *f, const uint8_t id32[32], struct slu_postage *postage,
                 uint64_t work, bool first)
{
    bool terminal = isatty(STDERR_FILENO), paid;
    uint64_t told = 0, began = slu_now_ms(), done = 0, limit_ms = f->options->valid_for_s * 1000u;
    double seconds = (double)work / (double)(f->hashes_per_s ? f->hashes_per_s : 1);
    if (terminal || first)
        fprintf(stderr, "postage: %llu hashes, about %.1f s of one core here\n",
                (unsigned long long)work, seconds);
    if (seconds * 1000.0 > (double)limit_ms)
        return false;
    while (!(paid = slu_postage_mine(&f->genesis, id32, postage, work, SLICE_TRIES))) {
        done += SLICE_TRIES;
        uint64_t now = slu_now_ms();
        if (now - began > limit_ms)
            break;
        if (terminal && now - told >= PROGRESS_MS) {
            told = now;
            fprintf(stderr, "\rpostage: %llu of about %llu hashes, %.1f s ",
                    (unsigned long long)done, (unsigned long long)work,
                    (double)(now - began) / 1000.0);
        }
    }
    if (told)
        fputs("\n", stderr);
    return paid;
}

/* ---- one transaction ---- */

/* Stream time until which it may be queued. */
/* `stream_ms` runs on by the own clock, a busy node's stream may not: what the window cannot hold
 * is cut to what leaves it slack. */
static uint64_t valid_until(const struct forcer *f, uint64_t stream_ms)
{
    uint64_t wanted = f->options->valid_for_s * 1000u;
    uint64_t rounded = slu_valid_until(&f->genesis.params, stream_ms, 0);
    uint64_t until = (stream_ms + wanted + 999u) / 1000u * 1000u;
    return committee(f) && until > rounded ? rounded : until;
}

/* Seals it to the key that taker `url` knows. False: not with this one. */
static bool seal(struct forcer *f, size_t url, uint64_t stream_ms, const uint8_t *payload,
                 size_t len, struct outcome *out)
{
    struct slu_session *session = slu_takers_session(&f->takers, url);
    char why[256];
    size_t bytes = 0;
    if (!session)
        return false;
    int rc = slu_sealing_refresh(&f->options->sealing, session, why, sizeof why);
    slu_sealing_warn(&f->options->sealing);
    if (rc) {
        bool lied = slu_committee_key_lied(rc);
        slu_complain(f->options->command, 0, "%s: %s", f->takers.urls.at[url], why);
        f->code = lied ? SLU_EXIT_LIE : f->code;
        out->reached = out->reached || lied || rc == SLU_ERR_NOT_FOUND || rc == SLU_ERR_LIMIT;
        snprintf(out->reason, sizeof out->reason, "%s", slu_sealing_reason(rc));
        return false;
    }
    rc = slu_sealing_envelope(&f->options->sealing, f->envelope, sizeof f->envelope, &bytes,
                              out->id, &out->unlock, stream_ms, out->valid_until_ms,
                              f->options->rollup, payload, len);
    SLU_CHECK(rc == SLU_OK); /* lines are as short as they must be */
    out->bytes = (uint32_t)bytes;
    return true;
}

/* The envelope, made once: what is tried again, at another node too, is the same transaction.
 * False: it could not be made with taker `url`. */
static bool make_envelope(struct forcer *f, size_t url, const uint8_t *payload, size_t len,
                          struct outcome *out)
{
    struct slu_writer w = slu_writer_of(f->envelope, sizeof f->envelope);
    if (out->bytes)
        return true;
    uint64_t stream_ms = slu_takers_time(&f->takers);
    out->valid_until_ms = valid_until(f, stream_ms);
    if (f->options->sealing.on) {
        out->has_id = seal(f, url, stream_ms, payload, len, out);
        return out->has_id;
    }
    slu_tx_write(&w, f->options->rollup, out->valid_until_ms,
                 f->options->rollup == 0 ? SLU_TX_BUNDLE : SLU_TX_PLAIN, payload, (uint32_t)len);
    SLU_CHECK(!w.failed);
    out->bytes = (uint32_t)slu_writer_len(&w);
    slu_tx_id_of(out->id, f->genesis.chain_id, f->envelope, out->bytes);
    out->has_id = true;
    return true;
}

static void keep_receipt(struct forcer *f, struct outcome *out,
                         const Slu__Client__ForceReply *reply, size_t url)
{
    int rc = slu_receipts_add(&out->receipts, reply, out->id, committee(f));
    if (rc && rc != SLU_ERR_NOT_FOUND)
        f->code = slu_complain(f->options->command, SLU_EXIT_LIE, "%s: its receipt is not good: %s",
                               f->takers.urls.at[url], slu_strerror(rc));
}

/* Unless somebody gave a reason already. */
static void say_no_answer(struct outcome *out)
{
    if (!strcmp(out->reason, NO_NODE))
        snprintf(out->reason, sizeof out->reason, "no_answer");
}

enum answer { TAKEN, REFUSED, DEARER }; /* DEARER: it wants other postage */

static enum answer on_answer(struct forcer *f, struct outcome *out, const Slu__Client__Reply *reply,
                             size_t url, uint64_t *price)
{
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR)
        snprintf(out->reason, sizeof out->reason, "%s", reply->error->code);
    else if (reply->body_case != SLU__CLIENT__REPLY__BODY_FORCE)
        snprintf(out->reason, sizeof out->reason, "malformed_reply");
    if (reply->body_case != SLU__CLIENT__REPLY__BODY_FORCE)
        return REFUSED;
    snprintf(out->reason, sizeof out->reason, "%s", reply->force->reason);
    *price = reply->force->work;
    if (!reply->force->accepted)
        return strcmp(out->reason, "postage") ? REFUSED : DEARER;
    out->accepted = true;
    if (reply->force->known && reply->force->receipt.len == 0)
        out->known++;
    keep_receipt(f, out, reply->force, url);
    return TAKEN;
}

static enum answer force_once(struct forcer *f, size_t url, const uint8_t *payload, size_t len,
                              struct outcome *out, uint64_t *price)
{
    Slu__Client__Force force = SLU__CLIENT__FORCE__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    struct slu_postage postage = {0};
    Slu__Client__Reply *reply;
    bool first = !out->has_id;
    if (!make_envelope(f, url, payload, len, out))
        return REFUSED;
    Slu__Client__Reply *terms = slu_takers_terms(&f->takers, url, out->bytes);
    if (!terms) {
        say_no_answer(out);
        return REFUSED;
    }
    out->reached = true;
    postage.height = terms->terms->height;
    memcpy(postage.block, terms->terms->block.data, 32);
    out->work = terms->terms->work > *price ? terms->terms->work : *price;
    slu_reply_free(terms);
    if (!mine(f, out->id, &postage, out->work, first)) {
        snprintf(out->reason, sizeof out->reason, "price");
        return REFUSED;
    }
    force.envelope = (ProtobufCBinaryData){out->bytes, f->envelope};
    force.height = postage.height;
    force.block = (ProtobufCBinaryData){32, postage.block};
    force.nonce = postage.nonce;
    request.body_case = SLU__CLIENT__REQUEST__BODY_FORCE;
    request.force = &force;
    struct slu_session *session = slu_takers_session(&f->takers, url);
    if (!session || slu_session_call(session, &request, &reply, ANSWER_MS)) {
        out->unanswered = out->unanswered || session;
        say_no_answer(out);
        return REFUSED;
    }
    enum answer answer = on_answer(f, out, reply, url, price);
    slu_reply_free(reply);
    return answer;
}

/* Tries one taker; what it refuses, another one may take. True: it took it. */
static bool force_at(struct forcer *f, size_t url, const uint8_t *payload, size_t len,
                     struct outcome *out)
{
    enum answer answer = DEARER;
    uint64_t price = 0;
    for (uint32_t tries = 0; tries < TRIES_MAX && answer == DEARER; tries++)
        answer = force_once(f, url, payload, len, out, &price);
    return answer == TAKEN;
}

/* f+1 receipts, or as many as asked for. Relays take a moment, so who holds nothing yet is asked
 * again; who does not answer is not. */
static void collect(struct forcer *f, struct outcome *out, size_t taker)
{
    bool asked[SLU_URLS_MAX] = {false};
    size_t left = f->takers.urls.count - 1;
    asked[taker] = true;
    for (uint32_t tries = 0; tries < RECEIPT_TRIES; tries++) {
        for (size_t i = 0; i < f->takers.urls.count; i++) {
            if (out->receipts.count >= f->options->receipts || left == 0)
                return;
            if (asked[i])
                continue;
            struct slu_session *session = slu_takers_session(&f->takers, i);
            Slu__Client__Reply *reply = session ? slu_receipt_ask(session, out->id) : NULL;
            asked[i] = !reply || reply->force->accepted;
            left -= asked[i];
            if (reply && reply->force->accepted)
                keep_receipt(f, out, reply->force, i);
            slu_reply_free(reply);
        }
        nanosleep(&(struct timespec){.tv_nsec = RECEIPT_MS * 1000000L}, NULL);
    }
}

/* The word of the first that knows where it is and does not contradict itself; to be freed. */
static Slu__Client__Reply *ask_place(struct forcer *f, struct outcome *out)
{
    uint32_t wait_ms = (uint32_t)f->options->valid_for_s * 1000u + 10000u;
    for (size_t i = 0; i < f->takers.urls.count; i++) {
        char why[SLU_PLACE_WORDS];
        struct slu_session *session = slu_takers_session(&f->takers, i);
        Slu__Client__Reply *reply = session ? slu_place_ask(session, out->id, wait_ms) : NULL;
        if (reply && slu_place_contradicts(reply->query->statuses[0], why))
            f->code = slu_complain(f->options->command, SLU_EXIT_LIE, "%s contradicts itself: %s",
                                   f->takers.urls.at[i], why);
        else if (reply && reply->query->statuses[0]->stage != SLU_CLIENT_UNKNOWN)
            return reply;
        slu_reply_free(reply);
    }
    return NULL;
}

static void print_place(struct forcer *f, struct outcome *out)
{
    Slu__Client__Reply *reply = ask_place(f, out);
    if (!reply) {
        slu_text_add(&f->text, ",\"outcome\":\"unknown\"");
        return;
    }
    const Slu__Client__TxStatus *status = reply->query->statuses[0];
    out->ordered = status->stage == SLU_CLIENT_FINAL;
    slu_text_add(&f->text, ",\"outcome\":\"");
    slu_text_add(&f->text,
                 out->ordered ? "ordered" : slu_stage_name(status->stage, status->reason));
    slu_text_add(&f->text, "\"");
    if (out->ordered) {
        slu_text_add(&f->text, ",\"height\":");
        slu_text_add_number(&f->text, status->height);
        slu_text_add(&f->text, ",\"index\":");
        slu_text_add_number(&f->text, status->index);
    }
    if (status->due_height) {
        slu_text_add(&f->text, ",\"due_height\":");
        slu_text_add_number(&f->text, status->due_height);
    }
    slu_reply_free(reply);
}

static void print_one(struct forcer *f, struct outcome *out)
{
    slu_text_add(&f->text, out->has_id ? "{\"id\":\"" : "{\"id\":null");
    if (out->has_id) {
        slu_text_add_hex(&f->text, out->id, 32);
        slu_text_add(&f->text, "\"");
    }
    slu_text_add(&f->text, out->accepted ? ",\"status\":\"accepted\",\"reason\":"
                                         : ",\"status\":\"refused\",\"reason\":");
    slu_text_add_json(&f->text, out->reason);
    if (f->options->sealing.on && out->has_id) {
        slu_text_add(&f->text, ",\"sealed\":true,\"unlock\":");
        slu_unlock_json(&f->text, f->options->sealing.unlock_kind, out->unlock);
    }
    slu_text_add(&f->text, ",\"work\":");
    slu_text_add_number(&f->text, out->work);
    slu_text_add(&f->text, ",\"receipts\":[");
    for (uint16_t i = 0; i < out->receipts.count; i++) {
        slu_text_add(&f->text, i ? "," : "");
        slu_receipt_json(&f->text, &out->receipts.items[i]);
    }
    slu_text_add(&f->text, "]");
    if (f->options->wait && out->accepted)
        print_place(f, out);
    slu_text_add(&f->text, "}\n");
}

/* As many nodes as there must be say that they hold it, or that it is past that. A taker that says
 * so alone may have told nobody. */
static bool is_safe(const struct forcer *f, const struct outcome *out)
{
    return out->receipts.count + out->known >= f->options->receipts;
}

/* One line of the input, which `bad_line` says is none when set. False: standard output is gone. */
static bool force_one(struct forcer *f, const uint8_t *payload, size_t len, const char *bad_line)
{
    struct outcome out = {0};
    snprintf(out.reason, sizeof out.reason, "%s", bad_line ? bad_line : NO_NODE);
    for (size_t i = 0; !bad_line && i < f->takers.urls.count && !is_safe(f, &out); i++)
        if (force_at(f, i, payload, len, &out) && !out.known)
            collect(f, &out, i);
    if (out.accepted)
        out.reason[0] = '\0';
    else if (out.unanswered) /* whatever the others said */
        snprintf(out.reason, sizeof out.reason, "connection_lost");
    if (out.accepted && !is_safe(f, &out))
        slu_complain(f->options->command, 0,
                     "%u of %llu receipts: name more nodes, or ask again later", out.receipts.count,
                     (unsigned long long)f->options->receipts);
    print_one(f, &out);
    bool good = out.accepted && (!f->options->wait || out.ordered);
    if (f->code == SLU_EXIT_OK && !good)
        f->code = out.reached || bad_line ? SLU_EXIT_NOT_ALL : SLU_EXIT_NO_NODE;
    if (slu_text_write(&f->text, stdout))
        return true;
    f->code =
        slu_complain(f->options->command, SLU_EXIT_NO_NODE, "standard output cannot be written");
    return false;
}

/* ---- the command ---- */

/* How many nodes there are, by the status of whoever answers. */
static uint64_t count_nodes(struct slu_session *session)
{
    Slu__Client__StatusQuery query = SLU__CLIENT__STATUS_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    Slu__Client__Reply *reply;
    uint64_t nodes = 1;
    request.body_case = SLU__CLIENT__REQUEST__BODY_STATUS;
    request.status = &query;
    if (slu_session_call(session, &request, &reply, ANSWER_MS))
        return nodes;
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_STATUS) {
        json_t *root = json_loads(reply->status->json, 0, NULL);
        nodes += json_array_size(json_object_get(root, "peers"));
        json_decref(root);
    }
    slu_reply_free(reply);
    return nodes;
}

/* The chain, and how many receipts to collect. False after a complaint. */
static bool prepare(struct forcer *f, int *code)
{
    char why[512];
    struct slu_session *session = NULL;
    *code = SLU_EXIT_NOT_ALL;
    if (f->options->genesis_path &&
        slu_genesis_load(&f->genesis, f->options->genesis_path, why, sizeof why)) {
        slu_complain(f->options->command, 0, "--genesis: %s", why);
        return false;
    }
    if (f->options->sealing.on && !slu_sealing_use(&f->options->sealing, &f->genesis))
        return false;
    if (f->options->sealing.on)
        slu_submit_warn(f->options, &f->genesis);
    for (size_t i = 0; i < f->takers.urls.count && !session; i++)
        session = slu_takers_session(&f->takers, i);
    if (!session) {
        *code = slu_complain(f->options->command, SLU_EXIT_NO_NODE, "no node answers");
        return false;
    }
    const uint8_t *chain = slu_session_chain_id32(session);
    memcpy(f->takers.chain_id, chain, 32);
    f->takers.has_chain = true;
    if (f->options->genesis_path && memcmp(chain, f->genesis.chain_id, 32) != 0) {
        slu_complain(f->options->command, 0, "--genesis: %s: the node is of another chain",
                     f->options->genesis_path);
        return false;
    }
    if (!committee(f))
        slu_outline(&f->genesis, chain);
    uint64_t n = f->options->genesis_path ? f->genesis.n : count_nodes(session);
    if (!f->options->receipts)
        f->options->receipts = (n - 1) / 3 + 1;
    return true;
}

int slu_force(struct slu_submit_options *options)
{
    static uint8_t payload[SLU_TX_BYTES_MAX_CAP];
    static struct forcer f;
    char reason[SLU_HEX_REASON_BYTES];
    bool go_on;
    int code, rc;
    f = (struct forcer){.options = options,
                        .takers = {.command = options->command, .urls = options->urls}};
    go_on = prepare(&f, &code);
    if (go_on) {
        measure(&f);
        code = SLU_EXIT_OK;
    }
    size_t len, max = options->sealing.on ? slu_sealing_payload_max(&f.genesis)
                                          : sizeof payload - SLU_TX_HEAD_BYTES;
    while (go_on && (rc = slu_payloads_next(&options->payloads, payload, max, &len, reason)) != 0) {
        go_on = rc != SLU_ERR_IO && rc != SLU_ERR_MEMORY;
        if (go_on)
            go_on = force_one(&f, payload, len, rc < 0 ? reason : NULL);
        else
            f.code = slu_complain(options->command, SLU_EXIT_NO_NODE, "%s: %s",
                                  options->payloads.name, slu_strerror(rc));
    }
    slu_takers_close(&f.takers);
    slu_text_free(&f.text);
    return code ? code : f.code;
}
