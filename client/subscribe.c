/* `sluice subscribe`: the ordered stream as JSON lines. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "client/chain.h"
#include "client/command.h"
#include "client/entry_json.h"
#include "client/feed.h"
#include "client/outline.h"
#include "client/text.h"
#include "client/urls.h"
#include "sluice/error.h"

static const char usage[] =
    "usage: sluice subscribe --node URL[,URL...] --rollup R [--from H] [--to H] [--all]\n"
    "                        [--genesis FILE [--max-age S]]\n"
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
    "With --genesis no node needs to be trusted: every height is checked against a release that a "
    "quorum of\n"
    "the committee signed, so what is printed is final, complete, in order, and what everybody "
    "else gets. A\n"
    "node that shows anything else, or holds back what is new, is named and not asked again.\n"
    "\n"
    "  --node URL,...   nodes to read from, in this order\n"
    "  --rollup R       the rollup; 0: entries of all rollups, each with its \"rollup\"\n"
    "  --from H         first height; without it, the next one\n"
    "  --to H           last height, waited for; without it, follows for ever\n"
    "  --all            also heights without entries for R\n"
    "  --genesis FILE   the chain: trust no node\n"
    "  --max-age S      with it: while the newest height is older than this, a node may let its "
    "reader wait\n"
    "                   for as long in all [10]\n"
    "  --stall-ms MS    with several URLs: no height for so long means the next node [5000]\n"
    "  --give-up S      seconds without any node until giving up [30]\n"
    "\n"
    "Exit: 0 done, 1 no node, 2 refused (for example --from below what is retained), 3 every node "
    "that\n"
    "answers lied, or holds back what is new.\n";

#define STEP_MS 3600000u

struct options {
    struct slu_urls urls;
    struct slu_feed_options feed;
    bool has_rollup, all, has_max_age;
    const char *genesis_path;
};

struct subscriber {
    const struct options *options;
    struct slu_chain *chain; /* NULL: the nodes are believed */
    struct slu_feed *feed;
    struct slu_text text;
    struct slu_genesis outline; /* what readers of wire objects need of the chain */
};

static bool parse(int argc, char **argv, struct options *o, int *code)
{
    static const struct option longs[] = {
        {"node", required_argument, NULL, 'n'},
        {"rollup", required_argument, NULL, 'r'},
        {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},
        {"all", no_argument, NULL, 'a'},
        {"genesis", required_argument, NULL, 'G'},
        {"max-age", required_argument, NULL, 'm'},
        {"stall-ms", required_argument, NULL, 's'},
        {"give-up", required_argument, NULL, 'g'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    uint64_t stall_ms = 0, give_up_s = 30, max_age_s = 0;
    bool ok = true;
    int option;
    *code = SLU_EXIT_NOT_ALL;
    while (ok && (option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'n')
            ok = slu_argument_urls("subscribe", "--node", optarg, &o->urls);
        else if (option == 'r')
            o->has_rollup = ok = slu_argument_number("subscribe", "--rollup", optarg, 0,
                                                     SLU_ROLLUP_ID_MAX, &o->feed.rollup);
        else if (option == 'f')
            ok = slu_argument_number("subscribe", "--from", optarg, 1, INT64_MAX, &o->feed.from);
        else if (option == 't')
            ok = slu_argument_number("subscribe", "--to", optarg, 1, INT64_MAX, &o->feed.to);
        else if (option == 'a')
            o->all = true;
        else if (option == 'G')
            o->genesis_path = optarg;
        else if (option == 'm')
            o->has_max_age = ok =
                slu_argument_number("subscribe", "--max-age", optarg, 1, 1000000, &max_age_s);
        else if (option == 's')
            ok = slu_argument_number("subscribe", "--stall-ms", optarg, 100, 3600000, &stall_ms);
        else if (option == 'g')
            ok = slu_argument_number("subscribe", "--give-up", optarg, 0, 1000000, &give_up_s);
        else {
            fputs(usage, option == 'h' ? stdout : stderr);
            *code = option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
            return false;
        }
    }
    if (!ok)
        return false;
    o->feed.stall_ms = (uint32_t)stall_ms;
    o->feed.give_up_ms = give_up_s ? (uint32_t)give_up_s * 1000u : 1u;
    o->feed.max_age_ms = (uint32_t)max_age_s * 1000u;
    const char *bad = optind < argc                             ? "takes options only"
                      : o->urls.count == 0                      ? "--node is missing"
                      : !o->has_rollup                          ? "--rollup is missing"
                      : o->feed.to && o->feed.from > o->feed.to ? "--from is above --to"
                      : o->has_max_age && !o->genesis_path      ? "--max-age needs --genesis FILE"
                                                                : NULL;
    if (bad)
        slu_complain("subscribe", 0, "%s", bad);
    return !bad;
}

/* ---- printing ---- */

static bool print_height(struct subscriber *sub)
{
    const struct slu_heights *heights = slu_feed_heights(sub->feed);
    const uint64_t rollup = sub->options->feed.rollup;
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
    slu_text_add_number(text, rollup);
    slu_text_add(text, ",\"entries\":[");
    struct slu_reader reader = slu_reader_of(heights->bytes, heights->len);
    struct slu_entry entry;
    for (bool first = true; slu_entry_next(&reader, &entry); first = false) {
        if (!first)
            slu_text_add(text, ",");
        slu_entry_json(text, &entry, &sub->outline, rollup == 0);
    }
    slu_text_add(text, "]}\n");
    return slu_text_write(text, stdout);
}

/* ---- reading ---- */

static void on_trouble(void *context, const char *url, const char *why)
{
    (void)context;
    slu_complain("subscribe", 0, "%s: %s", url, why);
}

static int finish(const struct subscriber *sub, int rc)
{
    switch (rc) {
    case SLU_FEED_END:
        return SLU_EXIT_OK;
    case SLU_ERR_CLOSED:
        return slu_complain("subscribe", SLU_EXIT_NO_NODE, "no node: %s", slu_feed_why(sub->feed));
    case SLU_ERR_LIE: /* on_trouble has said it */
        return SLU_EXIT_LIE;
    default:
        return SLU_EXIT_NOT_ALL;
    }
}

static int follow(struct subscriber *sub)
{
    for (;;) {
        int rc = slu_feed_step(sub->feed, STEP_MS);
        if (rc == SLU_ERR_TIMEOUT)
            continue;
        if (rc)
            return finish(sub, rc);
        slu_outline(&sub->outline, slu_feed_chain_id32(sub->feed));
        if (!print_height(sub))
            return slu_complain("subscribe", SLU_EXIT_NO_NODE, "standard output cannot be written");
    }
}

int slu_command_subscribe(int argc, char **argv)
{
    static struct subscriber sub;
    struct options options = {0};
    char why[512];
    int code;
    sub = (struct subscriber){.options = &options};
    if (!parse(argc, argv, &options, &code))
        return code;
    if (options.genesis_path && slu_chain_load(&sub.chain, options.genesis_path, why, sizeof why))
        return slu_complain("subscribe", SLU_EXIT_NOT_ALL, "--genesis: %s", why);
    options.feed.on_trouble = on_trouble;
    if (slu_feed_new(&sub.feed, sub.chain ? &sub.chain->genesis : NULL, options.urls.at,
                     options.urls.count, &options.feed, why, sizeof why))
        code = slu_complain("subscribe", SLU_EXIT_NOT_ALL, "%s", why);
    else
        code = follow(&sub);
    slu_feed_close(sub.feed);
    slu_chain_free(sub.chain);
    slu_text_free(&sub.text);
    return code;
}
