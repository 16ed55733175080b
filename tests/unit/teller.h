/* A node over a real link that plays a story (story.h) to whoever subscribes, with releases when
 * they are asked for, and hands out the committee's keys. The test spoils the story, or how it is
 * played. */
#ifndef SLU_TESTS_UNIT_TELLER_H
#define SLU_TESTS_UNIT_TELLER_H

#include "tests/unit/liar.h"
#include "tests/unit/story.h"

struct teller {
    struct story story;
    const struct certified_key *keys[2]; /* that it knows */
    const struct certified_key *instead; /* given for any key that is asked for */
    bool no_key;
    enum frame_kind key_as, stream_as; /* instead of an answer */
    uint64_t hang_up_at;               /* the connection ends before this height; 0: never */
    uint64_t lowest;                   /* what is below is not retained */
    struct stub_door door;
    _Atomic uint32_t keys_asked, streams;
};

static inline void tell_reply(struct slu_link *link, uint64_t id, const Slu__Client__Height *height,
                              const Slu__Client__Releases *releases)
{
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    if (height) {
        reply.body_case = SLU__CLIENT__REPLY__BODY_HEIGHT;
        reply.height = (Slu__Client__Height *)(uintptr_t)height;
    } else {
        reply.body_case = SLU__CLIENT__REPLY__BODY_RELEASES;
        reply.releases = (Slu__Client__Releases *)(uintptr_t)releases;
    }
    send_reply(link, &reply, id);
}

/* The releases of what is left of the story: as they were spoilt when that is all of it. */
static inline void tell_releases(const struct story *s, struct slu_link *link, uint64_t id,
                                 size_t first)
{
    static _Thread_local struct story rest;
    Slu__Client__Releases body;
    if (first > 0) {
        rest = *s;
        certify_run(&rest, first, s->count - 1);
        s = &rest;
    }
    body = releases_message(s);
    tell_reply(link, id, NULL, &body);
}

static inline void on_stream(struct teller *t, struct slu_link *link, uint64_t id,
                             const Slu__Client__Subscribe *subscribe)
{
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    Slu__Client__End end = SLU__CLIENT__END__INIT;
    const struct story *s = &t->story;
    size_t at = 0;
    t->streams++;
    if (instead(link, id, t->stream_as))
        return;
    if (subscribe->from_height < t->lowest) {
        send_error(link, id, "below_retention", "the height is no longer retained", t->lowest);
        return;
    }
    while (at < s->count && s->heights[at].height < subscribe->from_height)
        at++;
    if (at < s->count && subscribe->releases)
        tell_releases(s, link, id, at);
    for (; at < s->count; at++) {
        Slu__Client__Height body = height_message(s, &s->heights[at]);
        if (t->hang_up_at && body.height >= t->hang_up_at) {
            slu_link_close(link);
            return;
        }
        tell_reply(link, id, &body, NULL);
    }
    if (subscribe->to_height == 0 || s->heights[s->count - 1].height < subscribe->to_height)
        return; /* there may be more some day */
    reply.body_case = SLU__CLIENT__REPLY__BODY_END;
    reply.end = &end;
    send_reply(link, &reply, id);
}

static inline void on_key_query(struct teller *t, struct slu_link *link, uint64_t id,
                                const Slu__Client__KeyQuery *query)
{
    Slu__Client__KeyReply body = SLU__CLIENT__KEY_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    const struct certified_key *key = t->instead;
    t->keys_asked++;
    assert_int_equal(query->key_id.len, 32);
    for (int i = 0; i < 2; i++)
        if (!key && t->keys[i] && !memcmp(query->key_id.data, t->keys[i]->key.key_id, 32))
            key = t->keys[i];
    if (key && !t->no_key)
        body.certificate = (ProtobufCBinaryData){key->len, (uint8_t *)(uintptr_t)key->bytes};
    reply.body_case = SLU__CLIENT__REPLY__BODY_KEY;
    reply.key = &body;
    if (!instead(link, id, t->key_as))
        send_reply(link, &reply, id);
}

static inline void on_told_request(void *context, struct slu_link *link, const uint8_t *data,
                                   size_t len)
{
    struct teller *t = context;
    Slu__Client__Request *request = slu_request_unpack(data, len, SLU_REQUEST_MEMORY_MAX);
    assert_non_null(request);
    if (request->body_case == SLU__CLIENT__REQUEST__BODY_SUBSCRIBE)
        on_stream(t, link, request->id, request->subscribe);
    else if (request->body_case == SLU__CLIENT__REQUEST__BODY_KEY)
        on_key_query(t, link, request->id, request->key);
    else
        fail_msg("request %d", (int)request->body_case);
    slu_request_free(request);
}

static inline const char *open_door_of(struct teller *t, const uint8_t chain_id32[32])
{
    struct slu_link_handler handler = {.context = t, .frame = on_told_request};
    stub_open(&t->door, chain_id32, &handler);
    return slu_listener_url(t->door.listener);
}

static inline const char *open_door(struct teller *t)
{
    return open_door_of(t, genesis.chain_id);
}

#endif
