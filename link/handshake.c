#include "link/handshake.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/hash.h"

static const uint8_t magic[4] = {'S', 'L', 'N', 'K'};
static const uint8_t zero32[32];

enum status { STATUS_OK = 0, STATUS_VERSION, STATUS_CHAIN, STATUS_PEER, STATUS_SIGNATURE };
enum wire_role { WIRE_PEER = 0, WIRE_CLIENT = 1 };
enum side { SIDE_RESPONDER = 'R', SIDE_INITIATOR = 'I' };

static struct slu_writer out_writer(struct slu_handshake *hs)
{
    return slu_writer_of(hs->out + hs->out_len, sizeof hs->out - hs->out_len);
}

static void out_done(struct slu_handshake *hs, const struct slu_writer *w)
{
    SLU_CHECK(!w->failed);
    hs->out_len += slu_writer_len(w);
}

static void expect(struct slu_handshake *hs, enum slu_handshake_state state, size_t bytes)
{
    hs->state = state;
    hs->in_want = bytes;
}

__attribute__((format(printf, 4, 5))) static int
failed(struct slu_handshake *hs, enum slu_link_fail fail, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(hs->reason, sizeof hs->reason, format, args);
    va_end(args);
    hs->fail = fail;
    hs->error = error;
    hs->state = SLU_HS_FAILED;
    return error;
}

/* Puts the reason of a failure into a refusal for the other side. */
static int refuse(struct slu_handshake *hs, enum status status)
{
    size_t len = strlen(hs->reason);
    if (len > SLU_REFUSAL_TEXT_MAX)
        len = SLU_REFUSAL_TEXT_MAX;
    struct slu_writer w = out_writer(hs);
    slu_write_bytes(&w, magic, 4);
    slu_write_u16(&w, hs->config->version);
    slu_write_u8(&w, (uint8_t)status);
    slu_write_u8(&w, (uint8_t)len);
    slu_write_bytes(&w, hs->reason, len);
    out_done(hs, &w);
    return hs->error;
}

static int short_chain(char text[18], const uint8_t chain_id32[32])
{
    slu_hex_encode(text, chain_id32, 8);
    return 0;
}

static void transcript(const struct slu_handshake *hs, uint8_t digest32[32], enum side side,
                       const uint8_t *proof_header)
{
    struct slu_hash hash;
    uint8_t label = (uint8_t)side;
    slu_hash_begin(&hash, "link", hs->chain_id32);
    slu_hash_add(&hash, &label, 1);
    slu_hash_add(&hash, hs->hello, sizeof hs->hello);
    if (side == SIDE_RESPONDER) {
        slu_hash_add(&hash, hs->reply, SLU_REPLY_BYTES - 64);
    } else {
        slu_hash_add(&hash, hs->reply, SLU_REPLY_BYTES);
        slu_hash_add(&hash, proof_header, 24);
    }
    slu_hash_end(&hash, digest32);
}

/* The anonymous client's proof: it has the key of its direction and saw the same bytes. */
static void client_mac(const struct slu_handshake *hs, uint8_t mac64[64], const uint8_t key[32],
                       const uint8_t *proof_header)
{
    uint8_t digest[32];
    struct slu_hash hash;
    transcript(hs, digest, SIDE_INITIATOR, proof_header);
    slu_hash_begin(&hash, "link-mac", hs->chain_id32);
    slu_hash_add(&hash, key, 32);
    slu_hash_add(&hash, digest, 32);
    slu_hash_end(&hash, mac64);
    memset(mac64 + 32, 0, 32);
}

static void one_key(const struct slu_handshake *hs, uint8_t key[32], enum side from,
                    const uint8_t shared[32])
{
    struct slu_hash hash;
    uint8_t label = (uint8_t)from;
    slu_hash_begin(&hash, "link-key", hs->chain_id32);
    slu_hash_add(&hash, &label, 1);
    slu_hash_add(&hash, shared, 32);
    slu_hash_add(&hash, hs->hello, sizeof hs->hello);
    slu_hash_add(&hash, hs->reply, SLU_REPLY_CORE_BYTES);
    slu_hash_end(&hash, key);
    sodium_memzero(&hash, sizeof hash);
}

