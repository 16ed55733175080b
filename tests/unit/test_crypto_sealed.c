/* Sealed transactions: sealing, validity, shares and their proofs, opening; every refusal of
 * docs/CRYPTO.md, and the attacks that its clauses name. Vectors: test_crypto_vectors.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "crypto/lagrange.h"
#include "crypto/ristretto.h"
#include "crypto/sealed.h"
#include "crypto/share.h"

#define NODES_MAX 7u
#define UNTIL     UINT64_C(1700000000000)

static uint8_t seed_state[32];

static void draw(void *out, size_t len)
{
    sodium_increment(seed_state, sizeof seed_state);
    randombytes_buf_deterministic(out, len, seed_state);
}

static void draw_scalar(uint8_t scalar32[32])
{
    uint8_t wide[64];
    draw(wide, sizeof wide);
    crypto_core_ristretto255_scalar_reduce(scalar32, wide);
}

/* ---- a committee whose dealer is the test ---- */

struct committee {
    uint16_t n, k;
    struct slu_seal_key key;
    struct slu_opening_key *opening;
    uint8_t x[NODES_MAX][32], y_i[NODES_MAX][32];
};

static void make_committee(struct committee *c, uint16_t n, uint16_t k)
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

static bool check(struct sealed *s, const struct committee *c, uint64_t valid_until_ms)
{
    return !slu_sealed_read(&s->view, s->body, s->len, valid_until_ms) &&
           slu_sealed_valid(c->opening, &s->checked, &s->view);
}

static void seal(struct sealed *s, const struct committee *c)
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
static void seal_raw(struct sealed *s, const struct committee *c, const uint8_t *plain,
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
static size_t make_plain(uint8_t *plain, size_t m_len)
{
    memset(plain, 0, 32 + m_len);
    memset(plain, 0x5a, 32);
    plain[32 + 1] = 9;
    plain[32 + 9] = sizeof payload;
    memcpy(plain + 32 + 13, payload, sizeof payload);
    return 32 + m_len;
}

/* The shares of all nodes for one ciphertext. */
static void make_shares(const struct committee *c, const struct sealed *s, uint8_t d32[][32],
                        struct slu_point *d)
{
    for (uint16_t i = 0; i < c->n; i++)
        slu_shares_compute(&d32[i], c->x[i], (const uint8_t(*)[32])s->view.r32, 1);
    assert_true(slu_shares_read(d, (const uint8_t(*)[32])d32, c->n));
}

/* Opens with the shares of the nodes in `subset`. */
static enum slu_void open_with(const struct committee *c, const struct sealed *s,
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
        static uint8_t scratch[SLU_SEALED_BYTES_MAX];
        assert_true(slu_opening_ok(&c->key, &s->view, plain, message.rollup, message.payload,
                                   message.payload_len, scratch));
    }
    return result;
}

static struct sealed one, other;

/* Every k-subset gives one S, and fewer or other shares give none. */
static void test_every_subset(void **state)
{
    (void)state;
    static const uint16_t sizes[][2] = {{1, 1}, {4, 3}, {4, 2}, {7, 5}, {7, 3}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct committee c;
        uint8_t d32[NODES_MAX][32], s32[32], first32[32];
        struct slu_point d[NODES_MAX];
        unsigned opened = 0;
        make_committee(&c, sizes[i][0], sizes[i][1]);
        seal(&one, &c);
        make_shares(&c, &one, d32, d);
        for (unsigned subset = 1; subset < 1u << c.n; subset++) {
            unsigned members = (unsigned)__builtin_popcount(subset);
            enum slu_void result = open_with(&c, &one, d, subset, s32);
            assert_int_equal(result, members >= c.k ? SLU_OPENED : SLU_VOID_TAG);
            if (result == SLU_OPENED && !opened++)
                memcpy(first32, s32, 32);
            if (result == SLU_OPENED)
                assert_memory_equal(s32, first32, 32);
        }
        assert_true(opened > 0);
        slu_opening_key_free(c.opening);
    }
}

