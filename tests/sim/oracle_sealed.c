#include "tests/sim/oracle_sealed.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/bundle.h"
#include "wire/opening.h"

/* One that was ordered and is not due yet, or had no room. */
struct waiting {
    uint8_t id[32];
    uint64_t height, unlock;
    uint32_t index, bytes;
    uint32_t queue; /* 0 forced, 1 + lane with an unlock, 1 + n + lane without */
    uint8_t unlock_kind;
};

struct oracle_sealed {
    struct waiting *waiting; /* in the order in which they were ordered */
    uint32_t waiting_count, waiting_cap;
    struct oracle_due *dues; /* of the height under way */
    uint32_t due_count, due_cap;
    uint64_t height, time_ms;
    uint8_t block[32];
    uint64_t spent[1 + 2 * SIM_NODES_MAX]; /* of the height, by queue */
    uint64_t kept;                         /* for forced ones of the height */
    uint64_t liars;                        /* lanes with an invalid proof in the height */
    uint64_t last_due;                     /* height of the last that had any */
};

struct oracle_sealed *oracle_sealed_new(const struct slu_genesis *genesis)
{
    (void)genesis;
    return sim_alloc(sizeof(struct oracle_sealed));
}

void oracle_sealed_free(struct oracle_sealed *s)
{
    if (s) {
        free(s->waiting);
        free(s->dues);
    }
    free(s);
}

/* ---- the parts of clause 7.7 ---- */

static const struct slu_params *params(const struct oracle *oracle)
{
    return &oracle->sim->genesis.params;
}

static uint32_t queue_of(const struct oracle *oracle, uint16_t lane, uint8_t unlock_kind)
{
    return 1u + lane + (unlock_kind ? 0u : oracle->sim->plan.n);
}

static uint64_t due_part(const struct oracle *oracle, uint32_t queue)
{
    uint64_t quarter = params(oracle)->due_bytes_per_block / 4, n = oracle->sim->plan.n;
    return queue == 0 ? quarter : queue <= n ? quarter / n : quarter * 2 / n;
}

static uint64_t calendar_part(const struct oracle *oracle, uint32_t queue)
{
    uint64_t quarter = params(oracle)->calendar_bytes_max / 4, n = oracle->sim->plan.n;
    return queue == 0 ? quarter : queue <= n ? quarter * 2 / n : quarter / n;
}

static uint64_t cost_of(uint32_t bytes)
{
    return bytes > 1024 ? bytes : 1024;
}

static bool has_room(const struct oracle *oracle, uint32_t queue, uint32_t bytes, uint64_t kept,
                     bool far)
{
    const struct oracle_sealed *s = oracle->sealed;
    uint64_t used = kept + cost_of(bytes);
    for (uint32_t i = 0; i < s->waiting_count; i++)
        if (s->waiting[i].queue == queue)
            used += cost_of(s->waiting[i].bytes);
    return used <= calendar_part(oracle, queue) / (far ? 2 : 1);
}

/* Takes from the height's part of a queue; what comes first always fits. */
static bool spend(struct oracle *oracle, uint32_t queue, uint32_t bytes)
{
    uint64_t *spent = &oracle->sealed->spent[queue];
    if (*spent > 0 && *spent + bytes > due_part(oracle, queue))
        return false;
    *spent += bytes;
    return true;
}

static bool is_reached(const struct oracle_sealed *s, uint8_t kind, uint64_t unlock)
{
    return kind == 0 || (kind == 1 ? s->height : s->time_ms) >= unlock;
}

/* ---- a height ---- */

void oracle_sealed_begin(struct oracle *oracle, const struct slu_block *block)
{
    struct oracle_sealed *s = oracle->sealed;
    s->height = block->height;
    s->time_ms = block->time_ms;
    memcpy(s->block, block->digest, 32);
    memset(s->spent, 0, sizeof s->spent);
    s->kept = s->liars = 0;
    s->due_count = 0;
}

