/* Delivery: final blocks to entries, in height order, once every body is held (clause 4). */
#include "consensus/order.h"

#include <string.h>

#include "consensus/state.h"
#include "sluice/error.h"
#include "wire/entry.h"

#define READS_MAX       16u
#define READ_BYTES_MAX  (4u * 1024u * 1024u)
#define OUTCOME_DROPPED UINT32_C(0x80000000)
#define IDS_ENTRY_BYTES 36u

/* A batch of the block that is being delivered. */
struct planned {
    struct slu_delivered_batch ref;
    uint32_t bytes;
};

/* An item out of the queue, and what became of it. */
struct inbox_item {
    struct slu_inbox_tuple tuple;
    uint8_t outcome; /* slu_drop */
    uint32_t index;  /* of an entry */
};

struct slu_order {
    bool active;              /* a block is being delivered */
    struct inbox_item *inbox; /* evidence, then what is due: inbox_max */
    uint32_t inbox_count;
    uint32_t forced, evidence; /* of them delivered */
    uint32_t *letters;         /* places in `inbox` of what is read first: all but evidence */
    uint32_t letter_count;
    struct slu_sealed_entry *waited;     /* sealed entries that are due now: read next */
    uint32_t waited_count, waited_index; /* index of the first's opening */
    struct slu_block block;
    struct planned *plan;          /* entries_per_block_max: a batch has at least one transaction */
    uint32_t planned, asked, done; /* the latter two count letters, what waited, batches */
    uint32_t asked_bytes;
    uint32_t entries, drops, ids;
    uint8_t *ids_bytes;   /* ids x (id32, u32 outcome): entries, drops, queued ids known before */
    uint8_t *drops_bytes; /* drops x slu_delivered_drop */
    uint32_t *lane_paths; /* n * lane_window_batches places */
    uint64_t next_tag;
};

/* Items out of the queue at one height, at most. */
static size_t inbox_max(const struct slu_genesis *g)
{
    return g->params.forced_bytes_per_block / slu_queue_cost(SLU_TX_HEAD_BYTES + 1) +
           (size_t)SLU_OFFENCES * g->n;
}

size_t slu_order_bytes(const struct slu_genesis *g)
{
    size_t entries = g->params.entries_per_block_max + inbox_max(g) + slu_inbox_per_block(g);
    return sizeof(struct slu_order) +
           inbox_max(g) * (sizeof(struct inbox_item) + sizeof(uint32_t)) +
           entries * (sizeof(struct planned) + IDS_ENTRY_BYTES + SLU_DELIVERED_DROP_BYTES) +
           (size_t)g->n * g->params.lane_window_batches * sizeof(uint32_t) +
           slu_due_count_max(g) * sizeof(struct slu_sealed_entry) + 192;
}

void slu_order_init(struct slu_core *c, struct slu_arena *arena)
{
    size_t entries =
        c->g->params.entries_per_block_max + inbox_max(c->g) + slu_inbox_per_block(c->g);
    struct slu_order *o = slu_arena_take(arena, sizeof *o);
    SLU_CHECK(o);
    o->inbox = slu_arena_take(arena, inbox_max(c->g) * sizeof *o->inbox);
    o->letters = slu_arena_take(arena, inbox_max(c->g) * sizeof *o->letters);
    o->waited = slu_arena_take(arena, slu_due_count_max(c->g) * sizeof *o->waited);
    SLU_CHECK(o->inbox && o->letters && o->waited);
    o->plan = slu_arena_take(arena, entries * sizeof *o->plan);
    o->ids_bytes = slu_arena_take(arena, entries * IDS_ENTRY_BYTES);
    o->drops_bytes = slu_arena_take(arena, entries * SLU_DELIVERED_DROP_BYTES);
    o->lane_paths =
        slu_arena_take(arena, (size_t)c->n * c->g->params.lane_window_batches * sizeof(uint32_t));
    SLU_CHECK(o->plan && o->ids_bytes && o->drops_bytes && o->lane_paths);
    c->order = o;
}

