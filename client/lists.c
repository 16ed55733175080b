#include "client/lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "sluice/error.h"
#include "wire/merkle.h"
#include "wire/space.h"
#include "wire/tx.h"

#define PLACES_MIN 1024u

/* A height's two spaces. */
enum side { ORDERED, OPENED, SIDES };

static const char *const side_names[SIDES] = {"ordered", "opened"};

struct slu_lists {
    uint8_t chain_id[32];
    uint64_t rollup;
    uint32_t cap; /* places on each side */
    void *memory[SIDES];
    struct slu_space_maker all[SIDES]; /* of everybody's, over `memory` ... */
    uint8_t (*own[SIDES])[32];         /* ... or of one rollup's, which is `memory` */
    uint32_t count[SIDES];
    /* What is hashed for an id: its prefix ready, room for the largest envelope. */
    uint8_t envelope[SLU_HASH_PREFIX_MAX + SLU_TX_HEAD_BYTES + SLU_TX_BYTES_MAX_CAP];
    size_t prefix;
};

struct slu_lists *slu_lists_new(const uint8_t chain_id32[32], uint64_t rollup)
{
    struct slu_lists *lists = calloc(1, sizeof *lists);
    if (!lists)
        return NULL;
    memcpy(lists->chain_id, chain_id32, 32);
    lists->rollup = rollup;
    lists->prefix = slu_hash_prefix(lists->envelope, "tx", chain_id32);
    return lists;
}

void slu_lists_free(struct slu_lists *lists)
{
    if (!lists)
        return;
    for (int side = 0; side < SIDES; side++)
        free(lists->memory[side]);
    free(lists);
}

static int refuse(char *why, const char *words)
{
    snprintf(why, SLU_LISTS_WHY_BYTES, "%s", words);
    return SLU_ERR_MISMATCH;
}

/* Room for `places` leaves on each side; what they held is gone. */
static int make_room(struct slu_lists *lists, uint64_t places)
{
    uint32_t cap = lists->cap ? lists->cap : PLACES_MIN;
    while (cap < places && cap < UINT32_C(1) << 30)
        cap *= 2;
    if (cap < places)
        return SLU_ERR_MEMORY;
    for (int side = 0; side < SIDES && cap > lists->cap; side++) {
        size_t bytes = lists->rollup ? (size_t)cap * 32 : slu_space_maker_bytes(cap);
        free(lists->memory[side]);
        lists->cap = 0;
        lists->memory[side] = calloc(1, bytes);
        if (!lists->memory[side])
            return SLU_ERR_MEMORY;
        lists->own[side] = lists->memory[side];
        if (!lists->rollup)
            slu_space_maker_init(&lists->all[side], lists->memory[side], cap);
    }
    lists->cap = cap;
    return SLU_OK;
}

/* ---- one entry ---- */

/* The id of what is an envelope. False: none can be so long. */
static bool envelope_id(struct slu_lists *lists, uint8_t id32[32], const struct slu_entry *entry,
                        uint8_t kind)
{
    struct slu_writer w =
        slu_writer_of(lists->envelope + lists->prefix, sizeof lists->envelope - lists->prefix);
    slu_tx_write(&w, entry->rollup, entry->valid_until_ms, kind, entry->payload,
                 entry->payload_len);
    if (w.failed)
        return false;
    slu_hash_flat(id32, lists->envelope, lists->prefix + slu_writer_len(&w));
    return true;
}

/* Whether the entry's id is that of what is shown. What opened, or did not, has the id of another
 * entry: there the content stands in the leaf. */
static bool is_named_so(struct slu_lists *lists, const struct slu_entry *entry,
                        const uint8_t **content32, uint8_t hash32[32])
{
    *content32 = NULL;
    switch (entry->kind) {
    case SLU_ENTRY_OPENED:
    case SLU_ENTRY_VOID:
        slu_hash_of(hash32, "content", lists->chain_id, entry->payload, entry->payload_len);
        *content32 = hash32;
        return entry->valid_until_ms == 0;
    case SLU_ENTRY_EVIDENCE:
        slu_hash_of(hash32, "evidence", lists->chain_id, entry->payload, entry->payload_len);
        if (entry->valid_until_ms != 0)
            return false;
        break;
    case SLU_ENTRY_KEYGEN:
        if (!envelope_id(lists, hash32, entry, SLU_TX_KEYGEN))
            return false;
        break;
    default:
        if (!envelope_id(lists, hash32, entry, entry->kind & (uint8_t)~SLU_ENTRY_FORCED))
            return false;
        break;
    }
    return memcmp(hash32, entry->id32, 32) == 0;
}

static int add(struct slu_lists *lists, const struct slu_entry *entry, char *why)
{
    bool opened = entry->kind == SLU_ENTRY_OPENED || entry->kind == SLU_ENTRY_VOID;
    enum side side = opened ? OPENED : ORDERED;
    uint64_t rollups[SLU_BUNDLE_LEGS_MAX];
    uint8_t leaf32[32], hash32[32];
    const uint8_t *content32;
    bool own = false;
    if (!is_named_so(lists, entry, &content32, hash32)) {
        snprintf(why, SLU_LISTS_WHY_BYTES, "entry %u: its id is not that of what is shown",
                 entry->index);
        return SLU_ERR_MISMATCH;
    }
    slu_entry_leaf(leaf32, lists->chain_id, entry->index, entry->kind, entry->id32, content32);
    for (size_t i = 0, count = slu_entry_rollups(entry, rollups); i < count; i++) {
        own = own || rollups[i] == lists->rollup;
        if (lists->rollup == 0)
            SLU_CHECK(slu_space_add(&lists->all[side], rollups[i], leaf32)); /* make_room */
    }
    if (lists->rollup == 0)
        return SLU_OK;
    if (!own) {
        snprintf(why, SLU_LISTS_WHY_BYTES, "entry %u: it is of rollup %llu, not of %llu",
                 entry->index, (unsigned long long)rollups[0], (unsigned long long)lists->rollup);
        return SLU_ERR_MISMATCH;
    }
    memcpy(lists->own[side][lists->count[side]++], leaf32, 32);
    return SLU_OK;
}

