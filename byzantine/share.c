/* What a deviant does with its shares: keeps them, or makes them wrong. */
#include <string.h>

#include "byzantine/state.h"

/* ---- withheld ---- */

bool slu_dv_withholds(const struct slu_deviant *d, const struct slu_effect *e)
{
    if (!slu_dv_does(d, SLU_WITHHOLD_SHARES))
        return false;
    return e->kind == SLU_EFFECT_SEND ? e->send.message_kind == SLU_MSG_SHARES
                                      : e->serve.fetch.what == SLU_FETCH_SHARES;
}

/* ---- wrong ---- */

/* A D that is another element, or none, or the list, block or key of something else: mostly what
 * only the proof shows. */
static void spoil(struct slu_deviant *d, struct slu_signed_shares *s)
{
    uint64_t draw = slu_dv_random(d);
    uint8_t *share = s->d[draw / 16 % s->count];
    switch (draw % 16) {
    case 0:
        memset(share, 0xff, 32); /* no element */
        return;
    case 1:
        s->list[7] ^= 1;
        return;
    case 2:
        s->block[7] ^= 1;
        return;
    case 3:
        s->key_id[7] ^= 1;
        return;
    case 4:
        memcpy(s->y_i, share, 32);
        return;
    case 5:
        s->height += 1 + draw / 1024 % 32;
        return;
    default:
        memcpy(share, s->y_i, 32);
    }
}

void slu_dv_lie(struct slu_deviant *d, struct slu_signed_shares *s)
{
    spoil(d, s);
    slu_signed_shares_digest(s, d->g);
    slu_dv_sign(d, s->signature, SLU_ROLE_SHARES, 0, s->digest);
    slu_dv_act(d, SLU_LIE_SHARES);
}

/* What is kept is what is served. */
void slu_dv_lie_on_disk(struct slu_deviant *d, struct slu_effect *persist)
{
    struct slu_signed_shares *s = &d->said.shares;
    struct slu_reader r = slu_reader_of(persist->persist.value, persist->persist.value_len);
    uint8_t *value = slu_arena_take(&d->fx->bytes, persist->persist.value_len);
    if (!value || slu_signed_shares_read(&r, d->g, s))
        return;
    slu_dv_lie(d, s);
    struct slu_writer w = slu_writer_of(value, persist->persist.value_len);
    slu_signed_shares_write(&w, s);
    SLU_CHECK(!w.failed);
    persist->persist.value = value;
}
