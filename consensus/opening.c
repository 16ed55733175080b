/* Opening what is due (docs/PROTOCOL.md clauses 7.8, 7.9): own shares out first, since others wait
 * for them, then the optimistic rule chunk by chunk, lowest height first. In slices: a turn that
 * did its part says `wanted` and goes on in the next, so that votes never wait behind arithmetic.
 */
#include <string.h>

#include "consensus/keygen.h"
#include "consensus/opener.h"
#include "consensus/state.h"
#include "wire/opening.h"

#define ASK_HEIGHTS 16u /* of what is far behind, in one request */

static const struct slu_committee_key *key_of(const struct slu_core *c,
                                              const struct slu_due_chunk *chunk)
{
    return &c->keygen->keys[chunk->key];
}

static uint64_t bit(uint16_t node)
{
    return UINT64_C(1) << node;
}

static bool is_spent(const struct slu_core *c)
{
    return c->fx->nearly_full;
}

/* ---- own shares ---- */

static void gather_r(const struct slu_core *c, const struct slu_due_chunk *chunk,
                     uint8_t r32[SLU_SHARES_MAX][32])
{
    for (uint32_t m = 0; m < chunk->count; m++) {
        const struct slu_due *due = slu_member_at(c, chunk, m);
        memcpy(r32[m], due->sealed.r32, 32);
        c->opener.points[m] = due->checked.r;
    }
}

static struct slu_share_chunk proven(const struct slu_core *c, const struct slu_due_chunk *chunk,
                                     const struct slu_signed_shares *s, const uint8_t (*r32)[32])
{
    const struct slu_seal_key *public = slu_opening_key_public(key_of(c, chunk)->opening);
    return slu_signed_shares_chunk(s, public, r32, c->opener.points);
}

static void persist_shares(struct slu_core *c, const struct slu_signed_shares *s, int number)
{
    struct slu_record_key key = {
        .kind = SLU_REC_SHARES, .a = s->height, .b = (uint64_t)number << 32 | s->first};
    struct slu_writer w = slu_writer_of(slu_fx_take(c, SLU_SHARES_BYTES_MAX), SLU_SHARES_BYTES_MAX);
    slu_signed_shares_write(&w, s);
    SLU_CHECK(!w.failed);
    slu_fx_persist(c, &key, w.start, slu_writer_len(&w), NULL, 0);
}

/* Computes, proves, keeps and sends my shares of a chunk. Its height is final: order.c delivers no
 * other. */
static void share(struct slu_core *c, const struct slu_due_height *h, struct slu_due_chunk *chunk)
{
    const struct slu_committee_key *key = key_of(c, chunk);
    uint8_t r32[SLU_SHARES_MAX][32];
    struct slu_signed_shares *s = &c->scratch->shares;
    c->scratch->kind = SLU_MSG_SHARES;
    *s = (struct slu_signed_shares){.node = c->self,
                                    .height = h->height,
                                    .first = chunk->first,
                                    .count = (uint16_t)chunk->count};
    memcpy(s->block, h->block, 32);
    memcpy(s->key_id, key->cert.key.key_id, 32);
    memcpy(s->y_i, key->cert.key.y_i[c->self], 32);
    memcpy(s->list, chunk->list, 32);
    gather_r(c, chunk, r32);
    slu_shares_compute(s->d, key->x32, (const uint8_t(*)[32])r32, chunk->count);
    for (uint32_t m = 0; m < chunk->count; m++)
        memcpy(slu_member_at(c, chunk, m)->own_d, s->d[m], 32);
    struct slu_share_chunk statement = proven(c, chunk, s, (const uint8_t(*)[32])r32);
    slu_chunk_prove(c->opener.work, s->proof, &statement, (const uint8_t(*)[32])s->d, key->x32);
    slu_signed_shares_digest(s, c->g);
    SLU_CHECK(!c->signer.sign(c->signer.context, s->signature, SLU_ROLE_SHARES, 0, s->digest));
    persist_shares(c, s, chunk->key);
    slu_fx_send(c, SLU_TO_ALL, c->scratch);
    c->stats.shares_sent++;
    slu_fx_work(c, 2u + chunk->count / 2u);
}

