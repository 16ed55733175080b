/* The two clocks of the daemon, as the core wants them: monotonic for timers, wall for reports. */
#ifndef SLU_NODE_CLOCK_H
#define SLU_NODE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t slu_clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/** Monotonic microseconds. */
static inline uint64_t slu_now_us(void)
{
    return slu_clock_us(CLOCK_MONOTONIC);
}

/** Monotonic milliseconds: what the core's timers are in. */
static inline uint64_t slu_monotonic_ms(void)
{
    return slu_now_us() / 1000u;
}

/** Wall clock in milliseconds; may jump. */
static inline uint64_t slu_wall_ms(void)
{
    return slu_clock_us(CLOCK_REALTIME) / 1000u;
}

#endif
