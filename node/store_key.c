#include <string.h>

#include "node/store_state.h"

enum slu_disk_family slu_disk_family(enum slu_record_kind kind)
{
    if (kind == SLU_REC_BATCH)
        return SLU_FAMILY_BATCH;
    if (kind == SLU_REC_CALENDAR)
        return SLU_FAMILY_CALENDAR;
    bool passing = kind == SLU_REC_VOTE || kind == SLU_REC_ACK || kind == SLU_REC_DUE;
    return passing ? SLU_FAMILY_VOTE : SLU_FAMILY_DEFAULT;
}

void slu_put_be64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (56 - 8 * i));
}

uint64_t slu_get_be64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | at[i];
    return value;
}

size_t slu_key_write(char out[SLU_KEY_BYTES_MAX], const struct slu_record_key *key)
{
    uint8_t bytes[SLU_KEY_BYTES_MAX];
    size_t len = slu_record_has_digest(key->kind) ? 49 : 17;
    bytes[0] = (uint8_t)key->kind;
    slu_put_be64(bytes + 1, key->a);
    slu_put_be64(bytes + 9, key->b);
    if (len == 49)
        memcpy(bytes + 17, key->digest, 32);
    memcpy(out, bytes, len);
    return len;
}

bool slu_key_read(struct slu_record_key *key, const char *in, size_t len)
{
    uint8_t bytes[SLU_KEY_BYTES_MAX];
    if (len != 17 && len != SLU_KEY_BYTES_MAX)
        return false;
    memcpy(bytes, in, len);
    memset(key, 0, sizeof *key);
    if (bytes[0] == 0 || bytes[0] >= SLU_REC_KINDS)
        return false;
    key->kind = (enum slu_record_kind)bytes[0];
    key->a = slu_get_be64(bytes + 1);
    key->b = slu_get_be64(bytes + 9);
    if (slu_record_has_digest(key->kind) != (len == SLU_KEY_BYTES_MAX))
        return false;
    if (len == SLU_KEY_BYTES_MAX)
        memcpy(key->digest, bytes + 17, 32);
    return true;
}

int slu_key_compare(const struct slu_record_key *x, const struct slu_record_key *y)
{
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    if (x->b != y->b)
        return x->b < y->b ? -1 : 1;
    return memcmp(x->digest, y->digest, 32);
}

bool slu_key_single(const struct slu_record_key *from, const struct slu_record_key *to)
{
    return from->kind == to->kind && !slu_record_has_digest(from->kind) && from->a == to->a &&
           from->b < to->b && to->b - from->b == 1;
}

bool slu_key_part(struct slu_record_key *lo, struct slu_record_key *hi, unsigned kind,
                  const struct slu_record_key *from, const struct slu_record_key *to)
{
    struct slu_record_key first = {.kind = (enum slu_record_kind)kind};
    struct slu_record_key end = {.kind = (enum slu_record_kind)(kind + 1)};
    *lo = slu_key_compare(from, &first) > 0 ? *from : first;
    *hi = slu_key_compare(to, &end) < 0 ? *to : end;
    return slu_key_compare(lo, hi) < 0;
}
