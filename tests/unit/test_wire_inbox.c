/* The inbox's wire objects: tuples and lists, the price and its work, the queue's arithmetic,
 * evidence that proves itself (docs/PROTOCOL.md clauses 6, 8.1). */
#include "sluice/error.h"
#include "tests/unit/committee.h"
#include "wire/message.h"
#include "wire/tx.h"

static void sign(uint16_t node, uint8_t signature64[64], const uint8_t digest32[32])
{
    assert_int_equal(slu_keyguard_sign(guards[node], signature64, SLU_ROLE_BATCH, 0, digest32), 0);
}

/* ---- tuples ---- */

static struct slu_inbox_tuple forced_tuple(uint8_t fill)
{
    struct slu_inbox_tuple t = {.kind = SLU_INBOX_FORCED, .bytes = 100, .valid_until_ms = 5000};
    memset(t.id, fill, 32);
    return t;
}

static int read_back(const struct slu_inbox_tuple *t, struct slu_inbox_tuple *out)
{
    uint8_t bytes[SLU_INBOX_TUPLE_BYTES];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_inbox_tuple_write(&w, t);
    assert_false(w.failed);
    struct slu_reader r = slu_reader_of(bytes, sizeof bytes);
    return slu_inbox_tuple_read(&r, &genesis, out);
}

static void test_tuples(void **state)
{
    (void)state;
    struct slu_inbox_tuple t = forced_tuple(1), out;
    assert_int_equal(read_back(&t, &out), 0);
    assert_true(slu_inbox_tuple_same(&t, &out));
    t.offender = 1; /* of a forced item */
    assert_int_equal(read_back(&t, &out), SLU_ERR_MALFORMED);
    t = forced_tuple(1);
    t.bytes = SLU_TX_HEAD_BYTES; /* an empty body */
    assert_int_equal(read_back(&t, &out), SLU_ERR_MALFORMED);
    t.bytes = genesis.params.tx_bytes_max + 1;
    assert_int_equal(read_back(&t, &out), SLU_ERR_MALFORMED);
    t = forced_tuple(1);
    t.valid_until_ms = SLU_VALID_FOR_EVER;
    assert_int_equal(read_back(&t, &out), SLU_ERR_MALFORMED);
    t = forced_tuple(1);
    t.kind = 4;
    assert_int_equal(read_back(&t, &out), SLU_ERR_MALFORMED);
    t.kind = SLU_INBOX_EVIDENCE; /* that ends */
    assert_int_equal(read_back(&t, &out), SLU_ERR_MALFORMED);
    t.valid_until_ms = SLU_VALID_FOR_EVER;
    assert_int_equal(read_back(&t, &out), 0);
    t.offence = SLU_OFFENCES;
    assert_int_equal(read_back(&t, &out), SLU_ERR_MALFORMED);
    t.offence = SLU_TWO_BATCHES;
    t.offender = 4;
    assert_int_equal(read_back(&t, &out), SLU_ERR_MISMATCH);
    t.offender = 3;
    t.bytes = SLU_EVIDENCE_BYTES_MAX + 1;
    assert_int_equal(read_back(&t, &out), SLU_ERR_MALFORMED);
}

static int read_list(const struct slu_inbox_tuple *tuples, uint16_t count, uint32_t max)
{
    uint8_t bytes[2 + 8 * SLU_INBOX_TUPLE_BYTES];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u16(&w, count);
    for (uint16_t i = 0; i < count; i++)
        slu_inbox_tuple_write(&w, &tuples[i]);
    assert_false(w.failed);
    struct slu_reader r = slu_reader_of(bytes, slu_writer_len(&w));
    const uint8_t *list;
    uint16_t read;
    return slu_inbox_list_read(&r, &genesis, max, &list, &read);
}

static void test_lists_rise_by_their_first_sixteen_bytes(void **state)
{
    (void)state;
    struct slu_inbox_tuple tuples[3] = {forced_tuple(1), forced_tuple(2), forced_tuple(3)};
    assert_int_equal(read_list(tuples, 3, 3), 0);
    assert_int_equal(read_list(tuples, 0, 3), 0);
    assert_int_equal(read_list(tuples, 3, 2), SLU_ERR_LIMIT);
    memcpy(tuples[2].id, tuples[1].id, 16); /* the same prefix, another id */
    assert_int_equal(read_list(tuples, 3, 3), SLU_ERR_MALFORMED);
    tuples[2] = forced_tuple(0);
    assert_int_equal(read_list(tuples, 3, 3), SLU_ERR_MALFORMED);
}

