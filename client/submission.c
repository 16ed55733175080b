/* slu_submitter_submit of sluice/client.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/submitter.h"
#include "wire/tx.h"

#define PAUSE_MS 100u   /* after a round over all nodes that took nothing */
#define SWEEP_MS 60000u /* stream time after which nobody asks any more for what expired */

struct work {
    struct slu_submitter *s;
    struct slu_submission *items;
    size_t count;
    uint64_t *refused; /* of each, a bit for each URL: it will not change its mind */
    struct slu_gift *gifts;
    size_t *gift_items; /* whose they are */
    size_t gift_count;
    uint8_t envelope[SLU_TX_BYTES_MAX_CAP + SLU_TX_HEAD_BYTES];
};

static struct slu_kept *kept_of(const struct work *w, const struct slu_submission *item)
{
    return item->has_id ? slu_kept_find(&w->s->kept, item->id32) : NULL;
}

/* ---- checking ---- */

static const char *fault_of_envelope(const struct slu_submission *item, struct slu_tx *tx)
{
    struct slu_reader r = slu_reader_of(item->payload, item->payload_len);
    return slu_tx_read(&r, tx) && slu_reader_done(&r) ? NULL : "malformed";
}

/* Why it can be no transaction of this chain; NULL: it may be one. */
static const char *fault_of(const struct slu_genesis *g, const struct slu_submission *item)
{
    const struct slu_genesis_rollup *row = slu_genesis_rollup(g, item->rollup);
    bool sealed = item->kind == SLU_SUBMIT_SEALED;
    struct slu_tx tx;
    size_t bytes;
    switch (item->kind) {
    case SLU_SUBMIT_ENVELOPE:
        return item->payload_len > g->params.tx_bytes_max ? "size" : fault_of_envelope(item, &tx);
    case SLU_SUBMIT_PLAIN:
    case SLU_SUBMIT_SEALED:
        bytes = sealed ? slu_seal_envelope_bytes(item->payload_len)
                       : SLU_TX_HEAD_BYTES + item->payload_len;
        return !slu_genesis_rollup_known(g, item->rollup)                           ? "rollup"
               : item->payload_len == 0 || !bytes || bytes > g->params.tx_bytes_max ? "size"
               : sealed && !g->params.sealing                                       ? "no_key"
               : !sealed && row && row->sealed_only                                 ? "sealed_only"
                                                                                    : NULL;
    }
    return "kind";
}

static void end(struct slu_submission *item, enum slu_submission_state state, const char *reason)
{
    item->state = state;
    slu_reason_copy(item->reason, reason);
}

/* Refuses what can be refused here. Returns what keeping the rest will cost. */
static size_t check(struct work *w)
{
    size_t cost = 0;
    for (size_t i = 0; i < w->count; i++) {
        struct slu_submission *item = &w->items[i];
        if (item->state != SLU_SUBMISSION_OPEN || kept_of(w, item))
            continue;
        const char *fault = item->has_id ? "not_kept" : fault_of(w->s->genesis, item);
        if (fault)
            end(item, SLU_SUBMISSION_REFUSED, fault);
        else
            cost += slu_kept_cost(item->kind == SLU_SUBMIT_SEALED
                                      ? slu_seal_envelope_bytes(item->payload_len)
                                      : SLU_TX_HEAD_BYTES + item->payload_len);
    }
    return cost;
}

/* ---- making ---- */

static int keep(struct work *w, struct slu_submission *item, size_t len, uint64_t rollup,
                uint64_t valid_until_ms)
{
    struct slu_kept *kept = slu_kept_add(&w->s->kept, item->id32, w->envelope, len);
    if (!kept)
        return SLU_ERR_MEMORY;
    kept->rollup = rollup;
    kept->valid_until_ms = valid_until_ms;
    item->has_id = true;
    return SLU_OK;
}

static int make_own(struct work *w, struct slu_submission *item)
{
    struct slu_tx tx;
    SLU_CHECK(!fault_of_envelope(item, &tx)); /* it was checked */
    memcpy(w->envelope, item->payload, item->payload_len);
    slu_tx_id(item->id32, w->s->genesis, &tx);
    return keep(w, item, item->payload_len, tx.rollup, tx.valid_until_ms);
}

/* Refused by the node in use, which may be alone with that. */
static void refuse_here(struct work *w, struct slu_submission *item, const char *reason)
{
    static const char *const passing[] = {"busy", "lane_full", "catching_up", "too_far", "no_key"};
    bool for_now = strncmp(reason, "rate_", 5) == 0;
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        for_now = for_now || strcmp(reason, passing[i]) == 0;
    if (!for_now)
        w->refused[item - w->items] |= UINT64_C(1) << w->s->urls.current;
    slu_reason_copy(item->reason, reason);
}

