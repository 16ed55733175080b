#include "client/submit_options.h"

#include <stdio.h>

#include "base/limits.h"
#include "sluice/bundle.h"
#include "wire/bundle.h"

#define GIVE_UP_S      60u
#define STALL_MS       5000u
#define FORCED_VALID_S 20u

void slu_submit_options_init(struct slu_submit_options *options, const char *command)
{
    *options = (struct slu_submit_options){.command = command, .sealing = {.command = command}};
}

/* Returns 1; 0: it is none of these; -1 after a complaint. */
static int take(struct slu_submit_options *o, int option, const char *argument)
{
    bool ok = true;
    switch (option) {
    case 'n':
        ok = slu_argument_urls(o->command, "--node", argument, &o->urls);
        break;
    case 'w':
        o->wait = true;
        break;
    case 'v':
        ok = slu_argument_number(o->command, "--valid-for", argument, 1, SLU_WINDOW_MS_CAP / 1000u,
                                 &o->valid_for_s);
        break;
    case 'g':
        ok = slu_argument_number(o->command, "--give-up", argument, 0, 1000000, &o->give_up_s);
        o->has_give_up = true;
        break;
    case 't':
        ok = slu_argument_number(o->command, "--stall-ms", argument, 1000, 3600000, &o->stall_ms);
        break;
    case 'G':
        o->genesis_path = argument;
        break;
    case 'f':
        o->forced = true;
        break;
    case 'q':
        ok =
            slu_argument_number(o->command, "--receipts", argument, 1, SLU_NODES_MAX, &o->receipts);
        break;
    default:
        return slu_sealing_option(&o->sealing, option, argument);
    }
    return ok ? 1 : -1;
}

int slu_submit_next(struct slu_submit_options *o, int argc, char **argv, const struct option *longs)
{
    int option, taken;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        taken = take(o, option, optarg);
        if (taken <= 0)
            return taken == 0 ? option : SLU_SUBMIT_BAD;
    }
    return -1;
}

int slu_submit_help(int option, const char *usage)
{
    if (option == 'h' || option == '?')
        fputs(usage, option == 'h' ? stdout : stderr);
    return option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
}

bool slu_submit_complete(struct slu_submit_options *o)
{
    const char *bad = o->urls.count == 0            ? "needs --node URL"
                      : o->forced && o->has_give_up ? "--give-up is not for --forced"
                      : o->forced && o->stall_ms    ? "--stall-ms is not for --forced"
                      : !o->forced && o->receipts   ? "--receipts is for --forced"
                                                    : NULL;
    if (bad)
        slu_complain(o->command, 0, "%s", bad);
    if (!o->has_give_up)
        o->give_up_s = GIVE_UP_S;
    if (!o->stall_ms)
        o->stall_ms = STALL_MS;
    if (o->forced && !o->valid_for_s)
        o->valid_for_s = FORCED_VALID_S;
    return !bad && slu_sealing_complete(&o->sealing, o->genesis_path);
}

void slu_submit_warn(const struct slu_submit_options *o, const struct slu_genesis *genesis)
{
    const struct slu_payloads *made = &o->payloads;
    struct slu_bundle bundle;
    bool known = o->rollup ? slu_genesis_rollup_known(genesis, o->rollup)
                           : slu_bundle_read(&bundle, made->made, made->made_len) ||
                                 slu_bundle_known(genesis, &bundle);
    if (!known)
        slu_complain(
            o->command, 0,
            "warning: the genesis knows no such rollup: what is sealed for it is void when it "
            "is opened");
}
