/* The inbox: taking items in, signing that they are held, counting others' holds into certificates
 * (clauses 6.1 to 6.3). An item leaves when a final block queued it, or when it expired. */
#include <string.h>

#include "consensus/state.h"
#include "sluice/error.h"

static uint32_t pool_cap(const struct slu_genesis *g)
{
    return g->params.inbox_items_max + g->n * SLU_INBOX_STRAYS_MAX;
}

static uint32_t bucket_count(const struct slu_genesis *g)
{
    uint32_t count = 64;
    while (count < pool_cap(g))
        count *= 2;
    return count;
}

size_t slu_inbox_bytes(const struct slu_genesis *g)
{
    return (size_t)pool_cap(g) * (sizeof(struct slu_inbox_entry) + g->n * 64u) +
           (size_t)bucket_count(g) * sizeof(uint32_t) + 128;
}

void slu_inbox_init(struct slu_core *c, struct slu_arena *arena)
{
    struct slu_inbox *in = &c->inbox;
    uint32_t buckets = bucket_count(c->g);
    in->cap = pool_cap(c->g);
    in->pool = slu_arena_take(arena, (size_t)in->cap * sizeof *in->pool);
    in->signatures = slu_arena_take(arena, (size_t)in->cap * c->n * 64u);
    in->buckets = slu_arena_take(arena, buckets * sizeof *in->buckets);
    SLU_CHECK(in->pool && in->signatures && in->buckets);
    in->bucket_mask = buckets - 1;
    for (uint32_t i = 0; i < buckets; i++)
        in->buckets[i] = SLU_NONE;
    in->free_list = in->oldest = in->newest = SLU_NONE;
}

/* ---- the table ---- */

static uint32_t *bucket_of(const struct slu_inbox *in, const uint8_t id32[32])
{
    uint32_t word;
    memcpy(&word, id32, sizeof word);
    return &in->buckets[word & in->bucket_mask];
}

uint32_t slu_inbox_place(const struct slu_core *c, const struct slu_inbox_tuple *tuple)
{
    const struct slu_inbox *in = &c->inbox;
    uint32_t at = *bucket_of(in, tuple->id);
    while (at != SLU_NONE && !slu_inbox_tuple_same(&in->pool[at].tuple, tuple))
        at = in->pool[at].hash_next;
    return at;
}

struct slu_inbox_entry *slu_inbox_find(const struct slu_core *c, const uint8_t id32[32])
{
    const struct slu_inbox *in = &c->inbox;
    struct slu_inbox_entry *best = NULL;
    for (uint32_t at = *bucket_of(in, id32); at != SLU_NONE; at = in->pool[at].hash_next)
        if (slu_digest_is(in->pool[at].tuple.id, id32) && (!best || in->pool[at].held))
            best = &in->pool[at];
    return best;
}

static uint8_t *signature_at(const struct slu_core *c, uint32_t place, uint16_t node)
{
    return c->inbox.signatures[(size_t)place * c->n + node];
}

/* Places are handed out in order first, so that an idle table's memory is never touched. */
static uint32_t take_place(struct slu_inbox *in)
{
    uint32_t place = in->free_list;
    if (place != SLU_NONE)
        in->free_list = in->pool[place].hash_next;
    else if (in->fresh < in->cap)
        place = in->fresh++;
    return place;
}

static uint32_t add(struct slu_core *c, const struct slu_inbox_tuple *tuple)
{
    struct slu_inbox *in = &c->inbox;
    uint32_t place = take_place(in);
    if (place == SLU_NONE)
        return SLU_NONE;
    struct slu_inbox_entry *entry = &in->pool[place];
    *entry = (struct slu_inbox_entry){.tuple = *tuple,
                                      .older = in->newest,
                                      .newer = SLU_NONE,
                                      .stray_of = SLU_NODES_MAX,
                                      .since_ms = c->now_ms,
                                      .used = true};
    slu_inbox_tuple_digest(entry->digest, c->g, tuple);
    uint32_t *bucket = bucket_of(in, tuple->id);
    entry->hash_next = *bucket;
    *bucket = place;
    if (in->newest != SLU_NONE)
        in->pool[in->newest].newer = place;
    else
        in->oldest = place;
    in->newest = place;
    in->count++;
    in->missing++;
    return place;
}

