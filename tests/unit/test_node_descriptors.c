/* node/descriptors: what the node itself needs is never given to clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "node/descriptors.h"

static void clients_get_what_is_left(void **state)
{
    (void)state;
    assert_int_equal(slu_descriptors_for_clients(UINT64_MAX, 8192), 8192);
    assert_int_equal(slu_descriptors_for_clients(SLU_DESCRIPTORS_OWN + 8192, 8192), 8192);
    assert_int_equal(slu_descriptors_for_clients(SLU_DESCRIPTORS_OWN + 8191, 8192), 8191);
    assert_int_equal(slu_descriptors_for_clients(1024, 8192), 1024 - SLU_DESCRIPTORS_OWN);
    assert_int_equal(slu_descriptors_for_clients(1024, 100), 100);
    assert_int_equal(slu_descriptors_for_clients(SLU_DESCRIPTORS_OWN, 8192),
                     SLU_DESCRIPTORS_CLIENTS_MIN);
    assert_int_equal(slu_descriptors_for_clients(0, 1), 1);
}

static void the_limit_is_raised_as_far_as_it_may_be(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t most = limit.rlim_max;
    assert_int_equal(slu_descriptors_raise(), most);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, most);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_get_what_is_left),
        cmocka_unit_test(the_limit_is_raised_as_far_as_it_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
