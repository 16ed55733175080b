/* The canonical encodings: fixed vectors (tests/vectors/wire.txt), decode(encode) = id, and what a
 * decoder refuses. SLU_VECTORS_WRITE=1 writes the vectors anew: a change of them is a new chain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sluice/error.h"
#include "tests/sim/seal_keys.h"
#include "wire/bundle.h"
#include "wire/message.h"
#include "wire/tx.h"

#define VECTORS "tests/vectors/wire.txt"

static struct slu_genesis genesis;
static struct slu_message in, out;
static uint8_t bytes[SLU_MESSAGE_BYTES_MAX + 64];
static const uint8_t payload[] = "not an envelope, but bytes all the same";
static uint8_t envelope[64];
static size_t envelope_len;

static void make_genesis(void)
{
    memset(&genesis, 0, sizeof genesis);
    genesis.version = SLU_PROTOCOL_VERSION;
    strcpy(genesis.name, "vectors");
    genesis.created_ms = 1700000000000;
    genesis.n = 4;
    for (uint16_t i = 0; i < 4; i++) {
        memset(genesis.nodes[i].public32, 0x10 + i, 32);
        snprintf(genesis.nodes[i].address, sizeof genesis.nodes[i].address, "tcp://127.0.0.1:%d",
                 7000 + i);
    }
    sim_seal_keys(&genesis);
    genesis.rollup_count = 2;
    genesis.rollups[0] = (struct slu_genesis_rollup){.id = 5, .name = "five", .rate_share = 1};
    genesis.rollups[1] = (struct slu_genesis_rollup){
        .id = 10, .name = "ten", .ethereum_chain_id = 10, .rate_share = 3};
    slu_params_defaults(&genesis.params);
    char why[200];
    assert_int_equal(slu_genesis_seal(&genesis, why, sizeof why), 0);
    struct slu_writer w = slu_writer_of(envelope, sizeof envelope);
    slu_tx_write(&w, 10, 1700000005000, SLU_TX_PLAIN, (const uint8_t *)"hello", 5);
    envelope_len = slu_writer_len(&w);
}

static struct slu_tip tip_of(uint64_t position, uint8_t fill)
{
    struct slu_tip tip = {.position = position};
    memset(tip.digest, fill, 32);
    return tip;
}

static void fill_header(struct slu_batch_header *h, uint64_t position)
{
    *h = (struct slu_batch_header){.lane = 2,
                                   .incarnation = 1,
                                   .position = position,
                                   .payload_bytes = sizeof payload,
                                   .txs = 3,
                                   .made_at_ms = 1700000000123};
    memset(h->parent, 0x21, 32);
    slu_payload_digest(h->payload_digest, &genesis, payload, sizeof payload);
    memset(h->signature, 0x22, 64);
    slu_batch_header_digest(h, &genesis);
}

static void fill_block(struct slu_block *b, uint64_t height)
{
    *b = (struct slu_block){
        .view = height + 2, .height = height, .time_ms = 1700000001000, .idle_run = 1, .n = 4};
    memset(b->parent, 0x31, 32);
    for (uint16_t l = 0; l < 4; l++)
        b->cut[l] = tip_of(l + UINT64_C(1), (uint8_t)(0x40 + l));
    memset(b->reports, 0x32, 32);
    b->tail = (struct slu_queue_tail){.height = height + 2, .bytes = 158};
    b->evident[SLU_TWO_NOTARIZE] = 4;
    slu_block_digest(b, &genesis);
}

static void fill_cert(struct slu_cert *c, enum slu_vote_kind kind, const uint8_t block32[32])
{
    *c = (struct slu_cert){.kind = (uint8_t)kind, .view = 9, .count = 3};
    memcpy(c->block, block32, 32);
    for (uint16_t i = 0; i < 3; i++) {
        c->votes[i].node = i + 1;
        memset(c->votes[i].signature, 0x50 + i, 64);
    }
    slu_vote_digest(c->digest, &genesis, kind, 9, c->block);
}

static void fill_proposal(struct slu_proposal *p)
{
    *p = (struct slu_proposal){.view = 7, .node = 3, .parent_view = 5, .count = 3};
    memset(p->parent, 0x61, 32);
    memset(p->block, 0x62, 32);
    for (uint16_t i = 0; i < 3; i++) {
        p->reports[i].node = i;
        memset(p->reports[i].digest, 0x63 + i, 32);
    }
    memset(p->notarize, 0x66, 64);
    memset(p->signature, 0x67, 64);
    slu_proposal_digest(p, &genesis);
}

static void fill_chain(struct slu_headers *h)
{
    h->count = 3;
    for (uint16_t i = 0; i < 3; i++) {
        fill_header(&h->items[i], i + UINT64_C(4));
        if (i > 0)
            memcpy(h->items[i].parent, h->items[i - 1].digest, 32);
        slu_batch_header_digest(&h->items[i], &genesis);
    }
}

/* Two forced items and one piece of evidence, ids rising. */
static void fill_tuples(uint8_t *list)
{
    struct slu_inbox_tuple tuples[3] = {
        {.kind = SLU_INBOX_FORCED, .bytes = 40, .valid_until_ms = 1700000005000},
        {.kind = SLU_INBOX_EVIDENCE,
         .offence = SLU_TWO_NOTARIZE,
         .offender = 2,
         .bytes = 203,
         .valid_until_ms = SLU_VALID_FOR_EVER},
        {.kind = SLU_INBOX_FORCED, .bytes = 22, .valid_until_ms = 1700000006000}};
    struct slu_writer w = slu_writer_of(list, 3 * SLU_INBOX_TUPLE_BYTES);
    for (int i = 0; i < 3; i++) {
        memset(tuples[i].id, 0x81 + i, 32);
        slu_inbox_tuple_write(&w, &tuples[i]);
    }
    assert_false(w.failed);
}

