/* Many digests at once against one at a time, with and without lanes: every mix of lengths around
 * the blocks of BLAKE2b, every count, and digests that are written over what they were made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "crypto/hash.h"
#include "crypto/hash_many.h"
#include "crypto/lanes.h"
#include "tests/unit/draw.h"

enum { MANY = 11, LEN_MAX = 1100 };

static const uint8_t chain[32] = {1, 2, 3};
static uint8_t bytes[MANY * LEN_MAX];

static void check(const char *role, const struct slu_hash_input *inputs, size_t count)
{
    uint8_t got[MANY + 1][32], wanted[32];
    memset(got, 0xee, sizeof got);
    memset(wanted, 0xee, sizeof wanted);
    slu_hash_many(got, role, chain, inputs, count);
    assert_memory_equal(got[count], wanted, 32);
    for (size_t i = 0; i < count; i++) {
        slu_hash_of(wanted, role, chain, inputs[i].bytes, inputs[i].len);
        assert_memory_equal(got[i], wanted, 32);
    }
}

/* One length in each of the lanes, with others beside it that end in other blocks. */
static void test_lengths(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 400; len++) {
        for (size_t at = 0; at < 5; at++) {
            struct slu_hash_input inputs[5];
            for (size_t i = 0; i < 5; i++)
                inputs[i] = (struct slu_hash_input){bytes + i * LEN_MAX, (len * (i + 1)) % 301};
            inputs[at].len = len;
            check("tx", inputs, 5);
        }
    }
}

static void test_counts_and_roles(void **state)
{
    (void)state;
    static const char *const roles[] = {"", "tx", "entry", "abcdefghijklmnopqrstuvwxyz012345"};
    for (size_t round = 0; round < 400; round++) {
        struct slu_hash_input inputs[MANY];
        uint16_t lens[MANY];
        draw(lens, sizeof lens);
        for (size_t i = 0; i < MANY; i++)
            inputs[i] = (struct slu_hash_input){bytes + i * LEN_MAX, lens[i] % (LEN_MAX + 1u)};
        check(roles[round % 4], inputs, round % (MANY + 1));
    }
}

/* As the levels of a tree are made. */
static void test_over_the_inputs(void **state)
{
    (void)state;
    for (size_t count = 1; count <= MANY; count++) {
        uint8_t nodes[2 * MANY][32], wanted[MANY][32];
        struct slu_hash_input pairs[MANY];
        draw(nodes, sizeof nodes);
        for (size_t i = 0; i < count; i++) {
            pairs[i] = (struct slu_hash_input){nodes[2 * i], 64};
            slu_hash_of(wanted[i], "node", chain, nodes[2 * i], 64);
        }
        slu_hash_many(nodes, "node", chain, pairs, count);
        assert_memory_equal(nodes, wanted, count * 32);
    }
}

static int set_up(void **state)
{
    (void)state;
    draw(bytes, sizeof bytes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_counts_and_roles),
        cmocka_unit_test(test_over_the_inputs),
    };
    if (sodium_init() < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, set_up, NULL);
    slu_lanes_turn_off(true);
    return failed + cmocka_run_group_tests(tests, set_up, NULL);
}
