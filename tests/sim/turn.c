/* Turns: the effects that a core left are copied, wait for the disk, and are then executed in
 * order: every record durable first, then what leaves the node (consensus/core.h). */
#include <stdlib.h>
#include <string.h>

#include "consensus/serve.h"
#include "sluice/error.h"
#include "tests/sim/inbox.h"
#include "tests/sim/oracle_release.h"
#include "tests/sim/oracle_sealed.h"
#include "tests/sim/sim.h"

static void turn_free(struct sim_turn *turn)
{
    for (uint32_t i = 0; i < turn->record_count; i++)
        free(turn->records[i].value);
    for (uint32_t i = 0; i < turn->out_count; i++) {
        sim_packet_release(turn->outs[i].packet);
        free(turn->outs[i].items);
    }
    free(turn->records);
    free(turn->outs);
    free(turn);
}

/* ---- copying ---- */

static void copy_record(struct sim_node *node, struct sim_turn *turn, const struct slu_effect *e)
{
    struct sim_record *record = &turn->records[turn->record_count++];
    record->key = e->persist.key;
    record->len = e->persist.value_len + e->persist.payload_len;
    record->value = sim_alloc(record->len);
    if (e->persist.value_len)
        memcpy(record->value, e->persist.value, e->persist.value_len);
    if (e->persist.payload_len)
        memcpy(record->value + e->persist.value_len, e->persist.payload, e->persist.payload_len);
    struct slu_batch_header header;
    struct slu_reader r = slu_reader_of(record->value, record->len);
    if (record->key.kind == SLU_REC_BATCH &&
        !slu_batch_header_read(&r, &node->sim->genesis, &header) &&
        slu_reader_left(&r) == header.payload_bytes)
        world_see_payload(&node->sim->world, &header, r.at);
    if (record->key.kind == SLU_REC_VOTE && record->key.b == SLU_NOTARIZE)
        world_see_notarize(&node->sim->world, record->value, record->len);
}

static void copy_items(struct sim_out *out, const void *items, uint32_t count, size_t each)
{
    out->count = count;
    out->items = sim_alloc(count * each);
    if (count)
        memcpy(out->items, items, count * each);
}

static void copy_out(struct sim_node *node, struct sim_turn *turn, const struct slu_effect *e)
{
    struct sim_out *out = &turn->outs[turn->out_count];
    out->kind = e->kind;
    switch (e->kind) {
    case SLU_EFFECT_PERSIST:
    case SLU_EFFECT_TRACE:
        return;
    case SLU_EFFECT_FORGET:
        out->from = e->forget.from;
        out->until = e->forget.to;
        break;
    case SLU_EFFECT_SEND:
        out->to = e->send.to;
        out->packet = sim_packet_decode(node->sim, node->id, e->send.message_kind, e->send.body,
                                        e->send.body_len, e->send.payload, e->send.payload_len);
        break;
    case SLU_EFFECT_SERVE:
        out->to = e->serve.to;
        out->fetch = e->serve.fetch;
        break;
    case SLU_EFFECT_READ:
        out->number = e->read.tag;
        out->from = e->read.key;
        break;
    case SLU_EFFECT_ADMITTED:
        out->number = e->admitted.token;
        copy_items(out, e->admitted.items, e->admitted.count, sizeof(struct slu_admission));
        break;
    case SLU_EFFECT_TAKEN:
        out->number = e->taken.token;
        copy_items(out, e->taken.taken, 1, sizeof(struct slu_taken));
        break;
    case SLU_EFFECT_DURABLE:
        out->number = e->durable_position;
        break;
    case SLU_EFFECT_ANSWER:
        out->number = e->answer.token;
        copy_items(out, e->answer.items, e->answer.count, sizeof(struct slu_tx_status));
        break;
    case SLU_EFFECT_DELIVERED:
        out->number = e->delivered.height;
        break;
    case SLU_EFFECT_OPENED:
        out->number = e->opened.height;
        break;
    case SLU_EFFECT_RELEASED:
        out->number = e->released_height;
        break;
    case SLU_EFFECT_DIVERGED:
        out->number = e->diverged.mine.height;
        copy_items(out, &e->diverged, 1, sizeof e->diverged);
        break;
    }
    turn->out_count++;
}

