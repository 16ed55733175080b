/* Clients that seal, and the book of what they sealed. */
#include "tests/sim/sealed.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/bundle.h"
#include "tests/sim/inbox.h"

/* All of an envelope but M. */
#define AROUND                                                                                     \
    (SLU_TX_HEAD_BYTES + SLU_SEAL_HEAD_BYTES + SLU_SEAL_PROVEN_BYTES + SLU_RHO_BYTES +             \
     SLU_SEAL_TAG_BYTES)

struct sealed *sealed_new(const struct sim *sim)
{
    struct sealed *sealed = sim_alloc(sizeof *sealed);
    sealed->rng = sim_rng_of(sim->plan.seed, 106);
    return sealed;
}

void sealed_free(struct sealed *sealed)
{
    for (uint32_t i = 0; sealed && i < sealed->count; i++) {
        free(sealed->items[i].payload);
        free(sealed->items[i].envelope);
    }
    if (sealed) {
        free(sealed->items);
        sim_table_free(&sealed->item_at);
    }
    free(sealed);
}

void sealed_key(struct sim *sim, const struct slu_keygen_status *status)
{
    struct sealed *book = sim->sealed;
    if (status->keys <= book->key_count)
        return;
    if (status->keys > book->key_count + 1 || book->key_count == SEALED_KEYS_MAX) {
        sim_violation(sim, 10, "%u keys came into force at once", status->keys - book->key_count);
        return;
    }
    struct sealed_key *key = &book->keys[book->key_count++];
    key->from_height = status->key_from_height;
    memcpy(key->key.chain_id, sim->genesis.chain_id, 32);
    memcpy(key->key.key_id, status->key_id, 32);
    memcpy(key->key.y, status->y, 32);
}

uint32_t sealed_key_number(const struct sim *sim, const uint8_t key_id32[32], uint64_t height)
{
    for (uint32_t i = 0; i < sim->sealed->key_count; i++)
        if (!memcmp(sim->sealed->keys[i].key.key_id, key_id32, 32) &&
            sim->sealed->keys[i].from_height <= height)
            return i;
    return SIM_NONE;
}

const struct sealed_item *sealed_find(const struct sim *sim, const uint8_t id32[32])
{
    uint32_t at = sim_table_get(&sim->sealed->item_at, id32);
    return at == SIM_NONE ? NULL : &sim->sealed->items[at];
}

/* ---- what a client wishes ---- */

/* An unlock around here: past, the next, near, far, at the horizon and behind it. */
static uint64_t draw_unlock(struct sim_rng *r, uint64_t now, uint64_t horizon, uint64_t step)
{
    switch (sim_rng_below(r, 9)) {
    case 0:
        return now > 5 * step ? now - sim_rng_below(r, 5 * step) : 1;
    case 1:
        return now + sim_rng_range(r, horizon / 32, horizon);
    case 3:
        return now + 2 * horizon + sim_rng_below(r, 5 * step);
    case 2:
        return now + horizon - step + sim_rng_below(r, 3 * step);
    default:
        return now + sim_rng_below(r, 12 * step);
    }
}

static uint32_t draw_payload(const struct sim *sim, struct sim_rng *r)
{
    uint32_t m_max = sim->genesis.params.tx_bytes_max - AROUND, len;
    do
        len = (uint32_t)sim_rng_below(r, m_max);
    while (slu_seal_bucket(len) > m_max);
    return len;
}

const struct sealed_item *sealed_draw(struct sim *sim, struct sim_rng *r, uint64_t height,
                                      uint64_t stream_ms, bool well)
{
    const struct slu_params *p = &sim->genesis.params;
    struct sealed *book = sim->sealed;
    if (book->key_count == 0 || p->tx_bytes_max < AROUND + slu_seal_bucket(0))
        return NULL;
    struct sealed_wish wish = {.key = book->key_count - 1};
    if (sim_rng_chance(r, 200))
        wish.key = (uint32_t)sim_rng_below(r, book->key_count);
    if (sim_rng_chance(r, 350))
        wish.kind = (enum sealed_kind)sim_rng_range(r, SEALED_TAG, SEALED_ROLLUP);
    if (sim_rng_chance(r, well ? 30 : 400))
        wish.kind = sim_rng_chance(r, 700) ? SEALED_UNPROVEN : SEALED_NO_KEY;
    uint64_t window = p->dedup_window_ms;
    wish.valid_until_ms = stream_ms + sim_rng_range(r, window / 2, window);
    if (sim_rng_chance(r, 60)) /* expired, or soon */
        wish.valid_until_ms = stream_ms - 20 + sim_rng_below(r, 300);
    else if (sim_rng_chance(r, 20))
        wish.valid_until_ms = stream_ms + 2 * window;
    wish.unlock_kind = (uint8_t)sim_rng_below(r, 3);
    if (wish.unlock_kind == SLU_UNLOCK_HEIGHT)
        wish.unlock = draw_unlock(r, height, p->unlock_horizon_ms / p->heartbeat_idle_ms, 1);
    else if (wish.unlock_kind == SLU_UNLOCK_TIME)
        wish.unlock = draw_unlock(r, stream_ms, p->unlock_horizon_ms, p->heartbeat_ms);
    wish.payload_len = draw_payload(sim, r);
    if (wish.kind == SEALED_GOOD && wish.payload_len >= SIM_BUNDLE_MIN &&
        sim_rng_chance(&sim->bundle_rng, sim->plan.bundle_permille))
        wish.kind = SEALED_BUNDLE;
    return sealed_make(sim, &wish);
}

/* ---- giving ---- */

void sealed_give(struct sim *sim, struct sim_node *node, const struct sealed_item *item, bool force)
{
    if (force) {
        forced_give(sim, node, item->envelope, item->bytes);
        return;
    }
    struct sim_item submission = {.kind = SIM_ITEM_SUBMIT,
                                  .number = ++sim->sealed->token | UINT64_C(3) << 61,
                                  .bytes_len = item->bytes,
                                  .count = 1};
    submission.bytes = sim_alloc(item->bytes);
    memcpy(submission.bytes, item->envelope, item->bytes);
    sim_note(sim, SIM_T_SUBMIT, node->instance, 0, 2, submission.number, item->id);
    sim_node_put(node, &submission);
}

void sealed_load(struct sim *sim, struct sim_node *node)
{
    struct sealed *book = sim->sealed;
    struct sim_rng *r = &book->rng;
    const struct slu_core_stats *stats = slu_core_stats(node->core);
    uint32_t burst = sim_rng_chance(r, 100) ? sim->plan.sealed_burst : 1;
    for (uint32_t i = 0; i < burst && book->made < sim->plan.sealed_max; i++) {
        const struct sealed_item *item =
            book->count && sim_rng_chance(r, 80)
                ? &book->items[sim_rng_below(r,
                                             book->count)] /* the same again, perhaps elsewhere */
                : sealed_draw(sim, r, stats->delivered_height,
                              stats->stream_time_ms ? stats->stream_time_ms
                                                    : sim->genesis.created_ms,
                              true);
        if (!item)
            return;
        book->made++;
        sim->result.counts[SIM_N_SEALED]++;
        sealed_give(sim, node, item, sim_rng_chance(r, sim->plan.sealed_forced_permille));
    }
}
