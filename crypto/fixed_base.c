#include "crypto/fixed_base.h"

#include <stdlib.h>

#include "base/check.h"

struct slu_fixed_base {
    unsigned window_bits;
    unsigned windows;
    size_t half; /* entries of a window */
    struct slu_niels entries[];
};

static unsigned windows_of(unsigned window_bits)
{
    return (253 + window_bits) / window_bits; /* 253 bits and the carry of the top digit */
}

size_t slu_fixed_base_bytes(unsigned window_bits)
{
    return sizeof(struct slu_fixed_base) +
           windows_of(window_bits) * sizeof(struct slu_niels) * ((size_t)1 << (window_bits - 1));
}

struct slu_fixed_base *slu_fixed_base_new(const struct slu_point *base, unsigned window_bits)
{
    void *memory = malloc(slu_fixed_base_bytes(window_bits));
    return memory ? slu_fixed_base_init(memory, base, window_bits) : NULL;
}

struct slu_fixed_base *slu_fixed_base_init(void *memory, const struct slu_point *base,
                                           unsigned window_bits)
{
    SLU_CHECK(window_bits >= SLU_WINDOW_BITS_MIN && window_bits <= SLU_WINDOW_BITS_MAX);
    struct slu_fixed_base *table = memory;
    table->window_bits = window_bits;
    table->windows = windows_of(window_bits);
    table->half = (size_t)1 << (window_bits - 1);

    struct slu_point multiples[1u << (SLU_WINDOW_BITS_MAX - 1)], first = *base;
    struct slu_fe scratch[2u << (SLU_WINDOW_BITS_MAX - 1)];
    for (unsigned window = 0; window < table->windows; window++) {
        struct slu_cached cached;
        slu_point_cache(&cached, &first);
        multiples[0] = first;
        for (size_t j = 1; j < table->half; j++)
            slu_point_add(&multiples[j], &multiples[j - 1], &cached);
        slu_point_niels(table->entries + window * table->half, multiples, table->half, scratch);
        slu_point_double(&first, &first, window_bits);
    }
    return table;
}

void slu_fixed_base_free(struct slu_fixed_base *table)
{
    free(table);
}

void slu_fixed_base_digits(struct slu_fixed_digits *out, const struct slu_fixed_base *table,
                           const uint8_t scalar32[32])
{
    const unsigned bits = table->window_bits;
    const int base = 1 << bits, half = base / 2;
    int carry = 0;
    for (unsigned window = 0; window < table->windows; window++) {
        unsigned at = window * bits, byte = at / 8, shift = at % 8;
        unsigned low = byte < 32 ? scalar32[byte] : 0;
        unsigned high = byte + 1 < 32 ? scalar32[byte + 1] : 0;
        int digit = (int)((low | high << 8) >> shift & (unsigned)(base - 1)) + carry;
        carry = digit > half;
        digit -= carry ? base : 0;
        out->digit[window] = (int16_t)digit;
        if (digit) {
            const struct slu_niels *entry =
                table->entries + window * table->half + (size_t)abs(digit) - 1;
            __builtin_prefetch(entry);
            __builtin_prefetch((const char *)(entry + 1) - 1);
        }
    }
}

void slu_fixed_base_add(struct slu_point *sum, const struct slu_fixed_base *table,
                        const struct slu_fixed_digits *digits)
{
    const struct slu_niels *entries = table->entries;
    for (unsigned window = 0; window < table->windows; window++, entries += table->half) {
        int digit = digits->digit[window];
        if (digit > 0)
            slu_point_add_niels(sum, sum, &entries[digit - 1]);
        else if (digit < 0)
            slu_point_sub_niels(sum, sum, &entries[-digit - 1]);
    }
}

struct slu_fixed_entries slu_fixed_base_entries(const struct slu_fixed_base *table)
{
    return (struct slu_fixed_entries){table->entries, table->windows, table->half};
}
