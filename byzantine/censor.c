/* What a deviant will not take, say or vouch for. */
#include <string.h>

#include "byzantine/state.h"
#include "wire/bundle.h"

/* ---- a rollup ---- */

/* Whether one is for the refused rollup, as far as can be seen. */
static bool is_refused(const struct slu_deviant *d, const struct slu_tx *tx)
{
    struct slu_bundle bundle;
    if (tx->kind == SLU_TX_BUNDLE && !slu_bundle_read(&bundle, tx->body, tx->body_len))
        return slu_bundle_has(&bundle, d->behaviours.rollup);
    return tx->rollup == d->behaviours.rollup;
}

void slu_dv_look_for_rollup(struct slu_deviant *d, const struct slu_batch *batch)
{
    const struct slu_batch_header *h = &batch->header;
    uint64_t *tainted = &d->tainted[h->lane];
    if (h->lane == d->self || (*tainted && *tainted <= h->position))
        return;
    struct slu_reader r = slu_reader_of(batch->payload, h->payload_bytes);
    struct slu_tx tx;
    for (uint32_t i = 0; i < h->txs && slu_tx_read(&r, &tx); i++)
        if (is_refused(d, &tx)) {
            *tainted = h->position;
            return;
        }
}

/* Copies the envelopes that it takes into the turn; `refused` gets a bit per transaction. */
static struct slu_event sift(struct slu_deviant *d, const struct slu_event *event, bool *refused)
{
    struct slu_event left = *event;
    uint8_t *bytes = slu_arena_take(&d->fx->bytes, event->submit.bytes);
    struct slu_reader r = slu_reader_of(event->submit.envelopes, event->submit.bytes);
    SLU_CHECK(bytes);
    left.submit.envelopes = bytes;
    left.submit.bytes = 0;
    left.submit.count = 0;
    for (uint32_t i = 0; i < event->submit.count; i++) {
        struct slu_tx tx;
        SLU_CHECK(slu_tx_read(&r, &tx));
        refused[i] = is_refused(d, &tx);
        if (refused[i])
            continue;
        memcpy(bytes + left.submit.bytes, tx.bytes, tx.bytes_len);
        left.submit.bytes += tx.bytes_len;
        left.submit.count++;
    }
    return left;
}

/* Says of the refused ones that the lane is full, so that it looks like load. */
static void answer_all(struct slu_deviant *d, const struct slu_event *event, const bool *refused,
                       struct slu_effect *admitted)
{
    struct slu_reader r = slu_reader_of(event->submit.envelopes, event->submit.bytes);
    struct slu_admission *items =
        slu_arena_take(&d->fx->bytes, event->submit.count * sizeof *items);
    uint32_t taken = 0;
    SLU_CHECK(items);
    for (uint32_t i = 0; i < event->submit.count; i++) {
        struct slu_tx tx;
        SLU_CHECK(slu_tx_read(&r, &tx));
        if (refused[i]) {
            items[i] = (struct slu_admission){.status = SLU_ADMIT_LANE_FULL};
            slu_tx_id(items[i].id, d->g, &tx);
        } else {
            items[i] = admitted->admitted.items[taken++];
        }
    }
    admitted->admitted.items = items;
    admitted->admitted.count = event->submit.count;
}

void slu_dv_submit(struct slu_deviant *d, const struct slu_event *event)
{
    bool refused[SLU_SUBMIT_TXS_MAX];
    struct slu_event left = sift(d, event, refused);
    uint32_t first = d->fx->count;
    if (left.submit.count == event->submit.count) {
        slu_core_step(d->core, event, d->fx);
        return;
    }
    if (left.submit.count > 0) {
        slu_core_step(d->core, &left, d->fx);
    } else {
        struct slu_effect *e = slu_dv_add(d, SLU_EFFECT_ADMITTED);
        SLU_CHECK(e);
        e->admitted.token = event->submit.token;
    }
    for (uint32_t i = first; i < d->fx->count; i++)
        if (d->fx->items[i].kind == SLU_EFFECT_ADMITTED &&
            d->fx->items[i].admitted.token == event->submit.token)
            answer_all(d, event, refused, &d->fx->items[i]);
    slu_dv_act(d, SLU_REFUSE_ROLLUP);
}

/* Takes out the lanes that carry the rollup; returns how many are left. */
static uint16_t strip_lanes(const struct slu_deviant *d, struct slu_lane_tip *tips, uint16_t count)
{
    uint16_t kept = 0;
    for (uint16_t i = 0; i < count; i++) {
        uint64_t tainted = d->tainted[tips[i].lane];
        if (!tainted || tips[i].tip.position < tainted)
            tips[kept++] = tips[i];
    }
    return kept;
}

