#include "inspect/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "client/session.h"
#include "consensus/order.h"
#include "node/audits.h"
#include "proto/codec.h"
#include "sluice/error.h"

#define AHEAD          16u                    /* heights asked for together */
#define AHEAD_BYTES    (128u * 1024u * 1024u) /* of their batches */
#define SLOTS          4096u
#define RECORD_BYTES   (64u * 1024u * 1024u)  /* no record is longer */
#define ANSWER_MS      15000u
#define RETRY_MS       5000u

struct record {
    struct slu_record_key key;
    bool found;
    uint8_t *value;
    size_t len;
    struct record *next;
};

struct slu_remote {
    struct slu_urls *urls;
    uint8_t chain_id[32];
    struct slu_session *session;
    struct record *slots[SLOTS]; /* of the heights asked for ahead, and what was asked for since */
    size_t bytes;
    uint64_t ahead_from, ahead_to;
    struct slu_record_key wanted[SLU_AUDIT_KEYS_MAX];
    uint32_t wanted_count;
    uint64_t lowest, highest;
    char why[512];
};

/* ---- what is here ---- */

static struct record **slot_of(struct slu_remote *r, const struct slu_record_key *key)
{
    uint64_t mixed = (key->a * 31u + key->b) * 31u + (uint64_t)key->kind + key->digest[0] * 257u;
    return &r->slots[mixed * UINT64_C(0x9e3779b97f4a7c15) >> 52];
}

static struct record *find(struct slu_remote *r, const struct slu_record_key *key)
{
    struct record *at = *slot_of(r, key);
    while (at && (at->key.kind != key->kind || at->key.a != key->a || at->key.b != key->b ||
                  memcmp(at->key.digest, key->digest, 32) != 0))
        at = at->next;
    return at;
}

static void forget(struct slu_remote *r)
{
    for (size_t i = 0; i < SLOTS; i++)
        while (r->slots[i]) {
            struct record *gone = r->slots[i];
            r->slots[i] = gone->next;
            free(gone->value);
            free(gone);
        }
    r->bytes = 0;
}

/* ---- asking ---- */

static int connect(struct slu_remote *r)
{
    slu_session_close(r->session);
    r->session = slu_urls_open(r->urls, RETRY_MS, r->why, sizeof r->why);
    if (!r->session)
        return SLU_ERR_IO;
    if (memcmp(slu_session_chain_id32(r->session), r->chain_id, 32) == 0)
        return SLU_OK;
    snprintf(r->why, sizeof r->why, "the node is of another chain");
    return SLU_ERR_IO;
}

/* One query, over a new session when the old one is down. */
static int call(struct slu_remote *r, Slu__Client__Request *request, Slu__Client__Reply **reply)
{
    int rc = SLU_ERR_CLOSED;
    for (int attempt = 0; rc && attempt < 2; attempt++) {
        if ((!r->session || slu_session_is_down(r->session)) && connect(r))
            return SLU_ERR_IO;
        rc = slu_session_call(r->session, request, reply, ANSWER_MS);
    }
    if (rc) {
        snprintf(r->why, sizeof r->why, "no answer: %s", slu_strerror(rc));
        return SLU_ERR_IO;
    }
    if ((*reply)->body_case == SLU__CLIENT__REPLY__BODY_AUDIT)
        return SLU_OK;
    if ((*reply)->body_case == SLU__CLIENT__REPLY__BODY_ERROR)
        snprintf(r->why, sizeof r->why, "%.100s: %.300s", (*reply)->error->code,
                 (*reply)->error->text);
    else
        snprintf(r->why, sizeof r->why, "the node answered something else");
    slu_reply_free(*reply);
    return SLU_ERR_IO;
}

/* Takes one answered record; `part` is what came of it before. *done: its value is whole. */
static int take(struct slu_remote *r, const struct slu_record_key *key,
                const Slu__Client__AuditRecord *answer, struct record **part, bool *done)
{
    struct record *at = *part;
    *done = true;
    if (!at) {
        if (find(r, key))
            return SLU_OK;
        at = calloc(1, sizeof *at);
        if (!at)
            return SLU_ERR_MEMORY;
        at->key = *key;
        at->next = *slot_of(r, key);
        *slot_of(r, key) = at;
        *part = at;
    }
    at->found = answer->found;
    if (!answer->found)
        return SLU_OK;
    if (answer->bytes > RECORD_BYTES || answer->value.len > answer->bytes - at->len)
        return SLU_ERR_CORRUPT;
    uint8_t *grown = realloc(at->value, at->len + answer->value.len + 1);
    if (!grown)
        return SLU_ERR_MEMORY;
    at->value = grown;
    memcpy(at->value + at->len, answer->value.data, answer->value.len);
    at->len += answer->value.len;
    r->bytes += answer->value.len;
    *done = at->len == answer->bytes;
    return *done || answer->value.len > 0 ? SLU_OK : SLU_ERR_CORRUPT;
}

