/* The one byte cursor: little-endian, fixed width, bounded, with sticky failure. Every canonical
 * and disk format is read and written through it; a struct is never copied as bytes.
 *
 *     struct slu_reader r = slu_reader_of(data, len);
 *     uint64_t view = slu_read_u64(&r);
 *     const uint8_t *digest = slu_read_bytes(&r, 32);     (NULL once failed)
 *     if (!slu_reader_done(&r)) return SLU_ERR_MALFORMED;  (failed, or bytes left over)
 *
 * After the first failure every read gives 0 or NULL and every write does nothing, so that a codec
 * checks once, at its end. */
#ifndef SLU_BASE_BYTES_H
#define SLU_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slu_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct slu_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool failed;
};

struct slu_reader slu_reader_of(const void *data, size_t len);
uint8_t slu_read_u8(struct slu_reader *r);
uint16_t slu_read_u16(struct slu_reader *r);
uint32_t slu_read_u32(struct slu_reader *r);
uint64_t slu_read_u64(struct slu_reader *r);
/** `len` bytes in place (lifetime of the buffer), or NULL when fewer are left. */
const uint8_t *slu_read_bytes(struct slu_reader *r, size_t len);
/** Copies `len` bytes out, or zeroes `out` when fewer are left. */
void slu_read_copy(struct slu_reader *r, void *out, size_t len);
size_t slu_reader_left(const struct slu_reader *r);
/** True when nothing failed and nothing is left over: trailing bytes are an error. */
bool slu_reader_done(const struct slu_reader *r);

struct slu_writer slu_writer_of(void *buffer, size_t cap);
void slu_write_u8(struct slu_writer *w, uint8_t value);
void slu_write_u16(struct slu_writer *w, uint16_t value);
void slu_write_u32(struct slu_writer *w, uint32_t value);
void slu_write_u64(struct slu_writer *w, uint64_t value);
void slu_write_bytes(struct slu_writer *w, const void *data, size_t len);
/** Bytes written so far; meaningful only while not failed. */
size_t slu_writer_len(const struct slu_writer *w);

/** Lower-case hex of `len` bytes into `text`, which holds 2*len+1 characters. */
void slu_hex_encode(char *text, const uint8_t *data, size_t len);
/** Parses exactly `text_len` hex digits, no prefix, into `out` (text_len/2 bytes).
 * Errors: MALFORMED (odd length, other characters). */
int slu_hex_decode(uint8_t *out, const char *text, size_t text_len);

#endif