bool oracle_sealed_keeps(struct oracle *oracle, uint32_t bytes)
{
    if (!has_room(oracle, 0, bytes, oracle->sealed->kept, false))
        return false;
    oracle->sealed->kept += cost_of(bytes);
    return true;
}

static void add_due(struct oracle *oracle, const struct waiting *w, uint32_t index)
{
    struct oracle_sealed *s = oracle->sealed;
    s->dues = sim_grow(s->dues, &s->due_cap, s->due_count, sizeof *s->dues);
    struct oracle_due *due = &s->dues[s->due_count++];
    *due = (struct oracle_due){.height = w->height, .ordered_index = w->index, .index = index};
    memcpy(due->id, w->id, 32);
    due->on_the_dot = (w->unlock_kind == 1 && w->unlock == s->height) ||
                      (w->unlock_kind == 2 && w->unlock == s->time_ms);
}

static void add_waiting(struct oracle *oracle, const struct waiting *w)
{
    struct oracle_sealed *s = oracle->sealed;
    s->waiting = sim_grow(s->waiting, &s->waiting_cap, s->waiting_count, sizeof *s->waiting);
    s->waiting[s->waiting_count++] = *w;
    oracle->sim->result.counts[SIM_N_WAITED]++;
}

static struct waiting entry_of(const struct oracle *oracle, const struct slu_label *label,
                               const uint8_t id32[32], uint32_t bytes, uint32_t queue,
                               uint32_t index)
{
    struct waiting w = {.height = oracle->sealed->height,
                        .index = index,
                        .bytes = bytes,
                        .queue = queue,
                        .unlock_kind = label->unlock_kind,
                        .unlock = label->unlock};
    memcpy(w.id, id32, 32);
    return w;
}

static void read_item(const struct sealed_item *item, struct slu_sealed *out)
{
    struct slu_tx tx;
    struct slu_reader r = slu_reader_of(item->envelope, item->bytes);
    SLU_CHECK(slu_tx_read(&r, &tx) &&
              !slu_sealed_read(out, tx.body, tx.body_len, tx.valid_until_ms));
}

void oracle_sealed_forced(struct oracle *oracle, const uint8_t id32[32], uint32_t index)
{
    const struct sealed_item *item = sealed_find(oracle->sim, id32);
    struct slu_sealed sealed;
    if (!item || item->kind > SEALED_BUNDLE) {
        sim_violation(oracle->sim, 11, "an unproven sealing came out of the queue at height %lu",
                      oracle->sealed->height);
        return;
    }
    read_item(item, &sealed);
    struct waiting w = entry_of(oracle, &sealed.label, id32, item->bytes, 0, index);
    uint64_t horizon = params(oracle)->unlock_horizon_ms, now = oracle->sealed->time_ms;
    if (w.unlock_kind == 1) {
        horizon /= params(oracle)->heartbeat_idle_ms;
        now = oracle->sealed->height;
    }
    if (w.unlock > now && w.unlock - now > 2 * horizon)
        sim_violation(oracle->sim, 9,
                      "a forced entry of height %lu waits for more than two horizons",
                      oracle->sealed->height);
    if (is_reached(oracle->sealed, w.unlock_kind, w.unlock))
        add_due(oracle, &w, index);
    else
        add_waiting(oracle, &w);
}

uint32_t oracle_sealed_waited(struct oracle *oracle, uint32_t index)
{
    struct oracle_sealed *s = oracle->sealed;
    uint32_t count = 0, queues = 1u + 2u * oracle->sim->plan.n;
    for (uint32_t queue = 0; queue < queues; queue++) {
        bool full = false;
        uint32_t kept = 0;
        for (uint32_t i = 0; i < s->waiting_count; i++) {
            const struct waiting w = s->waiting[i];
            bool mine = w.queue == queue && is_reached(s, w.unlock_kind, w.unlock);
            full |= mine && !full && !spend(oracle, queue, w.bytes);
            if (!mine || full)
                s->waiting[kept++] = w;
            else
                add_due(oracle, &w, index + count++);
            oracle->sim->result.counts[SIM_N_SPILLED] += mine && full;
        }
        s->waiting_count = kept;
    }
    return count;
}

