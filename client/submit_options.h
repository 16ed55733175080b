/* What `sluice submit` and `sluice bundle` are told: how a transaction goes in, whatever it is.
 *
 *     slu_submit_next with SLU_SUBMIT_OPTIONS ─▶ slu_submit_complete ─▶ slu_submit_lines
 *           │ the command's own
 *           └▶ the command, or slu_submit_help
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
    uint64_t stall_ms;  /* the same */
    uint64_t receipts;  /* of forced ones; 0: f+1 */
    bool wait, forced, has_give_up;
    struct slu_payloads payloads;
};

/** Rows of a getopt_long table, beside the command's own and "help", 'h'. */
#define SLU_SUBMIT_OPTIONS                                                                         \
    {"node", required_argument, NULL, 'n'}, {"wait", no_argument, NULL, 'w'},                      \
        {"valid-for", required_argument, NULL, 'v'}, {"give-up", required_argument, NULL, 'g'},    \
        {"stall-ms", required_argument, NULL, 't'}, {"genesis", required_argument, NULL, 'G'},     \
        {"forced", no_argument, NULL, 'f'}, {"receipts", required_argument, NULL, 'q'},            \
        SLU_SEALING_OPTIONS

/** Options for the subcommand `command`, as long as nothing is asked for. */
void slu_submit_options_init(struct slu_submit_options *options, const char *command);
/** Takes options as long as they are these, and returns the first that is not, as getopt_long does
 * (its argument in optarg), -1 at the end, or SLU_SUBMIT_BAD after a complaint. */
int slu_submit_next(struct slu_submit_options *options, int argc, char **argv,
                    const struct option *longs);
#define SLU_SUBMIT_BAD 0
/** The exit code for an option that is the last one: help (prints `usage`), unknown (prints it as a
 * complaint), or one that was complained about. */
int slu_submit_help(int option, const char *usage);
/** Whether the options fit together. False after a complaint. */
SLU_MUST_USE bool slu_submit_complete(struct slu_submit_options *options);
/** Says on standard error that `genesis` does not know the rollup, or one of a bundle's: nodes
 * cannot refuse what is sealed for it, since they do not see for whom it is. */
void slu_submit_warn(const struct slu_submit_options *options, const struct slu_genesis *genesis);

#endif
