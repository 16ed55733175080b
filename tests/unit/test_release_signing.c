/* Signing releases, of a core in the middle of a run: what is kept of others' signatures, when it
 * signs, sends again and asks, and what a restart makes of every torn state. */
#include <sys/mman.h>

#include "tests/unit/release_stage.h"

/* How many own signatures are sent; `heights` gets those of the first few. */
static uint32_t signatures(const struct stage *stage, uint64_t heights[16])
{
    static struct slu_message m;
    uint32_t count = 0;
    for (uint32_t i = 0; i < stage->sim->effects->count; i++) {
        const struct slu_effect *e = &stage->sim->effects->items[i];
        if (e->kind != SLU_EFFECT_SEND || e->send.message_kind != SLU_MSG_RELEASE)
            continue;
        assert_int_equal(slu_message_read(&m, stage->core->g, SLU_MSG_RELEASE, e->send.body,
                                          e->send.body_len, NULL, 0),
                         0);
        assert_int_equal(m.release.node, 0);
        if (count < 16)
            heights[count] = m.release.release.height;
        count++;
    }
    return count;
}

static uint32_t asks(const struct stage *stage, uint64_t from)
{
    static struct slu_message m;
    uint32_t count = 0;
    for (uint32_t i = 0; i < stage->sim->effects->count; i++) {
        const struct slu_effect *e = &stage->sim->effects->items[i];
        if (e->kind != SLU_EFFECT_SEND || e->send.message_kind != SLU_MSG_FETCH)
            continue;
        assert_int_equal(slu_message_read(&m, stage->core->g, SLU_MSG_FETCH, e->send.body,
                                          e->send.body_len, NULL, 0),
                         0);
        assert_int_equal(m.fetch.what, SLU_FETCH_RELEASES);
        assert_int_equal(m.fetch.from, from);
        assert_in_range(e->send.to, 1, N - 1);
        count++;
    }
    return count;
}

static const struct slu_signed_release *kept_of(const struct stage *stage, uint16_t node,
                                                uint64_t height)
{
    const struct slu_signed_release *vote =
        &stage->s->votes[node * SLU_RELEASE_AHEAD + height % SLU_RELEASE_AHEAD];
    return vote->release.height == height ? vote : NULL;
}

/* ---- what is kept ---- */

static void test_window(void **state)
{
    (void)state;
    struct stage *stage = set();
    uint64_t top = stage->s->top;
    hear(stage, 1, top + SLU_RELEASE_AHEAD + 1, 0);
    assert_null(kept_of(stage, 1, top + SLU_RELEASE_AHEAD + 1));
    hear(stage, 1, top + 1, 1);
    hear(stage, 1, top + 1, 0); /* its first counts */
    assert_non_null(kept_of(stage, 1, top + 1));
    assert_memory_equal(kept_of(stage, 1, top + 1)->release.digest,
                        signed_by(stage, 1, top + 1, 1).release.digest, 32);
    hear(stage, 1, top + SLU_RELEASE_AHEAD, 0);
    assert_non_null(kept_of(stage, 1, top + SLU_RELEASE_AHEAD));
    hear(stage, 0, top + 2, 0); /* nobody else speaks for this node */
    assert_null(kept_of(stage, 0, top + 2));
    open_more(stage, 2);
    hear(stage, 1, top + 1 + SLU_RELEASE_AHEAD, 0); /* a higher one takes the place */
    assert_null(kept_of(stage, 1, top + 1));
    hear(stage, 1, top + 1, 0);
    assert_non_null(kept_of(stage, 1, top + 1 + SLU_RELEASE_AHEAD));
    hear(stage, 2, top, 0); /* covered already */
    assert_null(kept_of(stage, 2, top + SLU_RELEASE_AHEAD));
    assert_int_equal(effects_of(stage, SLU_EFFECT_DIVERGED), 0);
    strike(stage);
}

/* ---- signing, sending again, asking ---- */

static void test_what_is_signed(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    uint64_t heights[16], before = stage->s->top;
    open_more(stage, 2 * SLU_RELEASE_RUN + 3);
    slu_release_turn(c);
    uint64_t next = before / SLU_RELEASE_RUN * SLU_RELEASE_RUN + SLU_RELEASE_RUN, i = 0;
    uint32_t count = signatures(stage, heights);
    for (; next < stage->s->top; next += SLU_RELEASE_RUN)
        assert_int_equal(heights[i++], next);
    assert_int_equal(heights[i++], stage->s->top);
    assert_int_equal(count, i);
    clear(stage);
    slu_release_turn(c); /* nothing new */
    assert_int_equal(signatures(stage, heights), 0);
    /* Far below the head others have signed it long ago. */
    open_more(stage, SLU_RELEASE_RUN + 1);
    uint64_t head = c->head.height;
    c->head.height = stage->s->top + c->g->params.release_lag_max + 2 * SLU_OPENING_HEIGHTS + 1;
    clear(stage);
    slu_release_turn(c);
    assert_int_equal(signatures(stage, heights), 0);
    c->head.height = head;
    open_more(stage, 1);
    slu_release_turn(c);
    assert_int_equal(signatures(stage, heights), 1);
    assert_int_equal(heights[0], stage->s->top);
    /* More than a window of them at once: those that others would keep. */
    open_more(stage, 2 * SLU_RELEASE_AHEAD);
    clear(stage);
    slu_release_turn(c);
    assert_in_range(signatures(stage, heights), SLU_RELEASE_AHEAD / SLU_RELEASE_RUN,
                    SLU_RELEASE_AHEAD / SLU_RELEASE_RUN + 1);
    assert_true(heights[0] > stage->s->top - SLU_RELEASE_AHEAD);
    strike(stage);
}

