/* Key generation: honest runs end in one key that seals and opens; what a bad dealer, a false
 * complaint, a copy or a replay leads to (docs/CRYPTO.md clause 7). */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "crypto/dkg.h"
#include "crypto/lagrange.h"
#include "crypto/ristretto.h"
#include "crypto/sealed.h"
#include "crypto/share.h"
#include "tests/unit/draw.h"

#define NODES_MAX 7u

static const uint8_t chain[32] = {0x42};
static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                  0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};

struct run {
    struct slu_dkg dkg;
    uint8_t p_secret[NODES_MAX][32], p[NODES_MAX][32], seeds[NODES_MAX][32];
    uint8_t bytes[NODES_MAX][SLU_DKG_DEALING_BYTES_MAX];
    struct slu_dkg_dealing dealings[NODES_MAX];
};

static void begin(struct run *r, uint16_t n, uint16_t k)
{
    for (uint16_t i = 0; i < n; i++) {
        uint8_t seed[32];
        draw(seed, 32);
        slu_dkg_node_key(r->p_secret[i], r->p[i], seed);
        draw(r->seeds[i], 32);
    }
    assert_int_equal(slu_dkg_begin(&r->dkg, chain, 5, 0, n, k, (const uint8_t(*)[32])r->p), 0);
}

static int read_dealing(struct run *r, uint16_t dealer)
{
    return slu_dkg_dealing_read(&r->dealings[dealer], &r->dkg, dealer, r->bytes[dealer],
                                slu_dkg_dealing_bytes(&r->dkg));
}

static void deal_all(struct run *r)
{
    for (uint16_t j = 0; j < r->dkg.n; j++) {
        slu_dkg_deal(r->bytes[j], &r->dkg, j, r->seeds[j]);
        assert_int_equal(read_dealing(r, j), 0);
    }
}

/* ---- a dealer of the test's own, which need not be honest ---- */

struct dealer {
    uint8_t coefficients[NODES_MAX][32], e[32], shares[NODES_MAX][32];
};

static void make_dealer(struct dealer *d, const struct slu_dkg *dkg)
{
    for (uint16_t m = 0; m < dkg->k; m++)
        draw_scalar(d->coefficients[m]);
    draw_scalar(d->e);
    for (uint16_t i = 0; i < dkg->n; i++) {
        uint8_t power[32], at[32], term[32];
        memset(d->shares[i], 0, 32);
        slu_scalar_of(power, 1);
        slu_scalar_of(at, i + UINT64_C(1));
        for (uint16_t m = 0; m < dkg->k; m++) {
            crypto_core_ristretto255_scalar_mul(term, d->coefficients[m], power);
            crypto_core_ristretto255_scalar_add(d->shares[i], d->shares[i], term);
            crypto_core_ristretto255_scalar_mul(power, power, at);
        }
    }
}

static void add_u16(struct slu_hash *hash, uint16_t value)
{
    uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    slu_hash_add(hash, bytes, 2);
}

/* The dealing of `d` as node `j`, whose shares may be anything; `e_public` unless NULL is used as
 * E, which the dealer then cannot prove. */
