/* How a deviant speaks: signing, adding to the turn, and being late. */
#include <stdio.h>
#include <string.h>

#include "byzantine/state.h"

#define TELL_EVERY_MS 1000u

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t slu_dv_random(struct slu_deviant *d)
{
    uint64_t z = (d->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t slu_dv_others(const struct slu_deviant *d)
{
    uint64_t all = d->n == 64 ? UINT64_MAX : (UINT64_C(1) << d->n) - 1;
    return all & ~(UINT64_C(1) << d->self);
}

uint64_t slu_dv_some(struct slu_deviant *d)
{
    uint64_t others = slu_dv_others(d), some;
    if (d->n <= 2)
        return others;
    do
        some = others & slu_dv_random(d);
    while (some == 0 || some == others);
    return some;
}

struct slu_effect *slu_dv_add(struct slu_deviant *d, enum slu_effect_kind kind)
{
    if (d->fx->count == SLU_TURN_EFFECTS_MAX) {
        d->stats.lost++;
        return NULL;
    }
    d->own[d->fx->count] = true;
    struct slu_effect *e = &d->fx->items[d->fx->count++];
    *e = (struct slu_effect){.kind = kind};
    d->fx->nearly_full |= d->fx->count > SLU_TURN_EFFECTS_MAX / 2;
    return e;
}

void slu_dv_act(struct slu_deviant *d, enum slu_behaviour which)
{
    if (d->stats.acts[which]++ > 0 && d->now_ms < d->told_ms[which] + TELL_EVERY_MS)
        return;
    d->told_ms[which] = d->now_ms;
    char *text = slu_arena_take(&d->fx->bytes, 128);
    struct slu_effect *e = text ? slu_dv_add(d, SLU_EFFECT_TRACE) : NULL;
    if (!e)
        return;
    snprintf(text, 128, "event=deviates behaviour=%s acts=%llu", slu_behaviour_name(which),
             (unsigned long long)d->stats.acts[which]);
    e->trace.text = text;
}

void slu_dv_sign(struct slu_deviant *d, uint8_t signature64[64], enum slu_role role, uint64_t view,
                 const uint8_t digest32[32])
{
    SLU_CHECK(!d->signer.sign(d->signer.context, signature64, role, view, digest32));
}

/* ---- being late ---- */

/* Room for `len` bytes behind what is held; false when there is none. */
static bool held_room(struct slu_deviant *d, size_t len)
{
    if (d->held_count == SLU_HELD_SENDS)
        return false;
    if (d->held_count == 0)
        d->held_at = 0;
    size_t oldest = d->held_count ? d->held[d->held_first].at : 0;
    if (d->held_count && d->held_at < oldest)
        return d->held_at + len < oldest;
    if (d->held_at + len <= d->held_cap)
        return true;
    if (len >= oldest)
        return false;
    d->held_at = 0;
    return true;
}

static struct slu_held_send *hold(struct slu_deviant *d, size_t len)
{
    if (!held_room(d, len)) {
        d->stats.lost++;
        return NULL;
    }
    struct slu_held_send *h = &d->held[(d->held_first + d->held_count++) % SLU_HELD_SENDS];
    *h = (struct slu_held_send){.due_ms = d->now_ms + d->behaviours.delay_ms, .at = d->held_at};
    d->held_at += len;
    slu_dv_act(d, SLU_DELAY_MS);
    return h;
}

static void send_one(struct slu_deviant *d, uint16_t to, uint8_t kind, const uint8_t *body,
                     size_t body_len, const uint8_t *payload, size_t payload_len)
{
    struct slu_effect *e = slu_dv_add(d, SLU_EFFECT_SEND);
    if (!e)
        return;
    e->send.to = to;
    e->send.message_kind = kind;
    e->send.body = body;
    e->send.body_len = body_len;
    e->send.payload = payload;
    e->send.payload_len = payload_len;
}

static void send_now(struct slu_deviant *d, uint64_t targets, uint8_t kind, const uint8_t *body,
                     size_t body_len, const uint8_t *payload, size_t payload_len)
{
    if (targets == slu_dv_others(d)) {
        send_one(d, SLU_TO_ALL, kind, body, body_len, payload, payload_len);
        return;
    }
    for (uint16_t i = 0; i < d->n; i++)
        if (targets >> i & 1)
            send_one(d, i, kind, body, body_len, payload, payload_len);
}

void slu_dv_emit(struct slu_deviant *d, uint64_t targets, uint8_t kind, const uint8_t *body,
                 size_t body_len, const uint8_t *payload, size_t payload_len)
{
    targets &= slu_dv_others(d);
    if (targets == 0)
        return;
    if (!slu_dv_does(d, SLU_DELAY_MS)) {
        send_now(d, targets, kind, body, body_len, payload, payload_len);
        return;
    }
    struct slu_held_send *h = hold(d, body_len + payload_len);
    if (!h)
        return;
    h->targets = targets;
    h->kind = kind;
    h->body_len = (uint32_t)body_len;
    h->payload_len = (uint32_t)payload_len;
    if (body_len > 0)
        memcpy(d->held_bytes + h->at, body, body_len);
    if (payload_len > 0)
        memcpy(d->held_bytes + h->at + body_len, payload, payload_len);
}

void slu_dv_serve(struct slu_deviant *d, uint16_t to, const struct slu_fetch *fetch)
{
    if (slu_dv_does(d, SLU_DELAY_MS)) {
        struct slu_held_send *h = hold(d, 0);
        if (h) {
            h->serve = true;
            h->targets = to;
            h->fetch = *fetch;
        }
        return;
    }
    struct slu_effect *e = slu_dv_add(d, SLU_EFFECT_SERVE);
    if (e) {
        e->serve.to = to;
        e->serve.fetch = *fetch;
    }
}

void slu_dv_say(struct slu_deviant *d, uint64_t targets, const struct slu_message *m)
{
    uint8_t encoded[SLU_SPEECH_BYTES];
    struct slu_writer w = slu_writer_of(encoded, sizeof encoded);
    slu_message_write(&w, m);
    SLU_CHECK(!w.failed);
    size_t len = slu_writer_len(&w);
    uint8_t *body = slu_arena_take(&d->fx->bytes, len);
    if (!body) {
        d->stats.lost++;
        return;
    }
    memcpy(body, encoded, len);
    bool batch = m->kind == SLU_MSG_BATCH;
    slu_dv_emit(d, targets, (uint8_t)m->kind, body, len, batch ? m->batch.payload : NULL,
                batch ? m->batch.header.payload_bytes : 0);
}

/* Whatever is due leaves with this turn, as far as it fits. */
void slu_dv_release(struct slu_deviant *d)
{
    while (d->held_count > 0) {
        const struct slu_held_send *h = &d->held[d->held_first];
        if (h->due_ms > d->now_ms || d->fx->count + d->n >= SLU_TURN_EFFECTS_MAX)
            break;
        size_t len = h->body_len + h->payload_len;
        uint8_t *bytes = h->serve ? NULL : slu_arena_take(&d->fx->bytes, len);
        if (h->serve) {
            struct slu_effect *e = slu_dv_add(d, SLU_EFFECT_SERVE);
            e->serve.to = (uint16_t)h->targets;
            e->serve.fetch = h->fetch;
        } else if (bytes) {
            memcpy(bytes, d->held_bytes + h->at, len);
            send_now(d, h->targets, h->kind, bytes, h->body_len,
                     h->payload_len > 0 ? bytes + h->body_len : NULL, h->payload_len);
        } else {
            break;
        }
        d->held_first = (d->held_first + 1) % SLU_HELD_SENDS;
        d->held_count--;
    }
    if (d->held_count > 0 && d->held[d->held_first].due_ms < d->fx->deadline_ms)
        d->fx->deadline_ms = d->held[d->held_first].due_ms;
}
