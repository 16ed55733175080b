#include "node/forcing.h"

#include <stdlib.h>
#include <string.h>

#include "sluice/error.h"
#include "wire/evidence.h"

#define SLOTS        1024u
#define CORE_PERCENT 50u                                 /* of the core's ring, for clients */
#define EVIDENCE_MAX (SLU_NODES_MAX * SLU_OFFENCES)      /* one per offender and offence */
#define REPLY_BYTES  (SLU_FRAME_BYTES_MAX - 16u * 1024u) /* of evidence, in one frame */
#define WHO_BYTES    3u                                  /* offence and offender */

struct request {
    struct slu_client *client; /* held; NULL: the slot is free */
    uint64_t request_id;
    uint32_t generation;
};

/* The envelope of one FORCE event lies behind it. */
struct force_input {
    struct slu_input input;
    uint8_t envelope[];
};

struct slu_forcing {
    const struct slu_genesis *genesis;
    struct slu_runtime *runtime;
    struct slu_disk_view *view;
    const struct slu_door *door;
    const struct slu_place *place;
    struct slu_core_view *core; /* scratch */
    uint32_t used;
    struct request slots[SLOTS];
};

struct slu_forcing *slu_forcing_new(const struct slu_genesis *genesis, struct slu_runtime *runtime,
                                    struct slu_disk *disk, const struct slu_door *door,
                                    const struct slu_place *place)
{
    struct slu_forcing *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->genesis = genesis;
    f->runtime = runtime;
    f->door = door;
    f->place = place;
    f->view = slu_disk_view_new(disk);
    f->core = malloc(sizeof *f->core);
    if (f->view == NULL || f->core == NULL) {
        slu_forcing_free(f);
        return NULL;
    }
    return f;
}

void slu_forcing_free(struct slu_forcing *forcing)
{
    if (forcing == NULL)
        return;
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (forcing->slots[i].client != NULL)
            slu_client_release(forcing->slots[i].client);
    }
    slu_disk_view_free(forcing->view);
    free(forcing->core);
    free(forcing);
}

uint32_t slu_forcing_count(const struct slu_forcing *forcing)
{
    return forcing->used;
}

/* ---- replies ---- */

static const char *refusal(uint8_t status)
{
    switch (status) {
    case SLU_ADMIT_POSTAGE:
        return "postage";
    case SLU_ADMIT_INBOX_FULL:
        return "inbox_full";
    case SLU_ADMIT_UNKNOWN:
        return "unknown";
    case SLU_ADMIT_BEHIND:
        return "catching_up";
    case SLU_ADMIT_LANE_FULL:
        return "lane_full";
    default:
        return slu_drop_name((enum slu_drop)(status - SLU_ADMIT_DROP));
    }
}

static void reply(struct slu_client *client, uint64_t request_id, Slu__Client__ForceReply *body)
{
    Slu__Client__Reply answer = SLU__CLIENT__REPLY__INIT;
    answer.id = request_id;
    answer.body_case = SLU__CLIENT__REPLY__BODY_FORCE;
    answer.force = body;
    slu_client_reply(client, &answer);
}

static void refuse(struct slu_client *client, uint64_t request_id, const char *reason)
{
    Slu__Client__ForceReply body = SLU__CLIENT__FORCE_REPLY__INIT;
    body.reason = (char *)(uintptr_t)reason;
    reply(client, request_id, &body);
}

void slu_forcing_taken(struct slu_forcing *f, uint64_t token, const struct slu_taken *taken)
{
    struct request *request = &f->slots[(uint32_t)token % SLOTS];
    if (request->client == NULL || request->generation != (uint32_t)(token >> 32))
        return;
    Slu__Client__ForceReply body = SLU__CLIENT__FORCE_REPLY__INIT;
    uint8_t id[32], receipt[SLU_RECEIPT_BYTES];
    struct slu_writer w = slu_writer_of(receipt, sizeof receipt);
    memcpy(id, taken->id, 32);
    body.id = (ProtobufCBinaryData){32, id};
    body.known = taken->status == SLU_ADMIT_KNOWN;
    body.accepted = body.known || taken->status == SLU_ADMIT_ACCEPTED;
    if (!body.accepted)
        body.reason = (char *)(uintptr_t)refusal(taken->status);
    body.work = taken->work_needed;
    if (taken->has_receipt) {
        slu_receipt_write(&w, &taken->receipt);
        body.receipt = (ProtobufCBinaryData){slu_writer_len(&w), receipt};
    }
    reply(request->client, request->request_id, &body);
    slu_client_release(request->client);
    request->client = NULL;
    request->generation++;
    f->used--;
}