static void no_stray(struct slu_core *c, struct slu_inbox_entry *entry)
{
    if (entry->stray_of < c->n)
        c->inbox.shares[entry->stray_of].strays--;
    entry->stray_of = SLU_NODES_MAX;
}

void slu_inbox_drop(struct slu_core *c, uint32_t place)
{
    struct slu_inbox *in = &c->inbox;
    struct slu_inbox_entry *entry = &in->pool[place];
    uint32_t *at = bucket_of(in, entry->tuple.id);
    while (*at != place)
        at = &in->pool[*at].hash_next;
    *at = entry->hash_next;
    *(entry->older == SLU_NONE ? &in->oldest : &in->pool[entry->older].newer) = entry->newer;
    *(entry->newer == SLU_NONE ? &in->newest : &in->pool[entry->newer].older) = entry->older;
    no_stray(c, entry);
    if (entry->held && entry->tuple.kind != SLU_INBOX_EVIDENCE) {
        in->shares[entry->taker].items--;
        in->shares[entry->taker].bytes -= slu_queue_cost(entry->tuple.bytes);
    }
    in->count--;
    in->missing -= !entry->held;
    in->certified -= entry->certified;
    in->unsaid -= entry->unsaid;
    entry->used = false;
    entry->hash_next = in->free_list;
    in->free_list = place;
}

/* True when this made the tuple certified: f+1 nodes hold it, an honest one among them. */
static bool add_holder(struct slu_core *c, uint32_t place, uint16_t node,
                       const uint8_t signature64[64])
{
    struct slu_inbox_entry *entry = &c->inbox.pool[place];
    if (entry->holders >> node & 1)
        return false;
    entry->holders |= UINT64_C(1) << node;
    memcpy(signature_at(c, place, node), signature64, 64);
    if (entry->certified || __builtin_popcountll(entry->holders) <= (int)c->f)
        return false;
    entry->certified = true;
    c->inbox.certified++;
    c->stats.inbox_certified++;
    no_stray(c, entry);
    return true;
}

static void after_certified(struct slu_core *c)
{
    slu_report_recheck(c);
    slu_report_maybe(c);
    slu_view_progress(c);
}

/* ---- what may come in ---- */

static bool is_queued(const struct slu_core *c, const struct slu_inbox_tuple *t)
{
    if (t->kind == SLU_INBOX_EVIDENCE)
        return c->head.evident[t->offence] >> t->offender & 1;
    return slu_queue_find(c, t->id) != NULL;
}

/* Whether a block after the final one could still queue it; not farther ahead than two windows, so
 * that nothing stays for ever. */
static bool is_current(const struct slu_core *c, const struct slu_inbox_tuple *t)
{
    return t->kind == SLU_INBOX_EVIDENCE ||
           (t->valid_until_ms >= c->head.time_ms &&
            t->valid_until_ms - c->head.time_ms <= UINT64_C(2) * c->g->params.dedup_window_ms);
}

static bool share_has_room(const struct slu_core *c, uint16_t taker, uint32_t bytes)
{
    const struct slu_inbox_share *share = &c->inbox.shares[taker];
    return share->items < c->g->params.inbox_items_max / c->n &&
           share->bytes + slu_queue_cost(bytes) <= c->g->params.inbox_bytes_max / c->n;
}

/* The rules of clause 5 that need no time; a sealing's proof, which is what costs something. */
static enum slu_drop form_of(struct slu_core *c, const uint8_t *envelope, uint32_t len)
{
    struct slu_reader r = slu_reader_of(envelope, len);
    struct slu_tx tx;
    if (!slu_tx_read(&r, &tx))
        return SLU_DROP_MALFORMED;
    enum slu_drop drop = slu_tx_check(c->g, &tx, tx.valid_until_ms);
    if (drop == SLU_DROP_NONE && tx.kind == SLU_TX_SEALED && !slu_sealing_provable(c, &tx))
        return SLU_DROP_SEALING;
    return drop;
}

