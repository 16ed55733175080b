#include "node/lookup.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "consensus/order.h"
#include "node/queueing.h"
#include "node/ring.h"
#include "sluice/error.h"

#define WAITING_MAX     16u
#define OUTCOME_DROPPED UINT32_C(0x80000000) /* docs/STORAGE.md clause 1.2 */
#define TABLE           (2u * SLU_QUERY_IDS_MAX)
#define NONE            UINT32_MAX

struct job {
    uint64_t token, from;
    struct slu_tx_status *statuses;
    uint32_t count;
    bool queueing;
};

struct slu_lookup {
    struct slu_ring queue;
    struct slu_disk_view *view;
    const struct slu_genesis *genesis;
    void (*done)(void *context, uint64_t token);
    void *context;
    _Atomic bool stopping;
    pthread_t thread;
    uint32_t table[TABLE]; /* places of the wanted ids */
};

static uint32_t slot_of(const uint8_t id32[32])
{
    uint32_t word;
    memcpy(&word, id32, sizeof word); /* ids are hashes */
    return word % TABLE;
}

static uint32_t fill_table(struct slu_lookup *l, const struct job *job)
{
    uint32_t wanted = 0;
    memset(l->table, 0xff, sizeof l->table);
    for (uint32_t i = 0; i < job->count; i++) {
        if (job->statuses[i].stage != SLU_STAGE_UNKNOWN)
            continue;
        uint32_t slot = slot_of(job->statuses[i].id);
        while (l->table[slot] != NONE)
            slot = (slot + 1) % TABLE;
        l->table[slot] = i;
        wanted++;
    }
    return wanted;
}

/* The wanted status of this id that is still unknown; NULL: none. */
static struct slu_tx_status *find(struct slu_lookup *l, const struct job *job,
                                  const uint8_t id32[32])
{
    for (uint32_t slot = slot_of(id32); l->table[slot] != NONE; slot = (slot + 1) % TABLE) {
        struct slu_tx_status *status = &job->statuses[l->table[slot]];
        if (status->stage == SLU_STAGE_UNKNOWN && memcmp(status->id, id32, 32) == 0)
            return status;
    }
    return NULL;
}

/* Looks through one height's record, and takes what it found off `wanted`. False: it is damaged. */
typedef bool height_visitor(struct slu_lookup *l, const struct job *job, uint64_t height,
                            const uint8_t *value, size_t len, uint32_t *wanted);

static bool visit_ids(struct slu_lookup *l, const struct job *job, uint64_t height,
                      const uint8_t *value, size_t len, uint32_t *wanted)
{
    struct slu_reader r = slu_reader_of(value, len);
    uint32_t count = slu_read_u32(&r);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *id = slu_read_bytes(&r, 32);
        uint32_t outcome = slu_read_u32(&r);
        if (r.failed)
            return false;
        struct slu_tx_status *status = find(l, job, id);
        bool dropped = (outcome & OUTCOME_DROPPED) != 0;
        /* A duplicate was queued when it was delivered already: where is in an older record. */
        if (status == NULL || (dropped && (outcome & 0xffu) == SLU_DROP_DUPLICATE))
            continue;
        status->stage = dropped ? SLU_STAGE_DROPPED : SLU_STAGE_FINAL;
        status->height = height;
        if (dropped)
            status->drop = (uint8_t)(outcome & 0xffu);
        else
            status->index = outcome;
        (*wanted)--;
    }
    return true;
}

/* What came out of the queue stands first among a height's entries. */
static bool visit_delivered(struct slu_lookup *l, const struct job *job, uint64_t height,
                            const uint8_t *value, size_t len, uint32_t *wanted)
{
    struct slu_delivered record;
    struct slu_delivered_inbox item;
    uint32_t index = 0;
    if (slu_delivered_open(&record, value, len) != 0)
        return false;
    for (uint32_t i = 0; i < record.inbox_count; i++) {
        slu_delivered_next_inbox(&record, &item);
        if (item.outcome != SLU_DROP_NONE)
            continue;
        struct slu_tx_status *status = find(l, job, item.tuple.id);
        if (status != NULL) {
            status->stage = SLU_STAGE_FINAL;
            status->height = height;
            status->index = index;
            (*wanted)--;
        }
        index++;
    }
    return true;
}

