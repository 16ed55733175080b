/* The ways to doctor a store, in the order of the rules. */
#include <string.h>

#include "consensus/opened.h"
#include "crypto/hash.h"
#include "crypto/sealed.h"
#include "tests/audit/doctor.h"
#include "wire/entry.h"

static struct final f, other;
static struct slu_report reports[SLU_NODES_MAX];

/* ---- chain ---- */

static uint64_t certificate_flipped(struct doctor *d)
{
    for (uint64_t h = d->from; h <= d->top; h++) {
        doctor_get_final(d, h, &f);
        if (!f.has_cert)
            continue;
        d->c.at[d->c.len - 1] ^= 1;
        doctor_put(d, SLU_REC_FINAL, h, 0, NULL, d->c.at, d->c.len);
        return h;
    }
    return 0;
}

static uint64_t block_left_out(struct doctor *d)
{
    doctor_delete(d, SLU_REC_FINAL, d->from, 0, NULL);
    return d->from;
}

/* ---- reports ---- */

static uint16_t read_reports(struct doctor *d, uint64_t h)
{
    if (!doctor_get(d, SLU_REC_REPORTS, h, 0, NULL, &d->a))
        return 0;
    struct slu_reader r = slu_reader_of(d->a.at, d->a.len);
    uint16_t count = slu_read_u16(&r);
    for (uint16_t i = 0; i < count; i++)
        if (slu_report_read(&r, &d->genesis, &reports[i]))
            doctor_die("a report is malformed");
    return count;
}

static uint64_t first_reports(struct doctor *d, uint64_t from, uint16_t *count)
{
    for (uint64_t h = from; h <= d->top; h++)
        if ((*count = read_reports(d, h)) > 0)
            return h;
    doctor_die("there are no reports");
}

/* Signs the reports anew, and has the block name them. */
static void put_reports(struct doctor *d, uint64_t h, uint16_t count, bool named)
{
    struct slu_report_ref refs[SLU_NODES_MAX];
    struct slu_writer w = slu_writer_of(d->a.at, sizeof d->a.at);
    slu_write_u16(&w, count);
    for (uint16_t i = 0; i < count; i++) {
        slu_report_digest(&reports[i], &d->genesis);
        doctor_sign(d, reports[i].node, reports[i].signature, reports[i].digest);
        slu_report_write(&w, &reports[i]);
        refs[i].node = reports[i].node;
        memcpy(refs[i].digest, reports[i].digest, 32);
    }
    doctor_put(d, SLU_REC_REPORTS, h, 0, NULL, d->a.at, slu_writer_len(&w));
    if (!named)
        return;
    doctor_get_final(d, h, &f);
    slu_reports_digest(f.block.reports, &d->genesis, refs, count);
    doctor_put_final(d, &f);
}

static uint64_t report_dropped(struct doctor *d)
{
    uint16_t count;
    uint64_t h = first_reports(d, d->from, &count);
    put_reports(d, h, (uint16_t)(count - 1), true);
    return h;
}

static uint64_t report_replaced(struct doctor *d)
{
    uint16_t count;
    uint64_t h = first_reports(d, d->from, &count);
    reports[0].released--; /* nothing that is computed from them changes */
    put_reports(d, h, count, false);
    return h;
}

static uint64_t report_forged(struct doctor *d)
{
    uint16_t count;
    uint64_t h = first_reports(d, d->from, &count);
    d->a.at[d->a.len - 1] ^= 1;
    doctor_put(d, SLU_REC_REPORTS, h, 0, NULL, d->a.at, d->a.len);
    return h;
}

/* ---- cuts, clock ---- */

/* A height with a batch of some lane, at which there are reports. */
static uint64_t find_batch(struct doctor *d, uint16_t *lane)
{
    uint16_t count;
    for (uint64_t h = d->from; (h = first_reports(d, h, &count)) <= d->top; h++) {
        doctor_get_final(d, h - 1, &other);
        doctor_get_final(d, h, &f);
        for (*lane = 0; *lane < d->genesis.n; ++*lane)
            if (f.block.cut[*lane].position > other.block.cut[*lane].position)
                return h;
    }
    return 0;
}

/* Something certified is left out. */
static uint64_t cut_lowered(struct doctor *d)
{
    uint16_t lane;
    struct slu_batch_header header;
    uint64_t h = find_batch(d, &lane);
    struct slu_tip *cut = &f.block.cut[lane];
    if (!h || !doctor_get(d, SLU_REC_BATCH, lane, cut->position, cut->digest, &d->a))
        return 0;
    struct slu_reader r = slu_reader_of(d->a.at, d->a.len);
    if (slu_batch_header_read(&r, &d->genesis, &header))
        return 0;
    cut->position--;
    memcpy(cut->digest, header.parent, 32);
    doctor_put_final(d, &f);
    return h;
}

