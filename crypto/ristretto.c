#include "crypto/ristretto.h"

#include <string.h>

/* Roots are taken for this many elements together. */
enum { RUN = 16 };

struct reading {
    struct slu_fe s, u1, u2, v;
};

/* Up to the root: 1/sqrt(v u2^2) is needed. False when the bytes are no canonical encoding; what
 * is in `out` and `radicand` then is an element of the field, too. */
static bool begin_read(struct reading *out, struct slu_fe *radicand, const uint8_t bytes32[32])
{
    static const uint8_t identity[32];
    struct slu_fe ss, u2_squared;
    slu_fe_read(&out->s, bytes32);
    slu_fe_square(&ss, &out->s);
    slu_fe_sub(&out->u1, &slu_fe_one, &ss);
    slu_fe_add(&out->u2, &slu_fe_one, &ss);
    slu_fe_square(&u2_squared, &out->u2);
    slu_fe_square(&out->v, &out->u1);
    slu_fe_mul(&out->v, &out->v, &slu_fe_d);
    slu_fe_add(&out->v, &out->v, &u2_squared);
    slu_fe_neg(&out->v, &out->v); /* -(d u1^2) - u2^2 */
    slu_fe_mul(radicand, &out->v, &u2_squared);
    return !(bytes32[31] >> 7 || bytes32[0] & 1 || !slu_fe_canonical(bytes32) ||
             !memcmp(bytes32, identity, 32));
}

static bool end_read(struct slu_point *out, const struct reading *in, const struct slu_fe *root)
{
    struct slu_fe den_x, den_y;
    slu_fe_mul(&den_x, root, &in->u2);
    slu_fe_mul(&den_y, root, &den_x);
    slu_fe_mul(&den_y, &den_y, &in->v);
    slu_fe_add(&out->x, &in->s, &in->s);
    slu_fe_mul(&out->x, &out->x, &den_x);
    slu_fe_abs(&out->x, &out->x);
    slu_fe_mul(&out->y, &in->u1, &den_y);
    out->z = slu_fe_one;
    slu_fe_mul(&out->t, &out->x, &out->y);
    return !slu_fe_is_negative(&out->t) && !slu_fe_is_zero(&out->y);
}

static void take_roots(bool square[RUN], struct slu_fe roots[RUN],
                       const struct slu_fe radicands[RUN], size_t count)
{
    struct slu_fe ones[RUN];
    for (size_t i = 0; i < count; i++)
        ones[i] = slu_fe_one;
    slu_fe_sqrt_ratio_many(square, roots, ones, radicands, count);
}

void slu_ristretto_read_many(bool *ok, struct slu_point *out, const uint8_t *const *encodings32,
                             size_t count)
{
    for (size_t done = 0; done < count;) {
        struct reading readings[RUN];
        struct slu_fe radicands[RUN], roots[RUN];
        bool canonical[RUN], square[RUN];
        const size_t run = count - done < RUN ? count - done : RUN;
        for (size_t i = 0; i < run; i++)
            canonical[i] = begin_read(&readings[i], &radicands[i], encodings32[done + i]);
        take_roots(square, roots, radicands, run);
        for (size_t i = 0; i < run; i++, done++)
            ok[done] = canonical[i] && end_read(&out[done], &readings[i], &roots[i]) && square[i];
    }
}

bool slu_ristretto_read(struct slu_point *out, const uint8_t bytes32[32])
{
    bool ok;
    slu_ristretto_read_many(&ok, out, &bytes32, 1);
    return ok;
}

struct writing {
    struct slu_fe u1, u2;
};

static void begin_write(struct writing *out, struct slu_fe *radicand, const struct slu_point *a)
{
    struct slu_fe t;
    slu_fe_add(&out->u1, &a->z, &a->y);
    slu_fe_sub(&t, &a->z, &a->y);
    slu_fe_mul(&out->u1, &out->u1, &t);
    slu_fe_mul(&out->u2, &a->x, &a->y);
    slu_fe_square(&t, &out->u2);
    slu_fe_mul(radicand, &t, &out->u1); /* always a square, or 0 for the identity */
}

static void end_write(uint8_t bytes32[32], const struct writing *in, const struct slu_fe *root,
                      const struct slu_point *a)
{
    struct slu_fe den1, den2, z_inverse, x, y, s, t;
    slu_fe_mul(&den1, root, &in->u1);
    slu_fe_mul(&den2, root, &in->u2);
    slu_fe_mul(&z_inverse, &den1, &den2);
    slu_fe_mul(&z_inverse, &z_inverse, &a->t);
    slu_fe_mul(&t, &a->t, &z_inverse);
    if (slu_fe_is_negative(&t)) {
        slu_fe_mul(&x, &a->y, &slu_fe_sqrt_m1);
        slu_fe_mul(&y, &a->x, &slu_fe_sqrt_m1);
        slu_fe_mul(&den2, &den1, &slu_fe_invsqrt_a_minus_d);
    } else {
        x = a->x;
        y = a->y;
    }
    slu_fe_mul(&t, &x, &z_inverse);
    if (slu_fe_is_negative(&t))
        slu_fe_neg(&y, &y);
    slu_fe_sub(&s, &a->z, &y);
    slu_fe_mul(&s, &s, &den2);
    slu_fe_abs(&s, &s);
    slu_fe_write(bytes32, &s);
}

void slu_ristretto_write_many(uint8_t (*out32)[32], const struct slu_point *points, size_t count)
{
    for (size_t done = 0; done < count;) {
        struct writing writings[RUN];
        struct slu_fe radicands[RUN], roots[RUN];
        bool square[RUN];
        const size_t run = count - done < RUN ? count - done : RUN;
        for (size_t i = 0; i < run; i++)
            begin_write(&writings[i], &radicands[i], &points[done + i]);
        take_roots(square, roots, radicands, run);
        for (size_t i = 0; i < run; i++, done++)
            end_write(out32[done], &writings[i], &roots[i], &points[done]);
    }
}

void slu_ristretto_write(uint8_t bytes32[32], const struct slu_point *a)
{
    slu_ristretto_write_many((uint8_t(*)[32])bytes32, a, 1);
}

bool slu_ristretto_equal(const struct slu_point *a, const struct slu_point *b)
{
    struct slu_fe left, right;
    slu_fe_mul(&left, &a->x, &b->y);
    slu_fe_mul(&right, &a->y, &b->x);
    if (slu_fe_equal(&left, &right))
        return true;
    slu_fe_mul(&left, &a->y, &b->y);
    slu_fe_mul(&right, &a->x, &b->x);
    return slu_fe_equal(&left, &right);
}