static void search(struct slu_lookup *l, const struct job *job, enum slu_record_kind kind,
                   height_visitor *visit)
{
    const struct slu_store *store = slu_disk_view_store(l->view);
    uint32_t wanted = fill_table(l, job);
    struct slu_record_key lowest, key = {.kind = kind};
    const uint8_t *value;
    size_t len, bytes = 0;
    if (wanted == 0 || slu_disk_view_first(l->view, kind, &lowest, &value, &len) != 0)
        return;
    for (uint32_t heights = 0; heights < SLU_LOOKUP_HEIGHTS_MAX && wanted > 0; heights++) {
        if (job->from < lowest.a + heights || bytes > SLU_LOOKUP_BYTES_MAX ||
            atomic_load(&l->stopping))
            return;
        key.a = job->from - heights;
        int error = store->get(store->context, &key, &value, &len);
        if (error == SLU_ERR_NOT_FOUND)
            continue; /* a height without transactions */
        if (error != 0)
            return;
        bytes += len;
        if (!visit(l, job, key.a, value, len, &wanted))
            return;
    }
}

bool slu_lookup_wants(const struct slu_tx_status *status, bool queueing)
{
    return status->stage == SLU_STAGE_UNKNOWN ||
           (queueing && status->stage == SLU_STAGE_FINAL && status->queued == 0);
}

static void search_queueings(struct slu_lookup *l, const struct job *job)
{
    size_t bytes_left = SLU_LOOKUP_BYTES_MAX;
    for (uint32_t i = 0; i < job->count && !atomic_load(&l->stopping); i++) {
        struct slu_tx_status *status = &job->statuses[i];
        struct slu_queueing found;
        if (status->stage != SLU_STAGE_FINAL || !slu_lookup_wants(status, job->queueing))
            continue;
        if (slu_queueing_find(&found, slu_disk_view_store(l->view), l->genesis, status->height,
                              status->id, &bytes_left) != 0)
            return; /* a damaged store stops the node elsewhere */
        status->forced = found.forced;
        status->queued = found.queued;
        status->due = found.due;
    }
}

static void *lookup_thread(void *context)
{
    struct slu_lookup *l = context;
    void *item;
    for (;;) {
        if (slu_ring_take(&l->queue, &item, 1, SIZE_MAX, UINT64_MAX) == 0) {
            if (slu_ring_closed(&l->queue))
                return NULL;
            continue;
        }
        struct job *job = item;
        if (job->queueing) /* records that are far shorter than those of all ids */
            search(l, job, SLU_REC_DELIVERED, visit_delivered);
        search(l, job, SLU_REC_IDS, visit_ids);
        search_queueings(l, job);
        l->done(l->context, job->token);
        free(job);
    }
}

int slu_lookup_start(struct slu_lookup **lookup, struct slu_disk *disk,
                     const struct slu_genesis *genesis, void (*done)(void *context, uint64_t token),
                     void *context)
{
    struct slu_lookup *l = calloc(1, sizeof *l);
    if (l == NULL)
        return SLU_ERR_MEMORY;
    l->view = slu_disk_view_new(disk);
    l->genesis = genesis;
    l->done = done;
    l->context = context;
    int error = slu_ring_init(&l->queue, WAITING_MAX, SIZE_MAX);
    if (error == 0 && l->view == NULL)
        error = SLU_ERR_MEMORY;
    if (error == 0 && pthread_create(&l->thread, NULL, lookup_thread, l) != 0)
        error = SLU_ERR_IO;
    if (error != 0) {
        slu_ring_destroy(&l->queue);
        slu_disk_view_free(l->view);
        free(l);
        return error;
    }
    pthread_setname_np(l->thread, "lookup");
    *lookup = l;
    return 0;
}

int slu_lookup_put(struct slu_lookup *lookup, uint64_t token, struct slu_tx_status *statuses,
                   uint32_t count, uint64_t from, bool queueing)
{
    struct job *job = malloc(sizeof *job);
    if (job == NULL)
        return SLU_ERR_BUSY;
    *job = (struct job){
        .token = token, .from = from, .statuses = statuses, .count = count, .queueing = queueing};
    int error = slu_ring_put(&lookup->queue, job, 0, 100);
    if (error != 0)
        free(job);
    return error;
}

void slu_lookup_stop(struct slu_lookup *lookup)
{
    if (lookup == NULL)
        return;
    atomic_store(&lookup->stopping, true);
    slu_ring_close(&lookup->queue);
    pthread_join(lookup->thread, NULL);
    slu_ring_destroy(&lookup->queue);
    slu_disk_view_free(lookup->view);
    free(lookup);
}
