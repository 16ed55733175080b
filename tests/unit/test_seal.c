/* sluice/chain.h and sluice/seal.h as an application uses them: a chain, a key out of a certificate,
 * an envelope, an opening; and what of each must not pass. */
#include "sluice/seal.h" /* first: it stands alone */

#include <unistd.h>

#include "config/genesis_json.h"
#include "crypto/sealed.h"
#include "tests/unit/committee_key.h"
#include "wire/bundle.h"
#include "wire/tx.h"

#define UNTIL UINT64_C(1700000000000)

static char root[64], genesis_path[128];
static struct slu_chain *chain;
static struct certified_key good;
static const uint8_t text[] = "a transaction that nobody can read before its place is final";

static int set_up(void **state)
{
    char why[200];
    strcpy(root, "/tmp/slu_seal_XXXXXX");
    if (make_committee(state) != 0 || mkdtemp(root) == NULL)
        return -1;
    snprintf(genesis_path, sizeof genesis_path, "%s/genesis.json", root);
    if (slu_genesis_save(&genesis, genesis_path, why, sizeof why) ||
        slu_chain_load(&chain, genesis_path, why, sizeof why))
        return -1;
    certify(&good, &genesis, 1, 3);
    return 0;
}

static int tear_down(void **state)
{
    slu_chain_free(chain);
    unlink(genesis_path);
    return free_committee(state) + rmdir(root);
}

static void test_chain(void **state)
{
    (void)state;
    struct slu_chain *none;
    char why[200] = "";
    assert_int_equal(slu_chain_load(&none, "/nowhere/genesis.json", why, sizeof why),
                     SLU_ERR_IO);
    assert_non_null(strstr(why, "/nowhere/genesis.json"));
    slu_chain_free(NULL);
    assert_memory_equal(slu_chain_id(chain), genesis.chain_id, 32);
    assert_string_equal(slu_chain_name(chain), "committee");
    assert_int_equal(slu_chain_nodes(chain), COMMITTEE);
    assert_true(slu_chain_seals(chain));
    assert_int_equal(slu_chain_payload_bytes_max(chain, false),
                     genesis.params.tx_bytes_max - SLU_TX_HEAD_BYTES);
    size_t sealed = slu_chain_payload_bytes_max(chain, true);
    assert_in_range(slu_seal_envelope_bytes(sealed), 1, genesis.params.tx_bytes_max);
    assert_false(slu_seal_envelope_bytes(sealed + 1) - 1 < genesis.params.tx_bytes_max);
}

static void test_rollups(void **state)
{
    (void)state;
    static struct slu_genesis closed;
    struct slu_chain_rollup rollup;
    struct slu_chain *other;
    char why[200], path[160];
    assert_int_equal(slu_chain_rollup(chain, 77, &rollup), 0);
    assert_int_equal(rollup.id, 77);
    assert_string_equal(rollup.name, "");
    assert_int_equal(slu_chain_rollup(chain, 0, &rollup), SLU_ERR_NOT_FOUND);
    assert_int_equal(slu_chain_rollup_named(chain, "alpha", &rollup), SLU_ERR_NOT_FOUND);
    closed = genesis;
    closed.open_rollups = false;
    closed.rollup_count = 2;
    closed.rollups[0] = (struct slu_genesis_rollup){.id = 5, .name = "alpha", .rate_share = 1};
    closed.rollups[1] = (struct slu_genesis_rollup){
        .id = 9, .name = "beta", .sealed_only = true, .ethereum_chain_id = 10, .rate_share = 1};
    snprintf(path, sizeof path, "%s/closed.json", root);
    assert_int_equal(slu_genesis_seal(&closed, why, sizeof why), 0);
    assert_int_equal(slu_genesis_save(&closed, path, why, sizeof why), 0);
    assert_int_equal(slu_chain_load(&other, path, why, sizeof why), 0);
    assert_int_equal(slu_chain_rollup(other, 77, &rollup), SLU_ERR_NOT_FOUND);
    assert_int_equal(slu_chain_rollup(other, 9, &rollup), 0);
    assert_string_equal(rollup.name, "beta");
    assert_true(rollup.sealed_only);
    assert_int_equal(rollup.ethereum_chain_id, 10);
    assert_int_equal(slu_chain_rollup_named(other, "alpha", &rollup), 0);
    assert_int_equal(rollup.id, 5);
    assert_false(rollup.sealed_only);
    slu_chain_free(other);
    unlink(path);
}