static void expect_coefficients(const uint16_t *nodes, uint16_t k, uint16_t n, const int *expected)
{
    struct slu_coefficients c;
    assert_int_equal(slu_coefficients_of(&c, nodes, k, n), 0);
    for (uint16_t i = 0; i < k; i++) {
        uint8_t scalar[32];
        slu_scalar_of(scalar, (uint64_t)abs(expected[i]));
        assert_memory_equal(c.scalar[i], scalar, 32);
        assert_int_equal(c.negative[i], expected[i] < 0);
    }
}

static void test_coefficients(void **state)
{
    (void)state;
    expect_coefficients((const uint16_t[]){0}, 1, 1, (const int[]){1});
    expect_coefficients((const uint16_t[]){0, 1, 2}, 3, 4, (const int[]){18, -18, 6});
    expect_coefficients((const uint16_t[]){0, 1, 3}, 3, 4, (const int[]){16, -12, 2});
    expect_coefficients((const uint16_t[]){0, 2, 3}, 3, 4, (const int[]){12, -12, 6});
    expect_coefficients((const uint16_t[]){3, 2, 1}, 3, 4, (const int[]){18, -48, 36});
    expect_coefficients((const uint16_t[]){0, 6}, 2, 7, (const int[]){840, -120});
    struct slu_coefficients c;
    assert_true(slu_coefficients_of(&c, (const uint16_t[]){0, 1, 0}, 3, 4) < 0);
    assert_true(slu_coefficients_of(&c, (const uint16_t[]){0, 4}, 2, 4) < 0);
    assert_true(slu_coefficients_of(&c, (const uint16_t[]){0}, 0, 4) < 0);
    assert_true(slu_coefficients_of(&c, (const uint16_t[]){0, 1}, 2, 1) < 0);
    assert_true(slu_coefficients_of(&c, (const uint16_t[]){0}, 1, SLU_NODES_MAX + 1) < 0);
    uint16_t all[SLU_NODES_MAX]; /* also where the integers pass l */
    for (uint16_t n = 1; n <= SLU_NODES_MAX; n++) {
        all[n - 1] = (uint16_t)(n - 1);
        assert_int_equal(slu_coefficients_of(&c, all, n, n), 0);
        uint8_t sum[32] = {0}, delta[32]; /* of a constant polynomial: the sum of all is (n-1)! */
        for (uint16_t i = 0; i < n; i++) {
            if (c.negative[i])
                crypto_core_ristretto255_scalar_sub(sum, sum, c.scalar[i]);
            else
                crypto_core_ristretto255_scalar_add(sum, sum, c.scalar[i]);
        }
        slu_share_divisor_inverse(delta, n);
        crypto_core_ristretto255_scalar_mul(sum, sum, delta);
        slu_scalar_of(delta, 1);
        assert_memory_equal(sum, delta, 32);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    struct committee c;
    make_committee(&c, 4, 3);
    static uint8_t big[SLU_SEALED_MESSAGE_BYTES_MAX];
    static const size_t sizes[] = {0, 1, 115, 116, 179, 180, 1000, 65523, 65524, 98291};
    uint8_t seed[64], d32[NODES_MAX][32];
    struct slu_point d[NODES_MAX];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        draw(seed, sizeof seed);
        draw(big, sizes[i]);
        assert_int_equal(slu_seal(one.body, sizeof one.body, &one.len, &c.key, SLU_UNLOCK_NONE, 0,
                                  UNTIL, 3, big, sizes[i], seed),
                         0);
        assert_true(check(&one, &c, UNTIL));
        assert_int_equal(one.view.c_len, slu_seal_bucket(sizes[i]) + 48);
        make_shares(&c, &one, d32, d);
        static uint8_t plain[SLU_SEALED_PLAIN_MAX];
        struct slu_coefficients coefficients;
        struct slu_sealed_message message;
        struct slu_point s;
        assert_int_equal(slu_coefficients_of(&coefficients, (const uint16_t[]){0, 1, 2}, 3, 4), 0);
        slu_combine(&s, &coefficients, d);
        assert_int_equal(slu_sealed_open(c.opening, plain, &message, &one.view, &one.checked, &s),
                         SLU_OPENED);
        assert_int_equal(message.payload_len, sizes[i]);
        assert_memory_equal(message.payload, big, sizes[i]);
    }
    size_t len;
    assert_true(slu_seal(one.body, sizeof one.body, &len, &c.key, SLU_UNLOCK_NONE, 0, UNTIL, 3, big,
                         98292, seed) < 0);
    assert_true(
        slu_seal(one.body, 300, &len, &c.key, SLU_UNLOCK_NONE, 0, UNTIL, 3, big, 100, seed) < 0);
    assert_true(slu_seal(one.body, sizeof one.body, &len, &c.key, SLU_UNLOCK_NONE, 1, UNTIL, 3, big,
                         100, seed) < 0);
    c.key.y[31] |= 0x80;
    assert_true(slu_seal(one.body, sizeof one.body, &len, &c.key, SLU_UNLOCK_NONE, 0, UNTIL, 3, big,
                         100, seed) < 0);
    assert_null(slu_opening_key_new(&c.key));
    assert_int_equal(slu_seal_bucket(115), 128);
    assert_int_equal(slu_seal_bucket(116), 192);
    assert_int_equal(slu_seal_bucket(98291), 98304);
    assert_int_equal(slu_seal_bucket(98292), 0);
    slu_opening_key_free(c.opening);
}

