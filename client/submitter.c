#include "client/submitter.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/place.h"

#define CONNECT_MS    3000u
#define ANSWER_MS     10000u
#define GIVE_UP_MS    30000u
#define KEPT_BYTES    ((size_t)128 << 20)
#define TIME_STALE_MS 2000u
#define GIVE_TXS      1024u /* in one request: */
#define GIVE_BYTES    (512u * 1024u)

_Static_assert(SLU_SUBMITTER_URLS_MAX == SLU_URLS_MAX, "as many as a list holds");
_Static_assert(GIVE_BYTES + SLU_TX_BYTES_MAX_CAP + 16u * GIVE_TXS < SLU_FRAME_BYTES_MAX,
               "a request fits into a frame");

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

static int take_urls(struct slu_submitter *s, const char *const *urls, size_t count, char *why,
                     size_t why_cap)
{
    for (size_t i = 0; i < count; i++)
        if (slu_urls_add(&s->urls, urls[i], strlen(urls[i]))) {
            snprintf(why, why_cap, "'%.100s': an empty, too long or one too many URL", urls[i]);
            return SLU_ERR_CONFIG;
        }
    if (count == 0)
        snprintf(why, why_cap, "no URL");
    return count ? SLU_OK : SLU_ERR_CONFIG;
}

int slu_submitter_open(struct slu_submitter **out, const struct slu_chain *chain,
                       const char *const *urls, size_t url_count,
                       const struct slu_submitter_options *options, char *why, size_t why_cap)
{
    struct slu_submitter *s = sodium_init() < 0 ? NULL : calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_cap, "%s", slu_strerror(SLU_ERR_MEMORY));
        return SLU_ERR_MEMORY;
    }
    s->genesis = &chain->genesis;
    s->options = options ? *options : (struct slu_submitter_options){0};
    s->options.answer_ms = or_default(s->options.answer_ms, ANSWER_MS);
    s->options.give_up_ms = or_default(s->options.give_up_ms, GIVE_UP_MS);
    s->options.kept_bytes_max = s->options.kept_bytes_max ? s->options.kept_bytes_max : KEPT_BYTES;
    s->urls.connect_ms = or_default(s->options.connect_ms, CONNECT_MS);
    s->urls.answer_ms = s->options.answer_ms;
    s->urls.chain_id32 = chain->genesis.chain_id;
    s->sealing = (struct slu_sealing){.on = true, .genesis = s->genesis};
    int rc = take_urls(s, urls, url_count, why, why_cap);
    if (!rc) {
        rc = slu_submitter_reach(s, 0);
        if (rc)
            snprintf(why, why_cap, "%s", s->trouble);
    }
    if (rc)
        slu_submitter_close(s);
    else
        *out = s;
    return rc;
}

void slu_submitter_close(struct slu_submitter *submitter)
{
    if (!submitter)
        return;
    slu_submitter_settle_no_more(submitter);
    slu_session_close(submitter->session);
    slu_kept_free(&submitter->kept);
    free(submitter);
}

/* ---- the node in use ---- */

int slu_submitter_reach(struct slu_submitter *s, uint32_t give_up_ms)
{
    if (s->session && slu_session_is_down(s->session))
        slu_submitter_leave_for(s, SLU_ERR_CLOSED);
    if (s->session)
        return SLU_OK;
    s->session = slu_urls_open(&s->urls, give_up_ms, s->trouble, sizeof s->trouble);
    if (!s->session)
        return SLU_ERR_CLOSED;
    slu_session_until(s->session, s->urls.until_ms);
    s->has_time = false;
    s->owed_ms = 0;
    s->height = 0;
    s->height_ms = slu_now_ms();
    return SLU_OK;
}

