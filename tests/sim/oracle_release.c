#include "tests/sim/oracle_release.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "tests/sim/inbox.h"
#include "tests/sim/oracle_sealed.h"
#include "tests/sim/sim.h"
#include "wire/entry.h"

#define RELEASE_BYTES   176u
#define LEAF_BYTES      44u
#define PART_BYTES      32u
#define PARTS           6u
#define PARTS_AT        40u /* in a SPACE record */
#define SPACE_HEAD      (PARTS_AT + PARTS * PART_BYTES + 32u)
#define OPENING_HEAD    141u /* before what was inside (docs/PROTOCOL.md clause 7.11) */
#define DROPPED_OUTCOME UINT32_C(0x80000000)

enum part { PART_CUT, PART_QUEUE, PART_CALENDAR, PART_IDS, PART_KEYS, PART_SLASHED };

/* A leaf of some rollup's list. */
struct listed {
    uint64_t rollup;
    uint32_t place; /* in order */
    uint8_t leaf[32];
};

struct list {
    struct listed *items;
    uint32_t count, cap;
};

struct bytes {
    uint8_t *at;
    uint32_t len, cap;
};

/* What goes into lists. */
struct listing {
    uint64_t rollup;
    uint32_t index;
    uint8_t kind;
    const uint8_t *id32, *content32;
    const uint8_t *body; /* of a bundle, else NULL */
    size_t body_len;
};

struct oracle_releases {
    struct list ordered, opened;
    struct bytes known, ids, queued; /* as they go into the state */
    uint8_t parts[PARTS][PART_BYTES];
};

struct oracle_releases *oracle_releases_new(void)
{
    return sim_alloc(sizeof(struct oracle_releases));
}

void oracle_releases_free(struct oracle_releases *s)
{
    free(s->ordered.items);
    free(s->opened.items);
    free(s->known.at);
    free(s->ids.at);
    free(s->queued.at);
    free(s);
}

/* ---- bytes and hashes ---- */

static void append(struct bytes *bytes, const void *data, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        bytes->at = sim_grow(bytes->at, &bytes->cap, bytes->len, 1);
        bytes->at[bytes->len++] = ((const uint8_t *)data)[i];
    }
}

static void append_number(struct bytes *bytes, uint64_t value, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i);
        append(bytes, &byte, 1);
    }
}

static void hash_and_free(const struct oracle *oracle, uint8_t out32[32], const char *role,
                          struct bytes *bytes)
{
    slu_hash_of(out32, role, oracle->sim->genesis.chain_id, bytes->at, bytes->len);
    free(bytes->at);
    *bytes = (struct bytes){0};
}

/* ---- spaces ---- */

/* RFC 9162 section 2.1.1, by its words: MTH of one is it, else of the largest power of two below n
 * and of the rest. */
static void tree_root(const struct oracle *oracle, uint8_t out32[32], const uint8_t (*leaves)[32],
                      uint32_t n)
{
    struct bytes pair = {0};
    uint8_t side[32];
    uint32_t k = 1;
    if (n == 1) {
        memcpy(out32, leaves[0], 32);
        return;
    }
    while (2 * k < n)
        k = 2 * k;
    tree_root(oracle, side, leaves, k);
    append(&pair, side, 32);
    tree_root(oracle, side, leaves + k, n - k);
    append(&pair, side, 32);
    hash_and_free(oracle, out32, "node", &pair);
}

static void add_leaf(const struct oracle *oracle, struct list *list, uint64_t rollup,
                     uint32_t index, uint8_t kind, const uint8_t id32[32], const uint8_t *content32)
{
    struct bytes leaf = {0};
    list->items = sim_grow(list->items, &list->cap, list->count, sizeof *list->items);
    struct listed *item = &list->items[list->count];
    *item = (struct listed){.rollup = rollup, .place = list->count++};
    append_number(&leaf, index, 4);
    append_number(&leaf, kind, 1);
    append(&leaf, id32, 32);
    if (content32)
        append(&leaf, content32, 32);
    hash_and_free(oracle, item->leaf, "entry", &leaf);
}

/* The rollups of a bundle's legs, as its body says; 0: it is none. Not by wire/bundle.h. */
static uint32_t legs_of(const uint8_t *body, size_t len, uint64_t rollups[16])
{
    struct slu_reader r = slu_reader_of(body, len);
    uint32_t count = slu_read_u8(&r);
    if (count < 2 || count > 16)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        rollups[i] = slu_read_u64(&r);
        uint32_t bytes = slu_read_u32(&r);
        if (bytes == 0 || !slu_read_bytes(&r, bytes))
            return 0;
    }
    return slu_reader_done(&r) ? count : 0;
}

