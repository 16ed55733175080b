#include "crypto/sealed.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/fixed_sums.h"
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

static size_t table_bytes(void)
{
    return (slu_fixed_base_bytes(WINDOW_BITS) + 15u) / 16u * 16u;
}

size_t slu_opening_key_bytes(void)
{
    return (sizeof(struct slu_opening_key) + 15u) / 16u * 16u + 3 * table_bytes();
}

struct slu_opening_key *slu_opening_key_init(void *memory, const struct slu_seal_key *key)
{
    uint8_t bar32[32], *tables;
    struct slu_point y, bar;
    struct slu_opening_key *opening = memory;
    slu_seal_second_generator(bar32);
    if (!slu_ristretto_read(&y, key->y) || !slu_ristretto_read(&bar, bar32))
        return NULL;
    tables = (uint8_t *)memory + slu_opening_key_bytes() - 3 * table_bytes();
    opening->key = *key;
    opening->g = slu_fixed_base_init(tables, &slu_point_base, WINDOW_BITS);
    opening->g_bar = slu_fixed_base_init(tables + table_bytes(), &bar, WINDOW_BITS);
    opening->y = slu_fixed_base_init(tables + 2 * table_bytes(), &y, WINDOW_BITS);
    return opening;
}

struct slu_opening_key *slu_opening_key_new(const struct slu_seal_key *key)
{
    void *memory = malloc(slu_opening_key_bytes());
    struct slu_opening_key *opening = memory ? slu_opening_key_init(memory, key) : NULL;
    if (!opening)
        free(memory);
    return opening;
}

void slu_opening_key_free(struct slu_opening_key *key)
{
    free(key);
}

const struct slu_seal_key *slu_opening_key_public(const struct slu_opening_key *key)
{
    return &key->key;
}

/* Points are read, summed and written for this many bodies together. */
enum { RUN = 8 };

/* Those of `run` bodies whose parts are what they must be, with R and R' read: their places. */
static size_t read_parts(const struct slu_opening_key *key, size_t places[RUN],
                         struct slu_point elements[2 * RUN], const struct slu_sealed *sealed,
                         size_t run)
{
    const uint8_t *encodings[2 * RUN] = {0};
    bool good[2 * RUN];
    size_t candidates = 0, count = 0;
    for (size_t i = 0; i < run; i++) {
        if (memcmp(sealed[i].key_id32, key->key.key_id, 32) != 0 ||
            !slu_scalar_canonical(sealed[i].z32))
            continue;
        encodings[2 * candidates] = sealed[i].r32;
        encodings[2 * candidates + 1] = sealed[i].r_bar32;
        places[candidates++] = i;
    }
    slu_ristretto_read_many(good, elements, encodings, 2 * candidates);
    for (size_t i = 0; i < candidates; i++) {
        if (!good[2 * i] || !good[2 * i + 1])
            continue;
        elements[2 * count] = elements[2 * i];
        elements[2 * count + 1] = elements[2 * i + 1];
        places[count++] = places[i];
    }
    return count;
}

static void valid_run(const struct slu_opening_key *key, bool *ok, struct slu_sealed_checked *out,
                      const struct slu_sealed *sealed, size_t run)
{
    struct slu_point elements[2 * RUN], commitments[2 * RUN];
    struct slu_fixed_sum sums[2 * RUN];
    uint8_t w[2 * RUN][32];
    size_t places[RUN];
    memset(ok, 0, run * sizeof *ok);
    const size_t count = read_parts(key, places, elements, sealed, run);
    for (size_t i = 0; i < 2 * count; i++) {
        const struct slu_sealed *of = &sealed[places[i / 2]];
        sums[i] =
            (struct slu_fixed_sum){i % 2 ? key->g_bar : key->g, of->z32, of->e16, &elements[i]};
    }
    slu_fixed_sums(commitments, sums, 2 * count);
    slu_ristretto_write_many(w, commitments, 2 * count);
    for (size_t i = 0; i < count; i++) {
        const struct slu_sealed *of = &sealed[places[i]];
        struct slu_sealed_checked *checked = &out[places[i]];
        uint8_t again[32];
        checked->r = elements[2 * i];
        slu_label_hash(checked->lh, &key->key, &of->label);
        slu_seal_challenge(again, &key->key, checked->lh, of->c, of->c_len, of->r32, of->r_bar32,
                           w[2 * i], w[2 * i + 1]);
        ok[places[i]] = !memcmp(of->e16, again, SLU_CHALLENGE_BYTES);
    }
}

void slu_sealed_valid_many(const struct slu_opening_key *key, bool *ok,
                           struct slu_sealed_checked *out, const struct slu_sealed *sealed,
                           size_t count)
{
    for (size_t done = 0; done < count; done += RUN)
        valid_run(key, ok + done, out + done, sealed + done,
                  count - done < RUN ? count - done : RUN);
}

