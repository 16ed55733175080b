/* Submits transactions to a rollup, plain and sealed in turn, list after list of 20 until its
 * standard input ends, and prints where each was ordered: its payload, height and index. Usage:
 * flood GENESIS ROLLUP URL... */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <poll.h>
#include <sluice/client.h>
#include <stdbool.h>
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

static bool input_ended(void)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    return poll(&input, 1, 0) != 0;
}

int main(int argc, char **argv)
{
    const struct slu_submitter_options options = {.answer_ms = 2000, .on_trouble = on_trouble};
    struct slu_submitter *submitter;
    struct slu_chain *chain;
    unsigned submitted = 0, ordered = 0;
    if (argc < 4 || slu_chain_load(&chain, argv[1], why, sizeof why))
        return 2;
    if (slu_submitter_open(&submitter, chain, (const char *const *)argv + 3, (size_t)argc - 3,
                           &options, why, sizeof why)) {
        fprintf(stderr, "open: %s\n", why);
        return 1;
    }
    do {
        ordered += submit(submitter, strtoull(argv[2], NULL, 10), submitted);
        submitted += LIST;
    } while (!input_ended());
    slu_submitter_close(submitter);
    slu_chain_free(chain);
    return ordered < submitted;
}
