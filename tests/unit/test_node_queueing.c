/* Where a delivered forced entry was queued, and for which height (node/queueing): read out of the
 * stored blocks. The expected heights are worked out by hand from docs/PROTOCOL.md clause 6.5. */
#include <pthread.h>
#include <stdlib.h>

#include "node/lookup.h"
#include "node/queueing.h"
#include "sluice/error.h"
#include "tests/unit/queued_store.h"

#define PLENTY ((size_t)1 << 20)

static struct slu_genesis genesis;
static char root[64];
static struct slu_disk *disk;
static struct slu_disk_view *view;

/* forced_delay 2 and 1,024 bytes a height: two items of 300 + 48 fit, not three.
 *
 *     height 3 queues 1..5         for 5 5 6 6 7        height 9 queues 8 and evidence, for 11
 *     height 4 queues 6 (7 has room for it) and 7       7 is delivered by a lane before its height
 */
static const struct queued_item at_3[] = {{.name = 1, .bytes = 300},
                                          {.name = 2, .bytes = 300},
                                          {.name = 3, .bytes = 300},
                                          {.name = 4, .bytes = 300},
                                          {.name = 5, .bytes = 300}};
static const struct queued_item at_4[] = {{.name = 6, .bytes = 300},
                                          {.name = 7, .bytes = 300, .outcome = SLU_DROP_DUPLICATE}};
static const struct queued_item at_9[] = {{.name = 4, .bytes = 200, .evidence = true},
                                          {.name = 8, .bytes = 900}};

static void put_heights(void)
{
    static const struct queued_item due_7[] = {{.name = 5, .bytes = 300},
                                               {.name = 6, .bytes = 300}};
    for (uint64_t height = 1; height <= 12; height++) {
        struct slu_queue_tail tail = {.height = 0};
        if (height >= 3)
            tail = (struct slu_queue_tail){7, 348};
        if (height >= 4)
            tail = (struct slu_queue_tail){8, 348};
        if (height >= 9)
            tail = (struct slu_queue_tail){11, 948};
        put_queuing_block(disk, height, tail,
                          height == 3   ? at_3
                          : height == 4 ? at_4
                                        : at_9,
                          height == 3   ? 5
                          : height == 4 ? 2
                          : height == 9 ? 2
                                        : 0);
        put_out_of_queue(disk, height, at_3, 0);
    }
    put_out_of_queue(disk, 5, at_3, 2);
    put_out_of_queue(disk, 6, at_3 + 2, 2);
    put_out_of_queue(disk, 7, due_7, 2);
    put_out_of_queue(disk, 8, at_4 + 1, 1);
    put_out_of_queue(disk, 9, at_9, 1);
    put_out_of_queue(disk, 11, at_9 + 1, 1);
}

