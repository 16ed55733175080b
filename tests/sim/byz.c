#include "tests/sim/byz.h"

#include <stdlib.h>
#include <string.h>

struct byz *byz_new(struct sim *sim)
{
    (void)sim;
    struct byz *byz = sim_alloc(sizeof *byz);
    byz->views = sim_alloc(BYZ_VIEWS * sizeof *byz->views);
    return byz;
}

void byz_free(struct byz *byz)
{
    for (uint32_t i = 0; i < BYZ_PACKETS; i++)
        sim_packet_release(byz->packets[i]);
    free(byz->views);
    free(byz);
}

bool byz_does(struct sim *sim, enum byz_habit habit)
{
    return sim_rng_chance(&sim->byz_rng, sim->plan.byz_permille[habit]);
}

uint64_t byz_honest(const struct sim *sim)
{
    return ~sim->byzantine & ((UINT64_C(1) << sim->plan.n) - 1);
}

uint64_t byz_some(struct sim *sim)
{
    uint64_t honest = byz_honest(sim), some = honest & sim_rng_next(&sim->byz_rng);
    return some ? some : honest;
}

uint64_t byz_delay(struct sim *sim)
{
    switch (sim_rng_below(&sim->byz_rng, 4)) {
    case 0:
    case 1:
        return 1;
    case 2:
        return sim_rng_range(&sim->byz_rng, 1, sim->plan.params.delta_ms);
    default:
        return sim_rng_range(&sim->byz_rng, 1, 10u * sim->plan.params.delta_ms);
    }
}

void byz_say(struct sim *sim, uint16_t node, struct slu_message *m, uint64_t to)
{
    struct sim_packet *packet = sim_packet_of(sim, node, m);
    sim->result.counts[SIM_N_FORGED_MESSAGES]++;
    world_see(&sim->world, packet->message, true);
    for (uint16_t i = 0; i < sim->plan.n && packet->valid; i++)
        if (i != node && (to >> i & 1)) {
            sim_note(sim, SIM_T_SEND, node, i, (uint8_t)packet->message->kind, packet->signer_view,
                     packet->tag);
            sim_net_send_after(sim, packet, i, byz_delay(sim));
        }
    sim_packet_release(packet);
}

void byz_vote(struct sim *sim, uint16_t node, enum slu_vote_kind kind, uint64_t view,
              const uint8_t block32[32], uint64_t to)
{
    struct slu_message *m = sim_alloc(slu_message_size(SLU_MSG_VOTE));
    static const uint8_t zero[32];
    m->kind = SLU_MSG_VOTE;
    m->vote = (struct slu_vote){.kind = (uint8_t)kind, .view = view, .node = node};
    memcpy(m->vote.block, kind == SLU_NULLIFY ? zero : block32, 32);
    slu_vote_digest(m->vote.digest, &sim->genesis, kind, view, m->vote.block);
    sim_sign(sim, node, m->vote.signature, m->vote.digest);
    byz_say(sim, node, m, to);
    free(m);
}

bool byz_formable(struct sim *sim, const struct world_batch *batch)
{
    return __builtin_popcountll(batch->ackers | sim->byzantine) >=
           (int)slu_genesis_q(&sim->genesis);
}

/* ---- what was heard ---- */

static struct byz_votes *votes_of(struct byz *byz, enum slu_vote_kind kind, uint64_t view,
                                  const uint8_t block32[32])
{
    struct byz_view *at = &byz->views[view % BYZ_VIEWS];
    if (at->view > view)
        return NULL;
    if (at->view != view) {
        memset(at, 0, sizeof *at);
        at->view = view;
    }
    if (kind == SLU_NULLIFY)
        return &at->nullify;
    struct byz_votes *list = kind == SLU_NOTARIZE ? at->notarize : at->finalize;
    for (uint32_t i = 0; i < BYZ_CANDIDATES; i++) {
        if (list[i].voters && memcmp(list[i].block, block32, 32) != 0)
            continue;
        memcpy(list[i].block, block32, 32);
        return &list[i];
    }
    return NULL;
}

static void hear_vote(struct byz *byz, enum slu_vote_kind kind, uint64_t view,
                      const uint8_t block32[32], uint16_t node, const uint8_t signature64[64])
{
    struct byz_votes *votes = votes_of(byz, kind, view, block32);
    if (!votes)
        return;
    votes->voters |= UINT64_C(1) << node;
    memcpy(votes->signatures[node], signature64, 64);
}

