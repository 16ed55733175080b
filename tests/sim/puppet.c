/* A Byzantine node without a core: it speaks the wire format and breaks every rule it can. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/bundle.h"
#include "tests/sim/byz.h"
#include "tests/sim/sealed.h"

static struct sim_rng *rng(struct sim *sim)
{
    return &sim->byz_rng;
}

static uint64_t bit_of(uint16_t node)
{
    return UINT64_C(1) << node;
}

/* ---- lanes ---- */

#define SEALED_BYTES 3000u

/* Where a payload must end that honest nodes take. */
static size_t room_of(const struct sim *sim, size_t most)
{
    size_t bytes = sim->genesis.params.batch_bytes_max;
    return bytes < most ? bytes : most;
}

/* Sealed ones, of any kind, also such as no honest owner takes; returns how many. */
static uint32_t add_sealed(struct sim *sim, struct slu_writer *w, uint8_t *end)
{
    uint32_t count = 0, want = sim_rng_u32(rng(sim), 1, 5);
    uint64_t now_ms = sim->oracle.heights[sim->oracle.top].time_ms;
    if (sim->sealed->count > 400)
        return 0;
    w->end = end;
    while (count < want) {
        const struct sealed_item *item = sealed_draw(sim, rng(sim), sim->oracle.top, now_ms, false);
        if (!item || w->at + item->bytes + 32 > w->end)
            break;
        slu_write_bytes(w, item->envelope, item->bytes);
        count++;
    }
    return count;
}

/* A batch of its own over one of its last tips, so that its lane is a tree. */
static void make_batch(struct sim *sim, uint16_t node, struct slu_message *m, uint32_t parent)
{
    struct byz *byz = sim->byz;
    uint8_t payload[600 + SEALED_BYTES];
    struct slu_writer w = slu_writer_of(payload, 600);
    uint32_t txs = sim_rng_u32(rng(sim), 1, 3);
    for (uint32_t i = 0; i < txs; i++) {
        uint8_t body[64] = {(uint8_t)node, (uint8_t)i};
        byz->made++;
        memcpy(body + 4, &byz->made, 4);
        uint64_t until = sim->genesis.created_ms + sim->now_ms + sim_rng_below(rng(sim), 4000);
        if (sim_rng_chance(&sim->bundle_rng, sim->plan.bundle_permille)) {
            sim_bundle_write(&sim->bundle_rng, &w, until, SIM_BUNDLE_MIN + 100,
                             byz->made | UINT64_C(0xb1) << 56, 600);
            continue;
        }
        slu_tx_write(&w, sim_rng_below(rng(sim), 4), until, sim_rng_chance(rng(sim), 900) ? 0 : 1,
                     body, sim_rng_u32(rng(sim), 8, 64));
    }
    if (sim->sealed->key_count && sim_rng_chance(rng(sim), 400))
        txs += add_sealed(sim, &w, payload + room_of(sim, sizeof payload));
    if (sim_rng_chance(rng(sim), 100))
        slu_write_bytes(&w, "junk after the last envelope", 28);
    if (sim_rng_chance(rng(sim), 100))
        txs += 2; /* more than there are */
    struct slu_batch_header *h = &m->batch.header;
    m->kind = SLU_MSG_BATCH;
    m->batch.payload = payload;
    *h = (struct slu_batch_header){.lane = node, .position = 1, .txs = txs};
    if (parent != SIM_NONE) {
        h->position = sim->world.batches[parent].header.position + 1;
        memcpy(h->parent, sim->world.batches[parent].header.digest, 32);
    }
    h->payload_bytes = (uint32_t)slu_writer_len(&w);
    h->made_at_ms = sim->now_ms;
    slu_payload_digest(h->payload_digest, &sim->genesis, payload, h->payload_bytes);
    slu_batch_header_digest(h, &sim->genesis);
    sim_sign(sim, node, h->signature, h->digest);
    byz_say(sim, node, m, sim_rng_chance(rng(sim), 700) ? byz_some(sim) : byz_honest(sim));
    uint32_t at = sim_table_get(&sim->world.batch_at, h->digest);
    if (at != SIM_NONE)
        byz->tips[node][byz->tip_count[node]++ % 8] = at;
}