/* Into the list of its rollup; a bundle, whose body is given, into those of its legs, once each. */
static void add_entry(const struct oracle *oracle, struct list *list, const struct listing *e)
{
    uint64_t rollups[16];
    uint32_t legs = e->body ? legs_of(e->body, e->body_len, rollups) : 0;
    if (legs == 0)
        add_leaf(oracle, list, e->rollup, e->index, e->kind, e->id32, e->content32);
    for (uint32_t i = 0; i < legs; i++) {
        bool before = false;
        for (uint32_t k = 0; k < i; k++)
            before |= rollups[k] == rollups[i];
        if (!before)
            add_leaf(oracle, list, rollups[i], e->index, e->kind, e->id32, e->content32);
    }
}

static int by_rollup(const void *x, const void *y)
{
    const struct listed *a = x, *b = y;
    if (a->rollup != b->rollup)
        return a->rollup < b->rollup ? -1 : 1;
    return a->place < b->place ? -1 : 1;
}

/* The rollups' leaves as records have them, behind their count; the list is empty then. */
static void close_space(const struct oracle *oracle, struct list *list, uint8_t root32[32],
                        struct bytes *leaves)
{
    uint8_t(*of_rollups)[32] = sim_alloc((list->count + 1) * sizeof *of_rollups);
    uint8_t(*of_list)[32] = sim_alloc((list->count + 1) * sizeof *of_list);
    uint32_t rollups = 0;
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, by_rollup);
    struct bytes records = {0}, whole = {0};
    for (uint32_t i = 0, end; i < list->count; i = end) {
        struct bytes leaf = {0};
        uint8_t root[32];
        for (end = i; end < list->count && list->items[end].rollup == list->items[i].rollup; end++)
            memcpy(of_list[end - i], list->items[end].leaf, 32);
        tree_root(oracle, root, (const uint8_t(*)[32])of_list, end - i);
        append_number(&leaf, list->items[i].rollup, 8);
        append_number(&leaf, end - i, 4);
        append(&leaf, root, 32);
        append(&records, leaf.at, leaf.len);
        hash_and_free(oracle, of_rollups[rollups++], "rollup", &leaf);
    }
    append_number(leaves, rollups, 4);
    append(leaves, records.at, records.len);
    memset(root32, 0, 32);
    if (rollups) {
        tree_root(oracle, root32, (const uint8_t(*)[32])of_rollups, rollups);
        append_number(&whole, rollups, 4);
        append(&whole, root32, 32);
        hash_and_free(oracle, root32, "space", &whole);
    }
    list->count = 0;
    free(records.at);
    free(of_rollups);
    free(of_list);
}

/* ---- what a height has ---- */

void oracle_release_entry(struct oracle *oracle, const struct slu_tx *tx, uint32_t index,
                          uint8_t kind, const uint8_t id32[32])
{
    bool bundle = tx && tx->kind == SLU_TX_BUNDLE;
    struct listing entry = {.rollup = tx ? tx->rollup : 0,
                            .index = index,
                            .kind = kind,
                            .id32 = id32,
                            .body = bundle ? tx->body : NULL,
                            .body_len = bundle ? tx->body_len : 0};
    add_entry(oracle, &oracle->releases->ordered, &entry);
}

static bool is_envelope_of(const struct oracle *oracle, const struct slu_inbox_tuple *tuple,
                           const uint8_t *bytes, size_t len, struct slu_tx *tx)
{
    uint8_t id[32];
    struct slu_reader r = slu_reader_of(bytes, len);
    if (!slu_tx_read(&r, tx))
        return false;
    slu_tx_id(id, &oracle->sim->genesis, tx);
    return !memcmp(id, tuple->id, 32);
}

/* From the wire, or, where nobody else is, from a disk. */
static bool find_envelope(struct oracle *oracle, const struct slu_inbox_tuple *tuple,
                          struct slu_tx *tx)
{
    struct sim *sim = oracle->sim;
    const struct world_item *item = world_item(&sim->world, tuple);
    struct slu_record_key key = {.kind = SLU_REC_INBOX, .a = tuple->valid_until_ms};
    if (item->content && is_envelope_of(oracle, tuple, item->content, item->tuple.bytes, tx))
        return true;
    memcpy(key.digest, tuple->id, 32);
    for (uint16_t i = 0; i < sim->instances; i++) {
        const struct sim_record *record = sim_disk_find(&sim->nodes[i].disk, &key);
        if (record && record->len > tuple->bytes &&
            is_envelope_of(oracle, tuple, record->value + record->len - tuple->bytes, tuple->bytes,
                           tx))
            return true;
    }
    return false;
}

