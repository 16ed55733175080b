/* What `sluice submit` and `sluice bundle` are told: how a transaction goes in, whatever it is.
 *
 *     getopt_long with SLU_SUBMIT_OPTIONS ─▶ slu_submit_option ─▶ _complete ─▶ slu_submit_lines
 */
#ifndef SLU_CLIENT_SUBMIT_OPTIONS_H
#define SLU_CLIENT_SUBMIT_OPTIONS_H

#include <getopt.h>

#include "client/command.h"
#include "client/payloads.h"
#include "client/sealing_options.h"

struct slu_submit_options {
    const char *command; /* the subcommand, for words */
    struct slu_urls urls;
    const char *genesis_path;
    struct slu_sealing sealing;
    uint64_t rollup; /* 0: each payload is a bundle's body (sluice/bundle.h) */
    uint64_t valid_for_s;
    uint64_t give_up_s; /* not of forced ones */
    uint64_t receipts;  /* of forced ones; 0: f+1 */
    bool wait, forced, has_give_up;
    struct slu_payloads payloads;
};

/** Rows of a getopt_long table; the letters are for slu_submit_option. */
#define SLU_SUBMIT_OPTIONS                                                                         \
    {"node", required_argument, NULL, 'n'}, {"wait", no_argument, NULL, 'w'},                      \
        {"valid-for", required_argument, NULL, 'v'}, {"give-up", required_argument, NULL, 'g'},    \
        {"genesis", required_argument, NULL, 'G'}, {"forced", no_argument, NULL, 'f'},             \
        {"receipts", required_argument, NULL, 'q'}, SLU_SEALING_OPTIONS

/** Options for the subcommand `command`, as long as nothing is asked for. */
void slu_submit_options_init(struct slu_submit_options *options, const char *command);
/** Takes one option. Returns 1; 0: it is none of these; -1 after a complaint. */
int slu_submit_option(struct slu_submit_options *options, int option, const char *argument);
/** Whether the options fit together. False after a complaint. */
SLU_MUST_USE bool slu_submit_complete(struct slu_submit_options *options);

#endif
