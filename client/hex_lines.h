/* Transactions from text: one 0x-hex string per line, as the `sluice` command reads them. Blank
 * lines are skipped; a line that is no transaction is told with its number and does not end the
 * reading. */
#ifndef SLU_CLIENT_HEX_LINES_H
#define SLU_CLIENT_HEX_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define SLU_HEX_BUFFER_BYTES 65536u
#define SLU_HEX_REASON_BYTES 96u

/** Start with {.fd = ...}; everything else zero. */
struct slu_hex_lines {
    int fd;
    uint64_t line; /* number of the line last read, from 1 */
    bool ended;    /* of the input */
    size_t at, have;
    uint8_t buffer[SLU_HEX_BUFFER_BYTES];
    char *text; /* the line being read */
    size_t text_cap;
};

/** Reads the next line's bytes into `out`. Returns 1 with `len` set; 0 at the end of the input;
 * MALFORMED with words for this line in `reason` (SLU_HEX_REASON_BYTES), after which the next line
 * can be read; LIMIT the same for more than `cap` bytes; IO; MEMORY. Blocks on a slow pipe. */
SLU_MUST_USE int slu_hex_lines_next(struct slu_hex_lines *lines, uint8_t *out, size_t cap,
                                    size_t *len, char *reason);
/** Whether something of a next line (or the end) is there already, so that _next will hardly block.
 */
bool slu_hex_lines_ready(const struct slu_hex_lines *lines);
/** Frees the memory; the descriptor is the caller's. */
void slu_hex_lines_end(struct slu_hex_lines *lines);

/** Parses a 32-byte id, 64 hex digits with or without 0x. Errors: MALFORMED. */
SLU_MUST_USE int slu_hex_id(uint8_t id32[32], const char *text);

#endif
