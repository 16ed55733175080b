/* slu_submitter_open and slu_submitter_wait: which nodes are used, and what is found out about what
 * was accepted. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/unit/clerk.h"

/* ---- waiting ---- */

/* Who took it is gone or has forgotten it: the next one gets the same envelope. */
static void test_lost(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(2, 0);
    struct slu_submission item = plain("text");
    accepted(s, &item);
    clerks[0].queries = HANGS_UP;
    struct slu_outcome outcome = outcome_of(s, &item);
    assert_int_equal(outcome.kind, SLU_OUTCOME_ORDERED);
    assert_true(has_taken(&clerks[1], item.id32));
    assert_int_equal(clerks[1].taken_count, 1);
    slu_submitter_close(s);
}

/* Both stand still until one was left for it. */
static void test_stalled(void **state)
{
    (void)state;
    answer_ms = 300;
    struct slu_submitter *s = open_for(2, 0);
    struct slu_submission item = plain("text");
    struct slu_outcome outcome = {0};
    accepted(s, &item);
    memcpy(outcome.id32, item.id32, 32);
    clerks[0].stage = clerks[1].stage = SLU_CLIENT_ACCEPTED;
    clerks[0].rests = clerks[1].rests = true;
    for (uint32_t waits = 0; waits < 100 && !strstr(trouble, "no new height for"); waits++)
        assert_int_equal(slu_submitter_wait(s, &outcome, 1, 400, why, sizeof why), SLU_ERR_TIMEOUT);
    troubles("no new height for");
    clerks[0].stage = clerks[1].stage = 0;
    assert_int_equal(outcome_of(s, &item).kind, SLU_OUTCOME_ORDERED);
    slu_submitter_close(s);
}

static void test_silent_when_asked(void **state)
{
    (void)state;
    answer_ms = 300;
    struct slu_submitter *s = open_for(2, 0);
    struct slu_submission item = plain("text");
    accepted(s, &item);
    clerks[0].queries = SILENT;
    assert_int_equal(outcome_of(s, &item).kind, SLU_OUTCOME_ORDERED);
    troubles("timed out");
    slu_submitter_close(s);
}

static void test_dropped(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(1, 0);
    struct slu_submission a = plain("a"), b = plain("b");
    accepted(s, &a);
    accepted(s, &b);
    clerks[0].stage = SLU_CLIENT_DROPPED;
    clerks[0].drop = "calendar_full";
    struct slu_outcome outcome = outcome_of(s, &a);
    assert_int_equal(outcome.kind, SLU_OUTCOME_DROPPED);
    assert_string_equal(outcome.reason, "calendar_full");
    clerks[0].drop = "expired";
    assert_int_equal(outcome_of(s, &b).kind, SLU_OUTCOME_EXPIRED);
    slu_submitter_close(s);
}

/* Its time is over and the node knows nothing: the stream says whether it was ordered. */
static void test_overdue(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(1, 0);
    struct slu_submission a = plain("a"), b = plain("b");
    accepted(s, &a);
    accepted(s, &b);
    clerks[0].forgets = true;
    clerks[0].stream_ms = STREAM_MS + 20000;
    struct slu_outcome outcome = outcome_of(s, &a);
    assert_int_equal(outcome.kind, SLU_OUTCOME_EXPIRED);
    clerks[0].told_ordered = true;
    memcpy(clerks[0].told32, b.id32, 32);
    outcome = outcome_of(s, &b);
    assert_int_equal(outcome.kind, SLU_OUTCOME_ORDERED);
    assert_int_equal(outcome.height, 3);
    assert_int_equal(outcome.index, 5);
    assert_int_equal(clerks[0].given, 2);
    slu_submitter_close(s);
}

/* ---- how long ---- */

#define WAIT_MS  300u
#define SLACK_MS 400u /* a busy machine, beside what the pulse has measured */
#define BEAT_MS  2u

/* A thread that only sleeps, and says by how much it slept too long: the machine stood still. */
struct pulse {
    pthread_t thread;
    _Atomic bool over;
    uint64_t late_ms;
};

static void *beat(void *argument)
{
    struct pulse *pulse = argument;
    while (!pulse->over) {
        uint64_t began_ms = slu_now_ms();
        usleep(BEAT_MS * 1000);
        uint64_t slept_ms = slu_now_ms() - began_ms;
        pulse->late_ms += slept_ms > 2 * BEAT_MS ? slept_ms - BEAT_MS : 0;
    }
    return NULL;
}

/* Waits in vain, and not for long. */
static void stops_in_time(struct slu_submitter *s, const struct slu_submission *item)
{
    struct pulse pulse = {.late_ms = 0};
    struct slu_outcome outcome = {0};
    memcpy(outcome.id32, item->id32, 32);
    assert_int_equal(pthread_create(&pulse.thread, NULL, beat, &pulse), 0);
    uint64_t begin_ms = slu_now_ms();
    assert_int_equal(slu_submitter_wait(s, &outcome, 1, WAIT_MS, why, sizeof why), SLU_ERR_TIMEOUT);
    uint64_t took_ms = slu_now_ms() - begin_ms;
    pulse.over = true;
    assert_int_equal(pthread_join(pulse.thread, NULL), 0);
    assert_in_range(took_ms, WAIT_MS, WAIT_MS + SLU_WAIT_OVER_MS + SLACK_MS + pulse.late_ms);
}

static void test_strange_id(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(1, 0);
    struct slu_submission item = {.id32 = {1, 2, 3}};
    stops_in_time(s, &item);
    assert_non_null(strstr(why, "1 of 1 have no outcome yet"));
    assert_int_equal(clerks[0].given, 0);
    slu_submitter_close(s);
}

