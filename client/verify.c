/* `sluice verify`: checks evidence or a receipt offline, with nothing but the genesis. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "client/command.h"
#include "client/offence.h"
#include "client/proof_file.h"
#include "client/receipts.h"
#include "config/genesis_json.h"
#include "crypto/keyguard.h"
#include "sluice/error.h"
#include "wire/evidence.h"

static const char usage[] =
    "usage: sluice verify FILE --genesis G\n"
    "\n"
    "Checks what a node handed out, without any node. FILE holds evidence or a receipt: its bytes "
    "(`sluice\n"
    "evidence --dir`), 0x-hex of them, or a JSON object with that as \"bytes\", as `sluice "
    "evidence` and\n"
    "`sluice submit --forced` print it. Prints {\"valid\",\"what\",...}, with a \"reason\" when "
    "not valid.\n"
    "\n"
    "Exit: 0 it is valid, 2 FILE or G cannot be read, 3 it is not valid.\n";

#define FILE_BYTES_MAX (2u * SLU_EVIDENCE_BYTES_MAX + 1024u) /* hex of it in a JSON object */

static bool verify_signature(void *context, uint16_t node, const uint8_t digest32[32],
                             const uint8_t signature64[64])
{
    const struct slu_genesis *genesis = context;
    return node < genesis->n &&
           slu_signature_ok(genesis->nodes[node].public32, digest32, signature64);
}

/* The file's bytes, and how many; 0 after a complaint. */
static size_t read_file(const char *path, char *text)
{
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(text, 1, FILE_BYTES_MAX + 1, file) : 0;
    if (!file || ferror(file)) {
        slu_complain("verify", 0, "%s: %s", path, strerror(errno));
        len = 0;
    } else if (len == 0 || len > FILE_BYTES_MAX) {
        slu_complain("verify", 0, "%s: %s", path, len ? "too long for either" : "empty");
        len = 0;
    }
    if (file)
        fclose(file);
    return len;
}

static int not_valid(struct slu_text *text, const char *what, int error)
{
    slu_text_add(text, "{\"valid\":false,\"what\":\"");
    slu_text_add(text, what);
    slu_text_add(text, "\",\"reason\":");
    slu_text_add_json(text, slu_strerror(error));
    return SLU_EXIT_LIE;
}

static void valid(struct slu_text *text, const char *what, const uint8_t id32[32])
{
    slu_text_add(text, "{\"valid\":true,\"what\":\"");
    slu_text_add(text, what);
    slu_text_add(text, "\",\"id\":\"");
    slu_text_add_hex(text, id32, 32);
    slu_text_add(text, "\",");
}

static int check_receipt(struct slu_text *text, const struct slu_genesis *genesis,
                         const uint8_t *bytes, size_t len)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    struct slu_receipt receipt;
    int rc = slu_receipt_read(&r, genesis, &receipt);
    if (rc || !slu_receipt_ok(&receipt, genesis))
        return not_valid(text, "receipt", rc ? rc : SLU_ERR_SIGNATURE);
    valid(text, "receipt", receipt.id);
    slu_text_add(text, "\"node\":");
    slu_text_add_number(text, receipt.node);
    slu_text_add(text, ",\"time_ms\":");
    slu_text_add_number(text, receipt.time_ms);
    slu_text_add(text, ",\"height\":");
    slu_text_add_number(text, receipt.height);
    return SLU_EXIT_OK;
}

static int check_evidence(struct slu_text *text, struct slu_genesis *genesis, const uint8_t *bytes,
                          size_t len)
{
    struct slu_verifier verifier = {.context = genesis, .verify = verify_signature};
    struct slu_evidence found;
    int rc = slu_evidence_check(&found, genesis, bytes, len, &verifier);
    if (rc)
        return not_valid(text, "evidence", rc);
    valid(text, "evidence", found.id);
    slu_offence_json(text, &found);
    return SLU_EXIT_OK;
}

static int check(struct slu_genesis *genesis, const uint8_t *bytes, size_t len)
{
    struct slu_text text = {0};
    int code = len == SLU_RECEIPT_BYTES ? check_receipt(&text, genesis, bytes, len)
                                        : check_evidence(&text, genesis, bytes, len);
    slu_text_add(&text, "}\n");
    if (!slu_text_write(&text, stdout))
        code = slu_complain("verify", SLU_EXIT_NO_NODE, "standard output cannot be written");
    slu_text_free(&text);
    return code;
}

int slu_command_verify(int argc, char **argv)
{
    static const struct option longs[] = {
        {"genesis", required_argument, NULL, 'g'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct slu_genesis genesis;
    static char text[FILE_BYTES_MAX + 1];
    static uint8_t bytes[FILE_BYTES_MAX];
    const char *path = NULL;
    char why[512];
    int option;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'g') {
            path = optarg;
            continue;
        }
        fputs(usage, option == 'h' ? stdout : stderr);
        return option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
    }
    if (!path || optind + 1 != argc)
        return slu_complain("verify", SLU_EXIT_NOT_ALL, "needs one FILE and --genesis G");
    if (slu_genesis_load(&genesis, path, why, sizeof why))
        return slu_complain("verify", SLU_EXIT_NOT_ALL, "--genesis: %s", why);
    size_t len = read_file(argv[optind], text);
    if (len == 0)
        return SLU_EXIT_NOT_ALL;
    return check(&genesis, bytes, slu_proof_bytes(bytes, text, len));
}
