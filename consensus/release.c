#include "consensus/release.h"

#include <string.h>

#include "consensus/keygen.h"
#include "consensus/order.h"
#include "consensus/state.h"
#include "crypto/hash.h"
#include "wire/entry.h"

/* ---- memory ---- */

/* Places in the lists of a height: a bundle has one in each of its legs' rollups; what comes out of
 * the queue is bounded in bytes, of which a leg takes 13 at least. */
static uint32_t ordered_cap(const struct slu_genesis *g)
{
    return SLU_BUNDLE_LEGS_MAX * g->params.entries_per_block_max +
           g->params.forced_bytes_per_block / 13u + SLU_OFFENCES * g->n + slu_inbox_per_block(g);
}

static uint32_t opened_cap(const struct slu_genesis *g)
{
    return SLU_BUNDLE_LEGS_MAX * (uint32_t)slu_due_count_max(g);
}

static size_t votes_bytes(const struct slu_genesis *g)
{
    return (size_t)g->n * SLU_RELEASE_AHEAD * sizeof(struct slu_signed_release);
}

size_t slu_releases_bytes(const struct slu_genesis *g)
{
    return slu_space_maker_bytes(ordered_cap(g)) + slu_space_maker_bytes(opened_cap(g)) +
           votes_bytes(g) + 3u * 16u;
}

void slu_releases_init(struct slu_core *c, struct slu_arena *arena)
{
    struct slu_releases *s = &c->releases;
    void *ordered = slu_arena_take(arena, slu_space_maker_bytes(ordered_cap(c->g)));
    void *opened = slu_arena_take(arena, slu_space_maker_bytes(opened_cap(c->g)));
    s->votes = slu_arena_take(arena, votes_bytes(c->g));
    SLU_CHECK(ordered && opened && s->votes);
    slu_space_maker_init(&s->ordered, ordered, ordered_cap(c->g));
    slu_space_maker_init(&s->opened, opened, opened_cap(c->g));
}

static struct slu_release *made(struct slu_core *c, uint64_t height)
{
    return &c->releases.made[height % SLU_RELEASES_KEPT];
}

/* Whether my own of `height` is still here to be compared with. */
static bool is_kept(const struct slu_core *c, uint64_t height)
{
    return height > 0 && height <= c->releases.top &&
           c->releases.made[height % SLU_RELEASES_KEPT].height == height;
}

static struct slu_signed_release *vote_at(struct slu_core *c, uint16_t node, uint64_t height)
{
    return &c->releases.votes[node * SLU_RELEASE_AHEAD + height % SLU_RELEASE_AHEAD];
}

/* ---- what a height has, and the state after it ---- */

static void list(struct slu_space_maker *space, const struct slu_entry *entry,
                 const uint8_t leaf32[32])
{
    uint64_t rollups[SLU_BUNDLE_LEGS_MAX];
    for (size_t i = slu_entry_rollups(entry, rollups); i-- > 0;)
        SLU_CHECK(slu_space_add(space, rollups[i], leaf32));
}

void slu_release_entries(struct slu_core *c, const struct slu_entry *entries, size_t count)
{
    uint8_t leaves[SLU_RELEASE_ENTRIES][32];
    SLU_CHECK(count <= SLU_RELEASE_ENTRIES);
    slu_entry_leaves(leaves, c->g->chain_id, entries, count);
    for (size_t i = 0; i < count; i++)
        list(&c->releases.ordered, &entries[i], leaves[i]);
}

void slu_release_entry(struct slu_core *c, uint32_t index, uint8_t kind, const uint8_t id32[32],
                       const struct slu_tx *tx)
{
    struct slu_entry entry = {.index = index, .id32 = id32, .kind = kind};
    if (tx) {
        entry.rollup = tx->rollup;
        entry.payload = tx->body;
        entry.payload_len = tx->body_len;
    }
    slu_release_entries(c, &entry, 1);
}

