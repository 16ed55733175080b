/* The handshake of a link, as a pure state machine on bytes: no I/O, no clock.
 *
 *     initiator                                              responder (a node)
 *         hello:  "SLNK" version role index chain ephemeral      ──▶
 *      ◀──        "SLNK" version status chain index key ephemeral header signature   :reply
 *         proof:  header, signature (peer) or MAC (client)       ──▶
 *      ◀──        an empty record (link/record.h)                                    :confirm
 *
 * Every side signs H("sluice/1/link", chain, side | all bytes so far), so that a change of any
 * byte, by anyone, ends the handshake. Keys: H("sluice/1/link-key", chain, direction | X25519 |
 * hello | reply up to its ephemeral key), one secretstream each way, its header inside the signed
 * bytes. A client may leave its chain zero and takes the responder's.
 *
 * Refusal: in place of reply or confirm the responder may answer in clear
 *     "SLNK" version status(!= 0) text_len text
 * whose layout, with the first six bytes of hello and reply, stays the same in all versions, so
 * that any two can tell their user what is wrong. It is not authenticated, as whoever could forge
 * it could also cut the wire; the text is reduced to printable ASCII. */
#ifndef SLU_LINK_HANDSHAKE_H
#define SLU_LINK_HANDSHAKE_H

#include "link/link.h"
#include "link/record.h"

#define SLU_HELLO_BYTES      74u
#define SLU_REPLY_HEAD_BYTES 8u
#define SLU_REPLY_CORE_BYTES (SLU_REPLY_HEAD_BYTES + 32u + 2u + 32u + 32u)
#define SLU_REPLY_BYTES      (SLU_REPLY_CORE_BYTES + 24u + 64u)
#define SLU_PROOF_BYTES      (24u + 64u)
#define SLU_CONFIRM_BYTES    SLU_RECORD_WIRE_MIN
#define SLU_REFUSAL_TEXT_MAX 180u
/* The most that one side sends in a handshake. */
#define SLU_HANDSHAKE_OUT_BYTES 448u

enum slu_handshake_state {
    SLU_HS_HELLO,   /* responder waits for hello */
    SLU_HS_REPLY,   /* initiator waits for reply */
    SLU_HS_PROOF,   /* responder waits for proof */
    SLU_HS_CONFIRM, /* initiator waits for confirm */
    SLU_HS_DONE,
    SLU_HS_FAILED,
};

struct slu_handshake {
    enum slu_handshake_state state;
    bool initiator;
    /* To be sent; the owner takes it after each call and sets out_len to 0. */
    uint8_t out[SLU_HANDSHAKE_OUT_BYTES];
    size_t out_len;
    /* Results when DONE. */
    uint8_t chain_id32[32];
    uint16_t peer;
    uint8_t peer_public32[32];
    slu_record_stream tx;
    slu_record_stream rx;
    /* Results when FAILED. */
    enum slu_link_fail fail;
    int error;
    char reason[SLU_LINK_REASON_BYTES];
    /* Private. */
    const struct slu_link_config *config;
    uint8_t in[SLU_REPLY_BYTES];
    size_t in_len;
    size_t in_want;
    uint8_t secret[32];
    uint8_t key_tx[32];
    uint8_t key_rx[32];
    uint8_t hello[SLU_HELLO_BYTES];
    uint8_t reply[SLU_REPLY_BYTES];
};

/** Begins; an initiator has its hello in `out`. `config` must live as long as the handshake. */
void slu_handshake_begin(struct slu_handshake *hs, const struct slu_link_config *config,
                         bool initiator);
/** How many bytes may be fed at once so that none is left over; 0 when DONE or FAILED. */
size_t slu_handshake_wants(const struct slu_handshake *hs);
/** Feeds `len` bytes, at most slu_handshake_wants. Returns 0 (look at `state` and `out`) or the
 * error that it FAILED with; `out` may then hold a refusal to send before closing. */
SLU_MUST_USE int slu_handshake_feed(struct slu_handshake *hs, const uint8_t *data, size_t len);
/** Zeroes all secrets. */
void slu_handshake_wipe(struct slu_handshake *hs);

#endif
