/* Releases (clauses 8.4 to 8.6): spaces and state made again, chained, and what quorums signed. */
#include <stdlib.h>
#include <string.h>

#include "audit/state.h"
#include "base/limits.h"
#include "consensus/release_record.h"
#include "crypto/hash.h"
#include "sluice/bundle.h"
#include "sluice/error.h"
#include "wire/entry.h"

int audit_releases_init(struct slu_audit *a)
{
    const struct slu_params *p = &a->g->params;
    /* A bundle has a place in the list of each of its legs. */
    uint32_t ordered = SLU_BUNDLE_LEGS_MAX * p->entries_per_block_max +
                       p->forced_bytes_per_block / 13u + SLU_OFFENCES * a->n +
                       slu_inbox_per_block(a->g);
    uint32_t opened = SLU_BUNDLE_LEGS_MAX * (uint32_t)slu_due_count_max(a->g);
    void *first = calloc(1, slu_space_maker_bytes(ordered));
    void *second = calloc(1, slu_space_maker_bytes(opened));
    a->memory[a->memory_count++] = first;
    a->memory[a->memory_count++] = second;
    if (!first || !second)
        return SLU_ERR_MEMORY;
    slu_space_maker_init(&a->ordered, first, ordered);
    slu_space_maker_init(&a->opened, second, opened);
    return SLU_OK;
}

int audit_list(struct slu_audit *a, enum slu_audit_rule rule, struct slu_space_maker *space,
               const struct slu_entry *entry, const uint8_t *content32)
{
    uint64_t rollups[SLU_BUNDLE_LEGS_MAX];
    uint8_t leaf[32];
    slu_entry_leaf(leaf, a->g->chain_id, entry->index, entry->kind, entry->id32, content32);
    for (size_t i = slu_entry_rollups(entry, rollups); i-- > 0;)
        if (!slu_space_add(space, rollups[i], leaf))
            return audit_fault(a, rule, "more entries than a height can have");
    return SLU_OK;
}

int audit_entry(struct slu_audit *a, uint32_t index, uint8_t kind, const uint8_t id32[32],
                const struct slu_tx *tx)
{
    struct slu_entry entry = {.index = index, .kind = kind, .id32 = id32};
    if (tx) {
        entry.rollup = tx->rollup;
        entry.payload = tx->body;
        entry.payload_len = tx->body_len;
    }
    return audit_list(a, SLU_AUDIT_ORDER, &a->ordered, &entry, NULL);
}

/* What lies below a range that begins above 1. */
int audit_releases_start(struct slu_audit *a)
{
    struct slu_space_record space;
    struct slu_release_record release;
    const uint8_t *value;
    size_t len;
    uint8_t state[32];
    memset(a->parts, 0, sizeof a->parts);
    memset(a->previous, 0, 32);
    a->parts_known = a->previous_known = a->whole;
    if (a->whole)
        return SLU_OK;
    int rc = audit_get(a->store, SLU_REC_SPACE, a->from - 1, 0, NULL, &value, &len);
    if (rc == SLU_ERR_NOT_FOUND)
        return SLU_OK;
    if (rc)
        return rc;
    if (slu_space_record_open(&space, value, len))
        return audit_fault(a, SLU_AUDIT_RELEASES, "the record of the height below is malformed");
    memcpy(a->parts, space.parts, sizeof a->parts);
    a->parts_known = true;
    rc = audit_get(a->store, SLU_REC_RELEASE, a->from - 1, 0, NULL, &value, &len);
    if (rc == SLU_ERR_NOT_FOUND)
        return SLU_OK;
    if (rc)
        return rc;
    slu_state_digest(state, a->g->chain_id, (const uint8_t(*)[32])a->parts);
    if (slu_release_record_open(&release, a->g->chain_id, value, len) ||
        !audit_same(state, release.release.state))
        return audit_fault(a, SLU_AUDIT_RELEASES,
                           "the release of the height below is not of its state");
    memcpy(a->previous, release.release.digest, 32);
    a->previous_known = true;
    return SLU_OK;
}

/* ---- the state ---- */

static void hash_u64(struct slu_hash *hash, uint64_t value)
{
    uint8_t bytes[8];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u64(&w, value);
    slu_hash_add(hash, bytes, sizeof bytes);
}

static struct slu_hash next_part(const struct slu_audit *a, enum slu_state_part part,
                                 const char *role)
{
    struct slu_hash hash;
    slu_hash_begin(&hash, role, a->g->chain_id);
    slu_hash_add(&hash, a->parts[part], 32);
    return hash;
}

