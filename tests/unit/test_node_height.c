/* What readers get of a prepared store (node/height), how old ids are found (node/lookup), and that
 * pruning (node/retention) takes what is due and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/height.h"
#include "node/lookup.h"
#include "node/retention.h"
#include "sluice/error.h"
#include "tests/unit/prepared_store.h"

#define HEIGHTS 200u

static struct slu_genesis genesis;
static struct slu_metrics metrics;
static char root[64], dir[128];
static struct slu_disk *disk;

static int make_chain(void **state)
{
    (void)state;
    return make_genesis(&genesis);
}

/* Beside every height: shares, what was opened, and what the core alone may delete. */
static void put_sealed(uint64_t height)
{
    static const enum slu_record_kind kinds[] = {SLU_REC_SHARES, SLU_REC_OPENED, SLU_REC_CALENDAR,
                                                 SLU_REC_DUE};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct slu_record_key key = {.kind = kinds[i], .a = height};
        key.b = kinds[i] == SLU_REC_SHARES ? 64 : 0; /* the second message */
        slu_disk_put(disk, &key, "sealed", 6, NULL, 0);
    }
}

static int set_up(void **state)
{
    (void)state;
    char why[512];
    struct slu_disk_identity identity = {.node = 0};
    strcpy(root, "/tmp/slu_height_XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    snprintf(dir, sizeof dir, "%s/data", root);
    if (slu_disk_open(&disk, dir, &identity, why, sizeof why) != 0)
        return -1;
    slu_disk_begin(disk);
    for (uint64_t height = 1; height <= HEIGHTS; height++) {
        put_delivered(disk, height);
        put_final(disk, height);
        put_sealed(height);
    }
    return slu_disk_commit(disk);
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    slu_disk_close(disk);
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void readers_get_what_was_not_dropped(void **state)
{
    (void)state;
    struct slu_height_cache *cache = slu_height_cache_new(disk, &metrics);
    struct slu_height height;
    struct slu_chunk chunk;
    /* Twice, backwards and forwards, over more heights than are cached. */
    for (unsigned round = 0; round < 2; round++) {
        for (uint64_t step = 0; step < 100; step++) {
            uint64_t h = round == 0 ? 100 - step : 1 + step;
            assert_int_equal(slu_height_cache_get(cache, h, &height), 0);
            assert_true(height.height == h && height.time_ms == h * STEP_MS);
            assert_int_equal(height.indexes, BATCHES * LIVE);
            uint32_t index = 0;
            for (uint32_t lane = 0; lane < height.chunk_count; lane++) {
                assert_int_equal(slu_height_cache_chunk(cache, h, lane, &chunk), 0);
                assert_int_equal(chunk.entries, LIVE);
                struct slu_reader r = slu_reader_of(chunk.bytes, chunk.len);
                for (uint32_t tx = 0; tx < TXS; tx++) {
                    uint8_t id[32], body[64];
                    if (tx == 3 || tx == 7)
                        continue;
                    size_t len = body_of(body, h, lane, tx);
                    name_of(id, h, lane, tx);
                    assert_int_equal(slu_read_u32(&r), index++);
                    assert_true(slu_read_u64(&r) == rollup_of(tx));
                    assert_true(slu_read_u64(&r) == 5); /* valid_until */
                    assert_memory_equal(slu_read_bytes(&r, 32), id, 32);
                    assert_int_equal(slu_read_u8(&r), SLU_TX_PLAIN);
                    assert_int_equal(slu_read_u32(&r), len);
                    assert_memory_equal(slu_read_bytes(&r, len), body, len);
                }
                assert_true(slu_reader_done(&r));
            }
            assert_int_equal(slu_height_cache_chunk(cache, h, BATCHES, &chunk), SLU_ERR_NOT_FOUND);
        }
    }
    assert_int_equal(slu_height_cache_get(cache, HEIGHTS + 1, &height), SLU_ERR_NOT_FOUND);
    assert_int_equal(slu_height_cache_get(cache, 0, &height), SLU_ERR_NOT_FOUND);
    slu_height_cache_free(cache);
}

/* ---- lookup ---- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t token;
};

static void looked_up(void *context, uint64_t token)
{
    struct waiter *w = context;
    pthread_mutex_lock(&w->lock);
    w->token = token;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void old_ids_are_found(void **state)
{
    (void)state;
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct slu_lookup *lookup;
    struct slu_tx_status statuses[5];
    memset(statuses, 0, sizeof statuses);
    name_of(statuses[0].id, 17, 1, 4); /* delivered */
    name_of(statuses[1].id, 18, 0, 7); /* expired */
    memset(statuses[2].id, 0xee, 32);  /* never seen */
    name_of(statuses[3].id, HEIGHTS, 0, 0);
    name_of(statuses[4].id, 3, 0, 1);
    statuses[4].stage = SLU_STAGE_CERTIFIED; /* known to be elsewhere: left alone */
    assert_int_equal(slu_lookup_start(&lookup, disk, &genesis, looked_up, &w), 0);
    assert_int_equal(slu_lookup_put(lookup, 42, statuses, 5, HEIGHTS, false), 0);
    pthread_mutex_lock(&w.lock);
    while (w.token == 0)
        pthread_cond_wait(&w.changed, &w.lock);
    pthread_mutex_unlock(&w.lock);
    assert_true(w.token == 42);
    slu_lookup_stop(lookup);
    assert_true(statuses[0].stage == SLU_STAGE_FINAL && statuses[0].height == 17);
    assert_int_equal(statuses[0].index, LIVE + 3); /* lane 1, and tx 3 before it was dropped */
    assert_true(statuses[1].stage == SLU_STAGE_DROPPED && statuses[1].height == 18);
    assert_int_equal(statuses[1].drop, SLU_DROP_EXPIRED);
    assert_int_equal(statuses[2].stage, SLU_STAGE_UNKNOWN);
    assert_true(statuses[3].stage == SLU_STAGE_FINAL && statuses[3].height == HEIGHTS);
    assert_int_equal(statuses[4].stage, SLU_STAGE_CERTIFIED);
}

/* ---- pruning ---- */

static bool has(struct slu_disk_view *view, enum slu_record_kind kind, uint64_t a, uint64_t b)
{
    const struct slu_store *store = slu_disk_view_store(view);
    struct slu_record_key key = {.kind = kind, .a = a, .b = b};
    const uint8_t *value;
    size_t len;
    if (kind == SLU_REC_BATCH)
        name_of(key.digest, b, a, 99);
    return store->get(store->context, &key, &value, &len) == 0;
}

/* Everything of heights `lowest`.. is there, and nothing below but the batch at the pruned cut. */
static void check_retained(struct slu_disk_view *view, uint64_t lowest)
{
    uint64_t found;
    assert_int_equal(slu_prune_lowest(view, &found), 0);
    assert_true(found == lowest);
    for (uint64_t h = 1; h <= HEIGHTS; h++) {
        assert_int_equal(has(view, SLU_REC_FINAL, h, 0), h >= lowest);
        assert_int_equal(has(view, SLU_REC_DELIVERED, h, 0), h >= lowest);
        assert_int_equal(has(view, SLU_REC_IDS, h, 0), h >= lowest);
        assert_int_equal(has(view, SLU_REC_SHARES, h, 64), h >= lowest);
        assert_int_equal(has(view, SLU_REC_OPENED, h, 0), h >= lowest);
        assert_true(has(view, SLU_REC_CALENDAR, h, 0) && has(view, SLU_REC_DUE, h, 0));
        for (uint64_t lane = 0; lane < BATCHES; lane++)
            assert_int_equal(has(view, SLU_REC_BATCH, lane, h), h + 1 >= lowest);
    }
}

static uint64_t announced;

static void announce(void *context, uint64_t lowest)
{
    struct slu_disk_view *view = context;
    assert_true(
        has(view, SLU_REC_DELIVERED, lowest - 1, 0)); /* readers hear of it before it goes */
    announced = lowest;
}

static void put_item(uint64_t valid_until_ms)
{
    struct slu_record_key key = {.kind = SLU_REC_INBOX, .a = valid_until_ms, .digest = {7}};
    slu_disk_begin(disk);
    slu_disk_put(disk, &key, (const uint8_t *)"item", 4, NULL, 0);
    assert_int_equal(slu_disk_commit(disk), 0);
}

static bool has_item(struct slu_disk_view *view, uint64_t valid_until_ms)
{
    const struct slu_store *store = slu_disk_view_store(view);
    struct slu_record_key key = {.kind = SLU_REC_INBOX, .a = valid_until_ms, .digest = {7}};
    const uint8_t *value;
    size_t len;
    return store->get(store->context, &key, &value, &len) == 0;
}

/* What a pruned block queued may still be to deliver: then nothing of the step goes. */
static void pruning_waits_for_the_queue(void **state)
{
    (void)state;
    struct slu_disk_view *view = slu_disk_view_new(disk);
    struct slu_pruner pruner = {.disk = disk, .genesis = &genesis, .retention_ms = 100 * STEP_MS};
    uint32_t pruned;
    slu_disk_begin(disk);
    put_final_with_tail(disk, 49, HEIGHTS);
    assert_int_equal(slu_disk_commit(disk), 0);
    assert_int_equal(
        slu_prune_step(&pruner, view, HEIGHTS, 151 * STEP_MS, 512, announce, view, &pruned), 0);
    assert_int_equal(pruned, 0);
    check_retained(view, 1);
    slu_disk_view_free(view);
}

/* However old: what is not open is needed, by readers and by those who ask for shares. */
static void pruning_waits_for_openings(void **state)
{
    (void)state;
    struct slu_disk_view *view = slu_disk_view_new(disk);
    struct slu_pruner pruner = {.disk = disk, .genesis = &genesis, .retention_ms = 1};
    uint32_t pruned;
    for (uint64_t open = 0; open < 60; open += 20) {
        assert_int_equal(
            slu_prune_step(&pruner, view, open, 10000 * STEP_MS, 512, announce, view, &pruned), 0);
        check_retained(view, open > SLU_HEIGHTS_KEPT ? open - SLU_HEIGHTS_KEPT : 1);
    }
    slu_disk_view_free(view);
}

static void pruning_takes_what_is_due(void **state)
{
    (void)state;
    struct slu_disk_view *view = slu_disk_view_new(disk);
    struct slu_pruner pruner = {.disk = disk, .genesis = &genesis, .retention_ms = 100 * STEP_MS};
    uint32_t pruned;
    check_retained(view, 1);
    assert_int_equal(
        slu_prune_step(&pruner, view, HEIGHTS, 50 * STEP_MS, 512, announce, view, &pruned), 0);
    assert_int_equal(pruned, 0);
    put_item(20 * STEP_MS);
    put_item(60 * STEP_MS);
    /* Heights 1..50 are more than 100 s old at 151 s, and the last of them stays: a restart needs
     * the block before the oldest that counts. In steps of 20. */
    for (unsigned step = 0; step < 4; step++) {
        assert_int_equal(
            slu_prune_step(&pruner, view, HEIGHTS, 151 * STEP_MS, 20, announce, view, &pruned), 0);
        assert_int_equal(pruned, step < 2 ? 20 : step == 2 ? 9 : 0);
    }
    assert_true(announced == 50);
    check_retained(view, 50);
    slu_prune_reclaim(&pruner, 50);
    check_retained(view, 50);
    assert_false(has_item(view, 20 * STEP_MS));
    assert_true(has_item(view, 60 * STEP_MS));
    /* Whatever the config says: the dedup window stays, and the newest heights. */
    pruner.retention_ms = 1;
    assert_int_equal(
        slu_prune_step(&pruner, view, HEIGHTS, 131 * STEP_MS, 512, NULL, NULL, &pruned), 0);
    check_retained(view, 131 - genesis.params.dedup_window_ms / STEP_MS - 2);
    assert_int_equal(
        slu_prune_step(&pruner, view, HEIGHTS, 10000 * STEP_MS, 512, NULL, NULL, &pruned), 0);
    check_retained(view, HEIGHTS - SLU_HEIGHTS_KEPT);
    slu_disk_view_free(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readers_get_what_was_not_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_ids_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pruning_takes_what_is_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pruning_waits_for_the_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pruning_waits_for_openings, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, make_chain, NULL);
}