static void fill_blocks(struct slu_blocks *b)
{
    b->count = 2;
    fill_block(&b->items[0], 11);
    fill_tuples(b->lists);
    b->items[0].queued = b->lists;
    b->items[0].queued_count = 3;
    slu_block_digest(&b->items[0], &genesis);
    fill_block(&b->items[1], 12);
    memcpy(b->items[1].parent, b->items[0].digest, 32);
    slu_block_digest(&b->items[1], &genesis);
    b->has_cert = true;
    fill_cert(&b->cert, SLU_FINALIZE, b->items[1].digest);
}

static void fill_relay(struct slu_relay *r)
{
    *r = (struct slu_relay){.taker = 3, .kind = SLU_INBOX_FORCED};
    r->postage = (struct slu_postage){.height = 12, .nonce = 99};
    memset(r->postage.block, 0x84, 32);
    memset(r->signature, 0x85, 64);
    assert_int_equal(slu_relay_derive(r, &genesis, envelope, envelope_len), 0);
    slu_relay_digest(r, &genesis);
}

static void fill_holds(struct slu_holds *h)
{
    uint8_t list[3 * SLU_INBOX_TUPLE_BYTES];
    fill_tuples(list);
    h->count = 2;
    for (uint16_t i = 0; i < 2; i++) {
        slu_inbox_tuple_at(list, i, &h->items[i].tuple);
        h->items[i].node = 3 - i;
        memset(h->items[i].signature, 0x86 + i, 64);
        slu_inbox_tuple_digest(h->items[i].digest, &genesis, &h->items[i].tuple);
    }
}

static void fill_shares(struct slu_signed_shares *s)
{
    *s = (struct slu_signed_shares){.node = 2, .height = 40, .first = 64, .count = 3};
    memset(s->block, 0x88, 32);
    memset(s->key_id, 0x89, 32);
    memset(s->y_i, 0x8a, 32);
    memset(s->list, 0x8b, 32);
    for (int i = 0; i < 3; i++)
        memset(s->d[i], 0x8c + i, 32);
    memset(s->proof, 0x8f, sizeof s->proof);
    memset(s->signature, 0x90, 64);
    slu_signed_shares_digest(s, &genesis);
}

static void fill_release(struct slu_release *r)
{
    *r = (struct slu_release){.height = 40, .time_ms = 1700000005000};
    memset(r->block, 0x91, 32);
    memset(r->previous, 0x92, 32);
    memset(r->ordered, 0x93, 32);
    memset(r->opened, 0x94, 32);
    memset(r->state, 0x95, 32);
    slu_release_digest(r, genesis.chain_id);
}

static void fill_release_cert(struct slu_release_cert *cert)
{
    *cert = (struct slu_release_cert){.count = 3};
    fill_release(&cert->release);
    for (uint16_t i = 0; i < 3; i++) {
        cert->signers[i].node = i + 1;
        memset(cert->signers[i].signature, 0x96 + i, 64);
    }
}