static void extend_lane(struct sim *sim, uint16_t node, struct slu_message *m)
{
    struct byz *byz = sim->byz;
    uint32_t parent = SIM_NONE, known = byz->tip_count[node];
    if (known) {
        uint64_t back = sim_rng_below(rng(sim), 3) + 1;
        back = byz_does(sim, BYZ_FORKS) ? back : 1;
        parent = byz->tips[node][(known - (back < known ? back : known)) % 8];
    }
    if (sim->world.batch_count > 3000)
        return;
    make_batch(sim, node, m, parent);
    if (byz_does(sim, BYZ_FORKS)) {
        sim->result.counts[SIM_N_FORKS]++;
        make_batch(sim, node, m, parent);
    }
}

/* Acks of some lately made batches, whatever else it acked. */
static void send_acks(struct sim *sim, uint16_t node, struct slu_message *m, uint64_t to)
{
    struct world *world = &sim->world;
    m->kind = SLU_MSG_ACKS;
    m->acks = (struct slu_ack_vector){.node = node};
    for (uint16_t l = 0; l < sim->plan.n; l++) {
        for (uint32_t i = 0; i < 60 && i < world->batch_count; i++) {
            const struct world_batch *batch = &world->batches[world->batch_count - 1 - i];
            const struct slu_batch_header *h = &batch->header;
            if (h->lane != l || !batch->sent || sim_rng_chance(rng(sim), 300))
                continue;
            struct slu_lane_tip *tip = &m->acks.acks[m->acks.count++];
            tip->lane = l;
            tip->tip.position = h->position;
            memcpy(tip->tip.digest, h->digest, 32);
            break;
        }
    }
    slu_ack_vector_digest(&m->acks, &sim->genesis);
    sim_sign(sim, node, m->acks.signature, m->acks.digest);
    byz_say(sim, node, m, to);
}

/* ---- reports ---- */

static void add_tip(struct sim *sim, struct slu_report *report, uint16_t lane)
{
    struct world *world = &sim->world;
    bool unbacked = byz_does(sim, BYZ_UNBACKED) && sim_rng_chance(rng(sim), 200);
    bool highest = sim_rng_chance(rng(sim), 700);
    const struct slu_batch_header *best = NULL;
    for (uint32_t i = 0; i < 120 && i < world->batch_count; i++) {
        const struct world_batch *batch = &world->batches[world->batch_count - 1 - i];
        if (batch->header.lane != lane || !batch->sent || (!unbacked && !byz_formable(sim, batch)))
            continue;
        if (!best ||
            (highest ? batch->header.position > best->position : sim_rng_chance(rng(sim), 300)))
            best = &batch->header;
        if (unbacked && sim_rng_chance(rng(sim), 300))
            break;
    }
    if (!best || sim_rng_chance(rng(sim), 200))
        return;
    struct slu_lane_tip *tip = &report->tips[report->count++];
    tip->lane = lane;
    tip->tip.position = best->position;
    memcpy(tip->tip.digest, best->digest, 32);
}

