/* The books of one honest node: what it signed and what of that is durable, over all its lives. */
#include <string.h>

#include "consensus/order.h"
#include "tests/sim/inbox.h"
#include "tests/sim/oracle_release.h"
#include "tests/sim/oracle_sealed.h"
#include "tests/sim/sim.h"

static struct sim_ledger_view *at_view(struct sim_node *node, uint64_t view)
{
    SLU_CHECK(view < UINT32_C(1) << 20);
    node->ledger = sim_grow(node->ledger, &node->ledger_cap, (uint32_t)view, sizeof *node->ledger);
    return &node->ledger[view];
}

/* What the node signed in a view, durable or in this life: the digest, or NULL. */
static const uint8_t *signed_before(struct sim_node *node, enum slu_vote_kind kind, uint64_t view)
{
    struct sim_ledger_view *at = at_view(node, view);
    if (at->has[kind])
        return at->digest[kind];
    for (uint32_t i = 0; i < node->signing_count; i++)
        if (node->signing[i].kind == kind && node->signing[i].view == view)
            return node->signing[i].digest;
    return NULL;
}

void sim_ledger_signs(struct sim_node *node, enum slu_vote_kind kind, uint64_t view,
                      const uint8_t digest32[32])
{
    struct sim *sim = node->sim;
    const uint8_t *same = signed_before(node, kind, view);
    if (same && memcmp(same, digest32, 32) != 0) {
        sim_violation(sim, 4, "node %u signs two different votes of kind %d in view %lu", node->id,
                      (int)kind, view);
        return;
    }
    if (same)
        return;
    if (kind == SLU_NOTARIZE && signed_before(node, SLU_NULLIFY, view))
        sim_violation(sim, 4, "node %u signs Notarize after Nullify in view %lu", node->id, view);
    if (kind == SLU_NULLIFY && signed_before(node, SLU_FINALIZE, view))
        sim_violation(sim, 3, "node %u signs Nullify after Finalize in view %lu", node->id, view);
    if (kind == SLU_FINALIZE && signed_before(node, SLU_NULLIFY, view))
        sim_violation(sim, 3, "node %u signs Finalize after Nullify in view %lu", node->id, view);
    node->signing =
        sim_grow(node->signing, &node->signing_cap, node->signing_count, sizeof *node->signing);
    struct sim_signed *s = &node->signing[node->signing_count++];
    *s = (struct sim_signed){.turn = UINT64_MAX, .view = view, .kind = kind};
    memcpy(s->digest, digest32, 32);
}

void sim_ledger_turn(struct sim_node *node, uint64_t turn)
{
    for (uint32_t i = 0; i < node->signing_count; i++) {
        struct sim_signed *s = &node->signing[i];
        if (s->turn != UINT64_MAX)
            continue;
        s->turn = turn;
        if (s->kind == SLU_NOTARIZE)
            world_check_notarize(&node->sim->world, node->id, s->view, s->digest);
        if (s->kind == SLU_FINALIZE) {
            struct world_view *view = world_view(&node->sim->world, s->view);
            bool found = false;
            for (uint32_t at = view->proposals; at && !found;
                 at = node->sim->world.proposals[at - 1].next) {
                const uint8_t *block = node->sim->world.proposals[at - 1].proposal.block;
                uint8_t digest[32];
                slu_vote_digest(digest, &node->sim->genesis, SLU_FINALIZE, s->view, block);
                found = !memcmp(digest, s->digest, 32) &&
                        world_certifiable(&node->sim->world, SLU_NOTARIZE, s->view, block,
                                          UINT64_C(1) << node->id);
            }
            if (!found)
                sim_violation(node->sim, 6, "node %u signs Finalize in view %lu without N",
                              node->id, s->view);
        }
    }
}

static void make_durable(struct sim_node *node, const struct sim_signed *s)
{
    struct sim_ledger_view *at = at_view(node, s->view);
    if (at->has[s->kind])
        return;
    at->has[s->kind] = true;
    memcpy(at->digest[s->kind], s->digest, 32);
    world_vote(&node->sim->world, node->id, s->kind, s->view, s->digest);
}

void sim_ledger_synced(struct sim_node *node, uint64_t turn)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->signing_count; i++) {
        if (node->signing[i].turn > turn)
            node->signing[kept++] = node->signing[i];
        else
            make_durable(node, &node->signing[i]);
    }
    node->signing_count = kept;
}

