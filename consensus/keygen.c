/* The key generation in the stream (docs/PROTOCOL.md clauses 7.1 to 7.3, docs/CRYPTO.md clause 7): a state
 * machine over delivered entries of rollup 0 and the stream's clock, the same on every node; and
 * what this node says in it. Records and boot: keygen_record.c.
 *
 *     idle ─▶ dealing ─▶ settling (complaints, READY) ─▶ a key, from the next height on
 *       ▲        │            │
 *       └────────┴────────────┘  not enough dealers or READYs in time: the next attempt
 */
#include "consensus/keygen.h"

#include <sodium.h>
#include <string.h>

#include "consensus/state.h"
#include "sluice/error.h"

/* A key only ever gives way to one with a higher threshold. */
static uint16_t key_cap(const struct slu_genesis *g)
{
    if (!g->params.sealing)
        return 1;
    return (uint16_t)(slu_genesis_seal_threshold(g) - slu_genesis_seal_threshold_min(g) + 1);
}

size_t slu_keygen_bytes(const struct slu_genesis *g)
{
    return sizeof(struct slu_keygen) + (size_t)g->n * SLU_DKG_DEALING_BYTES_MAX +
           key_cap(g) * (sizeof(struct slu_committee_key) + slu_opening_key_bytes() + 16u) + 128;
}

void slu_keygen_init(struct slu_core *c, struct slu_arena *arena)
{
    c->keygen = slu_arena_take(arena, sizeof *c->keygen);
    SLU_CHECK(c->keygen);
    c->keygen->dealings = slu_arena_take(arena, (size_t)c->n * SLU_DKG_DEALING_BYTES_MAX);
    SLU_CHECK(c->keygen->dealings);
    c->keygen->key_cap = key_cap(c->g);
    c->keygen->keys = slu_arena_take(arena, c->keygen->key_cap * sizeof *c->keygen->keys);
    SLU_CHECK(c->keygen->keys);
    for (uint16_t i = 0; i < c->keygen->key_cap; i++) {
        c->keygen->keys[i].memory = slu_arena_take(arena, slu_opening_key_bytes());
        SLU_CHECK(c->keygen->keys[i].memory);
    }
}

/* ---- attempts ---- */

static uint64_t bit(uint16_t node)
{
    return UINT64_C(1) << node;
}

static uint16_t count_of(uint64_t set)
{
    return (uint16_t)__builtin_popcountll(set);
}

static uint64_t survivors(const struct slu_keygen *kg)
{
    return kg->dealt & ~kg->out;
}

void slu_keygen_begin(struct slu_core *c, uint32_t attempt, uint16_t k, uint64_t time_ms)
{
    struct slu_keygen *kg = c->keygen;
    uint8_t p32[SLU_NODES_MAX][32];
    for (uint16_t j = 0; j < c->n; j++)
        memcpy(p32[j], c->g->nodes[j].seal_public32, 32);
    SLU_CHECK(slu_dkg_begin(&kg->dkg, c->g->chain_id, 0, attempt, c->n, k,
                            (const uint8_t(*)[32])p32) == SLU_OK);
    kg->attempt = attempt;
    kg->phase = SLU_KEYGEN_DEALING;
    kg->began_ms = kg->closed_ms = time_ms;
    kg->dealt = kg->out = kg->liars = kg->ready = 0;
    memset(kg->complained, 0, sizeof kg->complained);
    kg->has_result = false;
    kg->looked_at = kg->good = 0;
    sodium_memzero(kg->shares, sizeof kg->shares);
    kg->changed = true;
}

/* Dealings are over, or a dealer is out: what the others make. Too few: no result. */
static void compute_result(struct slu_core *c)
{
    struct slu_keygen *kg = c->keygen;
    kg->ready = 0;
    kg->has_result = count_of(survivors(kg)) >= c->q &&
                     slu_dkg_result(&kg->result, &kg->dkg, survivors(kg), kg->read) == SLU_OK;
    kg->changed = true;
}