/* ---- certificates ---- */

static void test_certificate(void **state)
{
    (void)state;
    struct slu_seal_key key;
    assert_int_equal(slu_seal_key_certified(&key, chain, good.bytes, good.len), 0);
    assert_memory_equal(&key, &good.key, sizeof key);
}

/* Each byte of it counts, and so does its length. */
static void test_certificate_changed(void **state)
{
    (void)state;
    static const uint8_t zero[sizeof(struct slu_seal_key)];
    struct slu_seal_key key;
    uint8_t bytes[SLU_KEY_CERT_BYTES_MAX + 1] = {0};
    memcpy(bytes, good.bytes, good.len);
    for (size_t i = 0; i < good.len; i++) {
        memcpy(&key, &good.key, sizeof key);
        bytes[i] ^= 1;
        assert_int_not_equal(slu_seal_key_certified(&key, chain, bytes, good.len), 0);
        assert_memory_equal(&key, zero, sizeof key);
        bytes[i] ^= 1;
    }
    for (size_t len = 0; len < good.len; len += 7)
        assert_int_equal(slu_seal_key_certified(&key, chain, bytes, len), SLU_ERR_MALFORMED);
    assert_int_equal(slu_seal_key_certified(&key, chain, bytes, good.len + 1), SLU_ERR_MALFORMED);
}

/* Fewer signatures than k+f, one twice, and those of another chain's nodes or attempt. */
static void test_certificate_of_others(void **state)
{
    (void)state;
    struct slu_seal_key key;
    struct certified_key k = good;
    k.cert.count--;
    write_certificate(&k, &genesis);
    assert_int_equal(slu_seal_key_certified(&key, chain, k.bytes, k.len), SLU_ERR_MISMATCH);
    k = good;
    k.cert.signers[1] = k.cert.signers[0];
    write_certificate(&k, &genesis);
    assert_int_equal(slu_seal_key_certified(&key, chain, k.bytes, k.len), SLU_ERR_MALFORMED);
    struct slu_genesis foreign = genesis;
    char why[200];
    strcpy(foreign.name, "foreign");
    assert_int_equal(slu_genesis_seal(&foreign, why, sizeof why), 0);
    certify(&k, &foreign, 1, 3);
    assert_int_equal(slu_seal_key_certified(&key, chain, k.bytes, k.len), SLU_ERR_SIGNATURE);
    certify(&k, &genesis, 2, 3);
    k.cert.attempt = 1;
    write_certificate(&k, &genesis);
    assert_int_equal(slu_seal_key_certified(&key, chain, k.bytes, k.len), SLU_ERR_SIGNATURE);
}

/* ---- envelopes ---- */

static uint8_t envelope[SLU_SEAL_ENVELOPE_BYTES_MAX];
static uint8_t big[SLU_SEAL_PAYLOAD_BYTES_MAX + 1];

/* It is what nodes take: an envelope of rollup 0 with a valid body. */
static void check_envelope(size_t len, const uint8_t id32[32], enum slu_unlock kind,
                           uint64_t unlock)
{
    struct slu_reader r = slu_reader_of(envelope, len);
    struct slu_tx tx;
    struct slu_sealed sealed;
    struct slu_sealed_checked checked;
    uint8_t again[32];
    assert_true(slu_tx_read(&r, &tx) && slu_reader_done(&r));
    assert_int_equal(tx.rollup, 0);
    assert_int_equal(tx.kind, SLU_TX_SEALED);
    assert_int_equal(tx.valid_until_ms, UNTIL);
    slu_tx_id(again, &genesis, &tx);
    assert_memory_equal(again, id32, 32);
    assert_int_equal(slu_sealed_read(&sealed, tx.body, tx.body_len, UNTIL), 0);
    assert_int_equal(sealed.label.unlock_kind, kind);
    assert_int_equal(sealed.label.unlock, unlock);
    struct slu_opening_key *tables = slu_opening_key_new(&good.key);
    assert_non_null(tables);
    assert_true(slu_sealed_valid(tables, &checked, &sealed));
    slu_opening_key_free(tables);
}

