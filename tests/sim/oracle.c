#include "tests/sim/oracle.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/order.h"
#include "tests/sim/oracle_release.h"
#include "tests/sim/bundle.h"
#include "tests/sim/oracle_sealed.h"
#include "tests/sim/sim.h"

void oracle_init(struct oracle *oracle, struct sim *sim)
{
    *oracle = (struct oracle){.sim = sim, .window_from = 1};
    oracle->heights = sim_grow(NULL, &oracle->height_cap, 1, sizeof *oracle->heights);
    oracle->heights[0].time_ms = sim->genesis.created_ms;
    oracle->sealed = oracle_sealed_new(&sim->genesis);
    oracle->releases = oracle_releases_new();
}

void oracle_free(struct oracle *oracle)
{
    for (uint64_t h = 0; h <= oracle->top; h++) {
        free(oracle->heights[h].record);
        free(oracle->heights[h].dues);
        free(oracle->heights[h].opened);
        free(oracle->heights[h].space);
        free(oracle->heights[h].release);
    }
    oracle_sealed_free(oracle->sealed);
    oracle_releases_free(oracle->releases);
    free(oracle->heights);
    free(oracle->queued);
    sim_table_free(&oracle->queued_at);
    free(oracle->outcomes);
    sim_table_free(&oracle->final_at);
    sim_table_free(&oracle->outcome_at);
    sim_table_free(&oracle->window);
}

const struct oracle_outcome *oracle_outcome(const struct oracle *oracle, const uint8_t id32[32])
{
    uint32_t at = sim_table_get(&oracle->outcome_at, id32);
    return at == SIM_NONE ? NULL : &oracle->outcomes[at];
}

/* ---- the record of one height ---- */

struct expected {
    struct slu_delivered_inbox *inbox;
    uint32_t inbox_count, inbox_cap;
    struct slu_delivered_batch *batches;
    uint32_t batch_count, batch_cap;
    struct slu_delivered_drop *drops;
    uint32_t drop_count, drop_cap;
    uint32_t entries;
};

/* The lanes' new batches, round-robin from lane (height mod n). False: the chain is not whole. */
static bool plan_batches(struct oracle *oracle, const struct slu_block *parent,
                         const struct slu_block *block, struct expected *out)
{
    struct world *world = &oracle->sim->world;
    uint64_t next[SLU_NODES_MAX];
    for (uint16_t l = 0; l < block->n; l++)
        next[l] = parent->cut[l].position + 1;
    for (bool any = true; any;) {
        any = false;
        for (uint16_t k = 0; k < block->n; k++) {
            uint16_t l = (uint16_t)((block->height + k) % block->n);
            if (next[l] > block->cut[l].position)
                continue;
            uint32_t at = world_ancestor(world, block->cut[l].digest, next[l]);
            if (at == SIM_NONE || !world->batches[at].payload)
                return false;
            const struct slu_batch_header *h = &world->batches[at].header;
            out->batches =
                sim_grow(out->batches, &out->batch_cap, out->batch_count, sizeof *out->batches);
            struct slu_delivered_batch *b = &out->batches[out->batch_count++];
            *b = (struct slu_delivered_batch){.lane = l, .position = next[l]++, .txs = h->txs};
            memcpy(b->digest, h->digest, 32);
            any = true;
        }
    }
    return true;
}

static void note_outcome(struct oracle *oracle, const uint8_t id32[32], uint64_t height,
                         uint32_t index, uint8_t drop)
{
    oracle->outcomes = sim_grow(oracle->outcomes, &oracle->outcome_cap, oracle->outcome_count,
                                sizeof *oracle->outcomes);
    uint32_t older = sim_table_get(&oracle->outcome_at, id32);
    struct oracle_outcome *o = &oracle->outcomes[oracle->outcome_count];
    *o = (struct oracle_outcome){
        .height = height, .index = index, .drop = drop, .next = older == SIM_NONE ? 0 : older + 1};
    memcpy(o->id, id32, 32);
    sim_table_put(&oracle->outcome_at, id32, oracle->outcome_count++);
    oracle_release_outcome(oracle, id32, index, drop);
}

static bool in_window(const struct oracle *oracle, const uint8_t id32[32])
{
    uint32_t at = sim_table_get(&oracle->window, id32);
    return at != SIM_NONE && at >= oracle->window_from;
}

static void remember(struct oracle *oracle, const uint8_t id32[32], uint64_t height)
{
    oracle->window_count++;
    oracle->heights[height].remembered++;
    sim_table_put(&oracle->window, id32, (uint32_t)height);
}

