#include "tests/sim/world.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/inbox.h"
#include "tests/sim/sim.h"

void world_init(struct world *world, struct sim *sim)
{
    *world = (struct world){.sim = sim};
    struct slu_block genesis;
    slu_block_genesis(&genesis, &sim->genesis);
    struct slu_message *m = &sim->scratch;
    m->kind = SLU_MSG_BLOCKS;
    m->blocks.count = 1;
    m->blocks.has_cert = false;
    m->blocks.items[0] = genesis;
    world_see(world, m, false);
}

void world_free(struct world *world)
{
    for (uint32_t i = 0; i < world->batch_count; i++)
        free(world->batches[i].payload);
    for (uint32_t i = 0; i < world->item_count; i++)
        free(world->items[i].content);
    for (uint32_t i = 0; i < world->block_count; i++)
        free((void *)(uintptr_t)world->blocks[i].queued);
    free(world->items);
    free(world->list);
    free(world->sorted);
    sim_table_free(&world->item_at);
    free(world->batches);
    free(world->reports);
    free(world->proposals);
    free(world->blocks);
    free(world->views);
    sim_table_free(&world->batch_at);
    sim_table_free(&world->report_at);
    sim_table_free(&world->proposal_at);
    sim_table_free(&world->block_at);
    sim_table_free(&world->certified_at);
    sim_table_free(&world->final_at);
}

struct world_view *world_view(struct world *world, uint64_t view)
{
    SLU_CHECK(view < UINT32_C(1) << 20);
    world->views = sim_grow(world->views, &world->view_cap, (uint32_t)view, sizeof *world->views);
    if (view > world->view_top)
        world->view_top = view;
    return &world->views[view];
}

/* ---- things ---- */

static uint32_t see_header(struct world *world, const struct slu_batch_header *header)
{
    uint32_t at = sim_table_get(&world->batch_at, header->digest);
    if (at != SIM_NONE)
        return at;
    world->batches =
        sim_grow(world->batches, &world->batch_cap, world->batch_count, sizeof *world->batches);
    at = world->batch_count++;
    world->batches[at] = (struct world_batch){.header = *header, .parent = SIM_NONE};
    sim_table_put(&world->batch_at, header->digest, at);
    return at;
}

void world_see_payload(struct world *world, const struct slu_batch_header *header,
                       const uint8_t *payload)
{
    uint32_t at = see_header(world, header);
    struct world_batch *batch = &world->batches[at];
    if (batch->payload)
        return;
    batch->payload = sim_alloc(header->payload_bytes);
    memcpy(batch->payload, payload, header->payload_bytes);
}

static void see_report(struct world *world, const struct slu_report *report, bool sent)
{
    uint32_t at = sim_table_get(&world->report_at, report->digest);
    if (at == SIM_NONE) {
        world->reports = sim_grow(world->reports, &world->report_cap, world->report_count,
                                  sizeof *world->reports);
        at = world->report_count++;
        slu_report_copy(&world->reports[at].report, report);
        sim_table_put(&world->report_at, report->digest, at);
    }
    world->reports[at].sent |= sent;
}

static void see_block(struct world *world, const struct slu_block *block)
{
    if (sim_table_get(&world->block_at, block->digest) != SIM_NONE)
        return;
    world->blocks =
        sim_grow(world->blocks, &world->block_cap, world->block_count, sizeof *world->blocks);
    struct slu_block *kept = &world->blocks[world->block_count];
    *kept = *block;
    size_t list = slu_block_list_bytes(block);
    uint8_t *queued = sim_alloc(list);
    if (list)
        memcpy(queued, block->queued, list);
    kept->queued = queued;
    sim_table_put(&world->block_at, block->digest, world->block_count++);
}

static void see_proposal(struct world *world, const struct slu_proposal *proposal, bool sent)
{
    uint32_t same = sim_table_get(&world->proposal_at, proposal->block);
    if (proposal->view > world->view_top + 2000)
        return;
    for (uint32_t at = same; at != SIM_NONE; at = world->proposals[at].next_same)
        if (!memcmp(world->proposals[at].proposal.digest, proposal->digest, 32)) {
            world->proposals[at].sent |= sent;
            return;
        }
    world->proposals = sim_grow(world->proposals, &world->proposal_cap, world->proposal_count,
                                sizeof *world->proposals);
    uint32_t at = world->proposal_count++;
    struct world_view *view = world_view(world, proposal->view);
    world->proposals[at] = (struct world_proposal){
        .proposal = *proposal, .next = view->proposals, .next_same = same, .sent = sent};
    view->proposals = at + 1;
    sim_table_put(&world->proposal_at, proposal->block, at);
}

