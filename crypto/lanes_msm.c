/* Combining: the coefficients of a quorum are the same for every ciphertext of a block, so that
 * four sums go through the same digits. Public data. */
#include "base/check.h"
#include "crypto/lanes.h"
#include "crypto/point_lanes.h"

#if defined(__x86_64__)

struct odd_multiples {
    struct slu_packed4 of[SLU_NAF_ODD_MAX]; /* 1, 3, 5, ... */
};

static SLU_AVX2 void make_odd(struct odd_multiples *table, const struct slu_point points[SLU_LANES],
                              unsigned width)
{
    const struct slu_point *from[4] = {&points[0], &points[1], &points[2], &points[3]};
    struct slu_point4 multiple, twice;
    struct slu_cached4 cached, step;
    slu_point4_load(&multiple, from);
    slu_point4_cache(&cached, &multiple);
    slu_point4_pack(&table->of[0], &cached);
    if (width == 2)
        return;
    slu_point4_double(&twice, &multiple, 1);
    slu_point4_cache(&step, &twice);
    for (unsigned i = 1; i < 1u << (width - 2); i++) {
        slu_point4_add(&multiple, &multiple, &step);
        slu_point4_cache(&cached, &multiple);
        slu_point4_pack(&table->of[i], &cached);
    }
}

SLU_AVX2 void slu_lanes_msm(struct slu_point out[SLU_LANES],
                            const struct slu_point (*points)[SLU_LANES],
                            const uint8_t (*scalars32)[32], size_t count, unsigned bits)
{
    SLU_CHECK(count <= SLU_MSM_RUN_MAX);
    struct slu_point *to[4] = {&out[0], &out[1], &out[2], &out[3]};
    struct odd_multiples tables[SLU_MSM_RUN_MAX];
    int8_t digits[SLU_MSM_RUN_MAX][SLU_NAF_DIGITS];
    const unsigned width = slu_naf_width(bits);
    unsigned length = 0, doublings = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned used = slu_naf(digits[i], scalars32[i], width);
        length = used > length ? used : length;
        make_odd(&tables[i], points[i], width);
    }
    struct slu_point4 sum;
    slu_point4_identity(&sum);
    for (unsigned at = length; at-- > 0; doublings++) {
        for (size_t i = 0; i < count; i++) {
            const int digit = digits[i][at];
            struct slu_cached4 term;
            if (!digit)
                continue;
            if (doublings)
                slu_point4_double(&sum, &sum, doublings);
            doublings = 0;
            slu_point4_unpack(&term, &tables[i].of[(digit < 0 ? -digit : digit) / 2]);
            if (digit < 0)
                slu_point4_negate_cached(&term, slu_all4(UINT64_MAX));
            slu_point4_add(&sum, &sum, &term);
        }
    }
    if (doublings > 1)
        slu_point4_double(&sum, &sum, doublings - 1);
    slu_point4_store(to, &sum);
}

#endif