/* False: the turn has no room for more. */
static bool share_all(struct slu_core *c)
{
    struct slu_opener *o = &c->opener;
    for (uint64_t i = o->height_first; i < o->height_top; i++) {
        struct slu_due_height *h = slu_height_at(c, i);
        for (uint32_t k = 0; h->chunks_own < h->chunk_count && k < h->chunk_count; k++) {
            struct slu_due_chunk *chunk = slu_chunk_at(c, h->first_chunk + k);
            if (chunk->own)
                continue;
            if (is_spent(c))
                return false;
            chunk->own = true;
            h->chunks_own++;
            if (key_of(c, chunk)->has_share)
                share(c, h, chunk);
        }
    }
    return true;
}

/* ---- whose shares of a chunk are here ---- */

/* A node's message for this chunk; one that is about something else is thrown away. */
static const struct slu_signed_shares *shares_of(struct slu_core *c, const struct slu_due_height *h,
                                                 struct slu_due_chunk *chunk, uint16_t node)
{
    const struct slu_dkg_key *key = &key_of(c, chunk)->cert.key;
    const struct slu_signed_shares *s =
        slu_share_pool_find(&c->opener.pool, node, h->height, key->key_id, chunk->first);
    chunk->have &= ~bit(node);
    if (!s)
        return NULL;
    if (s->count == chunk->count && slu_digest_is(s->block, h->block) &&
        slu_digest_is(s->key_id, key->key_id) && slu_digest_is(s->y_i, key->y_i[node]) &&
        slu_digest_is(s->list, chunk->list)) {
        chunk->have |= bit(node);
        return s;
    }
    slu_share_pool_drop(&c->opener.pool, node, h->height, key->key_id, chunk->first);
    c->stats.shares_refused++;
    return NULL;
}

void slu_opening_look(struct slu_core *c, const struct slu_due_height *h)
{
    for (uint32_t k = 0; k < h->chunk_count; k++)
        for (uint16_t j = 0; j < c->n; j++)
            if (j != c->self)
                shares_of(c, h, slu_chunk_at(c, h->first_chunk + k), j);
}

static uint64_t usable(const struct slu_core *c, const struct slu_due_chunk *chunk)
{
    uint64_t own = key_of(c, chunk)->has_share && chunk->own ? bit(c->self) : 0;
    return (chunk->have & ~chunk->bad & ~c->opener.liars) | own;
}

/* k of them: those that are known to be good first, then from the lowest index up. */
static uint64_t pick(const struct slu_core *c, const struct slu_due_chunk *chunk, uint64_t set)
{
    uint64_t first = set & (chunk->good | bit(c->self)), quorum = 0;
    unsigned left = key_of(c, chunk)->cert.k;
    for (int round = 0; round < 2; round++) {
        uint64_t from = round == 0 ? first : set & ~first;
        for (; from && left > 0; from &= from - 1, left--)
            quorum |= from & -from;
    }
    return left == 0 ? quorum : 0;
}

static uint16_t members_of(uint64_t quorum, uint16_t nodes[SLU_NODES_MAX])
{
    uint16_t count = 0;
    for (; quorum; quorum &= quorum - 1)
        nodes[count++] = (uint16_t)__builtin_ctzll(quorum);
    return count;
}

static void use_coefficients(struct slu_core *c, uint64_t quorum)
{
    struct slu_opener *o = &c->opener;
    uint16_t nodes[SLU_NODES_MAX], k = members_of(quorum, nodes);
    if (o->coefficients_k == k && o->coefficients_of == quorum)
        return;
    SLU_CHECK(slu_coefficients_of(&o->coefficients, nodes, k, c->n) == 0);
    o->coefficients_k = k;
    o->coefficients_of = quorum;
}

/* ---- one ciphertext ---- */

/* rho and the payload take the ciphertext's place; what is left of the envelope goes with them. */
static void keep_opened(struct slu_due *due, const struct slu_sealed_opening *opening)
{
    uint8_t *at = due->envelope + (due->sealed.c - due->envelope);
    memcpy(at, opening->plain, SLU_RHO_BYTES);
    memcpy(at + SLU_RHO_BYTES, opening->message.payload, opening->message.payload_len);
    due->rollup = opening->message.rollup;
    due->payload_len = opening->message.payload_len;
}