void world_see(struct world *world, const struct slu_message *m, bool sent)
{
    if (m->kind == SLU_MSG_BATCH) {
        world_see_payload(world, &m->batch.header, m->batch.payload);
        world_batch(world, m->batch.header.digest)->sent |= sent;
    }
    if (m->kind == SLU_MSG_REPORT)
        see_report(world, &m->report, sent);
    else if (m->kind == SLU_MSG_PROPOSAL)
        see_proposal(world, &m->proposal, sent);
    else if (m->kind == SLU_MSG_RELAY)
        world_see_relay(world, &m->relay);
    else if (m->kind == SLU_MSG_HOLDS)
        world_see_holds(world, &m->holds);
    for (uint16_t i = 0; m->kind == SLU_MSG_HEADERS && sent && i < m->headers.count; i++) {
        uint32_t at = see_header(world, &m->headers.items[i]);
        world->batches[at].sent = true;
    }
    for (uint16_t i = 0; m->kind == SLU_MSG_BLOCKS && i < m->blocks.count; i++)
        see_block(world, &m->blocks.items[i]);
}

/* vote | proposal | q reports | block: all that a lone node ever shows of its proposals. */
void world_see_notarize(struct world *world, const uint8_t *record, size_t len)
{
    const struct slu_genesis *g = &world->sim->genesis;
    struct slu_reader r = slu_reader_of(record, len);
    struct slu_vote vote;
    struct slu_message *m = &world->sim->scratch;
    m->kind = SLU_MSG_PROPOSAL;
    if (slu_vote_read(&r, g, &vote) || slu_proposal_read(&r, g, &m->proposal)) {
        sim_violation(world->sim, 7, "a Notarize record does not parse");
        return;
    }
    world_see(world, m, false);
    m->kind = SLU_MSG_REPORT;
    for (uint16_t i = 0; i < slu_genesis_q(g) && !slu_report_read(&r, g, &m->report); i++)
        world_see(world, m, false);
}

struct world_batch *world_batch(struct world *world, const uint8_t digest32[32])
{
    uint32_t at = sim_table_get(&world->batch_at, digest32);
    return at == SIM_NONE ? NULL : &world->batches[at];
}

const struct slu_report *world_report(const struct world *world, const uint8_t digest32[32])
{
    uint32_t at = sim_table_get(&world->report_at, digest32);
    return at == SIM_NONE ? NULL : &world->reports[at].report;
}

const struct slu_block *world_block(const struct world *world, const uint8_t digest32[32])
{
    uint32_t at = sim_table_get(&world->block_at, digest32);
    return at == SIM_NONE ? NULL : &world->blocks[at];
}

static uint32_t parent_of(struct world *world, uint32_t at)
{
    struct world_batch *batch = &world->batches[at];
    if (batch->parent == SIM_NONE && batch->header.position > 1)
        batch->parent = sim_table_get(&world->batch_at, batch->header.parent);
    return batch->parent;
}

uint32_t world_ancestor(struct world *world, const uint8_t digest32[32], uint64_t position)
{
    uint32_t at = sim_table_get(&world->batch_at, digest32);
    while (at != SIM_NONE && world->batches[at].header.position > position)
        at = parent_of(world, at);
    return at;
}

/* ---- blocks ---- */

static uint64_t median_of(uint64_t *values, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++)
        for (uint16_t j = 0; j + 1 < count; j++)
            if (values[j] > values[j + 1]) {
                uint64_t swap = values[j];
                values[j] = values[j + 1];
                values[j + 1] = swap;
            }
    return values[(count - 1) / 2];
}

