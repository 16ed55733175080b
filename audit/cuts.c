/* What a block takes out of the lanes, and its time (clause 3.3), and the batches that this makes.
 */
#include <string.h>

#include "audit/state.h"
#include "sluice/error.h"
#include "wire/batch.h"

#define TIME_STEP_MS 5000u

int audit_clock(struct slu_audit *a)
{
    const struct slu_block *block = &a->block, *parent = &a->parent;
    if (block->time_ms <= parent->time_ms)
        return audit_fault(a, SLU_AUDIT_CLOCK, "time stands still");
    if (parent->height > 0 && block->time_ms > parent->time_ms + TIME_STEP_MS)
        return audit_fault(a, SLU_AUDIT_CLOCK, "time leaps by %llu ms",
                           (unsigned long long)(block->time_ms - parent->time_ms));
    if (!a->has_reports) {
        audit_skip(a, SLU_AUDIT_CLOCK, 1);
        return SLU_OK;
    }
    uint64_t time = slu_block_time(a->g, parent, a->named);
    if (block->time_ms != time)
        return audit_fault(a, SLU_AUDIT_CLOCK, "time is %llu, by its reports it is %llu",
                           (unsigned long long)block->time_ms, (unsigned long long)time);
    audit_count(a, SLU_AUDIT_CLOCK, 1, true);
    return SLU_OK;
}

/* ---- headers and bodies ---- */

static struct audit_header *header_place(struct slu_audit *a, const uint8_t digest32[32])
{
    uint32_t place;
    memcpy(&place, digest32, sizeof place);
    return &a->headers[place % AUDIT_HEADERS];
}

/* Adds a batch of the block: its header's signature and its payload's digest are checked. */
static int add_batch(struct slu_audit *a, const struct slu_batch_header *h, const uint8_t *payload)
{
    uint8_t digest[32];
    if (!a->verifier.verify(a->verifier.context, h->lane, h->digest, h->signature))
        return audit_fault(a, SLU_AUDIT_ORDER, "batch %llu of lane %u is not signed by its owner",
                           (unsigned long long)h->position, h->lane);
    slu_payload_digest(digest, a->g, payload, h->payload_bytes);
    if (!audit_same(digest, h->payload_digest))
        return audit_fault(a, SLU_AUDIT_ORDER, "batch %llu of lane %u has another payload",
                           (unsigned long long)h->position, h->lane);
    void *array = a->lane_batches;
    int rc = audit_grow(&array, &a->batch_cap, a->batch_count + 1, sizeof *a->lane_batches);
    a->lane_batches = array;
    if (rc)
        return rc;
    a->lane_batches[a->batch_count++] =
        (struct audit_batch){.header = *h, .payload = a->bodies.len};
    return audit_bytes_add(&a->bodies, payload, h->payload_bytes);
}

/* The header of a batch; with its body when the block has it. NOT_FOUND: it is not in the store. */
static int read_batch(struct slu_audit *a, uint16_t lane, const struct slu_tip *tip, bool with_body,
                      struct audit_header *out)
{
    struct audit_header *place = header_place(a, tip->digest);
    struct slu_batch_header h;
    const uint8_t *value;
    size_t len;
    if (!with_body && audit_same(place->digest, tip->digest) && place->position == tip->position) {
        *out = *place;
        return SLU_OK;
    }
    int rc = audit_get(a->store, SLU_REC_BATCH, lane, tip->position, tip->digest, &value, &len);
    if (rc)
        return rc;
    struct slu_reader r = slu_reader_of(value, len);
    if (slu_batch_header_read(&r, a->g, &h) || h.lane != lane || h.position != tip->position ||
        !audit_same(h.digest, tip->digest) || slu_reader_left(&r) != h.payload_bytes)
        return audit_fault(a, SLU_AUDIT_ORDER, "batch %llu of lane %u is not the one that is named",
                           (unsigned long long)tip->position, lane);
    *out = (struct audit_header){
        .position = h.position, .payload_bytes = h.payload_bytes, .txs = h.txs};
    memcpy(out->digest, h.digest, 32);
    memcpy(out->parent, h.parent, 32);
    *place = *out;
    return with_body ? add_batch(a, &h, r.at) : SLU_OK;
}

/* ---- one lane ---- */

/* The longest run of the path, from the parent's cut up, that fits. */
static struct slu_tip clamp(const struct slu_audit *a, const struct slu_tip *from, size_t count)
{
    struct slu_lane_part part = {0};
    struct slu_tip cut = *from;
    for (size_t i = count; i-- > 0;) {
        const struct audit_header *h = &a->path[i];
        if (!slu_lane_part_take(&part, a->g, h->payload_bytes, h->txs))
            break;
        cut.position = h->position;
        memcpy(cut.digest, h->digest, 32);
    }
    return cut;
}

