/* Four points at once, by the formulas of crypto/group.h, for crypto/lanes*.c. Coordinates have 1
 * unit (crypto/field_lanes.h), those of the others as many as stand beside them. No branch and no
 * address depends on a coordinate. Outputs may alias inputs of the same type. */
#ifndef SLU_CRYPTO_POINT_LANES_H
#define SLU_CRYPTO_POINT_LANES_H

#include "crypto/group.h"

#if defined(__x86_64__)
#include "crypto/field_lanes.h"

struct slu_point4 {
    struct slu_fe4 x, y, z, t;
};

struct slu_cached4 {
    struct slu_fe4 y_plus_x;  /* 2 units */
    struct slu_fe4 y_minus_x; /* 3 */
    struct slu_fe4 z2;        /* 2 */
    struct slu_fe4 t2d;       /* 2, since it may have been negated */
};

struct slu_niels4 {
    struct slu_fe4 y_plus_x, y_minus_x; /* 8 */
    struct slu_fe4 xy2d;                /* 3 */
};

/* A cached4 with two limbs in each 64 bits: tables of it are half as large. */
struct slu_packed4 {
    __m256i pair[4][5];
};

void slu_point4_load(struct slu_point4 *out, const struct slu_point *const in[4]);
void slu_point4_store(struct slu_point *const out[4], const struct slu_point4 *a);
void slu_point4_identity(struct slu_point4 *out);
void slu_point4_cache(struct slu_cached4 *out, const struct slu_point4 *a);
void slu_point4_pack(struct slu_packed4 *out, const struct slu_cached4 *a);
void slu_point4_unpack(struct slu_cached4 *out, const struct slu_packed4 *a);
/* Negates the lanes whose bits in `mask` are all set; t2d has 1 unit before, and none of the lanes
 * was negated. */
SLU_AVX2 void slu_point4_negate_cached(struct slu_cached4 *a, __m256i mask);
void slu_point4_add(struct slu_point4 *out, const struct slu_point4 *a,
                    const struct slu_cached4 *b);
void slu_point4_add_niels(struct slu_point4 *out, const struct slu_point4 *a,
                          const struct slu_niels4 *b);
/* 2^times a, times > 0. */
void slu_point4_double(struct slu_point4 *out, const struct slu_point4 *a, unsigned times);

#endif
#endif