static void settle(const struct slu_core *c, struct slu_due *due, enum slu_void outcome,
                   const struct slu_sealed_opening *opening)
{
    if (outcome == SLU_OPENED)
        outcome = slu_opening_judge(c->g, opening->message.rollup, opening->message.payload,
                                    opening->message.payload_len);
    due->state = SLU_DUE_DONE;
    due->outcome = (uint8_t)outcome;
    if (outcome == SLU_OPENED)
        keep_opened(due, opening);
}

/* The messages of a quorum, by member; NULL for my own. */
struct quorum {
    uint16_t nodes[SLU_NODES_MAX];
    uint16_t k;
    const struct slu_signed_shares *shares[SLU_NODES_MAX];
};

/* False: one had to make room in the pool; it is asked for again. */
static bool gather(struct slu_core *c, const struct slu_due_height *h, struct slu_due_chunk *chunk,
                   struct quorum *out)
{
    out->k = members_of(chunk->quorum, out->nodes);
    for (uint16_t i = 0; i < out->k; i++) {
        bool mine = out->nodes[i] == c->self;
        out->shares[i] = mine ? NULL : shares_of(c, h, chunk, out->nodes[i]);
        if (!mine && !out->shares[i])
            return false;
    }
    return true;
}

/* What is combined and opened together. */
struct together {
    uint32_t count;
    struct slu_due *dues[SLU_OPEN_TOGETHER];
    uint32_t members[SLU_OPEN_TOGETHER]; /* their places in the chunk */
};

/* The next of a chunk that are not open, from its cursor on. */
static void take_together(const struct slu_core *c, struct slu_due_chunk *chunk,
                          struct together *out)
{
    out->count = 0;
    for (; chunk->next < chunk->count && out->count < SLU_OPEN_TOGETHER; chunk->next++) {
        struct slu_due *due = slu_member_at(c, chunk, chunk->next);
        if (due->state == SLU_DUE_DONE)
            continue;
        out->dues[out->count] = due;
        out->members[out->count++] = chunk->next;
    }
}

/* Their shares of the quorum, by node. False: one of `malformed` is no element, so its chunk is not
 * well formed. */
static bool decode(const struct slu_core *c, const struct quorum *quorum,
                   const struct together *them, uint16_t *malformed)
{
    for (uint16_t i = 0; i < quorum->k; i++) {
        uint8_t d32[SLU_OPEN_TOGETHER][32];
        for (uint32_t m = 0; m < them->count; m++)
            memcpy(d32[m],
                   quorum->shares[i] ? quorum->shares[i]->d[them->members[m]]
                                     : them->dues[m]->own_d,
                   32);
        *malformed = quorum->nodes[i];
        if (!slu_shares_read(c->opener.decoded + (size_t)i * SLU_OPEN_TOGETHER,
                             (const uint8_t(*)[32])d32, them->count))
            return false;
    }
    return true;
}

/* Combines and opens them. True: something did not open, and that is not settled yet. */
static bool open_together(struct slu_core *c, const struct slu_due_chunk *chunk,
                          const struct quorum *quorum, const struct together *them)
{
    struct slu_opener *o = &c->opener;
    const struct slu_point *shares[SLU_NODES_MAX];
    struct slu_point s[SLU_OPEN_TOGETHER];
    struct slu_sealed_opening openings[SLU_OPEN_TOGETHER];
    bool failed = false;
    for (uint16_t i = 0; i < quorum->k; i++)
        shares[i] = o->decoded + (size_t)i * SLU_OPEN_TOGETHER;
    slu_combine_many(s, &o->coefficients, shares, them->count);
    for (uint32_t m = 0; m < them->count; m++)
        openings[m] = (struct slu_sealed_opening){.sealed = &them->dues[m]->sealed,
                                                  .checked = &them->dues[m]->checked,
                                                  .s = &s[m],
                                                  .plain = o->plain + m * SLU_SEALED_PLAIN_MAX};
    slu_sealed_open_many(key_of(c, chunk)->opening, openings, them->count);
    for (uint32_t m = 0; m < them->count; m++) {
        if (slu_open_settled(openings[m].result, false)) {
            settle(c, them->dues[m], openings[m].result, &openings[m]);
        } else {
            them->dues[m]->outcome = (uint8_t)openings[m].result;
            failed = true;
        }
    }
    slu_fx_work(c, (them->count + 1) / 2);
    return failed;
}

