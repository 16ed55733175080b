/* What readers get of sealed entries (node/height, node/openings): commitments where they were
 * ordered, openings right behind them or, of what waited, behind the queue's entries; and that no
 * record that contradicts another one is ever served. */
#include "node/height.h"

#include <stdlib.h>

#include "consensus/opened.h"
#include "sluice/error.h"
#include "tests/unit/prepared_store.h"
#include "wire/bundle.h"
#include "wire/opening.h"

/* Height 9: out of the queue a plain one and a sealed one that is due; two that waited since
 * heights 3 and 5; a batch of five: plain, sealed and due, dropped, sealed and waiting, sealed and
 * void; then one of a plain one.
 *
 *     index   0 plain  1 sealed   2 3 opened     4 plain  5 sealed  6 sealed  7 sealed     8 plain
 *                      1 opened                           5 opened            7 void
 */
#define HEIGHT  UINT64_C(9)
#define INDEXES 9u
#define DUES    5u

static struct slu_metrics metrics;
static char root[64];
static struct slu_disk *disk;

/* What a test changes of the records before they are written. */
static struct scene {
    struct slu_delivered_due dues[DUES];
    struct slu_opened opened[DUES];
    uint8_t openings[DUES][256];
    uint8_t ids[DUES][32]; /* of the OPENED record */
    uint32_t entries, due_count, opened_count;
    bool no_opened, tail; /* a byte behind the OPENED record */
    uint8_t batch_kind;   /* of entry 5 */
} scene;

static void id_of(uint8_t id32[32], uint32_t index)
{
    memset(id32, 0x40 + (int)index, 32);
}

static const uint8_t *inside; /* of openings; NULL: the word */
static uint32_t inside_len;

static void make_opening(uint32_t i, enum slu_void outcome, uint64_t rollup)
{
    static const uint8_t fill[32] = {0x66};
    const struct slu_delivered_due *due = &scene.dues[i];
    struct slu_writer w = slu_writer_of(scene.openings[i], sizeof scene.openings[i]);
    struct slu_opening opening = {.height = due->ordered_height,
                                  .index = due->ordered_index,
                                  .key_id32 = fill,
                                  .e16 = fill,
                                  .z32 = fill,
                                  .rho32 = fill,
                                  .valid_until_ms = 5,
                                  .payload = inside ? inside : (const uint8_t *)"inside",
                                  .payload_len = inside ? inside_len : 6};
    slu_opening_write(&w, &opening, outcome == SLU_OPENED);
    memcpy(scene.ids[i], due->id, 32);
    scene.opened[i] = (struct slu_opened){.index = due->index,
                                          .id32 = scene.ids[i],
                                          .outcome = (uint8_t)outcome,
                                          .rollup = rollup,
                                          .opening = scene.openings[i],
                                          .opening_len = (uint32_t)slu_writer_len(&w)};
}

static void make_scene(void)
{
    static const struct {
        uint64_t height;
        uint32_t ordered, index;
        enum slu_void outcome;
    } dues[DUES] = {{HEIGHT, 1, 1, SLU_OPENED},
                    {3, 70, 2, SLU_OPENED},
                    {5, 1, 3, SLU_OPENED},
                    {HEIGHT, 5, 5, SLU_OPENED},
                    {HEIGHT, 7, 7, SLU_VOID_SEED}};
    memset(&scene, 0, sizeof scene);
    scene.entries = INDEXES;
    scene.due_count = scene.opened_count = DUES;
    scene.batch_kind = SLU_TX_SEALED;
    for (uint32_t i = 0; i < DUES; i++) {
        scene.dues[i] = (struct slu_delivered_due){.ordered_height = dues[i].height,
                                                   .ordered_index = dues[i].ordered,
                                                   .index = dues[i].index};
        id_of(scene.dues[i].id, dues[i].index);
        make_opening(i, dues[i].outcome, dues[i].outcome == SLU_OPENED ? 100 + i : 0);
    }
}

static struct slu_inbox_tuple item(uint32_t index)
{
    struct slu_inbox_tuple t = {.kind = SLU_INBOX_FORCED,
                                .offence = (uint8_t)index, /* 0 plain, 1 sealed */
                                .bytes = SLU_TX_HEAD_BYTES + 3,
                                .valid_until_ms = 70};
    id_of(t.id, index);
    return t;
}

