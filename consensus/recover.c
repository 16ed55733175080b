/* Boot: what the disk has, back into the flags and tables that it came from (clause 3.12). */
#include <string.h>

#include "consensus/order.h"
#include "consensus/state.h"
#include "sluice/error.h"

struct boot {
    struct slu_core *core;
    uint16_t lane;
};

static int get(const struct slu_store *store, enum slu_record_kind kind, uint64_t a, uint64_t b,
               const uint8_t **value, size_t *len)
{
    struct slu_record_key key = {.kind = kind, .a = a, .b = b};
    return store->get(store->context, &key, value, len);
}

static int read_final(const struct slu_core *c, const uint8_t *value, size_t len,
                      struct slu_block *block)
{
    struct slu_reader r = slu_reader_of(value, len);
    struct slu_cert unused;
    if (slu_block_read(&r, c->g, block))
        return SLU_ERR_CORRUPT;
    if (slu_read_u8(&r) == 1 && slu_cert_read(&r, c->g, &unused))
        return SLU_ERR_CORRUPT;
    return slu_reader_done(&r) ? SLU_OK : SLU_ERR_CORRUPT;
}

/* What a delivered block queued. */
static int boot_height(struct slu_core *c, const struct slu_store *store, uint64_t height,
                       struct slu_queue_tail *tail)
{
    const uint8_t *value;
    size_t len;
    int rc = get(store, SLU_REC_FINAL, height, 0, &value, &len);
    if (!rc)
        rc = read_final(c, value, len, &c->work_block);
    if (rc)
        return rc;
    if (!slu_queue_has_room(c, &c->work_block))
        return SLU_ERR_CORRUPT;
    slu_queue_push(c, &c->work_block, tail);
    *tail = c->work_block.tail;
    return SLU_OK;
}

/* The ids that it delivered: for the dedup window, and for entries of the queue that need not be
 * delivered any more. */
static int boot_ids(struct slu_core *c, const struct slu_store *store, uint64_t height)
{
    const uint8_t *value;
    size_t len;
    int rc = get(store, SLU_REC_FINAL, height, 0, &value, &len);
    if (!rc)
        rc = read_final(c, value, len, &c->work_block);
    if (rc)
        return rc;
    bool in_window = c->work_block.time_ms + c->g->params.dedup_window_ms >= c->delivered.time_ms;
    rc = get(store, SLU_REC_IDS, height, 0, &value, &len);
    if (rc == SLU_ERR_NOT_FOUND)
        return SLU_OK; /* nothing in it */
    return rc ? rc : slu_order_restore_ids(c, &c->work_block, in_window, value, len);
}

/* The last delivered block, the ids that its dedup window still remembers, and the queue. */
static int boot_delivered(struct slu_core *c, const struct slu_store *store)
{
    struct slu_record_key last;
    const uint8_t *value;
    size_t len;
    int rc = store->last(store->context, SLU_REC_DELIVERED, &last, &value, &len);
    if (rc == SLU_ERR_NOT_FOUND)
        return SLU_OK;
    if (rc)
        return rc;
    rc = get(store, SLU_REC_FINAL, last.a, 0, &value, &len);
    if (!rc)
        rc = read_final(c, value, len, &c->delivered);
    if (rc)
        return rc == SLU_ERR_NOT_FOUND ? SLU_ERR_CORRUPT : rc;
    c->delivered.queued = NULL; /* the store's memory; the queue gets it below */
    c->delivered.queued_count = 0;
    uint64_t first = last.a;
    struct slu_queue_tail tail = {.height = 0};
    while (first > 1) {
        rc = get(store, SLU_REC_FINAL, first - 1, 0, &value, &len);
        if (rc == SLU_ERR_NOT_FOUND)
            break; /* pruned: older than any window */
        if (!rc)
            rc = read_final(c, value, len, &c->work_block);
        if (rc)
            return rc;
        tail = c->work_block.tail;
        if (!slu_queue_remembers(c, &c->work_block, &c->delivered))
            break;
        first--;
    }
    if (first == 1)
        tail = (struct slu_queue_tail){.height = 0};
    for (uint64_t height = first; height <= last.a && !rc; height++)
        rc = boot_height(c, store, height, &tail);
    for (uint64_t height = first; height <= last.a && !rc; height++)
        rc = boot_ids(c, store, height);
    slu_queue_delivered(c);
    return rc;
}