bool byz_cert(struct sim *sim, enum slu_vote_kind kind, uint64_t view, const uint8_t block32[32],
              struct slu_cert *out)
{
    static const uint8_t zero[32];
    const uint8_t *block = kind == SLU_NULLIFY ? zero : block32;
    const struct byz_votes *votes = votes_of(sim->byz, kind, view, block);
    if (!votes)
        return false;
    *out = (struct slu_cert){.kind = (uint8_t)kind, .view = view};
    memcpy(out->block, block, 32);
    slu_vote_digest(out->digest, &sim->genesis, kind, view, block);
    uint16_t q = slu_genesis_q(&sim->genesis);
    for (uint16_t i = 0; i < sim->plan.n && out->count < q; i++) {
        struct slu_vote_signature *s = &out->votes[out->count];
        if (sim->byzantine >> i & 1)
            sim_sign(sim, i, s->signature, out->digest);
        else if (votes->voters >> i & 1)
            memcpy(s->signature, votes->signatures[i], 64);
        else
            continue;
        s->node = i;
        out->count++;
    }
    return out->count == q;
}

static void learn(struct sim *sim, const struct slu_message *m)
{
    struct byz *byz = sim->byz;
    uint64_t view = 0;
    if (m->kind == SLU_MSG_VOTE) {
        view = m->vote.view;
        hear_vote(byz, (enum slu_vote_kind)m->vote.kind, view, m->vote.block, m->vote.node,
                  m->vote.signature);
    } else if (m->kind == SLU_MSG_CERT) {
        view = m->cert.view + 1;
        for (uint16_t i = 0; i < m->cert.count; i++)
            hear_vote(byz, (enum slu_vote_kind)m->cert.kind, m->cert.view, m->cert.block,
                      m->cert.votes[i].node, m->cert.votes[i].signature);
    } else if (m->kind == SLU_MSG_PROPOSAL) {
        view = m->proposal.view;
        hear_vote(byz, SLU_NOTARIZE, view, m->proposal.block, m->proposal.node,
                  m->proposal.notarize);
    } else if (m->kind == SLU_MSG_REPORT) {
        view = m->report.view;
    }
    if (view > byz->top_view && view < sim->world.view_top + 3)
        byz->top_view = view;
}

void byz_receive(struct sim *sim, struct sim_node *node, const struct sim_packet *packet)
{
    struct byz *byz = sim->byz;
    learn(sim, packet->message);
    struct sim_packet **slot = &byz->packets[byz->packet_count++ % BYZ_PACKETS];
    struct sim_packet *old = *slot, *kept = (struct sim_packet *)(uintptr_t)packet;
    kept->references++;
    *slot = kept;
    sim_packet_release(old);
    if (node->role == SIM_PUPPET)
        puppet_hear(sim, node->id, packet->from, packet->message);
}

/* Sends again what was heard: everything but links is signed by its maker, not by who brings it. */
void byz_replay(struct sim *sim, uint16_t node, uint8_t kind, uint64_t to)
{
    struct byz *byz = sim->byz;
    uint32_t kept = byz->packet_count < BYZ_PACKETS ? byz->packet_count : BYZ_PACKETS;
    for (uint32_t tries = 0; tries < 8 && kept; tries++) {
        struct sim_packet *packet = byz->packets[sim_rng_below(&sim->byz_rng, kept)];
        if (!packet->valid || (kind && packet->message->kind != (enum slu_message_kind)kind))
            continue;
        sim->result.counts[SIM_N_REPLAYS]++;
        struct sim_packet *again = sim_alloc(sizeof *again);
        *again = *packet;
        again->references = 1;
        again->from = node;
        size_t size = sim_message_bytes(packet->message);
        if (packet->message->kind == SLU_MSG_HEADERS || packet->message->kind == SLU_MSG_BLOCKS) {
            free(again);
            continue;
        }
        again->message = sim_alloc(size);
        memcpy(again->message, packet->message, size);
        size_t len;
        const uint8_t *payload = sim_payload_of(packet->message, &len);
        again->payload = sim_alloc(len);
        if (len)
            memcpy(again->payload, payload, len);
        if (packet->message->kind == SLU_MSG_BATCH)
            again->message->batch.payload = again->payload;
        if (packet->message->kind == SLU_MSG_RELAY)
            again->message->relay.content = again->payload;
        for (uint16_t i = 0; i < sim->plan.n; i++)
            if (i != node && (to >> i & 1))
                sim_net_send_after(sim, again, i, byz_delay(sim));
        sim_packet_release(again);
        return;
    }
}

void byz_tick(struct sim *sim, uint16_t instance)
{
    struct sim_node *node = &sim->nodes[instance];
    sim_at(sim, sim->now_ms + sim_rng_range(&sim->byz_rng, 15, 70),
           &(struct sim_event){.kind = SIM_EV_BYZ, .node = instance});
    if (node->role == SIM_PUPPET)
        puppet_tick(sim, node->id);
    if (node->role == SIM_TWISTED && byz_does(sim, BYZ_RELEASES))
        byz_replay(sim, node->id, 0, byz_some(sim));
}