/* The maximal tip of a lane over the reports, clamped by the quotas. False: unknown headers. */
static bool lane_cut(struct world *world, uint16_t lane, const struct slu_tip *from,
                     const struct slu_report *const *reports, uint16_t count, struct slu_tip *out)
{
    const struct slu_tip *top = NULL;
    for (uint16_t i = 0; i < count; i++)
        for (uint16_t k = 0; k < reports[i]->count; k++) {
            const struct slu_lane_tip *tip = &reports[i]->tips[k];
            if (tip->lane == lane && tip->tip.position > (top ? top->position : from->position))
                top = &tip->tip;
        }
    *out = *from;
    if (!top)
        return true;
    uint32_t path[SLU_LANE_WINDOW_BATCHES_CAP], length = 0;
    uint32_t at = sim_table_get(&world->batch_at, top->digest);
    for (; at != SIM_NONE && world->batches[at].header.position > from->position;
         at = parent_of(world, at)) {
        if (length == SLU_LANE_WINDOW_BATCHES_CAP)
            return false;
        path[length++] = at;
    }
    if (length != top->position - from->position ||
        (from->position > 0 &&
         (at == SIM_NONE || memcmp(world->batches[at].header.digest, from->digest, 32) != 0)))
        return false;
    uint64_t bytes = 0, txs = 0;
    for (uint32_t i = length; i-- > 0;) {
        const struct slu_batch_header *h = &world->batches[path[i]].header;
        bytes += h->payload_bytes;
        txs += h->txs;
        if (bytes > world->sim->genesis.params.lane_quota_bytes ||
            txs > slu_genesis_lane_quota_txs(&world->sim->genesis))
            break;
        out->position = h->position;
        memcpy(out->digest, h->digest, 32);
    }
    return true;
}

bool world_compute(struct world *world, const struct slu_proposal *proposal, struct slu_block *out)
{
    const struct slu_genesis *g = &world->sim->genesis;
    const struct slu_block *parent = world_block(world, proposal->parent);
    const struct slu_report *reports[SLU_NODES_MAX];
    uint64_t clocks[SLU_NODES_MAX], released[SLU_NODES_MAX];
    if (!parent)
        return false;
    for (uint16_t i = 0; i < proposal->count; i++) {
        reports[i] = world_report(world, proposal->reports[i].digest);
        if (!reports[i])
            return false;
        clocks[i] = reports[i]->clock_ms;
        released[i] = reports[i]->released;
    }
    *out = (struct slu_block){.view = proposal->view, .height = parent->height + 1, .n = g->n};
    memcpy(out->parent, parent->digest, 32);
    uint64_t time = median_of(clocks, proposal->count), floor = parent->time_ms + 1;
    if (parent->height > 0 && time > parent->time_ms + 5000)
        time = parent->time_ms + 5000;
    out->time_ms = time > floor ? time : floor;
    uint64_t lag = median_of(released, proposal->count);
    bool hold = lag + g->params.release_lag_max < parent->height;
    bool moved = false;
    for (uint16_t l = 0; l < g->n; l++) {
        out->cut[l] = parent->cut[l];
        if (!hold && !lane_cut(world, l, &parent->cut[l], reports, proposal->count, &out->cut[l]))
            return false;
        moved |= out->cut[l].position != parent->cut[l].position;
    }
    if (!world_queue(world, parent, reports, proposal->count, out))
        return false;
    moved |= out->queued_count > 0 || out->tail.height >= out->height;
    out->idle_run = moved ? 0 : parent->idle_run + 1;
    slu_reports_digest(out->reports, g, proposal->reports, proposal->count);
    slu_block_digest(out, g);
    return true;
}

/* Computes what is known enough of, so that children can be computed in turn. */
static void compute_proposal(struct world *world, uint32_t at)
{
    struct slu_proposal proposal = world->proposals[at].proposal;
    struct slu_block block;
    if (!world_block(world, proposal.parent) && proposal.parent_view > 0)
        world_proposal(world, proposal.parent);
    if (world_compute(world, &proposal, &block)) {
        world->proposals[at].computed = true;
        world->proposals[at].right = !memcmp(block.digest, proposal.block, 32);
        see_block(world, &block);
    }
}

