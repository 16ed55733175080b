/* Messages of the key generation as bytes (wire/keygen.h): what is written is read back, every byte
 * is signed, and everything else is refused. */
#include "sluice/error.h"
#include "tests/unit/committee.h"
#include "wire/keygen.h"
#include "wire/message.h"

static uint8_t sid[32] = {9, 8, 7};

/* Node 2 says it, until 5000. */
static size_t message(uint8_t *out, enum slu_keygen_phase phase, size_t content_len)
{
    static uint8_t content[SLU_DKG_DEALING_BYTES_MAX];
    struct slu_signer signer = slu_keyguard_signer(guards[2]);
    struct slu_writer w = slu_writer_of(out, SLU_KEYGEN_BYTES_MAX);
    memset(content, 0x5a, sizeof content);
    assert_int_equal(
        slu_keygen_write(&w, &genesis, phase, 2, sid, 5000, 3, content, content_len, &signer), 0);
    return slu_writer_len(&w);
}

/* Its relay by node 1, read and verified as a peer's frame is. */
static int relayed(struct slu_message *m, const uint8_t *envelope, size_t len)
{
    struct slu_relay relay = {.kind = SLU_INBOX_KEYGEN, .taker = 1};
    uint8_t body[SLU_RELAY_BYTES];
    int rc = slu_relay_derive(&relay, &genesis, envelope, len);
    if (rc)
        return rc;
    slu_relay_digest(&relay, &genesis);
    struct slu_signer signer = slu_keyguard_signer(guards[1]);
    assert_int_equal(signer.sign(signer.context, relay.signature, SLU_ROLE_RELAY, 0, relay.digest),
                     0);
    struct slu_writer w = slu_writer_of(body, sizeof body);
    slu_relay_write(&w, &relay);
    rc = slu_message_read(m, &genesis, SLU_MSG_RELAY, body, slu_writer_len(&w), envelope, len);
    return rc ? rc : slu_message_verify(m, &genesis, &verifier);
}

static const size_t lengths[SLU_KEYGEN_PHASES] = {500, SLU_DKG_COMPLAINT_BYTES, 32};

static void test_round_trip(void **state)
{
    (void)state;
    static struct slu_message m;
    uint8_t bytes[SLU_KEYGEN_BYTES_MAX];
    for (int p = 0; p < SLU_KEYGEN_PHASES; p++) {
        enum slu_keygen_phase phase = (enum slu_keygen_phase)p;
        struct slu_keygen_entry entry;
        size_t len = message(bytes, phase, lengths[phase]);
        assert_int_equal(slu_keygen_read(&entry, &genesis, bytes, len), 0);
        assert_int_equal(entry.phase, phase);
        assert_int_equal(entry.node, 2);
        assert_int_equal(entry.dealer, phase == SLU_KEYGEN_COMPLAINT ? 3 : 0);
        assert_memory_equal(entry.sid32, sid, 32);
        assert_int_equal(entry.content_len, lengths[phase]);
        assert_int_equal(entry.valid_until_ms, 5000);
        assert_int_equal(relayed(&m, bytes, len), 0);
        assert_int_equal(m.relay.tuple.kind, SLU_INBOX_KEYGEN);
        assert_int_equal(m.relay.tuple.offence, phase);
        assert_int_equal(m.relay.tuple.offender, 2);
        assert_memory_equal(m.relay.tuple.id, entry.id, 32);
    }
}

/* Also its valid_until: nobody gives it another id. */
static void test_every_bit_is_signed(void **state)
{
    (void)state;
    static struct slu_message m;
    uint8_t bytes[SLU_KEYGEN_BYTES_MAX];
    size_t len = message(bytes, SLU_KEYGEN_READY, 32);
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(relayed(&m, bytes, len) < 0);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(relayed(&m, bytes, len), 0);
}

static void test_refusals(void **state)
{
    (void)state;
    uint8_t bytes[SLU_KEYGEN_BYTES_MAX + 1];
    struct slu_keygen_entry entry;
    size_t len = message(bytes, SLU_KEYGEN_COMPLAINT, SLU_DKG_COMPLAINT_BYTES);
    for (size_t cut = 0; cut < len; cut++)
        assert_true(slu_keygen_read(&entry, &genesis, bytes, cut) < 0);
    assert_true(slu_keygen_read(&entry, &genesis, bytes, len + 1) < 0);
    static const struct {
        size_t at;
        uint8_t value;
        int error;
    } wrong[] = {{0, 1, SLU_ERR_MALFORMED},                      /* a rollup */
                 {16, SLU_TX_PLAIN, SLU_ERR_MALFORMED},          /* another kind */
                 {SLU_TX_HEAD_BYTES, 2, SLU_ERR_MALFORMED},      /* version */
                 {SLU_TX_HEAD_BYTES + 1, 3, SLU_ERR_MALFORMED},  /* phase */
                 {SLU_TX_HEAD_BYTES + 1, 2, SLU_ERR_MALFORMED},  /* a READY of this length */
                 {SLU_TX_HEAD_BYTES + 2, 4, SLU_ERR_MISMATCH},   /* node */
                 {SLU_TX_HEAD_BYTES + 36, 4, SLU_ERR_MISMATCH}}; /* dealer */
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t was = bytes[wrong[i].at];
        bytes[wrong[i].at] = wrong[i].value;
        assert_int_equal(slu_keygen_read(&entry, &genesis, bytes, len), wrong[i].error);
        bytes[wrong[i].at] = was;
    }
    assert_int_equal(slu_keygen_read(&entry, &genesis, bytes, len), 0);
    memset(bytes + 8, 0xff, 8); /* for ever: that is evidence's */
    assert_int_equal(slu_keygen_read(&entry, &genesis, bytes, len), SLU_ERR_MALFORMED);
    assert_int_equal(slu_keygen_read(&entry, &genesis, bytes, SLU_KEYGEN_BYTES_MAX + 1),
                     SLU_ERR_LIMIT);
}

/* A lane drops it, whoever puts it there; a tuple of it has bounds. */
static void test_only_the_inbox_has_it(void **state)
{
    (void)state;
    uint8_t bytes[SLU_KEYGEN_BYTES_MAX], form[SLU_INBOX_TUPLE_BYTES];
    size_t len = message(bytes, SLU_KEYGEN_READY, 32);
    struct slu_reader r = slu_reader_of(bytes, len);
    struct slu_tx tx;
    assert_true(slu_tx_read(&r, &tx));
    assert_int_equal(slu_tx_check(&genesis, &tx, 1000), SLU_DROP_KIND);
    struct slu_inbox_tuple good = {.kind = SLU_INBOX_KEYGEN,
                                   .offence = SLU_KEYGEN_READY,
                                   .offender = 3,
                                   .bytes = 200,
                                   .valid_until_ms = 5000},
                           back;
    for (int i = 0; i < 5; i++) {
        struct slu_inbox_tuple t = good;
        if (i == 1)
            t.offence = SLU_KEYGEN_PHASES;
        if (i == 2)
            t.offender = 4;
        if (i == 3)
            t.bytes = SLU_KEYGEN_BYTES_MAX + 1;
        if (i == 4)
            t.valid_until_ms = SLU_VALID_FOR_EVER;
        struct slu_writer w = slu_writer_of(form, sizeof form);
        slu_inbox_tuple_write(&w, &t);
        r = slu_reader_of(form, sizeof form);
        assert_int_equal(slu_inbox_tuple_read(&r, &genesis, &back) == 0, i == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_bit_is_signed),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_only_the_inbox_has_it),
    };
    return cmocka_run_group_tests(tests, make_committee, free_committee);
}