void oracle_release_item(struct oracle *oracle, const struct slu_inbox_tuple *tuple, uint32_t index)
{
    struct slu_tx tx;
    if (tuple->kind == SLU_INBOX_EVIDENCE)
        oracle_release_entry(oracle, NULL, index, SLU_ENTRY_EVIDENCE, tuple->id);
    else if (!find_envelope(oracle, tuple, &tx))
        sim_violation(oracle->sim, 11, "what comes out of the queue was never seen");
    else if (tuple->kind == SLU_INBOX_KEYGEN)
        oracle_release_entry(oracle, NULL, index, SLU_ENTRY_KEYGEN, tuple->id);
    else
        oracle_release_entry(oracle, &tx, index, tx.kind | SLU_ENTRY_FORCED, tuple->id);
}

void oracle_release_outcome(struct oracle *oracle, const uint8_t id32[32], uint32_t index,
                            uint8_t drop)
{
    append(&oracle->releases->ids, id32, 32);
    append_number(&oracle->releases->ids, drop ? DROPPED_OUTCOME | drop : index, 4);
}

void oracle_release_queued(struct oracle *oracle, const uint8_t id32[32], uint64_t due, bool known)
{
    append(&oracle->releases->queued, id32, 32);
    append_number(&oracle->releases->queued, due, 8);
    if (known) {
        append(&oracle->releases->known, id32, 32);
        append_number(&oracle->releases->known, DROPPED_OUTCOME | SLU_DROP_DUPLICATE, 4);
    }
}

/* From what the height's OPENED record must be. */
static void list_opened(struct oracle *oracle, const struct oracle_height *height)
{
    struct slu_reader r = slu_reader_of(height->opened, height->opened_len);
    uint32_t count = height->opened ? slu_read_u32(&r) : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct bytes payload = {0};
        uint8_t content[32];
        uint32_t index = slu_read_u32(&r);
        const uint8_t *id = slu_read_bytes(&r, 32);
        uint8_t outcome = slu_read_u8(&r);
        uint64_t rollup = slu_read_u64(&r);
        uint32_t len = slu_read_u32(&r);
        const uint8_t *opening = slu_read_bytes(&r, len);
        SLU_CHECK(!r.failed);
        if (outcome)
            append(&payload, &outcome, 1);
        append(&payload, opening, len);
        hash_and_free(oracle, content, "content", &payload);
        bool bundle = !outcome && rollup == 0;
        struct listing entry = {.rollup = rollup,
                                .index = index,
                                .kind = outcome ? SLU_ENTRY_VOID : SLU_ENTRY_OPENED,
                                .id32 = id,
                                .content32 = content,
                                .body = bundle ? opening + OPENING_HEAD : NULL,
                                .body_len = bundle ? len - OPENING_HEAD : 0};
        add_entry(oracle, &oracle->releases->opened, &entry);
    }
}

/* ---- the state after it ---- */

static void sum_state(struct oracle *oracle, const struct oracle_height *height,
                      const struct slu_block *block, const struct slu_delivered_drop *drops,
                      uint32_t drop_count)
{
    struct oracle_releases *s = oracle->releases;
    struct bytes cut = {0}, queue = {0}, calendar = {0}, ids = {0}, slashed = {0};
    uint64_t waiting_bytes;
    for (uint16_t l = 0; l < block->n; l++) {
        append_number(&cut, block->cut[l].position, 8);
        append(&cut, block->cut[l].digest, 32);
    }
    append(&queue, s->parts[PART_QUEUE], PART_BYTES);
    append_number(&queue, block->tail.height, 8);
    append_number(&queue, block->tail.bytes, 8);
    append(&queue, s->queued.at, s->queued.len);
    append(&calendar, s->parts[PART_CALENDAR], PART_BYTES);
    append_number(&calendar, oracle_sealed_waiting(oracle, &waiting_bytes), 8);
    append_number(&calendar, waiting_bytes, 8);
    for (uint32_t i = 0; i < height->due_count; i++) {
        append(&calendar, height->dues[i].id, 32);
        append_number(&calendar, height->dues[i].height, 8);
        append_number(&calendar, height->dues[i].index, 8);
    }
    append(&ids, s->parts[PART_IDS], PART_BYTES);
    append_number(&ids, UINT64_C(9) * drop_count, 8);
    for (uint32_t i = 0; i < drop_count; i++) {
        append_number(&ids, drops[i].batch, 4);
        append_number(&ids, drops[i].tx, 4);
        append_number(&ids, drops[i].reason, 1);
    }
    append(&ids, s->known.at, s->known.len);
    append(&ids, s->ids.at, s->ids.len);
    for (int offence = 0; offence < SLU_OFFENCES; offence++)
        append_number(&slashed, block->evident[offence], 8);
    hash_and_free(oracle, s->parts[PART_CUT], "state-cut", &cut);
    hash_and_free(oracle, s->parts[PART_QUEUE], "state-queue", &queue);
    hash_and_free(oracle, s->parts[PART_CALENDAR], "state-calendar", &calendar);
    hash_and_free(oracle, s->parts[PART_IDS], "state-ids", &ids);
    hash_and_free(oracle, s->parts[PART_SLASHED], "state-slashed", &slashed);
    s->known.len = s->ids.len = s->queued.len = 0;
}