/* Whether something of a queue is due and had no room. */
static bool spills(const struct oracle_sealed *s, uint32_t queue)
{
    for (uint32_t i = 0; i < s->waiting_count; i++)
        if (s->waiting[i].queue == queue &&
            is_reached(s, s->waiting[i].unlock_kind, s->waiting[i].unlock))
            return true;
    return false;
}

/* A key counts until its successor was in force for a window. */
static bool key_counts(const struct oracle *oracle, uint32_t key)
{
    const struct sealed *book = oracle->sim->sealed;
    if (key == SIM_NONE)
        return false;
    if (key + 1 >= book->key_count || book->keys[key + 1].from_height > oracle->sealed->height)
        return true;
    uint64_t since = oracle->heights[book->keys[key + 1].from_height - 1].time_ms;
    return oracle->sealed->time_ms <= since + params(oracle)->dedup_window_ms;
}

uint8_t oracle_sealed_judge(struct oracle *oracle, uint16_t lane, const struct slu_tx *tx,
                            const uint8_t id32[32], uint32_t index)
{
    struct oracle_sealed *s = oracle->sealed;
    struct slu_sealed sealed;
    SLU_CHECK(!slu_sealed_read(&sealed, tx->body, tx->body_len, tx->valid_until_ms));
    const struct slu_label *label = &sealed.label;
    if (!key_counts(oracle, sealed_key_number(oracle->sim, sealed.key_id32, s->height)))
        return SLU_DROP_SEAL_KEY;
    bool reached = is_reached(s, label->unlock_kind, label->unlock);
    uint64_t horizon = params(oracle)->unlock_horizon_ms, ahead = 0;
    if (label->unlock_kind == 1)
        horizon /= params(oracle)->heartbeat_idle_ms;
    if (!reached)
        ahead = label->unlock - (label->unlock_kind == 1 ? s->height : s->time_ms);
    if (ahead > horizon)
        return SLU_DROP_UNLOCK;
    uint32_t queue = queue_of(oracle, lane, label->unlock_kind);
    uint64_t before = s->spent[queue];
    bool due = reached && !spills(s, queue) && spend(oracle, queue, tx->bytes_len);
    if (!due && !has_room(oracle, queue, tx->bytes_len, 0, ahead > horizon / 32))
        return SLU_DROP_CALENDAR_FULL;
    const struct sealed_item *item = sealed_find(oracle->sim, id32);
    bool lied = s->liars >> lane & 1;
    if (lied || !item || item->kind > SEALED_BUNDLE) {
        s->spent[queue] = before;
        s->liars |= UINT64_C(1) << lane;
        if (sim_is_honest(oracle->sim, lane))
            sim_violation(oracle->sim, 9, "lane %u, of an honest node, has an unproven sealing",
                          lane);
        return lied ? SLU_DROP_LANE_SEALING : SLU_DROP_SEALING;
    }
    struct waiting w = entry_of(oracle, label, id32, tx->bytes_len, queue, index);
    if (due)
        add_due(oracle, &w, index);
    else
        add_waiting(oracle, &w);
    return SLU_DROP_NONE;
}

/* ---- openings ---- */

static uint8_t outcome_of_bundle(const struct oracle *oracle, const struct sealed_item *item)
{
    uint8_t drop = sim_bundle_judge(&oracle->sim->genesis, item->payload, item->payload_len, true);
    return drop == SLU_DROP_NONE     ? SLU_OPENED
           : drop == SLU_DROP_BUNDLE ? SLU_VOID_FORM
                                     : SLU_VOID_ROLLUP;
}

