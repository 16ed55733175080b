/* Certificates of releases, of a core in the middle of a run: which one counts when, who
 * contradicts whom, and who is accused. */
#include "tests/unit/release_stage.h"

/* ---- certificates ---- */

static void test_quorum(void **state)
{
    (void)state;
    struct stage *stage = set();
    uint64_t top = stage->s->top + 1;
    hear(stage, 3, top, 0); /* before it is open here */
    hear(stage, 1, top, 0);
    open_more(stage, 1);
    hear(stage, 1, top, 0);
    hear(stage, 2, top, 1); /* another: does not count */
    assert_int_equal(stage->s->certified, top - 1);
    assert_int_equal(effects_of(stage, SLU_EFFECT_RELEASED), 0);
    slu_release_turn(stage->core); /* its own is the third */
    assert_int_equal(stage->s->certified, top);
    assert_int_equal(effects_of(stage, SLU_EFFECT_RELEASED), 1);
    assert_int_equal(stage->s->cert.count, Q);
    static const uint16_t signers[Q] = {0, 1, 3};
    for (uint16_t i = 0; i < Q; i++)
        assert_int_equal(stage->s->cert.signers[i].node, signers[i]);
    assert_int_equal(slu_release_cert_verify(&stage->s->cert, &stage->sim->verifier), 0);
    strike(stage);
}

static void test_all_open_at_once(void **state)
{
    (void)state;
    struct stage *stage = set();
    uint64_t top = stage->s->top + 1;
    for (uint16_t i = 1; i < N; i++)
        hear(stage, i, top, 0);
    assert_int_equal(stage->s->certified, top - 1); /* not released here */
    open_more(stage, 1);
    assert_int_equal(stage->s->certified, top);
    strike(stage);
}

/* One that is ahead of this node waits; of several the lowest. */
static void test_ahead(void **state)
{
    (void)state;
    struct stage *stage = set();
    uint64_t top = stage->s->top;
    open_more(stage, 4);
    struct slu_release_cert at[5];
    for (uint64_t i = 1; i <= 4; i++)
        at[i] = cert_of(stage, top + i, 0);
    struct slu_release_cert far = at[4];
    stage->s->top = top; /* as if they were closed still */
    far.release.height = top + SLU_RELEASE_RUN_LONG + 1;
    slu_release_on_cert(stage->core, &far);
    assert_false(stage->s->has_ahead);
    far.release.height--;
    slu_release_on_cert(stage->core, &far);
    assert_true(stage->s->has_ahead);
    slu_release_on_cert(stage->core, &at[3]);
    slu_release_on_cert(stage->core, &at[2]);
    slu_release_on_cert(stage->core, &at[4]);
    assert_int_equal(stage->s->ahead.release.height, top + 2);
    assert_int_equal(stage->s->certified, top);
    open_more(stage, 1);
    assert_int_equal(stage->s->certified, top);
    open_more(stage, 1);
    assert_int_equal(stage->s->certified, top + 2);
    assert_false(stage->s->has_ahead);
    slu_release_on_cert(stage->core, &at[1]); /* covered */
    assert_int_equal(stage->s->certified, top + 2);
    assert_int_equal(effects_of(stage, SLU_EFFECT_RELEASED), 1);
    strike(stage);
}

/* One far above the last is taken only when nothing lower came for a while. */
static void test_lower_ones_first(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    uint64_t certified = stage->s->certified;
    for (uint32_t i = 0; i < SLU_RELEASE_RUN_LONG + 1; i++) {
        open_more(stage, 1);
        clear(stage);
    }
    stage->s->accepted_ms = c->now_ms;
    hear_cert(stage, certified + SLU_RELEASE_RUN_LONG + 1, 0);
    assert_int_equal(stage->s->certified, certified);
    c->now_ms += c->g->params.standstill_ms - 1;
    hear_cert(stage, certified + SLU_RELEASE_RUN_LONG + 1, 0);
    assert_int_equal(stage->s->certified, certified);
    c->now_ms++;
    hear_cert(stage, certified + SLU_RELEASE_RUN_LONG + 1, 0);
    assert_int_equal(stage->s->certified, certified + SLU_RELEASE_RUN_LONG + 1);
    assert_int_equal(stage->s->accepted_ms, c->now_ms);
    for (uint32_t i = 0; i < SLU_RELEASE_RUN_LONG; i++) {
        open_more(stage, 1);
        clear(stage);
    }
    hear_cert(stage, stage->s->top, 0); /* near enough */
    assert_int_equal(stage->s->certified, stage->s->top);
    strike(stage);
}

/* ---- contradicted ---- */

static void test_f_plus_one_contradict(void **state)
{
    (void)state;
    struct stage *stage = set();
    open_more(stage, 2);
    uint64_t top = stage->s->top;
    hear(stage, 1, top, 1);
    hear(stage, 1, top, 2);
    hear(stage, 2, top - 1, 1); /* of another height */
    assert_int_equal(effects_of(stage, SLU_EFFECT_DIVERGED), 0);
    hear(stage, 3, top, 1);
    assert_int_equal(effects_of(stage, SLU_EFFECT_DIVERGED), 1);
    for (uint32_t i = 0; i < stage->sim->effects->count; i++) {
        const struct slu_effect *e = &stage->sim->effects->items[i];
        if (e->kind != SLU_EFFECT_DIVERGED)
            continue;
        assert_memory_equal(e->diverged.mine.digest, right_of(stage, top).digest, 32);
        assert_memory_equal(e->diverged.theirs.digest, signed_by(stage, 1, top, 1).release.digest,
                            32);
    }
    hear(stage, 2, top, 1);
    assert_int_equal(effects_of(stage, SLU_EFFECT_DIVERGED), 1); /* said once */
    strike(stage);
}

