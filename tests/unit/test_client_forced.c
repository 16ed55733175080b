/* `sluice submit --forced` against nodes that lie: absurd terms, receipts that are none, broken
 * frames. It ends soon, with words and the exit code that its help names, and a liar does not keep
 * a transaction from an honest taker. */
#include "tests/unit/liar.h"

static void test_honest_nodes(void **state)
{
    (void)state;
    struct liar a = honest(0), b = honest(1);
    a.place = (struct slu_client_place){SLU_CLIENT_FINAL, 9, 7, 9, true, false, 1};
    assert_int_equal(submit(start_both(&a, &b), "--wait"), 0);
    expect("\"status\":\"accepted\"");
    expect("\"node\":0");
    expect("\"node\":1");
    expect("\"outcome\":\"ordered\",\"height\":9,\"index\":0,\"due_height\":9}");
    assert_int_equal(a.forces + b.forces, 1);
    stub_close(&a.door);
    stub_close(&b.door);
}

static uint64_t cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* A price that nobody can pay, or none: the next taker is asked, no work is done for it, which
 * would go on for as long as the transaction is valid. */
static void test_absurd_prices(void **state)
{
    (void)state;
    static const uint64_t prices[] = {UINT64_MAX, UINT64_MAX / 2, UINT64_C(1) << 40, 0};
    for (size_t i = 0; i < sizeof prices / sizeof *prices; i++) {
        struct liar a = honest(0), b = honest(1);
        uint64_t began = cpu_ms();
        a.work = prices[i];
        assert_int_equal(submit(start_both(&a, &b), "--receipts=1"), 0);
        expect("\"status\":\"accepted\"");
        assert_int_equal(a.forces, 0);
        assert_int_equal(b.forces, 1);
        assert_int_equal(submit(slu_listener_url(a.door.listener), NULL), prices[i] ? 2 : 1);
        expect(prices[i] ? "\"reason\":\"price\"" : "\"reason\":\"no_answer\"");
        assert_true(cpu_ms() - began < 5000);
        stub_close(&a.door);
        stub_close(&b.door);
    }
}

/* A taker that always wants more is asked a few times only. */
static void test_a_taker_that_is_never_paid(void **state)
{
    (void)state;
    struct liar a = honest(0);
    a.refuses = true;
    a.reason = "postage";
    assert_int_equal(submit(start(&a), NULL), 2);
    expect("\"reason\":\"postage\"");
    assert_in_range(a.forces, 1, 8);
    stub_close(&a.door);
}

/* What a liar says the time is does not make a transaction that the others refuse. */
static void test_absurd_times(void **state)
{
    (void)state;
    static const uint64_t times[] = {0, 1, UINT64_MAX, UINT64_MAX - 3000};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct liar a = honest(0), b = honest(1);
        a.time_ms = times[i];
        a.lies_about_time = true;
        a.refuses = true;
        assert_int_equal(submit(start_both(&a, &b), "--receipts=1"), 0);
        expect("\"status\":\"accepted\"");
        assert_int_equal(b.forces, 1);
        stub_close(&a.door);
        stub_close(&b.door);
    }
}

/* A busy chain's time falls behind the clock: what lives as long as it may is not too far ahead.
 * The slack is one to two seconds, by where in a second it is made. */
static void test_a_stream_that_falls_behind(void **state)
{
    (void)state;
    struct liar a = honest(0), b = honest(1);
    a.behind_ms = b.behind_ms = 950;
    assert_int_equal(submit(start_both(&a, &b), "--valid-for=60"), 0);
    expect("\"status\":\"accepted\"");
    stub_close(&a.door);
    stub_close(&b.door);
}

static void test_terms_that_are_none(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 31, 33, 64};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct liar a = honest(0);
        a.block_len = lens[i];
        assert_int_equal(submit(start(&a), NULL), 1);
        expect("\"status\":\"refused\",\"reason\":\"no_answer\"");
        assert_int_equal(a.forces, 0);
        stub_close(&a.door);
    }
}

/* A receipt that is none is said, and does not count: the next taker gets the transaction. */
static void test_bad_receipts(void **state)
{
    (void)state;
    static const struct {
        enum receipt_kind kind;
        const char *words;
    } cases[] = {
        {OTHER_ID, "its receipt is not good"},    {OTHER_KEY, "its receipt is not good"},
        {OTHER_CHAIN, "its receipt is not good"}, {NO_SUCH_NODE, "its receipt is not good"},
        {CUT_RECEIPT, "its receipt is not good"}, {LONG_RECEIPT, "its receipt is not good"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct liar a = honest(0), b = honest(1);
        a.receipt = cases[i].kind;
        b.holds_nothing = true; /* until it is given to it: it is asked again for a while, ... */
        b.receipt_as = i == 0 ? REPLY : ERROR_BODY; /* ... unless it knows of no such question */
        assert_int_equal(submit(start_both(&a, &b), NULL), 3);
        complains(cases[i].words);
        expect("\"status\":\"accepted\"");
        expect("\"receipts\":[{\"node\":1,");
        assert_int_equal(b.forces, 1);
        stub_close(&a.door);
        stub_close(&b.door);
    }
}

/* A taker that says yes, signs, and keeps it to itself: f+1 must hold it, so another one gets it.
 */
static void test_a_taker_that_tells_nobody(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct liar a = honest(0), b = honest(1);
        a.known = known;
        a.receipt = known ? NO_RECEIPT : GOOD_RECEIPT;
        b.holds_nothing = true;
        assert_int_equal(submit(start_both(&a, &b), NULL), 0);
        expect("\"status\":\"accepted\",\"reason\":\"\"");
        expect("\"node\":1");
        assert_int_equal(a.forces, 1);
        assert_int_equal(b.forces, 1);
        stub_close(&a.door);
        stub_close(&b.door);
    }
}

