#include "client/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
    while (*text) {
        size_t len = strcspn(text, ",");
        if (slu_urls_add(urls, text, len)) {
            slu_complain(command, 0, "%s: an empty, too long or one too many URL in '%s'", option,
                         text);
            return false;
        }
        text += len;
        if (*text == ',')
            text++;
    }
    if (urls->count == 0)
        slu_complain(command, 0, "%s: no URL", option);
    return urls->count > 0;
}