/* Walks from `tip` down to the parent's cut. The path is complete unless a header above the block's
 * cut is not in the store: then *count is that of the part below. */
static int walk(struct slu_audit *a, uint16_t lane, const struct slu_tip *tip, size_t *count,
                bool *complete)
{
    const struct slu_tip *from = &a->parent.cut[lane], *cut = &a->block.cut[lane];
    struct slu_tip at = *tip;
    *count = 0;
    *complete = true;
    while (at.position > from->position) {
        void *array = a->path;
        int rc = audit_grow(&array, &a->path_cap, *count + 1, sizeof *a->path);
        a->path = array;
        if (rc)
            return rc;
        bool mine = at.position <= cut->position;
        if (at.position == cut->position && !audit_same(at.digest, cut->digest))
            return audit_fault(a, SLU_AUDIT_CUTS,
                               "lane %u is cut beside the chain that is certified", lane);
        rc = read_batch(a, lane, &at, mine, &a->path[*count]);
        if (rc == SLU_ERR_NOT_FOUND && !mine) {
            *complete = false;
            *count = 0;
            at = *cut;
            continue;
        }
        if (rc == SLU_ERR_NOT_FOUND)
            return audit_fault(a, SLU_AUDIT_ORDER, "batch %llu of lane %u is missing",
                               (unsigned long long)at.position, lane);
        if (rc)
            return rc;
        at.position--;
        memcpy(at.digest, a->path[(*count)++].parent, 32);
    }
    if (!audit_same(at.digest, from->digest))
        return audit_fault(a, SLU_AUDIT_CUTS, "lane %u leaves the chain that was cut below", lane);
    return SLU_OK;
}

static int check_lane(struct slu_audit *a, uint16_t lane, bool frozen)
{
    const struct slu_tip *from = &a->parent.cut[lane], *cut = &a->block.cut[lane];
    const struct slu_tip *tip = NULL;
    size_t count;
    bool complete;
    if (cut->position < from->position ||
        (cut->position == from->position && !audit_same(cut->digest, from->digest)))
        return audit_fault(a, SLU_AUDIT_CUTS, "lane %u is cut below what was ordered", lane);
    if (a->has_reports && !frozen)
        tip = slu_block_highest_tip(a->g, lane, from->position, a->named);
    if (a->has_reports && cut->position > (tip ? tip->position : from->position))
        return audit_fault(a, SLU_AUDIT_CUTS,
                           "lane %u ends at %llu, its reports certify no more than %llu", lane,
                           (unsigned long long)cut->position,
                           (unsigned long long)(tip ? tip->position : from->position));
    a->lane_first[lane] = a->batch_count;
    int rc = walk(a, lane, tip ? tip : cut, &count, &complete);
    a->lane_count[lane] = a->batch_count - a->lane_first[lane];
    if (rc)
        return rc;
    struct slu_tip want = clamp(a, from, count);
    if (want.position < cut->position)
        return audit_fault(a, SLU_AUDIT_CUTS, "lane %u has more than its part of the block", lane);
    if (complete && a->has_reports && want.position != cut->position)
        return audit_fault(a, SLU_AUDIT_CUTS, "lane %u ends at %llu, by its reports it is %llu",
                           lane, (unsigned long long)cut->position,
                           (unsigned long long)want.position);
    if (complete && a->has_reports)
        audit_count(a, SLU_AUDIT_CUTS, 1, true);
    else
        audit_skip(a, SLU_AUDIT_CUTS, 1);
    return SLU_OK;
}

/* Clause 4.1: one batch of each lane, round and round, lowest position first. */
static int make_plan(struct slu_audit *a)
{
    void *array = a->plan;
    int rc = audit_grow(&array, &a->plan_cap, a->batch_count, sizeof *a->plan);
    a->plan = array;
    size_t planned = 0;
    for (size_t round = 0; !rc && planned < a->batch_count; round++)
        for (uint16_t k = 0; k < a->n; k++) {
            uint16_t lane = (uint16_t)((a->height + k) % a->n);
            if (round < a->lane_count[lane])
                a->plan[planned++] =
                    (uint32_t)(a->lane_first[lane] + a->lane_count[lane] - 1 - round);
        }
    return rc;
}

int audit_cuts(struct slu_audit *a)
{
    bool frozen = a->has_reports && slu_block_frozen(a->g, &a->parent, a->named);
    int rc = SLU_OK;
    a->batch_count = 0;
    a->bodies.len = 0;
    for (uint16_t l = 0; l < a->n && !rc; l++)
        rc = check_lane(a, l, frozen);
    return rc ? rc : make_plan(a);
}
