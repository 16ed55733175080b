/* What sealed transactions cost a node, per core: the ladder of docs/CRYPTO.md clause 8.3. For
 * every n it prints the microseconds per transaction of each step and the transactions per second
 * that a core does:
 *
 *     naive        libsodium; a proof per share, k - 1 of them checked for every ciphertext
 *     optimistic   libsodium; combine first, batched proofs only for what does not open
 *     ours         the same with our arithmetic, the block in batches
 *
 * A block has BLOCK ciphertexts, one of which is valid outside and does not open, so that its
 * proofs are checked. Counted: validity, own share and its proof, reading the shares of the other k
 * - 1, combining, opening, the proofs. Not counted: signatures, sockets, disk.
 *
 *     bench_sealed [--repeat N] [n ...] */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "crypto/lagrange.h"
#include "crypto/ristretto.h"
#include "crypto/sealed.h"
#include "crypto/share.h"

#define BLOCK         512u
#define BLOCK_NAIVE   32u
#define PAYLOAD_BYTES 100u
#define SEALED_BYTES  1024u
#define REPEATS_MAX   99

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

enum step { VALID, SHARE, PROVE, READ, COMBINE, VOID_PROOFS, STEPS };
static const char *const step_names[STEPS] = {"valid", "share", "prove", "read D", "open", "void"};

/* ---- the committee and the block ---- */

static struct {
    uint16_t n, k;
    uint16_t nodes[SLU_NODES_MAX]; /* the quorum: node 0, which is us, and the last k - 1 */
    struct slu_seal_key key;
    struct slu_opening_key *opening;
    struct slu_coefficients coefficients;
    uint8_t lambda[SLU_NODES_MAX][32]; /* signed coefficients as scalars, for libsodium */
    uint8_t x[SLU_NODES_MAX][32], y_i[SLU_NODES_MAX][32];
} committee;

static struct {
    uint8_t body[BLOCK][SEALED_BYTES];
    size_t len;
    uint8_t r32[BLOCK][32];
    struct slu_point r[BLOCK];
    struct slu_sealed view[BLOCK];
    struct slu_sealed_checked checked[BLOCK];
    uint8_t d32[SLU_NODES_MAX][BLOCK][32]; /* by place in the quorum */
    struct slu_point d[SLU_NODES_MAX][BLOCK];
    struct slu_share_chunk chunk[SLU_NODES_MAX];
    uint8_t proof[SLU_NODES_MAX][SLU_PROOF_BYTES];
} block;

static struct slu_share_work *work;

static void make_committee(uint16_t n)
{
    uint8_t polynomial[SLU_NODES_MAX][32], inverse[32], sid[32] = {1};
    committee.n = n;
    committee.k = (uint16_t)(n - (n - 1) / 3);
    for (uint16_t m = 0; m < committee.k; m++)
        crypto_core_ristretto255_scalar_random(polynomial[m]);
    slu_share_divisor_inverse(inverse, n);
    for (uint16_t i = 0; i < n; i++) {
        uint8_t at[32], value[32] = {0};
        slu_scalar_of(at, i + UINT64_C(1));
        for (uint16_t m = committee.k; m-- > 0;) {
            crypto_core_ristretto255_scalar_mul(value, value, at);
            crypto_core_ristretto255_scalar_add(value, value, polynomial[m]);
        }
        crypto_core_ristretto255_scalar_mul(committee.x[i], value, inverse);
        SLU_CHECK(!crypto_scalarmult_ristretto255_base(committee.y_i[i], committee.x[i]));
    }
    SLU_CHECK(!crypto_scalarmult_ristretto255_base(committee.key.y, polynomial[0]));
    slu_seal_key_id(committee.key.key_id, committee.key.chain_id, committee.key.y, sid);
    committee.opening = slu_opening_key_new(&committee.key);
    SLU_CHECK(committee.opening);
    for (uint16_t i = 0; i < committee.k; i++)
        committee.nodes[i] = i ? (uint16_t)(n - committee.k + i) : 0;
    SLU_CHECK(
        !slu_coefficients_of(&committee.coefficients, committee.nodes, committee.k, committee.n));
    for (uint16_t i = 0; i < committee.k; i++) {
        crypto_core_ristretto255_scalar_mul(committee.lambda[i], committee.coefficients.scalar[i],
                                            committee.coefficients.common[0]);
        if (committee.coefficients.negative[i])
            crypto_core_ristretto255_scalar_negate(committee.lambda[i], committee.lambda[i]);
    }
}

/* Makes ciphertext 0 void: c of another plain text under the same valid proof is what a client that
 * follows no rule can do; it seals noise as if it were c. */
