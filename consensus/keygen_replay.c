#include "consensus/keygen_replay.h"

#include <string.h>

#include "consensus/keygen.h"
#include "consensus/state.h"

#define RECORD_BYTES_MAX (4u * 1024u * 1024u) /* what the end of a height writes: twice all dealings */

/* The station steps inside a core that has nothing else; what it would persist is thrown away. */
struct slu_key_replay {
    struct slu_core core;
    struct slu_effects effects;
};

size_t slu_key_replay_bytes(const struct slu_genesis *g)
{
    return sizeof(struct slu_key_replay) + RECORD_BYTES_MAX + slu_keygen_bytes(g) + 64u;
}

struct slu_key_replay *slu_key_replay_init(void *memory, const struct slu_genesis *g)
{
    struct slu_arena arena = slu_arena_of(memory, slu_key_replay_bytes(g));
    struct slu_key_replay *replay = slu_arena_take(&arena, sizeof *replay);
    void *bytes = slu_arena_take(&arena, RECORD_BYTES_MAX);
    SLU_CHECK(replay && bytes);
    replay->effects.bytes = slu_arena_of(bytes, RECORD_BYTES_MAX);
    slu_effects_reset(&replay->effects);
    struct slu_core *c = &replay->core;
    c->g = g;
    c->n = g->n;
    c->f = slu_genesis_f(g);
    c->q = slu_genesis_q(g);
    c->fx = &replay->effects;
    slu_keygen_init(c, &arena);
    return replay;
}

int slu_key_replay_load(struct slu_key_replay *replay, const struct slu_store *store)
{
    return slu_keygen_boot(&replay->core, store);
}

void slu_key_replay_deliver(struct slu_key_replay *replay, uint64_t height, const uint8_t *envelope,
                            size_t len)
{
    slu_keygen_deliver(&replay->core, height, envelope, len);
    slu_effects_reset(&replay->effects);
}

void slu_key_replay_height_done(struct slu_key_replay *replay, uint64_t height, uint64_t time_ms)
{
    slu_keygen_height_done(&replay->core, height, time_ms);
    slu_effects_reset(&replay->effects);
}

void slu_key_replay_digest(const struct slu_key_replay *replay, uint8_t digest32[32])
{
    slu_release_keys_digest(&replay->core, digest32);
}

int slu_key_replay_find(const struct slu_key_replay *replay, const uint8_t key_id32[32])
{
    return slu_keygen_find(&replay->core, key_id32);
}

bool slu_key_replay_counts(const struct slu_key_replay *replay, int number, uint64_t height,
                           uint64_t time_ms)
{
    return slu_keygen_counts(&replay->core, number, height, time_ms);
}

uint16_t slu_key_replay_count(const struct slu_key_replay *replay)
{
    return replay->core.keygen->key_count;
}

const struct slu_key_cert *slu_key_replay_cert(const struct slu_key_replay *replay, int number)
{
    return &replay->core.keygen->keys[number].cert;
}

const struct slu_opening_key *slu_key_replay_opening(const struct slu_key_replay *replay, int number)
{
    return replay->core.keygen->keys[number].opening;
}
