#include "client/submit_options.h"

#include <stdio.h>

#include "base/limits.h"

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
    "  --node URL,...       where to submit; the next one when it dies\n"
    "  --rollup R           for which rollup\n"
    "  --hex FILE|-         transactions, one per line; - is standard input\n"
    "  --wait               wait until each accepted one has an outcome\n"
    "  --valid-for SECONDS  how long it may take to be ordered [as long as the chain "
    "allows]\n" SLU_SEALING_USAGE
    "  --genesis FILE       sealed: what the committee's key is checked with\n"
    "  --forced             through the queue that nobody can leave out: submit --forced --help\n"
    "  --give-up S          seconds without any node until outcomes are \"unknown\" [60]\n"
    "\n"
    "Exit: 0 all accepted (and ordered), 1 no node, 2 some not, 3 a node gave a key that is not "
    "the\n"
    "committee's, or took another transaction than it was given.\n";

bool slu_submit_parse(int argc, char **argv, struct slu_submit_options *o, int *code)
{
    static const struct option longs[] = {
        {"node", required_argument, NULL, 'n'},
        {"rollup", required_argument, NULL, 'r'},
        {"hex", required_argument, NULL, 'x'},
        {"wait", no_argument, NULL, 'w'},
        {"valid-for", required_argument, NULL, 'v'},
        {"give-up", required_argument, NULL, 'g'},
        {"genesis", required_argument, NULL, 'G'},
        SLU_SEALING_OPTIONS,
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool ok = true;
    int option, sealing;
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
        else if (option == 'G')
            o->genesis_path = optarg;
        else if ((sealing = slu_sealing_option(&o->sealing, option, optarg)) != 0)
            ok = sealing > 0;
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
    return ok && slu_sealing_complete(&o->sealing, o->genesis_path);
}
