/* `sluice evidence`: what nodes have provably done wrong, as a node holds it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/command.h"
#include "client/offence.h"
#include "client/outline.h"
#include "client/session.h"
#include "client/text.h"
#include "sluice/error.h"
#include "wire/evidence.h"

static const char usage[] =
    "usage: sluice evidence --node URL[,URL...] [--dir D]\n"
    "\n"
    "Prints one JSON line for each piece of evidence that the node holds:\n"
    "  {\"id\",\"offence\",\"offender\",\"at\",\"bytes\"}\n"
    "`at` is the lane position of two batches, the view of two votes, or the height of a wrong "
    "share or release.\n"
    "Each proves itself with the genesis alone: `sluice verify FILE --genesis G`.\n"
    "\n"
    "  --node URL,...  nodes to ask, the next one when one is dead\n"
    "  --dir D         also write each to D/ID.evidence\n"
    "\n"
    "Exit: 0 answered, 1 no node, 2 refused, or D cannot be written, 3 something is no evidence.\n";

#define ANSWER_MS 10000u

static int save(const char *dir, const char *id_hex, const ProtobufCBinaryData *item)
{
    char path[1024];
    if (mkdir(dir, 0755) != 0 && errno != EEXIST)
        return slu_complain("evidence", SLU_EXIT_NOT_ALL, "--dir: %s: %s", dir, strerror(errno));
    int len = snprintf(path, sizeof path, "%s/%s.evidence", dir, id_hex);
    if (len < 0 || (size_t)len >= sizeof path)
        return slu_complain("evidence", SLU_EXIT_NOT_ALL, "--dir: %s: too long", dir);
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(item->data, 1, item->len, file) == item->len;
    ok = file && fclose(file) == 0 && ok;
    return ok ? SLU_EXIT_OK
              : slu_complain("evidence", SLU_EXIT_NOT_ALL, "--dir: %s: %s", path, strerror(errno));
}

static int print_one(struct slu_text *text, const struct slu_genesis *outline,
                     const ProtobufCBinaryData *item, const char *dir)
{
    struct slu_evidence evidence;
    char id[65];
    int rc = slu_evidence_outline(&evidence, outline, item->data, item->len);
    if (rc)
        return slu_complain("evidence", SLU_EXIT_LIE, "the node gave something that is none: %s",
                            slu_strerror(rc));
    slu_hex_encode(id, evidence.id, 32);
    slu_text_add(text, "{\"id\":\"");
    slu_text_add(text, id);
    slu_text_add(text, "\",");
    slu_offence_json(text, &evidence);
    slu_text_add(text, ",\"bytes\":\"0x");
    slu_text_add_hex(text, item->data, item->len);
    slu_text_add(text, "\"}\n");
    return dir ? save(dir, id, item) : SLU_EXIT_OK;
}

static int print_all(const Slu__Client__EvidenceReply *reply, const uint8_t chain_id32[32],
                     const char *dir)
{
    static struct slu_genesis outline;
    struct slu_text text = {0};
    int code = SLU_EXIT_OK;
    slu_outline(&outline, chain_id32);
    for (size_t i = 0; i < reply->n_items; i++) {
        int one = print_one(&text, &outline, &reply->items[i], dir);
        code = code == SLU_EXIT_OK ? one : code;
    }
    if (!slu_text_write(&text, stdout))
        code = slu_complain("evidence", SLU_EXIT_NO_NODE, "standard output cannot be written");
    slu_text_free(&text);
    return code;
}

/* One answer; `*skip` are known, and more are then. */
static int ask_from(struct slu_session *session, const char *dir, uint32_t *skip, bool *more)
{
    Slu__Client__EvidenceQuery query = SLU__CLIENT__EVIDENCE_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    Slu__Client__Reply *reply;
    query.skip = *skip;
    request.body_case = SLU__CLIENT__REQUEST__BODY_EVIDENCE;
    request.evidence = &query;
    *more = false;
    int rc = slu_session_call(session, &request, &reply, ANSWER_MS);
    if (rc)
        return slu_complain("evidence", SLU_EXIT_NO_NODE, "no answer: %s", slu_strerror(rc));
    int code;
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_EVIDENCE) {
        code = print_all(reply->evidence, slu_session_chain_id32(session), dir);
        *skip += (uint32_t)reply->evidence->n_items;
        *more = reply->evidence->more && reply->evidence->n_items > 0 &&
                *skip < SLU_NODES_MAX * SLU_OFFENCES;
    } else if (reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR) {
        code = slu_complain("evidence", SLU_EXIT_NOT_ALL, "%s: %s", reply->error->code,
                            reply->error->text);
    } else {
        code = slu_complain("evidence", SLU_EXIT_NO_NODE, "the node answered something else");
    }
    slu_reply_free(reply);
    return code;
}

static int ask(struct slu_session *session, const char *dir)
{
    uint32_t skip = 0;
    int code = SLU_EXIT_OK;
    for (bool more = true; more && code == SLU_EXIT_OK;)
        code = ask_from(session, dir, &skip, &more);
    return code;
}

int slu_command_evidence(int argc, char **argv)
{
    static const struct option longs[] = {
        {"node", required_argument, NULL, 'n'},
        {"dir", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct slu_urls urls = {0};
    const char *dir = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'n' && slu_argument_urls("evidence", "--node", optarg, &urls))
            continue;
        if (option == 'd') {
            dir = optarg;
            continue;
        }
        if (option != 'n')
            fputs(usage, option == 'h' ? stdout : stderr);
        return option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
    }
    if (urls.count == 0 || optind < argc)
        return slu_complain("evidence", SLU_EXIT_NOT_ALL, "needs --node URL and no other words");
    char why[256];
    struct slu_session *session = slu_urls_open(&urls, 0, why, sizeof why);
    if (!session)
        return slu_complain("evidence", SLU_EXIT_NO_NODE, "no node: %s", why);
    int code = ask(session, dir);
    slu_session_close(session);
    return code;
}