/* ---- which batches, in which order ---- */

static bool plan_block(struct slu_core *c, const struct slu_block *block)
{
    struct slu_order *o = c->order;
    uint32_t counts[SLU_NODES_MAX], window = c->g->params.lane_window_batches;
    for (uint16_t l = 0; l < c->n; l++) {
        const struct slu_lane *lane = &c->lanes[l];
        const struct slu_tip *from = &c->delivered.cut[l];
        counts[l] = 0;
        if (block->cut[l].position <= from->position)
            continue;
        uint32_t tip = slu_lane_find(lane, block->cut[l].digest);
        uint32_t *path = &o->lane_paths[(size_t)l * window];
        if (tip == SLU_NONE)
            return false;
        counts[l] = slu_lane_path(c, lane, tip, from->position, from->digest, path);
        if (counts[l] == SLU_NONE)
            return false;
        for (uint32_t i = 0; i < counts[l]; i++)
            if (!lane->pool[path[i]].held)
                return false;
    }
    o->planned = 0;
    for (uint32_t round = 0;; round++) {
        bool any = false;
        for (uint16_t k = 0; k < c->n; k++) {
            uint16_t l = (uint16_t)((block->height + k) % c->n);
            if (round >= counts[l])
                continue;
            any = true;
            /* Paths run from the tip down: the lowest position is last. */
            uint32_t place = o->lane_paths[(size_t)l * window + counts[l] - 1 - round];
            const struct slu_batch_header *h = &c->lanes[l].pool[place].h;
            SLU_CHECK(o->planned < c->g->params.entries_per_block_max);
            struct planned *p = &o->plan[o->planned++];
            p->ref =
                (struct slu_delivered_batch){.lane = l, .position = h->position, .txs = h->txs};
            memcpy(p->ref.digest, h->digest, 32);
            p->bytes = h->payload_bytes;
        }
        if (!any)
            return true;
    }
}

/* The index-th thing that this height has to read: its key and its length. */
static uint32_t to_read(const struct slu_order *o, uint32_t index, struct slu_record_key *key)
{
    if (index < o->letter_count) {
        const struct slu_inbox_tuple *t = &o->inbox[o->letters[index]].tuple;
        *key = (struct slu_record_key){.kind = SLU_REC_INBOX, .a = t->valid_until_ms};
        memcpy(key->digest, t->id, 32);
        return SLU_RELAY_BYTES + t->bytes;
    }
    index -= o->letter_count;
    if (index < o->waited_count) {
        const struct slu_sealed_entry *e = &o->waited[index];
        *key = (struct slu_record_key){.kind = SLU_REC_CALENDAR, .a = e->height, .b = e->index};
        return SLU_WAITING_HEAD_BYTES + e->bytes;
    }
    const struct planned *p = &o->plan[index - o->waited_count];
    *key = (struct slu_record_key){.kind = SLU_REC_BATCH, .a = p->ref.lane, .b = p->ref.position};
    memcpy(key->digest, p->ref.digest, 32);
    return SLU_SIGNED_HEADER_BYTES + p->bytes;
}

static uint32_t reads(const struct slu_order *o)
{
    return o->letter_count + o->waited_count + o->planned;
}

static void ask(struct slu_core *c)
{
    struct slu_order *o = c->order;
    struct slu_record_key key;
    while (o->asked < reads(o) && o->asked - o->done < READS_MAX) {
        uint32_t bytes = to_read(o, o->asked, &key);
        if (o->asked > o->done && o->asked_bytes + bytes > READ_BYTES_MAX)
            return;
        struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_READ);
        fx->read.tag = o->next_tag + o->asked++;
        fx->read.key = key;
        o->asked_bytes += bytes;
    }
}

/* ---- entries ---- */