static void deal_raw(struct run *r, uint16_t j, const struct dealer *d, const uint8_t *e_public)
{
    static const uint8_t nonce[24];
    const struct slu_dkg *dkg = &r->dkg;
    uint8_t *at = r->bytes[j], z[32], key[32], t[2][32], w[32], c[32];
    struct slu_hash hash;
    for (uint16_t m = 0; m < dkg->k; m++, at += 32)
        assert_false(crypto_scalarmult_ristretto255_base(at, d->coefficients[m]));
    uint8_t *e32 = at;
    assert_false(crypto_scalarmult_ristretto255_base(e32, d->e));
    if (e_public)
        memcpy(e32, e_public, 32);
    at += 32;
    for (uint16_t i = 0; i < dkg->n; i++, at += 48) {
        assert_false(crypto_scalarmult_ristretto255(z, d->e, dkg->p[i]));
        slu_hash_begin(&hash, "dkg-share", chain);
        slu_hash_add(&hash, dkg->sid, 32);
        add_u16(&hash, j);
        add_u16(&hash, i);
        slu_hash_add(&hash, e32, 32);
        slu_hash_add(&hash, dkg->p[i], 32);
        slu_hash_add(&hash, z, 32);
        slu_hash_end(&hash, key);
        crypto_aead_xchacha20poly1305_ietf_encrypt(at, NULL, d->shares[i], 32, NULL, 0, NULL, nonce,
                                                   key);
    }
    slu_hash_begin_wide(&hash, "dkg-deal", chain);
    slu_hash_add(&hash, dkg->sid, 32);
    add_u16(&hash, j);
    slu_hash_add(&hash, r->bytes[j], (size_t)(at - r->bytes[j]));
    for (int i = 0; i < 2; i++) {
        draw_scalar(t[i]);
        assert_false(crypto_scalarmult_ristretto255_base(w, t[i]));
        slu_hash_add(&hash, w, 32);
    }
    slu_hash_end_challenge(&hash, c);
    memcpy(at, c, 16);
    for (size_t i = 0; i < 2; i++) {
        crypto_core_ristretto255_scalar_mul(z, c, i ? d->e : d->coefficients[0]);
        crypto_core_ristretto255_scalar_add(at + 16 + 32 * i, z, t[i]);
    }
}

static bool opens(struct run *r, uint16_t dealer, uint16_t node)
{
    uint8_t share[32];
    return slu_dkg_share_open(share, &r->dkg, &r->dealings[dealer], dealer, node,
                              r->p_secret[node]);
}

static enum slu_dkg_verdict complain(struct run *r, uint16_t dealer, uint16_t node)
{
    uint8_t complaint[SLU_DKG_COMPLAINT_BYTES];
    slu_dkg_complain(complaint, &r->dkg, &r->dealings[dealer], dealer, node, r->p_secret[node]);
    return slu_dkg_judge(&r->dkg, &r->dealings[dealer], dealer, node, complaint);
}

/* ---- honest ---- */

/* The key of `dealers` and everybody's share of it fit, and any k of the nodes open with it. */
static void check_key(struct run *r, uint64_t dealers)
{
    static uint8_t body[1024], plain[1024];
    struct slu_dkg_key key, again;
    struct slu_seal_key seal_key;
    uint8_t x[NODES_MAX][32], seed[64];
    assert_int_equal(slu_dkg_result(&key, &r->dkg, dealers, r->dealings), 0);
    for (uint16_t i = 0; i < r->dkg.n; i++) {
        uint8_t shares[NODES_MAX][32], image[32];
        for (uint16_t j = 0; j < r->dkg.n; j++)
            if (dealers >> j & 1)
                assert_true(
                    slu_dkg_share_open(shares[j], &r->dkg, &r->dealings[j], j, i, r->p_secret[i]));
        slu_dkg_share(x[i], &r->dkg, dealers, (const uint8_t(*)[32])shares);
        assert_false(crypto_scalarmult_ristretto255_base(image, x[i]));
        assert_memory_equal(image, key.y_i[i], 32);
    }
    assert_int_equal(slu_dkg_result(&again, &r->dkg, dealers, r->dealings), 0);
    assert_memory_equal(&key, &again, sizeof key);

    memcpy(seal_key.chain_id, chain, 32);
    memcpy(seal_key.key_id, key.key_id, 32);
    memcpy(seal_key.y, key.y, 32);
    struct slu_opening_key *opening = slu_opening_key_new(&seal_key);
    struct slu_sealed sealed;
    struct slu_sealed_checked checked;
    size_t len;
    draw(seed, 64);
    assert_int_equal(
        slu_seal(body, sizeof body, &len, &seal_key, SLU_UNLOCK_NONE, 0, 1, 7, seed, 9, seed), 0);
    assert_int_equal(slu_sealed_read(&sealed, body, len, 1), 0);
    assert_true(slu_sealed_valid(opening, &checked, &sealed));
    for (uint16_t first = 0; first + r->dkg.k <= r->dkg.n; first++) {
        uint16_t nodes[NODES_MAX];
        struct slu_point shares[NODES_MAX], s;
        struct slu_coefficients coefficients;
        struct slu_sealed_message message;
        for (uint16_t i = 0; i < r->dkg.k; i++) {
            uint8_t d32[1][32];
            nodes[i] = (uint16_t)(first + i);
            slu_shares_compute(d32, x[nodes[i]], (const uint8_t(*)[32])sealed.r32, 1);
            assert_true(slu_shares_read(&shares[i], (const uint8_t(*)[32])d32, 1));
        }
        assert_int_equal(slu_coefficients_of(&coefficients, nodes, r->dkg.k, r->dkg.n), 0);
        slu_combine(&s, &coefficients, shares);
        assert_int_equal(slu_sealed_open(opening, plain, &message, &sealed, &checked, &s),
                         SLU_OPENED);
        assert_memory_equal(message.payload, seed, 9);
    }
    slu_opening_key_free(opening);
}

