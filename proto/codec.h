/* The only user of the generated protobuf-c code. Unpacks from capped memory (a 1 MiB protobuf can
 * unfold to 67 MiB), packs into plain buffers. The generated structs of peer.proto and client.proto
 * are what it hands out. */
#ifndef SLU_PROTO_CODEC_H
#define SLU_PROTO_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "proto/client.pb-c.h"

/* ---- between nodes ---- */

/** Bytes that packing adds to body and payload, at most. */
#define SLU_PEER_PACK_SLACK 32u

/** Packs an Envelope into `frame` (cap at least body_len + payload_len + SLU_PEER_PACK_SLACK) and
 * returns its length. */
size_t slu_peer_pack(uint8_t *frame, size_t cap, uint8_t kind, const uint8_t *body, size_t body_len,
                     const uint8_t *payload, size_t payload_len);

struct slu_peer_envelope {
    uint8_t kind;
    const uint8_t *body;
    size_t body_len;
    const uint8_t *payload;
    size_t payload_len;
};

/** Unpacks a frame with all of its allocations in `memory` (frame_len + 1 KiB suffices for anything
 * that an honest node sends); body and payload point into it. Errors: MALFORMED (also unknown
 * fields: the protocol version rules), LIMIT (memory too small). */
SLU_MUST_USE int slu_peer_unpack(struct slu_peer_envelope *envelope, void *memory,
                                 size_t memory_bytes, const uint8_t *frame, size_t frame_len);

/* ---- between client and node ---- */

/* What the largest honest message takes unpacked: besides its bytes some 110 for each of
 * SLU_SUBMIT_TXS_MAX payloads, some 210 for each of as many results. */
#define SLU_REQUEST_MEMORY_MAX (4u * 1024u * 1024u)
#define SLU_REPLY_MEMORY_MAX   (8u * 1024u * 1024u)

/** Unpacks in memory that is taken as needed, at most `cap_bytes`; free with the matching call.
 * NULL: malformed (also unknown fields), or over the cap. */
Slu__Client__Request *slu_request_unpack(const uint8_t *frame, size_t frame_len, size_t cap_bytes);
void slu_request_free(Slu__Client__Request *request);
Slu__Client__Reply *slu_reply_unpack(const uint8_t *frame, size_t frame_len, size_t cap_bytes);
void slu_reply_free(Slu__Client__Reply *reply);

/** Packs into fresh memory that the caller frees with free(); NULL when memory is refused. */
uint8_t *slu_request_pack(const Slu__Client__Request *request, size_t *len);
uint8_t *slu_reply_pack(const Slu__Client__Reply *reply, size_t *len);

#endif
