/* `sluice receipt`: where one forced transaction is, and the node's signed word for it. */
#include <getopt.h>
#include <stdio.h>

#include "client/command.h"
#include "client/hex_lines.h"
#include "client/place.h"
#include "client/receipts.h"
#include "client/stage.h"
#include "sluice/error.h"

static const char usage[] =
    "usage: sluice receipt ID... --node URL[,URL...]\n"
    "\n"
    "Prints where forced transactions are, one line each:\n"
    "  {\"id\",\"state\",\"certified\",\"queued_at\",\"due_height\",\"delivered_at\",\"index\","
    "\"receipt\"}\n"
    "with what is known: a receipt while the node holds it; queued_at and due_height from then on, "
    "also\n"
    "after its delivery, for as long as the node retains these heights.\n"
    "\n"
    "Exit: 0 all known, 1 no node, 2 some unknown, 3 the node contradicts itself, or a receipt is "
    "for "
    "another id.\n";

static void add_number(struct slu_text *text, const char *name, uint64_t number)
{
    slu_text_add(text, ",\"");
    slu_text_add(text, name);
    slu_text_add(text, "\":");
    slu_text_add_number(text, number);
}

static void add_place(struct slu_text *text, const Slu__Client__TxStatus *status)
{
    /* What was queued was certified, also where it is no longer known when. */
    bool past = status->stage == SLU_CLIENT_HELD_CERTIFIED || status->queued_height ||
                (status->stage == SLU_CLIENT_FINAL && status->forced);
    slu_text_add(text, slu_stage_name(status->stage, status->reason));
    slu_text_add(text, past ? "\",\"certified\":true" : "\",\"certified\":false");
    if (status->queued_height) {
        add_number(text, "queued_at", status->queued_height);
        add_number(text, "due_height", status->due_height);
    }
    if (status->stage == SLU_CLIENT_FINAL) {
        add_number(text, "delivered_at", status->height);
        add_number(text, "index", status->index);
    }
}

static int ask(struct slu_session *session, uint8_t id32[32])
{
    struct slu_text text = {0};
    struct slu_receipts receipts = {0};
    Slu__Client__Reply *place = slu_place_ask(session, id32, 0);
    Slu__Client__Reply *held = slu_receipt_ask(session, id32);
    if (!place) {
        slu_reply_free(held);
        return slu_complain("receipt", SLU_EXIT_NO_NODE, "no answer");
    }
    uint32_t stage = place->query->statuses[0]->stage;
    int code = stage == SLU_CLIENT_UNKNOWN ? SLU_EXIT_NOT_ALL : SLU_EXIT_OK;
    char why[SLU_PLACE_WORDS];
    if (slu_place_contradicts(place->query->statuses[0], why))
        code = slu_complain("receipt", SLU_EXIT_LIE, "the node contradicts itself: %s", why);
    slu_text_add(&text, "{\"id\":\"");
    slu_text_add_hex(&text, id32, 32);
    slu_text_add(&text, "\",\"state\":\"");
    add_place(&text, place->query->statuses[0]);
    int rc = held ? slu_receipts_add(&receipts, held->force, id32, NULL) : SLU_ERR_NOT_FOUND;
    if (rc == 0) {
        slu_text_add(&text, ",\"receipt\":");
        slu_receipt_json(&text, &receipts.items[0]);
    } else if (rc != SLU_ERR_NOT_FOUND) {
        code = slu_complain("receipt", SLU_EXIT_LIE, "the node's receipt is not good: %s",
                            slu_strerror(rc));
    }
    slu_text_add(&text, "}\n");
    bool ok = slu_text_write(&text, stdout);
    slu_text_free(&text);
    slu_reply_free(place);
    slu_reply_free(held);
    if (!ok)
        return slu_complain("receipt", SLU_EXIT_NO_NODE, "standard output cannot be written");
    return code;
}

int slu_command_receipt(int argc, char **argv)
{
    static const struct option longs[] = {
        {"node", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct slu_urls urls = {0};
    uint8_t id32[32];
    int option, code = SLU_EXIT_OK;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'n' && slu_argument_urls("receipt", "--node", optarg, &urls))
            continue;
        if (option != 'n')
            fputs(usage, option == 'h' ? stdout : stderr);
        return option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
    }
    if (urls.count == 0 || optind >= argc)
        return slu_complain("receipt", SLU_EXIT_NOT_ALL, "needs an ID and --node URL");
    for (int i = optind; i < argc; i++)
        if (slu_hex_id(id32, argv[i]))
            return slu_complain("receipt", SLU_EXIT_NOT_ALL, "ID: '%s' is not 64 hex digits",
                                argv[i]);
    char why[256];
    struct slu_session *session = slu_urls_open(&urls, 0, why, sizeof why);
    if (!session)
        return slu_complain("receipt", SLU_EXIT_NO_NODE, "no node: %s", why);
    for (int i = optind; i < argc && code != SLU_EXIT_NO_NODE; i++) {
        int one = slu_hex_id(id32, argv[i]) == 0 ? ask(session, id32) : SLU_EXIT_NOT_ALL;
        code = code == SLU_EXIT_OK || one == SLU_EXIT_NO_NODE ? one : code;
    }
    slu_session_close(session);
    return code;
}
