/* `sluice subscribe` where sealed transactions are: what it prints of commitments, openings and
 * void ones, and with --genesis nodes that show what was not sealed, though a quorum signed for it.
 */
#include "client/heights.h"
#include "client/history.h"
#include "tests/unit/sealed_teller.h"

#define HEIGHT 7u /* of the openings */
#define TIME   70000u

/* ---- the story: a, b and c are ordered at 5; b opens there, c is void at 6, a opens at 7 ---- */

static struct sealed_tx a, b, c;

static void honest_story(struct teller *t)
{
    *t = (struct teller){0};
    struct told *told = tell_height(&t->story, 5);
    tell_sealed(told, 1, &a, 0);
    b.opening.index = 2;
    tell_sealed(told, 2, &b, 128);
    tell_opening(told, 2, b.rollup, b.id, &b.opening);
    tell_plain(told, 3, 9, "plain");
    tell_sealed(told, 4, &c, 0);
    tell_void(tell_height(&t->story, 6), 0, &c, SLU_VOID_SEED, 5, 4);
    tell_opening(tell_height(&t->story, 7), 0, a.rollup, a.id, &a.opening);
}

static int set_up_story(void **state)
{
    if (set_up(state) != 0)
        return -1;
    certify(&first, &genesis, 1, 2);
    certify(&newest, &genesis, 2, 3);
    seal(&a, &first.key, 1, SLU_UNLOCK_HEIGHT, 6, 9, "a's payload");
    seal(&b, &newest.key, 2, SLU_UNLOCK_NONE, 0, 8, "b's payload");
    seal(&c, &newest.key, 3, SLU_UNLOCK_TIME, 50001, 8, "c's payload");
    return 0;
}

static void expect_hex(const char *before, const uint8_t *bytes, size_t len, const char *after)
{
    char hex[129], words[300];
    slu_hex_encode(hex, bytes, len);
    snprintf(words, sizeof words, "%s%s%s", before, hex, after);
    expect(words);
}

static void test_what_is_printed(void **state)
{
    (void)state;
    struct teller t;
    honest_story(&t);
    const char *url = open_signed(&t);
    assert_int_equal(subscribe(url, false), 0);
    assert_int_equal(t.keys_asked, 0);
    static char without[sizeof output];
    strcpy(without, output);
    assert_int_equal(subscribe(url, true), 0);
    assert_int_equal(t.keys_asked, 2); /* once each, the older one too */
    assert_string_equal(output, without);
    assert_string_equal(complaints, "");
    stub_close(&t.door);

    expect_hex("{\"index\":1,\"rollup\":0,\"id\":\"", a.id, 32,
               "\",\"kind\":\"sealed\",\"key_id\":\"");
    expect_hex("\"key_id\":\"", first.key.key_id, 32,
               "\",\"unlock\":{\"height\":6},\"bytes\":352,\"payload\":\"0x0101");
    expect_hex("{\"index\":2,\"rollup\":0,\"id\":\"", b.id, 32,
               "\",\"kind\":\"sealed\",\"forced\":true,");
    expect_hex("{\"index\":2,\"rollup\":8,\"id\":\"", b.id, 32,
               "\",\"kind\":\"opened\",\"ordered\":"
               "{\"height\":5,\"index\":2},\"key_id\":\"");
    expect("\"unlock\":null,\"valid_until_ms\":90000,\"e\":\"");
    expect_hex("\"rho\":\"", b.seed, 32, "\",\"payload\":\"0x622773207061796c6f6164\"}");
    expect_hex("\"e\":\"", b.opening.e16, 16, "\"");
    expect_hex("\"z\":\"", b.opening.z32, 32, "\"");
    expect("\"kind\":\"plain\",\"payload\":\"0x706c61696e\"}");
    expect("\"unlock\":{\"time_ms\":50001}");
    expect_hex("{\"index\":0,\"rollup\":0,\"id\":\"", c.id, 32,
               "\",\"kind\":\"void\",\"reason\":\"seed\","
               "\"ordered\":{\"height\":5,\"index\":4}}");
    expect_hex("{\"index\":0,\"rollup\":9,\"id\":\"", a.id, 32,
               "\",\"kind\":\"opened\",\"ordered\":"
               "{\"height\":5,\"index\":1},");
}