static struct run run, other;

static void test_honest(void **state)
{
    (void)state;
    static const uint16_t sizes[][2] = {{1, 1}, {2, 2}, {4, 3}, {4, 2}, {7, 5}, {7, 3}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        begin(&run, sizes[i][0], sizes[i][1]);
        deal_all(&run);
        uint64_t all = (UINT64_C(1) << run.dkg.n) - 1;
        check_key(&run, all);
        if (run.dkg.n > 2)
            check_key(&run, all & ~UINT64_C(2)); /* without dealer 1 */
    }
}

/* Another set of dealers is another key, and every node sees which by the READY hash. */
static void test_ready(void **state)
{
    (void)state;
    struct slu_dkg_key all, some;
    begin(&run, 4, 3);
    deal_all(&run);
    assert_int_equal(slu_dkg_result(&all, &run.dkg, 15, run.dealings), 0);
    assert_int_equal(slu_dkg_result(&some, &run.dkg, 7, run.dealings), 0);
    assert_memory_not_equal(all.ready, some.ready, 32);
    assert_memory_not_equal(all.key_id, some.key_id, 32);
    assert_memory_not_equal(all.y, some.y, 32);
    assert_true(slu_dkg_result(&some, &run.dkg, 0, run.dealings) < 0);
    assert_true(slu_dkg_result(&some, &run.dkg, 31, run.dealings) < 0);
}

/* A node that crashed deals the same from its seed; its proof is another and holds. */
static void test_deals_the_same_again(void **state)
{
    (void)state;
    begin(&run, 4, 3);
    deal_all(&run);
    memcpy(&other, &run, sizeof run);
    slu_dkg_deal(other.bytes[2], &run.dkg, 2, run.seeds[2]);
    size_t before = slu_dkg_dealing_bytes(&run.dkg) - SLU_DKG_DEAL_PROOF_BYTES;
    assert_memory_equal(other.bytes[2], run.bytes[2], before);
    assert_int_equal(read_dealing(&other, 2), 0);
    /* In another attempt the same seed gives other secrets. */
    assert_int_equal(slu_dkg_begin(&other.dkg, chain, 5, 1, 4, 3, (const uint8_t(*)[32])run.p), 0);
    slu_dkg_deal(other.bytes[2], &other.dkg, 2, run.seeds[2]);
    assert_memory_not_equal(other.bytes[2], run.bytes[2], 32);
}

/* ---- dealers at fault ---- */

static void test_bad_share(void **state)
{
    (void)state;
    struct dealer d;
    begin(&run, 4, 3);
    deal_all(&run);
    make_dealer(&d, &run.dkg);
    deal_raw(&run, 1, &d, NULL);
    assert_int_equal(read_dealing(&run, 1), 0);
    for (uint16_t i = 0; i < 4; i++)
        assert_true(opens(&run, 1, i)); /* honest so far */
    uint8_t good[32];
    memcpy(good, d.shares[2], 32);
    for (unsigned fault = 0; fault < 3; fault++) {
        memcpy(d.shares[2], good, 32);
        if (fault == 0)
            d.shares[2][0] ^= 1;
        else if (fault == 1)
            sodium_add(d.shares[2], order, 32); /* the same scalar, not reduced */
        else
            memset(d.shares[2], 0, 32);
        deal_raw(&run, 1, &d, NULL);
        assert_int_equal(read_dealing(&run, 1), 0); /* nobody but node 2 can see it */
        assert_true(opens(&run, 1, 0) && opens(&run, 1, 1) && opens(&run, 1, 3));
        assert_false(opens(&run, 1, 2));
        assert_int_equal(complain(&run, 1, 2), SLU_DKG_DEALER_AT_FAULT);
        assert_int_equal(complain(&run, 1, 0), SLU_DKG_COMPLAINER_AT_FAULT);
    }
    /* A share that does not decrypt: encrypted to node 3. */
    memcpy(d.shares[2], good, 32);
    memcpy(run.dkg.p[2], run.p[3], 32);
    deal_raw(&run, 1, &d, NULL);
    memcpy(run.dkg.p[2], run.p[2], 32);
    assert_int_equal(read_dealing(&run, 1), 0);
    assert_false(opens(&run, 1, 2));
    assert_int_equal(complain(&run, 1, 2), SLU_DKG_DEALER_AT_FAULT);
    check_key(&run, 15 & ~2u); /* the others go on */
}