/* Errors: MALFORMED (a point of small order). */
static int derive_keys(struct slu_handshake *hs, const uint8_t *their_ephemeral)
{
    uint8_t shared[32];
    if (crypto_scalarmult(shared, hs->secret, their_ephemeral) != 0)
        return SLU_ERR_MALFORMED;
    one_key(hs, hs->key_tx, hs->initiator ? SIDE_INITIATOR : SIDE_RESPONDER, shared);
    one_key(hs, hs->key_rx, hs->initiator ? SIDE_RESPONDER : SIDE_INITIATOR, shared);
    sodium_memzero(shared, sizeof shared);
    sodium_memzero(hs->secret, sizeof hs->secret);
    return 0;
}

static void new_ephemeral(struct slu_handshake *hs, uint8_t public32[32])
{
    randombytes_buf(hs->secret, sizeof hs->secret);
    crypto_scalarmult_base(public32, hs->secret);
}

void slu_handshake_begin(struct slu_handshake *hs, const struct slu_link_config *config,
                         bool initiator)
{
    memset(hs, 0, sizeof *hs);
    hs->config = config;
    hs->initiator = initiator;
    hs->peer = SLU_LINK_CLIENT;
    hs->fail = SLU_LINK_FAIL_CLOSED;
    if (!initiator) {
        expect(hs, SLU_HS_HELLO, 6);
        return;
    }
    uint8_t ephemeral[32];
    new_ephemeral(hs, ephemeral);
    bool node = config->role == SLU_LINK_AS_NODE;
    struct slu_writer w = out_writer(hs);
    slu_write_bytes(&w, magic, 4);
    slu_write_u16(&w, config->version);
    slu_write_u8(&w, node ? WIRE_PEER : WIRE_CLIENT);
    slu_write_u8(&w, 0);
    slu_write_u16(&w, node ? config->node : (uint16_t)SLU_LINK_CLIENT);
    slu_write_bytes(&w, config->chain_id32, 32);
    slu_write_bytes(&w, ephemeral, 32);
    out_done(hs, &w);
    SLU_CHECK(hs->out_len == SLU_HELLO_BYTES);
    memcpy(hs->hello, hs->out, SLU_HELLO_BYTES);
    expect(hs, SLU_HS_REPLY, SLU_REPLY_HEAD_BYTES);
}

/* ---- responder ---- */

static int check_hello(struct slu_handshake *hs, uint8_t role, uint16_t node,
                       const uint8_t *chain_id32)
{
    const struct slu_link_config *config = hs->config;
    bool ask = role == WIRE_CLIENT && sodium_memcmp(chain_id32, zero32, 32) == 0;
    if (!ask && sodium_memcmp(chain_id32, config->chain_id32, 32) != 0) {
        char ours[18];
        char theirs[18];
        short_chain(ours, config->chain_id32);
        short_chain(theirs, chain_id32);
        failed(hs, SLU_LINK_FAIL_CHAIN, SLU_ERR_MISMATCH, "server is of chain %s..., not %s...",
               ours, theirs);
        return refuse(hs, STATUS_CHAIN);
    }
    if (role == WIRE_CLIENT && config->refuse_clients) {
        failed(hs, SLU_LINK_FAIL_UNKNOWN_PEER, SLU_ERR_REFUSED, "clients are not served here");
        return refuse(hs, STATUS_PEER);
    }
    if (role == WIRE_PEER &&
        (config->peers == NULL || node >= config->peers_count || node == config->node)) {
        failed(hs, SLU_LINK_FAIL_UNKNOWN_PEER, SLU_ERR_REFUSED, "node %u is no peer of node %u",
               node, config->node);
        return refuse(hs, STATUS_PEER);
    }
    return 0;
}

static int send_reply(struct slu_handshake *hs, const uint8_t *their_ephemeral)
{
    const struct slu_link_config *config = hs->config;
    uint8_t ephemeral[32];
    uint8_t header[24];
    uint8_t digest[32];
    uint8_t signature[64];
    struct slu_writer w = slu_writer_of(hs->reply, sizeof hs->reply);
    memcpy(hs->chain_id32, config->chain_id32, 32);
    new_ephemeral(hs, ephemeral);
    slu_write_bytes(&w, magic, 4);
    slu_write_u16(&w, config->version);
    slu_write_u8(&w, STATUS_OK);
    slu_write_u8(&w, 0);
    slu_write_bytes(&w, config->chain_id32, 32);
    slu_write_u16(&w, config->node);
    slu_write_bytes(&w, config->public32, 32);
    slu_write_bytes(&w, ephemeral, 32);
    SLU_CHECK(slu_writer_len(&w) == SLU_REPLY_CORE_BYTES);
    if (derive_keys(hs, their_ephemeral) != 0)
        return failed(hs, SLU_LINK_FAIL_MALFORMED, SLU_ERR_MALFORMED, "bad ephemeral key");
    crypto_secretstream_xchacha20poly1305_init_push(&hs->tx, header, hs->key_tx);
    slu_write_bytes(&w, header, sizeof header);
    transcript(hs, digest, SIDE_RESPONDER, NULL);
    if (config->signer.sign == NULL ||
        config->signer.sign(config->signer.context, signature, SLU_ROLE_LINK, 0, digest) != 0)
        return failed(hs, SLU_LINK_FAIL_INTERNAL, SLU_ERR_REFUSED, "the node key did not sign");
    slu_write_bytes(&w, signature, sizeof signature);
    struct slu_writer out = out_writer(hs);
    slu_write_bytes(&out, hs->reply, sizeof hs->reply);
    out_done(hs, &out);
    expect(hs, SLU_HS_PROOF, SLU_PROOF_BYTES);
    return 0;
}

