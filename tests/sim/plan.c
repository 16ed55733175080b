#include "tests/sim/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "tests/sim/bundle.h"
#include "tests/sim/seal_keys.h"
#include "wire/vote.h"

#define CHAIN_CREATED_MS 1000000u
#define SEALED_TX_BYTES  480u /* a sealed one of the second bucket fits */

static void quiet_params(struct slu_params *params)
{
    slu_params_defaults(params);
    params->batch_bytes_max = 2048;
    params->tx_bytes_max = 1024;
    params->lane_quota_bytes = 8192;
    params->lane_window_bytes = 32768;
    params->lane_window_batches = 64;
    params->entries_per_block_max = 1024;
    params->heartbeat_ms = 80;
    params->heartbeat_idle_ms = 160;
    params->delta_ms = 50;
    params->resend_ms = 150;
    params->standstill_ms = 1000;
    params->timer_cap_ms = 2000;
    params->skip_ms = 2000;
    params->dedup_window_ms = 4000;
    params->dedup_entries_max = 4096;
    params->release_lag_max = 16;
    params->forced_bytes_per_block = 4096;
    params->sealing = 0; /* these schedules are about ordering */
    params->postage_base = 8;
    params->postage_age_ms = 1000;
    params->inbox_items_max = 1024;
    params->inbox_bytes_max = 1024 * 1024;
    params->inbox_ids_max = 4096;
}

void sim_plan_quiet(struct sim_plan *plan, uint64_t seed, uint16_t n)
{
    SLU_CHECK(n >= 1 && n <= SIM_NODES_MAX);
    *plan = (struct sim_plan){
        .seed = seed,
        .n = n,
        .style = SIM_FAST,
        .sync_ms_max = 1,
        .load_every_ms = 60,
        .load_txs_max = 3,
        .load_body_max = 200,
        .burst_max = 4,
        .load_until_ms = 2000,
        .run_until_ms = 2500,
        .faultless = true,
    };
    quiet_params(&plan->params);
    plan->give_up_ms = plan->run_until_ms + sim_plan_patience_ms(plan);
}

static void draw_params(struct slu_params *p, struct sim_rng *r, uint16_t n)
{
    p->batch_bytes_max = sim_rng_u32(r, 1, 4) * 1024;
    p->batch_linger_ms = sim_rng_u32(r, 0, 15);
    p->ack_tick_ms = sim_rng_u32(r, 0, 8);
    p->tx_bytes_max = sim_rng_u32(r, 128, 1024);
    p->lane_quota_bytes = p->batch_bytes_max * sim_rng_u32(r, 1, 6);
    p->lane_window_bytes = p->batch_bytes_max * sim_rng_u32(r, 4, 24);
    p->lane_window_batches =
        sim_rng_chance(r, 300) ? sim_rng_u32(r, 4, 10) : sim_rng_u32(r, 16, 64);
    p->entries_per_block_max = sim_rng_u32(r, 64, 640);
    if (p->entries_per_block_max < n * 4u)
        p->entries_per_block_max = n * 4u;
    p->delta_ms = sim_rng_u32(r, 30, 90);
    p->heartbeat_ms = sim_rng_u32(r, 40, 160);
    p->heartbeat_idle_ms = p->heartbeat_ms * sim_rng_u32(r, 1, 4);
    p->resend_ms = sim_rng_u32(r, 100, 300);
    p->standstill_ms = sim_rng_u32(r, 600, 1600);
    p->timer_cap_ms = sim_rng_u32(r, 1200, 2600);
    p->skip_ms = p->heartbeat_idle_ms + sim_rng_u32(r, 400, 2500);
    p->dedup_window_ms = sim_rng_u32(r, 1000, 6000);
    p->dedup_entries_max = sim_rng_u32(r, 1024, 2048);
    p->release_lag_max = sim_rng_u32(r, 1, 12);
}