/* ---- a space ---- */

static int explain_proof(enum side side, char *why, const char *words)
{
    snprintf(why, SLU_LISTS_WHY_BYTES, "the proof of what was %s %s", side_names[side], words);
    return SLU_ERR_MISMATCH;
}

/* What is wrong with a proof that starts at `bytes`: it may be a good one, of something else. */
static int blame_proof(const struct slu_lists *lists, enum side side, const uint8_t *root32,
                       const uint8_t *bytes, size_t len, char *why)
{
    struct slu_reader r = slu_reader_of(bytes, len), again = r;
    struct slu_space_leaf first = {0}, found;
    uint32_t rollups = slu_read_u32(&r);
    char words[80];
    slu_read_u32(&r);
    uint8_t shown = slu_read_u8(&r);
    if (!r.failed && rollups == 0)
        return explain_proof(side, why, "says that no rollup has any, and its release does not");
    slu_space_leaf_read(&r, &first);
    uint64_t other = shown == 2 ? first.rollup + 1 : first.rollup;
    if (r.failed || slu_space_check(&again, lists->chain_id, root32, other, &found))
        return explain_proof(side, why, "does not lead to its release");
    snprintf(words, sizeof words, "is of rollup %llu, not of %llu", (unsigned long long)other,
             (unsigned long long)lists->rollup);
    return explain_proof(side, why, words);
}

static int check_own(const struct slu_lists *lists, enum side side, const uint8_t *root32,
                     struct slu_reader *proof, char *why)
{
    const uint8_t *start = proof->at;
    size_t left = slu_reader_left(proof);
    struct slu_space_leaf found;
    uint8_t list32[32];
    uint32_t count = lists->count[side];
    if (slu_space_check(proof, lists->chain_id, root32, lists->rollup, &found))
        return blame_proof(lists, side, root32, start, left, why);
    if (found.count != count) {
        snprintf(why, SLU_LISTS_WHY_BYTES, "%u entries of rollup %llu are shown, %u were %s", count,
                 (unsigned long long)lists->rollup, found.count, side_names[side]);
        return SLU_ERR_MISMATCH;
    }
    if (count == 0)
        return SLU_OK;
    slu_merkle_root(list32, lists->chain_id, (const uint8_t(*)[32])lists->own[side], count);
    if (!memcmp(list32, found.root, 32))
        return SLU_OK;
    snprintf(why, SLU_LISTS_WHY_BYTES,
             "its entries are not those that were %s, or not in this order", side_names[side]);
    return SLU_ERR_MISMATCH;
}

static int check_all(struct slu_lists *lists, enum side side, const uint8_t *root32, char *why)
{
    uint8_t space32[32];
    slu_space_finish(&lists->all[side], lists->chain_id, space32);
    if (!memcmp(space32, root32, 32))
        return SLU_OK;
    snprintf(why, SLU_LISTS_WHY_BYTES,
             "all entries together are not those that were %s: left out, added, moved or changed",
             side_names[side]);
    return SLU_ERR_MISMATCH;
}

/* Places that the entries take, at most: a bundle stands in several lists. */
static uint64_t places_of(const struct slu_heights *heights)
{
    struct slu_reader reader = slu_reader_of(heights->bytes, heights->len);
    uint64_t rollups[SLU_BUNDLE_LEGS_MAX], places = 0;
    struct slu_entry entry;
    while (slu_entry_next(&reader, &entry))
        places += slu_entry_rollups(&entry, rollups);
    return places;
}

static void forget(struct slu_lists *lists)
{
    uint8_t root32[32];
    for (int side = 0; side < SIDES; side++) {
        lists->count[side] = 0;
        if (lists->rollup == 0 && lists->all[side].count > 0)
            slu_space_finish(&lists->all[side], lists->chain_id, root32);
    }
}

int slu_lists_check(struct slu_lists *lists, const struct slu_heights *heights,
                    const struct slu_release *release, const uint8_t *proof, size_t proof_len,
                    char why[SLU_LISTS_WHY_BYTES])
{
    struct slu_reader reader = slu_reader_of(heights->bytes, heights->len);
    struct slu_reader proofs = slu_reader_of(proof, proof_len);
    const uint8_t *const roots[SIDES] = {release->ordered, release->opened};
    struct slu_entry entry;
    int rc = make_room(lists, places_of(heights));
    if (rc) {
        snprintf(why, SLU_LISTS_WHY_BYTES, "%s", slu_strerror(rc));
        return rc;
    }
    forget(lists);
    while (!rc && slu_entry_next(&reader, &entry))
        rc = add(lists, &entry, why);
    for (int side = 0; side < SIDES && !rc; side++)
        rc = lists->rollup ? check_own(lists, (enum side)side, roots[side], &proofs, why)
                           : check_all(lists, (enum side)side, roots[side], why);
    if (!rc && !slu_reader_done(&proofs))
        rc = refuse(why, "something stands behind its proofs");
    return rc;
}
