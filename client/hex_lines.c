#include "client/hex_lines.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sluice/error.h"

static int fill(struct slu_hex_lines *lines)
{
    ssize_t got;
    do
        got = read(lines->fd, lines->buffer, sizeof lines->buffer);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return SLU_ERR_IO;
    lines->at = 0;
    lines->have = (size_t)got;
    lines->ended = got == 0;
    return SLU_OK;
}

/* Reads to the end of the line and keeps its first `cap` characters. Returns 1, with *whole false
 * when some were thrown away; 0 at the end of the input; IO, MEMORY. */
static int read_line(struct slu_hex_lines *lines, size_t cap, size_t *len, bool *whole)
{
    if (lines->text_cap < cap) {
        char *text = realloc(lines->text, cap);
        if (!text)
            return SLU_ERR_MEMORY;
        lines->text = text;
        lines->text_cap = cap;
    }
    *len = 0;
    *whole = true;
    for (;;) {
        if (lines->at == lines->have) {
            int rc = lines->ended ? SLU_OK : fill(lines);
            if (rc)
                return rc;
            if (lines->ended)
                break;
        }
        const uint8_t *from = lines->buffer + lines->at;
        const uint8_t *end = memchr(from, '\n', lines->have - lines->at);
        size_t piece = end ? (size_t)(end - from) : lines->have - lines->at;
        size_t keep = piece < cap - *len ? piece : cap - *len;
        memcpy(lines->text + *len, from, keep);
        *len += keep;
        *whole = *whole && keep == piece;
        lines->at += piece + (end ? 1 : 0);
        if (end) {
            lines->line++;
            return 1;
        }
    }
    if (*len == 0)
        return 0;
    lines->line++;
    return 1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static size_t prefix_len(const char *text, size_t len)
{
    return len >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 2 : 0;
}

int slu_hex_lines_next(struct slu_hex_lines *lines, uint8_t *out, size_t cap, size_t *len,
                       char *reason)
{
    for (;;) {
        size_t count, start = 0;
        bool whole;
        int rc = read_line(lines, 2 * cap + 64, &count, &whole);
        if (rc <= 0)
            return rc;
        while (count > 0 && is_blank(lines->text[count - 1]))
            count--;
        while (start < count && is_blank(lines->text[start]))
            start++;
        if (start == count && whole)
            continue;
        const char *hex = lines->text + start;
        count -= start;
        size_t prefix = prefix_len(hex, count);
        if (!whole || (count - prefix) / 2 > cap) {
            snprintf(reason, SLU_HEX_REASON_BYTES, "line %llu: more than %zu bytes",
                     (unsigned long long)lines->line, cap);
            return SLU_ERR_LIMIT;
        }
        if (prefix == 0 || count == prefix || slu_hex_decode(out, hex + prefix, count - prefix)) {
            snprintf(reason, SLU_HEX_REASON_BYTES, "line %llu: not 0x and pairs of hex digits",
                     (unsigned long long)lines->line);
            return SLU_ERR_MALFORMED;
        }
        *len = (count - prefix) / 2;
        return 1;
    }
}

bool slu_hex_lines_ready(const struct slu_hex_lines *lines)
{
    if (lines->at < lines->have || lines->ended)
        return true;
    struct pollfd poll_fd = {.fd = lines->fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) != 0;
}

void slu_hex_lines_end(struct slu_hex_lines *lines)
{
    free(lines->text);
    lines->text = NULL;
    lines->text_cap = 0;
}

int slu_hex_id(uint8_t id32[32], const char *text)
{
    size_t len = strlen(text);
    size_t prefix = prefix_len(text, len);
    if (len - prefix != 64)
        return SLU_ERR_MALFORMED;
    return slu_hex_decode(id32, text + prefix, 64);
}
