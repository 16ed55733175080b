#include "client/takers.h"

#include <string.h>

#include "client/command.h"
#include "sluice/error.h"

#define ANSWER_MS 10000u

static void leave(struct slu_takers *t, size_t i)
{
    t->left[i] = true;
    slu_session_close(t->sessions[i]);
    t->sessions[i] = NULL;
}

struct slu_session *slu_takers_session(struct slu_takers *t, size_t i)
{
    char why[256];
    struct slu_session_config config = {.url = t->urls.at[i], .timeout_ms = SLU_CONNECT_MS};
    if (t->sessions[i] && slu_session_is_down(t->sessions[i])) {
        slu_session_close(t->sessions[i]);
        t->sessions[i] = NULL;
    }
    if (t->sessions[i] || t->left[i])
        return t->sessions[i];
    if (slu_session_open(&t->sessions[i], &config, why, sizeof why)) {
        t->sessions[i] = NULL;
    } else if (t->has_chain &&
               memcmp(slu_session_chain_id32(t->sessions[i]), t->chain_id, 32) != 0) {
        slu_complain(t->command, 0, "%s: a node of another chain", t->urls.at[i]);
        leave(t, i);
    }
    return t->sessions[i];
}

Slu__Client__Reply *slu_takers_terms(struct slu_takers *t, size_t i, uint32_t bytes)
{
    Slu__Client__TermsQuery query = SLU__CLIENT__TERMS_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    Slu__Client__Reply *reply;
    struct slu_session *session = slu_takers_session(t, i);
    if (!session)
        return NULL;
    query.bytes = bytes;
    request.body_case = SLU__CLIENT__REQUEST__BODY_TERMS;
    request.terms = &query;
    int rc = slu_session_call(session, &request, &reply, ANSWER_MS);
    if (rc == SLU_ERR_TIMEOUT)
        leave(t, i);
    if (rc)
        return NULL;
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_TERMS && reply->terms->block.len == 32 &&
        reply->terms->work > 0)
        return reply;
    slu_reply_free(reply);
    return NULL;
}

/* ---- time ---- */

static void insert(uint64_t *times, size_t *count, uint64_t time_ms)
{
    size_t at = (*count)++;
    for (; at > 0 && times[at - 1] > time_ms; at--)
        times[at] = times[at - 1];
    times[at] = time_ms;
}

uint64_t slu_takers_time(struct slu_takers *t)
{
    uint64_t times[SLU_URLS_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; !t->has_time && i < t->urls.count; i++) {
        Slu__Client__Reply *terms = slu_takers_terms(t, i, 1);
        if (terms)
            insert(times, &count, terms->terms->block_time_ms);
        slu_reply_free(terms);
    }
    if (!t->has_time) {
        if (count != 1)
            insert(times, &count, slu_clock_ms());
        t->ahead_ms = times[(count - 1) / 2] - slu_now_ms();
        t->has_time = true;
    }
    return slu_now_ms() + t->ahead_ms;
}

void slu_takers_close(struct slu_takers *t)
{
    for (size_t i = 0; i < SLU_URLS_MAX; i++)
        slu_session_close(t->sessions[i]);
}
