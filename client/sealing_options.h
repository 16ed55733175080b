/* The options of `sluice submit --sealed` and `sluice bench --sealed`, and what is said about a
 * key. */
#ifndef SLU_CLIENT_SEALING_OPTIONS_H
#define SLU_CLIENT_SEALING_OPTIONS_H

#include <getopt.h>

#include "client/sealing.h"

/** Rows of a getopt_long table; the letters are for slu_sealing_option. */
#define SLU_SEALING_OPTIONS                                                                        \
    {"sealed", no_argument, NULL, 'S'}, {"unlock-height", required_argument, NULL, 'H'},           \
        {"unlock-at", required_argument, NULL, 'A'},                                               \
    {                                                                                              \
        "unlock-in", required_argument, NULL, 'I'                                                  \
    }

#define SLU_SEALING_USAGE                                                                          \
    "  --sealed             nobody, no node either, can read it before its place is final; "       \
    "needs\n"                                                                                      \
    "                       --genesis, with which the committee's key is checked\n"                \
    "  --unlock-height H    sealed: stays closed until height H ...\n"                             \
    "  --unlock-at MS       ... or until this stream time ...\n"                                   \
    "  --unlock-in SECONDS  ... or for so long from now on\n"

/** Takes one option. Returns 1; 0: it is none of these; -1 after a complaint. */
int slu_sealing_option(struct slu_sealing *sealing, int option, const char *argument);
/** Whether the options fit together. False after a complaint. */
SLU_MUST_USE bool slu_sealing_complete(const struct slu_sealing *sealing, const char *genesis_path);

/** Says once on standard error that fewer nodes open what is sealed than the genesis wants, or that
 * the unlock is reached already, so that it keeps nothing closed. */
void slu_sealing_warn(struct slu_sealing *sealing);

/** What is sealed is for the chain of `genesis`, which must outlive it. False after a complaint:
 * that chain makes no key. */
SLU_MUST_USE bool slu_sealing_use(struct slu_sealing *sealing, const struct slu_genesis *genesis);
#endif
