/* Two batches at each position of the own lane: the core's for some, one of the deviant's for the
 * rest, and to each side acks of what it was shown. The fork is a chain of its own for a while,
 * then starts anew from the core's chain, with other sides. */
#include <string.h>

#include "byzantine/state.h"

#define FORK_RUN  8u /* batches, on average, before the fork starts anew */
#define FORK_WAIT 8u /* honest batches before the first lie, at most */

/* The same transactions, the first one last. */
static const uint8_t *turn_around(struct slu_deviant *d, const struct slu_batch *batch)
{
    struct slu_reader r = slu_reader_of(batch->payload, batch->header.payload_bytes);
    struct slu_tx first;
    size_t len = batch->header.payload_bytes;
    uint8_t *bytes = slu_arena_take(&d->fx->bytes, len);
    if (!bytes || !slu_tx_read(&r, &first))
        return NULL;
    memcpy(bytes, batch->payload + first.bytes_len, len - first.bytes_len);
    memcpy(bytes + len - first.bytes_len, first.bytes, first.bytes_len);
    return bytes;
}

void slu_dv_batch(struct slu_deviant *d, const struct slu_batch *batch, uint64_t targets)
{
    struct slu_message *m = &d->said;
    struct slu_batch_header *h = &m->batch.header;
    m->kind = SLU_MSG_BATCH;
    if (!d->fork_from)
        d->fork_from = batch->header.position + slu_dv_random(d) % FORK_WAIT;
    if (batch->header.position < d->fork_from) {
        m->batch = *batch;
        slu_dv_say(d, targets, m);
        return;
    }
    const uint8_t *payload = turn_around(d, batch);
    if (!payload) {
        d->stats.lost++;
        return;
    }
    *h = batch->header;
    m->batch.payload = payload;
    bool goes_on = d->fork.position + 1 == h->position && slu_dv_random(d) % FORK_RUN != 0;
    if (goes_on)
        memcpy(h->parent, d->fork.digest, 32);
    else
        d->fork_side = slu_dv_some(d);
    h->made_at_ms++; /* another header even when there is but one transaction */
    slu_payload_digest(h->payload_digest, d->g, payload, h->payload_bytes);
    slu_batch_header_digest(h, d->g);
    slu_dv_sign(d, h->signature, SLU_ROLE_BATCH, 0, h->digest);
    d->fork.position = h->position;
    memcpy(d->fork.digest, h->digest, 32);
    slu_dv_act(d, SLU_EQUIVOCATE_BATCHES);
    slu_dv_say(d, targets & d->fork_side, m);
    m->batch = *batch;
    slu_dv_say(d, targets & ~d->fork_side, m);
}

void slu_dv_acks(struct slu_deviant *d, const struct slu_ack_vector *acks, uint64_t targets)
{
    struct slu_message *m = &d->said;
    m->kind = SLU_MSG_ACKS;
    m->acks = *acks;
    slu_dv_say(d, targets & ~d->fork_side, m);
    for (uint16_t i = 0; i < m->acks.count; i++)
        if (m->acks.acks[i].lane == d->self && m->acks.acks[i].tip.position >= d->fork.position)
            m->acks.acks[i].tip = d->fork;
    slu_ack_vector_digest(&m->acks, d->g);
    slu_dv_sign(d, m->acks.signature, SLU_ROLE_ACKS, 0, m->acks.digest);
    slu_dv_say(d, targets & d->fork_side, m);
}
