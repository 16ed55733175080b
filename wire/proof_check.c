/* Whether a proof holds: releases first, then what hangs on them. */
#include <string.h>

#include "crypto/hash.h"
#include "crypto/seal.h"
#include "crypto/sealed.h"
#include "wire/block.h"
#include "wire/bundle.h"
#include "wire/key_cert.h"
#include "wire/merkle.h"
#include "wire/proof.h"
#include "wire/space.h"
#include "wire/tx.h"

struct checking {
    const struct slu_proof *proof;
    const struct slu_genesis *g;
    const struct slu_verifier *verifier;
    struct slu_release ordered, queued, opened; /* of the heights that the proof is about */
    uint8_t id[32];
    uint32_t envelope_len; /* or that of evidence */
};

/* ---- releases ---- */

static void keep(struct checking *c, const struct slu_release *release)
{
    const struct slu_proof *p = c->proof;
    if (release->height == p->ordered.height)
        c->ordered = *release;
    if (p->has_queued && release->height == p->queued_height)
        c->queued = *release;
    if (p->has_opened && release->height == p->opened.height)
        c->opened = *release;
}

static void read_short(struct slu_reader *r, const uint8_t chain_id32[32],
                       struct slu_release *release)
{
    memcpy(release->previous, release->digest, 32);
    release->height++;
    release->time_ms = slu_read_u64(r);
    slu_read_copy(r, release->block, 32);
    slu_read_copy(r, release->ordered, 32);
    slu_read_copy(r, release->opened, 32);
    slu_read_copy(r, release->state, 32);
    slu_release_digest(release, chain_id32);
}

static enum slu_proof_fault check_run(struct checking *c, const struct slu_proof_run *run)
{
    struct slu_reader r = slu_reader_of(run->releases, slu_proof_run_bytes(run->count));
    struct slu_release release;
    if (slu_release_read(&r, c->g->chain_id, &release))
        return SLU_PROOF_RUNS;
    keep(c, &release);
    for (uint16_t i = 1; i < run->count; i++) {
        read_short(&r, c->g->chain_id, &release);
        keep(c, &release);
    }
    if (run->signers != slu_genesis_q(c->g))
        return SLU_PROOF_SIGNERS;
    r = slu_reader_of(run->signatures, (size_t)run->signers * 66u);
    for (uint16_t i = 0, above = 0; i < run->signers; i++) {
        uint16_t node = slu_read_u16(&r);
        const uint8_t *signature64 = slu_read_bytes(&r, 64);
        if (node < above || node >= c->g->n)
            return SLU_PROOF_SIGNERS;
        above = (uint16_t)(node + 1);
        if (!c->verifier->verify(c->verifier->context, node, release.digest, signature64))
            return SLU_PROOF_SIGNATURE;
    }
    return SLU_PROOF_GOOD;
}

/* ---- what the entry is called ---- */

/* The key, as the committee certified it. */
static enum slu_proof_fault read_key(const struct checking *c, struct slu_seal_key *key,
                                     const uint8_t *key_id32)
{
    struct slu_key_cert cert;
    struct slu_reader r = slu_reader_of(c->proof->key_cert, c->proof->key_cert_len);
    if (slu_key_cert_read(&r, c->g, &cert) || !slu_reader_done(&r) ||
        slu_key_cert_check(&cert, c->g, c->verifier) || memcmp(cert.key.key_id, key_id32, 32) != 0)
        return SLU_PROOF_KEY;
    memcpy(key->chain_id, c->g->chain_id, 32);
    memcpy(key->key_id, cert.key.key_id, 32);
    memcpy(key->y, cert.key.y, 32);
    return SLU_PROOF_GOOD;
}

/* The envelope of what was opened, from what is shown of it (docs/CRYPTO.md clause 6.4). */
static enum slu_proof_fault seal_again(struct checking *c, const struct slu_opening *shown,
                                       uint8_t *scratch)
{
    const struct slu_entry *e = &c->proof->opened.entry;
    struct slu_seal_opening opening = {.unlock_kind = (enum slu_unlock)shown->unlock_kind,
                                       .unlock = shown->unlock,
                                       .valid_until_ms = shown->valid_until_ms,
                                       .rollup = e->rollup,
                                       .payload = shown->payload,
                                       .payload_len = shown->payload_len};
    struct slu_seal_key key;
    size_t len;
    memcpy(opening.key_id, shown->key_id32, 32);
    memcpy(opening.e, shown->e16, sizeof opening.e);
    memcpy(opening.z, shown->z32, sizeof opening.z);
    memcpy(opening.rho, shown->rho32, sizeof opening.rho);
    enum slu_proof_fault fault = read_key(c, &key, shown->key_id32);
    if (fault)
        return fault;
    if (slu_seal_again(scratch, SLU_PROOF_SCRATCH_BYTES, &len, &key, &opening))
        return SLU_PROOF_CONTENT;
    c->envelope_len = slu_proof_envelope_id(c->id, c->proof, scratch, (uint32_t)len);
    return memcmp(c->id, e->id32, 32) == 0 ? SLU_PROOF_GOOD : SLU_PROOF_CONTENT;
}

