/* Readers that verify (node/releases, node/stream): what they get is certified, each run's releases
 * come before its heights, with each height the proof of its list; from any height on, also in the
 * middle of a run or just above what is pruned. Over a store with releases and real links. */
#include "tests/unit/gateway_stage.h"
#include "tests/unit/released_store.h"
#include "wire/merkle.h"

#define ABSENT 99u

/* Certificates of the prepared heights; the last run is long. */
static const uint64_t certified[] = {11, 16, 24, 25, 40, STAGE_HEIGHTS};
#define CERTIFIED (sizeof certified / sizeof *certified)

static int set(void **state)
{
    if (stage_set(state) != 0)
        return -1;
    struct stage *stage = *state;
    memset(released, 0, sizeof released);
    slu_disk_begin(stage->disk);
    for (uint64_t height = STAGE_LOWEST; height <= STAGE_HEIGHTS; height++)
        put_released(stage->disk, &stage->genesis, height);
    for (size_t i = 0; i < CERTIFIED; i++)
        put_cert(stage->disk, &stage->genesis, certified[i]);
    assert_int_equal(slu_disk_commit(stage->disk), 0);
    slu_stream_certified(stage->stream, STAGE_HEIGHTS);
    return 0;
}

static uint64_t subscribe(struct slu_session *session, uint64_t rollup, uint64_t from, uint64_t to)
{
    Slu__Client__Subscribe body = SLU__CLIENT__SUBSCRIBE__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    body.rollup = rollup;
    body.from_height = from;
    body.to_height = to;
    body.releases = true;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &body;
    assert_int_equal(slu_session_send(session, &request), 0);
    return request.id;
}

/* ---- what a reader does with it ---- */

/* Releases from .. end-1, and of `end` the certificate, when the run ends there. */
static void expect_releases(const struct stage *stage, uint64_t id, uint64_t from, uint64_t end,
                            bool whole)
{
    uint8_t bytes[SLU_RELEASE_CERT_BYTES_MAX];
    Slu__Client__Reply *reply = stage_reply(stage->session, id);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_RELEASES);
    const Slu__Client__Releases *got = reply->releases;
    assert_int_equal(got->releases.len, (end - from) * SLU_RELEASE_BYTES);
    for (uint64_t height = from; height < end; height++) {
        struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
        slu_release_write(&w, &released[height]);
        assert_memory_equal(got->releases.data + (height - from) * SLU_RELEASE_BYTES, bytes,
                            SLU_RELEASE_BYTES);
    }
    size_t len = whole ? released_cert(bytes, &stage->genesis, end) : 0;
    assert_int_equal(got->certificate.len, len);
    if (whole)
        assert_memory_equal(got->certificate.data, bytes, len);
    slu_reply_free(reply);
}

/* The entries that came are the list that the proof shows, all of it. */
static void check_list(const struct stage *stage, const Slu__Client__Height *height,
                       const struct slu_space_leaf *found)
{
    struct slu_reader r = slu_reader_of(height->entries.data, height->entries.len);
    uint8_t leaves[64][32], root[32];
    struct slu_entry entry;
    uint32_t count = 0;
    while (slu_entry_next(&r, &entry))
        slu_entry_leaf(leaves[count++], stage->genesis.chain_id, entry.index, entry.kind,
                       entry.id32, NULL);
    assert_int_equal(found->count, count);
    if (count == 0)
        return;
    slu_merkle_root(root, stage->genesis.chain_id, (const uint8_t(*)[32])leaves, count);
    assert_memory_equal(found->root, root, 32);
}

static void check_proof(const struct stage *stage, const Slu__Client__Height *height)
{
    const uint8_t *chain_id = stage->genesis.chain_id;
    const struct slu_release *release = &released[height->height];
    struct slu_reader r = slu_reader_of(height->proof.data, height->proof.len);
    struct slu_space_leaf found;
    uint64_t rollup = height->rollup;
    if (rollup == 0) {
        assert_int_equal(height->proof.len, 0);
        return;
    }
    assert_int_equal(slu_space_check(&r, chain_id, release->ordered, rollup, &found), 0);
    check_list(stage, height, &found);
    assert_int_equal(slu_space_check(&r, chain_id, release->opened, rollup, &found), 0);
    bool opened =
        height->height % 10 == 0 && (rollup == OPENED_ROLLUP_A || rollup == OPENED_ROLLUP_B);
    assert_int_equal(found.count, opened);
    assert_true(slu_reader_done(&r));
}