static void test_certificate_contradicts(void **state)
{
    (void)state;
    for (int covered = 0; covered < 2; covered++) {
        struct stage *stage = set();
        open_more(stage, 2);
        uint64_t height = covered ? stage->s->certified : stage->s->top;
        hear_cert(stage, height, 0);
        assert_int_equal(effects_of(stage, SLU_EFFECT_DIVERGED), 0);
        uint64_t certified = stage->s->certified;
        hear_cert(stage, height, 1);
        assert_int_equal(effects_of(stage, SLU_EFFECT_DIVERGED), 1);
        assert_int_equal(stage->s->certified, certified);
        strike(stage);
    }
}

/* ---- evidence ---- */

static void test_late_lies(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    uint64_t made = c->stats.evidence_made;
    open_more(stage, 40);
    hear_cert(stage, stage->s->top, 0);
    uint64_t certified = stage->s->certified;
    hear(stage, 1, certified - SLU_RELEASES_BELOW_MAX - 1, 1); /* too far below to be shown */
    hear(stage, 1, certified - 3, 0);                          /* right */
    hear(stage, 1, certified, 0);
    assert_int_equal(c->stats.evidence_made, made);
    hear(stage, 1, certified - SLU_RELEASES_BELOW_MAX, 1);
    assert_int_equal(c->stats.evidence_made, made + 1);
    hear(stage, 1, certified, 1); /* once is enough */
    assert_int_equal(c->stats.evidence_made, made + 1);
    hear(stage, 2, certified, 1);
    assert_int_equal(c->stats.evidence_made, made + 2);
    hear(stage, 0, certified, 1); /* this node knows better */
    assert_int_equal(c->stats.evidence_made, made + 2);
    strike(stage);
}

/* A lie that came before the certificate is evidence once it is covered, not before. */
static void test_early_lies(void **state)
{
    (void)state;
    struct stage *stage = set();
    struct slu_core *c = stage->core;
    uint64_t made = c->stats.evidence_made;
    open_more(stage, 3);
    uint64_t top = stage->s->top;
    hear(stage, 1, top - 1, 1); /* below what is certified next */
    hear(stage, 2, top + 1, 1); /* above it */
    hear(stage, 3, top, 0);     /* right */
    assert_int_equal(c->stats.evidence_made, made);
    hear_cert(stage, top, 0);
    assert_int_equal(c->stats.evidence_made, made + 1);
    open_more(stage, 1);
    assert_int_equal(c->stats.evidence_made, made + 1);
    hear_cert(stage, top + 1, 0);
    assert_int_equal(c->stats.evidence_made, made + 2);
    strike(stage);
}

/* What was released is no evidence, whoever signed it; nor is what the certificate does not reach.
 */
static void test_no_evidence(void **state)
{
    (void)state;
    struct stage *stage = set();
    static uint8_t bytes[SLU_EVIDENCE_BYTES_MAX];
    open_more(stage, 2);
    uint64_t top = stage->s->top;
    struct slu_release_cert cert = cert_of(stage, top, 0);
    const struct slu_release *below[] = {&stage->s->made[(top - 1) % SLU_RELEASES_KEPT]};
    for (int lie = 0; lie < 2; lie++) {
        for (uint8_t count = 0; count < 2; count++) {
            for (uint64_t height = top - 1; height <= top + 1; height++) {
                struct slu_signed_release m = signed_by(stage, 2, height, (uint8_t)lie);
                struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
                struct slu_evidence found;
                slu_evidence_wrong_release(&w, &cert, below, count, &m);
                int rc = slu_evidence_check(&found, stage->core->g, bytes, slu_writer_len(&w),
                                            &stage->sim->verifier);
                bool reached = height == top - count;
                assert_int_equal(rc, lie && reached ? SLU_OK : SLU_ERR_MALFORMED);
            }
        }
    }
    strike(stage);
}

/* A release below the certified one that nobody released accuses nobody who signed the right one.
 */
static void test_made_up_below(void **state)
{
    (void)state;
    struct stage *stage = set();
    static uint8_t bytes[SLU_EVIDENCE_BYTES_MAX];
    open_more(stage, 2);
    uint64_t top = stage->s->top;
    struct slu_release_cert cert = cert_of(stage, top, 0);
    struct slu_signed_release right = signed_by(stage, 2, top - 1, 0);
    struct slu_release made_up = right.release;
    const struct slu_release *below[] = {&made_up};
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    struct slu_evidence found;
    made_up.state[0] ^= 1;
    slu_release_digest(&made_up, stage->core->g->chain_id);
    slu_evidence_wrong_release(&w, &cert, below, 1, &right);
    assert_int_equal(slu_evidence_check(&found, stage->core->g, bytes, slu_writer_len(&w),
                                        &stage->sim->verifier),
                     SLU_ERR_MALFORMED);
    strike(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quorum),
        cmocka_unit_test(test_all_open_at_once),
        cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_lower_ones_first),
        cmocka_unit_test(test_f_plus_one_contradict),
        cmocka_unit_test(test_certificate_contradicts),
        cmocka_unit_test(test_late_lies),
        cmocka_unit_test(test_early_lies),
        cmocka_unit_test(test_no_evidence),
        cmocka_unit_test(test_made_up_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
