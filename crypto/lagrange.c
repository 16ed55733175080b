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
    *out = (struct slu_coefficients){.k = k};
    for (uint16_t i = 0; i < k; i++) {
        uint8_t *value = out->scalar[i], divisor[32];
        bool negative = false;
        factorial(value, (uint16_t)(n - 1));
        slu_scalar_of(divisor, 1);
        for (uint16_t j = 0; j < k; j++) {
            if (j == i)
                continue;
            multiply(value, nodes[j] + UINT64_C(1));
            bool below = nodes[j] < nodes[i];
            multiply(divisor,
                     below ? (uint64_t)(nodes[i] - nodes[j]) : (uint64_t)(nodes[j] - nodes[i]));
            negative ^= below;
        }
        (void)crypto_core_ristretto255_scalar_invert(divisor, divisor); /* never 0 */
        crypto_core_ristretto255_scalar_mul(value, value, divisor);
        out->negative[i] = negative ^ shorten(value);
        unsigned bits = bits_of(value);
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
}

/* Up to four, by lanes, and a few terms after the other. */
static void combine_four(struct slu_point *out, const struct slu_coefficients *coefficients,
                         const struct slu_point *const *shares, size_t at, size_t count)
{
    struct slu_point terms[SLU_MSM_RUN_MAX][SLU_LANES], part[SLU_LANES];
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
        for (size_t lane = 0; lane < count; lane++) {
            if (done)
                slu_point_sum(&out[lane], &out[lane], &part[lane]);
            else
                out[lane] = part[lane];
        }
        done = (uint16_t)(done + run);
    }
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
