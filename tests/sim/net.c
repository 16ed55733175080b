#include "tests/sim/net.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define ENCODE_BYTES (SLU_MESSAGE_BYTES_MAX + SLU_BATCH_BYTES_MAX_CAP)

void sim_packet_release(struct sim_packet *packet)
{
    if (!packet || --packet->references)
        return;
    free(packet->message);
    free(packet->payload);
    free(packet);
}

const uint8_t *sim_payload_of(const struct slu_message *m, size_t *len)
{
    *len = m->kind == SLU_MSG_BATCH   ? m->batch.header.payload_bytes
           : m->kind == SLU_MSG_RELAY ? m->relay.tuple.bytes
                                      : 0;
    return m->kind == SLU_MSG_BATCH   ? m->batch.payload
           : m->kind == SLU_MSG_RELAY ? m->relay.content
                                      : NULL;
}

/* What a trace shows of a message: its view or position, and a digest. */
static void label(struct sim_packet *packet)
{
    const struct slu_message *m = packet->message;
    const uint8_t *digest = NULL;
    switch (m->kind) {
    case SLU_MSG_BATCH:
        packet->signer_view = m->batch.header.position;
        digest = m->batch.header.digest;
        break;
    case SLU_MSG_ACKS:
        packet->signer_view = m->acks.count;
        digest = m->acks.digest;
        break;
    case SLU_MSG_REPORT:
        packet->signer_view = m->report.view;
        digest = m->report.digest;
        break;
    case SLU_MSG_PROPOSAL:
        packet->signer_view = m->proposal.view;
        digest = m->proposal.block;
        break;
    case SLU_MSG_VOTE:
        packet->signer_view = m->vote.view;
        digest = m->vote.block;
        break;
    case SLU_MSG_CERT:
        packet->signer_view = m->cert.view;
        digest = m->cert.block;
        break;
    case SLU_MSG_HEADERS:
        packet->signer_view = m->headers.items[0].position;
        digest = m->headers.items[m->headers.count - 1].digest;
        break;
    case SLU_MSG_BLOCKS:
        packet->signer_view = m->blocks.items[0].height;
        digest = m->blocks.items[0].digest;
        break;
    case SLU_MSG_FETCH:
        packet->signer_view = m->fetch.from;
        packet->tag[7] = m->fetch.what;
        memcpy(packet->tag, m->fetch.digest, 6);
        packet->tag[6] = (uint8_t)m->fetch.lane;
        break;
    case SLU_MSG_FREEZE:
        packet->signer_view = m->freeze.incarnation;
        break;
    case SLU_MSG_RELAY:
        packet->signer_view = m->relay.taker;
        digest = m->relay.tuple.id;
        break;
    case SLU_MSG_HOLDS:
        packet->signer_view = m->holds.count;
        digest = m->holds.items[0].tuple.id;
        break;
    case SLU_MSG_SHARES:
        packet->signer_view = m->shares.height;
        digest = m->shares.list;
        break;
    case SLU_MSG_RELEASE:
        packet->signer_view = m->release.release.height;
        digest = m->release.release.digest;
        break;
    case SLU_MSG_RELEASE_CERT:
        packet->signer_view = m->release_cert.release.height;
        digest = m->release_cert.release.digest;
        break;
    case SLU_MSG_REJOIN:
    case SLU_MSG_KINDS:
        break;
    }
    if (digest)
        memcpy(packet->tag, digest, 8);
}

size_t sim_message_bytes(const struct slu_message *m)
{
    if (m->kind == SLU_MSG_HEADERS)
        return (size_t)((const char *)&m->headers.items[m->headers.count] - (const char *)m);
    if (m->kind == SLU_MSG_BLOCKS)
        return (size_t)((const char *)&m->blocks.items[m->blocks.count] - (const char *)m);
    if (m->kind == SLU_MSG_REPORT)
        return (size_t)((const char *)&m->report.inbox[m->report.inbox_count *
                                                       SLU_INBOX_TUPLE_BYTES] -
                        (const char *)m);
    return slu_message_size(m->kind);
}

/* A BLOCKS message's lists lie behind its blocks: the copy's are kept as the packet's payload. */
static void copy_lists(struct sim_packet *packet)
{
    struct slu_blocks *b = &packet->message->blocks;
    size_t used = 0;
    for (uint16_t i = 0; i < b->count; i++)
        used += slu_block_list_bytes(&b->items[i]);
    packet->payload = sim_alloc(used);
    used = 0;
    for (uint16_t i = 0; i < b->count; i++) {
        size_t list = slu_block_list_bytes(&b->items[i]);
        memcpy(packet->payload + used, b->items[i].queued, list);
        b->items[i].queued = packet->payload + used;
        used += list;
    }
}

struct sim_packet *sim_packet_decode(struct sim *sim, uint16_t from, uint8_t kind,
                                     const uint8_t *body, size_t body_len, const uint8_t *payload,
                                     size_t payload_len)
{
    struct sim_packet *packet = sim_alloc(sizeof *packet);
    packet->references = 1;
    packet->from = packet->instance = from;
    if (payload_len) {
        packet->payload = sim_alloc(payload_len);
        memcpy(packet->payload, payload, payload_len);
    }
    struct slu_message *m = &sim->scratch;
    m->kind = SLU_MSG_KINDS;
    int rc = slu_message_read(m, &sim->genesis, kind, body, body_len, packet->payload, payload_len);
    if (!rc)
        rc = slu_message_verify(m, &sim->genesis, &sim->verifier);
    packet->valid = rc == 0;
    packet->message = sim_alloc(packet->valid ? sim_message_bytes(m) : sizeof m->kind);
    if (packet->valid) {
        memcpy(packet->message, m, sim_message_bytes(m));
        if (m->kind == SLU_MSG_BLOCKS)
            copy_lists(packet);
        label(packet);
        world_see(&sim->world, packet->message, false);
    } else {
        packet->message->kind = SLU_MSG_KINDS;
        if (sim_is_honest(sim, from))
            sim_violation(sim, 7, "node %u sends a %s that does not verify (%d)", from,
                          slu_message_name((enum slu_message_kind)kind), rc);
    }
    return packet;
}

