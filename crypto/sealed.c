#include "crypto/sealed.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/fixed_base.h"
#include "crypto/msm.h"
#include "crypto/ristretto.h"
#include "sluice/error.h"

#define WINDOW_BITS 7u

struct slu_opening_key {
    struct slu_seal_key key;
    struct slu_fixed_base *g, *g_bar, *y;
};

int slu_sealed_read(struct slu_sealed *out, const uint8_t *body, size_t body_len,
                    uint64_t valid_until_ms)
{
    struct slu_reader r = slu_reader_of(body, body_len);
    uint8_t version = slu_read_u8(&r), suite = slu_read_u8(&r);
    out->key_id32 = slu_read_bytes(&r, 32);
    out->label.unlock_kind = slu_read_u8(&r);
    out->label.unlock = slu_read_u64(&r);
    out->label.valid_until_ms = valid_until_ms;
    out->r32 = slu_read_bytes(&r, 32);
    out->r_bar32 = slu_read_bytes(&r, 32);
    out->e16 = slu_read_bytes(&r, SLU_CHALLENGE_BYTES);
    out->z32 = slu_read_bytes(&r, 32);
    const size_t extra = SLU_RHO_BYTES + SLU_SEAL_TAG_BYTES;
    if (r.failed || slu_reader_left(&r) < extra || !slu_seal_is_bucket(slu_reader_left(&r) - extra))
        return SLU_ERR_MALFORMED;
    out->c_len = slu_reader_left(&r);
    out->c = slu_read_bytes(&r, out->c_len);
    out->label.body_bytes = (uint32_t)out->c_len;
    if (version != SLU_SEAL_VERSION || suite != SLU_SEAL_SUITE ||
        out->label.unlock_kind > SLU_UNLOCK_TIME ||
        (out->label.unlock_kind == SLU_UNLOCK_NONE && out->label.unlock))
        return SLU_ERR_MALFORMED;
    return SLU_OK;
}

struct slu_opening_key *slu_opening_key_new(const struct slu_seal_key *key)
{
    uint8_t bar32[32];
    struct slu_point y, bar;
    slu_seal_second_generator(bar32);
    if (!slu_ristretto_read(&y, key->y) || !slu_ristretto_read(&bar, bar32))
        return NULL;
    struct slu_opening_key *opening = calloc(1, sizeof *opening);
    if (!opening)
        return NULL;
    opening->key = *key;
    opening->g = slu_fixed_base_new(&slu_point_base, WINDOW_BITS);
    opening->g_bar = slu_fixed_base_new(&bar, WINDOW_BITS);
    opening->y = slu_fixed_base_new(&y, WINDOW_BITS);
    if (opening->g && opening->g_bar && opening->y)
        return opening;
    slu_opening_key_free(opening);
    return NULL;
}

void slu_opening_key_free(struct slu_opening_key *key)
{
    if (!key)
        return;
    slu_fixed_base_free(key->g);
    slu_fixed_base_free(key->g_bar);
    slu_fixed_base_free(key->y);
    free(key);
}

const struct slu_seal_key *slu_opening_key_public(const struct slu_opening_key *key)
{
    return &key->key;
}

static void add_multiple(struct slu_point *sum, const struct slu_fixed_base *table,
                         const uint8_t scalar32[32])
{
    struct slu_fixed_digits digits;
    slu_fixed_base_digits(&digits, table, scalar32);
    slu_fixed_base_add(sum, table, &digits);
}

/* The encoding of z base - e image, with a table for the base. */
static void commitment(uint8_t w32[32], const struct slu_fixed_base *base, const uint8_t z32[32],
                       const uint8_t e32[32], const struct slu_point *image)
{
    struct slu_point sum, minus;
    uint8_t scalars[1][32];
    memcpy(scalars[0], e32, 32);
    slu_point_neg(&minus, image);
    slu_msm(&sum, &minus, (const uint8_t(*)[32])scalars, 1, SLU_CHALLENGE_BITS);
    add_multiple(&sum, base, z32);
    slu_ristretto_write(w32, &sum);
}