/* From a stream of its own, so that the other draws of a seed stay what they were. */
static void draw_inbox(struct sim_plan *plan, struct sim_rng *r)
{
    struct slu_params *p = &plan->params;
    static const uint32_t often[] = {0, 50, 200, 600};
    plan->forced_permille = often[sim_rng_below(r, 4)];
    p->forced_delay = sim_rng_u32(r, 1, 5);
    p->forced_bytes_per_block = 1072 + sim_rng_u32(r, 0, 4096); /* one of the largest fits */
    p->postage_base = sim_rng_u32(r, 1, 16);
    p->postage_age_ms = sim_rng_u32(r, p->dedup_window_ms / 2, p->dedup_window_ms);
    p->inbox_items_max = sim_rng_chance(r, 200) ? 64 : sim_rng_u32(r, 128, 1024);
    p->inbox_bytes_max = sim_rng_chance(r, 200) ? 16384 : 1024 * 1024;
    p->inbox_ids_max = sim_rng_chance(r, 150) ? 64 : sim_rng_u32(r, 256, 4096);
}

/* Who breaks: Byzantine nodes and lost disks together are at most f. */
static void draw_roles(struct sim_plan *plan, struct sim_rng *r)
{
    static const enum sim_role bad[] = {SIM_PUPPET,  SIM_PUPPET, SIM_PUPPET, SIM_TWISTED,
                                        SIM_TWISTED, SIM_TWINS,  SIM_SILENT};
    uint32_t f = (plan->n - 1u) / 3u;
    uint32_t bad_count = f && sim_rng_chance(r, 750) ? sim_rng_u32(r, 1, f) : 0;
    bool wipe = f > bad_count && sim_rng_chance(r, 250);
    for (uint32_t i = 0; i < bad_count; i++) {
        uint16_t node = (uint16_t)sim_rng_below(r, plan->n);
        plan->roles[node] = bad[sim_rng_below(r, sizeof bad / sizeof *bad)];
    }
    for (uint32_t i = 0; i < 16; i++) {
        static const uint32_t habits[] = {0, 100, 500, 900};
        plan->byz_permille[i] = habits[sim_rng_below(r, 4)];
    }
    if (wipe) {
        uint16_t node = (uint16_t)sim_rng_below(r, plan->n);
        uint64_t at = sim_rng_range(r, 300, 1500);
        if (plan->roles[node] == SIM_HONEST)
            plan->crashes[plan->crash_count++] = (struct sim_crash){
                .node = node, .at_ms = at, .up_ms = at + sim_rng_range(r, 1, 800), .wipe = true};
    }
}

/* A stream of its own: the rest of a seed's run stays what it was before there were deviants. */
static void draw_deviants(struct sim_plan *plan)
{
    struct sim_rng r = sim_rng_of(plan->seed, 200u + plan->n);
    for (uint16_t i = 0; i < plan->n; i++) {
        if (plan->roles[i] == SIM_HONEST || !sim_rng_chance(&r, 350))
            continue;
        plan->roles[i] = SIM_DEVIANT;
        for (uint32_t k = sim_rng_u32(&r, 1, 3); k > 0; k--)
            plan->behaviours[i].set |= 1u << sim_rng_below(&r, SLU_WITHHOLD_SHARES);
        plan->behaviours[i].rollup = 7;
        plan->behaviours[i].delay_ms = sim_rng_u32(&r, 1, 20u * plan->params.delta_ms);
        strcpy(plan->behaviours[i].client, "client-1");
    }
}

static void seal_traffic(struct sim_plan *plan, struct sim_rng *r);

/* Deviants' shares, where there are any: from a stream of its own, too. */
static void draw_share_deviants(struct sim_plan *plan, struct sim_rng *r)
{
    for (uint16_t i = 0; i < plan->n; i++)
        if (plan->roles[i] == SIM_DEVIANT && plan->sealed_permille && sim_rng_chance(r, 500))
            plan->behaviours[i].set |=
                1u << (sim_rng_chance(r, 300) ? SLU_WITHHOLD_SHARES : SLU_LIE_SHARES);
}

void sim_plan_deviate(struct sim_plan *plan, const struct slu_behaviours *behaviours)
{
    struct sim_rng r = sim_rng_of(plan->seed, 300u + plan->n);
    plan->faultless = false;
    for (uint16_t i = 0; i < plan->n; i++)
        plan->roles[i] = SIM_HONEST;
    for (uint32_t left = (plan->n - 1u) / 3u; left > 0;) {
        uint16_t node = (uint16_t)sim_rng_below(&r, plan->n);
        if (plan->roles[node] == SIM_DEVIANT)
            continue;
        plan->roles[node] = SIM_DEVIANT;
        plan->behaviours[node] = *behaviours;
        left--;
    }
    for (uint32_t i = 0; i < plan->crash_count; i++)
        plan->crashes[i].wipe = false; /* with the deviants it would be more than f */
    if (!plan->load_every_ms)
        plan->load_every_ms = 40;
    if (!plan->forced_permille)
        plan->forced_permille = 100;
    if (behaviours->set >> SLU_WITHHOLD_SHARES && !plan->sealed_permille) {
        plan->params.sealing = 1;
        seal_traffic(plan, &r);
    }
    plan->give_up_ms = plan->run_until_ms + 3 * sim_plan_patience_ms(plan);
}

