#include "crypto/lanes.h"

#include "base/check.h"

static bool turned_off;

void slu_lanes_turn_off(bool off)
{
    turned_off = off;
}

unsigned slu_lanes_window_bits(size_t count)
{
    return count < 160 ? 5 : count < 256 ? 6 : SLU_LANES_WINDOW_BITS_MAX;
}

#if defined(__x86_64__)
#include "crypto/field_lanes.h"

bool slu_lanes_on(void)
{
    return !turned_off && __builtin_cpu_supports("avx2");
}

static __attribute__((noinline)) SLU_AVX2 void square_times(struct slu_fe4 *out,
                                                            const struct slu_fe4 *a, int times)
{
    struct slu_fe4 t = *a;
    for (int i = 0; i < times; i++)
        slu_fe4_square(&t, &t);
    *out = t;
}

static __attribute__((noinline)) SLU_AVX2 void mul(struct slu_fe4 *out, const struct slu_fe4 *a,
                                                   const struct slu_fe4 *b)
{
    slu_fe4_mul(out, a, b);
}

/* The chain of power_run in crypto/field.c: (p - 5) / 8 = (2^250 - 1) 2^2 + 1. */
SLU_AVX2 void slu_lanes_power(struct slu_fe out[SLU_LANES], const struct slu_fe in[SLU_LANES])
{
    const struct slu_fe *from[4] = {&in[0], &in[1], &in[2], &in[3]};
    struct slu_fe *to[4] = {&out[0], &out[1], &out[2], &out[3]};
    struct slu_fe4 a, t, run5, run10, run20, run50, run100;
    slu_fe4_load(&a, from);
    square_times(&t, &a, 1);
    square_times(&run5, &t, 2);
    mul(&run5, &run5, &a); /* 9 */
    mul(&t, &run5, &t);    /* 11 */
    square_times(&t, &t, 1);
    mul(&run5, &t, &run5); /* 31 */
    square_times(&t, &run5, 5);
    mul(&run10, &t, &run5);
    square_times(&t, &run10, 10);
    mul(&run20, &t, &run10);
    square_times(&t, &run20, 20);
    mul(&t, &t, &run20);
    square_times(&t, &t, 10);
    mul(&run50, &t, &run10);
    square_times(&t, &run50, 50);
    mul(&run100, &t, &run50);
    square_times(&t, &run100, 100);
    mul(&t, &t, &run100);
    square_times(&t, &t, 50);
    mul(&t, &t, &run50);
    square_times(&t, &t, 2);
    mul(&t, &t, &a);
    slu_fe4_store(to, &t);
}

#else

bool slu_lanes_on(void)
{
    return false;
}

void slu_lanes_power(struct slu_fe out[SLU_LANES], const struct slu_fe in[SLU_LANES])
{
    (void)out, (void)in;
    SLU_CHECK(slu_lanes_on());
}

void slu_lanes_shares(uint8_t (*out32)[32], const struct slu_point points[SLU_LANES],
                      const uint8_t scalar32[32])
{
    (void)out32, (void)points, (void)scalar32;
    SLU_CHECK(slu_lanes_on());
}

void slu_lanes_fixed(struct slu_point out[SLU_LANES],
                     const struct slu_fixed_base *const bases[SLU_LANES],
                     const uint8_t *const z32[SLU_LANES], const uint8_t *const e16[SLU_LANES],
                     const struct slu_point *images)
{
    (void)out, (void)bases, (void)z32, (void)e16, (void)images;
    SLU_CHECK(slu_lanes_on());
}

void slu_lanes_fixed_sum(struct slu_point *out, const struct slu_fixed_base *a,
                         const struct slu_fixed_digits *a_digits, const struct slu_fixed_base *b,
                         const struct slu_fixed_digits *b_digits)
{
    (void)out, (void)a, (void)a_digits, (void)b, (void)b_digits;
    SLU_CHECK(slu_lanes_on());
}

void slu_lanes_msm(struct slu_point out[SLU_LANES], const struct slu_point (*points)[SLU_LANES],
                   const uint8_t (*scalars32)[32], size_t count, unsigned bits)
{
    (void)out, (void)points, (void)scalars32, (void)count, (void)bits;
    SLU_CHECK(slu_lanes_on());
}

void slu_lanes_windows(struct slu_point out[SLU_LANES], const struct slu_msm_term *terms,
                       size_t count, unsigned window_bits, unsigned first, unsigned lanes)
{
    (void)out, (void)terms, (void)count, (void)window_bits, (void)first, (void)lanes;
    SLU_CHECK(slu_lanes_on());
}

#endif
