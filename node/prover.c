#include "node/prover.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/release_record.h"
#include "node/prover_places.h"
#include "node/queueing.h"
#include "sluice/error.h"
#include "wire/block.h"
#include "wire/key_cert.h"
#include "wire/proof.h"

#define FOUND     1   /* ends a scan */
#define KEY_BYTES 16u /* before the certificate in its record: from when the key is in force */

struct slu_prover {
    struct slu_disk_view *view;
    const struct slu_genesis *genesis;
    struct slu_places *places;
    struct slu_proof proof;
    uint8_t *block, *parent; /* malloc'd */
    uint8_t key_cert[SLU_KEY_CERT_BYTES_MAX];
    uint8_t runs[SLU_PROOF_BYTES_MAX];
    uint8_t bytes[SLU_PROOF_BYTES_MAX];
};

struct slu_prover *slu_prover_new(struct slu_disk *disk, const struct slu_genesis *genesis,
                                  struct slu_metrics *metrics)
{
    struct slu_prover *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->genesis = genesis;
    p->view = slu_disk_view_new(disk);
    p->places = slu_places_new(disk, genesis, metrics);
    if (p->view == NULL || p->places == NULL) {
        slu_prover_free(p);
        return NULL;
    }
    return p;
}

void slu_prover_free(struct slu_prover *prover)
{
    if (prover == NULL)
        return;
    free(prover->block);
    free(prover->parent);
    slu_places_free(prover->places);
    slu_disk_view_free(prover->view);
    free(prover);
}

static int get(struct slu_prover *p, enum slu_record_kind kind, uint64_t a, uint64_t b,
               const uint8_t **value, size_t *len)
{
    const struct slu_store *store = slu_disk_view_store(p->view);
    struct slu_record_key key = {.kind = kind, .a = a, .b = b};
    return store->get(store->context, &key, value, len);
}

static int scan(struct slu_prover *p, enum slu_record_kind kind, uint64_t from, uint64_t end,
                int (*visit)(void *, const struct slu_record_key *, const uint8_t *, size_t),
                void *visitor)
{
    const struct slu_store *store = slu_disk_view_store(p->view);
    struct slu_record_key lo = {.kind = kind, .a = from}, hi = {.kind = kind, .a = end};
    return store->scan(store->context, &lo, &hi, visit, visitor);
}

/* ---- releases ---- */

static int visit_cert(void *context, const struct slu_record_key *key, const uint8_t *value,
                      size_t len)
{
    (void)value;
    (void)len;
    *(uint64_t *)context = key->a;
    return FOUND;
}

/* The lowest certified height at or above one; 0: none. */
static uint64_t certified_above(void *context, uint64_t height)
{
    uint64_t found = 0;
    int error = scan(context, SLU_REC_RELEASE_CERT, height, height + SLU_RELEASE_RUN_MAX,
                     visit_cert, &found);
    return error == FOUND ? found : 0;
}

/* The highest; 0: none. */
static int certified_top(struct slu_prover *p, uint64_t *top)
{
    const struct slu_store *store = slu_disk_view_store(p->view);
    struct slu_record_key key;
    const uint8_t *value;
    size_t len;
    int error = store->last(store->context, SLU_REC_RELEASE_CERT, &key, &value, &len);
    *top = error == 0 ? key.a : 0;
    return error == SLU_ERR_NOT_FOUND ? 0 : error;
}

struct gathering {
    struct slu_prover *p;
    struct slu_writer *w;
    uint64_t first, next; /* heights */
};

static int visit_release(void *context, const struct slu_record_key *key, const uint8_t *value,
                         size_t len)
{
    struct gathering *g = context;
    struct slu_release_record record;
    if (key->a != g->next)
        return SLU_ERR_NOT_FOUND;
    if (slu_release_record_open(&record, g->p->genesis->chain_id, value, len) != 0)
        return SLU_ERR_CORRUPT;
    slu_proof_release_write(g->w, &record.release, g->next++ == g->first);
    return g->w->failed ? SLU_ERR_LIMIT : 0;
}

