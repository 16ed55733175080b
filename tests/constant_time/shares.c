/* What computes with a secret must not let it decide a branch or an address. Run under valgrind's
 * memcheck, which complains of exactly that for bytes that nobody has set: the secret here is such
 * bytes. ctest does so where there is a valgrind; by hand:
 *
 *     valgrind --quiet --error-exitcode=1 build/release/bin/constant_time [variable]
 *
 * `variable` multiplies by variable-time arithmetic: it must be found out. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "crypto/lanes.h"
#include "crypto/msm.h"

int main(int argc, char **argv)
{
    struct slu_point points[SLU_LANES], product;
    uint8_t d32[SLU_LANES][32];
    uint8_t *x = malloc(32); /* never set: the secret */
    if (sodium_init() < 0 || !x)
        return 2;
    x[31] &= 0x0f;
    for (unsigned i = 0; i < SLU_LANES; i++)
        slu_point_double(&points[i], &slu_point_base, 1 + i);
    if (argc > 1 && !strcmp(argv[1], "variable"))
        slu_msm(&product, points, (const uint8_t(*)[32])x, 1, 253);
    else if (slu_lanes_on())
        slu_lanes_shares(d32, points, x);
    else
        printf("no lanes here: shares are libsodium's\n");
    free(x);
    return 0;
}