static int make_sealed(struct work *w, struct slu_submission *item, uint64_t stream_ms,
                       uint64_t valid_until_ms)
{
    struct slu_submitter *s = w->s;
    char why[SLU_TROUBLE_BYTES];
    uint64_t unlock;
    size_t len;
    s->sealing.unlock_kind = item->unlock_kind;
    s->sealing.wanted = item->unlock;
    int rc = slu_sealing_refresh(&s->sealing, s->session, why, sizeof why);
    if (rc == SLU_ERR_NOT_FOUND || rc == SLU_ERR_LIMIT) {
        refuse_here(w, item, slu_sealing_reason(rc));
        return SLU_OK;
    }
    if (rc) {
        slu_submitter_leave(s, "%s", why);
        return SLU_ERR_CLOSED;
    }
    rc = slu_sealing_envelope(&s->sealing, w->envelope, sizeof w->envelope, &len, item->id32,
                              &unlock, stream_ms, valid_until_ms, item->rollup, item->payload,
                              item->payload_len);
    if (!rc)
        return keep(w, item, len, 0, valid_until_ms);
    end(item, SLU_SUBMISSION_REFUSED, rc == SLU_ERR_LIMIT ? "size" : "unlock");
    return SLU_OK;
}

/* Makes its envelope as of now. It may be refused instead. Errors: CLOSED (the node was left),
 * MEMORY. */
static int make(struct work *w, struct slu_submission *item)
{
    const struct slu_genesis *g = w->s->genesis;
    uint64_t stream_ms;
    if (item->kind == SLU_SUBMIT_ENVELOPE)
        return make_own(w, item);
    int rc = slu_submitter_time(w->s, &stream_ms);
    if (rc)
        return rc;
    uint64_t until = slu_valid_until(&g->params, stream_ms, w->s->options.valid_for_ms);
    if (item->kind == SLU_SUBMIT_SEALED)
        return make_sealed(w, item, stream_ms, until);
    struct slu_writer writer = slu_writer_of(w->envelope, sizeof w->envelope);
    slu_tx_write(&writer, item->rollup, until, SLU_TX_PLAIN, item->payload,
                 (uint32_t)item->payload_len);
    SLU_CHECK(!writer.failed);
    slu_tx_id_of(item->id32, g->chain_id, w->envelope, slu_writer_len(&writer));
    return keep(w, item, slu_writer_len(&writer), item->rollup, until);
}

/* ---- one node after the other ---- */

static bool all_refused(const struct work *w, size_t i)
{
    const size_t urls = w->s->urls.count;
    return w->refused[i] == (urls == 64 ? UINT64_MAX : (UINT64_C(1) << urls) - 1);
}

/* Whether there is a node left to give it to. */
static bool is_open(const struct work *w, size_t i)
{
    return w->items[i].state == SLU_SUBMISSION_OPEN && !all_refused(w, i);
}

static size_t count_open(const struct work *w)
{
    size_t open = 0;
    for (size_t i = 0; i < w->count; i++)
        open += is_open(w, i);
    return open;
}

/* What no node wants, and no node can have taken, is refused for good. */
static void refuse(struct work *w, struct slu_submission *item)
{
    struct slu_kept *kept = kept_of(w, item);
    if (kept && kept->maybe_taken)
        return;
    if (kept)
        slu_kept_remove(&w->s->kept, kept);
    item->state = SLU_SUBMISSION_REFUSED;
}

/* Too late for its time or its key. */
static bool is_stale(const struct slu_submission *item, const char *reason)
{
    return item->kind != SLU_SUBMIT_ENVELOPE &&
           (strcmp(reason, "expired") == 0 || strcmp(reason, "seal_key") == 0);
}

/* At the next node, unless somebody can have this one; an equal one of the list may be first. */
static void make_anew(struct work *w, struct slu_submission *item)
{
    struct slu_kept *kept = kept_of(w, item);
    if (kept && kept->maybe_taken)
        return;
    if (kept)
        slu_kept_remove(&w->s->kept, kept);
    item->has_id = false;
}

static void on_answer(struct work *w, const struct slu_gift *gift, struct slu_submission *item)
{
    if (gift->taken) {
        item->known = gift->known;
        end(item, SLU_SUBMISSION_ACCEPTED, "");
        return;
    }
    refuse_here(w, item, gift->reason);
    if (all_refused(w, (size_t)(item - w->items)))
        refuse(w, item);
    else if (is_stale(item, gift->reason))
        make_anew(w, item);
}

/* Gives to the node in use what is open and what it did not refuse. Errors: CLOSED (it was left),
 * MEMORY. */