static void fail(struct slu_core *c, uint64_t time_ms)
{
    struct slu_keygen *kg = c->keygen;
    uint16_t least = slu_genesis_seal_threshold_min(c->g);
    uint16_t next =
        kg->dkg.k > least ? (uint16_t)(kg->dkg.k - 1) : slu_genesis_seal_threshold(c->g);
    slu_fx_trace(c, "event=keygen_failed attempt=%u k=%u dealers=%u ready=%u", kg->attempt,
                 kg->dkg.k, count_of(survivors(kg)), count_of(kg->ready));
    if (kg->key_count > 0 && next <= slu_keygen_newest(kg)->cert.k) {
        kg->phase = SLU_KEYGEN_RESTING; /* what could come now is no better than what there is */
        kg->changed = true;
        return;
    }
    slu_keygen_begin(c, kg->attempt + 1, next, time_ms);
}

static void activate(struct slu_core *c, uint64_t height, uint64_t time_ms)
{
    struct slu_keygen *kg = c->keygen;
    SLU_CHECK(kg->key_count < kg->key_cap);
    struct slu_committee_key *key = &kg->keys[kg->key_count];
    struct slu_key_cert *cert = &key->cert;
    key->from_height = height + 1;
    key->from_ms = time_ms;
    cert->attempt = kg->attempt;
    cert->k = kg->dkg.k;
    cert->dealers = survivors(kg);
    cert->key = kg->result;
    memcpy(cert->sid, kg->dkg.sid, 32);
    cert->count = 0;
    for (uint16_t j = 0; j < c->n && cert->count < cert->k + c->f; j++)
        if (kg->ready & bit(j))
            cert->signers[cert->count++] = kg->signed_ready[j];
    slu_keygen_own_share(c, key);
    slu_keygen_add_key(c);
    kg->phase = SLU_KEYGEN_RESTING;
    kg->changed = true;
    slu_keygen_persist_key(c);
    slu_fx_trace(c, "event=keygen_done attempt=%u k=%u dealers=%u from_height=%llu", cert->attempt,
                 cert->k, count_of(cert->dealers), (unsigned long long)key->from_height);
}

void slu_keygen_add_key(struct slu_core *c)
{
    struct slu_committee_key *key = &c->keygen->keys[c->keygen->key_count++];
    struct slu_seal_key public;
    memcpy(public.chain_id, c->g->chain_id, 32);
    memcpy(public.key_id, key->cert.key.key_id, 32);
    memcpy(public.y, key->cert.key.y, 32);
    key->opening = slu_opening_key_init(key->memory, &public);
    SLU_CHECK(key->opening);
}

int slu_keygen_find(const struct slu_core *c, const uint8_t key_id32[32])
{
    for (int i = c->keygen->key_count - 1; i >= 0; i--)
        if (slu_digest_is(c->keygen->keys[i].cert.key.key_id, key_id32))
            return i;
    return -1;
}

bool slu_keygen_counts(const struct slu_core *c, int number, uint64_t height, uint64_t time_ms)
{
    const struct slu_keygen *kg = c->keygen;
    /* A torn write can leave a key of a height that is delivered again. */
    return number >= 0 && kg->keys[number].from_height <= height &&
           (number + 1 == kg->key_count ||
            time_ms <= kg->keys[number + 1].from_ms + c->g->params.dedup_window_ms);
}

/* ---- delivered entries ---- */

static void on_deal(struct slu_core *c, const struct slu_keygen_entry *entry)
{
    struct slu_keygen *kg = c->keygen;
    uint8_t *place = kg->dealings[entry->node];
    if (kg->phase != SLU_KEYGEN_DEALING || kg->dealt & bit(entry->node) ||
        entry->content_len != slu_dkg_dealing_bytes(&kg->dkg))
        return;
    memcpy(place, entry->content, entry->content_len);
    if (slu_dkg_dealing_read(&kg->read[entry->node], &kg->dkg, entry->node, place,
                             entry->content_len))
        return;
    kg->dealt |= bit(entry->node);
    kg->changed = true;
}

