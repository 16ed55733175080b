/* Subscriptions (node/stream): history and live are one stream without gaps, filtered by rollup; a
 * reader that does not read costs no memory and no other reader; an error ends a stream and never
 * skips a height. Over a prepared store and real links (gateway_stage.h). */
#include "client/heights.h"
#include "tests/unit/gateway_stage.h"
#include "wire/bundle.h"

static uint64_t subscribe(struct slu_session *session, uint64_t rollup, uint64_t from, uint64_t to,
                          bool every)
{
    Slu__Client__Subscribe body = SLU__CLIENT__SUBSCRIBE__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    body.rollup = rollup;
    body.from_height = from;
    body.to_height = to;
    body.every_height = every;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &body;
    assert_int_equal(slu_session_send(session, &request), 0);
    return request.id;
}

static void deliver(struct stage *stage, uint64_t height)
{
    slu_disk_begin(stage->disk);
    put_delivered(stage->disk, height);
    assert_int_equal(slu_disk_commit(stage->disk), 0);
    slu_stream_opened(stage->stream, height);
}

/* The entries of one part are those of `height` and `rollup`, from the batch order, none missing.
 */
static void check_entries(const Slu__Client__Height *part, uint64_t height, uint64_t rollup)
{
    struct slu_reader r = slu_reader_of(part->entries.data, part->entries.len);
    uint32_t index = 0, seen = 0;
    for (uint32_t lane = 0; lane < BATCHES; lane++) {
        for (uint32_t tx = 0; tx < TXS; tx++) {
            uint8_t id[32], body[64];
            if (tx == 3 || tx == 7)
                continue;
            index++;
            if (rollup != 0 && rollup_of(tx) != rollup)
                continue;
            size_t len = body_of(body, height, lane, tx);
            name_of(id, height, lane, tx);
            assert_int_equal(slu_read_u32(&r), index - 1);
            assert_true(slu_read_u64(&r) == rollup_of(tx));
            assert_true(slu_read_u64(&r) == 5); /* valid_until */
            assert_memory_equal(slu_read_bytes(&r, 32), id, 32);
            assert_int_equal(slu_read_u8(&r), SLU_TX_PLAIN);
            assert_int_equal(slu_read_u32(&r), len);
            assert_memory_equal(slu_read_bytes(&r, len), body, len);
            seen++;
        }
    }
    assert_true(slu_reader_done(&r));
    assert_int_equal(part->count, seen);
}

static void expect_height(struct slu_session *session, uint64_t id, uint64_t height,
                          uint64_t rollup)
{
    Slu__Client__Reply *reply = stage_reply(session, id);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_HEIGHT);
    assert_true(reply->height->height == height && reply->height->time_ms == height * STEP_MS);
    assert_true(reply->height->rollup == rollup);
    assert_false(reply->height->more);
    check_entries(reply->height, height, rollup);
    slu_reply_free(reply);
}

static void expect_end(struct slu_session *session, uint64_t id)
{
    Slu__Client__Reply *reply = stage_reply(session, id);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_END);
    slu_reply_free(reply);
}

static void history_and_live_are_one_stream(void **state)
{
    struct stage *stage = *state;
    static const uint64_t rollups[] = {0, 1, 3};
    for (size_t i = 0; i < 3; i++) {
        uint64_t top = STAGE_HEIGHTS + 10 * i;
        uint64_t id = subscribe(stage->session, rollups[i], STAGE_LOWEST, top + 10, false);
        for (uint64_t height = STAGE_LOWEST; height <= top; height++)
            expect_height(stage->session, id, height, rollups[i]);
        for (uint64_t height = top + 1; height <= top + 10; height++) {
            deliver(stage, height);
            expect_height(stage->session, id, height, rollups[i]);
        }
        expect_end(stage->session, id);
    }
    stage_until(stage, SLU_METRIC_SUBSCRIBERS, 0);
}

/* From 0: the next height. A rollup without entries is silent, unless every height is wanted. */
static void next_height_and_empty_ones(void **state)
{
    struct stage *stage = *state;
    uint64_t next = subscribe(stage->session, 2, 0, 0, false);
    uint64_t silent = subscribe(stage->session, 99, 0, 0, false);
    uint64_t every = subscribe(stage->session, 99, 0, STAGE_HEIGHTS + 2, true);
    stage_placed(stage);
    for (uint64_t height = STAGE_HEIGHTS + 1; height <= STAGE_HEIGHTS + 2; height++) {
        deliver(stage, height);
        expect_height(stage->session, next, height, 2);
        expect_height(stage->session, every, height, 99);
    }
    expect_end(stage->session, every);
    stage_silence(stage->session, silent, 50);
}

