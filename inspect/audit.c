/* `sluice audit`: replays what happened, and says rule by rule whether it held. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "client/command.h"
#include "client/text.h"
#include "config/genesis_json.h"
#include "inspect/remote.h"
#include "inspect/stopped.h"
#include "sluice/error.h"

static const char usage[] =
    "usage: sluice audit --data DIR[,DIR...] --genesis G [--from H] [--to H]\n"
    "       sluice audit --node URL[,URL...] --genesis G [--from H] [--to H]\n"
    "\n"
    "Replays the heights that a node shows: blocks and their certificates, the reports that they were\n"
    "computed from, what was queued, ordered, due, opened and released. All of it is computed again, or\n"
    "bound by digests and signatures: the node may lie. Prints one JSON line for each rule:\n"
    "  {\"rule\",\"held\",\"checked\",\"counts\",\"unchecked\",\"from\"}\n"
    "`unchecked` could not be, for want of a record or of what was before the range; `from` is the\n"
    "lowest height at which nothing was missing. The first rule that does not hold ends the audit, with\n"
    "its \"height\" and \"why\".\n"
    "\n"
    "  --data DIR,...  data directory of a node that is stopped, or a copy; of more than one the first\n"
    "                  is audited, and the others' shares show whether what is void is rightly so\n"
    "  --node URL,...  ask a running node instead, the next one when one is dead\n"
    "  --genesis G     genesis.json of the chain\n"
    "  --from H        lowest height (default: the lowest there is)\n"
    "  --to H          highest height (default: the highest that is open there)\n"
    "\n"
    "Exit: 0 all held, 1 no node, or the data cannot be read, 2 wrong arguments, 3 a rule does not hold.\n";

struct options {
    const char *data, *genesis;
    struct slu_urls urls;
    uint64_t from, to;
};

static void print_line(struct slu_text *text, const struct slu_audit_report *report, int rule)
{
    const struct slu_audit_line *line = &report->lines[rule];
    bool held = report->held || (int)report->fault != rule;
    slu_text_add(text, "{\"rule\":\"");
    slu_text_add(text, slu_audit_rule_name((enum slu_audit_rule)rule));
    slu_text_add(text, held ? "\",\"held\":true,\"checked\":" : "\",\"held\":false,\"checked\":");
    slu_text_add_number(text, line->checked);
    slu_text_add(text, ",\"counts\":\"");
    slu_text_add(text, slu_audit_rule_counts((enum slu_audit_rule)rule));
    slu_text_add(text, "\",\"unchecked\":");
    slu_text_add_number(text, line->unchecked);
    slu_text_add(text, ",\"from\":");
    slu_text_add_number(text, line->from);
    if (!held) {
        slu_text_add(text, ",\"height\":");
        slu_text_add_number(text, report->fault_height);
        slu_text_add(text, ",\"why\":");
        slu_text_add_json(text, report->why);
    }
    slu_text_add(text, "}\n");
}

static int print(const struct slu_audit_report *report)
{
    struct slu_text text = {0};
    int code = report->held ? SLU_EXIT_OK : SLU_EXIT_LIE;
    for (int rule = 0; rule < SLU_AUDIT_RULES; rule++)
        print_line(&text, report, rule);
    if (!slu_text_write(&text, stdout))
        code = slu_complain("audit", SLU_EXIT_NO_NODE, "standard output cannot be written");
    slu_text_free(&text);
    if (!report->held)
        slu_complain("audit", 0, "height %llu: %s does not hold: %s",
                     (unsigned long long)report->fault_height, slu_audit_rule_name(report->fault),
                     report->why);
    return code;
}

static int audit(const struct options *o, const struct slu_genesis *genesis,
                 const struct slu_store *store, const struct slu_store *const *others, size_t count)
{
    struct slu_audit_report report;
    uint64_t low, high;
    int rc = slu_audit_range(store, &low, &high);
    if (rc)
        return slu_complain("audit", SLU_EXIT_NO_NODE, "%s",
                            rc == SLU_ERR_NOT_FOUND ? "no height is open there" : slu_strerror(rc));
    uint64_t from = o->from ? o->from : low, to = o->to ? o->to : high;
    if (from < low || to > high || from > to)
        return slu_complain("audit", SLU_EXIT_NOT_ALL, "heights %llu to %llu are there",
                            (unsigned long long)low, (unsigned long long)high);
    struct slu_audit *running = slu_audit_new(genesis, store, others, count, NULL);
    if (!running)
        return slu_complain("audit", SLU_EXIT_NO_NODE, "%s", slu_strerror(SLU_ERR_MEMORY));
    rc = slu_audit_run(running, from, to, &report);
    slu_audit_free(running);
    if (rc)
        return slu_complain("audit", SLU_EXIT_NO_NODE, "height %llu: %s",
                            (unsigned long long)report.to, slu_strerror(rc));
    return print(&report);
}

static int audit_data(const struct options *o, const struct slu_genesis *genesis)
{
    struct slu_stopped nodes;
    char why[512];
    int rc = slu_stopped_open(&nodes, o->data, genesis, why, sizeof why);
    int code = rc ? slu_complain("audit", SLU_EXIT_NO_NODE, "--data: %s", why)
                  : audit(o, genesis, nodes.stores[0], nodes.stores, nodes.count);
    slu_stopped_close(&nodes);
    return code;
}

static int audit_node(struct options *o, const struct slu_genesis *genesis)
{
    char why[512];
    struct slu_remote *node = slu_remote_open(&o->urls, genesis->chain_id, why, sizeof why);
    if (!node)
        return slu_complain("audit", SLU_EXIT_NO_NODE, "no node: %s", why);
    struct slu_store store = slu_remote_store(node);
    int code = audit(o, genesis, &store, NULL, 0);
    if (code == SLU_EXIT_NO_NODE && slu_remote_why(node)[0])
        slu_complain("audit", 0, "%s", slu_remote_why(node));
    slu_remote_close(node);
    return code;
}

static bool read_option(struct options *o, int option)
{
    switch (option) {
    case 'd':
        o->data = optarg;
        return true;
    case 'n':
        return slu_argument_urls("audit", "--node", optarg, &o->urls);
    case 'g':
        o->genesis = optarg;
        return true;
    case 'f':
        return slu_argument_number("audit", "--from", optarg, 1, UINT64_MAX - 1, &o->from);
    case 't':
        return slu_argument_number("audit", "--to", optarg, 1, UINT64_MAX - 1, &o->to);
    default:
        fputs(usage, stderr);
        return false;
    }
}

int slu_command_audit(int argc, char **argv)
{
    static const struct option longs[] = {
        {"data", required_argument, NULL, 'd'},    {"node", required_argument, NULL, 'n'},
        {"genesis", required_argument, NULL, 'g'}, {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},      {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct slu_genesis genesis;
    static struct options o;
    char why[512];
    int option;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return SLU_EXIT_OK;
        }
        if (!read_option(&o, option))
            return SLU_EXIT_NOT_ALL;
    }
    if (optind < argc || !o.genesis || !o.data == (o.urls.count == 0))
        return slu_complain("audit", SLU_EXIT_NOT_ALL,
                            "needs --genesis G and either --data DIR or --node URL");
    if (slu_genesis_load(&genesis, o.genesis, why, sizeof why))
        return slu_complain("audit", SLU_EXIT_NOT_ALL, "--genesis: %s", why);
    return o.data ? audit_data(&o, &genesis) : audit_node(&o, &genesis);
}