bool slu_sealed_valid(const struct slu_opening_key *key, struct slu_sealed_checked *out,
                      const struct slu_sealed *sealed)
{
    struct slu_point r_bar;
    uint8_t e[32] = {0}, again[32], w[32], w_bar[32];
    if (memcmp(sealed->key_id32, key->key.key_id, 32) != 0 ||
        !slu_ristretto_read(&out->r, sealed->r32) || !slu_ristretto_read(&r_bar, sealed->r_bar32) ||
        !slu_scalar_canonical(sealed->z32))
        return false;
    memcpy(e, sealed->e16, SLU_CHALLENGE_BYTES);
    slu_label_hash(out->lh, &key->key, &sealed->label);
    commitment(w, key->g, sealed->z32, e, &out->r);
    commitment(w_bar, key->g_bar, sealed->z32, e, &r_bar);
    slu_seal_challenge(again, &key->key, out->lh, sealed->c, sealed->c_len, sealed->r32,
                       sealed->r_bar32, w, w_bar);
    return !memcmp(e, again, 32);
}

static const uint8_t no_nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

enum slu_void slu_sealed_open(const struct slu_opening_key *key, uint8_t *plain,
                              struct slu_sealed_message *message, const struct slu_sealed *sealed,
                              const struct slu_sealed_checked *checked, const struct slu_point *s)
{
    const size_t message_len = sealed->c_len - SLU_RHO_BYTES - SLU_SEAL_TAG_BYTES;
    uint8_t s32[32], k[32], r[32];
    slu_ristretto_write(s32, s);
    slu_seal_body_key(k, &key->key, s32, sealed->r32, checked->lh);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed->c, sealed->c_len,
                                                   checked->lh, 32, no_nonce, k))
        return SLU_VOID_TAG;
    slu_seal_scalar(r, &key->key, checked->lh, plain, plain + SLU_RHO_BYTES, message_len);
    struct slu_point r_g = slu_point_identity, r_y = slu_point_identity;
    add_multiple(&r_g, key->g, r);
    add_multiple(&r_y, key->y, r);
    if (!slu_ristretto_equal(&r_g, &checked->r) || !slu_ristretto_equal(&r_y, s))
        return SLU_VOID_SEED;
    return slu_sealed_message_read(message, plain + SLU_RHO_BYTES, message_len) ? SLU_VOID_FORM
                                                                                : SLU_OPENED;
}

bool slu_open_settled(enum slu_void result, bool shares_good)
{
    return shares_good || result == SLU_OPENED || result == SLU_VOID_FORM;
}

int slu_sealed_message_read(struct slu_sealed_message *out, const uint8_t *bytes, size_t len)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    uint8_t kind = slu_read_u8(&r);
    out->rollup = slu_read_u64(&r);
    out->payload_len = slu_read_u32(&r);
    out->payload = slu_read_bytes(&r, out->payload_len);
    if (r.failed || kind != 0 || slu_seal_bucket(out->payload_len) != len)
        return SLU_ERR_MALFORMED;
    while (slu_reader_left(&r))
        if (slu_read_u8(&r))
            return SLU_ERR_MALFORMED;
    return SLU_OK;
}

bool slu_opening_ok(const struct slu_seal_key *key, const struct slu_sealed *sealed,
                    const uint8_t rho32[32], uint64_t rollup, const uint8_t *payload,
                    size_t payload_len, uint8_t *scratch)
{
    const size_t plain_len = sealed->c_len - SLU_SEAL_TAG_BYTES;
    uint8_t lh[32], r[32], element[32], k[32];
    if (memcmp(sealed->key_id32, key->key_id, 32) != 0 ||
        slu_seal_bucket(payload_len) + (size_t)SLU_RHO_BYTES != plain_len)
        return false;
    memset(scratch, 0, plain_len);
    struct slu_writer w = slu_writer_of(scratch, plain_len);
    slu_write_bytes(&w, rho32, SLU_RHO_BYTES);
    slu_write_u8(&w, 0);
    slu_write_u64(&w, rollup);
    slu_write_u32(&w, (uint32_t)payload_len);
    slu_write_bytes(&w, payload, payload_len);
    slu_label_hash(lh, key, &sealed->label);
    slu_seal_scalar(r, key, lh, scratch, scratch + SLU_RHO_BYTES, plain_len - SLU_RHO_BYTES);
    if (w.failed || crypto_scalarmult_ristretto255_base(element, r) ||
        memcmp(element, sealed->r32, 32) != 0 || crypto_scalarmult_ristretto255(element, r, key->y))
        return false;
    slu_seal_body_key(k, key, element, sealed->r32, lh);
    crypto_aead_xchacha20poly1305_ietf_encrypt(scratch, NULL, scratch, plain_len, lh, 32, NULL,
                                               no_nonce, k);
    return !memcmp(scratch, sealed->c, sealed->c_len);
}