static uint64_t time_changed(struct doctor *d)
{
    uint16_t count;
    for (uint64_t h = d->from; (h = first_reports(d, h, &count)) < d->top; h++) {
        doctor_get_final(d, h + 1, &other);
        doctor_get_final(d, h, &f);
        if (f.block.time_ms + 2 >= other.block.time_ms)
            continue;
        f.block.time_ms++;
        doctor_put_final(d, &f);
        return h;
    }
    return 0;
}

/* ---- queue ---- */

static uint64_t tuple_removed(struct doctor *d)
{
    uint16_t count;
    for (uint64_t h = d->from; (h = first_reports(d, h, &count)) <= d->top; h++) {
        doctor_get_final(d, h - 1, &other);
        doctor_get_final(d, h, &f);
        if (f.block.queued_count == 0)
            continue;
        f.block.queued_count--;
        f.block.tail = other.block.tail;
        for (uint32_t i = 0; i < f.block.queued_count; i++) {
            struct slu_inbox_tuple t;
            slu_inbox_tuple_at(f.block.queued, i, &t);
            slu_queue_book(&d->genesis, &f.block.tail, h, t.bytes);
        }
        doctor_put_final(d, &f);
        return h;
    }
    return 0;
}

/* ---- delivered records, taken apart and put together ---- */

struct parts {
    struct slu_delivered head;
    struct slu_delivered_inbox items[4096];
    struct slu_delivered_batch batches[4096];
    struct slu_delivered_drop drops[65536];
    struct slu_delivered_due dues[65536];
};

static bool take_apart(struct doctor *d, uint64_t h, struct parts *p)
{
    if (!doctor_get(d, SLU_REC_DELIVERED, h, 0, NULL, &d->a) ||
        slu_delivered_open(&p->head, d->a.at, d->a.len))
        return false;
    for (uint32_t i = 0; i < p->head.inbox_count; i++)
        slu_delivered_next_inbox(&p->head, &p->items[i]);
    for (uint32_t i = 0; i < p->head.batch_count; i++)
        slu_delivered_next_batch(&p->head, &p->batches[i]);
    for (uint32_t i = 0; i < p->head.drop_count; i++)
        slu_delivered_next_drop(&p->head, &p->drops[i]);
    for (uint32_t i = 0; i < p->head.due_count; i++)
        slu_delivered_next_due(&p->head, &p->dues[i]);
    return true;
}

static void put_together(struct doctor *d, const struct parts *p)
{
    struct slu_writer w = slu_writer_of(d->a.at, sizeof d->a.at);
    const struct slu_delivered *head = &p->head;
    slu_write_bytes(&w, head->block, 32);
    slu_write_u64(&w, head->height);
    slu_write_u64(&w, head->time_ms);
    slu_write_u32(&w, head->entries);
    slu_write_u32(&w, head->inbox_count);
    slu_write_u32(&w, head->batch_count);
    slu_write_u32(&w, head->drop_count);
    slu_write_u32(&w, head->due_count);
    for (uint32_t i = 0; i < head->inbox_count; i++) {
        slu_inbox_tuple_write(&w, &p->items[i].tuple);
        slu_write_u8(&w, p->items[i].outcome);
    }
    for (uint32_t i = 0; i < head->batch_count; i++) {
        slu_write_u16(&w, p->batches[i].lane);
        slu_write_u64(&w, p->batches[i].position);
        slu_write_bytes(&w, p->batches[i].digest, 32);
        slu_write_u32(&w, p->batches[i].txs);
    }
    for (uint32_t i = 0; i < head->drop_count; i++) {
        slu_write_u32(&w, p->drops[i].batch);
        slu_write_u32(&w, p->drops[i].tx);
        slu_write_u8(&w, p->drops[i].reason);
    }
    for (uint32_t i = 0; i < head->due_count; i++) {
        slu_write_bytes(&w, p->dues[i].id, 32);
        slu_write_u64(&w, p->dues[i].ordered_height);
        slu_write_u32(&w, p->dues[i].ordered_index);
        slu_write_u32(&w, p->dues[i].index);
    }
    doctor_put(d, SLU_REC_DELIVERED, head->height, 0, NULL, d->a.at, slu_writer_len(&w));
}

static struct parts here, there;

static uint64_t forced_late(struct doctor *d)
{
    for (uint64_t h = d->from; h < d->top; h++) {
        if (!take_apart(d, h, &here) || !take_apart(d, h + 1, &there))
            return 0;
        if (here.head.inbox_count == 0 || here.items[here.head.inbox_count - 1].outcome ||
            here.items[here.head.inbox_count - 1].tuple.kind != SLU_INBOX_FORCED)
            continue;
        there.items[there.head.inbox_count++] = here.items[--here.head.inbox_count];
        here.head.entries--;
        there.head.entries++;
        put_together(d, &here);
        put_together(d, &there);
        return h;
    }
    return 0;
}

