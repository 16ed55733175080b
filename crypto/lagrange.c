#include "crypto/lagrange.h"

#include <sodium.h>
#include <string.h>

#include "crypto/lanes.h"
#include "crypto/msm.h"
#include "crypto/scalar.h"
#include "sluice/error.h"

static void multiply(uint8_t product32[32], uint64_t factor)
{
    uint8_t scalar[32];
    slu_scalar_of(scalar, factor);
    crypto_core_ristretto255_scalar_mul(product32, product32, scalar);
}

static void factorial(uint8_t scalar32[32], uint16_t n)
{
    slu_scalar_of(scalar32, 1);
    for (uint16_t i = 2; i <= n; i++)
        multiply(scalar32, i);
}

static unsigned bits_of(const uint8_t scalar32[32])
{
    for (unsigned bit = 256; bit-- > 0;)
        if (scalar32[bit / 8] >> bit % 8 & 1)
            return bit + 1;
    return 0;
}

/* The shorter of value and l - value; true when it is the latter. */
static bool shorten(uint8_t scalar32[32])
{
    uint8_t other[32];
    crypto_core_ristretto255_scalar_negate(other, scalar32);
    if (bits_of(other) >= bits_of(scalar32))
        return false;
    memcpy(scalar32, other, 32);
    return true;
}

/* Coefficients are products and quotients of numbers up to SLU_NODES_MAX, so that their common
 * divisor can be had from the powers of these primes. */
static const uint8_t primes[] = {2,  3,  5,  7,  11, 13, 17, 19, 23,
                                 29, 31, 37, 41, 43, 47, 53, 59, 61};
enum { PRIMES = sizeof primes };
_Static_assert(SLU_NODES_MAX < 67, "the next prime");

struct powers {
    int of[PRIMES];
};

/* Multiplies by `value`, or divides: `sign` -1. */
static void count_powers(struct powers *product, unsigned value, int sign)
{
    for (unsigned p = 0; p < PRIMES; p++)
        for (; value % primes[p] == 0; value /= primes[p])
            product->of[p] += sign;
}

/* |(n-1)! prod j / (j - i)| over the points of the other nodes; true when it is negative. */
static bool coefficient(struct powers *out, const uint16_t *nodes, uint16_t k, uint16_t n,
                        uint16_t i)
{
    bool negative = false;
    *out = (struct powers){{0}};
    for (unsigned m = 2; m < n; m++)
        count_powers(out, m, 1);
    for (uint16_t j = 0; j < k; j++) {
        if (j == i)
            continue;
        const bool below = nodes[j] < nodes[i];
        count_powers(out, nodes[j] + 1u, 1);
        count_powers(out, (unsigned)(below ? nodes[i] - nodes[j] : nodes[j] - nodes[i]), -1);
        negative ^= below;
    }
    return negative;
}

/* The product of primes to the powers in `a` less those in `b`, modulo l. */
static void scalar_of_powers(uint8_t scalar32[32], const struct powers *a, const struct powers *b)
{
    slu_scalar_of(scalar32, 1);
    for (unsigned p = 0; p < PRIMES; p++)
        for (int power = b->of[p]; power < a->of[p]; power++)
            multiply(scalar32, primes[p]);
}

int slu_coefficients_of(struct slu_coefficients *out, const uint16_t *nodes, uint16_t k, uint16_t n)
{
    if (k < 1 || k > n || n > SLU_NODES_MAX)
        return SLU_ERR_MALFORMED;
    uint64_t seen = 0;
    for (uint16_t i = 0; i < k; i++) {
        if (nodes[i] >= n || seen >> nodes[i] & 1)
            return SLU_ERR_MALFORMED;
        seen |= UINT64_C(1) << nodes[i];
    }
    static const struct powers none;
    struct powers all[SLU_NODES_MAX], common;
    *out = (struct slu_coefficients){.k = k};
    for (uint16_t i = 0; i < k; i++) {
        out->negative[i] = coefficient(&all[i], nodes, k, n, i);
        for (unsigned p = 0; p < PRIMES; p++)
            if (!i || all[i].of[p] < common.of[p])
                common.of[p] = all[i].of[p];
    }
    scalar_of_powers(out->common[0], &common, &none); /* integers: no power is below 0 */
    const bool turned = shorten(out->common[0]);
    out->common_bits = bits_of(out->common[0]);
    for (uint16_t i = 0; i < k; i++) {
        scalar_of_powers(out->scalar[i], &all[i], &common);
        out->negative[i] ^= turned ^ shorten(out->scalar[i]);
        unsigned bits = bits_of(out->scalar[i]);
        out->bits = bits > out->bits ? bits : out->bits;
    }
    return SLU_OK;
}

