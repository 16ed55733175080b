/* node/admission, and the valid_until that a gateway gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "node/admission.h"
#include "node/submissions.h"
#include "wire/bundle.h"

#define SECOND UINT64_C(1000000)

static struct slu_genesis genesis;

static int make_genesis(void **state)
{
    (void)state;
    genesis.rollup_count = 2;
    genesis.rollups[0] = (struct slu_genesis_rollup){.id = 5, .name = "five", .rate_share = 1};
    genesis.rollups[1] = (struct slu_genesis_rollup){.id = 10, .name = "ten", .rate_share = 3};
    slu_params_defaults(&genesis.params);
    return 0;
}

static const char *take(struct slu_admission_control *control, uint64_t address, uint64_t rollup,
                        uint64_t bytes, uint64_t now_us)
{
    struct slu_tx tx = {.rollup = rollup,
                        .kind = rollup == 0 ? SLU_TX_SEALED : SLU_TX_PLAIN,
                        .bytes_len = (uint32_t)bytes};
    return slu_admission_take(control, address, &tx, now_us);
}

/* How many of `asked` transactions pass at `now_us`; the refusal of the first that does not. */
static unsigned passed(struct slu_admission_control *control, uint64_t address, uint64_t rollup,
                       uint64_t bytes, uint64_t now_us, unsigned asked, const char **refusal)
{
    *refusal = NULL;
    for (unsigned i = 0; i < asked; i++) {
        *refusal = take(control, address, rollup, bytes, now_us);
        if (*refusal != NULL)
            return i;
    }
    return asked;
}

static void buckets_run_dry_and_refill(void **state)
{
    (void)state;
    const char *refusal;
    struct slu_node_config config = {.client_tx = {10, 20}, .rollup_tx = {0, 1}};
    struct slu_admission_control *control = slu_admission_new(&config, &genesis);
    assert_int_equal(passed(control, 1, 5, 100, SECOND, 100, &refusal), 20);
    assert_string_equal(refusal, "rate_client");
    assert_int_equal(passed(control, 2, 5, 100, SECOND, 100, &refusal), 20); /* its own bucket */
    assert_int_equal(passed(control, 1, 5, 100, 2 * SECOND, 100, &refusal), 10);
    assert_int_equal(passed(control, 1, 5, 100, 100 * SECOND, 100, &refusal), 20);
    slu_admission_free(control);
}

static void rollups_have_shares(void **state)
{
    (void)state;
    const char *refusal;
    struct slu_node_config config = {.rollup_tx = {10, 10}, .rollup_bytes = {0, 1}};
    struct slu_admission_control *control = slu_admission_new(&config, &genesis);
    assert_int_equal(passed(control, 1, 5, 100, SECOND, 100, &refusal), 10);
    assert_string_equal(refusal, "rate_rollup");
    assert_int_equal(passed(control, 1, 10, 100, SECOND, 100, &refusal), 30);
    assert_int_equal(passed(control, 1, 77, 100, SECOND, 100, &refusal), 10); /* not in the table */
    slu_admission_free(control);
}

/* Their rollup is hidden: one bucket for all, beside the client's own. */
static void sealed_ones_share_a_bucket(void **state)
{
    (void)state;
    const char *refusal;
    struct slu_node_config config = {.client_tx = {0, 1},
                                     .rollup_tx = {10, 10},
                                     .sealed_tx = {5, 15},
                                     .sealed_bytes = {1000, 2000}};
    struct slu_admission_control *control = slu_admission_new(&config, &genesis);
    assert_int_equal(passed(control, 1, 0, 100, SECOND, 10, &refusal), 10);
    assert_int_equal(passed(control, 2, 0, 100, SECOND, 100, &refusal), 5);
    assert_string_equal(refusal, "rate_sealed");
    assert_int_equal(passed(control, 1, 5, 100, SECOND, 100, &refusal), 10); /* plain ones go on */
    assert_string_equal(refusal, "rate_rollup");
    assert_int_equal(passed(control, 3, 0, 100, 2 * SECOND, 100, &refusal), 5);
    assert_int_equal(passed(control, 3, 0, 900, 100 * SECOND, 100, &refusal),
                     2); /* of 2,000 bytes */
    assert_string_equal(refusal, "rate_sealed");
    slu_admission_free(control);
    config.client_tx = (struct slu_bucket_config){1, 3};
    control = slu_admission_new(&config, &genesis);
    assert_int_equal(passed(control, 1, 0, 100, SECOND, 100, &refusal), 3);
    assert_string_equal(refusal, "rate_client");
    slu_admission_free(control);
}

