#include "crypto/dkg.h"

#include <string.h>

#include "base/bytes.h"
#include "crypto/lagrange.h"
#include "crypto/msm.h"
#include "crypto/ristretto.h"
#include "crypto/seal.h"
#include "sluice/error.h"

/* ---- hashes ---- */

static void add_u16(struct slu_hash *hash, uint16_t value)
{
    uint8_t bytes[2];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u16(&w, value);
    slu_hash_add(hash, bytes, sizeof bytes);
}

/* A secret scalar of a dealing; `which` numbers those of one role. */
static void dealt_scalar(uint8_t scalar32[32], const struct slu_dkg *dkg, uint16_t dealer,
                         const char *role, uint16_t which, const uint8_t seed32[32])
{
    struct slu_hash hash;
    slu_hash_begin_wide(&hash, role, dkg->chain_id);
    slu_hash_add(&hash, seed32, 32);
    slu_hash_add(&hash, dkg->sid, 32);
    add_u16(&hash, dealer);
    add_u16(&hash, which);
    slu_hash_end_scalar(&hash, scalar32);
    sodium_memzero(&hash, sizeof hash);
}

/* The key of the share from `dealer` to `node`; `z32` = e_j P_i = p_i E_j. */
static void share_key(uint8_t key32[32], const struct slu_dkg *dkg, uint16_t dealer, uint16_t node,
                      const uint8_t e32[32], const uint8_t z32[32])
{
    struct slu_hash hash;
    slu_hash_begin(&hash, "dkg-share", dkg->chain_id);
    slu_hash_add(&hash, dkg->sid, 32);
    add_u16(&hash, dealer);
    add_u16(&hash, node);
    slu_hash_add(&hash, e32, 32);
    slu_hash_add(&hash, dkg->p[node], 32);
    slu_hash_add(&hash, z32, 32);
    slu_hash_end(&hash, key32);
    sodium_memzero(&hash, sizeof hash);
}

/* The context of a dealing's proof: all of it that stands before the proof. */
static void deal_context(struct slu_hash *hash, const struct slu_dkg *dkg, uint16_t dealer,
                         const uint8_t *dealing)
{
    slu_hash_begin_wide(hash, "dkg-deal", dkg->chain_id);
    slu_hash_add(hash, dkg->sid, 32);
    add_u16(hash, dealer);
    slu_hash_add(hash, dealing, slu_dkg_dealing_bytes(dkg) - SLU_DKG_DEAL_PROOF_BYTES);
}

static void complaint_context(struct slu_hash *hash, const struct slu_dkg *dkg, uint16_t dealer,
                              uint16_t node, const uint8_t e32[32], const uint8_t z32[32])
{
    slu_hash_begin_wide(hash, "dkg-complaint", dkg->chain_id);
    slu_hash_add(hash, dkg->sid, 32);
    add_u16(hash, node);
    add_u16(hash, dealer);
    slu_hash_add(hash, dkg->p[node], 32);
    slu_hash_add(hash, e32, 32);
    slu_hash_add(hash, z32, 32);
}

static void possession_context(struct slu_hash *hash, const uint8_t p32[32],
                               const uint8_t public32[32])
{
    static const uint8_t no_chain[32];
    slu_hash_begin_wide(hash, "dkg-possession", no_chain);
    slu_hash_add(hash, public32, 32);
    slu_hash_add(hash, p32, 32);
}

/* ---- keys of nodes ---- */

void slu_dkg_node_key(uint8_t p_secret32[32], uint8_t p32[32], const uint8_t seed32[32])
{
    static const uint8_t no_chain[32];
    struct slu_hash hash;
    slu_hash_begin_wide(&hash, "dkg-node-key", no_chain);
    slu_hash_add(&hash, seed32, 32);
    slu_hash_end_scalar(&hash, p_secret32);
    sodium_memzero(&hash, sizeof hash);
    SLU_CHECK(!crypto_scalarmult_ristretto255_base(p32, p_secret32));
}

