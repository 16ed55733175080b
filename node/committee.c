#include "node/committee.h"

#include <stdlib.h>
#include <string.h>

#include "wire/key_cert.h"

struct slu_committee {
    const struct slu_genesis *genesis;
    struct slu_runtime *runtime;
    const struct slu_place *place;
    uint16_t count;
    uint8_t key_ids[SLU_NODES_MAX][32];
    struct slu_key_cert cert; /* scratch, and the next one */
    uint8_t bytes[SLU_KEY_CERT_BYTES_MAX];
};

struct slu_committee *slu_committee_new(const struct slu_genesis *genesis,
                                        struct slu_runtime *runtime, const struct slu_place *place)
{
    struct slu_committee *committee = calloc(1, sizeof *committee);
    if (committee == NULL)
        return NULL;
    committee->genesis = genesis;
    committee->runtime = runtime;
    committee->place = place;
    return committee;
}

void slu_committee_free(struct slu_committee *committee)
{
    free(committee);
}

/* Learns the ids of keys that came since. */
static void learn(struct slu_committee *c)
{
    size_t len;
    while (c->count < SLU_NODES_MAX &&
           (len = slu_runtime_key_cert(c->runtime, c->count, c->bytes)) > 0) {
        struct slu_reader r = slu_reader_of(c->bytes, len);
        SLU_CHECK(slu_key_cert_read(&r, c->genesis, &c->cert) == 0); /* of our own core */
        memcpy(c->key_ids[c->count++], c->cert.key.key_id, 32);
    }
}

/* Its certificate into `bytes`; 0: there is none. */
static size_t find(struct slu_committee *c, const ProtobufCBinaryData *key_id)
{
    for (uint16_t number = c->count; number-- > 0;)
        if (key_id->len == 0 || memcmp(c->key_ids[number], key_id->data, 32) == 0)
            return slu_runtime_key_cert(c->runtime, number, c->bytes);
    return 0;
}

void slu_committee_answer(struct slu_committee *committee, struct slu_client *client,
                          uint64_t request_id, const Slu__Client__KeyQuery *query)
{
    Slu__Client__KeyReply key = SLU__CLIENT__KEY_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    if (query->key_id.len != 0 && query->key_id.len != 32) {
        slu_client_error(client, request_id, "malformed", "a key's id has 32 bytes", 0);
        return;
    }
    learn(committee);
    key.certificate = (ProtobufCBinaryData){find(committee, &query->key_id), committee->bytes};
    key.stream_ms = committee->place->stream_ms;
    key.height = committee->place->height;
    reply.id = request_id;
    reply.body_case = SLU__CLIENT__REPLY__BODY_KEY;
    reply.key = &key;
    slu_client_reply(client, &reply);
}
