#include "node/audits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "node/ring.h"
#include "sluice/error.h"

struct job {
    struct slu_client *client; /* held */
    uint64_t request_id, skip;
    uint32_t count;
    struct slu_record_key keys[SLU_AUDIT_KEYS_MAX];
};

struct slu_audits {
    struct slu_ring queue;
    struct slu_disk_view *view;
    uint8_t *bytes; /* SLU_AUDIT_BYTES_MAX: the values of one reply */
    pthread_t thread;
};

/* Nothing that is this node's own business: its votes and acks, where it stands. */
static bool is_shown(const struct slu_record_key *key)
{
    switch (key->kind) {
    case SLU_REC_STATE:
        return key->a == SLU_STATE_KEYGEN || key->a == SLU_STATE_KEY;
    case SLU_REC_FINAL:
    case SLU_REC_BATCH:
    case SLU_REC_DELIVERED:
    case SLU_REC_IDS:
    case SLU_REC_INBOX:
    case SLU_REC_SHARES:
    case SLU_REC_OPENED:
    case SLU_REC_SPACE:
    case SLU_REC_RELEASE:
    case SLU_REC_RELEASE_CERT:
    case SLU_REC_REPORTS:
        return true;
    case SLU_REC_ACK:
    case SLU_REC_VOTE:
    case SLU_REC_CALENDAR:
    case SLU_REC_DUE:
    case SLU_REC_KINDS:
        break;
    }
    return false;
}

static bool read_key(struct slu_record_key *key, const ProtobufCBinaryData *bytes)
{
    struct slu_reader r = slu_reader_of(bytes->data, bytes->len);
    uint8_t kind = slu_read_u8(&r);
    *key = (struct slu_record_key){.kind = SLU_REC_KINDS};
    if (kind > 0 && kind < SLU_REC_KINDS)
        key->kind = (enum slu_record_kind)kind;
    key->a = slu_read_u64(&r);
    key->b = slu_read_u64(&r);
    slu_read_copy(&r, key->digest, 32);
    if (!slu_record_has_digest(key->kind))
        memset(key->digest, 0, 32);
    return slu_reader_done(&r) && is_shown(key);
}

static int read_range(struct slu_audits *a, Slu__Client__AuditReply *reply)
{
    const struct slu_store *store = slu_disk_view_store(a->view);
    struct slu_record_key key;
    const uint8_t *value;
    size_t len;
    int rc = slu_disk_view_first(a->view, SLU_REC_DELIVERED, &key, &value, &len);
    reply->lowest = rc ? 0 : key.a;
    if (!rc)
        rc = store->last(store->context, SLU_REC_RELEASE, &key, &value, &len);
    reply->highest = rc ? 0 : key.a;
    return rc == SLU_ERR_NOT_FOUND ? SLU_OK : rc;
}

/* One record into what is left of the frame. */
static int read_record(struct slu_audits *a, const struct slu_record_key *key, uint64_t skip,
                       size_t *used, Slu__Client__AuditRecord *out)
{
    const struct slu_store *store = slu_disk_view_store(a->view);
    const uint8_t *value;
    size_t len;
    int rc = store->get(store->context, key, &value, &len);
    if (rc)
        return rc == SLU_ERR_NOT_FOUND ? SLU_OK : rc;
    out->found = true;
    out->bytes = len;
    size_t from = skip < len ? (size_t)skip : len, count = len - from;
    if (count > SLU_AUDIT_BYTES_MAX - *used)
        count = SLU_AUDIT_BYTES_MAX - *used;
    out->value = (ProtobufCBinaryData){count, a->bytes + *used};
    memcpy(a->bytes + *used, value + from, count);
    *used += count;
    return SLU_OK;
}