static void expect_height(const struct stage *stage, uint64_t id, uint64_t height)
{
    Slu__Client__Reply *reply = stage_reply(stage->session, id);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_HEIGHT);
    assert_true(reply->height->height == height && !reply->height->more);
    check_proof(stage, reply->height);
    slu_reply_free(reply);
}

static void expect_heights(const struct stage *stage, uint64_t id, uint64_t from, uint64_t to)
{
    for (uint64_t height = from; height <= to; height++)
        expect_height(stage, id, height);
}

static void expect_end(const struct stage *stage, uint64_t id)
{
    Slu__Client__Reply *reply = stage_reply(stage->session, id);
    assert_int_equal(reply->body_case, SLU__CLIENT__REPLY__BODY_END);
    slu_reply_free(reply);
}

/* ---- the tests ---- */

static void each_run_has_its_releases_before_its_heights(void **state)
{
    struct stage *stage = *state;
    static const uint64_t rollups[] = {0, 1, 3, OPENED_ROLLUP_A, 7, OPENED_ROLLUP_B, ABSENT};
    for (size_t i = 0; i < sizeof rollups / sizeof *rollups; i++) {
        uint64_t from = STAGE_LOWEST;
        uint64_t id = subscribe(stage->session, rollups[i], from, STAGE_HEIGHTS);
        for (size_t run = 0; run < CERTIFIED; run++) {
            expect_releases(stage, id, from, certified[run], true);
            expect_heights(stage, id, from, certified[run]);
            from = certified[run] + 1;
        }
        expect_end(stage, id);
    }
}

static void from_the_middle_of_a_run(void **state)
{
    struct stage *stage = *state;
    uint64_t id = subscribe(stage->session, 2, 20, 24);
    expect_releases(stage, id, 20, 24, true);
    expect_heights(stage, id, 20, 24);
    expect_end(stage, id);
    /* Beginning at a certified height, and ending before the next one. */
    id = subscribe(stage->session, 2, 25, 30);
    expect_releases(stage, id, 25, 25, true);
    expect_height(stage, id, 25);
    expect_releases(stage, id, 26, 40, true);
    expect_heights(stage, id, 26, 30);
    expect_end(stage, id);
}

static void release(struct stage *stage, uint64_t from, uint64_t to, bool cert)
{
    slu_disk_begin(stage->disk);
    for (uint64_t height = from; height <= to; height++) {
        put_delivered(stage->disk, height);
        put_released(stage->disk, &stage->genesis, height);
    }
    if (cert)
        put_cert(stage->disk, &stage->genesis, to);
    assert_int_equal(slu_disk_commit(stage->disk), 0);
    slu_stream_opened(stage->stream, to);
    if (cert)
        slu_stream_certified(stage->stream, to);
}

/* Open is not enough; from 0: the next that is certified. */
static void no_further_than_what_is_certified(void **state)
{
    struct stage *stage = *state;
    uint64_t next = subscribe(stage->session, 1, 0, 0);
    uint64_t last = subscribe(stage->session, 1, STAGE_HEIGHTS, 0);
    expect_releases(stage, last, STAGE_HEIGHTS, STAGE_HEIGHTS, true);
    expect_height(stage, last, STAGE_HEIGHTS);
    stage_until(stage, SLU_METRIC_SUBSCRIBERS, 2);
    release(stage, STAGE_HEIGHTS + 1, STAGE_HEIGHTS + 2, false);
    stage_silence(stage->session, next, 50);
    stage_silence(stage->session, last, 50);
    release(stage, STAGE_HEIGHTS + 3, STAGE_HEIGHTS + 3, true);
    const uint64_t ids[] = {next, last};
    for (size_t i = 0; i < 2; i++) {
        expect_releases(stage, ids[i], STAGE_HEIGHTS + 1, STAGE_HEIGHTS + 3, true);
        expect_heights(stage, ids[i], STAGE_HEIGHTS + 1, STAGE_HEIGHTS + 3);
    }
    release(stage, STAGE_HEIGHTS + 4, STAGE_HEIGHTS + 4, true);
    expect_releases(stage, next, STAGE_HEIGHTS + 4, STAGE_HEIGHTS + 4, true);
    expect_height(stage, next, STAGE_HEIGHTS + 4);
}