static void test_a_block_of_full_reports_fits_a_frame(void **state)
{
    (void)state;
    for (uint16_t n = 1; n <= SLU_NODES_MAX; n++) {
        struct slu_genesis g = {.n = n};
        assert_true(slu_inbox_per_report(&g) >= 64);
        assert_true(slu_inbox_per_report(&g) <= SLU_INBOX_PER_REPORT_MAX);
        assert_true(slu_inbox_per_block(&g) * SLU_INBOX_TUPLE_BYTES <= SLU_QUEUED_BYTES_MAX);
        assert_true(slu_inbox_per_block(&g) <= UINT16_MAX);
    }
    assert_true(SLU_LONG_BLOCK_BYTES_MAX + SLU_CERT_BYTES_MAX + 1024 < SLU_FRAME_BYTES_MAX);
    assert_true(SLU_MESSAGE_BYTES_MAX + 1024 < SLU_FRAME_BYTES_MAX);
}

/* ---- price and work ---- */

static void test_the_price_rises_with_size_and_queue(void **state)
{
    (void)state;
    uint64_t base = genesis.params.postage_base, block = genesis.params.forced_bytes_per_block;
    assert_int_equal(slu_postage_price(&genesis, 0, 1), base);
    assert_int_equal(slu_postage_price(&genesis, 0, 1024), base);
    assert_int_equal(slu_postage_price(&genesis, 0, 1025), 2 * base);
    assert_int_equal(slu_postage_price(&genesis, block, 100), 2 * base);
    assert_int_equal(slu_postage_price(&genesis, 10 * block, 100), 11 * base);
    assert_true(slu_postage_price(&genesis, 1000, 100) > base); /* not in steps of a block */
    assert_int_equal(slu_postage_price(&genesis, UINT64_MAX, 100), UINT64_MAX);
    assert_int_equal(slu_postage_price(&genesis, UINT64_MAX / 1000, 128 * 1024), UINT64_MAX);
    struct slu_genesis cheap = genesis;
    cheap.params.postage_base = 1;
    assert_int_equal(slu_postage_price(&cheap, 0, 1), 1);
}

static void test_postage_is_bound_to_id_block_and_chain(void **state)
{
    (void)state;
    uint8_t id[32] = {1}, other[32] = {2};
    struct slu_postage p = {.height = 7, .block = {3}};
    assert_true(slu_postage_mine(&genesis, id, &p, 1000, 100000));
    assert_true(slu_postage_pays(&genesis, id, &p, 1000));
    assert_true(slu_postage_pays(&genesis, id, &p, 1));
    assert_false(slu_postage_pays(&genesis, id, &p, 0));
    assert_false(slu_postage_pays(&genesis, id, &p, UINT64_MAX));
    assert_false(slu_postage_pays(&genesis, other, &p, 1000));
    struct slu_postage elsewhere = p;
    elsewhere.block[0] = 4;
    assert_false(slu_postage_pays(&genesis, id, &elsewhere, 1000));
    struct slu_genesis chain = genesis;
    chain.chain_id[0] ^= 1;
    assert_false(slu_postage_pays(&chain, id, &p, 1000));
}

static void test_mining_goes_on_where_it_stopped(void **state)
{
    (void)state;
    uint8_t id[32] = {9};
    struct slu_postage whole = {.nonce = 0}, sliced = {.nonce = 0};
    assert_true(slu_postage_mine(&genesis, id, &whole, 5000, 1000000));
    while (!slu_postage_mine(&genesis, id, &sliced, 5000, 7))
        assert_true(sliced.nonce <= whole.nonce);
    assert_int_equal(whole.nonce, sliced.nonce);
}

/* ---- the queue ---- */