/* Every bit of the body, its length, and what is outside of it but in the label. */
static void test_refused_changes(void **state)
{
    (void)state;
    struct committee c, d;
    make_committee(&c, 4, 3);
    make_committee(&d, 4, 3);
    seal(&one, &c);
    for (size_t byte = 0; byte < one.len; byte++) {
        uint8_t bit = (uint8_t)(1u << byte % 8);
        one.body[byte] ^= bit;
        assert_false(check(&one, &c, UNTIL));
        one.body[byte] ^= bit;
    }
    for (size_t cut = 1; cut <= one.len; cut += cut < 64 ? 1 : 13) {
        one.len -= cut;
        assert_false(check(&one, &c, UNTIL));
        one.len += cut;
    }
    one.len++;
    assert_false(check(&one, &c, UNTIL));
    one.len += 63; /* the length of the next bucket */
    assert_false(check(&one, &c, UNTIL));
    one.len -= 64;
    assert_false(check(&one, &c, UNTIL + 1));
    assert_false(check(&one, &d, UNTIL));
    memcpy(one.body + 2, d.key.key_id, 32); /* under the other's key id */
    assert_false(check(&one, &d, UNTIL));
    memcpy(one.body + 2, c.key.key_id, 32);
    assert_true(check(&one, &c, UNTIL));
    /* The same key on another chain, and another Y under the same id. */
    struct slu_seal_key changed = c.key;
    changed.chain_id[0] ^= 1;
    struct committee elsewhere = c;
    elsewhere.opening = slu_opening_key_new(&changed);
    assert_false(check(&one, &elsewhere, UNTIL));
    slu_opening_key_free(elsewhere.opening);
    changed = c.key;
    memcpy(changed.y, d.key.y, 32);
    elsewhere.opening = slu_opening_key_new(&changed);
    assert_false(check(&one, &elsewhere, UNTIL));
    slu_opening_key_free(elsewhere.opening);
    slu_opening_key_free(c.opening);
    slu_opening_key_free(d.opening);
}

/* Bit 255, the identity, z at least l, R' and c of another ciphertext. */
static void test_refused_encodings(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    struct committee c;
    make_committee(&c, 4, 3);
    seal(&one, &c);
    seal(&other, &c);
    uint8_t *r = one.body + SLU_SEAL_HEAD_BYTES, *z = r + 80, saved[32];
    for (unsigned which = 0; which < 2; which++) {
        uint8_t *element = r + which * 32;
        memcpy(saved, element, 32);
        element[31] |= 0x80;
        assert_false(check(&one, &c, UNTIL));
        memset(element, 0, 32);
        assert_false(check(&one, &c, UNTIL));
        memcpy(element, other.view.r32 + which * 32, 32);
        assert_false(check(&one, &c, UNTIL));
        memcpy(element, saved, 32);
    }
    memcpy(saved, z, 32);
    sodium_add(z, order, 32);
    assert_false(check(&one, &c, UNTIL));
    memcpy(z, saved, 32);
    assert_true(check(&one, &c, UNTIL));
    memcpy(r + SLU_SEAL_PROVEN_BYTES, other.view.c, other.view.c_len);
    assert_false(check(&one, &c, UNTIL));
    slu_opening_key_free(c.opening);
}

