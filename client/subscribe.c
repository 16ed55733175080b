/* `sluice subscribe`: the ordered stream as JSON lines. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "client/command.h"
#include "client/entry_json.h"
#include "client/heights.h"
#include "client/openings.h"
#include "client/outline.h"
#include "client/session.h"
#include "client/text.h"
#include "config/genesis_json.h"
#include "sluice/error.h"

static const char usage[] =
    "usage: sluice subscribe --node URL[,URL...] --rollup R [--from H] [--to H] [--all]\n"
    "                        [--verify-openings --genesis FILE]\n"
    "\n"
    "Prints one JSON line per height that has entries for rollup R, gapless and in order:\n"
    "  "
    "{\"height\",\"time_ms\",\"block\",\"rollup\",\"entries\":[{\"index\",\"id\",\"kind\","
    "\"payload\"}]}\n"
    "A bundle, there for each leg's rollup, has \"legs\":[{\"rollup\",\"payload\"}] in place of a "
    "payload.\n"
    "An entry that came through the queue of forced ones has \"forced\":true; evidence is an entry "
    "of\n"
    "rollup 0, with \"offence\", \"offender\" and \"at\". A sealed transaction is an entry of "
    "rollup 0\n"
    "where it was ordered (kind sealed: key_id, unlock, bytes), and where it was due an entry of "
    "its\n"
    "rollup (opened: the payload, ordered, and what it takes to check it) or of rollup 0 (void: "
    "reason,\n"
    "ordered), with the same id.\n"
    "Goes on at the next URL, at the next height, when a node dies or stalls.\n"
    "\n"
    "  --node URL,...   nodes to read from, in this order\n"
    "  --rollup R       the rollup; 0: entries of all rollups, each with its \"rollup\"\n"
    "  --from H         first height; without it, the next one\n"
    "  --to H           last height, waited for; without it, follows for ever\n"
    "  --all            also heights without entries for R\n"
    "  --verify-openings  check that what is opened is what was sealed; needs --genesis\n"
    "  --genesis FILE   the chain\n"
    "  --stall-ms MS    with several URLs: no height for so long means the next node [5000]\n"
    "  --give-up S      seconds without any node until giving up [30]\n"
    "\n"
    "Exit: 0 done, 1 no node, 2 refused (for example --from below what is retained), 3 a node "
    "showed\n"
    "content that was not sealed so.\n";

#define FIRST_GIVE_UP_MS 2000u /* until the first connection; typing errors should show soon */

#define PAUSE_MS 100u /* between two connections */

struct options {
    struct slu_urls urls;
    uint64_t rollup, from, to;
    bool has_rollup, all, verify;
    const char *genesis_path;
    uint64_t stall_ms, give_up_s;
};

struct subscriber {
    struct options *options;
    struct slu_heights heights;
    struct slu_text text;
    struct slu_genesis outline; /* of the chain that the first node is of */
    bool has_chain, connected;
    bool again;                 /* a height could not be checked with this connection */
    struct slu_genesis genesis; /* with --genesis */
    struct slu_openings openings;
    size_t refused; /* URLs in a row that answered below_retention ... */
    size_t bad;     /* ... and connections in a row that broke the rules; a height ends both rows */
};

enum outcome {
    DONE,   /* `to` is printed */
    NEXT,   /* go on with another connection */
    FAILED, /* words are out */
    LIED,   /* words are out: no honest node shows this */
};

