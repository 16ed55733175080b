/* Votes and certificates: signing mine (durable first), counting others', forming q of them. */
#include <string.h>

#include "consensus/state.h"

static const uint8_t no_block[32];

bool slu_vote_allowed(const struct slu_core *c, uint64_t view)
{
    return c->started && !c->rejoining && view > c->vote_floor && view > c->final_view;
}

/* ---- certificates ---- */

bool slu_vote_cert(const struct slu_core *c, uint64_t view, enum slu_vote_kind kind,
                   struct slu_cert *out)
{
    const struct slu_view_slot *slot = slu_view_peek(c, view);
    if (!slot || !slot->certified[kind])
        return false;
    out->epoch = 0;
    out->kind = (uint8_t)kind;
    out->view = view;
    memcpy(out->block, kind == SLU_NULLIFY ? no_block : slot->notarized, 32);
    out->count = 0;
    for (uint16_t j = 0; j < c->n && out->count < c->q; j++) {
        const struct slu_vote_slot *vote = &slot->votes[kind][j];
        if (!vote->present || !slu_digest_is(vote->block, out->block))
            continue;
        out->votes[out->count].node = j;
        memcpy(out->votes[out->count++].signature, vote->signature, 64);
    }
    SLU_CHECK(out->count == c->q);
    return true;
}

static void send_cert(struct slu_core *c, uint16_t to, uint64_t view, enum slu_vote_kind kind)
{
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_CERT;
    if (slu_vote_cert(c, view, kind, &m->cert))
        slu_fx_send(c, to, m);
}

static void cert_known(struct slu_core *c, struct slu_view_slot *slot, enum slu_vote_kind kind,
                       const uint8_t block32[32], uint16_t from)
{
    if (slot->certified[kind])
        return;
    uint64_t view = slot->view;
    slot->certified[kind] = true;
    if (kind != SLU_NULLIFY)
        memcpy(slot->notarized, block32, 32);
    if (kind == SLU_NULLIFY)
        send_cert(c, SLU_TO_ALL, view, kind);
    else if (kind == SLU_NOTARIZE)
        slot->to_relay = true;
    if (kind != SLU_NULLIFY && c->relay_due_ms == 0)
        c->relay_due_ms = c->now_ms + c->g->params.delta_ms / 4;
    if (kind == SLU_FINALIZE) {
        struct slu_cert cert;
        SLU_CHECK(slu_vote_cert(c, view, kind, &cert));
        slu_chain_final(c, &cert, from);
        return;
    }
    if (kind == SLU_NOTARIZE) {
        c->stats.views_notarized++;
        slu_vote_finalize(c, slot);
    } else {
        c->stats.views_nullified++;
    }
    if (view + 1 > c->view)
        slu_view_enter(c, view + 1);
    slu_view_progress(c);
}

void slu_vote_tally(struct slu_core *c, struct slu_view_slot *slot, enum slu_vote_kind kind,
                    uint16_t node, const uint8_t block32[32], const uint8_t signature64[64])
{
    struct slu_vote_slot *vote = &slot->votes[kind][node];
    slu_evidence_on_vote(c, slot, kind, node, block32, signature64);
    if (vote->present) {
        if (!slu_digest_is(vote->block, block32))
            c->stats.equivocations_seen++;
        return;
    }
    vote->present = true;
    memcpy(vote->block, block32, 32);
    memcpy(vote->signature, signature64, 64);
    uint32_t count = 0;
    for (uint16_t j = 0; j < c->n; j++)
        count += slot->votes[kind][j].present && slu_digest_is(slot->votes[kind][j].block, block32);
    if (count >= c->q)
        cert_known(c, slot, kind, block32, node);
}

/* A vote of a view that is final already counts for nothing, but two that contradict each other are
 * evidence however late they come, while the view's place is not used again. */
static void late_vote(struct slu_core *c, enum slu_vote_kind kind, const struct slu_vote *vote)
{
    struct slu_view_slot *slot = &c->views[vote->view % SLU_VIEW_WINDOW];
    if (slot->view != vote->view)
        return;
    slu_evidence_on_vote(c, slot, kind, vote->node, vote->block, vote->signature);
    struct slu_vote_slot *kept = &slot->votes[kind][vote->node];
    if (kept->present)
        return;
    kept->present = true;
    memcpy(kept->block, vote->block, 32);
    memcpy(kept->signature, vote->signature, 64);
}

