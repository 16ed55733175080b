#include "node/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "node/clock.h"

#define LINE_BYTES 1024

static _Atomic int max_level = SLU_LOG_INFO;

void slu_log_set_level(enum slu_log_level level)
{
    atomic_store(&max_level, (int)level);
}

/* Room is left for the newline and for the count of what was suppressed. */
__attribute__((format(printf, 3, 0))) static void
put_line(enum slu_log_level level, uint32_t suppressed, const char *format, va_list values)
{
    char line[LINE_BYTES + 40];
    struct tm tm;
    uint64_t ms = slu_wall_ms();
    time_t seconds = (time_t)(ms / 1000u);
    gmtime_r(&seconds, &tm);
    size_t at = strftime(line, sizeof line, "ts=%Y-%m-%dT%H:%M:%S", &tm);
    int n = snprintf(line + at, LINE_BYTES - at, ".%03uZ level=%s ", (unsigned)(ms % 1000u),
                     slu_log_level_name(level));
    at += n > 0 ? (size_t)n : 0;
    n = vsnprintf(line + at, LINE_BYTES - at, format, values);
    at += n > 0 ? (size_t)n : 0;
    if (at > LINE_BYTES - 1)
        at = LINE_BYTES - 1;
    for (size_t i = 0; i < at; i++) {
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    }
    if (suppressed > 0) {
        n = snprintf(line + at, sizeof line - at - 1, " suppressed=%u", suppressed);
        at += n > 0 ? (size_t)n : 0;
    }
    line[at++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, at);
    (void)written; /* nobody to tell */
}

void slu_log(enum slu_log_level level, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&max_level, memory_order_relaxed))
        return;
    va_list values;
    va_start(values, format);
    put_line(level, 0, format, values);
    va_end(values);
}

void slu_log_limited(struct slu_log_limit *limit, enum slu_log_level level, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&max_level, memory_order_relaxed))
        return;
    uint64_t now = slu_monotonic_ms(), window = atomic_load(&limit->window_ms);
    if ((window == 0 || now - window >= 60000u) &&
        atomic_compare_exchange_strong(&limit->window_ms, &window, now))
        atomic_store(&limit->used, 0);
    if (atomic_fetch_add(&limit->used, 1) >= limit->per_minute) {
        atomic_fetch_add(&limit->suppressed, 1);
        return;
    }
    va_list values;
    va_start(values, format);
    put_line(level, atomic_exchange(&limit->suppressed, 0), format, values);
    va_end(values);
}