static void make_void(void)
{
    struct slu_sealed sealed;
    uint8_t *proven = block.body[0] + SLU_SEAL_HEAD_BYTES;
    uint8_t r[32], s[32], bar[32], w[32], w_bar[32], e[32], z[32], lh[32];
    SLU_CHECK(!slu_sealed_read(&sealed, block.body[0], block.len, 1));
    slu_label_hash(lh, &committee.key, &sealed.label);
    slu_seal_second_generator(bar);
    crypto_core_ristretto255_scalar_random(r);
    crypto_core_ristretto255_scalar_random(s);
    SLU_CHECK(!crypto_scalarmult_ristretto255_base(proven, r) &&
              !crypto_scalarmult_ristretto255(proven + 32, r, bar) &&
              !crypto_scalarmult_ristretto255_base(w, s) &&
              !crypto_scalarmult_ristretto255(w_bar, s, bar));
    slu_seal_challenge(e, &committee.key, lh, sealed.c, sealed.c_len, proven, proven + 32, w,
                       w_bar);
    crypto_core_ristretto255_scalar_mul(z, e, r);
    crypto_core_ristretto255_scalar_add(z, z, s);
    memcpy(proven + 64, e, SLU_CHALLENGE_BYTES);
    memcpy(proven + 80, z, 32);
}

static void make_block(void)
{
    static const uint8_t digest[32] = {7};
    for (uint32_t j = 0; j < BLOCK; j++) {
        uint8_t payload[PAYLOAD_BYTES], seed[64];
        randombytes_buf(payload, sizeof payload);
        randombytes_buf(seed, sizeof seed);
        SLU_CHECK(!slu_seal(block.body[j], sizeof block.body[j], &block.len, &committee.key,
                            SLU_UNLOCK_NONE, 0, 1, 5, payload, sizeof payload, seed));
    }
    make_void();
    for (uint32_t j = 0; j < BLOCK; j++) {
        SLU_CHECK(!slu_sealed_read(&block.view[j], block.body[j], block.len, 1));
        SLU_CHECK(slu_sealed_valid(committee.opening, &block.checked[j], &block.view[j]));
        memcpy(block.r32[j], block.view[j].r32, 32);
        block.r[j] = block.checked[j].r;
    }
    for (uint16_t i = 0; i < committee.k; i++) {
        uint16_t node = committee.nodes[i];
        slu_shares_compute(block.d32[i], committee.x[node], (const uint8_t(*)[32])block.r32, BLOCK);
        block.chunk[i] = (struct slu_share_chunk){.key = &committee.key,
                                            .block32 = digest,
                                            .ids32 = digest,
                                            .count = BLOCK,
                                            .r32 = (const uint8_t(*)[32])block.r32,
                                            .r = block.r,
                                            .node = node,
                                            .y_i32 = committee.y_i[node]};
        slu_chunk_prove(work, block.proof[i], &block.chunk[i], (const uint8_t(*)[32])block.d32[i],
                        committee.x[node]);
    }
}

/* ---- our arithmetic ---- */

static uint32_t open_block(bool good)
{
    static uint8_t plain[BLOCK][SEALED_BYTES];
    static struct slu_point s[BLOCK];
    static struct slu_sealed_opening openings[BLOCK];
    const struct slu_point *shares[SLU_NODES_MAX];
    uint32_t opened = 0;
    for (uint16_t i = 0; i < committee.k; i++)
        shares[i] = block.d[i];
    slu_combine_many(s, &committee.coefficients, shares, BLOCK);
    for (uint32_t j = 0; j < BLOCK; j++)
        openings[j] = (struct slu_sealed_opening){
            .sealed = &block.view[j], .checked = &block.checked[j], .s = &s[j], .plain = plain[j]};
    slu_sealed_open_many(committee.opening, openings, BLOCK);
    for (uint32_t j = 0; j < BLOCK; j++) {
        SLU_CHECK(slu_open_settled(openings[j].result, good) == (j != 0));
        opened += openings[j].result == SLU_OPENED;
    }
    return opened;
}

