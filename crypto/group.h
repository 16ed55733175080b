/* The group of edwards25519, -x^2 + y^2 = 1 + d x^2 y^2, in the coordinates of Hisil, Wong, Carter
 * and Dawson (2008), for PUBLIC data: time depends on the points and scalars. Secrets stay with
 * libsodium.
 *
 *     slu_point    extended: x = X/Z, y = Y/Z, T = XY/Z      the value that callers hold
 *     slu_cached   of a point that is added several times: Y+X, Y-X, 2Z, 2dT
 *     slu_niels    of a point with Z = 1, for tables: y+x, y-x, 2dxy; one product less per addition
 *
 * The addition formulas are complete: they hold for every pair of points of the curve, the identity
 * and points of small order included, so that nothing here has special cases.
 *
 * All functions: any thread, no allocation, outputs may alias inputs of the same type. */
#ifndef SLU_CRYPTO_GROUP_H
#define SLU_CRYPTO_GROUP_H

#include "crypto/field.h"

struct slu_point {
    struct slu_fe x, y, z, t;
};

struct slu_cached {
    struct slu_fe y_plus_x, y_minus_x, z2, t2d;
};

struct slu_niels {
    struct slu_fe y_plus_x, y_minus_x, xy2d;
};

extern const struct slu_point slu_point_identity;
/** The base point of RFC 8032, which is also ristretto255's generator. */
extern const struct slu_point slu_point_base;

void slu_point_cache(struct slu_cached *out, const struct slu_point *a);
/** Scales `count` points to Z = 1 for a table; `scratch` has 2 * count elements. */
void slu_point_niels(struct slu_niels *out, const struct slu_point *points, size_t count,
                     struct slu_fe *scratch);

void slu_point_add(struct slu_point *out, const struct slu_point *a, const struct slu_cached *b);
void slu_point_sub(struct slu_point *out, const struct slu_point *a, const struct slu_cached *b);
void slu_point_add_niels(struct slu_point *out, const struct slu_point *a,
                         const struct slu_niels *b);
void slu_point_sub_niels(struct slu_point *out, const struct slu_point *a,
                         const struct slu_niels *b);
/** a + b for two points that are used once. */
void slu_point_sum(struct slu_point *out, const struct slu_point *a, const struct slu_point *b);
void slu_point_neg(struct slu_point *out, const struct slu_point *a);
/** 2^times a; products that only the last doubling needs are left out before it. */
void slu_point_double(struct slu_point *out, const struct slu_point *a, unsigned times);

/** RFC 8032 section 5.1.3 without its canonical checks: `bytes32` is any y below 2^255 and a sign
 * bit. False when no point has that y. */
bool slu_point_read_ed25519(struct slu_point *out, const uint8_t bytes32[32]);
/** The encoding of RFC 8032. */
void slu_point_write_ed25519(uint8_t bytes32[32], const struct slu_point *a);
/** The same with 1/Z from slu_fe_invert_all. */
void slu_point_write_ed25519_by(uint8_t bytes32[32], const struct slu_point *a,
                                const struct slu_fe *z_inverse);

#endif
