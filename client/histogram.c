#include "client/histogram.h"

#include <stddef.h>

/* Values below 2 * MANTISSA are their own bucket. Above, a value with its top bit at `e` (e >= 8)
 * is cut to its 8 top bits: MANTISSA buckets for each e, in rising order. */
static size_t bucket_of(uint64_t value)
{
    if (value < 2 * SLU_HISTOGRAM_MANTISSA)
        return (size_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - 7u;
    return (size_t)(shift * SLU_HISTOGRAM_MANTISSA + (value >> shift));
}

static uint64_t bucket_end(size_t bucket)
{
    if (bucket < 2 * SLU_HISTOGRAM_MANTISSA)
        return bucket;
    unsigned shift = (unsigned)(bucket / SLU_HISTOGRAM_MANTISSA) - 1u;
    uint64_t top = bucket - (uint64_t)shift * SLU_HISTOGRAM_MANTISSA;
    return (top << shift) + ((UINT64_C(1) << shift) - 1);
}

void slu_histogram_add(struct slu_histogram *histogram, uint64_t value)
{
    if (histogram->samples == 0 || value < histogram->low)
        histogram->low = value;
    if (value > histogram->high)
        histogram->high = value;
    histogram->samples++;
    histogram->sum += (double)value;
    histogram->counts[bucket_of(value)]++;
}

uint64_t slu_histogram_percentile(const struct slu_histogram *histogram, double percent)
{
    if (histogram->samples == 0)
        return 0;
    /* The rank of the wanted sample, counted from 1: the least whole number that reaches the share.
     */
    double share = percent / 100.0 * (double)histogram->samples;
    uint64_t rank = (uint64_t)share;
    if ((double)rank < share)
        rank++;
    if (rank < 1)
        rank = 1;
    if (rank > histogram->samples)
        rank = histogram->samples;
    uint64_t seen = 0;
    for (size_t i = 0; i < SLU_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= rank) {
            uint64_t end = bucket_end(i);
            return end < histogram->high ? end : histogram->high;
        }
    }
    return histogram->high;
}

double slu_histogram_mean(const struct slu_histogram *histogram)
{
    return histogram->samples ? histogram->sum / (double)histogram->samples : 0;
}
