#include "node/proofs.h"

#include <pthread.h>
#include <stdlib.h>

#include "node/prover.h"
#include "node/ring.h"
#include "sluice/error.h"

struct job {
    struct slu_client *client; /* held */
    uint64_t request_id;
    struct slu_tx_status status;
    uint64_t rollup; /* of a bundle: in whose list */
};

struct slu_proofs {
    struct slu_ring queue;
    struct slu_prover *prover;
    pthread_t thread;
};

static void reply(struct slu_client *client, uint64_t request_id, const uint8_t *bytes, size_t len,
                  const char *reason)
{
    Slu__Client__ProofReply proof = SLU__CLIENT__PROOF_REPLY__INIT;
    Slu__Client__Reply answer = SLU__CLIENT__REPLY__INIT;
    proof.proof = (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)bytes};
    proof.reason = (char *)(uintptr_t)reason;
    answer.id = request_id;
    answer.body_case = SLU__CLIENT__REPLY__BODY_PROOF;
    answer.proof = &proof;
    slu_client_reply(client, &answer);
}

/* NULL: it is worth a proof. */
static const char *too_early(const struct slu_tx_status *status)
{
    switch ((enum slu_tx_stage)status->stage) {
    case SLU_STAGE_FINAL:
        return NULL;
    case SLU_STAGE_UNKNOWN:
        return "unknown";
    case SLU_STAGE_DROPPED:
        return "dropped";
    case SLU_STAGE_ACCEPTED:
    case SLU_STAGE_CERTIFIED:
    case SLU_STAGE_ORDERED:
    case SLU_STAGE_HELD:
    case SLU_STAGE_HELD_CERTIFIED:
    case SLU_STAGE_QUEUED:
        break;
    }
    return "not_final";
}

static void answer(struct slu_proofs *p, const struct job *job)
{
    const uint8_t *bytes = NULL;
    size_t len = 0;
    int error = slu_prover_make(p->prover, &job->status, job->rollup, &bytes, &len);
    if (error == 0)
        reply(job->client, job->request_id, bytes, len, "");
    else if (error == SLU_ERR_REFUSED)
        reply(job->client, job->request_id, NULL, 0, "not_certified");
    else if (error == SLU_ERR_LIMIT)
        reply(job->client, job->request_id, NULL, 0, "too_long");
    else if (error == SLU_ERR_NOT_FOUND)
        reply(job->client, job->request_id, NULL, 0, "pruned");
    else if (error == SLU_ERR_MISMATCH)
        reply(job->client, job->request_id, NULL, 0, "not_there");
    else /* a damaged store stops the node elsewhere */
        slu_client_error(job->client, job->request_id, "failed", slu_strerror(error), 0);
}

static void job_free(struct job *job)
{
    slu_client_release(job->client);
    free(job);
}

static void *proofs_thread(void *context)
{
    struct slu_proofs *p = context;
    void *item;
    for (;;) {
        if (slu_ring_take(&p->queue, &item, 1, SIZE_MAX, UINT64_MAX) == 0) {
            if (slu_ring_closed(&p->queue))
                return NULL;
            continue;
        }
        struct job *job = item;
        if (!atomic_load(&job->client->gone) && !slu_ring_closed(&p->queue))
            answer(p, job);
        job_free(job);
    }
}

int slu_proofs_start(struct slu_proofs **proofs, struct slu_disk *disk,
                     const struct slu_genesis *genesis, struct slu_metrics *metrics)
{
    struct slu_proofs *p = calloc(1, sizeof *p);
    if (p == NULL)
        return SLU_ERR_MEMORY;
    p->prover = slu_prover_new(disk, genesis, metrics);
    int error = slu_ring_init(&p->queue, SLU_PROOFS_WAITING_MAX, SIZE_MAX);
    if (error == 0 && p->prover == NULL)
        error = SLU_ERR_MEMORY;
    if (error == 0 && pthread_create(&p->thread, NULL, proofs_thread, p) != 0)
        error = SLU_ERR_IO;
    if (error != 0) {
        slu_ring_destroy(&p->queue);
        slu_prover_free(p->prover);
        free(p);
        return error;
    }
    pthread_setname_np(p->thread, "proofs");
    *proofs = p;
    return 0;
}

int slu_proofs_put(struct slu_proofs *proofs, struct slu_client *client, uint64_t request_id,
                   const struct slu_tx_status *status, uint64_t rollup)
{
    const char *reason = too_early(status);
    if (reason != NULL) {
        reply(client, request_id, NULL, 0, reason);
        return 0;
    }
    struct job *job = malloc(sizeof *job);
    if (job == NULL)
        return SLU_ERR_BUSY;
    *job = (struct job){.client = slu_client_hold(client),
                        .request_id = request_id,
                        .status = *status,
                        .rollup = rollup};
    if (slu_ring_put(&proofs->queue, job, 0, 100) == 0)
        return 0;
    job_free(job);
    return SLU_ERR_BUSY;
}

void slu_proofs_stop(struct slu_proofs *proofs)
{
    void *item;
    if (proofs == NULL)
        return;
    slu_ring_close(&proofs->queue);
    pthread_join(proofs->thread, NULL);
    while (slu_ring_take(&proofs->queue, &item, 1, SIZE_MAX, 0) == 1)
        job_free(item);
    slu_ring_destroy(&proofs->queue);
    slu_prover_free(proofs->prover);
    free(proofs);
}