struct world_proposal *world_proposal(struct world *world, const uint8_t block32[32])
{
    uint32_t at = sim_table_get(&world->proposal_at, block32);
    if (at == SIM_NONE)
        return NULL;
    for (uint32_t each = at; each != SIM_NONE; each = world->proposals[each].next_same) {
        if (!world->proposals[each].computed)
            compute_proposal(world, each);
        if (world->proposals[each].right)
            return &world->proposals[each];
    }
    return &world->proposals[at];
}

/* ---- votes ---- */

static struct world_candidate *candidate(struct world *world, enum slu_vote_kind kind,
                                         uint64_t view, const uint8_t digest32[32])
{
    struct world_view *at = world_view(world, view);
    struct world_candidate *list = kind == SLU_NOTARIZE ? at->notarize : at->finalize;
    for (uint32_t i = 0; i < WORLD_CANDIDATES; i++) {
        if (list[i].voters && memcmp(list[i].digest, digest32, 32) != 0)
            continue;
        memcpy(list[i].digest, digest32, 32);
        return &list[i];
    }
    return NULL;
}

static bool is_quorum(const struct world *world, uint64_t voters)
{
    return __builtin_popcountll(voters | world->sim->byzantine) >=
           (int)slu_genesis_q(&world->sim->genesis);
}

/* A node that lost its disk may ack twice: it counts among the faulty for acks. */
static bool is_ack_quorum(const struct world *world, uint64_t ackers)
{
    return is_quorum(world, ackers | world->sim->wiped);
}

bool world_certifiable(struct world *world, enum slu_vote_kind kind, uint64_t view,
                       const uint8_t block32[32], uint64_t more)
{
    if (kind == SLU_NULLIFY)
        return is_quorum(world, world_view(world, view)->nullify | more);
    uint8_t digest[32];
    slu_vote_digest(digest, &world->sim->genesis, kind, view, block32);
    struct world_candidate *at = candidate(world, kind, view, digest);
    uint64_t voters = at ? at->voters : 0;
    if (kind == SLU_NOTARIZE) /* a Finalize counts as a Notarize */
        return is_quorum(world, voters | more) ||
               world_certifiable(world, SLU_FINALIZE, view, block32, more);
    return is_quorum(world, voters | more);
}

static void check_view(struct world *world, uint64_t view)
{
    struct world_view *at = world_view(world, view);
    uint32_t notarized = 0, finalized = 0;
    for (uint32_t i = 0; i < WORLD_CANDIDATES; i++) {
        notarized += at->notarize[i].voters && is_quorum(world, at->notarize[i].voters);
        finalized += at->finalize[i].voters && is_quorum(world, at->finalize[i].voters);
    }
    if (notarized > 1)
        sim_violation(world->sim, 2, "two blocks can be notarized in view %lu", view);
    if (finalized > 1)
        sim_violation(world->sim, 5, "two blocks can be final in view %lu", view);
    if (finalized && is_quorum(world, at->nullify))
        sim_violation(world->sim, 5, "view %lu can be both final and nullified", view);
}

/* The block of a final view and its ancestors may be delivered. */
static void mark_final(struct world *world, uint64_t view, const uint8_t digest32[32])
{
    for (uint32_t at = world_view(world, view)->proposals; at; at = world->proposals[at - 1].next) {
        uint8_t digest[32], block[32];
        memcpy(block, world->proposals[at - 1].proposal.block, 32);
        slu_vote_digest(digest, &world->sim->genesis, SLU_FINALIZE, view, block);
        if (memcmp(digest, digest32, 32) != 0)
            continue;
        world_proposal(world, block);
        const struct slu_block *found;
        while ((found = world_block(world, block)) != NULL &&
               sim_table_get(&world->final_at, block) == SIM_NONE) {
            sim_table_put(&world->final_at, block, 1);
            memcpy(block, found->parent, 32);
        }
    }
}

void world_vote(struct world *world, uint16_t node, enum slu_vote_kind kind, uint64_t view,
                const uint8_t digest32[32])
{
    uint64_t bit = UINT64_C(1) << node;
    if (kind == SLU_NULLIFY) {
        world_view(world, view)->nullify |= bit;
    } else {
        struct world_candidate *at = candidate(world, kind, view, digest32);
        if (!at) {
            sim_violation(world->sim, 2, "too many candidates in view %lu", view);
            return;
        }
        at->voters |= bit;
        if (kind == SLU_FINALIZE && is_quorum(world, at->voters))
            mark_final(world, view, digest32);
    }
    check_view(world, view);
}

