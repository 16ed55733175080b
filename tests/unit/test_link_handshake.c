/* link/: the handshake, records and the limiter as bytes, without a socket. */
#include "tests/unit/link_keys.h"

#include <stdio.h>
#include <stdlib.h>

#include "link/handshake.h"
#include "link/limiter.h"
#include "link/record.h"

/* ---- handshake as bytes ---- */

struct pair {
    struct slu_handshake initiator;
    struct slu_handshake responder;
    long flip_at; /* which byte of all that crosses to change; -1 none */
    long crossed;
};

static void cross(struct pair *p, struct slu_handshake *from, struct slu_handshake *to)
{
    for (size_t i = 0; i < from->out_len; i++) {
        uint8_t byte = from->out[i];
        if (p->crossed++ == p->flip_at)
            byte ^= 0x20;
        if (slu_handshake_wants(to) > 0)
            (void)!slu_handshake_feed(to, &byte, 1);
    }
    from->out_len = 0;
}

static void run_pair(struct pair *p, const struct slu_link_config *initiator,
                     const struct slu_link_config *responder, long flip_at)
{
    p->flip_at = flip_at;
    p->crossed = 0;
    slu_handshake_begin(&p->initiator, initiator, true);
    slu_handshake_begin(&p->responder, responder, false);
    for (int i = 0; i < 6; i++) {
        cross(p, &p->initiator, &p->responder);
        cross(p, &p->responder, &p->initiator);
    }
}

static void test_handshake_peer_and_client(void **state)
{
    (void)state;
    struct pair p;
    struct slu_link_config a = node_config(1);
    struct slu_link_config b = node_config(2);
    struct slu_link_config c = client_config();
    run_pair(&p, &a, &b, -1);
    assert_int_equal(p.initiator.state, SLU_HS_DONE);
    assert_int_equal(p.responder.state, SLU_HS_DONE);
    assert_int_equal(p.initiator.peer, 2);
    assert_int_equal(p.responder.peer, 1);
    assert_memory_equal(p.responder.peer_public32, publics[1], 32);

    run_pair(&p, &c, &b, -1);
    assert_int_equal(p.initiator.state, SLU_HS_DONE);
    assert_int_equal(p.responder.state, SLU_HS_DONE);
    assert_int_equal(p.responder.peer, SLU_LINK_CLIENT);
    assert_memory_equal(p.initiator.chain_id32, b.chain_id32, 32);
    assert_memory_equal(p.initiator.peer_public32, publics[2], 32);

    /* The streams fit together, in both directions. */
    uint8_t wire[SLU_RECORD_WIRE_MIN + 5];
    uint8_t *text = NULL;
    size_t len = 0;
    memcpy(wire + SLU_RECORD_HEAD, "hello", 5);
    len = slu_record_seal(&p.initiator.tx, wire, 5);
    assert_int_equal(slu_record_open(&p.responder.rx, &text, &len, wire, len), 0);
    assert_memory_equal(text, "hello", 5);
}

