/* What a bad link does to a stream, to the microsecond (deploy/relay/lane.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deploy/relay/lane.h"

#define MS       UINT64_C(1000)
#define TIMER_US (200 * MS)

struct stage {
    struct relay_link link;
    struct relay_lane lane;
    uint64_t random;
    uint8_t in, out; /* the next bytes: a stream that counts */
};

static int open_stage(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    s->random = 1;
    relay_lane_init(&s->lane, &s->link, &s->random);
    *state = s;
    return 0;
}

static int close_stage(void **state)
{
    struct stage *s = *state;
    relay_lane_drop(&s->lane);
    free(s);
    return 0;
}

/* Reads `len` bytes into the lane, as far as it takes them; how many. */
static size_t put(struct stage *s, size_t len, uint64_t now_us)
{
    size_t done = 0;
    while (done < len && relay_lane_takes(&s->lane)) {
        size_t room;
        uint8_t *space = relay_lane_space(&s->lane, &room);
        assert_true(room > 0);
        room = room < len - done ? room : len - done;
        for (size_t i = 0; i < room; i++)
            space[i] = s->in++;
        relay_lane_filled(&s->lane, room, now_us);
        done += room;
    }
    return done;
}

/* Passes on all that has arrived, at most `step` bytes at once; how many. */
static size_t get(struct stage *s, size_t step, uint64_t now_us)
{
    size_t done = 0, len;
    const uint8_t *bytes;
    while (bytes = relay_lane_due(&s->lane, now_us, &len), len > 0) {
        len = len < step ? len : step;
        for (size_t i = 0; i < len; i++)
            assert_int_equal(bytes[i], s->out++);
        relay_lane_passed(&s->lane, len);
        done += len;
    }
    return done;
}

/* Finds draws by which the next segment is lost `lost` times in a row, and the three behind it are
 * not. */
static void lose(struct stage *s, unsigned lost)
{
    struct stage *t;
    open_stage((void **)&t);
    t->link.loss_ppm = s->link.loss_ppm;
    bool found = false;
    for (uint64_t seed = 1; !found; seed++) {
        s->random = t->random = seed;
        put(t, 1, 0);
        found = t->lane.pieces[0].due_us == TIMER_US * ((UINT64_C(1) << lost) - 1);
        for (unsigned i = 1; i < 4; i++) {
            put(t, 1, 0);
            found = found && t->lane.pieces[i].due_us == 0;
        }
        relay_lane_drop(&t->lane);
    }
    free(t);
}

static void test_plain(void **state)
{
    struct stage *s = *state;
    assert_int_equal(relay_lane_next_us(&s->lane), UINT64_MAX);
    for (size_t len = 1; len < 300000; len = len * 3 + 1) {
        assert_int_equal(put(s, len, 5), len);
        assert_int_equal(relay_lane_next_us(&s->lane), 5);
        assert_int_equal(get(s, 7000, 5), len);
    }
    assert_int_equal(s->lane.held, 0);
    assert_null(s->lane.head);
}

static void test_delay(void **state)
{
    struct stage *s = *state;
    s->link.delay_us = 50 * MS;
    put(s, 10, 1000);
    put(s, 20, 1500);
    assert_int_equal(relay_lane_next_us(&s->lane), 51000);
    assert_int_equal(get(s, 100, 50999), 0);
    assert_int_equal(get(s, 100, 51000), 10);
    assert_int_equal(relay_lane_next_us(&s->lane), 51500);
    s->link.delay_us = 0; /* what comes behind does not overtake */
    put(s, 5, 51400);
    assert_int_equal(get(s, 100, 51499), 0);
    assert_int_equal(get(s, 100, 51500), 25);
    assert_int_equal(s->link.bytes_passed, 35);
}

static void test_jitter(void **state)
{
    struct stage *s = *state;
    uint64_t least = UINT64_MAX, most = 0;
    s->link.delay_us = 10 * MS;
    s->link.jitter_us = 4 * MS;
    for (unsigned i = 0; i < 500; i++) {
        put(s, 1, 0);
        uint64_t due_us = relay_lane_next_us(&s->lane);
        least = due_us < least ? due_us : least;
        most = due_us > most ? due_us : most;
        get(s, 1, due_us);
    }
    assert_in_range(least, 10 * MS, 10 * MS + 100);
    assert_in_range(most, 14 * MS - 100, 14 * MS);
}

static void test_rate(void **state)
{
    struct stage *s = *state;
    struct relay_lane *other = malloc(sizeof *other); /* of the same link */
    size_t len;
    s->link.rate = 1448000; /* a segment each ms */
    s->link.delay_us = 5 * MS;
    relay_lane_init(other, &s->link, &s->random);
    put(s, 2 * RELAY_SEGMENT_BYTES, 0);
    assert_int_equal(get(s, 10000, 6 * MS - 1), 0);
    assert_int_equal(get(s, 10000, 6 * MS), RELAY_SEGMENT_BYTES);
    memset(relay_lane_space(other, &len), 0, RELAY_SEGMENT_BYTES);
    relay_lane_filled(other, RELAY_SEGMENT_BYTES, 0);
    assert_int_equal(relay_lane_next_us(other), 8 * MS);
    put(s, RELAY_SEGMENT_BYTES, 0);
    assert_int_equal(get(s, 10000, 9 * MS - 1), RELAY_SEGMENT_BYTES);
    assert_int_equal(get(s, 10000, 9 * MS), RELAY_SEGMENT_BYTES);
    put(s, RELAY_SEGMENT_BYTES, 20 * MS); /* an idle link has saved nothing up */
    assert_int_equal(relay_lane_next_us(&s->lane), 26 * MS);
    relay_lane_drop(other);
    free(other);
}