static void note_id(struct slu_order *o, const uint8_t id32[32], uint32_t outcome)
{
    struct slu_writer w =
        slu_writer_of(o->ids_bytes + (size_t)o->ids * IDS_ENTRY_BYTES, IDS_ENTRY_BYTES);
    slu_write_bytes(&w, id32, 32);
    slu_write_u32(&w, outcome);
    o->ids++;
}

static void note_drop(struct slu_core *c, uint32_t batch, uint32_t tx, enum slu_drop reason)
{
    struct slu_order *o = c->order;
    struct slu_writer w = slu_writer_of(
        o->drops_bytes + (size_t)o->drops * SLU_DELIVERED_DROP_BYTES, SLU_DELIVERED_DROP_BYTES);
    slu_write_u32(&w, batch);
    slu_write_u32(&w, tx);
    slu_write_u8(&w, (uint8_t)reason);
    o->drops++;
    c->stats.txs_dropped[reason]++;
}

void slu_order_note_dropped(struct slu_core *c, const uint8_t id32[32], uint64_t height,
                            uint32_t reason)
{
    if (slu_idset_find(&c->dropped, id32))
        return;
    if (c->dropped.count == c->dropped.cap)
        slu_idset_pop(&c->dropped);
    slu_idset_add(&c->dropped, id32, height, reason, 0);
}

static void remember(struct slu_core *c, const uint8_t id32[32])
{
    SLU_CHECK(slu_idset_add(&c->dedup, id32, c->order->block.height, c->order->entries,
                            (uint32_t)c->order->block.time_ms));
}

/* Whether it became an entry, the one before o->entries, or was dropped. */
static bool deliver_tx(struct slu_core *c, uint32_t batch, uint32_t index, const struct slu_tx *tx,
                       const uint8_t id[32])
{
    struct slu_order *o = c->order;
    enum slu_drop reason = slu_tx_check(c->g, tx, o->block.time_ms);
    if (reason == SLU_DROP_NONE && slu_idset_find(&c->dedup, id))
        reason = SLU_DROP_DUPLICATE;
    if (reason == SLU_DROP_NONE && c->dedup.count >= c->g->params.dedup_entries_max)
        reason = SLU_DROP_WINDOW_FULL;
    if (reason == SLU_DROP_NONE && tx->kind == SLU_TX_SEALED)
        reason = slu_sealing_order(c, o->plan[batch].ref.lane, tx, id, o->entries);
    if (reason == SLU_DROP_NONE) {
        remember(c, id);
        slu_queue_mark_done(c, id);
        note_id(o, id, o->entries++);
        c->stats.txs_delivered++;
        c->stats.bytes_delivered += tx->body_len;
        return true;
    }
    note_drop(c, batch, index, reason);
    if (reason != SLU_DROP_DUPLICATE) {
        note_id(o, id, OUTCOME_DROPPED | (uint32_t)reason);
        slu_order_note_dropped(c, id, o->block.height, (uint32_t)reason);
    }
    return false;
}

/* Some of a batch together: hashing many takes less time than one after another. */
static void deliver_txs(struct slu_core *c, uint32_t batch, uint32_t index,
                        const struct slu_tx *txs, uint32_t count)
{
    uint8_t ids[SLU_SEALING_AHEAD][32];
    struct slu_entry entries[SLU_SEALING_AHEAD];
    uint32_t delivered = 0;
    slu_tx_ids(ids, c->g, txs, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!deliver_tx(c, batch, index + i, &txs[i], ids[i]))
            continue;
        entries[delivered++] = (struct slu_entry){.index = c->order->entries - 1,
                                                  .rollup = txs[i].rollup,
                                                  .id32 = ids[i],
                                                  .kind = txs[i].kind,
                                                  .payload = txs[i].body,
                                                  .payload_len = txs[i].body_len};
    }
    slu_release_entries(c, entries, delivered);
}