static void bad_subscriptions_are_refused(void **state)
{
    struct stage *stage = *state;
    uint64_t id = subscribe(stage->session, 1, 50, 49, false);
    stage_error(stage->session, id, "malformed");
    id = subscribe(stage->session, UINT64_C(1) << 53, 50, 60, false);
    stage_error(stage->session, id, "malformed");
    id = subscribe(stage->session, 1, STAGE_LOWEST - 1, 60, false);
    assert_true(stage_error(stage->session, id, "below_retention") == STAGE_LOWEST);
}

/* One batch with these transactions. */
static void deliver_txs(struct stage *stage, uint64_t height, const struct slu_writer *txs,
                        uint32_t count)
{
    static uint8_t header[SLU_SIGNED_HEADER_BYTES];
    uint8_t record[256], ids[256], digest[32];
    name_of(digest, height, 0, 99);
    struct slu_record_key key = {.kind = SLU_REC_BATCH, .a = 0, .b = height};
    memcpy(key.digest, digest, 32);
    slu_disk_begin(stage->disk);
    slu_disk_put(stage->disk, &key, header, sizeof header, txs->start, slu_writer_len(txs));
    struct slu_writer w = slu_writer_of(record, sizeof record);
    slu_write_bytes(&w, digest, 32);
    slu_write_u64(&w, height);
    slu_write_u64(&w, height * STEP_MS);
    slu_write_u32(&w, count);
    slu_write_u32(&w, 0);
    slu_write_u32(&w, 1);
    slu_write_u32(&w, 0);
    slu_write_u32(&w, 0);
    slu_write_u16(&w, 0);
    slu_write_u64(&w, height);
    slu_write_bytes(&w, digest, 32);
    slu_write_u32(&w, count);
    key = (struct slu_record_key){.kind = SLU_REC_DELIVERED, .a = height};
    slu_disk_put(stage->disk, &key, record, slu_writer_len(&w), NULL, 0);
    struct slu_writer i = slu_writer_of(ids, sizeof ids);
    slu_write_u32(&i, count);
    for (uint32_t tx = 0; tx < count; tx++) {
        name_of(digest, height, 0, tx);
        slu_write_bytes(&i, digest, 32);
        slu_write_u32(&i, tx);
    }
    key.kind = SLU_REC_IDS;
    slu_disk_put(stage->disk, &key, ids, slu_writer_len(&i), NULL, 0);
    assert_false(w.failed || i.failed || txs->failed);
    assert_int_equal(slu_disk_commit(stage->disk), 0);
    slu_stream_opened(stage->stream, height);
}

/* A bundle goes whole to the readers of each leg's rollup, at one index, and to nobody else's. */
static void a_bundle_is_for_each_leg(void **state)
{
    static const uint64_t legs[] = {7, 8, 7};
    static const struct {
        uint64_t rollup;
        uint32_t indexes[4], count;
    } readers[] = {{0, {0, 1, 2, 3}, 4}, {7, {0, 1}, 2}, {8, {1, 3}, 2}, {9, {2}, 1}, {5, {0}, 0}};
    struct stage *stage = *state;
    uint8_t body[128], payload[512], id[32];
    size_t len;
    struct slu_bundle bundle = {.count = 3};
    for (size_t i = 0; i < 3; i++)
        bundle.legs[i] = (struct slu_bundle_leg){legs[i], (const uint8_t *)"legs" + i, 2};
    assert_int_equal(slu_bundle_body(body, sizeof body, &len, &bundle), 0);
    struct slu_writer w = slu_writer_of(payload, sizeof payload);
    slu_tx_write(&w, 7, 5, SLU_TX_PLAIN, body, (uint32_t)len); /* looks like one */
    slu_tx_write(&w, 0, 5, SLU_TX_BUNDLE, body, (uint32_t)len);
    slu_tx_write(&w, 9, 5, SLU_TX_PLAIN, body, 5);
    slu_tx_write(&w, 8, 5, SLU_TX_PLAIN, body, 5);
    deliver_txs(stage, STAGE_HEIGHTS + 1, &w, 4);
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        uint64_t asked = subscribe(stage->session, readers[i].rollup, STAGE_HEIGHTS + 1,
                                   STAGE_HEIGHTS + 1, true);
        Slu__Client__Reply *reply = stage_reply(stage->session, asked);
        assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_HEIGHT);
        assert_int_equal(reply->height->count, readers[i].count);
        struct slu_reader r =
            slu_reader_of(reply->height->entries.data, reply->height->entries.len);
        struct slu_entry entry;
        for (uint32_t k = 0; k < readers[i].count; k++) {
            assert_true(slu_entry_next(&r, &entry));
            assert_int_equal(entry.index, readers[i].indexes[k]);
            if (entry.index != 1)
                continue;
            name_of(id, STAGE_HEIGHTS + 1, 0, 1);
            assert_memory_equal(entry.id32, id, 32);
            assert_true(entry.rollup == 0);
            assert_int_equal(entry.kind, SLU_TX_BUNDLE);
            assert_int_equal(entry.payload_len, len);
            assert_memory_equal(entry.payload, body, len);
        }
        assert_true(slu_reader_done(&r));
        slu_reply_free(reply);
        expect_end(stage->session, asked);
    }
}