static void put(enum slu_record_kind kind, uint64_t a, uint64_t b, const uint8_t *digest32,
                const struct slu_writer *w)
{
    struct slu_record_key key = {.kind = kind, .a = a, .b = b};
    assert_false(w->failed);
    if (digest32 != NULL)
        memcpy(key.digest, digest32, 32);
    slu_disk_put(disk, &key, w->start, slu_writer_len(w), NULL, 0);
}

static void put_items(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t bytes[256], zero[SLU_RELAY_BYTES] = {0};
        struct slu_inbox_tuple tuple = item(i);
        struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
        slu_write_bytes(&w, zero, sizeof zero);
        slu_tx_write(&w, i == 0 ? 8 : 0, 70, i == 0 ? SLU_TX_PLAIN : SLU_TX_SEALED,
                     (const uint8_t *)"abc", 3);
        put(SLU_REC_INBOX, 70, 0, tuple.id, &w);
    }
}

static void put_batches(void)
{
    uint8_t bytes[1024] = {0}, digest[32] = {0};
    const uint8_t kinds[] = {SLU_TX_PLAIN, scene.batch_kind, SLU_TX_PLAIN, SLU_TX_SEALED,
                             SLU_TX_SEALED};
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    w.at += SLU_SIGNED_HEADER_BYTES;
    for (uint32_t i = 0; i < 5; i++)
        slu_tx_write(&w, kinds[i] == SLU_TX_PLAIN ? 8 : 0, 70, kinds[i], (const uint8_t *)"abc", 3);
    put(SLU_REC_BATCH, 0, 1, digest, &w);
    w = slu_writer_of(bytes, sizeof bytes);
    w.at += SLU_SIGNED_HEADER_BYTES;
    slu_tx_write(&w, 8, 70, SLU_TX_PLAIN, (const uint8_t *)"abc", 3);
    put(SLU_REC_BATCH, 1, 1, digest, &w);
}

static void put_records(void)
{
    static const uint32_t ordered[] = {0, 1, 4, 5, DROPPED | SLU_DROP_SEALING, 6, 7, 8};
    uint8_t bytes[4096], digest[32] = {0};
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_bytes(&w, digest, 32);
    slu_write_u64(&w, HEIGHT);
    slu_write_u64(&w, HEIGHT * STEP_MS);
    slu_write_u32(&w, scene.entries);
    slu_write_u32(&w, 2); /* items, batches, drops, dues */
    slu_write_u32(&w, 2);
    slu_write_u32(&w, 1);
    slu_write_u32(&w, scene.due_count);
    for (uint32_t i = 0; i < 2; i++) {
        struct slu_inbox_tuple tuple = item(i);
        slu_inbox_tuple_write(&w, &tuple);
        slu_write_u8(&w, SLU_DROP_NONE);
    }
    for (uint16_t lane = 0; lane < 2; lane++) {
        slu_write_u16(&w, lane);
        slu_write_u64(&w, 1);
        slu_write_bytes(&w, digest, 32);
        slu_write_u32(&w, lane == 0 ? 5 : 1);
    }
    slu_write_u32(&w, 0);
    slu_write_u32(&w, 2);
    slu_write_u8(&w, SLU_DROP_SEALING);
    for (uint32_t i = 0; i < scene.due_count; i++) {
        slu_write_bytes(&w, scene.dues[i].id, 32);
        slu_write_u64(&w, scene.dues[i].ordered_height);
        slu_write_u32(&w, scene.dues[i].ordered_index);
        slu_write_u32(&w, scene.dues[i].index);
    }
    put(SLU_REC_DELIVERED, HEIGHT, 0, NULL, &w);
    w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u32(&w, sizeof ordered / sizeof *ordered);
    for (size_t i = 0; i < sizeof ordered / sizeof *ordered; i++) {
        id_of(digest, ordered[i] & 0xff);
        slu_write_bytes(&w, digest, 32);
        slu_write_u32(&w, ordered[i]);
    }
    put(SLU_REC_IDS, HEIGHT, 0, NULL, &w);
}