static void combine_one(struct slu_point *out, const struct slu_coefficients *coefficients,
                        const struct slu_point *const *shares, size_t at)
{
    struct slu_point terms[SLU_NODES_MAX];
    for (uint16_t i = 0; i < coefficients->k; i++) {
        terms[i] = shares[i][at];
        if (coefficients->negative[i])
            slu_point_neg(&terms[i], &terms[i]);
    }
    slu_msm(out, terms, coefficients->scalar, coefficients->k, coefficients->bits);
    slu_msm(out, out, coefficients->common, 1, coefficients->common_bits);
}

/* Up to four, by lanes, and a few terms after the other. */
static void combine_four(struct slu_point *out, const struct slu_coefficients *coefficients,
                         const struct slu_point *const *shares, size_t at, size_t count)
{
    struct slu_point terms[SLU_MSM_RUN_MAX][SLU_LANES], sum[1][SLU_LANES], part[SLU_LANES];
    for (uint16_t done = 0; done < coefficients->k;) {
        uint16_t run = 0;
        for (; run < SLU_MSM_RUN_MAX && done + run < coefficients->k; run++)
            for (size_t lane = 0; lane < SLU_LANES; lane++) {
                struct slu_point *term = &terms[run][lane];
                *term = shares[done + run][at + (lane < count ? lane : 0)];
                if (coefficients->negative[done + run])
                    slu_point_neg(term, term);
            }
        slu_lanes_msm(part, (const struct slu_point(*)[SLU_LANES])terms,
                      coefficients->scalar + done, run, coefficients->bits);
        for (size_t lane = 0; lane < SLU_LANES; lane++) {
            if (done)
                slu_point_sum(&sum[0][lane], &sum[0][lane], &part[lane]);
            else
                sum[0][lane] = part[lane];
        }
        done = (uint16_t)(done + run);
    }
    slu_lanes_msm(part, (const struct slu_point(*)[SLU_LANES])sum, coefficients->common, 1,
                  coefficients->common_bits);
    memcpy(out, part, count * sizeof *out);
}

void slu_combine_many(struct slu_point *out, const struct slu_coefficients *coefficients,
                      const struct slu_point *const *shares, size_t count)
{
    for (size_t done = 0; done < count;) {
        const size_t left = count - done, run = left < SLU_LANES ? left : SLU_LANES;
        if (run > 1 && slu_lanes_on())
            combine_four(out + done, coefficients, shares, done, run);
        else
            for (size_t i = 0; i < run; i++)
                combine_one(&out[done + i], coefficients, shares, done + i);
        done += run;
    }
}

void slu_combine(struct slu_point *out, const struct slu_coefficients *coefficients,
                 const struct slu_point *shares)
{
    const struct slu_point *each[SLU_NODES_MAX];
    for (uint16_t i = 0; i < coefficients->k; i++)
        each[i] = &shares[i];
    slu_combine_many(out, coefficients, each, 1);
}

void slu_share_divisor_inverse(uint8_t scalar32[32], uint16_t n)
{
    SLU_CHECK(n >= 1 && n <= SLU_NODES_MAX);
    factorial(scalar32, (uint16_t)(n - 1));
    (void)crypto_core_ristretto255_scalar_invert(scalar32, scalar32);
}
