#include "wire/opening.h"

#include "sluice/error.h"
#include "wire/bundle.h"

const char *slu_void_name(enum slu_void reason)
{
    static const char *const names[] = {"none", "tag", "seed", "form", "rollup", "invalid"};
    return (unsigned)reason < sizeof names / sizeof *names ? names[reason] : "unknown";
}

enum slu_void slu_opening_judge(const struct slu_genesis *genesis, uint64_t rollup,
                                const uint8_t *payload, size_t len)
{
    struct slu_bundle bundle;
    if (rollup != 0)
        return slu_genesis_rollup_known(genesis, rollup) ? SLU_OPENED : SLU_VOID_ROLLUP;
    if (slu_bundle_read(&bundle, payload, len))
        return SLU_VOID_FORM;
    return slu_bundle_known(genesis, &bundle) ? SLU_OPENED : SLU_VOID_ROLLUP;
}

void slu_opening_write(struct slu_writer *w, const struct slu_opening *o, bool opened)
{
    slu_write_u64(w, o->height);
    slu_write_u32(w, o->index);
    if (!opened)
        return;
    slu_write_bytes(w, o->key_id32, 32);
    slu_write_u8(w, o->unlock_kind);
    slu_write_u64(w, o->unlock);
    slu_write_u64(w, o->valid_until_ms);
    slu_write_bytes(w, o->e16, SLU_CHALLENGE_BYTES);
    slu_write_bytes(w, o->z32, 32);
    slu_write_bytes(w, o->rho32, SLU_RHO_BYTES);
    slu_write_bytes(w, o->payload, o->payload_len);
}

int slu_opening_read(struct slu_opening *out, const uint8_t *bytes, size_t len, bool opened)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    *out = (struct slu_opening){.height = slu_read_u64(&r)};
    out->index = slu_read_u32(&r);
    if (opened) {
        out->key_id32 = slu_read_bytes(&r, 32);
        out->unlock_kind = slu_read_u8(&r);
        out->unlock = slu_read_u64(&r);
        out->valid_until_ms = slu_read_u64(&r);
        out->e16 = slu_read_bytes(&r, SLU_CHALLENGE_BYTES);
        out->z32 = slu_read_bytes(&r, 32);
        out->rho32 = slu_read_bytes(&r, SLU_RHO_BYTES);
        if (r.failed || slu_reader_left(&r) > SLU_SEALED_MESSAGE_BYTES_MAX)
            return SLU_ERR_MALFORMED;
        out->payload_len = (uint32_t)slu_reader_left(&r);
        out->payload = slu_read_bytes(&r, out->payload_len);
    }
    return slu_reader_done(&r) && (!opened || out->unlock_kind <= SLU_UNLOCK_TIME)
               ? SLU_OK
               : SLU_ERR_MALFORMED;
}