static void deliver_batch(struct slu_core *c, uint32_t batch, const uint8_t *payload, size_t len)
{
    uint32_t txs = c->order->plan[batch].ref.txs, at = 0;
    struct slu_reader r = slu_reader_of(payload, len);
    struct slu_tx ahead[SLU_SEALING_AHEAD];
    for (bool whole = true; whole && at < txs;) {
        uint32_t count = 0, sealed = 0;
        while (whole && count < SLU_SEALING_AHEAD && at + count < txs) {
            whole = slu_tx_read(&r, &ahead[count]);
            sealed += whole && ahead[count].kind == SLU_TX_SEALED;
            count += whole;
        }
        if (sealed > 0)
            slu_sealing_look_ahead(c, c->order->plan[batch].ref.lane, ahead, count);
        deliver_txs(c, batch, at, ahead, count);
        at += count;
    }
    for (; at < txs; at++)
        note_drop(c, batch, at, SLU_DROP_MALFORMED);
}

/* Ids leave the window when a block is more than dedup_window_ms past the one that delivered them;
 * by then their valid_until is past as well. */
static void expire(struct slu_core *c, uint64_t time_ms)
{
    const struct slu_idset_entry *oldest;
    while ((oldest = slu_idset_oldest(&c->dedup)) != NULL &&
           (uint32_t)((uint32_t)time_ms - oldest->c) > c->g->params.dedup_window_ms)
        slu_idset_pop(&c->dedup);
}

/* ---- out of the queue: evidence of this block, then the forced entries that are due ---- */

static void add_inbox(struct slu_order *o, const struct slu_inbox_tuple *tuple, uint8_t outcome)
{
    o->inbox[o->inbox_count++] = (struct inbox_item){.tuple = *tuple, .outcome = outcome};
}

/* Evidence is delivered at the height that queued it, by id. */
static void gather_evidence(struct slu_core *c, uint64_t height)
{
    struct slu_order *o = c->order;
    const uint8_t *last = NULL;
    for (;;) {
        const struct slu_offence_slot *next = NULL;
        for (size_t i = 0; c->slashed && i < (size_t)SLU_OFFENCES * c->n; i++) {
            const struct slu_offence_slot *slot = &c->queue.offences[i];
            if (slot->height == height && (!last || memcmp(slot->tuple.id, last, 32) > 0) &&
                (!next || memcmp(slot->tuple.id, next->tuple.id, 32) < 0))
                next = slot;
        }
        if (!next)
            return;
        last = next->tuple.id;
        add_inbox(o, &next->tuple, SLU_DROP_NONE);
    }
}

static void gather_forced(struct slu_core *c, uint64_t height)
{
    struct slu_queue *q = &c->queue;
    for (uint64_t i = q->due; i < q->top && q->ring[i % q->cap].due == height; i++) {
        const struct slu_queued *entry = &q->ring[i % q->cap];
        struct slu_inbox_tuple tuple = {.kind = entry->kind,
                                        .offence = entry->phase,
                                        .offender = entry->node,
                                        .bytes = entry->bytes,
                                        .valid_until_ms = entry->valid_until_ms};
        memcpy(tuple.id, entry->id, 32);
        bool done = entry->done || slu_idset_find(&c->dedup, entry->id);
        add_inbox(c->order, &tuple, done ? SLU_DROP_DUPLICATE : SLU_DROP_NONE);
    }
}

/* What this block queued and a lane delivered before: noted among the ids, so that a restart knows.
 */
static void mark_known(struct slu_core *c, uint64_t height)
{
    struct slu_queue *q = &c->queue;
    for (uint64_t i = slu_queue_of_height(c, height);
         i < q->top && q->ring[i % q->cap].height == height; i++) {
        struct slu_queued *entry = &q->ring[i % q->cap];
        if (!slu_idset_find(&c->dedup, entry->id))
            continue;
        entry->done = true;
        note_id(c->order, entry->id, OUTCOME_DROPPED | SLU_DROP_DUPLICATE);
    }
}

static bool is_sealed(const struct slu_inbox_tuple *tuple)
{
    return tuple->kind == SLU_INBOX_FORCED && tuple->offence != SLU_FORCED_PLAIN;
}