/* However many follow, of whatever rollups: a run and a height's leaves are read once. */
static void readers_at_the_head_share_what_is_read(void **state)
{
    struct stage *stage = *state;
    uint64_t ids[12];
    for (size_t i = 0; i < 12; i++)
        ids[i] = subscribe(stage->session, 1 + i % 4, 0, 0);
    stage_until(stage, SLU_METRIC_SUBSCRIBERS, 12);
    stage_placed(stage);
    release(stage, STAGE_HEIGHTS + 1, STAGE_HEIGHTS + 5, true);
    for (size_t i = 0; i < 12; i++) {
        expect_releases(stage, ids[i], STAGE_HEIGHTS + 1, STAGE_HEIGHTS + 5, true);
        expect_heights(stage, ids[i], STAGE_HEIGHTS + 1, STAGE_HEIGHTS + 5);
    }
    stage_until(stage, SLU_METRIC_STREAM_RUNS, 12);
    assert_int_equal(slu_metrics_get(&stage->metrics, SLU_METRIC_STREAM_RUN_LOADS), 1);
    assert_int_equal(slu_metrics_get(&stage->metrics, SLU_METRIC_STREAM_SPACE_LOADS), 5);
}

static void forget_below(struct stage *stage, uint64_t lowest)
{
    static const enum slu_record_kind kinds[] = {SLU_REC_DELIVERED, SLU_REC_IDS, SLU_REC_SPACE,
                                                 SLU_REC_RELEASE, SLU_REC_RELEASE_CERT};
    slu_stream_pruned(stage->stream, lowest);
    slu_disk_begin(stage->disk);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct slu_record_key lo = {.kind = kinds[i]}, hi = {.kind = kinds[i], .a = lowest};
        slu_disk_forget(stage->disk, &lo, &hi);
    }
    assert_int_equal(slu_disk_commit(stage->disk), 0);
}

/* The lowest height that is kept lies in a run of which the rest is gone. */
static void what_is_kept_is_covered(void **state)
{
    struct stage *stage = *state;
    forget_below(stage, 60);
    stage_error(stage->session, subscribe(stage->session, 1, 59, 0), "below_retention");
    uint64_t id = subscribe(stage->session, 1, 60, STAGE_HEIGHTS);
    expect_releases(stage, id, 60, STAGE_HEIGHTS, true);
    expect_heights(stage, id, 60, STAGE_HEIGHTS);
    expect_end(stage, id);
}

/* One that is covered to its end, but is behind: not a gap. */
static void pruning_ends_a_reader_that_is_behind(void **state)
{
    struct stage *stage = *state;
    uint64_t id = subscribe(stage->session, 1, STAGE_HEIGHTS + 1, 0);
    stage_until(stage, SLU_METRIC_SUBSCRIBERS, 1);
    slu_stream_pruned(stage->stream, STAGE_HEIGHTS + 5);
    slu_stream_opened(stage->stream, STAGE_HEIGHTS + 9);
    slu_stream_certified(stage->stream, STAGE_HEIGHTS + 9);
    assert_true(stage_error(stage->session, id, "below_retention") == STAGE_HEIGHTS + 5);
    assert_int_equal(stage->failed, 0);
}

/* A long run goes in several messages, the last with the certificate. */
static void a_long_run_goes_in_pieces(void **state)
{
    struct stage *stage = *state;
    const uint64_t from = STAGE_HEIGHTS + 1, to = from + 2 * SLU_RELEASES_PER_MESSAGE + 70;
    slu_disk_begin(stage->disk);
    for (uint64_t height = from; height <= to; height++)
        put_released(stage->disk, &stage->genesis, height);
    put_delivered(stage->disk, from);
    put_delivered(stage->disk, from + 1);
    put_cert(stage->disk, &stage->genesis, to);
    assert_int_equal(slu_disk_commit(stage->disk), 0);
    slu_stream_opened(stage->stream, to);
    slu_stream_certified(stage->stream, to);
    for (uint64_t first = from; first <= from + 1; first++) { /* and out of what is kept */
        uint64_t id = subscribe(stage->session, 3, first, from + 1), at = first;
        while (to - at > SLU_RELEASES_PER_MESSAGE) {
            uint64_t end = first == from || at > first ? at + SLU_RELEASES_PER_MESSAGE
                                                       : at + SLU_RELEASES_PER_MESSAGE - 1;
            expect_releases(stage, id, at, end, false);
            at = end;
        }
        expect_releases(stage, id, at, to, true);
        expect_heights(stage, id, first, from + 1);
        expect_end(stage, id);
    }
}

