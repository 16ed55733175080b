/* What a deviant does with releases: signs none, or others than what was released. */
#include "byzantine/state.h"

/* ---- withheld ---- */

bool slu_dv_withholds_release(struct slu_deviant *d, const struct slu_effect *e)
{
    bool speech = e->kind == SLU_EFFECT_SEND ? e->send.message_kind == SLU_MSG_RELEASE
                                             : e->serve.fetch.what == SLU_FETCH_RELEASES;
    if (!speech || !slu_dv_does(d, SLU_WITHHOLD_RELEASES))
        return false;
    slu_dv_act(d, SLU_WITHHOLD_RELEASES);
    return true;
}

/* ---- wrong ---- */

enum style { AT_EVERY_HEIGHT, AT_SOME, TO_SOME, STYLES };

/* One of its fields is another. */
static void spoil(struct slu_deviant *d, struct slu_release *r)
{
    uint64_t draw = slu_dv_random(d);
    uint8_t *const fields[] = {r->state, r->state, r->ordered, r->opened, r->block, r->previous};
    unsigned field = draw % 8;
    if (field < sizeof fields / sizeof *fields)
        fields[field][draw / 8 % 32] ^= (uint8_t)(1u << draw / 256 % 8);
    else
        r->time_ms += 1 + draw / 8 % 4;
}

/* For a while it lies about everything, for a while not always, for a while not to all. */
void slu_dv_missign(struct slu_deviant *d, const struct slu_signed_release *m, uint64_t targets)
{
    uint64_t deceived = targets;
    enum style style = (enum style)(m->release.height / 8 % STYLES);
    if (style == AT_SOME && slu_dv_random(d) % 2)
        deceived = 0;
    else if (style == TO_SOME)
        deceived &= slu_dv_some(d);
    d->said.kind = SLU_MSG_RELEASE;
    d->said.release = *m;
    if (targets & ~deceived)
        slu_dv_say(d, targets & ~deceived, &d->said);
    if (deceived == 0)
        return;
    spoil(d, &d->said.release.release);
    slu_release_digest(&d->said.release.release, d->g->chain_id);
    slu_dv_sign(d, d->said.release.signature, SLU_ROLE_RELEASE, 0, d->said.release.release.digest);
    slu_dv_say(d, deceived, &d->said);
    slu_dv_act(d, SLU_LIE_RELEASES);
}