void slu_dkg_possession_make(uint8_t proof48[SLU_PROOF_BYTES], const uint8_t p_secret32[32],
                             const uint8_t p32[32], const uint8_t public32[32])
{
    struct slu_hash context;
    possession_context(&context, p32, public32);
    slu_proof_make(proof48, &context, p_secret32, NULL);
}

bool slu_dkg_possession_ok(const uint8_t proof48[SLU_PROOF_BYTES], const uint8_t p32[32],
                           const uint8_t public32[32])
{
    struct slu_hash context;
    struct slu_point p;
    possession_context(&context, p32, public32);
    return slu_ristretto_read(&p, p32) && slu_proof_ok(proof48, &context, &p, NULL, NULL);
}

int slu_dkg_begin(struct slu_dkg *dkg, const uint8_t chain_id32[32], uint64_t epoch,
                  uint32_t attempt, uint16_t n, uint16_t k, const uint8_t (*p32)[32])
{
    if (k < 1 || k > n || n > SLU_NODES_MAX)
        return SLU_ERR_MALFORMED;
    for (uint16_t i = 0; i < n; i++) {
        struct slu_point p;
        if (!slu_ristretto_read(&p, p32[i]))
            return SLU_ERR_MALFORMED;
    }
    *dkg = (struct slu_dkg){.n = n, .k = k};
    memcpy(dkg->chain_id, chain_id32, 32);
    memcpy(dkg->p, p32, 32 * (size_t)n);
    uint8_t numbers[8 + 4 + 2 + 2];
    struct slu_writer w = slu_writer_of(numbers, sizeof numbers);
    slu_write_u64(&w, epoch);
    slu_write_u32(&w, attempt);
    slu_write_u16(&w, n);
    slu_write_u16(&w, k);
    struct slu_hash hash;
    slu_hash_begin(&hash, "dkg-sid", chain_id32);
    slu_hash_add(&hash, numbers, sizeof numbers);
    slu_hash_add(&hash, dkg->p, 32 * (size_t)n);
    slu_hash_end(&hash, dkg->sid);
    return SLU_OK;
}

/* ---- dealings ---- */

static const uint8_t no_nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

size_t slu_dkg_dealing_bytes(const struct slu_dkg *dkg)
{
    return 32 * (size_t)dkg->k + 32 + SLU_DKG_SHARE_BYTES * (size_t)dkg->n +
           SLU_DKG_DEAL_PROOF_BYTES;
}

/* f(node + 1), from the top coefficient down. */
static void evaluate(uint8_t value32[32], const uint8_t (*coefficients32)[32], uint16_t k,
                     uint16_t node)
{
    uint8_t at[32];
    slu_scalar_of(at, node + UINT64_C(1));
    memset(value32, 0, 32);
    for (uint16_t m = k; m-- > 0;) {
        crypto_core_ristretto255_scalar_mul(value32, value32, at);
        crypto_core_ristretto255_scalar_add(value32, value32, coefficients32[m]);
    }
}

/* One challenge for both secrets: c | z_a | z_e. */
static void prove_deal(uint8_t proof80[SLU_DKG_DEAL_PROOF_BYTES], const struct slu_hash *context,
                       const uint8_t a32[32], const uint8_t e32[32])
{
    struct slu_hash hash = *context;
    uint8_t t[2][32], w[32], c[32], z[32];
    slu_proof_nonce(t[0], context, a32, 32);
    slu_proof_nonce(t[1], context, e32, 32);
    for (int i = 0; i < 2; i++) {
        SLU_CHECK(!crypto_scalarmult_ristretto255_base(w, t[i]));
        slu_hash_add(&hash, w, 32);
    }
    slu_hash_end_challenge(&hash, c);
    memcpy(proof80, c, SLU_CHALLENGE_BYTES);
    for (size_t i = 0; i < 2; i++) {
        crypto_core_ristretto255_scalar_mul(z, c, i ? e32 : a32);
        crypto_core_ristretto255_scalar_add(z, z, t[i]);
        memcpy(proof80 + SLU_CHALLENGE_BYTES + 32 * i, z, 32);
    }
    sodium_memzero(t, sizeof t);
}

