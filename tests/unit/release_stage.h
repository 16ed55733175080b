/* A core in the middle of a simulated run, with all that it released certified, for tests that call
 * the fences of releases directly (docs/PROTOCOL.md clauses 8.4 to 8.7): more heights open, others
 * sign, right or not, and certify. */
#ifndef SLU_TESTS_UNIT_RELEASE_STAGE_H
#define SLU_TESTS_UNIT_RELEASE_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

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

static inline void clear(const struct stage *stage)
{
    slu_effects_reset(stage->sim->effects);
    stage->core->fx = stage->sim->effects;
}

/* Node 0 in the middle of a run, with all that it released certified. */
static inline struct stage *set(void)
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

static inline void strike(struct stage *stage)
{
    sim_free(stage->sim);
    free(stage);
}

/* `count` more heights with nothing in them are open here. */
static inline void open_more(const struct stage *stage, uint32_t count)
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
static inline struct slu_release right_of(const struct stage *stage, uint64_t height)
{
    if (height <= stage->s->top)
        return stage->s->made[height % SLU_RELEASES_KEPT];
    struct slu_release r = {.height = height, .time_ms = 1000 + height};
    memset(r.state, (int)(height & 0xff), 32);
    memcpy(r.previous, stage->s->made[stage->s->top % SLU_RELEASES_KEPT].digest, 32);
    slu_release_digest(&r, stage->core->g->chain_id);
    return r;
}

static inline struct slu_signed_release signed_by(const struct stage *stage, uint16_t node,
                                                  uint64_t height, uint8_t lie)
{
    struct slu_signed_release m = {.node = node, .release = right_of(stage, height)};
    m.release.state[3] ^= lie;
    slu_release_digest(&m.release, stage->core->g->chain_id);
    sim_sign(stage->sim, node, m.signature, m.release.digest);
    return m;
}

static inline void hear(const struct stage *stage, uint16_t node, uint64_t height, uint8_t lie)
{
    struct slu_signed_release m = signed_by(stage, node, height, lie);
    slu_release_on_signature(stage->core, &m);
}

static inline struct slu_release_cert cert_of(const struct stage *stage, uint64_t height,
                                              uint8_t lie)
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

static inline void hear_cert(const struct stage *stage, uint64_t height, uint8_t lie)
{
    struct slu_release_cert cert = cert_of(stage, height, lie);
    slu_release_on_cert(stage->core, &cert);
}

static inline uint32_t effects_of(const struct stage *stage, enum slu_effect_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stage->sim->effects->count; i++)
        count += stage->sim->effects->items[i].kind == kind;
    return count;
}

#endif