/* A forced one is ordered whatever it holds. */
static void test_a_body_that_is_none(void **state)
{
    (void)state;
    struct teller t = {0};
    tell_envelope(tell_height(&t.story, 5), 0, 0, SLU_TX_SEALED, SLU_TX_SEALED | 128, "junk", 4);
    (void)tell_height(&t.story, 6);
    (void)tell_height(&t.story, 7);
    assert_int_equal(subscribe(open_signed(&t), true), 0);
    expect("\"kind\":\"sealed\",\"forced\":true,\"key_id\":null,\"unlock\":null,\"bytes\":25,"
           "\"payload\":\"0x6a756e6b\"}");
    stub_close(&t.door);
}

/* ---- liars ---- */

/* At height 7 there stands an opening which is a lie: it is said, by name, and not printed; what
 * came before it is. Who does not check does not see it. */
static void refuses(uint64_t rollup, const uint8_t id32[32], const struct slu_opening *opening,
                    const char *words)
{
    struct teller t;
    char where[160], hex[65];
    honest_story(&t);
    t.story.count = 2;
    tell_opening(tell_height(&t.story, 7), 3, rollup, id32, opening);
    const char *url = open_signed(&t);
    assert_int_equal(subscribe(url, true), 3);
    slu_hex_encode(hex, id32, 32);
    snprintf(where, sizeof where, "height 7, entry 3, opening of %s: %s", hex, words);
    complains(where);
    assert_int_equal(lines_with("{\"height\":5,\"time_ms\""), 1);
    assert_int_equal(lines_with("{\"height\":6,\"time_ms\""), 1);
    assert_int_equal(lines_with("{\"height\":7,\"time_ms\""), 0);
    assert_int_equal(subscribe(url, false), 0);
    stub_close(&t.door);
}

static void test_changed_openings(void **state)
{
    (void)state;
    static const char not_sealed[] = "this is not what was sealed";
    static const char wrong[] = "b's payload";
    uint8_t flipped[4][32];
    const uint8_t *const fields[] = {a.opening.e16, a.opening.z32, a.opening.rho32};
    for (size_t byte = 0; byte < 32; byte += 5) {
        for (size_t i = 0; i < 3; i++) {
            struct slu_opening bad = a.opening;
            size_t len = i == 0 ? 16 : 32;
            memcpy(flipped[i], fields[i], len);
            flipped[i][byte % len] ^= 0x10;
            bad.e16 = i == 0 ? flipped[0] : bad.e16;
            bad.z32 = i == 1 ? flipped[1] : bad.z32;
            bad.rho32 = i == 2 ? flipped[2] : bad.rho32;
            refuses(a.rollup, a.id, &bad, not_sealed);
        }
    }
    for (int i = 0; i < 7; i++) {
        struct slu_opening bad = a.opening;
        bad.payload = i == 0 ? (const uint8_t *)wrong : bad.payload;
        bad.payload_len -= i == 1;
        bad.payload_len = i == 2 ? 0 : bad.payload_len;
        bad.unlock -= i == 3;
        bad.unlock_kind = i == 4 ? SLU_UNLOCK_TIME : bad.unlock_kind;
        bad.valid_until_ms += i == 5;
        bad.key_id32 = i == 6 ? newest.key.key_id : bad.key_id32;
        refuses(a.rollup, a.id, &bad, not_sealed);
    }
    refuses(8, a.id, &a.opening, not_sealed);
    refuses(UINT64_C(1) << 53, a.id, &a.opening, "it is for a rollup that the chain does not have");
}

static void test_other_ids(void **state)
{
    (void)state;
    uint8_t near_id[32];
    memcpy(near_id, a.id, 32);
    near_id[31] ^= 1;
    refuses(a.rollup, b.id, &a.opening, "this is not what was sealed");
    refuses(b.rollup, a.id, &b.opening, "this is not what was sealed");
    refuses(a.rollup, near_id, &a.opening, "this is not what was sealed");
}

/* The content is the right one, and the node should not know it yet. */
static void test_before_its_unlock(void **state)
{
    (void)state;
    struct sealed_tx early;
    seal(&early, &first.key, 9, SLU_UNLOCK_HEIGHT, HEIGHT + 1, 9, "early");
    refuses(9, early.id, &early.opening, "it is shown before its unlock");
    seal(&early, &first.key, 9, SLU_UNLOCK_TIME, TIME + 1, 9, "early");
    refuses(9, early.id, &early.opening, "it is shown before its unlock");
    for (int i = 0; i < 2; i++) { /* at the boundary it is due */
        struct teller t;
        seal(&early, &first.key, 9, i ? SLU_UNLOCK_TIME : SLU_UNLOCK_HEIGHT, i ? TIME : HEIGHT, 9,
             "early");
        honest_story(&t);
        t.story.count = 2;
        tell_opening(tell_height(&t.story, 7), 3, 9, early.id, &early.opening);
        assert_int_equal(subscribe(open_signed(&t), true), 0);
        stub_close(&t.door);
    }
}

