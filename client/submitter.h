/* What the parts of sluice/client.h share: the node in use, its time, and giving it envelopes.
 *
 *     submission.c: checked ─▶ made ─▶ kept ─┐
 *     outcome.c:    unknown, kept ───────────┴─▶ slu_submitter_give ─▶ the node in use
 *     settling.c:   overdue, kept ─▶ its history                      │ fails: slu_submitter_leave
 *     slu_submitter_reach ─▶ the next node ◀──────────────────────────┘
 *
 * One thread, as sluice/client.h says. */
#ifndef SLU_CLIENT_SUBMITTER_H
#define SLU_CLIENT_SUBMITTER_H

#include "client/chain.h"
#include "client/kept.h"
#include "client/sealing.h"
#include "client/session.h"
#include "client/urls.h"
#include "sluice/client.h"

#define SLU_TROUBLE_BYTES 256u

struct slu_submitter {
    const struct slu_genesis *genesis;
    struct slu_submitter_options options; /* with the defaults in place */
    struct slu_urls urls;
    struct slu_session *session; /* to the current URL; NULL: none */
    uint64_t height, height_ms;  /* the last new height that it told, and when (monotonic) */
    bool has_time;
    uint64_t stream_ms, asked_ms; /* its stream time, at monotonic time asked_ms */
    uint64_t owed_ms; /* since when it owes an answer that it was not waited for; 0: none */
    uint64_t settle_not_before_ms;
    struct slu_settling *settling; /* of outcomes, out of its history; NULL: none */
    struct slu_sealing sealing;
    struct slu_kept_table kept;
    char trouble[SLU_TROUBLE_BYTES]; /* why the last node was left */
};

/** Makes sure that there is a session, trying nodes until `give_up_ms` are over and each once at
 * least. Errors: CLOSED; `trouble` says why. */
SLU_MUST_USE int slu_submitter_reach(struct slu_submitter *submitter, uint32_t give_up_ms);
/** Leaves the node in use, for the words that follow, and makes the next one current. */
__attribute__((format(printf, 2, 3))) void slu_submitter_leave(struct slu_submitter *submitter,
                                                               const char *format, ...);
/** Leaves it because a call over its session failed. */
void slu_submitter_leave_for(struct slu_submitter *submitter, int error);
/** Nothing that waits for a node goes on past monotonic time `until_ms`; 0: it may. */
void slu_submitter_until(struct slu_submitter *submitter, uint64_t until_ms);
/** Before a call: what was not waited for is no answer to this one, and who owes an answer
 * already has until that one is due. */
void slu_submitter_owes(struct slu_submitter *submitter);
/** After a call that gave `error`: whether it only was not waited for long enough (until_ms), which
 * says nothing about the node yet. */
bool slu_submitter_cut(struct slu_submitter *submitter, int error);
/** Notes how far the node says that it is. */
void slu_submitter_heard(struct slu_submitter *submitter, uint64_t stream_ms, uint64_t height);
/** Stream time now, by the node in use. Errors: CLOSED (it was left). */
SLU_MUST_USE int slu_submitter_time(struct slu_submitter *submitter, uint64_t *stream_ms);

/** Copies a node's word, without what is not printable. */
void slu_reason_copy(char reason[SLU_REASON_BYTES], const char *word);

struct slu_gift {
    struct slu_kept *kept;
    bool answered, taken, known;
    char reason[SLU_REASON_BYTES]; /* of a refusal */
};

/** Gives envelopes to the node in use, which slu_submitter_reach made sure of. Errors: CLOSED (it
 * was left: it did not answer all of them, or lied), TIMEOUT (until_ms: it may answer yet), MEMORY.
 */
SLU_MUST_USE int slu_submitter_give(struct slu_submitter *submitter, struct slu_gift *gifts,
                                    size_t count);

/** Looks in the history of the node in use, of one rollup at a time, for what became of these kept
 * envelopes, whose time is over; what is found is told of each of them. May be left at `until_ms`
 * and is gone on with by the next call, whatever that one asks for. Errors: BUSY (it was left),
 * MEMORY, those of slu_history_go_on. */
SLU_MUST_USE int slu_submitter_settle(struct slu_submitter *submitter,
                                      struct slu_kept *const *overdue, size_t count,
                                      uint64_t until_ms);
/** Ends a search that was left. */
void slu_submitter_settle_no_more(struct slu_submitter *submitter);

#endif