/* The rules that need no state. */
static uint8_t judge_form(const struct slu_genesis *g, const struct slu_tx *tx, uint64_t time_ms)
{
    const struct slu_params *p = &g->params;
    struct slu_sealed sealed;
    bool is_sealed = p->sealing && tx->kind == SLU_TX_SEALED;
    if (tx->body_len == 0 || tx->bytes_len > p->tx_bytes_max)
        return SLU_DROP_SIZE;
    if (tx->kind != SLU_TX_PLAIN && tx->kind != SLU_TX_BUNDLE && !is_sealed)
        return SLU_DROP_KIND;
    bool hidden = is_sealed || tx->kind == SLU_TX_BUNDLE; /* what it is for stands inside */
    if (hidden ? tx->rollup != 0 : !slu_genesis_rollup_known(g, tx->rollup))
        return SLU_DROP_ROLLUP;
    uint8_t bundle = tx->kind == SLU_TX_BUNDLE ? sim_bundle_judge(g, tx->body, tx->body_len, false)
                                               : SLU_DROP_NONE;
    if (bundle)
        return bundle;
    if (is_sealed && slu_sealed_read(&sealed, tx->body, tx->body_len, tx->valid_until_ms))
        return SLU_DROP_SEALING;
    if (is_sealed && sealed.label.unlock_kind == SLU_UNLOCK_TIME && sealed.label.unlock > time_ms &&
        sealed.label.unlock - time_ms > p->unlock_horizon_ms)
        return SLU_DROP_UNLOCK;
    if (tx->valid_until_ms < time_ms)
        return SLU_DROP_EXPIRED;
    if (tx->valid_until_ms > time_ms + p->dedup_window_ms)
        return SLU_DROP_TOO_FAR;
    return SLU_DROP_NONE;
}

static uint8_t judge(struct oracle *oracle, uint16_t lane, const struct slu_tx *tx,
                     const uint8_t id32[32], const struct slu_block *block, uint32_t index)
{
    uint8_t drop = judge_form(&oracle->sim->genesis, tx, block->time_ms);
    uint64_t height = block->height;
    if (drop)
        return drop;
    if (in_window(oracle, id32))
        return SLU_DROP_DUPLICATE;
    if (oracle->window_count >= oracle->sim->genesis.params.dedup_entries_max)
        return SLU_DROP_WINDOW_FULL;
    if (tx->kind == SLU_TX_SEALED)
        drop = oracle_sealed_judge(oracle, lane, tx, id32, index);
    if (drop)
        return drop;
    remember(oracle, id32, height);
    uint32_t queued = sim_table_get(&oracle->queued_at, id32);
    if (queued != SIM_NONE && oracle->queued[queued].due > height)
        oracle->queued[queued].done = true;
    return SLU_DROP_NONE;
}

/* ---- out of the queue ---- */

static void expect_item(struct oracle *oracle, struct expected *out, uint64_t height,
                        const struct slu_inbox_tuple *tuple, uint8_t outcome)
{
    out->inbox = sim_grow(out->inbox, &out->inbox_cap, out->inbox_count, sizeof *out->inbox);
    out->inbox[out->inbox_count++] = (struct slu_delivered_inbox){*tuple, outcome};
    if (outcome) {
        oracle->skipped++;
        if (outcome != SLU_DROP_DUPLICATE)
            note_outcome(oracle, tuple->id, height, 0, outcome);
        return;
    }
    remember(oracle, tuple->id, height);
    oracle_release_item(oracle, tuple, out->entries);
    note_outcome(oracle, tuple->id, height, out->entries++, 0);
    oracle->delivered++;
    oracle->forced += tuple->kind == SLU_INBOX_FORCED;
    oracle->evidence += tuple->kind == SLU_INBOX_EVIDENCE;
}

static void enqueue(struct oracle *oracle, const struct slu_block *block,
                    const struct slu_inbox_tuple *tuple, struct slu_queue_tail *tail)
{
    oracle->queued =
        sim_grow(oracle->queued, &oracle->queued_cap, oracle->queued_count, sizeof *oracle->queued);
    struct oracle_queued *q = &oracle->queued[oracle->queued_count];
    *q = (struct oracle_queued){.tuple = *tuple, .height = block->height};
    q->due = slu_queue_book(&oracle->sim->genesis, tail, block->height, tuple->bytes);
    q->done = in_window(oracle, tuple->id);
    oracle_release_queued(oracle, tuple->id, q->due, q->done);
    sim_table_put(&oracle->queued_at, tuple->id, oracle->queued_count++);
}