static int visit(struct work *w)
{
    const uint64_t here = UINT64_C(1) << w->s->urls.current;
    int rc = SLU_OK;
    w->gift_count = 0;
    for (size_t i = 0; i < w->count && !rc; i++) {
        struct slu_submission *item = &w->items[i];
        if (!is_open(w, i) || w->refused[i] & here)
            continue;
        rc = kept_of(w, item) ? SLU_OK : make(w, item);
        struct slu_kept *kept = kept_of(w, item);
        if (rc || !kept)
            continue;
        w->gift_items[w->gift_count] = i;
        w->gifts[w->gift_count++] = (struct slu_gift){.kept = kept};
    }
    if (!rc)
        rc = slu_submitter_give(w->s, w->gifts, w->gift_count);
    for (size_t i = 0; i < w->gift_count; i++)
        if (w->gifts[i].answered)
            on_answer(w, &w->gifts[i], &w->items[w->gift_items[i]]);
    return rc;
}

/* On to the next node, since this one does not take all. */
static void move_on(struct work *w)
{
    const char *reason = "";
    for (size_t i = 0; i < w->count; i++)
        if (is_open(w, i) && *w->items[i].reason)
            reason = w->items[i].reason;
    if (w->s->urls.count > 1)
        slu_submitter_leave(w->s, "it refuses: %s", reason);
}

static int submit(struct work *w)
{
    const uint64_t end_ms = slu_now_ms() + w->s->options.give_up_ms;
    size_t open, last_open = count_open(w), idle = 0;
    int rc = SLU_OK;
    while ((open = count_open(w)) > 0 && rc != SLU_ERR_MEMORY) {
        uint64_t now_ms = slu_now_ms();
        if (now_ms >= end_ms)
            return SLU_ERR_CLOSED;
        idle = open < last_open ? 0 : idle;
        last_open = open;
        if (idle > 0 && idle % w->s->urls.count == 0)
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
        idle++;
        if (slu_submitter_reach(w->s, (uint32_t)(end_ms - now_ms)))
            return SLU_ERR_CLOSED;
        rc = visit(w);
        if (!rc && count_open(w) > 0)
            move_on(w);
    }
    return rc == SLU_ERR_MEMORY ? rc : SLU_OK;
}

/* What is open when there is no more time: what only was refused so far is refused. */
static int finish(struct work *w, int rc, char *why, size_t why_cap)
{
    for (size_t i = 0; i < w->count; i++) {
        struct slu_submission *item = &w->items[i];
        if (item->state == SLU_SUBMISSION_OPEN && *item->reason)
            refuse(w, item);
        if (item->state == SLU_SUBMISSION_OPEN && !rc)
            rc = SLU_ERR_CLOSED;
    }
    if (rc == SLU_ERR_CLOSED) {
        rc = SLU_OK;
        for (size_t i = 0; i < w->count; i++)
            if (w->items[i].state == SLU_SUBMISSION_OPEN)
                rc = SLU_ERR_CLOSED;
    }
    if (rc)
        snprintf(why, why_cap, "%s",
                 rc == SLU_ERR_CLOSED && *w->s->trouble ? w->s->trouble : slu_strerror(rc));
    return rc;
}

static void sweep(struct slu_submitter *s)
{
    uint64_t now_ms = s->stream_ms + (slu_now_ms() - s->asked_ms);
    if (s->has_time && now_ms > SWEEP_MS)
        slu_kept_sweep(&s->kept, now_ms - SWEEP_MS);
}

int slu_submitter_submit(struct slu_submitter *submitter, struct slu_submission *submissions,
                         size_t count, char *why, size_t why_cap)
{
    struct work *w = malloc(sizeof *w);
    int rc = SLU_ERR_MEMORY;
    if (!w) {
        snprintf(why, why_cap, "%s", slu_strerror(rc));
        return rc;
    }
    *w = (struct work){.s = submitter, .items = submissions, .count = count};
    w->refused = calloc(count + 1, sizeof *w->refused);
    w->gifts = calloc(count + 1, sizeof *w->gifts);
    w->gift_items = calloc(count + 1, sizeof *w->gift_items);
    sweep(submitter);
    size_t cost = check(w);
    if (submitter->kept.bytes + cost > submitter->options.kept_bytes_max) {
        rc = SLU_ERR_BUSY;
        snprintf(why, why_cap, "%zu bytes of envelopes wait for their outcome: wait for some",
                 submitter->kept.bytes);
    } else {
        if (w->refused && w->gifts && w->gift_items)
            rc = submit(w);
        rc = finish(w, rc, why, why_cap);
    }
    free(w->refused);
    free(w->gifts);
    free(w->gift_items);
    free(w);
    return rc;
}