static bool is_locked(const struct slu_inbox_tuple *tuple)
{
    return tuple->kind == SLU_INBOX_FORCED && tuple->offence == SLU_FORCED_LOCKED;
}

/* One that was delivered before has its outcome; one without room has none but this. */
static void skip(struct slu_core *c, const struct inbox_item *item)
{
    c->stats.forced_skipped++;
    if (item->outcome == SLU_DROP_DUPLICATE)
        return;
    c->stats.txs_dropped[item->outcome]++;
    note_id(c->order, item->tuple.id, OUTCOME_DROPPED | item->outcome);
    slu_order_note_dropped(c, item->tuple.id, c->order->block.height, item->outcome);
}

static void deliver_inbox(struct slu_core *c)
{
    struct slu_order *o = c->order;
    uint64_t height = o->block.height;
    o->inbox_count = o->forced = o->evidence = o->letter_count = 0;
    mark_known(c, height);
    gather_evidence(c, height);
    gather_forced(c, height);
    for (uint32_t i = 0; i < o->inbox_count; i++) {
        struct inbox_item *item = &o->inbox[i];
        if (item->outcome == SLU_DROP_NONE && c->dedup.count == c->dedup.cap)
            item->outcome = SLU_DROP_WINDOW_FULL;
        if (item->outcome == SLU_DROP_NONE && is_locked(&item->tuple) &&
            !slu_sealing_keep_forced(c, item->tuple.bytes))
            item->outcome = SLU_DROP_CALENDAR_FULL;
        if (item->outcome != SLU_DROP_NONE) {
            skip(c, item);
            continue;
        }
        remember(c, item->tuple.id);
        item->index = o->entries++;
        note_id(o, item->tuple.id, item->index);
        o->forced += item->tuple.kind == SLU_INBOX_FORCED;
        o->evidence += item->tuple.kind == SLU_INBOX_EVIDENCE;
        if (item->tuple.kind == SLU_INBOX_EVIDENCE) /* it comes first; nobody here reads it */
            slu_release_entry(c, item->index, SLU_ENTRY_EVIDENCE, item->tuple.id, NULL);
        else
            o->letters[o->letter_count++] = i;
    }
    c->stats.forced_delivered += o->forced;
    c->stats.evidence_delivered += o->evidence;
}

/* What came out of the queue, but for evidence: whose it is stands inside. */
static void deliver_letter(struct slu_core *c, const struct inbox_item *item,
                           const uint8_t *envelope, size_t len)
{
    struct slu_reader r = slu_reader_of(envelope, len);
    struct slu_tx tx;
    SLU_CHECK(slu_tx_read(&r, &tx)); /* it was taken in for its form */
    if (item->tuple.kind == SLU_INBOX_KEYGEN) {
        slu_release_entry(c, item->index, SLU_ENTRY_KEYGEN, item->tuple.id, &tx);
        slu_keygen_deliver(c, c->order->block.height, envelope, len);
        return;
    }
    slu_release_entry(c, item->index, (uint8_t)(tx.kind | SLU_ENTRY_FORCED), item->tuple.id, &tx);
    if (is_sealed(&item->tuple))
        slu_sealing_order_forced(c, &tx, item->tuple.id, item->index);
}

/* ---- sealed entries that waited and are due now ---- */

static void gather_waited(struct slu_core *c)
{
    struct slu_order *o = c->order;
    o->waited_count = 0;
    o->waited_index = o->entries;
    while (slu_sealing_next(c, &o->waited[o->waited_count]))
        o->waited_count++;
    o->entries += o->waited_count;
}

static void deliver_waited(struct slu_core *c, uint32_t at, const uint8_t *envelope, size_t len)
{
    const struct slu_order *o = c->order;
    struct slu_reader r = slu_reader_of(envelope, len);
    struct slu_tx tx;
    SLU_CHECK(slu_tx_read(&r, &tx));
    slu_sealing_due(c, &o->waited[at], &tx, o->waited_index + at);
}

