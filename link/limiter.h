/* Token buckets of failed handshakes, one per remote address, in a table of fixed size.
 *
 * A failure takes a token; an address without one is refused until some are refilled. When the few
 * slots that an address may lie in are all taken, the fullest bucket (the best behaved address) is
 * forgotten. Not thread safe: the group's lock covers it. */
#ifndef SLU_LINK_LIMITER_H
#define SLU_LINK_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#define SLU_LIMITER_SLOTS     1024u
#define SLU_LIMITER_WAYS      4u
#define SLU_LIMITER_KEY_BYTES 16u

struct slu_limiter_slot {
    uint8_t key[SLU_LIMITER_KEY_BYTES];
    uint64_t refilled_ms;
    uint32_t milli_tokens;
    bool used;
};

struct slu_limiter {
    uint32_t burst;
    uint32_t per_minute; /* 0: never refuses */
    uint64_t salt;       /* so that nobody can aim addresses at one slot */
    struct slu_limiter_slot slots[SLU_LIMITER_SLOTS];
};

void slu_limiter_init(struct slu_limiter *limiter, uint32_t burst, uint32_t per_minute,
                      uint64_t salt);
/** Whether the address `key` still has a token. */
bool slu_limiter_allows(struct slu_limiter *limiter, const uint8_t key[SLU_LIMITER_KEY_BYTES],
                        uint64_t now_ms);
/** Takes a token for one failure. */
void slu_limiter_charge(struct slu_limiter *limiter, const uint8_t key[SLU_LIMITER_KEY_BYTES],
                        uint64_t now_ms);

#endif
