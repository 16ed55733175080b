/* The log: logfmt lines on standard error, for people and for machines.
 *
 *     ts=2026-01-02T03:04:05.678Z level=info event=delivering height=12
 *
 * What a peer or a client can trigger goes through slu_log_limited, so that nobody outside fills
 * the disk. Any thread; one line is one write. */
#ifndef SLU_NODE_LOG_H
#define SLU_NODE_LOG_H

#include <stdatomic.h>
#include <stdint.h>

#include "config/node_config.h"

/** Lines above `level` are left out. At start: info. */
void slu_log_set_level(enum slu_log_level level);

/** Writes one line; `format` gives its fields, starting with event=. A newline in them becomes a
 * space. Longer lines than 1,024 bytes are cut. */
void slu_log(enum slu_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** At most `per_minute` lines a minute go through; the next that does tells how many did not. */
struct slu_log_limit {
    uint32_t per_minute;
    _Atomic uint64_t window_ms; /* start of the current minute */
    _Atomic uint32_t used;
    _Atomic uint32_t suppressed;
};

#define SLU_LOG_LIMIT(lines)                                                                       \
    {                                                                                              \
        .per_minute = (lines)                                                                      \
    }

void slu_log_limited(struct slu_log_limit *limit, enum slu_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