void slu_vote_on_vote(struct slu_core *c, const struct slu_vote *vote, uint16_t from)
{
    (void)from;
    enum slu_vote_kind kind = (enum slu_vote_kind)vote->kind;
    struct slu_view_slot *slot = slu_view_slot(c, vote->view);
    if (slot)
        slu_vote_tally(c, slot, kind, vote->node, vote->block, vote->signature);
    else
        late_vote(c, kind, vote);
}

void slu_vote_on_cert(struct slu_core *c, const struct slu_cert *cert, uint16_t from)
{
    enum slu_vote_kind kind = (enum slu_vote_kind)cert->kind;
    if (cert->view <= c->final_view)
        return;
    struct slu_view_slot *slot = slu_view_slot(c, cert->view);
    if (!slot) {
        if (kind == SLU_FINALIZE) /* far ahead: I was away */
            slu_chain_final(c, cert, from);
        return;
    }
    if (slot->certified[kind])
        return;
    for (uint16_t i = 0; i < cert->count; i++) {
        /* The certificate wins over what an equivocating voter showed me. */
        struct slu_vote_slot *vote = &slot->votes[kind][cert->votes[i].node];
        slu_evidence_on_vote(c, slot, kind, cert->votes[i].node, cert->block,
                             cert->votes[i].signature);
        vote->present = true;
        memcpy(vote->block, cert->block, 32);
        memcpy(vote->signature, cert->votes[i].signature, 64);
    }
    cert_known(c, slot, kind, cert->block, from);
}

/* ---- signing: every vote is durable, with what justifies it, before it is sent (clause 3.6) ----
 */

static void sign_vote(struct slu_core *c, struct slu_vote *vote, enum slu_vote_kind kind,
                      uint64_t view, const uint8_t block32[32])
{
    if (view > c->voted_view)
        c->voted_view = view;
    vote->epoch = 0;
    vote->kind = (uint8_t)kind;
    vote->view = view;
    vote->node = c->self;
    memcpy(vote->block, block32, 32);
    slu_vote_digest(vote->digest, c->g, kind, view, block32);
    SLU_CHECK(!c->signer.sign(c->signer.context, vote->signature, slu_vote_role(kind), view,
                              vote->digest));
}

static void persist_vote(struct slu_core *c, const struct slu_vote *vote, struct slu_writer *w)
{
    SLU_CHECK(!w->failed);
    struct slu_record_key key = {.kind = SLU_REC_VOTE, .a = vote->view, .b = vote->kind};
    slu_fx_persist(c, &key, w->start, slu_writer_len(w), NULL, 0);
    c->stats.votes_sent[vote->kind]++;
}

static void send_vote(struct slu_core *c, uint16_t to, const struct slu_vote *vote)
{
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_VOTE;
    m->vote = *vote;
    slu_fx_send(c, to, m);
}

/* Record: vote | proposal | q reports | block. */
void slu_vote_notarize(struct slu_core *c, struct slu_view_slot *slot,
                       const struct slu_block *block, const struct slu_report *const *reports)
{
    struct slu_vote vote;
    slu_ack_send_new(c); /* before the vote, so that the next leader counts them first */
    sign_vote(c, &vote, SLU_NOTARIZE, slot->view, block->digest);
    slot->own[SLU_NOTARIZE] = true;
    size_t cap = SLU_VOTE_BYTES + SLU_PROPOSAL_BYTES_MAX + slu_block_bytes(block);
    for (uint16_t i = 0; i < c->q; i++)
        cap += slu_report_bytes(reports[i]);
    struct slu_writer w = slu_writer_of(slu_fx_take(c, cap), cap);
    slu_vote_write(&w, &vote);
    slu_proposal_write(&w, &slot->proposal);
    for (uint16_t i = 0; i < c->q; i++)
        slu_report_write(&w, reports[i]);
    slu_block_write(&w, block);
    persist_vote(c, &vote, &w);
    uint64_t view = slot->view;
    if (slu_view_leader(c, view) == c->self) {
        struct slu_message *m = c->scratch;
        m->kind = SLU_MSG_PROPOSAL;
        m->proposal = slot->proposal;
        slu_fx_send(c, SLU_TO_ALL, m);
    } else {
        send_vote(c, SLU_TO_ALL, &vote);
    }
    if (slu_view_leader(c, view + 1) != c->self && slu_report_has_new(c, block))
        slu_report_make(c, view + 1);
    slu_vote_tally(c, slot, SLU_NOTARIZE, c->self, vote.block, vote.signature);
}