/* Somebody who does not know r moves a ciphertext: R + delta G with z + e delta, a R with a z. */
static void test_refused_relations(void **state)
{
    (void)state;
    struct committee c;
    make_committee(&c, 4, 3);
    seal(&one, &c);
    uint8_t delta[32], moved[32], bar[32], e[32] = {0};
    uint8_t *r = one.body + SLU_SEAL_HEAD_BYTES, *z = r + 80;
    memcpy(&other, &one, sizeof one);
    draw_scalar(delta);
    slu_seal_second_generator(bar);
    memcpy(e, r + 64, 16);
    crypto_scalarmult_ristretto255_base(moved, delta);
    crypto_core_ristretto255_add(r, r, moved);
    assert_false(crypto_scalarmult_ristretto255(moved, delta, bar));
    crypto_core_ristretto255_add(r + 32, r + 32, moved);
    crypto_core_ristretto255_scalar_mul(moved, e, delta);
    crypto_core_ristretto255_scalar_add(z, z, moved); /* now W and W' are the same as before */
    assert_false(check(&one, &c, UNTIL));
    memcpy(&one, &other, sizeof one);
    assert_false(crypto_scalarmult_ristretto255(r, delta, r));
    assert_false(crypto_scalarmult_ristretto255(r + 32, delta, r + 32));
    crypto_core_ristretto255_scalar_mul(z, z, delta);
    assert_false(check(&one, &c, UNTIL));
    assert_false(check(&one, &c, UNTIL + 1));
    slu_opening_key_free(c.opening);
}

/* ---- shares ---- */

enum { CHUNK = 60 };

struct chunk_case {
    struct committee c;
    struct slu_chunk chunk;
    struct slu_share_work *work;
    uint8_t r32[CHUNK][32], d32[CHUNK][32], block[32], ids[32], proof[SLU_PROOF_BYTES];
    struct slu_point r[CHUNK], d[CHUNK];
};

static void make_chunk(struct chunk_case *t, uint16_t node, uint32_t count)
{
    for (uint32_t j = 0; j < count; j++) {
        uint8_t wide[64];
        draw(wide, 64);
        crypto_core_ristretto255_from_hash(t->r32[j], wide);
        assert_true(slu_ristretto_read(&t->r[j], t->r32[j]));
    }
    draw(t->block, 32);
    draw(t->ids, 32);
    t->chunk = (struct slu_chunk){.key = &t->c.key,
                                  .generation = 3,
                                  .height = 77,
                                  .block32 = t->block,
                                  .ids32 = t->ids,
                                  .first = 1024,
                                  .count = count,
                                  .r32 = (const uint8_t(*)[32])t->r32,
                                  .r = t->r,
                                  .node = node,
                                  .y_i32 = t->c.y_i[node]};
    slu_shares_compute(t->d32, t->c.x[node], (const uint8_t(*)[32])t->r32, count);
    slu_chunk_prove(t->work, t->proof, &t->chunk, (const uint8_t(*)[32])t->d32, t->c.x[node]);
}

static bool chunk_good(struct chunk_case *t)
{
    return slu_shares_read(t->d, (const uint8_t(*)[32])t->d32, t->chunk.count) &&
           slu_chunk_good(t->work, &t->chunk, (const uint8_t(*)[32])t->d32, t->d, t->proof);
}

static void test_chunk_proof(void **state)
{
    (void)state;
    static struct chunk_case t;
    static const uint32_t counts[] = {1, 2, 3, 47, 48, 60};
    make_committee(&t.c, 4, 3);
    t.work = slu_share_work_new();
    assert_non_null(t.work);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        make_chunk(&t, (uint16_t)(i % 4), counts[i]);
        assert_true(chunk_good(&t));
        for (size_t byte = 0; byte < sizeof t.proof; byte++) {
            t.proof[byte] ^= 0x10;
            assert_false(chunk_good(&t));
            t.proof[byte] ^= 0x10;
        }
        uint8_t saved[32]; /* one bad share, wherever */
        uint32_t at = counts[i] / 2;
        memcpy(saved, t.d32[at], 32);
        crypto_core_ristretto255_add(t.d32[at], t.d32[at], t.r32[at]);
        assert_false(chunk_good(&t));
        memcpy(t.d32[at], saved, 32);
        if (counts[i] > 1) { /* permuted */
            memcpy(saved, t.d32[0], 32);
            memcpy(t.d32[0], t.d32[1], 32);
            memcpy(t.d32[1], saved, 32);
            assert_false(chunk_good(&t));
            memcpy(t.d32[1], t.d32[0], 32);
            memcpy(t.d32[0], saved, 32);
        }
        assert_true(chunk_good(&t));
    }
    /* Errors that cancel in a plain sum: D_0 + T, D_1 - T. */
    crypto_core_ristretto255_add(t.d32[0], t.d32[0], t.c.key.y);
    crypto_core_ristretto255_sub(t.d32[1], t.d32[1], t.c.key.y);
    assert_false(chunk_good(&t));
    slu_share_work_free(t.work);
    slu_opening_key_free(t.c.opening);
}

