/* The key generation on disk (docs/STORAGE.md clause 1.2): where it stands, and every key.
 * Both are functions of delivered heights, and are written before the record that ends their
 * height: after a crash in between, that height is delivered again and changes nothing here.
 * Secrets are not written: this node's share follows from the dealings and its key file. */
#include <string.h>

#include "consensus/keygen.h"
#include "consensus/state.h"
#include "sluice/error.h"

#define HEAD_BYTES (8u + 1u + 4u + 2u + 2u * 8u + 4u * 8u)
#define KEY_BYTES  (8u + 8u) /* without its certificate */

static void write_dealings(struct slu_core *c, struct slu_writer *w, uint64_t set)
{
    for (uint16_t j = 0; j < c->n; j++)
        if (set >> j & 1)
            slu_write_bytes(w, c->keygen->dealings[j], slu_dkg_dealing_bytes(&c->keygen->dkg));
}

static struct slu_writer new_record(struct slu_core *c, size_t head, uint64_t dealers)
{
    size_t len =
        head + (size_t)__builtin_popcountll(dealers) * slu_dkg_dealing_bytes(&c->keygen->dkg);
    return slu_writer_of(slu_fx_take(c, len), len);
}

static void persist(struct slu_core *c, uint64_t slot, uint64_t number, const struct slu_writer *w)
{
    struct slu_record_key key = {.kind = SLU_REC_STATE, .a = slot, .b = number};
    SLU_CHECK(!w->failed && w->at == w->end);
    slu_fx_persist(c, &key, w->start, slu_writer_len(w), NULL, 0);
}

void slu_keygen_persist(struct slu_core *c)
{
    const struct slu_keygen *kg = c->keygen;
    size_t signers = (size_t)__builtin_popcountll(kg->ready) * (8u + 64u);
    struct slu_writer w = new_record(c, HEAD_BYTES + c->n * 8u + signers, kg->dealt);
    slu_write_u64(&w, kg->height);
    slu_write_u8(&w, (uint8_t)kg->phase);
    slu_write_u32(&w, kg->attempt);
    slu_write_u16(&w, kg->dkg.k);
    slu_write_u64(&w, kg->began_ms);
    slu_write_u64(&w, kg->closed_ms);
    slu_write_u64(&w, kg->dealt);
    slu_write_u64(&w, kg->out);
    slu_write_u64(&w, kg->liars);
    slu_write_u64(&w, kg->ready);
    for (uint16_t j = 0; j < c->n; j++)
        slu_write_u64(&w, kg->complained[j]);
    for (uint16_t j = 0; j < c->n; j++)
        if (kg->ready >> j & 1) {
            slu_write_u64(&w, kg->signed_ready[j].valid_until_ms);
            slu_write_bytes(&w, kg->signed_ready[j].signature, 64);
        }
    write_dealings(c, &w, kg->dealt);
    persist(c, SLU_STATE_KEYGEN, 0, &w);
}

void slu_keygen_persist_key(struct slu_core *c)
{
    const struct slu_committee_key *key = slu_keygen_newest(c->keygen);
    size_t len = KEY_BYTES + slu_key_cert_bytes(c->g, key->cert.k);
    struct slu_writer w = new_record(c, len, key->cert.dealers);
    slu_write_u64(&w, key->from_height);
    slu_write_u64(&w, key->from_ms);
    slu_key_cert_write(&w, c->g, &key->cert);
    write_dealings(c, &w, key->cert.dealers);
    persist(c, SLU_STATE_KEY, c->keygen->key_count - 1u, &w);
}

/* ---- boot ---- */

static int read_dealings(struct slu_core *c, struct slu_reader *r, uint64_t set)
{
    struct slu_keygen *kg = c->keygen;
    size_t len = slu_dkg_dealing_bytes(&kg->dkg);
    for (uint16_t j = 0; j < c->n; j++) {
        if (!(set >> j & 1))
            continue;
        slu_read_copy(r, kg->dealings[j], len);
        if (r->failed || slu_dkg_dealing_read(&kg->read[j], &kg->dkg, j, kg->dealings[j], len))
            return SLU_ERR_CORRUPT;
    }
    kg->dealt = set;
    return slu_reader_done(r) ? SLU_OK : SLU_ERR_CORRUPT;
}

