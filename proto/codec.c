#include "proto/codec.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/peer.pb-c.h"
#include "sluice/error.h"

/* ---- between nodes ---- */

size_t slu_peer_pack(uint8_t *frame, size_t cap, uint8_t kind, const uint8_t *body, size_t body_len,
                     const uint8_t *payload, size_t payload_len)
{
    SLU_CHECK(cap >= SLU_PEER_PACK_SLACK && body_len <= cap - SLU_PEER_PACK_SLACK &&
              payload_len <= cap - SLU_PEER_PACK_SLACK - body_len);
    Slu__Peer__Envelope envelope = SLU__PEER__ENVELOPE__INIT;
    envelope.kind = kind;
    envelope.body = (ProtobufCBinaryData){.len = body_len, .data = (uint8_t *)body};
    envelope.payload = (ProtobufCBinaryData){.len = payload_len, .data = (uint8_t *)payload};
    return slu__peer__envelope__pack(&envelope, frame);
}

/* Bump allocation inside the caller's memory; nothing is given back. */
struct peer_memory {
    uint8_t *at;
    size_t left;
    bool full;
};

static void *peer_alloc(void *context, size_t bytes)
{
    struct peer_memory *memory = context;
    size_t pad = (size_t)(-(uintptr_t)memory->at & 15u);
    if (pad > memory->left || bytes > memory->left - pad) {
        memory->full = true;
        return NULL;
    }
    void *taken = memory->at + pad;
    memory->at += pad + bytes;
    memory->left -= pad + bytes;
    return taken;
}

static void peer_free(void *context, void *pointer)
{
    (void)context;
    (void)pointer;
}

int slu_peer_unpack(struct slu_peer_envelope *envelope, void *memory, size_t memory_bytes,
                    const uint8_t *frame, size_t frame_len)
{
    struct peer_memory bump = {.at = memory, .left = memory_bytes};
    ProtobufCAllocator allocator = {
        .alloc = peer_alloc, .free = peer_free, .allocator_data = &bump};
    Slu__Peer__Envelope *found = slu__peer__envelope__unpack(&allocator, frame_len, frame);
    if (!found)
        return bump.full ? SLU_ERR_LIMIT : SLU_ERR_MALFORMED;
    if (found->base.n_unknown_fields > 0 || found->kind > UINT8_MAX)
        return SLU_ERR_MALFORMED;
    *envelope = (struct slu_peer_envelope){
        .kind = (uint8_t)found->kind,
        .body = found->body.data,
        .body_len = found->body.len,
        .payload = found->payload.data,
        .payload_len = found->payload.len,
    };
    return SLU_OK;
}

/* ---- between client and node ---- */

/* A message and everything in it lives in a chain of blocks; their sum is what the cap bounds. Each
 * block is taken as the message needs it, so that a small message costs little whatever its cap. */
struct block {
    struct block *next;
    size_t cap_bytes;
    size_t used_bytes;
    _Alignas(16) uint8_t bytes[];
};

struct memory {
    struct block *newest;
    size_t left_bytes; /* of the cap */
    size_t grow_bytes; /* wanted size of the next block */
};

#define BLOCK_BYTES_MIN 1024u

static void *memory_alloc(void *context, size_t bytes)
{
    struct memory *memory = context;
    if (bytes > memory->left_bytes)
        return NULL;
    bytes = (bytes + 15u) & ~(size_t)15u;
    struct block *block = memory->newest;
    if (!block || bytes > block->cap_bytes - block->used_bytes) {
        size_t cap = memory->grow_bytes > bytes ? memory->grow_bytes : bytes;
        if (cap > memory->left_bytes)
            cap = memory->left_bytes & ~(size_t)15u;
        if (cap < bytes)
            return NULL;
        block = malloc(sizeof *block + cap);
        if (!block)
            return NULL;
        *block = (struct block){.next = memory->newest, .cap_bytes = cap};
        memory->newest = block;
        memory->left_bytes -= cap;
        memory->grow_bytes = cap / 2 > BLOCK_BYTES_MIN ? cap / 2 : BLOCK_BYTES_MIN;
    }
    void *taken = block->bytes + block->used_bytes;
    block->used_bytes += bytes;
    return taken;
}

static void memory_free(void *context, void *pointer)
{
    (void)context;
    (void)pointer;
}

static void blocks_free(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

/* The chain's newest block is remembered just before the message by a first allocation: unpacking
 * allocates the message first, so that `owner` sits at the start of the oldest block. */
struct owner {
    struct block *newest;
    uint64_t pad;
};

_Static_assert(sizeof(struct owner) == 16, "the message follows its owner, 16-byte aligned");

static ProtobufCMessage *unpack_capped(const ProtobufCMessageDescriptor *descriptor,
                                       const uint8_t *frame, size_t frame_len, size_t cap_bytes)
{
    struct memory memory = {
        .left_bytes = cap_bytes,
        .grow_bytes = (frame_len + frame_len / 4 + BLOCK_BYTES_MIN + 15u) & ~(size_t)15u,
    };
    ProtobufCAllocator allocator = {
        .alloc = memory_alloc, .free = memory_free, .allocator_data = &memory};
    struct owner *owner = memory_alloc(&memory, sizeof *owner);
    ProtobufCMessage *message = NULL;
    if (owner && frame_len <= cap_bytes)
        message = protobuf_c_message_unpack(descriptor, &allocator, frame_len, frame);
    if (!message || (void *)message != (void *)(owner + 1) || message->n_unknown_fields > 0) {
        blocks_free(memory.newest);
        return NULL;
    }
    owner->newest = memory.newest;
    return message;
}

static void unpacked_free(ProtobufCMessage *message)
{
    if (!message)
        return;
    struct owner *owner = (struct owner *)(void *)message - 1;
    blocks_free(owner->newest);
}

Slu__Client__Request *slu_request_unpack(const uint8_t *frame, size_t frame_len, size_t cap_bytes)
{
    return (Slu__Client__Request *)(void *)unpack_capped(&slu__client__request__descriptor, frame,
                                                         frame_len, cap_bytes);
}

void slu_request_free(Slu__Client__Request *request)
{
    unpacked_free(request ? &request->base : NULL);
}

Slu__Client__Reply *slu_reply_unpack(const uint8_t *frame, size_t frame_len, size_t cap_bytes)
{
    return (Slu__Client__Reply *)(void *)unpack_capped(&slu__client__reply__descriptor, frame,
                                                       frame_len, cap_bytes);
}

void slu_reply_free(Slu__Client__Reply *reply)
{
    unpacked_free(reply ? &reply->base : NULL);
}

static uint8_t *pack_fresh(const ProtobufCMessage *message, size_t *len)
{
    size_t bytes = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(bytes ? bytes : 1);
    if (!packed)
        return NULL;
    *len = protobuf_c_message_pack(message, packed);
    return packed;
}

uint8_t *slu_request_pack(const Slu__Client__Request *request, size_t *len)
{
    return pack_fresh(&request->base, len);
}

uint8_t *slu_reply_pack(const Slu__Client__Reply *reply, size_t *len)
{
    return pack_fresh(&reply->base, len);
}
