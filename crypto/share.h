/* Decryption shares of a block's due ciphertexts, and their batched proofs (docs/CRYPTO.md clause
 * 5).
 *
 *     D_j = x_i R_j for each ciphertext            one proof per chunk of up to
 * SLU_SHARE_CHUNK_MAX: weights w_j = hash of everything              R* = sum w_j R_j, D* = sum w_j
 * D_j the same logarithm in (G, Y_i) and (R*, D*)
 *
 * A proof is 48 bytes and costs two sums of multiples. By the optimistic rule (docs/CRYPTO.md
 * clause 6.3) it is checked only when something does not open. Any thread; one per workspace. */
#ifndef SLU_CRYPTO_SHARE_H
#define SLU_CRYPTO_SHARE_H

#include "crypto/msm.h"
#include "crypto/proof.h"
#include "crypto/seal.h"

/** What a chunk of shares is for (docs/CRYPTO.md clause 5.2). Pointers to 32 bytes each. */
struct slu_share_chunk {
    const struct slu_seal_key *key;
    uint64_t generation;
    uint64_t height;
    const uint8_t *block32;
    const uint8_t *ids32;      /* the digest of the ordered ciphertext ids of the whole block */
    uint32_t first;            /* place of its first ciphertext in the block */
    uint32_t count;            /* 1 .. SLU_SHARE_CHUNK_MAX */
    const uint8_t (*r32)[32];  /* the R_j, valid ones */
    const struct slu_point *r; /* decoded */
    uint16_t node;
    const uint8_t *y_i32; /* the node's Y_i */
};

struct slu_share_work;
/** Scratch for proofs of chunks of up to `chunk_max`, in memory of slu_share_work_bytes that the caller
 * owns (16-byte aligned). */
struct slu_share_work *slu_share_work_init(void *memory, uint32_t chunk_max);
size_t slu_share_work_bytes(uint32_t chunk_max);
/** Enough for SLU_SHARES_MAX, for callers that have it on their stack. */
#define SLU_SHARE_WORK_SMALL_BYTES (14u * 1024u)
/** The same in fresh memory for SLU_SHARE_CHUNK_MAX, 0.2 MB. NULL when memory is refused. */
struct slu_share_work *slu_share_work_new(void);
void slu_share_work_free(struct slu_share_work *work);

/** D_j = x_i R_j for `count` elements, in constant time in `x_i32`. */
void slu_shares_compute(uint8_t (*d32)[32], const uint8_t x_i32[32], const uint8_t (*r32)[32],
                        size_t count);
/** Decodes shares by docs/CRYPTO.md clause 2.1. False when one is no element: the chunk is not well
 * formed. */
bool slu_shares_read(struct slu_point *d, const uint8_t (*d32)[32], size_t count);

/** The chunk's proof for own shares. */
void slu_chunk_prove(struct slu_share_work *work, uint8_t proof48[SLU_PROOF_BYTES],
                     const struct slu_share_chunk *chunk, const uint8_t (*d32)[32],
                     const uint8_t x_i32[32]);
/** docs/CRYPTO.md clause 5.3: whether all shares of the chunk are x_i R_j. `d` as slu_shares_read
 * gave them. A count out of range of `work`: false. */
bool slu_chunk_good(struct slu_share_work *work, const struct slu_share_chunk *chunk,
                    const uint8_t (*d32)[32], const struct slu_point *d,
                    const uint8_t proof48[SLU_PROOF_BYTES]);

#endif