/* One above the head is not counted, not even as queued: the turn that was to make it final was
 * torn off before the head's record, and it becomes final again. */
static int visit_final(void *context, const struct slu_record_key *key, const uint8_t *value,
                       size_t len)
{
    struct slu_core *c = ((struct boot *)context)->core;
    if (key->a > c->head.height)
        return SLU_OK;
    int rc = read_final(c, value, len, &c->work_block);
    if (!rc)
        slu_chain_restore_final(c, &c->work_block);
    return rc;
}

static int visit_batch(void *context, const struct slu_record_key *key, const uint8_t *value,
                       size_t len)
{
    struct boot *boot = context;
    struct slu_core *c = boot->core;
    struct slu_reader r = slu_reader_of(value, len);
    struct slu_batch_header h;
    (void)key;
    if (slu_batch_header_read(&r, c->g, &h) || slu_reader_left(&r) != h.payload_bytes)
        return SLU_ERR_CORRUPT;
    slu_lane_restore(c, &h);
    if (h.lane == c->self && h.position > c->delivered.cut[c->self].position)
        slu_submit_restore(c, &h, r.at);
    return SLU_OK;
}

static int visit_ack(void *context, const struct slu_record_key *key, const uint8_t *value,
                     size_t len)
{
    struct boot *boot = context;
    struct slu_lane *lane = &boot->core->lanes[boot->lane];
    if (len != 32)
        return SLU_ERR_CORRUPT;
    lane->acked.position = key->b;
    memcpy(lane->acked.digest, value, 32);
    return SLU_OK;
}

/* The chain that I acked becomes mine again, then whatever extends it; unless a cut left that chain
 * behind: of two batches at one position the other may have been certified. */
static void resume_lane(struct slu_core *c, uint16_t index)
{
    struct slu_lane *lane = &c->lanes[index];
    uint32_t acked = slu_lane_find(lane, lane->acked.digest);
    if (lane->acked.position > lane->committed.position && acked != SLU_NONE &&
        lane->pool[acked].held &&
        slu_lane_descends(lane, acked, slu_lane_find(lane, lane->committed.digest))) {
        lane->mine = acked;
        lane->ack_dirty = true; /* say it again, so that it counts here and there */
    }
    slu_lane_extend(c, index);
}

static int boot_lanes(struct slu_core *c, const struct slu_store *store)
{
    for (uint16_t l = 0; l < c->n; l++) {
        struct boot boot = {.core = c, .lane = l};
        struct slu_record_key from = {
            .kind = SLU_REC_BATCH, .a = l, .b = c->lanes[l].delivered.position + 1};
        struct slu_record_key to = {.kind = SLU_REC_BATCH, .a = (uint64_t)l + 1};
        int rc = store->scan(store->context, &from, &to, visit_batch, &boot);
        from = (struct slu_record_key){.kind = SLU_REC_ACK, .a = l};
        to = (struct slu_record_key){.kind = SLU_REC_ACK, .a = (uint64_t)l + 1};
        if (!rc)
            rc = store->scan(store->context, &from, &to, visit_ack, &boot);
        if (rc)
            return rc;
        resume_lane(c, l);
    }
    return SLU_OK;
}

static int read_notarize(struct slu_core *c, struct slu_reader *r, const struct slu_vote *vote)
{
    struct slu_view_slot *slot = slu_view_slot(c, vote->view);
    struct slu_proposal proposal;
    if (slu_proposal_read(r, c->g, &proposal))
        return SLU_ERR_CORRUPT;
    for (uint16_t i = 0; i < c->q; i++)
        if (slu_report_read(r, c->g, &c->scratch->report))
            return SLU_ERR_CORRUPT;
        else
            slu_report_restore(c, &c->scratch->report);
    if (slu_block_read(r, c->g, &c->work_block))
        return SLU_ERR_CORRUPT;
    if (slot) {
        slot->proposal = proposal;
        slot->has_proposal = true;
        slu_chain_add(c, &c->work_block);
    }
    return SLU_OK;
}

