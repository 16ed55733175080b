#include "crypto/group.h"

const struct slu_point slu_point_identity = {{{0}}, {{1}}, {{1}}, {{0}}};
const struct slu_point slu_point_base = {
    {{1738742601995546, 1146398526822698, 2070867633025821, 562264141797630, 587772402128613}},
    {{1801439850948184, 1351079888211148, 450359962737049, 900719925474099, 1801439850948198}},
    {{1}},
    {{1841354044333475, 16398895984059, 755974180946558, 900171276175154, 1821297809914039}}};

/* Every formula ends in the same four values, of which X = EF, Y = GH, Z = FG, T = EH. */
struct completed {
    struct slu_fe e, f, g, h;
};

static inline void finish(struct slu_point *out, const struct completed *c, bool with_t)
{
    slu_fe_mul(&out->x, &c->e, &c->f);
    slu_fe_mul(&out->y, &c->g, &c->h);
    slu_fe_mul(&out->z, &c->f, &c->g);
    if (with_t)
        slu_fe_mul(&out->t, &c->e, &c->h);
}

/* From A = (Y1-X1)(Y2-X2), B = (Y1+X1)(Y2+X2), C = 2d T1 T2, D = 2 Z1 Z2. Subtracting a point is
 * adding (-x, y): its sums change places and C its sign. */
static inline void combine(struct completed *out, const struct slu_fe *a, const struct slu_fe *b,
                           const struct slu_fe *c, const struct slu_fe *d, bool subtract)
{
    slu_fe_sub(&out->e, b, a);
    slu_fe_add(&out->h, b, a);
    slu_fe_sub(subtract ? &out->g : &out->f, d, c);
    slu_fe_add(subtract ? &out->f : &out->g, d, c);
}

static inline void add(struct slu_point *out, const struct slu_point *p, const struct slu_cached *q,
                       bool subtract)
{
    struct slu_fe a, b, c, d;
    struct completed end;
    slu_fe_sub(&a, &p->y, &p->x);
    slu_fe_add(&b, &p->y, &p->x);
    slu_fe_mul(&a, &a, subtract ? &q->y_plus_x : &q->y_minus_x);
    slu_fe_mul(&b, &b, subtract ? &q->y_minus_x : &q->y_plus_x);
    slu_fe_mul(&c, &p->t, &q->t2d);
    slu_fe_mul(&d, &p->z, &q->z2);
    combine(&end, &a, &b, &c, &d, subtract);
    finish(out, &end, true);
}

static inline void add_niels(struct slu_point *out, const struct slu_point *p,
                             const struct slu_niels *q, bool subtract)
{
    struct slu_fe a, b, c, d;
    struct completed end;
    slu_fe_sub(&a, &p->y, &p->x);
    slu_fe_add(&b, &p->y, &p->x);
    slu_fe_mul(&a, &a, subtract ? &q->y_plus_x : &q->y_minus_x);
    slu_fe_mul(&b, &b, subtract ? &q->y_minus_x : &q->y_plus_x);
    slu_fe_mul(&c, &p->t, &q->xy2d);
    slu_fe_add(&d, &p->z, &p->z);
    combine(&end, &a, &b, &c, &d, subtract);
    finish(out, &end, true);
}

void slu_point_cache(struct slu_cached *out, const struct slu_point *a)
{
    slu_fe_add(&out->y_plus_x, &a->y, &a->x);
    slu_fe_sub(&out->y_minus_x, &a->y, &a->x);
    slu_fe_add(&out->z2, &a->z, &a->z);
    slu_fe_mul(&out->t2d, &a->t, &slu_fe_2d);
}

void slu_point_niels(struct slu_niels *out, const struct slu_point *points, size_t count,
                     struct slu_fe *scratch)
{
    for (size_t i = 0; i < count; i++)
        scratch[i] = points[i].z;
    slu_fe_invert_all(scratch, scratch + count, count);
    for (size_t i = 0; i < count; i++) {
        struct slu_fe x, y, t;
        slu_fe_mul(&x, &points[i].x, &scratch[i]);
        slu_fe_mul(&y, &points[i].y, &scratch[i]);
        slu_fe_mul(&t, &x, &y);
        slu_fe_add(&out[i].y_plus_x, &y, &x);
        slu_fe_sub(&out[i].y_minus_x, &y, &x);
        slu_fe_mul(&out[i].xy2d, &t, &slu_fe_2d);
    }
}

