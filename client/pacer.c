#include "client/pacer.h"

#include <stdlib.h>

#include "base/limits.h"
#include "sluice/error.h"
#include "wire/tx.h"

#define REST_NS   UINT64_C(10000000) /* a session's pause after a refusal, in a closed loop */
#define SPLIT_TXS 64u                /* a request is not made smaller than this by splitting */
#define STUCK_NS  UINT64_C(5000000000)

static void on_reply(void *context, const Slu__Client__Reply *reply)
{
    struct slu_pacer_submitter *submitter = context;
    uint32_t txs = atomic_exchange(&submitter->txs[reply->id % SLU_PACER_OPEN_MAX], 0);
    if (txs == 0)
        return;
    bool refused = reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR ||
                   (reply->body_case == SLU__CLIENT__REPLY__BODY_SUBMIT &&
                    reply->submit->n_results > 0 && !reply->submit->results[0]->accepted);
    if (refused)
        atomic_store(&submitter->resting_until_ns, slu_now_ns() + REST_NS);
    slu_meter_answered(submitter->meter, reply, txs);
    atomic_fetch_add(&submitter->answers, 1);
}

bool slu_pacer_open(struct slu_pacer *pacer, const struct slu_bench_options *options,
                    const struct slu_load *load, const struct slu_sealing *sealing,
                    struct slu_meter *meter)
{
    *pacer = (struct slu_pacer){
        .options = options, .load = load, .sealing = sealing, .meter = meter};
    pacer->bytes =
        malloc(SLU_PACER_BYTES_MAX + load->payload_bytes_max + SLU_SEAL_ENVELOPE_BYTES_MAX);
    pacer->payload = malloc(load->payload_bytes_max);
    if (!pacer->bytes || !pacer->payload) {
        slu_complain("bench", 0, "%s", slu_strerror(SLU_ERR_MEMORY));
        return false;
    }
    for (size_t i = 0; i < options->submitters; i++) {
        struct slu_pacer_submitter *submitter = &pacer->submitters[i];
        struct slu_session_config config = {
            .url = options->nodes.at[i % options->nodes.count],
            .timeout_ms = SLU_CONNECT_MS,
            .on_reply = on_reply,
            .context = submitter,
        };
        char why[256];
        submitter->meter = meter;
        if (slu_session_open(&submitter->session, &config, why, sizeof why)) {
            slu_complain("bench", 0, "no node: %s", why);
            return false;
        }
        pacer->count++;
    }
    return true;
}

static uint64_t intended_ns(const struct slu_pacer *pacer, uint64_t number, uint64_t now_ns)
{
    uint64_t rate = pacer->options->rate;
    if (rate == 0)
        return now_ns;
    return pacer->start_ns + number / rate * UINT64_C(1000000000) +
           number % rate * UINT64_C(1000000000) / rate;
}

/* Payloads that may be out by now, counted from the start. */
static uint64_t due(struct slu_pacer *pacer, uint64_t now_ns)
{
    uint64_t rate = pacer->options->rate;
    if (rate > 0) {
        if (now_ns < pacer->start_ns)
            return 0;
        uint64_t at_ns = now_ns < pacer->end_ns ? now_ns : pacer->end_ns - 1;
        uint64_t since_ns = at_ns - pacer->start_ns;
        uint64_t whole = since_ns / UINT64_C(1000000000) * rate;
        /* The first is due at the start itself. */
        return whole + since_ns % UINT64_C(1000000000) * rate / UINT64_C(1000000000) + 1;
    }
    if (now_ns >= pacer->end_ns)
        return pacer->next;
    struct slu_meter_counts counts = slu_meter_read(pacer->meter);
    uint64_t done = counts.delivered + counts.refused;
    /* What was dropped or lost with a node would fill the window for ever. */
    if (done != pacer->moved_delivered) {
        pacer->moved_delivered = done;
        pacer->moved_ns = now_ns;
        pacer->lost = 0;
    } else if (now_ns - pacer->moved_ns > STUCK_NS) {
        pacer->lost = pacer->next > done ? pacer->next - done : 0;
        pacer->moved_ns = now_ns;
    }
    return done + pacer->lost + pacer->options->outstanding;
}

static bool can_send(struct slu_pacer *pacer, struct slu_pacer_submitter *submitter,
                     uint64_t now_ns)
{
    if (!submitter->lost && slu_session_is_down(submitter->session)) {
        char why[256];
        slu_session_reason(submitter->session, why, sizeof why);
        slu_complain("bench", 0, "a submitter is lost: %s", why);
        submitter->lost = true;
    }
    return !submitter->lost &&
           submitter->requests - atomic_load(&submitter->answers) < SLU_PACER_OPEN_MAX - 1 &&
           (pacer->options->rate > 0 || atomic_load(&submitter->resting_until_ns) <= now_ns);
}