/* A vote record on disk: also one that survived in a torn turn is a vote from then on. */
static void vote_recorded(struct sim_node *node, enum slu_vote_kind kind, uint64_t view)
{
    at_view(node, view)->record[kind] = true;
    for (uint32_t i = 0; i < node->signing_count; i++)
        if (node->signing[i].kind == kind && node->signing[i].view == view)
            make_durable(node, &node->signing[i]);
}

void sim_ledger_crashed(struct sim_node *node)
{
    node->signing_count = 0;
}

/* A durable batch. Of its own an honest node has one per position, over all its lives. */
static void own_batch(struct sim_node *node, const struct slu_batch_header *header,
                      const uint8_t *payload)
{
    world_see_payload(&node->sim->world, header, payload);
    if (header->lane != node->id || node->wiped)
        return;
    uint8_t key[32] = {0xba};
    memcpy(key + 1, &header->position, 8);
    uint32_t number = sim_table_get(&node->sim->world.batch_at, header->digest);
    uint32_t before = sim_table_get(&node->ack_at, key);
    if (before != SIM_NONE && before != number)
        sim_violation(node->sim, 8, "node %u makes two batches at its position %lu", node->id,
                      header->position);
    sim_table_put(&node->ack_at, key, number);
}

/* What is delivered out of the queue can be read: it is on this disk (clause 6.5). */
static void items_held(struct sim_node *node, const struct sim_record *record)
{
    struct slu_delivered delivered;
    if (slu_delivered_open(&delivered, record->value, record->len))
        return; /* the oracle complains */
    for (uint32_t i = 0; i < delivered.inbox_count; i++) {
        struct slu_delivered_inbox item;
        slu_delivered_next_inbox(&delivered, &item);
        struct slu_record_key key = {.kind = SLU_REC_INBOX, .a = item.tuple.valid_until_ms};
        memcpy(key.digest, item.tuple.id, 32);
        if (!sim_disk_find(&node->disk, &key))
            sim_violation(node->sim, 11, "node %u delivers an item at height %lu without holding it",
                          node->id, delivered.height);
    }
}

void sim_ledger_record(struct sim_node *node, const struct sim_record *record)
{
    struct sim *sim = node->sim;
    const struct slu_record_key *key = &record->key;
    if (key->kind == SLU_REC_VOTE && key->b < SLU_VOTE_KINDS) {
        vote_recorded(node, (enum slu_vote_kind)key->b, key->a);
    } else if (key->kind == SLU_REC_ACK) {
        if (record->len != 32)
            sim_violation(sim, 7, "node %u writes an ack record of %zu bytes", node->id,
                          record->len);
        else
            sim_table_put(&node->acked, record->value, 1);
    } else if (key->kind == SLU_REC_BATCH) {
        sim_table_put(&node->stored, key->digest, 1);
        struct slu_batch_header header;
        struct slu_reader r = slu_reader_of(record->value, record->len);
        if (slu_batch_header_read(&r, &sim->genesis, &header) ||
            slu_reader_left(&r) != header.payload_bytes)
            sim_violation(sim, 7, "node %u writes a broken batch record", node->id);
        else
            own_batch(node, &header, r.at);
    } else if (key->kind == SLU_REC_INBOX) {
        sim_table_put(&node->items, key->digest, 1);
    } else if (key->kind == SLU_REC_FINAL) {
        oracle_final(&sim->oracle, node->id, key->a, record->value, record->len);
    } else if (key->kind == SLU_REC_DELIVERED) {
        oracle_delivered(&sim->oracle, node->id, key->a, record->value, record->len);
        items_held(node, record);
        oracle_space(&sim->oracle, node, key->a);
        if (key->a > node->delivered + 1)
            sim_violation(sim, 1, "node %u delivers height %lu after %lu", node->id, key->a,
                          node->delivered);
        node->delivered = key->a;
        sim_note(sim, SIM_T_DELIVER, node->instance, 0, 0, key->a, record->value);
    } else if (key->kind == SLU_REC_OPENED) {
        oracle_opened(&sim->oracle, node, key->a, record->value, record->len);
    } else if (key->kind == SLU_REC_RELEASE) {
        oracle_release(&sim->oracle, node, key->a, record->value, record->len);
    } else if (key->kind == SLU_REC_RELEASE_CERT) {
        oracle_release_cert(&sim->oracle, node, key->a, record->value, record->len);
    }
}