static void hash_u64(struct slu_hash *hash, uint64_t value)
{
    uint8_t bytes[8];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u64(&w, value);
    slu_hash_add(hash, bytes, sizeof bytes);
}

/* Of what grows without end the part is a chain over its changes: the part before, then what
 * changed. */
static struct slu_hash next_part(struct slu_core *c, enum slu_state_part part, const char *role)
{
    struct slu_hash hash;
    slu_hash_begin(&hash, role, c->g->chain_id);
    slu_hash_add(&hash, c->releases.parts[part], 32);
    return hash;
}

static void sum_cut(struct slu_core *c, const struct slu_block *block)
{
    struct slu_hash hash;
    slu_hash_begin(&hash, "state-cut", c->g->chain_id);
    for (uint16_t l = 0; l < c->n; l++) {
        hash_u64(&hash, block->cut[l].position);
        slu_hash_add(&hash, block->cut[l].digest, 32);
    }
    slu_hash_end(&hash, c->releases.parts[SLU_STATE_CUT]);
}

static void sum_queue(struct slu_core *c, const struct slu_block *block)
{
    const struct slu_queue *q = &c->queue;
    struct slu_hash hash = next_part(c, SLU_STATE_QUEUE, "state-queue");
    hash_u64(&hash, block->tail.height);
    hash_u64(&hash, block->tail.bytes);
    for (uint64_t i = slu_queue_of_height(c, block->height);
         i < q->top && q->ring[i % q->cap].height == block->height; i++) {
        slu_hash_add(&hash, q->ring[i % q->cap].id, 32);
        hash_u64(&hash, q->ring[i % q->cap].due);
    }
    slu_hash_end(&hash, c->releases.parts[SLU_STATE_QUEUE]);
}

/* What came in is among the ids; here is what left, and what is left. */
static void sum_calendar(struct slu_core *c)
{
    struct slu_hash hash = next_part(c, SLU_STATE_CALENDAR, "state-calendar");
    hash_u64(&hash, c->calendar.count);
    hash_u64(&hash, c->calendar.bytes);
    for (uint32_t i = 0; i < slu_opener_count(c); i++) {
        const struct slu_due *due = slu_opener_due(c, i);
        slu_hash_add(&hash, due->e.id, 32);
        hash_u64(&hash, due->e.height);
        hash_u64(&hash, due->index);
    }
    slu_hash_end(&hash, c->releases.parts[SLU_STATE_CALENDAR]);
}

void slu_release_keys_digest(const struct slu_core *c, uint8_t digest32[32])
{
    const struct slu_keygen *kg = c->keygen;
    struct slu_hash hash;
    slu_hash_begin(&hash, "state-keys", c->g->chain_id);
    hash_u64(&hash, kg->phase);
    hash_u64(&hash, kg->attempt);
    hash_u64(&hash, kg->dkg.k);
    hash_u64(&hash, kg->dealt);
    hash_u64(&hash, kg->out);
    hash_u64(&hash, kg->liars);
    hash_u64(&hash, kg->ready);
    hash_u64(&hash, kg->key_count);
    if (kg->key_count > 0)
        slu_hash_add(&hash, slu_keygen_newest(kg)->cert.key.key_id, 32);
    slu_hash_end(&hash, digest32);
}

static void sum_slashed(struct slu_core *c, const struct slu_block *block)
{
    struct slu_hash hash;
    slu_hash_begin(&hash, "state-slashed", c->g->chain_id);
    for (int offence = 0; offence < SLU_OFFENCES; offence++)
        hash_u64(&hash, block->evident[offence]);
    slu_hash_end(&hash, c->releases.parts[SLU_STATE_SLASHED]);
}