static void bytes_count_and_refusals_cost_nothing(void **state)
{
    (void)state;
    const char *refusal;
    struct slu_node_config config = {.client_bytes = {1000, 1000}, .rollup_tx = {5, 5}};
    struct slu_admission_control *control = slu_admission_new(&config, &genesis);
    assert_int_equal(passed(control, 1, 5, 400, SECOND, 100, &refusal), 2);
    assert_string_equal(refusal, "rate_client");
    assert_int_equal(passed(control, 1, 5, 200, SECOND, 1, &refusal), 1); /* what was left */
    /* The rollup has paid for three only; another client has the other two. */
    assert_int_equal(passed(control, 2, 5, 10, SECOND, 100, &refusal), 2);
    assert_string_equal(refusal, "rate_rollup");
    slu_admission_free(control);
}

/* A bundle of `bytes` with a leg for each rollup. */
static const char *take_bundle(struct slu_admission_control *control, const uint64_t *rollups,
                               size_t count, uint64_t bytes)
{
    struct slu_bundle bundle = {.count = count};
    uint8_t body[512];
    size_t len;
    for (size_t i = 0; i < count; i++)
        bundle.legs[i] = (struct slu_bundle_leg){rollups[i], (const uint8_t *)"leg", 3};
    assert_int_equal(slu_bundle_body(body, sizeof body, &len, &bundle), 0);
    struct slu_tx tx = {.kind = SLU_TX_BUNDLE,
                        .body = body,
                        .body_len = (uint32_t)len,
                        .bytes_len = (uint32_t)bytes};
    return slu_admission_take(control, 1, &tx, SECOND);
}

/* Each of its rollups pays for the whole, once; when one cannot, none does, and the client neither.
 */
static void a_bundle_is_paid_by_all_or_none(void **state)
{
    (void)state;
    static const uint64_t three[] = {5, 10, 5}, lower[] = {5, 2};
    const char *refusal;
    struct slu_node_config config = {
        .client_tx = {100, 100}, .rollup_tx = {10, 10}, .rollup_bytes = {0, 1}};
    struct slu_admission_control *control = slu_admission_new(&config, &genesis);
    for (unsigned i = 0; i < 4; i++)
        assert_null(take_bundle(control, three, 3, 100));
    assert_int_equal(passed(control, 1, 5, 100, SECOND, 6, &refusal), 6);
    for (unsigned i = 0; i < 50;
         i++) /* rollup 5 is dry: 2, asked before it, has back what it paid */
        assert_string_equal(take_bundle(control, i % 2 ? three : lower, 2, 100), "rate_rollup");
    assert_int_equal(passed(control, 1, 10, 100, SECOND, 100, &refusal), 26);
    assert_int_equal(passed(control, 1, 2, 100, SECOND, 100, &refusal), 10);
    assert_int_equal(passed(control, 1, 78, 100, SECOND, 100, &refusal), 10);
    assert_int_equal(passed(control, 1, 79, 100, SECOND, 10, &refusal), 10);
    /* 4 + 6 + 26 + 10 + 10 + 10 of the client's 100: refused bundles cost nothing. */
    assert_int_equal(passed(control, 1, 80, 100, SECOND, 10, &refusal), 10);
    assert_int_equal(passed(control, 1, 81, 100, SECOND, 10, &refusal), 10);
    assert_int_equal(passed(control, 1, 82, 100, SECOND, 10, &refusal), 10);
    assert_int_equal(passed(control, 1, 83, 100, SECOND, 10, &refusal), 4);
    assert_string_equal(refusal, "rate_client");
    slu_admission_free(control);
    config = (struct slu_node_config){.rollup_bytes = {1000, 1000}};
    control = slu_admission_new(&config, &genesis);
    assert_null(take_bundle(control, three, 3, 600)); /* of its 1,000 bytes, whole and once */
    assert_string_equal(take_bundle(control, three, 3, 600), "rate_rollup");
    assert_int_equal(passed(control, 1, 5, 400, SECOND, 100, &refusal), 1);
    assert_int_equal(passed(control, 1, 10, 600, SECOND, 100, &refusal), 4); /* of 3,000 */
    slu_admission_free(control);
}