/* Nothing covers what comes next: this reader hears of it, and the node goes on. */
static void without_a_certificate_the_reader_is_told(void **state)
{
    struct stage *stage = *state;
    release(stage, STAGE_HEIGHTS + 1, STAGE_HEIGHTS + 2, false);
    slu_stream_certified(stage->stream, STAGE_HEIGHTS + 2);
    uint64_t id = subscribe(stage->session, 1, STAGE_HEIGHTS + 1, 0);
    stage_error(stage->session, id, "no_certificate");
    assert_int_equal(stage->failed, 0);
    id = subscribe(stage->session, 1, STAGE_HEIGHTS, STAGE_HEIGHTS);
    expect_releases(stage, id, STAGE_HEIGHTS, STAGE_HEIGHTS, true);
    expect_height(stage, id, STAGE_HEIGHTS);
    expect_end(stage, id);
}

/* A height that must have a record and has none is a damaged store: the node is told. */
static void a_missing_space_is_not_passed_over(void **state)
{
    struct stage *stage = *state;
    struct slu_record_key key = {.kind = SLU_REC_SPACE, .a = STAGE_HEIGHTS + 1}, end = key;
    end.a++;
    release(stage, STAGE_HEIGHTS + 1, STAGE_HEIGHTS + 1, true);
    slu_disk_begin(stage->disk);
    slu_disk_forget(stage->disk, &key, &end);
    assert_int_equal(slu_disk_commit(stage->disk), 0);
    uint64_t id = subscribe(stage->session, 1, STAGE_HEIGHTS + 1, 0);
    expect_releases(stage, id, STAGE_HEIGHTS + 1, STAGE_HEIGHTS + 1, true);
    for (uint32_t i = 0; i < STAGE_WAIT_MS && stage->failed == 0; i++)
        usleep(1000);
    assert_int_equal(stage->failed, 1);
}

/* Of any shape, for any rollup, the same bytes as without a tree that is kept. */
static void kept_trees_prove_the_same(void **state)
{
    (void)state;
    static struct slu_space_leaf leaves[70];
    static uint8_t scratch[70][32], nodes[160][32], one[4096], other[4096];
    const uint8_t chain_id[32] = {3};
    for (uint32_t i = 0; i < 70; i++) {
        leaves[i] = (struct slu_space_leaf){.rollup = 2 * i + 1, .count = i + 1};
        memset(leaves[i].root, (int)i, 32);
    }
    for (uint32_t count = 0; count <= 70; count++) {
        uint8_t root[32];
        assert_true(slu_merkle_nodes(count) <= 160);
        slu_space_keep(nodes, chain_id, leaves, count);
        slu_space_root(root, chain_id, leaves, count, scratch);
        for (uint64_t rollup = 0; rollup <= 2 * count + 2; rollup++) {
            struct slu_writer a = slu_writer_of(one, sizeof one);
            struct slu_writer b = slu_writer_of(other, sizeof other);
            struct slu_space_leaf found;
            slu_space_prove(&a, chain_id, leaves, count, rollup, scratch);
            slu_space_prove_kept(&b, leaves, (const uint8_t(*)[32])nodes, count, rollup);
            assert_int_equal(slu_writer_len(&a), slu_writer_len(&b));
            assert_memory_equal(one, other, slu_writer_len(&a));
            struct slu_reader r = slu_reader_of(other, slu_writer_len(&b));
            assert_int_equal(slu_space_check(&r, chain_id, root, rollup, &found), 0);
            assert_true(slu_reader_done(&r));
            assert_int_equal(found.count,
                             rollup % 2 == 1 && rollup < 2 * count ? rollup / 2 + 1 : 0);
        }
    }
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set, stage_strike)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_trees_prove_the_same),
        STAGED(each_run_has_its_releases_before_its_heights),
        STAGED(from_the_middle_of_a_run),
        STAGED(no_further_than_what_is_certified),
        STAGED(readers_at_the_head_share_what_is_read),
        STAGED(what_is_kept_is_covered),
        STAGED(pruning_ends_a_reader_that_is_behind),
        STAGED(a_long_run_goes_in_pieces),
        STAGED(without_a_certificate_the_reader_is_told),
        STAGED(a_missing_space_is_not_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