static void vote_leaves(struct sim_node *node, enum slu_vote_kind kind, uint64_t view,
                        const uint8_t digest32[32])
{
    struct sim_ledger_view *at = at_view(node, view);
    if (!at->has[kind] || memcmp(at->digest[kind], digest32, 32) != 0)
        sim_violation(node->sim, 7, "a vote of kind %d of node %u in view %lu leaves undurable",
                      (int)kind, node->id, view);
    else if (!at->record[kind])
        sim_violation(node->sim, 7, "a vote of kind %d of node %u in view %lu has no record",
                      (int)kind, node->id, view);
}

static void acks_leave(struct sim_node *node, const struct slu_ack_vector *vector)
{
    struct sim *sim = node->sim;
    for (uint16_t i = 0; i < vector->count; i++) {
        const struct slu_lane_tip *ack = &vector->acks[i];
        if (sim_table_get(&node->acked, ack->tip.digest) == SIM_NONE)
            sim_violation(sim, 7, "node %u acks lane %u position %lu without a durable record",
                          node->id, ack->lane, ack->tip.position);
        if (sim_table_get(&node->stored, ack->tip.digest) == SIM_NONE)
            sim_violation(sim, 7, "node %u acks lane %u position %lu without holding it", node->id,
                          ack->lane, ack->tip.position);
        uint8_t key[32] = {(uint8_t)ack->lane};
        memcpy(key + 1, &ack->tip.position, 8);
        uint32_t number = sim_table_get(&sim->world.batch_at, ack->tip.digest);
        uint32_t before = sim_table_get(&node->ack_at, key);
        if (before != SIM_NONE && before != number)
            sim_violation(sim, 8, "node %u acks two digests at lane %u position %lu", node->id,
                          ack->lane, ack->tip.position);
        sim_table_put(&node->ack_at, key, number);
        world_ack(&sim->world, node->id, ack);
    }
}

/* A hold promises that the item is on disk; so does the relay of what the node took. */
static void items_leave(struct sim_node *node, const struct slu_message *m)
{
    const struct slu_relay *relay = &m->relay;
    if (m->kind == SLU_MSG_RELAY && relay->taker == node->id && !node->wiped &&
        sim_table_get(&node->items, relay->tuple.id) == SIM_NONE)
        sim_violation(node->sim, 7, "node %u relays an item before it is durable", node->id);
    for (uint16_t i = 0; m->kind == SLU_MSG_HOLDS && i < m->holds.count; i++) {
        const struct slu_hold *hold = &m->holds.items[i];
        if (hold->node != node->id)
            continue;
        world_hold(&node->sim->world, node->id, &hold->tuple);
        if (!node->wiped && sim_table_get(&node->items, hold->tuple.id) == SIM_NONE)
            sim_violation(node->sim, 7, "node %u signs that it holds what is not durable",
                          node->id);
    }
}

void sim_ledger_leaves(struct sim_node *node, const struct slu_message *m)
{
    uint8_t digest[32];
    items_leave(node, m);
    if (m->kind == SLU_MSG_SHARES && m->shares.node == node->id)
        oracle_shares(&node->sim->oracle, node, &m->shares);
    if (m->kind == SLU_MSG_RELEASE && m->release.node == node->id)
        oracle_release_leaves(&node->sim->oracle, node, &m->release);
    if (m->kind == SLU_MSG_VOTE && m->vote.node == node->id)
        vote_leaves(node, (enum slu_vote_kind)m->vote.kind, m->vote.view, m->vote.digest);
    if (m->kind == SLU_MSG_PROPOSAL && m->proposal.node == node->id) {
        slu_vote_digest(digest, &node->sim->genesis, SLU_NOTARIZE, m->proposal.view,
                        m->proposal.block);
        vote_leaves(node, SLU_NOTARIZE, m->proposal.view, digest);
    }
    for (uint16_t i = 0; m->kind == SLU_MSG_CERT && i < m->cert.count; i++)
        if (m->cert.votes[i].node == node->id)
            vote_leaves(node, (enum slu_vote_kind)m->cert.kind, m->cert.view, m->cert.digest);
    if (m->kind == SLU_MSG_ACKS && m->acks.node == node->id && !node->wiped)
        acks_leave(node, &m->acks);
    const struct slu_batch_header *header = NULL;
    if (m->kind == SLU_MSG_BATCH)
        header = &m->batch.header;
    else if (m->kind == SLU_MSG_HEADERS)
        header = &m->headers.items[m->headers.count - 1];
    if (header && !node->wiped && header->lane == node->id &&
        sim_table_get(&node->stored, header->digest) == SIM_NONE)
        sim_violation(node->sim, 7, "node %u sends its own batch %lu before it is durable",
                      node->id, header->position);
}
