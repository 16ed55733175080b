#include "wire/genesis.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/dkg.h"
#include "crypto/hash.h"
#include "crypto/ristretto.h"
#include "sluice/error.h"
#include "wire/inbox.h"

void slu_params_defaults(struct slu_params *params)
{
    *params = (struct slu_params){
        .batch_bytes_max = 512 * 1024,
        .batch_linger_ms = 5,
        .ack_tick_ms = 2,
        .lane_window_bytes = 32 * 1024 * 1024,
        .lane_window_batches = 4096,
        .lane_quota_bytes = 8 * 1024 * 1024,
        .entries_per_block_max = 65536,
        .heartbeat_ms = 250,
        .heartbeat_idle_ms = 1000,
        .delta_ms = 50,
        .resend_ms = 200,
        .standstill_ms = 2000,
        .timer_cap_ms = 5000,
        .skip_ms = 5000,
        .tx_bytes_max = 128 * 1024,
        .dedup_window_ms = 30000,
        .dedup_entries_max = 4 * 1024 * 1024,
        .release_lag_max = 64,
        .forced_delay = 2,
        .forced_bytes_per_block = 256 * 1024,
        .postage_base = 2500000,
        .postage_age_ms = 20000,
        .inbox_items_max = 16384,
        .inbox_bytes_max = 64 * 1024 * 1024,
        .inbox_ids_max = 65536,
        .due_bytes_per_block = 4 * 1024 * 1024,
        .sealing = 1,
        .keygen_window_ms = 10000,
        .keygen_retry_ms = 600000,
        .unlock_horizon_ms = UINT64_C(30) * 24 * 3600 * 1000,
        .calendar_bytes_max = UINT64_C(1) << 30,
    };
}

/* One row per parameter: its place, and what it may be. */
struct bound {
    const char *name;
    size_t offset;
    uint32_t low, high;
};

#define ROW(field, low, high)                                                                      \
    {                                                                                              \
#field, offsetof(struct slu_params, field), low, high                                      \
    }

static const struct bound bounds[] = {
    ROW(batch_bytes_max, 1024, SLU_BATCH_BYTES_MAX_CAP),
    ROW(batch_linger_ms, 0, SLU_TIMER_MS_CAP),
    ROW(ack_tick_ms, 0, SLU_TIMER_MS_CAP),
    ROW(lane_window_bytes, 4096, SLU_LANE_WINDOW_BYTES_CAP),
    ROW(lane_window_batches, 4, SLU_LANE_WINDOW_BATCHES_CAP),
    ROW(lane_quota_bytes, 1024, SLU_LANE_QUOTA_BYTES_CAP),
    ROW(entries_per_block_max, SLU_NODES_MAX, SLU_ENTRIES_PER_BLOCK_CAP),
    ROW(heartbeat_ms, 1, SLU_TIMER_MS_CAP),
    ROW(heartbeat_idle_ms, 1, SLU_TIMER_MS_CAP),
    ROW(delta_ms, 1, SLU_TIMER_MS_CAP),
    ROW(resend_ms, 1, SLU_TIMER_MS_CAP),
    ROW(standstill_ms, 1, SLU_TIMER_MS_CAP),
    ROW(timer_cap_ms, 1, SLU_TIMER_MS_CAP),
    ROW(skip_ms, 1, SLU_TIMER_MS_CAP),
    ROW(tx_bytes_max, 64, SLU_TX_BYTES_MAX_CAP),
    ROW(dedup_window_ms, 1000, SLU_WINDOW_MS_CAP),
    ROW(dedup_entries_max, 1024, SLU_DEDUP_ENTRIES_CAP),
    ROW(release_lag_max, 1, 4096),
    ROW(forced_delay, 1, 4096),
    ROW(forced_bytes_per_block, 1024, SLU_FORCED_BYTES_CAP),
    ROW(postage_base, 1, UINT32_MAX),
    ROW(postage_age_ms, 1, SLU_WINDOW_MS_CAP),
    ROW(inbox_items_max, SLU_NODES_MAX, SLU_INBOX_ITEMS_CAP),
    ROW(inbox_bytes_max, 1024, SLU_INBOX_BYTES_CAP),
    ROW(inbox_ids_max, 64, SLU_INBOX_IDS_CAP),
    ROW(due_bytes_per_block, 1024, SLU_DUE_BYTES_CAP),
    ROW(sealing, 0, 1),
    ROW(seal_threshold, 0, SLU_NODES_MAX),
    ROW(seal_threshold_min, 0, SLU_NODES_MAX),
    ROW(keygen_window_ms, 1, SLU_TIMER_MS_CAP),
    ROW(keygen_retry_ms, 1, SLU_KEYGEN_RETRY_MS_CAP),
};

