/* `sluice proof`: all that it takes to show somebody else where a transaction stands. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/command.h"
#include "client/hex_lines.h"
#include "client/proofs.h"
#include "client/session.h"
#include "config/genesis_json.h"
#include "sluice/error.h"

static const char usage[] =
    "usage: sluice proof ID --node URL[,URL...] [--height H] [--rollup R] [--genesis G] "
    "[--wait S] > FILE\n"
    "\n"
    "Writes a proof (docs/PROTOCOL.md clause 8.9) that the transaction stands where it does, for "
    "whoever has\n"
    "the genesis and no node: `sluice verify FILE --genesis G`. Of a forced one it shows how it "
    "was "
    "queued,\n"
    "of a sealed one that is opened what was inside. `sluice show FILE` prints what it claims.\n"
    "\n"
    "  --node URL,...  nodes to ask, the next one when one is dead\n"
    "  --height H      where it was ordered, as `submit --wait` and `subscribe` say: without it a "
    "node finds\n"
    "                  only what it remembers (some 30 s)\n"
    "  --rollup R      of a bundle: the leg in whose list it is to be shown\n"
    "  --genesis G     check it before it is written\n"
    "  --wait S        for so long while it is not final, or its height not certified yet (0)\n"
    "\n"
    "Exit: 0 written, 1 no node, 2 there is none (unknown, not final, not certified, pruned, not "
    "there),\n"
    "3 what the node gave does not prove it.\n";

#define ANSWER_MS 10000u
#define AGAIN_MS  200u

struct asked {
    uint8_t id32[32];
    uint64_t height, rollup, wait_s;
    const struct slu_genesis *genesis; /* NULL: not checked */
};

/* Why the bytes are no proof of what was asked for; NULL: they are one, as far as was to be
 * checked. */
static const char *look(const struct asked *asked, const ProtobufCBinaryData *bytes)
{
    struct slu_proof proof;
    struct slu_proof_facts facts;
    enum slu_proof_fault fault = slu_proof_read(&proof, bytes->data, bytes->len);
    if (!fault && asked->genesis)
        fault = slu_proof_judge(&proof, asked->genesis, bytes->data, bytes->len);
    if (fault)
        return slu_proof_fault_words(fault);
    slu_proof_claims(&facts, &proof);
    if (memcmp(facts.id, asked->id32, 32) != 0)
        return "it is about another transaction";
    return asked->rollup && facts.bundle && facts.rollup != asked->rollup
               ? "it is in the list of another rollup"
               : NULL;
}

static int write_out(const struct asked *asked, const ProtobufCBinaryData *bytes)
{
    const char *lie = look(asked, bytes);
    if (lie)
        return slu_complain("proof", SLU_EXIT_LIE, "what the node gave does not prove it: %s", lie);
    if (fwrite(bytes->data, 1, bytes->len, stdout) != bytes->len || fflush(stdout) != 0)
        return slu_complain("proof", SLU_EXIT_NO_NODE, "standard output cannot be written");
    return SLU_EXIT_OK;
}

static bool is_soon(const char *reason)
{
    return !strcmp(reason, "not_final") || !strcmp(reason, "not_certified");
}

static int ask(struct slu_session *session, struct asked *asked)
{
    Slu__Client__ProofQuery query = SLU__CLIENT__PROOF_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    Slu__Client__Reply *reply;
    query.id = (ProtobufCBinaryData){32, asked->id32};
    query.rollup = asked->rollup;
    query.height = asked->height;
    request.body_case = SLU__CLIENT__REQUEST__BODY_PROOF;
    request.proof = &query;
    for (uint64_t until = slu_now_ms() + asked->wait_s * 1000;;) {
        int rc = slu_session_call(session, &request, &reply, ANSWER_MS);
        if (rc)
            return slu_complain("proof", SLU_EXIT_NO_NODE, "no answer: %s", slu_strerror(rc));
        if (reply->body_case != SLU__CLIENT__REPLY__BODY_PROOF || reply->proof->proof.len > 0 ||
            !is_soon(reply->proof->reason) || slu_now_ms() >= until)
            break;
        slu_reply_free(reply);
        usleep(AGAIN_MS * 1000u);
    }
    int code;
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR)
        code = slu_complain("proof", SLU_EXIT_NOT_ALL, "%s: %s", reply->error->code,
                            reply->error->text);
    else if (reply->body_case != SLU__CLIENT__REPLY__BODY_PROOF)
        code = slu_complain("proof", SLU_EXIT_NO_NODE, "the node answered something else");
    else if (reply->proof->proof.len == 0)
        code = slu_complain("proof", SLU_EXIT_NOT_ALL, "there is none: %s", reply->proof->reason);
    else
        code = write_out(asked, &reply->proof->proof);
    slu_reply_free(reply);
    return code;
}

static bool take_option(int option, const char *value, struct slu_urls *urls, struct asked *asked,
                        const char **genesis)
{
    switch (option) {
    case 'n':
        return slu_argument_urls("proof", "--node", value, urls);
    case 'r':
        return slu_argument_number("proof", "--rollup", value, 1, SLU_ROLLUP_ID_MAX,
                                   &asked->rollup);
    case 'H':
        return slu_argument_number("proof", "--height", value, 1, UINT64_MAX, &asked->height);
    case 'w':
        return slu_argument_number("proof", "--wait", value, 0, 86400, &asked->wait_s);
    case 'g':
        *genesis = value;
        return true;
    default:
        fputs(usage, option == 'h' ? stdout : stderr);
        return false;
    }
}

int slu_command_proof(int argc, char **argv)
{
    static const struct option longs[] = {
        {"node", required_argument, NULL, 'n'},
        {"height", required_argument, NULL, 'H'},
        {"rollup", required_argument, NULL, 'r'},
        {"genesis", required_argument, NULL, 'g'},
        {"wait", required_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct slu_genesis genesis;
    struct slu_urls urls = {0};
    struct asked asked = {0};
    const char *path = NULL;
    char why[512];
    int option;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1)
        if (!take_option(option, optarg, &urls, &asked, &path))
            return option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
    if (urls.count == 0 || optind + 1 != argc)
        return slu_complain("proof", SLU_EXIT_NOT_ALL, "needs one ID and --node URL");
    if (slu_hex_id(asked.id32, argv[optind]))
        return slu_complain("proof", SLU_EXIT_NOT_ALL, "ID: '%s' is not 64 hex digits",
                            argv[optind]);
    if (path && slu_genesis_load(&genesis, path, why, sizeof why))
        return slu_complain("proof", SLU_EXIT_NOT_ALL, "--genesis: %s", why);
    asked.genesis = path ? &genesis : NULL;
    if (isatty(STDOUT_FILENO))
        return slu_complain("proof", SLU_EXIT_NOT_ALL, "a proof is bytes: > FILE");
    struct slu_session *session = slu_urls_open(&urls, 0, why, sizeof why);
    if (!session)
        return slu_complain("proof", SLU_EXIT_NO_NODE, "no node: %s", why);
    int code = ask(session, &asked);
    slu_session_close(session);
    return code;
}