/* ---- one chunk ---- */

/* Checks a member's proof; a liar is left out from now on, here and everywhere. */
static void check_proof(struct slu_core *c, const struct slu_due_height *h,
                        struct slu_due_chunk *chunk, uint16_t node)
{
    const struct slu_signed_shares *s = shares_of(c, h, chunk, node);
    SLU_CHECK(s); /* it was combined in this turn */
    uint8_t r32[SLU_SHARES_MAX][32];
    gather_r(c, chunk, r32);
    struct slu_share_chunk statement = proven(c, chunk, s, (const uint8_t(*)[32])r32);
    slu_fx_work(c, 2u + chunk->count / 4u);
    bool read = slu_shares_read(c->opener.others, (const uint8_t(*)[32])s->d, s->count);
    if (read && slu_chunk_good(c->opener.work, &statement, (const uint8_t(*)[32])s->d,
                               c->opener.others, s->proof)) {
        chunk->good |= bit(node);
        return;
    }
    chunk->bad |= bit(node);
    c->opener.liars |= bit(node);
    c->stats.shares_wrong++;
    slu_evidence_wrong_share_of(c, &key_of(c, chunk)->cert, s, chunk->ids_hash,
                                (const uint8_t(*)[32])r32);
}

/* Combines what is not open yet with the quorum's shares. False: the turn has no room for more, or
 * a member's message is not well formed, and another quorum is needed. */
static bool pass(struct slu_core *c, const struct slu_due_height *h, struct slu_due_chunk *chunk)
{
    struct quorum quorum;
    struct together them;
    uint16_t malformed;
    if (!gather(c, h, chunk, &quorum))
        return false;
    use_coefficients(c, chunk->quorum);
    for (take_together(c, chunk, &them); them.count > 0; take_together(c, chunk, &them)) {
        if (!decode(c, &quorum, &them, &malformed)) {
            check_proof(c, h, chunk, malformed);
            return false; /* another quorum begins from the start */
        }
        chunk->failed |= open_together(c, chunk, &quorum, &them);
        if (chunk->next < chunk->count && is_spent(c))
            return false;
    }
    return true;
}

/* What did not open, when all of the quorum's proofs hold: void for good. Else the liars are out.
 */
static void doubt(struct slu_core *c, const struct slu_due_height *h, struct slu_due_chunk *chunk)
{
    uint16_t nodes[SLU_NODES_MAX], k = members_of(chunk->quorum, nodes);
    bool all_good = true;
    for (uint16_t i = 0; i < k; i++) {
        if (nodes[i] != c->self && !(chunk->good >> nodes[i] & 1))
            check_proof(c, h, chunk, nodes[i]);
        all_good &= !(chunk->bad >> nodes[i] & 1);
    }
    chunk->quorum = 0;
    chunk->done = all_good;
    for (uint32_t m = 0; all_good && m < chunk->count; m++) {
        struct slu_due *due = slu_member_at(c, chunk, m);
        if (due->state != SLU_DUE_DONE)
            settle(c, due, (enum slu_void)due->outcome, NULL);
    }
}

/* As far as the shares that are here go. False: the turn has no room for more. */
static bool run_chunk(struct slu_core *c, const struct slu_due_height *h,
                      struct slu_due_chunk *chunk)
{
    while (!chunk->done) {
        uint64_t set = usable(c, chunk);
        /* A pass that was interrupted goes on with the very same messages only: what did not open
         * with one of a liar's must not be held against another of his. */
        if (!chunk->quorum || chunk->quorum & ~set || chunk->gone != c->opener.pool.gone) {
            chunk->quorum = pick(c, chunk, set);
            chunk->gone = c->opener.pool.gone;
            chunk->next = 0;
            chunk->failed = false;
            if (!chunk->quorum)
                return true; /* more shares have to come */
        }
        if (is_spent(c))
            return false;
        if (!pass(c, h, chunk))
            continue;
        if (chunk->failed)
            doubt(c, h, chunk);
        else
            chunk->done = true;
    }
    return true;
}

