/* What is found, and the small things that all rules need. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/state.h"
#include "sluice/error.h"

static const struct {
    const char *name, *counts;
} rules[SLU_AUDIT_RULES] = {
    [SLU_AUDIT_CHAIN] = {"chain", "blocks"},
    [SLU_AUDIT_REPORTS] = {"reports", "reports"},
    [SLU_AUDIT_CUTS] = {"cuts", "lanes of blocks"},
    [SLU_AUDIT_CLOCK] = {"clock", "blocks"},
    [SLU_AUDIT_QUEUE] = {"queue", "queued items"},
    [SLU_AUDIT_FORCED] = {"forced", "items out of the queue"},
    [SLU_AUDIT_ORDER] = {"order", "transactions"},
    [SLU_AUDIT_IDS] = {"ids", "ids"},
    [SLU_AUDIT_CALENDAR] = {"calendar", "sealed entries due"},
    [SLU_AUDIT_OPENINGS] = {"openings", "opened or void"},
    [SLU_AUDIT_RELEASES] = {"releases", "releases"},
    [SLU_AUDIT_EVIDENCE] = {"evidence", "pieces"},
};

const char *slu_audit_rule_name(enum slu_audit_rule rule)
{
    return rules[rule].name;
}

const char *slu_audit_rule_counts(enum slu_audit_rule rule)
{
    return rules[rule].counts;
}

int audit_fault(struct slu_audit *a, enum slu_audit_rule rule, const char *format, ...)
{
    struct slu_audit_report *r = a->report;
    va_list args;
    va_start(args, format);
    vsnprintf(r->why, sizeof r->why, format, args);
    va_end(args);
    r->held = false;
    r->fault = rule;
    r->fault_height = a->height;
    return SLU_AUDIT_FAULT;
}

void audit_count(struct slu_audit *a, enum slu_audit_rule rule, uint64_t count, bool whole)
{
    struct slu_audit_line *line = &a->report->lines[rule];
    line->checked += count;
    if (whole && line->from == 0)
        line->from = a->height;
}

void audit_skip(struct slu_audit *a, enum slu_audit_rule rule, uint64_t count)
{
    a->report->lines[rule].unchecked += count;
}

int audit_get(const struct slu_store *store, enum slu_record_kind kind, uint64_t a, uint64_t b,
              const uint8_t *digest32, const uint8_t **value, size_t *len)
{
    struct slu_record_key key = {.kind = kind, .a = a, .b = b};
    if (digest32)
        memcpy(key.digest, digest32, 32);
    return store->get(store->context, &key, value, len);
}

bool audit_same(const uint8_t a32[32], const uint8_t b32[32])
{
    return memcmp(a32, b32, 32) == 0;
}

int audit_grow(void **array, size_t *cap, size_t count, size_t size)
{
    if (count <= *cap)
        return SLU_OK;
    size_t more = *cap ? *cap : 64;
    while (more < count)
        more *= 2;
    void *grown = realloc(*array, more * size);
    if (!grown)
        return SLU_ERR_MEMORY;
    *array = grown;
    *cap = more;
    return SLU_OK;
}

int audit_bytes_add(struct audit_bytes *to, const void *bytes, size_t len)
{
    void *at = to->at;
    int rc = audit_grow(&at, &to->cap, to->len + len, 1);
    to->at = at;
    if (rc)
        return rc;
    if (len > 0)
        memcpy(to->at + to->len, bytes, len);
    to->len += len;
    return SLU_OK;
}

int audit_bytes_set(struct audit_bytes *to, const void *bytes, size_t len)
{
    to->len = 0;
    return audit_bytes_add(to, bytes, len);
}

void audit_bytes_free(struct audit_bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct audit_bytes){.at = NULL};
}