/* A proof says one thing about one chunk of one node. */
static void test_chunk_context(void **state)
{
    (void)state;
    static struct chunk_case t;
    make_committee(&t.c, 4, 3);
    t.work = slu_share_work_new();
    make_chunk(&t, 2, 5);
    struct slu_chunk right = t.chunk;
    struct slu_seal_key key = t.c.key;
    uint8_t digest[32] = {1};
#define WRONG(field, value)                                                                        \
    do {                                                                                           \
        t.chunk.field = (value);                                                                   \
        assert_false(chunk_good(&t));                                                              \
        t.chunk = right;                                                                           \
        assert_true(chunk_good(&t));                                                               \
    } while (0)
    WRONG(generation, 4);
    WRONG(height, 78);
    WRONG(block32, digest);
    WRONG(ids32, digest);
    WRONG(first, 0);
    WRONG(count, 4);
    WRONG(count, 0);
    WRONG(node, 1);
    WRONG(y_i32, t.c.y_i[1]);
    key.key_id[0] ^= 1;
    WRONG(key, &key);
    key = t.c.key;
    key.chain_id[0] ^= 1;
    WRONG(key, &key);
#undef WRONG
    t.chunk.count = SLU_SHARE_CHUNK_MAX + 1;
    assert_false(slu_chunk_good(t.work, &t.chunk, (const uint8_t(*)[32])t.d32, t.d, t.proof));
    t.d32[3][31] |= 0x80; /* not well formed */
    assert_false(slu_shares_read(t.d, (const uint8_t(*)[32])t.d32, 5));
    memset(t.d32[3], 0, 32);
    assert_false(slu_shares_read(t.d, (const uint8_t(*)[32])t.d32, 5));
    slu_share_work_free(t.work);
    slu_opening_key_free(t.c.opening);
}

/* The known forgery: whoever chooses the base after the challenge (a client together with a node)
 * proves that a D is a share which is none. It works when the context leaves the base out, and must
 * not when the context has it, as that of a chunk does. */