static void fill(struct slu_message *m, enum slu_message_kind kind)
{
    static const uint8_t zero[32];
    memset(m, 0, sizeof *m);
    m->kind = kind;
    switch (kind) {
    case SLU_MSG_BATCH:
        fill_header(&m->batch.header, 3);
        m->batch.payload = payload;
        break;
    case SLU_MSG_ACKS:
        m->acks = (struct slu_ack_vector){.node = 1, .count = 2};
        m->acks.acks[0] = (struct slu_lane_tip){0, tip_of(5, 0x71)};
        m->acks.acks[1] = (struct slu_lane_tip){3, tip_of(1, 0x72)};
        memset(m->acks.signature, 0x73, 64);
        slu_ack_vector_digest(&m->acks, &genesis);
        break;
    case SLU_MSG_REPORT:
        m->report = (struct slu_report){
            .view = 8, .node = 2, .released = 4, .clock_ms = 1700000002000, .count = 1};
        m->report.tips[0] = (struct slu_lane_tip){1, tip_of(6, 0x74)};
        m->report.inbox_count = 3;
        fill_tuples(m->report.inbox);
        memset(m->report.signature, 0x75, 64);
        slu_report_digest(&m->report, &genesis);
        break;
    case SLU_MSG_PROPOSAL:
        fill_proposal(&m->proposal);
        break;
    case SLU_MSG_VOTE:
        m->vote = (struct slu_vote){.kind = SLU_NOTARIZE, .view = 6, .node = 0};
        memset(m->vote.block, 0x76, 32);
        memset(m->vote.signature, 0x77, 64);
        slu_vote_digest(m->vote.digest, &genesis, SLU_NOTARIZE, 6, m->vote.block);
        break;
    case SLU_MSG_CERT:
        fill_cert(&m->cert, SLU_NULLIFY, zero);
        break;
    case SLU_MSG_HEADERS:
        fill_chain(&m->headers);
        break;
    case SLU_MSG_BLOCKS:
        fill_blocks(&m->blocks);
        break;
    case SLU_MSG_FETCH:
        m->fetch = (struct slu_fetch){.what = SLU_FETCH_HEADERS, .lane = 1, .from = 2, .to = 9};
        memset(m->fetch.digest, 0x78, 32);
        break;
    case SLU_MSG_REJOIN:
        m->rejoin.node = 3;
        memset(m->rejoin.nonce, 0x79, 32);
        m->rejoin.incarnation = 4;
        break;
    case SLU_MSG_FREEZE:
        m->freeze =
            (struct slu_freeze){.node = 1, .lane = 3, .incarnation = 2, .tip = tip_of(9, 0x7a)};
        memset(m->freeze.nonce, 0x7b, 32);
        memset(m->freeze.signature, 0x7c, 64);
        slu_freeze_digest(&m->freeze, &genesis);
        break;
    case SLU_MSG_RELAY:
        fill_relay(&m->relay);
        break;
    case SLU_MSG_HOLDS:
        fill_holds(&m->holds);
        break;
    case SLU_MSG_SHARES:
        fill_shares(&m->shares);
        break;
    case SLU_MSG_RELEASE:
        m->release = (struct slu_signed_release){.node = 2};
        fill_release(&m->release.release);
        memset(m->release.signature, 0x85, 64);
        break;
    case SLU_MSG_RELEASE_CERT:
        fill_release_cert(&m->release_cert);
        break;
    case SLU_MSG_KINDS:
        break;
    }
}

static size_t encode(const struct slu_message *m)
{
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_message_write(&w, m);
    assert_false(w.failed);
    return slu_writer_len(&w);
}

static int decode(enum slu_message_kind kind, const uint8_t *body, size_t len)
{
    bool batch = kind == SLU_MSG_BATCH, relay = kind == SLU_MSG_RELAY;
    return slu_message_read(&out, &genesis, (uint8_t)kind, body, len,
                            batch   ? payload
                            : relay ? envelope
                                    : NULL,
                            batch   ? sizeof payload
                            : relay ? envelope_len
                                    : 0);
}

/* ---- vectors ---- */

static FILE *vectors;

static void vector(const char *name, const uint8_t *data, size_t len)
{
    static char hex[2 * sizeof bytes + 1], line[2 * sizeof bytes + 100],
        want[2 * sizeof bytes + 100];
    slu_hex_encode(hex, data, len);
    snprintf(line, sizeof line, "%s %s\n", name, hex);
    if (getenv("SLU_VECTORS_WRITE")) {
        fputs(line, vectors);
        return;
    }
    assert_non_null(fgets(want, sizeof want, vectors));
    assert_string_equal(line, want);
}

