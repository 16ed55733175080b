/* slu_submitter_wait of sluice/client.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/place.h"
#include "client/stage.h"
#include "client/submitter.h"

#define ASK_MS     500u  /* one question waits so long at the node */
#define PAUSE_MS   50u   /* after a node that could not say */
#define AGAIN_MS   1000u /* between two tries of what did not help */
#define OVERDUE_MS 1000u /* stream time past valid_until after which "not found" counts */

struct waiting {
    struct slu_submitter *s;
    struct slu_outcome *list;
    size_t count;
    uint64_t deadline_ms, until_ms; /* no question after that; none is waited for longer */
    size_t next;                    /* where the next question begins */
    size_t asked[SLU_QUERY_IDS_MAX];
    ProtobufCBinaryData ids[SLU_QUERY_IDS_MAX];
    size_t again[SLU_QUERY_IDS_MAX]; /* unknown there: to be given to that node, too */
    size_t overdue[SLU_QUERY_IDS_MAX];
    size_t asked_count, again_count, overdue_count;
};

static struct slu_kept *kept_of(struct waiting *w, size_t i)
{
    return slu_kept_find(&w->s->kept, w->list[i].id32);
}

static void decide(struct waiting *w, size_t i, enum slu_outcome_kind kind, uint64_t height,
                   uint32_t index, const char *reason)
{
    struct slu_outcome *outcome = &w->list[i];
    struct slu_kept *kept = kept_of(w, i);
    outcome->kind = kind;
    outcome->height = height;
    outcome->index = index;
    slu_reason_copy(outcome->reason, reason);
    if (kept)
        slu_kept_remove(&w->s->kept, kept);
}

/* The next open ones, from where the last question ended. */
static size_t choose(struct waiting *w)
{
    w->asked_count = 0;
    size_t at = w->next < w->count ? w->next : 0;
    for (size_t i = 0; i < w->count && w->asked_count < SLU_QUERY_IDS_MAX; i++) {
        if (w->list[at].kind == SLU_OUTCOME_OPEN) {
            w->ids[w->asked_count] = (ProtobufCBinaryData){32, w->list[at].id32};
            w->asked[w->asked_count++] = at;
        }
        at = at + 1 < w->count ? at + 1 : 0;
    }
    w->next = at;
    return w->asked_count;
}

static size_t count_open(const struct waiting *w)
{
    size_t open = 0;
    for (size_t i = 0; i < w->count; i++)
        open += w->list[i].kind == SLU_OUTCOME_OPEN;
    return open;
}

/* Either it was lost, and this node gets it; or nobody can order it any more, and the history knows
 * whether somebody did. */
static void on_unknown(struct waiting *w, size_t i, uint64_t stream_ms)
{
    struct slu_kept *kept = kept_of(w, i);
    if (!kept)
        return;
    if (stream_ms > kept->valid_until_ms + OVERDUE_MS) {
        w->overdue[w->overdue_count++] = i;
    } else if (slu_now_ms() >= kept->not_before_ms) {
        kept->not_before_ms = slu_now_ms() + AGAIN_MS;
        w->again[w->again_count++] = i;
    }
}

static void take(struct waiting *w, const Slu__Client__TxReply *reply)
{
    w->again_count = w->overdue_count = 0;
    for (size_t n = 0; n < w->asked_count; n++) {
        const Slu__Client__TxStatus *status = reply->statuses[n];
        size_t i = w->asked[n];
        if (w->list[i].kind != SLU_OUTCOME_OPEN)
            continue; /* an id that stands twice in the question */
        if (status->stage == SLU_CLIENT_FINAL)
            decide(w, i, SLU_OUTCOME_ORDERED, status->height, status->index, "");
        else if (status->stage == SLU_CLIENT_DROPPED)
            decide(w, i,
                   strcmp(status->reason, "expired") ? SLU_OUTCOME_DROPPED : SLU_OUTCOME_EXPIRED,
                   status->height, 0, status->reason);
        else if (status->stage == SLU_CLIENT_UNKNOWN)
            on_unknown(w, i, reply->stream_ms);
    }
}

static bool decide_by_history(struct waiting *w, size_t i)
{
    const struct slu_kept *kept = kept_of(w, i);
    if (kept && kept->fate == SLU_FATE_ORDERED)
        decide(w, i, SLU_OUTCOME_ORDERED, kept->height, kept->index, "");
    else if (kept && kept->fate == SLU_FATE_EXPIRED)
        decide(w, i, SLU_OUTCOME_EXPIRED, 0, 0, "expired");
    else
        return false;
    return true;
}