static int write_run(struct slu_prover *p, const struct slu_proof_span *span, struct slu_writer *w,
                     struct slu_proof_run *run)
{
    struct gathering g = {.p = p, .w = w, .first = span->from, .next = span->from};
    struct slu_release_cert cert;
    const uint8_t *value;
    size_t len;
    if (span->to - span->from >= SLU_PROOF_RUN_MAX)
        return SLU_ERR_LIMIT;
    *run = (struct slu_proof_run){.first = span->from,
                                  .count = (uint16_t)(span->to - span->from + 1),
                                  .signers = slu_genesis_q(p->genesis),
                                  .releases = w->at};
    int error = scan(p, SLU_REC_RELEASE, span->from, span->to + 1, visit_release, &g);
    if (error == 0 && g.next != span->to + 1)
        error = SLU_ERR_NOT_FOUND;
    if (error == 0)
        error = get(p, SLU_REC_RELEASE_CERT, span->to, 0, &value, &len);
    if (error != 0)
        return error;
    struct slu_reader r = slu_reader_of(value, len);
    if (slu_release_cert_read(&r, p->genesis, &cert) != 0)
        return SLU_ERR_CORRUPT;
    run->signatures = w->at;
    slu_proof_signers_write(w, &cert);
    return w->failed ? SLU_ERR_LIMIT : 0;
}

/* The runs that show what is in the proof so far. */
static int fill_runs(struct slu_prover *p)
{
    struct slu_proof *proof = &p->proof;
    struct slu_proof_span spans[SLU_PROOF_RUNS_MAX];
    struct slu_writer w = slu_writer_of(p->runs, sizeof p->runs);
    uint64_t heights[SLU_PROOF_RUNS_MAX];
    uint8_t count = 0;
    if (proof->has_queued && proof->queued_height < proof->ordered.height)
        heights[count++] = proof->queued_height;
    heights[count++] = proof->ordered.height;
    if (proof->has_opened && proof->opened.height > proof->ordered.height)
        heights[count++] = proof->opened.height;
    proof->runs =
        slu_proof_plan(spans, heights, count, slu_genesis_q(p->genesis), certified_above, p);
    int error = proof->runs > 0 ? 0 : SLU_ERR_REFUSED;
    for (uint8_t i = 0; i < proof->runs && error == 0; i++)
        error = write_run(p, &spans[i], &w, &proof->run[i]);
    return error;
}

/* ---- where it was queued ---- */

/* A copy of the block in its FINAL record. */
static int copy_block(struct slu_prover *p, uint64_t height, uint8_t **copy, uint32_t *copy_len)
{
    struct slu_block block; /* for its length only */
    const uint8_t *value;
    size_t len;
    int error = get(p, SLU_REC_FINAL, height, 0, &value, &len);
    if (error != 0)
        return error;
    struct slu_reader r = slu_reader_of(value, len);
    if (slu_block_read(&r, p->genesis, &block) != 0)
        return SLU_ERR_CORRUPT;
    *copy_len = (uint32_t)(r.at - value);
    *copy = malloc(*copy_len);
    if (*copy == NULL)
        return SLU_ERR_MEMORY;
    memcpy(*copy, value, *copy_len);
    return 0;
}

static int fill_queued(struct slu_prover *p, const struct slu_tx_status *status)
{
    struct slu_proof *proof = &p->proof;
    struct slu_queueing found;
    size_t bytes_left = SLU_PROVER_BYTES_MAX;
    int error = slu_queueing_find(&found, slu_disk_view_store(p->view), p->genesis, status->height,
                                  status->id, &bytes_left);
    if (error != 0 || found.queued == 0)
        return error;
    proof->queued_height = found.queued;
    error = copy_block(p, found.queued, &p->block, &proof->block_len);
    if (error == 0 && found.queued > 1)
        error = copy_block(p, found.queued - 1, &p->parent, &proof->parent_len);
    proof->block = p->block;
    proof->parent = p->parent;
    proof->has_queued = error == 0;
    return error == SLU_ERR_NOT_FOUND ? 0 : error; /* pruned */
}