static uint16_t draw_honest(const struct sim_plan *plan, struct sim_rng *r)
{
    uint16_t node;
    do
        node = (uint16_t)sim_rng_below(r, plan->n);
    while (plan->roles[node] != SIM_HONEST);
    return node;
}

static void draw_crashes(struct sim_plan *plan, struct sim_rng *r, uint64_t *end)
{
    uint32_t crashes = sim_rng_chance(r, 500) ? sim_rng_u32(r, 1, 3) : 0;
    for (uint32_t i = 0; i < crashes; i++) {
        uint64_t at = sim_rng_range(r, 50, *end + 500);
        plan->crashes[plan->crash_count++] = (struct sim_crash){
            .node = draw_honest(plan, r), .at_ms = at, .up_ms = at + sim_rng_range(r, 1, 1000)};
    }
    if (sim_rng_chance(r, 80)) { /* everyone at once */
        uint64_t at = sim_rng_range(r, 200, *end + 300);
        for (uint16_t i = 0; i < plan->n && plan->crash_count < SIM_FAULTS_MAX; i++)
            if (plan->roles[i] == SIM_HONEST)
                plan->crashes[plan->crash_count++] = (struct sim_crash){
                    .node = i, .at_ms = at, .up_ms = at + sim_rng_range(r, 1, 400)};
    }
    uint32_t snipes = sim_rng_chance(r, 400) ? sim_rng_u32(r, 1, 3) : 0;
    for (uint32_t i = 0; i < snipes; i++) {
        static const uint8_t at_vote[] = {SLU_FINALIZE, SLU_FINALIZE, SLU_NOTARIZE, SLU_NULLIFY,
                                          SLU_VOTE_KINDS};
        plan->snipes[plan->snipe_count++] = (struct sim_snipe){
            .node = draw_honest(plan, r),
            .vote = at_vote[sim_rng_below(r, 5)],
            .count = sim_rng_u32(r, 1, 6),
            .after_ms = sim_rng_range(r, 0, *end + 300),
            .down_ms = sim_rng_range(r, 1, 500),
            .when = (enum sim_crash_when)sim_rng_below(r, 3),
        };
        *end += 300;
    }
    for (uint32_t i = 0; i < plan->crash_count; i++)
        if (plan->crashes[i].up_ms > *end)
            *end = plan->crashes[i].up_ms;
}

static void draw_network(struct sim_plan *plan, struct sim_rng *r, uint64_t *end)
{
    static const uint32_t drops[] = {50, 200, 500}, lates[] = {100, 300, 700};
    plan->style = (enum sim_style)sim_rng_below(r, SIM_STYLES);
    plan->fifo = sim_rng_chance(r, 300);
    plan->reconnects = sim_rng_chance(r, 500);
    if (sim_rng_chance(r, 300))
        plan->duplicate_permille = sim_rng_u32(r, 10, 200);
    if (sim_rng_chance(r, 300))
        return;
    *end = sim_rng_range(r, 100, 1800);
    if (sim_rng_chance(r, 500))
        plan->drop_permille = drops[sim_rng_below(r, 3)];
    plan->late_permille = lates[sim_rng_below(r, 3)];
    uint32_t partitions = sim_rng_chance(r, 400) ? sim_rng_u32(r, 1, 3) : 0;
    for (uint32_t i = 0; i < partitions; i++) {
        uint64_t from = sim_rng_range(r, 0, *end), to = from + sim_rng_range(r, 50, 1200);
        plan->partitions[plan->partition_count++] = (struct sim_partition){
            .from_ms = from,
            .to_ms = to,
            .side = sim_rng_next(r) & ((UINT64_C(1) << plan->n) - 1),
            .one_way = sim_rng_chance(r, 300),
            .hold = sim_rng_chance(r, 300),
        };
        *end = to > *end ? to : *end;
    }
}