static uint32_t bound_value(const struct slu_params *params, const struct bound *row)
{
    uint32_t value;
    memcpy(&value, (const char *)params + row->offset, sizeof value);
    return value;
}

static int check_params(const struct slu_params *p, char *why, size_t cap)
{
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        uint32_t value = bound_value(p, &bounds[i]);
        if (value < bounds[i].low || value > bounds[i].high) {
            snprintf(why, cap, "parameters.%s: %u is not in %u..%u", bounds[i].name, value,
                     bounds[i].low, bounds[i].high);
            return SLU_ERR_CONFIG;
        }
    }
    const char *bad = NULL;
    if (p->tx_bytes_max > p->batch_bytes_max)
        bad = "tx_bytes_max: larger than batch_bytes_max";
    else if (p->batch_bytes_max > p->lane_quota_bytes)
        bad = "batch_bytes_max: larger than lane_quota_bytes";
    else if (p->batch_bytes_max > p->lane_window_bytes / 2)
        bad = "batch_bytes_max: larger than half of lane_window_bytes";
    else if (p->heartbeat_idle_ms < p->heartbeat_ms)
        bad = "heartbeat_idle_ms: smaller than heartbeat_ms";
    else if (p->skip_ms <= p->heartbeat_idle_ms)
        bad = "skip_ms: must be above heartbeat_idle_ms, or an idle chain skips honest leaders";
    else if (slu_queue_cost(p->tx_bytes_max) > p->forced_bytes_per_block)
        bad = "forced_bytes_per_block: smaller than one transaction with its tuple";
    else if (p->postage_age_ms > p->dedup_window_ms)
        bad = "postage_age_ms: larger than dedup_window_ms";
    else if (p->keygen_retry_ms < p->keygen_window_ms)
        bad = "keygen_retry_ms: smaller than keygen_window_ms";
    if (bad) {
        snprintf(why, cap, "parameters.%s", bad);
        return SLU_ERR_CONFIG;
    }
    return SLU_OK;
}

/* What can be checked only with the number of nodes. */
static int check_thresholds(const struct slu_genesis *g, char *why, size_t cap)
{
    unsigned low = slu_genesis_f(g) + 1u, high = slu_genesis_q(g);
    unsigned k = slu_genesis_seal_threshold(g), k_min = slu_genesis_seal_threshold_min(g);
    if (k < low || k > high) {
        snprintf(why, cap, "parameters.seal_threshold: %u is not in %u..%u (f+1..n-f), nor 0", k,
                 low, high);
        return SLU_ERR_CONFIG;
    }
    if (k_min < low || k_min > k) {
        snprintf(why, cap,
                 "parameters.seal_threshold_min: %u is not in %u..%u (f+1..the threshold), nor 0",
                 k_min, low, k);
        return SLU_ERR_CONFIG;
    }
    return SLU_OK;
}

/* What the rules of clause 7.7 divide among classes and lanes: each part must hold the longest
 * transaction, or an honest one could wait for ever. */
static int check_sealing(const struct slu_genesis *g, char *why, size_t cap)
{
    const struct slu_params *p = &g->params;
    uint32_t longest =
        p->tx_bytes_max > SLU_CALENDAR_ENTRY_BYTES ? p->tx_bytes_max : SLU_CALENDAR_ENTRY_BYTES;
    uint64_t calendar_min = 4 * (g->n + UINT64_C(1)) * longest; /* one in each part, however far */
    if (!p->sealing)
        return SLU_OK;
    if (p->due_bytes_per_block / 4 < p->tx_bytes_max) {
        snprintf(why, cap, "parameters.due_bytes_per_block: smaller than four times tx_bytes_max");
        return SLU_ERR_CONFIG;
    }
    if (p->unlock_horizon_ms < 1000 || p->unlock_horizon_ms > SLU_UNLOCK_HORIZON_MS_CAP) {
        snprintf(why, cap, "parameters.unlock_horizon_ms: %" PRIu64 " is not in 1000..%" PRIu64,
                 p->unlock_horizon_ms, (uint64_t)SLU_UNLOCK_HORIZON_MS_CAP);
        return SLU_ERR_CONFIG;
    }
    if (p->calendar_bytes_max < calendar_min || p->calendar_bytes_max > SLU_CALENDAR_CAP) {
        snprintf(why, cap,
                 "parameters.calendar_bytes_max: %" PRIu64 " is not in %" PRIu64 "..%" PRIu64
                 " (at least one transaction for each lane and one more)",
                 p->calendar_bytes_max, calendar_min, (uint64_t)SLU_CALENDAR_CAP);
        return SLU_ERR_CONFIG;
    }
    return SLU_OK;
}

