/* Submits COUNT transactions to a rollup, plain and sealed in turn, in lists of 20, and prints where each
 * was ordered: its payload, height and index. Usage: flood GENESIS ROLLUP COUNT URL... */
#include <inttypes.h>
#include <sluice/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST = 20 };

static char why[256];

static void on_trouble(void *context, const char *url, const char *words)
{
    (void)context;
    fprintf(stderr, "%s: %s\n", url, words);
}

/* Returns how many were ordered. */
static unsigned submit(struct slu_submitter *submitter, uint64_t rollup, unsigned first)
{
    struct slu_submission list[LIST] = {0};
    struct slu_outcome outcomes[LIST] = {0};
    char texts[LIST][32];
    unsigned ordered = 0;
    for (unsigned i = 0; i < LIST; i++) {
        list[i].kind = i % 2 ? SLU_SUBMIT_SEALED : SLU_SUBMIT_PLAIN;
        list[i].rollup = rollup;
        list[i].payload = (uint8_t *)texts[i];
        list[i].payload_len = (size_t)snprintf(texts[i], sizeof texts[i], "flood-%u", first + i);
    }
    if (slu_submitter_submit(submitter, list, LIST, why, sizeof why))
        fprintf(stderr, "submit: %s\n", why);
    for (unsigned i = 0; i < LIST; i++)
        if (list[i].has_id)
            memcpy(outcomes[i].id32, list[i].id32, 32);
        else
            outcomes[i].kind = SLU_OUTCOME_DROPPED;
    if (slu_submitter_wait(submitter, outcomes, LIST, 60000, why, sizeof why))
        fprintf(stderr, "wait: %s\n", why);
    for (unsigned i = 0; i < LIST; i++) {
        if (outcomes[i].kind == SLU_OUTCOME_ORDERED)
            printf("%s %" PRIu64 " %" PRIu32 "\n", texts[i], outcomes[i].height, outcomes[i].index);
        else
            fprintf(stderr, "%s: %d %s %d %s\n", texts[i], list[i].state, list[i].reason,
                    outcomes[i].kind, outcomes[i].reason);
        ordered += outcomes[i].kind == SLU_OUTCOME_ORDERED;
    }
    fflush(stdout);
    return ordered;
}

int main(int argc, char **argv)
{
    const struct slu_submitter_options options = {.answer_ms = 2000, .on_trouble = on_trouble};
    struct slu_submitter *submitter;
    struct slu_chain *chain;
    unsigned ordered = 0;
    if (argc < 5 || slu_chain_load(&chain, argv[1], why, sizeof why))
        return 2;
    const unsigned count = (unsigned)strtoul(argv[3], NULL, 10);
    if (slu_submitter_open(&submitter, chain, (const char *const *)argv + 4, (size_t)argc - 4,
                           &options, why, sizeof why)) {
        fprintf(stderr, "open: %s\n", why);
        return 1;
    }
    for (unsigned first = 0; first < count; first += LIST)
        ordered += submit(submitter, strtoull(argv[2], NULL, 10), first);
    slu_submitter_close(submitter);
    slu_chain_free(chain);
    return ordered < count;
}
