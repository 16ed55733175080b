/* `sluice tx`: where is one transaction. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "client/command.h"
#include "client/hex_lines.h"
#include "client/session.h"
#include "client/stage.h"
#include "client/text.h"
#include "sluice/error.h"

static const char usage[] =
    "usage: sluice tx ID --node URL[,URL...]\n"
    "\n"
    "Prints {\"id\",\"state\",\"height\",\"index\"}; the state is accepted, certified, ordered, "
    "final,\n"
    "expired, dropped (with a \"reason\") or unknown. A node remembers an id for the dedup window\n"
    "after its delivery; the stream itself remembers it for as long as it is retained.\n"
    "\n"
    "  --node URL,...  nodes to ask, the next one when one is dead\n"
    "\n"
    "Exit: 0 known, 1 no node, 2 unknown.\n";

#define ANSWER_MS 10000u

static int print_status(const char *id_hex, const Slu__Client__TxStatus *status)
{
    struct slu_text text = {0};
    const char *state = slu_stage_name(status->stage, status->reason);
    bool placed = status->stage == SLU_CLIENT_FINAL || status->stage == SLU_CLIENT_DROPPED;
    slu_text_add(&text, "{\"id\":\"");
    slu_text_add(&text, id_hex);
    slu_text_add(&text, "\",\"state\":\"");
    slu_text_add(&text, state);
    slu_text_add(&text, "\"");
    if (placed) {
        slu_text_add(&text, ",\"height\":");
        slu_text_add_number(&text, status->height);
    }
    if (status->stage == SLU_CLIENT_FINAL) {
        slu_text_add(&text, ",\"index\":");
        slu_text_add_number(&text, status->index);
    }
    if (status->stage == SLU_CLIENT_DROPPED) {
        slu_text_add(&text, ",\"reason\":");
        slu_text_add_json(&text, status->reason);
    }
    slu_text_add(&text, "}\n");
    bool ok = slu_text_write(&text, stdout);
    slu_text_free(&text);
    if (!ok)
        return slu_complain("tx", SLU_EXIT_NO_NODE, "standard output cannot be written");
    return status->stage == SLU_CLIENT_UNKNOWN ? SLU_EXIT_NOT_ALL : SLU_EXIT_OK;
}

static int ask(struct slu_session *session, uint8_t id32[32])
{
    ProtobufCBinaryData id = {.len = 32, .data = id32};
    Slu__Client__TxQuery query = SLU__CLIENT__TX_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    query.n_ids = 1;
    query.ids = &id;
    request.body_case = SLU__CLIENT__REQUEST__BODY_QUERY;
    request.query = &query;
    Slu__Client__Reply *reply;
    int rc = slu_session_call(session, &request, &reply, ANSWER_MS);
    if (rc)
        return slu_complain("tx", SLU_EXIT_NO_NODE, "no answer: %s", slu_strerror(rc));
    int code;
    char hex[65];
    slu_hex_encode(hex, id32, 32);
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_QUERY && reply->query->n_statuses == 1)
        code = print_status(hex, reply->query->statuses[0]);
    else if (reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR)
        code =
            slu_complain("tx", SLU_EXIT_NOT_ALL, "%s: %s", reply->error->code, reply->error->text);
    else
        code = slu_complain("tx", SLU_EXIT_NO_NODE, "the node answered something else");
    slu_reply_free(reply);
    return code;
}

int slu_command_tx(int argc, char **argv)
{
    static const struct option longs[] = {
        {"node", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct slu_urls urls = {0};
    int option;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'n' && slu_argument_urls("tx", "--node", optarg, &urls))
            continue;
        if (option != 'n')
            fputs(usage, option == 'h' ? stdout : stderr);
        return option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
    }
    uint8_t id32[32];
    if (urls.count == 0 || optind + 1 != argc)
        return slu_complain("tx", SLU_EXIT_NOT_ALL, "needs one ID and --node URL");
    if (slu_hex_id(id32, argv[optind]))
        return slu_complain("tx", SLU_EXIT_NOT_ALL, "ID: '%s' is not 64 hex digits", argv[optind]);
    char why[256];
    struct slu_session *session = slu_urls_open(&urls, 0, why, sizeof why);
    if (!session)
        return slu_complain("tx", SLU_EXIT_NO_NODE, "no node: %s", why);
    int code = ask(session, id32);
    slu_session_close(session);
    return code;
}