static void send_report(struct sim *sim, uint16_t node, struct slu_message *m, uint64_t view)
{
    static const int64_t wild[] = {-1000000, 0, 0, 0, 1000, 1000000000};
    uint16_t leader = (uint16_t)(view % sim->plan.n);
    uint32_t times = byz_does(sim, BYZ_TWO_REPORTS) ? 2 : 1;
    for (uint32_t i = 0; i < times; i++) {
        m->kind = SLU_MSG_REPORT;
        m->report = (struct slu_report){.view = view, .node = node};
        m->report.clock_ms = (uint64_t)((int64_t)(sim->genesis.created_ms + sim->now_ms) +
                                        wild[sim_rng_below(rng(sim), 6)]);
        m->report.released = sim_rng_chance(rng(sim), 800)
                                 ? sim->oracle.top
                                 : sim_rng_below(rng(sim), sim->oracle.top * 2 + 1);
        for (uint16_t l = 0; l < sim->plan.n; l++)
            add_tip(sim, &m->report, l);
        puppet_list(sim, &m->report);
        slu_report_digest(&m->report, &sim->genesis);
        sim_sign(sim, node, m->report.signature, m->report.digest);
        sim->result.counts[SIM_N_BAD_REPORTS]++;
        uint64_t to = sim_rng_chance(rng(sim), 700) ? byz_some(sim) : byz_honest(sim);
        if (byz_does(sim, BYZ_TO_LEADER)) {
            to = bit_of(leader);
            byz_say(sim, node, m, to);
            byz_replay(sim, node, SLU_MSG_ACKS, to);
            send_acks(sim, node, m, to);
            continue;
        }
        byz_say(sim, node, m, to);
    }
}

/* ---- proposals ---- */

/* A parent that voters will accept: the newest notarizable block, or an older one. */
static bool pick_parent(struct sim *sim, uint64_t view, struct slu_proposal *out)
{
    bool old = byz_does(sim, BYZ_OLD_PARENT), found = false;
    static const uint8_t none[32];
    if (old && sim->world.proposal_count && sim_rng_chance(rng(sim), 300)) {
        /* any block that was ever proposed, notarized or not, skipping whatever is between */
        uint64_t back = sim_rng_below(rng(sim), 8) % sim->world.proposal_count;
        const struct slu_proposal *any =
            &sim->world.proposals[sim->world.proposal_count - 1 - back].proposal;
        out->parent_view = any->view;
        memcpy(out->parent, any->block, 32);
        return any->view < view;
    }
    for (uint64_t u = view - 1; u > 0; u--) {
        for (uint32_t at = world_view(&sim->world, u)->proposals; at;
             at = sim->world.proposals[at - 1].next) {
            const uint8_t *block = sim->world.proposals[at - 1].proposal.block;
            if (!world_certifiable(&sim->world, SLU_NOTARIZE, u, block, 0))
                continue;
            out->parent_view = u;
            memcpy(out->parent, block, 32);
            found = true;
            if (!old || sim_rng_chance(rng(sim), 500))
                return true;
        }
        if (!world_certifiable(&sim->world, SLU_NULLIFY, u, none, 0))
            return found;
    }
    if (!found) {
        out->parent_view = 0;
        memcpy(out->parent, sim->world.blocks[0].digest, 32);
    }
    return true;
}

static bool pick_reports(struct sim *sim, uint16_t node, struct slu_proposal *p)
{
    struct world *world = &sim->world;
    uint32_t chosen[SIM_NODES_MAX];
    uint16_t have = 0, q = slu_genesis_q(&sim->genesis);
    memset(chosen, 0xff, sizeof chosen);
    for (uint32_t i = 0; i < 400 && i < world->report_count; i++) {
        const struct slu_report *report = &world->reports[world->report_count - 1 - i].report;
        if (report->view != p->view || !world->reports[world->report_count - 1 - i].sent)
            continue;
        if (chosen[report->node] == SIM_NONE)
            have++;
        else if (sim_rng_chance(rng(sim), 500))
            continue;
        chosen[report->node] = world->report_count - 1 - i;
    }
    if (have < q)
        return false;
    while (have > q) {
        uint16_t drop = (uint16_t)sim_rng_below(rng(sim), sim->plan.n);
        if (chosen[drop] == SIM_NONE || (drop == node && sim_rng_chance(rng(sim), 700)))
            continue;
        chosen[drop] = SIM_NONE;
        have--;
    }
    for (uint16_t i = 0; i < sim->plan.n; i++) {
        if (chosen[i] == SIM_NONE)
            continue;
        p->reports[p->count].node = i;
        memcpy(p->reports[p->count++].digest, world->reports[chosen[i]].report.digest, 32);
    }
    return true;
}

