/* client/receipts, proof_file, outline and offence: what nodes sign for clients, read with and
 * without the genesis. */
#include "client/heights.h"
#include "client/offence.h"
#include "client/outline.h"
#include "client/proof_file.h"
#include "client/receipts.h"
#include "sluice/error.h"
#include "tests/unit/committee.h"

static const uint8_t id32[32] = {7, 7, 7};

static void sign(uint16_t node, enum slu_role role, uint8_t signature64[64],
                 const uint8_t digest32[32])
{
    assert_int_equal(slu_keyguard_sign(guards[node], signature64, role, 0, digest32), 0);
}

/* ---- receipts ---- */

struct answer {
    Slu__Client__ForceReply reply;
    uint8_t bytes[SLU_RECEIPT_BYTES + 1];
};

/* A reply with `signer`'s receipt that says it is `node`'s. */
static const Slu__Client__ForceReply *answer_of(struct answer *answer, uint16_t node,
                                                uint16_t signer)
{
    struct slu_receipt receipt = {.node = node, .time_ms = 5000, .height = 9};
    struct slu_writer w = slu_writer_of(answer->bytes, sizeof answer->bytes);
    uint8_t digest[32];
    memcpy(receipt.id, id32, 32);
    slu_receipt_digest(digest, &genesis, &receipt);
    sign(signer, SLU_ROLE_RECEIPT, receipt.signature, digest);
    slu_receipt_write(&w, &receipt);
    slu__client__force_reply__init(&answer->reply);
    answer->reply.receipt = (ProtobufCBinaryData){slu_writer_len(&w), answer->bytes};
    return &answer->reply;
}

static void test_receipts_of_different_nodes(void **state)
{
    (void)state;
    struct slu_receipts receipts = {0};
    struct answer answer;
    for (uint16_t node = 0; node < 4; node++)
        for (int twice = 0; twice < 2; twice++)
            assert_int_equal(
                slu_receipts_add(&receipts, answer_of(&answer, node, node), id32, &genesis), 0);
    assert_int_equal(receipts.count, 4);
    for (uint16_t node = 0; node < 4; node++) {
        assert_int_equal(receipts.items[node].node, node);
        assert_true(slu_receipt_ok(&receipts.items[node], &genesis));
    }
}

static void test_receipts_that_are_none(void **state)
{
    (void)state;
    struct slu_receipts receipts = {0};
    struct answer answer;
    uint8_t other[32] = {8};
    answer_of(&answer, 1, 2);
    assert_int_equal(slu_receipts_add(&receipts, &answer.reply, id32, &genesis), SLU_ERR_SIGNATURE);
    answer_of(&answer, 1, 1);
    assert_int_equal(slu_receipts_add(&receipts, &answer.reply, other, &genesis), SLU_ERR_MISMATCH);
    answer_of(&answer, 4, 1);
    assert_int_equal(slu_receipts_add(&receipts, &answer.reply, id32, &genesis), SLU_ERR_MISMATCH);
    answer_of(&answer, SLU_NODES_MAX, 1);
    assert_int_equal(slu_receipts_add(&receipts, &answer.reply, id32, NULL), SLU_ERR_MISMATCH);
    answer_of(&answer, 1, 1);
    for (size_t len = 1; len <= SLU_RECEIPT_BYTES + 1; len++) {
        answer.reply.receipt.len = len;
        if (len != SLU_RECEIPT_BYTES)
            assert_int_equal(slu_receipts_add(&receipts, &answer.reply, id32, &genesis),
                             SLU_ERR_MALFORMED);
    }
    answer.reply.receipt.len = 0;
    assert_int_equal(slu_receipts_add(&receipts, &answer.reply, id32, &genesis), SLU_ERR_NOT_FOUND);
    assert_int_equal(receipts.count, 0);
}

static void test_every_byte_of_a_receipt_counts(void **state)
{
    (void)state;
    struct answer answer;
    for (size_t i = 0; i < SLU_RECEIPT_BYTES; i++) {
        struct slu_receipts receipts = {0};
        answer_of(&answer, 1, 1);
        answer.bytes[i] ^= 1;
        assert_true(slu_receipts_add(&receipts, &answer.reply, id32, &genesis) < 0);
        assert_int_equal(receipts.count, 0);
    }
}

/* Without the genesis nothing says which nodes there are or what their keys are. */
static void test_receipts_without_a_genesis(void **state)
{
    (void)state;
    struct slu_receipts receipts = {0};
    struct answer answer;
    assert_int_equal(
        slu_receipts_add(&receipts, answer_of(&answer, SLU_NODES_MAX - 1, 2), id32, NULL), 0);
    assert_int_equal(receipts.count, 1);
    assert_false(slu_receipt_ok(&receipts.items[0], &genesis));
}

static void test_a_printed_receipt_is_the_receipt(void **state)
{
    (void)state;
    struct slu_receipts receipts = {0};
    struct slu_text text = {0};
    struct answer answer;
    uint8_t bytes[1024];
    assert_int_equal(slu_receipts_add(&receipts, answer_of(&answer, 3, 3), id32, &genesis), 0);
    slu_receipt_json(&text, &receipts.items[0]);
    static const char start[] =
        "{\"node\":3,\"time_ms\":5000,\"height\":9,\"bytes\":\"0x0300070707";
    assert_true(text.len < sizeof bytes);
    assert_memory_equal(text.bytes, start, sizeof start - 1);
    assert_int_equal(slu_proof_bytes(bytes, text.bytes, text.len), SLU_RECEIPT_BYTES);
    assert_memory_equal(bytes, answer.bytes, SLU_RECEIPT_BYTES);
    slu_text_free(&text);
}