static int on_hello(struct slu_handshake *hs)
{
    struct slu_reader r = slu_reader_of(hs->in, hs->in_len);
    const uint8_t *mark = slu_read_bytes(&r, 4);
    uint16_t version = slu_read_u16(&r);
    if (memcmp(mark, magic, 4) != 0)
        return failed(hs, SLU_LINK_FAIL_MALFORMED, SLU_ERR_MALFORMED, "not a sluice link");
    if (version != hs->config->version) {
        failed(hs, SLU_LINK_FAIL_VERSION, SLU_ERR_MISMATCH,
               "server speaks protocol version %u, this client %u", hs->config->version, version);
        return refuse(hs, STATUS_VERSION);
    }
    if (hs->in_len < SLU_HELLO_BYTES) {
        hs->in_want = SLU_HELLO_BYTES;
        return 0;
    }
    memcpy(hs->hello, hs->in, SLU_HELLO_BYTES);
    uint8_t role = slu_read_u8(&r);
    uint8_t zero = slu_read_u8(&r);
    uint16_t node = slu_read_u16(&r);
    const uint8_t *chain_id32 = slu_read_bytes(&r, 32);
    const uint8_t *ephemeral = slu_read_bytes(&r, 32);
    SLU_CHECK(slu_reader_done(&r));
    if (zero != 0 || role > WIRE_CLIENT || (role == WIRE_CLIENT && node != SLU_LINK_CLIENT))
        return failed(hs, SLU_LINK_FAIL_MALFORMED, SLU_ERR_MALFORMED, "malformed hello");
    int rc = check_hello(hs, role, node, chain_id32);
    if (rc != 0)
        return rc;
    hs->peer = node;
    return send_reply(hs, ephemeral);
}

static int on_proof(struct slu_handshake *hs)
{
    const uint8_t *header = hs->in;
    const uint8_t *proof = hs->in + 24;
    bool ok = false;
    if (hs->peer == SLU_LINK_CLIENT) {
        uint8_t mac[64];
        client_mac(hs, mac, hs->key_rx, header);
        ok = sodium_memcmp(mac, proof, sizeof mac) == 0;
    } else {
        uint8_t digest[32];
        transcript(hs, digest, SIDE_INITIATOR, header);
        ok = slu_signature_ok(hs->config->peers[hs->peer], digest, proof);
    }
    if (!ok) {
        failed(hs, SLU_LINK_FAIL_SIGNATURE, SLU_ERR_SIGNATURE, "the proof does not verify");
        return refuse(hs, STATUS_SIGNATURE);
    }
    if (crypto_secretstream_xchacha20poly1305_init_pull(&hs->rx, header, hs->key_rx) != 0)
        return failed(hs, SLU_LINK_FAIL_MALFORMED, SLU_ERR_MALFORMED, "bad stream header");
    if (hs->peer != SLU_LINK_CLIENT)
        memcpy(hs->peer_public32, hs->config->peers[hs->peer], 32);
    SLU_CHECK(hs->out_len + SLU_CONFIRM_BYTES <= sizeof hs->out);
    hs->out_len += slu_record_seal(&hs->tx, hs->out + hs->out_len, 0);
    expect(hs, SLU_HS_DONE, 0);
    return 0;
}

/* ---- initiator ---- */

