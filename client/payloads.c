#include "client/payloads.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sluice/error.h"

bool slu_payloads_open(struct slu_payloads *payloads, const char *name)
{
    *payloads = (struct slu_payloads){.name = name};
    payloads->lines.fd = strcmp(name, "-") != 0 ? open(name, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    return payloads->lines.fd >= 0;
}

void slu_payloads_make(struct slu_payloads *payloads, const uint8_t *payload, size_t len)
{
    *payloads = (struct slu_payloads){.made = payload, .made_len = len};
}

int slu_payloads_next(struct slu_payloads *payloads, uint8_t *out, size_t cap, size_t *len,
                      char *reason)
{
    if (payloads->name)
        return slu_hex_lines_next(&payloads->lines, out, cap, len, reason);
    if (payloads->taken)
        return 0;
    payloads->taken = true;
    *len = payloads->made_len;
    if (*len > cap) {
        snprintf(reason, SLU_HEX_REASON_BYTES, "more than %zu bytes", cap);
        return SLU_ERR_LIMIT;
    }
    memcpy(out, payloads->made, *len);
    return 1;
}

bool slu_payloads_ready(const struct slu_payloads *payloads)
{
    return !payloads->name || slu_hex_lines_ready(&payloads->lines);
}

void slu_payloads_close(struct slu_payloads *payloads)
{
    if (payloads->name && payloads->lines.fd >= 0 && payloads->lines.fd != STDIN_FILENO)
        close(payloads->lines.fd);
    slu_hex_lines_end(&payloads->lines);
}
