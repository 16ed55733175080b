#include "tests/sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "sluice/error.h"
#include "tests/sim/table.h"

static int compare(const struct slu_record_key *x, const struct slu_record_key *y)
{
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    if (x->b != y->b)
        return x->b < y->b ? -1 : 1;
    return memcmp(x->digest, y->digest, 32);
}

/* First index of `kind` whose key is not below `key`. */
static uint32_t lower_bound(const struct sim_disk *disk, enum slu_record_kind kind,
                            const struct slu_record_key *key)
{
    uint32_t low = 0, high = disk->counts[kind];
    if (high && compare(&disk->records[kind][high - 1].key, key) < 0)
        return high;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (compare(&disk->records[kind][mid].key, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct sim_record *sim_disk_find(const struct sim_disk *disk,
                                       const struct slu_record_key *key)
{
    uint32_t at = lower_bound(disk, key->kind, key);
    if (at == disk->counts[key->kind] || compare(&disk->records[key->kind][at].key, key) != 0)
        return NULL;
    return &disk->records[key->kind][at];
}

void sim_disk_put(struct sim_disk *disk, const struct slu_record_key *key, const uint8_t *value,
                  size_t len)
{
    enum slu_record_kind kind = key->kind;
    SLU_CHECK(kind > 0 && kind < SLU_REC_KINDS);
    uint32_t at = lower_bound(disk, kind, key);
    uint8_t *copy = malloc(len ? len : 1);
    SLU_CHECK(copy);
    if (len)
        memcpy(copy, value, len);
    if (at < disk->counts[kind] && compare(&disk->records[kind][at].key, key) == 0) {
        struct sim_record *record = &disk->records[kind][at];
        disk->bytes -= record->len;
        free(record->value);
        record->value = copy;
        record->len = len;
    } else {
        disk->records[kind] = sim_grow(disk->records[kind], &disk->caps[kind], disk->counts[kind],
                                       sizeof(struct sim_record));
        memmove(&disk->records[kind][at + 1], &disk->records[kind][at],
                (disk->counts[kind] - at) * sizeof(struct sim_record));
        disk->records[kind][at] = (struct sim_record){.key = *key, .len = len, .value = copy};
        disk->counts[kind]++;
    }
    disk->bytes += len;
    if (disk->bytes > disk->bytes_peak)
        disk->bytes_peak = disk->bytes;
}

void sim_disk_forget(struct sim_disk *disk, const struct slu_record_key *from,
                     const struct slu_record_key *to)
{
    disk->forgets =
        sim_grow(disk->forgets, &disk->forget_cap, disk->forget_count, sizeof *disk->forgets);
    disk->forgets[disk->forget_count++] = (struct sim_forget){*from, *to};
}

static void erase(struct sim_disk *disk, const struct sim_forget *range)
{
    for (int kind = (int)range->from.kind; kind <= (int)range->to.kind && kind < SLU_REC_KINDS;
         kind++) {
        enum slu_record_kind k = (enum slu_record_kind)kind;
        uint32_t from = lower_bound(disk, k, &range->from);
        uint32_t to = lower_bound(disk, k, &range->to);
        if (to <= from)
            continue;
        for (uint32_t i = from; i < to; i++) {
            disk->bytes -= disk->records[k][i].len;
            free(disk->records[k][i].value);
        }
        memmove(&disk->records[k][from], &disk->records[k][to],
                (disk->counts[k] - to) * sizeof(struct sim_record));
        disk->counts[k] -= to - from;
    }
}

void sim_disk_remove(struct sim_disk *disk, const struct slu_record_key *key)
{
    struct sim_forget one = {.from = *key, .to = *key};
    /* The next key: digests are compared last, as big-endian bytes. */
    for (int i = 31; i >= 0 && ++one.to.digest[i] == 0; i--)
        ;
    erase(disk, &one);
}

void sim_disk_settle(struct sim_disk *disk, bool keep)
{
    for (uint32_t i = 0; !keep && i < disk->forget_count; i++)
        erase(disk, &disk->forgets[i]);
    disk->forget_count = 0;
}

void sim_disk_wipe(struct sim_disk *disk)
{
    for (int kind = 0; kind < SLU_REC_KINDS; kind++) {
        for (uint32_t i = 0; i < disk->counts[kind]; i++)
            free(disk->records[kind][i].value);
        free(disk->records[kind]);
    }
    free(disk->forgets);
    *disk = (struct sim_disk){0};
}

void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from)
{
    sim_disk_wipe(to);
    for (int kind = 0; kind < SLU_REC_KINDS; kind++)
        for (uint32_t i = 0; i < from->counts[kind]; i++)
            sim_disk_put(to, &from->records[kind][i].key, from->records[kind][i].value,
                         from->records[kind][i].len);
}

static int store_get(void *context, const struct slu_record_key *key, const uint8_t **value,
                     size_t *value_len)
{
    const struct sim_record *record = sim_disk_find(context, key);
    if (!record)
        return SLU_ERR_NOT_FOUND;
    *value = record->value;
    *value_len = record->len;
    return SLU_OK;
}

static int store_scan(void *context, const struct slu_record_key *from,
                      const struct slu_record_key *to,
                      int (*visit)(void *visitor, const struct slu_record_key *key,
                                   const uint8_t *value, size_t value_len),
                      void *visitor)
{
    struct sim_disk *disk = context;
    for (int kind = (int)from->kind; kind <= (int)to->kind && kind < SLU_REC_KINDS; kind++) {
        uint32_t at = lower_bound(disk, (enum slu_record_kind)kind, from);
        for (; at < disk->counts[kind]; at++) {
            const struct sim_record *record = &disk->records[kind][at];
            if (compare(&record->key, to) >= 0)
                return SLU_OK;
            int rc = visit(visitor, &record->key, record->value, record->len);
            if (rc)
                return rc;
        }
    }
    return SLU_OK;
}

static int store_last(void *context, enum slu_record_kind kind, struct slu_record_key *key,
                      const uint8_t **value, size_t *value_len)
{
    struct sim_disk *disk = context;
    if (disk->counts[kind] == 0)
        return SLU_ERR_NOT_FOUND;
    const struct sim_record *record = &disk->records[kind][disk->counts[kind] - 1];
    *key = record->key;
    *value = record->value;
    *value_len = record->len;
    return SLU_OK;
}

struct slu_store sim_disk_store(struct sim_disk *disk)
{
    return (struct slu_store){
        .context = disk, .get = store_get, .scan = store_scan, .last = store_last};
}