/* ---- files ---- */

static void test_proof_files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *bytes;
    } cases[] = {
        {"0x6162", "ab"},
        {"0x6162\r\n", "ab"},
        {"{\"id\":\"00\",\"bytes\":\"0x6162\"}\n", "ab"},
        {"{ \"bytes\" : \"0x61\", \"more\": [1, {}] }", "a"},
        {"ab", "ab"},
        {"0x", "0x"},
        {"0x616", "0x616"},
        {"0x6g", "0x6g"},
        {"6162", "6162"},
        {"{\"bytes\":\"6162\"}", "{\"bytes\":\"6162\"}"},
        {"{\"bytes\":7}", "{\"bytes\":7}"},
        {"{\"bytes\":\"0x6162\"", "{\"bytes\":\"0x6162\""},
        {"{}", "{}"},
        {"\n", "\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[64];
        size_t len = slu_proof_bytes(out, cases[i].text, strlen(cases[i].text));
        assert_int_equal(len, strlen(cases[i].bytes));
        assert_memory_equal(out, cases[i].bytes, len);
    }
}

/* ---- evidence ---- */

static struct slu_writer two_notarize(uint8_t bytes[SLU_EVIDENCE_BYTES_MAX])
{
    struct slu_writer w = slu_writer_of(bytes, SLU_EVIDENCE_BYTES_MAX);
    uint8_t one[32] = {1}, two[32] = {2}, digest[32], first[64], second[64];
    slu_vote_digest(digest, &genesis, SLU_NOTARIZE, 12, one);
    sign(2, SLU_ROLE_BATCH, first, digest);
    slu_vote_digest(digest, &genesis, SLU_NOTARIZE, 12, two);
    sign(2, SLU_ROLE_BATCH, second, digest);
    slu_evidence_two_notarize(&w, 2, 12, one, first, two, second);
    assert_false(w.failed);
    return w;
}

static struct slu_writer two_batches(uint8_t bytes[SLU_EVIDENCE_BYTES_MAX])
{
    struct slu_writer w = slu_writer_of(bytes, SLU_EVIDENCE_BYTES_MAX);
    struct slu_batch_header h[2];
    for (uint32_t i = 0; i < 2; i++) {
        h[i] = (struct slu_batch_header){
            .lane = 3, .position = 40, .payload_bytes = 100 + i, .txs = 1};
        slu_batch_header_digest(&h[i], &genesis);
        sign(3, SLU_ROLE_BATCH, h[i].signature, h[i].digest);
    }
    slu_evidence_two_batches(&w, &h[0], &h[1]);
    assert_false(w.failed);
    return w;
}

/* The outline of a chain reads its evidence as the genesis does, to the same id. */
static void test_evidence_without_a_genesis(void **state)
{
    (void)state;
    static struct slu_genesis outline, foreign;
    static const char *const words[] = {"\"offence\":\"two_notarize\",\"offender\":2,\"at\":12",
                                        "\"offence\":\"two_batches\",\"offender\":3,\"at\":40"};
    uint8_t other_chain[32] = {1};
    slu_outline(&outline, genesis.chain_id);
    slu_outline(&foreign, other_chain);
    for (int i = 0; i < 2; i++) {
        uint8_t bytes[SLU_EVIDENCE_BYTES_MAX];
        struct slu_writer w = i ? two_batches(bytes) : two_notarize(bytes);
        struct slu_evidence whole, outlined, elsewhere;
        struct slu_text text = {0};
        size_t len = slu_writer_len(&w);
        assert_int_equal(slu_evidence_read(&whole, &genesis, bytes, len), 0);
        assert_int_equal(slu_evidence_read(&outlined, &outline, bytes, len), 0);
        assert_memory_equal(outlined.id, whole.id, 32);
        assert_int_equal(slu_evidence_read(&outlined, &outline, bytes, len - 1), SLU_ERR_MALFORMED);
        if (slu_evidence_read(&elsewhere, &foreign, bytes, len) == 0)
            assert_memory_not_equal(elsewhere.id, whole.id, 32);
        slu_offence_json(&text, &whole);
        assert_int_equal(text.len, strlen(words[i]));
        assert_memory_equal(text.bytes, words[i], text.len);
        slu_text_free(&text);
    }
}

static void test_entry_kinds(void **state)
{
    (void)state;
    assert_string_equal(slu_entry_kind_name(0), "plain");
    assert_string_equal(slu_entry_kind_name(SLU_ENTRY_FORCED), "plain");
    assert_string_equal(slu_entry_kind_name(SLU_ENTRY_EVIDENCE), "evidence");
    assert_string_equal(slu_entry_kind_name(1), "bundle");
    assert_string_equal(slu_entry_kind_name(1 + SLU_ENTRY_FORCED), "bundle");
    assert_string_equal(slu_entry_kind_name(4), "unknown");
    assert_string_equal(slu_entry_kind_name(SLU_ENTRY_FORCED + SLU_ENTRY_EVIDENCE), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receipts_of_different_nodes),
        cmocka_unit_test(test_receipts_that_are_none),
        cmocka_unit_test(test_every_byte_of_a_receipt_counts),
        cmocka_unit_test(test_receipts_without_a_genesis),
        cmocka_unit_test(test_a_printed_receipt_is_the_receipt),
        cmocka_unit_test(test_proof_files),
        cmocka_unit_test(test_evidence_without_a_genesis),
        cmocka_unit_test(test_entry_kinds),
    };
    return cmocka_run_group_tests(tests, make_committee, free_committee);
}
