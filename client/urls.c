#include "client/urls.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/session.h"
#include "sluice/error.h"

#define PAUSE_MS 100u /* between two rounds over all URLs */

int slu_urls_add(struct slu_urls *urls, const char *text, size_t len)
{
    const char *scheme = memmem(text, len, "://", 3) ? "" : "tcp://";
    size_t left = sizeof urls->text - urls->used;
    int put = 0;
    if (len > 0 && len < left && urls->count < SLU_URLS_MAX)
        put = snprintf(urls->text + urls->used, left, "%s%.*s", scheme, (int)len, text);
    if (put <= 0 || (size_t)put >= left)
        return SLU_ERR_LIMIT;
    urls->at[urls->count++] = urls->text + urls->used;
    urls->used += (size_t)put + 1;
    return SLU_OK;
}

/* For one attempt from now on. */
static uint32_t connect_ms(const struct slu_urls *urls, uint64_t now_ms)
{
    uint32_t ms = urls->connect_ms ? urls->connect_ms : SLU_CONNECT_MS;
    return urls->until_ms && urls->until_ms - now_ms < ms ? (uint32_t)(urls->until_ms - now_ms)
                                                          : ms;
}

static bool is_over(const struct slu_urls *urls, uint64_t now_ms)
{
    return urls->until_ms && now_ms >= urls->until_ms;
}

static struct slu_session *open_current(struct slu_urls *urls, uint64_t now_ms, char *why,
                                        size_t why_cap)
{
    struct slu_session_config config = {.url = urls->at[urls->current],
                                        .timeout_ms = connect_ms(urls, now_ms),
                                        .answer_ms = urls->answer_ms};
    struct slu_session *session;
    if (slu_session_open(&session, &config, why, why_cap) != SLU_OK)
        return NULL;
    if (!urls->chain_id32 || !memcmp(slu_session_chain_id32(session), urls->chain_id32, 32))
        return session;
    snprintf(why, why_cap, "%s: a node of another chain", config.url);
    slu_session_close(session);
    return NULL;
}

struct slu_session *slu_urls_open(struct slu_urls *urls, uint32_t give_up_ms, char *why,
                                  size_t why_cap)
{
    uint64_t end_ms = slu_now_ms() + give_up_ms;
    for (;;) {
        for (size_t i = 0; i < urls->count; i++) {
            uint64_t now_ms = slu_now_ms();
            if (is_over(urls, now_ms))
                return NULL;
            struct slu_session *session = open_current(urls, now_ms, why, why_cap);
            if (session)
                return session;
            urls->current = (urls->current + 1) % urls->count;
        }
        if (slu_now_ms() + PAUSE_MS >= end_ms)
            return NULL;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
    }
}