static void test_booking(void **state)
{
    (void)state;
    struct slu_genesis g = genesis;
    struct slu_queue_tail tail = {.height = 0};
    g.params.forced_delay = 2;
    g.params.forced_bytes_per_block = 1000;
    assert_int_equal(slu_queue_book(&g, &tail, 10, 352), 12); /* 400 with its tuple */
    assert_int_equal(slu_queue_book(&g, &tail, 10, 352), 12);
    assert_int_equal(slu_queue_book(&g, &tail, 10, 352), 13); /* 1,200 do not fit */
    assert_int_equal(slu_queue_book(&g, &tail, 11, 100), 13); /* behind what is booked */
    assert_int_equal(slu_queue_book(&g, &tail, 11, 952), 14); /* exactly full */
    assert_int_equal(slu_queue_book(&g, &tail, 11, 22), 15);
    assert_int_equal(slu_queue_book(&g, &tail, 20, 22), 22); /* an empty queue again */
    assert_int_equal(tail.bytes, 70);
}

static void test_booked_bytes(void **state)
{
    (void)state;
    struct slu_genesis g = genesis;
    struct slu_queue_tail tail = {.height = 0};
    g.params.forced_delay = 2;
    g.params.forced_bytes_per_block = 1000;
    assert_int_equal(slu_queue_booked(&g, &tail, 10), 0);
    slu_queue_book(&g, &tail, 10, 352);
    assert_int_equal(slu_queue_booked(&g, &tail, 10), 400);
    assert_int_equal(slu_queue_booked(&g, &tail, 11), 400);
    assert_int_equal(slu_queue_booked(&g, &tail, 12), 0); /* delivered there */
    for (int i = 0; i < 9; i++)
        slu_queue_book(&g, &tail, 10, 352);
    assert_int_equal(slu_queue_booked(&g, &tail, 10), 4800); /* ten items, two a height */
    tail.height = UINT64_MAX - 5;
    assert_int_equal(slu_queue_booked(&g, &tail, 1), UINT64_MAX);
}

/* ---- relays ---- */

static void test_a_relay_is_one_envelope(void **state)
{
    (void)state;
    uint8_t bytes[128];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_tx_write(&w, 5, 9000, SLU_TX_PLAIN, (const uint8_t *)"hello", 5);
    size_t len = slu_writer_len(&w);
    struct slu_relay relay = {.kind = SLU_INBOX_FORCED};
    assert_int_equal(slu_relay_derive(&relay, &genesis, bytes, len), 0);
    assert_int_equal(relay.tuple.bytes, len);
    assert_int_equal(relay.tuple.valid_until_ms, 9000);
    assert_int_equal(slu_relay_derive(&relay, &genesis, bytes, len - 1), SLU_ERR_MALFORMED);
    assert_int_equal(slu_relay_derive(&relay, &genesis, bytes, len + 1), SLU_ERR_MALFORMED);
    relay.kind = SLU_INBOX_EVIDENCE;
    assert_true(slu_relay_derive(&relay, &genesis, bytes, len) < 0);
    relay.kind = 0;
    assert_int_equal(slu_relay_derive(&relay, &genesis, bytes, len), SLU_ERR_MALFORMED);
}

/* ---- evidence ---- */

static struct slu_batch_header header_of(uint64_t position, uint32_t incarnation, uint8_t fill)
{
    struct slu_batch_header h = {
        .lane = 2, .incarnation = incarnation, .position = position, .payload_bytes = 10, .txs = 1};
    memset(h.payload_digest, fill, 32);
    slu_batch_header_digest(&h, &genesis);
    sign(2, h.signature, h.digest);
    return h;
}

static int check(const struct slu_writer *w, struct slu_evidence *out)
{
    assert_false(w->failed);
    return slu_evidence_check(out, &genesis, w->start, slu_writer_len(w), &verifier);
}

