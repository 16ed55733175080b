#include "crypto/msm.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "crypto/lanes.h"

#define BUCKET_BITS_MAX 9u
#define BUCKETS_MAX     (1u << (BUCKET_BITS_MAX - 1))
#define MANY_TERMS_MIN  48u

/* ---- few terms ---- */

/* The NAF width for scalars of `bits`: what the table costs must come back. */
unsigned slu_naf_width(unsigned bits)
{
    return bits <= 16 ? 2 : bits <= 64 ? 4 : SLU_NAF_WIDTH_MAX;
}

unsigned slu_naf(int8_t digits[SLU_NAF_DIGITS], const uint8_t scalar32[32], unsigned width)
{
    uint64_t words[5] = {0};
    for (unsigned i = 0; i < 32; i++)
        words[i / 8] |= (uint64_t)scalar32[i] << i % 8 * 8;
    const uint64_t base = UINT64_C(1) << width;
    unsigned used = 0;
    uint64_t carry = 0;
    memset(digits, 0, SLU_NAF_DIGITS);
    for (unsigned at = 0; at < SLU_NAF_DIGITS;) {
        unsigned word = at / 64, shift = at % 64;
        uint64_t window = words[word] >> shift;
        if (shift + width > 64)
            window |= words[word + 1] << (64 - shift);
        window = (window & (base - 1)) + carry;
        if (!(window & 1)) {
            at++; /* an even window, carry included, has a zero here and keeps its carry */
            continue;
        }
        carry = window >= base / 2;
        digits[at] = (int8_t)((int)window - (carry ? (int)base : 0));
        used = at + 1;
        at += width;
    }
    return used;
}

struct odd_multiples {
    struct slu_cached of[SLU_NAF_ODD_MAX]; /* 1, 3, 5, ... */
};

static void make_odd(struct odd_multiples *table, const struct slu_point *p, unsigned width)
{
    struct slu_point twice, multiple = *p;
    struct slu_cached cached;
    slu_point_cache(&table->of[0], p);
    if (width == 2)
        return;
    slu_point_double(&twice, p, 1);
    slu_point_cache(&cached, &twice);
    for (unsigned i = 1; i < 1u << (width - 2); i++) {
        slu_point_add(&multiple, &multiple, &cached);
        slu_point_cache(&table->of[i], &multiple);
    }
}

static void straus(struct slu_point *out, const struct slu_point *points,
                   const uint8_t (*scalars32)[32], size_t count, unsigned bits)
{
    struct odd_multiples tables[SLU_MSM_RUN_MAX];
    int8_t digits[SLU_MSM_RUN_MAX][SLU_NAF_DIGITS];
    unsigned width = slu_naf_width(bits), length = 0, doublings = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned used = slu_naf(digits[i], scalars32[i], width);
        length = used > length ? used : length;
        make_odd(&tables[i], &points[i], width);
    }
    struct slu_point sum = slu_point_identity;
    for (unsigned at = length; at-- > 0; doublings++) {
        for (size_t i = 0; i < count; i++) {
            int digit = digits[i][at];
            if (!digit)
                continue;
            if (doublings)
                slu_point_double(&sum, &sum, doublings); /* a run ends where T is needed */
            doublings = 0;
            if (digit > 0)
                slu_point_add(&sum, &sum, &tables[i].of[digit / 2]);
            else
                slu_point_sub(&sum, &sum, &tables[i].of[-digit / 2]);
        }
    }
    if (doublings)
        slu_point_double(&sum, &sum, doublings - 1);
    *out = sum;
}

void slu_msm(struct slu_point *out, const struct slu_point *points, const uint8_t (*scalars32)[32],
             size_t count, unsigned bits)
{
    struct slu_point sum = slu_point_identity;
    for (size_t done = 0; done < count;) {
        size_t run = count - done < SLU_MSM_RUN_MAX ? count - done : SLU_MSM_RUN_MAX;
        struct slu_point part;
        straus(&part, points + done, scalars32 + done, run, bits);
        if (done)
            slu_point_sum(&sum, &sum, &part);
        else
            sum = part;
        done += run;
    }
    *out = sum;
}

/* ---- many terms ---- */

struct slu_msm_work {
    size_t terms_max;
    struct slu_msm_term terms[];
};

size_t slu_msm_work_bytes(size_t terms_max)
{
    return sizeof(struct slu_msm_work) + terms_max * sizeof(struct slu_msm_term);
}

struct slu_msm_work *slu_msm_work_init(void *memory, size_t terms_max)
{
    struct slu_msm_work *work = memory;
    work->terms_max = terms_max;
    return work;
}

