/* `sluice verify`: checks evidence or a receipt offline, with nothing but the genesis. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "client/command.h"
#include "client/receipts.h"
#include "config/genesis_json.h"
#include "crypto/keyguard.h"
#include "sluice/error.h"
#include "wire/evidence.h"

static const char usage[] = "usage: sluice verify FILE --genesis G\n"
                            "\n"
                            "Checks what a node handed out, without any node: FILE holds evidence "
                            "(`sluice evidence --dir`) "
                            "or a\n"
                            "receipt, as bytes or as 0x-hex. Prints one JSON line.\n"
                            "\n"
                            "Exit: 0 it is valid, 2 FILE or G cannot be read, 3 it is not valid.\n";

#define FILE_BYTES_MAX 4096u

static bool verify_signature(void *context, uint16_t node, const uint8_t digest32[32],
                             const uint8_t signature64[64])
{
    const struct slu_genesis *genesis = context;
    return node < genesis->n &&
           slu_signature_ok(genesis->nodes[node].public32, digest32, signature64);
}

/* The file's bytes, out of hex when it is that. Returns their number; 0 after a complaint. */
static size_t read_file(const char *path, uint8_t *out)
{
    static char text[FILE_BYTES_MAX + 1];
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(text, 1, sizeof text, file) : 0;
    if (!file || ferror(file))
        slu_complain("verify", 0, "%s: %s", path, strerror(errno));
    else if (len == 0 || len == sizeof text)
        slu_complain("verify", 0, "%s: %s", path, len ? "too long for either" : "empty");
    bool read = file && !ferror(file) && len > 0 && len < sizeof text;
    if (file)
        fclose(file);
    if (!read)
        return 0;
    size_t digits = len;
    while (digits > 0 && (text[digits - 1] == '\n' || text[digits - 1] == '\r'))
        digits--;
    if (digits > 2 && text[0] == '0' && text[1] == 'x' &&
        slu_hex_decode(out, text + 2, digits - 2) == 0)
        return (digits - 2) / 2;
    memcpy(out, text, len);
    return len;
}

static int not_valid(const char *what, int error)
{
    printf("{\"valid\":false,\"what\":\"%s\",\"reason\":\"%s\"}\n", what, slu_strerror(error));
    return SLU_EXIT_LIE;
}

static int check_receipt(const struct slu_genesis *genesis, const uint8_t *bytes, size_t len)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    struct slu_receipt receipt;
    char id[65];
    if (slu_receipt_read(&r, genesis, &receipt) || !slu_reader_done(&r))
        return not_valid("receipt", SLU_ERR_MALFORMED);
    if (!slu_receipt_ok(&receipt, genesis))
        return not_valid("receipt", SLU_ERR_SIGNATURE);
    slu_hex_encode(id, receipt.id, 32);
    printf("{\"valid\":true,\"what\":\"receipt\",\"id\":\"%s\",\"node\":%u,\"time_ms\":%llu,"
           "\"height\":%llu}\n",
           id, receipt.node, (unsigned long long)receipt.time_ms,
           (unsigned long long)receipt.height);
    return SLU_EXIT_OK;
}

static int check_evidence(struct slu_genesis *genesis, const uint8_t *bytes, size_t len)
{
    struct slu_verifier verifier = {.context = genesis, .verify = verify_signature};
    struct slu_evidence found;
    char id[65];
    int error = slu_evidence_check(&found, genesis, bytes, len, &verifier);
    if (error)
        return not_valid("evidence", error);
    slu_hex_encode(id, found.id, 32);
    printf("{\"valid\":true,\"what\":\"evidence\",\"id\":\"%s\",\"offence\":\"%s\",\"offender\":%u,"
           "\"at\":%llu}\n",
           id, slu_offence_name(found.offence), found.offender, (unsigned long long)found.at);
    return SLU_EXIT_OK;
}

int slu_command_verify(int argc, char **argv)
{
    static const struct option longs[] = {
        {"genesis", required_argument, NULL, 'g'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct slu_genesis genesis;
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
    size_t len = read_file(argv[optind], bytes);
    if (len == 0)
        return SLU_EXIT_NOT_ALL;
    return len == SLU_RECEIPT_BYTES ? check_receipt(&genesis, bytes, len)
                                    : check_evidence(&genesis, bytes, len);
}
