/* Prints the transactions of a rollup as they become final, from any of several nodes, none of which needs to be
 * trusted. Build it against an installed Sluice:
 *     cc reader.c $(pkg-config --cflags --libs sluice) -o reader
 *     ./reader genesis.json 1 1 tcp://127.0.0.1:7601 tcp://127.0.0.1:7611 */
#include <sluice/feed.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct slu_chain *chain;
    struct slu_feed *feed;
    const struct slu_feed_height *height;
    char why[512] = "usage: reader GENESIS ROLLUP FROM URL...";
    int rc;
    if (argc < 5 || slu_chain_load(&chain, argv[1], why, sizeof why))
        return fprintf(stderr, "%s\n", why), 2;
    struct slu_feed_options options = {.rollup = strtoull(argv[2], NULL, 10), .from = strtoull(argv[3], NULL, 10)};
    if (slu_feed_open(&feed, chain, (const char *const *)argv + 4, (size_t)argc - 4, &options, why, sizeof why))
        return fprintf(stderr, "%s\n", why), 2;

    while (!(rc = slu_feed_next(feed, &height, 1000)) || rc == SLU_ERR_TIMEOUT) {
        for (size_t i = 0; !rc && i < height->count; i++) {
            const struct slu_feed_entry *tx = &height->entries[i];
            printf("height %llu index %u: %.*s\n", (unsigned long long)height->height, (unsigned)tx->index,
                   (int)tx->payload_len, (const char *)tx->payload);
        }
        fflush(stdout);
    }
    fprintf(stderr, "%s\n", slu_feed_why(feed)); /* every node lied, is stale, or does not answer */
    slu_feed_close(feed);
    slu_chain_free(chain);
    return 1;
}