static void test_envelopes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 115, 116, 1000, SLU_SEAL_PAYLOAD_BYTES_MAX};
    uint8_t id[32], other[32];
    size_t len = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(slu_seal_envelope(envelope, sizeof envelope, &len, id, &good.key,
                                           SLU_UNLOCK_HEIGHT, 77, UNTIL, 9, big, sizes[i]),
                         0);
        assert_int_equal(len, slu_seal_envelope_bytes(sizes[i]));
        check_envelope(len, id, SLU_UNLOCK_HEIGHT, 77);
    }
    assert_int_equal(len, SLU_SEAL_ENVELOPE_BYTES_MAX);
    for (int i = 0; i < 2; i++) {
        memcpy(other, id, 32);
        assert_int_equal(slu_seal_envelope(envelope, sizeof envelope, &len, id, &good.key,
                                           SLU_UNLOCK_NONE, 0, UNTIL, 9, text, sizeof text),
                         0);
        check_envelope(len, id, SLU_UNLOCK_NONE, 0);
        assert_memory_not_equal(id, other, 32); /* sealed twice is two transactions */
    }
}

static void test_envelopes_refused(void **state)
{
    (void)state;
    static const uint8_t zero[sizeof envelope];
    struct slu_seal_key no_element = good.key;
    memset(no_element.y, 0xff, 32);
    const struct {
        const struct slu_seal_key *key;
        int kind;
        uint64_t unlock, rollup;
        size_t payload_len, cap;
        int error;
    } cases[] = {
        {&good.key, SLU_UNLOCK_NONE, 1, 9, 5, sizeof envelope, SLU_ERR_MALFORMED},
        {&good.key, 3, 1, 9, 5, sizeof envelope, SLU_ERR_MALFORMED},
        {&good.key, 256, 0, 9, 5, sizeof envelope, SLU_ERR_MALFORMED},
        {&good.key, SLU_UNLOCK_NONE, 0, 0, 5, sizeof envelope, SLU_ERR_MALFORMED},
        {&good.key, SLU_UNLOCK_NONE, 0, UINT64_C(1) << 53, 5, sizeof envelope, SLU_ERR_MALFORMED},
        {&no_element, SLU_UNLOCK_NONE, 0, 9, 5, sizeof envelope, SLU_ERR_MALFORMED},
        {&good.key, SLU_UNLOCK_NONE, 0, 9, sizeof big, sizeof envelope, SLU_ERR_LIMIT},
        {&good.key, SLU_UNLOCK_NONE, 0, 9, SIZE_MAX, sizeof envelope, SLU_ERR_LIMIT},
        {&good.key, SLU_UNLOCK_NONE, 0, 9, 5, 351, SLU_ERR_LIMIT},
        {&good.key, SLU_UNLOCK_NONE, 0, 9, 5, 0, SLU_ERR_LIMIT},
    };
    uint8_t id[32];
    size_t len;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(envelope, 0xee, sizeof envelope);
        assert_int_equal(slu_seal_envelope(envelope, cases[i].cap, &len, id, cases[i].key,
                                           (enum slu_unlock)cases[i].kind, cases[i].unlock, UNTIL,
                                           cases[i].rollup, big, cases[i].payload_len),
                         cases[i].error);
        assert_memory_equal(envelope, zero, cases[i].cap);
        assert_true(cases[i].cap == sizeof envelope || envelope[cases[i].cap] == 0xee);
    }
    assert_int_equal(slu_seal_envelope_bytes(sizeof big), 0);
    assert_int_equal(slu_seal_envelope_bytes(5), 352);
    assert_int_equal(
        slu_seal_envelope(envelope, 352, &len, id, &good.key, SLU_UNLOCK_NONE, 0, UNTIL, 9, big, 5),
        0);
}