void slu_release_delivered(struct slu_core *c, const struct slu_block *block, const uint8_t *ids,
                           size_t ids_len, const uint8_t *drops, size_t drops_len)
{
    struct slu_releases *s = &c->releases;
    struct slu_release *waiting = &s->waiting[block->height % SLU_OPENING_HEIGHTS];
    struct slu_hash hash = next_part(c, SLU_STATE_IDS, "state-ids");
    hash_u64(&hash, drops_len);
    slu_hash_add(&hash, drops, drops_len);
    slu_hash_add(&hash, ids, ids_len);
    slu_hash_end(&hash, s->parts[SLU_STATE_IDS]);
    sum_cut(c, block);
    sum_queue(c, block);
    sum_calendar(c);
    slu_release_keys_digest(c, s->parts[SLU_STATE_KEYS]);
    sum_slashed(c, block);
    *waiting = (struct slu_release){.height = block->height, .time_ms = block->time_ms};
    memcpy(waiting->block, block->digest, 32);
    slu_space_finish(&s->ordered, c->g->chain_id, waiting->ordered);
    slu_state_digest(waiting->state, c->g->chain_id, (const uint8_t(*)[32])s->parts);
    slu_release_persist_space(c, waiting);
}

void slu_release_outcome(struct slu_core *c, const struct slu_opened *opened)
{
    bool is_void = opened->outcome != SLU_OPENED;
    uint8_t leaf32[32], content32[32];
    struct slu_hash content;
    slu_hash_begin(&content, "content", c->g->chain_id);
    if (is_void)
        slu_hash_add(&content, &opened->outcome, 1);
    slu_hash_add(&content, opened->opening, opened->opening_len);
    slu_hash_end(&content, content32);
    slu_entry_leaf(leaf32, c->g->chain_id, opened->index,
                   is_void ? SLU_ENTRY_VOID : SLU_ENTRY_OPENED, opened->id32, content32);
    struct slu_entry entry = {.rollup = opened->rollup,
                              .kind = is_void ? SLU_ENTRY_VOID : SLU_ENTRY_OPENED,
                              .payload = opened->opening,
                              .payload_len = opened->opening_len};
    list(&c->releases.opened, &entry, leaf32);
}

/* ---- certificates ---- */

static void diverge(struct slu_core *c, const struct slu_release *theirs)
{
    struct slu_releases *s = &c->releases;
    if (s->diverged)
        return;
    s->diverged = true;
    struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_DIVERGED);
    fx->diverged.mine = *made(c, theirs->height);
    fx->diverged.theirs = *theirs;
}

/* Signatures of anything but what is certified, of heights that a certificate covers, are evidence.
 */
static void accuse(struct slu_core *c, const struct slu_signed_release *m)
{
    struct slu_releases *s = &c->releases;
    const struct slu_release *below[SLU_RELEASES_BELOW_MAX];
    uint64_t height = m->release.height, count = s->certified - height;
    if (height > s->certified || count > SLU_RELEASES_BELOW_MAX || !is_kept(c, height) ||
        slu_digest_is(made(c, height)->digest, m->release.digest))
        return;
    for (uint64_t i = 0; i < count; i++)
        below[i] = made(c, s->certified - 1 - i);
    slu_evidence_wrong_release_of(c, &s->cert, below, (uint8_t)count, m);
}

static void accept(struct slu_core *c, const struct slu_release_cert *cert)
{
    struct slu_releases *s = &c->releases;
    uint64_t before = s->certified;
    s->cert = *cert;
    s->certified = cert->release.height;
    s->ask_ms = 0;
    s->accepted_ms = c->now_ms;
    slu_release_persist_cert(c, cert);
    slu_fx_add(c, SLU_EFFECT_RELEASED)->released_height = s->certified;
    if (before + SLU_RELEASE_AHEAD < s->certified)
        before = s->certified - SLU_RELEASE_AHEAD; /* no signatures of lower ones are kept */
    for (uint16_t j = 0; j < c->n; j++)
        for (uint64_t h = before + 1; h <= s->certified; h++)
            if (vote_at(c, j, h)->release.height == h)
                accuse(c, vote_at(c, j, h));
}

/* Whether one of this height is taken now: while lower ones may still come they are waited for, so
 * that runs stay short for readers; but should there be none anywhere, it must go on. */