void sim_turn_queue(struct sim_node *node, const struct slu_effects *effects)
{
    struct sim *sim = node->sim;
    struct sim_turn *turn = sim_alloc(sizeof *turn);
    uint32_t records = 0;
    for (uint32_t i = 0; i < effects->count; i++)
        records += effects->items[i].kind == SLU_EFFECT_PERSIST;
    turn->number = effects->turn;
    turn->promises = effects->promises;
    turn->records = sim_alloc(records * sizeof *turn->records);
    turn->outs = sim_alloc((effects->count - records) * sizeof *turn->outs);
    for (uint32_t i = 0; i < effects->count; i++) {
        if (effects->items[i].kind == SLU_EFFECT_PERSIST)
            copy_record(node, turn, &effects->items[i]);
        else
            copy_out(node, turn, &effects->items[i]);
        if (sim->trace_out && effects->items[i].kind == SLU_EFFECT_TRACE)
            fprintf(sim->trace_out, "%8lu   node %u: %s\n", sim->now_ms, node->id,
                    effects->items[i].trace.text);
    }
    if (node->role == SIM_HONEST)
        sim_ledger_turn(node, turn->number);
    if (node->turns_last)
        node->turns_last->next = turn;
    else
        node->turns = turn;
    node->turns_last = turn;
    node->turn_count++;
    uint64_t start = node->disk_free_ms > sim->now_ms ? node->disk_free_ms : sim->now_ms;
    if (turn->record_count && turn->promises)
        start += sim_rng_below(&sim->node_rng, sim->plan.sync_ms_max + UINT64_C(1));
    node->disk_free_ms = start;
    sim_at(sim, start,
           &(struct sim_event){.kind = SIM_EV_SYNC, .node = node->instance, .life = node->life});
}

/* ---- executing ---- */

void sim_node_send(struct sim_node *node, struct sim_packet *packet, uint16_t to)
{
    struct sim *sim = node->sim;
    if (!packet->valid)
        return;
    packet->instance = node->instance;
    sim_note(sim, SIM_T_SEND, node->instance, to, (uint8_t)packet->message->kind,
             packet->signer_view, packet->tag);
    world_see(&sim->world, packet->message, true);
    if (node->role == SIM_TWISTED) {
        byz_twist(node, packet, to);
        return;
    }
    if (node->role == SIM_HONEST)
        sim_ledger_leaves(node, packet->message);
    if (to != SLU_TO_ALL) {
        SLU_CHECK(to < sim->plan.n);
        if (to != node->id)
            sim_net_send(sim, packet, to);
        return;
    }
    for (uint16_t i = 0; i < sim->plan.n; i++)
        if (i != node->id)
            sim_net_send(sim, packet, i);
}

struct serving {
    struct sim_node *node;
    uint16_t to;
    size_t bytes;
};

static void serve_sink(void *context, uint8_t kind, const uint8_t *body, size_t body_len,
                       const uint8_t *payload, size_t payload_len)
{
    struct serving *serving = context;
    struct sim_packet *packet = sim_packet_decode(serving->node->sim, serving->node->id, kind, body,
                                                  body_len, payload, payload_len);
    serving->bytes += body_len + payload_len;
    sim_node_send(serving->node, packet, serving->to);
    sim_packet_release(packet);
}

static void serve(struct sim_node *node, const struct sim_out *out)
{
    struct serving serving = {.node = node, .to = out->to};
    struct slu_store store = sim_disk_store(&node->disk);
    int rc = slu_serve(&store, &node->sim->genesis, &out->fetch, serve_sink, &serving);
    if (rc)
        sim_violation(node->sim, 12, "node %u cannot serve a fetch: %s", node->id,
                      slu_strerror(rc));
    if (serving.bytes > 2u * SLU_SERVE_BYTES_MAX)
        sim_violation(node->sim, 12, "node %u answers a fetch with %zu bytes", node->id,
                      serving.bytes);
}