/* Looks in the history for what is overdue, for a while. Errors: as slu_submitter_settle. */
static int settle(struct waiting *w)
{
    struct slu_kept *overdue[SLU_QUERY_IDS_MAX];
    size_t open = 0;
    for (size_t n = 0; n < w->overdue_count; n++)
        if (kept_of(w, w->overdue[n]) && !decide_by_history(w, w->overdue[n]))
            overdue[open++] = kept_of(w, w->overdue[n]);
    if (open == 0)
        return SLU_OK;
    uint64_t until_ms = slu_now_ms() + ASK_MS;
    int rc =
        slu_submitter_settle(w->s, overdue, open, until_ms < w->until_ms ? until_ms : w->until_ms);
    for (size_t n = 0; n < w->overdue_count; n++)
        (void)decide_by_history(w, w->overdue[n]);
    return rc == SLU_ERR_BUSY ? SLU_OK : rc;
}

static int give_again(struct waiting *w)
{
    struct slu_gift *gifts = calloc(w->again_count, sizeof *gifts);
    size_t count = 0;
    if (!gifts)
        return SLU_ERR_MEMORY;
    for (size_t n = 0; n < w->again_count; n++) {
        struct slu_kept *kept = kept_of(w, w->again[n]);
        if (kept)
            gifts[count++] = (struct slu_gift){.kept = kept};
    }
    int rc = slu_submitter_give(w->s, gifts, count);
    free(gifts);
    return rc;
}

/* Follows up what the answer left open. Errors: CLOSED (the node was left), TIMEOUT (its answer was
 * not waited for), MEMORY. */
static int follow_up(struct waiting *w)
{
    struct slu_submitter *s = w->s;
    if (slu_now_ms() - s->height_ms > s->options.answer_ms) {
        slu_submitter_leave(s, "no new height for %llu ms",
                            (unsigned long long)(slu_now_ms() - s->height_ms));
        return SLU_ERR_CLOSED;
    }
    int rc = w->again_count ? give_again(w) : SLU_OK;
    if (rc)
        return rc;
    if (w->overdue_count && slu_now_ms() >= s->settle_not_before_ms) {
        rc = settle(w);
        s->settle_not_before_ms = rc ? slu_now_ms() + AGAIN_MS : 0;
        if (rc == SLU_ERR_MEMORY)
            return rc;
        if (rc && s->urls.count > 1) {
            slu_submitter_leave(s, "its history does not tell: %s", slu_strerror(rc));
            return SLU_ERR_CLOSED;
        }
    }
    return SLU_OK;
}

static uint32_t left_ms(const struct waiting *w)
{
    uint64_t now_ms = slu_now_ms();
    return now_ms < w->deadline_ms ? (uint32_t)(w->deadline_ms - now_ms) : 0;
}

static void pause_a_little(const struct waiting *w)
{
    uint32_t ms = left_ms(w) < PAUSE_MS ? left_ms(w) : PAUSE_MS;
    nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000L}, NULL);
}

/* One question to one node. Errors: CLOSED (it was left), TIMEOUT (its answer was not waited for),
 * MEMORY. */
static int ask(struct waiting *w)
{
    struct slu_submitter *s = w->s;
    Slu__Client__Reply *reply;
    if (slu_submitter_reach(s, left_ms(w))) {
        pause_a_little(w);
        return SLU_ERR_CLOSED;
    }
    slu_submitter_owes(s);
    int rc = slu_places_ask(s->session, &reply, w->ids, w->asked_count,
                            left_ms(w) < ASK_MS ? left_ms(w) : ASK_MS, false);
    if (slu_submitter_cut(s, rc) || rc == SLU_ERR_MEMORY)
        return rc;
    if (rc) {
        slu_submitter_leave_for(s, rc);
        pause_a_little(w);
        return SLU_ERR_CLOSED;
    }
    slu_submitter_heard(s, reply->query->stream_ms, reply->query->height);
    take(w, reply->query);
    slu_reply_free(reply);
    return follow_up(w);
}

int slu_submitter_wait(struct slu_submitter *submitter, struct slu_outcome *outcomes, size_t count,
                       uint32_t timeout_ms, char *why, size_t why_cap)
{
    struct waiting *w = calloc(1, sizeof *w);
    int rc = w ? SLU_OK : SLU_ERR_MEMORY;
    bool once = false;
    if (w) {
        *w = (struct waiting){.s = submitter, .list = outcomes, .count = count};
        w->deadline_ms = slu_now_ms() + timeout_ms;
        w->until_ms = w->deadline_ms + SLU_WAIT_OVER_MS;
        slu_submitter_until(submitter, w->until_ms);
    }
    while (rc != SLU_ERR_MEMORY && choose(w) > 0) {
        if (once && slu_now_ms() >= w->deadline_ms) {
            rc = SLU_ERR_TIMEOUT;
            break;
        }
        once = true;
        rc = ask(w);
    }
    if (rc != SLU_ERR_TIMEOUT && rc != SLU_ERR_MEMORY)
        rc = SLU_OK;
    if (rc == SLU_ERR_TIMEOUT)
        snprintf(why, why_cap, "%zu of %zu have no outcome yet%s%s", count_open(w), count,
                 *submitter->trouble ? "; " : "", submitter->trouble);
    else if (rc)
        snprintf(why, why_cap, "%s", slu_strerror(rc));
    slu_submitter_until(submitter, 0);
    free(w);
    return rc;
}