static int get_state(const struct slu_store *store, uint64_t slot, uint64_t number,
                     struct slu_reader *r)
{
    struct slu_record_key key = {.kind = SLU_REC_STATE, .a = slot, .b = number};
    const uint8_t *value;
    size_t len;
    int rc = store->get(store->context, &key, &value, &len);
    if (!rc)
        *r = slu_reader_of(value, len);
    return rc;
}

static bool attempt_ok(const struct slu_core *c, uint32_t attempt, uint16_t k, uint64_t dealers)
{
    return attempt > 0 && k >= 1 && k <= c->n && (c->n == 64 || dealers < UINT64_C(1) << c->n);
}

static int boot_key(struct slu_core *c, const struct slu_store *store, uint16_t number)
{
    struct slu_keygen *kg = c->keygen;
    struct slu_committee_key *key = &kg->keys[number];
    struct slu_key_cert *cert = &key->cert;
    struct slu_reader r;
    int rc = get_state(store, SLU_STATE_KEY, number, &r);
    if (rc)
        return rc;
    key->from_height = slu_read_u64(&r);
    key->from_ms = slu_read_u64(&r);
    if (r.failed || slu_key_cert_read(&r, c->g, cert) ||
        !attempt_ok(c, cert->attempt, cert->k, cert->dealers))
        return SLU_ERR_CORRUPT;
    slu_keygen_begin(c, cert->attempt, cert->k, 0);
    rc = read_dealings(c, &r, cert->dealers);
    if (rc)
        return rc;
    slu_keygen_own_share(c, key);
    slu_keygen_add_key(c);
    return SLU_OK;
}

static int boot_keys(struct slu_core *c, const struct slu_store *store)
{
    int rc = SLU_OK;
    for (uint16_t number = 0; number < c->keygen->key_cap && !rc; number++)
        rc = boot_key(c, store, number);
    return rc == SLU_ERR_NOT_FOUND ? SLU_OK : rc;
}

static int boot_attempt(struct slu_core *c, const struct slu_store *store)
{
    struct slu_keygen *kg = c->keygen;
    struct slu_reader r;
    int rc = get_state(store, SLU_STATE_KEYGEN, 0, &r);
    if (rc)
        return rc == SLU_ERR_NOT_FOUND ? SLU_OK : rc;
    uint64_t height = slu_read_u64(&r);
    uint8_t phase = slu_read_u8(&r);
    uint32_t attempt = slu_read_u32(&r);
    uint16_t k = slu_read_u16(&r);
    uint64_t began_ms = slu_read_u64(&r), closed_ms = slu_read_u64(&r);
    uint64_t dealt = slu_read_u64(&r);
    if (r.failed || phase > SLU_KEYGEN_SETTLING || !attempt_ok(c, attempt, k, dealt))
        return SLU_ERR_CORRUPT;
    slu_keygen_begin(c, attempt, k, began_ms);
    kg->height = height;
    kg->phase = (enum slu_keygen_state)phase;
    kg->closed_ms = closed_ms;
    kg->out = slu_read_u64(&r);
    kg->liars = slu_read_u64(&r);
    kg->ready = slu_read_u64(&r);
    for (uint16_t j = 0; j < c->n; j++)
        kg->complained[j] = slu_read_u64(&r);
    for (uint16_t j = 0; j < c->n; j++)
        if (kg->ready >> j & 1) {
            kg->signed_ready[j].node = j;
            kg->signed_ready[j].valid_until_ms = slu_read_u64(&r);
            slu_read_copy(&r, kg->signed_ready[j].signature, 64);
        }
    rc = read_dealings(c, &r, dealt);
    uint64_t survivors = dealt & ~kg->out;
    kg->has_result = phase != SLU_KEYGEN_DEALING && __builtin_popcountll(survivors) >= c->q &&
                     slu_dkg_result(&kg->result, &kg->dkg, survivors, kg->read) == SLU_OK;
    kg->changed = false;
    return rc;
}

int slu_keygen_boot(struct slu_core *c, const struct slu_store *store)
{
    struct slu_keygen *kg = c->keygen;
    int rc = boot_keys(c, store);
    if (!rc)
        rc = boot_attempt(c, store);
    /* A key whose turn was torn off before the record that follows it: its height comes again, and
     * makes it again. */
    while (!rc && kg->key_count > 0 && slu_keygen_newest(kg)->from_height > kg->height + 1)
        kg->key_count--;
    return rc;
}