static void test_forged_base(void **state)
{
    (void)state;
    uint8_t x[32], y[32], d32[32], t[32], w[32], v[32], c[32], z[32], base32[32], proof[48];
    static const uint8_t chain[32];
    draw_scalar(x);
    draw_scalar(t);
    crypto_scalarmult_ristretto255_base(y, x);
    draw_scalar(z);
    crypto_scalarmult_ristretto255_base(d32, z); /* any D */
    draw_scalar(z);
    crypto_scalarmult_ristretto255_base(v, z); /* any V */
    crypto_scalarmult_ristretto255_base(w, t);
    struct slu_hash weak, hash;
    slu_hash_begin_wide(&weak, "test", chain);
    slu_hash_add(&weak, y, 32);
    slu_hash_add(&weak, d32, 32);
    hash = weak;
    slu_hash_add(&hash, w, 32);
    slu_hash_add(&hash, v, 32);
    slu_hash_end_challenge(&hash, c);
    crypto_core_ristretto255_scalar_mul(z, c, x);
    crypto_core_ristretto255_scalar_add(z, z, t);
    uint8_t inverse[32]; /* R = (V + c D) / z */
    assert_false(crypto_scalarmult_ristretto255(base32, c, d32));
    crypto_core_ristretto255_add(base32, base32, v);
    assert_false(crypto_core_ristretto255_scalar_invert(inverse, z));
    assert_false(crypto_scalarmult_ristretto255(base32, inverse, base32));
    memcpy(proof, c, 16);
    memcpy(proof + 16, z, 32);
    struct slu_point image, base, base_image;
    uint8_t truth[32];
    assert_true(slu_ristretto_read(&image, y) && slu_ristretto_read(&base, base32) &&
                slu_ristretto_read(&base_image, d32));
    assert_false(crypto_scalarmult_ristretto255(truth, x, base32));
    assert_memory_not_equal(truth, d32, 32);
    assert_true(slu_proof_ok(proof, &weak, &image, &base, &base_image)); /* the forgery works */
    struct slu_hash strong = weak;
    slu_hash_add(&strong, base32, 32);
    assert_false(slu_proof_ok(proof, &strong, &image, &base, &base_image));
    slu_proof_make(proof, &strong, x, base32);
    assert_false(slu_proof_ok(proof, &strong, &image, &base, &base_image));
    assert_true(slu_ristretto_read(&base_image, truth));
    assert_true(slu_proof_ok(proof, &strong, &image, &base, &base_image));

    /* The same against a chunk of one: the proof above for w R, w D with the weight of that chunk.
     */
    static struct chunk_case chunk;
    make_committee(&chunk.c, 4, 3);
    chunk.work = slu_share_work_new();
    make_chunk(&chunk, 0, 1);
    memcpy(chunk.r32[0], base32, 32);
    chunk.r[0] = base;
    memcpy(chunk.d32[0], d32, 32);
    chunk.chunk.y_i32 = y;
    memcpy(chunk.proof, c, 16);
    memcpy(chunk.proof + 16, z, 32);
    assert_false(chunk_good(&chunk));
    slu_share_work_free(chunk.work);
    slu_opening_key_free(chunk.c.opening);
}

/* ---- void ---- */

static enum slu_void open_all(const struct committee *c, const struct sealed *s)
{
    uint8_t d32[NODES_MAX][32], s32[32];
    struct slu_point d[NODES_MAX];
    make_shares(c, s, d32, d);
    enum slu_void first = open_with(c, s, d, 7, s32);
    for (unsigned subset = 0; subset < 16; subset++)
        if (__builtin_popcount(subset) >= 3)
            assert_int_equal(open_with(c, s, d, subset, s32), first);
    return first;
}

static void test_void_reasons(void **state)
{
    (void)state;
    struct committee c;
    static uint8_t plain[4096];
    make_committee(&c, 4, 3);
    size_t len = make_plain(plain, 128);
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_int_equal(open_all(&c, &one), SLU_OPENED);
    seal_raw(&one, &c, plain, len, NULL, true);
    assert_int_equal(open_all(&c, &one), SLU_VOID_TAG);
    plain[len - 1] = 1; /* padding */
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_int_equal(open_all(&c, &one), SLU_VOID_FORM);
    len = make_plain(plain, 192); /* a larger bucket than it needs */
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_int_equal(open_all(&c, &one), SLU_VOID_FORM);
    len = make_plain(plain, 128);
    plain[32] = 1; /* kind */
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_int_equal(open_all(&c, &one), SLU_VOID_FORM);
    len = make_plain(plain, 128);
    plain[32 + 9] = 116; /* longer than there is */
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_int_equal(open_all(&c, &one), SLU_VOID_FORM);
    memset(plain + 32 + 9, 0xff, 4);
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_int_equal(open_all(&c, &one), SLU_VOID_FORM);
    slu_opening_key_free(c.opening);
}

/* A client and node 3 together: the client encrypts under S + delta, node 3 adds to its share what
 * makes its quorums arrive there. With the tag alone those quorums would accept and the others not.
 * By the rule of docs/CRYPTO.md clause 6.3 every order of arrival ends in the same void. */
