#include "consensus/opened.h"

#include "sluice/error.h"

int slu_opened_open(struct slu_reader *record, const uint8_t *bytes, size_t len, uint32_t *count)
{
    *record = slu_reader_of(bytes, len);
    *count = slu_read_u32(record);
    return record->failed || *count > slu_reader_left(record) / SLU_OPENED_HEAD_BYTES
               ? SLU_ERR_MALFORMED
               : SLU_OK;
}

int slu_opened_next(struct slu_reader *record, struct slu_opened *out)
{
    out->index = slu_read_u32(record);
    out->id32 = slu_read_bytes(record, 32);
    out->outcome = slu_read_u8(record);
    out->rollup = slu_read_u64(record);
    out->opening_len = slu_read_u32(record);
    out->opening = slu_read_bytes(record, out->opening_len);
    return record->failed ? SLU_ERR_MALFORMED : SLU_OK;
}