/* A refusal of the other side, whole in `in`. */
static int on_refusal(struct slu_handshake *hs)
{
    char text[SLU_REFUSAL_TEXT_MAX + 1];
    size_t len = hs->in[7];
    for (size_t i = 0; i < len; i++) {
        uint8_t c = hs->in[SLU_REPLY_HEAD_BYTES + i];
        text[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
    }
    text[len] = 0;
    uint8_t status = hs->in[6];
    int error =
        status == STATUS_VERSION || status == STATUS_CHAIN ? SLU_ERR_MISMATCH : SLU_ERR_REFUSED;
    return failed(hs, SLU_LINK_FAIL_REFUSED, error, "%s", len > 0 ? text : "refused");
}

/* Whether `in` begins with a refusal; then `rc` is what to return. */
static bool is_refusal(struct slu_handshake *hs, int *rc)
{
    if (memcmp(hs->in, magic, 4) != 0 || hs->in[6] == STATUS_OK)
        return false;
    size_t whole = SLU_REPLY_HEAD_BYTES + hs->in[7];
    *rc = 0;
    if (hs->in[7] > SLU_REFUSAL_TEXT_MAX)
        *rc = failed(hs, SLU_LINK_FAIL_MALFORMED, SLU_ERR_MALFORMED, "malformed refusal");
    else if (hs->in_len < whole)
        hs->in_want = whole;
    else
        *rc = on_refusal(hs);
    return true;
}

static int check_key(struct slu_handshake *hs, uint16_t node, const uint8_t *public32)
{
    const struct slu_link_config *config = hs->config;
    if (config->has_expect && sodium_memcmp(public32, config->expect_public32, 32) != 0)
        return failed(hs, SLU_LINK_FAIL_WRONG_KEY, SLU_ERR_MISMATCH,
                      "server shows another node key than expected (it says it is node %u)", node);
    if (config->peers != NULL &&
        (node >= config->peers_count || sodium_memcmp(public32, config->peers[node], 32) != 0))
        return failed(hs, SLU_LINK_FAIL_WRONG_KEY, SLU_ERR_MISMATCH,
                      "server says it is node %u, but its key is not that node's", node);
    if (node == SLU_LINK_CLIENT)
        return failed(hs, SLU_LINK_FAIL_MALFORMED, SLU_ERR_MALFORMED, "malformed reply");
    return 0;
}

static int send_proof(struct slu_handshake *hs)
{
    uint8_t header[24];
    uint8_t proof[64];
    crypto_secretstream_xchacha20poly1305_init_push(&hs->tx, header, hs->key_tx);
    if (hs->config->role == SLU_LINK_AS_CLIENT) {
        client_mac(hs, proof, hs->key_tx, header);
    } else {
        uint8_t digest[32];
        const struct slu_signer *signer = &hs->config->signer;
        transcript(hs, digest, SIDE_INITIATOR, header);
        if (signer->sign == NULL ||
            signer->sign(signer->context, proof, SLU_ROLE_LINK, 0, digest) != 0)
            return failed(hs, SLU_LINK_FAIL_INTERNAL, SLU_ERR_REFUSED, "the node key did not sign");
    }
    struct slu_writer w = out_writer(hs);
    slu_write_bytes(&w, header, sizeof header);
    slu_write_bytes(&w, proof, sizeof proof);
    out_done(hs, &w);
    expect(hs, SLU_HS_CONFIRM, SLU_REPLY_HEAD_BYTES);
    return 0;
}

static int on_whole_reply(struct slu_handshake *hs)
{
    const struct slu_link_config *config = hs->config;
    uint8_t digest[32];
    struct slu_reader r = slu_reader_of(hs->in, hs->in_len);
    (void)slu_read_bytes(&r, SLU_REPLY_HEAD_BYTES);
    const uint8_t *chain_id32 = slu_read_bytes(&r, 32);
    uint16_t node = slu_read_u16(&r);
    const uint8_t *public32 = slu_read_bytes(&r, 32);
    const uint8_t *ephemeral = slu_read_bytes(&r, 32);
    const uint8_t *header = slu_read_bytes(&r, 24);
    const uint8_t *signature = slu_read_bytes(&r, 64);
    SLU_CHECK(slu_reader_done(&r));
    bool ask =
        config->role == SLU_LINK_AS_CLIENT && sodium_memcmp(config->chain_id32, zero32, 32) == 0;
    if (!ask && sodium_memcmp(chain_id32, config->chain_id32, 32) != 0)
        return failed(hs, SLU_LINK_FAIL_CHAIN, SLU_ERR_MISMATCH, "server is of another chain");
    int rc = check_key(hs, node, public32);
    if (rc != 0)
        return rc;
    memcpy(hs->reply, hs->in, sizeof hs->reply);
    memcpy(hs->chain_id32, chain_id32, 32);
    transcript(hs, digest, SIDE_RESPONDER, NULL);
    if (!slu_signature_ok(public32, digest, signature))
        return failed(hs, SLU_LINK_FAIL_SIGNATURE, SLU_ERR_SIGNATURE,
                      "the server's signature does not verify");
    if (derive_keys(hs, ephemeral) != 0 ||
        crypto_secretstream_xchacha20poly1305_init_pull(&hs->rx, header, hs->key_rx) != 0)
        return failed(hs, SLU_LINK_FAIL_MALFORMED, SLU_ERR_MALFORMED, "bad ephemeral key");
    hs->peer = node;
    memcpy(hs->peer_public32, public32, 32);
    return send_proof(hs);
}

static int on_reply(struct slu_handshake *hs)
{
    int rc = 0;
    if (is_refusal(hs, &rc))
        return rc;
    struct slu_reader r = slu_reader_of(hs->in, hs->in_len);
    const uint8_t *mark = slu_read_bytes(&r, 4);
    uint16_t version = slu_read_u16(&r);
    if (memcmp(mark, magic, 4) != 0)
        return failed(hs, SLU_LINK_FAIL_MALFORMED, SLU_ERR_MALFORMED, "not a sluice node");
    if (version != hs->config->version)
        return failed(hs, SLU_LINK_FAIL_VERSION, SLU_ERR_MISMATCH,
                      "server speaks protocol version %u, this client %u", version,
                      hs->config->version);
    if (hs->in[7] != 0)
        return failed(hs, SLU_LINK_FAIL_MALFORMED, SLU_ERR_MALFORMED, "malformed reply");
    if (hs->in_len < SLU_REPLY_BYTES) {
        hs->in_want = SLU_REPLY_BYTES;
        return 0;
    }
    return on_whole_reply(hs);
}

static int on_confirm(struct slu_handshake *hs)
{
    int rc = 0;
    uint8_t *text = NULL;
    size_t len = 0;
    if (is_refusal(hs, &rc))
        return rc;
    if (slu_record_length(&len, hs->in) != 0 || len != SLU_CONFIRM_BYTES)
        return failed(hs, SLU_LINK_FAIL_MALFORMED, SLU_ERR_MALFORMED, "malformed confirmation");
    if (hs->in_len < SLU_CONFIRM_BYTES) {
        hs->in_want = SLU_CONFIRM_BYTES;
        return 0;
    }
    if (slu_record_open(&hs->rx, &text, &len, hs->in, SLU_CONFIRM_BYTES) != 0)
        return failed(hs, SLU_LINK_FAIL_SIGNATURE, SLU_ERR_SIGNATURE,
                      "the confirmation does not verify");
    expect(hs, SLU_HS_DONE, 0);
    return 0;
}

/* ---- both ---- */

size_t slu_handshake_wants(const struct slu_handshake *hs)
{
    if (hs->state == SLU_HS_DONE || hs->state == SLU_HS_FAILED)
        return 0;
    return hs->in_want - hs->in_len;
}

static int step(struct slu_handshake *hs)
{
    switch (hs->state) {
    case SLU_HS_HELLO:
        return on_hello(hs);
    case SLU_HS_REPLY:
        return on_reply(hs);
    case SLU_HS_PROOF:
        return on_proof(hs);
    case SLU_HS_CONFIRM:
        return on_confirm(hs);
    case SLU_HS_DONE:
    case SLU_HS_FAILED:
        break;
    }
    return SLU_ERR_CLOSED;
}

int slu_handshake_feed(struct slu_handshake *hs, const uint8_t *data, size_t len)
{
    SLU_CHECK(len <= slu_handshake_wants(hs));
    if (len == 0)
        return hs->state == SLU_HS_FAILED ? hs->error : 0;
    memcpy(hs->in + hs->in_len, data, len);
    hs->in_len += len;
    if (hs->in_len < hs->in_want)
        return 0;
    enum slu_handshake_state before = hs->state;
    int rc = step(hs);
    if (hs->state != before)
        hs->in_len = 0;
    return rc;
}

void slu_handshake_wipe(struct slu_handshake *hs)
{
    sodium_memzero(hs->secret, sizeof hs->secret);
    sodium_memzero(hs->key_tx, sizeof hs->key_tx);
    sodium_memzero(hs->key_rx, sizeof hs->key_rx);
    sodium_memzero(&hs->tx, sizeof hs->tx);
    sodium_memzero(&hs->rx, sizeof hs->rx);
}
