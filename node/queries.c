#include "node/queries.h"

#include <stdlib.h>
#include <string.h>

#include "node/clock.h"
#include "node/prover.h"
#include "sluice/error.h"

#define SLOTS        1024u
#define IDS_MAX      (128u * 1024u) /* over all queries */
#define AGAIN_US     50000u
#define WAIT_MS_MAX  600000u
#define CORE_PERCENT 50u

enum state { FREE, ASKED, RESTING, LOOKED_UP };

struct query {
    enum state state;
    struct slu_client *client; /* held */
    uint64_t request_id, until_us, again_us;
    uint32_t generation, count;
    bool queueing;   /* asked for */
    bool proof;      /* the answer is a proof of the one id ... */
    uint64_t rollup; /* ... of a bundle in this list */
    struct slu_tx_status *statuses;
};

/* The ids of one QUERY event lie behind it. */
struct query_input {
    struct slu_input input;
    uint8_t ids[];
};

struct slu_queries {
    struct slu_runtime *runtime;
    const struct slu_place *place;
    struct slu_metrics *metrics;
    struct slu_lookup *lookup;
    struct slu_proofs *proofs;
    uint32_t used, ids;
    struct query slots[SLOTS];
};

struct slu_queries *slu_queries_new(struct slu_runtime *runtime, const struct slu_place *place,
                                    struct slu_metrics *metrics)
{
    struct slu_queries *q = calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->runtime = runtime;
    q->place = place;
    q->metrics = metrics;
    return q;
}

void slu_queries_use(struct slu_queries *queries, struct slu_lookup *lookup,
                     struct slu_proofs *proofs)
{
    queries->lookup = lookup;
    queries->proofs = proofs;
}

static void query_release(struct slu_queries *q, struct query *query)
{
    slu_client_release(query->client);
    free(query->statuses);
    q->used--;
    q->ids -= query->count;
    *query = (struct query){.generation = query->generation + 1};
}

void slu_queries_free(struct slu_queries *queries)
{
    if (queries == NULL)
        return;
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (queries->slots[i].state != FREE)
            query_release(queries, &queries->slots[i]);
    }
    free(queries);
}

static bool is_definite(const struct slu_tx_status *status)
{
    return status->stage == SLU_STAGE_FINAL || status->stage == SLU_STAGE_DROPPED;
}

static void reply(struct slu_queries *q, struct slu_client *client, uint64_t request_id,
                  Slu__Client__TxStatus **list, size_t count)
{
    Slu__Client__TxReply tx = SLU__CLIENT__TX_REPLY__INIT;
    Slu__Client__Reply answer = SLU__CLIENT__REPLY__INIT;
    tx.n_statuses = count;
    tx.statuses = list;
    tx.stream_ms = q->place->stream_ms;
    tx.height = q->place->height;
    answer.id = request_id;
    answer.body_case = SLU__CLIENT__REPLY__BODY_QUERY;
    answer.query = &tx;
    slu_client_reply(client, &answer);
}

static void prove(struct slu_queries *q, struct slu_client *client, uint64_t request_id,
                  const struct slu_tx_status *status, uint64_t rollup)
{
    if (slu_proofs_put(q->proofs, client, request_id, status, rollup) != 0) {
        slu_metrics_add(q->metrics, SLU_METRIC_REQUEST_BUSY, 1);
        slu_client_error(client, request_id, "busy", "too many proofs are waiting", 0);
    }
}