static bool run_height(struct slu_core *c, struct slu_due_height *h)
{
    for (uint32_t k = 0; k < h->chunk_count; k++) {
        struct slu_due_chunk *chunk = slu_chunk_at(c, h->first_chunk + k);
        if (chunk->done)
            continue;
        if (!run_chunk(c, h, chunk))
            return false;
        h->chunks_done += chunk->done;
    }
    return true;
}

static bool is_open(const struct slu_due_height *h)
{
    return h->chunks_done == h->chunk_count && h->chunks_own == h->chunk_count;
}

/* ---- what is missing ---- */

/* Asks whose shares of the lowest height are not here. */
static void ask(struct slu_core *c)
{
    struct slu_opener *o = &c->opener;
    struct slu_due_height *h = slu_height_at(c, o->height_first);
    const struct slu_due_chunk *chunk = NULL;
    for (uint32_t k = 0; k < h->chunk_count && (!chunk || chunk->done); k++)
        chunk = slu_chunk_at(c, h->first_chunk + k);
    if (c->now_ms < h->ask_ms || !chunk || chunk->done)
        return;
    uint64_t until = slu_height_at(c, o->height_top - 1)->height, have = usable(c, chunk);
    if (until > h->height + ASK_HEIGHTS - 1)
        until = h->height + ASK_HEIGHTS - 1;
    for (uint64_t i = o->height_first; i < o->height_top; i++)
        slu_height_at(c, i)->ask_ms = c->now_ms + 2u * c->g->params.delta_ms;
    struct slu_message *m = c->scratch;
    for (uint16_t j = 0; j < c->n; j++) {
        if (j == c->self || (have | chunk->bad | o->liars) >> j & 1)
            continue;
        m->kind = SLU_MSG_FETCH;
        m->fetch = (struct slu_fetch){.what = SLU_FETCH_SHARES, .from = h->height, .to = until};
        slu_fx_send(c, j, m);
        c->stats.fetches_sent++;
    }
}

/* ---- the stage ---- */

void slu_opening_run(struct slu_core *c)
{
    struct slu_opener *o = &c->opener;
    if (!c->started || o->height_first == o->height_top) {
        o->wanted = false;
        return;
    }
    o->wanted = !share_all(c);
    for (uint64_t i = o->height_first; i < o->height_top && !o->wanted; i++) {
        struct slu_due_height *h = slu_height_at(c, i);
        o->wanted = is_spent(c) || !run_height(c, h);
        if (!o->wanted && i == o->height_first && is_open(h))
            slu_opener_opened(c);
    }
    if (o->height_first < o->height_top)
        ask(c);
}

void slu_opening_on_shares(struct slu_core *c, const struct slu_signed_shares *s)
{
    struct slu_opener *o = &c->opener;
    if (!c->g->params.sealing || s->node == c->self || o->liars >> s->node & 1)
        return;
    if (s->height <= slu_opener_height_open(c))
        return; /* it came late: all is open */
    if (s->height > c->delivered.height + SLU_OPENING_HEIGHTS || !slu_share_pool_put(&o->pool, s)) {
        c->stats.shares_refused++;
        return;
    }
    for (uint64_t i = o->height_first; i < o->height_top; i++) {
        const struct slu_due_height *h = slu_height_at(c, i);
        for (uint32_t k = 0; h->height == s->height && k < h->chunk_count; k++) {
            struct slu_due_chunk *chunk = slu_chunk_at(c, h->first_chunk + k);
            if (chunk->first == s->first &&
                slu_digest_is(key_of(c, chunk)->cert.key.key_id, s->key_id))
                shares_of(c, h, chunk, s->node);
        }
    }
    o->wanted = o->height_first < o->height_top;
}

uint64_t slu_opening_deadline(const struct slu_core *c)
{
    const struct slu_opener *o = &c->opener;
    if (o->wanted)
        return c->now_ms;
    return o->height_first < o->height_top ? slu_height_at(c, o->height_first)->ask_ms : UINT64_MAX;
}