static void test_two_batches(void **state)
{
    (void)state;
    uint8_t bytes[SLU_EVIDENCE_BYTES_MAX], again[SLU_EVIDENCE_BYTES_MAX];
    struct slu_evidence out, same;
    struct slu_batch_header a = header_of(7, 1, 0xaa), b = header_of(7, 1, 0xbb);
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_evidence_two_batches(&w, &a, &b);
    assert_int_equal(check(&w, &out), 0);
    assert_int_equal(out.offender, 2);
    assert_int_equal(out.at, 7);
    struct slu_writer v = slu_writer_of(again, sizeof again);
    slu_evidence_two_batches(&v, &b, &a); /* one item, whoever saw which first */
    assert_int_equal(check(&v, &same), 0);
    assert_memory_equal(out.id, same.id, 32);
    struct slu_batch_header wrong[] = {header_of(8, 1, 0xbb), header_of(7, 2, 0xbb), a};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        w = slu_writer_of(bytes, sizeof bytes);
        slu_evidence_two_batches(&w, &a, &wrong[i]); /* no offence: another place, or the same */
        assert_int_equal(check(&w, &out), SLU_ERR_MALFORMED);
    }
    b.lane = 1; /* of another owner */
    slu_batch_header_digest(&b, &genesis);
    w = slu_writer_of(bytes, sizeof bytes);
    slu_evidence_two_batches(&w, &a, &b);
    assert_int_equal(check(&w, &out), SLU_ERR_MALFORMED);
}

static void vote_signature(uint8_t signature64[64], uint16_t node, enum slu_vote_kind kind,
                           uint64_t view, const uint8_t block32[32])
{
    uint8_t digest[32];
    slu_vote_digest(digest, &genesis, kind, view, block32);
    sign(node, signature64, digest);
}

static void test_votes(void **state)
{
    (void)state;
    static const uint8_t none[32], one[32] = {1}, two[32] = {2};
    uint8_t bytes[SLU_EVIDENCE_BYTES_MAX], first[64], second[64], nullify[64], finalize[64];
    struct slu_evidence out;
    vote_signature(first, 3, SLU_NOTARIZE, 9, one);
    vote_signature(second, 3, SLU_NOTARIZE, 9, two);
    vote_signature(nullify, 3, SLU_NULLIFY, 9, none);
    vote_signature(finalize, 3, SLU_FINALIZE, 9, one);
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_evidence_two_notarize(&w, 3, 9, two, second, one, first);
    assert_int_equal(check(&w, &out), 0);
    assert_int_equal(out.offence, SLU_TWO_NOTARIZE);
    assert_int_equal(out.offender, 3);
    w = slu_writer_of(bytes, sizeof bytes);
    slu_evidence_two_notarize(&w, 3, 9, one, first, one, first); /* the same vote twice */
    assert_int_equal(check(&w, &out), SLU_ERR_MALFORMED);
    w = slu_writer_of(bytes, sizeof bytes);
    slu_evidence_two_notarize(&w, 3, 10, one, first, two, second); /* of another view */
    assert_int_equal(check(&w, &out), SLU_ERR_SIGNATURE);
    w = slu_writer_of(bytes, sizeof bytes);
    slu_evidence_two_notarize(&w, 1, 9, one, first, two, second); /* of another node */
    assert_int_equal(check(&w, &out), SLU_ERR_SIGNATURE);
    w = slu_writer_of(bytes, sizeof bytes);
    slu_evidence_nullify_finalize(&w, 3, 9, nullify, one, finalize);
    assert_int_equal(check(&w, &out), 0);
    assert_int_equal(out.offence, SLU_NULLIFY_FINALIZE);
    w = slu_writer_of(bytes, sizeof bytes);
    slu_evidence_nullify_finalize(&w, 3, 9, nullify, one, first); /* a Notarize is no Finalize */
    assert_int_equal(check(&w, &out), SLU_ERR_SIGNATURE);
}

static void test_evidence_has_one_form(void **state)
{
    (void)state;
    static const uint8_t one[32] = {1}, two[32] = {2};
    uint8_t bytes[SLU_EVIDENCE_BYTES_MAX + 1], first[64], second[64];
    struct slu_evidence out;
    vote_signature(first, 3, SLU_NOTARIZE, 9, one);
    vote_signature(second, 3, SLU_NOTARIZE, 9, two);
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes - 1);
    slu_evidence_two_notarize(&w, 3, 9, one, first, two, second);
    size_t len = slu_writer_len(&w);
    for (size_t cut = 0; cut < len; cut++)
        assert_true(slu_evidence_read(&out, &genesis, bytes, cut) < 0);
    bytes[len] = 0;
    assert_int_equal(slu_evidence_read(&out, &genesis, bytes, len + 1), SLU_ERR_MALFORMED);
    for (size_t at = 0; at < len; at++) { /* every byte counts */
        bytes[at] ^= 0x01;
        assert_true(slu_evidence_check(&out, &genesis, bytes, len, &verifier) < 0);
        bytes[at] ^= 0x01;
    }
    uint8_t swapped[SLU_EVIDENCE_BYTES_MAX];
    memcpy(swapped, bytes, len);
    memcpy(swapped + 11, bytes + 11 + 96, 96);
    memcpy(swapped + 11 + 96, bytes + 11, 96);
    assert_int_equal(slu_evidence_read(&out, &genesis, swapped, len), SLU_ERR_MALFORMED);
}