void slu_submitter_leave(struct slu_submitter *s, const char *format, ...)
{
    const char *url = s->urls.at[s->urls.current];
    char words[SLU_TROUBLE_BYTES - 100];
    va_list values;
    va_start(values, format);
    vsnprintf(words, sizeof words, format, values);
    va_end(values);
    for (char *at = words; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    snprintf(s->trouble, sizeof s->trouble, "%.90s: %s", url, words);
    slu_submitter_settle_no_more(s);
    slu_session_close(s->session);
    s->session = NULL;
    s->urls.current = (s->urls.current + 1) % s->urls.count;
    if (s->options.on_trouble)
        s->options.on_trouble(s->options.context, url, words);
}

void slu_submitter_leave_for(struct slu_submitter *s, int error)
{
    char reason[SLU_TROUBLE_BYTES] = "";
    if (error == SLU_ERR_CLOSED)
        slu_session_reason(s->session, reason, sizeof reason);
    slu_submitter_leave(s, "%s", *reason ? reason : slu_strerror(error));
}

void slu_submitter_until(struct slu_submitter *s, uint64_t until_ms)
{
    s->urls.until_ms = until_ms;
    if (s->session)
        slu_session_until(s->session, until_ms);
}

void slu_submitter_owes(struct slu_submitter *s)
{
    Slu__Client__Reply *late;
    while (slu_session_receive(s->session, SLU_SESSION_ANY, &late, 0) == SLU_OK) {
        slu_reply_free(late);
        s->owed_ms = 0;
    }
    if (s->owed_ms == 0) {
        s->owed_ms = slu_now_ms();
    } else {
        uint64_t end_ms = s->owed_ms + s->options.answer_ms;
        slu_session_until(
            s->session, s->urls.until_ms && s->urls.until_ms < end_ms ? s->urls.until_ms : end_ms);
    }
}

bool slu_submitter_cut(struct slu_submitter *s, int error)
{
    uint64_t now_ms = slu_now_ms();
    bool cut = error == SLU_ERR_TIMEOUT && s->urls.until_ms && now_ms >= s->urls.until_ms &&
               now_ms - s->owed_ms < s->options.answer_ms;
    if (!cut)
        s->owed_ms = 0;
    slu_session_until(s->session, s->urls.until_ms);
    return cut;
}

void slu_submitter_heard(struct slu_submitter *s, uint64_t stream_ms, uint64_t height)
{
    s->has_time = true;
    s->stream_ms = stream_ms;
    s->asked_ms = slu_now_ms();
    if (height > s->height)
        s->height_ms = s->asked_ms;
    s->height = height;
}

int slu_submitter_time(struct slu_submitter *s, uint64_t *stream_ms)
{
    Slu__Client__Reply *reply;
    if (!s->has_time || slu_now_ms() - s->asked_ms > TIME_STALE_MS) {
        int rc = slu_places_ask(s->session, &reply, NULL, 0, 0, false);
        if (rc) {
            slu_submitter_leave_for(s, rc);
            return SLU_ERR_CLOSED;
        }
        slu_submitter_heard(s, reply->query->stream_ms, reply->query->height);
        slu_reply_free(reply);
    }
    *stream_ms = s->stream_ms + (slu_now_ms() - s->asked_ms);
    return SLU_OK;
}

/* ---- giving ---- */

void slu_reason_copy(char reason[SLU_REASON_BYTES], const char *word)
{
    size_t len = strnlen(word, SLU_REASON_BYTES - 1);
    for (size_t i = 0; i < len; i++)
        reason[i] = word[i] > 0x20 && word[i] < 0x7f ? word[i] : '?';
    reason[len] = '\0';
}

static void refuse(struct slu_gift *gift, const char *reason)
{
    gift->answered = true;
    slu_reason_copy(gift->reason, *reason ? reason : "no_reason");
}

/* False: it says that it took something else. */
static bool take_result(struct slu_gift *gift, const Slu__Client__TxResult *result, uint64_t height)
{
    struct slu_kept *kept = gift->kept;
    if (!result->accepted) {
        refuse(gift, result->reason);
        return true;
    }
    if (result->id.len != 32 || memcmp(result->id.data, kept->id32, 32) != 0)
        return false;
    gift->answered = gift->taken = kept->maybe_taken = true;
    gift->known = result->known;
    kept->known = kept->known || result->known;
    if (kept->from_height == 0 || height < kept->from_height)
        kept->from_height = height;
    return true;
}

static int take_reply(struct slu_submitter *s, struct slu_gift *gifts, size_t count,
                      const Slu__Client__Reply *reply)
{
    bool honest = true;
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR) {
        for (size_t i = 0; i < count; i++)
            refuse(&gifts[i], reply->error->code);
        return SLU_OK;
    }
    if (reply->body_case != SLU__CLIENT__REPLY__BODY_SUBMIT || reply->submit->n_results != count) {
        slu_submitter_leave(s, "its answer is none to what was asked");
        return SLU_ERR_CLOSED;
    }
    for (size_t i = 0; i < count && honest; i++)
        honest = take_result(&gifts[i], reply->submit->results[i], reply->submit->height);
    if (!honest)
        slu_submitter_leave(s, "it took another transaction than it was given");
    return honest ? SLU_OK : SLU_ERR_CLOSED;
}

/* One request. Who does not answer may have taken all of it. */
static int give_some(struct slu_submitter *s, struct slu_gift *gifts, size_t count,
                     ProtobufCBinaryData *envelopes)
{
    Slu__Client__Submit submit = SLU__CLIENT__SUBMIT__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    Slu__Client__Reply *reply;
    for (size_t i = 0; i < count; i++)
        envelopes[i] = (ProtobufCBinaryData){gifts[i].kept->len, gifts[i].kept->envelope};
    submit.n_envelopes = count;
    submit.envelopes = envelopes;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBMIT;
    request.submit = &submit;
    slu_submitter_owes(s);
    int rc = slu_session_call(s->session, &request, &reply, s->options.answer_ms);
    bool cut = slu_submitter_cut(s, rc);
    if (rc == SLU_ERR_MEMORY)
        return rc;
    if (!rc) {
        rc = take_reply(s, gifts, count, reply);
        slu_reply_free(reply);
    } else if (!cut) {
        slu_submitter_leave_for(s, rc);
        rc = SLU_ERR_CLOSED;
    }
    for (size_t i = 0; i < count; i++)
        if (!gifts[i].answered)
            gifts[i].kept->maybe_taken = true;
    return rc;
}

int slu_submitter_give(struct slu_submitter *s, struct slu_gift *gifts, size_t count)
{
    ProtobufCBinaryData *envelopes = malloc(GIVE_TXS * sizeof *envelopes);
    int rc = envelopes ? SLU_OK : SLU_ERR_MEMORY;
    for (size_t first = 0, some; first < count && !rc; first += some) {
        size_t bytes = 0;
        for (some = 0; first + some < count && some < GIVE_TXS && bytes < GIVE_BYTES; some++)
            bytes += gifts[first + some].kept->len;
        rc = give_some(s, gifts + first, some, envelopes);
    }
    free(envelopes);
    return rc;
}