static void answer(struct slu_audits *a, const struct job *job)
{
    Slu__Client__AuditRecord records[SLU_AUDIT_KEYS_MAX];
    Slu__Client__AuditRecord *list[SLU_AUDIT_KEYS_MAX];
    Slu__Client__AuditReply audit = SLU__CLIENT__AUDIT_REPLY__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    size_t used = 0;
    int rc = read_range(a, &audit);
    for (uint32_t i = 0; i < job->count && !rc && used < SLU_AUDIT_BYTES_MAX; i++) {
        records[i] = (Slu__Client__AuditRecord)SLU__CLIENT__AUDIT_RECORD__INIT;
        list[i] = &records[i];
        rc = read_record(a, &job->keys[i], i == 0 ? job->skip : 0, &used, &records[i]);
        audit.n_records = i + 1;
    }
    if (rc) { /* a damaged store stops the node elsewhere */
        slu_client_error(job->client, job->request_id, "failed", slu_strerror(rc), 0);
        return;
    }
    audit.records = list;
    reply.id = job->request_id;
    reply.body_case = SLU__CLIENT__REPLY__BODY_AUDIT;
    reply.audit = &audit;
    slu_client_reply(job->client, &reply);
}

static void job_free(struct job *job)
{
    slu_client_release(job->client);
    free(job);
}

static void *audits_thread(void *context)
{
    struct slu_audits *a = context;
    void *item;
    for (;;) {
        if (slu_ring_take(&a->queue, &item, 1, SIZE_MAX, UINT64_MAX) == 0) {
            if (slu_ring_closed(&a->queue))
                return NULL;
            continue;
        }
        struct job *job = item;
        if (!atomic_load(&job->client->gone) && !slu_ring_closed(&a->queue))
            answer(a, job);
        job_free(job);
    }
}

int slu_audits_start(struct slu_audits **audits, struct slu_disk *disk)
{
    struct slu_audits *a = calloc(1, sizeof *a);
    if (a == NULL)
        return SLU_ERR_MEMORY;
    a->view = slu_disk_view_new(disk);
    a->bytes = malloc(SLU_AUDIT_BYTES_MAX);
    int error = slu_ring_init(&a->queue, SLU_AUDITS_WAITING_MAX, SIZE_MAX);
    if (error == 0 && (a->view == NULL || a->bytes == NULL))
        error = SLU_ERR_MEMORY;
    if (error == 0 && pthread_create(&a->thread, NULL, audits_thread, a) != 0)
        error = SLU_ERR_IO;
    if (error != 0) {
        slu_ring_destroy(&a->queue);
        slu_disk_view_free(a->view);
        free(a->bytes);
        free(a);
        return error;
    }
    pthread_setname_np(a->thread, "audits");
    *audits = a;
    return 0;
}

void slu_audits_put(struct slu_audits *audits, struct slu_client *client, uint64_t request_id,
                    const Slu__Client__AuditQuery *query)
{
    struct job *job = query->n_keys <= SLU_AUDIT_KEYS_MAX ? malloc(sizeof *job) : NULL;
    bool good = query->n_keys <= SLU_AUDIT_KEYS_MAX;
    if (job != NULL) {
        job->client = slu_client_hold(client);
        job->request_id = request_id;
        job->skip = query->skip;
        job->count = (uint32_t)query->n_keys;
        for (uint32_t i = 0; i < job->count && good; i++)
            good = read_key(&job->keys[i], &query->keys[i]);
    }
    if (good && job != NULL && slu_ring_put(&audits->queue, job, 0, 100) == 0)
        return;
    if (job != NULL)
        job_free(job);
    if (good)
        slu_client_error(client, request_id, "busy", "too many audits are waiting", 0);
    else
        slu_client_error(client, request_id, "malformed", "keys that are none, or too many", 0);
}

void slu_audits_stop(struct slu_audits *audits)
{
    void *item;
    if (audits == NULL)
        return;
    slu_ring_close(&audits->queue);
    pthread_join(audits->thread, NULL);
    while (slu_ring_take(&audits->queue, &item, 1, SIZE_MAX, 0) == 1)
        job_free(item);
    slu_ring_destroy(&audits->queue);
    slu_disk_view_free(audits->view);
    free(audits->bytes);
    free(audits);
}
