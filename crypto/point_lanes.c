#include "crypto/point_lanes.h"

#if defined(__x86_64__)

/* Products are calls: a call costs a hundredth of one, and the processor keeps all of them in its
 * cache of decoded instructions. */
static __attribute__((noinline)) SLU_AVX2 void mul(struct slu_fe4 *out, const struct slu_fe4 *a,
                                                   const struct slu_fe4 *b)
{
    slu_fe4_mul(out, a, b);
}

static __attribute__((noinline)) SLU_AVX2 void square(struct slu_columns4 *out,
                                                      const struct slu_fe4 *a)
{
    slu_fe4_square_columns(out, a);
}

SLU_AVX2 void slu_point4_load(struct slu_point4 *out, const struct slu_point *const in[4])
{
    const struct slu_fe *x[4], *y[4], *z[4], *t[4];
    for (int i = 0; i < 4; i++) {
        x[i] = &in[i]->x;
        y[i] = &in[i]->y;
        z[i] = &in[i]->z;
        t[i] = &in[i]->t;
    }
    slu_fe4_load(&out->x, x);
    slu_fe4_load(&out->y, y);
    slu_fe4_load(&out->z, z);
    slu_fe4_load(&out->t, t);
}

SLU_AVX2 void slu_point4_store(struct slu_point *const out[4], const struct slu_point4 *a)
{
    struct slu_fe *x[4], *y[4], *z[4], *t[4];
    for (int i = 0; i < 4; i++) {
        x[i] = &out[i]->x;
        y[i] = &out[i]->y;
        z[i] = &out[i]->z;
        t[i] = &out[i]->t;
    }
    slu_fe4_store(x, &a->x);
    slu_fe4_store(y, &a->y);
    slu_fe4_store(z, &a->z);
    slu_fe4_store(t, &a->t);
}

SLU_AVX2 void slu_point4_identity(struct slu_point4 *out)
{
    const struct slu_point *all[4] = {&slu_point_identity, &slu_point_identity, &slu_point_identity,
                                      &slu_point_identity};
    slu_point4_load(out, all);
}

SLU_AVX2 void slu_point4_cache(struct slu_cached4 *out, const struct slu_point4 *a)
{
    const struct slu_fe *all[4] = {&slu_fe_2d, &slu_fe_2d, &slu_fe_2d, &slu_fe_2d};
    struct slu_fe4 d2;
    slu_fe4_load(&d2, all);
    slu_fe4_add(&out->y_plus_x, &a->y, &a->x);
    slu_fe4_sub(&out->y_minus_x, &a->y, &a->x);
    slu_fe4_add(&out->z2, &a->z, &a->z);
    mul(&out->t2d, &a->t, &d2);
}

SLU_AVX2_INLINE void pack(__m256i pair[5], const struct slu_fe4 *a)
{
    for (int i = 0; i < 5; i++)
        pair[i] = _mm256_or_si256(a->limb[2 * i], _mm256_slli_epi64(a->limb[2 * i + 1], 32));
}

SLU_AVX2_INLINE void unpack(struct slu_fe4 *out, const __m256i pair[5])
{
    for (int i = 0; i < 5; i++) {
        out->limb[2 * i] = _mm256_and_si256(pair[i], slu_all4(UINT32_MAX));
        out->limb[2 * i + 1] = _mm256_srli_epi64(pair[i], 32);
    }
}

SLU_AVX2 void slu_point4_pack(struct slu_packed4 *out, const struct slu_cached4 *a)
{
    pack(out->pair[0], &a->y_plus_x);
    pack(out->pair[1], &a->y_minus_x);
    pack(out->pair[2], &a->z2);
    pack(out->pair[3], &a->t2d);
}

SLU_AVX2 void slu_point4_unpack(struct slu_cached4 *out, const struct slu_packed4 *a)
{
    unpack(&out->y_plus_x, a->pair[0]);
    unpack(&out->y_minus_x, a->pair[1]);
    unpack(&out->z2, a->pair[2]);
    unpack(&out->t2d, a->pair[3]);
}

SLU_AVX2 void slu_point4_negate_cached(struct slu_cached4 *a, __m256i mask)
{
    struct slu_fe4 zero, minus;
    for (int i = 0; i < 10; i++)
        zero.limb[i] = _mm256_setzero_si256();
    slu_fe4_sub(&minus, &zero, &a->t2d);
    for (int i = 0; i < 10; i++) {
        const __m256i plus = a->y_plus_x.limb[i], less = a->y_minus_x.limb[i];
        a->y_plus_x.limb[i] = _mm256_blendv_epi8(plus, less, mask);
        a->y_minus_x.limb[i] = _mm256_blendv_epi8(less, plus, mask);
        a->t2d.limb[i] = _mm256_blendv_epi8(a->t2d.limb[i], minus.limb[i], mask);
    }
}