static void a_client_has_so_many_and_no_more(void **state)
{
    struct stage *stage = *state;
    uint64_t ids[SLU_READERS_PER_CLIENT];
    for (size_t i = 0; i < SLU_READERS_PER_CLIENT; i++)
        ids[i] = subscribe(stage->session, 1, STAGE_HEIGHTS + 1, 0, false);
    stage_error(stage->session, subscribe(stage->session, 1, 0, 0, false), "busy");
    Slu__Client__Cancel cancel = SLU__CLIENT__CANCEL__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    cancel.request = ids[3];
    request.body_case = SLU__CLIENT__REQUEST__BODY_CANCEL;
    request.cancel = &cancel;
    assert_int_equal(slu_session_send(stage->session, &request), 0);
    stage_until(stage, SLU_METRIC_SUBSCRIBERS, SLU_READERS_PER_CLIENT - 1);
    uint64_t again = subscribe(stage->session, 1, STAGE_HEIGHTS + 1, 0, false);
    stage_until(stage, SLU_METRIC_SUBSCRIBERS, SLU_READERS_PER_CLIENT);
    deliver(stage, STAGE_HEIGHTS + 1);
    expect_height(stage->session, again, STAGE_HEIGHTS + 1, 1);
    expect_height(stage->session, ids[2], STAGE_HEIGHTS + 1, 1);
    stage_silence(stage->session, ids[3], 50);
}

/* A link that goes down ends its subscriptions, also those that wait for something new. */
static void a_client_that_leaves_is_forgotten(void **state)
{
    struct stage *stage = *state;
    for (uint32_t i = 0; i < 40; i++) {
        struct slu_session *session = stage_open(stage);
        for (uint32_t k = 0; k < 5; k++)
            subscribe(session, 1, i % 2 ? STAGE_LOWEST : 0, 0, false);
        if (i % 3 == 0)
            stage_until(stage, SLU_METRIC_SUBSCRIBERS, 5);
        slu_session_close(session);
        stage_until(stage, SLU_METRIC_SUBSCRIBERS, 0);
    }
}

/* Pruned while it reads: an error with the lowest height, not a gap. */
static void pruning_ends_a_stream_that_is_behind(void **state)
{
    struct stage *stage = *state;
    uint64_t id = subscribe(stage->session, 1, STAGE_HEIGHTS + 1, 0, false);
    stage_until(stage, SLU_METRIC_SUBSCRIBERS, 1);
    slu_stream_pruned(stage->stream, STAGE_HEIGHTS + 5);
    slu_stream_opened(stage->stream, STAGE_HEIGHTS + 9);
    assert_true(stage_error(stage->session, id, "below_retention") == STAGE_HEIGHTS + 5);
}