/* ---- what it says of others' lanes and of the inbox ---- */

static bool strip(struct slu_deviant *d, struct slu_lane_tip *tips, uint16_t *count)
{
    uint16_t kept = slu_dv_does(d, SLU_REFUSE_ROLLUP) ? strip_lanes(d, tips, *count) : *count;
    if (kept == *count)
        return false;
    slu_dv_act(d, SLU_REFUSE_ROLLUP);
    *count = kept;
    return true;
}

bool slu_dv_strip(struct slu_deviant *d, struct slu_message *m)
{
    if (m->kind == SLU_MSG_ACKS && m->acks.node == d->self) {
        struct slu_ack_vector *v = &m->acks;
        if (!strip(d, v->acks, &v->count))
            return false;
        slu_ack_vector_digest(v, d->g);
        slu_dv_sign(d, v->signature, SLU_ROLE_ACKS, 0, v->digest);
        return true;
    }
    if (m->kind == SLU_MSG_REPORT && m->report.node == d->self &&
        !slu_dv_leads(d, m->report.view)) { /* the core's proposal names its own report as it is */
        struct slu_report *r = &m->report;
        bool forced = slu_dv_does(d, SLU_REFUSE_FORCED) && r->inbox_count > 0;
        if (!strip(d, r->tips, &r->count) && !forced)
            return false;
        if (forced) {
            slu_dv_act(d, SLU_REFUSE_FORCED);
            r->inbox_count = 0;
        }
        slu_report_digest(r, d->g);
        slu_dv_sign(d, r->signature, SLU_ROLE_REPORT, r->view, r->digest);
        return true;
    }
    return false;
}

bool slu_dv_refuses_item(struct slu_deviant *d, const struct slu_message *m)
{
    bool item = (m->kind == SLU_MSG_RELAY && m->relay.taker == d->self) ||
                (m->kind == SLU_MSG_HOLDS && m->holds.items[0].node == d->self);
    if (!item || !slu_dv_does(d, SLU_REFUSE_FORCED))
        return false;
    slu_dv_act(d, SLU_REFUSE_FORCED);
    return true;
}

/* ---- its own views ---- */

bool slu_dv_keeps_silent(const struct slu_deviant *d, const struct slu_message *m)
{
    if (!slu_dv_does(d, SLU_SILENT_LEADER))
        return false;
    switch (m->kind) {
    case SLU_MSG_REPORT:
        return m->report.node == d->self && slu_dv_leads(d, m->report.view);
    case SLU_MSG_PROPOSAL:
        return m->proposal.node == d->self;
    case SLU_MSG_VOTE:
        return m->vote.node == d->self && slu_dv_leads(d, m->vote.view) &&
               m->vote.kind != SLU_NULLIFY;
    case SLU_MSG_FETCH: /* by others: what it does not say is not to be had by asking, either */
        return (m->fetch.what == SLU_FETCH_PROPOSAL || m->fetch.what == SLU_FETCH_REPORT) &&
               slu_dv_leads(d, m->fetch.from);
    case SLU_MSG_BATCH:
    case SLU_MSG_ACKS:
    case SLU_MSG_CERT:
    case SLU_MSG_HEADERS:
    case SLU_MSG_BLOCKS:
    case SLU_MSG_REJOIN:
    case SLU_MSG_FREEZE:
    case SLU_MSG_RELAY:
    case SLU_MSG_HOLDS:
    case SLU_MSG_SHARES:
    case SLU_MSG_RELEASE:
    case SLU_MSG_RELEASE_CERT:
    case SLU_MSG_KINDS:
        break;
    }
    return false;
}

/* ---- who may know a certificate ---- */

uint64_t slu_dv_narrow(struct slu_deviant *d, const struct slu_message *m, uint64_t targets)
{
    if (!slu_dv_does(d, SLU_CERTIFICATES_TO_LEADER))
        return targets;
    uint64_t view = slu_core_stats(d->core)->view, leaders;
    if (m->kind == SLU_MSG_ACKS || m->kind == SLU_MSG_HOLDS)
        leaders = UINT64_C(1) << view % d->n | UINT64_C(1) << (view + 1) % d->n;
    else if (m->kind == SLU_MSG_CERT)
        leaders = UINT64_C(1) << (m->cert.view + 1) % d->n;
    else
        return targets;
    if (targets & ~leaders)
        slu_dv_act(d, SLU_CERTIFICATES_TO_LEADER);
    return targets & leaders;
}