static void propose(struct sim *sim, uint16_t node, struct slu_message *m, uint64_t view)
{
    struct byz *byz = sim->byz;
    uint32_t times = byz_does(sim, BYZ_TWO_PROPOSALS) ? 2 : 1;
    for (uint32_t i = 0; i < times; i++) {
        struct slu_block block;
        struct slu_proposal *p = &m->proposal;
        m->kind = SLU_MSG_PROPOSAL;
        *p = (struct slu_proposal){.view = view, .node = node};
        if (!pick_reports(sim, node, p) || !pick_parent(sim, view, p))
            return;
        if (!world_block(&sim->world, p->parent))
            world_proposal(&sim->world, p->parent);
        if (!world_compute(&sim->world, p, &block))
            return;
        memcpy(p->block, block.digest, 32);
        if (byz_does(sim, BYZ_WRONG_BLOCK) && sim_rng_chance(rng(sim), 300))
            p->block[5] ^= 1;
        uint8_t digest[32];
        slu_vote_digest(digest, &sim->genesis, SLU_NOTARIZE, view, p->block);
        sim_sign(sim, node, p->notarize, digest);
        slu_proposal_digest(p, &sim->genesis);
        sim_sign(sim, node, p->signature, p->digest);
        byz->proposed[node] = view;
        sim->result.counts[SIM_N_DOUBLE_PROPOSALS] += i;
        byz_say(sim, node, m, sim_rng_chance(rng(sim), 600) ? byz_some(sim) : byz_honest(sim));
    }
}

/* ---- votes and certificates ---- */

static void vote_around(struct sim *sim, uint16_t node)
{
    struct byz *byz = sim->byz;
    static const uint8_t none[32];
    for (uint64_t v = byz->top_view > 2 ? byz->top_view - 2 : 1; v <= byz->top_view; v++) {
        if (!byz_does(sim, BYZ_VOTES))
            continue;
        sim->result.counts[SIM_N_DOUBLE_VOTES]++;
        for (uint32_t at = world_view(&sim->world, v)->proposals; at;) {
            uint8_t block[32];
            memcpy(block, sim->world.proposals[at - 1].proposal.block, 32);
            at = sim->world.proposals[at - 1].next;
            if (sim_rng_chance(rng(sim), 600))
                byz_vote(sim, node, SLU_NOTARIZE, v, block, byz_some(sim));
            if (sim_rng_chance(rng(sim), 400))
                byz_vote(sim, node, SLU_FINALIZE, v, block, byz_some(sim));
        }
        if (sim_rng_chance(rng(sim), 500))
            byz_vote(sim, node, SLU_NULLIFY, v, none, byz_some(sim));
    }
}

static void show_cert(struct sim *sim, uint16_t node, struct slu_message *m,
                      enum slu_vote_kind kind, uint64_t view, const uint8_t block32[32],
                      uint64_t to)
{
    struct slu_cert cert;
    if (!byz_cert(sim, kind, view, block32, &cert))
        return;
    m->kind = SLU_MSG_CERT;
    m->cert = cert;
    byz_say(sim, node, m, to);
}

static void show_view(struct sim *sim, uint16_t node, struct slu_message *m, uint64_t view,
                      uint64_t to)
{
    static const uint8_t none[32];
    for (uint32_t at = world_view(&sim->world, view)->proposals; at;) {
        uint8_t block[32];
        memcpy(block, sim->world.proposals[at - 1].proposal.block, 32);
        at = sim->world.proposals[at - 1].next;
        show_cert(sim, node, m, SLU_NOTARIZE, view, block, to);
        if (sim_rng_chance(rng(sim), 500))
            show_cert(sim, node, m, SLU_FINALIZE, view, block, to);
    }
    if (sim_rng_chance(rng(sim), 500))
        show_cert(sim, node, m, SLU_NULLIFY, view, none, to);
}

/* ---- answers ---- */

