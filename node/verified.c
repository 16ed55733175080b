#include "node/verified.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/verify_keys.h"

#define PLACES 8192u

struct place {
    uint16_t node;
    bool used;
    uint8_t digest[32];
    uint8_t signature[64];
};

struct slu_verified {
    const struct slu_genesis *genesis;
    struct slu_metrics *metrics;
    struct slu_verify_keys *keys;
    pthread_mutex_t lock;
    struct place places[PLACES];
};

struct slu_verified *slu_verified_new(const struct slu_genesis *genesis,
                                      struct slu_metrics *metrics)
{
    struct slu_verified *v = calloc(1, sizeof *v);
    if (v == NULL)
        return NULL;
    v->genesis = genesis;
    v->metrics = metrics;
    pthread_mutex_init(&v->lock, NULL);
    uint8_t public32[SLU_NODES_MAX][32];
    for (uint16_t i = 0; i < genesis->n; i++)
        memcpy(public32[i], genesis->nodes[i].public32, 32);
    v->keys = slu_verify_keys_new((const uint8_t(*)[32])public32, genesis->n);
    if (v->keys == NULL) {
        slu_verified_free(v);
        return NULL;
    }
    return v;
}

void slu_verified_free(struct slu_verified *verified)
{
    if (verified == NULL)
        return;
    slu_verify_keys_free(verified->keys);
    pthread_mutex_destroy(&verified->lock);
    free(verified);
}

static bool verify(void *context, uint16_t node, const uint8_t digest32[32],
                   const uint8_t signature64[64])
{
    struct slu_verified *v = context;
    uint32_t word;
    if (node >= v->genesis->n)
        return false;
    memcpy(&word, signature64, sizeof word);
    struct place *place = &v->places[(word ^ node) % PLACES];
    pthread_mutex_lock(&v->lock);
    bool known = place->used && place->node == node && memcmp(place->digest, digest32, 32) == 0 &&
                 memcmp(place->signature, signature64, 64) == 0;
    pthread_mutex_unlock(&v->lock);
    if (known) {
        slu_metrics_add(v->metrics, SLU_METRIC_SIGNATURES_KNOWN, 1);
        return true;
    }
    slu_metrics_add(v->metrics, SLU_METRIC_SIGNATURES_CHECKED, 1);
    if (!slu_verify_keys_ok(v->keys, node, digest32, signature64))
        return false;
    pthread_mutex_lock(&v->lock);
    place->used = true;
    place->node = node;
    memcpy(place->digest, digest32, 32);
    memcpy(place->signature, signature64, 64);
    pthread_mutex_unlock(&v->lock);
    return true;
}

struct slu_verifier slu_verified_verifier(struct slu_verified *verified)
{
    return (struct slu_verifier){.context = verified, .verify = verify};
}
