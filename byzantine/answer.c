/* Answers to fetches, in the core's place: garbage, or what was true a while ago. */
#include <string.h>

#include "byzantine/state.h"

#define BEHIND 64u /* heights and positions that an old answer lies behind the question */

static void fill(struct slu_deviant *d, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)slu_dv_random(d);
}

/* ---- garbage ---- */

/* Bytes of no form, under a kind that exists or not. */
static void say_noise(struct slu_deviant *d, uint64_t to, uint8_t kind)
{
    size_t len = 1 + slu_dv_random(d) % SLU_SPEECH_BYTES;
    uint8_t *bytes = slu_arena_take(&d->fx->bytes, len);
    if (!bytes)
        return;
    fill(d, bytes, len);
    slu_dv_emit(d, to, kind, bytes, len, NULL, 0);
}

/* A batch that fits the question and is signed: truly in the own lane, or as if the own key were
 * the other lane's. */
static void say_batch(struct slu_deviant *d, uint64_t to, const struct slu_fetch *fetch)
{
    struct slu_message *m = &d->said;
    struct slu_batch_header *h = &m->batch.header;
    uint8_t *payload = slu_arena_take(&d->fx->bytes, 64);
    if (!payload)
        return;
    fill(d, payload, 64);
    m->kind = SLU_MSG_BATCH;
    *h = (struct slu_batch_header){.lane = fetch->lane,
                                   .position = fetch->to ? fetch->to : 1,
                                   .payload_bytes = 64,
                                   .txs = 1,
                                   .made_at_ms = d->clock_ms};
    m->batch.payload = payload;
    if (h->position > 1)
        fill(d, h->parent, 32);
    slu_payload_digest(h->payload_digest, d->g, payload, 64);
    slu_batch_header_digest(h, d->g);
    slu_dv_sign(d, h->signature, SLU_ROLE_BATCH, 0, h->digest);
    slu_dv_say(d, to, m);
}

/* A report of a certified tip that is not. */
static void say_report(struct slu_deviant *d, uint64_t to, uint64_t view)
{
    struct slu_message *m = &d->said;
    struct slu_report *r = &m->report;
    m->kind = SLU_MSG_REPORT;
    *r = (struct slu_report){
        .view = view ? view : 1, .node = d->self, .clock_ms = d->clock_ms, .count = 1};
    r->tips[0].lane = (uint16_t)(slu_dv_random(d) % d->n);
    r->tips[0].tip.position = 1 + slu_dv_random(d) % 1000;
    fill(d, r->tips[0].tip.digest, 32);
    slu_report_digest(r, d->g);
    slu_dv_sign(d, r->signature, SLU_ROLE_REPORT, r->view, r->digest);
    slu_dv_say(d, to, m);
}

/* A block of nobody's, as if it were the one that was asked for. */
static void say_block(struct slu_deviant *d, uint64_t to, uint64_t height)
{
    struct slu_message *m = &d->said;
    struct slu_block *b = &m->blocks.items[0];
    m->kind = SLU_MSG_BLOCKS;
    m->blocks.count = 1;
    m->blocks.has_cert = false;
    *b = (struct slu_block){
        .view = 1 + slu_dv_random(d) % 1000, .height = height ? height : 1, .n = d->n};
    fill(d, b->parent, 32);
    b->time_ms = d->clock_ms;
    slu_block_digest(b, d->g);
    slu_dv_say(d, to, m);
}

static void say_kept(struct slu_deviant *d, uint64_t to, enum slu_message_kind kind,
                     const struct slu_kept *kept)
{
    uint8_t *bytes = kept->len ? slu_arena_take(&d->fx->bytes, kept->len) : NULL;
    if (!bytes)
        return;
    memcpy(bytes, kept->bytes, kept->len);
    slu_dv_emit(d, to, (uint8_t)kind, bytes, kept->len, NULL, 0);
}

static void say_garbage(struct slu_deviant *d, const struct slu_fetch *fetch, uint64_t to)
{
    static const uint8_t kinds[SLU_FETCH_KINDS] = {
        [SLU_FETCH_BATCHES] = SLU_MSG_BATCH,     [SLU_FETCH_HEADERS] = SLU_MSG_HEADERS,
        [SLU_FETCH_LANE_CERT] = SLU_MSG_ACKS,    [SLU_FETCH_REPORT] = SLU_MSG_REPORT,
        [SLU_FETCH_PROPOSAL] = SLU_MSG_PROPOSAL, [SLU_FETCH_VIEWS] = SLU_MSG_CERT,
        [SLU_FETCH_BLOCK] = SLU_MSG_BLOCKS,      [SLU_FETCH_FINALS] = SLU_MSG_BLOCKS,
        [SLU_FETCH_ITEM] = SLU_MSG_RELAY,        [SLU_FETCH_HOLDS] = SLU_MSG_HOLDS,
        [SLU_FETCH_SHARES] = SLU_MSG_SHARES,     [SLU_FETCH_RELEASES] = SLU_MSG_RELEASE_CERT,
    };
    slu_dv_act(d, SLU_GARBAGE_ANSWERS);
    switch (slu_dv_random(d) % 7) {
    case 0:
        say_noise(d, to, kinds[fetch->what]);
        return;
    case 1:
        say_noise(d, to, (uint8_t)slu_dv_random(d));
        return;
    case 2:
        say_batch(d, to, fetch);
        return;
    case 3:
        say_report(d, to, fetch->from);
        return;
    case 4:
        say_block(d, to, fetch->from);
        return;
    case 5: /* something true that nobody asked for */
        say_kept(d, to, SLU_MSG_CERT, &d->fresh[SLU_MSG_CERT]);
        return;
    default:
        return; /* nothing */
    }
}