static void write_keys(uint8_t (*bytes)[SLU_AUDIT_KEY_BYTES], ProtobufCBinaryData *list,
                       const struct slu_record_key *keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slu_writer w = slu_writer_of(bytes[i], sizeof bytes[i]);
        slu_write_u8(&w, (uint8_t)keys[i].kind);
        slu_write_u64(&w, keys[i].a);
        slu_write_u64(&w, keys[i].b);
        slu_write_bytes(&w, keys[i].digest, 32);
        list[i] = (ProtobufCBinaryData){sizeof bytes[i], bytes[i]};
    }
}

/* Asks for the first `count` of the keys, once; *taken of them are here now, of the next `part`. */
static int ask(struct slu_remote *r, const struct slu_record_key *keys, uint32_t count,
               uint32_t *taken, struct record **part)
{
    uint8_t bytes[SLU_AUDIT_KEYS_MAX][SLU_AUDIT_KEY_BYTES];
    ProtobufCBinaryData list[SLU_AUDIT_KEYS_MAX];
    Slu__Client__AuditQuery query = SLU__CLIENT__AUDIT_QUERY__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    Slu__Client__Reply *reply;
    write_keys(bytes, list, keys, count);
    query.keys = list;
    query.n_keys = count;
    query.skip = *part ? (*part)->len : 0;
    request.body_case = SLU__CLIENT__REQUEST__BODY_AUDIT;
    request.audit = &query;
    int rc = call(r, &request, &reply);
    *taken = 0;
    if (rc)
        return rc;
    const Slu__Client__AuditReply *audit = reply->audit;
    r->lowest = audit->lowest;
    r->highest = audit->highest;
    if (count > 0 && (audit->n_records == 0 || audit->n_records > count))
        rc = SLU_ERR_CORRUPT;
    for (size_t i = 0; i < audit->n_records && !rc; i++) {
        bool done;
        rc = take(r, &keys[i], audit->records[i], part, &done);
        if (!done)
            break;
        *part = NULL;
        ++*taken;
    }
    if (rc == SLU_ERR_CORRUPT)
        snprintf(r->why, sizeof r->why, "the node's answer is none");
    slu_reply_free(reply);
    return rc == SLU_ERR_CORRUPT ? SLU_ERR_IO : rc;
}

static int ask_all(struct slu_remote *r, const struct slu_record_key *keys, uint32_t count)
{
    struct record *part = NULL;
    uint32_t at = 0;
    while (at < count) {
        uint32_t taken;
        int rc = ask(r, keys + at, count - at, &taken, &part);
        if (rc)
            return rc;
        at += taken;
    }
    return SLU_OK;
}

/* ---- ahead ---- */

static int flush(struct slu_remote *r)
{
    int rc = ask_all(r, r->wanted, r->wanted_count);
    r->wanted_count = 0;
    return rc;
}

static int want(struct slu_remote *r, const struct slu_record_key *key)
{
    r->wanted[r->wanted_count++] = *key;
    return r->wanted_count == SLU_AUDIT_KEYS_MAX ? flush(r) : SLU_OK;
}