bool slu_sealed_valid(const struct slu_opening_key *key, struct slu_sealed_checked *out,
                      const struct slu_sealed *sealed)
{
    bool ok;
    slu_sealed_valid_many(key, &ok, out, sealed, 1);
    return ok;
}

void slu_sealed_recall(const struct slu_opening_key *key, struct slu_sealed_checked *out,
                       const struct slu_sealed *sealed)
{
    SLU_CHECK(slu_ristretto_read(&out->r, sealed->r32));
    slu_label_hash(out->lh, &key->key, &sealed->label);
}

static const uint8_t no_nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

static size_t message_len_of(const struct slu_sealed *sealed)
{
    return sealed->c_len - SLU_RHO_BYTES - SLU_SEAL_TAG_BYTES;
}

/* Decrypts with S and makes r again. False when the tag is wrong. */
static bool decrypt(const struct slu_seal_key *key, uint8_t r32[32], uint8_t *plain,
                    const struct slu_sealed *sealed, const uint8_t lh32[32], const uint8_t s32[32])
{
    uint8_t k[32];
    slu_seal_body_key(k, key, s32, sealed->r32, lh32);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed->c, sealed->c_len,
                                                   lh32, 32, no_nonce, k))
        return false;
    slu_seal_scalar(r32, key, lh32, plain, plain + SLU_RHO_BYTES, message_len_of(sealed));
    return true;
}

static void open_run(const struct slu_opening_key *key, struct slu_sealed_opening *openings,
                     size_t run)
{
    struct slu_point points[2 * RUN] = {0}; /* S; then rG and rY of what decrypts */
    struct slu_fixed_sum sums[2 * RUN];
    uint8_t s32[RUN][32], r32[RUN][32];
    size_t places[RUN], count = 0;
    for (size_t i = 0; i < run; i++)
        points[i] = *openings[i].s;
    slu_ristretto_write_many(s32, points, run);
    for (size_t i = 0; i < run; i++) {
        struct slu_sealed_opening *of = &openings[i];
        of->result = SLU_VOID_TAG;
        if (!decrypt(&key->key, r32[count], of->plain, of->sealed, of->checked->lh, s32[i]))
            continue;
        sums[2 * count] = (struct slu_fixed_sum){.base = key->g, .z32 = r32[count]};
        sums[2 * count + 1] = (struct slu_fixed_sum){.base = key->y, .z32 = r32[count]};
        places[count++] = i;
    }
    slu_fixed_sums(points, sums, 2 * count);
    for (size_t i = 0; i < count; i++) {
        struct slu_sealed_opening *of = &openings[places[i]];
        if (!slu_ristretto_equal(&points[2 * i], &of->checked->r) ||
            !slu_ristretto_equal(&points[2 * i + 1], of->s))
            of->result = SLU_VOID_SEED;
        else
            of->result = slu_sealed_message_read(&of->message, of->plain + SLU_RHO_BYTES,
                                                 message_len_of(of->sealed))
                             ? SLU_VOID_FORM
                             : SLU_OPENED;
    }
}

void slu_sealed_open_many(const struct slu_opening_key *key, struct slu_sealed_opening *openings,
                          size_t count)
{
    for (size_t done = 0; done < count; done += RUN)
        open_run(key, openings + done, count - done < RUN ? count - done : RUN);
}

enum slu_void slu_sealed_open(const struct slu_opening_key *key, uint8_t *plain,
                              struct slu_sealed_message *message, const struct slu_sealed *sealed,
                              const struct slu_sealed_checked *checked, const struct slu_point *s)
{
    struct slu_sealed_opening opening = {
        .sealed = sealed, .checked = checked, .s = s, .plain = plain};
    slu_sealed_open_many(key, &opening, 1);
    if (opening.result == SLU_OPENED)
        *message = opening.message;
    return opening.result;
}

int slu_sealed_again(const struct slu_opening_key *key, uint8_t *body, size_t body_cap,
                     size_t *body_len, const struct slu_seal_opening *opening)
{
    enum { MULTIPLES = sizeof(struct slu_seal_multiples) / 32 };
    struct slu_point points[MULTIPLES];
    struct slu_seal_multiples multiples;
    struct slu_seal_half half;
    int rc = slu_seal_again_begin(&half, body, body_cap, &key->key, opening);
    if (!rc && sodium_is_zero(half.r, 32))
        rc = SLU_ERR_MALFORMED; /* libsodium refuses it */
    if (rc)
        return rc;
    const struct slu_fixed_sum sums[MULTIPLES] = {{.base = key->g, .z32 = half.r},
                                                  {.base = key->g_bar, .z32 = half.r},
                                                  {.base = key->y, .z32 = half.r},
                                                  {.base = key->g, .z32 = half.s},
                                                  {.base = key->g_bar, .z32 = half.s}};
    slu_fixed_sums(points, sums, MULTIPLES);
    slu_ristretto_write_many((uint8_t(*)[32]) & multiples, points, MULTIPLES);
    slu_seal_end(&half, &key->key, &multiples);
    *body_len = half.len;
    return SLU_OK;
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
