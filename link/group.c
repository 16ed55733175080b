#include "link/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void clock_callback(void *argument)
{
    struct slu_link_group *group = argument;
    pthread_mutex_lock(&group->mutex);
    uint64_t now_ms = nng_clock();
    for (struct slu_link *link = group->first; link != NULL; link = link->next)
        slu_link_tick(link, now_ms);
    bool over = group->stopping && group->links == 0;
    if (over) {
        group->clock_running = false;
        pthread_cond_broadcast(&group->changed);
    }
    pthread_mutex_unlock(&group->mutex);
    if (over)
        slu_link_group_release(group);
    else
        nng_sleep_aio(SLU_LINK_TICK_MS, group->clock);
}

static int check_config(const struct slu_link_config *config, char *reason_text, size_t cap)
{
    static const uint8_t zero[32];
    const char *wrong = NULL;
    if (config->queue_bytes_max < SLU_RECORD_TEXT_MAX)
        wrong = "queue_bytes_max holds no frame of the largest size";
    else if (config->handshake_ms == 0)
        wrong = "handshake_ms is 0";
    else if (config->role == SLU_LINK_AS_NODE && config->signer.sign == NULL)
        wrong = "a node needs a signer";
    else if (config->role == SLU_LINK_AS_NODE && memcmp(config->chain_id32, zero, 32) == 0)
        wrong = "a node needs a chain id";
    else if (config->role == SLU_LINK_AS_NODE && config->node >= SLU_LINK_CLIENT)
        wrong = "node index out of range";
    if (wrong == NULL)
        return 0;
    snprintf(reason_text, cap, "link config: %s", wrong);
    return SLU_ERR_CONFIG;
}

static void group_free(struct slu_link_group *group)
{
    if (group->clock != NULL)
        nng_aio_reap(group->clock);
    pthread_cond_destroy(&group->changed);
    pthread_mutex_destroy(&group->mutex);
    free(group->limiter);
    free(group);
}

int slu_link_group_new(struct slu_link_group **out, const struct slu_link_config *config,
                       const struct slu_link_handler *handler, const struct slu_link_hooks *hooks,
                       bool limits, char *reason_text, size_t cap)
{
    int rc = check_config(config, reason_text, cap);
    if (rc != 0)
        return rc;
    snprintf(reason_text, cap, "out of memory");
    struct slu_link_group *group = sodium_init() < 0 ? NULL : calloc(1, sizeof *group);
    if (group == NULL)
        return SLU_ERR_MEMORY;
    pthread_mutex_init(&group->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&group->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    group->config = *config;
    group->handler = *handler;
    group->hooks = *hooks;
    group->counters = config->counters != NULL ? config->counters : &group->no_counters;
    if (limits)
        group->limiter = malloc(sizeof *group->limiter);
    if ((limits && group->limiter == NULL) ||
        nng_aio_alloc(&group->clock, clock_callback, group) != 0) {
        group_free(group);
        return SLU_ERR_MEMORY;
    }
    if (limits) {
        uint64_t salt = 0;
        randombytes_buf(&salt, sizeof salt);
        slu_limiter_init(group->limiter, config->fail_burst, config->fail_per_minute, salt);
    }
    atomic_store(&group->references, 2); /* the owner's and the clock's */
    group->clock_running = true;
    nng_sleep_aio(SLU_LINK_TICK_MS, group->clock);
    snprintf(reason_text, cap, "%s", "");
    *out = group;
    return 0;
}

void slu_link_group_release(struct slu_link_group *group)
{
    if (atomic_fetch_sub(&group->references, 1) == 1)
        group_free(group);
}

void slu_link_group_stop(struct slu_link_group *group)
{
    pthread_mutex_lock(&group->mutex);
    group->stopping = true;
    for (struct slu_link *link = group->first; link != NULL; link = link->next)
        slu_link_close(link);
    pthread_mutex_unlock(&group->mutex);
}

void slu_link_group_wait(struct slu_link_group *group)
{
    pthread_mutex_lock(&group->mutex);
    while (group->links > 0 || group->busy || group->readers > 0)
        pthread_cond_wait(&group->changed, &group->mutex);
    pthread_mutex_unlock(&group->mutex);
    nng_aio_cancel(group->clock);
    pthread_mutex_lock(&group->mutex);
    while (group->clock_running)
        pthread_cond_wait(&group->changed, &group->mutex);
    pthread_mutex_unlock(&group->mutex);
}

bool slu_link_group_set_busy(struct slu_link_group *group)
{
    pthread_mutex_lock(&group->mutex);
    bool ok = !group->stopping;
    SLU_CHECK(!ok || !group->busy);
    if (ok)
        group->busy = true;
    pthread_mutex_unlock(&group->mutex);
    return ok;
}

void slu_link_group_clear_busy(struct slu_link_group *group)
{
    pthread_mutex_lock(&group->mutex);
    group->busy = false;
    pthread_cond_broadcast(&group->changed);
    pthread_mutex_unlock(&group->mutex);
}
