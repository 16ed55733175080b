/* client/tracker, text, stage, load and procfs: the pieces of the commands that need no node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "client/load.h"
#include "client/procfs.h"
#include "client/stage.h"
#include "client/tracker.h"
#include "consensus/core.h"

static char *slurp(FILE *file)
{
    static char text[65536];
    rewind(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    return text;
}

static void test_rows_leave_in_order(void **state)
{
    (void)state;
    struct slu_tracker tracker = {.wait = true};
    FILE *file = tmpfile();
    for (int i = 0; i < 3; i++)
        assert_int_equal(slu_tracker_add(&tracker), i);
    struct slu_tracked *row = slu_tracker_at(&tracker, 1);
    slu_tracked_end(row, SLU_FATE_REFUSED, "line 2: \"x\"\n");
    assert_true(slu_tracker_print(&tracker, file));
    assert_string_equal(slurp(file), "");
    row = slu_tracker_at(&tracker, 0);
    row->has_id = row->accepted = true;
    row->id32[0] = 0xab;
    row->fate = SLU_FATE_ACCEPTED;
    assert_true(slu_tracker_print(&tracker, file));
    assert_string_equal(slurp(file), "");
    row->height = 12;
    row->index = 3;
    slu_tracked_end(row, SLU_FATE_ORDERED, NULL);
    assert_true(slu_tracker_print(&tracker, file));
    assert_string_equal(
        slurp(file),
        "{\"id\":\"ab00000000000000000000000000000000000000000000000000000000000000\","
        "\"status\":\"accepted\",\"reason\":\"\",\"outcome\":\"ordered\",\"height\":12,"
        "\"index\":3}\n"
        "{\"id\":null,\"status\":\"refused\",\"reason\":\"line 2: \\\"x\\\"\\u000a\"}\n");
    assert_int_equal(tracker.front, 2);
    assert_int_equal(tracker.refused, 1);
    assert_int_equal(tracker.ordered, 1);
    slu_tracked_end(slu_tracker_at(&tracker, 2), SLU_FATE_UNKNOWN, "connection_lost");
    assert_true(slu_tracker_print(&tracker, file));
    assert_non_null(strstr(slurp(file), "{\"id\":null,\"status\":\"refused\",\"reason\":"
                                        "\"connection_lost\",\"outcome\":\"unknown\"}\n"));
    fclose(file);
    slu_tracker_free(&tracker);
}

static void test_ring_grows(void **state)
{
    (void)state;
    struct slu_tracker tracker = {.wait = false};
    FILE *file = fopen("/dev/null", "w");
    uint64_t added = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 300; i++) {
            uint64_t number = slu_tracker_add(&tracker);
            assert_int_equal(number, added);
            slu_tracker_at(&tracker, number)->height = added++;
        }
        for (uint64_t i = tracker.front; i < tracker.back; i++)
            assert_int_equal(slu_tracker_at(&tracker, i)->height, i);
        for (uint64_t i = tracker.front; i < tracker.front + 200; i++)
            slu_tracked_end(slu_tracker_at(&tracker, i), SLU_FATE_REFUSED, "size");
        assert_true(slu_tracker_print(&tracker, file));
    }
    assert_int_equal(tracker.back - tracker.front, 5000);
    assert_int_equal(tracker.refused, 10000);
    fclose(file);
    slu_tracker_free(&tracker);
}

/* The numbers in client.proto are the core's. */
static void test_stages(void **state)
{
    (void)state;
    assert_int_equal(SLU_CLIENT_UNKNOWN, SLU_STAGE_UNKNOWN);
    assert_int_equal(SLU_CLIENT_ACCEPTED, SLU_STAGE_ACCEPTED);
    assert_int_equal(SLU_CLIENT_CERTIFIED, SLU_STAGE_CERTIFIED);
    assert_int_equal(SLU_CLIENT_ORDERED, SLU_STAGE_ORDERED);
    assert_int_equal(SLU_CLIENT_FINAL, SLU_STAGE_FINAL);
    assert_int_equal(SLU_CLIENT_DROPPED, SLU_STAGE_DROPPED);
    assert_int_equal(SLU_CLIENT_HELD, SLU_STAGE_HELD);
    assert_int_equal(SLU_CLIENT_HELD_CERTIFIED, SLU_STAGE_HELD_CERTIFIED);
    assert_int_equal(SLU_CLIENT_QUEUED, SLU_STAGE_QUEUED);
    assert_string_equal(slu_stage_name(SLU_STAGE_HELD, ""), "held");
    assert_string_equal(slu_stage_name(SLU_STAGE_HELD_CERTIFIED, ""), "held_certified");
    assert_string_equal(slu_stage_name(SLU_STAGE_QUEUED, ""), "queued");
    assert_string_equal(slu_stage_name(SLU_STAGE_FINAL, ""), "final");
    assert_string_equal(slu_stage_name(SLU_STAGE_DROPPED, "size"), "dropped");
    assert_string_equal(slu_stage_name(SLU_STAGE_DROPPED, slu_drop_name(SLU_DROP_EXPIRED)),
                        "expired");
    assert_string_equal(slu_stage_name(99, ""), "unknown");
}

