/* Decryption shares and their batched proofs, and the attacks on them (docs/CRYPTO.md clause 5). */
#include "tests/unit/sealed_case.h"

enum { CHUNK = 60 };

struct chunk_case {
    struct committee c;
    struct slu_share_chunk chunk;
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
    t->chunk = (struct slu_share_chunk){.key = &t->c.key,
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

/* Own shares are libsodium's, for any count; what is read of them is what was written. */
static void test_compute(void **state)
{
    (void)state;
    for (uint32_t count = 0; count <= 37; count++) {
        uint8_t r32[37][32], d32[38][32], x[32], expected[32];
        struct slu_point d[37];
        draw_scalar(x);
        for (uint32_t j = 0; j < count; j++) {
            uint8_t wide[64];
            draw(wide, 64);
            crypto_core_ristretto255_from_hash(r32[j], wide);
        }
        memset(d32, 0xa5, sizeof d32);
        slu_shares_compute(d32, x, (const uint8_t(*)[32])r32, count);
        assert_int_equal(d32[count][0], 0xa5);
        for (uint32_t j = 0; j < count; j++) {
            assert_int_equal(crypto_scalarmult_ristretto255(expected, x, r32[j]), 0);
            assert_memory_equal(d32[j], expected, 32);
        }
        assert_true(slu_shares_read(d, (const uint8_t(*)[32])d32, count));
        for (uint32_t j = 0; j < count; j++) {
            slu_ristretto_write(expected, &d[j]);
            assert_memory_equal(d32[j], expected, 32);
            d32[j][31] ^= 0x80; /* each one counts */
            assert_false(slu_shares_read(d, (const uint8_t(*)[32])d32, count));
            d32[j][31] ^= 0x80;
        }
    }
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
    struct slu_share_chunk right = t.chunk;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compute),
        cmocka_unit_test(test_chunk_proof),
        cmocka_unit_test(test_chunk_context),
        cmocka_unit_test(test_forged_base),
    };
    if (sodium_init() < 0 || cmocka_run_group_tests_name("as it comes", tests, NULL, NULL))
        return 1;
    slu_lanes_turn_off(true);
    return cmocka_run_group_tests_name("without lanes", tests, NULL, NULL);
}
