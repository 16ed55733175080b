/* An audit from start to end. */
#include "audit/audit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "audit/state.h"
#include "base/arena.h"
#include "base/limits.h"
#include "sluice/error.h"

static bool verify(void *context, uint16_t node, const uint8_t digest32[32],
                   const uint8_t signature64[64])
{
    return slu_verify_keys_ok(context, node, digest32, signature64);
}

/* ---- memory ---- */

static void *take(struct slu_audit *a, size_t bytes)
{
    void *at = calloc(1, bytes);
    if (at)
        a->memory[a->memory_count++] = at;
    return at;
}

static int take_set(struct slu_audit *a, struct slu_idset *set, uint32_t cap)
{
    size_t bytes = slu_idset_bytes(cap);
    void *memory = take(a, bytes);
    uint64_t seed;
    if (!memory)
        return SLU_ERR_MEMORY;
    struct slu_arena arena = slu_arena_of(memory, bytes);
    randombytes_buf(&seed, sizeof seed);
    slu_idset_init(set, &arena, cap, seed);
    return SLU_OK;
}

static int init(struct slu_audit *a)
{
    const struct slu_params *p = &a->g->params;
    uint8_t public32[SLU_NODES_MAX][32];
    for (uint16_t i = 0; i < a->n; i++)
        memcpy(public32[i], a->g->nodes[i].public32, 32);
    if (!a->verifier.verify) {
        a->keys = slu_verify_keys_new((const uint8_t(*)[32])public32, a->n);
        a->verifier = (struct slu_verifier){.context = a->keys, .verify = verify};
    }
    a->ring_cap = 2u * p->inbox_ids_max + slu_inbox_per_block(a->g);
    a->reports = take(a, a->q * sizeof *a->reports);
    a->headers = take(a, AUDIT_HEADERS * sizeof *a->headers);
    a->ring = take(a, a->ring_cap * sizeof *a->ring);
    if (!a->verifier.context || !a->reports || !a->headers || !a->ring)
        return SLU_ERR_MEMORY;
    int rc = take_set(a, &a->ring_ids, (uint32_t)a->ring_cap);
    if (!rc)
        rc = take_set(a, &a->dedup, p->dedup_entries_max + p->inbox_ids_max + SLU_OFFENCES * a->n);
    if (!rc)
        rc = audit_sealed_init(a);
    return rc ? rc : audit_releases_init(a);
}

struct slu_audit *slu_audit_new(const struct slu_genesis *genesis, const struct slu_store *store,
                                const struct slu_store *const *others, size_t other_count,
                                const struct slu_verifier *verifier)
{
    struct slu_audit *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->g = genesis;
    a->n = genesis->n;
    a->f = slu_genesis_f(genesis);
    a->q = slu_genesis_q(genesis);
    a->store = store;
    a->others = others;
    a->other_count = other_count;
    if (verifier)
        a->verifier = *verifier;
    if (init(a)) {
        slu_audit_free(a);
        return NULL;
    }
    return a;
}

void slu_audit_free(struct slu_audit *audit)
{
    if (!audit)
        return;
    struct audit_bytes *bytes[] = {&audit->parent_list,     &audit->list,  &audit->bodies,
                                   &audit->work_list,       &audit->ids,   &audit->drops,
                                   &audit->delivered_bytes, &audit->record};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
        audit_bytes_free(bytes[i]);
    for (size_t i = 0; i < audit->memory_count; i++)
        free(audit->memory[i]);
    slu_verify_keys_free(audit->keys);
    free(audit->lane_batches);
    free(audit->plan);
    free(audit->path);
    free(audit->dues);
    free(audit->shown);
    free(audit->plain);
    free(audit);
}

/* ---- the range ---- */

static int note_first(void *visitor, const struct slu_record_key *key, const uint8_t *value,
                      size_t len)
{
    (void)value;
    (void)len;
    *(uint64_t *)visitor = key->a;
    return 1;
}

int slu_audit_range(const struct slu_store *store, uint64_t *from, uint64_t *to)
{
    struct slu_record_key first = {.kind = SLU_REC_DELIVERED}, end = {.kind = SLU_REC_IDS}, key;
    const uint8_t *value;
    size_t len;
    *from = 0;
    int rc = store->scan(store->context, &first, &end, note_first, from);
    if (rc < 0)
        return rc;
    rc = store->last(store->context, SLU_REC_RELEASE, &key, &value, &len);
    if (rc)
        return rc;
    *to = key.a;
    return *from > 0 && *from <= *to ? SLU_OK : SLU_ERR_NOT_FOUND;
}

/* ---- below a range that begins above 1 ---- */

