#include "wire/bundle.h"

#include "base/bytes.h"

static bool is_count(size_t count)
{
    return count >= SLU_BUNDLE_LEGS_MIN && count <= SLU_BUNDLE_LEGS_MAX;
}

int slu_bundle_body(uint8_t *body, size_t cap, size_t *len, const struct slu_bundle *bundle)
{
    struct slu_writer w = slu_writer_of(body, cap);
    if (!is_count(bundle->count))
        return SLU_ERR_MALFORMED;
    slu_write_u8(&w, (uint8_t)bundle->count);
    for (size_t i = 0; i < bundle->count; i++) {
        const struct slu_bundle_leg *leg = &bundle->legs[i];
        if (leg->rollup < 1 || leg->rollup > SLU_ROLLUP_ID_MAX || leg->payload_len == 0)
            return SLU_ERR_MALFORMED;
        if (leg->payload_len > UINT32_MAX)
            return SLU_ERR_LIMIT;
        slu_write_u64(&w, leg->rollup);
        slu_write_u32(&w, (uint32_t)leg->payload_len);
        slu_write_bytes(&w, leg->payload, leg->payload_len);
    }
    *len = slu_writer_len(&w);
    return w.failed ? SLU_ERR_LIMIT : SLU_OK;
}

int slu_bundle_read(struct slu_bundle *bundle, const uint8_t *body, size_t len)
{
    struct slu_reader r = slu_reader_of(body, len);
    size_t count = slu_read_u8(&r);
    bool good = is_count(count);
    for (size_t i = 0; good && i < count; i++) {
        struct slu_bundle_leg *leg = &bundle->legs[i];
        leg->rollup = slu_read_u64(&r);
        leg->payload_len = slu_read_u32(&r);
        leg->payload = slu_read_bytes(&r, leg->payload_len);
        good = !r.failed && leg->payload_len > 0;
    }
    good = good && slu_reader_done(&r);
    bundle->count = good ? count : 0;
    return good ? SLU_OK : SLU_ERR_MALFORMED;
}

bool slu_bundle_has(const struct slu_bundle *bundle, uint64_t rollup)
{
    for (size_t i = 0; i < bundle->count; i++)
        if (bundle->legs[i].rollup == rollup)
            return true;
    return false;
}

size_t slu_bundle_rollups(const struct slu_bundle *bundle, uint64_t rollups[SLU_BUNDLE_LEGS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < bundle->count; i++) {
        uint64_t rollup = bundle->legs[i].rollup;
        size_t at = 0;
        while (at < count && rollups[at] < rollup)
            at++;
        if (at < count && rollups[at] == rollup)
            continue;
        for (size_t k = count++; k > at; k--)
            rollups[k] = rollups[k - 1];
        rollups[at] = rollup;
    }
    return count;
}

bool slu_bundle_known(const struct slu_genesis *genesis, const struct slu_bundle *bundle)
{
    for (size_t i = 0; i < bundle->count; i++)
        if (!slu_genesis_rollup_known(genesis, bundle->legs[i].rollup))
            return false;
    return true;
}