/* Record: vote. */
void slu_vote_nullify(struct slu_core *c, uint64_t view)
{
    struct slu_view_slot *slot = slu_view_slot(c, view);
    if (!slot || !slu_vote_allowed(c, view) || slot->own[SLU_NULLIFY] || slot->own[SLU_FINALIZE])
        return;
    struct slu_vote vote;
    sign_vote(c, &vote, SLU_NULLIFY, view, no_block);
    slot->own[SLU_NULLIFY] = true;
    struct slu_writer w = slu_writer_of(slu_fx_take(c, SLU_VOTE_BYTES), SLU_VOTE_BYTES);
    slu_vote_write(&w, &vote);
    persist_vote(c, &vote, &w);
    send_vote(c, SLU_TO_ALL, &vote);
    if (slu_view_leader(c, view + 1) != c->self && slu_report_has_new(c, slu_chain_best(c)))
        slu_report_make(c, view + 1);
    slu_vote_tally(c, slot, SLU_NULLIFY, c->self, no_block, vote.signature);
}

/* Record: vote | N certificate | u8 has_block | block. */
void slu_vote_finalize(struct slu_core *c, struct slu_view_slot *slot)
{
    uint64_t view = slot->view;
    if (!slot->certified[SLU_NOTARIZE] || slot->own[SLU_FINALIZE] || slot->own[SLU_NULLIFY] ||
        !slu_vote_allowed(c, view))
        return;
    struct slu_vote vote;
    sign_vote(c, &vote, SLU_FINALIZE, view, slot->notarized);
    slot->own[SLU_FINALIZE] = true;
    struct slu_cert cert;
    SLU_CHECK(slu_vote_cert(c, view, SLU_NOTARIZE, &cert));
    const struct slu_block *block = slu_chain_find(c, slot->notarized);
    size_t cap = SLU_VOTE_BYTES + SLU_CERT_BYTES_MAX + 1 + (block ? slu_block_bytes(block) : 0);
    struct slu_writer w = slu_writer_of(slu_fx_take(c, cap), cap);
    slu_vote_write(&w, &vote);
    slu_cert_write(&w, &cert);
    slu_write_u8(&w, block != NULL);
    if (block)
        slu_block_write(&w, block);
    persist_vote(c, &vote, &w);
    send_vote(c, SLU_TO_ALL, &vote);
    slu_vote_tally(c, slot, SLU_FINALIZE, c->self, vote.block, vote.signature);
}

/* ---- sending again ---- */

static void resend_vote(struct slu_core *c, uint16_t to, const struct slu_view_slot *slot,
                        enum slu_vote_kind kind)
{
    const struct slu_vote_slot *mine = &slot->votes[kind][c->self];
    if (!slot->own[kind] || !mine->present)
        return;
    struct slu_vote vote = {.kind = (uint8_t)kind, .view = slot->view, .node = c->self};
    memcpy(vote.block, mine->block, 32);
    memcpy(vote.signature, mine->signature, 64);
    send_vote(c, to, &vote);
}

void slu_vote_send_own(struct slu_core *c, uint16_t to, uint64_t view)
{
    const struct slu_view_slot *slot = slu_view_peek(c, view);
    if (!slot)
        return;
    if (slu_view_leader(c, view) == c->self && slot->own[SLU_NOTARIZE] && slot->has_proposal) {
        struct slu_message *m = c->scratch;
        m->kind = SLU_MSG_PROPOSAL;
        m->proposal = slot->proposal;
        slu_fx_send(c, to, m);
    }
    for (int kind = 0; kind < SLU_VOTE_KINDS; kind++)
        resend_vote(c, to, slot, (enum slu_vote_kind)kind);
}

static void send_head_cert(struct slu_core *c, uint16_t to)
{
    if (!c->has_head_cert)
        return;
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_CERT;
    m->cert = c->head_cert;
    slu_fx_send(c, to, m);
}

/* N and F reach everyone as votes; they are relayed for those whom a vote did not reach, a quarter
 * of Δ later, when most N are covered by an F already (clause 3.9). */