/* What comes out of the queue was looked at by an honest holder. */
static void check_content(struct oracle *oracle, const struct slu_inbox_tuple *tuple)
{
    struct slu_record_key key = {.kind = SLU_REC_INBOX, .a = tuple->valid_until_ms};
    const struct sim_record *record = NULL;
    struct slu_tx tx;
    memcpy(key.digest, tuple->id, 32);
    for (uint16_t i = 0; i < oracle->sim->instances && !record; i++)
        record = sim_disk_find(&oracle->sim->nodes[i].disk, &key);
    if (!record)
        return; /* who delivers it must hold it: the ledger complains */
    struct slu_reader r = slu_reader_of(record->value, record->len);
    slu_read_bytes(&r, SLU_RELAY_BYTES);
    SLU_CHECK(slu_tx_read(&r, &tx));
    uint8_t drop = judge_form(&oracle->sim->genesis, &tx, tx.valid_until_ms);
    if (drop && drop != SLU_DROP_UNLOCK)
        sim_violation(oracle->sim, 11, "what is dropped as %s in a lane came out of the queue",
                      slu_drop_name((enum slu_drop)drop));
    oracle->sim->result.counts[SIM_N_BUNDLES_FORCED] += tx.kind == SLU_TX_BUNDLE;
}

/* Evidence that this block queued, then what is due (invariant 11: at the height fixed for it). */
static void expect_inbox(struct oracle *oracle, const struct slu_block *parent,
                         const struct slu_block *block, struct expected *out)
{
    struct slu_queue_tail tail = parent->tail;
    struct slu_inbox_tuple t;
    for (uint32_t i = 0; i < block->queued_count; i++) {
        slu_inbox_tuple_at(block->queued, i, &t);
        if (t.kind != SLU_INBOX_EVIDENCE)
            enqueue(oracle, block, &t, &tail);
        else
            expect_item(oracle, out, block->height, &t, 0);
    }
    while (oracle->due_next < oracle->queued_count &&
           oracle->queued[oracle->due_next].due == block->height) {
        const struct oracle_queued *q = &oracle->queued[oracle->due_next++];
        uint8_t outcome = q->done || in_window(oracle, q->tuple.id) ? SLU_DROP_DUPLICATE : 0;
        t = q->tuple;
        if (!outcome && t.kind == SLU_INBOX_FORCED && t.offence == SLU_FORCED_LOCKED &&
            !oracle_sealed_keeps(oracle, t.bytes))
            outcome = SLU_DROP_CALENDAR_FULL;
        expect_item(oracle, out, block->height, &t, outcome);
        if (!outcome && t.kind == SLU_INBOX_FORCED)
            check_content(oracle, &t);
    }
    for (uint32_t i = 0, index = 0; i < out->inbox_count; i++) {
        const struct slu_delivered_inbox *item = &out->inbox[i];
        if (!item->outcome && item->tuple.kind == SLU_INBOX_FORCED && item->tuple.offence)
            oracle_sealed_forced(oracle, item->tuple.id, index);
        index += !item->outcome;
    }
}

static void note_drop(struct expected *out, uint32_t batch, uint32_t tx, uint8_t reason)
{
    out->drops = sim_grow(out->drops, &out->drop_cap, out->drop_count, sizeof *out->drops);
    out->drops[out->drop_count++] = (struct slu_delivered_drop){batch, tx, reason};
}

/* A bundle's own fault. */
static bool is_inside(uint8_t drop)
{
    return drop == SLU_DROP_BUNDLE || drop == SLU_DROP_ROLLUP || drop == SLU_DROP_SEALED_ONLY;
}

static void expect_batch(struct oracle *oracle, const struct slu_block *block, struct expected *out,
                         uint32_t index)
{
    const struct world_batch *batch = world_batch(&oracle->sim->world, out->batches[index].digest);
    struct slu_reader r = slu_reader_of(batch->payload, batch->header.payload_bytes);
    struct slu_tx tx;
    uint32_t i = 0;
    for (; i < batch->header.txs && slu_tx_read(&r, &tx); i++) {
        uint8_t id[32];
        slu_tx_id(id, &oracle->sim->genesis, &tx);
        uint8_t drop = judge(oracle, out->batches[index].lane, &tx, id, block, out->entries);
        if (drop) {
            note_drop(out, index, i, drop);
            oracle->dropped++;
        }
        if (tx.kind == SLU_TX_BUNDLE && (!drop || is_inside(drop)))
            oracle->sim->result.counts[drop ? SIM_N_BUNDLES_BAD : SIM_N_BUNDLES]++;
        if (drop != SLU_DROP_DUPLICATE)
            note_outcome(oracle, id, block->height, out->entries, drop);
        if (!drop) {
            oracle_release_entry(oracle, &tx, out->entries, tx.kind, id);
            out->entries++;
            oracle->delivered++;
        }
    }
    for (; i < batch->header.txs; i++)
        note_drop(out, index, i, SLU_DROP_MALFORMED);
}