void slu_dkg_deal(uint8_t *dealing, const struct slu_dkg *dkg, uint16_t dealer,
                  const uint8_t seed32[32])
{
    uint8_t coefficients[SLU_NODES_MAX][32], e[32], value[32], z[32], key[32];
    struct slu_writer w = slu_writer_of(dealing, slu_dkg_dealing_bytes(dkg));
    for (uint16_t m = 0; m < dkg->k; m++) {
        uint8_t commitment[32];
        dealt_scalar(coefficients[m], dkg, dealer, "dkg-coefficient", m, seed32);
        SLU_CHECK(!crypto_scalarmult_ristretto255_base(commitment, coefficients[m]));
        slu_write_bytes(&w, commitment, 32);
    }
    const uint8_t *e_public = w.at;
    dealt_scalar(e, dkg, dealer, "dkg-ephemeral", 0, seed32);
    SLU_CHECK(!crypto_scalarmult_ristretto255_base(z, e));
    slu_write_bytes(&w, z, 32);
    for (uint16_t node = 0; node < dkg->n; node++) {
        uint8_t sealed[SLU_DKG_SHARE_BYTES];
        evaluate(value, (const uint8_t(*)[32])coefficients, dkg->k, node);
        SLU_CHECK(!crypto_scalarmult_ristretto255(z, e, dkg->p[node]));
        share_key(key, dkg, dealer, node, e_public, z);
        crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, value, 32, NULL, 0, NULL, no_nonce,
                                                   key);
        slu_write_bytes(&w, sealed, sizeof sealed);
    }
    struct slu_hash context;
    uint8_t proof[SLU_DKG_DEAL_PROOF_BYTES];
    deal_context(&context, dkg, dealer, dealing);
    prove_deal(proof, &context, coefficients[0], e);
    slu_write_bytes(&w, proof, sizeof proof);
    SLU_CHECK(!w.failed);
    sodium_memzero(coefficients, sizeof coefficients);
    sodium_memzero(e, sizeof e);
    sodium_memzero(value, sizeof value);
    sodium_memzero(z, sizeof z);
    sodium_memzero(key, sizeof key);
}

int slu_dkg_dealing_read(struct slu_dkg_dealing *out, const struct slu_dkg *dkg, uint16_t dealer,
                         const uint8_t *bytes, size_t len)
{
    struct slu_point a_0, point, e;
    if (dealer >= dkg->n || len != slu_dkg_dealing_bytes(dkg))
        return SLU_ERR_MALFORMED;
    struct slu_reader r = slu_reader_of(bytes, len);
    out->commitments32 = (const uint8_t(*)[32])slu_read_bytes(&r, 32 * (size_t)dkg->k);
    out->e32 = slu_read_bytes(&r, 32);
    out->shares48 = (const uint8_t(*)[SLU_DKG_SHARE_BYTES])slu_read_bytes(&r, SLU_DKG_SHARE_BYTES *
                                                                                  (size_t)dkg->n);
    const uint8_t *proof = slu_read_bytes(&r, SLU_DKG_DEAL_PROOF_BYTES);
    for (uint16_t m = 0; m < dkg->k; m++)
        if (!slu_ristretto_read(m ? &point : &a_0, out->commitments32[m]))
            return SLU_ERR_MALFORMED;
    const uint8_t *z_a = proof + SLU_CHALLENGE_BYTES, *z_e = z_a + 32;
    if (!slu_ristretto_read(&e, out->e32) || !slu_scalar_canonical(z_a) ||
        !slu_scalar_canonical(z_e))
        return SLU_ERR_MALFORMED;
    uint8_t c[32] = {0}, again[32], w[32];
    memcpy(c, proof, SLU_CHALLENGE_BYTES);
    struct slu_hash hash;
    deal_context(&hash, dkg, dealer, bytes);
    slu_proof_commitment(w, z_a, &slu_point_base, c, &a_0);
    slu_hash_add(&hash, w, 32);
    slu_proof_commitment(w, z_e, &slu_point_base, c, &e);
    slu_hash_add(&hash, w, 32);
    slu_hash_end_challenge(&hash, again);
    return memcmp(c, again, 32) != 0 ? SLU_ERR_MALFORMED : SLU_OK;
}

