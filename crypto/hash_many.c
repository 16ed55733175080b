#include "crypto/hash_many.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/lanes.h"

#define FLAT_MAX 128u /* up to here copying is cheaper than streaming */

#if defined(__x86_64__)
#include "crypto/field_lanes.h"

#define BLOCK_BYTES 128u
#define ROUNDS      12u

static const uint64_t iv[8] = {UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b),
                               UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1),
                               UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
                               UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)};

/* RFC 7693 section 2.7; rounds 10 and 11 are 0 and 1 again. */
static const uint8_t sigma[10][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                      {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                      {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                      {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                      {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                      {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                      {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                      {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                      {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                      {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

/* Four hashes under way: word i of all of them is in h[i]. */
struct four {
    __m256i h[8];
    __m256i active;       /* all ones in the lanes of hashes that have a block left */
    uint64_t hashed[4];   /* bytes, the block at hand included */
    uint64_t is_last[4];  /* all ones: the block at hand is the last one */
    const uint8_t *at[4]; /* the block at hand */
};

SLU_AVX2_INLINE __m256i words(const uint64_t from[4])
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

/* Words 4i .. 4i + 3 of each lane's block become four vectors of one word of all lanes. */
SLU_AVX2_INLINE void load_words(__m256i out[4], uint8_t const *const at[4], unsigned i)
{
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(at[0] + 32 * i));
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(at[1] + 32 * i));
    __m256i c = _mm256_loadu_si256((const __m256i *)(const void *)(at[2] + 32 * i));
    __m256i d = _mm256_loadu_si256((const __m256i *)(const void *)(at[3] + 32 * i));
    __m256i ab02 = _mm256_unpacklo_epi64(a, b), ab13 = _mm256_unpackhi_epi64(a, b);
    __m256i cd02 = _mm256_unpacklo_epi64(c, d), cd13 = _mm256_unpackhi_epi64(c, d);
    out[0] = _mm256_permute2x128_si256(ab02, cd02, 0x20);
    out[1] = _mm256_permute2x128_si256(ab13, cd13, 0x20);
    out[2] = _mm256_permute2x128_si256(ab02, cd02, 0x31);
    out[3] = _mm256_permute2x128_si256(ab13, cd13, 0x31);
}

SLU_AVX2_INLINE __m256i right_24(__m256i x)
{
    const __m256i bytes = _mm256_setr_epi8(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, 3,
                                           4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10);
    return _mm256_shuffle_epi8(x, bytes);
}

SLU_AVX2_INLINE __m256i right_16(__m256i x)
{
    const __m256i bytes = _mm256_setr_epi8(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, 2,
                                           3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9);
    return _mm256_shuffle_epi8(x, bytes);
}

SLU_AVX2_INLINE void mix(__m256i v[16], int a, int b, int c, int d, __m256i x, __m256i y)
{
    v[a] = _mm256_add_epi64(_mm256_add_epi64(v[a], v[b]), x);
    v[d] = _mm256_shuffle_epi32(_mm256_xor_si256(v[d], v[a]), 0xb1);
    v[c] = _mm256_add_epi64(v[c], v[d]);
    v[b] = right_24(_mm256_xor_si256(v[b], v[c]));
    v[a] = _mm256_add_epi64(_mm256_add_epi64(v[a], v[b]), y);
    v[d] = right_16(_mm256_xor_si256(v[d], v[a]));
    v[c] = _mm256_add_epi64(v[c], v[d]);
    __m256i t = _mm256_xor_si256(v[b], v[c]);
    v[b] = _mm256_or_si256(_mm256_add_epi64(t, t), _mm256_srli_epi64(t, 63));
}

static SLU_AVX2 void compress(struct four *f)
{
    __m256i m[16], v[16];
    for (unsigned i = 0; i < 4; i++)
        load_words(m + 4 * i, f->at, i);
    for (unsigned i = 0; i < 8; i++) {
        v[i] = f->h[i];
        v[i + 8] = _mm256_set1_epi64x((long long)iv[i]);
    }
    v[12] = _mm256_xor_si256(v[12], words(f->hashed));
    v[14] = _mm256_xor_si256(v[14], words(f->is_last));
    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint8_t *s = sigma[round % 10];
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (unsigned i = 0; i < 8; i++) {
        __m256i next = _mm256_xor_si256(f->h[i], _mm256_xor_si256(v[i], v[i + 8]));
        f->h[i] = _mm256_blendv_epi8(f->h[i], next, f->active);
    }
}

/* Block `index` of prefix and input together: in place where the input has all of it. */
static const uint8_t *block_of(uint8_t room[BLOCK_BYTES], const uint8_t *prefix, size_t prefix_len,
                               const struct slu_hash_input *input, size_t index)
{
    size_t from = index * BLOCK_BYTES, len = prefix_len + input->len, head = 0;
    if (index > 0 && len - from >= BLOCK_BYTES)
        return input->bytes + (from - prefix_len);
    if (index == 0) {
        memcpy(room, prefix, prefix_len);
        head = prefix_len;
    }
    size_t rest = len - from - head;
    if (rest > BLOCK_BYTES - head)
        rest = BLOCK_BYTES - head;
    if (rest > 0)
        memcpy(room + head, input->bytes + (from + head - prefix_len), rest);
    memset(room + head + rest, 0, BLOCK_BYTES - head - rest);
    return room;
}

static SLU_AVX2 void hash_four(uint8_t (*digests32)[32], const uint8_t *prefix, size_t prefix_len,
                               const struct slu_hash_input inputs[4])
{
    static const uint8_t nothing[BLOCK_BYTES];
    uint8_t room[4][BLOCK_BYTES];
    struct four f;
    for (unsigned i = 0; i < 8; i++)
        f.h[i] = _mm256_set1_epi64x((long long)iv[i]);
    /* 32 bytes of digest, no key, fanout and depth 1 */
    f.h[0] = _mm256_xor_si256(f.h[0], _mm256_set1_epi64x(0x01010020));
    for (size_t index = 0, left = 4; left > 0; index++) {
        uint64_t active[4];
        for (unsigned lane = 0; lane < 4; lane++) {
            size_t from = index * BLOCK_BYTES, len = prefix_len + inputs[lane].len;
            bool has = len > from, last = has && len - from <= BLOCK_BYTES;
            f.at[lane] =
                has ? block_of(room[lane], prefix, prefix_len, &inputs[lane], index) : nothing;
            f.hashed[lane] = last ? len : from + BLOCK_BYTES;
            f.is_last[lane] = last ? UINT64_MAX : 0;
            active[lane] = has ? UINT64_MAX : 0;
            left -= last;
        }
        f.active = words(active);
        compress(&f);
    }
    uint64_t out[4][4];
    for (unsigned i = 0; i < 4; i++)
        _mm256_storeu_si256((__m256i *)(void *)out[i], f.h[i]);
    for (unsigned lane = 0; lane < 4; lane++)
        for (unsigned i = 0; i < 4; i++)
            memcpy(digests32[lane] + 8 * i, &out[i][lane], 8);
}

#else

static void hash_four(uint8_t (*digests32)[32], const uint8_t *prefix, size_t prefix_len,
                      const struct slu_hash_input inputs[4])
{
    (void)digests32, (void)prefix, (void)prefix_len, (void)inputs;
}

#endif

static void hash_one(uint8_t digest32[32], const uint8_t *prefix, size_t prefix_len,
                     const struct slu_hash_input *input)
{
    uint8_t bytes[SLU_HASH_PREFIX_MAX + FLAT_MAX];
    if (input->len <= FLAT_MAX) {
        memcpy(bytes, prefix, prefix_len);
        if (input->len > 0)
            memcpy(bytes + prefix_len, input->bytes, input->len);
        slu_hash_flat(digest32, bytes, prefix_len + input->len);
        return;
    }
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, 32);
    crypto_generichash_update(&state, prefix, prefix_len);
    crypto_generichash_update(&state, input->bytes, input->len);
    crypto_generichash_final(&state, digest32, 32);
}

void slu_hash_many(uint8_t (*digests32)[32], const char *role, const uint8_t chain_id32[32],
                   const struct slu_hash_input *inputs, size_t count)
{
    uint8_t prefix[SLU_HASH_PREFIX_MAX];
    size_t prefix_len = slu_hash_prefix(prefix, role, chain_id32), done = 0;
    while (slu_lanes_on() && count - done >= 2) {
        size_t some = count - done < SLU_LANES ? count - done : SLU_LANES;
        struct slu_hash_input four[SLU_LANES];
        uint8_t out[SLU_LANES][32];
        for (size_t i = 0; i < SLU_LANES; i++)
            four[i] = inputs[done + (i < some ? i : 0)];
        hash_four(out, prefix, prefix_len, four);
        memcpy(digests32[done], out, some * 32);
        done += some;
    }
    for (; done < count; done++)
        hash_one(digests32[done], prefix, prefix_len, &inputs[done]);
}