/* ---- a block from start to end ---- */

static void persist_delivered(struct slu_core *c)
{
    struct slu_order *o = c->order;
    size_t cap = SLU_DELIVERED_HEAD_BYTES + (size_t)o->inbox_count * SLU_DELIVERED_INBOX_BYTES +
                 (size_t)o->planned * SLU_DELIVERED_BATCH_BYTES +
                 (size_t)o->drops * SLU_DELIVERED_DROP_BYTES +
                 (size_t)slu_opener_count(c) * SLU_DELIVERED_DUE_BYTES;
    struct slu_writer w = slu_writer_of(slu_fx_take(c, cap), cap);
    slu_write_bytes(&w, o->block.digest, 32);
    slu_write_u64(&w, o->block.height);
    slu_write_u64(&w, o->block.time_ms);
    slu_write_u32(&w, o->entries);
    slu_write_u32(&w, o->inbox_count);
    slu_write_u32(&w, o->planned);
    slu_write_u32(&w, o->drops);
    slu_write_u32(&w, slu_opener_count(c));
    for (uint32_t i = 0; i < o->inbox_count; i++) {
        slu_inbox_tuple_write(&w, &o->inbox[i].tuple);
        slu_write_u8(&w, o->inbox[i].outcome);
    }
    for (uint32_t i = 0; i < o->planned; i++) {
        const struct slu_delivered_batch *ref = &o->plan[i].ref;
        slu_write_u16(&w, ref->lane);
        slu_write_u64(&w, ref->position);
        slu_write_bytes(&w, ref->digest, 32);
        slu_write_u32(&w, ref->txs);
    }
    slu_write_bytes(&w, o->drops_bytes, (size_t)o->drops * SLU_DELIVERED_DROP_BYTES);
    for (uint32_t i = 0; i < slu_opener_count(c); i++) {
        const struct slu_due *due = slu_opener_due(c, i);
        slu_write_bytes(&w, due->e.id, 32);
        slu_write_u64(&w, due->e.height);
        slu_write_u32(&w, due->e.index);
        slu_write_u32(&w, due->index);
    }
    SLU_CHECK(!w.failed && w.at == w.end);
    struct slu_record_key key = {.kind = SLU_REC_DELIVERED, .a = o->block.height};
    slu_fx_persist(c, &key, w.start, cap, NULL, 0);
}

static void persist_ids(struct slu_core *c)
{
    struct slu_order *o = c->order;
    if (o->ids == 0)
        return;
    size_t len = 4 + (size_t)o->ids * IDS_ENTRY_BYTES;
    struct slu_writer w = slu_writer_of(slu_fx_take(c, len), len);
    slu_write_u32(&w, o->ids);
    slu_write_bytes(&w, o->ids_bytes, len - 4);
    struct slu_record_key key = {.kind = SLU_REC_IDS, .a = o->block.height};
    slu_fx_persist(c, &key, w.start, len, NULL, 0);
}

static void finish(struct slu_core *c)
{
    struct slu_order *o = c->order;
    slu_keygen_height_done(c, o->block.height, o->block.time_ms);
    /* First: the delivered record is what makes the height exist. */
    persist_ids(c);
    slu_release_delivered(c, &o->block, o->ids_bytes, (size_t)o->ids * IDS_ENTRY_BYTES,
                          o->drops_bytes, (size_t)o->drops * SLU_DELIVERED_DROP_BYTES);
    persist_delivered(c);
    struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_DELIVERED);
    fx->delivered.height = o->block.height;
    fx->delivered.time_ms = o->block.time_ms;
    fx->delivered.entries = o->entries;
    fx->delivered.forced = o->forced;
    fx->delivered.evidence = o->evidence;
    c->stats.blocks_empty += o->planned == 0 && o->inbox_count == 0;
    c->delivered = o->block;
    slu_queue_delivered(c);
    for (uint16_t l = 0; l < c->n; l++)
        slu_lane_delivered(c, l, &c->delivered.cut[l]);
    slu_own_delivered(c, c->delivered.cut[c->self].position);
    o->next_tag += reads(o);
    o->active = false;
    slu_opener_close(c);
    slu_keygen_speak(c);
}

