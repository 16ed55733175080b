/* Counts of times, for percentiles over any number of samples in fixed memory. Buckets are
 * log-linear: exact below 256, above that 128 to each power of two, so that a reported value is at
 * most 1/128 above the true sample. Not thread safe. */
#ifndef SLU_CLIENT_HISTOGRAM_H
#define SLU_CLIENT_HISTOGRAM_H

#include <stdint.h>

#define SLU_HISTOGRAM_MANTISSA 128u
#define SLU_HISTOGRAM_BUCKETS  ((64u - 8u + 2u) * SLU_HISTOGRAM_MANTISSA)

struct slu_histogram {
    uint64_t samples;
    uint64_t low, high; /* exact; 0 without samples */
    double sum;
    uint64_t counts[SLU_HISTOGRAM_BUCKETS];
};

void slu_histogram_add(struct slu_histogram *histogram, uint64_t value);
/** The smallest value such that at least `percent` (0..100) of the samples are not above it: the
 * upper end of its bucket, and never above the highest sample. 0 without samples. */
uint64_t slu_histogram_percentile(const struct slu_histogram *histogram, double percent);
double slu_histogram_mean(const struct slu_histogram *histogram);

#endif