/* For rollup 0 there are bundles, and nothing else; what is shown as opened is held to the same. */
static void test_bundles(void **state)
{
    (void)state;
    static const struct slu_bundle bundle = {.count = 2, .legs = {{9, text, 5}, {8, text, 6}}};
    uint8_t body[96], id[32], seed[64] = {6};
    size_t body_len, len;
    assert_int_equal(slu_bundle_body(body, sizeof body, &body_len, &bundle), 0);
    for (size_t less = 0; less < 2; less++) {
        struct slu_seal_opening opening = {
            .valid_until_ms = UNTIL, .payload = body, .payload_len = body_len - less};
        memcpy(opening.key_id, good.key.key_id, 32);
        assert_int_equal(slu_seal_envelope(envelope, sizeof envelope, &len, id, &good.key,
                                           SLU_UNLOCK_NONE, 0, UNTIL, 0, body, body_len - less),
                         less ? SLU_ERR_MALFORMED : 0);
        /* Somebody without a rule seals it all the same. */
        uint8_t *at = envelope + SLU_TX_HEAD_BYTES;
        assert_int_equal(slu_seal(at, SLU_SEALED_BYTES_MAX, &len, &good.key, SLU_UNLOCK_NONE, 0,
                                  UNTIL, 0, body, body_len - less, seed),
                         0);
        struct slu_writer w = slu_writer_of(envelope, SLU_TX_HEAD_BYTES);
        slu_write_u64(&w, 0);
        slu_write_u64(&w, UNTIL);
        slu_write_u8(&w, SLU_TX_SEALED);
        slu_write_u32(&w, (uint32_t)len);
        slu_tx_id_of(id, genesis.chain_id, envelope, SLU_TX_HEAD_BYTES + len);
        memcpy(opening.e, at + SLU_SEAL_HEAD_BYTES + 64, 16);
        memcpy(opening.z, at + SLU_SEAL_HEAD_BYTES + 80, 32);
        memcpy(opening.rho, seed, 32);
        assert_int_equal(slu_seal_opening_check(&good.key, &opening, id),
                         less ? SLU_ERR_MISMATCH : 0);
        body[body_len - 1 - less] ^= less == 0; /* a leg that is another one */
        if (less == 0)
            assert_int_equal(slu_seal_opening_check(&good.key, &opening, id), SLU_ERR_MISMATCH);
    }
}

/* ---- openings ---- */

/* What a node shows of `sealed_text` for rollup 9, out of the seed that it was sealed with. With
 * `nonce32`: proven with that nonce by a client that follows no rule. */
static void make_opening(struct slu_seal_opening *out, uint8_t id32[32], const uint8_t seed64[64],
                         const uint8_t *nonce32)
{
    uint8_t *body = envelope + SLU_TX_HEAD_BYTES;
    size_t len;
    *out = (struct slu_seal_opening){.unlock_kind = SLU_UNLOCK_TIME,
                                     .unlock = 55,
                                     .valid_until_ms = UNTIL,
                                     .rollup = 9,
                                     .payload = text,
                                     .payload_len = sizeof text};
    assert_int_equal(slu_seal(body, SLU_SEALED_BYTES_MAX, &len, &good.key, out->unlock_kind,
                              out->unlock, UNTIL, 9, text, sizeof text, seed64),
                     0);
    uint8_t *e16 = body + SLU_SEAL_HEAD_BYTES + 64, *z32 = e16 + 16;
    struct slu_sealed view;
    assert_int_equal(slu_sealed_read(&view, body, len, UNTIL), 0);
    if (nonce32) {
        static uint8_t message[192]; /* the bucket of `text` with its head */
        uint8_t lh[32], r[32], e[32], w[32] = {0}, w_bar[32] = {0}, bar[32];
        message[1] = 9;
        message[9] = sizeof text;
        memcpy(message + SLU_SEALED_FORM_BYTES, text, sizeof text);
        slu_label_hash(lh, &good.key, &view.label);
        slu_seal_scalar(r, &good.key, lh, seed64, message, slu_seal_bucket(sizeof text));
        slu_seal_second_generator(bar);
        if (!sodium_is_zero(nonce32, 32)) {
            assert_int_equal(crypto_scalarmult_ristretto255_base(w, nonce32), 0);
            assert_int_equal(crypto_scalarmult_ristretto255(w_bar, nonce32, bar), 0);
        }
        slu_seal_challenge(e, &good.key, lh, view.c, view.c_len, view.r32, view.r_bar32, w, w_bar);
        crypto_core_ristretto255_scalar_mul(z32, e, r);
        crypto_core_ristretto255_scalar_add(z32, z32, nonce32);
        memcpy(e16, e, 16);
    }
    memcpy(out->key_id, good.key.key_id, 32);
    memcpy(out->e, e16, 16);
    memcpy(out->z, z32, 32);
    memcpy(out->rho, seed64, 32);
    struct slu_writer w = slu_writer_of(envelope, SLU_TX_HEAD_BYTES);
    slu_write_u64(&w, 0);
    slu_write_u64(&w, UNTIL);
    slu_write_u8(&w, SLU_TX_SEALED);
    slu_write_u32(&w, (uint32_t)len);
    slu_tx_id_of(id32, genesis.chain_id, envelope, SLU_TX_HEAD_BYTES + len);
}

static void refuse(const struct slu_seal_opening *opening, const uint8_t id32[32])
{
    assert_int_equal(slu_seal_opening_check(&good.key, opening, id32), SLU_ERR_MISMATCH);
}