static void put_opened(void)
{
    uint8_t bytes[4096];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    if (scene.no_opened)
        return;
    slu_write_u32(&w, scene.opened_count);
    for (uint32_t i = 0; i < scene.opened_count; i++) {
        const struct slu_opened *o = &scene.opened[i];
        slu_write_u32(&w, o->index);
        slu_write_bytes(&w, o->id32, 32);
        slu_write_u8(&w, o->outcome);
        slu_write_u64(&w, o->rollup);
        slu_write_u32(&w, o->opening_len);
        slu_write_bytes(&w, o->opening, o->opening_len);
    }
    if (scene.tail)
        slu_write_u8(&w, 0);
    put(SLU_REC_OPENED, HEIGHT, 0, NULL, &w);
}

static void open_disk(void)
{
    char why[512], dir[128];
    struct slu_disk_identity identity = {.node = 0};
    strcpy(root, "/tmp/slu_openings_XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(dir, sizeof dir, "%s/data", root);
    assert_int_equal(slu_disk_open(&disk, dir, &identity, why, sizeof why), 0);
}

static void close_disk(void)
{
    char command[128];
    slu_disk_close(disk);
    snprintf(command, sizeof command, "rm -rf %s", root);
    assert_int_equal(system(command), 0);
}

/* Reads the whole height; the worst that happened to any chunk. */
static int read_scene(struct slu_writer *out, uint32_t *entries)
{
    struct slu_height height;
    struct slu_chunk chunk;
    slu_disk_begin(disk);
    put_items();
    put_batches();
    put_records();
    put_opened();
    assert_int_equal(slu_disk_commit(disk), 0);
    struct slu_height_cache *cache = slu_height_cache_new(disk, &metrics);
    int error = slu_height_cache_get(cache, HEIGHT, &height);
    *entries = 0;
    for (uint32_t i = 0; error == 0 && i < height.chunk_count; i++) {
        error = slu_height_cache_chunk(cache, HEIGHT, i, &chunk);
        if (error != 0)
            break;
        slu_write_bytes(out, chunk.bytes, chunk.len);
        *entries += chunk.entries;
    }
    slu_height_cache_free(cache);
    return error;
}

struct entry {
    uint32_t index, len;
    uint64_t rollup, valid_until_ms;
    uint8_t kind;
    const uint8_t *payload;
};

static struct entry next_entry(struct slu_reader *r)
{
    struct entry e = {.index = slu_read_u32(r), .rollup = slu_read_u64(r)};
    e.valid_until_ms = slu_read_u64(r);
    uint8_t id[32];
    id_of(id, e.index);
    assert_memory_equal(slu_read_bytes(r, 32), id, 32);
    e.kind = slu_read_u8(r);
    e.len = slu_read_u32(r);
    e.payload = slu_read_bytes(r, e.len);
    assert_false(r->failed);
    return e;
}

static void readers_get_openings_in_their_place(void **state)
{
    (void)state;
    static const struct {
        uint32_t index;
        uint64_t rollup;
        uint8_t kind;
    } want[] = {{0, 8, SLU_TX_PLAIN | SLU_ENTRY_FORCED},
                {1, 0, SLU_TX_SEALED | SLU_ENTRY_FORCED},
                {1, 100, SLU_ENTRY_OPENED},
                {2, 101, SLU_ENTRY_OPENED},
                {3, 102, SLU_ENTRY_OPENED},
                {4, 8, SLU_TX_PLAIN},
                {5, 0, SLU_TX_SEALED},
                {5, 103, SLU_ENTRY_OPENED},
                {6, 0, SLU_TX_SEALED},
                {7, 0, SLU_TX_SEALED},
                {7, 0, SLU_ENTRY_VOID},
                {8, 8, SLU_TX_PLAIN}};
    const uint32_t count = sizeof want / sizeof *want;
    uint8_t bytes[4096];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    uint32_t entries, due = 0;
    open_disk();
    make_scene();
    assert_int_equal(read_scene(&w, &entries), 0);
    assert_int_equal(entries, count);
    struct slu_reader r = slu_reader_of(bytes, slu_writer_len(&w));
    for (uint32_t i = 0; i < count; i++) {
        struct entry e = next_entry(&r);
        assert_int_equal(e.index, want[i].index);
        assert_true(e.rollup == want[i].rollup);
        assert_int_equal(e.kind, want[i].kind);
        bool envelope = e.kind != SLU_ENTRY_OPENED && e.kind != SLU_ENTRY_VOID;
        assert_true(e.valid_until_ms == (envelope ? 70 : 0));
        if (envelope) {
            assert_int_equal(e.len, 3);
            assert_memory_equal(e.payload, "abc", 3);
            continue;
        }
        bool opened = e.kind == SLU_ENTRY_OPENED;
        struct slu_opening opening;
        if (!opened)
            assert_int_equal(*e.payload, SLU_VOID_SEED);
        assert_int_equal(slu_opening_read(&opening, e.payload + !opened, e.len - !opened, opened),
                         0);
        assert_true(opening.height == scene.dues[due].ordered_height);
        assert_int_equal(opening.index, scene.dues[due].ordered_index);
        if (opened)
            assert_memory_equal(opening.payload, "inside", 6);
        due++;
    }
    assert_true(slu_reader_done(&r));
    close_disk();
}

/* What was sealed for rollup 0 is a bundle, and stays what it is. */
static void an_opened_bundle_is_of_rollup_0(void **state)
{
    (void)state;
    static const struct slu_bundle bundle = {
        .count = 2, .legs = {{7, (const uint8_t *)"left", 4}, {8, (const uint8_t *)"right", 5}}};
    uint8_t bytes[4096], body[64];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    size_t len;
    uint32_t entries, seen = 0;
    assert_int_equal(slu_bundle_body(body, sizeof body, &len, &bundle), 0);
    open_disk();
    make_scene();
    inside = body;
    inside_len = (uint32_t)len;
    make_opening(2, SLU_OPENED, 0);
    assert_int_equal(read_scene(&w, &entries), 0);
    struct slu_reader r = slu_reader_of(bytes, slu_writer_len(&w));
    for (uint32_t i = 0; i < entries; i++) {
        struct entry e = next_entry(&r);
        struct slu_opening opening;
        if (e.kind != SLU_ENTRY_OPENED || e.rollup != 0)
            continue;
        assert_int_equal(e.index, scene.dues[2].index);
        assert_int_equal(slu_opening_read(&opening, e.payload, e.len, true), 0);
        assert_int_equal(opening.payload_len, len);
        assert_memory_equal(opening.payload, body, len);
        struct slu_entry entry = {
            .rollup = e.rollup, .kind = e.kind, .payload = e.payload, .payload_len = (uint32_t)e.len};
        assert_true(slu_entry_is_for(&entry, 8));
        assert_false(slu_entry_is_for(&entry, 9));
        seen++;
    }
    assert_int_equal(seen, 1);
    close_disk();
    open_disk();
    inside_len--; /* no bundle: nothing of the height's chunk is served */
    make_opening(2, SLU_OPENED, 0);
    w = slu_writer_of(bytes, sizeof bytes);
    assert_int_equal(read_scene(&w, &entries), SLU_ERR_CORRUPT);
    close_disk();
    inside = NULL;
}

/* A height at which nothing is ordered may have something to open all the same. */
static void a_height_of_openings_alone(void **state)
{
    (void)state;
    uint8_t bytes[1024], digest[32] = {0};
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    struct slu_height height;
    struct slu_chunk chunk;
    open_disk();
    make_scene();
    slu_disk_begin(disk);
    slu_write_bytes(&w, digest, 32);
    slu_write_u64(&w, HEIGHT);
    slu_write_u64(&w, HEIGHT * STEP_MS);
    slu_write_u32(&w, 1);
    for (int i = 0; i < 3; i++)
        slu_write_u32(&w, 0);
    slu_write_u32(&w, 1);
    slu_write_bytes(&w, scene.dues[1].id, 32);
    slu_write_u64(&w, 3);
    slu_write_u32(&w, 70);
    slu_write_u32(&w, 0);
    put(SLU_REC_DELIVERED, HEIGHT, 0, NULL, &w);
    scene.opened[0] = scene.opened[1];
    scene.opened[0].index = 0;
    scene.opened_count = 1;
    put_opened();
    assert_int_equal(slu_disk_commit(disk), 0);
    struct slu_height_cache *cache = slu_height_cache_new(disk, &metrics);
    assert_int_equal(slu_height_cache_get(cache, HEIGHT, &height), 0);
    assert_int_equal(height.chunk_count, 1);
    assert_int_equal(height.indexes, 1);
    assert_int_equal(slu_height_cache_chunk(cache, HEIGHT, 0, &chunk), 0);
    assert_int_equal(chunk.entries, 1);
    assert_int_equal(chunk.len, SLU_ENTRY_HEAD_BYTES + scene.opened[0].opening_len);
    slu_height_cache_free(cache);
    close_disk();
}

/* ---- damage ---- */

static void no_opened_record(void)
{
    scene.no_opened = true;
}
static void too_few_opened(void)
{
    scene.opened_count--;
}
static void bytes_behind(void)
{
    scene.tail = true;
}
static void another_index_opened(void)
{
    scene.opened[3].index = 6;
}
static void another_id_opened(void)
{
    scene.ids[2][31] ^= 1;
}
static void an_unknown_reason(void)
{
    scene.opened[4].outcome = SLU_VOID_INVALID + 1;
}
static void opened_for_no_rollup(void)
{
    scene.opened[0].rollup = 0;
}
static void void_for_a_rollup(void)
{
    scene.opened[4].rollup = 8;
}
static void a_void_with_content(void)
{
    scene.opened[0].outcome = SLU_VOID_TAG;
    scene.opened[0].rollup = 0;
}
static void an_opening_cut_short(void)
{
    scene.opened[1].opening_len = SLU_OPENING_HEAD_BYTES - 1;
}
static void opened_from_another_height(void)
{
    scene.openings[1][0] ^= 1;
}
static void opened_from_another_index(void)
{
    scene.openings[1][8] ^= 1;
}
static void a_due_of_a_later_height(void)
{
    scene.dues[1].ordered_height = HEIGHT + 1;
    make_opening(1, SLU_OPENED, 101);
}
static void a_due_of_no_height(void)
{
    scene.dues[1].ordered_height = 0;
    make_opening(1, SLU_OPENED, 101);
}
static void a_due_beyond_the_entries(void)
{
    scene.dues[4].index = scene.dues[4].ordered_index = INDEXES;
    make_opening(4, SLU_VOID_SEED, 0);
}
static void dues_that_do_not_rise(void)
{
    scene.dues[4] = scene.dues[3];
    make_opening(4, SLU_OPENED, 103);
}
static void one_that_waited_among_the_batches(void)
{
    scene.dues[3].ordered_height = 4;
    make_opening(3, SLU_OPENED, 103);
}
static void another_place_than_where_it_was_ordered(void)
{
    scene.dues[3].ordered_index = 6;
    make_opening(3, SLU_OPENED, 103);
}
static void a_due_that_is_another_entry(void)
{
    scene.dues[3].id[0] ^= 1;
    make_opening(3, SLU_OPENED, 103);
}
static void a_due_that_is_not_sealed(void)
{
    scene.batch_kind = SLU_TX_PLAIN;
}
static void one_due_less(void)
{
    memmove(&scene.dues[1], &scene.dues[2], 3 * sizeof scene.dues[0]);
    memmove(&scene.opened[1], &scene.opened[2], 3 * sizeof scene.opened[0]);
    scene.due_count = scene.opened_count = DUES - 1;
}
static void one_entry_less(void)
{
    scene.entries--;
}

static void nothing_that_contradicts_is_served(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        void (*damage)(void);
    } cases[] = {
#define CASE(damage) {#damage, damage}
        CASE(no_opened_record),
        CASE(too_few_opened),
        CASE(bytes_behind),
        CASE(another_index_opened),
        CASE(another_id_opened),
        CASE(an_unknown_reason),
        CASE(opened_for_no_rollup),
        CASE(void_for_a_rollup),
        CASE(a_void_with_content),
        CASE(an_opening_cut_short),
        CASE(opened_from_another_height),
        CASE(opened_from_another_index),
        CASE(a_due_of_a_later_height),
        CASE(a_due_of_no_height),
        CASE(a_due_beyond_the_entries),
        CASE(dues_that_do_not_rise),
        CASE(one_that_waited_among_the_batches),
        CASE(another_place_than_where_it_was_ordered),
        CASE(a_due_that_is_another_entry),
        CASE(a_due_that_is_not_sealed),
        CASE(one_due_less),
        CASE(one_entry_less),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[4096];
        struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
        uint32_t entries;
        open_disk();
        make_scene();
        cases[i].damage();
        int error = read_scene(&w, &entries);
        if (error != SLU_ERR_CORRUPT)
            fail_msg("%s: %d, %u entries", cases[i].what, error, entries);
        close_disk();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_get_openings_in_their_place),
        cmocka_unit_test(an_opened_bundle_is_of_rollup_0),
        cmocka_unit_test(a_height_of_openings_alone),
        cmocka_unit_test(nothing_that_contradicts_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
