/* client/histogram against sorted samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/histogram.h"

#define SAMPLES 20000u

static struct slu_histogram histogram;
static uint64_t samples[SAMPLES];

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* The reported value is never below the true one and at most 1/128 above it. */
static void test_against_sorted(void **state)
{
    (void)state;
    static const double percents[] = {0, 0.01, 1, 25, 50, 75, 90, 99, 99.9, 99.99, 100};
    for (unsigned bits = 4; bits <= 64; bits += 5) {
        uint64_t seed = 88172645463325252u + bits;
        memset(&histogram, 0, sizeof histogram);
        for (size_t i = 0; i < SAMPLES; i++) {
            samples[i] = next_random(&seed) >> (64 - bits) >> (next_random(&seed) % 8);
            slu_histogram_add(&histogram, samples[i]);
        }
        qsort(samples, SAMPLES, sizeof *samples, by_value);
        for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
            double share = percents[i] / 100 * SAMPLES;
            size_t rank = (size_t)share + ((double)(size_t)share < share);
            uint64_t want = samples[rank ? rank - 1 : 0];
            uint64_t got = slu_histogram_percentile(&histogram, percents[i]);
            assert_true(got >= want);
            assert_true(got - want <= want / 128);
        }
        assert_true(slu_histogram_percentile(&histogram, 100) == samples[SAMPLES - 1]);
        assert_true(histogram.low == samples[0] && histogram.high == samples[SAMPLES - 1]);
    }
}

static void test_small_cases(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof histogram);
    assert_int_equal(slu_histogram_percentile(&histogram, 50), 0);
    assert_true(slu_histogram_mean(&histogram) == 0);
    slu_histogram_add(&histogram, 7);
    assert_int_equal(slu_histogram_percentile(&histogram, 0), 7);
    assert_int_equal(slu_histogram_percentile(&histogram, 50), 7);
    assert_int_equal(slu_histogram_percentile(&histogram, 99.9), 7);
    for (uint64_t value = 1; value <= 100; value++)
        if (value != 7)
            slu_histogram_add(&histogram, value);
    assert_int_equal(slu_histogram_percentile(&histogram, 50), 50);
    assert_int_equal(slu_histogram_percentile(&histogram, 99), 99);
    assert_int_equal(slu_histogram_percentile(&histogram, 99.1), 100);
    assert_true(slu_histogram_mean(&histogram) == 50.5);
}

static void test_extremes(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof histogram);
    slu_histogram_add(&histogram, 0);
    slu_histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(slu_histogram_percentile(&histogram, 50), 0);
    assert_true(slu_histogram_percentile(&histogram, 100) == UINT64_MAX);
    /* Every power of two and its neighbours fall into rising buckets. */
    uint64_t last = 0;
    for (unsigned bit = 1; bit < 64; bit++) {
        for (int step = -1; step <= 1; step++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)step;
            memset(&histogram, 0, sizeof histogram);
            slu_histogram_add(&histogram, value);
            slu_histogram_add(&histogram, UINT64_MAX);
            uint64_t got = slu_histogram_percentile(&histogram, 50);
            assert_true(got >= value && got - value <= value / 128 && got >= last);
            last = got;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_sorted),
        cmocka_unit_test(test_small_cases),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
