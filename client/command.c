#include "client/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/session.h"
#include "sluice/error.h"

#define PAUSE_MS 100u /* between two rounds over all URLs */

int slu_complain(const char *command, int code, const char *format, ...)
{
    char words[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(words, sizeof words, format, values);
    va_end(values);
    for (char *at = words; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    fprintf(stderr, "sluice %s: %s\n", command, words);
    return code;
}

bool slu_argument_number(const char *command, const char *option, const char *text, uint64_t low,
                         uint64_t high, uint64_t *out)
{
    uint64_t number = 0;
    bool bad = *text == '\0';
    bool over = false;
    for (const char *at = text; *at && !bad; at++) {
        bad = *at < '0' || *at > '9';
        over = over || __builtin_mul_overflow(number, 10u, &number) ||
               __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number);
    }
    if (bad)
        slu_complain(command, 0, "%s: '%s' is not a whole number", option, text);
    else if (over || number < low || number > high)
        slu_complain(command, 0, "%s: %s is not in %llu..%llu", option, text,
                     (unsigned long long)low, (unsigned long long)high);
    else
        *out = number;
    return !bad && !over && number >= low && number <= high;
}

bool slu_argument_urls(const char *command, const char *option, const char *text,
                       struct slu_urls *urls)
{
    memset(urls, 0, sizeof *urls);
    size_t used = 0;
    while (*text) {
        size_t len = strcspn(text, ",");
        const char *scheme = memmem(text, len, "://", 3) ? "" : "tcp://";
        size_t left = sizeof urls->text - used;
        int put = 0;
        if (len > 0 && urls->count < SLU_URLS_MAX)
            put = snprintf(urls->text + used, left, "%s%.*s", scheme, (int)len, text);
        if (put <= 0 || (size_t)put >= left) {
            slu_complain(command, 0, "%s: an empty, too long or one too many URL in '%s'", option,
                         text);
            return false;
        }
        urls->at[urls->count++] = urls->text + used;
        used += (size_t)put + 1;
        text += len;
        if (*text == ',')
            text++;
    }
    if (urls->count == 0)
        slu_complain(command, 0, "%s: no URL", option);
    return urls->count > 0;
}

struct slu_session *slu_urls_open(struct slu_urls *urls, uint32_t give_up_ms, char *why,
                                  size_t why_cap)
{
    uint64_t end_ms = slu_now_ms() + give_up_ms;
    for (;;) {
        for (size_t i = 0; i < urls->count; i++) {
            struct slu_session_config config = {.url = urls->at[urls->current],
                                                .timeout_ms = SLU_CONNECT_MS};
            struct slu_session *session;
            if (slu_session_open(&session, &config, why, why_cap) == SLU_OK)
                return session;
            urls->current = (urls->current + 1) % urls->count;
        }
        if (slu_now_ms() + PAUSE_MS >= end_ms)
            return NULL;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
    }
}