static void sum_cut(struct slu_audit *a)
{
    struct slu_hash hash;
    slu_hash_begin(&hash, "state-cut", a->g->chain_id);
    for (uint16_t l = 0; l < a->n; l++) {
        hash_u64(&hash, a->block.cut[l].position);
        slu_hash_add(&hash, a->block.cut[l].digest, 32);
    }
    slu_hash_end(&hash, a->parts[SLU_STATE_CUT]);
}

static void sum_queue(struct slu_audit *a)
{
    struct slu_hash hash = next_part(a, SLU_STATE_QUEUE, "state-queue");
    struct slu_queue_tail tail = a->parent.tail;
    struct slu_inbox_tuple t;
    hash_u64(&hash, a->block.tail.height);
    hash_u64(&hash, a->block.tail.bytes);
    for (uint32_t i = 0; i < a->block.queued_count; i++) {
        slu_inbox_tuple_at(a->block.queued, i, &t);
        if (t.kind == SLU_INBOX_EVIDENCE)
            continue;
        slu_hash_add(&hash, t.id, 32);
        hash_u64(&hash, slu_queue_book(a->g, &tail, a->height, t.bytes));
    }
    slu_hash_end(&hash, a->parts[SLU_STATE_QUEUE]);
}

static void sum_calendar(struct slu_audit *a)
{
    struct slu_hash hash = next_part(a, SLU_STATE_CALENDAR, "state-calendar");
    hash_u64(&hash, a->calendar.count);
    hash_u64(&hash, a->calendar.bytes);
    for (uint32_t i = 0; i < a->due_count; i++) {
        slu_hash_add(&hash, a->dues[i].e.id, 32);
        hash_u64(&hash, a->dues[i].e.height);
        hash_u64(&hash, a->dues[i].index);
    }
    slu_hash_end(&hash, a->parts[SLU_STATE_CALENDAR]);
}

static void sum_ids(struct slu_audit *a)
{
    struct slu_hash hash = next_part(a, SLU_STATE_IDS, "state-ids");
    hash_u64(&hash, a->drops.len);
    slu_hash_add(&hash, a->drops.at, a->drops.len);
    slu_hash_add(&hash, a->ids.at, a->ids.len);
    slu_hash_end(&hash, a->parts[SLU_STATE_IDS]);
}

static void sum_slashed(struct slu_audit *a)
{
    struct slu_hash hash;
    slu_hash_begin(&hash, "state-slashed", a->g->chain_id);
    for (int offence = 0; offence < SLU_OFFENCES; offence++)
        hash_u64(&hash, a->block.evident[offence]);
    slu_hash_end(&hash, a->parts[SLU_STATE_SLASHED]);
}

/* The calendar and the keys follow from height 1 only; else they are what the record says. */
static void sum(struct slu_audit *a, const uint8_t *shown)
{
    if (!a->parts_known) {
        memcpy(a->parts, shown, sizeof a->parts);
        a->parts_known = true;
        audit_skip(a, SLU_AUDIT_RELEASES, 1);
    } else {
        sum_queue(a);
        sum_ids(a);
        if (a->whole) {
            sum_calendar(a);
            slu_key_replay_digest(a->replay, a->parts[SLU_STATE_KEYS]);
        } else {
            memcpy(a->parts[SLU_STATE_CALENDAR], shown + 32 * SLU_STATE_CALENDAR, 32);
            memcpy(a->parts[SLU_STATE_KEYS], shown + 32 * SLU_STATE_KEYS, 32);
        }
    }
    sum_cut(a);
    sum_slashed(a);
}

/* ---- the records ---- */

static bool same_leaves(const struct slu_space_maker *made, uint32_t count, struct slu_reader *r)
{
    struct slu_space_leaf leaf;
    if (count != made->rollups)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        slu_space_leaf_read(r, &leaf);
        if (leaf.rollup != made->leaves[i].rollup || leaf.count != made->leaves[i].count ||
            !audit_same(leaf.root, made->leaves[i].root))
            return false;
    }
    return true;
}