static void run_ours(double us[STEPS])
{
    double at = now_us();
    bool ok[BLOCK];
    for (uint32_t j = 0; j < BLOCK; j++)
        SLU_CHECK(!slu_sealed_read(&block.view[j], block.body[j], block.len, 1));
    slu_sealed_valid_many(committee.opening, ok, block.checked, block.view, BLOCK);
    for (uint32_t j = 0; j < BLOCK; j++)
        SLU_CHECK(ok[j]);
    us[VALID] = now_us() - at;
    at = now_us();
    slu_shares_compute(block.d32[0], committee.x[0], (const uint8_t(*)[32])block.r32, BLOCK);
    us[SHARE] = now_us() - at;
    at = now_us();
    slu_chunk_prove(work, block.proof[0], &block.chunk[0], (const uint8_t(*)[32])block.d32[0],
                    committee.x[0]);
    us[PROVE] = now_us() - at;
    at = now_us();
    for (uint16_t i = 0; i < committee.k; i++)
        SLU_CHECK(slu_shares_read(block.d[i], (const uint8_t(*)[32])block.d32[i], BLOCK));
    us[READ] = now_us() - at;
    at = now_us();
    SLU_CHECK(open_block(false) == BLOCK - 1);
    us[COMBINE] = now_us() - at;
    at = now_us();
    for (uint16_t i = 1; i < committee.k; i++)
        SLU_CHECK(slu_chunk_good(work, &block.chunk[i], (const uint8_t(*)[32])block.d32[i],
                                 block.d[i], block.proof[i]));
    us[VOID_PROOFS] = now_us() - at;
    for (int step = 0; step < STEPS; step++)
        us[step] /= BLOCK;
}

/* ---- libsodium alone ---- */

static void multiply(uint8_t out32[32], const uint8_t scalar32[32], const uint8_t element32[32])
{
    SLU_CHECK(!crypto_scalarmult_ristretto255(out32, scalar32, element32));
}

/* z base - e image; NULL: the generator. */
static void sodium_commitment(uint8_t w32[32], const uint8_t z32[32], const uint8_t *base32,
                              const uint8_t e32[32], const uint8_t image32[32])
{
    uint8_t term[32];
    if (base32)
        multiply(w32, z32, base32);
    else
        SLU_CHECK(!crypto_scalarmult_ristretto255_base(w32, z32));
    multiply(term, e32, image32);
    SLU_CHECK(!crypto_core_ristretto255_sub(w32, w32, term));
}

static void sodium_valid(uint32_t j)
{
    const struct slu_sealed *v = &block.view[j];
    uint8_t bar[32], e[32] = {0}, again[32], w[32], w_bar[32], lh[32];
    slu_seal_second_generator(bar);
    memcpy(e, v->e16, SLU_CHALLENGE_BYTES);
    slu_label_hash(lh, &committee.key, &v->label);
    sodium_commitment(w, v->z32, NULL, e, v->r32);
    sodium_commitment(w_bar, v->z32, bar, e, v->r_bar32);
    slu_seal_challenge(again, &committee.key, lh, v->c, v->c_len, v->r32, v->r_bar32, w, w_bar);
    SLU_CHECK(!memcmp(e, again, 32));
}

/* Combine and open; true when it opens. */
static bool sodium_open(uint32_t j)
{
    static uint8_t plain[SLU_SEALED_PLAIN_MAX];
    static const uint8_t nonce[24];
    const struct slu_sealed *v = &block.view[j];
    uint8_t s[32] = {0}, term[32], k[32], r[32];
    for (uint16_t i = 0; i < committee.k; i++) {
        multiply(term, committee.lambda[i], block.d32[i][j]);
        SLU_CHECK(!crypto_core_ristretto255_add(s, s, term));
    }
    slu_seal_body_key(k, &committee.key, s, v->r32, block.checked[j].lh);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, v->c, v->c_len,
                                                   block.checked[j].lh, 32, nonce, k))
        return false;
    slu_seal_scalar(r, &committee.key, block.checked[j].lh, plain, plain + 32, v->c_len - 48);
    SLU_CHECK(!crypto_scalarmult_ristretto255_base(term, r) && !memcmp(term, v->r32, 32));
    multiply(term, r, committee.key.y);
    return !memcmp(term, s, 32);
}

/* One proof per share as it is made and checked without batches: two commitments each. The
 * challenge is any: what counts is the time. */
static void sodium_prove_each(uint32_t j)
{
    uint8_t t[32], w[32];
    crypto_core_ristretto255_scalar_random(t);
    SLU_CHECK(!crypto_scalarmult_ristretto255_base(w, t));
    multiply(w, t, block.r32[j]);
}

static void sodium_check_each(uint16_t i, uint32_t j)
{
    uint8_t w[32];
    const uint8_t *z = committee.x[1], *e = block.view[j].e16;
    uint8_t challenge[32] = {0};
    memcpy(challenge, e, SLU_CHALLENGE_BYTES);
    sodium_commitment(w, z, NULL, challenge, committee.y_i[committee.nodes[i]]);
    sodium_commitment(w, z, block.r32[j], challenge, block.d32[i][j]);
}