static void test_false_complaint(void **state)
{
    (void)state;
    uint8_t complaint[SLU_DKG_COMPLAINT_BYTES], copy[SLU_DKG_COMPLAINT_BYTES];
    begin(&run, 4, 3);
    deal_all(&run);
    assert_int_equal(complain(&run, 1, 2), SLU_DKG_COMPLAINER_AT_FAULT);
    slu_dkg_complain(complaint, &run.dkg, &run.dealings[1], 1, 2, run.p_secret[2]);
    for (size_t byte = 0; byte < sizeof complaint; byte++) {
        memcpy(copy, complaint, sizeof copy);
        copy[byte] ^= 2;
        assert_int_equal(slu_dkg_judge(&run.dkg, &run.dealings[1], 1, 2, copy),
                         SLU_DKG_COMPLAINT_INVALID);
    }
    /* Another's key, dealer, node or attempt. */
    slu_dkg_complain(copy, &run.dkg, &run.dealings[1], 1, 2, run.p_secret[3]);
    assert_int_equal(slu_dkg_judge(&run.dkg, &run.dealings[1], 1, 2, copy),
                     SLU_DKG_COMPLAINT_INVALID);
    assert_int_equal(slu_dkg_judge(&run.dkg, &run.dealings[0], 0, 2, complaint),
                     SLU_DKG_COMPLAINT_INVALID);
    assert_int_equal(slu_dkg_judge(&run.dkg, &run.dealings[1], 1, 3, complaint),
                     SLU_DKG_COMPLAINT_INVALID);
    assert_int_equal(slu_dkg_judge(&run.dkg, &run.dealings[1], 1, 4, complaint),
                     SLU_DKG_COMPLAINT_INVALID);
    struct slu_dkg next;
    assert_int_equal(slu_dkg_begin(&next, chain, 5, 1, 4, 3, (const uint8_t(*)[32])run.p), 0);
    assert_int_equal(slu_dkg_judge(&next, &run.dealings[1], 1, 2, complaint),
                     SLU_DKG_COMPLAINT_INVALID);
}

/* ---- copies and replays ---- */

static void test_copies(void **state)
{
    (void)state;
    struct dealer d;
    begin(&run, 4, 3);
    deal_all(&run);
    size_t len = slu_dkg_dealing_bytes(&run.dkg);
    memcpy(other.bytes[0], run.bytes[1], len); /* a dealing as another's */
    struct slu_dkg_dealing dealing;
    assert_true(slu_dkg_dealing_read(&dealing, &run.dkg, 0, other.bytes[0], len) < 0);
    assert_true(slu_dkg_dealing_read(&dealing, &run.dkg, 4, other.bytes[0], len) < 0);
    make_dealer(&d, &run.dkg); /* another's E */
    deal_raw(&run, 0, &d, run.dealings[1].e32);
    assert_true(read_dealing(&run, 0) < 0);
    deal_raw(&run, 0, &d, NULL);
    assert_int_equal(read_dealing(&run, 0), 0);
    struct slu_dkg next; /* a replay in the next attempt, and in one with another k */
    assert_int_equal(slu_dkg_begin(&next, chain, 5, 1, 4, 3, (const uint8_t(*)[32])run.p), 0);
    assert_true(slu_dkg_dealing_read(&dealing, &next, 1, run.bytes[1], len) < 0);
    assert_int_equal(slu_dkg_begin(&next, chain, 6, 0, 4, 3, (const uint8_t(*)[32])run.p), 0);
    assert_true(slu_dkg_dealing_read(&dealing, &next, 1, run.bytes[1], len) < 0);
    assert_int_equal(slu_dkg_begin(&next, chain, 5, 0, 4, 2, (const uint8_t(*)[32])run.p), 0);
    assert_true(slu_dkg_dealing_read(&dealing, &next, 1, run.bytes[1], len) < 0);
    static const uint8_t elsewhere[32] = {9};
    assert_int_equal(slu_dkg_begin(&next, elsewhere, 5, 0, 4, 3, (const uint8_t(*)[32])run.p), 0);
    assert_true(slu_dkg_dealing_read(&dealing, &next, 1, run.bytes[1], len) < 0);
}

