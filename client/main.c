/* `sluice`: the command of users and operators. Finds the subcommand; the rest is in its file. */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/streams.h"
#include "client/command.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *words;
} commands[] = {
    {"genesis", slu_command_genesis, "make keys, a genesis and configs for a new chain"},
    {"submit", slu_command_submit, "submit transactions, and wait for where they were ordered"},
    {"bundle", slu_command_bundle, "submit one transaction for several rollups: all of it or none"},
    {"subscribe", slu_command_subscribe, "read the ordered stream, history and live"},
    {"tx", slu_command_tx, "ask where one transaction is"},
    {"receipt", slu_command_receipt,
     "ask where a forced transaction is, with the node's signature"},
    {"evidence", slu_command_evidence, "what nodes have provably done wrong"},
    {"proof", slu_command_proof, "all that shows somebody else where a transaction stands"},
    {"show", slu_command_show, "what a proof claims, unchecked"},
    {"verify", slu_command_verify, "check a proof, evidence or a receipt offline"},
    {"audit", slu_command_audit, "replay what a node shows, and check every rule"},
    {"status", slu_command_status, "ask a node how it is"},
    {"bench", slu_command_bench, "load a cluster and measure what it delivers"},
    {"backup-keys", slu_command_backup_keys, "copy a node's keys into one file"},
    {"restore-keys", slu_command_restore_keys, "and back"},
};

#define COMMANDS (sizeof commands / sizeof *commands)

static void usage(FILE *to)
{
    fputs("usage: sluice COMMAND [OPTION]...\n\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].words);
    fputs("\n`sluice COMMAND --help` tells more.\n", to);
}

int main(int argc, char **argv)
{
    slu_streams_hold();
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
        usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? SLU_EXIT_NOT_ALL : SLU_EXIT_OK;
    }
    if (sodium_init() < 0) {
        fputs("sluice: libsodium does not start\n", stderr);
        return SLU_EXIT_NO_NODE;
    }
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "sluice: no command '%s'\n\n", argv[1]);
    usage(stderr);
    return SLU_EXIT_NOT_ALL;
}
