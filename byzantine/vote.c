/* Votes that contradict each other: beside each own vote, one that the rules forbid with it, to
 * some, before or after it. */
#include <string.h>

#include "byzantine/state.h"

void slu_dv_note_candidate(struct slu_deviant *d, uint64_t view, const uint8_t block32[32])
{
    struct slu_candidates *c = &d->candidates[view % SLU_KEPT_VIEWS];
    if (view < c->view)
        return;
    if (view > c->view)
        *c = (struct slu_candidates){.view = view};
    for (uint32_t i = 0; i < c->count; i++)
        if (!memcmp(c->blocks[i], block32, 32))
            return;
    if (c->count < 2)
        memcpy(c->blocks[c->count++], block32, 32);
}

/* Another block of the view: one that somebody voted for, or none that exists. */
static void other_block(const struct slu_deviant *d, uint64_t view, const uint8_t block32[32],
                        uint8_t other32[32])
{
    const struct slu_candidates *c = &d->candidates[view % SLU_KEPT_VIEWS];
    for (uint32_t i = 0; c->view == view && i < c->count; i++)
        if (memcmp(c->blocks[i], block32, 32)) {
            memcpy(other32, c->blocks[i], 32);
            return;
        }
    memcpy(other32, block32, 32);
    other32[0] ^= 0x55;
}

static void vote(struct slu_deviant *d, enum slu_vote_kind kind, uint64_t view,
                 const uint8_t block32[32])
{
    struct slu_message *m = &d->said;
    m->kind = SLU_MSG_VOTE;
    m->vote = (struct slu_vote){.kind = (uint8_t)kind, .view = view, .node = d->self};
    if (kind != SLU_NULLIFY)
        memcpy(m->vote.block, block32, 32);
    slu_vote_digest(m->vote.digest, d->g, kind, view, m->vote.block);
    slu_dv_sign(d, m->vote.signature, slu_vote_role(kind), view, m->vote.digest);
    slu_dv_act(d, SLU_VOTE_TWICE);
    slu_dv_say(d, slu_dv_some(d), m);
}

void slu_dv_contradict(struct slu_deviant *d, enum slu_vote_kind kind, uint64_t view,
                       const uint8_t block32[32])
{
    const struct slu_candidates *c = &d->candidates[view % SLU_KEPT_VIEWS];
    uint8_t other[32];
    switch (kind) {
    case SLU_NOTARIZE:
        other_block(d, view, block32, other);
        vote(d, SLU_NOTARIZE, view, other);
        return;
    case SLU_NULLIFY:
        if (c->view != view || c->count == 0)
            return;
        memcpy(other, c->blocks[slu_dv_random(d) % c->count], 32);
        vote(d, SLU_NOTARIZE, view, other);
        vote(d, SLU_FINALIZE, view, other);
        return;
    case SLU_FINALIZE:
        vote(d, SLU_NULLIFY, view, block32);
        return;
    case SLU_VOTE_KINDS:
        return;
    }
}