static int check_space(struct slu_audit *a, struct slu_release *want)
{
    static const char *const names[SLU_STATE_PARTS] = {"cut", "queue",          "calendar",
                                                       "ids", "key generation", "slashing record"};
    struct slu_space_record space;
    const uint8_t *value;
    size_t len;
    slu_space_finish(&a->ordered, a->g->chain_id, want->ordered);
    int rc = audit_get(a->store, SLU_REC_SPACE, a->height, 0, NULL, &value, &len);
    if (rc == SLU_ERR_NOT_FOUND)
        return audit_fault(a, SLU_AUDIT_RELEASES, "what it ordered is not summed up");
    if (rc)
        return rc;
    if (slu_space_record_open(&space, value, len))
        return audit_fault(a, SLU_AUDIT_RELEASES, "the sum of what it ordered is malformed");
    sum(a, space.parts);
    for (int part = 0; part < SLU_STATE_PARTS; part++)
        if (!audit_same(a->parts[part], space.parts + 32 * part))
            return audit_fault(a, SLU_AUDIT_RELEASES, "the state's %s is another", names[part]);
    if (!audit_same(space.block32, a->block.digest) || space.time_ms != a->block.time_ms)
        return audit_fault(a, SLU_AUDIT_RELEASES, "the sum of what it ordered is of another block");
    if (!audit_same(space.ordered32, want->ordered) ||
        !same_leaves(&a->ordered, space.count, &space.leaves))
        return audit_fault(a, SLU_AUDIT_RELEASES,
                           "the rollups' lists of what it ordered are others");
    return SLU_OK;
}

static int check_release(struct slu_audit *a, const struct slu_release *want)
{
    struct slu_release_record record;
    const uint8_t *value;
    size_t len;
    int rc = audit_get(a->store, SLU_REC_RELEASE, a->height, 0, NULL, &value, &len);
    if (rc == SLU_ERR_NOT_FOUND)
        return audit_fault(a, SLU_AUDIT_RELEASES, "its release is missing");
    if (rc)
        return rc;
    if (slu_release_record_open(&record, a->g->chain_id, value, len))
        return audit_fault(a, SLU_AUDIT_RELEASES, "its release is malformed");
    const struct slu_release *r = &record.release;
    const char *what = NULL;
    if (r->height != want->height || r->time_ms != want->time_ms ||
        !audit_same(r->block, want->block))
        what = "of another block";
    else if (!a->previous_known)
        memcpy(a->previous, r->previous, 32);
    else if (!audit_same(r->previous, a->previous))
        what = "not on top of the one below";
    if (!what && !audit_same(r->ordered, want->ordered))
        what = "of other entries";
    if (!what && (!audit_same(r->opened, want->opened) ||
                  !same_leaves(&a->opened, record.count, &record.leaves)))
        what = "of other openings";
    if (!what && !audit_same(r->state, want->state))
        what = "of another state";
    if (what)
        return audit_fault(a, SLU_AUDIT_RELEASES, "its release is %s", what);
    memcpy(a->previous, r->digest, 32);
    a->previous_known = true;
    return SLU_OK;
}

static int check_cert(struct slu_audit *a)
{
    struct slu_release_cert cert;
    const uint8_t *value;
    size_t len;
    int rc = audit_get(a->store, SLU_REC_RELEASE_CERT, a->height, 0, NULL, &value, &len);
    if (rc)
        return rc == SLU_ERR_NOT_FOUND ? SLU_OK : rc;
    struct slu_reader r = slu_reader_of(value, len);
    if (slu_release_cert_read(&r, a->g, &cert) || !slu_reader_done(&r))
        return audit_fault(a, SLU_AUDIT_RELEASES, "the certificate of its release is malformed");
    if (!audit_same(cert.release.digest, a->previous))
        return audit_fault(a, SLU_AUDIT_RELEASES, "a quorum signed another release");
    if (slu_release_cert_verify(&cert, &a->verifier))
        return audit_fault(a, SLU_AUDIT_RELEASES,
                           "a signature of its release's certificate is wrong");
    return SLU_OK;
}

int audit_releases(struct slu_audit *a)
{
    struct slu_release want = {.height = a->height, .time_ms = a->block.time_ms};
    memcpy(want.block, a->block.digest, 32);
    int rc = check_space(a, &want);
    if (rc)
        return rc;
    a->opened.rollups = 0;
    if (a->due_count > 0)
        slu_space_finish(&a->opened, a->g->chain_id, want.opened);
    slu_state_digest(want.state, a->g->chain_id, (const uint8_t(*)[32])a->parts);
    rc = check_release(a, &want);
    if (!rc)
        rc = check_cert(a);
    if (!rc)
        audit_count(a, SLU_AUDIT_RELEASES, 1, a->whole);
    return rc;
}