static void draw_load(struct sim_plan *plan, struct sim_rng *r)
{
    static const uint32_t every[] = {15, 40, 100, 300};
    plan->load_every_ms = sim_rng_chance(r, 100) ? 0 : every[sim_rng_below(r, 4)];
    plan->load_txs_max = sim_rng_chance(r, 150) ? 60 : sim_rng_u32(r, 1, 8);
    plan->load_body_max = sim_rng_u32(r, 30, plan->params.tx_bytes_max);
    plan->odd_permille = sim_rng_u32(r, 0, 300);
    plan->burst_max = sim_rng_u32(r, 1, 8);
    plan->sync_ms_max = sim_rng_u32(r, 0, 5);
    plan->tear_permille = 500;
    plan->lost_forget_permille = 500;
    plan->lost_in_flight_permille = 700;
    for (uint16_t i = 0; i < plan->n; i++)
        plan->skew_ms[i] = (int64_t)sim_rng_below(r, 101) - 50;
    if (sim_rng_chance(r, 100))
        plan->skew_ms[sim_rng_below(r, plan->n)] = (int64_t)sim_rng_below(r, 20000) - 10000;
    if (sim_rng_chance(r, 200))
        plan->clock_jump_permille = 20;
    if (sim_rng_chance(r, 80)) {
        plan->leap_at_ms = sim_rng_range(r, 100, 2000);
        plan->leap_ms = (int64_t)sim_rng_range(r, 4000, 20000);
    }
}

/* A key generation in one run of four: its windows are short, so that attempts fail and follow. */
static void draw_keygen(struct sim_plan *plan, struct sim_rng *r)
{
    plan->params.sealing = sim_rng_chance(r, 250);
    plan->params.keygen_window_ms = sim_rng_u32(r, 100, 1500);
    plan->params.keygen_retry_ms = plan->params.keygen_window_ms + sim_rng_u32(r, 0, 3000);
}

/* Half of the times heights open little and the calendar is small, so that entries spill and are turned
 * away. The key comes first, perhaps at the second attempt. */
static void seal_traffic(struct sim_plan *plan, struct sim_rng *r)
{
    static const uint32_t often[] = {200, 500, 1000};
    struct slu_params *p = &plan->params;
    bool small = sim_rng_chance(r, 500);
    plan->sealed_permille = often[sim_rng_below(r, 3)];
    plan->sealed_max = sim_rng_chance(r, 100) ? 250 : sim_rng_u32(r, 10, 50);
    plan->sealed_burst = sim_rng_u32(r, 1, 12);
    plan->sealed_forced_permille = sim_rng_chance(r, 300) ? 0 : 250;
    if (p->tx_bytes_max < SEALED_TX_BYTES)
        p->tx_bytes_max = SEALED_TX_BYTES;
    p->keygen_window_ms = sim_rng_u32(r, 100, 400);
    p->keygen_retry_ms = p->keygen_window_ms + sim_rng_u32(r, 0, 1500);
    p->due_bytes_per_block = small ? 4u * p->tx_bytes_max + sim_rng_u32(r, 0, 2048) : 65536;
    p->calendar_bytes_max = (plan->n + 1u) * 4096u * (small ? sim_rng_u32(r, 1, 3) : 32u);
    p->unlock_horizon_ms = sim_rng_range(r, 1000, 6000);
    if (p->inbox_ids_max > 64) /* the run is longer: more ids are remembered at once */
        p->inbox_ids_max = 4096;
    if (plan->forced_permille > 200)
        plan->forced_permille = 200;
    uint64_t more = 5u * p->keygen_window_ms + sim_rng_range(r, 400, 1500);
    plan->load_until_ms += more;
    plan->run_until_ms += more;
    plan->give_up_ms += more;
}

/* In most runs with a key generation. */
static void draw_sealed(struct sim_plan *plan)
{
    struct sim_rng r = sim_rng_of(plan->seed ^ UINT64_C(0x5ea1), plan->n);
    if (!plan->params.sealing || sim_rng_chance(&r, 200))
        return;
    seal_traffic(plan, &r);
    draw_share_deviants(plan, &r);
}