/* A node that takes a long time to be told from a dead one is left in the end all the same. */
static void test_slow_answer(void **state)
{
    (void)state;
    answer_ms = 3000;
    struct slu_submitter *s = open_for(2, 0);
    struct slu_submission item = plain("text");
    accepted(s, &item);
    clerks[0].queries = SILENT;
    stops_in_time(s, &item);
    stops_in_time(s, &item);
    assert_string_equal(trouble, "");
    assert_int_equal(outcome_of(s, &item).kind, SLU_OUTCOME_ORDERED);
    troubles("timed out");
    slu_submitter_close(s);
}

/* What comes after a wait is over is no answer to the next one's question. */
static void test_late_answer(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(1, 0);
    struct slu_submission item = plain("text");
    accepted(s, &item);
    clerks[0].holds_back = true;
    stops_in_time(s, &item);
    clerks[0].holds_back = false;
    assert_int_equal(outcome_of(s, &item).kind, SLU_OUTCOME_ORDERED);
    assert_string_equal(trouble, "");
    slu_submitter_close(s);
}

/* Somebody listens there and says nothing. */
static void test_slow_connection(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    char mute[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(mute, sizeof mute, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
    const char *urls[3] = {slu_listener_url(clerks[0].door.listener), mute, mute};
    struct slu_submission item = plain("text");
    struct slu_submitter *s;
    assert_int_equal(slu_submitter_open(&s, &chain, urls, 3, NULL, why, sizeof why), 0);
    accepted(s, &item);
    clerks[0].queries = HANGS_UP;
    stops_in_time(s, &item);
    stops_in_time(s, &item);
    slu_submitter_close(s);
    close(fd);
}

/* A search of the history is left at the end of one wait, and gone on with by the next; what it has
 * found is told at once. */
static void test_long_history(void **state)
{
    (void)state;
    struct slu_submitter *s = open_for(1, 0);
    struct slu_submission a = plain("a"), b = plain("b");
    struct slu_outcome outcomes[2] = {0};
    accepted(s, &a);
    accepted(s, &b);
    memcpy(outcomes[0].id32, a.id32, 32);
    memcpy(outcomes[1].id32, b.id32, 32);
    clerks[0].forgets = true;
    clerks[0].stream_ms = STREAM_MS + 20000;
    clerks[0].told_ordered = true;
    memcpy(clerks[0].told32, a.id32, 32);
    clerks[0].ends_early = true;
    for (uint32_t waits = 0; waits < 100 && outcomes[0].kind == SLU_OUTCOME_OPEN; waits++)
        assert_int_equal(slu_submitter_wait(s, outcomes, 2, WAIT_MS, why, sizeof why),
                         SLU_ERR_TIMEOUT);
    assert_int_equal(outcomes[0].kind, SLU_OUTCOME_ORDERED);
    assert_int_equal(outcomes[0].height, 3);
    stops_in_time(s, &b);
    tell_the_rest(&clerks[0]);
    assert_int_equal(outcome_of(s, &b).kind, SLU_OUTCOME_EXPIRED);
    assert_int_equal(clerks[0].subscribed, 1);
    slu_submitter_close(s);
}

/* ---- opening ---- */

static void test_open(void **state)
{
    (void)state;
    const char *own = slu_listener_url(clerks[0].door.listener);
    const char *urls[SLU_SUBMITTER_URLS_MAX + 1] = {own};
    struct slu_submitter_options options = {.connect_ms = 500};
    struct slu_submitter *s;
    assert_int_equal(slu_submitter_open(&s, &chain, urls, 0, NULL, why, sizeof why),
                     SLU_ERR_CONFIG);
    for (size_t i = 0; i <= SLU_SUBMITTER_URLS_MAX; i++)
        urls[i] = own;
    assert_int_equal(
        slu_submitter_open(&s, &chain, urls, SLU_SUBMITTER_URLS_MAX + 1, NULL, why, sizeof why),
        SLU_ERR_CONFIG);
    urls[0] = "tcp://127.0.0.1:1";
    assert_int_equal(slu_submitter_open(&s, &chain, urls, 1, &options, why, sizeof why),
                     SLU_ERR_CLOSED);
    assert_non_null(strstr(why, "127.0.0.1:1"));
    slu_submitter_close(NULL);
}

/* A node of another chain is none. */
static void test_foreign(void **state)
{
    (void)state;
    struct stub_door door;
    struct slu_link_handler handler = {0};
    uint8_t other[32] = {9};
    stub_open(&door, other, &handler);
    const char *urls[2] = {slu_listener_url(door.listener),
                           slu_listener_url(clerks[0].door.listener)};
    struct slu_submission item = plain("text");
    struct slu_submitter *s;
    assert_int_equal(slu_submitter_open(&s, &chain, urls, 1, NULL, why, sizeof why),
                     SLU_ERR_CLOSED);
    assert_non_null(strstr(why, "a node of another chain"));
    assert_int_equal(slu_submitter_open(&s, &chain, urls, 2, NULL, why, sizeof why), 0);
    accepted(s, &item);
    slu_submitter_close(s);
    stub_close(&door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lost),        TEST(test_stalled),         TEST(test_silent_when_asked),
        TEST(test_dropped),     TEST(test_overdue),         TEST(test_strange_id),
        TEST(test_open),        TEST(test_foreign),         TEST(test_slow_answer),
        TEST(test_late_answer), TEST(test_slow_connection), TEST(test_long_history),
    };
    return cmocka_run_group_tests(tests, set_up_once, free_committee);
}