/* A restart far behind waits for lower ones, too. */
static void test_start_counts(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_event event = {.kind = SLU_EVENT_START, .now_ms = stage->core->now_ms + 5000};
    stage->core->started = false;
    slu_core_step(stage->core, &event, stage->sim->effects);
    assert_int_equal(stage->s->accepted_ms, event.now_ms);
    strike(stage);
}

static void test_not_before_the_start(void **state)
{
    (void)state;
    struct stage *stage = set();
    uint64_t heights[16];
    open_more(stage, 1);
    stage->core->started = false;
    clear(stage);
    slu_release_turn(stage->core);
    assert_int_equal(signatures(stage, heights), 0);
    stage->core->started = true;
    strike(stage);
}

static void test_sends_again_and_asks(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    uint64_t heights[16];
    uint32_t patience = 2u * c->g->params.delta_ms, resend = c->g->params.resend_ms;
    assert_int_equal(slu_release_deadline(c), UINT64_MAX);
    open_more(stage, 1);
    slu_release_turn(c);
    uint64_t start = c->now_ms, from = stage->s->certified + 1;
    for (c->now_ms = start; c->now_ms <= start + 3 * resend; c->now_ms++) {
        clear(stage);
        bool due = c->now_ms >= slu_release_deadline(c);
        slu_release_turn(c);
        uint64_t passed = c->now_ms - start;
        assert_int_equal(signatures(stage, heights), passed > 0 && passed % resend == 0);
        assert_int_equal(asks(stage, from), passed > 0 && passed % patience == 0);
        assert_int_equal(due, passed > 0 && (passed % resend == 0 || passed % patience == 0));
    }
    for (uint16_t i = 1; i < N; i++)
        hear(stage, i, stage->s->top, 0);
    assert_int_equal(slu_release_deadline(c), UINT64_MAX);
    c->now_ms += 3 * resend;
    clear(stage);
    slu_release_turn(c);
    assert_int_equal(signatures(stage, heights) + asks(stage, from), 0);
    /* What is history is asked for at once, and again with each answer. */
    for (int i = 0; i < 2; i++) {
        open_more(stage, 1);
        c->head.height = stage->s->certified + SLU_RELEASE_AHEAD + 1;
        clear(stage);
        slu_release_turn(c);
        assert_int_equal(asks(stage, stage->s->certified + 1), 0);
        c->now_ms++;
        slu_release_turn(c);
        assert_int_equal(asks(stage, stage->s->certified + 1), 1);
        hear_cert(stage, stage->s->top, 0);
    }
    strike(stage);
}

/* To a peer that came up: what it may lack, not more than it keeps. */
static void test_peer_up(void **state)
{
    (void)state;
    struct stage *stage = set();
    uint64_t heights[16];
    slu_release_send_own(stage->core, 2);
    assert_int_equal(signatures(stage, heights), 0);
    for (int i = 0; i < 5; i++) {
        open_more(stage, 1);
        slu_release_turn(stage->core);
    }
    clear(stage);
    slu_release_send_own(stage->core, 2);
    assert_int_equal(signatures(stage, heights), 5);
    assert_int_equal(stage->sim->effects->items[0].send.to, 2);
    strike(stage);
}

/* ---- restarts ---- */

