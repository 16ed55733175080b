/* `sluice status`: a node's own words about itself, passed through. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "client/command.h"
#include "client/session.h"
#include "sluice/error.h"

static const char usage[] =
    "usage: sluice status --node URL\n"
    "\n"
    "Prints the node's status as JSON: height, view, cut, lanes, queues, peers.\n"
    "\n"
    "  --node URL  the node's client URL\n"
    "\n"
    "Exit: 0 answered, 1 no node, 2 refused.\n";

#define ANSWER_MS 10000u

static int ask(struct slu_session *session)
{
    Slu__Client__StatusQuery query = SLU__CLIENT__STATUS_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    request.body_case = SLU__CLIENT__REQUEST__BODY_STATUS;
    request.status = &query;
    Slu__Client__Reply *reply;
    int rc = slu_session_call(session, &request, &reply, ANSWER_MS);
    if (rc)
        return slu_complain("status", SLU_EXIT_NO_NODE, "no answer: %s", slu_strerror(rc));
    int code = SLU_EXIT_OK;
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_STATUS) {
        const char *json = reply->status->json;
        size_t len = strlen(json);
        if (fputs(json, stdout) < 0 || (len && json[len - 1] != '\n' && putchar('\n') == EOF) ||
            fflush(stdout))
            code = slu_complain("status", SLU_EXIT_NO_NODE, "standard output cannot be written");
    } else if (reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR) {
        code = slu_complain("status", SLU_EXIT_NOT_ALL, "%s: %s", reply->error->code,
                            reply->error->text);
    } else {
        code = slu_complain("status", SLU_EXIT_NO_NODE, "the node answered something else");
    }
    slu_reply_free(reply);
    return code;
}

int slu_command_status(int argc, char **argv)
{
    static const struct option longs[] = {
        {"node", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct slu_urls urls = {0};
    int option;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'n' && slu_argument_urls("status", "--node", optarg, &urls))
            continue;
        if (option != 'n')
            fputs(usage, option == 'h' ? stdout : stderr);
        return option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
    }
    if (urls.count == 0 || optind < argc)
        return slu_complain("status", SLU_EXIT_NOT_ALL, "needs --node URL and nothing else");
    char why[256];
    struct slu_session *session = slu_urls_open(&urls, 0, why, sizeof why);
    if (!session)
        return slu_complain("status", SLU_EXIT_NO_NODE, "no node: %s", why);
    int code = ask(session);
    slu_session_close(session);
    return code;
}