static void test_different_quorums(void **state)
{
    (void)state;
    struct committee c;
    static uint8_t plain[4096], opened[4096];
    make_committee(&c, 4, 3);
    size_t len = make_plain(plain, 128);
    uint8_t t[32], step[32], delta[32], scalar[32], d32[NODES_MAX][32], s32[32];
    struct slu_point d[NODES_MAX];
    draw_scalar(t);
    crypto_scalarmult_ristretto255_base(step, t);
    slu_scalar_of(scalar, 2); /* the coefficient of node 3 with {0, 1} */
    assert_false(crypto_scalarmult_ristretto255(delta, scalar, step));
    seal_raw(&one, &c, plain, len, delta, false);
    make_shares(&c, &one, d32, d);
    crypto_core_ristretto255_add(d32[3], d32[3], step);
    assert_true(slu_ristretto_read(&d[3], d32[3]));
    assert_int_equal(open_with(&c, &one, d, 8 | 2 | 1, s32), SLU_VOID_SEED); /* the tag passes */
    assert_int_equal(open_with(&c, &one, d, 4 | 2 | 1, s32), SLU_VOID_TAG);

    struct slu_share_work *work = slu_share_work_new();
    for (unsigned first = 0; first < 16; first++) {
        if (__builtin_popcount(first) != 3)
            continue;
        enum slu_void result = open_with(&c, &one, d, first, s32);
        assert_false(slu_open_settled(result, false));
        unsigned good = 0;
        for (uint16_t i = 0; i < 4; i++) {
            uint8_t proof[SLU_PROOF_BYTES];
            struct slu_chunk chunk = {.key = &c.key,
                                      .block32 = t,
                                      .ids32 = t,
                                      .count = 1,
                                      .r32 = (const uint8_t(*)[32])one.view.r32,
                                      .r = &one.checked.r,
                                      .node = i,
                                      .y_i32 = c.y_i[i]};
            slu_chunk_prove(work, proof, &chunk, (const uint8_t(*)[32]) & d32[i], c.x[i]);
            if (slu_chunk_good(work, &chunk, (const uint8_t(*)[32]) & d32[i], &d[i], proof))
                good |= 1u << i;
        }
        assert_int_equal(good, 7);
        result = open_with(&c, &one, d, good, s32);
        assert_true(slu_open_settled(result, true));
        assert_int_equal(result, SLU_VOID_TAG);
    }
    slu_share_work_free(work);
    assert_false(slu_opening_ok(&c.key, &one.view, plain, 9, payload, sizeof payload, opened));
    slu_opening_key_free(c.opening);
}

/* A server that shows content for a void entry: R is that of rho and M, only c is not. */
static void test_content_for_void(void **state)
{
    (void)state;
    struct committee c;
    static uint8_t plain[4096], scratch[4096];
    make_committee(&c, 4, 3);
    size_t len = make_plain(plain, 128);
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_true(slu_opening_ok(&c.key, &one.view, plain, 9, payload, sizeof payload, scratch));
    assert_false(slu_opening_ok(&c.key, &one.view, plain, 8, payload, sizeof payload, scratch));
    assert_false(slu_opening_ok(&c.key, &one.view, plain, 9, payload, sizeof payload - 1, scratch));
    assert_false(slu_opening_ok(&c.key, &one.view, plain, 9, plain, 4000, scratch));
    plain[0] ^= 1;
    assert_false(slu_opening_ok(&c.key, &one.view, plain, 9, payload, sizeof payload, scratch));
    plain[0] ^= 1;
    uint8_t same_r[32];
    memcpy(same_r, one.view.r32, 32);
    seal_raw(&one, &c, plain, len, NULL, true);
    assert_memory_equal(one.view.r32, same_r, 32);
    assert_int_equal(open_all(&c, &one), SLU_VOID_TAG);
    assert_false(slu_opening_ok(&c.key, &one.view, plain, 9, payload, sizeof payload, scratch));
    plain[len - 1] = 1; /* M with padding that is not zero opens, but is void */
    seal_raw(&one, &c, plain, len, NULL, false);
    assert_false(slu_opening_ok(&c.key, &one.view, plain, 9, payload, sizeof payload, scratch));
    slu_opening_key_free(c.opening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_subset),
        cmocka_unit_test(test_coefficients),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_refused_changes),
        cmocka_unit_test(test_refused_encodings),
        cmocka_unit_test(test_refused_relations),
        cmocka_unit_test(test_chunk_proof),
        cmocka_unit_test(test_chunk_context),
        cmocka_unit_test(test_forged_base),
        cmocka_unit_test(test_void_reasons),
        cmocka_unit_test(test_different_quorums),
        cmocka_unit_test(test_content_for_void),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