static bool name_ok(const char *name)
{
    size_t len = strnlen(name, SLU_NAME_BYTES_MAX + 1);
    if (len == 0 || len > SLU_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] < 0x21 || name[i] > 0x7e || name[i] == '"' || name[i] == '\\')
            return false;
    return true;
}

static int check_seal_key(const struct slu_genesis *g, uint16_t i, char *why, size_t cap)
{
    const struct slu_genesis_node *node = &g->nodes[i];
    struct slu_point p;
    if (!slu_ristretto_read(&p, node->seal_public32)) {
        snprintf(why, cap, "nodes[%u].seal_key: not the canonical form of a group element", i);
        return SLU_ERR_CONFIG;
    }
    for (uint16_t j = 0; j < i; j++) {
        if (!memcmp(node->seal_public32, g->nodes[j].seal_public32, 32)) {
            snprintf(why, cap, "nodes[%u].seal_key: the same as of nodes[%u]", i, j);
            return SLU_ERR_CONFIG;
        }
    }
    if (!slu_dkg_possession_ok(node->seal_proof48, node->seal_public32, node->public32)) {
        snprintf(why, cap, "nodes[%u].seal_proof: does not hold for its seal_key and public_key",
                 i);
        return SLU_ERR_CONFIG;
    }
    return SLU_OK;
}

static int check_nodes(const struct slu_genesis *g, char *why, size_t cap)
{
    if (g->n < 1 || g->n > SLU_NODES_MAX) {
        snprintf(why, cap, "nodes: %u of them; 1..%u are allowed", g->n, SLU_NODES_MAX);
        return SLU_ERR_CONFIG;
    }
    for (uint16_t i = 0; i < g->n; i++) {
        size_t len = strnlen(g->nodes[i].address, SLU_ADDRESS_BYTES_MAX + 1);
        if (len == 0 || len > SLU_ADDRESS_BYTES_MAX) {
            snprintf(why, cap, "nodes[%u].address: empty or too long", i);
            return SLU_ERR_CONFIG;
        }
        for (uint16_t j = 0; j < i; j++) {
            if (!memcmp(g->nodes[i].public32, g->nodes[j].public32, 32)) {
                snprintf(why, cap, "nodes[%u].public_key: the same as of nodes[%u]", i, j);
                return SLU_ERR_CONFIG;
            }
        }
        int rc = check_seal_key(g, i, why, cap);
        if (rc)
            return rc;
    }
    return SLU_OK;
}

static int check_rollups(const struct slu_genesis *g, char *why, size_t cap)
{
    if (g->rollup_count > SLU_ROLLUPS_MAX || (!g->open_rollups && g->rollup_count == 0)) {
        snprintf(why, cap, "rollups: %u of them; 1..%u are allowed, or \"open\"", g->rollup_count,
                 SLU_ROLLUPS_MAX);
        return SLU_ERR_CONFIG;
    }
    for (uint16_t i = 0; i < g->rollup_count; i++) {
        const struct slu_genesis_rollup *row = &g->rollups[i];
        const char *bad = NULL;
        if (row->id < 1 || row->id > SLU_ROLLUP_ID_MAX)
            bad = "id: not in 1..2^53-1";
        else if (i > 0 && row->id <= g->rollups[i - 1].id)
            bad = "id: the table must be sorted by id, each once";
        else if (!name_ok(row->name))
            bad = "name: 1..64 printable characters, no spaces or quotes";
        else if (row->rate_share < 1)
            bad = "rate_share: at least 1";
        if (bad) {
            snprintf(why, cap, "rollups[%u].%s", i, bad);
            return SLU_ERR_CONFIG;
        }
    }
    return SLU_OK;
}

static void write_text(struct slu_writer *w, const char *text)
{
    size_t len = strlen(text);
    slu_write_u16(w, (uint16_t)len);
    slu_write_bytes(w, text, len);
}

