#include "crypto/ristretto.h"

#include <string.h>

bool slu_ristretto_read(struct slu_point *out, const uint8_t bytes32[32])
{
    static const uint8_t identity[32];
    if (bytes32[31] >> 7 || bytes32[0] & 1 || !slu_fe_canonical(bytes32) ||
        !memcmp(bytes32, identity, 32))
        return false;
    struct slu_fe s, ss, u1, u2, u2_squared, v, root, den_x, den_y;
    slu_fe_read(&s, bytes32);
    slu_fe_square(&ss, &s);
    slu_fe_sub(&u1, &slu_fe_one, &ss);
    slu_fe_add(&u2, &slu_fe_one, &ss);
    slu_fe_square(&u2_squared, &u2);
    slu_fe_square(&v, &u1);
    slu_fe_mul(&v, &v, &slu_fe_d);
    slu_fe_add(&v, &v, &u2_squared);
    slu_fe_neg(&v, &v); /* -(d u1^2) - u2^2 */
    slu_fe_mul(&root, &v, &u2_squared);
    bool square = slu_fe_sqrt_ratio(&root, &slu_fe_one, &root);
    slu_fe_mul(&den_x, &root, &u2);
    slu_fe_mul(&den_y, &root, &den_x);
    slu_fe_mul(&den_y, &den_y, &v);
    slu_fe_add(&out->x, &s, &s);
    slu_fe_mul(&out->x, &out->x, &den_x);
    slu_fe_abs(&out->x, &out->x);
    slu_fe_mul(&out->y, &u1, &den_y);
    out->z = slu_fe_one;
    slu_fe_mul(&out->t, &out->x, &out->y);
    return square && !slu_fe_is_negative(&out->t) && !slu_fe_is_zero(&out->y);
}

void slu_ristretto_write(uint8_t bytes32[32], const struct slu_point *a)
{
    struct slu_fe u1, u2, root, den1, den2, z_inverse, x, y, s, t;
    slu_fe_add(&u1, &a->z, &a->y);
    slu_fe_sub(&t, &a->z, &a->y);
    slu_fe_mul(&u1, &u1, &t);
    slu_fe_mul(&u2, &a->x, &a->y);
    slu_fe_square(&t, &u2);
    slu_fe_mul(&t, &t, &u1);
    (void)slu_fe_sqrt_ratio(&root, &slu_fe_one, &t); /* always a square, or 0 for the identity */
    slu_fe_mul(&den1, &root, &u1);
    slu_fe_mul(&den2, &root, &u2);
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
