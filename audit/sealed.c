/* Sealed entries: whether they are valid, and at which height each is due (clauses 7.5 to 7.7). A
 * range from height 1 on has the whole calendar, made again; any other follows the record where it
 * depends on what waited before, and says so. */
#include <stdlib.h>
#include <string.h>

#include "audit/state.h"
#include "sluice/error.h"

int audit_sealed_init(struct slu_audit *a)
{
    struct slu_arena arena;
    size_t replay = slu_key_replay_bytes(a->g), calendar = slu_calendar_bytes(a->g);
    a->plain = malloc(SLU_SEALED_PLAIN_MAX);
    void *keys = calloc(1, replay), *places = calloc(1, calendar);
    a->memory[a->memory_count++] = keys;
    a->memory[a->memory_count++] = places;
    if (!keys || !places || !a->plain)
        return SLU_ERR_MEMORY;
    a->replay = slu_key_replay_init(keys, a->g);
    arena = slu_arena_of(places, calendar);
    slu_calendar_init(&a->calendar, &arena, a->g);
    return SLU_OK;
}

int audit_keys_load(struct slu_audit *a)
{
    int rc = slu_key_replay_load(a->replay, a->store);
    for (int key = 0; !rc && key < slu_key_replay_count(a->replay); key++)
        if (slu_key_cert_check(slu_key_replay_cert(a->replay, key), a->g, &a->verifier))
            return audit_fault(a, SLU_AUDIT_OPENINGS, "a key is not the committee's");
    return rc;
}

void audit_sealed_begin(struct slu_audit *a)
{
    a->due_count = 0;
    a->invalid_lanes = a->forced_taken = 0;
    for (uint16_t queue = 0; queue < a->calendar.queue_count; queue++)
        a->budget[queue] = slu_due_budget(a->g, queue);
    slu_calendar_advance(&a->calendar, a->g, a->height, a->block.time_ms);
}

/* Whether the height still opens `bytes` more of a queue; one entry always fits. */
static bool spend(struct slu_audit *a, uint16_t queue, uint32_t bytes)
{
    uint32_t *budget = &a->budget[queue];
    if (bytes > *budget && *budget != slu_due_budget(a->g, queue))
        return false;
    *budget -= bytes < *budget ? bytes : *budget;
    return true;
}

static int add_due(struct slu_audit *a, const struct slu_sealed_entry *entry, uint32_t index,
                   bool invalid)
{
    void *array = a->dues;
    size_t cap = a->due_cap;
    int rc = audit_grow(&array, &cap, a->due_count + 1u, sizeof *a->dues);
    a->dues = array;
    a->due_cap = (uint32_t)cap;
    if (!rc)
        a->dues[a->due_count++] =
            (struct audit_due){.e = *entry, .index = index, .invalid = invalid, .key = -1};
    return rc;
}

/* Whether the record says that the entry at `index` of this height is due at once. */
static bool is_shown_due(const struct slu_audit *a, uint32_t index)
{
    for (uint32_t i = 0; i < a->shown_count; i++)
        if (a->shown[i].ordered_height == a->height && a->shown[i].ordered_index == index)
            return true;
    return false;
}

static struct slu_sealed_entry entry_of(const struct slu_audit *a, uint16_t lane,
                                        const struct slu_tx *tx, const struct slu_label *label,
                                        const uint8_t id32[32], uint32_t index)
{
    struct slu_sealed_entry entry = {.height = a->height,
                                     .index = index,
                                     .bytes = tx->bytes_len,
                                     .lane = lane,
                                     .unlock_kind = label->unlock_kind,
                                     .unlock = label->unlock};
    memcpy(entry.id, id32, 32);
    return entry;
}

static void wait_for(struct slu_audit *a, const struct slu_sealed_entry *entry, bool due)
{
    if (a->whole)
        slu_calendar_add(&a->calendar, a->g, entry, due);
}

/* ---- out of the queue ---- */

bool audit_sealed_keep_forced(struct slu_audit *a, uint32_t bytes)
{
    if (!slu_calendar_has_room(&a->calendar, 0, bytes, a->forced_taken, false))
        return false;
    a->forced_taken += slu_calendar_cost(bytes);
    return true;
}

int audit_sealed_forced(struct slu_audit *a, const struct slu_tx *tx, const uint8_t id32[32],
                        uint32_t index)
{
    struct slu_sealed sealed = {.c_len = 0};
    struct slu_sealed_checked checked;
    bool valid = !slu_sealed_read(&sealed, tx->body, tx->body_len, tx->valid_until_ms);
    int key = valid ? slu_key_replay_find(a->replay, sealed.key_id32) : -1;
    valid = key >= 0 && slu_sealed_valid(slu_key_replay_opening(a->replay, key), &checked, &sealed);
    struct slu_sealed_entry entry = entry_of(a, SLU_LANE_FORCED, tx, &sealed.label, id32, index);
    if (!valid || slu_unlock_reached(entry.unlock_kind, entry.unlock, a->height, a->block.time_ms))
        return add_due(a, &entry, index, !valid);
    wait_for(a, &entry, false);
    return SLU_OK;
}