static void check_tips(struct world *world, uint16_t node, const struct slu_proposal *proposal)
{
    const struct slu_block *parent = world_block(world, proposal->parent);
    for (uint16_t i = 0; i < proposal->count; i++) {
        const struct slu_report *report = world_report(world, proposal->reports[i].digest);
        for (uint16_t k = 0; report && k < report->count; k++) {
            const struct slu_lane_tip *tip = &report->tips[k];
            if (tip->tip.position <= parent->cut[tip->lane].position)
                continue;
            const struct world_batch *batch = world_batch(world, tip->tip.digest);
            if (!batch || !is_ack_quorum(world, batch->ackers | UINT64_C(1) << node))
                sim_violation(world->sim, 6,
                              "node %u notarized view %lu over an uncertified tip of lane %u", node,
                              proposal->view, tip->lane);
        }
    }
    const struct slu_block *block = world_block(world, proposal->block);
    for (uint16_t k = 0; block && k < block->queued_count; k++) {
        struct slu_inbox_tuple t;
        slu_inbox_tuple_at(block->queued, k, &t);
        if (!world_item_certifiable(world, &t, UINT64_C(1) << node))
            sim_violation(world->sim, 11, "node %u notarized view %lu with an uncertified item",
                          node, proposal->view);
    }
}

void world_check_notarize(struct world *world, uint16_t node, uint64_t view,
                          const uint8_t digest32[32])
{
    struct sim *sim = world->sim;
    uint64_t self = UINT64_C(1) << node;
    struct world_proposal *found = NULL;
    for (uint32_t at = world_view(world, view)->proposals; at;) {
        uint8_t digest[32];
        const struct world_proposal *p = &world->proposals[at - 1];
        slu_vote_digest(digest, &sim->genesis, SLU_NOTARIZE, view, p->proposal.block);
        if (!memcmp(digest, digest32, 32))
            found = world_proposal(world, p->proposal.block);
        at = world->proposals[at - 1].next;
    }
    if (!found) {
        sim_violation(sim, 6, "node %u notarized in view %lu what nobody proposed", node, view);
        return;
    }
    struct slu_proposal proposal = found->proposal;
    if (!found->computed || !found->right)
        sim_violation(sim, 9, "node %u notarized in view %lu a block that is not the computed one",
                      node, view);
    uint64_t parent_view = proposal.parent_view;
    if (parent_view > 0 &&
        !world_certifiable(world, SLU_NOTARIZE, parent_view, proposal.parent, self))
        sim_violation(sim, 6, "node %u notarized view %lu over the unnotarized view %lu", node,
                      view, parent_view);
    for (uint64_t u = parent_view + 1; u < view; u++)
        if (!world_certifiable(world, SLU_NULLIFY, u, proposal.block, self))
            sim_violation(sim, 6,
                          "node %u notarized view %lu over view %lu, which is not nullified", node,
                          view, u);
    if (found->computed)
        check_tips(world, node, &proposal);
}

/* ---- acks ---- */

void world_ack(struct world *world, uint16_t node, const struct slu_lane_tip *ack)
{
    uint64_t bit = UINT64_C(1) << node;
    uint32_t at = sim_table_get(&world->batch_at, ack->tip.digest);
    while (at != SIM_NONE && !(world->batches[at].ackers & bit)) {
        struct world_batch *batch = &world->batches[at];
        batch->ackers |= bit;
        if (!batch->certifiable && is_ack_quorum(world, batch->ackers)) {
            batch->certifiable = true;
            uint8_t key[32] = {(uint8_t)batch->header.lane};
            memcpy(key + 1, &batch->header.position, 8);
            uint32_t other = sim_table_get(&world->certified_at, key);
            if (other != SIM_NONE && other != at)
                sim_violation(world->sim, 8, "two digests can be certified at lane %u position %lu",
                              batch->header.lane, batch->header.position);
            sim_table_put(&world->certified_at, key, at);
        }
        at = parent_of(world, at);
    }
}