/* Ids that were delivered at a height below: into the window, and onto the queue's entries. */
static int recall_ids(struct slu_audit *a, const struct slu_block *block, bool in_window)
{
    const uint8_t *value;
    size_t len;
    int rc = audit_get(a->store, SLU_REC_IDS, block->height, 0, NULL, &value, &len);
    if (rc)
        return rc == SLU_ERR_NOT_FOUND ? SLU_OK : rc;
    struct slu_reader r = slu_reader_of(value, len);
    for (uint32_t count = slu_read_u32(&r); count > 0 && !r.failed; count--) {
        const uint8_t *id = slu_read_bytes(&r, 32);
        uint32_t outcome = slu_read_u32(&r), dropped = UINT32_C(0x80000000);
        if (r.failed)
            break;
        bool duplicate = outcome == (dropped | SLU_DROP_DUPLICATE);
        struct audit_queued *queued = audit_queued_find(a, id);
        if (queued && (duplicate || !(outcome & dropped)) && block->height < queued->due)
            queued->done = true;
        if (in_window && !(outcome & dropped) && !slu_idset_find(&a->dedup, id) &&
            !slu_idset_add(&a->dedup, id, block->height, outcome, (uint32_t)block->time_ms))
            return SLU_ERR_LIMIT;
    }
    return SLU_OK;
}

/* The lowest height whose queue and ids matter to the range, as far as the records go. */
static uint64_t recall_from(struct slu_audit *a, bool *complete)
{
    struct slu_block block;
    struct audit_bytes list = {.at = NULL};
    uint64_t height = a->from - 1;
    *complete = false;
    while (height > 0 && !audit_read_block(a, height, &block, &list, NULL)) {
        if (!slu_queued_counts(a->g, block.time_ms, block.tail.height, &a->parent)) {
            *complete = true;
            break;
        }
        height--;
    }
    *complete |= height == 0;
    audit_bytes_free(&list);
    return height + 1;
}

static int recall(struct slu_audit *a)
{
    struct slu_block below;
    struct audit_bytes list = {.at = NULL};
    struct slu_queue_tail tail = {0};
    int rc = audit_read_block(a, a->from - 1, &a->parent, &a->parent_list, NULL);
    if (rc == SLU_ERR_NOT_FOUND || rc == SLU_ERR_MALFORMED)
        return audit_fault(a, SLU_AUDIT_CHAIN, "the block below the range is not there");
    if (rc)
        return rc;
    uint64_t height = recall_from(a, &a->queue_known);
    if (height > 1) {
        rc = audit_read_block(a, height - 1, &below, &list, NULL);
        tail = below.tail;
        if (rc) /* heights are not known without the tail */
            height = a->from;
        rc = SLU_OK;
    }
    a->dedup_known = a->queue_known;
    for (; height < a->from && !rc; height++) {
        rc = audit_read_block(a, height, &below, &list, NULL);
        if (!rc)
            rc = audit_queue_push(a, &below, &tail);
        tail = below.tail;
        if (!rc)
            rc = recall_ids(a, &below,
                            below.time_ms + a->g->params.dedup_window_ms >= a->parent.time_ms);
    }
    audit_bytes_free(&list);
    return rc;
}

static int start(struct slu_audit *a, uint64_t from)
{
    a->from = from;
    a->whole = from == 1;
    a->queue_known = a->dedup_known = a->whole;
    a->height = from - 1;
    if (a->whole)
        slu_block_genesis(&a->parent, a->g);
    int rc = a->whole ? SLU_OK : recall(a);
    a->start_ms = a->parent.time_ms;
    if (!rc && !a->whole)
        rc = audit_keys_load(a);
    return rc ? rc : audit_releases_start(a);
}

/* ---- the heights ---- */

static int audit_height(struct slu_audit *a)
{
    static int (*const steps[])(struct slu_audit *) = {
        audit_chain, audit_reports, audit_cuts,     audit_clock,
        audit_queue, audit_deliver, audit_openings, audit_releases,
    };
    int rc = SLU_OK;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !rc; i++)
        rc = steps[i](a);
    return rc;
}

/* What was before the range is forgotten by now. */
static void learn_start(struct slu_audit *a)
{
    if (a->block.time_ms > a->start_ms + a->g->params.dedup_window_ms)
        a->dedup_known = true;
}

int slu_audit_run(struct slu_audit *audit, uint64_t from, uint64_t to,
                  struct slu_audit_report *report)
{
    struct slu_audit *a = audit;
    *report = (struct slu_audit_report){.from = from, .to = to, .held = true};
    a->report = report;
    int rc = start(a, from);
    for (uint64_t height = from; height <= to && !rc; height++) {
        a->height = height;
        rc = audit_height(a);
        if (rc)
            break;
        learn_start(a);
        struct audit_bytes list = a->parent_list;
        a->parent_list = a->list;
        a->list = list;
        a->parent = a->block;
        a->parent.queued = a->parent_list.at;
    }
    if (!rc)
        rc = audit_chain_end(a);
    if (rc == SLU_AUDIT_FAULT)
        report->to = a->height;
    return rc == SLU_AUDIT_FAULT ? SLU_OK : rc;
}