/* ---- old things ---- */

void slu_dv_keep(struct slu_deviant *d, const struct slu_message *m, const uint8_t *body,
                 size_t len)
{
    if (d->now_ms >= d->renewed_ms + d->g->params.standstill_ms) {
        d->renewed_ms = d->now_ms;
        for (int kind = 0; kind < SLU_MSG_KINDS; kind++) {
            if (d->fresh[kind].len)
                d->old[kind] = d->fresh[kind];
            d->fresh[kind].len = 0;
        }
    }
    struct slu_kept *kept = &d->fresh[m->kind];
    if (kept->len || len > sizeof kept->bytes)
        return;
    kept->len = (uint32_t)len;
    memcpy(kept->bytes, body, len);
}

static void say_old(struct slu_deviant *d, uint64_t to, enum slu_message_kind kind)
{
    say_kept(d, to, kind, &d->old[kind]);
}

static void say_stale(struct slu_deviant *d, const struct slu_fetch *fetch, uint16_t peer)
{
    uint64_t to = UINT64_C(1) << peer;
    struct slu_fetch older = *fetch;
    slu_dv_act(d, SLU_STALE_ANSWERS);
    switch ((enum slu_fetch_what)fetch->what) {
    case SLU_FETCH_BATCHES:
        older.from = fetch->from > BEHIND ? fetch->from - BEHIND : 1;
        older.to = fetch->from - 1;
        if (fetch->from > 1)
            slu_dv_serve(d, peer, &older);
        return;
    case SLU_FETCH_BLOCK:
    case SLU_FETCH_FINALS:
        older.what = SLU_FETCH_FINALS;
        older.from =
            fetch->what == SLU_FETCH_FINALS && fetch->from > BEHIND ? fetch->from - BEHIND : 1;
        slu_dv_serve(d, peer, &older);
        return;
    case SLU_FETCH_HEADERS:
    case SLU_FETCH_LANE_CERT:
        say_old(d, to, SLU_MSG_ACKS);
        return;
    case SLU_FETCH_REPORT:
        say_old(d, to, SLU_MSG_REPORT);
        return;
    case SLU_FETCH_PROPOSAL:
        say_old(d, to, SLU_MSG_REPORT);
        say_old(d, to, SLU_MSG_PROPOSAL);
        return;
    case SLU_FETCH_VIEWS:
        say_old(d, to, SLU_MSG_CERT);
        return;
    case SLU_FETCH_ITEM:
    case SLU_FETCH_HOLDS:
        say_old(d, to, SLU_MSG_HOLDS);
        return;
    case SLU_FETCH_SHARES:
        say_old(d, to, SLU_MSG_SHARES);
        return;
    case SLU_FETCH_RELEASES:
        say_old(d, to, SLU_MSG_RELEASE);
        return;
    case SLU_FETCH_KINDS:
        return;
    }
}

bool slu_dv_answer(struct slu_deviant *d, const struct slu_fetch *fetch, uint16_t to)
{
    bool garbage = slu_dv_does(d, SLU_GARBAGE_ANSWERS), stale = slu_dv_does(d, SLU_STALE_ANSWERS);
    if (to >= d->n || (!garbage && !stale))
        return false;
    if (garbage && (!stale || slu_dv_random(d) % 2))
        say_garbage(d, fetch, UINT64_C(1) << to);
    else
        say_stale(d, fetch, to);
    return true;
}

/* The report of a while ago, as if it were of this view. */
bool slu_dv_age_report(struct slu_deviant *d, struct slu_report *report)
{
    const struct slu_kept *kept = &d->old[SLU_MSG_REPORT];
    struct slu_reader r = slu_reader_of(kept->bytes, kept->len);
    uint64_t view = report->view;
    if (!kept->len || slu_dv_leads(d, view))
        return false;
    SLU_CHECK(!slu_report_read(&r, d->g, report));
    report->view = view;
    slu_report_digest(report, d->g);
    slu_dv_sign(d, report->signature, SLU_ROLE_REPORT, view, report->digest);
    slu_dv_act(d, SLU_STALE_ANSWERS);
    return true;
}
