#include "client/meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/heights.h"
#include "wire/opening.h"

#define NUMBERS_MAX (UINT64_C(1) << 32) /* payload numbers that are looked at: 512 MiB of bits */

uint64_t slu_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void slu_meter_init(struct slu_meter *meter, const struct slu_load *load)
{
    memset(meter, 0, sizeof *meter);
    meter->load = load;
    meter->from_ns = meter->to_ns = UINT64_MAX;
    pthread_mutex_init(&meter->lock, NULL);
}

void slu_meter_free(struct slu_meter *meter)
{
    free(meter->seen);
    pthread_mutex_destroy(&meter->lock);
}

/* ---- submitters ---- */

static void count_reason(struct slu_meter_counts *counts, const char *name, uint64_t more)
{
    size_t i = 0;
    while (i < counts->reason_count && strcmp(counts->reasons[i].name, name))
        i++;
    if (i == SLU_METER_REASONS_MAX)
        i--;
    else if (i == counts->reason_count)
        snprintf(counts->reasons[counts->reason_count++].name, SLU_METER_REASON_BYTES, "%s", name);
    counts->reasons[i].count += more;
    counts->refused += more;
}

void slu_meter_answered(struct slu_meter *meter, const Slu__Client__Reply *reply, uint32_t txs)
{
    struct slu_meter_counts *counts = &meter->counts;
    pthread_mutex_lock(&meter->lock);
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_SUBMIT && reply->submit->n_results == txs) {
        for (size_t i = 0; i < txs; i++) {
            const Slu__Client__TxResult *result = reply->submit->results[i];
            if (result->accepted)
                counts->accepted++;
            else
                count_reason(counts, *result->reason ? result->reason : "no_reason", 1);
        }
    } else if (reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR) {
        count_reason(counts, reply->error->code, txs);
    } else {
        count_reason(counts, "malformed_reply", txs);
    }
    pthread_mutex_unlock(&meter->lock);
}

/* ---- reader ---- */

/* True the first time that a number is seen. */
static bool first_time(struct slu_meter *meter, uint64_t number)
{
    size_t word = (size_t)(number / 64);
    if (number >= NUMBERS_MAX)
        return true;
    if (word >= meter->seen_words) {
        size_t words = meter->seen_words ? meter->seen_words : 16384;
        while (words <= word)
            words *= 2;
        uint64_t *seen = realloc(meter->seen, words * sizeof *seen);
        if (!seen)
            return true;
        memset(seen + meter->seen_words, 0, (words - meter->seen_words) * sizeof *seen);
        meter->seen = seen;
        meter->seen_words = words;
    }
    uint64_t bit = UINT64_C(1) << (number % 64);
    bool first = !(meter->seen[word] & bit);
    meter->seen[word] |= bit;
    return first;
}

static void take_entry(struct slu_meter *meter, const struct slu_entry *entry,
                       uint64_t now_ns)
{
    uint64_t number, intended_ns;
    struct slu_meter_counts *counts = &meter->counts;
    const uint8_t *payload = entry->payload;
    uint32_t len = entry->payload_len;
    struct slu_opening opening;
    if (entry->kind == SLU_ENTRY_OPENED && !slu_opening_read(&opening, payload, len, true)) {
        payload = opening.payload;
        len = opening.payload_len;
    }
    if (!slu_load_read(meter->load, payload, len, &number, &intended_ns))
        return;
    if (!first_time(meter, number)) {
        counts->twice++;
        return;
    }
    counts->delivered++;
    counts->delivered_bytes += len;
    if (now_ns >= meter->from_ns && now_ns < meter->to_ns) {
        counts->measured++;
        counts->measured_bytes += len;
    }
    if (intended_ns >= meter->from_ns && intended_ns < meter->to_ns)
        slu_histogram_add(&meter->latency_us,
                          now_ns > intended_ns ? (now_ns - intended_ns) / 1000u : 0);
}

static void fail(struct slu_meter *meter, const char *words, const char *more)
{
    if (!meter->counts.reader_failed)
        snprintf(meter->counts.failure, sizeof meter->counts.failure, "%s%s", words, more);
    meter->counts.reader_failed = true;
}

static void take_height(struct slu_meter *meter, const Slu__Client__Height *part)
{
    uint64_t now_ns = slu_now_ns();
    struct slu_reader reader = slu_reader_of(part->entries.data, part->entries.len);
    struct slu_entry entry;
    while (slu_entry_next(&reader, &entry))
        take_entry(meter, &entry, now_ns);
    if (reader.failed)
        fail(meter, "entries do not parse", "");
    if (meter->last_height && part->height != meter->last_height + 1)
        fail(meter, "a height was left out", "");
    if (!part->more) {
        meter->last_height = part->height;
        meter->counts.height = part->height;
    }
}

void slu_meter_on_height(void *context, const Slu__Client__Reply *reply)
{
    struct slu_meter *meter = context;
    pthread_mutex_lock(&meter->lock);
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_HEIGHT)
        take_height(meter, reply->height);
    else if (reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR)
        fail(meter, "subscription refused: ", reply->error->text);
    pthread_mutex_unlock(&meter->lock);
}

struct slu_meter_counts slu_meter_read(struct slu_meter *meter)
{
    pthread_mutex_lock(&meter->lock);
    struct slu_meter_counts counts = meter->counts;
    pthread_mutex_unlock(&meter->lock);
    return counts;
}
