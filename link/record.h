/* Records: what a link puts on the wire after its handshake. Pure functions on bytes, no I/O.
 *
 *     wire:   length u32 LE | secretstream message (1 tag byte, text, 16 bytes MAC)
 *     text:   ( frame length u32 LE | frame )*          no frame at all is a keepalive
 *
 * `length` counts what follows it. Several queued frames share a record of at most
 * SLU_RECORD_COALESCE_MAX bytes of text; a larger frame has one of its own. Records are sealed and
 * opened in place: the ciphertext lies exactly over the text, one byte behind the tag byte, which
 * is how libsodium's stream cipher may be used. A record that does not open ends the link. */
#ifndef SLU_LINK_RECORD_H
#define SLU_LINK_RECORD_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/limits.h"

#define SLU_RECORD_FRAME_HEAD   4u /* length before each frame */
#define SLU_RECORD_HEAD         5u /* length and tag byte before the text */
#define SLU_RECORD_TAIL         16u
#define SLU_RECORD_COALESCE_MAX (128u * 1024u)
#define SLU_RECORD_TEXT_MAX     (SLU_RECORD_FRAME_HEAD + SLU_FRAME_BYTES_MAX)
#define SLU_RECORD_WIRE_MAX     (SLU_RECORD_HEAD + SLU_RECORD_TEXT_MAX + SLU_RECORD_TAIL)
#define SLU_RECORD_WIRE_MIN     (SLU_RECORD_HEAD + SLU_RECORD_TAIL)

typedef crypto_secretstream_xchacha20poly1305_state slu_record_stream;

/** Seals `text_len` (at most SLU_RECORD_TEXT_MAX) bytes that stand at wire + SLU_RECORD_HEAD;
 * `wire` holds SLU_RECORD_WIRE_MIN + text_len bytes. Returns the bytes to send. */
size_t slu_record_seal(slu_record_stream *stream, uint8_t *wire, size_t text_len);

/** Reads the length from the first four bytes: `wire_len` is that of the whole record.
 * Errors: MALFORMED (no record can have this length). */
SLU_MUST_USE int slu_record_length(size_t *wire_len, const uint8_t head[4]);

/** Opens a whole record in place; `text` points into `wire`. Errors: SIGNATURE (changed, out of
 * order or of another link; the bytes of `wire` are then undefined). */
SLU_MUST_USE int slu_record_open(slu_record_stream *stream, uint8_t **text, size_t *text_len,
                                 uint8_t *wire, size_t wire_len);

/** Takes the next frame off the text from *at to `end`, which is not empty, and moves *at behind
 * it. Errors: MALFORMED (a length of 0, over the bound, or past the end). */
SLU_MUST_USE int slu_record_frame(const uint8_t **frame, size_t *frame_len, const uint8_t **at,
                                  const uint8_t *end);

/** Writes a frame length. */
void slu_record_put_length(uint8_t out[4], size_t len);

#endif