static uint8_t outcome_of(const struct oracle *oracle, const struct sealed_item *item)
{
    switch (item->kind) {
    case SEALED_TAG:
        return SLU_VOID_TAG;
    case SEALED_SEED:
        return SLU_VOID_SEED;
    case SEALED_FORM:
        return SLU_VOID_FORM;
    case SEALED_ROLLUP:
        return oracle->sim->genesis.open_rollups ? SLU_OPENED : SLU_VOID_ROLLUP;
    case SEALED_BUNDLE:
        return outcome_of_bundle(oracle, item);
    case SEALED_GOOD:
    case SEALED_UNPROVEN:
    case SEALED_NO_KEY:
    case SEALED_KINDS:
        break;
    }
    return SLU_OPENED;
}

/* By consensus/opened.h and wire/opening.h, byte by byte. */
static void write_opened(struct slu_writer *w, const struct oracle *oracle,
                         const struct oracle_due *due)
{
    const struct sealed_item *item = sealed_find(oracle->sim, due->id);
    uint8_t outcome = outcome_of(oracle, item);
    struct slu_sealed sealed;
    read_item(item, &sealed);
    slu_write_u32(w, due->index);
    slu_write_bytes(w, due->id, 32);
    slu_write_u8(w, outcome);
    slu_write_u64(w, outcome ? 0 : item->rollup);
    slu_write_u32(w, outcome ? 12 : 141 + item->payload_len);
    slu_write_u64(w, due->height);
    slu_write_u32(w, due->ordered_index);
    if (outcome)
        return;
    slu_write_bytes(w, sealed.key_id32, 32);
    slu_write_u8(w, sealed.label.unlock_kind);
    slu_write_u64(w, sealed.label.unlock);
    slu_write_u64(w, sealed.label.valid_until_ms);
    slu_write_bytes(w, sealed.e16, 16);
    slu_write_bytes(w, sealed.z32, 32);
    slu_write_bytes(w, item->rho, 32);
    slu_write_bytes(w, item->payload, item->payload_len);
}

uint64_t oracle_sealed_waiting(const struct oracle *oracle, uint64_t *bytes)
{
    const struct oracle_sealed *s = oracle->sealed;
    *bytes = 0;
    for (uint32_t i = 0; i < s->waiting_count; i++)
        *bytes += s->waiting[i].bytes;
    return s->waiting_count;
}

void oracle_sealed_end(struct oracle *oracle, struct oracle_height *height)
{
    struct oracle_sealed *s = oracle->sealed;
    uint64_t *counts = oracle->sim->result.counts;
    height->due_before = s->last_due;
    if (s->due_count == 0)
        return;
    size_t cap = 4;
    for (uint32_t i = 0; i < s->due_count; i++)
        cap += 49 + 141 + sealed_find(oracle->sim, s->dues[i].id)->payload_len;
    height->due_count = s->due_count;
    height->dues = sim_alloc(s->due_count * sizeof *s->dues);
    memcpy(height->dues, s->dues, s->due_count * sizeof *s->dues);
    height->opened = sim_alloc(cap);
    struct slu_writer w = slu_writer_of(height->opened, cap);
    slu_write_u32(&w, s->due_count);
    for (uint32_t i = 0; i < s->due_count; i++) {
        write_opened(&w, oracle, &s->dues[i]);
        const struct sealed_item *item = sealed_find(oracle->sim, s->dues[i].id);
        bool opened = !outcome_of(oracle, item);
        counts[opened ? SIM_N_OPENED : SIM_N_VOID]++;
        if (item->kind == SEALED_BUNDLE)
            counts[opened ? SIM_N_BUNDLES_OPENED : SIM_N_BUNDLES_BAD]++;
        counts[SIM_N_ON_THE_DOT] += s->dues[i].on_the_dot;
    }
    SLU_CHECK(!w.failed);
    height->opened_len = slu_writer_len(&w);
    s->last_due = s->height;
    oracle->last_due = s->height;
}

/* ---- what nodes do ---- */

static bool has_record(const struct sim_node *node, enum slu_record_kind kind, uint64_t height)
{
    struct slu_record_key key = {.kind = kind, .a = height};
    return sim_disk_find(&node->disk, &key) != NULL;
}

