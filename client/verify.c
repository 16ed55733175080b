/* `sluice verify`: checks a proof, evidence or a receipt offline, with nothing but the genesis. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "client/command.h"
#include "client/committee_key.h"
#include "client/offence.h"
#include "client/proof_file.h"
#include "client/proofs.h"
#include "client/receipts.h"
#include "config/genesis_json.h"
#include "sluice/error.h"
#include "wire/evidence.h"

static const char usage[] =
    "usage: sluice verify FILE --genesis G\n"
    "\n"
    "Checks what a node handed out, without any node. FILE (- is standard input) holds a proof "
    "(`sluice\n"
    "proof`), evidence (`sluice evidence --dir`) or a receipt: its bytes, 0x-hex of them, or a "
    "JSON\n"
    "object with that as \"bytes\", as `sluice evidence` and `sluice submit --forced` print it. "
    "Prints\n"
    "{\"valid\",\"what\",...}, with a \"reason\" when not valid. Of a proof:\n"
    "  {\"id\",\"height\",\"time_ms\",\"index\",\"rollup\",\"kind\",\"forced\",\"queued_at\","
    "\"opened\",\"payload\",\n"
    "   \"legs\",\"certified\"}: `queued_at` where that is shown, `opened` of a sealed one that is "
    "opened or\n"
    "void, `legs` of a bundle; `payload` is what is inside, once it is opened.\n"
    "\n"
    "Exit: 0 it is valid, 2 FILE or G cannot be read, 3 it is not valid.\n";

static int not_valid(struct slu_text *text, const char *what, const char *words)
{
    slu_text_add(text, "{\"valid\":false,\"what\":\"");
    slu_text_add(text, what);
    slu_text_add(text, "\",\"reason\":");
    slu_text_add_json(text, words);
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
        return not_valid(text, "receipt", slu_strerror(rc ? rc : SLU_ERR_SIGNATURE));
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
    struct slu_verifier verifier = {.context = genesis, .verify = slu_committee_signed};
    struct slu_evidence found;
    int rc = slu_evidence_check(&found, genesis, bytes, len, &verifier);
    if (rc)
        return not_valid(text, "evidence", slu_strerror(rc));
    valid(text, "evidence", found.id);
    slu_offence_json(text, &found);
    return SLU_EXIT_OK;
}

static int check_proof(struct slu_text *text, struct slu_genesis *genesis, const uint8_t *bytes,
                       size_t len)
{
    struct slu_proof_facts facts;
    struct slu_proof proof;
    enum slu_proof_fault fault = slu_proof_judge(&proof, genesis, bytes, len);
    if (fault)
        return not_valid(text, "proof", slu_proof_fault_words(fault));
    slu_proof_claims(&facts, &proof);
    valid(text, "proof", facts.id);
    slu_proof_facts_json(text, &facts);
    return SLU_EXIT_OK;
}

static int check(struct slu_genesis *genesis, const uint8_t *bytes, size_t len)
{
    struct slu_text text = {0};
    int code;
    if (slu_proof_is(bytes, len))
        code = check_proof(&text, genesis, bytes, len);
    else if (len == SLU_RECEIPT_BYTES)
        code = check_receipt(&text, genesis, bytes, len);
    else
        code = check_evidence(&text, genesis, bytes, len);
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
    size_t len;
    uint8_t *bytes = slu_proof_file_load("verify", argv[optind], &len);
    int code = bytes ? check(&genesis, bytes, len) : SLU_EXIT_NOT_ALL;
    free(bytes);
    return code;
}