static int read_finalize(struct slu_core *c, struct slu_reader *r)
{
    struct slu_cert cert;
    if (slu_cert_read(r, c->g, &cert))
        return SLU_ERR_CORRUPT;
    uint8_t has_block = slu_read_u8(r);
    if (has_block && slu_block_read(r, c->g, &c->work_block))
        return SLU_ERR_CORRUPT;
    slu_vote_restore_cert(c, &cert);
    if (has_block)
        slu_chain_add(c, &c->work_block);
    return SLU_OK;
}

static int visit_vote(void *context, const struct slu_record_key *key, const uint8_t *value,
                      size_t len)
{
    struct boot *boot = context;
    struct slu_core *c = boot->core;
    struct slu_reader r = slu_reader_of(value, len);
    struct slu_vote vote;
    if (slu_vote_read(&r, c->g, &vote) || vote.view != key->a || vote.kind != key->b)
        return SLU_ERR_CORRUPT;
    slu_vote_restore(c, &vote);
    int rc = SLU_OK;
    if (vote.kind == SLU_NOTARIZE)
        rc = read_notarize(c, &r, &vote);
    else if (vote.kind == SLU_FINALIZE)
        rc = read_finalize(c, &r);
    return !rc && !slu_reader_done(&r) ? SLU_ERR_CORRUPT : rc;
}

/* `started`: this disk has the node's whole history; `lost`: it lost its disk once, and its lane is
 * not open again. */
static int boot_states(struct slu_core *c, const struct slu_store *store, bool *started, bool *lost)
{
    const uint8_t *value;
    size_t len;
    int rc = get(store, SLU_REC_STATE, SLU_STATE_STARTED, 0, &value, &len);
    if (rc && rc != SLU_ERR_NOT_FOUND)
        return rc;
    *started = rc == SLU_OK;
    rc = get(store, SLU_REC_STATE, SLU_STATE_REJOIN, 0, &value, &len);
    if (rc == SLU_OK) {
        struct slu_reader r = slu_reader_of(value, len);
        c->vote_floor = slu_read_u64(&r);
        c->incarnation = slu_read_u32(&r);
        *lost = slu_read_u8(&r) == 0;
        if (!slu_reader_done(&r))
            return SLU_ERR_CORRUPT;
        *started = true;
    } else if (rc != SLU_ERR_NOT_FOUND) {
        return rc;
    }
    for (uint16_t l = 0; l < c->n; l++) {
        rc = get(store, SLU_REC_STATE, SLU_STATE_FREEZE, l, &value, &len);
        if (rc == SLU_ERR_NOT_FOUND)
            continue;
        if (rc)
            return rc;
        struct slu_reader r = slu_reader_of(value, len);
        c->lanes[l].frozen_below = slu_read_u32(&r);
        slu_read_copy(&r, c->lanes[l].frozen_nonce, 32);
        if (!slu_reader_done(&r))
            return SLU_ERR_CORRUPT;
    }
    return SLU_OK;
}

/* ---- the inbox ---- */

static int is_held(const struct slu_store *store, const uint8_t id32[32], uint64_t valid_until_ms,
                   bool *held)
{
    const uint8_t *value;
    size_t len;
    struct slu_record_key key = {.kind = SLU_REC_INBOX, .a = valid_until_ms};
    memcpy(key.digest, id32, 32);
    int rc = store->get(store->context, &key, &value, &len);
    *held = rc == SLU_OK;
    return rc == SLU_ERR_NOT_FOUND ? SLU_OK : rc;
}

static int visit_item(void *context, const struct slu_record_key *key, const uint8_t *value,
                      size_t len)
{
    struct slu_core *c = ((struct boot *)context)->core;
    struct slu_relay relay;
    if (len < SLU_RELAY_BYTES)
        return SLU_ERR_CORRUPT;
    struct slu_reader r = slu_reader_of(value, SLU_RELAY_BYTES);
    if (slu_relay_read(&r, c->g, &relay, value + SLU_RELAY_BYTES, len - SLU_RELAY_BYTES) ||
        !slu_reader_done(&r) || !slu_digest_is(relay.tuple.id, key->digest))
        return SLU_ERR_CORRUPT;
    slu_inbox_restore(c, &relay);
    return SLU_OK;
}