struct sim_packet *sim_packet_of(struct sim *sim, uint16_t from, const struct slu_message *message)
{
    struct slu_writer w = slu_writer_of(sim->encode_buffer, ENCODE_BYTES);
    slu_message_write(&w, message);
    SLU_CHECK(!w.failed);
    size_t len;
    const uint8_t *payload = sim_payload_of(message, &len);
    return sim_packet_decode(sim, from, (uint8_t)message->kind, sim->encode_buffer,
                             slu_writer_len(&w), payload, len);
}

/* ---- delay ---- */

static const struct sim_partition *cut_by(const struct sim *sim, uint16_t from, uint16_t to)
{
    for (uint32_t i = 0; i < sim->plan.partition_count; i++) {
        const struct sim_partition *p = &sim->plan.partitions[i];
        /* Not bool: gcc 12 with -fsanitize=undefined finds two equal bits unequal. */
        uint64_t out = p->side >> from & 1, in = p->side >> to & 1;
        if (sim->now_ms < p->from_ms || sim->now_ms >= p->to_ms || out == in)
            continue;
        if (out || !p->one_way)
            return p;
    }
    return NULL;
}

static uint64_t styled_delay(struct sim *sim, uint16_t from, uint16_t to, uint8_t kind)
{
    uint64_t delta = sim->plan.params.delta_ms;
    struct sim_rng *r = &sim->net_rng;
    uint8_t *bias = NULL;
    switch (sim->plan.style) {
    case SIM_FAST:
        return sim_rng_range(r, 1, delta / 5 + 1);
    case SIM_UNIFORM:
        return sim_rng_range(r, 1, delta);
    case SIM_SLOWEST:
        return delta;
    case SIM_BY_LINK:
        bias = &sim->bias[from][to];
        break;
    case SIM_BY_KIND:
        bias = &sim->bias[SIM_NODES_MAX + kind][to];
        break;
    case SIM_STYLES:
        break;
    }
    if (!bias)
        return 1;
    if (*bias == 0 || sim_rng_chance(r, 10))
        *bias = sim_rng_chance(r, 500) ? 1 : 2;
    return *bias == 1 ? 1 : delta;
}

void sim_net_send_after(struct sim *sim, struct sim_packet *packet, uint16_t to, uint64_t delay_ms)
{
    if (sim->hooks.packet && !sim->hooks.packet(sim->hooks.context, sim, packet, to, &delay_ms)) {
        sim_note(sim, SIM_T_LOSE, packet->from, to, (uint8_t)packet->message->kind,
                 packet->signer_view, packet->tag);
        return;
    }
    uint64_t at = sim->now_ms + delay_ms;
    if (sim->plan.fifo) {
        uint64_t *last = &sim->fifo_ms[packet->from][to];
        at = at > *last ? at : *last;
        *last = at;
    }
    packet->references++;
    sim_at(sim, at,
           &(struct sim_event){
               .kind = SIM_EV_PACKET, .node = to, .peer = packet->from, .packet = packet});
}

void sim_net_send(struct sim *sim, struct sim_packet *packet, uint16_t to)
{
    const struct sim_plan *plan = &sim->plan;
    struct sim_rng *r = &sim->net_rng;
    uint8_t kind = (uint8_t)packet->message->kind;
    uint64_t delay = sim_is_honest(sim, to) ? styled_delay(sim, packet->from, to, kind) : 1;
    bool wild = sim->now_ms < plan->wild_ms && sim_is_honest(sim, packet->from);
    const struct sim_partition *cut = cut_by(sim, packet->from, to);
    sim->sent_by_kind[kind]++;
    if (cut && cut->hold) {
        delay += cut->to_ms - sim->now_ms;
        sim->result.counts[SIM_N_PARTITIONED]++;
    } else if (cut || (wild && sim_rng_chance(r, plan->drop_permille))) {
        sim->result.counts[cut ? SIM_N_PARTITIONED : SIM_N_LOST]++;
        sim_note(sim, SIM_T_LOSE, packet->from, to, kind, packet->signer_view, packet->tag);
        if (plan->reconnects && !cut && sim_rng_chance(r, 100))
            sim_at(sim, sim->now_ms + sim_rng_range(r, 1, 100),
                   &(struct sim_event){.kind = SIM_EV_PEER_UP, .node = to, .peer = packet->from});
        return;
    } else if (wild && sim_rng_chance(r, plan->late_permille)) {
        delay = sim_rng_range(r, 1, plan->wild_ms + plan->params.delta_ms - sim->now_ms);
        sim->result.counts[SIM_N_LATE]++;
    }
    if (sim_rng_chance(r, plan->duplicate_permille)) {
        sim->result.counts[SIM_N_DUPLICATED]++;
        sim_net_send_after(sim, packet, to, delay + sim_rng_below(r, plan->params.delta_ms));
    }
    sim_net_send_after(sim, packet, to, delay);
}
