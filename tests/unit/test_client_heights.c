/* client/heights: merging parts, and everything that a server may not do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "client/heights.h"
#include "sluice/error.h"

static uint8_t block[32] = {1, 2, 3};

struct part {
    Slu__Client__Height height;
    uint8_t bytes[1024];
};

/* A part of `height` with entries `first` .. `first + count - 1`, payloads "p<index>". */
static const Slu__Client__Height *part(struct part *part, uint64_t height, uint32_t first,
                                       uint32_t count, bool more)
{
    struct slu_writer w = slu_writer_of(part->bytes, sizeof part->bytes);
    for (uint32_t i = first; i < first + count; i++) {
        uint8_t id[32] = {(uint8_t)i};
        uint8_t payload[2] = {'p', (uint8_t)i};
        struct slu_entry entry = {.index = i,
                                  .rollup = 5,
                                  .valid_until_ms = 9,
                                  .id32 = id,
                                  .payload_len = sizeof payload};
        slu_entry_head_write(&w, &entry);
        slu_write_bytes(&w, payload, sizeof payload);
    }
    slu__client__height__init(&part->height);
    part->height.height = height;
    part->height.time_ms = height * 10;
    part->height.block = (ProtobufCBinaryData){.len = 32, .data = block};
    part->height.rollup = 5;
    part->height.count = count;
    part->height.entries = (ProtobufCBinaryData){.len = slu_writer_len(&w), .data = part->bytes};
    part->height.more = more;
    return &part->height;
}

static void test_merge(void **state)
{
    (void)state;
    struct slu_heights heights = {.expected = 0};
    struct part p;
    assert_int_equal(slu_heights_add(&heights, part(&p, 7, 0, 2, false)), 1);
    assert_int_equal(heights.height, 7);
    assert_int_equal(heights.count, 2);
    assert_int_equal(heights.expected, 8);
    assert_int_equal(slu_heights_add(&heights, part(&p, 8, 3, 1, true)), 0);
    assert_int_equal(slu_heights_add(&heights, part(&p, 8, 4, 0, true)), 0);
    assert_int_equal(slu_heights_add(&heights, part(&p, 8, 9, 3, false)), 1);
    assert_int_equal(heights.count, 4);
    struct slu_reader reader = slu_reader_of(heights.bytes, heights.len);
    struct slu_entry entry;
    static const uint32_t indices[] = {3, 9, 10, 11};
    for (size_t i = 0; i < 4; i++) {
        assert_true(slu_entry_next(&reader, &entry));
        assert_int_equal(entry.index, indices[i]);
        assert_int_equal(entry.rollup, 5);
        assert_int_equal(entry.payload_len, 2);
        assert_int_equal(entry.payload[1], indices[i]);
        assert_int_equal(entry.id32[0], indices[i]);
    }
    assert_false(slu_entry_next(&reader, &entry));
    assert_false(reader.failed);
    assert_int_equal(slu_heights_add(&heights, part(&p, 9, 0, 0, false)), 1);
    assert_int_equal(heights.count, 0);
    slu_heights_free(&heights);
}

static void test_gaps(void **state)
{
    (void)state;
    struct slu_heights heights = {.expected = 5};
    struct part p;
    assert_int_equal(slu_heights_add(&heights, part(&p, 6, 0, 1, false)), SLU_ERR_MALFORMED);
    assert_string_equal(heights.why, "height 6 came where 5 was due");
    assert_int_equal(slu_heights_add(&heights, part(&p, 4, 0, 1, false)), SLU_ERR_MALFORMED);
    assert_int_equal(slu_heights_add(&heights, part(&p, 5, 0, 1, false)), 1);
    assert_int_equal(slu_heights_add(&heights, part(&p, 5, 0, 1, false)), SLU_ERR_MALFORMED);
    assert_int_equal(slu_heights_add(&heights, part(&p, 7, 0, 1, false)), SLU_ERR_MALFORMED);
    assert_int_equal(slu_heights_add(&heights, part(&p, 6, 0, 1, false)), 1);
    slu_heights_free(&heights);
}

static void test_bad_parts(void **state)
{
    (void)state;
    struct slu_heights heights = {.expected = 5};
    struct part p;
    /* Another height, another time, another block between the parts. */
    assert_int_equal(slu_heights_add(&heights, part(&p, 5, 0, 1, true)), 0);
    assert_int_equal(slu_heights_add(&heights, part(&p, 6, 1, 1, false)), SLU_ERR_MALFORMED);
    part(&p, 5, 1, 1, false);
    p.height.time_ms++;
    assert_int_equal(slu_heights_add(&heights, &p.height), SLU_ERR_MALFORMED);
    part(&p, 5, 1, 1, false);
    uint8_t other[32] = {9};
    p.height.block.data = other;
    assert_int_equal(slu_heights_add(&heights, &p.height), SLU_ERR_MALFORMED);
    /* Indices that do not rise, inside a part and from one to the next. */
    assert_int_equal(slu_heights_add(&heights, part(&p, 5, 0, 1, false)), SLU_ERR_MALFORMED);
    /* After a failover the height starts anew. */
    slu_heights_restart(&heights);
    assert_int_equal(slu_heights_add(&heights, part(&p, 5, 0, 3, false)), 1);
    assert_int_equal(heights.count, 3);
    /* Counts and bytes that do not agree. */
    part(&p, 6, 0, 2, false);
    p.height.count = 3;
    assert_int_equal(slu_heights_add(&heights, &p.height), SLU_ERR_MALFORMED);
    for (size_t cut = 1; cut < 51; cut++) {
        part(&p, 6, 0, 1, false);
        p.height.entries.len -= cut;
        assert_int_equal(slu_heights_add(&heights, &p.height), SLU_ERR_MALFORMED);
    }
    /* No digest; time that stands still. */
    part(&p, 6, 0, 1, false);
    p.height.block.len = 31;
    assert_int_equal(slu_heights_add(&heights, &p.height), SLU_ERR_MALFORMED);
    part(&p, 6, 0, 1, false);
    p.height.time_ms = 50;
    assert_int_equal(slu_heights_add(&heights, &p.height), SLU_ERR_MALFORMED);
    assert_int_equal(slu_heights_add(&heights, part(&p, 6, 0, 1, false)), 1);
    slu_heights_free(&heights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_bad_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