static void test_handshake_refusals(void **state)
{
    (void)state;
    struct pair p;
    struct slu_link_config server = node_config(0);
    struct slu_link_config other = node_config(1);
    other.node = NODES;
    run_pair(&p, &other, &server, -1);
    assert_int_equal(p.responder.fail, SLU_LINK_FAIL_UNKNOWN_PEER);
    assert_int_equal(p.initiator.error, SLU_ERR_REFUSED);
    assert_string_equal(p.initiator.reason, "node 4 is no peer of node 0");

    other = node_config(1); /* claims 1 but signs with the key of 2 */
    other.signer = slu_keyguard_signer(guards[2]);
    run_pair(&p, &other, &server, -1);
    assert_int_equal(p.responder.fail, SLU_LINK_FAIL_SIGNATURE);
    assert_int_equal(p.initiator.fail, SLU_LINK_FAIL_REFUSED);
    assert_string_equal(p.initiator.reason, "the proof does not verify");

    other = node_config(1);
    other.chain_id32[0] = 9;
    run_pair(&p, &other, &server, -1);
    assert_int_equal(p.responder.fail, SLU_LINK_FAIL_CHAIN);
    assert_int_equal(p.initiator.error, SLU_ERR_MISMATCH);
    assert_non_null(strstr(p.initiator.reason, "server is of chain 0707070707070707"));

    other = client_config();
    server.version = 2;
    run_pair(&p, &other, &server, -1);
    assert_int_equal(p.responder.fail, SLU_LINK_FAIL_VERSION);
    assert_int_equal(p.initiator.error, SLU_ERR_MISMATCH);
    assert_string_equal(p.initiator.reason, "server speaks protocol version 2, this client 1");
    server.version = SLU_PROTOCOL_VERSION;

    other.has_expect = true;
    memcpy(other.expect_public32, publics[3], 32);
    run_pair(&p, &other, &server, -1);
    assert_int_equal(p.initiator.fail, SLU_LINK_FAIL_WRONG_KEY);

    server.refuse_clients = true;
    run_pair(&p, &other, &server, -1);
    assert_int_equal(p.initiator.error, SLU_ERR_REFUSED);

    server = node_config(0); /* a server with a key that is not its index's */
    server.signer = slu_keyguard_signer(guards[2]);
    other = node_config(1);
    run_pair(&p, &other, &server, -1);
    assert_int_equal(p.initiator.fail, SLU_LINK_FAIL_SIGNATURE);
    memcpy(server.public32, publics[2], 32);
    run_pair(&p, &other, &server, -1);
    assert_int_equal(p.initiator.fail, SLU_LINK_FAIL_WRONG_KEY);
}

static void test_handshake_every_byte_counts(void **state)
{
    (void)state;
    struct pair p;
    struct slu_link_config server = node_config(0);
    struct slu_link_config configs[2] = {node_config(1), client_config()};
    for (int i = 0; i < 2; i++) {
        run_pair(&p, &configs[i], &server, -1);
        long all = p.crossed;
        assert_int_equal(all,
                         SLU_HELLO_BYTES + SLU_REPLY_BYTES + SLU_PROOF_BYTES + SLU_CONFIRM_BYTES);
        for (long at = 0; at < all; at++) {
            run_pair(&p, &configs[i], &server, at);
            if (p.initiator.state == SLU_HS_DONE)
                fail_msg("byte %ld of %s handshake may be changed", at, i ? "client" : "peer");
        }
    }
}

static void test_handshake_garbage(void **state)
{
    (void)state;
    struct slu_link_config server = node_config(0);
    struct slu_link_config client = client_config();
    for (int round = 0; round < 2000; round++) {
        struct slu_handshake hs;
        bool initiator = round & 1;
        slu_handshake_begin(&hs, initiator ? &client : &server, initiator);
        for (int i = 0; i < 600 && slu_handshake_wants(&hs) > 0; i++) {
            uint8_t bytes[8];
            size_t len = 1 + randombytes_uniform(sizeof bytes);
            if (len > slu_handshake_wants(&hs))
                len = slu_handshake_wants(&hs);
            randombytes_buf(bytes, sizeof bytes);
            if (i == 0 && round % 4 < 3) { /* past the magic and the version */
                memcpy(bytes, "SLNK\1\0\0\0", 8);
                len = slu_handshake_wants(&hs) < 8 ? slu_handshake_wants(&hs) : 8;
            }
            (void)!slu_handshake_feed(&hs, bytes, len);
        }
        assert_int_not_equal(hs.state, SLU_HS_DONE);
        slu_handshake_wipe(&hs);
    }
}

/* ---- records as bytes ---- */