static void on_complaint(struct slu_core *c, const struct slu_keygen_entry *entry)
{
    struct slu_keygen *kg = c->keygen;
    if (kg->phase != SLU_KEYGEN_SETTLING || !(survivors(kg) & bit(entry->dealer)) ||
        kg->complained[entry->node] & bit(entry->dealer))
        return;
    enum slu_dkg_verdict verdict = slu_dkg_judge(&kg->dkg, &kg->read[entry->dealer], entry->dealer,
                                                 entry->node, entry->content);
    if (verdict == SLU_DKG_COMPLAINT_INVALID)
        return;
    kg->complained[entry->node] |= bit(entry->dealer);
    kg->changed = true;
    if (verdict == SLU_DKG_COMPLAINER_AT_FAULT) {
        kg->liars |= bit(entry->node);
        return;
    }
    kg->out |= bit(entry->dealer);
    slu_fx_trace(c, "event=keygen_dealer_out attempt=%u dealer=%u by=%u", kg->attempt,
                 entry->dealer, entry->node);
    compute_result(c);
}

static void on_ready(struct slu_core *c, const struct slu_keygen_entry *entry)
{
    struct slu_keygen *kg = c->keygen;
    if (kg->phase != SLU_KEYGEN_SETTLING || !kg->has_result || kg->ready & bit(entry->node) ||
        !slu_digest_is(entry->content, kg->result.ready))
        return;
    kg->ready |= bit(entry->node);
    struct slu_ready_signature *signer = &kg->signed_ready[entry->node];
    *signer = (struct slu_ready_signature){.node = entry->node,
                                           .valid_until_ms = entry->valid_until_ms};
    memcpy(signer->signature, entry->signature64, 64);
    kg->changed = true;
}

void slu_keygen_deliver(struct slu_core *c, uint64_t height, const uint8_t *envelope, size_t len)
{
    struct slu_keygen *kg = c->keygen;
    struct slu_keygen_entry entry;
    if (height <= kg->height || kg->phase == SLU_KEYGEN_RESTING ||
        slu_keygen_read(&entry, c->g, envelope, len) || !slu_digest_is(entry.sid32, kg->dkg.sid))
        return; /* counted before a crash, or of another attempt */
    kg->between = true;
    if (entry.phase == SLU_KEYGEN_DEAL)
        on_deal(c, &entry);
    else if (entry.phase == SLU_KEYGEN_COMPLAINT)
        on_complaint(c, &entry);
    else
        on_ready(c, &entry);
}

/* At the end of each height: the windows, in stream time. */
static void advance(struct slu_core *c, uint64_t height, uint64_t time_ms)
{
    struct slu_keygen *kg = c->keygen;
    const struct slu_params *params = &c->g->params;
    uint16_t target = slu_genesis_seal_threshold(c->g);
    bool over = time_ms >= kg->closed_ms + params->keygen_window_ms;
    switch (kg->phase) {
    case SLU_KEYGEN_RESTING:
        if (kg->attempt == 0)
            slu_keygen_begin(c, 1, target, time_ms);
        else if ((!kg->key_count || slu_keygen_newest(kg)->cert.k < target) &&
                 time_ms >= kg->began_ms + params->keygen_retry_ms)
            slu_keygen_begin(c, kg->attempt + 1, target, time_ms);
        return;
    case SLU_KEYGEN_DEALING:
        if (count_of(kg->dealt) < c->n && !over)
            return;
        kg->phase = SLU_KEYGEN_SETTLING;
        kg->closed_ms = time_ms;
        compute_result(c);
        if (!kg->has_result)
            fail(c, time_ms);
        return;
    case SLU_KEYGEN_SETTLING:
        if (kg->has_result && count_of(kg->ready) >= kg->dkg.k + c->f)
            activate(c, height, time_ms);
        else if (!kg->has_result || over)
            fail(c, time_ms);
        return;
    }
}

void slu_keygen_height_done(struct slu_core *c, uint64_t height, uint64_t time_ms)
{
    struct slu_keygen *kg = c->keygen;
    if (!c->g->params.sealing || height <= kg->height)
        return;
    advance(c, height, time_ms);
    kg->height = height;
    kg->between = false;
    if (kg->changed)
        slu_keygen_persist(c);
    kg->changed = false;
}