static void test_genesis_rules(void **state)
{
    (void)state;
    struct slu_genesis g = genesis;
    char why[200];
    uint8_t before[32];
    memcpy(before, g.chain_id, 32);
    g.nodes[1].stake = 5; /* hashed */
    assert_int_equal(slu_genesis_seal(&g, why, sizeof why), 0);
    assert_memory_not_equal(before, g.chain_id, 32);
    g.params.forced_bytes_per_block = g.params.tx_bytes_max; /* one with its tuple must fit */
    assert_int_equal(slu_genesis_seal(&g, why, sizeof why), SLU_ERR_CONFIG);
    assert_non_null(strstr(why, "forced_bytes_per_block"));
    g = genesis;
    g.params.postage_age_ms = g.params.dedup_window_ms + 1;
    assert_int_equal(slu_genesis_seal(&g, why, sizeof why), SLU_ERR_CONFIG);
    assert_non_null(strstr(why, "postage_age_ms"));
}

static void test_genesis_seal_rules(void **state)
{
    (void)state;
    struct slu_genesis g = genesis; /* n = 4: f+1 = 2, q = 3 */
    char why[200];
    assert_int_equal(slu_genesis_seal_threshold(&g), 3);
    assert_int_equal(slu_genesis_seal_threshold_min(&g), 2);
    for (uint32_t k = 0; k <= 5; k++) {
        for (uint32_t k_min = 0; k_min <= 5; k_min++) {
            g.params.seal_threshold = k;
            g.params.seal_threshold_min = k_min;
            bool k_ok = k == 0 || k == 2 || k == 3;
            bool ok = k_ok && (k_min == 0 || k_min == 2 || (k_min == 3 && k != 2));
            assert_int_equal(slu_genesis_seal(&g, why, sizeof why), ok ? 0 : SLU_ERR_CONFIG);
            if (ok) {
                assert_int_equal(slu_genesis_seal_threshold(&g), k ? k : 3);
                assert_int_equal(slu_genesis_seal_threshold_min(&g), k_min ? k_min : 2);
                assert_int_equal(memcmp(g.chain_id, genesis.chain_id, 32) == 0, !k && !k_min);
            } else {
                assert_non_null(strstr(why, k_ok ? "seal_threshold_min" : "seal_threshold:"));
            }
        }
    }
    g = genesis;
    g.nodes[2].public32[5] ^= 1; /* another signing key: its owner has proved nothing */
    assert_int_equal(slu_genesis_seal(&g, why, sizeof why), SLU_ERR_CONFIG);
    assert_non_null(strstr(why, "nodes[2].seal_proof"));
    for (uint16_t n = 1; n <= SLU_NODES_MAX; n++) {
        g.n = n;
        assert_true(slu_genesis_seal_threshold_min(&g) <= slu_genesis_seal_threshold(&g));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tuples),
        cmocka_unit_test(test_lists_rise_by_their_first_sixteen_bytes),
        cmocka_unit_test(test_a_block_of_full_reports_fits_a_frame),
        cmocka_unit_test(test_the_price_rises_with_size_and_queue),
        cmocka_unit_test(test_postage_is_bound_to_id_block_and_chain),
        cmocka_unit_test(test_mining_goes_on_where_it_stopped),
        cmocka_unit_test(test_booking),
        cmocka_unit_test(test_booked_bytes),
        cmocka_unit_test(test_a_relay_is_one_envelope),
        cmocka_unit_test(test_two_batches),
        cmocka_unit_test(test_votes),
        cmocka_unit_test(test_evidence_has_one_form),
        cmocka_unit_test(test_genesis_rules),
        cmocka_unit_test(test_genesis_seal_rules),
    };
    return cmocka_run_group_tests(tests, make_committee, free_committee);
}