/* What a node asks of an item that another one took (clauses 6.2, 6.6): the price at the named
 * block, and that the taker keeps to its share. The named block's age is the taker's business; here
 * it only has to be one that is remembered. */
static bool may_hold(struct slu_core *c, const struct slu_relay *relay)
{
    const struct slu_inbox_tuple *t = &relay->tuple;
    if (t->kind == SLU_INBOX_EVIDENCE) {
        const struct slu_offence_slot *slot = slu_queue_offence(c, t->offence, t->offender);
        return slot->taken == 0 ||
               (slot->taken < SLU_EVIDENCE_HELD_MAX && memcmp(t->id, slot->tuple.id, 32) < 0);
    }
    if (t->kind == SLU_INBOX_KEYGEN)
        return share_has_room(c, relay->taker, t->bytes) &&
               slu_keygen_may_hold(c, relay->content, t->bytes);
    const struct slu_named *named = slu_queue_named(c, relay->postage.height, relay->postage.block);
    return named && share_has_room(c, relay->taker, t->bytes) &&
           slu_postage_pays(c->g, t->id, &relay->postage,
                            slu_postage_price(c->g, named->booked_bytes, t->bytes)) &&
           form_of(c, relay->content, t->bytes) == SLU_DROP_NONE;
}

static void persist(struct slu_core *c, const struct slu_relay *relay)
{
    struct slu_record_key key = {.kind = SLU_REC_INBOX, .a = relay->tuple.valid_until_ms};
    memcpy(key.digest, relay->tuple.id, 32);
    struct slu_writer w = slu_writer_of(slu_fx_take(c, SLU_RELAY_BYTES), SLU_RELAY_BYTES);
    slu_relay_write(&w, relay);
    SLU_CHECK(!w.failed);
    slu_fx_persist(c, &key, w.start, slu_writer_len(&w), relay->content, relay->tuple.bytes);
}

/* An item that a final block queued already: wanted for its delivery. */
static void hold_queued(struct slu_core *c, const struct slu_relay *relay)
{
    const struct slu_inbox_tuple *t = &relay->tuple;
    bool *held = NULL;
    if (t->kind == SLU_INBOX_EVIDENCE) {
        struct slu_offence_slot *slot = slu_queue_offence(c, t->offence, t->offender);
        if (slot->height > c->delivered.height && slu_digest_is(slot->tuple.id, t->id))
            held = &slot->held;
    } else {
        struct slu_queued *entry = slu_queue_find(c, t->id);
        if (entry && entry->due > c->delivered.height && slu_digest_is(entry->id, t->id))
            held = &entry->held;
    }
    if (!held || *held)
        return;
    *held = true;
    persist(c, relay);
    c->order_wanted = true;
}

static void note_held(struct slu_core *c, uint32_t place, uint16_t taker)
{
    struct slu_inbox_entry *entry = &c->inbox.pool[place];
    const struct slu_inbox_tuple *t = &entry->tuple;
    entry->held = true;
    entry->taker = taker;
    entry->unsaid = true;
    no_stray(c, entry);
    c->inbox.missing--;
    c->inbox.unsaid++;
    if (t->kind != SLU_INBOX_EVIDENCE) {
        c->inbox.shares[taker].items++;
        c->inbox.shares[taker].bytes += slu_queue_cost(t->bytes);
        return;
    }
    struct slu_offence_slot *slot = slu_queue_offence(c, t->offence, t->offender);
    if (slot->taken++ == 0 || memcmp(t->id, slot->tuple.id, 32) < 0)
        slot->tuple = *t;
}