static void execute(struct sim_node *node, struct sim_out *out)
{
    struct sim *sim = node->sim;
    bool honest = node->role == SIM_HONEST;
    switch (out->kind) {
    case SLU_EFFECT_FORGET:
        sim_disk_forget(&node->disk, &out->from, &out->until);
        break;
    case SLU_EFFECT_SEND:
        sim_node_send(node, out->packet, out->to);
        break;
    case SLU_EFFECT_SERVE:
        serve(node, out);
        break;
    case SLU_EFFECT_READ: {
        const struct sim_record *record = sim_disk_find(&node->disk, &out->from);
        struct sim_item item = {.kind = SIM_ITEM_BODY, .number = out->number};
        if (record) {
            item.bytes = sim_alloc(record->len);
            memcpy(item.bytes, record->value, record->len);
            item.bytes_len = record->len;
        }
        sim_node_put(node, &item);
        break;
    }
    case SLU_EFFECT_ADMITTED:
        if (honest)
            client_admitted(sim, node, out);
        break;
    case SLU_EFFECT_TAKEN:
        if (honest)
            forced_taken(sim, node, out);
        break;
    case SLU_EFFECT_DURABLE:
        if (honest)
            client_durable(sim, node, out->number);
        break;
    case SLU_EFFECT_ANSWER:
        if (honest)
            client_answer(sim, node, out);
        break;
    case SLU_EFFECT_DELIVERED:
        if (honest && out->number > node->delivered)
            sim_violation(sim, 7, "node %u says height %lu is delivered before its record",
                          node->id, out->number);
        break;
    case SLU_EFFECT_OPENED:
        if (honest)
            oracle_told(&sim->oracle, node, out->number);
        break;
    case SLU_EFFECT_RELEASED:
        if (honest)
            oracle_certified(&sim->oracle, node, out->number);
        break;
    case SLU_EFFECT_DIVERGED:
        SLU_CHECK(sizeof node->diverged == sizeof(struct slu_release[2]));
        memcpy(node->diverged, out->items, sizeof node->diverged);
        if (honest)
            sim_violation(sim, 13, "node %u says at height %lu that others released another state",
                          node->id, out->number);
        break;
    case SLU_EFFECT_PERSIST:
    case SLU_EFFECT_TRACE:
        break;
    }
}

static struct sim_record copy_of(const struct sim_record *record)
{
    struct sim_record copy = *record;
    copy.value = sim_alloc(record->len);
    if (record->len)
        memcpy(copy.value, record->value, record->len);
    return copy;
}

static void make_durable(struct sim_node *node, const struct sim_record *record)
{
    node->started_once = true;
    sim_disk_put(&node->disk, &record->key, record->value, record->len);
    if (node->role == SIM_HONEST)
        sim_ledger_record(node, record);
}

/* What the books only count once it is durable; final and delivered blocks are what a quorum's
 * signatures prove, and count when written. */
static bool counts_when_synced(const struct sim_record *record)
{
    return record->key.kind != SLU_REC_FINAL && record->key.kind != SLU_REC_DELIVERED &&
           record->key.kind != SLU_REC_OPENED;
}

static void write_soft(struct sim_node *node, const struct sim_record *record)
{
    node->started_once = true;
    node->soft = sim_grow(node->soft, &node->soft_cap, node->soft_count, sizeof *node->soft);
    struct sim_soft *soft = &node->soft[node->soft_count++];
    *soft = (struct sim_soft){.record = copy_of(record)};
    const struct sim_record *before = sim_disk_find(&node->disk, &record->key);
    if (before)
        soft->before = copy_of(before);
    sim_disk_put(&node->disk, &record->key, record->value, record->len);
    if (node->role == SIM_HONEST && !counts_when_synced(record))
        sim_ledger_record(node, record);
}

/* The first `keep` of what is written is durable now; the rest is undone, newest first. */
static void settle_soft(struct sim_node *node, uint32_t keep)
{
    for (uint32_t i = 0; i < keep; i++)
        if (node->role == SIM_HONEST && counts_when_synced(&node->soft[i].record))
            sim_ledger_record(node, &node->soft[i].record);
    for (uint32_t i = node->soft_count; i-- > keep;) {
        const struct sim_soft *soft = &node->soft[i];
        if (soft->before.value)
            sim_disk_put(&node->disk, &soft->before.key, soft->before.value, soft->before.len);
        else
            sim_disk_remove(&node->disk, &soft->record.key);
    }
    for (uint32_t i = 0; i < node->soft_count; i++) {
        free(node->soft[i].record.value);
        free(node->soft[i].before.value);
    }
    node->soft_count = 0;
}

