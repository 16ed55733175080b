/* Our arithmetic against libsodium's and libdecaf's: which bytes are an element, how it is written,
 * and a P + b Q + c G for any elements and scalars.
 *
 *     input: P 32 | Q 32 | a 32 | b 32 | c 32 | bits u8
 *
 * Bytes that are no element are hashed to one after their verdict was compared. */
#include <decaf/point_255.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "crypto/fixed_base.h"
#include "crypto/lanes.h"
#include "crypto/msm.h"
#include "crypto/ristretto.h"
#include "crypto/scalar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_element(struct slu_point *out, uint8_t bytes32[32])
{
    decaf_255_point_t theirs;
    bool ok = slu_ristretto_read(out, bytes32);
    SLU_CHECK(ok == (decaf_255_point_decode(theirs, bytes32, DECAF_FALSE) == DECAF_SUCCESS));
    if (!ok) {
        uint8_t wide[64];
        crypto_generichash(wide, 64, bytes32, 32, NULL, 0);
        crypto_core_ristretto255_from_hash(bytes32, wide);
        SLU_CHECK(slu_ristretto_read(out, bytes32));
    }
    uint8_t back[32];
    slu_ristretto_write(back, out);
    SLU_CHECK(!memcmp(back, bytes32, 32));
}

/* Below 2^bits and canonical; the verdict on the raw bytes is compared first. */
static void take_scalar(uint8_t scalar32[32], unsigned bits)
{
    decaf_255_scalar_t theirs;
    bool ok = slu_scalar_canonical(scalar32);
    SLU_CHECK(ok == (decaf_255_scalar_decode(theirs, scalar32) == DECAF_SUCCESS));
    uint8_t wide[64] = {0};
    for (unsigned bit = bits; bit < 256; bit++)
        scalar32[bit / 8] &= (uint8_t) ~(1u << bit % 8);
    memcpy(wide, scalar32, 32);
    crypto_core_ristretto255_scalar_reduce(scalar32, wide);
}

/* Four at once: c P and c Q as shares, and c G - a P, c G - b Q with the lower halves of a and b.
 */
static void check_lanes(const struct slu_fixed_base *base, const struct slu_point points[2],
                        const uint8_t elements[2][32], const uint8_t scalars[3][32])
{
    const struct slu_fixed_base *const bases[SLU_LANES] = {base, base, base, base};
    const uint8_t *const z[SLU_LANES] = {scalars[2], scalars[2], scalars[2], scalars[2]};
    const uint8_t *const e[SLU_LANES] = {scalars[0], scalars[1], scalars[0], scalars[1]};
    struct slu_point images[SLU_LANES], sums[SLU_LANES];
    uint8_t shares[SLU_LANES][32], ours[SLU_LANES][32];
    for (unsigned i = 0; i < SLU_LANES; i++)
        images[i] = points[i % 2];
    slu_lanes_shares(shares, images, scalars[2]);
    slu_lanes_fixed(sums, bases, z, e, images);
    slu_ristretto_write_many(ours, sums, SLU_LANES);
    for (unsigned i = 0; i < SLU_LANES; i++) {
        uint8_t half[32] = {0}, term[32] = {0}, theirs[32] = {0};
        if (crypto_scalarmult_ristretto255(theirs, scalars[2], elements[i % 2]))
            memset(theirs, 0, 32); /* the identity, which it refuses */
        SLU_CHECK(!memcmp(shares[i], theirs, 32));
        memcpy(half, e[i], 16);
        if (crypto_scalarmult_ristretto255_base(theirs, scalars[2]))
            memset(theirs, 0, 32);
        if (crypto_scalarmult_ristretto255(term, half, elements[i % 2]))
            memset(term, 0, 32);
        SLU_CHECK(!crypto_core_ristretto255_sub(theirs, theirs, term));
        SLU_CHECK(!memcmp(ours[i], theirs, 32));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct slu_fixed_base *base;
    static struct slu_msm_work *work;
    if (!base) {
        SLU_CHECK(sodium_init() >= 0);
        base = slu_fixed_base_new(&slu_point_base, 7);
        work = slu_msm_work_new(64);
        SLU_CHECK(base && work);
    }
    uint8_t elements[2][32], scalars[3][32];
    struct slu_reader in = slu_reader_of(data, size);
    slu_read_copy(&in, elements, sizeof elements);
    slu_read_copy(&in, scalars, sizeof scalars);
    unsigned bits = 1 + slu_read_u8(&in) % 253;
    if (in.failed)
        return 0;
    struct slu_point points[2], sum;
    struct slu_fixed_digits digits;
    decaf_255_point_t p, q, r;
    decaf_255_scalar_t a, b, c;
    uint8_t ours[32], theirs[32];
    for (unsigned i = 0; i < 2; i++)
        take_element(&points[i], elements[i]);
    for (unsigned i = 0; i < 3; i++)
        take_scalar(scalars[i], i < 2 ? bits : 256);
    slu_msm(&sum, points, (const uint8_t(*)[32])scalars, 2, bits);
    slu_fixed_base_digits(&digits, base, scalars[2]);
    slu_fixed_base_add(&sum, base, &digits);
    slu_ristretto_write(ours, &sum);

    SLU_CHECK(decaf_255_point_decode(p, elements[0], DECAF_FALSE) == DECAF_SUCCESS);
    SLU_CHECK(decaf_255_point_decode(q, elements[1], DECAF_FALSE) == DECAF_SUCCESS);
    SLU_CHECK(decaf_255_scalar_decode(a, scalars[0]) == DECAF_SUCCESS);
    SLU_CHECK(decaf_255_scalar_decode(b, scalars[1]) == DECAF_SUCCESS);
    SLU_CHECK(decaf_255_scalar_decode(c, scalars[2]) == DECAF_SUCCESS);
    decaf_255_point_double_scalarmul(r, p, a, q, b);
    decaf_255_point_scalarmul(p, decaf_255_point_base, c);
    decaf_255_point_add(r, r, p);
    decaf_255_point_encode(theirs, r);
    SLU_CHECK(!memcmp(ours, theirs, 32));

    /* The same two terms 32 times by buckets: 32 (a P + b Q). */
    struct slu_point many[64], few;
    uint8_t many_scalars[64][32];
    for (unsigned i = 0; i < 64; i++) {
        many[i] = points[i % 2];
        memcpy(many_scalars[i], scalars[i % 2], 32);
    }
    slu_msm(&few, points, (const uint8_t(*)[32])scalars, 2, bits);
    slu_point_double(&few, &few, 5);
    slu_msm_many(work, &sum, many, (const uint8_t(*)[32])many_scalars, 64, bits);
    SLU_CHECK(slu_ristretto_equal(&sum, &few));
    if (slu_lanes_on())
        check_lanes(base, points, (const uint8_t(*)[32])elements, (const uint8_t(*)[32])scalars);
    return 0;
}