/* ---- shares and complaints ---- */

/* sum of (node+1)^m scale C_m, for public commitments. */
static void evaluate_commitments(struct slu_point *out, const struct slu_point *commitments,
                                 uint16_t k, uint16_t node, const uint8_t scale32[32])
{
    uint8_t powers[SLU_NODES_MAX][32], at[32];
    slu_scalar_of(at, node + UINT64_C(1));
    memcpy(powers[0], scale32, 32);
    for (uint16_t m = 1; m < k; m++)
        crypto_core_ristretto255_scalar_mul(powers[m], powers[m - 1], at);
    slu_msm(out, commitments, (const uint8_t(*)[32])powers, k, 253);
}

/* Decrypts and checks a share with the key from `z32`. */
static bool open_share(uint8_t share32[32], const struct slu_dkg *dkg,
                       const struct slu_dkg_dealing *dealing, uint16_t dealer, uint16_t node,
                       const uint8_t z32[32])
{
    uint8_t key[32], one[32], image[32], expected[32];
    struct slu_point commitments[SLU_NODES_MAX], sum;
    share_key(key, dkg, dealer, node, dealing->e32, z32);
    int bad = crypto_aead_xchacha20poly1305_ietf_decrypt(
        share32, NULL, NULL, dealing->shares48[node], SLU_DKG_SHARE_BYTES, NULL, 0, no_nonce, key);
    sodium_memzero(key, sizeof key);
    /* f(i) = 0 has no image to compare with, and no honest dealer meets it. */
    if (bad || !slu_scalar_canonical(share32) ||
        crypto_scalarmult_ristretto255_base(image, share32))
        return false;
    for (uint16_t m = 0; m < dkg->k; m++)
        if (!slu_ristretto_read(&commitments[m], dealing->commitments32[m]))
            return false;
    slu_scalar_of(one, 1);
    evaluate_commitments(&sum, commitments, dkg->k, node, one);
    slu_ristretto_write(expected, &sum);
    return !memcmp(image, expected, 32);
}

bool slu_dkg_share_open(uint8_t share32[32], const struct slu_dkg *dkg,
                        const struct slu_dkg_dealing *dealing, uint16_t dealer, uint16_t node,
                        const uint8_t p_secret32[32])
{
    uint8_t z[32];
    SLU_CHECK(node < dkg->n);
    SLU_CHECK(!crypto_scalarmult_ristretto255(z, p_secret32, dealing->e32));
    bool good = open_share(share32, dkg, dealing, dealer, node, z);
    sodium_memzero(z, sizeof z);
    if (!good)
        sodium_memzero(share32, 32);
    return good;
}

void slu_dkg_complain(uint8_t complaint80[SLU_DKG_COMPLAINT_BYTES], const struct slu_dkg *dkg,
                      const struct slu_dkg_dealing *dealing, uint16_t dealer, uint16_t node,
                      const uint8_t p_secret32[32])
{
    struct slu_hash context;
    SLU_CHECK(node < dkg->n);
    SLU_CHECK(!crypto_scalarmult_ristretto255(complaint80, p_secret32, dealing->e32));
    complaint_context(&context, dkg, dealer, node, dealing->e32, complaint80);
    slu_proof_make(complaint80 + 32, &context, p_secret32, dealing->e32);
}

