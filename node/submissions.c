#include "node/submissions.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "node/clock.h"
#include "sluice/error.h"

#define SLOTS        4096u
#define TXS_MAX      (512u * 1024u) /* over all submissions */
#define CORE_PERCENT 50u            /* of the core's ring, for clients */
#define MEASURES     4096u

struct result {
    uint8_t id[32];
    const char *reason; /* NULL: accepted, or not known yet */
    bool has_id, known, asked;
};

struct submission {
    struct slu_client *client; /* held; NULL: the slot is free */
    uint64_t request_id;
    uint64_t began_us;
    uint64_t position;
    uint64_t valid_until_ms;
    uint32_t generation;
    uint32_t next; /* of the list that waits for DURABLE, or of the free list */
    uint32_t count;
    struct result *results;
};

/* When own batches up to `position` were admitted. */
struct measure {
    uint64_t position, began_us;
};

/* The envelopes of one SUBMIT event lie behind it. */
struct submit_input {
    struct slu_input input;
    uint8_t envelopes[];
};

struct slu_submissions {
    const struct slu_genesis *genesis;
    struct slu_runtime *runtime;
    struct slu_admission_control *admission;
    const struct slu_door *door;
    const struct slu_place *place;
    struct slu_metrics *metrics;
    uint32_t free_first, wait_first, wait_last;
    uint32_t used, txs;
    uint64_t durable;
    struct measure measures[MEASURES];
    uint32_t measure_first, measure_count;
    struct submission slots[SLOTS];
};

#define NONE UINT32_MAX

struct slu_submissions *
slu_submissions_new(const struct slu_genesis *genesis, struct slu_runtime *runtime,
                    struct slu_admission_control *admission, const struct slu_door *door,
                    const struct slu_place *place, struct slu_metrics *metrics)
{
    struct slu_submissions *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->genesis = genesis;
    s->runtime = runtime;
    s->admission = admission;
    s->door = door;
    s->place = place;
    s->metrics = metrics;
    s->wait_first = s->wait_last = NONE;
    for (uint32_t i = 0; i < SLOTS; i++)
        s->slots[i].next = i + 1 < SLOTS ? i + 1 : NONE;
    return s;
}

void slu_submissions_free(struct slu_submissions *submissions)
{
    if (submissions == NULL)
        return;
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (submissions->slots[i].client != NULL)
            slu_client_release(submissions->slots[i].client);
        free(submissions->slots[i].results);
    }
    free(submissions);
}

/* ---- slots ---- */

static void slot_release(struct slu_submissions *s, uint32_t index)
{
    struct submission *sub = &s->slots[index];
    slu_client_release(sub->client);
    free(sub->results);
    s->used--;
    s->txs -= sub->count;
    sub->client = NULL;
    sub->results = NULL;
    sub->generation++;
    sub->next = s->free_first;
    s->free_first = index;
}

/* ---- replies ---- */

static enum slu_metric refusal_metric(const char *reason)
{
    if (strcmp(reason, "rate_client") == 0)
        return SLU_METRIC_TX_RATE_CLIENT;
    if (strcmp(reason, "rate_rollup") == 0)
        return SLU_METRIC_TX_RATE_ROLLUP;
    if (strcmp(reason, "rate_sealed") == 0)
        return SLU_METRIC_TX_RATE_SEALED;
    if (strcmp(reason, "lane_full") == 0)
        return SLU_METRIC_TX_LANE_FULL;
    if (strcmp(reason, "catching_up") == 0)
        return SLU_METRIC_TX_BEHIND;
    return strcmp(reason, "busy") == 0 ? SLU_METRIC_TX_BUSY : SLU_METRIC_TX_FORM;
}

static void reply(struct slu_submissions *s, struct slu_client *client, uint64_t request_id,
                  uint64_t valid_until_ms, const struct result *results, uint32_t count)
{
    Slu__Client__TxResult *items = calloc(count, sizeof *items);
    Slu__Client__TxResult **list = calloc(count, sizeof *list);
    Slu__Client__SubmitReply submit = SLU__CLIENT__SUBMIT_REPLY__INIT;
    Slu__Client__Reply answer = SLU__CLIENT__REPLY__INIT;
    uint64_t accepted = 0;
    if (items == NULL || list == NULL) {
        slu_client_error(client, request_id, "busy", "out of memory", 0);
        free(items);
        free(list);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct result *r = &results[i];
        slu__client__tx_result__init(&items[i]);
        if (r->has_id)
            items[i].id = (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)r->id};
        items[i].accepted = r->reason == NULL;
        items[i].known = r->known;
        if (r->reason != NULL) {
            items[i].reason = (char *)(uintptr_t)r->reason;
            slu_metrics_add(s->metrics, refusal_metric(r->reason), 1);
        }
        accepted += r->reason == NULL;
        list[i] = &items[i];
    }
    slu_metrics_add(s->metrics, SLU_METRIC_TX_ACCEPTED, accepted);
    submit.n_results = count;
    submit.results = list;
    submit.valid_until_ms = valid_until_ms;
    submit.height = s->place->height;
    answer.id = request_id;
    answer.body_case = SLU__CLIENT__REPLY__BODY_SUBMIT;
    answer.submit = &submit;
    slu_client_reply(client, &answer);
    free(items);
    free(list);
}

