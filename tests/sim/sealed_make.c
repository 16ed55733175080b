/* One sealed envelope, by docs/CRYPTO.md clause 4 or against it in one point. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "tests/sim/bundle.h"
#include "tests/sim/sealed.h"

#define BUNDLE_ODD 500u /* permille */

struct draft {
    const struct slu_seal_key *key;
    uint8_t seed[64];
    uint8_t plain[SLU_SEALED_PLAIN_MAX]; /* rho | M */
    size_t plain_len;
    uint8_t body[SLU_SEALED_BYTES_MAX];
    size_t len;
};

static void fill(struct sim_rng *rng, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)sim_rng_next(rng);
}

static void write_plain(struct draft *d, const struct sealed_item *item)
{
    size_t bucket = slu_seal_bucket(item->payload_len);
    d->plain_len = SLU_RHO_BYTES + bucket;
    memset(d->plain, 0, d->plain_len);
    struct slu_writer w = slu_writer_of(d->plain, d->plain_len);
    slu_write_bytes(&w, d->seed, SLU_RHO_BYTES);
    slu_write_u8(&w, 0);
    slu_write_u64(&w, item->rollup);
    slu_write_u32(&w, item->payload_len);
    slu_write_bytes(&w, item->payload, item->payload_len);
    SLU_CHECK(!w.failed);
}

/* M with a fault that makes it no message, whatever its length. */
static void spoil_form(struct draft *d, uint64_t which)
{
    uint8_t *m = d->plain + SLU_RHO_BYTES;
    if (which % 3 == 0)
        m[0] = 1;
    else if (which % 3 == 1)
        m[9] = m[10] = 0xff; /* longer than it is */
    else
        memset(m + 9, 0, 4), m[d->plain_len - SLU_RHO_BYTES - 1] = 1; /* no zeros behind nothing */
}

/* Seals the plain text with a true proof; `other` changes what r is made of, `garbage` what is
 * proven.
 */
static void seal_raw(struct draft *d, struct sim_rng *rng, const struct sealed_wish *wish,
                     bool other, bool garbage)
{
    static const uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
    uint8_t lh[32], r[32], s[32], wide[64], shared[32], k[32], bar[32], w[32], w_bar[32], e[32],
        z[32];
    uint8_t *proven = d->body + SLU_SEAL_HEAD_BYTES, *c = proven + SLU_SEAL_PROVEN_BYTES;
    size_t c_len = d->plain_len + SLU_SEAL_TAG_BYTES;
    struct slu_label label = {.unlock_kind = wish->unlock_kind,
                              .unlock = wish->unlock,
                              .valid_until_ms = wish->valid_until_ms,
                              .body_bytes = (uint32_t)c_len};
    struct slu_writer head = slu_writer_of(d->body, sizeof d->body);
    slu_write_u8(&head, SLU_SEAL_VERSION);
    slu_write_u8(&head, SLU_SEAL_SUITE);
    slu_write_bytes(&head, d->key->key_id, 32);
    slu_write_u8(&head, label.unlock_kind);
    slu_write_u64(&head, label.unlock);
    slu_label_hash(lh, d->key, &label);
    slu_seal_scalar(r, d->key, lh, d->plain, d->plain + SLU_RHO_BYTES,
                    d->plain_len - SLU_RHO_BYTES);
    fill(rng, wide, sizeof wide);
    crypto_core_ristretto255_scalar_reduce(s, wide);
    if (other)
        crypto_core_ristretto255_scalar_add(r, r, s);
    fill(rng, wide, sizeof wide);
    crypto_core_ristretto255_scalar_reduce(s, wide);
    slu_seal_second_generator(bar);
    SLU_CHECK(!crypto_scalarmult_ristretto255_base(proven, r) &&
              !crypto_scalarmult_ristretto255(proven + 32, r, bar) &&
              !crypto_scalarmult_ristretto255(shared, r, d->key->y) &&
              !crypto_scalarmult_ristretto255_base(w, s) &&
              !crypto_scalarmult_ristretto255(w_bar, s, bar));
    slu_seal_body_key(k, d->key, shared, proven, lh);
    crypto_aead_xchacha20poly1305_ietf_encrypt(c, NULL, d->plain, d->plain_len, lh, 32, NULL, nonce,
                                               k);
    if (garbage)
        c[sim_rng_below(rng, c_len)] ^= 0x40;
    slu_seal_challenge(e, d->key, lh, c, c_len, proven, proven + 32, w, w_bar);
    crypto_core_ristretto255_scalar_mul(z, e, r);
    crypto_core_ristretto255_scalar_add(z, z, s);
    memcpy(proven + 64, e, SLU_CHALLENGE_BYTES);
    memcpy(proven + 64 + SLU_CHALLENGE_BYTES, z, 32);
    d->len = SLU_SEAL_HEAD_BYTES + SLU_SEAL_PROVEN_BYTES + c_len;
}