/* ---- requests ---- */

static void input_free(struct slu_input *input)
{
    free(input);
}

/* A free slot; NULL: too many requests are on their way. */
static struct request *free_slot(struct slu_forcing *f)
{
    for (uint32_t i = 0; f->used < SLOTS && i < SLOTS; i++) {
        if (f->slots[i].client == NULL)
            return &f->slots[i];
    }
    return NULL;
}

/* Gives the event to the core; what cannot be given is refused and freed. */
static void hand_over(struct slu_forcing *f, struct slu_client *client, uint64_t request_id,
                      struct slu_input *input, uint64_t *token)
{
    struct request *request = free_slot(f);
    if (request != NULL)
        *token = (uint64_t)request->generation << 32 | (uint64_t)(request - f->slots);
    if (request == NULL || slu_runtime_push(f->runtime, input, CORE_PERCENT) != 0) {
        input->free(input);
        refuse(client, request_id, "busy");
        return;
    }
    request->client = slu_client_hold(client);
    request->request_id = request_id;
    f->used++;
}

/* Of the last final block, which delivery may lag behind: a valid_until was chosen by its time
 * (Terms.block_time_ms), and no earlier block can queue anything any more. */
static uint64_t head_time(struct slu_forcing *f)
{
    slu_runtime_view(f->runtime, f->core);
    uint64_t final_ms = f->core->inbox.block_time_ms;
    return final_ms > f->place->stream_ms ? final_ms : f->place->stream_ms;
}

void slu_forcing_take(struct slu_forcing *f, struct slu_client *client, uint64_t request_id,
                      const Slu__Client__Force *force)
{
    struct slu_reader r = slu_reader_of(force->envelope.data, force->envelope.len);
    struct slu_tx tx;
    if (!slu_tx_read(&r, &tx) || !slu_reader_done(&r) || force->block.len != 32) {
        refuse(client, request_id, "malformed");
        return;
    }
    enum slu_drop drop = slu_tx_check(f->genesis, &tx, head_time(f));
    if (drop != SLU_DROP_NONE) {
        refuse(client, request_id, slu_drop_name(drop));
        return;
    }
    if (f->door != NULL && f->door->refuses(f->door->context, slu_link_remote(client->flow.link))) {
        refuse(client, request_id, "rate_client");
        return;
    }
    struct force_input *input = malloc(sizeof *input + force->envelope.len);
    if (input == NULL) {
        refuse(client, request_id, "busy");
        return;
    }
    memcpy(input->envelope, force->envelope.data, force->envelope.len);
    input->input = (struct slu_input){.event = {.kind = SLU_EVENT_FORCE},
                                      .bytes = sizeof *input + force->envelope.len,
                                      .free = input_free};
    struct slu_event *event = &input->input.event;
    event->force.envelope = input->envelope;
    event->force.bytes = force->envelope.len;
    event->force.postage.height = force->height;
    event->force.postage.nonce = force->nonce;
    memcpy(event->force.postage.block, force->block.data, 32);
    hand_over(f, client, request_id, &input->input, &event->force.token);
}

void slu_forcing_receipt(struct slu_forcing *f, struct slu_client *client, uint64_t request_id,
                         const Slu__Client__ReceiptQuery *query)
{
    if (query->id.len != 32) {
        refuse(client, request_id, "malformed");
        return;
    }
    struct slu_input *input = calloc(1, sizeof *input);
    if (input == NULL) {
        refuse(client, request_id, "busy");
        return;
    }
    *input = (struct slu_input){
        .event = {.kind = SLU_EVENT_RECEIPT}, .bytes = sizeof *input, .free = input_free};
    memcpy(input->event.receipt.id, query->id.data, 32);
    hand_over(f, client, request_id, input, &input->event.receipt.token);
}

