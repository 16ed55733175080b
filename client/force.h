/* `sluice submit --forced`: the way past a node that will not take a transaction, or a leader that
 * leaves it out (docs/PROTOCOL.md clause 6).
 *
 *     terms ─▶ envelope ─▶ work for the postage ─▶ Force ─▶ receipts of f+1 nodes ─▶ (wait) where
 */
#ifndef SLU_CLIENT_FORCE_H
#define SLU_CLIENT_FORCE_H

/** As a subcommand's function (client/command.h); the arguments hold --forced. */
int slu_submit_forced(int argc, char **argv);

#endif
