/* A committee whose dealer is the test, and transactions sealed to its key, well or not: for tests
 * of sealing and of shares. Drawn from a fixed seed. */
#ifndef SLU_TESTS_UNIT_SEALED_CASE_H
#define SLU_TESTS_UNIT_SEALED_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/lagrange.h"
#include "crypto/lanes.h"
#include "crypto/ristretto.h"
#include "crypto/sealed.h"
#include "crypto/share.h"
#include "tests/unit/draw.h"

#define NODES_MAX 7u
#define UNTIL     UINT64_C(1700000000000)

/* ---- a committee whose dealer is the test ---- */

struct committee {
    uint16_t n, k;
    struct slu_seal_key key;
    struct slu_opening_key *opening;
    uint8_t x[NODES_MAX][32], y_i[NODES_MAX][32];
};

static inline void make_committee(struct committee *c, uint16_t n, uint16_t k)
{
    uint8_t polynomial[NODES_MAX][32], inverse[32], sid[32];
    *c = (struct committee){.n = n, .k = k};
    for (uint16_t m = 0; m < k; m++)
        draw_scalar(polynomial[m]);
    slu_share_divisor_inverse(inverse, n);
    for (uint16_t i = 0; i < n; i++) {
        uint8_t at[32], value[32] = {0};
        slu_scalar_of(at, i + UINT64_C(1));
        for (uint16_t m = k; m-- > 0;) {
            crypto_core_ristretto255_scalar_mul(value, value, at);
            crypto_core_ristretto255_scalar_add(value, value, polynomial[m]);
        }
        crypto_core_ristretto255_scalar_mul(c->x[i], value, inverse);
        crypto_scalarmult_ristretto255_base(c->y_i[i], c->x[i]);
    }
    memset(c->key.chain_id, 0x77, 32);
    draw(sid, 32);
    crypto_scalarmult_ristretto255_base(c->key.y, polynomial[0]);
    slu_seal_key_id(c->key.key_id, c->key.chain_id, c->key.y, sid);
    c->opening = slu_opening_key_new(&c->key);
    assert_non_null(c->opening);
}

/* ---- a sealed transaction ---- */

struct sealed {
    uint8_t body[SLU_SEALED_BYTES_MAX];
    size_t len;
    struct slu_sealed view;
    struct slu_sealed_checked checked;
};

static const uint8_t payload[] = "a transaction that nobody can read before its place is final";

static inline bool check(struct sealed *s, const struct committee *c, uint64_t valid_until_ms)
{
    return !slu_sealed_read(&s->view, s->body, s->len, valid_until_ms) &&
           slu_sealed_valid(c->opening, &s->checked, &s->view);
}

static inline void seal(struct sealed *s, const struct committee *c)
{
    uint8_t seed[64];
    draw(seed, sizeof seed);
    assert_int_equal(slu_seal(s->body, sizeof s->body, &s->len, &c->key, SLU_UNLOCK_HEIGHT, 1234,
                              UNTIL, 9, payload, sizeof payload, seed),
                     0);
    assert_true(check(s, c, UNTIL));
}

/* A client that follows no rule: seals any plain text, under the key of `other_s32` unless NULL,
 * with a good proof. `changed_c`: c gets one bit flipped before it is proven. */
static inline void seal_raw(struct sealed *s, const struct committee *c, const uint8_t *plain,
                            size_t plain_len, const uint8_t *other_delta32, bool changed_c)
{
    static const uint8_t nonce[24];
    uint8_t lh[32], r[32], shared[32], k[32], nonce_s[32], bar[32], w[32], w_bar[32], e[32], z[32];
    uint8_t *proven = s->body + SLU_SEAL_HEAD_BYTES, *cipher = proven + SLU_SEAL_PROVEN_BYTES;
    struct slu_label label = {.valid_until_ms = UNTIL, .body_bytes = (uint32_t)plain_len + 16};
    memset(s->body, 0, SLU_SEAL_HEAD_BYTES);
    s->body[0] = SLU_SEAL_VERSION;
    s->body[1] = SLU_SEAL_SUITE;
    memcpy(s->body + 2, c->key.key_id, 32);
    slu_label_hash(lh, &c->key, &label);
    slu_seal_scalar(r, &c->key, lh, plain, plain + 32, plain_len - 32);
    slu_seal_second_generator(bar);
    draw_scalar(nonce_s);
    assert_false(crypto_scalarmult_ristretto255_base(proven, r));
    assert_false(crypto_scalarmult_ristretto255(proven + 32, r, bar));
    assert_false(crypto_scalarmult_ristretto255(shared, r, c->key.y));
    if (other_delta32)
        assert_false(crypto_core_ristretto255_add(shared, shared, other_delta32));
    slu_seal_body_key(k, &c->key, shared, proven, lh);
    crypto_aead_xchacha20poly1305_ietf_encrypt(cipher, NULL, plain, plain_len, lh, 32, NULL, nonce,
                                               k);
    cipher[5] ^= changed_c;
    assert_false(crypto_scalarmult_ristretto255_base(w, nonce_s));
    assert_false(crypto_scalarmult_ristretto255(w_bar, nonce_s, bar));
    slu_seal_challenge(e, &c->key, lh, cipher, plain_len + 16, proven, proven + 32, w, w_bar);
    crypto_core_ristretto255_scalar_mul(z, e, r);
    crypto_core_ristretto255_scalar_add(z, z, nonce_s);
    memcpy(proven + 64, e, 16);
    memcpy(proven + 80, z, 32);
    s->len = SLU_SEAL_HEAD_BYTES + SLU_SEAL_PROVEN_BYTES + plain_len + 16;
    assert_true(check(s, c, UNTIL));
}

