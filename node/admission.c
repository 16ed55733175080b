#include "node/admission.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "wire/bundle.h"

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

struct rates {
    const struct slu_bucket_config *tx, *bytes;
};

struct table {
    struct rates rates;
    struct place places[PLACES];
};

struct slu_admission_control {
    const struct slu_genesis *genesis;
    struct table clients, rollups;
    struct rates sealed_rates;
    struct place sealed; /* one for all */
};

/* A place of its own for `key`, with full buckets. */
static void fill(struct place *p, const struct rates *rates, uint64_t key, uint32_t share,
                 uint64_t now_us)
{
    *p = (struct place){.key = key, .used = true, .share = share};
    p->tx = (struct bucket){(double)rates->tx->burst * share, now_us};
    p->bytes = (struct bucket){(double)rates->bytes->burst * share, now_us};
}

struct slu_admission_control *slu_admission_new(const struct slu_node_config *config,
                                                const struct slu_genesis *genesis)
{
    struct slu_admission_control *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->genesis = genesis;
    c->clients.rates = (struct rates){&config->client_tx, &config->client_bytes};
    c->rollups.rates = (struct rates){&config->rollup_tx, &config->rollup_bytes};
    c->sealed_rates = (struct rates){&config->sealed_tx, &config->sealed_bytes};
    fill(&c->sealed, &c->sealed_rates, 0, 1, 0);
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

static void refill_place(struct place *p, const struct rates *rates, uint64_t now_us)
{
    refill(&p->tx, rates->tx, p->share, now_us);
    refill(&p->bytes, rates->bytes, p->share, now_us);
}

/* A place whose buckets are full again says nothing that a new one would not. */
static bool is_rested(struct place *p, const struct rates *rates, uint64_t now_us)
{
    refill_place(p, rates, now_us);
    return p->tx.level >= (double)rates->tx->burst * p->share &&
           p->bytes.level >= (double)rates->bytes->burst * p->share;
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
        if (p->used && !is_rested(p, &t->rates, now_us))
            continue;
        fill(p, &t->rates, key, share, now_us);
        found = p;
    }
    if (found != NULL)
        refill_place(found, &t->rates, now_us);
    return found;
}

static uint32_t rate_share(const struct slu_genesis *g, uint64_t rollup)
{
    const struct slu_genesis_rollup *row = slu_genesis_rollup(g, rollup);
    return row != NULL && row->rate_share > 0 ? row->rate_share : 1;
}

static bool place_has(const struct place *p, const struct rates *rates, uint64_t bytes)
{
    return p != NULL && has(&p->tx, rates->tx, 1) && has(&p->bytes, rates->bytes, (double)bytes);
}

/* A bucket without limit stays as it is: full. `times` -1 gives back. */
static void pay(struct place *p, const struct rates *rates, double times, uint64_t bytes)
{
    if (rates->tx->per_s > 0)
        p->tx.level -= times;
    if (rates->bytes->per_s > 0)
        p->bytes.level -= times * (double)bytes;
}

/* All of the rollups or none. Each is paid before the next is looked up, so that its place is not
 * taken for one that may be taken over. */
static bool take_rollups(struct slu_admission_control *c, const uint64_t *rollups, size_t count,
                         uint64_t bytes, uint64_t now_us)
{
    struct place *paid[SLU_BUNDLE_LEGS_MAX];
    const struct rates *rates = &c->rollups.rates;
    for (size_t i = 0; i < count; i++) {
        paid[i] = take_place(&c->rollups, rollups[i], rate_share(c->genesis, rollups[i]), now_us);
        if (place_has(paid[i], rates, bytes)) {
            pay(paid[i], rates, 1, bytes);
            continue;
        }
        while (i-- > 0)
            pay(paid[i], rates, -1, bytes);
        return false;
    }
    return true;
}

static bool take_sealed(struct slu_admission_control *c, uint64_t bytes, uint64_t now_us)
{
    refill_place(&c->sealed, &c->sealed_rates, now_us);
    if (!place_has(&c->sealed, &c->sealed_rates, bytes))
        return false;
    pay(&c->sealed, &c->sealed_rates, 1, bytes);
    return true;
}

/* What it is for, as far as can be seen; 0: it is sealed. */
static size_t rollups_of(const struct slu_tx *tx, uint64_t rollups[SLU_BUNDLE_LEGS_MAX])
{
    struct slu_bundle bundle;
    rollups[0] = tx->rollup;
    if (tx->kind == SLU_TX_BUNDLE && slu_bundle_read(&bundle, tx->body, tx->body_len) == 0)
        return slu_bundle_rollups(&bundle, rollups);
    return tx->rollup != 0;
}

const char *slu_admission_take(struct slu_admission_control *control, uint64_t address,
                               const struct slu_tx *tx, uint64_t now_us)
{
    uint64_t rollups[SLU_BUNDLE_LEGS_MAX], bytes = tx->bytes_len;
    size_t count = rollups_of(tx, rollups);
    struct place *client = take_place(&control->clients, address, 1, now_us);
    if (!place_has(client, &control->clients.rates, bytes))
        return "rate_client";
    if (count == 0 && !take_sealed(control, bytes, now_us))
        return "rate_sealed";
    if (!take_rollups(control, rollups, count, bytes, now_us))
        return "rate_rollup";
    pay(client, &control->clients.rates, 1, bytes);
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