static bool parse(int argc, char **argv, struct options *o, int *code)
{
    static const struct option longs[] = {
        {"node", required_argument, NULL, 'n'},
        {"rollup", required_argument, NULL, 'r'},
        {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},
        {"all", no_argument, NULL, 'a'},
        {"verify-openings", no_argument, NULL, 'v'},
        {"genesis", required_argument, NULL, 'G'},
        {"stall-ms", required_argument, NULL, 's'},
        {"give-up", required_argument, NULL, 'g'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool ok = true;
    int option;
    *code = SLU_EXIT_NOT_ALL;
    while (ok && (option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'n')
            ok = slu_argument_urls("subscribe", "--node", optarg, &o->urls);
        else if (option == 'r')
            o->has_rollup = ok = slu_argument_number("subscribe", "--rollup", optarg, 0,
                                                     SLU_ROLLUP_ID_MAX, &o->rollup);
        else if (option == 'f')
            ok = slu_argument_number("subscribe", "--from", optarg, 1, INT64_MAX, &o->from);
        else if (option == 't')
            ok = slu_argument_number("subscribe", "--to", optarg, 1, INT64_MAX, &o->to);
        else if (option == 'a')
            o->all = true;
        else if (option == 'v')
            o->verify = true;
        else if (option == 'G')
            o->genesis_path = optarg;
        else if (option == 's')
            ok = slu_argument_number("subscribe", "--stall-ms", optarg, 100, 3600000, &o->stall_ms);
        else if (option == 'g')
            ok = slu_argument_number("subscribe", "--give-up", optarg, 0, 1000000, &o->give_up_s);
        else {
            fputs(usage, option == 'h' ? stdout : stderr);
            *code = option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
            return false;
        }
    }
    if (!ok)
        return false;
    const char *bad = optind < argc                   ? "takes options only"
                      : o->urls.count == 0            ? "--node is missing"
                      : !o->has_rollup                ? "--rollup is missing"
                      : o->to && o->from > o->to      ? "--from is above --to"
                      : o->verify && !o->genesis_path ? "--verify-openings needs --genesis FILE"
                                                      : NULL;
    if (bad)
        slu_complain("subscribe", 0, "%s", bad);
    return !bad;
}

/* ---- printing ---- */

static bool print_height(struct subscriber *sub)
{
    const struct slu_heights *heights = &sub->heights;
    struct slu_text *text = &sub->text;
    if (heights->count == 0 && !sub->options->all)
        return true;
    slu_text_add(text, "{\"height\":");
    slu_text_add_number(text, heights->height);
    slu_text_add(text, ",\"time_ms\":");
    slu_text_add_number(text, heights->time_ms);
    slu_text_add(text, ",\"block\":\"");
    slu_text_add_hex(text, heights->block32, 32);
    slu_text_add(text, "\",\"rollup\":");
    slu_text_add_number(text, sub->options->rollup);
    slu_text_add(text, ",\"entries\":[");
    struct slu_reader reader = slu_reader_of(heights->bytes, heights->len);
    struct slu_height_entry entry;
    for (bool first = true; slu_entry_next(&reader, &entry); first = false) {
        if (!first)
            slu_text_add(text, ",");
        slu_entry_json(text, &entry, &sub->outline, sub->options->rollup == 0);
    }
    slu_text_add(text, "]}\n");
    return slu_text_write(text, stdout);
}

/* ---- one connection ---- */

static enum outcome on_error(struct subscriber *sub, const Slu__Client__Error *error)
{
    struct slu_urls *urls = &sub->options->urls;
    const char *url = urls->at[urls->current];
    bool below = !strcmp(error->code, "below_retention");
    if ((below && ++sub->refused < urls->count) || !strcmp(error->code, "busy")) {
        slu_complain("subscribe", 0, "%s: %s: %s", url, error->code, error->text);
        return NEXT;
    }
    if (below)
        slu_complain("subscribe", 0, "%s: height %llu is no longer retained; the lowest is %llu",
                     url, (unsigned long long)sub->heights.expected,
                     (unsigned long long)error->lowest_height);
    else
        slu_complain("subscribe", 0, "%s: %s: %s", url, error->code, error->text);
    return FAILED;
}

/* False: not all of it is known to be right. */
static bool verify_height(struct subscriber *sub, enum outcome *outcome)
{
    const struct slu_urls *urls = &sub->options->urls;
    const char *url = urls->at[urls->current];
    char why[SLU_OPENINGS_WHY_BYTES];
    int rc = slu_openings_check(&sub->openings, &sub->heights, url, why);
    if (!rc)
        return true;
    slu_complain("subscribe", 0, "%s: %s", url, why);
    *outcome = rc == SLU_ERR_MISMATCH                             ? LIED
               : rc == SLU_ERR_MEMORY || ++sub->bad > urls->count ? FAILED
                                                                  : NEXT;
    slu_heights_again(&sub->heights);
    sub->again = true;
    return false;
}

static enum outcome on_height(struct subscriber *sub, const Slu__Client__Height *part)
{
    enum outcome outcome;
    int rc = slu_heights_add(&sub->heights, part);
    if (rc < 0) {
        const struct slu_urls *urls = &sub->options->urls;
        slu_complain("subscribe", 0, "%s: %s", urls->at[urls->current], sub->heights.why);
        return rc == SLU_ERR_MEMORY || ++sub->bad > urls->count ? FAILED : NEXT;
    }
    sub->refused = 0;
    if (rc == 0)
        return NEXT;
    if (sub->options->verify && !verify_height(sub, &outcome))
        return outcome;
    sub->bad = 0;
    if (!print_height(sub)) {
        slu_complain("subscribe", 0, "standard output cannot be written");
        return FAILED;
    }
    return sub->options->to && sub->heights.height >= sub->options->to ? DONE : NEXT;
}

/* Handles one reply. *go_on: this connection is still good. */
static enum outcome on_reply(struct subscriber *sub, const Slu__Client__Reply *reply, bool *go_on)
{
    *go_on = false;
    switch (reply->body_case) {
    case SLU__CLIENT__REPLY__BODY_HEIGHT: {
        enum outcome outcome = on_height(sub, reply->height);
        *go_on = outcome == NEXT && !sub->again && !sub->heights.why[0];
        return outcome;
    }
    case SLU__CLIENT__REPLY__BODY_ERROR:
        return on_error(sub, reply->error);
    case SLU__CLIENT__REPLY__BODY_END:
        return sub->options->to && sub->heights.expected > sub->options->to ? DONE : NEXT;
    default:
        return NEXT;
    }
}

/* All URLs must be of one chain: that of the genesis, or of the first. */
static bool same_chain(struct subscriber *sub, const struct slu_session *session)
{
    const struct slu_urls *urls = &sub->options->urls;
    const uint8_t *chain_id32 = slu_session_chain_id32(session);
    if (sub->has_chain && memcmp(sub->outline.chain_id, chain_id32, 32)) {
        slu_complain("subscribe", 0, "%s: a node of another chain", urls->at[urls->current]);
        return false;
    }
    slu_outline(&sub->outline, chain_id32);
    sub->has_chain = sub->connected = true;
    return true;
}

static enum outcome read_from(struct subscriber *sub, struct slu_session *session)
{
    struct options *o = sub->options;
    const char *url = o->urls.at[o->urls.current];
    Slu__Client__Subscribe subscribe = SLU__CLIENT__SUBSCRIBE__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    subscribe.rollup = o->rollup;
    subscribe.from_height = sub->heights.expected;
    subscribe.to_height = o->to;
    subscribe.every_height = true;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &subscribe;
    slu_heights_restart(&sub->heights);
    sub->heights.why[0] = '\0';
    sub->again = false;
    if (!same_chain(sub, session))
        return ++sub->bad > o->urls.count ? FAILED : NEXT;
    if (slu_session_send(session, &request))
        return NEXT;
    uint32_t wait_ms = (uint32_t)o->stall_ms;
    for (;;) {
        Slu__Client__Reply *reply;
        int rc = slu_session_receive(session, request.id, &reply, wait_ms);
        if (rc == SLU_ERR_TIMEOUT && o->urls.count == 1)
            continue;
        if (rc) {
            char why[256] = "no height came in time";
            if (rc == SLU_ERR_CLOSED)
                slu_session_reason(session, why, sizeof why);
            slu_complain("subscribe", 0, "%s: %s", url, why);
            return NEXT;
        }
        bool go_on;
        enum outcome outcome = on_reply(sub, reply, &go_on);
        slu_reply_free(reply);
        if (!go_on)
            return outcome;
    }
}

/* The chain that the genesis is of. False after a complaint. */
static bool prepare(struct subscriber *sub)
{
    char why[512];
    if (!sub->options->genesis_path)
        return true;
    if (slu_genesis_load(&sub->genesis, sub->options->genesis_path, why, sizeof why)) {
        slu_complain("subscribe", 0, "--genesis: %s", why);
        return false;
    }
    memcpy(sub->outline.chain_id, sub->genesis.chain_id, 32);
    sub->openings.genesis = &sub->genesis;
    sub->has_chain = true;
    return true;
}

int slu_command_subscribe(int argc, char **argv)
{
    static struct subscriber sub;
    struct options options = {.stall_ms = 5000, .give_up_s = 30};
    sub = (struct subscriber){.options = &options};
    int code;
    if (!parse(argc, argv, &options, &code))
        return code;
    if (!prepare(&sub))
        return SLU_EXIT_NOT_ALL;
    sub.heights.expected = options.from;
    enum outcome outcome = NEXT;
    while (outcome == NEXT) {
        char why[256];
        uint32_t give_up_ms =
            sub.connected ? (uint32_t)options.give_up_s * 1000u : FIRST_GIVE_UP_MS;
        struct slu_session *session = slu_urls_open(&options.urls, give_up_ms, why, sizeof why);
        if (!session) {
            slu_complain("subscribe", 0, "no node: %s", why);
            break;
        }
        outcome = read_from(&sub, session);
        slu_session_close(session);
        if (outcome == NEXT) {
            options.urls.current = (options.urls.current + 1) % options.urls.count;
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
        }
    }
    slu_heights_free(&sub.heights);
    slu_text_free(&sub.text);
    return outcome == DONE   ? SLU_EXIT_OK
           : outcome == NEXT ? SLU_EXIT_NO_NODE
           : outcome == LIED ? SLU_EXIT_LIE
                             : SLU_EXIT_NOT_ALL;
}