/* ---- where it was opened ---- */

/* The certificate of a key that was ever in force. */
static int fill_key(struct slu_prover *p, const uint8_t key_id32[32])
{
    struct slu_key_cert cert;
    for (uint64_t number = 0;; number++) {
        const uint8_t *value;
        size_t len;
        int error = get(p, SLU_REC_STATE, SLU_STATE_KEY, number, &value, &len);
        if (error != 0)
            return error == SLU_ERR_NOT_FOUND ? SLU_ERR_CORRUPT : error;
        struct slu_reader r = slu_reader_of(value, len);
        const uint8_t *head = slu_read_bytes(&r, KEY_BYTES);
        if (head == NULL || slu_key_cert_read(&r, p->genesis, &cert) != 0)
            return SLU_ERR_CORRUPT;
        if (memcmp(cert.key.key_id, key_id32, 32) != 0)
            continue;
        p->proof.key_cert_len = (uint16_t)(r.at - head - KEY_BYTES);
        p->proof.key_cert = memcpy(p->key_cert, head + KEY_BYTES, p->proof.key_cert_len);
        return 0;
    }
}

static int fill_opened(struct slu_prover *p, const struct slu_tx_status *status, uint64_t rollup,
                       uint64_t top)
{
    struct slu_proof *proof = &p->proof;
    struct slu_proof_place *at = &proof->opened;
    struct slu_opening opening;
    int error = slu_places_opened(p->places, status, rollup, &proof->ordered, top, at);
    if (error == SLU_ERR_NOT_FOUND)
        return 0; /* not yet, or too far */
    if (error != 0)
        return error;
    proof->has_opened = true;
    if (at->entry.kind == SLU_ENTRY_VOID)
        return 0;
    proof->ordered.entry.payload_len = 0; /* it follows from what was inside */
    if (slu_opening_read(&opening, at->entry.payload, at->entry.payload_len, true) != 0)
        return SLU_ERR_CORRUPT;
    return fill_key(p, opening.key_id32);
}

/* ---- all of it ---- */

static int write(struct slu_prover *p, const uint8_t **bytes, size_t *len)
{
    struct slu_writer w = slu_writer_of(p->bytes, sizeof p->bytes);
    int error = fill_runs(p);
    if (error != 0)
        return error;
    slu_proof_write(&w, &p->proof);
    *bytes = p->bytes;
    *len = slu_writer_len(&w);
    return w.failed ? SLU_ERR_LIMIT : 0;
}

int slu_prover_make(struct slu_prover *p, const struct slu_tx_status *status, uint64_t rollup,
                    const uint8_t **bytes, size_t *len)
{
    struct slu_proof *proof = &p->proof;
    struct slu_tx_status found = *status;
    uint64_t top;
    free(p->block);
    free(p->parent);
    p->block = p->parent = NULL;
    *proof = (struct slu_proof){.chain_id32 = p->genesis->chain_id};
    int error = certified_top(p, &top);
    if (error == 0 && status->height > top)
        return SLU_ERR_REFUSED;
    if (error == 0)
        error = slu_places_ordered(p->places, status, rollup, &proof->ordered);
    found.index = proof->ordered.entry.index;
    if (error == 0 && (proof->ordered.entry.kind & ~SLU_ENTRY_FORCED) == SLU_TX_SEALED)
        error = fill_opened(p, &found, rollup, top);
    if (error == 0 && (proof->ordered.entry.kind & SLU_ENTRY_FORCED) != 0)
        error = fill_queued(p, &found);
    if (error == 0)
        error = write(p, bytes, len);
    if (error == SLU_ERR_LIMIT && proof->has_queued) { /* lists of a flood */
        proof->has_queued = false;
        error = write(p, bytes, len);
    }
    return error;
}