/* Payload `number`, or its envelope; false after a complaint: it cannot be sealed. */
static bool write_one(struct slu_pacer *pacer, uint8_t *out, size_t *len, uint64_t number,
                      uint64_t intended)
{
    size_t plain_len = slu_load_size(pacer->load, number);
    uint8_t *plain = pacer->sealing ? pacer->payload : out;
    slu_load_write(pacer->load, plain, number, intended);
    *len = plain_len;
    if (!pacer->sealing)
        return true;
    uint8_t id[32];
    uint64_t unlock, now_ms = slu_sealing_stream_ms(pacer->sealing);
    uint64_t until_ms = slu_valid_until(&pacer->sealing->genesis->params, now_ms, 0);
    int rc = slu_sealing_envelope(pacer->sealing, out, SLU_SEAL_ENVELOPE_BYTES_MAX, len, id, &unlock,
                                  now_ms, until_ms, pacer->options->rollup, plain, plain_len);
    if (rc)
        slu_complain("bench", 0, "sealing failed: %s", slu_strerror(rc));
    return rc == SLU_OK;
}

/* Sends up to `txs` payloads over one session; returns how many. */
static uint64_t send_some(struct slu_pacer *pacer, struct slu_pacer_submitter *submitter,
                          uint64_t txs, uint64_t now_ns)
{
    static ProtobufCBinaryData payloads[SLU_PACER_TXS_MAX];
    size_t used = 0, count = 0;
    while (count < txs && count < SLU_PACER_TXS_MAX && used < SLU_PACER_BYTES_MAX) {
        uint64_t number = pacer->next + count;
        size_t len;
        if (!write_one(pacer, pacer->bytes + used, &len, number,
                       intended_ns(pacer, number, now_ns)))
            return 0;
        payloads[count++] = (ProtobufCBinaryData){.len = len, .data = pacer->bytes + used};
        used += len;
    }
    Slu__Client__Submit submit = SLU__CLIENT__SUBMIT__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    submit.rollup = pacer->options->rollup;
    submit.n_payloads = pacer->sealing ? 0 : count;
    submit.payloads = pacer->sealing ? NULL : payloads;
    submit.n_envelopes = pacer->sealing ? count : 0;
    submit.envelopes = pacer->sealing ? payloads : NULL;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBMIT;
    request.submit = &submit;
    /* The answer may come before try_send returns: its size is noted first. */
    uint64_t id = ++submitter->requests;
    _Atomic uint32_t *slot = &submitter->txs[id % SLU_PACER_OPEN_MAX];
    atomic_store(slot, (uint32_t)count);
    if (slu_session_try_send(submitter->session, &request)) {
        atomic_store(slot, 0);
        atomic_fetch_add(&submitter->answers, 1);
        return 0;
    }
    pacer->next += count;
    return count;
}

uint64_t slu_pacer_step(struct slu_pacer *pacer, uint64_t now_ns)
{
    uint64_t until = due(pacer, now_ns);
    uint64_t all = until > pacer->next ? until - pacer->next : 0;
    uint64_t piece = (all + pacer->count - 1) / pacer->count;
    if (piece < SPLIT_TXS)
        piece = SPLIT_TXS;
    size_t refused = 0; /* sessions in a row that took nothing */
    while (pacer->next < until && refused < pacer->count) {
        struct slu_pacer_submitter *submitter = &pacer->submitters[pacer->turn];
        uint64_t left = until - pacer->next;
        uint64_t sent = 0;
        pacer->turn = (pacer->turn + 1) % pacer->count;
        if (can_send(pacer, submitter, now_ns))
            sent = send_some(pacer, submitter, left < piece ? left : piece, now_ns);
        refused = sent ? 0 : refused + 1;
    }
    uint64_t rate = pacer->options->rate;
    uint64_t tick_ms = rate == 0 || rate > 20000 ? 4 : rate > 5000 ? 2 : 1;
    return now_ns + tick_ms * UINT64_C(1000000);
}

uint64_t slu_pacer_lost(const struct slu_pacer *pacer)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < pacer->count; i++)
        lost += pacer->submitters[i].lost;
    return lost;
}

void slu_pacer_close(struct slu_pacer *pacer)
{
    for (size_t i = 0; i < pacer->count; i++)
        slu_session_close(pacer->submitters[i].session);
    free(pacer->bytes);
    free(pacer->payload);
    pacer->count = 0;
    pacer->bytes = pacer->payload = NULL;
}