void slu_inbox_on_relay(struct slu_core *c, const struct slu_relay *relay)
{
    const struct slu_inbox_tuple *t = &relay->tuple;
    if (is_queued(c, t)) {
        hold_queued(c, relay);
        return;
    }
    if (!is_current(c, t))
        return;
    uint32_t place = slu_inbox_place(c, t);
    if (place != SLU_NONE && c->inbox.pool[place].held)
        return;
    bool certified = place != SLU_NONE && c->inbox.pool[place].certified;
    if (!certified && relay->taker != c->self && !may_hold(c, relay)) {
        c->stats.inbox_refused++;
        return;
    }
    if (place == SLU_NONE)
        place = add(c, t);
    if (place == SLU_NONE) {
        c->stats.inbox_refused++;
        return;
    }
    persist(c, relay);
    note_held(c, place, relay->taker);
    c->stats.inbox_held++;
}

void slu_inbox_on_holds(struct slu_core *c, const struct slu_holds *holds)
{
    bool any = false;
    for (uint16_t i = 0; i < holds->count; i++) {
        const struct slu_hold *hold = &holds->items[i];
        if (is_queued(c, &hold->tuple) || !is_current(c, &hold->tuple))
            continue;
        uint32_t place = slu_inbox_place(c, &hold->tuple);
        if (place == SLU_NONE) {
            struct slu_inbox_share *share = &c->inbox.shares[hold->node];
            if (share->strays == SLU_INBOX_STRAYS_MAX)
                continue; /* it is said again, when there is room */
            place = add(c, &hold->tuple);
            if (place == SLU_NONE)
                continue;
            c->inbox.pool[place].stray_of = hold->node;
            share->strays++;
        }
        any |= add_holder(c, place, hold->node, hold->signature);
    }
    if (any)
        after_certified(c);
}

void slu_inbox_restore(struct slu_core *c, const struct slu_relay *relay)
{
    const struct slu_inbox_tuple *t = &relay->tuple;
    if (is_queued(c, t) || !is_current(c, t) || slu_inbox_place(c, t) != SLU_NONE)
        return;
    uint32_t place = add(c, t);
    if (place != SLU_NONE)
        note_held(c, place, relay->taker);
}

/* ---- this node's own ---- */

void slu_inbox_take(struct slu_core *c, struct slu_relay *relay)
{
    relay->epoch = 0;
    relay->taker = c->self;
    slu_relay_digest(relay, c->g);
    SLU_CHECK(
        !c->signer.sign(c->signer.context, relay->signature, SLU_ROLE_RELAY, 0, relay->digest));
    slu_inbox_on_relay(c, relay);
    uint32_t place = slu_inbox_place(c, &relay->tuple);
    if (place == SLU_NONE || !c->inbox.pool[place].held)
        return; /* no room, or queued or expired already: nothing leaves that is not durable */
    slu_fx_send_relay(c, SLU_TO_ALL, relay);
    c->stats.inbox_taken++;
}

static void sign_receipt(struct slu_core *c, struct slu_taken *taken)
{
    struct slu_receipt *receipt = &taken->receipt;
    *receipt = (struct slu_receipt){
        .node = c->self, .time_ms = c->delivered.time_ms, .height = c->delivered.height};
    memcpy(receipt->id, taken->id, 32);
    uint8_t digest[32];
    slu_receipt_digest(digest, c->g, receipt);
    SLU_CHECK(!c->signer.sign(c->signer.context, receipt->signature, SLU_ROLE_RECEIPT, 0, digest));
    taken->has_receipt = true;
}

/* Whether an id is held here or was delivered; then with a receipt while it is not delivered. */
static bool is_known(struct slu_core *c, struct slu_taken *taken)
{
    const struct slu_inbox_entry *entry = slu_inbox_find(c, taken->id);
    const struct slu_queued *queued = slu_queue_find(c, taken->id);
    if ((entry && entry->held) || (queued && queued->held && queued->due > c->delivered.height)) {
        sign_receipt(c, taken);
        return true;
    }
    return queued || slu_idset_find(&c->dedup, taken->id);
}