static bool is_next(const struct slu_core *c, uint64_t height)
{
    const struct slu_releases *s = &c->releases;
    return height > s->certified && (height - s->certified <= SLU_RELEASE_RUN_LONG ||
                                     c->now_ms >= s->accepted_ms + c->g->params.standstill_ms);
}

/* A certificate of a height that is released here. */
static void consider(struct slu_core *c, const struct slu_release_cert *cert)
{
    struct slu_releases *s = &c->releases;
    uint64_t height = cert->release.height;
    if (height > s->top)
        return;
    /* Of what is long past a quorum's word stands: were mine another, my newest would be another,
     * too. */
    if (is_kept(c, height) && !slu_digest_is(made(c, height)->digest, cert->release.digest))
        diverge(c, &cert->release);
    else if (is_next(c, height))
        accept(c, cert);
}

static void tally(struct slu_core *c, uint64_t height)
{
    struct slu_releases *s = &c->releases;
    struct slu_release_cert cert = {.release = *made(c, height)};
    const struct slu_release *other = NULL;
    uint16_t against = 0;
    if (!is_kept(c, height) || height <= s->certified)
        return;
    for (uint16_t j = 0; j < c->n; j++) {
        const struct slu_signed_release *vote = vote_at(c, j, height);
        if (vote->release.height != height)
            continue;
        if (!slu_digest_is(vote->release.digest, cert.release.digest)) {
            other = &vote->release;
            against++;
        } else if (cert.count < c->q) {
            cert.signers[cert.count].node = j;
            memcpy(cert.signers[cert.count++].signature, vote->signature, 64);
        }
    }
    if (against > c->f)
        diverge(c, other);
    else if (cert.count == c->q)
        consider(c, &cert);
}

void slu_release_on_signature(struct slu_core *c, const struct slu_signed_release *m)
{
    struct slu_releases *s = &c->releases;
    uint64_t height = m->release.height;
    struct slu_signed_release *slot = vote_at(c, m->node, height);
    if (m->node == c->self || height > s->top + SLU_RELEASE_AHEAD)
        return;
    if (height <= s->certified) {
        accuse(c, m);
        return;
    }
    if (slot->release.height >= height)
        return; /* its first of this height counts, or one that covers it */
    *slot = *m;
    tally(c, height);
}

void slu_release_on_cert(struct slu_core *c, const struct slu_release_cert *cert)
{
    struct slu_releases *s = &c->releases;
    if (cert->release.height <= s->top) {
        consider(c, cert);
    } else if (cert->release.height <= s->top + SLU_RELEASE_RUN_LONG &&
               (!s->has_ahead || cert->release.height < s->ahead.release.height)) {
        s->ahead = *cert;
        s->has_ahead = true;
    }
}

/* ---- releasing ---- */

static void release(struct slu_core *c, uint64_t height, const uint8_t *opened32)
{
    struct slu_releases *s = &c->releases;
    struct slu_release *r = made(c, height);
    SLU_CHECK(height == s->top + 1);
    uint8_t previous32[32] = {0};
    if (s->top > 0)
        memcpy(previous32, made(c, s->top)->digest, 32);
    *r = s->waiting[height % SLU_OPENING_HEIGHTS];
    SLU_CHECK(r->height == height);
    memcpy(r->previous, previous32, 32);
    if (opened32)
        memcpy(r->opened, opened32, 32);
    slu_release_digest(r, c->g->chain_id);
    s->top = height;
    slu_release_persist(c, r, opened32 != NULL);
    tally(c, height);
    if (s->has_ahead && s->ahead.release.height <= height) {
        s->has_ahead = false;
        consider(c, &s->ahead);
    }
}

void slu_release_opened(struct slu_core *c, uint64_t height)
{
    uint8_t root32[32];
    slu_release_advance(c, height - 1);
    slu_space_finish(&c->releases.opened, c->g->chain_id, root32);
    release(c, height, root32);
}

void slu_release_advance(struct slu_core *c, uint64_t open)
{
    while (c->releases.top < open)
        release(c, c->releases.top + 1, NULL);
}

