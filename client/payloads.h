/* What is to be submitted, one transaction after another: the lines of a file (hex_lines.h), or one
 * that the caller made. One thread. */
#ifndef SLU_CLIENT_PAYLOADS_H
#define SLU_CLIENT_PAYLOADS_H

#include "client/hex_lines.h"

struct slu_payloads {
    const char *name; /* of the file, for words; NULL: one that was made */
    struct slu_hex_lines lines;
    const uint8_t *made;
    size_t made_len;
    bool taken; /* of the one that was made */
};

/** Opens a file, "-" for standard input; false: errno says why. */
SLU_MUST_USE bool slu_payloads_open(struct slu_payloads *payloads, const char *name);
/** The one and only payload, kept by the caller. */
void slu_payloads_make(struct slu_payloads *payloads, const uint8_t *payload, size_t len);
/** As slu_hex_lines_next and slu_hex_lines_ready. */
SLU_MUST_USE int slu_payloads_next(struct slu_payloads *payloads, uint8_t *out, size_t cap,
                                   size_t *len, char *reason);
bool slu_payloads_ready(const struct slu_payloads *payloads);
void slu_payloads_close(struct slu_payloads *payloads);

#endif
