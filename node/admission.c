#include "node/admission.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 4096u
#define PROBES 16u

struct bucket {
    double level;
    uint64_t refilled_us;
};

/* What an address or a rollup has left. */
struct place {
    uint64_t key;
    bool used;
    uint32_t share;
    struct bucket tx, bytes;
};

struct table {
    const struct slu_bucket_config *tx, *bytes;
    struct place places[PLACES];
};

struct slu_admission_control {
    const struct slu_genesis *genesis;
    struct table clients, rollups;
};

struct slu_admission_control *slu_admission_new(const struct slu_node_config *config,
                                                const struct slu_genesis *genesis)
{
    struct slu_admission_control *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->genesis = genesis;
    c->clients.tx = &config->client_tx;
    c->clients.bytes = &config->client_bytes;
    c->rollups.tx = &config->rollup_tx;
    c->rollups.bytes = &config->rollup_bytes;
    return c;
}

void slu_admission_free(struct slu_admission_control *control)
{
    free(control);
}

static void refill(struct bucket *b, const struct slu_bucket_config *config, uint32_t share,
                   uint64_t now_us)
{
    double top = (double)config->burst * share;
    double gained = now_us > b->refilled_us
                        ? (double)(now_us - b->refilled_us) * 1e-6 * (double)config->per_s * share
                        : 0;
    b->level = b->level + gained < top ? b->level + gained : top;
    b->refilled_us = now_us;
}

static bool has(const struct bucket *b, const struct slu_bucket_config *config, double amount)
{
    return config->per_s == 0 || b->level >= amount;
}

/* A place whose buckets are full again says nothing that a new one would not. */
static bool is_rested(const struct table *t, struct place *p, uint64_t now_us)
{
    refill(&p->tx, t->tx, p->share, now_us);
    refill(&p->bytes, t->bytes, p->share, now_us);
    return p->tx.level >= (double)t->tx->burst * p->share &&
           p->bytes.level >= (double)t->bytes->burst * p->share;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static struct place *find(struct table *t, uint64_t key)
{
    uint64_t at = mix(key);
    for (unsigned i = 0; i < PROBES; i++) {
        struct place *p = &t->places[(at + i) % PLACES];
        if (p->used && p->key == key)
            return p;
    }
    return NULL;
}

/* The place of `key`, a new one if need be; NULL when none is to be had. */
static struct place *take_place(struct table *t, uint64_t key, uint32_t share, uint64_t now_us)
{
    struct place *found = find(t, key);
    uint64_t at = mix(key);
    for (unsigned i = 0; i < PROBES && found == NULL; i++) {
        struct place *p = &t->places[(at + i) % PLACES];
        if (p->used && !is_rested(t, p, now_us))
            continue;
        *p = (struct place){.key = key, .used = true, .share = share};
        p->tx = (struct bucket){(double)t->tx->burst * share, now_us};
        p->bytes = (struct bucket){(double)t->bytes->burst * share, now_us};
        found = p;
    }
    if (found != NULL) {
        refill(&found->tx, t->tx, found->share, now_us);
        refill(&found->bytes, t->bytes, found->share, now_us);
    }
    return found;
}

static uint32_t rate_share(const struct slu_genesis *g, uint64_t rollup)
{
    uint32_t low = 0, high = g->rollup_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (g->rollups[middle].id < rollup)
            low = middle + 1;
        else
            high = middle;
    }
    bool known = low < g->rollup_count && g->rollups[low].id == rollup;
    return known && g->rollups[low].rate_share > 0 ? g->rollups[low].rate_share : 1;
}

static bool place_has(const struct table *t, const struct place *p, uint64_t bytes)
{
    return p != NULL && has(&p->tx, t->tx, 1) && has(&p->bytes, t->bytes, (double)bytes);
}

/* A bucket without limit stays as it is: full. */
static void pay(const struct table *t, struct place *p, uint64_t bytes)
{
    if (t->tx->per_s > 0)
        p->tx.level -= 1;
    if (t->bytes->per_s > 0)
        p->bytes.level -= (double)bytes;
}

const char *slu_admission_take(struct slu_admission_control *control, uint64_t address,
                               uint64_t rollup, uint64_t bytes, uint64_t now_us)
{
    struct place *client = take_place(&control->clients, address, 1, now_us);
    if (!place_has(&control->clients, client, bytes))
        return "rate_client";
    struct place *named =
        take_place(&control->rollups, rollup, rate_share(control->genesis, rollup), now_us);
    if (!place_has(&control->rollups, named, bytes))
        return "rate_rollup";
    pay(&control->clients, client, bytes);
    pay(&control->rollups, named, bytes);
    return NULL;
}

uint64_t slu_admission_address(const char *remote)
{
    char text[INET6_ADDRSTRLEN + 4];
    struct in_addr v4;
    struct in6_addr v6;
    uint64_t key = 0;
    bool bracket = remote[0] == '[';
    const char *start = bracket ? remote + 1 : remote;
    size_t len = strcspn(start, bracket ? "]" : ":");
    if (len >= sizeof text)
        return 1;
    memcpy(text, start, len);
    text[len] = '\0';
    if (bracket && inet_pton(AF_INET6, text, &v6) == 1)
        memcpy(&key, v6.s6_addr, sizeof key);
    else if (inet_pton(AF_INET, text, &v4) == 1)
        key = UINT64_C(1) << 40 | v4.s_addr;
    return key == 0 ? 1 : key;
}