static void test_opening(void **state)
{
    (void)state;
    uint8_t id[32], other_id[32], seed[64] = {1}, changed[sizeof text];
    struct slu_seal_opening good_one, other, bad;
    make_opening(&other, other_id, (const uint8_t[64]){2}, NULL);
    make_opening(&good_one, id, seed, NULL);
    assert_int_equal(slu_seal_opening_check(&good.key, &good_one, id), 0);
    assert_int_equal(slu_seal_opening_check(&good.key, &other, other_id), 0);
    refuse(&good_one, other_id);
    refuse(&other, id);
    for (size_t i = 0; i < 32; i++) {
        for (int field = 0; field < 5; field++) {
            uint8_t wrong_id[32];
            bad = good_one;
            memcpy(wrong_id, id, 32);
            uint8_t *at[] = {bad.key_id, bad.z, bad.rho, wrong_id, bad.e};
            at[field][field == 4 ? i % 16 : i] ^= 1;
            refuse(&bad, wrong_id);
        }
    }
    memcpy(changed, text, sizeof text);
    changed[5] ^= 1;
    for (int i = 0; i < 9; i++) {
        bad = good_one;
        bad.payload = i == 0 ? changed : bad.payload;
        bad.payload_len -= i == 1;
        bad.payload_len = i == 2 ? 0 : i == 3 ? SLU_SEAL_PAYLOAD_BYTES_MAX + 1 : bad.payload_len;
        bad.rollup = i == 4 ? 8 : i == 5 ? 0 : bad.rollup;
        bad.unlock += i == 6;
        bad.unlock_kind = i == 7 ? SLU_UNLOCK_HEIGHT : bad.unlock_kind;
        bad.valid_until_ms += i == 8;
        refuse(&bad, id);
    }
}

/* The same number under a second name is another opening: there is one only. */
static void test_opening_scalar(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    struct slu_seal_opening opening;
    uint8_t id[32];
    make_opening(&opening, id, (const uint8_t[64]){3}, NULL);
    sodium_add(opening.z, order, 32);
    refuse(&opening, id);
}

/* A proof with any nonce is one, zero too: who follows no rule may take it, nodes open it, and a
 * reader must not think that they lied. */
static void test_opening_odd_nonce(void **state)
{
    (void)state;
    static const uint8_t nonces[][32] = {{0}, {1}, {7, 7}};
    struct slu_opening_key *tables = slu_opening_key_new(&good.key);
    assert_non_null(tables);
    for (size_t i = 0; i < sizeof nonces / sizeof *nonces; i++) {
        struct slu_seal_opening opening;
        struct slu_sealed sealed;
        struct slu_sealed_checked checked;
        uint8_t id[32];
        make_opening(&opening, id, (const uint8_t[64]){4}, nonces[i]);
        assert_int_equal(slu_sealed_read(&sealed, envelope + SLU_TX_HEAD_BYTES,
                                         slu_seal_envelope_bytes(sizeof text) - SLU_TX_HEAD_BYTES,
                                         UNTIL),
                         0);
        assert_true(slu_sealed_valid(tables, &checked, &sealed));
        assert_int_equal(slu_seal_opening_check(&good.key, &opening, id), 0);
    }
    slu_opening_key_free(tables);
}

/* An entry whose proof does not hold is void, whatever is inside: content shown for it is a lie,
 * though it is the content of exactly this envelope. */
static void test_void_shown_as_opened(void **state)
{
    (void)state;
    struct slu_seal_opening opening;
    uint8_t id[32];
    size_t len = slu_seal_envelope_bytes(sizeof text);
    make_opening(&opening, id, (const uint8_t[64]){5}, NULL);
    uint8_t *z32 = envelope + SLU_TX_HEAD_BYTES + SLU_SEAL_HEAD_BYTES + 80;
    z32[0] ^= 1;
    opening.z[0] ^= 1;
    slu_tx_id_of(id, genesis.chain_id, envelope, len);
    refuse(&opening, id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_rollups),
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_certificate_changed),
        cmocka_unit_test(test_certificate_of_others),
        cmocka_unit_test(test_envelopes),
        cmocka_unit_test(test_envelopes_refused),
        cmocka_unit_test(test_bundles),
        cmocka_unit_test(test_opening),
        cmocka_unit_test(test_opening_scalar),
        cmocka_unit_test(test_opening_odd_nonce),
        cmocka_unit_test(test_void_shown_as_opened),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