/* What is still to be delivered and held, and what no final block queued yet. */
static int boot_inbox(struct slu_core *c, const struct slu_store *store)
{
    struct slu_queue *q = &c->queue;
    int rc = SLU_OK;
    for (uint64_t i = q->due; i < q->top && !rc; i++) {
        struct slu_queued *entry = &q->ring[i % q->cap];
        rc = is_held(store, entry->id, entry->valid_until_ms, &entry->held);
    }
    for (size_t i = 0; i < (size_t)SLU_OFFENCES * c->n && !rc; i++) {
        struct slu_offence_slot *slot = &q->offences[i];
        if (slot->height > c->delivered.height)
            rc = is_held(store, slot->tuple.id, SLU_VALID_FOR_EVER, &slot->held);
    }
    struct boot boot = {.core = c};
    struct slu_record_key from = {.kind = SLU_REC_INBOX, .a = c->head.time_ms};
    struct slu_record_key to = {.kind = SLU_REC_INBOX, .a = UINT64_MAX, .b = 1};
    return rc ? rc : store->scan(store->context, &from, &to, visit_item, &boot);
}

static int boot_head(struct slu_core *c, const struct slu_store *store)
{
    const uint8_t *value;
    size_t len;
    int rc = get(store, SLU_REC_STATE, SLU_STATE_HEAD, 0, &value, &len);
    if (rc == SLU_ERR_NOT_FOUND)
        return SLU_OK;
    if (rc)
        return rc;
    struct slu_reader r = slu_reader_of(value, len);
    struct slu_cert cert;
    if (slu_block_read(&r, c->g, &c->work_block) || slu_cert_read(&r, c->g, &cert) ||
        !slu_reader_done(&r))
        return SLU_ERR_CORRUPT;
    if (c->work_block.height >= c->head.height)
        slu_chain_restore_head(c, &c->work_block, &cert);
    return SLU_OK;
}

int slu_core_boot(struct slu_core *c, const struct slu_store *store, bool first_start)
{
    bool started, lost = false;
    int rc = boot_states(c, store, &started, &lost);
    if (!rc)
        rc = boot_delivered(c, store);
    if (rc)
        return rc;
    rc = slu_keygen_boot(c, store);
    if (!rc)
        rc = slu_opener_boot(c, store);
    if (!rc)
        rc = slu_sealing_boot(c, store);
    if (rc)
        return rc;
    slu_opener_booted(c);
    rc = slu_release_boot(c, store);
    if (rc)
        return rc;
    c->finals_top = c->delivered.height;
    for (uint16_t l = 0; l < c->n; l++)
        slu_lane_delivered(c, l, &c->delivered.cut[l]);
    c->head = c->delivered;
    c->slashed = slu_block_slashed(&c->head);
    struct boot boot = {.core = c};
    struct slu_record_key from = {.kind = SLU_REC_FINAL, .a = c->delivered.height + 1};
    struct slu_record_key to = {.kind = SLU_REC_FINAL, .a = UINT64_MAX};
    rc = boot_head(c, store);
    if (!rc)
        rc = store->scan(store->context, &from, &to, visit_final, &boot);
    if (!rc)
        rc = boot_lanes(c, store);
    if (!rc)
        rc = boot_inbox(c, store);
    if (rc)
        return rc;
    from = (struct slu_record_key){.kind = SLU_REC_VOTE, .a = c->final_view + 1};
    to = (struct slu_record_key){.kind = SLU_REC_VOTE, .a = UINT64_MAX};
    rc = store->scan(store->context, &from, &to, visit_vote, &boot);
    c->forgotten_view = c->final_view;
    c->first_start = first_start && !started;
    c->rejoining = lost || (!started && !first_start);
    return rc;
}