static void finish(struct slu_queries *q, struct query *query)
{
    if (query->proof) {
        prove(q, query->client, query->request_id, query->statuses, query->rollup);
        query_release(q, query);
        return;
    }
    Slu__Client__TxStatus *items = calloc(query->count, sizeof *items);
    Slu__Client__TxStatus **list = calloc(query->count, sizeof *list);
    bool memory = items != NULL && list != NULL;
    for (uint32_t i = 0; memory && i < query->count; i++) {
        struct slu_tx_status *status = &query->statuses[i];
        slu__client__tx_status__init(&items[i]);
        items[i].id = (ProtobufCBinaryData){32, status->id};
        items[i].stage = status->stage;
        items[i].height = status->height;
        items[i].index = status->index;
        items[i].forced = status->forced;
        items[i].queued_height = status->queued;
        items[i].due_height = status->due;
        if (status->stage == SLU_STAGE_DROPPED)
            items[i].reason = (char *)(uintptr_t)slu_drop_name((enum slu_drop)status->drop);
        list[i] = &items[i];
    }
    if (memory)
        reply(q, query->client, query->request_id, list, query->count);
    else
        slu_client_error(query->client, query->request_id, "busy", "out of memory", 0);
    free(items);
    free(list);
    query_release(q, query);
}

static void input_free(struct slu_input *input)
{
    free(input);
}

static uint64_t token_of(const struct slu_queries *q, const struct query *query)
{
    return (uint64_t)query->generation << 32 | (uint64_t)(query - q->slots);
}

/* Asks the core for what is not definite yet. BUSY: later. */
static void ask(struct slu_queries *q, struct query *query)
{
    uint32_t count = 0;
    query->state = RESTING;
    query->again_us = slu_now_us() + AGAIN_US;
    struct query_input *input = malloc(sizeof *input + (size_t)query->count * 32);
    if (input == NULL)
        return;
    for (uint32_t i = 0; i < query->count; i++) {
        if (!is_definite(&query->statuses[i]))
            memcpy(input->ids + (size_t)count++ * 32, query->statuses[i].id, 32);
    }
    input->input = (struct slu_input){.event = {.kind = SLU_EVENT_QUERY},
                                      .bytes = sizeof *input + (size_t)count * 32,
                                      .free = input_free};
    input->input.event.query.token = token_of(q, query);
    input->input.event.query.ids = input->ids;
    input->input.event.query.count = count;
    if (slu_runtime_push(q->runtime, &input->input, CORE_PERCENT) != 0)
        free(input);
    else
        query->state = ASKED;
}

static struct query *find(struct slu_queries *q, uint64_t token, enum state state)
{
    struct query *query = &q->slots[(uint32_t)token % SLOTS];
    bool same = query->generation == (uint32_t)(token >> 32) && query->state == state;
    return same ? query : NULL;
}

struct asking {
    const ProtobufCBinaryData *ids; /* of 32 bytes each */
    uint32_t count, wait_ms;
    bool queueing, proof;
    uint64_t rollup; /* of a proof */
};