static uint8_t judge_force(struct slu_core *c, struct slu_taken *taken,
                           const struct slu_relay *relay)
{
    struct slu_reader r = slu_reader_of(relay->content, relay->tuple.bytes);
    struct slu_tx tx;
    SLU_CHECK(slu_tx_read(&r, &tx));
    if (is_known(c, taken))
        return SLU_ADMIT_KNOWN;
    /* Against the time of the last final block: only blocks to come can queue it. */
    enum slu_drop reason = slu_tx_check(c->g, &tx, c->head.time_ms);
    if (reason == SLU_DROP_NONE && tx.kind == SLU_TX_SEALED)
        reason = slu_sealing_admit(c, &tx, SLU_LANE_FORCED);
    if (reason != SLU_DROP_NONE)
        return (uint8_t)(SLU_ADMIT_DROP + reason);
    if (!c->started || c->rejoining ||
        c->head.height > c->delivered.height + c->g->params.release_lag_max)
        return SLU_ADMIT_BEHIND;
    uint64_t waiting = c->inbox.shares[c->self].bytes;
    if (!share_has_room(c, c->self, relay->tuple.bytes) || c->inbox.count >= c->inbox.cap)
        return SLU_ADMIT_INBOX_FULL;
    const struct slu_named *named = slu_queue_named(c, relay->postage.height, relay->postage.block);
    bool fresh = named && named->time_ms + c->g->params.postage_age_ms >= c->head.time_ms;
    taken->work_needed = slu_postage_price(
        c->g,
        (fresh ? named->booked_bytes
               : slu_queue_booked(c->g, &c->delivered.tail, c->delivered.height)) +
            waiting,
        relay->tuple.bytes);
    if (!fresh || !slu_postage_pays(c->g, taken->id, &relay->postage, taken->work_needed))
        return SLU_ADMIT_POSTAGE;
    return SLU_ADMIT_ACCEPTED;
}

static struct slu_taken *new_answer(struct slu_core *c, uint64_t token)
{
    struct slu_taken *taken = (struct slu_taken *)slu_fx_take(c, sizeof *taken);
    memset(taken, 0, sizeof *taken);
    struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_TAKEN);
    fx->taken.token = token;
    fx->taken.taken = taken;
    return taken;
}

void slu_inbox_force(struct slu_core *c, const struct slu_event *event)
{
    struct slu_relay relay = {.kind = SLU_INBOX_FORCED, .postage = event->force.postage};
    struct slu_taken *taken = new_answer(c, event->force.token);
    uint8_t *content = slu_fx_take(c, event->force.bytes);
    memcpy(content, event->force.envelope, event->force.bytes);
    int rc = slu_relay_derive(&relay, c->g, content, event->force.bytes);
    if (rc) {
        taken->status = SLU_ADMIT_DROP + (rc == SLU_ERR_LIMIT ? SLU_DROP_SIZE : SLU_DROP_MALFORMED);
        return;
    }
    memcpy(taken->id, relay.tuple.id, 32);
    taken->status = judge_force(c, taken, &relay);
    if (taken->status != SLU_ADMIT_ACCEPTED)
        return;
    slu_inbox_take(c, &relay);
    sign_receipt(c, taken);
}

void slu_inbox_receipt(struct slu_core *c, const struct slu_event *event)
{
    struct slu_taken *taken = new_answer(c, event->receipt.token);
    memcpy(taken->id, event->receipt.id, 32);
    taken->status = is_known(c, taken) ? SLU_ADMIT_KNOWN : SLU_ADMIT_UNKNOWN;
}

/* ---- holds ---- */

static void add_hold(struct slu_core *c, struct slu_holds *holds, uint32_t place, uint16_t node)
{
    struct slu_hold *hold = &holds->items[holds->count++];
    hold->tuple = c->inbox.pool[place].tuple;
    hold->node = node;
    memcpy(hold->signature, signature_at(c, place, node), 64);
}