static enum slu_proof_fault name(struct checking *c, const struct slu_opening *shown,
                                 uint8_t *scratch)
{
    const struct slu_entry *e = &c->proof->ordered.entry;
    if (shown)
        return seal_again(c, shown, scratch);
    c->envelope_len = slu_proof_envelope_id(c->id, c->proof, e->payload, e->payload_len);
    if (c->proof->has_opened && memcmp(c->id, c->proof->opened.entry.id32, 32) != 0)
        return SLU_PROOF_CONTENT;
    return SLU_PROOF_GOOD;
}

/* ---- the entry in its list ---- */

/* Whose list an entry stands in: `body` where it may be a bundle's. */
static bool is_of(uint64_t list, uint64_t rollup, bool bundle, const uint8_t *body, size_t len)
{
    struct slu_bundle legs;
    if (!bundle)
        return rollup == list;
    return rollup == 0 && slu_bundle_read(&legs, body, len) == SLU_OK &&
           slu_bundle_has(&legs, list);
}

/* 0: in its list, in the space of this root; 1: the space is another one; 2: the list is. */
static int stands(const struct checking *c, const struct slu_proof_place *place,
                  const uint8_t root32[32], const uint8_t *content32)
{
    struct slu_reader r = slu_reader_of(place->shown, place->shown_len);
    struct slu_space_leaf list;
    uint8_t leaf[1][32], got32[32];
    if (slu_space_check(&r, c->g->chain_id, root32, slu_proof_list_rollup(place), &list) ||
        list.count == 0)
        return 1;
    slu_entry_leaf(leaf[0], c->g->chain_id, place->entry.index, place->entry.kind, c->id,
                   content32);
    uint32_t position = slu_read_u32(&r);
    bool ok = slu_merkle_replay(got32, c->g->chain_id, (const uint8_t(*)[32])leaf, list.count,
                                position, 1, &r) &&
              slu_reader_done(&r);
    return ok && memcmp(got32, list.root, 32) == 0 ? 0 : 2;
}

static enum slu_proof_fault check_ordered(const struct checking *c)
{
    const struct slu_proof_place *at = &c->proof->ordered;
    bool bundle = (at->entry.kind & ~SLU_ENTRY_FORCED) == SLU_TX_BUNDLE;
    uint64_t list = slu_proof_list_rollup(at);
    bool plain = (at->entry.kind & ~SLU_ENTRY_FORCED) == SLU_TX_PLAIN;
    if (!is_of(list, at->entry.rollup, bundle, at->entry.payload, at->entry.payload_len) ||
        (plain && list == 0) || (!plain && at->entry.rollup != 0))
        return SLU_PROOF_ROLLUP;
    int where = stands(c, at, c->ordered.ordered, NULL);
    return where == 0 ? SLU_PROOF_GOOD : where == 1 ? SLU_PROOF_SPACE : SLU_PROOF_LIST;
}