static bool start_next(struct slu_core *c)
{
    struct slu_order *o = c->order;
    const struct slu_block *next = slu_chain_final_at(c, c->delivered.height + 1);
    if (!next || !slu_opener_has_room(c, next->height) || !plan_block(c, next) ||
        !slu_queue_ready(c, next->height))
        return false;
    o->block = *next;
    o->active = true;
    o->asked = o->done = o->asked_bytes = 0;
    o->entries = o->drops = o->ids = 0;
    expire(c, next->time_ms);
    slu_opener_begin(c, next);
    slu_sealing_begin(c, next->height, next->time_ms);
    deliver_inbox(c);
    gather_waited(c);
    return true;
}

void slu_order_progress(struct slu_core *c)
{
    struct slu_order *o = c->order;
    c->order_wanted = false;
    while (c->started) {
        if (c->fx->nearly_full) {
            c->order_wanted = true; /* the next turn goes on */
            return;
        }
        if (!o->active && !start_next(c))
            return;
        ask(c);
        if (o->done < reads(o))
            return; /* bodies are being read */
        finish(c);
    }
}

void slu_order_on_body(struct slu_core *c, const struct slu_event *event)
{
    struct slu_order *o = c->order;
    if (!o->active || event->body.tag != o->next_tag + o->done)
        return; /* of a delivery that was given up below */
    struct slu_record_key key;
    uint32_t bytes = to_read(o, o->done, &key);
    if (!event->body.record || event->body.bytes != bytes) {
        /* The caller's disk lost it: a damaged store stops the node before this can happen. */
        SLU_CHECK(!"a held body is readable");
    }
    const uint8_t *record = event->body.record;
    uint32_t waited = o->letter_count + o->waited_count;
    if (o->done < o->letter_count)
        deliver_letter(c, &o->inbox[o->letters[o->done]], record + SLU_RELAY_BYTES,
                       bytes - SLU_RELAY_BYTES);
    else if (o->done < waited)
        deliver_waited(c, o->done - o->letter_count, record + SLU_WAITING_HEAD_BYTES,
                       bytes - SLU_WAITING_HEAD_BYTES);
    else
        deliver_batch(c, o->done - waited, record + SLU_SIGNED_HEADER_BYTES,
                      bytes - SLU_SIGNED_HEADER_BYTES);
    o->asked_bytes -= bytes;
    o->done++;
    c->order_wanted = true;
}

int slu_order_restore_ids(struct slu_core *c, const struct slu_block *block, bool in_window,
                          const uint8_t *value, size_t len)
{
    uint64_t height = block->height;
    struct slu_reader r = slu_reader_of(value, len);
    uint32_t count = slu_read_u32(&r);
    if (r.failed || slu_reader_left(&r) != (size_t)count * IDS_ENTRY_BYTES)
        return SLU_ERR_CORRUPT;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *id = slu_read_bytes(&r, 32);
        uint32_t outcome = slu_read_u32(&r);
        if (outcome == (OUTCOME_DROPPED | SLU_DROP_DUPLICATE) || !(outcome & OUTCOME_DROPPED))
            slu_queue_restore_done(c, id, height);
        if (!in_window || outcome == (OUTCOME_DROPPED | SLU_DROP_DUPLICATE))
            continue;
        if (outcome & OUTCOME_DROPPED)
            slu_order_note_dropped(c, id, height, outcome & ~OUTCOME_DROPPED);
        else if (!slu_idset_find(&c->dedup, id) &&
                 !slu_idset_add(&c->dedup, id, height, outcome, (uint32_t)block->time_ms))
            return SLU_ERR_CORRUPT;
    }
    return SLU_OK;
}
