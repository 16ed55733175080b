/* Sealed transactions in the story of a teller (teller.h), and `sluice subscribe` that reads it. */
#ifndef SLU_TESTS_UNIT_SEALED_TELLER_H
#define SLU_TESTS_UNIT_SEALED_TELLER_H

#include "tests/unit/teller.h"
#include "wire/opening.h"

#define UNTIL UINT64_C(90000)

static struct certified_key first, newest;

/* ---- sealed transactions ---- */

struct sealed_tx {
    uint8_t envelope[4096], id[32], seed[64];
    size_t len;
    uint64_t rollup;
    const char *text;
    struct slu_opening opening; /* of it, honest; points into `envelope` and `seed` */
};

static inline void name(struct sealed_tx *tx)
{
    slu_tx_id_of(tx->id, genesis.chain_id, tx->envelope, tx->len);
}

static inline void seal_bytes(struct sealed_tx *tx, const struct slu_seal_key *key, uint8_t tag,
                              enum slu_unlock kind, uint64_t unlock, uint64_t rollup,
                              const uint8_t *payload, size_t payload_len)
{
    uint8_t *body = tx->envelope + SLU_TX_HEAD_BYTES;
    size_t len;
    *tx = (struct sealed_tx){.seed = {tag}, .rollup = rollup};
    assert_int_equal(slu_seal(body, sizeof tx->envelope - SLU_TX_HEAD_BYTES, &len, key, kind,
                              unlock, UNTIL, rollup, payload, payload_len, tx->seed),
                     0);
    struct slu_writer w = slu_writer_of(tx->envelope, SLU_TX_HEAD_BYTES);
    slu_write_u64(&w, 0);
    slu_write_u64(&w, UNTIL);
    slu_write_u8(&w, SLU_TX_SEALED);
    slu_write_u32(&w, (uint32_t)len);
    tx->len = SLU_TX_HEAD_BYTES + len;
    name(tx);
    tx->opening = (struct slu_opening){.height = 5,
                                       .index = 1,
                                       .key_id32 = body + 2,
                                       .e16 = body + SLU_SEAL_HEAD_BYTES + 64,
                                       .z32 = body + SLU_SEAL_HEAD_BYTES + 80,
                                       .rho32 = tx->seed,
                                       .unlock_kind = (uint8_t)kind,
                                       .unlock = unlock,
                                       .valid_until_ms = UNTIL,
                                       .payload = payload,
                                       .payload_len = (uint32_t)payload_len};
}

static inline void seal(struct sealed_tx *tx, const struct slu_seal_key *key, uint8_t tag,
                        enum slu_unlock kind, uint64_t unlock, uint64_t rollup, const char *text)
{
    seal_bytes(tx, key, tag, kind, unlock, rollup, (const uint8_t *)text, strlen(text));
    tx->text = text;
}

/* ---- telling it ---- */

static inline void tell_sealed(struct told *told, uint32_t index, const struct sealed_tx *tx,
                               uint8_t flags)
{
    tell(told, index, 0, UNTIL, tx->id, SLU_TX_SEALED | flags, tx->envelope + SLU_TX_HEAD_BYTES,
         tx->len - SLU_TX_HEAD_BYTES);
}

static inline void tell_void(struct told *told, uint32_t index, const struct sealed_tx *tx,
                             uint8_t reason, uint64_t height, uint32_t at)
{
    tell_void_of(told, index, tx->id, reason, height, at);
}

/* The committee signs what is told, whatever it is. */
static inline const char *open_signed(struct teller *t)
{
    t->keys[0] = &first;
    t->keys[1] = &newest;
    sign_story(&t->story, 0);
    return open_door(t);
}

static inline int subscribe_to(const char *urls, const char *rollup, bool verify)
{
    int code =
        run(slu_command_subscribe, "subscribe", "--node", urls, "--rollup", rollup, "--from", "5",
            "--to", "7", "--give-up", "3", verify ? "--genesis" : NULL, genesis_path, NULL);
    check_text();
    return code;
}

static inline int subscribe(const char *urls, bool verify)
{
    return subscribe_to(urls, "0", verify);
}

#endif