/* ---- what others may make me hold ---- */

bool slu_keygen_may_hold(const struct slu_core *c, const uint8_t *envelope, size_t len)
{
    const struct slu_keygen *kg = c->keygen;
    struct slu_keygen_entry entry;
    if (slu_keygen_read(&entry, c->g, envelope, len) || kg->phase == SLU_KEYGEN_RESTING ||
        !slu_digest_is(entry.sid32, kg->dkg.sid))
        return false;
    struct slu_dkg_dealing unused;
    switch (entry.phase) {
    case SLU_KEYGEN_DEAL:
        return kg->phase == SLU_KEYGEN_DEALING && !(kg->dealt & bit(entry.node)) &&
               slu_dkg_dealing_read(&unused, &kg->dkg, entry.node, entry.content,
                                    entry.content_len) == SLU_OK;
    case SLU_KEYGEN_COMPLAINT:
        return kg->phase == SLU_KEYGEN_SETTLING && survivors(kg) & bit(entry.dealer) &&
               !(kg->complained[entry.node] & bit(entry.dealer)) &&
               slu_dkg_judge(&kg->dkg, &kg->read[entry.dealer], entry.dealer, entry.node,
                             entry.content) != SLU_DKG_COMPLAINT_INVALID;
    case SLU_KEYGEN_READY:
        return kg->has_result && !(kg->ready & bit(entry.node)) &&
               slu_digest_is(entry.content, kg->result.ready);
    case SLU_KEYGEN_PHASES:
        break;
    }
    return false;
}

/* ---- what this node says ---- */

/* Whether a message of mine of this phase is on its way: held, or queued and not delivered. */
static bool is_on_its_way(const struct slu_core *c, enum slu_keygen_phase phase)
{
    const struct slu_queue *q = &c->queue;
    for (uint32_t at = c->inbox.oldest; at != SLU_NONE; at = c->inbox.pool[at].newer) {
        const struct slu_inbox_entry *entry = &c->inbox.pool[at];
        if (entry->held && entry->tuple.kind == SLU_INBOX_KEYGEN &&
            entry->tuple.offender == c->self && entry->tuple.offence == phase)
            return true;
    }
    for (uint64_t i = q->due; i < q->top; i++) {
        const struct slu_queued *entry = &q->ring[i % q->cap];
        if (entry->kind == SLU_INBOX_KEYGEN && entry->node == c->self && entry->phase == phase)
            return true;
    }
    return false;
}

static void say(struct slu_core *c, enum slu_keygen_phase phase, uint16_t dealer,
                const uint8_t *content, size_t len)
{
    const struct slu_params *params = &c->g->params;
    uint32_t lasts = params->keygen_window_ms < params->dedup_window_ms ? params->keygen_window_ms
                                                                        : params->dedup_window_ms;
    struct slu_writer w = slu_writer_of(slu_fx_take(c, SLU_KEYGEN_BYTES_MAX), SLU_KEYGEN_BYTES_MAX);
    struct slu_relay relay = {.kind = SLU_INBOX_KEYGEN};
    SLU_CHECK(!slu_keygen_write(&w, c->g, phase, c->self, c->keygen->dkg.sid,
                                c->head.time_ms + lasts, dealer, content, len, &c->signer));
    SLU_CHECK(slu_relay_derive(&relay, c->g, w.start, slu_writer_len(&w)) == SLU_OK);
    slu_inbox_take(c, &relay);
    slu_fx_trace(c, "event=keygen_said phase=%s attempt=%u", slu_keygen_phase_name(phase),
                 c->keygen->attempt);
}

static void deal(struct slu_core *c)
{
    uint8_t *dealing = slu_fx_take(c, SLU_DKG_DEALING_BYTES_MAX);
    slu_dkg_deal(dealing, &c->keygen->dkg, c->self, c->seal->seed32);
    say(c, SLU_KEYGEN_DEAL, 0, dealing, slu_dkg_dealing_bytes(&c->keygen->dkg));
}