/* Nor is it lost when the second one refuses; then it is said that nobody else holds it. */
static void test_accepted_stays_accepted(void **state)
{
    (void)state;
    struct liar a = honest(0), b = honest(1);
    b.holds_nothing = true;
    b.refuses = true;
    b.reason = "inbox_full";
    assert_int_equal(submit(start_both(&a, &b), NULL), 0);
    expect("\"status\":\"accepted\",\"reason\":\"\"");
    complains("1 of 2 receipts");
    stub_close(&a.door);
    stub_close(&b.door);
}

/* Frames that are none, replies that are another's, a line that goes dead. */
static void test_broken_takers(void **state)
{
    (void)state;
    for (int where = 0; where < 3; where++)
        for (enum frame_kind kind = GARBAGE; kind <= HANG_UP; kind++) {
            struct liar a = honest(0), b = honest(1);
            a.terms_as = where == 0 ? kind : REPLY;
            a.force_as = where == 1 ? kind : REPLY;
            a.receipt_as = where == 2 ? kind : REPLY;
            assert_int_equal(submit(where == 2 ? start_both(&b, &a) : start_both(&a, &b), NULL), 0);
            expect("\"status\":\"accepted\"");
            assert_int_equal(b.forces, 1);
            stub_close(&b.door);
            stub_close(&a.door);
        }
}

/* Alone, such a node is no node. */
static void test_a_broken_taker_alone(void **state)
{
    (void)state;
    for (enum frame_kind kind = GARBAGE; kind <= HANG_UP; kind++) {
        struct liar a = honest(0);
        a.terms_as = kind;
        assert_int_equal(submit(start(&a), NULL), 1);
        expect("\"status\":\"refused\"");
        stub_close(&a.door);
    }
}

/* One that never answers costs its timeout. */
/* Who got it and never answered may order it, whatever the others say: unless one takes it, nobody
 * knows. */
static void test_a_taker_that_never_answers(void **state)
{
    (void)state;
    struct liar a = honest(0), b = honest(1);
    a.force_as = HANG_UP;
    const char *urls = start_both(&a, &b);
    assert_int_equal(submit(slu_listener_url(a.door.listener), "--wait"), 2);
    expect("\"status\":\"refused\",\"reason\":\"connection_lost\"");
    b.refuses = true;
    b.reason = "inbox_full";
    assert_int_equal(submit(urls, "--wait"), 2);
    expect("\"status\":\"refused\",\"reason\":\"connection_lost\"");
    assert_int_equal(b.forces, 1);
    b.refuses = false;
    assert_int_equal(submit(urls, NULL), 0);
    expect("\"status\":\"accepted\",\"reason\":\"\"");
    stub_close(&a.door);
    stub_close(&b.door);
}

static void test_a_silent_taker(void **state)
{
    (void)state;
    struct liar a = honest(0), b = honest(1);
    uint64_t began = slu_now_ms();
    a.terms_as = a.receipt_as = SILENCE;
    assert_int_equal(submit(start_both(&a, &b), NULL), 0);
    expect("\"status\":\"accepted\"");
    complains("1 of 2 receipts");
    assert_true(slu_now_ms() - began < 30000);
    stub_close(&a.door);
    stub_close(&b.door);
}

/* A node of another chain gets nothing. */
static void test_one_chain_only(void **state)
{
    (void)state;
    struct liar a = honest(0), b = honest(1);
    struct slu_link_handler handler = {.context = &b, .frame = on_frame};
    char urls[300];
    const char *first = start(&a);
    stub_open(&b.door, foreign.chain_id, &handler);
    snprintf(urls, sizeof urls, "%s,%s", first, slu_listener_url(b.door.listener));
    a.refuses = true;
    a.reason = "inbox_full";
    assert_int_equal(submit(urls, NULL), 2);
    expect("\"reason\":\"inbox_full\"");
    complains("another chain");
    assert_int_equal(b.forces + b.asked, 0);
    stub_close(&a.door);
    stub_close(&b.door);
}

/* Words of a node are not obeyed by a terminal or a parser. */
static void test_odd_words(void **state)
{
    (void)state;
    static const char *const words[] = {
        "\x1b[31m\"quoted\"\\ \n and \xff\xfe, which is longer than any reason that there is, much",
        "{\"peers\":", "{\"peers\":7}", "[[[[[[[[[[[[[[[["};
    for (size_t i = 0; i < 4; i++) {
        struct liar a = honest(0);
        a.refuses = true;
        a.reason = words[i];
        a.status = words[i];
        const char *path = hex_file(1, "");
        assert_int_equal(run(slu_command_submit, "submit", "--forced", "--node", start(&a),
                             "--rollup", "7", "--hex", path, NULL),
                         2);
        check_text();
        expect("\"status\":\"refused\"");
        unlink(path);
        stub_close(&a.door);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest_nodes),
        cmocka_unit_test(test_absurd_prices),
        cmocka_unit_test(test_a_taker_that_is_never_paid),
        cmocka_unit_test(test_absurd_times),
        cmocka_unit_test(test_a_stream_that_falls_behind),
        cmocka_unit_test(test_terms_that_are_none),
        cmocka_unit_test(test_bad_receipts),
        cmocka_unit_test(test_a_taker_that_tells_nobody),
        cmocka_unit_test(test_accepted_stays_accepted),
        cmocka_unit_test(test_broken_takers),
        cmocka_unit_test(test_a_broken_taker_alone),
        cmocka_unit_test(test_a_taker_that_never_answers),
        cmocka_unit_test(test_a_silent_taker),
        cmocka_unit_test(test_one_chain_only),
        cmocka_unit_test(test_odd_words),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