static struct slu_core *restart(struct stage *stage, int *rc)
{
    static struct slu_seal_secrets seal;
    struct sim_node *node = &stage->sim->nodes[0];
    void *memory = mmap(NULL, slu_core_bytes(stage->core->g), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(memory != MAP_FAILED);
    seal = node->seal;
    struct slu_core_config config = {
        .genesis = &stage->sim->genesis, .signer = sim_signer(node), .seed = 1, .seal = &seal};
    struct slu_store store = sim_disk_store(&node->disk);
    struct slu_core *core = slu_core_init(memory, &config);
    *rc = slu_core_boot(core, &store, false);
    return core;
}

static const struct sim_record *record(const struct stage *stage, enum slu_record_kind kind,
                                       uint64_t height)
{
    struct slu_record_key key = {.kind = kind, .a = height};
    return sim_disk_find(&stage->sim->nodes[0].disk, &key);
}

static void take_away(const struct stage *stage, enum slu_record_kind kind, uint64_t height)
{
    struct slu_record_key key = {.kind = kind, .a = height};
    assert_non_null(record(stage, kind, height));
    sim_disk_remove(&stage->sim->nodes[0].disk, &key);
}

static void put_copy(const struct stage *stage, enum slu_record_kind kind, uint64_t height,
                     uint64_t of)
{
    const struct sim_record *found = record(stage, kind, of);
    struct slu_record_key key = {.kind = kind, .a = height};
    assert_non_null(found);
    uint8_t *copy = malloc(found->len);
    memcpy(copy, found->value, found->len);
    sim_disk_put(&stage->sim->nodes[0].disk, &key, copy, found->len);
    free(copy);
}

/* The disk of node 0, all written. */
static struct stage *set_down(void)
{
    struct stage *stage = set();
    uint64_t top = stage->s->top;
    while (!record(stage, SLU_REC_RELEASE_CERT, top))
        sim_run_until(stage->sim, stage->sim->now_ms + 1);
    assert_int_equal(stage->s->top, top);
    assert_int_equal(stage->core->delivered.height, top);
    return stage;
}

/* SPACE without DELIVERED, RELEASE without OPENED: what is above is not there yet. */
static void test_torn_above(void **state)
{
    (void)state;
    struct stage *stage = set_down();
    uint64_t top = stage->s->top;
    int rc;
    put_copy(stage, SLU_REC_SPACE, top + 1, top);
    put_copy(stage, SLU_REC_RELEASE, top + 1, top);
    struct slu_core *core = restart(stage, &rc);
    assert_int_equal(rc, 0);
    assert_int_equal(core->releases.top, top);
    assert_int_equal(core->releases.certified, top);
    assert_memory_equal(core->releases.made[top % SLU_RELEASES_KEPT].digest,
                        stage->s->made[top % SLU_RELEASES_KEPT].digest, 32);
    assert_memory_equal(core->releases.parts, stage->s->parts, sizeof core->releases.parts);
    munmap(core, slu_core_bytes(stage->core->g));
    strike(stage);
}

/* Open heights without RELEASE: it makes them again, the same. */
static void test_torn_releases(void **state)
{
    (void)state;
    struct stage *stage = set_down();
    uint64_t top = stage->s->top;
    int rc;
    for (uint64_t h = top - 2; h <= top; h++) {
        take_away(stage, SLU_REC_RELEASE, h);
        if (record(stage, SLU_REC_RELEASE_CERT, h))
            take_away(stage, SLU_REC_RELEASE_CERT, h);
    }
    struct slu_core *core = restart(stage, &rc);
    assert_int_equal(rc, 0);
    assert_int_equal(core->releases.top, top - 3);
    assert_in_range(core->releases.certified, 1, top - 3);
    core->fx = stage->sim->effects;
    slu_effects_reset(stage->sim->effects);
    slu_release_advance(core, top);
    for (uint64_t h = top - 2; h <= top; h++)
        assert_memory_equal(core->releases.made[h % SLU_RELEASES_KEPT].digest,
                            stage->s->made[h % SLU_RELEASES_KEPT].digest, 32);
    munmap(core, slu_core_bytes(stage->core->g));
    strike(stage);
}

/* What cannot come of a torn write is damage. */
static void test_damage(void **state)
{
    (void)state;
    struct stage *stage = set_down();
    uint64_t top = stage->s->top;
    struct slu_record_key key = {.a = top};
    static const enum slu_record_kind kinds[] = {SLU_REC_SPACE, SLU_REC_RELEASE,
                                                 SLU_REC_RELEASE_CERT};
    for (int what = 0; what < 6; what++) {
        struct sim_disk *disk = &stage->sim->nodes[0].disk;
        uint8_t value[4096];
        int rc;
        key.kind = kinds[what / 2];
        const struct sim_record *found = record(stage, key.kind, top);
        size_t len = found->len;
        assert_true(len <= sizeof value);
        memcpy(value, found->value, len);
        if (what == 0) {
            take_away(stage, key.kind, top);
        } else if (what % 2) { /* cut short */
            sim_disk_put(disk, &key, value, len - 1);
        } else { /* of another height */
            value[0] ^= 1;
            sim_disk_put(disk, &key, value, len);
            value[0] ^= 1;
        }
        struct slu_core *core = restart(stage, &rc);
        assert_int_equal(rc, SLU_ERR_CORRUPT);
        munmap(core, slu_core_bytes(stage->core->g));
        sim_disk_put(disk, &key, value, len);
    }
    strike(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_what_is_signed),
        cmocka_unit_test(test_start_counts),
        cmocka_unit_test(test_not_before_the_start),
        cmocka_unit_test(test_sends_again_and_asks),
        cmocka_unit_test(test_peer_up),
        cmocka_unit_test(test_torn_above),
        cmocka_unit_test(test_torn_releases),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
