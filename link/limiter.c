#include "link/limiter.h"

#include <string.h>

void slu_limiter_init(struct slu_limiter *limiter, uint32_t burst, uint32_t per_minute,
                      uint64_t salt)
{
    memset(limiter, 0, sizeof *limiter);
    limiter->burst = burst > 1000000u ? 1000000u : burst;
    limiter->per_minute = per_minute;
    limiter->salt = salt;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

static uint32_t first_slot(const struct slu_limiter *limiter, const uint8_t *key)
{
    uint64_t h = limiter->salt;
    for (uint32_t i = 0; i < SLU_LIMITER_KEY_BYTES; i++)
        h = mix(h ^ key[i]);
    return (uint32_t)(h % (SLU_LIMITER_SLOTS / SLU_LIMITER_WAYS)) * SLU_LIMITER_WAYS;
}

static struct slu_limiter_slot *find(struct slu_limiter *limiter, const uint8_t *key)
{
    uint32_t first = first_slot(limiter, key);
    for (uint32_t i = first; i < first + SLU_LIMITER_WAYS; i++) {
        struct slu_limiter_slot *slot = &limiter->slots[i];
        if (slot->used && memcmp(slot->key, key, SLU_LIMITER_KEY_BYTES) == 0)
            return slot;
    }
    return NULL;
}

static void refill(const struct slu_limiter *limiter, struct slu_limiter_slot *slot,
                   uint64_t now_ms)
{
    uint64_t full = (uint64_t)limiter->burst * 1000;
    uint64_t passed = now_ms - slot->refilled_ms;
    if (passed > 24u * 3600u * 1000u)
        passed = 24u * 3600u * 1000u;
    uint64_t gained = passed * limiter->per_minute / 60;
    if (gained == 0)
        return; /* keeps the fraction of time for later */
    uint64_t tokens = slot->milli_tokens + gained;
    slot->milli_tokens = (uint32_t)(tokens > full ? full : tokens);
    slot->refilled_ms = now_ms;
}

bool slu_limiter_allows(struct slu_limiter *limiter, const uint8_t key[SLU_LIMITER_KEY_BYTES],
                        uint64_t now_ms)
{
    if (limiter->per_minute == 0)
        return true;
    struct slu_limiter_slot *slot = find(limiter, key);
    if (slot == NULL)
        return true;
    refill(limiter, slot, now_ms);
    return slot->milli_tokens >= 1000;
}

static struct slu_limiter_slot *make(struct slu_limiter *limiter, const uint8_t *key,
                                     uint64_t now_ms)
{
    uint32_t first = first_slot(limiter, key);
    struct slu_limiter_slot *best = &limiter->slots[first];
    for (uint32_t i = first; i < first + SLU_LIMITER_WAYS; i++) {
        struct slu_limiter_slot *slot = &limiter->slots[i];
        if (slot->used)
            refill(limiter, slot, now_ms);
        if (!slot->used || (best->used && slot->milli_tokens > best->milli_tokens))
            best = slot;
    }
    memcpy(best->key, key, SLU_LIMITER_KEY_BYTES);
    best->used = true;
    best->milli_tokens = limiter->burst * 1000;
    best->refilled_ms = now_ms;
    return best;
}

void slu_limiter_charge(struct slu_limiter *limiter, const uint8_t key[SLU_LIMITER_KEY_BYTES],
                        uint64_t now_ms)
{
    if (limiter->per_minute == 0)
        return;
    struct slu_limiter_slot *slot = find(limiter, key);
    if (slot == NULL)
        slot = make(limiter, key, now_ms);
    refill(limiter, slot, now_ms);
    slot->milli_tokens = slot->milli_tokens >= 1000 ? slot->milli_tokens - 1000 : 0;
}