static void test_vectors(void **state)
{
    (void)state;
    vectors = fopen(VECTORS, getenv("SLU_VECTORS_WRITE") ? "w" : "r");
    assert_non_null(vectors);
    vector("chain_id", genesis.chain_id, 32);
    for (int kind = SLU_MSG_BATCH; kind < SLU_MSG_KINDS; kind++) {
        fill(&in, (enum slu_message_kind)kind);
        vector(slu_message_name(in.kind), bytes, encode(&in));
    }
    for (int kind = 0; kind < SLU_VOTE_KINDS; kind++) {
        static const char *const names[] = {"notarize_digest", "nullify_digest", "finalize_digest"};
        static const uint8_t block[32] = {1, 2, 3};
        uint8_t digest[32];
        slu_vote_digest(digest, &genesis, (enum slu_vote_kind)kind, 77, block);
        vector(names[kind], digest, 32);
    }
    struct slu_block first;
    slu_block_genesis(&first, &genesis);
    vector("genesis_block_digest", first.digest, 32);
    uint8_t id[32];
    vector("envelope", envelope, envelope_len);
    struct slu_reader r = slu_reader_of(envelope, envelope_len);
    struct slu_tx tx;
    assert_true(slu_tx_read(&r, &tx));
    slu_tx_id(id, &genesis, &tx);
    vector("envelope_id", id, 32);
    uint8_t bundle[96], body[64];
    const struct slu_bundle legs = {
        .count = 2,
        .legs = {{10, (const uint8_t *)"hello", 5}, {5, (const uint8_t *)"and goodbye", 11}}};
    size_t body_len;
    assert_int_equal(slu_bundle_body(body, sizeof body, &body_len, &legs), 0);
    struct slu_writer w = slu_writer_of(bundle, sizeof bundle);
    slu_tx_write(&w, 0, 1700000005000, SLU_TX_BUNDLE, body, (uint32_t)body_len);
    vector("bundle", bundle, slu_writer_len(&w));
    slu_tx_id_of(id, genesis.chain_id, bundle, slu_writer_len(&w));
    vector("bundle_id", id, 32);
    fclose(vectors);
}

/* ---- every kind ---- */

static void test_round_trip(void **state)
{
    (void)state;
    static uint8_t first[sizeof bytes];
    for (int kind = SLU_MSG_BATCH; kind < SLU_MSG_KINDS; kind++) {
        fill(&in, (enum slu_message_kind)kind);
        size_t len = encode(&in);
        memcpy(first, bytes, len);
        assert_int_equal(decode(in.kind, first, len), 0);
        assert_int_equal(encode(&out), len);
        assert_memory_equal(first, bytes, len);
    }
}

static void test_every_prefix_and_suffix_is_refused(void **state)
{
    (void)state;
    static uint8_t first[sizeof bytes];
    for (int kind = SLU_MSG_BATCH; kind < SLU_MSG_KINDS; kind++) {
        fill(&in, (enum slu_message_kind)kind);
        size_t len = encode(&in);
        memcpy(first, bytes, len);
        for (size_t cut = 0; cut < len; cut++)
            assert_true(decode(in.kind, first, cut) < 0);
        first[len] = 0;
        assert_int_equal(decode(in.kind, first, len + 1), SLU_ERR_MALFORMED);
    }
}

static void test_payload_belongs_to_batches_only(void **state)
{
    (void)state;
    fill(&in, SLU_MSG_VOTE);
    size_t len = encode(&in);
    assert_int_equal(slu_message_read(&out, &genesis, SLU_MSG_VOTE, bytes, len, payload, 1),
                     SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_BATCH);
    len = encode(&in);
    assert_int_equal(
        slu_message_read(&out, &genesis, SLU_MSG_BATCH, bytes, len, payload, sizeof payload - 1),
        SLU_ERR_MALFORMED);
    uint8_t other[sizeof payload] = "other bytes of the same length ........";
    assert_int_equal(
        slu_message_read(&out, &genesis, SLU_MSG_BATCH, bytes, len, other, sizeof other),
        SLU_ERR_MALFORMED);
    assert_int_equal(slu_message_read(&out, &genesis, 0, bytes, len, NULL, 0), SLU_ERR_MALFORMED);
    assert_int_equal(slu_message_read(&out, &genesis, SLU_MSG_KINDS, bytes, len, NULL, 0),
                     SLU_ERR_MALFORMED);
}

