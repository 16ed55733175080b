/* The subcommands of `sluice`, one file each, and what they share: exit codes, words on standard
 * error, arguments. Results go to standard output, one JSON object per line, everything else to
 * standard error. */
#ifndef SLU_CLIENT_COMMAND_H
#define SLU_CLIENT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "client/urls.h"

enum slu_exit {
    SLU_EXIT_OK = 0,
    SLU_EXIT_NO_NODE = 1, /* no node could be reached, or the system refused */
    SLU_EXIT_NOT_ALL = 2, /* the node said no to some of it; wrong arguments */
    SLU_EXIT_LIE = 3,     /* what was to be verified is not true */
};

/** Each takes the arguments from the subcommand's own name on and returns an exit code. */
int slu_command_genesis(int argc, char **argv);
int slu_command_submit(int argc, char **argv);
int slu_command_bundle(int argc, char **argv);
int slu_command_subscribe(int argc, char **argv);
int slu_command_receipt(int argc, char **argv);
int slu_command_evidence(int argc, char **argv);
int slu_command_verify(int argc, char **argv);
int slu_command_proof(int argc, char **argv);
int slu_command_show(int argc, char **argv);
int slu_command_tx(int argc, char **argv);
int slu_command_status(int argc, char **argv);
int slu_command_bench(int argc, char **argv);
/** In inspect/: it reads a node's records. */
int slu_command_audit(int argc, char **argv);
int slu_command_backup_keys(int argc, char **argv);
int slu_command_restore_keys(int argc, char **argv);

/** "sluice COMMAND: words\n" on standard error, without control characters, since nodes have a part
 * in the words; returns `code`. */
__attribute__((format(printf, 3, 4))) int slu_complain(const char *command, int code,
                                                       const char *format, ...);

/** Parses a whole decimal number within low..high. False after a complaint naming `option`. */
SLU_MUST_USE bool slu_argument_number(const char *command, const char *option, const char *text,
                                      uint64_t low, uint64_t high, uint64_t *out);

/** Splits "URL[,URL...]"; a URL without a scheme gets tcp://. False after a complaint. */
SLU_MUST_USE bool slu_argument_urls(const char *command, const char *option, const char *text,
                                    struct slu_urls *urls);

#endif