static void answer_lane(struct sim *sim, uint16_t node, struct slu_message *m,
                        const struct slu_fetch *f, uint64_t to)
{
    uint64_t low = f->to > 20 && f->from < f->to - 20 ? f->to - 20 : f->from;
    for (uint64_t p = low; p <= f->to; p++) {
        uint32_t at = world_ancestor(&sim->world, f->digest, p);
        if (at == SIM_NONE || !sim->world.batches[at].payload || !sim->world.batches[at].sent ||
            sim->world.batches[at].header.position != p)
            continue;
        if (f->what == SLU_FETCH_BATCHES) {
            m->kind = SLU_MSG_BATCH;
            m->batch.header = sim->world.batches[at].header;
            m->batch.payload = sim->world.batches[at].payload;
        } else {
            m->kind = SLU_MSG_HEADERS;
            m->headers.count = 1;
            m->headers.items[0] = sim->world.batches[at].header;
        }
        byz_say(sim, node, m, to);
    }
}

static void answer(struct sim *sim, uint16_t node, struct slu_message *m, const struct slu_fetch *f,
                   uint64_t to)
{
    uint32_t at;
    const struct slu_block *block;
    switch ((enum slu_fetch_what)f->what) {
    case SLU_FETCH_BATCHES:
    case SLU_FETCH_HEADERS:
        answer_lane(sim, node, m, f, to);
        break;
    case SLU_FETCH_LANE_CERT:
        send_acks(sim, node, m, to);
        byz_replay(sim, node, SLU_MSG_ACKS, to);
        break;
    case SLU_FETCH_REPORT:
        at = sim_table_get(&sim->world.report_at, f->digest);
        if (at != SIM_NONE && sim->world.reports[at].sent) {
            m->kind = SLU_MSG_REPORT;
            slu_report_copy(&m->report, &sim->world.reports[at].report);
            byz_say(sim, node, m, to);
        }
        break;
    case SLU_FETCH_PROPOSAL:
        if (f->from > 0 && f->from <= sim->world.view_top &&
            world_view(&sim->world, f->from)->proposals) {
            const struct world_proposal *p =
                &sim->world.proposals[world_view(&sim->world, f->from)->proposals - 1];
            m->kind = SLU_MSG_PROPOSAL;
            m->proposal = p->proposal;
            if (p->sent)
                byz_say(sim, node, m, to);
        }
        break;
    case SLU_FETCH_VIEWS:
        for (uint64_t v = f->from; v <= f->to && v <= sim->world.view_top && v < f->from + 8; v++)
            show_view(sim, node, m, v, to);
        break;
    case SLU_FETCH_BLOCK:
        block = world_block(&sim->world, f->digest);
        if (block) {
            m->kind = SLU_MSG_BLOCKS;
            m->blocks.count = 1;
            m->blocks.has_cert = false;
            m->blocks.items[0] = *block;
            byz_say(sim, node, m, to);
        }
        break;
    case SLU_FETCH_ITEM:
    case SLU_FETCH_HOLDS:
        byz_replay(sim, node, f->what == SLU_FETCH_ITEM ? SLU_MSG_RELAY : SLU_MSG_HOLDS, to);
        break;
    case SLU_FETCH_SHARES:
        if (sim->sealed->key_count)
            puppet_shares(sim, node, m, f->from, to);
        break;
    case SLU_FETCH_RELEASES:
        byz_replay(sim, node, SLU_MSG_RELEASE, to);
        break;
    case SLU_FETCH_FINALS:
    case SLU_FETCH_KINDS:
        break;
    }
}

/* Well formed, but not what was asked for. */
static void lie(struct sim *sim, uint16_t node, struct slu_message *m, const struct slu_fetch *f,
                uint64_t to)
{
    struct slu_fetch other = *f;
    sim->result.counts[SIM_N_WRONG_ANSWERS]++;
    if (sim->world.batch_count) {
        const struct slu_batch_header *h =
            &sim->world.batches[sim_rng_below(rng(sim), sim->world.batch_count)].header;
        memcpy(other.digest, h->digest, 32);
        other.to = h->position;
        other.from = h->position > 2 ? h->position - 2 : 1;
    }
    other.what = (uint8_t)sim_rng_below(rng(sim), SLU_FETCH_KINDS);
    if (other.what == SLU_FETCH_BLOCK)
        memcpy(other.digest,
               sim->world.blocks[sim_rng_below(rng(sim), sim->world.block_count)].digest, 32);
    if (other.to > other.from + 30)
        other.to = other.from + 30;
    answer(sim, node, m, &other, to);
}