static void test_loss_by_timer(void **state)
{
    struct stage *s = *state;
    s->link.loss_ppm = 200000;
    for (unsigned lost = 1; lost <= 5; lost++) {
        lose(s, lost);
        s->link.delay_us = 30 * MS;
        put(s, 3 * RELAY_SEGMENT_BYTES, 0); /* two behind it are too few */
        uint64_t due_us = 30 * MS + ((UINT64_C(1) << lost) - 1) * (TIMER_US + 60 * MS);
        assert_int_equal(relay_lane_next_us(&s->lane), due_us);
        assert_int_equal(get(s, 10000, due_us - 1), 0); /* it holds up those behind it */
        assert_int_equal(get(s, 10000, due_us), 3 * RELAY_SEGMENT_BYTES);
        s->link.delay_us = 0;
    }
    s->link.loss_ppm = 1000000; /* no more than five times in a row */
    put(s, 1, 0);
    assert_int_equal(relay_lane_next_us(&s->lane), 31 * TIMER_US);
}

static void test_loss_seen_by_what_follows(void **state)
{
    struct stage *s = *state;
    s->link.loss_ppm = 200000;
    lose(s, 1);
    s->link.delay_us = 30 * MS;
    put(s, RELAY_SEGMENT_BYTES, 0);
    put(s, 2 * RELAY_SEGMENT_BYTES, 4 * MS);
    assert_int_equal(relay_lane_next_us(&s->lane), 30 * MS + TIMER_US + 60 * MS);
    put(s, 1, 10 * MS);
    assert_int_equal(relay_lane_next_us(&s->lane), 100 * MS);
    assert_int_equal(get(s, 10000, 100 * MS), 3 * RELAY_SEGMENT_BYTES + 1);
    /* A retransmission that is lost, too, comes by the timer, whatever follows. */
    s->link.delay_us = 0;
    lose(s, 2);
    put(s, 4 * RELAY_SEGMENT_BYTES, 0);
    assert_int_equal(relay_lane_next_us(&s->lane), 3 * TIMER_US);
}

static void test_loss_is_as_often_as_asked(void **state)
{
    struct stage *s = *state;
    unsigned late = 0;
    s->link.loss_ppm = 10000;
    for (unsigned i = 0; i < 100000; i++) {
        put(s, 1, 0);
        late += relay_lane_next_us(&s->lane) > 0;
        get(s, 1, UINT64_MAX - 1);
    }
    assert_in_range(late, 900, 1100);
}

static void test_cut(void **state)
{
    struct stage *s = *state;
    put(s, 100, 0);
    s->link.cut = true;
    put(s, 100, 0);
    relay_lane_finish(&s->lane, RELAY_FIN, 0);
    assert_int_equal(get(s, 1000, 1000 * MS), 0);
    assert_int_equal(relay_lane_next_us(&s->lane), UINT64_MAX);
    assert_int_equal(relay_lane_ended(&s->lane, 1000 * MS), RELAY_OPEN);
    s->link.cut = false;
    assert_int_equal(get(s, 1000, 1000 * MS), 200);
    assert_int_equal(relay_lane_ended(&s->lane, 1000 * MS), RELAY_FIN);
}

static void test_end(void **state)
{
    struct stage *s = *state;
    s->link.delay_us = 10 * MS;
    put(s, 10, 5 * MS);
    relay_lane_finish(&s->lane, RELAY_FIN, 5 * MS);
    assert_false(relay_lane_takes(&s->lane));
    assert_int_equal(relay_lane_ended(&s->lane, 15 * MS), RELAY_OPEN); /* bytes are before it */
    assert_int_equal(get(s, 100, 15 * MS), 10);
    assert_int_equal(relay_lane_ended(&s->lane, 15 * MS), RELAY_FIN);
    relay_lane_finish(&s->lane, RELAY_RST, 20 * MS);
    assert_int_equal(relay_lane_next_us(&s->lane), 30 * MS);
    assert_int_equal(relay_lane_ended(&s->lane, 30 * MS - 1), RELAY_OPEN);
    assert_int_equal(relay_lane_ended(&s->lane, 30 * MS), RELAY_RST);
}

static void test_bounds(void **state)
{
    struct stage *s = *state;
    s->link.cut = true;
    assert_int_equal(put(s, 16u << 20, 0), RELAY_WINDOW_BYTES_MAX);
    s->link.cut = false;
    assert_int_equal(get(s, 1u << 20, 0), RELAY_WINDOW_BYTES_MAX);
    s->link.cut = true;
    size_t reads = 0; /* one byte each */
    while (put(s, 1, 0) > 0)
        reads++;
    assert_in_range(reads, RELAY_PIECES_MAX - 100, RELAY_PIECES_MAX);
    s->link.cut = false;
    get(s, 1u << 20, 0);
    s->link.loss_ppm = 1; /* many pieces a read: there is room for all of them */
    s->link.cut = true;
    assert_int_equal(put(s, 16u << 20, 0), RELAY_WINDOW_BYTES_MAX);
    s->link.cut = false;
    get(s, 1u << 20, UINT64_MAX - 1);
    s->link.rate = 1000000;
    s->link.delay_us = 25 * MS;
    assert_int_equal(put(s, 16u << 20, 0), 300000);
    get(s, 1u << 20, UINT64_MAX - 1);
    s->link.rate = 10;
    assert_int_equal(put(s, 16u << 20, 0), RELAY_WINDOW_BYTES_MIN);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        CASE(test_plain),
        CASE(test_delay),
        CASE(test_jitter),
        CASE(test_rate),
        CASE(test_loss_by_timer),
        CASE(test_loss_seen_by_what_follows),
        CASE(test_loss_is_as_often_as_asked),
        CASE(test_cut),
        CASE(test_end),
        CASE(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