static void test_record_tampering(void **state)
{
    (void)state;
    uint8_t key[32] = {1};
    uint8_t header[24];
    slu_record_stream tx;
    slu_record_stream rx;
    uint8_t wire[SLU_RECORD_WIRE_MIN + 64];
    uint8_t copy[sizeof wire];
    uint8_t *text = NULL;
    size_t len = 0;
    crypto_secretstream_xchacha20poly1305_init_push(&tx, header, key);
    assert_int_equal(crypto_secretstream_xchacha20poly1305_init_pull(&rx, header, key), 0);
    for (size_t i = 0; i < 64; i++)
        wire[SLU_RECORD_HEAD + i] = (uint8_t)i;
    assert_int_equal(slu_record_seal(&tx, wire, 64), sizeof wire);
    for (size_t at = 4; at < sizeof wire; at++) {
        slu_record_stream again = rx;
        memcpy(copy, wire, sizeof wire);
        copy[at] ^= 1;
        assert_int_equal(slu_record_open(&again, &text, &len, copy, sizeof wire),
                         SLU_ERR_SIGNATURE);
    }
    memcpy(copy, wire, sizeof wire);
    assert_int_equal(slu_record_length(&len, wire), 0);
    assert_int_equal(len, sizeof wire);
    assert_int_equal(slu_record_open(&rx, &text, &len, wire, sizeof wire), 0);
    assert_int_equal(len, 64);
    assert_int_equal(text[63], 63);
    /* the same again is a replay */
    assert_int_equal(slu_record_open(&rx, &text, &len, copy, sizeof wire), SLU_ERR_SIGNATURE);
}

static void test_record_lengths(void **state)
{
    (void)state;
    static const uint8_t all[4] = {0xff, 0xff, 0xff, 0xff};
    uint8_t head[4];
    size_t len = 0;
    assert_int_equal(slu_record_length(&len, all), SLU_ERR_MALFORMED);
    slu_record_put_length(head, SLU_RECORD_WIRE_MIN - 4 - 1);
    assert_int_equal(slu_record_length(&len, head), SLU_ERR_MALFORMED);
    slu_record_put_length(head, SLU_RECORD_WIRE_MAX - 4 + 1);
    assert_int_equal(slu_record_length(&len, head), SLU_ERR_MALFORMED);
    slu_record_put_length(head, SLU_RECORD_WIRE_MAX - 4);
    assert_int_equal(slu_record_length(&len, head), 0);
    assert_int_equal(len, SLU_RECORD_WIRE_MAX);

    uint8_t text[12] = {2, 0, 0, 0, 'a', 'b'};
    const uint8_t *at = text;
    const uint8_t *frame = NULL;
    assert_int_equal(slu_record_frame(&frame, &len, &at, text + 6), 0);
    assert_ptr_equal(at, text + 6);
    at = text;
    assert_int_equal(slu_record_frame(&frame, &len, &at, text + 5), SLU_ERR_MALFORMED);
    at = text;
    assert_int_equal(slu_record_frame(&frame, &len, &at, text + 3), SLU_ERR_MALFORMED);
    text[0] = 0;
    assert_int_equal(slu_record_frame(&frame, &len, &at, text + 6), SLU_ERR_MALFORMED);
    memset(text, 0xff, 4);
    assert_int_equal(slu_record_frame(&frame, &len, &at, text + 6), SLU_ERR_MALFORMED);
}

static void test_limiter(void **state)
{
    (void)state;
    static struct slu_limiter limiter;
    uint8_t key[16] = {1};
    uint8_t other[16] = {2};
    slu_limiter_init(&limiter, 3, 60, 5);
    for (int i = 0; i < 3; i++) {
        assert_true(slu_limiter_allows(&limiter, key, 1000));
        slu_limiter_charge(&limiter, key, 1000);
    }
    assert_false(slu_limiter_allows(&limiter, key, 1000));
    assert_false(slu_limiter_allows(&limiter, key, 1900));
    assert_true(slu_limiter_allows(&limiter, key, 2000));
    assert_true(slu_limiter_allows(&limiter, other, 1000));
    for (uint32_t i = 0; i < 10000; i++) { /* more addresses than slots */
        memcpy(other, &i, sizeof i);
        slu_limiter_charge(&limiter, other, 2000);
    }
    slu_limiter_init(&limiter, 0, 0, 5);
    slu_limiter_charge(&limiter, key, 0);
    assert_true(slu_limiter_allows(&limiter, key, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake_peer_and_client),
        cmocka_unit_test(test_handshake_refusals),
        cmocka_unit_test(test_handshake_every_byte_counts),
        cmocka_unit_test(test_handshake_garbage),
        cmocka_unit_test(test_record_tampering),
        cmocka_unit_test(test_record_lengths),
        cmocka_unit_test(test_limiter),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