/* ---- what waited ---- */

static int waited_shown(struct slu_audit *a)
{
    int rc = SLU_OK;
    for (uint32_t i = 0; i < a->shown_count && !rc; i++) {
        const struct slu_delivered_due *shown = &a->shown[i];
        if (shown->ordered_height >= a->height)
            continue;
        struct slu_sealed_entry entry = {.height = shown->ordered_height,
                                         .index = shown->ordered_index};
        memcpy(entry.id, shown->id, 32);
        rc = add_due(a, &entry, a->entries++, false);
    }
    return rc;
}

int audit_sealed_waited(struct slu_audit *a)
{
    int rc = SLU_OK;
    if (!a->whole)
        return waited_shown(a);
    for (uint16_t queue = 0; queue < a->calendar.queue_count && !rc;) {
        const struct slu_sealed_entry *next = slu_calendar_next(&a->calendar, queue);
        if (!next || !spend(a, queue, next->bytes)) {
            queue++;
            continue;
        }
        rc = add_due(a, next, a->entries++, false);
        slu_calendar_pop(&a->calendar, queue);
    }
    return rc;
}

/* ---- in a lane ---- */

int audit_sealed_judge(struct slu_audit *a, uint16_t lane, const struct slu_tx *tx,
                       const uint8_t id32[32], uint8_t shown, enum slu_drop *drop)
{
    struct slu_sealed sealed;
    struct slu_sealed_checked checked;
    uint64_t bit = UINT64_C(1) << lane;
    if (slu_sealed_read(&sealed, tx->body, tx->body_len, tx->valid_until_ms)) {
        *drop = SLU_DROP_SEALING;
        return SLU_OK;
    }
    const struct slu_label *label = &sealed.label;
    int key = slu_key_replay_find(a->replay, sealed.key_id32);
    unsigned distance =
        slu_unlock_distance(a->g, label->unlock_kind, label->unlock, a->height, a->block.time_ms);
    *drop = !slu_key_replay_counts(a->replay, key, a->height, a->block.time_ms) ? SLU_DROP_SEAL_KEY
            : distance > 2                                                      ? SLU_DROP_UNLOCK
                                                                                : SLU_DROP_NONE;
    if (*drop != SLU_DROP_NONE)
        return SLU_OK;
    uint16_t queue = slu_due_queue(a->g, lane, label->unlock_kind);
    uint32_t before = a->budget[queue];
    bool due = a->whole ? distance == 0 && !slu_calendar_next(&a->calendar, queue) &&
                              spend(a, queue, tx->bytes_len)
                        : is_shown_due(a, a->entries);
    if (a->whole && !due &&
        !slu_calendar_has_room(&a->calendar, queue, tx->bytes_len, 0, distance > 1))
        *drop = SLU_DROP_CALENDAR_FULL;
    if (!a->whole && shown == SLU_DROP_CALENDAR_FULL) {
        audit_skip(a, SLU_AUDIT_CALENDAR, 1);
        *drop = SLU_DROP_CALENDAR_FULL;
    }
    if (*drop != SLU_DROP_NONE)
        return SLU_OK;
    if (a->invalid_lanes & bit ||
        !slu_sealed_valid(slu_key_replay_opening(a->replay, key), &checked, &sealed)) {
        *drop = a->invalid_lanes & bit ? SLU_DROP_LANE_SEALING : SLU_DROP_SEALING;
        a->invalid_lanes |= bit;
        a->budget[queue] = before;
        return SLU_OK;
    }
    struct slu_sealed_entry entry = entry_of(a, lane, tx, label, id32, a->entries);
    if (due && distance > 0)
        return audit_fault(a, SLU_AUDIT_CALENDAR, "entry %u is due before its unlock", a->entries);
    if (due)
        return add_due(a, &entry, a->entries, false);
    wait_for(a, &entry, distance == 0);
    return SLU_OK;
}

/* ---- against the record ---- */

int audit_sealed_end(struct slu_audit *a)
{
    for (uint32_t i = 0; i < a->due_count || i < a->shown_count; i++) {
        const struct audit_due *due = i < a->due_count ? &a->dues[i] : NULL;
        const struct slu_delivered_due *shown = i < a->shown_count ? &a->shown[i] : NULL;
        if (due && shown && audit_same(due->e.id, shown->id) &&
            due->e.height == shown->ordered_height && due->e.index == shown->ordered_index &&
            due->index == shown->index)
            continue;
        if (due)
            return audit_fault(a, SLU_AUDIT_CALENDAR,
                               "what was ordered at %llu:%u is due here, as number %u of its dues",
                               (unsigned long long)due->e.height, due->e.index, i);
        return audit_fault(a, SLU_AUDIT_CALENDAR, "what was ordered at %llu:%u is not due here",
                           (unsigned long long)shown->ordered_height, shown->ordered_index);
    }
    audit_count(a, SLU_AUDIT_CALENDAR, a->due_count, a->whole);
    if (!a->whole)
        audit_skip(a, SLU_AUDIT_CALENDAR, a->due_count);
    return SLU_OK;
}
