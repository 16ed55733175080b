/* Evidence: signatures that no honest node makes, made into an inbox item (clause 8.1).
 */
#include <string.h>

#include "consensus/state.h"
#include "sluice/error.h"

/* Whether this node should still make evidence of it: nothing is queued, nothing is held. */
static bool is_wanted(const struct slu_core *c, enum slu_offence offence, uint16_t offender)
{
    return c->started && offender != c->self && !(c->head.evident[offence] >> offender & 1) &&
           slu_queue_offence(c, (uint8_t)offence, offender)->taken == 0;
}

static struct slu_writer new_content(struct slu_core *c)
{
    return slu_writer_of(slu_fx_take(c, SLU_EVIDENCE_BYTES_MAX), SLU_EVIDENCE_BYTES_MAX);
}

static void make(struct slu_core *c, const struct slu_writer *content)
{
    struct slu_relay relay = {.kind = SLU_INBOX_EVIDENCE};
    SLU_CHECK(!content->failed);
    if (slu_relay_derive(&relay, c->g, content->start, slu_writer_len(content)))
        return; /* a vote for no block: signed, but of no form that counts */
    slu_inbox_take(c, &relay);
    c->stats.evidence_made++;
    slu_fx_trace(c, "event=evidence offence=%s node=%u",
                 slu_offence_name((enum slu_offence)relay.tuple.offence), relay.tuple.offender);
}

/* Two headers of one incarnation at one position, noted when the second came (also at boot). */
void slu_evidence_turn(struct slu_core *c)
{
    if (!c->started)
        return;
    for (uint16_t l = 0; l < c->n; l++) {
        struct slu_lane *lane = &c->lanes[l];
        if (!lane->has_two)
            continue;
        if (is_wanted(c, SLU_TWO_BATCHES, l)) {
            struct slu_writer w = new_content(c);
            slu_evidence_two_batches(&w, &lane->two[0], &lane->two[1]);
            make(c, &w);
        }
        lane->has_two = false;
    }
}

void slu_evidence_on_vote(struct slu_core *c, const struct slu_view_slot *slot,
                          enum slu_vote_kind kind, uint16_t node, const uint8_t block32[32],
                          const uint8_t signature64[64])
{
    const struct slu_vote_slot *same = &slot->votes[kind][node];
    if (kind == SLU_NOTARIZE && same->present && !slu_digest_is(same->block, block32) &&
        is_wanted(c, SLU_TWO_NOTARIZE, node)) {
        struct slu_writer w = new_content(c);
        slu_evidence_two_notarize(&w, node, slot->view, same->block, same->signature, block32,
                                  signature64);
        make(c, &w);
        return;
    }
    if (kind == SLU_NOTARIZE || !is_wanted(c, SLU_NULLIFY_FINALIZE, node))
        return;
    bool nullify = kind == SLU_NULLIFY;
    const struct slu_vote_slot *other = &slot->votes[nullify ? SLU_FINALIZE : SLU_NULLIFY][node];
    if (!other->present)
        return;
    struct slu_writer w = new_content(c);
    slu_evidence_nullify_finalize(&w, node, slot->view, nullify ? signature64 : other->signature,
                                  nullify ? other->block : block32,
                                  nullify ? other->signature : signature64);
    make(c, &w);
}

void slu_evidence_wrong_share_of(struct slu_core *c, const struct slu_key_cert *cert,
                                 const struct slu_signed_shares *shares,
                                 const uint8_t ids_hash32[32], const uint8_t (*r32)[32])
{
    if (!is_wanted(c, SLU_WRONG_SHARE, shares->node))
        return;
    struct slu_writer w = new_content(c);
    slu_evidence_wrong_share(&w, c->g, cert, shares, ids_hash32, r32);
    make(c, &w);
}

void slu_evidence_wrong_release_of(struct slu_core *c, const struct slu_release_cert *cert,
                                   const struct slu_release *const *below, uint8_t count,
                                   const struct slu_signed_release *message)
{
    if (!is_wanted(c, SLU_WRONG_RELEASE, message->node))
        return;
    struct slu_writer w = new_content(c);
    slu_evidence_wrong_release(&w, cert, below, count, message);
    make(c, &w);
}