static void write_expected(struct oracle_height *height, const struct slu_block *block,
                           const struct expected *e)
{
    height->record_len = SLU_DELIVERED_HEAD_BYTES + e->inbox_count * SLU_DELIVERED_INBOX_BYTES +
                         e->batch_count * SLU_DELIVERED_BATCH_BYTES +
                         e->drop_count * SLU_DELIVERED_DROP_BYTES +
                         height->due_count * SLU_DELIVERED_DUE_BYTES;
    height->record = sim_alloc(height->record_len);
    struct slu_writer w = slu_writer_of(height->record, height->record_len);
    slu_write_bytes(&w, block->digest, 32);
    slu_write_u64(&w, block->height);
    slu_write_u64(&w, block->time_ms);
    slu_write_u32(&w, e->entries);
    slu_write_u32(&w, e->inbox_count);
    slu_write_u32(&w, e->batch_count);
    slu_write_u32(&w, e->drop_count);
    slu_write_u32(&w, height->due_count);
    for (uint32_t i = 0; i < e->inbox_count; i++) {
        slu_inbox_tuple_write(&w, &e->inbox[i].tuple);
        slu_write_u8(&w, e->inbox[i].outcome);
    }
    for (uint32_t i = 0; i < e->batch_count; i++) {
        slu_write_u16(&w, e->batches[i].lane);
        slu_write_u64(&w, e->batches[i].position);
        slu_write_bytes(&w, e->batches[i].digest, 32);
        slu_write_u32(&w, e->batches[i].txs);
    }
    for (uint32_t i = 0; i < e->drop_count; i++) {
        slu_write_u32(&w, e->drops[i].batch);
        slu_write_u32(&w, e->drops[i].tx);
        slu_write_u8(&w, e->drops[i].reason);
    }
    for (uint32_t i = 0; i < height->due_count; i++) {
        slu_write_bytes(&w, height->dues[i].id, 32);
        slu_write_u64(&w, height->dues[i].height);
        slu_write_u32(&w, height->dues[i].ordered_index);
        slu_write_u32(&w, height->dues[i].index);
    }
    SLU_CHECK(!w.failed && w.at == w.end);
}

static void check_step(struct oracle *oracle, const struct slu_block *parent,
                       const struct slu_block *block)
{
    struct sim *sim = oracle->sim;
    if (memcmp(block->parent, parent->digest, 32) != 0)
        sim_violation(sim, 1, "height %lu does not follow height %lu", block->height,
                      parent->height);
    if (block->time_ms <= parent->time_ms)
        sim_violation(sim, 9, "stream time falls at height %lu", block->height);
    for (uint16_t l = 0; l < block->n; l++)
        if (block->cut[l].position < parent->cut[l].position)
            sim_violation(sim, 9, "the cut of lane %u falls at height %lu", l, block->height);
    const struct world_proposal *p = world_proposal(&sim->world, block->digest);
    if (!p || !p->computed || !p->right)
        sim_violation(sim, 9, "the block of height %lu is not the computed one", block->height);
    if (sim_table_get(&sim->world.final_at, block->digest) == SIM_NONE)
        sim_violation(sim, 5, "height %lu is delivered but not final", block->height);
}

/* Invariant 11: what a report of this block names and is in time is queued by it or before. */
static void check_named(struct oracle *oracle, const struct slu_block *block)
{
    struct sim *sim = oracle->sim;
    const struct slu_params *p = &sim->genesis.params;
    const struct world_proposal *found = world_proposal(&sim->world, block->digest);
    for (uint16_t i = 0; found && i < found->proposal.count; i++) {
        const struct slu_report *report =
            world_report(&sim->world, found->proposal.reports[i].digest);
        for (uint16_t k = 0; report && k < report->inbox_count; k++) {
            struct slu_inbox_tuple t;
            slu_inbox_tuple_at(report->inbox, k, &t);
            if (t.kind == SLU_INBOX_EVIDENCE && !(block->evident[t.offence] >> t.offender & 1))
                sim_violation(sim, 11, "height %lu leaves out evidence of node %u", block->height,
                              t.offender);
            if (t.kind != SLU_INBOX_EVIDENCE && t.valid_until_ms >= block->time_ms &&
                t.valid_until_ms - block->time_ms <= p->dedup_window_ms &&
                oracle->queued_count < p->inbox_ids_max &&
                sim_table_get(&oracle->queued_at, t.id) == SIM_NONE)
                sim_violation(sim, 11, "height %lu leaves out a forced entry", block->height);
        }
    }
    for (int o = 0; o < SLU_OFFENCES; o++)
        if (block->evident[o] & ~sim->byzantine)
            sim_violation(sim, 14, "height %lu slashes an honest node", block->height);
}

