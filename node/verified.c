#include "node/verified.h"

#include <stdlib.h>
#include <string.h>

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
    return v;
}

void slu_verified_free(struct slu_verified *verified)
{
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
    if (place->used && place->node == node && memcmp(place->digest, digest32, 32) == 0 &&
        memcmp(place->signature, signature64, 64) == 0) {
        slu_metrics_add(v->metrics, SLU_METRIC_SIGNATURES_KNOWN, 1);
        return true;
    }
    slu_metrics_add(v->metrics, SLU_METRIC_SIGNATURES_CHECKED, 1);
    if (!slu_signature_ok(v->genesis->nodes[node].public32, digest32, signature64))
        return false;
    place->used = true;
    place->node = node;
    memcpy(place->digest, digest32, 32);
    memcpy(place->signature, signature64, 64);
    return true;
}

struct slu_verifier slu_verified_verifier(struct slu_verified *verified)
{
    return (struct slu_verifier){.context = verified, .verify = verify};
}