/* A batched proof's two sums, term by term. */
static void sodium_check_batch(uint16_t i, uint32_t count)
{
    uint8_t sum[2][32] = {{0}}, weight[32] = {0}, term[32];
    for (uint32_t j = 0; j < count; j++) {
        memcpy(weight, block.view[j].e16, SLU_CHALLENGE_BYTES);
        multiply(term, weight, block.r32[j]);
        SLU_CHECK(!crypto_core_ristretto255_add(sum[0], sum[0], term));
        if (!i)
            continue; /* own proof: R* alone */
        multiply(term, weight, block.d32[i][j]);
        SLU_CHECK(!crypto_core_ristretto255_add(sum[1], sum[1], term));
    }
}

static void run_sodium(double us[STEPS], bool naive)
{
    double at = now_us();
    for (uint32_t j = 0; j < BLOCK_NAIVE; j++)
        sodium_valid(j);
    us[VALID] = now_us() - at;
    at = now_us();
    for (uint32_t j = 0; j < BLOCK_NAIVE; j++)
        multiply(block.d32[0][j], committee.x[0], block.r32[j]);
    us[SHARE] = now_us() - at;
    at = now_us();
    if (naive)
        for (uint32_t j = 0; j < BLOCK_NAIVE; j++)
            sodium_prove_each(j);
    else
        sodium_check_batch(0, BLOCK_NAIVE);
    us[PROVE] = now_us() - at;
    us[READ] = 0;
    at = now_us();
    uint32_t opened = 0;
    for (uint32_t j = 0; j < BLOCK_NAIVE; j++)
        opened += sodium_open(j);
    SLU_CHECK(opened == BLOCK_NAIVE - 1);
    us[COMBINE] = now_us() - at;
    at = now_us();
    for (uint16_t i = 1; i < committee.k; i++) {
        for (uint32_t j = 0; naive && j < BLOCK_NAIVE; j++)
            sodium_check_each(i, j);
        if (!naive)
            sodium_check_batch(i, BLOCK_NAIVE);
    }
    us[VOID_PROOFS] = now_us() - at;
    for (int step = 0; step < STEPS; step++)
        us[step] /= BLOCK_NAIVE;
}

/* ---- report ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *name, double us[REPEATS_MAX][STEPS], int repeats)
{
    double totals[REPEATS_MAX], steps[REPEATS_MAX];
    for (int r = 0; r < repeats; r++) {
        totals[r] = 0;
        for (int step = 0; step < STEPS; step++)
            totals[r] += us[r][step];
    }
    printf("  n %2u k %2u  %-10s", committee.n, committee.k, name);
    for (int step = 0; step < STEPS; step++) {
        for (int r = 0; r < repeats; r++)
            steps[r] = us[r][step];
        qsort(steps, (size_t)repeats, sizeof *steps, by_value);
        printf("  %s %.1f", step_names[step], steps[repeats / 2]);
    }
    qsort(totals, (size_t)repeats, sizeof *totals, by_value);
    printf("  = %.1f us (%.1f .. %.1f)  %.0f tx/s\n", totals[repeats / 2], totals[0],
           totals[repeats - 1], 1e6 / totals[repeats / 2]);
    fflush(stdout);
}

static void ladder(uint16_t n, int repeats)
{
    static double us[3][REPEATS_MAX][STEPS];
    make_committee(n);
    make_block();
    for (int r = 0; r < repeats; r++) { /* in turns, so that a slow moment meets all */
        run_ours(us[2][r]);
        run_sodium(us[1][r], false);
        run_sodium(us[0][r], true);
    }
    report("naive", us[0], repeats);
    report("optimistic", us[1], repeats);
    report("ours", us[2], repeats);
    slu_opening_key_free(committee.opening);
}

int main(int argc, char **argv)
{
    static const uint16_t sizes[] = {4, 7, 16, 31};
    int repeats = 5, at = 1;
    if (argc > 2 && !strcmp(argv[1], "--repeat")) {
        repeats = atoi(argv[2]);
        at = 3;
    }
    work = slu_share_work_new();
    if (sodium_init() < 0 || !work || repeats < 1 || repeats > REPEATS_MAX)
        return 2;
    printf("%u ciphertexts of %u bytes per block, one void; median of %d, us per transaction\n",
           BLOCK, PAYLOAD_BYTES, repeats);
    if (at < argc)
        for (; at < argc; at++) {
            int n = atoi(argv[at]);
            if (n < 2 || n > (int)SLU_NODES_MAX)
                return 2;
            ladder((uint16_t)n, repeats);
        }
    else
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            ladder(sizes[i], repeats);
    slu_share_work_free(work);
    return 0;
}