/* Opens my shares of the dealings that survive. */
static void look_at_shares(struct slu_core *c)
{
    struct slu_keygen *kg = c->keygen;
    for (uint16_t j = 0; j < c->n; j++) {
        if (!(survivors(kg) & ~kg->looked_at & bit(j)))
            continue;
        kg->looked_at |= bit(j);
        if (slu_dkg_share_open(kg->shares[j], &kg->dkg, &kg->read[j], j, c->self, c->seal->p32))
            kg->good |= bit(j);
    }
}

void slu_keygen_own_share(struct slu_core *c, struct slu_committee_key *key)
{
    struct slu_keygen *kg = c->keygen;
    if (!c->seal)
        return;
    look_at_shares(c);
    key->has_share = (key->cert.dealers & ~kg->good) == 0;
    if (!key->has_share)
        return;
    uint8_t y_i[32];
    slu_dkg_share(key->x32, &kg->dkg, key->cert.dealers, (const uint8_t(*)[32])kg->shares);
    /* A wrong share of mine would be evidence against me: better none than one of a flipped bit. */
    key->has_share = crypto_scalarmult_ristretto255_base(y_i, key->x32) == 0 &&
                     slu_digest_is(y_i, key->cert.key.y_i[c->self]);
}

static void settle(struct slu_core *c)
{
    struct slu_keygen *kg = c->keygen;
    look_at_shares(c);
    uint64_t bad = survivors(kg) & ~kg->good & ~kg->complained[c->self];
    if (bad) {
        uint16_t dealer = (uint16_t)__builtin_ctzll(bad);
        uint8_t complaint[SLU_DKG_COMPLAINT_BYTES];
        if (is_on_its_way(c, SLU_KEYGEN_COMPLAINT))
            return;
        slu_dkg_complain(complaint, &kg->dkg, &kg->read[dealer], dealer, c->self, c->seal->p32);
        say(c, SLU_KEYGEN_COMPLAINT, dealer, complaint, sizeof complaint);
        return;
    }
    bool all_good = (survivors(kg) & ~kg->good) == 0;
    if (kg->has_result && all_good && !(kg->ready & bit(c->self)) &&
        !is_on_its_way(c, SLU_KEYGEN_READY))
        say(c, SLU_KEYGEN_READY, 0, kg->result.ready, 32);
}

void slu_keygen_speak(struct slu_core *c)
{
    const struct slu_keygen *kg = c->keygen;
    if (!c->started || !c->seal || c->rejoining ||
        c->head.height > c->delivered.height + c->g->params.release_lag_max)
        return;
    if (kg->phase == SLU_KEYGEN_DEALING && !(kg->dealt & bit(c->self)) &&
        !is_on_its_way(c, SLU_KEYGEN_DEAL))
        deal(c);
    else if (kg->phase == SLU_KEYGEN_SETTLING)
        settle(c);
}

void slu_keygen_status(const struct slu_core *c, struct slu_keygen_status *status)
{
    const struct slu_keygen *kg = c->keygen;
    *status = (struct slu_keygen_status){.height = kg->height,
                                         .between = kg->between,
                                         .phase = kg->phase,
                                         .attempt = kg->attempt,
                                         .k = kg->dkg.k,
                                         .dealt = kg->dealt,
                                         .out = kg->out,
                                         .ready = kg->ready,
                                         .keys = kg->key_count};
    const struct slu_committee_key *key = slu_keygen_newest(kg);
    if (!key)
        return;
    status->has_key = true;
    status->has_share = key->has_share;
    status->key_k = key->cert.k;
    status->key_dealers = key->cert.dealers;
    status->key_from_height = key->from_height;
    memcpy(status->key_id, key->cert.key.key_id, 32);
    memcpy(status->y, key->cert.key.y, 32);
}

size_t slu_core_key_cert(const struct slu_core *c, uint16_t number, uint8_t *out)
{
    struct slu_writer w = slu_writer_of(out, SLU_KEY_CERT_BYTES_MAX);
    if (number >= c->keygen->key_count)
        return 0;
    slu_key_cert_write(&w, c->g, &c->keygen->keys[number].cert);
    SLU_CHECK(!w.failed);
    return slu_writer_len(&w);
}
