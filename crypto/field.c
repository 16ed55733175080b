#include "crypto/field.h"

#include "crypto/lanes.h"

const struct slu_fe slu_fe_zero = {{0}};
const struct slu_fe slu_fe_one = {{1}};
const struct slu_fe slu_fe_d = {
    {929955233495203, 466365720129213, 1662059464998953, 2033849074728123, 1442794654840575}};
const struct slu_fe slu_fe_2d = {
    {1859910466990425, 932731440258426, 1072319116312658, 1815898335770999, 633789495995903}};
const struct slu_fe slu_fe_sqrt_m1 = {
    {1718705420411056, 234908883556509, 2233514472574048, 2117202627021982, 765476049583133}};
const struct slu_fe slu_fe_invsqrt_a_minus_d = {
    {278908739862762, 821645201101625, 8113234426968, 1777959178193151, 2118520810568447}};

static uint64_t load64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static void store64(uint8_t *bytes, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

void slu_fe_neg(struct slu_fe *out, const struct slu_fe *a)
{
    slu_fe_sub(out, &slu_fe_zero, a);
}

void slu_fe_read(struct slu_fe *out, const uint8_t bytes32[32])
{
    uint64_t w0 = load64(bytes32), w1 = load64(bytes32 + 8), w2 = load64(bytes32 + 16),
             w3 = load64(bytes32 + 24);
    out->limb[0] = w0 & SLU_FE_MASK;
    out->limb[1] = (w0 >> 51 | w1 << 13) & SLU_FE_MASK;
    out->limb[2] = (w1 >> 38 | w2 << 26) & SLU_FE_MASK;
    out->limb[3] = (w2 >> 25 | w3 << 39) & SLU_FE_MASK;
    out->limb[4] = w3 >> 12 & SLU_FE_MASK;
}

/* One pass of carries, the top's times 19 into the bottom. */
static void carry(struct slu_fe *a)
{
    for (int i = 0; i < 4; i++) {
        a->limb[i + 1] += a->limb[i] >> 51;
        a->limb[i] &= SLU_FE_MASK;
    }
    a->limb[0] += 19 * (a->limb[4] >> 51);
    a->limb[4] &= SLU_FE_MASK;
}

/* The canonical limbs: below p, each below 2^51. */
static void freeze(struct slu_fe *out, const struct slu_fe *a)
{
    struct slu_fe t = *a;
    carry(&t);
    carry(&t); /* now below 2^255 + 19 * 2, limb 0 at most a few above 2^51 */
    /* q = 1 when t >= p: then t + 19 passes 2^255. */
    uint64_t q = (t.limb[0] + 19) >> 51;
    for (int i = 1; i < 5; i++)
        q = (t.limb[i] + q) >> 51;
    t.limb[0] += 19 * q;
    for (int i = 0; i < 4; i++) {
        t.limb[i + 1] += t.limb[i] >> 51;
        t.limb[i] &= SLU_FE_MASK;
    }
    t.limb[4] &= SLU_FE_MASK;
    *out = t;
}

void slu_fe_write(uint8_t bytes32[32], const struct slu_fe *a)
{
    struct slu_fe t;
    freeze(&t, a);
    store64(bytes32, t.limb[0] | t.limb[1] << 51);
    store64(bytes32 + 8, t.limb[1] >> 13 | t.limb[2] << 38);
    store64(bytes32 + 16, t.limb[2] >> 26 | t.limb[3] << 25);
    store64(bytes32 + 24, t.limb[3] >> 39 | t.limb[4] << 12);
}

bool slu_fe_canonical(const uint8_t bytes32[32])
{
    if ((bytes32[31] & 0x7f) != 0x7f || bytes32[0] < 0xed)
        return true;
    for (int i = 1; i < 31; i++)
        if (bytes32[i] != 0xff)
            return true;
    return false;
}

bool slu_fe_is_zero(const struct slu_fe *a)
{
    struct slu_fe t;
    freeze(&t, a);
    return !(t.limb[0] | t.limb[1] | t.limb[2] | t.limb[3] | t.limb[4]);
}

bool slu_fe_is_negative(const struct slu_fe *a)
{
    struct slu_fe t;
    freeze(&t, a);
    return t.limb[0] & 1;
}

void slu_fe_abs(struct slu_fe *out, const struct slu_fe *a)
{
    if (slu_fe_is_negative(a))
        slu_fe_neg(out, a);
    else
        *out = *a;
}

bool slu_fe_equal(const struct slu_fe *a, const struct slu_fe *b)
{
    struct slu_fe difference;
    slu_fe_sub(&difference, a, b);
    return slu_fe_is_zero(&difference);
}

static void square_times(struct slu_fe *out, const struct slu_fe *a, int times)
{
    struct slu_fe t = *a;
    for (int i = 0; i < times; i++)
        slu_fe_square(&t, &t);
    *out = t;
}

/* a^(2^250 - 1) and a^11: where both of the powers below start. Runs of ones are doubled: a run of
 * m ones, squared n times and multiplied by a run of n ones, is a run of m + n. */
static void power_run(struct slu_fe *run250, struct slu_fe *a11, const struct slu_fe *a)
{
    struct slu_fe t, run5, run10, run20, run50, run100;
    slu_fe_square(&t, a);         /* 2 */
    square_times(&run5, &t, 2);   /* 8 */
    slu_fe_mul(&run5, &run5, a);  /* 9 */
    slu_fe_mul(a11, &run5, &t);   /* 11 */
    slu_fe_square(&t, a11);       /* 22 */
    slu_fe_mul(&run5, &t, &run5); /* 31 */
    square_times(&t, &run5, 5);
    slu_fe_mul(&run10, &t, &run5);
    square_times(&t, &run10, 10);
    slu_fe_mul(&run20, &t, &run10);
    square_times(&t, &run20, 20);
    slu_fe_mul(&t, &t, &run20);
    square_times(&t, &t, 10);
    slu_fe_mul(&run50, &t, &run10);
    square_times(&t, &run50, 50);
    slu_fe_mul(&run100, &t, &run50);
    square_times(&t, &run100, 100);
    slu_fe_mul(&t, &t, &run100);
    square_times(&t, &t, 50);
    slu_fe_mul(run250, &t, &run50);
}

void slu_fe_invert(struct slu_fe *out, const struct slu_fe *a)
{
    struct slu_fe t, a11;
    power_run(&t, &a11, a); /* p - 2 = (2^250 - 1) 2^5 + 11 */
    square_times(&t, &t, 5);
    slu_fe_mul(out, &t, &a11);
}

void slu_fe_invert_all(struct slu_fe *elements, struct slu_fe *scratch, size_t count)
{
    struct slu_fe product = slu_fe_one, inverse;
    for (size_t i = 0; i < count; i++) {
        scratch[i] = product;
        slu_fe_mul(&product, &product, &elements[i]);
    }
    slu_fe_invert(&inverse, &product);
    for (size_t i = count; i-- > 0;) {
        struct slu_fe element = elements[i];
        slu_fe_mul(&elements[i], &inverse, &scratch[i]);
        slu_fe_mul(&inverse, &inverse, &element);
    }
}

/* What the root of u/v is the power of, and what it is multiplied with: u v^7 and u v^3. */
static void begin_root(struct slu_fe *base, struct slu_fe *factor, const struct slu_fe *u,
                       const struct slu_fe *v)
{
    struct slu_fe v3, t;
    slu_fe_square(&t, v);
    slu_fe_mul(&v3, &t, v);
    slu_fe_square(&t, &v3);
    slu_fe_mul(&t, &t, v);
    slu_fe_mul(base, &t, u);
    slu_fe_mul(factor, &v3, u);
}

static bool end_root(struct slu_fe *out, const struct slu_fe *power, const struct slu_fe *factor,
                     const struct slu_fe *u, const struct slu_fe *v)
{
    struct slu_fe t, root, check, u_i;
    slu_fe_mul(&root, power, factor); /* u v^3 (u v^7)^((p-5)/8) */
    slu_fe_square(&check, &root);
    slu_fe_mul(&check, &check, v);
    bool correct = slu_fe_equal(&check, u);
    slu_fe_neg(&t, u);
    bool flipped = slu_fe_equal(&check, &t);
    slu_fe_mul(&u_i, &t, &slu_fe_sqrt_m1);
    if (flipped || slu_fe_equal(&check, &u_i))
        slu_fe_mul(&root, &root, &slu_fe_sqrt_m1);
    slu_fe_abs(out, &root);
    return correct || flipped;
}

/* a^((p-5)/8), the exponent being (2^250 - 1) 2^2 + 1. */
static void power(struct slu_fe *out, const struct slu_fe *a)
{
    struct slu_fe t, a11;
    power_run(&t, &a11, a);
    square_times(&t, &t, 2);
    slu_fe_mul(out, &t, a);
}

void slu_fe_sqrt_ratio_many(bool *square, struct slu_fe *out, const struct slu_fe *u,
                            const struct slu_fe *v, size_t count)
{
    for (size_t done = 0; done < count;) {
        struct slu_fe bases[SLU_LANES], factors[SLU_LANES];
        const size_t left = count - done, run = left < SLU_LANES ? left : SLU_LANES;
        for (size_t i = 0; i < SLU_LANES; i++) {
            if (i < run)
                begin_root(&bases[i], &factors[i], &u[done + i], &v[done + i]);
            else
                bases[i] = bases[0];
        }
        if (run > 1 && slu_lanes_on())
            slu_lanes_power(bases, bases);
        else
            for (size_t i = 0; i < run; i++)
                power(&bases[i], &bases[i]);
        for (size_t i = 0; i < run; i++, done++)
            square[done] = end_root(&out[done], &bases[i], &factors[i], &u[done], &v[done]);
    }
}

bool slu_fe_sqrt_ratio(struct slu_fe *out, const struct slu_fe *u, const struct slu_fe *v)
{
    bool square;
    slu_fe_sqrt_ratio_many(&square, out, u, v, 1);
    return square;
}