/* rho | M for a payload, padded to `m_len`. */
static inline size_t make_plain(uint8_t *plain, size_t m_len)
{
    memset(plain, 0, 32 + m_len);
    memset(plain, 0x5a, 32);
    plain[32 + 1] = 9;
    plain[32 + 9] = sizeof payload;
    memcpy(plain + 32 + 13, payload, sizeof payload);
    return 32 + m_len;
}

/* Whether sealing this again gives the body, for a reader who has seen no share. */
static inline bool is_opening(const struct committee *c, const struct sealed *s,
                              const uint8_t rho32[32], uint64_t rollup, const uint8_t *content,
                              size_t content_len)
{
    static uint8_t again[SLU_SEALED_BYTES_MAX], by_tables[SLU_SEALED_BYTES_MAX];
    size_t len;
    struct slu_seal_opening opening = {.unlock_kind = s->view.label.unlock_kind,
                                       .unlock = s->view.label.unlock,
                                       .valid_until_ms = s->view.label.valid_until_ms,
                                       .rollup = rollup,
                                       .payload = content,
                                       .payload_len = content_len};
    memcpy(opening.e, s->view.e16, sizeof opening.e);
    memcpy(opening.z, s->view.z32, sizeof opening.z);
    memcpy(opening.rho, rho32, sizeof opening.rho);
    size_t by_tables_len = 0;
    int rc = slu_seal_again(again, sizeof again, &len, &c->key, &opening);
    assert_int_equal(
        slu_sealed_again(c->opening, by_tables, sizeof by_tables, &by_tables_len, &opening), rc);
    if (rc)
        return false;
    assert_int_equal(by_tables_len, len);
    assert_memory_equal(by_tables, again, len);
    return len == s->len && !memcmp(again, s->body, len);
}

/* The shares of all nodes for one ciphertext. */
static inline void make_shares(const struct committee *c, const struct sealed *s, uint8_t d32[][32],
                               struct slu_point *d)
{
    for (uint16_t i = 0; i < c->n; i++)
        slu_shares_compute(&d32[i], c->x[i], (const uint8_t(*)[32])s->view.r32, 1);
    assert_true(slu_shares_read(d, (const uint8_t(*)[32])d32, c->n));
}

/* Opens with the shares of the nodes in `subset`. */
static inline enum slu_void open_with(const struct committee *c, const struct sealed *s,
                                      const struct slu_point *d, unsigned subset, uint8_t s32[32])
{
    static uint8_t plain[SLU_SEALED_PLAIN_MAX];
    struct slu_coefficients coefficients;
    struct slu_sealed_message message;
    struct slu_point shares[NODES_MAX], combined;
    uint16_t nodes[NODES_MAX], k = 0;
    for (uint16_t i = c->n; i-- > 0;) { /* falling order, which must not matter */
        if (subset >> i & 1) {
            nodes[k] = i;
            shares[k++] = d[i];
        }
    }
    assert_int_equal(slu_coefficients_of(&coefficients, nodes, k, c->n), 0);
    slu_combine(&combined, &coefficients, shares);
    slu_ristretto_write(s32, &combined);
    enum slu_void result =
        slu_sealed_open(c->opening, plain, &message, &s->view, &s->checked, &combined);
    if (result == SLU_OPENED) {
        assert_int_equal(message.rollup, 9);
        assert_int_equal(message.payload_len, sizeof payload);
        assert_memory_equal(message.payload, payload, sizeof payload);
        assert_true(is_opening(c, s, plain, message.rollup, message.payload, message.payload_len));
    }
    return result;
}

#endif
