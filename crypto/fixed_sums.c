#include "crypto/fixed_sums.h"

#include <string.h>

#include "crypto/lanes.h"
#include "crypto/msm.h"

static void one(struct slu_point *out, const struct slu_fixed_sum *sum)
{
    struct slu_fixed_digits digits;
    *out = slu_point_identity;
    if (sum->image) {
        struct slu_point minus;
        uint8_t scalars[1][32] = {{0}};
        memcpy(scalars[0], sum->e16, 16);
        slu_point_neg(&minus, sum->image);
        slu_msm(out, &minus, (const uint8_t(*)[32])scalars, 1, 128);
    }
    slu_fixed_base_digits(&digits, sum->base, sum->z32);
    slu_fixed_base_add(out, sum->base, &digits);
}

static void four(struct slu_point *out, const struct slu_fixed_sum *sums, size_t count)
{
    const struct slu_fixed_base *bases[SLU_LANES];
    const uint8_t *z32[SLU_LANES], *e16[SLU_LANES];
    struct slu_point images[SLU_LANES], all[SLU_LANES];
    for (size_t i = 0; i < SLU_LANES; i++) {
        const struct slu_fixed_sum *sum = &sums[i < count ? i : 0];
        bases[i] = sum->base;
        z32[i] = sum->z32;
        e16[i] = sum->e16;
        if (sum->image)
            images[i] = *sum->image;
    }
    slu_lanes_fixed(all, bases, z32, e16, sums->image ? images : NULL);
    memcpy(out, all, count * sizeof *out);
}

void slu_fixed_sums(struct slu_point *out, const struct slu_fixed_sum *sums, size_t count)
{
    for (size_t done = 0; done < count;) {
        const size_t left = count - done, run = left < SLU_LANES ? left : SLU_LANES;
        if (run > 1 && slu_lanes_on())
            four(out + done, sums + done, run);
        else
            for (size_t i = 0; i < run; i++)
                one(&out[done + i], &sums[done + i]);
        done += run;
    }
}