static void send_holds(struct slu_core *c, uint16_t to)
{
    if (c->scratch->holds.count > 0)
        slu_fx_send(c, to, c->scratch);
    c->scratch->holds.count = 0;
}

static void start_holds(struct slu_core *c)
{
    c->scratch->kind = SLU_MSG_HOLDS;
    c->scratch->holds.count = 0;
}

void slu_inbox_turn(struct slu_core *c)
{
    struct slu_inbox *in = &c->inbox;
    if (in->unsaid == 0 || !c->started)
        return;
    bool any = false;
    start_holds(c);
    for (uint32_t at = in->newest; at != SLU_NONE && in->unsaid > 0; at = in->pool[at].older) {
        struct slu_inbox_entry *entry = &in->pool[at];
        if (!entry->unsaid)
            continue;
        uint8_t signature[64];
        entry->unsaid = false;
        in->unsaid--;
        SLU_CHECK(!c->signer.sign(c->signer.context, signature, SLU_ROLE_HOLD, 0, entry->digest));
        any |= add_holder(c, at, c->self, signature);
        add_hold(c, &c->scratch->holds, at, c->self);
        c->stats.holds_sent++;
        if (c->scratch->holds.count == SLU_HOLDS_PER_MESSAGE_MAX)
            send_holds(c, SLU_TO_ALL);
    }
    send_holds(c, SLU_TO_ALL);
    if (any)
        after_certified(c);
}

static bool is_said(const struct slu_core *c, const struct slu_inbox_entry *entry)
{
    return entry->used && entry->held && !entry->unsaid && entry->holders >> c->self & 1;
}

/* Said again, in turn, of what waits for longer than a resend interval. */
void slu_inbox_resend(struct slu_core *c)
{
    struct slu_inbox *in = &c->inbox;
    if (in->count == 0)
        return;
    start_holds(c);
    for (uint32_t k = 0; k < in->fresh; k++) {
        in->resend_at = (in->resend_at + 1) % in->fresh;
        const struct slu_inbox_entry *entry = &in->pool[in->resend_at];
        if (!is_said(c, entry) || c->now_ms < entry->since_ms + c->g->params.resend_ms)
            continue;
        add_hold(c, &c->scratch->holds, in->resend_at, c->self);
        if (c->scratch->holds.count == SLU_HOLDS_PER_MESSAGE_MAX)
            break;
    }
    send_holds(c, SLU_TO_ALL);
}

void slu_inbox_send_all(struct slu_core *c, uint16_t to)
{
    struct slu_inbox *in = &c->inbox;
    uint32_t left = SLU_HOLDS_RESENT_MAX;
    start_holds(c);
    for (uint32_t at = in->oldest; at != SLU_NONE && left > 0; at = in->pool[at].newer) {
        if (!is_said(c, &in->pool[at]))
            continue;
        add_hold(c, &c->scratch->holds, at, c->self);
        left--;
        if (c->scratch->holds.count == SLU_HOLDS_PER_MESSAGE_MAX)
            send_holds(c, to);
    }
    send_holds(c, to);
}

/* Shows who holds a tuple: f+1 of them are its certificate. */
void slu_inbox_serve(struct slu_core *c, uint16_t to, const struct slu_fetch *fetch)
{
    struct slu_inbox *in = &c->inbox;
    start_holds(c);
    /* The digest says nothing of the id: `from` and `to` carry its first 16 bytes. */
    uint8_t prefix[32] = {0};
    struct slu_writer w = slu_writer_of(prefix, 16);
    slu_write_u64(&w, fetch->from);
    slu_write_u64(&w, fetch->to);
    for (uint32_t at = *bucket_of(in, prefix); at != SLU_NONE; at = in->pool[at].hash_next) {
        if (!slu_digest_is(in->pool[at].digest, fetch->digest))
            continue;
        for (uint16_t j = 0; j < c->n; j++)
            if (in->pool[at].holders >> j & 1)
                add_hold(c, &c->scratch->holds, at, j);
        break;
    }
    send_holds(c, to);
}
