#include "base/bytes.h"

#include <string.h>

#include "sluice/error.h"

struct slu_reader slu_reader_of(const void *data, size_t len)
{
    const uint8_t *at = data;
    return (struct slu_reader){.at = at, .end = len ? at + len : at, .failed = false};
}

size_t slu_reader_left(const struct slu_reader *r)
{
    return (size_t)(r->end - r->at);
}

const uint8_t *slu_read_bytes(struct slu_reader *r, size_t len)
{
    if (r->failed || slu_reader_left(r) < len) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->at;
    if (len)
        r->at += len;
    return at;
}

void slu_read_copy(struct slu_reader *r, void *out, size_t len)
{
    const uint8_t *from = slu_read_bytes(r, len);
    if (!len)
        return;
    if (from)
        memcpy(out, from, len);
    else
        memset(out, 0, len);
}

static uint64_t read_le(struct slu_reader *r, size_t width)
{
    const uint8_t *from = slu_read_bytes(r, width);
    uint64_t value = 0;
    for (size_t i = 0; from && i < width; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

uint8_t slu_read_u8(struct slu_reader *r)
{
    return (uint8_t)read_le(r, 1);
}

uint16_t slu_read_u16(struct slu_reader *r)
{
    return (uint16_t)read_le(r, 2);
}

uint32_t slu_read_u32(struct slu_reader *r)
{
    return (uint32_t)read_le(r, 4);
}

uint64_t slu_read_u64(struct slu_reader *r)
{
    return read_le(r, 8);
}

bool slu_reader_done(const struct slu_reader *r)
{
    return !r->failed && r->at == r->end;
}

struct slu_writer slu_writer_of(void *buffer, size_t cap)
{
    uint8_t *start = buffer;
    return (struct slu_writer){
        .start = start, .at = start, .end = cap ? start + cap : start, .failed = false};
}

size_t slu_writer_len(const struct slu_writer *w)
{
    return (size_t)(w->at - w->start);
}

void slu_write_bytes(struct slu_writer *w, const void *data, size_t len)
{
    if (w->failed || (size_t)(w->end - w->at) < len) {
        w->failed = true;
        return;
    }
    if (len) {
        memcpy(w->at, data, len);
        w->at += len;
    }
}

static void write_le(struct slu_writer *w, uint64_t value, size_t width)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < width; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    slu_write_bytes(w, bytes, width);
}

void slu_write_u8(struct slu_writer *w, uint8_t value)
{
    write_le(w, value, 1);
}

void slu_write_u16(struct slu_writer *w, uint16_t value)
{
    write_le(w, value, 2);
}

void slu_write_u32(struct slu_writer *w, uint32_t value)
{
    write_le(w, value, 4);
}

void slu_write_u64(struct slu_writer *w, uint64_t value)
{
    write_le(w, value, 8);
}

void slu_hex_encode(char *text, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 15];
    }
    text[2 * len] = 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int slu_hex_decode(uint8_t *out, const char *text, size_t text_len)
{
    if (text_len % 2)
        return SLU_ERR_MALFORMED;
    for (size_t i = 0; i < text_len; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return SLU_ERR_MALFORMED;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return SLU_OK;
}