static void begin(struct slu_queries *q, struct slu_client *client, uint64_t request_id,
                  const struct asking *asking)
{
    uint32_t count = asking->count;
    struct query *query = NULL;
    for (uint32_t i = 0; i < SLOTS && query == NULL && q->ids + count <= IDS_MAX; i++)
        query = q->slots[i].state == FREE ? &q->slots[i] : NULL;
    struct slu_tx_status *statuses = query == NULL ? NULL : calloc(count, sizeof *statuses);
    if (statuses == NULL) {
        slu_metrics_add(q->metrics, SLU_METRIC_REQUEST_BUSY, 1);
        slu_client_error(client, request_id, "busy", "too many queries are waiting", 0);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        memcpy(statuses[i].id, asking->ids[i].data, 32);
    uint32_t wait_ms = asking->wait_ms < WAIT_MS_MAX ? asking->wait_ms : WAIT_MS_MAX;
    query->client = slu_client_hold(client);
    query->request_id = request_id;
    query->until_us = slu_now_us() + (uint64_t)wait_ms * 1000u;
    query->statuses = statuses;
    query->count = count;
    query->queueing = asking->queueing;
    query->proof = asking->proof;
    query->rollup = asking->rollup;
    q->used++;
    q->ids += count;
    ask(q, query);
}

void slu_queries_take(struct slu_queries *q, struct slu_client *client, uint64_t request_id,
                      const Slu__Client__TxQuery *request)
{
    uint32_t count = (uint32_t)request->n_ids;
    bool formed = request->n_ids <= SLU_QUERY_IDS_MAX;
    for (uint32_t i = 0; formed && i < count; i++)
        formed = request->ids[i].len == 32;
    if (!formed) {
        slu_metrics_add(q->metrics, SLU_METRIC_REQUEST_MALFORMED, 1);
        slu_client_error(client, request_id, "malformed", "at most 1024 ids, of 32 bytes each", 0);
        return;
    }
    if (count == 0) { /* only asks how far the node is */
        reply(q, client, request_id, NULL, 0);
        return;
    }
    const struct asking asking = {.ids = request->ids,
                                  .count = count,
                                  .wait_ms = request->wait_ms,
                                  .queueing = request->queueing};
    begin(q, client, request_id, &asking);
}

void slu_queries_prove(struct slu_queries *q, struct slu_client *client, uint64_t request_id,
                       const Slu__Client__ProofQuery *request)
{
    ProtobufCBinaryData id = request->id;
    if (id.len != 32) {
        slu_metrics_add(q->metrics, SLU_METRIC_REQUEST_MALFORMED, 1);
        slu_client_error(client, request_id, "malformed", "an id of 32 bytes", 0);
        return;
    }
    if (request->height != 0) {
        struct slu_tx_status status = {.stage = SLU_STAGE_FINAL,
                                       .height = request->height,
                                       .index = SLU_PROVER_ANY_INDEX};
        memcpy(status.id, id.data, 32);
        prove(q, client, request_id, &status, request->rollup);
        return;
    }
    const struct asking asking = {.ids = &id, .count = 1, .proof = true, .rollup = request->rollup};
    begin(q, client, request_id, &asking);
}

static void merge(struct query *query, const struct slu_tx_status *items, uint32_t count)
{
    uint32_t item = 0;
    for (uint32_t i = 0; i < query->count; i++) {
        if (is_definite(&query->statuses[i]))
            continue;
        SLU_CHECK(item < count && memcmp(items[item].id, query->statuses[i].id, 32) == 0);
        query->statuses[i] = items[item++];
    }
}

void slu_queries_answered(struct slu_queries *q, uint64_t token, const struct slu_tx_status *items,
                          uint32_t count)
{
    struct query *query = find(q, token, ASKED);
    bool definite = true, search = false;
    if (query == NULL)
        return;
    merge(query, items, count);
    for (uint32_t i = 0; i < query->count; i++) {
        definite = definite && is_definite(&query->statuses[i]);
        search = search || slu_lookup_wants(&query->statuses[i], query->queueing);
    }
    query->state = RESTING;
    if (!definite && slu_now_us() < query->until_us && !atomic_load(&query->client->gone))
        return; /* slu_queries_tick asks again */
    if (search && q->place->height > 0 && q->lookup != NULL) {
        query->state = LOOKED_UP;
        if (slu_lookup_put(q->lookup, token, query->statuses, query->count, q->place->height,
                           query->queueing) == 0)
            return;
    }
    finish(q, query);
}

void slu_queries_looked_up(struct slu_queries *q, uint64_t token)
{
    struct query *query = find(q, token, LOOKED_UP);
    if (query != NULL)
        finish(q, query);
}

uint64_t slu_queries_tick(struct slu_queries *q)
{
    uint64_t next = UINT64_MAX, now_us = slu_now_us();
    for (uint32_t i = 0; i < SLOTS && q->used > 0; i++) {
        struct query *query = &q->slots[i];
        if (query->state != RESTING)
            continue;
        uint64_t due_us =
            query->again_us < query->until_us ? query->again_us : query->until_us + 1000u;
        if (due_us <= now_us || atomic_load(&query->client->gone))
            ask(q, query);
        else if (due_us < next)
            next = due_us;
        if (query->state == RESTING && query->again_us < next)
            next = query->again_us;
    }
    return next;
}

uint32_t slu_queries_count(const struct slu_queries *queries)
{
    return queries->used;
}
