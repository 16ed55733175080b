/* node/store: records, their order in a write, what forgetting costs, and identity. */
#include "tests/unit/store_dir.h"

#include <time.h>

static void records_come_back(void **state)
{
    (void)state;
    char dir[256];
    path_of(dir, "data");
    struct slu_disk *disk = open_ok(dir);
    assert_true(slu_disk_empty(disk));
    struct slu_record_key batch = key_of(SLU_REC_BATCH, 3, 9);
    slu_disk_begin(disk);
    slu_disk_put(disk, &batch, "head", 4, "payload", 7);
    struct slu_record_key vote = key_of(SLU_REC_VOTE, 5, 1);
    slu_disk_put(disk, &vote, "vote", 4, NULL, 0);
    assert_int_equal(slu_disk_commit(disk), 0);
    put_text(disk, SLU_REC_FINAL, 1, 0, "one");
    put_text(disk, SLU_REC_FINAL, 256, 0, "last");
    put_text(disk, SLU_REC_FINAL, 255, 0, "before");
    slu_disk_close(disk);

    disk = open_ok(dir);
    assert_false(slu_disk_empty(disk));
    struct slu_disk_view *view = slu_disk_view_new(disk);
    const struct slu_store *store = slu_disk_view_store(view);
    const uint8_t *value;
    size_t len;
    assert_int_equal(store->get(store->context, &batch, &value, &len), 0);
    assert_int_equal(len, 11);
    assert_memory_equal(value, "headpayload", 11);
    batch.b = 10;
    assert_int_equal(store->get(store->context, &batch, &value, &len), SLU_ERR_NOT_FOUND);
    struct slu_record_key key;
    assert_int_equal(store->last(store->context, SLU_REC_FINAL, &key, &value, &len), 0);
    assert_true(key.a == 256 && len == 4 && memcmp(value, "last", 4) == 0);
    assert_int_equal(slu_disk_view_first(view, SLU_REC_FINAL, &key, &value, &len), 0);
    assert_true(key.a == 1 && len == 3);
    assert_int_equal(store->last(store->context, SLU_REC_IDS, &key, &value, &len),
                     SLU_ERR_NOT_FOUND);
    assert_int_equal(slu_disk_view_first(view, SLU_REC_IDS, &key, &value, &len), SLU_ERR_NOT_FOUND);
    slu_disk_view_free(view);
    /* Kinds lie in three families; a scan over all of them is in key order all the same. */
    assert_int_equal(count(disk, key_of(SLU_REC_STATE, 0, 0), key_of(SLU_REC_KINDS, 0, 0)), 5);
    assert_int_equal(count(disk, key_of(SLU_REC_FINAL, 255, 0), key_of(SLU_REC_FINAL, 256, 0)), 1);
    slu_disk_close(disk);
}

static void forgotten_records_are_gone(void **state)
{
    (void)state;
    char dir[256];
    path_of(dir, "data");
    struct slu_disk *disk = open_ok(dir);
    for (uint64_t i = 1; i <= 40; i++) {
        put_text(disk, SLU_REC_VOTE, i, 0, "v");
        put_text(disk, SLU_REC_ACK, 1, i, "a");
        put_text(disk, SLU_REC_ACK, 2, i, "a");
    }
    for (uint64_t i = 1; i <= 30; i++) {
        struct slu_record_key from = key_of(SLU_REC_VOTE, 0, 0), to = key_of(SLU_REC_VOTE, i, 0);
        slu_disk_begin(disk);
        slu_disk_forget(disk, &from, &to);
        from = key_of(SLU_REC_ACK, 1, 0);
        to = key_of(SLU_REC_ACK, 1, i);
        slu_disk_forget(disk, &from, &to);
        assert_int_equal(slu_disk_commit(disk), 0);
    }
    /* Below what was forgotten, written again, forgotten again. */
    put_text(disk, SLU_REC_VOTE, 3, 0, "v");
    put_text(disk, SLU_REC_ACK, 1, 3, "a");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(
            count(disk, key_of(SLU_REC_VOTE, 0, 0), key_of(SLU_REC_VOTE, UINT64_MAX, 0)), 12);
        assert_int_equal(count(disk, key_of(SLU_REC_ACK, 1, 0), key_of(SLU_REC_ACK, 1, UINT64_MAX)),
                         12);
        assert_int_equal(count(disk, key_of(SLU_REC_ACK, 2, 0), key_of(SLU_REC_ACK, 2, UINT64_MAX)),
                         40);
        slu_disk_close(disk);
        disk = open_ok(dir);
    }
    struct slu_record_key from = key_of(SLU_REC_VOTE, 0, 0), to = key_of(SLU_REC_VOTE, 31, 0);
    slu_disk_begin(disk);
    slu_disk_forget(disk, &from, &to);
    assert_int_equal(slu_disk_commit(disk), 0);
    assert_int_equal(count(disk, key_of(SLU_REC_VOTE, 0, 0), key_of(SLU_REC_VOTE, UINT64_MAX, 0)),
                     10);
    slu_disk_close(disk);
}