SLU_AVX2 void slu_point4_add(struct slu_point4 *out, const struct slu_point4 *p,
                             const struct slu_cached4 *q)
{
    struct slu_fe4 a, b, c, d, e, f, g, h;
    slu_fe4_sub(&a, &p->y, &p->x);
    slu_fe4_add(&b, &p->y, &p->x);
    mul(&a, &a, &q->y_minus_x); /* 3 units by 3: what was negated has changed places */
    mul(&b, &b, &q->y_plus_x);
    mul(&c, &p->t, &q->t2d);
    mul(&d, &p->z, &q->z2);
    slu_fe4_sub(&e, &b, &a);
    slu_fe4_sub(&f, &d, &c);
    slu_fe4_add(&g, &d, &c);
    slu_fe4_add(&h, &b, &a);
    mul(&out->x, &e, &f);
    mul(&out->y, &g, &h);
    mul(&out->z, &f, &g);
    mul(&out->t, &e, &h);
}

SLU_AVX2 void slu_point4_add_niels(struct slu_point4 *out, const struct slu_point4 *p,
                                   const struct slu_niels4 *q)
{
    struct slu_fe4 a, b, c, d, e, f, g, h;
    slu_fe4_sub(&a, &p->y, &p->x);
    slu_fe4_add(&b, &p->y, &p->x);
    mul(&a, &q->y_minus_x, &a); /* 8 units by 3 */
    mul(&b, &q->y_plus_x, &b);
    mul(&c, &q->xy2d, &p->t);
    slu_fe4_add(&d, &p->z, &p->z);
    slu_fe4_sub(&e, &b, &a);
    slu_fe4_sub(&f, &d, &c); /* 4 */
    slu_fe4_add(&g, &d, &c); /* 3 */
    slu_fe4_add(&h, &b, &a);
    mul(&out->x, &f, &e);
    mul(&out->y, &g, &h);
    mul(&out->z, &f, &g);
    mul(&out->t, &e, &h);
}

/* As in crypto/group.c, but sums of squares are carried once, together. Differences get 2^34 times
 * 2p: two columns of squares of 1 unit are below 2^61 (even) and 2^60 (odd). */
SLU_AVX2_INLINE void double_once(struct slu_point4 *p, bool with_t)
{
    const __m256i even = slu_all4(((UINT64_C(1) << 27) - 2) << 34),
                  odd = slu_all4(((UINT64_C(1) << 26) - 2) << 34),
                  first = slu_all4(((UINT64_C(1) << 27) - 38) << 34);
    struct slu_columns4 xx, yy, zz, sum, e, f, g, h;
    struct slu_fe4 both, end_e, end_f, end_g, end_h;
    slu_fe4_add(&both, &p->x, &p->y);
    square(&xx, &p->x);
    square(&yy, &p->y);
    square(&zz, &p->z);
    square(&sum, &both);
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++) {
        const __m256i bias = i ? i % 2 ? odd : even : first;
        h.column[i] = _mm256_add_epi64(xx.column[i], yy.column[i]);
        e.column[i] = _mm256_sub_epi64(_mm256_add_epi64(sum.column[i], bias), h.column[i]);
        g.column[i] = _mm256_sub_epi64(_mm256_add_epi64(yy.column[i], bias), xx.column[i]);
        f.column[i] =
            _mm256_sub_epi64(_mm256_add_epi64(_mm256_add_epi64(zz.column[i], zz.column[i]),
                                              _mm256_add_epi64(xx.column[i], bias)),
                             yy.column[i]);
    }
    slu_fe4_carry(&end_e, &e);
    slu_fe4_carry(&end_f, &f);
    slu_fe4_carry(&end_g, &g);
    slu_fe4_carry(&end_h, &h);
    mul(&p->x, &end_e, &end_f);
    mul(&p->y, &end_g, &end_h);
    mul(&p->z, &end_f, &end_g);
    if (with_t)
        mul(&p->t, &end_e, &end_h);
}

SLU_AVX2 void slu_point4_double(struct slu_point4 *out, const struct slu_point4 *a, unsigned times)
{
    struct slu_point4 p = *a;
    for (unsigned i = 0; i < times; i++)
        double_once(&p, i + 1 == times);
    *out = p;
}

#endif
