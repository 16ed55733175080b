/* node/ring: bounds, order, waking, and that nothing is lost between many putters and one taker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "node/clock.h"
#include "node/ring.h"
#include "sluice/error.h"

#define PUTTERS 4u
#define EACH    20000u

static int things[64];

static void bounded_by_items_and_bytes(void **state)
{
    (void)state;
    struct slu_ring ring;
    void *out[8];
    assert_int_equal(slu_ring_init(&ring, 4, 1000), 0);
    /* One thing of any size goes into an empty ring. */
    assert_int_equal(slu_ring_put(&ring, &things[0], 5000, 100), 0);
    assert_int_equal(slu_ring_put(&ring, &things[1], 1, 100), SLU_ERR_BUSY);
    assert_int_equal(slu_ring_take(&ring, out, 8, SIZE_MAX, 0), 1);
    assert_ptr_equal(out[0], &things[0]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(slu_ring_put(&ring, &things[i], 10, 100), 0);
    assert_int_equal(slu_ring_put(&ring, &things[4], 10, 100), SLU_ERR_BUSY);
    struct slu_ring_fill fill = slu_ring_fill(&ring);
    assert_int_equal(fill.items, 4);
    assert_int_equal(fill.bytes, 40);
    assert_int_equal(fill.refused, 2);
    assert_int_equal(slu_ring_take(&ring, out, 2, SIZE_MAX, 0), 2);
    assert_ptr_equal(out[1], &things[1]);
    /* A reserved part: not for those who may fill only half. */
    assert_int_equal(slu_ring_put(&ring, &things[4], 10, 50), SLU_ERR_BUSY);
    assert_int_equal(slu_ring_put(&ring, &things[4], 10, 100), 0);
    /* A burst ends before its bytes pass the bound, but holds one at least. */
    assert_int_equal(slu_ring_take(&ring, out, 8, 20, 0), 2);
    assert_int_equal(slu_ring_take(&ring, out, 8, 1, 0), 1);
    assert_ptr_equal(out[0], &things[4]);
    slu_ring_destroy(&ring);
}

static void waits_end(void **state)
{
    (void)state;
    struct slu_ring ring;
    void *out[1];
    assert_int_equal(slu_ring_init(&ring, 4, 1000), 0);
    uint64_t before = slu_now_us();
    assert_int_equal(slu_ring_take(&ring, out, 1, SIZE_MAX, before + 20000), 0);
    assert_true(slu_now_us() - before >= 20000);
    slu_ring_wake(&ring); /* the next wait ends at once, the one after it does not */
    assert_int_equal(slu_ring_take(&ring, out, 1, SIZE_MAX, UINT64_MAX), 0);
    before = slu_now_us();
    assert_int_equal(slu_ring_take(&ring, out, 1, SIZE_MAX, before + 5000), 0);
    assert_true(slu_now_us() - before >= 5000);
    assert_int_equal(slu_ring_put(&ring, &things[0], 1, 100), 0);
    slu_ring_close(&ring);
    assert_int_equal(slu_ring_put(&ring, &things[1], 1, 100), SLU_ERR_CLOSED);
    assert_int_equal(slu_ring_put_wait(&ring, &things[1], 1), SLU_ERR_CLOSED);
    assert_int_equal(slu_ring_take(&ring, out, 1, SIZE_MAX, UINT64_MAX), 1);
    assert_int_equal(slu_ring_take(&ring, out, 1, SIZE_MAX, UINT64_MAX), 0);
    assert_true(slu_ring_closed(&ring));
    slu_ring_destroy(&ring);
}

struct putter {
    struct slu_ring *ring;
    uintptr_t number;
    pthread_t thread;
};

static void *put_many(void *context)
{
    struct putter *p = context;
    for (uintptr_t i = 1; i <= EACH; i++) {
        if (slu_ring_put_wait(p->ring, (void *)(p->number << 32 | i), 8) != 0)
            return p;
    }
    return NULL;
}

static void nothing_is_lost_or_turned_around(void **state)
{
    (void)state;
    struct slu_ring ring;
    struct putter putters[PUTTERS];
    uintptr_t last[PUTTERS] = {0};
    void *out[32];
    assert_int_equal(slu_ring_init(&ring, 64, 300), 0);
    for (uintptr_t i = 0; i < PUTTERS; i++) {
        putters[i] = (struct putter){.ring = &ring, .number = i};
        assert_int_equal(pthread_create(&putters[i].thread, NULL, put_many, &putters[i]), 0);
    }
    for (uint32_t taken = 0; taken < PUTTERS * EACH;) {
        uint32_t count = slu_ring_take(&ring, out, 32, SIZE_MAX, UINT64_MAX);
        for (uint32_t i = 0; i < count; i++) {
            uintptr_t item = (uintptr_t)out[i];
            assert_int_equal(item & 0xffffffffu, ++last[item >> 32]);
        }
        taken += count;
    }
    for (unsigned i = 0; i < PUTTERS; i++) {
        void *failed;
        pthread_join(putters[i].thread, &failed);
        assert_null(failed);
    }
    slu_ring_destroy(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounded_by_items_and_bytes),
        cmocka_unit_test(waits_end),
        cmocka_unit_test(nothing_is_lost_or_turned_around),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
