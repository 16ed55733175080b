#include "wire/report.h"

#include <string.h>

#include "crypto/hash.h"
#include "sluice/error.h"

void slu_report_copy(struct slu_report *to, const struct slu_report *from)
{
    memcpy(to, from,
           offsetof(struct slu_report, inbox) + (size_t)from->inbox_count * SLU_INBOX_TUPLE_BYTES);
}

size_t slu_report_bytes(const struct slu_report *report)
{
    return SLU_REPORT_BYTES_MAX - (SLU_NODES_MAX - report->count) * 42u -
           (SLU_INBOX_PER_REPORT_MAX - report->inbox_count) * SLU_INBOX_TUPLE_BYTES;
}

static void write_unsigned(struct slu_writer *w, const struct slu_report *p)
{
    slu_write_u32(w, p->epoch);
    slu_write_u64(w, p->view);
    slu_write_u16(w, p->node);
    slu_write_u64(w, p->released);
    slu_write_u64(w, p->clock_ms);
    slu_lane_tips_write(w, p->tips, p->count);
    slu_write_u16(w, p->inbox_count);
    slu_write_bytes(w, p->inbox, (size_t)p->inbox_count * SLU_INBOX_TUPLE_BYTES);
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
    const uint8_t *inbox;
    rc = slu_inbox_list_read(r, g, slu_inbox_per_report(g), &inbox, &p->inbox_count);
    if (rc)
        return rc;
    memcpy(p->inbox, inbox, (size_t)p->inbox_count * SLU_INBOX_TUPLE_BYTES);
    slu_read_copy(r, p->signature, 64);
    if (r->failed || p->view == 0)
        return SLU_ERR_MALFORMED;
    if (p->epoch != 0 || p->node >= g->n)
        return SLU_ERR_MISMATCH;
    slu_report_digest(p, g);
    return SLU_OK;
}