/* What a delivered record refers to. */
static int want_named(struct slu_remote *r, uint64_t height)
{
    struct slu_record_key key = {.kind = SLU_REC_DELIVERED, .a = height};
    struct slu_delivered record;
    struct slu_delivered_inbox item;
    struct slu_delivered_batch batch;
    const struct record *found = find(r, &key);
    int rc = SLU_OK;
    if (!found || !found->found || slu_delivered_open(&record, found->value, found->len))
        return SLU_OK;
    for (uint32_t i = 0; i < record.inbox_count && !rc; i++) {
        slu_delivered_next_inbox(&record, &item);
        key = (struct slu_record_key){.kind = SLU_REC_INBOX, .a = item.tuple.valid_until_ms};
        memcpy(key.digest, item.tuple.id, 32);
        if (item.outcome == 0)
            rc = want(r, &key);
    }
    for (uint32_t i = 0; i < record.batch_count && !rc && r->bytes < AHEAD_BYTES; i++) {
        slu_delivered_next_batch(&record, &batch);
        key = (struct slu_record_key){.kind = SLU_REC_BATCH, .a = batch.lane, .b = batch.position};
        memcpy(key.digest, batch.digest, 32);
        rc = want(r, &key);
    }
    return rc;
}

static int look_ahead(struct slu_remote *r, uint64_t height)
{
    static const enum slu_record_kind kinds[] = {
        SLU_REC_FINAL,  SLU_REC_REPORTS, SLU_REC_DELIVERED, SLU_REC_IDS,
        SLU_REC_OPENED, SLU_REC_SPACE,   SLU_REC_RELEASE,   SLU_REC_RELEASE_CERT};
    int rc = SLU_OK;
    forget(r);
    r->ahead_from = height;
    r->ahead_to = height + AHEAD - 1;
    for (uint64_t h = r->ahead_from; h <= r->ahead_to && !rc; h++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds && !rc; k++) {
            struct slu_record_key key = {.kind = kinds[k], .a = h};
            rc = want(r, &key);
        }
    if (!rc)
        rc = flush(r);
    for (uint64_t h = r->ahead_from; h <= r->ahead_to && !rc; h++)
        rc = want_named(r, h);
    return rc ? rc : flush(r);
}

/* ---- as a store ---- */

static int get(void *context, const struct slu_record_key *key, const uint8_t **value, size_t *len)
{
    struct slu_remote *r = context;
    int rc = SLU_OK;
    /* Blocks are read upwards, one after another: by them one sees where the audit is. */
    if (key->kind == SLU_REC_FINAL && (key->a < r->ahead_from || key->a > r->ahead_to))
        rc = look_ahead(r, key->a);
    const struct record *found = rc ? NULL : find(r, key);
    if (!rc && !found) {
        rc = ask_all(r, key, 1);
        found = find(r, key);
    }
    if (rc)
        return rc;
    *value = found && found->found ? found->value : NULL;
    *len = found ? found->len : 0;
    return *value ? SLU_OK : SLU_ERR_NOT_FOUND;
}

static int scan(void *context, const struct slu_record_key *from, const struct slu_record_key *to,
                int (*visit)(void *visitor, const struct slu_record_key *key, const uint8_t *value,
                             size_t len),
                void *visitor)
{
    struct slu_remote *r = context;
    (void)to;
    struct slu_record_key key = {.kind = from->kind, .a = r->lowest};
    return r->lowest ? visit(visitor, &key, NULL, 0) : SLU_OK;
}

static int last(void *context, enum slu_record_kind kind, struct slu_record_key *key,
                const uint8_t **value, size_t *len)
{
    struct slu_remote *r = context;
    *key = (struct slu_record_key){.kind = kind, .a = r->highest};
    *value = NULL;
    *len = 0;
    return r->highest ? SLU_OK : SLU_ERR_NOT_FOUND;
}

struct slu_store slu_remote_store(struct slu_remote *remote)
{
    return (struct slu_store){.context = remote, .get = get, .scan = scan, .last = last};
}

const char *slu_remote_why(const struct slu_remote *remote)
{
    return remote->why;
}

struct slu_remote *slu_remote_open(struct slu_urls *urls, const uint8_t chain_id32[32], char *why,
                                   size_t why_cap)
{
    struct slu_remote *r = calloc(1, sizeof *r);
    struct record *part = NULL;
    uint32_t taken;
    snprintf(why, why_cap, "%s", slu_strerror(SLU_ERR_MEMORY));
    if (!r)
        return NULL;
    r->urls = urls;
    memcpy(r->chain_id, chain_id32, 32);
    if (ask(r, NULL, 0, &taken, &part) == SLU_OK)
        return r;
    snprintf(why, why_cap, "%s", r->why);
    slu_remote_close(r);
    return NULL;
}

void slu_remote_close(struct slu_remote *remote)
{
    if (!remote)
        return;
    forget(remote);
    slu_session_close(remote->session);
    free(remote);
}
