/* The payloads of `sluice bench`: unique, and each tells its reader when it was meant to be sent.
 *
 *     filler (random, or a transaction of a file) | magic 8 | run u64 | number u64 | intended_ns
 * u64
 *
 * The filler is copied, not made anew: what makes a payload unique is the 32-byte tail. */
#ifndef SLU_CLIENT_LOAD_H
#define SLU_CLIENT_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define SLU_LOAD_TAIL_BYTES 32u

struct slu_load {
    uint64_t run; /* random: tells this run's payloads from others in the stream */
    uint8_t *filler;
    size_t *ends; /* filler i is [ends[i-1], ends[i]) */
    size_t count;
    size_t payload_bytes_max;
};

/** Payloads of `size` bytes, the tail included (at least SLU_LOAD_TAIL_BYTES). Errors: MEMORY. */
SLU_MUST_USE int slu_load_of_size(struct slu_load *load, size_t size);
/** Payloads that are the lines of a file of 0x-hex, in turn, each with the tail behind it. `why`
 * names file and line. Errors: IO, MALFORMED, LIMIT, MEMORY. */
SLU_MUST_USE int slu_load_of_file(struct slu_load *load, const char *path, char *why,
                                  size_t why_cap);
void slu_load_free(struct slu_load *load);

/** Bytes of payload `number`. */
size_t slu_load_size(const struct slu_load *load, uint64_t number);
/** Writes payload `number` to `out` (slu_load_size bytes). */
void slu_load_write(const struct slu_load *load, uint8_t *out, uint64_t number,
                    uint64_t intended_ns);
/** Whether `payload` is of this run; if so, which one. */
bool slu_load_read(const struct slu_load *load, const uint8_t *payload, size_t len,
                   uint64_t *number, uint64_t *intended_ns);

#endif
