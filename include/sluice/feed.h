/* Reading a rollup's transactions from any node, even a hostile one, and knowing that they are
 * final, complete, in order, and what every other reader sees (docs/PROTOCOL.md clause 8.8).
 *
 *     chain, URLs ──▶ slu_feed_open ──▶ feed
 *     slu_feed_next ──▶ height 7, 8, 9 ...     each once, in order, none left out, whoever served
 * it │ checked here, with the genesis alone; lies, lags, stalls, dies: └▶ node A ─▶ node B ─▶ node
 * C      goes on at the same height
 *
 * What is checked of every height: a quorum of the committee signed a release that covers it and
 * names the release of the height below; the release's roots are those of the entries shown, so
 * that no transaction is missing, added, moved or changed, and a rollup without transactions truly
 * has none; what is shown as opened is sealed again and gives the id that was ordered. A node that
 * shows anything else is not asked again. A node that withholds is found out by the reader's clock:
 * see max_age_ms.
 *
 * Errors are those of sluice/error.h. Nothing is printed, and no signal is raised. One thread at a
 * time uses a feed; different ones are independent. What a height points to is the feed's, and
 * valid until the next call. The chain must outlive the feed. */
#ifndef SLUICE_FEED_H
#define SLUICE_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/chain.h"
#include "sluice/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** URLs of one feed, at most. */
#define SLU_FEED_URLS_MAX 64u
/** slu_feed_next: the height `to` was the last. */
#define SLU_FEED_END 1
/** max_age_ms: heights may be as old as they like. */
#define SLU_FEED_ANY_AGE UINT32_MAX

struct slu_feed;

/** All of it may be zero: the defaults, in brackets. */
struct slu_feed_options {
    uint64_t rollup; /* [0] 0: the entries of all */
    uint64_t from;   /* [0] first height; 0: the next one of the first node. What is below it is not
                        checked */
    uint64_t to;     /* [0] last height; 0: goes on for ever */
    /** [10000] How old the newest height may be against this machine's clock. A node that has let
     * its reader wait for so long in all since it last showed one that is younger, is stale: it
     * withholds, or the chain stands still. Half of the time by which its heights went on meanwhile
     * is taken off the waiting, so that catching up from far behind is no offence. Stale nodes are
     * asked again when another one has shown a height that is young. */
    uint32_t max_age_ms;
    uint32_t stall_ms;   /* [5000] where there is another node, one that says nothing for so long is
                            left */
    uint32_t connect_ms; /* [3000] longest wait for one connection */
    uint32_t give_up_ms; /* [30000] no node answers for so long: CLOSED; until the first one did, at
                            most 2 s */
    bool trust_openings; /* [false] do not seal again what a quorum signed as opened */
    /** [NULL] Told of every node that is left, and why: one line. On the calling thread. */
    void (*on_trouble)(void *context, const char *url, const char *why);
    void *context;
};

enum slu_feed_kind {
    SLU_FEED_PLAIN = 0,
    /** Transactions of several rollups at one place, each of which sees it. Of rollup 0; payload: a
     * body of sluice/bundle.h, as of an opened one of rollup 0. */
    SLU_FEED_BUNDLE = 1,
    /** Ordered, and still closed. Of rollup 0; payload: the sealed body. */
    SLU_FEED_SEALED = 2,
    /** A node broke the rules. Of rollup 0; payload: the proof of it. */
    SLU_FEED_EVIDENCE = 3,
    /** The committee makes its key. Of rollup 0. */
    SLU_FEED_KEYGEN = 4,
    /** What a sealed transaction contained, when it was due, under the id that was ordered. */
    SLU_FEED_OPENED = 5,
    /** A sealed transaction that does not open, on any node. Of rollup 0. */
    SLU_FEED_VOID = 6,
    /** Of a kind that this version does not know; its id is its hash all the same. */
    SLU_FEED_UNKNOWN = 7,
};

struct slu_feed_entry {
    uint64_t rollup;
    uint32_t index; /* place in its height; of an opening its sealed one's, or one of its own */
    enum slu_feed_kind kind;
    bool forced; /* it came through the queue of forced transactions */
    uint8_t id[32];
    const uint8_t *payload; /* what the rollup gets */
    size_t payload_len;
    uint64_t valid_until_ms; /* of a transaction; else 0 */
    /** Where an opened or void one was ordered; of any other, here. */
    uint64_t ordered_height;
    uint32_t ordered_index;
    /** Why a void one is: "tag", "seed", "form", "rollup", "invalid"; else "". Static. */
    const char *reason;
};

struct slu_feed_height {
    uint64_t height;
    uint64_t time_ms; /* stream time */
    uint8_t block[32];
    uint8_t
        release[32]; /* digest of its release: readers that have the same here have read the same */
    size_t count;    /* of entries; heights without any come, too */
    const struct slu_feed_entry *entries;
};

/** Opens with the nodes' client URLs ("tcp://127.0.0.1:7601"), of which the first that answers is
 * read from until it fails. `options` may be NULL. Does not connect yet. Errors, with one line in
 * `why`: CONFIG (a URL that cannot be one, none, or too many; `from` above `to`), MEMORY. */
SLU_MUST_USE int slu_feed_open(struct slu_feed **feed, const struct slu_chain *chain,
                               const char *const *urls, size_t url_count,
                               const struct slu_feed_options *options, char *why, size_t why_cap);
/** Closes and frees. NULL is allowed. */
void slu_feed_close(struct slu_feed *feed);

/** Waits for the next height, for `timeout_ms` or for as long as one connection takes. Gives
 * SLU_OK, or SLU_FEED_END; or an error, of which slu_feed_why has words, after which it may be
 * called again: TIMEOUT (call again), LIE (every node that answers has lied or is stale), NOT_FOUND
 * (no node retains the height any more), CLOSED (no node answers), REFUSED (none does what was
 * asked for), MISMATCH (they are of another chain), MEMORY. */
SLU_MUST_USE int slu_feed_next(struct slu_feed *feed, const struct slu_feed_height **height,
                               uint32_t timeout_ms);

/** What was wrong last, with the node's URL: the last lie where there was one. Valid until the next
 * call. */
const char *slu_feed_why(const struct slu_feed *feed);

#ifdef __cplusplus
}
#endif

#endif