static void put_in(struct slu_disk *disk, enum slu_record_kind kind, uint64_t a, uint64_t b,
                   const char *text)
{
    struct slu_record_key key = key_of(kind, a, b);
    slu_disk_put(disk, &key, text, strlen(text), NULL, 0);
}

static void forget_in(struct slu_disk *disk, enum slu_record_kind kind, uint64_t a, uint64_t b,
                      uint64_t end_a, uint64_t end_b)
{
    struct slu_record_key from = key_of(kind, a, b), to = key_of(kind, end_a, end_b);
    slu_disk_forget(disk, &from, &to);
}

static void expect_text(struct slu_disk *disk, enum slu_record_kind kind, uint64_t a, uint64_t b,
                        const char *text)
{
    struct slu_disk_view *view = slu_disk_view_new(disk);
    const struct slu_store *store = slu_disk_view_store(view);
    struct slu_record_key key = key_of(kind, a, b);
    const uint8_t *value;
    size_t len;
    int error = store->get(store->context, &key, &value, &len);
    assert_int_equal(error, text == NULL ? SLU_ERR_NOT_FOUND : 0);
    if (text != NULL) {
        assert_int_equal(len, strlen(text));
        assert_memory_equal(value, text, len);
    }
    slu_disk_view_free(view);
}

/* What a turn puts and forgets happens in its order, for every kind that sealed entries need, by
 * one key and by ranges. */
static void a_write_keeps_its_order(void **state)
{
    (void)state;
    static const enum slu_record_kind kinds[] = {SLU_REC_CALENDAR, SLU_REC_DUE, SLU_REC_SHARES,
                                                 SLU_REC_OPENED};
    char dir[256];
    path_of(dir, "data");
    struct slu_disk *disk = open_ok(dir);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        enum slu_record_kind kind = kinds[i];
        for (uint64_t b = 0; b < 4; b++)
            put_text(disk, kind, 7, b, "old");
        put_text(disk, kind, 8, 0, "next");
        slu_disk_begin(disk);
        forget_in(disk, kind, 7, 1, 7, 2); /* one, then it is there again */
        put_in(disk, kind, 7, 1, "new");
        put_in(disk, kind, 7, 2, "new"); /* written, then gone */
        forget_in(disk, kind, 7, 2, 7, 3);
        put_in(disk, kind, 9, 0, "new"); /* the same with a range */
        forget_in(disk, kind, 9, 0, 10, 0);
        forget_in(disk, kind, 10, 0, 11, 0);
        put_in(disk, kind, 10, 5, "new");
        assert_int_equal(slu_disk_commit(disk), 0);
        for (int round = 0; round < 2; round++) {
            expect_text(disk, kind, 7, 0, "old");
            expect_text(disk, kind, 7, 1, "new");
            expect_text(disk, kind, 7, 2, NULL);
            expect_text(disk, kind, 7, 3, "old");
            expect_text(disk, kind, 8, 0, "next");
            expect_text(disk, kind, 9, 0, NULL);
            expect_text(disk, kind, 10, 5, "new");
            assert_int_equal(count(disk, key_of(kind, 0, 0), key_of(kind, UINT64_MAX, 0)), 5);
            slu_disk_close(disk);
            disk = open_ok(dir);
        }
        slu_disk_begin(disk);
        forget_in(disk, kind, 7, 0, 8, 0);
        assert_int_equal(slu_disk_commit(disk), 0);
        assert_int_equal(count(disk, key_of(kind, 0, 0), key_of(kind, UINT64_MAX, 0)), 2);
        expect_text(disk, kind, 8, 0, "next");
    }
    slu_disk_close(disk);
}

/* The last key that there can be, and neighbours that differ in what a single deletion must not mix
 * up. */