/* In most runs. */
static void draw_bundles(struct sim_plan *plan)
{
    static const uint32_t often[] = {0, 50, 200, 500};
    struct sim_rng r = sim_rng_of(plan->seed ^ UINT64_C(0xb0d1), plan->n);
    plan->bundle_permille = often[sim_rng_below(&r, 4)];
}

void sim_plan_draw(struct sim_plan *plan, uint64_t seed, uint16_t n)
{
    struct sim_rng r = sim_rng_of(seed, n);
    sim_plan_quiet(plan, seed, n);
    draw_params(&plan->params, &r, n);
    draw_load(plan, &r);
    struct sim_rng inbox = sim_rng_of(seed ^ UINT64_C(0x1b0c), n);
    draw_inbox(plan, &inbox);
    struct sim_rng keygen = sim_rng_of(seed ^ UINT64_C(0x6b67), n);
    draw_keygen(plan, &keygen);
    plan->faultless = sim_rng_chance(&r, 80);
    uint64_t end = 0;
    if (!plan->faultless) {
        draw_network(plan, &r, &end);
        draw_roles(plan, &r);
        draw_crashes(plan, &r, &end);
        draw_deviants(plan);
        uint32_t pauses = sim_rng_chance(&r, 200) ? sim_rng_u32(&r, 1, 2) : 0;
        for (uint32_t i = 0; i < pauses; i++) {
            uint64_t from = sim_rng_range(&r, 0, end + 600),
                     to = from + sim_rng_range(&r, 100, 1500);
            plan->pauses[plan->pause_count++] =
                (struct sim_pause){(uint16_t)sim_rng_below(&r, n), from, to};
            end = to > end ? to : end;
        }
    } else {
        plan->style = (enum sim_style)sim_rng_below(&r, SIM_STYLES);
        plan->clock_jump_permille = 0;
    }
    plan->calm_ms = plan->wild_ms = end;
    plan->load_until_ms = end + sim_rng_range(&r, 300, 1200);
    plan->run_until_ms = plan->load_until_ms + sim_rng_range(&r, 100, 600);
    plan->give_up_ms = plan->run_until_ms + 3 * sim_plan_patience_ms(plan);
    draw_sealed(plan);
    draw_bundles(plan);
}

uint64_t sim_plan_patience_ms(const struct sim_plan *plan)
{
    const struct slu_params *p = &plan->params;
    uint64_t f = (plan->n - 1u) / 3u;
    uint64_t base = p->heartbeat_idle_ms + 8u * p->delta_ms;
    uint64_t timer = base > p->timer_cap_ms ? base : p->timer_cap_ms;
    if (plan->faultless)
        return base + 4u * p->delta_ms + 100;
    return 2u * p->standstill_ms + (f + 2) * (timer + 2u * p->delta_ms) + 4u * p->resend_ms;
}

void sim_plan_genesis(const struct sim_plan *plan, struct slu_genesis *genesis)
{
    memset(genesis, 0, sizeof *genesis);
    genesis->version = SLU_PROTOCOL_VERSION;
    strcpy(genesis->name, "sim");
    genesis->created_ms = CHAIN_CREATED_MS;
    genesis->n = plan->n;
    for (uint16_t i = 0; i < plan->n; i++) {
        genesis->nodes[i].public32[0] = (uint8_t)(i + 1);
        genesis->nodes[i].stake = 1;
        snprintf(genesis->nodes[i].address, sizeof genesis->nodes[i].address, "sim://%u", i);
    }
    sim_seal_keys(genesis);
    static const uint64_t ids[] = {1, 2, SIM_STRICT_ROLLUP, 7};
    for (uint16_t i = 0; i < 4; i++) {
        struct slu_genesis_rollup *row = &genesis->rollups[genesis->rollup_count];
        bool strict = ids[i] == SIM_STRICT_ROLLUP;
        if (strict && !plan->bundle_permille)
            continue;
        *row = (struct slu_genesis_rollup){.id = ids[i], .sealed_only = strict, .rate_share = 1};
        snprintf(row->name, sizeof row->name, "rollup-%u", genesis->rollup_count++);
    }
    genesis->open_rollups = plan->open_rollups;
    genesis->params = plan->params;
    char why[200];
    int rc = slu_genesis_seal(genesis, why, sizeof why);
    if (rc)
        fprintf(stderr, "genesis: %s\n", why);
    SLU_CHECK(rc == 0);
}