/* A change of any one byte of what is signed gives another digest, or is refused. */
static const uint8_t *digest_of(const struct slu_message *m)
{
    switch (m->kind) {
    case SLU_MSG_BATCH:
        return m->batch.header.digest;
    case SLU_MSG_ACKS:
        return m->acks.digest;
    case SLU_MSG_REPORT:
        return m->report.digest;
    case SLU_MSG_PROPOSAL:
        return m->proposal.digest;
    case SLU_MSG_FREEZE:
        return m->freeze.digest;
    case SLU_MSG_RELAY:
        return m->relay.digest;
    case SLU_MSG_SHARES:
        return m->shares.digest;
    case SLU_MSG_RELEASE:
        return m->release.release.digest;
    case SLU_MSG_RELEASE_CERT: /* signatures of others */
    case SLU_MSG_VOTE:
    case SLU_MSG_CERT:
    case SLU_MSG_HEADERS:
    case SLU_MSG_BLOCKS:
    case SLU_MSG_FETCH:
    case SLU_MSG_REJOIN:
    case SLU_MSG_HOLDS:
    case SLU_MSG_KINDS:
        break;
    }
    return NULL;
}

static void test_digests_cover_every_byte(void **state)
{
    (void)state;
    static uint8_t first[sizeof bytes];
    for (int kind = SLU_MSG_BATCH; kind < SLU_MSG_KINDS; kind++) {
        fill(&in, (enum slu_message_kind)kind);
        const uint8_t *digest = digest_of(&in);
        if (!digest)
            continue;
        size_t len = encode(&in);
        memcpy(first, bytes, len);
        for (size_t at = 0; at < len - 64; at++) { /* the signature is last */
            first[at] ^= 0x80;
            if (decode(in.kind, first, len) == 0)
                assert_memory_not_equal(digest_of(&out), digest, 32);
            first[at] ^= 0x80;
        }
    }
}

/* ---- what a decoder refuses ---- */

static int decode_in(void)
{
    static uint8_t copy[sizeof bytes];
    size_t len = encode(&in);
    memcpy(copy, bytes, len);
    return decode(in.kind, copy, len);
}

static void test_other_epochs_nodes_and_lanes(void **state)
{
    (void)state;
    fill(&in, SLU_MSG_VOTE);
    in.vote.epoch = 1;
    assert_int_equal(decode_in(), SLU_ERR_MISMATCH);
    fill(&in, SLU_MSG_VOTE);
    in.vote.node = 4;
    assert_int_equal(decode_in(), SLU_ERR_MISMATCH);
    fill(&in, SLU_MSG_ACKS);
    in.acks.node = 4;
    assert_int_equal(decode_in(), SLU_ERR_MISMATCH);
    fill(&in, SLU_MSG_REPORT);
    in.report.epoch = 7;
    assert_int_equal(decode_in(), SLU_ERR_MISMATCH);
    fill(&in, SLU_MSG_PROPOSAL);
    in.proposal.node = 2; /* not the leader of view 7 */
    assert_int_equal(decode_in(), SLU_ERR_MISMATCH);
    fill(&in, SLU_MSG_FETCH);
    in.fetch.lane = 4;
    assert_int_equal(decode_in(), SLU_ERR_MISMATCH);
    fill(&in, SLU_MSG_REJOIN);
    in.rejoin.node = 4;
    assert_int_equal(decode_in(), SLU_ERR_MISMATCH);
    fill(&in, SLU_MSG_FREEZE);
    in.freeze.lane = 4;
    assert_int_equal(decode_in(), SLU_ERR_MISMATCH);
    fill(&in, SLU_MSG_SHARES);
    in.shares.node = 4;
    assert_int_equal(decode_in(), SLU_ERR_MISMATCH);
    fill(&in, SLU_MSG_SHARES);
    in.shares.generation = 1;
    assert_int_equal(decode_in(), SLU_ERR_MISMATCH);
}

static void test_votes_and_certificates(void **state)
{
    (void)state;
    fill(&in, SLU_MSG_VOTE);
    in.vote.kind = SLU_VOTE_KINDS;
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_VOTE);
    in.vote.view = 0;
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_VOTE);
    in.vote.kind = SLU_NULLIFY; /* of a block */
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_VOTE);
    memset(in.vote.block, 0, 32); /* Notarize of nothing */
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_CERT);
    in.cert.count = 2; /* below q */
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_CERT);
    in.cert.count = 4; /* above q: one form only */
    in.cert.votes[3].node = 3;
    assert_true(decode_in() < 0);
    fill(&in, SLU_MSG_CERT);
    in.cert.votes[1].node = 1; /* twice the same voter */
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_CERT);
    in.cert.votes[2].node = 4;
    assert_true(decode_in() < 0);
}

