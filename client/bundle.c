/* `sluice bundle`: transactions for several rollups at one position, or at none. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "client/submit.h"
#include "sluice/error.h"
#include "wire/bundle.h"

static const char usage[] =
    "usage: sluice bundle --leg R:HEX --leg R:HEX ... --node URL[,URL...] [--wait]\n"
    "                     [--sealed --genesis FILE] [--forced] [--valid-for SECONDS]\n"
    "\n"
    "Submits one transaction with a payload for each of several rollups: all of them are ordered, "
    "at\n"
    "one height and index, or none. Prints one JSON line, as `sluice submit` does for each of "
    "its\n"
    "transactions. `sluice tx` and `sluice receipt` know it by its id.\n"
    "\n"
    "  --leg R:HEX          a payload (hex, with or without 0x) for rollup R; 2 to 16 of them, in "
    "this\n"
    "                       order; several may be for one rollup\n"
    "  --node URL,...       where to submit; the next one when it dies or stalls\n"
    "  --wait               wait until it has an outcome\n"
    "  --valid-for SECONDS  how long it may take to be ordered [as long as the chain allows; "
    "forced: 20]\n" SLU_SEALING_USAGE
    "  --genesis FILE       sealed: what the committee's key is checked with\n"
    "  --forced             through the queue that nobody can leave out; --receipts N as for\n"
    "                       submit --forced\n"
    "  --stall-ms MS        with several URLs: an answer owed for so long means the next node "
    "[5000]\n"
    "  --give-up S          seconds without any node until the outcome is \"unknown\" [60]\n"
    "\n"
    "Exit: as of `sluice submit`.\n";

/* The legs, with their payloads back to back. */
struct legs {
    struct slu_bundle bundle;
    size_t used;
    uint8_t bytes[SLU_TX_BYTES_MAX_CAP];
};

static bool add_leg(struct legs *legs, const char *argument)
{
    struct slu_bundle *bundle = &legs->bundle;
    const char *colon = strchr(argument, ':');
    char rollup[24];
    if (bundle->count == SLU_BUNDLE_LEGS_MAX) {
        slu_complain("bundle", 0, "--leg: more than %u", SLU_BUNDLE_LEGS_MAX);
        return false;
    }
    if (!colon || (size_t)(colon - argument) >= sizeof rollup) {
        slu_complain("bundle", 0, "--leg: '%.80s' is not R:HEX", argument);
        return false;
    }
    memcpy(rollup, argument, (size_t)(colon - argument));
    rollup[colon - argument] = '\0';
    const char *hex = colon + 1;
    if (hex[0] == '0' && (hex[1] == 'x' || hex[1] == 'X'))
        hex += 2;
    size_t len = strlen(hex) / 2;
    struct slu_bundle_leg *leg = &bundle->legs[bundle->count];
    *leg = (struct slu_bundle_leg){.payload = legs->bytes + legs->used, .payload_len = len};
    if (!slu_argument_number("bundle", "--leg", rollup, 1, SLU_ROLLUP_ID_MAX, &leg->rollup))
        return false;
    if (len > sizeof legs->bytes - legs->used) {
        slu_complain("bundle", 0, "--leg: more than %zu bytes in all", sizeof legs->bytes);
        return false;
    }
    if (len == 0 || slu_hex_decode(legs->bytes + legs->used, hex, strlen(hex))) {
        slu_complain("bundle", 0, "--leg: '%.80s' is not R: and pairs of hex digits", argument);
        return false;
    }
    legs->used += len;
    bundle->count++;
    return true;
}

static bool parse(int argc, char **argv, struct slu_submit_options *o, struct legs *legs, int *code)
{
    static const struct option longs[] = {
        {"leg", required_argument, NULL, 'l'},
        SLU_SUBMIT_OPTIONS,
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    *code = SLU_EXIT_NOT_ALL;
    while ((option = slu_submit_next(o, argc, argv, longs)) != -1) {
        if (option == 'l' && add_leg(legs, optarg))
            continue;
        *code = slu_submit_help(option, usage);
        return false;
    }
    if (optind < argc || legs->bundle.count < SLU_BUNDLE_LEGS_MIN) {
        slu_complain("bundle", 0, "needs --leg R:HEX, twice at least, and --node URL");
        return false;
    }
    return slu_submit_complete(o);
}

int slu_command_bundle(int argc, char **argv)
{
    static struct slu_submit_options options;
    static struct legs legs;
    static uint8_t body[1 + SLU_BUNDLE_LEGS_MAX * SLU_BUNDLE_LEG_HEAD_BYTES + sizeof legs.bytes];
    size_t len;
    int code;
    slu_submit_options_init(&options, "bundle");
    legs = (struct legs){.used = 0};
    if (!parse(argc, argv, &options, &legs, &code))
        return code;
    SLU_CHECK(slu_bundle_body(body, sizeof body, &len, &legs.bundle) == SLU_OK);
    slu_payloads_make(&options.payloads, body, len);
    return slu_submit_lines(&options);
}