void slu_point_add(struct slu_point *out, const struct slu_point *a, const struct slu_cached *b)
{
    add(out, a, b, false);
}

void slu_point_sub(struct slu_point *out, const struct slu_point *a, const struct slu_cached *b)
{
    add(out, a, b, true);
}

void slu_point_add_niels(struct slu_point *out, const struct slu_point *a,
                         const struct slu_niels *b)
{
    add_niels(out, a, b, false);
}

void slu_point_sub_niels(struct slu_point *out, const struct slu_point *a,
                         const struct slu_niels *b)
{
    add_niels(out, a, b, true);
}

void slu_point_sum(struct slu_point *out, const struct slu_point *a, const struct slu_point *b)
{
    struct slu_cached cached;
    slu_point_cache(&cached, b);
    add(out, a, &cached, false);
}

void slu_point_neg(struct slu_point *out, const struct slu_point *a)
{
    slu_fe_neg(&out->x, &a->x);
    slu_fe_neg(&out->t, &a->t);
    out->y = a->y;
    out->z = a->z;
}

void slu_point_double(struct slu_point *out, const struct slu_point *a, unsigned times)
{
    struct slu_point p = *a;
    for (unsigned i = 0; i < times; i++) {
        /* All four with the other sign than in the paper, which changes no product. */
        struct slu_fe xx, yy, sum;
        struct completed end;
        slu_fe_square(&xx, &p.x);
        slu_fe_square(&yy, &p.y);
        slu_fe_add(&sum, &p.x, &p.y);
        slu_fe_square(&sum, &sum);
        slu_fe_add(&end.h, &yy, &xx);
        slu_fe_sub(&end.g, &yy, &xx);
        slu_fe_sub(&end.e, &sum, &end.h);
        slu_fe_square(&sum, &p.z);
        slu_fe_add(&sum, &sum, &sum);
        slu_fe_add(&sum, &sum, &xx); /* 2 Z^2 - G as a sum less one product: it stays loose */
        slu_fe_sub(&end.f, &sum, &yy);
        finish(&p, &end, i + 1 == times);
    }
    *out = p;
}

bool slu_point_read_ed25519(struct slu_point *out, const uint8_t bytes32[32])
{
    struct slu_fe yy, u, v;
    slu_fe_read(&out->y, bytes32);
    slu_fe_square(&yy, &out->y);
    slu_fe_sub(&u, &yy, &slu_fe_one);
    slu_fe_mul(&v, &yy, &slu_fe_d);
    slu_fe_add(&v, &v, &slu_fe_one);
    slu_fe_mul(&u, &u, &slu_fe_one);         /* reduced */
    if (!slu_fe_sqrt_ratio(&out->x, &u, &v)) /* x^2 = (y^2 - 1) / (d y^2 + 1) */
        return false;
    if (bytes32[31] >> 7)
        slu_fe_neg(&out->x, &out->x);
    out->z = slu_fe_one;
    slu_fe_mul(&out->t, &out->x, &out->y);
    return true;
}

void slu_point_write_ed25519_by(uint8_t bytes32[32], const struct slu_point *a,
                                const struct slu_fe *z_inverse)
{
    struct slu_fe x, y;
    slu_fe_mul(&x, &a->x, z_inverse);
    slu_fe_mul(&y, &a->y, z_inverse);
    slu_fe_write(bytes32, &y);
    bytes32[31] |= (uint8_t)(slu_fe_is_negative(&x) << 7);
}

void slu_point_write_ed25519(uint8_t bytes32[32], const struct slu_point *a)
{
    struct slu_fe inverse;
    slu_fe_invert(&inverse, &a->z);
    slu_point_write_ed25519_by(bytes32, a, &inverse);
}