/* ---- order, ids ---- */

static uint64_t batch_unlisted(struct doctor *d)
{
    for (uint64_t h = d->from; h <= d->top; h++) {
        if (!take_apart(d, h, &here) || here.head.batch_count == 0 || here.head.drop_count > 0)
            continue;
        here.head.entries -= here.batches[--here.head.batch_count].txs;
        put_together(d, &here);
        return h;
    }
    return 0;
}

static uint64_t batches_swapped(struct doctor *d)
{
    for (uint64_t h = d->from; h <= d->top; h++) {
        if (!take_apart(d, h, &here) || here.head.batch_count < 2 || here.head.drop_count > 0)
            continue;
        struct slu_delivered_batch first = here.batches[0];
        here.batches[0] = here.batches[1];
        here.batches[1] = first;
        put_together(d, &here);
        return h;
    }
    return 0;
}

static uint64_t batch_gone(struct doctor *d)
{
    uint16_t lane;
    uint64_t h = find_batch(d, &lane);
    const struct slu_tip *cut = &f.block.cut[lane];
    if (h)
        doctor_delete(d, SLU_REC_BATCH, lane, cut->position, cut->digest);
    return h;
}

static uint64_t dropped_for_nothing(struct doctor *d)
{
    for (uint64_t h = d->from; h <= d->top; h++) {
        if (!take_apart(d, h, &here) || here.head.batch_count == 0 || here.head.drop_count > 0)
            continue;
        here.drops[here.head.drop_count++] = (struct slu_delivered_drop){.reason = SLU_DROP_EXPIRED};
        here.head.entries--;
        put_together(d, &here);
        return h;
    }
    return 0;
}

static uint64_t id_twice(struct doctor *d)
{
    for (uint64_t h = d->from; h <= d->top; h++) {
        if (!take_apart(d, h, &here))
            return 0;
        for (uint32_t i = 0; i < here.head.drop_count; i++) {
            if (here.drops[i].reason != SLU_DROP_DUPLICATE)
                continue;
            memmove(&here.drops[i], &here.drops[i + 1],
                    (here.head.drop_count - i - 1) * sizeof *here.drops);
            here.head.drop_count--;
            here.head.entries++;
            put_together(d, &here);
            return h;
        }
    }
    return 0;
}

/* ---- calendar ---- */

/* The first due of a height that waited, and that has another height below it. */
static uint64_t find_waited(struct doctor *d)
{
    for (uint64_t h = d->from + 1; h < d->top; h++)
        if (take_apart(d, h, &here) && here.head.due_count > 0 &&
            here.dues[0].ordered_height + 1 < h)
            return h;
    return 0;
}

static uint64_t timelock_early(struct doctor *d)
{
    uint64_t h = find_waited(d);
    if (!h || !take_apart(d, h - 1, &there))
        return 0;
    there.dues[there.head.due_count++] = here.dues[0];
    there.head.entries++;
    memmove(&here.dues[0], &here.dues[1], --here.head.due_count * sizeof *here.dues);
    here.head.entries--;
    put_together(d, &there);
    put_together(d, &here);
    return h - 1;
}

static uint64_t timelock_late(struct doctor *d)
{
    uint64_t h = find_waited(d);
    if (!h || !take_apart(d, h + 1, &there))
        return 0;
    there.dues[there.head.due_count++] = here.dues[0];
    there.head.entries++;
    memmove(&here.dues[0], &here.dues[1], --here.head.due_count * sizeof *here.dues);
    here.head.entries--;
    put_together(d, &there);
    put_together(d, &here);
    return h;
}

/* ---- openings: the height's root, release and certificates follow ---- */

static void put_opened(struct doctor *d, uint64_t h)
{
    static uint8_t memory[4u << 20] __attribute__((aligned(16)));
    static struct slu_space_maker maker;
    static uint8_t tail[1u << 20];
    struct slu_reader r;
    struct slu_opened one;
    struct slu_release_record record;
    uint32_t count;
    memset(memory, 0, sizeof memory);
    slu_space_maker_init(&maker, memory, 8192);
    doctor_put(d, SLU_REC_OPENED, h, 0, NULL, d->a.at, d->a.len);
    if (slu_opened_open(&r, d->a.at, d->a.len, &count))
        doctor_die("what is opened is malformed");
    for (uint32_t i = 0; i < count && !slu_opened_next(&r, &one); i++) {
        uint8_t leaf[32], content[32];
        struct slu_hash hash;
        slu_hash_begin(&hash, "content", d->genesis.chain_id);
        if (one.outcome)
            slu_hash_add(&hash, &one.outcome, 1);
        slu_hash_add(&hash, one.opening, one.opening_len);
        slu_hash_end(&hash, content);
        slu_entry_leaf(leaf, d->genesis.chain_id, one.index,
                       one.outcome ? SLU_ENTRY_VOID : SLU_ENTRY_OPENED, one.id32, content);
        if (!slu_space_add(&maker, one.rollup, leaf))
            doctor_die("too many openings");
    }
    if (!doctor_get(d, SLU_REC_RELEASE, h, 0, NULL, &d->b) ||
        slu_release_record_open(&record, d->genesis.chain_id, d->b.at, d->b.len))
        doctor_die("a release is malformed");
    slu_space_finish(&maker, d->genesis.chain_id, record.release.opened);
    struct slu_writer w = slu_writer_of(tail, sizeof tail);
    slu_write_u32(&w, maker.rollups);
    for (uint32_t i = 0; i < maker.rollups; i++)
        slu_space_leaf_write(&w, &maker.leaves[i]);
    doctor_put_release(d, &record.release, tail, slu_writer_len(&w));
}

