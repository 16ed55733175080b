#include "node/inbound.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "node/log.h"
#include "node/verified.h"
#include "proto/codec.h"
#include "sluice/error.h"

#define RING_FRAMES  8192u
#define SHARE_TOTAL  (16u * 1024u * 1024u) /* over all peers */
#define SHARE_MIN    (512u * 1024u)
#define BURST        64u
#define BURST_BYTES  (1024u * 1024u)
#define UNPACK_BYTES (SLU_FRAME_BYTES_MAX + 4096u)

/* A frame as it came. */
struct frame {
    struct slu_flow *flow;
    void (*released)(struct slu_flow *flow);
    uint16_t from;
    size_t len;
    uint8_t data[];
};

/* A checked message with its batch's payload behind it. */
struct checked {
    struct slu_input input;
    _Alignas(16) uint8_t bytes[];
};

struct worker {
    struct slu_inbound *inbound;
    struct slu_ring ring;
    struct slu_verified *verified;
    uint8_t *unpacked; /* UNPACK_BYTES */
    pthread_t thread;
    bool started;
};

struct slu_inbound {
    const struct slu_genesis *genesis;
    struct slu_runtime *runtime;
    struct slu_metrics *metrics;
    unsigned count;
    struct worker workers[SLU_INBOUND_WORKERS_MAX];
};

static void checked_free(struct slu_input *input)
{
    free(input);
}

/* Decodes and verifies; NULL with the reason counted. */
static struct checked *check(struct worker *w, const struct frame *frame)
{
    struct slu_inbound *in = w->inbound;
    static struct slu_log_limit limit = SLU_LOG_LIMIT(10);
    struct slu_peer_envelope envelope;
    struct checked *checked = NULL;
    int error = slu_peer_unpack(&envelope, w->unpacked, UNPACK_BYTES, frame->data, frame->len);
    if (error == 0 && (envelope.kind == 0 || envelope.kind >= SLU_MSG_KINDS))
        error = SLU_ERR_MALFORMED;
    if (error == 0) {
        size_t message = slu_message_size((enum slu_message_kind)envelope.kind);
        message = (message + 15u) & ~(size_t)15u;
        checked = malloc(sizeof *checked + message + envelope.payload_len);
        if (checked == NULL)
            return NULL; /* as if the frame were lost */
        uint8_t *payload = checked->bytes + message;
        if (envelope.payload_len > 0)
            memcpy(payload, envelope.payload, envelope.payload_len);
        struct slu_message *decoded = (struct slu_message *)(void *)checked->bytes;
        error = slu_message_read(decoded, in->genesis, envelope.kind, envelope.body,
                                 envelope.body_len, payload, envelope.payload_len);
        if (error == 0) {
            struct slu_verifier verifier = slu_verified_verifier(w->verified);
            error = slu_message_verify(decoded, in->genesis, &verifier);
        }
        checked->input = (struct slu_input){
            .event = {.kind = SLU_EVENT_MESSAGE, .from = frame->from, .message = decoded},
            .bytes = sizeof *checked + message + envelope.payload_len,
            .free = checked_free};
    }
    if (error == 0)
        return checked;
    slu_metrics_add(
        in->metrics,
        error == SLU_ERR_SIGNATURE ? SLU_METRIC_PEER_BAD_SIGNATURE : SLU_METRIC_PEER_BAD_FORM, 1);
    slu_log_limited(&limit, SLU_LOG_WARN, "event=peer_message_refused peer=%u error=\"%s\"",
                    (unsigned)frame->from, slu_strerror(error));
    free(checked);
    return NULL;
}

