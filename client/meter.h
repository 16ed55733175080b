/* What a load has done so far, seen from two sides: the submitters' answers and a subscription at
 * another node. Both come on nng's threads; the bench thread reads.
 *
 *     slu_meter_answered   ◀── K submitting sessions
 *     slu_meter_on_height  ◀── one reading session
 *
 * Latency runs from a payload's *intended* send time to its arrival at the reader, so that a
 * submitter that is held up does not hide the wait (no coordinated omission). */
#ifndef SLU_CLIENT_METER_H
#define SLU_CLIENT_METER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "client/histogram.h"
#include "client/load.h"
#include "proto/codec.h"

#define SLU_METER_REASONS_MAX  16u
#define SLU_METER_REASON_BYTES 48u

struct slu_meter_reason {
    char name[SLU_METER_REASON_BYTES];
    uint64_t count;
};

struct slu_meter_counts {
    uint64_t accepted, refused;
    uint64_t delivered, twice; /* payloads of this run at the reader */
    uint64_t delivered_bytes;
    uint64_t measured; /* arrived inside the window ... */
    uint64_t measured_bytes;
    uint64_t height; /* last one seen; 0: none yet */
    bool reader_failed;
    char failure[160];
    size_t reason_count; /* what does not fit is counted with the last */
    struct slu_meter_reason reasons[SLU_METER_REASONS_MAX];
};

struct slu_meter {
    const struct slu_load *load;
    uint64_t from_ns, to_ns; /* the window; set before the load starts */
    pthread_mutex_t lock;
    struct slu_meter_counts counts;
    struct slu_histogram latency_us; /* of payloads meant to be sent inside the window */
    uint64_t *seen;                  /* a bit per payload number */
    size_t seen_words;
    uint64_t last_height;
};

void slu_meter_init(struct slu_meter *meter, const struct slu_load *load);
void slu_meter_free(struct slu_meter *meter);

/** Takes the answer to a submission of `txs` transactions. */
void slu_meter_answered(struct slu_meter *meter, const Slu__Client__Reply *reply, uint32_t txs);
/** on_reply function of the reading session; the context is the meter. */
void slu_meter_on_height(void *meter, const Slu__Client__Reply *reply);

/** A copy of the counts. */
struct slu_meter_counts slu_meter_read(struct slu_meter *meter);

/** Monotonic time in ns. */
uint64_t slu_now_ns(void);

#endif
