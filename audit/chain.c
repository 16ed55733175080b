/* Blocks, their certificates, and the reports that they were computed from (clauses 3.1 to 3.3). */
#include <string.h>

#include "audit/state.h"
#include "sluice/error.h"
#include "wire/vote.h"

#define AHEAD_MAX 2048u /* heights above the range in which a certificate is looked for */

int audit_read_block(struct slu_audit *a, uint64_t height, struct slu_block *block,
                     struct audit_bytes *list, struct slu_reader *rest)
{
    const uint8_t *value;
    size_t len;
    int rc = audit_get(a->store, SLU_REC_FINAL, height, 0, NULL, &value, &len);
    if (rc)
        return rc;
    struct slu_reader r = slu_reader_of(value, len);
    if (slu_block_read(&r, a->g, block) || block->height != height)
        return SLU_ERR_MALFORMED;
    rc = audit_bytes_set(list, block->queued, slu_block_list_bytes(block));
    block->queued = list->at;
    if (rest)
        *rest = r;
    return rc;
}

static bool signed_by(const struct slu_audit *a, uint16_t node, const uint8_t digest32[32],
                      const uint8_t signature64[64])
{
    return a->verifier.verify(a->verifier.context, node, digest32, signature64);
}

/* The certificate behind a block: 0, or words. */
static const char *check_cert(struct slu_audit *a, const struct slu_block *block,
                              struct slu_reader *r, bool *has)
{
    struct slu_cert cert;
    uint8_t flag = slu_read_u8(r);
    *has = false;
    if (r->failed || flag > 1 || (flag == 0 && !slu_reader_done(r)))
        return "its record is malformed";
    if (flag == 0)
        return NULL;
    if (slu_cert_read(r, a->g, &cert) || !slu_reader_done(r))
        return "its certificate is malformed";
    if (cert.kind != SLU_FINALIZE || cert.view != block->view ||
        !audit_same(cert.block, block->digest))
        return "its certificate is of another block";
    for (uint16_t i = 0; i < cert.count; i++)
        if (!signed_by(a, cert.votes[i].node, cert.digest, cert.votes[i].signature))
            return "a signature of its certificate is wrong";
    *has = true;
    return NULL;
}

int audit_chain(struct slu_audit *a)
{
    struct slu_reader r;
    bool certified;
    int rc = audit_read_block(a, a->height, &a->block, &a->list, &r);
    if (rc == SLU_ERR_NOT_FOUND)
        return audit_fault(a, SLU_AUDIT_CHAIN, "the block is missing");
    if (rc == SLU_ERR_MALFORMED)
        return audit_fault(a, SLU_AUDIT_CHAIN, "the block is malformed, or of another height");
    if (rc)
        return rc;
    const char *words = check_cert(a, &a->block, &r, &certified);
    if (words)
        return audit_fault(a, SLU_AUDIT_CHAIN, "%s", words);
    if (!audit_same(a->block.parent, a->parent.digest))
        return audit_fault(a, SLU_AUDIT_CHAIN, "it does not stand on the block below");
    if (a->block.view <= a->parent.view)
        return audit_fault(a, SLU_AUDIT_CHAIN, "its view is not above its parent's");
    if (certified)
        a->unproven = 0;
    else if (a->unproven == 0)
        a->unproven = a->height;
    audit_count(a, SLU_AUDIT_CHAIN, 1, true);
    return SLU_OK;
}

int audit_chain_end(struct slu_audit *a)
{
    uint64_t first = a->unproven, height = a->height;
    uint8_t below[32];
    memcpy(below, a->parent.digest, 32);
    while (a->unproven && height < first + AHEAD_MAX) {
        struct slu_reader r;
        bool certified;
        int rc = audit_read_block(a, ++height, &a->block, &a->list, &r);
        if (rc == SLU_ERR_IO || rc == SLU_ERR_CORRUPT || rc == SLU_ERR_MEMORY)
            return rc;
        if (rc || check_cert(a, &a->block, &r, &certified) || !audit_same(a->block.parent, below))
            break;
        memcpy(below, a->block.digest, 32);
        if (certified)
            a->unproven = 0;
    }
    if (a->unproven == 0)
        return SLU_OK;
    a->height = first;
    return audit_fault(a, SLU_AUDIT_CHAIN, "no certificate says that it is final");
}

int audit_reports(struct slu_audit *a)
{
    const uint8_t *value;
    size_t len;
    struct slu_report_ref refs[SLU_NODES_MAX];
    uint8_t digest[32];
    int rc = audit_get(a->store, SLU_REC_REPORTS, a->height, 0, NULL, &value, &len);
    a->has_reports = false;
    if (rc == SLU_ERR_NOT_FOUND) {
        audit_skip(a, SLU_AUDIT_REPORTS, a->q);
        return SLU_OK;
    }
    if (rc)
        return rc;
    struct slu_reader r = slu_reader_of(value, len);
    uint16_t count = slu_read_u16(&r);
    if (count != a->q)
        return audit_fault(a, SLU_AUDIT_REPORTS, "%u reports, not %u", count, a->q);
    for (uint16_t i = 0; i < count; i++) {
        struct slu_report *report = &a->reports[i];
        if (slu_report_read(&r, a->g, report))
            return audit_fault(a, SLU_AUDIT_REPORTS, "report %u is malformed", i);
        if (report->view != a->block.view || (i > 0 && report->node <= refs[i - 1].node))
            return audit_fault(a, SLU_AUDIT_REPORTS,
                               "report %u is of another view, or out of order", i);
        if (!signed_by(a, report->node, report->digest, report->signature))
            return audit_fault(a, SLU_AUDIT_REPORTS, "node %u did not sign its report",
                               report->node);
        refs[i].node = report->node;
        memcpy(refs[i].digest, report->digest, 32);
        a->named[i] = report;
    }
    slu_reports_digest(digest, a->g, refs, count);
    if (!slu_reader_done(&r) || !audit_same(digest, a->block.reports))
        return audit_fault(a, SLU_AUDIT_REPORTS, "they are not those that the block names");
    a->has_reports = true;
    audit_count(a, SLU_AUDIT_REPORTS, count, true);
    return SLU_OK;
}
