/* What was due at a height, opened or void (clauses 7.8 to 7.11). What is opened is sealed again,
 * which gives the id that was ordered, or something else. That nothing could be opened is shown by
 * the shares of k nodes; a store has one node's. */
#include "consensus/opened.h"

#include <string.h>

#include "audit/state.h"
#include "audit/void.h"
#include "crypto/hash.h"
#include "crypto/sealed.h"
#include "sluice/error.h"
#include "wire/entry.h"
#include "wire/opening.h"

/* Seals again; the body's R stays in `due`. Words, or NULL when it is what was ordered. */
static const char *seal_again(struct slu_audit *a, struct audit_due *due,
                              const struct slu_opening *o, uint64_t rollup)
{
    static const size_t cap = SLU_TX_HEAD_BYTES + SLU_SEALED_BYTES_MAX;
    uint8_t envelope[SLU_TX_HEAD_BYTES + SLU_SEALED_BYTES_MAX], id[32];
    struct slu_seal_opening opening = {.unlock_kind = (enum slu_unlock)o->unlock_kind,
                                       .unlock = o->unlock,
                                       .valid_until_ms = o->valid_until_ms,
                                       .rollup = rollup,
                                       .payload = o->payload,
                                       .payload_len = o->payload_len};
    size_t len;
    due->key = slu_key_replay_find(a->replay, o->key_id32);
    if (due->key < 0)
        return "under a key that is not the committee's";
    if (slu_opening_judge(a->g, rollup, o->payload, o->payload_len) != SLU_OPENED)
        return "for a rollup that the chain does not have, or no bundle";
    memcpy(opening.key_id, o->key_id32, 32);
    memcpy(opening.e, o->e16, sizeof opening.e);
    memcpy(opening.z, o->z32, sizeof opening.z);
    memcpy(opening.rho, o->rho32, sizeof opening.rho);
    if (slu_sealed_again(slu_key_replay_opening(a->replay, due->key), envelope + SLU_TX_HEAD_BYTES,
                         cap - SLU_TX_HEAD_BYTES, &len, &opening))
        return "nothing that can be sealed";
    struct slu_writer w = slu_writer_of(envelope, SLU_TX_HEAD_BYTES);
    slu_write_u64(&w, 0);
    slu_write_u64(&w, o->valid_until_ms);
    slu_write_u8(&w, SLU_TX_SEALED);
    slu_write_u32(&w, (uint32_t)len);
    slu_tx_id_of(id, a->g->chain_id, envelope, SLU_TX_HEAD_BYTES + len);
    if (!audit_same(id, due->e.id))
        return "not what was sealed";
    memcpy(due->r32, envelope + SLU_TX_HEAD_BYTES + SLU_SEAL_HEAD_BYTES, 32);
    due->has_r = true;
    if (!slu_unlock_reached(o->unlock_kind, o->unlock, a->height, a->block.time_ms))
        return "before its unlock";
    return NULL;
}

static int add_leaf(struct slu_audit *a, const struct slu_opened *opened)
{
    bool is_void = opened->outcome != SLU_OPENED;
    struct slu_entry entry = {.index = opened->index,
                              .rollup = opened->rollup,
                              .id32 = opened->id32,
                              .kind = is_void ? SLU_ENTRY_VOID : SLU_ENTRY_OPENED,
                              .payload = opened->opening,
                              .payload_len = opened->opening_len};
    uint8_t content32[32];
    struct slu_hash content;
    slu_hash_begin(&content, "content", a->g->chain_id);
    if (is_void)
        slu_hash_add(&content, &opened->outcome, 1);
    slu_hash_add(&content, opened->opening, opened->opening_len);
    slu_hash_end(&content, content32);
    return audit_list(a, SLU_AUDIT_OPENINGS, &a->opened, &entry, content32);
}

static int check_one(struct slu_audit *a, struct audit_due *due, const struct slu_opened *shown)
{
    struct slu_opening opening;
    bool is_void = shown->outcome != SLU_OPENED;
    if (shown->index != due->index || !audit_same(shown->id32, due->e.id))
        return audit_fault(a, SLU_AUDIT_OPENINGS, "entry %u is shown instead of what is due at %u",
                           shown->index, due->index);
    if (shown->outcome > SLU_VOID_INVALID ||
        slu_opening_read(&opening, shown->opening, shown->opening_len, !is_void) ||
        (is_void && shown->rollup != 0))
        return audit_fault(a, SLU_AUDIT_OPENINGS, "the opening of entry %u is malformed",
                           due->index);
    if (opening.height != due->e.height || opening.index != due->e.index)
        return audit_fault(a, SLU_AUDIT_OPENINGS,
                           "the opening of entry %u says that it was ordered elsewhere",
                           due->index);
    if (due->invalid != (shown->outcome == SLU_VOID_INVALID))
        return audit_fault(a, SLU_AUDIT_OPENINGS, "entry %u is %s", due->index,
                           due->invalid ? "no valid sealing, and not shown so"
                                        : "a valid sealing, and not shown so");
    const char *words = is_void ? NULL : seal_again(a, due, &opening, shown->rollup);
    if (words)
        return audit_fault(a, SLU_AUDIT_OPENINGS, "the opening of entry %u is %s", due->index,
                           words);
    if (!is_void)
        audit_count(a, SLU_AUDIT_OPENINGS, 1, true);
    return add_leaf(a, shown);
}

int audit_openings(struct slu_audit *a)
{
    const uint8_t *value;
    size_t len;
    struct slu_reader r;
    struct slu_opened shown;
    uint32_t count, voids = 0;
    int rc = audit_get(a->store, SLU_REC_OPENED, a->height, 0, NULL, &value, &len);
    if (rc == SLU_ERR_NOT_FOUND)
        return a->due_count == 0 ? SLU_OK
                                 : audit_fault(a, SLU_AUDIT_OPENINGS, "what is due is not opened");
    if (!rc)
        rc = audit_bytes_set(&a->record, value, len);
    if (rc)
        return rc;
    if (slu_opened_open(&r, a->record.at, a->record.len, &count) || count != a->due_count)
        return audit_fault(a, SLU_AUDIT_OPENINGS, "more or less is opened than is due");
    for (uint32_t i = 0; i < count && !rc; i++) {
        if (slu_opened_next(&r, &shown))
            return audit_fault(a, SLU_AUDIT_OPENINGS, "what is opened is malformed");
        rc = check_one(a, &a->dues[i], &shown);
        a->dues[i].outcome = shown.outcome;
        voids += !rc && shown.outcome != SLU_OPENED;
    }
    if (!rc && !slu_reader_done(&r))
        return audit_fault(a, SLU_AUDIT_OPENINGS, "what is opened is malformed");
    return rc || voids == 0 ? rc : audit_voids(a);
}
