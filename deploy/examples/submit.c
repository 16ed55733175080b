/* Submits one line of text to a rollup and says where it was ordered. Build it against an installed Sluice:
 *     cc submit.c $(pkg-config --cflags --libs sluice) -o submit
 *     ./submit genesis.json 1 'hello' tcp://127.0.0.1:7601 tcp://127.0.0.1:7611 */
#include <sluice/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct slu_chain *chain;
    struct slu_submitter *submitter;
    char why[256] = "usage: submit GENESIS ROLLUP TEXT URL...";
    if (argc < 5 || slu_chain_load(&chain, argv[1], why, sizeof why))
        return fprintf(stderr, "%s\n", why), 2;
    if (slu_submitter_open(&submitter, chain, (const char *const *)argv + 4, (size_t)argc - 4, NULL, why, sizeof why))
        return fprintf(stderr, "no node: %s\n", why), 1;

    struct slu_submission tx = {.rollup = strtoull(argv[2], NULL, 10),
                                .payload = (const uint8_t *)argv[3], .payload_len = strlen(argv[3])};
    struct slu_outcome outcome = {0};
    int error = slu_submitter_submit(submitter, &tx, 1, why, sizeof why);
    if (!error && tx.state == SLU_SUBMISSION_ACCEPTED) {
        memcpy(outcome.id32, tx.id32, 32);
        error = slu_submitter_wait(submitter, &outcome, 1, 60000, why, sizeof why);
    }
    if (error)
        fprintf(stderr, "%s\n", why);
    else if (outcome.kind == SLU_OUTCOME_ORDERED)
        printf("height %llu index %u\n", (unsigned long long)outcome.height, outcome.index);
    else
        printf("not ordered: %s\n", outcome.kind == SLU_OUTCOME_OPEN ? tx.reason : outcome.reason);
    slu_submitter_close(submitter);
    slu_chain_free(chain);
    return outcome.kind == SLU_OUTCOME_ORDERED ? 0 : 1;
}