static void a_crowd_is_refused_until_places_rest(void **state)
{
    (void)state;
    const char *refusal;
    unsigned refused = 0;
    struct slu_node_config config = {.client_tx = {1, 2}};
    struct slu_admission_control *control = slu_admission_new(&config, &genesis);
    for (uint64_t address = 1; address <= 8000; address++)
        refused += passed(control, address, 5, 1, SECOND, 1, &refusal) == 0;
    assert_true(refused >= 8000 - 4096);
    refused = 0;
    for (uint64_t address = 10001; address <= 12000; address++)
        refused += passed(control, address, 5, 1, 10 * SECOND, 1, &refusal) == 0;
    assert_true(refused < 20); /* the first ones' buckets are full again */
    slu_admission_free(control);
}

static void addresses_are_told_apart(void **state)
{
    (void)state;
    uint64_t one = slu_admission_address("10.0.0.1:4000");
    assert_true(one == slu_admission_address("10.0.0.1:50000"));
    assert_true(one != slu_admission_address("10.0.0.2:4000"));
    uint64_t six = slu_admission_address("[2001:db8:1:2::1]:4000");
    assert_true(six == slu_admission_address("[2001:db8:1:2:ffff::9]:1")); /* one /64 */
    assert_true(six != slu_admission_address("[2001:db8:1:3::1]:4000"));
    assert_true(six != one);
    assert_true(slu_admission_address("ipc") != 0);
    assert_true(slu_admission_address("") != 0);
}

static void valid_until_is_on_the_grid_and_in_the_window(void **state)
{
    (void)state;
    struct slu_params params = {.dedup_window_ms = 30000};
    for (uint64_t now = 1000000; now < 1002100; now += 7) {
        for (uint32_t wanted = 0; wanted < 40000; wanted += 333) {
            uint64_t until = slu_valid_until(&params, now, wanted);
            assert_true(until % 1000 == 0);
            assert_true(until <= now + 30000);
            assert_true(until + 1000 > now + (wanted < 30000 ? wanted : 30000) || wanted == 0);
        }
    }
    assert_true(slu_valid_until(&params, 1000001, 0) == 1029000);
    assert_true(slu_valid_until(&params, 1000999, 0) == 1029000); /* a resubmission is the same */
    assert_true(slu_valid_until(&params, 1000001, 5000) == 1006000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_run_dry_and_refill),
        cmocka_unit_test(rollups_have_shares),
        cmocka_unit_test(sealed_ones_share_a_bucket),
        cmocka_unit_test(bytes_count_and_refusals_cost_nothing),
        cmocka_unit_test(a_bundle_is_paid_by_all_or_none),
        cmocka_unit_test(a_crowd_is_refused_until_places_rest),
        cmocka_unit_test(addresses_are_told_apart),
        cmocka_unit_test(valid_until_is_on_the_grid_and_in_the_window),
    };
    return cmocka_run_group_tests(tests, make_genesis, NULL);
}
