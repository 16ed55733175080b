/* client/hex_lines: good lines, bad lines, long lines, pipes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/hex_lines.h"
#include "sluice/error.h"

static struct slu_hex_lines lines;

static void open_text(const char *text, size_t len)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fflush(file);
    lines = (struct slu_hex_lines){.fd = dup(fileno(file))};
    fclose(file);
    assert_int_equal(lseek(lines.fd, 0, SEEK_SET), 0);
}

static void close_text(void)
{
    slu_hex_lines_end(&lines);
    close(lines.fd);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc;
        const char *bytes;
        const char *reason;
    } cases[] = {
        {"0x6162\n", 1, "ab", NULL},
        {"0x6162", 1, "ab", NULL},
        {"\n \n\r\n0X6A6b \r\n", 1, "jk", NULL},
        {"  \t0x61\n", 1, "a", NULL},
        {"", 0, NULL, NULL},
        {"\n\n", 0, NULL, NULL},
        {"6162\n", SLU_ERR_MALFORMED, NULL, "line 1: not 0x"},
        {"0x\n", SLU_ERR_MALFORMED, NULL, "line 1: "},
        {"0x616\n", SLU_ERR_MALFORMED, NULL, "line 1: "},
        {"\n0x6g\n", SLU_ERR_MALFORMED, NULL, "line 2: not 0x"},
        {"0x61 62\n", SLU_ERR_MALFORMED, NULL, "line 1: "},
        {"0x6162636465666768\n", 1, "abcdefgh", NULL},
        {"0x616263646566676869\n", SLU_ERR_LIMIT, NULL, "line 1: more than 8 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[8];
        size_t len = 0;
        char reason[SLU_HEX_REASON_BYTES] = "";
        open_text(cases[i].text, strlen(cases[i].text));
        int rc = slu_hex_lines_next(&lines, out, sizeof out, &len, reason);
        if (rc != cases[i].rc || (cases[i].reason && !strstr(reason, cases[i].reason)))
            fail_msg("case %zu: %d \"%s\"", i, rc, reason);
        if (cases[i].bytes) {
            assert_int_equal(len, strlen(cases[i].bytes));
            assert_memory_equal(out, cases[i].bytes, len);
        }
        close_text();
    }
}

/* Lines over the buffer's size, and reading on behind what was refused. */
static void test_long_lines(void **state)
{
    (void)state;
    static char text[3 * SLU_HEX_BUFFER_BYTES];
    static uint8_t out[SLU_HEX_BUFFER_BYTES];
    char reason[SLU_HEX_REASON_BYTES];
    size_t len, at = 0;
    at += (size_t)sprintf(text + at, "0x");
    memset(text + at, 'a', 2 * 60000);
    at += 2 * 60000;
    at += (size_t)sprintf(text + at, "\n0x");
    memset(text + at, 'b', 70000);
    at += 70000;
    at += (size_t)sprintf(text + at, "\nzz\n0x01\n");
    open_text(text, at);
    assert_int_equal(slu_hex_lines_next(&lines, out, sizeof out, &len, reason), 1);
    assert_int_equal(len, 60000);
    assert_int_equal(out[59999], 0xaa);
    assert_int_equal(slu_hex_lines_next(&lines, out, 1000, &len, reason), SLU_ERR_LIMIT);
    assert_string_equal(reason, "line 2: more than 1000 bytes");
    assert_int_equal(slu_hex_lines_next(&lines, out, 1000, &len, reason), SLU_ERR_MALFORMED);
    assert_int_equal(slu_hex_lines_next(&lines, out, 1000, &len, reason), 1);
    assert_int_equal(len, 1);
    assert_true(slu_hex_lines_ready(&lines));
    assert_int_equal(slu_hex_lines_next(&lines, out, 1000, &len, reason), 0);
    assert_int_equal(lines.line, 4);
    close_text();
}

static void test_pipe(void **state)
{
    (void)state;
    int ends[2];
    uint8_t out[8];
    size_t len;
    char reason[SLU_HEX_REASON_BYTES];
    assert_int_equal(pipe(ends), 0);
    lines = (struct slu_hex_lines){.fd = ends[0]};
    assert_false(slu_hex_lines_ready(&lines));
    assert_int_equal(write(ends[1], "0x61\n0x62\n", 10), 10);
    assert_true(slu_hex_lines_ready(&lines));
    assert_int_equal(slu_hex_lines_next(&lines, out, sizeof out, &len, reason), 1);
    assert_true(slu_hex_lines_ready(&lines));
    assert_int_equal(slu_hex_lines_next(&lines, out, sizeof out, &len, reason), 1);
    assert_false(slu_hex_lines_ready(&lines));
    close(ends[1]);
    assert_true(slu_hex_lines_ready(&lines));
    assert_int_equal(slu_hex_lines_next(&lines, out, sizeof out, &len, reason), 0);
    close_text();
}

static void test_ids(void **state)
{
    (void)state;
    static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    char prefixed[80];
    uint8_t id[32];
    assert_int_equal(slu_hex_id(id, hex), 0);
    assert_int_equal(id[31], 0x1f);
    snprintf(prefixed, sizeof prefixed, "0x%s", hex);
    assert_int_equal(slu_hex_id(id, prefixed), 0);
    assert_int_equal(slu_hex_id(id, hex + 2), SLU_ERR_MALFORMED);
    assert_int_equal(slu_hex_id(id, ""), SLU_ERR_MALFORMED);
    prefixed[5] = 'g';
    assert_int_equal(slu_hex_id(id, prefixed), SLU_ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