void oracle_release_end(struct oracle *oracle, struct oracle_height *height,
                        const struct slu_block *block, const struct slu_delivered_drop *drops,
                        uint32_t drop_count)
{
    struct oracle_releases *s = oracle->releases;
    struct bytes space = {0}, release = {0}, leaves = {0}, opened = {0};
    uint8_t root[32];
    sum_state(oracle, height, block, drops, drop_count);
    list_opened(oracle, height);
    append_number(&space, block->time_ms, 8);
    append(&space, block->digest, 32);
    append(&space, s->parts, sizeof s->parts);
    close_space(oracle, &s->ordered, root, &leaves);
    append(&space, root, 32);
    append(&space, leaves.at, leaves.len);
    free(leaves.at);
    /* previous and state follow when the key part is known */
    append_number(&release, block->height, 8);
    append_number(&release, block->time_ms, 8);
    append(&release, block->digest, 32);
    append(&release, root, 32);
    append(&release, root, 32);
    close_space(oracle, &s->opened, root, &opened);
    append(&release, root, 32);
    append(&release, root, 32);
    append(&release, opened.at, opened.len);
    free(opened.at);
    height->space = space.at;
    height->space_len = space.len;
    height->release = release.at;
    height->release_len = release.len;
}

/* ---- what nodes write ---- */

static const struct sim_record *record_of(const struct sim_node *node, enum slu_record_kind kind,
                                          uint64_t height)
{
    struct slu_record_key key = {.kind = kind, .a = height};
    return sim_disk_find(&node->disk, &key);
}

/* The first node's word for its keys is taken; heights come one by one. */
static void complete(struct oracle *oracle, uint64_t height, const uint8_t keys32[32])
{
    struct oracle_height *at = &oracle->heights[height];
    struct bytes state = {0}, below = {0};
    memcpy(at->space + PARTS_AT + PART_KEYS * PART_BYTES, keys32, PART_BYTES);
    append(&state, at->space + PARTS_AT, PARTS * PART_BYTES);
    hash_and_free(oracle, at->release + RELEASE_BYTES - 32, "state", &state);
    memset(at->release + 48, 0, 32);
    if (height > 1) {
        append(&below, oracle->heights[height - 1].release, RELEASE_BYTES);
        hash_and_free(oracle, at->release + 48, "release", &below);
    }
    oracle->released = height;
}

/* Where two differ, for people. */
static const char *difference(const uint8_t *want, const uint8_t *got, size_t len)
{
    static const char *const parts[PARTS] = {"cut", "queue", "calendar", "ids", "keys", "slashed"};
    size_t at = 0;
    while (at < len && want[at] == got[at])
        at++;
    if (at < PARTS_AT)
        return "time or block";
    if (at < PARTS_AT + PARTS * PART_BYTES)
        return parts[(at - PARTS_AT) / PART_BYTES];
    return at < SPACE_HEAD ? "ordered root" : "leaves";
}

void oracle_space(struct oracle *oracle, const struct sim_node *node, uint64_t height)
{
    struct sim *sim = oracle->sim;
    const struct sim_record *record = record_of(node, SLU_REC_SPACE, height);
    if (height == 0 || height > oracle->top)
        return; /* said already */
    const struct oracle_height *at = &oracle->heights[height];
    if (!record) {
        sim_violation(sim, 13, "node %u delivered height %lu without a space record", node->id,
                      height);
        return;
    }
    if (height == oracle->released + 1 && record->len >= SPACE_HEAD)
        complete(oracle, height, record->value + PARTS_AT + PART_KEYS * PART_BYTES);
    if (record->len != at->space_len)
        sim_violation(sim, 13, "node %u has a space record of %zu bytes for %zu at height %lu",
                      node->id, record->len, at->space_len, height);
    else if (memcmp(at->space, record->value, record->len) != 0)
        sim_violation(sim, 13, "node %u has another space of height %lu: %s", node->id, height,
                      difference(at->space, record->value, record->len));
}