static void finish(struct slu_submissions *s, uint32_t index)
{
    struct submission *sub = &s->slots[index];
    reply(s, sub->client, sub->request_id, sub->valid_until_ms, sub->results, sub->count);
    slot_release(s, index);
}

/* ---- taking a request ---- */

static void input_free(struct slu_input *input)
{
    free(input);
}

/* One envelope of the client's, whole and nothing behind it, or one that a payload would get. */
static const char *check(const struct slu_genesis *g, const Slu__Client__Submit *submit, size_t i,
                         uint64_t until, uint64_t stream_ms, struct slu_tx *tx)
{
    if (submit->n_envelopes > 0) {
        const ProtobufCBinaryData *bytes = &submit->envelopes[i];
        struct slu_reader r = slu_reader_of(bytes->data, bytes->len);
        if (!slu_tx_read(&r, tx) || !slu_reader_done(&r))
            return "malformed";
    } else {
        uint32_t len = (uint32_t)submit->payloads[i].len; /* of a frame */
        *tx = (struct slu_tx){.rollup = submit->rollup,
                              .valid_until_ms = until,
                              .kind = submit->rollup == 0 ? SLU_TX_BUNDLE : SLU_TX_PLAIN,
                              .body = submit->payloads[i].data,
                              .body_len = len,
                              .bytes_len = SLU_TX_HEAD_BYTES + len};
    }
    enum slu_drop drop = slu_tx_check(g, tx, stream_ms);
    return drop == SLU_DROP_NONE ? NULL : slu_drop_name(drop);
}

/* Writes the envelopes of what passes; refusals stand in the results. Returns how many passed. */
static uint32_t make_envelopes(struct slu_submissions *s, const struct slu_client *client,
                               const Slu__Client__Submit *submit, uint64_t until,
                               struct result *results, struct slu_writer *w)
{
    bool own = submit->n_envelopes > 0;
    size_t count = own ? submit->n_envelopes : submit->n_payloads;
    uint64_t now_us = slu_now_us();
    bool turned_away =
        s->door != NULL && s->door->refuses(s->door->context, slu_link_remote(client->flow.link));
    uint32_t passed = 0;
    for (size_t i = 0; i < count; i++) {
        struct slu_tx tx;
        const char *reason = check(s->genesis, submit, i, until, s->place->stream_ms, &tx);
        if (reason == NULL && turned_away)
            reason = "rate_client";
        if (reason == NULL)
            reason = slu_admission_take(s->admission, client->address, &tx, now_us);
        results[i].reason = reason;
        results[i].asked = reason == NULL;
        if (reason != NULL)
            continue;
        slu_tx_write(w, tx.rollup, tx.valid_until_ms, tx.kind, tx.body, tx.body_len);
        passed++;
    }
    SLU_CHECK(!w->failed);
    return passed;
}

static void refuse_asked(struct result *results, uint32_t count, const char *reason)
{
    for (uint32_t i = 0; i < count; i++) {
        if (results[i].asked)
            results[i].reason = reason;
        results[i].asked = false;
    }
}

/* Gives the envelopes to the core under a new slot; false: refused, the input is freed. */
static bool hand_over(struct slu_submissions *s, struct slu_client *client, uint64_t request_id,
                      uint64_t until, struct submit_input *input, struct result *results,
                      uint32_t count)
{
    uint32_t index = s->free_first;
    if (index == NONE || s->txs + count > TXS_MAX) {
        free(input);
        return false;
    }
    struct submission *sub = &s->slots[index];
    input->input.event.submit.token = (uint64_t)sub->generation << 32 | index;
    if (slu_runtime_push(s->runtime, &input->input, CORE_PERCENT) != 0) {
        free(input);
        return false;
    }
    s->free_first = sub->next;
    s->used++;
    s->txs += count;
    sub->client = slu_client_hold(client);
    sub->request_id = request_id;
    sub->began_us = slu_now_us();
    sub->valid_until_ms = until;
    sub->count = count;
    sub->results = results;
    sub->next = NONE;
    return true;
}