static enum slu_proof_fault check_opened(const struct checking *c, const struct slu_opening *shown)
{
    const struct slu_proof_place *at = &c->proof->opened;
    uint64_t list = slu_proof_list_rollup(at);
    struct slu_opening place;
    struct slu_reader r = slu_reader_of(at->entry.payload, at->entry.payload_len);
    uint8_t content32[32];
    if (shown) {
        place = *shown;
        if (!is_of(list, at->entry.rollup, at->entry.rollup == 0, shown->payload,
                   shown->payload_len))
            return SLU_PROOF_OPENED_ROLLUP;
    } else {
        uint8_t reason = slu_read_u8(&r);
        place = (struct slu_opening){.height = slu_read_u64(&r)};
        place.index = slu_read_u32(&r);
        if (!slu_reader_done(&r) || reason == SLU_OPENED)
            return SLU_PROOF_OPENED_PLACE;
        if (list != 0 || at->entry.rollup != 0)
            return SLU_PROOF_OPENED_ROLLUP;
    }
    slu_hash_of(content32, "content", c->g->chain_id, at->entry.payload, at->entry.payload_len);
    int where = stands(c, at, c->opened.opened, content32);
    if (where)
        return where == 1 ? SLU_PROOF_OPENED_SPACE : SLU_PROOF_OPENED_LIST;
    if (place.height != c->proof->ordered.height || place.index != c->proof->ordered.entry.index)
        return SLU_PROOF_OPENED_PLACE;
    bool early =
        shown && ((shown->unlock_kind == SLU_UNLOCK_HEIGHT && at->height < shown->unlock) ||
                  (shown->unlock_kind == SLU_UNLOCK_TIME && c->opened.time_ms < shown->unlock));
    return early ? SLU_PROOF_EARLY : SLU_PROOF_GOOD;
}

/* ---- the queue ---- */

static bool read_block(struct slu_block *block, const struct slu_genesis *g, const uint8_t *bytes,
                       size_t len, const uint8_t digest32[32])
{
    struct slu_reader r = slu_reader_of(bytes, len);
    return !slu_block_read(&r, g, block) && slu_reader_done(&r) &&
           memcmp(block->digest, digest32, 32) == 0;
}

/* Clause 6.5: where the items of the block go follows from its parent's tail. Evidence waits for
 * nothing. */
static enum slu_proof_fault check_queued(const struct checking *c)
{
    const struct slu_proof *p = c->proof;
    uint8_t kind = p->ordered.entry.kind;
    uint8_t wanted = kind == SLU_ENTRY_EVIDENCE ? SLU_INBOX_EVIDENCE
                     : kind == SLU_ENTRY_KEYGEN ? SLU_INBOX_KEYGEN
                                                : SLU_INBOX_FORCED;
    struct slu_block block, parent;
    struct slu_inbox_tuple t;
    if (!read_block(&block, c->g, p->block, p->block_len, c->queued.block) ||
        block.height != p->queued_height)
        return SLU_PROOF_QUEUE_BLOCK;
    if (p->queued_height == 1)
        slu_block_genesis(&parent, c->g);
    else if (!read_block(&parent, c->g, p->parent, p->parent_len, block.parent))
        return SLU_PROOF_QUEUE_PARENT;
    for (uint32_t i = 0; i < block.queued_count; i++) {
        slu_inbox_tuple_at(block.queued, i, &t);
        uint64_t due = t.kind == SLU_INBOX_EVIDENCE
                           ? block.height
                           : slu_queue_book(c->g, &parent.tail, block.height, t.bytes);
        if (memcmp(t.id, c->id, 32) != 0)
            continue;
        if (t.kind != wanted || t.bytes != c->envelope_len)
            return SLU_PROOF_NOT_QUEUED;
        return due == p->ordered.height ? SLU_PROOF_GOOD : SLU_PROOF_DUE;
    }
    return SLU_PROOF_NOT_QUEUED;
}

/* ---- all of it ---- */

enum slu_proof_fault slu_proof_check(const struct slu_proof *proof,
                                     const struct slu_genesis *genesis,
                                     const struct slu_verifier *verifier, uint8_t *scratch)
{
    struct checking c = {.proof = proof, .g = genesis, .verifier = verifier};
    struct slu_opening opening, *shown = NULL;
    if (memcmp(proof->chain_id32, genesis->chain_id, 32) != 0)
        return SLU_PROOF_CHAIN;
    enum slu_proof_fault fault = SLU_PROOF_GOOD;
    for (uint8_t i = 0; i < proof->runs && !fault; i++)
        fault = check_run(&c, &proof->run[i]);
    if (!fault && proof->has_opened && proof->opened.entry.kind == SLU_ENTRY_OPENED) {
        shown = &opening;
        if (slu_opening_read(shown, proof->opened.entry.payload, proof->opened.entry.payload_len,
                             true))
            fault = SLU_PROOF_CONTENT;
    }
    if (!fault)
        fault = name(&c, shown, scratch);
    if (!fault)
        fault = check_ordered(&c);
    if (!fault && proof->has_queued)
        fault = check_queued(&c);
    if (!fault && proof->has_opened)
        fault = check_opened(&c, shown);
    return fault;
}