static void write_genesis(struct slu_writer *w, const struct slu_genesis *g)
{
    slu_write_u32(w, g->version);
    write_text(w, g->name);
    slu_write_u64(w, g->created_ms);
    slu_write_u16(w, g->n);
    for (uint16_t i = 0; i < g->n; i++) {
        slu_write_bytes(w, g->nodes[i].public32, 32);
        write_text(w, g->nodes[i].address);
        slu_write_bytes(w, g->nodes[i].seal_public32, sizeof g->nodes[i].seal_public32);
        slu_write_bytes(w, g->nodes[i].seal_proof48, sizeof g->nodes[i].seal_proof48);
        slu_write_u64(w, g->nodes[i].stake);
    }
    slu_write_u8(w, g->open_rollups);
    slu_write_u16(w, g->rollup_count);
    for (uint16_t i = 0; i < g->rollup_count; i++) {
        const struct slu_genesis_rollup *row = &g->rollups[i];
        slu_write_u64(w, row->id);
        write_text(w, row->name);
        slu_write_u8(w, row->sealed_only);
        slu_write_u64(w, row->ethereum_chain_id);
        slu_write_u32(w, row->rate_share);
    }
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        slu_write_u32(w, bound_value(&g->params, &bounds[i]));
    slu_write_u64(w, g->params.unlock_horizon_ms);
    slu_write_u64(w, g->params.calendar_bytes_max);
}

int slu_genesis_seal(struct slu_genesis *g, char *why, size_t why_cap)
{
    static const uint8_t no_chain[32];
    if (g->version != SLU_PROTOCOL_VERSION) {
        snprintf(why, why_cap, "version: the genesis is of protocol version %u, this program of %u",
                 g->version, SLU_PROTOCOL_VERSION);
        return SLU_ERR_MISMATCH;
    }
    if (!name_ok(g->name)) {
        snprintf(why, why_cap, "name: 1..64 printable characters, no spaces or quotes");
        return SLU_ERR_CONFIG;
    }
    int rc = check_nodes(g, why, why_cap);
    if (!rc)
        rc = check_rollups(g, why, why_cap);
    if (!rc)
        rc = check_params(&g->params, why, why_cap);
    if (!rc)
        rc = check_thresholds(g, why, why_cap);
    if (!rc)
        rc = check_sealing(g, why, why_cap);
    if (rc)
        return rc;
    static _Thread_local uint8_t form[SLU_GENESIS_BYTES_MAX];
    struct slu_writer w = slu_writer_of(form, sizeof form);
    write_genesis(&w, g);
    SLU_CHECK(!w.failed);
    slu_hash_of(g->chain_id, "genesis", no_chain, form, slu_writer_len(&w));
    return SLU_OK;
}

uint16_t slu_genesis_f(const struct slu_genesis *g)
{
    return (uint16_t)((g->n - 1) / 3);
}

uint16_t slu_genesis_q(const struct slu_genesis *g)
{
    return (uint16_t)(g->n - slu_genesis_f(g));
}

uint16_t slu_genesis_seal_threshold(const struct slu_genesis *g)
{
    return g->params.seal_threshold ? (uint16_t)g->params.seal_threshold : slu_genesis_q(g);
}

uint16_t slu_genesis_seal_threshold_min(const struct slu_genesis *g)
{
    return g->params.seal_threshold_min ? (uint16_t)g->params.seal_threshold_min
                                        : (uint16_t)(slu_genesis_f(g) + 1);
}

uint32_t slu_genesis_lane_quota_txs(const struct slu_genesis *g)
{
    return g->params.entries_per_block_max / g->n;
}

size_t slu_genesis_due_bytes_max(const struct slu_genesis *g)
{
    return (size_t)g->params.due_bytes_per_block + g->params.forced_bytes_per_block +
           (2u * g->n + 1u) * (size_t)g->params.tx_bytes_max;
}

const struct slu_genesis_rollup *slu_genesis_rollup(const struct slu_genesis *g, uint64_t rollup)
{
    size_t low = 0, high = g->rollup_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (g->rollups[mid].id == rollup)
            return &g->rollups[mid];
        if (g->rollups[mid].id < rollup)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

bool slu_genesis_rollup_known(const struct slu_genesis *g, uint64_t rollup)
{
    if (rollup < 1 || rollup > SLU_ROLLUP_ID_MAX)
        return false;
    return g->open_rollups || slu_genesis_rollup(g, rollup) != NULL;
}