enum slu_dkg_verdict slu_dkg_judge(const struct slu_dkg *dkg, const struct slu_dkg_dealing *dealing,
                                   uint16_t dealer, uint16_t node,
                                   const uint8_t complaint80[SLU_DKG_COMPLAINT_BYTES])
{
    struct slu_hash context;
    struct slu_point p, e, z;
    uint8_t share[32];
    if (node >= dkg->n || !slu_ristretto_read(&z, complaint80) ||
        !slu_ristretto_read(&p, dkg->p[node]) || !slu_ristretto_read(&e, dealing->e32))
        return SLU_DKG_COMPLAINT_INVALID;
    complaint_context(&context, dkg, dealer, node, dealing->e32, complaint80);
    if (!slu_proof_ok(complaint80 + 32, &context, &p, &e, &z))
        return SLU_DKG_COMPLAINT_INVALID;
    return open_share(share, dkg, dealing, dealer, node, complaint80) ? SLU_DKG_COMPLAINER_AT_FAULT
                                                                      : SLU_DKG_DEALER_AT_FAULT;
}

/* ---- outcome ---- */

void slu_dkg_name(struct slu_dkg_key *key, const struct slu_dkg *dkg, uint64_t dealers)
{
    uint8_t bytes8[8];
    struct slu_writer w = slu_writer_of(bytes8, sizeof bytes8);
    struct slu_hash hash;
    slu_write_u64(&w, dealers);
    slu_hash_begin(&hash, "dkg-ready", dkg->chain_id);
    slu_hash_add(&hash, dkg->sid, 32);
    slu_hash_add(&hash, bytes8, sizeof bytes8);
    slu_hash_add(&hash, key->y, 32);
    slu_hash_add(&hash, key->y_i, 32 * (size_t)dkg->n);
    slu_hash_end(&hash, key->ready);
    slu_seal_key_id(key->key_id, dkg->chain_id, key->y, dkg->sid);
}

int slu_dkg_result(struct slu_dkg_key *out, const struct slu_dkg *dkg, uint64_t dealers,
                   const struct slu_dkg_dealing *dealings)
{
    struct slu_point sums[SLU_NODES_MAX];
    uint8_t inverse[32];
    if (!dealers || (dkg->n < 64 && dealers >> dkg->n))
        return SLU_ERR_MALFORMED;
    for (uint16_t m = 0; m < dkg->k; m++) {
        sums[m] = slu_point_identity;
        for (uint16_t j = 0; j < dkg->n; j++) {
            struct slu_point a;
            if (!(dealers >> j & 1))
                continue;
            if (!slu_ristretto_read(&a, dealings[j].commitments32[m]))
                return SLU_ERR_MALFORMED;
            slu_point_sum(&sums[m], &sums[m], &a);
        }
    }
    *out = (struct slu_dkg_key){0};
    slu_ristretto_write(out->y, &sums[0]);
    slu_share_divisor_inverse(inverse, dkg->n);
    bool identity = sodium_is_zero(out->y, 32);
    for (uint16_t i = 0; i < dkg->n; i++) {
        struct slu_point y_i;
        evaluate_commitments(&y_i, sums, dkg->k, i, inverse);
        slu_ristretto_write(out->y_i[i], &y_i);
        identity |= sodium_is_zero(out->y_i[i], 32);
    }
    slu_dkg_name(out, dkg, dealers);
    return identity ? SLU_ERR_MALFORMED : SLU_OK;
}

void slu_dkg_share(uint8_t x_i32[32], const struct slu_dkg *dkg, uint64_t dealers,
                   const uint8_t (*shares32)[32])
{
    uint8_t inverse[32];
    memset(x_i32, 0, 32);
    for (uint16_t j = 0; j < dkg->n; j++)
        if (dealers >> j & 1)
            crypto_core_ristretto255_scalar_add(x_i32, x_i32, shares32[j]);
    slu_share_divisor_inverse(inverse, dkg->n);
    crypto_core_ristretto255_scalar_mul(x_i32, x_i32, inverse);
}