static int set_up(void **state)
{
    (void)state;
    char dir[128], why[512];
    struct slu_disk_identity identity = {.node = 0};
    if (genesis.n == 0) {
        if (make_genesis(&genesis) != 0)
            return -1;
        genesis.params.forced_bytes_per_block = 1024;
    }
    strcpy(root, "/tmp/slu_queueing_XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    snprintf(dir, sizeof dir, "%s/data", root);
    if (slu_disk_open(&disk, dir, &identity, why, sizeof why) != 0)
        return -1;
    slu_disk_begin(disk);
    put_heights();
    if (slu_disk_commit(disk) != 0)
        return -1;
    view = slu_disk_view_new(disk);
    return view == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    slu_disk_view_free(view);
    slu_disk_close(disk);
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static struct slu_queueing find(uint8_t name, uint64_t height, size_t bytes)
{
    struct slu_queueing found;
    uint8_t id[32];
    queued_id(id, name);
    assert_int_equal(
        slu_queueing_find(&found, slu_disk_view_store(view), &genesis, height, id, &bytes), 0);
    return found;
}

static void expect(uint8_t name, uint64_t height, bool forced, uint64_t queued, uint64_t due)
{
    struct slu_queueing found = find(name, height, PLENTY);
    assert_int_equal(found.forced, forced);
    assert_true(found.queued == queued);
    assert_true(found.due == due);
}

static void each_has_its_queueing(void **state)
{
    (void)state;
    expect(1, 5, true, 3, 5);
    expect(2, 5, true, 3, 5);
    expect(3, 6, true, 3, 6);
    expect(4, 6, true, 3, 6);
    expect(5, 7, true, 3, 7);
    expect(6, 7, true, 4, 7);
    expect(8, 11, true, 9, 11);
}

static void others_have_none(void **state)
{
    (void)state;
    expect(7, 8, false, 0, 0);  /* its id was delivered before */
    expect(1, 6, false, 0, 0);  /* not at this height */
    expect(4, 9, false, 0, 0);  /* evidence */
    expect(99, 5, false, 0, 0); /* out of a lane */
    expect(1, 40, false, 0, 0); /* no such height */
}

/* The due height is what the blocks say, also if it were not the one that delivered it. */
static void a_wrong_height_shows(void **state)
{
    (void)state;
    slu_disk_begin(disk);
    put_out_of_queue(disk, 6, at_3, 1);
    assert_int_equal(slu_disk_commit(disk), 0);
    expect(1, 6, true, 3, 5);
}

static void forget(enum slu_record_kind kind, uint64_t height)
{
    struct slu_record_key from = {.kind = kind, .a = height}, to = {.kind = kind, .a = height + 1};
    slu_disk_begin(disk);
    slu_disk_forget(disk, &from, &to);
    assert_int_equal(slu_disk_commit(disk), 0);
}

static void what_is_pruned_is_not_told(void **state)
{
    (void)state;
    forget(SLU_REC_FINAL, 2); /* before it, the queue may have held anything */
    expect(1, 5, true, 0, 0);
    expect(6, 7, true, 4, 7);
    forget(SLU_REC_FINAL, 4);
    expect(6, 7, true, 0, 0);
    forget(SLU_REC_DELIVERED, 7);
    expect(6, 7, false, 0, 0);
}

/* However few bytes may be read: nothing is told, or the truth. */
static void reading_is_bounded(void **state)
{
    (void)state;
    bool none = false, all = false;
    for (size_t bytes = 0; bytes < 4096; bytes += 16) {
        size_t left = bytes;
        struct slu_queueing found;
        uint8_t id[32];
        queued_id(id, 5);
        assert_int_equal(
            slu_queueing_find(&found, slu_disk_view_store(view), &genesis, 7, id, &left), 0);
        assert_true(left <= bytes);
        assert_true((found.queued == 0 && found.due == 0) || (found.queued == 3 && found.due == 7));
        none = none || found.queued == 0;
        all = all || found.queued == 3;
    }
    assert_true(none && all);
}

static void damage_is_an_error(void **state)
{
    (void)state;
    static const enum slu_record_kind kinds[] = {SLU_REC_DELIVERED, SLU_REC_FINAL};
    for (size_t i = 0; i < 2; i++) {
        struct slu_record_key key = {.kind = kinds[i], .a = i == 0 ? 6 : 4};
        struct slu_queueing found;
        uint8_t id[32];
        size_t bytes = PLENTY;
        slu_disk_begin(disk);
        slu_disk_put(disk, &key, (const uint8_t *)"short", 5, NULL, 0);
        assert_int_equal(slu_disk_commit(disk), 0);
        queued_id(id, i == 0 ? 3 : 6);
        assert_int_equal(slu_queueing_find(&found, slu_disk_view_store(view), &genesis,
                                           i == 0 ? 6 : 7, id, &bytes),
                         SLU_ERR_CORRUPT);
    }
}

/* ---- through node/lookup, which does not know the height ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t looked_up;

static void done(void *context, uint64_t token)
{
    (void)context;
    pthread_mutex_lock(&lock);
    looked_up = token;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void look_up(struct slu_tx_status *statuses, uint32_t count, bool queueing)
{
    struct slu_lookup *lookup;
    looked_up = 0;
    assert_int_equal(slu_lookup_start(&lookup, disk, &genesis, done, NULL), 0);
    assert_int_equal(slu_lookup_put(lookup, 7, statuses, count, 12, queueing), 0);
    pthread_mutex_lock(&lock);
    while (looked_up != 7)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    slu_lookup_stop(lookup);
}

/* Found without any record of ids, which a busy chain has too many of to search them far back. */
static void unknown_ones_are_found(void **state)
{
    (void)state;
    static const struct {
        uint8_t name;
        uint64_t height, queued;
        uint32_t index;
    } cases[] = {{1, 5, 3, 0}, {2, 5, 3, 1}, {6, 7, 4, 1}, {8, 11, 9, 0}};
    for (int queueing = 0; queueing < 2; queueing++) {
        struct slu_tx_status statuses[6];
        memset(statuses, 0, sizeof statuses);
        for (size_t i = 0; i < 4; i++)
            queued_id(statuses[i].id, cases[i].name);
        queued_id(statuses[4].id, 7); /* never came out */
        queued_id(statuses[5].id, 99);
        look_up(statuses, 6, queueing);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(statuses[i].stage, queueing ? SLU_STAGE_FINAL : SLU_STAGE_UNKNOWN);
            assert_true(!queueing || (statuses[i].height == cases[i].height &&
                                      statuses[i].due == cases[i].height &&
                                      statuses[i].queued == cases[i].queued &&
                                      statuses[i].index == cases[i].index && statuses[i].forced));
        }
        assert_int_equal(statuses[4].stage, SLU_STAGE_UNKNOWN);
        assert_int_equal(statuses[5].stage, SLU_STAGE_UNKNOWN);
    }
}

#define STORED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORED(each_has_its_queueing),  STORED(others_have_none),
        STORED(a_wrong_height_shows),   STORED(what_is_pruned_is_not_told),
        STORED(reading_is_bounded),     STORED(damage_is_an_error),
        STORED(unknown_ones_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