/* Every byte of a dealing is bound by its proof. */
static void test_changed_dealing(void **state)
{
    (void)state;
    begin(&run, 4, 3);
    deal_all(&run);
    size_t len = slu_dkg_dealing_bytes(&run.dkg);
    struct slu_dkg_dealing dealing;
    for (size_t byte = 0; byte < len; byte++) {
        run.bytes[3][byte] ^= (uint8_t)(1u << byte % 8);
        assert_true(read_dealing(&run, 3) < 0);
        run.bytes[3][byte] ^= (uint8_t)(1u << byte % 8);
    }
    assert_true(slu_dkg_dealing_read(&dealing, &run.dkg, 3, run.bytes[3], len - 1) < 0);
    assert_true(slu_dkg_dealing_read(&dealing, &run.dkg, 3, run.bytes[3], len + 1) < 0);
    assert_true(slu_dkg_dealing_read(&dealing, &run.dkg, 3, run.bytes[3], 0) < 0);
    uint8_t *z = run.bytes[3] + len - 64; /* scalars that are not reduced */
    sodium_add(z, order, 32);
    assert_true(read_dealing(&run, 3) < 0);
    sodium_sub(z, order, 32);
    sodium_add(z + 32, order, 32);
    assert_true(read_dealing(&run, 3) < 0);
    sodium_sub(z + 32, order, 32);
    assert_int_equal(read_dealing(&run, 3), 0);
}

static void test_possession(void **state)
{
    (void)state;
    uint8_t seed[32], p_secret[32], p[32], proof[SLU_PROOF_BYTES], public32[32], second[32];
    struct slu_dkg dkg;
    draw(seed, 32);
    draw(public32, 32);
    slu_dkg_node_key(p_secret, p, seed);
    slu_dkg_possession_make(proof, p_secret, p, public32);
    assert_true(slu_dkg_possession_ok(proof, p, public32));
    memcpy(second, public32, 32);
    second[0] ^= 1;
    assert_false(slu_dkg_possession_ok(proof, p, second)); /* copied by another node */
    crypto_core_ristretto255_add(second, p, p);
    assert_false(slu_dkg_possession_ok(proof, second, public32));
    p[31] |= 0x80;
    assert_false(slu_dkg_possession_ok(proof, p, public32));
    assert_true(slu_dkg_begin(&dkg, chain, 1, 0, 1, 1, (const uint8_t(*)[32])p) < 0);
    p[31] &= 0x7f;
    assert_int_equal(slu_dkg_begin(&dkg, chain, 1, 0, 1, 1, (const uint8_t(*)[32])p), 0);
    assert_true(slu_dkg_begin(&dkg, chain, 1, 0, 1, 0, (const uint8_t(*)[32])p) < 0);
    assert_true(slu_dkg_begin(&dkg, chain, 1, 0, 1, 2, (const uint8_t(*)[32])p) < 0);
    assert_true(slu_dkg_begin(&dkg, chain, 1, 0, 65, 2, (const uint8_t(*)[32])p) < 0);
    for (size_t byte = 0; byte < sizeof proof; byte++) {
        proof[byte] ^= 1;
        assert_false(slu_dkg_possession_ok(proof, p, public32));
        proof[byte] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest),
        cmocka_unit_test(test_ready),
        cmocka_unit_test(test_deals_the_same_again),
        cmocka_unit_test(test_bad_share),
        cmocka_unit_test(test_false_complaint),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_changed_dealing),
        cmocka_unit_test(test_possession),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
