#include "sluice/seal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/chain.h"
#include "client/committee_key.h"
#include "client/seal_tables.h"
#include "wire/bundle.h"
#include "wire/tx.h"

_Static_assert(SLU_SEAL_PAYLOAD_BYTES_MAX == SLU_SEALED_MESSAGE_BYTES_MAX - SLU_SEALED_FORM_BYTES,
               "the largest bucket");
_Static_assert(SLU_SEAL_ENVELOPE_BYTES_MAX == SLU_TX_HEAD_BYTES + SLU_SEALED_BYTES_MAX,
               "the envelope of the largest bucket");

int slu_seal_key_certified(struct slu_seal_key *key, const struct slu_chain *chain,
                           const uint8_t *certificate, size_t len)
{
    return slu_committee_key_read(key, NULL, &chain->genesis, certificate, len);
}

size_t slu_seal_envelope_bytes(size_t payload_len)
{
    const size_t bucket = slu_seal_bucket(payload_len);
    return bucket ? SLU_TX_HEAD_BYTES + SLU_SEALED_BYTES_MAX - SLU_SEALED_MESSAGE_BYTES_MAX + bucket
                  : 0;
}

/* What is for rollup 0 is a bundle. */
static bool is_for_somebody(uint64_t rollup, const uint8_t *payload, size_t len)
{
    struct slu_bundle bundle;
    return rollup == 0 ? slu_bundle_read(&bundle, payload, len) == SLU_OK
                       : rollup <= SLU_ROLLUP_ID_MAX;
}

/* The envelope's head, for a body that follows. */
static void write_head(uint8_t *envelope, uint64_t valid_until_ms, size_t body_len)
{
    struct slu_writer w = slu_writer_of(envelope, SLU_TX_HEAD_BYTES);
    slu_write_u64(&w, 0);
    slu_write_u64(&w, valid_until_ms);
    slu_write_u8(&w, SLU_TX_SEALED);
    slu_write_u32(&w, (uint32_t)body_len);
    SLU_CHECK(!w.failed);
}

int slu_seal_envelope(uint8_t *envelope, size_t cap, size_t *len, uint8_t id32[32],
                      const struct slu_seal_key *key, enum slu_unlock unlock_kind, uint64_t unlock,
                      uint64_t valid_until_ms, uint64_t rollup, const uint8_t *payload,
                      size_t payload_len)
{
    const size_t bytes = slu_seal_envelope_bytes(payload_len);
    uint8_t seed[64];
    size_t body_len = 0;
    int rc = SLU_OK;
    if (bytes == 0 || bytes > cap)
        rc = SLU_ERR_LIMIT;
    else if (!is_for_somebody(rollup, payload, payload_len) || sodium_init() < 0)
        rc = SLU_ERR_MALFORMED;
    if (!rc) {
        randombytes_buf(seed, sizeof seed);
        rc = slu_seal(envelope + SLU_TX_HEAD_BYTES, cap - SLU_TX_HEAD_BYTES, &body_len, key,
                      unlock_kind, unlock, valid_until_ms, rollup, payload, payload_len, seed);
        sodium_memzero(seed, sizeof seed);
    }
    if (rc) {
        sodium_memzero(envelope, cap);
        return rc;
    }
    write_head(envelope, valid_until_ms, body_len);
    *len = SLU_TX_HEAD_BYTES + body_len;
    slu_tx_id_of(id32, key->chain_id, envelope, *len);
    return SLU_OK;
}

/* With the tables of `key`, if there are any. */
static int check(const struct slu_seal_key *key, const struct slu_opening_key *tables,
                 const struct slu_seal_opening *opening, const uint8_t id32[32])
{
    const size_t cap = slu_seal_envelope_bytes(opening->payload_len);
    size_t len;
    uint8_t again32[32];
    if (!cap || !is_for_somebody(opening->rollup, opening->payload, opening->payload_len) ||
        memcmp(opening->key_id, key->key_id, 32) != 0)
        return SLU_ERR_MISMATCH;
    uint8_t *envelope = malloc(cap);
    if (!envelope)
        return SLU_ERR_MEMORY;
    uint8_t *body = envelope + SLU_TX_HEAD_BYTES;
    const size_t body_cap = cap - SLU_TX_HEAD_BYTES;
    int rc = tables ? slu_sealed_again(tables, body, body_cap, &len, opening)
                    : slu_seal_again(body, body_cap, &len, key, opening);
    if (!rc) {
        write_head(envelope, opening->valid_until_ms, len);
        slu_tx_id_of(again32, key->chain_id, envelope, SLU_TX_HEAD_BYTES + len);
    }
    free(envelope);
    return rc || memcmp(again32, id32, 32) != 0 ? SLU_ERR_MISMATCH : SLU_OK;
}

int slu_seal_opening_check(const struct slu_seal_key *key, const struct slu_seal_opening *opening,
                           const uint8_t id32[32])
{
    return check(key, NULL, opening, id32);
}

int slu_seal_opening_check_by(const struct slu_opening_key *tables,
                              const struct slu_seal_opening *opening, const uint8_t id32[32])
{
    return check(slu_opening_key_public(tables), tables, opening, id32);
}