/* What was ordered has a proof that does not hold, so it is void: the content that would have come
 * out is that of this very envelope, and still no honest node shows it. */
static void test_void_shown_as_opened(void **state)
{
    (void)state;
    struct sealed_tx tx;
    seal(&tx, &newest.key, 4, SLU_UNLOCK_NONE, 0, 9, "void");
    tx.envelope[SLU_TX_HEAD_BYTES + SLU_SEAL_HEAD_BYTES + 80] ^= 1;
    name(&tx);
    refuses(9, tx.id, &tx.opening, "this is not what was sealed");
    seal(&tx, &newest.key, 5, SLU_UNLOCK_NONE, 0, 9, "void");
    tx.envelope[tx.len - 1] ^= 1; /* of c: it does not open */
    name(&tx);
    refuses(9, tx.id, &tx.opening, "this is not what was sealed");
}

static void test_false_keys(void **state)
{
    (void)state;
    struct certified_key false_key = first, other;
    false_key.bytes[false_key.len - 1] ^= 1;
    certify(&other, &foreign, 1, 2);
    const struct certified_key *const given_keys[] = {&false_key, &other, &newest, NULL};
    for (size_t i = 0; i < sizeof given_keys / sizeof *given_keys; i++) {
        struct teller t;
        honest_story(&t);
        t.story.heights[0] = t.story.heights[2];
        t.story.heights[0].height = 7;
        t.story.count = 1;
        t.instead = given_keys[i];
        t.no_key = !given_keys[i];
        int code = run(slu_command_subscribe, "subscribe", "--node", open_signed(&t), "--rollup",
                       "0", "--from", "7", "--to", "7", "--genesis", genesis_path, NULL);
        assert_int_equal(code, 3);
        complains(given_keys[i] ? "under a key that is not the committee's"
                                : "under a key that the node does not show");
        assert_string_equal(output, "");
        stub_close(&t.door);
    }
}

/* A key that cannot be had is nobody's lie: the height is read again elsewhere, and printed once.
 */
static void test_key_from_the_next_node(void **state)
{
    (void)state;
    for (enum frame_kind kind = GARBAGE; kind <= HANG_UP; kind++) {
        struct teller broken, whole;
        char urls[300];
        honest_story(&broken);
        honest_story(&whole);
        broken.key_as = kind;
        const char *url = open_signed(&broken);
        snprintf(urls, sizeof urls, "%s,%s", url, open_signed(&whole));
        assert_int_equal(subscribe(urls, true), 0);
        complains("its key cannot be had");
        for (int height = 5; height <= 7; height++) {
            char words[40];
            snprintf(words, sizeof words, "{\"height\":%d,\"time_ms\"", height);
            assert_int_equal(lines_with(words), 1);
        }
        stub_close(&whole.door);
        assert_int_equal(subscribe(url, true), 2); /* alone: it is given up */
        assert_string_equal(output, "");
        stub_close(&broken.door);
    }
}

/* ---- what breaks the rules of the stream ---- */

static void breaks_rules(struct teller *t, const char *words)
{
    while (t->story.count < 3)
        (void)tell_height(&t->story, t->story.count + 5);
    assert_int_equal(subscribe(open_signed(t), false), 2);
    complains(words);
    assert_string_equal(output, "");
    stub_close(&t->door);
}

static void test_openings_that_are_none(void **state)
{
    (void)state;
    static const uint8_t place[13] = {1, 4};
    for (int i = 0; i < 8; i++) {
        struct teller t = {0};
        struct told *told = tell_height(&t.story, 5);
        struct slu_opening bad = a.opening;
        if (i == 0)
            tell(told, 0, 9, 0, a.id, 66, place, 0);
        else if (i == 1)
            tell(told, 0, 9, 0, a.id, 66, place, 12);
        else if (i == 2)
            tell(told, 0, 0, 0, a.id, 67, place, 0);
        else if (i == 3)
            tell(told, 0, 0, 0, a.id, 67, place, 12);
        else if (i == 4)
            tell(told, 0, 9, 0, a.id, 67, place, 13); /* void ones have no rollup */
        else if (i == 5)
            tell_opening(told, 1, 0, a.id, &bad); /* and others have */
        else if (i == 6) {
            bad.height = 6; /* not ordered yet */
            tell_opening(told, 1, 9, a.id, &bad);
        } else {
            bad.index = 0; /* ordered here at another place */
            tell_opening(told, 1, 9, a.id, &bad);
        }
        breaks_rules(&t, "an opening that is none");
    }
}