/* The first height with something opened; `one` is it, in d->a. */
static uint64_t find_opened(struct doctor *d, struct slu_opened *one)
{
    for (uint64_t h = d->from; h <= d->top; h++) {
        struct slu_reader r;
        uint32_t count;
        if (!doctor_get(d, SLU_REC_OPENED, h, 0, NULL, &d->a) ||
            slu_opened_open(&r, d->a.at, d->a.len, &count))
            continue;
        for (uint32_t i = 0; i < count && !slu_opened_next(&r, one); i++)
            if (one->outcome == SLU_OPENED)
                return h;
    }
    return 0;
}

static uint64_t opening_changed(struct doctor *d)
{
    struct slu_opened one;
    uint64_t h = find_opened(d, &one);
    if (!h)
        return 0;
    d->a.at[(size_t)(one.opening - d->a.at) + one.opening_len - 1] ^= 1;
    put_opened(d, h);
    return h;
}

static uint64_t opened_shown_void(struct doctor *d)
{
    struct slu_opened one;
    uint64_t h = find_opened(d, &one);
    if (!h)
        return 0;
    size_t at = (size_t)(one.id32 - d->a.at) + 32, opening = (size_t)(one.opening - d->a.at);
    size_t behind = opening + one.opening_len;
    struct slu_writer w = slu_writer_of(d->a.at + at, 13);
    slu_write_u8(&w, SLU_VOID_TAG);
    slu_write_u64(&w, 0);
    slu_write_u32(&w, 12);
    memmove(d->a.at + opening + 12, d->a.at + behind, d->a.len - behind);
    d->a.len -= one.opening_len - 12;
    put_opened(d, h);
    return h;
}

/* ---- releases ---- */

static uint64_t release_state(struct doctor *d)
{
    struct slu_release_record record;
    uint64_t h = d->from;
    if (!doctor_get(d, SLU_REC_RELEASE, h, 0, NULL, &d->a) ||
        slu_release_record_open(&record, d->genesis.chain_id, d->a.at, d->a.len))
        return 0;
    record.release.state[0] ^= 1;
    doctor_put_release(d, &record.release, NULL, 0);
    return h;
}

static uint64_t release_certificate(struct doctor *d)
{
    for (uint64_t h = d->from; h <= d->top; h++) {
        if (!doctor_get(d, SLU_REC_RELEASE_CERT, h, 0, NULL, &d->a))
            continue;
        d->a.at[d->a.len - 1] ^= 1;
        doctor_put(d, SLU_REC_RELEASE_CERT, h, 0, NULL, d->a.at, d->a.len);
        return h;
    }
    return 0;
}

const struct doctor_case doctor_cases[] = {
    {"certificate_flipped", "chain", certificate_flipped},
    {"block_left_out", "chain", block_left_out},
    {"report_dropped", "reports", report_dropped},
    {"report_replaced", "reports", report_replaced},
    {"report_forged", "reports", report_forged},
    {"cut_lowered", "cuts", cut_lowered},
    {"time_changed", "clock", time_changed},
    {"tuple_removed", "queue", tuple_removed},
    {"forced_late", "forced", forced_late},
    {"batch_unlisted", "order", batch_unlisted},
    {"batches_swapped", "order", batches_swapped},
    {"batch_gone", "order", batch_gone},
    {"dropped_for_nothing", "order", dropped_for_nothing},
    {"id_twice", "ids", id_twice},
    {"timelock_early", "calendar", timelock_early},
    {"timelock_late", "calendar", timelock_late},
    {"opening_changed", "openings", opening_changed},
    {"opened_shown_void", "openings", opened_shown_void},
    {"release_state", "releases", release_state},
    {"release_certificate", "releases", release_certificate},
};

const size_t doctor_case_count = sizeof doctor_cases / sizeof *doctor_cases;