struct slu_msm_work *slu_msm_work_new(size_t terms_max)
{
    void *memory = malloc(slu_msm_work_bytes(terms_max));
    return memory ? slu_msm_work_init(memory, terms_max) : NULL;
}

void slu_msm_work_free(struct slu_msm_work *work)
{
    free(work);
}

/* The window for `count` terms: buckets are summed with two additions each, terms cost one. */
static unsigned bucket_bits(size_t count)
{
    return count < 128    ? 5
           : count < 384  ? 6
           : count < 1024 ? 7
           : count < 3072 ? 8
                          : BUCKET_BITS_MAX;
}

static void add_halves(uint64_t words[5], unsigned bits, unsigned windows)
{
    for (unsigned window = 0; window < windows; window++) {
        unsigned at = window * bits + bits - 1;
        uint64_t half = UINT64_C(1) << at % 64;
        for (unsigned word = at / 64; word < 5; word++) {
            bool carried = __builtin_add_overflow(words[word], half, &words[word]);
            half = carried;
            if (!carried)
                break;
        }
    }
}

/* sum of (b + 1) bucket_b: a running sum from the top, added up. */
static void sum_buckets(struct slu_point *out, const struct slu_point *buckets, size_t count)
{
    struct slu_point running = buckets[count - 1], sum = running;
    for (size_t b = count - 1; b-- > 0;) {
        slu_point_sum(&running, &running, &buckets[b]);
        slu_point_sum(&sum, &sum, &running);
    }
    *out = sum;
}

static void make_terms(struct slu_msm_term *terms, const struct slu_point *points,
                       const uint8_t (*scalars32)[32], size_t count, unsigned window_bits,
                       unsigned windows)
{
    for (size_t i = 0; i < count; i++) {
        struct slu_msm_term *term = &terms[i];
        slu_fe_add(&term->point.y_plus_x, &points[i].y, &points[i].x);
        slu_fe_sub(&term->point.y_minus_x, &points[i].y, &points[i].x);
        slu_fe_mul(&term->point.xy2d, &points[i].t, &slu_fe_2d);
        memset(term->scalar, 0, sizeof term->scalar);
        for (unsigned b = 0; b < 32; b++)
            term->scalar[b / 8] |= (uint64_t)scalars32[i][b] << b % 8 * 8;
        add_halves(term->scalar, window_bits, windows);
    }
}

/* The sum of digit * point over all terms. */
static void sum_window(struct slu_point *out, const struct slu_msm_term *terms, size_t count,
                       unsigned window_bits, unsigned window)
{
    struct slu_point buckets[BUCKETS_MAX];
    const size_t bucket_count = (size_t)1 << (window_bits - 1);
    for (size_t b = 0; b < bucket_count; b++)
        buckets[b] = slu_point_identity;
    for (size_t i = 0; i < count; i++) {
        int digit = slu_msm_digit(&terms[i], window_bits, window);
        if (digit > 0)
            slu_point_add_niels(&buckets[digit - 1], &buckets[digit - 1], &terms[i].point);
        else if (digit < 0)
            slu_point_sub_niels(&buckets[-digit - 1], &buckets[-digit - 1], &terms[i].point);
    }
    sum_buckets(out, buckets, bucket_count);
}

void slu_msm_many(struct slu_msm_work *work, struct slu_point *out, const struct slu_point *points,
                  const uint8_t (*scalars32)[32], size_t count, unsigned bits)
{
    SLU_CHECK(count <= work->terms_max && bits <= 253);
    if (count < MANY_TERMS_MIN) {
        slu_msm(out, points, scalars32, count, bits);
        return;
    }
    const bool lanes = slu_lanes_on();
    const unsigned window_bits = lanes ? slu_lanes_window_bits(count) : bucket_bits(count),
                   windows = (bits + 1) / window_bits + 1;
    make_terms(work->terms, points, scalars32, count, window_bits, windows);
    struct slu_point sum = slu_point_identity, parts[SLU_LANES];
    for (unsigned window = windows; window-- > 0;) {
        const unsigned lane = lanes ? window % SLU_LANES : 0;
        if (!lanes)
            sum_window(parts, work->terms, count, window_bits, window);
        else if (window + 1 == windows || lane + 1 == SLU_LANES)
            slu_lanes_windows(parts, work->terms, count, window_bits, window - lane, lane + 1);
        slu_point_double(&sum, &sum, window_bits);
        slu_point_sum(&sum, &sum, &parts[lane]);
    }
    *out = sum;
}