static void answer_rejoin(struct sim *sim, uint16_t node, struct slu_message *m,
                          const struct slu_rejoin *rejoin)
{
    m->kind = SLU_MSG_FREEZE;
    struct slu_freeze freeze = {.node = node, .lane = rejoin->node};
    freeze.incarnation = sim_rng_u32(rng(sim), 0, 3);
    memcpy(freeze.nonce, rejoin->nonce, 32);
    m->freeze = freeze;
    slu_freeze_digest(&m->freeze, &sim->genesis);
    sim_sign(sim, node, m->freeze.signature, m->freeze.digest);
    byz_say(sim, node, m, bit_of(rejoin->node));
}

void puppet_hear(struct sim *sim, uint16_t node, uint16_t from, const struct slu_message *heard)
{
    struct slu_message *m = sim_alloc(sizeof *m);
    if (heard->kind == SLU_MSG_FETCH && sim_is_honest(sim, from)) {
        struct slu_fetch fetch = heard->fetch;
        if (byz_does(sim, BYZ_LIES))
            lie(sim, node, m, &fetch, bit_of(from));
        if (byz_does(sim, BYZ_ANSWERS))
            answer(sim, node, m, &fetch, bit_of(from));
    } else if (heard->kind == SLU_MSG_REJOIN && heard->rejoin.node < sim->plan.n) {
        if (byz_does(sim, BYZ_ANSWERS))
            answer_rejoin(sim, node, m, &heard->rejoin);
    } else if (heard->kind == SLU_MSG_BATCH && byz_does(sim, BYZ_ACKS)) {
        send_acks(sim, node, m, byz_some(sim));
    }
    free(m);
}

void puppet_tick(struct sim *sim, uint16_t node)
{
    struct byz *byz = sim->byz;
    struct slu_message *m = sim_alloc(sizeof *m);
    for (uint64_t v = byz->top_view ? byz->top_view : 1; v <= byz->top_view + 1; v++)
        if (byz->reported[node] < v) {
            byz->reported[node] = v;
            send_report(sim, node, m, v);
        }
    if (byz->top_view && byz->top_view % sim->plan.n == node &&
        byz->proposed[node] < byz->top_view && !byz_does(sim, BYZ_SILENT_LEADER))
        propose(sim, node, m, byz->top_view);
    if (byz_does(sim, BYZ_FLOODS) && sim_rng_chance(rng(sim), 300))
        puppet_flood(sim, node, m);
    if (byz_does(sim, BYZ_FLOODS) && sim_rng_chance(rng(sim), 400))
        puppet_cheat(sim, node, m);
    if (sim->sealed->key_count && byz_does(sim, BYZ_LIES))
        puppet_shares(sim, node, m, sim->oracle.last_due, byz_some(sim));
    if (sim->sealed->key_count && byz_does(sim, BYZ_FLOODS) && sim_rng_chance(rng(sim), 100))
        puppet_flood_shares(sim, node, m);
    puppet_releases(sim, node, m);
    switch (sim_rng_below(rng(sim), 5)) {
    case 0:
    case 1:
        extend_lane(sim, node, m);
        break;
    case 2:
        send_acks(sim, node, m, byz_some(sim));
        puppet_hold(sim, node, m);
        break;
    case 3:
        for (uint64_t v = byz->top_view > 4 ? byz->top_view - 4 : 1; v <= byz->top_view; v++)
            if (byz_does(sim, BYZ_RELEASES))
                show_view(sim, node, m, v, byz_some(sim));
        byz_replay(sim, node, 0, byz_some(sim));
        break;
    default:
        vote_around(sim, node);
        break;
    }
    free(m);
}