static void test_load_of_size(void **state)
{
    (void)state;
    struct slu_load load, another;
    uint8_t a[300], b[300];
    uint64_t number, intended_ns;
    assert_int_equal(slu_load_of_size(&load, 256), 0);
    assert_int_equal(slu_load_of_size(&another, 256), 0);
    assert_int_equal(slu_load_size(&load, 5), 256);
    slu_load_write(&load, a, 5, 777);
    slu_load_write(&load, b, 6, 777);
    assert_true(memcmp(a, b, 256) != 0);
    assert_true(slu_load_read(&load, a, 256, &number, &intended_ns));
    assert_int_equal(number, 5);
    assert_int_equal(intended_ns, 777);
    assert_false(slu_load_read(&another, a, 256, &number, &intended_ns));
    assert_false(slu_load_read(&load, a, 255, &number, &intended_ns));
    assert_false(slu_load_read(&load, a, 31, &number, &intended_ns));
    slu_load_free(&load);
    slu_load_free(&another);
}

static void test_load_of_file(void **state)
{
    (void)state;
    char path[] = "/tmp/sluice-load-XXXXXX", why[256];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "0x61\n0x626364\n", 14), 14);
    struct slu_load load;
    uint8_t payload[64];
    uint64_t number, intended_ns;
    assert_int_equal(slu_load_of_file(&load, path, why, sizeof why), 0);
    assert_int_equal(load.count, 2);
    assert_int_equal(slu_load_size(&load, 2), 33);
    assert_int_equal(slu_load_size(&load, 3), 35);
    slu_load_write(&load, payload, 3, 9);
    assert_memory_equal(payload, "bcd", 3);
    assert_true(slu_load_read(&load, payload, 35, &number, &intended_ns));
    assert_int_equal(number, 3);
    slu_load_free(&load);
    assert_int_equal(write(fd, "zz\n", 3), 3);
    assert_true(slu_load_of_file(&load, path, why, sizeof why) < 0);
    assert_non_null(strstr(why, "line 3"));
    slu_load_free(&load);
    close(fd);
    unlink(path);
}

static void test_procfs(void **state)
{
    (void)state;
    uint64_t ticks, value;
    assert_true(slu_proc_parse_stat("12 (a) b) S 1 2 3 4 5 6 7 8 9 10 111 222 0 0 20", &ticks));
    assert_int_equal(ticks, 333);
    assert_false(slu_proc_parse_stat("12 (a S 1 2", &ticks));
    assert_true(slu_proc_cpu_ms((int)getpid(), &value));
    assert_true(slu_proc_rss_bytes((int)getpid(), &value));
    assert_true(value > 100000);
    assert_false(slu_proc_cpu_ms(0, &value));
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_leave_in_order),
        cmocka_unit_test(test_ring_grows),
        cmocka_unit_test(test_stages),
        cmocka_unit_test(test_load_of_size),
        cmocka_unit_test(test_load_of_file),
        cmocka_unit_test(test_procfs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