/* The crash that waits for this sync, if any. */
static struct sim_snipe *snipe_of(struct sim_node *node, const struct sim_turn *turn)
{
    struct sim *sim = node->sim;
    for (uint32_t i = 0; i < sim->plan.snipe_count; i++) {
        struct sim_snipe *s = &sim->plan.snipes[i];
        if (s->node != node->id || s->count == 0 || sim->now_ms < s->after_ms ||
            turn->record_count == 0)
            continue;
        bool match = s->vote == SLU_VOTE_KINDS;
        for (uint32_t k = 0; k < turn->record_count && !match; k++)
            match = turn->records[k].key.kind == SLU_REC_VOTE && turn->records[k].key.b == s->vote;
        if (match && --s->count == 0)
            return s;
    }
    return NULL;
}

static void crash_for(struct sim_node *node, const struct sim_snipe *snipe)
{
    uint16_t instance = node->instance;
    struct sim *sim = node->sim;
    uint64_t up_ms = sim->now_ms + snipe->down_ms;
    sim_node_crash(node, false);
    if (sim->plan.calm_ms < up_ms) { /* progress is due from then on */
        sim->plan.give_up_ms += up_ms - sim->plan.calm_ms;
        sim->plan.calm_ms = up_ms;
    }
    sim_at(sim, up_ms, &(struct sim_event){.kind = SIM_EV_RESTART, .node = instance});
}

void sim_node_synced(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct sim_turn *turn = node->turns;
    SLU_CHECK(turn);
    const struct sim_snipe *snipe = snipe_of(node, turn);
    if (snipe && snipe->when == SIM_BEFORE_SYNC) {
        crash_for(node, snipe);
        return;
    }
    node->turns = turn->next;
    node->turn_count--;
    if (!node->turns)
        node->turns_last = NULL;
    bool sync = turn->record_count && turn->promises;
    if (sync) {
        settle_soft(node, node->soft_count);
        if (node->role == SIM_HONEST)
            sim_ledger_synced(node, turn->number);
    }
    for (uint32_t i = 0; i < turn->record_count; i++)
        write_soft(node, &turn->records[i]);
    if (sync) {
        settle_soft(node, node->soft_count);
        sim_disk_settle(&node->disk, false);
        node->syncs++;
        sim_note(sim, SIM_T_SYNC, node->instance, 0, 0, turn->number, NULL);
    }
    uint32_t count = turn->out_count;
    if (snipe)
        count = snipe->when == SIM_AFTER_SYNC || !count
                    ? 0
                    : (uint32_t)sim_rng_below(&sim->node_rng, count);
    for (uint32_t i = 0; i < count; i++)
        execute(node, &turn->outs[i]);
    turn_free(turn);
    if (snipe)
        crash_for(node, snipe);
    else if (node->up && node->diverged[0].height)
        sim_node_crash(node, false); /* for good: somebody has to look at it */
}

/* A crash: what is not synced is lost from some point on: all that is written may survive (a killed
 * process), or none of it (a loss of power), or, torn, the log ends somewhere inside it or inside
 * what was about to be written. */
void sim_turns_drop(struct sim_node *node, bool tear)
{
    struct sim_rng *rng = &node->sim->node_rng;
    uint32_t written = node->soft_count, all = written;
    for (const struct sim_turn *t = node->turns; t; t = t->next)
        all += t->record_count;
    uint32_t keep = sim_rng_chance(rng, 500) ? written : 0;
    if (tear && all) {
        keep = (uint32_t)sim_rng_below(rng, all + 1);
        node->sim->result.counts[SIM_N_TORN] += keep > 0;
    }
    bool whole = keep >= written;
    settle_soft(node, whole ? written : keep);
    uint32_t torn = whole ? keep - written : 0;
    for (const struct sim_turn *t = node->turns; t; t = t->next)
        for (uint32_t i = 0; i < t->record_count && torn; i++, torn--)
            make_durable(node, &t->records[i]);
    /* Deletions were asked for after what is written: without all of it they did not happen. */
    sim_disk_settle(&node->disk,
                    !whole || sim_rng_chance(rng, node->sim->plan.lost_forget_permille));
    while (node->turns) {
        struct sim_turn *turn = node->turns;
        node->turns = turn->next;
        turn_free(turn);
    }
    node->turns_last = NULL;
    node->turn_count = 0;
}
