#include "crypto/keyguard.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

#include "sluice/error.h"

#define SLU_GUARD_VIEWS 1024u

struct guard_view {
    uint64_t view;
    uint8_t notarized[32];
    bool has_notarized;
    bool has_nullified;
    bool has_finalized;
};

struct slu_keyguard {
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    uint8_t public32[32];
    pthread_mutex_t lock;
    struct guard_view views[SLU_GUARD_VIEWS];
};

struct slu_keyguard *slu_keyguard_new(const uint8_t seed32[32])
{
    struct slu_keyguard *guard = sodium_malloc(sizeof *guard);
    if (!guard)
        return NULL;
    memset(guard, 0, sizeof *guard);
    pthread_mutex_init(&guard->lock, NULL);
    crypto_sign_seed_keypair(guard->public32, guard->secret, seed32);
    return guard;
}

void slu_keyguard_free(struct slu_keyguard *guard)
{
    if (!guard)
        return;
    pthread_mutex_destroy(&guard->lock);
    sodium_free(guard); /* zeroes */
}

void slu_keyguard_public(const struct slu_keyguard *guard, uint8_t public32[32])
{
    memcpy(public32, guard->public32, 32);
}

/* Whether the rules of a view allow this vote; notes it when they do. */
static bool allow_vote(struct slu_keyguard *guard, enum slu_role role, uint64_t view,
                       const uint8_t digest32[32])
{
    struct guard_view *slot = &guard->views[view % SLU_GUARD_VIEWS];
    if (slot->view > view)
        return true; /* older than what is remembered: the vote log's business */
    if (slot->view != view)
        *slot = (struct guard_view){.view = view};
    if (role == SLU_ROLE_NOTARIZE) {
        if (slot->has_notarized)
            return !memcmp(slot->notarized, digest32, 32);
        if (slot->has_nullified)
            return false;
        slot->has_notarized = true;
        memcpy(slot->notarized, digest32, 32);
    } else if (role == SLU_ROLE_NULLIFY) {
        if (slot->has_finalized)
            return false;
        slot->has_nullified = true;
    } else {
        if (slot->has_nullified)
            return false;
        slot->has_finalized = true;
    }
    return true;
}

int slu_keyguard_sign(struct slu_keyguard *guard, uint8_t signature64[64], enum slu_role role,
                      uint64_t view, const uint8_t digest32[32])
{
    bool is_vote =
        role == SLU_ROLE_NOTARIZE || role == SLU_ROLE_NULLIFY || role == SLU_ROLE_FINALIZE;
    pthread_mutex_lock(&guard->lock);
    bool allowed = !is_vote || allow_vote(guard, role, view, digest32);
    pthread_mutex_unlock(&guard->lock);
    if (!allowed)
        return SLU_ERR_REFUSED;
    crypto_sign_detached(signature64, NULL, digest32, 32, guard->secret);
    return SLU_OK;
}

static int signer_sign(void *context, uint8_t signature64[64], enum slu_role role, uint64_t view,
                       const uint8_t digest32[32])
{
    return slu_keyguard_sign(context, signature64, role, view, digest32);
}

struct slu_signer slu_keyguard_signer(struct slu_keyguard *guard)
{
    return (struct slu_signer){.context = guard, .sign = signer_sign};
}

bool slu_signature_ok(const uint8_t public32[32], const uint8_t digest32[32],
                      const uint8_t signature64[64])
{
    return crypto_sign_verify_detached(signature64, digest32, 32, public32) == 0;
}
