/* The computed block (clause 3.3): a function of its parent and of exactly q reports. The leader
 * chooses nothing in here but which quorum it heard. */
#include "consensus/block.h"

#include <string.h>

#include "consensus/state.h"

#define SLU_TIME_STEP_MS 5000u /* stream time catches up by at most this much per block */

uint64_t slu_heartbeat_ms(const struct slu_genesis *g, const struct slu_block *parent)
{
    uint64_t wait = g->params.heartbeat_ms;
    for (uint32_t i = 0; i < parent->idle_run && wait < g->params.heartbeat_idle_ms; i++)
        wait *= 2;
    return wait < g->params.heartbeat_idle_ms ? wait : g->params.heartbeat_idle_ms;
}

/* The lower median of one number per report: position (q-1)/2 in rising order. */
static uint64_t lower_median(uint64_t *values, uint16_t count)
{
    for (uint16_t i = 1; i < count; i++) {
        uint64_t value = values[i];
        uint16_t at = i;
        while (at > 0 && values[at - 1] > value) {
            values[at] = values[at - 1];
            at--;
        }
        values[at] = value;
    }
    return values[(count - 1) / 2];
}

uint64_t slu_block_time(const struct slu_genesis *g, const struct slu_block *parent,
                        const struct slu_report *const *reports)
{
    uint64_t clocks[SLU_NODES_MAX];
    uint16_t q = slu_genesis_q(g);
    for (uint16_t i = 0; i < q; i++)
        clocks[i] = reports[i]->clock_ms;
    uint64_t time = lower_median(clocks, q);
    if (parent->height > 0 && time > parent->time_ms + SLU_TIME_STEP_MS)
        time = parent->time_ms + SLU_TIME_STEP_MS;
    return time > parent->time_ms ? time : parent->time_ms + 1;
}

bool slu_block_frozen(const struct slu_genesis *g, const struct slu_block *parent,
                      const struct slu_report *const *reports)
{
    uint64_t released[SLU_NODES_MAX];
    uint16_t q = slu_genesis_q(g);
    for (uint16_t i = 0; i < q; i++)
        released[i] = reports[i]->released;
    uint64_t median = lower_median(released, q);
    return median < parent->height && parent->height - median > g->params.release_lag_max;
}

const struct slu_tip *slu_block_highest_tip(const struct slu_genesis *g, uint16_t lane,
                                            uint64_t floor, const struct slu_report *const *reports)
{
    const struct slu_tip *best = NULL;
    uint16_t q = slu_genesis_q(g);
    for (uint16_t i = 0; i < q; i++) {
        for (uint16_t k = 0; k < reports[i]->count; k++) {
            const struct slu_lane_tip *at = &reports[i]->tips[k];
            if (at->lane == lane && at->tip.position > floor) {
                floor = at->tip.position;
                best = &at->tip;
            }
        }
    }
    return best;
}

bool slu_lane_part_take(struct slu_lane_part *part, const struct slu_genesis *g,
                        uint32_t payload_bytes, uint32_t txs)
{
    part->bytes += payload_bytes;
    part->txs += txs;
    return part->bytes <= g->params.lane_quota_bytes && part->txs <= slu_genesis_lane_quota_txs(g);
}

/* Clamps a lane's tip to the quotas: the longest run above the parent's cut that fits. False when
 * a header between them is missing. */
static bool clamp(struct slu_core *c, uint16_t lane_index, const struct slu_tip *from,
                  const struct slu_tip *tip, struct slu_tip *out)
{
    const struct slu_lane *lane = &c->lanes[lane_index];
    uint32_t place = slu_lane_find(lane, tip->digest);
    if (place == SLU_NONE || lane->pool[place].h.position != tip->position)
        return false;
    uint32_t count =
        slu_lane_path(c, lane, place, from->position, from->digest, c->path);
    if (count == SLU_NONE)
        return false;
    struct slu_lane_part part = {0};
    *out = *from;
    for (uint32_t i = count; i-- > 0;) {
        const struct slu_batch_header *h = &lane->pool[c->path[i]].h;
        if (!slu_lane_part_take(&part, c->g, h->payload_bytes, h->txs))
            break;
        out->position = h->position;
        memcpy(out->digest, h->digest, 32);
    }
    return true;
}

bool slu_block_compute(struct slu_core *c, struct slu_block *out, const struct slu_block *parent,
                       uint64_t view, const struct slu_report *const *reports)
{
    struct slu_report_ref refs[SLU_NODES_MAX];
    memset(out, 0, sizeof *out);
    out->view = view;
    out->height = parent->height + 1;
    out->n = c->n;
    memcpy(out->parent, parent->digest, 32);
    out->time_ms = slu_block_time(c->g, parent, reports);
    bool frozen = slu_block_frozen(c->g, parent, reports), moved = false;
    for (uint16_t l = 0; l < c->n; l++) {
        out->cut[l] = parent->cut[l];
        if (frozen)
            continue;
        const struct slu_tip *tip =
            slu_block_highest_tip(c->g, l, parent->cut[l].position, reports);
        if (tip && !clamp(c, l, &parent->cut[l], tip, &out->cut[l]))
            return false;
        moved |= out->cut[l].position > parent->cut[l].position;
    }
    if (!slu_queue_compute(c, out, parent, reports))
        return false;
    /* A height at which something is due, or before one, is not idle. */
    moved |= out->queued_count > 0 || out->tail.height >= out->height;
    out->idle_run = moved ? 0 : parent->idle_run + 1;
    for (uint16_t i = 0; i < c->q; i++) {
        refs[i].node = reports[i]->node;
        memcpy(refs[i].digest, reports[i]->digest, 32);
    }
    slu_reports_digest(out->reports, c->g, refs, c->q);
    slu_block_digest(out, c->g);
    return true;
}
