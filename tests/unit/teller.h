/* A node that tells a story about sealed transactions: a made-up committee's, heights with whatever
 * entries a test likes, and the committee's keys for who asks. */
#ifndef SLU_TESTS_UNIT_TELLER_H
#define SLU_TESTS_UNIT_TELLER_H

#include "client/heights.h"
#include "tests/unit/liar.h"
#include "wire/opening.h"

#define UNTIL UINT64_C(90000)

static struct certified_key first, newest;

/* ---- sealed transactions ---- */

struct sealed_tx {
    uint8_t envelope[4096], id[32], seed[64];
    size_t len;
    uint64_t rollup;
    struct slu_opening opening; /* of it, honest; points into `envelope` and `seed` */
};

static inline void name(struct sealed_tx *tx)
{
    slu_tx_id_of(tx->id, genesis.chain_id, tx->envelope, tx->len);
}

static inline void seal_bytes(struct sealed_tx *tx, const struct slu_seal_key *key, uint8_t tag,
                              enum slu_unlock kind, uint64_t unlock, uint64_t rollup,
                              const uint8_t *payload, size_t payload_len)
{
    uint8_t *body = tx->envelope + SLU_TX_HEAD_BYTES;
    size_t len;
    *tx = (struct sealed_tx){.seed = {tag}, .rollup = rollup};
    assert_int_equal(slu_seal(body, sizeof tx->envelope - SLU_TX_HEAD_BYTES, &len, key, kind,
                              unlock, UNTIL, rollup, payload, payload_len, tx->seed),
                     0);
    struct slu_writer w = slu_writer_of(tx->envelope, SLU_TX_HEAD_BYTES);
    slu_write_u64(&w, 0);
    slu_write_u64(&w, UNTIL);
    slu_write_u8(&w, SLU_TX_SEALED);
    slu_write_u32(&w, (uint32_t)len);
    tx->len = SLU_TX_HEAD_BYTES + len;
    name(tx);
    tx->opening = (struct slu_opening){.height = 5,
                                       .index = 1,
                                       .key_id32 = body + 2,
                                       .e16 = body + SLU_SEAL_HEAD_BYTES + 64,
                                       .z32 = body + SLU_SEAL_HEAD_BYTES + 80,
                                       .rho32 = tx->seed,
                                       .unlock_kind = (uint8_t)kind,
                                       .unlock = unlock,
                                       .valid_until_ms = UNTIL,
                                       .payload = payload,
                                       .payload_len = (uint32_t)payload_len};
}

static inline void seal(struct sealed_tx *tx, const struct slu_seal_key *key, uint8_t tag,
                        enum slu_unlock kind, uint64_t unlock, uint64_t rollup, const char *text)
{
    seal_bytes(tx, key, tag, kind, unlock, rollup, (const uint8_t *)text, strlen(text));
}

/* ---- a node that tells a story ---- */

struct told {
    uint64_t height;
    uint32_t count;
    size_t len;
    uint8_t bytes[16384];
};

struct teller {
    struct told heights[4];
    size_t count;
    const struct certified_key *instead; /* given for any key that is asked for */
    bool no_key;
    enum frame_kind key_as;
    struct stub_door door;
    _Atomic uint32_t keys_asked;
};

static inline struct told *tell_height(struct teller *t, uint64_t height)
{
    struct told *told = &t->heights[t->count++];
    *told = (struct told){.height = height};
    return told;
}

static inline void tell(struct told *told, uint32_t index, uint64_t rollup, const uint8_t id32[32],
                        uint8_t kind, const uint8_t *payload, size_t len)
{
    struct slu_writer w = slu_writer_of(told->bytes + told->len, sizeof told->bytes - told->len);
    slu_write_u32(&w, index);
    slu_write_u64(&w, rollup);
    slu_write_bytes(&w, id32, 32);
    slu_write_u8(&w, kind);
    slu_write_u32(&w, (uint32_t)len);
    slu_write_bytes(&w, payload, len);
    assert_false(w.failed);
    told->len += slu_writer_len(&w);
    told->count++;
}

static inline void tell_sealed(struct told *told, uint32_t index, const struct sealed_tx *tx,
                               uint8_t flags)
{
    tell(told, index, 0, tx->id, SLU_TX_SEALED | flags, tx->envelope + SLU_TX_HEAD_BYTES,
         tx->len - SLU_TX_HEAD_BYTES);
}

static inline void tell_opening(struct told *told, uint32_t index, uint64_t rollup,
                                const uint8_t id32[32], const struct slu_opening *opening)
{
    uint8_t bytes[4096];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_opening_write(&w, opening, true);
    tell(told, index, rollup, id32, 66, bytes, slu_writer_len(&w));
}

static inline void tell_void(struct told *told, uint32_t index, const struct sealed_tx *tx,
                             uint8_t reason, uint64_t height, uint32_t at)
{
    uint8_t bytes[13] = {reason};
    struct slu_writer w = slu_writer_of(bytes + 1, sizeof bytes - 1);
    slu_write_u64(&w, height);
    slu_write_u32(&w, at);
    tell(told, index, 0, tx->id, 67, bytes, sizeof bytes);
}

static inline void on_stream(const struct teller *t, struct slu_link *link, uint64_t id,
                             const Slu__Client__Subscribe *subscribe)
{
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    Slu__Client__End end = SLU__CLIENT__END__INIT;
    for (size_t i = 0; i < t->count; i++) {
        Slu__Client__Height body = SLU__CLIENT__HEIGHT__INIT;
        uint8_t block[32] = {(uint8_t)t->heights[i].height};
        if (t->heights[i].height < subscribe->from_height)
            continue;
        body.height = t->heights[i].height;
        body.time_ms = body.height * 10000;
        body.block = (ProtobufCBinaryData){32, block};
        body.count = t->heights[i].count;
        body.entries =
            (ProtobufCBinaryData){t->heights[i].len, (uint8_t *)(uintptr_t)t->heights[i].bytes};
        reply.body_case = SLU__CLIENT__REPLY__BODY_HEIGHT;
        reply.height = &body;
        send_reply(link, &reply, id);
    }
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
    if (!key && !memcmp(query->key_id.data, first.key.key_id, 32))
        key = &first;
    if (!key && !memcmp(query->key_id.data, newest.key.key_id, 32))
        key = &newest;
    if (key && !t->no_key)
        body.certificate = (ProtobufCBinaryData){key->len, (uint8_t *)(uintptr_t)key->bytes};
    reply.body_case = SLU__CLIENT__REPLY__BODY_KEY;
    reply.key = &body;
    if (!instead(link, id, t->key_as))
        send_reply(link, &reply, id);
}

static inline void on_request(void *context, struct slu_link *link, const uint8_t *data, size_t len)
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

static inline const char *open_door(struct teller *t)
{
    struct slu_link_handler handler = {.context = t, .frame = on_request};
    stub_open(&t->door, genesis.chain_id, &handler);
    return slu_listener_url(t->door.listener);
}

static inline int subscribe(const char *urls, const char *rollup, const char *verify)
{
    int code = run(slu_command_subscribe, "subscribe", "--node", urls, "--rollup", rollup, "--from",
                   "5", "--to", "7", "--give-up", "3", "--genesis", genesis_path, verify, NULL);
    check_text();
    return code;
}

#endif
