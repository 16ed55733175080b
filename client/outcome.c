/* slu_submitter_wait of sluice/client.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/history.h"
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
    size_t next; /* where the next question begins */
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

static struct slu_tracked row_of(const struct slu_kept *kept)
{
    struct slu_tracked row = {.has_id = true, .accepted = true, .fate = SLU_FATE_ACCEPTED};
    memcpy(row.id32, kept->id32, 32);
    row.known = kept->known || kept->from_height == 0; /* then it may stand further back */
    row.valid_until_ms = kept->valid_until_ms;
    row.from_height = kept->from_height ? kept->from_height : UINT64_MAX;
    return row;
}

/* Looks in the history for what is overdue, of one rollup at a time. Errors: MEMORY, else as
 * slu_history_settle. */
static int settle(struct waiting *w)
{
    struct slu_tracked *rows = calloc(w->overdue_count, sizeof *rows);
    struct slu_tracked **list = calloc(w->overdue_count, sizeof *list);
    size_t *whose = calloc(w->overdue_count, sizeof *whose);
    int rc = rows && list && whose ? SLU_OK : SLU_ERR_MEMORY;
    size_t count = 0;
    uint64_t rollup = 0;
    for (size_t n = 0; n < w->overdue_count && !rc; n++) {
        const struct slu_kept *kept = kept_of(w, w->overdue[n]);
        if (!kept || (count > 0 && kept->rollup != rollup))
            continue;
        rollup = kept->rollup;
        rows[count] = row_of(kept);
        if (rows[count].from_height > w->s->height)
            rows[count].from_height = w->s->height;
        whose[count] = w->overdue[n];
        list[count] = &rows[count];
        count++;
    }
    if (!rc)
        rc = slu_history_settle(list, count, w->s->urls.at[w->s->urls.current], rollup);
    for (size_t n = 0; n < count; n++) {
        if (rows[n].fate == SLU_FATE_ORDERED)
            decide(w, whose[n], SLU_OUTCOME_ORDERED, rows[n].height, rows[n].index, "");
        else if (rows[n].fate == SLU_FATE_EXPIRED)
            decide(w, whose[n], SLU_OUTCOME_EXPIRED, 0, 0, "expired");
        slu_tracked_end(&rows[n], SLU_FATE_UNKNOWN, NULL);
    }
    free(rows);
    free(list);
    free(whose);
    return rc;
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

/* Follows up what the answer left open. Errors: CLOSED (the node was left), MEMORY. */
static int follow_up(struct waiting *w)
{
    struct slu_submitter *s = w->s;
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
    if (slu_now_ms() - s->height_ms > s->options.answer_ms) {
        slu_submitter_leave(s, "no new height for %llu ms",
                            (unsigned long long)(slu_now_ms() - s->height_ms));
        return SLU_ERR_CLOSED;
    }
    return SLU_OK;
}

static void pause_until(uint64_t deadline_ms)
{
    uint64_t now_ms = slu_now_ms();
    uint64_t ms = now_ms + PAUSE_MS < deadline_ms ? PAUSE_MS
                  : now_ms < deadline_ms          ? deadline_ms - now_ms
                                                  : 0;
    nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000L}, NULL);
}

/* One question to one node. Errors: CLOSED (it was left), MEMORY. */
static int ask(struct waiting *w, uint64_t deadline_ms)
{
    struct slu_submitter *s = w->s;
    uint64_t now_ms = slu_now_ms();
    uint64_t left_ms = now_ms < deadline_ms ? deadline_ms - now_ms : 0;
    Slu__Client__Reply *reply;
    if (slu_submitter_reach(s, (uint32_t)left_ms))
        return SLU_ERR_CLOSED;
    int rc = slu_places_ask(s->session, &reply, w->ids, w->asked_count,
                            left_ms < ASK_MS ? (uint32_t)left_ms : ASK_MS, false);
    if (rc == SLU_ERR_MEMORY)
        return rc;
    if (rc) {
        slu_submitter_leave_for(s, rc);
        pause_until(deadline_ms);
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
    const uint64_t deadline_ms = slu_now_ms() + timeout_ms;
    struct waiting *w = calloc(1, sizeof *w);
    int rc = w ? SLU_OK : SLU_ERR_MEMORY;
    bool once = false;
    if (w)
        *w = (struct waiting){.s = submitter, .list = outcomes, .count = count};
    while (rc != SLU_ERR_MEMORY && choose(w) > 0) {
        if (once && slu_now_ms() >= deadline_ms) {
            rc = SLU_ERR_TIMEOUT;
            break;
        }
        once = true;
        rc = ask(w, deadline_ms);
    }
    if (rc != SLU_ERR_TIMEOUT && rc != SLU_ERR_MEMORY)
        rc = SLU_OK;
    if (rc == SLU_ERR_TIMEOUT)
        snprintf(why, why_cap, "%zu of %zu have no outcome yet%s%s", count_open(w), count,
                 *submitter->trouble ? "; " : "", submitter->trouble);
    else if (rc)
        snprintf(why, why_cap, "%s", slu_strerror(rc));
    free(w);
    return rc;
}