/* Computes height top + 1 from its block. */
static bool advance(struct oracle *oracle, const uint8_t block32[32])
{
    struct world *world = &oracle->sim->world;
    const struct slu_block *found = world_block(world, block32);
    if (!found || found->height != oracle->top + 1)
        return false;
    struct slu_block block = *found;
    struct slu_block parent = world->blocks[oracle->heights[oracle->top].block];
    check_step(oracle, &parent, &block);
    struct expected e = {0};
    if (!plan_batches(oracle, &parent, &block, &e)) {
        free(e.batches);
        return false;
    }
    oracle->heights = sim_grow(oracle->heights, &oracle->height_cap, (uint32_t)block.height,
                               sizeof *oracle->heights);
    struct oracle_height *height = &oracle->heights[block.height];
    height->block = sim_table_get(&world->block_at, block.digest);
    height->time_ms = block.time_ms;
    while (oracle->window_from <= oracle->top &&
           block.time_ms - oracle->heights[oracle->window_from].time_ms >
               oracle->sim->genesis.params.dedup_window_ms)
        oracle->window_count -= oracle->heights[oracle->window_from++].remembered;
    oracle_sealed_begin(oracle, &block);
    expect_inbox(oracle, &parent, &block, &e);
    e.entries += oracle_sealed_waited(oracle, e.entries);
    check_named(oracle, &block);
    for (uint32_t i = 0; i < e.batch_count; i++)
        expect_batch(oracle, &block, &e, i);
    oracle_sealed_end(oracle, &oracle->heights[block.height]);
    write_expected(&oracle->heights[block.height], &block, &e);
    oracle_release_end(oracle, &oracle->heights[block.height], &block, e.drops, e.drop_count);
    oracle->top = block.height;
    free(e.inbox);
    free(e.batches);
    free(e.drops);
    return true;
}

void oracle_delivered(struct oracle *oracle, uint16_t node, uint64_t height, const uint8_t *value,
                      size_t len)
{
    struct sim *sim = oracle->sim;
    struct slu_delivered record;
    if (slu_delivered_open(&record, value, len) || record.height != height) {
        sim_violation(sim, 1, "node %u wrote a broken delivered record at %lu", node, height);
        return;
    }
    if (height > oracle->top + 1) {
        sim_violation(sim, 1, "node %u delivered height %lu before %lu", node, height,
                      oracle->top + 1);
        return;
    }
    if (height == oracle->top + 1 && !advance(oracle, record.block)) {
        sim_violation(sim, 1, "node %u delivered an unknown block at height %lu", node, height);
        return;
    }
    const struct oracle_height *want = &oracle->heights[height];
    if (want->record_len != len || memcmp(want->record, value, len) != 0) {
        struct slu_delivered mine;
        SLU_CHECK(!slu_delivered_open(&mine, want->record, want->record_len));
        sim_violation(
            sim, 1,
            "node %u delivered other bytes at height %lu: %u entries of %u, %u batches of "
            "%u, %u drops of %u, %u dues of %u",
            node, height, record.entries, mine.entries, record.batch_count, mine.batch_count,
            record.drop_count, mine.drop_count, record.due_count, mine.due_count);
    }
}

void oracle_final(struct oracle *oracle, uint16_t node, uint64_t height, const uint8_t *value,
                  size_t len)
{
    struct sim *sim = oracle->sim;
    struct slu_message *m = &sim->scratch;
    struct slu_reader r = slu_reader_of(value, len);
    m->kind = SLU_MSG_BLOCKS;
    m->blocks.count = 1;
    if (slu_block_read(&r, &sim->genesis, &m->blocks.items[0]) ||
        m->blocks.items[0].height != height) {
        sim_violation(sim, 1, "node %u wrote a broken final record at %lu", node, height);
        return;
    }
    world_see(&sim->world, m, false);
    uint8_t key[32] = {0xf1};
    memcpy(key + 8, &height, 8);
    uint32_t at = sim_table_get(&sim->world.block_at, m->blocks.items[0].digest);
    uint32_t other = sim_table_get(&oracle->final_at, key);
    if (other != SIM_NONE && other != at)
        sim_violation(sim, 1, "two final blocks at height %lu", height);
    sim_table_put(&oracle->final_at, key, at);
}
