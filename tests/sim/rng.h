/* The simulator's randomness: splitmix64, one stream per purpose, all derived from the seed, so
 * that a seed is a run. */
#ifndef SLU_SIM_RNG_H
#define SLU_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct sim_rng {
    uint64_t state;
};

static inline uint64_t sim_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/** A stream of its own for (seed, purpose). */
static inline struct sim_rng sim_rng_of(uint64_t seed, uint64_t purpose)
{
    return (struct sim_rng){sim_mix(seed + 0x51ce) ^
                            sim_mix(purpose * UINT64_C(0x9e3779b97f4a7c15))};
}

static inline uint64_t sim_rng_next(struct sim_rng *rng)
{
    rng->state += UINT64_C(0x9e3779b97f4a7c15);
    return sim_mix(rng->state);
}

/** 0..bound-1; bound at least 1. */
static inline uint64_t sim_rng_below(struct sim_rng *rng, uint64_t bound)
{
    return sim_rng_next(rng) % bound;
}

/** low..high, both included. */
static inline uint64_t sim_rng_range(struct sim_rng *rng, uint64_t low, uint64_t high)
{
    return low + sim_rng_below(rng, high - low + 1);
}

static inline uint32_t sim_rng_u32(struct sim_rng *rng, uint32_t low, uint32_t high)
{
    return (uint32_t)sim_rng_range(rng, low, high);
}

static inline bool sim_rng_chance(struct sim_rng *rng, uint32_t permille)
{
    return sim_rng_below(rng, 1000) < permille;
}

#endif
