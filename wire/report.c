#include "wire/report.h"

#include "crypto/hash.h"
#include "sluice/error.h"

static void write_unsigned(struct slu_writer *w, const struct slu_report *p)
{
    slu_write_u32(w, p->epoch);
    slu_write_u64(w, p->view);
    slu_write_u16(w, p->node);
    slu_write_u64(w, p->released);
    slu_write_u64(w, p->clock_ms);
    slu_lane_tips_write(w, p->tips, p->count);
    slu_write_u16(w, p->inbox_count);
}

void slu_report_digest(struct slu_report *report, const struct slu_genesis *g)
{
    uint8_t bytes[SLU_REPORT_BYTES_MAX];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    write_unsigned(&w, report);
    SLU_CHECK(!w.failed);
    slu_hash_of(report->digest, "report", g->chain_id, bytes, slu_writer_len(&w));
}

void slu_report_write(struct slu_writer *w, const struct slu_report *report)
{
    write_unsigned(w, report);
    slu_write_bytes(w, report->signature, 64);
}

int slu_report_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_report *p)
{
    p->epoch = slu_read_u32(r);
    p->view = slu_read_u64(r);
    p->node = slu_read_u16(r);
    p->released = slu_read_u64(r);
    p->clock_ms = slu_read_u64(r);
    int rc = slu_lane_tips_read(r, g, p->tips, &p->count);
    if (rc)
        return rc;
    p->inbox_count = slu_read_u16(r);
    slu_read_copy(r, p->signature, 64);
    if (r->failed || p->view == 0)
        return SLU_ERR_MALFORMED;
    if (p->epoch != 0 || p->node >= g->n)
        return SLU_ERR_MISMATCH;
    if (p->inbox_count > SLU_INBOX_ITEMS_MAX)
        return SLU_ERR_LIMIT;
    slu_report_digest(p, g);
    return SLU_OK;
}