static void one_key_is_one_key(void **state)
{
    (void)state;
    char dir[256];
    path_of(dir, "data");
    struct slu_disk *disk = open_ok(dir);
    put_text(disk, SLU_REC_CALENDAR, 7, UINT64_MAX, "last");
    put_text(disk, SLU_REC_CALENDAR, 8, 0, "first");
    struct slu_record_key item = {.kind = SLU_REC_INBOX, .a = 7};
    slu_disk_begin(disk);
    for (uint8_t name = 0; name < 3; name++) {
        item.digest[0] = name;
        slu_disk_put(disk, &item, "item", 4, NULL, 0);
    }
    forget_in(disk, SLU_REC_CALENDAR, 7, UINT64_MAX, 8, 0);
    forget_in(disk, SLU_REC_INBOX, 7, 0, 7, 1); /* many items have one valid_until */
    forget_in(disk, SLU_REC_CALENDAR, 8, 0, 8, 0);
    assert_int_equal(slu_disk_commit(disk), 0);
    expect_text(disk, SLU_REC_CALENDAR, 7, UINT64_MAX, NULL);
    expect_text(disk, SLU_REC_CALENDAR, 8, 0, "first");
    assert_int_equal(count(disk, key_of(SLU_REC_INBOX, 0, 0), key_of(SLU_REC_INBOX, UINT64_MAX, 0)),
                     0);
    slu_disk_close(disk);
}

/* The core opens some ten heights a second, for weeks, and reads the calendar all the time: what
 * was forgotten must not slow that down. Ranges in one family with what is read took a millisecond
 * a read after some thousand, and more with each. */
static void forgetting_costs_readers_nothing(void **state)
{
    (void)state;
    enum { HEIGHTS = 4000 };
    char dir[256], body[350];
    struct timespec began, ended;
    path_of(dir, "data");
    memset(body, 7, sizeof body);
    struct slu_disk *disk = open_ok(dir);
    struct slu_disk_view *view = slu_disk_view_new(disk);
    const struct slu_store *store = slu_disk_view_store(view);
    double reading_s = 0;
    for (uint64_t height = 1; height <= HEIGHTS; height++) {
        struct slu_record_key due = key_of(SLU_REC_DUE, height, 3);
        struct slu_record_key waits = key_of(SLU_REC_CALENDAR, height, 5);
        slu_disk_begin(disk);
        slu_disk_put(disk, &due, body, sizeof body, NULL, 0);
        slu_disk_put(disk, &waits, body, sizeof body, NULL, 0);
        forget_in(disk, SLU_REC_DUE, height - 1, 0, height, 0);
        forget_in(disk, SLU_REC_CALENDAR, height - 1, 5, height - 1, 6);
        assert_int_equal(slu_disk_write(disk), 0);
        const uint8_t *value;
        size_t len;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
        assert_int_equal(store->get(store->context, &waits, &value, &len), 0);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
        reading_s +=
            (double)(ended.tv_sec - began.tv_sec) + 1e-9 * (double)(ended.tv_nsec - began.tv_nsec);
    }
    print_message("%d reads in %.3f s\n", (int)HEIGHTS, reading_s);
    assert_true(reading_s < 0.4); /* 0.1 ms each */
    slu_disk_view_free(view);
    assert_int_equal(count(disk, key_of(SLU_REC_CALENDAR, 0, 0), key_of(SLU_REC_SHARES, 0, 0)), 2);
    slu_disk_close(disk);
}

static void refuses_another_owner(void **state)
{
    (void)state;
    char dir[256], why[WHY];
    path_of(dir, "data");
    slu_disk_close(open_ok(dir));
    struct slu_disk *disk = NULL;
    struct slu_disk_identity other = identity;
    other.node = 3;
    assert_int_equal(slu_disk_open(&disk, dir, &other, why, sizeof why), SLU_ERR_MISMATCH);
    assert_non_null(strstr(why, dir));
    assert_non_null(strstr(why, "of node 2, this is node 3"));
    other = identity;
    other.chain_id[0] ^= 1;
    assert_int_equal(slu_disk_open(&disk, dir, &other, why, sizeof why), SLU_ERR_MISMATCH);
    assert_non_null(strstr(why, "another chain"));
    disk = open_ok(dir);
    struct slu_disk *second = NULL;
    assert_int_equal(slu_disk_open(&second, dir, &identity, why, sizeof why), SLU_ERR_BUSY);
    assert_non_null(strstr(why, "in use"));
    slu_disk_close(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgotten_records_are_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_write_keeps_its_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_key_is_one_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgetting_costs_readers_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_another_owner, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
