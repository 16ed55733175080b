/* `sluice show`: what a proof claims, for people; checks nothing. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/command.h"
#include "client/proof_file.h"
#include "client/proofs.h"

static const char usage[] =
    "usage: sluice show FILE\n"
    "\n"
    "Prints what a proof (`sluice proof`) claims, and how it would show that, as one JSON object, "
    "without\n"
    "checking any of it: that takes the genesis, and `sluice verify`. FILE is as there.\n"
    "  "
    "{\"what\",\"checked\":false,\"bytes\",\"chain_id\",\"id\",...,\"runs\":[{\"from\",\"to\","
    "\"signers\"}],\"list\",\"key\",...}\n"
    "\n"
    "Exit: 0 shown, 2 FILE cannot be read, 3 it is no proof.\n";

static void add_number(struct slu_text *text, const char *name, uint64_t number)
{
    slu_text_add(text, name);
    slu_text_add_number(text, number);
}

static void add_run(struct slu_text *text, const struct slu_proof_run *run)
{
    struct slu_reader r = slu_reader_of(run->signatures, (size_t)run->signers * 66u);
    add_number(text, "{\"from\":", run->first);
    add_number(text, ",\"to\":", run->first + run->count - 1u);
    for (uint16_t i = 0; i < run->signers; i++) {
        add_number(text, i ? "," : ",\"signers\":[", slu_read_u16(&r));
        slu_read_bytes(&r, 64);
    }
    slu_text_add(text, "]}");
}

/* Where it stands in its list, and that in the space: the counts and places of the proofs. */
static void add_list(struct slu_text *text, const char *name, const struct slu_proof_place *place)
{
    struct slu_reader r = slu_reader_of(place->shown, place->shown_len);
    uint32_t rollups = slu_read_u32(&r);
    slu_read_bytes(&r, 4 + 1);
    slu_text_add(text, name);
    add_number(text, "{\"rollup\":", slu_read_u64(&r));
    add_number(text, ",\"entries\":", slu_read_u32(&r));
    add_number(text, ",\"rollups\":", rollups);
    add_number(text, ",\"bytes\":", place->shown_len);
    slu_text_add(text, "}");
}

static int show(const uint8_t *bytes, size_t len)
{
    struct slu_text text = {0};
    struct slu_proof proof;
    struct slu_proof_facts facts;
    enum slu_proof_fault fault = slu_proof_read(&proof, bytes, len);
    if (fault)
        return slu_complain("show", SLU_EXIT_LIE, "%s", slu_proof_fault_words(fault));
    slu_proof_claims(&facts, &proof);
    add_number(&text, "{\"what\":\"proof\",\"checked\":false,\"bytes\":", len);
    slu_text_add(&text, ",\"chain_id\":\"");
    slu_text_add_hex(&text, proof.chain_id32, 32);
    slu_text_add(&text, "\",\"id\":\"");
    slu_text_add_hex(&text, facts.id, 32);
    slu_text_add(&text, "\",");
    slu_proof_facts_json(&text, &facts);
    for (uint8_t i = 0; i < proof.runs; i++) {
        slu_text_add(&text, i ? "," : ",\"runs\":[");
        add_run(&text, &proof.run[i]);
    }
    add_list(&text, "],\"list\":", &proof.ordered);
    if (proof.has_opened)
        add_list(&text, ",\"opened_list\":", &proof.opened);
    if (proof.has_queued)
        add_number(&text, ",\"queueing_bytes\":", (uint64_t)proof.parent_len + proof.block_len);
    if (proof.key_cert_len)
        add_number(&text, ",\"key_bytes\":", proof.key_cert_len);
    slu_text_add(&text, "}\n");
    bool ok = slu_text_write(&text, stdout);
    slu_text_free(&text);
    if (!ok)
        return slu_complain("show", SLU_EXIT_NO_NODE, "standard output cannot be written");
    slu_complain("show", 0, "not checked: `sluice verify FILE --genesis G` does that");
    return SLU_EXIT_OK;
}

int slu_command_show(int argc, char **argv)
{
    static const struct option longs[] = {
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option = getopt_long(argc, argv, "", longs, NULL);
    if (option != -1) {
        fputs(usage, option == 'h' ? stdout : stderr);
        return option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
    }
    if (optind + 1 != argc)
        return slu_complain("show", SLU_EXIT_NOT_ALL, "needs one FILE");
    size_t len;
    uint8_t *bytes = slu_proof_file_load("show", argv[optind], &len);
    int code = bytes ? show(bytes, len) : SLU_EXIT_NOT_ALL;
    free(bytes);
    return code;
}
