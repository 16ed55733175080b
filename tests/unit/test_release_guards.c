/* The fences of releases, called directly on a core in the middle of a run: what is kept of others'
 * signatures, when it signs, sends again and asks, which certificate counts when, who is accused,
 * and what a restart makes of every torn state (docs/PROTOCOL.md clauses 8.4 to 8.7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "consensus/state.h"
#include "sluice/error.h"
#include "tests/sim/sim.h"

#define N 4u
#define Q 3u

struct stage {
    struct sim *sim;
    struct slu_core *core;
    struct slu_releases *s;
};

static void clear(const struct stage *stage)
{
    slu_effects_reset(stage->sim->effects);
    stage->core->fx = stage->sim->effects;
}

/* Node 0 in the middle of a run, with all that it released certified. */
static struct stage *set(void)
{
    struct sim_plan plan;
    sim_plan_quiet(&plan, 1, N);
    struct stage *stage = calloc(1, sizeof *stage);
    stage->sim = sim_new(&plan, NULL);
    sim_run_until(stage->sim, 800);
    assert_true(stage->sim->result.ok);
    stage->core = stage->sim->nodes[0].core;
    stage->s = &stage->core->releases;
    while (stage->s->certified < stage->s->top)
        sim_run_until(stage->sim, stage->sim->now_ms + 1);
    assert_true(stage->s->top > SLU_RELEASE_RUN);
    clear(stage);
    return stage;
}

static void strike(struct stage *stage)
{
    sim_free(stage->sim);
    free(stage);
}

/* `count` more heights with nothing in them are open here. */
static void open_more(const struct stage *stage, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t height = stage->s->top + 1;
        struct slu_release *waiting = &stage->s->waiting[height % SLU_OPENING_HEIGHTS];
        *waiting = (struct slu_release){.height = height, .time_ms = 1000 + height};
        memset(waiting->state, (int)(height & 0xff), 32);
        slu_release_advance(stage->core, height);
    }
}

/* What everybody releases at a height that is open here, or what node 0 would. */
static struct slu_release right_of(const struct stage *stage, uint64_t height)
{
    if (height <= stage->s->top)
        return stage->s->made[height % SLU_RELEASES_KEPT];
    struct slu_release r = {.height = height, .time_ms = 1000 + height};
    memset(r.state, (int)(height & 0xff), 32);
    memcpy(r.previous, stage->s->made[stage->s->top % SLU_RELEASES_KEPT].digest, 32);
    slu_release_digest(&r, stage->core->g->chain_id);
    return r;
}

static struct slu_signed_release signed_by(const struct stage *stage, uint16_t node,
                                           uint64_t height, uint8_t lie)
{
    struct slu_signed_release m = {.node = node, .release = right_of(stage, height)};
    m.release.state[3] ^= lie;
    slu_release_digest(&m.release, stage->core->g->chain_id);
    sim_sign(stage->sim, node, m.signature, m.release.digest);
    return m;
}

static void hear(const struct stage *stage, uint16_t node, uint64_t height, uint8_t lie)
{
    struct slu_signed_release m = signed_by(stage, node, height, lie);
    slu_release_on_signature(stage->core, &m);
}

static struct slu_release_cert cert_of(const struct stage *stage, uint64_t height, uint8_t lie)
{
    struct slu_release_cert cert = {.count = Q};
    for (uint16_t i = 0; i < Q; i++) {
        struct slu_signed_release m = signed_by(stage, i + 1, height, lie);
        cert.release = m.release;
        cert.signers[i].node = i + 1;
        memcpy(cert.signers[i].signature, m.signature, 64);
    }
    return cert;
}

static void hear_cert(const struct stage *stage, uint64_t height, uint8_t lie)
{
    struct slu_release_cert cert = cert_of(stage, height, lie);
    slu_release_on_cert(stage->core, &cert);
}

static uint32_t effects_of(const struct stage *stage, enum slu_effect_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stage->sim->effects->count; i++)
        count += stage->sim->effects->items[i].kind == kind;
    return count;
}

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
        cmocka_unit_test(test_quorum),
        cmocka_unit_test(test_all_open_at_once),
        cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_lower_ones_first),
        cmocka_unit_test(test_f_plus_one_contradict),
        cmocka_unit_test(test_certificate_contradicts),
        cmocka_unit_test(test_what_is_signed),
        cmocka_unit_test(test_start_counts),
        cmocka_unit_test(test_not_before_the_start),
        cmocka_unit_test(test_sends_again_and_asks),
        cmocka_unit_test(test_peer_up),
        cmocka_unit_test(test_late_lies),
        cmocka_unit_test(test_early_lies),
        cmocka_unit_test(test_no_evidence),
        cmocka_unit_test(test_torn_above),
        cmocka_unit_test(test_torn_releases),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
