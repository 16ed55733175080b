/* Appending to a turn's effects. All bytes go to the turn's arena. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "consensus/state.h"

/* What is left has room for any one step. */
#define TURN_EFFECTS_FULL 4096u
#define TURN_BYTES_FULL   (8u * 1024u * 1024u)

void slu_effects_init(struct slu_effects *effects, void *arena_memory)
{
    effects->bytes = slu_arena_of(arena_memory, SLU_TURN_BYTES_MAX);
    effects->turn = 0;
    slu_effects_reset(effects);
}

void slu_effects_reset(struct slu_effects *effects)
{
    effects->count = 0;
    effects->nearly_full = false;
    effects->work = 0;
    effects->promises = false;
    effects->deadline_ms = UINT64_MAX;
    slu_arena_reset(&effects->bytes);
}

static void note_fill(struct slu_effects *fx)
{
    fx->nearly_full = fx->count > TURN_EFFECTS_FULL ||
                      fx->bytes.used_bytes > TURN_BYTES_FULL || fx->work > SLU_REVEAL_OPS;
}

void slu_fx_work(struct slu_core *c, uint32_t ops)
{
    c->fx->work += ops;
    note_fill(c->fx);
}

uint8_t *slu_fx_take(struct slu_core *c, size_t bytes)
{
    uint8_t *at = slu_arena_take(&c->fx->bytes, bytes);
    SLU_CHECK(at);
    note_fill(c->fx);
    return at;
}

struct slu_effect *slu_fx_add(struct slu_core *c, enum slu_effect_kind kind)
{
    SLU_CHECK(c->fx->count < SLU_TURN_EFFECTS_MAX);
    struct slu_effect *effect = &c->fx->items[c->fx->count++];
    effect->kind = kind;
    note_fill(c->fx);
    return effect;
}

static size_t body_cap(const struct slu_message *m)
{
    if (m->kind == SLU_MSG_HEADERS)
        return 2 + (size_t)m->headers.count * SLU_SIGNED_HEADER_BYTES;
    if (m->kind == SLU_MSG_REPORT)
        return SLU_REPORT_BYTES_MAX;
    if (m->kind == SLU_MSG_BLOCKS) /* one, without a certificate */
        return 3 + slu_block_bytes(&m->blocks.items[0]);
    return SLU_SMALL_MESSAGE_BYTES;
}

void slu_fx_send(struct slu_core *c, uint16_t to, const struct slu_message *message)
{
    if (c->n == 1)
        return;
    size_t cap = body_cap(message);
    struct slu_arena before = c->fx->bytes;
    struct slu_writer w = slu_writer_of(slu_fx_take(c, cap), cap);
    slu_message_write(&w, message);
    SLU_CHECK(!w.failed);
    /* Give back what was not needed. */
    c->fx->bytes = before;
    uint8_t *body = slu_fx_take(c, slu_writer_len(&w));
    struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_SEND);
    fx->send.to = to;
    fx->send.message_kind = (uint8_t)message->kind;
    fx->send.body = body;
    fx->send.body_len = slu_writer_len(&w);
    fx->send.payload = NULL;
    fx->send.payload_len = 0;
}

void slu_fx_send_batch(struct slu_core *c, uint16_t to, const struct slu_batch_header *header,
                       const uint8_t *payload)
{
    struct slu_writer w =
        slu_writer_of(slu_fx_take(c, SLU_SIGNED_HEADER_BYTES), SLU_SIGNED_HEADER_BYTES);
    slu_batch_header_write(&w, header);
    struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_SEND);
    fx->send.to = to;
    fx->send.message_kind = SLU_MSG_BATCH;
    fx->send.body = w.start;
    fx->send.body_len = SLU_SIGNED_HEADER_BYTES;
    fx->send.payload = payload;
    fx->send.payload_len = header->payload_bytes;
}

void slu_fx_send_relay(struct slu_core *c, uint16_t to, const struct slu_relay *relay)
{
    if (c->n == 1)
        return;
    struct slu_writer w = slu_writer_of(slu_fx_take(c, SLU_RELAY_BYTES), SLU_RELAY_BYTES);
    slu_relay_write(&w, relay);
    SLU_CHECK(!w.failed);
    struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_SEND);
    fx->send.to = to;
    fx->send.message_kind = SLU_MSG_RELAY;
    fx->send.body = w.start;
    fx->send.body_len = slu_writer_len(&w);
    fx->send.payload = relay->content;
    fx->send.payload_len = relay->tuple.bytes;
}

void slu_fx_persist(struct slu_core *c, const struct slu_record_key *key, const uint8_t *value,
                    size_t len, const uint8_t *payload, size_t payload_len)
{
    struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_PERSIST);
    bool follows = key->a == SLU_STATE_HEAD || key->a == SLU_STATE_KEYGEN || key->a == SLU_STATE_KEY;
    if (key->kind == SLU_REC_VOTE || key->kind == SLU_REC_ACK || key->kind == SLU_REC_INBOX ||
        (key->kind == SLU_REC_STATE && !follows))
        c->fx->promises = true;
    fx->persist.key = *key;
    fx->persist.value = value;
    fx->persist.value_len = len;
    fx->persist.payload = payload;
    fx->persist.payload_len = payload_len;
}

void slu_fx_forget(struct slu_core *c, const struct slu_record_key *from,
                   const struct slu_record_key *to)
{
    struct slu_effect *fx = slu_fx_add(c, SLU_EFFECT_FORGET);
    fx->forget.from = *from;
    fx->forget.to = *to;
}

void slu_fx_trace(struct slu_core *c, const char *format, ...)
{
    char *text = (char *)slu_fx_take(c, 256);
    va_list args;
    va_start(args, format);
    vsnprintf(text, 256, format, args);
    va_end(args);
    slu_fx_add(c, SLU_EFFECT_TRACE)->trace.text = text;
}
