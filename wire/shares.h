/* SHARES: a node's decryption shares of a run of ciphertexts that are due at a height, with one proof
 * for all and a signature (docs/PROTOCOL.md clause 7.8, docs/CRYPTO.md clause 5).
 *
 *     node u16 | generation u64 | height u64 | block 32 | key_id 32 | Y_i 32 | list 32 |
 *     first u32 | count u16 | count x D 32 | proof 48 | signature 64
 *
 * The signature is over everything before it, so that it can be checked by who does not know the height
 * yet. Whether block, list and Y_i are right, and the D's elements, only who delivered it can tell. */
#ifndef SLU_WIRE_SHARES_H
#define SLU_WIRE_SHARES_H

#include "base/bytes.h"
#include "crypto/share.h"
#include "wire/genesis.h"

struct slu_signed_shares {
    uint16_t node;
    uint64_t generation; /* of the committee: 0 */
    uint64_t height;     /* where they are due */
    uint8_t block[32];   /* its digest */
    uint8_t key_id[32];
    uint8_t y_i[32];
    uint8_t list[32]; /* docs/CRYPTO.md clause 5.2 */
    uint32_t first;   /* among all that is due at the height */
    uint16_t count;   /* 1 .. SLU_SHARES_MAX */
    uint8_t d[SLU_SHARES_MAX][32];
    uint8_t proof[SLU_PROOF_BYTES];
    uint8_t signature[64];
    uint8_t digest[32]; /* derived: what is signed */
};

#define SLU_SHARES_HEAD_BYTES (2u + 8u + 8u + 32u * 4u + 4u + 2u)
#define SLU_SHARES_BYTES_MAX                                                                       \
    (SLU_SHARES_HEAD_BYTES + 32u * SLU_SHARES_MAX + SLU_PROOF_BYTES + 64u)

/** list = H("share-list"; H("share-ids"; ids), R's). `ids32` and `r32` are `count` each. */
void slu_shares_ids(uint8_t ids_hash32[32], const struct slu_genesis *g, const uint8_t (*ids32)[32],
                    size_t count);
void slu_shares_list(uint8_t list32[32], const struct slu_genesis *g, const uint8_t ids_hash32[32],
                     const uint8_t (*r32)[32], size_t count);

/** What crypto/share.h proves and checks of it; `r32` and `r` are its list's R, encoded and decoded. All
 * must outlive the result. */
struct slu_share_chunk slu_signed_shares_chunk(const struct slu_signed_shares *shares,
                                               const struct slu_seal_key *key,
                                               const uint8_t (*r32)[32], const struct slu_point *r);
/** Sets `digest`. */
void slu_signed_shares_digest(struct slu_signed_shares *shares, const struct slu_genesis *g);
void slu_signed_shares_write(struct slu_writer *w, const struct slu_signed_shares *shares);
SLU_MUST_USE int slu_signed_shares_read(struct slu_reader *r, const struct slu_genesis *g,
                                 struct slu_signed_shares *shares);

#endif
