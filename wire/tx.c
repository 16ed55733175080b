#include "wire/tx.h"

#include "crypto/hash.h"

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

void slu_tx_id(uint8_t id32[32], const struct slu_genesis *genesis, const struct slu_tx *tx)
{
    slu_hash_of(id32, "tx", genesis->chain_id, tx->bytes, tx->bytes_len);
}

enum slu_drop slu_tx_check(const struct slu_genesis *genesis, const struct slu_tx *tx,
                           uint64_t now_ms)
{
    if (tx->bytes_len > genesis->params.tx_bytes_max || tx->body_len == 0)
        return SLU_DROP_SIZE;
    if (tx->kind != SLU_TX_PLAIN)
        return SLU_DROP_KIND;
    if (!slu_genesis_rollup_known(genesis, tx->rollup))
        return SLU_DROP_ROLLUP;
    if (tx->valid_until_ms < now_ms)
        return SLU_DROP_EXPIRED;
    if (tx->valid_until_ms - now_ms > genesis->params.dedup_window_ms)
        return SLU_DROP_TOO_FAR;
    return SLU_DROP_NONE;
}
