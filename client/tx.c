/* `sluice tx`: where is one transaction. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "client/command.h"
#include "client/hex_lines.h"
#include "client/place.h"
#include "client/session.h"
#include "client/stage.h"
#include "client/text.h"

static const char usage[] =
    "usage: sluice tx ID --node URL[,URL...]\n"
    "\n"
    "Prints {\"id\",\"state\",\"height\",\"index\"}; the state is accepted, certified, ordered, "
    "final,\n"
    "expired, dropped (with a \"reason\") or unknown; of forced ones also held, held_certified "
    "and\n"
    "queued (with a \"due_height\"). A node remembers an id for the dedup window\n"
    "after its delivery; the stream itself remembers it for as long as it is retained.\n"
    "\n"
    "  --node URL,...  nodes to ask, the next one when one is dead\n"
    "\n"
    "Exit: 0 known, 1 no node, 2 unknown.\n";

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
    if (status->forced)
        slu_text_add(&text, ",\"forced\":true");
    if (status->due_height) {
        slu_text_add(&text, ",\"due_height\":");
        slu_text_add_number(&text, status->due_height);
    }
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
    Slu__Client__Reply *reply = slu_place_ask(session, id32, 0);
    if (!reply)
        return slu_complain("tx", SLU_EXIT_NO_NODE, "no answer");
    char hex[65];
    slu_hex_encode(hex, id32, 32);
    int code = print_status(hex, reply->query->statuses[0]);
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