static void *worker_thread(void *context)
{
    struct worker *w = context;
    void *items[BURST];
    for (;;) {
        uint32_t count = slu_ring_take(&w->ring, items, BURST, BURST_BYTES, UINT64_MAX);
        if (count == 0 && slu_ring_closed(&w->ring))
            return NULL;
        for (uint32_t i = 0; i < count; i++) {
            struct frame *frame = items[i];
            struct checked *checked = check(w, frame);
            if (checked != NULL && slu_runtime_push_wait(w->inbound->runtime, &checked->input) != 0)
                free(checked);
            slu_flow_done(frame->flow, frame->len);
            frame->released(frame->flow);
            free(frame);
        }
        slu_metrics_add(w->inbound->metrics, SLU_METRIC_PEER_FRAMES, count);
    }
}

int slu_inbound_start(struct slu_inbound **inbound, const struct slu_genesis *genesis,
                      struct slu_runtime *runtime, struct slu_metrics *metrics, unsigned workers)
{
    struct slu_inbound *in = calloc(1, sizeof *in);
    if (in == NULL)
        return SLU_ERR_MEMORY;
    in->genesis = genesis;
    in->runtime = runtime;
    in->metrics = metrics;
    SLU_CHECK(workers >= 1 && workers <= SLU_INBOUND_WORKERS_MAX);
    int error = 0;
    for (; in->count < workers && error == 0; in->count++) {
        struct worker *w = &in->workers[in->count];
        w->inbound = in;
        w->verified = slu_verified_new(genesis, metrics);
        w->unpacked = malloc(UNPACK_BYTES);
        error = slu_ring_init(&w->ring, RING_FRAMES, SIZE_MAX);
        if (error == 0 && (w->verified == NULL || w->unpacked == NULL))
            error = SLU_ERR_MEMORY;
        if (error == 0 && pthread_create(&w->thread, NULL, worker_thread, w) != 0)
            error = SLU_ERR_IO;
        w->started = error == 0;
        if (w->started)
            pthread_setname_np(w->thread, "verify");
    }
    if (error != 0) {
        slu_inbound_stop(in);
        return error;
    }
    *inbound = in;
    return 0;
}

size_t slu_inbound_share(const struct slu_inbound *inbound)
{
    size_t share = SHARE_TOTAL / inbound->genesis->n;
    return share > SHARE_MIN ? share : SHARE_MIN;
}

void slu_inbound_frame(struct slu_inbound *inbound, uint16_t from, struct slu_flow *flow,
                       void (*released)(struct slu_flow *flow), const uint8_t *data, size_t len)
{
    struct worker *w = &inbound->workers[from % inbound->count];
    struct frame *frame = malloc(sizeof *frame + len);
    if (frame != NULL) {
        *frame = (struct frame){.flow = flow, .released = released, .from = from, .len = len};
        memcpy(frame->data, data, len);
        slu_flow_add(flow, len);
        if (slu_ring_put(&w->ring, frame, len, 100) == 0)
            return;
        slu_flow_done(flow, len);
    }
    free(frame);
    released(flow);
}

static void worker_stop(struct worker *w)
{
    void *item;
    if (w->started) {
        slu_ring_close(&w->ring);
        pthread_join(w->thread, NULL);
    }
    while (w->ring.slots != NULL && slu_ring_take(&w->ring, &item, 1, SIZE_MAX, 0) == 1) {
        struct frame *frame = item;
        frame->released(frame->flow);
        free(frame);
    }
    slu_ring_destroy(&w->ring);
    slu_verified_free(w->verified);
    free(w->unpacked);
}

void slu_inbound_stop(struct slu_inbound *inbound)
{
    if (inbound == NULL)
        return;
    for (unsigned i = 0; i < inbound->count; i++)
        worker_stop(&inbound->workers[i]);
    free(inbound);
}

struct slu_ring_fill slu_inbound_fill(struct slu_inbound *inbound)
{
    struct slu_ring_fill all = {0};
    for (unsigned i = 0; i < inbound->count; i++) {
        struct slu_ring_fill fill = slu_ring_fill(&inbound->workers[i].ring);
        all.items += fill.items;
        all.items_cap += fill.items_cap;
        all.bytes += fill.bytes;
        all.refused += fill.refused;
    }
    all.bytes_cap = slu_inbound_share(inbound) * inbound->genesis->n;
    return all;
}
