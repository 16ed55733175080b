#include "link/record.h"

#include "base/bytes.h"
#include "sluice/error.h"

_Static_assert(SLU_RECORD_HEAD - 4 + SLU_RECORD_TAIL ==
                   crypto_secretstream_xchacha20poly1305_ABYTES,
               "the layout of a secretstream message");

static uint32_t get_u32(const uint8_t *at)
{
    struct slu_reader r = slu_reader_of(at, 4);
    return slu_read_u32(&r);
}

void slu_record_put_length(uint8_t out[4], size_t len)
{
    struct slu_writer w = slu_writer_of(out, 4);
    slu_write_u32(&w, (uint32_t)len);
}

size_t slu_record_seal(slu_record_stream *stream, uint8_t *wire, size_t text_len)
{
    SLU_CHECK(text_len <= SLU_RECORD_TEXT_MAX);
    size_t message = text_len + crypto_secretstream_xchacha20poly1305_ABYTES;
    slu_record_put_length(wire, message);
    int rc = crypto_secretstream_xchacha20poly1305_push(
        stream, wire + 4, NULL, wire + SLU_RECORD_HEAD, text_len, NULL, 0,
        crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
    SLU_CHECK(rc == 0);
    return 4 + message;
}

int slu_record_length(size_t *wire_len, const uint8_t head[4])
{
    uint32_t message = get_u32(head);
    if (message < SLU_RECORD_WIRE_MIN - 4 || message > SLU_RECORD_WIRE_MAX - 4)
        return SLU_ERR_MALFORMED;
    *wire_len = 4 + (size_t)message;
    return 0;
}

int slu_record_open(slu_record_stream *stream, uint8_t **text, size_t *text_len, uint8_t *wire,
                    size_t wire_len)
{
    unsigned char tag = 0;
    if (wire_len < SLU_RECORD_WIRE_MIN)
        return SLU_ERR_SIGNATURE;
    if (crypto_secretstream_xchacha20poly1305_pull(stream, wire + SLU_RECORD_HEAD, NULL, &tag,
                                                   wire + 4, wire_len - 4, NULL, 0) != 0 ||
        tag != crypto_secretstream_xchacha20poly1305_TAG_MESSAGE)
        return SLU_ERR_SIGNATURE;
    *text = wire + SLU_RECORD_HEAD;
    *text_len = wire_len - SLU_RECORD_WIRE_MIN;
    return 0;
}

int slu_record_frame(const uint8_t **frame, size_t *frame_len, const uint8_t **at,
                     const uint8_t *end)
{
    size_t left = (size_t)(end - *at);
    if (left < SLU_RECORD_FRAME_HEAD)
        return SLU_ERR_MALFORMED;
    size_t len = get_u32(*at);
    if (len == 0 || len > SLU_FRAME_BYTES_MAX || len > left - SLU_RECORD_FRAME_HEAD)
        return SLU_ERR_MALFORMED;
    *frame = *at + SLU_RECORD_FRAME_HEAD;
    *frame_len = len;
    *at = *frame + len;
    return 0;
}