void slu_forcing_terms(struct slu_forcing *f, struct slu_client *client, uint64_t request_id,
                       const Slu__Client__TermsQuery *query)
{
    Slu__Client__Terms terms = SLU__CLIENT__TERMS__INIT;
    Slu__Client__Reply answer = SLU__CLIENT__REPLY__INIT;
    slu_runtime_view(f->runtime, f->core);
    struct slu_inbox_status *inbox = &f->core->inbox;
    terms.height = inbox->block.height;
    terms.block = (ProtobufCBinaryData){32, inbox->block.block};
    terms.block_time_ms = inbox->block_time_ms;
    terms.work =
        slu_postage_price(f->genesis, inbox->booked_bytes + inbox->unqueued_bytes, query->bytes);
    terms.queued_items = inbox->queued_items;
    terms.unqueued_items = inbox->unqueued_items;
    terms.booked_bytes = inbox->booked_bytes;
    answer.id = request_id;
    answer.body_case = SLU__CLIENT__REPLY__BODY_TERMS;
    answer.terms = &terms;
    slu_client_reply(client, &answer);
}

/* ---- evidence ---- */

struct found {
    uint32_t seen; /* of one offender and offence each */
    uint32_t skip; /* of them: the asker has them */
    uint32_t count;
    bool more;   /* than fit */
    size_t used; /* of `bytes` */
    uint8_t who[EVIDENCE_MAX][WHO_BYTES];
    ProtobufCBinaryData items[EVIDENCE_MAX];
    uint8_t bytes[REPLY_BYTES];
};

/* Whether there is evidence of this offender and offence already: both stand first in it. */
static bool is_known(const struct found *found, const uint8_t *evidence)
{
    for (uint32_t i = 0; i < found->seen; i++)
        if (memcmp(found->who[i], evidence, WHO_BYTES) == 0)
            return true;
    return false;
}

/* By rising id: of several of one offender and offence the first is the one that all nodes come to
 * hold (docs/PROTOCOL.md clause 8.1). */
static int visit(void *visitor, const struct slu_record_key *key, const uint8_t *value,
                 size_t value_len)
{
    struct found *found = visitor;
    (void)key;
    if (value_len < SLU_RELAY_BYTES + WHO_BYTES ||
        value_len - SLU_RELAY_BYTES > SLU_EVIDENCE_BYTES_MAX)
        return SLU_ERR_CORRUPT;
    const uint8_t *evidence = value + SLU_RELAY_BYTES;
    size_t len = value_len - SLU_RELAY_BYTES;
    if (is_known(found, evidence))
        return 0;
    found->more = found->seen == EVIDENCE_MAX || len > REPLY_BYTES - found->used;
    if (found->more)
        return SLU_ERR_LIMIT;
    memcpy(found->who[found->seen++], evidence, WHO_BYTES);
    if (found->seen <= found->skip)
        return 0;
    uint8_t *bytes = found->bytes + found->used;
    memcpy(bytes, evidence, len);
    found->items[found->count++] = (ProtobufCBinaryData){len, bytes};
    found->used += len;
    return 0;
}

void slu_forcing_evidence(struct slu_forcing *f, struct slu_client *client, uint64_t request_id,
                          const Slu__Client__EvidenceQuery *query)
{
    const struct slu_store *store = slu_disk_view_store(f->view);
    struct slu_record_key from = {.kind = SLU_REC_INBOX, .a = SLU_VALID_FOR_EVER};
    struct slu_record_key to = {.kind = (enum slu_record_kind)(SLU_REC_INBOX + 1)};
    struct found *found = calloc(1, sizeof *found);
    if (found != NULL)
        found->skip = query->skip;
    int error =
        found == NULL ? SLU_ERR_MEMORY : store->scan(store->context, &from, &to, visit, found);
    if (error != 0 && error != SLU_ERR_LIMIT) {
        slu_client_error(client, request_id, "busy", slu_strerror(error), 0);
        free(found);
        return;
    }
    Slu__Client__EvidenceReply body = SLU__CLIENT__EVIDENCE_REPLY__INIT;
    Slu__Client__Reply answer = SLU__CLIENT__REPLY__INIT;
    body.n_items = found->count;
    body.items = found->items;
    body.more = found->more;
    answer.id = request_id;
    answer.body_case = SLU__CLIENT__REPLY__BODY_EVIDENCE;
    answer.evidence = &body;
    slu_client_reply(client, &answer);
    free(found);
}