static const struct oracle_height *released(struct oracle *oracle, const struct sim_node *node,
                                            uint64_t height)
{
    if (height > 0 && height <= oracle->released)
        return &oracle->heights[height];
    sim_violation(oracle->sim, 13, "node %u releases height %lu, which nobody delivered", node->id,
                  height);
    return NULL;
}

void oracle_release(struct oracle *oracle, const struct sim_node *node, uint64_t height,
                    const uint8_t *value, size_t len)
{
    const struct oracle_height *at = released(oracle, node, height);
    if (at && (at->release_len != len || memcmp(at->release, value, len) != 0))
        sim_violation(oracle->sim, 13, "node %u has another release of height %lu", node->id,
                      height);
    if (at && height > 1 && !record_of(node, SLU_REC_RELEASE, height - 1))
        sim_violation(oracle->sim, 13, "node %u releases height %lu before the one below", node->id,
                      height);
    if (at && !record_of(node, SLU_REC_DELIVERED, height))
        sim_violation(oracle->sim, 13, "node %u releases height %lu, which is not delivered",
                      node->id, height);
}

void oracle_release_cert(struct oracle *oracle, const struct sim_node *node, uint64_t height,
                         const uint8_t *value, size_t len)
{
    struct sim *sim = oracle->sim;
    const struct oracle_height *at = released(oracle, node, height);
    uint16_t q = (uint16_t)(sim->plan.n - slu_genesis_f(&sim->genesis));
    uint8_t digest[32], want[64];
    int last = -1;
    if (!at)
        return;
    if (len != RELEASE_BYTES + 2u + q * 66u || memcmp(at->release, value, RELEASE_BYTES) != 0) {
        sim_violation(sim, 13, "node %u has a certificate of another release of height %lu",
                      node->id, height);
        return;
    }
    slu_hash_of(digest, "release", sim->genesis.chain_id, value, RELEASE_BYTES);
    struct slu_reader r = slu_reader_of(value + RELEASE_BYTES, len - RELEASE_BYTES);
    bool good = slu_read_u16(&r) == q;
    for (uint16_t i = 0; i < q; i++) {
        uint16_t signer = slu_read_u16(&r);
        sim_sign(sim, signer, want, digest);
        good &= signer > last && signer < sim->plan.n && !memcmp(slu_read_bytes(&r, 64), want, 64);
        last = signer;
    }
    if (!good)
        sim_violation(sim, 13, "node %u has a certificate of height %lu that a reader refuses",
                      node->id, height);
}

void oracle_certified(struct oracle *oracle, const struct sim_node *node, uint64_t height)
{
    if (!record_of(node, SLU_REC_RELEASE_CERT, height) || !record_of(node, SLU_REC_RELEASE, height))
        sim_violation(oracle->sim, 13,
                      "node %u says that height %lu is certified before its record", node->id,
                      height);
}

void oracle_release_leaves(struct oracle *oracle, const struct sim_node *node,
                           const struct slu_signed_release *message)
{
    uint64_t height = message->release.height;
    uint8_t digest[32];
    const struct oracle_height *at = released(oracle, node, height);
    if (!at)
        return;
    slu_hash_of(digest, "release", oracle->sim->genesis.chain_id, at->release, RELEASE_BYTES);
    if (memcmp(digest, message->release.digest, 32) != 0 ||
        !record_of(node, SLU_REC_RELEASE, height))
        sim_violation(oracle->sim, 13, "node %u signs for height %lu what it did not release",
                      node->id, height);
}

bool oracle_release_whole(struct oracle *oracle, const struct sim_node *node, bool complain)
{
    uint64_t certified = 0, height = slu_core_stats(node->core)->certified_height;
    for (uint64_t h = 1; h <= height; h++) {
        bool has = record_of(node, SLU_REC_RELEASE, h) != NULL;
        if (record_of(node, SLU_REC_RELEASE_CERT, h))
            certified = h;
        if (has && h - certified < SLU_RELEASE_RUN_MAX)
            continue;
        if (complain)
            sim_violation(oracle->sim, 13, "node %u has no %s of height %lu", node->id,
                          has ? "certificate" : "release", h);
        return false;
    }
    return certified == height;
}