static void seal(struct draft *d, struct sim_rng *rng, const struct sealed_wish *wish,
                 const struct sealed_item *item)
{
    write_plain(d, item);
    switch (wish->kind) {
    case SEALED_TAG:
        seal_raw(d, rng, wish, false, true);
        return;
    case SEALED_SEED:
        seal_raw(d, rng, wish, true, false);
        return;
    case SEALED_FORM:
        spoil_form(d, sim_rng_next(rng));
        seal_raw(d, rng, wish, false, false);
        return;
    case SEALED_GOOD:
    case SEALED_ROLLUP:
    case SEALED_BUNDLE:
    case SEALED_UNPROVEN:
    case SEALED_NO_KEY:
    case SEALED_KINDS:
        break;
    }
    SLU_CHECK(!slu_seal(d->body, sizeof d->body, &d->len, d->key,
                        (enum slu_unlock)wish->unlock_kind, wish->unlock, wish->valid_until_ms,
                        item->rollup, item->payload, item->payload_len, d->seed));
    if (wish->kind == SEALED_UNPROVEN) /* in e, z or c: nothing of it is a matter of form */
        d->body[SLU_SEAL_HEAD_BYTES + 64 + sim_rng_below(rng, d->len - SLU_SEAL_HEAD_BYTES - 64)] ^=
            1;
}

const struct sealed_item *sealed_make(struct sim *sim, const struct sealed_wish *wish)
{
    static const uint64_t rollups[] = {1, 2, 7};
    static struct draft draft;
    struct sealed *book = sim->sealed;
    struct slu_seal_key none = book->keys[wish->key].key;
    book->items = sim_grow(book->items, &book->cap, book->count, sizeof *book->items);
    struct sealed_item *item = &book->items[book->count];
    *item = (struct sealed_item){.kind = wish->kind, .payload_len = wish->payload_len};
    item->rollup = wish->kind == SEALED_ROLLUP ? 99 : rollups[sim_rng_below(&book->rng, 3)];
    item->payload = sim_alloc(wish->payload_len + 1u);
    fill(&book->rng, item->payload, wish->payload_len);
    if (wish->kind == SEALED_BUNDLE) {
        item->rollup = 0;
        item->payload_len = sim_bundle_draw(&sim->bundle_rng, item->payload, wish->payload_len,
                                            book->made | UINT64_C(0x5e) << 56, BUNDLE_ODD);
    }
    fill(&book->rng, draft.seed, sizeof draft.seed);
    memcpy(item->rho, draft.seed, 32);
    none.key_id[3] ^= 1;
    draft.key = wish->kind == SEALED_NO_KEY ? &none : &book->keys[wish->key].key;
    seal(&draft, &book->rng, wish, item);
    item->bytes = (uint32_t)(SLU_TX_HEAD_BYTES + draft.len);
    item->envelope = sim_alloc(item->bytes);
    struct slu_writer w = slu_writer_of(item->envelope, item->bytes);
    slu_tx_write(&w, 0, wish->valid_until_ms, SLU_TX_SEALED, draft.body, (uint32_t)draft.len);
    SLU_CHECK(!w.failed);
    struct slu_tx tx;
    struct slu_reader reader = slu_reader_of(item->envelope, item->bytes);
    SLU_CHECK(slu_tx_read(&reader, &tx));
    slu_tx_id(item->id, &sim->genesis, &tx);
    sim_table_put(&book->item_at, item->id, book->count++);
    return item;
}