/* The store cannot give a height that must be there: the node is told, and nothing is skipped. */
static void a_missing_height_is_not_skipped(void **state)
{
    struct stage *stage = *state;
    uint64_t id = subscribe(stage->session, 0, STAGE_HEIGHTS - 1, 0, false);
    expect_height(stage->session, id, STAGE_HEIGHTS - 1, 0);
    expect_height(stage->session, id, STAGE_HEIGHTS, 0);
    slu_disk_begin(stage->disk);
    put_delivered(stage->disk, STAGE_HEIGHTS + 2); /* and not + 1 */
    assert_int_equal(slu_disk_commit(stage->disk), 0);
    slu_stream_opened(stage->stream, STAGE_HEIGHTS + 2);
    for (uint32_t i = 0; i < STAGE_WAIT_MS && stage->failed == 0; i++)
        usleep(1000);
    assert_int_equal(stage->failed, 1);
    slu_stream_opened(stage->stream, STAGE_HEIGHTS + 2);
    stage_silence(stage->session, id, 50);
}

/* ---- a reader that does not read ---- */

#define LARGE_TX      (100u * 1024u)
#define LARGE_HEIGHTS 200u

static void deliver_large(struct stage *stage, uint64_t height)
{
    static uint8_t body[LARGE_TX], payload[LARGE_TX + 64];
    struct slu_writer p = slu_writer_of(payload, sizeof payload);
    memset(body, (int)height, sizeof body);
    slu_tx_write(&p, 1, 5, SLU_TX_PLAIN, body, sizeof body);
    deliver_txs(stage, height, &p, 1);
}

struct sloth {
    pthread_mutex_t gate; /* held: it does not read */
    uint64_t next, ends;
    bool torn;
};

static void slow_reply(void *context, const Slu__Client__Reply *reply)
{
    struct sloth *sloth = context;
    pthread_mutex_lock(&sloth->gate);
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_HEIGHT)
        sloth->torn = sloth->torn || reply->height->height != sloth->next++;
    else
        sloth->ends++;
    pthread_mutex_unlock(&sloth->gate);
}

static void a_reader_that_does_not_read_waits_in_the_store(void **state)
{
    struct stage *stage = *state;
    static struct sloth sloth = {.gate = PTHREAD_MUTEX_INITIALIZER, .next = STAGE_HEIGHTS + 1};
    struct slu_session_config config = {.url = stage->node.client_listen_url,
                                        .timeout_ms = STAGE_WAIT_MS,
                                        .on_reply = slow_reply,
                                        .context = &sloth};
    struct slu_session *slow;
    char why[512];
    uint64_t last = STAGE_HEIGHTS + LARGE_HEIGHTS;
    assert_int_equal(slu_session_open(&slow, &config, why, sizeof why), 0);
    pthread_mutex_lock(&sloth.gate);
    subscribe(slow, 0, STAGE_HEIGHTS + 1, last, false);
    uint64_t id = subscribe(stage->session, 0, STAGE_HEIGHTS + 1, last, false);
    uint64_t one = 0;
    for (uint64_t height = STAGE_HEIGHTS + 1; height <= last; height++) {
        deliver_large(stage, height);
        Slu__Client__Reply *reply = stage_reply(stage->session, id);
        assert_true(reply->height->height == height && reply->height->count == 1);
        one = reply->height->entries.len;
        slu_reply_free(reply);
    }
    expect_end(stage->session, id);
    /* What the other one was not read stayed where it was, but for its link and the sockets. */
    uint64_t sent = slu_metrics_get(&stage->metrics, SLU_METRIC_STREAM_BYTES);
    assert_true(sent < LARGE_HEIGHTS * one + SLU_READER_QUEUE_BYTES + (4u << 20));
    assert_int_equal(slu_metrics_get(&stage->metrics, SLU_METRIC_CLIENT_SLOW), 0);
    pthread_mutex_unlock(&sloth.gate);
    bool ended = false;
    for (uint32_t i = 0; i < STAGE_WAIT_MS && !ended; i++) {
        usleep(1000);
        pthread_mutex_lock(&sloth.gate);
        ended = sloth.ends > 0;
        pthread_mutex_unlock(&sloth.gate);
    }
    slu_session_close(slow);
    assert_int_equal(sloth.ends, 1);
    assert_true(sloth.next == last + 1 && !sloth.torn);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, stage_set, stage_strike)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(history_and_live_are_one_stream),
        STAGED(next_height_and_empty_ones),
        STAGED(bad_subscriptions_are_refused),
        STAGED(a_bundle_is_for_each_leg),
        STAGED(a_client_has_so_many_and_no_more),
        STAGED(a_client_that_leaves_is_forgotten),
        STAGED(pruning_ends_a_stream_that_is_behind),
        STAGED(a_missing_height_is_not_skipped),
        STAGED(a_reader_that_does_not_read_waits_in_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