void slu_vote_relay_tick(struct slu_core *c)
{
    if (c->relay_due_ms == 0 || c->now_ms < c->relay_due_ms)
        return;
    c->relay_due_ms = 0;
    if (c->final_view > c->relayed_final) {
        struct slu_message *m = c->scratch;
        m->kind = SLU_MSG_CERT;
        m->cert = c->wants_head ? c->want_head : c->head_cert;
        slu_fx_send(c, SLU_TO_ALL, m);
        c->relayed_final = c->final_view;
    }
    for (uint64_t view = c->final_view + 1; view <= c->view; view++) {
        struct slu_view_slot *slot = slu_view_peek(c, view);
        if (slot && slot->to_relay)
            send_cert(c, SLU_TO_ALL, view, SLU_NOTARIZE);
        if (slot)
            slot->to_relay = false;
    }
}

/* The best certificate that lets a peer enter my view. */
void slu_vote_send_entry(struct slu_core *c, uint16_t to)
{
    if (c->view <= c->final_view + 1) {
        send_head_cert(c, to);
        return;
    }
    uint64_t before = c->view - 1;
    send_cert(c, to, before, SLU_NOTARIZE);
    send_cert(c, to, before, SLU_NULLIFY);
}

/* Standstill: the highest F and every certificate and own vote above it (clause 3.10). */
void slu_vote_resend_above_final(struct slu_core *c, uint16_t to)
{
    send_head_cert(c, to);
    uint64_t last =
        c->view < c->final_view + SLU_VIEW_WINDOW ? c->view : c->final_view + SLU_VIEW_WINDOW - 1;
    uint64_t first = last > c->final_view + 64 ? last - 64 : c->final_view + 1;
    for (uint64_t view = first; view <= last; view++) {
        for (int kind = 0; kind < SLU_VOTE_KINDS; kind++)
            send_cert(c, to, view, (enum slu_vote_kind)kind);
        slu_vote_send_own(c, to, view);
    }
}

void slu_vote_serve_views(struct slu_core *c, uint16_t to, const struct slu_fetch *fetch)
{
    uint64_t from = fetch->from;
    if (from <= c->final_view) {
        send_head_cert(c, to);
        from = c->final_view + 1;
    }
    for (uint64_t view = from; view <= fetch->to && view < from + 64; view++) {
        if (!slu_view_peek(c, view))
            continue;
        for (int kind = 0; kind < SLU_VOTE_KINDS; kind++)
            send_cert(c, to, view, (enum slu_vote_kind)kind);
    }
}

/* ---- restart ---- */

void slu_vote_restore(struct slu_core *c, const struct slu_vote *vote)
{
    struct slu_view_slot *slot = slu_view_slot(c, vote->view);
    if (!slot)
        return;
    if (vote->view > c->voted_view)
        c->voted_view = vote->view;
    slot->own[vote->kind] = true;
    struct slu_vote_slot *mine = &slot->votes[vote->kind][c->self];
    mine->present = true;
    memcpy(mine->block, vote->block, 32);
    memcpy(mine->signature, vote->signature, 64);
}

/* Counts again after a restart: a quorum may have been durable before its certificate was sent. */
void slu_vote_recount(struct slu_core *c)
{
    for (uint64_t view = c->final_view + 1; view < c->final_view + SLU_VIEW_WINDOW; view++) {
        struct slu_view_slot *slot = slu_view_peek(c, view);
        for (int kind = 0; slot && kind < SLU_VOTE_KINDS; kind++) {
            const struct slu_vote_slot *mine = &slot->votes[kind][c->self];
            if (!mine->present || slot->certified[kind] || c->q > 1)
                continue;
            uint8_t block[32];
            memcpy(block, mine->block, 32);
            cert_known(c, slot, (enum slu_vote_kind)kind, block, c->self);
            slot = slu_view_peek(c, view);
        }
    }
}

void slu_vote_restore_cert(struct slu_core *c, const struct slu_cert *cert)
{
    struct slu_view_slot *slot = slu_view_slot(c, cert->view);
    if (!slot)
        return;
    for (uint16_t i = 0; i < cert->count; i++) {
        struct slu_vote_slot *vote = &slot->votes[cert->kind][cert->votes[i].node];
        vote->present = true;
        memcpy(vote->block, cert->block, 32);
        memcpy(vote->signature, cert->votes[i].signature, 64);
    }
    slot->certified[cert->kind] = true;
    memcpy(slot->notarized, cert->block, 32);
}