void slu_submissions_take(struct slu_submissions *s, struct slu_client *client, uint64_t request_id,
                          const Slu__Client__Submit *submit)
{
    bool own = submit->n_envelopes > 0;
    uint64_t until =
        own ? 0 : slu_valid_until(&s->genesis->params, s->place->stream_ms, submit->valid_for_ms);
    size_t count = own ? submit->n_envelopes : submit->n_payloads;
    const ProtobufCBinaryData *list = own ? submit->envelopes : submit->payloads;
    size_t bytes = 0;
    if ((own && submit->n_payloads > 0) || count == 0 || count > SLU_SUBMIT_TXS_MAX) {
        slu_client_error(client, request_id, "malformed",
                         "1 to 16384 payloads, or as many envelopes", 0);
        slu_metrics_add(s->metrics, SLU_METRIC_REQUEST_MALFORMED, 1);
        return;
    }
    for (size_t i = 0; i < count; i++)
        bytes += list[i].len + SLU_TX_HEAD_BYTES;
    struct submit_input *input = malloc(sizeof *input + bytes);
    struct result *results = calloc(count, sizeof *results);
    if (input == NULL || results == NULL) {
        slu_client_error(client, request_id, "busy", "out of memory", 0);
        free(input);
        free(results);
        return;
    }
    struct slu_writer w = slu_writer_of(input->envelopes, bytes);
    uint32_t passed = make_envelopes(s, client, submit, until, results, &w);
    input->input = (struct slu_input){
        .event = {.kind = SLU_EVENT_SUBMIT}, .bytes = sizeof *input + bytes, .free = input_free};
    input->input.event.submit.envelopes = input->envelopes;
    input->input.event.submit.bytes = slu_writer_len(&w);
    input->input.event.submit.count = passed;
    if (passed > 0 && hand_over(s, client, request_id, until, input, results, (uint32_t)count))
        return;
    if (passed > 0)
        refuse_asked(results, (uint32_t)count, "busy");
    else
        free(input);
    reply(s, client, request_id, until, results, (uint32_t)count);
    free(results);
}

/* ---- what the core says ---- */

static const char *refusal(uint8_t status)
{
    if (status == SLU_ADMIT_ACCEPTED || status == SLU_ADMIT_KNOWN)
        return NULL;
    if (status == SLU_ADMIT_LANE_FULL)
        return "lane_full";
    if (status == SLU_ADMIT_BEHIND)
        return "catching_up";
    return slu_drop_name((enum slu_drop)(status - SLU_ADMIT_DROP));
}

static void note_measure(struct slu_submissions *s, uint64_t position, uint64_t began_us)
{
    if (s->measure_count > 0) {
        struct measure *last = &s->measures[(s->measure_first + s->measure_count - 1) % MEASURES];
        if (position <= last->position)
            return; /* measured by the first of its batch */
    }
    if (s->measure_count == MEASURES)
        return;
    s->measures[(s->measure_first + s->measure_count++) % MEASURES] =
        (struct measure){position, began_us};
}

void slu_submissions_admitted(struct slu_submissions *s, uint64_t token,
                              const struct slu_admission *items, uint32_t count, uint64_t position)
{
    uint32_t index = (uint32_t)token, item = 0;
    SLU_CHECK(index < SLOTS && s->slots[index].client != NULL &&
              s->slots[index].generation == (uint32_t)(token >> 32));
    struct submission *sub = &s->slots[index];
    for (uint32_t i = 0; i < sub->count; i++) {
        struct result *r = &sub->results[i];
        if (!r->asked)
            continue;
        SLU_CHECK(item < count);
        memcpy(r->id, items[item].id, 32);
        r->has_id = true;
        r->known = items[item].status == SLU_ADMIT_KNOWN;
        r->reason = refusal(items[item].status);
        item++;
    }
    sub->position = position;
    if (position <= s->durable) {
        finish(s, index);
        return;
    }
    note_measure(s, position, sub->began_us);
    if (s->wait_last == NONE)
        s->wait_first = index;
    else
        s->slots[s->wait_last].next = index;
    s->wait_last = index;
}

void slu_submissions_durable(struct slu_submissions *s, uint64_t position)
{
    if (position > s->durable)
        s->durable = position;
    while (s->wait_first != NONE && s->slots[s->wait_first].position <= s->durable) {
        uint32_t index = s->wait_first;
        s->wait_first = s->slots[index].next;
        if (s->wait_first == NONE)
            s->wait_last = NONE;
        finish(s, index);
    }
}

void slu_submissions_delivered(struct slu_submissions *s, uint64_t position, uint64_t at_us)
{
    while (s->measure_count > 0 && s->measures[s->measure_first].position <= position) {
        slu_metrics_observe(s->metrics, SLU_HISTOGRAM_DELIVER,
                            at_us - s->measures[s->measure_first].began_us);
        s->measure_first = (s->measure_first + 1) % MEASURES;
        s->measure_count--;
    }
}

bool slu_submissions_waiting(const struct slu_submissions *s)
{
    return s->wait_first != NONE;
}

bool slu_submissions_measuring(const struct slu_submissions *s)
{
    return s->measure_count > 0;
}

uint32_t slu_submissions_count(const struct slu_submissions *submissions)
{
    return submissions->used;
}