/* ---- speaking ---- */

static void sign(struct slu_core *c, uint64_t height)
{
    struct slu_signed_release *m = vote_at(c, c->self, height);
    *m = (struct slu_signed_release){.node = c->self, .release = *made(c, height)};
    SLU_CHECK(
        !c->signer.sign(c->signer.context, m->signature, SLU_ROLE_RELEASE, 0, m->release.digest));
    c->scratch->kind = SLU_MSG_RELEASE;
    c->scratch->release = *m;
    slu_fx_send(c, SLU_TO_ALL, c->scratch);
    c->stats.releases_signed++;
    tally(c, height);
}

/* Everybody signs the newest that it has at the end of a turn, and every SLU_RELEASE_RUN-th in any
 * case: nodes that run a little ahead of one another would else never sign the same. */
static void speak(struct slu_core *c)
{
    struct slu_releases *s = &c->releases;
    if (s->spoke == s->top)
        return;
    uint64_t from = s->spoke > s->certified ? s->spoke : s->certified;
    bool behind = c->head.height > s->top + c->g->params.release_lag_max + 2u * SLU_OPENING_HEIGHTS;
    if (from + SLU_RELEASE_AHEAD < s->top)
        from = s->top - SLU_RELEASE_AHEAD;
    for (uint64_t h = from + 1; h < s->top && !behind; h++)
        if (h % SLU_RELEASE_RUN == 0 && is_kept(c, h))
            sign(c, h);
    if (s->top > s->certified && !behind)
        sign(c, s->top);
    s->spoke = s->top;
    s->resend_ms = c->now_ms + c->g->params.resend_ms;
}

void slu_release_send_own(struct slu_core *c, uint16_t to)
{
    struct slu_releases *s = &c->releases;
    uint64_t from = s->certified + SLU_RELEASE_AHEAD > s->spoke ? s->certified + 1
                                                                : s->spoke - SLU_RELEASE_AHEAD + 1;
    for (uint64_t h = from; h <= s->spoke; h++) {
        const struct slu_signed_release *m = vote_at(c, c->self, h);
        if (m->release.height != h)
            continue;
        c->scratch->kind = SLU_MSG_RELEASE;
        c->scratch->release = *m;
        slu_fx_send(c, to, c->scratch);
    }
}

/* Of the lowest heights that lack a certificate, from a node drawn anew. */
static void ask(struct slu_core *c)
{
    struct slu_message *m = c->scratch;
    uint16_t peer = (uint16_t)((c->self + 1 + slu_random(c) % (uint64_t)(c->n - 1)) % c->n);
    m->kind = SLU_MSG_FETCH;
    m->fetch = (struct slu_fetch){.what = SLU_FETCH_RELEASES, .from = c->releases.certified + 1};
    slu_fx_send(c, peer, m);
    c->stats.fetches_sent++;
}

void slu_release_turn(struct slu_core *c)
{
    struct slu_releases *s = &c->releases;
    if (!c->started)
        return;
    speak(c);
    if (s->certified >= s->top || c->n == 1)
        return;
    if (c->now_ms >= s->resend_ms) {
        s->resend_ms = c->now_ms + c->g->params.resend_ms;
        slu_release_send_own(c, SLU_TO_ALL);
    }
    if (s->ask_ms == 0) /* a moment's patience, unless it is history */
        s->ask_ms =
            c->now_ms +
            (c->head.height > s->certified + SLU_RELEASE_AHEAD ? 1u : 2u * c->g->params.delta_ms);
    if (c->now_ms >= s->ask_ms) {
        s->ask_ms = c->now_ms + 2u * c->g->params.delta_ms;
        ask(c);
    }
}

uint64_t slu_release_deadline(const struct slu_core *c)
{
    const struct slu_releases *s = &c->releases;
    if (s->certified >= s->top || c->n == 1)
        return UINT64_MAX;
    return s->ask_ms < s->resend_ms ? s->ask_ms : s->resend_ms;
}
