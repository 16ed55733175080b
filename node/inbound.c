#include "node/inbound.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "node/log.h"
#include "node/verified.h"
#include "proto/codec.h"
#include "sluice/error.h"

#define SHARE_TOTAL  (16u * 1024u * 1024u) /* over all peers */
#define SHARE_MIN    (256u * 1024u)
#define UNPACK_BYTES (SLU_FRAME_BYTES_MAX + 4096u)

/* A checked message with its batch's payload behind it. */
struct checked {
    struct slu_input input;
    struct slu_flow *flow;
    void (*released)(struct slu_flow *flow);
    _Alignas(16) uint8_t bytes[];
};

/* A peer's old link may still be in its handler while the new one is up. */
struct bench {
    pthread_mutex_t lock;
    uint8_t *unpacked; /* UNPACK_BYTES */
};

struct slu_inbound {
    const struct slu_genesis *genesis;
    struct slu_runtime *runtime;
    struct slu_metrics *metrics;
    struct slu_verified *verified;
    uint16_t count;
    struct bench benches[SLU_NODES_MAX];
};

static void checked_free(struct slu_input *input)
{
    struct checked *checked = (struct checked *)input;
    slu_flow_done(checked->flow, input->bytes);
    checked->released(checked->flow);
    free(checked);
}

/* Reads and verifies an unpacked message into `checked`, which has room for it. */
static int check(struct slu_inbound *in, const struct slu_peer_envelope *envelope, uint8_t *payload,
                 struct slu_message *message)
{
    if (envelope->payload_len > 0)
        memcpy(payload, envelope->payload, envelope->payload_len);
    int error = slu_message_read(message, in->genesis, envelope->kind, envelope->body,
                                 envelope->body_len, payload, envelope->payload_len);
    if (error != 0)
        return error;
    struct slu_verifier verifier = slu_verified_verifier(in->verified);
    return slu_message_verify(message, in->genesis, &verifier);
}

/* Decodes and verifies; `checked` stays NULL when memory is refused, as if the frame were lost. */
static int open_frame(struct slu_inbound *in, struct bench *bench, uint16_t from,
                      const uint8_t *data, size_t len, struct checked **checked)
{
    struct slu_peer_envelope envelope;
    int error = slu_peer_unpack(&envelope, bench->unpacked, UNPACK_BYTES, data, len);
    if (error == 0 && (envelope.kind == 0 || envelope.kind >= SLU_MSG_KINDS))
        error = SLU_ERR_MALFORMED;
    if (error != 0)
        return error;
    size_t message_bytes = slu_message_size((enum slu_message_kind)envelope.kind);
    message_bytes = (message_bytes + 15u) & ~(size_t)15u;
    struct checked *c = malloc(sizeof *c + message_bytes + envelope.payload_len);
    if (c == NULL)
        return 0;
    struct slu_message *message = (struct slu_message *)(void *)c->bytes;
    error = check(in, &envelope, c->bytes + message_bytes, message);
    if (error != 0) {
        free(c);
        return error;
    }
    c->input =
        (struct slu_input){.event = {.kind = SLU_EVENT_MESSAGE, .from = from, .message = message},
                           .bytes = sizeof *c + message_bytes + envelope.payload_len,
                           .free = checked_free};
    *checked = c;
    return 0;
}

static void refuse(struct slu_inbound *in, uint16_t from, int error)
{
    static struct slu_log_limit limit = SLU_LOG_LIMIT(10);
    slu_metrics_add(
        in->metrics,
        error == SLU_ERR_SIGNATURE ? SLU_METRIC_PEER_BAD_SIGNATURE : SLU_METRIC_PEER_BAD_FORM, 1);
    slu_log_limited(&limit, SLU_LOG_WARN, "event=peer_message_refused peer=%u error=\"%s\"",
                    (unsigned)from, slu_strerror(error));
}

void slu_inbound_frame(struct slu_inbound *inbound, uint16_t from, struct slu_flow *flow,
                       void (*released)(struct slu_flow *flow), const uint8_t *data, size_t len)
{
    struct bench *bench = &inbound->benches[from];
    struct checked *checked = NULL;
    slu_metrics_add(inbound->metrics, SLU_METRIC_PEER_FRAMES, 1);
    pthread_mutex_lock(&bench->lock);
    int error = open_frame(inbound, bench, from, data, len, &checked);
    pthread_mutex_unlock(&bench->lock);
    if (error != 0)
        refuse(inbound, from, error);
    if (checked == NULL) {
        released(flow);
        return;
    }
    checked->flow = flow;
    checked->released = released;
    slu_flow_add(flow, checked->input.bytes);
    if (slu_runtime_push(inbound->runtime, &checked->input, 100) != 0)
        checked_free(&checked->input); /* counted by the ring; the protocol sends again */
}

int slu_inbound_new(struct slu_inbound **inbound, const struct slu_genesis *genesis,
                    struct slu_runtime *runtime, struct slu_metrics *metrics)
{
    struct slu_inbound *in = calloc(1, sizeof *in);
    if (in == NULL)
        return SLU_ERR_MEMORY;
    in->genesis = genesis;
    in->runtime = runtime;
    in->metrics = metrics;
    in->verified = slu_verified_new(genesis, metrics);
    bool ok = in->verified != NULL;
    for (; in->count < genesis->n && ok; in->count++) {
        struct bench *bench = &in->benches[in->count];
        pthread_mutex_init(&bench->lock, NULL);
        bench->unpacked = malloc(UNPACK_BYTES);
        ok = bench->unpacked != NULL;
    }
    if (!ok) {
        slu_inbound_free(in);
        return SLU_ERR_MEMORY;
    }
    *inbound = in;
    return 0;
}

size_t slu_inbound_share(const struct slu_inbound *inbound)
{
    size_t share = SHARE_TOTAL / inbound->genesis->n;
    return share > SHARE_MIN ? share : SHARE_MIN;
}

void slu_inbound_free(struct slu_inbound *inbound)
{
    if (inbound == NULL)
        return;
    for (uint16_t i = 0; i < inbound->count; i++) {
        pthread_mutex_destroy(&inbound->benches[i].lock);
        free(inbound->benches[i].unpacked);
    }
    slu_verified_free(inbound->verified);
    free(inbound);
}