void oracle_opened(struct oracle *oracle, struct sim_node *node, uint64_t height,
                   const uint8_t *value, size_t len)
{
    struct sim *sim = oracle->sim;
    const struct oracle_height *want = height <= oracle->top ? &oracle->heights[height] : NULL;
    if (!want || !want->due_count || !has_record(node, SLU_REC_DELIVERED, height))
        sim_violation(sim, 10, "node %u opens height %lu, where nothing is due or delivered",
                      node->id, height);
    else if (want->opened_len != len || memcmp(want->opened, value, len) != 0)
        sim_violation(sim, 10, "node %u opens height %lu to other bytes (%zu of %zu, %u dues)",
                      node->id, height, len, want->opened_len, want->due_count);
    else if (want->due_before && !has_record(node, SLU_REC_OPENED, want->due_before))
        sim_violation(sim, 10, "node %u opens height %lu before height %lu", node->id, height,
                      want->due_before);
}

void oracle_told(struct oracle *oracle, struct sim_node *node, uint64_t height)
{
    struct sim *sim = oracle->sim;
    if (height > oracle->top || !has_record(node, SLU_REC_DELIVERED, height)) {
        sim_violation(sim, 10, "node %u says that height %lu is open, which is not delivered",
                      node->id, height);
        return;
    }
    const struct oracle_height *at = &oracle->heights[height];
    uint64_t due = at->due_count ? height : at->due_before;
    if (due && !has_record(node, SLU_REC_OPENED, due))
        sim_violation(sim, 10, "node %u says that height %lu is open, but %lu is not", node->id,
                      height, due);
}

/* Clause 5.2 of docs/CRYPTO.md. */
bool oracle_share_list(const struct oracle *oracle, const struct slu_signed_shares *shares,
                       uint8_t list32[32])
{
    uint8_t ids[SLU_SHARES_MAX][32], r[SLU_SHARES_MAX][32], hash[32];
    uint32_t number = 0, count = 0;
    const struct oracle_height *height = &oracle->heights[shares->height];
    for (uint32_t i = 0; i < height->due_count; i++) {
        struct slu_sealed sealed;
        read_item(sealed_find(oracle->sim, height->dues[i].id), &sealed);
        if (memcmp(sealed.key_id32, shares->key_id, 32) != 0 || number++ < shares->first ||
            count == SLU_SHARES_MAX)
            continue;
        memcpy(ids[count], height->dues[i].id, 32);
        memcpy(r[count++], sealed.r32, 32);
    }
    if (count != shares->count || shares->first % SLU_SHARES_MAX)
        return false;
    slu_shares_ids(hash, &oracle->sim->genesis, (const uint8_t(*)[32])ids, count);
    slu_shares_list(list32, &oracle->sim->genesis, hash, (const uint8_t(*)[32])r, count);
    return true;
}

void oracle_shares(struct oracle *oracle, struct sim_node *node,
                   const struct slu_signed_shares *shares)
{
    struct sim *sim = oracle->sim;
    uint8_t list[32];
    const struct oracle_height *at =
        shares->height <= oracle->top ? &oracle->heights[shares->height] : NULL;
    const struct slu_block *block = at ? &sim->world.blocks[at->block] : NULL;
    if (!block || memcmp(block->digest, shares->block, 32) != 0 ||
        sim_table_get(&sim->world.final_at, shares->block) == SIM_NONE)
        sim_violation(sim, 10, "shares of node %u for height %lu leave before it is final",
                      node->id, shares->height);
    else if (!has_record(node, SLU_REC_DELIVERED, shares->height))
        sim_violation(sim, 10,
                      "shares of node %u for height %lu leave before it is delivered there",
                      node->id, shares->height);
    else if (!oracle_share_list(oracle, shares, list) || memcmp(list, shares->list, 32) != 0)
        sim_violation(sim, 10, "shares of node %u for height %lu are of what is not due there",
                      node->id, shares->height);
}
