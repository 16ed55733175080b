#include "consensus/idset.h"

#include <sodium.h>
#include <string.h>

static uint32_t slot_count(uint32_t cap)
{
    uint32_t slots = 16;
    while (slots < cap + cap / 2)
        slots *= 2;
    return slots;
}

size_t slu_idset_bytes(uint32_t cap)
{
    return (size_t)cap * sizeof(struct slu_idset_entry) +
           (size_t)slot_count(cap) * sizeof(uint32_t) + 64;
}

void slu_idset_init(struct slu_idset *set, struct slu_arena *arena, uint32_t cap, uint64_t seed)
{
    uint32_t slots = slot_count(cap);
    *set = (struct slu_idset){.cap = cap, .slot_mask = slots - 1};
    set->ring = slu_arena_take(arena, (size_t)cap * sizeof *set->ring);
    set->slots = slu_arena_take(arena, (size_t)slots * sizeof *set->slots);
    SLU_CHECK(set->ring && set->slots);
    for (size_t i = 0; i < sizeof set->key; i++)
        set->key[i] = (uint8_t)(seed >> (8 * (i % 8))) ^ (uint8_t)(i * 0x9d);
}

static uint32_t home_of(const struct slu_idset *set, const uint8_t *id)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, id, SLU_IDSET_KEY_BYTES, set->key);
    uint32_t home;
    memcpy(&home, hash, sizeof home);
    return home & set->slot_mask;
}

/* The slot that holds the id, or the empty slot where it would go. */
static uint32_t slot_of(const struct slu_idset *set, const uint8_t *id)
{
    uint32_t slot = home_of(set, id);
    while (set->slots[slot] &&
           memcmp(set->ring[set->slots[slot] - 1].id, id, SLU_IDSET_KEY_BYTES) != 0)
        slot = (slot + 1) & set->slot_mask;
    return slot;
}

struct slu_idset_entry *slu_idset_find(const struct slu_idset *set, const uint8_t id32[32])
{
    uint32_t place = set->slots[slot_of(set, id32)];
    return place ? &set->ring[place - 1] : NULL;
}

bool slu_idset_add(struct slu_idset *set, const uint8_t id32[32], uint64_t a, uint32_t b,
                   uint32_t c)
{
    if (set->count == set->cap)
        return false;
    uint32_t slot = slot_of(set, id32);
    SLU_CHECK(set->slots[slot] == 0);
    uint32_t place = (uint32_t)(((uint64_t)set->head + set->count) % set->cap);
    struct slu_idset_entry *entry = &set->ring[place];
    memcpy(entry->id, id32, SLU_IDSET_KEY_BYTES);
    entry->a = a;
    entry->b = b;
    entry->c = c;
    set->slots[slot] = place + 1;
    set->count++;
    return true;
}

const struct slu_idset_entry *slu_idset_oldest(const struct slu_idset *set)
{
    return set->count ? &set->ring[set->head] : NULL;
}

void slu_idset_pop(struct slu_idset *set)
{
    SLU_CHECK(set->count > 0);
    uint32_t hole = slot_of(set, set->ring[set->head].id);
    set->slots[hole] = 0;
    /* Close the gap: move back whatever could no longer be reached across it. */
    for (uint32_t at = (hole + 1) & set->slot_mask; set->slots[at];
         at = (at + 1) & set->slot_mask) {
        uint32_t home = home_of(set, set->ring[set->slots[at] - 1].id);
        if (((at - home) & set->slot_mask) >= ((at - hole) & set->slot_mask)) {
            set->slots[hole] = set->slots[at];
            set->slots[at] = 0;
            hole = at;
        }
    }
    set->head = set->head + 1 == set->cap ? 0 : set->head + 1;
    set->count--;
}