static void test_lists(void **state)
{
    (void)state;
    fill(&in, SLU_MSG_ACKS);
    in.acks.acks[1].lane = 0; /* not rising */
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_ACKS);
    in.acks.acks[0].tip.position = 0;
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_ACKS);
    in.acks.count = 5; /* more lanes than there are */
    in.acks.acks[4] = (struct slu_lane_tip){4, tip_of(1, 0x72)};
    assert_int_equal(decode_in(), SLU_ERR_LIMIT);
    fill(&in, SLU_MSG_PROPOSAL);
    in.proposal.count = 2;
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_PROPOSAL);
    in.proposal.reports[1].node = 0;
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_PROPOSAL);
    in.proposal.parent_view = 7;
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_HEADERS);
    in.headers.items[1].parent[0] ^= 1; /* not linked */
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_HEADERS);
    in.headers.items[2].position++;
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_BLOCKS);
    in.blocks.items[1].parent[0] ^= 1;
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_BLOCKS);
    in.blocks.cert.block[0] ^= 1; /* of another block */
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
    fill(&in, SLU_MSG_FETCH);
    in.fetch.from = 10; /* above to */
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
}

static void test_batch_bounds(void **state)
{
    (void)state;
    fill(&in, SLU_MSG_BATCH);
    in.batch.header.payload_bytes = genesis.params.batch_bytes_max + 1;
    assert_int_equal(decode_in(), SLU_ERR_LIMIT);
    fill(&in, SLU_MSG_BATCH);
    in.batch.header.txs = slu_genesis_lane_quota_txs(&genesis) + 1;
    assert_int_equal(decode_in(), SLU_ERR_LIMIT);
    fill(&in, SLU_MSG_BATCH);
    in.batch.header.txs = 0;
    assert_int_equal(decode_in(), SLU_ERR_LIMIT);
    fill(&in, SLU_MSG_BATCH);
    in.batch.header.position = 0;
    assert_int_equal(decode_in(), SLU_ERR_MALFORMED);
}

/* ---- signatures ---- */

struct liar {
    unsigned calls, fail_at;
};

static bool verify(void *context, uint16_t node, const uint8_t digest32[32],
                   const uint8_t signature64[64])
{
    struct liar *liar = context;
    (void)node;
    (void)digest32;
    (void)signature64;
    return liar->calls++ != liar->fail_at;
}

static void test_every_signature_counts(void **state)
{
    (void)state;
    static const unsigned signatures[SLU_MSG_KINDS] = {
        [SLU_MSG_BATCH] = 1,  [SLU_MSG_ACKS] = 1,  [SLU_MSG_REPORT] = 1,  [SLU_MSG_PROPOSAL] = 2,
        [SLU_MSG_VOTE] = 1,   [SLU_MSG_CERT] = 3,  [SLU_MSG_HEADERS] = 3, [SLU_MSG_BLOCKS] = 3,
        [SLU_MSG_FREEZE] = 1, [SLU_MSG_RELAY] = 1, [SLU_MSG_HOLDS] = 2,   [SLU_MSG_SHARES] = 1,
        [SLU_MSG_RELEASE] = 1, [SLU_MSG_RELEASE_CERT] = 3};
    for (int kind = SLU_MSG_BATCH; kind < SLU_MSG_KINDS; kind++) {
        fill(&in, (enum slu_message_kind)kind);
        for (unsigned i = 0; i <= signatures[kind]; i++) {
            struct liar liar = {.fail_at = i};
            struct slu_verifier verifier = {.context = &liar, .verify = verify};
            int want = i < signatures[kind] ? SLU_ERR_SIGNATURE : 0;
            assert_int_equal(slu_message_verify(&in, &genesis, &verifier), want);
        }
    }
}

int main(void)
{
    make_genesis();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_prefix_and_suffix_is_refused),
        cmocka_unit_test(test_payload_belongs_to_batches_only),
        cmocka_unit_test(test_digests_cover_every_byte),
        cmocka_unit_test(test_other_epochs_nodes_and_lanes),
        cmocka_unit_test(test_votes_and_certificates),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_batch_bounds),
        cmocka_unit_test(test_every_signature_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
