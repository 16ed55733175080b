/* `sluice submit`: transactions for one rollup, from the lines of a file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "client/submit.h"

static const char usage[] =
    "usage: sluice submit --node URL[,URL...] --rollup R --hex FILE|- [--wait]\n"
    "                     [--valid-for SECONDS] [--sealed --genesis FILE]\n"
    "\n"
    "Submits each line of FILE (0x-hex) as a transaction and prints one JSON line for each, in "
    "order:\n"
    "  {\"id\",\"status\":\"accepted\"|\"refused\",\"reason\"}\n"
    "  with --wait also \"outcome\":\"ordered\"|\"expired\"|\"dropped\"|\"unknown\", and "
    "\"height\" and\n"
    "  \"index\" when ordered; of sealed ones \"sealed\":true and \"unlock\".\n"
    "Accepted means durable at that node. What a lost connection leaves without an answer is "
    "printed\n"
    "as refused with reason connection_lost; it may be ordered all the same.\n"
    "\n"
    "  --node URL,...       where to submit; the next one when it dies or stalls\n"
    "  --rollup R           for which rollup\n"
    "  --hex FILE|-         transactions, one per line; - is standard input\n"
    "  --wait               wait until each accepted one has an outcome\n"
    "  --valid-for SECONDS  how long it may take to be ordered [as long as the chain "
    "allows]\n" SLU_SEALING_USAGE
    "  --genesis FILE       sealed: what the committee's key is checked with\n"
    "  --forced             through the queue that nobody can leave out: submit --forced --help\n"
    "  --stall-ms MS        with several URLs: an answer owed for so long means the next node "
    "[5000]\n"
    "  --give-up S          seconds without any node until outcomes are \"unknown\" [60]\n"
    "\n"
    "Exit: 0 all accepted (and ordered), 1 no node, 2 some not, 3 a node gave a key that is not "
    "the\n"
    "committee's, or took another transaction than it was given.\n";

static const char forced_usage[] =
    "usage: sluice submit --forced --node URL[,URL...] --rollup R --hex FILE|- [--wait]\n"
    "                     [--valid-for SECONDS] [--receipts N] [--genesis FILE] [--sealed]\n"
    "\n"
    "Pays postage (work, not money) for each line of FILE and puts it into the queue that no node "
    "and no\n"
    "leader can leave out: the height that delivers it is fixed when it is queued. One JSON line "
    "each:\n"
    "  {\"id\",\"status\",\"reason\",\"work\",\"receipts\":[{\"node\",\"time_ms\",\"height\","
    "\"bytes\"}]}\n"
    "  with --wait also \"outcome\", and \"height\", \"index\", \"due_height\" when ordered; of "
    "sealed\n"
    "  ones \"sealed\":true and \"unlock\"\n"
    "Refused with reason connection_lost: a taker got it and never answered, and no other one took "
    "it; it\n"
    "may be ordered all the same.\n"
    "\n"
    "  --node URL,...       takers, tried in order; the others are asked for receipts\n"
    "  --receipts N         receipts to collect [f+1]\n"
    "  --genesis FILE       verify the receipts' signatures\n" SLU_SEALING_USAGE
    "  --valid-for SECONDS  how long the work and the way into the queue may take [20]\n"
    "\n"
    "Exit: 0 all accepted (and ordered), 1 no node, 2 some not, 3 a node lies: a receipt or the "
    "committee's\n"
    "key does not verify, or its words contradict each other.\n";

/* Which of the two: --forced may also come behind --help. */
static const char *usage_for(const struct slu_submit_options *o, int argc, char **argv)
{
    bool forced = o->forced;
    for (int i = optind; i < argc; i++)
        forced = forced || !strcmp(argv[i], "--forced");
    return forced ? forced_usage : usage;
}

static bool parse(int argc, char **argv, struct slu_submit_options *o, const char **hex, int *code)
{
    static const struct option longs[] = {
        {"rollup", required_argument, NULL, 'r'},
        {"hex", required_argument, NULL, 'x'},
        SLU_SUBMIT_OPTIONS,
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    *code = SLU_EXIT_NOT_ALL;
    while ((option = slu_submit_next(o, argc, argv, longs)) != -1) {
        if (option == 'x')
            *hex = optarg;
        if (option == 'x' || (option == 'r' && slu_argument_number("submit", "--rollup", optarg, 1,
                                                                   SLU_ROLLUP_ID_MAX, &o->rollup)))
            continue;
        *code = slu_submit_help(option, usage_for(o, argc, argv));
        return false;
    }
    if (optind < argc || o->urls.count == 0 || !o->rollup || !*hex) {
        slu_complain("submit", 0, "needs --node URL, --rollup R and --hex FILE");
        return false;
    }
    return slu_submit_complete(o);
}

int slu_command_submit(int argc, char **argv)
{
    static struct slu_submit_options options;
    const char *hex = NULL;
    int code;
    slu_submit_options_init(&options, "submit");
    if (!parse(argc, argv, &options, &hex, &code))
        return code;
    if (!slu_payloads_open(&options.payloads, hex))
        return slu_complain("submit", SLU_EXIT_NOT_ALL, "--hex: %s: %s", hex, strerror(errno));
    code = slu_submit_lines(&options);
    slu_payloads_close(&options.payloads);
    return code;
}
