/* The digests of many short inputs of one role: ids and leaves by the thousand at every height.
 * Four go through BLAKE2b side by side in the lanes of vector registers where the machine has them
 * (crypto/lanes.h), which takes a third of the time; else one after another. Public data only; any
 * thread; no allocation. */
#ifndef SLU_CRYPTO_HASH_MANY_H
#define SLU_CRYPTO_HASH_MANY_H

#include <stddef.h>
#include <stdint.h>

struct slu_hash_input {
    const uint8_t *bytes;
    size_t len;
};

/** digests32[i] = slu_hash_of(role, chain_id32, inputs[i]). Inputs may differ in length; four
 * neighbours cost what the longest does. Digest i may be written over inputs 0 .. i. */
void slu_hash_many(uint8_t (*digests32)[32], const char *role, const uint8_t chain_id32[32],
                   const struct slu_hash_input *inputs, size_t count);

#endif