static void test_order_of_entries(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct teller t = {0};
        struct told *told = tell_height(&t.story, 5);
        a.opening.index = b.opening.index = 2;
        tell_sealed(told, 2, i == 0 ? &b : &a, 0);
        if (i == 1)
            tell_opening(told, 2, b.rollup, b.id, &b.opening); /* of another one */
        else if (i == 2)
            tell_sealed(told, 2, &a, 0); /* twice */
        else
            tell_opening(told, 2, a.rollup, a.id, &a.opening); /* i == 0: of another one; 3: good */
        if (i == 3)
            tell_opening(told, 2, a.rollup, a.id, &a.opening); /* twice */
        a.opening.index = 1;
        breaks_rules(&t, "entries are out of order");
    }
}

/* A commitment may end one part of a height, and its opening begin the next. */
static void test_parts(void **state)
{
    (void)state;
    struct slu_heights heights = {.expected = 5};
    for (int i = 0; i < 2; i++) {
        struct teller t = {0};
        Slu__Client__Height part = SLU__CLIENT__HEIGHT__INIT;
        uint8_t block[32] = {5};
        b.opening.index = 2;
        if (i == 0)
            tell_sealed(tell_height(&t.story, 5), 2, &b, 0);
        else
            tell_opening(tell_height(&t.story, 5), 2, b.rollup, b.id, &b.opening);
        part.height = 5;
        part.time_ms = 50000;
        part.block = (ProtobufCBinaryData){32, block};
        part.count = 1;
        part.entries = (ProtobufCBinaryData){t.story.heights[0].len, t.story.heights[0].bytes};
        part.more = i == 0;
        assert_int_equal(slu_heights_add(&heights, &part), i);
    }
    assert_int_equal(heights.count, 2);
    slu_heights_free(&heights);
}

/* Where a sealed transaction was ordered is where its commitment stands, not where it opened. */
static void test_where_it_was_ordered(void **state)
{
    (void)state;
    struct teller t = {0};
    struct slu_tracked row = {.has_id = true, .accepted = true, .valid_until_ms = 15000};
    struct slu_tracked *rows = &row;
    struct slu_opening opening = a.opening;
    tell_sealed(tell_height(&t.story, 1), 1, &a, 0);
    opening.height = 1;
    tell_opening(tell_height(&t.story, 2), 4, a.rollup, a.id, &opening);
    memcpy(row.id32, a.id, 32);
    row.fate = SLU_FATE_ACCEPTED;
    assert_int_equal(slu_history_settle(&rows, 1, open_signed(&t), 0), 0);
    assert_int_equal(row.fate, SLU_FATE_ORDERED);
    assert_int_equal(row.height, 1);
    assert_int_equal(row.index, 1);
    stub_close(&t.door);
}

static void test_arguments(void **state)
{
    (void)state;
    char path[160], why[200];
    struct teller t;
    honest_story(&t);
    const char *url = open_signed(&t);
    assert_int_equal(run(slu_command_subscribe, "subscribe", "--node", url, "--rollup", "0",
                         "--max-age", "5", NULL),
                     2);
    complains("--max-age needs --genesis FILE");
    snprintf(path, sizeof path, "%s/foreign.json", root);
    assert_int_equal(slu_genesis_save(&foreign, path, why, sizeof why), 0);
    assert_int_equal(run(slu_command_subscribe, "subscribe", "--node", url, "--rollup", "0",
                         "--from", "5", "--to", "7", "--genesis", path, NULL),
                     2);
    complains("of another chain");
    assert_string_equal(output, "");
    assert_int_equal(run(slu_command_subscribe, "subscribe", "--node", url, "--rollup", "0",
                         "--genesis", root, NULL),
                     2);
    complains("--genesis: ");
    stub_close(&t.door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_printed),
        cmocka_unit_test(test_a_body_that_is_none),
        cmocka_unit_test(test_changed_openings),
        cmocka_unit_test(test_other_ids),
        cmocka_unit_test(test_before_its_unlock),
        cmocka_unit_test(test_void_shown_as_opened),
        cmocka_unit_test(test_false_keys),
        cmocka_unit_test(test_key_from_the_next_node),
        cmocka_unit_test(test_openings_that_are_none),
        cmocka_unit_test(test_order_of_entries),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_where_it_was_ordered),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, set_up_story, tear_down);
}
