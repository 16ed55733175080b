#include "wire/tx.h"

#include "crypto/hash.h"
#include "crypto/hash_many.h"
#include "crypto/sealed.h"
#include "wire/bundle.h"

#define GRID_MS  1000u
#define AT_ONCE  16u
#define SLACK_MS 2000u /* of the dedup window that valid_for 0 leaves */

const char *slu_drop_name(enum slu_drop drop)
{
    switch (drop) {
    case SLU_DROP_NONE:
        return "none";
    case SLU_DROP_DUPLICATE:
        return "duplicate";
    case SLU_DROP_EXPIRED:
        return "expired";
    case SLU_DROP_TOO_FAR:
        return "valid_until_too_far";
    case SLU_DROP_KIND:
        return "unknown_kind";
    case SLU_DROP_ROLLUP:
        return "unknown_rollup";
    case SLU_DROP_SIZE:
        return "size";
    case SLU_DROP_MALFORMED:
        return "malformed";
    case SLU_DROP_WINDOW_FULL:
        return "window_full";
    case SLU_DROP_SEALING:
        return "sealing";
    case SLU_DROP_SEAL_KEY:
        return "seal_key";
    case SLU_DROP_UNLOCK:
        return "unlock";
    case SLU_DROP_CALENDAR_FULL:
        return "calendar_full";
    case SLU_DROP_SEALED_ONLY:
        return "sealed_only";
    case SLU_DROP_LANE_SEALING:
        return "lane_sealing";
    case SLU_DROP_BUNDLE:
        return "bundle";
    case SLU_DROP_COUNT:
        break;
    }
    return "unknown";
}

bool slu_tx_read(struct slu_reader *reader, struct slu_tx *tx)
{
    tx->bytes = reader->at;
    tx->rollup = slu_read_u64(reader);
    tx->valid_until_ms = slu_read_u64(reader);
    tx->kind = slu_read_u8(reader);
    tx->body_len = slu_read_u32(reader);
    tx->body = slu_read_bytes(reader, tx->body_len);
    if (reader->failed)
        return false;
    tx->bytes_len = SLU_TX_HEAD_BYTES + tx->body_len;
    return true;
}

void slu_tx_write(struct slu_writer *writer, uint64_t rollup, uint64_t valid_until_ms, uint8_t kind,
                  const uint8_t *body, uint32_t body_len)
{
    slu_write_u64(writer, rollup);
    slu_write_u64(writer, valid_until_ms);
    slu_write_u8(writer, kind);
    slu_write_u32(writer, body_len);
    slu_write_bytes(writer, body, body_len);
}

uint64_t slu_valid_until(const struct slu_params *params, uint64_t stream_ms, uint32_t valid_for_ms)
{
    uint64_t window = params->dedup_window_ms;
    uint64_t wanted = valid_for_ms;
    if (wanted == 0)
        wanted = window > 2 * SLACK_MS ? window - SLACK_MS : window;
    uint64_t last = (stream_ms + window) / GRID_MS * GRID_MS;
    uint64_t until = (stream_ms + wanted + GRID_MS - 1) / GRID_MS * GRID_MS;
    return until < last ? until : last;
}

void slu_tx_id_of(uint8_t id32[32], const uint8_t chain_id32[32], const uint8_t *envelope,
                  size_t len)
{
    slu_hash_of(id32, "tx", chain_id32, envelope, len);
}

void slu_tx_id(uint8_t id32[32], const struct slu_genesis *genesis, const struct slu_tx *tx)
{
    slu_tx_id_of(id32, genesis->chain_id, tx->bytes, tx->bytes_len);
}

void slu_tx_ids(uint8_t (*ids32)[32], const struct slu_genesis *genesis, const struct slu_tx *txs,
                size_t count)
{
    struct slu_hash_input inputs[AT_ONCE];
    for (size_t done = 0; done < count;) {
        size_t some = count - done < AT_ONCE ? count - done : AT_ONCE;
        for (size_t i = 0; i < some; i++)
            inputs[i] = (struct slu_hash_input){txs[done + i].bytes, txs[done + i].bytes_len};
        slu_hash_many(ids32 + done, "tx", genesis->chain_id, inputs, some);
        done += some;
    }
}

/* Whether a rollup takes what everybody can read. */
static enum slu_drop check_rollup(const struct slu_genesis *g, uint64_t rollup)
{
    if (!slu_genesis_rollup_known(g, rollup))
        return SLU_DROP_ROLLUP;
    const struct slu_genesis_rollup *row = slu_genesis_rollup(g, rollup);
    return row && row->sealed_only ? SLU_DROP_SEALED_ONLY : SLU_DROP_NONE;
}

/* The first leg that is not good speaks for the whole. */
static enum slu_drop check_bundle(const struct slu_genesis *g, const struct slu_tx *tx)
{
    struct slu_bundle bundle;
    enum slu_drop drop = SLU_DROP_NONE;
    if (tx->rollup != 0)
        return SLU_DROP_ROLLUP;
    if (slu_bundle_read(&bundle, tx->body, tx->body_len))
        return SLU_DROP_BUNDLE;
    for (size_t i = 0; i < bundle.count && drop == SLU_DROP_NONE; i++)
        drop = check_rollup(g, bundle.legs[i].rollup);
    return drop;
}

static enum slu_drop check_sealed(const struct slu_genesis *g, const struct slu_tx *tx,
                                  uint64_t now_ms)
{
    struct slu_sealed sealed;
    if (tx->rollup != 0)
        return SLU_DROP_ROLLUP;
    if (slu_sealed_read(&sealed, tx->body, tx->body_len, tx->valid_until_ms))
        return SLU_DROP_SEALING;
    const struct slu_label *label = &sealed.label;
    bool too_far = label->unlock_kind == SLU_UNLOCK_TIME && label->unlock > now_ms &&
                   label->unlock - now_ms > g->params.unlock_horizon_ms;
    return too_far ? SLU_DROP_UNLOCK : SLU_DROP_NONE;
}

static enum slu_drop check_kind(const struct slu_genesis *g, const struct slu_tx *tx,
                                uint64_t now_ms)
{
    if (tx->kind == SLU_TX_PLAIN)
        return check_rollup(g, tx->rollup);
    if (tx->kind == SLU_TX_BUNDLE)
        return check_bundle(g, tx);
    return tx->kind == SLU_TX_SEALED && g->params.sealing ? check_sealed(g, tx, now_ms)
                                                          : SLU_DROP_KIND;
}

enum slu_drop slu_tx_check(const struct slu_genesis *genesis, const struct slu_tx *tx,
                           uint64_t now_ms)
{
    if (tx->bytes_len > genesis->params.tx_bytes_max || tx->body_len == 0)
        return SLU_DROP_SIZE;
    enum slu_drop drop = check_kind(genesis, tx, now_ms);
    if (drop != SLU_DROP_NONE)
        return drop;
    if (tx->valid_until_ms < now_ms)
        return SLU_DROP_EXPIRED;
    if (tx->valid_until_ms - now_ms > genesis->params.dedup_window_ms)
        return SLU_DROP_TOO_FAR;
    return SLU_DROP_NONE;
}
